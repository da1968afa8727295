package route53

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of a probe, from the developer guide.
const (
	connectTimeout  = 4 * time.Second
	responseTimeout = 2 * time.Second // after the connection
	maxSearched     = 5120            // bytes of a body that are searched
)

// checker knows how every health check is, and probes where it can. It has a lock of its
// own, so that answers to DNS questions do not wait for API calls.
type checker struct {
	s    *Service
	ctx  context.Context //nolint:containedctx // the service's lifetime, which ends its probes
	stop context.CancelFunc

	mu      sync.Mutex
	state   map[string]*checkState // by id
	probing sync.WaitGroup
}

type checkState struct {
	config  checkConfig
	stop    context.CancelFunc // of the prober
	healthy bool               // by probes
	same    int                // probes in a row that contradict healthy
	forced  *bool              // by SetHealth
	// Texts and times of the last probe, and of the last one that failed.
	last, failure     string
	lastAt, failureAt time.Time
}

func newChecker(s *Service) *checker {
	k := &checker{s: s, state: map[string]*checkState{}}
	k.ctx, k.stop = context.WithCancel(context.Background())
	return k
}

func (k *checker) close() {
	k.stop()
	k.probing.Wait()
}

// SetHealth makes a health check healthy or not, whatever its probes say; nil gives it
// back to them. It reports whether the check exists.
func (s *Service) SetHealth(id string, healthy *bool) bool {
	k := s.checks
	k.mu.Lock()
	defer k.mu.Unlock()
	st := k.state[id]
	if st == nil {
		return false
	}
	st.forced = healthy
	return true
}

// set is what the lab makes of a check, whatever its probes say; nil: nothing.
func (k *checker) set(id string, st *checkState) *bool {
	if k.s.cfg.Unhealthy != nil && k.s.cfg.Unhealthy(id) {
		return new(bool)
	}
	return st.forced
}

// watch begins to probe, or goes on with another configuration.
func (k *checker) watch(id string, config checkConfig) {
	k.mu.Lock()
	defer k.mu.Unlock()
	st := k.state[id]
	if st == nil {
		st = &checkState{healthy: true} // as AWS takes it until it knows better
		k.state[id] = st
	} else {
		st.stop()
	}
	ctx, cancel := context.WithCancel(k.ctx)
	st.config, st.stop, st.same = config, cancel, 0
	if k.s.cfg.Dial == nil || !config.probes() || config.disabled || k.ctx.Err() != nil {
		return
	}
	k.probing.Go(func() { k.run(ctx, st, config) })
}

func (k *checker) forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if st := k.state[id]; st != nil {
		st.stop()
		delete(k.state, id)
	}
}

