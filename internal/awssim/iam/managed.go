package iam

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/authz"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// awsPolicies are AWS's own policies that grant something here, by the ARN's part behind
// "policy/": the actions that they allow, or with a leading "!" those that they leave
// out. They are shortened to what the simulator has. All other names can be attached
// too, and grant nothing.
func awsPolicies() map[string][]string {
	return map[string][]string{
		"AdministratorAccess":                  {"*"},
		"PowerUserAccess":                      {"!iam:*", "!organizations:*", "!account:*"},
		"ReadOnlyAccess":                       {"*:Describe*", "*:Get*", "*:List*"},
		"AmazonEC2ContainerRegistryReadOnly":   {"ecr:Get*", "ecr:BatchGet*", "ecr:Describe*", "ecr:List*"},
		"AmazonEC2FullAccess":                  {"ec2:*", "elasticloadbalancing:*", "cloudwatch:*"},
		"AmazonEC2ReadOnlyAccess":              {"ec2:Describe*", "elasticloadbalancing:Describe*", "cloudwatch:ListMetrics", "cloudwatch:GetMetricStatistics"},
		"AmazonEKSClusterPolicy":               {"ec2:*", "elasticloadbalancing:*", "iam:CreateServiceLinkedRole"},
		"AmazonEKSServicePolicy":               {"ec2:Describe*", "ec2:CreateTags", "eks:UpdateClusterVersion"},
		"AmazonEKSVPCResourceController":       {"ec2:*NetworkInterface*", "ec2:*PrivateIpAddresses"},
		"AmazonEKSWorkerNodePolicy":            {"ec2:Describe*", "eks:DescribeCluster", "eks-auth:AssumeRoleForPodIdentity"},
		"AmazonEKS_CNI_Policy":                 {"ec2:*NetworkInterface*", "ec2:*PrivateIpAddresses", "ec2:Describe*", "ec2:CreateTags"},
		"AmazonRoute53FullAccess":              {"route53:*", "elasticloadbalancing:DescribeLoadBalancers", "ec2:DescribeVpcs", "ec2:DescribeRegions", "cloudwatch:GetMetricStatistics"},
		"AmazonRoute53ReadOnlyAccess":          {"route53:Get*", "route53:List*", "route53:TestDNSAnswer"},
		"AmazonSSMManagedInstanceCore":         {"ssm:*", "ssmmessages:*", "ec2messages:*"},
		"AmazonVPCFullAccess":                  {"ec2:*"},
		"CloudWatchFullAccess":                 {"cloudwatch:*"},
		"CloudWatchReadOnlyAccess":             {"cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*"},
		"ElasticLoadBalancingFullAccess":       {"elasticloadbalancing:*", "ec2:Describe*"},
		"ElasticLoadBalancingReadOnly":         {"elasticloadbalancing:Describe*", "ec2:DescribeSecurityGroups"},
		"IAMFullAccess":                        {"iam:*"},
		"IAMReadOnlyAccess":                    {"iam:Get*", "iam:List*", "iam:Simulate*"},
		"ResourceGroupsandTagEditorFullAccess": {"tag:*"},
	}
}

// isAWS tells whether an ARN is that of a policy of AWS's own.
func isAWS(arn string) bool {
	p := strings.SplitN(arn, ":", 6)
	return len(p) == 6 && p[0] == "arn" && p[2] == "iam" && p[4] == "aws" && strings.HasPrefix(p[5], "policy/") && p[5] != "policy/"
}

func awsDocument(arn string) document {
	_, name, _ := strings.Cut(arn, ":policy/")
	actions, known := awsPolicies()[name[strings.LastIndex(name, "/")+1:]]
	statement := map[string]any{"Effect": "Allow", "Resource": "*"}
	switch {
	case !known:
		statement["Action"] = "none:none"
	case strings.HasPrefix(actions[0], "!"):
		left := []string{}
		for _, a := range actions {
			left = append(left, a[1:])
		}
		statement["NotAction"] = left
	default:
		statement["Action"] = actions
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{statement}})
	if err != nil {
		panic(fmt.Sprintf("a map of strings does not marshal: %v", err))
	}
	p, err := authz.Parse(arn, string(text), authz.Identity)
	if err != nil {
		panic(fmt.Sprintf("the policy %s: %v", arn, err))
	}
	return document{text: string(text), policy: p}
}

// awsSince is a time at which all of AWS's policies existed.
func awsSince() time.Time { return time.Date(2015, 2, 6, 18, 39, 46, 0, time.UTC) }

func awsPath(arn string) string {
	_, name, _ := strings.Cut(arn, ":policy")
	return name[:strings.LastIndex(name, "/")+1]
}

func (c *world) describeAWS(arn string) wire.Struct {
	name := arn[strings.LastIndex(arn, "/")+1:]
	attached, boundaries := c.attachments(arn)
	return wire.Struct{
		kv("PolicyName", name), kv("PolicyId", "ANPAAWS"), kv("Arn", arn), kv("Path", awsPath(arn)), kv("DefaultVersionId", "v1"),
		kv("AttachmentCount", attached), kv("PermissionsBoundaryUsageCount", boundaries), kv("IsAttachable", true),
		kv("CreateDate", awsSince()), kv("UpdateDate", awsSince()),
	}
}
