package terraform

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// steps instead of step_weight and step_interval.
func steps(hcl string, weights ...int) string {
	text := ""
	for _, w := range weights {
		text += fmt.Sprintf("step {\n    set_weight = %d\n  }\n  step {\n    analysis = \"1s\"\n  }\n  ", w)
	}
	return strings.NewReplacer("step_weight   = 50", "", `step_interval = "1s"`, text).Replace(hcl)
}

// Odd steps, and a failure at the last but one: back from there, in one write.
func TestS2_AFailureAtTheLastStepButOneGoesAllTheWayBack(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	f := l.adopted(t, "")
	defer l.load(t, 100)()
	f.write(t, steps(l.this(0, 100, ""), 1, 67))
	before := len(l.calls(t))
	p := l.shifting(t, f)
	until(t, "67 are live", func() bool { return slices.Contains(l.written(l.calls(t)[before:]), "33:67") })
	l.fault(t, `{"kind":"target","targetGroup":"green","failRate":1}`)
	if r := p.wait(t); r.code == 0 {
		t.Errorf("it failed, and the apply succeeded:\n%s", r)
	}
	if got, want := l.written(l.calls(t)[before:]), []string{"99:1", "33:67", "100:0"}; !slices.Equal(got, want) {
		t.Errorf("written %v, want %v", got, want)
	}
}

func TestS4_TheEndIsExactlyAsDeclared(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	f := l.adopted(t, "")
	for _, end := range [][2]int{{90, 10}, {50, 50}, {33, 66}} {
		f.write(t, l.this(end[0], end[1], ""))
		f.apply(t)
		if got, want := l.weights(t, l.RuleARN), fmt.Sprintf("%d:%d", end[0], end[1]); got != want {
			t.Errorf("live %s, declared %s", got, want)
		}
		f.empty(t)
	}
}

// group is one more target group, with the targets of blue.
func (l *lab) group(t *testing.T, name string) (arn string) {
	t.Helper()
	like, err := l.api.DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{l.arn("blue")}})
	if err != nil {
		t.Fatal(err)
	}
	g := like.TargetGroups[0]
	made, err := l.api.CreateTargetGroup(t.Context(), &elb.CreateTargetGroupInput{
		Name: aws.String(name), Protocol: g.Protocol, Port: g.Port, VpcId: g.VpcId, TargetType: g.TargetType, HealthCheckIntervalSeconds: g.HealthCheckIntervalSeconds, HealthCheckTimeoutSeconds: g.HealthCheckTimeoutSeconds,
	})
	if err != nil {
		t.Fatal(err)
	}
	arn = aws.ToString(made.TargetGroups[0].TargetGroupArn)
	health, err := l.api.DescribeTargetHealth(t.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(l.arn("blue"))})
	if err != nil {
		t.Fatal(err)
	}
	var targets []elbtypes.TargetDescription
	for _, h := range health.TargetHealthDescriptions {
		targets = append(targets, *h.Target)
	}
	if _, err := l.api.RegisterTargets(t.Context(), &elb.RegisterTargetsInput{TargetGroupArn: aws.String(arn), Targets: targets}); err != nil {
		t.Fatal(err)
	}
	return arn
}

func TestS6_OneAndThreeDestinationsAreServedAsDeclared(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	red := l.group(t, "red")
	third := fmt.Sprintf("destination {\n    target_group_arn = %q\n    weight           = 30\n  }", red)
	f := l.folder(t, l.courier("this", "priority = 11\nhosts = [\"three.example.com\"]", 60, 10, third)+`
resource "eksctl_courier_alb" "one" {
  listener_arn = `+fmt.Sprintf("%q", l.ListenerARN)+`
  priority     = 12
  hosts        = ["one.example.com"]
  bake         = "1s"
  destination {
    target_group_arn = `+fmt.Sprintf("%q", l.arn("green"))+`
    weight           = 7
  }
}
`)
	f.apply(t)
	live := func(address string) string { return fmt.Sprint(f.attributes(t, address)["live_weights"]) }
	if got, want := live(address), fmt.Sprint(map[string]any{l.arn("blue"): 60, l.arn("green"): 10, red: 30}); got != want {
		t.Errorf("live %s, declared %s", got, want)
	}
	if got, want := live("eksctl_courier_alb.one"), fmt.Sprint(map[string]any{l.arn("green"): 7}); got != want {
		t.Errorf("live %s, declared %s", got, want)
	}
	f.empty(t)
}

