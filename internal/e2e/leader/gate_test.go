//go:build e2e

package leader

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/norikae/norikae/internal/kubetest"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// ledger is what reached the API server, from both replicas.
type ledger struct {
	mu     sync.Mutex
	writes []write
	errs   []error
}

func (l *ledger) add(w write) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes = append(l.writes, w)
}

func (l *ledger) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

func (l *ledger) all() ([]write, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]write(nil), l.writes...), errors.Join(l.errs...)
}

// point is where the leader is killed.
type point struct {
	name string // of the write
	nth  int    // of that name, from 1; 0: nowhere
	how  how
	// after is the other replica's write after which one that was held is sent on; "": the same.
	after string
}

// torn tells whether a Secret that is to be replaced has been deleted, and is not there.
func (p point) torn() bool {
	return p.name == "delete replaced" && p.how == landed || p.name == "create replaced" && p.nth == 2 && p.how != landed
}

func (p point) String() string { return fmt.Sprintf("%s, number %d, %s", p.name, p.nth, p.how) }

// gate stands between a replica and the API server. It lets one write through at a time,
// so that it is certain what had reached the API server when the replica died.
type gate struct {
	by       string
	url      string
	ca       []byte // PEM
	next     http.RoundTripper
	secrets  registrar.Secrets // as the administrator sees them
	clusters map[string]string // names, by Secret
	decoder  serializer.CodecFactory
	ledger   *ledger
	leaky    bool // the dead may write: a planted fault

	mu     sync.Mutex
	at     point
	onDone func(name string) // called with each write that landed

	state   sync.Mutex // what is below, which others look at
	process *process
	died    time.Time
	seen    map[string]bool // reads that were answered
	counts  map[string]int
	held    func()
}

