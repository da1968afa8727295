// Package v1alpha1 holds the kinds of the API group norikae.dev. They are the file
// format of the command line too.
//
// +kubebuilder:object:generate=true
// +groupName=norikae.dev
package v1alpha1

//go:generate go run ../../tools/docgen -types . -docs ../../docs
//go:generate go run -modfile=../../go.gen.mod sigs.k8s.io/controller-tools/cmd/controller-gen object paths=. crd output:crd:dir=../../config/crd

// GroupVersion is the apiVersion of every kind in this package.
const GroupVersion = "norikae.dev/v1alpha1"

// KindTrafficShift is the kind of TrafficShift.
const KindTrafficShift = "TrafficShift"

// TrafficShift is one move of live traffic on one route: from the split that is live
// when it starts to the weights declared here, in judged steps.
type TrafficShift struct {
	APIVersion string           `json:"apiVersion"` // norikae.dev/v1alpha1
	Kind       string           `json:"kind"`       // TrafficShift
	Metadata   Metadata         `json:"metadata"`
	Spec       TrafficShiftSpec `json:"spec"`
}

// Metadata names an object.
type Metadata struct {
	// Name of the shift: 1–63 lower-case letters, digits and hyphens.
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace,omitempty"`   // of the object in Kubernetes; not used with -f
	Labels      map[string]string `json:"labels,omitempty"`      // for people and tools
	Annotations map[string]string `json:"annotations,omitempty"` // for people and tools
}

// TrafficShiftSpec is what a user declares.
type TrafficShiftSpec struct {
	Route        Route         `json:"route"`
	Destinations []Destination `json:"destinations"` // 1–5 target groups, or 1–100 records; each once
	Strategy     Strategy      `json:"strategy,omitzero"`
	Analysis     Analysis      `json:"analysis,omitzero"`
	AWS          AWS           `json:"aws,omitzero"`
}

// AWS says with which credentials AWS is called.
type AWS struct {
	Region     string      `json:"region,omitempty"`  // default: the region of the ARNs
	Profile    string      `json:"profile,omitempty"` // of the shared AWS configuration files
	AssumeRole *AssumeRole `json:"assumeRole,omitempty"`
}

// AssumeRole is a role to assume; its credentials are refreshed as long as needed.
type AssumeRole struct {
	RoleARN     string `json:"roleARN"`               // arn:PARTITION:iam::ACCOUNT:role/NAME
	ExternalID  string `json:"externalID,omitempty"`  // that the role's trust policy asks for
	SessionName string `json:"sessionName,omitempty"` // seen in CloudTrail
}

// Route is the place where traffic is split. Exactly one member is set.
type Route struct {
	ALB     *ALBRoute     `json:"alb,omitempty"`     // a rule of an Application Load Balancer's listener
	NLB     *NLBRoute     `json:"nlb,omitempty"`     // a Network Load Balancer's listener
	Route53 *Route53Route `json:"route53,omitempty"` // the weighted records of a DNS name
}

// ALBRoute is a rule of an Application Load Balancer's listener. Exactly one of rule,
// ruleARN and default is set.
type ALBRoute struct {
	ListenerARN string   `json:"listenerARN,omitempty"` // of the listener; needed but with ruleARN
	Rule        *ALBRule `json:"rule,omitempty"`        // a numbered rule
	RuleARN     string   `json:"ruleARN,omitempty"`     // a rule that is there already
	Default     bool     `json:"default,omitempty"`     // the listener's default action
	// Adopt takes over a rule that is there, was not made by norikae, and has other
	// conditions than those declared here.
	Adopt bool `json:"adopt,omitempty"`
}

// NLBRoute is the default action of a Network Load Balancer's listener (TCP, TLS, UDP or
// TCP_UDP). Connections that are open stay where they are; new ones follow the weights.
type NLBRoute struct {
	ListenerARN string `json:"listenerARN"` // of the listener
}

// Route53Route is the weighted records of one name in one hosted zone. The records exist
// already; a shift changes their weights and nothing else, all record types of the name
// in one change.
type Route53Route struct {
	HostedZoneID string   `json:"hostedZoneID"`    // such as Z0123456789ABCDEFGHIJ
	Name         string   `json:"name"`            // of the records, such as api.example.com or *.example.com
	Types        []string `json:"types,omitempty"` // such as A and AAAA; default: every type that has weighted records at the name
}

