package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/arn"
	"github.com/norikae/norikae/internal/cli"
	"github.com/norikae/norikae/internal/router/elbv2"
	"github.com/norikae/norikae/internal/router/route53"
	"github.com/norikae/norikae/internal/shift"
)

// Place is a route without a declaration: it can be read and given up, and a word left on it,
// by whoever knows only where it is.
type Place struct {
	rule *elbv2.Rule   // either this
	name *route53.Name // or that
}

// PlaceReading is what a Place is now.
type PlaceReading struct {
	ARN         string // of the rule; the listener's for its default action; "" of a name
	ListenerARN string
	Rule        *v1alpha1.ALBRule // what a numbered rule matches; nil for other routes
	Live        shift.Live
	Owner       string // in norikae's tag on the rule; "": there is none
	Unfinished  *shift.Mark
}

// Look makes a Place. Of r only what names the route is used. It calls nobody but for
// credentials.
func Look(ctx context.Context, env Environment, a v1alpha1.AWS, r v1alpha1.Route) (*Place, error) {
	b := &builder{env: env, base: a, region: cmp.Or(a.Region, arn.Region(routeARN(r)), env.Getenv("AWS_REGION"), env.Getenv("AWS_DEFAULT_REGION"), "us-east-1")}
	route := elbv2.Config{}
	switch {
	case r.ALB != nil:
		route.ListenerARN, route.RuleARN, route.Default = r.ALB.ListenerARN, r.ALB.RuleARN, r.ALB.Default
		if r.ALB.Rule != nil {
			route.Numbered = numbered(r.ALB.Rule)
		}
	case r.NLB != nil:
		route.ListenerARN, route.Default = r.NLB.ListenerARN, true
	case r.Route53 == nil:
		return nil, errors.New("route: want one of alb, nlb and route53")
	}
	cfg, err := b.config(ctx, b.region, a.Profile, a.AssumeRole)
	if err != nil {
		return nil, err
	}
	if r.Route53 != nil {
		n, err := route53.Look(route53.Config{API: r53.NewFromConfig(cfg), HostedZoneID: r.Route53.HostedZoneID, Name: r.Route53.Name, Types: r.Route53.Types})
		return &Place{name: n}, err
	}
	route.API = elb.NewFromConfig(cfg)
	rule, err := elbv2.Look(route)
	return &Place{rule: rule}, err
}

// Read the route, in two calls when it is named by an ARN. fault.ErrNotFound: it is not there.
func (p *Place) Read(ctx context.Context) (PlaceReading, error) {
	if p.name != nil {
		r, err := p.name.Read(ctx)
		return PlaceReading{Live: r.Live, Unfinished: r.Mark}, err
	}
	r, err := p.rule.Read(ctx)
	if err != nil {
		return PlaceReading{}, err
	}
	out := PlaceReading{ARN: r.ARN, ListenerARN: r.ListenerARN, Live: r.Live, Owner: r.Owner, Unfinished: r.Mark}
	if r.Numbered != nil {
		out.Rule = declaredRule(*r.Numbered)
	}
	return out, nil
}

// Destroy a numbered rule, if that is allowed; of another route only what norikae left on
// it goes.
func (p *Place) Destroy(ctx context.Context, o elbv2.DeleteOptions) error {
	if p.name != nil {
		return p.name.Forget(ctx)
	}
	return p.rule.Delete(ctx, o)
}

// Signal leaves a word on the route for whoever drives its shift.
func (p *Place) Signal(ctx context.Context, s shift.Signal) error {
	if p.name != nil {
		return p.name.SetSignal(ctx, s)
	}
	return p.rule.SetSignal(ctx, s)
}

// Status reads the route and its mark.
func (p *Place) Status(ctx context.Context) (cli.Status, error) {
	r, err := p.Read(ctx)
	return cli.Status{Route: p.String(), Live: r.Live, Mark: r.Unfinished}, err
}

// String identifies the route for people.
func (p *Place) String() string {
	if p.name != nil {
		return p.name.String()
	}
	return p.rule.String()
}

// looker finds routes for those who have no manifest.
func looker(env Environment) func(context.Context, cli.Where) (cli.Place, error) {
	return func(ctx context.Context, w cli.Where) (cli.Place, error) {
		r, err := routeAt(w)
		if err != nil {
			return nil, err
		}
		p, err := Look(ctx, env, v1alpha1.AWS{}, r)
		if err != nil {
			return nil, err
		}
		return p, nil
	}
}

// routeAt is how a kind of norikae.dev names a route.
func routeAt(w cli.Where) (v1alpha1.Route, error) {
	switch {
	case w.HostedZoneID != "":
		return v1alpha1.Route{Route53: &v1alpha1.Route53Route{HostedZoneID: w.HostedZoneID, Name: w.Name}}, nil
	case w.RuleARN != "":
		if _, err := arn.ParseRule(w.RuleARN); err != nil {
			return v1alpha1.Route{}, fmt.Errorf("--rule: %w", err)
		}
		return v1alpha1.Route{ALB: &v1alpha1.ALBRoute{RuleARN: w.RuleARN}}, nil
	}
	l, err := arn.ParseListener(w.ListenerARN)
	switch {
	case err != nil:
		return v1alpha1.Route{}, fmt.Errorf("--listener: %w", err)
	case w.Priority != 0:
		return v1alpha1.Route{ALB: &v1alpha1.ALBRoute{ListenerARN: w.ListenerARN, Rule: &v1alpha1.ALBRule{Priority: w.Priority}}}, nil
	case l.LoadBalancer.Type == arn.Network:
		return v1alpha1.Route{NLB: &v1alpha1.NLBRoute{ListenerARN: w.ListenerARN}}, nil
	default:
		return v1alpha1.Route{ALB: &v1alpha1.ALBRoute{ListenerARN: w.ListenerARN, Default: true}}, nil
	}
}

// declaredRule declares a rule as it is.
func declaredRule(n elbv2.Numbered) *v1alpha1.ALBRule {
	r := &v1alpha1.ALBRule{Priority: n.Priority, Hosts: n.Hosts, PathPatterns: n.PathPatterns, Methods: n.Methods, SourceIPs: n.SourceIPs}
	for _, h := range n.Headers {
		r.Headers = append(r.Headers, v1alpha1.HeaderMatch{Name: h.Name, Values: h.Values})
	}
	for _, q := range n.QueryStrings {
		r.QueryStrings = append(r.QueryStrings, v1alpha1.QueryMatch{Key: q.Key, Value: q.Value})
	}
	return r
}
