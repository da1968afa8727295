package bench

import (
	"testing"
	"time"

	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/shift"
)

// restore breaks the second target group, which then fails 5 % of its requests, a while
// after a shift in steps of 5 minutes began. It gives the time from when the first data
// point with errors could be read at the source until the weights were those of before.
func restore(t *testing.T, f *fleet, after time.Duration) time.Duration {
	t.Helper()
	var broken time.Time
	time.AfterFunc(after, func() {
		broken = time.Now()
		if _, err := f.Faults().Add(fault.Rule{Kind: fault.TargetFailure, TargetGroup: "green", FailRate: 0.05}); err != nil {
			t.Error(err)
		}
	})
	o, err := f.run(t.Context(), f.routes[0], nil)
	if err != nil || o.Phase != shift.RolledBack || o.Reason != "AnalysisFailed" || !o.Live.Equal(o.From) {
		t.Fatalf("broken after %s: %s %s %s, %v", after, o.Phase, o.Reason, o.Message, err)
	}
	var back time.Time
	for _, call := range o.calls {
		if call.Weights != nil {
			back = call.Time
		}
	}
	return back.Sub(broken.Truncate(period).Add(period + delay))
}

// BenchmarkRestore reports the slowest of failures that begin all through a step.
func BenchmarkRestore(b *testing.B) {
	for b.Loop() {
		var slowest, sum time.Duration
		n := 0
		for after := 20 * time.Minute; after < 25*time.Minute; after += 20 * time.Second {
			virtual(b, 1, func(t *testing.T, f *fleet) {
				took := restore(t, f, after)
				slowest, sum, n = max(slowest, took), sum+took, n+1
			})
		}
		if slowest > period {
			b.Errorf("the slowest was restored after %s, want at most the analysis interval, %s", slowest, period)
		}
		b.ReportMetric(slowest.Seconds()/period.Seconds(), "slowest-restore/interval")
		b.ReportMetric(sum.Seconds()/float64(n)/period.Seconds(), "mean-restore/interval")
	}
	b.ReportMetric(0, "ns/op")
}
