//go:build e2e

package e2e

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Argo CD, as its own manifests install it, and as nobody here has changed it.
func TestArgoCDRunsFromItsOwnManifests(t *testing.T) {
	c := newCluster(t, "management", 1)
	c.must(t, "create", "namespace", "argocd")
	timed(t, "kubectl apply of install.yaml, until all of Argo CD is ready", func() {
		c.must(t, "apply", "-n", "argocd", "--server-side", "-f", filepath.Join(os.Getenv(stackVar), "argocd-manifests", "install.yaml"))
		for _, kind := range []string{"deployment", "statefulset"} {
			for name := range strings.FieldsSeq(c.must(t, "get", kind, "-n", "argocd", "-o", "name")) {
				c.must(t, "rollout", "status", "-n", "argocd", name, "--timeout=120s")
			}
		}
	})
	c.must(t, "patch", "service", "-n", "argocd", "argocd-server", "--patch", `{"spec":{"type":"NodePort","ports":[{"port":443,"nodePort":30443}]}}`)
	node := c.must(t, "get", "nodes", "-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`)
	password, err := base64.StdEncoding.DecodeString(c.must(t, "get", "secret", "-n", "argocd", "argocd-initial-admin-secret", "-o", "jsonpath={.data.password}"))
	if err != nil {
		t.Fatal(err)
	}
	argocd := func(args ...string) (string, error) {
		args = append([]string{filepath.Join(os.Getenv(stackVar), "argocd"), "--config", filepath.Join(t.TempDir(), "config")}, args...)
		return tried(t, "", args...)
	}
	eventually(t, "argocd login", func() error {
		out, err := argocd("login", node+":30443", "--insecure", "--username", "admin", "--password", string(password))
		if err == nil && !strings.Contains(out, "logged in successfully") {
			err = errors.New(out)
		}
		return err
	})
	out, err := argocd("version", "--server", node+":30443", "--insecure", "--short")
	if err != nil || strings.Count(out, "v3.") < 2 {
		t.Error(fmt.Errorf("argocd version: %s: %w", out, err))
	}
}
