package elbv2

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// invalid is AWS's code for nearly all bad parameters.
func invalid(format string, args ...any) error {
	return wire.Errorf("ValidationError", format, args...)
}

// violation is the wording of AWS's request validation, which runs before the
// operation: path is in lower camel case, such as "actions.1.member.order".
func violation(value any, path, must string) error {
	v := fmt.Sprintf("'%v'", value)
	if value == nil {
		v = "null"
	}
	return invalid("1 validation error detected: Value %s at '%s' failed to satisfy constraint: Member must %s", v, path, must)
}

// required is a member that must be there and not be empty.
func required(p wire.Params, name string) (string, error) {
	v := p.Str(name)
	if v == "" {
		return "", violation(nil, camel(name), "not be null")
	}
	return v, nil
}

// intIn is an optional integer member within a closed range.
func intIn(p wire.Params, name, path string, lo, hi int) (n int, ok bool, err error) {
	n, ok, err = p.Int(name)
	switch {
	case err != nil || !ok:
		return 0, false, err
	case n < lo:
		return 0, false, violation(n, path, fmt.Sprintf("have value greater than or equal to %d", lo))
	case n > hi:
		return 0, false, violation(n, path, fmt.Sprintf("have value less than or equal to %d", hi))
	}
	return n, true, nil
}

// lengthIn checks a string's length in characters.
func lengthIn(v, path string, lo, hi int) error {
	switch n := utf8.RuneCountInString(v); {
	case n < lo:
		return violation(v, path, fmt.Sprintf("have length greater than or equal to %d", lo))
	case n > hi:
		return violation(v, path, fmt.Sprintf("have length less than or equal to %d", hi))
	}
	return nil
}

func oneOf(v, path string, allowed ...string) error {
	if !slices.Contains(allowed, v) {
		return violation(v, path, "satisfy enum value set: ["+strings.Join(allowed, ", ")+"]")
	}
	return nil
}

func matches(v, path string, re *regexp.Regexp) error {
	if !re.MatchString(v) {
		return violation(v, path, "satisfy regular expression pattern: "+re.String())
	}
	return nil
}

// at is the path of the n-th (from 0) structure of a list.
func at(list string, n int) string { return fmt.Sprintf("%s.%d.member", list, n+1) }

// camel is a member's name as AWS's validation messages write it.
func camel(name string) string { return strings.ToLower(name[:1]) + name[1:] }

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func firstDuplicate(list []string) (string, bool) {
	seen := map[string]bool{}
	for _, x := range list {
		if seen[x] {
			return x, true
		}
		seen[x] = true
	}
	return "", false
}

// kv is a member of an answer.
func kv(name string, value any) wire.Member { return wire.Member{Name: name, Value: value} }
