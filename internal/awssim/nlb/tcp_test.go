package nlb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/memnet"
	"github.com/norikae/norikae/internal/awssim/model"
)

// mustBeReset reads until the connection ends, which must be by RST.
func (c *client) mustBeReset(t *testing.T) {
	t.Helper()
	if _, err := io.Copy(io.Discard, c.r); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the connection to %s ended with %v, want a reset", c.name, err)
	}
}

func TestAClientMayStopSendingAndStillRead(t *testing.T) {
	l := newLab(t, "TCP")
	l.forward(t, split("blue", 1))
	c := l.connect(t)
	if _, err := io.WriteString(c, strings.Repeat("0123456789\n", 20000)); err != nil {
		t.Fatal(err)
	}
	if tcp, ok := c.Conn.(*net.TCPConn); !ok || tcp.CloseWrite() != nil {
		t.Fatal("closing one half failed")
	}
	n, err := io.Copy(io.Discard, c.r)
	if n != 11*20000 || err != nil {
		t.Errorf("read %d bytes back, %v; want %d", n, err, 11*20000)
	}
	l.await(t, "the connection has finished", func() bool { return l.counts().Finished == 1 })
	if got := l.counts(); got.BytesUp != 11*20000 || got.BytesDown != 11*20000+5 {
		t.Errorf("%d bytes up and %d down, want %d and 5 more", got.BytesUp, got.BytesDown, 11*20000)
	}
}

func TestResetsPassThroughAndAreCounted(t *testing.T) {
	for name, tc := range map[string]struct {
		do      func(t *testing.T, l *lab)
		count   func(FlowCounters) uint64
		metrics map[string]float64
	}{
		"by the client": {
			func(t *testing.T, l *lab) {
				c := l.connect(t)
				c.mustEcho(t, "hello")
				reset(c.Conn)
				l.await(t, "the target saw the reset", func() bool { return l.blue.resets.Load() == 1 })
			},
			func(c FlowCounters) uint64 { return c.ClientResets },
			map[string]float64{"TCP_Client_Reset_Count": 1},
		},
		"by the target": {
			func(t *testing.T, l *lab) {
				c := l.connect(t)
				if _, err := io.WriteString(c, "reset\n"); err != nil {
					t.Fatal(err)
				}
				c.mustBeReset(t)
			},
			func(c FlowCounters) uint64 { return c.TargetResets },
			map[string]float64{"TCP_Target_Reset_Count": 1},
		},
		"because the target refuses": {
			func(t *testing.T, l *lab) {
				l.blue.stop()
				if _, err := l.dial(t, ""); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("connecting ended with %v, want a reset", err)
				}
			},
			func(c FlowCounters) uint64 { return c.Failed },
			map[string]float64{"TCP_ELB_Reset_Count": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, "TCP")
			for _, g := range l.world.groups {
				g.HealthCheck.Interval = time.Hour
			}
			l.forward(t, split("blue", 1))
			tc.do(t, l)
			l.await(t, "it is counted", func() bool { return tc.count(l.counts()) == 1 && l.counts().Active == 0 })
			if err := books(l.counts()); err != nil {
				t.Error(err)
			}
			got := l.period(t)
			want := map[string]float64{"NewFlowCount": 1, "NewFlowCount_TCP": 1}
			maps.Copy(want, tc.metrics)
			for k := range got {
				if strings.HasSuffix(k, "{LoadBalancer}") && !strings.HasPrefix(k, "ProcessedBytes") {
					continue
				}
				delete(got, k)
			}
			full := map[string]float64{}
			for k, v := range want {
				full[k+"{LoadBalancer}"] = v
			}
			if d := cmp.Diff(full, got); d != "" {
				t.Errorf("metrics (-want +got):\n%s", d)
			}
		})
	}
}

func TestConnectionsWithNowhereToGoAreReset(t *testing.T) {
	for name, change := range map[string]func(l *lab){
		"the weights sum to 0":     func(l *lab) { l.world.action = split("blue", 0, "green", 0) },
		"the group has no targets": func(l *lab) { l.world.groups[0].Targets = nil },
		"all targets drain":        func(l *lab) { l.world.groups[0].Targets[0].DrainingSince = time.Now() },
		"no rule is for IPv4":      func(l *lab) { l.world.action.Type = "none" },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, "TCP")
			l.forward(t, split("blue", 1, "green", 0))
			change(l)
			l.apply()
			if _, err := l.dial(t, ""); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("connecting ended with %v, want a reset", err)
			}
			if c := l.counts(); c.Refused != 1 || c.Accepted != 1 {
				t.Errorf("counts are %+v, want one refused", c)
			}
			got := l.period(t)
			if _, ok := got["NewFlowCount{LoadBalancer}"]; ok || got["TCP_ELB_Reset_Count{LoadBalancer}"] != 1 {
				t.Errorf("metrics are %v, want one reset and no flow", got)
			}
		})
	}
}

