package elbv2

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// maxNames is how many resources one DescribeLoadBalancers call may name.
const maxNames = 20

// simulatedVPC is the VPC of every load balancer: the simulator has no EC2 to ask.
const simulatedVPC = "vpc-0a000000000000001"

type loadBalancer struct {
	arn, id, name  string
	scheme         string // internet-facing | internal
	dnsName        string
	ipType         string
	subnets        []string
	securityGroups []string
	created        time.Time
	active         time.Time // "provisioning" until then
	attributes     attributes
	tags           tags
}

func loadBalancerARN(lb *loadBalancer) string { return lb.arn }

func (lb *loadBalancer) model() model.LoadBalancer {
	return model.LoadBalancer{
		ARN: lb.arn, Name: lb.name, Type: "application", DNSName: lb.dnsName, Attributes: lb.attributes.all(),
	}
}

func (c *call) describeLoadBalancer(lb *loadBalancer) wire.Struct {
	state := "active"
	if time.Now().Before(lb.active) {
		state = "provisioning"
	}
	return wire.Struct{
		kv("LoadBalancerArn", lb.arn),
		kv("DNSName", lb.dnsName),
		kv("CanonicalHostedZoneId", "Z35SXDOTRQ7X7K"),
		kv("CreatedTime", lb.created),
		kv("LoadBalancerName", lb.name),
		kv("Scheme", lb.scheme),
		kv("VpcId", simulatedVPC),
		kv("State", wire.Struct{kv("Code", state)}),
		kv("Type", "application"),
		kv("AvailabilityZones", c.zones(lb.subnets)),
		kv("SecurityGroups", stringList(lb.securityGroups)),
		kv("IpAddressType", lb.ipType),
	}
}

// zones gives each subnet a zone of its own, in order: the simulator has no EC2 to ask.
func (c *call) zones(subnets []string) wire.List {
	out := make(wire.List, len(subnets))
	for i, s := range subnets {
		out[i] = wire.Struct{
			kv("ZoneName", fmt.Sprintf("%s%c", c.region, 'a'+rune(i%26))),
			kv("SubnetId", s),
			kv("LoadBalancerAddresses", wire.List{}),
		}
	}
	return out
}

func (w *world) loadBalancer(arn string) (*loadBalancer, error) {
	if err := checkARN(arn, kindLoadBalancer); err != nil {
		return nil, err
	}
	lb, ok := find(w.loadBalancers, arn, loadBalancerARN)
	if !ok {
		return nil, wire.Errorf("LoadBalancerNotFound", "Load balancer '%s' not found", arn)
	}
	return lb, nil
}

func (c *call) loadBalancerMember() (*loadBalancer, error) {
	arn, err := c.arnOf("LoadBalancerArn", kindLoadBalancer)
	if err != nil {
		return nil, err
	}
	return c.loadBalancer(arn)
}

// checkName holds what load balancers' and target groups' names have in common.
func checkName(kind, name string) error {
	switch {
	case len(name) > 32:
		return invalid("%s name '%s' cannot be longer than '32' characters", capital(kind), name)
	case !regexp.MustCompile(`^[A-Za-z0-9-]+$`).MatchString(name):
		return invalid("The %s name '%s' can only contain characters that are alphanumeric characters and hyphens(-)", kind, name)
	case strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-"):
		return invalid("The %s name '%s' cannot begin or end with a hyphen(-)", kind, name)
	case kind == "load balancer" && strings.HasPrefix(name, "internal-"):
		return invalid("The load balancer name '%s' cannot begin with 'internal-'", name)
	}
	return nil
}

