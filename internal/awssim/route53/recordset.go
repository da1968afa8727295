package route53

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Policy is how Route 53 chooses among the record sets of one name and type.
type Policy string

// Routing policies. Geoproximity and CIDR routing are not simulated.
const (
	Simple      Policy = "simple"
	Weighted    Policy = "weighted"
	Latency     Policy = "latency"
	Failover    Policy = "failover"
	Geolocation Policy = "geolocation"
	Multivalue  Policy = "multivalue"
)

// RecordSet is a resource record set. It is never written to once it is in a zone.
type RecordSet struct {
	Name          string // canonical
	Type          string
	SetIdentifier string // "" for Simple only
	Policy        Policy
	Weight        int    // 0–255, Weighted only
	Region        string // Latency only
	Failover      string // PRIMARY | SECONDARY, Failover only
	Geo           GeoLocation
	TTL           int // seconds; 0 for an alias, which has none
	Values        []string
	Alias         *Alias
	HealthCheckID string
}

// GeoLocation of a record set, as it was given.
type GeoLocation struct{ Continent, Country, Subdivision string }

// Alias is the target of an alias record set.
type Alias struct {
	HostedZoneID         string // of the target
	DNSName              string // canonical
	EvaluateTargetHealth bool
}

// key identifies a record set within a zone.
type key struct{ name, typ, id string }

func (r *RecordSet) key() key { return key{r.Name, r.Type, r.SetIdentifier} }

func (r *RecordSet) clone() RecordSet {
	out := *r
	out.Values = slices.Clone(r.Values)
	if r.Alias != nil {
		a := *r.Alias
		out.Alias = &a
	}
	return out
}

// same compares everything, the values as a set.
func (r *RecordSet) same(o *RecordSet) bool {
	a, b := r.clone(), o.clone()
	slices.Sort(a.Values)
	slices.Sort(b.Values)
	return reflect.DeepEqual(a, b)
}

// String is how AWS names a record set in its messages.
func (r *RecordSet) String() string {
	if r.SetIdentifier == "" {
		return fmt.Sprintf("[name='%s', type='%s']", r.Name, r.Type)
	}
	return fmt.Sprintf("[name='%s', type='%s', set-identifier='%s']", r.Name, r.Type, r.SetIdentifier)
}

// position is a record set's place in the order of a listing.
type position struct{ name, typ, id string } // name is a sortKey

func (r *RecordSet) position() position { return position{sortKey(r.Name), r.Type, r.SetIdentifier} }

func (p position) compare(o position) int {
	return cmp.Or(cmp.Compare(p.name, o.name), cmp.Compare(p.typ, o.typ), cmp.Compare(p.id, o.id))
}

func (r *RecordSet) describe() wire.Struct {
	out := wire.Struct{kv("Name", r.Name), kv("Type", r.Type), kv("SetIdentifier", wire.Opt(r.SetIdentifier))}
	switch r.Policy {
	case Simple:
	case Weighted:
		out = append(out, kv("Weight", r.Weight))
	case Latency:
		out = append(out, kv("Region", r.Region))
	case Failover:
		out = append(out, kv("Failover", r.Failover))
	case Geolocation:
		out = append(out, kv("GeoLocation", wire.Struct{
			kv("ContinentCode", wire.Opt(r.Geo.Continent)), kv("CountryCode", wire.Opt(r.Geo.Country)),
			kv("SubdivisionCode", wire.Opt(r.Geo.Subdivision)),
		}))
	case Multivalue:
		out = append(out, kv("MultiValueAnswer", true))
	}
	if a := r.Alias; a != nil {
		out = append(out, kv("AliasTarget", wire.Struct{
			kv("HostedZoneId", a.HostedZoneID), kv("DNSName", a.DNSName), kv("EvaluateTargetHealth", a.EvaluateTargetHealth),
		}))
	} else {
		values := wire.ListOf(r.Values, func(v string) wire.Struct { return wire.Struct{kv("Value", v)} })
		out = append(out, kv("TTL", r.TTL), kv("ResourceRecords", values))
	}
	return append(out, kv("HealthCheckId", wire.Opt(r.HealthCheckID)))
}
