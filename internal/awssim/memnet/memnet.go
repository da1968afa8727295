// Package memnet is a network in memory: listeners and connections over net.Pipe, with
// TCP-like addresses. Its goroutines block only on channels, timers and pipes, so that
// servers and clients on it can live in a testing/synctest bubble. Unlike TCP it buffers
// nothing: a write waits for its reader.
package memnet

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
)

// firstPort that is given to listeners and dialers that do not ask for one.
const firstPort = 20_000

// Network is a set of listeners that can be dialled. The zero value is ready.
type Network struct {
	mu        sync.Mutex
	listeners map[netip.AddrPort]*listener
	ports     int // ports given out so far
}

// Listen listens on an address such as "127.0.0.1:0". It has the signature of
// net.Listen; only tcp on IP addresses is there.
func (n *Network) Listen(network, address string) (net.Listener, error) {
	ap, err := parse(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if ap.Port() == 0 {
		ap = netip.AddrPortFrom(ap.Addr(), n.nextPort())
	}
	if n.listeners[ap] != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: net.TCPAddrFromAddrPort(ap), Err: syscall.EADDRINUSE}
	}
	l := &listener{net: n, addr: ap, conns: make(chan net.Conn), closed: make(chan struct{})}
	if n.listeners == nil {
		n.listeners = map[netip.AddrPort]*listener{}
	}
	n.listeners[ap] = l
	return l, nil
}

// DialContext connects to a listener. It waits until the listener accepts.
func (n *Network) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	ap, err := parse(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	n.mu.Lock()
	l := n.listeners[ap]
	from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), n.nextPort())
	n.mu.Unlock()
	to := net.TCPAddrFromAddrPort(ap)
	refused := &net.OpError{Op: "dial", Net: network, Addr: to, Err: syscall.ECONNREFUSED}
	if l == nil {
		return nil, refused
	}
	client, server := net.Pipe()
	src := net.TCPAddrFromAddrPort(from)
	select {
	case l.conns <- &conn{Conn: server, local: to, remote: src}:
		return &conn{Conn: client, local: src, remote: to}, nil
	case <-l.closed:
		return nil, refused
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: network, Addr: to, Err: ctx.Err()}
	}
}

// Transport is an HTTP transport on n. Close its idle connections when done.
func (n *Network) Transport() *http.Transport {
	return &http.Transport{DialContext: n.DialContext}
}

// nextPort gives out ports in turn. The caller holds n.mu.
func (n *Network) nextPort() uint16 {
	p := firstPort + n.ports%(1<<16-firstPort)
	n.ports++
	return uint16(p) // p is below 1<<16
}

func parse(network, address string) (netip.AddrPort, error) {
	if network != "tcp" && network != "tcp4" {
		return netip.AddrPort{}, net.UnknownNetworkError(network)
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return ap, fmt.Errorf("memnet address: %w", err)
	}
	return ap, nil
}

type listener struct {
	net    *Network
	addr   netip.AddrPort
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.net.mu.Lock()
		defer l.net.mu.Unlock()
		delete(l.net.listeners, l.addr)
	})
	return nil
}

func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.addr) }

// conn is one end of a pipe, with addresses.
type conn struct {
	net.Conn

	local, remote net.Addr
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }
