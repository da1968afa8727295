package tagging

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// Limits of TagResources and UntagResources.
const (
	maxWriteARNs = 20
	maxTags      = 50
)

func (c *call) tagResources() (wire.Struct, error) {
	in := c.p.Struct("Tags")
	if n := len(in); n < 1 || n > maxTags {
		return nil, invalid("Tags: are %d; give 1–%d", n, maxTags)
	}
	set := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(in)) {
		set[key] = in.Str(key)
		switch n := utf8.RuneCountInString(key); {
		case n < 1 || n > 128:
			return nil, invalid("Tags: the key %q must have 1–128 characters", key)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, invalid("Tags: the key %q starts with aws:, which is reserved", key)
		case utf8.RuneCountInString(set[key]) > 256:
			return nil, invalid("Tags: the value of %q must have at most 256 characters", key)
		}
	}
	return c.write(set, nil)
}

func (c *call) untagResources() (wire.Struct, error) {
	keys := c.p.Strings("TagKeys")
	if n := len(keys); n < 1 || n > maxTags {
		return nil, invalid("TagKeys: are %d; give 1–%d", n, maxTags)
	}
	return c.write(nil, keys)
}

// write changes the tags of each resource on its own: some may fail.
func (c *call) write(set map[string]string, remove []string) (wire.Struct, error) {
	arns := c.p.Strings("ResourceARNList")
	if n := len(arns); n < 1 || n > maxWriteARNs {
		return nil, invalid("ResourceARNList has %d ARNs; give 1–%d", n, maxWriteARNs)
	}
	fails := wire.Struct{}
	for _, arn := range arns {
		if err := c.writeOne(arn, set, remove); err != nil {
			fails = append(fails, kv(arn, failure(err)))
		}
	}
	c.s.observe(c.worldKey, c.now, c.s.cfg.Lag)
	return wire.Struct{kv("FailedResourcesMap", fails)}, nil
}

func (c *call) writeOne(arn string, set map[string]string, remove []string) error {
	for _, src := range c.s.cfg.Sources {
		has := slices.ContainsFunc(src.Resources(c.account, c.region), func(r model.Resource) bool { return r.ARN == arn })
		if !has {
			continue
		}
		w, ok := src.(Writer)
		if !ok {
			return wire.Errorf("NotSimulated", "tagging %s through this API is not simulated; use its own service's", arn)
		}
		return w.ChangeTags(c.account, c.region, arn, set, remove) //nolint:wrapcheck // it becomes part of the answer
	}
	return invalid("%s is no resource in this account and region", arn)
}

func failure(err error) wire.Struct {
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		e = &wire.Error{Code: "InternalServiceException", Message: err.Error(), Status: http.StatusInternalServerError}
	}
	return wire.Struct{
		kv("StatusCode", cmp.Or(e.Status, http.StatusBadRequest)), kv("ErrorCode", e.Code), kv("ErrorMessage", e.Message),
	}
}
