package shift

import (
	"maps"
	"time"

	"github.com/norikae/norikae/internal/analysis"
)

// Phase of a shift.
type Phase string

// The phases, in the order of a successful shift, then the others.
const (
	Preparing   Phase = "Preparing"   // attach, conform, wait for health: shares are From's
	Shifting    Phase = "Shifting"    // a step's weights are being written or judged
	Baking      Phase = "Baking"      // To is live, rollback is still armed
	Draining    Phase = "Draining"    // passed; the losing side's connections end, rollback is still armed
	Finishing   Phase = "Finishing"   // undeclared destinations leave, the mark goes
	RollingBack Phase = "RollingBack" // From is being written and verified
	Succeeded   Phase = "Succeeded"
	RolledBack  Phase = "RolledBack"
	Held        Phase = "Held"        // given up where it stands; the mark stays
	Unconfirmed Phase = "Unconfirmed" // a rollback that could not be confirmed
)

// State is what a shift remembers between decisions. It is saved before each act.
type State struct {
	ID    string `json:"id"` // of the Mark it belongs to
	Phase Phase  `json:"phase"`
	// Step is the index into the plan's steps of the weights that are live or being
	// written; -1 before the first.
	Step int `json:"step"`
	// WrittenAt is when the step's weights were verified live; zero: not yet.
	WrittenAt time.Time `json:"writtenAt,omitzero"`
	// HoldSince is since when the shift waits for something that it does not get;
	// zero: it does not.
	HoldSince time.Time `json:"holdSince,omitzero"`
	// RollbackSince is when the rollback began.
	RollbackSince time.Time `json:"rollbackSince,omitzero"`
	// BakeSince is when the last step passed and the bake began.
	BakeSince time.Time `json:"bakeSince,omitzero"`
	// DrainSince is when the bake passed and the drain began.
	DrainSince time.Time `json:"drainSince,omitzero"`
	// Failed: a failure was seen and OnFailure is Hold: nothing advances any more.
	Failed bool `json:"failed,omitempty"`
	// Drifted: the live weights were not ours at the last look.
	Drifted bool `json:"drifted,omitempty"`
	// Failures counts each metric's failed measurements of the weights before those
	// that are under judgement; Report has theirs.
	Failures map[string]int `json:"failures,omitempty"`
	// Overruled counts how often somebody else's weights were overwritten.
	Overruled int `json:"overruled,omitempty"`
	// Promoted: pauses are skipped from here on.
	Promoted bool `json:"promoted,omitempty"`
	// Approved is the index of the step whose pause was approved last, plus 1.
	Approved int `json:"approved,omitempty"`
	// Heard is the signal that was taken note of last: one that stays on the route is
	// not heard again, so that it does not end the next pause too.
	Heard Signal `json:"heard,omitzero"`
	// Reason is a CamelCase word, Message a sentence, for the latest decision.
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
	At      time.Time `json:"at"`
	// Report is the newest judgement of the step's weights.
	Report *analysis.Report `json:"report,omitempty"`
}

// remeasure ends the judging of the weights so far; that of the weights live since a
// moment begins (zero: they are not live yet). What has failed stays counted.
func (s *State) remeasure(since time.Time) {
	if s.Report != nil {
		s.Failures = maps.Clone(s.Failures)
		for _, m := range s.Report.Metrics {
			if m.Failed == 0 {
				continue
			}
			if s.Failures == nil {
				s.Failures = map[string]int{}
			}
			s.Failures[m.Name] += m.Failed
		}
	}
	s.WrittenAt, s.HoldSince, s.Report = since, time.Time{}, nil
}

// hear takes note of a person's word, once.
func (s *State) hear(word Signal) {
	if word == s.Heard {
		return
	}
	s.Heard = word
	switch word.Kind {
	case SignalPromote:
		s.Promoted = true
	case SignalApprove:
		switch {
		case word.Step >= 0:
			s.Approved = word.Step + 1
		case s.Phase == Shifting && !s.WrittenAt.IsZero():
			s.Approved = s.Step + 1
		}
	case NoSignal, SignalAbort: // an abort counts as long as it is there
	}
}

// Course of the shift in this state, for its lease.
func (s State) Course() Course {
	switch {
	case !s.RollbackSince.IsZero():
		return CourseBack
	case s.Failed:
		return CourseFailed
	}
	return CourseForward
}

// Done tells whether the phase is an end.
func (p Phase) Done() bool {
	return p == Succeeded || p == RolledBack || p == Held || p == Unconfirmed
}
