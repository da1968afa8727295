package eks

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// nodegroup is a managed node group. It has no nodes.
type nodegroup struct {
	cluster           *cluster
	name, arn, id     string
	token             string // clientRequestToken of its creation
	created, modified time.Time
	status            string
	issue             string // what a failed one died of
	version, release  string
	role              string
	subnets           []string
	scaling           scaling
	capacity, ami     string
	instances         []string
	disk              int               // GiB; 0: as the launch template says
	labels            map[string]string // replaced as a whole
	taints            []taint           // replaced as a whole
	kept              map[string]any
	tags              map[string]string // replaced as a whole
	task              *task
}

type scaling struct{ least, most, desired int }

type taint struct{ key, value, effect string }

// Limits and defaults of node groups.
const (
	maxNodegroupName   = 63
	maxNodegroups      = 30
	maxNodes           = 450 // per node group
	maxSkew            = 3   // minors that nodes may be behind
	defaultInstance    = "t3.medium"
	defaultDisk        = 20 // GiB
	defaultAMI         = "AL2023_x86_64_STANDARD"
	defaultNodes       = 2
	releaseDate        = "20261101"
	defaultUnavailable = 1
)

func (n *nodegroup) describe() wire.Struct {
	issues := wire.List{}
	if n.issue != "" {
		issues = wire.List{wire.Struct{kv("code", "NodeCreationFailure"), kv("message", n.issue), kv("resourceIds", wire.List{})}}
	}
	var disk, instances any
	if n.disk > 0 {
		disk = n.disk
	}
	if len(n.instances) > 0 {
		instances = wire.Texts(n.instances)
	}
	return append(wire.Struct{
		kv("nodegroupName", n.name), kv("nodegroupArn", n.arn), kv("clusterName", n.cluster.name),
		kv("version", n.version), kv("releaseVersion", n.release), kv("createdAt", n.created), kv("modifiedAt", n.modified),
		kv("status", n.status), kv("capacityType", n.capacity),
		kv("scalingConfig", wire.Struct{
			kv("minSize", n.scaling.least), kv("maxSize", n.scaling.most), kv("desiredSize", n.scaling.desired),
		}),
		kv("instanceTypes", instances), kv("subnets", wire.Texts(n.subnets)), kv("amiType", n.ami), kv("nodeRole", n.role),
		kv("labels", stringMap(n.labels)),
		kv("taints", wire.ListOf(n.taints, func(t taint) wire.Struct {
			return wire.Struct{kv("key", t.key), kv("value", t.value), kv("effect", t.effect)}
		})),
		kv("resources", wire.Struct{kv("autoScalingGroups", wire.List{wire.Struct{kv("name", "eks-"+n.name+"-"+n.id)}})}),
		kv("diskSize", disk), kv("health", wire.Struct{kv("issues", issues)}), kv("tags", stringMap(n.tags)),
	}, keptMembers(n.kept)...)
}

func (n *nodegroup) answer() wire.Struct { return wire.Struct{kv("nodegroup", n.describe())} }

// nodegroup finds one, and brings its cluster to what it is by now.
func (c *call) nodegroup() (*nodegroup, error) {
	x, err := c.cluster("clusterName")
	if err != nil {
		return nil, err
	}
	n := x.nodegroups[c.p.Str("nodegroupName")]
	if n == nil {
		return nil, notFound("No node group found for name: %s.", c.p.Str("nodegroupName"))
	}
	return n, nil
}

func (c *call) createNodegroup() (wire.Struct, error) {
	x, err := c.serving()
	if err != nil {
		return nil, err
	}
	name, err := resourceName(c.p, "nodegroupName", maxNodegroupName)
	if err != nil {
		return nil, err
	}
	if n := x.nodegroups[name]; n != nil {
		if token := c.p.Str("clientRequestToken"); token != "" && token == n.token {
			return n.answer(), nil
		}
		return nil, inUse("NodeGroup already exists with name %s and cluster name %s", name, x.name)
	}
	n := &nodegroup{
		cluster: x, name: name, token: c.p.Str("clientRequestToken"), created: c.now, modified: c.now, status: creating,
		scaling: scaling{1, defaultNodes, defaultNodes},
	}
	if err := c.parseNodegroup(n); err != nil {
		return nil, err
	}
	if len(x.nodegroups) >= maxNodegroups {
		return nil, wire.Errorf("ResourceLimitExceededException", "Managed node group limit exceeded: %d in the cluster %s", maxNodegroups, x.name)
	}
	n.id = c.s.uuid()
	n.arn = x.world.arn("nodegroup/%s/%s/%s", x.name, name, n.id)
	if x.nodegroups == nil {
		x.nodegroups = map[string]*nodegroup{}
	}
	x.nodegroups[name] = n
	n.task = c.newTask(n.arn, c.s.cfg.InnerDelay, func(err error) {
		n.status = active
		if err != nil {
			n.status, n.issue = createFailed, err.Error()
		}
	})
	return n.answer(), nil
}

