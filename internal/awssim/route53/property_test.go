package route53_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

// modelSet is a record set as the model has it: of one value, simple or weighted.
type modelSet struct {
	name, typ, id string
	weight, ttl   int
	value         string
}

type modelKey struct{ name, typ, id string }

func (m modelSet) key() modelKey { return modelKey{m.name, m.typ, m.id} }

func (m modelSet) params() params {
	p := with(set(m.name, m.typ, m.value), params{"TTL": m.ttl})
	if m.id != "" {
		p = weighted(p, m.id, m.weight)
	}
	return p
}

type modelZone map[modelKey]modelSet

type modelEdit struct {
	action string
	set    modelSet
}

// after is the zone after a batch, or ok false where the batch is to be refused. It says
// in few words what the service says in many.
func (z modelZone) after(batch []modelEdit) (modelZone, bool) {
	out := maps.Clone(z)
	seen := map[modelKey]string{}
	for _, e := range batch {
		k := e.set.key()
		if before := seen[k]; before != "" && (before != "DELETE" || e.action != "CREATE") {
			return nil, false
		}
		seen[k] += e.action
		old, there := out[k]
		switch {
		case e.action == "CREATE" && there, e.action == "DELETE" && (!there || old != e.set):
			return nil, false
		case e.action == "DELETE":
			delete(out, k)
		default:
			out[k] = e.set
		}
	}
	for _, a := range out {
		for _, b := range out {
			same := a.name == b.name && a.typ == b.typ
			switch {
			case a.key() == b.key():
			case a.name == b.name && a.typ == "CNAME" && b.typ != "CNAME":
				return nil, false
			case same && (a.id == "") != (b.id == ""), same && a.ttl != b.ttl:
				return nil, false
			}
		}
	}
	return out, true
}

// listing is the zone in Route 53's order, which for these names is that of the reversed
// labels.
func (z modelZone) listing() []string {
	reversed := func(name string) string {
		labels := strings.Split(name, ".")
		slices.Reverse(labels)
		return strings.Join(labels, ".") + "."
	}
	sets := slices.SortedFunc(maps.Values(z), func(a, b modelSet) int {
		return cmp.Or(cmp.Compare(reversed(a.name), reversed(b.name)), cmp.Compare(a.typ, b.typ), cmp.Compare(a.id, b.id))
	})
	out := []string{"example.com. NS", "example.com. SOA"}
	for _, s := range sets {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s. %s %s %d %d %s", s.name, s.typ, s.id, s.weight, s.ttl, s.value)))
	}
	return out
}

// whole lists a zone by pages of a size.
func (l *lab) whole(t *testing.T, size int) []string {
	t.Helper()
	out := []string{}
	p := params{"HostedZoneId": l.zone, "MaxItems": size}
	for {
		page := l.do(t, "ListResourceRecordSets", p)
		sets, _ := wiretest.At(page, "ResourceRecordSets").(wire.List)
		if len(sets) > size {
			t.Fatalf("%d record sets on a page of %d", len(sets), size)
		}
		for _, s := range sets {
			line := wiretest.Text(t, s, "Name") + " " + wiretest.Text(t, s, "Type")
			if line != "example.com. NS" && line != "example.com. SOA" {
				id, _ := wiretest.At(s, "SetIdentifier").(string)
				weight, _ := wiretest.At(s, "Weight").(int)
				line = strings.TrimSpace(fmt.Sprintf("%s %s %d %v %s", line, id, weight, wiretest.At(s, "TTL"), wiretest.Text(t, s, "ResourceRecords.0.Value")))
			}
			out = append(out, line)
		}
		if wiretest.At(page, "IsTruncated") != true {
			return out
		}
		p["StartRecordName"], p["StartRecordType"] = wiretest.At(page, "NextRecordName"), wiretest.At(page, "NextRecordType")
		delete(p, "StartRecordIdentifier")
		if id := wiretest.At(page, "NextRecordIdentifier"); id != nil {
			p["StartRecordIdentifier"] = id
		}
	}
}

// machine drives a lab by random batches, and knows what must come of them.
type machine struct {
	t   *testing.T
	l   *lab
	now *wiretest.Clock
	// zones after every accepted change, and when each is in sync.
	zones []modelZone
	due   []time.Time
	delay time.Duration
}

func drawSet(rt *rapid.T) modelSet {
	s := modelSet{
		name: rapid.SampledFrom([]string{"a.example.com", "b.example.com", "b-c.example.com", "x.b.example.com"}).Draw(rt, "name"),
		typ:  rapid.SampledFrom([]string{"A", "A", "A", "TXT", "CNAME"}).Draw(rt, "type"),
		id:   rapid.SampledFrom([]string{"", "blue", "green", "red"}).Draw(rt, "id"),
		ttl:  rapid.SampledFrom([]int{60, 60, 60, 300}).Draw(rt, "ttl"),
	}
	if s.id != "" {
		s.weight = rapid.SampledFrom([]int{0, 1, 255}).Draw(rt, "weight")
	}
	n := rapid.IntRange(1, 3).Draw(rt, "value")
	s.value = map[string]string{
		"A": fmt.Sprintf("127.0.0.%d", n), "TXT": fmt.Sprintf(`"%d"`, n), "CNAME": fmt.Sprintf("t%d.example.net", n),
	}[s.typ]
	return s
}

