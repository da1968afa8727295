package eksctl

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// known are the top-level keys that eksctl.io/v1alpha5 has.
// Source: https://eksctl.io/usage/schema/
var known = []string{
	"accessConfig", "addons", "addonsConfig", "apiVersion", "autoModeConfig", "availabilityZones", "capabilities", "cloudWatch",
	"controlPlaneScalingConfig", "fargateProfiles", "gitops", "iam", "iamIdentityMappings", "identityProviders", "karpenter", "kind",
	"kubeAPIServerConfig", "kubeControllerManagerConfig", "kubeSchedulerConfig", "kubernetesNetworkConfig", "localZones",
	"managedNodeGroups", "metadata", "nodeGroups", "outpost", "privateCluster", "remoteNetworkConfig", "secretsEncryption",
	"upgradePolicy", "vpc", "zonalShiftConfig",
}

// unknown warns of keys that eksctl may refuse; they are kept, because a newer eksctl may
// know them.
func (g *generator) unknown(doc *yaml.Node) {
	for i := 0; i+1 < len(doc.Content); i += 2 {
		k := doc.Content[i]
		if slices.Contains(known, k.Value) {
			continue
		}
		hint := ""
		for _, name := range known {
			if strings.EqualFold(name, k.Value) || strings.EqualFold(name, k.Value+"s") {
				hint = fmt.Sprintf("; did you mean %s?", name)
			}
		}
		g.out.Warnings = append(g.out.Warnings, fmt.Sprintf("%s, line %d: is not known in %s; it is passed on, and eksctl may refuse it%s",
			k.Value, k.Line, DefaultAPIVersion, hint))
	}
}

// nodeGroups reads the node groups, whose names must be there and be told apart.
func (g *generator) nodeGroups(doc *yaml.Node) {
	seen := map[string]string{}
	for _, key := range []string{"nodeGroups", "managedNodeGroups"} {
		list := get(doc, key)
		if list == nil || isNull(list) {
			continue
		}
		if list.Kind != yaml.SequenceNode {
			g.fail(list, key, "must be a list of node groups, each with a name")
			continue
		}
		for i, n := range list.Content {
			at := fmt.Sprintf("%s[%d]", key, i)
			n = follow(n)
			name := get(n, "name")
			switch {
			case n.Kind != yaml.MappingNode:
				g.fail(n, at, "must be a mapping with a name")
				continue
			case name == nil || name.Kind != yaml.ScalarNode || name.Value == "":
				g.fail(n, at+".name", "is missing; every node group needs a name of its own")
				continue
			case seen[name.Value] != "":
				g.fail(name, at+".name", "%q is also the name of %s; every node group needs a name of its own", name.Value, seen[name.Value])
				continue
			}
			seen[name.Value] = at
			g.out.NodeGroups = append(g.out.NodeGroups, NodeGroup{Name: name.Value, Managed: key == "managedNodeGroups", yaml: text(n)})
		}
	}
}

func (g *generator) features(doc *yaml.Node) {
	iam := get(doc, "iam")
	if iam != nil && iam.Kind != yaml.MappingNode && !isNull(iam) {
		g.fail(iam, "iam", "must be a mapping")
	}
	if n := get(iam, "withOIDC"); n != nil {
		g.out.OIDC = slices.Contains([]string{"true", "yes", "on"}, strings.ToLower(n.Value)) // YAML 1.1
	}
	g.out.ServiceAccounts = items(get(iam, "serviceAccounts")) > 0
	g.out.FargateProfiles = items(get(doc, "fargateProfiles")) > 0
	if n := get(get(doc, "accessConfig"), "authenticationMode"); n != nil {
		g.out.AuthMode = n.Value
		if modes := []string{"API", "API_AND_CONFIG_MAP", "CONFIG_MAP"}; !slices.Contains(modes, n.Value) {
			g.fail(n, "accessConfig.authenticationMode", "is %q; it must be one of %s", n.Value, strings.Join(modes, ", "))
		}
	}
}

func items(n *yaml.Node) int {
	if n == nil || n.Kind != yaml.SequenceNode {
		return 0
	}
	return len(n.Content)
}

// Difference is what an update of a cluster has to do, by the ClusterConfigs before and
// after it.
type Difference struct {
	Added, Removed []string // names of node groups
	// Changed node groups have the same name and another definition. eksctl does not
	// change node groups.
	Changed []string
	// Ignored are the top-level keys that changed and that eksctl's commands for existing
	// clusters, as far as they are run here, do not apply.
	Ignored []string
}

// applied are the sections whose changes an update applies.
var applied = []string{"apiVersion", "kind", "metadata", "nodeGroups", "managedNodeGroups", "fargateProfiles"}

// Compare two ClusterConfigs; before may be nil.
func Compare(before, after *Config) Difference {
	var d Difference
	if before == nil {
		before = &Config{}
	}
	old := map[string]NodeGroup{}
	for _, n := range before.NodeGroups {
		old[n.Name] = n
	}
	for _, n := range after.NodeGroups {
		was, ok := old[n.Name]
		switch {
		case !ok:
			d.Added = append(d.Added, n.Name)
		case was.yaml != n.yaml || was.Managed != n.Managed:
			d.Changed = append(d.Changed, n.Name)
		}
		delete(old, n.Name)
	}
	d.Removed = sorted(old)
	for _, key := range known {
		if before.sections != nil && !slices.Contains(applied, key) && before.sections[key] != after.sections[key] {
			if key == "iam" && (after.OIDC || after.ServiceAccounts) {
				continue // service accounts and the OIDC provider are applied
			}
			d.Ignored = append(d.Ignored, key)
		}
	}
	return d
}

// Names of the node groups, sorted.
func (c *Config) Names() []string {
	var out []string
	for _, n := range c.NodeGroups {
		out = append(out, n.Name)
	}
	slices.Sort(out)
	return out
}

// Section is the YAML of a top-level key; "": there is none.
func (c *Config) Section(key string) string { return c.sections[key] }
