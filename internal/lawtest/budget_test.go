package lawtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/shift"
)

// budget of a shift in calls to the route's service: each weight write and its read-back,
// fixed calls of the start and the end, and calls per turn of the engine. Of Route 53
// besides: asking whether a change is in force, and writing the mark.
const (
	fixedCalls   = 8
	callsPerTurn = 2
	// lookEvery is how long a run waits for the next look, and for the next renewal.
	lookEvery = 10 * time.Second
	// pollsPerChange that takes 30 s: the waits between them grow from 0.5 s by half.
	pollsPerChange = 12
	// route53PerSecond is Route 53's quota for all calls of an account.
	route53PerSecond = 5
)

// costs of a lawful shift, by what its calls were for. Health's and CloudWatch's reads are
// apart.
type costs struct {
	writes, readBacks, polls, marks int
	fixed                           int // before the first turn: reading, checking, claiming the lease
	inTurns                         int // of the turns, besides all these
	turns                           int // each reads the route or renews the lease
	all                             int
}

func (c costs) String() string {
	return fmt.Sprintf("%d calls in %d turns: %d writes, %d read-backs, %d polls until a change is in force, %d changes of the mark, %d fixed, %d others", c.all, c.turns, c.writes, c.readBacks, c.polls, c.marks, c.fixed, c.inTurns)
}

// cost of a trace.
func cost(trace []Exchange, d Declared) (c costs) {
	started, wrote := false, false
	for i, a := range acts(trace, d) {
		if a == nil || trace[i].Caller == Operator || strings.Contains(trace[i].Operation, "Health") {
			continue
		}
		c.all++
		switch {
		case a.write != nil:
			c.writes++
			wrote = true
		case a.asksForce:
			c.polls++
		case a.readsIt && wrote:
			c.readBacks++
			wrote = false
		case a.marking != nil:
			c.marks++
			if started && a.marking.adds {
				c.turns++ // a renewal
			}
			started = true
		case c.turns == 0 && !(started && a.readsIt):
			c.fixed++
		default:
			c.inTurns++
			if a.readsIt {
				c.turns++
			}
		}
	}
	return c
}

func TestAShiftKeepsToItsBudget(t *testing.T) {
	onEach(t, func(t *testing.T, g Ground) {
		change := func(c *awssim.Config) { c.Propagation = 30 * time.Second }
		inWorldOf(t, g, RealPace(), change, func(l *lab) {
			m := l.Manifest(blueGreen(0, 100)...)
			m.Spec.Strategy.StepInterval = v1alpha1.Duration{Duration: 5 * time.Minute}
			out := l.run(Setup{Manifest: m})
			l.ended(out, shift.Succeeded, "Succeeded")
			d := l.declared(m)
			trace := l.lawful(d)
			c := cost(trace, d)
			if c.writes != 10 || c.readBacks != 10 {
				l.t.Errorf("%d writes and %d read-backs, want 10 of both", c.writes, c.readBacks)
			}
			fixed, inTurns, turns := c.fixed, c.inTurns, c.turns
			if !g.DNS() { // else the mark is a TXT record, counted apart
				fixed, inTurns = c.fixed+2, c.inTurns+c.marks-2
			}
			if fixed > fixedCalls || inTurns > callsPerTurn*turns {
				l.t.Errorf("%s; want at most %d fixed and %d in turns", c, fixedCalls, callsPerTurn*turns)
			}
			ideal := 10*5*time.Minute + 5*time.Minute
			if g == OnNLB {
				ideal += l.Pace.Period // the drain
			}
			took := out.Finished.Sub(out.Started)
			if took < ideal || took > ideal*102/100+10*change53(g) {
				l.t.Errorf("took %s, ideal is %s", took, ideal)
			}
			if most := int(took/lookEvery)*2 + 30 + c.polls; turns > most {
				l.t.Errorf("%d turns in %s, want at most %d", turns, took, most)
			}
			if most := 11 * pollsPerChange; c.polls > most {
				l.t.Errorf("%d polls for the mark and 10 changes, want at most %d", c.polls, most)
			}
			if most := int(took/lookEvery) + 2; g.DNS() && c.marks > most {
				l.t.Errorf("%d changes of the mark in %s, want at most %d", c.marks, took, most)
			}
			if n, at := busiest(trace); g.DNS() && n > route53PerSecond {
				l.t.Errorf("%d requests within a second, at %s, want at most %d", n, at.Format(time.TimeOnly), route53PerSecond)
			}
			l.t.Logf("%s; %.4f of the ideal time", c, float64(took)/float64(ideal))

			l.Forget()
			l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Settled")
			if n := l.changes(d); n > 0 {
				l.t.Errorf("%d changes of a settled route", n)
			}
		})
	})
}

// change53 is how long a change takes on a ground whose changes take time.
func change53(g Ground) time.Duration {
	if g.DNS() {
		return 35 * time.Second
	}
	return 0
}

// busiest second of a trace, in calls to Route 53.
func busiest(trace []Exchange) (most int, at time.Time) {
	var last []time.Time
	for _, x := range trace {
		if x.Service != Route53 || x.Caller == Operator {
			continue
		}
		last = append(last, x.Begun)
		for x.Begun.Sub(last[0]) >= time.Second {
			last = last[1:]
		}
		if len(last) > most {
			most, at = len(last), x.Begun
		}
	}
	return most, at
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
