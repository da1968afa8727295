package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// judge watches passes from outside, and knows the laws but not how Decide keeps them.
type judge struct {
	said    map[ID][]said
	deleted []deletion
}

// deletion is when a Secret was deleted, and how many could be within the grace then.
type deletion struct {
	at    time.Time
	limit int
}

// said is what AWS said of a cluster in a pass that was written.
type said struct {
	at      time.Time
	gone    bool
	created time.Time // if it is there
	status  Status
}

// goneFor tells whether it means that the cluster made at that time is gone.
func (s said) goneFor(created time.Time) bool { return s.gone || !s.created.Equal(created) }

// watch one plan before it is written.
func (j *judge) watch(in Input, plan Plan) error {
	for i, d := range j.deleted {
		if d.at.After(in.Now) { // the clock was put back: it counts from now
			j.deleted[i].at = in.Now
		}
	}
	if err := j.form(in, plan); err != nil {
		return err
	}
	deletes := 0
	for _, a := range plan.Actions {
		if a.Do == "" {
			continue
		}
		if err := j.action(in, plan, a); err != nil {
			return fmt.Errorf("%s of %s (%s %s): %w", a.Do, a.Cluster.ARN(), a.State, a.Reason, err)
		}
		if a.Do == Delete {
			deletes++
		}
	}
	limit := limitOf(in)
	if deletes > limit {
		return fmt.Errorf("law 3: %d Secrets deleted in one pass, at most %d may be", deletes, limit)
	}
	if deletes > 0 {
		most := limit // the fleet may have been larger when the first of them went
		for _, d := range j.deleted {
			if in.Now.Sub(d.at) < in.Set.Deletion.Grace {
				deletes, most = deletes+1, max(most, d.limit)
			}
		}
		if deletes > most {
			return fmt.Errorf("law 3: %d Secrets deleted within the grace, at most %d may be", deletes, most)
		}
	}
	return j.atOnce(in, plan, limit)
}

// limitOf is how many may vanish at once.
func limitOf(in Input) int {
	own := 0
	for _, e := range in.Entries {
		if e.Owner == in.Set.Owner {
			own++
		}
	}
	return max(1, own*in.Set.Deletion.MaxPercent/100)
}

// form of a plan: one action for each Secret and each cluster, in order, bounded.
func (j *judge) form(in Input, plan Plan) error {
	seen := map[string]bool{}
	last := ""
	for _, a := range plan.Actions {
		key := a.Cluster.ARN()
		if key < last {
			return fmt.Errorf("%s comes after %s", key, last)
		}
		last = key
		if a.Entry != nil {
			key = "secret " + a.Entry.Name
		}
		switch {
		case seen[key]:
			return fmt.Errorf("two actions about %s", key)
		case len(a.Message) > 512 || len(a.Effect) > 512 || len(plan.Stopped) > 512:
			return fmt.Errorf("a message of %s is too long", key)
		case a.State == "" || a.Reason == "":
			return fmt.Errorf("%s has no state or reason: %+v", key, a)
		case a.State != Registered && a.Message == "":
			return fmt.Errorf("%s is %s (%s) without a message", key, a.State, a.Reason)
		}
		seen[key] = true
	}
	for _, e := range in.Entries {
		if e.Owner == in.Set.Owner && !seen["secret "+e.Name] {
			return fmt.Errorf("no action about Secret %s", e.Name)
		}
	}
	return nil
}

// waits tells whether an action is but a note that a Secret waits for its turn: that does no
// harm to a cluster of which nothing is known.
func waits(a Action) bool {
	if a.Do != Mark || !a.YieldedAt.After(a.Entry.YieldedAt) {
		return false
	}
	a.YieldedAt = a.Entry.YieldedAt
	return a.Notes.Equal(a.Entry.Notes)
}

