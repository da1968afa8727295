package iam_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/norikae/norikae/internal/awssim/iam"
)

func TestTheSDKDrivesEveryOperation(t *testing.T) {
	c := start(t, iam.Config{Now: noon}, false)
	i := c.iam(lab())
	rolesAndProfiles(t, i)
	managedPolicies(t, i)
	usersAndKeys(t, i)
	providers(t, i)
	c.wantDriven()
}

func rolesAndProfiles(t *testing.T, i *awsiam.Client) {
	t.Helper()
	ctx := t.Context()
	name := aws.String("node")
	made := must[*awsiam.CreateRoleOutput](t)(i.CreateRole(ctx, &awsiam.CreateRoleInput{
		RoleName: name, Path: aws.String("/eks/"), AssumeRolePolicyDocument: aws.String(trustAll), Description: aws.String("of nodes"),
		MaxSessionDuration: aws.Int32(7200), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("web")}},
	})).Role
	if *made.Arn != "arn:aws:iam::000000000000:role/eks/node" || !strings.HasPrefix(*made.RoleId, "AROA") || len(*made.RoleId) != 21 || !made.CreateDate.Equal(noon()) {
		t.Errorf("created %s %s at %s", *made.Arn, *made.RoleId, made.CreateDate)
	}
	must[*awsiam.UpdateRoleOutput](t)(i.UpdateRole(ctx, &awsiam.UpdateRoleInput{RoleName: name, MaxSessionDuration: aws.Int32(3600)}))
	must[*awsiam.UpdateRoleDescriptionOutput](t)(i.UpdateRoleDescription(ctx, &awsiam.UpdateRoleDescriptionInput{RoleName: name, Description: aws.String("nodes")}))
	must[*awsiam.UpdateAssumeRolePolicyOutput](t)(i.UpdateAssumeRolePolicy(ctx, &awsiam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: aws.String(trustAll)}))
	got := must[*awsiam.GetRoleOutput](t)(i.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("NODE")})).Role
	doc, err := url.QueryUnescape(*got.AssumeRolePolicyDocument)
	if err != nil || doc != trustAll || *got.MaxSessionDuration != 3600 || *got.Description != "nodes" || len(got.Tags) != 1 {
		t.Errorf("got %s %d %s %v", doc, *got.MaxSessionDuration, *got.Description, got.Tags)
	}
	if l := must[*awsiam.ListRolesOutput](t)(i.ListRoles(ctx, &awsiam.ListRolesInput{PathPrefix: aws.String("/eks/")})); len(l.Roles) != 1 || l.IsTruncated {
		t.Errorf("list %+v", l)
	}

	must[*awsiam.PutRolePolicyOutput](t)(i.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("all"), PolicyDocument: aws.String(everything)}))
	inline := must[*awsiam.GetRolePolicyOutput](t)(i.GetRolePolicy(ctx, &awsiam.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("all")}))
	if doc, err := url.QueryUnescape(*inline.PolicyDocument); err != nil || doc != everything || *inline.RoleName != "node" {
		t.Errorf("inline %s of %s", doc, *inline.RoleName)
	}
	if l := must[*awsiam.ListRolePoliciesOutput](t)(i.ListRolePolicies(ctx, &awsiam.ListRolePoliciesInput{RoleName: name})); len(l.PolicyNames) != 1 {
		t.Errorf("inline policies %v", l.PolicyNames)
	}
	worker := aws.String("arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy")
	must[*awsiam.AttachRolePolicyOutput](t)(i.AttachRolePolicy(ctx, &awsiam.AttachRolePolicyInput{RoleName: name, PolicyArn: worker}))
	l := must[*awsiam.ListAttachedRolePoliciesOutput](t)(i.ListAttachedRolePolicies(ctx, &awsiam.ListAttachedRolePoliciesInput{RoleName: name}))
	if len(l.AttachedPolicies) != 1 || *l.AttachedPolicies[0].PolicyName != "AmazonEKSWorkerNodePolicy" {
		t.Errorf("attached %+v", l.AttachedPolicies)
	}
	must[*awsiam.PutRolePermissionsBoundaryOutput](t)(i.PutRolePermissionsBoundary(ctx, &awsiam.PutRolePermissionsBoundaryInput{RoleName: name, PermissionsBoundary: worker}))
	must[*awsiam.DeleteRolePermissionsBoundaryOutput](t)(i.DeleteRolePermissionsBoundary(ctx, &awsiam.DeleteRolePermissionsBoundaryInput{RoleName: name}))

	profile := aws.String("nodes")
	must[*awsiam.CreateInstanceProfileOutput](t)(i.CreateInstanceProfile(ctx, &awsiam.CreateInstanceProfileInput{InstanceProfileName: profile}))
	must[*awsiam.AddRoleToInstanceProfileOutput](t)(i.AddRoleToInstanceProfile(ctx, &awsiam.AddRoleToInstanceProfileInput{InstanceProfileName: profile, RoleName: name}))
	must[*awsiam.TagInstanceProfileOutput](t)(i.TagInstanceProfile(ctx, &awsiam.TagInstanceProfileInput{InstanceProfileName: profile, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("")}}}))
	must[*awsiam.ListInstanceProfileTagsOutput](t)(i.ListInstanceProfileTags(ctx, &awsiam.ListInstanceProfileTagsInput{InstanceProfileName: profile}))
	must[*awsiam.UntagInstanceProfileOutput](t)(i.UntagInstanceProfile(ctx, &awsiam.UntagInstanceProfileInput{InstanceProfileName: profile, TagKeys: []string{"a"}}))
	p := must[*awsiam.GetInstanceProfileOutput](t)(i.GetInstanceProfile(ctx, &awsiam.GetInstanceProfileInput{InstanceProfileName: profile})).InstanceProfile
	if len(p.Roles) != 1 || *p.Roles[0].RoleName != "node" {
		t.Errorf("profile %+v", p)
	}
	must[*awsiam.ListInstanceProfilesOutput](t)(i.ListInstanceProfiles(ctx, nil))
	if l := must[*awsiam.ListInstanceProfilesForRoleOutput](t)(i.ListInstanceProfilesForRole(ctx, &awsiam.ListInstanceProfilesForRoleInput{RoleName: name})); len(l.InstanceProfiles) != 1 {
		t.Errorf("profiles %+v", l.InstanceProfiles)
	}

	must[*awsiam.TagRoleOutput](t)(i.TagRole(ctx, &awsiam.TagRoleInput{RoleName: name, Tags: []types.Tag{{Key: aws.String("env"), Value: aws.String("x")}}}))
	must[*awsiam.UntagRoleOutput](t)(i.UntagRole(ctx, &awsiam.UntagRoleInput{RoleName: name, TagKeys: []string{"team"}}))
	if l := must[*awsiam.ListRoleTagsOutput](t)(i.ListRoleTags(ctx, &awsiam.ListRoleTagsInput{RoleName: name})); len(l.Tags) != 1 || *l.Tags[0].Key != "env" {
		t.Errorf("tags %+v", l.Tags)
	}
	for _, want := range []struct {
		message string
		remedy  func() error
	}{
		{"must remove roles from instance profile first", func() error {
			_, err := i.RemoveRoleFromInstanceProfile(ctx, &awsiam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: profile, RoleName: name})
			return err
		}},
		{"must detach all policies first", func() error {
			_, err := i.DetachRolePolicy(ctx, &awsiam.DetachRolePolicyInput{RoleName: name, PolicyArn: worker})
			return err
		}},
		{"must delete policies first", func() error {
			_, err := i.DeleteRolePolicy(ctx, &awsiam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("all")})
			return err
		}},
	} {
		_, err := i.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: name})
		if codeOf(err) != "DeleteConflict" || !strings.Contains(err.Error(), want.message) {
			t.Errorf("%v, want %q", err, want.message)
		}
		if err := want.remedy(); err != nil {
			t.Error(err)
		}
	}
	must[*awsiam.DeleteRoleOutput](t)(i.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: name}))
	must[*awsiam.DeleteInstanceProfileOutput](t)(i.DeleteInstanceProfile(ctx, &awsiam.DeleteInstanceProfileInput{InstanceProfileName: profile}))
}

