// Package awssim is the lab: a simulated AWS on one loopback endpoint, with STS, ELBv2
// and CloudWatch on the wire, load balancers that carry real traffic, and faults on
// demand. It imports nothing of norikae's outside its own folder: an oracle must not
// share the bugs of what it judges.
package awssim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/norikae/norikae/internal/awssim/cloudwatch"
	"github.com/norikae/norikae/internal/awssim/dns"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/state"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// The region and the account of a lab's world; the world fleet has more.
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
	// World is one of Worlds, or "" for an empty AWS.
	World string
	// Fleet is how many clusters the world fleet has; 0: 20. They are dealt out over
	// FleetAccounts accounts, 1–10, and FleetRegions regions, 1–8; 0: 3 of each.
	Fleet, FleetAccounts, FleetRegions int

	// Propagation is how long Route 53 changes are PENDING (AWS: up to 60 s), IndexLag how
	// late the tagging service sees a change, ClusterDelay how long EKS clusters take to
	// become what they become (AWS: minutes).
	Propagation, IndexLag, ClusterDelay time.Duration
	// AliasTTL of DNS answers with a load balancer's addresses, in whole seconds; 0: 60 s,
	// as on AWS.
	AliasTTL time.Duration
	// DNS is where the name server of the hosted zones listens, for UDP and TCP, such as
	// 127.0.0.1:0 for any free port; "": there is none. ListenPacket opens its UDP socket
	// and those of load balancers; nil: net.ListenPacket.
	DNS          string
	ListenPacket func(network, addr string) (net.PacketConn, error)
	// StateDir keeps the lab's resources, so that a lab started there again has them; "":
	// they end with the lab.
	StateDir string
	// Authz verifies signatures, and holds callers to IAM's policies. The lab's default
	// credentials stay those of an administrator.
	Authz bool
	// JWKS fetches the key set of an issuer of web identities (an https URL); nil: no
	// issuer can be reached.
	JWKS func(ctx context.Context, issuer string) ([]byte, error)
	// Kubernetes is a folder with the programs etcd, kube-apiserver and
	// kube-controller-manager: then every EKS cluster has a real API server on this machine,
	// and at most kubeapi.MaxServers run. "": their endpoints are made up.
	Kubernetes string
	// Nodes is an address of the network, closed to the outside, in which nodes of the
	// clusters are: the API servers listen there, and so may the lab. Zero: there are no
	// nodes, and everything is on loopback.
	Nodes netip.Addr
	// MaxSession caps the lifetime of temporary credentials, below AWS's 15 minutes too;
	// 0: as they are asked for.
	MaxSession time.Duration
}

