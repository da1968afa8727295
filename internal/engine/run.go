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

const (
	// freshFor is how old a reading of the route may be when weights are written by it.
	freshFor = time.Second
	// visibleWithin is how long an accepted write may take to be seen. The APIs of load
	// balancers are consistent after a write nearly always, and soon always.
	visibleWithin = 5 * time.Second
)

// errMoved: the route changed between the decision and its write.
var errMoved = errors.New("the route changed before the write")

// Run is a shift under way. It is not safe for concurrent use.
type Run struct {
	e     *Engine
	plan  shift.Plan
	state shift.State

	starting shift.StartKind // until the first turn that could read the route
	basis    shift.Live      // the route that the start was decided on
	aborted  *shift.Mark     // whose From was declared again; nil: none

	live        *shift.Live // as read in this step; nil: could not be read
	looked      time.Time   // when that was read
	lastLive    traffic.Split
	marked      bool        // the mark is on the route, as last read
	leased      shift.Lease // as last read
	owned       bool        // the mark was read as ours since the last weight write
	signal      shift.Signal
	renewed     time.Time     // when the lease was last written
	told        time.Time     // when the lease's course was last tried to be told
	nextLook    time.Time     // when Decide wants to look again
	verify      bool          // a write was made and is to be read back first
	wrote       traffic.Split // the newest write, until it was seen live; nil: none
	wroteAt     time.Time     // when it was accepted; zero: its outcome is unknown
	saved       shift.State   // as last saved
	fault       error         // of a call that failed in this turn
	unwritten   error         // of the last write, when it failed
	failedSince time.Time     // since when writes fail; zero: they do not
	interrupted bool
	before      time.Time // when the step before this one was verified live; see analysis.Request
	writes      int
	finished    time.Time
}

// Step makes one turn: it observes, decides, saves, acts, and says how long to wait for
// the next turn. A turn makes at most two calls to the route besides a write; health
// and metrics come on top.
func (r *Run) Step(ctx context.Context) (wait time.Duration) {
	if ctx.Err() != nil {
		r.interrupted = true
	}
	asker := ctx
	ctx = context.WithoutCancel(ctx) // a rollback outlives the one who asked for it
	now := time.Now()
	if r.renewalDue(now) || r.courseUntold(now) {
		r.renew(ctx)
		if r.signal == r.state.Heard && !r.interrupted && !r.state.Phase.Done() {
			return r.untilNext()
		}
		return 0
	}
	if lost := r.observe(ctx); lost != nil {
		r.lose(ctx, lost)
		return 0
	}
	if r.live != nil && r.starting != "" {
		if err := r.startAgain(ctx); err != nil { // Decide sees a drift until it works
			r.failed(err)
		}
	}
	r.verified()
	d := shift.Decide(r.plan, r.state, r.observation(ctx, asker))
	return r.act(ctx, d)
}

// renewalDue spaces renewals so that a turn that decides is not burdened with one,
// unless the lease would run short.
func (r *Run) renewalDue(now time.Time) bool {
	if r.renewed.IsZero() || r.verify || r.live != nil && !r.live.Exists {
		return false // there is nothing to hold a lease on
	}
	age := now.Sub(r.renewed)
	return age >= 2*r.e.Timing.Renew || age >= r.e.Timing.Renew && now.Before(r.nextLook)
}

