package helmfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestARegionAloneIsNoOtherCaller(t *testing.T) {
	env, err := environment([]string{"AWS_PROFILE=prod", "PATH=/bin"}, Spec{Credentials: map[string]string{"AWS_REGION": "us-east-1"}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(env, "\n"), "AWS_PROFILE=prod") {
		t.Errorf("aws_region alone takes the profile away: %v", env)
	}
}

func TestAProfileIsTheOnlyCaller(t *testing.T) {
	env, err := environment([]string{"AWS_ACCESS_KEY_ID=AKIAX", "AWS_SECRET_ACCESS_KEY=s", "AWS_WEB_IDENTITY_TOKEN_FILE=/t", "AWS_CA_BUNDLE=/ca"}, Spec{Credentials: map[string]string{"AWS_PROFILE": "prod"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(env, "\n"); strings.Contains(got, "AKIAX") || strings.Contains(got, "TOKEN_FILE") || !strings.Contains(got, "AWS_CA_BUNDLE") {
		t.Errorf("the environment is %v", env)
	}
}

// In a pod, helm would take the pod's own cluster.
func TestAKubeconfigThatIsNotThereIsAnError(t *testing.T) {
	_, err := environment(nil, Spec{WorkingDirectory: t.TempDir(), Kubeconfig: "/nowhere/kubeconfig"})
	if err == nil || !strings.Contains(err.Error(), `no file "/nowhere/kubeconfig"`) {
		t.Errorf("the error is %v", err)
	}
}

func TestAKubeconfigMayBeBesideTheHelmfile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	env, err := environment(nil, Spec{WorkingDirectory: dir, Kubeconfig: "kubeconfig"})
	if err != nil || !strings.Contains(strings.Join(env, "\n"), "KUBECONFIG="+path) {
		t.Errorf("the environment is %v, the error %v", env, err)
	}
}
