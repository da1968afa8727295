package analysis

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// named is a complete window of requests to two load balancers, without errors.
func named(minute int, blue, green float64) ALBWindow {
	return ALBWindow{
		Window: minutes(minute, minute+1), Complete: true,
		Losing:  []ALBDestination{{Name: "blue", Share: 0.5, Requests: &blue}},
		Gaining: []ALBDestination{{Name: "green", Share: 0.5, Requests: &green}},
	}
}

func namedBefore() ALBWindow {
	w := named(0, 5000, 0)
	w.Window, w.Gaining[0].Requests = minutes(-5, 0), nil
	return w
}

func TestJudgingTheLoadBalancersBehindAName(t *testing.T) {
	for name, tc := range map[string]struct {
		change            func(s *ALBStep)
		targets, balancer Verdict
		message           string // of either
	}{
		"no errors pass": {func(*ALBStep) {}, Successful, Successful, ""},
		"errors of the gaining side's targets fail": {
			func(s *ALBStep) { s.Windows[0].Gaining[0].Errors = new(50.0) }, Failed, Successful,
			"target 5XX and connection errors of the gaining side: 10.00% (50 of 500) against the losing side's 0.00% (0 of 500)",
		},
		"errors of the gaining load balancer itself fail": {
			func(s *ALBStep) { s.Windows[0].Gaining[0].Balancer = new(50.0) }, Successful, Failed,
			"502, 503 and 504 of the gaining side's load balancers: 10.00% (50 of 500) against the losing side's 0.00% (0 of 500)",
		},
		"errors of both sides stop nothing": {
			func(s *ALBStep) {
				s.Windows[0].Gaining[0].Balancer, s.Windows[0].Losing[0].Balancer = new(50.0), new(50.0)
			}, Successful, Successful, "",
		},
		"at 100% the level before is compared with": {
			func(s *ALBStep) {
				s.Windows[0] = named(1, 0, 500)
				s.Windows[0].Losing[0].Requests, s.Windows[0].Gaining[0].Balancer = nil, new(50.0)
			}, Successful, Failed, "against the level before the shift 0.00% (0 of 5000)",
		},
		"503 without a target are trials too": {
			func(s *ALBStep) {
				s.Windows[0].Gaining[0].Balancer, s.Windows[0].Gaining[0].Unrouted = new(500.0), new(500.0)
			}, Successful, Failed, "50.00% (500 of 1000)",
		},
		"errors that no request was counted for fail": {
			func(s *ALBStep) {
				s.Windows[0].Gaining[0].Requests = nil
				s.Windows[0].Gaining[0].Balancer, s.Windows[0].Gaining[0].Unrouted = new(500.0), new(500.0)
			}, Inconclusive, Failed, "100.00% (500 of 500)",
		},
		"a gaining side that nobody asks holds": {
			func(s *ALBStep) { s.Windows[0].Gaining[0].Requests = nil }, Inconclusive, Inconclusive, "no requests of green in 12:01:00–12:02:00Z: there was traffic before the shift",
		},
		"idle as before holds: nothing tells it from lost metrics": {
			func(s *ALBStep) {
				*s = ALBStep{Windows: []ALBWindow{named(1, 0, 0)}, Before: named(0, 0, 0)}
				s.Windows[0].Gaining[0].Requests, s.Windows[0].Losing[0].Requests = nil, nil
			}, Inconclusive, Inconclusive, "nothing tells whether its load balancer is idle or its metrics are lost",
		},
		"too few requests hold":  {func(s *ALBStep) { s.Windows[0] = named(1, 500, 9) }, Inconclusive, Successful, "the gaining side had 9 requests"},
		"at weight 0 all passes": {func(s *ALBStep) { s.Windows[0].Gaining[0].Share = 0 }, Successful, Successful, ""},
		"no count holds":         {func(s *ALBStep) { s.Windows[0].Gaining[0].Balancer = new(math.NaN()) }, Inconclusive, Inconclusive, "HTTPCode_ELB_502, 503 and 504 of green is NaN"},
		"incomplete holds":       {func(s *ALBStep) { s.Before.Complete = false }, Inconclusive, Inconclusive, "before the shift"},
		"what could be chance holds": {
			func(s *ALBStep) {
				s.Windows[0] = named(1, 50, 50)
				s.Windows[0].Gaining[0].Balancer = new(5.0)
			}, Successful, Inconclusive, "it could still be chance",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := ALBStep{Windows: []ALBWindow{named(1, 500, 500)}, Before: namedBefore()}
			tc.change(&s)
			j := DNS{Rule: DefaultComparison(), MinRequests: 10}
			targets, balancer := j.TargetErrors(s), j.LoadBalancerErrors(s)
			if targets.Verdict != tc.targets || balancer.Verdict != tc.balancer {
				t.Errorf("targets %s %q, want %s; load balancers %s %q, want %s", targets.Verdict, targets.Message, tc.targets, balancer.Verdict, balancer.Message, tc.balancer)
			}
			if !strings.Contains(targets.Message+"\n"+balancer.Message, tc.message) {
				t.Errorf("%q is in neither\n%s\nnor\n%s", tc.message, targets.Message, balancer.Message)
			}
		})
	}
}

// No data is never success: without a count of requests nothing passes while weight is
// carried.
func TestANameIsNeverIdle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, j := drawStep(t), DNS{Rule: DefaultComparison(), MinRequests: 1}
		green := &s.Windows[len(s.Windows)-1].Gaining[0]
		green.Requests = nil
		green.Balancer = rapid.SampledFrom([]*float64{nil, new(0.0), new(40.0)}).Draw(t, "balancer")
		if m := j.TargetErrors(s); m.Verdict == Successful && value(green.Errors)+value(green.ConnectionErrors) == 0 {
			t.Fatalf("targets pass without a request: %s", m.Message)
		}
		if m := j.LoadBalancerErrors(s); m.Verdict == Successful && !some(green.Balancer) {
			t.Fatalf("load balancers pass without a request: %s", m.Message)
		}
	})
}
