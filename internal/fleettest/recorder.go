package fleettest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// Write is one write to a Secret that was carried out.
type Write struct {
	At     time.Time
	Began  time.Time // when its pass listed the Secrets; zero: not known
	Do     registry.Do
	Before registry.Entry // zero for Create
	After  registry.Entry // zero for Delete
	Ours   int            // Secrets that carried a mark before it
}

// ErrKilled is what every call after a kill fails with.
var ErrKilled = errors.New("killed")

// Recorder records what is written to Secrets, one write after the other, and lets the
// process that writes die at any of them.
type Recorder struct {
	next registrar.Secrets

	mu     sync.Mutex
	writes []Write
	kill   func(n int) bool // asked before each write with its number
	landed bool             // a killed write takes effect all the same
	n      int
	killed bool
	began  time.Time // the last pass
}

var _ registrar.Secrets = (*Recorder)(nil)

// NewRecorder records what is written to s.
func NewRecorder(s registrar.Secrets) *Recorder { return &Recorder{next: s} }

// KillAt lets the process die at the write, counted from 1, that f is true for: before it,
// or, when it landed, before its answer. Revive is the next process.
func (r *Recorder) KillAt(landed bool, f func(n int) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kill, r.landed = f, landed
}

// Revive lets calls through again, and tells whether the process had been killed.
func (r *Recorder) Revive() (killed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.killed {
		r.killed, r.kill = false, nil
		return true
	}
	return false
}

// Writes are all so far.
func (r *Recorder) Writes() []Write {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.writes)
}

// List the Secrets.
func (r *Recorder) List(ctx context.Context) ([]registry.Entry, error) {
	r.mu.Lock()
	killed := r.killed
	r.began = time.Now()
	r.mu.Unlock()
	if killed {
		return nil, ErrKilled
	}
	return r.next.List(ctx)
}

// ApplicationSets of the same Argo CD.
func (r *Recorder) ApplicationSets(ctx context.Context) ([]registry.ApplicationSet, error) {
	if r.isKilled() {
		return nil, ErrKilled
	}
	return r.next.ApplicationSets(ctx)
}

func (r *Recorder) isKilled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.killed
}

// write carries out a write of the Secret called name, unless the process is killed.
func (r *Recorder) write(ctx context.Context, do registry.Do, name string, next func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.killed {
		return ErrKilled
	}
	if r.n++; r.kill != nil && r.kill(r.n) {
		r.killed = true
		if !r.landed {
			return ErrKilled
		}
	}
	before, ours, err := r.look(ctx, name)
	if err != nil {
		return err
	}
	w := Write{At: time.Now(), Began: r.began, Do: do, Before: before, Ours: ours}
	if err := next(); err != nil {
		return err
	}
	if w.After, _, err = r.look(ctx, name); err != nil {
		return err
	}
	r.writes = append(r.writes, w)
	if r.killed {
		return ErrKilled
	}
	return nil
}

// look at a Secret, and how many carry a mark. The entry is zero when there is none.
func (r *Recorder) look(ctx context.Context, name string) (found registry.Entry, ours int, err error) {
	all, err := r.next.List(ctx)
	for _, e := range all {
		if e.Name == name {
			found = e
		}
		if e.Ours() {
			ours++
		}
	}
	return found, ours, err
}

// Create a Secret.
func (r *Recorder) Create(ctx context.Context, owner registry.Owner, a registry.Action) error {
	return r.write(ctx, registry.Create, registry.SecretName(a.Cluster), func() error { return r.next.Create(ctx, owner, a) })
}

// Update a Secret.
func (r *Recorder) Update(ctx context.Context, owner registry.Owner, a registry.Action) error {
	return r.write(ctx, a.Do, a.Entry.Name, func() error { return r.next.Update(ctx, owner, a) })
}

// Mark a Secret.
func (r *Recorder) Mark(ctx context.Context, a registry.Action) error {
	return r.write(ctx, registry.Mark, a.Entry.Name, func() error { return r.next.Mark(ctx, a) })
}

// Delete a Secret.
func (r *Recorder) Delete(ctx context.Context, e registry.Entry) error {
	return r.write(ctx, registry.Delete, e.Name, func() error { return r.next.Delete(ctx, e) })
}
