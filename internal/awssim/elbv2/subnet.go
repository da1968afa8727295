package elbv2

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// subnet of a load balancer. Only network load balancers have addresses in it.
type subnet struct{ id, allocationID, privateIPv4, ipv6 string }

// zoneName is the zone of a load balancer's n-th subnet (from 0): each has one of its
// own, in order, because the simulator has no EC2 to ask.
func zoneName(region string, n int) string { return fmt.Sprintf("%s%c", region, 'a'+rune(n%26)) }

func (c *call) zones(subnets []subnet) wire.List {
	out := make(wire.List, len(subnets))
	for i, s := range subnets {
		addresses := wire.List{}
		if s.allocationID != "" || s.privateIPv4 != "" || s.ipv6 != "" {
			addresses = append(addresses, wire.Struct{
				kv("AllocationId", wire.Opt(s.allocationID)), kv("PrivateIPv4Address", wire.Opt(s.privateIPv4)), kv("IPv6Address", wire.Opt(s.ipv6)),
			})
		}
		out[i] = wire.Struct{
			kv("ZoneName", zoneName(c.region, i)),
			kv("SubnetId", s.id),
			kv("LoadBalancerAddresses", addresses),
		}
	}
	return out
}

// parseNetwork reads subnets, security groups and the IP address type of a new load
// balancer.
func (c *call) parseNetwork(lb *loadBalancer) error {
	var err error
	if t := c.p.Str("IpAddressType"); t != "" {
		if err := checkIPType(t, lb); err != nil {
			return err
		}
		lb.ipType = t
	}
	if lb.subnets, err = c.parseSubnets(lb); err != nil {
		return err
	}
	if lb.securityGroups, err = c.parseSecurityGroups(); err != nil {
		return err
	}
	lb.enforceInbound = "on"
	lb.sourceNAT, err = c.parseSourceNAT(lb, "off")
	return err
}

// parseSourceNAT reads EnablePrefixForIpv6SourceNat, with what is so far.
func (c *call) parseSourceNAT(lb *loadBalancer, now string) (string, error) {
	v := c.p.Str("EnablePrefixForIpv6SourceNat")
	if v == "" {
		return now, nil
	}
	if err := constraint.OneOf(v, "enablePrefixForIpv6SourceNat", "on", "off"); err != nil {
		return now, err
	}
	// Both codes are unverified.
	if lb.kind != network {
		return now, invalid("EnablePrefixForIpv6SourceNat is supported for Network Load Balancers only")
	}
	if v == "on" && lb.ipType != "dualstack" {
		return now, wire.Errorf("InvalidConfigurationRequest", "EnablePrefixForIpv6SourceNat requires the IP address type 'dualstack', not '%s'", lb.ipType)
	}
	return v, nil
}

func checkIPType(t string, lb *loadBalancer) error {
	if lb.kind == network {
		return constraint.OneOf(t, "ipAddressType", "ipv4", "dualstack")
	}
	if err := constraint.OneOf(t, "ipAddressType", "ipv4", "dualstack", "dualstack-without-public-ipv4"); err != nil {
		return err
	}
	if t == "dualstack-without-public-ipv4" && lb.scheme == "internal" {
		return wire.Errorf("InvalidConfigurationRequest", "The IP address type '%s' is only supported for internet-facing load balancers", t)
	}
	return nil
}

func (c *call) parseSubnets(lb *loadBalancer) ([]subnet, error) {
	ids := c.p.Strings("Subnets")
	mappings := c.p.List("SubnetMappings")
	if len(ids) > 0 && len(mappings) > 0 {
		return nil, invalid("Either subnets or subnet mappings can be specified, but not both")
	}
	var out []subnet
	for _, id := range ids {
		out = append(out, subnet{id: id})
	}
	for _, m := range mappings {
		s := subnet{id: m.Str("SubnetId"), allocationID: m.Str("AllocationId"), privateIPv4: m.Str("PrivateIPv4Address"), ipv6: m.Str("IPv6Address")}
		if err := checkAddresses(s, lb); err != nil {
			return nil, err
		}
		ids = append(ids, s.id)
		out = append(out, s)
	}
	for _, id := range ids {
		if !strings.HasPrefix(id, "subnet-") {
			return nil, wire.Errorf("SubnetNotFound", "The subnet ID '%s' does not exist", id)
		}
	}
	if id, ok := wire.FirstDuplicate(ids); ok {
		return nil, invalid("Subnet '%s' was provided multiple times", id)
	}
	switch {
	case lb.kind == network && len(out) == 0:
		return nil, invalid("At least one subnet must be specified")
	case lb.kind == application && len(out) < 2:
		return nil, invalid("At least two subnets in two different Availability Zones must be specified")
	}
	return out, nil
}

