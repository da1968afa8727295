package courier

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/arn"
	"github.com/norikae/norikae/internal/provider/connection"
)

// converter makes a TrafficShift of what is configured. It asks nobody.
type converter struct {
	ts       *v1alpha1.TrafficShift
	listener string // ARN that old queries may name
	metrics  []path.Path
	diags    diag.Diagnostics
}

// convert what m, a configuration, declares. What is unknown is left out. The
// diagnostics are about what has no place in a TrafficShift; package manifest says
// what is wrong with the rest. metrics are where each of its metrics stands.
func convert(m model, c connection.Connection) (ts *v1alpha1.TrafficShift, metrics []path.Path, diags diag.Diagnostics) {
	conv := &converter{ts: &v1alpha1.TrafficShift{
		APIVersion: v1alpha1.GroupVersion, Kind: v1alpha1.KindTrafficShift,
		Metadata: v1alpha1.Metadata{Name: label(m.title(), "courier")},
	}}
	s := m.base()
	conv.ts.Spec.AWS = awsOf(c)
	m.declare(conv)
	conv.destinations(blocks(s.Destinations))
	conv.strategy(s)
	conv.analysis(s)
	return conv.ts, conv.metrics, conv.diags
}

func awsOf(c connection.Connection) v1alpha1.AWS {
	out := v1alpha1.AWS{Region: c.Region, Profile: c.Profile}
	if r := c.AssumeRole; r != nil {
		out.AssumeRole = &v1alpha1.AssumeRole{RoleARN: r.RoleARN, ExternalID: r.ExternalID, SessionName: r.SessionName}
	}
	return out
}

func (c *converter) bad(at path.Path, format string, args ...any) {
	c.diags.AddAttributeError(at, "Invalid value", at.String()+fmt.Sprintf(format, args...))
}

func (c *converter) destinations(list []block) {
	taken := map[string]bool{}
	for i, b := range list {
		d := v1alpha1.Destination{
			TargetGroupARN: b.text("target_group_arn"), SetIdentifier: b.text("set_identifier"),
			LoadBalancerARN: b.text("load_balancer_arn"), Weight: b.number("weight"),
		}
		d.Name = once(taken, destinationName(d, i), 63)
		c.ts.Spec.Destinations = append(c.ts.Spec.Destinations, d)
	}
}

// destinationName is what people call it: the target group's name, or the set identifier.
func destinationName(d v1alpha1.Destination, i int) string {
	name := strings.Join(strings.Fields(d.SetIdentifier), "-")
	if g, err := arn.ParseTargetGroup(d.TargetGroupARN); err == nil {
		name = g.GroupName
	}
	if r := []rune(name); len(r) > 63 {
		name = string(r[:63])
	}
	return cmp.Or(name, fmt.Sprintf("destination-%d", i+1))
}

// once makes a name differ from those that are taken, within so many characters.
func once(taken map[string]bool, name string, most int) string {
	try := name
	for n := 2; taken[try]; n++ {
		end := fmt.Sprintf("-%d", n)
		r := []rune(name)
		try = string(r[:min(len(r), most-len(end))]) + end
	}
	taken[try] = true
	return try
}

func (c *converter) strategy(s *shared) {
	st := &c.ts.Spec.Strategy
	if w := s.StepWeight; !w.IsNull() && !w.IsUnknown() {
		st.StepWeight = int(w.ValueInt64())
		if st.StepWeight == 0 {
			c.bad(path.Root("step_weight"), " = 0: want 1–100 (percent of the move per step)")
		}
	}
	st.StepInterval.Duration = c.above0("step_interval", s.StepInterval)
	for i, b := range blocks(s.Steps) {
		st.Steps = append(st.Steps, c.step(path.Root("step").AtListIndex(i), b))
	}
	if d := c.duration(path.Root("bake"), s.Bake); d != nil {
		st.Bake = &v1alpha1.Duration{Duration: *d}
	}
	if d := c.duration(path.Root("drain"), s.Drain); d != nil {
		st.Drain = &v1alpha1.Drain{Duration: v1alpha1.Duration{Duration: *d}}
	}
	st.OnFailure, st.OnDrift, st.OnInterrupt = s.OnFailure.ValueString(), s.OnDrift.ValueString(), s.OnInterrupt.ValueString()
	st.MaxDuration.Duration = c.above0("max_duration", s.MaxDuration)
	st.RollbackTimeout.Duration = c.above0("rollback_timeout", s.RollbackTimeout)
}

func (c *converter) step(at path.Path, b block) v1alpha1.Step {
	out := v1alpha1.Step{SetWeight: b.number("set_weight"), StepWeight: b.number("step_weight")}
	pause, analysis := c.within(at.AtName("pause"), b, "pause"), c.within(at.AtName("analysis"), b, "analysis")
	switch {
	case pause != nil:
		if b.truth("approval") {
			c.bad(at.AtName("approval"), " = true: beside pause, which ends by itself; want one of them")
		}
		out.Pause = &v1alpha1.Pause{Duration: &v1alpha1.Duration{Duration: *pause}}
	case b.truth("approval"):
		out.Pause = &v1alpha1.Pause{}
	}
	if analysis != nil {
		out.Analysis = &v1alpha1.StepAnalysis{Duration: v1alpha1.Duration{Duration: *analysis}}
	}
	return out
}

