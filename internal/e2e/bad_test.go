package e2e

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/router/elbv2"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/store/file"
	"github.com/norikae/norikae/internal/traffic"
)

// stage is what one bad call of the program is made on.
type stage struct {
	*lab

	dir    string            // where the program runs, with the manifest shift.yaml
	state  string            // XDG_STATE_HOME
	text   string            // of the manifest
	vars   map[string]string // the environment
	args   []string
	others int // writes of others while the program runs
}

func (l *lab) stage(t *testing.T) *stage {
	t.Helper()
	dir := t.TempDir()
	s := &stage{lab: l, dir: dir, state: filepath.Join(dir, "state"), vars: map[string]string{}, args: []string{"shift", "-f", "shift.yaml"}}
	for _, kv := range l.Env {
		name, value, _ := strings.Cut(kv, "=")
		s.vars[name] = value
	}
	s.vars["XDG_STATE_HOME"] = s.state
	s.text = l.manifest("web", 0, 100, `  strategy: {stepWeight: 50, stepInterval: 1s, bake: 1s}
  analysis:
    metrics:
    - name: errors
      cloudwatch:
        query: |
          [{"Id": "e", "MetricStat": {"Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": "HTTPCode_Target_5XX_Count",
            "Dimensions": [{"Name": "TargetGroup", "Value": "{{.New.Suffix}}"}, {"Name": "LoadBalancer", "Value": "{{.LoadBalancer.Suffix}}"}]}, "Period": 1, "Stat": "Sum"}}]
      max: 1
      interval: 1s
      noData: pass
`)
	return s
}

// edit the manifest: the pairs are old and new.
func (s *stage) edit(pairs ...string) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(s.text, pairs[i]) {
				t.Fatalf("the manifest has no %q:\n%s", pairs[i], s.text)
			}
			s.text = strings.Replace(s.text, pairs[i], pairs[i+1], 1)
		}
	}
}

// others are the resources beside the world's that the cases need.
type others struct {
	group   string // target group of another load balancer
	foreign string // rule at priority 20 that nobody declared
}

func (l *lab) addOthers(t *testing.T) (o others) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	lb, err := l.api.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: aws.String("other"), Subnets: []string{"subnet-0a", "subnet-0b"}})
	must(err)
	tg, err := l.api.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{Name: aws.String("other"), Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String("vpc-01ab"), TargetType: types.TargetTypeEnumIp})
	must(err)
	o.group = *tg.TargetGroups[0].TargetGroupArn
	forward := func(arn string) []types.Action {
		return []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String(arn)}}
	}
	_, err = l.api.CreateListener(ctx, &elb.CreateListenerInput{LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), DefaultActions: forward(o.group)})
	must(err)
	rule, err := l.api.CreateRule(ctx, &elb.CreateRuleInput{
		ListenerArn: aws.String(l.ListenerARN), Priority: aws.Int32(20), Actions: forward(l.arn("blue")),
		Conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), PathPatternConfig: &types.PathPatternConditionConfig{Values: []string{"/foreign"}}}},
	})
	must(err)
	o.foreign = *rule.Rules[0].RuleArn
	return o
}

