package nlbmetric

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/model"
)

const lb = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/edge/0123456789abcdef"

// Whatever happened: the zones add up to the load balancer, what did not happen has no
// data point, and nothing names a target group.
func TestReportsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := func(name string) int64 {
			return rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, 10), rapid.Int64Range(1, 1<<40)).Draw(t, name)
		}
		flows := func(name string) Flows {
			return Flows{New: n(name + " new"), Active: n(name + " active"), Bytes: n(name + " bytes")}
		}
		tally := Tally{
			TCP: flows("TCP"), TLS: flows("TLS"), UDP: flows("UDP"), ClientResets: n("client"), TargetResets: n("target"), ELBResets: n("ELB"),
			PortAllocationErrors: n("ports"), UnhealthyRouting: n("unhealthy"),
		}
		zones := []string{"us-east-1a", "us-east-1b", "us-east-1c"}[:rapid.IntRange(0, 3).Draw(t, "zones")]
		whole, parts := map[string]float64{}, map[string]float64{}
		for _, d := range Report(time.Unix(0, 0), lb, zones, tally) {
			if d.Sum == 0 || d.Count == 0 || d.Min > d.Max || d.Namespace != "AWS/NetworkELB" {
				t.Fatalf("there is %+v", d)
			}
			if i := slices.IndexFunc(d.Dimensions, func(x model.Dimension) bool { return x.Name == "TargetGroup" }); i >= 0 {
				t.Fatalf("%s has a target group", d.Name)
			}
			switch len(d.Dimensions) {
			case 1:
				whole[d.Name] = d.Sum
			case 2:
				parts[d.Name] += d.Sum
			}
		}
		want := map[string]int64{
			"NewFlowCount": tally.TCP.New + tally.TLS.New + tally.UDP.New, "NewFlowCount_TLS": tally.TLS.New, "ActiveFlowCount_UDP": tally.UDP.Active,
			"ProcessedBytes": tally.TCP.Bytes + tally.TLS.Bytes + tally.UDP.Bytes, "TCP_Client_Reset_Count": tally.ClientResets,
			"TCP_Target_Reset_Count": tally.TargetResets, "TCP_ELB_Reset_Count": tally.ELBResets,
			"PortAllocationErrorCount": tally.PortAllocationErrors, "UnhealthyRoutingFlowCount": tally.UnhealthyRouting,
		}
		for name, v := range want {
			if whole[name] != float64(v) {
				t.Fatalf("%s is %v, want %d", name, whole[name], v)
			}
		}
		if len(zones) > 0 && fmt.Sprint(whole) != fmt.Sprint(parts) {
			t.Fatalf("the load balancer has %v, its zones %v", whole, parts)
		}
	})
}
