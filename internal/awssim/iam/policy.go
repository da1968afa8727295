package iam

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/authz"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// policy is a managed policy of the account.
type policy struct {
	name, path, arn, id  string
	description          string
	created, updated     time.Time
	versions             []policyVersion // oldest first, never empty
	defaultID, createdID int
	tags                 tags
}

type policyVersion struct {
	id      int // 1 for "v1"
	doc     document
	created time.Time
}

func (c *call) policyARN() (string, error) {
	arn, err := c.required("PolicyArn")
	if err != nil {
		return "", err
	}
	if p := strings.SplitN(arn, ":", 6); len(p) < 6 || p[0] != "arn" || p[2] != "iam" || !strings.HasPrefix(p[5], "policy/") {
		return "", wire.Errorf("InvalidInput", "ARN %s is not valid.", arn)
	}
	return arn, nil
}

// policy finds the account's own one that the call names.
func (c *call) policy() (*policy, error) {
	arn, err := c.policyARN()
	if err != nil {
		return nil, err
	}
	if p := c.ownPolicy(arn); p != nil {
		return p, nil
	}
	if isAWS(arn) {
		return nil, failure("AccessDenied", 403, "%s belongs to AWS and cannot be changed.", arn)
	}
	return nil, noSuchEntity("Policy %s was not found.", arn)
}

func (c *world) ownPolicy(arn string) *policy {
	for _, p := range c.policies {
		if p.arn == arn {
			return p
		}
	}
	return nil
}

// attachable tells whether a managed policy exists, be it the account's or AWS's.
func (c *world) attachable(arn string) bool { return isAWS(arn) || c.ownPolicy(arn) != nil }

// managed is the document in force of a managed policy.
func (c *world) managed(arn string) (document, bool) {
	if isAWS(arn) {
		return awsDocument(arn), true
	}
	if p := c.ownPolicy(arn); p != nil {
		d := p.inForce().doc
		d.policy.Name = arn
		return d, true
	}
	return document{}, false
}

func (p *policy) inForce() policyVersion {
	i := slices.IndexFunc(p.versions, func(v policyVersion) bool { return v.id == p.defaultID })
	return p.versions[i]
}

// attachments counts the roles and users that have a policy.
func (c *world) attachments(arn string) (attached, boundaries int) {
	count := func(h *holder) {
		if slices.Contains(h.attached, arn) {
			attached++
		}
		if h.boundary == arn {
			boundaries++
		}
	}
	for _, r := range c.roles {
		count(&r.holder)
	}
	for _, u := range c.users {
		count(&u.holder)
	}
	return attached, boundaries
}

func (c *world) describePolicy(p *policy) wire.Struct {
	attached, boundaries := c.attachments(p.arn)
	out := wire.Struct{
		kv("PolicyName", p.name), kv("PolicyId", p.id), kv("Arn", p.arn), kv("Path", p.path),
		kv("DefaultVersionId", fmt.Sprintf("v%d", p.defaultID)), kv("AttachmentCount", attached),
		kv("PermissionsBoundaryUsageCount", boundaries), kv("IsAttachable", true), kv("Description", wire.Opt(p.description)),
		kv("CreateDate", p.created), kv("UpdateDate", p.updated),
	}
	if len(p.tags) > 0 {
		out = append(out, kv("Tags", p.tags.list()))
	}
	return out
}

func (c *call) createPolicy() (wire.Struct, error) {
	p := &policy{defaultID: 1, createdID: 1, created: c.now(), updated: c.now()}
	var err error
	if p.name, err = c.name("PolicyName", 128); err != nil {
		return nil, err
	}
	if p.path, err = c.path(); err != nil {
		return nil, err
	}
	if p.description, err = c.description(); err != nil {
		return nil, err
	}
	if p.tags, err = c.newTags(nil); err != nil {
		return nil, err
	}
	d, err := c.document("PolicyDocument", p.name, authz.Identity, maxManagedSize)
	if err != nil {
		return nil, err
	}
	if _, ok := c.policies[strings.ToLower(p.name)]; ok {
		return nil, exists("A policy called %s already exists. Duplicate names are not allowed.", p.name)
	}
	p.arn = c.arn("policy", p.path, p.name)
	p.versions = []policyVersion{{1, d, p.created}}
	p.id = c.s.newID("ANPALAB", 21)
	c.policies[strings.ToLower(p.name)] = p
	return wire.Struct{kv("Policy", c.describePolicy(p))}, nil
}

func (c *call) getPolicy() (wire.Struct, error) {
	if arn := c.p.Str("PolicyArn"); isAWS(arn) {
		return wire.Struct{kv("Policy", c.describeAWS(arn))}, nil
	}
	p, err := c.policy()
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("Policy", c.describePolicy(p))}, nil
}

