package lawtest

import (
	"testing"
	"time"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/shift"
)

// budget of a shift in ELBv2 calls: each weight write and its read-back, fixed calls of
// the start and the end, and calls per turn of the engine.
const (
	fixedCalls   = 8
	callsPerTurn = 2
	// lookEvery is how long a run waits for the next look, and for the next renewal.
	lookEvery = 10 * time.Second
)

// turns counts the engine's turns, as the wire shows them: each reads the route or renews
// the lease. Read-backs are counted with their writes.
func turns(trace []Exchange) (n int) {
	started, wrote := false, false
	for _, x := range trace {
		switch x.Operation {
		case "AddTags":
			if started {
				n++ // a renewal
			}
			started = true
		case "DescribeRules":
			if started && !wrote {
				n++
			}
			wrote = false
		case "ModifyRule":
			wrote = true
		}
	}
	return n
}

func TestAShiftKeepsToItsBudget(t *testing.T) {
	t.Parallel()
	inWorld(t, RealPace(), nil, func(l *lab) {
		m := l.Manifest(blueGreen(0, 100)...)
		m.Spec.Strategy.StepInterval = v1alpha1.Duration{Duration: 5 * time.Minute}
		out := l.run(Setup{Manifest: m})
		l.ended(out, shift.Succeeded, "Succeeded")
		trace := l.lawful(l.declared(m))

		ops := map[string]int{}
		calls := 0 // ELBv2 but for health
		for _, x := range trace {
			ops[x.Operation]++
			if x.Service == ELB && x.Operation != "DescribeTargetHealth" {
				calls++
			}
		}
		writes, n := ops["ModifyRule"], turns(trace)
		if writes != 10 {
			l.t.Errorf("%d writes, want 10", writes)
		}
		if most := 2*writes + fixedCalls + callsPerTurn*n; calls > most {
			l.t.Errorf("%d ELBv2 calls in %d turns, want at most %d: %v", calls, n, most, ops)
		}
		ideal := 10*5*time.Minute + 5*time.Minute
		took := out.Finished.Sub(out.Started)
		if took < ideal || took > ideal*102/100 {
			l.t.Errorf("took %s, ideal is %s", took, ideal)
		}
		if most := int(took/lookEvery)*2 + 30; n > most {
			l.t.Errorf("%d turns in %s, want at most %d", n, took, most)
		}
		l.t.Logf("%d ELBv2 calls in %d turns; %d of CloudWatch and %d of target health apart; %.4f of the ideal time; %v",
			calls, n, ops["GetMetricData"], ops["DescribeTargetHealth"], float64(took)/float64(ideal), ops)

		l.Forget()
		again := l.run(Setup{Manifest: m})
		l.ended(again, shift.Succeeded, "Settled")
		for _, x := range l.lawful(l.declared(m)) {
			if x.Operation == "ModifyRule" || x.Operation == "AddTags" || x.Operation == "RemoveTags" {
				l.t.Errorf("the settled route was written: %s", &x)
			}
		}
	})
}

// A bad sample is answered within one analysis interval of the moment at which
// CloudWatch shows it, at whatever second of a step green falls sick.
func TestABadSampleRestoresTheWeightsWithinOneInterval(t *testing.T) {
	for second := 0; second < 300; second += 23 {
		t.Run(time.Duration(second*int(time.Second)).String(), func(t *testing.T) {
			t.Parallel()
			inWorld(t, RealPace(), nil, func(l *lab) {
				m := l.Manifest(blueGreen(0, 100)...)
				m.Spec.Strategy.StepInterval = v1alpha1.Duration{Duration: 5 * time.Minute}
				fell := time.Now().Add(22*time.Minute + time.Duration(second)*time.Second)
				time.AfterFunc(time.Until(fell), func() {
					l.fault(fault.Rule{Kind: fault.TargetFailure, TargetGroup: "green", FailRate: 0.05})
				})
				out := l.run(Setup{Manifest: m})
				l.ended(out, shift.RolledBack, "AnalysisFailed")
				shown, back := badSample(l, l.lawful(l.declared(m)), fell)
				if late := back.Sub(shown); late < -l.Pace.Period || late > l.Pace.Period {
					l.t.Errorf("green fell sick at %s, shown at %s, restored at %s: %s later", fell, shown, back, late)
				} else {
					l.t.Logf("green fell sick at %s, restored %s after the sample could be read", fell.Format(time.TimeOnly), late)
				}
				if got := l.live(); !got.equal(l.split(blueGreen(100, 0)...)) {
					l.t.Errorf("ended at %s", got)
				}
			})
		})
	}
}

// badSample finds when the first sample that is bad beyond doubt could be read, and when
// From was written. The sample may be of weights that had been replaced meanwhile.
func badSample(l *lab, trace []Exchange, fell time.Time) (shown, back time.Time) {
	// Of the period in which green fell sick only a part is bad; it counts when that is
	// enough to be told from chance.
	period := fell.Truncate(l.Pace.Period)
	if fell.Sub(period) > l.Pace.Period/2 {
		period = period.Add(l.Pace.Period)
	}
	for _, x := range trace {
		if x.Operation == "ModifyRule" {
			back = x.Done
		}
	}
	return period.Add(l.Pace.Period + l.Pace.Delay), back
}
