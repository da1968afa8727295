package awssim

import (
	"cmp"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/alb"
	"github.com/norikae/norikae/internal/awssim/nlb"
)

// Counters of a lab's traffic since it began, or since the last reset. When no request
// is under way, a listener's Received = Answered + Lost + Aborted, a target group's
// Sent - ConnectionErrors is what its targets counted, and Lost never reached one. Of
// flows, Accepted = Refused + Lost + Failed + Established, and when none was active at
// the last reset, Established = Active + Finished + Resets + Cut + Idle.
type Counters struct {
	Listeners    []ListenerCounters    `json:"listeners"`
	TargetGroups []TargetGroupCounters `json:"targetGroups"`
	Clusters     []ClusterCounters     `json:"clusters"`
	Flows        FlowCounters          `json:"flows"`
	DNS          DNSCounters           `json:"dns"`
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

// FlowCounters count the TCP connections and UDP flows of network load balancers, by
// their own count.
type FlowCounters struct {
	Listeners    []FlowCount `json:"listeners"`
	TargetGroups []FlowCount `json:"targetGroups"` // for which a target was chosen
}

// FlowCount of one listener or one target group.
type FlowCount struct {
	ARN         string `json:"arn"`
	Name        string `json:"name,omitempty"` // of a target group
	Accepted    uint64 `json:"accepted"`
	Refused     uint64 `json:"refused"` // there was no target; of listeners only
	Lost        uint64 `json:"lost"`    // by the fault of that name
	Failed      uint64 `json:"failed"`  // no connection to the target came about
	Established uint64 `json:"established"`
	Active      int64  `json:"active"`    // now
	Finished    uint64 `json:"finished"`  // both sides were done
	Resets      uint64 `json:"resets"`    // by the client or by the target
	Cut         uint64 `json:"cut"`       // by the load balancer
	Idle        uint64 `json:"idle"`      // by the idle timeout, as every UDP flow ends
	BytesUp     uint64 `json:"bytesUp"`   // of payload, from clients
	BytesDown   uint64 `json:"bytesDown"` // of payload, from targets
}

// DNSCounters count the questions to the lab's name server.
type DNSCounters struct {
	Asked    []DNSCount `json:"asked"`
	Answered []DNSCount `json:"answered"` // by the record set that an answer was taken from
}

// DNSCount of one question, or of one record set.
type DNSCount struct {
	Name          string `json:"name"` // such as www.example.com.
	Type          string `json:"type"`
	SetIdentifier string `json:"setIdentifier,omitempty"`
	Count         uint64 `json:"count"`
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
	out := Counters{
		Listeners: []ListenerCounters{}, TargetGroups: []TargetGroupCounters{}, Clusters: []ClusterCounters{},
		Flows: l.countedFlows(), DNS: l.countedDNS(),
	}
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

func (l *Lab) countedFlows() FlowCounters {
	out := FlowCounters{Listeners: []FlowCount{}, TargetGroups: []FlowCount{}}
	if l.plane.nlb == nil {
		return out
	}
	counts := l.plane.nlb.Counters()
	for arn, c := range counts.Listeners {
		out.Listeners = append(out.Listeners, flowCount(arn, c))
	}
	for arn, c := range counts.TargetGroups {
		out.TargetGroups = append(out.TargetGroups, flowCount(arn, c.FlowCounters))
	}
	for _, list := range [][]FlowCount{out.Listeners, out.TargetGroups} {
		slices.SortFunc(list, func(a, b FlowCount) int { return cmp.Compare(a.ARN, b.ARN) })
	}
	return out
}

func flowCount(arn string, c nlb.FlowCounters) FlowCount {
	return FlowCount{
		ARN: arn, Name: nameOf(arn), Accepted: c.Accepted, Refused: c.Refused, Lost: c.Lost, Failed: c.Failed, Established: c.Established,
		Active: c.Active, Finished: c.Finished, Resets: c.ClientResets + c.TargetResets, Cut: c.Cut, Idle: c.Idle,
		BytesUp: c.BytesUp, BytesDown: c.BytesDown,
	}
}

func (l *Lab) countedDNS() DNSCounters {
	out := DNSCounters{Asked: []DNSCount{}, Answered: []DNSCount{}}
	if l.dns == nil {
		return out
	}
	for q, n := range l.dns.Asked() {
		out.Asked = append(out.Asked, DNSCount{Name: q.Name, Type: q.Type, Count: uint64(n)}) //nolint:gosec // a count
	}
	for c, n := range l.dns.Answered() {
		out.Answered = append(out.Answered, DNSCount{Name: c.Name, Type: c.Type, SetIdentifier: c.SetIdentifier, Count: uint64(n)}) //nolint:gosec // a count
	}
	for _, list := range [][]DNSCount{out.Asked, out.Answered} {
		slices.SortFunc(list, func(a, b DNSCount) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type), cmp.Compare(a.SetIdentifier, b.SetIdentifier))
		})
	}
	return out
}

