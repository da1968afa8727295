package courier

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/provider/connection"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

const listenerARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/Web-1/0123456789abcdef/1123456789abcdef"

func groupARN(name string) string {
	return "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/" + name + "/0123456789abcdef"
}

// blocksOf makes a list of blocks from their values.
func blocksOf(list ...block) types.List {
	if len(list) == 0 {
		return types.ListValueMust(types.ObjectType{}, nil)
	}
	attrs := map[string]attr.Type{}
	for _, b := range list {
		for name, v := range b {
			attrs[name] = v.Type(nil) //nolint:staticcheck // the types of values need no context
		}
	}
	var out []attr.Value
	for _, b := range list {
		out = append(out, types.ObjectValueMust(attrs, b))
	}
	return types.ListValueMust(types.ObjectType{AttrTypes: attrs}, out)
}

func toGroup(name string, weight int) block {
	return block{"target_group_arn": types.StringValue(groupARN(name)), "weight": types.Int64Value(int64(weight))}
}

func rule(list ...block) *albModel {
	return &albModel{
		shared:      shared{Destinations: blocksOf(list...), StepWeight: types.Int64Value(20), StepInterval: types.StringValue("90s")},
		ListenerARN: types.StringValue(listenerARN), Priority: types.Int64Value(7), Hosts: setOf([]string{"a.example.com"}), PathPatterns: setOf([]string{"/api/*"}),
	}
}

func metricBlockOf(name, query string, more block) block {
	b := block{
		"name": types.StringValue(name), "query": types.StringValue(query), "min": types.Float64Null(), "max": types.Float64Value(5),
		"aws_region": types.StringNull(), "aws_profile": types.StringNull(), "interval": types.StringValue("2m"),
	}
	maps.Copy(b, more)
	return b
}

func TestConversion(t *testing.T) {
	m := rule(toGroup("blue", 90), toGroup("green", 10))
	m.Methods = setOf([]string{"get"})
	m.CloudWatch = blocksOf(
		metricBlockOf("http_errors_cw", `[{"Id":"{{.TargetGroupARN}}"}]`, block{"aws_region": types.StringValue("eu-west-1"), "aws_profile": types.StringValue("metrics")}),
		metricBlockOf("http_errors_cw", "[]", nil),
	)
	m.Datadog = blocksOf(metricBlockOf("HTTP errors", "sum:x", block{"max": types.Float64Null(), "min": types.Float64Value(0)}))
	m.Bake = types.StringValue("0s")
	m.Builtin = types.BoolValue(false)
	ts, at, diags := convert(m, connection.Connection{Region: "us-east-1", AssumeRole: &connection.AssumeRole{RoleARN: "arn:aws:iam::123456789012:role/x", ExternalID: "e"}})
	if diags.HasError() {
		t.Fatal(diags)
	}
	five, zero, no := 5.0, 0.0, false
	w := func(n int) *int { return &n }
	minute := func(n int) v1alpha1.Duration { return v1alpha1.Duration{Duration: time.Duration(n) * time.Minute} }
	want := &v1alpha1.TrafficShift{
		APIVersion: v1alpha1.GroupVersion, Kind: "TrafficShift", Metadata: v1alpha1.Metadata{Name: "web-1-7"},
		Spec: v1alpha1.TrafficShiftSpec{
			Route: v1alpha1.Route{ALB: &v1alpha1.ALBRoute{ListenerARN: listenerARN, Rule: &v1alpha1.ALBRule{Priority: 7, Hosts: []string{"a.example.com"}, PathPatterns: []string{"/api/*"}, Methods: []string{"GET"}}}},
			Destinations: []v1alpha1.Destination{
				{Name: "blue", TargetGroupARN: groupARN("blue"), Weight: w(90)}, {Name: "green", TargetGroupARN: groupARN("green"), Weight: w(10)},
			},
			Strategy: v1alpha1.Strategy{StepWeight: 20, StepInterval: v1alpha1.Duration{Duration: 90 * time.Second}, Bake: &v1alpha1.Duration{}},
			Analysis: v1alpha1.Analysis{Builtin: &no, Metrics: []v1alpha1.Metric{
				{Name: "http-errors-cw", Max: &five, Interval: minute(2), CloudWatch: &v1alpha1.CloudWatchMetric{Query: `[{"Id":"{{.New.ARN}}"}]`, Region: "eu-west-1", Profile: "metrics"}},
				{Name: "http-errors-cw-2", Max: &five, Interval: minute(2), CloudWatch: &v1alpha1.CloudWatchMetric{Query: "[]"}},
				{Name: "http-errors", Min: &zero, Interval: minute(2), Datadog: &v1alpha1.DatadogMetric{Query: "sum:x"}},
			}},
			AWS: v1alpha1.AWS{Region: "us-east-1", AssumeRole: &v1alpha1.AssumeRole{RoleARN: "arn:aws:iam::123456789012:role/x", ExternalID: "e"}},
		},
	}
	if d := cmp.Diff(want, ts); d != "" {
		t.Error(d)
	}
	if got := at[2].String(); got != "datadog_metric[0]" {
		t.Errorf("the third metric stands at %s", got)
	}
	if problems := manifest.Validate(ts); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestQueriesOfTheOldProviderAreReadInTodaysWords(t *testing.T) {
	for old, want := range map[string]string{
		`{{.TargetGroupARN}}`:                                   `{{.New.ARN}}`,
		`a {{ .TargetGroupARN }} b`:                             `a {{.New.ARN}} b`,
		`{{index .LoadBalancerARNs 0}}`:                         `{{.LoadBalancer.ARN}}`,
		`{{$.TargetGroupARN}}`:                                  `{{$.New.ARN}}`,
		`{{range .LoadBalancerARNs}}{{.}}{{end}}`:               `{{with .LoadBalancer.ARN}}{{.}}{{end}}`,
		`{{.LoadBalancerARN}} {{.ListenerARN}}`:                 `{{.LoadBalancer.ARN}} {{"` + listenerARN + `"}}`,
		`{{if eq .TargetGroupARN "x"}}1{{else}}2{{end}}`:        `{{if eq .New.ARN "x"}}1{{else}}2{{end}}`,
		`{{.New.Suffix}} {{ .Interval }}`:                       `{{.New.Suffix}} {{ .Interval }}`,
		`{{range .Gaining}}{{$.TargetGroupARN}}{{.ARN}}{{end}}`: `{{range .Gaining}}{{$.New.ARN}}{{.ARN}}{{end}}`,
		`{{broken`:      `{{broken`,
		`[{"Id":"m1"}]`: `[{"Id":"m1"}]`,
		``:              ``,
	} {
		if got := modern(old, listenerARN); got != want {
			t.Errorf("%s became %s, want %s", old, got, want)
		}
	}
}

// Whatever weights are declared: they are what the shift ends at, under unique names, and
// its manifest reads back as the same shift.
func TestEveryConversionKeepsWhatIsDeclared(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "destinations")
		var list []block
		want := traffic.Split{}
		for i := range n {
			name := fmt.Sprintf("tg-%d", i)
			weight := rapid.IntRange(0, 999).Draw(t, "weight")
			if i == 0 {
				weight = max(weight, 1)
			}
			list = append(list, toGroup(name, weight))
			want = append(want, traffic.Weighted{ID: groupARN(name), Weight: weight})
		}
		m := rule(list...)
		query := rapid.StringMatching(`[a-z"'\\: #\n{}é-]{1,30}`).Draw(t, "query")
		m.Prometheus = blocksOf(metricBlockOf(rapid.String().Draw(t, "name"), "q"+query, block{"address": types.StringValue("http://p:9090")}))
		ts, _, diags := convert(m, connection.Connection{})
		if diags.HasError() {
			t.Fatal(diags)
		}
		spec, err := manifest.Compile(ts, analysis.Timing{})
		if err != nil {
			t.Fatal(err)
		}
		if !spec.To().Equal(want) {
			t.Fatalf("declared %s, got %s", want, spec.To())
		}
		text, err := yamlOf(ts)
		if err != nil {
			t.Fatal(err)
		}
		back, err := manifest.Load("manifest", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if d := cmp.Diff(ts, back); d != "" {
			t.Fatalf("%s\n%s", d, text)
		}
		again, err := manifest.Compile(back, analysis.Timing{})
		if err != nil || again.Hash() != spec.Hash() {
			t.Fatalf("the manifest is another shift: %v", err)
		}
	})
}

