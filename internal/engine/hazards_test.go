package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// slow is a judge that takes its time over one split, once.
type slow struct {
	judge

	once sync.Once
	at   int // weight of b
	do   func()
}

func (s *slow) Analyze(ctx context.Context, req analysis.Request) analysis.Report {
	if req.Live.Weight("b") == s.at && req.Now.Sub(req.Since) > 2*time.Minute {
		s.once.Do(s.do)
	}
	return s.judge.Analyze(ctx, req)
}

// events is a Recorder that keeps everything.
type events struct {
	mu  sync.Mutex
	all []Event
}

func (e *events) Record(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

func (e *events) written() []traffic.Split {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []traffic.Split
	for _, ev := range e.all {
		if ev.Kind == EventWritten {
			out = append(out, ev.Split)
		}
	}
	return out
}

func TestS19WeightsWrittenBetweenADecisionAndItsWriteAreNotOverwritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoute()
		e := newEngine(t, r, "m/1/x", func(c *Config) {
			c.Analyzer = &slow{judge: judge{window: 5 * time.Minute}, at: 30, do: func() {
				time.Sleep(20 * time.Second)
				r.live.Split = ab(13, 87)
			}}
			c.Spec.Steps[2].Hold = 0 // the slow answer is the one that lets it go on
		})
		res, err := e.Run(t.Context())
		if err != nil || res.Phase != shift.Held || !r.live.Split.Equal(ab(13, 87)) || len(r.writes) != 3 {
			t.Fatalf("%+v, %v; live %s, writes %v", res, err, r.live.Split, r.writes)
		}
	})
}

func TestLaw8AMachineThatSleptOverAnotherRunsEndWritesNothing(t *testing.T) {
	for _, policy := range []shift.Policy{shift.Hold, shift.Overrule, shift.Adopt} {
		t.Run(string(policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoute()
				e := newEngine(t, r, "m/1/x", func(c *Config) {
					c.Spec.OnDrift = policy
					c.Analyzer = &slow{judge: judge{window: 2 * time.Minute}, at: 30, do: func() {
						time.Sleep(time.Hour)
						r.live.Split, r.mark = ab(0, 100), nil
					}}
				})
				res, err := e.Run(t.Context())
				if err != nil || res.Phase != shift.Held || res.Reason != "LeaseLost" || len(r.writes) != 3 || r.mark != nil {
					t.Fatalf("%+v, %v; live %s, writes %v, mark %+v", res, err, r.live.Split, r.writes, r.mark)
				}
			})
		})
	}
}

func TestS15ACreationWhoseAnswerIsLostIsRecognized(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &route{live: shift.Live{Split: ab(100, 0)}}
		r.fail = func(call string, _ int) (error, error) {
			if call == "Create" {
				return nil, errors.New("timeout")
			}
			return nil, nil
		}
		res, err := newEngine(t, r, "m/1/x", nil).Run(t.Context())
		if err != nil || res.Phase != shift.Succeeded || !r.live.Split.Equal(ab(0, 100)) || r.mark != nil {
			t.Fatalf("%+v, %v; live %s", res, err, r.live.Split)
		}
	})
}

func TestS12ARouteThatSomebodyElseCreatedFirstIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &route{live: shift.Live{Split: ab(100, 0)}}
		r.fail = func(call string, _ int) (error, error) {
			if call == "Create" {
				r.live = shift.Live{Exists: true, Conforms: true, Split: ab(100, 0)}
				return errors.New("the priority is taken"), nil
			}
			return nil, nil
		}
		start := time.Now()
		res, err := newEngine(t, r, "m/1/x", nil).Run(t.Context())
		if err != nil || res.Phase != shift.Held || len(r.writes) > 0 || r.mark != nil || time.Since(start) > time.Minute {
			t.Fatalf("%+v, %v after %s; writes %v", res, err, time.Since(start), r.writes)
		}
	})
}

// late is a route whose reads show a write only some time after it was accepted.
type late struct {
	*route

	delay time.Duration
	old   shift.Live
	at    time.Time
}

func (l *late) Write(ctx context.Context, s traffic.Split) error {
	l.old, l.at = l.live, time.Now()
	return l.route.Write(ctx, s)
}

func (l *late) Observe(ctx context.Context) (shift.Live, error) {
	live, err := l.route.Observe(ctx)
	if time.Since(l.at) < l.delay {
		live = l.old
	}
	return live, err
}

