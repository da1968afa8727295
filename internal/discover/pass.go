package discover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/registry"
)

// pass is one look at everything.
type pass struct {
	d     *Discoverer
	set   *registry.Set
	known map[string]registry.ID // by ARN

	listings []*listing // each distinct one once, in the order of the set
	scopes   []scope

	jobs map[*place]*jobs

	mu        sync.Mutex
	sightings map[string]registry.Sighting
}

// scope is one region of one account of one source, and the listing that tells of it.
type scope struct {
	source  int
	listing *listing
}

// jobs are clusters of one place to describe.
type jobs struct {
	place *place
	list  []job
	err   error // why some were not described
}

type job struct {
	name   string
	tags   map[string]string // that were listed; nil: none were
	listed bool
}

func newPass(d *Discoverer, set *registry.Set, known []registry.ID) *pass {
	p := &pass{
		d: d, set: set, known: make(map[string]registry.ID, len(known)),
		jobs: map[*place]*jobs{}, sightings: map[string]registry.Sighting{},
	}
	for _, id := range known {
		p.known[id.ARN()] = id
	}
	type key struct {
		placeKey
		filters string
	}
	byKey := map[key]*listing{}
	for i, s := range set.Sources {
		filters, text := filtersOf(s.Selector)
		own := map[placeKey]bool{} // a source that names a region twice means it once
		for _, account := range s.Accounts {
			for _, region := range s.Regions {
				k := key{placeKey{account, region}, text}
				if own[k.placeKey] {
					continue
				}
				own[k.placeKey] = true
				l := byKey[k]
				if l == nil {
					l = &listing{key: k.placeKey, filters: filters}
					byKey[k] = l
					p.listings = append(p.listings, l)
				}
				p.scopes = append(p.scopes, scope{i, l})
			}
		}
	}
	// Lists with tags first: these are newer than what was described.
	slices.SortStableFunc(p.listings, func(a, b *listing) int { return cmp.Compare(min(len(b.filters), 1), min(len(a.filters), 1)) })
	return p
}

// atOnce does something for each of some things, for n of them at a time. It returns when
// all is done; what is left when ctx ends is left.
func atOnce[T any](ctx context.Context, n int, list []T, do func(T)) {
	work := make(chan T)
	var workers sync.WaitGroup
	for range min(n, len(list)) {
		workers.Go(func() {
			for x := range work {
				do(x)
			}
		})
	}
feed:
	for _, x := range list {
		select {
		case work <- x:
		case <-ctx.Done():
			break feed
		}
	}
	close(work)
	workers.Wait()
}

func (p *pass) list(ctx context.Context) {
	atOnce(ctx, scopesAtOnce, p.listings, func(l *listing) { l.run(ctx, p) })
}

// assign decides what to describe: of the clusters that were listed, those of which memory
// does not say enough; and all known ones that were not listed.
func (p *pass) assign() {
	now := time.Now()
	for _, l := range p.listings {
		if l.err != nil || l.place == nil {
			continue
		}
		for name, tags := range l.found {
			arn := l.place.id(name).ARN()
			if _, ok := p.sightings[arn]; ok {
				continue // by another listing
			}
			if c, ok := l.place.cached(p, name, tags, func(e *entry) bool { return e.fresh(now, p.set.RefreshInterval) }); ok {
				p.sightings[arn] = registry.Sighting{Cluster: c, Presence: registry.Present}
				continue
			}
			p.sightings[arn] = registry.Sighting{Err: errNotAsked} // until it is described
			p.add(l.place, job{name: name, tags: tags, listed: true})
		}
	}
	for arn, id := range p.known {
		if _, ok := p.sightings[arn]; ok {
			continue
		}
		pl, err := p.covering(id)
		if err == nil {
			p.add(pl, job{name: id.Name})
			err = errNotAsked
		}
		p.sightings[arn] = registry.Sighting{Err: err}
	}
}

var errNotAsked = errors.New("it was not asked for")

func (p *pass) add(pl *place, j job) {
	if p.jobs[pl] == nil {
		p.jobs[pl] = &jobs{place: pl}
	}
	p.jobs[pl].list = append(p.jobs[pl].list, j)
}

// covering finds a place to ask for a known cluster: one that could be listed. Where the
// listing failed, asking would fail too, once for each cluster.
func (p *pass) covering(id registry.ID) (*place, error) {
	var failed error
	for _, l := range p.listings {
		if l.key.region != id.Region || !valid(id) {
			continue
		}
		a := p.d.access(l.key.account)
		switch {
		case l.err == nil && l.place != nil && l.place.id(id.Name) == id:
			return l.place, nil
		case l.err != nil && (a.account() == id.Account || a.account() == ""):
			failed = l.err
		}
	}
	if failed != nil {
		return nil, fmt.Errorf("%s of account %s could not be looked at: %w", id.Region, id.Account, failed)
	}
	return nil, fmt.Errorf("%w: account %s in %s", ErrUncovered, id.Account, id.Region)
}

