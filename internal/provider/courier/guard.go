package courier

import (
	"context"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/provider/connection"
)

// Guarded are shifts that are not run while check gives an error, which is then theirs:
// nothing was started. What reads and plans is not held up.
func Guarded(s Shifts, check func() error) Shifts { return guarded{s, check} }

type guarded struct {
	Shifts

	check func() error
}

// Open implements Shifts.
func (g guarded) Open(ctx context.Context, c connection.Connection, ts *v1alpha1.TrafficShift) (Shift, error) {
	s, err := g.Shifts.Open(ctx, c, ts)
	if err != nil {
		return nil, err
	}
	return guardedShift{s, g.check}, nil
}

type guardedShift struct {
	Shift

	check func() error
}

// Run implements Shift.
func (s guardedShift) Run(ctx context.Context, o RunOptions) (engine.Result, error) {
	if err := s.check(); err != nil {
		return engine.Result{}, err
	}
	return s.Shift.Run(ctx, o)
}
