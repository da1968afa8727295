package authz

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/wire"
)

const (
	accountID = "111122223333"
	region    = "eu-west-1"
	balancing = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:"
)

func request(service, operation string, p wire.Params) *wire.Request {
	return &wire.Request{Service: service, Operation: operation, Params: p, Region: region, AccountID: accountID, AccessKeyID: "AKIDSOMEBODY"}
}

// session is an Authorizer whose only caller is a role's session with some policies.
func session(t *testing.T, cfg Config, documents ...string) *Authorizer {
	t.Helper()
	cfg.Caller = func(string) (Principal, bool) {
		return Principal{
			Account: accountID, ARN: "arn:aws:sts::111122223333:assumed-role/shift/ci", RoleARN: "arn:aws:iam::111122223333:role/shift",
			Policies: Policies{Identity: policies(t, documents...)},
		}, true
	}
	return New(cfg)
}

func codeOf(err error) string {
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		return ""
	}
	return e.Code
}

// What a shift on an ALB calls, on an existing rule, a rule to create and a default
// action, is what the policy allows that the project ships.
func TestTheShippedPolicyAllowsAShiftAndNothingElse(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "iam", "alb.json"))
	if err != nil {
		t.Fatal(err)
	}
	a := session(t, Config{}, string(text))
	const (
		listener = balancing + "listener/app/web/0a/1b"
		rule     = balancing + "listener-rule/app/web/0a/1b/2c"
		group    = balancing + "targetgroup/blue/3d"
		netRule  = balancing + "listener-rule/net/web/0a/1b/2c"
		netLB    = balancing + "listener/net/web/0a/1b"
	)
	tags := []any{wire.Params{"Key": "norikae.dev/shift", "Value": "web"}}
	allowed := []*wire.Request{
		request("elasticloadbalancing", "DescribeRules", wire.Params{"ListenerArn": listener}),
		request("elasticloadbalancing", "DescribeListeners", wire.Params{"ListenerArns": []any{listener}}),
		request("elasticloadbalancing", "DescribeTags", wire.Params{"ResourceArns": []any{rule}}),
		request("elasticloadbalancing", "DescribeTargetGroups", nil),
		request("elasticloadbalancing", "DescribeTargetGroupAttributes", wire.Params{"TargetGroupArn": group}),
		request("elasticloadbalancing", "DescribeTargetHealth", wire.Params{"TargetGroupArn": group}),
		request("elasticloadbalancing", "ModifyRule", wire.Params{"RuleArn": rule}),
		request("elasticloadbalancing", "AddTags", wire.Params{"ResourceArns": []any{rule}, "Tags": tags}),
		request("elasticloadbalancing", "RemoveTags", wire.Params{"ResourceArns": []any{rule}, "TagKeys": []any{"x"}}),
		request("elasticloadbalancing", "ModifyListener", wire.Params{"ListenerArn": listener}),
		request("elasticloadbalancing", "CreateRule", wire.Params{"ListenerArn": listener, "Tags": tags}),
		request("elasticloadbalancing", "AddTags", wire.Params{"ResourceArns": []any{listener}, "Tags": tags}),
		request("elasticloadbalancing", "RemoveTags", wire.Params{"ResourceArns": []any{listener}, "TagKeys": []any{"x"}}),
		request("monitoring", "GetMetricData", nil),
		request("sts", "GetCallerIdentity", nil),
	}
	for _, r := range allowed {
		if err := a.Authorize(t.Context(), r); err != nil {
			t.Errorf("%s %s: %v", r.Service, r.Operation, err)
		}
	}
	refused := []*wire.Request{
		request("elasticloadbalancing", "ModifyRule", wire.Params{"RuleArn": netRule}),
		request("elasticloadbalancing", "ModifyListener", wire.Params{"ListenerArn": netLB}),
		request("elasticloadbalancing", "AddTags", wire.Params{"ResourceArns": []any{rule, group}, "Tags": tags}),
		request("elasticloadbalancing", "DeleteRule", wire.Params{"RuleArn": rule}),
		request("elasticloadbalancing", "SetRulePriorities", wire.Params{"RulePriorities": []any{wire.Params{"RuleArn": rule}}}),
		request("elasticloadbalancing", "DescribeLoadBalancers", nil),
		request("elasticloadbalancing", "DeregisterTargets", wire.Params{"TargetGroupArn": group}),
		request("monitoring", "PutMetricData", nil),
		request("route53", "ListHostedZones", nil),
		request("eks", "ListClusters", nil),
		request("tagging", "GetResources", nil),
		request("iam", "ListRoles", nil),
		request("ec2", "DescribeVpcs", nil),
		request("elasticloadbalancing", "CreateTrustStore", nil),
		request("s3", "ListBuckets", nil),
	}
	// And no operation that the table knows besides.
	mayCall := []string{"GetCallerIdentity", "GetSessionToken", "AssumeRole", "AssumeRoleWithWebIdentity"}
	for _, r := range allowed {
		mayCall = append(mayCall, r.Operation)
	}
	for name, svc := range services() {
		for op := range svc.operations {
			if !slices.Contains(mayCall, op) {
				refused = append(refused, request(name, op, wire.Params{"RuleArn": rule, "ListenerArn": listener}))
			}
		}
	}
	for _, r := range refused {
		err := a.Authorize(t.Context(), r)
		e, _ := errors.AsType[*wire.Error](err)
		if e == nil || e.Status != http.StatusForbidden {
			t.Errorf("%s %s %v was not refused: %v", r.Service, r.Operation, r.Params, err)
		}
	}
}