func TestIdleConnectionsAreReset(t *testing.T) {
	l := newLab(t, "TCP")
	l.world.idle = "1"
	l.forward(t, split("blue", 1))
	idle, busy := l.connect(t), l.connect(t)
	began := time.Now()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for l.counts().Idle == 0 {
		busy.mustEcho(t, "still here")
		if time.Since(began) > 10*time.Second {
			t.Fatal("not idle after 10 s")
		}
		<-tick.C
	}
	if d := time.Since(began); d < 900*time.Millisecond {
		t.Errorf("idle after %s, want 1 s", d)
	}
	idle.mustBeReset(t)
	busy.mustEcho(t, "and here")
	if got := l.period(t)["TCP_ELB_Reset_Count{LoadBalancer}"]; got != 1 {
		t.Errorf("%v resets by the load balancer, want 1", got)
	}
}

func TestConnectionsToUnhealthyTargets(t *testing.T) {
	for name, terminate := range map[string]bool{"are cut by default": true, "stay when the group says so": false} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, "TCP")
			for _, g := range l.world.groups {
				g.Attributes["target_health_state.unhealthy.connection_termination.enabled"] = fmt.Sprint(terminate)
			}
			l.forward(t, split("blue", 100, "green", 0))
			c := l.connect(t)
			l.blue.stop() // new connections fail, and so do health checks
			l.await(t, "blue is unhealthy", func() bool {
				return l.Health(groupARN("blue"), l.world.groups[0].Targets[0]).State == "unhealthy"
			})
			if !terminate {
				c.mustEcho(t, "still here")
				return
			}
			c.mustBeReset(t)
			l.await(t, "it is counted", func() bool { return l.counts().Cut == 1 })
			if got := l.period(t); got["TCP_ELB_Reset_Count{LoadBalancer}"] != 1 || got["UnHealthyHostCount{LoadBalancer,blue}"] < 1 {
				t.Errorf("metrics are %v", got)
			}
		})
	}
}

func TestDeregisteredTargets(t *testing.T) {
	for name, terminate := range map[string]bool{"keep their connections": false, "lose them after the delay when the group says so": true} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, "TCP")
			blue := l.world.groups[0]
			blue.Attributes["deregistration_delay.connection_termination.enabled"] = fmt.Sprint(terminate)
			second := newServer(t, "second", nil)
			l.world.add(t, "scratch", second.addr())
			blue.Targets = append(blue.Targets, l.world.groups[2].Targets[0])
			l.world.groups = l.world.groups[:2]
			l.forward(t, split("blue", 1))
			old := l.connect(t)
			for old.name != "blue" {
				old = l.connect(t)
			}
			blue.Targets[0].DrainingSince = time.Now()
			l.apply()
			if h := l.Health(blue.ARN, blue.Targets[0]); h.State != "draining" {
				t.Errorf("the deregistered target is %+v", h)
			}
			for range 10 {
				if c := l.connect(t); c.name != "second" {
					t.Errorf("a new connection went to %s, which drains", c.name)
				}
			}
			old.mustEcho(t, "still here")
			blue.Targets = blue.Targets[1:] // the delay is over
			l.apply()
			if terminate {
				old.mustBeReset(t)
			} else {
				old.mustEcho(t, "and here")
			}
		})
	}
}

func TestAGroupWithoutHealthyTargetsFailsOpen(t *testing.T) {
	l := newLab(t, "TCP")
	for _, g := range l.world.groups {
		g.HealthCheck.Port = "1" // nobody is there
	}
	l.world.action = split("blue", 1)
	l.apply()
	l.await(t, "blue is unhealthy", func() bool {
		return l.Health(groupARN("blue"), l.world.groups[0].Targets[0]).State == "unhealthy"
	})
	l.connect(t).mustEcho(t, "hello")
	if got := l.period(t); got["UnhealthyRoutingFlowCount{LoadBalancer}"] != 1 || got["HealthyHostCount{LoadBalancer,blue,AvailabilityZone}"] != 0 {
		t.Errorf("metrics are %v", got)
	}
}

