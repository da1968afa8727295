package awssim

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/norikae/norikae/internal/awssim/alb"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/nlb"
	"github.com/norikae/norikae/internal/awssim/synth"
)

// The data planes of a lab.
const (
	// PlaneALB carries real traffic between loopback listeners and toy clusters, that of
	// network load balancers too.
	PlaneALB = "alb"
	// PlaneSynth makes up the metrics of steady traffic, without sockets and without
	// clusters: for sweeps in virtual time. See Lab.Synth.
	PlaneSynth = "synth"
)

func planes() []string { return []string{PlaneALB, PlaneSynth} }

// plane is a data plane, known also by what it is: either alb and nlb are set, or synth.
type plane struct {
	model.DataPlane

	alb   *alb.DataPlane
	nlb   *nlb.DataPlane
	synth *synth.DataPlane
}

func (l *Lab) newPlane() plane {
	cfg := l.cfg
	if cfg.DataPlane == PlaneSynth {
		p := synth.New(synth.Config{
			Sink: l.metrics, Period: cfg.MetricPeriod, RequestsPerSecond: cfg.RequestsPerSecond, Share: l.dnsShare, InitialFor: cfg.InitialFor, Seed: cfg.Seed,
		})
		return plane{DataPlane: p, synth: p}
	}
	a := alb.New(alb.Config{
		Listen: l.listenAs("alb"), Dial: l.dialTargets, Sink: l.metrics, MetricPeriod: cfg.MetricPeriod, Seed: cfg.Seed, Logger: cfg.Logger, Host: l.host,
	})
	n := nlb.New(nlb.Config{
		Listen: l.listenAs("nlb"), ListenPacket: cfg.ListenPacket, Dial: l.dialTargets, Sink: l.metrics, MetricPeriod: cfg.MetricPeriod, Seed: cfg.Seed,
		Logger: cfg.Logger, Host: l.host, BalancerAddr: a.Addr,
	})
	return plane{DataPlane: both{a, n, &l.applied}, alb: a, nlb: n}
}

// both load balancers' planes: each minds its own kind in the same configuration.
type both struct {
	alb     *alb.DataPlane
	nlb     *nlb.DataPlane
	applied *atomic.Pointer[model.Config]
}

func (b both) Apply(c model.Config) {
	b.alb.Apply(c)
	b.nlb.Apply(c)
}

// Health is known to the plane that checks the group's targets.
func (b both) Health(targetGroupARN string, t model.Target) model.TargetHealth {
	if c := b.applied.Load(); c != nil && model.IsNetwork(c.TargetGroups[targetGroupARN].Protocol) {
		return b.nlb.Health(targetGroupARN, t)
	}
	return b.alb.Health(targetGroupARN, t)
}

func (b both) Addr(listenerARN string) string {
	return cmp.Or(b.alb.Addr(listenerARN), b.nlb.Addr(listenerARN))
}

func (b both) Close() error { return errors.Join(b.alb.Close(), b.nlb.Close()) }

// firstBalancer is the last number of the first load balancer's address in the network of
// nodes.
const firstBalancer = 10

// host is the address of a load balancer, loopback. Those that DNS records are to tell
// apart have one of their own; and all have in the network of nodes, beside the lab's.
func (l *Lab) host(loadBalancerARN string) string {
	l.hostsMu.Lock()
	defer l.hostsMu.Unlock()
	if h := l.hosts[loadBalancerARN]; h != "" || !l.cfg.Nodes.IsValid() {
		return cmp.Or(h, "127.0.0.1")
	}
	addr := l.cfg.Nodes.As4()
	addr[3] = byte(firstBalancer + len(l.hosts)) //nolint:gosec // G115: 240 load balancers are more than a lab carries
	return l.keepHost(loadBalancerARN, netip.AddrFrom4(addr).String())
}

func (l *Lab) setHost(loadBalancerARN, host string) {
	l.hostsMu.Lock()
	defer l.hostsMu.Unlock()
	l.keepHost(loadBalancerARN, host)
}

// keepHost of a load balancer; the hosts are locked.
func (l *Lab) keepHost(loadBalancerARN, host string) string {
	if l.hosts == nil {
		l.hosts = map[string]string{}
	}
	l.hosts[loadBalancerARN] = host
	return host
}

// listenAs opens the listeners of load balancers: where they were, when the lab's state
// is kept; and at one port, on hosts of their own, so that who follows DNS from one to
// the other needs no other port. In the network of nodes they are at their own ports.
func (l *Lab) listenAs(name string) func(network, addr string) (net.Listener, error) {
	kept := l.state.Listen(name, l.cfg.Listen)
	return func(network, addr string) (net.Listener, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil || host == "127.0.0.1" || l.cfg.Nodes.IsValid() { // there every port is free
			return kept(network, addr)
		}
		l.hostsMu.Lock()
		defer l.hostsMu.Unlock()
		ln, err := kept(network, net.JoinHostPort(host, cmp.Or(l.sharedPort, "0")))
		if err != nil {
			return nil, err
		}
		_, l.sharedPort, err = net.SplitHostPort(ln.Addr().String())
		return ln, err
	}
}

