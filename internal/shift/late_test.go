package shift

import (
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/traffic"
)

func TestAStepIsNotOverBeforeClientsFollowIt(t *testing.T) {
	h := begin(t, twoSteps(func(s *Spec) { s.Lag = 20 * time.Minute }), routeAt(split(100, 0)))
	h.o.Report = report(analysis.Successful, 0, 0)
	h.until("at step 1", step(0))
	for range 19 {
		if h.turn(time.Minute); h.s.Step != 0 {
			t.Fatalf("advanced %s after the write, the TTL is 20m: %+v", h.now.Sub(h.s.WrittenAt), h.s)
		}
	}
	h.o.Signal = Signal{Kind: SignalPromote}
	h.turn(time.Second)
	if h.s.Step != 0 {
		t.Fatal("promote skipped the TTL")
	}
	h.until("at step 2", step(1))
	if want := 2*(20*time.Minute+h.p.Timing.Window()) + h.p.Bake; h.p.Ideal() != want {
		t.Errorf("ideal %s, want %s", h.p.Ideal(), want)
	}
}

func TestAChangeThatIsNotInForceIsNotLive(t *testing.T) {
	t.Run("a step is measured from when it is", func(t *testing.T) {
		h := begin(t, twoSteps(nil), routeAt(split(100, 0)))
		h.o.Report = report(analysis.Successful, 0, 0)
		h.until("written", func(State) bool { return h.live.Split.Equal(split(50, 50)) })
		h.live.Pending = true
		for range 5 {
			if h.turn(time.Minute); !h.s.WrittenAt.IsZero() || h.s.Reason != "Propagating" {
				t.Fatalf("%+v", h.s)
			}
		}
		h.live.Pending = false
		if h.turn(time.Minute); !h.s.WrittenAt.Equal(h.now) {
			t.Fatalf("%+v", h.s)
		}
	})
	t.Run("one that never comes into force is a failure", func(t *testing.T) {
		h := begin(t, twoSteps(nil), routeAt(split(100, 0)))
		h.o.Report = report(analysis.Successful, 0, 0)
		h.until("written", func(State) bool { return h.live.Split.Equal(split(50, 50)) })
		h.live.Pending = true
		for range 20 {
			h.turn(time.Minute)
		}
		if h.s.Phase != RolledBack || h.s.Reason != "Propagating" || !h.live.Split.Equal(split(100, 0)) {
			t.Fatalf("%s %s (%s)", h.s.Phase, h.s.Reason, h.s.Message)
		}
	})
	t.Run("a rollback is confirmed when it is, or not at all", func(t *testing.T) {
		h := begin(t, twoSteps(nil), routeAt(split(100, 0)))
		h.o.Report = report(analysis.Successful, 0, 0)
		h.until("at step 1", step(0))
		h.o.Signal = Signal{Kind: SignalAbort}
		h.turn(time.Second)
		h.live.Pending = true
		if d := h.turn(time.Second); h.s.Phase != RollingBack || d.Write != nil {
			t.Fatalf("%+v", d)
		}
		for range 200 {
			h.turn(10 * time.Second)
		}
		if h.s.Phase != Unconfirmed || !strings.Contains(h.s.Message, "not in force") {
			t.Fatalf("%s %s", h.s.Phase, h.s.Message)
		}
	})
	t.Run("what a killed run wrote is waited for by the next", func(t *testing.T) {
		spec := twoSteps(nil)
		live := routeAt(split(50, 50))
		start, err := Begin(spec, Facts{Now: t0, Live: live, Mark: &Mark{ID: "s1", Plan: spec.Hash(), From: split(100, 0), Started: t0}})
		if err != nil {
			t.Fatal(err)
		}
		h := &history{t: t, p: start.Plan, s: start.State, now: t0, live: live}
		h.o.Health = map[string]Health{"b": {Healthy: 2, Total: 2}}
		h.o.Report = report(analysis.Successful, 0, 0)
		h.live.Pending = true
		if h.turn(time.Hour); h.s.Step != 0 || !h.s.WrittenAt.IsZero() {
			t.Fatalf("%+v", h.s)
		}
	})
	t.Run("the TTL of what a killed run wrote counts from the first look, not from the start", func(t *testing.T) {
		spec := twoSteps(func(s *Spec) { s.Lag = time.Minute })
		live := routeAt(split(50, 50))
		start, err := Begin(spec, Facts{Now: t0, Live: live, Mark: &Mark{ID: "s1", Plan: spec.Hash(), From: split(100, 0), Started: t0}})
		if err != nil {
			t.Fatal(err)
		}
		h := &history{t: t, p: start.Plan, s: start.State, now: t0, live: live}
		h.o.Health = map[string]Health{"b": {Healthy: 2, Total: 2}}
		h.o.Report = report(analysis.Successful, 0, 0)
		h.turn(50 * time.Second) // in force by now; since when is not known
		if h.turn(50 * time.Second); h.s.Step != 0 {
			t.Fatalf("went on 50 s after the first look, the TTL is 60 s: %+v", h.s)
		}
	})
}

