package elbv2_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/elbv2"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

// netLab is a lab with a network load balancer too. Its TCP listener forwards to tcpBlue
// (100) and tcpGreen (0).
type netLab struct {
	*lab
	nlb, tcp          string
	tcpBlue, tcpGreen string
}

func newNetLab(t *testing.T, change ...func(*elbv2.Config)) *netLab {
	t.Helper()
	l := &netLab{lab: newLab(t, change...)}
	l.nlb = l.balancer(t, params{"Name": "edge"})
	l.tcpBlue, l.tcpGreen = l.netGroup(t, "tcp-blue", nil), l.netGroup(t, "tcp-green", nil)
	l.tcp = wiretest.Text(t, l.do(t, "CreateListener", l.listenOn(443, "TCP", split(l.tcpBlue, 100, l.tcpGreen, 0))), "Listeners.0.ListenerArn")
	return l
}

func (l *netLab) balancer(t *testing.T, more params) string {
	t.Helper()
	return wiretest.Text(t, l.do(t, "CreateLoadBalancer", netBalancer(more)), "LoadBalancers.0.LoadBalancerArn")
}

func netBalancer(more params) params {
	p := params{"Name": "new", "Type": "network", "Subnets": list("subnet-1")}
	maps.Copy(p, more)
	return p
}

// netGroup is a target group of TCP, unless more says something else.
func (l *netLab) netGroup(t *testing.T, name string, more params) string {
	t.Helper()
	return wiretest.Text(t, l.do(t, "CreateTargetGroup", netGroupParams(name, more)), "TargetGroups.0.TargetGroupArn")
}

func netGroupParams(name string, more params) params {
	p := groupParams(name)
	p["Protocol"] = "TCP"
	maps.Copy(p, more)
	return p
}

func (l *netLab) listenOn(port int, protocol string, actions ...any) params {
	p := params{"LoadBalancerArn": l.nlb, "Port": port, "Protocol": protocol, "DefaultActions": list(actions...)}
	if protocol == "TLS" {
		p["Certificates"] = list(params{"CertificateArn": certificate})
	}
	return p
}

func TestANetworkLoadBalancerIsAsAWSHasIt(t *testing.T) {
	l := newNetLab(t)
	out := l.do(t, "DescribeLoadBalancers", params{"Names": list("edge")})
	if arn := wiretest.Text(t, out, "LoadBalancers.0.LoadBalancerArn"); !strings.HasPrefix(arn, prefix+"loadbalancer/net/edge/") {
		t.Errorf("the ARN is %s", arn)
	}
	id := l.nlb[strings.LastIndexByte(l.nlb, '/')+1:]
	expect(t, out, map[string]any{
		"LoadBalancers.0.Type": "network", "LoadBalancers.0.Scheme": "internet-facing", "LoadBalancers.0.IpAddressType": "ipv4",
		"LoadBalancers.0.DNSName": "edge-" + id + ".elb.us-east-1.amazonaws.com", "LoadBalancers.0.CanonicalHostedZoneId": "Z26RNL4JYFTOTI",
		"LoadBalancers.0.EnablePrefixForIpv6SourceNat": "off", "LoadBalancers.0.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic": nil,
		"LoadBalancers.0.AvailabilityZones.0.ZoneName": "us-east-1a",
	})
	for _, want := range [][2]string{{l.tcp, "listener/net/edge/" + id + "/"}, {wiretest.Text(t, l.do(t, "DescribeRules", params{"ListenerArn": l.tcp}), "Rules.0.RuleArn"), "listener-rule/net/edge/" + id + "/"}} {
		if !strings.HasPrefix(want[0], prefix+want[1]) {
			t.Errorf("the ARN is %s, want %s%s…", want[0], prefix, want[1])
		}
	}
	got := l.plane.last(t)
	i := slices.IndexFunc(got.LoadBalancers, func(lb model.LoadBalancer) bool { return lb.ARN == l.nlb })
	lb := got.LoadBalancers[i]
	if lb.Type != "network" || lb.Attributes["load_balancing.cross_zone.enabled"] != "false" || !slices.Equal(lb.Zones, []string{"us-east-1a"}) ||
		lb.HostedZoneID != "Z26RNL4JYFTOTI" || !model.IsNetworkBalancer(lb.ARN) || model.IsNetworkBalancer(l.lb) {
		t.Errorf("the data plane was told %+v", lb)
	}
	want := []model.WeightedTargetGroup{{ARN: l.tcpBlue, Weight: 100}, {ARN: l.tcpGreen}}
	if listener := got.Listeners[len(got.Listeners)-1]; listener.Protocol != "TCP" || listener.Attributes["tcp.idle_timeout.seconds"] != "350" ||
		!slices.Equal(listener.Rules[0].Actions[0].Forward.TargetGroups, want) {
		t.Errorf("the data plane was told %+v", listener)
	}
	if g := got.TargetGroups[l.tcpGreen]; !g.InUse || !g.Network() || got.TargetGroups[l.blue].Network() {
		t.Errorf("the data plane was told %+v", g)
	}
}

