package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

// Config is what an Engine is made of. Spec, Router, Analyzer, Store and Owner are
// required.
type Config struct {
	Spec     shift.Spec
	Router   Router
	Analyzer Analyzer
	Store    Store
	Recorder Recorder     // default: nobody is told
	Log      *slog.Logger // default: discarded
	// Owner names this run in the lease: MACHINE/PID/RANDOM, ASCII letters, digits and
	// "-_./". While the store is open no other run of this machine is alive on the
	// route (the journal is locked), so a lease of the same MACHINE is a dead one.
	Owner string
	// Replace starts a new shift from the live weights although another is unfinished.
	Replace bool
	Timing  Timing // zero: DefaultTiming
}

// Timing of the engine's own work; a test in virtual time may keep the defaults.
type Timing struct {
	Lease    time.Duration // from its last renewal until a lease ends
	Renew    time.Duration // between renewals; well below Lease
	Look     time.Duration // at most between two looks at the live weights
	RaceWait time.Duration // from writing a lease until reading who won
	Call     time.Duration // bound of one port call
}

// DefaultTiming suits the real AWS: a lease survives two missed renewals.
var DefaultTiming = Timing{Lease: 30 * time.Second, Renew: 10 * time.Second, Look: 10 * time.Second, RaceWait: time.Second, Call: 30 * time.Second}

// Engine runs one declared shift.
type Engine struct{ Config }

// New checks cfg and makes an Engine.
func New(cfg Config) (*Engine, error) {
	switch {
	case cfg.Router == nil || cfg.Analyzer == nil || cfg.Store == nil:
		return nil, errors.New("engine: Router, Analyzer and Store are required")
	case cfg.Owner == "":
		return nil, errors.New("engine: Owner is required")
	case len(cfg.Spec.Steps) == 0 || cfg.Spec.Steps[len(cfg.Spec.Steps)-1].Percent != 100:
		return nil, errors.New("engine: the last step must be at 100 percent")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Recorder == nil {
		cfg.Recorder = nobody{}
	}
	if cfg.Timing == (Timing{}) {
		cfg.Timing = DefaultTiming
	}
	return &Engine{cfg}, nil
}

type nobody struct{}

func (nobody) Record(Event) {}

// Run drives the shift to an end, or to a hold. Cancelling ctx interrupts it: by policy
// it rolls back or holds, and still finishes its writes. An error means that nothing was
// started: the declaration, the route or the credentials are not in order, or another
// run is active.
func (e *Engine) Run(ctx context.Context) (Result, error) {
	r, err := e.Start(ctx)
	if err != nil {
		return Result{}, err
	}
	for !r.state.Phase.Done() {
		wait := r.Step(ctx)
		if wait > 0 && !r.state.Phase.Done() {
			r.sleep(ctx, wait)
		}
	}
	return r.finish(ctx), nil
}

// Start validates everything, takes the lease, and gives a Run whose Step is to be
// called until it is done. It makes no weight write.
func (e *Engine) Start(ctx context.Context) (*Run, error) {
	live, mark, err := e.read(ctx)
	if err != nil {
		return nil, err
	}
	followed := mark // the shift that this run came to go on with
	if mark != nil {
		if live, mark, err = e.waitForLease(ctx, live, mark); err != nil {
			return nil, err
		}
	}
	warnings, unfit := e.Router.Preflight(ctx)
	start, err := e.begin(ctx, live, mark)
	switch {
	case err == nil && followed != nil && mark == nil && start.Kind == shift.StartNew && !e.Replace:
		return nil, fault.Terminal("Ended", fmt.Errorf("shift %q, which another run drove, ended while this run waited for it, at %s: nothing was written; look at how it ended, and run this again if it shall begin anew",
			followed.Name, start.Plan.Describe(live.Split)))
	case unfit != nil && err == nil && goesBack(start, mark):
		warnings = append(warnings, "going back all the same: "+unfit.Error())
	case unfit != nil:
		return nil, fmt.Errorf("checking the route: %w", unfit)
	case err != nil:
		return nil, err
	}
	r := &Run{e: e, plan: start.Plan, state: start.State, live: &live, starting: start.Kind, basis: live}
	if start.Kind == shift.StartSettled {
		r.record(EventStarted, start.State.Message)
		return r, nil
	}
	if !goesBack(start, mark) {
		if err := e.Analyzer.Preflight(ctx, r.request(time.Now())); err != nil {
			return nil, fmt.Errorf("checking the analysis: %w", err)
		}
	}
	if err := r.take(ctx, live, mark, start.Kind); err != nil {
		return nil, err
	}
	r.record(EventStarted, string(start.Kind)+": "+start.State.Message)
	for _, w := range warnings {
		r.record(EventStarted, "warning: "+w)
	}
	return r, nil
}

// begin decides how to run what is declared.
func (e *Engine) begin(ctx context.Context, live shift.Live, mark *shift.Mark) (shift.Start, error) {
	journal, err := e.journal(ctx)
	if err != nil {
		return shift.Start{}, err
	}
	spec, err := e.spec(ctx)
	if err != nil {
		return shift.Start{}, err
	}
	start, err := shift.Begin(spec, shift.Facts{Now: time.Now(), Live: live, Mark: mark, Journal: journal, Replace: e.Replace, ID: rand.Text()})
	if err != nil {
		return start, fault.Terminal("Refused", err)
	}
	return start, nil
}

// goesBack tells whether all that a start will do is to take an unfinished shift back.
// What was checked before that shift began does not count then: a destination that is
// gone, or metrics that nobody answers for any more, are reasons to go back.
func goesBack(start shift.Start, mark *shift.Mark) bool {
	return start.State.Phase == shift.RollingBack || start.Kind == shift.StartResume && mark.Signal.Kind == shift.SignalAbort
}

// read gets the live split and the mark; a nil mark means that there is none.
func (e *Engine) read(ctx context.Context) (shift.Live, *shift.Mark, error) {
	live, err := e.Router.Observe(ctx)
	if err != nil {
		return live, nil, fmt.Errorf("reading the route: %w", err)
	}
	m, ok, err := e.Router.Mark(ctx)
	if err != nil {
		return live, nil, fmt.Errorf("reading the mark: %w", err)
	}
	if !ok {
		return live, nil, nil
	}
	return live, &m, nil
}

// spec is the declared one with what the route itself adds to it.
func (e *Engine) spec(ctx context.Context) (shift.Spec, error) {
	spec := e.Spec
	if l, ok := e.Router.(Lagging); ok {
		lag, err := l.Lag(ctx)
		if err != nil {
			return spec, fmt.Errorf("reading how late clients follow the route: %w", err)
		}
		spec.Lag = lag
	}
	return spec, nil
}

func (e *Engine) journal(ctx context.Context) (*shift.State, error) {
	s, ok, err := e.Store.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	if !ok {
		return nil, nil //nolint:nilnil // no journal is no error
	}
	return &s, nil
}

// request asks for the measurements of the weights that the run holds live.
func (r *Run) request(now time.Time) analysis.Request {
	req := analysis.Request{
		Started: r.plan.Started, Since: r.state.WrittenAt, Before: r.before, Now: now,
		Gaining: r.plan.Gaining(), Losing: r.plan.Losing(), Drain: r.state.Phase == shift.Draining,
	}
	if req.Since.IsZero() {
		req.Since = now
	}
	req.Since = req.Since.Add(r.plan.Lag)
	if !req.Before.IsZero() {
		req.Before = req.Before.Add(r.plan.Lag)
	}
	if r.live != nil {
		req.Live = r.live.Split
	}
	return req
}
