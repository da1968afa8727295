package synth

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/model"
)

const (
	arnPrefix = "arn:aws:elasticloadbalancing:us-east-1:000000000000:"
	lbARN     = arnPrefix + "loadbalancer/app/web/0123456789abcdef"
	lbDim     = "LoadBalancer=app/web/0123456789abcdef"
)

func groupARN(name string) string { return arnPrefix + "targetgroup/" + name + "/0123456789abcdef" }

func groupDims(name string) string {
	return "{" + lbDim + ",TargetGroup=targetgroup/" + name + "/0123456789abcdef}"
}

// config has one rule that forwards by weight; names and weights go together.
func config(names []string, weights []int) model.Config {
	f := &model.Forward{}
	c := model.Config{LoadBalancers: []model.LoadBalancer{{ARN: lbARN, Type: "application"}}, TargetGroups: map[string]model.TargetGroup{}}
	for i, n := range names {
		f.TargetGroups = append(f.TargetGroups, model.WeightedTargetGroup{ARN: groupARN(n), Weight: weights[i]})
		c.TargetGroups[groupARN(n)] = model.TargetGroup{
			ARN: groupARN(n), Name: n, InUse: true, HealthCheck: model.HealthCheck{Enabled: true},
			Targets: []model.Target{{ID: "127.0.0.1", Port: 1}, {ID: "127.0.0.1", Port: 2}},
		}
	}
	c.Listeners = []model.Listener{{ARN: "listener", LoadBalancerARN: lbARN, Rules: []model.Rule{
		{ARN: "rule", Actions: []model.Action{{Type: "forward", Forward: f}}},
		{ARN: "default", IsDefault: true, Actions: []model.Action{{Type: "fixed-response", FixedResponse: &model.FixedResponse{StatusCode: "404"}}}},
	}}}
	return c
}

func blueGreen(blue, green int) model.Config {
	return config([]string{"blue", "green"}, []int{blue, green})
}

// sink keeps sums as "Name{dimensions}" for each period.
type sink struct {
	mu   sync.Mutex
	sums map[time.Time]map[string]float64
	raw  []model.Datum
}

func (s *sink) Put(scope string, data []model.Datum) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sums == nil {
		s.sums = map[time.Time]map[string]float64{}
	}
	if scope != "000000000000/us-east-1" {
		panic("scope " + scope)
	}
	for _, d := range data {
		var dims []string
		for _, dim := range d.Dimensions {
			dims = append(dims, dim.Name+"="+dim.Value)
		}
		if s.sums[d.Timestamp] == nil {
			s.sums[d.Timestamp] = map[string]float64{}
		}
		key := d.Name + "{" + strings.Join(dims, ",") + "}"
		if _, twice := s.sums[d.Timestamp][key]; twice {
			panic(key + " twice")
		}
		s.sums[d.Timestamp][key] = d.Sum
		s.raw = append(s.raw, d)
	}
}

// bubble runs f in virtual time with a data plane that it closes.
func bubble(t *testing.T, cfg Config, f func(t *testing.T, p *DataPlane, s *sink, start time.Time)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		cfg.Sink = s
		start := time.Now()
		p := New(cfg)
		defer func() {
			if err := p.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}()
		f(t, p, s, start)
	})
}

func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func set(t *testing.T, p *DataPlane, group string, b Behaviour) {
	t.Helper()
	if err := p.Set(group, b); err != nil {
		t.Fatal(err)
	}
}

