package metric

import (
	"fmt"

	"github.com/norikae/norikae/internal/analysis"
)

// The names of an ALB's built-in metrics in a report. HealthyHosts is an NLB's too.
const (
	TargetErrors       = "builtin/target-errors"
	LoadBalancerErrors = "builtin/load-balancer-errors"
	HealthyHosts       = "builtin/healthy-hosts"
)

// The metrics, as AWS/ApplicationELB names them.
const (
	albNamespace = "AWS/ApplicationELB"
	requestCount = "RequestCount"
	target2XX    = "HTTPCode_Target_2XX_Count"
	target5XX    = "HTTPCode_Target_5XX_Count"
	connErrors   = "TargetConnectionErrorCount"
	healthyHosts = "HealthyHostCount"
	elb502       = "HTTPCode_ELB_502_Count"
	elb503       = "HTTPCode_ELB_503_Count"
	elb504       = "HTTPCode_ELB_504_Count"
)

// albMeter is the built-in analysis of an Application Load Balancer.
type albMeter struct {
	ALB

	name func(id string) string // of a destination, for people
}

func (l albMeter) sources() []Source { return []Source{l.Source} }

func (l albMeter) measured() (analysis.Timing, analysis.Schedule) {
	return l.Timing, analysis.NewSchedule(l.Timing, l.Interval, 0)
}

func (l albMeter) names() []string { return []string{TargetErrors, LoadBalancerErrors, HealthyHosts} }

func (l albMeter) check(req analysis.Request) error {
	return targetGroups(append(append([]string{}, req.Gaining...), req.Losing...))
}

// query of one metric of a destination, or of the load balancer (empty id).
func (l albMeter) query(id, metric, stat string) string {
	return statQuery(albNamespace, l.ARN, id, metric, stat, l.Timing.Period)
}

func (l albMeter) asks(req analysis.Request) (out []ask) {
	add := func(id, metric, stat string) {
		out = append(out, ask{metricKey{id, metric}, l.Source, l.query(id, metric, stat)})
	}
	for _, ids := range [][]string{req.Gaining, req.Losing} {
		for _, id := range ids {
			for _, m := range []string{requestCount, target2XX, target5XX, connErrors} {
				add(id, m, "Sum")
			}
		}
	}
	for _, id := range req.Gaining {
		add(id, healthyHosts, "Minimum")
	}
	for _, m := range []string{requestCount, elb502, elb503, elb504} {
		add("", m, "Sum")
	}
	return out
}

func (l albMeter) window(got answers, req analysis.Request, w analysis.Window) analysis.ALBWindow {
	out := analysis.ALBWindow{Window: w, Complete: got.complete()}
	side := func(ids []string) []analysis.ALBDestination {
		ds := make([]analysis.ALBDestination, len(ids))
		for i, id := range ids {
			ds[i] = analysis.ALBDestination{
				Name: l.name(id), Share: req.Live.Share(id),
				Requests: got.sum(id, requestCount, w), Answers: got.sum(id, target2XX, w),
				Errors: got.sum(id, target5XX, w), ConnectionErrors: got.sum(id, connErrors, w),
				Healthy: got.least(id, healthyHosts, w),
			}
		}
		return ds
	}
	out.Gaining, out.Losing = side(req.Gaining), side(req.Losing)
	out.Requests, out.Unrouted = got.sum("", requestCount, w), got.sum("", elb503, w)
	out.Errors = plus(got.sum("", elb502, w), out.Unrouted, got.sum("", elb504, w))
	return out
}

func (l albMeter) judge(s analysis.ALBStep) []analysis.Measurement {
	j := analysis.ALB{Rule: l.Rule, MinRequests: l.MinRequests}
	return []analysis.Measurement{j.TargetErrors(s), j.LoadBalancerErrors(s), j.HealthyHosts(s)}
}

func (l albMeter) rates(w analysis.ALBWindow, req analysis.Request) map[string]float64 {
	return albRates(w, req)
}

// albRates are the requests per second of each destination.
func albRates(w analysis.ALBWindow, req analysis.Request) map[string]float64 {
	out := map[string]float64{}
	for _, side := range []struct {
		ids    []string
		counts []analysis.ALBDestination
	}{{req.Gaining, w.Gaining}, {req.Losing, w.Losing}} {
		for i, d := range side.counts {
			if d.Requests != nil {
				out[side.ids[i]] = *d.Requests / w.End.Sub(w.Start).Seconds()
			}
		}
	}
	return out
}

func (l albMeter) traffic(w analysis.ALBWindow) string {
	if w.Requests == nil {
		return "the load balancer had no requests"
	}
	return fmt.Sprintf("the load balancer had %g requests", *w.Requests)
}
