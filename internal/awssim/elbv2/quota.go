package elbv2

import (
	"strconv"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Quotas of an account in a region. A zero field means AWS's default. Those of load
// balancers hold for each type on its own.
type Quotas struct {
	LoadBalancers               int // 50
	TargetGroups                int // 3000
	ListenersPerLoadBalancer    int // 50
	RulesPerLoadBalancer        int // 100, default rules left out
	TargetsPerLoadBalancer      int // 1000, of an application load balancer
	TargetsPerNetworkBalancer   int // 3000
	TargetsPerTargetGroup       int // 1000
	TargetGroupsPerLoadBalancer int // 100
	TargetGroupsPerAction       int // 5
	ConditionValuesPerRule      int // 5
	ConditionWildcardsPerRule   int // 5
	CertificatesPerLoadBalancer int // 25, default certificates left out
	TagsPerResource             int // 50
}

func (q Quotas) withDefaults() Quotas {
	for _, f := range []struct {
		field *int
		value int
	}{
		{&q.LoadBalancers, 50},
		{&q.TargetGroups, 3000},
		{&q.ListenersPerLoadBalancer, 50},
		{&q.RulesPerLoadBalancer, 100},
		{&q.TargetsPerLoadBalancer, 1000},
		{&q.TargetsPerNetworkBalancer, 3000},
		{&q.TargetsPerTargetGroup, 1000},
		{&q.TargetGroupsPerLoadBalancer, 100},
		{&q.TargetGroupsPerAction, 5},
		{&q.ConditionValuesPerRule, 5},
		{&q.ConditionWildcardsPerRule, 5},
		{&q.CertificatesPerLoadBalancer, 25},
		{&q.TagsPerResource, 50},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return q
}

func (q Quotas) targets(lb *loadBalancer) int {
	if lb.kind == network {
		return q.TargetsPerNetworkBalancer
	}
	return q.TargetsPerLoadBalancer
}

type limit struct {
	name string
	max  int
}

func (q Quotas) limits() []limit {
	return []limit{
		{"target-groups", q.TargetGroups},
		{"application-load-balancers", q.LoadBalancers},
		{"listeners-per-application-load-balancer", q.ListenersPerLoadBalancer},
		{"rules-per-application-load-balancer", q.RulesPerLoadBalancer},
		{"targets-per-application-load-balancer", q.TargetsPerLoadBalancer},
		{"targets-per-target-group", q.TargetsPerTargetGroup},
		{"target-groups-per-application-load-balancer", q.TargetGroupsPerLoadBalancer},
		{"target-groups-per-action-on-application-load-balancer", q.TargetGroupsPerAction},
		{"condition-values-per-alb-rule", q.ConditionValuesPerRule},
		{"condition-wildcards-per-alb-rule", q.ConditionWildcardsPerRule},
		{"certificates-per-application-load-balancer", q.CertificatesPerLoadBalancer},
		{"network-load-balancers", q.LoadBalancers},
		{"listeners-per-network-load-balancer", q.ListenersPerLoadBalancer},
		{"targets-per-network-load-balancer", q.TargetsPerNetworkBalancer},
		{"target-groups-per-action-on-network-load-balancer", q.TargetGroupsPerAction},
		{"certificates-per-network-load-balancer", q.CertificatesPerLoadBalancer},
	}
}

func (c *call) describeAccountLimits() (wire.Struct, error) {
	part, next, err := page(c, c.s.cfg.Quotas.limits(), func(l limit) string { return l.name })
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("Limits", wire.ListOf(part, func(l limit) wire.Struct {
		return wire.Struct{kv("Name", l.name), kv("Max", strconv.Itoa(l.max))}
	})), next}, nil
}
