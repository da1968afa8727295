package discover_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/discover"
	"github.com/norikae/norikae/internal/registry"
)

// story is what happens to a fleet, and how well AWS answers meanwhile.
type story struct {
	lag    time.Duration
	faults []fault.Rule
	set    *registry.Set
	steps  []step
}

// step is something that happens, and after it a pass that asks for the known ones.
type step struct {
	do    string
	id    registry.ID
	env   string
	wait  time.Duration
	known []registry.ID
}

// universe of clusters that there may be.
func universe() (ids []registry.ID) {
	for _, account := range []string{own, other, third} {
		for _, r := range []string{region, europe} {
			for _, name := range []string{"a", "b", "c", "d", "e"} {
				ids = append(ids, id(account, r, name))
			}
		}
	}
	return ids
}

func some[T any](t *rapid.T, label string, from []T, atLeast int) []T {
	var out []T
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(from)-1), atLeast, -1, rapid.ID[int]).Draw(t, label) {
		out = append(out, from[i])
	}
	return out
}

func drawStory(t *rapid.T) story {
	s := story{
		lag: rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour}).Draw(t, "lag"),
		set: &registry.Set{Interval: time.Minute, RefreshInterval: rapid.SampledFrom([]time.Duration{time.Minute, 20 * time.Minute, 2 * time.Hour}).Draw(t, "refresh")},
	}
	selectors := []registry.Selector{
		{},
		{Tags: prod()},
		{Names: []string{"[abc]"}, Tags: prod()},
		{Requirements: []registry.Requirement{{Key: "env", Operator: registry.Exists}}},
		{Requirements: []registry.Requirement{{Key: "env", Operator: registry.NotIn, Values: []string{"test"}}}},
		{Requirements: []registry.Requirement{{Key: "env", Operator: registry.In, Values: []string{"test", "prod"}}}},
	}
	for range rapid.IntRange(1, 3).Draw(t, "sources") {
		s.set.Sources = append(s.set.Sources, registry.Source{
			Regions:  some(t, "regions", []string{region, europe}, 1),
			Accounts: accountsOf(some(t, "accounts", []string{own, other, third}, 1)...),
			Selector: rapid.SampledFrom(selectors).Draw(t, "selector"),
		})
	}
	if rapid.Bool().Draw(t, "short pages") {
		s.faults = append(s.faults, fault.Rule{Kind: fault.ShortPages, Count: rapid.IntRange(1, 3).Draw(t, "page")})
	}
	for range rapid.IntRange(0, 3).Draw(t, "faults") {
		s.faults = append(s.faults, fault.Rule{
			Kind: rapid.SampledFrom([]fault.Kind{
				fault.Throttle, fault.ErrorBefore, fault.ErrorAfter, fault.AccessDenied, fault.ExpiredToken, fault.DropBefore, fault.DropAfter,
			}).Draw(t, "fault"),
			Service:     rapid.SampledFrom([]string{"", "eks", "tagging", "sts"}).Draw(t, "service"),
			Operation:   rapid.SampledFrom([]string{"", "DescribeCluster", "ListClusters", "GetResources"}).Draw(t, "operation"),
			Skip:        rapid.IntRange(0, 20).Draw(t, "skip"),
			Times:       rapid.IntRange(0, 20).Draw(t, "times"),
			Probability: rapid.Ptr(rapid.SampledFrom([]float64{0.05, 0.5, 1}), false).Draw(t, "probability"),
		})
	}
	for range rapid.IntRange(1, 10).Draw(t, "steps") {
		s.steps = append(s.steps, step{
			do:    rapid.SampledFrom([]string{"add", "add", "create", "delete", "delete", "tag", "restart"}).Draw(t, "do"),
			id:    rapid.SampledFrom(universe()).Draw(t, "cluster"),
			env:   rapid.SampledFrom([]string{"prod", "test"}).Draw(t, "env"),
			wait:  time.Duration(rapid.SampledFrom([]int{0, 1, 12, 40}).Draw(t, "minutes")) * time.Minute,
			known: some(t, "known", universe(), 0),
		})
	}
	return s
}

// truth is what there was at a time, by ARN: names, tags, and when it was made.
type truth struct {
	at   time.Time
	made map[string]registry.Cluster
}

func TestWhatASnapshotSaysIsSo(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawStory(rt)
		var problems []string
		synctest.Test(t, func(t *testing.T) { problems = tell(t, s) })
		if len(problems) > 0 {
			rt.Fatalf("%d problems, the first: %s\n%+v", len(problems), problems[0], s)
		}
	})
}

// tell a story, and what was wrong in it.
func tell(t *testing.T, s story) (problems []string) {
	w := newWorld(t, func(c *awssim.Config) { c.IndexLag = s.lag })
	defer w.end()
	w.add(prod(), universe()[0], universe()[7], universe()[14])
	for _, r := range s.faults {
		w.fault(r)
	}
	history := []truth{w.truth()}
	for _, st := range s.steps {
		w.act(st)
		for until := time.Now().Add(st.wait); ; time.Sleep(time.Minute) {
			history = append(history, w.truth())
			if !time.Now().Before(until) {
				break
			}
		}
		before := history[len(history)-1]
		snap, err := w.Discover(t.Context(), s.set, st.known)
		if err != nil {
			return append(problems, err.Error())
		}
		history = append(history, w.truth())
		j := judge{s, snap, before, history}
		problems = append(problems, j.sightings(st.known)...)
		if len(s.faults) == 0 && s.lag == 0 {
			problems = append(problems, j.complete()...)
		}
	}
	return problems
}

