package lawtest

import (
	"slices"
	"time"
)

// doubtFor is how long after a change whose answer was lost nobody can say that it is in
// force; "typically within 60 seconds", says the Route 53 API's reference of GetChange.
const doubtFor = 2 * time.Minute

// changes of a route whose writes come into force late, in their order, which is also
// that in which they come into force.
type changes struct {
	ids     []string  // "": the answer was lost
	weights int       // index of the newest that gave weights
	at      time.Time // of that one's answer
	before  int       // what weights was before that one
}

// submitted follows a change that was accepted, or may have been.
func (j *judge) submitted(a *act) {
	x := j.x
	if a.asksForce || a.write == nil && a.marking == nil || !x.OK() && !x.Unknown() {
		return
	}
	if x.Unknown() && j.c != nil && x.Caller != Operator {
		j.c.lost = x.Done
	}
	j.zone.ids = append(j.zone.ids, a.change)
	if a.write != nil {
		j.zone.weights, j.zone.at = len(j.zone.ids)-1, x.Done
		for _, c := range j.callers {
			c.inForce = time.Time{}
		}
	}
}

// remember what undone needs, before a write.
func (j *judge) remember() {
	if j.live == nil {
		return // an attempt before this one was lost, too
	}
	j.zone.before = j.zone.weights
	for _, c := range j.callers {
		c.wasInForce = c.inForce
	}
}

// undone: the newest change of weights, whose answer was lost, had no effect.
func (j *judge) undone() {
	j.zone.weights = j.zone.before
	for _, c := range j.callers {
		if c.inForce.IsZero() {
			c.inForce = c.wasInForce
		}
	}
}

// asked follows what a caller is told about changes: that one is in force, and with it
// all that came before.
func (j *judge) asked(a *act) {
	if !a.inForce || !j.x.OK() || a.change == "" {
		return
	}
	if at := slices.Index(j.zone.ids, a.change); at >= j.zone.weights && j.c.inForce.IsZero() {
		j.c.inForce = j.x.Done
	}
}

// forcedAt is when a caller knew that the live weights are in force; ok is false when it
// does not.
func (j *judge) forcedAt(c *caller) (at time.Time, ok bool) {
	switch {
	case j.d.Route.Name == "":
		return time.Time{}, true // they are with the answer
	case !c.inForce.IsZero():
		return c.inForce, true
	case !c.lost.Before(j.zone.at) && j.x.Begun.Sub(c.lost) >= doubtFor:
		return c.lost.Add(doubtFor), true
	}
	return time.Time{}, false
}

// effective is when all clients follow the live weights, as the caller knows it.
func (j *judge) effective() (at time.Time, ok bool) {
	at, ok = j.forcedAt(j.c)
	return at.Add(j.live.ttl), ok
}

// forced wants the live weights to be in force, and followed, before what follows.
func (j *judge) forced(what string, now Split) {
	if j.d.Route.Name == "" || j.live == nil {
		return
	}
	at, ok := j.forcedAt(j.c)
	switch {
	case !ok:
		j.violate(LawForce, "%s, and it was not told that %s is in force", what, now)
	case j.x.Begun.Sub(at) < j.live.ttl:
		j.violate(LawForce, "%s %s after %s came into force; answers are kept for %s", what, j.x.Begun.Sub(at), now, j.live.ttl)
	}
}
