package eks_test

import (
	"crypto/x509"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

func TestAClusterLivesFromCreatingToGone(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	in := creation("blue")
	in.Version = aws.String("1.35")
	in.Tags = map[string]string{"env": "prod"}
	in.ResourcesVpcConfig.EndpointPrivateAccess = aws.Bool(true)
	in.ResourcesVpcConfig.PublicAccessCidrs = []string{"203.0.113.0/24"}
	in.ResourcesVpcConfig.SecurityGroupIds = []string{"sg-1"}
	in.AccessConfig = &types.CreateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApi}
	in.Logging = &types.Logging{ClusterLogging: []types.LogSetup{{Enabled: aws.Bool(true), Types: []types.LogType{"audit"}}}}
	in.EncryptionConfig = []types.EncryptionConfig{{
		Resources: []string{"secrets"}, Provider: &types.Provider{KeyArn: aws.String("arn:aws:kms:us-east-1:000000000000:key/1")},
	}}
	c := wiretest.Must(l.CreateCluster(ctx, in))(t).Cluster
	if c.Status != types.ClusterStatusCreating || c.Endpoint != nil || c.Identity != nil || c.CertificateAuthority == nil || c.CertificateAuthority.Data != nil {
		t.Errorf("while it is created it is %s at %v with %+v", c.Status, c.Endpoint, c.CertificateAuthority)
	}
	if want := "arn:aws:eks:us-east-1:000000000000:cluster/blue"; *c.Arn != want || !c.CreatedAt.Equal(l.clock.Now()) {
		t.Errorf("the ARN is %s, created %v", *c.Arn, c.CreatedAt)
	}
	l.clock.Add(10*time.Minute - time.Millisecond)
	l.blueIs(t, types.ClusterStatusCreating)
	l.clock.Add(time.Millisecond)
	c = l.cluster(t, "blue")
	checkActive(t, c)
	v := c.ResourcesVpcConfig
	if !v.EndpointPublicAccess || !v.EndpointPrivateAccess || !slices.Equal(v.PublicAccessCidrs, []string{"203.0.113.0/24"}) ||
		!slices.Equal(v.SubnetIds, []string{"subnet-1", "subnet-2"}) || !strings.HasPrefix(*v.ClusterSecurityGroupId, "sg-") || *v.VpcId == "" {
		t.Errorf("the VPC configuration is %+v", v)
	}
	if c.AccessConfig.AuthenticationMode != types.AuthenticationModeApi || *c.Version != "1.35" || c.Tags["env"] != "prod" || *c.EncryptionConfig[0].Provider.KeyArn == "" {
		t.Errorf("the cluster is %+v", c)
	}
	if log := c.Logging.ClusterLogging; len(log) != 2 || !*log[0].Enabled || !slices.Equal(log[0].Types, []types.LogType{"audit"}) || len(log[1].Types) != 4 {
		t.Errorf("logging is %+v", log)
	}

	gone := wiretest.Must(l.DeleteCluster(ctx, &sdk.DeleteClusterInput{Name: c.Name}))(t).Cluster
	if gone.Status != types.ClusterStatusDeleting {
		t.Errorf("a deleted cluster is %s", gone.Status)
	}
	l.clock.Add(5*time.Minute - time.Millisecond)
	l.blueIs(t, types.ClusterStatusDeleting)
	l.clock.Add(time.Millisecond)
	l.blueIs(t, "gone")
	_, err := l.DeleteCluster(ctx, &sdk.DeleteClusterInput{Name: c.Name})
	wiretest.Refused(t, err, "ResourceNotFoundException", "")
}

