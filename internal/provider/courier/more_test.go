package courier_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/provider/connection"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// oldState is what the old provider's SDK writes: its own ID, and "", 0, [] and {} for
// what is not set in blocks.
const oldState = `{
 "id": "bsu2fhd6crpvcl3pnp10", "address": "", "region": "", "profile": "", "assume_role": [],
 "listener_arn": "` + listener + `", "priority": 11, "step_weight": 50, "step_interval": "1m",
 "hosts": ["example.com"], "methods": null, "path_patterns": ["/*"], "source_ips": [], "headers": {}, "querystrings": null,
 "destination": [{"target_group_arn": "` + blue + `", "weight": 100}, {"target_group_arn": "` + green + `", "weight": 0}],
 "cloudwatch_metric": [{"name": "http_errors_cw", "query": "[]", "max": 50, "min": 0, "interval": "1m", "address": "", "aws_region": "", "aws_profile": ""}],
 "datadog_metric": null, "gone": true
}`

func TestAStateOfTheOldProviderShowsNoDifference(t *testing.T) {
	f := &fakeShifts{arn: ruleARN, split: split(100, 0), rule: &v1alpha1.ALBRule{Priority: 11, Hosts: []string{"example.com"}, PathPatterns: []string{"/*"}}}
	tf := start(t, alb, f)
	tf.upgrade(oldState)
	tf.mustNot(tf.diags)
	tf.refresh()
	tf.mustNot(tf.diags)
	config := with(web(100, 0), values{"cloudwatch_metric": []values{{"name": "http_errors_cw", "query": "[]", "max": 50}}})
	if planned, _ := tf.plan(tf.value(config)); !planned.Equal(tf.state) {
		diffs, _ := planned.Diff(tf.state)
		t.Fatalf("a difference: %s\n%s", diffs, tf.said())
	}
	if tf.get("arn") != ruleARN || tf.get("id") != "bsu2fhd6crpvcl3pnp10" {
		t.Errorf("arn %v, id %v", tf.get("arn"), tf.get("id"))
	}
	tf.apply(with(config, values{"destination": web(0, 100)["destination"]}))
	tf.mustNot(tf.diags)
	last := f.opened[len(f.opened)-1]
	if !last.Spec.Route.ALB.Adopt || last.Spec.Analysis.Metrics[0].Min != nil {
		t.Errorf("adopt %v, min %v: the state says that it is ours, and unset is not 0", last.Spec.Route.ALB.Adopt, last.Spec.Analysis.Metrics[0].Min)
	}
}

