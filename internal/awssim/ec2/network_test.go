package ec2_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/norikae/norikae/internal/awssim/ec2"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

// The life of a cluster's network, from the VPC to the last rule and back.
func TestTheSDKDrivesEveryOperation(t *testing.T) {
	now := newClock()
	c := start(t, ec2.Config{Now: now.Now, Delay: time.Minute})
	n := newNetwork(c)
	n.subnets()
	n.gateways(now)
	n.routes()
	n.groups()
	n.instances(now)
	n.templates()
	n.tags()
	n.catalog()
	n.end(now)
	c.wantDriven()
	if left := c.svc.Resources(account, region); len(left) != 0 {
		t.Errorf("left over: %+v", left)
	}
}

// network is what the story goes on with.
type network struct {
	*cloud
	vpc, public, private, igw, nat, eip, table, group *string
	instance                                          string
}

func newNetwork(c *cloud) *network {
	c.Helper()
	n := &network{cloud: c}
	v := wiretest.Must(c.CreateVpc(c.Context(), &awsec2.CreateVpcInput{
		CidrBlock: aws.String("10.0.3.4/16"), TagSpecifications: tagged(types.ResourceTypeVpc, "Name", "lab"),
	}))(c).Vpc
	n.vpc = v.VpcId
	if *v.CidrBlock != "10.0.0.0/16" || v.State != types.VpcStateAvailable || *v.IsDefault || *v.Tags[0].Value != "lab" || len(*v.VpcId) != len("vpc-")+17 {
		c.Errorf("vpc %+v", v)
	}
	wiretest.Must(c.ModifyVpcAttribute(c.Context(), &awsec2.ModifyVpcAttributeInput{VpcId: n.vpc, EnableDnsHostnames: &types.AttributeBooleanValue{Value: aws.Bool(true)}}))(c)
	for name, want := range map[types.VpcAttributeName]bool{types.VpcAttributeNameEnableDnsHostnames: true, types.VpcAttributeNameEnableDnsSupport: true} {
		a := wiretest.Must(c.DescribeVpcAttribute(c.Context(), &awsec2.DescribeVpcAttributeInput{VpcId: n.vpc, Attribute: name}))(c)
		for _, v := range []*types.AttributeBooleanValue{a.EnableDnsHostnames, a.EnableDnsSupport} {
			if v != nil && *v.Value != want {
				c.Errorf("%s is %v", name, *v.Value)
			}
		}
	}
	// What comes with a VPC: a main route table, a network ACL and a security group.
	acls := wiretest.Must(c.DescribeNetworkAcls(c.Context(), &awsec2.DescribeNetworkAclsInput{Filters: []types.Filter{filter("vpc-id", *n.vpc), filter("default", "true")}}))(c)
	tables := wiretest.Must(c.DescribeRouteTables(c.Context(), &awsec2.DescribeRouteTablesInput{Filters: []types.Filter{filter("vpc-id", *n.vpc), filter("association.main", "true")}}))(c)
	groups := wiretest.Must(c.DescribeSecurityGroups(c.Context(), &awsec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filter("vpc-id", *n.vpc), filter("group-name", "default")}}))(c)
	if len(acls.NetworkAcls) != 1 || len(tables.RouteTables) != 1 || len(groups.SecurityGroups) != 1 {
		c.Errorf("%d network ACLs, %d route tables, %d groups", len(acls.NetworkAcls), len(tables.RouteTables), len(groups.SecurityGroups))
	}
	if r := tables.RouteTables[0].Routes; len(r) != 1 || *r[0].GatewayId != "local" || *r[0].DestinationCidrBlock != "10.0.0.0/16" {
		c.Errorf("routes %+v", r)
	}
	return n
}

