// Package awssim is the lab: a simulated AWS on one loopback endpoint, with STS, ELBv2
// and CloudWatch on the wire, load balancers that carry real traffic, and faults on
// demand. It imports nothing of norikae's outside its own folder: an oracle must not
// share the bugs of what it judges.
package awssim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/cloudwatch"
	"github.com/norikae/norikae/internal/awssim/elbv2"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/sts"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// The region and the account of a lab's world.
const (
	Region  = "us-east-1"
	Account = wire.DefaultAccountID
)

// Config of a Lab. The zero value is an empty AWS with AWS's own metric timing.
type Config struct {
	// Listen opens every listener of the lab; nil: net.Listen. Addresses are loopback.
	Listen func(network, addr string) (net.Listener, error)
	// Dial connects load balancers to targets; nil: net.Dialer. It must reach what
	// Listen listens on.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// DataPlane is PlaneALB (the default) or PlaneSynth.
	DataPlane string
	// MetricPeriod of the load balancers' metrics; whole seconds, 0: 60 s.
	MetricPeriod time.Duration
	// MetricDelay is how long after its period's end a data point can be read.
	MetricDelay time.Duration
	// HealthInterval caps the interval of health checks, below the 5 s that AWS allows
	// at least; 0: as the target groups say.
	HealthInterval time.Duration
	// RequestsPerSecond of each load balancer, PlaneSynth only; nil: 100, always.
	RequestsPerSecond func(time.Time) float64
	// InitialFor is how long targets are initial, PlaneSynth only.
	InitialFor time.Duration
	// MaxPageSize caps the pages of ELBv2's Describe operations; 0: 400, as AWS has it.
	MaxPageSize int
	// Seed makes ARNs, temporary keys, routing and probabilities repeatable.
	Seed uint64
	// Logger; nil: none.
	Logger *slog.Logger
	// World is WorldBlueGreen, or "" for an empty AWS.
	World string
}

// Fast is the configuration of a lab that shows a whole shift in a minute.
func Fast() Config {
	return Config{
		MetricPeriod: time.Second, MetricDelay: time.Second, HealthInterval: 500 * time.Millisecond,
		World: WorldBlueGreen,
	}
}

func (c Config) withDefaults() (Config, error) {
	if c.Listen == nil {
		c.Listen = func(network, addr string) (net.Listener, error) {
			return (&net.ListenConfig{}).Listen(context.Background(), network, addr)
		}
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.DataPlane == "" {
		c.DataPlane = PlaneALB
	}
	if c.MetricPeriod == 0 {
		c.MetricPeriod = time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.MetricPeriod < time.Second || c.MetricPeriod%time.Second != 0 || c.MetricPeriod > time.Hour:
		return c, fmt.Errorf("metric period: %v is not a number of whole seconds in 1s–1h", c.MetricPeriod)
	case c.MetricDelay < 0 || c.MetricDelay > time.Hour:
		return c, fmt.Errorf("metric delay: %v is not in 0s–1h", c.MetricDelay)
	case c.HealthInterval < 0:
		return c, fmt.Errorf("health interval: %v is negative", c.HealthInterval)
	case !slices.Contains(planes(), c.DataPlane):
		return c, fmt.Errorf("data plane: %q is not one of %s", c.DataPlane, strings.Join(planes(), ", "))
	case !slices.Contains([]string{"", WorldBlueGreen}, c.World):
		return c, fmt.Errorf("world: %q is not %s", c.World, WorldBlueGreen)
	}
	return c, nil
}

// Lab is a running simulated AWS.
type Lab struct {
	cfg     Config
	ctx     context.Context //nolint:containedctx // the lab's lifetime, which ends its servers' streams
	stop    context.CancelFunc
	faults  *fault.Set
	calls   *CallLog
	elb     *elbv2.Service
	plane   plane
	handler http.Handler
	world   *world
	faulty  map[string]fault.Target // see setTargetFaults

	mu       sync.Mutex
	endpoint string
	servers  []*http.Server
	serving  sync.WaitGroup // servers of Start, and requests
	baseline Counters
}

// New builds a lab and its world, and waits until the world's targets are healthy.
// Close ends it.
func New(cfg Config) (*Lab, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("lab configuration: %w", err)
	}
	l := &Lab{cfg: cfg, calls: newCallLog()}
	l.ctx, l.stop = context.WithCancel(context.Background())
	l.faults = fault.NewSet(fault.Config{
		Seed: cfg.Seed, Check: l.checkFault, Targets: l.setTargetFaults,
		Lose: l.setLose,
	})
	metrics := cloudwatch.New(cloudwatch.Config{
		Period:  cfg.MetricPeriod,
		Delay:   func() time.Duration { return cfg.MetricDelay + l.faults.MetricDelay() },
		Missing: l.faults.MetricMissing,
	})
	l.plane = newPlane(cfg, metrics)
	l.elb = elbv2.New(elbv2.Config{
		DataPlane: hasty{l.plane.DataPlane, cfg.HealthInterval}, Seed: cfg.Seed,
		WeightsDelay: l.faults.WeightsDelay, MaxPageSize: cfg.MaxPageSize,
	})
	keys := sts.New(sts.Config{Seed: cfg.Seed})
	mux := wire.NewMux(wire.Config{
		Region: Region, Resolve: keys.Resolve, Check: keys.Check, Logger: cfg.Logger,
		Hooks: []wire.Hook{l.faults.Hook}, Observe: l.calls.observe,
	})
	mux.Register(keys.Registration())
	mux.Register(metrics.Registration())
	mux.Register(wire.Registration{
		Name: "elasticloadbalancing", Version: "2015-12-01",
		Namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/", Service: l.elb,
	})
	l.handler = l.whileOpen(l.withControl(mux))
	if cfg.World == WorldBlueGreen {
		if l.world, err = l.buildBlueGreen(); err != nil {
			return nil, errors.Join(fmt.Errorf("building the world %s: %w", cfg.World, err), l.Close())
		}
	}
	return l, nil
}

