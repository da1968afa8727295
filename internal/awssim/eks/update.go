package eks

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// update of a cluster, or of a node group or an add-on in it.
type update struct {
	id, kind  string
	token     string // clientRequestToken
	status    string // InProgress | Successful | Failed
	created   time.Time
	params    wire.List
	message   string // what it failed of
	nodegroup string // "": not of a node group
	addon     string // "": not of an add-on
}

func (u *update) describe() wire.Struct {
	errs := wire.List{}
	if u.message != "" {
		errs = wire.List{wire.Struct{kv("errorCode", "Unknown"), kv("errorMessage", u.message), kv("resourceIds", wire.List{})}}
	}
	return wire.Struct{
		kv("id", u.id), kv("status", u.status), kv("type", u.kind), kv("params", u.params),
		kv("createdAt", u.created), kv("errors", errs),
	}
}

func (u *update) answer() wire.Struct { return wire.Struct{kv("update", u.describe())} }

// end tells how the update went.
func (u *update) end(err error) {
	u.status = "Successful"
	if err != nil {
		u.status, u.message = "Failed", err.Error()
	}
}

// param is one of an update's parameters. Lists and structures are shown as JSON.
func param(kind string, value any) wire.Struct {
	if list, ok := value.([]string); ok && list == nil {
		value = []string{}
	}
	text, ok := value.(string)
	if !ok {
		raw, err := json.Marshal(value)
		if err != nil {
			raw = fmt.Append(nil, value)
		}
		text = string(raw)
	}
	return wire.Struct{kv("type", kind), kv("value", text)}
}

// newUpdate adds an update to a cluster.
func (c *call) newUpdate(x *cluster, kind string, params ...wire.Struct) *update {
	u := &update{
		id: c.s.uuid(), kind: kind, token: c.p.Str("clientRequestToken"), status: "InProgress", created: c.now,
		params: wire.ListOf(params, func(s wire.Struct) wire.Struct { return s }),
	}
	x.updates = append(x.updates, u)
	return u
}

// repeated finds the update that the same call has started before, if its answer was
// lost.
func (c *call) repeated(x *cluster) *update {
	token := c.p.Str("clientRequestToken")
	for _, u := range x.updates {
		if token != "" && u.token == token {
			return u
		}
	}
	return nil
}

// updateCluster starts an update that changes the cluster by apply in the end.
func (c *call) updateCluster(x *cluster, u *update, apply func()) wire.Struct {
	x.status = updating
	x.task = c.newTask(x.arn, c.s.cfg.UpdateDelay, func(err error) {
		x.status = active
		if u.end(err); err == nil {
			apply()
		}
	})
	return u.answer()
}

// updatable finds the cluster of an update, or the update that the call repeats.
func (c *call) updatable() (*cluster, *update, error) {
	x, err := c.cluster("name")
	if err != nil {
		return nil, nil, err
	}
	if u := c.repeated(x); u != nil {
		return x, u, nil
	}
	switch x.status {
	case active:
		return x, nil, nil
	case failed:
		return nil, nil, invalidRequest("Cluster %s is FAILED and cannot be updated; delete it", x.name)
	default:
		return nil, nil, inUse("Cannot update because cluster %s currently is %s", x.name, x.status)
	}
}

func (c *call) updateClusterVersion() (wire.Struct, error) {
	x, u, err := c.updatable()
	if err != nil {
		return nil, err
	}
	if u != nil {
		return u.answer(), nil
	}
	text, err := required(c.p, "version")
	if err != nil {
		return nil, err
	}
	v, err := c.s.parseVersion(text)
	if err != nil {
		return nil, err
	}
	from, _ := minorOf(x.version)
	switch v.minor - from {
	case 0:
		return nil, invalidParameter("Cluster is already at the desired version %s", v)
	case 1:
		return c.upgrade(x, v)
	case -1:
		return c.rollback(x, v)
	default:
		return nil, invalidParameter("Unsupported Kubernetes minor version update from %s to %s", x.version, v)
	}
}