func TestStickinessIsBySourceAddress(t *testing.T) {
	l := newLab(t, "TCP")
	l.forward(t, sticky(split("blue", 50, "green", 50)))
	names := map[string]int{}
	for i := range 40 {
		from := fmt.Sprintf("127.0.1.%d", i+1)
		first, err := l.dial(t, from)
		if err != nil {
			t.Fatal(err)
		}
		again, err := l.dial(t, from)
		if err != nil {
			t.Fatal(err)
		}
		if first.name != again.name {
			t.Errorf("%s went to %s and then to %s", from, first.name, again.name)
		}
		names[first.name]++
		_, _ = first.Close(), again.Close()
	}
	if names["blue"] < 5 || names["green"] < 5 {
		t.Errorf("40 clients went to %v, want about half to either", names)
	}
	l.forward(t, sticky(split("blue", 0, "green", 1))) // a weight of 0 ends it
	for i := range 40 {
		c, err := l.dial(t, fmt.Sprintf("127.0.1.%d", i+1))
		if err != nil || c.name != "green" {
			t.Fatalf("a client went to %+v, %v; want green", c, err)
		}
		_ = c.Close()
	}
}

func TestStickyTargets(t *testing.T) {
	p := New(Config{})
	defer p.Close()
	l := picker(p, []int{1}, false)
	g := model.TargetGroup{ARN: groupARN("g0"), Protocol: "TCP", Attributes: map[string]string{"stickiness.enabled": "true"}}
	for port := range 8 {
		g.Targets = append(g.Targets, model.Target{ID: "127.0.0.1", Port: port + 1})
	}
	p.mu.Lock()
	p.applyGroups(model.Config{TargetGroups: map[string]model.TargetGroup{g.ARN: g}})
	p.mu.Unlock()
	chosen := map[string]bool{}
	for i := range 100 {
		client := netip.AddrFrom4([4]byte{127, 0, 0, byte(i)})
		first := l.choose(client).target.Key()
		for range 5 {
			if got := l.choose(client).target.Key(); got != first {
				t.Fatalf("%s went to %s and then to %s", client, first, got)
			}
		}
		chosen[first] = true
	}
	if len(chosen) != 8 {
		t.Errorf("100 clients went to %d of 8 targets", len(chosen))
	}
}

func TestRulesTellAddressTypes(t *testing.T) {
	p := New(Config{})
	defer p.Close()
	w := world{protocol: "TCP", action: split("blue", 1)}
	w.rules = []model.Rule{{ARN: "v6", Priority: 1, Conditions: []model.Condition{{Field: "source-ip", IPAddressType: "ipv6"}}, Actions: []model.Action{split("green", 1)}}}
	w.add(t, "blue", "127.0.0.1:1")
	w.add(t, "green", "127.0.0.1:2")
	p.Apply(w.config())
	l := p.listeners[listenerARN]
	for client, want := range map[string]string{"127.0.0.1": "127.0.0.1:1", "::ffff:127.0.0.1": "127.0.0.1:1", "::1": "127.0.0.1:2"} {
		if got := l.choose(netip.MustParseAddr(client)).target.Key(); got != want {
			t.Errorf("%s goes to %s, want %s", client, got, want)
		}
	}
}

// The check that every connection is accounted for is red when one single one gets lost.
func TestOneLostConnectionIsNoticed(t *testing.T) {
	l := newLab(t, "TCP")
	l.forward(t, split("blue", 1))
	for range 20 {
		_ = l.connect(t).Close()
	}
	l.SetLose(1)
	if _, err := l.dial(t, ""); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the lost connection ended with %v, want a reset", err)
	}
	for range 20 {
		_ = l.connect(t).Close()
	}
	l.await(t, "all have ended", func() bool { return l.counts().Active == 0 })
	c, blue := l.counts(), l.Counters().TargetGroups[groupARN("blue")]
	if c.Accepted != 41 || c.Lost != 1 || blue.Lost != 1 || c.Established != 40 || blue.Established != 40 {
		t.Errorf("the listener has %+v, blue %+v; want one of 41 lost", c, blue)
	}
	if err := books(c); err != nil {
		t.Error(err)
	}
	if got := l.period(t)["NewFlowCount_TCP{LoadBalancer}"]; got != 41 {
		t.Errorf("%v new flows, want 41: the metrics know of the lost one", got)
	}
}

func TestAnApplicationLoadBalancerAsTarget(t *testing.T) {
	const albARN, albListener = arnPrefix + "loadbalancer/app/web/1", arnPrefix + "listener/app/web/1/2"
	addr := ""
	l := newLab(t, "TCP", func(c *Config) {
		c.BalancerAddr = func(arn string) string {
			if arn != albListener {
				t.Errorf("asked for the address of %s", arn)
			}
			return addr
		}
	})
	addr = l.green.addr()
	front := l.world.groups[0]
	front.TargetType, front.Targets = "alb", []model.Target{{ID: albARN, Port: 80}}
	l.world.groups = l.world.groups[:1]
	front.ARN = groupARN("front")
	l.world.action = split("front", 1)
	cfg := l.world.config()
	cfg.Listeners = append(cfg.Listeners, model.Listener{ARN: albListener, LoadBalancerARN: albARN, Port: 80, Protocol: "HTTP"})
	l.Apply(cfg)
	l.await(t, "the load balancer is healthy", func() bool { return l.Health(front.ARN, front.Targets[0]).State == "healthy" })
	if c := l.connect(t); c.name != "green" {
		t.Errorf("the connection went to %s, want what stands for the load balancer", c.name)
	}
	l.Apply(l.world.config()) // the listener is gone
	if _, err := l.dial(t, ""); err == nil {
		t.Error("a connection to a load balancer without listener came about")
	}
}

