package lawtest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// dnsReader reads Route 53: the record sets of one name, and the TXT record set beside it
// that is the mark. A change says only what becomes other, so the reader knows what is
// there.
type dnsReader struct {
	zone, name, mark string
	types            []string // of the records that are shifted; nil: all that have weights
	declared         Split
	told             map[string]*listing // by caller: the name, as far as it was told
	known            records             // the name after the newest listing or change; nil: not known
	changed          time.Time           // of that change
}

// listing of the name, as one caller is told it.
type listing struct {
	records

	whole bool
}

// records of one name.
type records map[recordKey]record

type recordKey struct{ typ, id string }

type record struct {
	weight   int
	weighted bool
	nothing  bool // it has a set identifier, and its weight was left out
	ttl      time.Duration
	check    string // ID of its health check
	registry bool   // of external-dns, which keeps a copy of weights in it: no traffic
	rest     string // everything but the weight
}

// dnsPrefix is that of the mark's name.
const dnsPrefix = "_norikae."

// aliasTTL is what resolvers see of an alias of a load balancer.
const aliasTTL = 60 * time.Second

func newDNSReader(d Declared) *dnsReader {
	name := canonicalName(d.Route.Name)
	return &dnsReader{zone: d.Route.Zone, name: name, mark: dnsPrefix + name, types: d.Route.Types, declared: d.To, told: map[string]*listing{}}
}

// canonicalName of a name in letters, digits, - and _.
func canonicalName(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) + "." }

func (r *dnsReader) read(x *Exchange) (a act, ok bool) {
	if x.Service != Route53 {
		return a, false
	}
	switch x.Operation {
	case "ListResourceRecordSets":
		switch canonicalName(x.In.Str("StartRecordName")) {
		case r.name:
			r.lists(x, &a)
		case r.mark:
			a.asksMark = true
			a.marks = []mark{r.markIn(x.Out.List("ResourceRecordSets"))}
		}
	case "ChangeResourceRecordSets":
		r.changes(x, &a)
	case "GetChange":
		a.asksForce, a.change = true, strings.TrimPrefix(x.In.Str("Id"), "/change/")
		a.inForce = x.Out.Struct("ChangeInfo").Str("Status") == "INSYNC"
	case "GetHealthCheckStatus":
		r.checks(x, &a)
	default:
		if !strings.HasPrefix(x.Operation, "Get") && !strings.HasPrefix(x.Operation, "List") {
			a.strays = []string{x.Operation + " is no call that a shift needs"}
		}
	}
	return a, true
}

// lists reads a page of the listing that begins at the name. It is enough once another
// name is next.
func (r *dnsReader) lists(x *Exchange, a *act) {
	a.readsIt = true
	if !x.OK() {
		return
	}
	a.page = &page{asked: strings.TrimSpace(x.In.Str("StartRecordType") + " " + x.In.Str("StartRecordIdentifier"))}
	if x.Out.Str("IsTruncated") == "true" && canonicalName(x.Out.Str("NextRecordName")) == r.name {
		a.page.next = strings.TrimSpace(x.Out.Str("NextRecordType") + " " + x.Out.Str("NextRecordIdentifier"))
	}
	l := r.told[x.Caller]
	if a.page.asked == "" || l == nil {
		l = &listing{records: records{}}
		r.told[x.Caller] = l
	}
	for _, set := range x.Out.List("ResourceRecordSets") {
		if canonicalName(set.Str("Name")) == r.name {
			l.records[keyOf(set)] = recordOf(set)
		}
	}
	if l.whole = a.page.next == ""; !l.whole {
		return
	}
	if r.known == nil || !x.Begun.Before(r.changed) {
		r.known = maps.Clone(l.records)
	}
	got := r.reading(l.records, x.Done)
	a.route = &got
	for id := range got.split {
		if len(l.records.checksOf(id)) == 0 { // Route 53 takes it for healthy, always
			a.health = append(a.health, health{id, 1, 1})
		}
	}
}