func (p *pass) describe(ctx context.Context) {
	var all []*jobs
	for _, l := range p.listings { // in a fixed order
		if j := p.jobs[l.place]; l.place != nil && j != nil && !slices.Contains(all, j) {
			all = append(all, j)
		}
	}
	atOnce(ctx, scopesAtOnce, all, func(j *jobs) { j.run(ctx, p) })
	now := time.Now()
	for _, l := range p.listings {
		if l.place != nil {
			l.place.prune(now)
		}
	}
}

// When a place stops being asked for the rest of a pass: so many failures in a row. One
// cluster that may not be described is no reason; a storm of throttling is, since each
// failure already is that of a call with all its attempts.
const (
	maxDenied = 20
	maxFailed = 3
)

func (j *jobs) run(ctx context.Context, p *pass) {
	var mu sync.Mutex
	failed := 0 // in a row
	atOnce(ctx, describesAtOnce, j.list, func(todo job) {
		mu.Lock()
		stop := j.err
		mu.Unlock()
		if stop != nil {
			p.unknown(j.place, todo, fmt.Errorf("it was not asked for, because others could not be described: %w", stop))
			return
		}
		err := p.one(ctx, j.place, todo)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			failed = 0
			return
		}
		failed++
		if failed >= tolerated(err) && j.err == nil {
			j.err = err
		}
	})
}

// tolerated is how many failures in a row, the last of which is err, end a place's pass.
func tolerated(err error) int {
	if errors.Is(err, fault.ErrDenied) && !awsconf.NoCredentials(err) {
		return maxDenied
	}
	return maxFailed
}

// one cluster is described.
func (p *pass) one(ctx context.Context, pl *place, j job) error {
	at := time.Now()
	c, presence, err := pl.describe(ctx, p.d.words, j.name)
	if presence == registry.Gone || errors.Is(err, errAnother) {
		if moved := pl.access.check(ctx, p, pl.cfg); moved != nil {
			presence, err = registry.Unknown, fmt.Errorf("describing the cluster %s of %s: %w", j.name, pl, moved)
		}
	}
	arn := pl.id(j.name).ARN()
	switch presence {
	case registry.Present:
		if j.tags != nil {
			c.Tags = p.d.words.internMap(j.tags)
		}
		pl.remember(p, c, at)
		p.see(arn, registry.Sighting{Cluster: c, Presence: registry.Present})
	case registry.Gone:
		pl.forget(j.name)
		p.gone(arn)
	default:
		p.unknown(pl, j, err)
	}
	return err
}

// gone tells of known clusters only: one that the index still lists though it is no more,
// and that nobody knew, is none.
func (p *pass) gone(arn string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.known[arn]; ok {
		p.sightings[arn] = registry.Sighting{Presence: registry.Gone}
		return
	}
	delete(p.sightings, arn)
}

// unknown is what could not be described. Where it was listed, and described not too long
// ago, that counts: a refresh is due before the interval is over, so that one may fail.
func (p *pass) unknown(pl *place, j job, err error) {
	now := time.Now()
	arn := pl.id(j.name).ARN()
	if j.listed {
		if c, ok := pl.cached(p, j.name, j.tags, func(e *entry) bool { return e.usable(now, p.set.RefreshInterval) }); ok {
			p.see(arn, registry.Sighting{Cluster: c, Presence: registry.Present})
			return
		}
	}
	p.see(arn, registry.Sighting{Err: err})
}

func (p *pass) see(arn string, s registry.Sighting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sightings[arn] = s
}

func (p *pass) snapshot() registry.Snapshot {
	snap := registry.Snapshot{Sightings: p.sightings, Scopes: make([]registry.ScopeResult, 0, len(p.scopes))}
	for _, s := range p.scopes {
		l := s.listing
		r := registry.ScopeResult{
			Scope: registry.Scope{Account: p.d.access(l.key.account).account(), Region: l.key.region}, RoleARN: l.key.account.RoleARN,
			Source: s.source, Listed: len(l.found), Err: l.err,
		}
		if j := p.jobs[l.place]; r.Err == nil && l.place != nil && j != nil {
			r.Err = j.err
		}
		snap.Scopes = append(snap.Scopes, r)
	}
	return snap
}
