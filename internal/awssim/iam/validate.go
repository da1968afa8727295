package iam

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/norikae/norikae/internal/awssim/authz"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// Limits, from the API model and IAM's quotas.
const (
	maxItems       = 1000
	defaultItems   = 100
	maxTags        = 50
	maxAttached    = 10
	maxVersions    = 5
	maxKeys        = 2
	maxManagedSize = 6144   // characters of a managed policy, without white space
	maxTrustSize   = 2048   // of a role's trust policy
	maxRoleInline  = 10_240 // of all inline policies of a role together
	maxUserInline  = 2048   // of all inline policies of a user together
	maxProviders   = 100
	maxClientIDs   = 100
	maxThumbprints = 5
	maxDescription = 1000
)

func failure(code string, status int, format string, args ...any) error {
	return &wire.Error{Code: code, Message: fmt.Sprintf(format, args...), Status: status}
}

func noSuchEntity(format string, args ...any) error {
	return failure("NoSuchEntity", http.StatusNotFound, format, args...)
}

func exists(format string, args ...any) error {
	return failure("EntityAlreadyExists", http.StatusConflict, format, args...)
}

func deleteConflict(message string) error {
	return failure("DeleteConflict", http.StatusConflict, "%s", message)
}

func limitExceeded(format string, args ...any) error {
	return failure("LimitExceeded", http.StatusConflict, format, args...)
}

// violation is the wording of AWS's request validation.
func violation(value any, member, must string) error {
	v := fmt.Sprintf("'%v'", value)
	if value == nil {
		v = "null"
	}
	return wire.Errorf("ValidationError", "1 validation error detected: Value at '%s' failed to satisfy constraint: Member must %s; it is %s", wire.Camel(member), must, v)
}

// required is a member that must be there and not be empty.
func (c *call) required(name string) (string, error) {
	v := c.p.Str(name)
	if v == "" {
		return "", violation(nil, name, "not be null")
	}
	return v, nil
}

// name is a required member that names something of at most n characters.
func (c *call) name(member string, n int) (string, error) {
	v, err := c.required(member)
	if err != nil {
		return "", err
	}
	if !regexp.MustCompile(`^[\w+=,.@-]+$`).MatchString(v) {
		return "", violation(v, member, `satisfy regular expression pattern: [\w+=,.@-]+`)
	}
	if len(v) > n {
		return "", violation(v, member, fmt.Sprintf("have length less than or equal to %d", n))
	}
	return v, nil
}

// path is the optional member Path.
func (c *call) path() (string, error) {
	v := c.p.Str("Path")
	switch {
	case v == "":
		return "/", nil
	case len(v) > 512 || !regexp.MustCompile(`^/([\x21-\x7e]+/)?$`).MatchString(v):
		return "", violation(v, "Path", "begin and end with / and have at most 512 printable ASCII characters")
	}
	return v, nil
}

func (c *call) description() (string, error) {
	v := c.p.Str("Description")
	if utf8.RuneCountInString(v) > maxDescription {
		return "", violation(v, "Description", fmt.Sprintf("have length less than or equal to %d", maxDescription))
	}
	return v, nil
}

// document reads a required member that holds a policy document of limited size.
func (c *call) document(member, name string, kind authz.Kind, limit int) (document, error) {
	text, err := c.required(member)
	if err != nil {
		return document{}, err
	}
	p, err := authz.Parse(name, text, kind)
	if err != nil {
		return document{}, wire.Errorf("MalformedPolicyDocument", "%s", err)
	}
	d := document{text: text, policy: p}
	if d.size() > limit {
		what := "PolicySize"
		if kind == authz.Trust {
			what = "ACLSizePerRole"
		}
		return document{}, limitExceeded("Cannot exceed quota for %s: %d", what, limit)
	}
	return d, nil
}

// document is a policy document as it was given, and read.
type document struct {
	text   string
	policy authz.Policy
}

// size counts characters as IAM does: without white space.
func (d document) size() int {
	n := 0
	for _, r := range d.text {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// encoded is how IAM answers documents: URL-encoded after RFC 3986.
func (d document) encoded() string {
	return strings.ReplaceAll(url.QueryEscape(d.text), "+", "%20")
}

// page cuts what Marker and MaxItems ask for, and appends the members IsTruncated and
// Marker to an answer. A marker is the key of the last item of the page before; items
// are in the order of their keys.
func page[T any](c *call, member string, items []T, key func(T) string, describe func(T) any) (wire.Struct, error) {
	size, ok, err := c.p.Int("MaxItems")
	switch {
	case err != nil:
		return nil, err
	case !ok:
		size = defaultItems
	case size < 1 || size > maxItems:
		return nil, violation(size, "MaxItems", fmt.Sprintf("have value of 1 to %d", maxItems))
	}
	size = min(size, c.s.cfg.MaxPageSize)
	if marker := c.p.Str("Marker"); marker != "" {
		last, err := base64.RawURLEncoding.DecodeString(marker)
		if err != nil {
			return nil, wire.Errorf("ValidationError", "Invalid Marker.")
		}
		i := slices.IndexFunc(items, func(it T) bool { return key(it) > string(last) })
		if i < 0 {
			i = len(items)
		}
		items = items[i:]
	}
	truncated := len(items) > size
	var next any
	if truncated {
		items = items[:size]
		next = base64.RawURLEncoding.EncodeToString([]byte(key(items[size-1])))
	}
	return wire.Struct{kv(member, wire.ListOf(items, describe)), kv("IsTruncated", truncated), kv("Marker", next)}, nil
}

// sorted are a map's values in the order of their keys.
func sorted[T any](m map[string]T) []T {
	out := make([]T, 0, len(m))
	for _, k := range sortedKeys(m) {
		out = append(out, m[k])
	}
	return out
}

// below keeps what is at or below the member PathPrefix.
func below[T any](c *call, items []T, path func(T) string) []T {
	prefix := c.p.Str("PathPrefix")
	return slices.DeleteFunc(items, func(it T) bool { return !strings.HasPrefix(path(it), prefix) })
}

func kv(name string, value any) wire.Member { return wire.Member{Name: name, Value: value} }

func self(s string) string { return s }
func text(s string) any    { return s }