// mark leaves what another machine's unfinished shift leaves, until the test ends. With
// renew its lease ends soon, but is renewed while the program waits for that.
func (s *stage) mark(t *testing.T, expires time.Duration, renew bool) {
	t.Helper()
	r, err := elbv2.New(elbv2.Config{
		API: s.api, ListenerARN: s.ListenerARN, Destinations: []string{s.arn("blue"), s.arn("green")}, Owner: "web",
		Numbered: &elbv2.Numbered{Priority: 10, Hosts: []string{"example.com"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	lease := shift.Lease{Owner: "elsewhere/7/abc", Expires: time.Now().Add(expires)}
	m := shift.Mark{
		ID: "OTHERSHIFT", Name: "web", Plan: "0123456789abcdef", Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Lease: lease,
		From: traffic.Split{{ID: s.arn("blue"), Weight: 70}, {ID: s.arn("green"), Weight: 30}},
	}
	if err := r.SetMark(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.ClearMark(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("removing the mark: %v", err)
		}
	})
	if !renew {
		return
	}
	s.others++
	renewal := time.AfterFunc(expires/2, func() {
		lease.Expires = time.Now().Add(time.Hour)
		if err := r.Renew(t.Context(), lease); err != nil {
			t.Errorf("renewing: %v", err)
		}
	})
	t.Cleanup(func() { renewal.Stop() })
}

func edits(pairs ...string) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) { s.edit(pairs...)(t) }
}

func badCases(l *lab, o others) map[string]func(*testing.T, *stage) {
	const (
		rule      = "rule: {priority: 10, hosts: [example.com]}"
		strategy  = "strategy: {stepWeight: 50, stepInterval: 1s, bake: 1s}"
		suffixes  = `"Dimensions": [{"Name": "TargetGroup", "Value": "{{.New.Suffix}}"}, {"Name": "LoadBalancer", "Value": "{{.LoadBalancer.Suffix}}"}]`
		cwMetric  = "      cloudwatch:\n"
		returning = `"Period": 1, "Stat": "Sum"}}]`
	)
	listener, blue, green := l.ListenerARN, l.arn("blue"), l.arn("green")
	greenLine := fmt.Sprintf("  - {name: green, targetGroupARN: %q, weight: 100}\n", green)
	group := func(name string) string {
		return fmt.Sprintf("  - {name: %s, targetGroupARN: %q, weight: 1}\n", name, strings.Replace(blue, "/blue/", "/"+name+"/", 1))
	}
	faulty := func(rule string) func(*testing.T, *stage) {
		return func(t *testing.T, s *stage) { s.fault(t, rule) }
	}
	source := func(yaml string) func(*testing.T, *stage) {
		return func(t *testing.T, s *stage) {
			from, to := strings.Index(s.text, cwMetric), strings.Index(s.text, "      max: 1\n")
			s.text = s.text[:from] + yaml + s.text[to:]
		}
	}
	return map[string]func(*testing.T, *stage){
		"a listener's ARN that is no ARN":                     edits(listener, "lab/listener"),
		"a listener's ARN with a letter too few":              edits(listener, listener[:len(listener)-1]),
		"a listener that does not exist":                      edits(listener, listener[:len(listener)-4]+"0000"),
		"a target group where the listener belongs":           edits(listener, green),
		"a listener where a target group belongs":             edits(green, listener),
		"the listener of a Network Load Balancer":             edits("listener/app/", "listener/net/"),
		"six target groups":                                   edits(greenLine, greenLine+group("a")+group("b")+group("c")+group("d")),
		"a target group that does not exist":                  edits(green, strings.Replace(green, "/green/", "/gone/", 1)),
		"a target group of another region":                    edits(green, strings.Replace(green, "us-east-1", "eu-west-1", 1)),
		"a target group of another load balancer":             edits(green, o.group),
		"a target group that is named twice":                  edits(green, blue),
		"weights that sum to 0":                               edits("weight: 100}", "weight: 0}"),
		"a negative weight":                                   edits("weight: 100}", "weight: -1}"),
		"a weight of 1000":                                    edits("weight: 100}", "weight: 1000}"),
		"a weight that is missing":                            edits(", weight: 100}", "}"),
		"a bound neither below nor above":                     edits("      max: 1\n", ""),
		"a query that returns two series":                     edits(returning, `"Period": 1, "Stat": "Sum"}}, {"Id": "f", "Expression": "e * 2"}]`),
		"a query that is no JSON":                             edits(returning, `"Period": 1, "Stat": "Sum"}}`),
		"a template that does not end":                        edits("{{.New.Suffix}}", "{{.New.Suffix"),
		"a template with a field that does not exist":         edits("{{.New.Suffix}}", "{{.New.Sufix}}"),
		"an expression that CloudWatch refuses":               edits(returning, `"Period": 1, "Stat": "Sum"}, "ReturnData": false}, {"Id": "f", "Expression": "SUM(e"}]`),
		"the average of a count":                              edits(`"Stat": "Sum"`, `"Stat": "Average"`),
		"a Prometheus that is not there":                      source("      prometheus: {address: \"http://127.0.0.1:1\", query: up}\n"),
		"Datadog without keys":                                source("      datadog: {query: \"avg:system.load.1{*}\"}\n"),
		"a metric without a source":                           source(""),
		"no credentials":                                      func(_ *testing.T, s *stage) { delete(s.vars, "AWS_ACCESS_KEY_ID") },
		"a profile that does not exist":                       func(t *testing.T, s *stage) { s.text += "  aws: {profile: prod}\n" },
		"no permission to read rules":                         faulty(`{"kind":"access-denied","operation":"DescribeRules"}`),
		"no permission to read target groups":                 faulty(`{"kind":"access-denied","operation":"DescribeTargetGroups"}`),
		"no permission to read metrics":                       faulty(`{"kind":"access-denied","service":"cloudwatch"}`),
		"no permission to write the mark":                     faulty(`{"kind":"access-denied","operation":"AddTags"}`),
		"expired credentials":                                 faulty(`{"kind":"expired-token"}`),
		"another machine's run that is active":                func(t *testing.T, s *stage) { s.mark(t, 1500*time.Millisecond, true) },
		"another declaration's shift that is unfinished":      func(t *testing.T, s *stage) { s.mark(t, -time.Second, false) },
		"nothing to resume":                                   func(_ *testing.T, s *stage) { s.args[0] = "resume" },
		"nothing to abort":                                    func(_ *testing.T, s *stage) { s.args[0] = "abort" },
		"a journal that another run on this machine has open": lockJournal,
		"a state directory that cannot be made": func(t *testing.T, s *stage) {
			if err := os.WriteFile(s.state, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"neither a state directory nor a home":         func(_ *testing.T, s *stage) { delete(s.vars, "XDG_STATE_HOME") },
		"a field that does not exist":                  edits("stepInterval", "stepIntervall"),
		"text where a number belongs":                  edits("weight: 100", `weight: "100"`),
		"two documents":                                func(_ *testing.T, s *stage) { s.text += "---\n" + s.text },
		"an empty file":                                func(_ *testing.T, s *stage) { s.text = "" },
		"a file that is not there":                     func(_ *testing.T, s *stage) { s.args[2] = "shfit.yaml" },
		"no file at all":                               func(_ *testing.T, s *stage) { s.args = s.args[:1] },
		"a file without -f":                            func(_ *testing.T, s *stage) { s.args = []string{"shift", "shift.yaml"} },
		"a command that does not exist":                func(_ *testing.T, s *stage) { s.args[0] = "shfit" },
		"a flag that does not exist":                   func(_ *testing.T, s *stage) { s.args = append(s.args, "--replce") },
		"an output that does not exist":                func(_ *testing.T, s *stage) { s.args = append(s.args, "-o", "yaml") },
		"steps that go down":                           edits(strategy, "strategy: {steps: [{setWeight: 50}, {setWeight: 20}]}"),
		"a step that does two things":                  edits(strategy, "strategy: {steps: [{setWeight: 50, pause: {}}]}"),
		"steps of 0 percent":                           edits("stepWeight: 50", "stepWeight: 0"),
		"steps of 101 percent":                         edits("stepWeight: 50", "stepWeight: 101"),
		"a pause without a unit":                       edits(strategy, "strategy: {steps: [{pause: {duration: 30}}]}"),
		"priority 0":                                   edits("priority: 10", "priority: 0"),
		"priority 50001":                               edits("priority: 10", "priority: 50001"),
		"a rule without a condition":                   edits(rule, "rule: {priority: 10}"),
		"somebody else's rule with other conditions":   edits(rule, "rule: {priority: 20, hosts: [example.com]}"),
		"a policy that does not exist":                 edits("bake: 1s", "bake: 1s, onFailure: panic"),
		"a lab that is not there":                      func(t *testing.T, s *stage) { s.vars["AWS_ENDPOINT_URL"] = "http://" + unused(t) },
		"a period of the lab that is no duration":      func(_ *testing.T, s *stage) { s.vars["NORIKAE_CLOUDWATCH_PERIOD"] = "1" },
		"a metric's interval below its query's period": edits(`"Period": 1,`, `"Period": 60,`, "interval: 1s", "interval: 90s"),
	}
}

// lockJournal as a run of this machine has it.
func lockJournal(t *testing.T, s *stage) {
	store, err := file.Open(filepath.Join(s.state, "norikae"), s.ListenerARN+" rule 10")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}

// unused is an address where nobody listens.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// places of one run in a message, and what stands for them in the table.
func (s *stage) places(o others) *strings.Replacer {
	pairs := []string{
		s.RuleARN, "{rule}", o.foreign, "{foreign}", s.ListenerARN, "{listener}", s.LoadBalancerARN, "{loadBalancer}",
		s.arn("blue"), "{blue}", s.arn("green"), "{green}", o.group, "{other}",
		s.Endpoint, "{endpoint}", s.vars["AWS_ENDPOINT_URL"], "{nowhere}", strings.TrimPrefix(s.vars["AWS_ENDPOINT_URL"], "http://"), "{nowhere}", s.state, "{state}",
	}
	var known []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] != "" { // not every world has a rule
			known = append(known, pairs[i:i+2]...)
		}
	}
	return strings.NewReplacer(known...)
}

// varying parts of messages: identities and moments.
var varying = regexp.MustCompile(`(RequestID: |&time=)[0-9a-f-]+`)

// normal is what the program said, with the places of this run named.
func (s *stage) normal(o others, text string) string {
	return varying.ReplaceAllString(s.places(o).Replace(text), "${1}…")
}

var update = flag.Bool("update", false, "write testdata anew")

// messages are what the program says of each case, from a file such as
// testdata/bad-input.txt: a line "## CASE", then the whole of stderr. `go test
// ./internal/e2e -run BadInput -update` writes them anew; then each is to be looked at.
func messages(t *testing.T, file string) map[string]string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for section := range strings.SplitSeq("\n"+string(b), "\n## ") {
		if name, text, ok := strings.Cut(section, "\n"); ok && name != "" {
			out[name] = strings.TrimSpace(text) + "\n"
		}
	}
	return out
}