func TestTrafficFollowsTheWeights(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *DataPlane, s *sink, start time.Time) {
		p.Apply(blueGreen(100, 0))
		sleep(time.Minute)
		p.Apply(blueGreen(90, 10))
		sleep(30 * time.Second)
		p.Apply(blueGreen(0, 100)) // in the middle of a period
		sleep(30 * time.Second)
		want := map[time.Time]map[string]float64{
			start: {
				"RequestCount{" + lbDim + "}": 6000, "HTTPCode_Target_2XX_Count{" + lbDim + "}": 6000, "TargetResponseTime{" + lbDim + "}": 60,
				"RequestCount" + groupDims("blue"): 6000, "HTTPCode_Target_2XX_Count" + groupDims("blue"): 6000, "TargetResponseTime" + groupDims("blue"): 60,
				"HealthyHostCount" + groupDims("blue"): 2, "UnHealthyHostCount" + groupDims("blue"): 0,
				"HealthyHostCount" + groupDims("green"): 2, "UnHealthyHostCount" + groupDims("green"): 0,
			},
			start.Add(time.Minute): {
				"RequestCount{" + lbDim + "}": 6000, "HTTPCode_Target_2XX_Count{" + lbDim + "}": 6000, "TargetResponseTime{" + lbDim + "}": 60,
				"RequestCount" + groupDims("blue"): 2700, "HTTPCode_Target_2XX_Count" + groupDims("blue"): 2700, "TargetResponseTime" + groupDims("blue"): 27,
				"RequestCount" + groupDims("green"): 3300, "HTTPCode_Target_2XX_Count" + groupDims("green"): 3300, "TargetResponseTime" + groupDims("green"): 33,
				"HealthyHostCount" + groupDims("blue"): 2, "UnHealthyHostCount" + groupDims("blue"): 0,
				"HealthyHostCount" + groupDims("green"): 2, "UnHealthyHostCount" + groupDims("green"): 0,
			},
		}
		if d := cmp.Diff(want, s.sums); d != "" {
			t.Errorf("sums (-want +got):\n%s", d)
		}
		for _, d := range s.raw {
			if len(d.Values) > maxValues || d.Name == "TargetResponseTime" && (len(d.Values) == 0 || d.Max != 0.01) {
				t.Errorf("%s has %d values and max %v", d.Name, len(d.Values), d.Max)
			}
		}
	})
}

func TestFaultsShowInTheMetricsOfTheirGroup(t *testing.T) {
	for name, tc := range map[string]struct {
		behaviour Behaviour
		green     map[string]float64 // of 600 requests; absent: no data point
		balancer  map[string]float64
	}{
		"errors of the target": {
			Behaviour{ErrorRate: 0.05}, map[string]float64{"HTTPCode_Target_2XX_Count": 570, "HTTPCode_Target_5XX_Count": 30}, nil,
		},
		"every request fails": {Behaviour{ErrorRate: 1}, map[string]float64{"HTTPCode_Target_5XX_Count": 600}, nil},
		"connections refused": {
			Behaviour{ConnectionErrorRate: 0.5},
			map[string]float64{"HTTPCode_Target_2XX_Count": 300, "TargetConnectionErrorCount": 300},
			map[string]float64{"HTTPCode_ELB_5XX_Count": 300, "HTTPCode_ELB_502_Count": 300},
		},
		"connections reset": {
			Behaviour{ResetRate: 0.1},
			map[string]float64{"HTTPCode_Target_2XX_Count": 540},
			map[string]float64{"HTTPCode_ELB_5XX_Count": 60, "HTTPCode_ELB_502_Count": 60},
		},
		"timeouts": {
			Behaviour{TimeoutRate: 0.01},
			map[string]float64{"HTTPCode_Target_2XX_Count": 594},
			map[string]float64{"HTTPCode_ELB_5XX_Count": 6, "HTTPCode_ELB_504_Count": 6},
		},
		"a tenth of slow answers": {Behaviour{Latency: time.Second, SlowRate: 0.1}, map[string]float64{"HTTPCode_Target_2XX_Count": 600, "TargetResponseTime": 65.4}, nil},
		"slow answers":            {Behaviour{Latency: time.Second}, map[string]float64{"HTTPCode_Target_2XX_Count": 600, "TargetResponseTime": 600}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, p *DataPlane, s *sink, start time.Time) {
				p.Apply(blueGreen(90, 10))
				set(t, p, "green", tc.behaviour)
				sleep(time.Minute)
				got := s.sums[start]
				for _, m := range []string{"HTTPCode_Target_2XX_Count", "HTTPCode_Target_5XX_Count", "TargetConnectionErrorCount"} {
					if got[m+groupDims("green")] != tc.green[m] {
						t.Errorf("green %s = %v, want %v", m, got[m+groupDims("green")], tc.green[m])
					}
				}
				if want, ok := tc.green["TargetResponseTime"]; ok && got["TargetResponseTime"+groupDims("green")] != want {
					t.Errorf("TargetResponseTime = %v, want %v", got["TargetResponseTime"+groupDims("green")], want)
				}
				for _, m := range []string{"HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_502_Count", "HTTPCode_ELB_503_Count", "HTTPCode_ELB_504_Count"} {
					v, there := got[m+"{"+lbDim+"}"]
					if v != tc.balancer[m] || there != (tc.balancer[m] > 0) {
						t.Errorf("%s = %v (there: %v), want %v", m, v, there, tc.balancer[m])
					}
				}
				if got["RequestCount"+groupDims("green")] != 600 || got["HTTPCode_Target_2XX_Count"+groupDims("blue")] != 5400 {
					t.Errorf("green got %v requests, blue answered %v; want 600, 5400",
						got["RequestCount"+groupDims("green")], got["HTTPCode_Target_2XX_Count"+groupDims("blue")])
				}
			})
		})
	}
}