// parseNodegroup reads everything but the name.
func (c *call) parseNodegroup(n *nodegroup) error {
	var err error
	if n.role, err = roleARN(c.p, "nodeRole"); err != nil {
		return err
	}
	if err := c.parseNodes(n); err != nil {
		return err
	}
	if n.version, err = c.nodeVersion(n.cluster, c.p.Str("version"), n.cluster.version); err != nil {
		return err
	}
	if n.release = c.p.Str("releaseVersion"); n.release == "" {
		n.release = releaseOf(n.version)
	}
	if n.scaling, err = parseScaling(n.scaling, c.p.Struct("scalingConfig")); err != nil {
		return err
	}
	if n.taints, err = parseTaints(c.p.List("taints")); err != nil {
		return err
	}
	n.labels = textMap(c.p.Struct("labels"))
	if n.tags, err = parseTags(c.p, invalidParameter); err != nil {
		return err
	}
	n.kept = keep(c.p, "launchTemplate", "remoteAccess", "updateConfig", "nodeRepairConfig", "warmPoolConfig")
	if n.kept["updateConfig"] == nil {
		if n.kept == nil {
			n.kept = map[string]any{}
		}
		n.kept["updateConfig"] = wire.Struct{kv("maxUnavailable", defaultUnavailable)}
	}
	return nil
}

// parseNodes reads what the nodes are and where.
func (c *call) parseNodes(n *nodegroup) error {
	n.subnets = c.p.Strings("subnets")
	if len(n.subnets) == 0 {
		return invalidParameter("subnets: is missing; name at least one of the cluster's VPC")
	}
	for _, id := range n.subnets {
		vpc, _, err := c.subnet(id)
		if err != nil {
			return err
		}
		if vpc != n.cluster.settings.vpc {
			return invalidParameter("Subnet %s is in %s, the cluster in %s", id, vpc, n.cluster.settings.vpc)
		}
	}
	var err error
	if n.capacity, err = oneOf(c.p, "capacityType", "ON_DEMAND", "ON_DEMAND", "SPOT", "CAPACITY_BLOCK"); err != nil {
		return err
	}
	template := c.p.Struct("launchTemplate")
	disk := defaultDisk
	if template != nil {
		if (template.Str("id") == "") == (template.Str("name") == "") {
			return invalidParameter("launchTemplate: give either its id or its name")
		}
		if c.p.Has("diskSize") || c.p.Has("remoteAccess") {
			return invalidParameter("Disk size and remote access must be specified within the launch template.")
		}
		disk = 0
	}
	if n.disk, err = intIn(c.p, "diskSize", 1, 16384, disk); err != nil {
		return err
	}
	n.instances = c.p.Strings("instanceTypes")
	if len(n.instances) == 0 && template == nil {
		n.instances = []string{defaultInstance}
	}
	n.ami = c.p.Str("amiType")
	if n.ami == "" {
		n.ami = defaultAMI
	}
	return nil
}

// nodeVersion is a version that nodes of a cluster can have; def for "".
func (c *call) nodeVersion(x *cluster, text, def string) (string, error) {
	if text == "" {
		return def, nil
	}
	minor, ok := minorOf(text)
	limit, _ := minorOf(x.version)
	if !ok || minor > limit || minor < limit-maxSkew {
		return "", invalidParameter("Requested Nodegroup Kubernetes version %s is not within %d minors behind the cluster's %s", text, maxSkew, x.version)
	}
	return text, nil
}

func releaseOf(version string) string { return version + ".0-" + releaseDate }

// parseScaling reads sizes; absent ones stay what they are.
func parseScaling(s scaling, p wire.Params) (scaling, error) {
	var err error
	if s.least, err = intIn(p, "minSize", 0, maxNodes, s.least); err != nil {
		return s, err
	}
	if s.most, err = intIn(p, "maxSize", 1, maxNodes, s.most); err != nil {
		return s, err
	}
	if s.desired, err = intIn(p, "desiredSize", 0, maxNodes, s.desired); err != nil {
		return s, err
	}
	switch {
	case s.least > s.desired:
		return s, invalidParameter("Minimum capacity %d can't be greater than desired size %d", s.least, s.desired)
	case s.desired > s.most:
		return s, invalidParameter("desired capacity %d can't be greater than max size %d", s.desired, s.most)
	}
	return s, nil
}

func parseTaints(list []wire.Params) ([]taint, error) {
	var out []taint
	for _, p := range list {
		effect, err := oneOf(p, "effect", "", "NO_SCHEDULE", "NO_EXECUTE", "PREFER_NO_SCHEDULE")
		if err != nil {
			return nil, err
		}
		t := taint{p.Str("key"), p.Str("value"), effect}
		if t.key == "" || len(t.key) > 63 || len(t.value) > 63 || effect == "" {
			return nil, invalidParameter("taints: %v needs a key of 1–63 characters, an effect, and a value of at most 63", t)
		}
		out = append(out, t)
	}
	return out, nil
}

func textMap(p wire.Params) map[string]string {
	out := map[string]string{}
	for k := range p {
		out[k] = p.Str(k)
	}
	return out
}

