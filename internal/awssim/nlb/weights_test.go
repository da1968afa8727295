package nlb

import (
	"fmt"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/model"
)

// far says whether k of n is further from the share p than chance allows once in 2·10⁷
// tries (5.45 standard deviations): twenty tries together stay below one in a million.
func far(k, n int, p float64) bool {
	return math.Abs(float64(k)-float64(n)*p) > 5.45*math.Sqrt(float64(n)*p*(1-p))
}

// The promise of a network load balancer: whatever the weights do, connections stay
// where they are, and only new ones follow.
func TestLongLivedConnectionsOutliveTwentyChangesOfWeights(t *testing.T) {
	const changes, perChange, longLived = 20, 1000, 200
	l := newLab(t, "TCP")
	l.forward(t, split("blue", 50, "green", 50))
	var kept []*client
	for range longLived {
		kept = append(kept, l.connect(t))
	}
	total := 0
	for i := range changes {
		green := (i*37 + 5) % 101 // 5, 42, 79, 15, …
		if i == changes-1 {
			green = 100
		}
		l.world.action = split("blue", 100-green, "green", green)
		l.apply()
		got := l.count(t, perChange)
		total += perChange
		if far(int(got), perChange, float64(green)/100) {
			t.Errorf("with weight %d green got %d of %d new connections", green, got, perChange)
		}
		for n, c := range kept {
			c.mustEcho(t, fmt.Sprint(i, " ", n))
		}
	}
	names := map[string]int{}
	for _, c := range kept {
		names[c.name]++
	}
	if names["blue"] == 0 || names["green"] == 0 {
		t.Fatalf("the long-lived connections are at %v, want some at either", names)
	}
	l.await(t, "the short connections have ended", func() bool { return l.counts().Active == longLived })
	c := l.counts()
	if want := (FlowCounters{Accepted: uint64(total + longLived), Established: uint64(total + longLived), Active: longLived, Finished: uint64(total), BytesUp: c.BytesUp, BytesDown: c.BytesDown}); c != want {
		t.Errorf("counts are %+v, want %+v", c, want)
	}
	l.balance(t)
	if l.green.accepted.Load() == 0 || l.world.action.Forward.TargetGroups[0].Weight != 0 {
		t.Error("the last change did not move everything to green")
	}
}

// count opens n connections and returns how many reached green.
func (l *lab) count(t *testing.T, n int) int64 {
	t.Helper()
	var left, green atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				c, err := l.dial(t, "")
				if err != nil {
					t.Errorf("a new connection: %v", err)
					return
				}
				if c.name == "green" {
					green.Add(1)
				}
				_ = c.Close()
			}
		})
	}
	wg.Wait()
	return green.Load()
}

// balance compares what the load balancer and the targets counted; health checks are
// connections too, for the targets, but send no name back.
func (l *lab) balance(t *testing.T) {
	t.Helper()
	c := l.Counters()
	for _, s := range []*server{l.blue, l.green} {
		sum := c.TargetGroups[groupARN(s.name)].FlowCounters
		if one := c.TargetGroups[groupARN(s.name)].Targets[s.addr()]; one != sum {
			t.Errorf("%s: the target has %+v, its group %+v", s.name, one, sum)
		}
		if sum.Established > uint64(s.accepted.Load()) {
			t.Errorf("%s accepted %d connections, the load balancer says %d", s.name, s.accepted.Load(), sum.Established)
		}
	}
	listener := c.Listeners[listenerARN]
	blue, green := c.TargetGroups[groupARN("blue")], c.TargetGroups[groupARN("green")]
	if listener.Accepted != listener.Refused+blue.Accepted+green.Accepted || listener.Established != blue.Established+green.Established {
		t.Errorf("the listener has %+v, blue %+v, green %+v", listener, blue.FlowCounters, green.FlowCounters)
	}
	if err := books(listener); err != nil {
		t.Error(err)
	}
}

