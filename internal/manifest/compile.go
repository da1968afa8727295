package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/shift"
)

// The defaults of what a manifest leaves out.
const (
	defaultStepWeight      = 10
	defaultStepInterval    = time.Minute
	defaultBake            = 5 * time.Minute
	defaultMaxHold         = 10 * time.Minute
	defaultRollbackTimeout = 15 * time.Minute
	// A Network Load Balancer forgets a TCP flow that was idle for 350 s, by default.
	defaultNLBDrain = 6 * time.Minute
)

// Compile fills in the defaults and unfolds the steps. The timing of measurements is
// the manifest's where it says so, else that of defaults (see EnvTiming). A manifest
// that breaks a rule of Validate is an *Error.
func Compile(ts *v1alpha1.TrafficShift, defaults analysis.Timing) (shift.Spec, error) {
	if err := asError(ts.Metadata.Name, Validate(ts)); err != nil {
		return shift.Spec{}, err
	}
	st := ts.Spec.Strategy
	spec := shift.Spec{
		Name:            ts.Metadata.Name,
		Route:           RouteID(ts.Spec.Route),
		Steps:           steps(st),
		Bake:            defaultBake,
		OnFailure:       cmp.Or(shift.Policy(st.OnFailure), shift.Rollback),
		OnDrift:         cmp.Or(shift.Policy(st.OnDrift), shift.Hold),
		OnInterrupt:     cmp.Or(shift.Policy(st.OnInterrupt), shift.Rollback),
		MaxHold:         cmp.Or(ts.Spec.Analysis.MaxHold.Duration, defaultMaxHold),
		MaxDuration:     st.MaxDuration.Duration,
		RollbackTimeout: cmp.Or(st.RollbackTimeout.Duration, defaultRollbackTimeout),
		Timing:          timing(ts.Spec, defaults),
		KeepUndeclared:  ts.Spec.Route.Route53 != nil,
	}
	spec.Limits, _ = limitsOf(ts.Spec.Route)
	switch {
	case st.Drain != nil:
		spec.Drain, spec.DrainMetric = st.Drain.Duration.Duration, st.Drain.Metric != nil
	case ts.Spec.Route.NLB != nil:
		spec.Drain = defaultNLBDrain
	}
	if st.Bake != nil {
		spec.Bake = st.Bake.Duration
	}
	for _, d := range ts.Spec.Destinations {
		spec.Destinations = append(spec.Destinations, shift.Destination{Name: d.Name, ID: DestinationID(d), Weight: *d.Weight})
	}
	return spec, nil
}

// RouteID names a valid route, the same in every run: the rule's ARN, or the
// listener's with which of its rules, or the hosted zone with the name.
func RouteID(r v1alpha1.Route) string {
	switch {
	case r.NLB != nil:
		return r.NLB.ListenerARN + " default"
	case r.Route53 != nil:
		zone := strings.TrimPrefix(r.Route53.HostedZoneID, "/hostedzone/")
		name := strings.ToLower(strings.TrimSuffix(r.Route53.Name, "."))
		if rest, ok := strings.CutPrefix(name, `\052.`); ok { // how Route 53 itself spells a wildcard
			name = "*." + rest
		}
		return "route53 " + zone + " " + name + "."
	}
	switch a := r.ALB; {
	case a.RuleARN != "":
		return a.RuleARN
	case a.Default:
		return a.ListenerARN + " default"
	default:
		return fmt.Sprintf("%s rule %d", a.ListenerARN, a.Rule.Priority)
	}
}

// DestinationID is what the router calls a destination: a target group's ARN, or a set
// identifier.
func DestinationID(d v1alpha1.Destination) string { return cmp.Or(d.TargetGroupARN, d.SetIdentifier) }

// Names maps the IDs of the destinations to what people call them.
func Names(ts *v1alpha1.TrafficShift) map[string]string {
	names := make(map[string]string, len(ts.Spec.Destinations))
	for _, d := range ts.Spec.Destinations {
		names[DestinationID(d)] = d.Name
	}
	return names
}

// Builtin tells whether the load balancers' own metrics judge too.
func Builtin(spec v1alpha1.TrafficShiftSpec) bool {
	if b := spec.Analysis.Builtin; b != nil {
		return *b
	}
	return spec.Route.Route53 == nil || spec.Destinations[0].LoadBalancerARN != ""
}

