package iam

import (
	"fmt"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/authz"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// Bounds of MaxSessionDuration, in seconds.
const (
	minSession = 3_600
	maxSession = 43_200
)

type role struct {
	holder

	trust       document
	description string
	maxSession  int // seconds
}

func (c *call) role() (*role, error) {
	name, err := c.name("RoleName", 64)
	if err != nil {
		return nil, err
	}
	r := c.roles[strings.ToLower(name)]
	if r == nil {
		return nil, noSuchEntity("The role with name %s cannot be found.", name)
	}
	return r, nil
}

func roleHolder(c *call) (*holder, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	return &r.holder, nil
}

func roleTags(c *call) (*tags, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	return &r.tags, nil
}

func (r *role) describe() wire.Struct {
	out := wire.Struct{
		kv("Path", r.path), kv("RoleName", r.name), kv("RoleId", r.id), kv("Arn", r.arn), kv("CreateDate", r.created),
		kv("AssumeRolePolicyDocument", r.trust.encoded()), kv("Description", wire.Opt(r.description)),
		kv("MaxSessionDuration", r.maxSession), kv("PermissionsBoundary", r.boundaryMember()),
	}
	if len(r.tags) > 0 {
		out = append(out, kv("Tags", r.tags.list()))
	}
	return out
}

func (c *call) createRole() (wire.Struct, error) {
	name, err := c.name("RoleName", 64)
	if err != nil {
		return nil, err
	}
	h, err := c.newHolder("role", name, maxRoleInline)
	if err != nil {
		return nil, err
	}
	r := &role{holder: h}
	if r.trust, err = c.document("AssumeRolePolicyDocument", name, authz.Trust, maxTrustSize); err != nil {
		return nil, err
	}
	if r.description, err = c.description(); err != nil {
		return nil, err
	}
	if r.maxSession, err = c.sessionDuration(minSession); err != nil {
		return nil, err
	}
	if _, ok := c.roles[strings.ToLower(name)]; ok {
		return nil, exists("Role with name %s already exists.", name)
	}
	r.id = c.s.newID("AROALAB", 21)
	c.roles[strings.ToLower(name)] = r
	return wire.Struct{kv("Role", r.describe())}, nil
}

func (c *call) sessionDuration(otherwise int) (int, error) {
	n, ok, err := c.p.Int("MaxSessionDuration")
	switch {
	case err != nil:
		return 0, err
	case !ok:
		return otherwise, nil
	case n < minSession || n > maxSession:
		return 0, violation(n, "MaxSessionDuration", fmt.Sprintf("have value of %d to %d", minSession, maxSession))
	}
	return n, nil
}

func (c *call) getRole() (wire.Struct, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("Role", r.describe())}, nil
}

func (c *call) listRoles() (wire.Struct, error) {
	roles := below(c, sorted(c.roles), func(r *role) string { return r.path })
	return page(c, "Roles", roles, func(r *role) string { return strings.ToLower(r.name) }, func(r *role) any {
		// Lists leave the tags and the boundary out.
		return slices.DeleteFunc(r.describe(), func(m wire.Member) bool { return m.Name == "Tags" || m.Name == "PermissionsBoundary" })
	})
}

func (c *call) updateRole() (wire.Struct, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	description, err := c.description()
	if err != nil {
		return nil, err
	}
	seconds, err := c.sessionDuration(r.maxSession)
	if err != nil {
		return nil, err
	}
	r.maxSession = seconds
	if c.p.Has("Description") {
		r.description = description
	}
	return wire.Struct{}, nil
}

func (c *call) updateRoleDescription() (wire.Struct, error) {
	if _, err := c.updateRole(); err != nil {
		return nil, err
	}
	return c.getRole()
}

func (c *call) updateAssumeRolePolicy() (wire.Struct, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	d, err := c.document("PolicyDocument", r.name, authz.Trust, maxTrustSize)
	if err != nil {
		return nil, err
	}
	r.trust = d
	return wire.Struct{}, nil
}

func (c *call) deleteRole() (wire.Struct, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	if len(c.profilesOf(r)) > 0 {
		return nil, deleteConflict("Cannot delete entity, must remove roles from instance profile first.")
	}
	if err := r.emptied(); err != nil {
		return nil, err
	}
	delete(c.roles, strings.ToLower(r.name))
	return wire.Struct{}, nil
}
