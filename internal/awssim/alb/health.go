package alb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
)

// userAgent marks health checks, as ELB's own do.
const userAgent = "ELB-HealthChecker/2.0"

// checkResult of one health check. reason is empty when it passed.
type checkResult struct{ reason, detail string }

// newCheckClient makes the client for health checks: a new connection each, no
// redirects followed, certificates of targets not verified (ELB does not either).
func newCheckClient(dial dialFunc) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:        dial,
			DisableKeepAlives:  true,
			DisableCompression: true,
			TLSClientConfig:    &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // ELB does not verify targets' certificates.
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// startChecks checks t at once and then at every interval; g.mu is held.
func (g *group) startChecks(t *target) {
	ctx, cancel := context.WithCancel(context.Background())
	t.stop = cancel
	conf := g.conf
	g.wg.Go(func() {
		interval := conf.HealthCheck.Interval
		if interval <= 0 {
			interval = 30 * time.Second // AWS's default
		}
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			g.record(ctx, t, g.check(ctx, conf, t))
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// check runs one health check.
func (g *group) check(ctx context.Context, conf model.TargetGroup, t *target) checkResult {
	hc := conf.HealthCheck
	timeout := hc.Timeout
	if timeout <= 0 {
		timeout = 5 * time.Second // AWS's default
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	addr := t.addr
	if _, err := strconv.Atoi(hc.Port); err == nil {
		if host, _, err := net.SplitHostPort(t.addr); err == nil {
			addr = net.JoinHostPort(host, hc.Port)
		}
	}
	protocol := hc.Protocol
	if protocol == "" {
		protocol = conf.Protocol
	}
	var status int
	var err error
	if protocol == "TCP" {
		status, err = 0, g.checkTCP(ctx, addr)
	} else {
		status, err = g.checkHTTP(ctx, strings.ToLower(protocol), addr, hc.Path)
	}
	switch {
	case err != nil && isTimeout(err):
		return checkResult{"Target.Timeout", "Request timed out"}
	case err != nil:
		return checkResult{"Target.FailedHealthChecks", "Health checks failed"}
	case protocol != "TCP" && !matchesCode(hc.HTTPCode, status):
		return checkResult{"Target.ResponseCodeMismatch", fmt.Sprintf("Health checks failed with these codes: [%d]", status)}
	}
	return checkResult{}
}

func (g *group) checkTCP(ctx context.Context, addr string) error {
	c, err := g.dial(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

func (g *group) checkHTTP(ctx context.Context, scheme, addr, path string) (int, error) {
	if path == "" {
		path = "/"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+addr+path, http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("health check request: %w", err)
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := g.checks.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// record counts a result. A new target needs one pass; later, the thresholds decide.
func (g *group) record(ctx context.Context, t *target, r checkResult) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ctx.Err() != nil {
		return // stopped while it was checking
	}
	hc := g.conf.HealthCheck
	if r.reason == "" {
		t.passes, t.failures = t.passes+1, 0
		if t.state == "initial" || t.passes >= hc.HealthyThreshold {
			t.state, t.reason, t.detail = "healthy", "", ""
		}
	} else {
		t.passes, t.failures = 0, t.failures+1
		switch {
		case t.state == "unhealthy" || t.failures >= hc.UnhealthyThreshold:
			t.state, t.reason, t.detail = "unhealthy", r.reason, r.detail
		case t.state == "initial":
			t.reason, t.detail = "Elb.InitialHealthChecking", "Initial health checks in progress"
		}
	}
	g.reroute()
}

// matchesCode says whether a status is in a matcher such as "200", "200,202" or
// "200-299"; an empty matcher is "200".
func matchesCode(matcher string, status int) bool {
	if matcher == "" {
		matcher = "200"
	}
	for part := range strings.SplitSeq(matcher, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		low, err1 := strconv.Atoi(from)
		high, err2 := strconv.Atoi(to)
		if err1 == nil && err2 == nil && low <= status && status <= high {
			return true
		}
	}
	return false
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}
