package eks

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Statuses of clusters, node groups and add-ons.
const (
	creating     = "CREATING"
	active       = "ACTIVE"
	updating     = "UPDATING"
	deleting     = "DELETING"
	failed       = "FAILED"        // clusters only
	createFailed = "CREATE_FAILED" // node groups and add-ons only
	deleteFailed = "DELETE_FAILED" // node groups and add-ons only
)

// maxClusterName is the longest name of a cluster, in characters.
const maxClusterName = 100

type cluster struct {
	world     *world
	name, arn string
	id        string // 32 hex digits that its URLs have in common
	token     string // clientRequestToken of its creation
	created   time.Time
	creator   string // ARN of the role or user that created it
	roleARN   string
	version   string
	settings  settings
	// kept are members that are shown as they were given.
	kept map[string]any
	tags map[string]string // replaced as a whole, never written into

	status   string
	issue    string // what a FAILED cluster died of
	endpoint string // "" until it is ACTIVE
	ca       string // base64 of PEM
	started  bool   // by the ControlPlane
	task     *task

	rotations int // of the made-up certificate authority

	// previous is the minor before the last update, which ended at upgraded; "": there
	// is none to go back to.
	previous string
	upgraded time.Time

	updates      []*update // in order of creation
	entries      map[string]*accessEntry
	nodegroups   map[string]*nodegroup
	addons       map[string]*addon
	associations map[string]*association
}

// settle brings a cluster and what is in it to what they are by now.
func (c *cluster) settle(now time.Time) {
	c.task = c.task.finish(now)
	for _, n := range c.nodegroups {
		n.task = n.task.finish(now)
	}
	for _, a := range c.addons {
		a.task = a.task.finish(now)
	}
}

// cluster finds one by the path label of an operation.
func (c *call) cluster(label string) (*cluster, error) {
	name := c.p.Str(label)
	x := c.clusters[name]
	if x != nil {
		x.settle(c.now)
	}
	if x = c.clusters[name]; x == nil {
		return nil, notFound("No cluster found for name: %s.", name)
	}
	return x, nil
}

// serving finds a cluster whose inside can be changed.
func (c *call) serving() (*cluster, error) {
	x, err := c.cluster("clusterName")
	if err != nil {
		return nil, err
	}
	if x.status != active && x.status != updating {
		return nil, invalidRequest("Cluster '%s' is not in ACTIVE status: it is %s", x.name, x.status)
	}
	return x, nil
}

func (c *call) createCluster() (wire.Struct, error) {
	name, err := resourceName(c.p, "name", maxClusterName)
	if err != nil {
		return nil, err
	}
	if x, err := c.cluster("name"); err == nil {
		if token := c.p.Str("clientRequestToken"); token != "" && token == x.token {
			return c.answer(x), nil // the same call again, whose answer was lost
		}
		return nil, inUse("Cluster already exists with name: %s", name)
	}
	x := &cluster{world: c.world, name: name, created: c.now, token: c.p.Str("clientRequestToken"), status: creating}
	if err := c.parseCluster(x); err != nil {
		return nil, err
	}
	if len(c.clusters) >= c.s.cfg.Clusters {
		return nil, wire.Errorf("ResourceLimitExceededException", "Cluster limit exceeded: %d in this account and region", c.s.cfg.Clusters)
	}
	c.s.found(x)
	x.creator = asRole(c.s.cfg.Caller(c.r))
	x.bootstrap(c.s, c.now)
	x.task = c.newTask(x.arn, c.s.cfg.CreateDelay, func(err error) { x.ready(c.s, err) })
	c.s.start(x, x.task)
	return c.answer(x), nil
}

// found gives a new cluster its identity and its place in its world.
func (s *Service) found(x *cluster) {
	x.arn = x.world.arn("cluster/%s", x.name)
	x.id = strings.ToUpper(s.hex(32))
	x.settings.clusterSG = "sg-0" + s.hex(16)
	x.world.clusters[x.name] = x
}

// ready makes a cluster that was being created ACTIVE, or FAILED.
func (c *cluster) ready(s *Service, err error) {
	if err == nil && s.cfg.ControlPlane == nil {
		c.endpoint = c.madeUpEndpoint()
		c.ca, err = c.madeUpCA()
	}
	if err != nil {
		c.fail(err)
		return
	}
	c.status = active
}

func (c *cluster) fail(err error) { c.status, c.issue = failed, err.Error() }

