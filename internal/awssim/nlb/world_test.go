package nlb

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
)

const (
	arnPrefix   = "arn:aws:elasticloadbalancing:us-east-1:000000000000:"
	lbARN       = arnPrefix + "loadbalancer/net/edge/0123456789abcdef"
	listenerARN = arnPrefix + "listener/net/edge/0123456789abcdef/fedcba9876543210"
)

func groupARN(name string) string { return arnPrefix + "targetgroup/" + name + "/0123456789abcdef" }

// server is a target: over TCP it says its name in a line, then echoes; over UDP it
// answers its name. A line "reset" makes it reset the connection.
type server struct {
	name     string
	tcp      net.Listener
	udp      net.PacketConn
	accepted atomic.Int64
	resets   atomic.Int64 // that clients sent after a line; health checks send none
	packets  atomic.Int64
	wg       sync.WaitGroup
	mu       sync.Mutex
	conns    []net.Conn
}

type listenFunc = func(network, addr string) (net.Listener, error)

func newServer(t testing.TB, name string, listen listenFunc) *server {
	t.Helper()
	if listen == nil {
		listen = func(network, addr string) (net.Listener, error) {
			return (&net.ListenConfig{}).Listen(t.Context(), network, addr)
		}
	}
	ln, err := listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{name: name, tcp: ln}
	s.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			s.wg.Go(func() { s.echo(c) })
		}
	})
	t.Cleanup(s.close)
	return s
}

func (s *server) echo(c net.Conn) {
	defer c.Close()
	if _, err := io.WriteString(c, s.name+"\n"); err != nil {
		return
	}
	r := bufio.NewReader(c)
	for lines := 0; ; lines++ {
		line, err := r.ReadString('\n')
		if line == "reset\n" {
			reset(c)
			return
		}
		if line == "" && err != nil {
			if lines > 0 && !errors.Is(err, io.EOF) {
				s.resets.Add(1)
			}
			return
		}
		if _, err := io.WriteString(c, line); err != nil {
			return
		}
	}
}

// withUDP answers packets too, on the same port.
func (s *server) withUDP(t testing.TB) {
	t.Helper()
	pc, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", s.addr())
	if err != nil {
		t.Fatal(err)
	}
	s.udp = pc
	s.wg.Go(func() {
		buf := make([]byte, 2048)
		for {
			_, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			s.packets.Add(1)
			_, _ = pc.WriteTo([]byte(s.name), from)
		}
	})
}

func (s *server) addr() string { return s.tcp.Addr().String() }

// stop refuses new connections and keeps the others.
func (s *server) stop() { _ = s.tcp.Close() }

func (s *server) close() {
	s.stop()
	if s.udp != nil {
		_ = s.udp.Close()
	}
	s.mu.Lock()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// world is one load balancer, one listener and any number of groups.
type world struct {
	protocol string
	idle     string
	port     int          // that clients expect; 0: 443
	rules    []model.Rule // before the default one
	action   model.Action
	groups   []*model.TargetGroup
}

func (w *world) config() model.Config {
	c := model.Config{
		LoadBalancers: []model.LoadBalancer{{ARN: lbARN, Name: "edge", Type: "network", Zones: []string{"us-east-1a"}}},
		TargetGroups:  map[string]model.TargetGroup{},
	}
	l := model.Listener{ARN: listenerARN, LoadBalancerARN: lbARN, Port: cmp.Or(w.port, 443), Protocol: w.protocol, Attributes: map[string]string{"tcp.idle_timeout.seconds": w.idle}}
	l.Rules = append(slices.Clone(w.rules), model.Rule{ARN: "default", IsDefault: true, Actions: []model.Action{w.action}})
	c.Listeners = []model.Listener{l}
	for _, g := range w.groups {
		clone := *g
		clone.Targets = slices.Clone(g.Targets)
		c.TargetGroups[g.ARN] = clone
	}
	return c
}

// add a group of targets that are checked every 20 ms over TCP.
func (w *world) add(t testing.TB, name string, addrs ...string) *model.TargetGroup {
	t.Helper()
	g := &model.TargetGroup{
		ARN: groupARN(name), Name: name, Protocol: w.protocol, TargetType: "ip", InUse: true,
		Attributes: map[string]string{"target_health_state.unhealthy.connection_termination.enabled": "true"},
		HealthCheck: model.HealthCheck{
			Enabled: true, Protocol: "TCP", Port: "traffic-port", Interval: 20 * time.Millisecond, Timeout: 5 * time.Second,
			HealthyThreshold: 2, UnhealthyThreshold: 2,
		},
	}
	for _, a := range addrs {
		host, port, err := net.SplitHostPort(a)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		g.Targets = append(g.Targets, model.Target{ID: host, Port: n, AZ: "us-east-1a"})
	}
	w.groups = append(w.groups, g)
	return g
}

// split is an action that forwards by weights, given as pairs of name and weight.
func split(pairs ...any) model.Action {
	f := &model.Forward{}
	for p := range slices.Chunk(pairs, 2) {
		name, _ := p[0].(string)
		weight, _ := p[1].(int)
		f.TargetGroups = append(f.TargetGroups, model.WeightedTargetGroup{ARN: groupARN(name), Weight: weight})
	}
	return model.Action{Type: "forward", Forward: f}
}

func sticky(a model.Action) model.Action {
	a.Forward.Stickiness = &model.Stickiness{Enabled: true}
	return a
}

// lab is a data plane in front of the servers blue and green.
type lab struct {
	*DataPlane
	world       world
	sink        *sink
	blue, green *server
}

func newLab(t testing.TB, protocol string, change ...func(*Config)) *lab {
	t.Helper()
	l := &lab{world: world{protocol: protocol, idle: "350"}, sink: &sink{}}
	cfg := Config{Seed: 1, UDPIdleTimeout: time.Minute}
	for _, f := range change {
		f(&cfg)
	}
	l.blue, l.green = newServer(t, "blue", cfg.Listen), newServer(t, "green", cfg.Listen)
	l.world.add(t, "blue", l.blue.addr())
	l.world.add(t, "green", l.green.addr())
	l.DataPlane = New(cfg)
	l.cfg.Sink = l.sink // reported by hand
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return l
}

// forward applies the action and waits until all targets are healthy.
func (l *lab) forward(t testing.TB, a model.Action) {
	t.Helper()
	l.world.action = a
	l.Apply(l.world.config())
	l.await(t, "all targets are healthy", func() bool {
		for _, g := range l.world.groups {
			for _, mt := range g.Targets {
				if mt.DrainingSince.IsZero() && l.Health(g.ARN, mt).State != "healthy" {
					return false
				}
			}
		}
		return true
	})
}

func (l *lab) apply() { l.Apply(l.world.config()) }

// await polls what happens in other goroutines.
func (l *lab) await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not after 10 s: %s; %+v", what, l.Counters())
		}
	}
}

