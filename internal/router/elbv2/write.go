package elbv2

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// Write replaces the rule's weights, and its conditions where they are not as declared,
// in one call, keeping every other action and setting. Target groups that are not in the
// split leave the rule. A rule that answers by itself (fixed-response, redirect) becomes
// one that forwards.
func (r *Rule) Write(ctx context.Context, split traffic.Split) error {
	if err := split.Validate(Limits()); err != nil {
		return fault.Terminal("InvalidSplit", fmt.Errorf("writing weights to %s: %w", r, err))
	}
	rd, err := r.recent(ctx)
	if err != nil {
		return err
	}
	defer r.forget(false) // whatever comes of the write, the reading is not what is live
	if !rd.exists {
		return fmt.Errorf("writing weights: there is no %s: %w", r, fault.ErrNotFound)
	}
	actions := patch(rd.actions, split)
	op := "writing weights to " + rd.arn
	if r.cfg.Default {
		_, err = r.api.ModifyListener(ctx, &elb.ModifyListenerInput{ListenerArn: aws.String(rd.arn), DefaultActions: actions})
		return awsconf.Classify(op, err)
	}
	in := &elb.ModifyRuleInput{RuleArn: aws.String(rd.arn), Actions: actions}
	if !r.conforms(rd) {
		in.Conditions = sdkConditions(r.cfg.Numbered.conditions())
	}
	_, err = r.api.ModifyRule(ctx, in)
	return awsconf.Classify(op, err)
}

// patch gives actions another split and changes nothing else. Weights are always
// explicit: AWS takes a missing one for 1, so that a zero that got lost would become
// traffic. The order of the target groups that stay is kept.
func patch(actions []types.Action, split traffic.Split) []types.Action {
	out := slices.Clone(actions)
	at := slices.IndexFunc(out, routes)
	if at < 0 {
		out, at = append(out, types.Action{}), len(out)
	}
	forward := types.Action{Type: types.ActionTypeEnumForward, Order: out[at].Order, ForwardConfig: &types.ForwardActionConfig{}}
	if old := out[at].ForwardConfig; old != nil {
		config := *old
		forward.ForwardConfig = &config
	}
	forward.ForwardConfig.TargetGroups = tuples(splitOf(actions), split)
	out[at] = forward // the short form TargetGroupArn is gone: it allows one group only
	for i, a := range out {
		if a.AuthenticateOidcConfig != nil {
			config := *a.AuthenticateOidcConfig
			// AWS never shows the secret, and keeps it when told so.
			config.ClientSecret, config.UseExistingClientSecret = nil, aws.Bool(true)
			out[i].AuthenticateOidcConfig = &config
		}
	}
	return out
}

func tuples(live, split traffic.Split) []types.TargetGroupTuple {
	var out []types.TargetGroupTuple
	add := func(w traffic.Weighted) {
		// #nosec G115 -- Validate has bounded the weight by 999.
		out = append(out, types.TargetGroupTuple{TargetGroupArn: aws.String(w.ID), Weight: aws.Int32(int32(w.Weight))})
	}
	for _, w := range live {
		if split.Has(w.ID) {
			add(traffic.Weighted{ID: w.ID, Weight: split.Weight(w.ID)})
		}
	}
	for _, w := range split {
		if !live.Has(w.ID) {
			add(w)
		}
	}
	return out
}

// Create makes the numbered rule with mark and ownership on it from its first moment.
// The stickiness, authentication and rewriting of the rule that serves these requests
// today are taken over, so that nothing changes for a client.
func (r *Rule) Create(ctx context.Context, split traffic.Split, mark shift.Mark) error {
	n := r.cfg.Numbered
	if n == nil {
		return fault.Terminal("RouteNotFound", fmt.Errorf("creating %s: only a rule that is declared by its priority and conditions can be created", r))
	}
	if err := split.Validate(Limits()); err != nil {
		return fault.Terminal("InvalidSplit", fmt.Errorf("creating %s: %w", r, err))
	}
	tags, err := encodeMark(mark)
	if err != nil {
		return err
	}
	rd, err := r.recent(ctx)
	if err != nil {
		return err
	}
	defer r.forget(false)
	if rd.exists {
		return fmt.Errorf("creating %s: it is there already: %w", r, fault.ErrConflict)
	}
	if slices.ContainsFunc(rd.mirror.Actions, func(a types.Action) bool { return a.Type == types.ActionTypeEnumAuthenticateOidc }) {
		return fault.Terminal("CannotMirror", fmt.Errorf(
			"creating %s: %s, which serves these requests today, has authenticate-oidc, whose client secret AWS shows to nobody; create the rule yourself with that action and the weights of today, then run this again", r, rd.mirrorName))
	}
	out, err := r.api.CreateRule(ctx, &elb.CreateRuleInput{
		ListenerArn: aws.String(r.listener.ARN),
		Priority:    aws.Int32(int32(n.Priority)), // #nosec G115 -- Validate has bounded it by 50000
		Conditions:  sdkConditions(n.conditions()),
		Actions:     patch(rd.mirror.Actions, split),
		Transforms:  rd.mirror.Transforms,
		Tags:        append(sdkTags(tags), sdkTag(tagOwner, r.cfg.Owner)),
	})
	err = awsconf.Classify(fmt.Sprintf("creating %s", r), err)
	switch {
	case errors.Is(err, fault.ErrConflict):
		return r.createdBefore(ctx, mark, err)
	case err != nil:
		return err
	}
	if len(out.Rules) == 1 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.arn = aws.ToString(out.Rules[0].RuleArn)
	}
	return nil
}

// createdBefore tells a rule that somebody else made from our own, whose creation took
// effect while the answer was lost and was tried again: it carries our mark.
func (r *Rule) createdBefore(ctx context.Context, mark shift.Mark, conflict error) error {
	r.forget(false)
	found, ok, err := r.Mark(ctx)
	if err != nil || !ok || found.ID != mark.ID {
		return conflict // that the priority is taken is what counts
	}
	return nil
}