func (j *judge) action(in Input, plan Plan, a Action) error {
	s := in.Snapshot.Sightings[a.Cluster.ARN()]
	if s.Presence == Unknown && !waits(a) {
		return fmt.Errorf("law 6: nobody could be asked about it")
	}
	if plan.Stopped != "" && !(a.Do == Mark && a.MissingSince.IsZero() && a.UnselectedSince.Equal(a.Entry.UnselectedSince)) {
		return fmt.Errorf("law 3: the plan is stopped")
	}
	if a.Do == Create {
		return j.unique(in, a, "")
	}
	e := a.Entry
	mine := e.Owner == in.Set.Owner
	switch {
	case !mine && !(a.Do == Adopt && e.Adopt == in.Set.Owner):
		return fmt.Errorf("law 1: Secret %s is of %q", e.Name, e.Owner)
	case e.ClusterName == "in-cluster" || strings.HasPrefix(e.Server, "https://kubernetes.default"):
		return fmt.Errorf("law 1: Secret %s is of Argo CD's own cluster", e.Name)
	}
	switch a.Do {
	case Replace:
		if !slices.Contains(e.Allow, AllowReplace) {
			return fmt.Errorf("law 5: nobody allowed it")
		}
		if t, ok := in.Traffic[a.Cluster.ARN()]; ok && in.Set.TargetGroups != nil && (len(t.Routes) > 0 || t.Err != nil) {
			return fmt.Errorf("law 4: replaced with traffic %v", t)
		}
		return j.unique(in, a, e.UID)
	case Delete:
		return j.removal(in, a)
	case Create, Update, Mark, Adopt:
	}
	return j.inPlace(in, a)
}

// unique is what a new Secret must be.
func (j *judge) unique(in Input, a Action, except string) error {
	for _, e := range in.Entries {
		switch {
		case e.UID == except:
		case e.Name == SecretName(a.Cluster):
			return fmt.Errorf("there is a Secret %s", e.Name)
		case e.ClusterName == a.Want.ClusterName, strings.TrimRight(e.Server, "/") == a.Want.Server:
			return fmt.Errorf("Secret %s has name %q, server %q already", e.Name, e.ClusterName, e.Server)
		}
	}
	return nil
}

func (j *judge) removal(in Input, a Action) error {
	e, grace := a.Entry, in.Set.Deletion.Grace
	s := in.Snapshot.Sightings[a.Cluster.ARN()]
	now := said{at: in.Now, gone: s.Presence == Gone, created: s.Cluster.Created}
	if !now.goneFor(e.Created) {
		return fmt.Errorf("law 2: AWS does not say that it is gone")
	}
	history := append(slices.Clone(j.said[a.Cluster]), now)
	var apart time.Duration // by clocks that may go back
	for i := len(history) - 1; i >= 0 && history[i].goneFor(e.Created); i-- {
		apart = max(apart, in.Now.Sub(history[i].at))
	}
	if apart < grace {
		return fmt.Errorf("law 2: AWS says so for %s only", apart)
	}
	t, ok := in.Traffic[a.Cluster.ARN()]
	switch way := in.Set.TargetGroups; {
	case !in.Set.Deletion.Delete:
		return fmt.Errorf("the policy is Retain")
	case way == nil:
		return fmt.Errorf("law 4: its target groups are not known")
	case way.None:
	case !ok || t.Err != nil || len(t.Routes) > 0:
		return fmt.Errorf("law 4: traffic %v, known %v", t, ok)
	}
	live := map[ID]bool{}
	for _, o := range in.Entries {
		s := in.Snapshot.Sightings[o.Cluster.ARN()]
		if o.Owner == in.Set.Owner && s.Presence == Present && s.Cluster.Status != Deleting && s.Cluster.Status != Failed {
			live[o.Cluster] = true
		}
	}
	if len(live) < in.Set.Deletion.KeepLast {
		return fmt.Errorf("keepLast is %d, and %d are there", in.Set.Deletion.KeepLast, len(live))
	}
	return nil
}