func checkActive(t *testing.T, c *types.Cluster) {
	t.Helper()
	if c.Status != types.ClusterStatusActive {
		t.Fatalf("the cluster is %s", c.Status)
	}
	url := regexp.MustCompile(`^https://([0-9A-F]{32})\.gr7\.us-east-1\.eks\.amazonaws\.com$`).FindStringSubmatch(*c.Endpoint)
	if url == nil || *c.Identity.Oidc.Issuer != "https://oidc.eks.us-east-1.amazonaws.com/id/"+url[1] {
		t.Errorf("endpoint %s, issuer %s", *c.Endpoint, *c.Identity.Oidc.Issuer)
	}
	der := wiretest.Must(certificate(*c.CertificateAuthority.Data))(t)
	ca := wiretest.Must(x509.ParseCertificate(der))(t)
	if err := ca.CheckSignatureFrom(ca); err != nil || !ca.IsCA {
		t.Errorf("the certificate authority is not self-signed: %v", err)
	}
}

func TestTheSameCreationAgainIsAnsweredAgain(t *testing.T) {
	l := newLab(t)
	in := creation("blue")
	in.ClientRequestToken = aws.String("token")
	first := wiretest.Must(l.CreateCluster(t.Context(), in))(t).Cluster
	again := wiretest.Must(l.CreateCluster(t.Context(), in))(t).Cluster
	if *first.ResourcesVpcConfig.ClusterSecurityGroupId != *again.ResourcesVpcConfig.ClusterSecurityGroupId {
		t.Error("a repeated call has made another cluster")
	}
	_, err := l.CreateCluster(t.Context(), creation("blue"))
	wiretest.Refused(t, err, "ResourceInUseException", "")
}

