package ec2

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Sizes of VPCs and subnets, in bits of their prefix.
const (
	minPrefix = 16
	maxPrefix = 28
)

type vpc struct {
	head

	owner       string
	block       netip.Prefix
	blockID     string // of the block's association
	tenancy     string
	dnsSupport  bool
	dnsHostname bool
	addressing  bool // network address usage metrics
}

func (v *vpc) field(name string) ([]string, bool) {
	switch name {
	case "vpc-id", "cidr", "cidr-block", "cidr-block-association.cidr-block", "state", "owner-id", "is-default", "isDefault", "dhcp-options-id":
	default:
		return nil, false
	}
	if v == nil {
		return nil, true
	}
	return []string{map[string]string{
		"vpc-id": v.id, "state": "available", "owner-id": v.owner, "is-default": "false", "isDefault": "false", "dhcp-options-id": "default",
		"cidr": v.block.String(), "cidr-block": v.block.String(), "cidr-block-association.cidr-block": v.block.String(),
	}[name]}, true
}

func (v *vpc) describe() wire.Struct {
	return wire.Struct{
		kv("vpcId", v.id), kv("ownerId", v.owner), kv("state", "available"), kv("cidrBlock", v.block.String()), kv("dhcpOptionsId", "default"),
		kv("instanceTenancy", v.tenancy), kv("isDefault", false),
		kv("cidrBlockAssociationSet", wire.List{wire.Struct{
			kv("associationId", v.blockID), kv("cidrBlock", v.block.String()), kv("cidrBlockState", wire.Struct{kv("state", "associated")}),
		}}),
		v.tagSet(),
	}
}

// block reads an IPv4 block of the size that VPCs and subnets have. Bits behind the
// prefix are cleared, as AWS does.
func (c *call) block(member, rangeCode string) (netip.Prefix, error) {
	text, err := c.required(member)
	if err != nil {
		return netip.Prefix{}, err
	}
	b, err := netip.ParsePrefix(text)
	if err != nil || !b.Addr().Is4() {
		return b, wire.Errorf("InvalidParameterValue", "Value (%s) for parameter %s is invalid. This is not a valid CIDR block.", text, wire.Camel(member))
	}
	if b.Bits() < minPrefix || b.Bits() > maxPrefix {
		return b, wire.Errorf(rangeCode, "The CIDR '%s' is invalid.", text)
	}
	return b.Masked(), nil
}

func (c *call) createVPC() (wire.Struct, error) {
	block, err := c.block("CidrBlock", "InvalidVpc.Range")
	if err != nil {
		return nil, err
	}
	tags, err := c.newTags("vpc")
	if err != nil {
		return nil, err
	}
	tenancy := c.p.Str("InstanceTenancy")
	switch tenancy {
	case "":
		tenancy = "default"
	case "default", "dedicated":
	default:
		return nil, invalidValue("instanceTenancy", tenancy)
	}
	ipv6, err := c.flag("AmazonProvidedIpv6CidrBlock")
	if err != nil {
		return nil, err
	}
	if ipv6 {
		return nil, wire.NotSimulated("ec2", "CreateVpc with an IPv6 block")
	}
	v := &vpc{
		head: c.newHead(kindVPC(), tags), owner: c.account, block: block, tenancy: tenancy, dnsSupport: true,
		blockID: c.newID(kind{prefix: "vpc-cidr-assoc"}),
	}
	c.vpcs = append(c.vpcs, v)
	main := c.newTable(v, nil)
	main.links = []link{{id: c.newID(kindLink()), main: true}}
	c.acls = append(c.acls, &networkACL{head: c.newHead(kindACL(), nil), vpc: v})
	group := &securityGroup{head: c.newHead(kindGroup(), nil), vpc: v, name: "default", description: "default VPC security group"}
	c.groups = append(c.groups, group)
	c.addRule(group, permission{protocol: "-1", from: -1, to: -1, group: group.id}, false, nil)
	c.addRule(group, permission{protocol: "-1", from: -1, to: -1, cidr4: "0.0.0.0/0"}, true, nil)
	return wire.Struct{kv("vpc", v.describe())}, nil
}

func (c *call) describeVPCs() (wire.Struct, error) {
	return describe(c, "VpcId", "vpcSet", c.vpcs, kindVPC(), (*vpc).describe)
}

