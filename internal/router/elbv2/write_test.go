package elbv2

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	sim "github.com/norikae/norikae/internal/awssim/elbv2"
	simfault "github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/wiretest"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// same compares SDK values by what they say.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(
		types.Action{}, types.AuthenticateOidcActionConfig{}, types.ForwardActionConfig{}, types.TargetGroupTuple{},
		types.TargetGroupStickinessConfig{}, types.RuleCondition{}, types.HostHeaderConditionConfig{}, types.FixedResponseActionConfig{},
		types.AuthenticateCognitoActionConfig{},
	), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func (w *world) sees(ruleARN string, want traffic.Split) {
	w.t.Helper()
	if got := splitOf(w.see(ruleARN).Actions); !got.Equal(want) {
		w.t.Errorf("live weights are %s, want %s", got, want)
	}
}

func TestWriteGivesExactlyTheseWeights(t *testing.T) {
	w := newWorld(t)
	arn := w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", 100, "b", 0)))
	r := w.open()
	for _, want := range []traffic.Split{
		w.split("a", 90, "b", 10), w.split("b", 100), w.split("a", 34, "b", 33, "c", 33), w.split("a", 1, "b", 0, "c", 0, "d", 0, "e", 999),
	} {
		if err := r.Write(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		live := wiretest.Must(r.Observe(t.Context()))(t)
		if !live.Exists || !live.Split.Equal(want) || live.Ref != arn || !live.Conforms || len(live.Notes) != 0 {
			t.Errorf("observed %+v, want %s", live, want)
		}
	}
}

func TestS09_EverythingElseOnTheRuleIsKept(t *testing.T) {
	w := newWorld(t)
	arn := w.rule(w.https, 10, hosts("example.com"), oidc(), second(forward(w.split("a", 100, "b", 0), sticky)))
	w.tag(arn, "team", "shop")
	before := w.see(arn)
	r := w.open(func(c *Config) { c.ListenerARN = w.https })
	live := wiretest.Must(r.Observe(t.Context()))(t)
	if notes := strings.Join(live.Notes, "\n"); !strings.Contains(notes, "authenticate-oidc is kept") {
		t.Errorf("the notes do not say that authentication is kept: %s", notes)
	}
	for _, s := range []traffic.Split{w.split("a", 50, "b", 50), w.split("b", 100), w.split("a", 7, "b", 3)} {
		if err := r.Write(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	after := w.see(arn)
	want := slices.Clone(before.Actions)
	want[1] = forward(w.split("b", 3, "a", 7), sticky)
	want[1].Order = before.Actions[1].Order
	same(t, "actions", after.Actions, want)
	same(t, "conditions", after.Conditions, before.Conditions)
	if tags := w.tagsOf(arn); len(tags) != 1 || tags["team"] != "shop" {
		t.Errorf("tags became %v", tags)
	}
	if p := w.last("ModifyRule"); p.Has("Conditions") || p.Has("Transforms") {
		t.Errorf("more than the actions was written: %v", p)
	}
}

func TestS20_EveryWeightIsWrittenEvenZero(t *testing.T) {
	w := newWorld(t)
	arn := w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", 100, "b", 0)))
	if err := w.open().Write(t.Context(), w.split("a", 0, "b", 5, "c", 0)); err != nil {
		t.Fatal(err)
	}
	for _, g := range w.last("ModifyRule").List("Actions")[0].Struct("ForwardConfig").List("TargetGroups") {
		if !g.Has("Weight") {
			t.Errorf("no weight for %s", g.Str("TargetGroupArn"))
		}
	}
	w.sees(arn, w.split("a", 0, "b", 5, "c", 0))
}

func TestS23_SplitsThatBreakALimitAreNotSent(t *testing.T) {
	w := newWorld(t)
	w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", 100, "b", 0)))
	r := w.open()
	w.forget()
	for name, s := range map[string]traffic.Split{
		"all zero":          w.split("a", 0, "b", 0),
		"no destination":    {},
		"a weight of 1000":  w.split("a", 1000),
		"a negative weight": w.split("a", -1, "b", 2),
		"six groups":        w.split("a", 1, "b", 1, "c", 1, "d", 1, "e", 1, "f", 1),
		"one group twice":   w.split("a", 1, "a", 1),
	} {
		for op, err := range map[string]error{"Write": r.Write(t.Context(), s), "Create": r.Create(t.Context(), s, markOf(w))} {
			if !fault.IsTerminal(err) {
				t.Errorf("%s with %s: %v", op, name, err)
			}
		}
	}
	if w.made() != "" {
		t.Errorf("calls were made: %s", w.made())
	}
}

func TestS07_ConditionsChangeInTheSameWriteAsTheWeights(t *testing.T) {
	w := newWorld(t)
	arn := w.rule(w.listener, 10, hosts("old.example.com"), forward(w.split("a", 100)))
	r := w.open()
	if live := wiretest.Must(r.Observe(t.Context()))(t); live.Conforms || !live.Split.Equal(w.split("a", 100)) {
		t.Fatalf("observed %+v", live)
	}
	if err := r.Write(t.Context(), w.split("a", 100, "b", 0)); err != nil {
		t.Fatal(err)
	}
	if live := wiretest.Must(r.Observe(t.Context()))(t); !live.Conforms || !live.Split.Equal(w.split("a", 100, "b", 0)) {
		t.Errorf("observed %+v", live)
	}
	same(t, "conditions", conditionsOf(w.see(arn).Conditions)[0].normal().values, []string{"example.com"})
}

func TestTheDefaultActionIsChangedThroughTheListener(t *testing.T) {
	w := newWorld(t)
	wiretest.Must(w.sdk.ModifyListener(t.Context(), &elb.ModifyListenerInput{
		ListenerArn: &w.https, DefaultActions: []types.Action{oidc(), second(forward(w.split("a", 1), sticky))},
	}))(t)
	r := w.open(func(c *Config) { c.ListenerARN, c.Numbered, c.Default = w.https, nil, true })
	live := wiretest.Must(r.Observe(t.Context()))(t)
	if !live.Exists || !live.Conforms || live.Ref != w.https || !live.Split.Equal(w.split("a", 1)) || len(live.Notes) != 2 {
		t.Errorf("observed %+v", live)
	}
	if err := r.Write(t.Context(), w.split("a", 60, "b", 40)); err != nil {
		t.Fatal(err)
	}
	l := wiretest.Must(w.sdk.DescribeListeners(t.Context(), &elb.DescribeListenersInput{ListenerArns: []string{w.https}}))(t).Listeners[0]
	if got := splitOf(l.DefaultActions); !got.Equal(w.split("a", 60, "b", 40)) || len(l.DefaultActions) != 2 {
		t.Errorf("default actions are %s", got)
	}
	if _, on := stickiness(l.DefaultActions); !on || len(l.Certificates) != 1 {
		t.Error("stickiness or certificate lost")
	}
	if err := r.SetMark(t.Context(), markOf(w)); err != nil {
		t.Fatal(err)
	}
	if _, ok := w.tagsOf(w.https)[tagShift]; !ok {
		t.Error("the mark is not on the listener")
	}
}

func TestARuleByItsARNIsLeftItsConditions(t *testing.T) {
	w := newWorld(t)
	arn := w.rule(w.listener, 77, hosts("x.example.com"), forward(w.split("a", 1)))
	byARN := func(id string) func(*Config) {
		return func(c *Config) { c.ListenerARN, c.Numbered, c.RuleARN = "", nil, id }
	}
	r := w.open(byARN(arn))
	if live := wiretest.Must(r.Observe(t.Context()))(t); !live.Exists || !live.Conforms || live.Ref != arn {
		t.Errorf("observed %+v", live)
	}
	if err := r.Write(t.Context(), w.split("a", 1, "b", 1)); err != nil {
		t.Fatal(err)
	}
	if w.last("ModifyRule").Has("Conditions") {
		t.Error("conditions were written")
	}
	wiretest.Must(w.sdk.DeleteRule(t.Context(), &elb.DeleteRuleInput{RuleArn: &arn}))(t)
	for name, f := range map[string]func() error{
		"Observe": func() error { _, err := r.Observe(t.Context()); return err },
		"Mark":    func() error { _, _, err := r.Mark(t.Context()); return err },
	} {
		if err := f(); !fault.IsTerminal(err) || !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s of a rule that was deleted: %v", name, err)
		}
	}
	all := wiretest.Must(w.sdk.DescribeRules(t.Context(), &elb.DescribeRulesInput{ListenerArn: &w.listener}))(t).Rules
	_, err := w.open(byARN(*all[len(all)-1].RuleArn)).Observe(t.Context())
	mentions(t, err, "route.alb.ruleARN", "default rule", "default: true", w.listener)
}

func TestARuleThatAnswersByItselfCanBeMadeToForward(t *testing.T) {
	w := newWorld(t)
	arn := w.rule(w.listener, 10, hosts("example.com"), notFound())
	r := w.open()
	live := wiretest.Must(r.Observe(t.Context()))(t)
	if !live.Exists || len(live.Split) != 0 || !strings.Contains(strings.Join(live.Notes, "\n"), "no split to go back to") {
		t.Errorf("observed %+v", live)
	}
	if err := r.Write(t.Context(), w.split("a", 1, "b", 0)); err != nil {
		t.Fatal(err)
	}
	w.sees(arn, w.split("a", 1, "b", 0))
	if n := len(w.see(arn).Actions); n != 1 {
		t.Errorf("%d actions, want 1", n)
	}
}

func TestAnObservationServesTheWriteRightAfterItAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		arn := w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", 100, "b", 0)))
		r := w.open()
		wiretest.Must(r.Observe(t.Context()))(t)
		w.forget()

		step := func(s traffic.Split, pause time.Duration, want string) {
			t.Helper()
			wiretest.Must(r.Observe(t.Context()))(t)
			_, _, err := r.Mark(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(pause)
			if err := r.Write(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if got := w.made(); got != want {
				t.Errorf("calls: %s\nwant:  %s", got, want)
			}
			w.forget()
		}
		step(w.split("a", 90, "b", 10), reuseFor-time.Millisecond, "DescribeRules DescribeTags ModifyRule")
		step(w.split("a", 80, "b", 20), reuseFor, "DescribeRules DescribeTags DescribeRules ModifyRule")

		// A write uses up the reading: what somebody changes after it is kept by the next.
		wiretest.Must(w.sdk.ModifyRule(t.Context(), &elb.ModifyRuleInput{RuleArn: &arn, Actions: []types.Action{forward(w.split("a", 80, "b", 20), sticky)}}))(t)
		if err := r.Write(t.Context(), w.split("a", 70, "b", 30)); err != nil {
			t.Fatal(err)
		}
		if _, on := stickiness(w.see(arn).Actions); !on {
			t.Error("the write patched a stale reading: stickiness is lost")
		}
	})
}

func TestS15_ErrorsOfAWriteSayWhetherToTryAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		fault  simfault.Kind
		check  func(error) bool
		effect bool
	}{
		"throttled":                   {fault: simfault.Throttle, check: unclassed},
		"5xx before the effect":       {fault: simfault.ErrorBefore, check: unclassed},
		"5xx after the effect":        {fault: simfault.ErrorAfter, check: unclassed, effect: true},
		"connection cut after effect": {fault: simfault.DropAfter, check: unclassed, effect: true},
		"not permitted":               {fault: simfault.AccessDenied, check: func(err error) bool { return errors.Is(err, fault.ErrDenied) }},
		"credentials expired":         {fault: simfault.ExpiredToken, check: func(err error) bool { return errors.Is(err, fault.ErrDenied) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			arn := w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", 100, "b", 0)))
			r := w.open()
			wiretest.Must(r.Observe(t.Context()))(t)
			w.fail(simfault.Rule{Kind: tc.fault, Operation: "ModifyRule", Times: 1})
			err := r.Write(t.Context(), w.split("a", 50, "b", 50))
			if err == nil || !tc.check(err) || fault.IsTerminal(err) || !strings.Contains(err.Error(), arn) {
				t.Errorf("got %v", err)
			}
			if got := splitOf(w.see(arn).Actions).Weight(w.groups["b"]) == 50; got != tc.effect {
				t.Errorf("effect %v, want %v", got, tc.effect)
			}
			if err := r.Write(t.Context(), w.split("a", 40, "b", 60)); err != nil {
				t.Fatal(err)
			}
			w.sees(arn, w.split("a", 40, "b", 60))
		})
	}
}

