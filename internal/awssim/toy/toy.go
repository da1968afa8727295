// Package toy runs the clusters of the lab: each is a few small HTTP servers on
// loopback that stand for the pods of one application behind a target group, count
// what reaches them, and misbehave on demand.
package toy

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Config of a Cluster.
type Config struct {
	Name    string // required, e.g. "blue"
	Version string // what the targets say they run; "" is "v1"
	Targets int    // 0: 2
	// Listen opens a target's listener; nil: net.Listen. It is asked for 127.0.0.1:0,
	// and after SetDown(false) for the address that the target had.
	Listen func(network, addr string) (net.Listener, error)
	// Seed shifts which requests fail under SetFailRate.
	Seed uint64
	// StreamEvents is how many events /stream sends; 0: 10. StreamInterval is the time
	// between two; 0: 100 ms.
	StreamEvents   int
	StreamInterval time.Duration
}

// Cluster is a running toy cluster.
type Cluster struct {
	cfg     Config
	targets []*target

	fail, slow spread
	latency    atomic.Int64 // time.Duration
	unhealthy  atomic.Bool
	resets     atomic.Bool // requests that fail are reset, not answered
}

// Counters of a cluster: exact, and they only grow.
type Counters struct {
	Requests uint64 // of all targets
	Targets  []TargetCounters
}

// TargetCounters of one target.
type TargetCounters struct {
	Addr         string
	Requests     uint64 // all but health checks, counted when their header was read
	Failed       uint64 // part of Requests: answered 500 by SetFailRate
	HealthChecks uint64
}

// Start runs a cluster until Close.
func Start(cfg Config) (*Cluster, error) {
	if cfg.Name == "" {
		return nil, errors.New("toy cluster: name must be given")
	}
	if cfg.Targets < 0 {
		return nil, fmt.Errorf("toy cluster %s: targets must not be negative, got %d", cfg.Name, cfg.Targets)
	}
	if cfg.StreamEvents < 0 || cfg.StreamInterval < 0 {
		return nil, fmt.Errorf("toy cluster %s: StreamEvents and StreamInterval must not be negative, got %d and %s", cfg.Name, cfg.StreamEvents, cfg.StreamInterval)
	}
	if cfg.Targets == 0 {
		cfg.Targets = 2
	}
	if cfg.Version == "" {
		cfg.Version = "v1"
	}
	if cfg.StreamEvents == 0 {
		cfg.StreamEvents = 10
	}
	if cfg.StreamInterval == 0 {
		cfg.StreamInterval = 100 * time.Millisecond
	}
	if cfg.Listen == nil {
		cfg.Listen = func(network, addr string) (net.Listener, error) {
			return (&net.ListenConfig{}).Listen(context.Background(), network, addr)
		}
	}
	h := fnv.New64a()
	_, _ = h.Write(binary.BigEndian.AppendUint64([]byte(cfg.Name), cfg.Seed)) // never fails
	phase := float64(h.Sum64()%1000) / 1000
	c := &Cluster{cfg: cfg, fail: spread{phase: phase}, slow: spread{phase: phase}}
	c.slow.set(1)
	for i := range cfg.Targets {
		t := &target{cluster: c, name: cfg.Name + "-" + strconv.Itoa(i)}
		if err := t.up("127.0.0.1:0"); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c.targets = append(c.targets, t)
	}
	return c, nil
}

// Name of the cluster.
func (c *Cluster) Name() string { return c.cfg.Name }

// Addrs are the targets' host:port, in order.
func (c *Cluster) Addrs() []string {
	out := make([]string, 0, len(c.targets))
	for _, t := range c.targets {
		out = append(out, t.addr)
	}
	return out
}

// Counters returns a snapshot.
func (c *Cluster) Counters() Counters {
	var out Counters
	for _, t := range c.targets {
		tc := TargetCounters{Addr: t.addr, Requests: t.requests.Load(), Failed: t.failed.Load(), HealthChecks: t.healthChecks.Load()}
		out.Requests += tc.Requests
		out.Targets = append(out.Targets, tc)
	}
	return out
}

// SetFailRate makes a share (0–1) of the requests fail with 500, evenly spread: of any
// n requests in a row, n·rate fail, give or take one. Health checks do not.
func (c *Cluster) SetFailRate(rate float64) error {
	if !c.fail.set(rate) {
		return fmt.Errorf("toy cluster %s: fail rate %v is out of range 0–1", c.cfg.Name, rate)
	}
	return nil
}

// SetResets makes requests that fail reset their connection instead of answering 500: all
// that a network load balancer can see of a failure.
func (c *Cluster) SetResets(on bool) { c.resets.Store(on) }

// SetSlowRate makes SetLatency's delay apply to a share (0–1) of the requests, evenly
// spread; it is 1 at first.
func (c *Cluster) SetSlowRate(rate float64) error {
	if !c.slow.set(rate) {
		return fmt.Errorf("toy cluster %s: slow rate %v is out of range 0–1", c.cfg.Name, rate)
	}
	return nil
}

// SetLatency delays every answer but health checks', or the share that SetSlowRate says.
func (c *Cluster) SetLatency(d time.Duration) { c.latency.Store(int64(d)) }

// SetHealthy makes /healthz answer 200, or 503.
func (c *Cluster) SetHealthy(healthy bool) { c.unhealthy.Store(!healthy) }

// SetDown with true makes the targets refuse connections and cuts those that are open;
// with false they listen again at the addresses that they had.
func (c *Cluster) SetDown(down bool) error {
	var errs []error
	for _, t := range c.targets {
		if down {
			errs = append(errs, t.down())
		} else {
			errs = append(errs, t.up(t.addr))
		}
	}
	return errors.Join(errs...)
}

// Close ends all servers and waits for them.
func (c *Cluster) Close() error { return c.SetDown(true) }

// target is one server of a cluster.
type target struct {
	cluster                        *Cluster
	name                           string
	addr                           string
	requests, failed, healthChecks atomic.Uint64

	mu     sync.Mutex
	server *http.Server // nil while down
	cancel context.CancelFunc
	done   chan struct{}
}

func (t *target) up(addr string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.server != nil {
		return nil
	}
	ln, err := t.cluster.cfg.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("target %s: %w", t.name, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if t.addr == "" {
		t.addr = ln.Addr().String()
	}
	t.server = &http.Server{
		Handler:           t.handler(),
		ReadHeaderTimeout: time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	t.cancel, t.done = cancel, make(chan struct{})
	go func(s *http.Server, done chan struct{}) {
		defer close(done)
		_ = s.Serve(ln) // always an error: the server was closed
	}(t.server, t.done)
	return nil
}

func (t *target) down() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.server == nil {
		return nil
	}
	t.cancel()
	err := t.server.Close()
	<-t.done
	t.server = nil
	if err != nil {
		return fmt.Errorf("closing target %s: %w", t.name, err)
	}
	return nil
}
