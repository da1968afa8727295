package tagging

import (
	"maps"
	"slices"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
)

// index is what the service knows of one account and region.
type index struct {
	entries map[string]*entry // by ARN; only of resources that have or had tags
	latest  time.Time         // when the last change becomes visible
}

// entry is the history of a resource, with at least one change. The last one that is
// visible counts.
type entry struct{ changes []change }

type change struct {
	at   time.Time // when it becomes visible
	tags map[string]string
	gone bool
}

func (e *entry) last() change { return e.changes[len(e.changes)-1] }

// visible is what can be seen of a resource; ok is false for one that cannot be.
func (e *entry) visible(now time.Time) (tags map[string]string, ok bool) {
	n := 0
	for n < len(e.changes) && !e.changes[n].at.After(now) {
		n++
	}
	if n == 0 {
		return nil, false
	}
	e.changes = e.changes[n-1:] // what was before will not be asked for again
	return e.changes[0].tags, !e.changes[0].gone
}

// Observe looks for changes in one account and region. They become visible after the lag.
func (s *Service) Observe(account, region string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observe(worldKey{account, region}, s.cfg.Now(), s.cfg.Lag)
}

// CatchUp makes all of one account and region visible as it is, without any lag: for
// what a lab has from the start.
func (s *Service) CatchUp(account, region string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	ix := s.observe(worldKey{account, region}, now, func() time.Duration { return 0 })
	for _, e := range ix.entries {
		last := e.last()
		last.at = now
		e.changes = []change{last}
	}
	ix.latest = now
}

// observe brings an index up to the present, and forgets what nobody can see any more.
func (s *Service) observe(k worldKey, now time.Time, lag func() time.Duration) *index {
	ix := s.worlds[k]
	if ix == nil {
		ix = &index{entries: map[string]*entry{}}
		s.worlds[k] = ix
	}
	live := s.live(k)
	for _, arn := range ix.changed(live) {
		e := ix.entries[arn]
		if e == nil {
			e = &entry{}
			ix.entries[arn] = e
		}
		at := now.Add(max(0, lag()))
		if at.Before(ix.latest) {
			at = ix.latest
		}
		ix.latest = at
		tags, ok := live[arn]
		e.changes = append(e.changes, change{at, maps.Clone(tags), !ok})
	}
	maps.DeleteFunc(ix.entries, func(_ string, e *entry) bool {
		return e.last().gone && !e.last().at.After(now)
	})
	return ix
}

// changed are the ARNs, sorted, of resources that are not as their last change left them.
func (ix *index) changed(live map[string]map[string]string) []string {
	var out []string
	for arn, tags := range live {
		e := ix.entries[arn]
		switch isNew := e == nil || e.last().gone; {
		case isNew && len(tags) == 0: // it has never had any
		case isNew || !maps.Equal(e.last().tags, tags):
			out = append(out, arn)
		}
	}
	for arn, e := range ix.entries {
		if _, ok := live[arn]; !ok && !e.last().gone {
			out = append(out, arn)
		}
	}
	slices.Sort(out)
	return out
}

// live are the tags that resources have now, by ARN.
func (s *Service) live(k worldKey) map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, src := range s.cfg.Sources {
		for _, r := range src.Resources(k.account, k.region) {
			out[r.ARN] = r.Tags
		}
	}
	return out
}

// search are the resources that can be seen, sorted by ARN.
func (c *call) search() []model.Resource {
	ix := c.s.observe(c.worldKey, c.now, c.s.cfg.Lag)
	var out []model.Resource
	for _, arn := range slices.Sorted(maps.Keys(ix.entries)) {
		if tags, ok := ix.entries[arn].visible(c.now); ok {
			out = append(out, model.Resource{ARN: arn, Tags: tags})
		}
	}
	return out
}
