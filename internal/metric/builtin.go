package metric

import (
	"encoding/json"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/arn"
)

// The names of the built-in metrics in a report.
const (
	TargetErrors       = "builtin/target-errors"
	LoadBalancerErrors = "builtin/load-balancer-errors"
	HealthyHosts       = "builtin/healthy-hosts"
)

// rangeLimit bounds the windows of one built-in query: GetMetricData gives at most
// 100,800 data points, shared by its queries (up to 28 here, for 5 destinations).
const rangeLimit = 1440

// builtinState is what is known by the built-in analysis of the weights live since a
// moment.
type builtinState struct {
	lifetime

	windows []builtinWindow // number k is at index k
}

type builtinWindow struct {
	analysis.ALBWindow
	known bool
	err   error
	again time.Time
	// target, balancer and healthy are the judgements.
	target, balancer, healthy analysis.Measurement
}

// open tells whether any judgement of the window is not conclusive yet.
func (w *builtinWindow) open() analysis.Verdict {
	for _, m := range []analysis.Measurement{w.target, w.balancer, w.healthy} {
		if m.Verdict == analysis.Inconclusive || m.Verdict == analysis.Error {
			return m.Verdict
		}
	}
	return analysis.Successful
}

// baselineState is the level before the shift.
type baselineState struct {
	started time.Time
	known   bool
	window  analysis.ALBWindow
	err     error
}

func (a *Analyzer) builtinSchedule() analysis.Schedule {
	return analysis.NewSchedule(a.cfg.ALB.Timing, a.cfg.ALB.Interval, 0)
}

// planBuiltin puts the missing windows into the batch, as one range for each weights: a
// query over many windows costs AWS's price of one.
func (a *Analyzer) planBuiltin(b *batch, req analysis.Request) {
	a.planWindows(b, req, &a.late)
	a.planWindows(b, req, &a.builtin)
}

func (a *Analyzer) planWindows(b *batch, req analysis.Request, st *builtinState) {
	s := a.builtinSchedule()
	n := st.complete(s, req.Now)
	if n == 0 {
		return
	}
	a.planBaseline(b, req) // not sooner: a window before the shift is complete by now
	for k := len(st.windows); k < n; k++ {
		st.windows = append(st.windows, builtinWindow{})
	}
	first := n
	for k := n - 1; k >= max(0, n-rangeLimit); k-- {
		if w := &st.windows[k]; !w.known || !settled(w.open(), w.again, req.Now, n-1-k) {
			first = k
		}
	}
	if first == n {
		return
	}
	span := analysis.Window{Start: s.Window(st.since, first).Start, End: s.Window(st.since, n-1).End}
	got := a.fetchALB(b, req, span)
	got.done = func() {
		for k := first; k < n; k++ {
			w, err := got.window(s.Window(st.since, k))
			st.windows[k] = builtinWindow{ALBWindow: w, known: true, err: err, again: req.Now.Add(s.Grid)}
			if err != nil {
				st.windows[k].again = req.Now
			}
		}
		a.judgeWindows(st, first)
	}
}

func (a *Analyzer) planBaseline(b *batch, req analysis.Request) {
	bl := &a.baseline
	if bl.known && bl.started.Equal(req.Started) {
		return
	}
	*bl = baselineState{started: req.Started}
	span := a.builtinSchedule().Before(req.Started, BaselineIntervals)
	got := a.fetchALB(b, req, span)
	got.done = func() {
		bl.window, bl.err = got.window(span)
		bl.known = bl.err == nil && bl.window.Complete
		a.judgeWindows(&a.late, 0)
		a.judgeWindows(&a.builtin, 0)
	}
}

// judgeWindows judges the known windows from number first on.
func (a *Analyzer) judgeWindows(st *builtinState, first int) {
	j := analysis.ALB{Rule: a.cfg.ALB.Rule, MinRequests: a.cfg.ALB.MinRequests}
	step := analysis.ALBStep{Before: a.baseline.window}
	for k := range st.windows {
		w := &st.windows[k]
		if !w.known {
			continue
		}
		err := w.err
		if err == nil {
			step.Windows, err = append(step.Windows, w.ALBWindow), a.baseline.err
		}
		if k < first {
			continue
		}
		if err != nil {
			m := broken(w.Window, err)
			w.target, w.balancer, w.healthy = m, m, m
			continue
		}
		w.target, w.balancer, w.healthy = j.TargetErrors(step), j.LoadBalancerErrors(step), j.HealthyHosts(step)
	}
}

// judgeBuiltin reports the judgements, and when to look again.
func (a *Analyzer) judgeBuiltin(req analysis.Request) ([]analysis.Judged, []time.Time) {
	s := a.builtinSchedule()
	n := s.Complete(req.Since, req.Now)
	first := s.Due(s.Window(req.Since, 0))
	out := []analysis.Judged{{Name: TargetErrors, First: first}, {Name: LoadBalancerErrors, First: first}, {Name: HealthyHosts, First: first}}
	next := append(a.judgeLate(req, out), s.Due(s.Window(req.Since, n)))
	for k := range a.builtin.windows[:n] {
		w := &a.builtin.windows[k]
		if !w.known {
			continue
		}
		for i, m := range []analysis.Measurement{w.target, w.balancer, w.healthy} {
			out[i].Measurements = append(out[i].Measurements, m)
		}
		next = append(next, a.again(w.open(), w.again, req.Now, a.cfg.ALB.Source, s, n-1-k)...)
	}
	return out, next
}

