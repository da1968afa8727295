package synth

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/model"
)

const (
	nlbARN = arnPrefix + "loadbalancer/net/edge/0123456789abcdef"
	nlbDim = "LoadBalancer=net/edge/0123456789abcdef"
	zoneA  = "{" + nlbDim + ",AvailabilityZone=us-east-1a}"
	zoneB  = "{" + nlbDim + ",AvailabilityZone=us-east-1b}"
)

// flows is a network load balancer in two zones whose listener spreads by weight over
// the groups blue and green, each with a target in either zone.
func flows(protocol string, blue, green int) model.Config {
	c := blueGreen(blue, green)
	c.LoadBalancers = []model.LoadBalancer{{ARN: nlbARN, Type: "network", Zones: []string{"us-east-1a", "us-east-1b"}}}
	l := &c.Listeners[0]
	l.LoadBalancerARN, l.Protocol = nlbARN, protocol
	l.Rules = []model.Rule{{ARN: "default", IsDefault: true, Actions: l.Rules[0].Actions}}
	for arn, g := range c.TargetGroups {
		g.Protocol = protocol
		g.Targets[0].AZ, g.Targets[1].AZ = "us-east-1a", "us-east-1b"
		c.TargetGroups[arn] = g
	}
	return c
}

// hosts are the host counts of both groups when all four targets are healthy.
func hosts() map[string]float64 {
	out := map[string]float64{}
	for _, g := range []string{"blue", "green"} {
		group := "{" + nlbDim + ",TargetGroup=targetgroup/" + g + "/0123456789abcdef"
		out["HealthyHostCount"+group+"}"] = 2
		out["UnHealthyHostCount"+group+"}"] = 0
		for _, z := range []string{"us-east-1a", "us-east-1b"} {
			out["HealthyHostCount"+group+",AvailabilityZone="+z+"}"] = 1
			out["UnHealthyHostCount"+group+",AvailabilityZone="+z+"}"] = 0
		}
	}
	return out
}

// everywhere adds a value of the load balancer and its halves in the zones.
func everywhere(out map[string]float64, names []string, v float64) {
	for _, name := range names {
		out[name+"{"+nlbDim+"}"] = v
		out[name+zoneA], out[name+zoneB] = v/2, v/2
	}
}

func TestFlowsShowForTheLoadBalancerAndItsZonesOnly(t *testing.T) {
	for protocol, new := range map[string][]string{"TCP": {"_TCP", ""}, "TLS": {"_TLS", ""}, "UDP": {"_UDP", ""}} {
		t.Run(protocol, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, p *DataPlane, s *sink, start time.Time) {
				p.Apply(flows(protocol, 90, 10))
				sleep(time.Minute)
				want := hosts()
				for _, suffix := range new {
					everywhere(want, []string{"NewFlowCount" + suffix}, 6000)
					everywhere(want, []string{"ActiveFlowCount" + suffix}, 500)
					everywhere(want, []string{"ProcessedBytes" + suffix}, 6000*bytesPerFlow)
				}
				if d := cmp.Diff(want, s.sums[start]); d != "" {
					t.Errorf("sums (-want +got):\n%s", d)
				}
				for _, d := range s.raw {
					if d.Namespace != "AWS/NetworkELB" || strings.HasPrefix(d.Name, "ProcessedBytes") != (d.Unit == "Bytes") {
						t.Errorf("%s is in %s and counted in %s", d.Name, d.Namespace, d.Unit)
					}
				}
			})
		})
	}
}