// act does what a step says, if it can be done: a cluster may be there already, or not.
func (w *world) act(st step) {
	p := wire.Params{"name": st.id.Name}
	op := map[string]string{"delete": "DeleteCluster", "create": "CreateCluster", "tag": "TagResource"}[st.do]
	switch st.do {
	case "restart":
		w.restart()
		return
	case "add":
		_, _ = w.AddCluster(w.t.Context(), eks.NewCluster{Account: st.id.Account, Region: st.id.Region, Name: st.id.Name, Tags: map[string]string{"env": st.env}})
		return
	case "tag":
		p = wire.Params{"resourceArn": st.id.ARN(), "tags": wire.Params{"env": st.env}}
	case "create":
		p["roleArn"], p["resourcesVpcConfig"] = "arn:aws:iam::"+st.id.Account+":role/eks", wire.Params{"subnetIds": []any{"subnet-0a", "subnet-0b"}}
	}
	_, _ = w.Do(w.t.Context(), "eks", st.id.Account, st.id.Region, op, p)
}

// truth now, from behind the wire.
func (w *world) truth() truth {
	now := truth{time.Now(), map[string]registry.Cluster{}}
	for _, id := range universe() {
		out, err := w.Do(w.t.Context(), "eks", id.Account, id.Region, "DescribeCluster", wire.Params{"name": id.Name})
		if err != nil {
			continue // there is none
		}
		cluster, _ := member(out, "cluster").(wire.Struct)
		made, ok := member(cluster, "createdAt").(time.Time)
		if !ok {
			w.t.Fatalf("%s has no time of creation: %v", id.ARN(), out)
		}
		tags := map[string]string{}
		set, _ := member(cluster, "tags").(wire.Struct)
		for _, m := range set {
			tags[m.Name] = fmt.Sprint(m.Value)
		}
		now.made[id.ARN()] = registry.Cluster{ID: id, Created: made, Tags: tags}
	}
	return now
}

func member(s wire.Struct, name string) any {
	for _, m := range s {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

// judge of one snapshot.
type judge struct {
	story
	snap    registry.Snapshot
	before  truth   // the pass
	history []truth // up to the end of the pass
}

func (j judge) after() truth { return j.history[len(j.history)-1] }

func (j judge) covers(id registry.ID) bool {
	return slices.ContainsFunc(j.set.Sources, func(s registry.Source) bool {
		return slices.Contains(s.Regions, id.Region) && slices.Contains(s.Accounts, accountsOf(id.Account)[0])
	})
}

// mayBeOwn tells whether the caller's own account was not learnt, so that it may be that of
// a cluster.
func (j judge) mayBeOwn(id registry.ID) bool {
	return slices.ContainsFunc(j.snap.Scopes, func(s registry.ScopeResult) bool { return s.Scope == registry.Scope{Region: id.Region} })
}

func (j judge) sightings(known []registry.ID) (problems []string) {
	wrong := func(arn, format string, args ...any) {
		problems = append(problems, arn+" at "+j.before.at.String()+": "+fmt.Sprintf(format, args...))
	}
	isKnown := map[string]bool{}
	for _, id := range known {
		isKnown[id.ARN()] = true
		s, ok := j.snap.Sightings[id.ARN()]
		switch {
		case !ok:
			wrong(id.ARN(), "it is known and has no sighting")
		case j.covers(id) == errors.Is(s.Err, discover.ErrUncovered) && (j.covers(id) || !j.mayBeOwn(id)):
			wrong(id.ARN(), "covered is %v, but: %v", j.covers(id), s.Err)
		}
	}
	for arn, s := range j.snap.Sightings {
		_, was := j.before.made[arn]
		_, is := j.after().made[arn]
		switch s.Presence {
		case registry.Gone:
			if was && is || !isKnown[arn] || s.Err != nil {
				wrong(arn, "it is called gone; known %v, there was one %v, is %v, %v", isKnown[arn], was, is, s.Err)
			}
		case registry.Present:
			if s.Cluster.ARN() != arn || s.Err != nil || !j.lately(arn, s.Cluster.Created) {
				wrong(arn, "it is called present: %+v %v", s.Cluster, s.Err)
			}
		case registry.Unknown:
			if s.Err == nil || errors.Is(s.Err, discover.ErrUncovered) && !isKnown[arn] {
				wrong(arn, "it is unknown, because %v", s.Err)
			}
		}
	}
	return problems
}

// lately tells whether there was a cluster that was made at that time within the refresh
// interval before the pass. What there was is written down each minute; EKS tells times in
// milliseconds.
func (j judge) lately(arn string, made time.Time) bool {
	since := j.before.at.Add(-j.set.RefreshInterval - time.Minute)
	return slices.ContainsFunc(j.history, func(h truth) bool {
		return !h.at.Before(since) && !made.IsZero() && h.made[arn].Created.Sub(made).Abs() < 2*time.Millisecond
	})
}

// complete: when all goes well, all that the set selects is there.
func (j judge) complete() (problems []string) {
	for _, s := range j.snap.Scopes {
		if s.Err != nil {
			problems = append(problems, fmt.Sprintf("%+v", s))
		}
	}
	for arn, c := range j.before.made {
		selected := slices.ContainsFunc(j.set.Sources, func(s registry.Source) bool {
			return slices.Contains(s.Regions, c.Region) && slices.Contains(s.Accounts, accountsOf(c.Account)[0]) && s.Selector.Match(c)
		})
		_, is := j.after().made[arn]
		if s := j.snap.Sightings[arn]; selected && is && s.Presence != registry.Present {
			problems = append(problems, fmt.Sprintf("%s is there and selected: %+v", arn, s))
		}
	}
	return problems
}
