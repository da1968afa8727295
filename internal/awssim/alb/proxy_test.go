package alb

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/toy"
)

// seen is what /echo of a toy target tells about the request that it got.
type seen struct {
	Method, Host, URI, Body string
	Header                  http.Header
}

func (a answer) seen(t *testing.T) seen {
	t.Helper()
	var s seen
	if err := json.Unmarshal([]byte(a.body), &s); err != nil {
		t.Fatalf("answer %d %q: %v", a.status, a.body, err)
	}
	return s
}

func TestTargetsSeeTheClientsRequestWithTheLoadBalancersHeaders(t *testing.T) {
	trace := regexp.MustCompile(`^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$`)
	virtual(t, split("blue", 1), func(t *testing.T, l *lab) {
		s := l.client.get(t, "/echo?a=1;b=%zz&c", "Host", "shop.example.com", "X-Mine", "1", "X-Mine", "2",
			"Connection", "X-Secret", "X-Secret", "hop", "Keep-Alive", "timeout=5", "Proxy-Authorization", "x",
			"X-Forwarded-Proto", "gopher", "X-Forwarded-Host", "given", "Forwarded", "for=1.2.3.4").seen(t)
		if s.Method != http.MethodGet || s.Host != "shop.example.com" || s.URI != "/echo?a=1;b=%zz&c" {
			t.Errorf("the target saw %s %s of host %s", s.Method, s.URI, s.Host)
		}
		if id := s.Header.Get("X-Amzn-Trace-Id"); !trace.MatchString(id) {
			t.Errorf("X-Amzn-Trace-Id = %q, want %s", id, trace)
		}
		s.Header.Del("X-Amzn-Trace-Id")
		s.Header.Del("User-Agent")
		want := http.Header{
			"X-Mine": {"1", "2"}, "X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Port": {"80"},
			"X-Forwarded-Host": {"given"}, "Forwarded": {"for=1.2.3.4"},
		}
		if d := cmp.Diff(want, s.Header); d != "" {
			t.Errorf("headers (-want +got):\n%s", d)
		}
		s = l.client.get(t, "/echo", "X-Forwarded-For", "192.0.2.1", "X-Forwarded-For", "192.0.2.2", "X-Amzn-Trace-Id", "Root=1-67891233-abcdef012345678912345678;CalledFrom=app").seen(t)
		if got := s.Header.Get("X-Forwarded-For"); got != "192.0.2.1, 192.0.2.2, 127.0.0.1" {
			t.Errorf("X-Forwarded-For = %q", got)
		}
		if got := s.Header.Get("X-Amzn-Trace-Id"); !strings.HasPrefix(got, "Self=1-") || !strings.HasSuffix(got, ";Root=1-67891233-abcdef012345678912345678;CalledFrom=app") {
			t.Errorf("X-Amzn-Trace-Id = %q, want a Self before what was given", got)
		}
		for mode, want := range map[string]string{"remove": "", "preserve": "192.0.2.1", "append": "192.0.2.1, 127.0.0.1"} {
			l.world.lbAttributes = map[string]string{"routing.http.xff_header_processing.mode": mode}
			l.apply(split("blue", 1))
			s := l.client.get(t, "/echo", "X-Forwarded-For", "192.0.2.1").seen(t)
			if got := s.Header.Get("X-Forwarded-For"); got != want {
				t.Errorf("mode %s: X-Forwarded-For = %q, want %q", mode, got, want)
			}
		}
	})
}

func TestBodiesGoThroughWhole(t *testing.T) {
	virtual(t, split("blue", 1), func(t *testing.T, l *lab) {
		body := strings.Repeat("0123456789", 20000)
		for name, r := range map[string]io.Reader{"of known length": strings.NewReader(body), "in chunks": io.MultiReader(strings.NewReader(body))} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+l.client.addr+"/echo", r)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := l.client.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if s := (answer{body: string(b)}).seen(t); err != nil || s.Method != http.MethodPut || s.Body != body {
				t.Errorf("body %s: %s with %d bytes came back, %v", name, s.Method, len(s.Body), err)
			}
		}
	})
}

