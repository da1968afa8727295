package alb

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/toy"
)

func startToy(t testing.TB, cfg toy.Config) *toy.Cluster {
	t.Helper()
	c, err := toy.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

// load drives n requests from workers at once, while disturb runs, and returns how
// many were answered and how many were not.
func load(t testing.TB, c *client, n, workers int, disturb func(done <-chan struct{})) (ok, failed uint64) {
	t.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	var good, bad atomic.Uint64
	var wg, other sync.WaitGroup
	done := make(chan struct{})
	other.Go(func() { disturb(done) })
	for range workers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				a, err := c.do(t.Context(), http.MethodGet, "/")
				if err == nil && a.status == http.StatusOK {
					good.Add(1)
				} else {
					bad.Add(1)
				}
			}
		})
	}
	wg.Wait()
	close(done)
	other.Wait()
	return good.Load(), bad.Load()
}

// books compares what clients, load balancer and targets counted. It is the check
// that must notice one lost request.
func books(ok, failed uint64, l ListenerCounters, targets uint64) error {
	if ok+failed != l.Received || l.Received != targets {
		return fmt.Errorf("client ok %d + failed %d, listener %d, targets %d: they differ", ok, failed, l.Received, targets)
	}
	return nil
}

func TestEveryRequestIsAccountedForWhileWeightsMove(t *testing.T) {
	blue, green := startToy(t, toy.Config{Name: "blue"}), startToy(t, toy.Config{Name: "green"})
	w := world{groups: []model.TargetGroup{checked(t, "blue", blue.Addrs()...), checked(t, "green", green.Addrs()...)}}
	p := start(t, Config{Seed: 1, MetricPeriod: 50 * time.Millisecond, Sink: &sink{}})
	at := func(g int) model.Config {
		w.rules = []model.Rule{defaultRule(split("blue", 100-g, "green", g))}
		return w.config()
	}
	p.Apply(at(0))
	c := newClient(t, p.Addr(listenerARN), nil)
	const n = 20000
	ok, failed := load(t, c, n, 32, func(done <-chan struct{}) {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for g := 0; ; g = (g + 7) % 101 {
			p.Apply(at(g))
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	sum := func() uint64 { return blue.Counters().Requests + green.Counters().Requests }
	counts := p.Counters()
	if err := books(ok, failed, counts.Listeners[listenerARN], sum()); err != nil || ok != n {
		t.Errorf("ok %d of %d: %v", ok, n, err)
	}
	if b, g := blue.Counters().Requests, green.Counters().Requests; b == 0 || g == 0 {
		t.Errorf("blue got %d and green %d requests, want some each", b, g)
	}
	for name, cluster := range map[string]*toy.Cluster{"blue": blue, "green": green} {
		g := counts.TargetGroups[groupARN(name)]
		for _, tc := range cluster.Counters().Targets {
			if got := g.Targets[tc.Addr].Sent; got != tc.Requests {
				t.Errorf("%s: the load balancer sent %d, the target got %d", tc.Addr, got, tc.Requests)
			}
		}
	}

	// The same check is red when one single request gets lost.
	p.SetLose(1)
	ok2, failed2 := load(t, c, 1000, 8, func(<-chan struct{}) {})
	l := p.Counters().Listeners[listenerARN]
	if ok2 != 999 || failed2 != 1 || l.Lost != 1 {
		t.Errorf("ok %d, failed %d, lost %d; want 999, 1, 1", ok2, failed2, l.Lost)
	}
	if err := books(ok+ok2, failed+failed2, l, sum()); err == nil {
		t.Error("the check did not notice the lost request")
	}
	if l.Received != l.Answered+l.Lost+l.Aborted {
		t.Errorf("received %d, answered %d, lost %d, aborted %d: the sum is wrong", l.Received, l.Answered, l.Lost, l.Aborted)
	}
}
