package elbv2_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"

	"github.com/norikae/norikae/internal/awssim/elbv2"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

// client is the real SDK against the service over HTTP.
func client(t *testing.T, cfg elbv2.Config) *sdk.Client {
	t.Helper()
	s := elbv2.New(cfg)
	t.Cleanup(s.Close)
	url := wiretest.Serve(t, wire.Config{}, wire.Registration{
		Name: "elasticloadbalancing", Version: "2015-12-01",
		Namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/", Service: s,
	})
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: &url, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
}

type world struct {
	*sdk.Client
	lb, listener, blue, green string
}

func sdkWorld(t *testing.T, cfg elbv2.Config) world {
	t.Helper()
	c, ctx := client(t, cfg), t.Context()
	w := world{Client: c}
	lb := wiretest.Must(c.CreateLoadBalancer(ctx, &sdk.CreateLoadBalancerInput{
		Name: aws.String("web"), Subnets: []string{"subnet-1", "subnet-2"}, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}},
	}))(t).LoadBalancers[0]
	if lb.State.Code != types.LoadBalancerStateEnumActive || lb.CreatedTime == nil || lb.CreatedTime.IsZero() {
		t.Errorf("the load balancer is %v, created %v", lb.State.Code, lb.CreatedTime)
	}
	w.lb = *lb.LoadBalancerArn
	group := func(name string) string {
		return *wiretest.Must(c.CreateTargetGroup(ctx, &sdk.CreateTargetGroupInput{
			Name: &name, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String("vpc-1"), TargetType: types.TargetTypeEnumIp,
		}))(t).TargetGroups[0].TargetGroupArn
	}
	w.blue, w.green = group("blue"), group("green")
	w.listener = *wiretest.Must(c.CreateListener(ctx, &sdk.CreateListenerInput{
		LoadBalancerArn: &w.lb, Port: aws.Int32(80), Protocol: types.ProtocolEnumHttp,
		DefaultActions: []types.Action{{
			Type:                types.ActionTypeEnumFixedResponse,
			FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("404")},
		}},
	}))(t).Listeners[0].ListenerArn
	return w
}

func (w world) weights(blue, green *int32) []types.Action {
	return []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{
		TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: &w.blue, Weight: blue}, {TargetGroupArn: &w.green, Weight: green}},
	}}}
}

func TestTheRealSDKShiftsWeights(t *testing.T) {
	w := sdkWorld(t, elbv2.Config{DataPlane: &plane{}, Seed: 7})
	ctx := t.Context()
	rule := wiretest.Must(w.CreateRule(ctx, &sdk.CreateRuleInput{
		ListenerArn: &w.listener, Priority: aws.Int32(10), Actions: w.weights(aws.Int32(100), aws.Int32(0)),
		Conditions: []types.RuleCondition{
			{Field: aws.String("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{"example.com"}}},
			{Field: aws.String("query-string"), QueryStringConfig: &types.QueryStringConditionConfig{Values: []types.QueryStringKeyValuePair{{Key: aws.String("v"), Value: aws.String("1")}}}},
		},
	}))(t).Rules[0]
	if *rule.Priority != "10" || *rule.Actions[0].ForwardConfig.TargetGroups[1].Weight != 0 || rule.Conditions[0].Values[0] != "example.com" {
		t.Errorf("rule is %+v", rule)
	}
	got := wiretest.Must(w.ModifyRule(ctx, &sdk.ModifyRuleInput{RuleArn: rule.RuleArn, Actions: w.weights(aws.Int32(90), nil)}))(t).Rules[0]
	f := got.Actions[0].ForwardConfig
	if *f.TargetGroups[0].Weight != 90 || *f.TargetGroups[1].Weight != 1 || *f.TargetGroupStickinessConfig.Enabled || got.Actions[0].TargetGroupArn != nil {
		t.Errorf("a weight that was left out reads back as %+v", f)
	}
	if *got.Conditions[1].QueryStringConfig.Values[0].Key != "v" {
		t.Errorf("conditions are %+v", got.Conditions)
	}
	register := &sdk.RegisterTargetsInput{TargetGroupArn: &w.blue, Targets: []types.TargetDescription{{Id: aws.String("127.0.0.1"), Port: aws.Int32(8080)}}}
	wiretest.Must(w.RegisterTargets(ctx, register))(t)
	health := wiretest.Must(w.DescribeTargetHealth(ctx, &sdk.DescribeTargetHealthInput{TargetGroupArn: &w.blue}))(t).TargetHealthDescriptions
	if len(health) != 1 || health[0].TargetHealth.State != types.TargetHealthStateEnumHealthy || *health[0].Target.Port != 8080 {
		t.Errorf("health is %+v", health)
	}
	tags := wiretest.Must(w.DescribeTags(ctx, &sdk.DescribeTagsInput{ResourceArns: []string{w.lb, *rule.RuleArn}}))(t).TagDescriptions
	if len(tags) != 2 || *tags[0].Tags[0].Key != "team" || len(tags[1].Tags) != 0 {
		t.Errorf("tags are %+v", tags)
	}
	used := wiretest.Must(w.DescribeTargetGroups(ctx, &sdk.DescribeTargetGroupsInput{Names: []string{"green"}}))(t).TargetGroups[0]
	if len(used.LoadBalancerArns) != 1 || used.LoadBalancerArns[0] != w.lb || *used.Matcher.HttpCode != "200" {
		t.Errorf("green is %+v", used)
	}
}

func TestTheRealSDKPagesRules(t *testing.T) {
	w := sdkWorld(t, elbv2.Config{MaxPageSize: 2})
	for i := range 5 {
		wiretest.Must(w.CreateRule(t.Context(), &sdk.CreateRuleInput{
			ListenerArn: &w.listener, Priority: aws.Int32(int32(i + 1)), Actions: w.weights(aws.Int32(1), aws.Int32(0)),
			Conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"/x"}}},
		}))(t)
	}
	pages, rules := 0, 0
	for p := sdk.NewDescribeRulesPaginator(w, &sdk.DescribeRulesInput{ListenerArn: &w.listener}); p.HasMorePages(); pages++ {
		rules += len(wiretest.Must(p.NextPage(t.Context()))(t).Rules)
	}
	if pages != 3 || rules != 6 {
		t.Errorf("%d rules on %d pages, want 6 on 3", rules, pages)
	}
}

