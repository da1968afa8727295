package registry

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

var errNoTargetGroups = errors.New("template.targetGroups does not say which target groups are a cluster's (none: true, if no load balancer sends them any)")

// due is a Secret whose cluster has been gone for the grace.
type due struct {
	action  int // index of pass.actions
	cluster Cluster
	since   time.Time
}

// vanish decides about a Secret whose cluster is gone: it is noted first, and deleted only
// when AWS says the same the grace later.
func (p *pass) vanish(a *Action, c Cluster) {
	since := a.Entry.MissingSince
	first := since.IsZero() || since.After(p.Now) // another's clock may be ahead
	if first {
		since = p.Now
		a.MissingSince, a.YieldedAt = p.Now, time.Time{}
	}
	del := p.Set.Deletion
	if a.YieldedAt.Sub(p.Now) > del.Grace { // a clock was wrong: nothing waits for years
		a.YieldedAt = p.Now
	}
	gone := fmt.Sprintf("AWS says since %s that there is no such cluster", moment(since))
	if a.State == Held {
		gone = a.Message + fmt.Sprintf("noticed at %s", moment(since))
	}
	switch {
	case !del.Delete:
		a.Message = gone + "; its Secret stays (spec.deletion.policy is Retain): `norikae clusters retire` it"
	default:
		a.Message = gone + fmt.Sprintf("; its Secret is deleted when that is so at %s still", moment(latest(since, a.YieldedAt).Add(del.Grace)))
		// Since it was noted, a grace has to pass before AWS is asked again: this pass may have
		// begun, and heard of it, just after.
		if asked := p.began(); !first && asked.Sub(since) >= del.Grace {
			p.due = append(p.due, due{len(p.actions), c, since})
		}
	}
}

// notNoted says of a cluster that is gone what is so while the set is stopped: no time runs.
func (a *Action) notNoted() string {
	const stays = "; its Secret stays as it is while the set is stopped"
	if before, _, ok := strings.Cut(a.Message, "; noticed at"); ok {
		return before + stays
	}
	return "AWS says that there is no such cluster" + stays
}

// began is when AWS began to be asked.
func (p *pass) began() time.Time {
	if p.Began.IsZero() || p.Began.After(p.Now) {
		return p.Now
	}
	return p.Began
}

// remove has Secrets deleted that are due, the oldest first, unless something stands
// against it.
func (p *pass) remove() {
	slices.SortFunc(p.due, func(a, b due) int {
		return cmp.Or(a.since.Compare(b.since), strings.Compare(a.cluster.ARN(), b.cluster.ARN()))
	})
	allowed, live := p.atOnce(), p.live()
	for _, d := range p.due {
		a := &p.actions[d.action]
		if live < p.Set.Deletion.KeepLast {
			a.blocked("KeepLast", "only %d registered clusters are there, and spec.deletion.keepLast is %d", live, p.Set.Deletion.KeepLast)
			continue
		}
		if waits := p.recent(a.YieldedAt); waits || allowed <= 0 {
			yielded := p.Now
			if waits {
				yielded = a.YieldedAt
			}
			const limit = "no more Secrets are deleted within %s than spec.deletion.maxPercent allows; its turn comes at %s"
			a.blocked("Limit", limit, p.Set.Deletion.Grace, moment(yielded.Add(p.Set.Deletion.Grace)))
			continue
		}
		t, ok := p.traffic(d.cluster)
		living, lives := p.lives(*a.Entry)
		switch {
		case lives:
			a.blocked("ServerLives", "its server is that of %s, which is there: put the mark's ARN right", living)
		case !ok:
			a.blocked("Asking", "whether it gets traffic is being asked")
		case t.Err != nil:
			a.blocked("TrafficUnknown", "whether it gets traffic cannot be known%s", because(t.Err))
		case len(t.Routes) > 0:
			a.blocked("CarriesTraffic", "it gets traffic from %s; move that away first", some(t.Routes))
		default:
			allowed--
			a.Do = Delete
			a.Effect = p.loses(a.Entry.Labels, nil, false)
		}
	}
	p.yield(p.atOnce() - allowed)
}

