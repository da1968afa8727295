package analysis

import (
	"fmt"
	"strings"
)

// ALB judges a step by the metrics that every Application Load Balancer publishes.
// Their traps shape the rules: they are sparse (no errors means no data point, no
// traffic means none at all), and no traffic must not read as health.
// Source: docs.aws.amazon.com/elasticloadbalancing, "CloudWatch metrics for your ALB".
type ALB struct {
	Rule        Comparison
	MinRequests int // of the gaining side in a window; fewer: Inconclusive
}

// ALBStep is what is known about a step's windows.
type ALBStep = Step[ALBWindow]

// ALBWindow is what the load balancer counted. Counts are nil where it reported none.
type ALBWindow struct {
	Window
	// Complete: the source said of every query that its answer is complete.
	Complete bool
	Gaining  []ALBDestination
	Losing   []ALBDestination
	// Requests and Errors (502, 503, 504 that the load balancer itself answered) of
	// the whole load balancer: AWS does not tell them apart by target group.
	// Unrouted are those errors (503) that Requests leaves out.
	Requests, Errors, Unrouted *float64
}

// ALBDestination is a target group's counts in a window.
type ALBDestination struct {
	Name             string
	Share            float64  // of the live split, 0–1
	Requests         *float64 // for which a target was chosen
	Answers          *float64 // 2XX: a second witness that there is traffic
	Errors           *float64 // 5XX answers of targets
	ConnectionErrors *float64
	Healthy          *float64 // least number of healthy targets
	// Balancer and Unrouted are the Errors and Unrouted of the destination's own load
	// balancer, where each has one.
	Balancer, Unrouted *float64
}

// TargetErrors holds the gaining side's share of errors (5XX of its targets, and
// connections to them that failed) against the losing side's.
func (j ALB) TargetErrors(s ALBStep) Measurement { return j.targetErrors(s, unwatched) }

// targetErrors takes a window without requests for idle only where unseen finds nothing
// that speaks against it.
func (j ALB) targetErrors(s ALBStep, unseen func([]Hosts) string) Measurement {
	w, m := s.newest()
	if !carries(hosts(w.Gaining)) {
		return verdict(m, Successful, "no gaining destination carries weight yet")
	}
	if why := s.unusable(); why != "" {
		return verdict(m, Inconclusive, why)
	}
	now, old := side(w.Gaining), side(w.Losing)
	m.Value, m.Old = share(now), share(old)
	out, msg := looks(j.Rule, s.Windows, "target 5XX and connection errors of the gaining side", func(w ALBWindow) (Counts, Counts) {
		return side(w.Gaining), side(w.Losing)
	}, side(s.Before.Losing))
	if out == Worse {
		return verdict(m, Failed, msg)
	}
	if missing := silent(w.Gaining); missing != "" && now.Errors == 0 {
		return albIdle(s, m, "requests of "+missing, unseen)
	}
	if least := float64(max(1, j.MinRequests)); now.Requests < least {
		return verdict(m, Inconclusive, fmt.Sprintf("the gaining side had %s requests in %s (the losing side %s); %s are needed",
			num(now.Requests), w.Window, num(old.Requests), num(least)))
	}
	if out == Doubtful {
		return verdict(m, Inconclusive, msg)
	}
	return verdict(m, Successful, "")
}

// LoadBalancerErrors holds the 502, 503 and 504 that the load balancer answered by
// itself against their level before the shift.
func (j ALB) LoadBalancerErrors(s ALBStep) Measurement {
	w, m := s.newest()
	if why := s.unusable(); why != "" {
		return verdict(m, Inconclusive, why)
	}
	now, before := balancer(w), balancer(s.Before)
	m.Value, m.Old = share(now), share(before)
	out, msg := looks(j.Rule, s.Windows, "502, 503 and 504 of the load balancer", func(w ALBWindow) (Counts, Counts) {
		return balancer(w), Counts{}
	}, before)
	switch {
	case out == Worse:
		return verdict(m, Failed, msg)
	case w.Requests == nil && now.Errors == 0:
		return albIdle(s, m, "requests of the load balancer", unwatched)
	case out == Doubtful:
		return verdict(m, Inconclusive, msg)
	}
	return verdict(m, Successful, "")
}

