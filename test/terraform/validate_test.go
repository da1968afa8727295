package terraform

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// validate says whether the configuration is valid, and which errors there are.
func (f *folder) validate(t *testing.T) (valid bool, d diagnostics) {
	t.Helper()
	r := f.run(t, "validate", "-json")
	var out struct {
		Valid       bool
		Diagnostics []diagnostic
	}
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
		t.Fatalf("terraform validate: %v\n%s", err, r)
	}
	return out.Valid, diagnostics{out.Diagnostics, r.String()}
}

// ARNs of nothing.
const (
	anARN    = "arn:aws:elasticloadbalancing:us-east-1:000000000000:"
	listener = anARN + "listener/app/web/0123456789abcdef/0123456789abcdef"
	blueARN  = anARN + "targetgroup/blue/0123456789abcdef"
	greenARN = anARN + "targetgroup/green/0123456789abcdef"
)

// good are blocks of which each case is one edit. NAME is the case's own.
var good = map[string]string{
	"alb": `resource "eksctl_courier_alb" "NAME" {
  listener_arn  = "` + listener + `"
  priority      = "11"
  step_weight   = 50
  step_interval = "1s"
  hosts         = ["example.com"]
  destination {
    target_group_arn = "` + blueARN + `"
    weight           = 100
  }
  destination {
    target_group_arn = "` + greenARN + `"
    weight           = 0
  }
}
`,
	"nlb": `resource "eksctl_courier_nlb" "NAME" {
  listener_arn  = "` + anARN + `listener/net/web/0123456789abcdef/0123456789abcdef"
  step_weight   = 50
  destination {
    target_group_arn = "` + blueARN + `"
    weight           = 100
  }
}
`,
	"record": `resource "eksctl_courier_route53_record" "NAME" {
  zone_id          = "Z0123456789ABCDEFGHIJ"
  name             = "api.example.com"
  builtin_analysis = false
  destination {
    set_identifier = "blue"
    weight         = 100
  }
  destination {
    set_identifier = "green"
    weight         = 0
  }
}
`,
	"cluster": `resource "eksctl_cluster" "NAME" {
  name    = "blue"
  region  = "us-east-1"
  version = "1.33"
  spec    = "managedNodeGroups: [{name: web}]"
}
`,
	"nodegroup": `resource "eksctl_nodegroup" "NAME" {
  cluster = "blue"
  name    = "web"
  region  = "us-east-1"
}
`,
	"account": `resource "eksctl_iamserviceaccount" "NAME" {
  cluster           = "blue"
  name              = "dns"
  region            = "us-east-1"
  attach_policy_arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
}
`,
	"set": `resource "helmfile_release_set" "NAME" {
  kubeconfig = "kubeconfig"
  content    = "releases: []"
}
`,
	"release": `resource "helmfile_release" "NAME" {
  kubeconfig = "kubeconfig"
  chart      = "./web"
  name       = "web"
}
`,
	"provider": `provider "eksctl" {
  alias  = "NAME"
  region = "us-east-1"
}
resource "eksctl_nodegroup" "NAME" { # a provider that nobody uses is not looked at
  provider = eksctl.NAME
  cluster  = "blue"
  name     = "web"
}
`,
	"plan": `data "eksctl_courier_plan" "NAME" {
  manifest = "{}"
}
`,
}

// edit of one of the good blocks.
type edit struct {
	name      string // a sentence
	kind      string // of the block
	old, with string // with "": after old, a line is put in
	// at is in the line that is shown. What is wrong with all blocks of a kind, or with one as
	// a whole, Terraform shows at the resource; then the message begins with the blocks' name.
	at   string
	says []string
}

// line puts one in before an attribute or block that is there.
func line(before, text string) (old, with string) { return "  " + before, text + "\n  " + before }

// text of the block with the edit.
func (e edit) text(t *testing.T, name string) string {
	t.Helper()
	out := strings.Replace(good[e.kind], e.old, e.with, 1)
	if out == good[e.kind] && e.old != e.with {
		t.Fatalf("%s: nothing was edited: %q is not there", e.name, e.old)
	}
	return strings.ReplaceAll(out, "NAME", name)
}

