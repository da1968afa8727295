package synth

import (
	"math"
	"slices"
	"time"

	"github.com/norikae/norikae/internal/awssim/albmetric"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/nlbmetric"
)

const (
	// flowLife is how long a flow is active.
	flowLife = 5 * time.Second
	// bytesPerFlow to and from the target.
	bytesPerFlow = 4096
)

// routeFlows deals n new flows of a network load balancer's rule out.
func (p *DataPlane) routeFlows(r *route, n int) {
	udp := 0
	switch r.protocol {
	case "UDP":
		udp = n
	case "TCP_UDP":
		udp = n / 2
	}
	b := p.book(r.balancer)
	p.dealFlows(b, r, "UDP", udp)
	if r.protocol == "TLS" {
		p.dealFlows(b, r, "TLS", n)
	} else {
		p.dealFlows(b, r, "TCP", n-udp)
	}
}

func (p *DataPlane) dealFlows(b *book, r *route, protocol string, n int) {
	tcp := protocol != "UDP"
	if r.total == 0 {
		if tcp {
			b.flows.ELBResets += int64(n)
		}
		return
	}
	for i, m := range r.deal(n) {
		arn := r.groups[i].ARN
		g := p.config.TargetGroups[arn]
		if !registered(g) {
			if tcp {
				b.flows.ELBResets += int64(m)
			}
			continue
		}
		refused, reset, _, errors, _ := b.tally(arn, p.phase(g.Name)).faults(m, p.behaves[g.Name])
		f := b.flows.Of(protocol)
		f.New += int64(m)
		f.Bytes += bytesPerFlow * int64(m)
		if tcp {
			b.flows.TargetResets += int64(reset + errors)
			b.flows.ELBResets += int64(refused)
		}
		if p.failsOpen(g) {
			b.flows.UnhealthyRouting += int64(m)
		}
	}
}

// failsOpen says that no target of a group that is checked is healthy.
func (p *DataPlane) failsOpen(g model.TargetGroup) bool {
	return g.HealthCheck.Enabled && !slices.ContainsFunc(g.Targets, func(t model.Target) bool {
		return p.health(g.ARN, t, p.clock).State == "healthy"
	})
}

// reportFlows closes a network load balancer's period.
func (p *DataPlane) reportFlows(balancer string, b *book, start, end time.Time) []model.Datum {
	var zones []string
	for _, lb := range p.config.LoadBalancers {
		if lb.ARN == balancer {
			zones = lb.Zones
		}
	}
	for _, protocol := range []string{"TCP", "TLS", "UDP"} {
		f := b.flows.Of(protocol)
		f.Active = int64(math.Round(float64(f.New) * flowLife.Seconds() / p.cfg.Period.Seconds()))
	}
	out := nlbmetric.Report(start, balancer, zones, b.flows)
	b.flows = nlbmetric.Tally{}
	for _, group := range p.groups(balancer, b) {
		if !p.reportsHosts(balancer, group) {
			continue
		}
		for _, zone := range append([]string{""}, targetZones(p.config.TargetGroups[group])...) {
			healthy, unhealthy := p.countHosts(group, zone, end)
			out = append(out, nlbmetric.Hosts(start, balancer, group, zone, albmetric.Of(healthy), albmetric.Of(unhealthy))...)
		}
	}
	return out
}

// targetZones of a group's targets, sorted. Targets without a zone count in none.
func targetZones(g model.TargetGroup) []string {
	var out []string
	for _, t := range g.Targets {
		if t.AZ != "" && !slices.Contains(out, t.AZ) {
			out = append(out, t.AZ)
		}
	}
	slices.Sort(out)
	return out
}