func TestWeightsOfSumZeroAndEmptyGroupsAnswer503(t *testing.T) {
	for name, change := range map[string]func(*model.Config){
		"weights sum to 0": func(c *model.Config) { *c = blueGreen(0, 0) },
		"the group has no targets": func(c *model.Config) {
			g := c.TargetGroups[groupARN("blue")]
			g.Targets = nil
			c.TargetGroups[groupARN("blue")] = g
		},
		"all targets drain": func(c *model.Config) {
			g := c.TargetGroups[groupARN("blue")]
			for i := range g.Targets {
				g.Targets[i].DrainingSince = time.Now()
			}
			c.TargetGroups[groupARN("blue")] = g
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, p *DataPlane, s *sink, start time.Time) {
				c := blueGreen(100, 0)
				change(&c)
				p.Apply(c)
				sleep(time.Minute)
				got := s.sums[start]
				if got["HTTPCode_ELB_503_Count{"+lbDim+"}"] != 6000 || got["HTTPCode_ELB_5XX_Count{"+lbDim+"}"] != 6000 {
					t.Errorf("503s: %v, want 6000", got["HTTPCode_ELB_503_Count{"+lbDim+"}"])
				}
				if v, ok := got["RequestCount{"+lbDim+"}"]; ok {
					t.Errorf("RequestCount = %v, want none: no target was chosen", v)
				}
			})
		})
	}
}

func TestStoppedTrafficLeavesOnlyHostCounts(t *testing.T) {
	bubble(t, Config{Period: time.Second}, func(t *testing.T, p *DataPlane, s *sink, start time.Time) {
		p.Apply(blueGreen(1, 1))
		p.SetTraffic(false)
		sleep(time.Second)
		if got := s.sums[start]; len(got) != 4 {
			t.Errorf("without traffic there is %v, want the four host counts", got)
		}
		p.SetTraffic(true)
		sleep(time.Second)
		if got := s.sums[start.Add(time.Second)]["RequestCount"+groupDims("blue")]; got != 50 {
			t.Errorf("after traffic resumed blue got %v requests, want 50", got)
		}
	})
}

func TestHealthGoesThroughInitialAndFollowsTheSetting(t *testing.T) {
	bubble(t, Config{InitialFor: 30 * time.Second}, func(t *testing.T, p *DataPlane, s *sink, start time.Time) {
		target := model.Target{ID: "127.0.0.1", Port: 1}
		want := func(state, reason string) {
			t.Helper()
			if h := p.Health(groupARN("green"), target); h.State != state || h.Reason != reason {
				t.Errorf("after %s: %s %s, want %s %s", time.Since(start), h.State, h.Reason, state, reason)
			}
		}
		want("unused", "Target.NotRegistered")
		c := blueGreen(100, 0)
		idle := c.TargetGroups[groupARN("green")]
		idle.InUse = false
		c.TargetGroups[groupARN("green")] = idle
		p.Apply(c)
		want("unused", "Target.NotInUse")
		sleep(time.Hour)
		p.Apply(blueGreen(100, 0))
		want("initial", "Elb.InitialHealthChecking")
		sleep(29 * time.Second)
		p.Apply(blueGreen(99, 1)) // another change does not start over
		want("initial", "Elb.InitialHealthChecking")
		sleep(time.Second)
		want("healthy", "")
		set(t, p, "green", Behaviour{Unhealthy: true})
		want("unhealthy", "Target.ResponseCodeMismatch")
		at := time.Now().Truncate(time.Minute)
		sleep(time.Minute)
		if got := s.sums[at]; got["UnHealthyHostCount"+groupDims("green")] != 2 || got["HealthyHostCount"+groupDims("green")] != 0 || got["HealthyHostCount"+groupDims("blue")] != 2 {
			t.Errorf("host counts are wrong: %v", got)
		}
		c = blueGreen(100, 0)
		draining := c.TargetGroups[groupARN("green")]
		draining.Targets[0].DrainingSince = time.Now()
		p.Apply(c)
		want("draining", "Target.DeregistrationInProgress")
	})
}

