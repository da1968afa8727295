// Package v1alpha1 holds the kinds of the API group norikae.dev. They are the file
// format of the command line too.
package v1alpha1

// GroupVersion is the apiVersion of every kind in this package.
const GroupVersion = "norikae.dev/v1alpha1"

// KindTrafficShift is the kind of TrafficShift.
const KindTrafficShift = "TrafficShift"

// TrafficShift is one move of live traffic on one route: from the split that is live
// when it starts to the weights declared here, in judged steps.
type TrafficShift struct {
	APIVersion string           `json:"apiVersion"`
	Kind       string           `json:"kind"`
	Metadata   Metadata         `json:"metadata"`
	Spec       TrafficShiftSpec `json:"spec"`
}

// Metadata names an object.
type Metadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// TrafficShiftSpec is what a user declares.
type TrafficShiftSpec struct {
	Route        Route         `json:"route"`
	Destinations []Destination `json:"destinations"` // 1–5
	Strategy     Strategy      `json:"strategy,omitzero"`
	Analysis     Analysis      `json:"analysis,omitzero"`
	AWS          AWS           `json:"aws,omitzero"`
}

// AWS says with which credentials AWS is called.
type AWS struct {
	Region     string      `json:"region,omitempty"` // default: the region of the ARNs
	Profile    string      `json:"profile,omitempty"`
	AssumeRole *AssumeRole `json:"assumeRole,omitempty"`
}

// AssumeRole is a role to assume; its credentials are refreshed as long as needed.
type AssumeRole struct {
	RoleARN     string `json:"roleARN"`
	ExternalID  string `json:"externalID,omitempty"`
	SessionName string `json:"sessionName,omitempty"`
}

// Route is the place where traffic is split. Exactly one member is set.
type Route struct {
	ALB *ALBRoute `json:"alb,omitempty"`
}

// ALBRoute is a rule of an Application Load Balancer's listener. Exactly one of rule,
// ruleARN and default is set.
type ALBRoute struct {
	ListenerARN string   `json:"listenerARN,omitempty"` // needed but with ruleARN
	Rule        *ALBRule `json:"rule,omitempty"`
	RuleARN     string   `json:"ruleARN,omitempty"`
	Default     bool     `json:"default,omitempty"` // the listener's default action
	// Adopt takes over a rule that is there, was not made by norikae, and has other
	// conditions than those declared here.
	Adopt bool `json:"adopt,omitempty"`
}

// ALBRule is a numbered rule, known by its priority. It is created when it is not there.
type ALBRule struct {
	Priority     int           `json:"priority"` // 1–50000
	Hosts        []string      `json:"hosts,omitempty"`
	PathPatterns []string      `json:"pathPatterns,omitempty"`
	Methods      []string      `json:"methods,omitempty"`
	SourceIPs    []string      `json:"sourceIPs,omitempty"` // CIDRs
	Headers      []HeaderMatch `json:"headers,omitempty"`
	QueryStrings []QueryMatch  `json:"queryStrings,omitempty"`
}

// HeaderMatch holds when the header has one of the values (* and ? are wildcards).
type HeaderMatch struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// QueryMatch holds when the query string has the value, under the key when it is given.
type QueryMatch struct {
	Key   string `json:"key,omitempty"`
	Value string `json:"value"`
}

// Destination of the route and the weight it shall have in the end.
type Destination struct {
	Name           string `json:"name"`
	TargetGroupARN string `json:"targetGroupARN"`
	Weight         *int   `json:"weight"` // 0–999; required, so that nothing is 0 or 1 by accident
}

