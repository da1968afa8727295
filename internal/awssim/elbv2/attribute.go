package elbv2

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// maxAttributes is how many attributes one Modify call may carry.
const maxAttributes = 20

// Attributes that the control plane itself acts on.
const (
	attrDeletionProtection  = "deletion_protection.enabled"
	attrDeregistrationDelay = "deregistration_delay.timeout_seconds"
	attrStickiness          = "stickiness.enabled"
	attrPreserveClientIP    = "preserve_client_ip.enabled"
	attrTerminateUnhealthy  = "target_health_state.unhealthy.connection_termination.enabled"
	attrUnhealthyDraining   = "target_health_state.unhealthy.draining_interval_seconds"
)

// attribute is a key, its value when nobody has set it, and the values it may take.
type attribute struct {
	key, fallback string
	allowed       string // for the message
	ok            func(string) bool
}

func oneOfAttr(key, fallback string, values ...string) attribute {
	return attribute{key, fallback, "one of " + strings.Join(values, ", "), func(v string) bool { return slices.Contains(values, v) }}
}

func boolAttr(key, fallback string) attribute { return oneOfAttr(key, fallback, "true", "false") }

// intAttr takes the words or an integer within the closed range.
func intAttr(key, fallback string, lo, hi int, words ...string) attribute {
	allowed := strings.Join(append([]string{fmt.Sprintf("an integer from %d to %d", lo, hi)}, words...), " or ")
	return attribute{key, fallback, allowed, func(v string) bool {
		n, err := strconv.Atoi(v)
		return slices.Contains(words, v) || err == nil && n >= lo && n <= hi
	}}
}

func textAttr(key string) attribute {
	return attribute{key, "", "text", func(string) bool { return true }}
}

func loadBalancerAttributes(scheme string) []attribute {
	return []attribute{
		boolAttr("access_logs.s3.enabled", "false"),
		textAttr("access_logs.s3.bucket"),
		textAttr("access_logs.s3.prefix"),
		intAttr("idle_timeout.timeout_seconds", "60", 1, 4000),
		boolAttr(attrDeletionProtection, "false"),
		boolAttr("routing.http2.enabled", "true"),
		boolAttr("routing.http.drop_invalid_header_fields.enabled", "false"),
		boolAttr("routing.http.xff_client_port.enabled", "false"),
		boolAttr("routing.http.preserve_host_header.enabled", "false"),
		oneOfAttr("routing.http.xff_header_processing.mode", "append", "append", "preserve", "remove"),
		oneOfAttr("load_balancing.cross_zone.enabled", "true", "true"),
		oneOfAttr("routing.http.desync_mitigation_mode", "defensive", "monitor", "defensive", "strictest"),
		intAttr("client_keep_alive.seconds", "3600", 60, 604800),
		boolAttr("waf.fail_open.enabled", "false"),
		boolAttr("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false"),
		boolAttr("zonal_shift.config.enabled", "false"),
		boolAttr("connection_logs.s3.enabled", "false"),
		textAttr("connection_logs.s3.bucket"),
		textAttr("connection_logs.s3.prefix"),
		boolAttr("health_check_logs.s3.enabled", "false"),
		textAttr("health_check_logs.s3.bucket"),
		textAttr("health_check_logs.s3.prefix"),
		boolAttr("ipv6.deny_all_igw_traffic", strconv.FormatBool(scheme == "internal")),
	}
}

func networkLoadBalancerAttributes(scheme string) []attribute {
	return []attribute{
		boolAttr("access_logs.s3.enabled", "false"),
		textAttr("access_logs.s3.bucket"),
		textAttr("access_logs.s3.prefix"),
		boolAttr(attrDeletionProtection, "false"),
		boolAttr("load_balancing.cross_zone.enabled", "false"),
		oneOfAttr("dns_record.client_routing_policy", "any_availability_zone",
			"any_availability_zone", "partial_availability_zone_affinity", "availability_zone_affinity"),
		intAttr("secondary_ips.auto_assigned.per_subnet", "0", 0, 7),
		boolAttr("zonal_shift.config.enabled", "false"),
		boolAttr("ipv6.deny_all_igw_traffic", strconv.FormatBool(scheme == "internal")),
	}
}

func targetGroupAttributes(g groupSettings) []attribute {
	if g.network() {
		return append(networkGroupAttributes(g), groupHealthAttributes()...)
	}
	return append([]attribute{
		intAttr(attrDeregistrationDelay, "300", 0, 3600),
		boolAttr(attrStickiness, "false"),
		oneOfAttr("stickiness.type", "lb_cookie", "lb_cookie", "app_cookie"),
		intAttr("stickiness.lb_cookie.duration_seconds", "86400", 1, 604800),
		{"stickiness.app_cookie.cookie_name", "", "a name that does not start with AWSALB", func(v string) bool { return !strings.HasPrefix(v, "AWSALB") }},
		intAttr("stickiness.app_cookie.duration_seconds", "86400", 1, 604800),
		{"slow_start.duration_seconds", "0", "0 or an integer from 30 to 900", func(v string) bool {
			n, err := strconv.Atoi(v)
			return err == nil && (n == 0 || n >= 30 && n <= 900)
		}},
		oneOfAttr("load_balancing.algorithm.type", "round_robin", "round_robin", "least_outstanding_requests", "weighted_random"),
		oneOfAttr("load_balancing.algorithm.anomaly_mitigation", "off", "on", "off"),
	}, groupHealthAttributes()...)
}

