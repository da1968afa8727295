package courier_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// web is the old providers' configuration of a rule.
func web(blueWeight, greenWeight int) values {
	return values{
		"listener_arn": listener, "priority": "11", "step_weight": 50, "step_interval": "1m",
		"hosts": []string{"example.com"}, "path_patterns": []string{"/*"},
		"destination": []values{{"target_group_arn": blue, "weight": blueWeight}, {"target_group_arn": green, "weight": greenWeight}},
	}
}

func with(v values, more values) values {
	out := maps.Clone(v)
	maps.Copy(out, more)
	return out
}

func split(blueWeight, greenWeight int) traffic.Split {
	return traffic.Split{{ID: blue, Weight: blueWeight}, {ID: green, Weight: greenWeight}}
}

const alb = "eksctl_courier_alb"

func TestCreateRunsAShiftAndThenNothingIsLeftToDo(t *testing.T) {
	f := &fakeShifts{}
	tf := start(t, alb, f)
	tf.apply(web(100, 0))
	tf.mustNot(tf.diags)
	if f.runs != 1 || tf.get("arn") != ruleARN || tf.get("id") != ruleARN {
		t.Fatalf("runs %d, arn %v, id %v", f.runs, tf.get("arn"), tf.get("id"))
	}
	previews := f.previews
	tf.refresh()
	if tf.apply(web(100, 0)) || f.runs != 1 || f.previews != previews {
		t.Errorf("a settled courier: runs %d, previews %d → %d\n%s", f.runs, previews, f.previews, tf.said())
	}
	want := map[string]any{blue: "tftypes.Number<\"100\">", green: "tftypes.Number<\"0\">"}
	if d := cmp.Diff(want, tf.get("live_weights")); d != "" {
		t.Error(d)
	}
}

func TestAPlanSaysThatARuleIsTakenOver(t *testing.T) {
	f := &fakeShifts{arn: ruleARN, split: split(100, 0)}
	tf := start(t, alb, f)
	tf.plan(tf.value(web(100, 0)))
	tf.mustNot(tf.diags)
	if said := tf.said(); !strings.Contains(said, "It is there already") || !strings.Contains(said, "writes nothing") {
		t.Errorf("it said %q", said)
	}
	tf = start(t, alb, &fakeShifts{})
	tf.plan(tf.value(web(100, 0)))
	if said := tf.said(); strings.Contains(said, "It is there already") {
		t.Errorf("of a rule that is not there it said %q", said)
	}
}

func TestUpdatePlansItsSteps(t *testing.T) {
	f := &fakeShifts{}
	tf := start(t, alb, f)
	tf.apply(web(100, 0))
	planned, _ := tf.plan(tf.value(web(0, 100)))
	tf.mustNot(tf.diags)
	want := []any{"50%: blue 50 (50%), green 50 (50%)", "100%: blue 0 (0%), green 100 (100%)"}
	if d := cmp.Diff(want, plain(tf, tf.object(planned)["planned_steps"])); d != "" {
		t.Error(d)
	}
	if got := tf.said(); !strings.Contains(got, "Traffic will shift in 2 writes") || !strings.Contains(got, "Takes at least 2m, at most 1h.") || strings.Count(got, "sticky") != 1 {
		t.Error(got)
	}
	tf.apply(web(0, 100))
	tf.mustNot(tf.diags)
	if !f.opened[len(f.opened)-1].Spec.Route.ALB.Adopt {
		t.Error("a rule that is in the state must be adopted, whoever made it")
	}
}

