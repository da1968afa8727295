package ec2

import (
	"fmt"
	"slices"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// remembered is how long what is gone can still be described. AWS says about an hour.
const remembered = time.Hour

type internetGateway struct {
	head

	owner string
	vpc   *vpc // nil: detached
}

func (g *internetGateway) field(name string) ([]string, bool) {
	switch name {
	case "internet-gateway-id", "owner-id", "attachment.vpc-id", "attachment.state":
	default:
		return nil, false
	}
	switch {
	case g == nil:
		return nil, true
	case name == "internet-gateway-id":
		return []string{g.id}, true
	case name == "owner-id":
		return []string{g.owner}, true
	case g.vpc == nil:
		return nil, true
	case name == "attachment.vpc-id":
		return []string{g.vpc.id}, true
	}
	return []string{"available"}, true
}

func (g *internetGateway) describe() wire.Struct {
	attached := wire.List{}
	if g.vpc != nil {
		attached = append(attached, wire.Struct{kv("vpcId", g.vpc.id), kv("state", "available")})
	}
	return wire.Struct{kv("internetGatewayId", g.id), kv("ownerId", g.owner), kv("attachmentSet", attached), g.tagSet()}
}

func (c *call) createInternetGateway() (wire.Struct, error) {
	tags, err := c.newTags("internet-gateway")
	if err != nil {
		return nil, err
	}
	g := &internetGateway{head: c.newHead(kindInternet(), tags), owner: c.account}
	c.gateways = append(c.gateways, g)
	return wire.Struct{kv("internetGateway", g.describe())}, nil
}

func (c *call) describeInternetGateways() (wire.Struct, error) {
	return describe(c, "InternetGatewayId", "internetGatewaySet", c.gateways, kindInternet(), (*internetGateway).describe)
}

// attachment finds the gateway and the VPC that a call names.
func (c *call) attachment() (*internetGateway, *vpc, error) {
	g, err := named(c, "InternetGatewayId", c.gateways, kindInternet())
	if err != nil {
		return nil, nil, err
	}
	v, err := named(c, "VpcId", c.vpcs, kindVPC())
	return g, v, err
}

func (c *call) attachInternetGateway() (wire.Struct, error) {
	g, v, err := c.attachment()
	if err != nil {
		return nil, err
	}
	if g.vpc != nil {
		return nil, wire.Errorf("Resource.AlreadyAssociated", "resource %s is already attached to network %s", g.id, g.vpc.id)
	}
	if slices.ContainsFunc(c.gateways, func(o *internetGateway) bool { return o.vpc == v }) {
		return nil, wire.Errorf("InvalidParameterValue", "Network %s already has an internet gateway attached", v.id)
	}
	g.vpc = v
	return returned()
}

func (c *call) detachInternetGateway() (wire.Struct, error) {
	g, v, err := c.attachment()
	if err != nil {
		return nil, err
	}
	if g.vpc != v {
		return nil, wire.Errorf("Gateway.NotAttached", "resource %s is not attached to network %s", g.id, v.id)
	}
	if slices.ContainsFunc(c.interfaces, func(n *networkInterface) bool { return n.subnet.vpc == v && n.publicIP() != "" }) {
		return nil, inUse("Network %s has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.", v.id)
	}
	g.vpc = nil
	return returned()
}

func (c *call) deleteInternetGateway() (wire.Struct, error) {
	g, err := named(c, "InternetGatewayId", c.gateways, kindInternet())
	if err != nil {
		return nil, err
	}
	if g.vpc != nil {
		return nil, hasDependencies(kindInternet(), g.id)
	}
	c.gateways = remove(c.gateways, g)
	return returned()
}

// address is an Elastic IP.
type address struct {
	head

	ip   string
	user *networkInterface // nil: free
	link string            // id of the association
}

func (a *address) field(name string) ([]string, bool) {
	switch name {
	case "allocation-id", "public-ip", "domain", "association-id", "network-interface-id", "instance-id", "private-ip-address":
	default:
		return nil, false
	}
	switch {
	case a == nil:
		return nil, true
	case name == "allocation-id":
		return []string{a.id}, true
	case name == "public-ip":
		return []string{a.ip}, true
	case name == "domain":
		return []string{"vpc"}, true
	case a.user == nil:
		return nil, true
	}
	return []string{map[string]string{
		"association-id": a.link, "network-interface-id": a.user.id, "instance-id": a.user.instance, "private-ip-address": a.user.ip,
	}[name]}, true
}

func (c *call) allocateAddress() (wire.Struct, error) {
	if d := c.p.Str("Domain"); d != "" && d != "vpc" {
		return nil, invalidValue("domain", d)
	}
	tags, err := c.newTags("elastic-ip")
	if err != nil {
		return nil, err
	}
	a := &address{head: c.newHead(kindAddress(), tags)}
	n := c.s.rand.Uint32()
	a.ip = fmt.Sprintf("198.18.%d.%d", n>>8&0xff, n&0xff) // of the block for benchmarks, RFC 2544
	c.addresses = append(c.addresses, a)
	return wire.Struct{
		kv("publicIp", a.ip), kv("allocationId", a.id), kv("domain", "vpc"), kv("publicIpv4Pool", "amazon"), kv("networkBorderGroup", c.region),
	}, nil
}

func (c *call) describeAddresses() (wire.Struct, error) {
	items, err := chosen(c, "AllocationId", c.addresses, kindAddress())
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("addressesSet", wire.ListOf(items, func(a *address) wire.Struct {
		out := wire.Struct{
			kv("publicIp", a.ip), kv("allocationId", a.id), kv("domain", "vpc"), kv("publicIpv4Pool", "amazon"), kv("networkBorderGroup", c.region),
			a.tagSet(),
		}
		if a.user != nil {
			out = append(out, kv("associationId", a.link), kv("networkInterfaceId", a.user.id), kv("privateIpAddress", a.user.ip), kv("networkInterfaceOwnerId", c.account))
		}
		return out
	}))}, nil
}

