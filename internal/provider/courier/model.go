package courier

import (
	"cmp"
	"regexp"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/provider/connection"
)

// model is what Terraform knows about one courier: a configuration, a plan or a state.
type model interface {
	base() *shared
	// declare puts the route, and what only this kind of courier has, into c.
	declare(c *converter)
	// found is the route as it is found again: by its ARN when that is known.
	found() v1alpha1.Route
	// take what is live of the route itself; what is the same keeps its spelling.
	take(r Reading)
	// title of the shift, before it is made a label.
	title() string
	// address in Terraform's words, for messages.
	address() string
	// forced: the route may be deleted although it carries traffic.
	forced() bool
	// moved names the attribute that makes it another route than o's; "": the same.
	moved(o model) string
}

// shared is what all couriers have.
type shared struct {
	connection.Model

	ID              types.String   `tfsdk:"id"`
	Destinations    types.List     `tfsdk:"destination"`
	StepWeight      types.Int64    `tfsdk:"step_weight"`
	StepInterval    types.String   `tfsdk:"step_interval"`
	Steps           types.List     `tfsdk:"step"`
	CloudWatch      types.List     `tfsdk:"cloudwatch_metric"`
	Datadog         types.List     `tfsdk:"datadog_metric"`
	Prometheus      types.List     `tfsdk:"prometheus_metric"`
	Builtin         types.Bool     `tfsdk:"builtin_analysis"`
	MinRequests     types.Int64    `tfsdk:"min_requests"`
	MaxHold         types.String   `tfsdk:"max_hold"`
	Bake            types.String   `tfsdk:"bake"`
	Drain           types.String   `tfsdk:"drain"`
	OnFailure       types.String   `tfsdk:"on_failure"`
	OnDrift         types.String   `tfsdk:"on_drift"`
	OnInterrupt     types.String   `tfsdk:"on_interrupt"`
	MaxDuration     types.String   `tfsdk:"max_duration"`
	RollbackTimeout types.String   `tfsdk:"rollback_timeout"`
	Replace         types.Bool     `tfsdk:"replace_unfinished"`
	StatusFile      types.String   `tfsdk:"status_file"`
	Timeouts        timeouts.Value `tfsdk:"timeouts"`

	PlannedSteps types.List   `tfsdk:"planned_steps"`
	Manifest     types.String `tfsdk:"manifest"`
	LiveWeights  types.Map    `tfsdk:"live_weights"`
	Unfinished   types.String `tfsdk:"unfinished"`
}

func (s *shared) base() *shared { return s }

// albModel is eksctl_courier_alb.
type albModel struct {
	shared

	ARN          types.String  `tfsdk:"arn"`
	ListenerARN  types.String  `tfsdk:"listener_arn"`
	Priority     types.Int64   `tfsdk:"priority"`
	Hosts        types.Set     `tfsdk:"hosts"`
	Methods      types.Set     `tfsdk:"methods"`
	PathPatterns types.Set     `tfsdk:"path_patterns"`
	SourceIPs    types.Set     `tfsdk:"source_ips"`
	Headers      types.Dynamic `tfsdk:"headers"`
	QueryStrings types.Dynamic `tfsdk:"querystrings"`
	Adopt        types.Bool    `tfsdk:"adopt"`
	ForceDestroy types.Bool    `tfsdk:"force_destroy"`
}

func (m *albModel) declare(c *converter) {
	rule := &v1alpha1.ALBRule{
		Priority: 10, Hosts: texts(m.Hosts), PathPatterns: texts(m.PathPatterns), SourceIPs: texts(m.SourceIPs),
		Headers: headersOf(c.matches("headers", m.Headers)), QueryStrings: queriesOf(c.matches("querystrings", m.QueryStrings)),
	}
	if !m.Priority.IsNull() {
		rule.Priority = int(m.Priority.ValueInt64())
	}
	for _, method := range texts(m.Methods) { // the old provider took them in any case
		rule.Methods = append(rule.Methods, strings.ToUpper(method))
	}
	c.ts.Spec.Route.ALB = &v1alpha1.ALBRoute{ListenerARN: m.ListenerARN.ValueString(), Rule: rule, Adopt: m.Adopt.ValueBool()}
	c.listener = m.ListenerARN.ValueString()
}

func (m *albModel) found() v1alpha1.Route {
	if id := m.ARN.ValueString(); id != "" {
		return v1alpha1.Route{ALB: &v1alpha1.ALBRoute{RuleARN: id}}
	}
	rule := &v1alpha1.ALBRule{Priority: int(m.Priority.ValueInt64())}
	return v1alpha1.Route{ALB: &v1alpha1.ALBRoute{ListenerARN: m.ListenerARN.ValueString(), Rule: rule}}
}

