package elbv2

import (
	"fmt"
	"slices"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// groupSettings is what a target group is created with; equal settings make
// CreateTargetGroup idempotent.
type groupSettings struct {
	name            string
	protocol        string // HTTP | HTTPS, or TCP | TLS | UDP | TCP_UDP
	protocolVersion string // HTTP1 | HTTP2 | GRPC; "" for network load balancers
	port            int
	targetType      string // ip | instance | alb
	vpcID           string
	ipType          string
	health          healthCheck
}

// network says that the group is for network load balancers.
func (g groupSettings) network() bool { return model.IsNetwork(g.protocol) }

type targetGroup struct {
	groupSettings
	arn        string
	targets    []target
	attributes attributes
	tags       tags
}

func targetGroupARN(tg *targetGroup) string { return tg.arn }

func (tg *targetGroup) model(inUse bool) model.TargetGroup {
	m := model.TargetGroup{
		ARN: tg.arn, Name: tg.name, Protocol: tg.protocol, ProtocolVersion: tg.protocolVersion,
		Port: tg.port, TargetType: tg.targetType, IPAddressType: tg.ipType, HealthCheck: tg.health.model(),
		Attributes: tg.attributes.all(), InUse: inUse,
	}
	for _, t := range tg.targets {
		m.Targets = append(m.Targets, t.Target)
	}
	return m
}

func describeTargetGroup(tg *targetGroup, loadBalancers []string) wire.Struct {
	out := wire.Struct{
		kv("TargetGroupArn", tg.arn),
		kv("TargetGroupName", tg.name),
		kv("Protocol", tg.protocol),
		kv("Port", tg.port),
		kv("VpcId", tg.vpcID),
	}
	out = append(out, tg.health.describe()...)
	return append(out,
		kv("LoadBalancerArns", wire.Texts(loadBalancers)),
		kv("TargetType", tg.targetType),
		kv("ProtocolVersion", wire.Opt(tg.protocolVersion)),
		kv("IpAddressType", tg.ipType),
	)
}

func (w *world) targetGroup(arn string) (*targetGroup, error) {
	if err := checkARN(arn, kindTargetGroup); err != nil {
		return nil, err
	}
	tg, ok := find(w.targetGroups, arn, targetGroupARN)
	if !ok {
		return nil, wire.Errorf("TargetGroupNotFound", "One or more target groups not found")
	}
	return tg, nil
}

func (c *call) targetGroupMember() (*targetGroup, error) {
	arn, err := c.arnOf("TargetGroupArn", kindTargetGroup)
	if err != nil {
		return nil, err
	}
	return c.targetGroup(arn)
}

func (c *call) createTargetGroup() (wire.Struct, error) {
	settings, err := c.parseGroupSettings()
	if err != nil {
		return nil, err
	}
	tags, err := c.parseTags()
	if err != nil {
		return nil, err
	}
	for _, x := range c.targetGroups {
		if x.name != settings.name {
			continue
		}
		if x.groupSettings != settings || !x.tags.same(tags) {
			return nil, wire.Errorf("DuplicateTargetGroupName", "A target group with the same name '%s' exists, but with different settings", x.name)
		}
		return c.oneTargetGroup(x), nil
	}
	if limit := c.s.cfg.Quotas.TargetGroups; len(c.targetGroups) >= limit {
		return nil, wire.Errorf("TooManyTargetGroups", "The maximum number of target groups has been reached: %d", limit)
	}
	tg := &targetGroup{groupSettings: settings, tags: tags, attributes: newAttributes(targetGroupAttributes(settings))}
	tg.arn = c.newARN(fmt.Sprintf("%s/%s/%s", kindTargetGroup, tg.name, c.s.newID()))
	c.targetGroups = append(c.targetGroups, tg)
	c.changed = true
	return c.oneTargetGroup(tg), nil
}

func (c *call) oneTargetGroup(tg *targetGroup) wire.Struct {
	return wire.Struct{kv("TargetGroups", wire.List{describeTargetGroup(tg, c.associations()[tg.arn])})}
}

func (c *call) parseGroupSettings() (groupSettings, error) {
	var g groupSettings
	var err error
	if g.name, err = required(c.p, "Name"); err != nil {
		return g, err
	}
	if err := checkName("target group", g.name); err != nil {
		return g, err
	}
	if g.targetType, err = simulated(c.p, "TargetType", "instance", []string{"instance", "ip", "alb"}, "lambda"); err != nil {
		return g, err
	}
	if c.p.Str("Protocol") == "" {
		return g, invalid("A protocol must be specified")
	}
	g.protocol, err = simulated(c.p, "Protocol", "", []string{"HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP"}, "GENEVE", "QUIC", "TCP_QUIC")
	if err != nil {
		return g, err
	}
	if g.targetType == "alb" && g.protocol != "TCP" { // the code is a guess
		return g, invalid("Protocol '%s' is not supported with target type 'alb'; use TCP", g.protocol)
	}
	port, ok, err := constraint.Int(c.p, "Port", "port", 1, 65535)
	if err != nil {
		return g, err
	}
	if !ok {
		return g, invalid("A port must be specified")
	}
	g.port = port
	if g.vpcID = c.p.Str("VpcId"); g.vpcID == "" {
		return g, invalid("A VPC ID must be specified")
	}
	if g.network() {
		if v := c.p.Str("ProtocolVersion"); v != "" { // the code is a guess
			return g, invalid("Protocol version '%s' cannot be specified for target groups with the %s protocol", v, g.protocol)
		}
	} else if g.protocolVersion, err = simulated(c.p, "ProtocolVersion", "HTTP1", []string{"HTTP1", "HTTP2", "GRPC"}); err != nil {
		return g, err
	}
	if g.ipType, err = simulated(c.p, "IpAddressType", "ipv4", []string{"ipv4", "ipv6"}); err != nil {
		return g, err
	}
	g.health, err = c.parseHealthCheck(newHealthCheck(g), g)
	return g, err
}

// simulated is an enumerated member. AWS also knows the other values.
func simulated(p wire.Params, name, fallback string, ours []string, others ...string) (string, error) {
	v := p.Str(name)
	if v == "" {
		return fallback, nil
	}
	if slices.Contains(others, v) {
		return "", wire.Errorf("NotSimulated", "%s '%s' is not simulated; use one of %v", name, v, ours)
	}
	return v, constraint.OneOf(v, wire.Camel(name), append(slices.Clone(ours), others...)...)
}

func (c *call) describeTargetGroups() (wire.Struct, error) {
	arns, names, lbARN := c.p.Strings("TargetGroupArns"), c.p.Strings("Names"), c.p.Str("LoadBalancerArn")
	given := 0
	for _, ok := range []bool{len(arns) > 0, len(names) > 0, lbARN != ""} {
		if ok {
			given++
		}
	}
	if given > 1 {
		return nil, invalid("Target group names, target group ARNs, and a load balancer ARN cannot be specified at the same time")
	}
	used := c.associations()
	list, err := c.chooseTargetGroups(arns, names, lbARN, used)
	if err != nil {
		return nil, err
	}
	part, next, err := page(c, list, targetGroupARN)
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("TargetGroups", wire.ListOf(part, func(tg *targetGroup) wire.Struct {
		return describeTargetGroup(tg, used[tg.arn])
	})), next}, nil
}

