package alb

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/norikae/norikae/internal/awssim/albmetric"
	"github.com/norikae/norikae/internal/awssim/model"
)

// groupStats collects the metrics of one target group behind one load balancer for
// the current period.
type groupStats struct {
	balancer *balancer
	groupARN string
	active   bool // a rule in force forwards to the group; guarded by DataPlane.mu

	mu sync.Mutex
	tally
}

// tally of the requests for which a target was chosen. A request is counted once its
// outcome is known, in all metrics of the same period.
type tally struct {
	requests         int64
	classes          [6]int64 // by status/100: 2XX is classes[2]
	connectionErrors int64
	failOpen         int64 // UnhealthyRoutingRequestCount
	seconds          albmetric.Statistics
	times            samples
}

// answered counts a request that a target answered after d.
func (s *groupStats) answered(status int, d time.Duration, failOpen bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(failOpen)
	if c := status / 100; c > 0 && c < len(s.classes) {
		s.classes[c]++
	}
	s.seconds.Merge(albmetric.Of(d.Seconds()))
	s.times.add(d.Seconds())
}

// failed counts a request that no target answered.
func (s *groupStats) failed(connection, failOpen bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(failOpen)
	if connection {
		s.connectionErrors++
	}
}

func (s *groupStats) count(failOpen bool) {
	s.requests++
	if failOpen {
		s.failOpen++
	}
}

func (s *groupStats) take() tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tally
	s.tally = tally{}
	return t
}

func (t *tally) add(o tally) {
	t.requests += o.requests
	t.connectionErrors += o.connectionErrors
	t.failOpen += o.failOpen
	for i, n := range o.classes {
		t.classes[i] += n
	}
	t.seconds.Merge(o.seconds)
}

// balancerStats collects what a load balancer does without a target. Gauges aside,
// they hold the current period only.
type balancerStats struct {
	elb4xx, elb500, elb502, elb503, elb504, elb5xx atomic.Int64 // elb5xx: the other 5XX
	fixed, redirect, newConnections, bytes         atomic.Int64
	activeConnections                              atomic.Int64
}

// generated counts an answer that the load balancer made because of an error.
func (s *balancerStats) generated(status int) {
	switch {
	case status/100 == 4:
		s.elb4xx.Add(1)
	case status == 500:
		s.elb500.Add(1)
	case status == 502:
		s.elb502.Add(1)
	case status == 503:
		s.elb503.Add(1)
	case status == 504:
		s.elb504.Add(1)
	default:
		s.elb5xx.Add(1)
	}
}

// emit hands the metrics of the period that began at start to the sink.
func (p *DataPlane) emit(start time.Time) {
	scopes := map[string][]model.Datum{}
	totals := map[*balancer]*tally{}
	times := map[*balancer][]samples{}
	p.mu.Lock()
	stats := slices.SortedFunc(maps.Values(p.stats), func(a, b *groupStats) int { return cmp.Compare(a.groupARN, b.groupARN) })
	balancers := slices.SortedFunc(maps.Values(p.balancers), func(a, b *balancer) int { return cmp.Compare(a.arn, b.arn) })
	for _, s := range stats {
		b := s.balancer
		dims := []model.Dimension{
			{Name: "LoadBalancer", Value: b.dimension},
			{Name: "TargetGroup", Value: model.TargetGroupDimension(s.groupARN)},
		}
		t := s.take()
		e := albmetric.Sheet{Start: start, Dimensions: dims}
		t.put(&e, t.times.values)
		if s.active {
			if h := p.groups[s.groupARN].TakeHosts(); len(h) > 0 {
				e.Hosts(h[0].Healthy, h[0].Unhealthy)
			}
		}
		scopes[b.scope] = append(scopes[b.scope], e.Data...)
		if totals[b] == nil {
			totals[b] = &tally{}
		}
		totals[b].add(t)
		times[b] = append(times[b], t.times)
	}
	p.mu.Unlock()
	for _, b := range balancers {
		e := albmetric.Sheet{Start: start, Dimensions: []model.Dimension{{Name: "LoadBalancer", Value: b.dimension}}}
		if t := totals[b]; t != nil {
			t.put(&e, merge(times[b]))
		}
		b.stats.put(&e)
		scopes[b.scope] = append(scopes[b.scope], e.Data...)
	}
	for _, scope := range slices.Sorted(maps.Keys(scopes)) {
		if len(scopes[scope]) > 0 {
			p.cfg.Sink.Put(scope, scopes[scope])
		}
	}
}

// put the requests down, and their response times of which times are some.
func (t *tally) put(e *albmetric.Sheet, times []float64) {
	e.Count("RequestCount", t.requests)
	e.Count("HTTPCode_Target_2XX_Count", t.classes[2])
	e.Count("HTTPCode_Target_3XX_Count", t.classes[3])
	e.Count("HTTPCode_Target_4XX_Count", t.classes[4])
	e.Count("HTTPCode_Target_5XX_Count", t.classes[5])
	e.Count("TargetConnectionErrorCount", t.connectionErrors)
	e.Count("UnhealthyRoutingRequestCount", t.failOpen)
	if t.seconds.Count > 0 {
		e.Put("TargetResponseTime", "Seconds", t.seconds, times)
	}
}

// put down what the load balancer did, and begin its counts anew.
func (s *balancerStats) put(e *albmetric.Sheet) {
	redirects := s.redirect.Swap(0)
	e.Count("HTTPCode_ELB_3XX_Count", redirects)
	e.Count("HTTP_Redirect_Count", redirects)
	e.Count("HTTPCode_ELB_4XX_Count", s.elb4xx.Swap(0))
	n500, n502, n503, n504 := s.elb500.Swap(0), s.elb502.Swap(0), s.elb503.Swap(0), s.elb504.Swap(0)
	e.Count("HTTPCode_ELB_5XX_Count", n500+n502+n503+n504+s.elb5xx.Swap(0))
	e.Count("HTTPCode_ELB_500_Count", n500)
	e.Count("HTTPCode_ELB_502_Count", n502)
	e.Count("HTTPCode_ELB_503_Count", n503)
	e.Count("HTTPCode_ELB_504_Count", n504)
	e.Count("HTTP_Fixed_Response_Count", s.fixed.Swap(0))
	e.Count("NewConnectionCount", s.newConnections.Swap(0))
	e.Single("ActiveConnectionCount", "Count", float64(s.activeConnections.Load()))
	e.Single("ProcessedBytes", "Bytes", float64(s.bytes.Swap(0)))
}
