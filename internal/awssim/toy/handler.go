package toy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// maxEcho bounds the body that /echo repeats.
const maxEcho = 1 << 20

// identity is what a target answers about itself.
type identity struct {
	Cluster string `json:"cluster"`
	Target  string `json:"target"`
	Version string `json:"version"`
}

// echo is the answer of /echo: the request as the target saw it.
type echo struct {
	identity

	Method string      `json:"method"`
	Host   string      `json:"host"`
	URI    string      `json:"uri"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
}

func (t *target) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", t.root)
	mux.HandleFunc("/echo", t.echo)
	mux.HandleFunc("/stream", t.stream)
	mux.HandleFunc("/ws", t.websocket)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" || strings.HasPrefix(r.UserAgent(), "ELB-HealthChecker/") {
			t.health(w)
			return
		}
		t.requests.Add(1)
		fails, slow := t.cluster.fail.next(), t.cluster.slow.next()
		if d := time.Duration(t.cluster.latency.Load()); slow && d > 0 {
			timer := time.NewTimer(d)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-r.Context().Done():
				panic(http.ErrAbortHandler)
			}
		}
		if fails {
			t.failed.Add(1)
			if t.cluster.resets.Load() {
				reset(w)
				return
			}
			http.Error(w, "this request fails on purpose", http.StatusInternalServerError)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (t *target) identity() identity {
	return identity{Cluster: t.cluster.cfg.Name, Target: t.name, Version: t.cluster.cfg.Version}
}

func (t *target) health(w http.ResponseWriter) {
	t.healthChecks.Add(1)
	if t.cluster.unhealthy.Load() {
		http.Error(w, "unhealthy", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ok\n") // the prober may be gone
}

func (t *target) root(w http.ResponseWriter, _ *http.Request) { answerJSON(w, t.identity()) }

func (t *target) echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEcho))
	if err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, fmt.Sprintf("reading the body: %v", err), status)
		return
	}
	answerJSON(w, echo{identity: t.identity(), Method: r.Method, Host: r.Host, URI: r.RequestURI, Header: r.Header, Body: string(body)})
}

// reset the connection of a request.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // as near as it gets
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // so that closing it is a reset
	}
	_ = conn.Close() // the client is told no more either way
}

func answerJSON(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n')) // the client may be gone
}

// stream sends server-sent events at the configured interval.
func (t *target) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	tick := time.NewTicker(t.cluster.cfg.StreamInterval)
	defer tick.Stop()
	out := http.NewResponseController(w)
	for i := range t.cluster.cfg.StreamEvents {
		if i > 0 {
			select {
			case <-r.Context().Done():
				return
			case <-tick.C:
			}
		}
		if _, err := fmt.Fprintf(w, "id: %d\ndata: %s\n\n", i, t.name); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
			return
		}
	}
}

// websocket echoes messages until the client closes.
func (t *target) websocket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // any origin: it is an echo on loopback
	if err != nil {
		return // Accept has answered
	}
	defer c.CloseNow() //nolint:errcheck // Nothing is left to be told.
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}
