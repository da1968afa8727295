package alb

import (
	"context"
	"maps"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/norikae/norikae/internal/awssim/model"
)

// group is a target group at work. It lives as long as the data plane, so that its
// counters only grow; targets come and go.
type group struct {
	arn    string
	checks *http.Client
	dial   dialFunc
	wg     *sync.WaitGroup // of the health checks

	cursor  atomic.Uint64 // round robin
	routing atomic.Pointer[routing]

	mu     sync.Mutex
	conf   model.TargetGroup
	known  map[string]*target // every target ever registered, by "ID:port"
	listed []*target          // registered or draining, in the configuration's order
	hosts  hostGauge
}

// routing is where a group's requests may go now.
type routing struct {
	targets  []*target
	failOpen bool // too few are healthy, so health is ignored
}

// target is one registered target. Fields below counts are guarded by group.mu.
type target struct {
	key    string // "ID:port"
	addr   string
	counts targetCounts

	listed   bool
	draining bool
	state    string // initial | healthy | unhealthy
	reason   string
	detail   string
	passes   int // consecutive
	failures int
	stop     context.CancelFunc // ends its health checks; nil when there are none
}

func targetKey(t model.Target) string { return t.ID + ":" + strconv.Itoa(t.Port) }

// next is the target for one request, round robin, and whether the group fails open;
// nil when no target is registered.
func (g *group) next() (*target, bool) {
	r := g.routing.Load()
	if r == nil || len(r.targets) == 0 {
		return nil, false
	}
	n := g.cursor.Add(1) - 1
	return r.targets[n%uint64(len(r.targets))], r.failOpen
}

func (g *group) allTargets() map[string]*target {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.known)
}

// apply makes conf the group's configuration: it starts and stops health checks and
// keeps what is known about targets that stay.
func (g *group) apply(conf model.TargetGroup) {
	g.mu.Lock()
	defer g.mu.Unlock()
	restart := conf.HealthCheck != g.conf.HealthCheck || conf.Protocol != g.conf.Protocol
	checked := conf.InUse && conf.HealthCheck.Enabled
	g.conf = conf
	before := g.listed
	g.listed = nil
	for _, t := range before {
		t.listed = false
	}
	for _, mt := range conf.Targets {
		t := g.known[targetKey(mt)]
		if t == nil {
			t = &target{key: targetKey(mt), addr: net.JoinHostPort(mt.ID, strconv.Itoa(mt.Port))}
			t.reset()
			g.known[t.key] = t
		}
		if t.draining && mt.DrainingSince.IsZero() {
			t.reset() // registered again
		}
		t.listed, t.draining = true, !mt.DrainingSince.IsZero()
		g.listed = append(g.listed, t)
	}
	for _, t := range before {
		if !t.listed {
			t.endChecks()
			t.reset()
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

func (t *target) reset() {
	t.passes, t.failures = 0, 0
	t.state, t.reason, t.detail = "initial", "Elb.RegistrationInProgress", "Target registration is in progress"
}

func (t *target) endChecks() {
	if t.stop != nil {
		t.stop()
		t.stop = nil
	}
}

// reroute recomputes where requests go; g.mu is held.
func (g *group) reroute() {
	var registered, healthy []*target
	for _, t := range g.listed {
		if t.draining {
			continue
		}
		registered = append(registered, t)
		if t.state == "healthy" || !g.conf.HealthCheck.Enabled {
			healthy = append(healthy, t)
		}
	}
	r := &routing{targets: healthy}
	if len(healthy) < g.minimumHealthy() {
		r.targets, r.failOpen = registered, len(registered) > 0
	}
	g.routing.Store(r)
	g.hosts.sample(g.hostCounts())
}

// minimumHealthy is the number of healthy targets below which the group fails open.
func (g *group) minimumHealthy() int {
	n, err := strconv.Atoi(g.conf.Attributes["target_group_health.unhealthy_state_routing.minimum_healthy_targets.count"])
	if err != nil || n < 1 {
		return 1 // AWS's default, also for "off"
	}
	return n
}

// hostCounts are the healthy and the unhealthy targets; g.mu is held. Targets that
// are initial, draining or unused are neither.
func (g *group) hostCounts() (healthy, unhealthy int) {
	for _, t := range g.listed {
		switch {
		case t.draining:
		case t.state == "healthy":
			healthy++
		case t.state == "unhealthy":
			unhealthy++
		}
	}
	return healthy, unhealthy
}

// health of one target, in the words of DescribeTargetHealth.
func (g *group) health(mt model.Target) model.TargetHealth {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.known[targetKey(mt)]
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

// close ends all health checks.
func (g *group) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.listed {
		t.endChecks()
	}
}
