package iam_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/norikae/norikae/internal/awssim/iam"
	"github.com/norikae/norikae/internal/awssim/wiretest"
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
	made := wiretest.Must(i.CreateRole(ctx, &awsiam.CreateRoleInput{
		RoleName: name, Path: aws.String("/eks/"), AssumeRolePolicyDocument: aws.String(trustAll), Description: aws.String("of nodes"),
		MaxSessionDuration: aws.Int32(7200), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("web")}},
	}))(t).Role
	if *made.Arn != "arn:aws:iam::000000000000:role/eks/node" || !strings.HasPrefix(*made.RoleId, "AROA") || len(*made.RoleId) != 21 || !made.CreateDate.Equal(noon()) {
		t.Errorf("created %s %s at %s", *made.Arn, *made.RoleId, made.CreateDate)
	}
	wiretest.Must(i.UpdateRole(ctx, &awsiam.UpdateRoleInput{RoleName: name, MaxSessionDuration: aws.Int32(3600)}))(t)
	wiretest.Must(i.UpdateRoleDescription(ctx, &awsiam.UpdateRoleDescriptionInput{RoleName: name, Description: aws.String("nodes")}))(t)
	wiretest.Must(i.UpdateAssumeRolePolicy(ctx, &awsiam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: aws.String(trustAll)}))(t)
	got := wiretest.Must(i.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("NODE")}))(t).Role
	doc, err := url.QueryUnescape(*got.AssumeRolePolicyDocument)
	if err != nil || doc != trustAll || *got.MaxSessionDuration != 3600 || *got.Description != "nodes" || len(got.Tags) != 1 {
		t.Errorf("got %s %d %s %v", doc, *got.MaxSessionDuration, *got.Description, got.Tags)
	}
	if l := wiretest.Must(i.ListRoles(ctx, &awsiam.ListRolesInput{PathPrefix: aws.String("/eks/")}))(t); len(l.Roles) != 1 || l.IsTruncated {
		t.Errorf("list %+v", l)
	}

	wiretest.Must(i.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("all"), PolicyDocument: aws.String(everything)}))(t)
	inline := wiretest.Must(i.GetRolePolicy(ctx, &awsiam.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("all")}))(t)
	if doc, err := url.QueryUnescape(*inline.PolicyDocument); err != nil || doc != everything || *inline.RoleName != "node" {
		t.Errorf("inline %s of %s", doc, *inline.RoleName)
	}
	if l := wiretest.Must(i.ListRolePolicies(ctx, &awsiam.ListRolePoliciesInput{RoleName: name}))(t); len(l.PolicyNames) != 1 {
		t.Errorf("inline policies %v", l.PolicyNames)
	}
	worker := aws.String("arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy")
	wiretest.Must(i.AttachRolePolicy(ctx, &awsiam.AttachRolePolicyInput{RoleName: name, PolicyArn: worker}))(t)
	l := wiretest.Must(i.ListAttachedRolePolicies(ctx, &awsiam.ListAttachedRolePoliciesInput{RoleName: name}))(t)
	if len(l.AttachedPolicies) != 1 || *l.AttachedPolicies[0].PolicyName != "AmazonEKSWorkerNodePolicy" {
		t.Errorf("attached %+v", l.AttachedPolicies)
	}
	wiretest.Must(i.PutRolePermissionsBoundary(ctx, &awsiam.PutRolePermissionsBoundaryInput{RoleName: name, PermissionsBoundary: worker}))(t)
	wiretest.Must(i.DeleteRolePermissionsBoundary(ctx, &awsiam.DeleteRolePermissionsBoundaryInput{RoleName: name}))(t)

	profile := aws.String("nodes")
	wiretest.Must(i.CreateInstanceProfile(ctx, &awsiam.CreateInstanceProfileInput{InstanceProfileName: profile}))(t)
	wiretest.Must(i.AddRoleToInstanceProfile(ctx, &awsiam.AddRoleToInstanceProfileInput{InstanceProfileName: profile, RoleName: name}))(t)
	wiretest.Must(i.TagInstanceProfile(ctx, &awsiam.TagInstanceProfileInput{InstanceProfileName: profile, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("")}}}))(t)
	wiretest.Must(i.ListInstanceProfileTags(ctx, &awsiam.ListInstanceProfileTagsInput{InstanceProfileName: profile}))(t)
	wiretest.Must(i.UntagInstanceProfile(ctx, &awsiam.UntagInstanceProfileInput{InstanceProfileName: profile, TagKeys: []string{"a"}}))(t)
	p := wiretest.Must(i.GetInstanceProfile(ctx, &awsiam.GetInstanceProfileInput{InstanceProfileName: profile}))(t).InstanceProfile
	if len(p.Roles) != 1 || *p.Roles[0].RoleName != "node" {
		t.Errorf("profile %+v", p)
	}
	wiretest.Must(i.ListInstanceProfiles(ctx, nil))(t)
	if l := wiretest.Must(i.ListInstanceProfilesForRole(ctx, &awsiam.ListInstanceProfilesForRoleInput{RoleName: name}))(t); len(l.InstanceProfiles) != 1 {
		t.Errorf("profiles %+v", l.InstanceProfiles)
	}

	wiretest.Must(i.TagRole(ctx, &awsiam.TagRoleInput{RoleName: name, Tags: []types.Tag{{Key: aws.String("env"), Value: aws.String("x")}}}))(t)
	wiretest.Must(i.UntagRole(ctx, &awsiam.UntagRoleInput{RoleName: name, TagKeys: []string{"team"}}))(t)
	if l := wiretest.Must(i.ListRoleTags(ctx, &awsiam.ListRoleTagsInput{RoleName: name}))(t); len(l.Tags) != 1 || *l.Tags[0].Key != "env" {
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
		if wiretest.Code(err) != "DeleteConflict" || !strings.Contains(err.Error(), want.message) {
			t.Errorf("%v, want %q", err, want.message)
		}
		if err := want.remedy(); err != nil {
			t.Error(err)
		}
	}
	wiretest.Must(i.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: name}))(t)
	wiretest.Must(i.DeleteInstanceProfile(ctx, &awsiam.DeleteInstanceProfileInput{InstanceProfileName: profile}))(t)
}

