package authz

import (
	"slices"
	"strings"
)

// ec2's resources: what a call creates, with "*" for the identifier that it does not have
// yet, and everything that it names by identifier.
func ec2() service {
	out := service{prefix: "ec2", operations: plain(
		"DescribeAccountAttributes", "DescribeAddresses", "DescribeAvailabilityZones", "DescribeImages", "DescribeInstanceAttribute",
		"DescribeInstanceStatus", "DescribeInstanceTypeOfferings", "DescribeInstanceTypes", "DescribeInstances", "DescribeInternetGateways",
		"DescribeKeyPairs", "DescribeLaunchTemplateVersions", "DescribeLaunchTemplates", "DescribeNatGateways", "DescribeNetworkAcls",
		"DescribeNetworkInterfaces", "DescribeRegions", "DescribeRouteTables", "DescribeSecurityGroupRules", "DescribeSecurityGroups",
		"DescribeSubnets", "DescribeTags", "DescribeVolumes", "DescribeVpcAttribute", "DescribeVpcEndpoints", "DescribeVpcs",
	)}
	for name, created := range map[string][]string{
		"AllocateAddress": {"elastic-ip"}, "CreateInternetGateway": {"internet-gateway"}, "CreateLaunchTemplate": {"launch-template"},
		"CreateNatGateway": {"natgateway"}, "CreateRouteTable": {"route-table"}, "CreateSecurityGroup": {"security-group"},
		"CreateSubnet": {"subnet"}, "CreateVpc": {"vpc"}, "RunInstances": {"instance", "network-interface", "volume"},
	} {
		out.operations[name] = operation{resources: func(c *call) []string { return c.ec2Resources(created...) }, also: tagsOnCreation}
	}
	for _, name := range []string{
		"AssociateRouteTable", "AttachInternetGateway", "AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress",
		"CreateLaunchTemplateVersion", "CreateRoute", "CreateTags", "DeleteInternetGateway", "DeleteLaunchTemplate",
		"DeleteLaunchTemplateVersions", "DeleteNatGateway", "DeleteRoute", "DeleteRouteTable", "DeleteSecurityGroup", "DeleteSubnet",
		"DeleteTags", "DeleteVpc", "DetachInternetGateway", "DisassociateRouteTable", "ModifyLaunchTemplate",
		"ModifySecurityGroupRules", "ModifySubnetAttribute", "ModifyVpcAttribute", "ReleaseAddress", "ReplaceRoute",
		"ReplaceRouteTableAssociation", "RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress", "StartInstances", "StopInstances",
		"TerminateInstances",
	} {
		out.operations[name] = operation{resources: func(c *call) []string { return c.ec2Resources() }}
	}
	return out
}

// tagsOnCreation is ec2:CreateTags for what a call creates with tags.
func tagsOnCreation(c *call) []check {
	var out []check
	for _, s := range c.p.List("TagSpecification") {
		if len(s.List("Tag")) > 0 {
			out = append(out, check{
				"ec2:CreateTags",
				[]string{c.arn("ec2", s.Str("ResourceType")+"/*")},
				map[string]string{"ec2:CreateAction": c.r.Operation},
			})
		}
	}
	return out
}

// ec2Resources are the ARNs of new resources of some types and of all identifiers in
// the call's members.
func (c *call) ec2Resources(created ...string) []string {
	var out []string
	for _, kind := range created {
		out = append(out, c.arn("ec2", kind+"/*"))
	}
	for name := range c.p {
		for _, id := range c.p.Strings(name) {
			if kind := ec2Kind(id); kind != "" {
				out = append(out, c.arn("ec2", kind+"/"+id))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ec2Kind is the type of the resource that an identifier names, "" for other text.
func ec2Kind(id string) string {
	prefix, rest, ok := cutLast(id)
	if !ok || strings.Trim(rest, "0123456789abcdef") != "" {
		return ""
	}
	return map[string]string{
		"vpc": "vpc", "subnet": "subnet", "igw": "internet-gateway", "nat": "natgateway", "eipalloc": "elastic-ip",
		"rtb": "route-table", "sg": "security-group", "sgr": "security-group-rule", "i": "instance", "lt": "launch-template",
		"eni": "network-interface", "ami": "image",
	}[prefix]
}

func cutLast(id string) (prefix, rest string, ok bool) {
	i := strings.LastIndexByte(id, '-')
	if i < 0 || i == len(id)-1 {
		return "", "", false
	}
	return id[:i], id[i+1:], true
}
