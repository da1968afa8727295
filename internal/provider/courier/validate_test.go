package courier_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write the golden file anew; read the difference before you commit it")

const (
	nlb    = "eksctl_courier_nlb"
	record = "eksctl_courier_route53_record"
)

func name53(more values) values {
	return with(values{
		"zone_id": "Z0123456789ABCDEFGHIJ", "name": "api.example.com", "step_weight": 10, "step_interval": "1m", "builtin_analysis": false,
		"destination": []values{{"set_identifier": "blue", "weight": 1}, {"set_identifier": "green", "weight": 0}},
	}, more)
}

func metric(more values) []values {
	return []values{with(values{"name": "errors", "query": "[]", "max": 1}, more)}
}

// wrong are configurations that must be refused before anybody is asked.
func wrong() []struct {
	name, resource string
	config         values
} {
	ok := web(100, 0)
	dest := func(list ...values) values { return with(ok, values{"destination": list}) }
	weight := func(id string, n any) values { return values{"target_group_arn": id, "weight": n} }
	return []struct {
		name, resource string
		config         values
	}{
		{"no destination", alb, dest()},
		{"six destinations", alb, dest(weight(blue, 1), weight(green, 1), weight(blue+"1", 1), weight(blue+"2", 1), weight(blue+"3", 1), weight(blue+"4", 1))},
		{"weight too high", alb, dest(weight(blue, 1000), weight(green, 0))},
		{"weight below 0", alb, dest(weight(blue, -1), weight(green, 1))},
		{"weights sum to 0", alb, dest(weight(blue, 0), weight(green, 0))},
		{"the same target group twice", alb, dest(weight(blue, 1), weight(blue, 2))},
		{"a target group that is none", alb, dest(weight("blue", 1), weight(green, 2))},
		{"a target group in another region", alb, dest(weight(blue, 1), weight(strings.Replace(green, "us-east-1", "eu-west-1", 1), 0))},
		{"a target group in another account", alb, dest(weight(blue, 1), weight(strings.Replace(green, "123456789012", "210987654321", 1), 0))},
		{"a listener that is none", alb, with(ok, values{"listener_arn": "web"})},
		{"a listener of a Network Load Balancer", alb, with(ok, values{"listener_arn": netARN})},
		{"a listener of an Application Load Balancer", nlb, values{"listener_arn": listener, "destination": ok["destination"]}},
		{"priority 0", alb, with(ok, values{"priority": 0})},
		{"priority too high", alb, with(ok, values{"priority": 50001})},
		{"no condition", alb, with(ok, values{"hosts": nil, "path_patterns": nil})},
		{"six condition values", alb, with(ok, values{"hosts": []string{"a.b", "b.b", "c.b", "d.b", "e.b"}})},
		{"six wildcards", alb, with(ok, values{"path_patterns": []string{"/*/*/*/*/*/*"}})},
		{"a host with a scheme", alb, with(ok, values{"hosts": []string{"https://example.com"}})},
		{"a method that is none", alb, with(ok, values{"methods": []string{"get it"}})},
		{"an address instead of a range", alb, with(ok, values{"source_ips": []string{"10.0.0.1"}})},
		{"headers that are no map", alb, with(ok, values{"headers": dynamic(`"x"`, `"string"`)})},
		{"the header Host", alb, with(ok, values{"headers": dynamic(`{"Host":"a.b"}`, `["object",{"Host":"string"}]`)})},
		{"a query string without a value", alb, with(ok, values{"querystrings": dynamic(`{"v":""}`, `["object",{"v":"string"}]`)})},
		{"a region that is not the listener's", alb, with(ok, values{"region": "eu-west-1"})},
		{"an address without a scheme", alb, with(ok, values{"address": "localhost:4566"})},
		{"step_weight 0", alb, with(ok, values{"step_weight": 0})},
		{"step_weight 101", alb, with(ok, values{"step_weight": 101})},
		{"a duration without a unit", alb, with(ok, values{"step_interval": "60"})},
		{"a duration of 0", alb, with(ok, values{"step_interval": "0s"})},
		{"a duration of weeks", alb, with(ok, values{"step_interval": "400h"})},
		{"a bake below 0", alb, with(ok, values{"bake": "-1m"})},
		{"a policy that is none", alb, with(ok, values{"on_failure": "rolback"})},
		{"steps and step_weight", alb, with(ok, values{"step": []values{{"set_weight": 5}}})},
		{"a step with two things", alb, with(ok, values{"step_weight": nil, "step_interval": nil, "step": []values{{"set_weight": 5, "analysis": "1m"}}})},
		{"a step with nothing", alb, with(ok, values{"step_weight": nil, "step_interval": nil, "step": []values{{}}})},
		{"steps that fall", alb, with(ok, values{"step_weight": nil, "step_interval": nil, "step": []values{{"set_weight": 50}, {"set_weight": 10}}})},
		{"a pause that is also an approval", alb, with(ok, values{"step_weight": nil, "step_interval": nil, "step": []values{{"set_weight": 50}, {"pause": "1m", "approval": true}}})},
		{"a metric without a bound", alb, with(ok, values{"cloudwatch_metric": metric(values{"max": nil})})},
		{"a metric whose min is above max", alb, with(ok, values{"cloudwatch_metric": metric(values{"min": 2})})},
		{"a metric without a query", alb, with(ok, values{"datadog_metric": metric(values{"query": " "})})},
		{"a metric with a wrong interval", alb, with(ok, values{"datadog_metric": metric(values{"interval": "soon"})})},
		{"a metric with a wrong policy", alb, with(ok, values{"datadog_metric": metric(values{"no_data": "ignore"})})},
		{"a second metric with a wrong reducer", alb, with(ok, values{"datadog_metric": metric(nil), "prometheus_metric": metric(values{"reducer": "median", "address": "http://p:9090"})})},
		{"Prometheus without a scheme", alb, with(ok, values{"prometheus_metric": metric(values{"address": "p:9090"})})},
		{"CloudWatch somewhere else", alb, with(ok, values{"cloudwatch_metric": metric(values{"address": "http://127.0.0.1:1"})})},
		{"a timeout that is none", alb, with(ok, values{"timeouts": values{"create": "long"}})},
		{"two roles", alb, with(ok, values{"assume_role": []values{{"role_arn": "arn:aws:iam::123456789012:role/a"}, {"role_arn": "arn:aws:iam::123456789012:role/b"}}})},
		{"a role that is none", alb, with(ok, values{"assume_role": []values{{"role_arn": "admin"}}})},
		{"an external ID without a role", alb, with(ok, values{"assume_role": []values{{"external_id": "abc"}}})},
		{"a session that is too short", alb, with(ok, values{"assume_role": []values{{"role_arn": "arn:aws:iam::123456789012:role/a", "duration_seconds": 60}}})},
		{"a transitive tag that is not set", alb, with(ok, values{"assume_role": []values{{"role_arn": "arn:aws:iam::123456789012:role/a", "transitive_tag_keys": []string{"team"}}}})},
		{"a zone that is none", record, name53(values{"zone_id": "example.com"})},
		{"a name without a dot", record, name53(values{"name": "api"})},
		{"a record type that is none", record, name53(values{"record_types": []string{"a"}})},
		{"a weight that Route 53 does not have", record, name53(values{"destination": []values{{"set_identifier": "blue", "weight": 256}}})},
		{"built-in analysis of nothing", record, name53(values{"builtin_analysis": true})},
		{"a load balancer for one destination alone", record, name53(values{"destination": []values{
			{"set_identifier": "blue", "weight": 1, "load_balancer_arn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef"}, {"set_identifier": "green", "weight": 0},
		}})},
		{"the same records twice", record, name53(values{"destination": []values{{"set_identifier": "blue", "weight": 1}, {"set_identifier": "blue", "weight": 1}}})},
	}
}