func TestR04ARecordTypeWithOtherWeightsIsADrift(t *testing.T) {
	h := begin(t, twoSteps(nil), routeAt(split(100, 0)))
	h.o.Report = report(analysis.Successful, 0, 0)
	h.until("at step 1", step(0))
	h.live.Others = []traffic.Split{split(100, 0)}
	for range 10 {
		if d := h.turn(time.Minute); d.Write != nil || !h.s.Drifted || h.s.Step != 0 {
			t.Fatalf("%+v", d)
		}
	}
	if !strings.Contains(h.s.Message, "a=50 b=50 and a=100 b=0") {
		t.Errorf("message %q names one of the types only", h.s.Message)
	}
	live := routeAt(split(100, 0))
	live.Others = []traffic.Split{split(0, 100)}
	if _, err := Begin(twoSteps(nil), Facts{Now: t0, Live: live}); err == nil || !strings.Contains(err.Error(), "make them alike") {
		t.Errorf("a shift from two different splits began: %v", err)
	}
}

func TestUndeclaredDestinationsThatStayEndAtZero(t *testing.T) {
	live := routeAt(traffic.Split{{ID: "old", Weight: 10}, {ID: "a", Weight: 90}, {ID: "b", Weight: 0}})
	h := begin(t, twoSteps(func(s *Spec) { s.KeepUndeclared = true }), live)
	h.o.Report = report(analysis.Successful, 0, 0)
	h.until("over", func(s State) bool { return s.Phase.Done() })
	want := traffic.Split{{ID: "a", Weight: 0}, {ID: "b", Weight: 100}, {ID: "old", Weight: 0}}
	if h.s.Phase != Succeeded || !h.live.Split.Equal(want) {
		t.Fatalf("%s at %s", h.s.Phase, h.live.Split)
	}
	again, err := Begin(h.p.Spec, Facts{Now: h.now, Live: h.live})
	if err != nil || again.Kind != StartSettled {
		t.Fatalf("%s, %v", again.Kind, err)
	}
}

func TestS22TheLosingSideDrainsBeforeTheShiftIsOver(t *testing.T) {
	drain := func(s *Spec) { s.Drain = 6 * time.Minute }
	t.Run("a stated wait after the bake", func(t *testing.T) {
		h := begin(t, twoSteps(drain), routeAt(split(100, 0)))
		h.o.Report = report(analysis.Successful, 0, 0)
		h.until("draining", func(s State) bool { return s.Phase == Draining })
		since := h.now
		h.until("over", func(s State) bool { return s.Phase.Done() })
		if d := h.now.Sub(since); h.s.Phase != Succeeded || d < 6*time.Minute {
			t.Fatalf("%s after %s", h.s.Phase, d)
		}
		if !strings.Contains(h.p.DrainText(), "the connections that a still has") {
			t.Error(h.p.DrainText())
		}
	})
	t.Run("a failure meanwhile goes back", func(t *testing.T) {
		h := begin(t, twoSteps(drain), routeAt(split(100, 0)))
		h.o.Report = report(analysis.Successful, 0, 0)
		h.until("draining", func(s State) bool { return s.Phase == Draining })
		h.o.Report = report(analysis.Failed, 0, 0)
		h.until("over", func(s State) bool { return s.Phase.Done() })
		if h.s.Phase != RolledBack {
			t.Fatalf("%s %s", h.s.Phase, h.s.Message)
		}
	})
	t.Run("until the user's metric passes, however long", func(t *testing.T) {
		h := begin(t, twoSteps(func(s *Spec) { drain(s); s.DrainMetric, s.MaxDuration = true, 100*time.Hour }), routeAt(split(100, 0)))
		h.o.Report = report(analysis.Successful, 0, 0)
		h.o.Report.Drain = &analysis.Measurement{Verdict: analysis.Failed, Message: "12 connections"}
		h.until("draining", func(s State) bool { return s.Phase == Draining })
		for range 60 {
			if h.turn(time.Minute); h.s.Phase != Draining {
				t.Fatalf("%s %s", h.s.Phase, h.s.Message)
			}
		}
		if !strings.Contains(h.s.Message, "12 connections") {
			t.Error(h.s.Message)
		}
		h.o.Report.Drain = &analysis.Measurement{Verdict: analysis.Successful}
		h.until("over", func(s State) bool { return s.Phase.Done() })
		if h.s.Phase != Succeeded {
			t.Fatalf("%s %s", h.s.Phase, h.s.Message)
		}
	})
	t.Run("not where nobody loses everything", func(t *testing.T) {
		h := begin(t, twoSteps(func(s *Spec) { drain(s); s.Destinations[0].Weight = 10 }), routeAt(split(100, 0)))
		h.o.Report = report(analysis.Successful, 0, 0)
		h.until("over", func(s State) bool {
			if s.Phase == Draining {
				t.Error("drains")
			}
			return s.Phase.Done()
		})
	})
}