// newGate to the API server.
func newGate(t *testing.T, by string, c *kubetest.Cluster, secrets registrar.Secrets, l *ledger) *gate {
	t.Helper()
	target, err := url.Parse(c.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{
		by: by, secrets: secrets, ledger: l, decoder: serializer.NewCodecFactory(c.Scheme),
		clusters: map[string]string{}, seen: map[string]bool{}, counts: map[string]int{},
	}
	// Who asks is known by the token alone.
	if g.next, err = rest.TransportFor(rest.AnonymousClientConfig(c.Config)); err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     g,
		FlushInterval: -1, // watches
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewUnstartedServer(proxy)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // connections of the dead
	server.StartTLS()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	g.url, g.ca = server.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return g
}

var errDead = errors.New("who asks is dead")

// RoundTrip sends a request of the replica on.
func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	place, ok := placeOf(r)
	if !ok || r.Method == http.MethodGet {
		resp, err := g.next.RoundTrip(r)
		if ok && err == nil && resp.StatusCode == http.StatusOK {
			g.state.Lock()
			defer g.state.Unlock()
			g.seen[place.read(r)] = true
		}
		return resp, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.dead() && !g.leaky {
		return nil, errDead
	}
	w, err := g.read(r, place, body)
	if err != nil {
		g.ledger.fail(err)
		return nil, err
	}
	// Who sent it may die meanwhile.
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.Body = io.NopCloser(bytes.NewReader(body))
	if !g.reached(w.name) {
		return g.send(out, w)
	}
	switch g.at.how {
	case landed:
		resp, err := g.send(out, w)
		if err != nil {
			g.ledger.fail(err)
		} else {
			resp.Body.Close()
		}
	case late:
		g.state.Lock()
		g.held = func() {
			resp, err := g.send(out, w)
			if err != nil {
				g.ledger.fail(err)
				return
			}
			resp.Body.Close()
		}
		g.state.Unlock()
	case hung:
		return g.hang(out, w)
	default:
	}
	g.kill()
	return nil, errDead
}

// hang stops the replica until it is released, and lets it go on where it was.
func (g *gate) hang(r *http.Request, w write) (*http.Response, error) {
	resume := make(chan struct{})
	if err := g.process.signal(syscall.SIGSTOP); err != nil {
		g.ledger.fail(err)
		return nil, err
	}
	g.state.Lock()
	g.died = time.Now()
	g.held = func() { close(resume) }
	g.state.Unlock()
	select {
	case <-resume:
	case <-g.process.done: // the test has failed
		return nil, errDead
	}
	resp, err := g.send(r, w)
	if err != nil {
		g.ledger.fail(err)
	}
	if err := g.process.signal(syscall.SIGCONT); err != nil {
		g.ledger.fail(err)
	}
	return resp, err
}

// reached tells whether this is the write at which the replica dies.
func (g *gate) reached(name string) bool {
	g.state.Lock()
	defer g.state.Unlock()
	g.counts[name]++
	return name == g.at.name && g.counts[name] == g.at.nth
}

// reachedPoint tells whether the replica has been killed, or made to hang.
func (g *gate) reachedPoint() bool {
	g.state.Lock()
	defer g.state.Unlock()
	return !g.died.IsZero()
}

func (g *gate) kill() {
	at := g.process.kill()
	g.state.Lock()
	defer g.state.Unlock()
	g.died = at
}

// dead tells whether the replica is.
func (g *gate) dead() bool {
	g.state.Lock()
	defer g.state.Unlock()
	return g.process != nil && g.process.dead()
}

// release what was held when the replica died, once.
func (g *gate) release() {
	g.state.Lock()
	held := g.held
	g.held = nil
	g.state.Unlock()
	if held != nil {
		held()
	}
}

// send a write on, and note what came of it.
func (g *gate) send(r *http.Request, w write) (*http.Response, error) {
	w.at = time.Now()
	w.At = w.at
	resp, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	w.status = resp.StatusCode
	if w.kind == secretKind && w.landed() {
		if w.after, err = g.secrets.List(r.Context()); err != nil {
			return nil, err
		}
		w.After = find(w.after, w.secret)
	}
	g.ledger.add(w)
	if w.landed() && g.onDone != nil {
		g.onDone(w.name)
	}
	return resp, nil
}

// place of an object in the API.
type place struct {
	resource, name string
	core           bool // without a group
}

var kinds = map[string]kind{"secrets": secretKind, "clustersets": statusKind, "events": eventKind, "leases": leaseKind}

// placeOf what is asked for; false: no object that matters here.
func placeOf(r *http.Request) (place, bool) {
	_, path, ok := strings.Cut(r.URL.Path, "/namespaces/")
	parts := append(strings.Split(path, "/"), "", "")
	_, known := kinds[parts[1]]
	return place{parts[1], parts[2], strings.HasPrefix(r.URL.Path, "/api/")}, ok && known
}

// read is what a read is called.
func (p place) read(r *http.Request) string {
	switch {
	case r.URL.Query().Get("watch") != "":
		return "watch " + p.resource
	case p.name != "":
		return "get " + p.resource
	default:
		return "list " + p.resource
	}
}

// read what a write is going to do.
func (g *gate) read(r *http.Request, p place, body []byte) (write, error) {
	w := write{by: g.by, kind: kinds[p.resource]}
	verb := map[string]string{http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete"}[r.Method]
	w.name = verb + " " + string(w.kind)
	switch w.kind {
	case eventKind:
		if p.core {
			w.name += " of the election"
		}
	case statusKind:
	case leaseKind:
		lease, err := decode[*coordinationv1.Lease](g, body)
		if err != nil {
			return w, err
		}
		if lease.Spec.HolderIdentity != nil {
			w.holder = *lease.Spec.HolderIdentity
		}
	case secretKind:
		return w, g.readSecret(r, &w, p.name, body)
	}
	return w, nil
}

// readSecret tells what a write of a Secret is going to do.
func (g *gate) readSecret(r *http.Request, w *write, name string, body []byte) error {
	if r.Method == http.MethodPost {
		s, err := decode[*corev1.Secret](g, body)
		if err != nil {
			return err
		}
		name = s.Name
	}
	all, err := g.secrets.List(context.WithoutCancel(r.Context()))
	if err != nil {
		return err
	}
	w.secret, w.cluster = name, g.clusters[name]
	w.Before = find(all, name)
	for _, e := range all {
		if e.Ours() {
			w.Ours++
		}
	}
	switch r.Method {
	case http.MethodPost:
		w.Do = registry.Create
	case http.MethodDelete:
		w.Do = registry.Delete
	default:
		var patch struct{ Data map[string]any }
		if err := json.Unmarshal(body, &patch); err != nil {
			return fmt.Errorf("reading a patch of a Secret: %w", err)
		}
		switch {
		case patch.Data == nil:
			w.Do = registry.Mark
		case w.Before.Ours():
			w.Do = registry.Update
		default:
			w.Do = registry.Adopt
		}
	}
	w.name = string(w.Do) + " " + w.cluster
	return nil
}

// decode an object as JSON or as what Kubernetes makes of protobuf.
func decode[T any](g *gate, body []byte) (out T, err error) {
	obj, _, err := g.decoder.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		return out, fmt.Errorf("reading what is written: %w", err)
	}
	out, ok := obj.(T)
	if !ok {
		return out, fmt.Errorf("reading what is written: it is a %T, want a %T", obj, out)
	}
	return out, nil
}

// find an entry; the zero Entry when there is none.
func find(all []registry.Entry, name string) registry.Entry {
	for _, e := range all {
		if e.Name == name {
			return e
		}
	}
	return registry.Entry{}
}
