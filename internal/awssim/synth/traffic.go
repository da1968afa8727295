package synth

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/norikae/norikae/internal/awssim/albmetric"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/nlbmetric"
)

const (
	defaultLatency = 10 * time.Millisecond
	// maxValues bounds the single response times of a period.
	maxValues = 100
	// epsilon makes up for sums of fractions that fall short of a whole number.
	epsilon = 1e-6
)

// book has the open period's counts of one load balancer.
type book struct {
	groups                 map[string]*tally // by target group ARN
	elb502, elb503, elb504 int
	flows                  nlbmetric.Tally // of a network load balancer
}

// tally has the open period's counts of one target group, and what is carried over to
// the next so that rates come out exact in the long run.
type tally struct {
	requests, ok, errors, connectionErrors int
	times                                  []batch
	carry                                  [4]float64
}

// batch is a number of answers that took equally long.
type batch struct {
	n       int
	seconds float64
}

// advance accounts for the traffic up to now and closes the periods that ended; p.mu
// is held.
func (p *DataPlane) advance(now time.Time) {
	for !p.boundary.After(now) {
		p.account(p.boundary)
		p.report(p.boundary)
		p.boundary = p.boundary.Add(p.cfg.Period)
	}
	p.account(now)
}

// account adds the traffic since the last call; nothing has changed since.
func (p *DataPlane) account(until time.Time) {
	from := p.clock
	if !until.After(from) {
		return
	}
	p.clock = until
	if p.stopped {
		return
	}
	rate := max(p.cfg.RequestsPerSecond(from), 0)
	share := map[string]int{} // routes of each load balancer
	for _, r := range p.routes {
		share[r.balancer]++
	}
	for _, r := range p.routes {
		r.carry += rate * p.cfg.Share(r.balancer) * until.Sub(from).Seconds() / float64(share[r.balancer])
		n := int(math.Floor(r.carry + epsilon))
		r.carry -= float64(n)
		p.route(r, n)
	}
}

// route deals n requests of a rule out.
func (p *DataPlane) route(r *route, n int) {
	if model.IsNetwork(r.protocol) {
		p.routeFlows(r, n)
		return
	}
	b := p.book(r.balancer)
	if r.total == 0 {
		b.elb503 += n
		return
	}
	for i, m := range r.deal(n) {
		arn := r.groups[i].ARN
		g := p.config.TargetGroups[arn]
		if !registered(g) {
			b.elb503 += m
			continue
		}
		b.send(b.tally(arn, p.phase(g.Name)), m, p.behaves[g.Name])
	}
}

// registered says whether a group has a target that is not draining.
func registered(g model.TargetGroup) bool {
	return slices.ContainsFunc(g.Targets, func(t model.Target) bool { return t.DrainingSince.IsZero() })
}

// phase 0–1 of a group's first fault, so that groups do not fail in step.
func (p *DataPlane) phase(name string) float64 {
	h := p.cfg.Seed
	for _, c := range []byte(name) {
		h = (h ^ uint64(c)) * 0x100000001b3 // FNV-1a
	}
	return float64(h>>40%1000) / 1000
}

func (p *DataPlane) book(balancer string) *book {
	b := p.books[balancer]
	if b == nil {
		b = &book{groups: map[string]*tally{}}
		p.books[balancer] = b
	}
	return b
}

func (b *book) tally(arn string, phase float64) *tally {
	t := b.groups[arn]
	if t == nil {
		t = &tally{carry: [4]float64{phase, phase, phase, phase}}
		b.groups[arn] = t
	}
	return t
}

// send counts n requests to a group that behaves so.
func (b *book) send(t *tally, n int, how Behaviour) {
	refused, reset, timeout, errors, left := t.faults(n, how)
	t.requests += n
	t.connectionErrors += refused
	b.elb502 += refused + reset
	b.elb504 += timeout
	t.errors += errors
	t.ok += left
	answered := errors + left
	slow := int(math.Round(cmp.Or(how.SlowRate, 1) * float64(answered)))
	for _, b := range []batch{{slow, cmp.Or(how.Latency, defaultLatency).Seconds()}, {answered - slow, defaultLatency.Seconds()}} {
		if b.n > 0 {
			t.times = append(t.times, b)
		}
	}
}

// faults are those of n requests that meet a fault, and those that do not.
func (t *tally) faults(n int, how Behaviour) (refused, reset, timeout, errors, left int) {
	left = n
	take := func(i int, rate float64) int {
		if rate == 0 {
			return 0
		}
		t.carry[i] += rate * float64(n)
		k := min(int(math.Floor(t.carry[i]+epsilon)), left)
		t.carry[i] -= float64(k)
		left -= k
		return k
	}
	refused, reset, timeout, errors = take(0, how.ConnectionErrorRate), take(1, how.ResetRate), take(2, how.TimeoutRate), take(3, how.ErrorRate)
	return refused, reset, timeout, errors, left
}