func (c *converter) within(at path.Path, b block, name string) *time.Duration {
	s, ok := b[name].(types.String)
	if !ok {
		return nil
	}
	return c.duration(at, s)
}

// duration is nil when it is not set, which "" means too, as in the old provider.
func (c *converter) duration(at path.Path, s types.String) *time.Duration {
	if s.ValueString() == "" {
		return nil
	}
	d, err := time.ParseDuration(s.ValueString())
	if err != nil {
		c.bad(at, " = %q: want a duration with its unit, such as 90s, 10m or 1h30m", s.ValueString())
		return nil
	}
	return &d
}

// above0 is for durations whose 0 would mean that they are not set.
func (c *converter) above0(name string, s types.String) time.Duration {
	d := c.duration(path.Root(name), s)
	if d == nil {
		return 0
	}
	if *d <= 0 {
		c.bad(path.Root(name), " = %q: want a duration above 0s, at most 168h", s.ValueString())
		return 0
	}
	return *d
}

func (c *converter) analysis(s *shared) {
	a := &c.ts.Spec.Analysis
	if !s.Builtin.IsNull() && !s.Builtin.IsUnknown() {
		builtin := s.Builtin.ValueBool()
		a.Builtin = &builtin
	}
	if c.unmeasured(s) {
		a.Builtin = new(false)
	}
	if !s.MinRequests.IsNull() && !s.MinRequests.IsUnknown() {
		n := int(s.MinRequests.ValueInt64())
		a.MinRequests = &n
	}
	a.MaxHold.Duration = c.above0("max_hold", s.MaxHold)
	taken := map[string]bool{}
	for _, of := range []struct {
		name string
		list types.List
	}{{"cloudwatch_metric", s.CloudWatch}, {"datadog_metric", s.Datadog}, {"prometheus_metric", s.Prometheus}} {
		for i, b := range blocks(of.list) {
			at := path.Root(of.name).AtListIndex(i)
			m := c.metric(at, b)
			m.Name = once(taken, label(b.text("name"), "metric"), 63)
			c.source(at, of.name, b, &m, s)
			a.Metrics = append(a.Metrics, m)
			c.metrics = append(c.metrics, at)
		}
	}
}

// unmeasured tells whether nothing measures the shift of a name, and nothing is said about
// that either: the old provider took such files.
func (c *converter) unmeasured(s *shared) bool {
	if c.ts.Spec.Route.Route53 == nil || !s.Builtin.IsNull() || s.Destinations.IsUnknown() {
		return false
	}
	for _, metrics := range []types.List{s.CloudWatch, s.Datadog, s.Prometheus} {
		if metrics.IsUnknown() || len(metrics.Elements()) > 0 {
			return false
		}
	}
	return !slices.ContainsFunc(blocks(s.Destinations), func(b block) bool {
		lb, ok := b["load_balancer_arn"].(types.String)
		return ok && (lb.IsUnknown() || lb.ValueString() != "")
	})
}

func (c *converter) metric(at path.Path, b block) v1alpha1.Metric {
	m := v1alpha1.Metric{
		Min: b.float("min"), Max: b.float("max"), FailureLimit: b.whole("failure_limit"), NoData: b.text("no_data"),
		MinRequests: b.whole("min_requests"), Reducer: b.text("reducer"),
	}
	if d := c.within(at.AtName("interval"), b, "interval"); d != nil {
		m.Interval.Duration = *d
		if *d == 0 {
			c.bad(at.AtName("interval"), " = %q: want 1s–168h", b.text("interval"))
		}
	}
	return m
}

func (c *converter) source(at path.Path, kind string, b block, m *v1alpha1.Metric, s *shared) {
	query := modern(b.text("query"), c.listener)
	switch kind {
	case "cloudwatch_metric":
		m.CloudWatch = &v1alpha1.CloudWatchMetric{Query: query, Region: b.text("aws_region"), Profile: b.text("aws_profile")}
		if a := b.text("address"); a != "" && a != s.Address.ValueString() && !s.Address.IsUnknown() {
			c.bad(at.AtName("address"), " = %q: CloudWatch is called where the other services of AWS are; remove the line, and set address on the resource or the provider", a)
		}
	case "datadog_metric":
		m.Datadog = &v1alpha1.DatadogMetric{Query: query, Address: b.text("address"), Site: b.text("site")}
	case "prometheus_metric":
		m.Prometheus = &v1alpha1.PrometheusMetric{Query: query, Address: b.text("address")}
	}
}

// matches of headers or query strings.
func (c *converter) matches(name string, v types.Dynamic) map[string][]string {
	m, ok := matchesOf(v)
	if !ok {
		c.bad(path.Root(name), ": want a map from a name to a value or to a list of values, such as { X-Canary = \"always\" } or { X-Canary = [\"a\", \"b\"] }")
	}
	return m
}
