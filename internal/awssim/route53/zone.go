package route53

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

const (
	maxZonePage  = 100
	maxReference = 128 // characters of a caller reference
	maxComment   = 256
	maxDNSName   = 1024
	nsTTL        = 172_800
	soaTTL       = 900
)

// zone is a hosted zone of the control plane.
type zone struct {
	id, name, account string
	reference         string
	comment           string
	described         bool // HostedZoneConfig was given
	private           bool
	vpcs              []vpc
	nameServers       []string
	created           int // its number in the order of creation
	tags              tags
	sets              map[key]*RecordSet
	order             []placed // of sets; nil: to be made
	busyUntil         time.Time
}

type vpc struct{ id, region string }

// placed is a record set with its place in a listing.
type placed struct {
	position
	set *RecordSet
}

// placed are all record sets in Route 53's order.
func (z *zone) listing() []placed {
	if z.order == nil {
		z.order = make([]placed, 0, len(z.sets))
		for _, r := range z.sets {
			z.order = append(z.order, placed{r.position(), r})
		}
		slices.SortFunc(z.order, func(a, b placed) int { return a.compare(b.position) })
	}
	return z.order
}

func (z *zone) sorted() []*RecordSet {
	out := make([]*RecordSet, 0, len(z.sets))
	for _, p := range z.listing() {
		out = append(out, p.set)
	}
	return out
}

func (z *zone) describe() wire.Struct {
	out := wire.Struct{kv("Id", "/hostedzone/"+z.id), kv("Name", z.name), kv("CallerReference", z.reference)}
	if z.described || z.comment != "" || z.private {
		out = append(out, kv("Config", wire.Struct{kv("Comment", wire.Opt(z.comment)), kv("PrivateZone", z.private)}))
	}
	return append(out, kv("ResourceRecordSetCount", len(z.sets)))
}

func (z *zone) delegation() wire.Struct {
	return wire.Struct{kv("NameServers", wire.Texts(z.nameServers))}
}

func (z *zone) describeVPCs() wire.List {
	out := wire.List{}
	for _, v := range z.vpcs {
		out = append(out, wire.Struct{kv("VPCRegion", v.region), kv("VPCId", v.id)})
	}
	return out
}

// zone is the caller's zone that the parameter name names. A zone of another account is
// answered as one that does not exist: the caller cannot tell them apart. (Which error
// AWS gives here could not be verified.)
func (c *call) zone(name string) (*zone, error) {
	id := strings.TrimPrefix(strings.TrimPrefix(c.p.Str(name), "/"), "hostedzone/")
	if id == "" {
		return nil, constraint.Violation(nil, "hostedZoneId", "not be null")
	}
	if err := constraint.Length(id, "hostedZoneId", 1, 32); err != nil {
		return nil, err
	}
	z := c.s.zones[id]
	if z == nil || z.account != c.id {
		return nil, &wire.Error{Code: "NoSuchHostedZone", Message: "No hosted zone found with ID: " + id, Status: http.StatusNotFound}
	}
	return z, nil
}

// idle refuses a change of a zone while another one is being processed.
func (c *call) idle(z *zone) error {
	if c.now.Before(z.busyUntil) || c.s.cfg.Busy != nil && c.s.cfg.Busy(z.id) {
		return wire.Errorf("PriorRequestNotComplete", "The request was rejected because Route 53 was still processing a prior request.")
	}
	return nil
}

