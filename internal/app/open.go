// Package app is the composition root: the only package that knows every adapter. It
// makes a runnable shift from a manifest, and the command line from its parts.
package app

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/arn"
	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/metric"
	cwsource "github.com/norikae/norikae/internal/metric/cloudwatch"
	"github.com/norikae/norikae/internal/metric/datadog"
	"github.com/norikae/norikae/internal/metric/prometheus"
	"github.com/norikae/norikae/internal/router/elbv2"
	"github.com/norikae/norikae/internal/shift"
)

// Environment is what the process gives: so that tests can give something else.
type Environment struct {
	Getenv  func(string) string
	Version string
	// HTTPClient replaces the transport of the AWS clients; nil: the network.
	HTTPClient aws.HTTPClient
	// Endpoint and Credentials replace what the AWS SDK finds by itself.
	Endpoint    string
	Credentials aws.CredentialsProvider
	// Session narrows what is assumed with a shift's spec.aws.assumeRole; nil: all that the
	// role may.
	Session *awsconf.Session
	// Load makes the configurations of AWS's clients; nil: awsconf.Load, one by one.
	Load func(context.Context, awsconf.Options) (aws.Config, error)
}

// OSEnvironment is the process's own.
func OSEnvironment(version string) Environment {
	return Environment{Getenv: os.Getenv, Version: version}
}

// Parts are the adapters of one shift, wired but not started.
type Parts struct {
	Spec     shift.Spec
	Router   engine.Router
	Analyzer *metric.Analyzer
}

// Build makes the parts of a manifest's shift. It calls nobody but for credentials.
func Build(ctx context.Context, env Environment, ts *v1alpha1.TrafficShift) (Parts, error) {
	parts, b, err := buildRoute(ctx, env, ts)
	if err != nil {
		return Parts{}, err
	}
	analyzer, err := b.analyzer(ctx, ts, parts.Spec.Timing, parts.Router)
	if err != nil {
		return Parts{}, err
	}
	parts.Analyzer = analyzer
	parts.Spec.Timing = analyzer.Timing() // of the slowest metric that there really is
	return parts, nil
}

// buildRoute makes the parts without the analyzer: enough to look at the route and to
// leave a word on it, for those who have no access to the metrics.
func buildRoute(ctx context.Context, env Environment, ts *v1alpha1.TrafficShift) (Parts, *builder, error) {
	if err := inLab(env); err != nil {
		return Parts{}, nil, err
	}
	timing, err := manifest.EnvTiming(env.Getenv)
	if err != nil {
		return Parts{}, nil, err
	}
	spec, err := manifest.Compile(ts, timing)
	if err != nil {
		return Parts{}, nil, err
	}
	b := &builder{
		env: env, base: ts.Spec.AWS, region: regionOf(env, ts.Spec), sources: map[place]*cwsource.Source{},
		datadogs: map[datadog.Config]*datadog.Source{}, proms: map[string]*prometheus.Source{},
	}
	cfg, err := b.config(ctx, b.region, ts.Spec.AWS.Profile, ts.Spec.AWS.AssumeRole)
	if err != nil {
		return Parts{}, nil, err
	}
	router, err := b.router(ts, cfg)
	if err != nil {
		return Parts{}, nil, err
	}
	return Parts{Spec: spec, Router: router}, b, nil
}

// inLab refuses a lab's timing outside of one: left over in a shell, it would let steps on
// the real AWS be judged before their data is there.
func inLab(env Environment) error {
	if env.Endpoint != "" || env.Getenv("AWS_ENDPOINT_URL") != "" || env.Getenv("AWS_ENDPOINT_URL_CLOUDWATCH") != "" {
		return nil
	}
	for _, name := range []string{manifest.EnvSettle, manifest.EnvPeriod, manifest.EnvDelay, manifest.EnvAliasTTL} {
		if v := env.Getenv(name); v != "" {
			return fmt.Errorf("environment variable %s = %q is a lab's, and AWS_ENDPOINT_URL, which leads there, is not set: unset it (for the real AWS, analysis.timing in the manifest overrides timing), or enter the lab with eval \"$(norikae lab env)\"", name, v)
		}
	}
	return nil
}