// parseCluster reads everything but the name.
func (c *call) parseCluster(x *cluster) error {
	for _, member := range []string{"outpostConfig", "computeConfig", "remoteNetworkConfig"} {
		if s := c.p.Struct(member); len(s) > 0 && s["enabled"] != false {
			return notSimulated(c.r.Operation, member)
		}
	}
	var err error
	if x.roleARN, err = roleARN(c.p, "roleArn"); err != nil {
		return err
	}
	v, err := c.s.parseVersion(c.p.Str("version"))
	if err != nil {
		return err
	}
	x.version = v.String()
	if x.settings, err = c.parseSettings(); err != nil {
		return err
	}
	if x.tags, err = parseTags(c.p, invalidParameter); err != nil {
		return err
	}
	x.kept = keep(c.p, "upgradePolicy", "zonalShiftConfig", "storageConfig", "controlPlaneScalingConfig")
	return nil
}

// keep takes the members that were given; nil when there are none.
func keep(p wire.Params, names ...string) map[string]any {
	var out map[string]any
	for _, name := range names {
		if v := echo(p[name]); v != nil {
			if out == nil {
				out = map[string]any{}
			}
			out[name] = v
		}
	}
	return out
}

func keptMembers(kept map[string]any) wire.Struct {
	out := wire.Struct{}
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		out = append(out, kv(name, kept[name]))
	}
	return out
}

func (c *call) answer(x *cluster) wire.Struct { return wire.Struct{kv("cluster", x.describe())} }

// describe leaves out the endpoint, the issuer and the data of the certificate authority
// while the cluster is being created, as AWS does.
func (c *cluster) describe() wire.Struct {
	ca, endpoint, identity := wire.Struct{}, any(nil), any(nil)
	if c.status != creating && c.endpoint != "" {
		ca, endpoint = wire.Struct{kv("data", c.ca)}, c.endpoint
		identity = wire.Struct{kv("oidc", wire.Struct{kv("issuer", c.issuer())})}
	}
	issues := wire.List{}
	if c.status == failed {
		issues = wire.List{wire.Struct{kv("code", "Other"), kv("message", c.issue), kv("resourceIds", wire.List{c.arn})}}
	}
	return append(append(wire.Struct{
		kv("name", c.name),
		kv("arn", c.arn),
		kv("createdAt", c.created),
		kv("version", c.version),
		kv("endpoint", endpoint),
		kv("roleArn", c.roleARN),
		kv("identity", identity),
		kv("status", c.status),
		kv("certificateAuthority", ca),
		kv("clientRequestToken", wire.Opt(c.token)),
		kv("platformVersion", platformVersion),
		kv("tags", stringMap(c.tags)),
		kv("health", wire.Struct{kv("issues", issues)}),
	}, c.settings.describe()...), keptMembers(c.kept)...)
}

func (c *call) describeCluster() (wire.Struct, error) {
	x, err := c.cluster("name")
	if err != nil {
		return nil, err
	}
	return c.answer(x), nil
}

// listClusters has no clusters of EKS Connector to include.
func (c *call) listClusters() (wire.Struct, error) {
	for _, include := range c.p.Strings("include") {
		if include != "all" {
			return nil, invalidParameter("include: %q is not all", include)
		}
	}
	var names []string
	for _, x := range c.settled(c.now) {
		names = append(names, x.name)
	}
	return c.names("clusters", names)
}

func (c *call) deleteCluster() (wire.Struct, error) {
	x, err := c.cluster("name")
	if err != nil {
		return nil, err
	}
	switch {
	case x.status == deleting:
		return c.answer(x), nil
	case x.status == creating:
		return nil, inUse("Cannot delete because cluster %s currently is being created", x.name)
	case x.status == updating:
		return nil, inUse("Cannot delete because cluster %s currently has an update in progress", x.name)
	case x.settings.deletionProtection:
		return nil, invalidRequest("Cannot delete cluster %s because deletion protection is enabled; disable it by UpdateClusterConfig first", x.name)
	case len(x.nodegroups) > 0:
		return nil, inUse("Cluster has nodegroups attached")
	}
	x.status = deleting
	x.task = c.newTask(x.arn, c.s.cfg.DeleteDelay, func(err error) {
		if err != nil {
			x.fail(err)
			return
		}
		delete(x.world.clusters, x.name)
	})
	c.s.end(x, x.task)
	return c.answer(x), nil
}
