package elbv2

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// target is registered in a group, or draining.
type target struct {
	model.Target
	// draining tells one deregistration from a later one of the same target.
	draining int
}

func (t target) is(id string, port int) bool { return t.ID == id && t.Port == port }

// parseTargets reads the member Targets, with the group's port where none is given.
func (c *call) parseTargets(tg *targetGroup, needed bool) ([]model.Target, error) {
	list := c.p.List("Targets")
	if len(list) == 0 && needed {
		return nil, constraint.Violation(nil, "targets", "not be null")
	}
	var out []model.Target
	for i, p := range list {
		path := at("targets", i)
		id, err := requiredIn(p, "Id", path)
		if err != nil {
			return nil, err
		}
		if err := checkTargetID(id, tg); err != nil {
			return nil, err
		}
		port, ok, err := constraint.Int(p, "Port", path+".port", 1, 65535)
		if err != nil {
			return nil, err
		}
		if !ok {
			port = tg.port
		}
		if tg.targetType == "alb" && port != tg.port { // the code is a guess
			return nil, invalid("The port %d of target '%s' must be the target group's, %d", port, id, tg.port)
		}
		t := model.Target{ID: id, Port: port, AZ: p.Str("AvailabilityZone")}
		if t.AZ != "" && tg.targetType == "instance" {
			return nil, invalid("You cannot specify an Availability Zone for a target of type 'instance'")
		}
		out = append(out, t)
	}
	return out, nil
}

func checkTargetID(id string, tg *targetGroup) error {
	switch tg.targetType {
	case "alb":
		if arnKind(id) != kindLoadBalancer || !strings.Contains(id, ":loadbalancer/app/") {
			return wire.Errorf("InvalidTarget", "The target ID '%s' is not the ARN of an Application Load Balancer", id)
		}
		return nil
	case "instance":
		if !regexp.MustCompile(`^i-[0-9a-f]+$`).MatchString(id) {
			return wire.Errorf("InvalidTarget", "The instance ID '%s' is not valid", id)
		}
		return nil
	}
	addr, err := netip.ParseAddr(id)
	if err != nil {
		return wire.Errorf("InvalidTarget", "The target ID '%s' is not a valid IP address", id)
	}
	if (tg.ipType == "ipv6") != addr.Is6() {
		return wire.Errorf("InvalidTarget", "The IP address '%s' is not of the target group's IP address type, %s", id, tg.ipType)
	}
	shared := netip.MustParsePrefix("100.64.0.0/10")
	// Loopback is ours: on AWS it is refused.
	if !addr.IsPrivate() && !shared.Contains(addr) && !addr.IsLoopback() {
		return wire.Errorf("InvalidTarget", "The IP address '%s' is not within a private range (RFC 1918, RFC 6598) or loopback", id)
	}
	return nil
}

func (c *call) registerTargets() (wire.Struct, error) {
	tg, err := c.targetGroupMember()
	if err != nil {
		return nil, err
	}
	add, err := c.parseTargets(tg, true)
	if err != nil {
		return nil, err
	}
	if tg.targetType == "alb" {
		if err := c.checkBalancerTarget(tg, add); err != nil {
			return nil, err
		}
	}
	next := slices.Clone(tg.targets)
	for _, t := range add {
		i := slices.IndexFunc(next, func(x target) bool { return x.is(t.ID, t.Port) })
		if i >= 0 {
			next[i].Target = t // ends draining
		} else {
			next = append(next, target{Target: t})
		}
	}
	if limit := c.s.cfg.Quotas.TargetsPerTargetGroup; len(next) > limit {
		return nil, wire.Errorf("TooManyTargets", "The maximum number of targets per target group is %d and it would be %d for '%s'", limit, len(next), tg.arn)
	}
	if err := c.checkRegistration(tg, len(next)-len(tg.targets)); err != nil {
		return nil, err
	}
	tg.targets = next
	c.changed = true
	return wire.Struct{}, nil
}

// checkBalancerTarget makes sure that a group has one application load balancer only,
// which listens on the group's port. The codes are guesses.
func (c *call) checkBalancerTarget(tg *targetGroup, add []model.Target) error {
	other := func(x target) bool { return x.ID != add[0].ID }
	if len(add) > 1 || slices.ContainsFunc(tg.targets, other) {
		return wire.Errorf("TooManyTargets", "A target group with target type 'alb' can have only one target: '%s'", tg.arn)
	}
	if _, ok := find(c.loadBalancers, add[0].ID, loadBalancerARN); !ok {
		return wire.Errorf("InvalidTarget", "The load balancer '%s' does not exist", add[0].ID)
	}
	listens := func(l *listener) bool { return l.lb.arn == add[0].ID && l.port == tg.port }
	if !slices.ContainsFunc(c.listeners, listens) {
		return wire.Errorf("InvalidTarget", "The load balancer '%s' has no listener on the target group's port %d", add[0].ID, tg.port)
	}
	return nil
}

// checkRegistration holds the quota of targets per load balancer.
func (c *call) checkRegistration(tg *targetGroup, added int) error {
	used := c.associations()
	if len(used[tg.arn]) == 0 {
		return nil
	}
	n := added
	for _, x := range c.targetGroups {
		if slices.Equal(used[x.arn], used[tg.arn]) {
			n += len(x.targets)
		}
	}
	lb, err := c.loadBalancer(used[tg.arn][0])
	if err != nil {
		return err
	}
	if limit := c.s.cfg.Quotas.targets(lb); n > limit {
		return wire.Errorf("TooManyTargets", "The maximum number of targets per load balancer is %d and it would be %d for '%s'", limit, n, lb.arn)
	}
	return nil
}

