package alb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
)

const (
	arnPrefix   = "arn:aws:elasticloadbalancing:us-east-1:000000000000:"
	lbARN       = arnPrefix + "loadbalancer/app/web/0123456789abcdef"
	listenerARN = arnPrefix + "listener/app/web/0123456789abcdef/fedcba9876543210"
	scope       = "000000000000/us-east-1"
)

func groupARN(name string) string { return arnPrefix + "targetgroup/" + name + "/0123456789abcdef" }

// world is a small configuration: one load balancer, one listener, any number of groups.
type world struct {
	lbAttributes map[string]string
	rules        []model.Rule
	groups       []model.TargetGroup
}

func (w world) config() model.Config {
	c := model.Config{
		LoadBalancers: []model.LoadBalancer{{ARN: lbARN, Name: "web", Type: "application", Attributes: w.lbAttributes}},
		Listeners:     []model.Listener{{ARN: listenerARN, LoadBalancerARN: lbARN, Port: 80, Protocol: "HTTP", Rules: w.rules}},
		TargetGroups:  map[string]model.TargetGroup{},
	}
	for _, g := range w.groups {
		c.TargetGroups[g.ARN] = g
	}
	return c
}

// checked is a target group that is health-checked every 10 s with a timeout of 5 s.
func checked(t testing.TB, name string, addrs ...string) model.TargetGroup {
	t.Helper()
	g := model.TargetGroup{
		ARN: groupARN(name), Name: name, Protocol: "HTTP", TargetType: "ip", InUse: true,
		HealthCheck: model.HealthCheck{
			Enabled: true, Protocol: "HTTP", Port: "traffic-port", Path: "/healthz", Interval: 10 * time.Second,
			Timeout: 5 * time.Second, HealthyThreshold: 3, UnhealthyThreshold: 2, HTTPCode: "200",
		},
	}
	for _, a := range addrs {
		g.Targets = append(g.Targets, modelTarget(t, a))
	}
	return g
}

func modelTarget(t testing.TB, addr string) model.Target {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return model.Target{ID: host, Port: n, AZ: "us-east-1a"}
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

func sticky(a model.Action, seconds int) model.Action {
	a.Forward.Stickiness = &model.Stickiness{Enabled: true, DurationSeconds: seconds}
	return a
}

func fixed(status, body string) model.Action {
	return model.Action{Type: "fixed-response", FixedResponse: &model.FixedResponse{StatusCode: status, ContentType: "text/plain", MessageBody: body}}
}

func defaultRule(a model.Action) model.Rule {
	return model.Rule{ARN: "default", IsDefault: true, Actions: []model.Action{a}}
}

// start runs a data plane over the network of the machine until the test ends.
func start(t testing.TB, cfg Config) *DataPlane {
	t.Helper()
	p := New(cfg)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return p
}

// client makes requests to addr and never sends one twice.
type client struct {
	http *http.Client
	addr string
}

func newClient(t testing.TB, addr string, dial dialFunc) *client {
	t.Helper()
	if addr == "" {
		t.Fatal("the listener has no address")
	}
	tr := &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 256, DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &client{addr: addr, http: &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// answer of a request whose body was read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) cookies() string {
	var out []string
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		out = append(out, c.Name+"="+c.Value)
	}
	return strings.Join(out, "; ")
}

// do sends a request with headers given as pairs of name and value.
func (c *client) do(ctx context.Context, method, path string, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.addr+path, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	for h := range slices.Chunk(headers, 2) {
		if h[0] == "Host" {
			req.Host = h[1]
		} else {
			req.Header.Add(h[0], h[1])
		}
	}
	sendOnce(req)
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body)}, errors.Join(err, resp.Body.Close())
}

func (c *client) get(t testing.TB, path string, headers ...string) answer {
	t.Helper()
	a, err := c.do(t.Context(), http.MethodGet, path, headers...)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return a
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

// take returns and forgets the data as "Name{dimension values}" → datum.
func (s *sink) take(t testing.TB) map[string]model.Datum {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]model.Datum{}
	for _, d := range s.data {
		var dims []string
		for _, dim := range d.Dimensions {
			dims = append(dims, dim.Name+"="+dim.Value)
		}
		key := d.Name + "{" + strings.Join(dims, ",") + "}"
		if _, twice := out[key]; twice {
			t.Errorf("%s was reported twice", key)
		}
		out[key] = d
	}
	s.data = nil
	return out
}

// memory is a network within the process, for tests in virtual time.
type memory struct {
	mu        sync.Mutex
	port      int
	listeners map[string]*memoryListener
}

type memoryListener struct {
	net    *memory
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemory() *memory { return &memory{port: 40000, listeners: map[string]*memoryListener{}} }

func (m *memory) Listen(_, addr string) (net.Listener, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if strings.HasSuffix(addr, ":0") {
		m.port++
		addr = fmt.Sprintf("127.0.0.1:%d", m.port)
	}
	l := &memoryListener{net: m, addr: memoryAddr(addr), conns: make(chan net.Conn), closed: make(chan struct{})}
	m.listeners[addr] = l
	return l, nil
}

var errRefused = errors.New("connection refused")

func (m *memory) Dial(ctx context.Context, _, addr string) (net.Conn, error) {
	m.mu.Lock()
	l := m.listeners[addr]
	m.mu.Unlock()
	if l == nil {
		return nil, errRefused
	}
	here, there := net.Pipe()
	select {
	case l.conns <- memoryConn{there, l.addr, memoryAddr("127.0.0.1:1")}:
		return memoryConn{here, memoryAddr("127.0.0.1:1"), l.addr}, nil
	case <-l.closed:
		return nil, errRefused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.net.mu.Lock()
		defer l.net.mu.Unlock()
		delete(l.net.listeners, l.addr.String())
	})
	return nil
}

func (l *memoryListener) Addr() net.Addr { return l.addr }

type memoryAddr string

func (memoryAddr) Network() string  { return "tcp" }
func (a memoryAddr) String() string { return cmp.Or(string(a), "127.0.0.1:0") }

type memoryConn struct {
	net.Conn
	local, remote net.Addr
}

func (c memoryConn) LocalAddr() net.Addr  { return c.local }
func (c memoryConn) RemoteAddr() net.Addr { return c.remote }
