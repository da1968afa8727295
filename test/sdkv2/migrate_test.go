package sdkv2

import (
	"strings"
	"testing"
)

// migrate does what docs/migrate-from-mumoshu.md says: the source in the configuration, and
// the provider of what is in the state.
func (w *workspace) migrate(t *testing.T) {
	t.Helper()
	dir := ours(t)
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

// The resources that are not named here want something of their users first, or show
// an update of empty values; docs/migrate-from-mumoshu.md says which.
func TestAPlanWithTheOldStateHasNoDifference(t *testing.T) {
	for name, target := range map[string]string{
		"alb":     "eksctl_courier_alb.least",
		"route53": "eksctl_courier_route53_record.metrics",
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, name)
			live[name](t, w)
			w.migrate(t)
			// Ours refuses to shift the records of a name with nothing to judge by.
			w.write(t, "main.tf", strings.Replace(w.read(t, "main.tf"), "\"api.example.com\"\n", "\"api.example.com\"\n  builtin_analysis = false\n", 1))

			stdout, stderr, code := w.try(t, "terraform", "plan", "-no-color", "-input=false", "-detailed-exitcode", "-target="+target)
			if code == 1 {
				t.Fatalf("plan failed:\n%s%s", stdout, stderr)
			}
			if code != 0 {
				t.Errorf("plan: exit code %d, want 0, no changes:\n%s%s", code, stdout, stderr)
			}
		})
	}
}
