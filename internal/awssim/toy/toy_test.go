package toy

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func start(t *testing.T, cfg Config) *Cluster {
	t.Helper()
	c, err := Start(cfg)
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

type reply struct {
	status            int
	contentType, body string
}

// call makes a request on a connection of its own.
func call(t *testing.T, method, url, body string, headers ...string) (reply, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header.Get("Content-Type"), string(b)}, err
}

func TestTargetsSayWhoTheyAre(t *testing.T) {
	c := start(t, Config{Name: "green", Version: "v2", Targets: 3})
	if len(c.Addrs()) != 3 || c.Name() != "green" {
		t.Fatalf("cluster %s has targets %v", c.Name(), c.Addrs())
	}
	for i, addr := range c.Addrs() {
		a, err := call(t, http.MethodGet, "http://"+addr+"/", "")
		if err != nil {
			t.Fatal(err)
		}
		var got identity
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			t.Fatalf("%q: %v", a.body, err)
		}
		want := identity{Cluster: "green", Target: []string{"green-0", "green-1", "green-2"}[i], Version: "v2"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

func TestEchoRepeatsTheRequest(t *testing.T) {
	c := start(t, Config{Name: "blue"})
	a, err := call(t, http.MethodPost, "http://"+c.Addrs()[0]+"/echo?q=1", "hello", "X-Mine", "yes")
	if err != nil {
		t.Fatal(err)
	}
	var got echo
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatalf("%q: %v", a.body, err)
	}
	if got.Method != http.MethodPost || got.URI != "/echo?q=1" || got.Body != "hello" || got.Header.Get("X-Mine") != "yes" || got.Cluster != "blue" || got.Host != c.Addrs()[0] {
		t.Errorf("echo %+v", got)
	}
	if got, err := call(t, http.MethodPost, "http://"+c.Addrs()[0]+"/echo", strings.Repeat("x", maxEcho+1)); err != nil || got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body that is too large: %v, %v; want 413", got, err)
	}
}

func TestOnlyRequestsThatAreNoHealthChecksCount(t *testing.T) {
	c := start(t, Config{Name: "blue", Targets: 1})
	base := "http://" + c.Addrs()[0]
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 10 {
				if _, err := call(t, http.MethodGet, base+"/", ""); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for path, agent := range map[string]string{"/healthz": "curl/8", "/": "ELB-HealthChecker/2.0"} {
		if got, err := call(t, http.MethodGet, base+path, "", "User-Agent", agent); err != nil || got.status != http.StatusOK {
			t.Errorf("GET %s by %s: %v, %v; want 200", path, agent, got, err)
		}
	}
	want := Counters{Requests: 200, Targets: []TargetCounters{{Addr: c.Addrs()[0], Requests: 200, HealthChecks: 2}}}
	if d := cmp.Diff(want, c.Counters()); d != "" {
		t.Errorf("counters (-want +got):\n%s", d)
	}
}

func TestAShareOfRequestsFails(t *testing.T) {
	c := start(t, Config{Name: "green", Targets: 2})
	if err := c.SetFailRate(0.05); err != nil {
		t.Fatal(err)
	}
	failed := uint64(0)
	for i := range 200 {
		got, err := call(t, http.MethodGet, "http://"+c.Addrs()[i%2]+"/", "")
		if err != nil {
			t.Fatal(err)
		}
		if got.status == http.StatusInternalServerError {
			failed++
		}
	}
	counted := c.Counters().Targets[0].Failed + c.Counters().Targets[1].Failed
	if failed != 10 || counted != 10 {
		t.Errorf("%d of 200 requests failed, %d were counted; want 10", failed, counted)
	}
	if got, err := call(t, http.MethodGet, "http://"+c.Addrs()[0]+"/healthz", ""); err != nil || got.status != http.StatusOK {
		t.Errorf("health check: %v, %v; want 200", got, err)
	}
	for _, rate := range []float64{-0.1, 1.1, math.NaN()} {
		if err := c.SetFailRate(rate); err == nil || !strings.Contains(err.Error(), "0–1") {
			t.Errorf("SetFailRate(%v) = %v, want an error with the range", rate, err)
		}
		if err := c.SetSlowRate(rate); err == nil || !strings.Contains(err.Error(), "0–1") {
			t.Errorf("SetSlowRate(%v) = %v, want an error with the range", rate, err)
		}
	}
}

func TestFailuresAreEvenlySpread(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0, 1).Draw(t, "rate")
		s := &spread{phase: rapid.Float64Range(0, 0.999).Draw(t, "phase")}
		if !s.set(rate) {
			t.Fatalf("rate %v was refused", rate)
		}
		s.seen.Store(rapid.Uint64Range(0, 1<<30).Draw(t, "requests before"))
		n, failed := rapid.IntRange(1, 500).Draw(t, "requests"), 0
		for range n {
			if s.next() {
				failed++
			}
		}
		if math.Abs(float64(failed)-float64(n)*rate) > 1+1e-6 {
			t.Fatalf("%d of %d requests failed at rate %v", failed, n, rate)
		}
	})
}

