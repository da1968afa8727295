package route53

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	simfault "github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

// healthCheck of an address, which the simulator takes for healthy until it is told otherwise.
func (w *world) healthCheck(ip string, change ...func(*types.HealthCheckConfig)) string {
	w.t.Helper()
	config := &types.HealthCheckConfig{Type: types.HealthCheckTypeTcp, IPAddress: &ip, Port: aws.Int32(443)}
	for _, f := range change {
		f(config)
	}
	out, err := w.sdk.CreateHealthCheck(w.t.Context(), &r53.CreateHealthCheckInput{CallerReference: aws.String(ip), HealthCheckConfig: config})
	w.ok(err)
	return *out.HealthCheck.Id
}

func (w *world) setHealth(check string, healthy bool) {
	w.t.Helper()
	if !w.svc.SetHealth(check, &healthy) {
		w.t.Fatalf("no health check %s", check)
	}
}

func calculated(child string) func(*types.HealthCheckConfig) {
	return func(c *types.HealthCheckConfig) {
		*c = types.HealthCheckConfig{Type: types.HealthCheckTypeCalculated, ChildHealthChecks: []string{child}, HealthThreshold: aws.Int32(1)}
	}
}

func TestHealthIsWhatRoute53TakesTheRecordsFor(t *testing.T) {
	w := newWorld(t)
	well, sick, computed := w.healthCheck("192.0.2.1"), w.healthCheck("192.0.2.2"), ""
	computed = w.healthCheck("192.0.2.3", calculated(sick))
	w.setHealth(well, true)
	w.setHealth(sick, false)
	w.put(
		record(types.RRTypeA, "well", 1, checked(well)), record(types.RRTypeAaaa, "well", 1, checked(well)),
		record(types.RRTypeA, "sick", 1, checked(sick)), record(types.RRTypeAaaa, "sick", 1, checked(sick)),
		record(types.RRTypeA, "half", 1, checked(well)), record(types.RRTypeAaaa, "half", 1, checked(sick)),
		record(types.RRTypeA, "one", 1, checked(well)), record(types.RRTypeAaaa, "one", 1),
		record(types.RRTypeA, "none", 1), record(types.RRTypeAaaa, "none", 1),
		record(types.RRTypeA, "computed", 1, checked(computed)),
	)
	n := w.open()
	w.look(n)
	w.forget()
	got, err := n.Health(t.Context(), []string{"well", "sick", "half", "one", "none", "computed", "gone", "well"})
	w.ok(err)
	failing := fmt.Sprintf("health check %s: 0 of 8 checkers succeed: Failure: set by the lab", sick)
	for id, want := range map[string]shift.Health{
		"well":     {Healthy: 1, Total: 1},
		"sick":     {Total: 1, Reason: failing},
		"half":     {Total: 1, Reason: failing},
		"one":      {Healthy: 1, Total: 1},
		"none":     {Healthy: 1, Total: 1, Reason: "no health check"},
		"computed": {Healthy: 1, Total: 1},
		"gone":     {Reason: "there is no such record"},
	} {
		if got[id] != want {
			t.Errorf("%s: %+v, want %+v", id, got[id], want)
		}
	}
	if calls := w.made(); strings.Count(calls, "GetHealthCheckStatus") != 2 || strings.Contains(calls, "List") {
		t.Errorf("made %s", calls)
	}
	w.forget()
	if _, err := n.Health(t.Context(), []string{"well"}); err != nil || w.made() != "GetHealthCheckStatus" {
		t.Errorf("the second time it made %s, %v", w.made(), err)
	}
	advice, err := n.Advise(t.Context())
	w.ok(err)
	if all := strings.Join(advice, "\n"); strings.Contains(all, "cannot be read") {
		t.Errorf("advice about what is not declared: %s", all)
	}
}

// checkers answers for health checks with what a test says.
type checkers struct {
	API
	config   types.HealthCheckConfig
	statuses []string
}

func (c *checkers) GetHealthCheck(context.Context, *r53.GetHealthCheckInput, ...func(*r53.Options)) (*r53.GetHealthCheckOutput, error) {
	return &r53.GetHealthCheckOutput{HealthCheck: &types.HealthCheck{HealthCheckConfig: &c.config}}, nil
}

func (c *checkers) GetHealthCheckStatus(context.Context, *r53.GetHealthCheckStatusInput, ...func(*r53.Options)) (*r53.GetHealthCheckStatusOutput, error) {
	out := &r53.GetHealthCheckStatusOutput{}
	for _, s := range c.statuses {
		out.HealthCheckObservations = append(out.HealthCheckObservations, types.HealthCheckObservation{StatusReport: &types.StatusReport{Status: &s}})
	}
	return out, nil
}

func statuses(passing, failing int) []string {
	var out []string
	for range passing {
		out = append(out, "Success: HTTP Status Code 200, OK")
	}
	for range failing {
		out = append(out, "Failure: Connection timed out.")
	}
	return out
}

