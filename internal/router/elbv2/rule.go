// Package elbv2 is the router for Application Load Balancers (numbered listener rules,
// and the default action of a listener) and for the listeners of Network Load Balancers.
// It turns what AWS has into a split and back, and keeps everything on a route that is
// not a weight.
package elbv2

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/arn"
	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/traffic"
)

// API is the part of the ELBv2 client that a Rule needs.
type API interface {
	routeAPI
	tagAPI
	groupAPI
}

type routeAPI interface {
	DescribeListeners(context.Context, *elb.DescribeListenersInput, ...func(*elb.Options)) (*elb.DescribeListenersOutput, error)
	ModifyListener(context.Context, *elb.ModifyListenerInput, ...func(*elb.Options)) (*elb.ModifyListenerOutput, error)
	DescribeRules(context.Context, *elb.DescribeRulesInput, ...func(*elb.Options)) (*elb.DescribeRulesOutput, error)
	CreateRule(context.Context, *elb.CreateRuleInput, ...func(*elb.Options)) (*elb.CreateRuleOutput, error)
	ModifyRule(context.Context, *elb.ModifyRuleInput, ...func(*elb.Options)) (*elb.ModifyRuleOutput, error)
	DeleteRule(context.Context, *elb.DeleteRuleInput, ...func(*elb.Options)) (*elb.DeleteRuleOutput, error)
}

type tagAPI interface {
	DescribeTags(context.Context, *elb.DescribeTagsInput, ...func(*elb.Options)) (*elb.DescribeTagsOutput, error)
	AddTags(context.Context, *elb.AddTagsInput, ...func(*elb.Options)) (*elb.AddTagsOutput, error)
	RemoveTags(context.Context, *elb.RemoveTagsInput, ...func(*elb.Options)) (*elb.RemoveTagsOutput, error)
}

type groupAPI interface {
	DescribeTargetGroups(context.Context, *elb.DescribeTargetGroupsInput, ...func(*elb.Options)) (*elb.DescribeTargetGroupsOutput, error)
	DescribeTargetGroupAttributes(context.Context, *elb.DescribeTargetGroupAttributesInput, ...func(*elb.Options)) (*elb.DescribeTargetGroupAttributesOutput, error)
	DescribeTargetHealth(context.Context, *elb.DescribeTargetHealthInput, ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error)
}

var (
	_ API           = (*elb.Client)(nil)
	_ engine.Router = (*Rule)(nil)
)

// Limits of a forward action, of an ALB's as of an NLB's: weights of 0–999, up to 5
// target groups.
func Limits() traffic.Limits { return traffic.Limits{MaxWeight: 999, MaxDestinations: 5} }

// Config names a route. Exactly one of Numbered, RuleARN and Default is set; on a Network
// Load Balancer it is Default.
type Config struct {
	API         API
	ListenerARN string    // required but with RuleARN
	Numbered    *Numbered // found by its priority, created when it is not there
	RuleARN     string    // a rule that exists; its conditions are left alone
	Default     bool      // the listener's default action
	// Adopt takes over a numbered rule that is there, was not made by norikae, and has
	// other conditions than those declared.
	Adopt bool
	// Destinations are the ARNs of the declared target groups, 1–5.
	Destinations []string
	// Owner is what the rule is tagged with: the name in the manifest's metadata.
	Owner string
}

// Rule is a route: a rule or a default action of an Application Load Balancer, or the
// default action of a Network Load Balancer. Its methods may be called concurrently. What it remembers between calls is the rule's ARN, which identifies
// the route, and, for reuseFor, the last reading; see reading.
type Rule struct {
	api      API
	cfg      Config
	listener arn.Listener

	mu       sync.Mutex
	arn      string // of the rule, once known; the listener's for its default action
	last     *reading
	protocol types.ProtocolEnum // of the listener, once it was read
}

// New checks the configuration, without any call.
func New(cfg Config) (*Rule, error) {
	r := &Rule{api: cfg.API, cfg: cfg}
	if err := r.locate(); err != nil {
		return nil, err
	}
	if err := r.checkType(); err != nil {
		return nil, err
	}
	if cfg.Numbered != nil {
		if err := cfg.Numbered.Validate(); err != nil {
			return nil, err
		}
	}
	if why := checkTagValue(cfg.Owner); why != "" || cfg.Owner == "" {
		return nil, fault.Terminal("InvalidName", fmt.Errorf("metadata.name: %q does not fit into a tag: want 1–%d letters, digits and _ . : / = + - @", cfg.Owner, maxTagValue))
	}
	if err := r.checkDestinations(); err != nil {
		return nil, err
	}
	return r, nil
}

