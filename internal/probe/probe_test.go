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
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/registry"
)

// fails wants an error with all parts in it and without the others, which begin with "!".
func fails(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("it was reached")
	}
	for _, p := range parts {
		unwanted, not := strings.CutPrefix(p, "!")
		if strings.Contains(err.Error(), unwanted) == not {
			t.Errorf("%q: wanted %t in: %v", unwanted, !not, err)
		}
	}
}

func TestWhateverAnAPIServerAnswersItWasReached(t *testing.T) {
	a := newAuthority(t)
	for name, answer := range map[string]http.HandlerFunc{
		"its version":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"gitVersion":"v1.36.0"}`) },
		"unauthorized": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"forbidden":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"not ready":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"too much":     func(w http.ResponseWriter, _ *http.Request) { _, _ = io.CopyN(w, zeros{}, 10*maxAnswer) },
		"half an answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			fmt.Fprint(w, "x")
		},
		"nothing further": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
	} {
		t.Run(name, func(t *testing.T) {
			var got *http.Request
			endpoint := serve(t, a.server(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.Clone(r.Context())
				answer(w, r)
			}))
			if err := New(Config{}).Probe(t.Context(), cluster(endpoint, a.data())); err != nil {
				t.Fatal(err)
			}
			if got.Method != http.MethodGet || got.URL.Path != "/version" || got.Header.Get("Authorization") != "" {
				t.Errorf("it was asked %s %s with %v", got.Method, got.URL, got.Header)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestARedirectIsAnAnswerAndNotFollowed(t *testing.T) {
	a := newAuthority(t)
	var visited atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visited.Store(true) }))
	defer elsewhere.Close()
	endpoint := serve(t, a.server(t), http.RedirectHandler(elsewhere.URL, http.StatusFound))
	if err := New(Config{}).Probe(t.Context(), cluster(endpoint+"/", a.data())); err != nil || visited.Load() {
		t.Errorf("%v, followed %t", err, visited.Load())
	}
}

func TestNoProxyOfTheEnvironmentIsUsed(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	a := newAuthority(t)
	endpoint := serve(t, a.server(t), http.NotFoundHandler())
	if err := New(Config{}).Probe(t.Context(), cluster(endpoint, a.data())); err != nil {
		t.Error(err)
	}
	through := New(Config{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse("http://user:hidden@127.0.0.1:1") }})
	fails(t, through.Probe(t.Context(), cluster(endpoint, a.data())), "127.0.0.1:1", "!hidden")
}

func TestACertificateThatIsNotTheClustersIsNamed(t *testing.T) {
	a, b := newAuthority(t), newAuthority(t)
	for name, tc := range map[string]struct {
		cert tls.Certificate
		ca   authority
		says []string
	}{
		"of another authority": {a.server(t), b, []string{"not of the CA that EKS gives", "rotated", "looks into TLS"}},
		"of another name": {
			a.server(t, func(c *x509.Certificate) {
				c.IPAddresses, c.DNSNames = []net.IP{net.IPv4(10, 0, 0, 1)}, []string{"other.example.com"}
			}), a,
			[]string{"is for other.example.com, 10.0.0.1, not for 127.0.0.1", "another server"},
		},
		"expired": {a.server(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), a, []string{"not valid now", "clock"}},
		"of a client": {a.server(t, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}), a, []string{"not good for a server"}},
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := serve(t, tc.cert, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked all the same") }))
			err := New(Config{}).Probe(t.Context(), cluster(endpoint, tc.ca.data()))
			fails(t, err, append(tc.says, "!"+tc.ca.data(), "!security group")...)
		})
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	a := newAuthority(t)
	endpoint := serve(t, a.server(t), http.NotFoundHandler(), func(c *tls.Config) {
		c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	})
	fails(t, New(Config{}).Probe(t.Context(), cluster(endpoint, a.data())), "failed while shaking hands over TLS", "protocol version")
}

func TestWhatIsNoTLSServerIsNamed(t *testing.T) {
	a := newAuthority(t)
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	_, addr, _ := strings.Cut(plain.URL, "//")
	fails(t, New(Config{}).Probe(t.Context(), cluster("https://"+addr, a.data())), "does not speak TLS")

	for says, serve := range map[string]func(net.Conn){
		"does not speak TLS":                                          func(c net.Conn) { fmt.Fprint(c, "220 mail.example.com ESMTP\r\n") },
		"closed during the TLS handshake":                             func(net.Conn) {},
		"connected to, and time ran out while shaking hands over TLS": func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
	} {
		t.Run(says, func(t *testing.T) {
			endpoint := "https://" + listen(t, serve)
			fails(t, New(Config{Timeout: 300 * time.Millisecond}).Probe(t.Context(), cluster(endpoint, a.data())), says, "!TCP 443")
		})
	}
}

// listen on loopback and serve each connection; the first bytes are read before.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			serve(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-done })
	return ln.Addr().String()
}

func TestAPortThatNobodyListensOnIsNamed(t *testing.T) {
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	a := newAuthority(t)
	fails(t, New(Config{}).Probe(t.Context(), cluster("https://"+addr, a.data())), "nothing listens there", addr, "refused")
}

// lost is a network that swallows everything that is sent to an address.
func lost(addr string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		httptrace.ContextClientTrace(ctx).ConnectStart(network, addr) // as net.Dialer does
		<-ctx.Done()
		return nil, ctx.Err()
	}
}

func TestSilenceSaysWhatMustBeOpen(t *testing.T) {
	a := newAuthority(t)
	const (
		private = "10.0.3.4:443"
		public  = "203.0.113.9:443"
		groups  = "must let in TCP 443 from where the controller and Argo CD run: sg-cluster (cluster security group, also the nodes'), sg-a, sg-b (additional, the control plane's alone)"
	)
	for name, tc := range map[string]struct {
		addr   string
		change func(*registry.Cluster)
		says   []string
	}{
		"a private address": {private, func(*registry.Cluster) {}, []string{"(" + private + ")", groups, "!publicAccessCidrs", "!endpointPublicAccess"}},
		"a private endpoint alone": {private, func(c *registry.Cluster) { c.PublicAccess = false }, []string{
			"endpointPublicAccess is false", "from its VPC vpc-1", "peering", groups,
		}},
		"a public address": {public, func(*registry.Cluster) {}, []string{"(" + public + ")", "!TCP 443", "!publicAccessCidrs"}},
		"a public address for some": {public, func(c *registry.Cluster) { c.PublicCIDRs = []string{"198.51.100.0/24"} }, []string{
			"lets in 198.51.100.0/24 alone (publicAccessCidrs)", "NAT gateway", "!sg-",
		}},
		"no additional groups": {private, func(c *registry.Cluster) { c.SecurityGroups = nil }, []string{"sg-cluster", "!additional"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := cluster("https://ABC.gr7.us-east-1.eks.amazonaws.com", a.data())
				tc.change(&c)
				begin := time.Now()
				err := New(Config{Dial: lost(tc.addr)}).Probe(t.Context(), c)
				fails(t, err, append(tc.says, "time ran out while connecting", "ABC.gr7.us-east-1.eks.amazonaws.com")...)
				if took := time.Since(begin); took != defaultTimeout {
					t.Errorf("it took %s", took)
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the cause is lost: %v", err)
				}
				for _, want := range []time.Duration{time.Second, time.Minute} {
					ctx, cancel := context.WithTimeout(t.Context(), want)
					begin = time.Now()
					fails(t, New(Config{Dial: lost(tc.addr)}).Probe(ctx, c), "time ran out")
					if took := time.Since(begin); took != want {
						t.Errorf("with a deadline of %s it took %s", want, took)
					}
					cancel()
				}
			})
		})
	}
}

func TestANameThatIsNotKnownSaysWhereItWouldBe(t *testing.T) {
	a := newAuthority(t)
	c := cluster("https://abc.eks.example.com", a.data())
	c.PublicAccess = false
	answer := func(e *net.DNSError) Config {
		return Config{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, &net.OpError{Op: "dial", Err: e} }}
	}
	fails(t, New(answer(&net.DNSError{Name: "abc.eks.example.com", Err: "no such host", IsNotFound: true})).Probe(t.Context(), c),
		"its name is not known here", "endpointPublicAccess is false", "sg-cluster")
	fails(t, New(answer(&net.DNSError{Name: "abc.eks.example.com", Err: "server misbehaving", IsTemporary: true})).Probe(t.Context(), c),
		"cannot be looked up", "UDP and TCP 53", "!sg-")
}

func TestWhoGivesUpIsNotTheClustersFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		err := New(Config{Dial: lost("10.0.0.1:443")}).Probe(ctx, cluster("https://abc.example.com", a.data()))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		fails(t, err, "given up", "!sg-")
	})
}

func TestWhatEKSGivesIsCheckedBeforeAnybodyIsAsked(t *testing.T) {
	a := newAuthority(t)
	p := New(Config{Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
		t.Errorf("%s was dialled", addr)
		return nil, errors.New("no")
	}})
	for endpoint, says := range map[string]string{
		"":                                "no endpoint for it (yet)",
		"http://abc.example.com":          "not of the form https://HOST",
		"https://":                        "not of the form",
		"https://abc.example.com/x":       "not of the form",
		"https://abc.example.com?x=1":     "not of the form",
		"abc.example.com":                 "not of the form",
		"https://me:hidden@a.example.com": "has a user name",
		"https://%zz":                     "not a URL",
		"https://169.254.169.254":         "never connected to",
		"https://169.254.170.23:443":      "never connected to",
		"https://[fe80::1%25eth0]":        "never connected to",
		"https://[fd00:ec2::254]":         "never connected to",
		"https://[::ffff:169.254.1.1]":    "never connected to",
		"https://0.0.0.0":                 "never connected to",
		"https://[ff02::1]":               "never connected to",
	} {
		fails(t, p.Probe(t.Context(), cluster(endpoint, a.data())), says, "!hidden")
	}
	for ca, says := range map[string]string{
		"":             "no certificate authority",
		"-----BEGIN C": "is base64",
		base64.StdEncoding.EncodeToString([]byte("no certificate")): "no certificate in PEM",
	} {
		fails(t, p.Probe(t.Context(), cluster("https://abc.example.com", ca)), says, "certificateAuthority.data")
	}
}

func TestANameThatLeadsToAForbiddenAddressIsNotFollowed(t *testing.T) {
	for addr, ok := range map[string]bool{
		"169.254.169.254:443": false, "[fd00:ec2::254]:443": false, "[fe80::1%eth0]:443": false, "[::]:443": false, "nonsense": false,
		"10.0.0.1:443": true, "203.0.113.9:443": true, "127.0.0.1:6443": true, "[2001:db8::1]:443": true, "[fd00:1::1]:443": true,
	} {
		if err := checkAddress(addr); (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
	}
	a := newAuthority(t)
	p := New(Config{})
	refused := Config{Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return p.cfg.Dial(ctx, network, "169.254.169.254:443")
	}}
	fails(t, New(refused).Probe(t.Context(), cluster("https://abc.example.com", a.data())), "its name leads to a forbidden address")
}
