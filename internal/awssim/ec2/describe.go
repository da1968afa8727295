package ec2

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Bounds of MaxResults.
const (
	minResults = 5
	maxResults = 1000
)

// filterable are the values that a resource has for a filter's name; ok is false where
// the operation has no such filter.
type filterable interface {
	resource
	field(name string) (values []string, ok bool)
}

// chosen are the items that the members ids and Filter choose.
func chosen[T filterable](c *call, ids string, items []T, k kind) ([]T, error) {
	var out []T
	if wanted := c.p.Strings(ids); len(wanted) > 0 {
		for _, id := range wanted {
			it, err := find(items, k, id)
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(out, func(x T) bool { return x.header().id == id }) {
				out = append(out, it)
			}
		}
	} else {
		out = slices.Clone(items)
	}
	return filtered(c, out)
}

// filtered keeps what every filter lets through.
func filtered[T filterable](c *call, items []T) ([]T, error) {
	filters := c.p.List("Filter")
	for _, f := range filters {
		var zero T
		if !isFilter(zero, f.Str("Name")) {
			return nil, wire.Errorf("InvalidParameterValue", "The filter '%s' is invalid", f.Str("Name"))
		}
	}
	return slices.DeleteFunc(items, func(it T) bool {
		return slices.ContainsFunc(filters, func(f wire.Params) bool { return !passes(it, f) })
	}), nil
}

// isFilter asks a resource that is nil: its kind alone decides which filters there are.
func isFilter[T filterable](zero T, name string) bool {
	if name == "tag-key" || name == "tag-value" || strings.HasPrefix(name, "tag:") {
		return true
	}
	_, ok := zero.field(name)
	return ok
}

// passes tells whether any value of the filter matches any that the resource has.
func passes[T filterable](it T, f wire.Params) bool {
	name := f.Str("Name")
	var values []string
	tags := it.header().tags
	switch key, ofTag := strings.CutPrefix(name, "tag:"); {
	case ofTag:
		if v, ok := tags[key]; ok {
			values = []string{v}
		}
	case name == "tag-key":
		values = slices.Collect(maps.Keys(tags))
	case name == "tag-value":
		values = slices.Collect(maps.Values(tags))
	default:
		values, _ = it.field(name)
	}
	return slices.ContainsFunc(f.Strings("Value"), func(pattern string) bool {
		return slices.ContainsFunc(values, func(v string) bool { return like(pattern, v) })
	})
}

// like matches with the wildcards "*" and "?", which a backslash escapes.
func like(pattern, value string) bool {
	if !strings.ContainsAny(pattern, `*?\`) {
		return pattern == value
	}
	var re strings.Builder
	escaped := false
	for _, r := range pattern {
		switch {
		case escaped:
			re.WriteString(regexp.QuoteMeta(string(r)))
			escaped = false
		case r == '\\':
			escaped = true
		case r == '*':
			re.WriteString(".*")
		case r == '?':
			re.WriteString(".")
		default:
			re.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return regexp.MustCompile(`^(?s:` + re.String() + `)$`).MatchString(value)
}

// describe answers the resources that a call chooses, by pages.
func describe[T filterable](c *call, ids, set string, items []T, k kind, out func(T) wire.Struct) (wire.Struct, error) {
	items, err := chosen(c, ids, items, k)
	if err != nil {
		return nil, err
	}
	items, next, err := page(c, items)
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv(set, wire.ListOf(items, out)), next}, nil
}

// page cuts what MaxResults and NextToken ask for.
func page[T resource](c *call, items []T) ([]T, wire.Member, error) {
	none := kv("nextToken", nil)
	size, ok, err := c.p.Int("MaxResults")
	switch {
	case err != nil:
		return nil, none, invalidValue("maxResults", c.p.Str("MaxResults"))
	case !ok:
		size = maxResults
	case size < minResults || size > maxResults:
		return nil, none, wire.Errorf("InvalidParameterValue",
			"Value ( %d ) for parameter maxResults is invalid. Expecting a value between %d and %d.", size, minResults, maxResults)
	}
	token := c.p.Str("NextToken")
	part, next, ok := wire.Page(items, func(it T) string { return it.header().id }, token, min(size, c.s.cfg.MaxPageSize))
	if !ok {
		return nil, none, invalidValue("nextToken", token)
	}
	return part, kv("nextToken", wire.Opt(next)), nil
}
