package engine

import (
	"context"
	"errors"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/shift"
)

// cleanupTries bounds how often the mark's removal is tried after an end: a mark that
// stays makes the next run resume a finished shift, which ends without a weight write.
const cleanupTries = 5

// finish removes the mark, or gives up the lease where the shift is not over, and tells
// how it ended.
func (r *Run) finish(ctx context.Context) Result {
	ctx = context.WithoutCancel(ctx)
	for try := range cleanupTries {
		if try > 0 {
			time.Sleep(time.Duration(try) * time.Second)
		}
		err := call(ctx, r, r.release)
		if err == nil {
			break
		}
		r.failed(err)
	}
	r.finished = time.Now()
	res := Result{
		Phase: r.state.Phase, Reason: r.state.Reason, Message: r.state.Message,
		Live: r.lastLive, From: r.plan.From, To: r.plan.Final,
		Started: r.plan.Began, Finished: r.finished, Writes: r.writes, Report: r.state.Report,
	}
	if r.state.Reason == "Settled" && r.live != nil {
		res.Live = r.live.Split
	}
	r.record(EventFinished, r.state.Message)
	return res
}

func (r *Run) release(ctx context.Context) error {
	switch {
	case !r.marked:
		return nil
	case time.Now().After(r.leased.Expires): // it may be another's by now
		err := r.own(ctx)
		if _, lost := errors.AsType[*lostError](err); lost || err == nil && !r.marked {
			return nil
		}
		if err != nil {
			return err
		}
		r.leased = r.lease(time.Now())
		return r.release(ctx)
	case r.state.Phase == shift.Succeeded || r.state.Phase == shift.RolledBack:
		return r.e.Router.ClearMark(ctx)
	default:
		return r.e.Router.Renew(ctx, shift.Lease{Owner: r.e.Owner, Expires: time.Now(), Course: r.state.Course()})
	}
}

// tell records what the latest decision changed.
func (r *Run) tell(before shift.State) {
	now := r.state
	if now.Reason == before.Reason && now.Phase == before.Phase && now.Step == before.Step {
		return
	}
	switch {
	case now.Phase.Done():
	case now.Drifted:
		r.record(EventDrift, now.Message)
	case now.Reason != "Written":
		r.record(EventHolding, now.Message)
	}
}

// judged tells of a report when it holds a measurement that the one before did not.
func (r *Run) judged(rep, before *analysis.Report) {
	if n := measured(rep); n > 0 && n != measured(before) {
		shown := r.state
		r.state.Report = rep
		r.record(EventJudged, rep.Message)
		r.state = shown
	}
}

// measured counts a report's measurements.
func measured(r *analysis.Report) int {
	n := 0
	if r != nil {
		for _, m := range r.Metrics {
			n += m.Passed + m.Failed + m.Inconclusive
		}
	}
	return n
}

func (r *Run) record(kind EventKind, message string) {
	r.e.Recorder.Record(Event{
		At: time.Now(), Kind: kind, Phase: r.state.Phase, Step: r.state.Step, Steps: len(r.plan.Splits),
		Split: r.lastLive, Reason: r.state.Reason, Message: message, Report: r.state.Report, Next: r.nextLook,
		Lag: r.plan.Lag, Drain: r.plan.DrainTime(),
	})
}
