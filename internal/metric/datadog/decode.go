package datadog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/metric"
)

// answer is the body of GET /api/v1/query, as far as it is read.
type answer struct {
	Status string
	Error  string
	Series []struct {
		Expression string
		Scope      string
		Interval   float64
		// PointList holds [Unix milliseconds, value]; a value is null where nothing
		// was reported.
		PointList [][]*float64
	}
}

// decode an answer. HTTP 200 may carry an error; no series is no data; null is no data,
// never 0. Points that do not lie within the window as a whole are left out: the newest
// one may still be growing.
func decode(body []byte, w analysis.Window) ([]metric.Series, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, fmt.Errorf("the answer cannot be read: %w", err)
	}
	if a.Status != "ok" {
		return nil, fmt.Errorf("status %q: %s", a.Status, a.Error)
	}
	var out []metric.Series
	for _, s := range a.Series {
		period := interval(s.Interval)
		points := metric.Series{Label: strings.TrimSpace(s.Expression + " " + s.Scope)}
		var before *float64
		for _, p := range s.PointList {
			if len(p) != 2 || p[0] == nil || *p[0] < 0 || *p[0] > 1e14 {
				return nil, errors.New("the answer cannot be read: a point is not [milliseconds, value]")
			}
			if before != nil {
				period = time.Duration(*p[0]-*before) * time.Millisecond
			}
			before = p[0]
		}
		if period > w.End.Sub(w.Start) {
			return nil, fault.Terminal("InvalidQuery", fmt.Errorf("the query's points are %s apart, the metric's interval is %s: raise the interval or lower the rollup", period, w.End.Sub(w.Start)))
		}
		for _, p := range s.PointList {
			at := time.UnixMilli(int64(*p[0])).UTC()
			if p[1] != nil && w.Contains(at, max(period, 0)) {
				points.Points = append(points.Points, metric.Point{Time: at, Value: *p[1]})
			}
		}
		out = append(out, points)
	}
	return out, nil
}

// interval between points. The API reference says milliseconds; answers have been seen
// with seconds. What is below 1000, or no whole number of seconds in milliseconds, can
// only be seconds.
func interval(v float64) time.Duration {
	switch {
	case !(v > 0) || v > 1e12:
		return 0
	case v < 1000 || int64(v)%1000 != 0:
		return time.Duration(v * float64(time.Second))
	}
	return time.Duration(v * float64(time.Millisecond))
}

// apiErrors is the text of an answer that is not 200: {"errors": […]}.
func apiErrors(a metric.Answer) string {
	var body struct{ Errors []string }
	if err := json.Unmarshal(a.Body, &body); err != nil || len(body.Errors) == 0 {
		return a.Excerpt()
	}
	return strings.Join(body.Errors, "; ")
}