func TestR5ARecordWithoutTrafficThatSomebodyRemovesIsNotMissed(t *testing.T) {
	keep := func(s *Spec) { s.KeepUndeclared = true }
	t.Run("the losing one while the new weights bake", func(t *testing.T) {
		h := begin(t, twoSteps(keep), routeAt(split(100, 0)))
		h.o.Report = report(analysis.Successful, 0, 0)
		h.until("baking", func(s State) bool { return s.Phase == Baking })
		h.live.Split = traffic.Split{{ID: "b", Weight: 100}}
		for range 20 {
			if d := h.turn(time.Minute); d.Write != nil {
				t.Fatalf("wrote %s", d.Write)
			}
		}
		if h.s.Phase != Succeeded {
			t.Fatalf("%s %s (%s)", h.s.Phase, h.s.Reason, h.s.Message)
		}
	})
	t.Run("the gaining one before the way back", func(t *testing.T) {
		h := begin(t, twoSteps(keep), routeAt(split(100, 0)))
		h.o.Report = report(analysis.Successful, 0, 0)
		h.until("at step 1", step(0))
		h.live.Split = traffic.Split{{ID: "a", Weight: 100}}
		h.o.Signal = Signal{Kind: SignalAbort}
		if d := h.turn(time.Second); d.Write != nil || h.s.Phase != RolledBack {
			t.Fatalf("%+v", d)
		}
	})
}

func TestS23NoShiftStartsFromRecordsWhoseWeightsAreAll0(t *testing.T) {
	mark := Mark{ID: "s0", Plan: "another", From: split(100, 0)}
	for _, f := range []Facts{{ID: "s1"}, {ID: "s1", Mark: &mark, Replace: true}} {
		f.Now, f.Live = t0, routeAt(split(0, 0))
		start, err := Begin(twoSteps(func(s *Spec) { s.KeepUndeclared = true }), f)
		if err == nil || !strings.Contains(err.Error(), "equal") {
			t.Errorf("%+v, %v", start.State, err)
		}
	}
}

func TestARecordThatIsGoneBeforeTheFirstStepIsNamed(t *testing.T) {
	h := begin(t, twoSteps(func(s *Spec) { s.KeepUndeclared = true }), routeAt(split(100, 0)))
	h.live.Split = traffic.Split{{ID: "a", Weight: 100}}
	d := h.turn(time.Second)
	if d.Write != nil || h.s.Phase != Preparing || !strings.Contains(h.s.Message, "no record of b") {
		t.Errorf("%+v", d)
	}
	for range 20 {
		h.turn(time.Minute)
	}
	if h.s.Phase != RolledBack || !strings.Contains(h.s.Message, "no record of b") {
		t.Errorf("%+v", h.s)
	}
	h = begin(t, twoSteps(func(s *Spec) { s.KeepUndeclared = true }), routeAt(split(100, 0).With("undeclared")))
	h.live.Split = split(100, 0)
	h.until("at step 1", step(0))
}