// deregisterTargets lets targets in use drain for the group's deregistration delay.
// Targets that are not registered are passed over.
func (c *call) deregisterTargets() (wire.Struct, error) {
	tg, err := c.targetGroupMember()
	if err != nil {
		return nil, err
	}
	gone, err := c.parseTargets(tg, true)
	if err != nil {
		return nil, err
	}
	seconds, err := strconv.Atoi(tg.attributes.get(attrDeregistrationDelay))
	if err != nil {
		return nil, invalid("%s: %v", attrDeregistrationDelay, err)
	}
	delay := time.Duration(seconds) * time.Second
	if len(c.associations()[tg.arn]) == 0 {
		delay = 0
	}
	next := slices.Clone(tg.targets)
	for _, t := range gone {
		i := slices.IndexFunc(next, func(x target) bool { return x.is(t.ID, t.Port) })
		switch {
		case i < 0:
		case delay == 0:
			next = slices.Delete(next, i, i+1)
		case next[i].DrainingSince.IsZero():
			next[i].DrainingSince = c.s.cfg.Now()
			next[i].draining++
			c.s.removeDrained(c.world, tg.arn, next[i], delay)
		}
	}
	tg.targets = next
	c.changed = true
	return wire.Struct{}, nil
}

// removeDrained takes a target out of its group once the delay has passed, unless it
// was registered again meanwhile.
func (s *Service) removeDrained(w *world, groupARN string, t target, delay time.Duration) {
	s.timers.after(time.Until(t.DrainingSince.Add(delay)), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		tg, ok := find(w.targetGroups, groupARN, targetGroupARN)
		if !ok {
			return
		}
		drained := func(x target) bool {
			return x.is(t.ID, t.Port) && !x.DrainingSince.IsZero() && x.draining == t.draining
		}
		if slices.ContainsFunc(tg.targets, drained) {
			tg.targets = slices.DeleteFunc(tg.targets, drained)
			s.publish()
		}
	})
}

func (c *call) describeTargetHealth() (wire.Struct, error) {
	tg, err := c.targetGroupMember()
	if err != nil {
		return nil, err
	}
	asked, err := c.parseTargets(tg, false)
	if err != nil {
		return nil, err
	}
	anomalies := false
	for i, v := range c.p.Strings("Include") {
		if err := constraint.OneOf(v, at("include", i), "AnomalyDetection", "All"); err != nil {
			return nil, err
		}
		anomalies = true
	}
	if len(asked) == 0 {
		for _, t := range tg.targets {
			asked = append(asked, t.Target)
		}
	}
	inUse := len(c.associations()[tg.arn]) > 0
	return wire.Struct{kv("TargetHealthDescriptions", wire.ListOf(asked, func(t model.Target) wire.Struct {
		return c.describeTarget(tg, t, inUse, anomalies)
	}))}, nil
}

func (c *call) describeTarget(tg *targetGroup, asked model.Target, inUse, anomalies bool) wire.Struct {
	health, t := c.targetHealth(tg, asked, inUse)
	port := tg.health.port
	if port == "traffic-port" {
		port = strconv.Itoa(t.Port)
	}
	out := wire.Struct{
		kv("Target", wire.Struct{kv("Id", t.ID), kv("Port", t.Port), kv("AvailabilityZone", wire.Opt(t.AZ))}),
		kv("HealthCheckPort", port),
		kv("TargetHealth", wire.Struct{
			kv("State", health.State), kv("Reason", wire.Opt(health.Reason)), kv("Description", wire.Opt(health.Description)),
		}),
		kv("AdministrativeOverride", wire.Struct{
			kv("State", "no_override"), kv("Reason", "AdministrativeOverride.NoOverride"),
			kv("Description", "No override is currently active on target"),
		}),
	}
	if anomalies {
		out = append(out, kv("AnomalyDetection", wire.Struct{kv("Result", "normal"), kv("MitigationInEffect", "no")}))
	}
	return out
}

// targetHealth decides what only the control plane knows and asks the data plane for
// the rest.
func (c *call) targetHealth(tg *targetGroup, asked model.Target, inUse bool) (model.TargetHealth, model.Target) {
	i := slices.IndexFunc(tg.targets, func(x target) bool { return x.is(asked.ID, asked.Port) })
	if i < 0 {
		return model.TargetHealth{
			State: "unused", Reason: "Target.NotRegistered", Description: "Target is not registered to the target group",
		}, asked
	}
	t := tg.targets[i].Target
	switch {
	case !t.DrainingSince.IsZero():
		return model.TargetHealth{
			State: "draining", Reason: "Target.DeregistrationInProgress", Description: "Target deregistration is in progress",
		}, t
	case !inUse:
		return model.TargetHealth{
			State: "unused", Reason: "Target.NotInUse",
			Description: "Target group is not configured to receive traffic from the load balancer",
		}, t
	case c.s.cfg.DataPlane == nil:
		return model.TargetHealth{
			State: "initial", Reason: "Elb.RegistrationInProgress", Description: "Target registration is in progress",
		}, t
	}
	return c.s.cfg.DataPlane.Health(tg.arn, t), t
}
