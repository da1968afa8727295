package elbv2_test

import (
	"fmt"
	"testing"
)

func TestBadNetworkListenersAreRefused(t *testing.T) {
	l := newNetLab(t)
	tls, udp := l.netGroup(t, "tls", params{"Protocol": "TLS"}), l.netGroup(t, "udp", params{"Protocol": "UDP"})
	both := l.netGroup(t, "both", params{"Protocol": "TCP_UDP"})
	v6, alb := l.netGroup(t, "v6", params{"IpAddressType": "ipv6"}), l.netGroup(t, "alb", params{"TargetType": "alb"})
	six := []any{}
	for i := range 6 {
		six = append(six, l.netGroup(t, fmt.Sprint("six-", i), nil), 1)
	}
	on := func(protocol string, actions ...any) params { return l.listenOn(9000, protocol, actions...) }
	with := func(p params, name string, v any) params { p[name] = v; return p }
	modify := func(actions ...any) params { return params{"ListenerArn": l.tcp, "DefaultActions": actions} }
	l.do(t, "CreateListener", l.listenOn(53, "TCP_UDP", split(both, 1)))
	l.check(t, map[string]refusal{
		"HTTP":                         {"CreateListener", on("HTTP", split(l.tcpBlue, 1)), "ValidationError", "Listener protocol 'HTTP' must be one of 'TCP, TLS, UDP, TCP_UDP'"},
		"QUIC":                         {"CreateListener", on("QUIC", split(l.tcpBlue, 1)), "NotSimulated", "'QUIC'"},
		"UDP on the port of TCP":       {"CreateListener", l.listenOn(443, "UDP", split(udp, 1)), "DuplicateListener", "already exists on this port"},
		"TCP on the port of both":      {"CreateListener", l.listenOn(53, "TCP", split(l.tcpBlue, 1)), "DuplicateListener", "already exists on this port"},
		"moved to a port that is used": {"ModifyListener", params{"ListenerArn": l.tcp, "Port": 53}, "DuplicateListener", "already exists on this port"},
		"TCP to UDP":                   {"CreateListener", on("TCP", split(udp, 1)), "IncompatibleProtocols", "'TCP' and 'UDP'"},
		"TCP to TLS":                   {"CreateListener", on("TCP", split(tls, 1)), "IncompatibleProtocols", "'TCP' and 'TLS'"},
		"TCP to HTTP":                  {"CreateListener", on("TCP", split(l.blue, 1)), "IncompatibleProtocols", "'TCP' and 'HTTP'"},
		"TLS to both":                  {"CreateListener", on("TLS", split(both, 1)), "IncompatibleProtocols", "'TLS' and 'TCP_UDP'"},
		"UDP to TCP":                   {"CreateListener", on("UDP", split(l.tcpBlue, 1)), "IncompatibleProtocols", "'UDP' and 'TCP'"},
		"both to TCP":                  {"CreateListener", on("TCP_UDP", split(l.tcpBlue, 1)), "IncompatibleProtocols", "'TCP_UDP' and 'TCP'"},
		"HTTP to TCP":                  {"CreateRule", l.acting(split(six[0], 1)), "IncompatibleProtocols", "'HTTP' and 'TCP'"},
		"TLS to a load balancer":       {"CreateListener", on("TLS", split(alb, 1)), "InvalidConfigurationRequest", "target type 'alb'"},
		"TLS to TCP and TLS":           {"CreateListener", on("TLS", split(l.tcpBlue, 1, tls, 1)), "InvalidConfigurationRequest", "must have the same protocol"},
		"IPv4 and IPv6":                {"CreateListener", on("TCP", split(l.tcpBlue, 1, v6, 1)), "InvalidConfigurationRequest", "must have the same IP address type"},
		"IPv6 behind IPv4":             {"CreateListener", on("TCP", split(v6, 1)), "InvalidConfigurationRequest", "requires a dualstack load balancer"},
		"stickiness on TLS":            {"CreateListener", on("TLS", sticky(split(tls, 1), params{"Enabled": true})), "InvalidConfigurationRequest", "not supported for TLS listeners"},
		"stickiness for a while":       {"ModifyListener", modify(sticky(split(l.tcpBlue, 1), params{"Enabled": true, "DurationSeconds": 60})), "ValidationError", "DurationSeconds"},
		"a redirect":                   {"ModifyListener", modify(redirectTo(params{"StatusCode": "HTTP_301", "Port": "443"})), "InvalidLoadBalancerAction", "'redirect' is not valid with a Network Load Balancer"},
		"a fixed response":             {"CreateListener", on("TCP", notFound()), "InvalidLoadBalancerAction", "'fixed-response'"},
		"two actions":                  {"ModifyListener", modify(ordered(split(l.tcpBlue, 1), 1), ordered(split(l.tcpGreen, 1), 2)), "TooManyActions", "only one action, not 2"},
		"no action":                    {"ModifyListener", modify(), "ValidationError", "at least one action"},
		"six groups":                   {"ModifyListener", modify(split(six...)), "ValidationError", "at most 5 target groups, not 6"},
		"weight 1000":                  {"ModifyListener", modify(split(l.tcpBlue, 1000)), "ValidationError", "from 0 to 999, not 1000"},
		"a group twice":                {"ModifyListener", modify(split(l.tcpBlue, 1, l.tcpBlue, 2)), "ValidationError", "was provided multiple times"},
		"a group that is gone":         {"ModifyListener", modify(split(prefix+"targetgroup/ghost/0123456789abcdef", 1)), "TargetGroupNotFound", "not found"},
		"TLS without certificate":      {"CreateListener", with(on("TLS", split(l.tcpBlue, 1)), "Certificates", list()), "ValidationError", "A certificate must be specified for TLS listeners"},
		"TCP with a certificate":       {"CreateListener", with(on("TCP", split(l.tcpBlue, 1)), "Certificates", list(params{"CertificateArn": certificate})), "ValidationError", "Certificates cannot be specified for a TCP listener"},
		"TCP with ALPN":                {"CreateListener", with(on("TCP", split(l.tcpBlue, 1)), "AlpnPolicy", list("None")), "ValidationError", "for a TCP listener"},
		"an unknown ALPN":              {"CreateListener", with(on("TLS", split(tls, 1)), "AlpnPolicy", list("h2")), "ALPNPolicyNotSupported", "'h2'"},
		"two ALPN policies":            {"CreateListener", with(on("TLS", split(tls, 1)), "AlpnPolicy", list("None", "HTTP1Only")), "ValidationError", "Exactly one ALPN policy"},
		"TLS with client certificates": {"CreateListener", with(on("TLS", split(tls, 1)), "MutualAuthentication", params{"Mode": "passthrough"}), "ValidationError", "MutualAuthentication"},
		"TCP becomes UDP":              {"ModifyListener", params{"ListenerArn": l.tcp, "Protocol": "UDP"}, "IncompatibleProtocols", "'UDP' and 'TCP'"},
		"an idle timeout of 59 s":      {"ModifyListenerAttributes", params{"ListenerArn": l.tcp, "Attributes": list(params{"Key": "tcp.idle_timeout.seconds", "Value": "59"})}, "ValidationError", "from 60 to 6000"},
		"an idle timeout for HTTP":     {"ModifyListenerAttributes", params{"ListenerArn": l.listener, "Attributes": list(params{"Key": "tcp.idle_timeout.seconds", "Value": "60"})}, "ValidationError", "is not recognized"},
		"a group of another balancer":  {"CreateListener", with(on("TCP", split(l.tcpBlue, 1)), "LoadBalancerArn", l.balancer(t, params{"Name": "other"})), "TargetGroupAssociationLimit", l.tcpBlue},
		"a rule with a transform": {"CreateRule", params{
			"ListenerArn": l.tcp, "Priority": 1, "Actions": list(split(l.tcpBlue, 1)), "Conditions": list(host("example.com")),
		}, "ValidationError", "'[source-ip]'"},
		"a group in use": {"DeleteTargetGroup", params{"TargetGroupArn": l.tcpGreen}, "ResourceInUse", "currently in use"},
	})
}

