package memnet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/awssim/memnet"
)

func TestHTTPRunsInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n memnet.Network
		l, err := n.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Hour) // virtual
			host, _, _ := net.SplitHostPort(r.RemoteAddr)
			_, _ = io.WriteString(w, host)
		})}
		served := make(chan error, 1)
		go func() { served <- srv.Serve(l) }()
		tr := n.Transport()
		start := time.Now()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Addr().String(), strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		res, err := (&http.Client{Transport: tr}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if string(b) != "127.0.0.1" || time.Since(start) != time.Hour {
			t.Errorf("answer %q after %v", b, time.Since(start))
		}
		tr.CloseIdleConnections()
		_ = srv.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

func TestAddressesBehaveLikeTCP(t *testing.T) {
	var n memnet.Network
	l, err := n.Listen("tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Listen("tcp", "127.0.0.1:80"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("listening twice: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := n.DialContext(ctx, "tcp", "127.0.0.1:80"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dialling a listener that does not accept: %v", err)
	}
	_ = l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepting after Close: %v", err)
	}
	if _, err := n.DialContext(t.Context(), "tcp", "127.0.0.1:80"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialling a closed listener: %v", err)
	}
	if _, err := n.Listen("udp", "127.0.0.1:80"); err == nil {
		t.Error("udp was accepted")
	}
	if _, err := n.DialContext(t.Context(), "tcp", "localhost:80"); err == nil {
		t.Error("a host name was accepted")
	}
}