func managedPolicies(t *testing.T, i *awsiam.Client) {
	t.Helper()
	ctx := t.Context()
	p := must[*awsiam.CreatePolicyOutput](t)(i.CreatePolicy(ctx, &awsiam.CreatePolicyInput{
		PolicyName: aws.String("shift"), PolicyDocument: aws.String(everything), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}},
	})).Policy
	if *p.DefaultVersionId != "v1" || *p.Arn != "arn:aws:iam::000000000000:policy/shift" {
		t.Errorf("policy %+v", p)
	}
	narrow := strings.Replace(everything, `"*"`, `"ec2:Describe*"`, 1)
	v := must[*awsiam.CreatePolicyVersionOutput](t)(i.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: p.Arn, PolicyDocument: aws.String(narrow)})).PolicyVersion
	if *v.VersionId != "v2" || v.IsDefaultVersion {
		t.Errorf("version %+v", v)
	}
	must[*awsiam.SetDefaultPolicyVersionOutput](t)(i.SetDefaultPolicyVersion(ctx, &awsiam.SetDefaultPolicyVersionInput{PolicyArn: p.Arn, VersionId: aws.String("v2")}))
	got := must[*awsiam.GetPolicyVersionOutput](t)(i.GetPolicyVersion(ctx, &awsiam.GetPolicyVersionInput{PolicyArn: p.Arn, VersionId: aws.String("v2")})).PolicyVersion
	if doc, err := url.QueryUnescape(*got.Document); err != nil || doc != narrow || !got.IsDefaultVersion {
		t.Errorf("version %s %v", doc, got.IsDefaultVersion)
	}
	if l := must[*awsiam.ListPolicyVersionsOutput](t)(i.ListPolicyVersions(ctx, &awsiam.ListPolicyVersionsInput{PolicyArn: p.Arn})); len(l.Versions) != 2 {
		t.Errorf("versions %+v", l.Versions)
	}
	if _, err := i.DeletePolicyVersion(ctx, &awsiam.DeletePolicyVersionInput{PolicyArn: p.Arn, VersionId: aws.String("v2")}); codeOf(err) != "DeleteConflict" {
		t.Errorf("deleting the version in force: %v", err)
	}
	if _, err := i.DeletePolicy(ctx, &awsiam.DeletePolicyInput{PolicyArn: p.Arn}); codeOf(err) != "DeleteConflict" {
		t.Errorf("deleting a policy with versions: %v", err)
	}
	must[*awsiam.DeletePolicyVersionOutput](t)(i.DeletePolicyVersion(ctx, &awsiam.DeletePolicyVersionInput{PolicyArn: p.Arn, VersionId: aws.String("v1")}))
	must[*awsiam.TagPolicyOutput](t)(i.TagPolicy(ctx, &awsiam.TagPolicyInput{PolicyArn: p.Arn, Tags: []types.Tag{{Key: aws.String("c"), Value: aws.String("d")}}}))
	must[*awsiam.UntagPolicyOutput](t)(i.UntagPolicy(ctx, &awsiam.UntagPolicyInput{PolicyArn: p.Arn, TagKeys: []string{"a"}}))
	if l := must[*awsiam.ListPolicyTagsOutput](t)(i.ListPolicyTags(ctx, &awsiam.ListPolicyTagsInput{PolicyArn: p.Arn})); len(l.Tags) != 1 {
		t.Errorf("tags %+v", l.Tags)
	}
	if l := must[*awsiam.ListPoliciesOutput](t)(i.ListPolicies(ctx, &awsiam.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal})); len(l.Policies) != 1 {
		t.Errorf("policies %+v", l.Policies)
	}
	if l := must[*awsiam.ListPoliciesOutput](t)(i.ListPolicies(ctx, &awsiam.ListPoliciesInput{Scope: types.PolicyScopeTypeAws})); len(l.Policies) < 15 {
		t.Errorf("%d policies of AWS's own", len(l.Policies))
	}
	admin := must[*awsiam.GetPolicyOutput](t)(i.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: aws.String("arn:aws:iam::aws:policy/service-role/AnyName")})).Policy
	if *admin.PolicyName != "AnyName" || *admin.Path != "/service-role/" {
		t.Errorf("AWS's own %+v", admin)
	}

	must[*awsiam.CreateUserOutput](t)(i.CreateUser(ctx, &awsiam.CreateUserInput{UserName: aws.String("sim"), PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/PowerUserAccess")}))
	must[*awsiam.AttachUserPolicyOutput](t)(i.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: aws.String("sim"), PolicyArn: p.Arn}))
	sim := must[*awsiam.SimulatePrincipalPolicyOutput](t)(i.SimulatePrincipalPolicy(ctx, &awsiam.SimulatePrincipalPolicyInput{
		PolicySourceArn: aws.String("arn:aws:iam::000000000000:user/sim"), ActionNames: []string{"ec2:DescribeVpcs", "ec2:DeleteVpc", "iam:ListRoles"},
		PolicyInputList: []string{strings.Replace(everything, `"*"`, `"iam:*"`, 1)},
	}))
	var decisions []string
	for _, r := range sim.EvaluationResults {
		decisions = append(decisions, string(r.EvalDecision))
	}
	if d := strings.Join(decisions, " "); d != "allowed implicitDeny implicitDeny" {
		t.Errorf("decisions %s", d)
	}
	if _, err := i.DeletePolicy(ctx, &awsiam.DeletePolicyInput{PolicyArn: p.Arn}); codeOf(err) != "DeleteConflict" {
		t.Errorf("deleting an attached policy: %v", err)
	}
	if l := must[*awsiam.ListAttachedUserPoliciesOutput](t)(i.ListAttachedUserPolicies(ctx, &awsiam.ListAttachedUserPoliciesInput{UserName: aws.String("sim")})); len(l.AttachedPolicies) != 1 {
		t.Errorf("attached %+v", l.AttachedPolicies)
	}
	must[*awsiam.DetachUserPolicyOutput](t)(i.DetachUserPolicy(ctx, &awsiam.DetachUserPolicyInput{UserName: aws.String("sim"), PolicyArn: p.Arn}))
	must[*awsiam.DeletePolicyOutput](t)(i.DeletePolicy(ctx, &awsiam.DeletePolicyInput{PolicyArn: p.Arn}))
}

