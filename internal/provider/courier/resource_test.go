package courier_test

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
	tf.apply(t.Context(), web(100, 0))
	tf.mustNot(tf.diags)
	if f.runs != 1 || tf.get("arn") != ruleARN || tf.get("id") != ruleARN {
		t.Fatalf("runs %d, arn %v, id %v", f.runs, tf.get("arn"), tf.get("id"))
	}
	previews := f.previews
	tf.refresh()
	if tf.apply(t.Context(), web(100, 0)) || f.runs != 1 || f.previews != previews {
		t.Errorf("a settled courier: runs %d, previews %d → %d\n%s", f.runs, previews, f.previews, tf.said())
	}
	want := map[string]any{blue: "tftypes.Number<\"100\">", green: "tftypes.Number<\"0\">"}
	if d := cmp.Diff(want, tf.get("live_weights")); d != "" {
		t.Error(d)
	}
}

func TestUpdatePlansItsSteps(t *testing.T) {
	f := &fakeShifts{}
	tf := start(t, alb, f)
	tf.apply(t.Context(), web(100, 0))
	planned, _ := tf.plan(tf.value(web(0, 100)))
	tf.mustNot(tf.diags)
	want := []any{"50%: blue 50 (50%), green 50 (50%)", "100%: blue 0 (0%), green 100 (100%)"}
	if d := cmp.Diff(want, plain(tf, tf.object(planned)["planned_steps"])); d != "" {
		t.Error(d)
	}
	if got := tf.said(); !strings.Contains(got, "Traffic will shift in 2 writes") || !strings.Contains(got, "Takes at least 2m, at most 1h.") || strings.Count(got, "sticky") != 1 {
		t.Error(got)
	}
	tf.apply(context.Background(), web(0, 100))
	tf.mustNot(tf.diags)
	if !f.opened[len(f.opened)-1].Spec.Route.ALB.Adopt {
		t.Error("a rule that is in the state must be adopted, whoever made it")
	}
}