func (c *call) deleteVPC() (wire.Struct, error) {
	v, err := named(c, "VpcId", c.vpcs, kindVPC())
	if err != nil {
		return nil, err
	}
	used := slices.ContainsFunc(c.subnets, func(s *subnet) bool { return s.vpc == v }) ||
		slices.ContainsFunc(c.gateways, func(g *internetGateway) bool { return g.vpc == v }) ||
		slices.ContainsFunc(c.tables, func(t *routeTable) bool { return t.vpc == v && !t.isMain() }) ||
		slices.ContainsFunc(c.groups, func(g *securityGroup) bool { return g.vpc == v && g.name != "default" })
	if used {
		return nil, hasDependencies(kindVPC(), v.id)
	}
	c.vpcs = remove(c.vpcs, v)
	c.tables = slices.DeleteFunc(slices.Clone(c.tables), func(t *routeTable) bool { return t.vpc == v })
	c.acls = slices.DeleteFunc(slices.Clone(c.acls), func(a *networkACL) bool { return a.vpc == v })
	for _, g := range slices.Clone(c.groups) {
		if g.vpc == v {
			c.dropGroup(g)
		}
	}
	return returned()
}

func (c *call) modifyVPCAttribute() (wire.Struct, error) {
	v, err := named(c, "VpcId", c.vpcs, kindVPC())
	if err != nil {
		return nil, err
	}
	var to *bool
	given, value := 0, false
	for name, attribute := range v.attributes() {
		b, ok, err := c.attribute(name)
		if err != nil {
			return nil, err
		}
		if ok {
			given, to, value = given+1, attribute, b
		}
	}
	if given != 1 {
		return nil, wire.Errorf("InvalidParameterCombination", "The request must contain exactly one attribute, it has %d", given)
	}
	*to = value
	return returned()
}

func (v *vpc) attributes() map[string]*bool {
	return map[string]*bool{
		"EnableDnsSupport": &v.dnsSupport, "EnableDnsHostnames": &v.dnsHostname, "EnableNetworkAddressUsageMetrics": &v.addressing,
	}
}

func (c *call) describeVPCAttribute() (wire.Struct, error) {
	v, err := named(c, "VpcId", c.vpcs, kindVPC())
	if err != nil {
		return nil, err
	}
	for name, value := range v.attributes() {
		if wire.Camel(name) == c.p.Str("Attribute") {
			return wire.Struct{kv("vpcId", v.id), kv(wire.Camel(name), wire.Struct{kv("value", *value)})}, nil
		}
	}
	return nil, invalidValue("attribute", c.p.Str("Attribute"))
}

// networkACL is the default one of a VPC, which lets everything through.
type networkACL struct {
	head

	vpc *vpc
}

func (a *networkACL) field(name string) ([]string, bool) {
	switch name {
	case "network-acl-id", "vpc-id", "default":
	default:
		return nil, false
	}
	if a == nil {
		return nil, true
	}
	return []string{map[string]string{"network-acl-id": a.id, "vpc-id": a.vpc.id, "default": "true"}[name]}, true
}

func (c *call) describeNetworkACLs() (wire.Struct, error) {
	return describe(c, "NetworkAclId", "networkAclSet", c.acls, kindACL(), func(a *networkACL) wire.Struct {
		entries := wire.List{}
		for _, egress := range []bool{true, false} {
			for _, e := range []struct {
				number int
				action string
			}{{100, "allow"}, {32_767, "deny"}} {
				entries = append(entries, wire.Struct{
					kv("ruleNumber", e.number), kv("protocol", "-1"), kv("ruleAction", e.action), kv("egress", egress), kv("cidrBlock", "0.0.0.0/0"),
				})
			}
		}
		links := wire.List{}
		for _, s := range c.subnets {
			if s.vpc == a.vpc {
				links = append(links, wire.Struct{kv("networkAclAssociationId", "aclassoc-"+s.id[len("subnet-"):]), kv("networkAclId", a.id), kv("subnetId", s.id)})
			}
		}
		return wire.Struct{
			kv("networkAclId", a.id), kv("vpcId", a.vpc.id), kv("default", true), kv("ownerId", c.account),
			kv("entrySet", entries), kv("associationSet", links), a.tagSet(),
		}
	})
}

type subnet struct {
	head

	owner  string
	arn    string
	vpc    *vpc
	block  netip.Prefix
	zone   string // e.g. us-east-1a
	zoneID string // e.g. use1-az1
	public bool   // MapPublicIpOnLaunch
	given  int    // addresses that were given away so far
}

