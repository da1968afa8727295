// Package model holds the nouns that the simulator's control plane and its data
// planes share: a snapshot of load balancers, listeners, rules and target groups,
// and the seams between the packages that own them. It has no behaviour of its own.
package model

import (
	"strings"
	"time"
)

// Config is a consistent, immutable snapshot of one lab's load balancing: the
// control plane builds a new one after each change and hands it to a DataPlane.
// Nobody may write to a Config, or to anything reachable from it, after that.
type Config struct {
	LoadBalancers []LoadBalancer
	Listeners     []Listener
	TargetGroups  map[string]TargetGroup // by ARN
}

// LoadBalancer is an ELBv2 load balancer as the data plane sees it.
type LoadBalancer struct {
	ARN     string
	Name    string
	Type    string // application | network
	DNSName string
	// HostedZoneID is the zone of DNSName, which Route 53 aliases name.
	HostedZoneID  string
	IPAddressType string // ipv4 | dualstack | dualstack-without-public-ipv4
	Zones         []string
	Attributes    map[string]string
}

// Listener accepts connections for a load balancer.
type Listener struct {
	ARN             string
	LoadBalancerARN string
	Port            int
	Protocol        string // HTTP | HTTPS (ALB), TCP | TLS | UDP | TCP_UDP (NLB)
	Attributes      map[string]string
	// Rules in the order of evaluation. The last one is the default rule.
	Rules []Rule
}

// Rule is a listener rule. All of its conditions must match.
type Rule struct {
	ARN        string
	Priority   int // 1–50000; 0 for the default rule, which is evaluated last
	IsDefault  bool
	Conditions []Condition
	Actions    []Action
}

// Condition of a rule. Any of its values may match.
type Condition struct {
	Field      string // host-header | path-pattern | http-header | http-request-method | query-string | source-ip
	Values     []string
	Regexes    []string // host-header, path-pattern and http-header only
	HeaderName string   // http-header only
	Query      []QueryPair
	// IPAddressType is what a source-ip condition of a network load balancer has
	// instead of Values: ipv4 | ipv6.
	IPAddressType string
}

// QueryPair is a key (may be empty) and a value pattern of a query-string condition.
type QueryPair struct{ Key, Value string }

// Action of a rule.
type Action struct {
	Type          string // forward | redirect | fixed-response | authenticate-oidc | authenticate-cognito | jwt-validation
	Order         int
	Forward       *Forward
	Redirect      *Redirect
	FixedResponse *FixedResponse
	// Auth keeps the parameters of an authentication action as they were given
	// (client secrets left out). The data plane lets every request pass.
	Auth map[string]any
}

// Forward spreads requests over target groups by weight / sum of weights.
type Forward struct {
	TargetGroups []WeightedTargetGroup
	Stickiness   *Stickiness // nil: never given
}

// WeightedTargetGroup is a target group of a forward action. Weight is 0–999.
type WeightedTargetGroup struct {
	ARN    string
	Weight int
}

// Stickiness of a forward action over its target groups.
type Stickiness struct {
	Enabled         bool
	DurationSeconds int // 1–604800; 0: not given, as always on network load balancers
}

// Redirect answers with a Location header.
type Redirect struct {
	Protocol, Port, Host, Path, Query string // "#{…}" placeholders are kept
	StatusCode                        string // HTTP_301 | HTTP_302
}

// FixedResponse answers by itself.
type FixedResponse struct {
	StatusCode  string
	ContentType string
	MessageBody string
}

// TargetGroup is a set of targets and how their health is checked.
type TargetGroup struct {
	ARN             string
	Name            string
	Protocol        string // HTTP | HTTPS (ALB), TCP | TLS | UDP | TCP_UDP (NLB)
	ProtocolVersion string
	Port            int
	TargetType      string // instance | ip | alb
	IPAddressType   string // ipv4 | ipv6
	HealthCheck     HealthCheck
	Attributes      map[string]string
	Targets         []Target
	// InUse says that a rule that is in force names the group; without that its
	// targets are "unused" and not checked.
	InUse bool
}

// Network says that the group is for network load balancers.
func (g TargetGroup) Network() bool { return IsNetwork(g.Protocol) }

// IsNetwork says whether a listener's or a target group's protocol is one of network
// load balancers.
func IsNetwork(protocol string) bool {
	switch protocol {
	case "TCP", "TLS", "UDP", "TCP_UDP":
		return true
	}
	return false
}

// HealthCheck of a target group.
type HealthCheck struct {
	Enabled            bool
	Protocol           string
	Port               string // a number or "traffic-port"
	Path               string
	Interval           time.Duration
	Timeout            time.Duration
	HealthyThreshold   int
	UnhealthyThreshold int
	HTTPCode           string // "200", "200,202", "200-299"
}

// Target is registered in a target group. While it drains it stays in the list.
type Target struct {
	ID   string // an IP address, an instance, or the ARN of an application load balancer
	Port int
	AZ   string
	// DrainingSince is when DeregisterTargets was called; zero: registered.
	DrainingSince time.Time
}

// TargetHealth is a target's state as DescribeTargetHealth words it.
type TargetHealth struct {
	State       string // initial | healthy | unhealthy | unused | draining | unavailable | unhealthy.draining
	Reason      string // e.g. Target.FailedHealthChecks; empty when healthy
	Description string
}

// Resource is what the tagging service knows of a resource.
type Resource struct {
	ARN  string
	Tags map[string]string // empty for one that never had tags, which the service never shows
}

// DataPlane carries the traffic that a Config describes.
type DataPlane interface {
	// Apply makes c the desired configuration. It must not block on I/O and must
	// not call back into the control plane.
	Apply(c Config)
	// Health of one target of a group, as of now.
	Health(targetGroupARN string, t Target) TargetHealth
	// Addr is the host:port on which a listener can be reached, "" when it has none.
	Addr(listenerARN string) string
	// Close stops listeners, health checks and metrics.
	Close() error
}

// Datum is a statistic set for one metric and one period, as a service reports it.
type Datum struct {
	Namespace  string
	Name       string
	Dimensions []Dimension
	Unit       string
	Timestamp  time.Time // the start of the period
	Sum        float64
	Min        float64
	Max        float64
	Count      float64   // SampleCount
	Values     []float64 // single samples for percentiles; may be empty
}

// Dimension of a metric.
type Dimension struct{ Name, Value string }

// Sink takes metrics. scope is "ACCOUNT/REGION".
type Sink interface {
	Put(scope string, data []Datum)
}

// Scope is the "ACCOUNT/REGION" of an ARN.
func Scope(arn string) string {
	p := strings.SplitN(arn, ":", 6)
	if len(p) < 6 {
		return ""
	}
	return p[4] + "/" + p[3]
}

// LoadBalancerDimension is the LoadBalancer dimension's value for a load balancer's
// ARN: "app/NAME/ID" or "net/NAME/ID", without "loadbalancer/".
func LoadBalancerDimension(arn string) string {
	_, s, _ := strings.Cut(arn, ":loadbalancer/")
	return s
}

// IsNetworkBalancer says whether a load balancer's ARN is that of a network one.
func IsNetworkBalancer(arn string) bool { return strings.HasPrefix(LoadBalancerDimension(arn), "net/") }

// TargetGroupDimension is the TargetGroup dimension's value for a target group's
// ARN: "targetgroup/NAME/ID", which keeps its prefix.
func TargetGroupDimension(arn string) string {
	_, s, ok := strings.Cut(arn, ":targetgroup/")
	if !ok {
		return ""
	}
	return "targetgroup/" + s
}
