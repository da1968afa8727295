package terraform

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// As a user without a registry does it: make install-providers, the stanza that it prints,
// terraform init.
func TestInstalledProvidersAreInitializedOffline(t *testing.T) {
	t.Parallel()
	l := startLab(t, "--seed", "")
	mirror := t.TempDir()
	install := exec.CommandContext(context.WithoutCancel(t.Context()), "make", "-s", "-C", filepath.Join("..", ".."), "install-providers", "DIR="+mirror, "PROVIDER_VERSION=0.9.1")
	stanza, err := install.Output()
	if err != nil {
		t.Fatalf("make install-providers: %v\n%s", err, stanza)
	}
	if err := os.WriteFile(filepath.Join(mirror, "terraform.rc"), stanza, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bin := range append(terraforms(), os.Getenv(terraformVar)) {
		f := l.folder(t, installed)
		f.bin, f.env = bin, append(f.env, "TF_CLI_CONFIG_FILE="+filepath.Join(mirror, "terraform.rc")) // the last one counts
		out := f.ok(t, "init", "-no-color").stdout
		contains(t, out, "norikae/eksctl v0.9.1", "norikae/helmfile v0.9.1")
		if r := f.ok(t, "validate", "-no-color"); strings.Contains(r.stdout, "dev_overrides") {
			t.Errorf("it is not the installed providers that were tried:\n%s", r)
		}
	}
}

const installed = `
terraform {
  required_providers {
    eksctl = {
      source  = "norikae/eksctl"
      version = "~> 0.9.0"
    }
    helmfile = {
      source  = "norikae/helmfile"
      version = "0.9.1"
    }
  }
}
provider "eksctl" {}
provider "helmfile" {}
`
