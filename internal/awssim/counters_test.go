package awssim_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/norikae/norikae/internal/awssim"
)

// counters asks the control endpoint.
func (f fixture) counters(t *testing.T) (c awssim.Counters) {
	t.Helper()
	_, body := f.get(t, http.MethodGet, "/_lab/counters", "")
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return c
}

// reset the counters by the control endpoint.
func (f fixture) reset(t *testing.T) {
	t.Helper()
	if status, body := f.get(t, http.MethodPost, "/_lab/reset-counters", ""); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, body)
	}
}

func TestFlowsAreCountedFromTheLastReset(t *testing.T) {
	t.Parallel()
	f := world(t, awssim.WorldNLB, nil)
	w := f.World()
	visit := func() {
		t.Helper()
		if status, _ := f.get(t, http.MethodGet, w.URL+"/", ""); status != http.StatusOK {
			t.Fatalf("status %d", status)
		}
	}
	for range 3 {
		visit() // on one connection
	}
	c := f.counters(t)
	if len(c.Listeners) != 0 || len(c.TargetGroups) != 0 {
		t.Errorf("requests of load balancers that know connections only: %+v %+v", c.Listeners, c.TargetGroups)
	}
	if len(c.Flows.Listeners) != 1 || len(c.Flows.TargetGroups) != 2 {
		t.Fatalf("%+v", c.Flows)
	}
	on, blue, green := c.Flows.Listeners[0], c.Flows.TargetGroups[0], c.Flows.TargetGroups[1]
	if blue.Name == "green" {
		blue, green = green, blue
	}
	if on.ARN != w.ListenerARN || on.Accepted != 1 || on.Established != 1 || on.Active != 1 || on.BytesUp == 0 || on.BytesDown == 0 ||
		blue.ARN != w.TargetGroups[0].ARN || blue.Name != "blue" || blue.Accepted != 1 || blue.BytesDown != on.BytesDown || green.Accepted != 0 {
		t.Errorf("three requests on a connection: %+v, %+v, %+v", on, blue, green)
	}
	if len(c.Clusters) != 2 || c.Clusters[0].Requests != 3 {
		t.Errorf("the targets: %+v", c.Clusters)
	}
	f.reset(t)
	if c := f.counters(t); c.Flows.Listeners[0].Accepted != 0 || c.Flows.Listeners[0].Active != 1 || c.Flows.Listeners[0].BytesUp != 0 || c.Clusters[0].Requests != 0 {
		t.Errorf("after the reset: %+v, %+v", c.Flows.Listeners[0], c.Clusters[0])
	}
	visit()
	f.http.CloseIdleConnections()
	visit()
	if c := f.counters(t); c.Flows.Listeners[0].Accepted != 1 || c.Clusters[0].Requests != 2 {
		t.Errorf("another connection: %+v, %+v", c.Flows.Listeners[0], c.Clusters[0])
	}
}

func TestQuestionsAndAnswersOfDNSAreCountedFromTheLastReset(t *testing.T) {
	t.Parallel()
	f := world(t, awssim.WorldRoute53, func(c *awssim.Config) { c.Propagation = 0 })
	ask := func(typ uint16) {
		t.Helper()
		q := new(dns.Msg).SetQuestion("api.example.com.", typ)
		if answer, err := dns.Exchange(q, f.World().DNS); err != nil || answer.Rcode != dns.RcodeSuccess {
			t.Fatalf("%v %v", answer, err)
		}
	}
	ask(dns.TypeA)
	f.reset(t)
	if c := f.counters(t); c.DNS.Asked[0].Count != 0 || c.DNS.Answered[0].Count != 0 {
		t.Errorf("after the reset: %+v", c.DNS)
	}
	for range 3 {
		ask(dns.TypeA)
	}
	ask(dns.TypeTXT)
	c := f.counters(t).DNS
	if want := []awssim.DNSCount{{Name: "api.example.com.", Type: "A", Count: 3}, {Name: "api.example.com.", Type: "TXT", Count: 1}}; !slices.Equal(c.Asked, want) {
		t.Errorf("asked %+v, want %+v", c.Asked, want)
	}
	if want := []awssim.DNSCount{{Name: "api.example.com.", Type: "A", SetIdentifier: "blue", Count: 3}}; !slices.Equal(c.Answered, want) {
		t.Errorf("answered %+v, want %+v", c.Answered, want)
	}
}

func TestTheLogTellsTheWeightsOfListenersAndOfRecords(t *testing.T) {
	t.Parallel()
	last := func(f fixture) map[string]int {
		calls, _ := f.Calls().Since(0)
		return calls[len(calls)-1].Weights
	}
	f := world(t, awssim.WorldNLB, func(c *awssim.Config) { c.DataPlane = awssim.PlaneSynth })
	w := f.World()
	blue, green := w.TargetGroups[0].ARN, w.TargetGroups[1].ARN
	do(t, f.elb.ModifyListener, &elb.ModifyListenerInput{ListenerArn: &w.ListenerARN, DefaultActions: forward(blue, 70, green, 30)})
	if diff := cmp.Diff(map[string]int{blue: 70, green: 30}, last(f)); diff != "" {
		t.Error(diff)
	}
	f = world(t, awssim.WorldRoute53, func(c *awssim.Config) { c.DataPlane = awssim.PlaneSynth })
	do(t, route53.NewFromConfig(f.config(awssim.Region, nil)).ChangeResourceRecordSets, f.moveRecords(t, 70, 30))
	want := map[string]int{"api.example.com A blue": 70, "api.example.com A green": 30, "api.example.com AAAA blue": 70, "api.example.com AAAA green": 30}
	if diff := cmp.Diff(want, last(f)); diff != "" {
		t.Error(diff)
	}
}
