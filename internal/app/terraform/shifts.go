// Package tfapp is the composition root of the Terraform providers: it gives their
// resources the engine and the adapters.
package tfapp

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/app"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/provider/connection"
	"github.com/norikae/norikae/internal/provider/courier"
	"github.com/norikae/norikae/internal/router/elbv2"
	"github.com/norikae/norikae/internal/store/memory"
)

// shifts is a courier.Shifts on the engine. Its clients share credentials and rate limits,
// however many resources there are.
type shifts struct {
	env     app.Environment
	configs *configs
}

var _ courier.Shifts = (*shifts)(nil)

// Shifts runs declared shifts, and reads routes, in this environment.
func Shifts(env app.Environment) courier.Shifts { return newShifts(env) }

func newShifts(env app.Environment) *shifts { return &shifts{env, newConfigs(env.Load)} }

// at is the environment, and how a kind of norikae.dev says, where a connection leads to. A
// route's ARN knows its region best: region counts for a name only.
func (s *shifts) at(c connection.Connection, r v1alpha1.Route) (app.Environment, v1alpha1.AWS) {
	env, aws := s.env, v1alpha1.AWS{Profile: c.Profile}
	if c.Address != "" {
		env.Endpoint = c.Address
	}
	if r.Route53 != nil {
		aws.Region = c.Region
	}
	if a := c.AssumeRole; a != nil {
		aws.AssumeRole = &v1alpha1.AssumeRole{RoleARN: a.RoleARN, ExternalID: a.ExternalID, SessionName: a.SessionName}
		env.Session = sessionOf(a)
	}
	env.Load = s.configs.load
	return env, aws
}

// Open makes a shift from its declaration.
func (s *shifts) Open(ctx context.Context, c connection.Connection, ts *v1alpha1.TrafficShift) (courier.Shift, error) {
	env, aws := s.at(c, ts.Spec.Route)
	own := ts.DeepCopy()
	own.Spec.AWS = aws
	parts, err := app.Build(ctx, env, own)
	if err != nil {
		return nil, err
	}
	return &declared{parts}, nil
}

// Read what is live on a route.
func (s *shifts) Read(ctx context.Context, c connection.Connection, r v1alpha1.Route) (courier.Reading, error) {
	env, aws := s.at(c, r)
	p, err := app.Look(ctx, env, aws, r)
	if err != nil {
		return courier.Reading{}, err
	}
	is, err := p.Read(ctx)
	if err != nil {
		return courier.Reading{}, err
	}
	return courier.Reading(is), nil
}

// Destroy what is ours of a route.
func (s *shifts) Destroy(ctx context.Context, c connection.Connection, r v1alpha1.Route, o courier.DestroyOptions) error {
	env, aws := s.at(c, r)
	p, err := app.Look(ctx, env, aws, r)
	if err != nil {
		return err
	}
	return p.Destroy(ctx, elbv2.DeleteOptions{Force: o.Force, Owned: o.Owned})
}

// declared is a courier.Shift.
type declared struct{ parts app.Parts }

// Preview tells what Run would do.
func (d *declared) Preview(ctx context.Context) (engine.Preview, error) {
	// Nobody is called "preview": whoever holds the lease is somebody else.
	e, err := engine.New(d.config("preview/0/0", courier.RunOptions{}))
	if err != nil {
		return engine.Preview{}, err
	}
	return e.Preview(ctx)
}

// Run drives the shift to an end or to a hold.
func (d *declared) Run(ctx context.Context, o courier.RunOptions) (engine.Result, error) {
	e, err := engine.New(d.config(owner(), o))
	if err != nil {
		return engine.Result{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-o.Interrupted:
			cancel()
		case <-ctx.Done():
		}
	}()
	return e.Run(ctx)
}

// config of an engine without a journal: runners are thrown away, and what must be
// remembered is on the route.
func (d *declared) config(owner string, o courier.RunOptions) engine.Config {
	return engine.Config{
		Spec: d.parts.Spec, Router: d.parts.Router, Analyzer: d.parts.Analyzer, Store: &memory.Store{},
		Owner: owner, Recorder: o.Recorder, Replace: o.Replace,
	}
}

// owner of a lease. No journal is locked, so nobody can know that another process of this
// machine is dead: each run is a machine of its own, and a lease of another run is waited for until
// it ends.
func owner() string {
	word := func() string { return strings.ToLower(rand.Text()[:8]) }
	return fmt.Sprintf("terraform-%s/%d/%s", word(), os.Getpid(), word())
}