func usersAndKeys(t *testing.T, i *awsiam.Client) {
	t.Helper()
	ctx := t.Context()
	name := aws.String("ann")
	must[*awsiam.CreateUserOutput](t)(i.CreateUser(ctx, &awsiam.CreateUserInput{UserName: name}))
	if u := must[*awsiam.GetUserOutput](t)(i.GetUser(ctx, &awsiam.GetUserInput{UserName: name})).User; *u.Arn != "arn:aws:iam::000000000000:user/ann" {
		t.Errorf("user %+v", u)
	}
	must[*awsiam.TagUserOutput](t)(i.TagUser(ctx, &awsiam.TagUserInput{UserName: name, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}))
	must[*awsiam.ListUserTagsOutput](t)(i.ListUserTags(ctx, &awsiam.ListUserTagsInput{UserName: name}))
	must[*awsiam.UntagUserOutput](t)(i.UntagUser(ctx, &awsiam.UntagUserInput{UserName: name, TagKeys: []string{"a"}}))
	must[*awsiam.PutUserPolicyOutput](t)(i.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: name, PolicyName: aws.String("p"), PolicyDocument: aws.String(everything)}))
	must[*awsiam.GetUserPolicyOutput](t)(i.GetUserPolicy(ctx, &awsiam.GetUserPolicyInput{UserName: name, PolicyName: aws.String("p")}))
	must[*awsiam.ListUserPoliciesOutput](t)(i.ListUserPolicies(ctx, &awsiam.ListUserPoliciesInput{UserName: name}))
	must[*awsiam.DeleteUserPolicyOutput](t)(i.DeleteUserPolicy(ctx, &awsiam.DeleteUserPolicyInput{UserName: name, PolicyName: aws.String("p")}))
	k := must[*awsiam.CreateAccessKeyOutput](t)(i.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: name})).AccessKey
	if len(*k.AccessKeyId) != 20 || len(*k.SecretAccessKey) != 40 {
		t.Errorf("key %s %s", *k.AccessKeyId, *k.SecretAccessKey)
	}
	must[*awsiam.UpdateAccessKeyOutput](t)(i.UpdateAccessKey(ctx, &awsiam.UpdateAccessKeyInput{UserName: name, AccessKeyId: k.AccessKeyId, Status: types.StatusTypeInactive}))
	if l := must[*awsiam.ListAccessKeysOutput](t)(i.ListAccessKeys(ctx, &awsiam.ListAccessKeysInput{UserName: name})); len(l.AccessKeyMetadata) != 1 || l.AccessKeyMetadata[0].Status != types.StatusTypeInactive {
		t.Errorf("keys %+v", l.AccessKeyMetadata)
	}
	if _, err := i.DeleteUser(ctx, &awsiam.DeleteUserInput{UserName: name}); codeOf(err) != "DeleteConflict" {
		t.Errorf("deleting a user with a key: %v", err)
	}
	must[*awsiam.DeleteAccessKeyOutput](t)(i.DeleteAccessKey(ctx, &awsiam.DeleteAccessKeyInput{UserName: name, AccessKeyId: k.AccessKeyId}))
	must[*awsiam.DeleteUserOutput](t)(i.DeleteUser(ctx, &awsiam.DeleteUserInput{UserName: name}))
	if l := must[*awsiam.ListUsersOutput](t)(i.ListUsers(ctx, nil)); len(l.Users) != 1 || *l.Users[0].UserName != "sim" {
		t.Errorf("users %+v", l.Users)
	}
}