func TestCreateClusterRefuses(t *testing.T) {
	l := newLab(t, func(c *eks.Config) {
		c.Clusters = 1
		c.Subnet = func(account, region, id string) (string, string, bool) {
			zones := map[string]string{"subnet-1": "a", "subnet-2": "b", "subnet-3": "a", "subnet-9": "c"}
			vpc := "vpc-1"
			if id == "subnet-9" {
				vpc = "vpc-9"
			}
			return vpc, zones[id], zones[id] != "" && account == "000000000000" && region == "us-east-1"
		}
	})
	vpc := func(f func(*types.VpcConfigRequest)) func(*sdk.CreateClusterInput) {
		return func(in *sdk.CreateClusterInput) { f(in.ResourcesVpcConfig) }
	}
	subnets := func(ids ...string) func(*sdk.CreateClusterInput) {
		return vpc(func(v *types.VpcConfigRequest) { v.SubnetIds = ids })
	}
	network := func(n types.KubernetesNetworkConfigRequest) func(*sdk.CreateClusterInput) {
		return func(in *sdk.CreateClusterInput) { in.KubernetesNetworkConfig = &n }
	}
	for name, tc := range map[string]struct {
		change func(*sdk.CreateClusterInput)
		want   string // part of the error; InvalidParameterException where it names no code
	}{
		"a name with a dot":              {func(in *sdk.CreateClusterInput) { in.Name = aws.String("a.b") }, `name: "a.b"`},
		"a name that begins with a dash": {func(in *sdk.CreateClusterInput) { in.Name = aws.String("-a") }, `name: "-a"`},
		"a name of 101 characters":       {func(in *sdk.CreateClusterInput) { in.Name = aws.String(strings.Repeat("a", 101)) }, "1–100"},
		"a role that is a user":          {func(in *sdk.CreateClusterInput) { in.RoleArn = aws.String("arn:aws:iam::000000000000:user/x") }, "roleArn"},
		"a session of a role": {func(in *sdk.CreateClusterInput) {
			in.RoleArn = aws.String("arn:aws:sts::000000000000:assumed-role/x/y")
		}, "roleArn"},
		"a version that is not offered":   {func(in *sdk.CreateClusterInput) { in.Version = aws.String("1.30") }, "1.31 to 1.36"},
		"a version with a patch":          {func(in *sdk.CreateClusterInput) { in.Version = aws.String("1.35.1") }, "1.35.1"},
		"one subnet":                      {subnets("subnet-1"), "two different AZs"},
		"one subnet twice":                {subnets("subnet-1", "subnet-1"), "two different AZs"},
		"two subnets in a zone":           {subnets("subnet-1", "subnet-3"), "two different AZs"},
		"a subnet that is not there":      {subnets("subnet-1", "subnet-4"), "'subnet-4' does not exist"},
		"subnets of two VPCs":             {subnets("subnet-1", "subnet-9"), "same VPC"},
		"no security group":               {vpc(func(v *types.VpcConfigRequest) { v.SecurityGroupIds = []string{"x"} }), "'x' does not exist"},
		"six security groups":             {vpc(func(v *types.VpcConfigRequest) { v.SecurityGroupIds = slices.Repeat([]string{"sg-1"}, 6) }), "6 are more than the 5"},
		"an endpoint that is nowhere":     {vpc(func(v *types.VpcConfigRequest) { v.EndpointPublicAccess = aws.Bool(false) }), "cannot be false"},
		"a CIDR with host bits":           {vpc(func(v *types.VpcConfigRequest) { v.PublicAccessCidrs = []string{"10.0.0.1/8"} }), "10.0.0.1/8"},
		"a public service network":        {network(types.KubernetesNetworkConfigRequest{ServiceIpv4Cidr: aws.String("8.8.0.0/16")}), "8.8.0.0/16"},
		"a service network that is small": {network(types.KubernetesNetworkConfigRequest{ServiceIpv4Cidr: aws.String("10.0.0.0/25")}), "/24 to /12"},
		"an IPv4 network for IPv6":        {network(types.KubernetesNetworkConfigRequest{IpFamily: "ipv6", ServiceIpv4Cidr: aws.String("10.0.0.0/16")}), "ipv6"},
		"an unknown log type": {func(in *sdk.CreateClusterInput) {
			in.Logging = &types.Logging{ClusterLogging: []types.LogSetup{{Types: []types.LogType{"x"}}}}
		}, `"x"`},
		"an unknown mode": {func(in *sdk.CreateClusterInput) {
			in.AccessConfig = &types.CreateAccessConfigRequest{AuthenticationMode: "X"}
		}, "authenticationMode"},
		"encryption of pods": {func(in *sdk.CreateClusterInput) {
			in.EncryptionConfig = []types.EncryptionConfig{{Resources: []string{"pods"}}}
		}, "secrets"},
		"a reserved tag": {func(in *sdk.CreateClusterInput) { in.Tags = map[string]string{"AWS:x": "1"} }, "aws:"},
		"51 tags": {func(in *sdk.CreateClusterInput) {
			in.Tags = map[string]string{}
			for i := range 51 {
				in.Tags[fmt.Sprint(i)] = ""
			}
		}, "51 tags"},
		"Outposts": {func(in *sdk.CreateClusterInput) {
			in.OutpostConfig = &types.OutpostConfigRequest{ControlPlaneInstanceType: aws.String("m5.large"), OutpostArns: []string{"arn"}}
		}, "NotSimulated"},
		"Auto Mode": {func(in *sdk.CreateClusterInput) {
			in.ComputeConfig = &types.ComputeConfigRequest{Enabled: aws.Bool(true)}
		}, "NotSimulated"},
	} {
		t.Run(name, func(t *testing.T) {
			in := creation("blue")
			tc.change(in)
			_, err := l.CreateCluster(t.Context(), in)
			code := "InvalidParameterException"
			if tc.want == "NotSimulated" {
				code = tc.want
			}
			wiretest.Refused(t, err, code, "")
			if err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
	wiretest.Must(l.CreateCluster(t.Context(), creation("blue")))(t)
	_, err := l.CreateCluster(t.Context(), creation("green"))
	wiretest.Refused(t, err, "ResourceLimitExceededException", "")
}

func TestDefaultsOfACluster(t *testing.T) {
	l := newLab(t, func(c *eks.Config) { c.CreateDelay = 0 })
	wiretest.Must(l.CreateCluster(t.Context(), creation("blue")))(t)
	c := l.cluster(t, "blue")
	got := map[string]any{
		"version": *c.Version, "mode": c.AccessConfig.AuthenticationMode, "public": c.ResourcesVpcConfig.EndpointPublicAccess,
		"private": c.ResourcesVpcConfig.EndpointPrivateAccess, "cidrs": strings.Join(c.ResourcesVpcConfig.PublicAccessCidrs, " "),
		"services": *c.KubernetesNetworkConfig.ServiceIpv4Cidr, "protected": *c.DeletionProtection, "issues": len(c.Health.Issues),
		"status": c.Status,
	}
	want := map[string]any{
		"version": "1.36", "mode": types.AuthenticationModeConfigMap, "public": true,
		"private": false, "cidrs": "0.0.0.0/0", "services": "10.100.0.0/16", "protected": false, "issues": 0,
		"status": types.ClusterStatusActive,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestAClusterIsNotDeletedWhile(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	name := aws.String("blue")
	remove := func() error {
		_, err := l.DeleteCluster(ctx, &sdk.DeleteClusterInput{Name: name})
		return err //nolint:wrapcheck // it is looked at
	}
	in := creation("blue")
	in.DeletionProtection = aws.Bool(true)
	wiretest.Must(l.CreateCluster(ctx, in))(t)
	wiretest.Refused(t, remove(), "ResourceInUseException", "") // it is being created
	l.clock.Add(time.Hour)
	wiretest.Refused(t, remove(), "InvalidRequestException", "") // it is protected
	wiretest.Must(l.UpdateClusterConfig(ctx, &sdk.UpdateClusterConfigInput{Name: name, DeletionProtection: aws.Bool(false)}))(t)
	wiretest.Refused(t, remove(), "ResourceInUseException", "") // it is being updated
	l.clock.Add(time.Hour)
	wiretest.Must(l.CreateNodegroup(ctx, group("blue", "a")))(t)
	wiretest.Refused(t, remove(), "ResourceInUseException", "") // it has a node group
	l.clock.Add(time.Hour)
	wiretest.Must(l.DeleteNodegroup(ctx, &sdk.DeleteNodegroupInput{ClusterName: name, NodegroupName: aws.String("a")}))(t)
	wiretest.Refused(t, remove(), "ResourceInUseException", "") // that is being deleted
	l.clock.Add(time.Hour)
	if err := remove(); err != nil {
		t.Error(err)
	}
	if err := remove(); err != nil {
		t.Errorf("deleting again: %v", err)
	}
}

func TestClustersArePagedAtEverySize(t *testing.T) {
	const n = 101
	l := newLab(t)
	var want []string
	for i := range n {
		name := fmt.Sprintf("c%03d", i)
		l.add(t, name)
		want = append(want, name)
	}
	for size := range int32(100) {
		var got []string
		pages := 0
		for p := sdk.NewListClustersPaginator(l, &sdk.ListClustersInput{MaxResults: aws.Int32(size + 1)}); p.HasMorePages(); pages++ {
			out := wiretest.Must(p.NextPage(t.Context()))(t)
			got = append(got, out.Clusters...)
		}
		if wantPages := (n + int(size)) / int(size+1); !slices.Equal(got, want) || pages != wantPages {
			t.Errorf("maxResults %d: %d clusters on %d pages, want %d on %d", size+1, len(got), pages, n, wantPages)
		}
	}
	for _, size := range []int32{0, -1, 101} {
		_, err := l.ListClusters(t.Context(), &sdk.ListClustersInput{MaxResults: aws.Int32(size)})
		wiretest.Refused(t, err, "InvalidParameterException", "")
	}
	for _, token := range []string{"x", "MSBh!", "LTEgYQ"} {
		_, err := l.ListClusters(t.Context(), &sdk.ListClustersInput{NextToken: aws.String(token)})
		wiretest.Refused(t, err, "InvalidParameterException", "")
	}
	_, err := l.ListClusters(t.Context(), &sdk.ListClustersInput{Include: []string{"some"}})
	wiretest.Refused(t, err, "InvalidParameterException", "")
	out := wiretest.Must(l.ListClusters(t.Context(), &sdk.ListClustersInput{Include: []string{"all"}}))(t)
	if len(out.Clusters) != 100 || out.NextToken == nil {
		t.Errorf("the default page has %d clusters", len(out.Clusters))
	}
}

func TestAPageGoesOnWhereTheLastOneEndedEvenIfClustersComeAndGo(t *testing.T) {
	l := newLab(t, func(c *eks.Config) { c.DeleteDelay = 0; c.MaxPageSize = 2 })
	for _, name := range []string{"b", "c", "d", "e"} {
		l.add(t, name)
	}
	first := wiretest.Must(l.ListClusters(t.Context(), &sdk.ListClustersInput{}))(t)
	l.add(t, "a")
	wiretest.Must(l.DeleteCluster(t.Context(), &sdk.DeleteClusterInput{Name: aws.String("b")}))(t)
	rest := wiretest.Must(l.ListClusters(t.Context(), &sdk.ListClustersInput{NextToken: first.NextToken}))(t)
	if !slices.Equal(first.Clusters, []string{"b", "c"}) || !slices.Equal(rest.Clusters, []string{"d", "e"}) {
		t.Errorf("pages %v and %v", first.Clusters, rest.Clusters)
	}
}

func TestClustersOfTheSameNameInOtherAccountsAndRegionsDoNotMeet(t *testing.T) {
	l := newLab(t, func(c *eks.Config) { c.CreateDelay, c.DeleteDelay = 0, 0 })
	ctx := t.Context()
	clients := map[string]*sdk.Client{
		"arn:aws:eks:us-east-1:000000000000:cluster/blue":     l.client("us-east-1", "AKIDEXAMPLE"),
		"arn:aws:eks:eu-west-1:000000000000:cluster/blue":     l.client("eu-west-1", "AKIDEXAMPLE"),
		"arn:aws:eks:us-east-1:111111111111:cluster/blue":     l.client("us-east-1", "AKIDOTHER"),
		"arn:aws-cn:eks:cn-north-1:111111111111:cluster/blue": l.client("cn-north-1", "AKIDOTHER"),
	}
	endpoints := map[string]bool{}
	for arn, c := range clients {
		in := creation("blue")
		in.Tags = map[string]string{"arn": arn}
		if got := *wiretest.Must(c.CreateCluster(ctx, in))(t).Cluster.Arn; got != arn {
			t.Errorf("the ARN is %s, want %s", got, arn)
		}
	}
	for arn, c := range clients {
		got := wiretest.Must(c.DescribeCluster(ctx, &sdk.DescribeClusterInput{Name: aws.String("blue")}))(t).Cluster
		if got.Tags["arn"] != arn {
			t.Errorf("%s has the tags of %s", arn, got.Tags["arn"])
		}
		endpoints[*got.Endpoint] = true
		_, err := c.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: aws.String(strings.Replace(arn, "-1:", "-9:", 1)), Tags: map[string]string{"a": "b"}})
		wiretest.Refused(t, err, "NotFoundException", "")
	}
	if len(endpoints) != len(clients) {
		t.Errorf("the endpoints are %v", endpoints)
	}
	cn := clients["arn:aws-cn:eks:cn-north-1:111111111111:cluster/blue"]
	wiretest.Must(cn.DeleteCluster(ctx, &sdk.DeleteClusterInput{Name: aws.String("blue")}))(t)
	for arn, c := range clients {
		want := 1
		if c == cn {
			want = 0
		}
		if got := wiretest.Must(c.ListClusters(ctx, &sdk.ListClustersInput{}))(t).Clusters; len(got) != want {
			t.Errorf("%s: %v are left, want %d", arn, got, want)
		}
	}
}
