package analysis

import (
	"fmt"
	"slices"
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

// ALBStep is what is known about a step's windows, oldest first. The newest is judged,
// alone and together with those before it.
type ALBStep struct {
	Windows []ALBWindow
	// Before is the level to compare with: the windows before the shift's first write,
	// added up.
	Before ALBWindow
}

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
}

// TargetErrors holds the gaining side's share of errors (5XX of its targets, and
// connections to them that failed) against the losing side's.
func (j ALB) TargetErrors(s ALBStep) Measurement {
	w, m := s.newest()
	if !receives(w.Gaining) {
		return verdict(m, Successful, "no gaining destination carries weight yet")
	}
	if why := s.unusable(); why != "" {
		return verdict(m, Inconclusive, why)
	}
	now, old := side(w.Gaining), side(w.Losing)
	m.Value, m.Old = share(now), share(old)
	out, msg := j.looks(s, "target 5XX and connection errors of the gaining side", func(w ALBWindow) (Counts, Counts) {
		return side(w.Gaining), side(w.Losing)
	}, side(s.Before.Losing))
	if out == Worse {
		return verdict(m, Failed, msg)
	}
	if missing := silent(w.Gaining); missing != "" && now.Errors == 0 {
		return s.idle(m, "requests of "+missing)
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
	out, msg := j.looks(s, "502, 503 and 504 of the load balancer", func(w ALBWindow) (Counts, Counts) {
		return balancer(w), Counts{}
	}, before)
	switch {
	case out == Worse:
		return verdict(m, Failed, msg)
	case w.Requests == nil && now.Errors == 0:
		return s.idle(m, "requests of the load balancer")
	case out == Doubtful:
		return verdict(m, Inconclusive, msg)
	}
	return verdict(m, Successful, "")
}

// recent is how many windows are looked at together besides the newest one and all of
// the step: in a long bake the good hours before would hide what goes wrong now.
const recent = 5

// looks compares the newest window, the recent ones and the whole step. Any of them can
// fail; the recent ones alone can make a step wait.
func (j ALB) looks(s ALBStep, what string, of func(ALBWindow) (now, old Counts), before Counts) (Outcome, string) {
	n := len(s.Windows)
	spans := slices.Compact([]int{1, min(n, recent), n})
	level := j.Rule.level(n) / float64(len(spans))
	doubt, why := NotWorse, ""
	for _, k := range spans {
		var now, old Counts
		for _, w := range s.Windows[n-k:] {
			if w.unusable() == "" {
				a, b := of(w)
				now, old = now.Add(a), old.Add(b)
			}
		}
		out := j.Rule.Compare(now, old, before, level)
		if out == NotWorse || out == Doubtful && k != min(n, recent) {
			continue
		}
		msg := j.explain(what, now, old, before, Window{s.Windows[n-k].Start, s.Windows[n-1].End})
		if out == Worse {
			return Worse, msg + fmt.Sprintf("; by chance alone with p < %.2g", level)
		}
		doubt, why = Doubtful, msg+"; it could still be chance"
	}
	return doubt, why
}

// HealthyHosts wants a healthy target in each gaining destination that carries weight,
// all through the window. Its value is the least number of any.
func (j ALB) HealthyHosts(s ALBStep) Measurement {
	w, m := s.newest()
	if !receives(w.Gaining) {
		return verdict(m, Successful, "no gaining destination carries weight yet")
	}
	if !w.Complete {
		return verdict(m, Inconclusive, fmt.Sprintf("the source's answer for %s is incomplete", w.Window))
	}
	var unknown []string
	for _, d := range w.Gaining {
		switch {
		case d.Share <= 0:
			continue
		case d.Healthy == nil || !count(*d.Healthy):
			unknown = append(unknown, d.Name)
			continue
		case *d.Healthy < 1:
			return verdict(m, Failed, fmt.Sprintf("HealthyHostCount of %s fell to %s in %s; at least 1 is needed", d.Name, num(*d.Healthy), w.Window))
		}
		if m.Value == nil || *d.Healthy < *m.Value {
			m.Value = d.Healthy
		}
	}
	if unknown != nil {
		return verdict(m, Inconclusive, fmt.Sprintf("no HealthyHostCount of %s in %s", strings.Join(unknown, ", "), w.Window))
	}
	return verdict(m, Successful, "")
}

// idle judges a newest window without requests.
func (s ALBStep) idle(m Measurement, missing string) Measurement {
	w, _ := s.newest()
	if why := s.notIdle(); why != "" {
		return verdict(m, Inconclusive, fmt.Sprintf("no %s in %s: %s", missing, w.Window, why))
	}
	return verdict(m, Successful, fmt.Sprintf("idle in %s as it was before the shift: judged by the healthy targets alone", w.Window))
}

// notIdle says why a window without requests cannot be called idle; "" when it can:
// the route was idle before the shift too, its targets are known to be watched in this
// very window (so metrics do arrive), and nothing else says that there is traffic.
func (s ALBStep) notIdle() string {
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
	for _, d := range w.Gaining {
		if d.Share > 0 && d.Healthy == nil {
			return fmt.Sprintf("and no HealthyHostCount of %s either", d.Name)
		}
	}
	return ""
}

// explain gives both sides' values and counts, the bound and the window.
func (j ALB) explain(what string, now, old, before Counts, w Window) string {
	ref, name := old, "the losing side's"
	if old.trials() == 0 {
		ref, name = before, "the level before the shift"
	}
	against := fmt.Sprintf("%s %s", name, ref)
	if ref.trials() == 0 {
		against = "0% (nothing to compare with)"
	}
	unit := "percentage points"
	if j.Rule.Margin == 0.01 {
		unit = "percentage point"
	}
	return fmt.Sprintf("%s: %s against %s in %s; tolerated: %s %s more",
		what, now, against, w, num(100*j.Rule.Margin), unit)
}

func (s ALBStep) newest() (ALBWindow, Measurement) {
	w := s.Windows[len(s.Windows)-1]
	return w, Measurement{Start: w.Start, End: w.End}
}

// unusable says what is wrong with the numbers of the newest window, or with those to
// compare it with.
func (s ALBStep) unusable() string {
	w, _ := s.newest()
	if why := w.unusable(); why != "" {
		return why
	}
	if why := s.Before.unusable(); why != "" {
		return "before the shift: " + why
	}
	return ""
}

// unusable says what is wrong with the numbers themselves.
func (w ALBWindow) unusable() string {
	if !w.Complete {
		return fmt.Sprintf("the source's answer for %s is incomplete", w.Window)
	}
	bad := func(name string, v *float64) string {
		if v == nil || count(*v) {
			return ""
		}
		return fmt.Sprintf("%s is %v in %s, which is no count", name, *v, w.Window)
	}
	for _, d := range append(append([]ALBDestination{}, w.Gaining...), w.Losing...) {
		for _, why := range []string{
			bad("RequestCount of "+d.Name, d.Requests),
			bad("HTTPCode_Target_5XX_Count of "+d.Name, d.Errors),
			bad("TargetConnectionErrorCount of "+d.Name, d.ConnectionErrors),
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

func receives(ds []ALBDestination) bool {
	for _, d := range ds {
		if d.Share > 0 {
			return true
		}
	}
	return false
}

func busy(ds []ALBDestination) bool {
	for _, d := range ds {
		if some(d.Requests) || some(d.Answers) || some(d.Errors) || some(d.ConnectionErrors) {
			return true
		}
	}
	return false
}

func some(v *float64) bool { return v != nil && *v > 0 }

func value(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}

func share(c Counts) *float64 {
	if c.trials() == 0 {
		return nil
	}
	s := c.Share()
	return &s
}

func verdict(m Measurement, v Verdict, msg string) Measurement {
	m.Verdict, m.Message = v, msg
	return m
}
