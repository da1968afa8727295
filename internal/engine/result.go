package engine

import (
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// Result is how a run ended and where the traffic is.
type Result struct {
	Phase   shift.Phase `json:"phase"` // Succeeded, RolledBack, Held or Unconfirmed
	Reason  string      `json:"reason"`
	Message string      `json:"message"`
	// Live is the split when the run ended, as last read; nil: it could not be read.
	Live     traffic.Split `json:"live"`
	From     traffic.Split `json:"from"`
	To       traffic.Split `json:"to"`
	Started  time.Time     `json:"started"`
	Finished time.Time     `json:"finished"`
	Writes   int           `json:"writes"` // weight writes made by this run
	// Report is the last judgement, the reason of a rollback when a metric failed.
	Report *analysis.Report `json:"report,omitempty"`
}

// Preview is what a run would do now, without doing it.
type Preview struct {
	Route   string         `json:"route"`
	From    traffic.Split  `json:"from"`
	To      traffic.Split  `json:"to"`
	Live    shift.Live     `json:"live"`
	Settled bool           `json:"settled"` // nothing to write
	Writes  []PlannedWrite `json:"writes"`
	// Unfinished is the mark of a shift that is under way on the route, if any.
	Unfinished  *shift.Mark             `json:"unfinished,omitempty"`
	Health      map[string]shift.Health `json:"health,omitempty"`
	Ideal       time.Duration           `json:"ideal"` // of the whole shift, bake included
	MaxDuration time.Duration           `json:"maxDuration"`
	Warnings    []string                `json:"warnings,omitempty"`
	// Blockers would make a run refuse to start.
	Blockers []string `json:"blockers,omitempty"`
	// Causes of the Blockers, one for each, in their order.
	Causes []error `json:"-"`
}

// PlannedWrite is one write of a preview.
type PlannedWrite struct {
	Percent  int           `json:"percent"` // of the move
	Split    traffic.Split `json:"split"`
	Hold     time.Duration `json:"hold"`            // until the next write at the earliest
	Drain    time.Duration `json:"drain,omitempty"` // part of Hold: for the losing side's connections, after the bake
	Approval bool          `json:"approval"`        // a person has to approve before the next
	Reason   string        `json:"reason"`          // Create, Attach, Conform, Step, Goal, Restate, Detach
}