// HealthyHosts wants a healthy target in each gaining destination that carries weight,
// all through the window. Its value is the least number of any.
func (j ALB) HealthyHosts(s ALBStep) Measurement {
	w, m := s.newest()
	return healthyHosts(m, w.Window, w.Complete, hosts(w.Gaining))
}

func hosts(ds []ALBDestination) []Hosts {
	out := make([]Hosts, len(ds))
	for i, d := range ds {
		out[i] = Hosts{d.Name, d.Share, d.Healthy}
	}
	return out
}

// albIdle judges a newest window without requests.
func albIdle(s ALBStep, m Measurement, missing string, unseen func([]Hosts) string) Measurement {
	w, _ := s.newest()
	return idle(m, w.Window, missing, notIdle(s, unseen))
}

// notIdle says why a window without requests cannot be called idle; "" when it can:
// the route was idle before the shift too, its targets are known to be watched in this
// very window (so metrics do arrive), and nothing else says that there is traffic.
func notIdle(s ALBStep, unseen func([]Hosts) string) string {
	w, _ := s.newest()
	switch {
	case busy(s.Before.Gaining) || busy(s.Before.Losing):
		return "there was traffic before the shift"
	case busy(w.Losing) || busy(w.Gaining):
		return "the route has traffic"
	case some(w.Requests) && !some(s.Before.Requests):
		return fmt.Sprintf("the load balancer had %s requests", num(*w.Requests))
	case !some(w.Requests) && some(s.Before.Requests):
		return "the load balancer had traffic before the shift"
	}
	return unseen(hosts(w.Gaining))
}

// unusable says what is wrong with the numbers themselves.
func (w ALBWindow) unusable() string {
	if !w.Complete {
		return incomplete(w.Window)
	}
	bad := func(name string, v *float64) string { return noCount(name, v, w.Window) }
	for _, d := range append(append([]ALBDestination{}, w.Gaining...), w.Losing...) {
		for _, why := range []string{
			bad("RequestCount of "+d.Name, d.Requests),
			bad("HTTPCode_Target_5XX_Count of "+d.Name, d.Errors),
			bad("TargetConnectionErrorCount of "+d.Name, d.ConnectionErrors),
			bad("the count of HTTPCode_ELB_502, 503 and 504 of "+d.Name, d.Balancer),
			bad("HTTPCode_ELB_503_Count of "+d.Name, d.Unrouted),
		} {
			if why != "" {
				return why
			}
		}
	}
	if why := bad("RequestCount of the load balancer", w.Requests); why != "" {
		return why
	}
	if why := bad("HTTPCode_ELB_503_Count", w.Unrouted); why != "" {
		return why
	}
	return bad("the count of HTTPCode_ELB_502, 503 and 504", w.Errors)
}

func side(ds []ALBDestination) Counts {
	var c Counts
	for _, d := range ds {
		c = c.Add(Counts{value(d.Requests), value(d.Errors) + value(d.ConnectionErrors)})
	}
	return c
}

func balancer(w ALBWindow) Counts {
	return Counts{value(w.Requests) + value(w.Unrouted), value(w.Errors)}
}

// silent names the destinations that carry weight and have no RequestCount.
func silent(ds []ALBDestination) string {
	var out []string
	for _, d := range ds {
		if d.Share > 0 && !some(d.Requests) {
			out = append(out, d.Name)
		}
	}
	return strings.Join(out, ", ")
}

func busy(ds []ALBDestination) bool {
	for _, d := range ds {
		if some(d.Requests) || some(d.Answers) || some(d.Errors) || some(d.ConnectionErrors) {
			return true
		}
	}
	return false
}
