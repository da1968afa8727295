package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/carries"
	"github.com/norikae/norikae/internal/cli"
	"github.com/norikae/norikae/internal/discover"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/probe"
	"github.com/norikae/norikae/internal/register/argocd"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// eyes are what looks at AWS and at API servers, for every ClusterSet of a process.
type eyes struct {
	discoverer *discover.Discoverer
	traffic    registrar.Traffic
	prober     registrar.Prober
	calls      *callCounter // of AWS, but for those that assume roles
}

// newEyes calls nobody.
func newEyes(env Environment, log *slog.Logger) (eyes, error) {
	pool := awsconf.NewPool(awsconf.Options{
		Version: env.Version, HTTPClient: env.HTTPClient, Endpoint: env.Endpoint, Credentials: env.Credentials,
		In: "spec.sources[].eks.accounts[]",
	})
	calls := &callCounter{}
	config := func(ctx context.Context, region string, a registry.Account) (aws.Config, error) {
		cfg, err := pool.Config(ctx, region, awsconf.AssumeRole{RoleARN: a.RoleARN, ExternalID: a.ExternalID})
		cfg.APIOptions = append(slices.Clip(cfg.APIOptions), calls.middleware)
		return cfg, err
	}
	d, err := discover.New(discover.Config{AWS: config, Log: log})
	if err != nil {
		return eyes{}, err
	}
	t, err := carries.New(carries.Config{AWS: config})
	if err != nil {
		return eyes{}, err
	}
	return eyes{discoverer: d, traffic: t, prober: probe.New(probe.Config{}), calls: calls}, nil
}

// fleet is a ClusterSet with its Argo CD and its AWS: a cli.Fleet.
type fleet struct {
	eyes
	info    cli.FleetInfo
	secrets *argocd.Secrets
	log     *slog.Logger

	last *registry.Input // that the last pass decided on
}

// Info is what is known before anybody is asked.
func (f *fleet) Info() cli.FleetInfo { return f.info }

// Pass decides, and does what the options say.
func (f *fleet) Pass(ctx context.Context, o cli.PassOptions) (cli.Pass, error) {
	w := &witness{Discoverer: f.discoverer}
	live, preview := f.told(f.secrets, o, w), f.told(f.secrets.WithDryRun(), o, w)
	r := registrar.New(registrar.Config{
		Discoverer: w, Secrets: live, Preview: preview, Traffic: f.traffic, Prober: f.prober, Log: f.log,
	})
	var result registrar.Result
	var err error
	switch {
	case o.Mode == cli.Look:
		result, err = f.some(ctx, r, preview, nil)
	case len(o.Only) == 0:
		result, err = r.Pass(ctx, f.info.Set, registrar.Options{DryRun: o.Mode == cli.DryRun})
	case o.Mode == cli.DryRun:
		result, err = f.some(ctx, r, preview, o.Only)
	default:
		result, err = f.some(ctx, r, live, o.Only)
	}
	if err != nil {
		return cli.Pass{}, err
	}
	f.last = w.input(f.info.Set)
	return cli.Pass{
		Result: result, Sightings: w.snapshot.Sightings, Entries: w.entries,
		ApplicationSets: w.applicationSets, ApplicationSetsErr: w.applicationSetsErr,
	}, nil
}

// some decides about all, and writes the named Secrets, which are to be adopted.
func (f *fleet) some(ctx context.Context, r *registrar.Registrar, s registrar.Secrets, only []string) (registrar.Result, error) {
	in, err := r.Gather(ctx, f.info.Set)
	if err != nil {
		return registrar.Result{}, err
	}
	plan := registry.Decide(*in)
	if len(plan.Ask) > 0 {
		r.Answer(ctx, in, plan.Ask)
		plan = registry.Decide(*in)
	}
	if err := ctx.Err(); err != nil {
		return registrar.Result{}, err // answers that were cut off are none
	}
	result := registrar.Result{Scopes: in.Snapshot.Scopes, Stopped: plan.Stopped, StoppedReason: plan.StoppedReason}
	for _, a := range plan.Actions {
		o := registrar.Outcome{Action: a}
		if a.Do == registry.Adopt && slices.Contains(only, a.Entry.Name) && plan.Stopped == "" {
			if o.Err = s.Update(ctx, f.info.Set.Owner, a); o.Err != nil {
				o.State, o.Reason = registry.Unwritten, "WriteFailed"
			}
			o.Written = o.Err == nil
		}
		result.Outcomes = append(result.Outcomes, o)
	}
	return result, nil
}

// Traffic of a cluster.
func (f *fleet) Traffic(ctx context.Context, c registry.Cluster) registry.Traffic {
	return f.traffic.Routes(ctx, f.info.Set, c)
}

