package engine

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// Run is a shift under way. It is not safe for concurrent use.
type Run struct {
	e     *Engine
	plan  shift.Plan
	state shift.State

	live        *shift.Live // as read in this step; nil: could not be read
	lastLive    traffic.Split
	marked      bool        // the mark is on the route, as last read
	leased      shift.Lease // as last read
	owned       bool        // the mark was read as ours since the last weight write
	signal      shift.Signal
	renewed     time.Time // when the lease was last written
	nextLook    time.Time // when Decide wants to look again
	verify      bool      // a write was made and is to be read back first
	fault       error     // of a call that failed in this turn
	unwritten   error     // of the last write, when it failed
	failedSince time.Time // since when writes fail; zero: they do not
	interrupted bool
	writes      int
	finished    time.Time
}

// State of the run.
func (r *Run) State() shift.State { return r.state }

// Step makes one turn: it observes, decides, saves, acts, and says how long to wait for
// the next turn. A turn makes at most two calls to the route besides a write; health
// and metrics come on top.
func (r *Run) Step(ctx context.Context) (wait time.Duration) {
	if ctx.Err() != nil {
		r.interrupted = true
	}
	ctx = context.WithoutCancel(ctx) // a rollback outlives the one who asked for it
	now := time.Now()
	if r.renewalDue(now) {
		r.renew(ctx)
		if r.signal.Kind == shift.NoSignal && !r.interrupted && !r.state.Phase.Done() {
			return r.untilNext()
		}
		return 0
	}
	if lost := r.observe(ctx); lost != nil {
		r.lose(ctx, lost)
		return 0
	}
	d := shift.Decide(r.plan, r.state, r.observation(ctx))
	return r.act(ctx, d)
}

// renewalDue spaces renewals so that a turn that decides is not burdened with one,
// unless the lease would run short.
func (r *Run) renewalDue(now time.Time) bool {
	if r.renewed.IsZero() || r.verify {
		return false
	}
	age := now.Sub(r.renewed)
	return age >= 2*r.e.Timing.Renew || age >= r.e.Timing.Renew && now.Before(r.nextLook)
}

// renew reads the mark and prolongs the lease if it is still ours.
func (r *Run) renew(ctx context.Context) {
	err := call(ctx, r, r.own)
	if lost, ok := errors.AsType[*lostError](err); ok {
		r.lose(ctx, lost)
		return
	}
	l := r.lease(time.Now())
	switch {
	case err != nil:
	case r.marked && time.Now().Before(r.leased.Expires):
		if err = call(ctx, r, func(ctx context.Context) error { return r.e.Router.Renew(ctx, l) }); err == nil {
			r.leased = l
		}
	default:
		err = r.secure(ctx)
	}
	r.renewed = time.Now()
	if err != nil {
		r.renewed = r.renewed.Add(-r.e.Timing.Renew / 2) // sooner again
		r.failed(err)
	}
}

// observe reads the live split and, but right after a write, the mark.
func (r *Run) observe(ctx context.Context) *lostError {
	r.live = nil
	r.fault = nil
	err := call(ctx, r, func(ctx context.Context) error {
		live, err := r.e.Router.Observe(ctx)
		if err == nil {
			r.live, r.lastLive = &live, live.Split
		}
		return err
	})
	verify := r.verify
	r.verify = false
	if err == nil && !verify && r.live.Exists && r.renewedOnce() {
		err = call(ctx, r, r.own)
		if lost, ok := errors.AsType[*lostError](err); ok {
			return lost
		}
	}
	if err != nil {
		r.failed(err)
		if r.state.Phase != shift.RollingBack { // a mark that cannot be read forbids to go on
			r.live = nil
		}
	}
	return nil
}

// renewedOnce tells whether the mark was ever written: a route that is still to be
// created has none.
func (r *Run) renewedOnce() bool { return !r.renewed.IsZero() }

// observation gathers what Decide wants in this state.
func (r *Run) observation(ctx context.Context) shift.Observation {
	o := shift.Observation{Live: r.live, Signal: r.signal, Interrupted: r.interrupted}
	if health, report := r.state.Wants(); r.live != nil {
		if health && r.live.Exists {
			err := call(ctx, r, func(ctx context.Context) (err error) {
				o.Health, err = r.e.Router.Health(ctx, r.plan.Gaining())
				return err
			})
			if err != nil {
				r.failed(err)
			}
		}
		if report {
			actx, cancel := context.WithTimeout(ctx, r.e.Timing.Call)
			rep := r.e.Analyzer.Analyze(actx, r.request(time.Now()))
			cancel()
			o.Report = &rep
			r.judged(&rep, r.state.Report)
		}
	}
	o.Now = time.Now()
	switch {
	case r.fault != nil:
		o.Fault, o.Terminal = r.fault.Error(), fault.IsTerminal(r.fault) && r.live == nil
	case r.unwritten != nil:
		o.Fault = r.unwritten.Error()
	}
	return o
}

