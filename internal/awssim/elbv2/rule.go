package elbv2

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// maxPriority is the highest priority of a rule; 1 is the lowest, evaluated first.
const maxPriority = 50000

// rule of a listener. Its conditions and actions are replaced, never written into.
type rule struct {
	arn        string
	priority   int // 1–50000; 0 for the default rule
	conditions []model.Condition
	actions    actions
	transforms []transform
	tags       tags
}

func (r *rule) isDefault() bool { return r.priority == 0 }

func ruleARN(r *rule) string { return r.arn }

func (r *rule) model() model.Rule {
	return model.Rule{
		ARN: r.arn, Priority: r.priority, IsDefault: r.isDefault(),
		Conditions: r.conditions, Actions: r.actions.list,
	}
}

func describeRule(r *rule) wire.Struct {
	return wire.Struct{
		kv("RuleArn", r.arn),
		kv("Priority", ruleWord(r)),
		kv("Conditions", wire.ListOf(r.conditions, describeCondition)),
		kv("Actions", wire.ListOf(r.actions.list, describeAction)),
		kv("IsDefault", r.isDefault()),
		kv("Transforms", wire.ListOf(r.transforms, describeTransform)),
	}
}

func ruleWord(r *rule) string {
	if r.isDefault() {
		return "default"
	}
	return strconv.Itoa(r.priority)
}

// sortRules brings rules into the order of evaluation: by priority, the default last.
func sortRules(rules []*rule) {
	slices.SortFunc(rules, func(a, b *rule) int {
		if a.isDefault() != b.isDefault() {
			return b.priority - a.priority
		}
		return a.priority - b.priority
	})
}

func (w *world) rule(arn string) (*listener, *rule, error) {
	if err := checkARN(arn, kindRule); err != nil {
		return nil, nil, err
	}
	for _, l := range w.listeners {
		if r, ok := find(l.rules, arn, ruleARN); ok {
			return l, r, nil
		}
	}
	return nil, nil, wire.Errorf("RuleNotFound", "One or more rules not found")
}

func (c *call) createRule() (wire.Struct, error) {
	l, err := c.listenerMember()
	if err != nil {
		return nil, err
	}
	priority, ok, err := constraint.Int(c.p, "Priority", "priority", 1, maxPriority)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, constraint.Violation(nil, "priority", "not be null")
	}
	r := &rule{priority: priority}
	if r.conditions, err = c.parseConditionsOf(l); err != nil {
		return nil, err
	}
	if r.actions, err = c.parseActions("Actions", l, actions{}); err != nil {
		return nil, err
	}
	if r.transforms, err = c.parseTransformsOf(l); err != nil {
		return nil, err
	}
	if r.tags, err = c.parseTags(); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(l.rules, func(x *rule) bool { return x.priority == priority }) {
		return nil, priorityInUse(priority)
	}
	if limit := c.s.cfg.Quotas.RulesPerLoadBalancer; c.countRules(l.lb) >= limit {
		return nil, wire.Errorf("TooManyRules", "The maximum number of rules on load balancer '%s' has been reached: %d", l.lb.arn, limit)
	}
	if err := c.checkUniqueGroups(l, r, r.actions.forward()); err != nil {
		return nil, err
	}
	r.arn = c.newRuleARN(l)
	l.rules = append(l.rules, r)
	sortRules(l.rules)
	c.changed = true
	return wire.Struct{kv("Rules", wire.List{describeRule(r)})}, nil
}

func priorityInUse(priority int) error {
	return wire.Errorf("PriorityInUse", "Priority '%d' is currently in use", priority)
}

// newRuleARN extends a listener's ARN.
func (c *call) newRuleARN(l *listener) string {
	return c.newARN(fmt.Sprintf("%s/%s/%s/%s/%s/%s", kindRule, l.lb.code(), l.lb.name, l.lb.id, l.id, c.s.newID()))
}

// countRules counts a load balancer's rules as the quota does: without defaults.
func (w *world) countRules(lb *loadBalancer) int {
	n := 0
	for _, l := range w.listeners {
		if l.lb == lb {
			n += len(l.rules) - 1
		}
	}
	return n
}

// numberedRule is the rule that RuleArn names, which is not the default one; deed is
// what cannot be done to that.
func (c *call) numberedRule(deed string) (*listener, *rule, error) {
	arn, err := c.arnOf("RuleArn", kindRule)
	if err != nil {
		return nil, nil, err
	}
	l, r, err := c.rule(arn)
	if err != nil {
		return nil, nil, err
	}
	if r.isDefault() {
		return nil, nil, wire.Errorf("OperationNotPermitted", "Default rule '%s' cannot be %s", arn, deed)
	}
	return l, r, nil
}