func (l *lab) counts() FlowCounters { return l.Counters().Listeners[listenerARN] }

// client is one TCP connection.
type client struct {
	net.Conn
	r    *bufio.Reader
	name string // of the server that answered
}

func (l *lab) dial(t testing.TB, from string) (*client, error) {
	t.Helper()
	return dial(t.Context(), from, l.Addr(listenerARN))
}

// dial connects and reads the server's name.
func dial(ctx context.Context, from, addr string) (*client, error) {
	d := net.Dialer{}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	out := &client{Conn: c, r: bufio.NewReader(c)}
	line, err := out.r.ReadString('\n')
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	out.name = strings.TrimSpace(line)
	return out, nil
}

func (l *lab) connect(t testing.TB) *client {
	t.Helper()
	c, err := l.dial(t, "")
	if err != nil {
		t.Fatalf("connecting: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// say sends a line and returns its echo.
func (c *client) say(line string) (string, error) {
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(c, line); err != nil {
		return "", err
	}
	answer, err := c.r.ReadString('\n')
	return strings.TrimSpace(answer), err
}

// mustEcho fails the test when the connection is gone.
func (c *client) mustEcho(t testing.TB, line string) {
	t.Helper()
	if got, err := c.say(line); err != nil || got != line {
		t.Fatalf("a connection to %s answered %q, %v; want %q", c.name, got, err, line)
	}
}

// packet sends a packet from a port of its own and returns the name that answers.
func packet(t testing.TB, c net.Conn) string {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("?")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return string(buf[:n])
}

func (l *lab) socket(t testing.TB) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "udp", l.Addr(listenerARN))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// sink keeps what it is given.
type sink struct {
	mu   sync.Mutex
	data []model.Datum
}

func (s *sink) Put(_ string, data []model.Datum) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = append(s.data, data...)
}

// period ends a period and returns its sums as "Name{dimensions}", with the names of
// target groups.
func (l *lab) period(t testing.TB) map[string]float64 {
	t.Helper()
	l.emit(time.Unix(0, 0))
	l.sink.mu.Lock()
	defer l.sink.mu.Unlock()
	out := map[string]float64{}
	for _, d := range l.sink.data {
		var dims []string
		for _, dim := range d.Dimensions {
			if name, _, ok := strings.Cut(strings.TrimPrefix(dim.Value, "targetgroup/"), "/"); ok && dim.Name == "TargetGroup" {
				dims = append(dims, name)
				continue
			}
			dims = append(dims, dim.Name)
		}
		key := d.Name + "{" + strings.Join(dims, ",") + "}"
		if d.Namespace != "AWS/NetworkELB" {
			t.Errorf("%s is in %s", key, d.Namespace)
		}
		out[key] = d.Sum
	}
	l.sink.data = nil
	return out
}
