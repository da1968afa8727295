package lawtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// What the judge calls failing beyond doubt: far from what chance or rounding explain.
const (
	failingShare  = 0.03 // more of the gaining side's requests than of the losing side's
	failingErrors = 20   // of the gaining side, at least
)

// series is the answer to one query: the sums or minima of a metric by period.
type series struct {
	group, metric string // group is a target group's ARN; "" for the load balancer
	points        map[time.Time]float64
	complete      bool
}

// metrics follows what a caller is told by CloudWatch.
func (j *judge) metrics() {
	if j.x.Operation != "GetMetricData" || !j.x.OK() || j.from == nil {
		return
	}
	got := j.readSeries()
	if j.forward == 0 {
		j.baseline(got)
		return
	}
	if j.live == nil || j.alien || j.c.owner == "" {
		return
	}
	followed, ok := j.effective()
	if !ok {
		return
	}
	settled := latest(j.since, followed).Add(j.d.Pace.Settle)
	// A process judges what it measured itself; weights that it found live count from then.
	if why := j.failing(got, latest(settled, j.c.since.Add(j.d.Pace.Settle))); why != "" {
		j.fails(why)
		return
	}
	requests, silent, complete := j.traffic(got, settled)
	if complete && (silent == "" && requests > 0 || silent != "" && j.provenIdle(got, settled)) {
		j.c.passed = true
	}
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// traffic of the gaining side; silent is one of its groups that carries weight and shows
// none. Of a Network Load Balancer nobody knows it but of all groups together.
func (j *judge) traffic(got []series, settled time.Time) (n float64, silent string, complete bool) {
	if !j.d.Route.network() {
		return j.sum(got, "RequestCount", gaining(j.from, j.d.To), settled)
	}
	n, _, complete = j.sum(got, "NewFlowCount", []string{""}, settled)
	if n == 0 {
		silent = "the load balancer"
	}
	return n, silent, complete
}

// failing says why the gaining side fails beyond doubt; "" when it does not.
func (j *judge) failing(got []series, settled time.Time) string {
	count := func(metric string, groups ...string) float64 {
		n, _, _ := j.sum(got, metric, groups, settled)
		return n
	}
	if j.d.Route.network() {
		now := j.levelOf(count)
		if now.resets < failingErrors || part(now.resets, now.flows)-part(j.level.resets, j.level.flows) < failingShare {
			return ""
		}
		return fmt.Sprintf("%g resets on %g new connections, before the shift %g on %g", now.resets, now.flows, j.level.resets, j.level.flows)
	}
	gain, lose := gaining(j.from, j.d.To), losing(j.from, j.d.To)
	requests, oldRequests := count("RequestCount", gain...), count("RequestCount", lose...)
	errs := count("HTTPCode_Target_5XX_Count", gain...) + count("TargetConnectionErrorCount", gain...)
	oldErrs := count("HTTPCode_Target_5XX_Count", lose...)
	if errs < failingErrors || part(errs, requests)-part(oldErrs, oldRequests) < failingShare {
		return ""
	}
	return fmt.Sprintf("%g of %g requests of the gaining side failed, %g of %g of the losing side", errs, requests, oldErrs, oldRequests)
}

// level of a Network Load Balancer: its connections, and what was reset of them.
type level struct{ flows, resets float64 }

func (j *judge) levelOf(count func(metric string, groups ...string) float64) level {
	return level{count("NewFlowCount", ""), count("TCP_Target_Reset_Count", "") + count("TCP_ELB_Reset_Count", "") + count("UnhealthyRoutingFlowCount", "")}
}

// sum adds a metric's points of some groups, but for those before the weights had
// settled. silent is a group that carries weight and has none.
func (j *judge) sum(got []series, metric string, groups []string, settled time.Time) (n float64, silent string, complete bool) {
	complete = true
	for _, id := range groups {
		total := 0.0
		for _, s := range got {
			if s.group != id || s.metric != metric {
				continue
			}
			complete = complete && s.complete
			for at, v := range s.points {
				if !at.Before(settled) {
					total += v
				}
			}
		}
		if total == 0 && j.live != nil && j.live.split[id] > 0 {
			silent = id
		}
		n += total
	}
	return n, silent, complete
}

func part(n, of float64) float64 {
	if of = max(n, of); of == 0 {
		return 0
	}
	return n / of
}

// baseline remembers which groups had no traffic before the shift, and the level.
func (j *judge) baseline(got []series) {
	for _, s := range got {
		if s.metric != "RequestCount" && s.metric != "NewFlowCount" {
			continue
		}
		total := 0.0
		for _, v := range s.points {
			total += v
		}
		j.idle[s.group] = s.complete && total == 0
	}
	j.level = j.levelOf(func(metric string, groups ...string) float64 {
		n, _, _ := j.sum(got, metric, groups, time.Time{})
		return n
	})
}

// provenIdle tells whether no data is known to mean no traffic: there was none before
// the shift, and the metrics of this very window do arrive.
func (j *judge) provenIdle(got []series, settled time.Time) bool {
	watched := map[string]bool{}
	for _, s := range got {
		for at := range s.points {
			if s.metric == "HealthyHostCount" && !at.Before(settled) {
				watched[s.group] = true
			}
		}
	}
	for id, w := range j.live.split {
		if !j.idle[id] && !j.d.Route.network() {
			return false
		}
		if w > 0 && j.d.To.share(id) > j.from.share(id) && !watched[id] {
			return false
		}
	}
	return j.idle[""]
}

// health follows what a caller is told about targets.
func (j *judge) health(h health) {
	if !j.x.OK() || j.live == nil || j.from == nil || j.alien || j.live.split[h.id] == 0 || j.d.To.share(h.id) <= j.from.share(h.id) {
		return
	}
	if h.healthy == 0 || 2*h.healthy < h.total {
		j.fails(fmt.Sprintf("%d of %d targets of %s are healthy", h.healthy, h.total, nameOf(h.id)))
		return
	}
	j.c.healthy = true
}

// fails notes that the caller was told of a failure of the live weights.
func (j *judge) fails(why string) {
	if j.c.failure == "" && j.step >= 0 && j.shift != "" {
		j.c.failure, j.c.failedAt, j.c.answered = why, j.x.Done, false
		j.c.slow = -j.x.Done.Sub(j.x.Begun) // this answer itself is not waited for
	}
}

// deadline wants the way back within one analysis interval.
func (j *judge) deadline() {
	c := j.c
	if c.failure == "" || c.answered || j.d.Hold || j.x.Begun.Sub(c.failedAt)-c.slow <= j.d.Pace.Period {
		return
	}
	c.answered = true
	j.violate(LawRollback, "no way back %s after: %s", j.x.Begun.Sub(c.failedAt), c.failure)
}

// readSeries puts the answers of a GetMetricData to their queries.
func (j *judge) readSeries() []series {
	x, queries := j.x, map[string]series{}
	for _, q := range x.In.List("MetricDataQueries") {
		m := q.Struct("MetricStat").Struct("Metric")
		if ns := m.Str("Namespace"); ns != "AWS/ApplicationELB" && ns != "AWS/NetworkELB" {
			continue
		}
		s := series{metric: m.Str("MetricName"), points: map[time.Time]float64{}}
		for _, d := range m.List("Dimensions") {
			switch name, value := d.Str("Name"), d.Str("Value"); {
			case name == "TargetGroup":
				s.group = groupARN(value)
			case name == "LoadBalancer" && s.group == "":
				s.group = j.d.behind(value)
			}
		}
		queries[q.Str("Id")] = s
	}
	var out []series
	for _, r := range x.Out.List("MetricDataResults") {
		s, ok := queries[r.Str("Id")]
		if !ok {
			continue
		}
		s.complete = r.Str("StatusCode") == "Complete"
		s.points = pointsOf(r)
		out = append(out, s)
	}
	return out
}

// behind a load balancer is the destination of a name whose records lead to it; "": none.
func (d Declared) behind(balancer string) string {
	for id, arn := range d.Balancers {
		if strings.HasSuffix(arn, ":loadbalancer/"+balancer) {
			return id
		}
	}
	return ""
}

func pointsOf(r wire.Params) map[time.Time]float64 {
	points := map[time.Time]float64{}
	at, _ := r["Timestamps"].([]any)
	values, _ := r["Values"].([]any)
	for i := range min(len(at), len(values)) {
		p := wire.Params{"at": at[i], "value": values[i]}
		t, _, err := p.Time("at")
		v, ok, verr := p.Float("value")
		if err == nil && verr == nil && ok {
			points[t.UTC()] = v
		}
	}
	return points
}

// groupARN makes the ARN again that a dimension was cut from.
func groupARN(suffix string) string {
	if suffix == "" || strings.HasPrefix(suffix, "arn:") {
		return suffix
	}
	return arnPrefix + suffix
}

// arnPrefix of everything in the lab's account.
const arnPrefix = "arn:aws:elasticloadbalancing:us-east-1:000000000000:"
