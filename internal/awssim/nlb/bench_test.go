package nlb

import (
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// drive opens n connections to addr from parallel clients, exchanges a line on each, and
// closes it.
func drive(b *testing.B, addr string, n int) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				c, err := dial(b.Context(), "", addr)
				if err == nil {
					_, err = c.say("hello")
				}
				if err != nil {
					b.Error(err)
					return
				}
				_ = c.Close()
			}
		})
	}
	wg.Wait()
}

// benchNLB spreads over two groups with health checks and metrics.
func benchNLB(b *testing.B) string {
	b.Helper()
	l := newLab(b, "TCP", func(c *Config) { c.Sink, c.MetricPeriod = &sink{}, time.Second })
	for _, g := range l.world.groups {
		g.HealthCheck.Interval = time.Second
	}
	l.forward(b, split("blue", 50, "green", 50))
	return l.Addr(listenerARN)
}

// benchBare is the yardstick: a proxy of nothing but two io.Copy in front of one such
// target.
func benchBare(b *testing.B) string {
	b.Helper()
	s := newServer(b, "blue", nil)
	ln, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	b.Cleanup(wg.Wait)
	b.Cleanup(func() { _ = ln.Close() })
	wg.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer client.Close()
				server, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", s.addr())
				if err != nil {
					return
				}
				defer server.Close()
				var up sync.WaitGroup
				up.Go(func() {
					_, _ = io.Copy(server, client)
					_ = server.(*net.TCPConn).CloseWrite() //nolint:forcetypeassert // "tcp" was dialled
				})
				_, _ = io.Copy(client, server)
				up.Wait()
			})
		}
	})
	return ln.Addr().String()
}

func BenchmarkNewConnections(b *testing.B) {
	addr := benchNLB(b)
	b.ResetTimer()
	drive(b, addr, b.N)
}

func BenchmarkNewConnectionsOfABareProxy(b *testing.B) {
	addr := benchBare(b)
	b.ResetTimer()
	drive(b, addr, b.N)
}

// BenchmarkNewConnectionsShare reports the load balancer's new connections per second as
// a share of a bare proxy's, the median of at least 7 interleaved pairs.
func BenchmarkNewConnectionsShare(b *testing.B) {
	const connections = 1000
	nlb, bare := benchNLB(b), benchBare(b)
	measure := func(addr string) float64 {
		began := time.Now()
		drive(b, addr, connections)
		return time.Since(began).Seconds()
	}
	measure(nlb)
	measure(bare)
	b.ResetTimer()
	var shares []float64
	for range max(b.N, 7) {
		shares = append(shares, measure(bare)/measure(nlb))
	}
	slices.Sort(shares)
	b.ReportMetric(shares[len(shares)/2], "of-a-bare-proxy")
}

// BenchmarkPick is the choice alone.
func BenchmarkPick(b *testing.B) {
	p := New(Config{})
	defer p.Close()
	l := picker(p, []int{90, 10}, false)
	client := addrOf(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	b.ResetTimer()
	for range b.N {
		if l.choose(client).target == nil {
			b.Fatal("nothing was chosen")
		}
	}
}
