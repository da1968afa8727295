package e2e

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/load"
)

// The sweep's shift goes from blue=9 green=1 to blue=1 green=4, in integers that no
// step uses, so that it shows whether both are remembered exactly: green's share is
// 10% and 80%.
const (
	sweepStrategy = "  strategy: {stepWeight: 25, stepInterval: 2s, bake: 4s}\n"
	sweepPoints   = 20
	sweepBaking   = 4 // of the points, those in the bake
	// sweepSpan is less than the steps take: four of at least 3 s, since settle, period
	// and delay of the lab are 1 s each, and the alignment to periods.
	sweepSpan = 13 * time.Second
)

// sweepShares are green's, in percent, before the first step and after each.
var sweepShares = []float64{10, 27.5, 45, 62.5, 80}

// Each point has a lab of its own. Half of the shifts are taken up by another process
// on the same machine, which may go on at once because the journal's lock is free; half
// by another machine (a state directory of its own), which waits for the lease to end.
// Of both, every fifth finds the new cluster broken and must go back to where the first
// process, now dead, had started.
func TestAShiftThatIsKilledAnywhereIsFinishedByAnotherProcess(t *testing.T) {
	t.Parallel()
	for i := range sweepPoints {
		const steps = sweepPoints - sweepBaking
		at, baking := sweepSpan*time.Duration(i)/steps+20*time.Millisecond, i >= steps
		name := fmt.Sprintf("killed after %s, gone on with", at)
		if baking {
			at = 3 * time.Second * time.Duration(i-steps) / sweepBaking
			name = fmt.Sprintf("killed %s into the bake, gone on with", at)
		}
		elsewhere, broken := i%2 == 1, i%5 == 2
		if elsewhere {
			name += " elsewhere"
		}
		if broken {
			name += ", where the new cluster is broken by then"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sweepPoint(t, at, baking, elsewhere, broken)
		})
	}
}

func sweepPoint(t *testing.T, at time.Duration, baking, elsewhere, broken bool) {
	l := startLab(t)
	l.setWeights(t, 9, 1)
	before := len(l.calls(t))
	traffic := load.Start(load.Config{URL: l.URL, Host: l.Host, Rate: 20, Workers: 2})
	here, there := t.TempDir(), t.TempDir()
	text := l.manifest("sweep", 1, 4, sweepStrategy)

	victim := l.start(t, here, text, "shift", "-f", "-", "-o", "json")
	if baking {
		until(t, "it bakes", func() bool { return strings.Contains(victim.out.String(), `"phase":"Baking"`) })
	}
	time.Sleep(at)
	victim.signal(syscall.SIGKILL)
	if res := victim.wait(t); res.code != -1 {
		t.Fatalf("it had ended by itself with code %d:\n%s%s", res.code, res.stdout, res.stderr)
	}
	killed := len(l.calls(t))
	mid := l.weights(t)
	if tags := l.tags(t); mid["green"] != 1 && (!strings.HasPrefix(tags["norikae.dev/from-1"], "9 ") || !strings.HasPrefix(tags["norikae.dev/from-2"], "1 ")) {
		t.Errorf("killed at %v, and From is not on the rule: %v", mid, tags)
	}
	code, want := 0, map[string]int{"blue": 1, "green": 4}
	if broken {
		l.fault(t, `{"kind":"target","targetGroup":"green","failRate":1}`)
		code, want = 2, map[string]int{"blue": 9, "green": 1}
	}
	state := here
	if elsewhere {
		state = there
	}
	began := time.Now()
	res := l.exec(t, state, text, "shift", "-f", "-", "-o", "json")
	took := time.Since(began)
	if res.code != code {
		t.Errorf("the second process ended with code %d, want %d:\n%s%s", res.code, code, res.stdout, res.stderr)
	}
	if got := l.weights(t); !maps.Equal(got, want) {
		t.Errorf("it ended at %v, want %v", got, want)
	}
	if limit := 25 * time.Second; !elsewhere && took > limit {
		t.Errorf("on the same machine it took %s, want less than %s: it waited for its own dead lease", took, limit)
	}
	l.noMark(t)
	calls := l.calls(t)
	for _, jump := range jumps(l.written(calls[before:]), broken) {
		t.Errorf("%s; all writes: %v", jump, l.written(calls[before:]))
	}
	if later := l.written(calls[killed:]); broken && len(later) > 2 {
		t.Errorf("a broken cluster was given traffic anew: %v", later)
	}
	if c := traffic.Stop(); c.Lost != 0 || !broken && c.ServerErrors != 0 {
		t.Errorf("requests: %+v", c)
	}
}

