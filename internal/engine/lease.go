package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
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
		e.Recorder.Record(Event{
			At: time.Now(), Kind: EventWaiting, Phase: shift.Preparing, Step: -1, Next: held.Expires,
			Message: fmt.Sprintf("the lease of %s ends in %s", held.Owner, left.Round(time.Second)),
		})
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
	if kind == shift.StartAbort { // it stays the mark of the shift that is taken back
		r.aborted = old
	}
	err := r.claim(ctx)
	if err != nil {
		r.unclaim(context.WithoutCancel(ctx), kind)
	}
	return err
}

func (r *Run) claim(ctx context.Context) error {
	if err := r.setMark(ctx); err != nil {
		return fmt.Errorf("writing the mark: %w", err)
	}
	r.sleep(ctx, r.e.Timing.RaceWait)
	return r.own(ctx)
}

// unclaim takes back, as far as it can, what a run that does not start has left: the
// mark of a shift that is none would be in the way of every other declaration.
func (r *Run) unclaim(ctx context.Context, kind shift.StartKind) {
	err := call(ctx, r, r.own)
	if _, lost := errors.AsType[*lostError](err); lost || err == nil && !r.marked {
		return
	}
	if err == nil && kind == shift.StartNew {
		err = call(ctx, r, r.e.Router.ClearMark)
	} else if err == nil {
		err = call(ctx, r, r.release)
	}
	if err != nil {
		r.failed(fmt.Errorf("taking back the mark: %w", err))
	}
}

// mark of this run as it should stand on the route at now.
func (r *Run) mark(now time.Time) shift.Mark {
	m := shift.Mark{ID: r.plan.ID, Name: r.plan.Name, Plan: r.plan.Hash(), From: r.plan.From, Started: r.plan.Started, Lease: r.lease(now)}
	if r.aborted != nil {
		m.Plan, m.Name = r.aborted.Plan, r.aborted.Name
	}
	return m
}

func (r *Run) setMark(ctx context.Context) error {
	m := r.mark(time.Now())
	err := r.e.Router.SetMark(ctx, m)
	if err == nil {
		r.renewed, r.leased, r.marked = time.Now(), m.Lease, true
	}
	return err
}

func (r *Run) lease(now time.Time) shift.Lease {
	return shift.Lease{Owner: r.e.Owner, Expires: now.Add(r.e.Timing.Lease), Course: r.state.Course()}
}

// lostError means that this run may not write the route's weights any more.
type lostError struct{ why string }

func (e *lostError) Error() string { return e.why }

func (e *lostError) Unwrap() error { return fault.ErrConflict }

// own reads the mark and its signal, and fails with *lostError when it is another's, or
// when there is none where one must be: another run may have come and gone while our
// lease had run out. Removed within our lease it only wants to be written again.
func (r *Run) own(ctx context.Context) error {
	m, ok, err := r.e.Router.Mark(ctx)
	if err != nil {
		return fmt.Errorf("reading the mark: %w", err)
	}
	r.marked = ok
	switch {
	case ok && m.Lease.Owner == r.e.Owner:
		r.leased, r.signal, r.owned = m.Lease, m.Signal, true
		if r.renewed.IsZero() { // our creation landed, although its answer was lost
			r.renewed = time.Now()
		}
	case ok:
		return &lostError{"the lease is held by another run: " + m.Lease.Owner}
	case r.renewed.IsZero():
		return &lostError{"somebody else created the route while this run was about to"}
	case time.Now().After(r.leased.Expires):
		return &lostError{"the mark is gone from the route, and the lease had run out: another run may have ended this shift"}
	}
	return nil
}

// ready makes sure, right before a weight write, that the lease is ours and that the
// route is still what the decision was made on; else errMoved.
func (r *Run) ready(ctx context.Context) error {
	if err := r.secure(ctx); err != nil || time.Since(r.looked) <= freshFor {
		return err
	}
	return call(ctx, r, func(ctx context.Context) error {
		live, err := r.e.Router.Observe(ctx)
		if err == nil && !sameRoute(live, *r.live) {
			err = errMoved
		}
		return err
	})
}

func sameRoute(a, b shift.Live) bool {
	return a.Exists == b.Exists && a.Conforms == b.Conforms && a.Ref == b.Ref && a.Split.Equal(b.Split) &&
		slices.EqualFunc(a.Others, b.Others, traffic.Split.Equal)
}

// secure makes sure, before a weight write, that the lease is ours. A rollback does not
// wait for a mark that cannot be read or written, but it stops, too, for another owner.
func (r *Run) secure(ctx context.Context) error {
	err := r.confirm(ctx)
	if _, lost := errors.AsType[*lostError](err); lost || r.state.Phase != shift.RollingBack {
		return err
	}
	if err != nil {
		r.failed(err)
	}
	return nil
}

// confirm that the lease is ours and lasts: it is read when it was not since the last
// write, or ran short since, and a mark that somebody removed, or a lease that ran out while this machine
// slept, is written again and read back after the race wait.
func (r *Run) confirm(ctx context.Context) error {
	lasts := func() bool { return r.marked && time.Until(r.leased.Expires) > r.e.Timing.Lease/6 }
	if !r.owned || !lasts() {
		if err := call(ctx, r, r.own); err != nil {
			return err
		}
	}
	if lasts() {
		return nil
	}
	if r.marked {
		l := r.lease(time.Now())
		if err := call(ctx, r, func(ctx context.Context) error { return r.e.Router.Renew(ctx, l) }); err != nil {
			return fmt.Errorf("renewing the lease: %w", err)
		}
		r.renewed = time.Now()
	} else if err := call(ctx, r, r.setMark); err != nil {
		return fmt.Errorf("writing the mark again: %w", err)
	}
	time.Sleep(r.e.Timing.RaceWait)
	if err := call(ctx, r, r.own); err != nil {
		return err
	}
	if !r.marked {
		return fmt.Errorf("the mark does not stay on the route: somebody removes it")
	}
	return nil
}
