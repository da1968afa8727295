package fault

import "slices"

// Kind of a fault.
type Kind string

// The faults of API calls.
const (
	Throttle     Kind = "throttle"      // the service's own throttling code, no effect
	ErrorBefore  Kind = "error-before"  // HTTP 500, no effect
	ErrorAfter   Kind = "error-after"   // HTTP 500, although the effect took place
	AccessDenied Kind = "access-denied" // HTTP 403, no effect
	ExpiredToken Kind = "expired-token" // HTTP 403 (EC2: 400), no effect
	Refusal      Kind = "error"         // Code, HTTP Status (400), no effect
	Latency      Kind = "latency"       // Duration passes before the call takes effect
	DropBefore   Kind = "drop-before"   // connection closed without an answer, no effect
	DropAfter    Kind = "drop-after"    // connection closed without an answer, although the effect took place
	StaleRead    Kind = "stale-read"    // a read answers as it did before the service's newest change, for Duration after that
	ShortPages   Kind = "short-pages"   // pages of lists hold at most Count items
)

// The faults of the data planes, of metrics, and of what AWS does later. They hold until
// they are removed.
const (
	WeightsDelay     Kind = "weights-delay"     // changes reach the load balancers' data plane Duration late
	MetricDelay      Kind = "metric-delay"      // metric data can be read Duration later than otherwise
	MetricMissing    Kind = "metric-missing"    // metrics whose name matches Name lose their data
	TargetFailure    Kind = "target"            // targets of TargetGroup fail at FailRate and answer Latency late
	Lose             Kind = "lose"              // the load balancer counts, but never forwards, the next Count requests or connections
	PropagationDelay Kind = "propagation-delay" // Route 53 changes stay PENDING for Duration
	HealthCheck      Kind = "health-check"      // Route 53 health checks whose ID matches Name are unhealthy
	IndexLag         Kind = "index-lag"         // the tagging service sees changes Duration late
	ClusterDelay     Kind = "cluster-delay"     // EKS clusters take Duration to become what they become
	ClusterFailure   Kind = "cluster-failure"   // EKS clusters whose name matches Name end FAILED
)

// fieldsOf lists the kinds and the fields that each may have.
func fieldsOf() map[Kind][]string {
	call := []string{"service", "operation", "skip", "times", "probability"}
	with := func(more ...string) []string { return append(slices.Clone(call), more...) }
	return map[Kind][]string{
		Throttle: call, ErrorBefore: call, ErrorAfter: call, AccessDenied: call, ExpiredToken: call, DropBefore: call, DropAfter: call,
		Refusal:          with("code", "status"),
		Latency:          with("duration"),
		StaleRead:        with("duration"),
		ShortPages:       with("count"),
		WeightsDelay:     {"duration"},
		MetricDelay:      {"duration"},
		MetricMissing:    {"name"},
		TargetFailure:    {"targetGroup", "failRate", "latency", "slowRate"},
		Lose:             {"count"},
		PropagationDelay: {"duration"},
		HealthCheck:      {"name"},
		IndexLag:         {"duration"},
		ClusterDelay:     {"duration"},
		ClusterFailure:   {"name"},
	}
}

// Kinds lists all kinds, sorted.
func Kinds() []Kind {
	var out []Kind
	for k := range fieldsOf() {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Fields lists the fields that a kind may have, as they are written in JSON.
func Fields(k Kind) []string { return fieldsOf()[k] }
