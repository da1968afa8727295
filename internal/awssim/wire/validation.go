package wire

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Validation words what is wrong with a member as AWS's request validation does, which
// runs before an operation. It is the code of such errors. A path leads to the member, in
// lower camel case, such as "actions.1.member.order".
type Validation string

// Violation of a constraint, which completes the sentence "Member must …". A nil value is
// of a member that was not sent.
func (v Validation) Violation(value any, path, must string) error {
	shown := fmt.Sprintf("'%v'", value)
	if value == nil {
		shown = "null"
	}
	return Errorf(string(v), "1 validation error detected: Value %s at '%s' failed to satisfy constraint: Member must %s", shown, path, must)
}

// Required is a text that must be there and not be empty.
func (v Validation) Required(p Params, name, path string) (string, error) {
	s := p.Str(name)
	if s == "" {
		return "", v.Violation(nil, path, "not be null")
	}
	return s, nil
}

// Int is an optional integer within a closed range.
func (v Validation) Int(p Params, name, path string, lo, hi int) (n int, ok bool, err error) {
	n, ok, err = p.Int(name)
	switch {
	case err != nil:
		return 0, false, v.Violation(p.Str(name), path, "be a number")
	case !ok:
		return 0, false, nil
	case n < lo:
		return 0, false, v.Violation(n, path, fmt.Sprintf("have value greater than or equal to %d", lo))
	case n > hi:
		return 0, false, v.Violation(n, path, fmt.Sprintf("have value less than or equal to %d", hi))
	}
	return n, true, nil
}

// Bool is an optional boolean.
func (v Validation) Bool(p Params, name, path string) (b, ok bool, err error) {
	b, ok, err = p.Bool(name)
	if err != nil {
		return false, false, v.Violation(p.Str(name), path, "be a boolean")
	}
	return b, ok, nil
}

// Length checks how many characters a text has.
func (v Validation) Length(s, path string, lo, hi int) error {
	switch n := utf8.RuneCountInString(s); {
	case n < lo:
		return v.Violation(s, path, fmt.Sprintf("have length greater than or equal to %d", lo))
	case n > hi:
		return v.Violation(s, path, fmt.Sprintf("have length less than or equal to %d", hi))
	}
	return nil
}

// OneOf checks a text of which only some are allowed.
func (v Validation) OneOf(s, path string, allowed ...string) error {
	if !slices.Contains(allowed, s) {
		return v.Violation(s, path, "satisfy enum value set: ["+strings.Join(allowed, ", ")+"]")
	}
	return nil
}

// Matches checks a text by a pattern.
func (v Validation) Matches(s, path string, re *regexp.Regexp) error {
	if !re.MatchString(s) {
		return v.Violation(s, path, "satisfy regular expression pattern: "+re.String())
	}
	return nil
}

// Camel is the name of a member as paths write it.
func Camel(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// FirstDuplicate of a list.
func FirstDuplicate(list []string) (string, bool) {
	seen := map[string]bool{}
	for _, x := range list {
		if seen[x] {
			return x, true
		}
		seen[x] = true
	}
	return "", false
}
