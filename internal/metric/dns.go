package metric

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/arn"
	"github.com/norikae/norikae/internal/fault"
)

// DNS is where and how the Application Load Balancers that a name leads to are measured,
// when each of its destinations has one of its own.
type DNS struct {
	LoadBalancers map[string]LoadBalancer // by destination
	Timing        analysis.Timing
	// MinRequests of the gaining side that the built-in judgement needs in a window; 0 is 1.
	MinRequests int
	// Interval of the built-in judgement; 0 is the period of Timing.
	Interval time.Duration
	// Rule of the built-in judgement; zero is analysis.DefaultComparison.
	Rule analysis.Comparison
}

// LoadBalancer is a destination's own.
type LoadBalancer struct {
	ARN    string // of an Application Load Balancer
	Source Source // CloudWatch, in its account and region; those of one place share one
}

func newDNS(dns DNS) (DNS, error) {
	if len(dns.LoadBalancers) == 0 {
		return dns, fmt.Errorf("no destination has a load balancer")
	}
	seen := map[string]string{}
	for _, id := range sortedKeys(dns.LoadBalancers) {
		lb := dns.LoadBalancers[id]
		if err := complete(lb.ARN, arn.Application, lb.Source, dns.Timing, &dns.Interval, &dns.MinRequests, &dns.Rule); err != nil {
			return dns, fmt.Errorf("destination %q: %w", id, err)
		}
		if other, ok := seen[lb.ARN]; ok {
			return dns, fmt.Errorf("destinations %q and %q have one load balancer, %s, and its metrics cannot tell them apart: set analysis.builtin to false", other, id, lb.ARN)
		}
		seen[lb.ARN] = id
	}
	return dns, nil
}

func sortedKeys(m map[string]LoadBalancer) []string {
	out := make([]string, 0, len(m))
	for id := range m {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// dnsMeter is the built-in analysis of load balancers behind a name.
type dnsMeter struct {
	DNS

	name func(id string) string // of a destination, for people
}

func (l dnsMeter) sources() []Source {
	var out []Source
	for _, id := range sortedKeys(l.LoadBalancers) {
		if src := l.LoadBalancers[id].Source; !slices.Contains(out, src) {
			out = append(out, src)
		}
	}
	return out
}

func (l dnsMeter) measured() (analysis.Timing, analysis.Schedule) {
	return l.Timing, analysis.NewSchedule(l.Timing, l.Interval, 0)
}

func (l dnsMeter) names() []string { return []string{TargetErrors, LoadBalancerErrors} }

// check wants every gaining destination's load balancer. A losing one that is not
// declared is on the name without one: it is left out of the comparison.
func (l dnsMeter) check(req analysis.Request) error {
	var missing []string
	for _, id := range req.Gaining {
		if _, ok := l.LoadBalancers[id]; !ok {
			missing = append(missing, l.name(id))
		}
	}
	if missing != nil {
		return fault.Terminal("InvalidAnalysis", fmt.Errorf("no load balancer is known of %s: set loadBalancerARN of every destination, or analysis.builtin to false", strings.Join(missing, ", ")))
	}
	return nil
}

func (l dnsMeter) asks(req analysis.Request) (out []ask) {
	for _, id := range append(append([]string{}, req.Gaining...), req.Losing...) {
		lb, ok := l.LoadBalancers[id]
		if !ok {
			continue
		}
		for _, m := range []string{requestCount, target2XX, target5XX, connErrors, elb502, elb503, elb504} {
			out = append(out, ask{metricKey{id, m}, lb.Source, statQuery(albNamespace, lb.ARN, "", m, "Sum", l.Timing.Period)})
		}
	}
	return out
}

func (l dnsMeter) window(got answers, req analysis.Request, w analysis.Window) analysis.ALBWindow {
	side := func(ids []string) []analysis.ALBDestination {
		ds := make([]analysis.ALBDestination, len(ids))
		for i, id := range ids {
			unrouted := got.sum(id, elb503, w)
			ds[i] = analysis.ALBDestination{
				Name: l.name(id), Share: req.Live.Share(id),
				Requests: got.sum(id, requestCount, w), Answers: got.sum(id, target2XX, w),
				Errors: got.sum(id, target5XX, w), ConnectionErrors: got.sum(id, connErrors, w),
				Balancer: plus(got.sum(id, elb502, w), unrouted, got.sum(id, elb504, w)), Unrouted: unrouted,
			}
		}
		return ds
	}
	return analysis.ALBWindow{Window: w, Complete: got.complete(), Gaining: side(req.Gaining), Losing: side(req.Losing)}
}

func (l dnsMeter) judge(s analysis.ALBStep) []analysis.Measurement {
	j := analysis.DNS{Rule: l.Rule, MinRequests: l.MinRequests}
	return []analysis.Measurement{j.TargetErrors(s), j.LoadBalancerErrors(s)}
}

func (l dnsMeter) rates(w analysis.ALBWindow, req analysis.Request) map[string]float64 {
	return albRates(w, req)
}

func (l dnsMeter) traffic(w analysis.ALBWindow) string {
	had := map[bool][]string{}
	for _, d := range append(append([]analysis.ALBDestination{}, w.Gaining...), w.Losing...) {
		if d.Requests == nil {
			had[false] = append(had[false], d.Name)
		} else {
			had[true] = append(had[true], fmt.Sprintf("%s %g", d.Name, *d.Requests))
		}
	}
	var parts []string
	if had[true] != nil {
		parts = append(parts, "requests of the load balancers: "+strings.Join(had[true], ", "))
	}
	if had[false] != nil {
		parts = append(parts, "none of "+strings.Join(had[false], ", "))
	}
	return strings.Join(parts, "; ")
}
