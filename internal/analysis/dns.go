package analysis

// DNS judges a step of a name whose destinations are Application Load Balancers of their
// own. It compares the gaining ones with the losing ones by what each counts as a whole;
// target groups, and so healthy targets, are not looked at: AWS counts those only for a
// load balancer and a target group together.
type DNS struct {
	Rule        Comparison
	MinRequests int // of the gaining side in a window; fewer: Inconclusive
}

// TargetErrors holds the gaining side's share of errors (5XX of its targets, and
// connections to them that failed) against the losing side's.
func (j DNS) TargetErrors(s ALBStep) Measurement { return ALB(j).targetErrors(s, untold) }

// LoadBalancerErrors holds the 502, 503 and 504 that the gaining side's load balancers
// answered by themselves against those of the losing side's.
func (j DNS) LoadBalancerErrors(s ALBStep) Measurement {
	w, m := s.newest()
	if !carries(hosts(w.Gaining)) {
		return verdict(m, Successful, "no gaining destination carries weight yet")
	}
	if why := s.unusable(); why != "" {
		return verdict(m, Inconclusive, why)
	}
	now, old := balancers(w.Gaining), balancers(w.Losing)
	m.Value, m.Old = share(now), share(old)
	out, msg := looks(j.Rule, s.Windows, "502, 503 and 504 of the gaining side's load balancers", func(w ALBWindow) (Counts, Counts) {
		return balancers(w.Gaining), balancers(w.Losing)
	}, balancers(s.Before.Losing))
	if out == Worse {
		return verdict(m, Failed, msg)
	}
	if missing := silent(w.Gaining); missing != "" && now.Errors == 0 {
		return albIdle(s, m, "requests of "+missing, untold)
	}
	if out == Doubtful {
		return verdict(m, Inconclusive, msg)
	}
	return verdict(m, Successful, "")
}

func balancers(ds []ALBDestination) Counts {
	var c Counts
	for _, d := range ds {
		c = c.Add(Counts{value(d.Requests) + value(d.Unrouted), value(d.Balancer)})
	}
	return c
}

// untold: a load balancer without requests reports nothing at all, so that nothing tells
// an idle one from one whose metrics are lost.
func untold([]Hosts) string {
	return "and nothing tells whether its load balancer is idle or its metrics are lost"
}