// yield has all but a few of the Secrets that are missing wait for a grace from now, because
// so many are being deleted. Those few and the deleted ones together are what the limit
// allows within the grace; what becomes missing from now on is due only after it anyhow. So
// the limit holds whoever makes the passes, and whatever happens to him in between: the
// notes are written before anything is deleted.
func (p *pass) yield(deleted int) {
	if deleted == 0 {
		return
	}
	var missing []*Action
	for i := range p.actions {
		a := &p.actions[i]
		never := a.Reason == "InCluster" || a.Reason == "MarkUnreadable" // are not touched
		if a.Do != Delete && a.Entry != nil && !a.Entry.MissingSince.IsZero() && !a.MissingSince.IsZero() && !never {
			missing = append(missing, a)
		}
	}
	turn := func(a *Action) time.Time { return latest(a.MissingSince, a.YieldedAt) }
	slices.SortFunc(missing, func(a, b *Action) int {
		return cmp.Or(turn(a).Compare(turn(b)), strings.Compare(a.Cluster.ARN(), b.Cluster.ARN()))
	})
	for _, a := range missing[min(len(missing), p.atOnce()-deleted):] {
		a.YieldedAt = latest(a.YieldedAt, p.Now) // another's clock may be ahead
		a.note()
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// lives finds a cluster that is there and has the server of a Secret whose mark names
// another one: somebody has edited the mark.
func (p *pass) lives(e Entry) (arn string, ok bool) {
	if p.living == nil {
		p.living = map[string]string{}
		for arn, s := range p.Snapshot.Sightings {
			if s.Presence != Present {
				continue
			}
			p.living[canonical(arn)] = arn
			if s.Cluster.Endpoint != "" {
				p.living[canonical(s.Cluster.Endpoint)] = arn
			}
		}
	}
	arn, ok = p.living[canonical(e.Server)]
	return arn, ok && arn != e.Cluster.ARN()
}

// blocked says why a Secret that is due is not deleted.
func (a *Action) blocked(reason, format string, args ...any) {
	a.Reason = reason
	before, _, _ := strings.Cut(a.Message, "; its Secret is deleted")
	a.Message = before + "; its Secret stays: " + fmt.Sprintf(format, args...)
}

// live counts the set's Secrets whose clusters are there, and stay.
func (p *pass) live() int {
	arns := map[string]bool{} // of two Secrets of one cluster, one counts
	for _, e := range p.own {
		s := p.Snapshot.Sightings[e.Cluster.ARN()]
		if s.Presence == Present && s.Cluster.Status != Deleting && s.Cluster.Status != Failed && !madeAnew(*e, s.Cluster) {
			arns[e.Cluster.ARN()] = true
		}
	}
	return len(arns)
}

// atOnce is how many may vanish within the grace: a share, but always one.
func (p *pass) atOnce() int { return max(1, len(p.own)*p.Set.Deletion.MaxPercent/100) }

// recent tells whether something was within the last grace; a time to come is, too.
func (p *pass) recent(t time.Time) bool {
	return !t.IsZero() && p.Now.Sub(t) < p.Set.Deletion.Grace
}

// limit stops everything when too many vanish at once.
func (p *pass) limit() Plan {
	var gone []ID
	for _, a := range p.actions {
		if p.recent(a.MissingSince) || p.recent(a.UnselectedSince) {
			gone = append(gone, a.Cluster)
		}
	}
	if len(gone) <= p.atOnce() {
		return Plan{Actions: p.actions, Ask: p.asked}
	}
	plan := Plan{Actions: p.actions, StoppedReason: "BlastRadius"}
	plan.Stopped = clip(fmt.Sprintf("%d of %d clusters vanished within %s, and at most %d may (spec.deletion.maxPercent %d): %s. Nothing is written. "+
		"Look at the selectors, the tags, the accounts and the roles; if it is meant, `norikae clusters retire` each, or raise spec.deletion.maxPercent for as long",
		len(gone), len(p.own), p.Set.Deletion.Grace, p.atOnce(), p.Set.Deletion.MaxPercent, some(distinct(gone))))
	for i := range plan.Actions {
		plan.Actions[i].stop()
	}
	return plan
}

// stop an action: only that a cluster is there after all is noted still.
func (a *Action) stop() {
	if a.Do == "" {
		return
	}
	back := a.Entry != nil && a.Do != Adopt && !a.Entry.MissingSince.IsZero() && a.MissingSince.IsZero()
	if a.State == Registered {
		a.is(Unwritten, "Stopped", "what is declared would have been written (%s), but the set is stopped", a.Do)
	}
	a.Do, a.Want, a.Uses, a.Effect = "", Registration{}, "", ""
	if a.Entry == nil {
		return
	}
	a.UnselectedSince = a.Entry.UnselectedSince
	if !a.MissingSince.IsZero() && !a.MissingSince.Equal(a.Entry.MissingSince) {
		a.Message = a.notNoted()
	}
	if back {
		a.Do = Mark
		return
	}
	a.MissingSince, a.YieldedAt = a.Entry.MissingSince, a.Entry.YieldedAt
}