// locate finds out from the ARNs where the route is.
func (r *Rule) locate() error {
	given := 0
	for _, is := range []bool{r.cfg.Numbered != nil, r.cfg.RuleARN != "", r.cfg.Default} {
		if is {
			given++
		}
	}
	if given != 1 {
		return fault.Terminal("InvalidRoute", fmt.Errorf("route.alb: %d of rule, ruleARN and default are given; give exactly one", given))
	}
	if r.cfg.RuleARN != "" {
		rule, err := arn.ParseRule(r.cfg.RuleARN)
		if err != nil {
			return fault.Terminal("InvalidARN", fmt.Errorf("route.alb.ruleARN: %w", err))
		}
		if l := r.cfg.ListenerARN; l != "" && l != rule.Listener.ARN {
			return fault.Terminal("InvalidRoute", fmt.Errorf("route.alb.listenerARN: %q is not the listener of ruleARN, which is %q; leave it out", l, rule.Listener.ARN))
		}
		r.listener, r.arn = rule.Listener, rule.ARN
		return nil
	}
	l, err := arn.ParseListener(r.cfg.ListenerARN)
	if err != nil {
		return fault.Terminal("InvalidARN", fmt.Errorf("route.alb.listenerARN: %w", err))
	}
	r.listener = l
	if r.cfg.Default {
		r.arn = l.ARN
	}
	return nil
}

func (r *Rule) checkDestinations() error {
	most := Limits().MaxDestinations
	if n := len(r.cfg.Destinations); n < 1 || n > most {
		return fault.Terminal("TooManyDestinations", fmt.Errorf("destinations: %d target groups; %s holds 1–%d", n, r.holder(), most))
	}
	seen := map[string]bool{}
	for i, d := range r.cfg.Destinations {
		at := fmt.Sprintf("destinations[%d].targetGroupARN", i)
		tg, err := arn.ParseTargetGroup(d)
		switch {
		case err != nil:
			return fault.Terminal("InvalidARN", fmt.Errorf("%s: %w", at, err))
		case seen[d]:
			return fault.Terminal("InvalidDestination", fmt.Errorf("%s: %q is named twice", at, d))
		case !tg.SamePlace(r.listener.Name):
			return fault.Terminal("InvalidDestination", fmt.Errorf("%s: %q is in %s, the listener in %s; %s forwards only within its own", at, d, tg.Place(), r.listener.Place(), r.holder()))
		}
		seen[d] = true
	}
	return nil
}

// String identifies the route for people and for the journal.
func (r *Rule) String() string {
	switch {
	case r.cfg.Numbered != nil:
		return fmt.Sprintf("%s rule %d", r.listener.ARN, r.cfg.Numbered.Priority)
	case r.cfg.RuleARN != "":
		return r.cfg.RuleARN
	default:
		return r.listener.ARN + " default"
	}
}

// reuseFor is how old a reading may be to be used once more.
const reuseFor = 2 * time.Second

// reading is what DescribeRules or DescribeListeners said about the route.
//
// Writes patch the actions that are live now, so they need a fresh reading. The engine
// observes right before it writes, and a second read within the same moment would tell
// nothing new while it doubles the calls; so a Write (a Create, a Mark) that follows an
// Observe within reuseFor uses what that one read, once: every write forgets it, and
// what is older is read again. The window in which somebody else's change can be lost is
// thus at most reuseFor wider than AWS, which has no compare-and-set, makes it anyway;
// the read-back after each write shows what became of it.
type reading struct {
	at         time.Time
	exists     bool
	arn        string
	actions    []types.Action
	conditions []types.RuleCondition
	protocol   types.ProtocolEnum // of the listener; "" where only rules were read
	// mirror is what serves the requests of a rule that does not exist yet, by name.
	mirror     *types.Rule
	mirrorName string
}

// recent is the last reading when it may still be used, else a new one.
func (r *Rule) recent(ctx context.Context) (*reading, error) {
	r.mu.Lock()
	last := r.last
	r.mu.Unlock()
	if last != nil && time.Since(last.at) < reuseFor {
		return last, nil
	}
	return r.read(ctx)
}

// read asks AWS, and remembers the answer as the last reading.
func (r *Rule) read(ctx context.Context) (*reading, error) {
	r.forget(false)
	at := time.Now() // before the calls: age counts from the older end
	rd, err := r.ask(ctx)
	if err != nil {
		return nil, err
	}
	rd.at = at
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = rd
	if rd.exists {
		r.arn = rd.arn
	}
	r.protocol = cmp.Or(rd.protocol, r.protocol)
	return rd, nil
}

