package awssim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// got fails the test on an error, and returns the answer.
func got[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// The same lives as in TestTheAWSCLIDrivesEveryOperation, and more.
func TestTheSDKDrivesEveryOperation(t *testing.T) {
	t.Parallel()
	f, pod := foreignLab(t)
	f.sdkCredentials(t, pod)
	f.sdkIdentities(t)
	f.sdkMetrics(t)
	f.sdkBalancer(t)
	f.sdkNames(t)
	f.sdkClusters(t)
	f.sdkNetwork(t)
	f.sdkQueues(t)
	f.checkDriven(t, "aws-sdk-go-v2")
}

func (f fixture) sdkMetrics(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	at := time.Now().Truncate(time.Minute).Add(-10 * time.Minute)
	end, name, space := at.Add(5*time.Minute), aws.String("orders"), aws.String("shop")
	got[*cloudwatch.PutMetricDataOutput](t)(f.cw.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{
		Namespace: space, MetricData: []cwtypes.MetricDatum{{MetricName: name, Value: aws.Float64(3), Timestamp: &at}},
	}))
	stats := got[*cloudwatch.GetMetricStatisticsOutput](t)(f.cw.GetMetricStatistics(ctx, &cloudwatch.GetMetricStatisticsInput{
		Namespace: space, MetricName: name, Period: aws.Int32(60), Statistics: []cwtypes.Statistic{cwtypes.StatisticSum}, StartTime: &at, EndTime: &end,
	}))
	data := got[*cloudwatch.GetMetricDataOutput](t)(f.cw.GetMetricData(ctx, &cloudwatch.GetMetricDataInput{StartTime: &at, EndTime: &end, MetricDataQueries: []cwtypes.MetricDataQuery{
		{Id: aws.String("m"), MetricStat: &cwtypes.MetricStat{Metric: &cwtypes.Metric{Namespace: space, MetricName: name}, Period: aws.Int32(60), Stat: aws.String("Sum")}},
	}}))
	list := got[*cloudwatch.ListMetricsOutput](t)(f.cw.ListMetrics(ctx, &cloudwatch.ListMetricsInput{Namespace: space}))
	if len(stats.Datapoints) != 1 || *stats.Datapoints[0].Sum != 3 || len(list.Metrics) != 1 ||
		len(data.MetricDataResults) != 1 || len(data.MetricDataResults[0].Values) != 1 || data.MetricDataResults[0].Values[0] != 3 {
		t.Errorf("3 were put; statistics %+v, data %+v, metrics %+v", stats.Datapoints, data.MetricDataResults, list.Metrics)
	}
}

