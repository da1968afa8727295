package route53_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/smithy-go"

	"github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

func sdkZone(t *testing.T, c *sdk.Client, name string) string {
	t.Helper()
	out := wiretest.Must(c.CreateHostedZone(t.Context(), &sdk.CreateHostedZoneInput{
		Name: &name, CallerReference: aws.String("ref-" + name),
		HostedZoneConfig: &types.HostedZoneConfig{Comment: aws.String("made by a test")},
	}))(t)
	if out.Location == nil || !strings.HasSuffix(*out.Location, strings.TrimPrefix(*out.HostedZone.Id, "/")) {
		t.Errorf("the location of %s is %v", *out.HostedZone.Id, out.Location)
	}
	return *out.HostedZone.Id
}

func TestTheRealSDKShiftsAWeightedName(t *testing.T) {
	now := newClock()
	s := route53.New(route53.Config{Now: now.Now, PropagationDelay: func() time.Duration { return 30 * time.Second }})
	t.Cleanup(s.Close)
	c, ctx := client(t, s), t.Context()
	zone := sdkZone(t, c, "Example.com")

	got := wiretest.Must(c.GetHostedZone(ctx, &sdk.GetHostedZoneInput{Id: &zone}))(t)
	if *got.HostedZone.Name != "example.com." || *got.HostedZone.ResourceRecordSetCount != 2 || len(got.DelegationSet.NameServers) != 4 ||
		*got.HostedZone.Config.Comment != "made by a test" {
		t.Errorf("the zone is %+v, its name servers %v", got.HostedZone, got.DelegationSet.NameServers)
	}
	change := wiretest.Must(c.ChangeResourceRecordSets(ctx, batch(zone, types.ChangeActionCreate,
		weightedSet("www.example.com", "blue", 100, "127.0.0.1", "127.0.0.2"), weightedSet("www.example.com", "green", 0, "127.0.0.3"))))(t)
	info := change.ChangeInfo
	if info.Status != types.ChangeStatusPending || !strings.HasPrefix(*info.Id, "/change/C") || info.SubmittedAt.IsZero() {
		t.Errorf("the change is %+v", info)
	}
	list := wiretest.Must(c.ListResourceRecordSets(ctx, &sdk.ListResourceRecordSetsInput{
		HostedZoneId: &zone, StartRecordName: aws.String("WWW.example.com"), StartRecordType: types.RRTypeA,
	}))(t)
	if len(list.ResourceRecordSets) != 2 || *list.ResourceRecordSets[0].Weight != 100 || *list.ResourceRecordSets[1].Weight != 0 ||
		len(list.ResourceRecordSets[0].ResourceRecords) != 2 || *list.ResourceRecordSets[1].TTL != 60 || list.IsTruncated {
		t.Errorf("pending values are listed as %+v", list.ResourceRecordSets)
	}
	now.Add(31 * time.Second)
	insync := wiretest.Must(c.GetChange(ctx, &sdk.GetChangeInput{Id: info.Id}))(t)
	if insync.ChangeInfo.Status != types.ChangeStatusInsync || !insync.ChangeInfo.SubmittedAt.Equal(*info.SubmittedAt) {
		t.Errorf("31 s later the change is %+v, submitted at %v", insync.ChangeInfo, info.SubmittedAt)
	}
	test := wiretest.Must(c.TestDNSAnswer(ctx, &sdk.TestDNSAnswerInput{
		HostedZoneId: &zone, RecordName: aws.String("www.example.com"), RecordType: types.RRTypeA,
	}))(t)
	slices.Sort(test.RecordData)
	if !slices.Equal(test.RecordData, []string{"127.0.0.1", "127.0.0.2"}) || *test.ResponseCode != "NOERROR" {
		t.Errorf("the answer is %v %s", test.RecordData, *test.ResponseCode)
	}
}

