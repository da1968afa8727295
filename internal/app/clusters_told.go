package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/cli"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// witness remembers what a pass saw.
type witness struct {
	registrar.Discoverer

	snapshot           registry.Snapshot
	entries            []registry.Entry
	applicationSets    []registry.ApplicationSet
	applicationSetsErr error
}

// Discover implements registrar.Discoverer.
func (w *witness) Discover(ctx context.Context, set *registry.Set, known []registry.ID) (registry.Snapshot, error) {
	var err error
	w.snapshot, err = w.Discoverer.Discover(ctx, set, known)
	return w.snapshot, err
}

// input of a later decision.
func (w *witness) input(set *registry.Set) *registry.Input {
	return &registry.Input{
		Set: set, Snapshot: w.snapshot, Entries: w.entries, Now: time.Now(),
		ApplicationSets: w.applicationSets, ApplicationSetsErr: w.applicationSetsErr,
	}
}

// told are Secrets as they would be if a person had written on them what the command line
// was told, for this pass alone.
type told struct {
	registrar.Secrets

	owner   registry.Owner
	adopt   []string
	allow   map[string][]string // by ARN
	witness *witness
}

func (f *fleet) told(s registrar.Secrets, o cli.PassOptions, w *witness) *told {
	return &told{Secrets: s, owner: f.info.Set.Owner, adopt: o.Adopt, allow: o.Allow, witness: w}
}

// List implements registrar.Secrets.
func (t *told) List(ctx context.Context) ([]registry.Entry, error) {
	entries, err := t.Secrets.List(ctx)
	if err != nil {
		return nil, err
	}
	for i := range entries {
		e := &entries[i]
		if !e.Ours() && slices.Contains(t.adopt, e.Name) {
			e.Adopt = t.owner
		}
		if e.Owner == t.owner {
			e.Allow = append(slices.Clip(e.Allow), t.allow[e.Cluster.ARN()]...)
		}
	}
	t.witness.entries = entries
	return entries, nil
}

// ApplicationSets implements registrar.Secrets.
func (t *told) ApplicationSets(ctx context.Context) ([]registry.ApplicationSet, error) {
	t.witness.applicationSets, t.witness.applicationSetsErr = t.Secrets.ApplicationSets(ctx)
	return t.witness.applicationSets, t.witness.applicationSetsErr
}

// Create implements registrar.Secrets.
func (t *told) Create(ctx context.Context, owner registry.Owner, a registry.Action) error {
	return whole(ctx, func(ctx context.Context) error { return t.Secrets.Create(ctx, owner, a) })
}

// Update implements registrar.Secrets.
func (t *told) Update(ctx context.Context, owner registry.Owner, a registry.Action) error {
	return whole(ctx, func(ctx context.Context) error { return t.Secrets.Update(ctx, owner, a) })
}

// Mark implements registrar.Secrets.
func (t *told) Mark(ctx context.Context, a registry.Action) error {
	return whole(ctx, func(ctx context.Context) error { return t.Secrets.Mark(ctx, a) })
}

// Delete implements registrar.Secrets.
func (t *told) Delete(ctx context.Context, e registry.Entry) error {
	return whole(ctx, func(ctx context.Context) error { return t.Secrets.Delete(ctx, e) })
}

// writing is how long one write may take.
const writing = 30 * time.Second

// whole begins no write after an interrupt, and ends one that is under way: one that is cut
// off may have happened or not.
func whole(ctx context.Context, write func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writing)
	defer cancel()
	return write(ctx)
}

// partition of AWS that a region is in.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
