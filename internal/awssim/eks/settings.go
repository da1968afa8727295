package eks

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Authentication modes, in the only order in which a cluster can go through them.
const (
	configMap       = "CONFIG_MAP"
	apiAndConfigMap = "API_AND_CONFIG_MAP"
	api             = "API"
)

// settings of a cluster that UpdateClusterConfig can change, and their neighbours. The
// slices are replaced, never written into.
type settings struct {
	vpc                string
	subnets            []string
	securityGroups     []string // that were given, in addition to clusterSG
	clusterSG          string   // shared by the control plane and managed nodes
	public, private    bool
	publicCIDRs        []string
	ipFamily           string
	serviceCIDR        string
	logTypes           []string // that are enabled, sorted
	encryption         any      // as it was given
	authMode           string
	bootstrapAdmin     bool
	deletionProtection bool
}

// Quotas and defaults of a cluster's network.
const (
	maxSecurityGroups  = 5
	maxPublicCIDRs     = 40
	defaultServiceCIDR = "10.100.0.0/16"
	ipv6ServiceCIDR    = "fd30:1c53:5f8a::/108"
)

func (s settings) describe() wire.Struct {
	network := wire.Struct{
		kv("ipFamily", s.ipFamily), kv("elasticLoadBalancing", wire.Struct{kv("enabled", false)}),
	}
	if s.ipFamily == "ipv6" {
		network = append(network, kv("serviceIpv6Cidr", s.serviceCIDR))
	} else {
		network = append(network, kv("serviceIpv4Cidr", s.serviceCIDR))
	}
	return wire.Struct{
		kv("resourcesVpcConfig", wire.Struct{
			kv("subnetIds", wire.Texts(s.subnets)),
			kv("securityGroupIds", wire.Texts(s.securityGroups)),
			kv("clusterSecurityGroupId", s.clusterSG),
			kv("vpcId", s.vpc),
			kv("endpointPublicAccess", s.public),
			kv("endpointPrivateAccess", s.private),
			kv("publicAccessCidrs", wire.Texts(s.publicCIDRs)),
		}),
		kv("kubernetesNetworkConfig", network),
		kv("logging", wire.Struct{kv("clusterLogging", s.describeLogging())}),
		kv("encryptionConfig", s.encryption),
		kv("accessConfig", wire.Struct{
			kv("authenticationMode", s.authMode),
			kv("bootstrapClusterCreatorAdminPermissions", s.bootstrapAdmin),
		}),
		kv("deletionProtection", s.deletionProtection),
	}
}

func logTypes() []string {
	return []string{"api", "audit", "authenticator", "controllerManager", "scheduler"}
}

func (s settings) describeLogging() wire.List {
	off := slices.DeleteFunc(logTypes(), func(t string) bool { return slices.Contains(s.logTypes, t) })
	out := wire.List{}
	for _, part := range []struct {
		types   []string
		enabled bool
	}{{s.logTypes, true}, {off, false}} {
		if len(part.types) > 0 {
			out = append(out, wire.Struct{kv("types", wire.Texts(part.types)), kv("enabled", part.enabled)})
		}
	}
	return out
}

// parseSettings reads those of a new cluster.
func (c *call) parseSettings() (settings, error) {
	s := settings{public: true, publicCIDRs: []string{"0.0.0.0/0"}, authMode: configMap}
	vpc := c.p.Struct("resourcesVpcConfig")
	if vpc == nil {
		return s, invalidParameter("resourcesVpcConfig: is missing; it needs subnetIds in at least two availability zones")
	}
	var err error
	if s, err = c.parseSubnets(s, vpc); err != nil {
		return s, err
	}
	if s, err = parseAccess(s, vpc); err != nil {
		return s, err
	}
	if s, err = parseNetwork(s, c.p.Struct("kubernetesNetworkConfig")); err != nil {
		return s, err
	}
	if s, err = parseLogging(s, c.p.Struct("logging")); err != nil {
		return s, err
	}
	if s.encryption, err = parseEncryption(c.p); err != nil {
		return s, err
	}
	access := c.p.Struct("accessConfig")
	if s.authMode, err = oneOf(access, "authenticationMode", configMap, configMap, apiAndConfigMap, api); err != nil {
		return s, err
	}
	if s.bootstrapAdmin, err = boolOr(access, "bootstrapClusterCreatorAdminPermissions", true); err != nil {
		return s, err
	}
	s.deletionProtection, err = boolOr(c.p, "deletionProtection", false)
	return s, err
}

