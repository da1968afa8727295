package alb

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/toy"
)

// drive sends n requests to addr from parallel clients with kept-alive connections.
func drive(b *testing.B, c *client, n int) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://"+c.addr+"/", http.NoBody)
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
	wg.Wait()
}

// benchALB has 100 rules of which the last numbered one matches, two weighted groups,
// stickiness, metrics and health checks.
func benchALB(b *testing.B) *client {
	b.Helper()
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
	return newClient(b, p.Addr(listenerARN), nil)
}

// benchReverseProxy is the yardstick: httputil.ReverseProxy with a transport that keeps
// as many connections as it needs and a pool of buffers, in front of one such target.
func benchReverseProxy(b *testing.B) *client {
	b.Helper()
	blue := startToy(b, toy.Config{Name: "blue"})
	target := &url.URL{Scheme: "http", Host: blue.Addrs()[0]}
	tr := &http.Transport{DialContext: (&net.Dialer{}).DialContext, MaxIdleConnsPerHost: 1024, DisableCompression: true}
	b.Cleanup(tr.CloseIdleConnections)
	s := httptest.NewServer(&httputil.ReverseProxy{Transport: tr, BufferPool: &buffers{}, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.SetXForwarded()
	}})
	b.Cleanup(s.Close)
	return newClient(b, s.Listener.Addr().String(), nil)
}

func BenchmarkALB(b *testing.B) {
	c := benchALB(b)
	b.ResetTimer()
	drive(b, c, b.N)
}

func BenchmarkReverseProxy(b *testing.B) {
	c := benchReverseProxy(b)
	b.ResetTimer()
	drive(b, c, b.N)
}

// BenchmarkALBShare reports the ALB's throughput as a share of ReverseProxy's, the
// median of at least 7 interleaved pairs, and fails below the 60 % that are promised.
func BenchmarkALBShare(b *testing.B) {
	const requests, promised = 3000, 0.60
	alb, bare := benchALB(b), benchReverseProxy(b)
	measure := func(c *client) float64 {
		began := time.Now()
		drive(b, c, requests)
		return time.Since(began).Seconds()
	}
	measure(alb)
	measure(bare)
	b.ResetTimer()
	var shares []float64
	for range max(b.N, 7) {
		shares = append(shares, measure(bare)/measure(alb))
	}
	slices.Sort(shares)
	median := shares[len(shares)/2]
	b.ReportMetric(median, "of-ReverseProxy")
	if median < promised {
		b.Errorf("the ALB has %.0f %% of ReverseProxy's throughput, want at least %.0f %%; all pairs: %.2f", 100*median, 100*promised, shares)
	}
}
