package fleettest

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// mutant is a fault planted into the product.
type mutant struct {
	law      string // that the judge must find broken
	set      func(*registry.Set)
	snapshot func(*registry.Set, registry.Snapshot, []registry.ID) registry.Snapshot
	traffic  bool // that there is none is always believed
	entries  func(registry.Owner, []registry.Entry)
	action   func(*registry.Action) // before it is written
}

func mutants() map[string]mutant {
	return map[string]mutant{
		"what is not listed is gone": {law: "law 2", snapshot: func(set *registry.Set, s registry.Snapshot, known []registry.ID) registry.Snapshot {
			for _, id := range known {
				if c := s.Sightings[id.ARN()]; c.Presence == registry.Unknown || c.Cluster.Tags[TagKey] == "" {
					s.Sightings[id.ARN()] = registry.Sighting{Presence: registry.Gone}
				}
			}
			return s
		}},
		"an empty answer is all gone": {law: "law 2", snapshot: func(_ *registry.Set, s registry.Snapshot, known []registry.ID) registry.Snapshot {
			for _, id := range known {
				if s.Sightings[id.ARN()].Err != nil {
					s.Sightings[id.ARN()] = registry.Sighting{Presence: registry.Gone}
				}
			}
			return s
		}},
		"one answer is enough":     {law: "law 2", set: func(s *registry.Set) { s.Deletion.Grace = time.Second }},
		"the share is not limited": {law: "law 3", set: func(s *registry.Set) { s.Deletion.MaxPercent = 100 }},
		"traffic is not asked for": {law: "law 4", traffic: true},
		"every Secret is ours": {law: "law 1", entries: func(o registry.Owner, entries []registry.Entry) {
			for i, e := range entries {
				if !e.Ours() {
					entries[i].Owner, entries[i].Cluster = o, registry.ID{Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: "ghost"}
				}
			}
		}},
		"a name changes in place": {law: "law 5", action: func(a *registry.Action) {
			if a.Do == registry.Update {
				a.Want.ClusterName += "-2"
			}
		}},
		"a server changes in place": {law: "law 5", action: func(a *registry.Action) {
			if a.Do == registry.Update {
				a.Want.Server += "0"
			}
		}},
	}
}

func (m mutant) Discover(next registrar.Discoverer) registrar.Discoverer {
	if m.snapshot == nil {
		return next
	}
	return lying{next, m}
}

type lying struct {
	registrar.Discoverer

	m mutant
}

func (l lying) Discover(ctx context.Context, set *registry.Set, known []registry.ID) (registry.Snapshot, error) {
	s, err := l.Discoverer.Discover(ctx, set, known)
	if err != nil {
		return s, err
	}
	return l.m.snapshot(set, s, known), nil
}

// noTraffic is what a product says that does not ask.
type noTraffic struct{}

func (noTraffic) Routes(context.Context, *registry.Set, registry.Cluster) registry.Traffic {
	return registry.Traffic{}
}

type tampered struct {
	registrar.Secrets

	m     mutant
	owner registry.Owner
}

func (s tampered) List(ctx context.Context) ([]registry.Entry, error) {
	all, err := s.Secrets.List(ctx)
	if s.m.entries != nil {
		s.m.entries(s.owner, all)
	}
	return all, err
}

func (s tampered) Update(ctx context.Context, o registry.Owner, a registry.Action) error {
	if s.m.action != nil {
		s.m.action(&a)
	}
	return s.Secrets.Update(ctx, o, a)
}

func TestTheJudgeCatchesPlantedFaults(t *testing.T) {
	environment(t)
	for name, m := range mutants() {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(40) {
				var broken []string
				synctest.Test(t, func(t *testing.T) { broken = m.live(t, seed) })
				for _, b := range broken {
					if strings.HasPrefix(b, m.law) {
						t.Logf("seed %d: %s", seed, b)
						return
					}
				}
			}
			t.Errorf("no history of 40 shows that %s is broken", m.law)
		})
	}
}

// live a history with the fault in the product, and judge it by what was declared.
func (m mutant) live(t *testing.T, seed uint64) []string {
	t.Helper()
	w := newWorld(t, Config{Accounts: 2, Regions: 2, Seed: seed, Delay: time.Minute, IndexLag: time.Minute})
	defer closed(t, w)
	memory := NewMemory()
	s := NewRecorder(memory)
	declared := set(t, w, time.Minute)
	done := *declared
	if m.set != nil {
		m.set(&done)
	}
	h := &History{
		World: w, Secrets: s, People: memory, Set: &done, Rand: rand.New(rand.NewPCG(seed, 1)),
		Process: func() (*registrar.Registrar, error) {
			cfg, err := adapters(w, tampered{s, m, done.Owner})
			cfg.Discoverer = m.Discover(cfg.Discoverer)
			if m.traffic {
				cfg.Traffic = noTraffic{}
			}
			return registrar.New(cfg), err
		},
	}
	if err := h.Begin(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	if err := h.Run(t.Context(), 30); err != nil {
		t.Fatal(err)
	}
	return Judge(declared, w.Evidence(s))
}
