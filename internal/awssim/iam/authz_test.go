package iam_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/norikae/norikae/internal/awssim/iam"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

func policy(action, resource, more string) *string {
	return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"` + more + `}]}`)
}

// A user with a key of its own, who may do what its policies say and nothing else.
func TestUsersDoWhatTheirPoliciesAllow(t *testing.T) {
	c := start(t, iam.Config{}, true)
	ctx := t.Context()
	admin := c.iam(lab())
	ann := aws.String("ann")
	wiretest.Must(admin.CreateUser(ctx, &awsiam.CreateUserInput{UserName: ann}))(t)
	k := wiretest.Must(admin.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: ann}))(t).AccessKey
	creds := static(*k.AccessKeyId, *k.SecretAccessKey, "")
	i := c.iam(creds)

	me := wiretest.Must(c.sts(creds).GetCallerIdentity(ctx, nil))(t)
	if *me.Arn != "arn:aws:iam::000000000000:user/ann" || !strings.HasPrefix(*me.UserId, "AIDA") {
		t.Errorf("ann is %s %s", *me.Arn, *me.UserId)
	}
	_, err := i.ListRoles(ctx, nil)
	c.wantCode(err, "AccessDenied", "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: iam:ListRoles on resource: "+
		"arn:aws:iam::000000000000:role/ because no identity-based policy allows the iam:ListRoles action")

	wiretest.Must(admin.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{
		UserName: ann, PolicyName: aws.String("own"), PolicyDocument: policy("iam:*AccessKey*", "arn:aws:iam::*:user/${aws:username}", ""),
	}))(t)
	keys := wiretest.Must(i.ListAccessKeys(ctx, nil))(t) // its own, which it need not name
	if len(keys.AccessKeyMetadata) != 1 {
		t.Errorf("keys %+v", keys.AccessKeyMetadata)
	}
	wiretest.Must(admin.CreateUser(ctx, &awsiam.CreateUserInput{UserName: aws.String("bob")}))(t)
	_, err = i.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: aws.String("bob")})
	c.wantCode(err, "AccessDenied", "user/bob")

	_, err = c.iam(static(*k.AccessKeyId, "wrong", "")).ListAccessKeys(ctx, nil)
	c.wantCode(err, "SignatureDoesNotMatch", "")
	session := wiretest.Must(c.sts(creds).GetSessionToken(ctx, nil))(t).Credentials
	temporary := static(*session.AccessKeyId, *session.SecretAccessKey, *session.SessionToken)
	wiretest.Must(c.iam(temporary).ListAccessKeys(ctx, &awsiam.ListAccessKeysInput{UserName: ann}))(t)
	_, err = c.sts(temporary).GetSessionToken(ctx, nil)
	c.wantCode(err, "AccessDenied", "Cannot call GetSessionToken with session credentials")
	info := wiretest.Must(c.sts(lab()).GetAccessKeyInfo(ctx, &awssts.GetAccessKeyInfoInput{AccessKeyId: k.AccessKeyId}))(t)
	if *info.Account != account {
		t.Errorf("the key is of %s", *info.Account)
	}

	wiretest.Must(i.UpdateAccessKey(ctx, &awsiam.UpdateAccessKeyInput{AccessKeyId: k.AccessKeyId, Status: types.StatusTypeInactive}))(t)
	_, err = i.ListAccessKeys(ctx, nil)
	c.wantCode(err, "InvalidClientTokenId", "")
	wiretest.Must(admin.DeleteAccessKey(ctx, &awsiam.DeleteAccessKeyInput{UserName: ann, AccessKeyId: k.AccessKeyId}))(t)
	_, err = i.ListAccessKeys(ctx, nil)
	c.wantCode(err, "InvalidClientTokenId", "")
	_, err = c.iam(temporary).ListAccessKeys(ctx, &awsiam.ListAccessKeysInput{UserName: ann})
	c.wantCode(err, "AccessDenied", "")
}

