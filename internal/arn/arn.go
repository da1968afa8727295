// Package arn reads the Amazon Resource Names of Elastic Load Balancing: what they
// name, where it lives, and the metric dimensions that derive from them. It is pure.
//
// The partition is always read, never assumed: aws, aws-cn, aws-us-gov and others
// differ in nothing else.
package arn

import (
	"fmt"
	"regexp"
	"strings"
)

// Name is the common part of every ARN.
type Name struct {
	ARN       string // as it was given
	Partition string // aws, aws-cn, aws-us-gov, …
	Service   string // elasticloadbalancing
	Region    string
	Account   string // 12 digits
	Resource  string // everything after the account
}

// LoadBalancerType is how ARNs spell a load balancer's type.
type LoadBalancerType string

// The types of load balancers.
const (
	Application LoadBalancerType = "app"
	Network     LoadBalancerType = "net"
	Gateway     LoadBalancerType = "gwy"
)

// LoadBalancer is what a load balancer's ARN says, and what those of its listeners and
// rules say about it.
type LoadBalancer struct {
	Name

	Type LoadBalancerType
	// Suffix is the value of the metric dimension LoadBalancer: app/NAME/ID.
	Suffix string
}

// Listener is what a listener's ARN says.
type Listener struct {
	Name

	LoadBalancer LoadBalancer
}

// Rule is what a listener rule's ARN says.
type Rule struct {
	Name

	Listener Listener
}

// TargetGroup is what a target group's ARN says.
type TargetGroup struct {
	Name

	GroupName string
	// Suffix is the value of the metric dimension TargetGroup: targetgroup/NAME/ID.
	Suffix string
}

const service = "elasticloadbalancing"

// shape of one kind of ARN, for reading and for messages.
type shape struct {
	article, kind string
	resource      string // in words
	parts         int    // of the resource, between slashes
}

func loadBalancerShape() shape {
	return shape{"a", "load balancer", "loadbalancer/(app|net|gwy)/NAME/ID", 4}
}

func listenerShape() shape {
	return shape{"a", "listener", "listener/(app|net|gwy)/NAME/LOAD-BALANCER-ID/ID", 5}
}

func ruleShape() shape {
	return shape{"a", "listener rule", "listener-rule/(app|net|gwy)/NAME/LOAD-BALANCER-ID/LISTENER-ID/ID", 6}
}

func targetGroupShape() shape {
	return shape{"a", "target group", "targetgroup/NAME/ID", 3}
}

// Parse reads any ARN.
func Parse(s string) (Name, error) {
	p := strings.SplitN(s, ":", 6)
	if len(p) < 6 || p[0] != "arn" {
		return Name{}, fmt.Errorf("%q is not an ARN: want arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE", s)
	}
	if p[1] == "" || p[2] == "" || p[5] == "" {
		return Name{}, fmt.Errorf("%q is not an ARN: the partition, the service or the resource is empty", s)
	}
	return Name{ARN: s, Partition: p[1], Service: p[2], Region: p[3], Account: p[4], Resource: p[5]}, nil
}

// ParseLoadBalancer reads a load balancer's ARN.
func ParseLoadBalancer(s string) (LoadBalancer, error) {
	n, parts, err := parse(s, loadBalancerShape())
	if err != nil {
		return LoadBalancer{}, err
	}
	return loadBalancer(n, parts), nil
}

// ParseListener reads a listener's ARN.
func ParseListener(s string) (Listener, error) {
	n, parts, err := parse(s, listenerShape())
	if err != nil {
		return Listener{}, err
	}
	return listener(n, parts), nil
}

// ParseRule reads a listener rule's ARN.
func ParseRule(s string) (Rule, error) {
	n, parts, err := parse(s, ruleShape())
	if err != nil {
		return Rule{}, err
	}
	return Rule{Name: n, Listener: listener(n, parts[:5])}, nil
}

// ParseTargetGroup reads a target group's ARN.
func ParseTargetGroup(s string) (TargetGroup, error) {
	n, parts, err := parse(s, targetGroupShape())
	if err != nil {
		return TargetGroup{}, err
	}
	return TargetGroup{Name: n, GroupName: parts[1], Suffix: n.Resource}, nil
}

// listener of an ARN whose parts are KIND/TYPE/NAME/LOAD-BALANCER-ID/ID.
func listener(n Name, parts []string) Listener {
	return Listener{
		Name:         n.with("listener", parts[1:5]),
		LoadBalancer: loadBalancer(n, parts[:4]),
	}
}

// loadBalancer of an ARN whose parts are KIND/TYPE/NAME/ID.
func loadBalancer(n Name, parts []string) LoadBalancer {
	return LoadBalancer{
		Name:   n.with("loadbalancer", parts[1:4]),
		Type:   LoadBalancerType(parts[1]),
		Suffix: strings.Join(parts[1:4], "/"),
	}
}

