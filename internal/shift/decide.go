package shift

import (
	"fmt"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/traffic"
)

// maxOverrules bounds how often somebody else's weights are written over before the
// shift holds instead: two writers that overrule each other never end.
const maxOverrules = 5

// Bounds of the wait before something that failed is tried again.
const (
	minRetry = 500 * time.Millisecond
	maxRetry = 10 * time.Second
)

// Observation is what is known at a moment. Facts that were not asked for are nil.
type Observation struct {
	Now    time.Time
	Live   *Live // nil: it could not be read, and Fault says why
	Health map[string]Health
	Report *analysis.Report // of the weights live since State.WrittenAt
	Signal Signal
	// Interrupted: the process was asked to end.
	Interrupted bool
	// Fault is the error of the call that failed last, "" when all went well.
	Fault string
	// Terminal: no retry can heal Fault.
	Terminal bool
}

// Decision is what to do now. At most one of Write and Adopt is set.
type Decision struct {
	Next  State         // to be saved before the write
	Write traffic.Split // to be written, and read back before anything else; nil: nothing
	Adopt traffic.Split // start anew from this live split, which somebody else wrote
	// Wait is how long until the next observation is worth making; 0: at once.
	Wait time.Duration
}

// Wants says which facts beyond the live split Decide needs in this state.
func (s State) Wants() (health, report bool) {
	judging := (s.Phase == Shifting || s.Phase == Baking || s.Phase == Draining) && !s.WrittenAt.IsZero() && !s.Drifted
	return s.Phase == Preparing || judging, judging
}

// Decide is the state machine. Its laws: it writes only from a live split that it
// knows, advances only on a Successful report of the very weights that are live, never
// advances after a failure, and goes back to From with one write from anywhere.
func Decide(p Plan, s State, o Observation) Decision {
	if s.Phase.Done() {
		return Decision{Next: s}
	}
	s.At = o.Now
	s.hear(o.Signal)
	switch {
	case s.Phase == RollingBack:
	case o.Signal.Kind == SignalAbort:
		return startRollback(p, s, o, "Aborted", "a person asked to abort")
	case o.Interrupted && p.OnInterrupt != Hold:
		return startRollback(p, s, o, "Interrupted", "interrupted")
	}
	d := proceed(p, s, o)
	return leave(p, s, o, d)
}

// leave ends a run that is to hold where it stands, or that took too long: but not one
// that goes back, nor with a failure that was found in this very moment.
func leave(p Plan, s State, o Observation, d Decision) Decision {
	overdue := o.Now.Sub(p.Began) > p.MaxDuration
	switch {
	case !o.Interrupted && !overdue, d.Next.Phase == RollingBack, d.Next.Phase.Done(), d.Next.Failed && !s.Failed:
		return d
	case d.Write == nil && d.Adopt == nil:
		s = d.Next
	}
	if o.Interrupted {
		return end(s, Held, "Interrupted", "interrupted; the traffic stays where it is")
	}
	return end(s, Held, "MaxDuration", fmt.Sprintf("not finished within %s; last: %s", p.MaxDuration, s.Message))
}

func proceed(p Plan, s State, o Observation) Decision {
	switch {
	case s.Failed && s.Phase != RollingBack: // held by policy: only a person ends this
		return Decision{Next: s, Wait: maxRetry}
	case o.Live == nil:
		return unreadable(p, s, o)
	}
	switch s.Phase {
	case Preparing:
		return prepare(p, s, o)
	case Shifting:
		return advanceTo(p, s, o)
	case Baking, Draining:
		return judge(p, s, o)
	case Finishing:
		return finish(p, s, o)
	case RollingBack:
		return rollBack(p, s, o)
	case Succeeded, RolledBack, Held, Unconfirmed:
	}
	return Decision{Next: s}
}

// unreadable holds while the route cannot be read: nothing may be written blindly.
func unreadable(p Plan, s State, o Observation) Decision {
	if s.Phase == RollingBack {
		return retryRollback(p, s, o, "cannot read the route: "+o.Fault)
	}
	if o.Terminal {
		return fail(p, s, o, "Unreadable", "cannot read the route: "+o.Fault)
	}
	return hold(p, s, o, "Unreadable", "cannot read the route: "+o.Fault)
}

