package metric

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/arn"
)

// rangeLimit bounds the windows of one built-in query: GetMetricData gives at most
// 100,800 data points in a page, shared by its queries (an ALB's are up to 28, for 5
// destinations).
const rangeLimit = 1440

// builtin is the analysis by a load balancer's own metrics, whatever kind of load
// balancer it is.
type builtin interface {
	schedule() analysis.Schedule
	// reset begins a new step; what is known of the one before is followed on.
	reset(since time.Time)
	// follow keeps the windows of the weights before these.
	follow(req analysis.Request)
	// plan puts the missing windows into the batch.
	plan(b *batch, req analysis.Request)
	// judge reports the judgements, and when to look again.
	judge(req analysis.Request) ([]analysis.Judged, []time.Time)
	rates(req analysis.Request) map[string]float64
	// probe puts one window into the batch; told says, once it is asked, what it had.
	probe(b *batch, req analysis.Request) (told func() (string, error), err error)
}

// meter is that of one kind of load balancer: what is asked of it, and how it is judged. W is
// what it counts in a window.
type meter[W analysis.Observed] interface {
	// sources of its metrics, and when they are there.
	sources() []Source
	measured() (analysis.Timing, analysis.Schedule)
	// names of the judgements, in the order of judge.
	names() []string
	// check that CloudWatch can know the destinations of a request.
	check(req analysis.Request) error
	asks(req analysis.Request) []ask
	// window makes a window of the answers to asks.
	window(got answers, req analysis.Request, w analysis.Window) W
	judge(s analysis.Step[W]) []analysis.Measurement
	// rates are the requests per second of each destination, where they are known.
	rates(w W, req analysis.Request) map[string]float64
	// traffic says in words what the load balancer had in a window.
	traffic(w W) string
}

// ask is a metric of a load balancer.
type ask struct {
	metricKey

	source Source
	text   string // the query
}

// metricKey is a metric of a destination, or of the load balancer (empty id).
type metricKey struct{ id, metric string }

// answers are those of one range of a load balancer's metrics.
type answers struct {
	got    map[metricKey]Result
	period time.Duration
}

func (a answers) complete() bool {
	for _, r := range a.got {
		if !r.Complete {
			return false
		}
	}
	return true
}

