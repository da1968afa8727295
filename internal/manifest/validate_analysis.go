package manifest

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/arn"
)

func (v *validator) analysis(a v1alpha1.Analysis) {
	const path = "spec.analysis"
	if a.MinRequests != nil && *a.MinRequests < 0 {
		v.bad(path+".minRequests", fmt.Sprint(*a.MinRequests), "want 0 or more")
	}
	v.optional(path+".maxHold", a.MaxHold.Duration)
	if t := a.Timing; t != nil {
		if t.Settle != nil {
			v.duration(path+".timing.settle", t.Settle.Duration, 0)
		}
		if t.Period != nil {
			v.positive(path+".timing.period", t.Period.Duration)
		}
		if t.Delay != nil {
			v.duration(path+".timing.delay", t.Delay.Duration, 0)
		}
	}
	names := map[string]int{}
	for i, m := range a.Metrics {
		p := at(path+".metrics", i)
		v.unique(names, p+".name", m.Name, path+".metrics", i)
		v.metric(p, m)
	}
}

// judges makes sure that a route without metrics of its own is judged by something, or
// by nothing only when that is said.
func (v *validator) judges(spec *v1alpha1.TrafficShiftSpec) {
	if spec.Route.Route53 == nil || spec.Route.ALB != nil || spec.Route.NLB != nil {
		return
	}
	const path = "spec.analysis"
	measured := slices.ContainsFunc(spec.Destinations, func(d v1alpha1.Destination) bool { return d.LoadBalancerARN != "" })
	asked := spec.Analysis.Builtin
	switch {
	case asked != nil && !*asked:
	case measured:
		v.sameAccount(spec.Destinations)
	case asked != nil:
		v.bad(path+".builtin", "true", "Route 53 has no metrics of what it sends where: give every destination its loadBalancerARN, or set builtin: false")
	case len(spec.Analysis.Metrics) == 0:
		v.bad(path, "", "has nothing to judge by, because Route 53 has no metrics of what it sends where: add metrics, give every destination its loadBalancerARN, or say builtin: false to be judged by health checks alone")
	}
}

// sameAccount: the load balancers that judge are of one account, as the credentials are.
func (v *validator) sameAccount(ds []v1alpha1.Destination) {
	first, of := "", ""
	for i, d := range ds {
		path := at("spec.destinations", i) + ".loadBalancerARN"
		lb, err := arn.ParseLoadBalancer(d.LoadBalancerARN)
		switch {
		case err != nil: // told elsewhere
		case first == "":
			first, of = path, lb.Account
		case lb.Account != of:
			v.bad(path, quote(d.LoadBalancerARN), "is in account %s, but %s in %s: the metrics of all are read with the credentials of one; remove the lines of all destinations, and add analysis.metrics, which may each have an assumeRole", lb.Account, first, of)
		}
	}
}

func (v *validator) metric(path string, m v1alpha1.Metric) {
	if !isLabel(m.Name) {
		v.missingOr(path+".name", m.Name, labelRule)
	}
	v.source(path, m)
	v.bounds(path, m)
	if m.Interval.Duration != 0 {
		v.duration(path+".interval", m.Interval.Duration, time.Second)
	}
	if m.FailureLimit < 0 {
		v.bad(path+".failureLimit", fmt.Sprint(m.FailureLimit), "want 0 or more failed measurements that are tolerated over the whole shift")
	}
	if m.MinRequests < 0 {
		v.bad(path+".minRequests", fmt.Sprint(m.MinRequests), "want 0 or more")
	}
	v.oneOf(path+".noData", m.NoData, string(analysis.NoDataHold), string(analysis.NoDataPass), string(analysis.NoDataFail))
	v.oneOf(path+".reducer", m.Reducer, "avg", "sum", "min", "max", "last")
}

func (v *validator) bounds(path string, m v1alpha1.Metric) {
	if m.Min == nil && m.Max == nil {
		v.badAmong(path, []string{"min", "max"}, "has neither min nor max: want at least one bound, such as max: 1, or the metric would pass whatever it measures")
		return
	}
	finite := v.finite(path+".min", m.Min) && v.finite(path+".max", m.Max)
	if finite && m.Min != nil && m.Max != nil && *m.Min > *m.Max {
		v.bad(path+".min", fmt.Sprint(*m.Min), "is above max, %v: no value could pass; swap them", *m.Max)
	}
}

func (v *validator) finite(path string, bound *float64) bool {
	if bound == nil || !math.IsNaN(*bound) && !math.IsInf(*bound, 0) {
		return true
	}
	v.bad(path, fmt.Sprint(*bound), "want a finite number; leave the line out for no bound")
	return false
}

func (v *validator) source(path string, m v1alpha1.Metric) {
	var given []string
	if c := m.CloudWatch; c != nil {
		given = append(given, "cloudwatch")
		v.query(path+".cloudwatch.query", c.Query, "a JSON list of MetricDataQuery, as `aws cloudwatch get-metric-data --metric-data-queries` takes it")
		if c.AssumeRole != nil {
			v.role(path+".cloudwatch.assumeRole", c.AssumeRole)
		}
	}
	if d := m.Datadog; d != nil {
		given = append(given, "datadog")
		v.query(path+".datadog.query", d.Query, "a Datadog metrics query, such as sum:trace.http.request.errors{*}.as_rate()")
		v.datadog(path+".datadog", d)
	}
	if p := m.Prometheus; p != nil {
		given = append(given, "prometheus")
		v.query(path+".prometheus.query", p.Query, "a PromQL query")
		v.address(path+".prometheus.address", p.Address, "http://prometheus:9090")
	}
	if len(given) != 1 {
		has := "no source"
		if len(given) > 0 {
			has = strings.Join(given, " and ")
		}
		v.badAmong(path, []string{"cloudwatch", "datadog", "prometheus"}, "has %s, want exactly one of cloudwatch, datadog and prometheus: give each a metric of its own", has)
	}
}

func (v *validator) query(path, q, want string) {
	if strings.TrimSpace(q) == "" {
		v.missingOr(path, q, "want "+want)
	}
}

func (v *validator) datadog(path string, d *v1alpha1.DatadogMetric) {
	sites := DatadogSites()
	if d.Site != "" && !slices.Contains(sites, d.Site) {
		v.oneOf(path+".site", d.Site, sites...)
	}
	if d.Address != "" {
		v.address(path+".address", d.Address, "https://api.datadoghq.com")
	}
}

// DatadogSites are those of https://docs.datadoghq.com/getting_started/site/. The
// adapter has the same; a test of internal/app holds them equal.
func DatadogSites() []string {
	return []string{
		"datadoghq.com", "us3.datadoghq.com", "us5.datadoghq.com", "ap1.datadoghq.com", "ap2.datadoghq.com",
		"uk1.datadoghq.com", "datadoghq.eu", "ddog-gov.com", "us2.ddog-gov.com",
	}
}

func (v *validator) address(path, s, example string) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		v.missingOr(path, s, "want an address with http:// or https:// and a host, such as "+example)
	}
}
