// Package synth is a data plane without sockets, for tests in virtual time: each
// period it reports the AWS/ApplicationELB and AWS/NetworkELB metrics that steady traffic
// over the applied weights would have caused. Everything in it is counted, nothing is random: the same
// calls at the same times give the same numbers.
//
// Simplified: conditions are not evaluated (a load balancer's traffic is divided evenly
// over its rules that forward), nobody is sticky, and no traffic means no connections.
// Every flow of a network load balancer lasts as long and carries as many bytes as any
// other, and flows that are reset do so at once.
package synth

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
)

// Config of a DataPlane.
type Config struct {
	// Sink takes the metrics; required.
	Sink model.Sink
	// Period of the metrics, aligned to the clock; 0: 1 minute.
	Period time.Duration
	// RequestsPerSecond that reach each load balancer, for network load balancers the new
	// flows, asked at the start of every period and after every change; nil: 100, always.
	RequestsPerSecond func(time.Time) float64
	// Share (0–1) of these that a load balancer gets, asked at the same times: what DNS
	// sends there. nil: all of them.
	Share func(loadBalancerARN string) float64
	// InitialFor is how long a target is initial after its registration, or after its
	// group came into use; 0: not at all.
	InitialFor time.Duration
	// Seed shifts which requests fail.
	Seed uint64
}

// Behaviour of a target group's targets. Rates are shares (0–1) of the requests that
// are sent to the group; the zero value is a group without fault.
//
// Of a network load balancer's TCP and TLS flows, those with ErrorRate and ResetRate are
// reset by the target, and those with ConnectionErrorRate by the load balancer. What
// times out, or is slow, or is UDP, AWS does not show.
type Behaviour struct {
	ErrorRate           float64       // answered 500 by the target
	ConnectionErrorRate float64       // no connection: TargetConnectionErrorCount and ELB 502
	ResetRate           float64       // connection reset before the answer: ELB 502
	TimeoutRate         float64       // ELB 504
	Latency             time.Duration // of the target's answers; 0: 10 ms
	SlowRate            float64       // share (0–1) of the answers with that Latency, the others take 10 ms; 0: all
	Unhealthy           bool          // targets fail their health checks
}

// validate checks ranges.
func (b Behaviour) validate() error {
	for _, r := range []struct {
		name string
		rate float64
	}{
		{"ErrorRate", b.ErrorRate},
		{"ConnectionErrorRate", b.ConnectionErrorRate},
		{"ResetRate", b.ResetRate},
		{"TimeoutRate", b.TimeoutRate},
		{"SlowRate", b.SlowRate},
		{"sum of all rates", b.ErrorRate + b.ConnectionErrorRate + b.ResetRate + b.TimeoutRate},
	} {
		if !(r.rate >= 0 && r.rate <= 1) { // also refuses NaN
			return fmt.Errorf("behaviour: %s is %v, must be 0–1", r.name, r.rate)
		}
	}
	if b.Latency < 0 {
		return fmt.Errorf("behaviour: Latency is %s, must not be negative", b.Latency)
	}
	return nil
}

// DataPlane implements model.DataPlane. Its methods may be called from anywhere.
type DataPlane struct {
	cfg  Config
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu       sync.Mutex
	config   model.Config
	routes   []*route
	behaves  map[string]Behaviour // by group name
	since    map[string]time.Time // when a target began to be initial, by group ARN + target
	books    map[string]*book     // by load balancer ARN
	stopped  bool                 // no traffic
	closed   bool
	clock    time.Time // up to when traffic is accounted for
	boundary time.Time // end of the open period
	reports  []report  // finished, not yet handed to the sink
}

type report struct {
	scope string
	data  []model.Datum
}

var _ model.DataPlane = (*DataPlane)(nil)

// New starts a data plane. Close ends it.
func New(cfg Config) *DataPlane {
	if cfg.Period <= 0 {
		cfg.Period = time.Minute
	}
	if cfg.RequestsPerSecond == nil {
		cfg.RequestsPerSecond = func(time.Time) float64 { return 100 }
	}
	if cfg.Share == nil {
		cfg.Share = func(string) float64 { return 1 }
	}
	now := time.Now()
	ctx, stop := context.WithCancel(context.Background())
	p := &DataPlane{
		cfg: cfg, stop: stop, behaves: map[string]Behaviour{}, since: map[string]time.Time{}, books: map[string]*book{},
		clock: now, boundary: now.Truncate(cfg.Period).Add(cfg.Period),
	}
	p.wg.Go(func() { p.run(ctx) })
	return p
}

// run reports each period at its end.
func (p *DataPlane) run(ctx context.Context) {
	for {
		p.mu.Lock()
		wait := time.Until(p.boundary)
		p.mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		p.mu.Lock()
		p.advance(time.Now())
		reports := p.reports
		p.reports = nil
		p.mu.Unlock()
		for _, r := range reports {
			p.cfg.Sink.Put(r.scope, r.data)
		}
	}
}

