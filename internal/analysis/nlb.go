package analysis

import "fmt"

// NLB judges a step by the metrics that every Network Load Balancer publishes. Of a
// target group AWS counts only the healthy targets; connections and resets are those of
// the whole load balancer, whoever else it serves, and so are compared with their level
// before the shift. Resets per new connection are the nearest thing to a share of errors:
// AWS does not say which connection a reset was of. What the gaining side does wrong thus
// shows in proportion to its share: while that is within Rule.Margin, only its healthy
// targets can fail a step, and the message says so.
// Source: docs.aws.amazon.com/elasticloadbalancing, "CloudWatch metrics for your NLB".
type NLB struct {
	Rule     Comparison
	MinFlows int  // new connections of the load balancer in a window; fewer: Inconclusive
	UDP      bool // the listener's protocol is UDP, which has no resets
}

// NLBStep is what is known about a step's windows.
type NLBStep = Step[NLBWindow]

// NLBWindow is what the load balancer counted. Counts are nil where it reported none.
type NLBWindow struct {
	Window
	// Complete: the source said of every query that its answer is complete.
	Complete bool
	Gaining  []Hosts
	Flows    *float64 // new connections (of UDP: flows)
	Active   *float64 // most open ones at a time: a second witness that there is traffic
	// Resets (RST) by who sent them first. Those of clients are told and never judged:
	// clients have reasons of their own.
	TargetResets, BalancerResets, ClientResets *float64
	// Unhealthy is how many connections went to targets that are known to be unhealthy,
	// because no healthy one was left.
	Unhealthy *float64
}

// TargetResets holds the resets of targets per new connection against their level before
// the shift, and wants new connections to judge by.
func (j NLB) TargetResets(s NLBStep) Measurement {
	w, m := s.newest()
	if !carries(w.Gaining) {
		return verdict(m, Successful, "no gaining destination carries weight yet")
	}
	if why := s.unusable(); why != "" {
		return verdict(m, Inconclusive, why)
	}
	now, before := j.targets(w), j.targets(s.Before)
	out, msg := looks(j.Rule, s.Windows, "resets by targets per new connection", func(w NLBWindow) (Counts, Counts) {
		return j.targets(w), Counts{}
	}, before)
	if !j.UDP {
		m.Value, m.Old = share(now), share(before)
	}
	least := float64(max(1, j.MinFlows))
	switch {
	case out == Worse:
		return verdict(m, Failed, msg+clients(w))
	case !some(w.Flows) && now.Errors == 0:
		return nlbIdle(s, m)
	case now.Requests < least:
		return verdict(m, Inconclusive, fmt.Sprintf("the load balancer had %s new connections in %s; %s are needed", num(now.Requests), w.Window, num(least)))
	case out == Doubtful:
		return verdict(m, Inconclusive, msg+clients(w))
	case j.UDP:
		return verdict(m, Successful, fmt.Sprintf("UDP has no resets: judged by the healthy targets, and by %s new flows in %s, alone", num(now.Requests), w.Window))
	}
	return verdict(m, Successful, j.tooSmall(w))
}

// tooSmall says that the gaining side is too small a part of all to show; "" when not.
func (j NLB) tooSmall(w NLBWindow) string {
	total := 0.0
	for _, d := range w.Gaining {
		total += d.Share
	}
	if total > j.Rule.Margin {
		return ""
	}
	return fmt.Sprintf("%s%% of the connections are too few to show above the tolerated %s%%: judged by the healthy targets alone", num(100*total), num(100*j.Rule.Margin))
}

// BalancerResets holds what the load balancer itself did wrong per new connection (it
// reset one, or had only unhealthy targets for it) against the level before the shift.
func (j NLB) BalancerResets(s NLBStep) Measurement {
	w, m := s.newest()
	if why := s.unusable(); why != "" {
		return verdict(m, Inconclusive, why)
	}
	now, before := j.balancer(w), j.balancer(s.Before)
	m.Value, m.Old = share(now), share(before)
	what := "resets by the load balancer, and connections to unhealthy targets, per new connection"
	if j.UDP {
		what = "flows to unhealthy targets per new flow"
	}
	out, msg := looks(j.Rule, s.Windows, what, func(w NLBWindow) (Counts, Counts) {
		return j.balancer(w), Counts{}
	}, before)
	switch {
	case out == Worse:
		return verdict(m, Failed, msg+clients(w))
	case !some(w.Flows) && now.Errors == 0:
		return nlbIdle(s, m)
	case out == Doubtful:
		return verdict(m, Inconclusive, msg+clients(w))
	}
	return verdict(m, Successful, "")
}

// HealthyHosts wants a healthy target in each gaining destination that carries weight,
// all through the window. Its value is the least number of any.
func (j NLB) HealthyHosts(s NLBStep) Measurement {
	w, m := s.newest()
	return healthyHosts(m, w.Window, w.Complete, w.Gaining)
}

func (j NLB) targets(w NLBWindow) Counts {
	if j.UDP {
		return Counts{Requests: value(w.Flows)} // resets are of other listeners
	}
	return Counts{value(w.Flows), value(w.TargetResets)}
}

func (j NLB) balancer(w NLBWindow) Counts {
	if j.UDP {
		return Counts{value(w.Flows), value(w.Unhealthy)}
	}
	return Counts{value(w.Flows), value(w.BalancerResets) + value(w.Unhealthy)}
}

// clients tells how many resets were the clients' own.
func clients(w NLBWindow) string {
	if !some(w.ClientResets) {
		return ""
	}
	return fmt.Sprintf("; clients sent %s resets of their own, which are not judged", num(*w.ClientResets))
}

// nlbIdle judges a newest window without new connections. It can be called idle when
// there were none before the shift either, the metrics are known to arrive (the targets
// are watched in this very window), and open connections do not say that the count of new
// ones is lost: AWS always reports that one while there is traffic.
func nlbIdle(s NLBStep, m Measurement) Measurement {
	const wayOut = "; where connections outlive a shift, set analysis.builtin to false: the healthy targets, and analysis.metrics of your own, then judge"
	w, _ := s.newest()
	why := ""
	switch {
	case some(s.Before.Flows):
		why = "there were some before the shift" + wayOut
	case w.Flows == nil && some(w.Active):
		why = fmt.Sprintf("ActiveFlowCount was up to %s, and there is no NewFlowCount", num(*w.Active)) + wayOut
	case s.Before.Flows == nil && some(s.Before.Active):
		why = fmt.Sprintf("before the shift ActiveFlowCount was up to %s, and there was no NewFlowCount", num(*s.Before.Active)) + wayOut
	default:
		why = unwatched(w.Gaining)
	}
	return idle(m, w.Window, "new connections of the load balancer", why)
}

// unusable says what is wrong with the numbers themselves.
func (w NLBWindow) unusable() string {
	if !w.Complete {
		return incomplete(w.Window)
	}
	for _, c := range []struct {
		name string
		v    *float64
	}{
		{"NewFlowCount", w.Flows},
		{"ActiveFlowCount", w.Active},
		{"TCP_Target_Reset_Count", w.TargetResets},
		{"TCP_ELB_Reset_Count", w.BalancerResets},
		{"UnhealthyRoutingFlowCount", w.Unhealthy},
	} {
		if why := noCount(c.name, c.v, w.Window); why != "" {
			return why
		}
	}
	return ""
}
