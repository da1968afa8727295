package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/miekg/dns"

	"github.com/norikae/norikae/internal/awssim"
)

// resolvers ask for the A and AAAA records of a name, without any cache, and count.
type resolvers struct {
	name, server string
	ctx          context.Context //nolint:containedctx // ends the load
	end          context.CancelFunc
	going        sync.WaitGroup

	mu       sync.Mutex
	outcomes []outcome
	resolved map[string]uint64 // answers by side
	broken   []string          // questions without a good answer
	requests map[string]uint64 // answered requests by the cluster that answered
	failed   map[string]uint64 // part of them: answered 5xx
	lost     []string          // requests without an answer, or answered by the wrong side
}

func (a address) resolvers(t *testing.T) *resolvers {
	t.Helper()
	r := &resolvers{name: a.host + ".", server: a.DNS, resolved: map[string]uint64{}, requests: map[string]uint64{}, failed: map[string]uint64{}}
	r.ctx, r.end = context.WithCancel(t.Context())
	t.Cleanup(r.stop)
	return r
}

// stop the load. What it counted may be read afterwards.
func (r *resolvers) stop() {
	r.end()
	r.going.Wait()
}

func (r *resolvers) asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.outcomes)
}

func (r *resolvers) served(side string) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests[side]
}

// at a rate, as long as the load goes on.
func (r *resolvers) at(rate int, do func()) {
	r.going.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for r.ctx.Err() == nil {
			do()
			select {
			case <-tick.C:
			case <-r.ctx.Done():
			}
		}
	})
}

// come asks over UDP, always from one socket.
func (r *resolvers) come(t *testing.T, typ uint16, rate int) {
	t.Helper()
	client := &dns.Client{Timeout: 10 * time.Second}
	conn, err := client.DialContext(t.Context(), r.server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop(); _ = conn.Close() })
	r.at(rate, func() { r.ask(client, conn, typ) })
}

// comeByTCP asks over TCP, by a connection for each question.
func (r *resolvers) comeByTCP(rate int) {
	client := &dns.Client{Net: "tcp", Timeout: 10 * time.Second}
	r.at(rate, func() {
		conn, err := client.DialContext(context.WithoutCancel(r.ctx), r.server)
		if err != nil {
			_ = r.count(time.Now(), netip.Addr{}, err)
			return
		}
		defer conn.Close()
		r.ask(client, conn, dns.TypeA)
	})
}

// ask once, and count the answer.
func (r *resolvers) ask(client *dns.Client, conn *dns.Conn, typ uint16) {
	began := time.Now()
	ip, err := addressIn(client.ExchangeWithConn(new(dns.Msg).SetQuestion(r.name, typ), conn))
	_ = r.count(began, ip, err)
}

// addressIn an answer: of its one record, with the TTL that the tests give it.
func addressIn(answer *dns.Msg, _ time.Duration, err error) (netip.Addr, error) {
	if err != nil {
		return netip.Addr{}, err
	}
	if answer.Rcode != dns.RcodeSuccess || len(answer.Answer) != 1 {
		return netip.Addr{}, fmt.Errorf("%s with %d records", dns.RcodeToString[answer.Rcode], len(answer.Answer))
	}
	rr := answer.Answer[0]
	if rr.Header().Ttl != 1 {
		return netip.Addr{}, fmt.Errorf("%v has no TTL of 1 s", rr)
	}
	switch rr := rr.(type) {
	case *dns.A:
		ip, _ := netip.AddrFromSlice(rr.A.To4())
		return ip, nil
	case *dns.AAAA:
		ip, _ := netip.AddrFromSlice(rr.AAAA)
		return ip, nil
	}
	return netip.Addr{}, fmt.Errorf("%v is no address", rr)
}

// sideOf an address; "": nobody's.
func sideOf(ip netip.Addr) string {
	for _, typ := range []r53types.RRType{r53types.RRTypeA, r53types.RRTypeAaaa} {
		for side, addr := range addresses(typ) {
			if ip.String() == addr {
				return side
			}
		}
	}
	return ""
}

