package manifest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

var cloudWatch = analysis.Timing{Settle: 10 * time.Second, Period: time.Minute, Delay: 2 * time.Minute}

const strategyLine = "strategy: {stepWeight: 10, stepInterval: 1m, bake: 5m}"

func compile(t *testing.T, edits ...string) shift.Spec {
	t.Helper()
	ts, err := Load("web.yaml", []byte(edit(t, edits...)))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := Compile(ts, cloudWatch)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func TestDefaultsAreFilledIn(t *testing.T) {
	const place = "arn:aws:elasticloadbalancing:us-east-1:123456789012:"
	want := shift.Spec{
		Name:  "web",
		Route: place + "listener/app/web/0123456789abcdef/1123456789abcdef rule 10",
		Destinations: []shift.Destination{
			{Name: "blue", ID: place + "targetgroup/blue/0123456789abcdef", Weight: 0},
			{Name: "green", ID: place + "targetgroup/green/1123456789abcdef", Weight: 100},
		},
		Bake:            5 * time.Minute,
		OnFailure:       shift.Rollback,
		OnDrift:         shift.Hold,
		OnInterrupt:     shift.Rollback,
		MaxHold:         10 * time.Minute,
		RollbackTimeout: 15 * time.Minute,
		Timing:          cloudWatch,
		Limits:          traffic.Limits{MaxWeight: 999, MaxDestinations: 5},
	}
	for p := 10; p <= 100; p += 10 {
		want.Steps = append(want.Steps, shift.Step{Percent: p, Hold: time.Minute})
	}
	if d := cmp.Diff(want, compile(t, strategyLine, "strategy: {}")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestStepsAreUnfolded(t *testing.T) {
	const m = time.Minute
	for name, tc := range map[string]struct {
		strategy string
		want     []shift.Step
	}{
		"the last step of the short form is smaller where 100 demands it": {
			"{stepWeight: 40, stepInterval: 2m}",
			[]shift.Step{{Percent: 40, Hold: 2 * m}, {Percent: 80, Hold: 2 * m}, {Percent: 100, Hold: 2 * m}},
		},
		"everything at once": {"{stepWeight: 100}", []shift.Step{{Percent: 100, Hold: m}}},
		"pauses and analyses extend the step before": {
			"{steps: [{setWeight: 20}, {pause: {duration: 1m}}, {analysis: {duration: 2m}}, {setWeight: 100}, {pause: {duration: 3m}}]}",
			[]shift.Step{{Percent: 20, Hold: 3 * m}, {Percent: 100, Hold: 3 * m}},
		},
		"an empty pause waits for an approval": {
			"{steps: [{setWeight: 20}, {pause: {}}, {pause: {duration: 1m}}, {stepWeight: 30}]}",
			[]shift.Step{{Percent: 20, Hold: m, Approval: true}, {Percent: 50}, {Percent: 100}},
		},
		"a pause before the first weight writes nothing": {
			"{steps: [{pause: {}}, {setWeight: 50}]}",
			[]shift.Step{{Percent: 0, Approval: true}, {Percent: 50}, {Percent: 100}},
		},
		"only a pause":                      {"{steps: [{pause: {duration: 1m}}]}", []shift.Step{{Hold: m}, {Percent: 100}}},
		"steps that reach 100 have no more": {"{steps: [{stepWeight: 60}, {stepWeight: 40}]}", []shift.Step{{Percent: 60}, {Percent: 100}}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, compile(t, strategyLine, "strategy: "+tc.strategy).Steps); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestStepsOnlyRiseAndEndAt100(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		st := v1alpha1.Strategy{StepWeight: rapid.IntRange(0, 100).Draw(t, "stepWeight")}
		reached := 0
		for rapid.Bool().Draw(t, "more") && reached < 100 {
			st.StepWeight = 0
			add := rapid.IntRange(1, 100-reached).Draw(t, "add")
			reached += add
			step := v1alpha1.Step{StepWeight: &add}
			if rapid.Bool().Draw(t, "set") {
				set := reached
				step = v1alpha1.Step{SetWeight: &set}
			}
			st.Steps = append(st.Steps, step, v1alpha1.Step{Pause: &v1alpha1.Pause{Duration: &v1alpha1.Duration{Duration: time.Second}}})
		}
		v := &validator{}
		v.strategy(st)
		if len(v.problems) > 0 {
			t.Fatalf("refused: %v", v.problems)
		}
		last := -1
		got := steps(st)
		for _, s := range got {
			if s.Percent <= last {
				t.Fatalf("%d after %d in %v", s.Percent, last, got)
			}
			last = s.Percent
		}
		if last != 100 {
			t.Fatalf("the last step is at %d", last)
		}
	})
}

func TestTimingIsTheManifestsThenTheEnvironments(t *testing.T) {
	const line = "  analysis:\n    metrics:\n    - name: errors\n      prometheus: {address: \"http://prometheus:9090\", query: up}\n      max: 1\n      interval: 1m\n"
	for name, tc := range map[string]struct {
		analysis string
		want     analysis.Timing
	}{
		"nothing said":          {"", cloudWatch},
		"a part of it":          {"  analysis: {timing: {delay: 0s}}\n", analysis.Timing{Settle: 10 * time.Second, Period: time.Minute}},
		"nothing to measure":    {"  analysis: {builtin: false}\n", analysis.Timing{}},
		"only a settle time":    {"  analysis: {builtin: false, timing: {settle: 5s}}\n", analysis.Timing{Settle: 5 * time.Second}},
		"only the user's query": {"  analysis: {builtin: false, metrics: [{name: a, max: 1, datadog: {query: x}}]}\n", cloudWatch},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, compile(t, line, tc.analysis).Timing); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestTheEnvironmentSetsTheTiming(t *testing.T) {
	env := map[string]string{EnvSettle: "0s", EnvPeriod: "1s", EnvDelay: "250ms"}
	got, err := EnvTiming(func(k string) string { return env[k] })
	if want := (analysis.Timing{Period: time.Second, Delay: 250 * time.Millisecond}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if got, err := EnvTiming(func(string) string { return "" }); err != nil || got != cloudWatch {
		t.Errorf("an empty environment gives %+v, %v", got, err)
	}
	env = map[string]string{EnvSettle: "-1s", EnvPeriod: "0s", EnvDelay: "2"}
	_, err = EnvTiming(func(k string) string { return env[k] })
	const want = `environment variable NORIKAE_CLOUDWATCH_SETTLE = "-1s": want a duration of 0s–168h with its unit, such as 1s; or unset it
environment variable NORIKAE_CLOUDWATCH_PERIOD = "0s": want a duration of 1ms–168h with its unit, such as 1s; or unset it
environment variable NORIKAE_CLOUDWATCH_DELAY = "2": want a duration of 0s–168h with its unit, such as 1s; or unset it`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestRoutesAndDestinationsAreNamed(t *testing.T) {
	const listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/web/0123456789abcdef/1123456789abcdef"
	rule := "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/web/0123456789abcdef/1123456789abcdef/2123456789abcdef"
	for want, alb := range map[string]v1alpha1.ALBRoute{
		listener + " rule 7":  {ListenerARN: listener, Rule: &v1alpha1.ALBRule{Priority: 7}},
		listener + " default": {ListenerARN: listener, Default: true},
		rule:                  {ListenerARN: listener, RuleARN: rule},
	} {
		if got := RouteID(v1alpha1.Route{ALB: &alb}); got != want {
			t.Errorf("RouteID = %q, want %q", got, want)
		}
	}
	for _, r := range []v1alpha1.Route53Route{
		{HostedZoneID: "Z1", Name: "*.example.com"}, {HostedZoneID: "/hostedzone/Z1", Name: "*.Example.com."}, {HostedZoneID: "Z1", Name: `\052.example.com.`},
	} {
		if got, want := RouteID(v1alpha1.Route{Route53: &r}), "route53 Z1 *.example.com."; got != want {
			t.Errorf("RouteID = %q, want %q", got, want)
		}
	}
	ts, err := Load("x", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0123456789abcdef":  "blue",
		"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/green/1123456789abcdef": "green",
	}
	if d := cmp.Diff(want, Names(ts)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestCompileRefusesWhatValidateRefuses(t *testing.T) {
	var empty v1alpha1.TrafficShift
	if _, err := Compile(&empty, cloudWatch); err == nil {
		t.Error("an empty manifest was compiled")
	}
	data, err := json.Marshal(empty)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load("x", data); err == nil {
		t.Error("an empty manifest was loaded")
	}
}
