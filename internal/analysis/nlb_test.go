package analysis

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// flows is a complete window of new connections, without resets.
func flows(minute int, n float64) NLBWindow {
	return NLBWindow{
		Window: minutes(minute, minute+1), Complete: true, Flows: &n, Active: new(50.0),
		Gaining: []Hosts{{Name: "green", Share: 0.5, Healthy: new(2.0)}},
	}
}

// still is a complete window without traffic, of targets that are healthy.
func still(minute int) NLBWindow {
	w := flows(minute, 0)
	w.Flows, w.Active = nil, nil
	return w
}

// flowsBefore are the five minutes that most cases compare with.
func flowsBefore() NLBWindow {
	w := flows(0, 5000)
	w.Window = minutes(-5, 0)
	return w
}

func judgeNLB(flows int) NLB { return NLB{Rule: DefaultComparison(), MinFlows: flows} }

func TestJudgingTargetResets(t *testing.T) {
	for name, tc := range map[string]struct {
		udp     bool
		change  func(s *NLBStep)
		want    Verdict
		message string
	}{
		"no resets pass": {false, func(*NLBStep) {}, Successful, ""},
		"more than before fail, with counts, bound and window": {
			false, func(s *NLBStep) { s.Windows[1].TargetResets = new(50.0) }, Failed,
			"resets by targets per new connection: 5.00% (50 of 1000) against the level before the shift 0.00% (0 of 5000) in 12:02:00–12:03:00Z; tolerated: 1 percentage point more; by chance alone with p < 7.6e-05",
		},
		"what clients reset is told with it": {
			false, func(s *NLBStep) { s.Windows[1].TargetResets, s.Windows[1].ClientResets = new(50.0), new(7.0) }, Failed,
			"; clients sent 7 resets of their own, which are not judged",
		},
		"clients may reset what they like": {
			false, func(s *NLBStep) { s.Windows[1].ClientResets = new(1000.0) }, Successful, "",
		},
		"as many as before pass": {
			false, func(s *NLBStep) { s.Windows[1].TargetResets, s.Before.TargetResets = new(50.0), new(250.0) }, Successful, "",
		},
		"half a percent more is tolerated": {false, func(s *NLBStep) { s.Windows[1].TargetResets = new(5.0) }, Successful, ""},
		"resets in each window that only together are beyond chance fail": {
			false, func(s *NLBStep) {
				s.Windows, s.Before = nil, flows(0, 300)
				for i := range 4 {
					s.Windows = append(s.Windows, flows(i+1, 60))
					s.Windows[i].TargetResets = new(5.0)
				}
			}, Failed, "8.33% (20 of 240)",
		},
		"resets that could still be chance hold": {
			false, func(s *NLBStep) {
				s.Windows, s.Before = []NLBWindow{flows(1, 50)}, flows(0, 50)
				s.Windows[0].TargetResets = new(5.0)
			}, Inconclusive, "it could still be chance",
		},
		"a side that breaks after hours fails at once": {
			false, func(s *NLBStep) {
				s.Windows = nil
				for i := range 500 {
					s.Windows = append(s.Windows, flows(i, 40))
				}
				s.Windows[499].TargetResets = new(8.0)
			}, Failed, "20.00% (8 of 40)",
		},
		"an earlier window that holds no counts hides nothing": {
			false, func(s *NLBStep) {
				s.Windows[0].TargetResets, s.Windows[1].TargetResets = new(-5000.0), new(50.0)
			}, Failed, "5.00% (50 of 1000)",
		},
		"resets of connections that were opened earlier count too": {
			false, func(s *NLBStep) { s.Windows[1].Flows, s.Windows[1].TargetResets = new(0.0), new(30.0) }, Failed, "100.00% (30 of 30)",
		},
		"too few new connections hold": {
			false, func(s *NLBStep) { s.Windows[1] = flows(2, 3) }, Inconclusive, "the load balancer had 3 new connections in 12:02:00–12:03:00Z; 10 are needed",
		},
		"none where there were some before holds": {
			false, func(s *NLBStep) { s.Windows[1] = still(2) }, Inconclusive, "no new connections of the load balancer in 12:02:00–12:03:00Z: there were some before the shift",
		},
		"none, counted as 0, where there were some before holds": {
			false, func(s *NLBStep) { s.Windows[1] = flows(2, 0) }, Inconclusive, "there were some before the shift",
		},
		"idle as before passes, and says so": {
			false, func(s *NLBStep) { s.Windows, s.Before = []NLBWindow{still(1)}, still(0) }, Successful, "judged by the healthy targets alone",
		},
		"only old connections, as before, are idle": {
			false, func(s *NLBStep) { s.Windows, s.Before = []NLBWindow{flows(1, 0)}, flows(0, 0) }, Successful, "idle",
		},
		"open connections and a count of new ones that is lost hold": {
			false, func(s *NLBStep) {
				s.Windows, s.Before = []NLBWindow{still(1)}, still(0)
				s.Windows[0].Active = new(9.0)
			}, Inconclusive, "ActiveFlowCount was up to 9, and there is no NewFlowCount; where connections outlive a shift, set analysis.builtin to false",
		},
		"the same before the shift holds": {
			false, func(s *NLBStep) {
				s.Windows, s.Before = []NLBWindow{still(1)}, still(0)
				s.Before.Active = new(9.0)
			}, Inconclusive, "before the shift ActiveFlowCount was up to 9",
		},
		"idle without HealthyHostCount in that window holds": {
			false, func(s *NLBStep) {
				s.Windows, s.Before = []NLBWindow{still(1)}, still(0)
				s.Windows[0].Gaining[0].Healthy = nil
			}, Inconclusive, "no HealthyHostCount of green",
		},
		"an incomplete answer holds":                       {false, func(s *NLBStep) { s.Windows[1].Complete = false }, Inconclusive, "incomplete"},
		"an incomplete answer about the time before holds": {false, func(s *NLBStep) { s.Before.Complete = false }, Inconclusive, "before the shift"},
		"negative counts hold":                             {false, func(s *NLBStep) { s.Windows[1].TargetResets = new(-1.0) }, Inconclusive, "TCP_Target_Reset_Count is -1"},
		"counts that are no numbers hold":                  {false, func(s *NLBStep) { s.Windows[1].Flows = new(math.NaN()) }, Inconclusive, "NewFlowCount is NaN"},
		"at weight 0 nothing is expected":                  {false, func(s *NLBStep) { s.Windows[1].Gaining[0].Share = 0 }, Successful, "no gaining destination carries weight yet"},
		"a share that cannot show passes, and says so": {
			false, func(s *NLBStep) { s.Windows[1].Gaining[0].Share, s.Windows[1].TargetResets = 0.01, new(10.0) }, Successful,
			"1% of the connections are too few to show above the tolerated 1%: judged by the healthy targets alone",
		},
		"twice that share shows": {
			false, func(s *NLBStep) { s.Windows[1].Gaining[0].Share, s.Windows[1].TargetResets = 0.02, new(20.0) }, Failed, "2.00% (20 of 1000)",
		},
		"UDP is judged by its flows, and says so": {
			true, func(*NLBStep) {}, Successful, "UDP has no resets: judged by the healthy targets, and by 1000 new flows in 12:02:00–12:03:00Z, alone",
		},
		"resets beside UDP are of other listeners": {true, func(s *NLBStep) { s.Windows[1].TargetResets = new(900.0) }, Successful, ""},
		"UDP without flows holds":                  {true, func(s *NLBStep) { s.Windows[1] = still(2) }, Inconclusive, "there were some before the shift"},
	} {
		t.Run(name, func(t *testing.T) {
			s := NLBStep{Windows: []NLBWindow{flows(1, 1000), flows(2, 1000)}, Before: flowsBefore()}
			tc.change(&s)
			j := judgeNLB(10)
			j.UDP = tc.udp
			got := j.TargetResets(s)
			if got.Verdict != tc.want || !strings.Contains(got.Message, tc.message) {
				t.Errorf("got %s %q,\nwant %s %q", got.Verdict, got.Message, tc.want, tc.message)
			}
			if tc.udp && got.Value != nil {
				t.Errorf("UDP has a value of resets: %v", *got.Value)
			}
		})
	}
}

