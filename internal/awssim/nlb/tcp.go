package nlb

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// connectTimeout of connections to targets. On AWS the client's own decides.
	connectTimeout = 10 * time.Second
	// bufferSize of each direction of a connection.
	bufferSize = 8 << 10
	// acceptPause after an Accept that failed, e.g. for want of file descriptors.
	acceptPause = 5 * time.Millisecond
)

// acceptTCP serves connections until the listener is closed.
func (l *listener) acceptTCP() {
	for {
		client, err := l.tcp.Accept()
		switch {
		case err == nil:
			l.connect(client)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			l.plane.cfg.Logger.Error("accepting a connection", "listener", l.addr, "error", err)
			pause := time.NewTimer(acceptPause)
			select {
			case <-pause.C:
			case <-l.plane.ctx.Done():
				pause.Stop()
				return
			}
		}
	}
}

// connect chooses a target for a connection and carries it in goroutines of its own.
func (l *listener) connect(client net.Conn) {
	l.counts.accepted.Add(1)
	to := l.choose(addrOf(client.RemoteAddr()))
	if to.target == nil {
		l.counts.refused.Add(1)
		to.balancer.stats.elbResets.Add(1)
		reset(client)
		return
	}
	data := &to.target.Data
	data.counts.accepted.Add(1)
	to.balancer.stats.begin(l.network(), to.failOpen)
	if l.plane.takeLose() {
		l.counts.lost.Add(1)
		data.counts.lost.Add(1)
		reset(client)
		return
	}
	c := &conn{listener: l, to: to, protocol: l.network(), client: client}
	c.ctx, c.cancel = context.WithTimeout(l.plane.ctx, connectTimeout)
	data.live.add(c)
	if !l.live.add(c) {
		c.cut()
	}
	l.plane.wg.Go(c.run)
}

// network is what a listener's TCP connections count as.
func (l *listener) network() string {
	if l.protocol == "TLS" {
		return "TLS"
	}
	return "TCP"
}

// conn is one client's connection and the one to its target.
type conn struct {
	listener *listener
	to       choice
	protocol string // TCP | TLS
	client   net.Conn
	ctx      context.Context //nolint:containedctx // of the dial, which a cut ends
	cancel   context.CancelFunc
	last     atomic.Int64 // when bytes last passed, in ns since the data plane began
	idle     *time.Timer  // set before the goroutines start

	mu     sync.Mutex
	server net.Conn // nil until connected
	ended  bool
	cause  cause
}

// run connects to the target and carries bytes until both sides are done.
func (c *conn) run() {
	l, data := c.listener, &c.to.target.Data
	defer l.live.remove(c)
	defer data.live.remove(c)
	server, err := l.plane.cfg.Dial(c.ctx, "tcp", c.to.target.Addr())
	c.cancel() // it limits the dial only
	if err != nil || !c.connected(server) {
		if server != nil {
			reset(server)
		}
		l.counts.failed.Add(1)
		data.counts.failed.Add(1)
		c.to.balancer.stats.elbResets.Add(1)
		c.to.balancer.stats.failed(err)
		reset(c.client)
		return
	}
	c.each(func(n *flowCounts) { n.established.Add(1); n.active.Add(1) })
	c.to.balancer.stats.active(c.protocol).Add(1)
	c.watch()
	var up sync.WaitGroup
	up.Go(func() { c.carry(server, c.client, clientReset, targetReset) })
	c.carry(c.client, server, targetReset, clientReset)
	up.Wait()
	c.end(finished)
	c.idle.Stop()
	c.to.balancer.stats.active(c.protocol).Add(-1)
	c.to.balancer.stats.end(c.cause)
	c.each(func(n *flowCounts) { n.active.Add(-1); n.end(c.cause) })
}

// each calls f for the counts of the listener and of the target.
func (c *conn) each(f func(*flowCounts)) {
	f(c.listener.counts)
	f(&c.to.target.Data.counts)
}

// connected takes the connection to the target; false when it was cut meanwhile.
func (c *conn) connected(server net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	c.server = server
	return true
}

// carry copies from src to dst until src has sent everything. A side that fails has reset
// the connection, and the reset goes on to the other one.
func (c *conn) carry(dst, src net.Conn, srcFailed, dstFailed cause) {
	up := srcFailed == clientReset
	buf := make([]byte, bufferSize)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			c.last.Store(int64(time.Since(c.listener.plane.began)))
			c.passed(up, n)
			if _, err := dst.Write(buf[:n]); err != nil {
				c.end(dstFailed)
				return
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			half, ok := dst.(interface{ CloseWrite() error })
			if !ok {
				c.end(finished) // e.g. a pipe in memory
				return
			}
			_ = half.CloseWrite() // when dst is gone, its own reader knows why
			return
		default:
			c.end(srcFailed)
			return
		}
	}
}

// passed counts bytes in one direction.
func (c *conn) passed(up bool, n int) {
	c.to.balancer.stats.bytes(c.protocol).Add(int64(n))
	c.each(func(f *flowCounts) { f.passed(up, n) })
}

// watch ends the connection once no bytes have passed for the listener's idle timeout.
func (c *conn) watch() {
	began := c.listener.plane.began
	c.last.Store(int64(time.Since(began)))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = time.AfterFunc(c.listener.table.Load().idle, func() {
		left := c.listener.table.Load().idle - (time.Since(began) - time.Duration(c.last.Load()))
		if left <= 0 {
			c.end(idled)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.ended {
			c.idle.Reset(left)
		}
	})
}

// cut ends the connection for a reason of the load balancer's.
func (c *conn) cut() { c.end(wasCut) }

// end closes both sides, unless that was done already: with a reset, but after both have
// sent everything.
func (c *conn) end(why cause) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended, c.cause = true, why
	c.cancel()
	for _, side := range []net.Conn{c.client, c.server} {
		switch {
		case side == nil:
		case why == finished:
			_ = side.Close() // both sides have ended it
		default:
			reset(side)
		}
	}
}

// reset closes a connection with RST, where the network has that.
func reset(c net.Conn) {
	if tcp, ok := c.(interface{ SetLinger(seconds int) error }); ok {
		_ = tcp.SetLinger(0) // it fails when the connection is gone already
	}
	_ = c.Close() // as above
}
