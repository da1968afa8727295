package route53

import (
	"fmt"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/wire"
)

const (
	maxTTL           = 1<<31 - 1
	maxWeight        = 255
	maxValue         = 4000 // characters
	maxHealthCheckID = 64
)

func recordTypes() []string {
	return []string{
		"SOA", "A", "TXT", "NS", "CNAME", "MX", "NAPTR", "PTR", "SRV", "SPF", "AAAA", "CAA", "DS", "TLSA", "SSHFP", "SVCB", "HTTPS",
	}
}

// edit is one Change of a batch.
type edit struct {
	action string // CREATE | DELETE | UPSERT
	set    *RecordSet
	where  string // how AWS's messages name it
}

// changeResourceRecordSets carries out all of a batch or nothing.
func (c *call) changeResourceRecordSets() (wire.Struct, error) {
	z, err := c.zone("HostedZoneId")
	if err != nil {
		return nil, err
	}
	batch := c.p.Struct("ChangeBatch")
	if batch == nil {
		return nil, constraint.Violation(nil, "changeBatch", "not be null")
	}
	comment := batch.Str("Comment")
	if err := constraint.Length(comment, "changeBatch.comment", 0, maxComment); err != nil {
		return nil, err
	}
	edits, err := c.parseEdits(batch.List("Changes"))
	if err != nil {
		return nil, err
	}
	if err := c.idle(z); err != nil {
		return nil, err
	}
	sets, messages := c.edited(z, edits)
	if len(messages) > 0 {
		err := wire.Errorf("InvalidChangeBatch", "[%s]", strings.Join(messages, ", "))
		if c.s.cfg.BatchErrorList {
			err.Messages = messages
		}
		return nil, err
	}
	z.sets, z.order = sets, nil
	d := delta{zone: z.id, sets: map[key]*RecordSet{}}
	for _, e := range edits {
		d.sets[e.set.key()] = sets[e.set.key()]
	}
	return wire.Struct{kv("ChangeInfo", c.s.record(c, z, comment, d).describe(c.now))}, nil
}

// parseEdits reads the changes and checks what can be checked without looking at a zone.
func (c *call) parseEdits(list []wire.Params) ([]edit, error) {
	if len(list) == 0 {
		return nil, constraint.Violation("[]", "changeBatch.changes", "have length greater than or equal to 1")
	}
	edits := make([]edit, 0, len(list))
	for i, p := range list {
		path := fmt.Sprintf("changeBatch.changes.%d.member.", i+1)
		action := p.Str("Action")
		if err := constraint.OneOf(action, path+"action", "CREATE", "DELETE", "UPSERT"); err != nil {
			return nil, err
		}
		set := p.Struct("ResourceRecordSet")
		if set == nil {
			return nil, constraint.Violation(nil, path+"resourceRecordSet", "not be null")
		}
		e, err := parseEdit(action, set, path+"resourceRecordSet.")
		if err != nil {
			return nil, err
		}
		if id := e.set.HealthCheckID; id != "" && c.checks[id] == nil && action != "DELETE" {
			return nil, noSuchHealthCheck(id)
		}
		edits = append(edits, e)
	}
	return edits, nil
}

func parseEdit(action string, p wire.Params, path string) (edit, error) {
	r := &RecordSet{
		Name: p.Str("Name"), Type: p.Str("Type"), SetIdentifier: p.Str("SetIdentifier"),
		HealthCheckID: p.Str("HealthCheckId"), Policy: Simple,
	}
	id := r.SetIdentifier
	if id == "" {
		id = "null"
	}
	e := edit{action: action, set: r, where: fmt.Sprintf("Change with [Action=%s, Name=%s, Type=%s, SetIdentifier=%s]", action, r.Name, r.Type, id)}
	if err := constraint.Length(r.Name, path+"name", 1, maxDNSName); err != nil {
		return e, err
	}
	if err := constraint.OneOf(r.Type, path+"type", recordTypes()...); err != nil {
		return e, err
	}
	if p.Has("SetIdentifier") {
		if err := constraint.Length(r.SetIdentifier, path+"setIdentifier", 1, maxSetIdentifier); err != nil {
			return e, err
		}
	}
	if err := constraint.Length(r.HealthCheckID, path+"healthCheckId", 0, maxHealthCheckID); err != nil {
		return e, err
	}
	if err := e.parsePolicy(p, path); err != nil {
		return e, err
	}
	if err := e.parseTarget(p, path); err != nil {
		return e, err
	}
	if canonical, err := Canonical(r.Name); err == nil {
		r.Name = canonical // a bad name is refused with the batch
	}
	return e, nil
}

