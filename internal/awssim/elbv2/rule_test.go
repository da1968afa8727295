package elbv2_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

func TestForwardActionsAreReadBackAsAWSCompletesThem(t *testing.T) {
	l := newLab(t)
	for name, tc := range map[string]struct {
		action params
		want   map[string]any
	}{
		"the short form has weight 1 and both forms out": {
			params{"Type": "forward", "TargetGroupArn": l.blue},
			map[string]any{
				"TargetGroupArn": l.blue, "ForwardConfig.TargetGroups.0.TargetGroupArn": l.blue, "ForwardConfig.TargetGroups.0.Weight": 1,
				"ForwardConfig.TargetGroupStickinessConfig.Enabled": false, "ForwardConfig.TargetGroupStickinessConfig.DurationSeconds": nil,
			},
		},
		"a lone group in ForwardConfig without weight is the same": {
			split(l.blue, nil),
			map[string]any{"TargetGroupArn": l.blue, "ForwardConfig.TargetGroups.0.Weight": 1},
		},
		"both forms of the same group are accepted": {
			func() params { a := split(l.blue, 7); a["TargetGroupArn"] = l.blue; return a }(),
			map[string]any{"TargetGroupArn": l.blue, "ForwardConfig.TargetGroups.0.Weight": 7},
		},
		"several groups have no short form and keep their order": {
			split(l.green, 0, l.blue, 100),
			map[string]any{
				"TargetGroupArn": nil, "ForwardConfig.TargetGroups.0.TargetGroupArn": l.green, "ForwardConfig.TargetGroups.0.Weight": 0,
				"ForwardConfig.TargetGroups.1.Weight": 100, "ForwardConfig.TargetGroupStickinessConfig.Enabled": false,
			},
		},
		"a weight left out among several becomes 1, not 0": {
			split(l.blue, 100, l.green, nil),
			map[string]any{"ForwardConfig.TargetGroups.1.Weight": 1},
		},
		"all weights 0 are accepted": {
			split(l.blue, 0, l.green, 0),
			map[string]any{"ForwardConfig.TargetGroups.0.Weight": 0, "ForwardConfig.TargetGroups.1.Weight": 0},
		},
		"stickiness is kept": {
			func() params {
				a := split(l.blue, 1, l.green, 1)
				a["ForwardConfig"].(params)["TargetGroupStickinessConfig"] = params{"Enabled": true, "DurationSeconds": 604800} //nolint:forcetypeassert // split makes it
				return a
			}(),
			map[string]any{"ForwardConfig.TargetGroupStickinessConfig.Enabled": true, "ForwardConfig.TargetGroupStickinessConfig.DurationSeconds": 604800},
		},
	} {
		t.Run(name, func(t *testing.T) {
			out := l.do(t, "CreateRule", l.ruleParams(10, tc.action))
			arn := wiretest.Text(t, out, "Rules.0.RuleArn")
			defer l.do(t, "DeleteRule", params{"RuleArn": arn})
			expect(t, wiretest.At(out, "Rules.0.Actions.0"), tc.want)
			again := l.do(t, "DescribeRules", params{"RuleArns": list(arn)})
			if diff := cmp.Diff(wiretest.At(out, "Rules"), wiretest.At(again, "Rules")); diff != "" {
				t.Errorf("DescribeRules differs from CreateRule:\n%s", diff)
			}
		})
	}
}

