package elbv2

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

// Look makes a Rule that is not to be shifted: to read it, to leave a word on it, or to
// delete it. Of cfg neither Destinations nor Owner is used, and of Numbered only the
// priority. It makes no call.
func Look(cfg Config) (*Rule, error) {
	if n := cfg.Numbered; n != nil {
		if n.Priority < 1 || n.Priority > maxPriority {
			return nil, invalidRule("priority", fmt.Sprint(n.Priority), fmt.Sprintf("not in 1–%d", maxPriority))
		}
		cfg.Numbered = &Numbered{Priority: n.Priority}
	}
	cfg.Destinations, cfg.Owner, cfg.Adopt = nil, "", false
	r := &Rule{api: cfg.API, cfg: cfg}
	if err := r.locate(); err != nil {
		return nil, err
	}
	if err := r.checkType(); err != nil {
		return nil, err
	}
	return r, nil
}

// Reading is all that there is to know about a route without its declaration.
type Reading struct {
	ARN         string // of the rule; the listener's for its default action
	ListenerARN string
	// Numbered is what a numbered rule matches; nil for a default action.
	Numbered *Numbered
	Live     shift.Live
	Owner    string      // in the tag of ownership; "": there is none
	Mark     *shift.Mark // of a shift that is under way; nil: none
}

// Read tells what the route is now. It makes two calls, more only where the listener of a
// rule that is named by its priority has several pages of rules. fault.ErrNotFound: there is
// no such rule or listener.
func (r *Rule) Read(ctx context.Context) (Reading, error) {
	rule, rd, err := r.look(ctx)
	if err != nil {
		return Reading{}, err
	}
	out := Reading{ARN: rd.arn, ListenerARN: r.listener.ARN, Live: shift.Live{
		Exists: true, Split: splitOf(rd.actions), Conforms: true, Ref: rd.arn, Notes: r.notes(rd.actions),
	}}
	if rule != nil {
		out.Numbered = numberedOf(*rule)
		if slices.ContainsFunc(conditionsOf(rule.Conditions), func(c condition) bool { return len(c.regexes) > 0 }) {
			out.Live.Notes = append(out.Live.Notes, "the rule has conditions with regular expressions, which norikae cannot declare: "+describe(conditionsOf(rule.Conditions)))
		}
	}
	tags, err := r.tagsOf(ctx, rd.arn)
	if err != nil {
		return Reading{}, err
	}
	out.Owner = tags[tagOwner]
	m, ok, err := decodeMark(tags)
	if err != nil {
		return Reading{}, r.unreadable(err)
	}
	if ok {
		out.Mark = &m
	}
	return out, nil
}

// look for the route, and remember its ARN. rule is nil for a default action.
func (r *Rule) look(ctx context.Context) (rule *types.Rule, rd *reading, err error) {
	switch {
	case r.cfg.Default:
		rd, err = r.askListener(ctx)
		return nil, rd, err
	case r.cfg.RuleARN != "":
		rule, err = r.ruleByARN(ctx, r.cfg.RuleARN)
	default:
		rule, err = r.ruleAt(ctx, r.cfg.Numbered.Priority)
	}
	if err != nil {
		return nil, nil, err
	}
	if rd, err = r.found(*rule); err != nil {
		return nil, nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arn = rd.arn
	return rule, rd, nil
}

// ruleByARN asks for one rule. fault.ErrNotFound: there is none.
func (r *Rule) ruleByARN(ctx context.Context, ruleARN string) (*types.Rule, error) {
	out, err := r.api.DescribeRules(ctx, &elb.DescribeRulesInput{RuleArns: []string{ruleARN}})
	if err != nil {
		return nil, awsconf.Classify("reading rule "+ruleARN, err)
	}
	if len(out.Rules) != 1 || aws.ToString(out.Rules[0].RuleArn) != ruleARN {
		return nil, fmt.Errorf("reading rule %s: %d rules in the answer, want exactly that one", ruleARN, len(out.Rules))
	}
	return &out.Rules[0], nil
}

// ruleAt a priority of the listener, whichever page it is on.
func (r *Rule) ruleAt(ctx context.Context, priority int) (*types.Rule, error) {
	rules, err := r.listRules(ctx)
	if err != nil {
		return nil, err
	}
	for _, rule := range rules {
		if !aws.ToBool(rule.IsDefault) && priorityOf(rule) == priority {
			return &rule, nil
		}
	}
	return nil, fmt.Errorf("there is no %s: %w", r, fault.ErrNotFound)
}

// tagsOf a rule or a listener.
func (r *Rule) tagsOf(ctx context.Context, id string) (map[string]string, error) {
	out, err := r.api.DescribeTags(ctx, &elb.DescribeTagsInput{ResourceArns: []string{id}})
	if err != nil {
		return nil, awsconf.Classify("reading the tags of "+id, err)
	}
	tags := map[string]string{}
	for _, d := range out.TagDescriptions {
		for _, t := range d.Tags {
			tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
		}
	}
	return tags, nil
}

// numberedOf a rule as it is: each list sorted, each value once, as AWS compares them.
func numberedOf(rule types.Rule) *Numbered {
	n := &Numbered{Priority: priorityOf(rule)}
	for _, c := range conditionsOf(rule.Conditions) {
		values := slices.Compact(slices.Sorted(slices.Values(c.values)))
		switch c.field {
		case fieldHost:
			n.Hosts = append(n.Hosts, values...)
		case fieldPath:
			n.PathPatterns = append(n.PathPatterns, values...)
		case fieldMethod:
			n.Methods = append(n.Methods, values...)
		case fieldSource:
			n.SourceIPs = append(n.SourceIPs, values...)
		case fieldHeader:
			n.Headers = append(n.Headers, Header{Name: c.header, Values: values})
		case fieldQuery:
			n.QueryStrings = append(n.QueryStrings, c.query...)
		}
	}
	return n
}

// isGone tells whether an error says that something is not there.
func isGone(err error) bool { return errors.Is(err, fault.ErrNotFound) }
