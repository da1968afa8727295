package fleettest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// Namespace of the Secrets.
const Namespace = "argocd"

// Write is one write to a Secret that was carried out.
type Write struct {
	At     time.Time
	Do     registry.Do
	Before registry.Entry // zero for Create
	After  registry.Entry // zero for Delete
	Ours   int            // Secrets that carried a mark before it
}

// ErrKilled is what every call after a kill fails with.
var ErrKilled = errors.New("killed")

// Secrets are the cluster Secrets of an Argo CD, in memory, with the API server's
// optimistic concurrency: for histories in virtual time. The real adapter is tested on a
// real API server.
type Secrets struct {
	mu      sync.Mutex
	entries map[string]registry.Entry
	version int
	writes  []Write
	appsets []registry.ApplicationSet
	kill    func(n int) bool // asked before each write with its number
	landed  bool             // a killed write takes effect all the same
	n       int
	killed  bool
}

var _ registrar.Secrets = (*Secrets)(nil)

// NewSecrets makes an Argo CD without clusters.
func NewSecrets() *Secrets { return &Secrets{entries: map[string]registry.Entry{}} }

// Put is a person's edit.
func (s *Secrets) Put(e registry.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store(e)
}

// Edit is a person's edit of a Secret that is there.
func (s *Secrets) Edit(name string, edit func(*registry.Entry)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.entries[name]; ok {
		e = clone(e)
		edit(&e)
		s.store(e)
	}
}

// SetApplicationSets of the same Argo CD.
func (s *Secrets) SetApplicationSets(a ...registry.ApplicationSet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.appsets = a
}

// KillAt lets the process die at the write, counted from 1, that f is true for: before it,
// or, when it landed, before its answer. Revive is the next process.
func (s *Secrets) KillAt(landed bool, f func(n int) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill, s.landed = f, landed
}

// Revive lets calls through again, and tells whether the process had been killed.
func (s *Secrets) Revive() (killed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.killed {
		s.killed, s.kill = false, nil
		return true
	}
	return false
}

// Writes are all so far.
func (s *Secrets) Writes() []Write {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.writes)
}

// store an entry under a new version. The caller holds s.mu.
func (s *Secrets) store(e registry.Entry) registry.Entry {
	s.version++
	e.Namespace, e.ResourceVersion = Namespace, strconv.Itoa(s.version)
	e.UID = cmp.Or(e.UID, "uid-"+e.ResourceVersion)
	s.entries[e.Name] = e
	return e
}

// List all Secrets by name.
func (s *Secrets) List(ctx context.Context) ([]registry.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.killed {
		return nil, ErrKilled
	}
	out := make([]registry.Entry, 0, len(s.entries))
	for _, name := range slices.Sorted(maps.Keys(s.entries)) {
		out = append(out, clone(s.entries[name]))
	}
	return out, ctx.Err()
}

// write carries one write out: change gets what there is now, if it is what was read.
func (s *Secrets) write(ctx context.Context, do registry.Do, read *registry.Entry, name string, change func(e registry.Entry) registry.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.killed {
		return ErrKilled
	}
	if s.n++; s.kill != nil && s.kill(s.n) {
		s.killed = true
		if !s.landed {
			return ErrKilled
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	now, there := s.entries[name]
	switch {
	case read == nil && there:
		return fmt.Errorf("the Secret %s is there already: %w", name, fault.ErrConflict)
	case read != nil && (!there || now.UID != read.UID || now.ResourceVersion != read.ResourceVersion):
		return fmt.Errorf("the Secret %s is not what it was: %w", name, fault.ErrConflict)
	}
	w := Write{At: time.Now(), Do: do, Before: clone(now), Ours: s.ours()}
	if do == registry.Delete {
		delete(s.entries, name)
	} else {
		w.After = clone(s.store(change(clone(now))))
	}
	s.writes = append(s.writes, w)
	if s.killed {
		return ErrKilled
	}
	return nil
}

func (s *Secrets) ours() (n int) {
	for _, e := range s.entries {
		if e.Ours() {
			n++
		}
	}
	return n
}

// Create a Secret.
func (s *Secrets) Create(ctx context.Context, owner registry.Owner, a registry.Action) error {
	return s.write(ctx, registry.Create, nil, registry.SecretName(a.Cluster), func(e registry.Entry) registry.Entry {
		e.Name = registry.SecretName(a.Cluster)
		return declare(e, owner, a)
	})
}

// Update a Secret.
func (s *Secrets) Update(ctx context.Context, owner registry.Owner, a registry.Action) error {
	return s.write(ctx, a.Do, a.Entry, a.Entry.Name, func(e registry.Entry) registry.Entry { return declare(e, owner, a) })
}

// Mark a Secret.
func (s *Secrets) Mark(ctx context.Context, a registry.Action) error {
	return s.write(ctx, registry.Mark, a.Entry, a.Entry.Name, func(e registry.Entry) registry.Entry { return note(e, a) })
}

// Delete a Secret.
func (s *Secrets) Delete(ctx context.Context, e registry.Entry) error {
	return s.write(ctx, registry.Delete, &e, e.Name, nil)
}

// ApplicationSets that were set.
func (s *Secrets) ApplicationSets(context.Context) ([]registry.ApplicationSet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.killed {
		return nil, ErrKilled
	}
	return s.appsets, nil
}

func note(e registry.Entry, a registry.Action) registry.Entry {
	e.MissingSince, e.UnselectedSince = a.MissingSince, a.UnselectedSince
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
