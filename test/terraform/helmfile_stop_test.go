package terraform

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// waiting is a release whose pods nobody runs: helm waits for them until somebody ends it.
const waiting = `values = [yamlencode({ greeting = "hello", pods = 1, wait = true })]`

// atWork is what of helmfile runs for the namespace.
func (r *releases) atWork(t *testing.T) (out []string) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(lines) == 0 {
		t.Fatalf("no processes can be seen: %v", err)
	}
	for _, name := range lines {
		b, err := os.ReadFile(name)
		args := strings.ReplaceAll(string(bytes.TrimRight(b, "\x00")), "\x00", " ")
		if err == nil && strings.Contains(args, "helm") && (strings.Contains(args, r.work) || strings.Contains(args, "--namespace "+r.namespace)) {
			out = append(out, args)
		}
	}
	return out
}

// stopped fails when something of helmfile still runs for the namespace, or helm was ended
// in such a way that the release cannot be upgraded any more.
func (r *releases) stopped(t *testing.T) {
	t.Helper()
	for _, args := range r.atWork(t) {
		t.Errorf("this still runs: %s", args)
	}
	for _, status := range r.helm(t) {
		if strings.Contains(status, "pending") {
			t.Errorf("helm left %s", status)
		}
	}
}

func timeIsOver(t *testing.T, r *releases) {
	r.write(t, r.set("web", waiting+"\ntimeouts { create = \"10s\" }"))
	contains(t, r.fails(t, "apply", "-auto-approve").errors(), "helmfile apply failed", "it took longer than 10s, which is what timeouts.create allows", `timeouts { create = "20s" }`)
	r.stopped(t)
	r.clean(t)
	if state := r.state(t); len(state) > 0 {
		t.Errorf("the state has %q", state)
	}
	r.write(t, r.set("web", strings.Replace(waiting, "true", "false", 1)))
	r.apply(t)
	r.greets(t, "web", "hello")
	r.empty(t)

	r.write(t, r.set("web", strings.Replace(waiting, "pods = 1", "pods = 2", 1)+"\ntimeouts { update = \"10s\" }"))
	contains(t, r.fails(t, "apply", "-auto-approve").errors(), "timeouts.update allows")
	contains(t, r.text(t, "helmfile_release_set.web", "error"), "timeouts.update allows")
	r.stopped(t)
}

// underWay is an apply whose helm waits for pods.
func (r *releases) underWay(t *testing.T) *process {
	t.Helper()
	r.write(t, r.set("web", waiting))
	p := r.start(t, "apply", "-auto-approve", "-json")
	until(t, "helm waits for the pods", func() bool {
		select {
		case <-p.done:
			t.Fatalf("it had ended by itself:\n%s%s", p.out.String(), p.err.String())
		default:
		}
		return r.kubectl(t, "get", "deployment", "web").code == 0
	})
	return p
}

// takenOver is what was installed by an apply that did not come to its end.
func (r *releases) takenOver(t *testing.T) {
	t.Helper()
	r.write(t, r.set("web", strings.Replace(waiting, "true", "false", 1)))
	r.apply(t)
	r.greets(t, "web", "hello")
	r.empty(t)
}

func interrupted(t *testing.T, r *releases) {
	p := r.underWay(t)
	p.signal(os.Interrupt)
	out := p.wait(t)
	if out.code == 0 {
		t.Errorf("an interrupted apply succeeded:\n%s", out)
	}
	contains(t, diagnosticsOf(out).errors(), "it was interrupted", "The next plan shows what is left to do")
	r.stopped(t)
	r.clean(t)
	r.takenOver(t)
}

// As by a second Ctrl-C, or a runner that goes away.
func killed(t *testing.T, r *releases) {
	r.underWay(t).kill()
	until(t, "helm has noticed that Terraform is gone", func() bool { return len(r.atWork(t)) == 0 })
	r.stopped(t)
	r.takenOver(t)
}