// prepare attaches what is not attached, makes the conditions as declared, and waits
// for health. The shares stay From's.
func prepare(p Plan, s State, o Observation) Decision {
	live := o.Live
	switch {
	case live.shares(p.From):
	case live.Exists:
		return drift(p, s, o, p.Attach)
	default: // what serves the requests of a route still to be created is another split now
		return Decision{Next: s, Adopt: live.Split}
	}
	s.Drifted = false
	wanted, missing := p.Attach, []string(nil)
	if p.KeepUndeclared { // what else there was may go
		wanted = p.To()
	}
	for _, id := range wanted.IDs() {
		if !live.Split.Has(id) {
			missing = append(missing, p.NameOf(id))
		}
	}
	if p.KeepUndeclared && live.Exists && missing != nil {
		return hold(p, s, o, "DestinationGone", "there is no record of "+strings.Join(missing, ", ")+" any more: create it again")
	}
	if !live.Exists || !live.Conforms || missing != nil {
		return attempt(p, s, o, p.Attach, "Preparing", "attaching "+p.Describe(p.Attach))
	}
	if s.Reason == "Preparing" { // attached: the wait for health starts
		s.Reason, s.HoldSince = "Attached", time.Time{}
	}
	if o.Health == nil {
		if o.Fault != "" {
			return hold(p, s, o, "HealthUnknown", "cannot read target health: "+o.Fault)
		}
		return Decision{Next: s}
	}
	if why := p.unhealthy(o.Health, p.Gaining()); why != "" {
		return hold(p, s, o, "Unhealthy", why)
	}
	s.Phase, s.Step, s.HoldSince, s.WrittenAt = Shifting, 0, time.Time{}, time.Time{}
	return advanceTo(p, s, o)
}

// advanceTo gets the current step's weights live, then judges them.
func advanceTo(p Plan, s State, o Observation) Decision {
	if !s.WrittenAt.IsZero() {
		return judge(p, s, o)
	}
	want, live := p.Splits[s.Step], o.Live
	last := s.Step == len(p.Splits)-1
	switch {
	case live.Exists && live.Conforms && live.shares(want) && (!last || p.exactly(*live, want)):
		s.Drifted = false
		if live.Pending {
			return hold(p, s, o, "Propagating", propagating(p, live))
		}
		s.remeasure(o.Now)
		s.Reason, s.Message = "Written", "live: "+p.Describe(live.Split)
		return Decision{Next: s}
	case live.Exists && live.Conforms && (live.shares(p.before(s.Step)) || live.shares(want)):
		return attempt(p, s, o, want, "Shifting", fmt.Sprintf("step %d/%d: %s", s.Step+1, len(p.Splits), p.Describe(want)))
	}
	return drift(p, s, o, want)
}

// judge decides on weights that were verified to be live.
func judge(p Plan, s State, o Observation) Decision {
	want := p.Splits[s.Step]
	if !o.Live.Exists || !o.Live.Conforms || !o.Live.shares(want) {
		return drift(p, s, o, want)
	}
	if o.Live.Pending { // a run before this one wrote, and was killed: it is not in force yet
		s.Phase = Shifting
		s.remeasure(time.Time{})
		return advanceTo(p, s, o)
	}
	if s.Drifted { // ours again: what was measured meanwhile counts for nothing
		s.Drifted = false
		s.remeasure(o.Now)
		if s.Phase == Draining {
			s.Phase = Baking
		}
		if s.Phase == Baking {
			s.BakeSince = o.Now
		}
		s.Reason, s.Message = "DriftGone", "the weights are ours again: "+p.Describe(o.Live.Split)
		return Decision{Next: s}
	}
	if o.Report != nil {
		s.Report = o.Report
	}
	if why := p.unhealthy(o.Health, p.carrying(o.Live.Split)); why != "" {
		return fail(p, s, o, "HealthLost", why)
	}
	if why := s.failures(o.Report); why != "" {
		return fail(p, s, o, "AnalysisFailed", why)
	}
	if o.Health == nil { // not knowing is no reason to go back at once, and none to go on
		return hold(p, s, o, "HealthUnknown", "cannot read target health: "+o.Fault)
	}
	if o.Report == nil {
		return Decision{Next: s, Wait: p.Timing.Window()}
	}
	return pace(p, s, o)
}

