package ec2

import (
	"net/netip"
	"slices"

	"github.com/norikae/norikae/internal/awssim/wire"
)

type routeTable struct {
	head

	owner  string
	vpc    *vpc
	routes []route // without the local one
	links  []link
}

type route struct{ block, member, target string } // member is the target's in answers, e.g. gatewayId

// link is an association. The main one has no subnet.
type link struct {
	id, subnet string
	main       bool
}

func (t *routeTable) isMain() bool {
	return slices.ContainsFunc(t.links, func(l link) bool { return l.main })
}

func (t *routeTable) field(name string) ([]string, bool) {
	switch name {
	case "route-table-id", "vpc-id", "owner-id", "association.main", "association.subnet-id", "association.route-table-association-id",
		"association.route-table-id", "route.destination-cidr-block", "route.gateway-id", "route.nat-gateway-id":
	default:
		return nil, false
	}
	if t == nil {
		return nil, true
	}
	switch name {
	case "route-table-id", "association.route-table-id":
		return []string{t.id}, true
	case "vpc-id":
		return []string{t.vpc.id}, true
	case "owner-id":
		return []string{t.owner}, true
	}
	var out []string
	for _, l := range t.links {
		out = append(out, map[string]string{
			"association.main":      map[bool]string{true: "true", false: "false"}[l.main],
			"association.subnet-id": l.subnet, "association.route-table-association-id": l.id,
		}[name])
	}
	for _, r := range t.routes {
		out = append(out, map[string]string{
			"route.destination-cidr-block": r.block, "route." + map[string]string{"gatewayId": "gateway-id", "natGatewayId": "nat-gateway-id"}[r.member]: r.target,
		}[name])
	}
	return slices.DeleteFunc(out, func(v string) bool { return v == "" }), true
}

func (t *routeTable) describe() wire.Struct {
	routes := wire.List{wire.Struct{
		kv("destinationCidrBlock", t.vpc.block.String()), kv("gatewayId", "local"), kv("state", "active"), kv("origin", "CreateRouteTable"),
	}}
	for _, r := range t.routes {
		routes = append(routes, wire.Struct{kv("destinationCidrBlock", r.block), kv(r.member, r.target), kv("state", "active"), kv("origin", "CreateRoute")})
	}
	return wire.Struct{
		kv("routeTableId", t.id), kv("vpcId", t.vpc.id), kv("ownerId", t.owner), kv("routeSet", routes),
		kv("associationSet", wire.ListOf(t.links, func(l link) wire.Struct {
			return wire.Struct{
				kv("routeTableAssociationId", l.id), kv("routeTableId", t.id), kv("subnetId", wire.Opt(l.subnet)), kv("main", l.main),
				kv("associationState", wire.Struct{kv("state", "associated")}),
			}
		})),
		kv("propagatingVgwSet", wire.List{}), t.tagSet(),
	}
}

func (c *call) newTable(v *vpc, tags map[string]string) *routeTable {
	t := &routeTable{head: c.newHead(kindTable(), tags), owner: c.account, vpc: v}
	c.tables = append(c.tables, t)
	return t
}

func (c *call) createRouteTable() (wire.Struct, error) {
	v, err := named(c, "VpcId", c.vpcs, kindVPC())
	if err != nil {
		return nil, err
	}
	tags, err := c.newTags("route-table")
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("routeTable", c.newTable(v, tags).describe())}, nil
}

func (c *call) describeRouteTables() (wire.Struct, error) {
	return describe(c, "RouteTableId", "routeTableSet", c.tables, kindTable(), (*routeTable).describe)
}

func (c *call) deleteRouteTable() (wire.Struct, error) {
	t, err := named(c, "RouteTableId", c.tables, kindTable())
	if err != nil {
		return nil, err
	}
	if len(t.links) > 0 {
		return nil, hasDependencies(kindTable(), t.id)
	}
	c.tables = remove(c.tables, t)
	return returned()
}

// newRoute reads the destination and the target of a route.
func (c *call) newRoute(t *routeTable) (route, error) {
	text, err := c.required("DestinationCidrBlock")
	if err != nil {
		return route{}, err
	}
	block, err := netip.ParsePrefix(text)
	switch {
	case err != nil || !block.Addr().Is4():
		return route{}, wire.Errorf("InvalidParameterValue", "Value (%s) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.", text)
	case block.Masked() == t.vpc.block:
		return route{}, wire.Errorf("InvalidParameterValue", "The destination CIDR block %s is equal to the VPC's: its local route cannot be changed.", text)
	}
	r := route{block: block.Masked().String()}
	if id := c.p.Str("NatGatewayId"); id != "" {
		g, err := find(c.nats, kindNAT(), id)
		if err == nil && !g.deletedAt.IsZero() {
			err = kindNAT().missing(id)
		}
		r.member, r.target = "natGatewayId", id
		return r, err
	}
	if id := c.p.Str("GatewayId"); id != "" {
		g, err := find(c.gateways, kindInternet(), id)
		if err == nil && g.vpc != t.vpc {
			err = wire.Errorf("InvalidParameterValue", "route table %s and network gateway %s belong to different networks", t.id, id)
		}
		r.member, r.target = "gatewayId", id
		return r, err
	}
	for _, other := range []string{"TransitGatewayId", "VpcPeeringConnectionId", "NetworkInterfaceId", "InstanceId", "VpcEndpointId", "EgressOnlyInternetGatewayId"} {
		if c.p.Has(other) {
			return r, wire.NotSimulated("ec2", "a route to a "+other)
		}
	}
	return r, wire.Errorf("MissingParameter", "The request must contain exactly one of gatewayId, natGatewayId, and the like")
}