func TestADefaultRuleOfANetworkListenerShifts(t *testing.T) {
	l := newNetLab(t)
	out := l.do(t, "ModifyListener", params{"ListenerArn": l.tcp, "DefaultActions": list(sticky(split(l.tcpBlue, 90, l.tcpGreen, 10), params{"Enabled": true}))})
	f := "DefaultActions.0.ForwardConfig."
	expect(t, out, map[string]any{
		"Listeners.0." + f + "TargetGroups.0.Weight": 90, "Listeners.0." + f + "TargetGroups.1.Weight": 10,
		"Listeners.0." + f + "TargetGroupStickinessConfig.Enabled": true, "Listeners.0." + f + "TargetGroupStickinessConfig.DurationSeconds": nil,
	})
	rules := l.do(t, "DescribeRules", params{"ListenerArn": l.tcp})
	rule := wiretest.Text(t, rules, "Rules.0.RuleArn")
	expect(t, rules, map[string]any{
		"Rules.0.Priority": "default", "Rules.0.IsDefault": true, "Rules.1": nil,
		"Rules.0.Actions.0.ForwardConfig.TargetGroups.1.Weight": 10,
	})
	l.refuse(t, "ModifyRule", params{"RuleArn": rule, "Actions": list(split(l.tcpBlue, 1))}, "OperationNotPermitted", "cannot be modified")
	for _, arn := range []string{l.tcp, rule, l.nlb, l.tcpBlue} {
		l.do(t, "AddTags", params{"ResourceArns": list(arn), "Tags": list(params{"Key": "owner", "Value": "x"})})
		expect(t, l.do(t, "DescribeTags", params{"ResourceArns": list(arn)}), map[string]any{"TagDescriptions.0.Tags.0.Key": "owner"})
	}
	l.do(t, "ModifyListener", params{"ListenerArn": l.tcp, "DefaultActions": list(split(l.tcpBlue, 0, l.tcpGreen, 0))}) // AWS: unverified
	l.do(t, "ModifyListener", params{"ListenerArn": l.tcp, "Port": 444})
	expect(t, l.do(t, "DescribeListeners", params{"LoadBalancerArn": l.nlb}), map[string]any{
		"Listeners.0.Port": 444, "Listeners.0.SslPolicy": nil, "Listeners.0.MutualAuthentication": nil, "Listeners.0.AlpnPolicy": nil,
	})
}

