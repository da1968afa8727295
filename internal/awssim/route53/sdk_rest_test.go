package route53_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

func TestTheRealSDKLivesAZonesLife(t *testing.T) {
	s := route53.New(route53.Config{})
	t.Cleanup(s.Close)
	c, ctx := client(t, s), t.Context()
	zone := sdkZone(t, c, "example.com")
	id := aws.String(strings.TrimPrefix(zone, "/hostedzone/"))

	updated := wiretest.Must(c.UpdateHostedZoneComment(ctx, &sdk.UpdateHostedZoneCommentInput{Id: &zone, Comment: aws.String("new")}))(t)
	if *updated.HostedZone.Config.Comment != "new" {
		t.Errorf("the zone is %+v", updated.HostedZone.Config)
	}
	wiretest.Must(c.ChangeTagsForResource(ctx, &sdk.ChangeTagsForResourceInput{
		ResourceType: types.TagResourceTypeHostedzone, ResourceId: id,
		AddTags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}, {Key: aws.String("old"), Value: aws.String("")}},
	}))(t)
	wiretest.Must(c.ChangeTagsForResource(ctx, &sdk.ChangeTagsForResourceInput{
		ResourceType: types.TagResourceTypeHostedzone, ResourceId: id, RemoveTagKeys: []string{"old"},
	}))(t)
	one := wiretest.Must(c.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceType: types.TagResourceTypeHostedzone, ResourceId: id}))(t)
	all := wiretest.Must(c.ListTagsForResources(ctx, &sdk.ListTagsForResourcesInput{
		ResourceType: types.TagResourceTypeHostedzone, ResourceIds: []string{*id},
	}))(t)
	if tags := one.ResourceTagSet.Tags; len(tags) != 1 || *tags[0].Key != "team" || len(all.ResourceTagSets) != 1 || *all.ResourceTagSets[0].Tags[0].Value != "a" {
		t.Errorf("the tags are %+v and %+v", one.ResourceTagSet, all.ResourceTagSets)
	}
	count := wiretest.Must(c.GetHostedZoneCount(ctx, &sdk.GetHostedZoneCountInput{}))(t)
	limit := wiretest.Must(c.GetHostedZoneLimit(ctx, &sdk.GetHostedZoneLimitInput{HostedZoneId: &zone, Type: types.HostedZoneLimitTypeMaxRrsetsByZone}))(t)
	quota := wiretest.Must(c.GetAccountLimit(ctx, &sdk.GetAccountLimitInput{Type: types.AccountLimitTypeMaxHostedZonesByOwner}))(t)
	if *count.HostedZoneCount != 1 || limit.Count != 2 || *limit.Limit.Value != 10_000 || quota.Count != 1 {
		t.Errorf("%d zones, %d of %d record sets, %d zones by quota", *count.HostedZoneCount, limit.Count, *limit.Limit.Value, quota.Count)
	}
	private := wiretest.Must(c.CreateHostedZone(ctx, &sdk.CreateHostedZoneInput{
		Name: aws.String("inner.example.com"), CallerReference: aws.String("inner"), VPC: &types.VPC{VPCId: aws.String("vpc-1"), VPCRegion: types.VPCRegionUsEast1},
	}))(t)
	got := wiretest.Must(c.GetHostedZone(ctx, &sdk.GetHostedZoneInput{Id: private.HostedZone.Id}))(t)
	if !got.HostedZone.Config.PrivateZone || len(got.VPCs) != 1 || *got.VPCs[0].VPCId != "vpc-1" || got.DelegationSet != nil {
		t.Errorf("the private zone is %+v in %+v", got.HostedZone.Config, got.VPCs)
	}
	gone := wiretest.Must(c.DeleteHostedZone(ctx, &sdk.DeleteHostedZoneInput{Id: &zone}))(t)
	if gone.ChangeInfo.Status != types.ChangeStatusInsync {
		t.Errorf("the deletion is %+v", gone.ChangeInfo)
	}
}

func TestTheRealSDKLivesAHealthChecksLife(t *testing.T) {
	s := route53.New(route53.Config{})
	t.Cleanup(s.Close)
	c, ctx := client(t, s), t.Context()
	made := wiretest.Must(c.CreateHealthCheck(ctx, &sdk.CreateHealthCheckInput{
		CallerReference: aws.String("1"), HealthCheckConfig: &types.HealthCheckConfig{
			Type: types.HealthCheckTypeHttpStrMatch, IPAddress: aws.String("127.0.0.1"), ResourcePath: aws.String("/x"), SearchString: aws.String("ok"),
			Regions: []types.HealthCheckRegion{"us-east-1", "us-west-1", "eu-west-1"},
		},
	}))(t)
	id := made.HealthCheck.Id
	if !strings.HasSuffix(*made.Location, *id) || *made.HealthCheck.HealthCheckConfig.Port != 80 || *made.HealthCheck.HealthCheckVersion != 1 {
		t.Errorf("made is %+v at %s", made.HealthCheck, *made.Location)
	}
	sum := wiretest.Must(c.CreateHealthCheck(ctx, &sdk.CreateHealthCheckInput{
		CallerReference: aws.String("2"), HealthCheckConfig: &types.HealthCheckConfig{
			Type: types.HealthCheckTypeCalculated, HealthThreshold: aws.Int32(1), ChildHealthChecks: []string{*id},
		},
	}))(t).HealthCheck
	if got := sum.HealthCheckConfig.ChildHealthChecks; len(got) != 1 || got[0] != *id {
		t.Errorf("the children are %v", got)
	}
	changed := wiretest.Must(c.UpdateHealthCheck(ctx, &sdk.UpdateHealthCheckInput{
		HealthCheckId: id, Port: aws.Int32(81), ResetElements: []types.ResettableElementName{types.ResettableElementNameResourcePath},
	}))(t).HealthCheck
	if *changed.HealthCheckVersion != 2 || *changed.HealthCheckConfig.Port != 81 || changed.HealthCheckConfig.ResourcePath != nil {
		t.Errorf("changed is %+v", changed.HealthCheckConfig)
	}
	list := wiretest.Must(c.ListHealthChecks(ctx, &sdk.ListHealthChecksInput{}))(t)
	count := wiretest.Must(c.GetHealthCheckCount(ctx, &sdk.GetHealthCheckCountInput{}))(t)
	if len(list.HealthChecks) != 2 || *count.HealthCheckCount != 2 {
		t.Errorf("%d listed, %d counted", len(list.HealthChecks), *count.HealthCheckCount)
	}
	no := false
	s.SetHealth(*id, &no)
	status := wiretest.Must(c.GetHealthCheckStatus(ctx, &sdk.GetHealthCheckStatusInput{HealthCheckId: id}))(t)
	if o := status.HealthCheckObservations; len(o) != 3 || o[2].Region != "eu-west-1" || !strings.HasPrefix(*o[0].StatusReport.Status, "Failure") || o[0].StatusReport.CheckedTime.IsZero() {
		t.Errorf("the status is %+v", o)
	}
	wiretest.Must(c.GetHealthCheckLastFailureReason(ctx, &sdk.GetHealthCheckLastFailureReasonInput{HealthCheckId: id}))(t)
	wiretest.Must(c.DeleteHealthCheck(ctx, &sdk.DeleteHealthCheckInput{HealthCheckId: id}))(t)
	_, err := c.GetHealthCheck(ctx, &sdk.GetHealthCheckInput{HealthCheckId: id})
	if typed := (*types.NoSuchHealthCheck)(nil); !errors.As(err, &typed) {
		t.Errorf("got %v, want NoSuchHealthCheck", err)
	}
}
