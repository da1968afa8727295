package lawtest

import (
	"math"
	"time"
)

// writes judges one attempt to write weights.
func (j *judge) writes(a *act) {
	w, c := a.write, j.c
	if w.off {
		j.violate(LawKept, "%s writes another route than the shift's", w.x.Operation)
		return
	}
	j.weights(w)
	w.again = c.last != nil && c.last.text == w.text && !c.last.x.OK()
	if !w.again || c.fresh { // else the SDK tries again what failed
		j.informed(w)
		j.leased(w)
		j.kept(w)
		if j.settled {
			j.violate(LawSettled, "%s was written, and the route already was as declared", w.split)
		} else {
			j.moves(w)
		}
	}
	j.took(a)
}

// took follows the effect that an attempt has, may have had, or has not.
func (j *judge) took(a *act) {
	x, c, w := j.x, j.c, a.write
	j.remember()
	if a.marking != nil && (x.OK() || x.Unknown()) {
		j.marked(a.marking)
	}
	c.last, c.fresh, c.owns, c.markFailed = w, false, false, false
	switch {
	case x.OK():
		c.unread = x
		if j.live == nil || !j.live.split.sameShares(w.split) {
			j.forward++
		}
		j.goLive(w)
		j.alien = false
		if j.from != nil {
			if at, ok := j.locate(w.split); ok {
				j.step = at
			}
		}
	case x.Unknown():
		j.forward++
		if j.live != nil {
			j.before, j.live = j.live, nil
		}
	}
}

// weights judges law 4.
func (j *judge) weights(w *write) {
	if w.nilWeights {
		j.violate(LawWeights, "%s leaves a weight out, which AWS takes for 1", w.x.Operation)
	}
	if w.split.sum() == 0 {
		j.violate(LawWeights, "%s writes %s: the weights sum to 0", w.x.Operation, w.split)
	}
	for _, o := range w.others {
		j.violate(LawSteps, "one part of the route is given %s, another %s", w.split, o)
	}
	if w.unconditional {
		j.violate(LawDrift, "%s writes %s over whatever is there", w.x.Operation, w.split)
	}
}

// informed wants a decision to be made on all that there is to read.
func (j *judge) informed(w *write) {
	c := j.c
	if c.marker != "" {
		j.violate(LawPaging, "a write while the page at %s had not been read", c.marker)
	}
	for op, marker := range c.markers {
		if marker != "" {
			j.violate(LawPaging, "a write while %s had more to tell", op)
		}
	}
	if c.read == nil || !c.fresh {
		j.violate(LawReadBack, "%s was written, and the route was not read since the write before", w.split)
	}
}

// leased judges the lease.
func (j *judge) leased(w *write) {
	c := j.c
	if w.creates { // a priority is given once: a lock by itself
		return
	}
	// Tags have no compare-and-set: who lost the lease after it had looked may not know
	// before its next look. That look comes before its next write, see owns.
	if could := !c.ownsAt.Before(j.tagged); could && j.owner != "" && !j.leaseOdd && j.owner != c.owner && j.x.Begun.Before(j.expires) {
		j.violate(LawLease, "%s holds the lease until %s", j.owner, j.expires.UTC().Format(time.TimeOnly))
	}
	if goesBack := j.from != nil && w.split.equal(j.from) && c.markFailed; !c.owns && !goesBack {
		j.violate(LawLease, "it did not read that the lease is its own since its last write")
	}
}

// kept judges law 10.
func (j *judge) kept(w *write) {
	r := j.c.read
	if r == nil {
		return
	}
	if !w.creates && r.exists && r.split.sum() > 0 && w.rest != r.rest {
		j.violate(LawKept, "the route had %s, the write has %s", r.rest, w.rest)
	}
	if r.exists && w.withConditions && w.conditions != r.conditions && !w.split.sameShares(r.split) {
		j.violate(LawKept, "conditions and shares change in one write, from %s to %s", r.split, w.split)
	}
}

// moves judges what a write does to the traffic.
func (j *judge) moves(w *write) {
	c := j.c
	if c.read == nil || j.from == nil {
		return
	}
	now := c.read.split
	switch {
	case j.alien && c.read.at.Sub(j.live.at) >= 0 && j.d.OnDrift == HoldDrift:
		j.violate(LawDrift, "%s was written over somebody else's %s", w.split, now)
	case j.alien && j.d.OnDrift != HoldDrift:
		// by policy: written over, or taken for From, which the mark says
	case len(j.from) == 0 || j.from.sum() == 0:
		if !w.split.equal(j.d.To) {
			j.violate(LawSteps, "nothing forwards yet, so that %s is to be written at once, not %s", j.d.To, w.split)
		}
	case w.split.sameShares(now) && c.read.exists:
		j.restates(w, now)
	case w.split.sameShares(j.from) && !c.read.exists: // it mirrors what serves today
	case w.split.equal(j.from):
		j.goesBack(w)
	case w.split.sameShares(j.from):
		j.violate(LawRollback, "a rollback wrote %s, but the original integers are %s", w.split, j.from)
	default:
		j.advances(w, now)
	}
}

