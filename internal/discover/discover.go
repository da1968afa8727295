package discover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// Limits of a Discoverer.
const (
	defaultConcurrency = 16
	maxConcurrency     = 256
	// scopesAtOnce are listed or described at a time. They wait for their own account's rate
	// limits most of the time, so that they are more than requests in flight.
	scopesAtOnce = 64
	// describesAtOnce in one scope: as many as keep its rate limit busy when AWS takes half a
	// second to answer.
	describesAtOnce = 4
)

// ErrUncovered is the cause of a Sighting's Err when no source of the set covers the
// cluster's account and region (any more): nobody asked for it, and nothing failed.
var ErrUncovered = errors.New("no source of the set covers it")

// Config of a Discoverer. Only AWS is required.
type Config struct {
	// AWS is the configuration of clients in a region of an account; one without a role is
	// the caller's own. It is asked often, so that it should be cheap, and its credentials
	// have to refresh themselves: awsconf.Pool is made for it.
	AWS func(ctx context.Context, region string, account registry.Account) (aws.Config, error)
	// Concurrency is how many requests may be in flight at once, 1–256; 0: 16.
	Concurrency int
	Seed        uint64 // of the times of refreshes
	Log         *slog.Logger
}

// Discoverer asks AWS, and remembers what it said. Its methods may be called
// concurrently, for one set and for several.
type Discoverer struct {
	cfg   Config
	meter *meter
	words *words

	mu       sync.Mutex
	accesses map[registry.Account]*access
	places   map[placeKey]*place
}

var _ registrar.Discoverer = (*Discoverer)(nil)

// New makes a Discoverer that remembers nothing.
func New(cfg Config) (*Discoverer, error) {
	if cfg.AWS == nil {
		return nil, errors.New("discover: AWS is required")
	}
	if cfg.Concurrency == 0 {
		cfg.Concurrency = defaultConcurrency
	}
	if cfg.Concurrency < 1 || cfg.Concurrency > maxConcurrency {
		return nil, fmt.Errorf("discover: concurrency: %d is not in 1–%d", cfg.Concurrency, maxConcurrency)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Discoverer{
		cfg: cfg, meter: newMeter(cfg.Concurrency), words: &words{},
		accesses: map[registry.Account]*access{}, places: map[placeKey]*place{},
	}, nil
}

// Discover implements registrar.Discoverer. The tags of clusters in the snapshot are
// shared with later ones: they are not to be written to.
//
// A Sighting is Unknown, and its Err wraps ErrUncovered, for a known cluster of an account
// and region that the set does not cover.
func (d *Discoverer) Discover(ctx context.Context, set *registry.Set, known []registry.ID) (registry.Snapshot, error) {
	p := newPass(d, set, known)
	p.list(ctx)
	p.assign()
	p.describe(ctx)
	if err := ctx.Err(); err != nil {
		return registry.Snapshot{}, fmt.Errorf("discovering clusters: %w", err)
	}
	return p.snapshot(), nil
}

// Forget lets the next pass describe a cluster that it would take from memory: somebody
// heard that it changed. It does not say that it is gone.
func (d *Discoverer) Forget(id registry.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, pl := range d.places {
		if pl.id(id.Name) == id {
			pl.forget(id.Name)
		}
	}
}

// Stats are counts since the Discoverer was made.
type Stats struct {
	// Calls are the requests that were sent, by service and operation, such as
	// eks:DescribeCluster; each attempt counts. Calls of STS for roles are not among them.
	Calls map[string]uint64
	// Failed of these were answered by an error, or not at all.
	Failed map[string]uint64
	// Cached clusters, now.
	Cached int
}

// Stats of all passes so far; the difference of two is what a pass cost.
func (d *Discoverer) Stats() Stats {
	s := d.meter.stats()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, pl := range d.places {
		s.Cached += pl.size()
	}
	return s
}
