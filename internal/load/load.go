// Package load is a client that counts: it sends requests at a steady rate, never sends
// one twice, and says of each how it ended. Its count stands against those of the load
// balancer and of the targets.
package load

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Config of a load.
type Config struct {
	URL  string
	Host string // of the requests
	// Rate in requests per second; 0: as fast as Workers can.
	Rate    int
	Workers int // concurrent connections; default 8
	// NewConnections makes a connection for each request, rather than to use them again.
	NewConnections bool
	// NameServer is the host:port where the URL's host is looked up at every connection;
	// "": the machine's own way.
	NameServer string
	// Total ends the load after so many requests; 0: it goes on until it is stopped.
	Total uint64
}

// Counts of a load. Sent = OK + ClientErrors + ServerErrors + Lost once it has stopped.
type Counts struct {
	Sent         uint64 `json:"sent"`
	OK           uint64 `json:"ok"`           // answered with a status below 400
	ClientErrors uint64 `json:"clientErrors"` // answered with 4xx
	ServerErrors uint64 `json:"serverErrors"` // answered with 5xx
	Lost         uint64 `json:"lost"`         // no answer, or not a whole one
}

// Load is a running load.
type Load struct {
	cfg                                      Config
	client                                   *http.Client
	sent, ok, clientError, serverError, lost atomic.Uint64
	stop                                     chan struct{}
	stopping                                 sync.Once
	workers                                  sync.WaitGroup
}

// Start begins to send.
func Start(cfg Config) *Load {
	if cfg.Workers == 0 {
		cfg.Workers = 8
	}
	l := &Load{cfg: cfg, stop: make(chan struct{}), client: &http.Client{
		Transport: &http.Transport{
			DialContext:         dialer(cfg.NameServer).DialContext,
			MaxIdleConnsPerHost: cfg.Workers, DisableCompression: true, DisableKeepAlives: cfg.NewConnections,
		},
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	tickets := make(chan struct{})
	l.workers.Go(func() { l.issue(tickets) })
	for range cfg.Workers {
		l.workers.Go(func() {
			for range tickets {
				l.one()
			}
		})
	}
	return l
}

// dialer of connections to hosts that a name server knows. It keeps no answer.
func dialer(nameServer string) *net.Dialer {
	d := &net.Dialer{Timeout: 5 * time.Second}
	if nameServer != "" {
		d.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, nameServer)
		}}
	}
	return d
}

// issue hands out tickets, one a request, at the rate: every few milliseconds as many as
// are due, so that the rate holds on a busy machine too.
func (l *Load) issue(tickets chan<- struct{}) {
	defer close(tickets)
	start := time.Now()
	for n := uint64(0); l.cfg.Total == 0 || n < l.cfg.Total; n++ {
		if l.cfg.Rate > 0 {
			due := start.Add(time.Duration(n) * time.Second / time.Duration(l.cfg.Rate))
			if wait := time.Until(due); wait > time.Millisecond {
				select {
				case <-time.After(wait):
				case <-l.stop:
					return
				}
			}
		}
		select {
		case tickets <- struct{}{}:
		case <-l.stop:
			return
		}
	}
}

// one sends one request. POST without an Idempotency-Key is never sent twice by
// net/http, whatever happens to a kept-alive connection.
func (l *Load) one() {
	l.sent.Add(1)
	status, err := l.do()
	switch {
	case err != nil:
		l.lost.Add(1)
	case status >= http.StatusInternalServerError:
		l.serverError.Add(1)
	case status >= http.StatusBadRequest:
		l.clientError.Add(1)
	default:
		l.ok.Add(1)
	}
}

func (l *Load) do() (int, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, l.cfg.URL, http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("making a request: %w", err)
	}
	req.Host = l.cfg.Host
	resp, err := l.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end, or failed to be
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}

// Counts so far.
func (l *Load) Counts() Counts {
	return Counts{Sent: l.sent.Load(), OK: l.ok.Load(), ClientErrors: l.clientError.Load(), ServerErrors: l.serverError.Load(), Lost: l.lost.Load()}
}

// Wait until Total is sent and answered.
func (l *Load) Wait() Counts {
	l.workers.Wait()
	l.client.CloseIdleConnections()
	return l.Counts()
}

// Stop sending, and wait for the answers under way.
func (l *Load) Stop() Counts {
	l.stopping.Do(func() { close(l.stop) })
	return l.Wait()
}
