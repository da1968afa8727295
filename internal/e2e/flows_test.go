package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/awssim"
)

// flows are a client's connections to a Network Load Balancer. Nothing is ever sent or
// opened a second time.
type flows struct {
	addr  string
	ctx   context.Context //nolint:containedctx // ends the load
	end   context.CancelFunc
	going sync.WaitGroup

	mu       sync.Mutex
	opened   map[string]uint64 // connections that were answered, by cluster
	requests map[string]uint64 // that were answered, by cluster
	broken   []string          // connections that ended before the client was done
	short    []outcome
	// unanswered are those of the broken that never had an answer.
	unanswered uint64

	long atomic.Int64 // connections that are open to stay
}

// tally of the flows.
type tally struct {
	opened, requests map[string]uint64
	broken           []string
	unanswered       uint64
}

func newFlows(t *testing.T, url string) *flows {
	t.Helper()
	f := &flows{addr: strings.TrimPrefix(url, "http://"), opened: map[string]uint64{}, requests: map[string]uint64{}}
	f.ctx, f.end = context.WithCancel(t.Context())
	t.Cleanup(func() { f.stop() })
	return f
}

// stop closes all connections in good order, and counts.
func (f *flows) stop() tally {
	f.end()
	f.going.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return tally{f.opened, f.requests, f.broken, f.unanswered}
}

// answers that are so far given to short connections.
func (f *flows) answers() []outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]outcome(nil), f.short...)
}

func (f *flows) fail(what string, answered bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !answered {
		f.unanswered++
	}
	f.broken = append(f.broken, fmt.Sprintf("%s at %s: %v", what, time.Now().UTC().Format(time.RFC3339Nano), err))
}

// identity of a target, as it tells it itself.
type identity struct{ Cluster, Target string }

// flow is one connection.
type flow struct {
	net.Conn

	answers *bufio.Reader
}

func (f *flows) dial() (flow, error) {
	// Without the load's context: what has begun is ended in good order.
	c, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(context.WithoutCancel(f.ctx), "tcp", f.addr)
	if err != nil {
		return flow{}, err
	}
	return flow{c, bufio.NewReader(c)}, nil
}

// request on a connection that stays open, or not.
func (c flow) request(stays bool) (id identity, err error) {
	header := "Host: x\r\n"
	if !stays {
		header += "Connection: close\r\n"
	}
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return id, err
	}
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\n"+header+"\r\n"); err != nil {
		return id, err
	}
	resp, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return id, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&id); err != nil {
		return id, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return id, err
}

// ended waits for the other side's end, after which nothing may come.
func (c flow) ended() error {
	n, err := io.Copy(io.Discard, c.answers)
	if n > 0 {
		err = errors.Join(err, fmt.Errorf("%d bytes too many", n))
	}
	return err
}

// answered counts a request, and its connection if it was the first on it.
func (f *flows) answered(id identity, first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests[id.Cluster]++
	if first {
		f.opened[id.Cluster]++
	}
}

// askEvery is how often a connection that stays sends a request.
const askEvery = 800 * time.Millisecond

// stay opens n connections that go on asking, always to be answered by the target that
// answered first, until the load is stopped.
func (f *flows) stay(n int) {
	for i := range n {
		f.long.Add(1)
		f.going.Go(func() {
			defer f.long.Add(-1)
			if answered, err := f.hold(time.Duration(i) * askEvery / time.Duration(n)); err != nil {
				f.fail("a connection that stays", answered, err)
			}
		})
	}
}

func (f *flows) hold(after time.Duration) (answered bool, err error) {
	c, err := f.dial()
	if err != nil {
		return false, err
	}
	defer c.Close()
	var first identity
	next := time.NewTimer(after)
	defer next.Stop()
	for n := 0; ; n++ {
		id, err := c.request(true)
		if err != nil {
			return n > 0, fmt.Errorf("request %d: %w", n, err)
		}
		f.answered(id, n == 0)
		if n == 0 {
			first = id
		} else if id != first {
			return true, fmt.Errorf("request %d was answered by %v, those before by %v", n, id, first)
		}
		select {
		case <-next.C:
			next.Reset(askEvery)
		case <-f.ctx.Done():
			if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil { //nolint:forcetypeassert // it was dialled as one
				return true, err
			}
			return true, c.ended()
		}
	}
}

// come opens connections of one request each, at most rate a second.
func (f *flows) come(rate int) {
	const workers = 4
	for range workers {
		f.going.Go(func() {
			tick := time.NewTicker(time.Second * workers / time.Duration(rate))
			defer tick.Stop()
			for f.ctx.Err() == nil {
				if answered, err := f.one(); err != nil {
					f.fail("a short connection", answered, err)
				}
				select {
				case <-tick.C:
				case <-f.ctx.Done():
				}
			}
		})
	}
}

func (f *flows) one() (answered bool, err error) {
	began := time.Now()
	c, err := f.dial()
	if err != nil {
		return false, err
	}
	defer c.Close()
	id, err := c.request(false)
	if err != nil {
		return false, err
	}
	ended := time.Now()
	f.answered(id, true)
	f.mu.Lock()
	f.short = append(f.short, outcome{began, ended, id.Cluster == "green"})
	f.mu.Unlock()
	return true, c.ended()
}

// uncounted compares the three counts of a load that is over: the client's, the load
// balancer's and the targets'. It says where they do not agree, and what was lost or cut.
func uncounted(client tally, c awssim.Counters) []string {
	var out []string
	differ := func(what string, got, want uint64) {
		if got != want {
			out = append(out, fmt.Sprintf("%s: %d, not %d", what, got, want))
		}
	}
	for _, b := range client.broken {
		out = append(out, "client: "+b)
	}
	var opened uint64
	for _, n := range client.opened {
		opened += n
	}
	tried := opened + client.unanswered
	if len(c.Flows.Listeners) != 1 {
		return append(out, fmt.Sprintf("%d listeners", len(c.Flows.Listeners)))
	}
	l := c.Flows.Listeners[0]
	differ("accepted by the load balancer, of those tried", l.Accepted, tried)
	differ("established by the load balancer, of those tried", l.Established, tried)
	differ("finished by both sides, of those established", l.Finished, l.Established)
	for what, n := range map[string]uint64{"refused": l.Refused, "lost": l.Lost, "failed": l.Failed, "reset": l.Resets, "cut": l.Cut, "idle": l.Idle} {
		differ(what+" by the load balancer", n, 0)
	}
	for _, g := range c.Flows.TargetGroups {
		differ("established to "+g.Name+", of those that it answered", g.Established, client.opened[g.Name])
	}
	for _, k := range c.Clusters {
		differ("requests counted by "+k.Name+"'s targets, of those that it answered", k.Requests, client.requests[k.Name])
	}
	return out
}

// group counts what the load balancer knows of a target group's connections.
func group(c awssim.Counters, name string) (out awssim.FlowCount) {
	for _, g := range c.Flows.TargetGroups {
		if g.Name == name {
			out = g
		}
	}
	return out
}