// dnsPort is the port of the load balancers that DNS names lead to; "" when there is none.
func (l *Lab) dnsPort() string {
	l.hostsMu.Lock()
	defer l.hostsMu.Unlock()
	return l.sharedPort
}

// Synth is the made-up data plane, nil when the lab carries real traffic.
func (l *Lab) Synth() *synth.DataPlane { return l.plane.synth }

// setLose hands the fault of that kind to the data planes.
func (l *Lab) setLose(n int) {
	if l.plane.alb != nil {
		l.plane.alb.SetLose(int64(n))
		l.plane.nlb.SetLose(int64(n))
	}
}

// setTargetFaults hands the faults of targets to those who play the targets. The
// fault.Set calls it for one change at a time.
func (l *Lab) setTargetFaults(faults map[string]fault.Target) {
	for name := range l.faulty {
		if _, still := faults[name]; !still {
			l.setTargetFault(name, fault.Target{})
		}
	}
	for name, f := range faults {
		l.setTargetFault(name, f)
	}
	l.faulty = faults
}

func (l *Lab) setTargetFault(name string, f fault.Target) {
	var err error
	if l.plane.synth != nil {
		err = l.plane.synth.Set(name, synth.Behaviour{ErrorRate: f.FailRate, Latency: f.Latency, SlowRate: f.SlowRate})
	} else if c := l.Cluster(name); c != nil {
		c.SetLatency(f.Latency)
		c.SetResets(l.cfg.World == WorldNLB)
		err = errors.Join(c.SetFailRate(f.FailRate), c.SetSlowRate(cmp.Or(f.SlowRate, 1)))
	}
	if err != nil {
		l.cfg.Logger.Error("setting a target's fault", "error", err)
	}
}

// watched is a data plane whose health checks are at most an interval apart, and whose
// configuration the lab knows too.
type watched struct {
	model.DataPlane

	lab *Lab
}

// Apply hands on a copy of c: a model.Config must not be written to.
func (w watched) Apply(c model.Config) {
	w.lab.applied.Store(&c)
	if interval := w.lab.cfg.HealthInterval; interval > 0 {
		groups := make(map[string]model.TargetGroup, len(c.TargetGroups))
		for arn, g := range c.TargetGroups {
			g.HealthCheck.Interval = min(g.HealthCheck.Interval, interval)
			groups[arn] = g
		}
		c.TargetGroups = groups
	}
	w.DataPlane.Apply(c)
}

// balancer finds a load balancer in what the data plane has, by a DNS name.
func (l *Lab) balancer(dnsName string) (model.Config, model.LoadBalancer, bool) {
	c := l.applied.Load()
	if c == nil {
		return model.Config{}, model.LoadBalancer{}, false
	}
	want := strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(dnsName), "dualstack."), ".")
	for _, lb := range c.LoadBalancers {
		if strings.ToLower(lb.DNSName) == want {
			return *c, lb, true
		}
	}
	return *c, model.LoadBalancer{}, false
}

// aliases are the load balancers that DNS records may point to: where they listen, and
// whether each of their target groups has a healthy target.
func (l *Lab) aliases(dnsName string) (ips []netip.Addr, healthy, ok bool) {
	c, lb, ok := l.balancer(dnsName)
	if !ok {
		return nil, false, false
	}
	ip, err := netip.ParseAddr(l.host(lb.ARN))
	if err != nil {
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return []netip.Addr{ip}, l.serves(c, lb.ARN), true
}

// serves tells whether every target group of a load balancer has a healthy target, as
// Route 53 asks when it evaluates an alias target's health.
func (l *Lab) serves(c model.Config, loadBalancerARN string) bool {
	for _, ln := range c.Listeners {
		if ln.LoadBalancerARN != loadBalancerARN {
			continue
		}
		for _, arn := range forwards(ln) {
			if !l.anyHealthy(c.TargetGroups[arn]) {
				return false
			}
		}
	}
	return true
}

func (l *Lab) anyHealthy(g model.TargetGroup) bool {
	for _, t := range g.Targets {
		if l.plane.Health(g.ARN, t).State == "healthy" {
			return true
		}
	}
	return false
}

// forwards lists the target groups that a listener's rules name.
func forwards(ln model.Listener) []string {
	var out []string
	for _, r := range ln.Rules {
		for _, a := range r.Actions {
			if a.Forward == nil {
				continue
			}
			for _, g := range a.Forward.TargetGroups {
				out = append(out, g.ARN)
			}
		}
	}
	return out
}

// dnsShare is the share of the made-up traffic that DNS sends to a load balancer.
func (l *Lab) dnsShare(loadBalancerARN string) float64 {
	c := l.applied.Load()
	if c == nil || l.route53 == nil {
		return 1
	}
	for _, lb := range c.LoadBalancers {
		if lb.ARN == loadBalancerARN {
			if share, ok := l.route53.Share(lb.DNSName); ok {
				return share
			}
		}
	}
	return 1
}