func TestASickGroupShowsOnlyForTheWholeLoadBalancer(t *testing.T) {
	for name, tc := range map[string]struct {
		protocol  string
		behaviour Behaviour
		want      map[string]float64 // of 600 flows to green
	}{
		"errors are resets by the target":         {"TCP", Behaviour{ErrorRate: 0.5}, map[string]float64{"TCP_Target_Reset_Count": 300}},
		"so are resets":                           {"TLS", Behaviour{ResetRate: 0.1}, map[string]float64{"TCP_Target_Reset_Count": 60}},
		"refused connections are its own":         {"TCP", Behaviour{ConnectionErrorRate: 0.1}, map[string]float64{"TCP_ELB_Reset_Count": 60}},
		"timeouts do not show":                    {"TCP", Behaviour{TimeoutRate: 1}, nil},
		"UDP has no resets":                       {"UDP", Behaviour{ErrorRate: 1}, nil},
		"half of TCP_UDP is TCP":                  {"TCP_UDP", Behaviour{ErrorRate: 1}, map[string]float64{"TCP_Target_Reset_Count": 300}},
		"without healthy targets it fails open":   {"TCP", Behaviour{Unhealthy: true}, map[string]float64{"UnhealthyRoutingFlowCount": 600}},
		"and still resets what the targets reset": {"TCP", Behaviour{Unhealthy: true, ErrorRate: 1}, map[string]float64{"UnhealthyRoutingFlowCount": 600, "TCP_Target_Reset_Count": 600}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, p *DataPlane, s *sink, start time.Time) {
				p.Apply(flows(tc.protocol, 90, 10))
				set(t, p, "green", tc.behaviour)
				sleep(time.Minute)
				got := map[string]float64{}
				for key, v := range s.sums[start] {
					if strings.Contains(key, "Reset") || strings.Contains(key, "Routing") || strings.Contains(key, "Error") {
						got[key] = v
					}
				}
				want := map[string]float64{}
				for name, v := range tc.want {
					everywhere(want, []string{name}, v)
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
				if n := s.sums[start]["NewFlowCount{"+nlbDim+"}"]; n != 6000 {
					t.Errorf("%v new flows, want 6000: a flow that fails was new", n)
				}
			})
		})
	}
}

func TestFlowsThatFindNoTargetAreReset(t *testing.T) {
	for name, change := range map[string]func(*model.Config){
		"weights sum to 0": func(c *model.Config) { *c = flows("TCP", 0, 0) },
		"the group has no targets": func(c *model.Config) {
			g := c.TargetGroups[groupARN("blue")]
			g.Targets = nil
			c.TargetGroups[groupARN("blue")] = g
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, p *DataPlane, s *sink, start time.Time) {
				c := flows("TCP", 100, 0)
				change(&c)
				p.Apply(c)
				sleep(time.Minute)
				got := s.sums[start]
				if v, ok := got["NewFlowCount{"+nlbDim+"}"]; ok || got["TCP_ELB_Reset_Count{"+nlbDim+"}"] != 6000 {
					t.Errorf("%v new flows (there: %v) and %v resets, want none and 6000", v, ok, got["TCP_ELB_Reset_Count{"+nlbDim+"}"])
				}
			})
		})
	}
}

func TestWithoutFlowsThereAreHostCountsOnly(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *DataPlane, s *sink, start time.Time) {
		p.Apply(flows("TCP", 1, 1))
		p.SetTraffic(false)
		sleep(time.Minute)
		if d := cmp.Diff(hosts(), s.sums[start]); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}

// Odd counts are divided among the zones without loss.
func TestZonesAddUp(t *testing.T) {
	bubble(t, Config{Period: time.Second, RequestsPerSecond: func(time.Time) float64 { return 7.3 }}, func(t *testing.T, p *DataPlane, s *sink, _ time.Time) {
		p.Apply(flows("TCP", 2, 1))
		set(t, p, "blue", Behaviour{ErrorRate: 0.37})
		sleep(10 * time.Second)
		for start, sums := range s.sums {
			for _, name := range []string{"NewFlowCount", "ProcessedBytes_TCP", "TCP_Target_Reset_Count"} {
				if got := fmt.Sprint(sums[name+zoneA] + sums[name+zoneB]); got != fmt.Sprint(sums[name+"{"+nlbDim+"}"]) {
					t.Errorf("%s at %s: the zones have %s, the load balancer %v", name, start, got, sums[name+"{"+nlbDim+"}"])
				}
			}
		}
		if n := len(s.sums); n != 10 {
			t.Errorf("%d periods at %v, want 10", n, slices.Collect(maps.Keys(s.sums)))
		}
	})
}
