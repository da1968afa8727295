package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/memnet"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/store/memory"
)

// routes are the ways to name a route, as the manifest's spec.route, by the policy that
// is shipped for them.
var routes = map[string]struct {
	world string
	named map[string]string
}{
	"alb.json": {awssim.WorldBlueGreen, map[string]string{
		"an existing rule":   "{alb: {listenerARN: LISTENER, rule: {priority: 10, hosts: [example.com]}}}",
		"a rule to create":   "{alb: {listenerARN: LISTENER, rule: {priority: 5, hosts: [new.example.com]}}}",
		"the default action": "{alb: {listenerARN: LISTENER, default: true}}",
		"a rule's ARN":       "{alb: {ruleARN: RULE}}",
	}},
	"nlb.json":     {awssim.WorldNLB, map[string]string{"a listener": "{nlb: {listenerARN: LISTENER}}"}},
	"route53.json": {awssim.WorldRoute53, map[string]string{"a name": "{route53: {hostedZoneID: ZONE, name: api.example.com}}"}},
}

// TestThePolicyAllowsWhatAShiftCallsAndNothingElse plans and runs shifts on every kind
// of route, and holds the calls that reached AWS against the shipped policy.
func TestThePolicyAllowsWhatAShiftCallsAndNothingElse(t *testing.T) {
	for policy, kind := range routes {
		used := map[string]bool{}
		for name, route := range kind.named {
			t.Run(policy+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					for _, call := range callsOfAShift(t, kind.world, route) {
						service := map[string]string{"monitoring": "cloudwatch"}[call.Service]
						if service == "" {
							service = call.Service
						}
						used[service+":"+call.Operation] = true
					}
				})
			})
		}
		got, want := slices.Sorted(maps.Keys(used)), allowedActions(t, policy)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("the policy %s (-) and the calls (+) differ:\n%s", policy, d)
		}
	}
}

func allowedActions(t *testing.T, file string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "config", "iam", file))
	if err != nil {
		t.Fatal(err)
	}
	var policy struct{ Statement []struct{ Action any } }
	if err := json.Unmarshal(b, &policy); err != nil {
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

// callsOfAShift previews and runs one shift in virtual time.
func callsOfAShift(t *testing.T, world, route string) []awssim.CallEntry {
	t.Helper()
	network := &memnet.Network{}
	cfg := awssim.Fast()
	cfg.DataPlane, cfg.Listen, cfg.Dial = awssim.PlaneSynth, network.Listen, network.DialContext
	cfg.MetricPeriod, cfg.MetricDelay, cfg.World, cfg.Propagation = time.Minute, 2*time.Minute, world, 20*time.Second
	lab, err := awssim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	transport := network.Transport()
	defer func() {
		transport.CloseIdleConnections()
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := lab.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	w := lab.World()
	text := "apiVersion: norikae.dev/v1alpha1\nkind: TrafficShift\nmetadata: {name: web}\nspec:\n  route: " +
		strings.NewReplacer("LISTENER", w.ListenerARN, "RULE", w.RuleARN, "ZONE", w.HostedZoneID).Replace(route) + "\n  destinations:\n"
	for i, g := range w.TargetGroups {
		if w.Destinations == nil {
			text += fmt.Sprintf("  - {name: %s, targetGroupARN: %q, weight: %d}\n", g.Name, g.ARN, 100*i)
			continue
		}
		d := w.Destinations[i]
		text += fmt.Sprintf("  - {name: %s, setIdentifier: %s, loadBalancerARN: %q, weight: %d}\n", g.Name, d.SetIdentifier, d.LoadBalancerARN, 100*i)
	}
	text += "  strategy: {stepWeight: 50, stepInterval: 5m}\n"
	ts, err := manifest.Load("web.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	env := Environment{
		Getenv: func(string) string { return "" }, Endpoint: lab.Endpoint(), HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "fake", ""),
	}
	parts, err := Build(t.Context(), env, ts)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Config{Spec: parts.Spec, Router: parts.Router, Analyzer: parts.Analyzer, Store: &memory.Store{}, Owner: "m/1/x"})
	if err != nil {
		t.Fatal(err)
	}
	if w.HostedZoneID != "" {
		checked(t, w, env)
	}
	_, before := lab.Calls().Since(0)
	time.Sleep(10 * time.Minute) // so that there is a level to compare with
	if pv, err := e.Preview(t.Context()); err != nil || len(pv.Blockers) > 0 {
		t.Fatalf("%+v, %v", pv, err)
	}
	res, err := e.Run(t.Context())
	if err != nil || res.Phase != shift.Succeeded {
		t.Fatalf("%+v, %v", res, err)
	}
	calls, _ := lab.Calls().Since(before)
	return calls
}

// checked gives green's records a health check, so that a shift has one to look at.
func checked(t *testing.T, w awssim.World, env Environment) {
	t.Helper()
	c := r53.New(r53.Options{Region: awssim.Region, BaseEndpoint: &env.Endpoint, HTTPClient: env.HTTPClient, Credentials: env.Credentials})
	check, err := c.CreateHealthCheck(t.Context(), &r53.CreateHealthCheckInput{
		CallerReference: aws.String("test"), HealthCheckConfig: &types.HealthCheckConfig{Type: types.HealthCheckTypeTcp, IPAddress: aws.String("192.0.2.1"), Port: aws.Int32(80)},
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.ListResourceRecordSets(t.Context(), &r53.ListResourceRecordSetsInput{HostedZoneId: &w.HostedZoneID})
	if err != nil {
		t.Fatal(err)
	}
	batch := &types.ChangeBatch{}
	for _, r := range list.ResourceRecordSets {
		if aws.ToString(r.SetIdentifier) == "green" {
			r.HealthCheckId = check.HealthCheck.Id
			batch.Changes = append(batch.Changes, types.Change{Action: types.ChangeActionUpsert, ResourceRecordSet: &r})
		}
	}
	if _, err := c.ChangeResourceRecordSets(t.Context(), &r53.ChangeResourceRecordSetsInput{HostedZoneId: &w.HostedZoneID, ChangeBatch: batch}); err != nil {
		t.Fatal(err)
	}
}
