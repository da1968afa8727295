package elbv2_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/elbv2"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

// machine drives a lab by random rule operations and knows, from the answers alone,
// which priority every rule has.
type machine struct {
	t      *testing.T
	l      *lab
	groups []string
	rules  map[string]int // ARN → priority
}

func (m *machine) try(rt *rapid.T, op string, p params) (wire.Struct, string) {
	out, err := m.l.try(m.t, op, p)
	if err == nil {
		return out, ""
	}
	var e *wire.Error
	if !errors.As(err, &e) {
		rt.Fatalf("%s: not an API error: %v", op, err)
	}
	return nil, e.Code
}

// action draws a forward action; ok tells whether it is valid.
func (m *machine) action(rt *rapid.T) (a params, ok bool) {
	n := rapid.IntRange(1, 6).Draw(rt, "groups")
	var pairs []any
	ok = n <= 5
	seen := map[string]bool{}
	for range n {
		arn := rapid.SampledFrom(m.groups).Draw(rt, "group")
		weight := rapid.OneOf(rapid.IntRange(0, 999), rapid.IntRange(-1, 1000)).Draw(rt, "weight")
		ok = ok && !seen[arn] && weight >= 0 && weight <= 999
		seen[arn] = true
		pairs = append(pairs, arn, weight)
	}
	return split(pairs...), ok
}

func (m *machine) anyRule(rt *rapid.T) string {
	arns := slices.Sorted(maps.Keys(m.rules))
	if len(arns) == 0 {
		rt.Skip("no rules yet")
	}
	return rapid.SampledFrom(arns).Draw(rt, "rule")
}

func (m *machine) priority(rt *rapid.T) int {
	return rapid.OneOf(rapid.IntRange(1, 8), rapid.IntRange(49999, 50001)).Draw(rt, "priority")
}

func (m *machine) taken(priority int) bool {
	return slices.Contains(slices.Collect(maps.Values(m.rules)), priority)
}

func (m *machine) create(rt *rapid.T) {
	a, ok := m.action(rt)
	p := m.priority(rt)
	out, code := m.try(rt, "CreateRule", m.l.ruleParams(p, a))
	switch {
	case p > 50000 || !ok:
		if code != "ValidationError" {
			rt.Fatalf("code is %q, want ValidationError", code)
		}
	case m.taken(p):
		if code != "PriorityInUse" {
			rt.Fatalf("code is %q, want PriorityInUse", code)
		}
	case code != "":
		rt.Fatalf("refused with %s", code)
	default:
		m.rules[wiretest.Text(m.t, out, "Rules.0.RuleArn")] = p
	}
}

func (m *machine) modify(rt *rapid.T) {
	a, ok := m.action(rt)
	_, code := m.try(rt, "ModifyRule", params{"RuleArn": m.anyRule(rt), "Actions": list(a)})
	if ok != (code == "") {
		rt.Fatalf("valid: %v, but the code is %q", ok, code)
	}
}

func (m *machine) remove(rt *rapid.T) {
	arn := m.anyRule(rt)
	if _, code := m.try(rt, "DeleteRule", params{"RuleArn": arn}); code != "" {
		rt.Fatalf("refused with %s", code)
	}
	delete(m.rules, arn)
	if _, code := m.try(rt, "DeleteRule", params{"RuleArn": arn}); code != "RuleNotFound" {
		rt.Fatalf("deleting it again: code is %q", code)
	}
}

func (m *machine) reorder(rt *rapid.T) {
	m.anyRule(rt)
	chosen := rapid.SliceOfNDistinct(rapid.SampledFrom(slices.Sorted(maps.Keys(m.rules))), 1, -1, rapid.ID[string]).Draw(rt, "rules")
	want := maps.Clone(m.rules)
	var pairs []any
	valid := true
	for _, arn := range chosen {
		p := m.priority(rt)
		valid = valid && p <= 50000
		want[arn] = p
		pairs = append(pairs, params{"RuleArn": arn, "Priority": p})
	}
	ends := map[int]bool{}
	for _, p := range want {
		valid = valid && !ends[p]
		ends[p] = true
	}
	_, code := m.try(rt, "SetRulePriorities", params{"RulePriorities": pairs})
	if valid != (code == "") {
		rt.Fatalf("valid: %v, but the code is %q", valid, code)
	}
	if valid {
		m.rules = want
	}
}

func (m *machine) setDefault(rt *rapid.T) {
	a, ok := m.action(rt)
	_, code := m.try(rt, "ModifyListener", params{"ListenerArn": m.l.listener, "DefaultActions": list(a)})
	if ok != (code == "") {
		rt.Fatalf("valid: %v, but the code is %q", ok, code)
	}
}

