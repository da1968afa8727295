package wire_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	awstagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	taggingtypes "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
	awsroute53 "github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// apiError is the error code of err, "" if it is none of an API.
func apiError(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

func TestRoute53Client(t *testing.T) {
	w := start(t, wire.Config{})
	c := awsroute53.NewFromConfig(w.config())
	record := func(name string, weight int64) r53types.Change {
		return r53types.Change{Action: r53types.ChangeActionUpsert, ResourceRecordSet: &r53types.ResourceRecordSet{
			Name: aws.String("app.example.com"), Type: r53types.RRTypeA, SetIdentifier: aws.String(name), Weight: aws.Int64(weight), TTL: aws.Int64(60),
			ResourceRecords: []r53types.ResourceRecord{{Value: aws.String("192.0.2.1 & <co>")}},
		}}
	}
	changed, err := c.ChangeResourceRecordSets(t.Context(), &awsroute53.ChangeResourceRecordSetsInput{
		HostedZoneId: aws.String("/hostedzone/Z1"),
		ChangeBatch:  &r53types.ChangeBatch{Changes: []r53types.Change{record("blue", 255), record("green", 0)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !changed.ChangeInfo.SubmittedAt.Equal(instant) || changed.ChangeInfo.Status != r53types.ChangeStatusPending {
		t.Errorf("change %+v", changed.ChangeInfo)
	}
	want := func(name, weight string) any {
		return wire.Params{"Action": "UPSERT", "ResourceRecordSet": wire.Params{
			"Name": "app.example.com", "Type": "A", "SetIdentifier": name, "Weight": weight, "TTL": "60",
			"ResourceRecords": []any{wire.Params{"Value": "192.0.2.1 & <co>"}},
		}}
	}
	got := w.last(t)
	if d := cmp.Diff(wire.Params{
		"HostedZoneId": "Z1", "ChangeBatch": wire.Params{"Changes": []any{want("blue", "255"), want("green", "0")}},
	}, got.Params); d != "" {
		t.Error(d)
	}
	if got.Service != "route53" || got.Operation != "ChangeResourceRecordSets" || got.Protocol != wire.RESTXML || got.Region != "eu-west-1" {
		t.Errorf("request %+v", got)
	}

	listed, err := c.ListResourceRecordSets(t.Context(), &awsroute53.ListResourceRecordSetsInput{
		HostedZoneId: aws.String("Z1"), StartRecordName: aws.String(`\052.example.com`), StartRecordType: r53types.RRTypeA, MaxItems: aws.Int32(300),
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := listed.ResourceRecordSets; len(s) != 1 || *s[0].Weight != 0 || len(s[0].ResourceRecords) != 2 || *listed.MaxItems != 300 {
		t.Errorf("record sets %+v", listed)
	}
	if d := cmp.Diff(wire.Params{
		"HostedZoneId": "Z1", "StartRecordName": `\052.example.com`, "StartRecordType": "A", "MaxItems": "300",
	}, w.last(t).Params); d != "" {
		t.Error(d)
	}

	zone, err := c.CreateHostedZone(t.Context(), &awsroute53.CreateHostedZoneInput{Name: aws.String("example.com"), CallerReference: aws.String("once")})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"ns-1.example", "ns-2.example"}, zone.DelegationSet.NameServers); d != "" || *zone.HostedZone.Name != "example.com" {
		t.Errorf("zone %+v %s", zone.HostedZone, d)
	}
	if *zone.Location != "https://route53.amazonaws.com/2013-04-01/hostedzone/Z1" || w.status() != 201 {
		t.Errorf("location %s, status %d", *zone.Location, w.status())
	}
	if n, err := c.GetHostedZoneCount(t.Context(), nil); err != nil || *n.HostedZoneCount != 7 {
		t.Errorf("count %+v, %v", n, err)
	}
}

func TestRoute53ClientSeesTypedErrors(t *testing.T) {
	w := start(t, wire.Config{})
	c := awsroute53.NewFromConfig(w.config())
	_, err := c.GetHostedZone(t.Context(), &awsroute53.GetHostedZoneInput{Id: aws.String("Z9")})
	if e, ok := errors.AsType[*r53types.NoSuchHostedZone](err); !ok || e.ErrorMessage() != "No hosted zone found with ID: Z9" {
		t.Errorf("%v is not NoSuchHostedZone", err)
	}
	_, err = c.ChangeResourceRecordSets(t.Context(), &awsroute53.ChangeResourceRecordSetsInput{
		HostedZoneId: aws.String("Z1"), ChangeBatch: &r53types.ChangeBatch{Comment: aws.String("refuse"), Changes: []r53types.Change{}},
	})
	e, ok := errors.AsType[*r53types.InvalidChangeBatch](err)
	if !ok {
		t.Fatalf("%v is not InvalidChangeBatch", err)
	}
	if d := cmp.Diff([]string{"one <bad> record", "another"}, e.Messages); d != "" {
		t.Error(d)
	}
	_, err = c.ListHealthChecks(t.Context(), nil)
	if apiError(err) != "NotSimulated" {
		t.Errorf("an operation that has no route: %v", err)
	}
}

func TestEKSClient(t *testing.T) {
	w := start(t, wire.Config{})
	c := awseks.NewFromConfig(w.config())
	created, err := c.CreateCluster(t.Context(), &awseks.CreateClusterInput{
		Name: aws.String("blue"), RoleArn: aws.String(userARN), ClientRequestToken: aws.String("once"), Tags: map[string]string{"a b": "c"},
		ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: []string{"subnet-1", "subnet-2"}, EndpointPrivateAccess: aws.Bool(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if cl := created.Cluster; *cl.Name != "blue" || !cl.CreatedAt.Equal(instant) || cl.Status != ekstypes.ClusterStatusActive || cl.Tags["env"] != "prod" {
		t.Errorf("cluster %+v", cl)
	}
	got := w.last(t)
	if d := cmp.Diff(wire.Params{
		"name": "blue", "roleArn": userARN, "clientRequestToken": "once", "tags": wire.Params{"a b": "c"},
		"resourcesVpcConfig": wire.Params{"subnetIds": []any{"subnet-1", "subnet-2"}, "endpointPrivateAccess": true},
	}, got.Params); d != "" || got.Protocol != wire.RESTJSON {
		t.Errorf("protocol %d; %s", got.Protocol, d)
	}
	list, err := c.ListClusters(t.Context(), &awseks.ListClustersInput{MaxResults: aws.Int32(2), Include: []string{"all"}})
	if err != nil || len(list.Clusters) != 2 || list.NextToken != nil {
		t.Errorf("clusters %+v, %v", list, err)
	}
	if n, ok, err := w.last(t).Params.Int("maxResults"); n != 2 || !ok || err != nil {
		t.Errorf("maxResults %d %t %v", n, ok, err)
	}
	entry, err := c.DescribeAccessEntry(t.Context(), &awseks.DescribeAccessEntryInput{ClusterName: aws.String("blue"), PrincipalArn: aws.String(userARN)})
	if err != nil || *entry.AccessEntry.PrincipalArn != userARN {
		t.Errorf("a label with slashes, a star and a space: %+v, %v", entry, err)
	}
	for _, keys := range [][]string{{"one"}, {"one", "t/w&o"}} {
		if _, err := c.UntagResource(t.Context(), &awseks.UntagResourceInput{ResourceArn: aws.String(eksARN), TagKeys: keys}); err != nil {
			t.Fatal(err)
		}
		r := w.last(t)
		if d := cmp.Diff(keys, r.Params.Strings("tagKeys")); d != "" || r.Params.Str("resourceArn") != eksARN {
			t.Errorf("%v; %s", r.Params, d)
		}
	}
}

func TestEKSClientSeesTypedErrors(t *testing.T) {
	w := start(t, wire.Config{})
	c := awseks.NewFromConfig(w.config())
	_, err := c.DescribeCluster(t.Context(), &awseks.DescribeClusterInput{Name: aws.String("gone")})
	if e, ok := errors.AsType[*ekstypes.ResourceNotFoundException](err); !ok || e.ErrorMessage() != "No cluster found for name: gone." {
		t.Errorf("%v is not ResourceNotFoundException", err)
	}
	if _, err := c.ListAddons(t.Context(), &awseks.ListAddonsInput{ClusterName: aws.String("blue")}); apiError(err) != "NotSimulated" {
		t.Errorf("an operation that has no route: %v", err)
	}
}

func TestEC2Client(t *testing.T) {
	w := start(t, wire.Config{})
	c := awsec2.NewFromConfig(w.config())
	out, err := c.DescribeVpcs(t.Context(), &awsec2.DescribeVpcsInput{
		VpcIds:  []string{"vpc-1", "vpc-2"},
		Filters: []ec2types.Filter{{Name: aws.String("tag:Name"), Values: []string{"blue", "gr*"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if v := out.Vpcs; len(v) != 1 || *v[0].VpcId != "vpc-1" || !*v[0].IsDefault || *v[0].Tags[0].Value != "blue" {
		t.Errorf("vpcs %+v", v)
	}
	got := w.last(t)
	if d := cmp.Diff(wire.Params{
		"VpcId":  []any{"vpc-1", "vpc-2"},
		"Filter": []any{wire.Params{"Name": "tag:Name", "Value": []any{"blue", "gr*"}}},
	}, got.Params); d != "" || got.Protocol != wire.EC2 {
		t.Errorf("protocol %d; %s", got.Protocol, d)
	}
	_, err = c.DescribeVpcs(t.Context(), &awsec2.DescribeVpcsInput{VpcIds: []string{"vpc-gone"}})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "InvalidVpcID.NotFound" || e.ErrorMessage() != "The vpc ID 'vpc-gone' does not exist" {
		t.Errorf("%v is not InvalidVpcID.NotFound", err)
	}
	if _, err := c.CreateTags(t.Context(), &awsec2.CreateTagsInput{Resources: []string{"vpc-1"}, Tags: []ec2types.Tag{{Key: aws.String("k"), Value: aws.String("")}}}); err != nil {
		t.Error(err)
	}
	if _, err := c.DescribeInstances(t.Context(), nil); apiError(err) != "NotSimulated" {
		t.Errorf("an operation that is not there: %v", err)
	}
}

func TestIAMAndTaggingClients(t *testing.T) {
	w := start(t, wire.Config{})
	identity := awsiam.NewFromConfig(w.config())
	role, err := identity.GetRole(t.Context(), &awsiam.GetRoleInput{RoleName: aws.String("blue")})
	if err != nil || *role.Role.RoleName != "blue" || !role.Role.CreateDate.Equal(instant) || len(role.Role.Tags) != 1 {
		t.Errorf("role %+v, %v", role, err)
	}
	_, err = identity.GetRole(t.Context(), &awsiam.GetRoleInput{RoleName: aws.String("gone")})
	if _, ok := errors.AsType[*iamtypes.NoSuchEntityException](err); !ok {
		t.Errorf("%v is not NoSuchEntityException", err)
	}
	tags := awstagging.NewFromConfig(w.config())
	found, err := tags.GetResources(t.Context(), &awstagging.GetResourcesInput{
		ResourceTypeFilters: []string{"eks:cluster"}, TagFilters: []taggingtypes.TagFilter{{Key: aws.String("env")}},
	})
	if err != nil || len(found.ResourceTagMappingList) != 1 || *found.ResourceTagMappingList[0].ResourceARN != eksARN {
		t.Errorf("resources %+v, %v", found, err)
	}
	_, err = tags.GetResources(t.Context(), &awstagging.GetResourcesInput{PaginationToken: aws.String("old")})
	if _, ok := errors.AsType[*taggingtypes.PaginationTokenExpiredException](err); !ok {
		t.Errorf("%v is not PaginationTokenExpiredException", err)
	}
}

// The services' operations by unsigned clients: what they are follows from the path alone.
func TestUnsignedRESTCallsAreFoundByTheirPath(t *testing.T) {
	w := start(t, wire.Config{})
	for path, operation := range map[string]string{
		"/clusters/blue":               "DescribeCluster",
		"/2013-04-01/hostedzonecount":  "GetHostedZoneCount",
		"/2013-04-01/hostedzonecount/": "GetHostedZoneCount",
	} {
		t.Run(path, func(t *testing.T) {
			w.get(t, path)
			if got := w.last(t).Operation; got != operation {
				t.Errorf("operation %s, want %s", got, operation)
			}
		})
	}
}