func TestTheRealSDKPagesRecordSetsAndZones(t *testing.T) {
	s := route53.New(route53.Config{MaxPageSize: 2})
	t.Cleanup(s.Close)
	c, ctx := client(t, s), t.Context()
	zone := sdkZone(t, c, "example.com")
	for _, other := range []string{"example.org", "example.net"} {
		sdkZone(t, c, other)
	}
	wiretest.Must(c.ChangeResourceRecordSets(ctx, batch(zone, types.ChangeActionCreate,
		weightedSet("www.example.com", "blue", 1, "127.0.0.1"), weightedSet("www.example.com", "green", 1, "127.0.0.3"),
		weightedSet("*.example.com", "green", 1, "127.0.0.3"))))(t)
	var got []string
	pages := sdk.NewListResourceRecordSetsPaginator(c, &sdk.ListResourceRecordSetsInput{HostedZoneId: &zone})
	n := 0
	for ; pages.HasMorePages(); n++ {
		for _, r := range wiretest.Must(pages.NextPage(ctx))(t).ResourceRecordSets {
			got = append(got, *r.Name+" "+string(r.Type)+" "+aws.ToString(r.SetIdentifier))
		}
	}
	want := []string{"example.com. NS ", "example.com. SOA ", `\052.example.com. A green`, "www.example.com. A blue", "www.example.com. A green"}
	if !slices.Equal(got, want) || n != 3 {
		t.Errorf("%d pages with\n%q, want\n%q", n, got, want)
	}
	zones := 0
	for p := sdk.NewListHostedZonesPaginator(c, &sdk.ListHostedZonesInput{}); p.HasMorePages(); {
		zones += len(wiretest.Must(p.NextPage(ctx))(t).HostedZones)
	}
	if zones != 3 {
		t.Errorf("%d zones, want 3", zones)
	}
	byName := wiretest.Must(c.ListHostedZonesByName(ctx, &sdk.ListHostedZonesByNameInput{DNSName: aws.String("example.com")}))(t)
	if *byName.HostedZones[0].Name != "example.com." || !byName.IsTruncated || *byName.NextDNSName != "example.org." {
		t.Errorf("by name: %+v", byName)
	}
}

func TestTheRealSDKSeesTypedErrors(t *testing.T) {
	s := route53.New(route53.Config{})
	t.Cleanup(s.Close)
	c, ctx := client(t, s), t.Context()
	zone := sdkZone(t, c, "example.com")

	_, err := c.ChangeResourceRecordSets(ctx, batch(zone, types.ChangeActionDelete, weightedSet("www.example.com", "blue", 1, "127.0.0.1")))
	var invalid *types.InvalidChangeBatch
	want := "Tried to delete resource record set [name='www.example.com.', type='A', set-identifier='blue'] but it was not found"
	if !errors.As(err, &invalid) || invalid.ErrorMessage() != "["+want+"]" {
		t.Errorf("got %v\nwant the message [%s]", err, want)
	}
	_, err = c.GetHostedZone(ctx, &sdk.GetHostedZoneInput{Id: aws.String("ZNONE")})
	if typed := (*types.NoSuchHostedZone)(nil); !errors.As(err, &typed) {
		t.Errorf("got %v, want NoSuchHostedZone", err)
	}
	_, err = c.GetChange(ctx, &sdk.GetChangeInput{Id: aws.String("CNONE")})
	if typed := (*types.NoSuchChange)(nil); !errors.As(err, &typed) {
		t.Errorf("got %v, want NoSuchChange", err)
	}
	_, err = c.ListResourceRecordSets(ctx, &sdk.ListResourceRecordSetsInput{HostedZoneId: &zone, StartRecordType: types.RRTypeA})
	if typed := (*types.InvalidInput)(nil); !errors.As(err, &typed) {
		t.Errorf("got %v, want InvalidInput", err)
	}
	_, err = c.GetDNSSEC(ctx, &sdk.GetDNSSECInput{HostedZoneId: &zone})
	if api := smithy.APIError(nil); !errors.As(err, &api) || api.ErrorCode() != "NotSimulated" {
		t.Errorf("got %v, want NotSimulated", err)
	}
}

func TestTheRealSDKReadsTheListOfABatchsErrors(t *testing.T) {
	s := route53.New(route53.Config{BatchErrorList: true})
	t.Cleanup(s.Close)
	c := client(t, s)
	zone := sdkZone(t, c, "example.com")
	_, err := c.ChangeResourceRecordSets(t.Context(), batch(zone, types.ChangeActionDelete,
		weightedSet("www.example.com", "blue", 1, "127.0.0.1"), weightedSet("www.example.net", "blue", 1, "127.0.0.1")))
	var invalid *types.InvalidChangeBatch
	if !errors.As(err, &invalid) || !slices.Equal(invalid.Messages, []string{"RRSet with DNS name www.example.net. is not permitted in zone example.com."}) {
		t.Errorf("got %v with %q", err, invalid)
	}
}
