package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// act does what the command says.
func (c *command) act(ctx context.Context) error {
	var cfg *clusterConfig
	cluster, region := c.flag("cluster"), c.flag("region")
	if c.verb == "delete cluster" {
		cluster = c.flag("name")
	}
	if c.flag("f") != "" {
		var err error
		if cfg, err = parse(c.stdin); err != nil {
			return err
		}
		cluster, region = cfg.Metadata.Name, cfg.Metadata.Region
	}
	if cluster == "" || region == "" {
		return fmt.Errorf("%s needs a cluster and a region", c.verb)
	}
	var err error
	if c.aws, err = connect(ctx, region); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "[ℹ]  %s: cluster %q in %q\n", c.verb, cluster, region)
	switch c.verb {
	case "create cluster":
		if err := c.aws.createCluster(ctx, cfg); err != nil {
			return err
		}
		return c.createAll(ctx, cfg)
	case "create nodegroup":
		if cfg != nil {
			return c.createAll(ctx, cfg)
		}
		return c.aws.createNodegroup(ctx, cluster, nodeGroup{Name: c.flag("name")})
	case "upgrade cluster":
		return c.aws.upgrade(ctx, cluster, cfg.Metadata.Version)
	case "delete cluster":
		return c.aws.deleteCluster(ctx, cluster)
	case "delete nodegroup":
		return c.deleteNodegroups(ctx, cluster, cfg)
	case "create iamserviceaccount":
		return c.serviceAccounts(ctx, cluster, cfg)
	case "delete iamserviceaccount":
		return c.aws.untag(ctx, cluster, "standin/serviceaccount/"+c.flag("namespace")+"/"+c.flag("name"))
	case "get nodegroup", "get iamserviceaccount":
		return c.list(ctx, cluster)
	case "create iamidentitymapping", "delete iamidentitymapping", "get iamidentitymapping":
		return c.mappings(cluster)
	}
	return c.aws.settled(ctx, cluster) // drain, OIDC, Fargate: the cluster must be there, and no more
}

func (c *command) createAll(ctx context.Context, cfg *clusterConfig) error {
	for _, n := range cfg.ManagedNodeGroups {
		if err := c.aws.createNodegroup(ctx, cfg.Metadata.Name, n); err != nil {
			return err
		}
	}
	for _, n := range cfg.NodeGroups {
		if err := c.aws.recordGroup(ctx, cfg.Metadata.Name, n); err != nil {
			return err
		}
	}
	return nil
}

// deleteNodegroups deletes the one that is named, or those of a ClusterConfig that are
// included.
func (c *command) deleteNodegroups(ctx context.Context, cluster string, cfg *clusterConfig) error {
	names := []string{c.flag("name")}
	if cfg != nil {
		if c.flag("include") == "" {
			return errors.New("the stand-in deletes node groups of a ClusterConfig by --include only")
		}
		if len(c.flags["approve"]) == 0 {
			return errors.New("--approve is missing")
		}
		names = strings.Split(c.flag("include"), ",")
		for _, name := range names {
			if !slices.ContainsFunc(append(slices.Clone(cfg.NodeGroups), cfg.ManagedNodeGroups...), func(n nodeGroup) bool { return n.Name == name }) {
				return fmt.Errorf("the ClusterConfig has no node group %q", name)
			}
		}
	}
	for _, name := range names {
		if err := c.aws.deleteNodegroup(ctx, cluster, name); err != nil {
			return err
		}
	}
	return nil
}

func (c *command) serviceAccounts(ctx context.Context, cluster string, cfg *clusterConfig) error {
	if cfg == nil {
		return c.aws.tag(ctx, cluster, map[string]string{"standin/serviceaccount/" + c.flag("namespace") + "/" + c.flag("name"): "1"})
	}
	for _, s := range cfg.IAM.ServiceAccounts {
		if err := c.aws.tag(ctx, cluster, map[string]string{"standin/serviceaccount/" + s.Metadata.Namespace + "/" + s.Metadata.Name: "1"}); err != nil {
			return err
		}
	}
	return nil
}

// mapping of aws-auth, as eksctl prints it.
type mapping struct {
	RoleARN  string   `json:"rolearn"`
	Username string   `json:"username"`
	Groups   []string `json:"groups"`
}

// mappings keeps aws-auth of each cluster in a file.
func (c *command) mappings(cluster string) error {
	record := os.Getenv("EKSCTL_RECORD")
	if record == "" {
		return errors.New("EKSCTL_RECORD is not set: aws-auth is a file beside it")
	}
	path := record + ".aws-auth.json"
	all := map[string][]mapping{}
	raw, err := os.ReadFile(path) //nolint:gosec // G703: the test names it
	if err == nil {
		err = json.Unmarshal(raw, &all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch c.verb {
	case "get iamidentitymapping":
		return json.NewEncoder(os.Stdout).Encode(append([]mapping{}, all[cluster]...))
	case "create iamidentitymapping":
		all[cluster] = append(all[cluster], mapping{c.flag("arn"), c.flag("username"), c.flags["group"]})
	default:
		all[cluster] = slices.DeleteFunc(all[cluster], func(m mapping) bool { return m.RoleARN == c.flag("arn") })
	}
	if raw, err = json.Marshal(all); err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600) //nolint:gosec // G703: the test names it
}

// list what carries a tag of the stand-in, and of node groups those that EKS manages, as
// eksctl prints them.
func (c *command) list(ctx context.Context, cluster string) error {
	kind := strings.TrimPrefix(c.verb, "get ")
	names, err := c.aws.tagged(ctx, cluster, map[string]string{"nodegroup": "standin/nodegroup/", "iamserviceaccount": "standin/serviceaccount/"}[kind])
	if err != nil {
		return err
	}
	found := []any{}
	if kind == "iamserviceaccount" {
		for _, n := range names {
			namespace, name, _ := strings.Cut(n, "/")
			if namespace == c.flag("namespace") && name == c.flag("name") {
				found = append(found, map[string]any{"metadata": map[string]string{"namespace": namespace, "name": name}})
			}
		}
		return json.NewEncoder(os.Stdout).Encode(found)
	}
	managed, err := c.aws.nodegroups(ctx, cluster)
	if err != nil {
		return err
	}
	for _, n := range append(managed, names...) {
		if c.flag("name") == "" || n == c.flag("name") {
			found = append(found, map[string]string{"Cluster": cluster, "Name": n})
		}
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}
