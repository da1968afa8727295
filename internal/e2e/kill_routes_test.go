package e2e

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/awssim"
)

// The other routes die at a few points, and are always taken up by another machine, which
// knows nothing but what the route says and waits for the lease to end.
func TestAShiftOfEveryRouteThatIsKilledIsFinishedElsewhere(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*testing.T) (site, *near){
		"an NLB": func(t *testing.T) (site, *near) {
			n := network{startNear(t, awssim.WorldNLB)}
			n.set(t, 9, 1)
			return n, n.near
		},
		"a DNS name": func(t *testing.T) (site, *near) {
			a := newAddress(t, 9, 1)
			return a, a.near
		},
	} {
		for when, tc := range map[string]death{
			"as soon as it may have begun":                {says: `"kind":"started"`},
			"in its first step":                           {says: `"kind":"written"`, after: time.Second},
			"in its second step, green broken by then":    {says: `"step":1`, after: time.Second, broken: true},
			"in its third step":                           {says: `"step":2`, after: 500 * time.Millisecond},
			"in its bake":                                 {says: `"phase":"Baking"`, after: time.Second},
			"while it drains":                             {says: `"phase":"Draining"`, after: time.Second, drains: true},
			"while it drains, where green breaks by then": {says: `"phase":"Draining"`, after: time.Second, drains: true, broken: true},
		} {
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				s, n := begin(t)
				tc.of(t, s, n)
			})
		}
	}
}

// death of a process by kill -9.
type death struct {
	says   string        // when it has said this
	after  time.Duration // and so much later
	broken bool          // green is, before another process goes on
	drains bool          // the shift is one that leaves nothing to blue, and so waits for its connections
}

func (d death) of(t *testing.T, s site, n *near) {
	t.Helper()
	feed(t, s)
	began := len(n.calls(t))
	code, blue, green, text := 0, 1, 4, s.declare(1, 4, sweepStrategy)
	if d.drains {
		blue, green, text = 0, 100, s.declare(0, 100, "  strategy: {stepWeight: 50, bake: 1s, stepInterval: 1s, drain: {duration: 5s}}\n")
	}
	victim := n.start(t, t.TempDir(), text, "shift", "-f", "-", "-o", "json")
	until(t, "it says "+d.says, victim.says(t, d.says))
	time.Sleep(d.after)
	victim.signal(syscall.SIGKILL)
	if res := victim.wait(t); res.code != -1 {
		t.Fatalf("it had ended by itself with code %d:\n%s%s", res.code, res.stdout, res.stderr)
	}
	killed := len(n.calls(t))
	if left := s.marked(t); s.live(t)["green"] != 1 && (!strings.Contains(left, "from-1=9 ") || !strings.Contains(left, "from-2=1 ")) {
		t.Errorf("killed at %v, and From is not on the route:\n%s", s.live(t), left)
	}
	if d.broken {
		s.spoil(t)
		code, blue, green = 2, 9, 1
	}
	res := n.exec(t, t.TempDir(), text, "shift", "-f", "-", "-o", "json")
	if res.code != code {
		t.Errorf("the second process ended with code %d, want %d:\n%s%s", res.code, code, res.stdout, res.stderr)
	}
	settled(t, s, blue, green)
	all := n.calls(t)
	later := written(s, all[killed:])
	switch {
	case d.broken && !slices.Equal(later, []string{"9:1"}):
		t.Errorf("a broken cluster was given traffic anew: %v", later)
	case d.drains && !d.broken && len(later) > 0:
		t.Errorf("what drains was written: %v", later)
	case d.drains && !d.broken:
		drainedFor(t, res.stdout, 3*time.Second)
	case !d.drains:
		for _, jump := range jumps(written(s, all[began:]), d.broken) {
			t.Errorf("%s; all writes: %v", jump, written(s, all[began:]))
		}
	}
}

// feed a route with traffic until the test ends: a little, for there to be data to judge by.
func feed(t *testing.T, s site) {
	t.Helper()
	switch s := s.(type) {
	case network:
		newFlows(t, s.URL).come(20)
	case address:
		s.resolvers(t).browse(t, s.URL, 20)
	default:
		t.Fatalf("no traffic for %T", s)
	}
}
