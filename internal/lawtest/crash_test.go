package lawtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/store/file"
)

// journal is a journal's bytes in memory, written and read in the file store's format:
// fsync would make a sweep slow. It outlives its process, as a file does.
type journal struct {
	dir string

	mu    sync.Mutex
	bytes []byte
}

func (j *journal) Save(_ context.Context, s shift.State) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.bytes = append(append(j.bytes, b...), '\n')
	return nil
}

// Load reads as the file store does.
func (j *journal) Load(context.Context) (shift.State, bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	path := filepath.Join(j.dir, "journal")
	if err := os.WriteFile(path, j.bytes, 0o600); err != nil {
		return shift.State{}, false, err
	}
	return file.Last(path)
}

// cut to a share of its bytes.
func (j *journal) cut(n int) *journal {
	return &journal{dir: j.dir, bytes: bytes.Clone(j.bytes[:min(n, len(j.bytes))])}
}

// restart is how a killed process is started again.
type restart struct {
	name    string
	machine string
	keep    func(j *journal, n int) *journal // what is left of the journal after instant n
}

func restarts() []restart {
	whole := func(j *journal, _ int) *journal { return j }
	none := func(j *journal, _ int) *journal { return j.cut(0) }
	torn := func(j *journal, n int) *journal { return j.cut(len(j.bytes) * (n * 37 % 100) / 100) }
	return []restart{
		{"elsewhere, without the journal", "m2", none},
		{"here, with the journal", "m1", whole},
		{"here, with a part of the journal", "m1", torn},
		{"here, without the journal", "m1", none},
		{"elsewhere, with the journal", "m2", whole},
	}
}

// doomed is a shift that is killed and started again.
type doomed struct {
	ground Ground
	// prepare gives the manifest, and what the judge has to know besides.
	prepare func(l *lab) (*v1alpha1.TrafficShift, Declared)
	phase   shift.Phase // that it ends in
	goal    []Weight    // that it ends at
}

func healthyShift(g Ground) doomed {
	return doomed{g, func(l *lab) (*v1alpha1.TrafficShift, Declared) {
		m := l.quick()
		return m, l.declared(m)
	}, shift.Succeeded, blueGreen(0, 100)}
}

func sickShift(g Ground) doomed {
	return doomed{g, func(l *lab) (*v1alpha1.TrafficShift, Declared) {
		sick(l)
		m := l.quick()
		if g == OnNLB { // half of a tenth is too little to be told from the level before
			m.Spec.Strategy.StepWeight = 30
		}
		return m, l.declared(m)
	}, shift.RolledBack, blueGreen(100, 0)}
}

// crash kills a shift at an instant, starts it again, and checks that the whole history
// is lawful and ends as it should. It tells whether the first process was over before it
// could be killed.
func crash(t *testing.T, n int, again restart, d doomed) (over bool) {
	t.Helper()
	dir := t.TempDir()
	inWorldOf(t, d.ground, LabPace(), nil, func(l *lab) {
		m, declared := d.prepare(l)
		phase, goal := d.phase, d.goal
		j := &journal{dir: dir}
		first := l.run(Setup{Manifest: m, Store: j, Die: func(i Instant) bool { return i.N == n }})
		if !first.Killed {
			over = true
			if first.Err != nil || first.Phase != phase {
				l.t.Errorf("not killed: %s %s (%s), %v", first.Phase, first.Reason, first.Message, first.Err)
			}
			return
		}
		at := l.live()
		before, err := l.Trace()
		if err != nil {
			l.t.Fatal(err)
		}
		marked := marksLeft(before, declared)
		kept := again.keep(j, n)
		last, _, err := kept.Load(l.t.Context())
		if err != nil {
			l.t.Fatal(err)
		}
		second := l.run(Setup{Manifest: m, Store: kept, Machine: again.machine, Key: "AKIASECOND"})
		if second.Err != nil || second.Phase != phase {
			l.t.Errorf("killed at instant %d at %s, started %s: %s %s, %v", n, at, again.name, second.Phase, second.Message, second.Err)
		}
		if got := l.live(); goal != nil && !got.equal(l.split(goal...)) {
			l.t.Errorf("killed at instant %d at %s, started %s: ended at %s", n, at, again.name, got)
		}
		trace, err := l.Trace()
		if err != nil {
			l.t.Fatal(err)
		}
		for _, v := range Judge(trace, declared) {
			l.t.Errorf("killed at instant %d at %s, started %s: %s", n, at, again.name, v)
		}
		if last.Phase == shift.RollingBack && marked {
			for i, a := range acts(trace, declared) {
				if a != nil && a.write != nil && trace[i].Caller == "AKIASECOND" && !a.write.split.equal(l.split(blueGreen(100, 0)...)) {
					l.t.Errorf("killed at instant %d while rolling back, started %s: went forward again", n, again.name)
				}
			}
		}
		if marksLeft(trace, declared) {
			l.t.Errorf("killed at instant %d at %s, started %s: the mark is still there", n, at, again.name)
		}
	})
	return over
}

// marksLeft tells whether a trace ends with a mark on the route.
func marksLeft(trace []Exchange, d Declared) bool {
	left := false
	for i, a := range acts(trace, d) {
		switch {
		case a == nil || a.marking == nil || !trace[i].OK() && !trace[i].Unknown():
		case a.marking.adds:
			left = left || a.marking.owner != ""
		default:
			left = false
		}
	}
	return left
}

