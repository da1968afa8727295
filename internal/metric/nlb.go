package metric

import (
	"fmt"

	"github.com/norikae/norikae/internal/analysis"
)

// The names of an NLB's built-in metrics in a report, beside HealthyHosts.
const (
	TargetResets       = "builtin/target-resets"
	LoadBalancerResets = "builtin/load-balancer-resets"
)

// The metrics, as AWS/NetworkELB names them. All but HealthyHostCount are the load
// balancer's alone: AWS counts no flows per target group.
const (
	nlbNamespace     = "AWS/NetworkELB"
	newFlows         = "NewFlowCount"
	activeFlows      = "ActiveFlowCount"
	targetResets     = "TCP_Target_Reset_Count"
	balancerResets   = "TCP_ELB_Reset_Count"
	clientResets     = "TCP_Client_Reset_Count"
	unhealthyRouting = "UnhealthyRoutingFlowCount"
)

// nlbMeter is the built-in analysis of a Network Load Balancer.
type nlbMeter struct {
	NLB

	name func(id string) string // of a destination, for people
}

func (l nlbMeter) sources() []Source { return []Source{l.Source} }

func (l nlbMeter) measured() (analysis.Timing, analysis.Schedule) {
	return l.Timing, analysis.NewSchedule(l.Timing, l.Interval, 0)
}

func (l nlbMeter) names() []string { return []string{TargetResets, LoadBalancerResets, HealthyHosts} }

func (l nlbMeter) check(req analysis.Request) error { return targetGroups(req.Gaining) }

func (l nlbMeter) asks(req analysis.Request) (out []ask) {
	add := func(id, metric, stat string) {
		out = append(out, ask{metricKey{id, metric}, l.Source, statQuery(nlbNamespace, l.ARN, id, metric, stat, l.Timing.Period)})
	}
	for _, id := range req.Gaining {
		add(id, healthyHosts, "Minimum")
	}
	for _, m := range []string{newFlows, targetResets, balancerResets, clientResets, unhealthyRouting} {
		add("", m, "Sum")
	}
	add("", activeFlows, "Maximum")
	return out
}

func (l nlbMeter) window(got answers, req analysis.Request, w analysis.Window) analysis.NLBWindow {
	out := analysis.NLBWindow{
		Window: w, Complete: got.complete(),
		Flows: got.sum("", newFlows, w), Active: got.most("", activeFlows, w),
		TargetResets: got.sum("", targetResets, w), BalancerResets: got.sum("", balancerResets, w),
		ClientResets: got.sum("", clientResets, w), Unhealthy: got.sum("", unhealthyRouting, w),
	}
	for _, id := range req.Gaining {
		out.Gaining = append(out.Gaining, analysis.Hosts{Name: l.name(id), Share: req.Live.Share(id), Healthy: got.least(id, healthyHosts, w)})
	}
	return out
}

func (l nlbMeter) judge(s analysis.NLBStep) []analysis.Measurement {
	j := analysis.NLB{Rule: l.Rule, MinFlows: l.MinRequests, UDP: l.UDP != nil && l.UDP()}
	return []analysis.Measurement{j.TargetResets(s), j.BalancerResets(s), j.HealthyHosts(s)}
}

// rates: AWS does not say which destination a flow went to.
func (l nlbMeter) rates(analysis.NLBWindow, analysis.Request) map[string]float64 { return nil }

func (l nlbMeter) traffic(w analysis.NLBWindow) string {
	if w.Flows == nil {
		return "the load balancer had no new connections"
	}
	return fmt.Sprintf("the load balancer had %g new connections", *w.Flows)
}