// edits in one configuration, so that Terraform starts once, and which lines are whose.
func edits(t *testing.T, cases []edit) (hcl string, first []int) {
	t.Helper()
	hcl = head
	for i, e := range cases {
		first = append(first, 1+strings.Count(hcl, "\n"))
		hcl += e.text(t, fmt.Sprintf("case_%d", i))
	}
	return hcl, first
}

// refused fails unless each case has errors, at its attribute, that say what they should.
func refused(t *testing.T, cases []edit, first []int, d diagnostics) {
	t.Helper()
	of := make([]diagnostics, len(cases))
	for _, e := range d.all {
		i, exact := slices.BinarySearch(first, e.Range.Start.Line)
		if !exact {
			i--
		}
		if e.Severity != "error" {
			continue
		}
		if i < 0 {
			t.Errorf("an error that is nobody's: %+v", e)
			continue
		}
		of[i].all = append(of[i].all, e)
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if len(of[i].all) == 0 {
				t.Fatal("it is not refused")
			}
			contains(t, of[i].errors(), c.says...)
			for _, e := range of[i].all {
				if at := strings.TrimSpace(e.Snippet.Code); !strings.Contains(at, c.at) {
					t.Errorf("the error is shown at %q, want at %s:\n%s", at, c.at, of[i].errors())
				}
			}
		})
	}
}

// metric is a block, with these bounds.
func metric(bounds string) string {
	return `  cloudwatch_metric {
    name     = "errors"
    ` + bounds + `
    interval = "10s"
    query    = jsonencode([{ Id = "e", MetricStat = { Metric = { Namespace = "AWS/ApplicationELB", MetricName = "HTTPCode_Target_5XX_Count", Dimensions = [] }, Period = 60, Stat = "Sum" } }])
  }`
}

// role is a block.
func role(text string) string { return "  assume_role {\n" + text + "\n  }" }

const theALB = `resource "eksctl_courier_alb"`

// put is an edit that adds lines before others.
func put(name, kind, before, text, at string, says ...string) edit {
	old, with := line(before, text)
	return edit{name, kind, old, with, at, says}
}

func TestT5_T7_GoodConfigurationsAreValid(t *testing.T) {
	t.Parallel()
	l := startLab(t, "--seed", "")
	cases := []edit{
		put("hosts and paths together", "alb", "hosts ", `  path_patterns = ["/a/*"]`, ""),
		put("headers and a query string", "alb", "hosts ", "  headers = { X-Canary = [\"yes\"] }\n  querystrings = { v = \"2\" }", ""),
		{"a destination that is known later", "alb", `"` + greenARN + `"`, "terraform_data.later.output", "", nil},
		put("a metric that has a least value only", "alb", "destination", metric("min = 99"), ""),
		put("a metric that has a greatest value only", "alb", "destination", metric("max = 0.5"), ""),
		put("a provider block with a role", "provider", "region", role(`role_arn = "arn:aws:iam::111111111111:role/shifter"`), ""),
	}
	for kind := range good {
		cases = append(cases, edit{kind + " as it is", kind, "", "", "", nil})
	}
	hcl, _ := edits(t, cases)
	hcl += "resource \"terraform_data\" \"later\" { input = \"x\" }\n"
	// T7: every partition has its ARNs.
	for name, region := range map[string]string{"cn": "cn-north-1", "us-gov": "us-gov-west-1"} {
		block := strings.ReplaceAll(good["alb"], "NAME", name)
		hcl += strings.ReplaceAll(strings.ReplaceAll(block, "arn:aws:", "arn:aws-"+name+":"), "us-east-1", region)
	}
	if valid, d := l.folder(t, hcl).validate(t); !valid {
		t.Errorf("it is not valid:\n%s", d.errors())
	}
}

// bad is one edit each; the error must be at the line that was edited, and say the value
// and what is allowed.
func bad() []edit {
	return slices.Concat(badRoutes(), badDestinations(), badJudgements(), badConnections(), badEksctl(), badHelmfile())
}