// Strategy is how the traffic moves. Either steps, or stepWeight and stepInterval.
type Strategy struct {
	StepWeight      int       `json:"stepWeight,omitempty"`     // percent of the move per step, 1–100; default 10
	StepInterval    Duration  `json:"stepInterval,omitzero"`    // default 1m
	Steps           []Step    `json:"steps,omitempty"`          // explicit steps
	Bake            *Duration `json:"bake,omitempty"`           // default 5m; 0s: none
	OnFailure       string    `json:"onFailure,omitempty"`      // rollback (default) | hold
	OnDrift         string    `json:"onDrift,omitempty"`        // hold (default) | adopt | overrule
	OnInterrupt     string    `json:"onInterrupt,omitempty"`    // rollback (default) | hold
	MaxDuration     Duration  `json:"maxDuration,omitzero"`     // default 3 × the planned time + 1h
	RollbackTimeout Duration  `json:"rollbackTimeout,omitzero"` // default 15m
}

// Step is one entry of explicit steps. Exactly one member is set.
type Step struct {
	SetWeight  *int          `json:"setWeight,omitempty"`  // percent of the move, 1–100
	StepWeight *int          `json:"stepWeight,omitempty"` // added to the percent so far
	Pause      *Pause        `json:"pause,omitempty"`
	Analysis   *StepAnalysis `json:"analysis,omitempty"`
}

// Pause holds the weights for a time, or until somebody approves when it is empty.
type Pause struct {
	Duration *Duration `json:"duration,omitempty"`
}

// StepAnalysis judges the weights for a time before going on.
type StepAnalysis struct {
	Duration Duration `json:"duration"`
}

// Analysis is how each step is judged.
type Analysis struct {
	// Builtin judges by the load balancer's own metrics; default true.
	Builtin *bool    `json:"builtin,omitempty"`
	Metrics []Metric `json:"metrics,omitempty"`
	// MinRequests is how many requests the gaining side must have had in a window for
	// the built-in judgement; default 1.
	MinRequests *int     `json:"minRequests,omitempty"`
	MaxHold     Duration `json:"maxHold,omitzero"` // default 10m
	Timing      *Timing  `json:"timing,omitempty"`
}

// Timing overrides when measurements are complete at their source.
type Timing struct {
	Settle *Duration `json:"settle,omitempty"`
	Period *Duration `json:"period,omitempty"`
	Delay  *Duration `json:"delay,omitempty"`
}

// Metric is a user's query and its bounds. Exactly one source is set, and at least one
// of min and max.
type Metric struct {
	Name         string            `json:"name"`
	CloudWatch   *CloudWatchMetric `json:"cloudwatch,omitempty"`
	Datadog      *DatadogMetric    `json:"datadog,omitempty"`
	Prometheus   *PrometheusMetric `json:"prometheus,omitempty"`
	Min          *float64          `json:"min,omitempty"`
	Max          *float64          `json:"max,omitempty"`
	Interval     Duration          `json:"interval,omitzero"`      // one measurement per interval; default 1m
	FailureLimit int               `json:"failureLimit,omitempty"` // failed measurements tolerated over the whole shift
	NoData       string            `json:"noData,omitempty"`       // hold (default) | pass | fail
	MinRequests  int               `json:"minRequests,omitempty"`  // of the gaining side in the window; fewer: inconclusive
	Reducer      string            `json:"reducer,omitempty"`      // avg | sum | min | max | last: over points and series; default: avg of one series
}

// CloudWatchMetric is a list of MetricDataQuery in JSON, as `aws cloudwatch
// get-metric-data --metric-data-queries` takes it; a Go template. Exactly one query
// returns data.
type CloudWatchMetric struct {
	Query      string      `json:"query"`
	Region     string      `json:"region,omitempty"`
	Profile    string      `json:"profile,omitempty"`
	AssumeRole *AssumeRole `json:"assumeRole,omitempty"`
}

// DatadogMetric is a query of Datadog's metrics API; a Go template. The keys come from
// DD_API_KEY and DD_APP_KEY.
type DatadogMetric struct {
	Query string `json:"query"`
	Site  string `json:"site,omitempty"` // default datadoghq.com
	// Address overrides https://api.SITE.
	Address string `json:"address,omitempty"`
}

// PrometheusMetric is a PromQL query; a Go template.
type PrometheusMetric struct {
	Address string `json:"address"` // http(s)://host:port
	Query   string `json:"query"`
}
