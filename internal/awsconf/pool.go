package awsconf

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// loadAgain is how long a failed Load is remembered: many regions ask for one role at
// once, and each of them would wait for what does not answer.
const loadAgain = 10 * time.Second

// Pool makes configurations for many accounts and regions. All regions share the
// credentials of a role, which refresh themselves, and all configurations the limits.
type Pool struct {
	options Options

	mu    sync.Mutex
	roles map[AssumeRole]*pooled
}

// pooled is one role's configuration.
type pooled struct {
	turn   chan struct{} // held while loading
	cfg    *aws.Config   // nil: not loaded
	failed time.Time     // when loading failed
	err    error
}

// NewPool makes configurations out of options; their AssumeRole is not used.
func NewPool(o Options) *Pool {
	if o.Limits == nil {
		o.Limits = NewLimits()
	}
	return &Pool{options: o, roles: map[AssumeRole]*pooled{}}
}

// Config for clients in a region. The zero role is the caller's own credentials. Roles
// are assumed in the region of the options, the environment or the profile; where none of
// them names one, in the region that was asked for first.
func (p *Pool) Config(ctx context.Context, region string, role AssumeRole) (aws.Config, error) {
	e := p.role(role)
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return aws.Config{}, fmt.Errorf("waiting for AWS credentials: %w", ctx.Err())
	}
	if e.cfg == nil && e.err != nil && time.Since(e.failed) < loadAgain {
		return aws.Config{}, e.err
	}
	if e.cfg == nil {
		o := p.options
		o.AssumeRole, o.DefaultRegion = role, region
		cfg, err := Load(ctx, o)
		if err != nil {
			if ctx.Err() == nil {
				e.failed, e.err = time.Now(), err
			}
			return aws.Config{}, err
		}
		e.cfg, e.err = &cfg, nil
	}
	cfg := e.cfg.Copy()
	cfg.Region = region
	return cfg, nil
}

func (p *Pool) role(role AssumeRole) *pooled {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.roles[role]
	if e == nil {
		e = &pooled{turn: make(chan struct{}, 1)}
		p.roles[role] = e
	}
	return e
}
