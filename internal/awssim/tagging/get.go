package tagging

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// Limits of GetResources.
const (
	maxTagFilters   = 50
	maxFilterValues = 20
	maxTypeFilters  = 100
	maxARNs         = 100
	maxPerPage      = 100
	minTagsPerPage  = 100
	maxTagsPerPage  = 500
)

// typeFilter is service[:resourceType], as ARNs have them.
var typeFilter = regexp.MustCompile(`^([a-z0-9-]+)(?::([A-Za-z0-9./_-]+))?$`)

// query is what GetResources asks for.
type query struct {
	arns  []string
	types []resourceType
	tags  []tagFilter
}

type resourceType struct{ service, kind string }

// tagFilter matches a resource that has the key, with one of the values if there are any.
type tagFilter struct {
	key    string
	values []string
}

func (f tagFilter) matches(tags map[string]string) bool {
	v, ok := tags[f.key]
	return ok && (len(f.values) == 0 || slices.Contains(f.values, v))
}

func (t resourceType) matches(arn string) bool {
	part := strings.SplitN(arn, ":", 6)
	if len(part) != 6 || part[2] != t.service {
		return false
	}
	return t.kind == "" || strings.HasPrefix(part[5], t.kind+"/") || strings.HasPrefix(part[5], t.kind+":")
}

// matches: one of the types, and all of the tag filters.
func (q query) matches(r model.Resource) bool {
	if len(q.arns) > 0 {
		return slices.Contains(q.arns, r.ARN)
	}
	if len(q.types) > 0 && !slices.ContainsFunc(q.types, func(t resourceType) bool { return t.matches(r.ARN) }) {
		return false
	}
	return !slices.ContainsFunc(q.tags, func(f tagFilter) bool { return !f.matches(r.Tags) })
}

func parseQuery(p wire.Params) (query, error) {
	q := query{arns: p.Strings("ResourceARNList")}
	if p.Has("ResourceARNList") {
		for _, other := range []string{"ResourceTypeFilters", "TagFilters", "ResourcesPerPage", "TagsPerPage", "PaginationToken"} {
			if given(p, other) {
				return q, invalid("ResourceARNList cannot be given together with %s", other)
			}
		}
		if n := len(q.arns); n < 1 || n > maxARNs {
			return q, invalid("ResourceARNList has %d ARNs; give 1–%d", n, maxARNs)
		}
	}
	types := p.Strings("ResourceTypeFilters")
	if len(types) > maxTypeFilters {
		return q, invalid("ResourceTypeFilters has %d filters; at most %d are allowed", len(types), maxTypeFilters)
	}
	for _, text := range types {
		m := typeFilter.FindStringSubmatch(text)
		if m == nil || len(text) > 256 {
			return q, invalid("ResourceTypeFilters: %q is not of the form service[:resourceType], such as eks:cluster", text)
		}
		q.types = append(q.types, resourceType{m[1], m[2]})
	}
	filters := p.List("TagFilters")
	if len(filters) > maxTagFilters {
		return q, invalid("TagFilters has %d keys; at most %d are allowed", len(filters), maxTagFilters)
	}
	for _, f := range filters {
		t := tagFilter{f.Str("Key"), f.Strings("Values")}
		if n := len([]rune(t.key)); n < 1 || n > 128 {
			return q, invalid("TagFilters: the key %q must have 1–128 characters", t.key)
		}
		if len(t.values) > maxFilterValues {
			return q, invalid("TagFilters: %q has %d values; at most %d are allowed", t.key, len(t.values), maxFilterValues)
		}
		q.tags = append(q.tags, t)
	}
	return q, nil
}

// given tells whether a member holds anything: clients may send empty ones.
func given(p wire.Params, name string) bool {
	switch v := p[name].(type) {
	case nil:
		return false
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	default:
		return true
	}
}

