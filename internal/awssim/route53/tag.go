package route53

import (
	"fmt"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/wire"
)

const (
	maxTags      = 50 // of one resource
	maxTagChange = 10 // added or removed in one call, and resources of ListTagsForResources
)

type tag struct{ key, value string }

// tags of one resource, in order of first appearance.
type tags []tag

func (t tags) describe(kind, id string) wire.Struct {
	list := wire.ListOf(t, func(x tag) wire.Struct { return wire.Struct{kv("Key", x.key), kv("Value", x.value)} })
	return wire.Struct{kv("ResourceType", kind), kv("ResourceId", id), kv("Tags", list)}
}

// tagged finds the tags of a hosted zone or a health check.
func (c *call) tagged(id string) (*tags, error) {
	switch kind := c.p.Str("ResourceType"); kind {
	case "hostedzone":
		sub := *c
		sub.p = wire.Params{"Id": id}
		z, err := sub.zone("Id")
		if err != nil {
			return nil, err
		}
		return &z.tags, nil
	case "healthcheck":
		h := c.checks[id]
		if h == nil {
			return nil, noSuchHealthCheck(id)
		}
		return &h.tags, nil
	default:
		return nil, constraint.OneOf(kind, "resourceType", "healthcheck", "hostedzone")
	}
}

func (c *call) changeTagsForResource() (wire.Struct, error) {
	t, err := c.tagged(c.p.Str("ResourceId"))
	if err != nil {
		return nil, err
	}
	add, remove := c.p.List("AddTags"), c.p.Strings("RemoveTagKeys")
	if len(add) > maxTagChange || len(remove) > maxTagChange {
		return nil, invalid("At most %d tags can be added, and as many removed, in one request", maxTagChange)
	}
	if len(add) == 0 && len(remove) == 0 {
		return nil, invalid("AddTags or RemoveTagKeys must be specified")
	}
	out := slices.DeleteFunc(slices.Clone(*t), func(x tag) bool { return slices.Contains(remove, x.key) })
	for i, p := range add {
		x := tag{p.Str("Key"), p.Str("Value")}
		path := fmt.Sprintf("addTags.%d.member.", i+1)
		if err := constraint.Length(x.key, path+"key", 1, 128); err != nil {
			return nil, err
		}
		if err := constraint.Length(x.value, path+"value", 0, 256); err != nil {
			return nil, err
		}
		if strings.HasPrefix(strings.ToLower(x.key), "aws:") {
			return nil, invalid("aws: prefixed tag key names are not allowed for external use.")
		}
		if n := slices.IndexFunc(out, func(o tag) bool { return o.key == x.key }); n >= 0 {
			out[n] = x
		} else {
			out = append(out, x)
		}
	}
	if len(out) > maxTags {
		return nil, invalid("A resource can have at most %d tags", maxTags)
	}
	*t = out
	return wire.Struct{}, nil
}

func (c *call) listTagsForResource() (wire.Struct, error) {
	id := c.p.Str("ResourceId")
	t, err := c.tagged(id)
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("ResourceTagSet", t.describe(c.p.Str("ResourceType"), id))}, nil
}

func (c *call) listTagsForResources() (wire.Struct, error) {
	ids := c.p.Strings("ResourceIds")
	if len(ids) == 0 || len(ids) > maxTagChange {
		return nil, constraint.Violation(ids, "resourceIds", fmt.Sprintf("have length from 1 to %d", maxTagChange))
	}
	out := make(wire.List, len(ids))
	for i, id := range ids {
		t, err := c.tagged(id)
		if err != nil {
			return nil, err
		}
		out[i] = t.describe(c.p.Str("ResourceType"), id)
	}
	return wire.Struct{kv("ResourceTagSets", out)}, nil
}