// courseUntold tells whether the lease on the route does not say yet that a failure was
// seen. The rollback's first write goes before: it makes the word needless.
func (r *Run) courseUntold(now time.Time) bool {
	course := r.state.Course()
	if !r.marked || r.leased.Course == course || course == shift.CourseBack && r.unwritten == nil || now.Sub(r.told) < r.e.Timing.Renew {
		return false
	}
	r.told = now
	return true
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
	r.looked = time.Now()
	err := call(ctx, r, func(ctx context.Context) error {
		live, err := r.e.Router.Observe(ctx)
		if err == nil {
			r.live, r.lastLive = &live, live.Split
		}
		return err
	})
	verify := r.verify
	r.verify = false
	if err == nil && !verify && r.live.Exists {
		err = call(ctx, r, r.own)
		if lost, ok := errors.AsType[*lostError](err); ok {
			return lost
		}
		if err == nil {
			err = r.answered(ctx)
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

// answered removes an approval that was heard, so that the next one is a new word, even
// in the same words. Nothing else is removed: an abort stays until it is carried out.
func (r *Run) answered(ctx context.Context) error {
	if r.signal.Kind != shift.SignalApprove || r.signal != r.state.Heard || !r.marked {
		return nil
	}
	err := call(ctx, r, func(ctx context.Context) error { return r.e.Router.SetSignal(ctx, shift.Signal{}) })
	if err == nil {
		r.signal = shift.Signal{}
	}
	return err
}

// startAgain begins from what is live now where that is not what the start was decided
// on: until the lease was ours, others may have written. The first step's weights are
// those of a run of the same declaration that lost the race for the lease and could write
// once: they are gone on from, and From stays what it was. Others are where a new shift
// starts.
func (r *Run) startAgain(ctx context.Context) error {
	kind, before := r.starting, r.basis
	r.starting = ""
	if !r.live.Exists || sameRoute(before, *r.live) || kind != shift.StartNew && kind != shift.StartResume {
		return nil // a settled start makes no turn, an abort goes back from anywhere
	}
	m := r.mark(time.Now())
	facts := shift.Facts{Now: time.Now(), Live: *r.live, Mark: &m}
	if kind == shift.StartResume {
		facts.Journal = &r.state
	}
	start, err := shift.Begin(r.plan.Spec, facts)
	switch {
	case err != nil:
	case kind == shift.StartNew && start.State.Step != 0:
		err = r.adopt(ctx, r.live.Split)
	default:
		r.state = start.State
	}
	if err != nil {
		r.starting = kind
	}
	return err
}

// verified tells of a write once it is seen live.
func (r *Run) verified() {
	if r.live != nil && r.wrote != nil && r.live.Exists && r.live.Split.Equal(r.wrote) {
		r.wrote = nil
		r.record(EventWritten, "live: "+r.plan.Describe(r.live.Split))
	}
}

// unseen tells whether a split was accepted just now, but is not live yet: then it is
// looked for again before it is written again.
func (r *Run) unseen(split traffic.Split) bool {
	return r.wrote != nil && r.wrote.Equal(split) && time.Since(r.wroteAt) < visibleWithin
}

// observation gathers what Decide wants in this state. Who wants to go back does not wait
// for what would only matter to go on; an interrupt ends the waiting for a source.
func (r *Run) observation(ctx, asker context.Context) shift.Observation {
	o := shift.Observation{Live: r.live, Signal: r.signal, Interrupted: r.interrupted}
	back := r.signal.Kind == shift.SignalAbort || r.interrupted && r.plan.OnInterrupt != shift.Hold
	if health, report := r.state.Wants(); r.live != nil && !back {
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
			if r.interrupted {
				asker = ctx
			}
			actx, cancel := context.WithTimeout(asker, r.e.Timing.Call)
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
	if d.Write != nil && before.Phase == d.Next.Phase && r.unseen(d.Write) {
		r.verify = true
		return pause(r.wroteAt)
	}
	r.state = d.Next
	if err := r.save(ctx); err != nil {
		r.failed(fmt.Errorf("saving the state: %w", err))
		if d.Write != nil && d.Next.Phase != shift.RollingBack {
			r.state = before // what is not saved is not done; only a rollback does not wait for a disk
			return r.backoff()
		}
	}
	r.tell(before)
	switch {
	case r.state.Drifted:
		r.before = time.Time{}
	case r.state.Step > before.Step:
		r.before = before.WrittenAt
	}
	switch {
	case d.Adopt != nil:
		if err := r.adopt(ctx, d.Adopt); err != nil {
			if lost, ok := errors.AsType[*lostError](err); ok {
				r.lose(ctx, lost)
				return 0
			}
			r.state = before
			r.failed(err)
			return r.backoff()
		}
		return 0
	case d.Write != nil:
		if err := r.write(ctx, d.Write); err != nil {
			lost, ok := errors.AsType[*lostError](err)
			switch {
			case ok:
				r.lose(ctx, lost)
				return 0
			case errors.Is(err, errMoved):
				return 0
			}
			return r.refused(ctx, err)
		}
		r.writes++
		r.wroteAt, r.verify, r.unwritten, r.failedSince = time.Now(), true, nil, time.Time{}
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
		r.wrote, r.wroteAt = split, time.Time{}
		m := r.mark(time.Now())
		err := call(ctx, r, func(ctx context.Context) error { return r.e.Router.Create(ctx, split, m) })
		if err == nil {
			r.renewed, r.leased, r.marked = time.Now(), m.Lease, true
		}
		return err
	}
	if err := r.ready(ctx); err != nil {
		return err
	}
	r.owned, r.wrote, r.wroteAt = false, split, time.Time{}
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
	if r.live.Exists { // a route that is still to be created gets its mark then
		if err := r.confirm(ctx); err != nil {
			return err
		}
		r.plan = p
		if err := call(ctx, r, r.setMark); err != nil {
			r.plan = old
			return fmt.Errorf("adopting the live weights: %w", err)
		}
	}
	r.plan, r.state, r.wrote = p, p.Anew(r.state, now), nil
	return nil
}

// lose ends a run whose lease another run holds: it may not write any more.
func (r *Run) lose(ctx context.Context, err *lostError) {
	r.state.Phase, r.state.Reason, r.state.Message, r.state.At = shift.Held, "LeaseLost", err.Error(), time.Now()
	r.marked = false // it is not ours to release
	if err := r.save(ctx); err != nil {
		r.failed(fmt.Errorf("saving the state: %w", err)) // the mark is the truth
	}
}

func (r *Run) save(ctx context.Context) error {
	a, b := r.saved, r.state
	a.At, b.At = time.Time{}, time.Time{}
	if reflect.DeepEqual(a, b) {
		return nil
	}
	err := r.e.Store.Save(ctx, r.state)
	if err == nil {
		r.saved = r.state
	}
	return err
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
	return pause(r.failedSince)
}

// pause grows with the time since something went wrong.
func pause(since time.Time) time.Duration {
	return min(max(time.Since(since)/2, 200*time.Millisecond), 10*time.Second)
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