func TestWrongConfigurationsAreExplainedAtTheAttribute(t *testing.T) {
	var got strings.Builder
	for _, c := range wrong() {
		f := &fakeShifts{}
		tf := start(t, c.resource, f)
		diags := tf.validate(c.config)
		if !strings.Contains(said(diags), "ERROR") {
			t.Errorf("%s: nothing is wrong with it", c.name)
		}
		fmt.Fprintf(&got, "# %s (%s)\n%s\n", c.name, c.resource, said(diags))
		if f.runs+f.previews+f.reads > 0 || len(f.opened) > 0 {
			t.Errorf("%s: somebody was asked", c.name)
		}
	}
	golden := filepath.Join("testdata", "wrong.txt")
	if *rewrite {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("the messages are others (-want +got):\n%s", d)
	}
}

func TestRightConfigurationsAreNotRefused(t *testing.T) {
	for name, c := range map[string]struct {
		resource string
		config   values
	}{
		"the old provider's": {alb, web(100, 0)},
		"metrics by their old names, twice the same": {alb, with(web(1, 0), values{
			"cloudwatch_metric": metric(values{"name": "http_errors", "interval": "1m", "min": nil}),
			"datadog_metric":    metric(values{"name": "http_errors", "address": "", "aws_region": "", "aws_profile": ""}),
		})},
		"empty strings for what is not set": {alb, with(web(1, 0), values{"region": "", "profile": "", "address": ""})},
		"a role that is empty":              {alb, with(web(1, 0), values{"assume_role": []values{{"role_arn": ""}}})},
		"unknown target groups": {alb, with(web(1, 0), values{"destination": []values{
			{"target_group_arn": unknown, "weight": 1}, {"target_group_arn": unknown, "weight": 0},
		}})},
		"unknown destinations":               {alb, with(web(1, 0), values{"destination": unknown})},
		"unknown weights":                    {alb, with(web(1, 0), values{"destination": []values{{"target_group_arn": blue, "weight": unknown}}})},
		"an unknown listener and conditions": {alb, with(web(1, 0), values{"listener_arn": unknown, "hosts": unknown, "path_patterns": nil})},
		"an unknown interval":                {alb, with(web(1, 0), values{"step_interval": unknown, "step_weight": unknown})},
		"an unknown bound":                   {alb, with(web(1, 0), values{"cloudwatch_metric": metric(values{"max": unknown})})},
		"an unknown zone":                    {record, name53(values{"zone_id": unknown})},
		"steps": {alb, with(web(1, 0), values{"step_weight": nil, "step_interval": nil, "step": []values{
			{"set_weight": 5}, {"approval": true}, {"pause": "1m"}, {"step_weight": 20}, {"analysis": "5m"},
		}})},
	} {
		t.Run(name, func(t *testing.T) {
			tf := start(t, c.resource, &fakeShifts{})
			if diags := tf.validate(c.config); len(diags) > 0 {
				t.Error(said(diags))
			}
		})
	}
}