func TestWhatARolledBackShiftLeaves(t *testing.T) {
	bad, good := 7.5, 0.1
	report := &analysis.Report{Metrics: []analysis.MetricReport{{Name: "http-errors", Passed: 1, Failed: 1, Last: analysis.Measurement{Value: &bad, Old: &good, Verdict: analysis.Failed, Message: "7.5 is above max 5"}}}}
	f := &fakeShifts{end: shift.RolledBack, message: "metric http-errors failed", report: report}
	tf := start(t, alb, f)

	tf.apply(web(50, 50))
	if !tf.failed() || !tf.state.IsNull() {
		t.Fatalf("a create that is rolled back must fail and leave no state, not %s", tf.state)
	}
	got := tf.said()
	for _, want := range []string{"The shift was rolled back", "metric http-errors: new 7.5, old 0.1 (1 passed, 1 failed, 0 tolerated): 7.5 is above max 5", "Traffic now: blue 1 (100%).", "then apply again"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}

	f.end = shift.Succeeded
	tf.apply(web(100, 0))
	tf.mustNot(tf.diags)

	f.end = shift.RolledBack
	tf.apply(with(web(0, 100), values{"step_weight": 20}))
	if !tf.failed() {
		t.Fatal("an update that is rolled back must fail")
	}
	want := []any{destination(blue, 100), destination(green, 0)}
	if d := cmp.Diff(want, tf.get("destination")); d != "" {
		t.Errorf("the state must be what is live:\n%s", d)
	}
	if got := tf.get("step_weight"); got != number(50) {
		t.Errorf("step_weight is %v: what failed to apply is not in the state", got)
	}

	f.end = shift.Succeeded
	if !tf.apply(with(web(0, 100), values{"step_weight": 20})) {
		t.Error("the next apply must try again")
	}
	tf.mustNot(tf.diags)
}

func number(n int) string { return fmt.Sprintf("tftypes.Number<%q>", fmt.Sprint(n)) }

func destination(id string, weight int) map[string]any {
	return map[string]any{"target_group_arn": id, "weight": number(weight)}
}

func TestAHeldShiftIsAnErrorAndTheNextApplyGoesOn(t *testing.T) {
	f := &fakeShifts{split: split(100, 0), rule: &v1alpha1.ALBRule{Priority: 11, Hosts: []string{"example.com"}, PathPatterns: []string{"/*"}}, arn: ruleARN}
	tf := start(t, alb, f)
	tf.apply(web(100, 0))
	f.end, f.message = shift.Held, "no data for 10m"
	tf.apply(web(0, 100))
	if got := tf.said(); !strings.Contains(got, "The shift is held") || !strings.Contains(got, "no data for 10m") || !strings.Contains(got, "Apply again to go on with it") {
		t.Error(got)
	}
	if d := cmp.Diff([]any{destination(blue, 50), destination(green, 50)}, tf.get("destination")); d != "" {
		t.Error(d)
	}
	tf.refresh()
	if tf.get("unfinished") != `shift "web-11", started 2026-01-02T03:04:05Z` {
		t.Errorf("unfinished is %v", tf.get("unfinished"))
	}
	f.end = shift.Succeeded
	tf.apply(web(0, 100))
	tf.mustNot(tf.diags)
	if tf.get("unfinished") != nil {
		t.Error("a shift that is done is not unfinished")
	}
}

func TestAnUnfinishedShiftIsGoneOnWithAlthoughTheWeightsAreThere(t *testing.T) {
	f := &fakeShifts{}
	tf := start(t, alb, f)
	tf.apply(web(100, 0))
	f.mark = &shift.Mark{Name: "web-11"} // it bakes, and whoever drove it is dead
	tf.refresh()
	if !tf.apply(web(100, 0)) || f.runs != 2 {
		t.Errorf("%d runs: the mark would stay for ever", f.runs)
	}
	tf.mustNot(tf.diags)
}

func TestInterruptsReachTheShift(t *testing.T) {
	t.Run("Terraform is told to stop", func(t *testing.T) {
		f := &fakeShifts{}
		tf := start(t, alb, f)
		tf.apply(web(100, 0))
		f.untilInterrupted, f.started, f.end, f.message = true, make(chan struct{}), shift.RolledBack, "interrupted"
		go func() {
			<-f.started
			if _, err := tf.server.StopProvider(context.WithoutCancel(t.Context()), &tfprotov6.StopProviderRequest{}); err != nil {
				t.Error(err)
			}
		}()
		tf.apply(web(0, 100))
		if got := tf.said(); !strings.Contains(got, "rolled back") || !strings.Contains(got, "Terraform was told to stop") || !strings.Contains(got, "Traffic now: blue 100 (100%), green 0 (0%)") {
			t.Error(got)
		}
		if d := cmp.Diff([]any{destination(blue, 100), destination(green, 0)}, tf.get("destination")); d != "" {
			t.Error(d)
		}
	})
	t.Run("the time in the timeouts block is over", func(t *testing.T) {
		f := &fakeShifts{untilInterrupted: true, end: shift.Held, message: "interrupted"}
		tf := start(t, alb, f)
		tf.apply(with(web(0, 100), values{"timeouts": values{"create": "10ms"}}))
		if got := tf.said(); !strings.Contains(got, "The time in the timeouts block, 10ms, was over") || !tf.state.IsNull() {
			t.Error(got)
		}
	})
}