func (f fixture) sdkBalancer(t *testing.T) {
	t.Helper()
	ctx, c := t.Context(), f.elb
	lb := got[*elb.CreateLoadBalancerOutput](t)(c.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: aws.String("web"), Subnets: []string{"subnet-0a", "subnet-0b"}})).LoadBalancers[0].LoadBalancerArn
	got[*elb.DescribeLoadBalancersOutput](t)(c.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{Names: []string{"web"}}))
	got[*elb.ModifyLoadBalancerAttributesOutput](t)(c.ModifyLoadBalancerAttributes(ctx, &elb.ModifyLoadBalancerAttributesInput{
		LoadBalancerArn: lb, Attributes: []types.LoadBalancerAttribute{{Key: aws.String("idle_timeout.timeout_seconds"), Value: aws.String("30")}},
	}))
	got[*elb.DescribeLoadBalancerAttributesOutput](t)(c.DescribeLoadBalancerAttributes(ctx, &elb.DescribeLoadBalancerAttributesInput{LoadBalancerArn: lb}))
	got[*elb.SetSecurityGroupsOutput](t)(c.SetSecurityGroups(ctx, &elb.SetSecurityGroupsInput{LoadBalancerArn: lb, SecurityGroups: []string{"sg-0c"}}))
	got[*elb.SetSubnetsOutput](t)(c.SetSubnets(ctx, &elb.SetSubnetsInput{LoadBalancerArn: lb, Subnets: []string{"subnet-0a", "subnet-0d"}}))
	got[*elb.SetIpAddressTypeOutput](t)(c.SetIpAddressType(ctx, &elb.SetIpAddressTypeInput{LoadBalancerArn: lb, IpAddressType: types.IpAddressTypeDualstack}))
	blue, green := f.sdkGroup(t, "blue"), f.sdkGroup(t, "green")
	listener := f.sdkListener(t, lb, blue, green)
	f.sdkRule(t, listener, blue, green)
	got[*elb.DescribeAccountLimitsOutput](t)(c.DescribeAccountLimits(ctx, &elb.DescribeAccountLimitsInput{}))
	got[*elb.DescribeSSLPoliciesOutput](t)(c.DescribeSSLPolicies(ctx, &elb.DescribeSSLPoliciesInput{}))
	got[*elb.DeleteListenerOutput](t)(c.DeleteListener(ctx, &elb.DeleteListenerInput{ListenerArn: listener}))
	got[*elb.DeleteLoadBalancerOutput](t)(c.DeleteLoadBalancer(ctx, &elb.DeleteLoadBalancerInput{LoadBalancerArn: lb}))
	for _, arn := range []*string{blue, green} {
		got[*elb.DeregisterTargetsOutput](t)(c.DeregisterTargets(ctx, &elb.DeregisterTargetsInput{TargetGroupArn: arn, Targets: []types.TargetDescription{{Id: aws.String("10.0.0.1"), Port: aws.Int32(8080)}}}))
		got[*elb.DeleteTargetGroupOutput](t)(c.DeleteTargetGroup(ctx, &elb.DeleteTargetGroupInput{TargetGroupArn: arn}))
	}
	if left := got[*elb.DescribeLoadBalancersOutput](t)(c.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{})).LoadBalancers; len(left) > 0 {
		t.Errorf("the load balancer is still there: %+v", left)
	}
}

// sdkGroup makes a target group with one target.
func (f fixture) sdkGroup(t *testing.T, name string) *string {
	t.Helper()
	ctx, c := t.Context(), f.elb
	arn := got[*elb.CreateTargetGroupOutput](t)(c.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{
		Name: &name, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String("vpc-01ab"), TargetType: types.TargetTypeEnumIp,
	})).TargetGroups[0].TargetGroupArn
	got[*elb.ModifyTargetGroupOutput](t)(c.ModifyTargetGroup(ctx, &elb.ModifyTargetGroupInput{TargetGroupArn: arn, HealthCheckPath: aws.String("/live")}))
	if g := got[*elb.DescribeTargetGroupsOutput](t)(c.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{Names: []string{name}})).TargetGroups; len(g) != 1 || *g[0].HealthCheckPath != "/live" {
		t.Errorf("target groups %+v", g)
	}
	got[*elb.ModifyTargetGroupAttributesOutput](t)(c.ModifyTargetGroupAttributes(ctx, &elb.ModifyTargetGroupAttributesInput{
		TargetGroupArn: arn, Attributes: []types.TargetGroupAttribute{{Key: aws.String("deregistration_delay.timeout_seconds"), Value: aws.String("10")}},
	}))
	got[*elb.DescribeTargetGroupAttributesOutput](t)(c.DescribeTargetGroupAttributes(ctx, &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: arn}))
	got[*elb.RegisterTargetsOutput](t)(c.RegisterTargets(ctx, &elb.RegisterTargetsInput{TargetGroupArn: arn, Targets: []types.TargetDescription{{Id: aws.String("10.0.0.1"), Port: aws.Int32(8080)}}}))
	if h := got[*elb.DescribeTargetHealthOutput](t)(c.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: arn})).TargetHealthDescriptions; len(h) != 1 || h[0].TargetHealth.State != types.TargetHealthStateEnumUnused {
		t.Errorf("health %+v", h)
	}
	return arn
}