func unclassed(err error) bool {
	return !errors.Is(err, fault.ErrDenied) && !errors.Is(err, fault.ErrNotFound) && !errors.Is(err, fault.ErrConflict)
}

func TestS11_TheRuleIsFoundOnAnyPage(t *testing.T) {
	w := newWorld(t, func(c *sim.Config) { c.MaxPageSize = 1 })
	for p := range int32(8) {
		w.rule(w.listener, p+1, hosts("x.example.org"), notFound())
	}
	arn := w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", 3, "b", 1)))
	w.forget()
	r := w.open()
	if live := wiretest.Must(r.Observe(t.Context()))(t); live.Ref != arn || !live.Split.Equal(w.split("a", 3, "b", 1)) {
		t.Errorf("observed %+v", live)
	}
	if n := strings.Count(w.made(), "DescribeRules"); n != 10 {
		t.Errorf("%d pages were read, want 10", n)
	}
	w.forget()
	wiretest.Must(r.Observe(t.Context()))(t)
	if w.made() != "DescribeRules" {
		t.Errorf("the second look made %s, want one call", w.made())
	}
}

func TestS17_ARuleIsFoundByItsExactPriorityOnly(t *testing.T) {
	w := newWorld(t)
	w.rule(w.listener, 1, hosts("example.org"), forward(w.split("a", 1, "b", 1)))
	w.rule(w.listener, 100, hosts("example.net"), forward(w.split("a", 1, "b", 1)))
	w.rule(w.https, 10, hosts("example.com"), forward(w.split("a", 1, "b", 1)))
	r := w.open()
	if live := wiretest.Must(r.Observe(t.Context()))(t); live.Exists {
		t.Fatalf("found %s", live.Ref)
	}
	arn := w.rule(w.listener, 10, hosts("example.com"), forward(w.split("c", 1)))
	if live := wiretest.Must(r.Observe(t.Context()))(t); live.Ref != arn || !live.Split.Equal(w.split("c", 1)) {
		t.Errorf("observed %+v", live)
	}
	// Priorities are swapped: another rule is the route now, and the old one is left alone.
	other := w.rule(w.listener, 11, hosts("www.example.com"), forward(w.split("d", 1)))
	wiretest.Must(w.sdk.SetRulePriorities(t.Context(), &elb.SetRulePrioritiesInput{RulePriorities: []types.RulePriorityPair{
		{RuleArn: &arn, Priority: aws.Int32(11)}, {RuleArn: &other, Priority: aws.Int32(10)},
	}}))(t)
	if live := wiretest.Must(r.Observe(t.Context()))(t); live.Ref != other || live.Conforms || !live.Split.Equal(w.split("d", 1)) {
		t.Errorf("observed %+v", live)
	}
}

