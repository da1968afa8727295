package elbv2

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

type healthCheck struct {
	protocol, port, path string
	interval, timeout    int // seconds
	healthy, unhealthy   int // consecutive checks
	matcher              string
	grpc                 bool // matcher holds gRPC codes
}

func newHealthCheck(protocolVersion string) healthCheck {
	h := healthCheck{
		protocol: "HTTP", port: "traffic-port", path: "/", interval: 30, timeout: 5,
		healthy: 5, unhealthy: 2, matcher: "200",
	}
	if protocolVersion == "GRPC" {
		h.path, h.matcher, h.grpc = "/AWS.ALB/healthcheck", "12", true
	}
	return h
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
	return wire.Struct{
		kv("HealthCheckProtocol", h.protocol),
		kv("HealthCheckPort", h.port),
		kv("HealthCheckEnabled", true),
		kv("HealthCheckIntervalSeconds", h.interval),
		kv("HealthCheckTimeoutSeconds", h.timeout),
		kv("HealthyThresholdCount", h.healthy),
		kv("UnhealthyThresholdCount", h.unhealthy),
		kv("HealthCheckPath", h.path),
		kv("Matcher", wire.Struct{kv(code, h.matcher)}),
	}
}

// parseHealthCheck changes h by the members that are there.
func (c *call) parseHealthCheck(h healthCheck, targetType, protocolVersion string) (healthCheck, error) {
	if enabled, ok, err := c.p.Bool("HealthCheckEnabled"); err != nil {
		return h, err
	} else if ok && !enabled {
		return h, invalid("Health check enabled must be true for target groups with target type '%s'", targetType)
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
		n, ok, err := intIn(c.p, f.name, camel(f.name), f.lo, f.hi)
		if err != nil {
			return h, err
		}
		if ok {
			*f.field = n
		}
	}
	if h.interval <= h.timeout {
		return h, invalid("Health check interval must be greater than the timeout.")
	}
	if v := c.p.Str("HealthCheckProtocol"); v != "" {
		if v != "HTTP" && v != "HTTPS" {
			return h, invalid("Health check protocol '%s' must be one of '[HTTP, HTTPS]'", v)
		}
		h.protocol = v
	}
	if v := c.p.Str("HealthCheckPath"); v != "" {
		if err := lengthIn(v, "healthCheckPath", 1, 1024); err != nil {
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
	return c.parseMatcher(h, protocolVersion)
}

func (c *call) parseMatcher(h healthCheck, protocolVersion string) (healthCheck, error) {
	matcher := c.p.Struct("Matcher")
	name, other, lo, hi := "HttpCode", "GrpcCode", 200, 499
	if h.grpc {
		name, other, lo, hi = "GrpcCode", "HttpCode", 0, 99
	}
	if matcher.Str(other) != "" {
		return h, invalid("Health check matcher %s cannot be specified for the protocol version '%s'", other, protocolVersion)
	}
	v := matcher.Str(name)
	if v == "" {
		return h, nil
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