// policyFields of a record set, of which one at most may be there.
func policyFields() []string {
	return []string{
		"Weight", "Region", "Failover", "GeoLocation", "MultiValueAnswer", "GeoProximityLocation", "CidrRoutingConfig",
	}
}

func (e *edit) parsePolicy(p wire.Params, path string) (err error) {
	r := e.set
	fields := policyFields()
	multi, _, err := constraint.Bool(p, "MultiValueAnswer", path+"multiValueAnswer")
	if err != nil {
		return err
	}
	given := slices.DeleteFunc(slices.Clone(fields), func(f string) bool {
		return !p.Has(f) || f == "MultiValueAnswer" && !multi
	})
	routed := r.Type != "NS" && r.Type != "SOA"
	last := len(fields) - 1
	exactly := "Expected exactly one of [" + strings.Join(fields[:last], ", ") + ", or " + fields[last] + "], but found "
	switch {
	case len(given) > 1:
		return invalid("Invalid request: %smore than one in %s", exactly, e.where)
	case len(given) == 1 && !routed:
		return invalid("Invalid request: Record sets of type %s cannot have a routing policy in %s", r.Type, e.where)
	case len(given) == 1 && r.SetIdentifier == "":
		return invalid("Invalid request: Missing field 'SetIdentifier' in %s", e.where)
	case len(given) == 0 && r.SetIdentifier != "":
		return invalid("Invalid request: %snone in %s", exactly, e.where)
	case len(given) == 0:
		return nil
	}
	switch given[0] {
	case "Weight":
		r.Policy = Weighted
		r.Weight, _, err = constraint.Int(p, "Weight", path+"weight", 0, maxWeight)
		return err
	case "Region":
		r.Policy, r.Region = Latency, p.Str("Region")
		return constraint.Length(r.Region, path+"region", 1, 64)
	case "Failover":
		r.Policy, r.Failover = Failover, p.Str("Failover")
		return constraint.OneOf(r.Failover, path+"failover", "PRIMARY", "SECONDARY")
	case "GeoLocation":
		g := p.Struct("GeoLocation")
		r.Policy, r.Geo = Geolocation, GeoLocation{g.Str("ContinentCode"), g.Str("CountryCode"), g.Str("SubdivisionCode")}
		if (r.Geo.Continent == "") == (r.Geo.Country == "") {
			return invalid("Invalid request: Expected exactly one of [ContinentCode, or CountryCode] in %s", e.where)
		}
		return nil
	case "MultiValueAnswer":
		r.Policy = Multivalue
		return nil
	default:
		return wire.NotSimulated("route53", "record sets with "+given[0])
	}
}

// parseTarget reads either the alias or the TTL with the values.
func (e *edit) parseTarget(p wire.Params, path string) (err error) {
	r := e.set
	const exactly = "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found "
	alias, ttl, values := p.Has("AliasTarget"), p.Has("TTL"), p.List("ResourceRecords")
	switch {
	case p.Has("TrafficPolicyInstanceId"):
		return wire.NotSimulated("route53", "record sets with TrafficPolicyInstanceId")
	case alias && (ttl || len(values) > 0):
		return invalid("%smore than one in %s", exactly, e.where)
	case alias:
		r.Alias, err = parseAlias(p.Struct("AliasTarget"), path+"aliasTarget.")
		return err
	case !ttl || len(values) == 0:
		return invalid("%snone in %s", exactly, e.where)
	}
	if r.TTL, _, err = constraint.Int(p, "TTL", path+"tTL", 0, maxTTL); err != nil {
		return err
	}
	for i, v := range values {
		value := v.Str("Value")
		if err := constraint.Length(value, fmt.Sprintf("%sresourceRecords.%d.member.value", path, i+1), 0, maxValue); err != nil {
			return err
		}
		r.Values = append(r.Values, value)
	}
	return nil
}

func parseAlias(p wire.Params, path string) (*Alias, error) {
	zone, err := constraint.Required(p, "HostedZoneId", path+"hostedZoneId")
	if err != nil {
		return nil, err
	}
	zone = strings.TrimPrefix(strings.TrimPrefix(zone, "/"), "hostedzone/")
	if err := constraint.Length(zone, path+"hostedZoneId", 1, 32); err != nil {
		return nil, err
	}
	name, err := constraint.Required(p, "DNSName", path+"dNSName")
	if err != nil {
		return nil, err
	}
	canonical, err := Canonical(name)
	if err != nil {
		return nil, invalid("%v", err)
	}
	health, ok, err := constraint.Bool(p, "EvaluateTargetHealth", path+"evaluateTargetHealth")
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, constraint.Violation(nil, path+"evaluateTargetHealth", "not be null")
	}
	return &Alias{HostedZoneID: zone, DNSName: canonical, EvaluateTargetHealth: health}, nil
}
