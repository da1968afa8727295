package manifest

import (
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/analysis"
)

const goodNLB = `apiVersion: norikae.dev/v1alpha1
kind: TrafficShift
metadata: {name: tcp}
spec:
  route:
    nlb: {listenerARN: "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/tcp/0123456789abcdef/1123456789abcdef"}
  destinations:
  - {name: blue, targetGroupARN: "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0123456789abcdef", weight: 0}
  - {name: green, targetGroupARN: "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/green/1123456789abcdef", weight: 100}
  strategy: {bake: 5m}
`

const goodRoute53 = `apiVersion: norikae.dev/v1alpha1
kind: TrafficShift
metadata: {name: api}
spec:
  route:
    route53: {hostedZoneID: Z0123456789ABC, name: api.example.com, types: [A, AAAA]}
  destinations:
  - {name: blue, setIdentifier: eks-blue, weight: 0, loadBalancerARN: "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/blue/0123456789abcdef"}
  - {name: green, setIdentifier: eks-green, weight: 100, loadBalancerARN: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/green/1123456789abcdef"}
  strategy: {bake: 5m}
`

// replaced is a manifest with some of its parts replaced; pairs are old, new, old, new.
func replaced(t *testing.T, s string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(s, pairs[i]) {
			t.Fatalf("the manifest has no %q", pairs[i])
		}
		s = strings.ReplaceAll(s, pairs[i], pairs[i+1])
	}
	return s
}

func TestTheOtherRoutesAreCompiled(t *testing.T) {
	cloudwatch := analysis.Timing{Settle: 10 * time.Second, Period: time.Minute, Delay: 2 * time.Minute}
	for name, tc := range map[string]struct {
		manifest, route string
		limit           int
		drain           time.Duration
		keep, builtin   bool
	}{
		"an NLB drains by default":                {goodNLB, "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/tcp/0123456789abcdef/1123456789abcdef default", 999, 6 * time.Minute, false, true},
		"an NLB that shall not":                   {replaced(t, goodNLB, "{bake: 5m}", "{drain: {duration: 0s}}"), "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/tcp/0123456789abcdef/1123456789abcdef default", 999, 0, false, true},
		"Route 53 keeps records":                  {goodRoute53, "route53 Z0123456789ABC api.example.com.", 255, 0, true, true},
		"however the name and the zone are spelt": {replaced(t, goodRoute53, "api.example.com,", "API.Example.com.,", ": Z0", ": /hostedzone/Z0"), "route53 Z0123456789ABC api.example.com.", 255, 0, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			ts, err := Load("x.yaml", []byte(tc.manifest))
			if err != nil {
				t.Fatal(err)
			}
			spec, err := Compile(ts, cloudwatch)
			if err != nil {
				t.Fatal(err)
			}
			if spec.Route != tc.route || spec.Limits.MaxWeight != tc.limit || spec.Drain != tc.drain || spec.KeepUndeclared != tc.keep || Builtin(ts.Spec) != tc.builtin {
				t.Errorf("%+v", spec)
			}
		})
	}
}

