package iam

import (
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// profile is an instance profile.
type profile struct {
	name, path, arn, id string
	created             time.Time
	role                *role // nil: none
	tags                tags
}

func (c *call) profile() (*profile, error) {
	name, err := c.name("InstanceProfileName", 128)
	if err != nil {
		return nil, err
	}
	p := c.profiles[strings.ToLower(name)]
	if p == nil {
		return nil, noSuchEntity("Instance Profile %s cannot be found.", name)
	}
	return p, nil
}

func profileTags(c *call) (*tags, error) {
	p, err := c.profile()
	if err != nil {
		return nil, err
	}
	return &p.tags, nil
}

// profilesOf are the instance profiles that hold a role.
func (c *world) profilesOf(r *role) []*profile {
	var out []*profile
	for _, p := range sorted(c.profiles) {
		if p.role == r {
			out = append(out, p)
		}
	}
	return out
}

func (p *profile) describe() wire.Struct {
	roles := wire.List{}
	if p.role != nil {
		roles = append(roles, p.role.describe())
	}
	return wire.Struct{
		kv("Path", p.path), kv("InstanceProfileName", p.name), kv("InstanceProfileId", p.id), kv("Arn", p.arn),
		kv("CreateDate", p.created), kv("Roles", roles), kv("Tags", p.tags.list()),
	}
}

func (c *call) createProfile() (wire.Struct, error) {
	p := &profile{created: c.now()}
	var err error
	if p.name, err = c.name("InstanceProfileName", 128); err != nil {
		return nil, err
	}
	if p.path, err = c.path(); err != nil {
		return nil, err
	}
	if p.tags, err = c.newTags(nil); err != nil {
		return nil, err
	}
	if c.profiles[strings.ToLower(p.name)] != nil {
		return nil, exists("Instance Profile %s already exists.", p.name)
	}
	p.arn = c.arn("instance-profile", p.path, p.name)
	p.id = c.s.newID("AIPALAB", 21)
	c.profiles[strings.ToLower(p.name)] = p
	return wire.Struct{kv("InstanceProfile", p.describe())}, nil
}

func (c *call) getProfile() (wire.Struct, error) {
	p, err := c.profile()
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("InstanceProfile", p.describe())}, nil
}

func profileKey(p *profile) string   { return strings.ToLower(p.name) }
func describeProfile(p *profile) any { return p.describe() }

func (c *call) listProfiles() (wire.Struct, error) {
	profiles := below(c, sorted(c.profiles), func(p *profile) string { return p.path })
	return page(c, "InstanceProfiles", profiles, profileKey, describeProfile)
}

func (c *call) listProfilesForRole() (wire.Struct, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	return page(c, "InstanceProfiles", c.profilesOf(r), profileKey, describeProfile)
}

func (c *call) addRoleToProfile() (wire.Struct, error) {
	p, err := c.profile()
	if err != nil {
		return nil, err
	}
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	if p.role != nil {
		return nil, limitExceeded("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
	}
	p.role = r
	return wire.Struct{}, nil
}

func (c *call) removeRoleFromProfile() (wire.Struct, error) {
	p, err := c.profile()
	if err != nil {
		return nil, err
	}
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	if p.role != r {
		return nil, noSuchEntity("The role with name %s is not in the instance profile %s.", r.name, p.name)
	}
	p.role = nil
	return wire.Struct{}, nil
}

func (c *call) deleteProfile() (wire.Struct, error) {
	p, err := c.profile()
	if err != nil {
		return nil, err
	}
	if p.role != nil {
		return nil, deleteConflict("Cannot delete entity, must remove roles from instance profile first.")
	}
	delete(c.profiles, strings.ToLower(p.name))
	return wire.Struct{}, nil
}
