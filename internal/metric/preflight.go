package metric

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/arn"
	"github.com/norikae/norikae/internal/fault"
)

// Preflight asks every query once over the window before the shift, so that what is
// misconfigured is found before anything is written. No data is fine.
func (a *Analyzer) Preflight(ctx context.Context, req analysis.Request) error {
	_, err := a.Probe(ctx, req)
	return err
}

// Probe is Preflight that also tells, in a line each, what the queries answered. Each
// metric is asked by itself: a source that refuses one query refuses the whole call.
func (a *Analyzer) Probe(ctx context.Context, req analysis.Request) ([]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var notes []string
	var errs []error
	if a.builtin != nil {
		note, err := a.probeBuiltin(ctx, req)
		if err != nil {
			errs = append(errs, fmt.Errorf("built-in analysis: %w", err))
		} else {
			notes = append(notes, "built-in analysis: "+note)
		}
	}
	for i := range a.metrics {
		u := &a.metrics[i]
		note, err := a.probeUser(ctx, u, req)
		if err != nil {
			errs = append(errs, fmt.Errorf("metric %q: %w", u.Name, err))
		} else {
			notes = append(notes, u.Name+": "+note)
		}
	}
	if a.drain != nil {
		note, err := a.probeUser(ctx, &a.drain.userMetric, req)
		if err != nil {
			errs = append(errs, nameDrain(err))
		} else {
			notes = append(notes, "drain metric: "+note)
		}
	}
	return notes, errors.Join(errs...)
}

func (a *Analyzer) probeUser(ctx context.Context, u *userMetric, req analysis.Request) (string, error) {
	p := a.prepare(u, req)
	if p.err != nil {
		return "", fault.Terminal("InvalidAnalysis", p.err)
	}
	w := p.sched.Before(req.Now.Add(-p.sched.Delay), 1)
	var got Result
	var b batch
	b.add(u.Source, Query{u.Name, p.text, w.Start, w.End}, func(r Result) { got = r })
	if u.MinRequests > 0 {
		if err := targetGroups(req.Gaining); err != nil {
			return "", err
		}
	}
	a.ask(ctx, req.Now, &b)
	if got.Err != nil {
		return "", fmt.Errorf("query: %w", got.Err)
	}
	v, err := u.Reducer.Reduce(values(got))
	if err != nil {
		return "", fault.Terminal("InvalidAnalysis", fmt.Errorf("query: %w", err))
	}
	note := fmt.Sprintf("no data in %s", w)
	if v != nil {
		note = fmt.Sprintf("%g in %s", *v, w)
	}
	if len(got.Notes) > 0 {
		note += " (" + strings.Join(got.Notes, "; ") + ")"
	}
	return note, nil
}

func (a *Analyzer) probeBuiltin(ctx context.Context, req analysis.Request) (string, error) {
	var b batch
	told, err := a.builtin.probe(&b, req)
	if err != nil {
		return "", err
	}
	a.ask(ctx, req.Now, &b)
	return told()
}

// targetGroups checks that CloudWatch can know the destinations.
func targetGroups(ids []string) error {
	for _, id := range ids {
		if arn.TargetGroupSuffix(id) == "" {
			return fault.Terminal("InvalidAnalysis", fmt.Errorf("destination %q is no target group's ARN, so the load balancer has no metrics of it", id))
		}
	}
	return nil
}
