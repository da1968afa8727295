package cloudwatch_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/awssim/synth"
	"github.com/norikae/norikae/internal/metric"
	"github.com/norikae/norikae/internal/metric/cloudwatch"
)

func TestAnalysisOfAnNLBAgainstTheSimulator(t *testing.T) {
	for name, tc := range map[string]struct {
		protocol    string // TCP unless given
		green, blue synth.Behaviour
		weights     [2]int
		verdict     analysis.Verdict
		message     string
	}{
		"a good green passes":         {weights: [2]int{90, 10}, verdict: analysis.Successful},
		"a good green passes at 100%": {weights: [2]int{0, 100}, verdict: analysis.Successful},
		"a good green passes by TLS":  {protocol: "TLS", weights: [2]int{50, 50}, verdict: analysis.Successful},
		"a green that resets 10% fails at a half": {
			green: synth.Behaviour{ResetRate: 0.1}, weights: [2]int{50, 50}, verdict: analysis.Failed,
			message: metric.TargetResets + ": resets by targets per new connection: 5.00% (60 of 1200) against the level before the shift 0.00% (0 of 6000)",
		},
		"a green that resets all fails at a tenth": {
			green: synth.Behaviour{ResetRate: 1}, weights: [2]int{90, 10}, verdict: analysis.Failed, message: metric.TargetResets,
		},
		"a green that cannot be reached fails": {
			green: synth.Behaviour{ConnectionErrorRate: 0.1}, weights: [2]int{50, 50}, verdict: analysis.Failed,
			message: metric.LoadBalancerResets + ": resets by the load balancer, and connections to unhealthy targets, per new connection: 5.00% (60 of 1200)",
		},
		"a green whose targets are all unhealthy fails": {
			green: synth.Behaviour{Unhealthy: true}, weights: [2]int{50, 50}, verdict: analysis.Failed, message: "HealthyHostCount of green fell to 0",
		},
		"half a percent more is tolerated": {green: synth.Behaviour{ResetRate: 0.01}, weights: [2]int{50, 50}, verdict: analysis.Successful},
		"a good green passes by UDP":       {protocol: "UDP", weights: [2]int{50, 50}, verdict: analysis.Successful},
		"an unhealthy green fails by UDP": {
			protocol: "UDP", green: synth.Behaviour{Unhealthy: true}, weights: [2]int{50, 50}, verdict: analysis.Failed,
			message: "flows to unhealthy targets per new flow: 50.00% (600 of 1200)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			protocol := "TCP"
			if tc.protocol != "" {
				protocol = tc.protocol
			}
			inWorldOf(t, protocol, 0, func(t *testing.T, w *world) {
				a := w.analyzer(metric.Config{NLB: w.nlb(), Builtin: true})
				if notes, err := a.Probe(t.Context(), w.shiftTo(100, 0)); err != nil || len(notes) != 1 || !strings.Contains(notes[0], "the load balancer had 6000 new connections in") {
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

func TestResetsThatWereThereBeforeStopNothing(t *testing.T) {
	inWorldOf(t, "TCP", 0, func(t *testing.T, w *world) {
		w.behave("blue", synth.Behaviour{ResetRate: 0.05})
		w.behave("green", synth.Behaviour{ResetRate: 0.05})
		w.sleep(10 * time.Minute)
		a := w.analyzer(metric.Config{NLB: w.nlb(), Builtin: true})
		r, _ := w.follow(a, w.shiftTo(50, 50), 10*time.Minute, analysis.Successful, analysis.Failed)
		if m := last(t, r, metric.TargetResets); r.Verdict != analysis.Successful || m.Value == nil || *m.Value != 0.05 || *m.Old != 0.05 {
			t.Errorf("%s %q, %+v", r.Verdict, r.Message, m)
		}
		if r.Rates != nil {
			t.Errorf("rates of destinations that AWS does not tell: %v", r.Rates)
		}
	})
}

func TestWhatIsLostOfAnNLBHolds(t *testing.T) {
	for name, tc := range map[string]struct {
		lost    func(string) bool
		message string
	}{
		"new flows":     {func(m string) bool { return m == "NewFlowCount" }, "and there is no NewFlowCount"},
		"healthy hosts": {func(m string) bool { return m == "HealthyHostCount" }, "no HealthyHostCount of green"},
		"everything":    {func(string) bool { return true }, "no HealthyHostCount of green"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorldOf(t, "TCP", 0, func(t *testing.T, w *world) {
				a := w.analyzer(metric.Config{NLB: w.nlb(), Builtin: true})
				w.publish(delay, tc.lost)
				r, _ := w.follow(a, w.shiftTo(50, 50), 10*time.Minute, analysis.Successful, analysis.Failed)
				if r.Verdict != analysis.Inconclusive || !strings.Contains(r.Message, tc.message) {
					t.Errorf("%s %q", r.Verdict, r.Message)
				}
			})
		})
	}
}

func TestAnIdleNLBIsJudgedByHealthAloneAndSaid(t *testing.T) {
	inWorldOf(t, "TCP", 0, func(t *testing.T, w *world) {
		w.plane.SetTraffic(false)
		w.sleep(10 * time.Minute)
		a, req := w.analyzer(metric.Config{NLB: w.nlb(), Builtin: true}), w.shiftTo(50, 50)
		r, _ := w.follow(a, req, 10*time.Minute, analysis.Successful, analysis.Failed)
		if m := last(t, r, metric.TargetResets); r.Verdict != analysis.Successful || !strings.Contains(m.Message, "judged by the healthy targets alone") {
			t.Errorf("%s %q %q", r.Verdict, r.Message, m.Message)
		}
	})
}

func TestUDPIsSaidToHaveNoResets(t *testing.T) {
	inWorldOf(t, "UDP", 0, func(t *testing.T, w *world) {
		a, req := w.analyzer(metric.Config{NLB: w.nlb(), Builtin: true}), w.shiftTo(50, 50)
		r, _ := w.follow(a, req, 10*time.Minute, analysis.Successful, analysis.Failed)
		if m := last(t, r, metric.TargetResets); r.Verdict != analysis.Successful || m.Value != nil || !strings.Contains(m.Message, "UDP has no resets") || !strings.Contains(m.Message, "1200 new flows") {
			t.Errorf("%s %q %+v", r.Verdict, r.Message, m)
		}
	})
}

func TestANLBsMetricsOfAMomentAreOneCall(t *testing.T) {
	inWorldOf(t, "TCP", 0, func(t *testing.T, w *world) {
		nlb := w.nlb()
		nlb.MinRequests = 1200
		a, req := w.analyzer(metric.Config{NLB: nlb, Builtin: true}), w.shiftTo(50, 50)
		w.callCount()
		if r, _ := w.follow(a, req, 10*time.Minute, analysis.Successful, analysis.Failed); r.Verdict != analysis.Successful || len(r.Metrics) != 3 {
			t.Fatalf("%s %q", r.Verdict, r.Message)
		}
		if n := w.callCount(); n != 2 {
			t.Errorf("%d calls for the first window, want 1 for the level before and 1 for the window", n)
		}
		for range 3 {
			w.sleep(period)
			req.Now = time.Now()
			if r := a.Analyze(t.Context(), req); r.Verdict != analysis.Successful {
				t.Errorf("%s %q", r.Verdict, r.Message)
			}
			if n := w.callCount(); n != 1 {
				t.Errorf("%d calls for one window more, want 1", n)
			}
		}
	})
	inWorldOf(t, "TCP", 0, func(t *testing.T, w *world) {
		nlb := w.nlb()
		nlb.MinRequests = 1201
		r, _ := w.follow(w.analyzer(metric.Config{NLB: nlb, Builtin: true}), w.shiftTo(50, 50), 10*time.Minute, analysis.Successful, analysis.Failed)
		if r.Verdict != analysis.Inconclusive || !strings.Contains(r.Message, "had 1200 new connections in") || !strings.Contains(r.Message, "1201 are needed") {
			t.Errorf("%s %q", r.Verdict, r.Message)
		}
	})
}

func TestARestartedAnalyzerOfAnNLBComesToTheSameReport(t *testing.T) {
	inWorldOf(t, "TCP", 2, func(t *testing.T, w *world) {
		cfg := metric.Config{NLB: w.nlb(), Builtin: true}
		first, req := w.analyzer(cfg), w.shiftTo(90, 10)
		for p := 10; p <= 50; p += 20 {
			w.behave("green", synth.Behaviour{ResetRate: 0.03})
			for range 5 {
				w.sleep(period)
				req.Now = time.Now()
				a := first.Analyze(t.Context(), req)
				b := w.analyzer(cfg).Analyze(t.Context(), req)
				if a.Verdict != b.Verdict || a.Message != b.Message || !a.Next.Equal(b.Next) || fmt.Sprintf("%+v", counts(a)) != fmt.Sprintf("%+v", counts(b)) {
					t.Errorf("after %s:\n%+v\n%+v", time.Since(req.Since), a, b)
				}
			}
			req.Before = req.Since
			req = w.step(req, 100-p-20, p+20)
		}
	})
}

func TestStepsOfAWholeShiftOfAnNLB(t *testing.T) {
	inWorldOf(t, "TCP_UDP", 0, func(t *testing.T, w *world) {
		a := w.analyzer(metric.Config{NLB: w.nlb(), Builtin: true})
		req := w.shiftTo(90, 10)
		for p := 10; p <= 100; p += 10 {
			if p > 10 {
				req = w.step(req, 100-p, p)
			}
			r, took := w.follow(a, req, 10*time.Minute, analysis.Successful, analysis.Failed)
			if r.Verdict != analysis.Successful || took > cloudwatch.DefaultTiming().Window()+period {
				t.Fatalf("at %d%%: %s %q after %s", p, r.Verdict, r.Message, took)
			}
		}
		w.behave("green", synth.Behaviour{ResetRate: 0.1})
		began := time.Now()
		r, _ := w.follow(a, req, 2*time.Hour, analysis.Failed)
		if r.Verdict != analysis.Failed || time.Since(began) > 2*period+delay {
			t.Errorf("a green that breaks during the bake: %s %q after %s", r.Verdict, r.Message, time.Since(began))
		}
	})
}