func TestLaw3AWriteThatIsSeenLateIsNotWrittenTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &late{route: newRoute(), delay: 3 * time.Second}
		res, err := newEngine(t, r, "m/1/x", nil).Run(t.Context())
		if err != nil || res.Phase != shift.Succeeded || len(r.writes) != 10 {
			t.Fatalf("%+v, %v; %d writes", res, err, len(r.writes))
		}
	})
}

func TestAWriteThatNeverTakesEffectIsNotRepeatedInATightLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &late{route: newRoute(), delay: time.Hour}
		if _, err := newEngine(t, r, "m/1/x", nil).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(r.writes) > 400 { // 25 min of tries and of rolling back
			t.Errorf("%d writes", len(r.writes))
		}
	})
}

func TestC02AnApprovalIsTakenOffTheRouteAndTheNextPauseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoute()
		e := newEngine(t, r, "m/1/x", func(c *Config) { c.Spec.Steps[1].Approval, c.Spec.Steps[4].Approval = true, true })
		approve := func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.mark.Signal = shift.Signal{Kind: shift.SignalApprove, Step: -1}
		}
		look := func() (int, shift.Signal) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.live.Split.Weight("b"), r.mark.Signal
		}
		done := make(chan Result)
		go func() {
			res, err := e.Run(t.Context())
			if err != nil {
				t.Error(err)
			}
			done <- res
		}()
		for _, weight := range []int{20, 50} {
			time.Sleep(time.Hour)
			if got, _ := look(); got != weight {
				t.Fatalf("paused at %d, want %d", got, weight)
			}
			approve()
			time.Sleep(time.Minute)
			if _, word := look(); word.Kind != shift.NoSignal {
				t.Fatalf("still there: %+v", word)
			}
		}
		if res := <-done; res.Phase != shift.Succeeded {
			t.Fatalf("%+v", res)
		}
	})
}

func TestLaw6ARollbackDoesNotWaitForTags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoute()
		var failed time.Time
		r.fail = func(call string, _ int) (error, error) {
			if r.live.Split.Weight("b") == 30 && slices.Contains([]string{"Renew", "SetMark", "ClearMark"}, call) {
				return errors.New("AccessDenied: AddTags"), nil
			}
			return nil, nil
		}
		e := newEngine(t, r, "m/1/x", func(c *Config) {
			c.Analyzer = judge{window: 2 * time.Minute, bad: func(s traffic.Split) bool {
				if s.Weight("b") == 30 && failed.IsZero() {
					failed = time.Now()
				}
				return s.Weight("b") == 30
			}}
		})
		res, err := e.Run(t.Context())
		if err != nil || res.Phase != shift.RolledBack || !r.live.Split.Equal(ab(100, 0)) || time.Since(failed) > time.Minute {
			t.Fatalf("%+v, %v after %s; live %s", res, err, time.Since(failed), r.live.Split)
		}
	})
}

func TestS14AnInterruptWhileStartingLeavesNoMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoute()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond) // within the race wait
		defer cancel()
		r.fail = func(call string, _ int) (error, error) {
			if call == "Mark" && ctx.Err() != nil && len(r.calls) < 6 {
				return ctx.Err(), nil
			}
			return nil, nil
		}
		if _, err := newEngine(t, r, "m/1/x", nil).Run(ctx); err == nil || r.mark != nil || len(r.writes) > 0 {
			t.Fatalf("%v; mark %+v, writes %v; %v", err, r.mark, r.writes, r.calls)
		}
	})
}

func TestFromIsWhatIsLiveWhenTheLeaseIsOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoute()
		moved := false
		r.fail = func(call string, _ int) (error, error) {
			if call == "SetMark" && !moved {
				moved, r.live.Split = true, ab(70, 30)
			}
			return nil, nil
		}
		e := newEngine(t, r, "m/1/x", func(c *Config) {
			c.Analyzer = judge{window: 2 * time.Minute, bad: func(s traffic.Split) bool { return s.Weight("b") > 60 }}
		})
		res, err := e.Run(t.Context())
		if err != nil || res.Phase != shift.RolledBack || !res.From.Equal(ab(70, 30)) || !r.live.Split.Equal(ab(70, 30)) {
			t.Fatalf("%+v, %v; live %s", res, err, r.live.Split)
		}
	})
}

func TestTheFirstStepOfARunThatLostTheRaceIsGoneOnFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoute()
		raced := false
		r.fail = func(call string, _ int) (error, error) {
			if call == "SetMark" && !raced {
				raced, r.live.Split = true, ab(90, 10)
			}
			return nil, nil
		}
		e := newEngine(t, r, "m/1/x", func(c *Config) {
			c.Analyzer = judge{window: 2 * time.Minute, bad: func(s traffic.Split) bool { return s.Weight("b") > 60 }}
		})
		res, err := e.Run(t.Context())
		if err != nil || res.Phase != shift.RolledBack || !res.From.Equal(ab(100, 0)) || !r.live.Split.Equal(ab(100, 0)) || len(r.writes) != 7 {
			t.Fatalf("%+v, %v; live %s, writes %v", res, err, r.live.Split, r.writes)
		}
	})
}

