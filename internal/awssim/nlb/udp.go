package nlb

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// maxDatagram is the largest payload of a UDP packet over IPv4, and more.
const maxDatagram = 64 << 10

// udpListener serves the UDP side of a listener.
type udpListener struct {
	*listener

	conn net.PacketConn

	mu    sync.Mutex
	flows map[string]*udpFlow // by the client's address and port
}

// receive takes clients' packets until the listener is closed.
func (u *udpListener) receive() {
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := u.conn.ReadFrom(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) || u.plane.ctx.Err() != nil {
				return
			}
			continue // of one packet, such as an ICMP message
		}
		if f := u.flow(from); f != nil {
			f.send(buf[:n])
		}
	}
}

// flow of a client's packet, which may be a new one; nil when it has nowhere to go.
func (u *udpListener) flow(from net.Addr) *udpFlow {
	key := from.String()
	u.mu.Lock()
	f := u.flows[key]
	u.mu.Unlock()
	if f != nil {
		return f
	}
	u.counts.accepted.Add(1)
	to := u.choose(addrOf(from))
	if to.target == nil {
		u.counts.refused.Add(1)
		return nil
	}
	data := &to.target.Data
	data.counts.accepted.Add(1)
	to.balancer.stats.begin("UDP", to.failOpen)
	if u.plane.takeLose() {
		u.counts.lost.Add(1)
		data.counts.lost.Add(1)
		return nil
	}
	ctx, cancel := context.WithTimeout(u.plane.ctx, connectTimeout)
	defer cancel()
	server, err := u.plane.cfg.Dial(ctx, "udp", to.target.Addr())
	if err != nil {
		u.counts.failed.Add(1)
		data.counts.failed.Add(1)
		to.balancer.stats.failed(err)
		return nil
	}
	f = &udpFlow{udp: u, key: key, client: from, server: server, to: to}
	f.each(func(n *flowCounts) { n.established.Add(1); n.active.Add(1) })
	to.balancer.stats.active("UDP").Add(1)
	f.touch()
	u.mu.Lock()
	u.flows[key] = f
	u.mu.Unlock()
	data.live.add(f)
	if !u.live.add(f) {
		f.cut()
	}
	u.plane.wg.Go(f.answer)
	return f
}

// udpFlow is the packets between one client's port and one target.
type udpFlow struct {
	udp    *udpListener
	key    string
	client net.Addr
	server net.Conn
	to     choice
	last   atomic.Int64 // when a packet last passed, in ns since the data plane began
	wasCut atomic.Bool
}

func (f *udpFlow) touch() { f.last.Store(int64(time.Since(f.udp.plane.began))) }

func (f *udpFlow) each(do func(*flowCounts)) {
	do(f.udp.counts)
	do(&f.to.target.Data.counts)
}

// send a client's packet on.
func (f *udpFlow) send(packet []byte) {
	f.touch()
	f.passed(true, len(packet))
	_, _ = f.server.Write(packet) // UDP: what does not arrive is lost
}

func (f *udpFlow) passed(up bool, n int) {
	f.to.balancer.stats.bytes("UDP").Add(int64(n))
	f.each(func(c *flowCounts) { c.passed(up, n) })
}

// answer sends the target's packets back until the flow is idle or cut.
func (f *udpFlow) answer() {
	p := f.udp.plane
	buf := make([]byte, maxDatagram)
	for {
		left := p.cfg.UDPIdleTimeout - (time.Since(p.began) - time.Duration(f.last.Load()))
		if left <= 0 {
			break
		}
		if err := f.server.SetReadDeadline(time.Now().Add(left)); err != nil {
			break
		}
		n, err := f.server.Read(buf)
		switch {
		case err == nil:
			f.touch()
			f.passed(false, n)
			_, _ = f.udp.conn.WriteTo(buf[:n], f.client) // as in send
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ECONNREFUSED):
			// Idle perhaps, or a packet found the target's port closed.
		default:
			f.finish()
			return
		}
	}
	f.finish()
}

// cut ends the flow for a reason of the load balancer's: the client's next packet begins
// another one.
func (f *udpFlow) cut() {
	f.wasCut.Store(true)
	f.forget()
	_ = f.server.Close() // ends answer
}

func (f *udpFlow) forget() {
	f.udp.mu.Lock()
	defer f.udp.mu.Unlock()
	if f.udp.flows[f.key] == f {
		delete(f.udp.flows, f.key)
	}
}

// finish counts the end of the flow.
func (f *udpFlow) finish() {
	f.forget()
	_ = f.server.Close() // it may be closed already
	f.to.target.Data.live.remove(f)
	f.udp.live.remove(f)
	f.to.balancer.stats.active("UDP").Add(-1)
	why := idled
	if f.wasCut.Load() {
		why = wasCut
	}
	f.each(func(n *flowCounts) { n.active.Add(-1); n.end(why) })
}