func (s *subnet) field(name string) ([]string, bool) {
	switch name {
	case "subnet-id", "vpc-id", "availability-zone", "availabilityZone", "availability-zone-id", "cidr-block", "cidr", "state", "owner-id",
		"default-for-az", "map-public-ip-on-launch", "subnet-arn":
	default:
		return nil, false
	}
	if s == nil {
		return nil, true
	}
	return []string{map[string]string{
		"subnet-id": s.id, "vpc-id": s.vpc.id, "availability-zone": s.zone, "availabilityZone": s.zone, "availability-zone-id": s.zoneID,
		"cidr-block": s.block.String(), "cidr": s.block.String(), "state": "available", "owner-id": s.owner, "default-for-az": "false",
		"map-public-ip-on-launch": strconv.FormatBool(s.public), "subnet-arn": s.arn,
	}[name]}, true
}

// reserved is how many addresses of a subnet AWS keeps: four at its start, one at its end.
const reserved = 5

// free is how many addresses of the subnet nobody has.
func (w *world) free(s *subnet) int {
	used := 0
	for _, n := range w.interfaces {
		if n.subnet == s {
			used++
		}
	}
	return s.size() - used
}

func (s *subnet) size() int { return 1<<(32-s.block.Bits()) - reserved }

// nextAddress gives away an address: the first free one behind the last that was given.
func (w *world) nextAddress(s *subnet) string {
	used := map[string]bool{}
	for _, n := range w.interfaces {
		if n.subnet == s {
			used[n.ip] = true
		}
	}
	base := s.block.Addr().As4()
	for {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(base[:])+uint32(reserved-1+s.given%s.size())) //nolint:gosec // G115: below 2^16
		s.given++
		if ip := netip.AddrFrom4(b).String(); !used[ip] {
			return ip
		}
	}
}

func (w *world) describeSubnet(s *subnet) wire.Struct {
	return wire.Struct{
		kv("subnetId", s.id), kv("subnetArn", s.arn), kv("state", "available"), kv("vpcId", s.vpc.id), kv("ownerId", s.owner),
		kv("cidrBlock", s.block.String()), kv("availableIpAddressCount", w.free(s)), kv("availabilityZone", s.zone), kv("availabilityZoneId", s.zoneID),
		kv("defaultForAz", false), kv("mapPublicIpOnLaunch", s.public), kv("assignIpv6AddressOnCreation", false),
		kv("ipv6CidrBlockAssociationSet", wire.List{}), s.tagSet(),
	}
}

func (c *call) createSubnet() (wire.Struct, error) {
	v, err := named(c, "VpcId", c.vpcs, kindVPC())
	if err != nil {
		return nil, err
	}
	block, err := c.block("CidrBlock", "InvalidSubnet.Range")
	if err != nil {
		return nil, err
	}
	if !v.block.Contains(block.Addr()) || block.Bits() < v.block.Bits() {
		return nil, wire.Errorf("InvalidSubnet.Range", "The CIDR '%s' is invalid.", block)
	}
	for _, s := range c.subnets {
		if s.vpc == v && s.block.Overlaps(block) {
			return nil, wire.Errorf("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", block)
		}
	}
	z, err := c.zone()
	if err != nil {
		return nil, err
	}
	tags, err := c.newTags("subnet")
	if err != nil {
		return nil, err
	}
	s := &subnet{head: c.newHead(kindSubnet(), tags), owner: c.account, vpc: v, block: block, zone: z.name, zoneID: z.zoneID}
	s.arn = c.arn("subnet", s.id)
	c.subnets = append(c.subnets, s)
	return wire.Struct{kv("subnet", c.describeSubnet(s))}, nil
}

func (c *call) describeSubnets() (wire.Struct, error) {
	return describe(c, "SubnetId", "subnetSet", c.subnets, kindSubnet(), c.describeSubnet)
}

func (c *call) deleteSubnet() (wire.Struct, error) {
	s, err := named(c, "SubnetId", c.subnets, kindSubnet())
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(c.interfaces, func(n *networkInterface) bool { return n.subnet == s }) {
		return nil, hasDependencies(kindSubnet(), s.id)
	}
	c.subnets = remove(c.subnets, s)
	for _, t := range c.tables {
		t.links = slices.DeleteFunc(slices.Clone(t.links), func(l link) bool { return l.subnet == s.id })
	}
	return returned()
}

func (c *call) modifySubnetAttribute() (wire.Struct, error) {
	s, err := named(c, "SubnetId", c.subnets, kindSubnet())
	if err != nil {
		return nil, err
	}
	public, ok, err := c.attribute("MapPublicIpOnLaunch")
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, wire.NotSimulated("ec2", "ModifySubnetAttribute of anything but MapPublicIpOnLaunch")
	}
	s.public = public
	return returned()
}
