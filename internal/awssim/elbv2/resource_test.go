package elbv2_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/elbv2"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

func TestCreatingTheSameTwiceAnswersWithTheFirst(t *testing.T) {
	l := newLab(t)
	for op, tc := range map[string]struct {
		p    params
		path string
		want string
	}{
		"CreateLoadBalancer": {params{"Name": "web", "Subnets": list("subnet-1", "subnet-2")}, "LoadBalancers.0.LoadBalancerArn", l.lb},
		"CreateTargetGroup":  {groupParams("blue"), "TargetGroups.0.TargetGroupArn", l.blue},
		"CreateListener": {
			params{"LoadBalancerArn": l.lb, "Port": 80, "Protocol": "HTTP", "DefaultActions": list(notFound())},
			"Listeners.0.ListenerArn", l.listener,
		},
	} {
		if got := wiretest.Text(t, l.do(t, op, tc.p), tc.path); got != tc.want {
			t.Errorf("%s: %s, want %s", op, got, tc.want)
		}
	}
}

func TestTheSeedDecidesARNs(t *testing.T) {
	if a, b := newLab(t).Snapshot(), newLab(t).Snapshot(); !cmp.Equal(a, b) {
		t.Errorf("the same seed made different worlds:\n%s", cmp.Diff(a, b))
	}
	other := newLab(t, func(c *elbv2.Config) { c.Seed = 2 })
	if other.lb == newLab(t).lb {
		t.Errorf("another seed made the same ARN %s", other.lb)
	}
}

func TestTagsOfSeveralResources(t *testing.T) {
	l := newLab(t)
	rule := l.rule(t, 10, notFound())
	all := list(l.lb, l.listener, rule, l.blue)
	l.do(t, "AddTags", params{"ResourceArns": all, "Tags": list(params{"Key": "a", "Value": "1"}, params{"Key": "b"})})
	l.do(t, "AddTags", params{"ResourceArns": list(rule), "Tags": list(params{"Key": "a", "Value": "norikae/From=blue:100+green:0 @x"})})
	l.do(t, "RemoveTags", params{"ResourceArns": list(rule, l.lb), "TagKeys": list("b", "nothing")})
	out := l.do(t, "DescribeTags", params{"ResourceArns": all})
	expect(t, out, map[string]any{
		"TagDescriptions.0.ResourceArn": l.lb, "TagDescriptions.0.Tags.0.Value": "1", "TagDescriptions.0.Tags.1": nil,
		"TagDescriptions.1.Tags.1.Key": "b", "TagDescriptions.1.Tags.1.Value": "",
		"TagDescriptions.2.Tags.0.Value": "norikae/From=blue:100+green:0 @x", "TagDescriptions.2.Tags.1": nil,
		"TagDescriptions.3.ResourceArn": l.blue,
	})
	l.do(t, "DeleteRule", params{"RuleArn": rule})
	l.refuse(t, "AddTags", params{"ResourceArns": list(l.lb, rule), "Tags": list(params{"Key": "c"})}, "RuleNotFound", "not found")
	again := l.do(t, "DescribeTags", params{"ResourceArns": list(l.lb)})
	if got := column(t, wiretest.At(again, "TagDescriptions.0"), "Tags", "Key"); !slices.Equal(got, []string{"a"}) {
		t.Errorf("tags are %v: a refused call added some", got)
	}
}

func TestTheFiftiethTagFitsAndReplacingOneAlsoDoes(t *testing.T) {
	l := newLab(t)
	var tags []any
	for _, k := range values(50, "k%d") {
		tags = append(tags, params{"Key": k, "Value": "x"})
	}
	l.do(t, "AddTags", params{"ResourceArns": list(l.lb), "Tags": tags})
	l.do(t, "AddTags", params{"ResourceArns": list(l.lb), "Tags": tags[:1]})
	l.refuse(t, "AddTags", params{"ResourceArns": list(l.lb), "Tags": list(params{"Key": "new"})}, "TooManyTags", "50")
}

func TestAttributesHaveDefaultsAndKeepWhatIsNotNamed(t *testing.T) {
	l := newLab(t)
	set := func(key, value string) []any { return list(params{"Key": key, "Value": value}) }
	value := func(out any, key string) string {
		return column(t, out, "Attributes", "Value")[slices.Index(column(t, out, "Attributes", "Key"), key)]
	}
	out := l.do(t, "DescribeTargetGroupAttributes", params{"TargetGroupArn": l.blue})
	if got := value(out, "deregistration_delay.timeout_seconds"); got != "300" {
		t.Errorf("default delay is %s", got)
	}
	l.do(t, "ModifyTargetGroupAttributes", params{"TargetGroupArn": l.blue, "Attributes": set("slow_start.duration_seconds", "30")})
	out = l.do(t, "ModifyTargetGroupAttributes", params{"TargetGroupArn": l.blue, "Attributes": set("deregistration_delay.timeout_seconds", "0")})
	if a, b := value(out, "slow_start.duration_seconds"), value(out, "deregistration_delay.timeout_seconds"); a != "30" || b != "0" {
		t.Errorf("attributes are %s and %s, want 30 and 0", a, b)
	}
	if got := l.plane.last(t).TargetGroups[l.blue].Attributes["slow_start.duration_seconds"]; got != "30" {
		t.Errorf("the data plane was told %q", got)
	}
	l.refuse(t, "ModifyTargetGroupAttributes", params{"TargetGroupArn": l.blue, "Attributes": set("load_balancing.algorithm.type", "weighted_random")},
		"InvalidConfigurationRequest", "Slow start requires")

	l.do(t, "ModifyLoadBalancerAttributes", params{"LoadBalancerArn": l.lb, "Attributes": set("deletion_protection.enabled", "true")})
	l.refuse(t, "DeleteLoadBalancer", params{"LoadBalancerArn": l.lb}, "OperationNotPermitted", "cannot be deleted because deletion protection is enabled")
	out = l.do(t, "DescribeLoadBalancerAttributes", params{"LoadBalancerArn": l.lb})
	if a, b := value(out, "deletion_protection.enabled"), value(out, "idle_timeout.timeout_seconds"); a != "true" || b != "60" {
		t.Errorf("attributes are %s and %s, want true and 60", a, b)
	}
	out = l.do(t, "ModifyListenerAttributes", params{"ListenerArn": l.listener, "Attributes": set("routing.http.response.x_frame_options.header_value", "DENY")})
	if got := value(out, "routing.http.response.x_frame_options.header_value"); got != "DENY" {
		t.Errorf("listener attribute is %s", got)
	}
}

