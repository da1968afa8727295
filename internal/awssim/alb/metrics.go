package alb

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
)

const namespace = "AWS/ApplicationELB"

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
	requests         uint64
	classes          [6]uint64 // by status/100: 2XX is classes[2]
	connectionErrors uint64
	failOpen         uint64 // UnhealthyRoutingRequestCount
	seconds          statistics
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
	s.seconds.add(d.Seconds())
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
	t.seconds.merge(o.seconds)
}

// balancerStats collects what a load balancer does without a target. Gauges aside,
// they hold the current period only.
type balancerStats struct {
	elb4xx, elb500, elb502, elb503, elb504, elb5xx atomic.Uint64 // elb5xx: the other 5XX
	fixed, redirect, newConnections, bytes         atomic.Uint64
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

// report emits each period's metrics at its end until ctx is done.
func (p *DataPlane) report(ctx context.Context) {
	var last time.Time
	for {
		end := time.Now().Truncate(p.cfg.MetricPeriod).Add(p.cfg.MetricPeriod)
		if !end.After(last) {
			end = last.Add(p.cfg.MetricPeriod) // woken early: one report a period
		}
		last = end
		timer := time.NewTimer(time.Until(end))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		p.emit(end.Add(-p.cfg.MetricPeriod))
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
		e := emitter{start: start, dims: dims}
		e.tally(t, t.times.values)
		if s.active {
			e.hosts(p.groups[s.groupARN].takeHosts())
		}
		scopes[b.scope] = append(scopes[b.scope], e.data...)
		if totals[b] == nil {
			totals[b] = &tally{}
		}
		totals[b].add(t)
		times[b] = append(times[b], t.times)
	}
	p.mu.Unlock()
	for _, b := range balancers {
		e := emitter{start: start, dims: []model.Dimension{{Name: "LoadBalancer", Value: b.dimension}}}
		if t := totals[b]; t != nil {
			e.tally(*t, merge(times[b]))
		}
		e.balancer(&b.stats)
		scopes[b.scope] = append(scopes[b.scope], e.data...)
	}
	for _, scope := range slices.Sorted(maps.Keys(scopes)) {
		if len(scopes[scope]) > 0 {
			p.cfg.Sink.Put(scope, scopes[scope])
		}
	}
}

// takeHosts returns the host counts of the period; false when the group's targets are
// not checked.
func (g *group) takeHosts() (hostGauge, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hosts.sample(g.hostCounts())
	h := g.hosts
	g.hosts = hostGauge{}
	g.hosts.sample(g.hostCounts()) // the next period begins as this one ends
	return h, g.conf.HealthCheck.Enabled && g.conf.InUse
}

// emitter makes the data of one set of dimensions, as sparse as AWS is: what did not
// happen has no data point.
type emitter struct {
	start time.Time
	dims  []model.Dimension
	data  []model.Datum
}

func (e *emitter) put(name, unit string, s statistics, values []float64) {
	e.data = append(e.data, model.Datum{
		Namespace: namespace, Name: name, Dimensions: e.dims, Unit: unit, Timestamp: e.start,
		Sum: s.sum, Min: s.min, Max: s.max, Count: s.count, Values: values,
	})
}

// count puts a metric of which each event is a sample of 1, as AWS does: its Average
// is 1 and only its Sum is of use.
func (e *emitter) count(name string, n uint64) {
	if n > 0 {
		e.put(name, "Count", statistics{sum: float64(n), min: 1, max: 1, count: float64(n)}, nil)
	}
}

func (e *emitter) tally(t tally, times []float64) {
	e.count("RequestCount", t.requests)
	e.count("HTTPCode_Target_2XX_Count", t.classes[2])
	e.count("HTTPCode_Target_3XX_Count", t.classes[3])
	e.count("HTTPCode_Target_4XX_Count", t.classes[4])
	e.count("HTTPCode_Target_5XX_Count", t.classes[5])
	e.count("TargetConnectionErrorCount", t.connectionErrors)
	e.count("UnhealthyRoutingRequestCount", t.failOpen)
	if t.seconds.count > 0 {
		e.put("TargetResponseTime", "Seconds", t.seconds, times)
	}
}

func (e *emitter) hosts(h hostGauge, checked bool) {
	if checked {
		e.put("HealthyHostCount", "Count", h.healthy, nil)
		e.put("UnHealthyHostCount", "Count", h.unhealthy, nil)
	}
}

func (e *emitter) balancer(s *balancerStats) {
	redirects := s.redirect.Swap(0)
	e.count("HTTPCode_ELB_3XX_Count", redirects)
	e.count("HTTP_Redirect_Count", redirects)
	e.count("HTTPCode_ELB_4XX_Count", s.elb4xx.Swap(0))
	n500, n502, n503, n504 := s.elb500.Swap(0), s.elb502.Swap(0), s.elb503.Swap(0), s.elb504.Swap(0)
	e.count("HTTPCode_ELB_5XX_Count", n500+n502+n503+n504+s.elb5xx.Swap(0))
	e.count("HTTPCode_ELB_500_Count", n500)
	e.count("HTTPCode_ELB_502_Count", n502)
	e.count("HTTPCode_ELB_503_Count", n503)
	e.count("HTTPCode_ELB_504_Count", n504)
	e.count("HTTP_Fixed_Response_Count", s.fixed.Swap(0))
	e.count("NewConnectionCount", s.newConnections.Swap(0))
	e.single("ActiveConnectionCount", "Count", float64(s.activeConnections.Load()))
	e.single("ProcessedBytes", "Bytes", float64(s.bytes.Swap(0)))
}

// single puts a metric of one sample.
func (e *emitter) single(name, unit string, v float64) {
	if v > 0 {
		e.put(name, unit, statistics{sum: v, min: v, max: v, count: 1}, nil)
	}
}