func badRoutes() []edit {
	return []edit{
		{"priority 0", "alb", `"11"`, `"0"`, "priority", []string{"0", "1–50000"}},
		{"a priority beyond the last", "alb", `"11"`, `50001`, "priority", []string{"50001", "1–50000"}},
		{"a priority that is a word", "alb", `"11"`, `"first"`, "priority", []string{"number"}},
		{"a listener that is no ARN", "alb", `"` + listener + `"`, `"web"`, "listener_arn", []string{`"web"`, "arn:PARTITION"}},
		{"a load balancer as the listener", "alb", ":listener/app/web/0123456789abcdef/0123456789abcdef", ":loadbalancer/app/web/0123456789abcdef", "listener_arn", []string{"loadbalancer/app/web", "listener/"}},
		{"a Network Load Balancer's listener", "alb", "listener/app", "listener/net", "listener_arn", []string{"listener/net/web", "eksctl_courier_nlb"}},
		{"an Application Load Balancer's listener", "nlb", "listener/net", "listener/app", "listener_arn", []string{"listener/app/web", "listener/net/NAME"}},
		{"no condition at all", "alb", `hosts         = ["example.com"]`, "", theALB, []string{"no condition", "hosts", "path_patterns"}},
		{"a host with a scheme", "alb", `["example.com"]`, `["https://example.com"]`, "hosts", []string{"https://example.com", "without scheme"}},
		put("a source that is no block of addresses", "alb", "hosts", `  source_ips = ["10.0.0.300/8"]`, "source_ips", "10.0.0.300/8"),
		put("a method with a space", "alb", "hosts", `  methods = ["get it"]`, "methods", "GET IT", "1–40"),
		put("the header Host", "alb", "hosts", `  headers = { Host = "a.example.com" }`, "headers", "Host", "hosts"),
		put("a query string without a value", "alb", "hosts", `  querystrings = { v = "" }`, "querystrings", "1–128"),
		{"a zone that is a name", "record", "Z0123456789ABCDEFGHIJ", "example.com", "zone_id", []string{"example.com", "Z0123456789ABCDEFGHIJ"}},
		{"a name without a dot", "record", `"api.example.com"`, `"api"`, "name ", []string{`"api"`, "api.example.com"}},
		put("a record type in small letters", "record", "builtin", `  record_types = ["a"]`, "record_types", `"a"`, "A, AAAA, CNAME"),
	}
}

func badDestinations() []edit {
	more := ""
	for i := range 5 {
		more += fmt.Sprintf("  destination {\n    target_group_arn = %q\n    weight           = 1\n  }\n", anARN+fmt.Sprintf("targetgroup/g%d/0123456789abcde%d", i, i))
	}
	return []edit{
		{"a target group that is no ARN", "alb", `"` + greenARN + `"`, `"green"`, "target_group_arn", []string{`"green"`, "targetgroup/NAME/ID"}},
		{"a target group in another region", "alb", strings.TrimPrefix(greenARN, "arn:aws:elasticloadbalancing:"), strings.Replace(strings.TrimPrefix(greenARN, "arn:aws:elasticloadbalancing:"), "us-east-1", "eu-west-1", 1), "target_group_arn", []string{"eu-west-1", "us-east-1"}},
		{"one target group twice", "alb", "targetgroup/green/", "targetgroup/blue/", "target_group_arn", []string{"destination[0]", "once"}},
		{"a negative weight", "alb", "weight           = 100", "weight           = -1", "weight", []string{"-1", "0–999"}},
		{"a weight of 1000", "alb", "weight           = 100", "weight           = 1000", "weight", []string{"1000", "0–999"}},
		{"weights that are all 0", "alb", "weight           = 100", "weight           = 0", theALB, []string{": destination", "sum to 0", "1 or more"}},
		put("seven destinations", "alb", "destination", strings.TrimSuffix(more, "\n"), theALB, ": destination", "7", "1–5"),
		{"a weight that Route 53 does not have", "record", "100", "256", "weight", []string{"256", "0–255"}},
		{"the same records twice", "record", `"green"`, `"blue"`, "set_identifier", []string{`"blue"`, "once"}},
		{"a listener whose weights are all 0", "nlb", "100", "0", `resource "eksctl_courier_nlb"`, []string{": destination", "sum to 0", "1 or more"}},
		{"a destination without a weight", "nlb", "    weight           = 100\n", "", "destination", []string{"weight"}},
	}
}

