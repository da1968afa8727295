package authz

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Keys are the condition keys of a request, by name in lower case.
type Keys map[string][]string

func (k Keys) get(name string) []string { return k[strings.ToLower(name)] }

// Set gives a key its values; empty values are left out, and a key without any stays absent.
func (k Keys) Set(name string, values ...string) {
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
	if len(values) > 0 {
		k[strings.ToLower(name)] = values
	}
}

// setTag gives a key that names a tag its value, which may be empty.
func (k Keys) setTag(prefix, key, value string) { k[strings.ToLower(prefix+key)] = []string{value} }

// Condition is one key of one operator of a statement. All conditions must hold.
type Condition struct {
	quantifier quantifier
	operator   operator
	ifExists   bool
	Key        string
	Values     []string
}

type quantifier string

// Quantifiers over the values that a key has in the request.
const (
	single       quantifier = ""
	forAnyValue  quantifier = "ForAnyValue"
	forAllValues quantifier = "ForAllValues"
)

// operator compares a value of the policy with one of the request.
type operator struct {
	name string
	// negated operators hold when no value of the policy matches.
	negated bool
	// compare takes the compiled value of the policy. nil for the operator Null.
	compare   func(want pattern, got string) bool
	wildcards bool // of the value in the policy
}

func parseConditions(doc map[string]map[string]oneOrMore[text]) ([]Condition, error) {
	var out []Condition
	for name, keys := range doc {
		c := Condition{}
		op := name
		if set, rest, ok := strings.Cut(name, ":"); ok {
			if c.quantifier = quantifier(set); c.quantifier != forAnyValue && c.quantifier != forAllValues {
				return nil, malformed("Invalid Condition type: %s", name)
			}
			op = rest
		}
		op, c.ifExists = strings.CutSuffix(op, "IfExists")
		var ok bool
		if c.operator, ok = operatorNamed(op); !ok || c.operator.compare == nil && (c.ifExists || c.quantifier != single) {
			return nil, malformed("Invalid Condition type: %s", name)
		}
		for key, values := range keys {
			if !strings.Contains(key, ":") {
				return nil, malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: %q", key)
			}
			one := c
			one.Key = key
			for _, v := range values {
				one.Values = append(one.Values, string(v))
			}
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b Condition) int { // what is equal reads equal, whatever the map's order
		return strings.Compare(a.operator.name+a.Key, b.operator.name+b.Key)
	})
	return out, nil
}

// operatorNamed finds an operator of the policy language, without its suffix IfExists.
func operatorNamed(name string) (operator, bool) {
	equal := func(want pattern, got string) bool { return want.match(got, false) }
	fold := func(want pattern, got string) bool { return want.match(got, true) }
	order := func(ok func(int) bool) func(pattern, string) bool { return numbers(ok) }
	var (
		is      = func(c int) bool { return c == 0 }
		less    = func(c int) bool { return c < 0 }
		atMost  = func(c int) bool { return c <= 0 }
		more    = func(c int) bool { return c > 0 }
		atLeast = func(c int) bool { return c >= 0 }
	)
	op := operator{name: name}
	switch name {
	case "Null":
		return op, true
	case "StringEquals", "StringNotEquals", "BinaryEquals":
		op.compare = equal
	case "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase":
		op.compare = fold
	case "StringLike", "StringNotLike":
		op.compare, op.wildcards = equal, true
	case "ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike":
		op.compare, op.wildcards = arns, true
	case "Bool":
		op.compare = fold
	case "IpAddress", "NotIpAddress":
		op.compare = addresses
	case "NumericEquals", "NumericNotEquals":
		op.compare = order(is)
	case "NumericLessThan":
		op.compare = order(less)
	case "NumericLessThanEquals":
		op.compare = order(atMost)
	case "NumericGreaterThan":
		op.compare = order(more)
	case "NumericGreaterThanEquals":
		op.compare = order(atLeast)
	case "DateEquals", "DateNotEquals":
		op.compare = dates(is)
	case "DateLessThan":
		op.compare = dates(less)
	case "DateLessThanEquals":
		op.compare = dates(atMost)
	case "DateGreaterThan":
		op.compare = dates(more)
	case "DateGreaterThanEquals":
		op.compare = dates(atLeast)
	default:
		return op, false
	}
	op.negated = strings.Contains(name, "Not")
	return op, true
}

// holds tells whether the condition is met. A key that the request does not have meets
// negated operators, ...IfExists and ForAllValues, and no other.
func (c Condition) holds(keys Keys, variables bool) bool {
	got := keys.get(c.Key)
	if c.operator.compare == nil {
		return slices.Contains(c.Values, strconv.FormatBool(len(got) == 0))
	}
	if len(got) == 0 {
		return c.ifExists || c.quantifier == forAllValues || c.quantifier == single && c.operator.negated
	}
	meets := func(v string) bool { return c.matches(v, keys, variables) != c.operator.negated }
	switch {
	case c.quantifier == forAllValues, c.quantifier == single && c.operator.negated:
		return !slices.ContainsFunc(got, func(v string) bool { return !meets(v) })
	default:
		return slices.ContainsFunc(got, meets)
	}
}

// matches tells whether any value of the policy matches.
func (c Condition) matches(got string, keys Keys, variables bool) bool {
	return slices.ContainsFunc(c.Values, func(v string) bool {
		want, ok := compile(v, c.operator.wildcards, variables, keys)
		return ok && c.operator.compare(want, got)
	})
}

// arns compares the six parts of ARNs one by one.
func arns(want pattern, got string) bool {
	w, g := want.split(6), strings.SplitN(got, ":", 6)
	if len(w) != len(g) {
		return len(w) == 1 && len(w[0]) == 1 && w[0][0] == anyText
	}
	for i := range w {
		if !w[i].match(g[i], false) {
			return false
		}
	}
	return true
}

// addresses compares an address with a CIDR block, or with one address.
func addresses(want pattern, got string) bool {
	addr, err := netip.ParseAddr(got)
	if err != nil {
		return false
	}
	if block, err := netip.ParsePrefix(string(want)); err == nil {
		return block.Contains(addr.Unmap())
	}
	one, err := netip.ParseAddr(string(want))
	return err == nil && one == addr.Unmap()
}

func numbers(ok func(int) bool) func(pattern, string) bool {
	return func(want pattern, got string) bool {
		w, werr := strconv.ParseFloat(string(want), 64)
		g, gerr := strconv.ParseFloat(got, 64)
		switch {
		case werr != nil || gerr != nil:
			return false
		case g < w:
			return ok(-1)
		case g > w:
			return ok(1)
		}
		return ok(0)
	}
}

func dates(ok func(int) bool) func(pattern, string) bool {
	return func(want pattern, got string) bool {
		w, wok := parseDate(string(want))
		g, gok := parseDate(got)
		return wok && gok && ok(g.Compare(w))
	}
}

// parseDate reads ISO 8601 text or epoch seconds.
func parseDate(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Unix(n, 0), true
	}
	return time.Time{}, false
}