// count one question and its answer; it says what was wrong with it.
func (r *resolvers) count(began time.Time, ip netip.Addr, err error) error {
	ended := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	side := sideOf(ip)
	switch {
	case err == nil && side == "":
		err = fmt.Errorf("the address %s is nobody's", ip)
		fallthrough
	case err != nil:
		r.broken = append(r.broken, fmt.Sprintf("asked at %s: %v", began.UTC().Format(time.RFC3339Nano), err))
		return err
	}
	r.resolved[side]++
	r.outcomes = append(r.outcomes, outcome{began, ended, side == "green"})
	return nil
}

// browse sends requests to the name, each after a question of its own and over a
// connection of its own.
func (r *resolvers) browse(t *testing.T, url string, rate int) {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	system := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, r.server)
	}}
	r.at(rate, func() {
		began := time.Now()
		ips, err := system.LookupNetIP(context.WithoutCancel(r.ctx), "ip4", r.name)
		if err == nil && len(ips) != 1 {
			err = fmt.Errorf("%d addresses", len(ips))
		}
		if err != nil {
			_ = r.count(began, netip.Addr{}, err)
			return
		}
		ip := ips[0].Unmap()
		if r.count(began, ip, nil) == nil {
			r.get(net.JoinHostPort(ip.String(), port), ip)
		}
	})
}

func (r *resolvers) get(addr string, ip netip.Addr) {
	cluster, status, err := get(context.WithoutCancel(r.ctx), addr)
	r.mu.Lock()
	defer r.mu.Unlock()
	if status >= http.StatusInternalServerError && err == nil { // the answer does not say whose it is
		cluster = sideOf(ip)
		r.failed[cluster]++
	}
	if err == nil && cluster != sideOf(ip) {
		err = fmt.Errorf("%q answered for %s", cluster, ip)
	}
	if err != nil {
		r.lost = append(r.lost, err.Error())
		return
	}
	r.requests[cluster]++
}

// get a page once; POST is never sent twice by net/http.
func get(ctx context.Context, addr string) (cluster string, status int, err error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/", http.NoBody)
	if err != nil {
		return "", 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= http.StatusInternalServerError {
		return "", resp.StatusCode, err
	}
	var id identity
	err = json.Unmarshal(body, &id)
	return id.Cluster, resp.StatusCode, err
}

// uncounted compares what was counted by the clients, by the name server, by the load
// balancers and by the targets. The load is over.
func (r *resolvers) uncounted(c awssim.Counters) []string {
	out := append(append([]string(nil), r.broken...), r.lost...)
	differ := func(what string, got, want uint64) {
		if got != want {
			out = append(out, fmt.Sprintf("%s: %d, not %d", what, got, want))
		}
	}
	var asked uint64
	for _, q := range c.DNS.Asked {
		if q.Name == r.name {
			asked += q.Count
		}
	}
	differ("questions counted by the name server", asked, uint64(len(r.outcomes)+len(r.broken)))
	answered := map[string]uint64{}
	for _, a := range c.DNS.Answered {
		if a.Name == r.name {
			answered[a.SetIdentifier] += a.Count
		}
	}
	for _, side := range []string{"blue", "green"} {
		differ("answers by "+side+" counted by the name server", answered[side], r.resolved[side])
	}
	for _, k := range c.Clusters {
		differ("requests counted by "+k.Name, k.Requests, r.requests[k.Name])
		differ("failed requests counted by "+k.Name, k.Failed, r.failed[k.Name])
	}
	var lb uint64
	for _, l := range c.Listeners {
		differ("answered by the load balancer, of those received", l.Answered, l.Received)
		lb += l.Answered
	}
	differ("requests counted by the load balancers", lb, r.requests["blue"]+r.requests["green"]+uint64(len(r.lost)))
	return out
}
