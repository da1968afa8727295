package elbv2

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/shift"
)

// Health asks for the targets of each group, one call per group: AWS has no call for
// several.
func (r *Rule) Health(ctx context.Context, ids []string) (map[string]shift.Health, error) {
	out := make(map[string]shift.Health, len(ids))
	for _, id := range ids {
		if _, done := out[id]; done {
			continue
		}
		got, err := r.api.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(id)})
		if err != nil {
			return nil, awsconf.Classify("reading the target health of "+id, err)
		}
		out[id] = healthOf(got.TargetHealthDescriptions)
	}
	return out, nil
}

// healthOf a group's targets. Draining ones have been deregistered and do not count.
// Targets that nothing checks (health checks off, as for most Lambda functions) count
// as healthy: they get traffic, and no other state can be known of them.
func healthOf(targets []types.TargetHealthDescription) shift.Health {
	var h shift.Health
	unused := 0
	reasons := map[string]int{}
	for _, t := range targets {
		if t.TargetHealth == nil {
			h.Total++
			reasons["unknown"]++
			continue
		}
		state, reason := t.TargetHealth.State, t.TargetHealth.Reason
		switch {
		case state == types.TargetHealthStateEnumDraining, state == types.TargetHealthStateEnumUnhealthyDraining:
			continue
		case state == types.TargetHealthStateEnumHealthy,
			reason == types.TargetHealthReasonEnumHealthCheckDisabled:
			h.Healthy++
		case state == types.TargetHealthStateEnumUnused && reason == types.TargetHealthReasonEnumNotInUse:
			unused++
			reasons[string(reason)]++
		default:
			reasons[reasonOf(state, reason)]++
		}
		h.Total++
	}
	h.Unused = h.Total > 0 && unused == h.Total
	h.Reason = commonest(reasons)
	return h
}

func reasonOf(state types.TargetHealthStateEnum, reason types.TargetHealthReasonEnum) string {
	if reason == "" {
		return string(state)
	}
	return string(reason)
}

// commonest of the reasons; the first by name among equals, so that it does not flicker.
func commonest(reasons map[string]int) string {
	best := ""
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		if best == "" || reasons[name] > reasons[best] {
			best = name
		}
	}
	return best
}
