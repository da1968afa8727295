package discover

import (
	"context"
	"fmt"

	"github.com/norikae/norikae/internal/registry"
)

// Explanation is what AWS says of one cluster now, and how it was asked.
type Explanation struct {
	Sighting registry.Sighting
	Asked    []Asked // in the order of the set; none: no source covers the cluster
}

// Asked is one way to a cluster.
type Asked struct {
	Source    int    // index of spec.sources
	RoleARN   string // "": the caller's own credentials
	CallerARN string // as AWS names the caller; "" when it could not be asked
	Presence  registry.Presence
	Err       error // why it is Unknown, and what to do
}

// Describe asks for one cluster now, on every way that the set has to it, whatever its
// selectors say. It remembers nothing but the ways.
func (d *Discoverer) Describe(ctx context.Context, set *registry.Set, id registry.ID) (Explanation, error) {
	p := newPass(d, set, nil)
	var e Explanation
	seen := map[placeKey]bool{}
	for _, s := range p.scopes {
		key := s.listing.key
		if named := d.access(key.account).account(); key.region != id.Region || seen[key] || named != "" && named != id.Account {
			continue
		}
		seen[key] = true
		a := Asked{Source: s.source, RoleARN: key.account.RoleARN}
		pl, err := d.enter(ctx, p, key)
		if err == nil && pl.id(id.Name) != id {
			continue // the caller's own account is another one
		}
		sighting := registry.Sighting{Err: err}
		if err == nil {
			a.CallerARN = pl.access.identity().arn
			sighting.Cluster, sighting.Presence, sighting.Err = pl.describe(ctx, d.words, id.Name)
		}
		a.Presence, a.Err = sighting.Presence, sighting.Err
		e.Asked = append(e.Asked, a)
		if len(e.Asked) == 1 || e.Sighting.Presence == registry.Unknown {
			e.Sighting = sighting
		}
	}
	if err := ctx.Err(); err != nil {
		return Explanation{}, fmt.Errorf("describing the cluster %s: %w", id.Name, err)
	}
	if len(e.Asked) == 0 {
		e.Sighting.Err = fmt.Errorf("%w: account %s in %s", ErrUncovered, id.Account, id.Region)
	}
	return e, nil
}