func (n *network) subnets() {
	n.Helper()
	make := func(cidr, zone string) *string {
		s := wiretest.Must(n.CreateSubnet(n.Context(), &awsec2.CreateSubnetInput{
			VpcId: n.vpc, CidrBlock: &cidr, AvailabilityZone: &zone, TagSpecifications: tagged(types.ResourceTypeSubnet, "kubernetes.io/role/elb", "1"),
		}))(n).Subnet
		if *s.AvailabilityZone != zone || *s.AvailableIpAddressCount != 251 || s.State != types.SubnetStateAvailable {
			n.Errorf("subnet %+v", s)
		}
		return s.SubnetId
	}
	n.public, n.private = make("10.0.0.0/24", region+"a"), make("10.0.1.0/24", region+"b")
	wiretest.Must(n.ModifySubnetAttribute(n.Context(), &awsec2.ModifySubnetAttributeInput{SubnetId: n.public, MapPublicIpOnLaunch: &types.AttributeBooleanValue{Value: aws.Bool(true)}}))(n)
	for name, tc := range map[string]struct {
		filters []types.Filter
		want    int
	}{
		"all of the VPC":         {[]types.Filter{filter("vpc-id", *n.vpc)}, 2},
		"one zone":               {[]types.Filter{filter("availability-zone", region+"b")}, 1},
		"two zones":              {[]types.Filter{filter("availability-zone", region+"a", region+"b")}, 2},
		"public ones":            {[]types.Filter{filter("map-public-ip-on-launch", "true")}, 1},
		"a tag":                  {[]types.Filter{filter("tag:kubernetes.io/role/elb", "1")}, 2},
		"another value of a tag": {[]types.Filter{filter("tag:kubernetes.io/role/elb", "2")}, 0},
		"a tag's key":            {[]types.Filter{filter("tag-key", "kubernetes.io/*")}, 2},
		"filters are joined":     {[]types.Filter{filter("vpc-id", *n.vpc), filter("state", "pending")}, 0},
		"a wildcard":             {[]types.Filter{filter("cidr-block", "10.0.?.0/24")}, 2},
	} {
		out := wiretest.Must(n.DescribeSubnets(n.Context(), &awsec2.DescribeSubnetsInput{Filters: tc.filters}))(n)
		if len(out.Subnets) != tc.want {
			n.Errorf("%s: %d subnets, want %d", name, len(out.Subnets), tc.want)
		}
	}
	if vpc, az, ok := n.svc.Subnet(account, region, *n.private); !ok || vpc != *n.vpc || az != region+"b" {
		n.Errorf("the subnet is in %s %s %v", vpc, az, ok)
	}
}

func (n *network) gateways(now *wiretest.Clock) {
	n.Helper()
	n.igw = wiretest.Must(n.CreateInternetGateway(n.Context(), nil))(n).InternetGateway.InternetGatewayId
	n.eip = wiretest.Must(n.AllocateAddress(n.Context(), &awsec2.AllocateAddressInput{Domain: types.DomainTypeVpc}))(n).AllocationId
	_, err := n.CreateNatGateway(n.Context(), &awsec2.CreateNatGatewayInput{SubnetId: n.public, AllocationId: n.eip})
	n.wantCode(err, "Gateway.NotAttached", "no Internet gateway attached")
	wiretest.Must(n.AttachInternetGateway(n.Context(), &awsec2.AttachInternetGatewayInput{InternetGatewayId: n.igw, VpcId: n.vpc}))(n)
	_, err = n.AttachInternetGateway(n.Context(), &awsec2.AttachInternetGatewayInput{InternetGatewayId: n.igw, VpcId: n.vpc})
	n.wantCode(err, "Resource.AlreadyAssociated", "already attached")
	g := wiretest.Must(n.DescribeInternetGateways(n.Context(), &awsec2.DescribeInternetGatewaysInput{Filters: []types.Filter{filter("attachment.vpc-id", *n.vpc)}}))(n)
	if len(g.InternetGateways) != 1 || g.InternetGateways[0].Attachments[0].State != "available" {
		n.Errorf("gateways %+v", g.InternetGateways)
	}
	nat := wiretest.Must(n.CreateNatGateway(n.Context(), &awsec2.CreateNatGatewayInput{SubnetId: n.public, AllocationId: n.eip}))(n).NatGateway
	n.nat = nat.NatGatewayId
	if nat.State != types.NatGatewayStatePending || *nat.NatGatewayAddresses[0].PrivateIp != "10.0.0.4" {
		n.Errorf("nat gateway %+v", nat)
	}
	state := func() types.NatGatewayState {
		out := wiretest.Must(n.DescribeNatGateways(n.Context(), &awsec2.DescribeNatGatewaysInput{NatGatewayIds: []string{*n.nat}}))(n)
		return out.NatGateways[0].State
	}
	if s := state(); s != types.NatGatewayStatePending {
		n.Errorf("at once: %s", s)
	}
	now.Add(time.Minute)
	if s := state(); s != types.NatGatewayStateAvailable {
		n.Errorf("a minute later: %s", s)
	}
	a := wiretest.Must(n.DescribeAddresses(n.Context(), nil))(n).Addresses
	if len(a) != 1 || a[0].AssociationId == nil || *a[0].PrivateIpAddress != "10.0.0.4" {
		n.Errorf("addresses %+v", a)
	}
	_, err = n.ReleaseAddress(n.Context(), &awsec2.ReleaseAddressInput{AllocationId: n.eip})
	n.wantCode(err, "InvalidIPAddress.InUse", "")
	_, err = n.DetachInternetGateway(n.Context(), &awsec2.DetachInternetGatewayInput{InternetGatewayId: n.igw, VpcId: n.vpc})
	n.wantCode(err, "DependencyViolation", "mapped public address")
	_, err = n.DeleteInternetGateway(n.Context(), &awsec2.DeleteInternetGatewayInput{InternetGatewayId: n.igw})
	n.wantCode(err, "DependencyViolation", "internetGateway")
}

