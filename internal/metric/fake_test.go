package metric

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/traffic"
)

var _ engine.Analyzer = (*Analyzer)(nil)

const (
	arns  = "arn:aws:elasticloadbalancing:us-east-1:000000000000:"
	lbARN = arns + "loadbalancer/app/web/0123456789abcdef"
	blue  = arns + "targetgroup/blue/0123456789abcdef"
	green = arns + "targetgroup/green/0123456789abcdef"
)

// fakeSource answers by a function, and remembers what it was asked.
type fakeSource struct {
	answer func(q Query) Result
	period time.Duration
	calls  [][]Query
}

func (f *fakeSource) Validate(text string) (time.Duration, error) {
	if strings.Contains(text, "syntax error") {
		return 0, errors.New("is wrong")
	}
	return f.period, nil
}

func (f *fakeSource) Query(_ context.Context, qs []Query) []Result {
	f.calls = append(f.calls, qs)
	out := make([]Result, len(qs))
	for i, q := range qs {
		out[i] = f.answer(q)
	}
	return out
}

// asked lists the windows of all calls since the last time, in minutes.
func (f *fakeSource) asked() string {
	var out []string
	for _, c := range f.calls {
		var in []string
		for _, q := range c {
			in = append(in, fmt.Sprintf("%s %d-%d", q.Metric, minute(q.Start), minute(q.End)))
		}
		out = append(out, strings.Join(in, ", "))
	}
	f.calls = nil
	return strings.Join(out, "; ")
}

func start() time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) }

func at(minutes float64) time.Time {
	return start().Add(time.Duration(minutes * float64(time.Minute)))
}

func minute(t time.Time) int { return int(t.Sub(start()) / time.Minute) }

// value answers every window with one point.
func value(v float64) func(Query) Result {
	return func(q Query) Result {
		return Result{Complete: true, Series: []Series{{Label: "x", Points: []Point{{q.Start, v}}}}}
	}
}

func nothing(Query) Result { return Result{Complete: true} }

// errorsBelow is a metric that has to be at most 1, measured each minute, complete 2
// minutes after.
func errorsBelow(src Source) Metric {
	return Metric{
		Name: "errors", Source: src, Query: "errors of {{.New.Name}}", Threshold: analysis.Threshold{Max: new(1.0)},
		Interval: time.Minute, Timing: analysis.Timing{Settle: 10 * time.Second, Period: time.Minute, Delay: 2 * time.Minute},
	}
}

func request(now float64) analysis.Request {
	return analysis.Request{
		Started: at(0), Since: at(0.1), Now: at(now), Gaining: []string{green}, Losing: []string{blue},
		Live: traffic.Split{{ID: blue, Weight: 90}, {ID: green, Weight: 10}},
	}
}

func mustNew(t *testing.T, cfg Config) *Analyzer {
	t.Helper()
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func wantTerminal(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil || !fault.IsTerminal(err) {
		t.Errorf("error %v, want a terminal one", err)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}