// Fast is the configuration of a lab that shows a whole shift in a minute.
func Fast() Config {
	return Config{
		MetricPeriod: time.Second, MetricDelay: time.Second, HealthInterval: 500 * time.Millisecond,
		Propagation: 2 * time.Second, AliasTTL: 2 * time.Second, IndexLag: time.Second, ClusterDelay: 5 * time.Second,
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
	if c.ListenPacket == nil {
		c.ListenPacket = func(network, addr string) (net.PacketConn, error) {
			return (&net.ListenConfig{}).ListenPacket(context.Background(), network, addr)
		}
	}
	if c.DataPlane == "" {
		c.DataPlane = PlaneALB
	}
	if c.World == WorldFleet && c.Fleet == 0 {
		c.Fleet = 20
		if c.Kubernetes != "" {
			c.Fleet = 3
		}
	}
	if c.World == WorldRoute53 && c.DNS == "" && c.DataPlane != PlaneSynth {
		c.DNS = "127.0.0.1:0"
	}
	if c.MetricPeriod == 0 {
		c.MetricPeriod = time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, c.validate()
}

// ConfigError says which field of a Config is wrong, in words such as "metric period".
type ConfigError struct {
	Field string
	Err   error
}

// Error names the field, the value, and what is allowed.
func (e *ConfigError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *ConfigError) Unwrap() error { return e.Err }

// validate c, whose defaults are filled in.
func (c Config) validate() error {
	wrong := func(field, format string, args ...any) error { return &ConfigError{field, fmt.Errorf(format, args...)} }
	switch {
	case c.MetricPeriod < time.Second || c.MetricPeriod%time.Second != 0 || c.MetricPeriod > time.Hour:
		return wrong("metric period", "%v is not a number of whole seconds in 1s–1h", c.MetricPeriod)
	case c.MetricDelay < 0 || c.MetricDelay > time.Hour:
		return wrong("metric delay", "%v is not in 0s–1h", c.MetricDelay)
	case c.HealthInterval < 0:
		return wrong("health interval", "%v is negative", c.HealthInterval)
	case !slices.Contains(planes(), c.DataPlane):
		return wrong("data plane", "%q is not one of %s", c.DataPlane, strings.Join(planes(), ", "))
	case c.World != "" && !slices.Contains(Worlds(), c.World):
		return wrong("world", "%q is not one of %s", c.World, strings.Join(Worlds(), ", "))
	case c.AliasTTL < 0 || c.AliasTTL%time.Second != 0 || c.AliasTTL > time.Hour:
		return wrong("alias TTL", "%v is not a number of whole seconds in 0s–1h", c.AliasTTL)
	case c.Fleet < 0 || c.Fleet > 10_000:
		return wrong("fleet", "%d clusters are not in 0–10000", c.Fleet)
	case c.FleetAccounts < 0 || c.FleetAccounts > 10:
		return wrong("fleet's accounts", "%d are not in 1–10", c.FleetAccounts)
	case c.FleetRegions < 0 || c.FleetRegions > len(fleetRegions()):
		return wrong("fleet's regions", "%d are not in 1–%d", c.FleetRegions, len(fleetRegions()))
	case c.Fleet > 0 && c.World != WorldFleet:
		return wrong("fleet", "%d clusters are for the world %s, this one is %q", c.Fleet, WorldFleet, c.World)
	}
	if err := c.validateKubernetes(); err != nil {
		return err
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"propagation", c.Propagation}, {"index lag", c.IndexLag}, {"cluster delay", c.ClusterDelay}, {"session", c.MaxSession}} {
		if d.value < 0 || d.value > 24*time.Hour {
			return wrong(d.field, "%v is not in 0s–24h", d.value)
		}
	}
	return nil
}

// Lab is a running simulated AWS.
type Lab struct {
	services

	cfg     Config
	ctx     context.Context //nolint:containedctx // the lab's lifetime, which ends its servers' streams
	stop    context.CancelFunc
	state   *state.Dir // nil: nothing is kept
	faults  *fault.Set
	calls   *CallLog
	plane   plane
	dns     *dns.Server // nil: without a real data plane
	mux     *wire.Mux
	handler http.Handler
	world   *world
	applied atomic.Pointer[model.Config] // what the data plane has
	faulty  map[string]fault.Target      // see setTargetFaults

	mu       sync.Mutex
	endpoint string
	servers  []*http.Server
	serving  sync.WaitGroup // servers of Start, and requests
	baseline Counters

	hostsMu    sync.Mutex
	hosts      map[string]string // loopback addresses of load balancers that have their own
	sharedPort string            // of their listeners
}

// New builds a lab and its world, and waits until the world's targets are healthy. With a
// state directory it then serves the calls again that are kept there. Close ends it.
func New(cfg Config) (*Lab, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("lab configuration: %w", err)
	}
	l := &Lab{cfg: cfg, calls: newCallLog()}
	l.ctx, l.stop = context.WithCancel(context.Background())
	if err := l.build(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Lab) build() (err error) {
	cfg := l.cfg
	if l.state, err = state.Open(state.Config{Path: cfg.StateDir, World: l.worldKey(), Seed: cfg.Seed}); err != nil {
		return err
	}
	l.faults = fault.NewSet(fault.Config{
		Seed: cfg.Seed, Check: l.checkFault, Targets: l.setTargetFaults,
		Lose: l.setLose,
	})
	l.metrics = cloudwatch.New(cloudwatch.Config{
		Period:  cfg.MetricPeriod,
		Delay:   func() time.Duration { return cfg.MetricDelay + l.faults.MetricDelay() },
		Missing: l.faults.MetricMissing,
	})
	l.route53 = l.newRoute53()
	l.plane = l.newPlane()
	if err := l.newServices(); err != nil {
		return err
	}
	l.mux = l.register()
	l.handler = l.whileOpen(l.withControl(l.mux))
	if err := l.startDNS(); err != nil {
		return err
	}
	if err := l.buildWorld(); err != nil {
		return fmt.Errorf("building the world %s: %w", cfg.World, err)
	}
	if err := l.state.Restore(l.ctx, l.mux.Replay); err != nil {
		return fmt.Errorf("restoring the lab: %w", err)
	}
	return nil
}

// startDNS opens the name server of the hosted zones, where one is wanted.
func (l *Lab) startDNS() (err error) {
	if l.cfg.DNS == "" {
		return nil
	}
	l.dns, err = dns.Start(dns.Config{
		Zones: l.route53, Addr: cmp.Or(l.state.Address("dns"), l.cfg.DNS), Listen: l.cfg.Listen, ListenPacket: l.cfg.ListenPacket, Logger: l.cfg.Logger,
	})
	if err != nil {
		return &ConfigError{"name server", err}
	}
	return l.state.Remember("dns", l.dns.Addr())
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

// mayListen tells whether an address is one that nobody outside can reach.
func (c Config) mayListen(addr netip.Addr) bool { return addr.IsLoopback() || addr == c.Nodes }

// server makes a server that Close will end. The caller serves ln with it, and then
// says l.serving.Done.
func (l *Lab) server(ln net.Listener) (*http.Server, error) {
	addr, ok := ln.Addr().(*net.TCPAddr)
	if !ok || !l.cfg.mayListen(addr.AddrPort().Addr().Unmap()) {
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
	l.services.close()
	if l.kube != nil {
		errs = append(errs, l.kube.Close())
	}
	if l.dns != nil {
		errs = append(errs, l.dns.Close())
	}
	if l.plane.DataPlane != nil {
		errs = append(errs, l.plane.Close())
	}
	if l.world != nil {
		errs = append(errs, l.world.close())
	}
	errs = append(errs, l.state.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing the lab: %w", err)
	}
	return nil
}
