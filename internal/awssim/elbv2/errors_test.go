package elbv2_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/elbv2"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// refusal is a bad call. Every one must leave the world as it was.
type refusal struct {
	op            string
	p             params
	code, message string
}

func (l *lab) check(t *testing.T, cases map[string]refusal) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := l.Snapshot()
			l.refuse(t, tc.op, tc.p, tc.code, tc.message)
			if diff := cmp.Diff(before, l.Snapshot()); diff != "" {
				t.Errorf("the refused call changed something:\n%s", diff)
			}
		})
	}
}

// with is a rule's parameters with one member changed; nil removes it.
func (l *lab) with(name string, value any) params {
	p := l.ruleParams(20, notFound())
	if p[name] = value; value == nil {
		delete(p, name)
	}
	return p
}

func (l *lab) acting(actions ...any) params         { return l.with("Actions", actions) }
func (l *lab) matching(conditions ...any) params    { return l.with("Conditions", conditions) }
func (l *lab) redirecting(config params) params     { return l.acting(redirectTo(config)) }
func configured(field, member string, c any) params { return params{"Field": field, member: c} }

func redirectTo(config params) params { return params{"Type": "redirect", "RedirectConfig": config} }

func fixed(config params) params {
	return params{"Type": "fixed-response", "FixedResponseConfig": config}
}

func sticky(a params, config params) params {
	c, _ := a["ForwardConfig"].(params)
	c["TargetGroupStickinessConfig"] = config
	return a
}

func ordered(a params, n int) params { a["Order"] = n; return a }

func values(n int, format string) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return out
}

