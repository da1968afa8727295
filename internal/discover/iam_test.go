package discover_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ekssdk "github.com/aws/aws-sdk-go-v2/service/eks"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/sts"
	"github.com/norikae/norikae/internal/discover"
	errclass "github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/registry"
)

// Names of the identities that have the shipped policy.
const (
	controller = "norikae-controller"
	reader     = "norikae-discovery"
	externalID = "fleet-7"
)

func shippedPolicy(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "config", "iam", "clusterset.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// must is what a call that may not fail answers.
func must[T any](t *testing.T) func(T, error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// authorized is a world whose caller is a user with the shipped policy, and which has a
// role with the same that trusts whoever knows the external ID.
func authorized(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	virtually(t, func(c *awssim.Config) { c.Authz = true }, func(t *testing.T, w *world) {
		admin := iam.New(iam.Options{
			Region: region, BaseEndpoint: aws.String(w.Endpoint()), HTTPClient: &http.Client{Transport: w.transport},
			Credentials: credentials.NewStaticCredentialsProvider(sts.LabAccessKeyID, sts.LabSecret, ""),
		})
		policy := shippedPolicy(t)
		must[*iam.CreateUserOutput](t)(admin.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String(controller)}))
		must[*iam.PutUserPolicyOutput](t)(admin.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{
			UserName: aws.String(controller), PolicyName: aws.String("clusterset"), PolicyDocument: &policy,
		}))
		key := must[*iam.CreateAccessKeyOutput](t)(admin.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: aws.String(controller)})).AccessKey
		for _, name := range []string{reader, "somebody-elses"} {
			must[*iam.CreateRoleOutput](t)(admin.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + own + `:root"},"Action":"sts:AssumeRole",` +
					`"Condition":{"StringEquals":{"sts:ExternalId":"` + externalID + `"}}}]}`,
			)}))
			must[*iam.PutRolePolicyOutput](t)(admin.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("clusterset"), PolicyDocument: &policy}))
		}
		w.pool = awsconf.NewPool(awsconf.Options{
			Region: region, Endpoint: w.Endpoint(), HTTPClient: &http.Client{Transport: w.transport, Timeout: 8 * time.Second},
			Credentials: credentials.NewStaticCredentialsProvider(*key.AccessKeyId, *key.SecretAccessKey, ""), In: "spec.sources[].eks.accounts[]",
		})
		w.discoverer(discover.Config{})
		f(t, w)
	})
}

// memberRole as a source names it.
func memberRole(name, externalID string) registry.Account {
	return registry.Account{RoleARN: "arn:aws:iam::" + own + ":role/" + name, ExternalID: externalID}
}

func TestTheShippedPolicyAllowsDiscovery(t *testing.T) {
	authorized(t, func(t *testing.T, w *world) {
		known := w.fill(own, region, 3)
		known = append(known, id(own, region, "gone"))
		for name, account := range map[string]registry.Account{"the caller itself": {}, "a role": memberRole(reader, externalID)} {
			for _, set := range []*registry.Set{setOf(nil, region), untagged(setOf(nil, region))} {
				set.Sources[0].Accounts = []registry.Account{account}
				w.restartDiscoverer()
				w.calls()
				snap := w.pass(set, known...)
				equal(t, "errors for "+name, errorsOf(snap), map[string]string{})
				equal(t, "sightings for "+name, seen(snap), []string{"c-00001 ACTIVE", "c-00002 ACTIVE", "c-00003 ACTIVE", "gone gone"})
			}
		}
	})
}

// restartDiscoverer keeps the caller's credentials.
func (w *world) restartDiscoverer() { w.discoverer(discover.Config{}) }

// TestTheShippedPolicyAllowsNothingElse holds the policy against the calls that discovery
// makes, and those by which package carries sees whether a cluster gets traffic.
func TestTheShippedPolicyAllowsNothingElse(t *testing.T) {
	used := map[string]bool{}
	authorized(t, func(t *testing.T, w *world) {
		w.fill(own, region, 1)
		for _, set := range []*registry.Set{setOf(nil, region), untagged(setOf(nil, region))} {
			set.Sources[0].Accounts = []registry.Account{memberRole(reader, externalID)}
			w.pass(set)
		}
		for call := range w.calls() {
			used[call] = true
		}
		cfg := must[aws.Config](t)(w.aws(t.Context(), region, registry.Account{}))
		_, err := ekssdk.NewFromConfig(cfg).DeleteCluster(t.Context(), &ekssdk.DeleteClusterInput{Name: aws.String("c-00001")})
		denied(t, "DeleteCluster", err)
		_, err = elb.NewFromConfig(cfg).DeleteTargetGroup(t.Context(), &elb.DeleteTargetGroupInput{TargetGroupArn: aws.String("arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/x/0123456789abcdef")})
		denied(t, "DeleteTargetGroup", err)
		_, err = w.aws(t.Context(), region, memberRole("somebody-elses", externalID))
		if !errors.Is(err, errclass.ErrDenied) {
			t.Errorf("a role of another name: %v", err)
		}
	})
	want := []string{
		"ec2:DescribeInstances", "eks:DescribeCluster", "eks:ListClusters", "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeRules",
		"elasticloadbalancing:DescribeTags", "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth", "sts:AssumeRole", "tag:GetResources",
	}
	equal(t, "the policy", allowedActions(t), want)
	for _, call := range []string{"eks:DescribeCluster", "eks:ListClusters", "tagging:GetResources", "sts:AssumeRole", "sts:GetCallerIdentity"} {
		if !used[call] {
			t.Errorf("nobody called %s", call)
		}
		delete(used, call)
	}
	for call := range used {
		if !strings.HasPrefix(call, "iam:") { // which authorized called
			t.Errorf("somebody called %s, which the policy has to allow", call)
		}
	}
}

