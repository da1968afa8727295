package manifest

import (
	"strings"
	"testing"
)

const good = `apiVersion: norikae.dev/v1alpha1
kind: TrafficShift
metadata: {name: web}
spec:
  route:
    alb:
      listenerARN: arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/web/0123456789abcdef/1123456789abcdef
      rule: {priority: 10, hosts: [example.com], pathPatterns: ["/*"]}
  destinations:
  - {name: blue, targetGroupARN: "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0123456789abcdef", weight: 0}
  - {name: green, targetGroupARN: "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/green/1123456789abcdef", weight: 100}
  strategy: {stepWeight: 10, stepInterval: 1m, bake: 5m}
  analysis:
    metrics:
    - name: errors
      prometheus: {address: "http://prometheus:9090", query: up}
      max: 1
      interval: 1m
`

// edit is good with some of its parts replaced; pairs are old, new, old, new.
func edit(t *testing.T, pairs ...string) string {
	t.Helper()
	s := good
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(s, pairs[i]) {
			t.Fatalf("the manifest has no %q", pairs[i])
		}
		s = strings.ReplaceAll(s, pairs[i], pairs[i+1])
	}
	return s
}

func TestTheGoodManifestIsGood(t *testing.T) {
	if _, err := Load("web.yaml", []byte(good)); err != nil {
		t.Fatal(err)
	}
}

