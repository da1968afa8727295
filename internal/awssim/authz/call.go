package authz

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// service is what the simulator knows of the authorization of one AWS service.
type service struct {
	prefix     string // of its actions, which is not always the signing name
	global     bool   // its calls count as us-east-1's
	operations map[string]operation
	keys       func(*call, Keys) // sets the service's own condition keys; may be nil
}

// operation tells what a call needs.
type operation struct {
	open      bool                 // needs nothing
	action    string               // where it has another name; "": the operation's
	resources func(*call) []string // nil: the action knows no resources
	also      func(*call) []check  // further actions, such as iam:PassRole; may be nil
}

// check is one action on resources.
type check struct {
	action    string
	resources []string
	keys      map[string]string // condition keys that only this action has
}

func (o operation) checks(c *call, prefix, name string) []check {
	resources := []string{"*"}
	if o.resources != nil {
		resources = o.resources(c)
	}
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	out := []check{{action: prefix + ":" + cmp.Or(o.action, name), resources: resources}}
	if o.also != nil {
		out = append(out, o.also(c)...)
	}
	return out
}

// plain operations have no resource.
func plain(names ...string) map[string]operation {
	return on(nil, names...)
}

// on gives operations the same resources.
func on(resources func(*call) []string, names ...string) map[string]operation {
	out := map[string]operation{}
	for _, n := range names {
		out[n] = operation{resources: resources}
	}
	return out
}

func join(parts ...map[string]operation) map[string]operation {
	out := map[string]operation{}
	for _, p := range parts {
		maps.Copy(out, p)
	}
	return out
}

// call is a request on its way through the table.
type call struct {
	cfg *Config
	r   *wire.Request
	p   wire.Params
}

func newCall(cfg *Config, r *wire.Request) *call {
	p := r.Params
	if p == nil {
		p = wire.Params{}
	}
	return &call{cfg, r, p}
}

// arn of a resource in the caller's account and region.
func (c *call) arn(service, resource string) string {
	return strings.Join([]string{"arn", wire.Partition(c.r.Region), service, c.r.Region, c.r.AccountID, resource}, ":")
}

// globalARN has no region.
func (c *call) globalARN(service, account, resource string) string {
	return strings.Join([]string{"arn", wire.Partition(c.r.Region), service, "", account, resource}, ":")
}

// first of the members that was sent.
func (c *call) first(names ...string) string {
	for _, n := range names {
		if v := c.p.Str(n); v != "" {
			return v
		}
	}
	return ""
}

// param takes ARNs from members that hold one ARN or a list of them.
func param(names ...string) func(*call) []string {
	return func(c *call) []string {
		var out []string
		for _, n := range names {
			out = append(out, c.p.Strings(n)...)
		}
		return out
	}
}

// passRole is iam:PassRole of the roles in some members, to an AWS service.
func passRole(to string, members ...string) func(*call) []check {
	return func(c *call) []check {
		if roles := param(members...)(c); len(roles) > 0 {
			return []check{passed(to, roles)}
		}
		return nil
	}
}

// passed is the permission to hand roles to an AWS service.
func passed(service string, roles []string) check {
	return check{action: "iam:PassRole", resources: roles, keys: map[string]string{"iam:PassedToService": service}}
}

// requestTags are the tags that a call sets, and all tag keys that it names.
func requestTags(p wire.Params) (tags map[string]string, names []string) {
	tags = map[string]string{}
	lists := [][]wire.Params{p.List("Tags"), p.List("Tag"), p.List("AddTags")}
	for _, s := range p.List("TagSpecification") {
		lists = append(lists, s.List("Tag"))
	}
	for _, list := range lists {
		for _, t := range list {
			tags[t.Str("Key")] = t.Str("Value")
		}
	}
	for _, m := range []string{"tags", "Tags"} {
		kv := p.Struct(m)
		for k := range kv {
			tags[k] = kv.Str(k)
		}
	}
	names = slices.Sorted(maps.Keys(tags))
	for _, m := range []string{"TagKeys", "tagKeys", "RemoveTagKeys"} {
		names = append(names, p.Strings(m)...)
	}
	return tags, names
}
