package kubeconfig

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/norikae/norikae/internal/app"
	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/ekstoken"
	"github.com/norikae/norikae/internal/workload"
)

// The test binary is norikae, too: kubeconfigs here name it as their command.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "eks" {
		os.Exit(app.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, app.OSEnvironment("test")))
	}
	os.Exit(m.Run())
}

// lab with one cluster that has a real API server.
func lab(t *testing.T) (*awssim.Lab, Cluster) {
	t.Helper()
	cfg := awssim.Fast()
	cfg.World, cfg.Kubernetes = awssim.WorldFleet, os.Getenv("KUBEBUILDER_ASSETS")
	cfg.Fleet, cfg.FleetAccounts, cfg.FleetRegions = 1, 1, 1
	if cfg.Kubernetes == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set, and this test runs a real API server: export KUBEBUILDER_ASSETS=$(make -s kube-assets), or run it by make test")
	}
	l, err := awssim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := l.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	out, err := eks.NewFromConfig(awsConfig(l)).DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String("fleet-0001")})
	if err != nil {
		t.Fatal(err)
	}
	ca, err := base64.StdEncoding.DecodeString(*out.Cluster.CertificateAuthority.Data)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return l, Cluster{
		Name: *out.Cluster.Name, ARN: *out.Cluster.Arn, Endpoint: *out.Cluster.Endpoint, CA: ca, Region: awssim.Region,
		Address: l.Endpoint(), Command: program,
	}
}

func awsConfig(l *awssim.Lab) aws.Config {
	return aws.Config{
		Region: awssim.Region, BaseEndpoint: aws.String(l.Endpoint()),
		Credentials: credentials.NewStaticCredentialsProvider("FAKEKEYOFTHELAB", "fake-secret-of-the-lab", ""),
	}
}

// enter by a file, as kubectl does.
func enter(t *testing.T, c Cluster) (who string, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := Write(path, c, false); err != nil {
		t.Fatal(err)
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return review.Status.UserInfo.Username, nil
}

func TestAFileLetsIntoARealAPIServerAndNoOther(t *testing.T) {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	t.Setenv("AWS_ACCESS_KEY_ID", "FAKEKEYOFTHELAB")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "fake-secret-of-the-lab")
	l, good := lab(t)

	who, err := enter(t, good)
	if err != nil || who != "arn:aws:iam::000000000000:user/lab" {
		t.Errorf("with its token one is %q: %v", who, err)
	}
	other := good
	other.Name = "fleet-0002"
	if who, err := enter(t, other); !apierrors.IsUnauthorized(err) {
		t.Errorf("with another cluster's token one is %q: %v", who, err)
	}
	missing := good
	missing.Command = "no-such-norikae"
	if who, err := enter(t, missing); err == nil || !strings.Contains(err.Error(), "needs the program no-such-norikae on PATH") {
		t.Errorf("without the program one is %q: %v", who, err)
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "another")
	t.Setenv("AWS_REGION", awssim.Region)
	stranger := good
	stranger.Region = "" // of other arguments: clients keep a token by those
	if who, err := enter(t, stranger); !apierrors.IsUnauthorized(err) {
		t.Errorf("with a token of another key one is %q: %v", who, err)
	}

	// The same tokens, without the file and the program.
	client, err := workload.Connect(workload.Cluster{Endpoint: good.Endpoint, CA: good.CA, Token: ekstoken.NewSource(awsConfig(l), good.Name).Token})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Apply(t.Context(), []string{"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}"}, nil); err != nil {
		t.Error(err)
	}
	if err := client.Delete(t.Context(), "", "ConfigMap", "x", time.Minute, nil); err != nil {
		t.Error(err)
	}
	client, err = workload.Connect(workload.Cluster{Endpoint: good.Endpoint, CA: good.CA, Token: ekstoken.NewSource(awsConfig(l), "fleet-0002").Token})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Delete(t.Context(), "", "ConfigMap", "x", time.Minute, nil); !apierrors.IsUnauthorized(err) {
		t.Errorf("with another cluster's token: %v", err)
	}
}