func (n *network) routes() {
	n.Helper()
	n.table = wiretest.Must(n.CreateRouteTable(n.Context(), &awsec2.CreateRouteTableInput{VpcId: n.vpc}))(n).RouteTable.RouteTableId
	everywhere := aws.String("0.0.0.0/0")
	wiretest.Must(n.CreateRoute(n.Context(), &awsec2.CreateRouteInput{RouteTableId: n.table, DestinationCidrBlock: everywhere, GatewayId: n.igw}))(n)
	_, err := n.CreateRoute(n.Context(), &awsec2.CreateRouteInput{RouteTableId: n.table, DestinationCidrBlock: everywhere, NatGatewayId: n.nat})
	n.wantCode(err, "RouteAlreadyExists", "0.0.0.0/0")
	wiretest.Must(n.ReplaceRoute(n.Context(), &awsec2.ReplaceRouteInput{RouteTableId: n.table, DestinationCidrBlock: everywhere, NatGatewayId: n.nat}))(n)
	link := wiretest.Must(n.AssociateRouteTable(n.Context(), &awsec2.AssociateRouteTableInput{RouteTableId: n.table, SubnetId: n.private}))(n).AssociationId
	out := wiretest.Must(n.DescribeRouteTables(n.Context(), &awsec2.DescribeRouteTablesInput{Filters: []types.Filter{filter("association.subnet-id", *n.private)}}))(n)
	if len(out.RouteTables) != 1 || len(out.RouteTables[0].Routes) != 2 || *out.RouteTables[0].Routes[1].NatGatewayId != *n.nat {
		n.Errorf("tables %+v", out.RouteTables)
	}
	other := wiretest.Must(n.CreateRouteTable(n.Context(), &awsec2.CreateRouteTableInput{VpcId: n.vpc}))(n).RouteTable.RouteTableId
	_, err = n.AssociateRouteTable(n.Context(), &awsec2.AssociateRouteTableInput{RouteTableId: other, SubnetId: n.private})
	n.wantCode(err, "Resource.AlreadyAssociated", "conflicts")
	link = wiretest.Must(n.ReplaceRouteTableAssociation(n.Context(), &awsec2.ReplaceRouteTableAssociationInput{AssociationId: link, RouteTableId: other}))(n).NewAssociationId
	_, err = n.DeleteRouteTable(n.Context(), &awsec2.DeleteRouteTableInput{RouteTableId: other})
	n.wantCode(err, "DependencyViolation", "routeTable")
	wiretest.Must(n.DisassociateRouteTable(n.Context(), &awsec2.DisassociateRouteTableInput{AssociationId: link}))(n)
	wiretest.Must(n.DeleteRouteTable(n.Context(), &awsec2.DeleteRouteTableInput{RouteTableId: other}))(n)
	wiretest.Must(n.DeleteRoute(n.Context(), &awsec2.DeleteRouteInput{RouteTableId: n.table, DestinationCidrBlock: everywhere}))(n)
	_, err = n.DeleteRoute(n.Context(), &awsec2.DeleteRouteInput{RouteTableId: n.table, DestinationCidrBlock: everywhere})
	n.wantCode(err, "InvalidRoute.NotFound", "0.0.0.0/0")
}