// judgeLate adds the failures of the weights before, and tells when to look for more.
func (a *Analyzer) judgeLate(req analysis.Request, out []analysis.Judged) (next []time.Time) {
	s, st := a.builtinSchedule(), &a.late
	n := st.complete(s, req.Now)
	if at, ok := st.next(s, n); ok {
		next = append(next, at)
	}
	for k := range st.windows[:n] {
		w := &st.windows[k]
		if !w.known {
			continue
		}
		for i, m := range []analysis.Measurement{w.target, w.balancer, w.healthy} {
			if m.Verdict == analysis.Failed {
				out[i].Measurements = append(out[i].Measurements, m)
			}
		}
		next = append(next, a.again(w.open(), w.again, req.Now, a.cfg.ALB.Source, s, n-1-k)...)
	}
	return next
}

// albAnswers collects the answers of one range of the load balancer's metrics.
type albAnswers struct {
	a      *Analyzer
	req    analysis.Request
	got    map[albKey]Result
	expect int
	done   func()
}

// albKey is a metric of a destination, or of the load balancer (empty id).
type albKey struct{ id, metric string }

// The metrics, as AWS/ApplicationELB names them.
const (
	requestCount = "RequestCount"
	target2XX    = "HTTPCode_Target_2XX_Count"
	target5XX    = "HTTPCode_Target_5XX_Count"
	connErrors   = "TargetConnectionErrorCount"
	healthyHosts = "HealthyHostCount"
	elb502       = "HTTPCode_ELB_502_Count"
	elb503       = "HTTPCode_ELB_503_Count"
	elb504       = "HTTPCode_ELB_504_Count"
)

// fetchALB asks for all metrics over a span. done is called once all answers are there.
func (a *Analyzer) fetchALB(b *batch, req analysis.Request, span analysis.Window) *albAnswers {
	r := &albAnswers{a: a, req: req, got: map[albKey]Result{}}
	add := func(id, metric, stat string) {
		r.expect++
		b.add(a.cfg.ALB.Source, Query{"built-in analysis", statQuery(a.cfg.ALB, id, metric, stat), span.Start, span.End}, func(res Result) {
			r.got[albKey{id, metric}] = res
			if r.expect--; r.expect == 0 {
				r.done()
			}
		})
	}
	for _, ids := range [][]string{req.Gaining, req.Losing} {
		for _, id := range ids {
			for _, m := range []string{requestCount, target2XX, target5XX, connErrors} {
				add(id, m, "Sum")
			}
		}
	}
	for _, id := range req.Gaining {
		add(id, healthyHosts, "Minimum")
	}
	for _, m := range []string{requestCount, elb502, elb503, elb504} {
		add("", m, "Sum")
	}
	return r
}

// window of the answers. An error of any query is an error of all: what is missing
// could be what is wrong.
func (r *albAnswers) window(w analysis.Window) (analysis.ALBWindow, error) {
	out := analysis.ALBWindow{Window: w, Complete: true}
	for _, res := range r.got {
		if res.Err != nil {
			return out, res.Err
		}
		out.Complete = out.Complete && res.Complete
	}
	sum := func(id, metric string) *float64 {
		return sumOf(r.got[albKey{id, metric}], w, r.a.cfg.ALB.Timing.Period)
	}
	side := func(ids []string) []analysis.ALBDestination {
		ds := make([]analysis.ALBDestination, len(ids))
		for i, id := range ids {
			ds[i] = analysis.ALBDestination{
				Name: r.a.name(id), Share: r.req.Live.Share(id),
				Requests: sum(id, requestCount), Answers: sum(id, target2XX), Errors: sum(id, target5XX), ConnectionErrors: sum(id, connErrors),
				Healthy: minOf(r.got[albKey{id, healthyHosts}], w, r.a.cfg.ALB.Timing.Period),
			}
		}
		return ds
	}
	out.Gaining, out.Losing = side(r.req.Gaining), side(r.req.Losing)
	out.Requests, out.Unrouted = sum("", requestCount), sum("", elb503)
	out.Errors = plus(sum("", elb502), out.Unrouted, sum("", elb504))
	return out, nil
}

// sumOf the points within w; nil when there is none.
func sumOf(r Result, w analysis.Window, period time.Duration) *float64 {
	return fold(r, w, period, func(a, b float64) float64 { return a + b })
}

func minOf(r Result, w analysis.Window, period time.Duration) *float64 {
	return fold(r, w, period, func(a, b float64) float64 { return min(a, b) })
}

func fold(r Result, w analysis.Window, period time.Duration, f func(a, b float64) float64) *float64 {
	var out *float64
	for _, s := range r.Series {
		for _, p := range s.Points {
			switch v := p.Value; {
			case !w.Contains(p.Time, period):
			case out == nil:
				out = &v
			default:
				*out = f(*out, v)
			}
		}
	}
	return out
}

// plus adds the counts that are there.
func plus(vs ...*float64) *float64 {
	var out *float64
	for _, v := range vs {
		if v == nil {
			continue
		}
		if out == nil {
			out = new(float64)
		}
		*out += *v
	}
	return out
}

// statQuery is the MetricDataQuery of one metric of a target group on the load balancer
// (both dimensions: each combination is a metric of its own), or of the load balancer.
func statQuery(alb *ALB, id, metric, stat string) string {
	type dimension struct{ Name, Value string }
	dims := []dimension{{"LoadBalancer", arn.LoadBalancerSuffix(alb.ARN)}}
	if id != "" {
		dims = append(dims, dimension{"TargetGroup", arn.TargetGroupSuffix(id)})
	}
	text, err := json.Marshal([]any{map[string]any{
		"Id": "m",
		"MetricStat": map[string]any{
			"Metric": map[string]any{"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": dims},
			"Period": int(alb.Timing.Period / time.Second),
			"Stat":   stat,
		},
	}})
	if err != nil {
		return "" // strings and numbers always marshal; an empty query is refused by its source
	}
	return string(text)
}
