package metric

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/analysis"
)

const (
	// retry is when a source that could not be asked is asked again, at the latest.
	retry = 5 * time.Second
	// reread is how many of the newest windows are asked for again while they have no
	// conclusive data: it may come late.
	reread = 3
	// catchUp bounds how many of a user metric's windows are fetched after a restart.
	catchUp = 60
)

// measured is one window of a user metric.
type measured struct {
	analysis.Measurement
	again time.Time // when to ask again, while it is not conclusive
	// reported: the step that it belongs to has counted it.
	reported bool
}

// userState is what is known by a user's metric of the weights live since a moment.
type userState struct {
	lifetime

	windows map[int]*measured
}

// settled tells whether a window need not be asked for again. newer counts the complete
// windows after it.
func settled(v analysis.Verdict, again, now time.Time, newer int) bool {
	switch v {
	case analysis.Successful, analysis.Failed:
		return true
	case analysis.Inconclusive:
		return newer >= reread || now.Before(again)
	case analysis.Error:
	}
	return now.Before(again)
}

// Analyze reports what is known about the weights live since req.Since.
func (a *Analyzer) Analyze(ctx context.Context, req analysis.Request) analysis.Report {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.since.Equal(req.Since) {
		a.reset(req.Since)
	}
	a.follow(req)
	var b batch
	plans := make([]plan, len(a.metrics))
	for i := range a.metrics {
		plans[i] = a.planUser(&b, i, req)
	}
	if a.builtin != nil {
		a.builtin.plan(&b, req)
	}
	drained := a.planDrain(&b, req)
	a.ask(ctx, req.Now, &b)
	r := a.report(req, plans)
	a.reportDrain(&r, req, drained)
	return r
}

// reset forgets the windows of the step before.
func (a *Analyzer) reset(since time.Time) {
	a.since = since
	a.lateUsers, a.users = a.users, a.newUsers(since)
	if a.builtin != nil {
		a.builtin.reset(since)
	}
	for _, st := range a.lateUsers {
		for _, m := range st.windows {
			m.reported = true
		}
	}
}

func (a *Analyzer) newUsers(since time.Time) []userState {
	users := make([]userState, len(a.metrics))
	for i := range users {
		users[i] = newUser(since)
	}
	return users
}

func newUser(since time.Time) userState {
	return userState{lifetime{since: since}, map[int]*measured{}}
}

// follow keeps the windows of the weights before these, which the source completes only
// now. Without its memory it fetches them again.
func (a *Analyzer) follow(req analysis.Request) {
	if a.builtin != nil {
		a.builtin.follow(req)
	}
	for i := range a.lateUsers {
		if !a.lateUsers[i].since.Equal(req.Before) {
			a.lateUsers[i] = newUser(req.Before)
		}
		a.lateUsers[i].until = req.Since
	}
}

// plan is how a user metric is measured in a request.
type plan struct {
	sched analysis.Schedule
	text  string
	err   error // in rendering: found by Preflight, but weights change
}

// prepare renders a metric's query and aligns its windows to its data points.
func (a *Analyzer) prepare(u *userMetric, req analysis.Request) plan {
	s := analysis.NewSchedule(u.Timing, u.Interval, 0)
	text, err := u.query.render(a.facts(req, s, u.Timing.Period))
	if err != nil {
		return plan{sched: s, err: fmt.Errorf("query: %w", err)}
	}
	p, err := u.Source.Validate(text)
	switch {
	case err != nil:
		return plan{sched: s, err: fmt.Errorf("query: %w", err)}
	case p > 0 && s.Interval%p != 0:
		return plan{sched: s, err: fmt.Errorf("interval: %s is not a multiple of the query's period %s, so its windows would hold parts of data points: make it %s", s.Interval, p, s.Interval+p-s.Interval%p)}
	case p > 0 && p%u.Timing.Period != 0 && u.Timing.Period%p != 0:
		return plan{sched: s, err: fmt.Errorf("query: its period %s and the source's %s do not divide each other", p, u.Timing.Period)}
	}
	return plan{sched: analysis.NewSchedule(u.Timing, u.Interval, p), text: text}
}

// planUser puts a metric's missing windows into the batch.
func (a *Analyzer) planUser(b *batch, i int, req analysis.Request) plan {
	p := a.prepare(&a.metrics[i], req)
	a.planUserWindows(b, &a.metrics[i], req, p, a.lateUsers[i])
	a.planUserWindows(b, &a.metrics[i], req, p, a.users[i])
	return p
}

func (a *Analyzer) planUserWindows(b *batch, u *userMetric, req analysis.Request, p plan, st userState) {
	n := st.complete(p.sched, req.Now)
	for k := max(0, n-catchUp); k < n; k++ {
		m := st.windows[k]
		if m != nil && settled(m.Verdict, m.again, req.Now, n-1-k) {
			continue
		}
		w := p.sched.Window(st.since, k)
		if p.err != nil {
			st.windows[k] = &measured{Measurement: broken(w, p.err)}
			continue
		}
		take := a.takeUser(u, req, p, w, func(m measured) { st.windows[k] = &m })
		b.add(u.Source, Query{u.Name, p.text, w.Start, w.End}, take.value)
		if u.MinRequests > 0 {
			a.addRequests(b, req, w, take)
		}
	}
}

// userTake collects the answers that one measurement is made of.
type userTake struct {
	value, request func(Result)
	expect         int // answers to wait for
}