func networkGroupAttributes(g groupSettings) []attribute {
	udp := g.protocol == "UDP" || g.protocol == "TCP_UDP"
	return []attribute{
		intAttr(attrDeregistrationDelay, "300", 0, 3600),
		boolAttr("deregistration_delay.connection_termination.enabled", strconv.FormatBool(udp)),
		boolAttr(attrPreserveClientIP, strconv.FormatBool(g.targetType != "ip" || udp)),
		boolAttr("proxy_protocol_v2.enabled", "false"),
		boolAttr(attrStickiness, "false"),
		// The others are refused with a code of their own.
		oneOfAttr("stickiness.type", "source_ip", "source_ip", "lb_cookie", "app_cookie"),
		boolAttr(attrTerminateUnhealthy, strconv.FormatBool(!udp)),
		intAttr(attrUnhealthyDraining, "0", 0, 360000),
	}
}

// groupHealthAttributes are those that all target groups have.
func groupHealthAttributes() []attribute {
	const health = "target_group_health."
	return []attribute{
		oneOfAttr("load_balancing.cross_zone.enabled", "use_load_balancer_configuration", "true", "false", "use_load_balancer_configuration"),
		intAttr(health+"unhealthy_state_routing.minimum_healthy_targets.count", "1", 1, 1000),
		intAttr(health+"unhealthy_state_routing.minimum_healthy_targets.percentage", "off", 1, 100, "off"),
		intAttr(health+"dns_failover.minimum_healthy_targets.count", "1", 1, 1000, "off"),
		intAttr(health+"dns_failover.minimum_healthy_targets.percentage", "off", 1, 100, "off"),
	}
}

// listenerAttributes of application load balancers are the header switches, without
// those for client certificates. Network load balancers have the idle timeout of TCP.
func listenerAttributes(l *listener) []attribute {
	if l.lb.kind == network {
		if l.protocol == "TCP" || l.protocol == "TCP_UDP" { // of TCP_UDP it is unverified
			return []attribute{intAttr("tcp.idle_timeout.seconds", "350", 60, 6000)}
		}
		return nil
	}
	out := []attribute{boolAttr("routing.http.response.server.enabled", "true")}
	for _, header := range []string{
		"strict_transport_security", "access_control_allow_origin", "access_control_allow_methods", "access_control_allow_headers",
		"access_control_allow_credentials", "access_control_expose_headers", "access_control_max_age",
		"content_security_policy", "x_content_type_options", "x_frame_options",
	} {
		out = append(out, textAttr("routing.http.response."+header+".header_value"))
	}
	return out
}

// attributes of one resource. The map is replaced, never written into.
type attributes struct {
	known []attribute
	set   map[string]string
}

func newAttributes(known []attribute) attributes { return attributes{known: known} }

func (a attributes) get(key string) string {
	if v, ok := a.set[key]; ok {
		return v
	}
	i := slices.IndexFunc(a.known, func(k attribute) bool { return k.key == key })
	if i < 0 {
		return ""
	}
	return a.known[i].fallback
}

func (a attributes) all() map[string]string {
	out := make(map[string]string, len(a.known))
	for _, k := range a.known {
		out[k.key] = a.get(k.key)
	}
	return out
}

func (a attributes) describe() wire.List {
	return wire.ListOf(a.known, func(k attribute) wire.Struct {
		return wire.Struct{kv("Key", k.key), kv("Value", a.get(k.key))}
	})
}

// parseAttributes reads the member Attributes; those not named keep their value.
func (c *call) parseAttributes(a attributes, kind string) (attributes, error) {
	list := c.p.List("Attributes")
	if len(list) == 0 {
		return a, constraint.Violation(nil, "attributes", "not be null")
	}
	if len(list) > maxAttributes {
		return a, invalid("At most %d attributes can be specified, not %d", maxAttributes, len(list))
	}
	next := attributes{known: a.known, set: map[string]string{}}
	maps.Copy(next.set, a.set)
	keys := []string{}
	for _, p := range list {
		key, value := p.Str("Key"), p.Str("Value")
		i := slices.IndexFunc(a.known, func(k attribute) bool { return k.key == key })
		if i < 0 {
			return a, invalid("%s attribute key '%s' is not recognized", capital(kind), key)
		}
		if !a.known[i].ok(value) {
			return a, invalid("%s attribute '%s' value '%s' is not valid; it must be %s", capital(kind), key, value, a.known[i].allowed)
		}
		next.set[key] = value
		keys = append(keys, key)
	}
	if key, ok := wire.FirstDuplicate(keys); ok {
		return a, invalid("%s attribute key '%s' was provided multiple times", capital(kind), key)
	}
	return next, nil
}