// A rollback that AWS refuses for a while is killed with the process that drove it. On
// the same machine the journal knows that it had begun, even when the new cluster is
// well again by then; on another the verdict is found anew.
func TestARollbackThatIsKilledIsCarriedOutByAnotherProcess(t *testing.T) {
	t.Parallel()
	for name, elsewhere := range map[string]bool{"on the same machine, the new cluster well again": false, "on another machine": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, state := startLab(t), t.TempDir()
			l.setWeights(t, 9, 1)
			l.send(t)
			text := l.manifest("sweep", 1, 4, sweepStrategy)
			victim := l.start(t, state, text, "shift", "-f", "-", "-o", "json")
			until(t, "it shifts", func() bool { return strings.Contains(victim.out.String(), `"kind":"written"`) })
			l.fault(t, `{"kind":"throttle","operation":"ModifyRule"}`)
			l.fault(t, `{"kind":"target","targetGroup":"green","failRate":1}`)
			until(t, "it rolls back", func() bool { return strings.Contains(victim.out.String(), `"phase":"RollingBack"`) })
			victim.signal(syscall.SIGKILL)
			victim.wait(t)
			if w := l.weights(t); w["green"] == 1 {
				t.Fatalf("live %v: it was rolled back before it was killed", w)
			}
			killed := len(l.calls(t))
			l.clearFaults(t)
			if elsewhere {
				state = t.TempDir()
				l.fault(t, `{"kind":"target","targetGroup":"green","failRate":1}`)
			}
			res := l.exec(t, state, text, "resume", "-f", "-", "-o", "json")
			if got, want := l.weights(t), map[string]int{"blue": 9, "green": 1}; res.code != 2 || !maps.Equal(got, want) {
				t.Errorf("code %d at %v, want 2 at %v\n%s%s", res.code, got, want, res.stdout, res.stderr)
			}
			if w := l.written(l.calls(t)[killed:]); !slices.Equal(w, []string{"9:1"}) {
				t.Errorf("writes %v, want one that goes back", w)
			}
			l.noMark(t)
		})
	}
}

// jumps lists the writes (blue:green) that the sweep's shift may not make: each goes at
// most one step up from what was live, and none comes down, but for the last one of a
// rollback, which goes back to 9:1.
func jumps(writes []string, rolledBack bool) []string {
	var out []string
	live := 0
	for i, w := range writes {
		var blue, green float64
		if _, err := fmt.Sscanf(w, "%f:%f", &blue, &green); err != nil {
			return append(out, fmt.Sprintf("%s: %v", w, err))
		}
		share := 100 * green / (blue + green)
		step := slices.IndexFunc(sweepShares, func(s float64) bool { return math.Abs(s-share) < 0.01 })
		switch {
		case rolledBack && i == len(writes)-1:
			if w != "9:1" {
				out = append(out, w+" is the last write of a rollback to 9:1")
			}
		case step < 0:
			out = append(out, fmt.Sprintf("%s (%.2f%%) is no step of the shift", w, share))
			continue
		case step != live && step != live+1:
			out = append(out, fmt.Sprintf("%s goes from step %d to %d", w, live, step))
		}
		live = step
	}
	if n := len(writes); !rolledBack && (n == 0 || writes[n-1] != "1:4") {
		out = append(out, "the last write is not 1:4")
	}
	return out
}

func TestTheSweepSeesJumps(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		writes     string
		rolledBack bool
		want       string // "": nothing wrong
	}{
		"every step once":               {"145:55 55:45 75:125 1:4", false, ""},
		"a step written again":          {"145:55 145:55 55:45 75:125 1:4", false, ""},
		"back after two steps":          {"145:55 55:45 9:1", true, ""},
		"a step left out":               {"145:55 75:125 1:4", false, "75:125 goes from step 1 to 3"},
		"a way back that goes on":       {"145:55 55:45 145:55 55:45 75:125 1:4", false, "145:55 goes from step 2 to 1"},
		"weights of no step":            {"50:50 145:55 55:45 75:125 1:4", false, "50:50 (50.00%) is no step of the shift"},
		"the goal in other integers":    {"145:55 55:45 75:125 20:80", false, "the last write is not 1:4"},
		"From in other integers":        {"145:55 90:10", true, "90:10 is the last write of a rollback to 9:1"},
		"a rollback by way of a step":   {"145:55 55:45 145:55 9:1", true, "145:55 goes from step 2 to 1"},
		"zeros instead of From":         {"145:55 1:0", true, "1:0 is the last write of a rollback to 9:1"},
		"an advance before going back":  {"145:55 75:125 9:1", true, "75:125 goes from step 1 to 3"},
		"the whole way at once, at 1:4": {"1:4", false, "1:4 goes from step 0 to 4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := strings.Join(jumps(strings.Fields(tc.writes), tc.rolledBack), "; "); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