func (f fixture) sdkListener(t *testing.T, lb, blue, green *string) *string {
	t.Helper()
	ctx, c := t.Context(), f.elb
	arn := got[*elb.CreateListenerOutput](t)(c.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: lb, Protocol: types.ProtocolEnumHttps, Port: aws.Int32(443), Certificates: []types.Certificate{{CertificateArn: aws.String(certificate)}},
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: blue}},
	})).Listeners[0].ListenerArn
	got[*elb.DescribeListenersOutput](t)(c.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: lb}))
	got[*elb.ModifyListenerOutput](t)(c.ModifyListener(ctx, &elb.ModifyListenerInput{ListenerArn: arn, DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: green}}}))
	got[*elb.ModifyListenerAttributesOutput](t)(c.ModifyListenerAttributes(ctx, &elb.ModifyListenerAttributesInput{
		ListenerArn: arn, Attributes: []types.ListenerAttribute{{Key: aws.String("routing.http.response.server.enabled"), Value: aws.String("false")}},
	}))
	got[*elb.DescribeListenerAttributesOutput](t)(c.DescribeListenerAttributes(ctx, &elb.DescribeListenerAttributesInput{ListenerArn: arn}))
	more := []types.Certificate{{CertificateArn: aws.String(strings.Replace(certificate, "0123", "4567", 1))}}
	got[*elb.AddListenerCertificatesOutput](t)(c.AddListenerCertificates(ctx, &elb.AddListenerCertificatesInput{ListenerArn: arn, Certificates: more}))
	if all := got[*elb.DescribeListenerCertificatesOutput](t)(c.DescribeListenerCertificates(ctx, &elb.DescribeListenerCertificatesInput{ListenerArn: arn})).Certificates; len(all) != 2 {
		t.Errorf("certificates %+v", all)
	}
	got[*elb.RemoveListenerCertificatesOutput](t)(c.RemoveListenerCertificates(ctx, &elb.RemoveListenerCertificatesInput{ListenerArn: arn, Certificates: more}))
	return arn
}

func (f fixture) sdkRule(t *testing.T, listener, blue, green *string) {
	t.Helper()
	ctx, c := t.Context(), f.elb
	arn := got[*elb.CreateRuleOutput](t)(c.CreateRule(ctx, &elb.CreateRuleInput{
		ListenerArn: listener, Priority: aws.Int32(10), Actions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: blue}},
		Conditions: []types.RuleCondition{{Field: aws.String("host-header"), Values: []string{"example.com"}}},
	})).Rules[0].RuleArn
	got[*elb.ModifyRuleOutput](t)(c.ModifyRule(ctx, &elb.ModifyRuleInput{RuleArn: arn, Actions: []types.Action{{
		Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: blue, Weight: aws.Int32(90)}, {TargetGroupArn: green, Weight: aws.Int32(10)}}},
	}}}))
	got[*elb.SetRulePrioritiesOutput](t)(c.SetRulePriorities(ctx, &elb.SetRulePrioritiesInput{RulePriorities: []types.RulePriorityPair{{RuleArn: arn, Priority: aws.Int32(20)}}}))
	if r := got[*elb.DescribeRulesOutput](t)(c.DescribeRules(ctx, &elb.DescribeRulesInput{RuleArns: []string{*arn}})).Rules; len(r) != 1 || *r[0].Priority != "20" || *r[0].Actions[0].ForwardConfig.TargetGroups[1].Weight != 10 {
		t.Errorf("rules %+v", r)
	}
	got[*elb.AddTagsOutput](t)(c.AddTags(ctx, &elb.AddTagsInput{ResourceArns: []string{*arn}, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}}}))
	if d := got[*elb.DescribeTagsOutput](t)(c.DescribeTags(ctx, &elb.DescribeTagsInput{ResourceArns: []string{*arn}})).TagDescriptions; len(d) != 1 || len(d[0].Tags) != 1 || *d[0].Tags[0].Value != "a" {
		t.Errorf("tags %+v", d)
	}
	got[*elb.RemoveTagsOutput](t)(c.RemoveTags(ctx, &elb.RemoveTagsInput{ResourceArns: []string{*arn}, TagKeys: []string{"team"}}))
	got[*elb.DeleteRuleOutput](t)(c.DeleteRule(ctx, &elb.DeleteRuleInput{RuleArn: arn}))
}