// ALBRule is a numbered rule, known by its priority. It is created when it is not there.
// It has at least one condition, and at most 5 condition values and 5 wildcards (* and ?)
// in all conditions together; values have at most 128 characters.
type ALBRule struct {
	Priority     int           `json:"priority"`               // 1–50000
	Hosts        []string      `json:"hosts,omitempty"`        // such as example.com and *.example.com; each has a dot
	PathPatterns []string      `json:"pathPatterns,omitempty"` // such as /api/*; case matters
	Methods      []string      `json:"methods,omitempty"`      // such as GET; 1–40 characters of A–Z, - and _
	SourceIPs    []string      `json:"sourceIPs,omitempty"`    // CIDRs, such as 10.0.0.0/8: of the peer, not of X-Forwarded-For
	Headers      []HeaderMatch `json:"headers,omitempty"`      // all of them hold
	QueryStrings []QueryMatch  `json:"queryStrings,omitempty"` // one of them holds
}

// HeaderMatch holds when the header has one of the values (* and ? are wildcards).
type HeaderMatch struct {
	Name   string   `json:"name"`   // 1–40 characters; not Host, which is hosts
	Values []string `json:"values"` // one of them holds
}

// QueryMatch holds when the query string has the value, under the key when it is given.
type QueryMatch struct {
	Key   string `json:"key,omitempty"` // empty: any key
	Value string `json:"value"`         // * and ? are wildcards
}

// Destination of the route and the weight it shall have in the end.
type Destination struct {
	Name           string `json:"name"`                     // what people call it: 1–63 characters without spaces
	TargetGroupARN string `json:"targetGroupARN,omitempty"` // alb, nlb: in the region and account of the route
	SetIdentifier  string `json:"setIdentifier,omitempty"`  // route53: of the destination's records, 1–128 characters
	// LoadBalancerARN is the Application Load Balancer that the records lead to, whose
	// metrics then judge the shift; route53 only, and for all destinations or none.
	LoadBalancerARN string `json:"loadBalancerARN,omitempty"`
	Weight          *int   `json:"weight"` // 0–999, route53 0–255; required, so that nothing is 0 or 1 by accident
}

// Strategy is how the traffic moves. Either steps, or stepWeight and stepInterval.
type Strategy struct {
	StepWeight      int       `json:"stepWeight,omitempty"`     // percent of the move per step, 1–100; default 10
	StepInterval    Duration  `json:"stepInterval,omitzero"`    // default 1m
	Steps           []Step    `json:"steps,omitempty"`          // explicit steps; the move ends at 100 percent even when they do not
	Bake            *Duration `json:"bake,omitempty"`           // hold at the last weights with rollback armed; default 5m; 0s: none
	Drain           *Drain    `json:"drain,omitempty"`          // wait for connections that the losing side still has; default for nlb: duration 6m
	OnFailure       string    `json:"onFailure,omitempty"`      // a metric, lost health, a fault that lasts: rollback (default) | hold
	OnDrift         string    `json:"onDrift,omitempty"`        // somebody else wrote the weights: hold (default) | adopt | overrule
	OnInterrupt     string    `json:"onInterrupt,omitempty"`    // SIGINT, SIGTERM, SIGHUP: rollback (default) | hold
	MaxDuration     Duration  `json:"maxDuration,omitzero"`     // of the whole run; default 3 × the planned time + 1h
	RollbackTimeout Duration  `json:"rollbackTimeout,omitzero"` // how long a rollback's write is retried; default 15m
}

// Drain is the wait after the bake, before a destination that has lost all its traffic
// may be retired: no weight moves a connection that is open. Rollback is still armed.
type Drain struct {
	Duration Duration `json:"duration,omitzero"` // at least this long; default 0s
	Metric   *Metric  `json:"metric,omitempty"`  // must pass besides, such as the connections that are left; failureLimit has no meaning here
}

// Step is one entry of explicit steps. Exactly one member is set.
type Step struct {
	SetWeight  *int          `json:"setWeight,omitempty"`  // percent of the move, 1–100, above that of the steps before
	StepWeight *int          `json:"stepWeight,omitempty"` // added to the percent so far
	Pause      *Pause        `json:"pause,omitempty"`      // hold the weights
	Analysis   *StepAnalysis `json:"analysis,omitempty"`   // judge the weights for a time
}

