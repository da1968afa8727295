package eksctl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/internal/provider/connection"
)

type flagKind int

const (
	text flagKind = iota
	number
	yes
	texts
	pairs
)

// flag is a flag of "eksctl create nodegroup" and the attribute of the same name, with _
// for -.
type flag struct {
	attribute string
	kind      flagKind
	does      string
	checks    []validator.String
	// on tells that eksctl's own default is true: a false that is declared is said.
	on bool
}

func (f flag) name() string { return "--" + strings.ReplaceAll(f.attribute, "_", "-") }

// flags in the order in which they are given to eksctl.
// Source: eksctl create nodegroup --help.
func flags() []flag {
	return []flag{
		{attribute: "tags", kind: pairs, does: "Tags of what eksctl makes."},
		{attribute: "version", does: "Minor version of Kubernetes of the nodes, `auto` or `latest`. Default: the control plane's."},
		{attribute: "node_type", does: "EC2 instance type, such as `m6i.large`. Default: eksctl's."},
		{attribute: "nodes", kind: number, does: "Number of nodes. Default: 2."},
		{attribute: "nodes_min", kind: number, does: "Least number of nodes. Default: `nodes`."},
		{attribute: "nodes_max", kind: number, does: "Greatest number of nodes. Default: `nodes`."},
		{attribute: "node_volume_size", kind: number, does: "Size of the nodes' volumes in GiB. Default: eksctl's, 80."},
		{attribute: "node_volume_type", does: "Type of the nodes' volumes: `gp3`, `gp2`, `io1`, `sc1` or `st1`. Default: eksctl's."},
		{attribute: "ssh_access", kind: yes, does: "Lets SSH in. Default: `false`."},
		{attribute: "ssh_public_key", does: "Public key for SSH: a path, a key, or the name of a key pair of EC2."},
		{attribute: "enable_ssm", kind: yes, does: "Enables the Systems Manager on the nodes. Default: `false`."},
		{attribute: "node_ami", does: "AMI of the nodes: its ID, `auto` or `auto-ssm`. Default: eksctl's."},
		{attribute: "node_ami_family", does: "Family of the AMI, such as `AmazonLinux2023` or `Bottlerocket`. Default: eksctl's."},
		{attribute: "node_private_networking", kind: yes, does: "Nodes have private addresses only. Default: `false`."},
		{attribute: "node_security_groups", kind: texts, does: "IDs of additional security groups of the nodes."},
		{attribute: "node_labels", kind: pairs, does: "Kubernetes labels of the nodes."},
		{attribute: "node_zones", kind: texts, does: "Availability zones of the nodes. Default: those of the cluster."},
		{attribute: "instance_prefix", does: "What the names of the instances begin with."},
		{attribute: "instance_name", does: "What the names of the instances end with."},
		{attribute: "disable_pod_imds", kind: yes, does: "Keeps pods that are not on the host network from the instance metadata. Default: `false`."},
		{attribute: "managed", kind: yes, on: true, does: "EKS manages the node group. Default: eksctl's, `true`."},
		{attribute: "spot", kind: yes, does: "Spot instances; managed node groups only. Default: `false`."},
		{attribute: "instance_types", kind: texts, does: "EC2 instance types to choose from; managed node groups only."},
		{attribute: "asg_access", kind: yes, does: "Nodes may change Auto Scaling groups, as the cluster autoscaler does. Default: `false`."},
		{attribute: "external_dns_access", kind: yes, does: "Nodes may change Route 53, as external-dns does. Default: `false`."},
		{attribute: "full_ecr_access", kind: yes, does: "Nodes may push to ECR. Default: `false`."},
		{attribute: "appmesh_access", kind: yes, does: "Nodes may use App Mesh. Default: `false`."},
		{attribute: "appmesh_preview_access", kind: yes, does: "Nodes may use the preview of App Mesh. Default: `false`."},
		{attribute: "alb_ingress_access", kind: yes, does: "Nodes may change load balancers, as the AWS Load Balancer Controller does. Default: `false`."},
		{attribute: "install_neuron_plugin", kind: yes, on: true, does: "Installs the plugin for Inferentia and Trainium nodes. Default: eksctl's, `true`."},
		{attribute: "install_nvidia_plugin", kind: yes, on: true, does: "Installs the plugin for GPU nodes. Default: eksctl's, `true`."},
		{attribute: "cfn_role_arn", does: "ARN of the IAM role that CloudFormation assumes."},
		{attribute: "cfn_disable_rollback", kind: yes, does: "CloudFormation leaves what it made of a stack that failed. Default: `false`."},
	}
}

