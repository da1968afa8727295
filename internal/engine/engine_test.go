package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/store/memory"
	"github.com/norikae/norikae/internal/traffic"
)

// route is a Router in memory with real behaviour: the marks and weights that it holds
// are what its methods were given. fail may refuse a call before or after its effect.
type route struct {
	mu     sync.Mutex
	live   shift.Live
	mark   *shift.Mark
	writes []traffic.Split
	calls  []string
	fail   func(call string, n int) (before, after error)
}

func (r *route) do(call string, effect func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, call)
	var before, after error
	if r.fail != nil {
		before, after = r.fail(call, len(r.calls))
	}
	if before == nil && effect != nil {
		effect()
	}
	return errors.Join(before, after)
}

func (r *route) Preflight(context.Context) ([]string, error) { return nil, r.do("Preflight", nil) }
func (r *route) Observe(context.Context) (l shift.Live, err error) {
	err = r.do("Observe", func() { l = r.live })
	return l, err
}

func (r *route) Create(_ context.Context, s traffic.Split, m shift.Mark) error {
	return r.do("Create", func() {
		r.live, r.mark = shift.Live{Exists: true, Conforms: true, Split: s}, &m
		r.writes = append(r.writes, s)
	})
}

func (r *route) Write(_ context.Context, s traffic.Split) error {
	return r.do("Write", func() { r.live.Split, r.live.Conforms, r.writes = s, true, append(r.writes, s) })
}

func (r *route) Mark(context.Context) (m shift.Mark, ok bool, err error) {
	err = r.do("Mark", func() {
		if r.mark != nil {
			m, ok = *r.mark, true
		}
	})
	return m, ok, err
}

func (r *route) SetMark(_ context.Context, m shift.Mark) error {
	return r.do("SetMark", func() {
		if r.mark != nil {
			m.Signal = r.mark.Signal
		}
		r.mark = &m
	})
}

func (r *route) Renew(_ context.Context, l shift.Lease) error {
	return r.do("Renew", func() { r.mark.Lease = l })
}

func (r *route) ClearMark(context.Context) error { return r.do("ClearMark", func() { r.mark = nil }) }

func (r *route) SetSignal(_ context.Context, s shift.Signal) error {
	return r.do("SetSignal", func() { r.mark.Signal = s })
}

func (r *route) Health(_ context.Context, ids []string) (map[string]shift.Health, error) {
	h := map[string]shift.Health{}
	for _, id := range ids {
		h[id] = shift.Health{Healthy: 2, Total: 2}
	}
	return h, r.do("Health", nil)
}

// judge is an Analyzer whose first measurement of any weights is complete after window;
// bad tells which splits fail.
type judge struct {
	window time.Duration
	bad    func(traffic.Split) bool
}

func (j judge) Preflight(context.Context, analysis.Request) error { return nil }
func (j judge) Analyze(_ context.Context, req analysis.Request) analysis.Report {
	due := req.Since.Add(j.window)
	switch {
	case req.Now.Before(due):
		return analysis.Report{Verdict: analysis.Inconclusive, Next: due}
	case j.bad != nil && j.bad(req.Live):
		return analysis.Report{Verdict: analysis.Failed, Message: "errors 5 > 1", Next: req.Now.Add(j.window)}
	}
	return analysis.Report{Verdict: analysis.Successful, Next: req.Now.Add(j.window), Metrics: []analysis.MetricReport{{Name: "errors", Passed: 1}}}
}

// drift is somebody else's write.
func (r *route) drift(s traffic.Split) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live.Split = s
}

func ab(a, b int) traffic.Split { return traffic.Split{{ID: "a", Weight: a}, {ID: "b", Weight: b}} }

func newRoute() *route {
	return &route{live: shift.Live{Exists: true, Conforms: true, Split: ab(100, 0)}}
}

func tenSteps() shift.Spec {
	spec := shift.Spec{
		Name: "web", Route: "r", Bake: 5 * time.Minute, OnFailure: shift.Rollback, OnDrift: shift.Hold, OnInterrupt: shift.Rollback,
		Destinations: []shift.Destination{{Name: "a", ID: "a", Weight: 0}, {Name: "b", ID: "b", Weight: 100}},
		MaxHold:      10 * time.Minute, RollbackTimeout: 15 * time.Minute,
		Timing: analysis.Timing{Settle: 10 * time.Second, Period: time.Minute, Delay: time.Minute},
		Limits: traffic.Limits{MaxWeight: 999, MaxDestinations: 5},
	}
	for p := 10; p <= 100; p += 10 {
		spec.Steps = append(spec.Steps, shift.Step{Percent: p, Hold: 5 * time.Minute})
	}
	return spec
}