func (n *network) groups() {
	n.Helper()
	g := wiretest.Must(n.CreateSecurityGroup(n.Context(), &awsec2.CreateSecurityGroupInput{
		GroupName: aws.String("nodes"), Description: aws.String("of nodes"), VpcId: n.vpc, TagSpecifications: tagged(types.ResourceTypeSecurityGroup, "a", "b"),
	}))(n)
	n.group = g.GroupId
	https := types.IpPermission{
		IpProtocol: aws.String("tcp"), FromPort: aws.Int32(443), ToPort: aws.Int32(443),
		IpRanges:         []types.IpRange{{CidrIp: aws.String("10.0.0.0/8"), Description: aws.String("inside")}, {CidrIp: aws.String("192.168.0.0/16")}},
		UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: n.group}},
		Ipv6Ranges:       []types.Ipv6Range{{CidrIpv6: aws.String("fd00::/8")}},
	}
	made := wiretest.Must(n.AuthorizeSecurityGroupIngress(n.Context(), &awsec2.AuthorizeSecurityGroupIngressInput{GroupId: n.group, IpPermissions: []types.IpPermission{https}}))(n)
	if len(made.SecurityGroupRules) != 4 {
		n.Errorf("rules %+v", made.SecurityGroupRules)
	}
	_, err := n.AuthorizeSecurityGroupIngress(n.Context(), &awsec2.AuthorizeSecurityGroupIngressInput{GroupId: n.group, IpProtocol: aws.String("tcp"), FromPort: aws.Int32(443), ToPort: aws.Int32(443), CidrIp: aws.String("10.0.0.0/8")})
	n.wantCode(err, "InvalidPermission.Duplicate", "peer: 10.0.0.0/8, TCP, from port: 443, to port: 443, ALLOW")
	all := types.IpPermission{IpProtocol: aws.String("-1"), IpRanges: []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}
	wiretest.Must(n.RevokeSecurityGroupEgress(n.Context(), &awsec2.RevokeSecurityGroupEgressInput{GroupId: n.group, IpPermissions: []types.IpPermission{all}}))(n)
	_, err = n.RevokeSecurityGroupEgress(n.Context(), &awsec2.RevokeSecurityGroupEgressInput{GroupId: n.group, IpPermissions: []types.IpPermission{all}})
	n.wantCode(err, "InvalidPermission.NotFound", "does not exist")
	wiretest.Must(n.AuthorizeSecurityGroupEgress(n.Context(), &awsec2.AuthorizeSecurityGroupEgressInput{GroupId: n.group, IpPermissions: []types.IpPermission{all}}))(n)
	wiretest.Must(n.RevokeSecurityGroupIngress(n.Context(), &awsec2.RevokeSecurityGroupIngressInput{GroupId: n.group, SecurityGroupRuleIds: []string{*made.SecurityGroupRules[1].SecurityGroupRuleId}}))(n)
	got := wiretest.Must(n.DescribeSecurityGroups(n.Context(), &awsec2.DescribeSecurityGroupsInput{GroupIds: []string{*n.group}}))(n).SecurityGroups[0]
	p := got.IpPermissions
	if len(p) != 1 || *p[0].FromPort != 443 || len(p[0].IpRanges) != 1 || *p[0].IpRanges[0].Description != "inside" || *p[0].UserIdGroupPairs[0].GroupId != *n.group ||
		*p[0].Ipv6Ranges[0].CidrIpv6 != "fd00::/8" || len(got.IpPermissionsEgress) != 1 || got.IpPermissionsEgress[0].FromPort != nil {
		n.Errorf("group %+v %+v", p, got.IpPermissionsEgress)
	}
	rules := wiretest.Must(n.DescribeSecurityGroupRules(n.Context(), &awsec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{filter("group-id", *n.group)}}))(n).SecurityGroupRules
	egress := 0
	for _, r := range rules {
		if *r.IsEgress {
			egress++
		}
	}
	if len(rules) != 4 || egress != 1 {
		n.Errorf("%d rules, %d of them egress", len(rules), egress)
	}
}

