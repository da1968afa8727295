package engine

import (
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// Event is one thing that happened in a run, in the order in which it happened.
type Event struct {
	At     time.Time     `json:"at"`
	Kind   EventKind     `json:"kind"`
	Phase  shift.Phase   `json:"phase"`
	Step   int           `json:"step"`  // index, -1 before the first
	Steps  int           `json:"steps"` // how many there are
	Split  traffic.Split `json:"split,omitempty"`
	Reason string        `json:"reason,omitempty"`
	// Message is a sentence for people.
	Message string           `json:"message,omitempty"`
	Report  *analysis.Report `json:"report,omitempty"`
	// Next is when the run will look again.
	Next time.Time `json:"next,omitzero"`
	// Lag is how late clients follow the route, Drain how long the shift waits after the
	// bake for the losing side's connections; the declaration alone does not say either.
	Lag   time.Duration `json:"lag,omitempty"`
	Drain time.Duration `json:"drain,omitempty"`
}

// EventKind says what an Event is about.
type EventKind string

// The kinds of events.
const (
	EventStarted  EventKind = "started"  // or resumed; see Reason
	EventWaiting  EventKind = "waiting"  // for a foreign lease
	EventWritten  EventKind = "written"  // a split was written and verified by read-back
	EventJudged   EventKind = "judged"   // a new report
	EventHolding  EventKind = "holding"  // no progress, and why
	EventDrift    EventKind = "drift"    // somebody else wrote the weights
	EventFault    EventKind = "fault"    // a call failed and will be retried
	EventFinished EventKind = "finished" // the run ended; Phase says how
)
