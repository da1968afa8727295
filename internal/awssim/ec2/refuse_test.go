package ec2_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/ec2"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

func serve(s *ec2.Service, t testing.TB, operation string, p wire.Params) (wire.Struct, error) {
	t.Helper()
	return s.Serve(t.Context(), &wire.Request{Service: "ec2", Operation: operation, Params: p, Region: region, AccountID: account})
}

// text finds a member by its path in an answer.
func text(t testing.TB, s wire.Struct, path string) string {
	t.Helper()
	for name := range strings.SplitSeq(path, ".") {
		found := false
		for _, m := range s {
			if m.Name != name {
				continue
			}
			switch v := m.Value.(type) {
			case wire.Struct:
				s, found = v, true
			case string:
				return v
			}
		}
		if !found {
			t.Fatalf("no %s in %v", path, s)
		}
	}
	return ""
}

// furnished is a service with one of most things; ids are theirs, by short names.
func furnished(t testing.TB) (*ec2.Service, map[string]string) {
	t.Helper()
	s := ec2.New(ec2.Config{Now: newClock().Now, Seed: 5})
	ids := map[string]string{}
	for _, step := range []struct {
		as, operation, path string
		p                   wire.Params
	}{
		{"VPC", "CreateVpc", "vpc.vpcId", wire.Params{"CidrBlock": "10.0.0.0/16"}},
		{"VPC2", "CreateVpc", "vpc.vpcId", wire.Params{"CidrBlock": "10.1.0.0/16"}},
		{"SUBNET", "CreateSubnet", "subnet.subnetId", wire.Params{"VpcId": "VPC", "CidrBlock": "10.0.0.0/28"}},
		{"IGW", "CreateInternetGateway", "internetGateway.internetGatewayId", nil},
		{"", "AttachInternetGateway", "", wire.Params{"VpcId": "VPC", "InternetGatewayId": "IGW"}},
		{"IGW2", "CreateInternetGateway", "internetGateway.internetGatewayId", nil},
		{"EIP", "AllocateAddress", "allocationId", nil},
		{"RTB", "CreateRouteTable", "routeTable.routeTableId", wire.Params{"VpcId": "VPC"}},
		{"RTB2", "CreateRouteTable", "routeTable.routeTableId", wire.Params{"VpcId": "VPC2"}},
		{"SG", "CreateSecurityGroup", "groupId", wire.Params{"VpcId": "VPC", "GroupName": "web", "GroupDescription": "x"}},
		{"SG2", "CreateSecurityGroup", "groupId", wire.Params{"VpcId": "VPC2", "GroupName": "web", "GroupDescription": "x"}},
		{"LT", "CreateLaunchTemplate", "launchTemplate.launchTemplateId", wire.Params{"LaunchTemplateName": "nodes", "LaunchTemplateData": wire.Params{"InstanceType": "m5.large"}}},
	} {
		out, err := serve(s, t, step.operation, with(step.p, ids))
		if err != nil {
			t.Fatal(err)
		}
		if step.as != "" {
			ids[step.as] = text(t, out, step.path)
		}
	}
	return s, ids
}

// with replaces short names by identifiers.
func with(p wire.Params, ids map[string]string) wire.Params {
	out := maps.Clone(p)
	for k, v := range out {
		switch v := v.(type) {
		case string:
			if id, ok := ids[v]; ok {
				out[k] = id
			}
		case wire.Params:
			out[k] = with(v, ids)
		case []any:
			list := make([]any, len(v))
			for i, e := range v {
				list[i] = with(wire.Params{"": e}, ids)[""]
			}
			out[k] = list
		}
	}
	return out
}