func denied(t *testing.T, what string, err error) {
	t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok || (api.ErrorCode() != "AccessDeniedException" && api.ErrorCode() != "AccessDenied") {
		t.Errorf("%s: %v", what, err)
	}
}

func allowedActions(t *testing.T) []string {
	t.Helper()
	var policy struct{ Statement []struct{ Action any } }
	if err := json.Unmarshal([]byte(shippedPolicy(t)), &policy); err != nil {
		t.Fatal(err)
	}
	actions := map[string]bool{}
	for _, s := range policy.Statement {
		list, ok := s.Action.([]any)
		if !ok {
			list = []any{s.Action}
		}
		for _, a := range list {
			actions[fmt.Sprint(a)] = true
		}
	}
	return slices.Sorted(maps.Keys(actions))
}

func TestARoleIsEnteredWithItsExternalIDOnly(t *testing.T) {
	authorized(t, func(t *testing.T, w *world) {
		known := w.fill(own, region, 1)
		for name, tc := range map[string]struct {
			account registry.Account
			says    []string // nothing: it is let in
		}{
			"the right one": {memberRole(reader, externalID), nil},
			"another one":   {memberRole(reader, "fleet-8"), []string{reader, "trust policy and external ID", "spec.sources[].eks.accounts[]"}},
			"none":          {memberRole(reader, ""), []string{reader, "trust policy and external ID"}},
			"no such role":  {memberRole("norikae-lost", ""), []string{"norikae-lost", "check that the caller may assume"}},
			"one too short": {memberRole(reader, "x"), []string{"spec.sources[].eks.accounts[].externalID has 1 characters"}},
			"no ARN at all": {registry.Account{RoleARN: reader}, []string{"spec.sources[].eks.accounts[].roleARN", "arn:PARTITION:iam::ACCOUNT:role/NAME"}},
		} {
			set := setOf(nil, region)
			set.Sources[0].Accounts = []registry.Account{tc.account}
			snap := w.pass(set, known...)
			if err := snap.Scopes[0].Err; (err == nil) != (tc.says == nil) {
				t.Errorf("%s: %v", name, err)
			} else if err != nil {
				contains(t, err.Error(), tc.says...)
			}
		}
	})
}

func TestDescribeTellsHowItWasAsked(t *testing.T) {
	authorized(t, func(t *testing.T, w *world) {
		known := w.fill(own, region, 2)
		set := setOf(nil, region, europe)
		set.Sources[0].Accounts = []registry.Account{memberRole(reader, "fleet-8"), {}, role(other)}
		set.Sources = append(set.Sources, set.Sources[0])
		set.Sources[1].Accounts = []registry.Account{memberRole(reader, externalID)}
		end := w.deny(own, "GetResources") // is not asked
		defer end()

		e := must[discover.Explanation](t)(w.Describe(t.Context(), set, known[1]))
		equal(t, "the cluster", e.Sighting.Cluster.ID, known[1])
		if len(e.Asked) != 3 {
			t.Fatalf("asked %+v", e.Asked)
		}
		contains(t, fmt.Sprint(e.Asked[0].Err), "trust policy")
		for i, caller := range []string{"", "arn:aws:iam::" + own + ":user/" + controller, "arn:aws:sts::" + own + ":assumed-role/" + reader + "/norikae"} {
			a := e.Asked[i]
			equal(t, "caller", a.CallerARN, caller)
			equal(t, "presence", a.Presence == registry.Present, caller != "")
		}
		equal(t, "sources", []int{e.Asked[0].Source, e.Asked[1].Source, e.Asked[2].Source}, []int{0, 0, 1})

		e = must[discover.Explanation](t)(w.Describe(t.Context(), set, id(own, europe, "none")))
		equal(t, "a cluster that is not there", e.Sighting.Presence, registry.Gone)
		e = must[discover.Explanation](t)(w.Describe(t.Context(), set, id(third, region, "x")))
		if e.Sighting.Presence != registry.Unknown || !errors.Is(e.Sighting.Err, discover.ErrUncovered) || len(e.Asked) != 0 {
			t.Errorf("of an account that is not covered: %+v", e)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := w.Describe(ctx, set, known[0]); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}
