package shift

import (
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/traffic"
)

func split(a, b int) traffic.Split { return traffic.Split{{ID: "a", Weight: a}, {ID: "b", Weight: b}} }

// twoSteps moves everything from a to b by 50, 100.
func twoSteps(change func(*Spec)) Spec {
	spec := Spec{
		Name: "web", Route: "r", OnFailure: Rollback, OnDrift: Hold, OnInterrupt: Rollback,
		Destinations: []Destination{{Name: "a", ID: "a"}, {Name: "b", ID: "b", Weight: 100}},
		Steps:        []Step{{Percent: 50, Hold: time.Minute}, {Percent: 100, Hold: time.Minute}},
		Bake:         10 * time.Minute, MaxHold: 10 * time.Minute, RollbackTimeout: 15 * time.Minute,
		Timing: analysis.Timing{Settle: 10 * time.Second, Period: time.Minute, Delay: time.Minute},
		Limits: traffic.Limits{MaxWeight: 999, MaxDestinations: 5},
	}
	if change != nil {
		change(&spec)
	}
	return spec
}

// history plays one shift by hand, on a route that obeys.
type history struct {
	t    *testing.T
	p    Plan
	s    State
	now  time.Time
	live Live
	o    Observation // what every further turn sees beside the route, time and health
}