func (c *call) modifyRule() (wire.Struct, error) {
	l, r, err := c.numberedRule("modified")
	if err != nil {
		return nil, err
	}
	next := *r
	if c.p.Has("Conditions") {
		if next.conditions, err = c.parseConditionsOf(l); err != nil {
			return nil, err
		}
	}
	if c.p.Has("Actions") {
		if next.actions, err = c.parseActions("Actions", l, r.actions); err != nil {
			return nil, err
		}
		if err := c.checkUniqueGroups(l, r, next.actions.forward()); err != nil {
			return nil, err
		}
	}
	reset, resetGiven, err := c.p.Bool("ResetTransforms")
	if err != nil {
		return nil, err
	}
	switch {
	case reset && c.p.Has("Transforms"):
		return nil, invalid("You cannot specify both Transforms and ResetTransforms")
	case reset:
		next.transforms = nil
	case c.p.Has("Transforms"):
		if next.transforms, err = c.parseTransformsOf(l); err != nil {
			return nil, err
		}
	}
	if !c.p.Has("Conditions") && !c.p.Has("Actions") && !c.p.Has("Transforms") && !resetGiven {
		return nil, invalid("Either conditions or actions must be specified")
	}
	*r = next
	c.changed = true
	return wire.Struct{kv("Rules", wire.List{describeRule(r)})}, nil
}

func (c *call) deleteRule() (wire.Struct, error) {
	l, r, err := c.numberedRule("deleted")
	if err != nil {
		return nil, err
	}
	l.rules = slices.DeleteFunc(l.rules, func(x *rule) bool { return x == r })
	c.changed = true
	return wire.Struct{}, nil
}

func (c *call) describeRules() (wire.Struct, error) {
	arns := c.p.Strings("RuleArns")
	byListener := c.p.Str("ListenerArn") != ""
	var rules []*rule
	switch {
	case byListener && len(arns) > 0:
		return nil, invalid("Listener rule ARNs and a listener ARN cannot be specified at the same time")
	case byListener:
		l, err := c.listenerMember()
		if err != nil {
			return nil, err
		}
		rules = l.rules
	case len(arns) > 0:
		for _, arn := range arns {
			_, r, err := c.rule(arn)
			if err != nil {
				return nil, err
			}
			rules = append(rules, r)
		}
	default:
		return nil, invalid("You must specify either listener rule ARNs or a listener ARN")
	}
	part, next, err := page(c, rules, ruleARN)
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("Rules", wire.ListOf(part, describeRule)), next}, nil
}

// setRulePriorities judges only the end state, so that rules can swap.
func (c *call) setRulePriorities() (wire.Struct, error) {
	list := c.p.List("RulePriorities")
	if len(list) == 0 {
		return nil, constraint.Violation(nil, "rulePriorities", "not be null")
	}
	want := map[*rule]int{}
	var moved []*rule
	for i, p := range list {
		path := at("rulePriorities", i)
		priority, ok, err := constraint.Int(p, "Priority", path+".priority", 1, maxPriority)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, constraint.Violation(nil, path+".priority", "not be null")
		}
		_, r, err := c.rule(p.Str("RuleArn"))
		if err != nil {
			return nil, err
		}
		if r.isDefault() {
			return nil, wire.Errorf("OperationNotPermitted", "The priority of default rule '%s' cannot be changed", r.arn)
		}
		if _, ok := want[r]; ok {
			return nil, invalid("Rule '%s' was provided multiple times", r.arn)
		}
		want[r] = priority
		moved = append(moved, r)
	}
	if err := c.checkPriorities(want); err != nil {
		return nil, err
	}
	for r, priority := range want {
		r.priority = priority
	}
	for _, l := range c.listeners {
		sortRules(l.rules)
	}
	c.changed = true
	return wire.Struct{kv("Rules", wire.ListOf(moved, describeRule))}, nil
}

func (w *world) checkPriorities(want map[*rule]int) error {
	for _, l := range w.listeners {
		given, taken := map[int]bool{}, map[int]bool{}
		for _, r := range l.rules {
			p, moves := want[r]
			switch {
			case moves && given[p]:
				return invalid("Priority '%d' was provided multiple times", p)
			case moves:
				given[p] = true
			default:
				taken[r.priority] = true
			}
		}
		for p := range given {
			if taken[p] {
				return priorityInUse(p)
			}
		}
	}
	return nil
}