func badJudgements() []edit {
	return []edit{
		{"a step of 0", "alb", "step_weight   = 50", "step_weight   = 0", "step_weight", []string{"0", "1–100"}},
		{"a step of 101", "alb", "step_weight   = 50", "step_weight   = 101", "step_weight", []string{"101", "1–100"}},
		{"a step of 101 on a Network Load Balancer", "nlb", "step_weight   = 50", "step_weight   = 101", "step_weight", []string{"101", "1–100"}},
		{"an interval without a unit", "alb", `"1s"`, `"10"`, "step_interval", []string{`"10"`, "unit"}},
		{"a negative interval", "alb", `"1s"`, `"-1s"`, "step_interval", []string{"-1s", "0s", "168h"}},
		put("a bake of weeks", "alb", "hosts", `  bake = "400h"`, "bake", "400h", "168h"),
		put("explicit steps besides", "alb", "destination", "  step {\n    set_weight = 5\n  }", theALB, ": step", "step_weight", "either"),
		put("steps that fall", "record", "destination", "  step {\n    set_weight = 50\n  }\n  step {\n    set_weight = 10\n  }", "set_weight = 10", "10", "50%"),
		put("an unknown policy of interruption", "alb", "priority ", `  on_interrupt = "panic"`, "on_interrupt", `"panic"`, "rollback or hold"),
		put("an unknown policy of drift", "alb", "priority ", `  on_drift = "fight"`, "on_drift", `"fight"`, "hold", "adopt", "overrule"),
		put("a metric without a bound", "alb", "destination", metric(""), theALB, ": cloudwatch_metric[0]", "neither min nor max"),
		put("a metric whose bounds are crossed", "alb", "destination", metric("min = 2\nmax = 1"), "min", "2", "above max, 1"),
		put("no data that means nothing", "alb", "destination", metric("max = 1\nno_data = \"ignore\""), "no_data", `"ignore"`, "hold, pass or fail"),
		{"built-in analysis of nothing", "record", "builtin_analysis = false", "builtin_analysis = true", "builtin_analysis", []string{"load_balancer_arn", "builtin_analysis = false"}},
		put("a timeout that is no duration", "nlb", "destination", "  timeouts {\n    create = \"long\"\n  }", "create", `"long"`, "unit suffix"),
	}
}

func badConnections() []edit {
	const aRole = `role_arn = "arn:aws:iam::111111111111:role/r"`
	return []edit{
		put("an address that is no URL", "alb", "priority ", `  address = "lab"`, "address", "lab", "http://"),
		put("a region that is not the listener's", "alb", "priority ", `  region = "eu-west-1"`, "region", "eu-west-1", "us-east-1"),
		put("a transitive tag that is not given", "alb", "priority ", role(aRole+"\ntransitive_tag_keys = [\"team\"]"), "transitive_tag_keys", "team", "tags"),
		put("a role that is no ARN", "alb", "priority ", role(`role_arn = "shifter"`), "role_arn", "shifter", "arn:PARTITION:iam"),
		put("an address of the provider that is no URL", "provider", "region", `  address = "lab"`, "address", "lab", "http://"),
		put("a role of the provider that is no ARN", "provider", "region", role(`role_arn = "shifter"`), "role_arn", "shifter", "arn:PARTITION:iam"),
		put("a session of the provider that is too short", "provider", "region", role(aRole+"\nduration_seconds = 60"), "duration_seconds", "60", "900", "43200"),
		put("a session's name with a space", "provider", "region", role(aRole+"\nsession_name = \"a b\""), "session_name", "a b", "2–64"),
		put("an address of a plan that is no URL", "plan", "manifest", `  address = "lab"`, "address", "lab", "http://"),
		{"a plan of nothing", "plan", "  manifest = \"{}\"\n", "", `data "eksctl_courier_plan"`, []string{"manifest", "required"}},
	}
}

