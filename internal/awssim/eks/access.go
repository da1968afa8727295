package eks

import (
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// accessEntry gives an IAM principal access to a cluster.
type accessEntry struct {
	cluster           *cluster
	principal         string // ARN
	arn               string
	token             string // clientRequestToken of its creation
	kind              string // STANDARD, or a node's, which EKS gives its own groups
	username          string
	groups            []string
	tags              map[string]string
	created, modified time.Time
	policies          map[string]*associatedPolicy // by ARN
}

// associatedPolicy is an access policy and where in the cluster it holds.
type associatedPolicy struct {
	arn               string
	scope             string // cluster | namespace
	namespaces        []string
	created, modified time.Time
}

// standard is the type of entries for people and programs; the others are for nodes.
const standard = "STANDARD"

func entryTypes() []string {
	return []string{standard, "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "EC2", "HYBRID_LINUX", "HYPERPOD_LINUX"}
}

// accessPolicies are those of AWS that a STANDARD entry may want.
func accessPolicies() []string {
	return []string{
		"AmazonEKSAdminPolicy", "AmazonEKSAdminViewPolicy", "AmazonEKSClusterAdminPolicy", "AmazonEKSEditPolicy",
		"AmazonEKSSecretReaderPolicy", "AmazonEKSViewPolicy",
	}
}

func (w *world) policyARN(name string) string {
	return "arn:" + wire.Partition(w.region) + ":eks::aws:cluster-access-policy/" + name
}

func (e *accessEntry) answer() wire.Struct {
	return wire.Struct{kv("accessEntry", wire.Struct{
		kv("clusterName", e.cluster.name), kv("principalArn", e.principal), kv("kubernetesGroups", wire.Texts(e.groups)),
		kv("accessEntryArn", e.arn), kv("createdAt", e.created), kv("modifiedAt", e.modified),
		kv("tags", stringMap(e.tags)), kv("username", e.username), kv("type", e.kind),
	})}
}

func (p *associatedPolicy) describe() wire.Struct {
	return wire.Struct{
		kv("policyArn", p.arn),
		kv("accessScope", wire.Struct{kv("type", p.scope), kv("namespaces", wire.Texts(p.namespaces))}),
		kv("associatedAt", p.created), kv("modifiedAt", p.modified),
	}
}

// accessible finds a cluster whose authentication mode knows access entries.
func (c *call) accessible() (*cluster, error) {
	x, err := c.cluster("clusterName")
	if err != nil {
		return nil, err
	}
	if x.settings.authMode == configMap {
		return nil, invalidRequest("The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.")
	}
	return x, nil
}

func (c *call) accessEntry() (*accessEntry, error) {
	x, err := c.accessible()
	if err != nil {
		return nil, err
	}
	arn := c.p.Str("principalArn")
	e := x.entries[arn]
	if e == nil {
		return nil, notFound("The specified principalArn could not be found: %s has no access entry for %s.", x.name, arn)
	}
	return e, nil
}

func (s *Service) newEntry(x *cluster, principalARN string, now time.Time) *accessEntry {
	kind, name := principal(principalARN)
	e := &accessEntry{
		cluster: x, principal: principalARN, kind: standard, username: principalARN, created: now, modified: now,
		arn: x.world.arn("access-entry/%s/%s/%s/%s/%s", x.name, kind, strings.Split(principalARN, ":")[4], name, s.uuid()),
	}
	if kind == "role" { // sessions of a role are told apart
		part := strings.Split(principalARN, ":")
		e.username = "arn:" + part[1] + ":sts::" + part[4] + ":assumed-role/" + name + "/{{SessionName}}"
	}
	if x.entries == nil {
		x.entries = map[string]*accessEntry{}
	}
	x.entries[principalARN] = e
	return e
}

// asRole is the role of a principal that is a session of it, though the path of the role
// is not known then; any other principal is itself.
func asRole(principalARN string) string {
	if part := strings.Split(principalARN, ":"); len(part) == 6 && part[2] == "sts" {
		if seg := strings.Split(part[5], "/"); len(seg) == 3 && seg[0] == "assumed-role" {
			return "arn:" + part[1] + ":iam::" + part[4] + ":role/" + seg[1]
		}
	}
	return principalARN
}

// bootstrap gives who created the cluster an access entry as its administrator, unless
// that was declined or the cluster knows no entries.
func (c *cluster) bootstrap(s *Service, now time.Time) {
	kind, _ := principal(c.creator)
	if kind == "" || !c.settings.bootstrapAdmin || c.settings.authMode == configMap || c.entries[c.creator] != nil {
		return
	}
	e := s.newEntry(c, c.creator, now)
	arn := c.world.policyARN("AmazonEKSClusterAdminPolicy")
	e.policies = map[string]*associatedPolicy{arn: {arn: arn, scope: "cluster", created: now, modified: now}}
}

func (c *call) createAccessEntry() (wire.Struct, error) {
	x, err := c.accessible()
	if err != nil {
		return nil, err
	}
	arn := c.p.Str("principalArn")
	kind, name := principal(arn)
	if kind == "" {
		return nil, invalidParameter("The principalArn parameter format is not valid: %q is not the ARN of an IAM role or user; name the role, not a session of it", arn)
	}
	entryType, err := oneOf(c.p, "type", standard, entryTypes()...)
	if err != nil {
		return nil, err
	}
	tags, err := parseTags(c.p, invalidParameter)
	if err != nil {
		return nil, err
	}
	switch {
	case entryType != standard && kind != "role":
		return nil, invalidParameter("The type %s is for roles, not for the user %s", entryType, name)
	case entryType != standard && (len(c.p.Strings("kubernetesGroups")) > 0 || c.p.Str("username") != ""):
		return nil, invalidParameter("kubernetesGroups and username cannot be given for the type %s", entryType)
	}
	if err := checkSubject(c.p); err != nil {
		return nil, err
	}
	if e := x.entries[arn]; e != nil {
		if token := c.p.Str("clientRequestToken"); token != "" && token == e.token {
			return e.answer(), nil
		}
		return nil, inUse("The specified access entry resource is already in use on this cluster.")
	}
	e := c.s.newEntry(x, arn, c.now)
	e.kind, e.tags, e.token = entryType, tags, c.p.Str("clientRequestToken")
	e.groups = c.p.Strings("kubernetesGroups")
	if entryType != standard {
		e.username, e.groups = "system:node:{{EC2PrivateDNSName}}", []string{"system:nodes"}
	}
	if u := c.p.Str("username"); u != "" {
		e.username = u
	}
	return e.answer(), nil
}

// checkSubject refuses names that Kubernetes and AWS keep to themselves.
func checkSubject(p wire.Params) error {
	for _, g := range p.Strings("kubernetesGroups") {
		if strings.HasPrefix(g, "system:") {
			return invalidParameter("The kubernetes group name %s is invalid, it cannot start with system:", g)
		}
	}
	for _, prefix := range []string{"system:", "eks:", "aws:", "amazon:", "iam:"} {
		if u := p.Str("username"); strings.HasPrefix(u, prefix) {
			return invalidParameter("The username %s is invalid, it cannot start with %s", u, prefix)
		}
	}
	return nil
}

func (c *call) describeAccessEntry() (wire.Struct, error) {
	e, err := c.accessEntry()
	if err != nil {
		return nil, err
	}
	return e.answer(), nil
}

func (c *call) updateAccessEntry() (wire.Struct, error) {
	e, err := c.accessEntry()
	if err != nil {
		return nil, err
	}
	if e.kind != standard {
		return nil, invalidRequest("The access entry of type %s cannot be updated", e.kind)
	}
	if err := checkSubject(c.p); err != nil {
		return nil, err
	}
	if c.p.Has("kubernetesGroups") {
		e.groups = c.p.Strings("kubernetesGroups")
	}
	if u := c.p.Str("username"); u != "" {
		e.username = u
	}
	e.modified = c.now
	return e.answer(), nil
}

func (c *call) deleteAccessEntry() (wire.Struct, error) {
	e, err := c.accessEntry()
	if err != nil {
		return nil, err
	}
	delete(e.cluster.entries, e.principal)
	return wire.Struct{}, nil
}

func (c *call) listAccessEntries() (wire.Struct, error) {
	x, err := c.accessible()
	if err != nil {
		return nil, err
	}
	var arns []string
	for _, e := range sortedValues(x.entries) {
		if policy := c.p.Str("associatedPolicyArn"); policy == "" || e.policies[policy] != nil {
			arns = append(arns, e.principal)
		}
	}
	return c.names("accessEntries", arns)
}

func (c *call) listAccessPolicies() (wire.Struct, error) {
	part, next, err := page(c, accessPolicies(), func(s string) string { return s })
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("accessPolicies", wire.ListOf(part, func(name string) wire.Struct {
		return wire.Struct{kv("name", name), kv("arn", c.policyARN(name))}
	})), next}, nil
}

// associateAccessPolicy also changes the scope of a policy that is associated already.
func (c *call) associateAccessPolicy() (wire.Struct, error) {
	e, err := c.accessEntry()
	if err != nil {
		return nil, err
	}
	if e.kind != standard {
		return nil, invalidRequest("Access policies cannot be associated with an access entry of type %s", e.kind)
	}
	arn := c.p.Str("policyArn")
	if !slices.ContainsFunc(accessPolicies(), func(name string) bool { return c.policyARN(name) == arn }) {
		return nil, invalidParameter("The policyArn parameter format is not valid: %q is no access policy; ListAccessPolicies names them", arn)
	}
	scope := c.p.Struct("accessScope")
	kind, err := oneOf(scope, "type", "", "cluster", "namespace")
	if err != nil {
		return nil, err
	}
	namespaces := scope.Strings("namespaces")
	if kind == "" || (kind == "namespace") != (len(namespaces) > 0) {
		return nil, invalidParameter("accessScope: is %q with namespaces %s; it must be cluster without namespaces, or namespace with some",
			kind, quoted(namespaces))
	}
	p := e.policies[arn]
	if p == nil {
		p = &associatedPolicy{arn: arn, created: c.now}
		if e.policies == nil {
			e.policies = map[string]*associatedPolicy{}
		}
		e.policies[arn] = p
	}
	p.scope, p.namespaces, p.modified = kind, namespaces, c.now
	return wire.Struct{
		kv("clusterName", e.cluster.name), kv("principalArn", e.principal), kv("associatedAccessPolicy", p.describe()),
	}, nil
}

func (c *call) disassociateAccessPolicy() (wire.Struct, error) {
	e, err := c.accessEntry()
	if err != nil {
		return nil, err
	}
	arn := c.p.Str("policyArn")
	if e.policies[arn] == nil {
		return nil, notFound("The specified policy is not associated with the access entry: %s", arn)
	}
	delete(e.policies, arn)
	return wire.Struct{}, nil
}

func (c *call) listAssociatedAccessPolicies() (wire.Struct, error) {
	e, err := c.accessEntry()
	if err != nil {
		return nil, err
	}
	part, next, err := page(c, sortedValues(e.policies), func(p *associatedPolicy) string { return p.arn })
	if err != nil {
		return nil, err
	}
	return wire.Struct{
		kv("clusterName", e.cluster.name), kv("principalArn", e.principal),
		kv("associatedAccessPolicies", wire.ListOf(part, (*associatedPolicy).describe)), next,
	}, nil
}