// restates judges a write that moves no traffic.
func (j *judge) restates(w *write, now Split) {
	c := j.c
	switch {
	case w.withConditions && w.conditions != c.read.conditions:
	case !now.attaches(w.split):
		if !w.split.carries().equal(now.carries()) && !w.split.equal(j.d.To) {
			j.violate(LawSteps, "attaching changed the integers from %s to %s", now, w.split)
		}
	case w.split.equal(j.d.To) && !now.equal(j.d.To): // undeclared groups leave, or the declared integers come
	case w.split.equal(j.from) && !now.equal(j.from): // what was attached leaves again
	default:
		j.violate(LawSteps, "%s was written, and it was live already", w.split)
	}
}

// goesBack judges a write of From.
func (j *judge) goesBack(w *write) {
	if j.back && !w.again {
		j.violate(LawRollback, "From was written a second time")
	}
	j.back, j.backBy, j.c.answered = true, j.x.Caller, true
}

// advances judges a write that moves traffic, and not to From.
func (j *judge) advances(w *write, now Split) {
	c := j.c
	if j.back {
		j.violate(LawRollback, "%s was written after the rollback", w.split)
		return
	}
	if c.failure != "" {
		j.violate(LawRollback, "%s was written after a failure: %s", w.split, c.failure)
		return
	}
	if away := j.away(w.split, now); away != "" {
		j.violate(LawRollback, "%s moves %s away from its goal, and is not From (%s)", w.split, nameOf(away), j.from)
		return
	}
	at, ok := j.locate(now)
	to, step := j.locate(w.split)
	switch {
	case !ok:
		j.violate(LawDrift, "%s was written over %s, which is none of this shift's splits", w.split, now)
		return
	case !step:
		j.violate(LawSteps, "%s is no step's split between %s and %s", w.split, j.from, j.d.To)
		return
	}
	if next := j.next(at, now); to != next && !(to > next && j.unresolvable(next, to, w.split)) {
		j.violate(LawSteps, "%s is step %d, due was step %d", w.split, to+1, next+1)
	}
	if to == len(j.d.Percents)-1 && !w.split.carries().equal(j.d.To.carries()) {
		j.violate(LawDeclared, "the last step wrote %s, declared is %s", w.split, j.d.To)
	}
	if at >= 0 {
		j.judged(w, now)
		j.forced(w.split.String()+" was written", now)
	}
}

// away names a group that a write moves away from its goal.
func (j *judge) away(w, now Split) string {
	unit := 1e-9
	for _, id := range ids(w, now) {
		goal := j.d.To.share(id) - j.from.share(id)
		moved := w.share(id) - now.share(id)
		if goal > 0 && moved < -unit || goal < 0 && moved > unit || goal == 0 && math.Abs(moved) > 1/float64(max(w.sum(), 1)) {
			return id
		}
	}
	return ""
}

// next is the step after the one at, past those that have no share of their own.
func (j *judge) next(at int, now Split) int {
	for i := at + 1; i < len(j.d.Percents); i++ {
		if j.d.Percents[i] == 0 {
			continue
		}
		if d, _ := distance(now, j.from, j.d.To, j.d.Percents[i]); d > 1e-9 {
			return i
		}
	}
	return len(j.d.Percents) - 1
}

// unresolvable tells whether the steps from next to to are one and the same for the
// integers of a split.
func (j *judge) unresolvable(next, to int, s Split) bool {
	for i := next; i <= to; i++ {
		if _, rounded := distance(s, j.from, j.d.To, j.d.Percents[i]); !rounded {
			return false
		}
	}
	return true
}

// judged wants a verdict on the live weights before the next write.
func (j *judge) judged(w *write, now Split) {
	switch {
	case j.d.Unjudged && !j.c.healthy:
		j.violate(LawVerdict, "%s was written, and the targets' health was not read at %s", w.split, now)
	case !j.d.Unjudged && !j.c.passed:
		j.violate(LawVerdict, "%s was written without good data of %s, live since %s", w.split, now, j.since.UTC().Format(time.TimeOnly))
	}
}
