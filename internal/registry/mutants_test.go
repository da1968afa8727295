package registry

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// mutants break one law each, as an error in Decide would. The judge has to notice.
var mutants = map[string]struct {
	breaks string
	decide decider
}{
	"deletes what is gone at first sight": {"law 2", func(in Input) Plan {
		return each(in, func(a *Action) {
			if a.Do == Mark && a.State == Missing {
				a.Do = Delete
			}
		})
	}},
	"knows no grace": {"law 2", func(in Input) Plan {
		return Decide(entries(in, func(e *Entry) {
			if !e.MissingSince.IsZero() {
				e.MissingSince = in.Now.Add(-in.Set.Deletion.Grace)
			}
		}))
	}},
	"has a grace that is a second short": {"law 2", func(in Input) Plan {
		return Decide(entries(in, func(e *Entry) {
			if !e.MissingSince.IsZero() {
				e.MissingSince = e.MissingSince.Add(-time.Second)
			}
		}))
	}},
	"knows no limit": {"law 3", func(in Input) Plan {
		return Decide(set(in, func(s *Set) { s.Deletion.MaxPercent = 100 }))
	}},
	"forgets what it deleted": {"within the grace", func(in Input) Plan {
		return Decide(entries(in, func(e *Entry) { e.YieldedAt = time.Time{} }))
	}},
	"has nothing wait for a deletion": {"within the grace", func(in Input) Plan {
		plan := Decide(in)
		for i := range plan.Actions {
			if a := &plan.Actions[i]; a.Entry != nil && a.Do == Mark {
				a.YieldedAt = time.Time{}
			}
		}
		return plan
	}},
	"writes although it is stopped": {"is stopped", func(in Input) Plan {
		plan := Decide(in)
		if plan.Stopped != "" {
			free := Decide(set(in, func(s *Set) { s.Deletion.MaxPercent = 100 }))
			plan.Actions, plan.Ask = free.Actions, free.Ask
		}
		return plan
	}},
	"takes a failed call for gone": {"law 6", func(in Input) Plan {
		return Decide(sightings(in, func(_ string, s Sighting) Sighting {
			if s.Presence == Unknown {
				s.Presence = Gone
			}
			return s
		}))
	}},
	"takes what was not listed for gone": {"law 6", func(in Input) Plan {
		s := maps.Clone(in.Snapshot.Sightings)
		for _, e := range in.Entries {
			if _, ok := s[e.Cluster.ARN()]; !ok {
				s[e.Cluster.ARN()] = Sighting{Presence: Gone}
			}
		}
		in.Snapshot.Sightings = s
		return Decide(in)
	}},
	"does not note that a cluster came back": {"law 2", func(in Input) Plan {
		return each(in, func(a *Action) {
			if a.Entry != nil && a.Do == Mark && a.MissingSince.IsZero() {
				a.Do = ""
			}
		})
	}},
	"deletes in spite of traffic": {"law 4: traffic {[rule", func(in Input) Plan {
		for arn := range in.Traffic {
			in = traffic(in, arn, Traffic{})
		}
		return Decide(in)
	}},
	"takes unknown traffic for none": {"law 4: traffic {[] denied}", func(in Input) Plan {
		for arn, t := range in.Traffic {
			if t.Err != nil {
				in = traffic(in, arn, Traffic{})
			}
		}
		return Decide(in)
	}},
	"takes unknown target groups for none": {"law 4: its target groups", func(in Input) Plan {
		return Decide(set(in, func(s *Set) {
			if s.TargetGroups == nil {
				s.TargetGroups = &TargetGroups{None: true}
			}
		}))
	}},
	"deletes although the policy is Retain": {"Retain", func(in Input) Plan {
		return Decide(set(in, func(s *Set) { s.Deletion.Delete = true }))
	}},
	"knows no keepLast": {"keepLast", func(in Input) Plan {
		return Decide(set(in, func(s *Set) { s.Deletion.KeepLast = 0 }))
	}},
	"takes every Secret for its own": {"law 1", func(in Input) Plan {
		return each2(in, func(e *Entry) {
			if e.Cluster != (ID{}) {
				e.Owner = in.Set.Owner
			}
		})
	}},
	"adopts unasked": {"law 1", func(in Input) Plan {
		return each2(in, func(e *Entry) {
			if !e.Ours() {
				e.Adopt = in.Set.Owner
			}
		})
	}},
	"renames in place": {"law 5: \"", func(in Input) Plan {
		return each(in, func(a *Action) {
			if a.Reason == "NameChange" {
				a.Do, a.Want = Update, a.Entry.Registration
				a.Want.ClusterName = "renamed"
			}
		})
	}},
	"changes the server in place": {"law 5: \"", func(in Input) Plan {
		return each(in, func(a *Action) {
			if s := in.Snapshot.Sightings[a.Cluster.ARN()]; a.Reason == "Recreated" || a.Reason == "ServerDrift" {
				a.Do, a.Want = Update, a.Entry.Registration
				a.Want.Server = s.Cluster.Endpoint
			}
		})
	}},
	"replaces without permission": {"law 5: nobody", func(in Input) Plan {
		return each2(in, func(e *Entry) { e.Allow = []string{AllowReplace} })
	}},
	"replaces in spite of traffic": {"law 4: replaced", func(in Input) Plan {
		for _, e := range in.Entries {
			if _, ok := in.Traffic[e.Cluster.ARN()]; ok && len(e.Allow) > 0 {
				in = traffic(in, e.Cluster.ARN(), Traffic{})
			}
		}
		return Decide(in)
	}},
	"does not look at ApplicationSets": {"law 5: ApplicationSet as", func(in Input) Plan {
		in.ApplicationSets = nil
		return Decide(in)
	}},
	"takes unknown ApplicationSets for none": {"law 5: ApplicationSets are", func(in Input) Plan {
		in.ApplicationSetsErr = nil
		return Decide(in)
	}},
	"gives two clusters one name": {"already", func(in Input) Plan {
		return each(in, func(a *Action) {
			if a.Reason == "NameCollision" || a.Reason == "NameTaken" {
				if want, err := in.Set.Render(in.Snapshot.Sightings[a.Cluster.ARN()].Cluster); err == nil && a.Entry == nil {
					a.Do, a.Want = Create, want
				}
			}
		})
	}},
	"never repairs": {"is Registered, with", func(in Input) Plan {
		return each(in, func(a *Action) {
			if a.Do == Update {
				a.Do = ""
			}
		})
	}},
	"always repairs": {"nothing has changed", func(in Input) Plan {
		return each(in, func(a *Action) {
			if a.Do == "" && a.State == Registered {
				a.Do, a.Want = Update, a.Entry.Registration
			}
		})
	}},
	"forgets a Secret": {"no action about", func(in Input) Plan {
		plan := Decide(in)
		if len(plan.Actions) > 0 {
			plan.Actions = plan.Actions[1:]
		}
		return plan
	}},
	"asks again": {"a question after", func(in Input) Plan {
		in.Probes = nil
		return Decide(in)
	}},
	"touches Argo CD's own cluster": {"law 1", func(in Input) Plan {
		plan := Decide(in)
		for i, a := range plan.Actions {
			if a.Reason == "InCluster" && a.Entry != nil {
				plan.Actions[i].Do = Delete
			}
		}
		return plan
	}},
}