func (c *call) describeNodegroup() (wire.Struct, error) {
	n, err := c.nodegroup()
	if err != nil {
		return nil, err
	}
	return n.answer(), nil
}

func (c *call) listNodegroups() (wire.Struct, error) {
	x, err := c.cluster("clusterName")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, n := range sortedValues(x.nodegroups) {
		names = append(names, n.name)
	}
	return c.names("nodegroups", names)
}

func (c *call) deleteNodegroup() (wire.Struct, error) {
	n, err := c.nodegroup()
	if err != nil {
		return nil, err
	}
	switch n.status {
	case deleting:
		return n.answer(), nil
	case creating, updating:
		return nil, inUse("NodeGroup %s cannot be deleted: it is %s", n.name, n.status)
	}
	n.status = deleting
	n.task = c.newTask(n.arn, c.s.cfg.InnerDelay, func(err error) {
		if err != nil {
			n.status, n.issue = deleteFailed, err.Error()
			return
		}
		delete(n.cluster.nodegroups, n.name)
	})
	return n.answer(), nil
}

// updatableNodegroup finds the node group of an update, or the update that the call
// repeats.
func (c *call) updatableNodegroup() (*nodegroup, *update, error) {
	n, err := c.nodegroup()
	if err != nil {
		return nil, nil, err
	}
	if u := c.repeated(n.cluster); u != nil {
		return n, u, nil
	}
	if n.status != active {
		return nil, nil, inUse("NodeGroup %s cannot be updated: it is %s", n.name, n.status)
	}
	return n, nil, nil
}

// updateNodegroup starts an update that changes the node group by apply in the end.
func (c *call) updateNodegroup(n *nodegroup, u *update, apply func()) wire.Struct {
	u.nodegroup = n.name
	n.status = updating
	due := c.due(c.s.cfg.InnerDelay)
	n.task = c.newTask(n.arn, c.s.cfg.InnerDelay, func(err error) {
		n.status = active
		if u.end(err); err == nil {
			n.modified = due
			apply()
		}
	})
	return u.answer()
}

func (c *call) updateNodegroupConfig() (wire.Struct, error) {
	n, u, err := c.updatableNodegroup()
	if err != nil || u != nil {
		return answered(u, err)
	}
	size, err := parseScaling(n.scaling, c.p.Struct("scalingConfig"))
	if err != nil {
		return nil, err
	}
	labels := textMap(c.p.Struct("labels").Struct("addOrUpdateLabels"))
	gone := c.p.Struct("labels").Strings("removeLabels")
	for k, v := range n.labels {
		if _, ok := labels[k]; !ok && !slices.Contains(gone, k) {
			labels[k] = v
		}
	}
	taints, err := changedTaints(n.taints, c.p.Struct("taints"))
	if err != nil {
		return nil, err
	}
	kept := keep(c.p, "updateConfig", "nodeRepairConfig", "warmPoolConfig")
	u = c.newUpdate(n.cluster, "ConfigUpdate", param("MinSize", size.least), param("MaxSize", size.most), param("DesiredSize", size.desired))
	return c.updateNodegroup(n, u, func() {
		n.scaling, n.labels, n.taints = size, labels, taints
		maps.Copy(n.kept, kept)
	}), nil
}

func answered(u *update, err error) (wire.Struct, error) {
	if err != nil {
		return nil, err
	}
	return u.answer(), nil
}

// changedTaints are known by key and effect.
func changedTaints(old []taint, p wire.Params) ([]taint, error) {
	add, err := parseTaints(p.List("addOrUpdateTaints"))
	if err != nil {
		return nil, err
	}
	gone, err := parseTaints(p.List("removeTaints"))
	if err != nil {
		return nil, err
	}
	out := slices.DeleteFunc(slices.Clone(old), func(t taint) bool {
		return slices.ContainsFunc(slices.Concat(add, gone), func(x taint) bool { return x.key == t.key && x.effect == t.effect })
	})
	return append(out, add...), nil
}

func (c *call) updateNodegroupVersion() (wire.Struct, error) {
	n, u, err := c.updatableNodegroup()
	if err != nil || u != nil {
		return answered(u, err)
	}
	v, err := c.nodeVersion(n.cluster, c.p.Str("version"), n.cluster.version)
	if err != nil {
		return nil, err
	}
	from, _ := minorOf(n.version)
	if to, _ := minorOf(v); to < from {
		return nil, invalidParameter("Nodegroup Kubernetes version cannot go back from %s to %s", n.version, v)
	}
	release := c.p.Str("releaseVersion")
	if release == "" {
		release = releaseOf(v)
	}
	if !strings.HasPrefix(release, v+".") {
		return nil, invalidParameter("releaseVersion: %q is not one of Kubernetes %s", release, v)
	}
	template := keep(c.p, "launchTemplate")
	u = c.newUpdate(n.cluster, "VersionUpdate", param("Version", v), param("ReleaseVersion", release))
	return c.updateNodegroup(n, u, func() {
		n.version, n.release = v, release
		maps.Copy(n.kept, template)
	}), nil
}