func TestDriftShows(t *testing.T) {
	f := &fakeShifts{}
	tf := start(t, alb, f)
	tf.apply(web(100, 0))
	other := strings.Replace(green, "green", "other", 1)
	for name, c := range map[string]struct {
		drift func()
		attr  string
		want  any
	}{
		"weights":       {func() { f.split = split(40, 60) }, "destination", []any{destination(blue, 40), destination(green, 60)}},
		"a third group": {func() { f.split = append(split(100, 0), traffic.Weighted{ID: other, Weight: 1}) }, "destination", []any{destination(blue, 100), destination(green, 0), destination(other, 1)}},
		"hosts":         {func() { f.rule.Hosts = []string{"evil.example.com"} }, "hosts", []any{"evil.example.com"}},
		"paths gone":    {func() { f.rule.PathPatterns = nil }, "path_patterns", nil},
	} {
		t.Run(name, func(t *testing.T) {
			rule := *f.rule
			before, state := f.split, tf.state
			c.drift()
			tf.refresh()
			tf.mustNot(tf.diags)
			if d := cmp.Diff(c.want, tf.get(c.attr)); d != "" {
				t.Error(d)
			}
			if planned, _ := tf.plan(tf.value(web(100, 0))); planned.Equal(tf.state) || !strings.Contains(plain(tf, tf.object(planned)["hosts"]).([]any)[0].(string), "example.com") { //nolint:forcetypeassert // a test
				t.Error("the plan must take the drift back")
			}
			f.rule, f.split, tf.state = &rule, before, state
		})
	}
	f.rule.Hosts, f.rule.Methods = []string{"example.com"}, nil
	tf.refresh()
	if tf.apply(web(100, 0)) {
		t.Error("the same conditions are no drift")
	}
	f.split = nil
	tf.refresh()
	if !tf.state.IsNull() {
		t.Error("a rule that is gone is gone from the state")
	}
}

func TestConditionsInAnotherOrderAreTheSame(t *testing.T) {
	f := &fakeShifts{}
	tf := start(t, alb, f)
	config := with(web(100, 0), values{
		"methods": []string{"get", "POST"}, "hosts": []string{"a.example.com"}, "path_patterns": nil,
		"headers":      dynamic(`{"X-A":"1"}`, `["object",{"X-A":"string"}]`),
		"querystrings": dynamic(`{"v":["2"]}`, `["object",{"v":["tuple",["string"]]}]`),
	})
	tf.apply(config)
	tf.mustNot(tf.diags)
	rule := *f.rule
	if d := cmp.Diff([]v1alpha1.HeaderMatch{{Name: "X-A", Values: []string{"1"}}}, rule.Headers); d != "" {
		t.Error(d)
	}
	rule.Methods = []string{"POST", "GET"}
	f.rule = &rule
	tf.refresh()
	if tf.apply(config) {
		t.Errorf("no drift, but a change:\n%s", tf.said())
	}
	rule.Headers = []v1alpha1.HeaderMatch{{Name: "X-A", Values: []string{"1", "3"}}}
	tf.refresh()
	if d := cmp.Diff(map[string]any{"X-A": []any{"1", "3"}}, tf.get("headers")); d != "" {
		t.Error(d)
	}
}

func dynamic(value, ty string) any {
	return map[string]json.RawMessage{"value": json.RawMessage(value), "type": json.RawMessage(ty)}
}