func (n *network) instances(now *wiretest.Clock) {
	n.Helper()
	image := wiretest.Must(n.DescribeImages(n.Context(), &awsec2.DescribeImagesInput{
		Owners: []string{"amazon"}, Filters: []types.Filter{filter("name", "amazon-eks-node-*1.34*"), filter("architecture", "arm64")},
	}))(n).Images
	if len(image) != 1 {
		n.Fatalf("images %+v", image)
	}
	run := wiretest.Must(n.RunInstances(n.Context(), &awsec2.RunInstancesInput{
		ImageId: image[0].ImageId, InstanceType: types.InstanceTypeM7gLarge, MinCount: aws.Int32(2), MaxCount: aws.Int32(2), SubnetId: n.public,
		SecurityGroupIds: []string{*n.group}, TagSpecifications: tagged(types.ResourceTypeInstance, "Name", "node"),
	}))(n)
	if len(run.Instances) != 2 || run.Instances[0].State.Name != types.InstanceStateNamePending || *run.Instances[1].PrivateIpAddress != "10.0.0.6" ||
		run.Instances[0].PublicIpAddress == nil || run.Instances[0].Architecture != types.ArchitectureValuesArm64 {
		n.Errorf("started %+v", run.Instances)
	}
	n.instance = *run.Instances[0].InstanceId
	_, err := n.DeleteSecurityGroup(n.Context(), &awsec2.DeleteSecurityGroupInput{GroupId: n.group})
	n.wantCode(err, "DependencyViolation", "dependent object")
	_, err = n.DeleteSubnet(n.Context(), &awsec2.DeleteSubnetInput{SubnetId: n.public})
	n.wantCode(err, "DependencyViolation", "The subnet '"+*n.public+"' has dependencies")
	now.Add(time.Minute)
	out := wiretest.Must(n.DescribeInstances(n.Context(), &awsec2.DescribeInstancesInput{Filters: []types.Filter{filter("instance-state-name", "running"), filter("vpc-id", *n.vpc), filter("instance.group-id", *n.group)}}))(n)
	if len(out.Reservations) != 1 || len(out.Reservations[0].Instances) != 2 {
		n.Errorf("running %+v", out.Reservations)
	}
	enis := wiretest.Must(n.DescribeNetworkInterfaces(n.Context(), &awsec2.DescribeNetworkInterfacesInput{Filters: []types.Filter{filter("attachment.instance-id", n.instance)}}))(n)
	if len(enis.NetworkInterfaces) != 1 || *enis.NetworkInterfaces[0].Groups[0].GroupId != *n.group {
		n.Errorf("network interfaces %+v", enis.NetworkInterfaces)
	}
	end := wiretest.Must(n.TerminateInstances(n.Context(), &awsec2.TerminateInstancesInput{InstanceIds: []string{n.instance, *run.Instances[1].InstanceId}}))(n)
	if s := end.TerminatingInstances[0]; s.PreviousState.Name != types.InstanceStateNameRunning || s.CurrentState.Name != types.InstanceStateNameShuttingDown {
		n.Errorf("ending %+v", s)
	}
	now.Add(time.Minute)
	out = wiretest.Must(n.DescribeInstances(n.Context(), &awsec2.DescribeInstancesInput{InstanceIds: []string{n.instance}}))(n)
	if s := out.Reservations[0].Instances[0].State; s.Name != types.InstanceStateNameTerminated || *s.Code != 48 {
		n.Errorf("ended %+v", s)
	}
}

