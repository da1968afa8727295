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