// TestCrashSweep kills a shift in ten steps before and after every API call and every
// write of its journal. The instant after one is the state before the next, so that two
// ways of starting again are tried on every state, and all of them in turn.
func TestCrashSweep(t *testing.T) {
	const lanes = 8
	stride := stride(1, 31)
	ways := restarts()
	for lane := range lanes {
		t.Run(fmt.Sprintf("lane %d", lane), func(t *testing.T) {
			t.Parallel()
			killed := 0
			for n := 1 + lane*stride; ; n += lanes * stride {
				tried := []restart{ways[n%2]}
				if n%10 >= 8 {
					tried[0] = ways[2+n/10%3]
				}
				if full() {
					tried = ways
				}
				over := false
				for _, way := range tried {
					over = crash(t, n, way, healthyShift(OnALB)) || over
				}
				if over {
					break
				}
				killed++
			}
			t.Logf("killed at %d instants, every %d of them in all lanes", killed, stride)
		})
	}
}

// TestCrashSweepOfNLBsAndNames does the same on the other grounds, in fewer ways: the
// whole journal or none, here or elsewhere.
func TestCrashSweepOfNLBsAndNames(t *testing.T) {
	const lanes = 4
	ways := slices.DeleteFunc(restarts(), func(r restart) bool { return strings.Contains(r.name, "part") })
	for _, g := range only(OnNLB, OnDNS) {
		stride := stride(5, 131)
		for lane := range lanes {
			t.Run(fmt.Sprintf("%s, lane %d", g, lane), func(t *testing.T) {
				t.Parallel()
				killed := 0
				for n := 1 + lane*stride; ; n += lanes * stride {
					tried := []restart{ways[n/stride%len(ways)]}
					if full() {
						tried = ways
					}
					over := false
					for _, way := range tried {
						over = crash(t, n, way, healthyShift(g)) || over
					}
					if over {
						break
					}
					killed++
				}
				t.Logf("killed at %d instants, every %d of them in all lanes", killed, stride)
			})
		}
	}
}

// TestCrashSweepOfARollback kills a shift that fails at its first step, in every state and
// every way; with aliases as well, whose steps are long.
func TestCrashSweepOfARollback(t *testing.T) {
	for _, g := range grounds() {
		for i, way := range restarts() {
			t.Run(fmt.Sprintf("%s, %s", g, way.name), func(t *testing.T) {
				t.Parallel()
				step := stride(2, 24)
				if g != OnALB {
					step = stride(13, 83)
				}
				n := 1 + i*7%step
				for !crash(t, n, way, sickShift(g)) {
					n += step
				}
				t.Logf("killed up to instant %d, at every %d of them", n-1, step)
			})
		}
	}
}

// TestCrashSweepOfOtherShifts kills shifts that do more than move weights, once in every
// state: the instant after a call is the one before the next.
func TestCrashSweepOfOtherShifts(t *testing.T) {
	inTwoSteps := func(change func(l *lab, m *v1alpha1.TrafficShift, d *Declared)) func(l *lab) (*v1alpha1.TrafficShift, Declared) {
		return func(l *lab) (*v1alpha1.TrafficShift, Declared) {
			m := l.quick()
			m.Spec.Strategy.StepWeight = 50
			d := Declared{}
			change(l, m, &d)
			out := l.declared(m)
			out.From = d.From
			return m, out
		}
	}
	for name, d := range map[string]doomed{
		"the rule is created first": {OnALB, inTwoSteps(func(l *lab, m *v1alpha1.TrafficShift, d *Declared) {
			m.Spec.Route.ALB.Rule.Priority = 5
			d.From = l.split(blueGreen(100, 0)...)
		}), shift.Succeeded, nil},
		"nothing forwards before": {OnALB, inTwoSteps(func(_ *lab, m *v1alpha1.TrafficShift, d *Declared) {
			m.Spec.Route.ALB.Rule = &v1alpha1.ALBRule{Priority: 20, Hosts: []string{"new.example.com"}}
			d.From = Split{}
		}), shift.Succeeded, nil},
		"the conditions change first": {OnALB, inTwoSteps(func(l *lab, m *v1alpha1.TrafficShift, _ *Declared) {
			otherHost(l)
			m.Spec.Route.ALB.Adopt = true
		}), shift.Succeeded, blueGreen(0, 100)},
		"the old group leaves": {OnALB, inTwoSteps(func(l *lab, m *v1alpha1.TrafficShift, _ *Declared) {
			m.Spec.Destinations = l.Manifest(Weight{"green", 100}).Spec.Destinations
		}), shift.Succeeded, []Weight{{"green", 100}}},
		"the default action": {OnALB, inTwoSteps(func(l *lab, m *v1alpha1.TrafficShift, _ *Declared) {
			l.forwardByDefault(100, 0)
			m.Spec.Route.ALB = &v1alpha1.ALBRoute{ListenerARN: l.Listener, Default: true}
		}), shift.Succeeded, nil},
		"the old group leaves an NLB": {OnNLB, inTwoSteps(func(l *lab, m *v1alpha1.TrafficShift, _ *Declared) {
			m.Spec.Destinations = l.Manifest(Weight{"green", 100}).Spec.Destinations
		}), shift.Succeeded, []Weight{{"green", 100}}},
		"the old record is not declared": {OnDNS, inTwoSteps(func(l *lab, m *v1alpha1.TrafficShift, _ *Declared) {
			m.Spec.Destinations = l.Manifest(Weight{"green", 100}).Spec.Destinations
		}), shift.Succeeded, blueGreen(0, 100)},
		"aliases": {OnAliases, inTwoSteps(func(*lab, *v1alpha1.TrafficShift, *Declared) {}), shift.Succeeded, blueGreen(0, 100)},
	} {
		if !slices.Contains(grounds(), d.ground) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stride := stride(2, 34)
			n := 1
			for !crash(t, n, restarts()[n/2%len(restarts())], d) {
				n += stride
			}
			t.Logf("killed up to instant %d, at every %d of them", n-1, stride)
		})
	}
}
