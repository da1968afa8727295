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

// Types of load balancers.
const (
	application = "application"
	network     = "network"
)

// simulatedVPC is the VPC of every load balancer: the simulator has no EC2 to ask.
const simulatedVPC = "vpc-0a000000000000001"

type loadBalancer struct {
	arn, id, name  string
	kind           string // application | network
	scheme         string // internet-facing | internal
	dnsName        string
	ipType         string
	subnets        []subnet
	securityGroups []string
	created        time.Time
	active         time.Time // "provisioning" until then
	attributes     attributes
	tags           tags
	// enforceInbound and sourceNAT are on | off, and of network load balancers only.
	enforceInbound, sourceNAT string
}

// code is the type as ARNs spell it.
func (lb *loadBalancer) code() string {
	if lb.kind == network {
		return "net"
	}
	return "app"
}

// hostedZone is the Route 53 zone of the DNS name: AWS's own of us-east-1, whatever
// the region.
func (lb *loadBalancer) hostedZone() string {
	if lb.kind == network {
		return "Z26RNL4JYFTOTI"
	}
	return "Z35SXDOTRQ7X7K"
}

func loadBalancerARN(lb *loadBalancer) string { return lb.arn }

func (lb *loadBalancer) model(region string) model.LoadBalancer {
	zones := make([]string, len(lb.subnets))
	for i := range zones {
		zones[i] = zoneName(region, i)
	}
	return model.LoadBalancer{
		ARN: lb.arn, Name: lb.name, Type: lb.kind, DNSName: lb.dnsName, HostedZoneID: lb.hostedZone(),
		IPAddressType: lb.ipType, Zones: zones, Attributes: lb.attributes.all(),
	}
}

func (c *call) describeLoadBalancer(lb *loadBalancer) wire.Struct {
	state := "active"
	if c.s.cfg.Now().Before(lb.active) {
		state = "provisioning"
	}
	out := wire.Struct{
		kv("LoadBalancerArn", lb.arn),
		kv("DNSName", lb.dnsName),
		kv("CanonicalHostedZoneId", lb.hostedZone()),
		kv("CreatedTime", lb.created),
		kv("LoadBalancerName", lb.name),
		kv("Scheme", lb.scheme),
		kv("VpcId", simulatedVPC),
		kv("State", wire.Struct{kv("Code", state)}),
		kv("Type", lb.kind),
		kv("AvailabilityZones", c.zones(lb.subnets)),
		kv("SecurityGroups", wire.Texts(lb.securityGroups)),
		kv("IpAddressType", lb.ipType),
	}
	if lb.kind == network {
		out = append(out, kv("EnablePrefixForIpv6SourceNat", lb.sourceNAT))
		if len(lb.securityGroups) > 0 {
			out = append(out, kv("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic", lb.enforceInbound))
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
	kind, err := simulated(c.p, "Type", application, []string{application, network}, "gateway")
	if err != nil {
		return nil, err
	}
	lb := &loadBalancer{name: name, kind: kind, scheme: "internet-facing", ipType: "ipv4", created: c.s.cfg.Now().UTC()}
	if scheme := c.p.Str("Scheme"); scheme != "" {
		if err := constraint.OneOf(scheme, "scheme", "internet-facing", "internal"); err != nil {
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
		if x.kind != lb.kind || x.scheme != lb.scheme || x.ipType != lb.ipType || x.sourceNAT != lb.sourceNAT ||
			!slices.Equal(x.subnets, lb.subnets) || !slices.Equal(x.securityGroups, lb.securityGroups) || !x.tags.same(lb.tags) {
			return nil, wire.Errorf("DuplicateLoadBalancerName", "A load balancer with the same name '%s' exists, but with different settings", name)
		}
		return wire.Struct{kv("LoadBalancers", wire.List{c.describeLoadBalancer(x)})}, nil
	}
	if err := c.checkLoadBalancerQuota(lb.kind); err != nil {
		return nil, err
	}
	lb.id = c.s.newID()
	lb.arn = c.newARN(fmt.Sprintf("%s/%s/%s/%s", kindLoadBalancer, lb.code(), name, lb.id))
	if lb.kind == network {
		lb.dnsName = fmt.Sprintf("%s-%s.elb.%s.amazonaws.com", name, lb.id, c.region)
		lb.attributes = newAttributes(networkLoadBalancerAttributes(lb.scheme))
	} else {
		lb.dnsName = fmt.Sprintf("%s-%010d.%s.elb.amazonaws.com", name, c.s.rand.Uint64N(1e10), c.region)
		if lb.scheme == "internal" {
			lb.dnsName = "internal-" + lb.dnsName
		}
		lb.attributes = newAttributes(loadBalancerAttributes(lb.scheme))
	}
	lb.active = lb.created.Add(c.s.cfg.ActivationDelay)
	c.loadBalancers = append(c.loadBalancers, lb)
	c.changed = true
	return wire.Struct{kv("LoadBalancers", wire.List{c.describeLoadBalancer(lb)})}, nil
}

func (c *call) checkLoadBalancerQuota(kind string) error {
	n := 0
	for _, x := range c.loadBalancers {
		if x.kind == kind {
			n++
		}
	}
	if limit := c.s.cfg.Quotas.LoadBalancers; n >= limit {
		return wire.Errorf("TooManyLoadBalancers", "The maximum number of load balancers has been reached: %d", limit)
	}
	return nil
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
	return wire.Struct{kv("LoadBalancers", wire.ListOf(part, c.describeLoadBalancer)), next}, nil
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
