package registrar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/registry"
)

// Bounds of one pass. Writes are few but at the first sync of a large fleet.
const (
	maxAsking  = 16 // questions that are asked at once
	maxWriting = 8  // Secrets that are written at once
)

// Config of a Registrar.
type Config struct {
	Discoverer Discoverer
	Secrets    Secrets
	// Preview are the same Secrets, of which every write is validated by the API server and
	// then forgotten. For Options.DryRun.
	Preview Secrets
	Traffic Traffic
	Prober  Prober
	// Now is the time; nil: time.Now.
	Now func() time.Time
	Log *slog.Logger // nil: silent
}

// Registrar runs passes, also of different sets at the same time.
type Registrar struct {
	cfg Config

	mu     sync.Mutex
	probes map[registry.Owner]map[string]probed // by ARN
}

// New makes a Registrar.
func New(cfg Config) *Registrar {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Registrar{cfg: cfg, probes: map[registry.Owner]map[string]probed{}}
}

// Pass asks, decides and writes once. What goes wrong with one cluster is in its Outcome,
// with one account or region in its ScopeResult. An error is returned when there is no
// result at all: the Secrets cannot be listed, or ctx has ended before anything was
// written. When ctx ends later, the result says what was not written any more.
func (r *Registrar) Pass(ctx context.Context, set *registry.Set, o Options) (Result, error) {
	secrets := r.cfg.Secrets
	if o.DryRun {
		secrets = r.cfg.Preview
	}
	in, err := r.Gather(ctx, set)
	if err != nil {
		return Result{}, err
	}
	plan, err := r.decide(ctx, in)
	if err != nil {
		return Result{}, err
	}
	return Result{
		Scopes: in.Snapshot.Scopes, Outcomes: r.act(ctx, secrets, set.Owner, plan),
		Stopped: plan.Stopped, StoppedReason: plan.StoppedReason,
	}, nil
}

// Gather asks for everything that the first decision of a pass needs.
func (r *Registrar) Gather(ctx context.Context, set *registry.Set) (*registry.Input, error) {
	entries, err := r.cfg.Secrets.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing Argo CD's cluster Secrets: %w", err)
	}
	var known []registry.ID
	for _, e := range entries {
		if e.Owner == set.Owner {
			known = append(known, e.Cluster)
		}
	}
	in := &registry.Input{Set: set, Entries: entries}
	in.ApplicationSets, in.ApplicationSetsErr = r.cfg.Secrets.ApplicationSets(ctx)
	in.Began = r.cfg.Now()
	in.Snapshot, err = r.cfg.Discoverer.Discover(ctx, set, known)
	if err != nil {
		return nil, fmt.Errorf("discovering clusters: %w", err)
	}
	in.Traffic, in.Probes = map[string]registry.Traffic{}, map[string]error{}
	in.Now = r.cfg.Now()
	return in, nil
}

// decide until nothing is left to be asked, which takes one round of questions.
func (r *Registrar) decide(ctx context.Context, in *registry.Input) (registry.Plan, error) {
	plan := registry.Decide(*in)
	if len(plan.Ask) == 0 {
		return plan, ctx.Err()
	}
	r.Answer(ctx, in, plan.Ask)
	if err := ctx.Err(); err != nil {
		return registry.Plan{}, err // answers that were cut off are none
	}
	plan = registry.Decide(*in)
	if n := len(plan.Ask); n > 0 {
		return registry.Plan{}, fmt.Errorf("deciding again left %d questions, the first about %s: this is a bug", n, plan.Ask[0].Cluster.ARN())
	}
	return plan, nil
}

