package elbv2

import (
	"regexp"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// maxRewriteText bounds a rewrite's regular expression and its replacement.
const maxRewriteText = 1024

// transform rewrites a request after its rule has matched. It is kept and shown; the
// data plane does not apply it.
type transform struct {
	kind           string // host-header-rewrite | url-rewrite
	regex, replace string
}

func transformConfig(kind string) string {
	if kind == "url-rewrite" {
		return "UrlRewriteConfig"
	}
	return "HostHeaderRewriteConfig"
}

// parseTransformsOf reads the transforms of a listener's rule.
func (c *call) parseTransformsOf(l *listener) ([]transform, error) {
	if l.lb.kind == network && len(c.p.List("Transforms")) > 0 {
		return nil, invalid("Transforms cannot be specified for a rule of a Network Load Balancer")
	}
	return c.parseTransforms()
}

func (c *call) parseTransforms() ([]transform, error) {
	var out []transform
	seen := map[string]bool{}
	for i, p := range c.p.List("Transforms") {
		path := at("transforms", i)
		kind, err := requiredIn(p, "Type", path)
		if err != nil {
			return nil, err
		}
		if err := constraint.OneOf(kind, path+".type", "host-header-rewrite", "url-rewrite"); err != nil {
			return nil, err
		}
		if seen[kind] {
			return nil, invalid("A rule can only have one '%s' transform", kind)
		}
		seen[kind] = true
		rewrites := p.Struct(transformConfig(kind)).List("Rewrites")
		if len(rewrites) != 1 {
			return nil, invalid("A '%s' transform must have exactly one rewrite in %s, not %d", kind, transformConfig(kind), len(rewrites))
		}
		t := transform{kind, rewrites[0].Str("Regex"), rewrites[0].Str("Replace")}
		path += "." + wire.Camel(transformConfig(kind)) + ".rewrites.1.member"
		if err := constraint.Length(t.regex, path+".regex", 1, maxRewriteText); err != nil {
			return nil, err
		}
		if err := constraint.Length(t.replace, path+".replace", 0, maxRewriteText); err != nil {
			return nil, err
		}
		if _, err := regexp.Compile(t.regex); err != nil {
			return nil, invalid("The '%s' regular expression '%s' is not valid", kind, t.regex)
		}
		out = append(out, t)
	}
	return out, nil
}

func describeTransform(t transform) wire.Struct {
	rewrites := wire.List{wire.Struct{kv("Regex", t.regex), kv("Replace", t.replace)}}
	return wire.Struct{
		kv("Type", t.kind),
		kv(transformConfig(t.kind), wire.Struct{kv("Rewrites", rewrites)}),
	}
}
