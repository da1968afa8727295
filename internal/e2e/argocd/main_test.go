//go:build e2e

package argocd

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Variables that say where programs are. Make sets those of the assets.
const (
	argocdVar = "ARGOCD_ASSETS"
	kubeVar   = "KUBEBUILDER_ASSETS"
	binaryVar = "NORIKAE_E2E_BINARY"
)

func TestMain(m *testing.M) {
	flag.Parse()
	log.SetLogger(logr.Discard()) // else controller-runtime complains that it has none
	os.Exit(run(m))
}

// run builds the binary once, and takes from the process all that it knows of the real
// AWS and of other clusters, so that no mistake here can reach them.
func run(m *testing.M) int {
	if err := checkAssets(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "norikae-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") || name == "KUBECONFIG" {
			os.Unsetenv(name)
		}
	}
	if os.Getenv(binaryVar) != "" { // one that is built already
		return m.Run()
	}
	os.Setenv(binaryVar, filepath.Join(dir, "norikae"))
	build := exec.CommandContext(context.Background(), "go", "build", "-o", os.Getenv(binaryVar), "github.com/norikae/norikae/cmd/norikae")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building norikae: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// checkAssets names what is missing: a test that is left out proves nothing.
func checkAssets() error {
	for variable, programs := range map[string][]string{
		argocdVar: {"argocd-repo-server", "argocd-application-controller", "argocd-applicationset-controller", "argocd-k8s-auth", "git-verify-wrapper.sh", "redis-server"},
		kubeVar:   {"etcd", "kube-apiserver", "kube-controller-manager", "kubectl"},
	} {
		dir := os.Getenv(variable)
		if dir == "" {
			return fmt.Errorf("%s is not set: these tests run real programs; make e2e builds them and sets it", variable)
		}
		for _, p := range programs {
			if _, err := exec.LookPath(filepath.Join(dir, p)); err != nil {
				return fmt.Errorf("%s: %w; make e2e builds what is missing", variable, err)
			}
		}
	}
	if _, err := exec.LookPath("git"); err != nil {
		return fmt.Errorf("Argo CD needs git: %w", err)
	}
	return nil
}