func (n *network) templates() {
	n.Helper()
	name := aws.String("nodes")
	t := wiretest.Must(n.CreateLaunchTemplate(n.Context(), &awsec2.CreateLaunchTemplateInput{
		LaunchTemplateName: name, LaunchTemplateData: &types.RequestLaunchTemplateData{
			InstanceType: types.InstanceTypeM5Large, SecurityGroupIds: []string{*n.group}, UserData: aws.String("IyE="),
			MetadataOptions:     &types.LaunchTemplateInstanceMetadataOptionsRequest{HttpTokens: types.LaunchTemplateHttpTokensStateRequired, HttpPutResponseHopLimit: aws.Int32(2)},
			BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMappingRequest{{DeviceName: aws.String("/dev/xvda"), Ebs: &types.LaunchTemplateEbsBlockDeviceRequest{VolumeSize: aws.Int32(80), Encrypted: aws.Bool(true)}}},
			TagSpecifications:   []types.LaunchTemplateTagSpecificationRequest{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}},
		},
	}))(n).LaunchTemplate
	wiretest.Must(n.CreateLaunchTemplateVersion(n.Context(), &awsec2.CreateLaunchTemplateVersionInput{
		LaunchTemplateId: t.LaunchTemplateId, SourceVersion: aws.String("1"), LaunchTemplateData: &types.RequestLaunchTemplateData{ImageId: aws.String("ami-0000000000000a001")},
	}))(n)
	v := wiretest.Must(n.DescribeLaunchTemplateVersions(n.Context(), &awsec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateName: name, Versions: []string{"$Latest"}}))(n).LaunchTemplateVersions
	d := v[0].LaunchTemplateData
	if *v[0].VersionNumber != 2 || *v[0].DefaultVersion || *d.ImageId != "ami-0000000000000a001" || d.InstanceType != types.InstanceTypeM5Large || d.SecurityGroupIds[0] != *n.group ||
		*d.BlockDeviceMappings[0].Ebs.VolumeSize != 80 || !*d.BlockDeviceMappings[0].Ebs.Encrypted || *d.TagSpecifications[0].Tags[0].Value != "v" ||
		d.MetadataOptions.HttpTokens != types.LaunchTemplateHttpTokensStateRequired || *d.MetadataOptions.HttpPutResponseHopLimit != 2 {
		n.Errorf("version %+v of %+v", v[0], d)
	}
	_, err := n.DeleteLaunchTemplateVersions(n.Context(), &awsec2.DeleteLaunchTemplateVersionsInput{LaunchTemplateName: name, Versions: []string{"1"}})
	n.wantCode(err, "InvalidParameterValue", "default version")
	wiretest.Must(n.ModifyLaunchTemplate(n.Context(), &awsec2.ModifyLaunchTemplateInput{LaunchTemplateName: name, DefaultVersion: aws.String("2")}))(n)
	del := wiretest.Must(n.DeleteLaunchTemplateVersions(n.Context(), &awsec2.DeleteLaunchTemplateVersionsInput{LaunchTemplateName: name, Versions: []string{"1", "7"}}))(n)
	if len(del.SuccessfullyDeletedLaunchTemplateVersions) != 1 || len(del.UnsuccessfullyDeletedLaunchTemplateVersions) != 1 {
		n.Errorf("deleted %+v", del)
	}
	run := wiretest.Must(n.RunInstances(n.Context(), &awsec2.RunInstancesInput{
		LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateName: name}, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: n.private,
	}))(n).Instances[0]
	if run.InstanceType != types.InstanceTypeM5Large || run.PublicIpAddress != nil || *run.SecurityGroups[0].GroupId != *n.group {
		n.Errorf("by template %+v", run)
	}
	wiretest.Must(n.TerminateInstances(n.Context(), &awsec2.TerminateInstancesInput{InstanceIds: []string{*run.InstanceId}}))(n)
	l := wiretest.Must(n.DescribeLaunchTemplates(n.Context(), &awsec2.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{"nodes"}}))(n).LaunchTemplates
	if len(l) != 1 || *l[0].DefaultVersionNumber != 2 || *l[0].LatestVersionNumber != 2 {
		n.Errorf("templates %+v", l)
	}
	wiretest.Must(n.DeleteLaunchTemplate(n.Context(), &awsec2.DeleteLaunchTemplateInput{LaunchTemplateId: t.LaunchTemplateId}))(n)
}

func (n *network) tags() {
	n.Helper()
	wiretest.Must(n.CreateTags(n.Context(), &awsec2.CreateTagsInput{Resources: []string{*n.vpc, *n.group}, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("web")}, {Key: aws.String("x"), Value: aws.String("")}}}))(n)
	wiretest.Must(n.DeleteTags(n.Context(), &awsec2.DeleteTagsInput{Resources: []string{*n.vpc}, Tags: []types.Tag{{Key: aws.String("x")}, {Key: aws.String("team"), Value: aws.String("db")}}}))(n)
	count := func(filters ...types.Filter) int {
		return len(wiretest.Must(n.DescribeTags(n.Context(), &awsec2.DescribeTagsInput{Filters: filters}))(n).Tags)
	}
	if got := count(filter("key", "team")); got != 2 {
		n.Errorf("%d tags of the key", got)
	}
	if got := count(filter("resource-id", *n.vpc), filter("resource-type", "vpc")); got != 2 {
		n.Errorf("%d tags of the VPC", got)
	}
	if v := wiretest.Must(n.DescribeVpcs(n.Context(), &awsec2.DescribeVpcsInput{Filters: []types.Filter{filter("tag:team", "web")}}))(n).Vpcs; len(v) != 1 {
		n.Errorf("VPCs %+v", v)
	}
	for _, r := range n.svc.Resources(account, region) {
		if strings.HasSuffix(r.ARN, ":vpc/"+*n.vpc) && r.Tags["team"] != "web" {
			n.Errorf("%+v", r)
		}
	}
}