func (c *call) listPolicies() (wire.Struct, error) {
	type item struct {
		key, path string
		attached  int
		out       wire.Struct
	}
	items := map[string]item{}
	scope := c.p.Str("Scope")
	if scope != "AWS" {
		for _, p := range c.policies {
			n, _ := c.attachments(p.arn)
			items[p.arn] = item{p.arn, p.path, n, c.describePolicy(p)}
		}
	}
	if scope != "Local" {
		for name := range awsPolicies() {
			arn := fmt.Sprintf("arn:%s:iam::aws:policy/%s", c.partition, name)
			n, _ := c.attachments(arn)
			items[arn] = item{arn, awsPath(arn), n, c.describeAWS(arn)}
		}
	}
	only, _, err := c.p.Bool("OnlyAttached")
	if err != nil {
		return nil, err
	}
	list := below(c, sorted(items), func(i item) string { return i.path })
	list = slices.DeleteFunc(list, func(i item) bool { return only && i.attached == 0 })
	return page(c, "Policies", list, func(i item) string { return i.key }, func(i item) any { return i.out })
}

func (c *call) deletePolicy() (wire.Struct, error) {
	p, err := c.policy()
	if err != nil {
		return nil, err
	}
	if attached, boundaries := c.attachments(p.arn); attached+boundaries > 0 {
		return nil, deleteConflict("Cannot delete a policy attached to entities.")
	}
	if len(p.versions) > 1 {
		return nil, deleteConflict("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
	}
	delete(c.policies, strings.ToLower(p.name))
	return wire.Struct{}, nil
}

func (p *policy) describeVersion(v policyVersion, withDocument bool) wire.Struct {
	out := wire.Struct{}
	if withDocument {
		out = append(out, kv("Document", v.doc.encoded()))
	}
	return append(out, kv("VersionId", fmt.Sprintf("v%d", v.id)), kv("IsDefaultVersion", v.id == p.defaultID), kv("CreateDate", v.created))
}

// version finds the one that the call names.
func (c *call) version(p *policy) (int, error) {
	text, err := c.required("VersionId")
	if err != nil {
		return 0, err
	}
	id, err := strconv.Atoi(strings.TrimPrefix(text, "v"))
	if err != nil || !strings.HasPrefix(text, "v") {
		return 0, violation(text, "VersionId", "satisfy regular expression pattern: v[1-9][0-9]*")
	}
	i := slices.IndexFunc(p.versions, func(v policyVersion) bool { return v.id == id })
	if i < 0 {
		return 0, noSuchEntity("Policy %s version %s does not exist or is not attachable.", p.arn, text)
	}
	return i, nil
}

func (c *call) createPolicyVersion() (wire.Struct, error) {
	p, err := c.policy()
	if err != nil {
		return nil, err
	}
	d, err := c.document("PolicyDocument", p.name, authz.Identity, maxManagedSize)
	if err != nil {
		return nil, err
	}
	asDefault, _, err := c.p.Bool("SetAsDefault")
	if err != nil {
		return nil, err
	}
	if len(p.versions) >= maxVersions {
		return nil, limitExceeded("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions)
	}
	p.createdID++
	v := policyVersion{p.createdID, d, c.now()}
	p.versions = append(p.versions, v)
	if asDefault {
		p.defaultID, p.updated = v.id, v.created
	}
	return wire.Struct{kv("PolicyVersion", p.describeVersion(v, false))}, nil
}

func (c *call) getPolicyVersion() (wire.Struct, error) {
	if arn := c.p.Str("PolicyArn"); isAWS(arn) {
		if v := c.p.Str("VersionId"); v != "v1" {
			return nil, noSuchEntity("Policy %s version %s does not exist or is not attachable.", arn, v)
		}
		p := &policy{defaultID: 1}
		return wire.Struct{kv("PolicyVersion", p.describeVersion(policyVersion{1, awsDocument(arn), awsSince()}, true))}, nil
	}
	p, err := c.policy()
	if err != nil {
		return nil, err
	}
	i, err := c.version(p)
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("PolicyVersion", p.describeVersion(p.versions[i], true))}, nil
}

func (c *call) listPolicyVersions() (wire.Struct, error) {
	p := &policy{defaultID: 1, versions: []policyVersion{{1, document{}, awsSince()}}}
	if !isAWS(c.p.Str("PolicyArn")) {
		var err error
		if p, err = c.policy(); err != nil {
			return nil, err
		}
	}
	key := func(v policyVersion) string { return fmt.Sprintf("%09d", v.id) }
	return page(c, "Versions", slices.Clone(p.versions), key, func(v policyVersion) any { return p.describeVersion(v, false) })
}

func (c *call) setDefaultPolicyVersion() (wire.Struct, error) {
	p, err := c.policy()
	if err != nil {
		return nil, err
	}
	i, err := c.version(p)
	if err != nil {
		return nil, err
	}
	p.defaultID, p.updated = p.versions[i].id, c.now()
	return wire.Struct{}, nil
}

func (c *call) deletePolicyVersion() (wire.Struct, error) {
	p, err := c.policy()
	if err != nil {
		return nil, err
	}
	i, err := c.version(p)
	if err != nil {
		return nil, err
	}
	if p.versions[i].id == p.defaultID {
		return nil, deleteConflict("Cannot delete the default version of a policy.")
	}
	p.versions = slices.Delete(p.versions, i, i+1)
	return wire.Struct{}, nil
}

func policyTags(c *call) (*tags, error) {
	p, err := c.policy()
	if err != nil {
		return nil, err
	}
	return &p.tags, nil
}