func TestNetworkHealthChecksHaveTheirOwnDefaults(t *testing.T) {
	l := newNetLab(t)
	g := "TargetGroups.0."
	for name, tc := range map[string]struct {
		more params
		want map[string]any
	}{
		"TCP": {nil, map[string]any{
			"HealthCheckProtocol": "TCP", "HealthCheckTimeoutSeconds": 10, "HealthCheckIntervalSeconds": 30, "HealthyThresholdCount": 5, "UnhealthyThresholdCount": 2,
			"HealthCheckPath": nil, "Matcher": nil, "HealthCheckPort": "traffic-port", "ProtocolVersion": nil, "IpAddressType": "ipv4",
		}},
		"HTTP":                {params{"HealthCheckProtocol": "HTTP"}, map[string]any{"HealthCheckTimeoutSeconds": 6, "HealthCheckPath": "/", "Matcher.HttpCode": "200-399"}},
		"HTTPS":               {params{"HealthCheckProtocol": "HTTPS", "HealthCheckPath": "/ok"}, map[string]any{"HealthCheckTimeoutSeconds": 10, "HealthCheckPath": "/ok"}},
		"every 5 s":           {params{"HealthCheckIntervalSeconds": 5}, map[string]any{"HealthCheckTimeoutSeconds": 5}},
		"UDP":                 {params{"Protocol": "UDP"}, map[string]any{"HealthCheckProtocol": "TCP", "HealthCheckPath": nil}},
		"TLS":                 {params{"Protocol": "TLS", "Matcher": params{"HttpCode": "200-599"}, "HealthCheckProtocol": "HTTP"}, map[string]any{"Matcher.HttpCode": "200-599"}},
		"a load balancer":     {params{"TargetType": "alb"}, map[string]any{"HealthCheckProtocol": "HTTP", "HealthCheckTimeoutSeconds": 6, "Matcher.HttpCode": "200-399"}},
		"IPv6":                {params{"IpAddressType": "ipv6"}, map[string]any{"IpAddressType": "ipv6"}},
		"with its own timing": {params{"HealthCheckTimeoutSeconds": 7, "HealthyThresholdCount": 3}, map[string]any{"HealthCheckTimeoutSeconds": 7, "HealthyThresholdCount": 3}},
	} {
		t.Run(name, func(t *testing.T) {
			out := l.do(t, "CreateTargetGroup", netGroupParams("g-"+strings.ReplaceAll(name, " ", "-"), tc.more))
			for path, want := range tc.want {
				expect(t, out, map[string]any{g + path: want})
			}
		})
	}
	out := l.do(t, "ModifyTargetGroup", params{"TargetGroupArn": l.tcpBlue, "HealthCheckProtocol": "HTTP", "HealthCheckPath": "/healthz"})
	expect(t, out, map[string]any{g + "HealthCheckPath": "/healthz", g + "Matcher.HttpCode": "200-399", g + "HealthCheckTimeoutSeconds": 6})
	out = l.do(t, "ModifyTargetGroup", params{"TargetGroupArn": l.tcpBlue, "HealthCheckIntervalSeconds": 10})
	expect(t, out, map[string]any{g + "HealthCheckPath": "/healthz", g + "HealthCheckTimeoutSeconds": 6, g + "HealthCheckIntervalSeconds": 10})
	out = l.do(t, "ModifyTargetGroup", params{"TargetGroupArn": l.tcpBlue, "HealthCheckProtocol": "TCP"})
	expect(t, out, map[string]any{g + "HealthCheckPath": nil, g + "Matcher": nil, g + "HealthCheckTimeoutSeconds": 10})
}