// nameOf is the name in a target group's ARN; "" for other ARNs.
func nameOf(arn string) string {
	_, rest, _ := strings.Cut(arn, ":targetgroup/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// subtract takes earlier counts off those of the same thing. What the earlier ones do not
// have counts whole.
func subtract[T any](now, before []T, same func(a, b T) bool, take func(a *T, b T)) {
	for i := range now {
		if j := slices.IndexFunc(before, func(b T) bool { return same(now[i], b) }); j >= 0 {
			take(&now[i], before[j])
		}
	}
}

// minus takes an earlier count off c.
func (c Counters) minus(b Counters) Counters {
	subtract(c.Listeners, b.Listeners, func(x, y ListenerCounters) bool { return x.ARN == y.ARN }, func(x *ListenerCounters, y ListenerCounters) {
		*x = ListenerCounters{x.ARN, x.Received - y.Received, x.Answered - y.Answered, x.Lost - y.Lost, x.Aborted - y.Aborted}
	})
	subtract(c.TargetGroups, b.TargetGroups, func(x, y TargetGroupCounters) bool { return x.ARN == y.ARN }, func(x *TargetGroupCounters, y TargetGroupCounters) {
		*x = TargetGroupCounters{x.ARN, x.Name, x.Sent - y.Sent, x.ConnectionErrors - y.ConnectionErrors, x.Lost - y.Lost, x.InFlight}
	})
	subtract(c.Clusters, b.Clusters, func(x, y ClusterCounters) bool { return x.Name == y.Name }, func(x *ClusterCounters, y ClusterCounters) {
		x.Requests -= y.Requests
		x.Failed -= y.Failed
		subtract(x.Targets, y.Targets, func(x, y TargetCounters) bool { return x.Addr == y.Addr }, func(x *TargetCounters, y TargetCounters) {
			x.Requests -= y.Requests
			x.Failed -= y.Failed
		})
	})
	sameFlow := func(x, y FlowCount) bool { return x.ARN == y.ARN }
	subtract(c.Flows.Listeners, b.Flows.Listeners, sameFlow, (*FlowCount).take)
	subtract(c.Flows.TargetGroups, b.Flows.TargetGroups, sameFlow, (*FlowCount).take)
	sameRecord := func(x, y DNSCount) bool {
		return x.Name == y.Name && x.Type == y.Type && x.SetIdentifier == y.SetIdentifier
	}
	subtract(c.DNS.Asked, b.DNS.Asked, sameRecord, func(x *DNSCount, y DNSCount) { x.Count -= y.Count })
	subtract(c.DNS.Answered, b.DNS.Answered, sameRecord, func(x *DNSCount, y DNSCount) { x.Count -= y.Count })
	return c
}

// take an earlier count off c; what is active now stays.
func (c *FlowCount) take(b FlowCount) {
	c.Accepted -= b.Accepted
	c.Refused -= b.Refused
	c.Lost -= b.Lost
	c.Failed -= b.Failed
	c.Established -= b.Established
	c.Finished -= b.Finished
	c.Resets -= b.Resets
	c.Cut -= b.Cut
	c.Idle -= b.Idle
	c.BytesUp -= b.BytesUp
	c.BytesDown -= b.BytesDown
}