// builder makes one client per place and one source per client, so that metrics of the
// same place share calls and those of different places share nothing.
type builder struct {
	env    Environment
	base   v1alpha1.AWS
	region string
	// One source per place: the analyzer asks each once a moment.
	sources  map[place]*cwsource.Source
	datadogs map[datadog.Config]*datadog.Source
	proms    map[string]*prometheus.Source
}

// place is where and as whom CloudWatch is asked.
type place struct {
	region, profile string
	role            v1alpha1.AssumeRole
	own             bool // the role is the shift's own, with its session
}

func (b *builder) config(ctx context.Context, region, profile string, role *v1alpha1.AssumeRole) (aws.Config, error) {
	o := awsconf.Options{Region: region, Profile: profile, Version: b.env.Version, HTTPClient: b.env.HTTPClient, Endpoint: b.env.Endpoint, Credentials: b.env.Credentials}
	if role != nil {
		o.AssumeRole = awsconf.AssumeRole{RoleARN: role.RoleARN, ExternalID: role.ExternalID, SessionName: role.SessionName}
		if role == b.base.AssumeRole { // and no metric's
			o.AssumeRole.Session = b.env.Session
		}
	}
	if b.env.Load != nil {
		return b.env.Load(ctx, o)
	}
	return awsconf.Load(ctx, o)
}

// cloudWatch gives the source of a place; what a metric leaves out is the shift's.
func (b *builder) cloudWatch(ctx context.Context, m v1alpha1.CloudWatchMetric) (*cwsource.Source, error) {
	p := place{region: m.Region, profile: m.Profile}
	if p.region == "" {
		p.region = b.region
	}
	role := m.AssumeRole
	if role == nil && m.Profile == "" {
		p.profile, role = b.base.Profile, b.base.AssumeRole
	}
	if role != nil {
		p.role, p.own = *role, role == b.base.AssumeRole
	}
	if s, ok := b.sources[p]; ok {
		return s, nil
	}
	cfg, err := b.config(ctx, p.region, p.profile, role)
	if err != nil {
		return nil, err
	}
	s := cwsource.New(cloudwatch.NewFromConfig(cfg))
	b.sources[p] = s
	return s, nil
}

