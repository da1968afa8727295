package bench

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/shift"
)

// worldOf runs f in virtual time on the one route of a world, in a benchmark.
func worldOf(b *testing.B, world string, f func(t *testing.T, fl *fleet)) {
	b.Helper()
	inTest(b, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fl := &fleet{}
			cfg := fl.config()
			cfg.World, cfg.Propagation = world, 30*time.Second
			if err := fl.open(cfg); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := fl.close(); err != nil {
					t.Error(err)
				}
			}()
			fl.warm()
			f(t, fl)
		})
	})
}

// networkRoute declares the world's listener of a Network Load Balancer.
func (f *fleet) networkRoute(s *v1alpha1.TrafficShiftSpec) {
	w := f.World()
	s.Route = v1alpha1.Route{NLB: &v1alpha1.NLBRoute{ListenerARN: w.ListenerARN}}
	for i, g := range w.TargetGroups {
		s.Destinations[i].TargetGroupARN = g.ARN
	}
}

// nameRoute declares the world's DNS name, which has A and AAAA records.
func (f *fleet) nameRoute(s *v1alpha1.TrafficShiftSpec) {
	w := f.World()
	s.Route = v1alpha1.Route{Route53: &v1alpha1.Route53Route{HostedZoneID: w.HostedZoneID, Name: w.Name}}
	for i, r := range w.Destinations {
		d := &s.Destinations[i]
		d.TargetGroupARN, d.SetIdentifier, d.LoadBalancerARN = "", r.SetIdentifier, r.LoadBalancerARN
	}
}

// whole shifts the route that declare names, in ten steps of 5 minutes.
func (f *fleet) whole(t *testing.T, declare func(*v1alpha1.TrafficShiftSpec)) outcome {
	t.Helper()
	o, err := f.run(t.Context(), route{}, declare)
	if err != nil || o.Phase != shift.Succeeded {
		t.Fatalf("%s %s, %v", o.Phase, o.Message, err)
	}
	return o
}

// settledWrites are the writes of another run, of which there may be none.
func (f *fleet) settledWrites(ctx context.Context, declare func(*v1alpha1.TrafficShiftSpec)) (int, error) {
	o, err := f.run(ctx, route{}, declare)
	if err == nil && o.Reason != "Settled" {
		err = errors.New(o.Reason + " " + o.Message)
	}
	writes := 0
	for _, c := range o.calls {
		if c.Weights != nil {
			writes++
		}
	}
	return writes, err
}

// BenchmarkNetworkShiftCalls holds a shift of an NLB's listener to what one of an ALB's
// rule may cost.
func BenchmarkNetworkShiftCalls(b *testing.B) {
	for b.Loop() {
		worldOf(b, awssim.WorldNLB, func(t *testing.T, f *fleet) {
			o := f.whole(t, f.networkRoute)
			c := cost(o.calls, networkCalls())
			if c.writes != steps || c.readBacks != steps || c.fixed > maxFixed || c.longestTick > maxTick {
				t.Errorf("%s; want %d writes, as many read-backs, at most %d fixed calls and %d a tick", c, steps, maxFixed, maxTick)
			}
			again, err := f.settledWrites(t.Context(), f.networkRoute)
			if err != nil || again > 0 {
				t.Errorf("settled: %d writes, %v", again, err)
			}
			b.ReportMetric(float64(c.writes), "writes/shift")
			b.ReportMetric(float64(c.readBacks), "read-backs/shift")
			b.ReportMetric(float64(c.fixed), "fixed-ELB-calls/shift")
			b.ReportMetric(float64(c.tickCalls)/float64(c.ticks), "ELB-calls/tick")
			b.ReportMetric(float64(c.tags), "tag-calls/shift")
			b.ReportMetric(float64(c.health), "health-calls/shift")
			b.ReportMetric(float64(c.metrics), "GetMetricData/shift")
			b.ReportMetric(o.wall.Seconds()/o.ideal.Seconds(), "wall/ideal")
		})
	}
	b.ReportMetric(0, "ns/op")
}

// maxRate of calls to Route 53, per second, is its quota for an account.
const maxRate = 5

// BenchmarkNameShiftCalls counts the calls to Route 53 of a shift of A and AAAA records
// that take 30 s to be in force. What they may be is held by package lawtest, which sees
// what each of them is about.
func BenchmarkNameShiftCalls(b *testing.B) {
	for b.Loop() {
		worldOf(b, awssim.WorldRoute53, func(t *testing.T, f *fleet) {
			o := f.whole(t, f.nameRoute)
			count, changes, inSecond := map[string]int{}, 0, map[int64]int{}
			for _, c := range o.calls {
				switch {
				case c.Service != "route53":
					continue
				case c.Weights != nil:
					changes++
				default:
					count[c.Operation]++
				}
				inSecond[c.Time.Unix()]++
			}
			busiest := 0
			for _, n := range inSecond {
				busiest = max(busiest, n)
			}
			if changes != steps || busiest > 2*maxRate { // a burst may begin in the middle of a second
				t.Errorf("%d changes of weights, want %d; %d calls in a second, of an account's %d", changes, steps, busiest, maxRate)
			}
			again, err := f.settledWrites(t.Context(), f.nameRoute)
			if err != nil || again > 0 {
				t.Errorf("settled: %d writes, %v", again, err)
			}
			b.ReportMetric(float64(changes), "changes/shift")
			b.ReportMetric(float64(count["ChangeResourceRecordSets"]), "mark-writes/shift")
			b.ReportMetric(float64(count["ListResourceRecordSets"]), "lists/shift")
			b.ReportMetric(float64(count["GetChange"]), "polls/shift")
			b.ReportMetric(float64(count["GetHostedZone"]), "zone-calls/shift")
			b.ReportMetric(float64(busiest), "most-calls/s")
			b.ReportMetric(o.wall.Seconds()/o.ideal.Seconds(), "wall/ideal")
		})
	}
	b.ReportMetric(0, "ns/op")
}