func TestMoreThan18PercentOfTheCheckersMakeARecordHealthy(t *testing.T) {
	for name, tc := range map[string]struct {
		config   types.HealthCheckConfig
		statuses []string
		why      string // "": healthy
	}{
		"all succeed":                {statuses: statuses(16, 0)},
		"3 of 16 are 18.75 percent":  {statuses: statuses(3, 13)},
		"9 of 50 are 18 percent":     {statuses: statuses(9, 41), why: "9 of 50 checkers succeed: Failure: Connection timed out."},
		"2 of 16 are 12.5 percent":   {statuses: statuses(2, 14), why: "2 of 16"},
		"none succeeds":              {statuses: statuses(0, 16), why: "0 of 16"},
		"nobody has reported":        {why: "no checker has reported yet"},
		"an empty report":            {statuses: []string{""}, why: "0 of 1 checkers succeed"},
		"inverted, all succeed":      {config: types.HealthCheckConfig{Inverted: aws.Bool(true)}, statuses: statuses(16, 0), why: "inverted"},
		"inverted, none succeeds":    {config: types.HealthCheckConfig{Inverted: aws.Bool(true)}, statuses: statuses(0, 16)},
		"inverted, nobody reports":   {config: types.HealthCheckConfig{Inverted: aws.Bool(true)}, why: "no checker has reported yet"},
		"disabled":                   {config: types.HealthCheckConfig{Disabled: aws.Bool(true)}, statuses: statuses(0, 16)},
		"disabled and inverted":      {config: types.HealthCheckConfig{Disabled: aws.Bool(true), Inverted: aws.Bool(true)}, statuses: statuses(16, 0), why: "disabled and inverted"},
		"one that has no such state": {config: types.HealthCheckConfig{Type: types.HealthCheckTypeCloudwatchMetric}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.put(record(types.RRTypeA, "blue", 1, checked(w.healthCheck("192.0.2.1"))))
			n := w.open(func(c *Config) { c.API = &checkers{API: w.sdk, config: tc.config, statuses: tc.statuses} })
			got, err := n.Health(t.Context(), []string{"blue"})
			w.ok(err)
			if h := got["blue"]; h.Total != 1 || (h.Healthy == 1) != (tc.why == "") || !strings.Contains(h.Reason, tc.why) {
				t.Errorf("%+v, want the reason %q", h, tc.why)
			}
		})
	}
}

func TestHealthThatCannotBeReadIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put(record(types.RRTypeA, "blue", 1, checked(w.healthCheck("192.0.2.1"))))
		n := w.open()
		for _, op := range []string{"GetHealthCheck", "GetHealthCheckStatus", "ListResourceRecordSets"} {
			time.Sleep(2 * keepConfig)
			w.fail(simfault.Rule{Kind: simfault.AccessDenied, Operation: op, Times: 1})
			if got, err := n.Health(t.Context(), []string{"blue"}); !errors.Is(err, fault.ErrDenied) {
				t.Errorf("%s denied: %v, %v", op, got, err)
			}
		}
	})
}

func TestAdviceTellsWhatDistortsTheShares(t *testing.T) {
	w := newWorld(t)
	well := w.healthCheck("192.0.2.1")
	computed := w.healthCheck("192.0.2.3", calculated(well))
	off := w.healthCheck("192.0.2.4", func(c *types.HealthCheckConfig) { c.Disabled = aws.Bool(true) })
	w.put(record(types.RRTypeA, "blue", 1, alias, checked(computed)), record(types.RRTypeA, "green", 1, alias, checked(off)))
	advise := func(change ...func(*Config)) string {
		t.Helper()
		out, err := w.open(change...).Advise(t.Context())
		w.ok(err)
		return strings.Join(out, "\n")
	}
	got := advise()
	for _, part := range []string{
		"leaves out records that it finds unhealthy", "EvaluateTargetHealth", `"blue"'s health check ` + computed + " (CALCULATED) cannot be read",
		`"green"'s health check ` + off + " is disabled",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("%q is not in: %s", part, got)
		}
	}
	out, err := w.sdk.CreateHostedZone(t.Context(), &r53.CreateHostedZoneInput{
		Name: aws.String("internal.example"), CallerReference: aws.String("2"),
		VPC: &types.VPC{VPCId: aws.String("vpc-1"), VPCRegion: types.VPCRegionUsEast1},
	})
	w.ok(err)
	w.zone = *out.HostedZone.Id
	w.put(record(types.RRTypeA, "blue", 1, at("a.internal.example")), record(types.RRTypeA, "green", 1, at("a.internal.example")))
	if got = advise(func(c *Config) { c.Name = "a.internal.example" }); !strings.Contains(got, "is private: only resolvers of its VPCs") || strings.Contains(got, "unhealthy") {
		t.Errorf("advice about a private zone: %s", got)
	}
}
