package shift

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/traffic"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// drawSpec draws a declaration over a subset of the destinations a–e.
func drawSpec(t *rapid.T) Spec {
	n := rapid.IntRange(1, 4).Draw(t, "declared")
	spec := Spec{
		Name: "web", Route: "r", Bake: rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "bake"),
		OnFailure: rapid.SampledFrom([]Policy{Rollback, Hold}).Draw(t, "onFailure"),
		OnDrift:   rapid.SampledFrom([]Policy{Hold, Overrule, Adopt}).Draw(t, "onDrift"),
		MaxHold:   10 * time.Minute, RollbackTimeout: 15 * time.Minute, OnInterrupt: Rollback,
		Timing:         analysis.Timing{Settle: 10 * time.Second, Period: time.Minute, Delay: time.Minute},
		Limits:         traffic.Limits{MaxWeight: 999, MaxDestinations: 5},
		Lag:            rapid.SampledFrom([]time.Duration{0, 0, 5 * time.Minute}).Draw(t, "lag"),
		Drain:          rapid.SampledFrom([]time.Duration{0, 0, 6 * time.Minute}).Draw(t, "drain"),
		DrainMetric:    rapid.IntRange(0, 3).Draw(t, "drainMetric") == 0,
		KeepUndeclared: rapid.Bool().Draw(t, "keepUndeclared"),
	}
	sum := 0
	for i := range n {
		w := rapid.IntRange(0, 100).Draw(t, "weight")
		if i == n-1 && sum+w == 0 {
			w = 1
		}
		sum += w
		id := string(rune('a' + i))
		spec.Destinations = append(spec.Destinations, Destination{Name: id, ID: id, Weight: w})
	}
	for p := rapid.IntRange(0, 60).Draw(t, "first"); p < 100; p += rapid.IntRange(5, 60).Draw(t, "step") {
		spec.Steps = append(spec.Steps, Step{Percent: p, Hold: time.Minute, Approval: rapid.IntRange(0, 5).Draw(t, "approval") == 0})
	}
	spec.Steps = append(spec.Steps, Step{Percent: 100, Hold: time.Minute})
	return spec
}

func drawLive(t *rapid.T) traffic.Split {
	var s traffic.Split
	for _, id := range rapid.SampledFrom([][]string{{"a"}, {"a", "b"}, {"b", "a", "e"}}).Draw(t, "attached") {
		s = append(s, traffic.Weighted{ID: id, Weight: rapid.IntRange(0, 100).Draw(t, "live")})
	}
	if s.Sum() == 0 {
		s[0].Weight = 1
	}
	return s
}

