package fleettest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// Namespace of the Secrets.
const Namespace = "argocd"

// Memory are the cluster Secrets of an Argo CD, in memory, with the API server's
// optimistic concurrency: for histories in virtual time. The real adapter has histories
// on a real API server.
type Memory struct {
	mu      sync.Mutex
	entries map[string]registry.Entry
	version int
	appsets []registry.ApplicationSet
}

var _ registrar.Secrets = (*Memory)(nil)

// NewMemory is an Argo CD without clusters.
func NewMemory() *Memory { return &Memory{entries: map[string]registry.Entry{}} }

// Put is a person's Secret.
func (s *Memory) Put(_ context.Context, e registry.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store(e)
	return nil
}

// Edit is a person's edit of a Secret that is there.
func (s *Memory) Edit(_ context.Context, name string, edit func(*registry.Entry)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.entries[name]; ok {
		e = clone(e)
		edit(&e)
		s.store(e)
	}
	return nil
}

// SetApplicationSets of the same Argo CD.
func (s *Memory) SetApplicationSets(a ...registry.ApplicationSet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.appsets = a
}

// store an entry under a new version. The caller holds s.mu.
func (s *Memory) store(e registry.Entry) {
	s.version++
	e.Namespace, e.ResourceVersion = Namespace, strconv.Itoa(s.version)
	e.UID = cmp.Or(e.UID, "uid-"+e.ResourceVersion)
	s.entries[e.Name] = e
}

// List all Secrets by name.
func (s *Memory) List(ctx context.Context) ([]registry.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]registry.Entry, 0, len(s.entries))
	for _, name := range slices.Sorted(maps.Keys(s.entries)) {
		out = append(out, clone(s.entries[name]))
	}
	return out, ctx.Err()
}

// write carries one write out: change gets what there is now, if it is what was read.
func (s *Memory) write(ctx context.Context, read *registry.Entry, name string, change func(e registry.Entry) registry.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	now, there := s.entries[name]
	switch {
	case read == nil && there:
		return fmt.Errorf("the Secret %s is there already: %w", name, fault.ErrConflict)
	case read != nil && (!there || now.UID != read.UID || now.ResourceVersion != read.ResourceVersion):
		return fmt.Errorf("the Secret %s is not what it was: %w", name, fault.ErrConflict)
	case change == nil:
		delete(s.entries, name)
	default:
		s.store(change(clone(now)))
	}
	return nil
}

// Create a Secret.
func (s *Memory) Create(ctx context.Context, owner registry.Owner, a registry.Action) error {
	return s.write(ctx, nil, registry.SecretName(a.Cluster), func(e registry.Entry) registry.Entry {
		e.Name = registry.SecretName(a.Cluster)
		return declare(e, owner, a)
	})
}

// Update a Secret.
func (s *Memory) Update(ctx context.Context, owner registry.Owner, a registry.Action) error {
	return s.write(ctx, a.Entry, a.Entry.Name, func(e registry.Entry) registry.Entry { return declare(e, owner, a) })
}

// Mark a Secret.
func (s *Memory) Mark(ctx context.Context, a registry.Action) error {
	return s.write(ctx, a.Entry, a.Entry.Name, func(e registry.Entry) registry.Entry { return note(e, a) })
}

// Delete a Secret.
func (s *Memory) Delete(ctx context.Context, e registry.Entry) error {
	return s.write(ctx, &e, e.Name, nil)
}

// ApplicationSets that were set.
func (s *Memory) ApplicationSets(context.Context) ([]registry.ApplicationSet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.appsets, nil
}

func note(e registry.Entry, a registry.Action) registry.Entry {
	e.Notes = a.Notes
	return e
}

// declare what is wanted on a Secret, as the port says.
func declare(e registry.Entry, owner registry.Owner, a registry.Action) registry.Entry {
	labels := merged(e.Labels, e.Applied.Labels, a.Want.Labels)
	annotations := merged(e.Annotations, e.Applied.Annotations, a.Want.Annotations)
	e.Registration = a.Want
	e.Labels, e.Annotations = labels, annotations
	e.Applied = registry.Keys{Labels: slices.Sorted(maps.Keys(a.Want.Labels)), Annotations: slices.Sorted(maps.Keys(a.Want.Annotations))}
	e.Allow = slices.DeleteFunc(e.Allow, func(allowed string) bool { return allowed == a.Uses })
	e.Owner, e.Cluster, e.Created, e.Adopt = owner, a.Cluster, a.Created, registry.Owner{}
	return note(e, a)
}

func merged(live map[string]string, applied []string, want map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range live {
		if !slices.Contains(applied, k) {
			out[k] = v
		}
	}
	maps.Copy(out, want)
	return out
}

func clone(e registry.Entry) registry.Entry {
	e.Labels, e.Annotations = maps.Clone(e.Labels), maps.Clone(e.Annotations)
	e.Applied = registry.Keys{Labels: slices.Clone(e.Applied.Labels), Annotations: slices.Clone(e.Applied.Annotations)}
	e.Allow = slices.Clone(e.Allow)
	return e
}