func (r *Rule) ask(ctx context.Context) (*reading, error) {
	switch {
	case r.cfg.Default:
		return r.askListener(ctx)
	case r.cfg.RuleARN != "":
		return r.askRule(ctx, r.cfg.RuleARN)
	}
	if known := r.knownARN(); known != "" {
		rd, err := r.askRule(ctx, known)
		if !errors.Is(err, fault.ErrNotFound) {
			return rd, err
		}
		r.forget(true) // deleted, or moved to another priority: look for it anew
	}
	rules, err := r.listRules(ctx)
	if err != nil {
		return nil, err
	}
	return r.find(rules)
}

// forget the last reading, and what the rule's ARN was found to be.
func (r *Rule) forget(identity bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = nil
	if identity && r.cfg.Numbered != nil {
		r.arn = ""
	}
}

func (r *Rule) knownARN() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.arn
}

func (r *Rule) askListener(ctx context.Context) (*reading, error) {
	out, err := r.api.DescribeListeners(ctx, &elb.DescribeListenersInput{ListenerArns: []string{r.listener.ARN}})
	if err != nil {
		return nil, r.gone(r.field("listenerARN"), awsconf.Classify("reading listener "+r.listener.ARN, err))
	}
	if len(out.Listeners) != 1 {
		return nil, fmt.Errorf("reading listener %s: %d listeners in the answer", r.listener.ARN, len(out.Listeners))
	}
	l := out.Listeners[0]
	return &reading{exists: true, arn: r.listener.ARN, actions: l.DefaultActions, protocol: l.Protocol}, nil
}

// askRule by ARN. A numbered rule that has left its priority is not found.
func (r *Rule) askRule(ctx context.Context, ruleARN string) (*reading, error) {
	out, err := r.api.DescribeRules(ctx, &elb.DescribeRulesInput{RuleArns: []string{ruleARN}})
	if err != nil {
		err = awsconf.Classify("reading rule "+ruleARN, err)
		if r.cfg.RuleARN != "" {
			return nil, r.gone(r.field("ruleARN"), err)
		}
		return nil, err
	}
	if len(out.Rules) != 1 {
		return nil, fmt.Errorf("reading rule %s: %d rules in the answer", ruleARN, len(out.Rules))
	}
	rule := out.Rules[0]
	if n := r.cfg.Numbered; n != nil && priorityOf(rule) != n.Priority {
		return nil, fmt.Errorf("rule %s is not at priority %d any more: %w", ruleARN, n.Priority, fault.ErrNotFound)
	}
	return r.found(rule)
}

// found makes a reading of the rule that is the route.
func (r *Rule) found(rule types.Rule) (*reading, error) {
	if aws.ToBool(rule.IsDefault) {
		return nil, fault.Terminal("DefaultRule", fmt.Errorf(
			"route.alb.ruleARN: %q is the listener's default rule, which AWS changes through the listener; use listenerARN: %s with default: true", aws.ToString(rule.RuleArn), r.listener.ARN))
	}
	return &reading{exists: true, arn: aws.ToString(rule.RuleArn), actions: rule.Actions, conditions: rule.Conditions}, nil
}

// gone makes the absence of what must exist an error that no retry heals.
func (r *Rule) gone(field string, err error) error {
	if !errors.Is(err, fault.ErrNotFound) {
		return err
	}
	return fault.Terminal("RouteNotFound", fmt.Errorf("%s: it does not exist; check the ARN, the account and the region, or whether somebody deleted it: %w", field, err))
}

// listRules reads every page: a listener can have more rules than one page shows.
func (r *Rule) listRules(ctx context.Context) ([]types.Rule, error) {
	var rules []types.Rule
	pages := elb.NewDescribeRulesPaginator(r.api, &elb.DescribeRulesInput{ListenerArn: aws.String(r.listener.ARN), PageSize: aws.Int32(400)})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, r.gone(r.field("listenerARN"), awsconf.Classify("reading the rules of "+r.listener.ARN, err))
		}
		rules = append(rules, out.Rules...)
	}
	return rules, nil
}

// find the route among all rules of its listener, by what is declared and nothing else.
func (r *Rule) find(rules []types.Rule) (*reading, error) {
	for _, rule := range rules {
		switch {
		case r.cfg.Default && aws.ToBool(rule.IsDefault):
			return &reading{exists: true, arn: r.listener.ARN, actions: rule.Actions}, nil
		case r.cfg.RuleARN != "" && aws.ToString(rule.RuleArn) == r.cfg.RuleARN,
			r.cfg.Numbered != nil && priorityOf(rule) == r.cfg.Numbered.Priority:
			return r.found(rule)
		}
	}
	switch {
	case r.cfg.Numbered == nil:
		return nil, r.gone(r.field(""), fmt.Errorf("%s: %w", r, fault.ErrNotFound))
	default:
		return mirror(rules, *r.cfg.Numbered)
	}
}