func (c *call) createLoadBalancer() (wire.Struct, error) {
	name, err := required(c.p, "Name")
	if err != nil {
		return nil, err
	}
	if err := checkName("load balancer", name); err != nil {
		return nil, err
	}
	switch kind := c.p.Str("Type"); kind {
	case "", "application":
	case "network", "gateway":
		return nil, wire.Errorf("NotSimulated", "load balancers of type '%s' are not simulated", kind)
	default:
		return nil, oneOf(kind, "type", "application", "network", "gateway")
	}
	lb := &loadBalancer{name: name, scheme: "internet-facing", ipType: "ipv4", created: time.Now().UTC()}
	if scheme := c.p.Str("Scheme"); scheme != "" {
		if err := oneOf(scheme, "scheme", "internet-facing", "internal"); err != nil {
			return nil, err
		}
		lb.scheme = scheme
	}
	if err := c.parseNetwork(lb); err != nil {
		return nil, err
	}
	if lb.tags, err = c.parseTags(); err != nil {
		return nil, err
	}
	for _, x := range c.loadBalancers {
		if x.name != name {
			continue
		}
		if x.scheme != lb.scheme || x.ipType != lb.ipType || !slices.Equal(x.subnets, lb.subnets) ||
			!slices.Equal(x.securityGroups, lb.securityGroups) || !x.tags.same(lb.tags) {
			return nil, wire.Errorf("DuplicateLoadBalancerName", "A load balancer with the same name '%s' exists, but with different settings", name)
		}
		return wire.Struct{kv("LoadBalancers", wire.List{c.describeLoadBalancer(x)})}, nil
	}
	if limit := c.s.cfg.Quotas.LoadBalancers; len(c.loadBalancers) >= limit {
		return nil, wire.Errorf("TooManyLoadBalancers", "The maximum number of load balancers has been reached: %d", limit)
	}
	lb.id = c.s.newID()
	lb.arn = c.newARN(fmt.Sprintf("%s/app/%s/%s", kindLoadBalancer, name, lb.id))
	lb.dnsName = fmt.Sprintf("%s-%010d.%s.elb.amazonaws.com", name, c.s.rand.Uint64N(1e10), c.region)
	if lb.scheme == "internal" {
		lb.dnsName = "internal-" + lb.dnsName
	}
	lb.active = lb.created.Add(c.s.cfg.ActivationDelay)
	lb.attributes = newAttributes(loadBalancerAttributes(lb.scheme))
	c.loadBalancers = append(c.loadBalancers, lb)
	c.changed = true
	return wire.Struct{kv("LoadBalancers", wire.List{c.describeLoadBalancer(lb)})}, nil
}

// parseNetwork reads subnets, security groups and the IP address type of a new load
// balancer.
func (c *call) parseNetwork(lb *loadBalancer) error {
	var err error
	if lb.subnets, err = c.parseSubnets(); err != nil {
		return err
	}
	if lb.securityGroups, err = c.parseSecurityGroups(); err != nil {
		return err
	}
	if t := c.p.Str("IpAddressType"); t != "" {
		if err := checkIPType(t, lb.scheme); err != nil {
			return err
		}
		lb.ipType = t
	}
	return nil
}

func checkIPType(t, scheme string) error {
	if err := oneOf(t, "ipAddressType", "ipv4", "dualstack", "dualstack-without-public-ipv4"); err != nil {
		return err
	}
	if t == "dualstack-without-public-ipv4" && scheme == "internal" {
		return wire.Errorf("InvalidConfigurationRequest", "The IP address type '%s' is only supported for internet-facing load balancers", t)
	}
	return nil
}

