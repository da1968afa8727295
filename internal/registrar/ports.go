// Package registrar makes what package registry decides happen: one pass asks AWS and Argo
// CD what there is, decides, asks what else must be known, decides again, and writes. The
// controller and the command line both run it.
package registrar

import (
	"context"

	"github.com/norikae/norikae/internal/registry"
)

// Discoverer asks AWS.
type Discoverer interface {
	// Discover lists the set's clusters, and looks for each of the known ones, whether
	// listed or not. What went wrong is in the snapshot, each at its place: an error is
	// returned only when ctx has ended.
	Discover(ctx context.Context, set *registry.Set, known []registry.ID) (registry.Snapshot, error)
}

// Secrets are the cluster Secrets of one Argo CD. Every write is refused with
// fault.ErrConflict when the Secret is not the one that was read.
type Secrets interface {
	// List all cluster Secrets, those of others too.
	List(ctx context.Context) ([]registry.Entry, error)
	// Create fails with fault.ErrConflict when there is one of that name.
	Create(ctx context.Context, owner registry.Owner, a registry.Action) error
	// Update writes a.Want, the mark and the notes; Mark writes the notes only.
	Update(ctx context.Context, owner registry.Owner, a registry.Action) error
	Mark(ctx context.Context, a registry.Action) error
	Delete(ctx context.Context, e registry.Entry) error
	// ApplicationSets of the same Argo CD; none where that kind does not exist.
	ApplicationSets(ctx context.Context) ([]registry.ApplicationSet, error)
}

// Traffic finds the routes that send traffic to a cluster.
type Traffic interface {
	Routes(ctx context.Context, set *registry.Set, c registry.Cluster) registry.Traffic
}

// Prober reaches for an API server.
type Prober interface {
	// Probe returns nil when the API server answers as itself, whatever it answers; else
	// what a person should look at.
	Probe(ctx context.Context, c registry.Cluster) error
}
