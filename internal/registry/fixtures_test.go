package registry

import (
	"maps"
	"slices"
	"testing"
	"time"
)

var t0 = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const grace = time.Hour

func text(source string) *Text { return MustParseText(source) }

// one is the set of most tests: one account, one region, clusters with the tag env=prod.
func one() *Set {
	return &Set{
		Owner: Owner{"argocd", "fleet"},
		Sources: []Source{{
			Regions:  []string{"us-east-1"},
			Accounts: []Account{{RoleARN: "arn:aws:iam::111122223333:role/norikae"}},
			Selector: Selector{Tags: map[string]string{"env": "prod"}},
		}},
		Template: Template{
			Name:        text("{{ .Name }}-{{ .Region }}-{{ .Account }}"),
			Labels:      map[string]*Text{"env": text("{{ .Tags.env }}")},
			Annotations: map[string]*Text{"example.com/version": text("{{ .Version }}")},
		},
		Auth:            Auth{AWS: &AWSAuth{}},
		TargetGroups:    &TargetGroups{Name: text("{{ .Name }}-*")},
		Interval:        time.Minute,
		RefreshInterval: 30 * time.Minute,
		Deletion:        Deletion{Delete: true, Grace: grace, MaxPercent: 10},
	}
}

func id(name string) ID {
	return ID{Partition: "aws", Account: "111122223333", Region: "us-east-1", Name: name}
}

// eks is a cluster in order.
func eks(name string) Cluster {
	return Cluster{
		ID: id(name), Status: Active, Version: "1.36", Endpoint: "https://" + name + ".eks.example", CA: "Y2E=",
		VPC: "vpc-1", Tags: map[string]string{"env": "prod"}, Created: t0.Add(-24 * time.Hour),
	}
}

// entryOf is the Secret of a cluster as the set makes it.
func entryOf(t testing.TB, s *Set, c Cluster) Entry {
	t.Helper()
	want, err := s.Render(c)
	if err != nil {
		t.Fatal(err)
	}
	return apply(Action{Cluster: c.ID, Do: Create, Want: want, Created: c.Created}, s.Owner)
}

// apply is what the API server has when an action but Delete has been written.
func apply(a Action, owner Owner) Entry {
	if a.Do == Create || a.Do == Replace {
		e := Entry{
			Namespace: "argocd", Name: SecretName(a.Cluster), Registration: a.Want,
			Owner: owner, Cluster: a.Cluster, Created: a.Created,
			Applied: Keys{slices.Sorted(maps.Keys(a.Want.Labels)), slices.Sorted(maps.Keys(a.Want.Annotations))},
		}
		e.Labels = mark(a.Want.Labels, owner)
		return e
	}
	e := *a.Entry
	e.Notes = a.Notes
	if a.Do == Mark {
		return e
	}
	labels, annotations := merged(e.Labels, e.Applied.Labels, a.Want.Labels), merged(e.Annotations, e.Applied.Annotations, a.Want.Annotations)
	e.Registration = a.Want
	e.Labels, e.Annotations = mark(labels, owner), annotations
	e.Applied = Keys{slices.Sorted(maps.Keys(a.Want.Labels)), slices.Sorted(maps.Keys(a.Want.Annotations))}
	e.Owner, e.Cluster, e.Created, e.Adopt = owner, a.Cluster, a.Created, Owner{}
	e.Allow = slices.DeleteFunc(slices.Clone(e.Allow), func(s string) bool { return s == a.Uses })
	return e
}

// mark is what a Secret's labels are with the mark.
func mark(labels map[string]string, o Owner) map[string]string {
	out := maps.Clone(labels)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, map[string]string{
		"argocd.argoproj.io/secret-type": "cluster", "app.kubernetes.io/managed-by": "norikae",
		"norikae.dev/clusterset": o.Name, "norikae.dev/clusterset-namespace": o.Namespace,
	})
	return out
}

// foreign is a Secret that somebody made by hand.
func foreign(secret, name, server string) Entry {
	return Entry{Namespace: "argocd", Name: secret, Registration: Registration{
		ClusterName: name, Server: server, Config: "{}", Labels: map[string]string{"argocd.argoproj.io/secret-type": "cluster"},
	}}
}

// see is a snapshot with everything in order.
func see(clusters ...Cluster) Snapshot {
	s := Snapshot{Sightings: map[string]Sighting{}}
	for _, c := range clusters {
		s.Sightings[c.ARN()] = Sighting{Cluster: c, Presence: Present}
	}
	return s
}

func (s Snapshot) with(id ID, p Presence) Snapshot {
	s.Sightings[id.ARN()] = Sighting{Presence: p}
	return s
}

// fataler is a test, rapid's too.
type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

// about is the action about a cluster.
func about(t fataler, p Plan, id ID) Action {
	t.Helper()
	for _, a := range p.Actions {
		if a.Cluster == id {
			return a
		}
	}
	t.Fatalf("no action about %s in %+v", id.Name, p)
	return Action{}
}