func TestAnAddressOfItsOwn(t *testing.T) {
	l := newLab(t, "TCP", func(c *Config) { c.Host = func(string) string { return "127.0.7.7" } })
	l.world.port = freePort(t, "127.0.7.7")
	l.forward(t, split("blue", 1))
	if got, want := l.Addr(listenerARN), fmt.Sprint("127.0.7.7:", l.world.port); got != want {
		t.Errorf("the listener is at %s, want its own port: %s", got, want)
	}
	l.connect(t).mustEcho(t, "hello")
	other := New(Config{Host: func(string) string { return "127.0.7.7" }})
	defer other.Close()
	other.Apply(l.world.config()) // the port is taken
	if host, port, err := net.SplitHostPort(other.Addr(listenerARN)); err != nil || host != "127.0.7.7" || port == fmt.Sprint(l.world.port) {
		t.Errorf("a second listener is at %s:%s, %v; want another port at 127.0.7.7", host, port, err)
	}
}

func freePort(t *testing.T, host string) int {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return int(netip.MustParseAddrPort(ln.Addr().String()).Port())
}

func TestAListenerThatGoesCutsItsConnections(t *testing.T) {
	l := newLab(t, "TCP")
	l.forward(t, split("blue", 1))
	c := l.connect(t)
	addr := l.Addr(listenerARN)
	cfg := l.world.config()
	cfg.Listeners = nil
	l.Apply(cfg)
	c.mustBeReset(t)
	if l.Addr(listenerARN) != "" {
		t.Error("a listener that is gone has an address")
	}
	if _, err := dial(t.Context(), "", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connecting ended with %v, want a refusal", err)
	}
	l.world.protocol = "TLS" // simplified: bytes pass as they are
	for _, g := range l.world.groups {
		g.Protocol = "TLS"
	}
	l.forward(t, split("blue", 1))
	l.connect(t).mustEcho(t, "hello")
	if got := l.period(t); got["NewFlowCount_TLS{LoadBalancer}"] != 1 || got["ActiveFlowCount_TLS{LoadBalancer}"] != 1 || got["NewFlowCount{LoadBalancer}"] != 2 {
		t.Errorf("metrics are %v", got)
	}
}

func TestWhatIsOfApplicationLoadBalancersIsPassedOver(t *testing.T) {
	p := New(Config{})
	defer p.Close()
	w := world{protocol: "HTTP", action: split("web", 1)}
	g := w.add(t, "web", "127.0.0.1:1")
	cfg := w.config()
	cfg.LoadBalancers[0].Type = "application"
	p.Apply(cfg)
	if p.Addr(listenerARN) != "" || len(p.Counters().Listeners)+len(p.Counters().TargetGroups) != 0 {
		t.Errorf("the listener has the address %q; counters %+v", p.Addr(listenerARN), p.Counters())
	}
	if h := p.Health(g.ARN, g.Targets[0]); h.State != "unused" {
		t.Errorf("the target is %+v", h)
	}
}

// In a bubble, a goroutine that Close left behind would keep the test from ending.
func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memnet.Network{}
		blue := newServer(t, "blue", m.Listen)
		p := New(Config{Listen: m.Listen, Dial: m.DialContext, Sink: &sink{}})
		w := world{protocol: "TCP", idle: "350", action: split("blue", 1)}
		w.add(t, "blue", blue.addr())
		p.Apply(w.config())
		addr := p.Addr(listenerARN)
		c, err := m.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // the target waits for somebody to read its name
		ended := make(chan error)
		go func() {
			_, err := io.Copy(io.Discard, c)
			ended <- err
		}()
		time.Sleep(time.Second)
		began := time.Now()
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-ended; time.Since(began) > time.Second {
			t.Errorf("a connection ended with %v after %s, want at once", err, time.Since(began))
		}
		if err := p.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
		p.Apply(w.config())
		if _, err := m.DialContext(context.WithoutCancel(t.Context()), "tcp", addr); err == nil {
			t.Error("the listener still accepts connections after Close")
		}
		if got := p.Counters().Listeners[listenerARN]; got.Cut != 1 || books(got) != nil {
			t.Errorf("counters %+v, want 1 cut", got)
		}
	})
}
