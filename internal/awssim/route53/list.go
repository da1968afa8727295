package route53

import (
	"slices"

	"github.com/norikae/norikae/internal/awssim/wire"
)

const (
	maxRecordPage    = 300
	maxSetIdentifier = 128
)

// listResourceRecordSets lists what is or will be true: pending changes show at once.
// The start is a lower bound in the order of the listing, not a filter.
func (c *call) listResourceRecordSets() (wire.Struct, error) {
	z, err := c.zone("HostedZoneId")
	if err != nil {
		return nil, err
	}
	size, said, err := c.pageSize(maxRecordPage)
	if err != nil {
		return nil, err
	}
	from, err := c.start()
	if err != nil {
		return nil, err
	}
	all := z.listing()
	first, _ := slices.BinarySearchFunc(all, from, func(p placed, from position) int { return p.compare(from) })
	page := all[first:min(first+size, len(all))]
	out := wire.ListOf(page, func(p placed) wire.Struct { return p.set.describe() })
	answer := wire.Struct{kv("ResourceRecordSets", out), kv("MaxItems", said)}
	if end := first + size; end < len(all) {
		next := all[end].set
		return append(answer, kv("IsTruncated", true), kv("NextRecordName", next.Name), kv("NextRecordType", next.Type),
			kv("NextRecordIdentifier", wire.Opt(next.SetIdentifier))), nil
	}
	return append(answer, kv("IsTruncated", false)), nil
}

// start is where a listing begins.
func (c *call) start() (position, error) {
	name, typ, id := c.p.Str("StartRecordName"), c.p.Str("StartRecordType"), c.p.Str("StartRecordIdentifier")
	switch {
	case name == "" && typ != "":
		return position{}, invalid("The name parameter must be specified when the type parameter is specified")
	case typ == "" && id != "":
		return position{}, invalid("The type parameter must be specified when the identifier parameter is specified")
	case name == "":
		return position{}, nil
	}
	if typ != "" {
		if err := constraint.OneOf(typ, "type", recordTypes()...); err != nil {
			return position{}, err
		}
	}
	if err := constraint.Length(id, "identifier", 0, maxSetIdentifier); err != nil {
		return position{}, err
	}
	canonical, err := Canonical(name)
	if err != nil {
		return position{}, invalid("%v", err)
	}
	return position{sortKey(canonical), typ, id}, nil
}
