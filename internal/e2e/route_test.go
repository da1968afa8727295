package e2e

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
)

// The other ways to name a route. Each shift goes to 0:100, and a second run of it
// finds it settled.
func TestEveryKindOfRouteIsShiftedToItsEnd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		route  string // YAML of spec.route.alb, with {listener} and {rule}
		dflt   bool   // the default action forwards to blue before the shift
		writes string // blue:green
		says   string // among what plan says
	}{
		"a rule by its ARN":                              {"{ruleARN: '{rule}'}", false, "50:50 0:100", "Goal"},
		"the default action":                             {"{listenerARN: '{listener}', default: true}", true, "1:0 50:50 0:100", "Goal"},
		"a default action that forwards nothing":         {"{listenerARN: '{listener}', default: true}", false, "0:100", "there is no split to go back to"},
		"a rule to be made, where the default forwards":  {"{listenerARN: '{listener}', rule: {priority: 30, pathPatterns: [/new]}}", true, "1:0 50:50 0:100", "its requests are served by blue 1 (100%)"},
		"a rule to be made, where nothing is forwarded":  {"{listenerARN: '{listener}', rule: {priority: 30, pathPatterns: [/new]}}", false, "0:100", "nothing forwards its requests today"},
		"a rule whose conditions change with the weight": {"{listenerARN: '{listener}', adopt: true, rule: {priority: 10, hosts: [example.com], pathPatterns: [/new]}}", false, "100:0 50:50 0:100", "Conform"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, state := startLab(t), t.TempDir()
			if tc.dflt {
				_, err := l.api.ModifyListener(t.Context(), &elb.ModifyListenerInput{ListenerArn: aws.String(l.ListenerARN), DefaultActions: []types.Action{{
					Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String(l.arn("blue")),
				}}})
				if err != nil {
					t.Fatal(err)
				}
			}
			text := l.manifest("web", 0, 100, "  strategy: {stepWeight: 50, stepInterval: 1s, bake: 1s}\n")
			from, to := strings.Index(text, "    alb:\n"), strings.Index(text, "  destinations:\n")
			text = text[:from] + "    alb: " + strings.NewReplacer("{listener}", l.ListenerARN, "{rule}", l.RuleARN).Replace(tc.route) + "\n" + text[to:]
			plan := l.exec(t, state, text, "plan", "-f", "-")
			if plan.code != 0 || !strings.Contains(plan.stdout, tc.says) {
				t.Errorf("plan: code %d, want %q\n%s%s", plan.code, tc.says, plan.stdout, plan.stderr)
			}
			before := len(l.calls(t))
			res := l.exec(t, state, text, "shift", "-f", "-", "-o", "json")
			if res.code != 0 {
				t.Fatalf("code %d\n%s%s", res.code, res.stdout, res.stderr)
			}
			if d := cmp.Diff(strings.Fields(tc.writes), l.written(l.calls(t)[before:])); d != "" {
				t.Errorf("writes (-want +got):\n%s\n%s", d, plan.stdout)
			}
			before = len(l.calls(t))
			if res := l.exec(t, state, text, "shift", "-f", "-", "-o", "json"); res.code != 0 || !strings.Contains(res.stdout, `"reason":"Settled"`) {
				t.Errorf("again: code %d\n%s%s", res.code, res.stdout, res.stderr)
			}
			if w := writing(l.calls(t)[before:]); len(w) > 0 {
				t.Errorf("a settled route was written: %v", w)
			}
		})
	}
}