func TestModifyTargetGroupKeepsWhatIsNotNamed(t *testing.T) {
	l := newLab(t)
	out := l.do(t, "ModifyTargetGroup", params{"TargetGroupArn": l.blue, "HealthCheckPath": "/health", "Matcher": params{"HttpCode": "200,204-206"}})
	expect(t, out, map[string]any{
		"TargetGroups.0.HealthCheckPath": "/health", "TargetGroups.0.Matcher.HttpCode": "200,204-206",
		"TargetGroups.0.HealthCheckIntervalSeconds": 30, "TargetGroups.0.HealthyThresholdCount": 5, "TargetGroups.0.UnhealthyThresholdCount": 2,
		"TargetGroups.0.HealthCheckPort": "traffic-port", "TargetGroups.0.ProtocolVersion": "HTTP1",
	})
}

func TestSubnetsAndSecurityGroupsAreReplaced(t *testing.T) {
	l := newLab(t)
	out := l.do(t, "SetSubnets", params{"LoadBalancerArn": l.lb, "SubnetMappings": list(params{"SubnetId": "subnet-8"}, params{"SubnetId": "subnet-9"})})
	expect(t, out, map[string]any{"AvailabilityZones.1.SubnetId": "subnet-9", "AvailabilityZones.1.ZoneName": "us-east-1b", "IpAddressType": "ipv4"})
	l.do(t, "SetSecurityGroups", params{"LoadBalancerArn": l.lb, "SecurityGroups": list("sg-1")})
	l.do(t, "SetIpAddressType", params{"LoadBalancerArn": l.lb, "IpAddressType": "dualstack"})
	out = l.do(t, "DescribeLoadBalancers", params{"LoadBalancerArns": list(l.lb)})
	expect(t, out, map[string]any{
		"LoadBalancers.0.AvailabilityZones.0.SubnetId": "subnet-8", "LoadBalancers.0.SecurityGroups.0": "sg-1",
		"LoadBalancers.0.IpAddressType": "dualstack", "LoadBalancers.0.State.Code": "active",
	})
}

func TestAnHTTPSListenerCanBecomeHTTP(t *testing.T) {
	l := newLab(t)
	arn := l.listen(t, 443, params{"Protocol": "HTTPS", "Certificates": list(params{"CertificateArn": certificate})})
	l.do(t, "AddListenerCertificates", params{"ListenerArn": arn, "Certificates": list(params{"CertificateArn": certificate + "2"})})
	out := l.do(t, "DescribeListenerCertificates", params{"ListenerArn": arn})
	expect(t, out, map[string]any{"Certificates.0.IsDefault": true, "Certificates.1.CertificateArn": certificate + "2"})
	l.refuse(t, "RemoveListenerCertificates", params{"ListenerArn": arn, "Certificates": list(params{"CertificateArn": certificate})}, "OperationNotPermitted", "default certificate")
	l.do(t, "RemoveListenerCertificates", params{"ListenerArn": arn, "Certificates": list(params{"CertificateArn": certificate + "2"})})

	out = l.do(t, "DescribeListeners", params{"ListenerArns": list(arn)})
	expect(t, out, map[string]any{"Listeners.0.SslPolicy": "ELBSecurityPolicy-2016-08", "Listeners.0.Certificates.0.CertificateArn": certificate})
	l.refuse(t, "ModifyListener", params{"ListenerArn": arn, "Port": 80}, "DuplicateListener", "already exists on this port")
	out = l.do(t, "ModifyListener", params{"ListenerArn": arn, "Protocol": "HTTP", "Port": 81})
	expect(t, out, map[string]any{"Listeners.0.SslPolicy": nil, "Listeners.0.Certificates": nil, "Listeners.0.Port": 81, "Listeners.0.DefaultActions.0.Type": "fixed-response"})
	l.do(t, "DeleteListener", params{"ListenerArn": arn})
	l.refuse(t, "DescribeListeners", params{"ListenerArns": list(arn)}, "ListenerNotFound", "not found")
}

func TestOperationsListsTheWholeAPIOnce(t *testing.T) {
	seen := map[string]wire.Fidelity{}
	for _, op := range elbv2.Operations() {
		if seen[op.Name] != "" {
			t.Errorf("%s is listed twice", op.Name)
		}
		if (op.Fidelity == wire.Simplified) != (op.How != "") {
			t.Errorf("%s is %s, and how: %q", op.Name, op.Fidelity, op.How)
		}
		seen[op.Name] = op.Fidelity
	}
	if len(seen) != 51 {
		t.Errorf("%d operations, want the API's 51", len(seen))
	}
	l := newLab(t)
	for name, fidelity := range seen {
		if fidelity == wire.Absent {
			l.refuse(t, name, params{}, "NotSimulated", name)
		}
	}
}
