package ec2_test

import (
	"strings"
	"testing"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Every filter finds what has any value there: a filter that is taken and finds nothing
// would hide resources.
func TestEveryFilterFindsSomething(t *testing.T) {
	s, ids := furnished(t)
	for _, step := range []struct {
		operation string
		p         wire.Params
	}{
		{"CreateNatGateway", wire.Params{"SubnetId": "SUBNET", "AllocationId": "EIP"}},
		{"RunInstances", wire.Params{"ImageId": "ami-0000000000000a001", "MinCount": "1", "MaxCount": "1", "SubnetId": "SUBNET", "KeyName": "k"}},
		{"AssociateRouteTable", wire.Params{"RouteTableId": "RTB", "SubnetId": "SUBNET"}},
		{"CreateRoute", wire.Params{"RouteTableId": "RTB", "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "IGW"}},
	} {
		out, err := serve(s, t, step.operation, with(step.p, ids))
		if err != nil {
			t.Fatal(err)
		}
		if step.operation == "CreateNatGateway" {
			ids["NAT"] = text(t, out, "natGateway.natGatewayId")
			if _, err := serve(s, t, "CreateRoute", with(wire.Params{"RouteTableId": "RTB", "DestinationCidrBlock": "8.8.8.8/32", "NatGatewayId": "NAT"}, ids)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for operation, filters := range map[string]string{
		"DescribeVpcs": "vpc-id cidr cidr-block cidr-block-association.cidr-block state owner-id is-default isDefault dhcp-options-id",
		"DescribeSubnets": "subnet-id vpc-id availability-zone availabilityZone availability-zone-id cidr-block cidr state owner-id " +
			"default-for-az map-public-ip-on-launch subnet-arn",
		"DescribeNetworkAcls":      "network-acl-id vpc-id default",
		"DescribeInternetGateways": "internet-gateway-id owner-id attachment.vpc-id attachment.state",
		"DescribeAddresses":        "allocation-id public-ip domain association-id network-interface-id private-ip-address",
		"DescribeNatGateways":      "nat-gateway-id subnet-id vpc-id state",
		"DescribeRouteTables": "route-table-id vpc-id owner-id association.main association.subnet-id association.route-table-association-id " +
			"association.route-table-id route.destination-cidr-block route.gateway-id route.nat-gateway-id",
		"DescribeSecurityGroups":     "group-id group-name vpc-id description owner-id",
		"DescribeSecurityGroupRules": "group-id security-group-rule-id",
		"DescribeInstances": "instance-id instance-state-name instance-state-code instance-type image-id vpc-id subnet-id availability-zone " +
			"private-ip-address private-dns-name reservation-id key-name instance.group-id instance.group-name owner-id " +
			"network-interface.subnet-id network-interface.vpc-id",
		"DescribeNetworkInterfaces": "network-interface-id subnet-id vpc-id availability-zone private-ip-address addresses.private-ip-address status " +
			"description interface-type group-id group-name attachment.instance-id owner-id mac-address",
		"DescribeLaunchTemplates": "launch-template-name create-time",
		"DescribeInstanceTypes": "instance-type processor-info.supported-architecture current-generation vcpu-info.default-vcpus " +
			"memory-info.size-in-mib bare-metal",
		"DescribeImages":            "image-id name architecture state owner-id owner-alias is-public virtualization-type root-device-type image-type",
		"DescribeAvailabilityZones": "zone-name zone-id region-name group-name state zone-type opt-in-status",
		"DescribeRegions":           "region-name opt-in-status endpoint",
	} {
		for name := range strings.FieldsSeq(filters) {
			out, err := serve(s, t, operation, wire.Params{"Filter": []any{wire.Params{"Name": name, "Value": []any{"?*"}}}})
			if err != nil {
				t.Errorf("%s by %s: %v", operation, name, err)
				continue
			}
			if items, _ := out[0].Value.(wire.List); len(items) == 0 {
				t.Errorf("%s by %s finds nothing", operation, name)
			}
			out, err = serve(s, t, operation, wire.Params{"Filter": []any{wire.Params{"Name": name, "Value": []any{"none of them"}}}})
			if items, _ := out[0].Value.(wire.List); err != nil || len(items) != 0 {
				t.Errorf("%s by %s finds %v, %v", operation, name, items, err)
			}
		}
	}
}

func TestAFiltersBackslashMakesWildcardsLiteral(t *testing.T) {
	s, ids := furnished(t)
	if _, err := serve(s, t, "CreateTags", with(wire.Params{"ResourceId": []any{"VPC"}, "Tag": []any{wire.Params{"Key": "a", "Value": "b*c"}}}, ids)); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]int{`b*`: 1, `b\*c`: 1, `b\*`: 0, `b?c`: 1, `b\?c`: 0, `b*c`: 1, `B*`: 0} {
		out, err := serve(s, t, "DescribeVpcs", wire.Params{"Filter": []any{wire.Params{"Name": "tag:a", "Value": []any{pattern}}}})
		if items, _ := out[0].Value.(wire.List); err != nil || len(items) != want {
			t.Errorf("%s finds %d, want %d: %v", pattern, len(items), want, err)
		}
	}
}