func TestRefusals(t *testing.T) {
	run := func(more wire.Params) wire.Params {
		p := wire.Params{"ImageId": "ami-0000000000000a001", "InstanceType": "m5.large", "MinCount": "1", "MaxCount": "1", "SubnetId": "SUBNET"}
		maps.Copy(p, more)
		return p
	}
	ingress := func(more wire.Params) wire.Params {
		p := wire.Params{"IpProtocol": "tcp", "FromPort": "80", "ToPort": "80", "IpRanges": []any{wire.Params{"CidrIp": "10.0.0.0/8"}}}
		maps.Copy(p, more)
		return wire.Params{"GroupId": "SG", "IpPermissions": []any{p}}
	}
	tags := func(tags ...any) wire.Params {
		return wire.Params{"CidrBlock": "10.9.0.0/16", "TagSpecification": []any{wire.Params{"ResourceType": "vpc", "Tag": tags}}}
	}
	for name, tc := range map[string]struct {
		operation     string
		p             wire.Params
		code, message string
	}{
		"a VPC without a block":                {"CreateVpc", nil, "MissingParameter", "cidrBlock"},
		"a VPC of /8":                          {"CreateVpc", wire.Params{"CidrBlock": "10.0.0.0/8"}, "InvalidVpc.Range", "10.0.0.0/8"},
		"a VPC of /29":                         {"CreateVpc", wire.Params{"CidrBlock": "10.0.0.0/29"}, "InvalidVpc.Range", "10.0.0.0/29"},
		"a block that is none":                 {"CreateVpc", wire.Params{"CidrBlock": "10.0.0.0"}, "InvalidParameterValue", "not a valid CIDR block"},
		"a tag of AWS's":                       {"CreateVpc", tags(wire.Params{"Key": "aws:x"}), "InvalidParameterValue", "reserved"},
		"a tag twice":                          {"CreateVpc", tags(wire.Params{"Key": "x"}, wire.Params{"Key": "x"}), "InvalidParameterValue", "Duplicate tag key"},
		"a tag without a key":                  {"CreateVpc", tags(wire.Params{"Value": "x"}), "InvalidParameterValue", "Tag key"},
		"a VPC that is not there":              {"DescribeVpcs", wire.Params{"VpcId": []any{"vpc-00000000"}}, "InvalidVpcID.NotFound", "The vpc ID 'vpc-00000000' does not exist"},
		"an identifier that is none":           {"DescribeVpcs", wire.Params{"VpcId": []any{"web"}}, "InvalidVpcID.Malformed", "Invalid id"},
		"a filter that is not there":           {"DescribeVpcs", wire.Params{"Filter": []any{wire.Params{"Name": "colour", "Value": []any{"blue"}}}}, "InvalidParameterValue", "The filter 'colour' is invalid"},
		"pages of 4":                           {"DescribeVpcs", wire.Params{"MaxResults": "4"}, "InvalidParameterValue", "between 5 and 1000"},
		"a page that is none":                  {"DescribeVpcs", wire.Params{"NextToken": "x"}, "InvalidParameterValue", "nextToken"},
		"a VPC with a subnet":                  {"DeleteVpc", wire.Params{"VpcId": "VPC"}, "DependencyViolation", "has dependencies"},
		"two attributes at once":               {"ModifyVpcAttribute", wire.Params{"VpcId": "VPC", "EnableDnsSupport": wire.Params{"Value": "false"}, "EnableDnsHostnames": wire.Params{"Value": "true"}}, "InvalidParameterCombination", "2"},
		"an attribute that is none":            {"DescribeVpcAttribute", wire.Params{"VpcId": "VPC", "Attribute": "x"}, "InvalidParameterValue", "attribute"},
		"a subnet outside of the VPC":          {"CreateSubnet", wire.Params{"VpcId": "VPC", "CidrBlock": "10.1.0.0/24"}, "InvalidSubnet.Range", "10.1.0.0/24"},
		"a subnet over another":                {"CreateSubnet", wire.Params{"VpcId": "VPC", "CidrBlock": "10.0.0.0/24"}, "InvalidSubnet.Conflict", "conflicts with another subnet"},
		"a zone of another region":             {"CreateSubnet", wire.Params{"VpcId": "VPC", "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1a"}, "InvalidParameterValue", "eu-west-1a, eu-west-1b, eu-west-1c"},
		"a subnet in no VPC":                   {"CreateSubnet", wire.Params{"VpcId": "vpc-0123456789abcdef0", "CidrBlock": "10.0.1.0/24"}, "InvalidVpcID.NotFound", "vpc-0123456789abcdef0"},
		"a second gateway for a VPC":           {"AttachInternetGateway", wire.Params{"VpcId": "VPC", "InternetGatewayId": "IGW2"}, "InvalidParameterValue", "already has an internet gateway"},
		"a gateway that is attached elsewhere": {"DetachInternetGateway", wire.Params{"VpcId": "VPC2", "InternetGatewayId": "IGW"}, "Gateway.NotAttached", "is not attached"},
		"a NAT gateway without an address":     {"CreateNatGateway", wire.Params{"SubnetId": "SUBNET"}, "MissingParameter", "allocationId"},
		"an address that is not there":         {"ReleaseAddress", wire.Params{"AllocationId": "eipalloc-00000000"}, "InvalidAllocationID.NotFound", "eipalloc-00000000"},
		"a route to another VPC's gateway":     {"CreateRoute", wire.Params{"RouteTableId": "RTB2", "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "IGW"}, "InvalidParameterValue", "different networks"},
		"a route to nowhere":                   {"CreateRoute", wire.Params{"RouteTableId": "RTB", "DestinationCidrBlock": "0.0.0.0/0"}, "MissingParameter", "gatewayId"},
		"a route to a peering":                 {"CreateRoute", wire.Params{"RouteTableId": "RTB", "DestinationCidrBlock": "0.0.0.0/0", "VpcPeeringConnectionId": "pcx-1"}, "NotSimulated", "VpcPeeringConnectionId"},
		"the local route":                      {"CreateRoute", wire.Params{"RouteTableId": "RTB", "DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "IGW"}, "InvalidParameterValue", "local route"},
		"replacing what is not there":          {"ReplaceRoute", wire.Params{"RouteTableId": "RTB", "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "IGW"}, "InvalidRoute.NotFound", "0.0.0.0/0"},
		"a subnet in another VPC's table":      {"AssociateRouteTable", wire.Params{"RouteTableId": "RTB2", "SubnetId": "SUBNET"}, "InvalidParameterValue", "different networks"},
		"an association that is not there":     {"DisassociateRouteTable", wire.Params{"AssociationId": "rtbassoc-00000000"}, "InvalidAssociationID.NotFound", "rtbassoc-00000000"},
		"a group's name twice":                 {"CreateSecurityGroup", wire.Params{"VpcId": "VPC", "GroupName": "web", "GroupDescription": "x"}, "InvalidGroup.Duplicate", "The security group 'web' already exists for VPC"},
		"a group without a VPC":                {"CreateSecurityGroup", wire.Params{"GroupName": "x", "GroupDescription": "x"}, "VPCIdNotSpecified", "No default VPC"},
		"a group named as an identifier":       {"CreateSecurityGroup", wire.Params{"VpcId": "VPC", "GroupName": "sg-x", "GroupDescription": "x"}, "InvalidParameterValue", "GroupName"},
		"a group that is not there":            {"DeleteSecurityGroup", wire.Params{"GroupId": "sg-00000000"}, "InvalidGroup.NotFound", "The security group 'sg-00000000' does not exist"},
		"a rule without a source":              {"AuthorizeSecurityGroupIngress", ingress(wire.Params{"IpRanges": []any{}}), "MissingParameter", "source"},
		"a rule without ports":                 {"AuthorizeSecurityGroupIngress", ingress(wire.Params{"FromPort": nil}), "InvalidParameterValue", "Must specify both from and to ports"},
		"ports in the wrong order":             {"AuthorizeSecurityGroupIngress", ingress(wire.Params{"FromPort": "81"}), "InvalidParameterValue", "(81:80)"},
		"a port of 65536":                      {"AuthorizeSecurityGroupIngress", ingress(wire.Params{"ToPort": "65536"}), "InvalidParameterValue", "80-65536"},
		"an unknown protocol":                  {"AuthorizeSecurityGroupIngress", ingress(wire.Params{"IpProtocol": "http"}), "InvalidParameterValue", "Unknown protocol"},
		"a block with bits behind its prefix":  {"AuthorizeSecurityGroupIngress", ingress(wire.Params{"IpRanges": []any{wire.Params{"CidrIp": "10.0.0.1/8"}}}), "InvalidParameterValue", "CIDR block 10.0.0.1/8 is malformed"},
		"a source group that is not there":     {"AuthorizeSecurityGroupIngress", ingress(wire.Params{"Groups": []any{wire.Params{"GroupId": "sg-00000000"}}}), "InvalidGroup.NotFound", "sg-00000000"},
		"a rule twice in one call":             {"AuthorizeSecurityGroupIngress", ingress(wire.Params{"IpRanges": []any{wire.Params{"CidrIp": "10.0.0.0/8"}, wire.Params{"CidrIp": "10.0.0.0/8"}}}), "InvalidParameterValue", "multiple times"},
		"revoking what is not there":           {"RevokeSecurityGroupIngress", ingress(nil), "InvalidPermission.NotFound", "does not exist"},
		"revoking by an unknown identifier":    {"RevokeSecurityGroupIngress", wire.Params{"GroupId": "SG", "SecurityGroupRuleId": []any{"sgr-00000000"}}, "InvalidSecurityGroupRuleId.NotFound", "sgr-00000000"},
		"an instance without an image":         {"RunInstances", run(wire.Params{"ImageId": nil}), "MissingParameter", "ImageId"},
		"an image that is not there":           {"RunInstances", run(wire.Params{"ImageId": "ami-1"}), "InvalidAMIID.NotFound", "ami-1"},
		"an instance type that is none":        {"RunInstances", run(wire.Params{"InstanceType": "m5.tiny"}), "InvalidParameterValue", "m5.tiny"},
		"an instance without a subnet":         {"RunInstances", run(wire.Params{"SubnetId": nil}), "MissingInput", "No subnets found"},
		"more instances than addresses":        {"RunInstances", run(wire.Params{"MaxCount": "12"}), "InsufficientFreeAddressesInSubnet", "12"},
		"no instance":                          {"RunInstances", run(wire.Params{"MinCount": "0"}), "InvalidParameterValue", "minCount"},
		"a group of another VPC":               {"RunInstances", run(wire.Params{"SecurityGroupId": []any{"SG2"}}), "InvalidParameter", "different networks"},
		"a launch template that is not there":  {"RunInstances", run(wire.Params{"LaunchTemplate": wire.Params{"LaunchTemplateName": "x"}}), "InvalidLaunchTemplateName.NotFoundException", "name x"},
		"a template's version that is none":    {"RunInstances", run(wire.Params{"LaunchTemplate": wire.Params{"LaunchTemplateId": "LT", "Version": "2"}}), "InvalidLaunchTemplateId.VersionNotFound", "version 2"},
		"an instance that is not there":        {"TerminateInstances", wire.Params{"InstanceId": []any{"i-0123456789abcdef0"}}, "InvalidInstanceID.NotFound", "The instance ID 'i-0123456789abcdef0' does not exist"},
		"a template's name twice":              {"CreateLaunchTemplate", wire.Params{"LaunchTemplateName": "nodes", "LaunchTemplateData": wire.Params{"ImageId": "x"}}, "InvalidLaunchTemplateName.AlreadyExistsException", "already in use"},
		"a template's name of 2":               {"CreateLaunchTemplate", wire.Params{"LaunchTemplateName": "no", "LaunchTemplateData": wire.Params{"ImageId": "x"}}, "InvalidLaunchTemplateName.MalformedException", "between 3 and 128"},
		"a template without data":              {"CreateLaunchTemplate", wire.Params{"LaunchTemplateName": "other"}, "MissingParameter", "LaunchTemplateData"},
		"tags of what is not there":            {"CreateTags", wire.Params{"ResourceId": []any{"VPC", "subnet-00000000"}, "Tag": []any{wire.Params{"Key": "a"}}}, "InvalidSubnetID.NotFound", "subnet-00000000"},
		"tags of what cannot be":               {"CreateTags", wire.Params{"ResourceId": []any{"x"}, "Tag": []any{wire.Params{"Key": "a"}}}, "InvalidID", "'x'"},
		"a zone that is none":                  {"DescribeAvailabilityZones", wire.Params{"ZoneName": []any{"x"}}, "InvalidParameterValue", "[x]"},
		"a region that is none":                {"DescribeRegions", wire.Params{"RegionName": []any{"x"}}, "InvalidParameterValue", "[x]"},
		"a dry run":                            {"DeleteVpc", wire.Params{"VpcId": "VPC2", "DryRun": "true"}, "DryRunOperation", "DryRun flag is set"},
		"an operation that is not simulated":   {"CreateVolume", nil, "NotSimulated", "CreateVolume"},
	} {
		t.Run(name, func(t *testing.T) {
			s, ids := furnished(t)
			before := s.Resources(account, region)
			_, err := serve(s, t, tc.operation, with(tc.p, ids))
			e, _ := errors.AsType[*wire.Error](err)
			if e == nil || e.Code != tc.code || !strings.Contains(e.Message, tc.message) {
				t.Errorf("%v, want %s with %q", err, tc.code, tc.message)
			}
			if d := cmp.Diff(before, s.Resources(account, region)); d != "" {
				t.Errorf("the refused call changed something:\n%s", d)
			}
			// It drew no random number either: what comes next has the same identifier.
			fresh, _ := furnished(t)
			if a, b := next(t, s), next(t, fresh); a != b {
				t.Errorf("what comes next is %s, want %s", a, b)
			}
		})
	}
}

func next(t testing.TB, s *ec2.Service) string {
	t.Helper()
	out, err := serve(s, t, "CreateInternetGateway", nil)
	if err != nil {
		t.Fatal(err)
	}
	return text(t, out, "internetGateway.internetGatewayId")
}

func TestEqualSeedsMakeEqualIdentifiers(t *testing.T) {
	build := func(seed uint64) []model.Resource {
		s := ec2.New(ec2.Config{Seed: seed})
		for _, cidr := range []string{"10.0.0.0/16", "10.1.0.0/16"} {
			if _, err := serve(s, t, "CreateVpc", wire.Params{"CidrBlock": cidr}); err != nil {
				t.Fatal(err)
			}
		}
		return s.Resources(account, region)
	}
	if d := cmp.Diff(build(1), build(1)); d != "" {
		t.Error(d)
	}
	if cmp.Equal(build(1), build(2)) {
		t.Error("another seed makes the same identifiers")
	}
}

func TestWorldsAreApart(t *testing.T) {
	s, _ := furnished(t)
	for _, r := range []*wire.Request{{AccountID: account, Region: "us-east-1"}, {AccountID: "111122223333", Region: region}} {
		if got := s.Resources(r.AccountID, r.Region); got != nil {
			t.Errorf("%s %s has %v", r.AccountID, r.Region, got)
		}
		r.Operation = "DescribeVpcs"
		out, err := s.Serve(t.Context(), r)
		if err != nil || len(out[0].Value.(wire.List)) != 0 { //nolint:forcetypeassert // a panic is a failure too
			t.Errorf("%v %v", out, err)
		}
	}
	if len(s.Resources(account, region)) < 15 {
		t.Errorf("%d resources", len(s.Resources(account, region)))
	}
}

func TestOperationsTellWhatIsAnswered(t *testing.T) {
	s := ec2.New(ec2.Config{})
	for _, op := range ec2.Operations() {
		_, err := serve(s, t, op.Name, nil)
		e, _ := errors.AsType[*wire.Error](err)
		if absent := e != nil && e.Code == "NotSimulated" && !strings.Contains(e.Message, "of anything but"); absent != (op.Fidelity == wire.Absent) {
			t.Errorf("%s is said to be %s: %v", op.Name, op.Fidelity, err)
		}
	}
}
