package sdkv2

import (
	"path/filepath"
	"strings"
	"testing"
)

// migrate does what docs/migrate-from-mumoshu.md says: the source in the configuration, and
// the provider of what is in the state.
func (w *workspace) migrate(t *testing.T) {
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
		w.run(t, "terraform", "state", "replace-provider", "-auto-approve", "mumoshu/"+p, "norikae/"+p)
	}
}

// edits are what the docs tell users to change besides, by fixture: old text, new text.
var edits = map[string][]string{
	// Ours refuses to shift the records of a name with nothing to judge by.
	"route53": {"\"api.example.com\"\n", "\"api.example.com\"\n  builtin_analysis = false\n"},
	// Early releases of the old provider had these names.
	"nodegroup": {"instanec_types ", "instance_types ", "exernal_dns_access ", "external_dns_access "},
}

// only are what is planned of fixtures whose other resources want something of their users
// first; docs/migrate-from-mumoshu.md says what.
var only = map[string][]string{
	"alb":     {"-target=eksctl_courier_alb.least"},
	"route53": {"-target=eksctl_courier_route53_record.metrics"},
}

func TestAPlanWithTheOldStateHasNoDifference(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			w := open(t, name)
			live[name](t, w)
			w.migrate(t)
			w.write(t, "main.tf", strings.NewReplacer(edits[name]...).Replace(w.read(t, "main.tf")))

			stdout, stderr, code := w.try(t, "terraform", append([]string{"plan", "-no-color", "-input=false", "-detailed-exitcode"}, only[name]...)...)
			if code == 1 {
				t.Fatalf("plan failed:\n%s%s", stdout, stderr)
			}
			if code != 0 {
				t.Errorf("plan: exit code %d, want 0, no changes:\n%s%s", code, stdout, stderr)
			}
		})
	}
}
