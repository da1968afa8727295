package cli

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got); after a look at it, run with -update:\n%s", path, d)
	}
}

const (
	listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/web/0123456789abcdef/1123456789abcdef"
	blue     = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0123456789abcdef"
	green    = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/green/1123456789abcdef"

	shiftYAML = `apiVersion: norikae.dev/v1alpha1
kind: TrafficShift
metadata: {name: web}
spec:
  route:
    alb:
      listenerARN: ` + listener + `
      rule: {priority: 10, hosts: [example.com]}
  destinations:
  - {name: blue, targetGroupARN: "` + blue + `", weight: 0}
  - {name: green, targetGroupARN: "` + green + `", weight: 100}
  strategy: {stepWeight: 50, stepInterval: 1m, bake: 5m}
`
)

var t0 = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return t0.Add(d) }

func weights(b, g int) traffic.Split {
	return traffic.Split{{ID: blue, Weight: b}, {ID: green, Weight: g}}
}

// testSpec is what shiftYAML compiles to.
func testSpec(t *testing.T) (shift.Spec, namer) {
	t.Helper()
	ts, err := manifest.Load("shift.yaml", []byte(shiftYAML))
	if err != nil {
		t.Fatal(err)
	}
	timing, err := manifest.EnvTiming(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	spec, err := manifest.Compile(ts, timing)
	if err != nil {
		t.Fatal(err)
	}
	return spec, manifest.Names(ts)
}

func testMark() shift.Mark {
	return shift.Mark{
		ID: "ABC", Name: "web", Plan: "0123", From: weights(100, 0), Started: t0,
		Lease: shift.Lease{Owner: "laptop/42/XYZ", Expires: at(30 * time.Second)},
	}
}

func testPreview() engine.Preview {
	return engine.Preview{
		Route: listener + " rule 10", From: weights(100, 0), To: weights(0, 100),
		Live: shift.Live{Exists: true, Conforms: true, Split: weights(100, 0)},
		Writes: []engine.PlannedWrite{
			{Percent: 50, Split: weights(50, 50), Hold: 190 * time.Second, Approval: true, Reason: "Step"},
			{Percent: 100, Split: weights(0, 100), Hold: 490 * time.Second, Reason: "Goal"},
		},
		Health: map[string]shift.Health{blue: {Healthy: 2, Total: 2}, green: {Healthy: 1, Total: 2, Reason: "Target.Timeout"}},
		Ideal:  680 * time.Second, MaxDuration: 94 * time.Minute,
		Warnings: []string{"stickiness is on: clients that have a cookie stay where they are for 1h"},
	}
}

func testReport(v analysis.Verdict, newSide, oldSide float64) *analysis.Report {
	return &analysis.Report{
		Verdict: v,
		Metrics: []analysis.MetricReport{
			{
				Name: "builtin/target-errors", Passed: 1, FailureLimit: 0,
				Last: analysis.Measurement{Start: at(time.Minute), End: at(2 * time.Minute), Value: &newSide, Old: &oldSide, Verdict: v, Message: "2 of 100 requests failed, 0 of 100 on the old side"},
			},
			{Name: "latency", Last: analysis.Measurement{Verdict: analysis.Inconclusive, Message: "no data"}},
		},
		Rates: map[string]float64{blue: 87.5, green: 88},
		Next:  at(3 * time.Minute),
	}
}

// testEvents are a run that is rolled back.
func testEvents() []engine.Event {
	return []engine.Event{
		{At: t0, Kind: engine.EventStarted, Phase: shift.Preparing, Step: -1, Steps: 2, Split: weights(100, 0), Message: "New: from blue=100 green=0 to blue=0 green=100"},
		{At: at(2 * time.Second), Kind: engine.EventWritten, Phase: shift.Shifting, Step: 0, Steps: 2, Split: weights(50, 50), Message: "blue=50 green=50", Next: at(192 * time.Second)},
		{At: at(100 * time.Second), Kind: engine.EventFault, Phase: shift.Shifting, Step: 0, Steps: 2, Split: weights(50, 50), Message: "Throttling: Rate exceeded\x1b[31m", Next: at(192 * time.Second)},
		{At: at(192 * time.Second), Kind: engine.EventJudged, Phase: shift.Shifting, Step: 0, Steps: 2, Split: weights(50, 50), Report: testReport(analysis.Failed, 2, 0)},
		{At: at(193 * time.Second), Kind: engine.EventFinished, Phase: shift.RolledBack, Step: 0, Steps: 2, Split: weights(100, 0), Message: "builtin/target-errors: 2% > 0%"},
	}
}

// fakeRun answers what it is told to answer.
type fakeRun struct {
	preview engine.Preview
	status  Status
	result  engine.Result
	err     error
	events  []engine.Event
	// until is waited for before Run ends; nil: nothing.
	until func(RunOptions)
	waits bool // Preview waits for its context to end

	log       *slog.Logger
	routeOnly bool
	options   *RunOptions
	signals   []shift.Signal
	closed    bool
	openings  int
}

func (f *fakeRun) Preview(ctx context.Context) (engine.Preview, error) {
	if f.waits {
		<-ctx.Done()
		return f.preview, ctx.Err()
	}
	return f.preview, f.err
}

func (f *fakeRun) Status(context.Context) (Status, error) { return f.status, f.err }
func (f *fakeRun) Close() error                           { f.closed = true; return nil }

func (f *fakeRun) Signal(_ context.Context, s shift.Signal) error {
	f.signals = append(f.signals, s)
	return f.err
}

func (f *fakeRun) Run(ctx context.Context, o RunOptions) (engine.Result, error) {
	f.options = &o
	for _, e := range f.events {
		if e.Kind == engine.EventFault {
			f.log.WarnContext(ctx, "call failed", "error", e.Message) // as the engine does
		}
		o.Recorder.Record(e)
	}
	if f.until != nil {
		f.until(o)
	}
	return f.result, f.err
}

// call runs the program.
type call struct {
	args    []string
	in      string
	env     map[string]string
	run     *fakeRun
	openErr error
	signals chan os.Signal
	width   int // of the terminal; 0: there is none
}

func (c call) do(t *testing.T) (code int, out, errOut string) {
	t.Helper()
	var o, e strings.Builder
	if c.run == nil {
		c.run = &fakeRun{}
	}
	deps := Deps{
		Open: func(_ context.Context, _ *v1alpha1.TrafficShift, o OpenOptions) (Run, error) {
			c.run.openings++
			c.run.log, c.run.routeOnly = o.Log, o.RouteOnly
			if c.openErr != nil {
				return nil, c.openErr
			}
			return c.run, nil
		},
		Version:  "v1.2.3",
		Getenv:   func(k string) string { return c.env[k] },
		Signals:  c.signals,
		Terminal: func(io.Writer) (int, bool) { return c.width, c.width > 0 },
	}
	if c.signals == nil {
		deps.Signals = make(chan os.Signal)
	}
	code = Main(t.Context(), c.args, strings.NewReader(c.in), &o, &e, deps)
	return code, o.String(), e.String()
}

// sleep is a call that takes its time.
func sleep(d time.Duration) func(context.Context) error {
	return func(context.Context) error { time.Sleep(d); return nil }
}