func TestBadActionsAreRefused(t *testing.T) {
	l := newLab(t)
	ghost := prefix + "targetgroup/ghost/0123456789abcdef"
	six := []any{}
	for i := range 6 {
		six = append(six, l.group(t, fmt.Sprintf("six-%d", i)), 1)
	}
	l.check(t, map[string]refusal{
		"no actions":                  {"CreateRule", l.with("Actions", list()), "ValidationError", "at least one action"},
		"no type":                     {"CreateRule", l.acting(params{}), "ValidationError", "Value null at 'actions.1.member.type'"},
		"unknown type":                {"CreateRule", l.acting(params{"Type": "drop"}), "ValidationError", "'drop' at 'actions.1.member.type' failed to satisfy constraint: Member must satisfy enum value set"},
		"forward to nowhere":          {"CreateRule", l.acting(params{"Type": "forward"}), "ValidationError", "A target group ARN must be specified"},
		"target group that is gone":   {"CreateRule", l.acting(split(ghost, 1)), "TargetGroupNotFound", "Target group '" + ghost + "' not found"},
		"no target group ARN":         {"CreateRule", l.acting(split("blue", 1)), "ValidationError", "'blue' is not a valid target group ARN"},
		"weight above 999":            {"CreateRule", l.acting(split(l.blue, 1000)), "ValidationError", "from 0 to 999, not 1000"},
		"negative weight":             {"CreateRule", l.acting(split(l.blue, -1)), "ValidationError", "from 0 to 999, not -1"},
		"weight that is no integer":   {"CreateRule", l.acting(split(l.blue, "ten")), "ValidationError", "ten is not an integer"},
		"six target groups":           {"CreateRule", l.acting(split(six...)), "ValidationError", "at most 5 target groups, not 6"},
		"a target group twice":        {"CreateRule", l.acting(split(l.blue, 1, l.blue, 2)), "ValidationError", "was provided multiple times"},
		"two forms that differ":       {"CreateRule", l.acting(func() params { a := split(l.blue, 1); a["TargetGroupArn"] = l.green; return a }()), "ValidationError", "must name the same single target group"},
		"two forms, several groups":   {"CreateRule", l.acting(func() params { a := split(l.blue, 1, l.green, 1); a["TargetGroupArn"] = l.blue; return a }()), "ValidationError", "must name the same single target group"},
		"stickiness without duration": {"CreateRule", l.acting(sticky(split(l.blue, 1), params{"Enabled": true})), "ValidationError", "DurationSeconds must be specified, from 1 to 604800"},
		"stickiness of 0 s":           {"CreateRule", l.acting(sticky(split(l.blue, 1), params{"Enabled": true, "DurationSeconds": 0})), "ValidationError", "greater than or equal to 1"},
		"stickiness over 7 days":      {"CreateRule", l.acting(sticky(split(l.blue, 1), params{"Enabled": true, "DurationSeconds": 604801})), "ValidationError", "less than or equal to 604800"},
		"order 0":                     {"CreateRule", l.acting(ordered(notFound(), 0)), "ValidationError", "'0' at 'actions.1.member.order'"},
		"two actions without order":   {"CreateRule", l.acting(notFound(), notFound()), "ValidationError", "An action order must be specified"},
		"two actions of one order":    {"CreateRule", l.acting(ordered(notFound(), 1), ordered(notFound(), 1)), "ValidationError", "Action order '1' was provided multiple times"},
		"two routing actions":         {"CreateRule", l.acting(ordered(notFound(), 1), ordered(notFound(), 2)), "InvalidLoadBalancerAction", "must be the last action"},
		"authentication over HTTP":    {"CreateRule", l.acting(params{"Type": "authenticate-cognito"}), "InvalidLoadBalancerAction", "only on HTTPS listeners"},
		"config of another type":      {"CreateRule", l.acting(params{"Type": "forward", "TargetGroupArn": l.blue, "RedirectConfig": params{"StatusCode": "HTTP_301"}}), "ValidationError", "RedirectConfig cannot be specified for an action of type 'forward'"},
		"fixed response 302":          {"CreateRule", l.acting(fixed(params{"StatusCode": "302"})), "ValidationError", "^(2|4|5)"},
		"fixed response of no type":   {"CreateRule", l.acting(fixed(params{"StatusCode": "200", "ContentType": "image/png"})), "ValidationError", "contentType"},
		"fixed response over 1024":    {"CreateRule", l.acting(fixed(params{"StatusCode": "200", "MessageBody": strings.Repeat("x", 1025)})), "ValidationError", "length less than or equal to 1024"},
		"redirect that loops":         {"CreateRule", l.redirecting(params{"StatusCode": "HTTP_301"}), "InvalidLoadBalancerAction", "creates a loop"},
		"redirect with another code":  {"CreateRule", l.redirecting(params{"StatusCode": "HTTP_307", "Port": "443"}), "ValidationError", "[HTTP_301, HTTP_302]"},
		"redirect to port 70000":      {"CreateRule", l.redirecting(params{"StatusCode": "HTTP_301", "Port": "70000"}), "ValidationError", "from 1 to 65535 or #{port}"},
		"redirect to a relative path": {"CreateRule", l.redirecting(params{"StatusCode": "HTTP_301", "Path": "x"}), "ValidationError", "must start with '/'"},
		"redirect to FTP":             {"CreateRule", l.redirecting(params{"StatusCode": "HTTP_301", "Protocol": "FTP"}), "ValidationError", "regular expression pattern"},
		"the same in ModifyListener":  {"ModifyListener", params{"ListenerArn": l.listener, "DefaultActions": list(split(l.blue, 1000))}, "ValidationError", "from 0 to 999"},
	})
}