func TestRefusalsAreWordedAsAWSDoes(t *testing.T) {
	a := session(t, Config{}, deny("ec2:DescribeVpcs", "*", ""))
	const me = "User: arn:aws:sts::111122223333:assumed-role/shift/ci is not authorized to perform: "
	for _, tc := range []struct {
		r             *wire.Request
		code, message string
	}{
		{
			request("elasticloadbalancing", "DeleteRule", wire.Params{"RuleArn": balancing + "listener-rule/app/w/1/2/3"}), "AccessDenied",
			me + "elasticloadbalancing:DeleteRule on resource: " + balancing + "listener-rule/app/w/1/2/3 because no identity-based policy allows the elasticloadbalancing:DeleteRule action",
		},
		{request("monitoring", "GetMetricData", nil), "AccessDenied", me + "cloudwatch:GetMetricData because no identity-based policy allows the cloudwatch:GetMetricData action"},
		{
			request("eks", "DescribeCluster", wire.Params{"name": "blue"}), "AccessDeniedException",
			me + "eks:DescribeCluster on resource: arn:aws:eks:eu-west-1:111122223333:cluster/blue because no identity-based policy allows the eks:DescribeCluster action",
		},
		{request("tagging", "GetResources", nil), "AccessDeniedException", me + "tag:GetResources because no identity-based policy allows the tag:GetResources action"},
		{request("ec2", "DescribeVpcs", nil), "UnauthorizedOperation", "You are not authorized to perform this operation. " + me + "ec2:DescribeVpcs with an explicit deny in an identity-based policy"},
		{request("elasticloadbalancing", "CreateTrustStore", nil), "AccessDenied", "The operation elasticloadbalancing:CreateTrustStore is not known to the simulator's authorization"},
	} {
		err := a.Authorize(t.Context(), tc.r)
		e, ok := errors.AsType[*wire.Error](err)
		if !ok || e.Code != tc.code || e.Message != tc.message || e.Status != http.StatusForbidden {
			t.Errorf("%v\nwant %s: %s", err, tc.code, tc.message)
		}
	}
}

func TestWhoNeedsNoPermission(t *testing.T) {
	nobodyKnows := New(Config{})
	if err := nobodyKnows.Authorize(t.Context(), request("iam", "DeleteRole", nil)); err != nil {
		t.Errorf("a key that nobody created is the administrator's: %v", err)
	}
	r := request("sts", "GetSessionToken", nil)
	r.AccessKeyID = ""
	if err := nobodyKnows.Authorize(t.Context(), r); codeOf(err) != "MissingAuthenticationToken" {
		t.Errorf("an unsigned call: %v", err)
	}
	r.Operation = "AssumeRoleWithWebIdentity"
	if err := nobodyKnows.Authorize(t.Context(), r); err != nil {
		t.Errorf("a call that nobody signs: %v", err)
	}
	if err := session(t, Config{}).Authorize(t.Context(), request("sts", "GetCallerIdentity", nil)); err != nil {
		t.Errorf("who one is, everybody may ask: %v", err)
	}
}

