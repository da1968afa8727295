package eks

import (
	"maps"
	"net/http"
	"strings"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

func badRequest(format string, args ...any) error {
	return wire.Errorf("BadRequestException", format, args...)
}

// tagged finds the tags of a resource of this world.
func (w *world) tagged(arn string) (*map[string]string, error) {
	part := strings.SplitN(arn, ":", 6)
	if len(part) != 6 || part[0] != "arn" || part[2] != "eks" {
		return nil, badRequest("resourceArn: %q is not the ARN of an EKS resource", arn)
	}
	seg := strings.Split(part[5], "/")
	if len(seg) > 1 {
		if x := w.clusters[seg[1]]; x != nil {
			for _, r := range x.resources() {
				if r.arn == arn {
					return r.tags, nil
				}
			}
		}
	}
	return nil, &wire.Error{
		Code: "NotFoundException", Status: http.StatusNotFound,
		Message: "The resource with ARN " + arn + " was not found in this account and region",
	}
}

// resource of a cluster, or a cluster, that can have tags.
type resource struct {
	arn  string
	tags *map[string]string
}

func (c *cluster) resources() []resource {
	out := []resource{{c.arn, &c.tags}}
	for _, n := range sortedValues(c.nodegroups) {
		out = append(out, resource{n.arn, &n.tags})
	}
	for _, a := range sortedValues(c.addons) {
		out = append(out, resource{a.arn, &a.tags})
	}
	for _, a := range sortedValues(c.associations) {
		out = append(out, resource{a.arn, &a.tags})
	}
	for _, e := range sortedValues(c.entries) {
		out = append(out, resource{e.arn, &e.tags})
	}
	return out
}

// Resources are all that the service has in one account and region, with their tags.
func (s *Service) Resources(account, region string) []model.Resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []model.Resource
	for _, x := range s.world(account, region).settled(s.now()) {
		for _, r := range x.resources() {
			out = append(out, model.Resource{ARN: r.arn, Tags: *r.tags})
		}
	}
	return out
}

// ChangeTags sets and removes tags of a resource, as the tagging service does on behalf
// of its callers.
func (s *Service) ChangeTags(account, region, arn string, set map[string]string, remove []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.world(account, region)
	w.settled(s.now())
	return w.changeTags(arn, set, remove)
}

func (w *world) changeTags(arn string, set map[string]string, remove []string) error {
	tags, err := w.tagged(arn)
	if err != nil {
		return err
	}
	next := map[string]string{}
	maps.Copy(next, *tags)
	maps.Copy(next, set)
	for _, key := range remove {
		delete(next, key)
	}
	if len(next) > maxTags {
		return badRequest("tags: the resource would have %d tags, which is more than the %d that are allowed", len(next), maxTags)
	}
	*tags = next
	return nil
}

func (c *call) tagResource() (wire.Struct, error) {
	c.settled(c.now)
	set, err := parseTags(c.p, badRequest)
	if err != nil {
		return nil, err
	}
	if len(set) == 0 {
		return nil, badRequest("tags: are missing; give at least one")
	}
	return wire.Struct{}, c.changeTags(c.p.Str("resourceArn"), set, nil)
}

func (c *call) untagResource() (wire.Struct, error) {
	c.settled(c.now)
	keys := c.p.Strings("tagKeys")
	if len(keys) == 0 || len(keys) > maxTags {
		return nil, badRequest("tagKeys: are %d; give 1–%d", len(keys), maxTags)
	}
	return wire.Struct{}, c.changeTags(c.p.Str("resourceArn"), nil, keys)
}

func (c *call) listTagsForResource() (wire.Struct, error) {
	c.settled(c.now)
	tags, err := c.tagged(c.p.Str("resourceArn"))
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("tags", stringMap(*tags))}, nil
}
