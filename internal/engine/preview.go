package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// Preview tells what a run would do now. It writes nothing. An error means that the
// route could not be read; everything else that stands in the way is a blocker.
func (e *Engine) Preview(ctx context.Context) (Preview, error) {
	live, mark, err := e.read(ctx)
	if err != nil {
		return Preview{}, err
	}
	pv := Preview{Route: e.Spec.Route, From: live.Split, To: e.Spec.To(), Live: live, Unfinished: mark}
	if live.Ref != "" {
		pv.Route = live.Ref
	}
	warnings, err := e.Router.Preflight(ctx)
	pv.Warnings = append(pv.Warnings, warnings...)
	unfit := err
	if mark != nil && !e.free(mark.Lease, time.Now()) {
		pv.Warnings = append(pv.Warnings, fmt.Sprintf("another run holds the lease until %s: %s", mark.Lease.Expires.UTC().Format(time.RFC3339), mark.Lease.Owner))
	}
	start, err := e.begin(ctx, live, mark)
	back := err == nil && goesBack(start, mark)
	if back && unfit != nil {
		pv.Warnings = append(pv.Warnings, "going back all the same: "+unfit.Error())
	} else {
		pv.block(unfit)
	}
	pv.block(err)
	if err != nil {
		return pv, nil //nolint:nilerr // the blocker says it
	}
	p := start.Plan
	if back {
		start.State.Phase = shift.RollingBack // as its first turn will be
	}
	pv.From, pv.Settled = p.From, start.Kind == shift.StartSettled
	if live.Exists || !p.KeepUndeclared { // records are never created
		pv.Writes = plannedWrites(p, start.State, live)
	}
	pv.Ideal, pv.MaxDuration = p.Ideal(), p.MaxDuration
	if pv.Settled || len(pv.Blockers) > 0 {
		return pv, nil
	}
	pv.Warnings = append(pv.Warnings, append(paceWarning(p), drainNote(p)...)...)
	if p.Judged() && !back {
		r := &Run{e: e, plan: p, state: start.State, live: &live}
		pv.block(e.Analyzer.Preflight(ctx, r.request(time.Now())))
	}
	pv.Warnings = append(pv.Warnings, e.advice(ctx)...)
	if live.Exists {
		pv.Health, err = e.Router.Health(ctx, p.Final.IDs())
		if err != nil {
			pv.Warnings = append(pv.Warnings, "target health could not be read: "+err.Error())
		}
	}
	return pv, nil
}

// advice for people. That the route may be written is not among what can be checked:
// reading needs other permissions, and asking IAM would need even more.
func (e *Engine) advice(ctx context.Context) []string {
	out := []string{"not verified: the permission to write the route and the shift's mark on it; the first write will tell, before any share moves"}
	a, ok := e.Router.(Adviser)
	if !ok {
		return out
	}
	more, err := a.Advise(ctx)
	if err != nil {
		return append(out, "the destinations' attributes could not be read: "+err.Error())
	}
	return append(out, more...)
}

func (pv *Preview) block(err error) {
	if err != nil {
		pv.Blockers, pv.Causes = append(pv.Blockers, err.Error()), append(pv.Causes, err)
	}
}

// paceWarning explains steps that take longer than was asked for.
func paceWarning(p shift.Plan) []string {
	window := p.Lag + p.Timing.Window()
	for _, s := range p.Steps {
		if p.Judged() && s.Hold < window {
			lag := ""
			if p.Lag > 0 {
				lag = fmt.Sprintf("clients follow a change up to %s late (the records' TTL), ", p.Lag)
			}
			return []string{fmt.Sprintf("steps shorter than %s will take that long: %snew weights settle for %s, a measurement covers %s, and its data is complete %s later (analysis.timing)",
				window, lag, p.Timing.Settle, p.Timing.Period, p.Timing.Delay)}
		}
	}
	return nil
}

// drainNote says what becomes of connections that weights do not move.
func drainNote(p shift.Plan) []string {
	if p.DrainText() == "" {
		return nil
	}
	return []string{"after the bake the shift is " + p.DrainText() + " (strategy.drain); only then it is done, and what lost its traffic may be retired"}
}

// plannedWrites lists what is still to be written from a state on.
func plannedWrites(p shift.Plan, s shift.State, live shift.Live) []PlannedWrite {
	var out []PlannedWrite
	now := live.Split
	add := func(w PlannedWrite) {
		out = append(out, w)
		now = w.Split
	}
	switch {
	case s.Phase.Done():
		return nil
	case s.Phase == shift.RollingBack:
		if !now.Equal(p.From) {
			add(PlannedWrite{Split: p.From, Reason: "Rollback"})
		}
		return out
	case !p.Judged():
		reason := "Restate"
		if !live.Exists {
			reason = "Create"
		}
		add(PlannedWrite{Percent: 100, Split: p.Final, Reason: reason})
		return out
	}
	if reason := preparation(p, live); reason != "" && s.Phase == shift.Preparing {
		add(PlannedWrite{Split: p.Attach, Reason: reason})
	}
	for i := max(s.Step, 0); i < len(p.Splits) && s.Phase != shift.Finishing; i++ {
		last := i == len(p.Splits)-1
		hold := p.StepTime(p.Steps[i])
		if now.SameShares(p.Splits[i]) && (!last || now.Equal(p.Splits[i])) {
			if i == 0 && p.Steps[i].Percent == 0 {
				add(PlannedWrite{Split: p.Splits[i], Hold: hold, Approval: p.Steps[i].Approval, Reason: "Pause"})
			}
			continue
		}
		w := PlannedWrite{Percent: p.Steps[i].Percent, Split: p.Splits[i], Hold: hold, Approval: p.Steps[i].Approval, Reason: "Step"}
		if last {
			w.Reason, w.Drain = "Goal", p.DrainTime()
			w.Hold = hold + p.Bake + w.Drain
		}
		add(w)
	}
	if !now.Equal(p.Final) {
		add(PlannedWrite{Percent: 100, Split: p.Final, Reason: "Detach"})
	}
	return out
}

// preparation says why the route must be written before any share moves.
func preparation(p shift.Plan, live shift.Live) string {
	switch {
	case !live.Exists:
		return "Create"
	case !live.Conforms:
		return "Conform"
	case !attached(p.Attach, live.Split):
		return "Attach"
	}
	return ""
}

func attached(want, live traffic.Split) bool {
	for _, w := range want {
		if !live.Has(w.ID) {
			return false
		}
	}
	return true
}