func TestRedirectsFillInTheirPlaceholders(t *testing.T) {
	for name, tc := range map[string]struct {
		redirect model.Redirect
		status   int
		location string
	}{
		"to https": {
			model.Redirect{Protocol: "HTTPS", Port: "443", StatusCode: "HTTP_301"},
			301, "https://shop.example.com:443/a%20b/c?x=1&y",
		},
		"parts that are not given stay": {model.Redirect{Host: "new.example.com", StatusCode: "HTTP_302"}, 302, "http://new.example.com:80/a%20b/c?x=1&y"},
		"placeholders within parts": {
			model.Redirect{Host: "www.#{host}", Path: "/v2/#{path}", Query: "#{query}&from=#{protocol}", Port: "#{port}", Protocol: "#{protocol}", StatusCode: "HTTP_302"},
			302, "http://www.shop.example.com:80/v2/a%20b/c?x=1&y&from=http",
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, model.Action{Type: "redirect", Redirect: &tc.redirect}, func(t *testing.T, l *lab) {
				a := l.client.get(t, "/a%20b/c?x=1&y", "Host", "shop.example.com:8080")
				if got := a.header.Get("Location"); a.status != tc.status || got != tc.location {
					t.Errorf("%d to %q, want %d to %q", a.status, got, tc.status, tc.location)
				}
			})
		})
	}
}

func TestTheFirstRuleThatMatchesDecides(t *testing.T) {
	virtual(t, split("blue", 1), func(t *testing.T, l *lab) {
		hostIs := func(h string) []model.Condition {
			return []model.Condition{{Field: "host-header", Values: []string{h}}}
		}
		l.world.rules = []model.Rule{
			{ARN: "1", Priority: 1, Conditions: hostIs("a.example.com"), Actions: []model.Action{
				{Type: "authenticate-oidc", Order: 1}, {Type: "fixed-response", Order: 2, FixedResponse: &model.FixedResponse{StatusCode: "403", ContentType: "text/plain", MessageBody: "no"}},
			}},
			{ARN: "2", Priority: 2, Conditions: hostIs("*.example.com"), Actions: []model.Action{split("green", 1)}},
			{ARN: "broken", Priority: 3, Conditions: []model.Condition{{Field: "path-pattern", Regexes: []string{"("}}}, Actions: []model.Action{fixed("200", "")}},
			defaultRule(split("blue", 1)),
		}
		l.plane.Apply(l.world.config())
		if a := l.client.get(t, "/", "Host", "a.example.com"); a.status != 403 || a.body != "no" || a.header.Get("Content-Type") != "text/plain" {
			t.Errorf("a.example.com: %d %q, want 403 no", a.status, a.body)
		}
		if a := l.client.get(t, "/", "Host", "b.example.com"); a.cluster() != "green" {
			t.Errorf("b.example.com: %d from %q, want green", a.status, a.cluster())
		}
		if a := l.client.get(t, "/", "Host", "b.example.org"); a.cluster() != "blue" {
			t.Errorf("b.example.org: %d from %q, want blue", a.status, a.cluster())
		}
	})
}

// A target that hangs up without an answer on a connection that was kept alive: the
// standard Transport would send a GET again.
func TestNoRequestIsSentTwice(t *testing.T) {
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var got atomic.Int64
	target := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Add(1)
		if te := r.TransferEncoding; len(te) > 0 && r.Method != http.MethodPatch {
			t.Errorf("%s came with Transfer-Encoding %v", r.Method, te)
		}
		if r.URL.Path == "/die" {
			panic(http.ErrAbortHandler)
		}
	})}
	go func() { _ = target.Serve(ln) }()
	t.Cleanup(func() { _ = target.Close() })
	g := checked(t, "blue", ln.Addr().String())
	g.HealthCheck.Enabled = false
	p := start(t, Config{})
	p.Apply(world{groups: []model.TargetGroup{g}, rules: []model.Rule{defaultRule(split("blue", 1))}}.config())
	c := newClient(t, p.Addr(listenerARN), nil)
	sent := int64(0)
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"} {
		for _, key := range []string{"X-Other", "Idempotency-Key", "X-Idempotency-Key"} {
			// The first request leaves a kept-alive connection for the second.
			for _, step := range []struct {
				path string
				want int
			}{{"/", http.StatusOK}, {"/die", http.StatusBadGateway}} {
				a, err := c.do(t.Context(), method, step.path, key, "1")
				sent++
				if err != nil || a.status != step.want {
					t.Errorf("%s %s with %s: %d, %v; want %d", method, step.path, key, a.status, err, step.want)
				}
				if n := got.Load(); n != sent {
					t.Fatalf("%s %s with %s: the target got %d requests, the client sent %d", method, step.path, key, n, sent)
				}
			}
		}
	}
	if n := p.Counters().TargetGroups[g.ARN].Sent; int64(n) != sent {
		t.Errorf("the load balancer counted %d requests sent, want %d", n, sent)
	}
}