func TestNetworkAttributesHaveTheirOwnDefaults(t *testing.T) {
	l := newNetLab(t)
	udp := l.netGroup(t, "udp", params{"Protocol": "UDP"})
	instances := l.netGroup(t, "instances", params{"TargetType": "instance"})
	tls := wiretest.Text(t, l.do(t, "CreateListener", l.listenOn(8443, "TLS", split(l.tcpBlue, 1))), "Listeners.0.ListenerArn")
	for name, tc := range map[string]struct {
		op, member, arn string
		want            map[string]string
	}{
		"load balancer": {"DescribeLoadBalancerAttributes", "LoadBalancerArn", l.nlb, map[string]string{
			"load_balancing.cross_zone.enabled": "false", "dns_record.client_routing_policy": "any_availability_zone", "idle_timeout.timeout_seconds": "",
		}},
		"TCP listener": {"DescribeListenerAttributes", "ListenerArn", l.tcp, map[string]string{"tcp.idle_timeout.seconds": "350", "routing.http.response.server.enabled": ""}},
		"TLS listener": {"DescribeListenerAttributes", "ListenerArn", tls, map[string]string{"tcp.idle_timeout.seconds": ""}},
		"TCP group of addresses": {"DescribeTargetGroupAttributes", "TargetGroupArn", l.tcpBlue, map[string]string{
			"deregistration_delay.timeout_seconds": "300", "deregistration_delay.connection_termination.enabled": "false", "preserve_client_ip.enabled": "false",
			"proxy_protocol_v2.enabled": "false", "stickiness.enabled": "false", "stickiness.type": "source_ip", "slow_start.duration_seconds": "",
			"target_health_state.unhealthy.connection_termination.enabled": "true", "target_health_state.unhealthy.draining_interval_seconds": "0",
			"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
		}},
		"TCP group of instances": {"DescribeTargetGroupAttributes", "TargetGroupArn", instances, map[string]string{"preserve_client_ip.enabled": "true"}},
		"UDP group": {"DescribeTargetGroupAttributes", "TargetGroupArn", udp, map[string]string{
			"preserve_client_ip.enabled": "true", "deregistration_delay.connection_termination.enabled": "true",
			"target_health_state.unhealthy.connection_termination.enabled": "false",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			out := l.do(t, tc.op, params{tc.member: tc.arn})
			keys, values := column(t, out, "Attributes", "Key"), column(t, out, "Attributes", "Value")
			for key, want := range tc.want {
				got := ""
				if i := slices.Index(keys, key); i >= 0 {
					got = values[i]
				}
				if got != want {
					t.Errorf("%s is %q, want %q (empty: not there)", key, got, want)
				}
			}
		})
	}
	l.do(t, "ModifyListenerAttributes", params{"ListenerArn": l.tcp, "Attributes": list(params{"Key": "tcp.idle_timeout.seconds", "Value": "60"})})
	cfg := l.plane.last(t)
	i := slices.IndexFunc(cfg.Listeners, func(x model.Listener) bool { return x.ARN == l.tcp })
	if got := cfg.Listeners[i].Attributes["tcp.idle_timeout.seconds"]; got != "60" {
		t.Errorf("the data plane was told an idle timeout of %q, want 60", got)
	}
}

func TestATLSListenerHasCertificatesAndALPN(t *testing.T) {
	l := newNetLab(t)
	p := l.listenOn(8443, "TLS", split(l.tcpBlue, 1))
	p["AlpnPolicy"] = list("HTTP2Preferred")
	out := l.do(t, "CreateListener", p)
	arn := wiretest.Text(t, out, "Listeners.0.ListenerArn")
	expect(t, out, map[string]any{
		"Listeners.0.AlpnPolicy.0": "HTTP2Preferred", "Listeners.0.Certificates.0.CertificateArn": certificate,
		"Listeners.0.SslPolicy": "ELBSecurityPolicy-2016-08", "Listeners.0.MutualAuthentication": nil,
	})
	if again := wiretest.Text(t, l.do(t, "CreateListener", p), "Listeners.0.ListenerArn"); again != arn {
		t.Errorf("asking again created %s beside %s", again, arn)
	}
	l.do(t, "AddListenerCertificates", params{"ListenerArn": arn, "Certificates": list(params{"CertificateArn": certificate + "2"})})
	l.refuse(t, "AddListenerCertificates", params{"ListenerArn": l.tcp, "Certificates": list(params{"CertificateArn": certificate})}, "ValidationError", "for a TCP listener")
	out = l.do(t, "ModifyListener", params{"ListenerArn": arn, "Protocol": "TCP"})
	expect(t, out, map[string]any{"Listeners.0.AlpnPolicy": nil, "Listeners.0.Certificates": nil, "Listeners.0.Protocol": "TCP"})
	expect(t, l.do(t, "DescribeListenerAttributes", params{"ListenerArn": arn}), map[string]any{"Attributes.0.Value": "350"})
}