func (m *albModel) take(r Reading) {
	m.ARN = types.StringValue(r.ARN)
	m.ListenerARN = types.StringValue(cmp.Or(r.ListenerARN, m.ListenerARN.ValueString()))
	if r.Rule == nil {
		return
	}
	m.Priority = types.Int64Value(int64(r.Rule.Priority))
	m.Hosts = sameSet(m.Hosts, r.Rule.Hosts, nil)
	m.Methods = sameSet(m.Methods, r.Rule.Methods, strings.ToUpper)
	m.PathPatterns = sameSet(m.PathPatterns, r.Rule.PathPatterns, nil)
	m.SourceIPs = sameSet(m.SourceIPs, r.Rule.SourceIPs, nil)
	headers := map[string][]string{}
	for _, h := range r.Rule.Headers {
		headers[h.Name] = append(headers[h.Name], h.Values...)
	}
	m.Headers = sameMatches(m.Headers, headers)
	queries := map[string][]string{}
	for _, q := range r.Rule.QueryStrings {
		queries[q.Key] = append(queries[q.Key], q.Value)
	}
	m.QueryStrings = sameMatches(m.QueryStrings, queries)
}

func (m *albModel) title() string {
	return balancerName(m.ListenerARN.ValueString()) + "-" + m.Priority.String()
}

func (m *albModel) address() string {
	return "the rule with priority " + m.Priority.String() + " of " + m.ListenerARN.ValueString()
}

func (m *albModel) forced() bool { return m.ForceDestroy.ValueBool() }

func (m *albModel) moved(o model) string {
	before, ok := o.(*albModel)
	switch {
	case !ok:
		return ""
	case different(m.ListenerARN, before.ListenerARN):
		return "listener_arn"
	case different(m.Priority, before.Priority):
		return "priority"
	}
	return ""
}

// nlbModel is eksctl_courier_nlb.
type nlbModel struct {
	shared

	ListenerARN types.String `tfsdk:"listener_arn"`
}

func (m *nlbModel) declare(c *converter) {
	c.ts.Spec.Route.NLB = &v1alpha1.NLBRoute{ListenerARN: m.ListenerARN.ValueString()}
	c.listener = m.ListenerARN.ValueString()
}

func (m *nlbModel) found() v1alpha1.Route {
	return v1alpha1.Route{NLB: &v1alpha1.NLBRoute{ListenerARN: m.ListenerARN.ValueString()}}
}

func (m *nlbModel) take(Reading)    {}
func (m *nlbModel) title() string   { return balancerName(m.ListenerARN.ValueString()) }
func (m *nlbModel) address() string { return "listener " + m.ListenerARN.ValueString() }
func (m *nlbModel) forced() bool    { return true }

func (m *nlbModel) moved(o model) string {
	if before, ok := o.(*nlbModel); ok && different(m.ListenerARN, before.ListenerARN) {
		return "listener_arn"
	}
	return ""
}

// recordModel is eksctl_courier_route53_record.
type recordModel struct {
	shared

	ZoneID types.String `tfsdk:"zone_id"`
	Name   types.String `tfsdk:"name"`
	Types  types.Set    `tfsdk:"record_types"`
}

func (m *recordModel) declare(c *converter) { c.ts.Spec.Route = m.found() }

func (m *recordModel) found() v1alpha1.Route {
	return v1alpha1.Route{Route53: &v1alpha1.Route53Route{HostedZoneID: m.ZoneID.ValueString(), Name: m.Name.ValueString(), Types: texts(m.Types)}}
}

func (m *recordModel) take(Reading)  {}
func (m *recordModel) title() string { return m.Name.ValueString() }
func (m *recordModel) address() string {
	return "the records of " + m.Name.ValueString() + " in zone " + m.ZoneID.ValueString()
}
func (m *recordModel) forced() bool { return true }

func (m *recordModel) moved(o model) string {
	before, ok := o.(*recordModel)
	switch {
	case !ok:
		return ""
	case different(m.ZoneID, before.ZoneID):
		return "zone_id"
	case different(m.Name, before.Name):
		return "name"
	}
	return ""
}

// different tells whether a known value is another than that of the state.
func different(now, before attr.Value) bool {
	return !now.IsUnknown() && !before.IsNull() && !now.Equal(before)
}

// balancerName is the name of the load balancer that a listener's ARN is of.
func balancerName(listener string) string {
	if p := strings.Split(listener, "/"); len(p) >= 3 {
		return p[2]
	}
	return "courier"
}

// label makes a text one that may name a shift or a metric: 1–63 lower-case letters,
// digits and hyphens.
func label(s, otherwise string) string {
	s = regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(s), "-")
	s = strings.Trim(s, "-")
	if len(s) > 63 {
		s = strings.Trim(s[:63], "-")
	}
	return cmp.Or(s, otherwise)
}