func providers(t *testing.T, i *awsiam.Client) {
	t.Helper()
	ctx := t.Context()
	arn := must[*awsiam.CreateOpenIDConnectProviderOutput](t)(i.CreateOpenIDConnectProvider(ctx, &awsiam.CreateOpenIDConnectProviderInput{
		Url: aws.String("https://oidc.eks.us-east-1.amazonaws.com/id/1A"), ClientIDList: []string{"sts.amazonaws.com"}, ThumbprintList: []string{strings.Repeat("a", 40)},
	})).OpenIDConnectProviderArn
	if *arn != "arn:aws:iam::000000000000:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/1A" {
		t.Errorf("provider %s", *arn)
	}
	must[*awsiam.AddClientIDToOpenIDConnectProviderOutput](t)(i.AddClientIDToOpenIDConnectProvider(ctx, &awsiam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("x")}))
	must[*awsiam.RemoveClientIDFromOpenIDConnectProviderOutput](t)(i.RemoveClientIDFromOpenIDConnectProvider(ctx, &awsiam.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("sts.amazonaws.com")}))
	must[*awsiam.UpdateOpenIDConnectProviderThumbprintOutput](t)(i.UpdateOpenIDConnectProviderThumbprint(ctx, &awsiam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: arn, ThumbprintList: []string{strings.Repeat("b", 40)}}))
	must[*awsiam.TagOpenIDConnectProviderOutput](t)(i.TagOpenIDConnectProvider(ctx, &awsiam.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}))
	must[*awsiam.ListOpenIDConnectProviderTagsOutput](t)(i.ListOpenIDConnectProviderTags(ctx, &awsiam.ListOpenIDConnectProviderTagsInput{OpenIDConnectProviderArn: arn}))
	must[*awsiam.UntagOpenIDConnectProviderOutput](t)(i.UntagOpenIDConnectProvider(ctx, &awsiam.UntagOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, TagKeys: []string{"a"}}))
	p := must[*awsiam.GetOpenIDConnectProviderOutput](t)(i.GetOpenIDConnectProvider(ctx, &awsiam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn}))
	if *p.Url != "oidc.eks.us-east-1.amazonaws.com/id/1A" || len(p.ClientIDList) != 1 || p.ClientIDList[0] != "x" || p.ThumbprintList[0][0] != 'b' {
		t.Errorf("provider %+v", p)
	}
	if l := must[*awsiam.ListOpenIDConnectProvidersOutput](t)(i.ListOpenIDConnectProviders(ctx, nil)); len(l.OpenIDConnectProviderList) != 1 {
		t.Errorf("providers %+v", l.OpenIDConnectProviderList)
	}
	must[*awsiam.DeleteOpenIDConnectProviderOutput](t)(i.DeleteOpenIDConnectProvider(ctx, &awsiam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn}))
}

func TestPagesHoldEveryRoleOnce(t *testing.T) {
	c := start(t, iam.Config{MaxPageSize: 3}, false)
	i := c.iam(lab())
	for n := range 8 {
		must[*awsiam.CreateRoleOutput](t)(i.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: aws.String("r" + string(rune('a'+n))), AssumeRolePolicyDocument: aws.String(trustAll)}))
	}
	var names []string
	pages := 0
	for p := awsiam.NewListRolesPaginator(i, &awsiam.ListRolesInput{}); p.HasMorePages(); pages++ {
		for _, r := range must[*awsiam.ListRolesOutput](t)(p.NextPage(t.Context())).Roles {
			names = append(names, *r.RoleName)
		}
	}
	if got := strings.Join(names, ""); got != "rarbrcrdrerfrgrh" || pages != 3 {
		t.Errorf("%s in %d pages", got, pages)
	}
	_, err := i.ListRoles(t.Context(), &awsiam.ListRolesInput{MaxItems: aws.Int32(1001)})
	c.wantCode(err, "ValidationError", "1 to 1000")
	_, err = i.ListRoles(t.Context(), &awsiam.ListRolesInput{Marker: aws.String("%")})
	c.wantCode(err, "ValidationError", "Marker")
}
