package metric

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/arn"
	"github.com/norikae/norikae/internal/fault"
)

// Defaults of a Config.
const (
	DefaultInterval = time.Minute
	// BaselineIntervals is how many intervals before the shift are its level.
	BaselineIntervals = 5
)

// Config of an Analyzer.
type Config struct {
	// Metrics of the user; their names are unique.
	Metrics []Metric
	// ALB or NLB is the load balancer of the route, DNS those that a name leads to. At most
	// one is set.
	ALB *ALB
	NLB *NLB
	DNS *DNS
	// Builtin judges by the load balancer's own metrics, too. It needs one of them.
	Builtin bool
	// Drain is the metric that passes once the losing side has no connections left; nil:
	// there is none. It has no part in the verdict on a step.
	Drain *Metric
	// RouteARN and Names (of destinations, by ID) are for templates and messages.
	RouteARN string
	Names    map[string]string
}

// Metric is a user's query and its bounds.
type Metric struct {
	Name   string
	Source Source
	Query  string // a template over Facts
	analysis.Threshold
	Reducer      analysis.Reducer
	Interval     time.Duration // one measurement per interval; 0: DefaultInterval
	FailureLimit int           // failed measurements tolerated over the whole shift
	Timing       analysis.Timing
}

// ALB is where and how an Application Load Balancer's own metrics are measured.
type ALB struct {
	ARN    string // of the load balancer, or of a listener or rule of it
	Source Source // CloudWatch, in the load balancer's account and region
	Timing analysis.Timing
	// MinRequests of the gaining side that the built-in judgement needs in a window; 0 is 1.
	MinRequests int
	// Interval of the built-in judgement; 0 is the period of Timing.
	Interval time.Duration
	// Rule of the built-in judgement; zero is analysis.DefaultComparison.
	Rule analysis.Comparison
}

// NLB is where and how a Network Load Balancer's own metrics are measured.
type NLB struct {
	ARN    string // of the load balancer, or of a listener of it
	Source Source // CloudWatch, in the load balancer's account and region
	Timing analysis.Timing
	// MinRequests is how many new connections of the load balancer the built-in judgement
	// needs in a window; 0 is 1.
	MinRequests int
	// Interval of the built-in judgement; 0 is the period of Timing.
	Interval time.Duration
	// Rule of the built-in judgement; zero is analysis.DefaultComparison.
	Rule analysis.Comparison
	// UDP tells whether the listener's protocol is UDP, which has no resets to judge by;
	// nil: it is not. It is asked anew for each judgement: the listener is read late.
	UDP func() bool
}

// Analyzer measures and judges the steps of one shift. What it fetched about the step
// under judgement it remembers, so that each call asks only for what is new; losing
// that memory costs calls and changes no verdict. It is safe for concurrent use.
type Analyzer struct {
	cfg     Config
	metrics []userMetric

	mu      sync.Mutex
	since   time.Time   // of the step that users and builtin are about
	users   []userState // by metric
	builtin builtin     // nil: the load balancer's own metrics are not judged
	drain   *drain      // nil: there is none
	// What is known of the weights before, which the source completes only now.
	lateUsers []userState
	cooling   map[Source]coolDown
}

// userMetric is a Metric and what is derived from it.
type userMetric struct {
	Metric
	query queryTemplate
}

// New checks everything that can be checked without a request. Its errors are terminal
// and name the metric, the field, the value and what is possible.
func New(cfg Config) (*Analyzer, error) {
	a := &Analyzer{cfg: cfg, cooling: map[Source]coolDown{}}
	var errs []error
	seen := map[string]bool{}
	for i, m := range cfg.Metrics {
		if m.Name == "" {
			errs = append(errs, fmt.Errorf("metrics[%d]: name: is empty", i))
			continue
		}
		if seen[m.Name] {
			errs = append(errs, fmt.Errorf("metrics[%d]: name: %q is used twice", i, m.Name))
		}
		seen[m.Name] = true
		u, err := newUserMetric(m, cfg.ALB)
		if err != nil {
			errs = append(errs, fmt.Errorf("metric %q: %w", m.Name, err))
		}
		a.metrics = append(a.metrics, u)
	}
	if cfg.Drain != nil {
		d, err := newDrain(*cfg.Drain, cfg.ALB)
		errs = append(errs, nameDrain(err))
		a.drain = d
	}
	errs = append(errs, a.addBalancer())
	if err := errors.Join(errs...); err != nil {
		return nil, fault.Terminal("InvalidAnalysis", err)
	}
	a.reset(time.Time{})
	return a, nil
}

// addBalancer checks the load balancer where its metrics are asked for, fills in its
// defaults, and makes the built-in analysis of it.
func (a *Analyzer) addBalancer() error {
	var errs []error
	given := 0
	for _, is := range []bool{a.cfg.ALB != nil, a.cfg.NLB != nil, a.cfg.DNS != nil} {
		if is {
			given++
		}
	}
	if given > 1 {
		errs = append(errs, errors.New("a route is on an Application Load Balancer, on a Network Load Balancer or a name: set one of them"))
	}
	if a.cfg.ALB != nil && needsALB(a.cfg) {
		alb, err := newALB(*a.cfg.ALB)
		errs = append(errs, err)
		a.cfg.ALB = &alb
	}
	switch {
	case !a.cfg.Builtin:
	case a.cfg.ALB != nil:
		a.builtin = &rounds[analysis.ALBWindow]{a: a, meter: albMeter{*a.cfg.ALB, a.name}}
	case a.cfg.NLB != nil:
		nlb, err := newNLB(*a.cfg.NLB)
		errs = append(errs, err)
		a.cfg.NLB = &nlb
		a.builtin = &rounds[analysis.NLBWindow]{a: a, meter: nlbMeter{nlb, a.name}}
	case a.cfg.DNS != nil:
		dns, err := newDNS(*a.cfg.DNS)
		errs = append(errs, err)
		a.cfg.DNS = &dns
		a.builtin = &rounds[analysis.ALBWindow]{a: a, meter: dnsMeter{dns, a.name}}
	default:
		errs = append(errs, errors.New("the built-in analysis needs a load balancer: set analysis.builtin to false for this route"))
	}
	return errors.Join(errs...)
}

