package shift

import (
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/traffic"
)

// Policy says what to do about a failure, a drift or an interrupt.
type Policy string

// The policies. Not every one fits everywhere: OnFailure and OnInterrupt take Rollback
// and Hold; OnDrift takes Hold, Adopt and Overrule.
const (
	Rollback Policy = "rollback"
	Hold     Policy = "hold"
	Adopt    Policy = "adopt"    // go on from the weights that somebody else wrote
	Overrule Policy = "overrule" // write ours back, and say so
)

// Spec is a declared shift: everything a user says, already validated in form and with
// defaults filled in. Where the shift starts from is not in it: that is the live split.
type Spec struct {
	Name         string
	Route        string // a stable identity of the route, for messages and the journal
	Destinations []Destination
	Steps        []Step
	Bake         time.Duration // hold at the last weights with rollback armed
	OnFailure    Policy
	OnDrift      Policy
	OnInterrupt  Policy
	// MaxHold bounds how long a step may wait for a verdict, for health, or for an API
	// that does not answer; then OnFailure applies.
	MaxHold time.Duration
	// MaxDuration bounds the whole run; 0: 3 × the planned time + 1 h.
	MaxDuration time.Duration
	// RollbackTimeout bounds the retries of a rollback's write.
	RollbackTimeout time.Duration
	Timing          analysis.Timing
	Limits          traffic.Limits
	// Lag is how long after a verified write the clients follow it: the TTL of DNS
	// records. No step is judged, and none ends, before.
	Lag time.Duration
	// Drain is how long the shift waits after the bake, rollback still armed, for
	// connections that a destination without traffic still has, before it may be retired.
	Drain time.Duration
	// DrainMetric: besides, the analyzer's drain metric must pass.
	DrainMetric bool
	// KeepUndeclared: destinations that are live and not declared end at weight 0 and
	// stay on the route (DNS records, which are not ours to delete).
	KeepUndeclared bool
}

// Destination of a route, as declared.
type Destination struct {
	Name   string // what people call it
	ID     string // what the router calls it
	Weight int    // the goal
}

// Step of a shift: one weight change and the least that must follow before the next.
type Step struct {
	// Percent of the move, 0–100; never falls from step to step. 0 writes nothing (a
	// pause before the start); the last step has 100.
	Percent int
	// Hold is the least time at these weights, even when the verdict is there earlier.
	Hold time.Duration
	// Approval: wait until a person approves before going on.
	Approval bool
}

// To is the declared goal.
func (s Spec) To() traffic.Split {
	to := make(traffic.Split, len(s.Destinations))
	for i, d := range s.Destinations {
		to[i] = traffic.Weighted{ID: d.ID, Weight: d.Weight}
	}
	return to
}

// Live is what a route does now, as its router reads it.
type Live struct {
	// Exists: the route is there and its split can be written.
	Exists bool `json:"exists"`
	// Split of the route. When the route does not exist: the split that serves its
	// requests today (the mirror); empty when nothing forwards them.
	Split traffic.Split `json:"split"`
	// Conforms: everything else that is declared about the route (its conditions)
	// already is so. A write makes it so.
	Conforms bool `json:"conforms"`
	// Ref names the route as the cloud does (a rule's ARN); empty when it does not exist.
	Ref string `json:"ref,omitempty"`
	// Notes are for people: stickiness, unusual actions that are kept.
	Notes []string `json:"notes,omitempty"`
	// Pending: the split is written, and is not in force everywhere yet (a Route 53
	// change that is not INSYNC). It counts as live only when it is not pending.
	Pending bool `json:"pending,omitempty"`
	// Others are the splits of the route's other parts where they differ from Split (the
	// record types of a DNS name); nil: all agree, as they always do after our writes.
	Others []traffic.Split `json:"others,omitempty"`
}

// Mark is what a shift leaves where the traffic is decided, so that every driver on any
// machine finds it again: where it started from, which plan, and who drives it until
// when. It is removed when the shift is done.
type Mark struct {
	ID      string        `json:"id"` // of this shift: random, new for each
	Name    string        `json:"name"`
	Plan    string        `json:"plan"` // Spec.Hash
	From    traffic.Split `json:"from"`
	Started time.Time     `json:"started"`
	Lease   Lease         `json:"lease"`
	// Signal is what a person wants of the run; see Signal.
	Signal Signal `json:"signal"`
}

// Lease says who may write the route's weights until when.
type Lease struct {
	Owner   string    `json:"owner"` // MACHINE/PID/RANDOM
	Expires time.Time `json:"expires"`
	// Course goes with every renewal, so that a run on another machine, which has no
	// journal, does not go forward after a failure that this one saw.
	Course Course `json:"course,omitempty"`
}

// Course says where a run is heading.
type Course string

// The courses.
const (
	CourseForward Course = ""
	CourseFailed  Course = "failed" // a failure is held: forward no more
	CourseBack    Course = "back"   // to From
)

// Signal is a person's word to a running shift, left beside the mark.
type Signal struct {
	Kind SignalKind `json:"kind,omitempty"`
	// Step is the index of the step that an approval is for; -1: the one whose weights
	// are live when the run hears of it.
	Step int `json:"step,omitempty"`
}

// SignalKind is the kind of a Signal.
type SignalKind string

// The signals.
const (
	NoSignal      SignalKind = ""
	SignalApprove SignalKind = "approve" // end the pause of one step
	SignalPromote SignalKind = "promote" // skip all pauses and holds, never a verdict
	SignalAbort   SignalKind = "abort"   // roll back
)

// Health of one destination's targets.
type Health struct {
	Healthy int `json:"healthy"`
	Total   int `json:"total"` // registered and not draining
	// Unused: not attached to a route in force yet, so nothing checks its targets.
	Unused bool   `json:"unused,omitempty"`
	Reason string `json:"reason,omitempty"` // the commonest reason of those not healthy
}
