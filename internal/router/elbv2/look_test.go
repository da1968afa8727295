package elbv2

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"

	sim "github.com/norikae/norikae/internal/awssim/elbv2"
	"github.com/norikae/norikae/internal/awssim/wiretest"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

// look at a place of the world.
func (w *world) look(cfg Config) *Rule {
	w.t.Helper()
	cfg.API = w.sdk
	return wiretest.Must(Look(cfg))(w.t)
}

// marked is a mark whose lease ends so long from now.
func (w *world) marked(left time.Duration) shift.Mark {
	return shift.Mark{
		ID: "ABC", Name: "web", Plan: "0123456789abcdef", From: w.split("a", 100), Started: time.Now().UTC().Truncate(time.Second),
		Lease: shift.Lease{Owner: "laptop/1/x", Expires: time.Now().Add(left).UTC().Truncate(time.Second)},
	}
}

func TestARuleIsReadInTwoCallsByItsARN(t *testing.T) {
	w := newWorld(t)
	declared := Numbered{
		Priority: 10, Hosts: []string{"b.example.com", "a.example.com"}, PathPatterns: []string{"/api/*"},
		Headers: []Header{{Name: "X-Team", Values: []string{"web"}}},
	}
	id := w.rule(w.listener, 10, sdkConditions(declared.conditions()), forward(w.split("a", 90, "b", 10), sticky))
	if err := w.open(func(c *Config) { c.Numbered = &declared }).SetMark(t.Context(), w.marked(time.Minute)); err != nil {
		t.Fatal(err)
	}
	w.tag(id, tagOwner, "web")
	w.forget()
	got := wiretest.Must(w.look(Config{RuleARN: id}).Read(t.Context()))(t)
	if ops := w.made(); ops != "DescribeRules DescribeTags" {
		t.Errorf("it was read with %s", ops)
	}
	want := &Numbered{
		Priority: 10, Hosts: []string{"a.example.com", "b.example.com"}, PathPatterns: []string{"/api/*"},
		Headers: []Header{{Name: "X-Team", Values: []string{"web"}}},
	}
	if d := cmp.Diff(want, got.Numbered); d != "" {
		t.Errorf("the rule (-want +got):\n%s", d)
	}
	if got.ARN != id || got.ListenerARN != w.listener || got.Owner != "web" || got.Mark == nil || got.Mark.ID != "ABC" ||
		!got.Live.Exists || !got.Live.Split.Equal(w.split("a", 90, "b", 10)) || len(got.Live.Notes) != 1 {
		t.Errorf("read %+v", got)
	}
}

func TestADefaultActionIsReadInTwoCalls(t *testing.T) {
	w := newWorld(t)
	got := wiretest.Must(w.look(Config{ListenerARN: w.listener, Default: true}).Read(t.Context()))(t)
	if ops := w.made(); ops != "DescribeListeners DescribeTags" || got.ARN != w.listener || got.Numbered != nil || len(got.Live.Split) != 0 {
		t.Errorf("%s: %+v", ops, got)
	}
}

func TestS11_ARuleIsFoundOnWhicheverPageItIs(t *testing.T) {
	w := newWorld(t, func(c *sim.Config) { c.MaxPageSize = 2 })
	var last string
	for p := int32(1); p <= 5; p++ {
		last = w.rule(w.listener, p, hosts(fmt.Sprintf("h%d.example.com", p)), forward(w.split("a", 1)))
	}
	got := wiretest.Must(w.look(Config{ListenerARN: w.listener, Numbered: &Numbered{Priority: 5}}).Read(t.Context()))(t)
	if got.ARN != last || got.Numbered.Hosts[0] != "h5.example.com" {
		t.Errorf("read %+v", got)
	}
}

func TestS17_OnlyTheExactRuleIsRead(t *testing.T) {
	w := newWorld(t)
	w.rule(w.listener, 1, hosts("a.example.com"), forward(w.split("a", 1)))
	gone := w.rule(w.listener, 2, hosts("b.example.com"), forward(w.split("a", 1)))
	wiretest.Must(w.sdk.DeleteRule(t.Context(), &elb.DeleteRuleInput{RuleArn: &gone}))(t)
	for name, cfg := range map[string]Config{
		"a priority that no rule has":  {ListenerARN: w.listener, Numbered: &Numbered{Priority: 10}},
		"a rule that is gone":          {RuleARN: gone},
		"the same on another listener": {ListenerARN: w.https, Numbered: &Numbered{Priority: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := w.look(cfg).Read(t.Context()); !errors.Is(err, fault.ErrNotFound) {
				t.Errorf("read %+v, %v", got, err)
			}
		})
	}
}

func TestWhoLooksAtNoRouteIsTold(t *testing.T) {
	w := newWorld(t)
	for name, tc := range map[string]struct {
		cfg   Config
		parts []string
	}{
		"nothing":               {Config{ListenerARN: w.listener}, []string{"0 of rule, ruleARN and default"}},
		"a listener for a rule": {Config{RuleARN: w.listener}, []string{"route.alb.ruleARN", w.listener}},
		"a priority of 0":       {Config{ListenerARN: w.listener, Numbered: &Numbered{}}, []string{"priority", `"0"`, "1–50000"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Look(tc.cfg)
			mentions(t, err, tc.parts...)
		})
	}
}

// The old provider's rules have no tag. Where the Terraform state says that such a rule is
// ours, adopt is all that is needed, whatever its conditions are.
func TestARuleOfTheOldProviderIsAdopted(t *testing.T) {
	for name, host := range map[string]string{"as declared": "example.com", "with other conditions": "old.example.com"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := w.rule(w.listener, 10, hosts(host), forward(w.split("a", 100, "b", 0)))
			r := w.open(func(c *Config) { c.Adopt = true })
			if _, err := r.Preflight(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := r.SetMark(t.Context(), w.marked(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if err := r.Write(t.Context(), w.split("a", 90, "b", 10)); err != nil {
				t.Fatal(err)
			}
			if err := r.ClearMark(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := wiretest.Must(w.look(Config{RuleARN: id}).Read(t.Context()))(t)
			if got.Owner != "web" || got.Mark != nil || got.Numbered.Hosts[0] != "example.com" {
				t.Errorf("read %+v", got)
			}
		})
	}
}

func TestARuleIsDeclaredAsItIsEachValueOnce(t *testing.T) {
	rule := types.Rule{Priority: aws.String("7"), Conditions: []types.RuleCondition{
		{Field: aws.String(fieldHost), Values: []string{"a.b"}, HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{"a.b"}}},
		{Field: aws.String(fieldQuery), QueryStringConfig: &types.QueryStringConditionConfig{Values: []types.QueryStringKeyValuePair{{Key: aws.String("v"), Value: aws.String("2")}}}},
	}}
	want := &Numbered{Priority: 7, Hosts: []string{"a.b"}, QueryStrings: []Query{{"v", "2"}}}
	if d := cmp.Diff(want, numberedOf(rule)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
