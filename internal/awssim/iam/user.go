package iam

import (
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

type user struct {
	holder

	account string
	keys    []*accessKey
}

type accessKey struct {
	id, secret string
	active     bool
	created    time.Time
	owner      *user
}

// user finds the one that the call names. Without a name it is the caller's own, which
// only callers with a user's key have.
func (c *call) user() (*user, error) {
	if c.p.Str("UserName") == "" {
		if k := c.s.keys[c.r.AccessKeyID]; k != nil {
			return k.owner, nil
		}
		return nil, wire.Errorf("ValidationError", "Must specify userName when calling with non-User credentials")
	}
	name, err := c.name("UserName", 64)
	if err != nil {
		return nil, err
	}
	u := c.users[strings.ToLower(name)]
	if u == nil {
		return nil, noSuchEntity("The user with name %s cannot be found.", name)
	}
	return u, nil
}

func userHolder(c *call) (*holder, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	return &u.holder, nil
}

func userTags(c *call) (*tags, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	return &u.tags, nil
}

func (u *user) describe() wire.Struct {
	out := wire.Struct{
		kv("Path", u.path), kv("UserName", u.name), kv("UserId", u.id), kv("Arn", u.arn), kv("CreateDate", u.created),
		kv("PermissionsBoundary", u.boundaryMember()),
	}
	if len(u.tags) > 0 {
		out = append(out, kv("Tags", u.tags.list()))
	}
	return out
}

func (c *call) createUser() (wire.Struct, error) {
	name, err := c.name("UserName", 64)
	if err != nil {
		return nil, err
	}
	h, err := c.newHolder("user", name, maxUserInline)
	if err != nil {
		return nil, err
	}
	if _, ok := c.users[strings.ToLower(name)]; ok {
		return nil, exists("User with name %s already exists.", name)
	}
	u := &user{holder: h, account: c.account}
	u.id = c.s.newID("AIDALAB", 21)
	c.users[strings.ToLower(name)] = u
	return wire.Struct{kv("User", u.describe())}, nil
}

func (c *call) getUser() (wire.Struct, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("User", u.describe())}, nil
}

func (c *call) listUsers() (wire.Struct, error) {
	users := below(c, sorted(c.users), func(u *user) string { return u.path })
	return page(c, "Users", users, func(u *user) string { return strings.ToLower(u.name) }, func(u *user) any { return u.describe() })
}

func (c *call) deleteUser() (wire.Struct, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	if len(u.keys) > 0 {
		return nil, deleteConflict("Cannot delete entity, must delete access keys first.")
	}
	if err := u.emptied(); err != nil {
		return nil, err
	}
	delete(c.users, strings.ToLower(u.name))
	return wire.Struct{}, nil
}

func (c *call) createAccessKey() (wire.Struct, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	if len(u.keys) >= maxKeys {
		return nil, limitExceeded("Cannot exceed quota for AccessKeysPerUser: %d", maxKeys)
	}
	k := &accessKey{
		id: c.s.newID("AKIALAB", 20), active: true, created: c.now(), owner: u,
		secret: "lab/fake/" + c.s.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 31),
	}
	u.keys = append(u.keys, k)
	c.s.keys[k.id] = k
	return wire.Struct{kv("AccessKey", append(k.describe(), kv("SecretAccessKey", k.secret)))}, nil
}

func (k *accessKey) describe() wire.Struct {
	status := "Inactive"
	if k.active {
		status = "Active"
	}
	return wire.Struct{kv("UserName", k.owner.name), kv("AccessKeyId", k.id), kv("Status", status), kv("CreateDate", k.created)}
}

// accessKey finds the key that the call names, among those of its user.
func (c *call) accessKey() (*accessKey, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	id, err := c.required("AccessKeyId")
	if err != nil {
		return nil, err
	}
	for _, k := range u.keys {
		if k.id == id {
			return k, nil
		}
	}
	return nil, noSuchEntity("The Access Key with id %s cannot be found.", id)
}

func (c *call) updateAccessKey() (wire.Struct, error) {
	k, err := c.accessKey()
	if err != nil {
		return nil, err
	}
	switch status := c.p.Str("Status"); status {
	case "Active", "Inactive":
		k.active = status == "Active"
		return wire.Struct{}, nil
	default:
		return nil, violation(status, "Status", "satisfy enum value set: [Active, Inactive]")
	}
}

func (c *call) deleteAccessKey() (wire.Struct, error) {
	k, err := c.accessKey()
	if err != nil {
		return nil, err
	}
	var left []*accessKey
	for _, other := range k.owner.keys {
		if other != k {
			left = append(left, other)
		}
	}
	k.owner.keys = left
	delete(c.s.keys, k.id)
	return wire.Struct{}, nil
}

func (c *call) listAccessKeys() (wire.Struct, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	byID := map[string]*accessKey{}
	for _, k := range u.keys {
		byID[k.id] = k
	}
	return page(c, "AccessKeyMetadata", sorted(byID), func(k *accessKey) string { return k.id }, func(k *accessKey) any { return k.describe() })
}