func TestBadInputIsExplainedAndWritesNothing(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	o := l.addOthers(t)
	cases, want, said := badCases(l, o), messages(t, "bad-input.txt"), map[string]string{}
	for name := range want {
		if cases[name] == nil && !*update {
			t.Errorf("testdata/bad-input.txt tells of %q, which is no case", name)
		}
	}
	for name, setup := range cases {
		t.Run(name, func(t *testing.T) {
			s := l.stage(t)
			setup(t, s)
			t.Cleanup(func() { l.clearFaults(t) })
			before := len(l.calls(t))
			res := s.run(t)
			got := s.normal(o, res.stderr)
			said[name] = got
			if *update {
				want[name] = got
			}
			if res.code != 1 || got != want[name] {
				t.Errorf("code %d, want 1; stderr\n%s\nwant\n%s\nstdout\n%s", res.code, got, want[name], res.stdout)
			}
			if writes := writing(l.calls(t)[before:]); len(writes) > s.others {
				t.Errorf("carried out: %v; %d of them by the test", writes, s.others)
			}
		})
	}
	if *update {
		write(t, "bad-input.txt", said)
	}
}

func write(t *testing.T, file string, said map[string]string) {
	t.Helper()
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(said)) {
		fmt.Fprintf(&b, "## %s\n%s\n", name, said[name])
	}
	if err := os.WriteFile("testdata/"+file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run the program on the stage.
func (s *stage) run(t *testing.T) result {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "shift.yaml"), []byte(s.text), 0o600); err != nil {
		t.Fatal(err)
	}
	var env []string
	for k, v := range s.vars {
		env = append(env, k+"="+v)
	}
	return start(t, command{args: s.args, env: env, dir: s.dir}).wait(t)
}