// with names another resource in the same place.
func (n Name) with(kind string, parts []string) Name {
	n.Resource = kind + "/" + strings.Join(parts, "/")
	n.ARN = strings.Join([]string{"arn", n.Partition, n.Service, n.Region, n.Account, n.Resource}, ":")
	return n
}

// SamePlace tells whether both live in one partition, region and account.
func (n Name) SamePlace(o Name) bool {
	return n.Partition == o.Partition && n.Region == o.Region && n.Account == o.Account
}

// Place is where the resource lives, for messages.
func (n Name) Place() string {
	return fmt.Sprintf("region %s, account %s, partition %s", n.Region, n.Account, n.Partition)
}

func parse(s string, want shape) (Name, []string, error) {
	n, err := Parse(s)
	if err != nil {
		return Name{}, nil, fmt.Errorf("%w (%s %s ARN: %s)", err, want.article, want.kind, want.form())
	}
	parts := strings.Split(n.Resource, "/")
	if why := n.wrong(parts, want); why != "" {
		return Name{}, nil, fmt.Errorf("%q is not %s %s ARN: %s; want %s", s, want.article, want.kind, why, want.form())
	}
	return n, parts, nil
}

func (w shape) form() string {
	return "arn:PARTITION:" + service + ":REGION:ACCOUNT:" + w.resource
}

// wrong says what keeps an ARN from having the wanted shape, "" when nothing does.
func (n Name) wrong(parts []string, want shape) string {
	wantKind, _, _ := strings.Cut(want.resource, "/")
	switch {
	case n.Service != service:
		return fmt.Sprintf("its service is %q", n.Service)
	case !partitionPattern.MatchString(n.Partition):
		return fmt.Sprintf("its partition is %q", n.Partition)
	case !regionPattern.MatchString(n.Region):
		return fmt.Sprintf("its region is %q", n.Region)
	case !accountPattern.MatchString(n.Account):
		return fmt.Sprintf("its account is %q, not 12 digits", n.Account)
	case parts[0] != wantKind:
		return "it names " + kindInWords(parts[0])
	case len(parts) != want.parts:
		return fmt.Sprintf("its resource %q has %d parts, not %d", n.Resource, len(parts), want.parts)
	}
	typed := want.parts > 3 // all but target groups carry the load balancer's type
	if t := LoadBalancerType(parts[1]); typed && t != Application && t != Network && t != Gateway {
		return fmt.Sprintf("its load balancer type is %q", parts[1])
	}
	nameAt := 1
	if typed {
		nameAt = 2
	}
	if !namePattern.MatchString(parts[nameAt]) {
		return fmt.Sprintf("the name %q is not 1–32 letters, digits and hyphens", parts[nameAt])
	}
	for _, id := range parts[nameAt+1:] {
		if !idPattern.MatchString(id) {
			return fmt.Sprintf("the ID %q is not 16 hexadecimal digits", id)
		}
	}
	return ""
}

func kindInWords(kind string) string {
	for _, s := range []shape{loadBalancerShape(), listenerShape(), ruleShape(), targetGroupShape()} {
		if k, _, _ := strings.Cut(s.resource, "/"); k == kind {
			return s.article + " " + s.kind
		}
	}
	return fmt.Sprintf("a resource of kind %q", kind)
}

// Compiled once: every answer of AWS is full of ARNs.
var (
	partitionPattern = regexp.MustCompile(`^aws[a-z-]*$`)
	regionPattern    = regexp.MustCompile(`^[a-z]{2,}(-[a-z0-9]+)+$`)
	accountPattern   = regexp.MustCompile(`^\d{12}$`)
	namePattern      = regexp.MustCompile(`^[A-Za-z0-9-]{1,32}$`)
	idPattern        = regexp.MustCompile(`^[0-9a-f]{16}$`)
)

// LoadBalancerSuffix is the value of the metric dimension LoadBalancer for the ARN of a
// load balancer, or of one of its listeners or rules; "" when it is none of them.
func LoadBalancerSuffix(s string) string {
	if lb, err := ParseLoadBalancer(s); err == nil {
		return lb.Suffix
	}
	if l, err := ParseListener(s); err == nil {
		return l.LoadBalancer.Suffix
	}
	if r, err := ParseRule(s); err == nil {
		return r.Listener.LoadBalancer.Suffix
	}
	return ""
}

// TargetGroupSuffix is the value of the metric dimension TargetGroup for a target
// group's ARN; "" when it is none.
func TargetGroupSuffix(s string) string {
	tg, err := ParseTargetGroup(s)
	if err != nil {
		return ""
	}
	return tg.Suffix
}

// Region of any ARN; "" when s is none or names no region.
func Region(s string) string {
	n, err := Parse(s)
	if err != nil {
		return ""
	}
	return n.Region
}
