package elbv2

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/fault"
)

// priorityOf a rule; 0 for the default rule, whose priority is a word.
func priorityOf(rule types.Rule) int {
	n, err := strconv.Atoi(aws.ToString(rule.Priority))
	if err != nil {
		return 0
	}
	return n
}

// ruleName for messages.
func ruleName(rule types.Rule) string {
	if aws.ToBool(rule.IsDefault) {
		return "the default rule"
	}
	return "rule " + aws.ToString(rule.Priority)
}

// inOrder of evaluation: by priority, the default rule last.
func inOrder(rules []types.Rule) []types.Rule {
	return slices.SortedStableFunc(slices.Values(rules), func(a, b types.Rule) int {
		last := func(r types.Rule) int {
			if aws.ToBool(r.IsDefault) {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(priorityOf(a), priorityOf(b)))
	})
}

// mirror finds what serves the requests of a rule that does not exist yet, so that its
// creation moves no traffic: the first rule after its place that every one of those
// requests matches. Rules that none of them matches do not count. A rule that takes some
// of them and not others has no mirror: creating ours would move that part at once.
func mirror(rules []types.Rule, n Numbered) (*reading, error) {
	declared := n.conditions()
	for _, rule := range inOrder(rules) {
		conds := conditionsOf(rule.Conditions)
		isDefault := aws.ToBool(rule.IsDefault)
		before := !isDefault && priorityOf(rule) < n.Priority
		switch {
		case before && covers(conds, declared):
			return nil, fault.Terminal("UnreachableRule", fmt.Errorf(
				"route.alb.rule.priority: %d: rule %s matches every request that this rule would (%s), and comes first, so that it would get none; choose a priority below %s",
				n.Priority, aws.ToString(rule.Priority), describe(conds), aws.ToString(rule.Priority)))
		case before || disjoint(conds, declared):
			continue
		case isDefault || covers(conds, declared):
			return &reading{mirror: &rule, mirrorName: ruleName(rule)}, nil
		default:
			return nil, fault.Terminal("OverlappingRule", fmt.Errorf(
				"route.alb.rule.priority: %d: rule %s takes a part of these requests today (%s): creating a rule before it would move that part at once; choose a priority above %s, or narrow the conditions, or create the rule yourself with the weights of today",
				n.Priority, aws.ToString(rule.Priority), describe(conds), aws.ToString(rule.Priority)))
		}
	}
	return nil, fmt.Errorf("the listener has no default rule in the answer of DescribeRules")
}

// shadow is the rule that keeps every request from the one with the given ARN, if any.
func shadow(rules []types.Rule, isOurs func(types.Rule) bool) (types.Rule, bool) {
	ordered := inOrder(rules)
	at := slices.IndexFunc(ordered, isOurs)
	if at < 0 {
		return types.Rule{}, false
	}
	ours := conditionsOf(ordered[at].Conditions)
	for _, rule := range ordered[:at] {
		if covers(conditionsOf(rule.Conditions), ours) {
			return rule, true
		}
	}
	return types.Rule{}, false
}