// writing are the operations of calls that changed something.
func writing(calls []awssim.CallEntry) []string {
	var out []string
	for _, c := range calls {
		reads := slices.ContainsFunc([]string{"Describe", "Get", "List"}, func(p string) bool { return strings.HasPrefix(c.Operation, p) })
		if c.Effect && !reads {
			out = append(out, c.Operation)
		}
	}
	return out
}

// That a write is not permitted shows only when it is tried: IAM is not asked before.
// The mark, which was permitted, goes again.
func TestAWeightWriteThatIsNotPermittedChangesNoWeight(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	s := l.stage(t)
	s.edit("  analysis:\n", "  analysis:\n    maxHold: 1s\n")(t)
	l.fault(t, `{"kind":"access-denied","operation":"ModifyRule"}`)
	res := s.run(t)
	const want = "error: rolled back: the write did not come into force within 1s: writing weights to {rule}: access denied: operation error Elastic Load Balancing v2: ModifyRule, " +
		"https response error StatusCode: 403, RequestID: …, api error AccessDenied: The caller in account 000000000000 is not authorized to perform: elasticloadbalancing:ModifyRule " +
		"(the caller's IAM policy does not allow this call)\n" +
		"The traffic is where it was before. Find out what was wrong, then run the shift again.\n"
	_, got, _ := strings.Cut("\n"+s.normal(others{"no group", "no rule"}, res.stderr), "\nerror: ") // after the warnings of each try
	if got = "error: " + got; res.code != 2 || got != want {
		t.Errorf("code %d, want 2; stderr\n%s\nwant\n%s\n%s", res.code, got, want, res.stdout)
	}
	if w := l.written(l.calls(t)); len(w) > 0 {
		t.Errorf("weights were written: %v", w)
	}
	l.noMark(t)
}