// parseSubnets reads subnets and security groups; absent ones stay what they are.
func (c *call) parseSubnets(s settings, p wire.Params) (settings, error) {
	if p.Has("securityGroupIds") {
		s.securityGroups = p.Strings("securityGroupIds")
	}
	for _, id := range s.securityGroups {
		if !strings.HasPrefix(id, "sg-") {
			return s, invalidParameter("The security group ID '%s' does not exist", id)
		}
	}
	if n := len(s.securityGroups); n > maxSecurityGroups {
		return s, invalidParameter("securityGroupIds: %d are more than the %d that are allowed", n, maxSecurityGroups)
	}
	if p.Has("subnetIds") {
		s.subnets = p.Strings("subnetIds")
	}
	zones := map[string]bool{}
	s.vpc = ""
	for _, id := range s.subnets {
		vpc, zone, err := c.subnet(id)
		if err != nil {
			return s, err
		}
		if s.vpc != "" && vpc != s.vpc {
			return s, invalidParameter("Subnets specified must belong to the same VPC: %s is in %s, others in %s", id, vpc, s.vpc)
		}
		s.vpc, zones[zone] = vpc, true
	}
	if len(zones) < 2 {
		return s, invalidParameter("Subnets specified must be in at least two different AZs")
	}
	return s, nil
}

func (c *call) subnet(id string) (vpc, zone string, err error) {
	vpc, zone, ok := c.s.cfg.Subnet(c.account, c.region, id)
	if !ok || !strings.HasPrefix(id, "subnet-") {
		return "", "", invalidParameter("The subnet ID '%s' does not exist", id)
	}
	return vpc, zone, nil
}

// parseAccess reads how the endpoint can be reached; absent members stay what they are.
func parseAccess(s settings, p wire.Params) (settings, error) {
	var err error
	if s.public, err = boolOr(p, "endpointPublicAccess", s.public); err != nil {
		return s, err
	}
	if s.private, err = boolOr(p, "endpointPrivateAccess", s.private); err != nil {
		return s, err
	}
	if !s.public && !s.private {
		return s, invalidParameter("Private and public endpoint access cannot be false")
	}
	if !p.Has("publicAccessCidrs") {
		return s, nil
	}
	cidrs := p.Strings("publicAccessCidrs")
	if len(cidrs) > maxPublicCIDRs {
		return s, invalidParameter("publicAccessCidrs: %d are more than the %d that are allowed", len(cidrs), maxPublicCIDRs)
	}
	for _, cidr := range cidrs {
		if prefix, err := netip.ParsePrefix(cidr); err != nil || prefix.Masked() != prefix {
			return s, invalidParameter("The following CIDRs are invalid in publicAccessCidrs: [%s]", cidr)
		}
	}
	if len(cidrs) == 0 {
		cidrs = []string{"0.0.0.0/0"}
	}
	s.publicCIDRs = cidrs
	return s, nil
}

func parseNetwork(s settings, p wire.Params) (settings, error) {
	var err error
	if s.ipFamily, err = oneOf(p, "ipFamily", "ipv4", "ipv4", "ipv6"); err != nil {
		return s, err
	}
	cidr := p.Str("serviceIpv4Cidr")
	switch {
	case s.ipFamily == "ipv6" && cidr != "":
		return s, invalidParameter("serviceIpv4Cidr: cannot be given with ipFamily ipv6")
	case s.ipFamily == "ipv6":
		s.serviceCIDR = ipv6ServiceCIDR
	case cidr == "":
		s.serviceCIDR = defaultServiceCIDR
	default:
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil || prefix.Masked() != prefix || !prefix.Addr().Is4() || !prefix.Addr().IsPrivate() || prefix.Bits() < 12 || prefix.Bits() > 24 {
			return s, invalidParameter("serviceIpv4Cidr: %q is not a private block (10/8, 172.16/12, 192.168/16) of size /24 to /12", cidr)
		}
		s.serviceCIDR = cidr
	}
	return s, nil
}

// parseLogging applies one logging structure; types that it does not name stay.
func parseLogging(s settings, p wire.Params) (settings, error) {
	on := slices.Clone(s.logTypes)
	for _, part := range p.List("clusterLogging") {
		enabled, err := boolOr(part, "enabled", false)
		if err != nil {
			return s, err
		}
		for _, t := range part.Strings("types") {
			if !slices.Contains(logTypes(), t) {
				return s, invalidParameter("clusterLogging: type %q is not one of %s", t, strings.Join(logTypes(), ", "))
			}
			on = slices.DeleteFunc(on, func(x string) bool { return x == t })
			if enabled {
				on = append(on, t)
			}
		}
	}
	slices.Sort(on)
	s.logTypes = on
	return s, nil
}

func parseEncryption(p wire.Params) (any, error) {
	configs := p.List("encryptionConfig")
	if len(configs) == 0 {
		return nil, nil //nolint:nilnil // nothing was given, and nothing is wrong
	}
	if len(configs) > 1 {
		return nil, invalidParameter("encryptionConfig: %d are more than the 1 that is allowed", len(configs))
	}
	if r := configs[0].Strings("resources"); !slices.Equal(r, []string{"secrets"}) {
		return nil, invalidParameter(`encryptionConfig: resources are %s; the only value is ["secrets"]`, quoted(r))
	}
	key := configs[0].Struct("provider").Str("keyArn")
	if part := strings.Split(key, ":"); len(part) != 6 || part[2] != "kms" {
		return nil, invalidParameter("encryptionConfig: keyArn %q is not the ARN of a KMS key", key)
	}
	return echo(p["encryptionConfig"]), nil
}