func (c *call) createHostedZone() (wire.Struct, error) {
	given, err := constraint.Required(c.p, "Name", "name")
	if err != nil {
		return nil, err
	}
	if err := constraint.Length(given, "name", 1, maxDNSName); err != nil {
		return nil, err
	}
	z := &zone{account: c.id, reference: c.p.Str("CallerReference")}
	if err := constraint.Length(z.reference, "callerReference", 1, maxReference); err != nil {
		return nil, err
	}
	if err := c.configure(z); err != nil {
		return nil, err
	}
	if z.name, err = Canonical(given); err != nil || z.name == "." {
		return nil, wire.Errorf("InvalidDomainName", "%s is not a valid domain name", given)
	}
	if c.p.Has("DelegationSetId") {
		return nil, wire.NotSimulated("route53", "reusable delegation sets in "+"CreateHostedZone")
	}
	if id, ok := c.refs[z.reference]; ok {
		return nil, &wire.Error{
			Code: "HostedZoneAlreadyExists", Status: http.StatusConflict,
			Message: fmt.Sprintf("A hosted zone has already been created with the specified caller reference: %s (%s)", z.reference, id),
		}
	}
	c.s.found(z)
	c.refs[z.reference] = z.id
	ch := c.s.record(c, z, "", zoneDelta(z))
	out := wire.Struct{kv("HostedZone", z.describe()), kv("ChangeInfo", ch.describe(c.now))}
	if z.private {
		out = append(out, kv("VPC", z.describeVPCs()[0]))
	} else {
		out = append(out, kv("DelegationSet", z.delegation()))
	}
	return append(out, kv("Location", "https://route53.amazonaws.com/2013-04-01/hostedzone/"+z.id)), nil
}

// configure reads HostedZoneConfig and VPC.
func (c *call) configure(z *zone) (err error) {
	config := c.p.Struct("HostedZoneConfig")
	z.described, z.comment = config != nil, config.Str("Comment")
	if err := constraint.Length(z.comment, "hostedZoneConfig.comment", 0, maxComment); err != nil {
		return err
	}
	if z.private, _, err = constraint.Bool(config, "PrivateZone", "hostedZoneConfig.privateZone"); err != nil {
		return err
	}
	if v := c.p.Struct("VPC"); v != nil {
		z.private, z.vpcs = true, []vpc{{v.Str("VPCId"), v.Str("VPCRegion")}}
		if z.vpcs[0].id == "" || z.vpcs[0].region == "" {
			return constraint.Violation(nil, "vPC", "name a VPCId and a VPCRegion")
		}
	}
	if z.private && z.vpcs == nil {
		return invalid("When you're creating a private hosted zone (when you specify true for PrivateZone), " +
			"you must also specify values for VPCId and VPCRegion.")
	}
	return nil
}

// found gives a zone its id, its name servers and its own NS and SOA records.
func (s *Service) found(z *zone) {
	z.id = "Z" + s.id(19)
	s.founded++
	z.created = s.founded
	for i, top := range []string{"com", "net", "org", "co.uk"} {
		z.nameServers = append(z.nameServers, fmt.Sprintf("ns-%d.awsdns-%02d.%s", i*512+s.rand.IntN(512), s.rand.IntN(64), top))
	}
	ns := &RecordSet{Name: z.name, Type: "NS", Policy: Simple, TTL: nsTTL}
	for _, n := range z.nameServers {
		ns.Values = append(ns.Values, n+".")
	}
	soa := &RecordSet{
		Name: z.name, Type: "SOA", Policy: Simple, TTL: soaTTL,
		Values: []string{z.nameServers[0] + ". awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"},
	}
	z.sets = map[key]*RecordSet{ns.key(): ns, soa.key(): soa}
	s.zones[z.id] = z
}

func (c *call) getHostedZone() (wire.Struct, error) {
	z, err := c.zone("Id")
	if err != nil {
		return nil, err
	}
	if z.private {
		return wire.Struct{kv("HostedZone", z.describe()), kv("VPCs", z.describeVPCs())}, nil
	}
	return wire.Struct{kv("HostedZone", z.describe()), kv("DelegationSet", z.delegation())}, nil
}

// zonesBy are the caller's zones in the order of cmp, and then of their creation.
func (c *call) zonesBy(compare func(a, b *zone) int) []*zone {
	var out []*zone
	for _, z := range c.s.zones {
		if z.account == c.id {
			out = append(out, z)
		}
	}
	slices.SortFunc(out, func(a, b *zone) int {
		return cmp.Or(compare(a, b), cmp.Compare(a.created, b.created), cmp.Compare(a.id, b.id))
	})
	return out
}

func inOrderOfCreation(*zone, *zone) int { return 0 }

func describeZones(zones []*zone) wire.List { return wire.ListOf(zones, (*zone).describe) }

