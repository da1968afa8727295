package elbv2

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/fault"
)

// Preflight checks, before anything is written, what a write would trip over: that the
// listener and the target groups exist and fit together, that all of them find room on
// the rule, and that the rule is ours to change. It makes three calls, two for a default
// action (more only when rules fill several pages, or to name what is missing).
func (r *Rule) Preflight(ctx context.Context) (warnings []string, err error) {
	rd, rules, err := r.survey(ctx)
	if err != nil {
		return nil, err
	}
	live := r.live(rd)
	all := live.Split.With(r.cfg.Destinations...)
	if len(all) > Limits().MaxDestinations {
		foreign := slices.DeleteFunc(live.Split.IDs(), func(id string) bool { return slices.Contains(r.cfg.Destinations, id) })
		return nil, fault.Terminal("TooManyDestinations", fmt.Errorf(
			"destinations: the declared %d and those that the route has beside them (%s) make %d target groups; %s holds %d: take some off it, or declare fewer",
			len(r.cfg.Destinations), strings.Join(foreign, ", "), len(all), r.holder(), Limits().MaxDestinations))
	}
	asked := r.cfg.Destinations
	if r.network() {
		asked = all.IDs() // those beside the declared ones must fit together with them, too
	}
	groups, err := r.describeGroups(ctx, asked)
	if err != nil {
		return nil, err
	}
	if err := r.checkGroups(groups); err != nil {
		return nil, err
	}
	if r.network() {
		err = r.checkNetworkGroups(rd.protocol, live.Split, groups)
	} else {
		err = r.checkApplicationGroups(groups)
	}
	if err != nil {
		return nil, err
	}
	if rd.exists {
		more, err := r.checkOwner(ctx, rd)
		if err != nil {
			return nil, err
		}
		warnings = append(warnings, more...)
		isOurs := func(rule types.Rule) bool {
			return aws.ToString(rule.RuleArn) == rd.arn || r.cfg.Default && aws.ToBool(rule.IsDefault)
		}
		if by, ok := shadow(rules, isOurs); ok {
			warnings = append(warnings, fmt.Sprintf("%s matches every request that this route would, and comes first: the route gets no traffic", ruleName(by)))
		}
	}
	warnings = append(append(warnings, r.uncounted(groups)...), r.leaving(live.Split)...)
	return append(warnings, live.Notes...), nil
}

// survey reads the route and, where other rules can come before it, those.
func (r *Rule) survey(ctx context.Context) (*reading, []types.Rule, error) {
	if r.network() {
		rd, err := r.ask(ctx)
		if err != nil {
			return nil, nil, err
		}
		return rd, nil, r.checkListener(rd)
	}
	rules, err := r.listRules(ctx)
	if err != nil {
		return nil, nil, err
	}
	rd, err := r.find(rules)
	return rd, rules, err
}

// checkOwner refuses somebody else's rule. A rule that is declared by ARN, and a default
// action, are named so exactly that naming them is consent.
func (r *Rule) checkOwner(ctx context.Context, rd *reading) ([]string, error) {
	n := r.cfg.Numbered
	if n == nil {
		return nil, nil
	}
	tags, err := r.tagsOf(ctx, rd.arn)
	if err != nil {
		return nil, err
	}
	owner := tags[tagOwner]
	same := r.conforms(rd)
	switch {
	case owner == r.cfg.Owner || r.cfg.Adopt:
		if !same {
			return []string{fmt.Sprintf("the rule's conditions (%s) become %s, at the weights of today, before anything is shifted", describe(conditionsOf(rd.conditions)), describe(n.conditions()))}, nil
		}
		return nil, nil
	case same && owner == "":
		return nil, nil
	case same:
		return []string{fmt.Sprintf("the rule belongs to %q (tag %s): two declarations shift it", owner, tagOwner)}, nil
	}
	whose := "was not made by norikae"
	if owner != "" {
		whose = fmt.Sprintf("belongs to %q (tag %s)", owner, tagOwner)
	}
	return nil, fault.Terminal("ForeignRule", fmt.Errorf(
		"route.alb.rule.priority: %d: the rule at this priority %s and has other conditions (%s; declared: %s); choose a priority that is free, or set route.alb.adopt: true to take this rule over and change its conditions",
		n.Priority, whose, describe(conditionsOf(rd.conditions)), describe(n.conditions())))
}