func (k *checker) run(ctx context.Context, st *checkState, config checkConfig) {
	every := time.Duration(config.interval) * time.Second
	if limit := k.s.cfg.HealthInterval; limit > 0 {
		every = min(every, limit)
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		text, err := k.probe(ctx, config)
		if ctx.Err() != nil {
			return
		}
		k.note(st, config, text, err)
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// note counts a probe. The state changes after FailureThreshold probes in a row.
func (k *checker) note(st *checkState, config checkConfig, text string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	st.last, st.lastAt = "Success: "+text, k.s.cfg.Now()
	if err != nil {
		st.last = "Failure: " + err.Error()
		st.failure, st.failureAt = st.last, st.lastAt
	}
	if (err == nil) == st.healthy {
		st.same = 0
		return
	}
	if st.same++; st.same >= config.failing {
		st.healthy, st.same = err == nil, 0
	}
}

// report is what the last probe saw, or the last one that failed.
func (k *checker) report(id string, failure bool) (string, time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	st := k.state[id]
	if st == nil {
		return "", time.Time{}
	}
	switch set := k.set(id, st); {
	case set != nil && *set && !failure:
		return "Success: set by the lab", k.s.cfg.Now()
	case set != nil && !*set:
		return "Failure: set by the lab", k.s.cfg.Now()
	case failure:
		return st.failure, st.failureAt
	case st.last == "":
		return "Success: not probed by the lab", k.s.cfg.Now()
	}
	return st.last, st.lastAt
}

// healthy tells how a check is. One that is not there counts as healthy.
func (k *checker) healthy(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.isHealthy(id, maxChildDepth)
}

// maxChildDepth bounds chains of calculated checks, which an update can close to a ring.
const maxChildDepth = 8

func (k *checker) isHealthy(id string, depth int) bool {
	st := k.state[id]
	if st == nil || depth == 0 {
		return true
	}
	if set := k.set(id, st); set != nil {
		return *set
	}
	ok := st.healthy || st.config.disabled
	if st.config.typ == "CALCULATED" && !st.config.disabled {
		n := 0
		for _, child := range st.config.children {
			if k.isHealthy(child, depth-1) {
				n++
			}
		}
		ok = n >= st.config.threshold
	}
	return ok != st.config.inverted
}

// probe looks once. Only loopback addresses are probed: a lab must not knock on doors.
func (k *checker) probe(ctx context.Context, config checkConfig) (string, error) {
	ip, err := k.resolve(config)
	if err != nil {
		return "", err
	}
	if !ip.IsLoopback() {
		return "an address that is not on loopback is not probed", nil
	}
	addr := net.JoinHostPort(ip.String(), strconv.Itoa(config.port))
	ctx, cancel := context.WithTimeout(ctx, connectTimeout+responseTimeout)
	defer cancel()
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		return k.s.cfg.Dial(ctx, network, addr)
	}
	if config.typ == "TCP" {
		conn, err := dial(ctx, "tcp", addr)
		if err != nil {
			return "", fmt.Errorf("connecting to the endpoint: %w", err)
		}
		_ = conn.Close() // it has served its purpose
		return "Connection to the endpoint was established.", nil
	}
	return probeHTTP(ctx, config, addr, dial)
}

func (k *checker) resolve(config checkConfig) (netip.Addr, error) {
	if config.ip != "" {
		ip, err := netip.ParseAddr(config.ip)
		if err != nil {
			return ip, fmt.Errorf("reading the address of the endpoint: %w", err)
		}
		return ip, nil
	}
	name, err := Canonical(config.host)
	if err != nil {
		return netip.Addr{}, errors.New("DNS resolution failed")
	}
	for _, r := range k.s.Answer(name, "A").Records {
		if ip, err := netip.ParseAddr(r.Value); err == nil {
			return ip, nil
		}
	}
	return netip.Addr{}, errors.New("DNS resolution failed")
}

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

func probeHTTP(ctx context.Context, config checkConfig, addr string, dial dialer) (string, error) {
	scheme := "http"
	if strings.HasPrefix(config.typ, "HTTPS") {
		scheme = "https"
	}
	tlsConfig := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // G402: Route 53 does not verify certificates either
	if config.sni {
		tlsConfig.ServerName = config.host
	}
	tr := &http.Transport{DialContext: dial, TLSClientConfig: tlsConfig, DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+addr+"/"+strings.TrimPrefix(config.path, "/"), nil)
	if err != nil {
		return "", fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("User-Agent", "Amazon-Route53-Health-Check-Service (simulated)")
	if config.host != "" {
		req.Host = config.host
	}
	res, err := tr.RoundTrip(req)
	if err != nil {
		return "", fmt.Errorf("asking the endpoint: %w", err)
	}
	defer res.Body.Close()
	text := fmt.Sprintf("HTTP Status Code %d, %s", res.StatusCode, http.StatusText(res.StatusCode))
	if res.StatusCode < 200 || res.StatusCode > 399 {
		return "", errors.New(text)
	}
	if config.search != "" {
		body, err := io.ReadAll(io.LimitReader(res.Body, maxSearched))
		if err != nil {
			return "", fmt.Errorf("reading the answer: %w", err)
		}
		if !bytes.Contains(body, []byte(config.search)) {
			return "", errors.New("the search string was not in the first 5120 bytes")
		}
	}
	return text, nil
}
