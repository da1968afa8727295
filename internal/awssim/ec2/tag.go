package ec2

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

const maxTags = 50

// newTags reads the tags that a call gives to what it creates of a type.
func (c *call) newTags(typ string) (map[string]string, error) {
	tags := map[string]string{}
	for _, s := range c.p.List("TagSpecification") {
		if s.Str("ResourceType") != typ {
			continue
		}
		if err := addTags(tags, s.List("Tag")); err != nil {
			return nil, err
		}
	}
	return tags, nil
}

func addTags(to map[string]string, list []wire.Params) error {
	seen := map[string]bool{}
	for _, t := range list {
		key, value := t.Str("Key"), t.Str("Value")
		switch n := utf8.RuneCountInString(key); {
		case n < 1 || n > 127:
			return wire.Errorf("InvalidParameterValue", "Tag key exceeds the maximum length of 127 characters or is empty: '%.150s'", key)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return wire.Errorf("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
		case utf8.RuneCountInString(value) > 255:
			return wire.Errorf("InvalidParameterValue", "Tag value exceeds the maximum length of 255 characters")
		case seen[key]:
			return wire.Errorf("InvalidParameterValue", "Duplicate tag key '%s' specified.", key)
		}
		seen[key] = true
		to[key] = value
	}
	if len(to) > maxTags {
		return wire.Errorf("TagLimitExceeded", "More than %d tags specified", maxTags)
	}
	return nil
}

// tagSet is the member of an answer.
func (h *head) tagSet() wire.Member {
	out := wire.List{}
	for _, k := range slices.Sorted(maps.Keys(h.tags)) {
		out = append(out, wire.Struct{kv("key", k), kv("value", h.tags[k])})
	}
	return kv("tagSet", out)
}

// tagged is a resource as the operations on tags see it.
type tagged struct {
	*head

	kind kind
}

// all resources that can have tags, by kind and in the order of creation.
func (w *world) all() []tagged {
	var out []tagged
	out = appendTagged(out, kindVPC(), w.vpcs)
	out = appendTagged(out, kindACL(), w.acls)
	out = appendTagged(out, kindSubnet(), w.subnets)
	out = appendTagged(out, kindInternet(), w.gateways)
	out = appendTagged(out, kindNAT(), w.nats)
	out = appendTagged(out, kindAddress(), w.addresses)
	out = appendTagged(out, kindTable(), w.tables)
	out = appendTagged(out, kindGroup(), w.groups)
	out = appendTagged(out, kindRule(), w.rules)
	out = appendTagged(out, kindInstance(), w.instances)
	out = appendTagged(out, kindInterface(), w.interfaces)
	return appendTagged(out, kindTemplate(), w.templates)
}

func appendTagged[T resource](to []tagged, k kind, items []T) []tagged {
	for _, it := range items {
		to = append(to, tagged{it.header(), k})
	}
	return to
}

// targets are the resources that a call names, which may be of any kind.
func (c *call) targets() ([]tagged, error) {
	ids := c.p.Strings("ResourceId")
	if len(ids) == 0 {
		return nil, wire.Errorf("MissingParameter", "The request must contain the parameter resourceIdSet")
	}
	all := c.all()
	var out []tagged
	for _, id := range ids {
		i := slices.IndexFunc(all, func(t tagged) bool { return t.id == id })
		if i < 0 {
			return nil, c.missing(id)
		}
		out = append(out, all[i])
	}
	return out, nil
}

// missing words that there is nothing with an identifier, as its kind would.
func (c *call) missing(id string) error {
	for _, k := range []kind{
		kindVPC(), kindACL(), kindSubnet(), kindInternet(), kindNAT(), kindAddress(), kindTable(), kindGroup(), kindRule(), kindInstance(),
		kindInterface(), kindTemplate(),
	} {
		if strings.HasPrefix(id, k.prefix+"-") {
			return k.missing(id)
		}
	}
	return wire.Errorf("InvalidID", "The ID '%s' is not valid", id)
}

func (c *call) createTags() (wire.Struct, error) {
	targets, err := c.targets()
	if err != nil {
		return nil, err
	}
	given := c.p.List("Tag")
	if len(given) == 0 {
		return nil, wire.Errorf("MissingParameter", "The request must contain the parameter tagSet")
	}
	merged := make([]map[string]string, len(targets))
	for i, t := range targets {
		if merged[i] = maps.Clone(t.tags); merged[i] == nil {
			merged[i] = map[string]string{}
		}
		if err := addTags(merged[i], given); err != nil {
			return nil, err
		}
	}
	for i, t := range targets {
		t.tags = merged[i]
	}
	return returned()
}

// deleteTags deletes a tag whatever its value, unless the call gives one; without any
// tag in the call, all of them.
func (c *call) deleteTags() (wire.Struct, error) {
	targets, err := c.targets()
	if err != nil {
		return nil, err
	}
	given := c.p.List("Tag")
	for _, t := range targets {
		left := maps.Clone(t.tags)
		maps.DeleteFunc(left, func(k, v string) bool {
			return len(given) == 0 || slices.ContainsFunc(given, func(g wire.Params) bool {
				return g.Str("Key") == k && (!g.Has("Value") || g.Str("Value") == v)
			})
		})
		t.tags = left
	}
	return returned()
}

// oneTag is an item of DescribeTags.
type oneTag struct {
	head

	resource, typ, key, value string
}

func (t *oneTag) field(name string) ([]string, bool) {
	if t == nil {
		t = &oneTag{}
	}
	v, ok := map[string]string{"key": t.key, "value": t.value, "resource-id": t.resource, "resource-type": t.typ}[name]
	return []string{v}, ok
}

func (c *call) describeTags() (wire.Struct, error) {
	var items []*oneTag
	for _, r := range c.all() {
		for _, k := range slices.Sorted(maps.Keys(r.tags)) {
			// tag:KEY filters the tags themselves here.
			h := head{id: r.id + " " + k, tags: map[string]string{k: r.tags[k]}}
			items = append(items, &oneTag{h, r.id, r.kind.typ, k, r.tags[k]})
		}
	}
	return describe(c, "", "tagSet", items, kind{}, func(t *oneTag) wire.Struct {
		return wire.Struct{kv("resourceId", t.resource), kv("resourceType", t.typ), kv("key", t.key), kv("value", t.value)}
	})
}

// Resources of an account in a region, with their tags.
func (s *Service) Resources(account, region string) []model.Resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.worlds[worldKey{account, region}]
	if w == nil {
		return nil
	}
	var out []model.Resource
	for _, t := range w.all() {
		out = append(out, model.Resource{ARN: w.arn(t.kind.typ, t.id), Tags: t.tags})
	}
	return out
}

// Subnet finds the VPC and the availability zone of a subnet.
func (s *Service) Subnet(account, region, id string) (vpc, az string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.worlds[worldKey{account, region}]
	if w == nil {
		return "", "", false
	}
	for _, n := range w.subnets {
		if n.id == id {
			return n.vpc.id, n.zone, true
		}
	}
	return "", "", false
}
