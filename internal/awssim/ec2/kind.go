package ec2

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// kind of resource.
type kind struct {
	prefix   string // of identifiers
	typ      string // in ARNs and tags
	code     string // of errors about identifiers, without its last part
	notFound string // the whole code, where it does not follow the rule
	word     string // what messages call its identifier
}

func kindVPC() kind { return kind{prefix: "vpc", typ: "vpc", code: "InvalidVpcID", word: "vpc ID"} }
func kindSubnet() kind {
	return kind{prefix: "subnet", typ: "subnet", code: "InvalidSubnetID", word: "subnet ID"}
}

func kindInternet() kind {
	return kind{prefix: "igw", typ: "internet-gateway", code: "InvalidInternetGatewayID", word: "internetGateway ID"}
}

func kindNAT() kind {
	return kind{prefix: "nat", typ: "natgateway", code: "NatGateway", notFound: "NatGatewayNotFound", word: "Nat Gateway"}
}

func kindAddress() kind {
	return kind{prefix: "eipalloc", typ: "elastic-ip", code: "InvalidAllocationID", word: "allocation ID"}
}

func kindTable() kind {
	return kind{prefix: "rtb", typ: "route-table", code: "InvalidRouteTableID", word: "routeTable ID"}
}

func kindLink() kind {
	return kind{prefix: "rtbassoc", code: "InvalidAssociationID", word: "association ID"}
}

func kindGroup() kind {
	return kind{prefix: "sg", typ: "security-group", code: "InvalidGroup", word: "security group"}
}

func kindRule() kind {
	return kind{prefix: "sgr", typ: "security-group-rule", code: "InvalidSecurityGroupRuleId", word: "security group rule ID"}
}

func kindInstance() kind {
	return kind{prefix: "i", typ: "instance", code: "InvalidInstanceID", word: "instance ID"}
}

func kindInterface() kind {
	return kind{prefix: "eni", typ: "network-interface", code: "InvalidNetworkInterfaceID", word: "networkInterface ID"}
}

func kindACL() kind {
	return kind{prefix: "acl", typ: "network-acl", code: "InvalidNetworkAclID", word: "networkAcl ID"}
}

func kindTemplate() kind {
	return kind{prefix: "lt", typ: "launch-template", code: "InvalidLaunchTemplateId", word: "launch template"}
}

func (k kind) missing(id string) error {
	code := k.notFound
	if code == "" {
		code = k.code + ".NotFound"
	}
	return wire.Errorf(code, "The %s '%s' does not exist", k.word, id)
}

// head is what all resources have in common.
type head struct {
	id      string
	created time.Time
	tags    map[string]string // replaced, never written into
}

func (h *head) header() *head { return h }

type resource interface{ header() *head }

// newHead draws the identifier of a new resource: nothing may fail after that.
func (c *call) newHead(k kind, tags map[string]string) head {
	return head{id: c.newID(k), created: c.now, tags: tags}
}

// find a resource by its identifier.
func find[T resource](items []T, k kind, id string) (T, error) {
	for _, it := range items {
		if it.header().id == id {
			return it, nil
		}
	}
	var none T
	if id != "" && !regexp.MustCompile(`^`+k.prefix+`-[0-9a-f]{8,17}$`).MatchString(id) {
		return none, wire.Errorf(k.code+".Malformed", "Invalid id: \"%s\" (expecting \"%s-...\")", id, k.prefix)
	}
	return none, k.missing(id)
}

// named finds the resource whose identifier is in a required member.
func named[T resource](c *call, member string, items []T, k kind) (T, error) {
	id, err := c.required(member)
	if err != nil {
		var none T
		return none, err
	}
	return find(items, k, id)
}

func remove[T comparable](items []T, one T) []T {
	return slices.DeleteFunc(slices.Clone(items), func(x T) bool { return x == one })
}

// required is a member that must be there and not be empty.
func (c *call) required(name string) (string, error) {
	v := c.p.Str(name)
	if v == "" {
		return "", wire.Errorf("MissingParameter", "The request must contain the parameter %s", wire.Camel(name))
	}
	return v, nil
}

// flag is a boolean member, which may be absent.
func (c *call) flag(name string) (bool, error) {
	b, _, err := c.p.Bool(name)
	if err != nil {
		return false, invalidValue(wire.Camel(name), c.p.Str(name))
	}
	return b, nil
}

// attribute is a member of the form NAME.Value, as the Modify… calls have it.
func (c *call) attribute(name string) (value, ok bool, err error) {
	if !c.p.Has(name) {
		return false, false, nil
	}
	value, ok, err = c.p.Struct(name).Bool("Value")
	if err != nil || !ok {
		return false, false, invalidValue(wire.Camel(name), c.p.Struct(name).Str("Value"))
	}
	return value, true, nil
}

func invalidValue(member, value string) error {
	return wire.Errorf("InvalidParameterValue", "Value (%s) for parameter %s is invalid.", value, member)
}

func inUse(format string, args ...any) error {
	return wire.Errorf("DependencyViolation", format, args...)
}

// hasDependencies is the wording for most kinds.
func hasDependencies(k kind, id string) error {
	word, _, _ := strings.Cut(k.word, " ")
	return inUse("The %s '%s' has dependencies and cannot be deleted.", word, id)
}
