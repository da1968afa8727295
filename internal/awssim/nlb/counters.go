package nlb

import "sync/atomic"

// Counters is a snapshot of what the load balancers did since New. Every number is
// exact and, Active aside, only grows; what is not configured any more stays in.
type Counters struct {
	Listeners    map[string]FlowCounters        // by listener ARN
	TargetGroups map[string]TargetGroupCounters // by target group ARN
}

// TargetGroupCounters sum up a group's targets.
type TargetGroupCounters struct {
	FlowCounters

	Targets map[string]FlowCounters // by "ID:port"
}

// FlowCounters count TCP connections and UDP flows, of a listener or of the target that
// was chosen for them. Health checks are not counted. When nothing is just beginning or
// ending,
//
//	Accepted = Refused + Lost + Failed + Established
//	Established = Active + Finished + ClientResets + TargetResets + Cut + Idle
type FlowCounters struct {
	Accepted    uint64
	Refused     uint64 // no target to send it to: of listeners only
	Lost        uint64 // see SetLose
	Failed      uint64 // no connection to the target came about
	Established uint64

	Active       int64
	Finished     uint64 // both sides have sent everything
	ClientResets uint64 // the client reset it
	TargetResets uint64 // the target reset it
	Cut          uint64 // the load balancer did: unhealthy target, end of deregistration, listener gone
	Idle         uint64 // the idle timeout ended it, as it does every UDP flow

	BytesUp   uint64 // of payload, from clients
	BytesDown uint64 // of payload, from targets
}

func (c *FlowCounters) add(o FlowCounters) {
	c.Accepted += o.Accepted
	c.Refused += o.Refused
	c.Lost += o.Lost
	c.Failed += o.Failed
	c.Established += o.Established
	c.Active += o.Active
	c.Finished += o.Finished
	c.ClientResets += o.ClientResets
	c.TargetResets += o.TargetResets
	c.Cut += o.Cut
	c.Idle += o.Idle
	c.BytesUp += o.BytesUp
	c.BytesDown += o.BytesDown
}

// cause of the end of a connection or flow.
type cause int

const (
	finished cause = iota
	clientReset
	targetReset
	wasCut
	idled
	causes // how many there are
)

type flowCounts struct {
	accepted, refused, lost, failed, established atomic.Uint64
	active                                       atomic.Int64
	up, down                                     atomic.Uint64
	ended                                        [causes]atomic.Uint64
}

func (c *flowCounts) end(why cause) { c.ended[why].Add(1) }

// passed counts n bytes in one direction.
func (c *flowCounts) passed(up bool, n int) {
	if up {
		c.up.Add(uint64(max(n, 0)))
	} else {
		c.down.Add(uint64(max(n, 0)))
	}
}

func (c *flowCounts) snapshot() FlowCounters {
	return FlowCounters{
		Accepted: c.accepted.Load(), Refused: c.refused.Load(), Lost: c.lost.Load(), Failed: c.failed.Load(),
		Established: c.established.Load(), Active: c.active.Load(), Finished: c.ended[finished].Load(),
		ClientResets: c.ended[clientReset].Load(), TargetResets: c.ended[targetReset].Load(),
		Cut: c.ended[wasCut].Load(), Idle: c.ended[idled].Load(), BytesUp: c.up.Load(), BytesDown: c.down.Load(),
	}
}

// targetData is what the data plane keeps for each target.
type targetData struct {
	counts flowCounts
	live   live
}

// Counters returns a snapshot. Numbers of one connection may be seen in one place and
// not yet in another while it begins or ends.
func (p *DataPlane) Counters() Counters {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := Counters{Listeners: map[string]FlowCounters{}, TargetGroups: map[string]TargetGroupCounters{}}
	for arn, c := range p.listenerCounts {
		out.Listeners[arn] = c.snapshot()
	}
	for arn, g := range p.groups {
		sum := TargetGroupCounters{Targets: map[string]FlowCounters{}}
		for key, t := range g.Targets() {
			c := t.Data.counts.snapshot()
			sum.add(c)
			sum.Targets[key] = c
		}
		out.TargetGroups[arn] = sum
	}
	return out
}

// SetLose is a fault: the next n connections and UDP flows for which there is a target
// are accepted and counted, also in the metrics, but dropped: a connection is reset, a
// flow's first packet vanishes. It replaces what is left of an earlier call.
func (p *DataPlane) SetLose(n int64) { p.lose.Store(n) }

// takeLose says whether this connection or flow is one to lose.
func (p *DataPlane) takeLose() bool {
	for {
		n := p.lose.Load()
		if n <= 0 {
			return false
		}
		if p.lose.CompareAndSwap(n, n-1) {
			return true
		}
	}
}
