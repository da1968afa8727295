package iam

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/authz"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// holder is what roles and users have in common: a name, and policies.
type holder struct {
	name, path, arn, id string
	created             time.Time
	inline              map[string]document
	attached            []string // ARNs of managed policies, in the order of their attachment
	boundary            string   // ARN of a managed policy; "" for none
	tags                tags
	maxInline           int // characters of all inline policies together
}

// newHolder reads what CreateRole and CreateUser have in common, without an identifier.
func (c *call) newHolder(kind, name string, maxInline int) (holder, error) {
	h := holder{name: name, created: c.now(), inline: map[string]document{}, maxInline: maxInline}
	var err error
	if h.path, err = c.path(); err != nil {
		return h, err
	}
	if h.tags, err = c.newTags(nil); err != nil {
		return h, err
	}
	if h.boundary = c.p.Str("PermissionsBoundary"); h.boundary != "" && !c.attachable(h.boundary) {
		return h, noSuchEntity("Scope ARN: %s does not exist or is not attachable.", h.boundary)
	}
	h.arn = c.arn(kind, h.path, name)
	return h, nil
}

// policies of the holder, for authz.
func (c *world) policiesOf(h *holder) authz.Policies {
	var out authz.Policies
	for _, d := range sorted(h.inline) {
		out.Identity = append(out.Identity, d.policy)
	}
	for _, arn := range h.attached {
		if d, ok := c.managed(arn); ok {
			out.Identity = append(out.Identity, d.policy)
		}
	}
	if h.boundary != "" {
		d, _ := c.managed(h.boundary)
		out.Boundary = []authz.Policy{d.policy}
	}
	return out
}

// boundaryMember is the answer's member PermissionsBoundary, nil for none.
func (h *holder) boundaryMember() any {
	if h.boundary == "" {
		return nil
	}
	return wire.Struct{kv("PermissionsBoundaryType", "PermissionsBoundaryPolicy"), kv("PermissionsBoundaryArn", h.boundary)}
}

// emptied tells why the holder cannot be deleted yet.
func (h *holder) emptied() error {
	switch {
	case len(h.attached) > 0:
		return deleteConflict("Cannot delete entity, must detach all policies first.")
	case len(h.inline) > 0:
		return deleteConflict("Cannot delete entity, must delete policies first.")
	}
	return nil
}

// policyOps are the operations on the policies of one kind of holder.
type policyOps struct {
	word string // role or user, as messages write it
	find func(*call) (*holder, error)
}

func (o policyOps) put(c *call) (wire.Struct, error) {
	h, err := o.find(c)
	if err != nil {
		return nil, err
	}
	name, err := c.name("PolicyName", 128)
	if err != nil {
		return nil, err
	}
	d, err := c.document("PolicyDocument", name, authz.Identity, h.maxInline)
	if err != nil {
		return nil, err
	}
	all := d.size()
	for n, other := range h.inline {
		if n != name {
			all += other.size()
		}
	}
	if all > h.maxInline {
		return nil, limitExceeded("Maximum policy size of %d bytes exceeded for %s %s", h.maxInline, o.word, h.name)
	}
	h.inline[name] = d
	return wire.Struct{}, nil
}

// inline finds the policy that the call names.
func (o policyOps) inline(c *call) (*holder, string, error) {
	h, err := o.find(c)
	if err != nil {
		return nil, "", err
	}
	name, err := c.name("PolicyName", 128)
	if err != nil {
		return nil, "", err
	}
	if _, ok := h.inline[name]; !ok {
		return nil, "", noSuchEntity("The %s policy with name %s cannot be found.", o.word, name)
	}
	return h, name, nil
}

func (o policyOps) get(c *call) (wire.Struct, error) {
	h, name, err := o.inline(c)
	if err != nil {
		return nil, err
	}
	member := strings.ToUpper(o.word[:1]) + o.word[1:] + "Name"
	return wire.Struct{kv(member, h.name), kv("PolicyName", name), kv("PolicyDocument", h.inline[name].encoded())}, nil
}

func (o policyOps) remove(c *call) (wire.Struct, error) {
	h, name, err := o.inline(c)
	if err != nil {
		return nil, err
	}
	delete(h.inline, name)
	return wire.Struct{}, nil
}

func (o policyOps) list(c *call) (wire.Struct, error) {
	h, err := o.find(c)
	if err != nil {
		return nil, err
	}
	return page(c, "PolicyNames", sortedKeys(h.inline), self, text)
}

func (o policyOps) attach(c *call) (wire.Struct, error) {
	h, err := o.find(c)
	if err != nil {
		return nil, err
	}
	arn, err := c.policyARN()
	switch {
	case err != nil:
		return nil, err
	case !c.attachable(arn):
		return nil, noSuchEntity("Policy %s does not exist or is not attachable.", arn)
	case slices.Contains(h.attached, arn):
		return wire.Struct{}, nil
	case len(h.attached) >= maxAttached:
		return nil, limitExceeded("Cannot exceed quota for PoliciesPer%s: %d", strings.ToUpper(o.word[:1])+o.word[1:], maxAttached)
	}
	h.attached = append(h.attached, arn)
	return wire.Struct{}, nil
}

func (o policyOps) detach(c *call) (wire.Struct, error) {
	h, err := o.find(c)
	if err != nil {
		return nil, err
	}
	arn, err := c.policyARN()
	if err != nil {
		return nil, err
	}
	i := slices.Index(h.attached, arn)
	if i < 0 {
		return nil, noSuchEntity("Policy %s was not found.", arn)
	}
	h.attached = slices.Delete(h.attached, i, i+1)
	return wire.Struct{}, nil
}

func (o policyOps) listAttached(c *call) (wire.Struct, error) {
	h, err := o.find(c)
	if err != nil {
		return nil, err
	}
	arns := slices.Sorted(slices.Values(h.attached))
	return page(c, "AttachedPolicies", arns, self, func(arn string) any {
		return wire.Struct{kv("PolicyName", arn[strings.LastIndex(arn, "/")+1:]), kv("PolicyArn", arn)}
	})
}

func (o policyOps) putBoundary(c *call) (wire.Struct, error) {
	h, err := o.find(c)
	if err != nil {
		return nil, err
	}
	arn, err := c.required("PermissionsBoundary")
	if err != nil {
		return nil, err
	}
	if !c.attachable(arn) {
		return nil, noSuchEntity("Scope ARN: %s does not exist or is not attachable.", arn)
	}
	h.boundary = arn
	return wire.Struct{}, nil
}

func (o policyOps) deleteBoundary(c *call) (wire.Struct, error) {
	h, err := o.find(c)
	if err != nil {
		return nil, err
	}
	if h.boundary == "" {
		return nil, failure("NoSuchEntity", http.StatusNotFound, "The %s with name %s has no permissions boundary.", o.word, h.name)
	}
	h.boundary = ""
	return wire.Struct{}, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