func TestAResumeStandsWhereTheRouteIsWhenTheLeaseIsOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoute()
		r.live.Split = ab(80, 20)
		spec := tenSteps()
		r.mark = &shift.Mark{ID: "s", Name: "web", Plan: spec.Hash(), From: ab(100, 0), Started: time.Now(), Lease: shift.Lease{Owner: "other/1/x"}}
		moved := false
		r.fail = func(call string, _ int) (error, error) {
			if call == "SetMark" && !moved { // the other one's last write
				moved, r.live.Split = true, ab(70, 30)
			}
			return nil, nil
		}
		res, err := newEngine(t, r, "m/1/x", nil).Run(t.Context())
		if err != nil || res.Phase != shift.Succeeded || len(r.writes) != 7 {
			t.Fatalf("%+v, %v; writes %v", res, err, r.writes)
		}
	})
}

func TestEveryVerifiedWriteIsToldOnceWithWhatIsLive(t *testing.T) {
	for name, tc := range map[string]struct {
		live traffic.Split
		bad  int // weight of b from which on it fails
	}{
		"a shift":                       {ab(100, 0), 1000},
		"a rollback":                    {ab(100, 0), 30},
		"an attach":                     {traffic.Split{{ID: "a", Weight: 1}}, 1000},
		"a detach":                      {traffic.Split{{ID: "a", Weight: 50}, {ID: "x", Weight: 50}}, 1000},
		"the same shares, restated":     {ab(0, 5), 1000},
		"creation, and then a rollback": {nil, 30},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &route{live: shift.Live{Exists: true, Conforms: true, Split: tc.live}}
				if tc.live == nil {
					r.live = shift.Live{Split: ab(100, 0)}
				}
				var told events
				e := newEngine(t, r, "m/1/x", func(c *Config) {
					c.Recorder = &told
					c.Analyzer = judge{window: 2 * time.Minute, bad: func(s traffic.Split) bool { return s.Weight("b") >= tc.bad }}
				})
				if _, err := e.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := told.written(); !slices.EqualFunc(got, r.writes, traffic.Split.Equal) {
					t.Errorf("told %v, written %v", got, r.writes)
				}
			})
		})
	}
}

// A rollback that cannot be written, whose run is then killed: the next run, on another
// machine and on a route that looks well again, goes back all the same.
func TestL06_AFailureOutlivesTheMachineThatSawIt(t *testing.T) {
	for _, policy := range []shift.Policy{shift.Rollback, shift.Hold} {
		t.Run(string(policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoute()
				failed := time.Time{}
				r.fail = func(call string, _ int) (error, error) {
					if r.live.Split.Weight("b") == 30 && failed.IsZero() {
						failed = time.Now()
					}
					if !failed.IsZero() && time.Since(failed) > 10*time.Minute {
						panic("killed")
					}
					if call == "Write" && !failed.IsZero() {
						return errors.New("throttled"), nil
					}
					return nil, nil
				}
				func() {
					defer func() { _ = recover(); r.mu.TryLock(); r.mu.Unlock() }()
					e := newEngine(t, r, "m1/1/x", func(c *Config) {
						c.Spec.OnFailure = policy
						c.Analyzer = judge{window: 2 * time.Minute, bad: func(s traffic.Split) bool { return s.Weight("b") == 30 }}
					})
					_, _ = e.Run(t.Context())
					t.Error("the first run was not killed")
				}()
				r.fail = nil
				writes := len(r.writes)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
				defer cancel()
				res, err := newEngine(t, r, "m2/1/x", func(c *Config) {
					c.Spec.OnFailure, c.Spec.OnInterrupt = policy, shift.Hold
				}).Run(ctx)
				if err != nil || slices.ContainsFunc(r.writes[writes:], func(s traffic.Split) bool { return s.Weight("b") > 30 }) {
					t.Fatalf("advanced after a failure: %+v, %v; writes %v", res, err, r.writes)
				}
				if policy == shift.Rollback && (res.Phase != shift.RolledBack || !r.live.Split.Equal(ab(100, 0))) {
					t.Errorf("%+v; live %s", res, r.live.Split)
				}
				if policy == shift.Hold && res.Phase != shift.Held {
					t.Errorf("%+v", res)
				}
			})
		})
	}
}
