package authz

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Wildcards within a pattern; all other elements are literal runes.
const (
	anyText rune = -1 // "*"
	anyRune rune = -2 // "?"
)

// pattern is compiled text of a policy. What a variable stands for is literal in it,
// even if it holds a wildcard's character.
type pattern []rune

// compile text. With variables set, "${…}" is replaced from keys; ok is false when a
// variable has no single value and no default: then the text matches nothing.
func compile(text string, wildcards, variables bool, keys Keys) (p pattern, ok bool) {
	for text != "" {
		if variables && strings.HasPrefix(text, "${") {
			name, rest, closed := strings.Cut(text[2:], "}")
			if closed {
				value, ok := variable(name, keys)
				if !ok {
					return nil, false
				}
				p, text = append(p, []rune(value)...), rest
				continue
			}
		}
		r, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		switch {
		case wildcards && r == '*':
			r = anyText
		case wildcards && r == '?':
			r = anyRune
		}
		p = append(p, r)
	}
	return p, true
}

// variable resolves "key", "key, 'default'" and the escapes "*", "?" and "$".
func variable(name string, keys Keys) (string, bool) {
	name, fallback, hasDefault := strings.Cut(name, ",")
	name = strings.TrimSpace(name)
	switch name {
	case "*", "?", "$":
		return name, true
	}
	if values := keys.get(name); len(values) == 1 {
		return values[0], true
	}
	fallback = strings.TrimSpace(fallback)
	if hasDefault && len(fallback) >= 2 && strings.HasPrefix(fallback, "'") && strings.HasSuffix(fallback, "'") {
		return fallback[1 : len(fallback)-1], true
	}
	return "", false
}

// match the whole of s. Going back to the last "*" alone is enough, since a later one
// can only do better.
func (p pattern) match(s string, foldCase bool) bool {
	text := []rune(s)
	same := func(a, b rune) bool {
		return a == anyRune || a == b || foldCase && a >= 0 && unicode.ToLower(a) == unicode.ToLower(b)
	}
	i, j := 0, 0
	star, resume := -1, 0
	for j < len(text) {
		switch {
		case i < len(p) && p[i] == anyText:
			star, resume = i, j
			i++
		case i < len(p) && same(p[i], text[j]):
			i++
			j++
		case star >= 0:
			resume++
			i, j = star+1, resume
		default:
			return false
		}
	}
	return !slices.ContainsFunc(p[i:], func(r rune) bool { return r != anyText })
}

// split cuts a pattern at its literal colons, into at most n parts.
func (p pattern) split(n int) []pattern {
	var parts []pattern
	for len(parts) < n-1 {
		i := slices.Index(p, ':')
		if i < 0 {
			break
		}
		parts, p = append(parts, p[:i]), p[i+1:]
	}
	return append(parts, p)
}
