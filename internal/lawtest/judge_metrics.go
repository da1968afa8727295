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
	got := readSeries(j.x)
	if j.forward == 0 {
		j.baseline(got)
		return
	}
	if j.live == nil || j.alien || j.c.owner == "" {
		return
	}
	// A process judges what it measured itself; weights that it found live count from then.
	own := j.c.since
	if own.Before(j.since) {
		own = j.since
	}
	if why := j.failing(got, own.Add(j.d.Pace.Settle)); why != "" {
		j.fails(why)
		return
	}
	settled := j.since.Add(j.d.Pace.Settle)
	requests, silent, complete := j.sum(got, "RequestCount", gaining(j.from, j.d.To), settled)
	if complete && (silent == "" && requests > 0 || silent != "" && j.provenIdle(got, settled)) {
		j.c.passed = true
	}
}

// failing says why the gaining side fails beyond doubt; "" when it does not.
func (j *judge) failing(got []series, settled time.Time) string {
	gain, lose := gaining(j.from, j.d.To), losing(j.from, j.d.To)
	requests, _, _ := j.sum(got, "RequestCount", gain, settled)
	errs, _, _ := j.sum(got, "HTTPCode_Target_5XX_Count", gain, settled)
	refused, _, _ := j.sum(got, "TargetConnectionErrorCount", gain, settled)
	oldRequests, _, _ := j.sum(got, "RequestCount", lose, settled)
	oldErrs, _, _ := j.sum(got, "HTTPCode_Target_5XX_Count", lose, settled)
	errs += refused
	if errs < failingErrors || part(errs, requests)-part(oldErrs, oldRequests) < failingShare {
		return ""
	}
	return fmt.Sprintf("%g of %g requests of the gaining side failed, %g of %g of the losing side", errs, requests, oldErrs, oldRequests)
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
		if total == 0 && j.live.split[id] > 0 {
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

// baseline remembers which groups had no traffic before the shift.
func (j *judge) baseline(got []series) {
	for _, s := range got {
		if s.metric != "RequestCount" {
			continue
		}
		total := 0.0
		for _, v := range s.points {
			total += v
		}
		j.idle[s.group] = s.complete && total == 0
	}
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
		if !j.idle[id] && id != "" {
			return false
		}
		if w > 0 && j.d.To.share(id) > j.from.share(id) && !watched[id] {
			return false
		}
	}
	return j.idle[""]
}

// health follows what a caller is told about targets.
func (j *judge) health() {
	id := j.x.In.Str("TargetGroupArn")
	if !j.x.OK() || j.live == nil || j.from == nil || j.alien || j.live.split[id] == 0 || j.d.To.share(id) <= j.from.share(id) {
		return
	}
	healthy, total := 0, 0
	for _, t := range j.x.Out.List("TargetHealthDescriptions") {
		switch h := t.Struct("TargetHealth"); h.Str("State") {
		case "draining":
		case "healthy":
			healthy++
			total++
		default:
			total++
		}
	}
	if healthy == 0 || 2*healthy < total {
		j.fails(fmt.Sprintf("%d of %d targets of %s are healthy", healthy, total, nameOf(id)))
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
func readSeries(x *Exchange) []series {
	queries := map[string]series{}
	for _, q := range x.In.List("MetricDataQueries") {
		m := q.Struct("MetricStat").Struct("Metric")
		if m.Str("Namespace") != "AWS/ApplicationELB" {
			continue
		}
		s := series{metric: m.Str("MetricName"), points: map[time.Time]float64{}}
		for _, d := range m.List("Dimensions") {
			if d.Str("Name") == "TargetGroup" {
				s.group = d.Str("Value")
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
		s.group = groupARN(s.group)
		s.points = pointsOf(r)
		out = append(out, s)
	}
	return out
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