func TestBadNetworkBalancersAndGroupsAreRefused(t *testing.T) {
	l := newNetLab(t)
	udp := l.netGroup(t, "udp", params{"Protocol": "UDP"})
	tls := l.netGroup(t, "tls", params{"Protocol": "TLS"})
	v6 := l.netGroup(t, "v6", params{"IpAddressType": "ipv6"})
	mapped := func(m, more params) params {
		p := netBalancer(more)
		delete(p, "Subnets")
		m["SubnetId"] = "subnet-1"
		p["SubnetMappings"] = list(m)
		return p
	}
	attr := func(arn, key, value string) params {
		return params{"TargetGroupArn": arn, "Attributes": list(params{"Key": key, "Value": value})}
	}
	group := func(more params) params { return netGroupParams("new", more) }
	l.check(t, map[string]refusal{
		"no subnet":                    {"CreateLoadBalancer", netBalancer(params{"Subnets": list()}), "ValidationError", "At least one subnet"},
		"an address type of ALBs":      {"CreateLoadBalancer", netBalancer(params{"IpAddressType": "dualstack-without-public-ipv4"}), "ValidationError", "[ipv4, dualstack]"},
		"an elastic IP, internal":      {"CreateLoadBalancer", mapped(params{"AllocationId": "eipalloc-1"}, params{"Scheme": "internal"}), "ValidationError", "Elastic IP addresses cannot be specified for an internal"},
		"an elastic IP that is none":   {"CreateLoadBalancer", mapped(params{"AllocationId": "x"}, nil), "AllocationIdNotFound", "'x'"},
		"a private address, public":    {"CreateLoadBalancer", mapped(params{"PrivateIPv4Address": "10.0.0.9"}, nil), "ValidationError", "internal load balancers only"},
		"a private address of IPv6":    {"CreateLoadBalancer", mapped(params{"PrivateIPv4Address": "fd00::1"}, params{"Scheme": "internal"}), "ValidationError", "'fd00::1' is not valid"},
		"an IPv6 address for IPv4":     {"CreateLoadBalancer", mapped(params{"IPv6Address": "fd00::1"}, nil), "ValidationError", "requires the IP address type 'dualstack'"},
		"source NAT for IPv4":          {"CreateLoadBalancer", netBalancer(params{"EnablePrefixForIpv6SourceNat": "on"}), "InvalidConfigurationRequest", "'dualstack', not 'ipv4'"},
		"source NAT of an ALB":         {"CreateLoadBalancer", params{"Name": "new", "Subnets": list("subnet-1", "subnet-2"), "EnablePrefixForIpv6SourceNat": "on"}, "ValidationError", "Network Load Balancers only"},
		"the name of an ALB":           {"CreateLoadBalancer", netBalancer(params{"Name": "web"}), "DuplicateLoadBalancerName", "'web'"},
		"security groups afterwards":   {"SetSecurityGroups", params{"LoadBalancerArn": l.nlb, "SecurityGroups": list("sg-1")}, "InvalidConfigurationRequest", "created without any"},
		"an attribute of ALBs":         {"ModifyLoadBalancerAttributes", params{"LoadBalancerArn": l.nlb, "Attributes": list(params{"Key": "idle_timeout.timeout_seconds", "Value": "60"})}, "ValidationError", "is not recognized"},
		"an unknown routing policy":    {"ModifyLoadBalancerAttributes", params{"LoadBalancerArn": l.nlb, "Attributes": list(params{"Key": "dns_record.client_routing_policy", "Value": "any"})}, "ValidationError", "partial_availability_zone_affinity"},
		"GENEVE":                       {"CreateTargetGroup", group(params{"Protocol": "GENEVE"}), "NotSimulated", "'GENEVE'"},
		"a protocol version":           {"CreateTargetGroup", group(params{"ProtocolVersion": "HTTP2"}), "ValidationError", "'HTTP2'"},
		"an ALB behind UDP":            {"CreateTargetGroup", group(params{"TargetType": "alb", "Protocol": "UDP"}), "ValidationError", "use TCP"},
		"an ALB checked by TCP":        {"CreateTargetGroup", group(params{"TargetType": "alb", "HealthCheckProtocol": "TCP"}), "ValidationError", "'[HTTP, HTTPS]'"},
		"a UDP health check":           {"CreateTargetGroup", group(params{"HealthCheckProtocol": "UDP"}), "ValidationError", "'[HTTP, HTTPS, TCP]'"},
		"a path for TCP":               {"CreateTargetGroup", group(params{"HealthCheckPath": "/"}), "ValidationError", "path cannot be specified"},
		"a matcher for TCP":            {"CreateTargetGroup", group(params{"Matcher": params{"HttpCode": "200"}}), "ValidationError", "matcher HTTP code cannot be specified"},
		"a matcher of 600":             {"CreateTargetGroup", group(params{"HealthCheckProtocol": "HTTP", "Matcher": params{"HttpCode": "200-600"}}), "ValidationError", "within 200-599"},
		"a TCP check of an HTTP group": {"ModifyTargetGroup", params{"TargetGroupArn": l.blue, "HealthCheckProtocol": "TCP"}, "ValidationError", "'[HTTP, HTTPS]'"},
		"a cookie":                     {"ModifyTargetGroupAttributes", attr(l.tcpBlue, "stickiness.type", "lb_cookie"), "InvalidConfigurationRequest", "Stickiness type 'lb_cookie' is not supported for target groups with the TCP protocol"},
		"stickiness of TLS":            {"ModifyTargetGroupAttributes", attr(tls, "stickiness.enabled", "true"), "InvalidConfigurationRequest", "TLS protocol"},
		"slow start":                   {"ModifyTargetGroupAttributes", attr(l.tcpBlue, "slow_start.duration_seconds", "30"), "ValidationError", "is not recognized"},
		"client addresses of UDP":      {"ModifyTargetGroupAttributes", attr(udp, "preserve_client_ip.enabled", "false"), "InvalidConfigurationRequest", "cannot be disabled"},
		"UDP flows cut when unhealthy": {"ModifyTargetGroupAttributes", attr(udp, "target_health_state.unhealthy.connection_termination.enabled", "true"), "InvalidConfigurationRequest", "cannot be enabled"},
		"draining beside termination":  {"ModifyTargetGroupAttributes", attr(l.tcpBlue, "target_health_state.unhealthy.draining_interval_seconds", "5"), "InvalidConfigurationRequest", "only when"},
		"sticky targets, loose groups": {"ModifyTargetGroupAttributes", attr(l.tcpBlue, "stickiness.enabled", "true"), "InvalidConfigurationRequest", "group stickiness"},
		"an IPv6 target of IPv4":       {"RegisterTargets", params{"TargetGroupArn": l.tcpBlue, "Targets": list(params{"Id": "fd00::1"})}, "InvalidTarget", "not of the target group's IP address type, ipv4"},
		"an IPv4 target of IPv6":       {"RegisterTargets", params{"TargetGroupArn": v6, "Targets": list(params{"Id": "10.0.0.1"})}, "InvalidTarget", "not of the target group's IP address type, ipv6"},
	})
}
