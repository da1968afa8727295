package alb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/norikae/norikae/internal/awssim/loopback"
	"github.com/norikae/norikae/internal/awssim/model"
)

// clientKeepAlive is how long an idle client connection is kept, as the attribute
// client_keep_alive.seconds says by default.
const clientKeepAlive = time.Hour

// listener serves one model.Listener.
type listener struct {
	plane  *DataPlane
	addr   string
	counts *listenerCounts
	table  atomic.Pointer[table]
	server *http.Server
	conns  *clientListener
	cancel context.CancelFunc // ends the requests under way
}

// listen starts a listener.
func (p *DataPlane) listen(m model.Listener, t *table) (*listener, error) {
	arn, host := m.ARN, ""
	if p.cfg.Host != nil {
		host = p.cfg.Host(m.LoadBalancerARN)
	}
	ln, err := loopback.Listen(p.cfg.Listen, "tcp", host, m.Port)
	if err != nil {
		return nil, fmt.Errorf("listening for %s: %w", arn, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if p.listenerCounts[arn] == nil {
		p.listenerCounts[arn] = &listenerCounts{}
	}
	l := &listener{plane: p, addr: ln.Addr().String(), counts: p.listenerCounts[arn], cancel: cancel}
	l.conns = &clientListener{Listener: ln, stats: &t.balancer.stats, wg: &p.wg, open: map[*clientConn]struct{}{}}
	l.table.Store(t)
	l.server = &http.Server{
		Handler:           l,
		ReadHeaderTimeout: time.Minute,
		IdleTimeout:       clientKeepAlive,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(p.cfg.Logger.Handler(), slog.LevelDebug),
	}
	p.wg.Go(func() {
		err := l.server.Serve(l.conns)
		if !errors.Is(err, http.ErrServerClosed) {
			p.cfg.Logger.Error("listener stopped", "listener", arn, "error", err)
		}
	})
	return l, nil
}

// close ends the listener, its connections and the requests under way.
func (l *listener) close() error {
	l.cancel()
	err := l.server.Close()
	l.conns.closeConns()
	return err
}

// ServeHTTP handles one request of a client.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.counts.received.Add(1)
	ended := &l.counts.aborted
	defer func() { ended.Add(1) }()
	t := l.table.Load()
	if status := refused(r); status != 0 {
		fail(w, t.balancer, status)
		ended = &l.counts.answered
		return
	}
	s := newSubject(r)
	for i := range t.rules {
		ru := &t.rules[i]
		if !ru.match(&s) {
			continue
		}
		switch {
		case ru.forward != nil:
			if !l.forward(w, r, t, ru.forward) {
				ended = &l.counts.lost
				panic(http.ErrAbortHandler) // closes the connection without an answer
			}
		case ru.redirect != nil:
			t.redirect(w, r, ru.redirect)
		default:
			t.balancer.stats.fixed.Add(1)
			write(w, ru.fixed.status, ru.fixed.contentType, ru.fixed.body)
		}
		ended = &l.counts.answered
		return
	}
	fail(w, t.balancer, http.StatusInternalServerError) // every listener has a default rule
	ended = &l.counts.answered
}

// statusTooManyAddresses is ALB's answer to an X-Forwarded-For of more than 30 addresses.
const statusTooManyAddresses = 463

// refused is the status of a request that no rule gets to see, else 0.
func refused(r *http.Request) int {
	if r.Method == http.MethodTrace || r.Method == http.MethodConnect {
		return http.StatusMethodNotAllowed
	}
	if given := r.Header["X-Forwarded-For"]; len(given) > 0 && strings.Count(strings.Join(given, ","), ",") >= 30 {
		return statusTooManyAddresses
	}
	return 0
}

// forward sends a request to a target; false when it is to be lost.
func (l *listener) forward(w http.ResponseWriter, r *http.Request, t *table, f *forward) bool {
	p := l.plane
	var m *member
	if f.sticky > 0 {
		if g := p.cookies.group(r, time.Now()); g != "" {
			m = f.member(g)
		}
	}
	if m == nil {
		m = f.pick(p.random.Next())
	}
	if m == nil { // the weights sum to 0
		fail(w, t.balancer, http.StatusServiceUnavailable)
		return true
	}
	tg, failOpen := m.group.Next()
	if tg == nil { // no registered targets; there is no fail-over to another group
		fail(w, t.balancer, http.StatusServiceUnavailable)
		return true
	}
	if p.takeLose() {
		tg.Data.lost.Add(1)
		m.stats.failed(false, failOpen)
		return false
	}
	ex := &exchange{table: t, member: m, target: tg, failOpen: failOpen, sticky: f.sticky}
	binary.BigEndian.PutUint64(ex.traceID[:], p.random.Next())
	tg.Data.sent.Add(1)
	tg.Data.inFlight.Add(1)
	defer tg.Data.inFlight.Add(-1)
	t.exchange.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, ex)))
	return true
}