func (a answers) err() error {
	for _, r := range a.got {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// sum of the points within w; nil when there is none.
func (a answers) sum(id, metric string, w analysis.Window) *float64 {
	return sumOf(a.got[metricKey{id, metric}], w, a.period)
}

func (a answers) least(id, metric string, w analysis.Window) *float64 {
	return fold(a.got[metricKey{id, metric}], w, a.period, func(x, y float64) float64 { return min(x, y) })
}

func (a answers) most(id, metric string, w analysis.Window) *float64 {
	return fold(a.got[metricKey{id, metric}], w, a.period, func(x, y float64) float64 { return max(x, y) })
}

// sumOf the points within w; nil when there is none.
func sumOf(r Result, w analysis.Window, period time.Duration) *float64 {
	return fold(r, w, period, func(a, b float64) float64 { return a + b })
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

// statQuery is the MetricDataQuery of one metric of a target group on a load balancer
// (both dimensions: each combination is a metric of its own), or of the load balancer.
func statQuery(namespace, lb, id, metric, stat string, period time.Duration) string {
	type dimension struct{ Name, Value string }
	dims := []dimension{{"LoadBalancer", arn.LoadBalancerSuffix(lb)}}
	if id != "" {
		dims = append(dims, dimension{"TargetGroup", arn.TargetGroupSuffix(id)})
	}
	text, err := json.Marshal([]any{map[string]any{
		"Id": "m",
		"MetricStat": map[string]any{
			"Metric": map[string]any{"Namespace": namespace, "MetricName": metric, "Dimensions": dims},
			"Period": int(period / time.Second),
			"Stat":   stat,
		},
	}})
	if err != nil {
		return "" // strings and numbers always marshal; an empty query is refused by its source
	}
	return string(text)
}

// rounds is the builtin of a kind of load balancer: its windows under the weights that
// are live, and under those before.
type rounds[W analysis.Observed] struct {
	a     *Analyzer
	meter meter[W]

	now roundsState[W]
	// late: of the weights before, which the source completes only now.
	late     roundsState[W]
	baseline baselineState[W]
}

// roundsState is what is known of the weights live since a moment.
type roundsState[W analysis.Observed] struct {
	lifetime

	windows []roundsWindow[W] // number k is at index k
}

type roundsWindow[W analysis.Observed] struct {
	counts W
	span   analysis.Window
	known  bool
	err    error
	again  time.Time
	judged []analysis.Measurement // by judgement
}

// open tells whether any judgement of the window is not conclusive yet.
func (w *roundsWindow[W]) open() analysis.Verdict {
	for _, m := range w.judged {
		if m.Verdict == analysis.Inconclusive || m.Verdict == analysis.Error {
			return m.Verdict
		}
	}
	return analysis.Successful
}

// baselineState is the level before the shift.
type baselineState[W analysis.Observed] struct {
	started time.Time
	known   bool
	counts  W
	err     error
}

func (r *rounds[W]) schedule() analysis.Schedule {
	_, s := r.meter.measured()
	return s
}

func (r *rounds[W]) reset(since time.Time) {
	r.late, r.now = r.now, roundsState[W]{lifetime: lifetime{since: since}}
}

// follow: without its memory it fetches the windows again.
func (r *rounds[W]) follow(req analysis.Request) {
	if !r.late.since.Equal(req.Before) {
		r.late = roundsState[W]{lifetime: lifetime{since: req.Before}}
	}
	r.late.until = req.Since
}

// plan asks for one range for each weights: a query over many windows costs AWS's price
// of one.
func (r *rounds[W]) plan(b *batch, req analysis.Request) {
	r.planWindows(b, req, &r.late)
	r.planWindows(b, req, &r.now)
}

func (r *rounds[W]) planWindows(b *batch, req analysis.Request, st *roundsState[W]) {
	s := r.schedule()
	n := st.complete(s, req.Now)
	if n == 0 {
		return
	}
	r.planBaseline(b, req) // not sooner: a window before the shift is complete by now
	for k := len(st.windows); k < n; k++ {
		st.windows = append(st.windows, roundsWindow[W]{})
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
	r.fetch(b, req, span, func(got answers) {
		for k := first; k < n; k++ {
			w := s.Window(st.since, k)
			st.windows[k] = roundsWindow[W]{counts: r.meter.window(got, req, w), span: w, known: true, err: got.err(), again: req.Now.Add(s.Grid)}
			if got.err() != nil {
				st.windows[k].again = req.Now
			}
		}
		r.judgeWindows(st, first)
	})
}

func (r *rounds[W]) planBaseline(b *batch, req analysis.Request) {
	bl := &r.baseline
	if bl.known && bl.started.Equal(req.Started) {
		return
	}
	*bl = baselineState[W]{started: req.Started}
	span := r.schedule().Before(req.Started, BaselineIntervals)
	r.fetch(b, req, span, func(got answers) {
		bl.counts, bl.err = r.meter.window(got, req, span), got.err()
		bl.known = bl.err == nil && got.complete()
		r.judgeWindows(&r.late, 0)
		r.judgeWindows(&r.now, 0)
	})
}

// fetch all metrics over a span. done is called once all answers are there. An error of
// any query is an error of all: what is missing could be what is wrong.
func (r *rounds[W]) fetch(b *batch, req analysis.Request, span analysis.Window, done func(answers)) {
	timing, _ := r.meter.measured()
	asks := r.meter.asks(req)
	got := answers{map[metricKey]Result{}, timing.Period}
	missing := len(asks)
	for _, q := range asks {
		b.add(q.source, Query{"built-in analysis", q.text, span.Start, span.End}, func(res Result) {
			got.got[q.metricKey] = res
			if missing--; missing == 0 {
				done(got)
			}
		})
	}
}

// judgeWindows judges the known windows from number first on.
func (r *rounds[W]) judgeWindows(st *roundsState[W], first int) {
	step := analysis.Step[W]{Before: r.baseline.counts}
	for k := range st.windows {
		w := &st.windows[k]
		if !w.known {
			continue
		}
		err := w.err
		if err == nil {
			step.Windows, err = append(step.Windows, w.counts), r.baseline.err
		}
		if k < first {
			continue
		}
		if err == nil {
			w.judged = r.meter.judge(step)
			continue
		}
		w.judged = nil
		for range r.meter.names() {
			w.judged = append(w.judged, broken(w.span, err))
		}
	}
}

func (r *rounds[W]) judge(req analysis.Request) ([]analysis.Judged, []time.Time) {
	s := r.schedule()
	n := s.Complete(req.Since, req.Now)
	first := s.Due(s.Window(req.Since, 0))
	var out []analysis.Judged
	for _, name := range r.meter.names() {
		out = append(out, analysis.Judged{Name: name, First: first})
	}
	next := append(r.judgeLate(req, out), s.Due(s.Window(req.Since, n)))
	for k := range r.now.windows[:n] {
		w := &r.now.windows[k]
		if !w.known {
			continue
		}
		for i, m := range w.judged {
			out[i].Measurements = append(out[i].Measurements, m)
		}
		next = append(next, r.a.again(w.open(), w.again, req.Now, r.meter.sources(), s, n-1-k)...)
	}
	return out, next
}

// judgeLate adds the failures of the weights before, and tells when to look for more.
func (r *rounds[W]) judgeLate(req analysis.Request, out []analysis.Judged) (next []time.Time) {
	s := r.schedule()
	st := &r.late
	n := st.complete(s, req.Now)
	if at, ok := st.next(s, n); ok {
		next = append(next, at)
	}
	for k := range st.windows[:n] {
		w := &st.windows[k]
		if !w.known {
			continue
		}
		for i, m := range w.judged {
			if m.Verdict == analysis.Failed {
				out[i].Measurements = append(out[i].Measurements, m)
			}
		}
		next = append(next, r.a.again(w.open(), w.again, req.Now, r.meter.sources(), s, n-1-k)...)
	}
	return next
}

// rates of the destinations in the newest window that is known.
func (r *rounds[W]) rates(req analysis.Request) map[string]float64 {
	for k := len(r.now.windows) - 1; k >= 0; k-- {
		if w := &r.now.windows[k]; w.known {
			return r.meter.rates(w.counts, req)
		}
	}
	return nil
}

func (r *rounds[W]) probe(b *batch, req analysis.Request) (func() (string, error), error) {
	if err := r.meter.check(req); err != nil {
		return nil, err
	}
	s := r.schedule()
	w := s.Before(req.Now.Add(-s.Delay), BaselineIntervals)
	var got answers
	r.fetch(b, req, w, func(a answers) { got = a })
	return func() (string, error) {
		if err := got.err(); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s in %s", r.meter.traffic(r.meter.window(got, req, w)), w), nil
	}, nil
}
