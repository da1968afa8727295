package ec2

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// maxRules bounds a group's rules of one direction.
const maxRules = 60

// permission is what one rule lets through. One of the sources is set.
type permission struct {
	protocol    string // tcp | udp | icmp | icmpv6 | a number | -1 for all
	from, to    int    // ports; -1 for all, or ICMP types and codes
	cidr4       string
	cidr6       string
	group       string // identifier
	prefixList  string
	description string
}

// same compares without the description.
func (p permission) same(o permission) bool {
	p.description, o.description = "", ""
	return p == o
}

// source is the set of an answer's permission that the rule belongs to, and its element.
func (p permission) source(account string) (set string, element wire.Struct) {
	switch {
	case p.group != "":
		return "groups", wire.Struct{kv("userId", account), kv("groupId", p.group)}
	case p.cidr6 != "":
		return "ipv6Ranges", wire.Struct{kv("cidrIpv6", p.cidr6)}
	case p.prefixList != "":
		return "prefixListIds", wire.Struct{kv("prefixListId", p.prefixList)}
	default:
		return "ipRanges", wire.Struct{kv("cidrIp", p.cidr4)}
	}
}

// String words it as the messages of Authorize… do.
func (p permission) String() string {
	peer := p.cidr4 + p.cidr6 + p.group + p.prefixList
	if p.protocol == "-1" {
		return fmt.Sprintf("peer: %s, ALL, ALLOW", peer)
	}
	return fmt.Sprintf("peer: %s, %s, from port: %d, to port: %d, ALLOW", peer, strings.ToUpper(p.protocol), p.from, p.to)
}

// groupRule is a rule of a security group.
type groupRule struct {
	head
	permission

	group  *securityGroup
	egress bool
}

func (r *groupRule) field(name string) ([]string, bool) {
	switch name {
	case "group-id", "security-group-rule-id":
	default:
		return nil, false
	}
	if r == nil {
		return nil, true
	}
	return []string{map[string]string{"group-id": r.group.id, "security-group-rule-id": r.id}[name]}, true
}

func (c *call) describeRule(r *groupRule) wire.Struct {
	out := wire.Struct{
		kv("securityGroupRuleId", r.id), kv("groupId", r.group.id), kv("groupOwnerId", c.account), kv("isEgress", r.egress),
		kv("ipProtocol", r.protocol), kv("fromPort", r.from), kv("toPort", r.to), kv("cidrIpv4", wire.Opt(r.cidr4)), kv("cidrIpv6", wire.Opt(r.cidr6)),
		kv("prefixListId", wire.Opt(r.prefixList)), kv("description", wire.Opt(r.description)),
		kv("securityGroupRuleArn", c.arn("security-group-rule", r.id)), r.tagSet(),
	}
	if r.permission.group != "" {
		out = append(out, kv("referencedGroupInfo", wire.Struct{kv("groupId", r.permission.group), kv("userId", c.account), kv("vpcId", r.group.vpc.id)}))
	}
	return out
}

func (c *call) addRule(g *securityGroup, p permission, egress bool, tags map[string]string) *groupRule {
	r := &groupRule{head: c.newHead(kindRule(), tags), permission: p, group: g, egress: egress}
	c.rules = append(c.rules, r)
	return r
}

// permissionsOf reads a call's permissions: its list IpPermissions, or the members of a
// single one at top level. Every source is a permission of its own.
func (c *call) permissionsOf(egress bool) ([]permission, error) {
	items := c.p.List("IpPermissions")
	if len(items) == 0 {
		top := wire.Params{"IpProtocol": c.p.Str("IpProtocol"), "FromPort": c.p["FromPort"], "ToPort": c.p["ToPort"]}
		if cidr := c.p.Str("CidrIp"); cidr != "" {
			top["IpRanges"] = []any{wire.Params{"CidrIp": cidr}}
		}
		items = []wire.Params{top}
	}
	var out []permission
	for _, p := range items {
		base, err := ports(p)
		if err != nil {
			return nil, err
		}
		sources, err := c.sources(p, base)
		if err != nil {
			return nil, err
		}
		out = append(out, sources...)
	}
	if len(out) == 0 {
		word := map[bool]string{true: "destination", false: "source"}[egress]
		return nil, wire.Errorf("MissingParameter", "The request must contain a %s: a CIDR block, a security group or a prefix list", word)
	}
	return out, nil
}

// ports reads the protocol and the ports of a permission.
func ports(p wire.Params) (permission, error) {
	out := permission{protocol: strings.ToLower(p.Str("IpProtocol")), from: -1, to: -1}
	if name, ok := map[string]string{"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}[out.protocol]; ok {
		out.protocol = name
	}
	switch out.protocol {
	case "":
		return out, wire.Errorf("MissingParameter", "The request must contain the parameter ipProtocol")
	case "-1":
		return out, nil
	case "tcp", "udp", "icmp", "icmpv6":
	default:
		if n, err := strconv.Atoi(out.protocol); err != nil || n < 0 || n > 255 {
			return out, wire.Errorf("InvalidParameterValue", "Invalid value '%s' for IP protocol. Unknown protocol.", out.protocol)
		}
		return out, nil
	}
	from, fok, ferr := p.Int("FromPort")
	to, tok, terr := p.Int("ToPort")
	lo, hi := 0, 65_535
	if strings.HasPrefix(out.protocol, "icmp") {
		lo, hi = -1, 255
	}
	switch {
	case ferr != nil || terr != nil:
		return out, wire.Errorf("InvalidParameterValue", "Invalid port range %s-%s", p.Str("FromPort"), p.Str("ToPort"))
	case !fok || !tok:
		return out, wire.Errorf("InvalidParameterValue", "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.")
	case from < lo || to < lo || from > hi || to > hi:
		return out, wire.Errorf("InvalidParameterValue", "Invalid value '%d-%d' for portRange: not in %d–%d", from, to, lo, hi)
	case lo == 0 && from > to:
		return out, wire.Errorf("InvalidParameterValue", "Invalid TCP/UDP port range (%d:%d)", from, to)
	}
	out.from, out.to = from, to
	return out, nil
}

