package metric

import (
	"errors"
	"fmt"
	"time"

	"github.com/norikae/norikae/internal/analysis"
)

// drain is the metric that tells when the losing side has no connections left. Only its
// newest complete window counts.
type drain struct {
	userMetric

	window analysis.Window
	last   *measured // of window; nil: not measured yet
}

func newDrain(m Metric, alb *ALB) (*drain, error) {
	if m.MinRequests > 0 {
		return nil, errors.New("minRequests: a side that drains has no requests to count")
	}
	u, err := newUserMetric(m, alb)
	if err != nil {
		return nil, err
	}
	return &drain{userMetric: u}, nil
}

// planDrain puts the newest complete window into the batch, unless it is known or not
// asked for.
func (a *Analyzer) planDrain(b *batch, req analysis.Request) plan {
	if a.drain == nil || !req.Drain {
		return plan{}
	}
	d := a.drain
	p := a.prepare(&d.userMetric, req)
	n := p.sched.Complete(req.Since, req.Now)
	if n == 0 {
		d.last = nil
		return p
	}
	w := p.sched.Window(req.Since, n-1)
	if d.last != nil && d.window == w && settled(d.last.Verdict, d.last.again, req.Now, 0) {
		return p
	}
	d.window, d.last = w, nil
	if p.err != nil {
		d.last = &measured{Measurement: broken(w, p.err)}
		return p
	}
	take := a.takeUser(&d.userMetric, req, p, w, func(m measured) { d.last = &m })
	b.add(d.Source, Query{d.Name, p.text, w.Start, w.End}, take.value)
	return p
}

// reportDrain adds what the drain's metric says to a report, and when it will say more.
func (a *Analyzer) reportDrain(r *analysis.Report, req analysis.Request, p plan) {
	if a.drain == nil || !req.Drain {
		return
	}
	d := a.drain
	next := []time.Time{r.Next, p.sched.Due(p.sched.Window(req.Since, p.sched.Complete(req.Since, req.Now)))}
	if d.last != nil {
		m := d.last.Measurement
		r.Drain = &m
		next = append(next, a.again(m.Verdict, d.last.again, req.Now, []Source{d.Source}, p.sched, 0)...)
	}
	r.Next = earliest(next)
}

// nameDrain in the errors of New and Probe.
func nameDrain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("drain metric: %w", err)
}