// pace advances when the step has had its time, its verdict and its approval.
func pace(p Plan, s State, o Observation) Decision {
	passed := o.Report.Verdict == analysis.Successful
	least := p.earliest(s)
	next := least.Sub(o.Now)
	if n := o.Report.Next.Sub(o.Now); n > 0 && (next <= 0 || n < next) {
		next = n
	}
	switch {
	case o.Now.Before(least):
		s.HoldSince = time.Time{}
		s.Reason, s.Message = "Holding", fmt.Sprintf("at least until %s; %s", least.UTC().Format(time.TimeOnly), verdictText(o.Report))
		if s.Phase == Draining {
			s.Reason, s.Message = "Draining", p.DrainText()+"; "+s.Message
		}
		return Decision{Next: s, Wait: max(next, minRetry/5)}
	case !passed && o.Now.Before(o.Report.First):
		s.HoldSince = time.Time{}
		s.Reason, s.Message = "Measuring", verdictText(o.Report)
		return Decision{Next: s, Wait: max(next, minRetry/5)}
	case !passed:
		return hold(p, s, o, string(o.Report.Verdict), verdictText(o.Report))
	case s.Phase == Shifting && p.Steps[s.Step].Approval && !s.Promoted && s.Approved != s.Step+1:
		s.HoldSince = time.Time{}
		s.Reason, s.Message = "Paused", fmt.Sprintf("step %d/%d waits for approval (norikae approve)", s.Step+1, len(p.Splits))
		return Decision{Next: s, Wait: max(next, minRetry)}
	case s.Phase == Draining && p.DrainMetric && !o.Report.Drained():
		s.HoldSince = time.Time{} // it may take as long as MaxDuration: nothing is wrong
		s.Reason, s.Message = "Draining", "the losing side is not drained yet: "+o.Report.DrainText()
		return Decision{Next: s, Wait: max(next, minRetry)}
	}
	return advance(p, s, o)
}

// earliest is when the weights have been live for as long as was declared.
func (p Plan) earliest(s State) time.Time {
	switch {
	case s.Phase == Draining:
		return s.DrainSince.Add(p.Drain)
	case s.Phase == Baking:
		return s.BakeSince.Add(p.Bake)
	case s.Promoted:
		return s.WrittenAt.Add(p.Lag)
	}
	return s.WrittenAt.Add(max(p.Steps[s.Step].Hold, p.Lag))
}

// advance leaves a step that passed.
func advance(p Plan, s State, o Observation) Decision {
	s.HoldSince = time.Time{}
	switch {
	case s.Phase == Shifting && s.Step < len(p.Splits)-1:
		s.Step++
		s.remeasure(time.Time{})
		return advanceTo(p, s, o)
	case s.Phase == Shifting:
		s.Phase, s.BakeSince = Baking, o.Now
		s.Reason, s.Message = "Baking", fmt.Sprintf("the declared weights are live; watching them for %s", p.Bake)
		if p.Bake > 0 {
			return Decision{Next: s, Wait: min(p.Bake, max(o.Report.Next.Sub(o.Now), minRetry))}
		}
	}
	if s.Phase == Baking && p.drains() {
		s.Phase, s.DrainSince = Draining, o.Now
		s.Reason, s.Message = "Draining", "the shift has passed; "+p.DrainText()
		return Decision{Next: s, Wait: min(max(p.Drain, minRetry), max(o.Report.Next.Sub(o.Now), minRetry))}
	}
	s.Phase = Finishing
	return finish(p, s, o)
}

// finish removes the destinations that are not declared, or restates the declared
// integers where no share moves.
func finish(p Plan, s State, o Observation) Decision {
	live := o.Live
	switch {
	case live.Exists && live.Conforms && p.exactly(*live, p.Final):
		if live.Pending {
			return hold(p, s, o, "Propagating", propagating(p, live))
		}
		return end(s, Succeeded, "Succeeded", "live: "+p.Describe(live.Split))
	case !live.Exists && s.WrittenAt.IsZero() && !p.Judged(), live.Split.Sum() == 0, live.shares(p.Final),
		!p.Judged() && live.shares(p.From):
		return attempt(p, s, o, p.Final, "Finishing", "writing the declared weights "+p.Describe(p.Final))
	}
	return drift(p, s, o, p.Final)
}

func propagating(p Plan, l *Live) string {
	return p.Describe(l.Split) + " is written and not in force everywhere yet"
}

// attempt writes, unless that was tried for too long.
func attempt(p Plan, s State, o Observation, split traffic.Split, reason, message string) Decision {
	if o.Terminal {
		return fail(p, s, o, "WriteRefused", o.Fault)
	}
	if s.HoldSince.IsZero() {
		s.HoldSince = o.Now
	} else if o.Now.Sub(s.HoldSince) > p.MaxHold {
		return fail(p, s, o, "WriteFailed", fmt.Sprintf("the write did not come into force within %s: %s", p.MaxHold, o.Fault))
	}
	s.Reason, s.Message = reason, message
	return Decision{Next: s, Write: split}
}