func TestBadManifestsOfOtherRoutesAreExplained(t *testing.T) {
	const blueLB = `, loadBalancerARN: "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/blue/0123456789abcdef"`
	const greenLB = `, loadBalancerARN: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/green/1123456789abcdef"`
	for name, tc := range map[string]struct {
		manifest string
		edits    []string
		want     string
	}{
		"nlb: an ALB's listener":                      {goodNLB, []string{"listener/net/", "listener/app/"}, "x.yaml:6: spec.route.nlb.listenerARN = \"arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/tcp/0123456789abcdef/1123456789abcdef\": is a listener of an Application Load Balancer: want one of a Network Load Balancer, …:listener/net/NAME/LOAD-BALANCER-ID/ID; list those that exist with `aws elbv2 describe-listeners --load-balancer-arn …`"},
		"nlb: a target group of another region":       {goodNLB, []string{"us-east-1:123456789012:targetgroup/green", "us-west-2:123456789012:targetgroup/green"}, "x.yaml:9: spec.destinations[1].targetGroupARN = \"arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/green/1123456789abcdef\": lives in region us-west-2, account 123456789012, partition aws, but spec.route.nlb.listenerARN in region us-east-1, account 123456789012, partition aws: a load balancer and its target groups live in one region and account"},
		"nlb: a weight of 1000":                       {goodNLB, []string{"weight: 100", "weight: 1000"}, "x.yaml:9: spec.destinations[1].weight = 1000: want 0–999; weights are relative, so 90 and 10 say the same as 9 and 1"},
		"nlb: a set identifier":                       {goodNLB, []string{"name: blue,", "name: blue, setIdentifier: x,"}, "x.yaml:8: spec.destinations[0].setIdentifier = \"x\": belongs to destinations of route53 only: remove the line"},
		"nlb: no listener":                            {goodNLB, []string{`{listenerARN: "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/tcp/0123456789abcdef/1123456789abcdef"}`, "{}"}, "x.yaml:6: spec.route.nlb.listenerARN: is missing: list those that exist with `aws elbv2 describe-listeners --load-balancer-arn …`"},
		"nlb: all weights 0":                          {goodNLB, []string{"weight: 100", "weight: 0"}, "x.yaml:7: spec.destinations: the weights sum to 0, want 1 or more: with all weights 0 the load balancer answers errors; give the destination that shall serve a weight above 0"},
		"nlb: a rule":                                 {goodNLB, []string{"1123456789abcdef\"}\n  dest", "1123456789abcdef\", rule: {priority: 1}}\n  dest"}, "x.yaml:6: spec.route.nlb.rule: there is no such field; here may stand: listenerARN"},
		"two routes":                                  {goodNLB, []string{"    nlb:", "    route53: {hostedZoneID: Z0123456789ABC, name: api.example.com}\n    nlb:"}, "x.yaml:5: spec.route: has nlb and route53, want exactly one of alb, nlb and route53: a shift moves one route; give each a manifest of its own"},
		"a negative drain":                            {goodNLB, []string{"{bake: 5m}", "{drain: {duration: -1s}}"}, "x.yaml:10: spec.strategy.drain.duration = -1s: want 0s–168h"},
		"a drain's metric without a bound":            {goodNLB, []string{"{bake: 5m}", "{drain: {metric: {name: left, prometheus: {address: http://p:9090, query: up}}}}"}, "x.yaml:10: spec.strategy.drain.metric: has neither min nor max: want at least one bound, such as max: 1, or the metric would pass whatever it measures"},
		"route53: a weight of 256":                    {goodRoute53, []string{"weight: 100", "weight: 256"}, "x.yaml:9: spec.destinations[1].weight = 256: want 0–255; weights are relative, so 90 and 10 say the same as 9 and 1"},
		"route53: all weights 0":                      {goodRoute53, []string{"weight: 100", "weight: 0"}, "x.yaml:7: spec.destinations: the weights sum to 0, want 1 or more: with all weights 0 Route 53 gives all of them the same share; give the destination that shall serve a weight above 0"},
		"route53: no zone":                            {goodRoute53, []string{"hostedZoneID: Z0123456789ABC, ", ""}, "x.yaml:6: spec.route.route53.hostedZoneID: is missing: want a hosted zone's ID, such as Z0123456789ABCDEFGHIJ; list those that exist with `aws route53 list-hosted-zones`"},
		"route53: a zone's name for its ID":           {goodRoute53, []string{"Z0123456789ABC", "example.com"}, "x.yaml:6: spec.route.route53.hostedZoneID = \"example.com\": want a hosted zone's ID, such as Z0123456789ABCDEFGHIJ; list those that exist with `aws route53 list-hosted-zones`"},
		"route53: a URL for a name":                   {goodRoute53, []string{"api.example.com,", "https://api.example.com/,"}, "x.yaml:6: spec.route.route53.name = \"https://api.example.com/\": want a DNS name such as api.example.com or *.example.com, without scheme, port and path"},
		"route53: a name without a dot":               {goodRoute53, []string{"api.example.com,", "api,"}, "x.yaml:6: spec.route.route53.name = \"api\": has no dot: want a DNS name such as api.example.com or *.example.com"},
		"route53: a * in the middle":                  {goodRoute53, []string{"api.example.com,", "api.*.example.com,"}, "x.yaml:6: spec.route.route53.name = \"api.*.example.com\": has a * that is not its whole first label: want a DNS name such as api.example.com or *.example.com"},
		"route53: an empty label":                     {goodRoute53, []string{"api.example.com,", "api..example.com,"}, "x.yaml:6: spec.route.route53.name = \"api..example.com\": has a label of 0 characters between its dots, want 1–63"},
		"route53: a type in lower case":               {goodRoute53, []string{"[A, AAAA]", "[a]"}, "x.yaml:6: spec.route.route53.types[0] = \"a\": want a record type in capitals, one of A, AAAA, CNAME, HTTPS, SVCB, SRV, TXT, MX, CAA, NAPTR, PTR or SPF"},
		"route53: a type twice":                       {goodRoute53, []string{"[A, AAAA]", "[A, A]"}, "x.yaml:6: spec.route.route53.types[1] = \"A\": is named twice: want each type once"},
		"route53: no set identifier":                  {goodRoute53, []string{"setIdentifier: eks-blue, ", ""}, "x.yaml:8: spec.destinations[0].setIdentifier: is missing: want the set identifier of its records, 1–128 characters; list those that exist with `aws route53 list-resource-record-sets --hosted-zone-id …`"},
		"route53: a set identifier twice":             {goodRoute53, []string{"eks-blue", "eks-green"}, "x.yaml:9: spec.destinations[1].setIdentifier = \"eks-green\": is the same as that of spec.destinations[0]: want each of them once"},
		"route53: a set identifier of 129 characters": {goodRoute53, []string{"eks-blue", strings.Repeat("x", 129)}, "x.yaml:8: spec.destinations[0].setIdentifier = \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…\": want the set identifier of its records, 1–128 characters; list those that exist with `aws route53 list-resource-record-sets --hosted-zone-id …`"},
		"route53: a target group":                     {goodRoute53, []string{"setIdentifier: eks-blue,", "setIdentifier: eks-blue, targetGroupARN: arn:aws:x,"}, "x.yaml:8: spec.destinations[0].targetGroupARN = \"arn:aws:x\": has no meaning for route53, whose destinations are records: remove the line"},
		"route53: one load balancer of two":           {goodRoute53, []string{blueLB, ""}, "x.yaml:7: spec.destinations: 1 of 2 have a loadBalancerARN: want it for all of them, so that the sides can be compared, or for none"},
		"route53: a Network Load Balancer's metrics":  {goodRoute53, []string{"loadbalancer/app/green", "loadbalancer/net/green"}, "x.yaml:9: spec.destinations[1].loadBalancerARN = \"arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/green/1123456789abcdef\": is a Network Load Balancer: only an Application Load Balancer counts the requests of its own targets; remove the lines of all destinations, and add analysis.metrics"},
		"route53: nothing to judge by":                {goodRoute53, []string{blueLB, "", greenLB, ""}, "x.yaml:4: spec.analysis: has nothing to judge by, because Route 53 has no metrics of what it sends where: add metrics, give every destination its loadBalancerARN, or say builtin: false to be judged by health checks alone"},
		"route53: metrics of two accounts":            {goodRoute53, []string{"eu-west-1:123456789012", "eu-west-1:210987654321"}, "x.yaml:9: spec.destinations[1].loadBalancerARN = \"arn:aws:elasticloadbalancing:eu-west-1:210987654321:loadbalancer/app/green/1123456789abcdef\": is in account 210987654321, but spec.destinations[0].loadBalancerARN in 123456789012: the metrics of all are read with the credentials of one; remove the lines of all destinations, and add analysis.metrics, which may each have an assumeRole"},
		"route53: metrics that are not there":         {goodRoute53, []string{blueLB, "", greenLB, "", "strategy: {bake: 5m}", "analysis: {builtin: true}"}, "x.yaml:10: spec.analysis.builtin = true: Route 53 has no metrics of what it sends where: give every destination its loadBalancerARN, or set builtin: false"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load("x.yaml", []byte(replaced(t, tc.manifest, tc.edits...)))
			if err == nil {
				t.Fatal("it was taken")
			}
			if got := err.Error(); got != tc.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tc.want)
			}
		})
	}
}
