package dns_test

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/norikae/norikae/internal/awssim/dns"
	"github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/awssim/wire"
)

type params = map[string]any

// lab is a zone example.com with a name server on loopback.
type lab struct {
	*route53.Service

	dns  *dns.Server
	zone string
}

func newLab(t *testing.T, cfg route53.Config) *lab {
	t.Helper()
	l := &lab{Service: route53.New(cfg)}
	t.Cleanup(l.Service.Close)
	var err error
	if l.dns, err = dns.Start(dns.Config{Zones: l}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.dns.Close(); err != nil {
			t.Error(err)
		}
	})
	l.call(t, "CreateHostedZone", params{"Name": "example.com", "CallerReference": "1"})
	l.zone = l.Snapshot()[0].ID
	return l
}

func (l *lab) call(t *testing.T, op string, p params) {
	t.Helper()
	in, _ := decoded(p).(wire.Params)
	if _, err := l.Serve(t.Context(), &wire.Request{Service: "route53", Operation: op, AccountID: "1", Params: in}); err != nil {
		t.Fatalf("%s: %v", op, err)
	}
}

func decoded(v any) any {
	switch v := v.(type) {
	case params:
		out := wire.Params{}
		for k, x := range v {
			out[k] = decoded(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = decoded(x)
		}
		return out
	default:
		return fmt.Sprint(v)
	}
}

func (l *lab) upsert(t *testing.T, sets ...params) {
	t.Helper()
	var changes []any
	for _, s := range sets {
		changes = append(changes, params{"Action": "UPSERT", "ResourceRecordSet": s})
	}
	l.call(t, "ChangeResourceRecordSets", params{"HostedZoneId": l.zone, "ChangeBatch": params{"Changes": changes}})
}

func set(name, typ string, ttl int, values ...string) params {
	var records []any
	for _, v := range values {
		records = append(records, params{"Value": v})
	}
	return params{"Name": name, "Type": typ, "TTL": ttl, "ResourceRecords": records}
}

func weighted(p params, id string, weight int) params {
	p["SetIdentifier"], p["Weight"] = id, weight
	return p
}

// ask sends one question, as it is.
func (l *lab) ask(t *testing.T, network string, q *mdns.Msg) *mdns.Msg {
	t.Helper()
	c := mdns.Client{Net: network, Timeout: 5 * time.Second}
	in, _, err := c.ExchangeContext(t.Context(), q, l.dns.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func (l *lab) query(t *testing.T, name string, typ uint16) *mdns.Msg {
	t.Helper()
	return l.ask(t, "udp", new(mdns.Msg).SetQuestion(name, typ))
}

// show prints the parts of an answer that tests compare.
func show(m *mdns.Msg) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s aa=%v", mdns.RcodeToString[m.Rcode], m.Authoritative)
	for _, rr := range m.Answer {
		b.WriteString(" | " + strings.Join(strings.Fields(rr.String()), " "))
	}
	for _, rr := range m.Ns {
		b.WriteString(" / " + mdns.TypeToString[rr.Header().Rrtype] + " " + rr.Header().Name)
	}
	return b.String()
}

func balancers(name string) ([]netip.Addr, bool, bool) {
	ips := []netip.Addr{netip.MustParseAddr("127.0.0.9"), netip.MustParseAddr("::1")}
	switch name {
	case "web-1.us-east-1.elb.amazonaws.com.":
		return ips, true, true
	case "sick-1.us-east-1.elb.amazonaws.com.":
		return ips[:1], false, true
	default:
		return nil, false, false
	}
}

func TestAnswersOfEveryKind(t *testing.T) {
	l := newLab(t, route53.Config{Aliases: balancers})
	alias := func(name, typ, zone, target string) params {
		return params{"Name": name, "Type": typ, "AliasTarget": params{
			"HostedZoneId": zone, "DNSName": target, "EvaluateTargetHealth": true,
		}}
	}
	l.upsert(t,
		set("www.example.com", "A", 60, "127.0.0.1"),
		set("a.b.example.com", "TXT", 60, `"one" "two\040\"three\""`),
		set("*.wild.example.com", "A", 30, "127.0.0.2"),
		set("c.example.com", "CNAME", 60, "www.example.com"),
		set("lb.example.com", "CNAME", 60, "dualstack.web-1.us-east-1.elb.amazonaws.com"),
		set("odd.example.com", "CNAME", 60, `a\073b.example.com.`),
		set("mail.example.com", "MX", 60, "10 mx.example.com"),
		set("_x._tcp.example.com", "SRV", 60, "1 2 80 www.example.com"),
		set("child.example.com", "NS", 60, "ns.example.net"),
		set("example.com", "CAA", 60, `0 issue "ca.example.net"`),
		set("svc.example.com", "HTTPS", 60, "1 . alpn=h2"),
		alias("example.com", "A", "Z35SXDOTRQ7X7K", "web-1.us-east-1.elb.amazonaws.com"),
		alias("example.com", "AAAA", "Z35SXDOTRQ7X7K", "web-1.us-east-1.elb.amazonaws.com"),
		alias("here.example.com", "A", l.zone, "www.example.com"),
	)
	for name, c := range map[string]struct {
		query string
		typ   uint16
		want  string
	}{
		"an address": {"www.example.com.", mdns.TypeA, "NOERROR aa=true | www.example.com. 60 IN A 127.0.0.1"},
		"the name is spelled as it was asked for":  {"wWw.ExAmple.com.", mdns.TypeA, "NOERROR aa=true | wWw.ExAmple.com. 60 IN A 127.0.0.1"},
		"octal escapes in texts":                   {"a.b.example.com.", mdns.TypeTXT, `NOERROR aa=true | a.b.example.com. 60 IN TXT "one" "two \"three\""`},
		"a name with names below it only":          {"b.example.com.", mdns.TypeA, "NOERROR aa=true / SOA example.com."},
		"another type":                             {"www.example.com.", mdns.TypeAAAA, "NOERROR aa=true / SOA example.com."},
		"no such name":                             {"nothing.example.com.", mdns.TypeA, "NXDOMAIN aa=true / SOA example.com."},
		"no such name below one":                   {"x.www.example.com.", mdns.TypeA, "NXDOMAIN aa=true / SOA example.com."},
		"a wildcard":                               {"any.wild.example.com.", mdns.TypeA, "NOERROR aa=true | any.wild.example.com. 30 IN A 127.0.0.2"},
		"a wildcard, two labels down":              {"very.any.wild.example.com.", mdns.TypeA, "NOERROR aa=true | very.any.wild.example.com. 30 IN A 127.0.0.2"},
		"the wildcard's own name":                  {"*.wild.example.com.", mdns.TypeA, "NOERROR aa=true | *.wild.example.com. 30 IN A 127.0.0.2"},
		"a wildcard does not cover its own parent": {"wild.example.com.", mdns.TypeA, "NOERROR aa=true / SOA example.com."},
		"a CNAME that stays in the zone":           {"c.example.com.", mdns.TypeA, "NOERROR aa=true | c.example.com. 60 IN CNAME www.example.com. | www.example.com. 60 IN A 127.0.0.1"},
		"a CNAME itself":                           {"c.example.com.", mdns.TypeCNAME, "NOERROR aa=true | c.example.com. 60 IN CNAME www.example.com."},
		"a CNAME to a load balancer": {
			"lb.example.com.", mdns.TypeA,
			"NOERROR aa=true | lb.example.com. 60 IN CNAME dualstack.web-1.us-east-1.elb.amazonaws.com. | dualstack.web-1.us-east-1.elb.amazonaws.com. 60 IN A 127.0.0.9",
		},
		"a CNAME with an odd character":        {"odd.example.com.", mdns.TypeCNAME, `NOERROR aa=true | odd.example.com. 60 IN CNAME a\;b.example.com.`},
		"an alias to a load balancer, IPv4":    {"example.com.", mdns.TypeA, "NOERROR aa=true | example.com. 60 IN A 127.0.0.9"},
		"an alias to a load balancer, IPv6":    {"example.com.", mdns.TypeAAAA, "NOERROR aa=true | example.com. 60 IN AAAA ::1"},
		"an alias within the zone":             {"here.example.com.", mdns.TypeA, "NOERROR aa=true | here.example.com. 60 IN A 127.0.0.1"},
		"a mail exchange":                      {"mail.example.com.", mdns.TypeMX, "NOERROR aa=true | mail.example.com. 60 IN MX 10 mx.example.com."},
		"a service":                            {"_x._tcp.example.com.", mdns.TypeSRV, "NOERROR aa=true | _x._tcp.example.com. 60 IN SRV 1 2 80 www.example.com."},
		"a certification authority":            {"example.com.", mdns.TypeCAA, `NOERROR aa=true | example.com. 60 IN CAA 0 issue "ca.example.net"`},
		"a service binding":                    {"svc.example.com.", mdns.TypeHTTPS, `NOERROR aa=true | svc.example.com. 60 IN HTTPS 1 . alpn="h2"`},
		"a delegation":                         {"x.child.example.com.", mdns.TypeA, "NOERROR aa=false / NS child.example.com."},
		"a load balancer by its name":          {"web-1.us-east-1.elb.amazonaws.com.", mdns.TypeA, "NOERROR aa=true | web-1.us-east-1.elb.amazonaws.com. 60 IN A 127.0.0.9"},
		"a name of no zone":                    {"www.example.net.", mdns.TypeA, "REFUSED aa=false"},
		"a name that ends like a zone's":       {"badexample.com.", mdns.TypeA, "REFUSED aa=false"},
		"a type that nobody knows":             {"www.example.com.", 65280, "NOERROR aa=true / SOA example.com."},
		"a zone transfer":                      {"example.com.", mdns.TypeAXFR, "REFUSED aa=false"},
		"any type at all":                      {"www.example.com.", mdns.TypeANY, "NOERROR aa=true | www.example.com. 60 IN A 127.0.0.1"},
		"an escaped character in the question": {`\119ww.example.com.`, mdns.TypeA, "NOERROR aa=true | www.example.com. 60 IN A 127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := show(l.query(t, c.query, c.typ)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if got := show(l.ask(t, "tcp", new(mdns.Msg).SetQuestion(c.query, c.typ))); got != c.want {
				t.Errorf("over TCP: got %s\nwant %s", got, c.want)
			}
		})
	}
}

