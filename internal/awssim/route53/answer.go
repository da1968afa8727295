package route53

import (
	"net/netip"
	"slices"
	"strings"
)

// aliasTTL of load balancers' addresses on AWS, in seconds, which alias records answer with.
const aliasTTL = 60

// maxChain bounds how many aliases and CNAMEs an answer follows.
const maxChain = 8

// Record of an answer.
type Record struct {
	Name  string // canonical
	Type  string
	TTL   int // seconds
	Value string
}

// Choice is a record set that an answer was taken from.
type Choice struct{ Name, Type, SetIdentifier string }

// Answer to a DNS question.
type Answer struct {
	// RCode is NOERROR, NXDOMAIN, or REFUSED for a name of no zone.
	RCode         string
	Authoritative bool // false for a referral
	Records       []Record
	Authority     []Record
	Choices       []Choice // in the order of the answer
}

// Answer answers a question as the name servers do at this moment. The name is canonical.
// Beside the zones they know the names of load balancers, so that a client without a
// resolver of its own gets to the end of a CNAME.
func (s *Service) Answer(name, typ string) Answer {
	q := question{s: s, ns: s.current(), typ: typ}
	return q.answer(name)
}

// question on its way through the zones.
type question struct {
	s   *Service
	ns  *namespace
	typ string
	out Answer
}

func (q *question) answer(name string) Answer {
	q.out = Answer{RCode: "NOERROR", Authoritative: true}
	q.follow(name, maxChain)
	return q.out
}

// view is the zone that a name is in: the one with the longest name.
func (ns *namespace) view(name string) *view {
	for n := name; ; n = parent(n) {
		if list := ns.byName[n]; len(list) > 0 {
			return list[0]
		}
		if n == "." {
			return nil
		}
	}
}

func (q *question) follow(name string, hops int) {
	v := q.ns.view(name)
	if v == nil {
		q.balancer(name, hops)
		return
	}
	if cut := v.cut(name, q.typ); cut != nil {
		q.out.Authoritative = q.out.Authoritative && len(q.out.Records) > 0
		for _, value := range cut.Values {
			q.out.Authority = append(q.out.Authority, Record{cut.Name, "NS", cut.TTL, value})
		}
		return
	}
	types, exists := v.node(name)
	if !exists {
		if hops == maxChain {
			q.out.RCode = "NXDOMAIN"
		}
		q.none(v)
		return
	}
	typ := q.typ
	if types["CNAME"] != nil {
		typ = "CNAME"
	}
	if typ == "ANY" { // one type is enough, by RFC 8482
		for _, t := range []string{"A", "AAAA", "TXT", "MX", "SOA", "NS"} {
			if types[t] != nil {
				typ = t
				break
			}
		}
	}
	records := q.resolve(v, name, typ, types[typ], hops)
	if len(records) == 0 {
		q.none(v)
		return
	}
	q.out.Records = append(q.out.Records, records...)
	if typ == "CNAME" && q.typ != "CNAME" && q.typ != "ANY" && hops > 0 {
		if target, err := Canonical(records[0].Value); err == nil {
			q.follow(target, hops-1)
		}
	}
}

// balancer answers with a load balancer's addresses.
func (q *question) balancer(name string, hops int) {
	ips, _, ok := q.s.loadBalancer(name)
	if !ok {
		if hops == maxChain {
			q.out.RCode, q.out.Authoritative = "REFUSED", false
		}
		return
	}
	q.out.Records = append(q.out.Records, q.addresses(name, q.typ, ips)...)
}

// loadBalancer finds a load balancer by its name, which may have "dualstack." before it.
func (s *Service) loadBalancer(name string) (ips []netip.Addr, healthy, ok bool) {
	if s.cfg.Aliases == nil {
		return nil, false, false
	}
	if ips, healthy, ok = s.cfg.Aliases(name); ok {
		return ips, healthy, ok
	}
	return s.cfg.Aliases(strings.TrimPrefix(name, "dualstack."))
}

func familyOf(ip netip.Addr) string {
	if ip.Unmap().Is4() {
		return "A"
	}
	return "AAAA"
}

// none says that there is no such record, and for how long that may be remembered.
func (q *question) none(v *view) {
	for _, soa := range v.sets[v.name]["SOA"] {
		q.out.Authority = append(q.out.Authority, Record{v.name, "SOA", soa.TTL, soa.Values[0]})
	}
}

// cut is the delegation that a name is at or below; nil: none.
func (v *view) cut(name, typ string) *RecordSet {
	if name == v.name {
		return nil
	}
	if typ == "DS" { // is asked of the parent
		if name = parent(name); name == v.name {
			return nil
		}
	}
	var found *RecordSet
	for n := name; n != v.name; n = parent(n) {
		if ns := v.sets[n]["NS"]; len(ns) > 0 {
			found = ns[0] // the topmost counts
		}
	}
	return found
}

// node is what there is at a name, or at the wildcard that covers it. A name that only
// has others below it exists, too, with nothing.
func (v *view) node(name string) (map[string][]*RecordSet, bool) {
	if v.below[name] > 0 {
		return v.sets[name], true
	}
	for n := parent(name); ; n = parent(n) {
		if v.below[n] > 0 || n == v.name || n == "." {
			types := v.sets[wildcard+"."+n]
			return types, types != nil
		}
	}
}

// resolve chooses among the record sets of a type, and follows an alias. The records are
// of the name that was asked for, also where they come from elsewhere.
func (q *question) resolve(v *view, name, typ string, sets []*RecordSet, hops int) []Record {
	var out []Record
	for _, r := range q.choose(v, sets, hops) {
		q.out.Choices = append(q.out.Choices, Choice{r.Name, r.Type, r.SetIdentifier})
		if r.Alias == nil {
			for _, value := range q.s.pick.shuffled(typ, r.Values) {
				out = append(out, Record{name, typ, r.TTL, value})
			}
			continue
		}
		out = append(out, q.target(v, r, name, hops)...)
	}
	return out
}

func (q *question) target(v *view, r *RecordSet, name string, hops int) []Record {
	if target := r.Alias.DNSName; within(target, v.name) {
		types, _ := v.node(target)
		if hops == 0 {
			return nil
		}
		return q.resolve(v, name, r.Type, types[r.Type], hops-1)
	}
	ips, _, _ := q.s.loadBalancer(r.Alias.DNSName)
	return q.addresses(name, r.Type, ips)
}

// addresses of a load balancer that a record type can hold.
func (q *question) addresses(name, typ string, ips []netip.Addr) []Record {
	var values []string
	for _, ip := range ips {
		if familyOf(ip) == typ {
			values = append(values, ip.String())
		}
	}
	var out []Record
	for _, v := range q.s.pick.shuffled(typ, values) {
		out = append(out, Record{name, typ, q.s.cfg.AliasTTL, v})
	}
	return out
}

// healthy tells whether a record set may be answered: by its health check, and for an
// alias that says so by its target.
func (q *question) healthy(v *view, r *RecordSet, hops int) bool {
	if r.HealthCheckID != "" && !q.s.checks.healthy(r.HealthCheckID) {
		return false
	}
	if r.Alias == nil || !r.Alias.EvaluateTargetHealth || hops == 0 {
		return true
	}
	if target := r.Alias.DNSName; within(target, v.name) {
		types, _ := v.node(target)
		return slices.ContainsFunc(types[r.Type], func(t *RecordSet) bool { return q.healthy(v, t, hops-1) })
	}
	_, healthy, ok := q.s.loadBalancer(r.Alias.DNSName)
	return healthy || !ok // of a target that the lab does not know nothing bad is known
}
