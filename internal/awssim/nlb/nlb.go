// Package nlb is the data plane of the simulated Network Load Balancers: TCP and UDP
// listeners on loopback that carry real connections and flows to real targets by the
// weights of a model.Config, check the targets' health and report the metrics that AWS
// would. A connection or flow stays where it began, whatever happens to the weights.
//
// Simplified: the load balancer accepts a TCP connection before it connects to a target,
// and targets see the load balancer's address, without proxy protocol; TLS listeners pass
// bytes on as they are; cross-zone load balancing is always on; ProcessedBytes are those
// of the payload; a UDP flow has no zone or connection ID, only both addresses; unhealthy
// targets have no draining interval; a listener that goes, or changes its protocol, cuts
// its connections.
package nlb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/norikae/norikae/internal/awssim/albmetric"
	"github.com/norikae/norikae/internal/awssim/chance"
	"github.com/norikae/norikae/internal/awssim/health"
	"github.com/norikae/norikae/internal/awssim/loopback"
	"github.com/norikae/norikae/internal/awssim/model"
)

// Config of a DataPlane. The zero value listens and dials on loopback and keeps its
// metrics to itself.
type Config struct {
	// Listen opens TCP listeners; nil: net.Listen.
	Listen func(network, addr string) (net.Listener, error)
	// ListenPacket opens UDP sockets; nil: net.ListenPacket.
	ListenPacket func(network, addr string) (net.PacketConn, error)
	// Dial connects to targets, over "tcp" and "udp"; nil: net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Host is the loopback address of a load balancer, known by its ARN; nil or "":
	// 127.0.0.1. On an address of its own a listener takes its port if it can be had;
	// otherwise, and on 127.0.0.1, any.
	Host func(loadBalancerARN string) string
	// BalancerAddr is the host:port of an application load balancer's listener, for
	// target groups of type alb; nil or "": such targets cannot be reached.
	BalancerAddr func(listenerARN string) string
	// UDPIdleTimeout ends a UDP flow on which nothing was sent; 0: AWS's 120 s.
	UDPIdleTimeout time.Duration
	// Sink takes the metrics; nil: none are made.
	Sink model.Sink
	// MetricPeriod is how often metrics are reported, aligned to the clock; 0: 1 minute.
	MetricPeriod time.Duration
	// Seed makes the choice of target groups repeatable.
	Seed uint64
	// Logger; nil: none.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Listen == nil {
		c.Listen = loopback.TCP
	}
	if c.ListenPacket == nil {
		c.ListenPacket = loopback.UDP
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.Host == nil {
		c.Host = func(string) string { return "" }
	}
	if c.BalancerAddr == nil {
		c.BalancerAddr = func(string) string { return "" }
	}
	if c.UDPIdleTimeout <= 0 {
		c.UDPIdleTimeout = 120 * time.Second
	}
	if c.MetricPeriod <= 0 {
		c.MetricPeriod = time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// DataPlane implements model.DataPlane. Its methods may be called from anywhere.
type DataPlane struct {
	cfg    Config
	random chance.Source
	lose   atomic.Int64
	checks *health.Checker
	wg     sync.WaitGroup  // of reports, listeners and connections
	ctx    context.Context //nolint:containedctx // the data plane's lifetime, which ends what it dials
	stop   context.CancelFunc
	began  time.Time
	fronts atomic.Pointer[map[front]string] // listeners of application load balancers

	mu             sync.Mutex
	closed         bool
	listeners      map[string]*listener
	listenerCounts map[string]*flowCounts // these and the next two: of everything ever configured
	balancers      map[string]*balancer
	groups         map[string]*group
	behind         map[string]*balancer // the load balancer whose rules name a group, now
}

// front is where an application load balancer listens.
type front struct {
	balancer string
	port     int
}

// balancer is one load balancer at work.
type balancer struct {
	arn   string
	zones []string // guarded by DataPlane.mu
	stats balancerStats
}

// group is a target group at work.
type group struct {
	*health.Group[targetData]

	settings atomic.Pointer[groupSettings]
}

// target is a target of a group.
type target = health.Target[targetData]

// groupSettings are what a group's attributes say.
type groupSettings struct {
	sticky          bool // by source IP address
	cutUnhealthy    bool
	cutDeregistered bool // once the deregistration delay is over
}

var _ model.DataPlane = (*DataPlane)(nil)

// New starts a data plane without configuration. Close ends it.
func New(cfg Config) *DataPlane {
	cfg = cfg.withDefaults()
	p := &DataPlane{
		cfg: cfg, checks: health.NewChecker(cfg.Dial), began: time.Now(),
		listeners: map[string]*listener{}, listenerCounts: map[string]*flowCounts{},
		balancers: map[string]*balancer{}, groups: map[string]*group{}, behind: map[string]*balancer{},
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.random.Seed(cfg.Seed)
	p.fronts.Store(&map[front]string{})
	if cfg.Sink != nil {
		p.wg.Go(func() { albmetric.Every(p.ctx, cfg.MetricPeriod, p.emit) })
	}
	return p
}

// Apply makes c the configuration of connections and flows that arrive from now on.
// Listeners that stay keep their address. What is of application load balancers is
// passed over.
func (p *DataPlane) Apply(c model.Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	for _, lb := range c.LoadBalancers {
		if lb.Type == "network" {
			p.balancer(lb.ARN).zones = lb.Zones
		}
	}
	fronts := map[front]string{}
	for _, l := range c.Listeners {
		if !model.IsNetwork(l.Protocol) {
			fronts[front{l.LoadBalancerARN, l.Port}] = l.ARN
		}
	}
	p.fronts.Store(&fronts)
	p.applyGroups(c)
	clear(p.behind)
	wanted := map[string]bool{}
	for _, l := range c.Listeners {
		if model.IsNetwork(l.Protocol) {
			wanted[l.ARN] = true
			p.applyListener(l)
		}
	}
	for arn, l := range p.listeners {
		if !wanted[arn] {
			delete(p.listeners, arn)
			p.logError(arn, l.close())
		}
	}
}

func (p *DataPlane) applyGroups(c model.Config) {
	for arn, g := range p.groups {
		if _, ok := c.TargetGroups[arn]; !ok {
			g.Apply(model.TargetGroup{ARN: arn})
		}
	}
	for arn, tg := range c.TargetGroups {
		if !tg.Network() {
			continue
		}
		g := p.group(arn, tg.TargetType)
		g.settings.Store(&groupSettings{
			sticky:          tg.Attributes["stickiness.enabled"] == "true",
			cutUnhealthy:    tg.Attributes["target_health_state.unhealthy.connection_termination.enabled"] == "true",
			cutDeregistered: tg.Attributes["deregistration_delay.connection_termination.enabled"] == "true",
		})
		g.Apply(tg)
	}
}

// applyListener starts a listener or gives it a new table.
func (p *DataPlane) applyListener(l model.Listener) {
	t := p.compile(l)
	running := p.listeners[l.ARN]
	if running != nil && running.protocol == l.Protocol {
		running.table.Store(t)
		return
	}
	if running != nil {
		delete(p.listeners, l.ARN)
		p.logError(l.ARN, running.close())
	}
	started, err := p.listen(l, t)
	if err != nil {
		p.logError(l.ARN, err)
		return
	}
	p.listeners[l.ARN] = started
}

func (p *DataPlane) logError(arn string, err error) {
	if err != nil {
		p.cfg.Logger.Error("applying configuration", "arn", arn, "error", err)
	}
}

// balancer at work, p.mu is held.
func (p *DataPlane) balancer(arn string) *balancer {
	b := p.balancers[arn]
	if b == nil {
		b = &balancer{arn: arn}
		p.balancers[arn] = b
	}
	return b
}

// group at work, p.mu is held.
func (p *DataPlane) group(arn, targetType string) *group {
	g := p.groups[arn]
	if g == nil {
		g = &group{}
		g.settings.Store(&groupSettings{})
		events := health.Events[targetData]{
			Unhealthy: func(t *target) {
				if g.settings.Load().cutUnhealthy {
					t.Data.live.cut()
				}
			},
			Removed: func(t *target) {
				if g.settings.Load().cutDeregistered {
					t.Data.live.cut()
				}
			},
		}
		if targetType == "alb" {
			events.Resolve = p.frontOf
		}
		g.Group = health.NewGroup(arn, p.checks, events)
		p.groups[arn] = g
	}
	return g
}

// frontOf is the address of an application load balancer that is a target, "" when it
// has none.
func (p *DataPlane) frontOf(t model.Target) string {
	arn, ok := (*p.fronts.Load())[front{t.ID, t.Port}]
	if !ok {
		return ""
	}
	return p.cfg.BalancerAddr(arn)
}

// Health of one target as of now.
func (p *DataPlane) Health(targetGroupARN string, t model.Target) model.TargetHealth {
	p.mu.Lock()
	g := p.groups[targetGroupARN]
	p.mu.Unlock()
	if g == nil {
		return model.TargetHealth{State: "unused", Reason: "Target.NotRegistered", Description: "Target is not registered to the target group"}
	}
	return g.Health(t)
}

// Addr is the loopback address of a listener, for TCP and UDP, "" when it has none.
func (p *DataPlane) Addr(listenerARN string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.listeners[listenerARN]; l != nil {
		return l.addr
	}
	return ""
}

// Close ends listeners, connections, flows, health checks and reports, and waits for
// them. Metrics of the open period are not reported.
func (p *DataPlane) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	p.stop()
	var errs []error
	for _, l := range p.listeners {
		errs = append(errs, l.close())
	}
	for _, g := range p.groups {
		g.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
	p.checks.Wait()
	return errors.Join(errs...)
}

// listen opens the sockets of a listener.
func (p *DataPlane) listen(m model.Listener, t *table) (*listener, error) {
	counts := p.listenerCounts[m.ARN]
	if counts == nil {
		counts = &flowCounts{}
		p.listenerCounts[m.ARN] = counts
	}
	l := &listener{plane: p, protocol: m.Protocol, counts: counts}
	l.table.Store(t)
	if err := l.open(p.cfg, p.cfg.Host(m.LoadBalancerARN), m.Port); err != nil {
		return nil, fmt.Errorf("listening for %s: %w", m.ARN, err)
	}
	if l.tcp != nil {
		p.wg.Go(l.acceptTCP)
	}
	if l.udp != nil {
		u := &udpListener{listener: l, conn: l.udp, flows: map[string]*udpFlow{}}
		p.wg.Go(u.receive)
	}
	return l, nil
}

// open the sockets of a listener: for TCP_UDP both on one port.
func (l *listener) open(cfg Config, host string, port int) error {
	const attempts = 20 // a port that is free for TCP may be taken for UDP
	var err error
	if l.protocol == "UDP" {
		if l.udp, err = loopback.Listen(cfg.ListenPacket, "udp", host, port); err != nil {
			return err
		}
		l.addr = l.udp.LocalAddr().String()
		return nil
	}
	for range attempts {
		if l.tcp, err = loopback.Listen(cfg.Listen, "tcp", host, port); err != nil {
			return err
		}
		l.addr = l.tcp.Addr().String()
		if l.protocol != "TCP_UDP" {
			return nil
		}
		if l.udp, err = cfg.ListenPacket("udp", l.addr); err == nil {
			return nil
		}
		err = errors.Join(err, l.tcp.Close())
		port = 0
	}
	return err
}

// idleTimeout of TCP connections on a listener. That of TLS cannot be changed.
func idleTimeout(l model.Listener) time.Duration {
	if n, err := strconv.Atoi(l.Attributes["tcp.idle_timeout.seconds"]); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	return 350 * time.Second
}
