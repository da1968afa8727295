package lawtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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
	// prepare gives the manifest, and what the judge has to know besides.
	prepare func(l *lab) (*v1alpha1.TrafficShift, Declared)
	phase   shift.Phase // that it ends in
	goal    []Weight    // that it ends at
}

func healthyShift() doomed {
	return doomed{func(l *lab) (*v1alpha1.TrafficShift, Declared) {
		m := l.quick()
		return m, l.declared(m)
	}, shift.Succeeded, blueGreen(0, 100)}
}

func sickShift() doomed {
	return doomed{func(l *lab) (*v1alpha1.TrafficShift, Declared) {
		sick(l)
		m := l.quick()
		return m, l.declared(m)
	}, shift.RolledBack, blueGreen(100, 0)}
}

// crash kills a shift at an instant, starts it again, and checks that the whole history
// is lawful and ends as it should. It tells whether the first process was over before it
// could be killed.
func crash(t *testing.T, n int, again restart, d doomed) (over bool) {
	t.Helper()
	dir := t.TempDir()
	inWorld(t, LabPace(), nil, func(l *lab) {
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
		marked := marksLeft(before)
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
			for _, x := range trace {
				if x.Operation == "ModifyRule" && x.Caller == "AKIASECOND" && !parseWrite(&x).split.equal(l.split(blueGreen(100, 0)...)) {
					l.t.Errorf("killed at instant %d while rolling back, started %s: went forward again", n, again.name)
				}
			}
		}
		if left := marksLeft(trace); left {
			l.t.Errorf("killed at instant %d at %s, started %s: the mark is still there", n, at, again.name)
		}
	})
	return over
}

// marksLeft follows the tags to the end of a trace.
func marksLeft(trace []Exchange) bool {
	left := false
	for _, x := range trace {
		switch {
		case !x.OK() && !x.Unknown():
		case x.Operation == "RemoveTags":
			left = false
		case x.Operation == "AddTags" || x.Operation == "CreateRule":
			left = left || readMark(x.In.List("Tags")).owner != ""
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
					over = crash(t, n, way, healthyShift()) || over
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

// TestCrashSweepOfARollback does the same to a shift that fails at its first step, every
// state in every way.
func TestCrashSweepOfARollback(t *testing.T) {
	for i, way := range restarts() {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			stride := stride(2, 24)
			n := 1 + i%2
			for !crash(t, n, way, sickShift()) {
				n += stride
			}
			t.Logf("killed up to instant %d, at every %d of them", n-1, stride)
		})
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
		"the rule is created first": {inTwoSteps(func(l *lab, m *v1alpha1.TrafficShift, d *Declared) {
			m.Spec.Route.ALB.Rule.Priority = 5
			d.From = l.split(blueGreen(100, 0)...)
		}), shift.Succeeded, nil},
		"nothing forwards before": {inTwoSteps(func(_ *lab, m *v1alpha1.TrafficShift, d *Declared) {
			m.Spec.Route.ALB.Rule = &v1alpha1.ALBRule{Priority: 20, Hosts: []string{"new.example.com"}}
			d.From = Split{}
		}), shift.Succeeded, nil},
		"the conditions change first": {inTwoSteps(func(l *lab, m *v1alpha1.TrafficShift, _ *Declared) {
			otherHost(l)
			m.Spec.Route.ALB.Adopt = true
		}), shift.Succeeded, blueGreen(0, 100)},
		"the old group leaves": {inTwoSteps(func(l *lab, m *v1alpha1.TrafficShift, _ *Declared) {
			m.Spec.Destinations = l.Manifest(Weight{"green", 100}).Spec.Destinations
		}), shift.Succeeded, []Weight{{"green", 100}}},
		"the default action": {inTwoSteps(func(l *lab, m *v1alpha1.TrafficShift, _ *Declared) {
			l.forwardByDefault(100, 0)
			m.Spec.Route.ALB = &v1alpha1.ALBRoute{ListenerARN: l.Listener, Default: true}
		}), shift.Succeeded, nil},
	} {
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