func TestBadManifestsAreExplained(t *testing.T) {
	const (
		rule     = `rule: {priority: 10, hosts: [example.com], pathPatterns: ["/*"]}`
		strategy = `strategy: {stepWeight: 10, stepInterval: 1m, bake: 5m}`
		listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/web/0123456789abcdef/1123456789abcdef"
		blue     = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0123456789abcdef"
		green    = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/green/1123456789abcdef"
		prom     = `prometheus: {address: "http://prometheus:9090", query: up}`
	)
	for name, tc := range map[string]struct {
		edits []string
		want  string
	}{
		"a field that does not exist": {
			[]string{"stepInterval", "stepIntervall"},
			"web.yaml:12: spec.strategy.stepIntervall: there is no such field; did you mean \"stepInterval\"?",
		},
		"a field in the wrong case": {
			[]string{"listenerARN", "listenerArn"},
			"web.yaml:7: spec.route.alb.listenerArn: there is no such field; did you mean \"listenerARN\"?",
		},
		"a field like no other": {
			[]string{"bake: 5m", "zzzzzzzzz: 5m"},
			"web.yaml:12: spec.strategy.zzzzzzzzz: there is no such field; here may stand: stepWeight, stepInterval, steps, bake, drain, onFailure, onDrift, onInterrupt, maxDuration, rollbackTimeout",
		},
		"a field that is set twice": {
			[]string{"max: 1", "max: 1\n      max: 2"},
			"web.yaml:18: spec.analysis.metrics[0].max: is set twice, first on line 17: keep one",
		},
		"text where a number belongs": {
			[]string{"weight: 100}", `weight: "100"}`},
			"web.yaml:11: spec.destinations[1].weight = \"100\": want a whole number, without quotes",
		},
		"a share where a weight belongs": {
			[]string{"weight: 100}", "weight: 0.5}"},
			"web.yaml:11: spec.destinations[1].weight = 0.5: want a whole number",
		},
		"a number where text belongs": {
			[]string{"name: blue", "name: 1234"},
			"web.yaml:10: spec.destinations[0].name = 1234: want text: put it in quotes, \"1234\"",
		},
		"a duration without a unit": {
			[]string{"bake: 5m", "bake: 300"},
			"web.yaml:12: spec.strategy.bake = 300: a duration needs a unit: write it with a unit, such as 90s, 10m or 1h30m",
		},
		"a duration in words": {
			[]string{"bake: 5m", "bake: five minutes"},
			"web.yaml:12: spec.strategy.bake = \"five minutes\": not a duration: write it with a unit, such as 90s, 10m or 1h30m",
		},
		"a list where fields belong": {
			[]string{"metadata: {name: web}", "metadata: [web]"},
			"web.yaml:3: metadata = […]: want fields here",
		},
		"fields where a list belongs": {
			[]string{"hosts: [example.com]", "hosts: {a: b}"},
			"web.yaml:8: spec.route.alb.rule.hosts = {…}: want a list here",
		},
		"yes where true belongs": {
			[]string{rule, "default: yes"},
			"web.yaml:8: spec.route.alb.default = \"yes\": want true or false",
		},
		"an empty value": {
			[]string{"max: 1", "max:"},
			"web.yaml:17: spec.analysis.metrics[0].max: is empty: give it a value or remove the line",
		},
		"an empty pause, which could mean anything": {
			[]string{strategy, "strategy: {steps: [{pause: }]}"},
			"web.yaml:12: spec.strategy.steps[0].pause: is empty: write `pause: {}` to wait for an approval, or `pause: {duration: 5m}`",
		},
		"an empty list": {
			[]string{"hosts: [example.com]", "hosts: []"},
			"web.yaml:8: spec.route.alb.rule.hosts = []: an empty list: name at least one, or remove the line",
		},
		"a merge key": {
			[]string{"metadata: {name: web}", "metadata: {<<: {name: web}}"},
			"web.yaml:3: metadata: merge keys (<<) are not supported: write the fields out",
		},
		"a second document": {
			[]string{"metadata: {name: web}", "metadata: {name: web}\n---\nkind: TrafficShift"},
			"web.yaml:5: a second document: a file declares one TrafficShift; put each into a file of its own",
		},
		"no YAML": {
			[]string{"metadata: {name: web}", "metadata: {name: web"},
			"web.yaml:2: not valid YAML: did not find expected ',' or '}'; check the indentation, the quotes and the colons around this line",
		},
		"another kind": {
			[]string{"kind: TrafficShift", "kind: Deployment"},
			"web.yaml:2: kind = \"Deployment\": want TrafficShift",
		},
		"a version that does not exist": {
			[]string{"norikae.dev/v1alpha1", "norikae.dev/v1"},
			"web.yaml:1: apiVersion = \"norikae.dev/v1\": want norikae.dev/v1alpha1",
		},
		"a name that is no DNS label": {
			[]string{"metadata: {name: web}", "metadata: {name: My Web}"},
			"web.yaml:3: metadata.name = \"My Web\": want 1–63 lower-case letters, digits and hyphens, with a letter or digit at both ends, such as web or web-eu1",
		},
		"no route": {
			[]string{"    alb:\n      listenerARN: " + listener + "\n      " + rule + "\n", "    {}\n"},
			"web.yaml:5: spec.route: is missing: want alb with listenerARN and one of rule, default: true, or ruleARN; nlb with listenerARN; or route53 with hostedZoneID and name",
		},
		"two ways to name the rule": {
			[]string{rule, rule + "\n      default: true"},
			"web.yaml:6: spec.route.alb: has rule and default, want exactly one of rule, default: true and ruleARN: keep the one that you mean",
		},
		"no way to name the rule": {
			[]string{rule, ""},
			"web.yaml:6: spec.route.alb: names no rule: want exactly one of rule (a numbered rule), default: true (the listener's default action) and ruleARN",
		},
		"a target group's ARN as the listener": {
			[]string{listener, blue},
			"web.yaml:7: spec.route.alb.listenerARN = \"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0123456789abcdef\": is not a listener ARN: it names a target group; want arn:PARTITION:elasticloadbalancing:REGION:ACCOUNT:listener/(app|net|gwy)/NAME/LOAD-BALANCER-ID/ID; list those that exist with `aws elbv2 describe-listeners --load-balancer-arn …`",
		},
		"a load balancer's ARN as the listener": {
			[]string{listener, "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef"},
			"web.yaml:7: spec.route.alb.listenerARN = \"arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef\": is not a listener ARN: it names a load balancer; want arn:PARTITION:elasticloadbalancing:REGION:ACCOUNT:listener/(app|net|gwy)/NAME/LOAD-BALANCER-ID/ID; list those that exist with `aws elbv2 describe-listeners --load-balancer-arn …`",
		},
		"a Network Load Balancer's listener": {
			[]string{"listener/app/", "listener/net/"},
			"web.yaml:7: spec.route.alb.listenerARN = \"arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/web/0123456789abcdef/1123456789abcdef\": is a listener of a Network Load Balancer: want one of an Application Load Balancer, …:listener/app/NAME/LOAD-BALANCER-ID/ID, or declare it as route.nlb; list those that exist with `aws elbv2 describe-listeners --load-balancer-arn …`",
		},
		"a rule of another listener": {
			[]string{rule, "ruleARN: arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/web/0123456789abcdef/2123456789abcdef/3123456789abcdef"},
			"web.yaml:7: spec.route.alb.listenerARN = \"arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/web/0123456789abcdef/1123456789abcdef\": is not the listener of ruleARN, which is arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/web/0123456789abcdef/2123456789abcdef: remove the line",
		},
		"no ARN at all": {
			[]string{green, "green"},
			"web.yaml:11: spec.destinations[1].targetGroupARN = \"green\": is not an ARN: want arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE (a target group ARN: arn:PARTITION:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID); list those that exist with `aws elbv2 describe-target-groups`",
		},
		"a target group in another region": {
			[]string{green, strings.Replace(green, "us-east-1", "eu-west-1", 1)},
			"web.yaml:11: spec.destinations[1].targetGroupARN = \"arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/green/1123456789abcdef\": lives in region eu-west-1, account 123456789012, partition aws, but spec.route.alb.listenerARN in region us-east-1, account 123456789012, partition aws: a load balancer and its target groups live in one region and account",
		},
		"a region that is not that of the ARNs": {
			[]string{"  analysis:\n", "  aws: {region: eu-west-1}\n  analysis:\n"},
			"web.yaml:13: spec.aws.region = \"eu-west-1\": but the ARNs are in us-east-1: remove the line",
		},
		"a role that is no role": {
			[]string{"  analysis:\n", "  aws: {assumeRole: {roleARN: admin}}\n  analysis:\n"},
			"web.yaml:13: spec.aws.assumeRole.roleARN = \"admin\": want the ARN of a role, arn:PARTITION:iam::ACCOUNT:role/NAME; list those that exist with `aws iam list-roles`",
		},
		"six destinations": {
			[]string{"  strategy:", strings.Join([]string{
				"  - {name: c, targetGroupARN: " + strings.ReplaceAll(blue, "blue", "c") + ", weight: 0}",
				"  - {name: d, targetGroupARN: " + strings.ReplaceAll(blue, "blue", "d") + ", weight: 0}",
				"  - {name: e, targetGroupARN: " + strings.ReplaceAll(blue, "blue", "e") + ", weight: 0}",
				"  - {name: f, targetGroupARN: " + strings.ReplaceAll(blue, "blue", "f") + ", weight: 0}",
				"  strategy:",
			}, "\n")},
			"web.yaml:9: spec.destinations: has 6 destinations, want 1–5: an ALB action holds at most 5 target groups",
		},
		"one target group twice": {
			[]string{green, blue},
			"web.yaml:11: spec.destinations[1].targetGroupARN = \"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0123456789abcdef\": is the same as that of spec.destinations[0]: want each of them once",
		},
		"one name twice": {
			[]string{"name: green", "name: blue"},
			"web.yaml:11: spec.destinations[1].name = \"blue\": is the same as that of spec.destinations[0]: want each of them once",
		},
		"a weight that is left out": {
			[]string{", weight: 100}", "}"},
			"web.yaml:11: spec.destinations[1].weight: is missing: want 0–999; write 0 for a destination that shall get no traffic in the end",
		},
		"a negative weight": {
			[]string{"weight: 100}", "weight: -1}"},
			"web.yaml:11: spec.destinations[1].weight = -1: want 0–999; weights are relative, so 90 and 10 say the same as 9 and 1",
		},
		"a weight of 1000": {
			[]string{"weight: 100}", "weight: 1000}"},
			"web.yaml:11: spec.destinations[1].weight = 1000: want 0–999; weights are relative, so 90 and 10 say the same as 9 and 1",
		},
		"weights that sum to 0": {
			[]string{"weight: 100}", "weight: 0}"},
			"web.yaml:9: spec.destinations: the weights sum to 0, want 1 or more: with all weights 0 the load balancer answers errors; give the destination that shall serve a weight above 0",
		},
		"a priority of 0": {
			[]string{"priority: 10", "priority: 0"},
			"web.yaml:8: spec.route.alb.rule.priority = 0: want 1–50000, lower is matched first",
		},
		"a rule without a condition": {
			[]string{rule, "rule: {priority: 10}"},
			"web.yaml:8: spec.route.alb.rule: has no condition: want at least one of hosts, pathPatterns, methods, sourceIPs, headers and queryStrings; for all requests use default: true, or pathPatterns: [\"*\"]",
		},
		"six condition values": {
			[]string{"hosts: [example.com]", "hosts: [a.example, b.example, c.example, d.example, e.example]"},
			"web.yaml:8: spec.route.alb.rule: has 6 condition values, want at most 5, all conditions together: shorten it, or split it into two rules",
		},
		"six wildcards": {
			[]string{`["/*"]`, `["/*/*/*/*/*/?", '/\*']`},
			"web.yaml:8: spec.route.alb.rule: has 6 wildcards (* and ?), want at most 5, all conditions together: use fewer, or split it into two rules",
		},
		"a host without a dot": {
			[]string{"hosts: [example.com]", "hosts: [localhost]"},
			"web.yaml:8: spec.route.alb.rule.hosts[0] = \"localhost\": want a host with at least one dot, such as example.com or *.example.com; for all hosts remove hosts and use pathPatterns: [\"*\"]",
		},
		"a URL as the host": {
			[]string{"hosts: [example.com]", `hosts: ["https://example.com"]`},
			"web.yaml:8: spec.route.alb.rule.hosts[0] = \"https://example.com\": want a host alone, without scheme, port and path, such as example.com or *.example.com",
		},
		"an address that is no range": {
			[]string{"hosts: [example.com]", "sourceIPs: [10.0.0.1]"},
			"web.yaml:8: spec.route.alb.rule.sourceIPs[0] = \"10.0.0.1\": want an address range: for this address alone write 10.0.0.1/32",
		},
		"a method in lower case": {
			[]string{"hosts: [example.com]", "methods: [get]"},
			"web.yaml:8: spec.route.alb.rule.methods[0] = \"get\": want 1–40 characters of A–Z, - and _, such as GET",
		},
		"the Host header as a condition": {
			[]string{"hosts: [example.com]", "headers: [{name: Host, values: [x]}]"},
			"web.yaml:8: spec.route.alb.rule.headers[0].name = \"Host\": the Host header has a condition of its own: use hosts",
		},
		"a path of 129 characters": {
			[]string{`["/*"]`, `["/` + strings.Repeat("a", 128) + `"]`},
			"web.yaml:8: spec.route.alb.rule.pathPatterns[0] = \"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…\": want 1–128 characters",
		},
		"steps and the short form": {
			[]string{strategy, "strategy: {stepWeight: 10, steps: [{setWeight: 50}]}"},
			"web.yaml:12: spec.strategy: has both steps and stepWeight or stepInterval: want either the explicit steps or the short form; steps hold with pause: {duration: …}",
		},
		"a step with two members": {
			[]string{strategy, "strategy: {steps: [{setWeight: 50, pause: {}}]}"},
			"web.yaml:12: spec.strategy.steps[0]: has setWeight and pause, want exactly one of setWeight, stepWeight, pause and analysis: give each a step of its own",
		},
		"a step without a member": {
			[]string{strategy, "strategy: {steps: [{}]}"},
			"web.yaml:12: spec.strategy.steps[0]: has nothing, want exactly one of setWeight, stepWeight, pause and analysis: give each a step of its own",
		},
		"descending steps": {
			[]string{strategy, "strategy: {steps: [{setWeight: 50}, {setWeight: 20}]}"},
			"web.yaml:12: spec.strategy.steps[1].setWeight = 20: is not above the 50% that the steps before reach: the weights of a shift only rise; to go back, declare the weights that you want as destinations",
		},
		"steps beyond 100": {
			[]string{strategy, "strategy: {steps: [{setWeight: 50}, {stepWeight: 60}]}"},
			"web.yaml:12: spec.strategy.steps[1].stepWeight = 60: goes from 50% to 110%: want at most 50 here, or remove the step",
		},
		"a pause of no time": {
			[]string{strategy, "strategy: {steps: [{pause: {duration: 0s}}]}"},
			"web.yaml:12: spec.strategy.steps[0].pause.duration = 0s: want a duration above 0s, at most 168h",
		},
		"an analysis without a duration": {
			[]string{strategy, "strategy: {steps: [{analysis: {}}]}"},
			"web.yaml:12: spec.strategy.steps[0].analysis.duration = 0s: want a duration above 0s, at most 168h",
		},
		"a written 0 that would become the default": {
			[]string{"stepWeight: 10", "stepWeight: 0"},
			"web.yaml:12: spec.strategy.stepWeight = 0: want 1–100 (percent of the move); without the line it is 10",
		},
		"an interval of 0": {
			[]string{"interval: 1m\n", "interval: 0s\n"},
			"web.yaml:18: spec.analysis.metrics[0].interval = \"0s\": want 1s or more; without the line it is 1m",
		},
		"a negative bake": {
			[]string{"bake: 5m", "bake: -5m"},
			"web.yaml:12: spec.strategy.bake = -5m: want 0s–168h",
		},
		"a bake of a month": {
			[]string{"bake: 5m", "bake: 720h"},
			"web.yaml:12: spec.strategy.bake = 720h: want 0s–168h",
		},
		"a policy that does not exist": {
			[]string{"bake: 5m", "onFailure: rolback"},
			"web.yaml:12: spec.strategy.onFailure = \"rolback\": want rollback or hold; did you mean \"rollback\"?",
		},
		"a policy of another field": {
			[]string{"bake: 5m", "onDrift: rollback"},
			"web.yaml:12: spec.strategy.onDrift = \"rollback\": want hold, adopt or overrule",
		},
		"a metric without bounds": {
			[]string{"max: 1", "failureLimit: 1"},
			"web.yaml:15: spec.analysis.metrics[0]: has neither min nor max: want at least one bound, such as max: 1, or the metric would pass whatever it measures",
		},
		"min above max": {
			[]string{"max: 1", "max: 1\n      min: 99"},
			"web.yaml:18: spec.analysis.metrics[0].min = 99: is above max, 1: no value could pass; swap them",
		},
		"a bound that is no number": {
			[]string{"max: 1", "max: .nan"},
			"web.yaml:17: spec.analysis.metrics[0].max = NaN: want a finite number; leave the line out for no bound",
		},
		"a metric without a source": {
			[]string{prom, "noData: hold"},
			"web.yaml:15: spec.analysis.metrics[0]: has no source, want exactly one of cloudwatch, datadog and prometheus: give each a metric of its own",
		},
		"two sources": {
			[]string{prom, prom + "\n      datadog: {query: x}"},
			"web.yaml:15: spec.analysis.metrics[0]: has datadog and prometheus, want exactly one of cloudwatch, datadog and prometheus: give each a metric of its own",
		},
		"two metrics of one name": {
			[]string{"interval: 1m\n", "interval: 1m\n    - {name: errors, min: 0, " + prom + "}\n"},
			"web.yaml:19: spec.analysis.metrics[1].name = \"errors\": is the same as that of spec.analysis.metrics[0]: want each of them once",
		},
		"a metric's name with spaces": {
			[]string{"name: errors", "name: error rate"},
			"web.yaml:15: spec.analysis.metrics[0].name = \"error rate\": want 1–63 lower-case letters, digits and hyphens, with a letter or digit at both ends, such as web or web-eu1",
		},
		"an interval below a second": {
			[]string{"interval: 1m\n", "interval: 10ms\n"},
			"web.yaml:18: spec.analysis.metrics[0].interval = 10ms: want 1s–168h",
		},
		"a negative failure limit": {
			[]string{"max: 1", "max: 1\n      failureLimit: -1"},
			"web.yaml:18: spec.analysis.metrics[0].failureLimit = -1: want 0 or more failed measurements that are tolerated over the whole shift",
		},
		"an unknown answer to no data": {
			[]string{"max: 1", "max: 1\n      noData: ignore"},
			"web.yaml:18: spec.analysis.metrics[0].noData = \"ignore\": want hold, pass or fail",
		},
		"an unknown reducer": {
			[]string{"max: 1", "max: 1\n      reducer: average"},
			"web.yaml:18: spec.analysis.metrics[0].reducer = \"average\": want avg, sum, min, max or last",
		},
		"an address without http": {
			[]string{"http://prometheus:9090", "prometheus:9090"},
			"web.yaml:16: spec.analysis.metrics[0].prometheus.address = \"prometheus:9090\": want an address with http:// or https:// and a host, such as http://prometheus:9090",
		},
		"an empty query": {
			[]string{"query: up", `query: " "`},
			"web.yaml:16: spec.analysis.metrics[0].prometheus.query = \" \": want a PromQL query",
		},
		"a Datadog site that does not exist": {
			[]string{prom, "datadog: {query: x, site: datadog.eu}"},
			"web.yaml:16: spec.analysis.metrics[0].datadog.site = \"datadog.eu\": want datadoghq.com, us3.datadoghq.com, us5.datadoghq.com, ap1.datadoghq.com, ap2.datadoghq.com, uk1.datadoghq.com, datadoghq.eu, ddog-gov.com or us2.ddog-gov.com; did you mean \"datadoghq.eu\"?",
		},
		"a period of 0": {
			[]string{"    metrics:", "    timing: {period: 0s}\n    metrics:"},
			"web.yaml:14: spec.analysis.timing.period = 0s: want a duration above 0s, at most 168h",
		},
		"a negative settle time": {
			[]string{"    metrics:", "    timing: {settle: -1s}\n    metrics:"},
			"web.yaml:14: spec.analysis.timing.settle = -1s: want 0s–168h",
		},
		"several problems come together in the order of the lines": {
			[]string{"kind: TrafficShift", "kind: Shift", "weight: 0}", "weigth: 0}", "max: 1", "max: high", "interval: 1m\n", "interval: 1\n"},
			"web.yaml:2: kind = \"Shift\": want TrafficShift\n" +
				"web.yaml:10: spec.destinations[0].weigth: there is no such field; did you mean \"weight\"?\n" +
				"web.yaml:17: spec.analysis.metrics[0].max = \"high\": want a number\n" +
				"web.yaml:18: spec.analysis.metrics[0].interval = 1: a duration needs a unit: write it with a unit, such as 90s, 10m or 1h30m",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load("web.yaml", []byte(edit(t, tc.edits...)))
			if err == nil {
				t.Fatal("it was taken")
			}
			if got := err.Error(); got != tc.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tc.want)
			}
		})
	}
}