// Two roles: a pipeline's, which may assume the shifter's with an external id.
func TestRolesAreAssumedAsTheirTrustPoliciesSay(t *testing.T) {
	c := start(t, iam.Config{}, true)
	ctx := t.Context()
	admin := c.iam(lab())
	role := func(name, trust string, policies ...*string) string {
		t.Helper()
		out := wiretest.Must(admin.CreateRole(ctx, &awsiam.CreateRoleInput{
			RoleName: aws.String(name), AssumeRolePolicyDocument: aws.String(trust), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("web")}},
		}))(t)
		for _, p := range policies {
			wiretest.Must(admin.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: aws.String(name), PolicyName: aws.String("p"), PolicyDocument: p}))(t)
		}
		return *out.Role.Arn
	}
	ci := role("ci", trustAll, policy("sts:*", "arn:aws:iam::000000000000:role/shift*", ""))
	shift := role("shift", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Principal":{"AWS":"`+ci+`"},
		"Condition":{"StringEquals":{"sts:ExternalId":"x-1"}}}]}`, policy("iam:Get*", "*", `,"Condition":{"StringEquals":{"aws:PrincipalTag/team":"${aws:ResourceTag/team}"}}`))

	assume := func(by *awssts.Client, in *awssts.AssumeRoleInput) (*awssts.Client, *awsiam.Client, *awssts.AssumeRoleOutput, error) {
		if in.RoleSessionName == nil {
			in.RoleSessionName = aws.String("run-1")
		}
		out, err := by.AssumeRole(ctx, in)
		if err != nil {
			return nil, nil, nil, err
		}
		p := static(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
		return c.sts(p), c.iam(p), out, nil
	}
	_, _, _, err := assume(c.sts(lab()), &awssts.AssumeRoleInput{RoleArn: aws.String(ci + "x")})
	c.wantCode(err, "AccessDenied", "User: arn:aws:iam::000000000000:user/lab is not authorized to perform: sts:AssumeRole on resource: "+ci+"x")
	_, _, _, err = assume(c.sts(lab()), &awssts.AssumeRoleInput{RoleArn: &shift, ExternalId: aws.String("x-1")})
	c.wantCode(err, "AccessDenied", "shift") // only ci is trusted, and an administrator is not ci

	pipeline, asCI, out, err := assume(c.sts(lab()), &awssts.AssumeRoleInput{RoleArn: &ci})
	if err != nil {
		t.Fatal(err)
	}
	if got := wiretest.Must(admin.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("ci")}))(t); *out.AssumedRoleUser.AssumedRoleId != *got.Role.RoleId+":run-1" {
		t.Errorf("the session is %s, the role %s", *out.AssumedRoleUser.AssumedRoleId, *got.Role.RoleId)
	}
	_, err = asCI.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("ci")})
	c.wantCode(err, "AccessDenied", "User: arn:aws:sts::000000000000:assumed-role/ci/run-1 is not authorized to perform: iam:GetRole")
	_, _, _, err = assume(pipeline, &awssts.AssumeRoleInput{RoleArn: &shift})
	c.wantCode(err, "AccessDenied", "sts:AssumeRole on resource: "+shift)
	_, _, _, err = assume(pipeline, &awssts.AssumeRoleInput{RoleArn: &shift, ExternalId: aws.String("x-2")})
	c.wantCode(err, "AccessDenied", "")
	_, _, _, err = assume(pipeline, &awssts.AssumeRoleInput{RoleArn: &shift, ExternalId: aws.String("x-1"), DurationSeconds: aws.Int32(3601)})
	c.wantCode(err, "ValidationError", "role chaining")
	_, _, _, err = assume(c.sts(lab()), &awssts.AssumeRoleInput{RoleArn: &ci, DurationSeconds: aws.Int32(3601)})
	c.wantCode(err, "ValidationError", "MaxSessionDuration")
	_, _, _, err = assume(pipeline, &awssts.AssumeRoleInput{RoleArn: &shift, ExternalId: aws.String("x-1"), SourceIdentity: aws.String("ann")})
	c.wantCode(err, "AccessDenied", "sts:SetSourceIdentity")

	_, shifter, _, err := assume(pipeline, &awssts.AssumeRoleInput{RoleArn: &shift, ExternalId: aws.String("x-1")})
	if err != nil {
		t.Fatal(err)
	}
	wiretest.Must(shifter.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("ci")}))(t) // the team's tag is on role and resource

	// A session tag overrides the role's own, and a session policy takes away.
	_, tagged, _, err := assume(pipeline, &awssts.AssumeRoleInput{
		RoleArn: &shift, ExternalId: aws.String("x-1"), Tags: []ststypes.Tag{{Key: aws.String("team"), Value: aws.String("db")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = tagged.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("ci")})
	c.wantCode(err, "AccessDenied", "no identity-based policy")
	_, narrow, _, err := assume(pipeline, &awssts.AssumeRoleInput{RoleArn: &shift, ExternalId: aws.String("x-1"), Policy: policy("ec2:*", "*", "")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = narrow.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("ci")})
	c.wantCode(err, "AccessDenied", "no session policy allows the iam:GetRole action")
	_, _, _, err = assume(pipeline, &awssts.AssumeRoleInput{RoleArn: &shift, ExternalId: aws.String("x-1"), Policy: aws.String("{")})
	c.wantCode(err, "MalformedPolicyDocument", "")
	_, _, _, err = assume(pipeline, &awssts.AssumeRoleInput{
		RoleArn: &shift, ExternalId: aws.String("x-1"), PolicyArns: []ststypes.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::000000000000:policy/none")}},
	})
	c.wantCode(err, "ValidationError", "policy/none")

	// Policies count as they are now, not as they were when the session began.
	wiretest.Must(admin.DeleteRolePolicy(ctx, &awsiam.DeleteRolePolicyInput{RoleName: aws.String("shift"), PolicyName: aws.String("p")}))(t)
	_, err = shifter.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("ci")})
	c.wantCode(err, "AccessDenied", "no identity-based policy")
}