// count asks n times and counts the addresses that come back.
func (l *lab) count(t *testing.T, name string, n int) map[string]int {
	t.Helper()
	conn, err := mdns.Dial("udp", l.dns.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got := map[string]int{}
	for range n {
		if err := conn.WriteMsg(new(mdns.Msg).SetQuestion(name, mdns.TypeA)); err != nil {
			t.Fatal(err)
		}
		m, err := conn.ReadMsg()
		if err != nil {
			t.Fatal(err)
		}
		for _, rr := range m.Answer {
			if a, ok := rr.(*mdns.A); ok {
				got[a.A.String()]++
			}
		}
	}
	return got
}

// near tells whether k of n is within five standard deviations of share p: a true p fails
// that with a probability below 1e-6.
func near(k, n int, p float64) bool {
	return math.Abs(float64(k)-float64(n)*p) <= 5*math.Sqrt(float64(n)*p*(1-p))
}

func TestAnswersFollowTheWeights(t *testing.T) {
	const n = 20_000
	l := newLab(t, route53.Config{Seed: 7})
	at := func(id string, weight int) params {
		return weighted(set("www.example.com", "A", 60, "127.0.0."+id), id, weight)
	}
	for _, c := range []struct {
		name    string
		weights []int
		shares  []float64
	}{
		{"shares are weight by sum", []int{200, 50, 6}, []float64{200. / 256, 50. / 256, 6. / 256}},
		{"weight 0 is never answered", []int{0, 3, 1}, []float64{0, .75, .25}},
		{"all weights 0 are equal", []int{0, 0, 0}, []float64{1. / 3, 1. / 3, 1. / 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.upsert(t, at("1", c.weights[0]), at("2", c.weights[1]), at("3", c.weights[2]))
			l.dns.Reset()
			got := l.count(t, "www.example.com.", n)
			for i, p := range c.shares {
				id := fmt.Sprint(i + 1)
				if k := got["127.0.0."+id]; !near(k, n, p) {
					t.Errorf("record %s was answered %d times of %d, want a share of %.3f", id, k, n, p)
				}
				if k := l.dns.Answered()[route53.Choice{Name: "www.example.com.", Type: "A", SetIdentifier: id}]; k != got["127.0.0."+id] {
					t.Errorf("the server counts %d answers of record %s, the client %d", k, id, got["127.0.0."+id])
				}
			}
			if k := l.dns.Asked()[dns.Question{Name: "www.example.com.", Type: "A"}]; k != n {
				t.Errorf("the server counts %d questions, want %d", k, n)
			}
		})
	}
}

func TestHealthDecidesBeforeWeights(t *testing.T) {
	l := newLab(t, route53.Config{Aliases: balancers})
	lb := func(id, target string, weight int) params {
		return params{"Name": "lb.example.com", "Type": "A", "SetIdentifier": id, "Weight": weight, "AliasTarget": params{
			"HostedZoneId": "Z35SXDOTRQ7X7K", "DNSName": target, "EvaluateTargetHealth": true,
		}}
	}
	l.upsert(t, lb("sick", "sick-1.us-east-1.elb.amazonaws.com", 255), lb("well", "web-1.us-east-1.elb.amazonaws.com", 0))
	if m := l.query(t, "lb.example.com.", mdns.TypeA); len(m.Answer) != 1 || l.dns.Answered()[route53.Choice{Name: "lb.example.com.", Type: "A", SetIdentifier: "well"}] != 1 {
		t.Errorf("the healthy alias of weight 0 is not answered: %s, %v", show(m), l.dns.Answered())
	}
	l.upsert(t, lb("well", "sick-1.us-east-1.elb.amazonaws.com", 0))
	l.dns.Reset()
	l.count(t, "lb.example.com.", 50)
	if k := l.dns.Answered()[route53.Choice{Name: "lb.example.com.", Type: "A", SetIdentifier: "sick"}]; k != 50 {
		t.Errorf("where none is healthy weights count as ever: got %d of 50", k)
	}
}

func TestLongAnswersAreCutOffOverUDP(t *testing.T) {
	l := newLab(t, route53.Config{})
	var values []string
	for i := range 60 {
		values = append(values, fmt.Sprintf(`"%02d%s"`, i, strings.Repeat("x", 60)))
	}
	l.upsert(t, set("long.example.com", "TXT", 60, values...))
	q := func(size uint16) *mdns.Msg {
		m := new(mdns.Msg).SetQuestion("long.example.com.", mdns.TypeTXT)
		if size > 0 {
			m.SetEdns0(size, false)
		}
		return m
	}
	for _, c := range []struct {
		name, network string
		size          uint16
		truncated     bool
		atMost        int
	}{
		{"UDP without EDNS0", "udp", 0, true, 512},
		{"UDP with EDNS0", "udp", 1232, true, 1232},
		{"UDP with an EDNS0 size below what is allowed", "udp", 100, true, 512},
		{"UDP with an EDNS0 size above the server's", "udp", 65535, true, 4096},
		{"TCP", "tcp", 0, false, 65535},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.dns.Reset()
			m := q(c.size)
			in := l.ask(t, c.network, m)
			in.Compress = true // for its length as it was sent
			if in.Truncated != c.truncated || in.Len() > c.atMost || !c.truncated && len(in.Answer) != 60 {
				t.Errorf("truncated %v, %d bytes, %d records", in.Truncated, in.Len(), len(in.Answer))
			}
			if (in.IsEdns0() != nil) != (c.size > 0) {
				t.Errorf("EDNS0 in the answer: %v", in.IsEdns0())
			}
			if n := len(l.dns.Answered()); (n == 0) != c.truncated {
				t.Errorf("an answer that was cut off %v is counted %d times", c.truncated, n)
			}
		})
	}
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, l.dns.Addr())
	}}
	texts, err := r.LookupTXT(t.Context(), "long.example.com")
	slices.Sort(texts)
	if err != nil || len(texts) != 60 || !strings.HasPrefix(texts[59], "59x") {
		t.Errorf("Go's resolver finds %d texts: %v", len(texts), err)
	}
}

