package elbv2

import (
	"slices"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

const (
	maxWeight     = 999
	maxStickiness = 604800 // seconds: 7 days
	// defaultWeight is what a target group gets when its weight is left out, even
	// among others that have one. A client that drops a zero turns it into this.
	defaultWeight = 1
)

// parseForward reads both forms: a lone TargetGroupArn, and ForwardConfig.
func (c *call) parseForward(p wire.Params, path string, l *listener) (*model.Forward, error) {
	lone := p.Str("TargetGroupArn")
	config := p.Struct("ForwardConfig")
	if config == nil || len(config.List("TargetGroups")) == 0 {
		if lone == "" {
			return nil, invalid("A target group ARN must be specified")
		}
		f := &model.Forward{TargetGroups: []model.WeightedTargetGroup{{ARN: lone, Weight: defaultWeight}}}
		var err error
		f.Stickiness, err = parseStickiness(config.Struct("TargetGroupStickinessConfig"), path, l)
		return f, err
	}
	f := &model.Forward{}
	arns := []string{}
	for i, g := range config.List("TargetGroups") {
		groupPath := at(path+".forwardConfig.targetGroups", i)
		arn, err := requiredIn(g, "TargetGroupArn", groupPath)
		if err != nil {
			return nil, err
		}
		weight, ok, err := g.Int("Weight")
		if err != nil {
			return nil, err
		}
		if !ok {
			weight = defaultWeight
		}
		if weight < 0 || weight > maxWeight {
			return nil, invalid("The weight of target group '%s' must be from 0 to %d, not %d", arn, maxWeight, weight)
		}
		f.TargetGroups = append(f.TargetGroups, model.WeightedTargetGroup{ARN: arn, Weight: weight})
		arns = append(arns, arn)
	}
	if lone != "" && (len(arns) > 1 || arns[0] != lone) {
		return nil, invalid("TargetGroupArn '%s' and ForwardConfig must name the same single target group", lone)
	}
	if arn, ok := wire.FirstDuplicate(arns); ok {
		return nil, invalid("Target group '%s' was provided multiple times in one action", arn)
	}
	if limit := c.s.cfg.Quotas.TargetGroupsPerAction; len(arns) > limit {
		// The code is a guess: the model has none for this quota.
		return nil, invalid("A forward action can have at most %d target groups, not %d", limit, len(arns))
	}
	var err error
	f.Stickiness, err = parseStickiness(config.Struct("TargetGroupStickinessConfig"), path, l)
	return f, err
}

// parseStickiness reads both kinds: by cookie, for a while, and by source IP address.
func parseStickiness(p wire.Params, path string, l *listener) (*model.Stickiness, error) {
	if p == nil {
		return nil, nil //nolint:nilnil // nil: never given, as the model says
	}
	s := &model.Stickiness{}
	var err error
	if s.Enabled, _, err = p.Bool("Enabled"); err != nil {
		return nil, err
	}
	if l.lb.kind == network {
		if p.Has("DurationSeconds") { // the code is a guess
			return nil, invalid("DurationSeconds of target group stickiness cannot be specified for a listener of a Network Load Balancer")
		}
		return s, nil
	}
	path += ".forwardConfig.targetGroupStickinessConfig.durationSeconds"
	n, ok, err := constraint.Int(p, "DurationSeconds", path, 1, maxStickiness)
	if err != nil {
		return nil, err
	}
	if s.Enabled && !ok {
		return nil, invalid("DurationSeconds must be specified, from 1 to %d, when target group stickiness is enabled", maxStickiness)
	}
	s.DurationSeconds = n
	return s, nil
}

// checkForward makes sure that the groups of an action exist, and may serve l.
func (c *call) checkForward(f *model.Forward, l *listener) error {
	if f == nil {
		return nil
	}
	used := c.associations()
	var groups []*targetGroup
	for _, g := range f.TargetGroups {
		if err := checkARN(g.ARN, kindTargetGroup); err != nil {
			return err
		}
		tg, ok := find(c.targetGroups, g.ARN, targetGroupARN)
		if !ok {
			return wire.Errorf("TargetGroupNotFound", "Target group '%s' not found", g.ARN)
		}
		if by := used[g.ARN]; len(by) > 0 && by[0] != l.lb.arn {
			return wire.Errorf("TargetGroupAssociationLimit",
				"The following target groups cannot be associated with more than one load balancer: %s", g.ARN)
		}
		sticky := f.Stickiness != nil && f.Stickiness.Enabled
		if len(f.TargetGroups) > 1 && !sticky && tg.attributes.get(attrStickiness) == "true" {
			return wire.Errorf("InvalidConfigurationRequest",
				"You must enable group stickiness on a rule if you enabled target stickiness on one of its target groups: %s", g.ARN)
		}
		if err := checkProtocols(l, tg); err != nil {
			return err
		}
		groups = append(groups, tg)
	}
	if l.lb.kind == network {
		return checkNetworkForward(f, groups, l)
	}
	return nil
}

// checkProtocols makes sure that a listener may forward to a target group.
func checkProtocols(l *listener, tg *targetGroup) error {
	compatible := map[string][]string{
		"HTTP": {"HTTP", "HTTPS"}, "HTTPS": {"HTTP", "HTTPS"},
		"TCP": {"TCP", "TCP_UDP"}, "TLS": {"TCP", "TLS"}, "UDP": {"UDP", "TCP_UDP"}, "TCP_UDP": {"TCP_UDP"},
	}[l.protocol]
	if !slices.Contains(compatible, tg.protocol) {
		return wire.Errorf("IncompatibleProtocols", "The listener and its associated target group '%s' have incompatible protocols: '%s' and '%s'", tg.arn, l.protocol, tg.protocol)
	}
	if tg.targetType == "alb" && l.protocol != "TCP" { // the code is a guess
		return wire.Errorf("InvalidConfigurationRequest", "Target group '%s' with target type 'alb' can be associated with TCP listeners only, not %s", tg.arn, l.protocol)
	}
	return nil
}

// checkNetworkForward holds what network load balancers demand of the groups of one
// action together. The rules are AWS's; all the codes are guesses.
func checkNetworkForward(f *model.Forward, groups []*targetGroup, l *listener) error {
	refuse := func(format string, args ...any) error {
		return wire.Errorf("InvalidConfigurationRequest", format, args...)
	}
	if l.protocol == "TLS" && f.Stickiness != nil && f.Stickiness.Enabled {
		return refuse("Target group stickiness is not supported for TLS listeners")
	}
	for _, tg := range groups {
		switch first := groups[0]; {
		case l.protocol == "TLS" && tg.protocol != first.protocol:
			return refuse("All target groups of an action of a TLS listener must have the same protocol: '%s' has %s and '%s' has %s", first.arn, first.protocol, tg.arn, tg.protocol)
		case tg.ipType != first.ipType:
			return refuse("All target groups of an action must have the same IP address type: '%s' has %s and '%s' has %s", first.arn, first.ipType, tg.arn, tg.ipType)
		case tg.ipType == "ipv6" && l.lb.ipType != "dualstack":
			return refuse("Target group '%s' has the IP address type ipv6, which requires a dualstack load balancer; '%s' is %s", tg.arn, l.lb.arn, l.lb.ipType)
		}
	}
	return nil
}

// checkUniqueGroups holds the load balancer's quota of different target groups, were
// the rule r of listener l to have the action f. r may be new.
func (c *call) checkUniqueGroups(l *listener, r *rule, f *model.Forward) error {
	groups := map[string]bool{}
	add := func(f *model.Forward) {
		if f != nil {
			for _, g := range f.TargetGroups {
				groups[g.ARN] = true
			}
		}
	}
	add(f)
	for _, other := range c.listeners {
		if other.lb != l.lb {
			continue
		}
		for _, x := range other.rules {
			if x != r {
				add(x.actions.forward())
			}
		}
	}
	if limit := c.s.cfg.Quotas.TargetGroupsPerLoadBalancer; len(groups) > limit {
		return wire.Errorf("TooManyUniqueTargetGroupsPerLoadBalancer",
			"The maximum number of unique target groups per load balancer is %d and it would be %d for '%s'", limit, len(groups), l.lb.arn)
	}
	return c.checkTargetsOf(l.lb, groups)
}

// checkTargetsOf holds the quota of targets behind a load balancer.
func (c *call) checkTargetsOf(lb *loadBalancer, groups map[string]bool) error {
	n := 0
	for _, tg := range c.targetGroups {
		if groups[tg.arn] {
			n += len(tg.targets)
		}
	}
	if limit := c.s.cfg.Quotas.targets(lb); n > limit {
		return wire.Errorf("TooManyTargets", "The maximum number of targets per load balancer is %d and it would be %d for '%s'", limit, n, lb.arn)
	}
	return nil
}

// describeForward fills in what AWS fills in: the lone group's short form and the
// stickiness that nobody configured.
func describeForward(f *model.Forward) wire.Struct {
	var out wire.Struct
	if len(f.TargetGroups) == 1 {
		out = append(out, kv("TargetGroupArn", f.TargetGroups[0].ARN))
	}
	sticky := wire.Struct{kv("Enabled", false)}
	if s := f.Stickiness; s != nil {
		sticky = wire.Struct{kv("Enabled", s.Enabled)}
		if s.DurationSeconds != 0 {
			sticky = append(sticky, kv("DurationSeconds", s.DurationSeconds))
		}
	}
	return append(out, kv("ForwardConfig", wire.Struct{
		kv("TargetGroups", wire.ListOf(f.TargetGroups, func(g model.WeightedTargetGroup) wire.Struct {
			return wire.Struct{kv("TargetGroupArn", g.ARN), kv("Weight", g.Weight)}
		})),
		kv("TargetGroupStickinessConfig", sticky),
	}))
}

// associations lists, for each target group that a rule refers to, the load balancers
// whose rules do. AWS allows one.
func (w *world) associations() map[string][]string {
	out := map[string][]string{}
	for _, l := range w.listeners {
		for _, r := range l.rules {
			f := r.actions.forward()
			if f == nil {
				continue
			}
			for _, g := range f.TargetGroups {
				if by := out[g.ARN]; len(by) == 0 {
					out[g.ARN] = append(by, l.lb.arn)
				}
			}
		}
	}
	return out
}
