package wire

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Params is a structure of a request's input, independent of the protocol: nested
// Params (or map[string]any) and []any with scalar leaves. In the query protocol
// every leaf is a string; JSON and CBOR have their own types. The accessors accept
// either. They report ok = false for an absent member, and an *Error with code
// ValidationError, which names the member and the value, for one of another type.
type Params map[string]any

// Has tells whether the member was sent, even when empty.
func (p Params) Has(name string) bool { _, ok := p[name]; return ok }

// String is the member as text; numbers and booleans are formatted.
func (p Params) String(name string) (string, bool) {
	switch v := p[name].(type) {
	case nil:
		return "", false
	case string:
		return v, true
	case Params, map[string]any, []any:
		return "", false
	default:
		return fmt.Sprint(v), true
	}
}

// Str is String for members where absent and empty mean the same.
func (p Params) Str(name string) string {
	s, _ := p.String(name)
	return s
}

// Int is the member as an integer.
func (p Params) Int(name string) (n int, ok bool, err error) {
	switch v := p[name].(type) {
	case nil:
		return 0, false, nil
	case int64:
		return int(v), true, nil
	case uint64:
		if v <= math.MaxInt64 {
			return int(v), true, nil // the range was checked
		}
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int(v), true, nil
		}
	case string:
		if n, err := strconv.Atoi(v); err == nil {
			return n, true, nil
		}
	}
	return 0, false, p.typeError(name, "an integer")
}

// Float is the member as a finite or infinite number; NaN is refused.
func (p Params) Float(name string) (f float64, ok bool, err error) {
	switch v := p[name].(type) {
	case nil:
		return 0, false, nil
	case int64:
		return float64(v), true, nil
	case uint64:
		return float64(v), true, nil
	case float64:
		f, ok = v, true
	case float32:
		f, ok = float64(v), true
	case string:
		f, err = strconv.ParseFloat(v, 64)
		ok = err == nil
	}
	if !ok || math.IsNaN(f) {
		return 0, false, p.typeError(name, "a number")
	}
	return f, true, nil
}

// Bool is the member as a boolean.
func (p Params) Bool(name string) (b, ok bool, err error) {
	switch v := p[name].(type) {
	case nil:
		return false, false, nil
	case bool:
		return v, true, nil
	case string:
		if b, err := strconv.ParseBool(v); err == nil {
			return b, true, nil
		}
	}
	return false, false, p.typeError(name, "a boolean")
}

// Time is the member as an instant: ISO 8601 text, epoch seconds or a CBOR time.
func (p Params) Time(name string) (t time.Time, ok bool, err error) {
	switch v := p[name].(type) {
	case nil:
		return time.Time{}, false, nil
	case time.Time:
		return v, true, nil
	case string:
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
			if t, err := time.Parse(layout, v); err == nil {
				return t, true, nil
			}
		}
	}
	if f, ok, err := p.Float(name); ok && err == nil && math.Abs(f) < 1e11 {
		return time.Unix(0, int64(f*1e9)).UTC(), true, nil
	}
	return time.Time{}, false, p.typeError(name, "a timestamp")
}

// Struct is the member as a structure; nil when it is absent or something else.
func (p Params) Struct(name string) Params { return asParams(p[name]) }

// List is the member as a list of structures; other elements are passed over.
func (p Params) List(name string) []Params {
	items, _ := p[name].([]any)
	out := make([]Params, 0, len(items))
	for _, it := range items {
		if s := asParams(it); s != nil {
			out = append(out, s)
		}
	}
	return out
}

// Strings is the member as a list of scalars, formatted. Text alone is a list of one:
// a list in a URL's query does not show that it is one before the second element.
func (p Params) Strings(name string) []string {
	if s, ok := p[name].(string); ok && s != "" {
		return []string{s}
	}
	items, _ := p[name].([]any)
	out := make([]string, 0, len(items))
	for _, it := range items {
		switch it.(type) {
		case nil, Params, map[string]any, []any:
		default:
			out = append(out, fmt.Sprint(it))
		}
	}
	return out
}

func (p Params) typeError(name, want string) *Error {
	return Errorf("ValidationError", "%s: %v is not %s", name, p[name], want)
}

func asParams(v any) Params {
	switch v := v.(type) {
	case Params:
		return v
	case map[string]any:
		return v
	default:
		return nil
	}
}
