package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

// Tags have no compare-and-set, so the lease is a protocol of reads and writes: write
// it, wait until a racing writer must have written too, read who is there. Whoever finds
// another name stops before it writes a weight. A lease is renewed while it is still
// ours, read anew before each weight write, and taken from another owner only when it
// has expired, or when that owner ran on this machine and its journal lock is free.

// waitForLease returns when nobody else holds the lease, with the route read anew. A
// lease that is renewed meanwhile is another active run: fault.ErrConflict.
func (e *Engine) waitForLease(ctx context.Context, live shift.Live, mark *shift.Mark) (shift.Live, *shift.Mark, error) {
	for mark != nil && !e.free(mark.Lease, time.Now()) {
		held := mark.Lease
		left := time.Until(held.Expires)
		e.Recorder.Record(Event{At: time.Now(), Kind: EventWaiting, Phase: shift.Preparing, Step: -1, Next: held.Expires,
			Message: fmt.Sprintf("the lease of %s ends in %s", held.Owner, left.Round(time.Second))})
		select {
		case <-ctx.Done():
			return live, mark, fmt.Errorf("waiting for the lease of %s: %w", held.Owner, ctx.Err())
		case <-time.After(min(left+time.Second, e.Timing.Renew+e.Timing.Call/2)):
		}
		var err error
		if live, mark, err = e.read(ctx); err != nil {
			return live, mark, err
		}
		if mark != nil && mark.Lease.Owner == held.Owner && mark.Lease.Expires.After(held.Expires) {
			return live, mark, fault.Terminal("Conflict", fmt.Errorf("another run drives this route (%s, shift %q): wait for it, or see norikae status and norikae abort: %w",
				held.Owner, mark.Name, fault.ErrConflict))
		}
	}
	return live, mark, nil
}

// free tells whether a lease may be taken.
func (e *Engine) free(l shift.Lease, now time.Time) bool {
	return l.Owner == "" || l.Owner == e.Owner || !now.Before(l.Expires) || machine(l.Owner) == machine(e.Owner)
}

func machine(owner string) string {
	m, _, _ := strings.Cut(owner, "/")
	return m
}

// take writes the mark with our lease and makes sure that we won it. A route that is
// still to be created gets its mark with its creation, which is a lock by itself.
func (r *Run) take(ctx context.Context, live shift.Live, old *shift.Mark, kind shift.StartKind) error {
	if !live.Exists {
		return nil
	}
	if old != nil && kind == shift.StartNew { // words meant for the replaced shift go too
		if err := r.e.Router.ClearMark(ctx); err != nil {
			return fmt.Errorf("removing the mark of the replaced shift: %w", err)
		}
	}
	m := r.mark(time.Now())
	if kind == shift.StartAbort {
		m.Plan, m.Name = old.Plan, old.Name
	}
	if err := r.e.Router.SetMark(ctx, m); err != nil {
		return fmt.Errorf("writing the mark: %w", err)
	}
	r.renewed = time.Now()
	r.sleep(ctx, r.e.Timing.RaceWait)
	if err := r.own(ctx); err != nil {
		return err
	}
	return nil
}

// mark of this run as it should stand on the route at now.
func (r *Run) mark(now time.Time) shift.Mark {
	return shift.Mark{ID: r.plan.ID, Name: r.plan.Name, Plan: r.plan.Hash(), From: r.plan.From, Started: r.plan.Started, Lease: r.lease(now)}
}

func (r *Run) lease(now time.Time) shift.Lease {
	return shift.Lease{Owner: r.e.Owner, Expires: now.Add(r.e.Timing.Lease)}
}

// lostError means that another run holds the lease.
type lostError struct{ owner string }

func (e *lostError) Error() string { return "the lease is held by another run: " + e.owner }

func (e *lostError) Unwrap() error { return fault.ErrConflict }

// own reads the mark and its signal, and fails with *lostError when it is another's.
func (r *Run) own(ctx context.Context) error {
	m, ok, err := r.e.Router.Mark(ctx)
	if err != nil {
		return fmt.Errorf("reading the mark: %w", err)
	}
	r.marked = ok
	if !ok {
		return nil
	}
	if m.Lease.Owner != r.e.Owner {
		return &lostError{m.Lease.Owner}
	}
	r.leased, r.signal, r.owned = m.Lease, m.Signal, true
	return nil
}

// secure makes sure, before a weight write, that the lease is ours and lasts: a mark
// that somebody removed, or a lease that ran out while this machine slept, is written
// again and read back after the race wait. Only a rollback goes on where the mark
// cannot be read.
func (r *Run) secure(ctx context.Context) error {
	if !r.owned { // not looked since the last write
		err := call(ctx, r, r.own)
		if _, lost := errors.AsType[*lostError](err); err != nil && (lost || r.state.Phase != shift.RollingBack) {
			return err
		}
	}
	if r.marked && time.Until(r.leased.Expires) > r.e.Timing.Lease/6 {
		return nil
	}
	if r.marked {
		if err := r.e.Router.Renew(ctx, r.lease(time.Now())); err != nil {
			return fmt.Errorf("renewing the lease: %w", err)
		}
	} else if err := r.e.Router.SetMark(ctx, r.mark(time.Now())); err != nil {
		return fmt.Errorf("writing the mark again: %w", err)
	}
	r.renewed = time.Now()
	time.Sleep(r.e.Timing.RaceWait)
	if err := r.own(ctx); err != nil {
		return err
	}
	if !r.marked {
		return fmt.Errorf("the mark does not stay on the route: somebody removes it")
	}
	return nil
}