// hosts of a rule.
func (l *lab) hosts(t *testing.T, arn string) []string {
	t.Helper()
	return l.rule(t, arn).Conditions[0].HostHeaderConfig.Values
}

func TestS7_AnotherHostAndOtherWeightsInOneApplyAreNoCutOver(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	f := l.adopted(t, "")
	both := func(blue, green int) string {
		return strings.Replace(l.slowly(blue, green, `on_interrupt = "rollback"`), `["example.com"]`, `["shop.example.com", "example.com"]`, 1)
	}
	f.write(t, both(0, 100))
	before := len(l.calls(t))
	p := l.shifting(t, f)
	until(t, "half is moved", func() bool { return l.weights(t, l.RuleARN) == "50:50" })
	if got := l.hosts(t, l.RuleARN); len(got) != 2 {
		t.Errorf("weights move, and the hosts are still %v", got)
	}
	p.signal(os.Interrupt)
	p.wait(t)
	got := l.written(l.calls(t)[before:])
	if got = slices.DeleteFunc(got, func(w string) bool { return w == "100:0" }); !slices.Equal(got, []string{"50:50"}) {
		t.Errorf("written %v: a jump", got)
	}
}

func TestS8_TheOrderOfConditionsIsNoChange(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	rule := func(hosts string) string {
		return l.courier("this", "priority = 11\nhosts = ["+hosts+"]\nmethods = [\"GET\", \"PUT\"]", 90, 10, "")
	}
	f := l.folder(t, rule(`"b.example.com", "a.example.com"`))
	f.apply(t)
	before := len(l.calls(t))
	f.write(t, rule(`"a.example.com", "b.example.com"`))
	f.empty(t)
	f.apply(t)
	if m := mutations(l.calls(t)[before:]); len(m) != 0 {
		t.Errorf("only the order is another, and this was written: %v", m)
	}
}