// changes reads a batch: it is carried out as a whole or not at all.
func (r *dnsReader) changes(x *Exchange, a *act) {
	info := x.Out.Struct("ChangeInfo")
	a.change, a.inForce = strings.TrimPrefix(info.Str("Id"), "/change/"), info.Str("Status") == "INSYNC"
	if z := strings.TrimPrefix(x.In.Str("HostedZoneId"), "/hostedzone/"); z != r.zone {
		a.strays = append(a.strays, "the hosted zone "+z+" is changed, which is not the route's")
	}
	base := r.known
	if l := r.told[x.Caller]; l != nil && l.whole {
		base = l.records
	}
	w := &write{x: x, text: canonical(x.In)}
	after, touched := maps.Clone(base), false
	for _, c := range x.In.Struct("ChangeBatch").List("Changes") {
		action, set := c.Str("Action"), c.Struct("ResourceRecordSet")
		switch name := canonicalName(set.Str("Name")); {
		case name == r.name && base != nil:
			touched = true
			w.unconditional = w.unconditional || action == "UPSERT"
			after.change(action, set)
		case name == r.name:
			a.strays = append(a.strays, "the records are changed by one who has not read them")
		case name == r.mark && set.Str("Type") == "TXT":
			r.marks(action, set, a)
		default:
			a.strays = append(a.strays, fmt.Sprintf("the %s record %s is changed, which is not the route's", set.Str("Type"), name))
		}
	}
	if !touched {
		return
	}
	w.reading = r.reading(after, x.Done)
	a.write = w
	if x.OK() {
		r.known, r.changed = after, x.Done
		if l := r.told[x.Caller]; l != nil {
			l.records, l.whole = maps.Clone(after), true
		}
	}
}

// change carries out one change.
func (rs records) change(action string, set wire.Params) {
	k, next := keyOf(set), recordOf(set)
	if action == "DELETE" {
		delete(rs, k)
		return
	}
	next.nothing = k.id != "" && !next.weighted
	rs[k] = next
}

// marks reads a change of the mark. A DELETE before a CREATE is what the mark must be
// for the change to take effect.
func (r *dnsReader) marks(action string, set wire.Params, a *act) {
	if a.marking == nil {
		a.marking = &marking{shift: true, lease: true}
	}
	if action != "DELETE" {
		a.marking.mark, a.marking.adds = r.markOf(set), true
		a.marking.unconditional = action == "UPSERT"
	}
}

// checks reads the state of a health check, for the destinations whose records have it.
func (r *dnsReader) checks(x *Exchange, a *act) {
	total, passing := 0, 0
	for _, o := range x.Out.List("HealthCheckObservations") {
		total++
		if strings.HasPrefix(o.Struct("StatusReport").Str("Status"), "Success") {
			passing++
		}
	}
	h := health{total: 1}
	if 100*passing > 18*total { // "more than 18%", in the developer guide
		h.healthy = 1
	}
	for k := range r.known {
		if slices.Contains(r.known.checksOf(k.id), x.In.Str("HealthCheckId")) && !slices.ContainsFunc(a.health, func(o health) bool { return o.id == k.id }) {
			h.id = k.id
			a.health = append(a.health, h)
		}
	}
}

func (rs records) checksOf(id string) (out []string) {
	for k, rec := range rs {
		if k.id == id && rec.check != "" {
			out = append(out, rec.check)
		}
	}
	return out
}

// reading of records: the split of the first type, and those of the others that differ.
// Records without traffic that nobody declared are no part of it: they stay for good.
func (r *dnsReader) reading(rs records, at time.Time) reading {
	out := reading{at: at, split: Split{}}
	byType := map[string]Split{}
	var rest []string
	for k, rec := range rs {
		line := k.typ + " " + k.id + " " + rec.rest
		if !rec.weighted && !rec.nothing || rec.registry || r.types != nil && !slices.Contains(r.types, k.typ) {
			rest = append(rest, line+" "+strconv.Itoa(rec.weight))
			continue
		}
		rest = append(rest, line)
		out.exists, out.nilWeights, out.ttl = true, out.nilWeights || rec.nothing, max(out.ttl, rec.ttl)
		if byType[k.typ] == nil {
			byType[k.typ] = Split{}
		}
		if _, ok := r.declared[k.id]; ok || rec.weight > 0 {
			byType[k.typ][k.id] = rec.weight
		}
	}
	for i, typ := range slices.Sorted(maps.Keys(byType)) {
		switch {
		case i == 0:
			out.split = byType[typ]
		case !byType[typ].carries().equal(out.split.carries()):
			out.others = append(out.others, byType[typ])
		}
	}
	slices.Sort(rest)
	out.rest = strings.Join(rest, "\n")
	return out
}

func keyOf(set wire.Params) recordKey {
	return recordKey{set.Str("Type"), set.Str("SetIdentifier")}
}

func recordOf(set wire.Params) record {
	keep := maps.Clone(set)
	delete(keep, "Weight")
	keep["Name"] = canonicalName(set.Str("Name"))
	rec := record{check: set.Str("HealthCheckId"), rest: canonical(keep), ttl: aliasTTL}
	weight, ok, err := set.Int("Weight")
	rec.weight, rec.weighted = weight, ok && err == nil
	if set.Struct("AliasTarget") == nil {
		seconds, _, err := set.Int("TTL")
		if err == nil {
			rec.ttl = time.Duration(seconds) * time.Second
		}
	}
	for _, v := range set.List("ResourceRecords") {
		rec.registry = rec.registry || set.Str("Type") == "TXT" && strings.Contains(v.Str("Value"), "heritage=external-dns")
	}
	return rec
}