func TestEventsArriveWhenTheyAreSent(t *testing.T) {
	virtual(t, split("blue", 1), func(t *testing.T, l *lab) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.client.addr+"/stream", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		resp, err := l.client.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		var at []time.Duration
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "data:") {
				at = append(at, time.Since(began))
			}
		}
		if d := cmp.Diff([]time.Duration{0, time.Minute, 2 * time.Minute}, at); d != "" || lines.Err() != nil {
			t.Errorf("events arrived at (-want +got):\n%s%v", d, lines.Err())
		}
	})
}

func TestWebSocketsStayOnTheirTargetWhenWeightsMove(t *testing.T) {
	blue, green := startToy(t, toy.Config{Name: "blue"}), startToy(t, toy.Config{Name: "green"})
	w := world{groups: []model.TargetGroup{checked(t, "blue", blue.Addrs()...), checked(t, "green", green.Addrs()...)}}
	p := start(t, Config{})
	w.rules = []model.Rule{defaultRule(sticky(split("blue", 1, "green", 0), 60))}
	p.Apply(w.config())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, resp, err := websocket.Dial(ctx, "ws://"+p.Addr(listenerARN)+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("status %d, want 101", resp.StatusCode)
	}
	w.rules = []model.Rule{defaultRule(split("blue", 0, "green", 1))}
	p.Apply(w.config())
	for i := range 3 {
		said := fmt.Sprint("message ", i)
		if err := c.Write(ctx, websocket.MessageText, []byte(said)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Read(ctx); err != nil || string(got) != said {
			t.Errorf("echo %q, %v; want %q", got, err, said)
		}
	}
	if b, g := blue.Counters().Requests, green.Counters().Requests; b != 1 || g != 0 {
		t.Errorf("blue got %d requests and green %d, want 1 and 0", b, g)
	}
}

func TestAClientThatGoesAwayIsNotAFailureOfTheTarget(t *testing.T) {
	virtual(t, split("blue", 1), func(t *testing.T, l *lab) {
		l.sink.take(t)
		l.toys["blue"].SetLatency(30 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.client.do(ctx, http.MethodGet, "/"); err == nil {
			t.Error("the request was answered")
		}
		sleep(time.Minute)
		got := l.sink.take(t)
		const lb = "{LoadBalancer=app/web/0123456789abcdef}"
		if got["HTTPCode_ELB_4XX_Count"+lb].Sum != 1 || got["HTTPCode_ELB_5XX_Count"+lb].Sum != 0 || got["RequestCount"+lb].Sum != 1 {
			t.Errorf("metrics %v, want one ELB 4XX (460) and no 5XX", got)
		}
		if c := l.plane.Counters().Listeners[listenerARN]; c.Aborted != 1 || c.Answered != 0 {
			t.Errorf("counters %+v, want 1 aborted", c)
		}
	})
}

func TestAListenerKeepsItsAddressUntilItIsRemoved(t *testing.T) {
	virtual(t, split("blue", 1), func(t *testing.T, l *lab) {
		before := l.plane.Addr(listenerARN)
		l.apply(split("green", 1))
		if after := l.plane.Addr(listenerARN); after != before || l.client.get(t, "/").cluster() != "green" {
			t.Errorf("address was %q, is %q", before, after)
		}
		c := l.world.config()
		c.Listeners = nil
		l.plane.Apply(c)
		if got := l.plane.Addr(listenerARN); got != "" {
			t.Errorf("a removed listener has address %q", got)
		}
		if _, err := l.client.do(t.Context(), http.MethodGet, "/"); err == nil {
			t.Error("a removed listener answered")
		}
	})
}
