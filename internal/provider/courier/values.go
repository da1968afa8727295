package courier

import (
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/api/v1alpha1"
)

// texts of a set or a list, sorted; what is unknown or null is left out.
func texts(v interface{ Elements() []attr.Value }) []string {
	var out []string
	for _, e := range v.Elements() {
		if s, ok := e.(types.String); ok && !s.IsUnknown() && !s.IsNull() {
			out = append(out, s.ValueString())
		}
	}
	slices.Sort(out)
	return out
}

// sameSet keeps the spelling of before (null or [], upper or lower case) when it says the
// same as what is live.
func sameSet(before types.Set, live []string, fold func(string) string) types.Set {
	was := texts(before)
	if fold != nil {
		for i := range was {
			was[i] = fold(was[i])
		}
	}
	if slices.Equal(distinct(was), distinct(live)) {
		return before
	}
	return setOf(live)
}

func distinct(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

func setOf(list []string) types.Set {
	if len(list) == 0 {
		return types.SetNull(types.StringType)
	}
	var values []attr.Value
	for _, s := range distinct(list) {
		values = append(values, types.StringValue(s))
	}
	return types.SetValueMust(types.StringType, values)
}

// matchesOf reads a map from a name to a value or a list of values. ok is false when it
// has another form. Unknown parts are left out.
func matchesOf(v types.Dynamic) (m map[string][]string, ok bool) {
	m = map[string][]string{}
	if v.IsNull() || v.IsUnknown() || v.IsUnderlyingValueNull() || v.IsUnderlyingValueUnknown() {
		return m, true
	}
	var entries map[string]attr.Value
	switch u := v.UnderlyingValue().(type) {
	case types.Object:
		entries = u.Attributes()
	case types.Map:
		entries = u.Elements()
	default:
		return nil, false
	}
	for name, e := range entries {
		if e.IsUnknown() {
			continue
		}
		values, ok := scalars(e)
		if !ok {
			return nil, false
		}
		m[name] = values
	}
	return m, true
}

// scalars are one text, or the texts of a list.
func scalars(v attr.Value) ([]string, bool) {
	switch v := v.(type) {
	case types.String:
		return []string{v.ValueString()}, !v.IsNull()
	case types.Number, types.Bool, types.Int64:
		return []string{v.String()}, !v.IsNull()
	case types.Tuple:
		return scalarsIn(v.Elements())
	case types.List:
		return scalarsIn(v.Elements())
	case types.Set:
		return scalarsIn(v.Elements())
	}
	return nil, false
}

func scalarsIn(list []attr.Value) (out []string, ok bool) {
	for _, e := range list {
		if e.IsUnknown() {
			continue
		}
		s, ok := e.(types.String)
		if !ok || s.IsNull() {
			return nil, false
		}
		out = append(out, s.ValueString())
	}
	return out, true
}

// sameMatches keeps the spelling of before when it says the same as what is live.
func sameMatches(before types.Dynamic, live map[string][]string) types.Dynamic {
	was, ok := matchesOf(before)
	if ok && sameEntries(was, live) {
		return before
	}
	if len(live) == 0 {
		return types.DynamicNull()
	}
	list := types.ListType{ElemType: types.StringType}
	entries := map[string]attr.Value{}
	for name, values := range live {
		var elements []attr.Value
		for _, s := range distinct(values) {
			elements = append(elements, types.StringValue(s))
		}
		entries[name] = types.ListValueMust(types.StringType, elements)
	}
	return types.DynamicValue(types.MapValueMust(list, entries))
}

func headersOf(m map[string][]string) []v1alpha1.HeaderMatch {
	var out []v1alpha1.HeaderMatch
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, v1alpha1.HeaderMatch{Name: name, Values: distinct(m[name])})
	}
	return out
}

func queriesOf(m map[string][]string) []v1alpha1.QueryMatch {
	var out []v1alpha1.QueryMatch
	for _, key := range slices.Sorted(maps.Keys(m)) {
		for _, value := range distinct(m[key]) {
			out = append(out, v1alpha1.QueryMatch{Key: key, Value: value})
		}
	}
	return out
}

// block is one block of a list, by its attributes.
type block map[string]attr.Value

// blocks of a list; none while it is unknown.
func blocks(l types.List) []block {
	var out []block
	for _, e := range l.Elements() {
		o, ok := e.(types.Object)
		if !ok {
			continue
		}
		out = append(out, o.Attributes())
	}
	return out
}

func (b block) text(name string) string {
	s, ok := b[name].(types.String)
	if !ok {
		return ""
	}
	return s.ValueString()
}

// number is nil when it is not set, or not known.
func (b block) number(name string) *int {
	n, ok := b[name].(types.Int64)
	if !ok || n.IsNull() || n.IsUnknown() {
		return nil
	}
	i := int(n.ValueInt64())
	return &i
}

func (b block) whole(name string) int {
	if n := b.number(name); n != nil {
		return *n
	}
	return 0
}

func (b block) float(name string) *float64 {
	n, ok := b[name].(types.Float64)
	if !ok || n.IsNull() || n.IsUnknown() {
		return nil
	}
	f := n.ValueFloat64()
	return &f
}

func (b block) truth(name string) bool {
	t, ok := b[name].(types.Bool)
	return ok && t.ValueBool()
}