// checkAddresses of a network load balancer in one subnet. The codes are unverified.
func checkAddresses(s subnet, lb *loadBalancer) error {
	switch {
	case lb.kind != network && s.allocationID != "":
		return invalid("Elastic IP addresses cannot be specified for an Application Load Balancer")
	case lb.kind != network && (s.privateIPv4 != "" || s.ipv6 != ""):
		return invalid("IP addresses cannot be specified for an Application Load Balancer")
	case s.allocationID != "" && lb.scheme == "internal":
		return invalid("Elastic IP addresses cannot be specified for an internal load balancer")
	case s.allocationID != "" && !strings.HasPrefix(s.allocationID, "eipalloc-"):
		return wire.Errorf("AllocationIdNotFound", "The allocation ID '%s' does not exist", s.allocationID)
	case s.privateIPv4 != "" && lb.scheme != "internal":
		return invalid("Private IPv4 addresses can be specified for internal load balancers only")
	case s.ipv6 != "" && lb.ipType != "dualstack":
		return invalid("An IPv6 address requires the IP address type 'dualstack', not '%s'", lb.ipType)
	}
	if a, err := netip.ParseAddr(s.privateIPv4); s.privateIPv4 != "" && (err != nil || !a.Is4()) {
		return invalid("The private IPv4 address '%s' is not valid", s.privateIPv4)
	}
	if a, err := netip.ParseAddr(s.ipv6); s.ipv6 != "" && (err != nil || !a.Is6()) {
		return invalid("The IPv6 address '%s' is not valid", s.ipv6)
	}
	return nil
}

func (c *call) parseSecurityGroups() ([]string, error) {
	groups := c.p.Strings("SecurityGroups")
	for _, g := range groups {
		if !strings.HasPrefix(g, "sg-") {
			return nil, wire.Errorf("InvalidSecurityGroup", "Security group '%s' does not exist", g)
		}
	}
	return groups, nil
}

func (c *call) setSecurityGroups() (wire.Struct, error) {
	lb, err := c.loadBalancerMember()
	if err != nil {
		return nil, err
	}
	groups, err := c.parseSecurityGroups()
	if err != nil {
		return nil, err
	}
	if len(groups) == 0 {
		return nil, constraint.Violation(nil, "securityGroups", "not be null")
	}
	if lb.kind == network && len(lb.securityGroups) == 0 {
		return nil, wire.Errorf("InvalidConfigurationRequest", "You cannot set security groups on a Network Load Balancer that was created without any: '%s'", lb.arn)
	}
	const enforce = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"
	if v := c.p.Str(enforce); v != "" {
		if err := constraint.OneOf(v, wire.Camel(enforce), "on", "off"); err != nil {
			return nil, err
		}
		lb.enforceInbound = v
	}
	lb.securityGroups = groups
	out := wire.Struct{kv("SecurityGroupIds", wire.Texts(groups))}
	if lb.kind == network {
		out = append(out, kv(enforce, lb.enforceInbound))
	}
	return out, nil
}

func (c *call) setSubnets() (wire.Struct, error) {
	lb, err := c.loadBalancerMember()
	if err != nil {
		return nil, err
	}
	next := *lb
	if t := c.p.Str("IpAddressType"); t != "" {
		if err := c.checkNewIPType(t, lb); err != nil {
			return nil, err
		}
		next.ipType = t
	}
	if next.subnets, err = c.parseSubnets(&next); err != nil {
		return nil, err
	}
	if next.sourceNAT, err = c.parseSourceNAT(&next, lb.sourceNAT); err != nil {
		return nil, err
	}
	c.changed = true
	*lb = next
	return wire.Struct{kv("AvailabilityZones", c.zones(lb.subnets)), kv("IpAddressType", lb.ipType)}, nil
}

func (c *call) setIPAddressType() (wire.Struct, error) {
	lb, err := c.loadBalancerMember()
	if err != nil {
		return nil, err
	}
	t, err := required(c.p, "IpAddressType")
	if err != nil {
		return nil, err
	}
	if err := c.checkNewIPType(t, lb); err != nil {
		return nil, err
	}
	c.changed = lb.ipType != t
	lb.ipType = t
	return wire.Struct{kv("IpAddressType", t)}, nil
}

// checkNewIPType of a load balancer that is there. A network load balancer whose rules
// need IPv6 must stay dualstack; the code is unverified.
func (c *call) checkNewIPType(t string, lb *loadBalancer) error {
	if err := checkIPType(t, lb); err != nil {
		return err
	}
	if lb.kind != network || t != "ipv4" {
		return nil
	}
	used := c.associations()
	for _, tg := range c.targetGroups {
		if tg.ipType == "ipv6" && slices.Contains(used[tg.arn], lb.arn) {
			return wire.Errorf("InvalidConfigurationRequest", "The IP address type of '%s' cannot be 'ipv4' while it forwards to the IPv6 target group '%s'", lb.arn, tg.arn)
		}
	}
	for _, l := range c.listeners {
		if l.lb == lb && len(l.rules) > 1 {
			return wire.Errorf("InvalidConfigurationRequest", "The IP address type of '%s' cannot be 'ipv4' while its listener '%s' has rules", lb.arn, l.arn)
		}
	}
	return nil
}
