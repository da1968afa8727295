// Package analysis judges measurements. It is pure: it gets numbers and the windows
// they belong to, and says what they mean for a shift. Fetching them is the work of
// the metric packages; acting on a verdict that of package shift.
package analysis

import (
	"time"

	"github.com/norikae/norikae/internal/traffic"
)

// Verdict on a measurement, or on a step.
type Verdict string

// The verdicts. Only Successful lets a shift advance; no data is never Successful
// unless the user's policy says so.
const (
	Successful   Verdict = "Successful"
	Failed       Verdict = "Failed"
	Inconclusive Verdict = "Inconclusive" // no data, too few requests, window not complete
	Error        Verdict = "Error"        // the source could not be asked
)

// NoData says what a window without data means for a metric.
type NoData string

// The policies for a window without data.
const (
	NoDataHold NoData = "hold" // wait up to maxHold, then onFailure (default)
	NoDataPass NoData = "pass"
	NoDataFail NoData = "fail"
)

// Timing of a metric source: when a measurement that began after a weight change is
// complete at the source.
type Timing struct {
	Settle time.Duration // from a verified write until the new weights are in force everywhere
	Period time.Duration // of one data point
	Delay  time.Duration // from a period's end until its data is complete at the source
}

// Window is the shortest time from a write to its first complete measurement.
func (t Timing) Window() time.Duration { return t.Settle + t.Period + t.Delay }

// Request asks for everything that can be measured by now about the weights that are
// live since a moment.
type Request struct {
	// Started is when the shift's first write was about to be made. Windows that end
	// before it are the level to compare with (the baseline).
	Started time.Time
	// Since is when the weights under judgement were verified to be live. The analyzer
	// adds the settle time and aligns to the source's periods.
	Since time.Time
	// Before is when the judged weights before these were verified to be live; zero:
	// there were none, or somebody else wrote meanwhile. What becomes known about them
	// only now, because the source is late, can fail the step and never pass it.
	Before time.Time
	Now    time.Time
	// Live is the split under judgement; Gaining and Losing are the IDs of the
	// destinations whose share the whole shift raises and lowers.
	Live    traffic.Split
	Gaining []string
	Losing  []string
	// Drain asks for the drain's metric too.
	Drain bool
}

// Report is what is known about a step's weights at a moment.
type Report struct {
	// Verdict: Failed as soon as one metric has more failures than its limit within
	// this step; Successful when every metric has at least one passing measurement and
	// none is inconclusive in its newest complete window; else Inconclusive or Error.
	Verdict Verdict        `json:"verdict"`
	Metrics []MetricReport `json:"metrics,omitempty"`
	// First is when the first measurement of every metric is complete at its source;
	// zero: there is nothing to wait for.
	First time.Time `json:"first,omitzero"`
	// Next is when the next measurement will be complete at its source. The engine
	// asks again then.
	Next time.Time `json:"next"`
	// Rates are the requests per second of each destination in the newest window that
	// the built-in analysis knows, by ID; for displays.
	Rates map[string]float64 `json:"rates,omitempty"`
	// Drain is the newest measurement of the drain's metric; nil: there is none, or it was
	// not asked for. It has no part in the verdict.
	Drain *Measurement `json:"drain,omitempty"`
	// Message explains a verdict that is not Successful: the metric, both sides'
	// values, the bound.
	Message string `json:"message,omitempty"`
}

// Drained tells whether the drain's metric passes.
func (r Report) Drained() bool { return r.Drain != nil && r.Drain.Verdict == Successful }

// DrainText says what the drain's metric says.
func (r Report) DrainText() string {
	switch {
	case r.Drain == nil:
		return "not measured yet"
	case r.Drain.Message != "":
		return r.Drain.Message
	}
	return "verdict: " + string(r.Drain.Verdict)
}

// MetricReport counts one metric's measurements of this step by verdict.
type MetricReport struct {
	Name         string      `json:"name"`
	Passed       int         `json:"passed"`
	Failed       int         `json:"failed"`
	Inconclusive int         `json:"inconclusive"`
	FailureLimit int         `json:"failureLimit"` // failures tolerated over the whole shift
	Last         Measurement `json:"last"`
}

// Measurement is one window of one metric, judged.
type Measurement struct {
	Start   time.Time `json:"start,omitzero"`
	End     time.Time `json:"end,omitzero"`      // exclusive
	Value   *float64  `json:"value,omitempty"`   // nil: no data
	Old     *float64  `json:"old,omitempty"`     // the old side's value, for paired comparisons
	Verdict Verdict   `json:"verdict,omitempty"` // "": nothing was measured yet
	Message string    `json:"message,omitempty"`
}