func (c *call) chooseTargetGroups(arns, names []string, lbARN string, used map[string][]string) ([]*targetGroup, error) {
	var list []*targetGroup
	switch {
	case len(arns) > 0:
		for _, arn := range arns {
			tg, err := c.targetGroup(arn)
			if err != nil {
				return nil, err
			}
			list = append(list, tg)
		}
	case len(names) > 0:
		for _, name := range names {
			tg, ok := find(c.targetGroups, name, func(tg *targetGroup) string { return tg.name })
			if !ok {
				return nil, wire.Errorf("TargetGroupNotFound", "One or more target groups not found")
			}
			list = append(list, tg)
		}
	case lbARN != "":
		if _, err := c.loadBalancer(lbARN); err != nil {
			return nil, err
		}
		for _, tg := range c.targetGroups {
			if slices.Contains(used[tg.arn], lbARN) {
				list = append(list, tg)
			}
		}
	default:
		list = c.targetGroups
	}
	return list, nil
}

func (c *call) modifyTargetGroup() (wire.Struct, error) {
	tg, err := c.targetGroupMember()
	if err != nil {
		return nil, err
	}
	health, err := c.parseHealthCheck(tg.health, tg.groupSettings)
	if err != nil {
		return nil, err
	}
	tg.health = health
	c.changed = true
	return c.oneTargetGroup(tg), nil
}

func (c *call) deleteTargetGroup() (wire.Struct, error) {
	arn, err := c.arnOf("TargetGroupArn", kindTargetGroup)
	if err != nil {
		return nil, err
	}
	if len(c.associations()[arn]) > 0 {
		return nil, wire.Errorf("ResourceInUse", "Target group '%s' is currently in use by a listener or a rule", arn)
	}
	if _, ok := find(c.targetGroups, arn, targetGroupARN); ok {
		c.targetGroups = slices.DeleteFunc(c.targetGroups, func(x *targetGroup) bool { return x.arn == arn })
		c.changed = true
	}
	return wire.Struct{}, nil
}

