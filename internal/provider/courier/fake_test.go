package courier_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/provider/connection"
	"github.com/norikae/norikae/internal/provider/courier"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// fakeShifts is one route in memory.
type fakeShifts struct {
	mu sync.Mutex

	arn   string
	rule  *v1alpha1.ALBRule // nil: the route is not there, or is no rule
	split traffic.Split     // nil: not there
	mark  *shift.Mark
	owned bool // by tag

	// end says how the next runs end: the phase, and where the traffic is then (nil: as
	// the phase says).
	end     shift.Phase
	message string
	report  *analysis.Report
	held    string // a fault on the way
	// untilInterrupted: a run lasts until it is interrupted.
	untilInterrupted bool
	started          chan struct{} // closed by the first such run
	readErr          error
	previewErr       error
	blockers         []error
	approval         bool // the first step waits for one

	runs, previews, reads, destroys int
	opened                          []*v1alpha1.TrafficShift
	connections                     []connection.Connection
	options                         courier.RunOptions
}

func (f *fakeShifts) Open(_ context.Context, c connection.Connection, ts *v1alpha1.TrafficShift) (courier.Shift, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	spec, err := manifest.Compile(ts, analysis.Timing{})
	if err != nil {
		return nil, err
	}
	f.opened, f.connections = append(f.opened, ts), append(f.connections, c)
	return &fakeShift{f, ts, spec}, nil
}

func (f *fakeShifts) Read(_ context.Context, c connection.Connection, r v1alpha1.Route) (courier.Reading, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	f.connections = append(f.connections, c)
	if f.readErr != nil {
		return courier.Reading{}, f.readErr
	}
	if f.split == nil {
		return courier.Reading{}, fmt.Errorf("the route: %w", fault.ErrNotFound)
	}
	out := courier.Reading{ARN: f.arn, Rule: f.rule, Live: shift.Live{Exists: true, Conforms: true, Split: f.split}, Unfinished: f.mark}
	if r.ALB != nil {
		out.ListenerARN = listener
	}
	return out, nil
}

func (f *fakeShifts) Destroy(_ context.Context, _ connection.Connection, r v1alpha1.Route, o courier.DestroyOptions) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.destroys++
	if r.ALB == nil {
		return nil
	}
	if f.split.Sum() > 0 && !o.Force {
		return errors.New("it carries traffic")
	}
	f.split, f.rule = nil, nil
	return nil
}

type fakeShift struct {
	f    *fakeShifts
	ts   *v1alpha1.TrafficShift
	spec shift.Spec
}

func (s *fakeShift) Preview(context.Context) (engine.Preview, error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.f.previews++
	if s.f.previewErr != nil {
		return engine.Preview{}, s.f.previewErr
	}
	to := s.spec.To()
	pv := engine.Preview{Route: s.f.arn, From: s.f.split, To: to, Live: shift.Live{Exists: s.f.split != nil, Split: s.f.split}, Settled: s.f.split.Equal(to), Unfinished: s.f.mark}
	for _, b := range s.f.blockers {
		pv.Blockers, pv.Causes = append(pv.Blockers, b.Error()), append(pv.Causes, b)
	}
	if !pv.Settled {
		pv.Writes = []engine.PlannedWrite{{Percent: 50, Split: s.f.split, Hold: time.Minute, Reason: "Step", Approval: s.f.approval}, {Percent: 100, Split: to, Hold: time.Minute, Reason: "Goal"}}
		pv.Ideal, pv.MaxDuration, pv.Warnings = 2*time.Minute, time.Hour, []string{"sticky", "sticky", "steps take longer, its data is complete 1m later (analysis.timing)", "drained (strategy.drain)"}
	}
	return pv, nil
}

func (s *fakeShift) Run(ctx context.Context, o courier.RunOptions) (engine.Result, error) {
	if ctx.Err() != nil {
		return engine.Result{}, errors.New("the context of a run must not be cancelled")
	}
	f := s.f
	f.mu.Lock()
	f.runs++
	f.options = o
	wait, held := f.untilInterrupted, f.held
	f.mu.Unlock()
	if wait {
		if f.started != nil {
			close(f.started)
		}
		<-o.Interrupted
	}
	if ctx.Err() != nil {
		return engine.Result{}, errors.New("the context of a run was cancelled")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	to := s.spec.To()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	o.Recorder.Record(engine.Event{At: now, Kind: engine.EventStarted, Phase: shift.Preparing, Step: -1, Message: "New"})
	if held != "" {
		o.Recorder.Record(engine.Event{At: now, Kind: engine.EventFault, Phase: shift.Shifting, Message: held})
	}
	from := f.split
	res := engine.Result{Phase: f.end, Message: f.message, Report: f.report, From: from, To: to, Started: now, Finished: now.Add(time.Minute)}
	if from == nil { // the mirror of what serves today: the first destination
		res.From = traffic.Split{{ID: to[0].ID, Weight: 1}}
	}
	switch f.end {
	case shift.Succeeded, "":
		res.Phase, f.split, f.mark = shift.Succeeded, to, nil
	case shift.RolledBack:
		f.split, f.mark = res.From, nil
	default: // held half way
		f.split = slices.Clone(to)
		f.split[0].Weight, f.split[1].Weight = 50, 50
		f.mark = &shift.Mark{Name: s.spec.Name, Started: now}
	}
	if a := s.ts.Spec.Route.ALB; a != nil {
		f.rule, f.arn, f.owned = a.Rule, ruleARN, true
	}
	res.Live = f.split
	o.Recorder.Record(engine.Event{At: now, Kind: engine.EventFinished, Phase: res.Phase, Split: f.split, Message: "the end"})
	return res, nil
}

const (
	listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/web/0123456789abcdef/1123456789abcdef"
	ruleARN  = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/web/0123456789abcdef/1123456789abcdef/2123456789abcdef"
	netARN   = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/web/0123456789abcdef/1123456789abcdef"
	blue     = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0123456789abcdef"
	green    = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/green/1123456789abcdef"
)