func TestWhatACallNeeds(t *testing.T) {
	names := func(_, kind, name string) string {
		if kind == "role" && name == "node" {
			return "arn:aws:iam::111122223333:role/eks/node"
		}
		return ""
	}
	tags := []any{wire.Params{"Key": "team", "Value": "web"}}
	for name, tc := range map[string]struct {
		r    *wire.Request
		want []string
	}{
		"a batch of records": {
			request("route53", "ChangeResourceRecordSets", wire.Params{"HostedZoneId": "/hostedzone/Z1"}),
			[]string{"route53:ChangeResourceRecordSets arn:aws:route53:::hostedzone/Z1"},
		},
		"a change":         {request("route53", "GetChange", wire.Params{"Id": "C1"}), []string{"route53:GetChange arn:aws:route53:::change/C1"}},
		"a zone's tags":    {request("route53", "ListTagsForResource", wire.Params{"ResourceType": "hostedzone", "ResourceId": "Z1"}), []string{"route53:ListTagsForResource arn:aws:route53:::hostedzone/Z1"}},
		"a new rule":       {request("elasticloadbalancing", "CreateRule", wire.Params{"ListenerArn": balancing + "listener/app/w/1/2"}), []string{"elasticloadbalancing:CreateRule " + balancing + "listener/app/w/1/2"}},
		"a role in a path": {request("iam", "GetRole", wire.Params{"RoleName": "node"}), []string{"iam:GetRole arn:aws:iam::111122223333:role/eks/node"}},
		"a new role":       {request("iam", "CreateRole", wire.Params{"RoleName": "x", "Path": "/a/b/"}), []string{"iam:CreateRole arn:aws:iam::111122223333:role/a/b/x"}},
		"a role for instances": {
			request("iam", "AddRoleToInstanceProfile", wire.Params{"InstanceProfileName": "p", "RoleName": "node"}),
			[]string{"iam:AddRoleToInstanceProfile arn:aws:iam::111122223333:instance-profile/p", "iam:PassRole arn:aws:iam::111122223333:role/eks/node"},
		},
		"a new cluster": {
			request("eks", "CreateCluster", wire.Params{"name": "blue", "roleArn": "arn:aws:iam::111122223333:role/c"}),
			[]string{"eks:CreateCluster arn:aws:eks:eu-west-1:111122223333:cluster/blue", "iam:PassRole arn:aws:iam::111122223333:role/c"},
		},
		"a node group": {
			request("eks", "DescribeNodegroup", wire.Params{"clusterName": "blue", "nodegroupName": "a"}),
			[]string{"eks:DescribeNodegroup arn:aws:eks:eu-west-1:111122223333:nodegroup/blue/a/*"},
		},
		"an access entry": {
			request("eks", "DeleteAccessEntry", wire.Params{"clusterName": "blue", "principalArn": "arn:aws:iam::111122223333:role/ops/admin"}),
			[]string{"eks:DeleteAccessEntry arn:aws:eks:eu-west-1:111122223333:access-entry/blue/role/111122223333/admin/*"},
		},
		"a new subnet with tags": {
			request("ec2", "CreateSubnet", wire.Params{"VpcId": "vpc-0a1b", "CidrBlock": "10.0.0.0/24", "TagSpecification": []any{wire.Params{"ResourceType": "subnet", "Tag": tags}}}),
			[]string{"ec2:CreateSubnet arn:aws:ec2:eu-west-1:111122223333:subnet/*", "ec2:CreateSubnet arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-0a1b", "ec2:CreateTags arn:aws:ec2:eu-west-1:111122223333:subnet/*"},
		},
		"instances to end": {
			request("ec2", "TerminateInstances", wire.Params{"InstanceId": []any{"i-02", "i-01"}}),
			[]string{"ec2:TerminateInstances arn:aws:ec2:eu-west-1:111122223333:instance/i-01", "ec2:TerminateInstances arn:aws:ec2:eu-west-1:111122223333:instance/i-02"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Names: names, Caller: func(string) (Principal, bool) { return Principal{}, false }}
			svc := services()[tc.r.Service]
			var got []string
			for _, ch := range svc.operations[tc.r.Operation].checks(newCall(&cfg, tc.r), svc.prefix, tc.r.Operation) {
				for _, resource := range ch.resources {
					got = append(got, ch.action+" "+resource)
				}
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestConditionKeysOfCalls(t *testing.T) {
	records := func(names ...string) *wire.Request {
		var changes []any
		for _, n := range names {
			changes = append(changes, wire.Params{"Action": "UPSERT", "ResourceRecordSet": wire.Params{"Name": n, "Type": "A"}})
		}
		return request("route53", "ChangeResourceRecordSets", wire.Params{"HostedZoneId": "Z1", "ChangeBatch": wire.Params{"Changes": changes}})
	}
	ofTeam := func(key string) string {
		return `,"Condition":{"StringEquals":{"` + key + `":"web"}}`
	}
	tags := func(arn string) map[string]string {
		if strings.HasSuffix(arn, "vpc-0a") {
			return map[string]string{"Team": "web"}
		}
		return nil
	}
	const recordNames = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
	for name, tc := range map[string]struct {
		condition string
		r         *wire.Request
		want      bool
	}{
		"the region":                {`,"Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}`, request("ec2", "DescribeVpcs", nil), true},
		"a global service's region": {`,"Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}`, request("iam", "ListPolicies", nil), true},
		"the role":                  {`,"Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/shift"}}`, request("ec2", "DescribeVpcs", nil), true},
		"a resource's tag":          {ofTeam("aws:ResourceTag/team"), request("ec2", "DeleteVpc", wire.Params{"VpcId": "vpc-0a"}), true},
		"another resource's tag":    {ofTeam("ec2:ResourceTag/Team"), request("ec2", "DeleteVpc", wire.Params{"VpcId": "vpc-0b"}), false},
		"a tag that is set":         {ofTeam("aws:RequestTag/team"), request("eks", "TagResource", wire.Params{"resourceArn": "arn:aws:eks:eu-west-1:111122223333:cluster/b", "tags": wire.Params{"team": "web"}}), true},
		"tag keys that are set":     {`,"Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}`, request("elasticloadbalancing", "RemoveTags", wire.Params{"ResourceArns": []any{rule}, "TagKeys": []any{"team", "x"}}), false},
		"records of one name":       {`,"Condition":{"ForAllValues:StringEquals":{"` + recordNames + `":["web.example.com"]}}`, records("Web.example.com.", "web.example.com"), true},
		"a record of another name":  {`,"Condition":{"ForAllValues:StringEquals":{"` + recordNames + `":["web.example.com"]}}`, records("web.example.com", "db.example.com"), false},
		"a wildcard record":         {`,"Condition":{"ForAllValues:StringEquals":{"` + recordNames + `":["\\052.example.com"]}}`, records("*.example.com"), true},
		"a record's type":           {`,"Condition":{"ForAllValues:StringEquals":{"route53:ChangeResourceRecordSetsRecordTypes":["TXT"]}}`, records("web.example.com"), false},
		"a record's action":         {`,"Condition":{"ForAnyValue:StringEquals":{"route53:ChangeResourceRecordSetsActions":["UPSERT"]}}`, records("web.example.com"), true},
		"a metric's namespace":      {`,"Condition":{"StringEquals":{"cloudwatch:namespace":"shop"}}`, request("monitoring", "PutMetricData", wire.Params{"Namespace": "shop"}), true},
		"a new balancer's scheme":   {`,"Condition":{"StringEquals":{"elasticloadbalancing:Scheme":"internal"}}`, request("elasticloadbalancing", "CreateLoadBalancer", wire.Params{"Name": "w", "Scheme": "internet-facing"}), false},
	} {
		t.Run(name, func(t *testing.T) {
			err := session(t, Config{Tags: tags}, allow("*", "*", tc.condition)).Authorize(t.Context(), tc.r)
			if got := err == nil; got != tc.want {
				t.Errorf("%v, want allowed: %v", err, tc.want)
			}
		})
	}
}
