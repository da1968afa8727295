package eks

import (
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// association of a pod identity: pods of a service account act as an IAM role.
type association struct {
	cluster                   *cluster
	id, arn                   string
	token                     string // clientRequestToken of its creation
	namespace, serviceAccount string
	role, targetRole          string // targetRole: "" for none
	noSessionTags             bool
	policy                    string
	tags                      map[string]string // replaced as a whole
	created, modified         time.Time
}

func (a *association) summary() wire.Struct {
	return wire.Struct{
		kv("clusterName", a.cluster.name), kv("namespace", a.namespace), kv("serviceAccount", a.serviceAccount),
		kv("associationArn", a.arn), kv("associationId", a.id),
	}
}

func (a *association) answer() wire.Struct {
	var external any
	if a.targetRole != "" {
		external = a.arn // what the target role's trust policy can ask for
	}
	return wire.Struct{kv("association", append(a.summary(),
		kv("roleArn", a.role), kv("tags", stringMap(a.tags)), kv("createdAt", a.created), kv("modifiedAt", a.modified),
		kv("disableSessionTags", a.noSessionTags), kv("targetRoleArn", wire.Opt(a.targetRole)), kv("externalId", external),
		kv("policy", wire.Opt(a.policy)),
	))}
}

func (c *call) association() (*association, error) {
	x, err := c.cluster("clusterName")
	if err != nil {
		return nil, err
	}
	id := c.p.Str("associationId")
	a := x.associations[id]
	if a == nil {
		return nil, notFound("The specified pod identity association could not be found: %s has none with the ID %s", x.name, id)
	}
	return a, nil
}

func (c *call) createPodIdentityAssociation() (wire.Struct, error) {
	x, err := c.serving()
	if err != nil {
		return nil, err
	}
	a := &association{cluster: x, token: c.p.Str("clientRequestToken"), created: c.now, modified: c.now}
	if a.namespace, err = required(c.p, "namespace"); err != nil {
		return nil, err
	}
	if a.serviceAccount, err = required(c.p, "serviceAccount"); err != nil {
		return nil, err
	}
	if a.tags, err = parseTags(c.p, invalidParameter); err != nil {
		return nil, err
	}
	if err := c.parseIdentity(a); err != nil {
		return nil, err
	}
	if a.role == "" {
		return nil, invalidParameter("roleArn: is missing; name the role that the pods are to act as")
	}
	for _, o := range sortedValues(x.associations) {
		if o.namespace != a.namespace || o.serviceAccount != a.serviceAccount {
			continue
		}
		if a.token != "" && a.token == o.token {
			return o.answer(), nil
		}
		return nil, inUse("Association already exists: %s for %s/%s", o.id, o.namespace, o.serviceAccount)
	}
	a.id = "a-" + c.s.hex(16)
	a.arn = x.world.arn("podidentityassociation/%s/%s", x.name, a.id)
	if x.associations == nil {
		x.associations = map[string]*association{}
	}
	x.associations[a.id] = a
	return a.answer(), nil
}

// parseIdentity reads what an association can also be updated to; absent members stay
// what they are.
func (c *call) parseIdentity(a *association) error {
	for name, role := range map[string]*string{"roleArn": &a.role, "targetRoleArn": &a.targetRole} {
		if !c.p.Has(name) {
			continue
		}
		arn, err := roleARN(c.p, name)
		if err != nil {
			return err
		}
		*role = arn
	}
	if c.p.Has("policy") {
		a.policy = c.p.Str("policy")
	}
	var err error
	a.noSessionTags, err = boolOr(c.p, "disableSessionTags", a.noSessionTags)
	return err
}

func (c *call) describePodIdentityAssociation() (wire.Struct, error) {
	a, err := c.association()
	if err != nil {
		return nil, err
	}
	return a.answer(), nil
}

func (c *call) listPodIdentityAssociations() (wire.Struct, error) {
	x, err := c.cluster("clusterName")
	if err != nil {
		return nil, err
	}
	namespace, account := c.p.Str("namespace"), c.p.Str("serviceAccount")
	var found []*association
	for _, a := range sortedValues(x.associations) {
		if (namespace == "" || a.namespace == namespace) && (account == "" || a.serviceAccount == account) {
			found = append(found, a)
		}
	}
	part, next, err := page(c, found, func(a *association) string { return a.id })
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("associations", wire.ListOf(part, (*association).summary)), next}, nil
}

func (c *call) updatePodIdentityAssociation() (wire.Struct, error) {
	a, err := c.association()
	if err != nil {
		return nil, err
	}
	next := *a
	if err := c.parseIdentity(&next); err != nil {
		return nil, err
	}
	next.modified = c.now
	*a = next
	return a.answer(), nil
}

func (c *call) deletePodIdentityAssociation() (wire.Struct, error) {
	a, err := c.association()
	if err != nil {
		return nil, err
	}
	delete(a.cluster.associations, a.id)
	return a.answer(), nil
}
