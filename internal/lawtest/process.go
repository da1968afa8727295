package lawtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/app"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/store/memory"
)

// Setup of a process that runs a manifest.
type Setup struct {
	Manifest *v1alpha1.TrafficShift
	Machine  string // default m1
	Key      string // access key; default AKIA + Machine
	Replace  bool
	Store    engine.Store // default: in memory
	// Client wraps the HTTP client: what a mutant does to requests before they reach
	// the recorder, or to answers after they left it. nil: as it is.
	Client func(aws.HTTPClient) aws.HTTPClient
	// Parts changes the engine's parts: mutants of router, analyzer, spec. nil: as they are.
	Parts func(*engine.Config)
	// Die is asked at each instant at which the process can be killed; true kills it,
	// as kill -9 would: not a line of its code runs any more. nil: it lives.
	Die func(Instant) bool
}

// Instant is a moment in a process's life: before or after an API call or a journal
// write.
type Instant struct {
	N     int // counts from 1
	Call  string
	After bool
}

// Outcome of a process.
type Outcome struct {
	engine.Result

	Err      error
	Killed   bool
	Instants int
	Events   []engine.Event
}

// Run runs a process to its end, or to its death.
func (w *World) Run(ctx context.Context, s Setup) Outcome {
	if s.Machine == "" {
		s.Machine = "m1"
	}
	if s.Key == "" {
		s.Key = "AKIA" + s.Machine
	}
	p := &process{Setup: s, client: w.HTTP()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.out.Killed = true // until the last line was reached
		p.out.Result, p.out.Err = p.run(ctx, w)
		p.out.Killed = false
	}()
	<-done
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Instants = p.instants
	return p.out
}

type process struct {
	Setup

	client *http.Client

	mu       sync.Mutex
	instants int
	out      Outcome
}

func (p *process) run(ctx context.Context, w *World) (engine.Result, error) {
	var client aws.HTTPClient = p
	if p.Client != nil {
		client = p.Client(client)
	}
	env := app.Environment{
		Getenv: w.getenv, Version: "test", HTTPClient: client, Endpoint: w.endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(p.Key, "fake", ""),
	}
	parts, err := app.Build(ctx, env, p.Manifest)
	if err != nil {
		return engine.Result{}, err
	}
	store := p.Store
	if store == nil {
		store = &memory.Store{}
	}
	cfg := engine.Config{
		Spec: parts.Spec, Router: parts.Router, Analyzer: parts.Analyzer, Store: mortal{store, p},
		Recorder: p, Owner: p.Machine + "/1/" + p.Key, Replace: p.Replace,
	}
	if p.Parts != nil {
		p.Parts(&cfg)
	}
	e, err := engine.New(cfg)
	if err != nil {
		return engine.Result{}, err
	}
	return e.Run(ctx)
}

// getenv gives the lab's metric timing and nothing else.
func (w *World) getenv(name string) string {
	switch name {
	case "NORIKAE_CLOUDWATCH_SETTLE":
		return w.Pace.Settle.String()
	case "NORIKAE_CLOUDWATCH_PERIOD":
		return w.Pace.Period.String()
	case "NORIKAE_CLOUDWATCH_DELAY":
		return w.Pace.Delay.String()
	}
	return ""
}

// Record keeps the engine's events: for messages and golden files, never for Judge.
func (p *process) Record(e engine.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Events = append(p.out.Events, e)
}

// instant ends the process's goroutine for good when its time has come. Deferred calls
// run, but they make no call and write nothing.
func (p *process) instant(call string, after bool) {
	p.mu.Lock()
	p.instants++
	i := Instant{p.instants, call, after}
	p.mu.Unlock()
	if p.Die != nil && p.Die(i) {
		runtime.Goexit()
	}
}

// Do makes an HTTP request. The answer has been read whole when it returns.
func (p *process) Do(r *http.Request) (*http.Response, error) {
	call := r.URL.Path
	p.instant(call, false)
	resp, err := p.client.Do(r)
	if err == nil {
		var body []byte
		body, err = io.ReadAll(resp.Body)
		err = errors.Join(err, resp.Body.Close())
		resp.Body = io.NopCloser(bytes.NewReader(body))
	}
	p.instant(call, true)
	return resp, err
}

// mortal is a journal of a process that can be killed around each write.
type mortal struct {
	engine.Store

	p *process
}

// Save may be the last thing that the process did, or was about to do.
func (m mortal) Save(ctx context.Context, s shift.State) error {
	m.p.instant("Save", false)
	err := m.Store.Save(ctx, s)
	m.p.instant("Save", true)
	return err
}
