package awssim_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
)

// sdkNames lives the life of a hosted zone, its records and a health check.
func (f fixture) sdkNames(t *testing.T) {
	t.Helper()
	c, name := route53.NewFromConfig(f.config("us-east-1", nil)), aws.String("shop.example.com")
	made := do(t, c.CreateHostedZone, &route53.CreateHostedZoneInput{Name: name, CallerReference: aws.String("once")})
	zone := made.HostedZone.Id
	do(t, c.GetHostedZone, &route53.GetHostedZoneInput{Id: zone})
	do(t, c.ListHostedZones, &route53.ListHostedZonesInput{})
	do(t, c.ListHostedZonesByName, &route53.ListHostedZonesByNameInput{DNSName: name})
	do(t, c.UpdateHostedZoneComment, &route53.UpdateHostedZoneCommentInput{Id: zone, Comment: aws.String("of the shop")})
	if n := do(t, c.GetHostedZoneCount, &route53.GetHostedZoneCountInput{}).HostedZoneCount; *n != 1 {
		t.Errorf("%d zones", *n)
	}
	do(t, c.GetHostedZoneLimit, &route53.GetHostedZoneLimitInput{HostedZoneId: zone, Type: types.HostedZoneLimitTypeMaxRrsetsByZone})
	do(t, c.GetAccountLimit, &route53.GetAccountLimitInput{Type: types.AccountLimitTypeMaxHostedZonesByOwner})

	check := sdkHealthCheck(t, c)
	record := func(action types.ChangeAction, weight int64) *route53.ChangeResourceRecordSetsInput {
		return &route53.ChangeResourceRecordSetsInput{HostedZoneId: zone, ChangeBatch: &types.ChangeBatch{Changes: []types.Change{{
			Action: action, ResourceRecordSet: &types.ResourceRecordSet{
				Name: aws.String("www.shop.example.com"), Type: types.RRTypeA, SetIdentifier: aws.String("blue"), Weight: &weight, TTL: aws.Int64(60),
				ResourceRecords: []types.ResourceRecord{{Value: aws.String("127.0.0.1")}}, HealthCheckId: check,
			},
		}}}}
	}
	do(t, c.ChangeResourceRecordSets, record(types.ChangeActionCreate, 10))
	change := do(t, c.ChangeResourceRecordSets, record(types.ChangeActionUpsert, 90)).ChangeInfo
	if i := do(t, c.GetChange, &route53.GetChangeInput{Id: change.Id}).ChangeInfo; i.Status != types.ChangeStatusInsync {
		t.Errorf("change %+v", i)
	}
	list := do(t, c.ListResourceRecordSets, &route53.ListResourceRecordSetsInput{HostedZoneId: zone, StartRecordName: aws.String("www.shop.example.com")}).ResourceRecordSets
	if len(list) != 1 || *list[0].Weight != 90 {
		t.Errorf("records %+v", list)
	}
	answer := do(t, c.TestDNSAnswer, &route53.TestDNSAnswerInput{HostedZoneId: zone, RecordName: aws.String("www.shop.example.com"), RecordType: types.RRTypeA})
	if len(answer.RecordData) != 1 || answer.RecordData[0] != "127.0.0.1" {
		t.Errorf("answer %+v", answer.RecordData)
	}
	do(t, c.ChangeResourceRecordSets, record(types.ChangeActionDelete, 90))
	do(t, c.DeleteHealthCheck, &route53.DeleteHealthCheckInput{HealthCheckId: check})
	do(t, c.DeleteHostedZone, &route53.DeleteHostedZoneInput{Id: zone})
}

// sdkHealthCheck makes a health check, tags it and returns its ID.
func sdkHealthCheck(t *testing.T, c *route53.Client) *string {
	t.Helper()
	id := do(t, c.CreateHealthCheck, &route53.CreateHealthCheckInput{CallerReference: aws.String("once"), HealthCheckConfig: &types.HealthCheckConfig{
		Type: types.HealthCheckTypeHttp, IPAddress: aws.String("192.0.2.1"), Port: aws.Int32(80), ResourcePath: aws.String("/"),
	}}).HealthCheck.Id
	do(t, c.UpdateHealthCheck, &route53.UpdateHealthCheckInput{HealthCheckId: id, ResourcePath: aws.String("/live")})
	if h := do(t, c.GetHealthCheck, &route53.GetHealthCheckInput{HealthCheckId: id}).HealthCheck; *h.HealthCheckConfig.ResourcePath != "/live" {
		t.Errorf("health check %+v", h.HealthCheckConfig)
	}
	do(t, c.ListHealthChecks, &route53.ListHealthChecksInput{})
	do(t, c.GetHealthCheckCount, &route53.GetHealthCheckCountInput{})
	do(t, c.GetHealthCheckStatus, &route53.GetHealthCheckStatusInput{HealthCheckId: id})
	do(t, c.GetHealthCheckLastFailureReason, &route53.GetHealthCheckLastFailureReasonInput{HealthCheckId: id})
	do(t, c.ChangeTagsForResource, &route53.ChangeTagsForResourceInput{
		ResourceType: types.TagResourceTypeHealthcheck, ResourceId: id, AddTags: []types.Tag{{Key: aws.String("team"), Value: aws.String("web")}},
	})
	if tags := do(t, c.ListTagsForResource, &route53.ListTagsForResourceInput{ResourceType: types.TagResourceTypeHealthcheck, ResourceId: id}).ResourceTagSet.Tags; len(tags) != 1 {
		t.Errorf("tags %+v", tags)
	}
	do(t, c.ListTagsForResources, &route53.ListTagsForResourcesInput{ResourceType: types.TagResourceTypeHealthcheck, ResourceIds: []string{*id}})
	return id
}
