package awssim_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// sdkNetwork lives the life of the network around a cluster, and of nodes in it.
func (f fixture) sdkNetwork(t *testing.T) {
	t.Helper()
	c := ec2.NewFromConfig(f.config("us-east-1", nil))
	sdkCatalog(t, c)
	vpc := do(t, c.CreateVpc, &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")}).Vpc.VpcId
	do(t, c.ModifyVpcAttribute, &ec2.ModifyVpcAttributeInput{VpcId: vpc, EnableDnsHostnames: &types.AttributeBooleanValue{Value: aws.Bool(true)}})
	do(t, c.DescribeVpcAttribute, &ec2.DescribeVpcAttributeInput{VpcId: vpc, Attribute: types.VpcAttributeNameEnableDnsHostnames})
	if l := do(t, c.DescribeVpcs, &ec2.DescribeVpcsInput{VpcIds: []string{*vpc}}).Vpcs; len(l) != 1 || *l[0].CidrBlock != "10.0.0.0/16" {
		t.Errorf("VPCs %+v", l)
	}
	do(t, c.DescribeNetworkAcls, &ec2.DescribeNetworkAclsInput{})
	subnet := do(t, c.CreateSubnet, &ec2.CreateSubnetInput{VpcId: vpc, CidrBlock: aws.String("10.0.0.0/24")}).Subnet.SubnetId
	do(t, c.ModifySubnetAttribute, &ec2.ModifySubnetAttributeInput{SubnetId: subnet, MapPublicIpOnLaunch: &types.AttributeBooleanValue{Value: aws.Bool(true)}})
	if l := do(t, c.DescribeSubnets, &ec2.DescribeSubnetsInput{}).Subnets; len(l) != 1 || !*l[0].MapPublicIpOnLaunch {
		t.Errorf("subnets %+v", l)
	}
	do(t, c.CreateTags, &ec2.CreateTagsInput{Resources: []string{*subnet}, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("web")}}})
	if l := do(t, c.DescribeTags, &ec2.DescribeTagsInput{}).Tags; len(l) != 1 || *l[0].ResourceId != *subnet {
		t.Errorf("tags %+v", l)
	}
	do(t, c.DeleteTags, &ec2.DeleteTagsInput{Resources: []string{*subnet}, Tags: []types.Tag{{Key: aws.String("team")}}})
	group := sdkSecurityGroup(t, c, vpc)
	sdkInstances(t, c, subnet, group)
	sdkGateways(t, c, vpc, subnet)
	do(t, c.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupId: group})
	do(t, c.DeleteSubnet, &ec2.DeleteSubnetInput{SubnetId: subnet})
	do(t, c.DeleteVpc, &ec2.DeleteVpcInput{VpcId: vpc})
}

// sdkCatalog reads what AWS itself has.
func sdkCatalog(t *testing.T, c *ec2.Client) {
	t.Helper()
	do(t, c.DescribeAccountAttributes, &ec2.DescribeAccountAttributesInput{})
	do(t, c.DescribeRegions, &ec2.DescribeRegionsInput{})
	if l := do(t, c.DescribeAvailabilityZones, &ec2.DescribeAvailabilityZonesInput{}).AvailabilityZones; len(l) != 3 {
		t.Errorf("zones %+v", l)
	}
	do(t, c.DescribeInstanceTypes, &ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{types.InstanceTypeM5Large}})
}

func sdkSecurityGroup(t *testing.T, c *ec2.Client, vpc *string) *string {
	t.Helper()
	group := do(t, c.CreateSecurityGroup, &ec2.CreateSecurityGroupInput{GroupName: aws.String("nodes"), Description: aws.String("of nodes"), VpcId: vpc}).GroupId
	https := []types.IpPermission{{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(443), ToPort: aws.Int32(443), IpRanges: []types.IpRange{{CidrIp: aws.String("10.0.0.0/8")}}}}
	do(t, c.AuthorizeSecurityGroupIngress, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: group, IpPermissions: https})
	do(t, c.AuthorizeSecurityGroupEgress, &ec2.AuthorizeSecurityGroupEgressInput{GroupId: group, IpPermissions: https})
	if l := do(t, c.DescribeSecurityGroupRules, &ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{{Name: aws.String("group-id"), Values: []string{*group}}}}).SecurityGroupRules; len(l) != 3 {
		t.Errorf("rules %+v", l)
	}
	do(t, c.RevokeSecurityGroupEgress, &ec2.RevokeSecurityGroupEgressInput{GroupId: group, IpPermissions: https})
	do(t, c.RevokeSecurityGroupIngress, &ec2.RevokeSecurityGroupIngressInput{GroupId: group, IpPermissions: https})
	do(t, c.DescribeSecurityGroups, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{*group}})
	return group
}

