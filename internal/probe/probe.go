// Package probe reaches for the API servers of clusters, and says in words what stands
// between when it cannot: names, addresses, security groups, certificates.
package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"

	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

const (
	defaultTimeout = 10 * time.Second
	maxAnswer      = 64 << 10 // bytes that are read of an answer
)

// Config of a Prober. The zero value works.
type Config struct {
	// Timeout of a probe whose context has no deadline; 0: 10 s.
	Timeout time.Duration
	// Proxy to go through; nil: none, whatever HTTPS_PROXY says. Argo CD goes its own way:
	// a proxy that only the prober uses makes reachable what Argo CD cannot reach.
	Proxy func(*http.Request) (*url.URL, error)
	// Dial connects, for tests; nil: net.Dialer, to no address that is forbidden.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Prober reaches for API servers. It may be used concurrently, and keeps nothing.
type Prober struct{ cfg Config }

var _ registrar.Prober = (*Prober)(nil)

// New makes a Prober.
func New(cfg Config) *Prober {
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{ControlContext: func(_ context.Context, _, addr string, _ syscall.RawConn) error {
			return checkAddress(addr) // after the name was looked up
		}}).DialContext
	}
	return &Prober{cfg}
}

// Probe asks the API server for /version, without credentials. Whatever it answers, 401
// and 500 too, it was reached, as long as its certificate is of the cluster's CA and of
// the endpoint's name.
func (p *Prober) Probe(ctx context.Context, c registry.Cluster) error {
	endpoint, err := parseEndpoint(c.Endpoint)
	if err != nil {
		return err
	}
	roots, err := parseCA(c.CA)
	if err != nil {
		return err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.cfg.Timeout)
		defer cancel()
	}
	way := &trace{stage: lookingUp}
	if err := p.get(httptrace.WithClientTrace(ctx, way.hooks()), endpoint, roots); err != nil {
		return explain(c, endpoint, way, err)
	}
	return nil
}

func (p *Prober) get(ctx context.Context, endpoint *url.URL, roots *x509.CertPool) error {
	transport := &http.Transport{
		Proxy: p.cfg.Proxy, DialContext: p.cfg.Dial, DisableKeepAlives: true,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		MaxResponseHeaderBytes: maxAnswer,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // an answer too
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint.JoinPath("version").String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "norikae")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	// It has answered: how its answer ends does not matter.
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer)
	_ = res.Body.Close()
	return nil
}

// parseEndpoint takes what EKS gives: https and a host. It is data from outside, and we
// are about to connect to it.
func parseEndpoint(s string) (*url.URL, error) {
	if s == "" {
		return nil, errors.New("EKS gives no endpoint for it (yet)")
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, errors.New("its endpoint is not a URL")
	case u.User != nil: // not shown: it may be a password
		return nil, fmt.Errorf("its endpoint, on %s, has a user name; want https://HOST", u.Host)
	case u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/":
		return nil, fmt.Errorf("its endpoint %q is not of the form https://HOST", s)
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && forbidden(ip) {
		return nil, fmt.Errorf("its endpoint %q: %w", s, errForbidden)
	}
	return u, nil
}

var errForbidden = errors.New("an address that is link-local (where metadata services are), multicast or unspecified is never connected to")

// forbidden are addresses where no API server is, but services that trust who reaches
// them: 169.254.0.0/16 and fe80::/10, and fd00:ec2::/32, which is AWS's for the same.
func forbidden(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() ||
		netip.MustParsePrefix("fd00:ec2::/32").Contains(ip.WithZone(""))
}

func checkAddress(addr string) error {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("connecting to %q: %w", addr, err)
	}
	if forbidden(ap.Addr()) {
		return errForbidden
	}
	return nil
}

func parseCA(s string) (*x509.CertPool, error) {
	pem, err := base64.StdEncoding.DecodeString(s)
	if err != nil || s == "" {
		return nil, errors.New("EKS gives no certificate authority for it that is base64 (certificateAuthority.data)")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("what EKS gives as its certificate authority has no certificate in PEM (certificateAuthority.data)")
	}
	return roots, nil
}

// stage of a probe.
type stage string

const (
	lookingUp  stage = "looking up its name"
	connecting stage = "connecting to it"
	handshake  stage = "shaking hands over TLS"
	waiting    stage = "waiting for its answer"
)

// trace of how far a probe has come.
type trace struct {
	mu    sync.Mutex
	stage stage
	tried []string // addresses with ports
}

func (t *trace) at(s stage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stage = s
}

// seen are the stage, and the addresses that were tried.
func (t *trace) seen() (stage, []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stage, append([]string(nil), t.tried...)
}

func (t *trace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		ConnectStart: func(_, addr string) {
			t.at(connecting)
			t.mu.Lock()
			defer t.mu.Unlock()
			t.tried = append(t.tried, addr)
		},
		TLSHandshakeStart: func() { t.at(handshake) },
		GotConn:           func(httptrace.GotConnInfo) { t.at(waiting) },
	}
}
