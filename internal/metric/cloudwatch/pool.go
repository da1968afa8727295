package cloudwatch

import (
	"context"
	"fmt"
	"sync"
)

// Place is where a metric lives and who asks for it. Its zero fields mean the default
// of the environment, never that of another metric.
type Place struct {
	Region, Profile     string
	RoleARN, ExternalID string
}

// Pool keeps one Source for each Place, so that metrics of one place share calls and
// those of different places share nothing. It is safe for concurrent use.
type Pool struct {
	client func(context.Context, Place) (API, error)

	mu      sync.Mutex
	sources map[Place]*Source
}

// NewPool makes clients by a function.
func NewPool(client func(context.Context, Place) (API, error)) *Pool {
	return &Pool{client: client, sources: map[Place]*Source{}}
}

// Source of a place.
func (p *Pool) Source(ctx context.Context, place Place) (*Source, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.sources[place]; ok {
		return s, nil
	}
	api, err := p.client(ctx, place)
	if err != nil {
		return nil, fmt.Errorf("cloudwatch in %+v: %w", place, err)
	}
	s := New(api)
	p.sources[place] = s
	return s, nil
}