// books checks that every connection is accounted for once.
func books(c FlowCounters) error {
	if c.Accepted != c.Refused+c.Lost+c.Failed+c.Established {
		return fmt.Errorf("accepted %d is not the sum of %+v", c.Accepted, c)
	}
	if c.Established != uint64(c.Active)+c.Finished+c.ClientResets+c.TargetResets+c.Cut+c.Idle {
		return fmt.Errorf("established %d is not the sum of %+v", c.Established, c)
	}
	return nil
}

// picker is a listener without sockets.
func picker(p *DataPlane, weights []int, stick bool) *listener {
	w := world{protocol: "TCP"}
	var pairs []any
	for i, weight := range weights {
		pairs = append(pairs, fmt.Sprint("g", i), weight)
	}
	w.action = split(pairs...)
	if stick {
		w.action = sticky(w.action)
	}
	for i := range weights {
		w.groups = append(w.groups, &model.TargetGroup{
			ARN: groupARN(fmt.Sprint("g", i)), Protocol: "TCP", Targets: []model.Target{{ID: "127.0.0.1", Port: i + 1}},
		})
	}
	cfg := w.config()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.applyGroups(cfg)
	l := &listener{plane: p, protocol: "TCP"}
	l.table.Store(p.compile(cfg.Listeners[0]))
	return l
}

// The bound is one that chance would break for less than one seed in a million
// (chi-square, 2 degrees of freedom: 27.63).
func TestTheSeededPickerMeetsTheWeights(t *testing.T) {
	const n = 100000
	weights := []int{1, 0, 34, 965}
	for seed := range uint64(5) {
		p := New(Config{Seed: seed})
		l := picker(p, weights, false)
		got := map[string]float64{}
		for range n {
			got[l.choose(netip.Addr{}).target.Key()]++
		}
		chi := 0.0
		for i, w := range weights {
			key := fmt.Sprintf("127.0.0.1:%d", i+1)
			if w == 0 {
				if got[key] != 0 {
					t.Errorf("seed %d: a group of weight 0 was picked %v times", seed, got[key])
				}
				continue
			}
			want := n * float64(w) / 1000
			chi += math.Pow(got[key]-want, 2) / want
		}
		if chi > 27.63 {
			t.Errorf("seed %d: chi-square is %.1f, want at most 27.63; picks: %v", seed, chi, got)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Whatever the weights: a group of weight 0 gets nothing new, something gets it as long
// as there is a weight, the same seed picks the same, and a sticky client stays until its
// group's weight is 0.
func TestPicksFollowAnyWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.OneOf(rapid.Just(0), rapid.IntRange(0, 999)), 1, 5).Draw(t, "weights")
		seed := rapid.Uint64().Draw(t, "seed")
		stick := rapid.Bool().Draw(t, "sticky")
		p, again := New(Config{Seed: seed}), New(Config{Seed: seed})
		defer func() { _, _ = p.Close(), again.Close() }()
		l, l2 := picker(p, weights, stick), picker(again, weights, stick)
		sum := 0
		for _, w := range weights {
			sum += w
		}
		first := ""
		client := netip.MustParseAddr("127.0.0.9")
		for range 200 {
			got, same := l.choose(client).target, l2.choose(client).target
			if (got == nil) != (sum == 0) || (got == nil) != (same == nil) {
				t.Fatalf("weights %v chose %v and %v", weights, got, same)
			}
			if got == nil {
				continue
			}
			var port int
			if _, err := fmt.Sscanf(got.Key(), "127.0.0.1:%d", &port); err != nil || weights[port-1] == 0 {
				t.Fatalf("weights %v chose %s, %v", weights, got.Key(), err)
			}
			if got.Key() != same.Key() {
				t.Fatalf("the same seed chose %s and %s", got.Key(), same.Key())
			}
			if first == "" {
				first = got.Key()
			}
			if stick && got.Key() != first {
				t.Fatalf("a sticky client went to %s after %s", got.Key(), first)
			}
		}
	})
}
