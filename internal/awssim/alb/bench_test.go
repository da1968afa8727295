package alb

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/toy"
)

// benchmark drives addr from parallel clients with kept-alive connections.
func benchmark(b *testing.B, addr string) {
	b.Helper()
	c := newClient(b, addr, nil)
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://"+addr+"/", http.NoBody)
			if err != nil {
				b.Error(err)
				return
			}
			req.Host = "example.com"
			resp, err := c.http.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK {
				b.Errorf("status %d, %v", resp.StatusCode, err)
				return
			}
		}
	})
}

// BenchmarkALB has 100 rules of which the last numbered one matches, two weighted
// groups, stickiness, metrics and health checks.
func BenchmarkALB(b *testing.B) {
	blue, green := startToy(b, toy.Config{Name: "blue"}), startToy(b, toy.Config{Name: "green"})
	w := world{groups: []model.TargetGroup{checked(b, "blue", blue.Addrs()...), checked(b, "green", green.Addrs()...)}}
	for i := range 99 {
		host := fmt.Sprintf("*.app-%d.example.com", i)
		w.rules = append(w.rules, model.Rule{
			ARN: host, Priority: i + 1, Conditions: []model.Condition{{Field: "host-header", Values: []string{host}}}, Actions: []model.Action{fixed("200", "no")},
		})
	}
	w.rules = append(w.rules, model.Rule{
		ARN: "100", Priority: 100, Actions: []model.Action{sticky(split("blue", 50, "green", 50), 3600)},
		Conditions: []model.Condition{{Field: "host-header", Values: []string{"example.com"}}, {Field: "path-pattern", Values: []string{"/*"}}},
	}, defaultRule(fixed("404", "no")))
	p := start(b, Config{Seed: 1, Sink: &sink{}, MetricPeriod: time.Second})
	p.Apply(w.config())
	benchmark(b, p.Addr(listenerARN))
}

// BenchmarkReverseProxy is the yardstick: httputil.ReverseProxy with a transport that
// keeps as many connections as it needs, in front of one of the same targets.
func BenchmarkReverseProxy(b *testing.B) {
	blue := startToy(b, toy.Config{Name: "blue"})
	target := &url.URL{Scheme: "http", Host: blue.Addrs()[0]}
	tr := &http.Transport{DialContext: (&net.Dialer{}).DialContext, MaxIdleConnsPerHost: 1024, DisableCompression: true}
	b.Cleanup(tr.CloseIdleConnections)
	s := httptest.NewServer(&httputil.ReverseProxy{Transport: tr, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.SetXForwarded()
	}})
	b.Cleanup(s.Close)
	benchmark(b, s.Listener.Addr().String())
}
