package sdkv2

import (
	"path/filepath"
	"strings"
	"testing"
)

// migrate does what docs/migrate-from-mumoshu.md says: the source in the configuration, and
// the provider of what is in the state.
func (w *workspace) migrate(t testing.TB) {
	t.Helper()
	dir := filepath.Dir(ours(t, "terraform-provider-eksctl"))
	_ = ours(t, "terraform-provider-helmfile")
	w.providers(t, map[string]string{"norikae/eksctl": dir, "norikae/helmfile": dir})
	main := w.read(t, "main.tf")
	for _, p := range []string{"eksctl", "helmfile"} {
		if !strings.Contains(main, "mumoshu/"+p) {
			continue
		}
		main = strings.ReplaceAll(main, `"mumoshu/`+p+`"`, `"norikae/`+p+`"`)
		w.write(t, "main.tf", main)
		from := "mumoshu/" + p
		if filepath.Base(terraform(t)) == "tofu" { // to which the state that Terraform wrote is of another registry
			from = "registry.terraform.io/" + from
		}
		w.run(t, "terraform", "state", "replace-provider", "-auto-approve", from, "norikae/"+p)
	}
}

// edits are what the docs tell users to change besides, by fixture: old text, new text.
var edits = map[string][]string{
	// Early releases of the old provider had these names.
	"nodegroup": {"instanec_types ", "instance_types ", "exernal_dns_access ", "external_dns_access "},
}

func TestAPlanWithTheOldStateHasNoDifference(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			w := open(t, name)
			live[name](t, w)
			w.migrate(t)
			w.write(t, "main.tf", strings.NewReplacer(edits[name]...).Replace(w.read(t, "main.tf")))

			before := len(w.calls(t))
			stdout, stderr, code := w.try(t, "terraform", "plan", "-no-color", "-input=false", "-detailed-exitcode")
			if code == 1 {
				t.Fatalf("plan failed:\n%s%s", stdout, stderr)
			}
			if code != 0 {
				t.Errorf("plan: exit code %d, want 0, no changes:\n%s%s", code, stdout, stderr)
			}
			for _, c := range w.calls(t)[before:] {
				if c.writes() {
					t.Errorf("a plan called %s %s", c.Service, c.Operation)
				}
			}
		})
	}
}