func (c *call) listHostedZones() (wire.Struct, error) {
	size, said, err := c.pageSize(maxZonePage)
	if err != nil {
		return nil, err
	}
	zones := c.zonesBy(inOrderOfCreation)
	if t := c.p.Str("HostedZoneType"); t != "" {
		if err := constraint.OneOf(t, "hostedZoneType", "PrivateHostedZone"); err != nil {
			return nil, err
		}
		zones = slices.DeleteFunc(zones, func(z *zone) bool { return !z.private })
	}
	marker := c.p.Str("Marker")
	if marker != "" {
		i := slices.IndexFunc(zones, func(z *zone) bool { return z.id == marker })
		if i < 0 {
			return nil, invalid("The marker '%s' is not valid", marker)
		}
		zones = zones[i:]
	}
	next := ""
	if len(zones) > size {
		next, zones = zones[size].id, zones[:size]
	}
	return wire.Struct{
		kv("HostedZones", describeZones(zones)), kv("Marker", wire.Opt(marker)), kv("IsTruncated", next != ""),
		kv("NextMarker", wire.Opt(next)), kv("MaxItems", said),
	}, nil
}

func (c *call) listHostedZonesByName() (wire.Struct, error) {
	size, said, err := c.pageSize(maxZonePage)
	if err != nil {
		return nil, err
	}
	given, id := c.p.Str("DNSName"), strings.TrimPrefix(c.p.Str("HostedZoneId"), "/hostedzone/")
	if given == "" && id != "" {
		return nil, invalid("The hostedzoneid parameter needs the dnsname parameter beside it")
	}
	zones := c.zonesBy(func(a, b *zone) int {
		return cmp.Or(cmp.Compare(sortKey(a.name), sortKey(b.name)), cmp.Compare(a.id, b.id))
	})
	if given != "" {
		name, err := Canonical(given)
		if err != nil {
			return nil, wire.Errorf("InvalidDomainName", "%s is not a valid domain name", given)
		}
		from := sortKey(name)
		zones = slices.DeleteFunc(zones, func(z *zone) bool {
			k := sortKey(z.name)
			return k < from || k == from && z.id < id
		})
	}
	out := wire.Struct{kv("DNSName", wire.Opt(given)), kv("HostedZoneId", wire.Opt(id)), kv("MaxItems", said)}
	if len(zones) > size {
		next := zones[size]
		zones = zones[:size]
		out = append(out, kv("NextDNSName", next.name), kv("NextHostedZoneId", next.id), kv("IsTruncated", true))
	} else {
		out = append(out, kv("IsTruncated", false))
	}
	return append(out, kv("HostedZones", describeZones(zones))), nil
}

func (c *call) getHostedZoneCount() (wire.Struct, error) {
	return wire.Struct{kv("HostedZoneCount", len(c.zonesBy(inOrderOfCreation)))}, nil
}

func (c *call) updateHostedZoneComment() (wire.Struct, error) {
	z, err := c.zone("Id")
	if err != nil {
		return nil, err
	}
	comment := c.p.Str("Comment")
	if err := constraint.Length(comment, "comment", 0, maxComment); err != nil {
		return nil, err
	}
	if err := c.idle(z); err != nil {
		return nil, err
	}
	z.comment = comment
	return wire.Struct{kv("HostedZone", z.describe())}, nil
}

func (c *call) deleteHostedZone() (wire.Struct, error) {
	z, err := c.zone("Id")
	if err != nil {
		return nil, err
	}
	if err := c.idle(z); err != nil {
		return nil, err
	}
	for _, r := range z.sets {
		if !z.own(r) {
			return nil, wire.Errorf("HostedZoneNotEmpty",
				"The specified hosted zone contains non-required resource record sets and so cannot be deleted.")
		}
	}
	delete(c.s.zones, z.id)
	ch := c.s.record(c, z, "", delta{zone: z.id, gone: true})
	return wire.Struct{kv("ChangeInfo", ch.describe(c.now))}, nil
}

// own tells whether a record set is one that the zone cannot be without.
func (z *zone) own(r *RecordSet) bool {
	return r.Name == z.name && (r.Type == "NS" || r.Type == "SOA")
}
