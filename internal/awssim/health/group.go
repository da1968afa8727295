package health

import (
	"context"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/norikae/norikae/internal/awssim/albmetric"
	"github.com/norikae/norikae/internal/awssim/model"
)

// Group is a target group at work. It lives as long as the data plane, so that what is
// counted for its targets only grows; targets come and go. T is what the data plane
// keeps for each target.
type Group[T any] struct {
	arn     string
	checker *Checker
	events  Events[T]

	cursor  atomic.Uint64 // round robin
	routing atomic.Pointer[routing[T]]

	mu     sync.Mutex
	conf   model.TargetGroup
	known  map[string]*Target[T] // every target ever registered, by "ID:port"
	listed []*Target[T]          // registered or draining, in the configuration's order
	hosts  map[string]*Hosts     // by zone; "" is all
}

// Events of a group, each may be nil. They are called with the group locked: they must
// not call it, nor block.
type Events[T any] struct {
	// Unhealthy is called when a target has become so.
	Unhealthy func(*Target[T])
	// Removed is called when a target is no longer in the group: it was deregistered and
	// its time to drain is over.
	Removed func(*Target[T])
	// Resolve is where a target is; nil: its ID is its address.
	Resolve func(model.Target) string
}

// routing is where a group's requests may go now.
type routing[T any] struct {
	targets  []*Target[T]
	failOpen bool // too few are healthy, so health is ignored
}

// Target is one registered target.
type Target[T any] struct {
	Data T // the data plane's own

	key     string // "ID:port"
	addr    string
	target  model.Target
	resolve func(model.Target) string

	// What follows is guarded by Group.mu.
	listed   bool
	draining bool
	zone     string // "": not known
	state    string // initial | healthy | unhealthy
	reason   string
	detail   string
	passes   int // consecutive
	failures int
	stop     context.CancelFunc // ends its health checks; nil when there are none
}

// Key is "ID:port".
func (t *Target[T]) Key() string { return t.key }

// Addr is where the target can be reached, as host:port.
func (t *Target[T]) Addr() string {
	if t.resolve != nil {
		return t.resolve(t.target)
	}
	return t.addr
}

// Key of a target, which is unique in its group.
func Key(t model.Target) string { return t.ID + ":" + strconv.Itoa(t.Port) }

// NewGroup makes a group without targets.
func NewGroup[T any](arn string, c *Checker, e Events[T]) *Group[T] {
	return &Group[T]{arn: arn, checker: c, events: e, known: map[string]*Target[T]{}, hosts: map[string]*Hosts{"": {}}}
}

// ARN of the target group.
func (g *Group[T]) ARN() string { return g.arn }

// Next is the target for one request, round robin, and whether the group fails open;
// nil when no target is registered.
func (g *Group[T]) Next() (*Target[T], bool) { return g.choose(g.cursor.Add(1) - 1) }

// ByHash is the target for all requests with the same hash, as long as the targets that
// may get requests stay.
func (g *Group[T]) ByHash(hash uint64) (*Target[T], bool) { return g.choose(hash) }

func (g *Group[T]) choose(n uint64) (*Target[T], bool) {
	r := g.routing.Load()
	if r == nil || len(r.targets) == 0 {
		return nil, false
	}
	return r.targets[n%uint64(len(r.targets))], r.failOpen
}

// Targets are all that were ever registered, by "ID:port".
func (g *Group[T]) Targets() map[string]*Target[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.known)
}

// Apply makes conf the group's configuration: it starts and stops health checks and
// keeps what is known about targets that stay.
func (g *Group[T]) Apply(conf model.TargetGroup) {
	g.mu.Lock()
	defer g.mu.Unlock()
	restart := conf.HealthCheck != g.conf.HealthCheck || conf.Protocol != g.conf.Protocol
	checked := conf.InUse && conf.HealthCheck.Enabled
	g.conf = conf
	before := g.listed
	g.list(conf.Targets)
	for _, t := range before {
		if !t.listed {
			t.endChecks()
			t.reset()
			if g.events.Removed != nil {
				g.events.Removed(t)
			}
		}
	}
	for _, t := range g.listed {
		wanted := checked && !t.draining
		if t.stop != nil && (restart || !wanted) {
			t.endChecks()
		}
		if !conf.InUse {
			t.reset()
		}
		if t.stop == nil && wanted {
			g.startChecks(t)
		}
	}
	g.reroute()
}

// list makes targets the ones that are registered or draining; g.mu is held.
func (g *Group[T]) list(targets []model.Target) {
	for _, t := range g.listed {
		t.listed = false
	}
	g.listed = nil
	for _, mt := range targets {
		t := g.known[Key(mt)]
		if t == nil {
			t = &Target[T]{key: Key(mt), addr: net.JoinHostPort(mt.ID, strconv.Itoa(mt.Port)), target: mt, resolve: g.events.Resolve}
			t.reset()
			g.known[t.key] = t
		}
		if t.draining && mt.DrainingSince.IsZero() {
			t.reset() // registered again
		}
		t.listed, t.draining, t.zone = true, !mt.DrainingSince.IsZero(), mt.AZ
		g.listed = append(g.listed, t)
	}
}

func (t *Target[T]) reset() {
	t.passes, t.failures = 0, 0
	t.state, t.reason, t.detail = "initial", "Elb.RegistrationInProgress", "Target registration is in progress"
}

func (t *Target[T]) endChecks() {
	if t.stop != nil {
		t.stop()
		t.stop = nil
	}
}