func sdkInstances(t *testing.T, c *ec2.Client, subnet, group *string) {
	t.Helper()
	image := do(t, c.DescribeImages, &ec2.DescribeImagesInput{Owners: []string{"amazon"}}).Images[0].ImageId
	template := do(t, c.CreateLaunchTemplate, &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.String("nodes"), LaunchTemplateData: &types.RequestLaunchTemplateData{InstanceType: types.InstanceTypeM5Large},
	}).LaunchTemplate.LaunchTemplateId
	do(t, c.CreateLaunchTemplateVersion, &ec2.CreateLaunchTemplateVersionInput{
		LaunchTemplateId: template, SourceVersion: aws.String("1"), LaunchTemplateData: &types.RequestLaunchTemplateData{ImageId: image},
	})
	do(t, c.ModifyLaunchTemplate, &ec2.ModifyLaunchTemplateInput{LaunchTemplateId: template, DefaultVersion: aws.String("2")})
	do(t, c.DescribeLaunchTemplates, &ec2.DescribeLaunchTemplatesInput{})
	if l := do(t, c.DescribeLaunchTemplateVersions, &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: template}).LaunchTemplateVersions; len(l) != 2 {
		t.Errorf("versions %+v", l)
	}
	id := do(t, c.RunInstances, &ec2.RunInstancesInput{
		LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateId: template}, MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
		SubnetId: subnet, SecurityGroupIds: []string{*group},
	}).Instances[0].InstanceId
	if l := do(t, c.DescribeInstances, &ec2.DescribeInstancesInput{InstanceIds: []string{*id}}).Reservations; len(l) != 1 || l[0].Instances[0].InstanceType != types.InstanceTypeM5Large {
		t.Errorf("instances %+v", l)
	}
	do(t, c.DescribeNetworkInterfaces, &ec2.DescribeNetworkInterfacesInput{})
	do(t, c.TerminateInstances, &ec2.TerminateInstancesInput{InstanceIds: []string{*id}})
	do(t, c.DeleteLaunchTemplateVersions, &ec2.DeleteLaunchTemplateVersionsInput{LaunchTemplateId: template, Versions: []string{"1"}})
	do(t, c.DeleteLaunchTemplate, &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: template})
}

func sdkGateways(t *testing.T, c *ec2.Client, vpc, subnet *string) {
	t.Helper()
	everywhere := aws.String("0.0.0.0/0")
	igw := do(t, c.CreateInternetGateway, &ec2.CreateInternetGatewayInput{}).InternetGateway.InternetGatewayId
	do(t, c.AttachInternetGateway, &ec2.AttachInternetGatewayInput{InternetGatewayId: igw, VpcId: vpc})
	do(t, c.DescribeInternetGateways, &ec2.DescribeInternetGatewaysInput{})
	address := do(t, c.AllocateAddress, &ec2.AllocateAddressInput{Domain: types.DomainTypeVpc}).AllocationId
	do(t, c.DescribeAddresses, &ec2.DescribeAddressesInput{})
	nat := do(t, c.CreateNatGateway, &ec2.CreateNatGatewayInput{SubnetId: subnet, AllocationId: address}).NatGateway.NatGatewayId
	if l := do(t, c.DescribeNatGateways, &ec2.DescribeNatGatewaysInput{NatGatewayIds: []string{*nat}}).NatGateways; len(l) != 1 || l[0].State != types.NatGatewayStateAvailable {
		t.Errorf("NAT gateways %+v", l)
	}
	table := do(t, c.CreateRouteTable, &ec2.CreateRouteTableInput{VpcId: vpc}).RouteTable.RouteTableId
	do(t, c.CreateRoute, &ec2.CreateRouteInput{RouteTableId: table, DestinationCidrBlock: everywhere, GatewayId: igw})
	do(t, c.ReplaceRoute, &ec2.ReplaceRouteInput{RouteTableId: table, DestinationCidrBlock: everywhere, NatGatewayId: nat})
	link := do(t, c.AssociateRouteTable, &ec2.AssociateRouteTableInput{RouteTableId: table, SubnetId: subnet}).AssociationId
	if l := do(t, c.DescribeRouteTables, &ec2.DescribeRouteTablesInput{RouteTableIds: []string{*table}}).RouteTables; len(l) != 1 || len(l[0].Routes) != 2 {
		t.Errorf("route tables %+v", l)
	}
	other := do(t, c.CreateRouteTable, &ec2.CreateRouteTableInput{VpcId: vpc}).RouteTable.RouteTableId
	link = do(t, c.ReplaceRouteTableAssociation, &ec2.ReplaceRouteTableAssociationInput{AssociationId: link, RouteTableId: other}).NewAssociationId
	do(t, c.DisassociateRouteTable, &ec2.DisassociateRouteTableInput{AssociationId: link})
	do(t, c.DeleteRoute, &ec2.DeleteRouteInput{RouteTableId: table, DestinationCidrBlock: everywhere})
	do(t, c.DeleteRouteTable, &ec2.DeleteRouteTableInput{RouteTableId: table})
	do(t, c.DeleteRouteTable, &ec2.DeleteRouteTableInput{RouteTableId: other})
	do(t, c.DeleteNatGateway, &ec2.DeleteNatGatewayInput{NatGatewayId: nat})
	do(t, c.ReleaseAddress, &ec2.ReleaseAddressInput{AllocationId: address})
	do(t, c.DetachInternetGateway, &ec2.DetachInternetGatewayInput{InternetGatewayId: igw, VpcId: vpc})
	do(t, c.DeleteInternetGateway, &ec2.DeleteInternetGatewayInput{InternetGatewayId: igw})
}

