package shift

import (
	"fmt"
	"time"

	"github.com/norikae/norikae/internal/traffic"
)

// StartKind says what running a declaration means, given what is live.
type StartKind string

// The kinds of starts.
const (
	StartSettled StartKind = "Settled" // nothing to do, nothing is written
	StartNew     StartKind = "New"
	StartResume  StartKind = "Resume" // of an unfinished shift with the same declaration
	StartAbort   StartKind = "Abort"  // of an unfinished shift: its From is declared
)

// Start is how a run begins.
type Start struct {
	Kind  StartKind
	Plan  Plan
	State State
}

// UnfinishedError means that another declaration's shift is unfinished on the route.
type UnfinishedError struct{ Mark Mark }

func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("shift %q (%s, started %s) is unfinished on this route and has another declaration; finish it or go back with its own manifest (norikae resume, norikae abort), or start a new one from the live weights with --replace",
		e.Mark.Name, e.Mark.ID, e.Mark.Started.UTC().Format(time.RFC3339))
}

// Facts are what a start is decided from. ID is the identity for a new shift.
type Facts struct {
	Now     time.Time
	Live    Live
	Mark    *Mark  // nil: no shift is unfinished
	Journal *State // nil: there is none; ignored when it is not of the mark's shift
	Replace bool
	ID      string
}

// Begin decides how to run spec. The mark on the route is the truth about an
// unfinished shift; the journal adds detail.
func Begin(spec Spec, f Facts) (Start, error) {
	if f.Mark != nil && !f.Replace {
		return beginMarked(spec, f)
	}
	p, err := NewPlan(spec, f.Live.Split, f.ID, f.Now, f.Now)
	if err != nil {
		return Start{}, err
	}
	if len(f.Live.Others) > 0 {
		return Start{}, fmt.Errorf("the parts of the route have different shares (%s): make them alike, then run this again", p.DescribeLive(f.Live))
	}
	s := State{ID: f.ID, Phase: Preparing, Step: -1, At: f.Now, Reason: "Started", Message: "from " + p.Describe(p.From) + " to " + p.Describe(p.Final)}
	if f.Mark == nil && f.Live.Exists && f.Live.Conforms && p.exactly(f.Live, p.Final) {
		s.Phase, s.Reason, s.Message = Succeeded, "Settled", "the declared weights are live; nothing was written"
		return Start{Kind: StartSettled, Plan: p, State: s}, nil
	}
	if !p.Judged() {
		s.Phase, s.Step = Finishing, len(p.Steps)-1
	}
	return Start{Kind: StartNew, Plan: p, State: s}, nil
}

func beginMarked(spec Spec, f Facts) (Start, error) {
	m := *f.Mark
	if m.Plan != spec.Hash() {
		if !spec.To().SameShares(m.From) {
			return Start{}, &UnfinishedError{Mark: m}
		}
		p := Plan{Spec: spec, ID: m.ID, Started: m.Started, Began: f.Now, From: m.From, Attach: m.From, Final: spec.To(), ForeignSteps: true}
		s := State{ID: m.ID, Phase: RollingBack, Step: -1, At: f.Now, RollbackSince: f.Now, Reason: "Aborted", Message: "the weights that the unfinished shift started from are declared again"}
		return Start{Kind: StartAbort, Plan: p, State: s}, nil
	}
	p, err := NewPlan(spec, m.From, m.ID, m.Started, f.Now)
	if err != nil {
		return Start{}, err
	}
	return Start{Kind: StartResume, Plan: p, State: resume(p, f)}, nil
}

// resume rebuilds the state of an unfinished shift from the live split: the newest step
// with these shares is under way again, with a measurement window of its own. The
// journal, when it is this shift's, adds what cannot be seen on the route: a rollback
// that had begun, a failure that is held, failures counted, pauses approved.
func resume(p Plan, f Facts) State {
	s := State{ID: p.ID, Phase: Preparing, Step: -1}
	if f.Journal != nil && f.Journal.ID == p.ID {
		s = *f.Journal
	}
	if f.Mark != nil && s.Course() == CourseForward {
		s.setCourse(f.Mark.Lease.Course, f.Now)
	}
	journalled := s.Step
	s.remeasure(time.Time{})
	s.At, s.BakeSince, s.DrainSince = f.Now, time.Time{}, time.Time{}
	if !s.RollbackSince.IsZero() { // wherever it ended: the mark says that it is not over
		s.Phase, s.RollbackSince = RollingBack, f.Now
		return s
	}
	if !s.Failed { // a failure that is held goes on being told
		s.Reason, s.Message = "Resumed", "from "+p.Describe(p.From)+" to "+p.Describe(p.Final)+", live "+p.DescribeLive(f.Live)
	}
	// Only what comes after the bake takes the undeclared destinations off the route.
	detached := len(p.Final) < len(p.Attach) && p.exactly(f.Live, p.Final)
	if !p.Judged() || detached || s.Phase == Finishing || s.Phase == Succeeded {
		s.Phase, s.Step = Finishing, len(p.Steps)-1
		return s
	}
	switch at, ok := p.locate(f.Live.Split, journalled); {
	case ok && at >= 0:
		s.Phase, s.Step = Shifting, at
		// Where clients follow late, what the run before wrote may not be in force yet, and
		// only the first look after the mark was written can tell.
		if p.Lag == 0 && f.Live.Conforms && (at < len(p.Splits)-1 || p.exactly(f.Live, p.Splits[at])) {
			s.WrittenAt = f.Now // verified just now
		}
	case !ok && journalled >= 0: // somebody else's weights: Decide will see the drift
		s.Phase, s.Step = Shifting, min(journalled, len(p.Splits)-1)
	default:
		s.Phase, s.Step = Preparing, -1
	}
	return s
}

// setCourse takes over where the run before was heading, as its lease says.
func (s *State) setCourse(c Course, now time.Time) {
	switch c {
	case CourseBack:
		s.RollbackSince, s.Reason, s.Message = now, "RollbackUnfinished", "the run before was going back"
	case CourseFailed:
		s.Failed, s.Reason = true, "FailedBefore"
		s.Message = "the run before saw a failure, which is held (onFailure: hold): norikae abort goes back, --replace starts anew"
	case CourseForward:
	}
}

// Anew is the state of a shift that starts anew, with another From, from the state that
// it was in.
func (p Plan) Anew(s State, now time.Time) State {
	s.remeasure(time.Time{})
	next := State{
		ID: s.ID, Phase: Preparing, Step: -1, At: now, Reason: s.Reason, Message: s.Message,
		Failures: s.Failures, Promoted: s.Promoted, Heard: s.Heard,
	}
	if !p.Judged() {
		next.Phase, next.Step = Finishing, len(p.Steps)-1
	}
	return next
}

// locate finds the step whose shares are live: the one in the journal if it fits, else
// the first; -1 is From. ok is false when the live split is none of the plan's.
func (p Plan) locate(live traffic.Split, journalled int) (step int, ok bool) {
	if live.SameShares(p.From) {
		return -1, true
	}
	if journalled >= 0 && journalled < len(p.Splits) && live.SameShares(p.Splits[journalled]) {
		return journalled, true
	}
	for i, s := range p.Splits {
		if live.SameShares(s) {
			return i, true
		}
	}
	return -1, false
}
