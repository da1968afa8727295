package ec2

import (
	"slices"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Operations lists what the API has that clients use around clusters, sorted by name. The
// rest of the API, some 700 operations, is absent.
func Operations() []wire.Operation {
	return operations().Operations(
		"AssociateAddress", "AssociateVpcCidrBlock", "CreateFlowLogs", "CreateKeyPair", "CreateNetworkAcl", "CreateNetworkInterface", "CreateVolume",
		"CreateVpcEndpoint", "CreateVpcPeeringConnection", "DescribeFlowLogs", "DescribeInstanceAttribute", "DescribeInstanceStatus",
		"DescribeInstanceTypeOfferings", "DescribeKeyPairs", "DescribePrefixLists", "DescribeVolumes", "DescribeVpcEndpoints",
		"DescribeVpcPeeringConnections", "DisassociateAddress", "ImportKeyPair", "ModifyInstanceAttribute", "ModifySecurityGroupRules",
		"RequestSpotInstances", "StartInstances", "StopInstances",
	)
}

// operation is one that is answered.
type operation = wire.Entry[*call]

// operations is the table of what the service answers.
func operations() wire.Table[*call] {
	return slices.Concat(networkOperations(), groupOperations(), instanceOperations(), otherOperations())
}

func networkOperations() []operation {
	const someFilters = "the commonest filters"
	const ipv4 = "one IPv4 block, no IPv6"
	return []operation{
		wire.Partly("CreateVpc", ipv4, (*call).createVPC),
		wire.Partly("DescribeVpcs", someFilters, (*call).describeVPCs),
		wire.Full("DeleteVpc", (*call).deleteVPC),
		wire.Partly("ModifyVpcAttribute", "values are kept; there is no DNS", (*call).modifyVPCAttribute),
		wire.Full("DescribeVpcAttribute", (*call).describeVPCAttribute),
		wire.Partly("DescribeNetworkAcls", "the default one of each VPC, with its first rules", (*call).describeNetworkACLs),
		wire.Partly("CreateSubnet", ipv4+"; three zones in every region", (*call).createSubnet),
		wire.Partly("DescribeSubnets", someFilters, (*call).describeSubnets),
		wire.Full("DeleteSubnet", (*call).deleteSubnet),
		wire.Partly("ModifySubnetAttribute", "MapPublicIpOnLaunch only", (*call).modifySubnetAttribute),
		wire.Full("CreateInternetGateway", (*call).createInternetGateway),
		wire.Partly("DescribeInternetGateways", someFilters, (*call).describeInternetGateways),
		wire.Full("AttachInternetGateway", (*call).attachInternetGateway),
		wire.Full("DetachInternetGateway", (*call).detachInternetGateway),
		wire.Full("DeleteInternetGateway", (*call).deleteInternetGateway),
		wire.Partly("AllocateAddress", "an address of 198.18.0.0/15 that leads nowhere", (*call).allocateAddress),
		wire.Partly("DescribeAddresses", "by allocation; "+someFilters, (*call).describeAddresses),
		wire.Partly("ReleaseAddress", "by allocation", (*call).releaseAddress),
		wire.Partly("CreateNatGateway", "one address; it forwards nothing", (*call).createNATGateway),
		wire.Partly("DescribeNatGateways", someFilters, (*call).describeNATGateways),
		wire.Full("DeleteNatGateway", (*call).deleteNATGateway),
		wire.Full("CreateRouteTable", (*call).createRouteTable),
		wire.Partly("DescribeRouteTables", someFilters, (*call).describeRouteTables),
		wire.Full("DeleteRouteTable", (*call).deleteRouteTable),
		wire.Partly("CreateRoute", "IPv4, to internet and NAT gateways", (*call).createRoute),
		wire.Partly("ReplaceRoute", "IPv4, to internet and NAT gateways", (*call).replaceRoute),
		wire.Full("DeleteRoute", (*call).deleteRoute),
		wire.Partly("AssociateRouteTable", "with subnets", (*call).associateRouteTable),
		wire.Full("DisassociateRouteTable", (*call).disassociateRouteTable),
		wire.Full("ReplaceRouteTableAssociation", (*call).replaceRouteTableAssociation),
	}
}

func groupOperations() []operation {
	const peers = "groups of the same account; prefix lists need not exist"
	return []operation{
		wire.Full("CreateSecurityGroup", (*call).createSecurityGroup),
		wire.Partly("DescribeSecurityGroups", "the commonest filters", (*call).describeSecurityGroups),
		wire.Full("DeleteSecurityGroup", (*call).deleteSecurityGroup),
		wire.Partly("AuthorizeSecurityGroupIngress", peers, (*call).authorizeIngress),
		wire.Partly("AuthorizeSecurityGroupEgress", peers, (*call).authorizeEgress),
		wire.Partly("RevokeSecurityGroupIngress", peers, (*call).revokeIngress),
		wire.Partly("RevokeSecurityGroupEgress", peers, (*call).revokeEgress),
		wire.Full("DescribeSecurityGroupRules", (*call).describeSecurityGroupRules),
	}
}

func instanceOperations() []operation {
	return []operation{
		wire.Partly("RunInstances", "instances come up and run nothing; they need a subnet; volumes and user data are passed over", (*call).runInstances),
		wire.Partly("DescribeInstances", "a selection of the members; the commonest filters", (*call).describeInstances),
		wire.Full("TerminateInstances", (*call).terminateInstances),
		wire.Partly("DescribeNetworkInterfaces", "those of instances and NAT gateways", (*call).describeNetworkInterfaces),
		wire.Partly("CreateLaunchTemplate", "the data are kept as given", (*call).createLaunchTemplate),
		wire.Partly("DescribeLaunchTemplates", "the commonest filters", (*call).describeLaunchTemplates),
		wire.Partly("CreateLaunchTemplateVersion", "the data are kept as given", (*call).createLaunchTemplateVersion),
		wire.Partly("DescribeLaunchTemplateVersions", "of one template", (*call).describeLaunchTemplateVersions),
		wire.Partly("ModifyLaunchTemplate", "the default version", (*call).modifyLaunchTemplate),
		wire.Full("DeleteLaunchTemplate", (*call).deleteLaunchTemplate),
		wire.Full("DeleteLaunchTemplateVersions", (*call).deleteLaunchTemplateVersions),
	}
}

func otherOperations() []operation {
	return []operation{
		wire.Full("CreateTags", (*call).createTags),
		wire.Full("DeleteTags", (*call).deleteTags),
		wire.Full("DescribeTags", (*call).describeTags),
		wire.Partly("DescribeAvailabilityZones", "three in every region", (*call).describeZones),
		wire.Partly("DescribeRegions", "17 regions", (*call).describeRegions),
		wire.Partly("DescribeAccountAttributes", "no default VPC", (*call).describeAccountAttributes),
		wire.Partly("DescribeInstanceTypes", "a small selection", (*call).describeInstanceTypes),
		wire.Partly("DescribeImages", "a small selection", (*call).describeImages),
	}
}