func TestOddQuestionsAreRefused(t *testing.T) {
	l := newLab(t, route53.Config{})
	old := new(mdns.Msg).SetQuestion("example.com.", mdns.TypeSOA)
	old.SetEdns0(1232, false)
	old.IsEdns0().SetVersion(1)
	chaos := new(mdns.Msg).SetQuestion("version.bind.", mdns.TypeTXT)
	chaos.Question[0].Qclass = mdns.ClassCHAOS
	update := new(mdns.Msg).SetQuestion("example.com.", mdns.TypeSOA)
	update.Opcode = mdns.OpcodeUpdate
	for name, c := range map[string]struct {
		q    *mdns.Msg
		want int
	}{
		"another class":             {chaos, mdns.RcodeRefused},
		"an update":                 {update, mdns.RcodeNotImplemented},
		"a version of EDNS to come": {old, mdns.RcodeBadVers},
	} {
		t.Run(name, func(t *testing.T) {
			if in := l.ask(t, "udp", c.q); in.Rcode != c.want || len(in.Answer) > 0 {
				t.Errorf("got %s", show(in))
			}
		})
	}
}

func TestPendingValuesAreNotAnswered(t *testing.T) {
	var mu sync.Mutex
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	l := newLab(t, route53.Config{
		Now:              func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
		PropagationDelay: func() time.Duration { return 30 * time.Second },
	})
	add := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	if got := show(l.query(t, "example.com.", mdns.TypeSOA)); got != "REFUSED aa=false" {
		t.Errorf("a zone that is pending answers %s", got)
	}
	add(30 * time.Second)
	l.upsert(t, set("www.example.com", "A", 60, "127.0.0.1"))
	add(29_999 * time.Millisecond)
	l.upsert(t, set("www.example.com", "A", 60, "127.0.0.2"))
	if got := show(l.query(t, "www.example.com.", mdns.TypeA)); got != "NXDOMAIN aa=true / SOA example.com." {
		t.Errorf("a millisecond early: %s", got)
	}
	add(time.Millisecond)
	if got := show(l.query(t, "www.example.com.", mdns.TypeA)); got != "NOERROR aa=true | www.example.com. 60 IN A 127.0.0.1" {
		t.Errorf("the first change: %s", got)
	}
	add(30 * time.Second)
	if got := show(l.query(t, "www.example.com.", mdns.TypeA)); got != "NOERROR aa=true | www.example.com. 60 IN A 127.0.0.2" {
		t.Errorf("the second change: %s", got)
	}
}

func TestTheServerListensOnLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "nowhere", "127.0.0.1:x"} {
		if s, err := dns.Start(dns.Config{Zones: route53.New(route53.Config{}), Addr: addr}); err == nil {
			t.Errorf("it listens on %s", s.Addr())
		}
	}
	if _, err := dns.Start(dns.Config{}); err == nil {
		t.Error("it starts without zones")
	}
}

func TestCloseEndsTheServer(t *testing.T) {
	zones := route53.New(route53.Config{})
	defer zones.Close()
	s, err := dns.Start(dns.Config{Zones: zones})
	if err != nil {
		t.Fatal(err)
	}
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	again, err := dns.Start(dns.Config{Zones: zones, Addr: s.Addr()})
	if err != nil {
		t.Fatalf("the port is not free again: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
