package cloudwatch_test

import (
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/awssim/synth"
	"github.com/norikae/norikae/internal/metric"
)

func TestBuiltinAnalysisAgainstTheSimulator(t *testing.T) {
	for name, tc := range map[string]struct {
		green, blue synth.Behaviour
		weights     [2]int
		verdict     analysis.Verdict
		message     string
	}{
		"a good green passes":                             {weights: [2]int{90, 10}, verdict: analysis.Successful},
		"a good green passes at 100%":                     {weights: [2]int{0, 100}, verdict: analysis.Successful},
		"a green with 5% errors fails":                    {green: synth.Behaviour{ErrorRate: 0.05}, weights: [2]int{50, 50}, verdict: analysis.Failed, message: metric.TargetErrors + ": target 5XX"},
		"a green with 5% errors fails at 100%":            {green: synth.Behaviour{ErrorRate: 0.05}, weights: [2]int{0, 100}, verdict: analysis.Failed, message: "the level before the shift 0.00% (0 of 6000)"},
		"errors of both sides stop nothing":               {green: synth.Behaviour{ErrorRate: 0.05}, blue: synth.Behaviour{ErrorRate: 0.05}, weights: [2]int{50, 50}, verdict: analysis.Successful},
		"half a percent more is tolerated":                {green: synth.Behaviour{ErrorRate: 0.005}, weights: [2]int{0, 100}, verdict: analysis.Successful},
		"a green that takes no connections fails":         {green: synth.Behaviour{ConnectionErrorRate: 0.1}, weights: [2]int{50, 50}, verdict: analysis.Failed, message: "connection errors"},
		"a green that resets connections fails":           {green: synth.Behaviour{ResetRate: 0.1}, weights: [2]int{50, 50}, verdict: analysis.Failed, message: metric.LoadBalancerErrors + ": 502, 503 and 504"},
		"a green that times out fails":                    {green: synth.Behaviour{TimeoutRate: 0.1}, weights: [2]int{50, 50}, verdict: analysis.Failed, message: metric.LoadBalancerErrors},
		"a green whose targets are all unhealthy fails":   {green: synth.Behaviour{Unhealthy: true}, weights: [2]int{50, 50}, verdict: analysis.Failed, message: "HealthyHostCount of green fell to 0"},
		"a blue that is worse than green does not matter": {blue: synth.Behaviour{ErrorRate: 0.2}, weights: [2]int{50, 50}, verdict: analysis.Successful},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 0, func(t *testing.T, w *world) {
				a := w.analyzer(metric.Config{ALB: w.alb(), Builtin: true})
				if notes, err := a.Probe(t.Context(), w.shiftTo(100, 0)); err != nil || len(notes) != 1 {
					t.Fatalf("preflight: %v, %v", notes, err)
				}
				req := w.shiftTo(tc.weights[0], tc.weights[1])
				w.behave("green", tc.green)
				w.behave("blue", tc.blue)
				r, took := w.follow(a, req, 10*time.Minute, analysis.Successful, analysis.Failed)
				if r.Verdict != tc.verdict || !strings.Contains(r.Message, tc.message) {
					t.Errorf("verdict %s, want %s; message %q, want %q", r.Verdict, tc.verdict, r.Message, tc.message)
				}
				// 7 s past the minute + 10 s settle: the window begins 53 s after the write.
				if want := 53*time.Second + period + delay; took != want {
					t.Errorf("known after %s, want %s", took, want)
				}
			})
		})
	}
}