func TestS9_StickinessAndSignInStayAsTheyAre(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	listener, err := l.api.CreateListener(t.Context(), &elb.CreateListenerInput{
		LoadBalancerArn: aws.String(l.LoadBalancerARN), Protocol: elbtypes.ProtocolEnumHttps, Port: aws.Int32(443),
		Certificates:   []elbtypes.Certificate{{CertificateArn: aws.String("arn:aws:acm:us-east-1:000000000000:certificate/00000000-0000-4000-8000-000000000000")}},
		DefaultActions: l.forward(100, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	l.ListenerARN = aws.ToString(listener.Listeners[0].ListenerArn)
	forward := l.forward(100, 0)[0]
	forward.Order = aws.Int32(2)
	forward.ForwardConfig.TargetGroupStickinessConfig = &elbtypes.TargetGroupStickinessConfig{Enabled: aws.Bool(true), DurationSeconds: aws.Int32(77)}
	made, err := l.api.CreateRule(t.Context(), &elb.CreateRuleInput{
		ListenerArn: aws.String(l.ListenerARN), Priority: aws.Int32(11),
		Conditions: []elbtypes.RuleCondition{{Field: aws.String("host-header"), HostHeaderConfig: &elbtypes.HostHeaderConditionConfig{Values: []string{"in.example.com"}}}},
		Actions: []elbtypes.Action{{
			Type: elbtypes.ActionTypeEnumAuthenticateOidc, Order: aws.Int32(1),
			AuthenticateOidcConfig: &elbtypes.AuthenticateOidcActionConfig{
				Issuer: aws.String("https://id.example.com"), AuthorizationEndpoint: aws.String("https://id.example.com/a"), TokenEndpoint: aws.String("https://id.example.com/t"),
				UserInfoEndpoint: aws.String("https://id.example.com/u"), ClientId: aws.String("web"), ClientSecret: aws.String("fake"),
			},
		}, forward},
	})
	if err != nil {
		t.Fatal(err)
	}
	arn := aws.ToString(made.Rules[0].RuleArn)
	f := l.folder(t, l.courier("this", "priority = 11\nhosts = [\"in.example.com\"]\nadopt = true", 0, 100, ""))
	f.apply(t)
	if w := l.weights(t, arn); w != "0:100" {
		t.Errorf("live %s, declared 0:100", w)
	}
	actions := l.rule(t, arn).Actions
	if len(actions) != 2 || actions[0].AuthenticateOidcConfig == nil || aws.ToString(actions[0].AuthenticateOidcConfig.ClientId) != "web" {
		t.Fatalf("the sign-in is lost: %+v", actions)
	}
	if s := actions[1].ForwardConfig.TargetGroupStickinessConfig; s == nil || !aws.ToBool(s.Enabled) || aws.ToInt32(s.DurationSeconds) != 77 {
		t.Errorf("the stickiness is lost: %+v", s)
	}
	f.empty(t)
}

func TestS10_ANewRuleBeginsWithWhatServesToday(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	stop := l.load(t, 100) // of the rule at 10, until there is one before it
	f := l.folder(t, l.courier("this", "priority = 5\nhosts = [\"example.com\"]", 0, 100, ""))
	f.apply(t)
	stop().nothingLost(t)
	if got, want := l.written(l.calls(t)), []string{"100:0", "50:50", "0:100"}; !slices.Equal(got, want) {
		t.Errorf("written %v, want %v: as it is served today, then in steps", got, want)
	}
}

// Rules on later pages are found, and a rule with the same target groups is another rule.
func TestS11_S17_ARuleOnALaterPageIsFoundAndNoOther(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	for i := range 5 {
		l.copyRule(t, 1+i)
	}
	mine := l.copyRule(t, 11)
	l.copyRule(t, 12)
	l.fault(t, `{"kind":"short-pages","operation":"DescribeRules","count":2}`)
	f := l.folder(t, l.courier("this", "priority = 11\nhosts = [\"h11.example.com\"]\nadopt = true\nforce_destroy = true", 0, 100, ""))
	f.apply(t)
	if w := l.weights(t, mine); w != "0:100" {
		t.Errorf("live %s, declared 0:100", w)
	}
	f.empty(t)
	f.ok(t, "destroy", "-auto-approve", "-no-color")
	l.clearFaults(t)
	rules := l.rules(t)
	if _, there := rules["11"]; there {
		t.Error("the rule was not deleted")
	}
	for priority, r := range rules {
		if arn := aws.ToString(r.RuleArn); !aws.ToBool(r.IsDefault) && l.weights(t, arn) != "100:0" {
			t.Errorf("the rule at %s was changed: %s", priority, l.weights(t, arn))
		}
	}
}

func TestS13_CredentialsEndAndAreRenewedInTheMiddleOfAShift(t *testing.T) {
	t.Parallel()
	l := startLab(t, "--max-session", "3s")
	const as = "assume_role {\n    role_arn = \"arn:aws:iam::000000000000:role/shifter\"\n  }"
	f := l.adopted(t, as)
	before := len(l.calls(t))
	stop := l.load(t, 100)
	f.write(t, l.this(0, 100, as))
	f.apply(t)
	stop().nothingLost(t)
	calls := l.calls(t)[before:]
	n := 0
	for _, c := range calls {
		if c.Operation == "AssumeRole" {
			n++
		}
	}
	if n < 3 {
		t.Errorf("the role was assumed %d times, although a session lasts 3 s only", n)
	}
	if got, want := l.written(calls), []string{"50:50", "0:100"}; !slices.Equal(got, want) {
		t.Errorf("written %v, want %v", got, want)
	}
}

func TestS15_ThrottlingAndLostAnswersDoNotEndAShift(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	f := l.adopted(t, "")
	before := len(l.calls(t))
	stop := l.load(t, 50)
	l.fault(t, `{"kind":"throttle","operation":"ModifyRule","times":3}`)
	l.fault(t, `{"kind":"drop-after","operation":"ModifyRule","times":1}`)
	f.write(t, l.this(0, 100, ""))
	f.apply(t)
	stop().nothingLost(t)
	got := slices.Compact(l.written(l.calls(t)[before:])) // what is tried once more is the same
	if want := []string{"50:50", "0:100"}; !slices.Equal(got, want) {
		t.Errorf("written %v, want %v", got, want)
	}
	f.empty(t)
}

// Every write is refused: nobody says that the traffic has moved.
func TestS18_AWeightThatIsNotLiveIsNeverReportedAsDone(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	f := l.adopted(t, "")
	l.fault(t, `{"kind":"throttle","operation":"ModifyRule"}`)
	const hurry = "max_hold = \"3s\"\nrollback_timeout = \"3s\""
	f.write(t, l.this(0, 100, hurry))
	said := f.fails(t, "apply", "-auto-approve").errors()
	contains(t, said, "Throttling")
	t.Logf("the error:\n%s", said)
	l.clearFaults(t)
	if w := l.weights(t, l.RuleARN); w != "100:0" {
		t.Errorf("live %s", w)
	}
	if got := declared(f.attributes(t, address)); got != "100:0" {
		t.Errorf("live is 100:0, and the state has %s", got)
	}
	f.pending(t)
}

func TestS19_WeightsThatSomebodyWritesDuringAShiftAreNotFoughtOver(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	const rest = "on_interrupt = \"hold\"\nstatus_file = \"status.jsonl\""
	f := l.adopted(t, rest)
	f.write(t, l.slowly(0, 100, rest))
	before := len(l.calls(t))
	p := l.shifting(t, f)
	l.setWeights(t, l.RuleARN, 70, 30)
	until(t, "the drift is told", func() bool {
		return slices.ContainsFunc(events(t, f.dir+"/status.jsonl"), func(e event) bool { return e.Kind == "drift" })
	})
	time.Sleep(2 * time.Second) // in which nothing may be written
	p.signal(os.Interrupt)
	r := p.wait(t)
	if r.code == 0 {
		t.Errorf("somebody else wrote the weights, and the apply succeeded:\n%s", r)
	}
	contains(t, diagnosticsOf(r).errors(), "Traffic now: blue 70 (70%), green 30 (30%)")
	if got, want := l.written(l.calls(t)[before:]), []string{"50:50", "70:30"}; !slices.Equal(got, want) {
		t.Errorf("written %v, want %v: the shift's, then the other one's", got, want)
	}
	if got := declared(f.attributes(t, address)); got != "70:30" {
		t.Errorf("live is 70:30, and the state has %s", got)
	}
}

func TestT3_ATimeoutInterruptsAShift(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	const rest = "timeouts {\n    update = \"3s\"\n  }"
	f := l.adopted(t, rest)
	f.write(t, l.slowly(0, 100, rest))
	contains(t, f.fails(t, "apply", "-auto-approve").errors(), "timeouts block, 3s", "Traffic now: blue 100 (100%), green 0 (0%)")
	if w := l.weights(t, l.RuleARN); w != "100:0" {
		t.Errorf("live %s, want it as it was", w)
	}
}

// A plan says what weights do not move.
func TestS21_S22_APlanSaysWhoDoesNotFollowTheWeights(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	f := l.adopted(t, "")
	sticky := l.forward(100, 0)
	sticky[0].ForwardConfig.TargetGroupStickinessConfig = &elbtypes.TargetGroupStickinessConfig{Enabled: aws.Bool(true), DurationSeconds: aws.Int32(77)}
	if _, err := l.api.ModifyRule(t.Context(), &elb.ModifyRuleInput{RuleArn: aws.String(l.RuleARN), Actions: sticky}); err != nil {
		t.Fatal(err)
	}
	f.write(t, l.this(0, 100, ""))
	contains(t, f.pending(t), "target group stickiness is on", "cookie AWSALBTG", "up to 1m17s", "WebSocket connections that are open stay")

	n := startLab(t, "--seed", "nlb")
	g := n.folder(t, n.nlb(100, 0))
	g.apply(t)
	g.write(t, n.nlb(0, 100))
	contains(t, g.pending(t), "connections that are open stay on their target until they close")
}

func TestT6_C14_NothingIsLeftInTheTemporaryFolderAndAKubeconfigIsWrittenAgain(t *testing.T) {
	t.Parallel()
	l := startLab(t, "--seed", "", "--cluster-delay", "0s")
	f := l.folder(t, `
resource "eksctl_cluster" "blue" {
  name            = "blue"
  spec            = "managedNodeGroups: [{name: web}]"
  kubeconfig_path = "kubeconfig"
}
`)
	temporary := t.TempDir()
	f.env = append(f.env, "TMPDIR="+temporary, "PATH="+program("test")+string(os.PathListSeparator)+os.Getenv("PATH"))
	f.apply(t)
	kubeconfig := filepath.Join(f.dir, "kubeconfig")
	was, err := os.ReadFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(kubeconfig); err != nil {
		t.Fatal(err)
	}
	f.empty(t)
	is, err := os.ReadFile(kubeconfig)
	if err != nil || string(is) != string(was) {
		t.Errorf("the kubeconfig was lost, and a plan did not write it again as it was: %v\n%s", err, is)
	}
	if info, err := os.Stat(kubeconfig); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the kubeconfig: %v, %v", info, err)
	}
	f.ok(t, "destroy", "-auto-approve", "-no-color")
	left, err := os.ReadDir(temporary)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		t.Errorf("left in the temporary folder: %s", e.Name())
	}
}