func TestTheRealSDKKeepsAuthenticationActions(t *testing.T) {
	w := sdkWorld(t, elbv2.Config{})
	l := wiretest.Must(w.CreateListener(t.Context(), &sdk.CreateListenerInput{
		LoadBalancerArn: &w.lb, Port: aws.Int32(443), Protocol: types.ProtocolEnumHttps,
		Certificates: []types.Certificate{{CertificateArn: aws.String(certificate)}},
		DefaultActions: append([]types.Action{{
			Type: types.ActionTypeEnumAuthenticateOidc, Order: aws.Int32(1),
			AuthenticateOidcConfig: &types.AuthenticateOidcActionConfig{
				Issuer: aws.String("https://idp"), AuthorizationEndpoint: aws.String("https://idp/a"), TokenEndpoint: aws.String("https://idp/t"),
				UserInfoEndpoint: aws.String("https://idp/u"), ClientId: aws.String("id"), ClientSecret: aws.String("hush"),
				AuthenticationRequestExtraParams: map[string]string{"prompt": "login", "display": "page"},
			},
		}}, func() []types.Action { a := w.weights(aws.Int32(1), aws.Int32(0)); a[0].Order = aws.Int32(2); return a }()...),
	}))(t).Listeners[0]
	oidc := l.DefaultActions[0].AuthenticateOidcConfig
	if oidc == nil || oidc.ClientSecret != nil || oidc.AuthenticationRequestExtraParams["prompt"] != "login" ||
		oidc.AuthenticationRequestExtraParams["display"] != "page" || *oidc.SessionTimeout != 604800 {
		t.Errorf("the action is %+v", oidc)
	}
}

func TestTheRealSDKSeesTypedErrors(t *testing.T) {
	w := sdkWorld(t, elbv2.Config{})
	ghost := w.listener + "0"
	_, err := w.DescribeRules(t.Context(), &sdk.DescribeRulesInput{ListenerArn: &ghost})
	if typed := (*types.ListenerNotFoundException)(nil); !errors.As(err, &typed) {
		t.Errorf("got %v, want ListenerNotFoundException", err)
	}
	_, err = w.CreateRule(t.Context(), &sdk.CreateRuleInput{
		ListenerArn: &w.listener, Priority: aws.Int32(10), Actions: w.weights(aws.Int32(1000), aws.Int32(0)),
		Conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"/x"}}},
	})
	if api := smithy.APIError(nil); !errors.As(err, &api) || api.ErrorCode() != "ValidationError" {
		t.Errorf("got %v, want ValidationError", err)
	}
	_, err = w.DescribeTrustStores(t.Context(), &sdk.DescribeTrustStoresInput{})
	if api := smithy.APIError(nil); !errors.As(err, &api) || api.ErrorCode() != "NotSimulated" {
		t.Errorf("got %v, want NotSimulated", err)
	}
}
