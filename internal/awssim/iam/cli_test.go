package iam_test

import (
	"testing"

	"github.com/norikae/norikae/internal/awssim/clitest"
	"github.com/norikae/norikae/internal/awssim/iam"
	"github.com/norikae/norikae/internal/awssim/sts"
)

// What a person does before there is a cluster, with a client that nobody here wrote.
func TestTheAWSCLIPreparesACluster(t *testing.T) {
	t.Parallel() // its client is slow
	c := clitest.Start(t, clitest.Config{Endpoint: start(t, iam.Config{}, true).url, Region: "us-east-1", Key: sts.LabAccessKeyID, Secret: sts.LabSecret})
	c.Want("arn:aws:iam::000000000000:role/cluster", "Role.Arn", "iam", "create-role", "--role-name", "cluster", "--assume-role-policy-document",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`, "--tags", "Key=team,Value=web")
	c.Run("", "iam", "attach-role-policy", "--role-name", "cluster", "--policy-arn", "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy")
	c.Want("AmazonEKSClusterPolicy", "AttachedPolicies.0.PolicyName", "iam", "list-attached-role-policies", "--role-name", "cluster")
	c.Want("sts:AssumeRole", "Role.AssumeRolePolicyDocument.Statement.0.Action", "iam", "get-role", "--role-name", "cluster")
	c.Run("", "iam", "put-role-policy", "--role-name", "cluster", "--policy-name", "x", "--policy-document", everything)
	c.Want("*", "PolicyDocument.Statement.0.Action", "iam", "get-role-policy", "--role-name", "cluster", "--policy-name", "x")
	c.Want("web", "Tags.0.Value", "iam", "list-role-tags", "--role-name", "cluster")
	policy := c.Run("Policy.Arn", "iam", "create-policy", "--policy-name", "shift", "--policy-document", everything)
	c.Want("*", "PolicyVersion.Document.Statement.0.Action", "iam", "get-policy-version", "--policy-arn", policy, "--version-id", "v1")
	c.Want("arn:aws:iam::000000000000:oidc-provider/oidc.example.com/id/1", "OpenIDConnectProviderArn", "iam", "create-open-id-connect-provider",
		"--url", "https://oidc.example.com/id/1", "--client-id-list", "sts.amazonaws.com", "--thumbprint-list", "9e99a48a9960b14926bb7f3b02e22da2b0ab7280")
	c.Want("allowed", "EvaluationResults.0.EvalDecision", "iam", "simulate-principal-policy", "--policy-source-arn",
		"arn:aws:iam::000000000000:role/cluster", "--action-names", "ec2:CreateVpc")
	c.Run("", "iam", "create-user", "--user-name", "ann")
	c.Want("ann", "AccessKey.UserName", "iam", "create-access-key", "--user-name", "ann")
	c.Want("cluster", "Roles.0.RoleName", "iam", "list-roles")
}
