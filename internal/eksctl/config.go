package eksctl

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// DefaultAPIVersion of a ClusterConfig.
const DefaultAPIVersion = "eksctl.io/v1alpha5"

// Cluster is what a ClusterConfig is made of.
type Cluster struct {
	Name, Region string
	APIVersion   string // default DefaultAPIVersion
	Version      string // minor of Kubernetes; "": eksctl's default
	VPCID        string // of an existing VPC; "": what Spec says, or a new one
	Tags         map[string]string
	// Spec is the rest of the ClusterConfig, YAML: everything but apiVersion, kind,
	// metadata and vpc.id.
	Spec string
}

// Config is a ClusterConfig, and what of it decides about the commands that are run.
type Config struct {
	Name, Region string // of the cluster
	// YAML is the whole document; equal clusters give equal text.
	YAML       string
	NodeGroups []NodeGroup
	// OIDC: IAM roles for service accounts are wanted.
	OIDC bool
	// ServiceAccounts of the section iam, by NAMESPACE/NAME.
	ServiceAccounts []Item
	FargateProfiles []Item
	// AuthMode is accessConfig.authenticationMode; "": eksctl's default.
	AuthMode string
	// Warnings for the user, in order.
	Warnings []string

	sections map[string]string // YAML of each top-level key; of iam, of each key in it
}

// Item of a list in a ClusterConfig.
type Item struct {
	Name string
	yaml string // its definition
}

// NodeGroup of a ClusterConfig.
type NodeGroup struct {
	Name    string
	Managed bool   // by EKS, else an Auto Scaling group of eksctl's
	yaml    string // its definition
}

// SpecError is a spec that cannot be used.
type SpecError struct {
	Line int    // in the spec, from 1; 0: not known
	Path string // of the key, e.g. vpc.id
	Why  string
}

func (e *SpecError) Error() string {
	where := e.Path
	if e.Line > 0 {
		where = strings.TrimPrefix(fmt.Sprintf("%s, line %d", e.Path, e.Line), ", ")
	}
	if where == "" {
		return e.Why
	}
	return where + ": " + e.Why
}

// Generate makes the ClusterConfig of a cluster. Its errors are *SpecErrors, joined.
func Generate(c Cluster) (*Config, error) {
	spec, err := parse(c.Spec)
	if err != nil {
		return nil, err
	}
	out := &Config{Name: c.Name, Region: c.Region, sections: map[string]string{}}
	g := &generator{cluster: c, spec: spec, out: out}
	doc := g.document()
	g.nodeGroups(doc)
	g.features(doc)
	g.unknown(doc)
	if len(g.errs) > 0 {
		return nil, errors.Join(g.errs...)
	}
	for i := 0; i+1 < len(doc.Content); i += 2 {
		out.section(doc.Content[i].Value, doc.Content[i+1])
	}
	out.YAML = text(doc)
	return out, nil
}

type generator struct {
	cluster Cluster
	spec    *yaml.Node
	out     *Config
	errs    []error
}

func (g *generator) fail(n *yaml.Node, path, format string, args ...any) {
	e := &SpecError{Path: path, Why: fmt.Sprintf(format, args...)}
	if n != nil {
		e.Line = n.Line
	}
	g.errs = append(g.errs, e)
}

// document is the spec with its head.
func (g *generator) document() *yaml.Node {
	version := g.cluster.APIVersion
	if version == "" {
		version = DefaultAPIVersion
	}
	doc := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	set(doc, "apiVersion", str(version))
	set(doc, "kind", str("ClusterConfig"))
	for _, own := range [][2]string{{"apiVersion", version}, {"kind", "ClusterConfig"}} {
		if n := get(g.spec, own[0]); n != nil && n.Value != own[1] {
			g.fail(n, own[0], "is %q, but must be %q; leave it out of the spec", n.Value, own[1])
		}
	}
	set(doc, "metadata", g.metadata(get(g.spec, "metadata")))
	if vpc := g.vpc(get(g.spec, "vpc")); vpc != nil {
		set(doc, "vpc", vpc)
	}
	for i := 0; i+1 < len(g.spec.Content); i += 2 {
		key := g.spec.Content[i]
		switch key.Value {
		case "apiVersion", "kind", "metadata", "vpc":
		case "git":
			g.out.Warnings = append(g.out.Warnings, fmt.Sprintf("git, line %d: is left out: eksctl has no such section any more; "+
				"use gitops.flux, or bootstrap Flux or Argo CD on the cluster yourself", key.Line))
		default:
			doc.Content = append(doc.Content, key, g.spec.Content[i+1])
		}
	}
	return doc
}

func (g *generator) metadata(given *yaml.Node) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if given == nil {
		given = m
	}
	if given.Kind != yaml.MappingNode {
		g.fail(given, "metadata", "must be a mapping")
		return m
	}
	for _, own := range []struct{ key, value, attribute string }{
		{"name", g.cluster.Name, "name"}, {"region", g.cluster.Region, "region"}, {"version", g.cluster.Version, "version"},
	} {
		n := get(given, own.key)
		switch {
		case n != nil && n.Value != own.value:
			g.fail(n, "metadata."+own.key, "is %q, but the attribute %s is %q; leave it out of the spec", n.Value, own.attribute, own.value)
		case own.value != "":
			set(m, own.key, str(own.value))
		}
	}
	g.tags(m, get(given, "tags"))
	for i := 0; i+1 < len(given.Content); i += 2 {
		if key := given.Content[i].Value; !slices.Contains([]string{"name", "region", "version", "tags"}, key) {
			set(m, key, given.Content[i+1])
		}
	}
	return m
}

func (g *generator) tags(m, given *yaml.Node) {
	all := map[string]string{}
	maps.Copy(all, g.cluster.Tags)
	if given != nil && given.Kind != yaml.MappingNode {
		g.fail(given, "metadata.tags", "must be a mapping of names to values")
		return
	}
	for i := 0; given != nil && i+1 < len(given.Content); i += 2 {
		k, v := given.Content[i], given.Content[i+1]
		if was, ok := all[k.Value]; ok && was != v.Value {
			g.fail(v, "metadata.tags."+k.Value, "is %q, but the attribute tags says %q; say it once", v.Value, was)
		}
		all[k.Value] = v.Value
	}
	if len(all) == 0 {
		return
	}
	tags := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, k := range sorted(all) {
		set(tags, k, str(all[k]))
	}
	set(m, "tags", tags)
}

func (g *generator) vpc(given *yaml.Node) *yaml.Node {
	if isNull(given) {
		given = nil
	}
	if given != nil && given.Kind != yaml.MappingNode {
		g.fail(given, "vpc", "must be a mapping")
		return nil
	}
	if n := get(given, "id"); n != nil {
		g.fail(n, "vpc.id", "is %q: set the attribute vpc_id instead", n.Value)
		return nil
	}
	if g.cluster.VPCID == "" {
		return given
	}
	vpc := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	set(vpc, "id", str(g.cluster.VPCID))
	if given != nil {
		vpc.Content = append(vpc.Content, given.Content...)
	}
	return vpc
}

// text of a node, two spaces deep, without comments.
func text(n *yaml.Node) string {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return fmt.Sprintf("# cannot be written: %v\n", err)
	}
	_ = e.Close()
	return b.String()
}
