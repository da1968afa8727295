package tfapp

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/norikae/norikae/internal/awsconf"
)

// loadFunc makes a configuration of AWS's clients.
type loadFunc func(context.Context, awsconf.Options) (aws.Config, error)

// configs keeps one configuration per connection and region: a plan of a hundred couriers
// assumes a role once, and all of them together stay below AWS's limits.
type configs struct {
	make   loadFunc
	limits *awsconf.Limits

	mu     sync.Mutex
	loaded map[string]*config
}

// config is loaded once; a failure is not kept.
type config struct {
	turn chan struct{} // held while loading
	cfg  *aws.Config
}

// newConfigs out of load; nil: awsconf.Load.
func newConfigs(load loadFunc) *configs {
	if load == nil {
		load = awsconf.Load
	}
	return &configs{make: load, limits: awsconf.NewLimits(), loaded: map[string]*config{}}
}

func (c *configs) load(ctx context.Context, o awsconf.Options) (aws.Config, error) {
	// What differs from connection to connection, and nothing else; maps come sorted.
	key, err := json.Marshal(struct {
		Region, Profile, Endpoint string
		Role                      awsconf.AssumeRole
	}{o.Region, o.Profile, o.Endpoint, o.AssumeRole})
	if err != nil {
		return aws.Config{}, fmt.Errorf("telling connections apart: %w", err)
	}
	e := c.of(string(key))
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return aws.Config{}, fmt.Errorf("waiting for AWS credentials: %w", ctx.Err())
	}
	if e.cfg == nil {
		o.Limits, o.In = c.limits, awsconf.InTerraform
		cfg, err := c.make(ctx, o)
		if err != nil {
			return aws.Config{}, err
		}
		e.cfg = &cfg
	}
	return e.cfg.Copy(), nil
}

func (c *configs) of(key string) *config {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.loaded[key]
	if e == nil {
		e = &config{turn: make(chan struct{}, 1)}
		c.loaded[key] = e
	}
	return e
}
