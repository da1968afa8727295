package eks

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/norikae/norikae/internal/awssim/wire"
)

func invalidParameter(format string, args ...any) error {
	return wire.Errorf("InvalidParameterException", format, args...)
}

func invalidRequest(format string, args ...any) error {
	return wire.Errorf("InvalidRequestException", format, args...)
}

func inUse(format string, args ...any) error {
	e := wire.Errorf("ResourceInUseException", format, args...)
	e.Status = http.StatusConflict
	return e
}

func notFound(format string, args ...any) error {
	e := wire.Errorf("ResourceNotFoundException", format, args...)
	e.Status = http.StatusNotFound
	return e
}

// notSimulated refuses a member that the simulator could only pretend to honour.
func notSimulated(operation, member string) error {
	return wire.Errorf("NotSimulated", "eks %s: %s is not simulated; leave it out", operation, member)
}

// required is a text member that must be there and not be empty.
func required(p wire.Params, name string) (string, error) {
	v := p.Str(name)
	if v == "" {
		return "", invalidParameter("%s: is missing; give it a value", name)
	}
	return v, nil
}

// intIn is an optional integer member within a closed range; def when it is absent.
func intIn(p wire.Params, name string, lo, hi, def int) (int, error) {
	n, ok, err := p.Int(name)
	switch {
	case err != nil:
		return 0, invalidParameter("%s: %v is not an integer", name, p[name])
	case !ok:
		return def, nil
	case n < lo || n > hi:
		return 0, invalidParameter("%s: %d is not within %d–%d", name, n, lo, hi)
	}
	return n, nil
}

// boolOr is an optional boolean member; def when it is absent.
func boolOr(p wire.Params, name string, def bool) (bool, error) {
	b, ok, err := p.Bool(name)
	switch {
	case err != nil:
		return false, invalidParameter("%s: %v is not true or false", name, p[name])
	case !ok:
		return def, nil
	}
	return b, nil
}

// oneOf is an optional member with a fixed set of values; def when it is absent.
func oneOf(p wire.Params, name, def string, allowed ...string) (string, error) {
	v, ok := p.String(name)
	if !ok {
		return def, nil
	}
	if !slices.Contains(allowed, v) {
		return "", invalidParameter("%s: %q is not one of %s", name, v, strings.Join(allowed, ", "))
	}
	return v, nil
}

// resourceName is a cluster's or node group's name.
func resourceName(p wire.Params, name string, limit int) (string, error) {
	v, err := required(p, name)
	if err != nil {
		return "", err
	}
	if len(v) > limit || !regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]*$`).MatchString(v) {
		return "", invalidParameter("%s: %q must have 1–%d characters and match ^[0-9A-Za-z][A-Za-z0-9_-]*$", name, v, limit)
	}
	return v, nil
}

// roleARN is a member that names an IAM role; whether it exists is not looked at.
func roleARN(p wire.Params, name string) (string, error) {
	v, err := required(p, name)
	if err != nil {
		return "", err
	}
	if kind, _ := principal(v); kind != "role" {
		return "", invalidParameter("%s: %q is not a role's ARN, arn:PARTITION:iam::ACCOUNT:role/NAME", name, v)
	}
	return v, nil
}

var iamARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:(role|user)/(?:[\x21-\x7e]+/)?([\w+=,.@-]{1,64})$`)

// principal is the kind (role, user) and the name, without its path, of an IAM principal;
// empty when the ARN is of nothing that can have access to a cluster.
func principal(arn string) (kind, name string) {
	if m := iamARN.FindStringSubmatch(arn); m != nil {
		return m[1], m[2]
	}
	return "", ""
}

// parseTags reads the member tags, which may be absent. bad words its errors.
func parseTags(p wire.Params, bad func(string, ...any) error) (map[string]string, error) {
	in := p.Struct("tags")
	if len(in) > maxTags {
		return nil, bad("tags: %d tags are more than the %d that are allowed", len(in), maxTags)
	}
	out := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(in)) {
		value := in.Str(key)
		switch n := utf8.RuneCountInString(key); {
		case n < 1 || n > 128:
			return nil, bad("tags: the key %q must have 1–128 characters", key)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, bad("tags: the key %q starts with aws:, which is reserved", key)
		case utf8.RuneCountInString(value) > 256:
			return nil, bad("tags: the value of %q must have at most 256 characters", key)
		}
		out[key] = value
	}
	return out, nil
}

// maxTags of one resource.
const maxTags = 50

// kv is a member of an answer.
func kv(name string, value any) wire.Member { return wire.Member{Name: name, Value: value} }

func stringMap(m map[string]string) wire.Struct {
	out := make(wire.Struct, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, kv(k, m[k]))
	}
	return out
}

// echo shows a member as it was given; nil when it was not.
func echo(v any) any {
	switch v := v.(type) {
	case wire.Params:
		return echoStruct(v)
	case map[string]any:
		return echoStruct(v)
	case []any:
		out := make(wire.List, len(v))
		for i, e := range v {
			out[i] = echo(e)
		}
		return out
	default:
		return v
	}
}

func echoStruct(m map[string]any) wire.Struct {
	out := wire.Struct{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, kv(k, echo(m[k])))
	}
	return out
}

func sortedValues[T any](m map[string]T) []T {
	out := make([]T, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out
}

// quoted lists names for a message.
func quoted(names []string) string { return fmt.Sprintf("%q", names) }
