package nlb

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/nlbmetric"
)

// balancerStats collects a load balancer's metrics of the current period; the gauges of
// what is active aside.
type balancerStats struct {
	tcp, tls, udp                                     flowStats
	clientResets, targetResets, elbResets, unhealthys atomic.Int64
	portErrors                                        atomic.Int64
}

type flowStats struct{ created, live, payload atomic.Int64 }

func (s *balancerStats) of(protocol string) *flowStats {
	switch protocol {
	case "TLS":
		return &s.tls
	case "UDP":
		return &s.udp
	default:
		return &s.tcp
	}
}

// begin counts a connection or flow for which a target was chosen.
func (s *balancerStats) begin(protocol string, failOpen bool) {
	s.of(protocol).created.Add(1)
	if failOpen {
		s.unhealthys.Add(1)
	}
}

func (s *balancerStats) active(protocol string) *atomic.Int64 { return &s.of(protocol).live }
func (s *balancerStats) bytes(protocol string) *atomic.Int64  { return &s.of(protocol).payload }

// failed counts a connection to a target for which there was no port left. err may be nil.
func (s *balancerStats) failed(err error) {
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		s.portErrors.Add(1)
	}
}

// end counts the end of a TCP connection.
func (s *balancerStats) end(why cause) {
	switch why {
	case clientReset:
		s.clientResets.Add(1)
	case targetReset:
		s.targetResets.Add(1)
	case wasCut, idled:
		s.elbResets.Add(1)
	default:
	}
}

// take ends a period.
func (s *balancerStats) take() nlbmetric.Tally {
	t := nlbmetric.Tally{
		ClientResets: s.clientResets.Swap(0), TargetResets: s.targetResets.Swap(0), ELBResets: s.elbResets.Swap(0),
		UnhealthyRouting: s.unhealthys.Swap(0), PortAllocationErrors: s.portErrors.Swap(0),
	}
	for _, protocol := range []string{"TCP", "TLS", "UDP"} {
		f := s.of(protocol)
		*t.Of(protocol) = nlbmetric.Flows{New: f.created.Swap(0), Active: f.live.Load(), Bytes: f.payload.Swap(0)}
	}
	return t
}

// emit hands the metrics of the period that began at start to the sink.
func (p *DataPlane) emit(start time.Time) {
	scopes := map[string][]model.Datum{}
	add := func(balancerARN string, data []model.Datum) {
		scope := model.Scope(balancerARN)
		scopes[scope] = append(scopes[scope], data...)
	}
	p.mu.Lock()
	for _, b := range slices.SortedFunc(maps.Values(p.balancers), func(a, b *balancer) int { return cmp.Compare(a.arn, b.arn) }) {
		add(b.arn, nlbmetric.Report(start, b.arn, b.zones, b.stats.take()))
	}
	for _, arn := range slices.Sorted(maps.Keys(p.groups)) {
		hosts := p.groups[arn].TakeHosts()
		if b := p.behind[arn]; b != nil {
			for _, h := range hosts {
				add(b.arn, nlbmetric.Hosts(start, b.arn, arn, h.Zone, h.Healthy, h.Unhealthy))
			}
		}
	}
	p.mu.Unlock()
	for _, scope := range slices.Sorted(maps.Keys(scopes)) {
		if len(scopes[scope]) > 0 {
			p.cfg.Sink.Put(scope, scopes[scope])
		}
	}
}