func begin(t *testing.T, spec Spec, live Live) *history {
	t.Helper()
	start, err := Begin(spec, Facts{Now: t0, Live: live, ID: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	h := &history{t: t, p: start.Plan, s: start.State, now: t0, live: live}
	h.o.Health = map[string]Health{"a": {Healthy: 2, Total: 2}, "b": {Healthy: 2, Total: 2}}
	return h
}

// turn lets one decision happen after a while, and its write land.
func (h *history) turn(after time.Duration) Decision {
	h.now = h.now.Add(after)
	o := h.o
	o.Now, o.Live = h.now, &h.live
	d := Decide(h.p, h.s, o)
	if d.Write != nil {
		h.live = Live{Exists: true, Conforms: true, Split: d.Write}
	}
	h.s = d.Next
	return d
}

// until plays second by second until the state fits.
func (h *history) until(what string, ok func(State) bool) {
	h.t.Helper()
	for range 3600 {
		if ok(h.s) {
			return
		}
		h.turn(time.Second)
	}
	h.t.Fatalf("never %s: %+v", what, h.s)
}

func step(i int) func(State) bool {
	return func(s State) bool { return s.Phase == Shifting && s.Step == i && !s.WrittenAt.IsZero() }
}

func (h *history) restart(journal *State) {
	h.t.Helper()
	again, err := Begin(h.p.Spec, Facts{
		Now: h.now, Live: h.live, Journal: journal, ID: "s2",
		Mark: &Mark{ID: h.p.ID, Plan: h.p.Hash(), From: h.p.From, Started: h.p.Started},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.p, h.s = again.Plan, again.State
}

func report(v analysis.Verdict, failed, limit int) *analysis.Report {
	return &analysis.Report{Verdict: v, Metrics: []analysis.MetricReport{{Name: "m", Passed: 1, Failed: failed, FailureLimit: limit}}}
}

var routeAt = func(s traffic.Split) Live { return Live{Exists: true, Conforms: true, Split: s} }

func TestFailuresAreCountedOnceInTheWholeShift(t *testing.T) {
	h := begin(t, twoSteps(nil), routeAt(split(100, 0)))
	h.o.Report = report(analysis.Successful, 1, 3)
	h.until("at step 2", step(1))
	h.o.Report = report(analysis.Successful, 2, 3) // 1 + 2: all that are tolerated
	h.until("over", func(s State) bool { return s.Phase.Done() })
	if h.s.Phase != Succeeded {
		t.Fatalf("3 failures of 3 tolerated, and the bake saw two of them again: %s %s", h.s.Phase, h.s.Message)
	}
}

func TestFailuresBeforeARestartOrADriftStayCounted(t *testing.T) {
	for name, interlude := range map[string]func(*history){
		"restart": func(h *history) { s := h.s; h.restart(&s) },
		"drift": func(h *history) {
			h.live.Split = split(13, 87)
			h.o.Report = report(analysis.Successful, 5, 3) // of weights that are not ours
			h.turn(time.Second)
			h.live.Split = split(50, 50)
			h.turn(time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := begin(t, twoSteps(nil), routeAt(split(100, 0)))
			h.until("at step 1", step(0))
			h.o.Report = report(analysis.Successful, 2, 3)
			h.turn(time.Second)
			interlude(h)
			h.o.Report = report(analysis.Successful, 1, 3)
			h.turn(time.Second)
			if h.s.Phase != Shifting {
				t.Fatalf("2 + 1 failures of 3 tolerated: %s %s", h.s.Phase, h.s.Message)
			}
			h.o.Report = report(analysis.Successful, 2, 3)
			h.turn(time.Second)
			if h.s.Phase != RollingBack || h.s.Reason != "AnalysisFailed" {
				t.Fatalf("2 + 2 failures of 3 tolerated: %s %s", h.s.Phase, h.s.Message)
			}
		})
	}
}

func TestC02OneApprovalEndsOnePause(t *testing.T) {
	pauses := func(s *Spec) { s.Steps[0].Approval, s.Steps[1].Approval = true, true }
	paused := func(i int) func(State) bool {
		return func(s State) bool { return s.Reason == "Paused" && s.Step == i }
	}
	approve := func(step int) Signal { return Signal{Kind: SignalApprove, Step: step} }
	t.Run("one that stays on the route does not end the next pause", func(t *testing.T) {
		h := begin(t, twoSteps(pauses), routeAt(split(100, 0)))
		h.o.Report = report(analysis.Successful, 0, 0)
		h.until("paused", paused(0))
		h.o.Signal = approve(-1)
		h.until("paused again", paused(1))
		if h.turn(time.Hour); !paused(1)(h.s) {
			t.Fatalf("the pause of step 2 ended by the approval of step 1: %+v", h.s)
		}
		h.o.Signal = Signal{}
		h.turn(time.Second)
		h.o.Signal = approve(-1)
		h.turn(time.Second)
		if h.s.Phase != Baking {
			t.Fatalf("%s %s", h.s.Phase, h.s.Message)
		}
	})
	t.Run("one for whichever waits, given when no weights are live, ends none", func(t *testing.T) {
		h := begin(t, twoSteps(pauses), routeAt(split(100, 0)))
		h.o.Signal, h.o.Report = approve(-1), report(analysis.Successful, 0, 0)
		h.until("paused", paused(0))
		if h.turn(time.Hour); !paused(0)(h.s) {
			t.Fatalf("%+v", h.s)
		}
	})
	t.Run("one for a later step does not end an earlier pause", func(t *testing.T) {
		h := begin(t, twoSteps(pauses), routeAt(split(100, 0)))
		h.o.Signal, h.o.Report = approve(1), report(analysis.Successful, 0, 0)
		h.until("paused", paused(0))
		if h.turn(time.Hour); !paused(0)(h.s) {
			t.Fatalf("%+v", h.s)
		}
	})
	t.Run("none advances without a verdict", func(t *testing.T) {
		h := begin(t, twoSteps(pauses), routeAt(split(100, 0)))
		h.until("at step 1", step(0))
		h.o.Signal, h.o.Report = approve(-1), report(analysis.Inconclusive, 0, 0)
		for range 60 {
			if h.turn(5 * time.Second); h.s.Step != 0 {
				t.Fatalf("advanced: %+v", h.s)
			}
		}
	})
}

func TestLaw7NothingAdvancesWhileHealthIsUnknown(t *testing.T) {
	h := begin(t, twoSteps(nil), routeAt(split(100, 0)))
	h.o.Report = report(analysis.Successful, 0, 0)
	h.until("at step 1", step(0))
	h.o.Health, h.o.Fault = nil, "throttled"
	for range 9 {
		if h.turn(time.Minute); h.s.Step != 0 || h.s.Phase != Shifting {
			t.Fatalf("%+v", h.s)
		}
	}
	h.until("rolling back", func(s State) bool { return s.Phase == RollingBack && s.Reason == "HealthUnknown" })
}

func TestLaw6AFailureOutranksTheEndOfTheRun(t *testing.T) {
	for name, tc := range map[string]struct {
		spec func(*Spec)
		o    func(*Observation)
	}{
		"maxDuration":                  {func(s *Spec) { s.MaxDuration = time.Minute }, func(*Observation) {}},
		"an interrupt that is to hold": {func(s *Spec) { s.OnInterrupt = Hold }, func(o *Observation) { o.Interrupted = true }},
	} {
		t.Run(name, func(t *testing.T) {
			h := begin(t, twoSteps(tc.spec), routeAt(split(100, 0)))
			h.until("at step 1", step(0))
			tc.o(&h.o)
			h.o.Report = report(analysis.Failed, 1, 0)
			if h.turn(2 * time.Minute); h.s.Phase != RollingBack {
				t.Fatalf("left at weights that failed: %s %s", h.s.Phase, h.s.Message)
			}
		})
	}
}

func TestAHeldFailureStaysHeldAfterARestartUntilAPersonAborts(t *testing.T) {
	h := begin(t, twoSteps(func(s *Spec) { s.OnFailure = Hold; s.MaxDuration = time.Hour }), routeAt(split(100, 0)))
	h.until("at step 1", step(0))
	h.o.Report = report(analysis.Failed, 1, 0)
	h.turn(time.Second)
	h.turn(2 * time.Hour)
	if h.s.Phase != Held || !h.s.Failed {
		t.Fatalf("%+v", h.s)
	}
	s := h.s
	h.restart(&s)
	h.p.Began = h.now
	h.o.Report = report(analysis.Successful, 0, 0)
	for range 60 {
		if d := h.turn(time.Second); d.Write != nil || h.s.Phase.Done() {
			t.Fatalf("%+v", d)
		}
	}
	h.o.Signal = Signal{Kind: SignalAbort, Step: -1}
	h.turn(time.Second)
	if h.turn(time.Second); h.s.Phase != RolledBack || !h.live.Split.Equal(split(100, 0)) {
		t.Fatalf("%s %s, live %s", h.s.Phase, h.s.Message, h.live.Split)
	}
}

func TestLaw6ARollbackThatWasGivenUpIsResumedAsARollback(t *testing.T) {
	h := begin(t, twoSteps(nil), routeAt(split(100, 0)))
	h.until("at step 1", step(0))
	h.o.Report = report(analysis.Failed, 1, 0)
	if d := h.turn(time.Second); d.Write == nil {
		t.Fatalf("%+v", d)
	}
	h.live.Split = split(13, 87) // somebody else was faster
	h.turn(time.Second)
	if h.turn(16 * time.Minute); h.s.Phase != Held {
		t.Fatalf("%s %s", h.s.Phase, h.s.Message)
	}
	h.live.Split = split(50, 50)
	s := h.s
	h.restart(&s)
	if d := h.turn(time.Second); !d.Write.Equal(split(100, 0)) {
		t.Fatalf("went on after a failure: %+v", d)
	}
}

func TestS23ARouteWhoseWeightsAreAllZeroForwardsNothing(t *testing.T) {
	h := begin(t, twoSteps(nil), routeAt(split(0, 0)))
	h.until("over", func(s State) bool { return s.Phase.Done() })
	if h.s.Phase != Succeeded || !h.live.Split.Equal(split(0, 100)) {
		t.Fatalf("%s %s, live %s", h.s.Phase, h.s.Message, h.live.Split)
	}
	h = begin(t, twoSteps(nil), routeAt(split(0, 0)))
	h.o.Signal = Signal{Kind: SignalAbort}
	if d := h.turn(time.Second); d.Write != nil {
		t.Fatalf("wrote %s", d.Write)
	}
}

func TestLaw1AResumeAfterTheDetachWritesNothing(t *testing.T) {
	h := begin(t, twoSteps(nil), routeAt(traffic.Split{{ID: "a", Weight: 50}, {ID: "x", Weight: 50}}))
	h.live.Split = h.p.Final
	h.restart(nil) // the mark is still there, the journal is lost
	if d := h.turn(time.Second); d.Write != nil || h.s.Phase != Succeeded {
		t.Fatalf("%+v", d)
	}
}

func TestS10ARouteIsCreatedWithWhatServesItsRequestsNow(t *testing.T) {
	h := begin(t, twoSteps(nil), Live{Split: split(100, 0)})
	h.live.Split = split(70, 30) // of the rule that is mirrored
	if d := h.turn(time.Second); d.Write != nil || !d.Adopt.Equal(split(70, 30)) {
		t.Fatalf("%+v", d)
	}
}

func TestS19OnlyWeightsAreAdopted(t *testing.T) {
	for name, live := range map[string]Live{
		"a maintenance page":  {Exists: true, Conforms: true},
		"changed conditions":  {Exists: true, Split: split(50, 50)},
		"the route is gone":   {Split: split(30, 70)},
		"all weights at zero": routeAt(split(0, 0)),
	} {
		t.Run(name, func(t *testing.T) {
			h := begin(t, twoSteps(func(s *Spec) { s.OnDrift = Adopt }), routeAt(split(100, 0)))
			h.until("at step 1", step(0))
			h.live = live
			if d := h.turn(time.Second); d.Write != nil || d.Adopt != nil || !h.s.Drifted {
				t.Fatalf("%+v", d)
			}
		})
	}
}

func TestATimeOfDriftDoesNotCountAsTimeOfHolding(t *testing.T) {
	h := begin(t, twoSteps(nil), routeAt(split(100, 0)))
	h.o.Health = map[string]Health{"b": {Total: 2}}
	h.turn(time.Second)
	h.live.Split = split(90, 10)
	h.turn(time.Second)
	h.live.Split = split(100, 0)
	if h.turn(time.Hour); h.s.Phase != Preparing || h.s.Reason != "Unhealthy" {
		t.Fatalf("%s %s", h.s.Phase, h.s.Message)
	}
}

func TestALongMetricIntervalIsWaitedForBeyondMaxHold(t *testing.T) {
	h := begin(t, twoSteps(nil), routeAt(split(100, 0)))
	h.until("at step 1", step(0))
	h.o.Report = &analysis.Report{Verdict: analysis.Inconclusive, Message: "the first measurement is complete at …", First: h.now.Add(30 * time.Minute)}
	h.turn(29 * time.Minute)
	if h.s.Phase != Shifting || h.s.Reason != "Measuring" || strings.Count(h.s.Message, "first") != 1 {
		t.Fatalf("%s %s %q", h.s.Phase, h.s.Reason, h.s.Message)
	}
}
