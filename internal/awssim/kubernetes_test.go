package awssim_test

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/kubeapi"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

// kubeAssets is the folder of Kubernetes' programs.
func kubeAssets(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("KUBEBUILDER_ASSETS")
	if dir == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set, and this test runs real API servers: export KUBEBUILDER_ASSETS=$(make -s kube-assets), or run it by make test")
	}
	return dir
}

func TestWhoeverHasTheLabsKeysEntersTheFleetsRealAPIServers(t *testing.T) {
	t.Parallel()
	f := world(t, awssim.WorldFleet, func(c *awssim.Config) {
		c.Kubernetes, c.Fleet, c.FleetAccounts, c.FleetRegions = kubeAssets(t), 2, 1, 2
	})
	servers := f.World().APIServers
	if len(servers) != 2 || f.World().Clusters != 2 {
		t.Fatalf("the API servers are %+v", servers)
	}
	cluster := func() (url string, ca []byte) {
		c := wiretest.Must(eks.NewFromConfig(f.config(awssim.Region, nil)).DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String("fleet-0001")}))(t).Cluster
		return *c.Endpoint, wiretest.Must(base64.StdEncoding.DecodeString(*c.CertificateAuthority.Data))(t)
	}
	url, ca := cluster()
	i := 0
	if servers[1].Endpoint == url {
		i = 1
	}
	home := t.TempDir()
	kubectl := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(kubeAssets(t), "kubectl"), args...)
		cmd.Env = []string{"HOME=" + home}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	enter := func(key aws.CredentialsProvider) (string, error) {
		signer := sts.NewPresignClient(sts.NewFromConfig(f.config(awssim.Region, key)))
		signed := wiretest.Must(signer.PresignGetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}, func(o *sts.PresignOptions) {
			o.ClientOptions = append(o.ClientOptions, sts.WithAPIOptions(
				smithyhttp.SetHeaderValue("x-k8s-aws-id", "fleet-0001"), smithyhttp.SetHeaderValue("X-Amz-Expires", "60")))
		}))(t)
		file := filepath.Join(home, "ca.crt")
		if err := os.WriteFile(file, ca, 0o600); err != nil {
			t.Fatal(err)
		}
		return kubectl("--server", url, "--certificate-authority", file, "--token", "k8s-aws-v1."+base64.RawURLEncoding.EncodeToString([]byte(signed.URL)),
			"auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
	}
	if who, err := enter(nil); err != nil || who != "arn:aws:iam::000000000000:user/lab" {
		t.Errorf("with the lab's key, by the lab's endpoint, one is %q: %v", who, err)
	}
	if out, err := enter(credentials.NewStaticCredentialsProvider("AKIDTEST", "fake", "")); err == nil {
		t.Errorf("a key that only the API takes is let in as %q", out)
	}
	if who, err := kubectl("--kubeconfig", servers[i].Kubeconfig, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"); err != nil || who != "lab-admin" {
		t.Errorf("with the administrator's kubeconfig one is %q: %v", who, err)
	}

	if err := f.RotateCA(t.Context(), servers[i].ClusterARN); err != nil {
		t.Fatal(err)
	}
	old := string(ca)
	if _, ca = cluster(); string(ca) == old {
		t.Error("EKS still tells of the certificate authority of before")
	}
	if who, err := enter(nil); err != nil || who != "arn:aws:iam::000000000000:user/lab" {
		t.Errorf("with another certificate authority one is %q: %v", who, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	for _, s := range servers {
		if _, err := os.Stat(s.Kubeconfig); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after the lab's end there is %s: %v", s.Kubeconfig, err)
		}
	}
}

func TestALabWithRealAPIServersRefuses(t *testing.T) {
	programs := t.TempDir()
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager"} {
		if err := os.WriteFile(filepath.Join(programs, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		change      func(*awssim.Config)
		field, want string
	}{
		"a large fleet":         {func(c *awssim.Config) { c.World, c.Fleet = awssim.WorldFleet, 1000 }, "fleet", "1000 clusters with real API servers are not in 0–8: each takes about 500 MB"},
		"one cluster too many":  {func(c *awssim.Config) { c.World, c.Fleet = awssim.WorldFleet, kubeapi.MaxServers+1 }, "fleet", "9 clusters"},
		"a state directory":     {func(c *awssim.Config) { c.StateDir = t.TempDir() }, "kubernetes", "leave out one of the two"},
		"a folder without them": {func(c *awssim.Config) { c.Kubernetes = t.TempDir() }, "kubernetes", "the program etcd of Kubernetes is not in"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := awssim.Config{Kubernetes: programs}
			tc.change(&cfg)
			lab, err := awssim.New(cfg)
			if err == nil {
				t.Fatal(errors.Join(errors.New("it is taken"), lab.Close()))
			}
			if e, ok := errors.AsType[*awssim.ConfigError](err); !ok || e.Field != tc.field || !strings.Contains(e.Error(), tc.want) {
				t.Errorf("the error is %v, want %s: %s", err, tc.field, tc.want)
			}
		})
	}
}
