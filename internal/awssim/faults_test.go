package awssim_test

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	tagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/memnet"
)

// inject a fault through the control endpoint.
func (f fixture) inject(t *testing.T, rule string) {
	t.Helper()
	if status, body := f.get(t, http.MethodPost, "/_lab/faults", rule, "Content-Type", "application/json"); status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
}

// virtually runs a test of a lab of made-up traffic in virtual time.
func virtually(t *testing.T, cfg awssim.Config, test func(t *testing.T, f fixture)) {
	t.Helper()
	cfg.DataPlane = awssim.PlaneSynth
	synctest.Test(t, func(t *testing.T) {
		f, end := start(t, cfg, &memnet.Network{})
		defer end()
		test(t, f)
	})
}

func TestAStaleReadEndsWithItsDuration(t *testing.T) {
	virtually(t, awssim.Config{World: awssim.WorldBlueGreen}, func(t *testing.T, f fixture) {
		green := func() int32 {
			t.Helper()
			rules := do(t, f.elb.DescribeRules, &elb.DescribeRulesInput{RuleArns: []string{f.World().RuleARN}}).Rules
			return *rules[0].Actions[0].ForwardConfig.TargetGroups[1].Weight
		}
		f.inject(t, `{"kind":"stale-read","service":"elbv2","duration":"5s"}`)
		before := green()
		if err := f.setWeights(t.Context(), 90, 10); err != nil {
			t.Fatal(err)
		}
		if got := green(); before != 0 || got != 0 {
			t.Errorf("green has %d and, just written, %d; want 0 both times", before, got)
		}
		time.Sleep(5 * time.Second)
		if got := green(); got != 10 {
			t.Errorf("5 s later green has %d, want 10", got)
		}
	})
}

func TestShortPagesHoldEverythingOnce(t *testing.T) {
	virtually(t, awssim.Config{World: awssim.WorldFleet, Fleet: 90}, func(t *testing.T, f fixture) {
		for _, service := range []string{"eks", "tagging"} {
			f.inject(t, `{"kind":"short-pages","service":"`+service+`","count":3}`)
		}
		cfg := f.config("us-east-1", nil)
		var names []string
		pages := 0
		for p := eks.NewListClustersPaginator(eks.NewFromConfig(cfg), &eks.ListClustersInput{}); p.HasMorePages(); pages++ {
			page := got[*eks.ListClustersOutput](t)(p.NextPage(t.Context()))
			names = append(names, page.Clusters...)
		}
		if len(names) != 10 || len(slices.Compact(slices.Sorted(slices.Values(names)))) != 10 || pages != 4 {
			t.Errorf("%d pages with %v", pages, names)
		}
		found := 0
		pages = 0
		for p := tagging.NewGetResourcesPaginator(tagging.NewFromConfig(cfg), &tagging.GetResourcesInput{}); p.HasMorePages(); pages++ {
			found += len(got[*tagging.GetResourcesOutput](t)(p.NextPage(t.Context())).ResourceTagMappingList)
		}
		if found != 10 || pages < 4 {
			t.Errorf("%d pages with %d resources", pages, found)
		}
	})
}

func TestClustersThatAreLateOrFail(t *testing.T) {
	virtually(t, awssim.Config{ClusterDelay: time.Minute}, func(t *testing.T, f fixture) {
		c := eks.NewFromConfig(f.config("us-east-1", nil))
		status := func(name string) string {
			t.Helper()
			return string(do(t, c.DescribeCluster, &eks.DescribeClusterInput{Name: &name}).Cluster.Status)
		}
		f.inject(t, `{"kind":"cluster-delay","duration":"9m"}`)
		f.inject(t, `{"kind":"cluster-failure","name":"bad-*"}`)
		do(t, c.CreateCluster, createCluster("good"))
		do(t, c.CreateCluster, createCluster("bad-1"))
		time.Sleep(9 * time.Minute)
		if good, bad := status("good"), status("bad-1"); good != "CREATING" || bad != "CREATING" {
			t.Errorf("after 9 of 10 minutes: %s, %s", good, bad)
		}
		time.Sleep(time.Minute)
		if good, bad := status("good"), status("bad-1"); good != "ACTIVE" || bad != "FAILED" {
			t.Errorf("after 10 minutes: %s, %s", good, bad)
		}
	})
}

