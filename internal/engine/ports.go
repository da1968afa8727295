package engine

import (
	"context"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// Router is one route: the place where traffic is split. Every method makes its calls
// anew (nothing is remembered between calls but what identifies the route), returns
// errors classified by package fault, and leaves retries beyond the SDK's own to the
// engine.
type Router interface {
	// Preflight checks, before anything is written, all that can be known to fail:
	// that the destinations exist and belong to this route's load balancer, ownership,
	// limits. Warnings are for people (stickiness).
	Preflight(ctx context.Context) (warnings []string, err error)
	// Observe reads what the route does now. A route that is not there is no error.
	Observe(ctx context.Context) (shift.Live, error)
	// Create makes the route, carrying split and mark from its first moment. It
	// returns fault.ErrConflict when somebody else was faster.
	Create(ctx context.Context, split traffic.Split, mark shift.Mark) error
	// Write gives the route this split in one atomic write, makes its conditions as
	// declared, and keeps everything else that is on it now. It does not verify:
	// the engine reads back with Observe. Splits that break traffic.Limits are refused.
	Write(ctx context.Context, split traffic.Split) error
	// Mark reads the mark; ok is false when there is none (or no route).
	Mark(ctx context.Context) (m shift.Mark, ok bool, err error)
	// SetMark writes the mark, but for its Signal, which is left as it is.
	SetMark(ctx context.Context, m shift.Mark) error
	// Renew writes the lease alone.
	Renew(ctx context.Context, l shift.Lease) error
	// ClearMark removes mark and signal. It is no error when there is none.
	ClearMark(ctx context.Context) error
	// SetSignal leaves a person's word for the run that holds the mark.
	SetSignal(ctx context.Context, s shift.Signal) error
	// Health of the targets of these destinations.
	Health(ctx context.Context, ids []string) (map[string]shift.Health, error)
}

// Adviser is a Router that can tell people more about a shift on its route than running
// it needs to know. Preview asks it.
type Adviser interface {
	Advise(ctx context.Context) (warnings []string, err error)
}

// Lagging is a Router whose clients follow its weights late: resolvers keep DNS answers
// for their TTL. The lag counts from the verified write; no step is judged before.
type Lagging interface {
	Lag(ctx context.Context) (time.Duration, error)
}

// Analyzer measures and judges.
type Analyzer interface {
	// Preflight asks every query once, so that a misconfigured one is found before
	// anything is written.
	Preflight(ctx context.Context, req analysis.Request) error
	// Analyze reports what is known about the weights live since req.Since. Sources
	// that cannot be asked are in the report as Verdict Error, not as an error.
	Analyze(ctx context.Context, req analysis.Request) analysis.Report
}

// Store keeps a shift's states. It is detail, never truth: losing it, or any tail of
// it, must lose no law.
type Store interface {
	// Load gives the newest state; ok is false when there is none.
	Load(ctx context.Context) (s shift.State, ok bool, err error)
	// Save makes s durable before it returns.
	Save(ctx context.Context, s shift.State) error
}

// Recorder is told what happens, for progress displays and events. It must not block.
type Recorder interface {
	Record(e Event)
}
