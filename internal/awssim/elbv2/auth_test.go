package elbv2_test

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/norikae/norikae/internal/awssim/elbv2"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

// secure gives a lab's rules to an HTTPS listener.
func secure(t *testing.T, l *lab) *lab {
	t.Helper()
	l.listener = l.listen(t, 443, params{"Protocol": "HTTPS", "Certificates": list(params{"CertificateArn": certificate})})
	return l
}

func auth(kind, member string, config, more params) params {
	c := maps.Clone(config)
	maps.Copy(c, more)
	return params{"Type": kind, "Order": 1, member: c}
}

func jwt(more params) params {
	return auth("jwt-validation", "JwtValidationConfig", params{"JwksEndpoint": "https://idp.example/keys", "Issuer": "idp"}, more)
}

func cognito(more params) params {
	return auth("authenticate-cognito", "AuthenticateCognitoConfig", params{"UserPoolArn": "arn:aws:cognito-idp:p", "UserPoolClientId": "c", "UserPoolDomain": "d"}, more)
}

func TestBadAuthenticationActionsAreRefused(t *testing.T) {
	l := secure(t, newLab(t))
	last := ordered(notFound(), 2)
	claim := func(name, format string, values ...any) params {
		return params{"AdditionalClaims": list(params{"Name": name, "Format": format, "Values": values})}
	}
	extra := params{}
	for _, k := range values(11, "%d") {
		k, _ := k.(string)
		extra[k] = params{"key": k, "value": "x"}
	}
	oidc := params{"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": params{"Issuer": "http://idp.example"}}
	second := cognito(nil)
	second["Order"] = 2
	l.check(t, map[string]refusal{
		"alone":                     {"CreateRule", l.acting(jwt(nil)), "InvalidLoadBalancerAction", "The last action must be of type forward, redirect or fixed-response, not 'jwt-validation'"},
		"after the routing action":  {"CreateRule", l.acting(ordered(notFound(), 1), second), "InvalidLoadBalancerAction", "must be the last action"},
		"two of them":               {"CreateRule", l.acting(jwt(nil), second, ordered(notFound(), 3)), "TooManyActions", "only one authentication action, not 2"},
		"an issuer without TLS":     {"CreateRule", l.acting(oidc, last), "ValidationError", "Issuer 'http://idp.example' must be a full URL with the HTTPS protocol"},
		"no user pool":              {"CreateRule", l.acting(cognito(params{"UserPoolArn": ""}), last), "ValidationError", "Value null at 'authenticateCognitoConfig.userPoolArn'"},
		"an unknown behaviour":      {"CreateRule", l.acting(cognito(params{"OnUnauthenticatedRequest": "ask"}), last), "ValidationError", "[deny, allow, authenticate]"},
		"a session over 7 days":     {"CreateRule", l.acting(cognito(params{"SessionTimeout": 604801}), last), "ValidationError", "less than or equal to 604800"},
		"eleven extra parameters":   {"CreateRule", l.acting(cognito(params{"AuthenticationRequestExtraParams": params{"entry": extra}}), last), "ValidationError", "at most 10 entries, not 11"},
		"no key set":                {"CreateRule", l.acting(jwt(params{"JwksEndpoint": ""}), last), "ValidationError", "jwksEndpoint"},
		"a claim that is built in":  {"CreateRule", l.acting(jwt(claim("exp", "single-string", "1")), last), "ValidationError", "The claim 'exp' cannot be specified"},
		"a claim without values":    {"CreateRule", l.acting(jwt(claim("sub", "single-string")), last), "ValidationError", "must have a Name and Values"},
		"a claim in another format": {"CreateRule", l.acting(jwt(claim("sub", "json", "1")), last), "ValidationError", "string-array"},
	})
	arn := l.rule(t, 10, jwt(claim("sub", "string-array", "a", "b")), last)
	l.rule(t, 11, cognito(nil), last)
	out := l.do(t, "DescribeRules", params{"ListenerArn": l.listener})
	expect(t, out, map[string]any{
		"Rules.0.RuleArn": arn,
		"Rules.0.Actions.0.JwtValidationConfig.AdditionalClaims.0.Values.1":            "b",
		"Rules.1.Actions.0.AuthenticateCognitoConfig.SessionCookieName":                "AWSELBAuthSessionCookie",
		"Rules.1.Actions.0.AuthenticateCognitoConfig.OnUnauthenticatedRequest":         "authenticate",
		"Rules.1.Actions.0.AuthenticateCognitoConfig.AuthenticationRequestExtraParams": nil,
	})
}

