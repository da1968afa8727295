package tfapp

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

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