// needsALB tells whether the load balancer's own metrics are asked for at all.
func needsALB(cfg Config) bool {
	return cfg.Builtin || slices.ContainsFunc(cfg.Metrics, func(m Metric) bool { return m.MinRequests > 0 })
}

// Timing is that of the slowest metric: the longest settle time and delay, and the
// longest window as the period. It is zero when nothing is measured. A step's first
// verdict cannot be there sooner.
func (a *Analyzer) Timing() analysis.Timing {
	var t analysis.Timing
	slowest := func(s analysis.Schedule) {
		t = analysis.Timing{Settle: max(t.Settle, s.Settle), Period: max(t.Period, s.Interval), Delay: max(t.Delay, s.Delay)}
	}
	for _, u := range a.metrics {
		slowest(analysis.NewSchedule(u.Timing, u.Interval, 0))
	}
	if a.builtin != nil {
		slowest(a.builtin.schedule())
	}
	return t
}

func newUserMetric(m Metric, alb *ALB) (userMetric, error) {
	u := userMetric{Metric: m}
	if u.Interval == 0 {
		u.Interval = DefaultInterval
	}
	if m.Source == nil {
		return u, errors.New("no source is set: set one of cloudwatch, datadog, prometheus")
	}
	if err := errors.Join(m.Threshold.Validate(), m.Reducer.Validate()); err != nil {
		return u, err
	}
	if u.Interval < 0 {
		return u, fmt.Errorf("interval: %s is not above 0", m.Interval)
	}
	if m.FailureLimit < 0 {
		return u, fmt.Errorf("failureLimit: %d is below 0", m.FailureLimit)
	}
	if err := checkTiming(m.Timing); err != nil {
		return u, err
	}
	if m.MinRequests > 0 {
		if alb == nil {
			return u, fmt.Errorf("minRequests: %d needs the request counts of an Application Load Balancer, which this route is none of", m.MinRequests)
		}
		var err error
		if u.Timing, err = slower(m.Timing, alb.Timing); err != nil {
			return u, fmt.Errorf("minRequests: %w", err)
		}
	}
	q, err := parseQuery(m.Query)
	if err != nil {
		return u, fmt.Errorf("query: %w", err)
	}
	u.query = q
	return u, nil
}

func newALB(alb ALB) (ALB, error) {
	err := complete(alb.ARN, arn.Application, alb.Source, alb.Timing, &alb.Interval, &alb.MinRequests, &alb.Rule)
	return alb, err
}

func newNLB(nlb NLB) (NLB, error) {
	err := complete(nlb.ARN, arn.Network, nlb.Source, nlb.Timing, &nlb.Interval, &nlb.MinRequests, &nlb.Rule)
	return nlb, err
}

// complete fills in what is left out of a load balancer's analysis, and checks the rest.
func complete(lb string, kind arn.LoadBalancerType, src Source, t analysis.Timing, interval *time.Duration, minRequests *int, rule *analysis.Comparison) error {
	if *interval == 0 {
		*interval = t.Period
	}
	if *rule == (analysis.Comparison{}) {
		*rule = analysis.DefaultComparison()
	}
	*minRequests = max(1, *minRequests)
	switch suffix := arn.LoadBalancerSuffix(lb); {
	case src == nil:
		return errors.New("the load balancer's metrics have no source")
	case suffix == "":
		return fmt.Errorf("%q is no ARN of a load balancer, nor of a listener or rule of one", lb)
	case !strings.HasPrefix(suffix, string(kind)+"/"):
		return fmt.Errorf("%q is of a load balancer of another type than %q", lb, kind)
	}
	return checkTiming(t)
}

func checkTiming(t analysis.Timing) error {
	switch {
	case t.Settle < 0:
		return fmt.Errorf("timing.settle: %s is below 0", t.Settle)
	case t.Delay < 0:
		return fmt.Errorf("timing.delay: %s is below 0", t.Delay)
	case t.Period < time.Second || t.Period%time.Second != 0:
		return fmt.Errorf("timing.period: %s is not a whole number of seconds above 0", t.Period)
	}
	return nil
}

// slower is the timing of two sources that are measured together.
func slower(a, b analysis.Timing) (analysis.Timing, error) {
	long, short := max(a.Period, b.Period), min(a.Period, b.Period)
	if short > 0 && long%short != 0 {
		return a, fmt.Errorf("the source's period %s and the load balancer's %s do not divide each other: set analysis.timing.period", a.Period, b.Period)
	}
	return analysis.Timing{Settle: max(a.Settle, b.Settle), Period: long, Delay: max(a.Delay, b.Delay)}, nil
}