func (b *builder) analyzer(ctx context.Context, ts *v1alpha1.TrafficShift, timing analysis.Timing, router engine.Router) (*metric.Analyzer, error) {
	a := ts.Spec.Analysis
	cfg := metric.Config{Builtin: manifest.Builtin(ts.Spec), RouteARN: routeARN(ts.Spec.Route), Names: manifest.Names(ts)}
	if err := b.balancers(ctx, &cfg, ts.Spec, timing, router); err != nil {
		return nil, err
	}
	var errs []error
	for _, m := range a.Metrics {
		out, err := b.metric(ctx, m, timing, a.Timing)
		if err != nil {
			errs = append(errs, fmt.Errorf("metric %q: %w", m.Name, err))
			continue
		}
		cfg.Metrics = append(cfg.Metrics, out)
	}
	if d := ts.Spec.Strategy.Drain; d != nil && d.Metric != nil {
		out, err := b.metric(ctx, *d.Metric, timing, a.Timing)
		if err != nil {
			errs = append(errs, fmt.Errorf("drain.metric %q: %w", d.Metric.Name, err))
		}
		cfg.Drain = &out
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return metric.New(cfg)
}

// balancers fills in where the load balancers' own metrics are measured.
func (b *builder) balancers(ctx context.Context, cfg *metric.Config, spec v1alpha1.TrafficShiftSpec, timing analysis.Timing, router engine.Router) error {
	least := 0
	if spec.Analysis.MinRequests != nil {
		least = *spec.Analysis.MinRequests
	}
	if spec.Route.Route53 != nil {
		return b.behindName(ctx, cfg, spec, metric.DNS{Timing: timing, MinRequests: least})
	}
	lb, err := loadBalancerARN(spec.Route)
	if err != nil {
		return err
	}
	source, err := b.cloudWatch(ctx, v1alpha1.CloudWatchMetric{})
	if err != nil {
		return err
	}
	if spec.Route.ALB != nil {
		cfg.ALB = &metric.ALB{ARN: lb, Source: source, Timing: timing, MinRequests: least}
		return nil
	}
	cfg.NLB = &metric.NLB{ARN: lb, Source: source, Timing: timing, MinRequests: least}
	if r, ok := router.(*elbv2.Rule); ok {
		cfg.NLB.UDP = func() bool { return r.Protocol() == "UDP" }
	}
	return nil
}

// behindName fills in the load balancers that a DNS name leads to, each measured in its
// own region.
func (b *builder) behindName(ctx context.Context, cfg *metric.Config, spec v1alpha1.TrafficShiftSpec, dns metric.DNS) error {
	dns.LoadBalancers = map[string]metric.LoadBalancer{}
	for _, d := range spec.Destinations {
		if d.LoadBalancerARN == "" {
			return nil // for all of them or none: see the manifest's rules
		}
		source, err := b.cloudWatch(ctx, v1alpha1.CloudWatchMetric{Region: arn.Region(d.LoadBalancerARN)})
		if err != nil {
			return err
		}
		dns.LoadBalancers[manifest.DestinationID(d)] = metric.LoadBalancer{ARN: d.LoadBalancerARN, Source: source}
	}
	cfg.DNS = &dns
	return nil
}

func (b *builder) metric(ctx context.Context, m v1alpha1.Metric, timing analysis.Timing, declared *v1alpha1.Timing) (metric.Metric, error) {
	out := metric.Metric{
		Name: m.Name, Interval: m.Interval.Duration, FailureLimit: m.FailureLimit, Reducer: analysis.Reducer(m.Reducer),
		Threshold: analysis.Threshold{Min: m.Min, Max: m.Max, NoData: analysis.NoData(m.NoData), MinRequests: m.MinRequests},
		Timing:    timing,
	}
	var err error
	switch {
	case m.CloudWatch != nil:
		out.Query = m.CloudWatch.Query
		out.Source, err = b.cloudWatch(ctx, *m.CloudWatch)
	case m.Datadog != nil:
		out.Query = m.Datadog.Query
		out.Source, err = b.datadog(*m.Datadog)
		out.Timing = otherTiming(timing, datadog.DefaultTiming(), declared)
	case m.Prometheus != nil:
		out.Query = m.Prometheus.Query
		out.Source, err = b.prometheus(m.Prometheus.Address)
		out.Timing = otherTiming(timing, prometheus.DefaultTiming(), declared)
	}
	return out, err
}

func (b *builder) datadog(m v1alpha1.DatadogMetric) (metric.Source, error) {
	cfg := datadog.Config{Site: m.Site, Address: m.Address}
	cfg.APIKey, cfg.AppKey = datadog.Keys(b.env.Getenv)
	if s, ok := b.datadogs[cfg]; ok {
		return s, nil
	}
	s, err := datadog.New(cfg)
	if err != nil {
		return nil, err
	}
	b.datadogs[cfg] = s
	return s, nil
}

func (b *builder) prometheus(address string) (metric.Source, error) {
	if s, ok := b.proms[address]; ok {
		return s, nil
	}
	s, err := prometheus.New(address, nil)
	if err != nil {
		return nil, err
	}
	b.proms[address] = s
	return s, nil
}

// otherTiming is that of a source that is not CloudWatch: weights settle alike; its data
// comes as soon as it says, in a lab no later than the lab's, and as declared where the
// manifest says so.
func otherTiming(t, own analysis.Timing, declared *v1alpha1.Timing) analysis.Timing {
	out := analysis.Timing{Settle: t.Settle, Period: min(t.Period, own.Period), Delay: min(t.Delay, own.Delay)}
	if declared != nil && declared.Period != nil {
		out.Period = t.Period
	}
	if declared != nil && declared.Delay != nil {
		out.Delay = t.Delay
	}
	return out
}