func TestConditionsOfAnOldStateInAnySpellingShowNoDifference(t *testing.T) {
	one := dynamic(`{"version":"2"}`, `["object",{"version":"string"}]`)
	for name, c := range map[string]struct {
		state  string
		config any
		live   []v1alpha1.QueryMatch
		equal  bool
	}{
		"a text":                        {`{"version":"2"}`, one, []v1alpha1.QueryMatch{{Key: "version", Value: "2"}}, true},
		"a number":                      {`{"version":"2"}`, dynamic(`{"version":2}`, `["object",{"version":"number"}]`), []v1alpha1.QueryMatch{{Key: "version", Value: "2"}}, true},
		"a list of one":                 {`{"version":"2"}`, dynamic(`{"version":["2"]}`, `["object",{"version":["tuple",["string"]]}]`), []v1alpha1.QueryMatch{{Key: "version", Value: "2"}}, true},
		"a text that is live alone":     {`null`, one, []v1alpha1.QueryMatch{{Key: "version", Value: "2"}}, true},
		"an empty map that was null":    {`null`, dynamic(`{}`, `["object",{}]`), nil, true},
		"nothing that was an empty map": {`{}`, nil, nil, true},
		"another text":                  {`{"version":"2"}`, dynamic(`{"version":"3"}`, `["object",{"version":"string"}]`), []v1alpha1.QueryMatch{{Key: "version", Value: "2"}}, false},
		"one that is removed":           {`{"version":"2"}`, nil, []v1alpha1.QueryMatch{{Key: "version", Value: "2"}}, false},
		"one that somebody took off":    {`{"version":"2"}`, one, nil, false},
	} {
		for _, attribute := range []string{"querystrings", "headers"} {
			t.Run(name+" in "+attribute, func(t *testing.T) {
				rule := &v1alpha1.ALBRule{Priority: 11, Hosts: []string{"example.com"}, PathPatterns: []string{"/*"}}
				old := strings.Replace(oldState, `"querystrings": null`, `"querystrings": `+c.state, 1)
				if rule.QueryStrings = c.live; attribute == "headers" {
					old = strings.Replace(oldState, `"headers": {}`, `"headers": `+c.state, 1)
					rule.QueryStrings = nil
					for _, q := range c.live {
						rule.Headers = append(rule.Headers, v1alpha1.HeaderMatch{Name: q.Key, Values: []string{q.Value}})
					}
				}
				tf := start(t, alb, &fakeShifts{arn: ruleARN, split: split(100, 0), rule: rule})
				tf.upgrade(old)
				tf.mustNot(tf.diags)
				tf.refresh()
				tf.mustNot(tf.diags)
				config := with(web(100, 0), values{attribute: c.config, "cloudwatch_metric": []values{{"name": "http_errors_cw", "query": "[]", "max": 50}}})
				if planned, _ := tf.plan(tf.value(config)); planned.Equal(tf.state) != c.equal {
					diffs, _ := planned.Diff(tf.state)
					t.Errorf("equal: want %v; %s\n%s", c.equal, diffs, tf.said())
				}
				tf.apply(config)
				tf.mustNot(tf.diags)
				if planned, _ := tf.plan(tf.value(config)); !planned.Equal(tf.state) {
					t.Error("a difference after the apply")
				}
			})
		}
	}
}

func TestEmptyCollectionsOfARoleShowNoDifferenceToAnOldState(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/x"
	empty := values{"role_arn": role, "policy_arns": []string{}, "tags": map[string]string{}, "transitive_tag_keys": []string{}}
	for _, state := range []string{
		`{"role_arn": "` + role + `", "policy_arns": null, "tags": null, "transitive_tag_keys": null, "duration_seconds": 0, "policy": "", "session_name": "", "external_id": ""}`,
		`{"role_arn": "` + role + `", "policy_arns": [], "tags": {}, "transitive_tag_keys": []}`,
	} {
		for name, block := range map[string]values{"empty ones": empty, "none": {"role_arn": role}} {
			t.Run(name, func(t *testing.T) {
				f := &fakeShifts{arn: ruleARN, split: split(100, 0), rule: &v1alpha1.ALBRule{Priority: 11, Hosts: []string{"example.com"}, PathPatterns: []string{"/*"}}}
				tf := start(t, alb, f)
				tf.upgrade(strings.Replace(oldState, `"assume_role": []`, `"assume_role": [`+state+`]`, 1))
				tf.mustNot(tf.diags)
				tf.refresh()
				config := with(web(100, 0), values{"assume_role": []values{block}, "cloudwatch_metric": []values{{"name": "http_errors_cw", "query": "[]", "max": 50}}})
				if planned, _ := tf.plan(tf.value(config)); !planned.Equal(tf.state) {
					diffs, _ := planned.Diff(tf.state)
					t.Errorf("a difference to %s: %s\n%s", state, diffs, tf.said())
				}
			})
		}
	}
}

func TestAStateThatCannotBeReadIsAnError(t *testing.T) {
	tf := start(t, alb, &fakeShifts{})
	tf.upgrade(`[]`)
	if !strings.Contains(tf.said(), "The state cannot be upgraded") {
		t.Error(tf.said())
	}
}

