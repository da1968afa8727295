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

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/memnet"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/store/memory"
)

// routes are the ways to name an ALB route, as the manifest's route.alb.
var routes = map[string]string{
	"an existing rule":   "{listenerARN: LISTENER, rule: {priority: 10, hosts: [example.com]}}",
	"a rule to create":   "{listenerARN: LISTENER, rule: {priority: 5, hosts: [new.example.com]}}",
	"the default action": "{listenerARN: LISTENER, default: true}",
	"a rule's ARN":       "{ruleARN: RULE}",
}

// TestThePolicyAllowsWhatAShiftCallsAndNothingElse plans and runs shifts on every kind
// of route, and holds the calls that reached AWS against the shipped policy.
func TestThePolicyAllowsWhatAShiftCallsAndNothingElse(t *testing.T) {
	used := map[string]bool{}
	for name, route := range routes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, call := range callsOfAShift(t, route) {
					service := map[string]string{"monitoring": "cloudwatch"}[call.Service]
					if service == "" {
						service = call.Service
					}
					used[service+":"+call.Operation] = true
				}
			})
		})
	}
	got, want := slices.Sorted(maps.Keys(used)), allowedActions(t)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the policy (-) and the calls (+) differ:\n%s", d)
	}
}

func allowedActions(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "config", "iam", "alb.json"))
	if err != nil {
		t.Fatal(err)
	}
	var policy struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal(b, &policy); err != nil {
		t.Fatal(err)
	}
	actions := map[string]bool{}
	for _, s := range policy.Statement {
		for _, a := range s.Action {
			actions[a] = true
		}
	}
	return slices.Sorted(maps.Keys(actions))
}

// callsOfAShift previews and runs one shift in virtual time.
func callsOfAShift(t *testing.T, route string) []awssim.CallEntry {
	t.Helper()
	network := &memnet.Network{}
	cfg := awssim.Fast()
	cfg.DataPlane, cfg.Listen, cfg.Dial = awssim.PlaneSynth, network.Listen, network.DialContext
	cfg.MetricPeriod, cfg.MetricDelay = time.Minute, 2*time.Minute
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
	text := fmt.Sprintf(`apiVersion: norikae.dev/v1alpha1
kind: TrafficShift
metadata: {name: web}
spec:
  route: {alb: %s}
  destinations:
  - {name: blue, targetGroupARN: %s, weight: 0}
  - {name: green, targetGroupARN: %s, weight: 100}
  strategy: {stepWeight: 50, stepInterval: 5m}
`, strings.NewReplacer("LISTENER", w.ListenerARN, "RULE", w.RuleARN).Replace(route), w.TargetGroups[0].ARN, w.TargetGroups[1].ARN)
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
	time.Sleep(10 * time.Minute) // so that there is a level to compare with
	if pv, err := e.Preview(t.Context()); err != nil || len(pv.Blockers) > 0 {
		t.Fatalf("%+v, %v", pv, err)
	}
	res, err := e.Run(t.Context())
	if err != nil || res.Phase != shift.Succeeded {
		t.Fatalf("%+v, %v", res, err)
	}
	calls, _ := lab.Calls().Since(0)
	return calls
}
