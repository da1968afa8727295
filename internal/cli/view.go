package cli

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// view is what is known of a run from its events.
type view struct {
	spec  shift.Spec
	names namer

	last       engine.Event
	said       engine.Event  // the last one with a message
	split      traffic.Split // as last seen
	report     *analysis.Report
	rates      map[string]float64 // requests per second by destination, as last measured
	stepSince  time.Time          // when the step's weights were written
	bakeSince  time.Time
	drainSince time.Time
}

func newView(spec shift.Spec, names namer) *view { return &view{spec: spec, names: names} }

// take an event in.
func (v *view) take(e engine.Event) {
	if e.Step != v.last.Step || v.stepSince.IsZero() || e.Kind == engine.EventWritten {
		v.stepSince = e.At
	}
	if e.Phase == shift.Baking && v.bakeSince.IsZero() {
		v.bakeSince = e.At
	}
	if e.Phase == shift.Draining && v.drainSince.IsZero() {
		v.drainSince = e.At
	}
	if e.Step != v.last.Step {
		v.report = nil // it was about other weights
	}
	if e.Report != nil {
		v.report = e.Report
		if e.Report.Rates != nil {
			v.rates = e.Report.Rates
		}
	}
	if len(e.Split) > 0 {
		v.split = e.Split
	}
	if e.Message != "" {
		v.said = e
	}
	v.last = e
}

// where the traffic was last seen.
func (v *view) where() string {
	if len(v.split) == 0 {
		return "weights that were not read yet"
	}
	return v.names.split(v.split)
}

// step is "step 3/10", or "" before the first.
func (v *view) step() string {
	if v.last.Step < 0 || v.last.Steps == 0 {
		return ""
	}
	return fmt.Sprintf("step %d/%d", v.last.Step+1, v.last.Steps)
}

// left is the least time until the shift is done; ok is false when that cannot be said.
func (v *view) left(now time.Time) (d time.Duration, ok bool) {
	switch v.last.Phase {
	case shift.Preparing, shift.Shifting:
		for i := max(v.last.Step, 0); i < len(v.spec.Steps); i++ {
			d += max(v.spec.Steps[i].Hold, v.last.Lag+v.spec.Timing.Window())
			if i == v.last.Step {
				d = max(0, d-now.Sub(v.stepSince))
			}
		}
		return d + v.spec.Bake + v.last.Drain, true
	case shift.Baking:
		return max(0, v.spec.Bake-now.Sub(v.bakeSince)) + v.last.Drain, true
	case shift.Draining:
		return max(0, v.last.Drain-now.Sub(v.drainSince)), true
	default:
		return 0, false
	}
}

// leftText is "at least 9m41s left", with the approvals that it waits for.
func (v *view) leftText(now time.Time) string {
	left, ok := v.left(now)
	if !ok || v.last.Kind == "" {
		return ""
	}
	text := "at least " + short(left.Round(time.Second))
	rest := v.spec.Steps[min(max(v.last.Step, 0), len(v.spec.Steps)):]
	if v.last.Phase != shift.Baking && v.last.Phase != shift.Draining && slices.ContainsFunc(rest, func(s shift.Step) bool { return s.Approval }) {
		text += " and an approval"
	}
	return text + " left"
}

// next is when the run looks again: "next look in 12s".
func (v *view) next(now time.Time) string {
	if v.last.Next.IsZero() || !v.last.Next.After(now) {
		return ""
	}
	return "next look in " + short(v.last.Next.Sub(now).Round(time.Second))
}

// metricCells is a row about one metric: verdict, name, both sides, counts, message.
func metricCells(m analysis.MetricReport) []string {
	return []string{
		mark(m.Last.Verdict), m.Name, sides(m.Last),
		fmt.Sprintf("%d passed, %d failed (%d tolerated)", m.Passed, m.Failed, m.FailureLimit),
		clean(m.Last.Message),
	}
}

// mark of a verdict.
func mark(v analysis.Verdict) string {
	switch v {
	case analysis.Successful:
		return "✓"
	case analysis.Failed:
		return "✗"
	case analysis.Error:
		return "!"
	default:
		return "?"
	}
}

// sides are the values of the new and the old side: "0.2 (old 0.1)".
func sides(m analysis.Measurement) string {
	if m.Value == nil {
		return "no data"
	}
	text := number(*m.Value)
	if m.Old != nil {
		text += " (old " + number(*m.Old) + ")"
	}
	return text
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', 4, 64) }
