package metric

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// batch is everything to ask at one moment, by source, in the order it was added.
type batch struct {
	sources []Source
	asks    map[Source][]question
}

type question struct {
	Query
	take func(Result)
}

func (b *batch) add(src Source, q Query, take func(Result)) {
	if b.asks == nil {
		b.asks = map[Source][]question{}
	}
	if _, ok := b.asks[src]; !ok {
		b.sources = append(b.sources, src)
	}
	b.asks[src] = append(b.asks[src], question{q, take})
}

// coolDown is a source's wish to be left alone.
type coolDown struct {
	until time.Time
	why   error
}

// ask each source once and hand out the answers. A source that wants to be left alone
// is not asked: its questions get the error that it gave.
func (a *Analyzer) ask(ctx context.Context, now time.Time, b *batch) {
	for _, src := range b.sources {
		qs := b.asks[src]
		for i, r := range a.askSource(ctx, now, src, qs) {
			qs[i].take(r)
		}
	}
}

func (a *Analyzer) askSource(ctx context.Context, now time.Time, src Source, qs []question) []Result {
	if c := a.cooling[src]; now.Before(c.until) {
		return same(len(qs), c.why)
	}
	queries := make([]Query, len(qs))
	for i, q := range qs {
		queries[i] = q.Query
	}
	rs := src.Query(ctx, queries)
	if len(rs) != len(qs) {
		return same(len(qs), errors.New("the source gave another number of answers than it was asked questions"))
	}
	for _, r := range rs {
		if until := now.Add(r.RetryAfter); r.RetryAfter > 0 && until.After(a.cooling[src].until) {
			a.cooling[src] = coolDown{until, fmt.Errorf("left alone until %s: %w", until.UTC().Format(time.RFC3339), r.Err)}
		}
	}
	return rs
}

func same(n int, err error) []Result {
	out := make([]Result, n)
	for i := range out {
		out[i].Err = err
	}
	return out
}
