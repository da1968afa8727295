package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/shift"
)

// What a ten-step shift may cost in ELB calls, tags included, and in time. CloudWatch's
// and health's reads are counted apart. Package lawtest holds the same in its tests.
const (
	steps       = 10
	maxFixed    = 8 // calls that do not depend on how long the shift takes
	maxTick     = 2 // calls of one turn of the engine, besides a write and its read-back
	maxOverhead = 1.02
)

// costs of a shift, read off the simulator's call log.
type costs struct {
	writes, readBacks, fixed int
	ticks, tickCalls         int // turns, and their calls
	longestTick              int // calls of the turn with most
	tags, health, metrics    int // tags are part of fixed and tickCalls; the others are apart
}

func (c costs) String() string {
	return fmt.Sprintf("%d writes, %d read-backs, %d fixed calls, %d in %d ticks (at most %d in one); of these %d for tags; besides %d for health, %d GetMetricData",
		c.writes, c.readBacks, c.fixed, c.tickCalls, c.ticks, c.longestTick, c.tags, c.health, c.metrics)
}

// kind of a load balancer's route, as its calls tell it.
type kind struct {
	reads string // the operation that reads the weights
	start int    // how many calls come before the first turn
}

// ruleCalls: rule, tags; preflight: rule, target groups, tags; mark, tags.
func ruleCalls() kind { return kind{"DescribeRules", 7} }

// networkCalls: a default action has no owner, whose tags preflight reads.
func networkCalls() kind { return kind{"DescribeListeners", 6} }

// cost sorts one shift's calls. What comes before the first turn (reading, preflight,
// writing the mark and reading who won), and the removal of the mark, is fixed. A turn
// begins by reading the weights, or the tags to renew the lease.
func cost(calls []awssim.CallEntry, k kind) (c costs) {
	seen, tick, verify := 0, 0, false
	for i, call := range calls {
		switch call.Operation {
		case "DescribeTargetHealth":
			c.health++
			continue
		case "GetMetricData":
			c.metrics++
			continue
		case "AddTags", "DescribeTags", "RemoveTags":
			c.tags++
		}
		seen++
		switch {
		case seen <= k.start || call.Operation == "RemoveTags":
			c.fixed++
			continue
		case call.Weights != nil:
			c.writes, verify = c.writes+1, true
			continue
		case verify && call.Operation == k.reads:
			c.readBacks, verify = c.readBacks+1, false
			continue
		}
		renewal := call.Operation == "DescribeTags" && i+1 < len(calls) && calls[i+1].Operation == "AddTags"
		if call.Operation == k.reads || renewal {
			c.ticks, tick = c.ticks+1, 0
		}
		tick++
		c.tickCalls++
		c.longestTick = max(c.longestTick, tick)
	}
	return c
}

// outcome of a whole shift in virtual time.
type outcome struct {
	engine.Result

	calls       []awssim.CallEntry
	wall, ideal time.Duration
}

// run a shift of a route to its end.
func (f *fleet) run(ctx context.Context, r route, change func(*v1alpha1.TrafficShiftSpec)) (o outcome, err error) {
	e, err := f.engine(ctx, r, change)
	if err != nil {
		return o, err
	}
	p, err := e.Preview(ctx)
	if err != nil {
		return o, err
	}
	_, from := f.Calls().Since(0)
	began := time.Now()
	o.Result, err = e.Run(ctx)
	o.wall, o.ideal = time.Since(began), p.Ideal
	o.calls, _ = f.Calls().Since(from)
	return o, err
}

// every gives a change of a manifest to steps of this length.
func every(d time.Duration) func(*v1alpha1.TrafficShiftSpec) {
	return func(s *v1alpha1.TrafficShiftSpec) { s.Strategy.StepInterval.Duration = d }
}

// wholeShift runs a shift and wants it to succeed.
func wholeShift(t *testing.T, f *fleet, interval time.Duration) outcome {
	t.Helper()
	o, err := f.run(t.Context(), f.routes[0], every(interval))
	if err != nil || o.Phase != shift.Succeeded {
		t.Fatalf("%s %s, %v", o.Phase, o.Message, err)
	}
	return o
}

func BenchmarkShiftCalls(b *testing.B) {
	for b.Loop() {
		virtual(b, 1, func(t *testing.T, f *fleet) {
			o := wholeShift(t, f, 5*time.Minute)
			c := cost(o.calls, ruleCalls())
			if c.writes != steps || c.readBacks != steps || c.fixed > maxFixed || c.longestTick > maxTick {
				t.Errorf("%s; want %d writes, as many read-backs, at most %d fixed calls and %d a tick", c, steps, maxFixed, maxTick)
			}
			if sum := c.writes + c.readBacks + c.fixed + c.tickCalls + c.health + c.metrics; sum != len(o.calls) {
				t.Errorf("%s: these are %d of %d calls", c, sum, len(o.calls))
			}
			settled, err := f.run(t.Context(), f.routes[0], nil)
			if err != nil || settled.Reason != "Settled" || cost(settled.calls, ruleCalls()).writes > 0 {
				t.Fatalf("%s, %d writes, %v", settled.Reason, cost(settled.calls, ruleCalls()).writes, err)
			}
			b.ReportMetric(float64(c.writes), "writes/shift")
			b.ReportMetric(float64(c.readBacks), "read-backs/shift")
			b.ReportMetric(float64(c.fixed), "fixed-ELB-calls/shift")
			b.ReportMetric(float64(c.ticks), "ticks/shift")
			b.ReportMetric(float64(c.tickCalls)/float64(c.ticks), "ELB-calls/tick")
			b.ReportMetric(float64(c.longestTick), "most-ELB-calls/tick")
			b.ReportMetric(float64(c.tags), "tag-calls/shift")
			b.ReportMetric(float64(c.health), "health-calls/shift")
			b.ReportMetric(float64(c.metrics), "GetMetricData/shift")
			b.ReportMetric(float64(cost(settled.calls, ruleCalls()).writes), "writes/settled-run")
		})
	}
	b.ReportMetric(0, "ns/op") // nobody waits for virtual time
}

// BenchmarkShiftTime reports how much longer than ideal a shift takes. Where a step waits
// for its verdict and not for its interval, it is up to one period more: CloudWatch's
// data points begin on the minute, and weights are written when they are.
func BenchmarkShiftTime(b *testing.B) {
	for _, interval := range []time.Duration{5 * time.Minute, time.Minute, 10 * time.Second} {
		b.Run("stepInterval="+interval.String(), func(b *testing.B) {
			for b.Loop() {
				virtual(b, 1, func(t *testing.T, f *fleet) {
					o := wholeShift(t, f, interval)
					overhead := o.wall.Seconds() / o.ideal.Seconds()
					if interval >= 5*time.Minute && overhead > maxOverhead {
						t.Errorf("took %s, ideal is %s", o.wall, o.ideal)
					}
					b.ReportMetric(overhead, "wall/ideal")
					b.ReportMetric(o.wall.Seconds(), "virtual-s")
				})
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