func (c *call) getResources() (wire.Struct, error) {
	q, err := parseQuery(c.p)
	if err != nil {
		return nil, err
	}
	details, compliant, err := compliance(c.p)
	if err != nil {
		return nil, err
	}
	size, err := c.pageSize()
	if err != nil {
		return nil, err
	}
	var found []model.Resource
	for _, r := range c.search() {
		if compliant && q.matches(r) {
			found = append(found, r)
		}
	}
	part, next, err := cut(c, found, func(r model.Resource) string { return r.ARN }, size)
	if err != nil {
		return nil, err
	}
	list := make(wire.List, len(part))
	for i, r := range part {
		m := wire.Struct{kv("ResourceARN", r.ARN), kv("Tags", tagList(r.Tags))}
		if details {
			m = append(m, kv("ComplianceDetails", wire.Struct{kv("ComplianceStatus", true)}))
		}
		list[i] = m
	}
	return wire.Struct{kv("PaginationToken", next), kv("ResourceTagMappingList", list)}, nil
}

// compliance tells whether details of it are asked for, and whether compliant resources
// are: all are.
func compliance(p wire.Params) (details, compliant bool, err error) {
	details, _, err = p.Bool("IncludeComplianceDetails")
	if err != nil {
		return false, false, invalid("IncludeComplianceDetails: %v is not true or false", p["IncludeComplianceDetails"])
	}
	exclude, _, err := p.Bool("ExcludeCompliantResources")
	if err != nil {
		return false, false, invalid("ExcludeCompliantResources: %v is not true or false", p["ExcludeCompliantResources"])
	}
	if exclude && !details {
		return false, false, invalid("ExcludeCompliantResources can be true only if IncludeComplianceDetails is, too")
	}
	return details, !exclude, nil
}

func tagList(tags map[string]string) wire.List {
	out := wire.List{}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, wire.Struct{kv("Key", key), kv("Value", tags[key])})
	}
	return out
}

// pageSize tells how many of the first resources fit on a page.
func (c *call) pageSize() (func([]model.Resource) int, error) {
	size, ok, err := c.p.Int("ResourcesPerPage")
	if err != nil || ok && (size < 1 || size > maxPerPage) {
		return nil, invalid("ResourcesPerPage: %v is not within 1–%d", c.p["ResourcesPerPage"], maxPerPage)
	}
	if !ok {
		size = maxPerPage
	}
	tags, byTags, err := c.p.Int("TagsPerPage")
	if err != nil || byTags && (tags < minTagsPerPage || tags > maxTagsPerPage) {
		return nil, invalid("TagsPerPage: %v is not within %d–%d", c.p["TagsPerPage"], minTagsPerPage, maxTagsPerPage)
	}
	return func(rest []model.Resource) int {
		n, sum := 0, 0
		for n < len(rest) && n < size {
			sum += max(1, len(rest[n].Tags)) // a resource without tags counts as one
			if byTags && sum > tags {
				break
			}
			n++
		}
		return n
	}, nil
}

func (c *call) getTagKeys() (wire.Struct, error) {
	keys := map[string]bool{}
	for _, r := range c.search() {
		for key := range r.Tags {
			keys[key] = true
		}
	}
	return c.texts("TagKeys", keys)
}

func (c *call) getTagValues() (wire.Struct, error) {
	key := c.p.Str("Key")
	if n := len([]rune(key)); n < 1 || n > 128 {
		return nil, invalid("Key: %q must have 1–128 characters", key)
	}
	values := map[string]bool{}
	for _, r := range c.search() {
		if v, ok := r.Tags[key]; ok {
			values[v] = true
		}
	}
	return c.texts("TagValues", values)
}

// texts answers one page of a set.
func (c *call) texts(member string, set map[string]bool) (wire.Struct, error) {
	part, next, err := cut(c, slices.Sorted(maps.Keys(set)), func(s string) string { return s },
		func(rest []string) int { return min(len(rest), maxPerPage) })
	if err != nil {
		return nil, err
	}
	list := wire.List{}
	for _, s := range part {
		list = append(list, s)
	}
	return wire.Struct{kv("PaginationToken", next), kv(member, list)}, nil
}
