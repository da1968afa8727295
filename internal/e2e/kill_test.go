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

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/load"
)

// The sweep's shift goes from blue=9 green=1 to blue=1 green=4, in integers that no
// step uses, so that it shows whether both are remembered exactly: green's share is
// 10% and 80%.
const (
	sweepStrategy = "  strategy: {stepWeight: 25, stepInterval: 2s, bake: 2s}\n"
	sweepPoints   = 20
	// sweepSpan is less than the shift takes: four steps of at least 3 s, since settle,
	// period and delay of the lab are 1 s each, and the bake.
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
		at := sweepSpan*time.Duration(i)/sweepPoints + 20*time.Millisecond
		elsewhere, broken := i%2 == 1, i%5 == 2
		name := fmt.Sprintf("killed after %s, gone on with", at)
		if elsewhere {
			name += " elsewhere"
		}
		if broken {
			name += ", where the new cluster is broken by then"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sweepPoint(t, at, elsewhere, broken)
		})
	}
}

func sweepPoint(t *testing.T, at time.Duration, elsewhere, broken bool) {
	l := startLab(t)
	l.setWeights(t, 9, 1)
	before := len(l.calls(t))
	traffic := load.Start(load.Config{URL: l.URL, Host: l.Host, Rate: 20, Workers: 2})
	here, there := t.TempDir(), t.TempDir()
	text := l.manifest("sweep", 1, 4, sweepStrategy)

	victim := l.start(t, here, text, "shift", "-f", "-", "-o", "json")
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
	calls := l.calls(t)[before:]
	checkPath(t, l, calls, killed-before, broken)
	if c := traffic.Stop(); c.Lost != 0 || !broken && c.ServerErrors != 0 {
		t.Errorf("requests: %+v", c)
	}
}

// checkPath reads from the wire that no weight jumped: each write goes at most one step
// up from what was live, none comes down, but for the one that goes back to 9:1.
func checkPath(t *testing.T, l *lab, calls []awssim.CallEntry, killed int, broken bool) {
	t.Helper()
	live := 0
	writes := l.written(calls)
	for i, w := range writes {
		var blue, green float64
		if _, err := fmt.Sscanf(w, "%f:%f", &blue, &green); err != nil {
			t.Fatal(err)
		}
		share := 100 * green / (blue + green)
		step := slices.IndexFunc(sweepShares, func(s float64) bool { return math.Abs(s-share) < 0.01 })
		switch {
		case step < 0:
			t.Errorf("%s (%.2f%%) is no step of the shift: %v", w, share, writes)
		case broken && i == len(writes)-1:
			if w != "9:1" {
				t.Errorf("the last write is %s, want 9:1: %v", w, writes)
			}
		case step != live && step != live+1:
			t.Errorf("%s jumps from step %d to %d: %v", w, live, step, writes)
		}
		live = step
	}
	if n := len(l.written(calls[killed:])); broken && n > 2 {
		t.Errorf("a broken cluster was given traffic anew: %v", writes)
	}
}