// act saves the decision's state, makes its write, and tells what happened.
func (r *Run) act(ctx context.Context, d shift.Decision) time.Duration {
	before := r.state
	r.state = d.Next
	if err := r.save(ctx, before); err != nil && d.Write != nil && d.Next.Phase != shift.RollingBack {
		r.state = before // what is not saved is not done; only a rollback does not wait for a disk
		r.failed(fmt.Errorf("saving the state: %w", err))
		return r.backoff()
	}
	r.tell(before)
	switch {
	case d.Adopt != nil:
		if err := r.adopt(ctx, d.Adopt); err != nil {
			r.state = before
			r.failed(err)
			return r.backoff()
		}
		return 0
	case d.Write != nil:
		if err := r.write(ctx, d.Write); err != nil {
			if lost, ok := errors.AsType[*lostError](err); ok {
				r.lose(ctx, lost)
				return 0
			}
			return r.refused(ctx, err)
		}
		r.writes++
		r.verify, r.unwritten, r.failedSince = true, nil, time.Time{}
		return 0
	}
	r.nextLook = time.Now().Add(min(d.Wait, r.e.Timing.Look))
	return r.untilNext()
}

// write makes one weight write while the lease is ours.
func (r *Run) write(ctx context.Context, split traffic.Split) error {
	if err := split.Validate(r.plan.Limits); err != nil {
		return fault.Terminal("InvalidSplit", err)
	}
	if !r.live.Exists {
		m := r.mark(time.Now())
		err := call(ctx, r, func(ctx context.Context) error { return r.e.Router.Create(ctx, split, m) })
		if err == nil {
			r.renewed, r.leased, r.marked = time.Now(), m.Lease, true
		}
		return err
	}
	if !r.renewedOnce() { // somebody created the route since we looked
		return fmt.Errorf("the route was created by somebody else: %w", fault.ErrConflict)
	}
	if err := r.secure(ctx); err != nil {
		return err
	}
	r.owned = false
	return call(ctx, r, func(ctx context.Context) error { return r.e.Router.Write(ctx, split) })
}

// refused handles a failed write: its outcome is unknown, so the route is read again
// before anything else. An error that no retry heals goes to Decide at once.
func (r *Run) refused(ctx context.Context, err error) time.Duration {
	r.failed(err)
	r.unwritten = err
	if fault.IsTerminal(err) && r.state.Phase != shift.RollingBack {
		o := shift.Observation{Now: time.Now(), Live: r.live, Signal: r.signal, Interrupted: r.interrupted, Fault: err.Error(), Terminal: true}
		return r.act(ctx, shift.Decide(r.plan, r.state, o))
	}
	return r.backoff()
}

// adopt starts anew from weights that somebody else wrote.
func (r *Run) adopt(ctx context.Context, live traffic.Split) error {
	now := time.Now()
	p, err := shift.NewPlan(r.plan.Spec, live, r.plan.ID, now, r.plan.Began)
	if err != nil {
		return fmt.Errorf("adopting the live weights: %w", err)
	}
	old := r.plan
	r.plan = p
	if err := call(ctx, r, func(ctx context.Context) error { return r.e.Router.SetMark(ctx, r.mark(now)) }); err != nil {
		r.plan = old
		return fmt.Errorf("adopting the live weights: %w", err)
	}
	r.renewed = time.Now()
	s := r.state
	r.state = shift.State{ID: s.ID, Phase: shift.Preparing, Step: -1, At: now, Reason: s.Reason, Message: s.Message, Failures: s.Failures, Promoted: s.Promoted}
	if !p.Judged() {
		r.state.Phase, r.state.Step = shift.Finishing, len(p.Steps)-1
	}
	return nil
}

// lose ends a run whose lease another run holds: it may not write any more.
func (r *Run) lose(ctx context.Context, err *lostError) {
	before := r.state
	r.state.Phase, r.state.Reason, r.state.Message, r.state.At = shift.Held, "LeaseLost", err.Error(), time.Now()
	r.marked = false        // it is not ours to release
	_ = r.save(ctx, before) // the run is over either way; the mark is the truth
}

func (r *Run) save(ctx context.Context, before shift.State) error {
	a, b := before, r.state
	a.At, b.At = time.Time{}, time.Time{}
	if reflect.DeepEqual(a, b) {
		return nil
	}
	return r.e.Store.Save(ctx, r.state)
}

// call bounds one call to a port.
func call(ctx context.Context, r *Run, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, r.e.Timing.Call)
	defer cancel()
	return f(ctx)
}

// failed remembers a failed call and tells of it.
func (r *Run) failed(err error) {
	r.fault = err
	r.e.Log.Warn("call failed", "route", r.plan.Route, "error", err)
	r.record(EventFault, err.Error())
}

// backoff before the next turn after a failed write; it grows with the time since the
// first failure.
func (r *Run) backoff() time.Duration {
	if r.failedSince.IsZero() {
		r.failedSince = time.Now()
	}
	return min(max(time.Since(r.failedSince)/2, 200*time.Millisecond), 10*time.Second)
}

func (r *Run) untilNext() time.Duration {
	next := r.nextLook
	if !r.renewed.IsZero() {
		if due := r.renewed.Add(r.e.Timing.Renew); due.Before(next) {
			next = due
		}
	}
	return max(time.Until(next), 0)
}

// sleep until d is over or the run is interrupted for the first time.
func (r *Run) sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	if r.interrupted {
		<-t.C
		return
	}
	select {
	case <-t.C:
	case <-ctx.Done():
		r.interrupted = true
	}
}
