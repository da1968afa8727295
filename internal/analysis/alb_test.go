package analysis

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// blueGreen is a complete window of traffic from blue to green, without errors.
func blueGreen(minute int, blue, green float64) ALBWindow {
	w := ALBWindow{
		Window: minutes(minute, minute+1), Complete: true, Requests: new(blue + green),
		Losing:  []ALBDestination{{Name: "blue", Share: 0.5, Requests: &blue}},
		Gaining: []ALBDestination{{Name: "green", Share: 0.5, Requests: &green, Healthy: new(2.0)}},
	}
	return w
}

// quiet is a complete window without traffic, of targets that are healthy.
func quiet(minute int) ALBWindow {
	w := blueGreen(minute, 0, 0)
	w.Requests, w.Losing[0].Requests, w.Gaining[0].Requests = nil, nil, nil
	return w
}

// before is the level that most cases compare with.
func before() ALBWindow {
	w := blueGreen(0, 5000, 0)
	w.Window, w.Gaining[0].Requests = minutes(-5, 0), nil
	return w
}

func judge(requests int) ALB { return ALB{Rule: DefaultComparison(), MinRequests: requests} }

func TestJudgingTargetErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(s *ALBStep)
		want    Verdict
		message string
	}{
		"no errors pass": {func(*ALBStep) {}, Successful, ""},
		"more errors than the other side fail, with values, counts, bound and window": {
			func(s *ALBStep) { s.Windows[1].Gaining[0].Errors = new(25.0) }, Failed,
			"target 5XX and connection errors of the gaining side: 5.00% (25 of 500) against the losing side's 0.00% (0 of 500) in 12:02:00–12:03:00Z; tolerated: 1 percentage point more; by chance alone with p < 7.6e-05",
		},
		"connection errors count": {func(s *ALBStep) { s.Windows[1].Gaining[0].ConnectionErrors = new(25.0) }, Failed, "5.00% (25 of 500)"},
		"errors in each window that only together are beyond chance fail": {
			func(s *ALBStep) {
				s.Windows = nil
				for i := range 4 {
					s.Windows = append(s.Windows, blueGreen(i+1, 50, 50))
					s.Windows[i].Gaining[0].Errors = new(5.0)
				}
			}, Failed, "10.00% (20 of 200) against the losing side's 0.00% (0 of 200) in 12:01:00–12:05:00Z",
		},
		"errors that could still be chance hold": {
			func(s *ALBStep) {
				s.Windows = []ALBWindow{blueGreen(1, 50, 50)}
				s.Windows[0].Gaining[0].Errors = new(5.0)
			}, Inconclusive, "10.00% (5 of 50) against the losing side's 0.00% (0 of 50) in 12:01:00–12:02:00Z; tolerated: 1 percentage point more; it could still be chance",
		},
		"a side that breaks after hours without errors fails at once": {
			func(s *ALBStep) {
				s.Windows = nil
				for i := range 500 {
					s.Windows = append(s.Windows, blueGreen(i, 0, 40))
				}
				s.Windows[499].Gaining[0].Errors = new(8.0)
			}, Failed, "20.00% (8 of 40) against the level before the shift 0.00% (0 of 5000)",
		},
		"few requests that all fail after hours without errors fail": {
			func(s *ALBStep) {
				s.Windows, s.Before.Losing[0].Requests = nil, new(30.0)
				for i := range 500 {
					s.Windows = append(s.Windows, blueGreen(i, 0, 6))
				}
				s.Windows[499].Gaining[0].Errors = new(6.0)
			}, Failed, "100.00% (6 of 6) against the level before the shift 0.00% (0 of 30)",
		},
		"an earlier window that holds no counts hides nothing": {
			func(s *ALBStep) {
				s.Windows = nil
				for i := range 4 {
					s.Windows = append(s.Windows, blueGreen(i+1, 50, 50))
					s.Windows[i].Gaining[0].Errors = new(6.0)
				}
				s.Windows[0].Gaining[0].Errors = new(-100.0)
			}, Failed, "12.00% (18 of 150) against the losing side's 0.00% (0 of 150)",
		},
		"errors that were an hour ago do not make a step wait": {
			func(s *ALBStep) {
				s.Windows = nil
				for i := range 60 {
					s.Windows = append(s.Windows, blueGreen(i, 50, 50))
				}
				s.Windows[0].Gaining[0].Errors = new(5.0)
			}, Successful, "",
		},
		"too few requests hold, with the counts": {
			func(s *ALBStep) { s.Windows[1] = blueGreen(2, 500, 3) }, Inconclusive,
			"the gaining side had 3 requests in 12:02:00–12:03:00Z (the losing side 500); 10 are needed",
		},
		"no data with traffic on the other side holds": {
			func(s *ALBStep) { s.Windows[1].Gaining[0].Requests = nil }, Inconclusive, "no requests of green",
		},
		"no data where there was traffic before holds": {
			func(s *ALBStep) { s.Windows[1] = quiet(2) }, Inconclusive, "there was traffic before the shift",
		},
		"idle as before passes, and says so": {
			func(s *ALBStep) { s.Windows, s.Before = []ALBWindow{quiet(1)}, quiet(0) }, Successful, "judged by the healthy targets alone",
		},
		"answers of targets without any request count hold": {
			func(s *ALBStep) {
				s.Windows, s.Before = []ALBWindow{quiet(1)}, quiet(0)
				s.Windows[0].Gaining[0].Answers = new(900.0)
			}, Inconclusive, "the route has traffic",
		},
		"idle on a load balancer whose other rules are busy, as before, passes": {
			func(s *ALBStep) {
				s.Windows, s.Before = []ALBWindow{quiet(1)}, quiet(0)
				s.Windows[0].Requests, s.Before.Requests = new(900.0), new(4000.0)
			}, Successful, "idle",
		},
		"requests of the load balancer that no destination knows, and that were not there before, hold": {
			func(s *ALBStep) {
				s.Windows, s.Before = []ALBWindow{quiet(1)}, quiet(0)
				s.Windows[0].Requests = new(900.0)
			}, Inconclusive, "the load balancer had 900 requests",
		},
		"a load balancer that fell silent holds": {
			func(s *ALBStep) {
				s.Windows, s.Before = []ALBWindow{quiet(1)}, quiet(0)
				s.Before.Requests = new(900.0)
			}, Inconclusive, "the load balancer had traffic before the shift",
		},
		"idle without HealthyHostCount in that window holds": {
			func(s *ALBStep) {
				s.Windows, s.Before = []ALBWindow{quiet(1)}, quiet(0)
				s.Windows[0].Gaining[0].Healthy = nil
			}, Inconclusive, "no HealthyHostCount of green",
		},
		"idle by an incomplete answer holds": {
			func(s *ALBStep) {
				s.Windows, s.Before = []ALBWindow{quiet(1)}, quiet(0)
				s.Windows[0].Complete = false
			}, Inconclusive, "incomplete",
		},
		"an incomplete answer about the time before holds": {func(s *ALBStep) { s.Before.Complete = false }, Inconclusive, "before the shift"},
		"negative counts hold":                             {func(s *ALBStep) { s.Windows[1].Gaining[0].Errors = new(-25.0) }, Inconclusive, "HTTPCode_Target_5XX_Count of green is -25"},
		"counts that are no numbers hold":                  {func(s *ALBStep) { s.Windows[1].Losing[0].Requests = new(math.NaN()) }, Inconclusive, "RequestCount of blue is NaN"},
		"errors without any requests fail": {func(s *ALBStep) {
			s.Windows[1].Gaining[0].Requests, s.Windows[1].Gaining[0].ConnectionErrors = nil, new(9.0)
		}, Failed, "100.00% (9 of 9)"},
		"at weight 0 nothing is expected": {func(s *ALBStep) {
			s.Windows[1] = blueGreen(2, 500, 0)
			s.Windows[1].Gaining[0].Share = 0
		}, Successful, "no gaining destination carries weight yet"},
		"one of two gaining destinations without data holds": {func(s *ALBStep) {
			s.Windows[1].Gaining = append(s.Windows[1].Gaining, ALBDestination{Name: "teal", Share: 0.1, Healthy: new(1.0)})
		}, Inconclusive, "no requests of teal"},
	} {
		t.Run(name, func(t *testing.T) {
			s := ALBStep{Windows: []ALBWindow{blueGreen(1, 500, 500), blueGreen(2, 500, 500)}, Before: before()}
			tc.change(&s)
			got := judge(10).TargetErrors(s)
			if got.Verdict != tc.want || !strings.Contains(got.Message, tc.message) {
				t.Errorf("got %s %q,\nwant %s %q", got.Verdict, got.Message, tc.want, tc.message)
			}
		})
	}
}

func TestJudgingTheLoadBalancersErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		errors, before, unrouted float64
		want                     Verdict
		message                  string
	}{
		"none pass":                           {0, 0, 0, Successful, ""},
		"more than before fail":               {30, 10, 0, Failed, "502, 503 and 504 of the load balancer: 3.00% (30 of 1000) against the level before the shift 0.20% (10 of 5000)"},
		"as many as before pass":              {30, 150, 0, Successful, ""},
		"503 without a target are trials too": {1000, 0, 1000, Failed, "50.00% (1000 of 2000)"},
		"negative counts hold":                {-1, 0, 0, Inconclusive, "no count"},
		"what could still be chance holds":    {32, 100, 0, Inconclusive, "3.20% (32 of 1000) against the level before the shift 2.00% (100 of 5000)"},
	} {
		t.Run(name, func(t *testing.T) {
			s := ALBStep{Windows: []ALBWindow{blueGreen(1, 500, 500)}, Before: before()}
			s.Windows[0].Errors, s.Windows[0].Unrouted, s.Before.Errors = &tc.errors, &tc.unrouted, &tc.before
			got := judge(1).LoadBalancerErrors(s)
			if got.Verdict != tc.want || !strings.Contains(got.Message, tc.message) {
				t.Errorf("got %s %q,\nwant %s %q", got.Verdict, got.Message, tc.want, tc.message)
			}
		})
	}
}