func TestUnhealthyTargetsStillServe(t *testing.T) {
	c := start(t, Config{Name: "blue"})
	c.SetHealthy(false)
	for path, want := range map[string]int{"/healthz": http.StatusServiceUnavailable, "/": http.StatusOK} {
		if got, err := call(t, http.MethodGet, "http://"+c.Addrs()[0]+path, ""); err != nil || got.status != want {
			t.Errorf("%s: %v, %v; want %d", path, got, err, want)
		}
	}
	c.SetHealthy(true)
	if got, err := call(t, http.MethodGet, "http://"+c.Addrs()[0]+"/healthz", ""); err != nil || got.status != http.StatusOK {
		t.Errorf("healthy again: %v, %v; want 200", got, err)
	}
}

func TestATargetThatIsDownRefusesConnectionsAndComesBackAtItsAddress(t *testing.T) {
	c := start(t, Config{Name: "blue"})
	addrs := c.Addrs()
	for range 2 { // the second time changes nothing
		if err := c.SetDown(true); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := call(t, http.MethodGet, "http://"+addrs[1]+"/", ""); err == nil {
		t.Error("a target that is down answered")
	}
	if err := c.SetDown(false); err != nil {
		t.Fatal(err)
	}
	if got, err := call(t, http.MethodGet, "http://"+addrs[1]+"/", ""); err != nil || got.status != http.StatusOK {
		t.Errorf("up again: %v, %v; want 200", got, err)
	}
}

func TestLatencyDelaysAnswersButNotHealthChecks(t *testing.T) {
	c := start(t, Config{Name: "blue"})
	c.SetLatency(50 * time.Millisecond)
	began := time.Now()
	if _, err := call(t, http.MethodGet, "http://"+c.Addrs()[0]+"/", ""); err != nil || time.Since(began) < 50*time.Millisecond {
		t.Errorf("answered after %s, %v; want at least 50ms", time.Since(began), err)
	}
	c.SetLatency(time.Hour)
	if _, err := call(t, http.MethodGet, "http://"+c.Addrs()[0]+"/healthz", ""); err != nil {
		t.Error(err)
	}
	// Close does not wait for the hour.
	go func() { _, _ = call(t, http.MethodGet, "http://"+c.Addrs()[0]+"/", "") }()
	for c.Counters().Requests < 2 {
		time.Sleep(time.Millisecond)
	}
}

func TestAShareOfRequestsIsSlow(t *testing.T) {
	c := start(t, Config{Name: "blue"})
	c.SetLatency(50 * time.Millisecond)
	if err := c.SetSlowRate(0.25); err != nil {
		t.Fatal(err)
	}
	slow := 0
	for range 8 {
		began := time.Now()
		if _, err := call(t, http.MethodGet, "http://"+c.Addrs()[0]+"/", ""); err != nil {
			t.Fatal(err)
		}
		if time.Since(began) >= 50*time.Millisecond {
			slow++
		}
	}
	if slow < 2 { // a busy machine may make others slow too
		t.Errorf("%d of 8 requests were slow, want 2", slow)
	}
}

func TestStreamSendsEvents(t *testing.T) {
	c := start(t, Config{Name: "blue", StreamEvents: 3, StreamInterval: time.Millisecond})
	got, err := call(t, http.MethodGet, "http://"+c.Addrs()[0]+"/stream", "")
	if err != nil {
		t.Fatal(err)
	}
	if want := "id: 0\ndata: blue-0\n\nid: 1\ndata: blue-0\n\nid: 2\ndata: blue-0\n\n"; got.body != want || got.contentType != "text/event-stream" {
		t.Errorf("%s: %q, want %q", got.contentType, got.body, want)
	}
}

func TestWebSocketsEcho(t *testing.T) {
	c := start(t, Config{Name: "blue"})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, "ws://"+c.Addrs()[0]+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if err := ws.Write(ctx, websocket.MessageBinary, []byte{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	kind, got, err := ws.Read(ctx)
	if err != nil || kind != websocket.MessageBinary || string(got) != "\x01\x02\x03" || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("status %d: %v %v, %v", resp.StatusCode, kind, got, err)
	}
}

func TestBadConfigurationsAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"no name":          {Config{}, "name must be given"},
		"negative targets": {Config{Name: "blue", Targets: -1}, "got -1"},
		"negative stream":  {Config{Name: "blue", StreamEvents: -1}, "StreamEvents"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Start(tc.cfg); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Start = %v, want an error with %q", err, tc.want)
			}
		})
	}
}
