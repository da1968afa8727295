package elbv2

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

type healthCheck struct {
	protocol, port, path string // no path for TCP
	interval, timeout    int    // seconds
	healthy, unhealthy   int    // consecutive checks
	matcher              string
	grpc                 bool // matcher holds gRPC codes
}

// newHealthCheck is what AWS takes when nothing is given.
func newHealthCheck(g groupSettings) healthCheck {
	if g.network() {
		h := healthCheck{protocol: "TCP", port: "traffic-port", interval: 30, timeout: 10, healthy: 5, unhealthy: 2}
		if g.targetType == "alb" {
			h.setProtocol("HTTP")
		}
		return h
	}
	h := healthCheck{
		protocol: "HTTP", port: "traffic-port", path: "/", interval: 30, timeout: 5,
		healthy: 5, unhealthy: 2, matcher: "200",
	}
	if g.protocolVersion == "GRPC" {
		h.path, h.matcher, h.grpc = "/AWS.ALB/healthcheck", "12", true
	}
	return h
}

// setProtocol of a network load balancer's check, which has a path and a matcher only
// with HTTP and HTTPS.
func (h *healthCheck) setProtocol(protocol string) {
	h.protocol = protocol
	switch {
	case protocol == "TCP":
		h.path, h.matcher = "", ""
	case h.path == "":
		h.path, h.matcher = "/", "200-399"
	}
}

func (h healthCheck) model() model.HealthCheck {
	return model.HealthCheck{
		Enabled: true, Protocol: h.protocol, Port: h.port, Path: h.path,
		Interval: time.Duration(h.interval) * time.Second, Timeout: time.Duration(h.timeout) * time.Second,
		HealthyThreshold: h.healthy, UnhealthyThreshold: h.unhealthy, HTTPCode: h.matcher,
	}
}

func (h healthCheck) describe() wire.Struct {
	code := "HttpCode"
	if h.grpc {
		code = "GrpcCode"
	}
	out := wire.Struct{
		kv("HealthCheckProtocol", h.protocol),
		kv("HealthCheckPort", h.port),
		kv("HealthCheckEnabled", true),
		kv("HealthCheckIntervalSeconds", h.interval),
		kv("HealthCheckTimeoutSeconds", h.timeout),
		kv("HealthyThresholdCount", h.healthy),
		kv("UnhealthyThresholdCount", h.unhealthy),
	}
	if h.protocol == "TCP" {
		return out
	}
	return append(out, kv("HealthCheckPath", h.path), kv("Matcher", wire.Struct{kv(code, h.matcher)}))
}

// parseHealthCheck changes h by the members that are there.
func (c *call) parseHealthCheck(h healthCheck, g groupSettings) (healthCheck, error) {
	if enabled, ok, err := c.p.Bool("HealthCheckEnabled"); err != nil {
		return h, err
	} else if ok && !enabled {
		return h, invalid("Health check enabled must be true for target groups with target type '%s'", g.targetType)
	}
	for _, f := range []struct {
		name   string
		field  *int
		lo, hi int
	}{
		{"HealthCheckIntervalSeconds", &h.interval, 5, 300},
		{"HealthCheckTimeoutSeconds", &h.timeout, 2, 120},
		{"HealthyThresholdCount", &h.healthy, 2, 10},
		{"UnhealthyThresholdCount", &h.unhealthy, 2, 10},
	} {
		n, ok, err := constraint.Int(c.p, f.name, wire.Camel(f.name), f.lo, f.hi)
		if err != nil {
			return h, err
		}
		if ok {
			*f.field = n
		}
	}
	if err := c.parseHealthCheckProtocol(&h, g); err != nil {
		return h, err
	}
	// That a network load balancer's check may take the whole interval is unverified.
	if h.interval < h.timeout || h.interval == h.timeout && !g.network() {
		return h, invalid("Health check interval must be greater than the timeout.")
	}
	if v := c.p.Str("HealthCheckPath"); v != "" {
		if h.protocol == "TCP" {
			return h, invalid("Health check path cannot be specified for health checks with the TCP protocol")
		}
		if err := constraint.Length(v, "healthCheckPath", 1, 1024); err != nil {
			return h, err
		}
		if !strings.HasPrefix(v, "/") {
			return h, invalid("Health check path '%s' must start with '/'", v)
		}
		h.path = v
	}
	if v := c.p.Str("HealthCheckPort"); v != "" {
		if n, err := strconv.Atoi(v); v != "traffic-port" && (err != nil || n < 1 || n > 65535) {
			return h, invalid("Health check port '%s' must be 'traffic-port' or from 1 to 65535", v)
		}
		h.port = v
	}
	return c.parseMatcher(h, g)
}

// parseHealthCheckProtocol also gives a network load balancer's check the timeout that
// belongs to its protocol: 6 s for HTTP, else 10 s.
func (c *call) parseHealthCheckProtocol(h *healthCheck, g groupSettings) error {
	v := c.p.Str("HealthCheckProtocol")
	allowed := []string{"HTTP", "HTTPS"}
	if g.network() && g.targetType != "alb" {
		allowed = append(allowed, "TCP")
	}
	if v != "" && !slices.Contains(allowed, v) {
		return invalid("Health check protocol '%s' must be one of '[%s]'", v, strings.Join(allowed, ", "))
	}
	if !g.network() {
		h.protocol = cmp.Or(v, h.protocol)
		return nil
	}
	changed := v != "" && v != h.protocol
	h.setProtocol(cmp.Or(v, h.protocol))
	if fresh := g.health == (healthCheck{}); !c.p.Has("HealthCheckTimeoutSeconds") && (changed || fresh) {
		h.timeout = 10
		if h.protocol == "HTTP" {
			h.timeout = 6
		}
		h.timeout = min(h.timeout, h.interval)
	}
	return nil
}

func (c *call) parseMatcher(h healthCheck, g groupSettings) (healthCheck, error) {
	matcher := c.p.Struct("Matcher")
	name, other, lo, hi := "HttpCode", "GrpcCode", 200, 499
	if h.grpc {
		name, other, lo, hi = "GrpcCode", "HttpCode", 0, 99
	}
	if g.network() {
		hi = 599
	}
	if matcher.Str(other) != "" {
		return h, invalid("Health check matcher %s cannot be specified for the protocol version '%s'", other, g.protocolVersion)
	}
	v := matcher.Str(name)
	if v == "" {
		return h, nil
	}
	if h.protocol == "TCP" {
		return h, invalid("Health check matcher HTTP code cannot be specified for health checks with the TCP protocol")
	}
	if !codesWithin(v, lo, hi) {
		return h, invalid("Health check matcher %s '%s' must be codes or ranges within %d-%d", name, v, lo, hi)
	}
	h.matcher = v
	return h, nil
}

// codesWithin reads "200", "200,202" and "200-299".
func codesWithin(v string, lo, hi int) bool {
	item := regexp.MustCompile(`^\d{1,3}(-\d{1,3})?$`)
	for part := range strings.SplitSeq(v, ",") {
		if !item.MatchString(part) {
			return false
		}
		from, to, isRange := strings.Cut(part, "-")
		a, _ := strconv.Atoi(from)
		b := a
		if isRange {
			b, _ = strconv.Atoi(to)
		}
		if a < lo || b > hi || a > b {
			return false
		}
	}
	return true
}