// report closes the period that ends at end.
func (p *DataPlane) report(end time.Time) {
	start := end.Add(-p.cfg.Period)
	data := map[string][]model.Datum{}
	for _, arn := range p.balancers() {
		b, scope := p.book(arn), model.Scope(arn)
		if model.IsNetworkBalancer(arn) {
			data[scope] = append(data[scope], p.reportFlows(arn, b, start, end)...)
			continue
		}
		lb := model.Dimension{Name: "LoadBalancer", Value: model.LoadBalancerDimension(arn)}
		total := albmetric.Sheet{Start: start, Dimensions: []model.Dimension{lb}}
		var sum tally
		for _, group := range p.groups(arn, b) {
			e := albmetric.Sheet{Start: start, Dimensions: []model.Dimension{lb, {Name: "TargetGroup", Value: model.TargetGroupDimension(group)}}}
			if t := b.groups[group]; t != nil {
				t.put(&e)
				sum.add(t)
				*t = tally{carry: t.carry}
			}
			p.hosts(&e, arn, group, end)
			data[scope] = append(data[scope], e.Data...)
		}
		sum.put(&total)
		total.Count("HTTPCode_ELB_5XX_Count", int64(b.elb502+b.elb503+b.elb504))
		total.Count("HTTPCode_ELB_502_Count", int64(b.elb502))
		total.Count("HTTPCode_ELB_503_Count", int64(b.elb503))
		total.Count("HTTPCode_ELB_504_Count", int64(b.elb504))
		b.elb502, b.elb503, b.elb504 = 0, 0, 0
		data[scope] = append(data[scope], total.Data...)
	}
	for _, scope := range slices.Sorted(maps.Keys(data)) {
		if len(data[scope]) > 0 {
			p.reports = append(p.reports, report{scope, data[scope]})
		}
	}
}

// balancers that forward, or did in this period, in a stable order.
func (p *DataPlane) balancers() []string {
	set := map[string]bool{}
	for arn := range p.books {
		set[arn] = true
	}
	for _, r := range p.routes {
		set[r.balancer] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// groups behind a load balancer, now or in this period, in a stable order.
func (p *DataPlane) groups(balancer string, b *book) []string {
	set := map[string]bool{}
	for arn := range b.groups {
		set[arn] = true
	}
	for _, r := range p.routes {
		if r.balancer == balancer {
			for _, g := range r.groups {
				set[g.ARN] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// hosts reports the host counts at the end of the period, if the group is checked and
// the load balancer still forwards to it.
func (p *DataPlane) hosts(e *albmetric.Sheet, balancer, group string, now time.Time) {
	if p.reportsHosts(balancer, group) {
		healthy, unhealthy := p.countHosts(group, "", now)
		e.Hosts(albmetric.Of(healthy), albmetric.Of(unhealthy))
	}
}

// reportsHosts says whether a group is checked and the load balancer forwards to it.
func (p *DataPlane) reportsHosts(balancer, group string) bool {
	g := p.config.TargetGroups[group]
	return g.InUse && g.HealthCheck.Enabled && slices.ContainsFunc(p.routes, func(r *route) bool {
		return r.balancer == balancer && slices.ContainsFunc(r.groups, func(w model.WeightedTargetGroup) bool { return w.ARN == group })
	})
}

// countHosts of a group, or of those in one zone.
func (p *DataPlane) countHosts(group, zone string, now time.Time) (healthy, unhealthy float64) {
	for _, t := range p.config.TargetGroups[group].Targets {
		if zone != "" && t.AZ != zone {
			continue
		}
		switch p.health(group, t, now).State {
		case "healthy":
			healthy++
		case "unhealthy":
			unhealthy++
		}
	}
	return healthy, unhealthy
}

func (t *tally) add(o *tally) {
	t.requests += o.requests
	t.ok += o.ok
	t.errors += o.errors
	t.connectionErrors += o.connectionErrors
	t.times = append(t.times, o.times...)
}

// put the requests down.
func (t *tally) put(e *albmetric.Sheet) {
	e.Count("RequestCount", int64(t.requests))
	e.Count("HTTPCode_Target_2XX_Count", int64(t.ok))
	e.Count("HTTPCode_Target_5XX_Count", int64(t.errors))
	e.Count("TargetConnectionErrorCount", int64(t.connectionErrors))
	if len(t.times) == 0 {
		return
	}
	var s albmetric.Statistics
	for _, b := range t.times {
		s.Merge(albmetric.Repeated(b.seconds, b.n))
	}
	e.Put("TargetResponseTime", "Seconds", s, values(t.times, int(s.Count)))
}

// values are up to maxValues response times that represent the batches.
func values(batches []batch, n int) []float64 {
	every := (n + maxValues - 1) / maxValues
	out := make([]float64, 0, maxValues)
	for i, seen := 0, 0; i < len(batches); i++ {
		for ; len(out)*every < seen+batches[i].n; out = append(out, batches[i].seconds) {
		}
		seen += batches[i].n
	}
	return out
}
