package dns_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mdns "github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/dns"
	"github.com/norikae/norikae/internal/awssim/memnet"
	"github.com/norikae/norikae/internal/awssim/route53"
)

func TestAnyBytesComeThroughInNamesAndTexts(t *testing.T) {
	l := newLab(t, route53.Config{})
	some := func(n int) *rapid.Generator[[]byte] { return rapid.SliceOfN(rapid.Byte(), 1, n) }
	rapid.Check(t, func(rt *rapid.T) {
		label, text := some(20).Draw(rt, "label"), some(60).Draw(rt, "text")
		var octal, asked, value strings.Builder
		for _, b := range label {
			fmt.Fprintf(&octal, `\%03o`, b)
			fmt.Fprintf(&asked, `\%03d`, b)
		}
		for _, b := range text {
			fmt.Fprintf(&value, `\%03o`, b)
		}
		l.upsert(t, set(octal.String()+".bytes.example.com", "TXT", 60, `"`+value.String()+`"`))
		in := l.query(t, asked.String()+".bytes.example.com.", mdns.TypeTXT)
		if len(in.Answer) != 1 {
			rt.Fatalf("got %s", show(in))
		}
		txt, ok := in.Answer[0].(*mdns.TXT)
		if !ok || len(txt.Txt) != 1 || unescaped(txt.Txt[0]) != string(text) {
			rt.Fatalf("got %s, want %q", show(in), text)
		}
	})
}

// unescaped is a string of the miekg library as its raw bytes.
func unescaped(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\':
			out = append(out, s[i])
		case i+3 < len(s) && strings.Trim(s[i+1:i+4], "0123456789") == "":
			out = append(out, (s[i+1]-'0')*100+(s[i+2]-'0')*10+s[i+3]-'0')
			i += 3
		default:
			i++
			out = append(out, s[i])
		}
	}
	return string(out)
}

func TestSeveralAddressesComeInAnyOrder(t *testing.T) {
	const n = 2000
	l := newLab(t, route53.Config{})
	l.upsert(t, set("www.example.com", "A", 60, "127.0.0.1", "127.0.0.2", "127.0.0.3"))
	first := map[string]int{}
	for range n {
		a := l.Answer("www.example.com.", "A")
		if len(a.Records) != 3 {
			t.Fatalf("got %v", a.Records)
		}
		first[a.Records[0].Value]++
	}
	for _, ip := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"} {
		if !near(first[ip], n, 1./3) {
			t.Errorf("%s is first %d times of %d", ip, first[ip], n)
		}
	}
}

// packets is a socket for datagrams from one client, in memory.
type packets struct {
	in, out  chan []byte
	deadline chan time.Time
	until    time.Time
	addr     net.Addr
}

func (p *packets) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		var late <-chan time.Time
		if !p.until.IsZero() {
			late = time.After(time.Until(p.until))
		}
		select {
		case m := <-p.in:
			return copy(b, m), p.addr, nil
		case p.until = <-p.deadline:
		case <-late:
			return 0, nil, &net.OpError{Op: "read", Net: "udp", Err: timeout{}}
		}
	}
}

type timeout struct{}

func (timeout) Error() string   { return "i/o timeout" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

func (p *packets) WriteTo(b []byte, _ net.Addr) (int, error) {
	p.out <- append([]byte{}, b...)
	return len(b), nil
}

func (p *packets) Close() error                      { return nil }
func (p *packets) LocalAddr() net.Addr               { return p.addr }
func (p *packets) SetDeadline(t time.Time) error     { p.deadline <- t; return nil }
func (p *packets) SetReadDeadline(t time.Time) error { p.deadline <- t; return nil }
func (p *packets) SetWriteDeadline(time.Time) error  { return nil }

func TestTheServerRunsInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network memnet.Network
		udp := &packets{in: make(chan []byte), out: make(chan []byte), deadline: make(chan time.Time, 64)}
		zones := route53.New(route53.Config{PropagationDelay: func() time.Duration { return time.Minute }})
		defer zones.Close()
		l := &lab{Service: zones}
		l.call(t, "CreateHostedZone", params{"Name": "example.com", "CallerReference": "1"})
		s, err := dns.Start(dns.Config{Zones: zones, Listen: network.Listen, ListenPacket: func(_, addr string) (net.PacketConn, error) {
			udp.addr = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
			return udp, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		ask := func() string {
			q, err := new(mdns.Msg).SetQuestion("example.com.", mdns.TypeSOA).Pack()
			if err != nil {
				t.Fatal(err)
			}
			udp.in <- q
			in := new(mdns.Msg)
			if err := in.Unpack(<-udp.out); err != nil {
				t.Fatal(err)
			}
			conn, err := network.DialContext(t.Context(), "tcp", s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			tcp, _, err := new(mdns.Client).ExchangeWithConnContext(t.Context(), new(mdns.Msg).SetQuestion("example.com.", mdns.TypeSOA), &mdns.Conn{Conn: conn})
			if err != nil {
				t.Fatal(err)
			}
			return mdns.RcodeToString[in.Rcode] + " " + mdns.RcodeToString[tcp.Rcode]
		}
		if got := ask(); got != "REFUSED REFUSED" {
			t.Errorf("while the zone is pending: %s", got)
		}
		time.Sleep(time.Minute) // of the bubble
		if got := ask(); got != "NOERROR NOERROR" {
			t.Errorf("a minute later: %s", got)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
