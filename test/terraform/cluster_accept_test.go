package terraform

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
)

// mirror is a filesystem mirror with the providers' binaries, and the configuration of
// Terraform's command line that names it.
func mirror(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for source, binary := range map[string]string{"norikae/eksctl": "terraform-provider-eksctl"} {
		at := filepath.Join(dir, "registry.terraform.io", filepath.FromSlash(source), "0.0.1", runtime.GOOS+"_"+runtime.GOARCH)
		if err := os.MkdirAll(at, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(program(binary), filepath.Join(at, filepath.Base(binary)+"_v0.0.1")); err != nil {
			t.Fatal(err)
		}
	}
	rc := filepath.Join(dir, "terraform.rc")
	text := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", dir)
	if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return rc
}

func TestExperiment(t *testing.T) {
	l := startLab(t, "--seed", "")
	for _, kv := range l.environment(t) {
		k, v, _ := strings.Cut(kv, "=")
		t.Setenv(k, v)
	}
	t.Setenv("TF_CLI_CONFIG_FILE", mirror(t))
	t.Setenv("TF_ACC", "1")
	t.Setenv("PATH", program("test")+string(os.PathListSeparator)+os.Getenv("PATH"))
	resource.Test(t, resource.TestCase{
		ExternalProviders: map[string]resource.ExternalProvider{"eksctl": {Source: "norikae/eksctl"}},
		Steps: []resource.TestStep{{
			Config: `resource "eksctl_cluster" "blue" {
  name = "blue"
  spec = <<-EOS
    managedNodeGroups:
      - name: one
  EOS
}`,
			Check: resource.TestCheckResourceAttr("eksctl_cluster.blue", "node_groups.#", "1"),
		}},
	})
}