func TestJudgingTheNLBsResets(t *testing.T) {
	for name, tc := range map[string]struct {
		udp     bool
		change  func(s *NLBStep)
		want    Verdict
		message string
	}{
		"none pass": {false, func(*NLBStep) {}, Successful, ""},
		"resets and connections to unhealthy targets count together": {
			false, func(s *NLBStep) { s.Windows[0].BalancerResets, s.Windows[0].Unhealthy = new(20.0), new(10.0) }, Failed,
			"resets by the load balancer, and connections to unhealthy targets, per new connection: 3.00% (30 of 1000) against the level before the shift 0.00% (0 of 5000)",
		},
		"as many as before pass":           {false, func(s *NLBStep) { s.Windows[0].BalancerResets, s.Before.BalancerResets = new(30.0), new(150.0) }, Successful, ""},
		"resets by targets are not theirs": {false, func(s *NLBStep) { s.Windows[0].TargetResets = new(500.0) }, Successful, ""},
		"negative counts hold":             {false, func(s *NLBStep) { s.Windows[0].BalancerResets = new(-1.0) }, Inconclusive, "TCP_ELB_Reset_Count is -1"},
		"what could still be chance holds": {
			false, func(s *NLBStep) { s.Windows[0].Unhealthy, s.Before.Unhealthy = new(32.0), new(100.0) }, Inconclusive, "it could still be chance",
		},
		"a load balancer that fell silent holds": {false, func(s *NLBStep) { s.Windows[0] = still(1) }, Inconclusive, "there were some before the shift"},
		"it is judged at weight 0 too": {
			false, func(s *NLBStep) { s.Windows[0].BalancerResets, s.Windows[0].Gaining[0].Share = new(500.0), 0 }, Failed, "50.00%",
		},
		"UDP flows to unhealthy targets fail": {
			true, func(s *NLBStep) { s.Windows[0].Unhealthy, s.Windows[0].BalancerResets = new(400.0), new(100.0) }, Failed, "flows to unhealthy targets per new flow: 40.00% (400 of 1000)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := NLBStep{Windows: []NLBWindow{flows(1, 1000)}, Before: flowsBefore()}
			tc.change(&s)
			j := judgeNLB(1)
			j.UDP = tc.udp
			if got := j.BalancerResets(s); got.Verdict != tc.want || !strings.Contains(got.Message, tc.message) {
				t.Errorf("got %s %q,\nwant %s %q", got.Verdict, got.Message, tc.want, tc.message)
			}
		})
	}
}