func TestRecordsOfAName(t *testing.T) {
	f := &fakeShifts{split: traffic.Split{{ID: "blue", Weight: 1}, {ID: "green", Weight: 0}}}
	tf := start(t, record, f)
	config := func(b, g int) values {
		return name53(values{"destination": []values{{"set_identifier": "blue", "weight": b}, {"set_identifier": "green", "weight": g}}})
	}
	tf.apply(config(1, 0))
	tf.mustNot(tf.diags)
	tf.apply(config(0, 1))
	tf.mustNot(tf.diags)
	f.split = append(f.split, traffic.Weighted{ID: "extra", Weight: 0}) // a record that is not ours, without traffic
	tf.refresh()
	if tf.apply(config(0, 1)) {
		t.Errorf("records without traffic stay and are no drift: %s", tf.said())
	}
	if _, replace := tf.plan(tf.value(with(config(0, 1), values{"name": "www.example.com"}))); !replace {
		t.Error("another name is another resource")
	}
	tf.destroy()
	tf.mustNot(tf.diags)
	if f.destroys != 1 || f.split == nil || !tf.state.IsNull() {
		t.Error("destroy forgets the records, and leaves them")
	}
}

func TestAListenerOfANetworkLoadBalancer(t *testing.T) {
	f := &fakeShifts{split: split(100, 0)}
	tf := start(t, nlb, f)
	tf.apply(values{"listener_arn": netARN, "destination": web(0, 100)["destination"], "drain": "0s"})
	tf.mustNot(tf.diags)
	if !f.split.Equal(split(0, 100)) || f.opened[0].Metadata.Name != "web" {
		t.Error(f.split, f.opened[0].Metadata.Name)
	}
}

func TestWhereAWSIs(t *testing.T) {
	f := &fakeShifts{}
	tf := startWith(t, alb, f, connection.Connection{Region: "eu-west-1", Profile: "ops", Address: "http://127.0.0.1:1"})
	tf.apply(web(1, 0))
	tf.mustNot(tf.diags)
	for _, c := range f.connections {
		if d := cmp.Diff(connection.Connection{Region: "us-east-1", Profile: "ops", Address: "http://127.0.0.1:1"}, c); d != "" {
			t.Errorf("the region is that of the ARN, not the provider's:\n%s", d)
		}
	}
	tf.apply(with(web(1, 0), values{"profile": "mine", "assume_role": []values{{
		"role_arn": "arn:aws:iam::123456789012:role/x", "duration_seconds": 900, "tags": map[string]string{"team": "a"}, "transitive_tag_keys": []string{"team"},
	}}}))
	tf.mustNot(tf.diags)
	c := f.connections[len(f.connections)-1]
	if c.Profile != "mine" || c.AssumeRole == nil || c.AssumeRole.Duration.Seconds() != 900 || c.AssumeRole.Tags["team"] != "a" {
		t.Errorf("%+v", c)
	}
}

func TestTheStatusFileTellsEachEvent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "status.jsonl")
	f := &fakeShifts{held: "ModifyRule was throttled"}
	tf := start(t, alb, f)
	tf.apply(with(web(1, 0), values{"status_file": file}))
	tf.mustNot(tf.diags)
	if got := tf.said(); !strings.Contains(got, "The shift was disturbed") || !strings.Contains(got, "ModifyRule was throttled") {
		t.Error(got)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	data, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = data.Close() }()
	var kinds []engine.EventKind
	for s := bufio.NewScanner(data); s.Scan(); {
		var e engine.Event
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, e.Kind)
	}
	if d := cmp.Diff([]engine.EventKind{engine.EventStarted, engine.EventFault, engine.EventFinished}, kinds); d != "" {
		t.Error(d)
	}
	runs := f.runs
	tf.apply(with(web(1, 1), values{"status_file": filepath.Join(file, "no")}))
	if f.runs != runs || !strings.Contains(tf.said(), `at AttributeName("status_file")`) {
		t.Errorf("a status file that cannot be written is found before anything is: %s", tf.said())
	}
}

