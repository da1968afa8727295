package lawtest

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/awssim/fault"
)

// sick makes green fail once it has traffic: 5 % of its requests, half of its connections,
// or its health checks.
func sick(l *lab) {
	switch l.Ground {
	case OnALB, OnAliases:
		l.sicken(0.05)
	case OnNLB:
		l.sicken(0.1)
	case OnDNS:
		l.onGreen(1, func() { l.sicken(1) })
	}
}

// sicken makes green fail from now on: a part of its requests, of its connections five
// times as many, or its health checks.
func (l *lab) sicken(part float64) {
	switch l.Ground {
	case OnALB, OnAliases:
		l.fault(fault.Rule{Kind: fault.TargetFailure, TargetGroup: "green", FailRate: part})
	case OnNLB:
		l.fault(fault.Rule{Kind: fault.TargetFailure, TargetGroup: "green", FailRate: min(5*part, 1)})
	case OnDNS:
		l.fault(fault.Rule{Kind: fault.HealthCheck, Name: l.checks["green"]})
	}
}

// fault puts a fault in force.
func (l *lab) fault(r fault.Rule) {
	l.t.Helper()
	if _, err := l.Faults().Add(r); err != nil {
		l.t.Error(err)
	}
}

// meddleAt writes weights as somebody else after a while.
func meddleAt(after time.Duration, blue, green int) func(*lab) {
	return func(l *lab) {
		time.AfterFunc(after, func() {
			if err := l.Meddle(context.Background(), blueGreen(blue, green)...); err != nil {
				l.t.Error(err)
			}
		})
	}
}

func sticky(l *lab) {
	a := l.Forward(blueGreen(100, 0)...)
	a.ForwardConfig.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: aws.Bool(true), DurationSeconds: aws.Int32(3600)}
	l.modify(&elb.ModifyRuleInput{Actions: []types.Action{a}})
}

// modify the rule as the Operator.
func (l *lab) modify(in *elb.ModifyRuleInput) {
	l.t.Helper()
	in.RuleArn = &l.Rule
	if _, err := l.ELBClient().ModifyRule(l.t.Context(), in); err != nil {
		l.t.Fatal(err)
	}
}

// otherHost gives the rule another condition than the manifest has, and owns it.
func otherHost(l *lab) {
	l.modify(&elb.ModifyRuleInput{Conditions: []types.RuleCondition{{
		Field: aws.String("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{"old.example.com"}},
	}}})
}
