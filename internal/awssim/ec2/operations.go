package ec2

import (
	"cmp"
	"slices"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Operations lists what the API has that clients use around clusters, sorted by name. The
// rest of the API, some 700 operations, is absent.
func Operations() []wire.Operation {
	var out []wire.Operation
	for _, op := range operations() {
		out = append(out, op.Operation)
	}
	for _, name := range []string{
		"AssociateAddress", "AssociateVpcCidrBlock", "CreateFlowLogs", "CreateKeyPair", "CreateNetworkAcl", "CreateNetworkInterface", "CreateVolume",
		"CreateVpcEndpoint", "CreateVpcPeeringConnection", "DescribeFlowLogs", "DescribeInstanceAttribute", "DescribeInstanceStatus",
		"DescribeInstanceTypeOfferings", "DescribeKeyPairs", "DescribePrefixLists", "DescribeVolumes", "DescribeVpcEndpoints",
		"DescribeVpcPeeringConnections", "DisassociateAddress", "ImportKeyPair", "ModifyInstanceAttribute", "ModifySecurityGroupRules",
		"RequestSpotInstances", "StartInstances", "StopInstances",
	} {
		out = append(out, wire.Operation{Name: name, Fidelity: wire.Absent})
	}
	slices.SortFunc(out, func(a, b wire.Operation) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

type operation struct {
	wire.Operation
	handle handler
}

func full(name string, h handler) operation {
	return operation{wire.Operation{Name: name, Fidelity: wire.Simulated}, h}
}

func partly(name, how string, h handler) operation {
	return operation{wire.Operation{Name: name, Fidelity: wire.Simplified, How: how}, h}
}

// operations is the table of what the service answers.
func operations() []operation {
	return slices.Concat(networkOperations(), groupOperations(), instanceOperations(), otherOperations())
}

func networkOperations() []operation {
	const someFilters = "the commonest filters"
	const ipv4 = "one IPv4 block, no IPv6"
	return []operation{
		partly("CreateVpc", ipv4, (*call).createVPC),
		partly("DescribeVpcs", someFilters, (*call).describeVPCs),
		full("DeleteVpc", (*call).deleteVPC),
		partly("ModifyVpcAttribute", "values are kept; there is no DNS", (*call).modifyVPCAttribute),
		full("DescribeVpcAttribute", (*call).describeVPCAttribute),
		partly("DescribeNetworkAcls", "the default one of each VPC, with its first rules", (*call).describeNetworkACLs),
		partly("CreateSubnet", ipv4+"; three zones in every region", (*call).createSubnet),
		partly("DescribeSubnets", someFilters, (*call).describeSubnets),
		full("DeleteSubnet", (*call).deleteSubnet),
		partly("ModifySubnetAttribute", "MapPublicIpOnLaunch only", (*call).modifySubnetAttribute),
		full("CreateInternetGateway", (*call).createInternetGateway),
		partly("DescribeInternetGateways", someFilters, (*call).describeInternetGateways),
		full("AttachInternetGateway", (*call).attachInternetGateway),
		full("DetachInternetGateway", (*call).detachInternetGateway),
		full("DeleteInternetGateway", (*call).deleteInternetGateway),
		partly("AllocateAddress", "an address of 198.18.0.0/15 that leads nowhere", (*call).allocateAddress),
		partly("DescribeAddresses", "by allocation; "+someFilters, (*call).describeAddresses),
		partly("ReleaseAddress", "by allocation", (*call).releaseAddress),
		partly("CreateNatGateway", "one address; it forwards nothing", (*call).createNATGateway),
		partly("DescribeNatGateways", someFilters, (*call).describeNATGateways),
		full("DeleteNatGateway", (*call).deleteNATGateway),
		full("CreateRouteTable", (*call).createRouteTable),
		partly("DescribeRouteTables", someFilters, (*call).describeRouteTables),
		full("DeleteRouteTable", (*call).deleteRouteTable),
		partly("CreateRoute", "IPv4, to internet and NAT gateways", (*call).createRoute),
		partly("ReplaceRoute", "IPv4, to internet and NAT gateways", (*call).replaceRoute),
		full("DeleteRoute", (*call).deleteRoute),
		partly("AssociateRouteTable", "with subnets", (*call).associateRouteTable),
		full("DisassociateRouteTable", (*call).disassociateRouteTable),
		full("ReplaceRouteTableAssociation", (*call).replaceRouteTableAssociation),
	}
}

func groupOperations() []operation {
	const peers = "groups of the same account; prefix lists need not exist"
	return []operation{
		full("CreateSecurityGroup", (*call).createSecurityGroup),
		partly("DescribeSecurityGroups", "the commonest filters", (*call).describeSecurityGroups),
		full("DeleteSecurityGroup", (*call).deleteSecurityGroup),
		partly("AuthorizeSecurityGroupIngress", peers, (*call).authorizeIngress),
		partly("AuthorizeSecurityGroupEgress", peers, (*call).authorizeEgress),
		partly("RevokeSecurityGroupIngress", peers, (*call).revokeIngress),
		partly("RevokeSecurityGroupEgress", peers, (*call).revokeEgress),
		full("DescribeSecurityGroupRules", (*call).describeSecurityGroupRules),
	}
}

func instanceOperations() []operation {
	return []operation{
		partly("RunInstances", "instances come up and run nothing; they need a subnet; volumes and user data are passed over", (*call).runInstances),
		partly("DescribeInstances", "a selection of the members; the commonest filters", (*call).describeInstances),
		full("TerminateInstances", (*call).terminateInstances),
		partly("DescribeNetworkInterfaces", "those of instances and NAT gateways", (*call).describeNetworkInterfaces),
		partly("CreateLaunchTemplate", "the data are kept as given", (*call).createLaunchTemplate),
		partly("DescribeLaunchTemplates", "the commonest filters", (*call).describeLaunchTemplates),
		partly("CreateLaunchTemplateVersion", "the data are kept as given", (*call).createLaunchTemplateVersion),
		partly("DescribeLaunchTemplateVersions", "of one template", (*call).describeLaunchTemplateVersions),
		partly("ModifyLaunchTemplate", "the default version", (*call).modifyLaunchTemplate),
		full("DeleteLaunchTemplate", (*call).deleteLaunchTemplate),
		full("DeleteLaunchTemplateVersions", (*call).deleteLaunchTemplateVersions),
	}
}

func otherOperations() []operation {
	return []operation{
		full("CreateTags", (*call).createTags),
		full("DeleteTags", (*call).deleteTags),
		full("DescribeTags", (*call).describeTags),
		partly("DescribeAvailabilityZones", "three in every region", (*call).describeZones),
		partly("DescribeRegions", "17 regions", (*call).describeRegions),
		partly("DescribeAccountAttributes", "no default VPC", (*call).describeAccountAttributes),
		partly("DescribeInstanceTypes", "a small selection", (*call).describeInstanceTypes),
		partly("DescribeImages", "a small selection", (*call).describeImages),
	}
}
