package route53

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// invalid is Route 53's code for a request that does not fit the API's model, or that
// contradicts itself.
func invalid(format string, args ...any) error { return wire.Errorf("InvalidInput", format, args...) }

// violation is the wording of AWS's request validation, which runs before the operation:
// path is in lower camel case, such as "changeBatch.changes.1.member.action".
func violation(value any, path, must string) error {
	v := fmt.Sprintf("'%v'", value)
	if value == nil {
		v = "null"
	}
	return invalid("1 validation error detected: Value %s at '%s' failed to satisfy constraint: Member must %s", v, path, must)
}

func required(p wire.Params, name, path string) (string, error) {
	v := p.Str(name)
	if v == "" {
		return "", violation(nil, path, "not be null")
	}
	return v, nil
}

// intIn is an optional integer member within a closed range.
func intIn(p wire.Params, name, path string, lo, hi int) (n int, ok bool, err error) {
	n, ok, err = p.Int(name)
	switch {
	case err != nil:
		return 0, false, violation(p.Str(name), path, "be a number")
	case !ok:
		return 0, false, nil
	case n < lo:
		return 0, false, violation(n, path, fmt.Sprintf("have value greater than or equal to %d", lo))
	case n > hi:
		return 0, false, violation(n, path, fmt.Sprintf("have value less than or equal to %d", hi))
	}
	return n, true, nil
}

func boolean(p wire.Params, name, path string) (v, ok bool, err error) {
	v, ok, err = p.Bool(name)
	if err != nil {
		return false, false, violation(p.Str(name), path, "be a boolean")
	}
	return v, ok, nil
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

func oneOf(v, path string, allowed []string) error {
	if !slices.Contains(allowed, v) {
		return violation(v, path, "satisfy enum value set: ["+strings.Join(allowed, ", ")+"]")
	}
	return nil
}

// pageSize is MaxItems within what AWS and the configuration allow. The second result is
// what the answer repeats.
func (c *call) pageSize(most int) (size int, said string, err error) {
	v, ok := c.p.String("MaxItems")
	if !ok {
		return min(most, c.s.cfg.MaxPageSize), strconv.Itoa(most), nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return 0, "", invalid("The maxItems parameter '%s' is not a number from 1 to %d", v, most)
	}
	return min(n, most, c.s.cfg.MaxPageSize), v, nil
}

// kv is a member of an answer.
func kv(name string, value any) wire.Member { return wire.Member{Name: name, Value: value} }
