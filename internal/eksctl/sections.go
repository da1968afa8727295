package eksctl

import (
	"cmp"
	"fmt"
	"maps"
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
	g.out.ServiceAccounts = items(get(iam, "serviceAccounts"), func(n *yaml.Node) string {
		m := get(n, "metadata")
		if value(m, "name") == "" {
			return ""
		}
		return cmp.Or(value(m, "namespace"), "default") + "/" + value(m, "name")
	})
	g.out.FargateProfiles = items(get(doc, "fargateProfiles"), func(n *yaml.Node) string { return value(n, "name") })
	if n := get(get(doc, "accessConfig"), "authenticationMode"); n != nil {
		g.out.AuthMode = n.Value
		if modes := []string{"API", "API_AND_CONFIG_MAP", "CONFIG_MAP"}; !slices.Contains(modes, n.Value) {
			g.fail(n, "accessConfig.authenticationMode", "is %q; it must be one of %s", n.Value, strings.Join(modes, ", "))
		}
	}
}

// items of a list that have a name; eksctl refuses those that have none.
func items(list *yaml.Node, name func(*yaml.Node) string) []Item {
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	var out []Item
	for _, n := range list.Content {
		n = follow(n)
		if s := name(n); s != "" {
			out = append(out, Item{s, text(n)})
		}
	}
	return out
}

// value of a key as it is written; "": there is none.
func value(m *yaml.Node, key string) string {
	n := get(m, key)
	if n == nil || n.Kind != yaml.ScalarNode || isNull(n) {
		return ""
	}
	return n.Value
}

// section keeps the YAML of a top-level key.
func (c *Config) section(key string, n *yaml.Node) {
	n = follow(n)
	if key != "iam" || n.Kind != yaml.MappingNode {
		c.sections[key] = text(n)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		c.sections[key+"."+n.Content[i].Value] = text(n.Content[i+1])
	}
}

// Change of a list, by the names of its items.
type Change struct {
	Added, Removed []string
	Changed        []string // the same name, and another definition
}

// Difference is what an update of a cluster has to do, by the ClusterConfigs before and
// after it.
type Difference struct {
	// NodeGroups and FargateProfiles that changed stay as they are: eksctl makes and deletes
	// them. So do service accounts, unless "eksctl update iamserviceaccount" is run by hand.
	NodeGroups, ServiceAccounts, FargateProfiles Change
	// Ignored are the sections that changed and that eksctl's commands for existing
	// clusters, as far as they are run here, do not apply; sorted.
	Ignored []string
}

// applied are the sections whose changes an update applies, or that Difference has by
// their items.
var applied = []string{"apiVersion", "kind", "metadata", "nodeGroups", "managedNodeGroups", "fargateProfiles", "iam.serviceAccounts"}

// Compare two ClusterConfigs; before may be nil.
func Compare(before, after *Config) Difference {
	first := before == nil
	if first {
		before = &Config{}
	}
	d := Difference{
		NodeGroups:      change(groups(before), groups(after)),
		ServiceAccounts: change(before.ServiceAccounts, after.ServiceAccounts),
		FargateProfiles: change(before.FargateProfiles, after.FargateProfiles),
	}
	if first {
		return d
	}
	all := maps.Clone(after.sections)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, before.sections)
	for _, key := range sorted(all) {
		switch {
		case before.sections[key] == after.sections[key] || slices.Contains(applied, key):
		case key == "iam.withOIDC" && (after.OIDC || !before.OIDC): // the provider is made; it is not taken away
		default:
			d.Ignored = append(d.Ignored, key)
		}
	}
	return d
}

func groups(c *Config) []Item {
	var out []Item
	for _, n := range c.NodeGroups {
		out = append(out, Item{n.Name, fmt.Sprintf("managed: %t\n%s", n.Managed, n.yaml)})
	}
	return out
}

func change(before, after []Item) Change {
	var c Change
	old := map[string]string{}
	for _, x := range before {
		old[x.Name] = x.yaml
	}
	for _, x := range after {
		was, ok := old[x.Name]
		switch {
		case !ok:
			c.Added = append(c.Added, x.Name)
		case was != x.yaml:
			c.Changed = append(c.Changed, x.Name)
		}
		delete(old, x.Name)
	}
	c.Removed = sorted(old)
	return c
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
