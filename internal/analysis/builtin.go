package analysis

import (
	"fmt"
	"slices"
	"strings"
)

// What the built-in judgements of all kinds of load balancers share.

// Step is what is known about a step's windows, oldest first. The newest is judged,
// alone and together with those before it.
type Step[W Observed] struct {
	Windows []W
	// Before is the level to compare with: the windows before the shift's first write,
	// added up.
	Before W
}

// Observed is a window of what some kind of load balancer counted.
type Observed interface {
	span() Window
	// unusable says what is wrong with the numbers themselves; "" when nothing is.
	unusable() string
}

func (s Step[W]) newest() (W, Measurement) {
	w := s.Windows[len(s.Windows)-1]
	return w, Measurement{Start: w.span().Start, End: w.span().End}
}

// unusable says what is wrong with the numbers of the newest window, or with those to
// compare it with.
func (s Step[W]) unusable() string {
	w, _ := s.newest()
	if why := w.unusable(); why != "" {
		return why
	}
	if why := s.Before.unusable(); why != "" {
		return "before the shift: " + why
	}
	return ""
}

// idle is the verdict on a newest window in which something is missing that would tell of
// traffic. notIdle says why it cannot be called idle; "" when it can.
func idle(m Measurement, w Window, missing, notIdle string) Measurement {
	if notIdle != "" {
		return verdict(m, Inconclusive, fmt.Sprintf("no %s in %s: %s", missing, w, notIdle))
	}
	return verdict(m, Successful, fmt.Sprintf("idle in %s as it was before the shift: judged by the healthy targets alone", w))
}

// recent is how many windows are looked at together besides the newest one and all of
// the step: in a long bake the good hours before would hide what goes wrong now.
const recent = 5

// looks compares the newest window, the recent ones and the whole step, which are oldest
// first. Any of them can fail; the recent ones alone can make a step wait.
func looks[W Observed](rule Comparison, windows []W, what string, of func(W) (now, old Counts), before Counts) (Outcome, string) {
	n := len(windows)
	spans := slices.Compact([]int{1, min(n, recent), n})
	level := rule.level(n) / float64(len(spans))
	doubt, why := NotWorse, ""
	for _, k := range spans {
		var now, old Counts
		for _, w := range windows[n-k:] {
			if w.unusable() == "" {
				a, b := of(w)
				now, old = now.Add(a), old.Add(b)
			}
		}
		out := rule.Compare(now, old, before, level)
		if out == NotWorse || out == Doubtful && k != min(n, recent) {
			continue
		}
		msg := rule.explain(what, now, old, before, Window{windows[n-k].span().Start, windows[n-1].span().End})
		if out == Worse {
			return Worse, msg + fmt.Sprintf("; by chance alone with p < %.2g", level)
		}
		doubt, why = Doubtful, msg+"; it could still be chance"
	}
	return doubt, why
}

// explain gives both sides' values and counts, the bound and the window.
func (c Comparison) explain(what string, now, old, before Counts, w Window) string {
	ref, name := old, "the losing side's"
	if old.trials() == 0 {
		ref, name = before, "the level before the shift"
	}
	against := fmt.Sprintf("%s %s", name, ref)
	if ref.trials() == 0 {
		against = "0% (nothing to compare with)"
	}
	unit := "percentage points"
	if c.Margin == 0.01 {
		unit = "percentage point"
	}
	return fmt.Sprintf("%s: %s against %s in %s; tolerated: %s %s more",
		what, now, against, w, num(100*c.Margin), unit)
}

// Hosts are the healthy targets of a destination in a window.
type Hosts struct {
	Name    string
	Share   float64  // of the live split, 0–1
	Healthy *float64 // least number of healthy targets; nil: not reported
}

// healthyHosts wants a healthy target in each gaining destination that carries weight,
// all through the window. The value of m becomes the least number of any.
func healthyHosts(m Measurement, w Window, complete bool, gaining []Hosts) Measurement {
	if !carries(gaining) {
		return verdict(m, Successful, "no gaining destination carries weight yet")
	}
	if !complete {
		return verdict(m, Inconclusive, incomplete(w))
	}
	var unknown []string
	for _, d := range gaining {
		switch {
		case d.Share <= 0:
			continue
		case d.Healthy == nil || !count(*d.Healthy):
			unknown = append(unknown, d.Name)
			continue
		case *d.Healthy < 1:
			return verdict(m, Failed, fmt.Sprintf("HealthyHostCount of %s fell to %s in %s; at least 1 is needed", d.Name, num(*d.Healthy), w))
		}
		if m.Value == nil || *d.Healthy < *m.Value {
			m.Value = d.Healthy
		}
	}
	if unknown != nil {
		return verdict(m, Inconclusive, fmt.Sprintf("no HealthyHostCount of %s in %s", strings.Join(unknown, ", "), w))
	}
	return verdict(m, Successful, "")
}

// carries tells whether any of the destinations has weight.
func carries(ds []Hosts) bool {
	return slices.ContainsFunc(ds, func(d Hosts) bool { return d.Share > 0 })
}

// unwatched says which destination that carries weight has no count of healthy targets;
// "" when all have: metrics do arrive.
func unwatched(ds []Hosts) string {
	for _, d := range ds {
		if d.Share > 0 && d.Healthy == nil {
			return fmt.Sprintf("and no HealthyHostCount of %s either", d.Name)
		}
	}
	return ""
}

func incomplete(w Window) string {
	return fmt.Sprintf("the source's answer for %s is incomplete", w)
}

// noCount says why v is no count; "" when it is one, or is not there.
func noCount(name string, v *float64, w Window) string {
	if v == nil || count(*v) {
		return ""
	}
	return fmt.Sprintf("%s is %v in %s, which is no count", name, *v, w)
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
