package elbv2_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/awssim/elbv2"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

// sdkNetwork is a network load balancer whose UDP listener forwards to two groups.
func sdkNetwork(t *testing.T) world {
	t.Helper()
	c, ctx := client(t, elbv2.Config{DataPlane: &plane{}, Seed: 7}), t.Context()
	w := world{Client: c}
	lb := wiretest.Must(c.CreateLoadBalancer(ctx, &sdk.CreateLoadBalancerInput{
		Name: aws.String("edge"), Type: types.LoadBalancerTypeEnumNetwork, Scheme: types.LoadBalancerSchemeEnumInternal,
		SubnetMappings: []types.SubnetMapping{{SubnetId: aws.String("subnet-1"), PrivateIPv4Address: aws.String("10.0.0.9")}},
		SecurityGroups: []string{"sg-1"}, IpAddressType: types.IpAddressTypeDualstack,
		EnablePrefixForIpv6SourceNat: types.EnablePrefixForIpv6SourceNatEnumOn,
	}))(t).LoadBalancers[0]
	w.lb = *lb.LoadBalancerArn
	if lb.Type != types.LoadBalancerTypeEnumNetwork || *lb.AvailabilityZones[0].LoadBalancerAddresses[0].PrivateIPv4Address != "10.0.0.9" ||
		lb.EnablePrefixForIpv6SourceNat != types.EnablePrefixForIpv6SourceNatEnumOn || *lb.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic != "on" {
		t.Errorf("the load balancer is %+v", lb)
	}
	group := func(name string) string {
		return *wiretest.Must(c.CreateTargetGroup(ctx, &sdk.CreateTargetGroupInput{
			Name: &name, Protocol: types.ProtocolEnumTcpUdp, Port: aws.Int32(53), VpcId: aws.String("vpc-1"), TargetType: types.TargetTypeEnumIp,
		}))(t).TargetGroups[0].TargetGroupArn
	}
	w.blue, w.green = group("blue"), group("green")
	w.listener = *wiretest.Must(c.CreateListener(ctx, &sdk.CreateListenerInput{
		LoadBalancerArn: &w.lb, Port: aws.Int32(53), Protocol: types.ProtocolEnumUdp, DefaultActions: w.weights(aws.Int32(100), aws.Int32(0)),
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}},
	}))(t).Listeners[0].ListenerArn
	return w
}

func TestTheRealSDKShiftsANetworkListener(t *testing.T) {
	w := sdkNetwork(t)
	ctx := t.Context()
	actions := w.weights(aws.Int32(90), aws.Int32(10))
	actions[0].ForwardConfig.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: aws.Bool(true)}
	wiretest.Must(w.ModifyListener(ctx, &sdk.ModifyListenerInput{
		ListenerArn: &w.listener, Protocol: types.ProtocolEnumTcpUdp, DefaultActions: actions,
	}))(t)
	listeners := wiretest.Must(w.DescribeListeners(ctx, &sdk.DescribeListenersInput{ListenerArns: []string{w.listener}}))(t).Listeners
	f := listeners[0].DefaultActions[0].ForwardConfig
	if listeners[0].Protocol != types.ProtocolEnumTcpUdp || *f.TargetGroups[0].Weight != 90 || *f.TargetGroups[1].Weight != 10 ||
		!*f.TargetGroupStickinessConfig.Enabled || f.TargetGroupStickinessConfig.DurationSeconds != nil {
		t.Errorf("the listener is %+v, forwarding %+v", listeners[0], f)
	}
	rules := wiretest.Must(w.DescribeRules(ctx, &sdk.DescribeRulesInput{ListenerArn: &w.listener}))(t).Rules
	if len(rules) != 1 || !*rules[0].IsDefault || *rules[0].Actions[0].ForwardConfig.TargetGroups[1].Weight != 10 {
		t.Errorf("the rules are %+v", rules)
	}
	rule := wiretest.Must(w.CreateRule(ctx, &sdk.CreateRuleInput{
		ListenerArn: &w.listener, Priority: aws.Int32(1), Actions: w.weights(aws.Int32(0), aws.Int32(1)),
		Conditions: []types.RuleCondition{{Field: aws.String("source-ip"), SourceIpConfig: &types.SourceIpConditionConfig{IpAddressType: types.SourceIpAddressTypeEnumIpv6}}},
	}))(t).Rules[0]
	if rule.Conditions[0].SourceIpConfig.IpAddressType != types.SourceIpAddressTypeEnumIpv6 {
		t.Errorf("the rule's conditions are %+v", rule.Conditions)
	}
	attributes := wiretest.Must(w.DescribeListenerAttributes(ctx, &sdk.DescribeListenerAttributesInput{ListenerArn: &w.listener}))(t).Attributes
	if len(attributes) != 1 || *attributes[0].Key != "tcp.idle_timeout.seconds" || *attributes[0].Value != "350" {
		t.Errorf("the listener's attributes are %+v", attributes)
	}
	tags := wiretest.Must(w.DescribeTags(ctx, &sdk.DescribeTagsInput{ResourceArns: []string{w.listener, *rules[0].RuleArn}}))(t).TagDescriptions
	if *tags[0].Tags[0].Key != "team" || len(tags[1].Tags) != 0 {
		t.Errorf("the tags are %+v", tags)
	}
	group := wiretest.Must(w.DescribeTargetGroups(ctx, &sdk.DescribeTargetGroupsInput{LoadBalancerArn: &w.lb}))(t).TargetGroups[0]
	if group.HealthCheckProtocol != types.ProtocolEnumTcp || group.Matcher != nil || group.ProtocolVersion != nil || *group.HealthCheckTimeoutSeconds != 10 {
		t.Errorf("the target group is %+v", group)
	}
}

func TestTheRealSDKSeesTypedErrorsOfNetworkListeners(t *testing.T) {
	w := sdkNetwork(t)
	_, err := w.CreateListener(t.Context(), &sdk.CreateListenerInput{
		LoadBalancerArn: &w.lb, Port: aws.Int32(54), Protocol: types.ProtocolEnumTls, DefaultActions: w.weights(aws.Int32(1), aws.Int32(0)),
		Certificates: []types.Certificate{{CertificateArn: aws.String(certificate)}},
	})
	if typed := (*types.IncompatibleProtocolsException)(nil); !errors.As(err, &typed) {
		t.Errorf("got %v, want IncompatibleProtocolsException", err)
	}
	_, err = w.CreateListener(t.Context(), &sdk.CreateListenerInput{
		LoadBalancerArn: &w.lb, Port: aws.Int32(53), Protocol: types.ProtocolEnumTcp, DefaultActions: w.weights(aws.Int32(1), aws.Int32(0)),
	})
	if typed := (*types.DuplicateListenerException)(nil); !errors.As(err, &typed) {
		t.Errorf("got %v, want DuplicateListenerException", err)
	}
	_, err = w.ModifyListener(t.Context(), &sdk.ModifyListenerInput{ListenerArn: &w.listener, DefaultActions: []types.Action{{
		Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("503")},
	}}})
	if typed := (*types.InvalidLoadBalancerActionException)(nil); !errors.As(err, &typed) {
		t.Errorf("got %v, want InvalidLoadBalancerActionException", err)
	}
}