func TestTrafficMayChangeOverTimeAndFractionsAreNotLost(t *testing.T) {
	rate := func(at time.Time) float64 {
		if at.Second() < 30 {
			return 0.1
		}
		return 1.0 / 3
	}
	bubble(t, Config{Period: time.Second, RequestsPerSecond: rate}, func(t *testing.T, p *DataPlane, s *sink, _ time.Time) {
		p.Apply(blueGreen(1, 0))
		sleep(time.Minute)
		total := 0.0
		for _, sums := range s.sums {
			total += sums["RequestCount{"+lbDim+"}"]
		}
		if total != 3+10 {
			t.Errorf("%v requests in a minute, want 13", total)
		}
	})
}

func TestBadBehaviourIsRefused(t *testing.T) {
	for name, b := range map[string]Behaviour{
		"negative":         {ErrorRate: -0.1},
		"more than all":    {TimeoutRate: 1.1},
		"not a number":     {ResetRate: math.NaN()},
		"sum above 1":      {ErrorRate: 0.6, ConnectionErrorRate: 0.6},
		"negative latency": {Latency: -1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, p *DataPlane, _ *sink, _ time.Time) {
				if err := p.Set("green", b); err == nil || !strings.Contains(err.Error(), "green") {
					t.Errorf("Set(%+v) = %v, want an error that names the group", b, err)
				}
			})
		})
	}
}

// Whatever the weights and however they change: every request goes somewhere, none to
// a group of weight 0, and a constant split is met to within one request.
func TestDealingIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(0, 999), 1, 5).Draw(t, "weights")
		r := &route{current: make([]int, len(weights))}
		for i, w := range weights {
			r.groups = append(r.groups, model.WeightedTargetGroup{ARN: fmt.Sprint(i), Weight: w})
			r.total += w
		}
		if r.total == 0 {
			t.Skip("no group has weight")
		}
		dealt, n := make([]int, len(weights)), 0
		for _, k := range rapid.SliceOfN(rapid.IntRange(0, 5000), 1, 20).Draw(t, "requests") {
			n += k
			sum := 0
			for i, d := range r.deal(k) {
				if d < 0 {
					t.Fatalf("group %d was dealt %d requests", i, d)
				}
				dealt[i] += d
				sum += d
			}
			if sum != k {
				t.Fatalf("dealt %d of %d requests", sum, k)
			}
		}
		for i, w := range weights {
			want := float64(n) * float64(w) / float64(r.total)
			if math.Abs(float64(dealt[i])-want) > float64(len(weights)) || w == 0 && dealt[i] > 0 {
				t.Fatalf("group %d of weight %d/%d got %d of %d requests", i, w, r.total, dealt[i], n)
			}
		}
	})
}

func TestTheSameCallsGiveTheSameNumbers(t *testing.T) {
	run := func() map[time.Time]map[string]float64 {
		var out map[time.Time]map[string]float64
		bubble(t, Config{Seed: 7, Period: time.Second, RequestsPerSecond: func(time.Time) float64 { return 33.3 }}, func(t *testing.T, p *DataPlane, s *sink, _ time.Time) {
			set(t, p, "green", Behaviour{ErrorRate: 0.07, TimeoutRate: 0.003})
			for g := range 50 {
				p.Apply(blueGreen(100-g, g))
				sleep(700 * time.Millisecond)
			}
			out = s.sums
		})
		return out
	}
	if d := cmp.Diff(run(), run()); d != "" {
		t.Errorf("two runs differ:\n%s", d)
	}
}
