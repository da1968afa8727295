package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/shift"
)

// listener is a judge that keeps what it was asked.
type listener struct {
	judge

	asked []analysis.Request
}

func (l *listener) Analyze(ctx context.Context, req analysis.Request) analysis.Report {
	l.asked = append(l.asked, req)
	return l.judge.Analyze(ctx, req)
}

func TestAnAnalyzerIsToldSinceWhenTheWeightsBeforeWereLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, l := newRoute(), &listener{judge: judge{window: 2 * time.Minute}}
		time.AfterFunc(22*time.Minute, func() { r.drift(ab(33, 67)) }) // in the fifth step
		time.AfterFunc(23*time.Minute, func() { r.drift(ab(50, 50)) })
		res, err := newEngine(t, r, "m/1/x", func(c *Config) { c.Analyzer = l }).Run(t.Context())
		if err != nil || res.Phase != shift.Succeeded {
			t.Fatalf("%+v, %v", res, err)
		}
		var since, drifted time.Time // of the weights asked about last; of those after the drift
		var before time.Time
		for _, req := range l.asked {
			if !req.Since.Equal(since) {
				before, since = since, req.Since
				if req.Live.Equal(ab(50, 50)) && !before.IsZero() && since.Sub(before) < 5*time.Minute {
					drifted, before = since, time.Time{} // ours again
				}
			}
			if !req.Before.Equal(before) {
				t.Fatalf("asked about %s since %s with %s before, want %s", req.Live, req.Since, req.Before, before)
			}
		}
		if drifted.IsZero() {
			t.Error("the drift was not noticed")
		}
	})
}