// takeUser judges the window once all its answers are there.
func (a *Analyzer) takeUser(u *userMetric, req analysis.Request, p plan, w analysis.Window, done func(measured)) *userTake {
	t := &userTake{expect: 1}
	var value Result
	var requests []Result
	finish := func() {
		if t.expect--; t.expect > 0 {
			return
		}
		m := u.judge(w, value, requests)
		again := req.Now.Add(p.sched.Grid)
		if m.Verdict == analysis.Error {
			again = req.Now // the source's own wish is kept by its cool-down
		}
		done(measured{Measurement: m, again: again})
	}
	t.value = func(r Result) { value = r; finish() }
	t.request = func(r Result) { requests = append(requests, r); finish() }
	return t
}

// addRequests asks for the gaining side's requests in a user metric's window.
func (a *Analyzer) addRequests(b *batch, req analysis.Request, w analysis.Window, t *userTake) {
	t.expect += len(req.Gaining)
	for _, id := range req.Gaining {
		q := albMeter{ALB: *a.cfg.ALB}.query(id, requestCount, "Sum")
		b.add(a.cfg.ALB.Source, Query{"minRequests", q, w.Start, w.End}, t.request)
	}
}

// judge one window of a user metric.
func (u *userMetric) judge(w analysis.Window, value Result, requests []Result) analysis.Measurement {
	s := analysis.Sample{Partial: !value.Complete, Note: strings.Join(value.Notes, "; ")}
	for _, r := range append([]Result{value}, requests...) {
		if r.Err != nil {
			return broken(w, r.Err)
		}
	}
	v, err := u.Reducer.Reduce(values(value))
	if err != nil {
		return broken(w, err)
	}
	s.Value = v
	for _, r := range requests {
		if n := sumOf(r, w, 0); n != nil && r.Complete {
			if s.Requests == nil {
				s.Requests = new(float64)
			}
			*s.Requests += *n
		}
	}
	return u.Judge(w, s)
}

func broken(w analysis.Window, err error) analysis.Measurement {
	return analysis.Measurement{Start: w.Start, End: w.End, Verdict: analysis.Error, Message: err.Error()}
}

func values(r Result) [][]float64 {
	out := make([][]float64, len(r.Series))
	for i, s := range r.Series {
		for _, p := range s.Points {
			out[i] = append(out[i], p.Value)
		}
	}
	return out
}

// report judges the step by everything that is known, and finds when more will be.
func (a *Analyzer) report(req analysis.Request, plans []plan) analysis.Report {
	if len(a.metrics) == 0 && a.builtin == nil {
		return analysis.Report{Verdict: analysis.Successful, Next: req.Now.Add(time.Minute)}
	}
	var judged []analysis.Judged
	var next []time.Time
	if a.builtin != nil {
		j, at := a.builtin.judge(req)
		judged, next = append(judged, j...), append(next, at...)
	}
	for i, p := range plans {
		j := analysis.Judged{Name: a.metrics[i].Name, FailureLimit: a.metrics[i].FailureLimit, First: p.sched.Due(p.sched.Window(req.Since, 0))}
		next = append(next, a.lateFailures(i, req, p, &j)...)
		n := a.users[i].complete(p.sched, req.Now)
		for k := range n {
			m := a.users[i].windows[k]
			if m == nil {
				continue
			}
			j.Measurements = append(j.Measurements, m.Measurement)
			next = append(next, a.again(m.Verdict, m.again, req.Now, []Source{a.metrics[i].Source}, p.sched, n-1-k)...)
		}
		judged = append(judged, j)
		next = append(next, p.sched.Due(p.sched.Window(req.Since, n)))
	}
	r := analysis.JudgeStep(judged)
	r.Next = earliest(next)
	if a.builtin != nil {
		r.Rates = a.builtin.rates(req)
	}
	return r
}

// lateFailures adds what the weights before turn out to have failed, and tells when to
// look for more.
func (a *Analyzer) lateFailures(i int, req analysis.Request, p plan, j *analysis.Judged) (next []time.Time) {
	st := a.lateUsers[i]
	n := st.complete(p.sched, req.Now)
	if at, ok := st.next(p.sched, n); ok {
		next = append(next, at)
	}
	for k := range n {
		m := st.windows[k]
		if m == nil || m.reported {
			continue
		}
		if m.Verdict == analysis.Failed {
			j.Measurements = append(j.Measurements, m.Measurement)
		}
		next = append(next, a.again(m.Verdict, m.again, req.Now, []Source{a.metrics[i].Source}, p.sched, n-1-k)...)
	}
	return next
}

// again is when a window that is not conclusive is worth another question.
func (a *Analyzer) again(v analysis.Verdict, at, now time.Time, srcs []Source, s analysis.Schedule, newer int) []time.Time {
	switch v {
	case analysis.Error:
		soon := now.Add(min(s.Grid, retry))
		for _, src := range srcs {
			if c := a.cooling[src]; c.until.After(soon) {
				soon = c.until
			}
		}
		return []time.Time{soon}
	case analysis.Inconclusive:
		if newer < reread && at.After(now) {
			return []time.Time{at}
		}
	case analysis.Successful, analysis.Failed:
	}
	return nil
}

func earliest(ts []time.Time) time.Time {
	out := ts[0]
	for _, t := range ts[1:] {
		if t.Before(out) {
			out = t
		}
	}
	return out
}
