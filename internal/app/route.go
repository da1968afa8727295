package app

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/arn"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/router/elbv2"
	"github.com/norikae/norikae/internal/router/route53"
)

// regionOf a shift's route: as declared, else that of its ARNs, else the environment's.
// Route 53 has one endpoint for all regions of a partition, which any of them leads to.
func regionOf(env Environment, spec v1alpha1.TrafficShiftSpec) string {
	first := spec.Destinations[0]
	return cmp.Or(
		spec.AWS.Region, arn.Region(first.TargetGroupARN), arn.Region(first.LoadBalancerARN),
		env.Getenv("AWS_REGION"), env.Getenv("AWS_DEFAULT_REGION"), "us-east-1",
	)
}

// router of a manifest's route.
func (b *builder) router(ts *v1alpha1.TrafficShift, cfg aws.Config) (engine.Router, error) {
	var destinations []string
	balancers := map[string]string{}
	for _, d := range ts.Spec.Destinations {
		destinations = append(destinations, manifest.DestinationID(d))
		balancers[manifest.DestinationID(d)] = d.LoadBalancerARN
	}
	if r := ts.Spec.Route.Route53; r != nil {
		ttl, err := manifest.EnvAlias(b.env.Getenv)
		if err != nil {
			return nil, err
		}
		return route53.New(route53.Config{
			API: r53.NewFromConfig(cfg), HostedZoneID: r.HostedZoneID, Name: r.Name, Types: r.Types,
			Destinations: destinations, Owner: ts.Metadata.Name, AliasTTL: ttl,
			LoadBalancers: balancers, DNSNameOf: b.dnsName,
		})
	}
	route := elbv2.Config{API: elb.NewFromConfig(cfg), Owner: ts.Metadata.Name, Destinations: destinations}
	switch r := ts.Spec.Route; {
	case r.NLB != nil:
		route.ListenerARN, route.Default = r.NLB.ListenerARN, true
	default:
		route.ListenerARN, route.RuleARN, route.Default, route.Adopt = r.ALB.ListenerARN, r.ALB.RuleARN, r.ALB.Default, r.ALB.Adopt
		if r.ALB.Rule != nil {
			route.Numbered = numbered(r.ALB.Rule)
		}
	}
	return elbv2.New(route)
}

// dnsName of a load balancer, which may be in another region than the shift's.
func (b *builder) dnsName(ctx context.Context, loadBalancerARN string) (string, error) {
	cfg, err := b.config(ctx, arn.Region(loadBalancerARN), b.base.Profile, b.base.AssumeRole)
	if err != nil {
		return "", err
	}
	return elbv2.DNSName(ctx, elb.NewFromConfig(cfg), loadBalancerARN)
}

// routeARN is what a query's template knows the route by; "" for a DNS name.
func routeARN(r v1alpha1.Route) string {
	switch {
	case r.NLB != nil:
		return r.NLB.ListenerARN
	case r.ALB != nil:
		return cmp.Or(r.ALB.RuleARN, r.ALB.ListenerARN)
	}
	return ""
}

// loadBalancerARN derives the load balancer from the ARN of its listener or rule; "" for
// a DNS name.
func loadBalancerARN(r v1alpha1.Route) (string, error) {
	switch {
	case r.Route53 != nil:
		return "", nil
	case r.ALB != nil && r.ALB.RuleARN != "":
		rule, err := arn.ParseRule(r.ALB.RuleARN)
		return rule.Listener.LoadBalancer.ARN, err
	}
	l, err := arn.ParseListener(routeARN(r))
	return l.LoadBalancer.ARN, err
}

func numbered(r *v1alpha1.ALBRule) *elbv2.Numbered {
	n := &elbv2.Numbered{
		Priority: r.Priority, Hosts: r.Hosts, PathPatterns: r.PathPatterns, Methods: r.Methods, SourceIPs: r.SourceIPs,
	}
	for _, h := range r.Headers {
		n.Headers = append(n.Headers, elbv2.Header{Name: h.Name, Values: h.Values})
	}
	for _, q := range r.QueryStrings {
		n.QueryStrings = append(n.QueryStrings, elbv2.Query{Key: q.Key, Value: q.Value})
	}
	return n
}
