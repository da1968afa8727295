package elbv2

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// maxTagARNs is how many resources one tag call may name.
const maxTagARNs = 20

type tag struct{ key, value string }

// tags of one resource, in order of first appearance. The slice is replaced, never
// written into.
type tags []tag

// tagText is the character set of keys and values in the API model.
func tagText() *regexp.Regexp { return regexp.MustCompile(`^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$`) }

// parseTags reads the member Tags, which may be absent.
func (c *call) parseTags() (tags, error) {
	var out tags
	text := tagText()
	keys := []string{}
	for i, p := range c.p.List("Tags") {
		path := at("tags", i)
		t := tag{p.Str("Key"), p.Str("Value")}
		if err := checkTagKey(t.key, path+".key", text); err != nil {
			return nil, err
		}
		if err := constraint.Length(t.value, path+".value", 0, 256); err != nil {
			return nil, err
		}
		if err := constraint.Matches(t.value, path+".value", text); err != nil {
			return nil, err
		}
		out = append(out, t)
		keys = append(keys, t.key)
	}
	if key, ok := wire.FirstDuplicate(keys); ok {
		return nil, wire.Errorf("DuplicateTagKeys", "Tag key was specified more than once: %s", key)
	}
	if len(out) > c.s.cfg.Quotas.TagsPerResource {
		return nil, c.tooManyTags()
	}
	return out, nil
}

func checkTagKey(key, path string, text *regexp.Regexp) error {
	if err := constraint.Length(key, path, 1, 128); err != nil {
		return err
	}
	if err := constraint.Matches(key, path, text); err != nil {
		return err
	}
	if strings.HasPrefix(strings.ToLower(key), "aws:") {
		return invalid("aws: prefixed tag key names are not allowed for external use.")
	}
	return nil
}

func (c *call) tooManyTags() error {
	return wire.Errorf("TooManyTags", "You have reached the limit on the number of tags that you can assign to a resource: %d",
		c.s.cfg.Quotas.TagsPerResource)
}

func (t tags) with(add tags) tags {
	out := slices.Clone(t)
	for _, a := range add {
		i := slices.IndexFunc(out, func(x tag) bool { return x.key == a.key })
		if i >= 0 {
			out[i] = a
		} else {
			out = append(out, a)
		}
	}
	return out
}

func (t tags) without(keys []string) tags {
	return slices.DeleteFunc(slices.Clone(t), func(x tag) bool { return slices.Contains(keys, x.key) })
}

func (t tags) resource(arn string) model.Resource {
	r := model.Resource{ARN: arn, Tags: make(map[string]string, len(t))}
	for _, x := range t {
		r.Tags[x.key] = x.value
	}
	return r
}

// same compares tags as a set.
func (t tags) same(o tags) bool {
	return len(t) == len(o) && !slices.ContainsFunc(t, func(x tag) bool { return !slices.Contains(o, x) })
}

// tagged finds the tags of every resource in ResourceArns.
func (c *call) tagged() (arns []string, found []*tags, err error) {
	arns = c.p.Strings("ResourceArns")
	if len(arns) == 0 {
		return nil, nil, constraint.Violation(nil, "resourceArns", "not be null")
	}
	if len(arns) > maxTagARNs {
		return nil, nil, constraint.Violation(arns, "resourceArns", fmt.Sprintf("have length less than or equal to %d", maxTagARNs))
	}
	for _, arn := range arns {
		t, err := c.tagsOf(arn)
		if err != nil {
			return nil, nil, err
		}
		found = append(found, t)
	}
	return arns, found, nil
}

func (w *world) tagsOf(arn string) (*tags, error) {
	switch arnKind(arn) {
	case kindLoadBalancer:
		lb, err := w.loadBalancer(arn)
		if err != nil {
			return nil, err
		}
		return &lb.tags, nil
	case kindListener:
		l, err := w.listener(arn)
		if err != nil {
			return nil, err
		}
		return &l.tags, nil
	case kindRule:
		_, r, err := w.rule(arn)
		if err != nil {
			return nil, err
		}
		return &r.tags, nil
	case kindTargetGroup:
		tg, err := w.targetGroup(arn)
		if err != nil {
			return nil, err
		}
		return &tg.tags, nil
	default:
		return nil, invalid("'%s' is not a valid load balancer, target group, listener or rule ARN", arn)
	}
}

func (c *call) addTags() (wire.Struct, error) {
	_, found, err := c.tagged()
	if err != nil {
		return nil, err
	}
	add, err := c.parseTags()
	if err != nil {
		return nil, err
	}
	if len(add) == 0 {
		return nil, constraint.Violation("[]", "tags", "have length greater than or equal to 1")
	}
	for _, t := range found {
		if len(t.with(add)) > c.s.cfg.Quotas.TagsPerResource {
			return nil, c.tooManyTags()
		}
	}
	for _, t := range found {
		*t = t.with(add)
	}
	return wire.Struct{}, nil
}

func (c *call) removeTags() (wire.Struct, error) {
	_, found, err := c.tagged()
	if err != nil {
		return nil, err
	}
	keys := c.p.Strings("TagKeys")
	if len(keys) == 0 {
		return nil, constraint.Violation(nil, "tagKeys", "not be null")
	}
	for i, key := range keys {
		if err := checkTagKey(key, at("tagKeys", i), tagText()); err != nil {
			return nil, err
		}
	}
	for _, t := range found {
		*t = t.without(keys)
	}
	return wire.Struct{}, nil
}

func (c *call) describeTags() (wire.Struct, error) {
	arns, found, err := c.tagged()
	if err != nil {
		return nil, err
	}
	out := make(wire.List, len(arns))
	for i, arn := range arns {
		out[i] = wire.Struct{
			kv("ResourceArn", arn),
			kv("Tags", wire.ListOf(*found[i], func(t tag) wire.Struct {
				return wire.Struct{kv("Key", t.key), kv("Value", t.value)}
			})),
		}
	}
	return wire.Struct{kv("TagDescriptions", out)}, nil
}