// The steps that a plan shows go from the live weights to the declared ones, and none is
// shown when there is nothing to move.
func TestPlannedStepsEndAtWhatIsDeclared(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weight := rapid.IntRange(0, 99)
		from := traffic.Split{{ID: groupARN("blue"), Weight: 1 + weight.Draw(t, "blue")}, {ID: groupARN("green"), Weight: weight.Draw(t, "green")}}
		blue, green := weight.Draw(t, "to blue"), 1+weight.Draw(t, "to green")
		ts, _, _ := convert(rule(toGroup("blue", blue), toGroup("green", green)), connection.Connection{})
		lines, ok := stepsFrom(ts, from)
		if !ok {
			t.Fatal("no steps")
		}
		to := traffic.Split{{ID: groupARN("blue"), Weight: blue}, {ID: groupARN("green"), Weight: green}}
		if from.Equal(to) {
			if len(lines) > 0 {
				t.Fatalf("settled, but %q", lines)
			}
			return
		}
		names := namer{groupARN("blue"): "blue", groupARN("green"): "green"}
		if !slices.ContainsFunc(lines[len(lines)-1:], func(l string) bool { return l == "100%: "+names.split(to) }) {
			t.Fatalf("from %s to %s by %q", from, to, lines)
		}
	})
}

func TestNamesAreMadeUnique(t *testing.T) {
	long := strings.Repeat("x", 80)
	record := func(id string) block {
		return block{"set_identifier": types.StringValue(id), "weight": types.Int64Value(1), "load_balancer_arn": types.StringNull()}
	}
	m := &recordModel{shared: shared{Destinations: blocksOf(record("my blue"), record("my-blue"), record(long), record(long+"y"))}, ZoneID: types.StringValue("Z0123456789ABCDEFGHIJ"), Name: types.StringValue("*.example.com")}
	m.Builtin = types.BoolValue(false)
	ts, _, _ := convert(m, connection.Connection{})
	var names []string
	for _, d := range ts.Spec.Destinations {
		names = append(names, d.Name)
	}
	if d := cmp.Diff([]string{"my-blue", "my-blue-2", long[:63], long[:61] + "-2"}, names); d != "" {
		t.Error(d)
	}
	if problems := manifest.Validate(ts); len(problems) > 0 || ts.Metadata.Name != "example-com" {
		t.Error(ts.Metadata.Name, problems)
	}
}

func TestEveryEndSaysWhatToDoNext(t *testing.T) {
	for _, p := range []shift.Phase{shift.RolledBack, shift.Held, shift.Unconfirmed, shift.Shifting} {
		title, next := ending(p, "--rule ARN")
		if title == "" || !strings.Contains(strings.ToLower(next), "apply again") {
			t.Errorf("%s: %q, %q", p, title, next)
		}
	}
}