func (c *call) setRoute(replace bool) (wire.Struct, error) {
	t, err := named(c, "RouteTableId", c.tables, kindTable())
	if err != nil {
		return nil, err
	}
	r, err := c.newRoute(t)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(t.routes, func(o route) bool { return o.block == r.block })
	switch {
	case i < 0 && replace:
		return nil, t.noRoute(r.block)
	case i >= 0 && !replace:
		return nil, wire.Errorf("RouteAlreadyExists", "The route identified by %s already exists.", r.block)
	case replace:
		t.routes[i] = r
	default:
		t.routes = append(t.routes, r)
	}
	return returned()
}

func (t *routeTable) noRoute(block string) error {
	return wire.Errorf("InvalidRoute.NotFound", "no route with destination-cidr-block %s in route table %s", block, t.id)
}

func (c *call) createRoute() (wire.Struct, error)  { return c.setRoute(false) }
func (c *call) replaceRoute() (wire.Struct, error) { return c.setRoute(true) }

func (c *call) deleteRoute() (wire.Struct, error) {
	t, err := named(c, "RouteTableId", c.tables, kindTable())
	if err != nil {
		return nil, err
	}
	block, err := c.required("DestinationCidrBlock")
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(t.routes, func(r route) bool { return r.block == block })
	if i < 0 {
		return nil, t.noRoute(block)
	}
	t.routes = slices.Delete(t.routes, i, i+1)
	return returned()
}

func (c *call) associateRouteTable() (wire.Struct, error) {
	t, err := named(c, "RouteTableId", c.tables, kindTable())
	if err != nil {
		return nil, err
	}
	s, err := named(c, "SubnetId", c.subnets, kindSubnet())
	if err != nil {
		return nil, err
	}
	if s.vpc != t.vpc {
		return nil, wire.Errorf("InvalidParameterValue", "Route table %s and subnet %s belong to different networks", t.id, s.id)
	}
	for _, o := range c.tables {
		for _, l := range o.links {
			if l.subnet != s.id {
				continue
			}
			if o == t {
				return linked(l), nil
			}
			return nil, wire.Errorf("Resource.AlreadyAssociated", "the specified association for route table %s conflicts with an existing association", t.id)
		}
	}
	l := link{id: c.newID(kindLink()), subnet: s.id}
	t.links = append(t.links, l)
	return linked(l), nil
}

func linked(l link) wire.Struct {
	return wire.Struct{kv("associationId", l.id), kv("associationState", wire.Struct{kv("state", "associated")})}
}

// association finds the one that a call names.
func (c *call) association() (*routeTable, int, error) {
	id, err := c.required("AssociationId")
	if err != nil {
		return nil, 0, err
	}
	for _, t := range c.tables {
		if i := slices.IndexFunc(t.links, func(l link) bool { return l.id == id }); i >= 0 {
			return t, i, nil
		}
	}
	return nil, 0, kindLink().missing(id)
}

func (c *call) disassociateRouteTable() (wire.Struct, error) {
	t, i, err := c.association()
	if err != nil {
		return nil, err
	}
	if t.links[i].main {
		return nil, wire.Errorf("InvalidParameterValue", "cannot disassociate the main route table association %s", t.links[i].id)
	}
	t.links = slices.Delete(slices.Clone(t.links), i, i+1)
	return returned()
}

func (c *call) replaceRouteTableAssociation() (wire.Struct, error) {
	from, i, err := c.association()
	if err != nil {
		return nil, err
	}
	to, err := named(c, "RouteTableId", c.tables, kindTable())
	if err != nil {
		return nil, err
	}
	if from.vpc != to.vpc {
		return nil, wire.Errorf("InvalidParameterValue", "Route tables %s and %s belong to different networks", from.id, to.id)
	}
	l := from.links[i]
	l.id = c.newID(kindLink())
	from.links = slices.Delete(slices.Clone(from.links), i, i+1)
	to.links = append(to.links, l)
	return wire.Struct{kv("newAssociationId", l.id), kv("associationState", wire.Struct{kv("state", "associated")})}, nil
}
