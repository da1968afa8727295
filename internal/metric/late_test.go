package metric

import (
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/analysis"
)

// sickAt is a load balancer on which green fails a fifth of its requests in one minute.
func sickAt(sick int) func(Query) Result {
	return func(q Query) Result {
		r := Result{Complete: true, Series: []Series{{Label: "x"}}}
		for at := q.Start; at.Before(q.End); at = at.Add(time.Minute) {
			v := 0.0
			switch {
			case strings.Contains(q.Text, `"RequestCount"`), strings.Contains(q.Text, "2XX"):
				v = 1000
			case strings.Contains(q.Text, "HealthyHost"):
				v = 2
			case strings.Contains(q.Text, "Target_5XX") && strings.Contains(q.Text, "targetgroup/green") && minute(at) == sick:
				v = 200
			default:
				continue
			}
			r.Series[0].Points = append(r.Series[0].Points, Point{at, v})
		}
		return r
	}
}

// The source is two minutes late: what it shows now began under the weights before.
func TestLateDataOfTheWeightsBeforeFailTheStepAndNeverPassIt(t *testing.T) {
	second := func(now float64) analysis.Request {
		req := request(now)
		req.Before, req.Since = req.Since, at(5.1)
		return req
	}
	for name, tc := range map[string]struct {
		sick      int
		remembers bool
		before    bool
		failed    float64 // minute at which the step fails; 0: never
	}{
		"in a window that was complete only after the next write":    {3, true, true, 6},
		"in the window of the write itself":                          {5, true, true, 8},
		"and by a process that has not seen the step before":         {3, false, true, 6},
		"but not where somebody else's weights were live":            {3, true, false, 0},
		"a healthy step before makes no success":                     {-1, true, true, 0},
		"what these weights do is judged in their own first windows": {6, true, true, 9},
	} {
		t.Run(name, func(t *testing.T) {
			src := &fakeSource{answer: sickAt(tc.sick)}
			a := mustNew(t, Config{Builtin: true, ALB: &ALB{ARN: lbARN, Source: src, Timing: errorsBelow(src).Timing}})
			for now := 3.0; now <= 5 && tc.remembers; now++ {
				if r := a.Analyze(t.Context(), request(now)); r.Verdict == analysis.Failed {
					t.Fatalf("minute %v of the step before: %s", now, r.Message)
				}
			}
			for now := 6.0; now <= 9; now++ {
				req := second(now)
				if !tc.before {
					req.Before = time.Time{}
				}
				r := a.Analyze(t.Context(), req)
				want := analysis.Inconclusive
				switch {
				case tc.failed != 0 && now >= tc.failed:
					want = analysis.Failed
				case now == 9: // the first window of these weights is complete
					want = analysis.Successful
				}
				if r.Verdict != want {
					t.Errorf("minute %v: %s %q, want %s", now, r.Verdict, r.Message, want)
				}
				if next := at(now + 1); tc.before && now < 8 && !r.Next.Equal(next) {
					t.Errorf("minute %v: looks again at %s, want %s", now, r.Next, next)
				}
			}
		})
	}
}

// A user's metric is followed in the same way, and counts a failure once: one that the
// step before has counted is not counted again.
func TestLateDataOfTheWeightsBeforeCountOnceInAUsersMetric(t *testing.T) {
	for name, tc := range map[string]struct {
		sick   int
		limit  int
		failed map[float64]int // failures in the report at each minute
	}{
		"known only after the next write": {3, 0, map[float64]int{6: 1, 7: 1, 8: 1, 9: 1}},
		"counted by the step before":      {1, 1, map[float64]int{6: 0, 7: 0, 8: 0, 9: 0}},
		"of these weights":                {6, 0, map[float64]int{6: 0, 7: 0, 8: 0, 9: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			src := &fakeSource{answer: func(q Query) Result {
				v := 0.0
				if minute(q.Start) == tc.sick {
					v = 20
				}
				return value(v)(q)
			}}
			m := errorsBelow(src)
			m.FailureLimit = tc.limit
			a := mustNew(t, Config{Metrics: []Metric{m}})
			for now := 3.0; now <= 5; now++ {
				a.Analyze(t.Context(), request(now))
			}
			for now := 6.0; now <= 9; now++ {
				req := request(now)
				req.Before, req.Since = req.Since, at(5.1)
				r := a.Analyze(t.Context(), req)
				if got := r.Metrics[0].Failed; got != tc.failed[now] || (r.Verdict == analysis.Failed) != (got > tc.limit) {
					t.Errorf("minute %v: %d failures, want %d; %s %q", now, got, tc.failed[now], r.Verdict, r.Message)
				}
				if next := at(now + 1); now < 8 && !r.Next.Equal(next) {
					t.Errorf("minute %v: looks again at %s, want %s", now, r.Next, next)
				}
			}
		})
	}
}
