package metric

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/analysis"
)

// openConnections must be 0, measured each minute, complete 2 minutes after.
func openConnections(src Source) *Metric {
	m := errorsBelow(src)
	m.Name, m.Query, m.Max = "open", "connections of {{.Old.Name}}", new(0.0)
	return &m
}

func draining(now float64) analysis.Request {
	req := request(now)
	req.Drain = true
	return req
}

func TestTheDrainsMetricSaysWhetherAnyConnectionIsLeft(t *testing.T) {
	for name, tc := range map[string]struct {
		answer  func(Query) Result
		drained bool
		text    string
	}{
		"none is left":      {value(0), true, "Successful"},
		"some are":          {value(7), false, "7 in 12:01:00–12:02:00Z is above max 0"},
		"no data is none":   {nothing, false, "no data"},
		"it cannot be told": {func(Query) Result { return Result{Err: fmt.Errorf("throttled")} }, false, "throttled"},
	} {
		t.Run(name, func(t *testing.T) {
			src := &fakeSource{answer: tc.answer}
			a := mustNew(t, Config{Drain: openConnections(src)})
			r := a.Analyze(t.Context(), draining(4))
			if r.Drained() != tc.drained || !strings.Contains(r.DrainText(), tc.text) {
				t.Errorf("drained %v, %q; want %v, %q", r.Drained(), r.DrainText(), tc.drained, tc.text)
			}
			if r.Verdict != analysis.Successful || len(r.Metrics) != 0 {
				t.Errorf("the drain has a part in the verdict: %+v", r)
			}
			if !r.Next.After(at(4)) || r.Next.After(at(5)) {
				t.Errorf("looks again at %s", r.Next)
			}
		})
	}
}

func TestTheDrainsMetricIsAskedInTheDrainOnlyAndForTheNewestWindow(t *testing.T) {
	src := &fakeSource{answer: value(3)}
	a := mustNew(t, Config{Drain: openConnections(src)})
	if r := a.Analyze(t.Context(), request(10)); r.Drain != nil || src.asked() != "" {
		t.Errorf("before the drain: %+v", r.Drain)
	}
	if r := a.Analyze(t.Context(), draining(3.5)); r.Drain != nil || r.DrainText() != "not measured yet" || src.asked() != "" || !r.Next.Equal(at(4)) {
		t.Errorf("before any window is complete: %+v", r)
	}
	a.Analyze(t.Context(), draining(10))
	a.Analyze(t.Context(), draining(10.5)) // what is known is not asked for again
	a.Analyze(t.Context(), draining(11))
	if got := src.asked(); got != "open 7-8; open 8-9" {
		t.Errorf("asked %s", got)
	}
	src.answer = nothing
	a.Analyze(t.Context(), draining(12))
	src.answer = value(0) // late data
	if r := a.Analyze(t.Context(), draining(13)); !r.Drained() {
		t.Errorf("%s", r.DrainText())
	}
	if got := src.asked(); got != "open 9-10; open 10-11" {
		t.Errorf("asked %s", got)
	}
}

func TestADrainsMetricLeavesTheOthersAlone(t *testing.T) {
	src := &fakeSource{answer: value(1)}
	a := mustNew(t, Config{Drain: openConnections(src), Metrics: []Metric{errorsBelow(src)}})
	r := a.Analyze(t.Context(), draining(4))
	if r.Verdict != analysis.Successful || len(r.Metrics) != 1 || r.Drained() || len(src.calls) != 1 {
		t.Errorf("%+v", r)
	}
	if got, want := a.Timing(), mustNew(t, Config{Metrics: []Metric{errorsBelow(src)}}).Timing(); got != want {
		t.Errorf("the drain slows the steps: %+v, want %+v", got, want)
	}
}

func TestADrainsMetricIsChecked(t *testing.T) {
	src := &fakeSource{answer: value(0)}
	for part, change := range map[string]func(*Metric){
		"drain metric: no source is set":     func(m *Metric) { m.Source = nil },
		"drain metric: minRequests":          func(m *Metric) { m.MinRequests = 1 },
		"drain metric: query":                func(m *Metric) { m.Query = "" },
		"drain metric: interval: -1s is not": func(m *Metric) { m.Interval = -time.Second },
	} {
		m := openConnections(src)
		change(m)
		_, err := New(Config{Drain: m})
		wantTerminal(t, err, part)
	}
	m := openConnections(src)
	m.Query = "syntax error"
	if err := mustNew(t, Config{Drain: m}).Preflight(t.Context(), request(0)); err == nil || !strings.Contains(err.Error(), "drain metric: query: is wrong") {
		t.Errorf("preflight: %v", err)
	}
	notes, err := mustNew(t, Config{Drain: openConnections(src)}).Probe(t.Context(), request(0))
	if err != nil || len(notes) != 1 || !strings.HasPrefix(notes[0], "drain metric: 0 in ") {
		t.Errorf("%v, %v", notes, err)
	}
}