// each changes what was decided.
func each(in Input, change func(*Action)) Plan {
	plan := Decide(in)
	for i := range plan.Actions {
		change(&plan.Actions[i])
	}
	return plan
}

// entries changes what Decide sees of the Secrets, but not what the judge sees.
func entries(in Input, change func(*Entry)) Input {
	in.Entries = slices.Clone(in.Entries)
	for i := range in.Entries {
		change(&in.Entries[i])
	}
	return in
}

// each2 decides about changed Secrets, and hands back the real ones.
func each2(in Input, change func(*Entry)) Plan {
	plan := Decide(entries(in, change))
	for i, a := range plan.Actions {
		if a.Entry != nil {
			for k := range in.Entries {
				if in.Entries[k].UID == a.Entry.UID {
					plan.Actions[i].Entry = &in.Entries[k]
				}
			}
		}
	}
	return plan
}

func set(in Input, change func(*Set)) Input {
	s := *in.Set
	change(&s)
	in.Set = &s
	return in
}

func sightings(in Input, change func(string, Sighting) Sighting) Input {
	out := map[string]Sighting{}
	for arn, s := range in.Snapshot.Sightings {
		out[arn] = change(arn, s)
	}
	in.Snapshot.Sightings = out
	return in
}

func traffic(in Input, arn string, t Traffic) Input {
	in.Traffic = maps.Clone(in.Traffic)
	in.Traffic[arn] = t
	return in
}

// rare mutants are caught by few histories. The search for one that does begins at that
// which did last; when it does not any more, it goes through all the others.
var rare = map[string]uint64{
	"replaces in spite of traffic":           382,
	"takes unknown traffic for none":         240,
	"deletes in spite of traffic":            125,
	"does not note that a cluster came back": 81,
	"has a grace that is a second short":     37,
	"takes unknown ApplicationSets for none": 16,
	"knows no grace":                         16,
	"has nothing wait for a deletion":        8,
	"forgets what it deleted":                8,
}

func TestTheJudgeCatchesEveryMutant(t *testing.T) {
	for name := range rare {
		if _, ok := mutants[name]; !ok {
			t.Errorf("no mutant %q", name)
		}
	}
	for name, m := range mutants {
		t.Run(name, func(t *testing.T) {
			for n := range uint64(histories) {
				seed := (rare[name] + n) % histories
				if err := play(seeded(seed), 60, m.decide); err != nil && strings.Contains(err.Error(), m.breaks) {
					return
				}
			}
			t.Fatalf("%d histories, and nobody noticed: want %q", histories, m.breaks)
		})
	}
}
