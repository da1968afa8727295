package elbv2

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// Observe reads the rule, in one call when its ARN is known. Where the rule does not
// exist, the split is that of the rule which serves its requests today.
func (r *Rule) Observe(ctx context.Context) (shift.Live, error) {
	rd, err := r.read(ctx)
	if err != nil {
		return shift.Live{}, err
	}
	return r.live(rd), nil
}

func (r *Rule) live(rd *reading) shift.Live {
	if !rd.exists {
		split := splitOf(rd.mirror.Actions)
		note := fmt.Sprintf("there is no rule at priority %d yet: %s serves these requests today, and its weights are taken over", r.cfg.Numbered.Priority, rd.mirrorName)
		if len(split) == 0 {
			note = fmt.Sprintf("there is no rule at priority %d yet, and %s forwards these requests nowhere: the declared weights are written at once", r.cfg.Numbered.Priority, rd.mirrorName)
		}
		return shift.Live{Split: split, Notes: append([]string{note}, r.notes(rd.mirror.Actions)...)}
	}
	live := shift.Live{Exists: true, Split: splitOf(rd.actions), Conforms: r.conforms(rd), Ref: rd.arn, Notes: r.notes(rd.actions)}
	if len(live.Split) == 0 {
		live.Notes = append(live.Notes, "the rule forwards nothing today: the first write makes it forward, and there is no split to go back to")
	}
	return live
}

// conforms tells whether the conditions are as declared, where any are.
func (r *Rule) conforms(rd *reading) bool {
	return r.cfg.Numbered == nil || sameConditions(conditionsOf(rd.conditions), r.cfg.Numbered.conditions())
}

// forwardAt is the index of the forward action, -1 when there is none.
func forwardAt(actions []types.Action) int {
	return slices.IndexFunc(actions, func(a types.Action) bool { return a.Type == types.ActionTypeEnumForward })
}

// splitOf the forward action, in either form; nil without one. A missing weight is 1,
// as it is for AWS.
func splitOf(actions []types.Action) traffic.Split {
	at := forwardAt(actions)
	if at < 0 {
		return nil
	}
	a := actions[at]
	if a.ForwardConfig == nil || len(a.ForwardConfig.TargetGroups) == 0 {
		if a.TargetGroupArn == nil {
			return nil
		}
		return traffic.Split{{ID: *a.TargetGroupArn, Weight: 1}}
	}
	split := make(traffic.Split, len(a.ForwardConfig.TargetGroups))
	for i, g := range a.ForwardConfig.TargetGroups {
		split[i] = traffic.Weighted{ID: aws.ToString(g.TargetGroupArn), Weight: 1}
		if g.Weight != nil {
			split[i].Weight = int(*g.Weight)
		}
	}
	return split
}

// stickiness over target groups, where it is on.
func stickiness(actions []types.Action) (d time.Duration, on bool) {
	at := forwardAt(actions)
	if at < 0 || actions[at].ForwardConfig == nil {
		return 0, false
	}
	s := actions[at].ForwardConfig.TargetGroupStickinessConfig
	if s == nil || !aws.ToBool(s.Enabled) {
		return 0, false
	}
	return time.Duration(aws.ToInt32(s.DurationSeconds)) * time.Second, true
}

// notes for people about what is on a route beside weights.
func (r *Rule) notes(actions []types.Action) []string {
	if r.network() {
		return networkNotes(actions)
	}
	var out []string
	if d, on := stickiness(actions); on {
		out = append(out, fmt.Sprintf("target group stickiness is on: clients that carry the cookie AWSALBTG stay on their target group for up to %s, whatever the weights; only the others move", d))
	}
	for _, a := range actions {
		if a.Type != types.ActionTypeEnumForward {
			out = append(out, fmt.Sprintf("the action %s", a.Type)+keptOrReplaced(a))
		}
	}
	return out
}

func keptOrReplaced(a types.Action) string {
	if routes(a) {
		return " is what serves these requests today; a write replaces it"
	}
	return " is kept as it is"
}

// routes tells whether an action is the one of a rule that ends its evaluation.
func routes(a types.Action) bool {
	return slices.Contains([]types.ActionTypeEnum{
		types.ActionTypeEnumForward, types.ActionTypeEnumRedirect, types.ActionTypeEnumFixedResponse,
	}, a.Type)
}
