package iam

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// tags of one resource.
type tags map[string]string

// newTags reads the member Tags, which may be absent, on top of old ones.
func (c *call) newTags(old tags) (tags, error) {
	out := maps.Clone(old)
	if out == nil {
		out = tags{}
	}
	seen := map[string]bool{}
	text := regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	for _, t := range c.p.List("Tags") {
		key, value := t.Str("Key"), t.Str("Value")
		switch n := utf8.RuneCountInString(key); {
		case n < 1 || n > 128 || !text.MatchString(key):
			return nil, violation(key, "tags.key", `have 1 to 128 characters of [\p{L}\p{Z}\p{N}_.:/=+\-@]`)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, wire.Errorf("InvalidInput", "aws: prefixed tag key names are not allowed for external use: %s", key)
		case utf8.RuneCountInString(value) > 256 || !text.MatchString(value):
			return nil, violation(value, "tags.value", `have at most 256 characters of [\p{L}\p{Z}\p{N}_.:/=+\-@]`)
		case seen[strings.ToLower(key)]:
			return nil, wire.Errorf("InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		seen[strings.ToLower(key)] = true
		out[key] = value
	}
	if len(out) > maxTags {
		return nil, limitExceeded("The number of tags has reached the maximum limit: %d", maxTags)
	}
	return out, nil
}

// list as answers have it.
func (t tags) list() wire.List {
	out := wire.List{}
	for _, k := range sortedKeys(t) {
		out = append(out, wire.Struct{kv("Key", k), kv("Value", t[k])})
	}
	return out
}

// tagging makes the three operations on the tags of one kind of resource.
func tagging(find func(*call) (*tags, error)) (tag, untag, list handler) {
	tag = func(c *call) (wire.Struct, error) {
		t, err := find(c)
		if err != nil {
			return nil, err
		}
		if len(c.p.List("Tags")) == 0 {
			return nil, violation(nil, "Tags", "not be null")
		}
		merged, err := c.newTags(*t)
		if err != nil {
			return nil, err
		}
		*t = merged
		return wire.Struct{}, nil
	}
	untag = func(c *call) (wire.Struct, error) {
		t, err := find(c)
		if err != nil {
			return nil, err
		}
		keys := c.p.Strings("TagKeys")
		if n := len(keys); n == 0 || n > maxTags {
			return nil, violation(n, "TagKeys", fmt.Sprintf("have 1 to %d elements", maxTags))
		}
		left := maps.Clone(*t)
		for _, k := range keys {
			delete(left, k)
		}
		*t = left
		return wire.Struct{}, nil
	}
	list = func(c *call) (wire.Struct, error) {
		t, err := find(c)
		if err != nil {
			return nil, err
		}
		return page(c, "Tags", sortedKeys(*t), self, func(k string) any {
			return wire.Struct{kv("Key", k), kv("Value", (*t)[k])}
		})
	}
	return tag, untag, list
}