func (c *call) releaseAddress() (wire.Struct, error) {
	a, err := named(c, "AllocationId", c.addresses, kindAddress())
	if err != nil {
		return nil, err
	}
	if a.user != nil {
		return nil, wire.Errorf("InvalidIPAddress.InUse", "The address with allocation id [%s] is associated and cannot be released.", a.id)
	}
	c.addresses = remove(c.addresses, a)
	return returned()
}

type natGateway struct {
	head

	subnet       *subnet
	address      *address // nil for private ones
	iface        *networkInterface
	connectivity string
	deletedAt    time.Time // zero: it lives
	delay        time.Duration
	now          func() time.Time
}

func (g *natGateway) state() string {
	now := g.now()
	switch {
	case !g.deletedAt.IsZero() && now.Sub(g.deletedAt) >= g.delay:
		return "deleted"
	case !g.deletedAt.IsZero():
		return "deleting"
	case now.Sub(g.created) < g.delay:
		return "pending"
	}
	return "available"
}

func (g *natGateway) field(name string) ([]string, bool) {
	switch name {
	case "nat-gateway-id", "subnet-id", "vpc-id", "state":
	default:
		return nil, false
	}
	if g == nil {
		return nil, true
	}
	return []string{map[string]string{"nat-gateway-id": g.id, "subnet-id": g.subnet.id, "vpc-id": g.subnet.vpc.id, "state": g.state()}[name]}, true
}

func (g *natGateway) describe(state string) wire.Struct {
	addr := wire.Struct{kv("privateIp", g.iface.ip), kv("networkInterfaceId", g.iface.id), kv("isPrimary", true), kv("status", "succeeded")}
	if g.address != nil {
		addr = append(addr, kv("allocationId", g.address.id), kv("publicIp", g.address.ip), kv("associationId", g.address.link))
	}
	out := wire.Struct{
		kv("natGatewayId", g.id), kv("subnetId", g.subnet.id), kv("vpcId", g.subnet.vpc.id), kv("state", state), kv("createTime", g.created),
		kv("connectivityType", g.connectivity), kv("natGatewayAddressSet", wire.List{addr}), g.tagSet(),
	}
	if !g.deletedAt.IsZero() {
		out = append(out, kv("deleteTime", g.deletedAt))
	}
	return out
}

func (c *call) createNATGateway() (wire.Struct, error) {
	s, err := named(c, "SubnetId", c.subnets, kindSubnet())
	if err != nil {
		return nil, err
	}
	connectivity := c.p.Str("ConnectivityType")
	var a *address
	switch connectivity {
	case "", "public":
		connectivity = "public"
		if a, err = named(c, "AllocationId", c.addresses, kindAddress()); err != nil {
			return nil, err
		}
		if a.user != nil {
			return nil, wire.Errorf("Resource.AlreadyAssociated", "Elastic IP address [%s] is already associated", a.id)
		}
		if !slices.ContainsFunc(c.gateways, func(g *internetGateway) bool { return g.vpc == s.vpc }) {
			return nil, wire.Errorf("Gateway.NotAttached", "Network %s has no Internet gateway attached", s.vpc.id)
		}
	case "private":
	default:
		return nil, invalidValue("connectivityType", connectivity)
	}
	tags, err := c.newTags("natgateway")
	if err != nil {
		return nil, err
	}
	if c.free(s) < 1 {
		return nil, noAddresses(s, 1)
	}
	g := &natGateway{
		head: c.newHead(kindNAT(), tags), subnet: s, address: a, connectivity: connectivity, delay: c.s.cfg.Delay, now: c.s.clock,
	}
	g.iface = c.newInterface(s, nil, "Interface for NAT Gateway "+g.id)
	g.iface.typ = "nat_gateway"
	if a != nil {
		a.user, g.iface.address = g.iface, a
		a.link = c.newID(kind{prefix: "eipassoc"})
	}
	c.nats = append(c.nats, g)
	return wire.Struct{kv("natGateway", g.describe("pending"))}, nil
}

func (c *call) describeNATGateways() (wire.Struct, error) {
	return describe(c, "NatGatewayId", "natGatewaySet", c.nats, kindNAT(), func(g *natGateway) wire.Struct { return g.describe(g.state()) })
}

func (c *call) deleteNATGateway() (wire.Struct, error) {
	g, err := named(c, "NatGatewayId", c.nats, kindNAT())
	if err != nil {
		return nil, err
	}
	if g.deletedAt.IsZero() {
		g.deletedAt = c.now
	}
	c.forget()
	return wire.Struct{kv("natGatewayId", g.id)}, nil
}

// forget lets go of what instances and NAT gateways hold once they are gone, and of
// themselves an hour later.
func (c *call) forget() {
	for _, g := range c.nats {
		if g.state() == "deleted" {
			c.dropInterface(g.iface)
		}
	}
	for _, i := range c.instances {
		if i.state().name == "terminated" {
			c.dropInterface(i.iface)
		}
	}
	c.nats = slices.DeleteFunc(slices.Clone(c.nats), func(g *natGateway) bool {
		return !g.deletedAt.IsZero() && c.now.Sub(g.deletedAt) > g.delay+remembered
	})
	c.instances = slices.DeleteFunc(slices.Clone(c.instances), func(i *instance) bool {
		return !i.endedAt.IsZero() && c.now.Sub(i.endedAt) > i.delay+remembered
	})
}