func TestBadConditionsAreRefused(t *testing.T) {
	l := newLab(t)
	long := strings.Repeat("x", 129)
	header := func(name string, values ...any) params {
		return configured("http-header", "HttpHeaderConfig", params{"HttpHeaderName": name, "Values": values})
	}
	l.check(t, map[string]refusal{
		"none":                        {"CreateRule", l.with("Conditions", nil), "ValidationError", "A condition must be specified"},
		"no field":                    {"CreateRule", l.matching(params{"Values": list("a.b")}), "ValidationError", "A condition field must be specified"},
		"unknown field":               {"CreateRule", l.matching(params{"Field": "cookie"}), "ValidationError", "Condition field 'cookie' must be one of '[path-pattern, host-header"},
		"no values":                   {"CreateRule", l.matching(params{"Field": "host-header"}), "ValidationError", "A condition value must be specified"},
		"both forms":                  {"CreateRule", l.matching(func() params { c := host("a.b"); c["Values"] = list("a.b"); return c }()), "ValidationError", "You cannot provide both Values and 'HostHeaderConfig' for a condition of type 'host-header'"},
		"short form of query-string":  {"CreateRule", l.matching(params{"Field": "query-string", "Values": list("a")}), "ValidationError", "You must provide 'QueryStringConfig'"},
		"config of another field":     {"CreateRule", l.matching(configured("host-header", "PathPatternConfig", params{"Values": list("/")})), "ValidationError", "You cannot provide 'PathPatternConfig'"},
		"two host conditions":         {"CreateRule", l.matching(host("a.b"), host("c.d")), "ValidationError", "can only have one 'host-header' condition"},
		"six values":                  {"CreateRule", l.matching(configured("path-pattern", "PathPatternConfig", params{"Values": values(6, "/%d")})), "ValidationError", "can only have '5' condition values, not 6"},
		"six values over conditions":  {"CreateRule", l.matching(host("a.b"), configured("path-pattern", "PathPatternConfig", params{"Values": values(5, "/%d")})), "ValidationError", "'5' condition values, not 6"},
		"six wildcards":               {"CreateRule", l.matching(path("/*?*?*?")), "ValidationError", "'5' condition wildcards, not 6"},
		"129 characters":              {"CreateRule", l.matching(path("/" + long[1:] + "x")), "ValidationError", "The 'path-pattern' value is too long; the limit is '128'"},
		"a space in a path":           {"CreateRule", l.matching(path("/a b")), "ValidationError", "not valid: ' '"},
		"a host without a dot":        {"CreateRule", l.matching(host("localhost")), "ValidationError", "at least one '.'"},
		"a host that ends in digits":  {"CreateRule", l.matching(host("10.0.0.1")), "ValidationError", "alphabetical characters after the last '.'"},
		"a header without name":       {"CreateRule", l.matching(header("", "x")), "ValidationError", "header name must be specified"},
		"the Host header":             {"CreateRule", l.matching(header("Host", "x")), "ValidationError", "use a condition of type 'host-header'"},
		"a header name of 41":         {"CreateRule", l.matching(header(long[:41], "x")), "ValidationError", "the limit is '40'"},
		"a wildcard header name":      {"CreateRule", l.matching(header("X-*", "x")), "ValidationError", "not valid"},
		"a method in lower case":      {"CreateRule", l.matching(configured("http-request-method", "HttpRequestMethodConfig", params{"Values": list("get")})), "ValidationError", "not valid: 'g'"},
		"an address that is no CIDR":  {"CreateRule", l.matching(configured("source-ip", "SourceIpConfig", params{"Values": list("10.0.0.1")})), "ValidationError", "not a valid CIDR block"},
		"a pair without value":        {"CreateRule", l.matching(configured("query-string", "QueryStringConfig", params{"Values": list(params{"Key": "a"})})), "ValidationError", "A condition value must be specified"},
		"lookahead":                   {"CreateRule", l.matching(configured("path-pattern", "PathPatternConfig", params{"RegexValues": list("^/(?!x)")})), "ValidationError", "is not valid"},
		"regex for a method":          {"CreateRule", l.matching(configured("http-request-method", "HttpRequestMethodConfig", params{"RegexValues": list("G.*")})), "ValidationError", "RegexValues are not supported"},
		"two url rewrites":            {"CreateRule", l.with("Transforms", list(rewrite("^/a"), rewrite("^/b"))), "ValidationError", "only have one 'url-rewrite' transform"},
		"a rewrite of 1025":           {"CreateRule", l.with("Transforms", list(rewrite(strings.Repeat("x", 1025)))), "ValidationError", "length less than or equal to 1024"},
		"a rewrite that is no regexp": {"CreateRule", l.with("Transforms", list(rewrite("("))), "ValidationError", "is not valid"},
	})
}

func rewrite(regex string) params {
	return params{"Type": "url-rewrite", "UrlRewriteConfig": params{"Rewrites": list(params{"Regex": regex, "Replace": "/"})}}
}