func (n *network) catalog() {
	n.Helper()
	z := wiretest.Must(n.DescribeAvailabilityZones(n.Context(), &awsec2.DescribeAvailabilityZonesInput{Filters: []types.Filter{filter("state", "available")}}))(n).AvailabilityZones
	if len(z) != 3 || *z[1].ZoneName != "eu-west-1b" || *z[1].ZoneId != "euw1-az2" {
		n.Errorf("zones %+v", z)
	}
	if r := wiretest.Must(n.DescribeRegions(n.Context(), &awsec2.DescribeRegionsInput{RegionNames: []string{"us-east-1"}}))(n).Regions; len(r) != 1 {
		n.Errorf("regions %+v", r)
	}
	if a := wiretest.Must(n.DescribeAccountAttributes(n.Context(), &awsec2.DescribeAccountAttributesInput{AttributeNames: []types.AccountAttributeName{"default-vpc"}}))(n).AccountAttributes; len(a) != 1 || *a[0].AttributeValues[0].AttributeValue != "none" {
		n.Errorf("attributes %+v", a)
	}
	ty := wiretest.Must(n.DescribeInstanceTypes(n.Context(), &awsec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{types.InstanceTypeM5Large}}))(n).InstanceTypes
	if len(ty) != 1 || *ty[0].VCpuInfo.DefaultVCpus != 2 || *ty[0].MemoryInfo.SizeInMiB != 8192 || ty[0].ProcessorInfo.SupportedArchitectures[0] != types.ArchitectureTypeX8664 {
		n.Errorf("types %+v", ty)
	}
}

func (n *network) end(now *wiretest.Clock) {
	n.Helper()
	now.Add(time.Minute)
	_, err := n.DeleteVpc(n.Context(), &awsec2.DeleteVpcInput{VpcId: n.vpc})
	n.wantCode(err, "DependencyViolation", "The vpc '"+*n.vpc+"' has dependencies and cannot be deleted.")
	wiretest.Must(n.DeleteNatGateway(n.Context(), &awsec2.DeleteNatGatewayInput{NatGatewayId: n.nat}))(n)
	_, err = n.DeleteSubnet(n.Context(), &awsec2.DeleteSubnetInput{SubnetId: n.public})
	n.wantCode(err, "DependencyViolation", "")
	now.Add(time.Minute)
	wiretest.Must(n.ReleaseAddress(n.Context(), &awsec2.ReleaseAddressInput{AllocationId: n.eip}))(n)
	wiretest.Must(n.DetachInternetGateway(n.Context(), &awsec2.DetachInternetGatewayInput{InternetGatewayId: n.igw, VpcId: n.vpc}))(n)
	wiretest.Must(n.DeleteInternetGateway(n.Context(), &awsec2.DeleteInternetGatewayInput{InternetGatewayId: n.igw}))(n)
	for _, id := range []*string{n.public, n.private} {
		wiretest.Must(n.DeleteSubnet(n.Context(), &awsec2.DeleteSubnetInput{SubnetId: id}))(n)
	}
	wiretest.Must(n.DeleteRouteTable(n.Context(), &awsec2.DeleteRouteTableInput{RouteTableId: n.table}))(n)
	wiretest.Must(n.DeleteSecurityGroup(n.Context(), &awsec2.DeleteSecurityGroupInput{GroupId: n.group}))(n)
	wiretest.Must(n.DeleteVpc(n.Context(), &awsec2.DeleteVpcInput{VpcId: n.vpc}))(n)
	now.Add(2 * time.Hour) // what is gone is remembered for one
	if g := wiretest.Must(n.DescribeNatGateways(n.Context(), nil))(n).NatGateways; len(g) != 0 {
		n.Errorf("NAT gateways %+v", g)
	}
}