func TestEveryConditionTypeIsKept(t *testing.T) {
	l := newLab(t)
	for name, tc := range map[string]struct {
		in   params
		want map[string]any
		data model.Condition
	}{
		"host-header, short form": {
			params{"Field": "host-header", "Values": list("A.example.com")},
			map[string]any{"Values.0": "A.example.com", "HostHeaderConfig.Values.0": "A.example.com"},
			model.Condition{Field: "host-header", Values: []string{"A.example.com"}},
		},
		"host-header by regular expression": {
			params{"Field": "host-header", "HostHeaderConfig": params{"RegexValues": list(`^[a-z]+\.example\.com$`)}},
			map[string]any{"RegexValues.0": `^[a-z]+\.example\.com$`, "HostHeaderConfig.RegexValues.0": `^[a-z]+\.example\.com$`, "Values": nil},
			model.Condition{Field: "host-header", Regexes: []string{`^[a-z]+\.example\.com$`}},
		},
		"path-pattern": {
			params{"Field": "path-pattern", "PathPatternConfig": params{"Values": list("/a/*", "/b?")}},
			map[string]any{"Values.1": "/b?", "PathPatternConfig.Values.0": "/a/*"},
			model.Condition{Field: "path-pattern", Values: []string{"/a/*", "/b?"}},
		},
		"path-pattern, top-level regular expression": {
			params{"Field": "path-pattern", "RegexValues": list("^/v[0-9]+/")},
			map[string]any{"PathPatternConfig.RegexValues.0": "^/v[0-9]+/"},
			model.Condition{Field: "path-pattern", Regexes: []string{"^/v[0-9]+/"}},
		},
		"http-header": {
			params{"Field": "http-header", "HttpHeaderConfig": params{"HttpHeaderName": "X-Env", "Values": list("blue*")}},
			map[string]any{"HttpHeaderConfig.HttpHeaderName": "X-Env", "HttpHeaderConfig.Values.0": "blue*", "Values": nil},
			model.Condition{Field: "http-header", HeaderName: "X-Env", Values: []string{"blue*"}},
		},
		"http-request-method": {
			params{"Field": "http-request-method", "HttpRequestMethodConfig": params{"Values": list("GET", "PURGE")}},
			map[string]any{"HttpRequestMethodConfig.Values.1": "PURGE"},
			model.Condition{Field: "http-request-method", Values: []string{"GET", "PURGE"}},
		},
		"query-string with and without key": {
			params{"Field": "query-string", "QueryStringConfig": params{"Values": list(params{"Key": "v", "Value": "1"}, params{"Value": `a\*b`})}},
			map[string]any{"QueryStringConfig.Values.0.Key": "v", "QueryStringConfig.Values.1.Key": nil, "QueryStringConfig.Values.1.Value": `a\*b`},
			model.Condition{Field: "query-string", Query: []model.QueryPair{{Key: "v", Value: "1"}, {Value: `a\*b`}}},
		},
		"source-ip": {
			params{"Field": "source-ip", "SourceIpConfig": params{"Values": list("10.0.0.0/8", "2001:db8::/32")}},
			map[string]any{"SourceIpConfig.Values.1": "2001:db8::/32"},
			model.Condition{Field: "source-ip", Values: []string{"10.0.0.0/8", "2001:db8::/32"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := l.ruleParams(10, notFound())
			p["Conditions"] = list(tc.in)
			out := l.do(t, "CreateRule", p)
			defer l.do(t, "DeleteRule", params{"RuleArn": wiretest.Text(t, out, "Rules.0.RuleArn")})
			expect(t, wiretest.At(out, "Rules.0.Conditions.0"), tc.want)
			if diff := cmp.Diff([]model.Condition{tc.data}, l.plane.last(t).Listeners[0].Rules[0].Conditions); diff != "" {
				t.Errorf("the data plane was told otherwise:\n%s", diff)
			}
		})
	}
}

func TestModifyRuleReplacesListsAndKeepsTheRest(t *testing.T) {
	l := newLab(t)
	p := l.ruleParams(10, split(l.blue, 100, l.green, 0))
	p["Transforms"] = list(params{"Type": "url-rewrite", "UrlRewriteConfig": params{"Rewrites": list(params{"Regex": "^/a/(.*)", "Replace": "/$1"})}})
	p["Tags"] = list(params{"Key": "owner", "Value": "norikae"})
	arn := wiretest.Text(t, l.do(t, "CreateRule", p), "Rules.0.RuleArn")

	out := l.do(t, "ModifyRule", params{"RuleArn": arn, "Actions": list(split(l.blue, 90, l.green, 10))})
	expect(t, wiretest.At(out, "Rules.0"), map[string]any{
		"RuleArn": arn, "Priority": "10", "IsDefault": false, "Conditions.0.Values.0": "example.com",
		"Actions.0.ForwardConfig.TargetGroups.1.Weight":    10,
		"Transforms.0.UrlRewriteConfig.Rewrites.0.Replace": "/$1",
	})
	out = l.do(t, "ModifyRule", params{"RuleArn": arn, "Conditions": list(path("/x"))})
	expect(t, wiretest.At(out, "Rules.0"), map[string]any{
		"Conditions.0.Field": "path-pattern", "Conditions.1": nil, "Actions.0.ForwardConfig.TargetGroups.0.Weight": 90,
	})
	out = l.do(t, "ModifyRule", params{"RuleArn": arn, "ResetTransforms": true})
	expect(t, wiretest.At(out, "Rules.0"), map[string]any{"Transforms.0": nil, "Conditions.0.Field": "path-pattern"})
	tags := l.do(t, "DescribeTags", params{"ResourceArns": list(arn)})
	expect(t, tags, map[string]any{"TagDescriptions.0.Tags.0.Value": "norikae"})
}

func TestTheDefaultRuleIsTheListeners(t *testing.T) {
	l := newLab(t)
	l.rule(t, 50000, notFound())
	l.rule(t, 1, notFound())
	out := l.do(t, "DescribeRules", params{"ListenerArn": l.listener})
	if got := column(t, out, "Rules", "Priority"); !slices.Equal(got, []string{"1", "50000", "default"}) {
		t.Fatalf("priorities are %v", got)
	}
	def := wiretest.Text(t, out, "Rules.2.RuleArn")
	expect(t, wiretest.At(out, "Rules.2"), map[string]any{"IsDefault": true, "Conditions.0": nil})
	l.refuse(t, "ModifyRule", params{"RuleArn": def, "Actions": list(notFound())}, "OperationNotPermitted", "Default rule '"+def+"' cannot be modified")
	l.refuse(t, "DeleteRule", params{"RuleArn": def}, "OperationNotPermitted", "Default rule '"+def+"' cannot be deleted")

	l.do(t, "ModifyListener", params{"ListenerArn": l.listener, "DefaultActions": list(split(l.blue, 1, l.green, 9))})
	again := l.do(t, "DescribeRules", params{"RuleArns": list(def)})
	expect(t, again, map[string]any{"Rules.0.Actions.0.ForwardConfig.TargetGroups.1.Weight": 9, "Rules.0.Priority": "default"})
	listeners := l.do(t, "DescribeListeners", params{"ListenerArns": list(l.listener)})
	expect(t, listeners, map[string]any{"Listeners.0.DefaultActions.0.ForwardConfig.TargetGroups.1.Weight": 9, "Listeners.0.Port": 80})
}

func TestARecreatedRuleHasAnotherARN(t *testing.T) {
	l := newLab(t)
	first := l.rule(t, 10, notFound())
	l.do(t, "DeleteRule", params{"RuleArn": first})
	second := l.rule(t, 10, notFound())
	if first == second {
		t.Errorf("both are %s", first)
	}
	if base, _, _ := strings.Cut(strings.Replace(first, "listener-rule", "listener", 1), l.listener); base != "" {
		t.Errorf("%s does not extend its listener's ARN %s", first, l.listener)
	}
	l.refuse(t, "DescribeRules", params{"RuleArns": list(first)}, "RuleNotFound", "One or more rules not found")
}

func TestPrioritiesSwapInOneCall(t *testing.T) {
	l := newLab(t)
	a, b, c := l.rule(t, 1, notFound()), l.rule(t, 2, notFound()), l.rule(t, 3, notFound())
	pair := func(arn string, p int) params { return params{"RuleArn": arn, "Priority": p} }

	out := l.do(t, "SetRulePriorities", params{"RulePriorities": list(pair(a, 2), pair(b, 1))})
	expect(t, out, map[string]any{"Rules.0.Priority": "2", "Rules.1.Priority": "1", "Rules.2": nil})
	rules := l.do(t, "DescribeRules", params{"ListenerArn": l.listener})
	if got, want := column(t, rules, "Rules", "RuleArn")[:3], []string{b, a, c}; !slices.Equal(got, want) {
		t.Errorf("rules are in order %v, want %v", got, want)
	}
	l.refuse(t, "SetRulePriorities", params{"RulePriorities": list(pair(a, 3))}, "PriorityInUse", "Priority '3' is currently in use")
	l.refuse(t, "SetRulePriorities", params{"RulePriorities": list(pair(a, 9), pair(b, 9))}, "ValidationError", "Priority '9' was provided multiple times")
	l.refuse(t, "SetRulePriorities", params{"RulePriorities": list(pair(a, 4), pair(a, 5))}, "ValidationError", "provided multiple times")
	def := column(t, rules, "Rules", "RuleArn")[3]
	l.refuse(t, "SetRulePriorities", params{"RulePriorities": list(pair(def, 4))}, "OperationNotPermitted", "default rule")
	l.refuse(t, "SetRulePriorities", params{"RulePriorities": list(pair(a+"0", 4))}, "RuleNotFound", "not found")
	l.refuse(t, "SetRulePriorities", params{"RulePriorities": list(pair(a, 0))}, "ValidationError", "greater than or equal to 1")
	after := l.do(t, "DescribeRules", params{"ListenerArn": l.listener})
	if diff := cmp.Diff(wiretest.At(rules, "Rules"), wiretest.At(after, "Rules")); diff != "" {
		t.Errorf("refused calls changed something:\n%s", diff)
	}
}

func TestAuthenticationActionsAreKeptWithoutTheirSecrets(t *testing.T) {
	l := newLab(t)
	l.listener = l.listen(t, 443, params{"Protocol": "HTTPS", "Certificates": list(params{"CertificateArn": certificate})})
	oidc := func(more params) params {
		config := params{
			"Issuer": "https://idp.example", "AuthorizationEndpoint": "https://idp.example/a", "TokenEndpoint": "https://idp.example/t",
			"UserInfoEndpoint": "https://idp.example/u", "ClientId": "id",
			"AuthenticationRequestExtraParams": params{"entry": params{"1": params{"key": "prompt", "value": "login"}}},
		}
		maps.Copy(config, more)
		return params{"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": config}
	}
	route := split(l.blue, 100, l.green, 0)
	route["Order"] = 2
	arn := l.rule(t, 10, route, oidc(params{"ClientSecret": "hush"}))

	out := l.do(t, "DescribeRules", params{"RuleArns": list(arn)})
	expect(t, wiretest.At(out, "Rules.0.Actions"), map[string]any{
		"0.Type": "authenticate-oidc", "0.Order": 1, "0.AuthenticateOidcConfig.ClientSecret": nil, "0.AuthenticateOidcConfig.Scope": "openid",
		"0.AuthenticateOidcConfig.AuthenticationRequestExtraParams.entry.value": "login", "1.Type": "forward", "1.Order": 2,
	})
	l.do(t, "ModifyRule", params{"RuleArn": arn, "Actions": list(oidc(params{"UseExistingClientSecret": true}), route)})
	l.refuse(t, "ModifyRule", params{"RuleArn": arn, "Actions": list(oidc(nil), route)}, "ValidationError", "ClientSecret must be specified")
	l.refuse(t, "CreateRule", l.ruleParams(11, oidc(params{"UseExistingClientSecret": true}), route), "ValidationError", "no client secret yet")
	for _, a := range l.plane.last(t).Listeners[1].Rules[0].Actions {
		if a.Auth["ClientSecret"] != nil {
			t.Error("the data plane was told the client secret")
		}
	}
	l.refuse(t, "ModifyListener", params{"ListenerArn": l.listener, "Protocol": "HTTP"}, "InvalidLoadBalancerAction", "only on HTTPS listeners")
}

func TestTargetGroupsBelongToOneLoadBalancerAndAreInUse(t *testing.T) {
	l := newLab(t)
	arn := l.rule(t, 10, split(l.blue, 100, l.green, 0))
	out := l.do(t, "DescribeTargetGroups", params{"LoadBalancerArn": l.lb})
	if got := column(t, out, "TargetGroups", "TargetGroupName"); !slices.Equal(got, []string{"blue", "green"}) {
		t.Errorf("the load balancer has groups %v", got)
	}
	expect(t, out, map[string]any{"TargetGroups.1.LoadBalancerArns.0": l.lb})
	l.refuse(t, "DeleteTargetGroup", params{"TargetGroupArn": l.green}, "ResourceInUse", "Target group '"+l.green+"' is currently in use by a listener or a rule")

	other := wiretest.Text(t, l.do(t, "CreateLoadBalancer", params{"Name": "other", "Subnets": list("subnet-1", "subnet-2")}), "LoadBalancers.0.LoadBalancerArn")
	p := params{"LoadBalancerArn": other, "Port": 80, "Protocol": "HTTP", "DefaultActions": list(split(l.green, 1))}
	l.refuse(t, "CreateListener", p, "TargetGroupAssociationLimit", "cannot be associated with more than one load balancer: "+l.green)

	l.do(t, "DeleteRule", params{"RuleArn": arn})
	l.do(t, "CreateListener", p)
	l.do(t, "DeleteLoadBalancer", params{"LoadBalancerArn": other})
	l.do(t, "DeleteLoadBalancer", params{"LoadBalancerArn": other}) // gone already: no error
	l.do(t, "DeleteTargetGroup", params{"TargetGroupArn": l.green})
	if _, ok := l.plane.last(t).TargetGroups[l.green]; ok {
		t.Error("the data plane still has green")
	}
}

func TestTargetStickinessNeedsGroupStickiness(t *testing.T) {
	l := newLab(t)
	sticky := params{"TargetGroupArn": l.blue, "Attributes": list(params{"Key": "stickiness.enabled", "Value": "true"})}
	arn := l.rule(t, 10, split(l.blue, 1, l.green, 1))
	l.refuse(t, "ModifyTargetGroupAttributes", sticky, "InvalidConfigurationRequest", "behind a rule with group stickiness disabled ("+arn)
	l.do(t, "ModifyRule", params{"RuleArn": arn, "Actions": list(split(l.blue, 1))})
	l.do(t, "ModifyTargetGroupAttributes", sticky)
	l.refuse(t, "ModifyRule", params{"RuleArn": arn, "Actions": list(split(l.blue, 1, l.green, 1))}, "InvalidConfigurationRequest", "You must enable group stickiness")
}

func TestAccountsAndRegionsAreApart(t *testing.T) {
	l := newLab(t)
	out, err := l.Serve(t.Context(), &wire.Request{Operation: "DescribeLoadBalancers", Region: "cn-north-1", AccountID: "111111111111"})
	if err != nil || len(column(t, out, "LoadBalancers", "LoadBalancerArn")) != 0 {
		t.Fatalf("got %v, %v, want no load balancers", out, err)
	}
	out, err = l.Serve(t.Context(), &wire.Request{
		Operation: "CreateTargetGroup", Region: "cn-north-1", AccountID: "111111111111", Params: wiretest.Params(groupParams("blue")),
	})
	if err != nil {
		t.Fatal(err)
	}
	if arn := wiretest.Text(t, out, "TargetGroups.0.TargetGroupArn"); !strings.HasPrefix(arn, "arn:aws-cn:elasticloadbalancing:cn-north-1:111111111111:targetgroup/blue/") {
		t.Errorf("ARN is %s", arn)
	}
	if n := len(l.Snapshot().TargetGroups); n != 3 {
		t.Errorf("the snapshot has %d target groups, want those of both accounts: 3", n)
	}
}
