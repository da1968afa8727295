// Package alb is the data plane of the simulated Application Load Balancers: HTTP
// listeners on loopback that forward real requests to real targets by the rules of a
// model.Config, check the targets' health and report the metrics that AWS would.
//
// Simplified: HTTPS listeners speak plain HTTP, and so does the way to the targets;
// targets are picked round robin whatever the algorithm attribute says, without slow
// start and target stickiness; idle_timeout.timeout_seconds limits the time to the
// head of an answer only; draining targets keep their requests however long they take;
// metrics have no AvailabilityZone dimension.
package alb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
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
	// Listen opens listeners; nil: net.Listen.
	Listen func(network, addr string) (net.Listener, error)
	// Dial connects to targets; nil: net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Host is the loopback address of a load balancer, known by its ARN; nil or "":
	// 127.0.0.1. On an address of its own a listener takes its port if it can be had;
	// otherwise, and on 127.0.0.1, any.
	Host func(loadBalancerARN string) string
	// Sink takes the metrics; nil: none are made.
	Sink model.Sink
	// MetricPeriod is how often metrics are reported, aligned to the clock; 0: 1 minute.
	MetricPeriod time.Duration
	// Seed makes the choice of target groups repeatable.
	Seed uint64
	// Logger; nil: none.
	Logger *slog.Logger
}

// DataPlane implements model.DataPlane. Its methods may be called from anywhere.
type DataPlane struct {
	cfg     Config
	random  chance.Source
	cookies *cookies
	buffers buffers
	lose    atomic.Int64
	wg      sync.WaitGroup
	stop    context.CancelFunc // ends the reports

	mu             sync.Mutex
	closed         bool
	listeners      map[string]*listener
	listenerCounts map[string]*listenerCounts // these and the next three: of everything ever configured
	balancers      map[string]*balancer
	groups         map[string]*group
	stats          map[statsKey]*groupStats
	checks         *health.Checker
}

// group is a target group at work.
type group = health.Group[targetCounts]

// target is a target of a group.
type target = health.Target[targetCounts]

type statsKey struct{ balancer, group string }

// balancer is one load balancer at work.
type balancer struct {
	arn       string
	scope     string // ACCOUNT/REGION
	dimension string // app/NAME/ID
	stats     balancerStats
	settings  proxySettings
	proxy     *proxy
}

var _ model.DataPlane = (*DataPlane)(nil)

// New starts a data plane without configuration. Close ends it.
func New(cfg Config) *DataPlane {
	if cfg.Listen == nil {
		cfg.Listen = loopback.TCP
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	if cfg.MetricPeriod <= 0 {
		cfg.MetricPeriod = time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &DataPlane{
		cfg: cfg, cookies: newCookies(), stop: stop,
		listeners: map[string]*listener{}, listenerCounts: map[string]*listenerCounts{},
		balancers: map[string]*balancer{}, groups: map[string]*group{}, stats: map[statsKey]*groupStats{},
	}
	p.random.Seed(cfg.Seed)
	p.checks = health.NewChecker(cfg.Dial)
	if cfg.Sink != nil {
		p.wg.Go(func() { albmetric.Every(ctx, cfg.MetricPeriod, p.emit) })
	}
	return p
}

// Apply makes c the configuration of requests that arrive from now on. Listeners that
// stay keep their address. What is of network load balancers is passed over.
func (p *DataPlane) Apply(c model.Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	for _, lb := range c.LoadBalancers {
		if lb.Type != "network" {
			p.applyBalancer(lb)
		}
	}
	for _, s := range p.stats {
		s.active = false
	}
	for arn, g := range p.groups {
		if _, ok := c.TargetGroups[arn]; !ok {
			g.Apply(model.TargetGroup{ARN: arn})
		}
	}
	for arn, tg := range c.TargetGroups {
		if !tg.Network() {
			p.group(arn).Apply(tg)
		}
	}
	wanted := map[string]bool{}
	for _, l := range c.Listeners {
		if b := p.balancers[l.LoadBalancerARN]; b != nil {
			wanted[l.ARN] = true
			p.applyListener(b, l)
		}
	}
	for arn, l := range p.listeners {
		if !wanted[arn] {
			delete(p.listeners, arn)
			p.logError(arn, l.close())
		}
	}
}

// applyBalancer makes a load balancer's proxy.
func (p *DataPlane) applyBalancer(lb model.LoadBalancer) {
	b := p.balancers[lb.ARN]
	if b == nil {
		b = &balancer{arn: lb.ARN, scope: model.Scope(lb.ARN), dimension: model.LoadBalancerDimension(lb.ARN)}
		p.balancers[lb.ARN] = b
	}
	s := proxySettings{idleTimeout: time.Minute, xffMode: lb.Attributes["routing.http.xff_header_processing.mode"]}
	if n, err := strconv.Atoi(lb.Attributes["idle_timeout.timeout_seconds"]); err == nil && n > 0 {
		s.idleTimeout = time.Duration(n) * time.Second
	}
	if b.proxy == nil || b.settings != s {
		if b.proxy != nil {
			b.proxy.transport.CloseIdleConnections()
		}
		b.settings, b.proxy = s, p.newProxy(b, s)
	}
}

// applyListener compiles a listener's rules. A rule that cannot be compiled is left
// out and logged: the control plane has validated it before.
func (p *DataPlane) applyListener(b *balancer, l model.Listener) {
	t := &table{balancer: b, exchange: b.proxy, scheme: strings.ToLower(l.Protocol), port: strconv.Itoa(l.Port)}
	for _, r := range l.Rules {
		cr, err := p.compileRule(b, r)
		if err != nil {
			p.logError(r.ARN, fmt.Errorf("rule left out: %w", err))
			continue
		}
		t.rules = append(t.rules, cr)
	}
	if running := p.listeners[l.ARN]; running != nil {
		running.table.Store(t)
		return
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

// group returns the group at work, p.mu is held.
func (p *DataPlane) group(arn string) *group {
	g := p.groups[arn]
	if g == nil {
		g = health.NewGroup(arn, p.checks, health.Events[targetCounts]{})
		p.groups[arn] = g
	}
	return g
}

// groupStats returns the metrics of a group behind a load balancer and marks them as
// in force, p.mu is held.
func (p *DataPlane) groupStats(b *balancer, groupARN string) *groupStats {
	key := statsKey{b.arn, groupARN}
	s := p.stats[key]
	if s == nil {
		s = &groupStats{balancer: b, groupARN: groupARN}
		p.stats[key] = s
	}
	s.active = true
	return s
}

// Health of one target as of now.
func (p *DataPlane) Health(targetGroupARN string, t model.Target) model.TargetHealth {
	p.mu.Lock()
	g := p.group(targetGroupARN)
	p.mu.Unlock()
	return g.Health(t)
}

// Addr is the loopback address of a listener, "" when it has none.
func (p *DataPlane) Addr(listenerARN string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.listeners[listenerARN]; l != nil {
		return l.addr
	}
	return ""
}

// Close ends listeners, connections, health checks and reports, and waits for them.
// Requests under way are cut off. Metrics of the open period are not reported.
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
	for _, b := range p.balancers {
		defer b.proxy.transport.CloseIdleConnections()
	}
	p.mu.Unlock()
	p.wg.Wait()
	p.checks.Wait()
	return errors.Join(errs...)
}