// TestLawsOfAShift plays random histories against Decide: verdicts, faults, writes that
// are lost or land unseen, drift, lost health, restarts with and without the journal.
func TestLawsOfAShift(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		live := Live{Exists: true, Conforms: true, Split: drawLive(t)}
		from := live.Split
		start, err := Begin(spec, Facts{Now: t0, Live: live, ID: "s1"})
		if err != nil {
			t.Fatal(err)
		}
		p, s, now := start.Plan, start.State, t0
		if start.Kind == StartSettled {
			return
		}
		failed, adopted := false, false
		var passed []traffic.Split // the splits that had a passing verdict
		for range 400 {
			if s.Phase.Done() {
				break
			}
			o := Observation{Now: now, Live: &live, Health: map[string]Health{}}
			for _, id := range p.Gaining() {
				o.Health[id] = Health{Healthy: 2, Total: 2}
			}
			verdictNow := traffic.Split(nil)
			if _, report := s.Wants(); report {
				v := rapid.SampledFrom([]analysis.Verdict{analysis.Successful, analysis.Successful, analysis.Successful, analysis.Inconclusive, analysis.Error, analysis.Failed}).Draw(t, "verdict")
				o.Report = &analysis.Report{Verdict: v, Next: now.Add(time.Minute)}
				if rapid.Bool().Draw(t, "drained") {
					o.Report.Drain = &analysis.Measurement{Verdict: analysis.Successful}
				}
				if v == analysis.Successful && now.Sub(s.WrittenAt) >= spec.Lag {
					verdictNow = live.Split
				}
			}
			if live.Pending && rapid.Bool().Draw(t, "in force") {
				live.Pending = false
			}
			switch rapid.IntRange(0, 30).Draw(t, "event") {
			case 0:
				o.Live, o.Fault = nil, "throttled"
			case 1:
				if s.Phase != RollingBack {
					live.Split, live.Others, live.Pending = drawLive(t), nil, false
				}
			case 6: // a part of the route alone
				if s.Phase != RollingBack {
					if other := drawLive(t); !other.Equal(live.Split) {
						live.Others = []traffic.Split{other}
					}
				}
			case 7: // put right again
				live.Others = nil
			case 2:
				if _, report := s.Wants(); report {
					for _, id := range p.carrying(live.Split) {
						o.Health[id] = Health{Total: 2}
					}
				}
			case 3:
				o.Signal = Signal{Kind: SignalApprove, Step: -1}
			case 4:
				o.Signal = Signal{Kind: SignalAbort}
			case 5: // killed and started again
				journal := &s
				if rapid.Bool().Draw(t, "journal lost") {
					journal = nil
					failed = false // what was not on the route is forgotten: the step is judged anew
				}
				again, err := Begin(spec, Facts{
					Now: now, Live: live, Journal: journal, ID: "s2",
					Mark: &Mark{ID: p.ID, Plan: spec.Hash(), From: p.From, Started: p.Started},
				})
				if err != nil {
					t.Fatal(err)
				}
				p, s = again.Plan, again.State
				continue
			}
			d := Decide(p, s, o)
			if d.Next.Phase == RollingBack || d.Next.Phase == RolledBack || d.Next.Failed {
				failed = true
			}
			if verdictNow != nil {
				passed = append(passed, verdictNow)
			}
			if d.Adopt != nil {
				adopted = true
				p, err = NewPlan(spec, d.Adopt, p.ID, now, p.Began)
				if err != nil {
					return // the route cannot hold both; the engine holds there
				}
				from, s, failed = d.Adopt, State{ID: s.ID, Phase: Preparing, Step: -1}, false
				if !p.Judged() {
					s.Phase = Finishing
				}
				continue
			}
			if d.Write != nil {
				checkWrite(t, p, live, d, o, failed, passed)
				if rapid.IntRange(0, 9).Draw(t, "write lost") > 0 {
					live.Split, live.Others = d.Write, nil
					if spec.KeepUndeclared {
						live.Split = live.Split.With(p.From.IDs()...)
					}
					live.Pending = rapid.Bool().Draw(t, "pending")
				}
			}
			s = d.Next
			now = now.Add(max(d.Wait, time.Second))
		}
		switch s.Phase {
		case Succeeded:
			if failed || !p.exactly(live, p.Final) || live.Pending {
				t.Fatalf("succeeded at %s, declared %s, failed before: %v", live.Split, p.Final, failed)
			}
		case RolledBack:
			if !p.exactly(live, p.From) || live.Pending || !p.From.Equal(from) && !adopted {
				t.Fatalf("rolled back to %s, from %s", live.Split, from)
			}
		case Preparing, Shifting, Baking, Draining, Finishing, RollingBack, Held, Unconfirmed:
		}
	})
}

// checkWrite holds one write against the laws.
func checkWrite(t *rapid.T, p Plan, on Live, d Decision, o Observation, failed bool, passed []traffic.Split) {
	live := on.Split
	if o.Live == nil {
		t.Fatal("a blind write")
	}
	if len(on.Others) > 0 && !failed && d.Next.Reason != "DriftOverruled" && !on.shares(p.From) && !on.shares(d.Write) && !on.shares(p.before(d.Next.Step)) {
		t.Fatalf("wrote %s over a route whose parts differ: %s and %s", d.Write, live, on.Others)
	}
	if on.Pending && !failed && d.Next.Step > 0 && !live.SameShares(d.Write) && d.Next.Reason != "DriftOverruled" {
		t.Fatalf("advanced from %s to %s while it was not in force", live, d.Write)
	}
	if err := d.Write.Validate(p.Limits); err != nil {
		t.Fatalf("write %s: %v", d.Write, err)
	}
	if failed {
		if !d.Write.Equal(p.From) {
			t.Fatalf("after a failure %s was written, From is %s", d.Write, p.From)
		}
		return
	}
	if d.Next.Reason == "DriftOverruled" || live.SameShares(d.Write) {
		return
	}
	if !d.Write.SameShares(p.From) && d.Next.Step > 0 && !slices.ContainsFunc(passed, live.SameShares) {
		t.Fatalf("advanced from %s to %s without a passing verdict on it (passed: %s)", live, d.Write, passed)
	}
	for _, id := range p.Gaining() {
		if d.Write.Share(id) < live.Share(id)-0.011 {
			t.Fatalf("%s gains in this shift, but fell from %s to %s", id, live, d.Write)
		}
	}
}
