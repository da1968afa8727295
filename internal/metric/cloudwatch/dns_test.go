package cloudwatch_test

import (
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/awssim/synth"
	"github.com/norikae/norikae/internal/metric"
)

func TestAnalysisOfLoadBalancersBehindANameAgainstTheSimulator(t *testing.T) {
	for name, tc := range map[string]struct {
		green, blue synth.Behaviour
		weights     [2]int
		verdict     analysis.Verdict
		message     string
	}{
		"a good green passes":                 {weights: [2]int{90, 10}, verdict: analysis.Successful},
		"a good green passes at 100%":         {weights: [2]int{0, 100}, verdict: analysis.Successful},
		"a green with 5% errors fails":        {green: synth.Behaviour{ErrorRate: 0.05}, weights: [2]int{50, 50}, verdict: analysis.Failed, message: metric.TargetErrors + ": target 5XX"},
		"a green that times out fails":        {green: synth.Behaviour{TimeoutRate: 0.1}, weights: [2]int{50, 50}, verdict: analysis.Failed, message: metric.LoadBalancerErrors + ": 502, 503 and 504 of the gaining side's load balancers: 10.00% (60 of 600)"},
		"so it does at 100%":                  {green: synth.Behaviour{TimeoutRate: 0.1}, weights: [2]int{0, 100}, verdict: analysis.Failed, message: "the level before the shift 0.00% (0 of 6000)"},
		"errors of both sides stop nothing":   {green: synth.Behaviour{ErrorRate: 0.05}, blue: synth.Behaviour{ErrorRate: 0.05}, weights: [2]int{50, 50}, verdict: analysis.Successful},
		"a green that few resolvers get to":   {green: synth.Behaviour{ErrorRate: 1}, weights: [2]int{99, 1}, verdict: analysis.Failed, message: "(12 of 12)"},
		"a blue that is worse does not count": {blue: synth.Behaviour{ErrorRate: 0.2}, weights: [2]int{50, 50}, verdict: analysis.Successful},
	} {
		t.Run(name, func(t *testing.T) {
			inWorldOf(t, "DNS", 0, func(t *testing.T, w *world) {
				a := w.analyzer(metric.Config{DNS: w.dns(), Builtin: true})
				if notes, err := a.Probe(t.Context(), w.shiftTo(100, 0)); err != nil || len(notes) != 1 || !strings.Contains(notes[0], "blue 6000; none of green") {
					t.Fatalf("preflight: %v, %v", notes, err)
				}
				req := w.shiftTo(tc.weights[0], tc.weights[1])
				w.behave("green", tc.green)
				w.behave("blue", tc.blue)
				r, _ := w.follow(a, req, 10*time.Minute, analysis.Successful, analysis.Failed)
				if r.Verdict != tc.verdict || !strings.Contains(r.Message, tc.message) {
					t.Errorf("verdict %s, want %s; message %q, want %q", r.Verdict, tc.verdict, r.Message, tc.message)
				}
			})
		})
	}
}

func TestANameWhoseTrafficOrMetricsAreGoneHolds(t *testing.T) {
	for name, gone := range map[string]func(*world){
		"the metrics are lost": func(w *world) { w.publish(delay, func(string) bool { return true }) },
		"the traffic ends":     func(w *world) { w.plane.SetTraffic(false) },
		"it was always idle":   func(w *world) { w.plane.SetTraffic(false); w.sleep(10 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorldOf(t, "DNS", 0, func(t *testing.T, w *world) {
				gone(w)
				r, _ := w.follow(w.analyzer(metric.Config{DNS: w.dns(), Builtin: true}), w.shiftTo(50, 50), 10*time.Minute, analysis.Successful, analysis.Failed)
				if r.Verdict != analysis.Inconclusive || !strings.Contains(r.Message, "no requests of green") {
					t.Errorf("%s %q", r.Verdict, r.Message)
				}
			})
		})
	}
}
