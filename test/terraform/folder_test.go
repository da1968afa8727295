package terraform

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder is one that Terraform works in: a configuration, and a state beside it.
type folder struct {
	dir string
	env []string
	bin string // terraform, or tofu
}

// head of every configuration.
const head = `
terraform {
  required_providers {
    eksctl   = { source = "norikae/eksctl" }
    helmfile = { source = "norikae/helmfile" }
    aws      = { source = "hashicorp/aws" }
  }
}
`

// folder with this configuration, near the lab. The providers come from the folder of
// binaries, so that there is nothing to install.
func (l *lab) folder(t *testing.T, hcl string) *folder {
	t.Helper()
	f := &folder{dir: t.TempDir(), bin: os.Getenv(terraformVar), env: append(l.environment(t), "TF_CLI_CONFIG_FILE="+overrides(t), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1")}
	f.write(t, hcl)
	return f
}

// overrides is a configuration of Terraform's command line that names the providers' binaries.
func overrides(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "terraform.rc")
	text := fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"norikae/eksctl\" = %[1]q\n    \"norikae/helmfile\" = %[1]q\n    \"hashicorp/aws\" = %[2]q\n  }\n  direct {}\n}\n", os.Getenv(binVar), program("test"))
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// write the configuration anew.
func (f *folder) write(t *testing.T, hcl string) {
	t.Helper()
	if !strings.Contains(hcl, "required_providers") {
		hcl = head + hcl
	}
	if err := os.WriteFile(filepath.Join(f.dir, "main.tf"), []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start Terraform.
func (f *folder) start(t *testing.T, args ...string) *process {
	t.Helper()
	return start(t, f.dir, f.env, f.bin, args...)
}

// run Terraform to its end.
func (f *folder) run(t *testing.T, args ...string) result {
	t.Helper()
	return f.start(t, args...).wait(t)
}

// ok runs Terraform, which must succeed.
func (f *folder) ok(t *testing.T, args ...string) result {
	t.Helper()
	r := f.run(t, args...)
	if r.code != 0 {
		t.Fatalf("terraform %s: exit code %d\n%s", strings.Join(args, " "), r.code, r)
	}
	return r
}

func (f *folder) apply(t *testing.T) result { return f.ok(t, "apply", "-auto-approve", "-no-color") }

// fails runs apply, which must not succeed.
func (f *folder) fails(t *testing.T, args ...string) diagnostics {
	t.Helper()
	r := f.run(t, append(args, "-json")...)
	if r.code == 0 {
		t.Fatalf("terraform %s succeeded:\n%s", strings.Join(args, " "), r)
	}
	return diagnosticsOf(r)
}

// empty fails when the plan would change something. It writes nothing to AWS either.
func (f *folder) empty(t *testing.T) {
	t.Helper()
	if r := f.run(t, "plan", "-detailed-exitcode", "-no-color"); r.code != 0 {
		t.Errorf("the plan is not empty: exit code %d\n%s", r.code, r)
	}
}

// pending fails unless the plan would change something, and returns what it says.
func (f *folder) pending(t *testing.T) string {
	t.Helper()
	r := f.run(t, "plan", "-detailed-exitcode", "-no-color")
	if r.code != 2 {
		t.Errorf("the plan has nothing to do: exit code %d\n%s", r.code, r)
	}
	return r.String()
}

// state lists the addresses of what is in the state.
func (f *folder) state(t *testing.T) []string {
	t.Helper()
	r := f.run(t, "state", "list")
	if strings.Contains(r.stderr, "No state file") {
		return nil
	}
	if r.code != 0 {
		t.Fatalf("terraform state list: %s", r)
	}
	return strings.Fields(r.stdout)
}

// module is one of a state, as `terraform show -json` has it.
type module struct {
	Resources []struct {
		Address string
		Values  map[string]any
	}
	Modules []module `json:"child_modules"`
}

func (m module) find(address string) map[string]any {
	for _, r := range m.Resources {
		if r.Address == address {
			return r.Values
		}
	}
	for _, c := range m.Modules {
		if v := c.find(address); v != nil {
			return v
		}
	}
	return nil
}

// attributes of a resource in the state.
func (f *folder) attributes(t *testing.T, address string) map[string]any {
	t.Helper()
	var shown struct {
		Values struct {
			Root module `json:"root_module"`
		}
	}
	if err := json.Unmarshal([]byte(f.ok(t, "show", "-json").stdout), &shown); err != nil {
		t.Fatal(err)
	}
	if v := shown.Values.Root.find(address); v != nil {
		return v
	}
	t.Fatalf("%s is not in the state", address)
	return nil
}

// elsewhere is another folder, on another machine as far as it can tell, with only the
// configuration and the state of this one.
func (f *folder) elsewhere(t *testing.T, l *lab) *folder {
	t.Helper()
	hcl, err := os.ReadFile(filepath.Join(f.dir, "main.tf"))
	if err != nil {
		t.Fatal(err)
	}
	g := l.folder(t, string(hcl))
	g.bin = f.bin
	state, err := os.ReadFile(filepath.Join(f.dir, "terraform.tfstate"))
	if os.IsNotExist(err) {
		return g
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(g.dir, "terraform.tfstate"), state, 0o600); err != nil {
		t.Fatal(err)
	}
	return g
}

// diagnostics of a run with -json.
type diagnostics struct {
	all  []diagnostic
	text string // all that was said
}

type diagnostic struct {
	Severity, Summary, Detail, Address string
	Range                              struct{ Start struct{ Line int } }
	Snippet                            struct{ Code string } // the line of the configuration
}

func diagnosticsOf(r result) (d diagnostics) {
	d.text = r.String()
	for line := range strings.Lines(r.stdout) {
		var l struct{ Diagnostic *diagnostic }
		if json.Unmarshal([]byte(line), &l) == nil && l.Diagnostic != nil {
			d.all = append(d.all, *l.Diagnostic)
		}
	}
	return d
}

// errors said, one a line.
func (d diagnostics) errors() string {
	var b strings.Builder
	for _, e := range d.all {
		if e.Severity == "error" {
			fmt.Fprintf(&b, "%s | %s: %s\n", strings.TrimSpace(e.Snippet.Code), e.Summary, e.Detail)
		}
	}
	return b.String()
}
