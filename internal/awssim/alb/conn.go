package alb

import (
	"net"
	"sync"
)

// clientListener counts the connections and bytes of clients, and closes at the end
// what http.Server does not: hijacked connections, and one that was accepted while
// the server was closing.
type clientListener struct {
	net.Listener
	stats *balancerStats
	wg    *sync.WaitGroup // of the open connections

	mu     sync.Mutex
	closed bool
	open   map[*clientConn]struct{}
}

func (l *clientListener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &clientConn{Conn: inner, listener: l}
	l.stats.newConnections.Add(1)
	l.stats.activeConnections.Add(1)
	l.wg.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c] = struct{}{}
	if l.closed {
		_ = inner.Close() // the next read or write fails, and the owner closes c
	}
	return c, nil
}

// closeConns closes what is open, and what will be accepted from now on.
func (l *clientListener) closeConns() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for c := range l.open {
		_ = c.Conn.Close() // as above
	}
}

// clientConn is a connection from a client.
type clientConn struct {
	net.Conn
	listener *clientListener
	closed   sync.Once
}

func (c *clientConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.listener.stats.bytes.Add(int64(max(n, 0)))
	return n, err
}

func (c *clientConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.listener.stats.bytes.Add(int64(max(n, 0)))
	return n, err
}

func (c *clientConn) Close() error {
	c.closed.Do(func() {
		l := c.listener
		l.mu.Lock()
		delete(l.open, c)
		l.mu.Unlock()
		l.stats.activeConnections.Add(-1)
		l.wg.Done()
	})
	return c.Conn.Close()
}
