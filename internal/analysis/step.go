package analysis

import (
	"fmt"
	"strings"
	"time"
)

// Judged is one metric's measurements of a step, oldest first.
type Judged struct {
	Name         string
	FailureLimit int // failed measurements tolerated
	// First is when the first measurement is complete at the source.
	First        time.Time
	Measurements []Measurement
}

// JudgeStep makes one verdict of all metrics. A failure outweighs everything, an error
// everything but a failure; success needs a pass of every metric whose newest complete
// window is conclusive. A step without metrics is Successful: there is nothing to ask.
func JudgeStep(metrics []Judged) Report {
	var failed, broken, waiting string
	var unmeasured []string
	r := Report{Verdict: Successful}
	for _, m := range metrics {
		t := tally(m)
		r.Metrics = append(r.Metrics, t)
		if m.First.After(r.First) {
			r.First = m.First
		}
		switch {
		case t.Failed > t.FailureLimit:
			note(&failed, m.Name, failure(m, t))
		case t.Last.Verdict == Error:
			note(&broken, m.Name, t.Last.Message)
		case len(m.Measurements) == 0:
			unmeasured = append(unmeasured, m.Name)
		case t.Last.Verdict == Inconclusive:
			note(&waiting, m.Name, t.Last.Message)
		case t.Passed == 0:
			note(&waiting, m.Name, fmt.Sprintf("%d of %d tolerated failures and no pass yet: %s", t.Failed, t.FailureLimit, t.Last.Message))
		}
	}
	if unmeasured != nil {
		what := "the first measurement"
		if len(unmeasured) < len(metrics) {
			what += " of " + strings.Join(unmeasured, ", ")
		}
		if waiting != "" {
			waiting += "; "
		}
		waiting += fmt.Sprintf("%s is complete at %s", what, r.First.UTC().Format("15:04:05Z"))
	}
	switch {
	case failed != "":
		r.Verdict, r.Message = Failed, failed
	case broken != "":
		r.Verdict, r.Message = Error, broken
	case waiting != "":
		r.Verdict, r.Message = Inconclusive, waiting
	}
	return r
}

func tally(m Judged) MetricReport {
	r := MetricReport{Name: m.Name, FailureLimit: m.FailureLimit}
	for _, v := range m.Measurements {
		r.Last = v
		switch v.Verdict {
		case Successful:
			r.Passed++
		case Failed:
			r.Failed++
		case Inconclusive:
			r.Inconclusive++
		case Error:
		}
	}
	return r
}

// failure is the message of the measurement that went over the limit.
func failure(m Judged, t MetricReport) string {
	n := 0
	for _, v := range m.Measurements {
		if v.Verdict != Failed {
			continue
		}
		if n++; n > t.FailureLimit {
			if t.FailureLimit == 0 {
				return v.Message
			}
			return fmt.Sprintf("%s (failure %d, failureLimit %d)", v.Message, n, t.FailureLimit)
		}
	}
	return ""
}

// note joins messages, each after its metric's name.
func note(to *string, name, msg string) {
	if *to != "" {
		*to += "; "
	}
	*to += name + ": " + msg
}