func badEksctl() []edit {
	mapping := func(arn string) string {
		return fmt.Sprintf("  iam_identity_mapping {\n    iamarn   = %q\n    username = \"argocd\"\n    groups   = []\n  }", arn)
	}
	return []edit{
		{"a cluster's name with an underscore", "cluster", `"blue"`, `"blue_1"`, "name", []string{"blue_1", "1–100"}},
		{"a version with a patch", "cluster", `"1.33"`, `"1.33.1"`, "version", []string{"1.33.1", "minor version"}},
		{"a spec that is no YAML", "cluster", "managedNodeGroups: [{name: web}]", "a: [", "spec", []string{"YAML", "line 1"}},
		{"a VPC's ID in the spec", "cluster", "managedNodeGroups: [{name: web}]", "vpc: {id: vpc-1}", "spec", []string{"vpc-1", "vpc_id"}},
		put("a release of eksctl that is a range", "cluster", "spec", `  eksctl_version = ">= 0.200"`, "eksctl_version", ">= 0.200", "0.215.0"),
		put("a drained node group that is not there", "cluster", "spec", `  drain_node_groups = { none = true }`, "drain_node_groups", `"none"`, `"web"`),
		put("a mapping of no principal", "cluster", "spec", mapping("argocd"), `resource "eksctl_cluster"`, "iam_identity_mapping", "argocd", "arn:PARTITION:iam"),
		put("a check that waits for nothing", "cluster", "spec", "  pods_readiness_check {\n    namespace   = \"a\"\n    labels      = { a = \"b\" }\n    timeout_sec = 0\n  }", "timeout_sec", "0", "1 and 3600"),
		put("an object of a kind that is not deleted", "cluster", "spec", "  kubernetes_resource_deletion_before_destroy {\n    namespace = \"a\"\n    kind      = \"node\"\n    name      = \"x\"\n  }", "kind", "node", "deployment"),
		{"a node group's name with a space", "nodegroup", `"web"`, `"a b"`, "name", []string{"a b", "1–100"}},
		put("fewer nodes than the least", "nodegroup", "region", "  nodes_min = 2\n  nodes = 1", "nodes_min", "nodes_min = 2", "nodes = 1"),
		put("a negative number of nodes", "nodegroup", "region", "  nodes = -1", "nodes", "-1", "at least 0"),
		put("a comma in a zone", "nodegroup", "region", `  node_zones = ["a,b"]`, "node_zones", "a,b", "--node-zones"),
		{"a policy that is no ARN", "account", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", "AmazonS3ReadOnlyAccess", "attach_policy_arn", []string{"AmazonS3ReadOnlyAccess", "arn:PARTITION:iam"}},
		{"a service account in capitals", "account", `"dns"`, `"DNS"`, "name", []string{"DNS", "1–253"}},
		put("a namespace with a slash", "account", "region", `  namespace = "a/b"`, "namespace", "a/b", "lower-case"),
	}
}

func badHelmfile() []edit {
	return []edit{
		put("a path besides the content", "set", "content", `  path = "other.yaml"`, "path", "content", "set one of them"),
		{"content that is no YAML", "set", "releases: []", "a: [", "content", []string{"YAML"}},
		put("values that are no map", "set", "content", `  values = ["a: 1", "- x"]`, "values", "Element 1", "map in YAML"),
		put("a negative concurrency", "set", "content", `  concurrency = -1`, "concurrency", "-1", "at least 0"),
		put("a selector without a value", "set", "content", `  selectors = ["web"]`, "selectors", "web", "LABEL=VALUE"),
		put("a variable with a space", "set", "content", `  environment_variables = { "a b" = "c" }`, "environment_variables", "a b", "letters"),
		{"an empty chart", "release", `"./web"`, `""`, "chart", []string{"at least 1"}},
		{"a release in capitals", "release", `"web"`, `"Web"`, "name", []string{"Web", "lower-case"}},
		{"a release's name that is too long", "release", `"web"`, `"` + strings.Repeat("x", 54) + `"`, "name", []string{"53"}},
		put("a negative timeout", "release", "name", `  timeout = -5`, "timeout", "-5", "at least 0"),
	}
}

func TestS16_BadConfigurationsAreRefusedWhereTheyAreBad(t *testing.T) {
	t.Parallel()
	l := startLab(t, "--seed", "")
	cases := bad()
	hcl, first := edits(t, cases)
	valid, d := l.folder(t, hcl).validate(t)
	if valid {
		t.Error("it is valid")
	}
	refused(t, cases, first, d)
	if calls := l.calls(t); len(calls) != 0 {
		t.Errorf("AWS was called: %v", calls)
	}
}

// What only a look at AWS, or at the environment, can tell is told by the plan.
func TestBadPlansAreRefusedAndNothingIsWritten(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	const inRegion = "  region  = \"us-east-1\"\n"
	there := strings.NewReplacer(`"example.com"`, `"other.example.com"`, listener, l.ListenerARN, blueARN, l.arn("blue"), greenARN, l.arn("green"))
	noGroup := strings.Replace(l.arn("green"), "/green/", "/nobody/", 1)
	noListener := l.ListenerARN[:len(l.ListenerARN)-4] + "0000"
	cases := []edit{
		{"a manifest that is none", "plan", `"{}"`, `"web"`, "manifest", []string{"manifest"}},
		{"a manifest of another kind", "plan", `"{}"`, `jsonencode({ apiVersion = "v1", kind = "Pod" })`, "manifest", []string{"Pod", "TrafficShift"}},
		{"a cluster without a region", "cluster", inRegion, "", `resource "eksctl_cluster"`, []string{"No region", "AWS_DEFAULT_REGION"}},
		{"a node group without a region", "nodegroup", inRegion, "", `resource "eksctl_nodegroup"`, []string{"No region", "AWS_DEFAULT_REGION"}},
		{"a service account without a region", "account", `  region            = "us-east-1"` + "\n", "", `resource "eksctl_iamserviceaccount"`, []string{"No region", "AWS_DEFAULT_REGION"}},
		{"a rule of somebody else", "alb", `"11"`, `"10"`, theALB, []string{"10", "adopt"}},
		{"a target group that is not there", "alb", greenARN, noGroup, theALB, []string{noGroup}},
		{"a listener that is not there", "alb", listener, noListener, theALB, []string{noListener}},
	}
	for i := range cases {
		cases[i].with = there.Replace(cases[i].with)
	}
	hcl, first := edits(t, cases)
	f := l.folder(t, there.Replace(hcl))
	f.env = slices.DeleteFunc(f.env, func(kv string) bool {
		return strings.HasPrefix(kv, "AWS_REGION=") || strings.HasPrefix(kv, "AWS_DEFAULT_REGION=")
	})
	refused(t, cases, first, f.fails(t, "plan"))
	if m := mutations(l.calls(t)); len(m) != 0 {
		t.Errorf("a plan wrote: %v", m)
	}
}

func TestBadImportsAreRefusedAndSayWhatIsWanted(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	for _, c := range []struct{ kind, address, id, wants string }{
		{"alb", "eksctl_courier_alb.x", "web", "LISTENER_ARN/PRIORITY"},
		{"alb", "eksctl_courier_alb.x", blueARN, "listener-rule/app/"},
		{"nlb", "eksctl_courier_nlb.x", listener, "listener/net/"},
		{"record", "eksctl_courier_route53_record.x", "api.example.com", "ZONE_ID/NAME"},
	} {
		f := l.folder(t, strings.ReplaceAll(good[c.kind], "NAME", "x"))
		r := f.run(t, "import", "-no-color", c.address, c.id)
		if r.code == 0 {
			t.Errorf("%s was imported by %q", c.address, c.id)
		}
		said := strings.Join(strings.Fields(strings.ReplaceAll(r.stderr, "│", "")), " ")
		contains(t, said, c.wants, c.id)
		if s := f.state(t); len(s) != 0 {
			t.Errorf("%q was refused, and the state has %v", c.id, s)
		}
	}
	if m := mutations(l.calls(t)); len(m) != 0 {
		t.Errorf("an import wrote: %v", m)
	}
}
