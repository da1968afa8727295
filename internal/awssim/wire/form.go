package wire

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Bounds on what a form may make the simulator allocate.
const (
	maxFormDepth = 16
	maxListIndex = 10_000
)

// ParseForm turns the query protocol's flat form into a tree: "A.member.2.B=x" is the
// member B of the second structure in the list A. Lists with gaps are closed up, as
// AWS does. The keys Action and Version are left out.
func ParseForm(form url.Values) (Params, error) {
	return parseForm(form, func(p Params) (Params, bool) {
		members, ok := p["member"].(Params)
		return members, ok && len(p) == 1
	})
}

// ParseEC2Form is ParseForm for EC2's flavour of the protocol, whose lists have no
// "member": "A.2.B=x" is the member B of the second structure in the list A.
func ParseEC2Form(form url.Values) (Params, error) {
	return parseForm(form, func(p Params) (Params, bool) {
		for k := range p {
			if _, err := strconv.Atoi(k); err != nil {
				return nil, false
			}
		}
		return p, true
	})
}

// members gives the elements of a list by their index, or false for a structure.
type members func(Params) (Params, bool)

func parseForm(form url.Values, of members) (Params, error) {
	root := Params{}
	keys := make([]string, 0, len(form))
	for k := range form {
		keys = append(keys, k)
	}
	slices.Sort(keys) // a scalar comes before the longer keys that clash with it
	for _, k := range keys {
		if k == "Action" || k == "Version" {
			continue
		}
		path := strings.Split(k, ".")
		if len(path) > maxFormDepth {
			return nil, Errorf("MalformedQueryString", "%.100s: nested deeper than %d", k, maxFormDepth)
		}
		at := root
		for _, part := range path[:len(path)-1] {
			next, ok := at[part].(Params)
			if !ok {
				next = Params{}
				at[part] = next
			}
			at = next
		}
		at[path[len(path)-1]] = form.Get(k)
	}
	for k, v := range root {
		if err := foldLists(root, k, v, of); err != nil {
			return nil, err
		}
	}
	return root, nil
}

// foldLists replaces the lists in the member k of p, whose value is v, from the bottom up.
func foldLists(p Params, k string, v any, of members) error {
	sub, ok := v.(Params)
	if !ok {
		return nil
	}
	for k, v := range sub {
		if err := foldLists(sub, k, v, of); err != nil {
			return err
		}
	}
	elements, ok := of(sub)
	if !ok {
		return nil
	}
	type element struct {
		index int
		value any
	}
	sorted := make([]element, 0, len(elements))
	for k, v := range elements {
		i, err := strconv.Atoi(k)
		if err != nil || i < 1 || i > maxListIndex {
			return Errorf("MalformedQueryString", "list index %q is not in 1–%d", k, maxListIndex)
		}
		sorted = append(sorted, element{i, v})
	}
	slices.SortFunc(sorted, func(a, b element) int { return cmp.Compare(a.index, b.index) })
	list := make([]any, len(sorted))
	for n, e := range sorted {
		list[n] = e.value
	}
	p[k] = list
	return nil
}