func (c *call) describeTargetGroupAttributes() (wire.Struct, error) {
	tg, err := c.targetGroupMember()
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("Attributes", tg.attributes.describe())}, nil
}

func (c *call) modifyTargetGroupAttributes() (wire.Struct, error) {
	tg, err := c.targetGroupMember()
	if err != nil {
		return nil, err
	}
	next, err := c.parseAttributes(tg.attributes, "target group")
	if err != nil {
		return nil, err
	}
	if err := checkAttributesOf(tg, next); err != nil {
		return nil, err
	}
	if next.get(attrStickiness) == "true" && tg.attributes.get(attrStickiness) != "true" {
		if err := c.checkTargetStickiness(tg); err != nil {
			return nil, err
		}
	}
	tg.attributes = next
	c.changed = true
	return wire.Struct{kv("Attributes", next.describe())}, nil
}

// checkAttributesOf holds what attributes demand of each other.
func checkAttributesOf(tg *targetGroup, next attributes) error {
	if tg.network() {
		return checkNetworkAttributes(tg, next)
	}
	const algorithm, mitigation = "load_balancing.algorithm.type", "load_balancing.algorithm.anomaly_mitigation"
	if next.get("slow_start.duration_seconds") != "0" && next.get(algorithm) != "round_robin" {
		return wire.Errorf("InvalidConfigurationRequest", "Slow start requires the load balancing algorithm 'round_robin', not '%s'", next.get(algorithm))
	}
	if next.get(mitigation) == "on" && next.get(algorithm) != "weighted_random" {
		return wire.Errorf("InvalidConfigurationRequest", "Anomaly mitigation requires the load balancing algorithm 'weighted_random', not '%s'", next.get(algorithm))
	}
	if next.get("stickiness.type") == "app_cookie" && next.get(attrStickiness) == "true" && next.get("stickiness.app_cookie.cookie_name") == "" {
		return wire.Errorf("InvalidConfigurationRequest", "stickiness.app_cookie.cookie_name must be specified for the stickiness type 'app_cookie'")
	}
	return nil
}

// checkNetworkAttributes of a group of network load balancers. The codes are those of
// a stickiness type that does not fit, which is known; for the others they are guesses.
func checkNetworkAttributes(tg *targetGroup, next attributes) error {
	refuse := func(format string, args ...any) error {
		return wire.Errorf("InvalidConfigurationRequest", format, args...)
	}
	udp := tg.protocol == "UDP" || tg.protocol == "TCP_UDP"
	switch kind := next.get("stickiness.type"); {
	case kind != "source_ip":
		return refuse("Stickiness type '%s' is not supported for target groups with the %s protocol", kind, tg.protocol)
	case tg.protocol == "TLS" && next.get(attrStickiness) == "true":
		return refuse("Stickiness is not supported for target groups with the TLS protocol")
	case udp && next.get(attrPreserveClientIP) != "true":
		return refuse("%s cannot be disabled for target groups with the %s protocol", attrPreserveClientIP, tg.protocol)
	case udp && next.get(attrTerminateUnhealthy) == "true":
		return refuse("%s cannot be enabled for target groups with the %s protocol", attrTerminateUnhealthy, tg.protocol)
	case next.get(attrTerminateUnhealthy) == "true" && next.get(attrUnhealthyDraining) != "0":
		return refuse("%s can be set only when %s is false", attrUnhealthyDraining, attrTerminateUnhealthy)
	}
	return nil
}

// checkTargetStickiness refuses stickiness within a group when a rule spreads over
// several groups without stickiness between them.
func (c *call) checkTargetStickiness(tg *targetGroup) error {
	for _, l := range c.listeners {
		for _, r := range l.rules {
			f := r.actions.forward()
			if f == nil || len(f.TargetGroups) < 2 || f.Stickiness != nil && f.Stickiness.Enabled {
				continue
			}
			if slices.ContainsFunc(f.TargetGroups, func(g model.WeightedTargetGroup) bool { return g.ARN == tg.arn }) {
				return wire.Errorf("InvalidConfigurationRequest",
					"This target group appears behind a rule with group stickiness disabled (%s). You must enable group stickiness before enabling target stickiness", r.arn)
			}
		}
	}
	return nil
}
