package elbv2

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/awssim/wiretest"
)

func TestAdviceForAnNLB(t *testing.T) {
	register := func(n *network, name, id, zone string) {
		n.t.Helper()
		target := types.TargetDescription{Id: &id}
		if zone != "" {
			target.AvailabilityZone = &zone
		}
		wiretest.Must(n.sdk.RegisterTargets(n.t.Context(), &elb.RegisterTargetsInput{
			TargetGroupArn: aws.String(n.groups[name]), Targets: []types.TargetDescription{target},
		}))(n.t)
	}
	for name, tc := range map[string]struct {
		world func(*network)
		want  []string // parts of each piece of advice, in order
	}{
		"targets in the same zones": {
			func(n *network) {
				register(n, "ta", "10.0.0.1", "us-east-1a")
				register(n, "tb", "10.0.1.1", "us-east-1a")
			}, nil,
		},
		"a zone that only the old side has": {
			func(n *network) {
				register(n, "ta", "10.0.0.1", "us-east-1a")
				register(n, "ta", "10.0.0.2", "us-east-1b")
				register(n, "tb", "10.0.1.1", "us-east-1a")
			}, []string{"targetgroup/tb/|has no targets in us-east-1b|cross-zone load balancing off (the default)|are lost"},
		},
		"targets outside of the VPC serve every zone": {
			func(n *network) { register(n, "ta", "10.0.0.1", "us-east-1a"); register(n, "tb", "192.168.0.1", "all") }, nil,
		},
		"zones that are not told": {
			func(n *network) { register(n, "ta", "10.0.0.1", "us-east-1a"); register(n, "tb", "10.0.1.1", "") },
			[]string{"make sure that every target group has targets in every zone"},
		},
		"a group without targets": {
			func(n *network) { register(n, "ta", "10.0.0.1", "us-east-1a") }, []string{"make sure that every target group has targets in every zone"},
		},
		"attributes of the groups": {
			func(n *network) {
				register(n, "ta", "10.0.0.1", "us-east-1a")
				register(n, "tb", "10.0.1.1", "us-east-1a")
				for key, value := range map[string]string{"stickiness.enabled": "true", "deregistration_delay.timeout_seconds": "0"} {
					wiretest.Must(n.sdk.ModifyTargetGroupAttributes(n.t.Context(), &elb.ModifyTargetGroupAttributesInput{
						TargetGroupArn: aws.String(n.groups["tb"]), Attributes: []types.TargetGroupAttribute{{Key: &key, Value: &value}},
					}))(n.t)
				}
			}, []string{"targetgroup/tb/|target stickiness on", "targetgroup/tb/|deregistration delay of 0 s"},
		},
		"rules beside the default action": {
			func(n *network) {
				register(n, "ta", "10.0.0.1", "us-east-1a")
				register(n, "tb", "10.0.1.1", "us-east-1a")
				wiretest.Must(n.sdk.CreateRule(n.t.Context(), &elb.CreateRuleInput{
					ListenerArn: &n.on, Priority: aws.Int32(5), Actions: []types.Action{forward(n.split("tc", 1))},
					Conditions: []types.RuleCondition{{Field: aws.String(fieldSource), SourceIpConfig: &types.SourceIpConditionConfig{IpAddressType: types.SourceIpAddressTypeEnumIpv4}}},
				}))(n.t)
			}, []string{"beside its default action the listener has rule 5 (source-ip ipv4)|only what reaches the default action is shifted"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, types.ProtocolEnumTcp)
			tc.world(n)
			n.forget()
			got := wiretest.Must(n.open().Advise(t.Context()))(t)
			if len(got) != len(tc.want) {
				t.Fatalf("advice: %q, want %d pieces", got, len(tc.want))
			}
			for i, parts := range tc.want {
				for p := range strings.SplitSeq(parts, "|") {
					if !strings.Contains(got[i], p) {
						t.Errorf("%q is not in: %s", p, got[i])
					}
				}
			}
			want := "DescribeListeners DescribeRules DescribeTargetHealth DescribeTargetHealth DescribeTargetGroupAttributes DescribeTargetGroupAttributes"
			if n.made() != want {
				t.Errorf("made %s", n.made())
			}
		})
	}
}

func TestAdviceNamesTheCallThatFailed(t *testing.T) {
	n := newNetwork(t, types.ProtocolEnumTcp)
	for _, op := range []string{"DescribeRules", "DescribeTargetHealth", "DescribeTargetGroupAttributes"} {
		n.deny(op)
		if _, err := n.open().Advise(t.Context()); err == nil || !strings.Contains(err.Error(), op) {
			t.Errorf("%s denied: %v", op, err)
		}
	}
}