func markOf(w *world) shift.Mark {
	return shift.Mark{
		ID: "s1", Name: "web", Plan: "abc", From: w.split("a", 100, "b", 0), Started: time.Unix(1_800_000_000, 0).UTC(),
		Lease: shift.Lease{Owner: "laptop/42/r4nd", Expires: time.Unix(1_800_000_030, 5).UTC()},
	}
}

func TestS10_ANewRuleBeginsWithTheWeightsThatServeItsRequestsToday(t *testing.T) {
	w := newWorld(t)
	wiretest.Must(w.sdk.ModifyListener(t.Context(), &elb.ModifyListenerInput{
		ListenerArn: &w.listener, DefaultActions: []types.Action{forward(w.split("a", 30, "c", 70), sticky)},
	}))(t)
	w.rule(w.listener, 20, hosts("example.org"), forward(w.split("d", 1)))
	r := w.open()
	live := wiretest.Must(r.Observe(t.Context()))(t)
	if live.Exists || live.Ref != "" || !live.Split.Equal(w.split("a", 30, "c", 70)) {
		t.Fatalf("observed %+v", live)
	}
	mark := markOf(w)
	mark.From = live.Split
	w.forget()
	if err := r.Create(t.Context(), live.Split.With(w.groups["b"]), mark); err != nil {
		t.Fatal(err)
	}
	if w.made() != "CreateRule" {
		t.Errorf("made %s, want one call", w.made())
	}
	live = wiretest.Must(r.Observe(t.Context()))(t)
	if !live.Exists || !live.Conforms || !live.Split.Equal(w.split("a", 30, "c", 70, "b", 0)) {
		t.Errorf("observed %+v", live)
	}
	if d, on := stickiness(w.see(live.Ref).Actions); !on || d != time.Hour {
		t.Error("clients that stuck to a target group lose it: stickiness was not taken over")
	}
	got, ok, err := r.Mark(t.Context())
	if err != nil || !ok || !cmp.Equal(got, mark) {
		t.Errorf("mark %+v, %v, %v", got, ok, err)
	}
	if owner := w.tagsOf(live.Ref)[tagOwner]; owner != "web" {
		t.Errorf("owner tag %q", owner)
	}
}

