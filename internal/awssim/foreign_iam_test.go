package awssim_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// do one call, which must succeed.
func do[I, O, P any](t *testing.T, call func(context.Context, *I, ...func(*P)) (*O, error), in *I) *O {
	t.Helper()
	return got[*O](t)(call(t.Context(), in))
}

const (
	trustAll   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}`
	everything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	awsPolicy  = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
	issuerURL  = "https://oidc.example.com/id/1"
)

// sdkIdentities lives the life of roles, policies, users and providers.
func (f fixture) sdkIdentities(t *testing.T) {
	t.Helper()
	c := iam.NewFromConfig(f.config("us-east-1", nil))
	tags := []types.Tag{{Key: aws.String("team"), Value: aws.String("web")}}
	sdkRole(t, c, tags)
	sdkPolicy(t, c, tags)
	sdkUser(t, c, tags)
	sdkProvider(t, c, tags)
}

func sdkRole(t *testing.T, c *iam.Client, tags []types.Tag) {
	t.Helper()
	role, policy, managed, profile := aws.String("node"), aws.String("all"), aws.String(awsPolicy), aws.String("nodes")
	do(t, c.CreateRole, &iam.CreateRoleInput{RoleName: role, AssumeRolePolicyDocument: aws.String(trustAll)})
	do(t, c.UpdateRole, &iam.UpdateRoleInput{RoleName: role, MaxSessionDuration: aws.Int32(7200)})
	do(t, c.UpdateRoleDescription, &iam.UpdateRoleDescriptionInput{RoleName: role, Description: aws.String("of nodes")})
	do(t, c.UpdateAssumeRolePolicy, &iam.UpdateAssumeRolePolicyInput{RoleName: role, PolicyDocument: aws.String(trustAll)})
	if r := do(t, c.GetRole, &iam.GetRoleInput{RoleName: role}).Role; *r.MaxSessionDuration != 7200 || *r.Description != "of nodes" {
		t.Errorf("role %+v", r)
	}
	if l := do(t, c.ListRoles, &iam.ListRolesInput{}).Roles; len(l) != 1 {
		t.Errorf("roles %+v", l)
	}
	do(t, c.PutRolePolicy, &iam.PutRolePolicyInput{RoleName: role, PolicyName: policy, PolicyDocument: aws.String(everything)})
	do(t, c.GetRolePolicy, &iam.GetRolePolicyInput{RoleName: role, PolicyName: policy})
	do(t, c.ListRolePolicies, &iam.ListRolePoliciesInput{RoleName: role})
	do(t, c.DeleteRolePolicy, &iam.DeleteRolePolicyInput{RoleName: role, PolicyName: policy})
	do(t, c.AttachRolePolicy, &iam.AttachRolePolicyInput{RoleName: role, PolicyArn: managed})
	if l := do(t, c.ListAttachedRolePolicies, &iam.ListAttachedRolePoliciesInput{RoleName: role}).AttachedPolicies; len(l) != 1 || *l[0].PolicyArn != awsPolicy {
		t.Errorf("attached %+v", l)
	}
	do(t, c.DetachRolePolicy, &iam.DetachRolePolicyInput{RoleName: role, PolicyArn: managed})
	do(t, c.PutRolePermissionsBoundary, &iam.PutRolePermissionsBoundaryInput{RoleName: role, PermissionsBoundary: managed})
	do(t, c.DeleteRolePermissionsBoundary, &iam.DeleteRolePermissionsBoundaryInput{RoleName: role})
	do(t, c.TagRole, &iam.TagRoleInput{RoleName: role, Tags: tags})
	do(t, c.ListRoleTags, &iam.ListRoleTagsInput{RoleName: role})
	do(t, c.UntagRole, &iam.UntagRoleInput{RoleName: role, TagKeys: []string{"team"}})

	do(t, c.CreateInstanceProfile, &iam.CreateInstanceProfileInput{InstanceProfileName: profile})
	do(t, c.AddRoleToInstanceProfile, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: profile, RoleName: role})
	if p := do(t, c.GetInstanceProfile, &iam.GetInstanceProfileInput{InstanceProfileName: profile}).InstanceProfile; len(p.Roles) != 1 || *p.Roles[0].RoleName != *role {
		t.Errorf("profile %+v", p)
	}
	do(t, c.ListInstanceProfiles, &iam.ListInstanceProfilesInput{})
	do(t, c.ListInstanceProfilesForRole, &iam.ListInstanceProfilesForRoleInput{RoleName: role})
	do(t, c.TagInstanceProfile, &iam.TagInstanceProfileInput{InstanceProfileName: profile, Tags: tags})
	do(t, c.ListInstanceProfileTags, &iam.ListInstanceProfileTagsInput{InstanceProfileName: profile})
	do(t, c.UntagInstanceProfile, &iam.UntagInstanceProfileInput{InstanceProfileName: profile, TagKeys: []string{"team"}})
	do(t, c.RemoveRoleFromInstanceProfile, &iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: profile, RoleName: role})
	do(t, c.DeleteInstanceProfile, &iam.DeleteInstanceProfileInput{InstanceProfileName: profile})
	do(t, c.DeleteRole, &iam.DeleteRoleInput{RoleName: role})
}

func sdkPolicy(t *testing.T, c *iam.Client, tags []types.Tag) {
	t.Helper()
	arn := do(t, c.CreatePolicy, &iam.CreatePolicyInput{PolicyName: aws.String("shift"), PolicyDocument: aws.String(everything)}).Policy.Arn
	do(t, c.CreatePolicyVersion, &iam.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: aws.String(everything)})
	do(t, c.SetDefaultPolicyVersion, &iam.SetDefaultPolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v2")})
	do(t, c.GetPolicyVersion, &iam.GetPolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v2")})
	do(t, c.ListPolicyVersions, &iam.ListPolicyVersionsInput{PolicyArn: arn})
	do(t, c.DeletePolicyVersion, &iam.DeletePolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v1")})
	if p := do(t, c.GetPolicy, &iam.GetPolicyInput{PolicyArn: arn}).Policy; *p.DefaultVersionId != "v2" {
		t.Errorf("policy %+v", p)
	}
	do(t, c.ListPolicies, &iam.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal})
	do(t, c.TagPolicy, &iam.TagPolicyInput{PolicyArn: arn, Tags: tags})
	do(t, c.ListPolicyTags, &iam.ListPolicyTagsInput{PolicyArn: arn})
	do(t, c.UntagPolicy, &iam.UntagPolicyInput{PolicyArn: arn, TagKeys: []string{"team"}})
	do(t, c.DeletePolicy, &iam.DeletePolicyInput{PolicyArn: arn})
}

func sdkUser(t *testing.T, c *iam.Client, tags []types.Tag) {
	t.Helper()
	user, policy, managed := aws.String("ann"), aws.String("all"), aws.String(awsPolicy)
	arn := do(t, c.CreateUser, &iam.CreateUserInput{UserName: user}).User.Arn
	do(t, c.GetUser, &iam.GetUserInput{UserName: user})
	if l := do(t, c.ListUsers, &iam.ListUsersInput{}).Users; len(l) != 1 || *l[0].Arn != *arn {
		t.Errorf("users %+v", l)
	}
	do(t, c.PutUserPolicy, &iam.PutUserPolicyInput{UserName: user, PolicyName: policy, PolicyDocument: aws.String(everything)})
	do(t, c.GetUserPolicy, &iam.GetUserPolicyInput{UserName: user, PolicyName: policy})
	do(t, c.ListUserPolicies, &iam.ListUserPoliciesInput{UserName: user})
	sim := do(t, c.SimulatePrincipalPolicy, &iam.SimulatePrincipalPolicyInput{PolicySourceArn: arn, ActionNames: []string{"eks:ListClusters"}}).EvaluationResults
	if len(sim) != 1 || sim[0].EvalDecision != types.PolicyEvaluationDecisionTypeAllowed {
		t.Errorf("who may do everything may list clusters: %+v", sim)
	}
	do(t, c.DeleteUserPolicy, &iam.DeleteUserPolicyInput{UserName: user, PolicyName: policy})
	do(t, c.AttachUserPolicy, &iam.AttachUserPolicyInput{UserName: user, PolicyArn: managed})
	do(t, c.ListAttachedUserPolicies, &iam.ListAttachedUserPoliciesInput{UserName: user})
	do(t, c.DetachUserPolicy, &iam.DetachUserPolicyInput{UserName: user, PolicyArn: managed})
	do(t, c.TagUser, &iam.TagUserInput{UserName: user, Tags: tags})
	do(t, c.ListUserTags, &iam.ListUserTagsInput{UserName: user})
	do(t, c.UntagUser, &iam.UntagUserInput{UserName: user, TagKeys: []string{"team"}})
	key := do(t, c.CreateAccessKey, &iam.CreateAccessKeyInput{UserName: user}).AccessKey.AccessKeyId
	do(t, c.UpdateAccessKey, &iam.UpdateAccessKeyInput{UserName: user, AccessKeyId: key, Status: types.StatusTypeInactive})
	if l := do(t, c.ListAccessKeys, &iam.ListAccessKeysInput{UserName: user}).AccessKeyMetadata; len(l) != 1 || l[0].Status != types.StatusTypeInactive {
		t.Errorf("keys %+v", l)
	}
	do(t, c.DeleteAccessKey, &iam.DeleteAccessKeyInput{UserName: user, AccessKeyId: key})
	do(t, c.DeleteUser, &iam.DeleteUserInput{UserName: user})
}

func sdkProvider(t *testing.T, c *iam.Client, tags []types.Tag) {
	t.Helper()
	thumbprint := []string{strings.Repeat("a", 40)}
	arn := do(t, c.CreateOpenIDConnectProvider, &iam.CreateOpenIDConnectProviderInput{
		Url: aws.String("https://oidc.example.com/id/2"), ClientIDList: []string{"sts.amazonaws.com"}, ThumbprintList: thumbprint,
	}).OpenIDConnectProviderArn
	do(t, c.AddClientIDToOpenIDConnectProvider, &iam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("other")})
	do(t, c.RemoveClientIDFromOpenIDConnectProvider, &iam.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("sts.amazonaws.com")})
	do(t, c.UpdateOpenIDConnectProviderThumbprint, &iam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: arn, ThumbprintList: thumbprint})
	if p := do(t, c.GetOpenIDConnectProvider, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn}); len(p.ClientIDList) != 1 || p.ClientIDList[0] != "other" {
		t.Errorf("provider %+v", p)
	}
	do(t, c.ListOpenIDConnectProviders, &iam.ListOpenIDConnectProvidersInput{})
	do(t, c.TagOpenIDConnectProvider, &iam.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, Tags: tags})
	do(t, c.ListOpenIDConnectProviderTags, &iam.ListOpenIDConnectProviderTagsInput{OpenIDConnectProviderArn: arn})
	do(t, c.UntagOpenIDConnectProvider, &iam.UntagOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, TagKeys: []string{"team"}})
	do(t, c.DeleteOpenIDConnectProvider, &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn})
}
