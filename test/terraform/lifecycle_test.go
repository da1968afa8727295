package terraform

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Each Terraform that people have: the newest that is free, the one on PATH, and OpenTofu,
// which has another registry.
func TestTheLifeOfACourierUnderEachTerraform(t *testing.T) {
	t.Parallel()
	for _, bin := range append(terraforms(), os.Getenv(terraformVar)) {
		t.Run(filepath.Base(bin)+" "+filepath.Base(filepath.Dir(bin)), func(t *testing.T) {
			t.Parallel()
			l := startLab(t)
			const rule, host = "priority = \"11\"\nhosts = [\"shop.example.com\"]", "shop.example.com"
			f := l.folder(t, l.courier("this", rule, 100, 0, ""))
			f.bin = bin
			t.Log(f.ok(t, "version").stdout)
			f.apply(t)
			arn, _ := f.attributes(t, address)["arn"].(string)
			before := len(l.calls(t))
			stop := l.requests(t, host, 50)
			f.write(t, l.courier("this", rule, 0, 100, ""))
			f.apply(t)
			stop().nothingLost(t)
			calls := l.calls(t)
			if got, want := l.written(calls[before:]), []string{"50:50", "0:100"}; !slices.Equal(got, want) {
				t.Errorf("written %v, want %v", got, want)
			}
			l.noMark(t, arn)
			f.empty(t)
			g := l.folder(t, l.courier("this", rule, 0, 100, "force_destroy = true"))
			g.bin = bin
			g.ok(t, "import", "-no-color", address, arn)
			g.apply(t) // what only the configuration knows
			g.empty(t)
			if w := l.written(l.calls(t)[len(calls):]); len(w) != 0 {
				t.Errorf("an import, and plans, wrote weights: %v", w)
			}
			contains(t, f.fails(t, "destroy", "-auto-approve").errors(), "force_destroy")
			if w := l.weights(t, arn); w != "0:100" {
				t.Errorf("destroy was refused, and live is %s", w)
			}
			g.ok(t, "destroy", "-auto-approve", "-no-color")
			if r, there := l.rules(t)["11"]; there {
				t.Errorf("the rule is still there: %v", r)
			}
			f.pending(t) // what is gone is to be made anew
		})
	}
}