func TestBadRulesAndListenersAreRefused(t *testing.T) {
	l := newLab(t)
	used := l.rule(t, 10, notFound())
	ghost := l.listener[:len(l.listener)-1] + "x"
	modify := func(more params) params { more["RuleArn"] = used; return more }
	listen := func(port any, more params) params {
		p := params{"LoadBalancerArn": l.lb, "Port": port, "Protocol": "HTTP", "DefaultActions": list(notFound())}
		maps.Copy(p, more)
		return p
	}
	tls := listen(443, params{"Protocol": "HTTPS"})
	withPolicy := listen(443, params{"Protocol": "HTTPS", "SslPolicy": "ELBSecurityPolicy-X", "Certificates": list(params{"CertificateArn": certificate})})
	l.check(t, map[string]refusal{
		"priority in use":          {"CreateRule", l.with("Priority", 10), "PriorityInUse", "Priority '10' is currently in use"},
		"priority 0":               {"CreateRule", l.with("Priority", 0), "ValidationError", "Value '0' at 'priority' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		"priority 50001":           {"CreateRule", l.with("Priority", 50001), "ValidationError", "less than or equal to 50000"},
		"no priority":              {"CreateRule", l.with("Priority", nil), "ValidationError", "Value null at 'priority'"},
		"no listener":              {"CreateRule", l.with("ListenerArn", nil), "ValidationError", "Value null at 'listenerArn'"},
		"a listener that is gone":  {"CreateRule", l.with("ListenerArn", ghost), "ListenerNotFound", "One or more listeners not found"},
		"an ARN of another kind":   {"CreateRule", l.with("ListenerArn", l.lb), "ValidationError", "'" + l.lb + "' is not a valid listener ARN"},
		"nothing to modify":        {"ModifyRule", modify(params{}), "ValidationError", "Either conditions or actions must be specified"},
		"actions without any":      {"ModifyRule", modify(params{"Actions": list()}), "ValidationError", "at least one action"},
		"transforms and reset":     {"ModifyRule", modify(params{"Transforms": list(rewrite("a")), "ResetTransforms": true}), "ValidationError", "cannot specify both"},
		"a rule that is gone":      {"ModifyRule", params{"RuleArn": used[:len(used)-1] + "x"}, "RuleNotFound", "One or more rules not found"},
		"rules and listener":       {"DescribeRules", params{"ListenerArn": l.listener, "RuleArns": list(used)}, "ValidationError", "cannot be specified at the same time"},
		"rules of nothing":         {"DescribeRules", params{}, "ValidationError", "You must specify either listener rule ARNs or a listener ARN"},
		"port in use":              {"CreateListener", listen(80, params{"DefaultActions": list(split(l.blue, 1))}), "DuplicateListener", "A listener already exists on this port for this load balancer '" + l.lb + "'"},
		"port 0":                   {"CreateListener", listen(0, nil), "ValidationError", "greater than or equal to 1"},
		"no port":                  {"CreateListener", params{"LoadBalancerArn": l.lb, "Protocol": "HTTP", "DefaultActions": list(notFound())}, "ValidationError", "A listener port must be specified"},
		"no protocol":              {"CreateListener", params{"LoadBalancerArn": l.lb, "Port": 81, "DefaultActions": list(notFound())}, "ValidationError", "A listener protocol must be specified"},
		"TCP on an ALB":            {"CreateListener", listen(81, params{"Protocol": "TCP"}), "ValidationError", "Listener protocol 'TCP' must be one of 'HTTP, HTTPS'"},
		"HTTPS, no certificate":    {"CreateListener", tls, "ValidationError", "A certificate must be specified for HTTPS listeners"},
		"an unknown policy":        {"CreateListener", withPolicy, "SSLPolicyNotFound", "SSL policy 'ELBSecurityPolicy-X' not found"},
		"HTTP with a certificate":  {"CreateListener", listen(81, params{"Certificates": list(params{"CertificateArn": certificate})}), "ValidationError", "Certificates cannot be specified for an HTTP listener"},
		"no default action":        {"CreateListener", listen(81, params{"DefaultActions": list()}), "ValidationError", "DefaultActions must have at least one action"},
		"load balancer gone":       {"CreateListener", listen(81, params{"LoadBalancerArn": prefix + "loadbalancer/app/ghost/1"}), "LoadBalancerNotFound", "not found"},
		"listeners of nothing":     {"DescribeListeners", params{}, "ValidationError", "You must specify either listener ARNs or a load balancer ARN"},
		"certificates of HTTP":     {"AddListenerCertificates", params{"ListenerArn": l.listener, "Certificates": list(params{"CertificateArn": certificate})}, "ValidationError", "HTTP listener"},
		"a listener attribute":     {"ModifyListenerAttributes", params{"ListenerArn": l.listener, "Attributes": list(params{"Key": "x", "Value": "y"})}, "ValidationError", "Listener attribute key 'x' is not recognized"},
		"an operation that is not": {"CreateTrustStore", params{}, "NotSimulated", "CreateTrustStore is not simulated"},
	})
}

func TestBadLoadBalancersTargetGroupsAndTagsAreRefused(t *testing.T) {
	l := newLab(t)
	lb := func(more params) params {
		p := params{"Name": "new", "Subnets": list("subnet-1", "subnet-2")}
		maps.Copy(p, more)
		return p
	}
	group := func(name string, value any) params {
		p := groupParams("new")
		if p[name] = value; value == nil {
			delete(p, name)
		}
		return p
	}
	attr := func(key, value string) params {
		return params{"TargetGroupArn": l.blue, "Attributes": list(params{"Key": key, "Value": value})}
	}
	targets := func(ts ...any) params { return params{"TargetGroupArn": l.blue, "Targets": ts} }
	tagged := func(key, value string) params {
		return params{"ResourceArns": list(l.lb), "Tags": list(params{"Key": key, "Value": value})}
	}
	var fifty []any
	for i := range 51 {
		fifty = append(fifty, params{"Key": fmt.Sprint("k", i), "Value": ""})
	}
	l.check(t, map[string]refusal{
		"33 characters":             {"CreateLoadBalancer", lb(params{"Name": strings.Repeat("x", 33)}), "ValidationError", "cannot be longer than '32' characters"},
		"an underscore":             {"CreateLoadBalancer", lb(params{"Name": "a_b"}), "ValidationError", "alphanumeric characters and hyphens(-)"},
		"a hyphen at the end":       {"CreateTargetGroup", group("Name", "a-"), "ValidationError", "cannot begin or end with a hyphen(-)"},
		"internal- as prefix":       {"CreateLoadBalancer", lb(params{"Name": "internal-a"}), "ValidationError", "cannot begin with 'internal-'"},
		"one subnet":                {"CreateLoadBalancer", lb(params{"Subnets": list("subnet-1")}), "ValidationError", "At least two subnets in two different Availability Zones must be specified"},
		"subnets and mappings":      {"CreateLoadBalancer", lb(params{"SubnetMappings": list(params{"SubnetId": "subnet-1"})}), "ValidationError", "but not both"},
		"a subnet that is none":     {"CreateLoadBalancer", lb(params{"Subnets": list("subnet-1", "x")}), "SubnetNotFound", "'x' does not exist"},
		"a group that is none":      {"CreateLoadBalancer", lb(params{"SecurityGroups": list("x")}), "InvalidSecurityGroup", "'x'"},
		"an unknown scheme":         {"CreateLoadBalancer", lb(params{"Scheme": "public"}), "ValidationError", "[internet-facing, internal]"},
		"a gateway load balancer":   {"CreateLoadBalancer", lb(params{"Type": "gateway"}), "NotSimulated", "'gateway'"},
		"the name with others":      {"CreateLoadBalancer", lb(params{"Name": "web", "Scheme": "internal"}), "DuplicateLoadBalancerName", "A load balancer with the same name 'web' exists, but with different settings"},
		"a name that is not":        {"DescribeLoadBalancers", params{"Names": list("web", "ghost")}, "LoadBalancerNotFound", "Load balancers '[ghost]' not found"},
		"an ARN that is none":       {"DescribeLoadBalancers", params{"LoadBalancerArns": list("web")}, "ValidationError", "'web' is not a valid load balancer ARN"},
		"idle timeout 0":            {"ModifyLoadBalancerAttributes", params{"LoadBalancerArn": l.lb, "Attributes": list(params{"Key": "idle_timeout.timeout_seconds", "Value": "0"})}, "ValidationError", "an integer from 1 to 4000"},
		"logs without bucket":       {"ModifyLoadBalancerAttributes", params{"LoadBalancerArn": l.lb, "Attributes": list(params{"Key": "access_logs.s3.enabled", "Value": "true"})}, "InvalidConfigurationRequest", "bucket must be specified"},
		"no protocol":               {"CreateTargetGroup", group("Protocol", nil), "ValidationError", "A protocol must be specified"},
		"no port":                   {"CreateTargetGroup", group("Port", nil), "ValidationError", "A port must be specified"},
		"no VPC":                    {"CreateTargetGroup", group("VpcId", nil), "ValidationError", "A VPC ID must be specified"},
		"a lambda group":            {"CreateTargetGroup", group("TargetType", "lambda"), "NotSimulated", "'lambda'"},
		"interval 4":                {"CreateTargetGroup", group("HealthCheckIntervalSeconds", 4), "ValidationError", "healthCheckIntervalSeconds"},
		"interval under timeout":    {"CreateTargetGroup", group("HealthCheckTimeoutSeconds", 31), "ValidationError", "Health check interval must be greater than the timeout."},
		"checks off":                {"CreateTargetGroup", group("HealthCheckEnabled", false), "ValidationError", "must be true for target groups with target type 'ip'"},
		"a matcher of 500":          {"CreateTargetGroup", group("Matcher", params{"HttpCode": "200-500"}), "ValidationError", "within 200-499"},
		"the group with others":     {"CreateTargetGroup", func() params { p := groupParams("blue"); p["Port"] = 81; return p }(), "DuplicateTargetGroupName", "A target group with the same name 'blue' exists, but with different settings"},
		"a group name that is not":  {"DescribeTargetGroups", params{"Names": list("ghost")}, "TargetGroupNotFound", "One or more target groups not found"},
		"names and ARNs":            {"DescribeTargetGroups", params{"Names": list("blue"), "TargetGroupArns": list(l.blue)}, "ValidationError", "at the same time"},
		"an unknown attribute":      {"ModifyTargetGroupAttributes", attr("x", "y"), "ValidationError", "Target group attribute key 'x' is not recognized"},
		"a delay of 3601 s":         {"ModifyTargetGroupAttributes", attr("deregistration_delay.timeout_seconds", "3601"), "ValidationError", "an integer from 0 to 3600"},
		"a slow start of 29 s":      {"ModifyTargetGroupAttributes", attr("slow_start.duration_seconds", "29"), "ValidationError", "0 or an integer from 30 to 900"},
		"no targets":                {"RegisterTargets", targets(), "ValidationError", "Value null at 'targets'"},
		"a public address":          {"RegisterTargets", targets(params{"Id": "8.8.8.8"}), "InvalidTarget", "The IP address '8.8.8.8' is not within"},
		"an instance in an ip one":  {"RegisterTargets", targets(params{"Id": "i-0123"}), "InvalidTarget", "not a valid IP address"},
		"port 65536":                {"RegisterTargets", targets(params{"Id": "10.0.0.1", "Port": 65536}), "ValidationError", "less than or equal to 65535"},
		"health of a gone group":    {"DescribeTargetHealth", params{"TargetGroupArn": prefix + "targetgroup/ghost/1"}, "TargetGroupNotFound", "not found"},
		"an aws: tag":               {"AddTags", tagged("aws:x", ""), "ValidationError", "aws: prefixed tag key names are not allowed for external use."},
		"a key of 129":              {"AddTags", tagged(strings.Repeat("k", 129), ""), "ValidationError", "length less than or equal to 128"},
		"a value of 257":            {"AddTags", tagged("k", strings.Repeat("v", 257)), "ValidationError", "length less than or equal to 256"},
		"JSON in a tag":             {"AddTags", tagged("k", `{"a":1}`), "ValidationError", "regular expression pattern"},
		"51 tags":                   {"AddTags", params{"ResourceArns": list(l.lb), "Tags": fifty}, "TooManyTags", "50"},
		"51 tags at creation":       {"CreateLoadBalancer", lb(params{"Tags": fifty}), "TooManyTags", "50"},
		"a key twice":               {"AddTags", params{"ResourceArns": list(l.lb), "Tags": list(fifty[0], fifty[0])}, "DuplicateTagKeys", "k0"},
		"no tags":                   {"AddTags", params{"ResourceArns": list(l.lb)}, "ValidationError", "'tags'"},
		"tags of 21":                {"DescribeTags", params{"ResourceArns": values(21, "%d")}, "ValidationError", "length less than or equal to 20"},
		"tags of a gone rule":       {"DescribeTags", params{"ResourceArns": list(prefix + "listener-rule/app/web/1/2/3")}, "RuleNotFound", "not found"},
		"page size 0":               {"DescribeTargetGroups", params{"PageSize": 0}, "ValidationError", "'pageSize'"},
		"page size 401":             {"DescribeLoadBalancers", params{"PageSize": 401}, "ValidationError", "less than or equal to 400"},
		"a marker that is none":     {"DescribeTargetGroups", params{"Marker": "!"}, "ValidationError", "'!' is not a valid marker"},
		"a negative marker":         {"DescribeTargetGroups", params{"Marker": "LTEgeA"}, "ValidationError", "not a valid marker"},
		"a zone for dualstack only": {"SetIpAddressType", params{"LoadBalancerArn": l.lb, "IpAddressType": "ipv6"}, "ValidationError", "ipAddressType"},
	})
}

func TestQuotas(t *testing.T) {
	l := newLab(t, func(c *elbv2.Config) {
		c.Quotas = elbv2.Quotas{
			LoadBalancers: 1, TargetGroups: 3, ListenersPerLoadBalancer: 1, RulesPerLoadBalancer: 2,
			TargetGroupsPerLoadBalancer: 2, TargetsPerTargetGroup: 3, TargetsPerLoadBalancer: 4,
		}
	})
	red := l.group(t, "red")
	l.rule(t, 1, split(l.blue, 1, l.green, 1))
	l.refuse(t, "CreateRule", l.ruleParams(2, split(red, 1)), "TooManyUniqueTargetGroupsPerLoadBalancer", "is 2 and it would be 3")
	l.refuse(t, "ModifyListener", params{"ListenerArn": l.listener, "DefaultActions": list(split(red, 1))}, "TooManyUniqueTargetGroupsPerLoadBalancer", "")
	second := l.rule(t, 2, split(l.blue, 1))
	l.refuse(t, "CreateRule", l.ruleParams(3, notFound()), "TooManyRules", "has been reached: 2")
	l.refuse(t, "CreateTargetGroup", groupParams("pink"), "TooManyTargetGroups", "has been reached: 3")
	l.refuse(t, "CreateLoadBalancer", params{"Name": "b", "Subnets": list("subnet-1", "subnet-2")}, "TooManyLoadBalancers", "has been reached: 1")
	l.refuse(t, "CreateListener", params{"LoadBalancerArn": l.lb, "Port": 81, "Protocol": "HTTP", "DefaultActions": list(notFound())}, "TooManyListeners", "has been reached: 1")

	three := func(arn string) params {
		return params{"TargetGroupArn": arn, "Targets": list(params{"Id": "10.0.0.1"}, params{"Id": "10.0.0.2"}, params{"Id": "10.0.0.3"})}
	}
	l.do(t, "RegisterTargets", three(l.blue))
	l.refuse(t, "RegisterTargets", three(l.green), "TooManyTargets", "per load balancer is 4 and it would be 6")
	l.refuse(t, "RegisterTargets", params{"TargetGroupArn": l.blue, "Targets": list(params{"Id": "10.0.0.4"})}, "TooManyTargets", "per target group is 3")
	l.do(t, "RegisterTargets", three(red)) // unused: behind no load balancer
	l.refuse(t, "ModifyRule", params{"RuleArn": second, "Actions": list(split(l.blue, 1, red, 1))}, "TooManyUniqueTargetGroupsPerLoadBalancer", "")

	limits := l.do(t, "DescribeAccountLimits", params{})
	names, maxima := column(t, limits, "Limits", "Name"), column(t, limits, "Limits", "Max")
	if i := slices.Index(names, "rules-per-application-load-balancer"); i < 0 || maxima[i] != "2" {
		t.Errorf("limits are %v %v", names, maxima)
	}
}

func TestACancelledCallDoesNothing(t *testing.T) {
	l := newLab(t)
	r := &wire.Request{Operation: "DeleteLoadBalancer", Region: region, AccountID: account, Params: wire.Params{"LoadBalancerArn": l.lb}}
	if _, err := l.Serve(cancelled(t), r); err == nil {
		t.Fatal("a cancelled call succeeded")
	} else if e := (*wire.Error)(nil); errors.As(err, &e) {
		t.Errorf("got the API error %v", e)
	}
	l.do(t, "DescribeListeners", params{"LoadBalancerArn": l.lb})
}