func (m *machine) dropGroup(rt *rapid.T) {
	arn := rapid.SampledFrom(m.groups).Draw(rt, "group")
	used := m.l.Snapshot().TargetGroups[arn].InUse
	_, code := m.try(rt, "DeleteTargetGroup", params{"TargetGroupArn": arn})
	if used != (code == "ResourceInUse") {
		rt.Fatalf("in use: %v, but the code is %q", used, code)
	}
	if !used {
		i := slices.Index(m.groups, arn)
		m.groups = slices.Delete(slices.Clone(m.groups), i, i+1)
		m.groups = append(m.groups, m.l.group(m.t, fmt.Sprintf("again-%d", len(m.l.plane.applied))))
	}
}

// described collects the listener's rules from all pages.
func (m *machine) described() []any {
	var rules []any
	p := params{"ListenerArn": m.l.listener}
	for {
		out := m.l.do(m.t, "DescribeRules", p)
		part, _ := wiretest.At(out, "Rules").(wire.List)
		rules = append(rules, part...)
		if p["Marker"] = wiretest.At(out, "NextMarker"); p["Marker"] == nil {
			return rules
		}
	}
}

// check holds the invariants after every step.
func (m *machine) check(rt *rapid.T) {
	rules, config := m.described(), m.l.Snapshot()
	data := config.Listeners[0].Rules
	if len(rules) != len(m.rules)+1 || len(data) != len(rules) {
		rt.Fatalf("%d rules described, %d in the snapshot, want %d and the default", len(rules), len(data), len(m.rules))
	}
	last := 0
	for i, r := range rules {
		arn, word := wiretest.Text(m.t, r, "RuleArn"), wiretest.Text(m.t, r, "Priority")
		isDefault := i == len(rules)-1
		if isDefault != (word == "default") || isDefault != data[i].IsDefault || arn != data[i].ARN {
			rt.Fatalf("rule %d of %d is %s with priority %s; the snapshot has %+v", i, len(rules), arn, word, data[i])
		}
		if p := m.rules[arn]; !isDefault && (strconv.Itoa(p) != word || data[i].Priority != p || p <= last) {
			rt.Fatalf("rule %s has priority %s after %d, in the snapshot %d, want %d", arn, word, last, data[i].Priority, p)
		}
		last = m.rules[arn]
		checkWeights(rt, r, data[i], config)
	}
	if diff := cmp.Diff(config, m.l.plane.last(m.t)); diff != "" {
		rt.Fatalf("the data plane has something else than the control plane:\n%s", diff)
	}
}

func checkWeights(rt *rapid.T, described any, r model.Rule, config model.Config) {
	f := r.Actions[0].Forward
	if f == nil {
		return
	}
	for j, g := range f.TargetGroups {
		base := fmt.Sprintf("Actions.0.ForwardConfig.TargetGroups.%d.", j)
		if wiretest.At(described, base+"TargetGroupArn") != g.ARN || wiretest.At(described, base+"Weight") != g.Weight {
			rt.Fatalf("described %v=%v, in the snapshot %+v", wiretest.At(described, base+"TargetGroupArn"), wiretest.At(described, base+"Weight"), g)
		}
		if tg, ok := config.TargetGroups[g.ARN]; !ok || !tg.InUse {
			rt.Fatalf("rule %s refers to %s: exists %v, in use %v", r.ARN, g.ARN, ok, tg.InUse)
		}
	}
}

func TestRuleOperationsInAnyOrderKeepTheInvariants(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{t: t, rules: map[string]int{}}
		m.l = newLab(t, func(c *elbv2.Config) { c.MaxPageSize = 2 })
		m.groups = []string{m.l.blue, m.l.green, m.l.group(t, "red"), m.l.group(t, "pink"), m.l.group(t, "teal"), m.l.group(t, "grey")}
		defer m.l.Close()
		rt.Repeat(map[string]func(*rapid.T){
			"create": m.create, "modify": m.modify, "delete": m.remove, "reorder": m.reorder,
			"default": m.setDefault, "drop group": m.dropGroup, "": m.check,
		})
	})
}

// FuzzServe makes sure that no input, however odd, panics or breaks the world.
func FuzzServe(f *testing.F) {
	f.Add("CreateRule", "Actions.member.1.ForwardConfig.TargetGroups.member.1.Weight", "-1")
	f.Add("DescribeRules", "Marker", "MSBhcm4")
	f.Add("RegisterTargets", "Targets.member.1.Id", "::1")
	f.Add("ModifyTargetGroup", "Matcher.HttpCode", "200-")
	f.Add("AddTags", "Tags.member.1.Key", "\xff")
	f.Fuzz(func(t *testing.T, op, key, value string) {
		l := newLab(t)
		p := map[string][]string{
			key: {value}, "ListenerArn": {l.listener}, "LoadBalancerArn": {l.lb}, "TargetGroupArn": {l.blue},
			"Priority": {"5"}, "ResourceArns.member.1": {l.lb},
		}
		in, err := wire.ParseForm(p)
		if err != nil {
			t.Skip("not a form")
		}
		_, err = l.Serve(t.Context(), &wire.Request{Operation: op, Region: region, AccountID: account, Params: in})
		var e *wire.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%s: not an API error: %v", op, err)
		}
	})
}
