package terraform

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shifting starts an apply and waits until it has written a split between both sides.
func (l *lab) shifting(t *testing.T, f *folder) *process {
	t.Helper()
	before := len(l.calls(t))
	p := f.start(t, "apply", "-auto-approve", "-json")
	until(t, "it shifts", func() bool {
		select {
		case <-p.done:
			t.Fatalf("it had ended by itself:\n%s%s", p.out.String(), p.err.String())
		default:
		}
		return len(l.written(l.calls(t)[before:])) > 0
	})
	return p
}

// slow is a step that takes longer than any test here.
const slow = `"60s"`

func (l *lab) slowly(blue, green int, rest string) string {
	return strings.Replace(l.this(blue, green, rest), `"1s"`, slow, 1)
}

// T8: one Ctrl-C is enough, and Terraform says where the traffic is.
func TestT8_S14_AnInterruptRollsBackOrHolds(t *testing.T) {
	t.Parallel()
	for policy, live := range map[string]string{"rollback": "100:0", "hold": "50:50"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			l := startLab(t)
			rest := fmt.Sprintf("on_interrupt = %q", policy)
			f := l.adopted(t, rest)
			f.write(t, l.slowly(0, 100, rest))
			p := l.shifting(t, f)
			began := time.Now()
			p.signal(os.Interrupt)
			r := p.wait(t)
			if r.code == 0 {
				t.Errorf("an interrupted apply succeeded:\n%s", r)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %s to stop", took)
			}
			if w := l.weights(t, l.RuleARN); w != live {
				t.Errorf("live %s, want %s\n%s", w, live, r)
			}
			if got := declared(f.attributes(t, address)); got != live {
				t.Errorf("live is %s, and the state has %s", live, got)
			}
			f.pending(t)
			f.write(t, l.slowly(0, 100, rest))
			if policy == "rollback" {
				f.write(t, l.this(0, 100, rest))
				f.apply(t)
				f.empty(t)
			}
		})
	}
}

// sweeping is a shift in steps of 20 percent, each held a second.
func (l *lab) sweeping(blue, green int) string {
	return strings.Replace(l.this(blue, green, ""), "step_weight   = 50", "step_weight   = 20", 1)
}

// A provider that is killed alone is an error, and its shift is taken up by the next apply.
func TestAProviderThatDiesIsAnErrorAndTheNextApplyGoesOn(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	f := l.adopted(t, "")
	f.write(t, l.sweeping(0, 100))
	before := len(l.calls(t))
	p := l.shifting(t, f)
	for _, pid := range children(t, p.cmd.Process.Pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if r := p.wait(t); r.code == 0 {
		t.Errorf("the provider was killed, and apply succeeded:\n%s", r)
	}
	f.apply(t)
	if w := l.written(l.calls(t)[before:]); !monotonic(w) {
		t.Errorf("green's weight went back, or jumped: %v", w)
	}
	f.empty(t)
}

// children of a process, by Linux's own account.
func children(t *testing.T, pid int) (out []int) {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		if err != nil {
			continue // a thread that has ended
		}
		for s := range strings.FieldsSeq(string(b)) {
			if n, err := strconv.Atoi(s); err == nil && !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	if len(out) == 0 {
		t.Fatalf("process %d has no children", pid)
	}
	return out
}

func TestARunningApplyIsAbortedFromElsewhere(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	f := l.adopted(t, "")
	f.write(t, l.slowly(0, 100, ""))
	p := l.shifting(t, f)
	if r := l.norikae(t, "abort", "--rule", l.RuleARN); r.code != 0 {
		t.Fatalf("norikae abort: %d\n%s", r.code, r)
	}
	r := p.wait(t)
	if r.code == 0 {
		t.Errorf("an aborted apply succeeded:\n%s", r)
	}
	contains(t, diagnosticsOf(r).errors(), "abort")
	if w := l.weights(t, l.RuleARN); w != "100:0" {
		t.Errorf("live %s, want it as it was", w)
	}
	f.pending(t)
}

func TestARunningApplyIsApprovedFromElsewhere(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	f := l.adopted(t, "")
	steps := "step {\n    set_weight = 50\n  }\n  step {\n    approval = true\n  }\n"
	hcl := strings.NewReplacer("step_weight   = 50", "", `step_interval = "1s"`, steps).Replace(l.this(0, 100, ""))
	f.write(t, hcl)
	p := l.shifting(t, f)
	var said result
	until(t, "an approval is taken", func() bool {
		said = l.norikae(t, "approve", "--rule", l.RuleARN)
		return said.code == 0
	})
	if r := p.wait(t); r.code != 0 {
		t.Errorf("approved, and the apply failed:\n%s\n%s", r, said)
	}
	if w := l.weights(t, l.RuleARN); w != "0:100" {
		t.Errorf("live %s, declared 0:100", w)
	}
	f.empty(t)
}
