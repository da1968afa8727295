package eks

import (
	"fmt"
	"slices"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// addon of a cluster. Nothing is installed anywhere.
type addon struct {
	cluster           *cluster
	name, arn         string
	token             string // clientRequestToken of its creation
	version           string
	status            string
	issue             string // what a failed one died of
	created, modified time.Time
	role              string         // serviceAccountRoleArn; "" for none
	kept              map[string]any // configurationValues, namespaceConfig
	tags              map[string]string
	task              *task
}

// catalogEntry is an add-on that can be had, in two builds for every minor of Kubernetes.
type catalogEntry struct{ name, kind, version string }

// catalog is a choice of AWS's own add-ons, sorted. The versions are made up; %d is the
// minor of Kubernetes.
func catalog() []catalogEntry {
	return []catalogEntry{
		{"aws-ebs-csi-driver", "storage", "v1.%d.0"},
		{"coredns", "networking", "v1.12.%d"},
		{"eks-pod-identity-agent", "security", "v1.3.%d"},
		{"kube-proxy", "networking", "v1.%d.0"},
		{"metrics-server", "observability", "v0.8.%d"},
		{"vpc-cni", "networking", "v1.20.%d"},
	}
}

// builds of an add-on for a minor, the newest first.
func (e catalogEntry) builds(v version) []string {
	base := fmt.Sprintf(e.version, v.minor)
	return []string{base + "-eksbuild.2", base + "-eksbuild.1"}
}

func fromCatalog(name string) (catalogEntry, error) {
	i := slices.IndexFunc(catalog(), func(e catalogEntry) bool { return e.name == name })
	if i < 0 {
		return catalogEntry{}, invalidParameter("Addon %s specified is not supported in the simulator; DescribeAddonVersions lists those that are", name)
	}
	return catalog()[i], nil
}

func (a *addon) describe() wire.Struct {
	issues := wire.List{}
	if a.issue != "" {
		issues = wire.List{wire.Struct{kv("code", "InternalFailure"), kv("message", a.issue), kv("resourceIds", wire.List{})}}
	}
	return append(wire.Struct{
		kv("addonName", a.name), kv("clusterName", a.cluster.name), kv("status", a.status), kv("addonVersion", a.version),
		kv("health", wire.Struct{kv("issues", issues)}), kv("addonArn", a.arn), kv("createdAt", a.created), kv("modifiedAt", a.modified),
		kv("serviceAccountRoleArn", wire.Opt(a.role)), kv("tags", stringMap(a.tags)), kv("publisher", "eks"), kv("owner", "aws"),
	}, keptMembers(a.kept)...)
}

func (a *addon) answer() wire.Struct { return wire.Struct{kv("addon", a.describe())} }

func (c *call) addon() (*addon, error) {
	x, err := c.cluster("clusterName")
	if err != nil {
		return nil, err
	}
	a := x.addons[c.p.Str("addonName")]
	if a == nil {
		return nil, notFound("No addon: %s found in cluster: %s", c.p.Str("addonName"), x.name)
	}
	return a, nil
}

func (c *call) createAddon() (wire.Struct, error) {
	x, err := c.serving()
	if err != nil {
		return nil, err
	}
	entry, err := fromCatalog(c.p.Str("addonName"))
	if err != nil {
		return nil, err
	}
	if a := x.addons[entry.name]; a != nil {
		if token := c.p.Str("clientRequestToken"); token != "" && token == a.token {
			return a.answer(), nil
		}
		return nil, inUse("Addon already exists.")
	}
	a := &addon{
		cluster: x, name: entry.name, token: c.p.Str("clientRequestToken"), status: creating, created: c.now, modified: c.now,
	}
	if a.tags, err = parseTags(c.p, invalidParameter); err != nil {
		return nil, err
	}
	if err := c.parseAddon(a, entry); err != nil {
		return nil, err
	}
	a.arn = x.world.arn("addon/%s/%s/%s", x.name, a.name, c.s.uuid())
	if x.addons == nil {
		x.addons = map[string]*addon{}
	}
	x.addons[a.name] = a
	a.task = c.newTask(a.arn, c.s.cfg.InnerDelay, func(err error) {
		a.status = active
		if err != nil {
			a.status, a.issue = createFailed, err.Error()
		}
	})
	return a.answer(), nil
}

// parseAddon reads what an add-on can also be updated to; absent members stay what they
// are, the version becomes the newest.
func (c *call) parseAddon(a *addon, entry catalogEntry) error {
	if c.p.Has("podIdentityAssociations") {
		return notSimulated(c.r.Operation, "podIdentityAssociations")
	}
	if _, err := oneOf(c.p, "resolveConflicts", "NONE", "OVERWRITE", "NONE", "PRESERVE"); err != nil {
		return err
	}
	minor, _ := minorOf(a.cluster.version)
	builds := entry.builds(version{minor})
	if a.version == "" {
		a.version = builds[0]
	}
	if v := c.p.Str("addonVersion"); v != "" {
		if !slices.Contains(builds, v) && v != a.version {
			return invalidParameter("Addon version specified is not supported: %s of %s with Kubernetes %s can be %s",
				v, a.name, a.cluster.version, quoted(builds))
		}
		a.version = v
	}
	if c.p.Has("serviceAccountRoleArn") {
		role, err := roleARN(c.p, "serviceAccountRoleArn")
		if err != nil {
			return err
		}
		a.role = role
	}
	kept := keep(c.p, "configurationValues", "namespaceConfig")
	for name, v := range a.kept {
		if _, ok := kept[name]; !ok {
			if kept == nil {
				kept = map[string]any{}
			}
			kept[name] = v
		}
	}
	a.kept = kept
	return nil
}

func (c *call) describeAddon() (wire.Struct, error) {
	a, err := c.addon()
	if err != nil {
		return nil, err
	}
	return a.answer(), nil
}

func (c *call) listAddons() (wire.Struct, error) {
	x, err := c.cluster("clusterName")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, a := range sortedValues(x.addons) {
		names = append(names, a.name)
	}
	return c.names("addons", names)
}

func (c *call) updateAddon() (wire.Struct, error) {
	a, err := c.addon()
	if err != nil {
		return nil, err
	}
	if u := c.repeated(a.cluster); u != nil {
		return u.answer(), nil
	}
	if a.status != active {
		return nil, inUse("Addon %s cannot be updated: it is %s", a.name, a.status)
	}
	entry, err := fromCatalog(a.name)
	if err != nil {
		return nil, err
	}
	next := *a
	if err := c.parseAddon(&next, entry); err != nil {
		return nil, err
	}
	u := c.newUpdate(a.cluster, "AddonUpdate", param("AddonVersion", next.version))
	u.addon = a.name
	a.status = updating
	due := c.due(c.s.cfg.InnerDelay)
	a.task = c.newTask(a.arn, c.s.cfg.InnerDelay, func(err error) {
		a.status = active
		if u.end(err); err == nil {
			a.version, a.role, a.kept, a.modified = next.version, next.role, next.kept, due
		}
	})
	return u.answer(), nil
}

// deleteAddon has nothing to preserve.
func (c *call) deleteAddon() (wire.Struct, error) {
	a, err := c.addon()
	if err != nil {
		return nil, err
	}
	switch a.status {
	case deleting:
		return a.answer(), nil
	case creating, updating:
		return nil, invalidRequest("Addon %s cannot be deleted: it is %s", a.name, a.status)
	}
	a.status = deleting
	a.task = c.newTask(a.arn, c.s.cfg.InnerDelay, func(err error) {
		if err != nil {
			a.status, a.issue = deleteFailed, err.Error()
			return
		}
		delete(a.cluster.addons, a.name)
	})
	return a.answer(), nil
}

func (c *call) describeAddonVersions() (wire.Struct, error) {
	var versions []version
	for _, v := range slices.Backward(c.s.versions) {
		if text := c.p.Str("kubernetesVersion"); text == "" || text == v.String() {
			versions = append(versions, v)
		}
	}
	var found []catalogEntry
	for _, e := range catalog() {
		types := c.p.Strings("types")
		if name := c.p.Str("addonName"); (name == "" || name == e.name) && (len(types) == 0 || slices.Contains(types, e.kind)) {
			found = append(found, e)
		}
	}
	part, next, err := page(c, found, func(e catalogEntry) string { return e.name })
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("addons", wire.ListOf(part, func(e catalogEntry) wire.Struct {
		return wire.Struct{
			kv("addonName", e.name), kv("type", e.kind), kv("publisher", "eks"), kv("owner", "aws"),
			kv("addonVersions", e.describeBuilds(versions)),
		}
	})), next}, nil
}

// describeBuilds of each minor; the newest is its default.
func (e catalogEntry) describeBuilds(versions []version) wire.List {
	out := wire.List{}
	for _, v := range versions {
		for i, build := range e.builds(v) {
			out = append(out, wire.Struct{
				kv("addonVersion", build),
				kv("architecture", wire.List{"amd64", "arm64"}),
				kv("computeTypes", wire.List{"ec2"}),
				kv("compatibilities", wire.List{wire.Struct{
					kv("clusterVersion", v.String()), kv("platformVersions", wire.List{"*"}), kv("defaultVersion", i == 0),
				}}),
				kv("requiresConfiguration", false),
				kv("requiresIamPermissions", false),
			})
		}
	}
	return out
}