// startChecks checks t at once and then at every interval; g.mu is held.
func (g *Group[T]) startChecks(t *Target[T]) {
	ctx, cancel := context.WithCancel(context.Background()) //nolint:gosec // G118: endChecks calls it
	t.stop = cancel
	conf := g.conf
	g.checker.wg.Go(func() {
		interval := conf.HealthCheck.Interval
		if interval <= 0 {
			interval = 30 * time.Second // AWS's default
		}
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			g.record(ctx, t, g.checker.check(ctx, conf, t.Addr()))
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// record counts a result. A new target needs one pass; later, the thresholds decide.
func (g *Group[T]) record(ctx context.Context, t *Target[T], r result) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ctx.Err() != nil {
		return // stopped while it was checking
	}
	hc := g.conf.HealthCheck
	before := t.state
	if r.reason == "" {
		t.passes, t.failures = t.passes+1, 0
		if t.state == "initial" || t.passes >= hc.HealthyThreshold {
			t.state, t.reason, t.detail = "healthy", "", ""
		}
	} else {
		t.passes, t.failures = 0, t.failures+1
		switch {
		case t.state == "unhealthy" || t.failures >= hc.UnhealthyThreshold:
			t.state, t.reason, t.detail = "unhealthy", r.reason, r.detail
		case t.state == "initial":
			t.reason, t.detail = "Elb.InitialHealthChecking", "Initial health checks in progress"
		}
	}
	g.reroute()
	if t.state == "unhealthy" && before != "unhealthy" && g.events.Unhealthy != nil {
		g.events.Unhealthy(t)
	}
}

// reroute recomputes where requests go; g.mu is held.
func (g *Group[T]) reroute() {
	var registered, healthy []*Target[T]
	for _, t := range g.listed {
		if t.draining {
			continue
		}
		registered = append(registered, t)
		if t.state == "healthy" || !g.conf.HealthCheck.Enabled {
			healthy = append(healthy, t)
		}
	}
	r := &routing[T]{targets: healthy}
	if len(healthy) < g.minimumHealthy() {
		r.targets, r.failOpen = registered, len(registered) > 0
	}
	g.routing.Store(r)
	g.sampleHosts()
}

// minimumHealthy is the number of healthy targets below which the group fails open.
func (g *Group[T]) minimumHealthy() int {
	n, err := strconv.Atoi(g.conf.Attributes["target_group_health.unhealthy_state_routing.minimum_healthy_targets.count"])
	if err != nil || n < 1 {
		return 1 // AWS's default, also for "off"
	}
	return n
}

// Hosts are the host counts of a period: a sample after each health check and at both
// ends, so that a target that was lost for a moment shows in Minimum.
type Hosts struct {
	Zone               string // "": all zones, and targets without one
	Healthy, Unhealthy albmetric.Statistics
}

// sampleHosts counts the targets; g.mu is held. Targets that are initial, draining or
// unused are neither healthy nor unhealthy.
func (g *Group[T]) sampleHosts() {
	type counts struct{ healthy, unhealthy float64 }
	now := map[string]counts{"": {}}
	for _, t := range g.listed {
		for _, zone := range slices.Compact([]string{"", t.zone}) {
			n := now[zone]
			switch {
			case t.draining:
			case t.state == "healthy":
				n.healthy++
			case t.state == "unhealthy":
				n.unhealthy++
			}
			now[zone] = n
		}
	}
	for zone, n := range now {
		h := g.hosts[zone]
		if h == nil {
			h = &Hosts{Zone: zone}
			g.hosts[zone] = h
		}
		h.Healthy.Merge(albmetric.Of(n.healthy))
		h.Unhealthy.Merge(albmetric.Of(n.unhealthy))
	}
}

// TakeHosts ends a period and returns its host counts: of all zones, and then of each
// zone that targets were in, by name. There are none when the targets are not checked.
func (g *Group[T]) TakeHosts() []Hosts {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sampleHosts()
	var out []Hosts
	for _, zone := range slices.Sorted(maps.Keys(g.hosts)) {
		out = append(out, *g.hosts[zone])
	}
	g.hosts = map[string]*Hosts{}
	g.sampleHosts() // the next period begins as this one ends
	if !g.conf.HealthCheck.Enabled || !g.conf.InUse {
		return nil
	}
	return out
}

// Health of one target, in the words of DescribeTargetHealth.
func (g *Group[T]) Health(mt model.Target) model.TargetHealth {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.known[Key(mt)]
	switch {
	case t == nil || !t.listed:
		return model.TargetHealth{State: "unused", Reason: "Target.NotRegistered", Description: "Target is not registered to the target group"}
	case t.draining:
		return model.TargetHealth{State: "draining", Reason: "Target.DeregistrationInProgress", Description: "Target deregistration is in progress"}
	case !g.conf.InUse:
		return model.TargetHealth{State: "unused", Reason: "Target.NotInUse", Description: "Target group is not configured to receive traffic from the load balancer"}
	case !g.conf.HealthCheck.Enabled:
		return model.TargetHealth{State: "unavailable", Reason: "Target.HealthCheckDisabled", Description: "Health checks are disabled for this target group"}
	}
	return model.TargetHealth{State: t.state, Reason: t.reason, Description: t.detail}
}

// Close ends all health checks; Checker.Wait waits for them.
func (g *Group[T]) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.listed {
		t.endChecks()
	}
}