func TestImport(t *testing.T) {
	rule := &v1alpha1.ALBRule{Priority: 11, Hosts: []string{"example.com"}, PathPatterns: []string{"/*"}}
	for name, c := range map[string]struct {
		resource, id string
		config       values
	}{
		"a rule by its ARN":                   {alb, ruleARN, web(90, 10)},
		"a rule by its listener and priority": {alb, listener + "/11", web(90, 10)},
		"a listener of a Network Load Balancer": {"eksctl_courier_nlb", netARN, values{
			"listener_arn": netARN, "destination": web(90, 10)["destination"],
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeShifts{arn: ruleARN, rule: rule, split: split(90, 10)}
			tf := start(t, c.resource, f)
			tf.importID(c.id)
			tf.mustNot(tf.diags)
			if d := cmp.Diff([]any{destination(blue, 90), destination(green, 10)}, tf.get("destination")); d != "" {
				t.Error(d)
			}
			tf.apply(c.config)
			tf.mustNot(tf.diags)
			if !f.split.Equal(split(90, 10)) || tf.get("id") != c.id {
				t.Errorf("%v, id %v", f.split, tf.get("id"))
			}
		})
	}
	t.Run("records by zone, name and type", func(t *testing.T) {
		f := &fakeShifts{split: traffic.Split{{ID: "blue", Weight: 9}, {ID: "green", Weight: 1}}}
		tf := start(t, "eksctl_courier_route53_record", f)
		tf.importID("Z0123456789ABCDEFGHIJ/api.example.com/A")
		tf.mustNot(tf.diags)
		if tf.get("zone_id") != "Z0123456789ABCDEFGHIJ" || tf.get("name") != "api.example.com" || !cmp.Equal(tf.get("record_types"), any([]any{"A"})) {
			t.Error(tf.state)
		}
	})
	for _, c := range []struct{ resource, id, want string }{
		{alb, "x", `"x": want the ARN of an Application Load Balancer's rule`},
		{alb, listener, "LISTENER_ARN/PRIORITY"},
		{alb, netARN + "/3", "LISTENER_ARN/PRIORITY"},
		{"eksctl_courier_nlb", listener, "want the ARN of a Network Load Balancer's listener"},
		{"eksctl_courier_route53_record", "Z1", "want ZONE_ID/NAME"},
	} {
		tf := start(t, c.resource, &fakeShifts{})
		tf.importID(c.id)
		if !strings.Contains(tf.said(), c.want) {
			t.Errorf("%s %s: %s", c.resource, c.id, tf.said())
		}
	}
}

func TestDestroyIsRefusedWhileTheRuleCarriesTraffic(t *testing.T) {
	f := &fakeShifts{}
	tf := start(t, alb, f)
	tf.apply(web(100, 0))
	planned, _ := tf.plan(tftypes.NewValue(tf.ty, nil))
	if !planned.IsNull() || !strings.Contains(tf.said(), "Destroy will be refused") {
		t.Error(tf.said())
	}
	tf.destroy()
	if !tf.failed() || f.split == nil || tf.state.IsNull() || !strings.Contains(tf.said(), "force_destroy = true") {
		t.Errorf("%v\n%s", f.split, tf.said())
	}
	tf.apply(with(web(100, 0), values{"force_destroy": true}))
	tf.mustNot(tf.diags)
	tf.destroy()
	tf.mustNot(tf.diags)
	if f.split != nil || !tf.state.IsNull() {
		t.Error("not destroyed")
	}
}

func TestAnotherPriorityIsRefusedAtPlan(t *testing.T) {
	f := &fakeShifts{}
	tf := start(t, alb, f)
	tf.apply(web(100, 0))
	tf.plan(tf.value(with(web(100, 0), values{"priority": 12})))
	if !tf.failed() || !strings.Contains(tf.said(), `at AttributeName("priority"): Another rule`) {
		t.Error(tf.said())
	}
	tf.apply(with(web(100, 0), values{"force_destroy": true}))
	if _, replace := tf.plan(tf.value(with(web(100, 0), values{"priority": 12, "force_destroy": true}))); !replace {
		t.Errorf("with force_destroy it is replaced: %s", tf.said())
	}
}
