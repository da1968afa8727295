package ec2_test

import (
	"testing"

	"github.com/norikae/norikae/internal/awssim/clitest"
	"github.com/norikae/norikae/internal/awssim/ec2"
)

// The life of a cluster's network by a client that nobody here wrote.
func TestTheAWSCLIDrivesEveryOperation(t *testing.T) {
	t.Parallel() // its client is slow
	n := &cli{cloud: start(t, ec2.Config{})}
	n.cli = clitest.Start(t, clitest.Config{Endpoint: n.url, Region: region, Key: "AKID", Secret: "fake"})
	n.network()
	n.routes()
	n.groups()
	n.compute()
	n.end()
	n.wantDriven()
	if left := n.svc.Resources(account, region); len(left) != 2 { // an instance and a NAT gateway are remembered
		t.Errorf("left over: %+v", left)
	}
}

// cli is what the story goes on with.
type cli struct {
	*cloud
	cli                                      *clitest.CLI
	vpc, subnet, igw, eip, nat, table, group string
}

func (n *cli) aws(path string, args ...string) string {
	n.Helper()
	return n.cli.Run(path, append([]string{"ec2"}, args...)...)
}

func (n *cli) want(value, path string, args ...string) {
	n.Helper()
	n.cli.Want(value, path, append([]string{"ec2"}, args...)...)
}

func (n *cli) network() {
	n.Helper()
	n.want("none", "AccountAttributes.0.AttributeValues.0.AttributeValue", "describe-account-attributes", "--attribute-names", "default-vpc")
	n.want(region, "Regions.0.RegionName", "describe-regions", "--region-names", region)
	n.want(region+"a", "AvailabilityZones.0.ZoneName", "describe-availability-zones")
	n.vpc = n.aws("Vpc.VpcId", "create-vpc", "--cidr-block", "10.0.0.0/16", "--tag-specifications", "ResourceType=vpc,Tags=[{Key=Name,Value=lab}]")
	n.want(n.vpc, "Vpcs.0.VpcId", "describe-vpcs", "--filters", "Name=tag:Name,Values=lab")
	n.aws("", "modify-vpc-attribute", "--vpc-id", n.vpc, "--enable-dns-hostnames")
	n.want("true", "EnableDnsHostnames.Value", "describe-vpc-attribute", "--vpc-id", n.vpc, "--attribute", "enableDnsHostnames")
	n.want("true", "NetworkAcls.0.IsDefault", "describe-network-acls", "--filters", "Name=vpc-id,Values="+n.vpc)
	n.subnet = n.aws("Subnet.SubnetId", "create-subnet", "--vpc-id", n.vpc, "--cidr-block", "10.0.0.0/24", "--availability-zone", region+"a")
	n.aws("", "modify-subnet-attribute", "--subnet-id", n.subnet, "--map-public-ip-on-launch")
	n.want("true", "Subnets.0.MapPublicIpOnLaunch", "describe-subnets", "--subnet-ids", n.subnet)
	n.igw = n.aws("InternetGateway.InternetGatewayId", "create-internet-gateway")
	n.aws("", "attach-internet-gateway", "--internet-gateway-id", n.igw, "--vpc-id", n.vpc)
	n.want(n.vpc, "InternetGateways.0.Attachments.0.VpcId", "describe-internet-gateways", "--internet-gateway-ids", n.igw)
	n.eip = n.aws("AllocationId", "allocate-address", "--domain", "vpc")
	n.nat = n.aws("NatGateway.NatGatewayId", "create-nat-gateway", "--subnet-id", n.subnet, "--allocation-id", n.eip)
	n.want("available", "NatGateways.0.State", "describe-nat-gateways", "--filter", "Name=vpc-id,Values="+n.vpc)
	n.want("10.0.0.4", "Addresses.0.PrivateIpAddress", "describe-addresses", "--allocation-ids", n.eip)
	n.want("nat_gateway", "NetworkInterfaces.0.InterfaceType", "describe-network-interfaces", "--filters", "Name=subnet-id,Values="+n.subnet)
}

func (n *cli) routes() {
	n.Helper()
	n.table = n.aws("RouteTable.RouteTableId", "create-route-table", "--vpc-id", n.vpc)
	everywhere := []string{"--route-table-id", n.table, "--destination-cidr-block", "0.0.0.0/0"}
	n.want("true", "Return", append([]string{"create-route", "--gateway-id", n.igw}, everywhere...)...)
	n.aws("", append([]string{"replace-route", "--nat-gateway-id", n.nat}, everywhere...)...)
	link := n.aws("AssociationId", "associate-route-table", "--route-table-id", n.table, "--subnet-id", n.subnet)
	n.want(n.table, "RouteTables.0.RouteTableId", "describe-route-tables", "--filters", "Name=association.subnet-id,Values="+n.subnet)
	other := n.aws("RouteTable.RouteTableId", "create-route-table", "--vpc-id", n.vpc)
	link = n.aws("NewAssociationId", "replace-route-table-association", "--association-id", link, "--route-table-id", other)
	n.aws("", "disassociate-route-table", "--association-id", link)
	n.aws("", append([]string{"delete-route"}, everywhere...)...)
	n.aws("", "delete-route-table", "--route-table-id", other)
}