func TestCreateTellsItsOwnLostAnswerFromSomebodyElse(t *testing.T) {
	t.Run("our creation took effect, the answer was lost, the SDK tried again", func(t *testing.T) {
		w := newWorld(t)
		r := w.open()
		wiretest.Must(r.Observe(t.Context()))(t)
		w.fail(simfault.Rule{Kind: simfault.DropAfter, Operation: "CreateRule", Times: 1})
		if err := r.Create(t.Context(), w.split("a", 1), markOf(w)); err == nil {
			t.Fatal("a lost answer is not an error")
		}
		// The first reading was used up; what Create sees now is the rule: a conflict.
		if err := r.Create(t.Context(), w.split("a", 1), markOf(w)); !errors.Is(err, fault.ErrConflict) {
			t.Errorf("got %v", err)
		}
		w2 := newWorld(t)
		retrying := w2.open(func(c *Config) {
			c.API = elb.New(w2.sdk.Options(), func(o *elb.Options) { o.RetryMaxAttempts = 2 })
		})
		wiretest.Must(retrying.Observe(t.Context()))(t)
		w2.fail(simfault.Rule{Kind: simfault.ErrorAfter, Operation: "CreateRule", Times: 1})
		if err := retrying.Create(t.Context(), w2.split("a", 1), markOf(w2)); err != nil {
			t.Errorf("got %v", err)
		}
	})
	t.Run("somebody else was faster", func(t *testing.T) {
		w := newWorld(t)
		r := w.open()
		wiretest.Must(r.Observe(t.Context()))(t)
		w.rule(w.listener, 10, hosts("example.org"), notFound())
		if err := r.Create(t.Context(), w.split("a", 1), markOf(w)); !errors.Is(err, fault.ErrConflict) {
			t.Errorf("got %v", err)
		}
	})
}

func TestARuleThatNeedsAHiddenSecretIsNotCreated(t *testing.T) {
	w := newWorld(t)
	wiretest.Must(w.sdk.ModifyListener(t.Context(), &elb.ModifyListenerInput{
		ListenerArn: &w.https, DefaultActions: []types.Action{oidc(), second(forward(w.split("a", 1)))},
	}))(t)
	w.forget()
	err := w.open(func(c *Config) { c.ListenerARN = w.https }).Create(t.Context(), w.split("a", 1), markOf(w))
	mentions(t, err, "authenticate-oidc", "the default rule", "create the rule yourself")
	if !fault.IsTerminal(err) || strings.Contains(w.made(), "Create") {
		t.Errorf("after %s: %v", w.made(), err)
	}
}
