package nlb

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// listener serves one model.Listener.
type listener struct {
	plane    *DataPlane
	protocol string // TCP | TLS | UDP | TCP_UDP
	addr     string
	counts   *flowCounts
	table    atomic.Pointer[table]
	clients  clients
	tcp      net.Listener   // nil for UDP
	udp      net.PacketConn // nil for TCP and TLS
	live     live
}

// close ends the listener and cuts its connections and flows.
func (l *listener) close() error {
	var errs []error
	if l.tcp != nil {
		errs = append(errs, l.tcp.Close())
	}
	if l.udp != nil {
		errs = append(errs, l.udp.Close())
	}
	l.live.close()
	return errors.Join(errs...)
}

// clients remembers which group a client's address was sent to. The zero value is
// empty. How long AWS remembers is not known: here it is as long as the listener lives
// and the group may get new flows.
type clients struct {
	mu sync.Mutex
	of map[netip.Addr]string // group ARN
}

// maxClients bounds the memory; beyond that everybody is forgotten.
const maxClients = 1 << 16

func (c *clients) group(client netip.Addr) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[client]
}

func (c *clients) remember(client netip.Addr, group string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil || len(c.of) >= maxClients {
		c.of = map[netip.Addr]string{}
	}
	c.of[client] = group
}

// addrOf is a client's address.
func addrOf(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap()
	case *net.UDPAddr:
		return a.AddrPort().Addr().Unmap()
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
