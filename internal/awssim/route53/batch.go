package route53

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Limits of a batch and of what it may leave behind.
const (
	maxBatchRecords = 1000   // ResourceRecord elements; an UPSERT's count twice
	maxBatchChars   = 32_000 // of all values; an UPSERT's count twice
	maxValues       = 400    // of one record set
	maxGroup        = 100    // record sets of one name, type and routing policy
)

// edited is what the batch makes of the zone's record sets. With any message the batch is
// refused; all messages that the first problem does not hide are there.
func (c *call) edited(z *zone, edits []edit) (map[key]*RecordSet, []string) {
	if m := batchSize(edits); m != "" {
		return nil, []string{m}
	}
	var messages []string
	for _, e := range edits {
		if m := e.problem(z); m != "" {
			messages = append(messages, m)
		}
	}
	if messages = append(messages, contradictions(edits)...); len(messages) > 0 {
		return nil, messages
	}
	sets := maps.Clone(z.sets)
	for _, e := range edits {
		if m := e.carryOut(sets); m != "" {
			messages = append(messages, m)
		}
	}
	if len(messages) > 0 {
		return nil, messages
	}
	end := newEnd(z, sets)
	for _, e := range edits {
		if e.action == "DELETE" {
			continue
		}
		if m := end.conflict(e.set); m != "" {
			messages = append(messages, m)
		}
		if m := c.aliasProblem(end, e.set); m != "" {
			messages = append(messages, m)
		}
	}
	if len(end.at[z.name]["SOA"]) != 1 {
		messages = append(messages, "A HostedZone must contain exactly one SOA record.")
	}
	if len(end.at[z.name]["NS"]) == 0 {
		messages = append(messages, "A HostedZone must contain at least one NS record for the zone itself.")
	}
	return sets, messages
}

func batchSize(edits []edit) string {
	records, chars := 0, 0
	for _, e := range edits {
		times := 1
		if e.action == "UPSERT" {
			times = 2
		}
		records += times * max(1, len(e.set.Values)) // an alias counts as one
		for _, v := range e.set.Values {
			chars += times * len([]rune(v))
		}
	}
	switch {
	case records > maxBatchRecords:
		return fmt.Sprintf("Number of records limit of %d exceeded.", maxBatchRecords)
	case chars > maxBatchChars:
		return fmt.Sprintf("Number of characters limit of %d exceeded.", maxBatchChars)
	}
	return ""
}

// problem of one change by itself.
func (e *edit) problem(z *zone) string {
	r := e.set
	if _, err := Canonical(r.Name); err != nil {
		return err.Error()
	}
	named := fmt.Sprintf("RRSet of type %s with DNS name %s", r.Type, r.Name)
	apex := r.Name == z.name
	switch {
	case !within(r.Name, z.name):
		return fmt.Sprintf("RRSet with DNS name %s is not permitted in zone %s", r.Name, z.name)
	case r.Type == "CNAME" && apex:
		return fmt.Sprintf("%s is not permitted at apex in zone %s", named, z.name)
	case r.Type == "SOA" && !apex:
		return fmt.Sprintf("%s is not permitted below the apex in zone %s", named, z.name)
	case r.Type == "DS" && apex:
		return fmt.Sprintf("%s is not permitted at apex in zone %s", named, z.name)
	case r.Type == "NS" && strings.HasPrefix(r.Name, wildcard+"."):
		return named + " is not permitted as a wildcard"
	case r.Alias != nil && (r.Type == "NS" || r.Type == "SOA" || r.Policy == Multivalue):
		return named + " cannot be an alias"
	case len(r.Values) > maxValues:
		return fmt.Sprintf("Cannot have more than %d records in a RRSet.", maxValues)
	case len(r.Values) > 1 && (r.Type == "CNAME" || r.Type == "SOA"):
		return named + " cannot have more than one resource record"
	case len(r.Values) > 1 && r.Policy == Multivalue:
		return named + " cannot have more than one resource record with multivalue answer routing"
	}
	return valuesProblem(r)
}

func valuesProblem(r *RecordSet) string {
	if v, ok := wire.FirstDuplicate(r.Values); ok {
		return fmt.Sprintf("Duplicate Resource Record: '%s'", v)
	}
	for _, v := range r.Values {
		if p := valueProblem(r.Type, v); p != "" {
			return fmt.Sprintf("Invalid Resource Record: FATAL problem: %s encountered with '%s'", p, v)
		}
	}
	return ""
}

// contradictions are record sets that a batch names more than once, other than by a DELETE
// before a CREATE.
func contradictions(edits []edit) []string {
	actions := map[key][]string{}
	var keys []key
	for _, e := range edits {
		k := e.set.key()
		if actions[k] == nil {
			keys = append(keys, k)
		}
		actions[k] = append(actions[k], e.action)
	}
	var out []string
	for _, k := range keys {
		if a := actions[k]; len(a) > 1 && !slices.Equal(a, []string{"DELETE", "CREATE"}) {
			out = append(out, fmt.Sprintf("The request contains an invalid set of changes for a resource record set '%s %s'", k.typ, k.name))
		}
	}
	return out
}

// carryOut makes the change in sets, or says why it cannot.
func (e *edit) carryOut(sets map[key]*RecordSet) string {
	k := e.set.key()
	old := sets[k]
	switch {
	case e.action == "CREATE" && old != nil:
		return fmt.Sprintf("Tried to create resource record set %s but it already exists", e.set)
	case e.action == "DELETE" && old == nil:
		return fmt.Sprintf("Tried to delete resource record set %s but it was not found", e.set)
	case e.action == "DELETE" && !old.same(e.set):
		return fmt.Sprintf("Tried to delete resource record set %s but the values provided do not match the current values", e.set)
	case e.action == "DELETE":
		delete(sets, k)
	default:
		sets[k] = e.set
	}
	return ""
}

// end is a zone as a batch would leave it.
type end struct {
	zone *zone
	at   map[string]map[string][]*RecordSet // by name and type
}

func newEnd(z *zone, sets map[key]*RecordSet) *end {
	e := &end{z, map[string]map[string][]*RecordSet{}}
	for _, r := range sets {
		if e.at[r.Name] == nil {
			e.at[r.Name] = map[string][]*RecordSet{}
		}
		e.at[r.Name][r.Type] = append(e.at[r.Name][r.Type], r)
	}
	return e
}

// conflict of r with others of its name.
func (e *end) conflict(r *RecordSet) string {
	types := e.at[r.Name]
	if len(types) > 1 && types["CNAME"] != nil {
		return fmt.Sprintf("RRSet of type %s with DNS name %s is not permitted as it conflicts with other records with the same DNS name in zone %s",
			r.Type, r.Name, e.zone.name)
	}
	group := types[r.Type]
	cannot := fmt.Sprintf("RRSet with DNS name %s, type %s", r.Name, r.Type)
	if r.SetIdentifier != "" {
		cannot += ", SetIdentifier " + r.SetIdentifier
	}
	cannot += " cannot be created as "
	for _, o := range group {
		switch {
		case o == r:
		case r.Policy == Simple:
			return cannot + "other RRSets exist with the same name and type."
		case o.Policy != r.Policy:
			return cannot + fmt.Sprintf("a non-%s set exists with the same name and type.", r.Policy)
		case r.Policy == Latency && o.Region == r.Region, r.Policy == Failover && o.Failover == r.Failover,
			r.Policy == Geolocation && o.Geo == r.Geo:
			return cannot + fmt.Sprintf("another set exists with the same name, type and %s.", r.Policy)
		// The developer guide says that Route 53 gives all sets of a group the TTL that came
		// last. What clients report from the wire is a refusal, so that is what happens here.
		// Alias sets have no TTL and are left out.
		case r.Policy == Weighted && r.Alias == nil && o.Alias == nil && o.TTL != r.TTL:
			return cannot + "weighted sets must contain the same TTL."
		}
	}
	if len(group) > maxGroup {
		return cannot + fmt.Sprintf("there can be at most %d sets with the same name and type.", maxGroup)
	}
	return ""
}

// aliasProblem looks for the target: in the zone itself, or among the load balancers.
func (c *call) aliasProblem(e *end, r *RecordSet) string {
	a := r.Alias
	if a == nil {
		return ""
	}
	tried := fmt.Sprintf("Tried to create an alias that targets %s, type %s in zone %s, ", a.DNSName, r.Type, a.HostedZoneID)
	if z := c.s.zones[a.HostedZoneID]; z != nil {
		switch {
		case !within(a.DNSName, z.name):
			return tried + "but the alias target name does not lie within the target zone"
		case z.id != e.zone.id || e.at[a.DNSName][r.Type] == nil:
			return tried + "but that target was not found"
		case a.DNSName == r.Name:
			return tried + "but an alias cannot target itself"
		}
		return ""
	}
	switch {
	case within(a.DNSName, e.zone.name):
		return tried + "but the alias target name does not lie within the target zone"
	case r.Type != "A" && r.Type != "AAAA":
		return tried + "but that target was not found"
	case c.s.cfg.Aliases != nil && strings.Contains(a.DNSName, ".elb."):
		if _, _, ok := c.s.loadBalancer(a.DNSName); !ok {
			return tried + "but that target was not found"
		}
	}
	return ""
}