// sources reads what a permission lets in, or where it lets go.
func (c *call) sources(p wire.Params, base permission) ([]permission, error) {
	var out []permission
	for _, r := range p.List("IpRanges") {
		one := base
		b, err := netip.ParsePrefix(r.Str("CidrIp"))
		if err != nil || !b.Addr().Is4() || b != b.Masked() {
			return nil, wire.Errorf("InvalidParameterValue", "CIDR block %s is malformed", r.Str("CidrIp"))
		}
		one.cidr4, one.description = b.String(), r.Str("Description")
		out = append(out, one)
	}
	for _, r := range p.List("Ipv6Ranges") {
		one := base
		b, err := netip.ParsePrefix(r.Str("CidrIpv6"))
		if err != nil || !b.Addr().Is6() {
			return nil, wire.Errorf("InvalidParameterValue", "CIDR block %s is malformed", r.Str("CidrIpv6"))
		}
		one.cidr6, one.description = b.Masked().String(), r.Str("Description")
		out = append(out, one)
	}
	for _, r := range p.List("Groups") {
		one := base
		g, err := find(c.groups, kindGroup(), r.Str("GroupId"))
		if err != nil {
			return nil, err
		}
		one.group, one.description = g.id, r.Str("Description")
		out = append(out, one)
	}
	for _, r := range p.List("PrefixListIds") {
		one := base
		one.prefixList, one.description = r.Str("PrefixListId"), r.Str("Description")
		out = append(out, one)
	}
	return out, nil
}

func (c *call) authorize(egress bool) (wire.Struct, error) {
	g, err := named(c, "GroupId", c.groups, kindGroup())
	if err != nil {
		return nil, err
	}
	add, err := c.permissionsOf(egress)
	if err != nil {
		return nil, err
	}
	tags, err := c.newTags("security-group-rule")
	if err != nil {
		return nil, err
	}
	have := c.rulesOf(g, egress)
	for i, p := range add {
		if slices.ContainsFunc(have, func(r *groupRule) bool { return r.same(p) }) {
			return nil, wire.Errorf("InvalidPermission.Duplicate", "the specified rule \"%s\" already exists", p)
		}
		if slices.ContainsFunc(add[:i], p.same) {
			return nil, wire.Errorf("InvalidParameterValue", "The same permission must not appear multiple times")
		}
	}
	if len(have)+len(add) > maxRules {
		return nil, wire.Errorf("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
	}
	var made []*groupRule
	for _, p := range add {
		made = append(made, c.addRule(g, p, egress, tags))
	}
	return wire.Struct{kv("return", true), kv("securityGroupRuleSet", wire.ListOf(made, c.describeRule))}, nil
}

func (c *call) rulesOf(g *securityGroup, egress bool) []*groupRule {
	return slices.DeleteFunc(slices.Clone(c.rules), func(r *groupRule) bool { return r.group != g || r.egress != egress })
}

// revoke removes rules by their identifiers, or by what they let through. Unlike in EC2
// Classic all of them must be there.
func (c *call) revoke(egress bool) (wire.Struct, error) {
	g, err := named(c, "GroupId", c.groups, kindGroup())
	if err != nil {
		return nil, err
	}
	have := c.rulesOf(g, egress)
	var gone []*groupRule
	if ids := c.p.Strings("SecurityGroupRuleId"); len(ids) > 0 {
		for _, id := range ids {
			r, err := find(have, kindRule(), id)
			if err != nil {
				return nil, err
			}
			gone = append(gone, r)
		}
	} else {
		drop, err := c.permissionsOf(egress)
		if err != nil {
			return nil, err
		}
		for _, p := range drop {
			i := slices.IndexFunc(have, func(r *groupRule) bool { return r.same(p) })
			if i < 0 {
				return nil, wire.Errorf("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
			}
			gone = append(gone, have[i])
		}
	}
	c.rules = slices.DeleteFunc(slices.Clone(c.rules), func(r *groupRule) bool { return slices.Contains(gone, r) })
	return returned()
}

func (c *call) authorizeIngress() (wire.Struct, error) { return c.authorize(false) }
func (c *call) authorizeEgress() (wire.Struct, error)  { return c.authorize(true) }
func (c *call) revokeIngress() (wire.Struct, error)    { return c.revoke(false) }
func (c *call) revokeEgress() (wire.Struct, error)     { return c.revoke(true) }

func (c *call) describeSecurityGroupRules() (wire.Struct, error) {
	return describe(c, "SecurityGroupRuleId", "securityGroupRuleSet", c.rules, kindRule(), c.describeRule)
}