// network is the same by the AWS CLI.
func (s shell) network() {
	s.Helper()
	cmd := of("ec2")
	s.run("AccountAttributes.0.AttributeName", cmd("describe-account-attributes")...)
	s.run("Regions.0.RegionName", cmd("describe-regions")...)
	s.run("AvailabilityZones.2.ZoneName", cmd("describe-availability-zones")...)
	s.run("InstanceTypes.0.InstanceType", cmd("describe-instance-types", "--instance-types", "m5.large")...)
	vpc := s.run("Vpc.VpcId", cmd("create-vpc", "--cidr-block", "10.0.0.0/16")...)
	s.run("", cmd("modify-vpc-attribute", "--vpc-id", vpc, "--enable-dns-hostnames")...)
	s.want("true", "EnableDnsHostnames.Value", cmd("describe-vpc-attribute", "--vpc-id", vpc, "--attribute", "enableDnsHostnames")...)
	s.want(vpc, "Vpcs.0.VpcId", cmd("describe-vpcs")...)
	s.want("true", "NetworkAcls.0.IsDefault", cmd("describe-network-acls")...)
	subnet := s.run("Subnet.SubnetId", cmd("create-subnet", "--vpc-id", vpc, "--cidr-block", "10.0.0.0/24")...)
	s.run("", cmd("modify-subnet-attribute", "--subnet-id", subnet, "--map-public-ip-on-launch")...)
	s.want("true", "Subnets.0.MapPublicIpOnLaunch", cmd("describe-subnets")...)
	s.run("", cmd("create-tags", "--resources", subnet, "--tags", "Key=team,Value=web")...)
	s.want(subnet, "Tags.0.ResourceId", cmd("describe-tags")...)
	s.run("", cmd("delete-tags", "--resources", subnet, "--tags", "Key=team")...)
	group := s.securityGroup(vpc)
	s.instances(subnet, group)
	s.gateways(vpc, subnet)
	s.run("", cmd("delete-security-group", "--group-id", group)...)
	s.run("", cmd("delete-subnet", "--subnet-id", subnet)...)
	s.run("", cmd("delete-vpc", "--vpc-id", vpc)...)
}

func (s shell) securityGroup(vpc string) string {
	s.Helper()
	cmd := of("ec2")
	group := s.run("GroupId", cmd("create-security-group", "--group-name", "nodes", "--description", "of nodes", "--vpc-id", vpc)...)
	for _, op := range []string{"authorize-security-group-ingress", "authorize-security-group-egress", "revoke-security-group-egress", "revoke-security-group-ingress"} {
		s.want("true", "Return", cmd(op, "--group-id", group, "--ip-permissions", "IpProtocol=tcp,FromPort=443,ToPort=443,IpRanges=[{CidrIp=10.0.0.0/8}]")...)
	}
	s.run("SecurityGroupRules.0.SecurityGroupRuleId", cmd("describe-security-group-rules", "--filters", "Name=group-id,Values="+group)...)
	s.want("nodes", "SecurityGroups.0.GroupName", cmd("describe-security-groups", "--group-ids", group)...)
	return group
}