func TestAnApplicationLoadBalancerCanBeATarget(t *testing.T) {
	l := newNetLab(t)
	front := l.netGroup(t, "front", params{"TargetType": "alb"})
	targets := func(id string, port int) params {
		return params{"TargetGroupArn": front, "Targets": list(params{"Id": id, "Port": port})}
	}
	l.refuse(t, "RegisterTargets", targets("10.0.0.1", 80), "InvalidTarget", "not the ARN of an Application Load Balancer")
	l.refuse(t, "RegisterTargets", targets(l.nlb, 80), "InvalidTarget", "not the ARN of an Application Load Balancer")
	l.refuse(t, "RegisterTargets", targets(l.lb, 81), "ValidationError", "must be the target group's, 80")
	l.refuse(t, "RegisterTargets", targets(l.lb+"0", 80), "InvalidTarget", "does not exist")
	l.do(t, "RegisterTargets", targets(l.lb, 80))
	l.do(t, "CreateListener", l.listenOn(80, "TCP", split(front, 1)))
	expect(t, l.do(t, "DescribeTargetHealth", params{"TargetGroupArn": front}), map[string]any{
		"TargetHealthDescriptions.0.Target.Id": l.lb, "TargetHealthDescriptions.0.TargetHealth.State": "healthy",
	})
	second := wiretest.Text(t, l.do(t, "CreateLoadBalancer", params{"Name": "web2", "Subnets": list("subnet-1", "subnet-2")}), "LoadBalancers.0.LoadBalancerArn")
	l.refuse(t, "RegisterTargets", targets(second, 80), "TooManyTargets", "only one target")
	closed := l.netGroup(t, "closed", params{"TargetType": "alb", "Port": 8080})
	l.refuse(t, "RegisterTargets", params{"TargetGroupArn": closed, "Targets": list(params{"Id": l.lb})}, "InvalidTarget", "no listener on the target group's port 8080")
}

func TestRulesOfDualStackNetworkLoadBalancersTellAddressTypes(t *testing.T) {
	l := newNetLab(t)
	v6 := l.netGroup(t, "v6", params{"IpAddressType": "ipv6"})
	rule := func(family string, arn string) params {
		return params{
			"ListenerArn": l.tcp, "Priority": 10, "Actions": list(split(arn, 1)),
			"Conditions": list(params{"Field": "source-ip", "SourceIpConfig": params{"IpAddressType": family}}),
		}
	}
	l.refuse(t, "CreateRule", rule("ipv6", l.tcpGreen), "InvalidConfigurationRequest", "require the IP address type dualstack")
	l.do(t, "SetIpAddressType", params{"LoadBalancerArn": l.nlb, "IpAddressType": "dualstack"})
	out := l.do(t, "CreateRule", rule("ipv6", v6))
	expect(t, out, map[string]any{"Rules.0.Conditions.0.SourceIpConfig.IpAddressType": "ipv6", "Rules.0.Conditions.0.SourceIpConfig.Values": nil})
	expect(t, l.do(t, "DescribeRules", params{"ListenerArn": l.tcp}), map[string]any{"Rules.0.Priority": "10", "Rules.1.Priority": "default"})
	l.do(t, "ModifyRule", params{"RuleArn": wiretest.Text(t, out, "Rules.0.RuleArn"), "Actions": list(split(v6, 0))})
	l.refuse(t, "SetIpAddressType", params{"LoadBalancerArn": l.nlb, "IpAddressType": "ipv4"}, "InvalidConfigurationRequest", "while it forwards to the IPv6 target group")
	l.refuse(t, "CreateRule", rule("both", l.tcpGreen), "ValidationError", "[ipv4, ipv6]")
	l.refuse(t, "CreateRule", params{"ListenerArn": l.tcp, "Priority": 11, "Actions": list(split(v6, 1)), "Conditions": list(host("example.com"))}, "ValidationError", "'[source-ip]'")
	l.refuse(t, "CreateRule", params{"ListenerArn": l.tcp, "Priority": 11, "Actions": list(split(v6, 1)), "Conditions": list(
		params{"Field": "source-ip", "SourceIpConfig": params{"Values": list("10.0.0.0/8")}})}, "ValidationError", "Values are not supported")
}