func TestTagsThatAreFoundLate(t *testing.T) {
	virtually(t, awssim.Config{IndexLag: time.Second}, func(t *testing.T, f fixture) {
		f.inject(t, `{"kind":"index-lag","duration":"30s"}`)
		do(t, eks.NewFromConfig(f.config("us-east-1", nil)).CreateCluster, func() *eks.CreateClusterInput {
			in := createCluster("blue")
			in.Tags = map[string]string{"env": "prod"}
			return in
		}())
		found := func() int {
			t.Helper()
			return len(do(t, tagging.NewFromConfig(f.config("us-east-1", nil)).GetResources, &tagging.GetResourcesInput{}).ResourceTagMappingList)
		}
		time.Sleep(30 * time.Second)
		early := found()
		time.Sleep(time.Second)
		if late := found(); early != 0 || late != 1 {
			t.Errorf("after 30 s %d resources are found, after 31 s %d; want 0 and 1", early, late)
		}
	})
}

func TestRecordsThatAreLateRefusedOrUnhealthy(t *testing.T) {
	virtually(t, awssim.Config{Propagation: 10 * time.Second}, func(t *testing.T, f fixture) {
		c := route53.NewFromConfig(f.config("us-east-1", nil), func(o *route53.Options) { o.RetryMaxAttempts = 1 })
		zone := do(t, c.CreateHostedZone, &route53.CreateHostedZoneInput{Name: aws.String("example.com"), CallerReference: aws.String("once")})
		check := do(t, c.CreateHealthCheck, &route53.CreateHealthCheckInput{CallerReference: aws.String("once"), HealthCheckConfig: &r53types.HealthCheckConfig{
			Type: r53types.HealthCheckTypeHttp, IPAddress: aws.String("192.0.2.1"), Port: aws.Int32(80),
		}}).HealthCheck.Id
		time.Sleep(10 * time.Second)
		write := func(id, ip string, weight int64, check *string) (*route53.ChangeResourceRecordSetsOutput, error) {
			return c.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: zone.HostedZone.Id, ChangeBatch: &r53types.ChangeBatch{Changes: []r53types.Change{{
				Action: r53types.ChangeActionUpsert, ResourceRecordSet: &r53types.ResourceRecordSet{
					Name: aws.String("www.example.com"), Type: r53types.RRTypeA, SetIdentifier: &id, Weight: &weight, TTL: aws.Int64(60),
					ResourceRecords: []r53types.ResourceRecord{{Value: &ip}}, HealthCheckId: check,
				},
			}}}})
		}
		answer := func() string {
			t.Helper()
			a := do(t, c.TestDNSAnswer, &route53.TestDNSAnswerInput{HostedZoneId: zone.HostedZone.Id, RecordName: aws.String("www.example.com"), RecordType: r53types.RRTypeA})
			return *a.ResponseCode + " " + slices.Concat(a.RecordData, []string{""})[0]
		}
		f.inject(t, `{"kind":"error","service":"route53","operation":"ChangeResourceRecordSets","code":"PriorRequestNotComplete","times":1}`)
		if _, err := write("blue", "127.0.0.1", 100, check); codeOf(err) != "PriorRequestNotComplete" {
			t.Errorf("the fault: %v", err)
		}
		f.inject(t, `{"kind":"propagation-delay","duration":"50s"}`)
		blue := got[*route53.ChangeResourceRecordSetsOutput](t)(write("blue", "127.0.0.1", 100, check))
		got[*route53.ChangeResourceRecordSetsOutput](t)(write("green", "127.0.0.2", 0, nil))
		status := func() r53types.ChangeStatus {
			t.Helper()
			return do(t, c.GetChange, &route53.GetChangeInput{Id: blue.ChangeInfo.Id}).ChangeInfo.Status
		}
		time.Sleep(59 * time.Second)
		if s, a := status(), answer(); s != r53types.ChangeStatusPending || a != "NXDOMAIN " {
			t.Errorf("after 59 of 60 seconds: %s, %s", s, a)
		}
		time.Sleep(time.Second)
		if s, a := status(), answer(); s != r53types.ChangeStatusInsync || a != "NOERROR 127.0.0.1" {
			t.Errorf("after a minute: %s, %s", s, a)
		}
		f.inject(t, `{"kind":"health-check","name":"`+*check+`"}`)
		if a := answer(); a != "NOERROR 127.0.0.2" {
			t.Errorf("with blue unhealthy, and green at weight 0: %s", a)
		}
	})
}