// Pause holds the weights for a time, or until somebody approves when it is empty.
type Pause struct {
	Duration *Duration `json:"duration,omitempty"` // above 0s; left out: until somebody approves
}

// StepAnalysis judges the weights for a time before going on.
type StepAnalysis struct {
	Duration Duration `json:"duration"` // above 0s
}

// Analysis is how each step is judged.
type Analysis struct {
	// Builtin judges by the load balancer's own metrics; default true, for route53 only
	// where every destination has its loadBalancerARN.
	Builtin *bool    `json:"builtin,omitempty"`
	Metrics []Metric `json:"metrics,omitempty"` // judge too
	// MinRequests is how many requests the gaining side must have had in a window for
	// the built-in judgement; default 1.
	MinRequests *int `json:"minRequests,omitempty"`
	// MaxHold bounds how long a step may wait for a verdict, for health, or for an API
	// that does not answer; then onFailure applies; default 10m.
	MaxHold Duration `json:"maxHold,omitzero"`
	Timing  *Timing  `json:"timing,omitempty"` // of the measurements at their source
}

// Timing overrides when measurements are complete at their source. A step is held at
// least settle + period + delay.
type Timing struct {
	Settle *Duration `json:"settle,omitempty"` // until new weights are in force everywhere; CloudWatch: 10s
	Period *Duration `json:"period,omitempty"` // of one data point, above 0s; CloudWatch: 1m
	Delay  *Duration `json:"delay,omitempty"`  // until a period's data is complete; CloudWatch: 2m
}

// Metric is a user's query and its bounds. Exactly one source is set, and at least one
// of min and max.
type Metric struct {
	Name         string            `json:"name"` // 1–63 lower-case letters, digits and hyphens, each name once
	CloudWatch   *CloudWatchMetric `json:"cloudwatch,omitempty"`
	Datadog      *DatadogMetric    `json:"datadog,omitempty"`
	Prometheus   *PrometheusMetric `json:"prometheus,omitempty"`
	Min          *float64          `json:"min,omitempty"`          // a lower value fails
	Max          *float64          `json:"max,omitempty"`          // a higher value fails
	Interval     Duration          `json:"interval,omitzero"`      // one measurement per interval, 1s or more; default 1m
	FailureLimit int               `json:"failureLimit,omitempty"` // failed measurements tolerated over the whole shift; default 0
	NoData       string            `json:"noData,omitempty"`       // a window without data: hold (default) | pass | fail
	MinRequests  int               `json:"minRequests,omitempty"`  // of the gaining side in the window; fewer: inconclusive
	Reducer      string            `json:"reducer,omitempty"`      // avg | sum | min | max | last: over points and series; default: avg of one series
}

// CloudWatchMetric is a list of MetricDataQuery in JSON, as `aws cloudwatch
// get-metric-data --metric-data-queries` takes it; a Go template. Exactly one query
// returns data.
type CloudWatchMetric struct {
	Query      string      `json:"query"`             // JSON of the queries, templated
	Region     string      `json:"region,omitempty"`  // default: that of the route
	Profile    string      `json:"profile,omitempty"` // of the shared AWS configuration files
	AssumeRole *AssumeRole `json:"assumeRole,omitempty"`
}

// DatadogMetric is a query of Datadog's metrics API; a Go template. The keys come from
// DD_API_KEY and DD_APP_KEY, or DATADOG_API_KEY and DATADOG_APP_KEY (or
// DATADOG_APPLICATION_KEY).
type DatadogMetric struct {
	Query string `json:"query"`          // such as sum:trace.http.request.errors{*}.as_rate(), templated
	Site  string `json:"site,omitempty"` // default datadoghq.com; us3, us5, ap1, ap2, uk1.datadoghq.com, datadoghq.eu, ddog-gov.com, us2.ddog-gov.com
	// Address overrides https://api.SITE.
	Address string `json:"address,omitempty"`
}

// PrometheusMetric is a PromQL query; a Go template.
type PrometheusMetric struct {
	Address string `json:"address"` // http(s)://host:port
	Query   string `json:"query"`   // PromQL, templated
}