// inPlace is what must not change of a Secret that stays.
func (j *judge) inPlace(in Input, a Action) error {
	before, after := *a.Entry, apply(a, in.Set.Owner)
	if before.ClusterName != after.ClusterName || before.Server != after.Server {
		return fmt.Errorf("law 5: %q %q becomes %q %q", before.ClusterName, before.Server, after.ClusterName, after.Server)
	}
	if slices.Contains(before.Allow, AllowRelabel) {
		return nil
	}
	for _, s := range in.ApplicationSets {
		if !s.Keeps && dropped(s, before.Labels, after.Labels) {
			return fmt.Errorf("law 5: ApplicationSet %s no longer selects it: %v, %v", s.Name, before.Labels, after.Labels)
		}
	}
	if was, is := fmt.Sprint(before.Labels, before.Annotations), fmt.Sprint(after.Labels, after.Annotations); in.ApplicationSetsErr != nil && was != is {
		return fmt.Errorf("law 5: ApplicationSets are not known, and %s becomes %s", was, is)
	}
	if a.Do == Mark {
		before.Notes = after.Notes
		if fmt.Sprint(before) != fmt.Sprint(after) {
			return fmt.Errorf("a mark changes the Secret")
		}
	}
	return nil
}

// dropped tells, in the judge's own words, whether one of an ApplicationSet's generators
// selects the Secret before and not after.
func dropped(s ApplicationSet, before, after map[string]string) bool {
	selects := func(sel LabelSelector, labels map[string]string) bool {
		for _, r := range sel {
			v, has := labels[r.Key]
			in := has && slices.Contains(r.Values, v)
			if !map[Operator]bool{In: in, NotIn: !in, Exists: has, DoesNotExist: !has}[r.Operator] {
				return false
			}
		}
		return true
	}
	for _, sel := range s.Selectors {
		if selects(sel, before) && !selects(sel, after) {
			return true
		}
	}
	return false
}

// atOnce: of what vanished within the grace, not more than the limit is noted.
func (j *judge) atOnce(in Input, plan Plan, limit int) error {
	n := 0
	for _, a := range plan.Actions {
		if a.Entry == nil || a.Do == Create || a.Do == Replace || a.Do == Adopt {
			continue
		}
		for _, t := range []time.Time{a.MissingSince, a.UnselectedSince} {
			if !t.IsZero() && in.Now.Sub(t) < in.Set.Deletion.Grace {
				n++
				break
			}
		}
	}
	if n > limit && plan.Stopped == "" {
		return fmt.Errorf("law 3: %d vanished at once, at most %d may, and nothing is stopped", n, limit)
	}
	return nil
}

// note what AWS said in a pass. Failed are the clusters whose action was not written: what
// was said of these is not on record.
func (j *judge) note(in Input, plan Plan, failed map[ID]bool) {
	for _, a := range plan.Actions {
		if a.Do == Delete && !failed[a.Cluster] {
			j.deleted = append(j.deleted, deletion{in.Now, limitOf(in)})
		}
	}
	for arn, s := range in.Snapshot.Sightings {
		id, err := ParseARN(arn)
		if err != nil || s.Presence == Unknown || failed[id] {
			continue
		}
		j.said[id] = append(j.said[id], said{at: in.Now, gone: s.Presence == Gone, created: s.Cluster.Created, status: s.Cluster.Status})
	}
}

// settled: with nothing left to do, what is said to be registered is as declared.
func (j *judge) settled(in Input, plan Plan) error {
	for _, a := range plan.Actions {
		if a.Do != "" {
			return fmt.Errorf("%s of %s (%s) again, though nothing has changed", a.Do, a.Cluster.ARN(), a.Reason)
		}
		if a.State != Registered {
			continue
		}
		c := in.Snapshot.Sightings[a.Cluster.ARN()].Cluster
		if a.Entry == nil {
			return fmt.Errorf("%s is Registered, and has no Secret", a.Cluster.ARN())
		}
		var cfg struct{ TLSClientConfig struct{ CAData string } }
		if err := json.Unmarshal([]byte(a.Entry.Config), &cfg); err != nil || cfg.TLSClientConfig.CAData != c.CA {
			return fmt.Errorf("%s is Registered, with config %s instead of CA %s", a.Cluster.ARN(), a.Entry.Config, c.CA)
		}
		if strings.TrimRight(a.Entry.Server, "/") != c.Endpoint {
			return fmt.Errorf("%s is Registered, with server %s instead of %s", a.Cluster.ARN(), a.Entry.Server, c.Endpoint)
		}
		for k, v := range in.Set.Template.Labels {
			if want, _ := v.Render(c); a.Entry.Labels[k] != want {
				return fmt.Errorf("%s is Registered, with labels %v", a.Cluster.ARN(), a.Entry.Labels)
			}
		}
	}
	return nil
}