func TestWhatStandsInTheWayIsToldAtPlan(t *testing.T) {
	denied := fmt.Errorf("no credentials: %w", fault.ErrDenied)
	for name, c := range map[string]struct {
		fake   *fakeShifts
		failed bool
		want   string
	}{
		"a blocker":                      {&fakeShifts{blockers: []error{errors.New("the target group is of another load balancer")}}, true, "The shift would refuse to start"},
		"a route that cannot be read":    {&fakeShifts{previewErr: errors.New("no such listener")}, true, "no such listener"},
		"credentials that are not there": {&fakeShifts{previewErr: denied}, false, "The apply checks again"},
	} {
		t.Run(name, func(t *testing.T) {
			tf := start(t, alb, c.fake)
			tf.plan(tf.value(web(1, 0)))
			if tf.failed() != c.failed || !strings.Contains(tf.said(), c.want) || c.fake.runs > 0 {
				t.Error(tf.said())
			}
		})
	}
	t.Run("an unfinished shift that is to be replaced", func(t *testing.T) {
		mark := shift.Mark{Name: "other"}
		f := &fakeShifts{split: split(1, 1), mark: &mark, blockers: []error{&shift.UnfinishedError{Mark: mark}}}
		tf := start(t, alb, f)
		tf.plan(tf.value(web(1, 0)))
		if !tf.failed() {
			t.Error("it blocks")
		}
		tf.apply(with(web(1, 0), values{"replace_unfinished": true}))
		tf.mustNot(tf.diags)
		if !f.options.Replace {
			t.Error("not replaced")
		}
	})
	t.Run("what is not known is not asked", func(t *testing.T) {
		f := &fakeShifts{}
		tf := start(t, alb, f)
		planned, _ := tf.plan(tf.value(with(web(1, 0), values{"destination": []values{{"target_group_arn": unknown, "weight": 1}}})))
		tf.mustNot(tf.diags)
		if got := plain(tf, tf.object(planned)["manifest"]); f.previews > 0 || got != unknown {
			t.Errorf("previews %d, manifest %v", f.previews, got)
		}
	})
}

func TestARefreshThatFailsKeepsTheState(t *testing.T) {
	f := &fakeShifts{}
	tf := start(t, alb, f)
	tf.apply(web(1, 0))
	f.readErr = errors.New("throttled")
	tf.refresh()
	if !tf.failed() || tf.state.IsNull() || !strings.Contains(tf.said(), "throttled") {
		t.Error(tf.said())
	}
	tf.diags = nil
	f.end = shift.RolledBack
	tf.apply(web(0, 1))
	if !strings.Contains(tf.said(), "could not be read after the shift") || !cmp.Equal(tf.get("destination"), any([]any{destination(blue, 1), destination(green, 0)})) {
		t.Error(tf.said(), tf.get("destination"))
	}
}

func TestThePlanOfAManifest(t *testing.T) {
	f := &fakeShifts{split: split(100, 0)}
	tf := start(t, alb, f)
	tf.apply(web(100, 0))
	manifest := strings.Replace(tf.get("manifest").(string), "weight: 100", "weight: 1", 1) //nolint:forcetypeassert // a test
	read := func(text string) string {
		tf.t.Helper()
		source := *tf
		source.name, source.ty = "eksctl_courier_plan", tf.schema["eksctl_courier_plan"].ValueType()
		resp, err := tf.server.ReadDataSource(t.Context(), &tfprotov6.ReadDataSourceRequest{TypeName: source.name, Config: source.pack(source.value(values{"manifest": text}))})
		if err != nil {
			t.Fatal(err)
		}
		if len(resp.Diagnostics) > 0 {
			return said(resp.Diagnostics)
		}
		out := source.object(source.unpack(resp.State))
		return fmt.Sprint(plain(&source, out["settled"]), plain(&source, out["steps"]), plain(&source, out["json"]))
	}
	if got := read(manifest); !strings.Contains(got, `false`) || !strings.Contains(got, "2. +1m Goal 100%: blue 1 (100%), green 0 (0%), hold 1m") || !strings.Contains(got, `"writes":[`) {
		t.Error(got)
	}
	if got := read("kind: TrafficShift"); !strings.Contains(got, `AttributeName("manifest")`) || !strings.Contains(got, "spec.route: is missing") {
		t.Error(got)
	}
}