func managedPolicies(t *testing.T, i *awsiam.Client) {
	t.Helper()
	ctx := t.Context()
	p := wiretest.Must(i.CreatePolicy(ctx, &awsiam.CreatePolicyInput{
		PolicyName: aws.String("shift"), PolicyDocument: aws.String(everything), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}},
	}))(t).Policy
	if *p.DefaultVersionId != "v1" || *p.Arn != "arn:aws:iam::000000000000:policy/shift" {
		t.Errorf("policy %+v", p)
	}
	narrow := strings.Replace(everything, `"*"`, `"ec2:Describe*"`, 1)
	v := wiretest.Must(i.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: p.Arn, PolicyDocument: aws.String(narrow)}))(t).PolicyVersion
	if *v.VersionId != "v2" || v.IsDefaultVersion {
		t.Errorf("version %+v", v)
	}
	wiretest.Must(i.SetDefaultPolicyVersion(ctx, &awsiam.SetDefaultPolicyVersionInput{PolicyArn: p.Arn, VersionId: aws.String("v2")}))(t)
	got := wiretest.Must(i.GetPolicyVersion(ctx, &awsiam.GetPolicyVersionInput{PolicyArn: p.Arn, VersionId: aws.String("v2")}))(t).PolicyVersion
	if doc, err := url.QueryUnescape(*got.Document); err != nil || doc != narrow || !got.IsDefaultVersion {
		t.Errorf("version %s %v", doc, got.IsDefaultVersion)
	}
	if l := wiretest.Must(i.ListPolicyVersions(ctx, &awsiam.ListPolicyVersionsInput{PolicyArn: p.Arn}))(t); len(l.Versions) != 2 {
		t.Errorf("versions %+v", l.Versions)
	}
	if _, err := i.DeletePolicyVersion(ctx, &awsiam.DeletePolicyVersionInput{PolicyArn: p.Arn, VersionId: aws.String("v2")}); wiretest.Code(err) != "DeleteConflict" {
		t.Errorf("deleting the version in force: %v", err)
	}
	if _, err := i.DeletePolicy(ctx, &awsiam.DeletePolicyInput{PolicyArn: p.Arn}); wiretest.Code(err) != "DeleteConflict" {
		t.Errorf("deleting a policy with versions: %v", err)
	}
	wiretest.Must(i.DeletePolicyVersion(ctx, &awsiam.DeletePolicyVersionInput{PolicyArn: p.Arn, VersionId: aws.String("v1")}))(t)
	wiretest.Must(i.TagPolicy(ctx, &awsiam.TagPolicyInput{PolicyArn: p.Arn, Tags: []types.Tag{{Key: aws.String("c"), Value: aws.String("d")}}}))(t)
	wiretest.Must(i.UntagPolicy(ctx, &awsiam.UntagPolicyInput{PolicyArn: p.Arn, TagKeys: []string{"a"}}))(t)
	if l := wiretest.Must(i.ListPolicyTags(ctx, &awsiam.ListPolicyTagsInput{PolicyArn: p.Arn}))(t); len(l.Tags) != 1 {
		t.Errorf("tags %+v", l.Tags)
	}
	if l := wiretest.Must(i.ListPolicies(ctx, &awsiam.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal}))(t); len(l.Policies) != 1 {
		t.Errorf("policies %+v", l.Policies)
	}
	if l := wiretest.Must(i.ListPolicies(ctx, &awsiam.ListPoliciesInput{Scope: types.PolicyScopeTypeAws}))(t); len(l.Policies) < 15 {
		t.Errorf("%d policies of AWS's own", len(l.Policies))
	}
	admin := wiretest.Must(i.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: aws.String("arn:aws:iam::aws:policy/service-role/AnyName")}))(t).Policy
	if *admin.PolicyName != "AnyName" || *admin.Path != "/service-role/" {
		t.Errorf("AWS's own %+v", admin)
	}

	wiretest.Must(i.CreateUser(ctx, &awsiam.CreateUserInput{UserName: aws.String("sim"), PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/PowerUserAccess")}))(t)
	wiretest.Must(i.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: aws.String("sim"), PolicyArn: p.Arn}))(t)
	sim := wiretest.Must(i.SimulatePrincipalPolicy(ctx, &awsiam.SimulatePrincipalPolicyInput{
		PolicySourceArn: aws.String("arn:aws:iam::000000000000:user/sim"), ActionNames: []string{"ec2:DescribeVpcs", "ec2:DeleteVpc", "iam:ListRoles"},
		PolicyInputList: []string{strings.Replace(everything, `"*"`, `"iam:*"`, 1)},
	}))(t)
	var decisions []string
	for _, r := range sim.EvaluationResults {
		decisions = append(decisions, string(r.EvalDecision))
	}
	if d := strings.Join(decisions, " "); d != "allowed implicitDeny implicitDeny" {
		t.Errorf("decisions %s", d)
	}
	if _, err := i.DeletePolicy(ctx, &awsiam.DeletePolicyInput{PolicyArn: p.Arn}); wiretest.Code(err) != "DeleteConflict" {
		t.Errorf("deleting an attached policy: %v", err)
	}
	if l := wiretest.Must(i.ListAttachedUserPolicies(ctx, &awsiam.ListAttachedUserPoliciesInput{UserName: aws.String("sim")}))(t); len(l.AttachedPolicies) != 1 {
		t.Errorf("attached %+v", l.AttachedPolicies)
	}
	wiretest.Must(i.DetachUserPolicy(ctx, &awsiam.DetachUserPolicyInput{UserName: aws.String("sim"), PolicyArn: p.Arn}))(t)
	wiretest.Must(i.DeletePolicy(ctx, &awsiam.DeletePolicyInput{PolicyArn: p.Arn}))(t)
}