// schema of the attribute. A change makes another node group.
func (f flag) schema() schema.Attribute {
	does := f.does + " A change makes another node group."
	switch f.kind {
	case number:
		return schema.Int64Attribute{
			Optional: true, Computed: true, MarkdownDescription: does, Validators: []validator.Int64{int64validator.AtLeast(0)},
			PlanModifiers: []planmodifier.Int64{connection.UnsetInt64(), replaceInt64()},
		}
	case yes:
		return schema.BoolAttribute{
			Optional: true, Computed: true, MarkdownDescription: does,
			PlanModifiers: []planmodifier.Bool{connection.UnsetBool(), replaceBool()},
		}
	case texts:
		return schema.ListAttribute{
			ElementType: types.StringType, Optional: true, Computed: true, MarkdownDescription: does,
			PlanModifiers: []planmodifier.List{connection.UnsetList(), replaceList()},
		}
	case pairs:
		return schema.MapAttribute{
			ElementType: types.StringType, Optional: true, Computed: true, MarkdownDescription: does,
			PlanModifiers: []planmodifier.Map{connection.UnsetMap(), replaceMap()},
		}
	case text:
	}
	return schema.StringAttribute{
		Optional: true, Computed: true, MarkdownDescription: does, Validators: f.checks,
		PlanModifiers: []planmodifier.String{connection.UnsetString(), replaceString()},
	}
}

// getter is a plan, a state or a configuration.
type getter interface {
	GetAttribute(ctx context.Context, at path.Path, target any) diag.Diagnostics
}

// args of the flag; none when the attribute is not set. A value is never taken for a flag:
// it stands behind a =. Of a plan one cannot tell a false that is declared from one that an
// older state has for what is not set: the configuration says it.
func (f flag) args(ctx context.Context, g, config getter, diags *diag.Diagnostics) []string {
	at := path.Root(f.attribute)
	value := ""
	switch f.kind {
	case text:
		var v types.String
		diags.Append(g.GetAttribute(ctx, at, &v)...)
		value = v.ValueString()
	case number:
		var v types.Int64
		diags.Append(g.GetAttribute(ctx, at, &v)...)
		if v.ValueInt64() == 0 && f.attribute != "nodes_min" || v.IsNull() {
			return nil
		}
		value = strconv.FormatInt(v.ValueInt64(), 10)
	case yes:
		var v types.Bool
		diags.Append(g.GetAttribute(ctx, at, &v)...)
		var declared types.Bool
		diags.Append(config.GetAttribute(ctx, at, &declared)...)
		switch {
		case v.ValueBool():
			return []string{f.name()}
		case f.on && !declared.IsNull():
			return []string{f.name() + "=false"}
		}
	case texts:
		var v types.List
		diags.Append(g.GetAttribute(ctx, at, &v)...)
		value = strings.Join(elements[string](ctx, v, diags), ",")
	case pairs:
		var v types.Map
		diags.Append(g.GetAttribute(ctx, at, &v)...)
		value = joined(ctx, v, diags)
	}
	if value == "" {
		return nil
	}
	return []string{f.name() + "=" + value}
}

func joined(ctx context.Context, v types.Map, diags *diag.Diagnostics) string {
	if v.IsNull() || v.IsUnknown() {
		return ""
	}
	m := map[string]string{}
	diags.Append(v.ElementsAs(ctx, &m, false)...)
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, ",")
}

// validate refuses what the flag cannot say: lists are separated by commas.
func (f flag) validate(ctx context.Context, g getter, diags *diag.Diagnostics) {
	at := path.Root(f.attribute)
	var found map[string]attr.Value
	switch f.kind {
	case pairs:
		var v types.Map
		diags.Append(g.GetAttribute(ctx, at, &v)...)
		found = v.Elements()
	case texts:
		var v types.List
		diags.Append(g.GetAttribute(ctx, at, &v)...)
		found = map[string]attr.Value{}
		for i, e := range v.Elements() {
			found[strconv.Itoa(i)] = e
		}
	case text, number, yes:
	}
	for k, e := range found {
		s, ok := e.(types.String)
		if ok && strings.Contains(s.ValueString(), ",") || strings.Contains(k, ",") {
			diags.AddAttributeError(at, "A comma", fmt.Sprintf("%s has %q: eksctl separates by commas what it gets by %s; leave it out.", f.attribute, s.ValueString(), f.name()))
		}
	}
}
