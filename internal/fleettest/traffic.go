package fleettest

import (
	"context"
	"fmt"

	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/registry"
)

const elbService = "elasticloadbalancing"

// Serve makes a target group for a cluster, NAME-web, and a load balancer whose listener
// gives it a weight and the rest, if it is below 100, to another group.
func (w *World) Serve(ctx context.Context, id registry.ID, weight int) error {
	do := func(op string, p wire.Params, list, member string) (string, error) {
		out, err := w.Do(ctx, elbService, id.Account, id.Region, op, p)
		if err != nil {
			return "", err
		}
		return first(out, list, member)
	}
	lb, err := do("CreateLoadBalancer", wire.Params{"Name": "lb-" + id.Name, "Subnets": []any{"subnet-0a", "subnet-0b"}}, "LoadBalancers", "LoadBalancerArn")
	if err != nil {
		return err
	}
	groups := make([]any, 0, 2)
	for _, g := range []struct {
		name   string
		weight int
	}{{id.Name + "-web", weight}, {"other-" + id.Name, 100 - weight}} {
		arn, err := do("CreateTargetGroup", wire.Params{
			"Name": g.name, "Protocol": "HTTP", "Port": int64(80), "VpcId": "vpc-01ab", "TargetType": "ip",
		}, "TargetGroups", "TargetGroupArn")
		if err != nil {
			return err
		}
		groups = append(groups, wire.Params{"TargetGroupArn": arn, "Weight": int64(g.weight)})
	}
	action := wire.Params{"Type": "forward", "ForwardConfig": wire.Params{"TargetGroups": groups}}
	listener, err := do("CreateListener", wire.Params{
		"LoadBalancerArn": lb, "Protocol": "HTTP", "Port": int64(80), "DefaultActions": []any{action},
	}, "Listeners", "ListenerArn")
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.truth[id.ARN()]
	t.Weight, t.listener, t.action = weight, listener, action
	w.changed(t)
	return nil
}

// SetWeight changes what a cluster's target group gets.
func (w *World) SetWeight(ctx context.Context, arn string, weight int) error {
	w.mu.Lock()
	t := w.truth[arn]
	w.mu.Unlock()
	groups := t.action.Struct("ForwardConfig").List("TargetGroups")
	action := wire.Params{"Type": "forward", "ForwardConfig": wire.Params{"TargetGroups": []any{
		wire.Params{"TargetGroupArn": groups[0].Str("TargetGroupArn"), "Weight": int64(weight)},
		wire.Params{"TargetGroupArn": groups[1].Str("TargetGroupArn"), "Weight": int64(100 - weight)},
	}}}
	if _, err := w.Do(ctx, elbService, t.Account, t.Region, "ModifyListener", wire.Params{"ListenerArn": t.listener, "DefaultActions": []any{action}}); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t.Weight, t.action = weight, action
	w.changed(t)
	return nil
}

// first is a member of the first element of a list in an answer.
func first(out wire.Struct, list, member string) (string, error) {
	for _, m := range out {
		items, ok := m.Value.(wire.List)
		if !ok || m.Name != list || len(items) == 0 {
			continue
		}
		s, ok := items[0].(wire.Struct)
		if !ok {
			continue
		}
		for _, m := range s {
			if v, ok := m.Value.(string); ok && m.Name == member {
				return v, nil
			}
		}
	}
	return "", fmt.Errorf("the answer has no %s[0].%s", list, member)
}
