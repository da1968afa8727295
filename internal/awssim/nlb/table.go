package nlb

import (
	"net/netip"
	"time"

	"github.com/norikae/norikae/internal/awssim/chance"
	"github.com/norikae/norikae/internal/awssim/model"
)

// table is what a listener does with new connections and flows, compiled from one
// model.Config. It is immutable; a listener swaps it whole.
type table struct {
	balancer *balancer
	idle     time.Duration // of TCP
	rules    []rule
}

// rule forwards the clients of one address family, or all.
type rule struct {
	family  string // ipv4 | ipv6; "": both
	forward *forward
}

// forward spreads connections and flows over groups by weight.
type forward struct {
	groups  []*group
	weights chance.Weights
	sticky  bool // a client's address stays with its group
}

// index of a group in the action, -1 when it is not there or gets nothing new.
func (f *forward) index(arn string) int {
	for i, g := range f.groups {
		if g.ARN() == arn && f.weights.Of(i) > 0 {
			return i
		}
	}
	return -1
}

// compile is called with p.mu held.
func (p *DataPlane) compile(l model.Listener) *table {
	t := &table{balancer: p.balancer(l.LoadBalancerARN), idle: idleTimeout(l)}
	for _, r := range l.Rules {
		out := rule{}
		for _, c := range r.Conditions {
			out.family = c.IPAddressType
		}
		for _, a := range r.Actions {
			if a.Type != "forward" || a.Forward == nil {
				continue
			}
			out.forward = &forward{sticky: a.Forward.Stickiness != nil && a.Forward.Stickiness.Enabled}
			for _, w := range a.Forward.TargetGroups {
				out.forward.groups = append(out.forward.groups, p.group(w.ARN, ""))
				out.forward.weights.Add(w.Weight)
				p.behind[w.ARN] = t.balancer
			}
		}
		if out.forward != nil {
			t.rules = append(t.rules, out)
		}
	}
	return t
}

// match is the action for a client, nil when there is none.
func (t *table) match(client netip.Addr) *forward {
	family := "ipv6"
	if client.Unmap().Is4() {
		family = "ipv4"
	}
	for _, r := range t.rules {
		if r.family == "" || r.family == family {
			return r.forward
		}
	}
	return nil
}

// choice is where a new connection or flow goes. target is nil when there is none: the
// weights sum to 0, or the group that was picked has no targets.
type choice struct {
	balancer *balancer
	target   *target
	failOpen bool
}

// choose picks a group by weight, then a target in it.
func (l *listener) choose(client netip.Addr) choice {
	t := l.table.Load()
	c := choice{balancer: t.balancer}
	f := t.match(client)
	if f == nil {
		return c
	}
	i := -1
	if f.sticky {
		i = f.index(l.clients.group(client))
	}
	if i < 0 {
		if i = f.weights.Pick(l.plane.random.Next()); i < 0 {
			return c
		}
		if f.sticky {
			l.clients.remember(client, f.groups[i].ARN())
		}
	}
	g := f.groups[i]
	if g.settings.Load().sticky {
		c.target, c.failOpen = g.ByHash(chance.Hash(client.String()))
	} else {
		c.target, c.failOpen = g.Next()
	}
	return c
}