// describeGroups by ARN; the declared destinations must be among them.
func (r *Rule) describeGroups(ctx context.Context, asked []string) (map[string]types.TargetGroup, error) {
	groups := map[string]types.TargetGroup{}
	ask := func(ids ...string) error {
		pages := elb.NewDescribeTargetGroupsPaginator(r.api, &elb.DescribeTargetGroupsInput{TargetGroupArns: ids})
		for pages.HasMorePages() {
			out, err := pages.NextPage(ctx)
			if err != nil {
				return awsconf.Classify("reading target groups", err)
			}
			for _, g := range out.TargetGroups {
				groups[aws.ToString(g.TargetGroupArn)] = g
			}
		}
		return nil
	}
	err := ask(asked...)
	if errors.Is(err, fault.ErrNotFound) { // AWS does not say which: ask for each
		for _, id := range asked {
			if err := ask(id); err != nil && !errors.Is(err, fault.ErrNotFound) {
				return nil, err
			}
		}
		err = nil
	}
	if err != nil {
		return nil, err
	}
	for i, id := range r.cfg.Destinations {
		if _, ok := groups[id]; !ok {
			return nil, fault.Terminal("DestinationNotFound", fmt.Errorf(
				"destinations[%d].targetGroupARN: %q does not exist; check the ARN, or create the target group first", i, id))
		}
	}
	return groups, nil
}

// checkGroups checks that the declared groups can serve this load balancer at all.
func (r *Rule) checkGroups(groups map[string]types.TargetGroup) error {
	lb := r.listener.LoadBalancer.ARN
	vpc := "" // of the groups that the load balancer serves already
	for _, g := range groups {
		if slices.Contains(g.LoadBalancerArns, lb) && g.VpcId != nil {
			vpc = *g.VpcId
		}
	}
	for i, id := range r.cfg.Destinations {
		g := groups[id]
		switch {
		case len(g.LoadBalancerArns) > 0 && !slices.Contains(g.LoadBalancerArns, lb):
			return refused(i, id, "serves another load balancer, %s, and a target group serves only one; use a target group of %s, or one that serves none yet", g.LoadBalancerArns[0], lb)
		case g.TargetType != types.TargetTypeEnumLambda && vpc != "" && aws.ToString(g.VpcId) != vpc:
			return refused(i, id, "is in VPC %s, the load balancer's other target groups in %s; a load balancer forwards only within its VPC", aws.ToString(g.VpcId), vpc)
		}
	}
	return nil
}

// checkApplicationGroups checks that the declared groups are of a kind for an ALB.
func (r *Rule) checkApplicationGroups(groups map[string]types.TargetGroup) error {
	for i, id := range r.cfg.Destinations {
		g := groups[id]
		switch {
		case g.TargetType == types.TargetTypeEnumAlb:
			return refused(i, id, "has load balancers for targets (target type alb), which only a Network Load Balancer forwards to; want instance, ip or lambda")
		case g.TargetType != types.TargetTypeEnumLambda && g.Protocol != types.ProtocolEnumHttp && g.Protocol != types.ProtocolEnumHttps:
			return refused(i, id, "has protocol %s; an Application Load Balancer forwards to HTTP and HTTPS", g.Protocol)
		}
	}
	return nil
}

// refused says why the declared destination number i cannot be one.
func refused(i int, id, why string, args ...any) error {
	return fault.Terminal("InvalidDestination", fmt.Errorf("destinations[%d].targetGroupARN: %q %s", i, id, fmt.Sprintf(why, args...)))
}

// Advise says what people should know before a shift that no check of a run needs: what
// is in the target groups' attributes, and what does not follow the weights. It makes a
// call per declared group, on an NLB two and one for the rules, and belongs into a
// preview, not into a run.
func (r *Rule) Advise(ctx context.Context) ([]string, error) {
	rd, err := r.recent(ctx)
	if err != nil {
		return nil, err
	}
	actions := rd.actions
	if !rd.exists {
		actions = rd.mirror.Actions
	}
	_, sticky := stickiness(actions)
	several := len(splitOf(actions).With(r.cfg.Destinations...)) > 1
	var out []string
	if r.network() {
		if out, err = r.adviseNetwork(ctx, rd); err != nil {
			return nil, err
		}
	} else {
		out = append(out, "WebSocket connections that are open stay on their target until they close, whatever the weights; requests and new ones follow")
	}
	for _, id := range r.cfg.Destinations {
		got, err := r.api.DescribeTargetGroupAttributes(ctx, &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: aws.String(id)})
		if err != nil {
			return nil, awsconf.Classify("reading the attributes of "+id, err)
		}
		attrs := map[string]string{}
		for _, a := range got.Attributes {
			attrs[aws.ToString(a.Key)] = aws.ToString(a.Value)
		}
		out = append(out, advice(id, attrs, sticky, several)...)
	}
	return out, nil
}

func advice(id string, attrs map[string]string, sticky, several bool) []string {
	var out []string
	if attrs["stickiness.enabled"] == "true" && several && !sticky {
		out = append(out, fmt.Sprintf("%s has target stickiness on: AWS refuses it in an action with several target groups unless group stickiness is on too; turn one of them off or on before the shift", id))
	}
	if s := attrs["slow_start.duration_seconds"]; s != "" && s != "0" {
		out = append(out, fmt.Sprintf("%s has slow start (%s s): it slows newly registered targets, not a change of weights", id, s))
	}
	if attrs["deregistration_delay.timeout_seconds"] == "0" {
		out = append(out, id+" has a deregistration delay of 0 s: targets that leave it cut their requests off")
	}
	return out
}