// Apply makes c the configuration of the traffic from now on.
func (p *DataPlane) Apply(c model.Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	now := time.Now()
	p.advance(now)
	p.config = c
	p.routes = routes(c, p.routes)
	since := map[string]time.Time{}
	for arn, g := range c.TargetGroups {
		for _, t := range g.Targets {
			if !g.InUse || !t.DrainingSince.IsZero() {
				continue
			}
			key := targetKey(arn, t)
			since[key] = now
			if was, ok := p.since[key]; ok {
				since[key] = was
			}
		}
	}
	p.since = since
}

func targetKey(groupARN string, t model.Target) string {
	return groupARN + " " + t.ID + ":" + strconv.Itoa(t.Port)
}

// Set makes b the behaviour of a target group from now on, known by its name; the
// group need not exist yet.
func (p *DataPlane) Set(groupName string, b Behaviour) error {
	if err := b.validate(); err != nil {
		return fmt.Errorf("target group %s: %w", groupName, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(time.Now())
	p.behaves[groupName] = b
	return nil
}

// SetTraffic stops all traffic, or resumes it.
func (p *DataPlane) SetTraffic(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(time.Now())
	p.stopped = !on
}

// Health of one target as of now.
func (p *DataPlane) Health(targetGroupARN string, t model.Target) model.TargetHealth {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.health(targetGroupARN, t, time.Now())
}

// health of a target; p.mu is held.
func (p *DataPlane) health(groupARN string, t model.Target, now time.Time) model.TargetHealth {
	g, ok := p.config.TargetGroups[groupARN]
	i := slices.IndexFunc(g.Targets, func(o model.Target) bool { return o.ID == t.ID && o.Port == t.Port })
	switch {
	case !ok || i < 0:
		return model.TargetHealth{State: "unused", Reason: "Target.NotRegistered", Description: "Target is not registered to the target group"}
	case !g.Targets[i].DrainingSince.IsZero():
		return model.TargetHealth{State: "draining", Reason: "Target.DeregistrationInProgress", Description: "Target deregistration is in progress"}
	case !g.InUse:
		return model.TargetHealth{State: "unused", Reason: "Target.NotInUse", Description: "Target group is not configured to receive traffic from the load balancer"}
	case !g.HealthCheck.Enabled:
		return model.TargetHealth{State: "unavailable", Reason: "Target.HealthCheckDisabled", Description: "Health checks are disabled for this target group"}
	case now.Sub(p.since[targetKey(groupARN, t)]) < p.cfg.InitialFor:
		return model.TargetHealth{State: "initial", Reason: "Elb.InitialHealthChecking", Description: "Initial health checks in progress"}
	case p.behaves[g.Name].Unhealthy:
		return model.TargetHealth{State: "unhealthy", Reason: "Target.ResponseCodeMismatch", Description: "Health checks failed with these codes: [503]"}
	}
	return model.TargetHealth{State: "healthy"}
}

// Addr is always "": there are no sockets.
func (p *DataPlane) Addr(string) string { return "" }

// Close ends the reports. The open period is not reported.
func (p *DataPlane) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
	p.wg.Wait()
	return nil
}

// route is a rule that forwards, and the state of dealing its requests out.
type route struct {
	key      string
	balancer string
	protocol string // of the listener
	groups   []model.WeightedTargetGroup
	total    int
	carry    float64 // fraction of a request that is still to come
	current  []int   // smooth weighted round robin
}

// routes of a configuration in a stable order. A rule whose weights stayed keeps its
// place in the round robin, and every rule its fraction of a request.
func routes(c model.Config, before []*route) []*route {
	var out []*route
	for _, l := range c.Listeners {
		for _, r := range l.Rules {
			for _, a := range r.Actions {
				if a.Type != "forward" || a.Forward == nil {
					continue
				}
				n := &route{key: l.ARN + " " + r.ARN, balancer: l.LoadBalancerARN, protocol: l.Protocol, groups: a.Forward.TargetGroups}
				for _, g := range n.groups {
					n.total += g.Weight
				}
				n.current = make([]int, len(n.groups))
				if i := slices.IndexFunc(before, func(o *route) bool { return o.key == n.key }); i >= 0 {
					n.carry = before[i].carry
					if slices.Equal(before[i].groups, n.groups) {
						n.current = before[i].current
					}
				}
				out = append(out, n)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b *route) int { return cmp.Compare(a.key, b.key) })
	return out
}

// deal spreads n requests over the groups by weight: smooth weighted round robin,
// which after every total requests has given each group exactly its weight.
func (r *route) deal(n int) []int {
	out := make([]int, len(r.groups))
	for i, g := range r.groups {
		out[i] = n / r.total * g.Weight
	}
	for range n % r.total {
		best := -1
		for i, g := range r.groups {
			if g.Weight == 0 {
				continue
			}
			r.current[i] += g.Weight
			if best < 0 || r.current[i] > r.current[best] {
				best = i
			}
		}
		r.current[best] -= r.total
		out[best]++
	}
	return out
}