func (c *call) parseSubnets() ([]string, error) {
	subnets := c.p.Strings("Subnets")
	mappings := c.p.List("SubnetMappings")
	if len(subnets) > 0 && len(mappings) > 0 {
		return nil, invalid("Either subnets or subnet mappings can be specified, but not both")
	}
	for _, m := range mappings {
		if m.Str("AllocationId") != "" {
			return nil, invalid("Elastic IP addresses cannot be specified for an Application Load Balancer")
		}
		subnets = append(subnets, m.Str("SubnetId"))
	}
	for _, s := range subnets {
		if !strings.HasPrefix(s, "subnet-") {
			return nil, wire.Errorf("SubnetNotFound", "The subnet ID '%s' does not exist", s)
		}
	}
	if s, ok := firstDuplicate(subnets); ok {
		return nil, invalid("Subnet '%s' was provided multiple times", s)
	}
	if len(subnets) < 2 {
		return nil, invalid("At least two subnets in two different Availability Zones must be specified")
	}
	return subnets, nil
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

func (c *call) describeLoadBalancers() (wire.Struct, error) {
	arns, names := c.p.Strings("LoadBalancerArns"), c.p.Strings("Names")
	if len(arns) > 0 && len(names) > 0 {
		return nil, invalid("Load balancer names and load balancer ARNs cannot be specified at the same time")
	}
	if len(arns) > maxNames || len(names) > maxNames {
		return nil, invalid("At most %d load balancers can be specified", maxNames)
	}
	list := c.loadBalancers
	if len(arns) > 0 || len(names) > 0 {
		list = nil
	}
	for _, arn := range arns {
		lb, err := c.loadBalancer(arn)
		if err != nil {
			return nil, err
		}
		list = append(list, lb)
	}
	for _, name := range names {
		lb, ok := find(c.loadBalancers, name, func(lb *loadBalancer) string { return lb.name })
		if !ok {
			return nil, wire.Errorf("LoadBalancerNotFound", "Load balancers '[%s]' not found", name)
		}
		list = append(list, lb)
	}
	part, next, err := page(c, list, loadBalancerARN)
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("LoadBalancers", structList(part, c.describeLoadBalancer)), next}, nil
}

// deleteLoadBalancer takes the listeners along. What is not there is deleted already.
func (c *call) deleteLoadBalancer() (wire.Struct, error) {
	arn, err := c.arnOf("LoadBalancerArn", kindLoadBalancer)
	if err != nil {
		return nil, err
	}
	lb, ok := find(c.loadBalancers, arn, loadBalancerARN)
	if !ok {
		return wire.Struct{}, nil
	}
	if lb.attributes.get(attrDeletionProtection) == "true" {
		return nil, wire.Errorf("OperationNotPermitted", "Load balancer '%s' cannot be deleted because deletion protection is enabled", arn)
	}
	c.loadBalancers = slices.DeleteFunc(c.loadBalancers, func(x *loadBalancer) bool { return x == lb })
	c.listeners = slices.DeleteFunc(c.listeners, func(l *listener) bool { return l.lb == lb })
	c.changed = true
	return wire.Struct{}, nil
}

func (c *call) describeLoadBalancerAttributes() (wire.Struct, error) {
	lb, err := c.loadBalancerMember()
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("Attributes", lb.attributes.describe())}, nil
}

func (c *call) modifyLoadBalancerAttributes() (wire.Struct, error) {
	lb, err := c.loadBalancerMember()
	if err != nil {
		return nil, err
	}
	next, err := c.parseAttributes(lb.attributes, "load balancer")
	if err != nil {
		return nil, err
	}
	for _, logs := range []string{"access_logs", "connection_logs", "health_check_logs"} {
		if next.get(logs+".s3.enabled") == "true" && next.get(logs+".s3.bucket") == "" {
			return nil, wire.Errorf("InvalidConfigurationRequest", "%s.s3.bucket must be specified when %s.s3.enabled is true", logs, logs)
		}
	}
	lb.attributes = next
	c.changed = true
	return wire.Struct{kv("Attributes", next.describe())}, nil
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
		return nil, violation(nil, "securityGroups", "not be null")
	}
	lb.securityGroups = groups
	return wire.Struct{kv("SecurityGroupIds", stringList(groups))}, nil
}

func (c *call) setSubnets() (wire.Struct, error) {
	lb, err := c.loadBalancerMember()
	if err != nil {
		return nil, err
	}
	next := *lb
	if next.subnets, err = c.parseSubnets(); err != nil {
		return nil, err
	}
	if t := c.p.Str("IpAddressType"); t != "" {
		if err := checkIPType(t, lb.scheme); err != nil {
			return nil, err
		}
		next.ipType = t
	}
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
	if err := checkIPType(t, lb.scheme); err != nil {
		return nil, err
	}
	lb.ipType = t
	return wire.Struct{kv("IpAddressType", t)}, nil
}
