package elbv2

import (
	"strings"
	"testing"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func TestAGroupWhoseHealthyTargetsAWSDoesNotCountIsTold(t *testing.T) {
	n := newNetwork(t, types.ProtocolEnumTcp)
	n.groups["inner"] = n.tcp("inner", func(in *elb.CreateTargetGroupInput) { in.TargetType = types.TargetTypeEnumAlb })
	for name, told := range map[string]bool{"inner": true, "tb": false} {
		ids := []string{n.groups["ta"], n.groups[name]}
		warnings, err := n.open(func(c *Config) { c.Destinations = ids }).Preflight(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Join(warnings, "\n")
		if strings.Contains(all, "HealthyHostCount") != told || told && !strings.Contains(all, "analysis.builtin") {
			t.Errorf("%s: %s", name, all)
		}
	}
}