func (s shell) instances(subnet, group string) {
	s.Helper()
	cmd := of("ec2")
	template := func(op string, args ...string) []string {
		return cmd(op, append([]string{"--launch-template-name", "nodes"}, args...)...)
	}
	image := s.run("Images.0.ImageId", cmd("describe-images", "--owners", "amazon")...)
	s.run("", template("create-launch-template", "--launch-template-data", `{"InstanceType":"m5.large"}`)...)
	s.want("2", "LaunchTemplateVersion.VersionNumber", template("create-launch-template-version", "--source-version", "1", "--launch-template-data", `{"ImageId":"`+image+`"}`)...)
	s.run("", template("modify-launch-template", "--default-version", "2")...)
	s.want("2", "LaunchTemplates.0.DefaultVersionNumber", cmd("describe-launch-templates")...)
	s.run("LaunchTemplateVersions.1.VersionNumber", template("describe-launch-template-versions")...)
	id := s.run("Instances.0.InstanceId", cmd("run-instances", "--launch-template", "LaunchTemplateName=nodes", "--subnet-id", subnet, "--security-group-ids", group)...)
	s.want("m5.large", "Reservations.0.Instances.0.InstanceType", cmd("describe-instances", "--instance-ids", id)...)
	s.run("NetworkInterfaces.0.NetworkInterfaceId", cmd("describe-network-interfaces")...)
	s.run("", cmd("terminate-instances", "--instance-ids", id)...)
	s.run("", template("delete-launch-template-versions", "--versions", "1")...)
	s.run("", template("delete-launch-template")...)
}

func (s shell) gateways(vpc, subnet string) {
	s.Helper()
	cmd := of("ec2")
	igw := s.run("InternetGateway.InternetGatewayId", cmd("create-internet-gateway")...)
	s.run("", cmd("attach-internet-gateway", "--internet-gateway-id", igw, "--vpc-id", vpc)...)
	s.want(igw, "InternetGateways.0.InternetGatewayId", cmd("describe-internet-gateways")...)
	address := s.run("AllocationId", cmd("allocate-address", "--domain", "vpc")...)
	s.want(address, "Addresses.0.AllocationId", cmd("describe-addresses")...)
	nat := s.run("NatGateway.NatGatewayId", cmd("create-nat-gateway", "--subnet-id", subnet, "--allocation-id", address)...)
	s.want("available", "NatGateways.0.State", cmd("describe-nat-gateways")...)
	table := s.run("RouteTable.RouteTableId", cmd("create-route-table", "--vpc-id", vpc)...)
	route := func(op string, args ...string) []string {
		return cmd(op, append([]string{"--route-table-id", table, "--destination-cidr-block", "0.0.0.0/0"}, args...)...)
	}
	s.run("", route("create-route", "--gateway-id", igw)...)
	s.run("", route("replace-route", "--nat-gateway-id", nat)...)
	link := s.run("AssociationId", cmd("associate-route-table", "--route-table-id", table, "--subnet-id", subnet)...)
	s.want(nat, "RouteTables.0.Routes.1.NatGatewayId", cmd("describe-route-tables", "--route-table-ids", table)...)
	other := s.run("RouteTable.RouteTableId", cmd("create-route-table", "--vpc-id", vpc)...)
	link = s.run("NewAssociationId", cmd("replace-route-table-association", "--association-id", link, "--route-table-id", other)...)
	s.run("", cmd("disassociate-route-table", "--association-id", link)...)
	s.run("", route("delete-route")...)
	s.run("", cmd("delete-route-table", "--route-table-id", table)...)
	s.run("", cmd("delete-route-table", "--route-table-id", other)...)
	s.want(nat, "NatGatewayId", cmd("delete-nat-gateway", "--nat-gateway-id", nat)...)
	s.run("", cmd("release-address", "--allocation-id", address)...)
	s.run("", cmd("detach-internet-gateway", "--internet-gateway-id", igw, "--vpc-id", vpc)...)
	s.run("", cmd("delete-internet-gateway", "--internet-gateway-id", igw)...)
}
