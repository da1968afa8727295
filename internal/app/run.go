package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/cli"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/router/route53"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/store/file"
)

// run is a declared shift on this machine: a cli.Run.
type run struct {
	parts Parts
	dir   string // of the journals
	log   *slog.Logger
}

// open makes a run from a manifest.
func open(ctx context.Context, env Environment, ts *v1alpha1.TrafficShift, o cli.OpenOptions) (*run, error) {
	dir, err := file.Dir(env.Getenv)
	if err != nil {
		return nil, err
	}
	var parts Parts
	if o.RouteOnly {
		parts, _, err = buildRoute(ctx, env, ts)
	} else {
		parts, err = Build(ctx, env, ts)
	}
	if err != nil {
		return nil, err
	}
	return &run{parts: parts, dir: dir, log: o.Log}, nil
}

// Preview tells what Run would do.
func (r *run) Preview(ctx context.Context) (engine.Preview, error) {
	// Nobody is called "preview": whoever holds the lease is somebody else.
	e, err := engine.New(r.config(engine.Config{Owner: "preview/0/0", Store: reader{file.Path(r.dir, r.parts.Spec.Route)}}))
	if err != nil {
		return engine.Preview{}, err
	}
	return e.Preview(ctx)
}

// Run drives the shift under the journal's lock.
func (r *run) Run(ctx context.Context, o cli.RunOptions) (res engine.Result, err error) {
	id, err := file.Holder(r.dir, r.parts.Spec.Route)
	if err != nil {
		return res, err
	}
	store, err := file.Open(r.dir, r.parts.Spec.Route)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	e, err := engine.New(r.config(engine.Config{
		Owner: fmt.Sprintf("%s/%d/%s", r.parts.machine(id), os.Getpid(), strings.ToLower(rand.Text()[:8])),
		Store: store, Recorder: o.Recorder, Replace: o.Replace,
	}))
	if err != nil {
		return res, err
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

// machine is how a machine is named in the lease. A TXT record can be read by everybody:
// there the machine's name is only a number, the same in each run.
func (p Parts) machine(id string) string {
	if _, public := p.Router.(*route53.Name); !public {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "machine-" + hex.EncodeToString(sum[:6])
}

func (r *run) config(c engine.Config) engine.Config {
	c.Spec, c.Router, c.Analyzer, c.Log = r.parts.Spec, r.parts.Router, r.parts.Analyzer, r.log
	return c
}

// Status reads the route, its mark, and this machine's journal.
func (r *run) Status(ctx context.Context) (cli.Status, error) {
	st := cli.Status{Route: r.parts.Spec.Route, To: r.parts.Spec.To()}
	live, err := r.parts.Router.Observe(ctx)
	if err != nil {
		return st, fmt.Errorf("reading the route: %w", err)
	}
	st.Live = live
	m, ok, err := r.parts.Router.Mark(ctx)
	if err != nil {
		return st, fmt.Errorf("reading the mark: %w", err)
	}
	if ok {
		st.Mark = &m
	}
	st.Settled = !ok && r.parts.Spec.Settled(live)
	s, ok, err := file.Last(file.Path(r.dir, r.parts.Spec.Route))
	if err != nil {
		return st, err
	}
	if ok && st.Mark != nil && st.Mark.ID == s.ID {
		st.State = &s
	}
	if live.Exists {
		st.Health, err = r.parts.Router.Health(ctx, live.Split.IDs())
	}
	return st, err
}

// Signal leaves a word on the route for whoever drives its shift.
func (r *run) Signal(ctx context.Context, s shift.Signal) error {
	return r.parts.Router.SetSignal(ctx, s)
}

// reader is the journal for those who only look.
type reader struct{ path string }

func (r reader) Load(context.Context) (shift.State, bool, error) { return file.Last(r.path) }

func (r reader) Save(context.Context, shift.State) error {
	return errors.New("this journal is only read")
}