func (c *call) upgrade(x *cluster, v version) (wire.Struct, error) {
	var behind []string
	for _, n := range sortedValues(x.nodegroups) {
		if n.version != x.version {
			behind = append(behind, n.name)
		}
	}
	if len(behind) > 0 {
		return nil, invalidRequest("Nodegroups %s must be updated to match cluster version %s before updating cluster version",
			strings.Join(behind, ", "), x.version)
	}
	u := c.newUpdate(x, "VersionUpdate", param("Version", v.String()), param("PlatformVersion", platformVersion))
	ends := c.due(c.s.cfg.UpdateDelay)
	return c.updateCluster(x, u, func() {
		x.previous, x.upgraded = x.version, ends
		x.version = v.String()
	}), nil
}

// rollback goes back to the minor before the last update, within rollbackTime of it.
func (c *call) rollback(x *cluster, v version) (wire.Struct, error) {
	if x.previous != v.String() || c.now.Sub(x.upgraded) > rollbackTime {
		return nil, invalidParameter("Unsupported Kubernetes minor version update from %s to %s: a rollback is possible within 7 days of an update, to the version before it",
			x.version, v)
	}
	for _, n := range sortedValues(x.nodegroups) {
		if n.version == x.version {
			return nil, invalidRequest("Nodegroup %s has version %s and would be newer than the control plane; replace it before rolling back", n.name, n.version)
		}
	}
	u := c.newUpdate(x, "VersionRollback", param("Version", v.String()), param("PlatformVersion", platformVersion))
	return c.updateCluster(x, u, func() { x.version = v.String() }), nil
}

// configKinds are the members of UpdateClusterConfig that can be changed; a call may
// hold one of them.
func configKinds() []string {
	return []string{"resourcesVpcConfig", "logging", "accessConfig", "deletionProtection", "upgradePolicy", "zonalShiftConfig"}
}

func (c *call) updateClusterConfig() (wire.Struct, error) {
	x, u, err := c.updatable()
	if err != nil {
		return nil, err
	}
	if u != nil {
		return u.answer(), nil
	}
	for _, member := range []string{"computeConfig", "storageConfig", "kubernetesNetworkConfig", "remoteNetworkConfig", "controlPlaneScalingConfig"} {
		if c.p.Has(member) {
			return nil, notSimulated(c.r.Operation, member)
		}
	}
	given := slices.DeleteFunc(configKinds(), func(k string) bool { return !c.p.Has(k) })
	switch {
	case len(given) == 0:
		return nil, invalidParameter("No updates were given; give one of %s", strings.Join(configKinds(), ", "))
	case len(given) > 1:
		return nil, invalidParameter("Only one type of update can be allowed, not %s", strings.Join(given, ", "))
	}
	switch given[0] {
	case "resourcesVpcConfig":
		return c.updateVPC(x)
	case "logging":
		return c.updateLogging(x)
	case "accessConfig":
		return c.updateAuthentication(x)
	case "deletionProtection":
		return c.updateProtection(x)
	default:
		return c.updateKept(x, given[0])
	}
}

func (c *call) updateVPC(x *cluster) (wire.Struct, error) {
	p, old := c.p.Struct("resourcesVpcConfig"), x.settings
	network := p.Has("subnetIds") || p.Has("securityGroupIds")
	access := p.Has("endpointPublicAccess") || p.Has("endpointPrivateAccess") || p.Has("publicAccessCidrs")
	switch {
	case network && access:
		return nil, invalidParameter("Only one type of update can be allowed: subnets and security groups, or endpoint access")
	case network:
		s, err := c.parseSubnets(old, p)
		if err != nil {
			return nil, err
		}
		if s.vpc != old.vpc {
			return nil, invalidParameter("Subnets specified must belong to the cluster's VPC %s, not %s", old.vpc, s.vpc)
		}
		u := c.newUpdate(x, "VpcConfigUpdate", param("Subnets", s.subnets), param("SecurityGroups", s.securityGroups))
		return c.updateCluster(x, u, func() { x.settings.subnets, x.settings.securityGroups = s.subnets, s.securityGroups }), nil
	}
	s, err := parseAccess(old, p)
	if err != nil {
		return nil, err
	}
	if s.public == old.public && s.private == old.private && slices.Equal(s.publicCIDRs, old.publicCIDRs) {
		return nil, invalidParameter("Cluster is already at the desired configuration with endpointPrivateAccess: %t , endpointPublicAccess: %t, and Public Endpoint Restrictions: [%s]",
			s.private, s.public, strings.Join(s.publicCIDRs, ", "))
	}
	u := c.newUpdate(x, "EndpointAccessUpdate", param("EndpointPublicAccess", s.public),
		param("EndpointPrivateAccess", s.private), param("PublicAccessCidrs", s.publicCIDRs))
	return c.updateCluster(x, u, func() {
		x.settings.public, x.settings.private, x.settings.publicCIDRs = s.public, s.private, s.publicCIDRs
	}), nil
}