func TestJudgingHealthyHosts(t *testing.T) {
	for name, tc := range map[string]struct {
		healthy *float64
		share   float64
		want    Verdict
	}{
		"one is enough":                      {new(1.0), 0.1, Successful},
		"none fails":                         {new(0.0), 0.1, Failed},
		"not known holds":                    {nil, 0.1, Inconclusive},
		"NaN holds":                          {new(math.NaN()), 0.1, Inconclusive},
		"at weight 0 it is not looked at":    {new(0.0), 0, Successful},
		"less than one through it all fails": {new(0.5), 1, Failed},
	} {
		t.Run(name, func(t *testing.T) {
			w := blueGreen(1, 500, 500)
			w.Gaining[0].Healthy, w.Gaining[0].Share = tc.healthy, tc.share
			if got := judge(1).HealthyHosts(ALBStep{Windows: []ALBWindow{w}}); got.Verdict != tc.want {
				t.Errorf("got %s %q, want %s", got.Verdict, got.Message, tc.want)
			}
		})
	}
}

// drawWindow with any counts at all, missing and strange ones included.
func drawWindow(t *rapid.T, minute int) ALBWindow {
	v := func(name string) *float64 {
		switch rapid.IntRange(0, 9).Draw(t, name+" kind") {
		case 0, 1, 2:
			return nil
		case 3:
			return new(rapid.SampledFrom([]float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1)}).Draw(t, name))
		}
		return new(float64(rapid.IntRange(0, 500).Draw(t, name)))
	}
	d := func(name string) []ALBDestination {
		return []ALBDestination{{Name: name, Share: rapid.SampledFrom([]float64{0.1, 1}).Draw(t, name+" share"), Requests: v(name + " requests"), Errors: v(name + " errors"), ConnectionErrors: v(name + " connections"), Healthy: v(name + " healthy")}}
	}
	return ALBWindow{
		Window: minutes(minute, minute+1), Complete: rapid.Bool().Draw(t, "complete"),
		Gaining: d("green"), Losing: d("blue"), Requests: v("requests"), Errors: v("errors"), Unrouted: v("503"),
	}
}

func drawStep(t *rapid.T) ALBStep {
	s := ALBStep{Before: drawWindow(t, 0)}
	for k := range rapid.IntRange(1, 4).Draw(t, "windows") {
		s.Windows = append(s.Windows, drawWindow(t, k+1))
	}
	return s
}

func TestBuiltinPassesOnlyOnGroundsThatItHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, j := drawStep(t), judge(rapid.IntRange(1, 100).Draw(t, "min requests"))
		w := s.Windows[len(s.Windows)-1]
		green := w.Gaining[0]
		if m := j.HealthyHosts(s); m.Verdict == Successful && (green.Healthy == nil || !(*green.Healthy >= 1) || math.IsInf(*green.Healthy, 0)) {
			t.Fatalf("healthy hosts pass on %v", green.Healthy)
		}
		m := j.TargetErrors(s)
		if m.Verdict != Successful {
			return
		}
		for _, v := range []*float64{green.Requests, green.Errors, green.ConnectionErrors, w.Losing[0].Requests, w.Requests, s.Before.Losing[0].Requests} {
			if v != nil && !count(*v) {
				t.Fatalf("passes on a count of %v", *v)
			}
		}
		switch {
		case !w.Complete || !s.Before.Complete:
			t.Fatal("passes on an incomplete answer")
		case some(green.Requests) && *green.Requests < float64(j.MinRequests):
			t.Fatalf("passes on %v of %d requests", *green.Requests, j.MinRequests)
		case !some(green.Requests) && (green.Healthy == nil || some(w.Losing[0].Requests) || some(s.Before.Losing[0].Requests) || some(s.Before.Gaining[0].Requests)):
			t.Fatalf("passes as idle: %s", m.Message)
		}
	})
}

func TestMoreTargetErrorsNeverTurnAFailedStepIntoAPassingOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, j := drawStep(t), judge(1)
		if j.TargetErrors(s).Verdict != Failed {
			return
		}
		green := &s.Windows[len(s.Windows)-1].Gaining[0]
		green.Errors = plusErrors(green.Errors, float64(rapid.IntRange(1, 1000).Draw(t, "more")))
		if m := j.TargetErrors(s); m.Verdict != Failed {
			t.Fatalf("with more errors it is %s: %s", m.Verdict, m.Message)
		}
	})
}

func plusErrors(v *float64, more float64) *float64 { return new(value(v) + more) }
