package ec2

import (
	"regexp"
	"slices"

	"github.com/norikae/norikae/internal/awssim/wire"
)

type securityGroup struct {
	head

	vpc               *vpc
	name, description string
}

func (g *securityGroup) field(name string) ([]string, bool) {
	switch name {
	case "group-id", "group-name", "vpc-id", "description", "owner-id":
	default:
		return nil, false
	}
	if g == nil {
		return nil, true
	}
	return []string{map[string]string{
		"group-id": g.id, "group-name": g.name, "vpc-id": g.vpc.id, "description": g.description, "owner-id": g.vpc.owner,
	}[name]}, true
}

func (c *call) describeGroup(g *securityGroup) wire.Struct {
	return wire.Struct{
		kv("ownerId", c.account), kv("groupName", g.name), kv("groupDescription", g.description), kv("groupId", g.id), kv("vpcId", g.vpc.id),
		kv("securityGroupArn", c.arn("security-group", g.id)),
		kv("ipPermissions", c.permissions(g, false)), kv("ipPermissionsEgress", c.permissions(g, true)), g.tagSet(),
	}
}

// permissions are a group's rules of one direction, those of the same protocol and ports
// in one.
func (c *call) permissions(g *securityGroup, egress bool) wire.List {
	type ports struct {
		protocol string
		from, to int
	}
	var order []ports
	sources := map[ports]map[string]wire.List{}
	for _, r := range c.rules {
		if r.group != g || r.egress != egress {
			continue
		}
		k := ports{r.protocol, r.from, r.to}
		if sources[k] == nil {
			sources[k] = map[string]wire.List{}
			order = append(order, k)
		}
		set, source := r.source(c.account)
		source = append(source, kv("description", wire.Opt(r.description)))
		sources[k][set] = append(sources[k][set], source)
	}
	out := wire.List{}
	for _, k := range order {
		p := wire.Struct{kv("ipProtocol", k.protocol)}
		if k.protocol != "-1" {
			p = append(p, kv("fromPort", k.from), kv("toPort", k.to))
		}
		for _, set := range []string{"groups", "ipRanges", "ipv6Ranges", "prefixListIds"} {
			items := sources[k][set]
			if items == nil {
				items = wire.List{}
			}
			p = append(p, kv(set, items))
		}
		out = append(out, p)
	}
	return out
}

func (c *call) createSecurityGroup() (wire.Struct, error) {
	name, err := c.required("GroupName")
	if err != nil {
		return nil, err
	}
	description, err := c.required("GroupDescription")
	if err != nil {
		return nil, err
	}
	if c.p.Str("VpcId") == "" {
		return nil, wire.Errorf("VPCIdNotSpecified", "No default VPC for this user")
	}
	v, err := named(c, "VpcId", c.vpcs, kindVPC())
	if err != nil {
		return nil, err
	}
	text := regexp.MustCompile(`^[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}$`)
	switch {
	case !text.MatchString(name) || len(name) >= 3 && name[:3] == "sg-":
		return nil, wire.Errorf("InvalidParameterValue", "Value (%s) for parameter GroupName is invalid. Character sets beyond ASCII are not supported, and names do not begin with sg-.", name)
	case !text.MatchString(description):
		return nil, wire.Errorf("InvalidParameterValue", "Value (%s) for parameter GroupDescription is invalid. Character sets beyond ASCII are not supported.", description)
	case slices.ContainsFunc(c.groups, func(g *securityGroup) bool { return g.vpc == v && g.name == name }):
		return nil, wire.Errorf("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", name, v.id)
	}
	tags, err := c.newTags("security-group")
	if err != nil {
		return nil, err
	}
	g := &securityGroup{head: c.newHead(kindGroup(), tags), vpc: v, name: name, description: description}
	c.groups = append(c.groups, g)
	c.addRule(g, permission{protocol: "-1", from: -1, to: -1, cidr4: "0.0.0.0/0"}, true, nil)
	return wire.Struct{kv("return", true), kv("groupId", g.id), kv("securityGroupArn", c.arn("security-group", g.id)), g.tagSet()}, nil
}

func (c *call) describeSecurityGroups() (wire.Struct, error) {
	groups := c.groups
	if names := c.p.Strings("GroupName"); len(names) > 0 {
		return nil, wire.Errorf("InvalidParameterValue", "Groups of a VPC that is not the default one are found by GroupId or the filter group-name, not by GroupName")
	}
	return describe(c, "GroupId", "securityGroupInfo", groups, kindGroup(), c.describeGroup)
}

func (c *call) deleteSecurityGroup() (wire.Struct, error) {
	g, err := named(c, "GroupId", c.groups, kindGroup())
	if err != nil {
		return nil, err
	}
	if g.name == "default" {
		return nil, wire.Errorf("CannotDelete", "the specified group: \"%s\" name: \"default\" cannot be deleted by a user", g.id)
	}
	if slices.ContainsFunc(c.rules, func(r *groupRule) bool { return r.permission.group == g.id && r.group != g }) ||
		slices.ContainsFunc(c.interfaces, func(n *networkInterface) bool { return slices.Contains(n.groups, g) }) {
		return nil, inUse("resource %s has a dependent object", g.id)
	}
	c.dropGroup(g)
	return wire.Struct{kv("return", true), kv("groupId", g.id)}, nil
}

func (c *call) dropGroup(g *securityGroup) {
	c.groups = remove(c.groups, g)
	c.rules = slices.DeleteFunc(slices.Clone(c.rules), func(r *groupRule) bool { return r.group == g })
}
