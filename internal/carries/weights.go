package carries

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/arn"
)

// weighted are the actions that give any of the groups a weight above 0, in words, in the
// order of load balancers, listeners and rules.
func (l *look) weighted(ctx context.Context, groups []types.TargetGroup) ([]string, error) {
	names := map[string]string{} // of the groups, by ARN
	var balancers []string
	for _, g := range groups {
		names[aws.ToString(g.TargetGroupArn)] = aws.ToString(g.TargetGroupName)
		balancers = append(balancers, g.LoadBalancerArns...)
	}
	slices.Sort(balancers)
	var routes []string
	for _, b := range slices.Compact(balancers) {
		found, err := l.balancer(ctx, b, names)
		if err != nil {
			return nil, err
		}
		routes = append(routes, found...)
	}
	return routes, nil
}

// balancer looks at the default actions and the rules of a load balancer.
func (l *look) balancer(ctx context.Context, id string, names map[string]string) ([]string, error) {
	b, err := arn.ParseLoadBalancer(id)
	if err != nil {
		return nil, fmt.Errorf("reading what AWS says of a target group: %w", err)
	}
	var listeners []types.Listener
	err = paged("listing the listeners of "+id+" (elasticloadbalancing:DescribeListeners)", func(marker *string) (*string, error) {
		out, err := l.elb.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: &id, Marker: marker, PageSize: aws.Int32(pageSize)})
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, out.Listeners...)
		return out.NextMarker, nil
	})
	if err != nil {
		return nil, err
	}
	var routes []string
	for _, ln := range listeners {
		at := fmt.Sprintf("listener %s:%d of load balancer %s", ln.Protocol, aws.ToInt32(ln.Port), b.Suffix)
		routes = append(routes, given(ln.DefaultActions, names, "the default action of "+at)...)
		if b.Type == arn.Gateway {
			continue // its listeners have no rules
		}
		rules, err := l.rules(ctx, aws.ToString(ln.ListenerArn))
		if err != nil {
			return nil, err
		}
		for _, r := range rules {
			if !aws.ToBool(r.IsDefault) { // else seen above
				routes = append(routes, given(r.Actions, names, "rule "+aws.ToString(r.Priority)+" of "+at)...)
			}
		}
	}
	return routes, nil
}

func (l *look) rules(ctx context.Context, listener string) (rules []types.Rule, err error) {
	err = paged("listing the rules of "+listener+" (elasticloadbalancing:DescribeRules)", func(marker *string) (*string, error) {
		out, err := l.elb.DescribeRules(ctx, &elb.DescribeRulesInput{ListenerArn: &listener, Marker: marker, PageSize: aws.Int32(pageSize)})
		if err != nil {
			return nil, err
		}
		rules = append(rules, out.Rules...)
		return out.NextMarker, nil
	})
	return rules, err
}

// given tells in words what actions give to the named groups.
func given(actions []types.Action, names map[string]string, who string) []string {
	var routes []string
	for _, a := range actions {
		tuples := forwards(a)
		var total int32
		for _, t := range tuples {
			total += aws.ToInt32(t.Weight)
		}
		for _, t := range tuples {
			if name, ok := names[aws.ToString(t.TargetGroupArn)]; ok && aws.ToInt32(t.Weight) > 0 {
				routes = append(routes, fmt.Sprintf("%s (weight %d of %d for target group %s, whatever leads to the load balancer)", who, aws.ToInt32(t.Weight), total, name))
			}
		}
	}
	return routes
}

// forwards are the target groups of an action, each with its weight. Where none is given
// it is 1, and the weight of a group that is alone does not matter: it gets everything.
func forwards(a types.Action) []types.TargetGroupTuple {
	if a.Type != types.ActionTypeEnumForward {
		return nil
	}
	var tuples []types.TargetGroupTuple
	if a.ForwardConfig != nil {
		tuples = slices.Clone(a.ForwardConfig.TargetGroups)
	}
	if len(tuples) == 0 && a.TargetGroupArn != nil {
		tuples = []types.TargetGroupTuple{{TargetGroupArn: a.TargetGroupArn}}
	}
	for i := range tuples {
		if tuples[i].Weight == nil || len(tuples) == 1 {
			tuples[i].Weight = aws.Int32(1)
		}
	}
	return tuples
}