func newEngine(t *testing.T, r Router, owner string, change func(*Config)) *Engine {
	t.Helper()
	cfg := Config{Spec: tenSteps(), Router: r, Analyzer: judge{window: 2 * time.Minute}, Store: &memory.Store{}, Owner: owner}
	if change != nil {
		change(&cfg)
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAShiftEndsAtTheDeclaredWeightsInItsIdealTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoute()
		start := time.Now()
		res, err := newEngine(t, r, "m/1/x", nil).Run(t.Context())
		if err != nil || res.Phase != shift.Succeeded || !r.live.Split.Equal(ab(0, 100)) || r.mark != nil {
			t.Fatalf("%+v, %v; live %s, mark %v", res, err, r.live.Split, r.mark)
		}
		if len(r.writes) != 10 {
			t.Errorf("%d writes, want 10: %v", len(r.writes), r.writes)
		}
		ideal := 10*5*time.Minute + 5*time.Minute
		if took := time.Since(start); took < ideal || took > ideal*102/100 {
			t.Errorf("took %s, ideal %s", took, ideal)
		}
		before := len(r.writes)
		res, err = newEngine(t, r, "m/2/x", nil).Run(t.Context())
		if err != nil || res.Reason != "Settled" || len(r.writes) != before || slices.Contains(r.calls[len(r.calls)-3:], "SetMark") {
			t.Errorf("the settled route was touched: %+v, %v, %v", res, err, r.calls)
		}
	})
}

func TestABadStepGoesBackWithOneWriteAtOnce(t *testing.T) {
	for failAt := 10; failAt <= 100; failAt += 10 {
		t.Run(fmt.Sprint(failAt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoute()
				e := newEngine(t, r, "m/1/x", func(c *Config) {
					c.Analyzer = judge{window: 2 * time.Minute, bad: func(s traffic.Split) bool { return s.Weight("b") >= failAt }}
				})
				res, err := e.Run(t.Context())
				if err != nil || res.Phase != shift.RolledBack || res.Reason != "AnalysisFailed" || !r.live.Split.Equal(ab(100, 0)) {
					t.Fatalf("%+v, %v; live %s", res, err, r.live.Split)
				}
				if n := len(r.writes); n != failAt/10+1 || !r.writes[n-1].Equal(ab(100, 0)) {
					t.Errorf("writes %v, want %d forward and one back", r.writes, failAt/10)
				}
			})
		})
	}
}

func TestS14AnInterruptRollsBackEvenThoughTheContextIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoute()
		ctx, cancel := context.WithTimeout(t.Context(), 17*time.Minute)
		defer cancel()
		res, err := newEngine(t, r, "m/1/x", nil).Run(ctx)
		if err != nil || res.Phase != shift.RolledBack || res.Reason != "Interrupted" || !r.live.Split.Equal(ab(100, 0)) {
			t.Fatalf("%+v, %v; live %s", res, err, r.live.Split)
		}
	})
}

func TestS13ARollbackIsRetriedUntilItLands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoute()
		var down time.Time
		r.fail = func(call string, _ int) (error, error) {
			if call == "Write" && r.live.Split.Weight("b") == 30 {
				if down.IsZero() {
					down = time.Now()
				}
				if time.Since(down) < 10*time.Minute {
					return errors.New("ExpiredToken"), nil
				}
			}
			return nil, nil
		}
		e := newEngine(t, r, "m/1/x", func(c *Config) {
			c.Analyzer = judge{window: 2 * time.Minute, bad: func(s traffic.Split) bool { return s.Weight("b") == 30 }}
		})
		res, err := e.Run(t.Context())
		if err != nil || res.Phase != shift.RolledBack || !r.live.Split.Equal(ab(100, 0)) {
			t.Fatalf("%+v, %v; live %s", res, err, r.live.Split)
		}
	})
}

func TestARollbackThatNeverLandsIsUnconfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoute()
		r.fail = func(call string, _ int) (error, error) {
			if call == "Write" && r.live.Split.Weight("b") == 30 {
				return errors.New("503"), nil
			}
			return nil, nil
		}
		e := newEngine(t, r, "m/1/x", func(c *Config) {
			c.Analyzer = judge{window: 2 * time.Minute, bad: func(s traffic.Split) bool { return s.Weight("b") == 30 }}
		})
		res, err := e.Run(t.Context())
		if err != nil || res.Phase != shift.Unconfirmed || !res.Live.Equal(ab(70, 30)) {
			t.Fatalf("%+v, %v; live %s", res, err, r.live.Split)
		}
		if r.mark == nil {
			t.Error("the mark is gone, but the shift is not over")
		}
	})
}

// TestCrashAtEveryCall kills the engine before and after every call of a shift, and
// starts it again on another machine, without the journal.
func TestCrashAtEveryCall(t *testing.T) {
	type killed struct{}
	short := func(c *Config) { // long enough for renewals, looks and a bake; 10 steps are swept on the wire
		c.Spec.Steps = []shift.Step{{Percent: 10, Hold: 30 * time.Second}, {Percent: 20}, {Percent: 30}, {Percent: 100, Hold: time.Minute}}
		c.Spec.Bake = 30 * time.Second
		c.Analyzer = judge{window: 15 * time.Second}
	}
	for n := 1; ; n++ {
		over := false
		for _, after := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				r := newRoute()
				r.fail = func(_ string, i int) (error, error) {
					if i == n && !after {
						panic(killed{})
					}
					return nil, nil
				}
				func() {
					defer func() {
						if p := recover(); p != nil {
							if _, ok := p.(killed); !ok {
								panic(p)
							}
							r.mu.TryLock()
							r.mu.Unlock()
						}
					}()
					if after { // the effect took place, and nobody heard of it
						r.fail = func(_ string, i int) (error, error) {
							if i == n+1 {
								panic(killed{})
							}
							return nil, nil
						}
					}
					_, err := newEngine(t, r, "m1/1/x", short).Run(t.Context())
					over = err == nil
				}()
				r.fail = nil
				reached := r.live.Split
				res, err := newEngine(t, r, "m2/1/x", short).Run(t.Context())
				if err != nil || res.Phase != shift.Succeeded || !r.live.Split.Equal(ab(0, 100)) || r.mark != nil {
					t.Fatalf("killed at call %d (%v) at %s: %+v, %v; live %s", n, after, reached, res, err, r.live.Split)
				}
				for i := 1; i < len(r.writes); i++ {
					if d := r.writes[i].Weight("b") - r.writes[i-1].Weight("b"); d < 0 || d > 10 && d != 70 {
						t.Fatalf("killed at call %d: jumped: %v", n, r.writes)
					}
				}
			})
		}
		if over {
			t.Logf("killed at each of %d calls", n-1)
			return
		}
	}
}

func TestTwoRunsRaceAndTheLoserStopsBeforeAWeightWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoute()
		var wg sync.WaitGroup
		results := make([]error, 2)
		phases := make([]shift.Phase, 2)
		for i, owner := range []string{"m1/1/x", "m2/1/x"} {
			wg.Go(func() {
				res, err := newEngine(t, r, owner, nil).Run(t.Context())
				results[i], phases[i] = err, res.Phase
			})
		}
		wg.Wait()
		won := 0
		for i := range results {
			if phases[i] == shift.Succeeded {
				won++
			} else if !errors.Is(results[i], fault.ErrConflict) {
				t.Errorf("run %d: %v %v", i, phases[i], results[i])
			}
		}
		if won == 0 || len(r.writes) != 10 {
			t.Errorf("%d won, %d writes: %v", won, len(r.writes), r.writes)
		}
	})
}

func TestADriftIsHeldAndNamedAndNotFought(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoute()
		go func() {
			time.Sleep(12 * time.Minute)
			r.drift(ab(13, 87))
		}()
		res, err := newEngine(t, r, "m/1/x", nil).Run(t.Context())
		if err != nil || res.Phase != shift.Held || !r.live.Split.Equal(ab(13, 87)) {
			t.Fatalf("%+v, %v; live %s", res, err, r.live.Split)
		}
	})
}
