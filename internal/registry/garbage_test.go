package registry

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What no AWS and no person would say, and still somebody may hand over.
func TestDecideTakesAnything(t *testing.T) {
	word := rapid.SampledFrom([]string{"", "a", "prod", "https://a.eks.example", "in-cluster", "[", "\xff", "{", "\x00", "arn:aws:eks:us-east-1:111122223333:cluster/a", "relabel", "replace"})
	words := rapid.SliceOfN(word, 0, 3)
	dict := rapid.MapOfN(word, word, 0, 3)
	when := rapid.Custom(func(t *rapid.T) time.Time {
		return rapid.SampledFrom([]time.Time{{}, t0, t0.Add(-time.Hour), t0.Add(1000 * time.Hour), time.Unix(-1<<60, 0), time.Unix(1<<60, 0)}).Draw(t, "time")
	})
	ids := rapid.SampledFrom([]ID{{}, id("a"), id("b"), {Name: "x"}, {Partition: "aws", Account: "1", Region: "r", Name: "\n"}})
	owners := rapid.SampledFrom([]Owner{{}, {"argocd", "fleet"}, {"argocd", "other"}})
	cluster := rapid.Custom(func(t *rapid.T) Cluster {
		return Cluster{
			ID: ids.Draw(t, "id"), Status: rapid.SampledFrom([]Status{"", Active, Creating, Deleting, Failed, "x"}).Draw(t, "status"),
			Endpoint: word.Draw(t, "endpoint"), CA: word.Draw(t, "ca"), Tags: dict.Draw(t, "tags"), Created: when.Draw(t, "created"),
		}
	})
	entry := rapid.Custom(func(t *rapid.T) Entry {
		return Entry{
			Name: word.Draw(t, "secret"), Owner: owners.Draw(t, "owner"), Adopt: owners.Draw(t, "adopt"), Cluster: ids.Draw(t, "of"),
			Created: when.Draw(t, "created"), Notes: Notes{MissingSince: when.Draw(t, "missing"), UnselectedSince: when.Draw(t, "unselected"), YieldedAt: when.Draw(t, "yielded")},
			Applied: Keys{words.Draw(t, "labels"), words.Draw(t, "annotations")}, Allow: words.Draw(t, "allow"),
			Registration: Registration{
				ClusterName: word.Draw(t, "name"), Server: word.Draw(t, "server"), Config: word.Draw(t, "config"),
				Labels: dict.Draw(t, "labels"), Annotations: dict.Draw(t, "annotations"),
			},
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		s := one()
		s.Deletion = Deletion{
			Delete: rapid.Bool().Draw(t, "delete"), Grace: time.Duration(rapid.Int64().Draw(t, "grace")),
			MaxPercent: rapid.IntRange(-5, 200).Draw(t, "percent"), KeepLast: rapid.IntRange(-1, 3).Draw(t, "keep"),
		}
		s.Template.Name = rapid.SampledFrom([]*Text{nil, text(""), text("{{ .Name }}"), text("a")}).Draw(t, "template")
		s.Sources[0].Selector = Selector{Names: words.Draw(t, "names"), Exclude: Exclude{Names: words.Draw(t, "not"), ARNs: words.Draw(t, "arns")}}
		s.Sources[0].Accounts = rapid.SampledFrom([][]Account{nil, {{}}, {{RoleARN: "x"}}, s.Sources[0].Accounts}).Draw(t, "accounts")
		in := Input{
			Set: s, Now: when.Draw(t, "now"), Entries: rapid.SliceOfN(entry, 0, 4).Draw(t, "entries"),
			Snapshot:        Snapshot{Sightings: map[string]Sighting{}},
			ApplicationSets: []ApplicationSet{{Selectors: []LabelSelector{{{word.Draw(t, "key"), Operator(word.Draw(t, "operator")), words.Draw(t, "values")}}}}},
		}
		for range rapid.IntRange(0, 4).Draw(t, "sightings") {
			c := cluster.Draw(t, "cluster")
			key := rapid.SampledFrom([]string{c.ARN(), c.ARN(), "x"}).Draw(t, "key")
			in.Snapshot.Sightings[key] = Sighting{Cluster: c, Presence: Presence(rapid.IntRange(-1, 3).Draw(t, "presence")), Err: errors.New("x")}
		}
		plan := Decide(in)
		for i, e := range in.Entries {
			e.UID = fmt.Sprint(i)
			if a, err := Retire(in, e, rapid.Bool().Draw(t, "force")); err == nil && (a.Do != Delete || e.Owner != s.Owner) {
				t.Fatalf("%+v", a)
			}
		}
		in.Traffic, in.Probes = map[string]Traffic{}, map[string]error{}
		for _, q := range plan.Ask {
			in.Traffic[q.Cluster.ARN()], in.Probes[q.Cluster.ARN()] = Traffic{}, nil
		}
		plan = Decide(in)
		if len(plan.Ask) > 0 {
			t.Fatalf("asks again: %+v", plan.Ask)
		}
		for _, a := range plan.Actions {
			switch {
			case a.Do == "" || a.Do == Create:
			case a.Entry.Owner != s.Owner && (a.Do != Adopt || a.Entry.Adopt != s.Owner):
				t.Fatalf("law 1: %s of a Secret of %s", a.Do, a.Entry.Owner)
			case a.Do == Delete && (a.Entry.MissingSince.IsZero() || in.Now.Before(a.Entry.MissingSince)):
				t.Fatalf("law 2: deleted, missing since %s, at %s", a.Entry.MissingSince, in.Now)
			case a.Do != Delete && a.Do != Replace && a.Do != Mark && (a.Want.ClusterName != a.Entry.ClusterName || a.Want.Server != a.Entry.Server):
				t.Fatalf("law 5: %+v", a)
			}
		}
	})
}

// fleetOf many in order.
func fleetOf(t testing.TB, n int) Input {
	s := one()
	in := Input{Set: s, Snapshot: Snapshot{Sightings: map[string]Sighting{}}, Now: t0}
	for i := range n {
		c := eks(fmt.Sprintf("cluster-%05d", i))
		in.Snapshot.Sightings[c.ARN()] = Sighting{Cluster: c, Presence: Present}
		in.Entries = append(in.Entries, entryOf(t, s, c))
	}
	for i := range 20 {
		in.ApplicationSets = append(in.ApplicationSets, ApplicationSet{Name: fmt.Sprint(i), Selectors: []LabelSelector{{{"env", In, []string{"prod"}}}}})
	}
	return in
}

func BenchmarkDecideAboutTenThousand(b *testing.B) {
	in := fleetOf(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if p := Decide(in); len(p.Actions) != 10_000 {
			b.Fatal(len(p.Actions))
		}
	}
}