func steps(st v1alpha1.Strategy) []shift.Step {
	if len(st.Steps) > 0 {
		return explicitSteps(st.Steps)
	}
	weight := cmp.Or(st.StepWeight, defaultStepWeight)
	hold := cmp.Or(st.StepInterval.Duration, defaultStepInterval)
	var out []shift.Step
	for p := weight; ; p += weight {
		out = append(out, shift.Step{Percent: min(p, 100), Hold: hold})
		if p >= 100 {
			return out
		}
	}
}

// explicitSteps makes one step of each weight; the pauses and analyses after it are its
// hold. Those before the first weight are a step at 0 percent.
func explicitSteps(declared []v1alpha1.Step) []shift.Step {
	var out []shift.Step
	last := func() *shift.Step {
		if len(out) == 0 {
			out = append(out, shift.Step{})
		}
		return &out[len(out)-1]
	}
	percent := 0
	for _, s := range declared {
		switch {
		case s.SetWeight != nil:
			percent = *s.SetWeight
			out = append(out, shift.Step{Percent: percent})
		case s.StepWeight != nil:
			percent += *s.StepWeight
			out = append(out, shift.Step{Percent: percent})
		case s.Pause != nil && s.Pause.Duration == nil:
			last().Approval = true
		case s.Pause != nil:
			last().Hold += s.Pause.Duration.Duration
		case s.Analysis != nil:
			last().Hold += s.Analysis.Duration.Duration
		}
	}
	if percent < 100 {
		out = append(out, shift.Step{Percent: 100})
	}
	return out
}

// timing of the measurements. With nothing to measure there is nothing to wait for but
// what the manifest itself says.
func timing(spec v1alpha1.TrafficShiftSpec, defaults analysis.Timing) analysis.Timing {
	a, drain := spec.Analysis, spec.Strategy.Drain
	if !Builtin(spec) && len(a.Metrics) == 0 && (drain == nil || drain.Metric == nil) {
		defaults = analysis.Timing{}
	}
	if t := a.Timing; t != nil {
		override(&defaults.Settle, t.Settle)
		override(&defaults.Period, t.Period)
		override(&defaults.Delay, t.Delay)
	}
	return defaults
}

func override(d *time.Duration, by *v1alpha1.Duration) {
	if by != nil {
		*d = by.Duration
	}
}

// The environment variables that a lab prints, because it is faster than AWS.
const (
	EnvSettle = "NORIKAE_CLOUDWATCH_SETTLE"
	EnvPeriod = "NORIKAE_CLOUDWATCH_PERIOD"
	EnvDelay  = "NORIKAE_CLOUDWATCH_DELAY"
	// EnvAliasTTL is how long resolvers keep an alias of a load balancer.
	EnvAliasTTL = "NORIKAE_ROUTE53_ALIAS_TTL"
)

// EnvTiming is the timing that the environment asks for, over that of CloudWatch:
// weights are in force everywhere within 10 s; periods last 60 s; and their data is
// complete 2 min after their end.
func EnvTiming(getenv func(string) string) (analysis.Timing, error) {
	t := analysis.Timing{Settle: 10 * time.Second, Period: time.Minute, Delay: 2 * time.Minute}
	return t, errors.Join(
		fromEnv(getenv, EnvSettle, 0, &t.Settle),
		fromEnv(getenv, EnvPeriod, time.Millisecond, &t.Period),
		fromEnv(getenv, EnvDelay, 0, &t.Delay),
	)
}

// EnvAlias is the TTL of aliases that the environment asks for; 0: that of AWS.
func EnvAlias(getenv func(string) string) (ttl time.Duration, err error) {
	err = fromEnv(getenv, EnvAliasTTL, time.Second, &ttl)
	return ttl, err
}

func fromEnv(getenv func(string) string, name string, least time.Duration, out *time.Duration) error {
	s := getenv(name)
	if s == "" {
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < least || d > maxDuration {
		return fmt.Errorf("environment variable %s = %q: want a duration of %s–%s with its unit, such as 1s; or unset it", name, s, Duration(least), Duration(maxDuration))
	}
	*out = d
	return nil
}