// Handler answers AWS's API, and the control endpoint under /_lab/.
func (l *Lab) Handler() http.Handler { return l.handler }

// Faults that are injected. Set.Intercept lets a test stop the world at a call.
func (l *Lab) Faults() *fault.Set { return l.faults }

// Calls is the log of API calls.
func (l *Lab) Calls() *CallLog { return l.calls }

// Snapshot is what the control plane has now, for tests that look behind the wire.
func (l *Lab) Snapshot() model.Config { return l.elb.Snapshot() }

// Start listens on addr, e.g. "127.0.0.1:0", and serves until Close.
func (l *Lab) Start(addr string) error {
	ln, err := l.cfg.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("lab listener: %w", err)
	}
	srv, err := l.server(ln)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	go func() {
		defer l.serving.Done()
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			l.cfg.Logger.Error("the lab's endpoint ended", "error", err)
		}
	}()
	return nil
}

// Serve answers on ln until Close. It returns nil after Close.
func (l *Lab) Serve(ln net.Listener) error {
	srv, err := l.server(ln)
	if err != nil {
		return err
	}
	defer l.serving.Done()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the lab: %w", err)
	}
	return nil
}

// server makes a server that Close will end. The caller serves ln with it, and then
// says l.serving.Done.
func (l *Lab) server(ln net.Listener) (*http.Server, error) {
	addr, ok := ln.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsLoopback() {
		return nil, fmt.Errorf("lab listener: %s is not a loopback address; the lab takes any credentials and must not be reachable from outside", ln.Addr())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return nil, errors.New("the lab is closed")
	}
	if l.endpoint == "" {
		l.endpoint = "http://" + ln.Addr().String()
	}
	srv := &http.Server{
		Handler: l.handler, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(l.cfg.Logger.Handler(), slog.LevelWarn),
	}
	l.servers = append(l.servers, srv)
	l.serving.Add(1)
	return srv, nil
}

// whileOpen ends requests when the lab is closed, and lets Close wait for them.
func (l *Lab) whileOpen(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		if l.ctx.Err() != nil {
			l.mu.Unlock()
			panic(http.ErrAbortHandler) // as if nobody listened any more
		}
		l.serving.Add(1)
		l.mu.Unlock()
		defer l.serving.Done()
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(l.ctx, cancel)() //nolint:contextcheck // the lab ends it as well as the client
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Endpoint is the URL of the first listener, "" before there is one.
func (l *Lab) Endpoint() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.endpoint
}

// Env is what a shell must export so that AWS clients talk to the lab and never to
// AWS, as "NAME=VALUE". The credentials are fake.
func (l *Lab) Env() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + l.Endpoint(),
		"AWS_ACCESS_KEY_ID=FAKEKEYOFTHELAB",
		"AWS_SECRET_ACCESS_KEY=fake-secret-of-the-lab",
		"AWS_REGION=" + Region,
		"AWS_DEFAULT_REGION=" + Region,
		"AWS_CONFIG_FILE=/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_EC2_METADATA_DISABLED=true",
		"NORIKAE_CLOUDWATCH_PERIOD=" + l.cfg.MetricPeriod.String(),
		"NORIKAE_CLOUDWATCH_DELAY=" + l.cfg.MetricDelay.String(),
		"NORIKAE_CLOUDWATCH_SETTLE=" + l.settle().String(),
	}
}

// EnvUnset names the variables that must not be set beside Env: they would lead
// clients elsewhere, or make them look for what the lab's configuration has not.
func (l *Lab) EnvUnset() []string {
	return []string{
		"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
		"AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", "AWS_ENDPOINT_URL_CLOUDWATCH",
		"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
	}
}

// settle is how long after a change of weights a client should wait before it judges:
// a lab's data plane follows at once, so one period is plenty.
func (l *Lab) settle() time.Duration { return min(l.cfg.MetricPeriod, 10*time.Second) }

// Close ends the endpoint, the data plane and the targets, and waits for them and for
// the requests that they are at. What an intercept waits for must end with its context.
func (l *Lab) Close() error {
	l.mu.Lock()
	l.stop()
	var errs []error
	for _, s := range l.servers {
		errs = append(errs, s.Close())
	}
	l.servers = nil
	l.mu.Unlock()
	l.serving.Wait()
	l.elb.Close()
	errs = append(errs, l.plane.Close())
	if l.world != nil {
		errs = append(errs, l.world.close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing the lab: %w", err)
	}
	return nil
}