func TestMutualTLSAndSecurityPolicies(t *testing.T) {
	l := secure(t, newLab(t))
	modify := func(name string, value any) params { return params{"ListenerArn": l.listener, name: value} }
	l.check(t, map[string]refusal{
		"a trust store":        {"ModifyListener", modify("MutualAuthentication", params{"Mode": "verify"}), "NotSimulated", "trust store"},
		"an unknown mode":      {"ModifyListener", modify("MutualAuthentication", params{"Mode": "maybe"}), "ValidationError", "[off, passthrough, verify]"},
		"two certificates":     {"ModifyListener", modify("Certificates", list(params{"CertificateArn": certificate}, params{"CertificateArn": certificate})), "ValidationError", "Exactly one certificate"},
		"a certificate's name": {"ModifyListener", modify("Certificates", list(params{"CertificateArn": "mine"})), "CertificateNotFound", "'mine' is not valid"},
		"ALPN":                 {"ModifyListener", modify("AlpnPolicy", list("HTTP2Only")), "ValidationError", "ALPN"},
		"an unknown policy":    {"DescribeSSLPolicies", params{"Names": list("mine")}, "SSLPolicyNotFound", "'mine' not found"},
	})
	const policy = "ELBSecurityPolicy-TLS13-1-2-2021-06"
	names := l.do(t, "DescribeSSLPolicies", params{"Names": list(policy), "LoadBalancerType": "application"})
	expect(t, names, map[string]any{"SslPolicies.0.Name": policy, "SslPolicies.0.SslProtocols.1": "TLSv1.3", "SslPolicies.1": nil})
	out := l.do(t, "ModifyListener", params{"ListenerArn": l.listener, "SslPolicy": policy, "MutualAuthentication": params{"Mode": "passthrough"}})
	expect(t, out, map[string]any{"Listeners.0.SslPolicy": policy, "Listeners.0.MutualAuthentication.Mode": "passthrough"})
	attributes := l.do(t, "DescribeListenerAttributes", params{"ListenerArn": l.listener})
	if keys := column(t, attributes, "Attributes", "Key"); !slices.Contains(keys, "routing.http.response.server.enabled") {
		t.Errorf("listener attributes are %v", keys)
	}
}

func TestGRPCTargetGroupsMatchGRPCCodes(t *testing.T) {
	l := newLab(t)
	p := groupParams("grpc")
	p["ProtocolVersion"] = "GRPC"
	out := l.do(t, "CreateTargetGroup", p)
	expect(t, out, map[string]any{"TargetGroups.0.Matcher.GrpcCode": "12", "TargetGroups.0.HealthCheckPath": "/AWS.ALB/healthcheck"})
	arn := wiretest.Text(t, out, "TargetGroups.0.TargetGroupArn")
	l.refuse(t, "ModifyTargetGroup", params{"TargetGroupArn": arn, "Matcher": params{"HttpCode": "200"}}, "ValidationError", "HttpCode cannot be specified")
	l.refuse(t, "ModifyTargetGroup", params{"TargetGroupArn": arn, "Matcher": params{"GrpcCode": "0-100"}}, "ValidationError", "within 0-99")
	l.refuse(t, "ModifyTargetGroup", params{"TargetGroupArn": arn, "HealthCheckPort": "0"}, "ValidationError", "'traffic-port' or from 1 to 65535")
	l.refuse(t, "ModifyTargetGroup", params{"TargetGroupArn": arn, "HealthCheckPath": "x"}, "ValidationError", "must start with '/'")
	l.refuse(t, "ModifyTargetGroup", params{"TargetGroupArn": arn, "HealthCheckProtocol": "TCP"}, "ValidationError", "[HTTP, HTTPS]")
}

// What the data plane was given must stay as it is while calls go on: run with -race.
func TestConcurrentCallsNeverWriteIntoASnapshot(t *testing.T) {
	l := newLab(t, func(c *elbv2.Config) { c.Quotas.RulesPerLoadBalancer = 1000 })
	l.rule(t, 10, split(l.blue, 50, l.green, 50))
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 25 {
				l.churn(t, 100+worker*100+i)
			}
		})
	}
	wg.Wait()
	if n := len(l.Snapshot().Listeners[0].Rules); n != 102 {
		t.Errorf("%d rules, want 102", n)
	}
}

// churn makes a rule, changes it, and reads what the data plane has. It may run in
// any goroutine.
func (l *lab) churn(t *testing.T, priority int) {
	out, err := l.try(t, "CreateRule", l.ruleParams(priority, split(l.blue, 1, l.green, 99)))
	if err == nil {
		arn := wiretest.At(out, "Rules.0.RuleArn")
		_, err = l.try(t, "ModifyRule", params{"RuleArn": arn, "Actions": list(split(l.blue, 1))})
		_, tagErr := l.try(t, "AddTags", params{"ResourceArns": list(arn), "Tags": list(params{"Key": "k"})})
		err = errors.Join(err, tagErr)
	}
	if err != nil {
		t.Errorf("rule %d: %v", priority, err)
	}
	for _, r := range l.plane.last(t).Listeners[0].Rules {
		if f := r.Actions[0].Forward; f != nil && len(f.TargetGroups) == 0 {
			t.Error("a forward action without groups")
		}
	}
}
