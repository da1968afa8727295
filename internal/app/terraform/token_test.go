package tfapp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/norikae/norikae/internal/eksapi"
	"github.com/norikae/norikae/internal/provider/connection"
	"github.com/norikae/norikae/internal/provider/eksctl"
)

// The test program is the provider, too: kubeconfigs here name it as their command.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == tokenCommand {
		os.Exit(EksctlMain(context.Background(), os.Args[1:], os.Stdout, os.Stderr, "v1.2.3"))
	}
	os.Exit(m.Run())
}

func target() eksctl.Target {
	return eksctl.Target{
		Cluster: eksctl.Cluster{
			Name: "blue", ARN: "arn:aws:eks:us-east-1:111122223333:cluster/blue", Region: "us-east-1", Endpoint: "https://blue.example",
			CA: []byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
		},
		Connection: connection.Connection{Region: "us-east-1"},
	}
}

func TestAKubeconfigCallsAProgramThatIsThere(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Symlink(self, filepath.Join(folder, "norikae")); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ path, want string }{
		"norikae, where it is on PATH":                      {folder, "norikae"},
		"the provider, which is there when nothing else is": {t.TempDir(), self},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATH", tc.path)
			for _, kv := range []string{"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "AWS_ENDPOINT_URL=", "AWS_PROFILE="} {
				k, v, _ := strings.Cut(kv, "=")
				t.Setenv(k, v)
			}
			file := filepath.Join(t.TempDir(), "kubeconfig")
			if err := (kubeconfigs{}).Write(file, target()); err != nil {
				t.Fatal(err)
			}
			cfg, err := clientcmd.LoadFromFile(file)
			if err != nil {
				t.Fatal(err)
			}
			run := cfg.AuthInfos[cfg.Contexts[cfg.CurrentContext].AuthInfo].Exec
			if run.Command != tc.want {
				t.Fatalf("the command is %s", run.Command)
			}
			out, err := exec.CommandContext(t.Context(), run.Command, run.Args...).Output()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			var got struct {
				Kind   string
				Status struct{ Token string }
			}
			if err := json.Unmarshal(out, &got); err != nil || got.Kind != "ExecCredential" || !strings.HasPrefix(got.Status.Token, "k8s-aws-v1.") {
				t.Errorf("it says %s (%v)", out, err)
			}
		})
	}
}

// A program that was given a role's credentials finds kubeconfigs of ours: their profile is
// of files that it does not have, and the role is the one that it is already.
func TestAKubeconfigIsUsedWithTheCredentialsThatAProgramWasGiven(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	conn := target().Connection
	conn.Profile = "mine"
	conn.AssumeRole = &connection.AssumeRole{RoleARN: "arn:aws:iam::111122223333:role/ci", ExternalID: "of us"}
	// Nobody listens there: the role that is there already must not be assumed.
	conn.Address = "http://127.0.0.1:1"
	api := eksapi.New(func(context.Context, connection.Connection) (aws.Config, error) {
		return aws.Config{Credentials: credentials.NewStaticCredentialsProvider("KEYOFTHEROLE", "fake", "fake")}, nil
	})
	vars, stop, err := api.Serve(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	tgt := target()
	tgt.Connection = conn
	if err := (kubeconfigs{}).Write(file, tgt); err != nil {
		t.Fatal(err)
	}
	cfg, err := clientcmd.LoadFromFile(file)
	if err != nil {
		t.Fatal(err)
	}
	run := cfg.AuthInfos[cfg.Contexts[cfg.CurrentContext].AuthInfo].Exec
	if got := strings.Join(run.Args, " "); !strings.Contains(got, "--role-arn arn:aws:iam::111122223333:role/ci --external-id of us") {
		t.Errorf("the arguments are %s", got)
	}
	for k, v := range vars {
		t.Setenv(k, v)
	}
	for _, v := range run.Env {
		t.Setenv(v.Name, v.Value)
	}
	out, err := exec.CommandContext(t.Context(), run.Command, run.Args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var got struct{ Status struct{ Token string } }
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	call, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(got.Status.Token, "k8s-aws-v1."))
	if err != nil || !strings.Contains(string(call), "KEYOFTHEROLE") {
		t.Errorf("the token is %s: %v", call, err)
	}
}

func TestKubernetesClientsAreSilentInAProvider(t *testing.T) {
	was := os.Stderr
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stderr = w
	defer func() { os.Stderr = was }()
	EksctlMain(t.Context(), []string{"-help"}, io.Discard, io.Discard, "v1.2.3")
	klog.Error("noise")
	klog.Flush()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(said), "noise") {
		t.Errorf("stderr has %s", said)
	}
}