// Probe a cluster's API server, within the set's timeout.
func (f *fleet) Probe(ctx context.Context, c registry.Cluster) error {
	ctx, cancel := context.WithTimeout(ctx, f.info.Set.Probe.Timeout)
	defer cancel()
	return f.prober.Probe(ctx, c)
}

// Retirement decides by what the last pass saw.
func (f *fleet) Retirement(ctx context.Context, e registry.Entry, force bool) (registry.Action, error) {
	if f.last == nil {
		return registry.Action{}, errors.New("nobody has looked at the clusters yet: this is a bug")
	}
	in := *f.last
	in.Traffic = map[string]registry.Traffic{}
	if q, ok := registry.AskRetire(in, e); ok {
		in.Traffic[q.Cluster.ARN()] = f.traffic.Routes(ctx, f.info.Set, q.Cluster)
	}
	if err := ctx.Err(); err != nil {
		return registry.Action{}, err
	}
	return registry.Retire(in, e, force)
}

// Retire deletes a Secret.
func (f *fleet) Retire(ctx context.Context, e registry.Entry, dryRun bool) error {
	s := f.secrets
	if dryRun {
		s = s.WithDryRun()
	}
	return whole(ctx, func(ctx context.Context) error { return s.Delete(ctx, e) })
}

// atOnce is how many accounts and regions are asked for one cluster at once.
const atOnce = 16

// Find describes the cluster where it may be.
func (f *fleet) Find(ctx context.Context, nameOrARN string) ([]registry.Sighting, error) {
	candidates := f.candidates(nameOrARN)
	out := make([]registry.Sighting, len(candidates))
	turns := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, id := range candidates {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			e, err := f.discoverer.Describe(ctx, f.info.Set, id)
			if out[i] = e.Sighting; err != nil {
				out[i].Err = err
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var found []registry.Sighting
	for _, s := range out {
		if s.Presence == registry.Present || s.Presence == registry.Unknown && s.Err != nil && !errors.Is(s.Err, discover.ErrUncovered) {
			found = append(found, s)
		}
	}
	return found, nil
}

// candidates are all that may be meant by a name or an ARN.
func (f *fleet) candidates(nameOrARN string) []registry.ID {
	if id, err := registry.ParseARN(nameOrARN); err == nil {
		return []registry.ID{id}
	}
	if f.last == nil {
		return nil
	}
	seen := map[registry.ID]bool{}
	var out []registry.ID
	for _, s := range f.last.Snapshot.Scopes {
		id := registry.ID{Partition: partition(s.Scope.Region), Account: s.Scope.Account, Region: s.Scope.Region, Name: nameOrARN}
		if _, err := registry.ParseARN(id.ARN()); err != nil || seen[id] {
			continue // no account is known there, or no cluster can be called so
		}
		seen[id] = true
		out = append(out, id)
	}
	return out
}

// fleets connects ClusterSets to their Argo CDs and to AWS.
func fleets(env Environment) func(context.Context, cli.FleetOptions) ([]cli.Fleet, error) {
	return func(ctx context.Context, o cli.FleetOptions) ([]cli.Fleet, error) {
		declared := o.Sets
		for _, file := range o.Files {
			sets, err := manifest.LoadClusterSets(file.Name, file.Data)
			if err != nil {
				return nil, err
			}
			declared = append(declared, sets...)
		}
		k, err := connectKube(env, o.Kubeconfig, o.Context)
		if err != nil {
			return nil, err
		}
		sets, err := k.sets(ctx, declared, o)
		if err != nil {
			return nil, err
		}
		e, err := newEyes(env, o.Log)
		if err != nil {
			return nil, err
		}
		var out []cli.Fleet
		for _, cs := range sets {
			f, err := newFleet(ctx, e, k, cs, o.Log)
			if err != nil {
				return nil, err
			}
			out = append(out, f)
		}
		return out, nil
	}
}

func newFleet(ctx context.Context, e eyes, k *kube, cs *v1alpha1.ClusterSet, log *slog.Logger) (*fleet, error) {
	set, err := manifest.CompileClusterSet(cs)
	if err != nil {
		return nil, fmt.Errorf("ClusterSet %s/%s: %w", cs.Namespace, cs.Name, err)
	}
	namespace := cs.Spec.ArgoCDNamespace
	if namespace == "" {
		namespace = "argocd"
	}
	secrets, err := argocd.New(argocd.Config{Reader: k.client, Writer: k.client, Namespace: namespace})
	if err != nil {
		return nil, err
	}
	return &fleet{
		eyes: e, secrets: secrets, log: log,
		info: cli.FleetInfo{Set: set, ArgoCDNamespace: namespace, Suspended: cs.Spec.Suspend, Controlled: k.controlled(ctx, cs)},
	}, nil
}