func (m *machine) change(rt *rapid.T) {
	last := m.zones[len(m.zones)-1]
	var batch []modelEdit
	var pairs []any
	for range rapid.IntRange(1, 4).Draw(rt, "changes") {
		e := modelEdit{rapid.SampledFrom([]string{"CREATE", "UPSERT", "UPSERT", "DELETE"}).Draw(rt, "action"), drawSet(rt)}
		if old, ok := last[e.set.key()]; ok && e.action == "DELETE" && rapid.Bool().Draw(rt, "exact") {
			e.set = old
		}
		batch = append(batch, e)
		pairs = append(pairs, e.action, e.set.params())
	}
	want, ok := last.after(batch)
	m.delay = time.Duration(rapid.IntRange(0, 60).Draw(rt, "delay")) * time.Second
	_, err := m.l.try(m.t, "ChangeResourceRecordSets", m.l.change(pairs...))
	var e *wire.Error
	if err != nil && (!errors.As(err, &e) || e.Code != "InvalidChangeBatch") {
		rt.Fatalf("%v", err)
	}
	if ok != (err == nil) {
		rt.Fatalf("acceptable: %v, but the answer is %v\nbatch %+v\nzone %q", ok, err, batch, last.listing())
	}
	if ok {
		m.zones = append(m.zones, want)
		due := m.now.Now().Add(m.delay)
		m.due = append(m.due, slices.MaxFunc([]time.Time{due, m.due[len(m.due)-1]}, time.Time.Compare))
	}
}

func (m *machine) wait(rt *rapid.T) {
	m.now.Add(time.Duration(rapid.IntRange(1, 60).Draw(rt, "seconds")) * time.Second)
}

// check holds after every step: the list is what was accepted, by pages of any size; the
// name servers are at the last change that is due, as a whole.
func (m *machine) check(rt *rapid.T) {
	want := m.zones[len(m.zones)-1].listing()
	size := rapid.IntRange(1, 8).Draw(rt, "page")
	if diff := gocmp.Diff(want, m.l.whole(m.t, size)); diff != "" {
		rt.Fatalf("pages of %d are not the whole:\n%s", size, diff)
	}
	live := m.zones[0]
	for i, due := range m.due {
		if !due.After(m.now.Now()) {
			live = m.zones[i]
		}
	}
	for _, s := range drawNames(live, m.zones[len(m.zones)-1]) {
		m.answers(rt, live, s)
	}
}

func drawNames(zones ...modelZone) []modelKey {
	keys := map[modelKey]bool{}
	for _, z := range zones {
		for k := range z {
			keys[modelKey{k.name, k.typ, ""}] = true
		}
	}
	return slices.Collect(maps.Keys(keys))
}

// answers checks that an answer is one that a zone could give.
func (m *machine) answers(rt *rapid.T, live modelZone, k modelKey) {
	a := m.l.Answer(k.name+".", k.typ)
	may := map[string]bool{}
	sum := 0
	for _, s := range live {
		if s.name == k.name && s.typ == k.typ {
			sum += s.weight
		}
	}
	for _, s := range live {
		if s.name == k.name && s.typ == k.typ && (s.id == "" || s.weight > 0 || sum == 0) {
			may[fmt.Sprintf("%s %d", s.value, s.ttl)] = true
		}
	}
	switch {
	case len(may) == 0 && k.typ != "CNAME" && len(a.Records) > 0 && a.Records[0].Type == k.typ:
		rt.Fatalf("%v is answered with %v, but it is not there", k, a)
	case len(may) > 0 && (len(a.Records) == 0 || !may[fmt.Sprintf("%s %d", a.Records[0].Value, a.Records[0].TTL)]):
		rt.Fatalf("%v is answered with %v, want one of %v", k, a, may)
	}
}

func TestBatchesInAnyOrderKeepTheInvariants(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		now := newClock()
		m := &machine{t: t, now: now, zones: []modelZone{{}}, due: []time.Time{now.Now()}}
		m.l = newLab(t, route53.Config{Now: now.Now, PropagationDelay: func() time.Duration { return m.delay }})
		rt.Repeat(map[string]func(*rapid.T){"change": m.change, "wait": m.wait, "": m.check})
	})
}

func TestCanonicalNamesStayAsTheyAre(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		labels := rapid.SliceOfN(rapid.Map(rapid.SliceOfN(rapid.Byte(), 1, 20), func(b []byte) string { return string(b) }), 1, 5).Draw(rt, "labels")
		name := route53.FormatName(labels)
		again, err := route53.Canonical(name)
		if err != nil || again != name {
			rt.Fatalf("%q becomes %q: %v", name, again, err)
		}
		if got := route53.Labels(name); route53.FormatName(got) != name || len(got) != len(labels) {
			rt.Fatalf("%q has the labels %q", name, got)
		}
	})
}

// FuzzServe makes sure that no input, however odd, panics or answers with another error
// than those of the API.
func FuzzServe(f *testing.F) {
	f.Add("ListResourceRecordSets", "StartRecordName", `\0`, "A", "127.0.0.1")
	f.Add("ChangeResourceRecordSets", "Weight", "-1", "TXT", `"\`)
	f.Add("ChangeResourceRecordSets", "SetIdentifier", "", "NAPTR", "1 1 \"")
	f.Add("CreateHealthCheck", "MaxItems", "x", "SVCB", "1 . alpn=")
	f.Add("ChangeTagsForResource", "ResourceType", "healthcheck", "HTTPS", "$INCLUDE /dev/zero")
	f.Fuzz(func(t *testing.T, op, key, value, typ, rdata string) {
		l := newLab(t, route53.Config{})
		p := l.change("CREATE", with(set("www.example.com", typ, rdata), params{key: value}))
		p["Id"], p["ResourceId"], p["ResourceType"] = l.zone, l.zone, "hostedzone"
		p["HealthCheckConfig"] = params{"Type": typ, key: value}
		p["CallerReference"] = rdata
		p[key] = value
		_, err := l.try(t, op, p)
		var e *wire.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%s: not an API error: %v", op, err)
		}
		l.Answer("www.example.com.", typ)
	})
}