func TestNothingLeaksBetweenAccountsAndRegions(t *testing.T) {
	s := elbv2.New(elbv2.Config{Seed: 3})
	defer s.Close()
	in := func(account, region, op string, p params) (wire.Struct, error) {
		return s.Serve(t.Context(), &wire.Request{Operation: op, Region: region, AccountID: account, Params: wiretest.Params(p)})
	}
	worlds := [][2]string{{"111111111111", "us-east-1"}, {"111111111111", "eu-west-1"}, {"222222222222", "us-east-1"}, {"333333333333", "cn-north-1"}}
	arns := map[[2]string][]string{}
	for _, w := range worlds { // the same names in each
		group, err := in(w[0], w[1], "CreateTargetGroup", netGroupParams("blue", params{"Tags": list(params{"Key": "at", "Value": w[0] + "-" + w[1]})}))
		if err != nil {
			t.Fatal(err)
		}
		lb, err := in(w[0], w[1], "CreateLoadBalancer", netBalancer(nil))
		if err != nil {
			t.Fatal(err)
		}
		groupARN, lbARN := wiretest.Text(t, group, "TargetGroups.0.TargetGroupArn"), wiretest.Text(t, lb, "LoadBalancers.0.LoadBalancerArn")
		listener, err := in(w[0], w[1], "CreateListener", params{"LoadBalancerArn": lbARN, "Port": 80, "Protocol": "TCP", "DefaultActions": list(split(groupARN, 1))})
		if err != nil {
			t.Fatal(err)
		}
		arns[w] = []string{lbARN, wiretest.Text(t, listener, "Listeners.0.ListenerArn"), groupARN}
	}
	for _, w := range worlds {
		var got []string
		for _, r := range s.Resources(w[0], w[1]) {
			if model.Scope(r.ARN) != w[0]+"/"+w[1] {
				t.Errorf("%v has %s", w, r.ARN)
			}
			if !strings.Contains(r.ARN, "listener-rule/") {
				got = append(got, r.ARN)
			}
			if want := w[0] + "-" + w[1]; strings.Contains(r.ARN, ":targetgroup/") && r.Tags["at"] != want {
				t.Errorf("%s has the tags %v, want at=%s", r.ARN, r.Tags, want)
			}
		}
		if d := cmp.Diff(arns[w], got); d != "" {
			t.Errorf("resources of %v (-want +got):\n%s", w, d)
		}
		for _, other := range worlds {
			if other == w {
				continue
			}
			theirs := arns[other]
			for op, p := range map[string]params{
				"DescribeLoadBalancers": {"LoadBalancerArns": list(theirs[0])}, "DescribeRules": {"ListenerArn": theirs[1]},
				"DescribeTargetHealth": {"TargetGroupArn": theirs[2]}, "DescribeTags": {"ResourceArns": list(theirs[0])},
				"ModifyListener": {"ListenerArn": arns[w][1], "DefaultActions": list(split(theirs[2], 1))},
			} {
				if _, err := in(w[0], w[1], op, p); err == nil || !strings.Contains(err.Error(), "NotFound") {
					t.Errorf("%s in %v of what is in %v: %v, want a NotFound", op, w, other, err)
				}
			}
		}
		if out, err := in(w[0], w[1], "DescribeTargetGroups", params{}); err != nil || len(column(t, out, "TargetGroups", "TargetGroupArn")) != 1 {
			t.Errorf("target groups of %v: %v, %v; want one", w, out, err)
		}
	}
	if s.Resources("444444444444", "us-east-1") != nil {
		t.Error("an unknown account has resources")
	}
}

