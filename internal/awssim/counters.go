package awssim

import (
	"cmp"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/alb"
)

// Counters of a lab's traffic since it began, or since the last reset. When no request
// is under way, a listener's Received = Answered + Lost + Aborted, a target group's
// Sent - ConnectionErrors is what its targets counted, and Lost never reached one.
type Counters struct {
	Listeners    []ListenerCounters    `json:"listeners"`
	TargetGroups []TargetGroupCounters `json:"targetGroups"`
	Clusters     []ClusterCounters     `json:"clusters"`
}

// ListenerCounters count the requests of one listener, by the load balancer's count.
type ListenerCounters struct {
	ARN      string `json:"arn"`
	Received uint64 `json:"received"` // header read
	Answered uint64 `json:"answered"` // whole, by a target or by the load balancer
	Lost     uint64 `json:"lost"`     // accepted and never forwarded, by the fault of that name
	Aborted  uint64 `json:"aborted"`  // the client or the target went away before the end
}

// TargetGroupCounters count the requests for which a target was chosen, by the load
// balancer's count.
type TargetGroupCounters struct {
	ARN              string `json:"arn"`
	Name             string `json:"name"`
	Sent             uint64 `json:"sent"`             // handed to a target's connection
	ConnectionErrors uint64 `json:"connectionErrors"` // part of Sent: no connection came about
	Lost             uint64 `json:"lost"`
	InFlight         int64  `json:"inFlight"` // now
}

// ClusterCounters count the requests that reached a toy cluster, by its own count.
type ClusterCounters struct {
	Name     string           `json:"name"`
	Requests uint64           `json:"requests"` // health checks left out
	Failed   uint64           `json:"failed"`   // part of Requests: answered 500 by a fault
	Targets  []TargetCounters `json:"targets"`
}

// TargetCounters of one target of a toy cluster.
type TargetCounters struct {
	Addr     string `json:"addr"`
	Requests uint64 `json:"requests"`
	Failed   uint64 `json:"failed"`
}

// Counters returns what was counted since the last reset.
func (l *Lab) Counters() Counters {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counted().minus(l.baseline)
}

// ResetCounters makes Counters count from here.
func (l *Lab) ResetCounters() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.baseline = l.counted()
}

// counted is everything since the lab began.
func (l *Lab) counted() Counters {
	out := Counters{Listeners: []ListenerCounters{}, TargetGroups: []TargetGroupCounters{}, Clusters: []ClusterCounters{}}
	var balancers alb.Counters
	if l.plane.alb != nil {
		balancers = l.plane.alb.Counters()
	}
	for arn, c := range balancers.Listeners {
		out.Listeners = append(out.Listeners, ListenerCounters{arn, c.Received, c.Answered, c.Lost, c.Aborted})
	}
	for arn, c := range balancers.TargetGroups {
		out.TargetGroups = append(out.TargetGroups, TargetGroupCounters{
			arn, nameOf(arn), c.Sent, c.ConnectionErrors, c.Lost, c.InFlight,
		})
	}
	slices.SortFunc(out.Listeners, func(a, b ListenerCounters) int { return cmp.Compare(a.ARN, b.ARN) })
	slices.SortFunc(out.TargetGroups, func(a, b TargetGroupCounters) int { return cmp.Compare(a.ARN, b.ARN) })
	if l.world == nil {
		return out
	}
	for _, c := range l.world.clusters {
		sum := ClusterCounters{Name: c.Name()}
		for _, t := range c.Counters().Targets {
			sum.Requests += t.Requests
			sum.Failed += t.Failed
			sum.Targets = append(sum.Targets, TargetCounters{t.Addr, t.Requests, t.Failed})
		}
		out.Clusters = append(out.Clusters, sum)
	}
	return out
}

// nameOf is the name in a target group's ARN.
func nameOf(arn string) string {
	_, rest, _ := strings.Cut(arn, ":targetgroup/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// minus takes an earlier count off c. What the earlier one does not have counts whole.
func (c Counters) minus(b Counters) Counters {
	for i, x := range c.Listeners {
		if j := slices.IndexFunc(b.Listeners, func(y ListenerCounters) bool { return y.ARN == x.ARN }); j >= 0 {
			y := b.Listeners[j]
			c.Listeners[i] = ListenerCounters{x.ARN, x.Received - y.Received, x.Answered - y.Answered, x.Lost - y.Lost, x.Aborted - y.Aborted}
		}
	}
	for i, x := range c.TargetGroups {
		if j := slices.IndexFunc(b.TargetGroups, func(y TargetGroupCounters) bool { return y.ARN == x.ARN }); j >= 0 {
			y := b.TargetGroups[j]
			c.TargetGroups[i] = TargetGroupCounters{
				x.ARN, x.Name, x.Sent - y.Sent, x.ConnectionErrors - y.ConnectionErrors, x.Lost - y.Lost, x.InFlight,
			}
		}
	}
	for i, x := range c.Clusters {
		if i >= len(b.Clusters) { // both are in the order of the world
			break
		}
		c.Clusters[i].Requests -= b.Clusters[i].Requests
		c.Clusters[i].Failed -= b.Clusters[i].Failed
		for j := range x.Targets {
			x.Targets[j].Requests -= b.Clusters[i].Targets[j].Requests
			x.Targets[j].Failed -= b.Clusters[i].Targets[j].Failed
		}
	}
	return c
}