// Answer the questions of a plan into in.
func (r *Registrar) Answer(ctx context.Context, in *registry.Input, asked []registry.Asked) {
	var mu sync.Mutex
	owner, began := in.Set.Owner, time.Now()
	asked = r.turns(owner, asked)
	each(maxAsking, len(asked), func(i int) {
		q := asked[i]
		arn := q.Cluster.ARN()
		switch q.Question {
		case registry.AskProbe:
			var err error
			if time.Since(began) < probing {
				limited, cancel := context.WithTimeout(ctx, in.Set.Probe.Timeout)
				defer cancel()
				err = r.cfg.Prober.Probe(limited, q.Cluster)
				r.probed(owner, arn, err)
			} else {
				err = r.lastProbe(owner, arn)
			}
			mu.Lock()
			defer mu.Unlock()
			in.Probes[arn] = err
		case registry.AskTraffic:
			t := r.cfg.Traffic.Routes(ctx, in.Set, q.Cluster)
			mu.Lock()
			defer mu.Unlock()
			in.Traffic[arn] = t
		}
	})
}

// act carries out a plan: what adds, repairs and notes first, and what removes after it, one
// by one, so that an interrupted pass has removed as little as possible. Nothing is deleted
// when a Secret that has to wait for it does not know that.
func (r *Registrar) act(ctx context.Context, s Secrets, owner registry.Owner, plan registry.Plan) []Outcome {
	out := make([]Outcome, len(plan.Actions))
	var adding, removing []int
	for i, a := range plan.Actions {
		out[i].Action = a
		switch {
		case a.Do == "":
		case a.Do == registry.Delete || a.Do == registry.Replace:
			removing = append(removing, i)
		default:
			adding = append(adding, i)
		}
	}
	do := func(o *Outcome) {
		if o.Err == nil {
			o.Err = ctx.Err()
		}
		if o.Err == nil {
			o.Err = write(ctx, s, owner, o.Action)
		}
		r.settle(o)
	}
	each(maxWriting, len(adding), func(i int) { do(&out[adding[i]]) })
	untold := untold(out)
	for _, i := range removing {
		if out[i].Do == registry.Delete {
			out[i].Err = untold
		}
		do(&out[i])
	}
	return out
}

// untold says which Secret has to wait for a deletion and could not be told; nil: none.
func untold(out []Outcome) error {
	for _, o := range out {
		if o.Err != nil && o.Entry != nil && !o.YieldedAt.Equal(o.Entry.YieldedAt) {
			return fmt.Errorf("first, Secret %s has to be told to wait: %w", o.Entry.Name, o.Err)
		}
	}
	return nil
}

// write one action.
func write(ctx context.Context, s Secrets, owner registry.Owner, a registry.Action) error {
	switch a.Do {
	case registry.Create:
		return s.Create(ctx, owner, a)
	case registry.Update, registry.Adopt:
		return s.Update(ctx, owner, a)
	case registry.Mark:
		return s.Mark(ctx, a)
	case registry.Delete:
		return s.Delete(ctx, *a.Entry)
	case registry.Replace:
		// Killed in between, the next pass finds a cluster that is not registered.
		if err := s.Delete(ctx, *a.Entry); err != nil {
			return err
		}
		return s.Create(ctx, owner, a)
	}
	return fmt.Errorf("nobody knows how to %q", a.Do)
}

// settle an outcome: what could not be written says so.
func (r *Registrar) settle(o *Outcome) {
	o.Written = o.Err == nil
	log := r.cfg.Log.With("cluster", o.Cluster.ARN(), "do", o.Do, "state", o.State, "reason", o.Reason)
	if o.Written {
		log.Info("wrote a cluster Secret", "effect", o.Effect)
		return
	}
	log.Warn("did not write a cluster Secret", "error", o.Err)
	o.State, o.Reason = registry.Unwritten, "WriteFailed"
	switch {
	case errors.Is(o.Err, fault.ErrConflict):
		o.Reason = "ChangedMeanwhile"
	case errors.Is(o.Err, fault.ErrDenied):
		o.Reason = "WriteDenied"
	case errors.Is(o.Err, context.Canceled), errors.Is(o.Err, context.DeadlineExceeded):
		o.Reason = "Interrupted"
	}
	o.Message = fmt.Sprintf("%s: %v", o.Do, o.Err)
}

// each calls work for 0 … n-1, at most limit of them at once, and returns when all have
// returned.
func each(limit, n int, work func(int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(limit, n) {
		wg.Go(func() {
			for i := range next {
				work(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}
