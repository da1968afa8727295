package alb

import "sync/atomic"

// Counters is a snapshot of what the load balancers did since New. Every number is
// exact and only grows; what is not configured any more stays in.
type Counters struct {
	Listeners    map[string]ListenerCounters    // by listener ARN
	TargetGroups map[string]TargetGroupCounters // by target group ARN
}

// ListenerCounters count requests of one listener. When no request is under way,
// Received = Answered + Lost + Aborted.
type ListenerCounters struct {
	Received uint64 // requests whose header was read
	Answered uint64 // answered whole, by a target or by the load balancer
	Lost     uint64 // see SetLose
	Aborted  uint64 // the client or the target went away before the end of the answer
}

// TargetGroupCounters sum up a group's targets.
type TargetGroupCounters struct {
	TargetCounters
	Targets map[string]TargetCounters // by "ID:port"
}

// TargetCounters count requests for which a target was chosen: Sent + Lost. Health
// checks are not counted.
type TargetCounters struct {
	Sent             uint64 // handed to the target's connection, each exactly once
	ConnectionErrors uint64 // part of Sent: no connection came about, so the target never saw them
	Lost             uint64 // see SetLose
	InFlight         int64  // sent, answer not yet complete
}

type listenerCounts struct{ received, answered, lost, aborted atomic.Uint64 }

type targetCounts struct {
	sent, connectionErrors, lost atomic.Uint64
	inFlight                     atomic.Int64
}

func (c *targetCounts) snapshot() TargetCounters {
	return TargetCounters{
		Sent: c.sent.Load(), ConnectionErrors: c.connectionErrors.Load(), Lost: c.lost.Load(), InFlight: c.inFlight.Load(),
	}
}

// Counters returns a snapshot. Numbers of one request may be seen in one place and
// not yet in another while it is under way.
func (p *DataPlane) Counters() Counters {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := Counters{Listeners: map[string]ListenerCounters{}, TargetGroups: map[string]TargetGroupCounters{}}
	for arn, c := range p.listenerCounts {
		out.Listeners[arn] = ListenerCounters{
			Received: c.received.Load(), Answered: c.answered.Load(), Lost: c.lost.Load(), Aborted: c.aborted.Load(),
		}
	}
	for arn, g := range p.groups {
		sum := TargetGroupCounters{Targets: map[string]TargetCounters{}}
		for key, t := range g.Targets() {
			c := t.Data.snapshot()
			sum.Sent += c.Sent
			sum.ConnectionErrors += c.ConnectionErrors
			sum.Lost += c.Lost
			sum.InFlight += c.InFlight
			sum.Targets[key] = c
		}
		out.TargetGroups[arn] = sum
	}
	return out
}

// SetLose is a fault: the next n requests that are to be forwarded are accepted and
// counted, also in the metrics, but never sent; the client's connection is closed
// without an answer. It replaces what is left of an earlier call.
func (p *DataPlane) SetLose(n int64) { p.lose.Store(n) }

// takeLose says whether this request is one to lose.
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
