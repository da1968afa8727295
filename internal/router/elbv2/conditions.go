package elbv2

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Numbered declares a numbered rule: its place in the order of evaluation and what it
// matches. Every kind of condition that is given must match; within a kind one of the
// values is enough, but for Headers, which must all match.
type Numbered struct {
	Priority     int      // 1–50000, unique on the listener, lower is evaluated first
	Hosts        []string // case-insensitive; * and ? are wildcards
	PathPatterns []string // case-sensitive; * and ? are wildcards
	Methods      []string
	SourceIPs    []string // CIDRs of the peer
	Headers      []Header
	QueryStrings []Query
}

// Header matches when the header has one of the values, case-insensitively.
type Header struct {
	Name   string
	Values []string
}

// Query matches a parameter of the query string, case-insensitively. An empty Key: any.
type Query struct{ Key, Value string }

// The fields of conditions, as AWS spells them.
const (
	fieldHost   = "host-header"
	fieldPath   = "path-pattern"
	fieldMethod = "http-request-method"
	fieldSource = "source-ip"
	fieldHeader = "http-header"
	fieldQuery  = "query-string"
)

// condition is one condition of a rule in one form, whether declared or read.
type condition struct {
	field   string
	header  string // http-header only
	values  []string
	regexes []string
	query   []Query // query-string only
}

// conditions that are declared.
func (n Numbered) conditions() []condition {
	var out []condition
	add := func(field string, values []string) {
		if len(values) > 0 {
			out = append(out, condition{field: field, values: values})
		}
	}
	add(fieldHost, n.Hosts)
	add(fieldPath, n.PathPatterns)
	add(fieldMethod, n.Methods)
	add(fieldSource, n.SourceIPs)
	for _, h := range n.Headers {
		out = append(out, condition{field: fieldHeader, header: h.Name, values: h.Values})
	}
	if len(n.QueryStrings) > 0 {
		out = append(out, condition{field: fieldQuery, query: n.QueryStrings})
	}
	return out
}

// read conditions come with the short form (Values), the long form (…Config) or both.
func conditionsOf(in []types.RuleCondition) []condition {
	out := make([]condition, len(in))
	for i, c := range in {
		out[i] = conditionOf(c)
	}
	return out
}

func conditionOf(c types.RuleCondition) condition {
	out := condition{field: aws.ToString(c.Field), values: slices.Clone(c.Values), regexes: slices.Clone(c.RegexValues)}
	add := func(values, regexes []string) {
		out.values = append(out.values, values...)
		out.regexes = append(out.regexes, regexes...)
	}
	if x := c.HostHeaderConfig; x != nil {
		add(x.Values, x.RegexValues)
	}
	if x := c.PathPatternConfig; x != nil {
		add(x.Values, x.RegexValues)
	}
	if x := c.HttpRequestMethodConfig; x != nil {
		add(x.Values, nil)
	}
	if x := c.SourceIpConfig; x != nil {
		add(x.Values, nil)
		if x.IpAddressType != "" { // of an NLB's rule, which knows nothing else
			add([]string{string(x.IpAddressType)}, nil)
		}
	}
	if x := c.HttpHeaderConfig; x != nil {
		out.header = aws.ToString(x.HttpHeaderName)
		add(x.Values, x.RegexValues)
	}
	if x := c.QueryStringConfig; x != nil {
		for _, p := range x.Values {
			out.query = append(out.query, Query{aws.ToString(p.Key), aws.ToString(p.Value)})
		}
	}
	return out
}

// sdk is the long form, which every kind of condition has.
func (c condition) sdk() types.RuleCondition {
	out := types.RuleCondition{Field: aws.String(c.field)}
	switch c.field {
	case fieldHost:
		out.HostHeaderConfig = &types.HostHeaderConditionConfig{Values: c.values}
	case fieldPath:
		out.PathPatternConfig = &types.PathPatternConditionConfig{Values: c.values}
	case fieldMethod:
		out.HttpRequestMethodConfig = &types.HttpRequestMethodConditionConfig{Values: c.values}
	case fieldSource:
		out.SourceIpConfig = &types.SourceIpConditionConfig{Values: c.values}
	case fieldHeader:
		out.HttpHeaderConfig = &types.HttpHeaderConditionConfig{HttpHeaderName: aws.String(c.header), Values: c.values}
	case fieldQuery:
		pairs := make([]types.QueryStringKeyValuePair, len(c.query))
		for i, q := range c.query {
			pairs[i].Value = aws.String(q.Value)
			if q.Key != "" {
				pairs[i].Key = aws.String(q.Key)
			}
		}
		out.QueryStringConfig = &types.QueryStringConditionConfig{Values: pairs}
	}
	return out
}

func sdkConditions(in []condition) []types.RuleCondition {
	out := make([]types.RuleCondition, len(in))
	for i, c := range in {
		out[i] = c.sdk()
	}
	return out
}

// folds tells whether AWS compares the values of a field without regard to case.
func folds(field string) bool {
	return field == fieldHost || field == fieldHeader || field == fieldQuery
}

// normal is the condition without what has no meaning: order, repetitions, and case
// where it does not count.
func (c condition) normal() condition {
	fold := func(s string) string {
		if folds(c.field) {
			return strings.ToLower(s)
		}
		return s
	}
	out := condition{field: c.field, header: strings.ToLower(c.header)}
	for _, v := range c.values {
		out.values = append(out.values, fold(v))
	}
	for _, q := range c.query {
		out.query = append(out.query, Query{fold(q.Key), fold(q.Value)})
	}
	out.regexes = slices.Clone(c.regexes)
	slices.Sort(out.values)
	slices.Sort(out.regexes)
	slices.SortFunc(out.query, func(a, b Query) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Value, b.Value)) })
	out.values, out.regexes, out.query = slices.Compact(out.values), slices.Compact(out.regexes), slices.Compact(out.query)
	return out
}

// sameConditions compares two rules' conditions as sets of sets.
func sameConditions(a, b []condition) bool {
	keys := func(in []condition) []string {
		out := make([]string, len(in))
		for i, c := range in {
			n := c.normal()
			out[i] = fmt.Sprintf("%q %q %q %q %q", n.field, n.header, n.values, n.regexes, n.query)
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	return slices.Equal(keys(a), keys(b))
}

// String is for messages: "host-header example.com|www.example.com".
func (c condition) String() string {
	values := slices.Concat(c.values, c.regexes)
	for _, q := range c.query {
		if q.Key == "" {
			values = append(values, q.Value)
		} else {
			values = append(values, q.Key+"="+q.Value)
		}
	}
	slices.Sort(values)
	name := c.field
	if c.header != "" {
		name += " " + c.header + ":"
	}
	return name + " " + strings.Join(slices.Compact(values), "|")
}

// describe a rule's conditions for messages.
func describe(in []condition) string {
	if len(in) == 0 {
		return "every request"
	}
	parts := make([]string, len(in))
	for i, c := range in {
		parts[i] = c.String()
	}
	slices.Sort(parts)
	return strings.Join(parts, " and ")
}