func (c *call) updateLogging(x *cluster) (wire.Struct, error) {
	s, err := parseLogging(x.settings, c.p.Struct("logging"))
	if err != nil {
		return nil, err
	}
	if slices.Equal(s.logTypes, x.settings.logTypes) {
		return nil, invalidParameter("No changes needed for the logging config provided")
	}
	u := c.newUpdate(x, "LoggingUpdate", param("ClusterLogging", s.logTypes))
	return c.updateCluster(x, u, func() { x.settings.logTypes = s.logTypes }), nil
}

// updateAuthentication goes one mode further; there is no way back.
func (c *call) updateAuthentication(x *cluster) (wire.Struct, error) {
	old := x.settings.authMode
	mode, err := oneOf(c.p.Struct("accessConfig"), "authenticationMode", old, configMap, apiAndConfigMap, api)
	if err != nil {
		return nil, err
	}
	next := map[string]string{configMap: apiAndConfigMap, apiAndConfigMap: api}
	if next[old] != mode {
		return nil, invalidParameter("Unsupported authentication mode update from %s to %s", old, mode)
	}
	u := c.newUpdate(x, "AccessConfigUpdate", param("AuthenticationMode", mode))
	ends := c.due(c.s.cfg.UpdateDelay)
	return c.updateCluster(x, u, func() {
		x.settings.authMode = mode
		x.bootstrap(c.s, ends) // who was its administrator without an entry has one now
	}), nil
}

func (c *call) updateProtection(x *cluster) (wire.Struct, error) {
	on, err := boolOr(c.p, "deletionProtection", false)
	if err != nil {
		return nil, err
	}
	u := c.newUpdate(x, "DeletionProtectionUpdate", param("DeletionProtection", on))
	return c.updateCluster(x, u, func() { x.settings.deletionProtection = on }), nil
}

func (c *call) updateKept(x *cluster, member string) (wire.Struct, error) {
	kind := strings.ToUpper(member[:1]) + member[1:]
	kept := keep(c.p, member)
	u := c.newUpdate(x, kind+"Update", param(kind, c.p[member]))
	return c.updateCluster(x, u, func() {
		for name, old := range x.kept {
			if _, ok := kept[name]; !ok {
				kept[name] = old
			}
		}
		x.kept = kept
	}), nil
}

// ofPart tells whether an update belongs to what nodegroupName and addonName name.
func (c *call) ofPart(u *update) bool {
	return u.nodegroup == c.p.Str("nodegroupName") && u.addon == c.p.Str("addonName")
}

func (c *call) describeUpdate() (wire.Struct, error) {
	x, err := c.cluster("name")
	if err != nil {
		return nil, err
	}
	id := c.p.Str("updateId")
	for _, u := range x.updates {
		if u.id == id && c.ofPart(u) {
			return u.answer(), nil
		}
	}
	return nil, notFound("No update found for ID: %s", id)
}

func (c *call) listUpdates() (wire.Struct, error) {
	x, err := c.cluster("name")
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, u := range slices.Backward(x.updates) {
		if c.ofPart(u) {
			ids = append(ids, u.id)
		}
	}
	return c.names("updateIds", ids)
}
