package route53

import (
	"strings"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// AWS's default quotas, which the simulator tells of but does not hold.
const (
	zonesQuota   = 500
	checksQuota  = 200
	recordsQuota = 10_000
	vpcsQuota    = 300
)

func limit(kind string, value, count int) wire.Struct {
	return wire.Struct{kv("Limit", wire.Struct{kv("Type", kind), kv("Value", value)}), kv("Count", count)}
}

func (c *call) getAccountLimit() (wire.Struct, error) {
	switch kind := c.p.Str("Type"); kind {
	case "MAX_HOSTED_ZONES_BY_OWNER":
		return limit(kind, zonesQuota, len(c.zonesBy(inOrderOfCreation))), nil
	case "MAX_HEALTH_CHECKS_BY_OWNER":
		return limit(kind, checksQuota, len(c.checks)), nil
	default:
		return nil, constraint.OneOf(kind, "type", "MAX_HOSTED_ZONES_BY_OWNER", "MAX_HEALTH_CHECKS_BY_OWNER")
	}
}

func (c *call) getHostedZoneLimit() (wire.Struct, error) {
	z, err := c.zone("HostedZoneId")
	if err != nil {
		return nil, err
	}
	switch kind := c.p.Str("Type"); {
	case kind == "MAX_RRSETS_BY_ZONE":
		return limit(kind, recordsQuota, len(z.sets)), nil
	case kind == "MAX_VPCS_ASSOCIATED_BY_ZONE" && z.private:
		return limit(kind, vpcsQuota, len(z.vpcs)), nil
	case kind == "MAX_VPCS_ASSOCIATED_BY_ZONE":
		return nil, wire.Errorf("HostedZoneNotPrivate", "The specified hosted zone is a public hosted zone, not a private hosted zone.")
	default:
		return nil, constraint.OneOf(kind, "type", "MAX_RRSETS_BY_ZONE", "MAX_VPCS_ASSOCIATED_BY_ZONE")
	}
}

// testDNSAnswer answers as the name servers would, from what is in sync.
func (c *call) testDNSAnswer() (wire.Struct, error) {
	z, err := c.zone("HostedZoneId")
	if err != nil {
		return nil, err
	}
	typ := c.p.Str("RecordType")
	if err := constraint.OneOf(typ, "recordType", recordTypes()...); err != nil {
		return nil, err
	}
	name, err := Canonical(c.p.Str("RecordName"))
	if err != nil {
		return nil, invalid("%v", err)
	}
	q := question{s: c.s, ns: c.s.changes.at(c.now).only(z.id), typ: typ}
	a := q.answer(name)
	data := wire.List{}
	for _, r := range a.Records {
		data = append(data, r.Value)
	}
	return wire.Struct{
		kv("Nameserver", strings.TrimSuffix(z.nameServers[0], ".")), kv("RecordName", name), kv("RecordType", typ),
		kv("RecordData", data), kv("ResponseCode", a.RCode), kv("Protocol", "UDP"),
	}, nil
}

// only is a namespace with one zone, or none where that is not live yet.
func (ns *namespace) only(id string) *namespace {
	out := &namespace{zones: map[string]*view{}}
	if v := ns.zones[id]; v != nil {
		out.zones[id] = v
	}
	out.index()
	return out
}
