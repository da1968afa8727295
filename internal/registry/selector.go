package registry

import (
	"maps"
	"path"
	"slices"
)

// Selector selects clusters that satisfy all of it; the zero Selector selects all.
type Selector struct {
	Tags         map[string]string // that a cluster must have
	Requirements []Requirement     // on tags
	Names        []string          // patterns as of path.Match, of which one must match; none: every name
	Exclude      Exclude
}

// Exclude leaves clusters out whatever else says.
type Exclude struct {
	Names []string // patterns as of path.Match
	ARNs  []string
	Tags  map[string]string // one is enough
}

// Operator of a Requirement.
type Operator string

// The operators, which mean what they mean in Kubernetes.
const (
	In           Operator = "In"
	NotIn        Operator = "NotIn" // satisfied by what has no such key
	Exists       Operator = "Exists"
	DoesNotExist Operator = "DoesNotExist"
)

// Requirement is a condition on one key of labels or tags.
type Requirement struct {
	Key      string
	Operator Operator
	Values   []string
}

// LabelSelector is a selector of Kubernetes; an empty one selects everything.
type LabelSelector []Requirement

// Match tells whether the selector selects the cluster. A pattern that is none matches
// nothing.
func (s Selector) Match(c Cluster) bool {
	return !s.Exclude.match(c) && s.matchName(c.Name) && s.matchTags(c.Tags)
}

func (s Selector) matchName(name string) bool {
	return len(s.Names) == 0 || matchAny(s.Names, name)
}

func (s Selector) matchTags(tags map[string]string) bool {
	for k, v := range s.Tags {
		if got, ok := tags[k]; !ok || got != v {
			return false
		}
	}
	return LabelSelector(s.Requirements).Match(tags)
}

func (e Exclude) match(c Cluster) bool {
	if matchAny(e.Names, c.Name) || slices.Contains(e.ARNs, c.ARN()) {
		return true
	}
	for k, v := range e.Tags {
		if got, ok := c.Tags[k]; ok && got == v {
			return true
		}
	}
	return false
}

func matchAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}

// Match tells whether the labels satisfy all requirements.
func (s LabelSelector) Match(labels map[string]string) bool {
	return !slices.ContainsFunc(s, func(r Requirement) bool { return !r.match(labels) })
}

// match of an operator that does not exist is false.
func (r Requirement) match(labels map[string]string) bool {
	v, ok := labels[r.Key]
	switch r.Operator {
	case In:
		return ok && slices.Contains(r.Values, v)
	case NotIn:
		return !ok || !slices.Contains(r.Values, v)
	case Exists:
		return ok
	case DoesNotExist:
		return !ok
	default:
		return false
	}
}

// Tagged tells whether the tagging API can list the clusters of the selector: it lists
// none that never had a tag, so that the selector has to require one.
func (s Selector) Tagged() bool { return len(s.Filters()) > 0 }

// Limits of a GetResources call: keys, and values of each.
const (
	maxFilterKeys   = 50
	maxFilterValues = 20
)

// Filters of a GetResources call: for each key the values of which one is enough; none:
// the key is there. They let through every cluster that the selector matches, and may let
// through more.
func (s Selector) Filters() map[string][]string {
	f := map[string][]string{}
	for k, v := range s.Tags {
		f[k] = []string{v}
	}
	for _, r := range s.Requirements {
		have, ok := f[r.Key]
		switch {
		case r.Operator == In && (!ok || len(have) == 0):
			f[r.Key] = slices.Compact(slices.Sorted(slices.Values(r.Values)))
		case r.Operator == Exists && !ok:
			f[r.Key] = nil
		}
	}
	for k, values := range f {
		// An empty value may read as none.
		if len(values) > maxFilterValues || slices.Contains(values, "") {
			f[k] = nil
		}
	}
	for i, k := range slices.Sorted(maps.Keys(f)) {
		if i >= maxFilterKeys {
			delete(f, k)
		}
	}
	return f
}