// hold waits for something to heal, at most MaxHold; then it is a failure.
func hold(p Plan, s State, o Observation, reason, message string) Decision {
	if s.HoldSince.IsZero() {
		s.HoldSince = o.Now
	}
	held := o.Now.Sub(s.HoldSince)
	if held > p.MaxHold {
		return fail(p, s, o, reason, fmt.Sprintf("%s (held for %s)", message, held.Round(time.Second)))
	}
	s.Reason, s.Message = reason, message
	return Decision{Next: s, Wait: retryIn(held)}
}

// retryIn grows with the time already waited.
func retryIn(held time.Duration) time.Duration { return min(max(held/2, minRetry), maxRetry) }

// fail applies OnFailure.
func fail(p Plan, s State, o Observation, reason, message string) Decision {
	if s.Phase == Finishing { // the shift has passed; what is left moves no traffic
		return end(s, Held, reason, message)
	}
	if p.OnFailure != Hold {
		return startRollback(p, s, o, reason, message)
	}
	s.Failed, s.Reason, s.Message = true, reason, message
	if s.HoldSince.IsZero() {
		s.HoldSince = o.Now
	}
	return Decision{Next: s, Wait: maxRetry}
}

// drift applies OnDrift: somebody else wrote. restore is what ours would be.
func drift(p Plan, s State, o Observation, restore traffic.Split) Decision {
	s.Drifted, s.HoldSince = true, time.Time{}
	message := fmt.Sprintf("somebody else wrote the route: live %s, ours %s", p.DescribeLive(*o.Live), p.Describe(restore))
	if !o.Live.Exists { // nothing to write to: wait for a person whatever the policy
		s.Reason, s.Message = "RouteGone", "somebody else removed the route"
		return Decision{Next: s, Wait: maxRetry}
	}
	if o.Live.shares(restore) {
		message = "somebody else changed the route's conditions"
	}
	switch {
	case p.OnDrift == Overrule && s.Overruled < maxOverrules:
		s.Overruled++
		s.remeasure(time.Time{})
		s.Reason, s.Message = "DriftOverruled", message
		return Decision{Next: s, Write: restore}
	case p.OnDrift == Adopt && o.Live.Conforms && o.Live.Split.Sum() > 0 && len(o.Live.Others) == 0: // a route cut off, torn, or with other conditions, is for a person
		s.Reason, s.Message = "DriftAdopted", message
		return Decision{Next: s, Adopt: o.Live.Split}
	}
	s.Reason, s.Message = "Drift", message
	return Decision{Next: s, Wait: maxRetry}
}

func end(s State, phase Phase, reason, message string) Decision {
	s.Phase, s.Reason, s.Message = phase, reason, message
	return Decision{Next: s}
}

// carrying are the gaining destinations that have traffic in s.
func (p Plan) carrying(s traffic.Split) []string {
	var ids []string
	for _, id := range p.Gaining() {
		if s.Weight(id) > 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// unhealthy says why one of the destinations is not fit to carry traffic: it needs a
// healthy target, and at least half of them healthy (a load balancer fails open when
// none is, and overloads the few when some are). Health that was not read is no reason.
func (p Plan) unhealthy(health map[string]Health, ids []string) string {
	if health == nil {
		return ""
	}
	for _, id := range ids {
		h, ok := health[id]
		if ok && h.Healthy > 0 && 2*h.Healthy >= h.Total {
			continue
		}
		why := fmt.Sprintf("destination %s has %d of %d targets healthy, at least half and 1 are needed", p.NameOf(id), h.Healthy, h.Total)
		if h.Reason != "" {
			why += " (" + h.Reason + ")"
		}
		return why
	}
	return ""
}

// failures says which metric has failed more often than its limit over the whole shift.
func (s State) failures(r *analysis.Report) string {
	if r == nil {
		return ""
	}
	for _, m := range r.Metrics {
		if n := s.Failures[m.Name] + m.Failed; m.Failed > 0 && n > m.FailureLimit {
			return verdictText(r)
		}
	}
	if r.Verdict == analysis.Failed {
		return verdictText(r)
	}
	return ""
}

func verdictText(r *analysis.Report) string {
	if r.Message == "" {
		return "verdict: " + string(r.Verdict)
	}
	return r.Message
}
