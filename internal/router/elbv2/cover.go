package elbv2

import (
	"net/netip"
	"slices"
)

// How two sets of conditions relate. Where it cannot be decided (regular expressions,
// overlaps of several values), the answer errs to the careful side: covers is only true
// when it is so for every request, disjoint likewise.

// covers tells whether every request that matches inner surely matches outer.
func covers(outer, inner []condition) bool {
	return !slices.ContainsFunc(outer, func(o condition) bool {
		return !o.matchesAll() && !slices.ContainsFunc(inner, func(i condition) bool { return o.covers(i) })
	})
}

// disjoint tells whether no request can match both.
func disjoint(a, b []condition) bool {
	return slices.ContainsFunc(a, func(x condition) bool {
		return slices.ContainsFunc(b, func(y condition) bool { return x.disjoint(y) })
	})
}

// matchesAll tells whether a condition holds for every request. Paths begin with a slash.
func (c condition) matchesAll() bool {
	switch c.field {
	case fieldPath:
		return slices.Contains(c.values, "*") || slices.Contains(c.values, "/*")
	case fieldHost:
		return slices.Contains(c.values, "*")
	case fieldSource:
		return slices.Contains(c.values, "0.0.0.0/0") && slices.Contains(c.values, "::/0")
	default:
		return false
	}
}

// empty: it was given in a way that is not known here, and may match anything.
func (c condition) empty() bool { return len(c.values)+len(c.regexes)+len(c.query) == 0 }

func (c condition) covers(inner condition) bool {
	o, i := c.normal(), inner.normal()
	if o.field != i.field || o.header != i.header || i.empty() {
		return false
	}
	for _, re := range i.regexes {
		if !slices.Contains(o.regexes, re) {
			return false
		}
	}
	for _, v := range i.values {
		if !slices.ContainsFunc(o.values, func(w string) bool { return valueCovers(o.field, w, v) }) {
			return false
		}
	}
	for _, v := range i.query {
		if !slices.ContainsFunc(o.query, func(w Query) bool {
			return (w.Key == "" || globCovers(tokens(w.Key, true), tokens(v.Key, true))) &&
				globCovers(tokens(w.Value, true), tokens(v.Value, true))
		}) {
			return false
		}
	}
	return true
}

// disjoint is only true for fields that have one value per request: a header or a query
// parameter may come twice, and match both.
func (c condition) disjoint(o condition) bool {
	a, b := c.normal(), o.normal()
	single := []string{fieldHost, fieldPath, fieldMethod, fieldSource}
	if a.field != b.field || !slices.Contains(single, a.field) || len(a.regexes)+len(b.regexes) > 0 || a.empty() || b.empty() {
		return false
	}
	for _, x := range a.values {
		for _, y := range b.values {
			if valuesMeet(a.field, x, y) {
				return false
			}
		}
	}
	return true
}

func valueCovers(field, outer, inner string) bool {
	switch field {
	case fieldMethod:
		return outer == inner
	case fieldSource:
		o, oerr := netip.ParsePrefix(outer)
		i, ierr := netip.ParsePrefix(inner)
		return outer == inner || oerr == nil && ierr == nil && o.Bits() <= i.Bits() && o.Masked().Contains(i.Addr())
	default:
		return globCovers(tokens(outer, false), tokens(inner, false))
	}
}

func valuesMeet(field, a, b string) bool {
	switch field {
	case fieldMethod:
		return a == b
	case fieldSource:
		x, xerr := netip.ParsePrefix(a)
		y, yerr := netip.ParsePrefix(b)
		return xerr != nil || yerr != nil || x.Overlaps(y)
	default:
		return globsMeet(tokens(a, false), tokens(b, false))
	}
}

// token of a pattern: a character, or one of the wildcards.
type token rune

const (
	anyOne  token = -1 // ?
	anyMany token = -2 // *
)

// tokens of a pattern. Query strings may escape wildcards by a backslash.
func tokens(pattern string, escapes bool) []token {
	var out []token
	literal := false
	for _, r := range pattern {
		switch {
		case literal:
			out, literal = append(out, token(r)), false
		case escapes && r == '\\':
			literal = true
		case r == '*':
			out = append(out, anyMany)
		case r == '?':
			out = append(out, anyOne)
		default:
			out = append(out, token(r))
		}
	}
	if literal {
		out = append(out, '\\')
	}
	return out
}

// globCovers tells whether outer matches every text that inner matches. It may say no
// where the answer is yes ("?*" over "*?"), never the reverse.
func globCovers(outer, inner []token) bool {
	return walk(outer, inner, func(o, i token) bool {
		return i != anyMany && (o == anyOne || o == i)
	}, false)
}

// globsMeet tells whether some text matches both.
func globsMeet(a, b []token) bool {
	return walk(a, b, func(x, y token) bool { return x == anyOne || y == anyOne || x == y }, true)
}

// walk aligns two patterns. A star of a absorbs any run of b's tokens; one of b does so
// with a's only when both is set. pair judges tokens that face each other.
func walk(a, b []token, pair func(x, y token) bool, both bool) bool {
	// ok[j] is whether a[i:] and b[j:] can be aligned, for the i of the loop.
	next := make([]bool, len(b)+1)
	for i := len(a); i >= 0; i-- {
		ok := make([]bool, len(b)+1)
		for j := len(b); j >= 0; j-- {
			switch {
			case i == len(a) && j == len(b):
				ok[j] = true
			case i < len(a) && a[i] == anyMany:
				ok[j] = next[j] || j < len(b) && ok[j+1]
			case both && j < len(b) && b[j] == anyMany:
				ok[j] = ok[j+1] || i < len(a) && next[j]
			case i < len(a) && j < len(b):
				ok[j] = pair(a[i], b[j]) && next[j+1]
			}
		}
		next = ok
	}
	return next[0]
}
