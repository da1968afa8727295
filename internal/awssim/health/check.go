// Package health checks targets as Elastic Load Balancing does, for the data planes: it
// knows the state of every target of a group, where new requests may go, and how many
// hosts were healthy.
package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
)

// UserAgent marks health checks, as ELB's own do.
const UserAgent = "ELB-HealthChecker/2.0"

// DialFunc connects to targets.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// Checker is what all groups of a data plane share.
type Checker struct {
	client *http.Client
	dial   DialFunc
	wg     sync.WaitGroup // of the checks
}

// NewChecker makes a new connection for each check, follows no redirects and does not
// verify targets' certificates (ELB does not either).
func NewChecker(dial DialFunc) *Checker {
	return &Checker{dial: dial, client: &http.Client{
		Transport: &http.Transport{
			DialContext:        dial,
			DisableKeepAlives:  true,
			DisableCompression: true,
			TLSClientConfig:    &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // ELB does not verify targets' certificates.
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Wait waits for the checks of groups that were closed.
func (c *Checker) Wait() { c.wg.Wait() }

// result of one health check. reason is empty when it passed.
type result struct{ reason, detail string }

// check runs one health check of the target at addr.
func (c *Checker) check(ctx context.Context, conf model.TargetGroup, addr string) result {
	hc := conf.HealthCheck
	timeout := hc.Timeout
	if timeout <= 0 {
		timeout = 5 * time.Second // AWS's default
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if _, err := strconv.Atoi(hc.Port); err == nil {
		if host, _, err := net.SplitHostPort(addr); err == nil {
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
		status, err = 0, c.checkTCP(ctx, addr)
	} else {
		status, err = c.checkHTTP(ctx, strings.ToLower(protocol), addr, hc.Path)
	}
	switch {
	case err != nil && IsTimeout(err):
		return result{"Target.Timeout", "Request timed out"}
	case err != nil:
		return result{"Target.FailedHealthChecks", "Health checks failed"}
	case protocol != "TCP" && !matchesCode(hc.HTTPCode, status):
		return result{"Target.ResponseCodeMismatch", fmt.Sprintf("Health checks failed with these codes: [%d]", status)}
	}
	return result{}
}

func (c *Checker) checkTCP(ctx context.Context, addr string) error {
	conn, err := c.dial(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (c *Checker) checkHTTP(ctx context.Context, scheme, addr, path string) (int, error) {
	if path == "" {
		path = "/"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+addr+path, http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("health check request: %w", err)
	}
	req.Header.Set("User-Agent", UserAgent)
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
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

// IsTimeout says whether an error of a connection is one of time.
func IsTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}
