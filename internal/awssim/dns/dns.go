// Package dns puts the answers of the simulated Route 53 on the wire: an authoritative
// name server on loopback, over UDP and TCP. It chooses nothing itself.
package dns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"sync"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/norikae/norikae/internal/awssim/route53"
)

// Bounds of an answer over UDP, in bytes.
const (
	minUDP = 512  // without EDNS0, and what EDNS0 cannot go below
	maxUDP = 4096 // what the server says that it takes, and sends at most
)

// idleTimeout of a TCP connection, and the time that one message may take.
const (
	idleTimeout = 10 * time.Second
	ioTimeout   = 5 * time.Second
)

// portTries is how often a port that is free for TCP but not for UDP is given up.
const portTries = 16

// Answerer knows the zones. It is called concurrently.
type Answerer interface {
	// Answer answers a question about a canonical name.
	Answer(name, typ string) route53.Answer
}

// Config of a Server.
type Config struct {
	Zones Answerer
	// Addr to listen on, a loopback address; "": 127.0.0.1 and a free port, the same for
	// UDP and TCP.
	Addr string
	// Listen and ListenPacket open the sockets; nil: those of package net.
	Listen       func(network, addr string) (net.Listener, error)
	ListenPacket func(network, addr string) (net.PacketConn, error)
	Logger       *slog.Logger // nil: none
}

// Server is a running name server.
type Server struct {
	cfg     Config
	addr    string
	servers []*mdns.Server
	serving sync.WaitGroup

	mu     sync.Mutex
	counts map[route53.Choice]int
	asked  map[Question]int
}

// Question that was asked, as the server understood it.
type Question struct{ Name, Type string } // canonical, e.g. "www.example.com." "A"

// Start listens and answers until Close.
func Start(cfg Config) (*Server, error) {
	if cfg.Zones == nil {
		return nil, errors.New("dns server: Zones is nil; give it the simulated Route 53")
	}
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	var lc net.ListenConfig
	if cfg.Listen == nil {
		cfg.Listen = func(network, addr string) (net.Listener, error) {
			return lc.Listen(context.Background(), network, addr)
		}
	}
	if cfg.ListenPacket == nil {
		cfg.ListenPacket = func(network, addr string) (net.PacketConn, error) {
			return lc.ListenPacket(context.Background(), network, addr)
		}
	}
	s := &Server{cfg: cfg, counts: map[route53.Choice]int{}, asked: map[Question]int{}}
	ln, pc, err := s.listen()
	if err != nil {
		return nil, err
	}
	s.addr = ln.Addr().String()
	s.serve(&mdns.Server{Listener: ln}, false)
	s.serve(&mdns.Server{PacketConn: pc}, true)
	return s, nil
}

// listen opens a TCP and a UDP socket with one port.
func (s *Server) listen() (net.Listener, net.PacketConn, error) {
	_, port, err := net.SplitHostPort(s.cfg.Addr)
	if err != nil {
		return nil, nil, fmt.Errorf("dns server address %q: %w", s.cfg.Addr, err)
	}
	for try := 1; ; try++ {
		ln, err := s.cfg.Listen("tcp", s.cfg.Addr)
		if err != nil {
			return nil, nil, fmt.Errorf("dns server, tcp: %w", err)
		}
		addr, ok := ln.Addr().(*net.TCPAddr)
		if !ok || !addr.IP.IsLoopback() {
			return nil, nil, errors.Join(
				fmt.Errorf("dns server: %s is not a loopback address; the lab must not be reachable from outside", ln.Addr()), ln.Close())
		}
		pc, err := s.cfg.ListenPacket("udp", addr.String())
		if err == nil {
			return ln, pc, nil
		}
		err = errors.Join(fmt.Errorf("dns server, udp: %w", err), ln.Close())
		if port != "0" || try == portTries {
			return nil, nil, err
		}
	}
}

func (s *Server) serve(srv *mdns.Server, udp bool) {
	srv.Handler = mdns.HandlerFunc(func(w mdns.ResponseWriter, q *mdns.Msg) { s.handle(w, q, udp) })
	srv.ReadTimeout, srv.WriteTimeout = ioTimeout, ioTimeout
	srv.IdleTimeout = func() time.Duration { return idleTimeout }
	started := make(chan struct{})
	srv.NotifyStartedFunc = func() { close(started) }
	s.servers = append(s.servers, srv)
	s.serving.Go(func() {
		if err := srv.ActivateAndServe(); err != nil {
			s.cfg.Logger.Error("the name server ended", "error", err)
		}
	})
	<-started
}

// Addr is where the server listens, for UDP and for TCP.
func (s *Server) Addr() string { return s.addr }

// Answered is how many answers were taken from each record set, since the start or the
// last Reset. An answer that was cut off counts for nothing: the client comes again.
func (s *Server) Answered() map[route53.Choice]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}

// Asked is how often each question came, whatever became of it.
func (s *Server) Asked() map[Question]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.asked)
}

// Reset sets all counts to zero.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.counts)
	clear(s.asked)
}

// Close ends the server and waits for the questions that it is at.
func (s *Server) Close() error {
	var errs []error
	for _, srv := range s.servers {
		errs = append(errs, srv.Shutdown())
	}
	s.serving.Wait()
	s.servers = nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing the dns server: %w", err)
	}
	return nil
}