// A lab that is built again from the recorded calls, at their times, is the same.
func TestRecordedCallsBuildTheSameLabAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		build := func(now func() time.Time, step func()) model.Config {
			l := newNetLab(t, func(c *elbv2.Config) { c.Now = now })
			step()
			l.do(t, "RegisterTargets", params{"TargetGroupArn": l.tcpBlue, "Targets": list(params{"Id": "10.0.0.1"}, params{"Id": "10.0.0.2"})})
			step()
			l.refuse(t, "CreateListener", l.listenOn(443, "UDP", split(l.tcpBlue, 1)), "IncompatibleProtocols", "")
			l.do(t, "DeregisterTargets", params{"TargetGroupArn": l.tcpBlue, "Targets": list(params{"Id": "10.0.0.1"})})
			step()
			l.do(t, "CreateListener", l.listenOn(8443, "TLS", split(l.tcpGreen, 1)))
			out := l.do(t, "DescribeLoadBalancers", params{})
			for i := range 2 {
				if created, ok := wiretest.At(out, fmt.Sprintf("LoadBalancers.%d.CreatedTime", i)).(time.Time); !ok || created.Year() != 2000 {
					t.Errorf("created at %v, want at the recorded time", created)
				}
			}
			return l.Snapshot()
		}
		first := build(nil, func() { time.Sleep(time.Minute) })
		recorded := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when the bubble began
		again := build(func() time.Time { return recorded }, func() { recorded = recorded.Add(time.Minute) })
		if d := cmp.Diff(first, again); d != "" {
			t.Errorf("the second lab differs:\n%s", d)
		}
	})
}

// Whatever the weights: what AWS allows is taken and reads back as it was written, on
// the listener and on its default rule, and a refused change changes nothing.
func TestWeightsOfNetworkListeners(t *testing.T) {
	l := newNetLab(t)
	groups := []string{l.tcpBlue, l.tcpGreen}
	for i := range 4 {
		groups = append(groups, l.netGroup(t, fmt.Sprint("more-", i), nil))
	}
	written := []any{l.tcpBlue, 100, l.tcpGreen, 0}
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(rt, "groups")
		var pairs []any
		valid := n <= 5
		for _, arn := range rapid.Permutation(groups).Draw(rt, "order")[:n] {
			w := rapid.OneOf(rapid.IntRange(0, 999), rapid.IntRange(-1, 1000)).Draw(rt, "weight")
			valid = valid && w >= 0 && w <= 999
			pairs = append(pairs, arn, w)
		}
		_, err := l.try(t, "ModifyListener", params{"ListenerArn": l.tcp, "DefaultActions": list(split(pairs...))})
		if valid != (err == nil) {
			rt.Fatalf("%v is valid: %v, but got %v", pairs, valid, err)
		}
		if valid {
			written = pairs
		}
		for op, path := range map[string]string{"DescribeListeners": "Listeners.0.DefaultActions.0", "DescribeRules": "Rules.0.Actions.0"} {
			p := params{"ListenerArn": l.tcp}
			if op == "DescribeListeners" {
				p = params{"ListenerArns": list(l.tcp)}
			}
			var got []any
			items, _ := wiretest.At(l.do(t, op, p), path+".ForwardConfig.TargetGroups").(wire.List)
			for _, it := range items {
				got = append(got, wiretest.At(it, "TargetGroupArn"), wiretest.At(it, "Weight"))
			}
			if d := cmp.Diff(written, got); d != "" {
				rt.Fatalf("%s (-written +read):\n%s", op, d)
			}
		}
	})
}
