package terraform

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// What a client sends may be at the proxy before it is a tunnel.
func TestATunnelLosesNoByteThatComesEarly(t *testing.T) {
	far, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	go func() {
		c, err := far.Accept()
		if err == nil {
			_, _ = io.Copy(c, c)
		}
	}()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { tunnel(r, w, far.Addr().String()) }))
	t.Cleanup(proxy.Close)
	near, err := new(net.Dialer).DialContext(t.Context(), "tcp", proxy.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close() })
	if err := near.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(near, "CONNECT github.com:443 HTTP/1.1\r\nHost: github.com:443\r\n\r\nearly"); err != nil {
		t.Fatal(err)
	}
	from := bufio.NewReader(near)
	resp, err := http.ReadResponse(from, &http.Request{Method: http.MethodConnect})
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the proxy answered %v: %v", resp, err)
	}
	_ = resp.Body.Close()
	echo := make([]byte, len("early"))
	if _, err := io.ReadFull(from, echo); err != nil || string(echo) != "early" {
		t.Errorf("through the tunnel came %q: %v", echo, err)
	}
}
