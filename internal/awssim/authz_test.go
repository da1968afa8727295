package awssim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/norikae/norikae/internal/awssim"
)

// role makes a role whose one policy allows what statements say, and assumes it.
func (f fixture) role(t *testing.T, name, statements string) aws.CredentialsProvider {
	t.Helper()
	admin := f.config("us-east-1", nil)
	c := iam.NewFromConfig(admin)
	arn := do(t, c.CreateRole, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trustAll)}).Role.Arn
	do(t, c.PutRolePolicy, &iam.PutRolePolicyInput{
		RoleName: &name, PolicyName: aws.String("may"), PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[` + statements + `]}`),
	})
	return sessionOf(do(t, sts.NewFromConfig(admin).AssumeRole, &sts.AssumeRoleInput{RoleArn: arn, RoleSessionName: aws.String("test")}).Credentials)
}

// sessionOf are temporary credentials as clients have them.
func sessionOf(c *ststypes.Credentials) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
}

func denied(t *testing.T, err error, want string) {
	t.Helper()
	if code := codeOf(err); !strings.HasPrefix(code, "AccessDenied") || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want AccessDenied for %s", err, want)
	}
}

const shifterOfRules = `
	{"Effect":"Allow","Resource":"*","Action":["elasticloadbalancing:DescribeListeners","elasticloadbalancing:DescribeRules","elasticloadbalancing:DescribeTags",
		"elasticloadbalancing:DescribeTargetGroups","elasticloadbalancing:DescribeTargetHealth","cloudwatch:GetMetricData"]},
	{"Effect":"Allow","Resource":"arn:*:elasticloadbalancing:*:*:listener-rule/app/*","Action":["elasticloadbalancing:ModifyRule","elasticloadbalancing:AddTags"]}`

func TestARoleOfRulesDoesWhatItsPolicySaysAndNothingElse(t *testing.T) {
	virtually(t, awssim.Config{World: awssim.WorldBlueGreen, Authz: true}, func(t *testing.T, f fixture) {
		ctx, w := t.Context(), f.World()
		cfg := f.config("us-east-1", f.role(t, "shifter", shifterOfRules))
		c := elb.NewFromConfig(cfg)
		blue, green := w.TargetGroups[0].ARN, w.TargetGroups[1].ARN
		do(t, c.DescribeRules, &elb.DescribeRulesInput{RuleArns: []string{w.RuleARN}})
		do(t, c.ModifyRule, &elb.ModifyRuleInput{RuleArn: &w.RuleARN, Actions: forward(blue, 90, green, 10)})
		mark := []elbtypes.Tag{{Key: aws.String("mark"), Value: aws.String("x")}}
		do(t, c.AddTags, &elb.AddTagsInput{ResourceArns: []string{w.RuleARN}, Tags: mark})
		now := time.Now()
		do(t, cloudwatch.NewFromConfig(cfg).GetMetricData, &cloudwatch.GetMetricDataInput{StartTime: aws.Time(now.Add(-time.Hour)), EndTime: &now, MetricDataQueries: []cwtypes.MetricDataQuery{
			{Id: aws.String("m"), MetricStat: &cwtypes.MetricStat{Metric: &cwtypes.Metric{Namespace: aws.String("AWS/ApplicationELB"), MetricName: aws.String("RequestCount")}, Period: aws.Int32(60), Stat: aws.String("Sum")}},
		}})

		_, err := c.AddTags(ctx, &elb.AddTagsInput{ResourceArns: []string{blue}, Tags: mark})
		denied(t, err, "assumed-role/shifter/test is not authorized to perform: elasticloadbalancing:AddTags on resource: "+blue)
		_, err = c.ModifyListener(ctx, &elb.ModifyListenerInput{ListenerArn: &w.ListenerARN, DefaultActions: forward(blue, 0, green, 1)})
		denied(t, err, "elasticloadbalancing:ModifyListener on resource: "+w.ListenerARN)
		_, err = c.DeleteRule(ctx, &elb.DeleteRuleInput{RuleArn: &w.RuleARN})
		denied(t, err, "elasticloadbalancing:DeleteRule on resource: "+w.RuleARN)
		_, err = iam.NewFromConfig(cfg).ListRoles(ctx, &iam.ListRolesInput{})
		denied(t, err, "iam:ListRoles")
		_, err = eks.NewFromConfig(cfg).ListClusters(ctx, &eks.ListClustersInput{})
		denied(t, err, "eks:ListClusters")
		rule := do(t, f.admin().DescribeRules, &elb.DescribeRulesInput{RuleArns: []string{w.RuleARN}}).Rules[0]
		if got := *rule.Actions[0].ForwardConfig.TargetGroups[1].Weight; got != 10 {
			t.Errorf("green has %d", got)
		}
	})
}

// admin is a client with the lab's own credentials: the fixture's others are somebody's
// whom an authorizing lab does not know.
func (f fixture) admin() *elb.Client { return elb.NewFromConfig(f.config("us-east-1", nil)) }

func TestARoleOfRecordsDoesWhatItsPolicySaysAndNothingElse(t *testing.T) {
	virtually(t, awssim.Config{World: awssim.WorldRoute53, Authz: true}, func(t *testing.T, f fixture) {
		ctx, w := t.Context(), f.World()
		c := route53.NewFromConfig(f.config("us-east-1", f.role(t, "shifter", `
			{"Effect":"Allow","Resource":"*","Action":["route53:GetChange","route53:GetHostedZone","route53:ListResourceRecordSets"]},
			{"Effect":"Allow","Resource":"arn:aws:route53:::hostedzone/`+w.HostedZoneID+`","Action":"route53:ChangeResourceRecordSets"}`)))
		zone := func(id string) *route53.ChangeResourceRecordSetsInput {
			in := f.moveRecords(t, 50, 50)
			in.HostedZoneId = &id
			return in
		}
		do(t, c.GetHostedZone, &route53.GetHostedZoneInput{Id: &w.HostedZoneID})
		change := do(t, c.ChangeResourceRecordSets, zone(w.HostedZoneID)).ChangeInfo
		do(t, c.GetChange, &route53.GetChangeInput{Id: change.Id})
		_, err := c.ChangeResourceRecordSets(ctx, zone("Z0OTHER"))
		denied(t, err, "route53:ChangeResourceRecordSets on resource: arn:aws:route53:::hostedzone/Z0OTHER")
		_, err = c.CreateHostedZone(ctx, &route53.CreateHostedZoneInput{Name: aws.String("example.org"), CallerReference: aws.String("x")})
		denied(t, err, "route53:CreateHostedZone")
	})
}

func TestAuthorizationWantsSignatures(t *testing.T) {
	virtually(t, awssim.Config{Authz: true}, func(t *testing.T, f fixture) {
		cfg := f.config("us-east-1", credentials.NewStaticCredentialsProvider("FAKEKEYOFTHELAB", "another-secret", ""))
		_, err := elb.NewFromConfig(cfg).DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{})
		if codeOf(err) != "SignatureDoesNotMatch" {
			t.Errorf("a wrong secret: %v", err)
		}
		_, err = eks.NewFromConfig(cfg).ListClusters(t.Context(), &eks.ListClustersInput{})
		if codeOf(err) != "InvalidSignatureException" {
			t.Errorf("a wrong secret: %v", err)
		}
		_, err = f.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		if codeOf(err) != "InvalidClientTokenId" {
			t.Errorf("a key that nobody has: %v", err)
		}
		status, body := f.get(t, http.MethodPost, "/", "Action=GetCallerIdentity&Version=2011-06-15", "Content-Type", "application/x-www-form-urlencoded")
		if status != http.StatusForbidden || !strings.Contains(body, "MissingAuthenticationToken") {
			t.Errorf("no signature: %d %s", status, body)
		}
		do(t, f.admin().DescribeLoadBalancers, &elb.DescribeLoadBalancersInput{})
	})
}

func TestCredentialsThatExpireAreRenewed(t *testing.T) {
	virtually(t, awssim.Config{MaxSession: 2 * time.Second, World: awssim.WorldFleet, Fleet: 9}, func(t *testing.T, f fixture) {
		admin := sts.NewFromConfig(f.config("us-east-1", nil))
		arn := "arn:aws:iam::111111111111:role/discovery"
		renewed := eks.NewFromConfig(f.config("us-east-1", aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(admin, arn))))
		begin := time.Now()
		_, pos := f.Calls().Since(0)
		for time.Since(begin) < 10*time.Second {
			if l := do(t, renewed.ListClusters, &eks.ListClustersInput{}).Clusters; len(l) != 1 {
				t.Fatalf("clusters %v", l)
			}
			time.Sleep(250 * time.Millisecond)
		}
		assumed := 0
		calls, _ := f.Calls().Since(pos)
		for _, c := range calls {
			if c.Operation == "AssumeRole" {
				assumed++
			}
			if c.Error != "" {
				t.Errorf("%s: %s", c.Operation, c.Error)
			}
		}
		if assumed < 5 || assumed > 10 {
			t.Errorf("the role was assumed %d times in 10 s", assumed)
		}

		kept := f.config("us-east-1", sessionOf(do(t, admin.AssumeRole, &sts.AssumeRoleInput{RoleArn: &arn, RoleSessionName: aws.String("kept")}).Credentials))
		time.Sleep(2 * time.Second)
		_, err := eks.NewFromConfig(kept).ListClusters(t.Context(), &eks.ListClustersInput{})
		_, err2 := elb.NewFromConfig(kept).DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{})
		if got := fmt.Sprint(codeOf(err), " ", codeOf(err2)); got != "ExpiredTokenException ExpiredToken" {
			t.Errorf("with credentials that are over: %s", got)
		}
	})
}
