package registry

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestRetire(t *testing.T) {
	for name, tc := range map[string]struct {
		change        func(*Input, *Cluster, *Entry)
		plain, forced string // reasons of the refusal; "": it may be
	}{
		"it is not selected any more":    {func(_ *Input, c *Cluster, _ *Entry) { c.Tags = nil }, "", ""},
		"it is being deleted":            {func(_ *Input, c *Cluster, _ *Entry) { c.Status = Deleting }, "", ""},
		"it is gone":                     {func(_ *Input, c *Cluster, _ *Entry) { c.Status = "" }, "", ""},
		"it is there, and selected":      {func(*Input, *Cluster, *Entry) {}, "StillSelected", "StillSelected"},
		"nobody could be asked":          {func(_ *Input, c *Cluster, _ *Entry) { c.Status = "?" }, "Uncertain", ""},
		"nobody knows if it is selected": {func(in *Input, _ *Cluster, _ *Entry) { in.Set.Sources[0].Accounts = nil }, "Uncertain", ""},
		"it gets traffic": {func(in *Input, c *Cluster, _ *Entry) {
			c.Tags = nil
			in.Traffic[c.ARN()] = Traffic{Routes: []string{"rule 10"}}
		}, "CarriesTraffic", "CarriesTraffic"},
		"it gets some, and more is unknown": {func(in *Input, c *Cluster, _ *Entry) {
			c.Tags = nil
			in.Traffic[c.ARN()] = Traffic{Routes: []string{"rule 10"}, Err: errors.New("x")}
		}, "CarriesTraffic", "CarriesTraffic"},
		"its traffic is not known": {func(in *Input, c *Cluster, _ *Entry) {
			c.Tags = nil
			in.Traffic[c.ARN()] = Traffic{Err: errors.New("denied")}
		}, "TrafficUnknown", ""},
		"nobody asked for its traffic":    {func(in *Input, c *Cluster, _ *Entry) { c.Tags = nil; in.Traffic = nil }, "TrafficUnknown", ""},
		"its target groups are not known": {func(in *Input, c *Cluster, _ *Entry) { c.Tags = nil; in.Set.TargetGroups = nil }, "TrafficUnknown", ""},
		"there are no target groups": {func(in *Input, c *Cluster, _ *Entry) {
			c.Tags = nil
			in.Set.TargetGroups, in.Traffic = &TargetGroups{None: true}, nil
		}, "", ""},
		"it is somebody else's":       {func(_ *Input, c *Cluster, e *Entry) { c.Tags = nil; e.Owner = Owner{} }, "NotOurs", "NotOurs"},
		"it is another set's":         {func(_ *Input, c *Cluster, e *Entry) { c.Tags = nil; e.Owner.Name = "other" }, "NotOurs", "NotOurs"},
		"it is Argo CD's own cluster": {func(_ *Input, c *Cluster, e *Entry) { c.Tags = nil; e.ClusterName = "in-cluster" }, "InCluster", "InCluster"},
	} {
		t.Run(name, func(t *testing.T) {
			c := eks("a")
			in := Input{
				Set: one(), Now: t0, Traffic: map[string]Traffic{c.ARN(): {}},
				ApplicationSets: []ApplicationSet{{Namespace: "argocd", Name: "apps", Selectors: []LabelSelector{{}}}},
			}
			e := entryOf(t, in.Set, c)
			tc.change(&in, &c, &e)
			in.Entries, in.Snapshot = []Entry{e}, see(c)
			if p, ok := map[Status]Presence{"": Gone, "?": Unknown}[c.Status]; ok {
				in.Snapshot.with(c.ID, p)
			}
			for force, want := range map[bool]string{false: tc.plain, true: tc.forced} {
				a, err := Retire(in, e, force)
				got := ""
				if no, ok := errors.AsType[*RefusedError](err); ok {
					got = no.Reason
				}
				if got != want || (err != nil) != (want != "") {
					t.Errorf("force %v: %v, want %q", force, err, want)
				}
				if err == nil && (a.Do != Delete || a.Entry.Name != e.Name || !strings.Contains(a.Effect, "argocd/apps would delete")) {
					t.Errorf("force %v: %+v", force, a)
				}
				if err != nil && a.Do != "" {
					t.Errorf("force %v: refused, and %s", force, a.Do)
				}
			}
		})
	}
}

func TestAskRetire(t *testing.T) {
	c := eks("a")
	s := one()
	e := entryOf(t, s, c)
	c.Tags = nil
	in := Input{Set: s, Snapshot: see(c), Entries: []Entry{e}, Now: t0}
	if q, ok := AskRetire(in, e); !ok || q.Question != AskTraffic || q.Cluster.Endpoint != c.Endpoint {
		t.Errorf("%+v, %v", q, ok)
	}
	in.Snapshot = Snapshot{}
	if q, ok := AskRetire(in, e); !ok || q.Cluster.ID != c.ID || q.Cluster.Status != "" || !q.Cluster.Created.Equal(c.Created) {
		t.Errorf("%+v, %v", q, ok)
	}
	in.Traffic = map[string]Traffic{c.ARN(): {}}
	if q, ok := AskRetire(in, e); ok {
		t.Errorf("asks again: %+v", q)
	}
	in.Traffic, s.TargetGroups = nil, nil
	if q, ok := AskRetire(in, e); ok {
		t.Errorf("asks what cannot be known: %+v", q)
	}
}

// What was retired stays away.
func TestWhatIsRetiredDoesNotComeBack(t *testing.T) {
	s, clusters, entries := fleet(t, 2)
	s.TargetGroups = &TargetGroups{None: true}
	clusters[0].Tags, clusters[1].Status = nil, Deleting
	in := Input{Set: s, Snapshot: see(clusters...), Entries: entries, Now: t0}
	for _, e := range entries {
		if _, err := Retire(in, e, false); err != nil {
			t.Error(err)
		}
	}
	in.Entries, in.Now = nil, t0.Add(time.Hour)
	if p := Decide(in); len(p.Actions) > 0 {
		t.Errorf("%+v", p.Actions)
	}
}