func usersAndKeys(t *testing.T, i *awsiam.Client) {
	t.Helper()
	ctx := t.Context()
	name := aws.String("ann")
	wiretest.Must(i.CreateUser(ctx, &awsiam.CreateUserInput{UserName: name}))(t)
	if u := wiretest.Must(i.GetUser(ctx, &awsiam.GetUserInput{UserName: name}))(t).User; *u.Arn != "arn:aws:iam::000000000000:user/ann" {
		t.Errorf("user %+v", u)
	}
	wiretest.Must(i.TagUser(ctx, &awsiam.TagUserInput{UserName: name, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}))(t)
	wiretest.Must(i.ListUserTags(ctx, &awsiam.ListUserTagsInput{UserName: name}))(t)
	wiretest.Must(i.UntagUser(ctx, &awsiam.UntagUserInput{UserName: name, TagKeys: []string{"a"}}))(t)
	wiretest.Must(i.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: name, PolicyName: aws.String("p"), PolicyDocument: aws.String(everything)}))(t)
	wiretest.Must(i.GetUserPolicy(ctx, &awsiam.GetUserPolicyInput{UserName: name, PolicyName: aws.String("p")}))(t)
	wiretest.Must(i.ListUserPolicies(ctx, &awsiam.ListUserPoliciesInput{UserName: name}))(t)
	wiretest.Must(i.DeleteUserPolicy(ctx, &awsiam.DeleteUserPolicyInput{UserName: name, PolicyName: aws.String("p")}))(t)
	k := wiretest.Must(i.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: name}))(t).AccessKey
	if len(*k.AccessKeyId) != 20 || len(*k.SecretAccessKey) != 40 {
		t.Errorf("key %s %s", *k.AccessKeyId, *k.SecretAccessKey)
	}
	wiretest.Must(i.UpdateAccessKey(ctx, &awsiam.UpdateAccessKeyInput{UserName: name, AccessKeyId: k.AccessKeyId, Status: types.StatusTypeInactive}))(t)
	if l := wiretest.Must(i.ListAccessKeys(ctx, &awsiam.ListAccessKeysInput{UserName: name}))(t); len(l.AccessKeyMetadata) != 1 || l.AccessKeyMetadata[0].Status != types.StatusTypeInactive {
		t.Errorf("keys %+v", l.AccessKeyMetadata)
	}
	if _, err := i.DeleteUser(ctx, &awsiam.DeleteUserInput{UserName: name}); wiretest.Code(err) != "DeleteConflict" {
		t.Errorf("deleting a user with a key: %v", err)
	}
	wiretest.Must(i.DeleteAccessKey(ctx, &awsiam.DeleteAccessKeyInput{UserName: name, AccessKeyId: k.AccessKeyId}))(t)
	wiretest.Must(i.DeleteUser(ctx, &awsiam.DeleteUserInput{UserName: name}))(t)
	if l := wiretest.Must(i.ListUsers(ctx, nil))(t); len(l.Users) != 1 || *l.Users[0].UserName != "sim" {
		t.Errorf("users %+v", l.Users)
	}
}

func providers(t *testing.T, i *awsiam.Client) {
	t.Helper()
	ctx := t.Context()
	arn := wiretest.Must(i.CreateOpenIDConnectProvider(ctx, &awsiam.CreateOpenIDConnectProviderInput{
		Url: aws.String("https://oidc.eks.us-east-1.amazonaws.com/id/1A"), ClientIDList: []string{"sts.amazonaws.com"}, ThumbprintList: []string{strings.Repeat("a", 40)},
	}))(t).OpenIDConnectProviderArn
	if *arn != "arn:aws:iam::000000000000:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/1A" {
		t.Errorf("provider %s", *arn)
	}
	wiretest.Must(i.AddClientIDToOpenIDConnectProvider(ctx, &awsiam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("x")}))(t)
	wiretest.Must(i.RemoveClientIDFromOpenIDConnectProvider(ctx, &awsiam.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("sts.amazonaws.com")}))(t)
	wiretest.Must(i.UpdateOpenIDConnectProviderThumbprint(ctx, &awsiam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: arn, ThumbprintList: []string{strings.Repeat("b", 40)}}))(t)
	wiretest.Must(i.TagOpenIDConnectProvider(ctx, &awsiam.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}))(t)
	wiretest.Must(i.ListOpenIDConnectProviderTags(ctx, &awsiam.ListOpenIDConnectProviderTagsInput{OpenIDConnectProviderArn: arn}))(t)
	wiretest.Must(i.UntagOpenIDConnectProvider(ctx, &awsiam.UntagOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, TagKeys: []string{"a"}}))(t)
	p := wiretest.Must(i.GetOpenIDConnectProvider(ctx, &awsiam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn}))(t)
	if *p.Url != "oidc.eks.us-east-1.amazonaws.com/id/1A" || len(p.ClientIDList) != 1 || p.ClientIDList[0] != "x" || p.ThumbprintList[0][0] != 'b' {
		t.Errorf("provider %+v", p)
	}
	if l := wiretest.Must(i.ListOpenIDConnectProviders(ctx, nil))(t); len(l.OpenIDConnectProviderList) != 1 {
		t.Errorf("providers %+v", l.OpenIDConnectProviderList)
	}
	wiretest.Must(i.DeleteOpenIDConnectProvider(ctx, &awsiam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn}))(t)
}

func TestPagesHoldEveryRoleOnce(t *testing.T) {
	c := start(t, iam.Config{MaxPageSize: 3}, false)
	i := c.iam(lab())
	for n := range 8 {
		wiretest.Must(i.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: aws.String("r" + string(rune('a'+n))), AssumeRolePolicyDocument: aws.String(trustAll)}))(t)
	}
	var names []string
	pages := 0
	for p := awsiam.NewListRolesPaginator(i, &awsiam.ListRolesInput{}); p.HasMorePages(); pages++ {
		for _, r := range wiretest.Must(p.NextPage(t.Context()))(t).Roles {
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