// drawFlows gives a window any counts at all, missing and strange ones included.
func drawFlows(t *rapid.T, minute int) NLBWindow {
	v := func(name string) *float64 {
		switch rapid.IntRange(0, 9).Draw(t, name+" kind") {
		case 0, 1, 2:
			return nil
		case 3:
			return new(rapid.SampledFrom([]float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1)}).Draw(t, name))
		}
		return new(float64(rapid.IntRange(0, 500).Draw(t, name)))
	}
	return NLBWindow{
		Window: minutes(minute, minute+1), Complete: rapid.Bool().Draw(t, "complete"),
		Gaining: []Hosts{{Name: "green", Share: rapid.SampledFrom([]float64{0.1, 1}).Draw(t, "share"), Healthy: v("healthy")}},
		Flows:   v("flows"), Active: v("active"), TargetResets: v("target resets"), BalancerResets: v("balancer resets"),
		ClientResets: v("client resets"), Unhealthy: v("unhealthy"),
	}
}

func drawNLBStep(t *rapid.T) NLBStep {
	s := NLBStep{Before: drawFlows(t, 0)}
	for k := range rapid.IntRange(1, 4).Draw(t, "windows") {
		s.Windows = append(s.Windows, drawFlows(t, k+1))
	}
	return s
}

func TestTheNLBsAnalysisPassesOnlyOnGroundsThatItHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, j := drawNLBStep(t), judgeNLB(rapid.IntRange(1, 100).Draw(t, "min flows"))
		j.UDP = rapid.Bool().Draw(t, "udp")
		w := s.Windows[len(s.Windows)-1]
		healthy := w.Gaining[0].Healthy
		if m := j.HealthyHosts(s); m.Verdict == Successful && (healthy == nil || !(*healthy >= 1) || math.IsInf(*healthy, 0)) {
			t.Fatalf("healthy hosts pass on %v", healthy)
		}
		for name, m := range map[string]Measurement{"targets": j.TargetResets(s), "balancer": j.BalancerResets(s)} {
			if m.Verdict != Successful {
				continue
			}
			for _, v := range []*float64{w.Flows, w.TargetResets, w.BalancerResets, w.Unhealthy, s.Before.Flows, s.Before.TargetResets} {
				if v != nil && !count(*v) {
					t.Fatalf("%s passes on a count of %v", name, *v)
				}
			}
			switch {
			case !w.Complete || !s.Before.Complete:
				t.Fatalf("%s passes on an incomplete answer", name)
			case name == "targets" && some(w.Flows) && *w.Flows < float64(j.MinFlows):
				t.Fatalf("passes on %v of %d new connections", *w.Flows, j.MinFlows)
			case !some(w.Flows) && (healthy == nil || some(s.Before.Flows) || w.Flows == nil && some(w.Active)) && value(w.BalancerResets)+value(w.Unhealthy)+value(w.TargetResets) == 0:
				t.Fatalf("%s passes as idle: %s", name, m.Message)
			}
		}
	})
}

func TestMoreResetsNeverTurnAFailedStepIntoAPassingOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, j := drawNLBStep(t), judgeNLB(1)
		w := &s.Windows[len(s.Windows)-1]
		more := float64(rapid.IntRange(1, 1000).Draw(t, "more"))
		if j.TargetResets(s).Verdict == Failed {
			w.TargetResets = plusErrors(w.TargetResets, more)
			if m := j.TargetResets(s); m.Verdict != Failed {
				t.Fatalf("with more resets by targets it is %s: %s", m.Verdict, m.Message)
			}
		}
		if j.BalancerResets(s).Verdict == Failed {
			w.BalancerResets = plusErrors(w.BalancerResets, more)
			if m := j.BalancerResets(s); m.Verdict != Failed {
				t.Fatalf("with more resets by the load balancer it is %s: %s", m.Verdict, m.Message)
			}
		}
	})
}

// Whatever clients do, and whatever they do it to, changes no verdict.
func TestClientsResetsAreNeverJudged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, j := drawNLBStep(t), judgeNLB(1)
		before := []Verdict{j.TargetResets(s).Verdict, j.BalancerResets(s).Verdict, j.HealthyHosts(s).Verdict}
		s.Windows[len(s.Windows)-1].ClientResets = new(float64(rapid.IntRange(0, 1_000_000).Draw(t, "client resets")))
		after := []Verdict{j.TargetResets(s).Verdict, j.BalancerResets(s).Verdict, j.HealthyHosts(s).Verdict}
		for i := range before {
			if before[i] != after[i] {
				t.Fatalf("%v became %v", before, after)
			}
		}
	})
}