func (n *cli) groups() {
	n.Helper()
	n.group = n.aws("GroupId", "create-security-group", "--group-name", "web", "--description", "x", "--vpc-id", n.vpc)
	const all = `[{"IpProtocol":"-1","IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]`
	n.want("443", "SecurityGroupRules.0.FromPort", "authorize-security-group-ingress", "--group-id", n.group, "--protocol", "tcp", "--port", "443", "--cidr", "0.0.0.0/0")
	n.want("true", "Return", "revoke-security-group-egress", "--group-id", n.group, "--ip-permissions", all)
	n.want("true", "Return", "authorize-security-group-egress", "--group-id", n.group, "--ip-permissions", all)
	rule := n.aws("SecurityGroupRules.0.SecurityGroupRuleId", "describe-security-group-rules", "--filters", "Name=group-id,Values="+n.group)
	n.want("443", "SecurityGroups.0.IpPermissions.0.ToPort", "describe-security-groups", "--group-ids", n.group)
	n.want("true", "Return", "revoke-security-group-ingress", "--group-id", n.group, "--security-group-rule-ids", rule)
}

func (n *cli) compute() {
	n.Helper()
	image := n.aws("Images.0.ImageId", "describe-images", "--owners", "amazon", "--filters", "Name=name,Values=al2023*x86_64")
	n.want("1024", "InstanceTypes.0.MemoryInfo.SizeInMiB", "describe-instance-types", "--instance-types", "t3.micro")
	n.want("1", "LaunchTemplate.LatestVersionNumber", "create-launch-template", "--launch-template-name", "nodes", "--launch-template-data", `{"InstanceType":"t3.micro"}`)
	n.want(image, "LaunchTemplateVersion.LaunchTemplateData.ImageId", "create-launch-template-version", "--launch-template-name", "nodes",
		"--source-version", "1", "--launch-template-data", `{"ImageId":"`+image+`"}`)
	n.want("2", "LaunchTemplate.DefaultVersionNumber", "modify-launch-template", "--launch-template-name", "nodes", "--default-version", "2")
	n.want("t3.micro", "LaunchTemplateVersions.0.LaunchTemplateData.InstanceType", "describe-launch-template-versions", "--launch-template-name", "nodes", "--versions", "$Default")
	n.want("nodes", "LaunchTemplates.0.LaunchTemplateName", "describe-launch-templates")
	instance := n.aws("Instances.0.InstanceId", "run-instances", "--launch-template", "LaunchTemplateName=nodes", "--subnet-id", n.subnet, "--security-group-ids", n.group)
	n.want("running", "Reservations.0.Instances.0.State.Name", "describe-instances", "--instance-ids", instance)
	n.aws("", "create-tags", "--resources", n.vpc, instance, "--tags", "Key=team,Value=web")
	n.want("web", "Tags.0.Value", "describe-tags", "--filters", "Name=resource-id,Values="+instance)
	n.aws("", "delete-tags", "--resources", n.vpc, "--tags", "Key=team")
	n.want("shutting-down", "TerminatingInstances.0.CurrentState.Name", "terminate-instances", "--instance-ids", instance)
	n.want("1", "SuccessfullyDeletedLaunchTemplateVersions.0.VersionNumber", "delete-launch-template-versions", "--launch-template-name", "nodes", "--versions", "1")
	n.want("nodes", "LaunchTemplate.LaunchTemplateName", "delete-launch-template", "--launch-template-name", "nodes")
}

func (n *cli) end() {
	n.Helper()
	n.want(n.nat, "NatGatewayId", "delete-nat-gateway", "--nat-gateway-id", n.nat)
	n.aws("", "release-address", "--allocation-id", n.eip)
	n.aws("", "detach-internet-gateway", "--internet-gateway-id", n.igw, "--vpc-id", n.vpc)
	n.aws("", "delete-internet-gateway", "--internet-gateway-id", n.igw)
	n.aws("", "delete-subnet", "--subnet-id", n.subnet)
	n.aws("", "delete-route-table", "--route-table-id", n.table)
	n.aws("", "delete-security-group", "--group-id", n.group)
	n.aws("", "delete-vpc", "--vpc-id", n.vpc)
}
