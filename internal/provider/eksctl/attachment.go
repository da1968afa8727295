package eksctl

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/internal/eksctl"
)

// attachmentName is a block of the older provider. It made a target group, attached a node
// group to it, and wrote a listener rule with weights: traffic moved because a cluster was
// made, and nobody judged whether that was good. Here each of the three has its own
// resource; the block is known so that its users are told which.
const attachmentName = "alb_attachment"

func attachmentBlock() schema.Block {
	const instead = "Not supported: use "
	text := func(name string) schema.Attribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: instead + name + "."}
	}
	number := func(name string) schema.Attribute {
		return schema.Int64Attribute{Optional: true, MarkdownDescription: instead + name + "."}
	}
	set := func(name string) schema.Attribute {
		return schema.SetAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: instead + name + "."}
	}
	const courier = " of an `eksctl_courier_alb`"
	return schema.ListNestedBlock{
		MarkdownDescription: "Not supported, and refused with the way to go instead: an `aws_lb_target_group`, `targetGroupARNs` of the node group in `spec`, " +
			"and an `eksctl_courier_alb`, which moves traffic in judged steps.",
		DeprecationMessage: "Use an aws_lb_target_group, targetGroupARNs in spec and an eksctl_courier_alb.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"node_group_name": schema.StringAttribute{Required: true, MarkdownDescription: "Name of a node group of `spec`."},
			"listener_arn":    text("`listener_arn`" + courier),
			"weight":          number("`weight` in a `destination`" + courier),
			"protocol":        text("`protocol` of an `aws_lb_target_group`"),
			"node_port":       number("`port` of an `aws_lb_target_group`"),
			"pod_labels":      schema.MapAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: instead + "a `TargetGroupBinding` of the AWS Load Balancer Controller."},
			"priority":        number("`priority`" + courier),
			"hosts":           set("`hosts`" + courier), "methods": set("`methods`" + courier),
			"path_patterns": set("`path_patterns`" + courier), "source_ips": set("`source_ips`" + courier),
			"headers":      schema.MapAttribute{Optional: true, ElementType: types.ListType{ElemType: types.StringType}, MarkdownDescription: instead + "`headers`" + courier + "."},
			"querystrings": schema.MapAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: instead + "`querystrings`" + courier + "."},
		}},
	}
}

// attachment is what of the block says what to do instead.
type attachment struct {
	NodeGroup types.String `tfsdk:"node_group_name"`
	Listener  types.String `tfsdk:"listener_arn"`
	Weight    types.Int64  `tfsdk:"weight"`
	Protocol  types.String `tfsdk:"protocol"`
	NodePort  types.Int64  `tfsdk:"node_port"`
	PodLabels types.Map    `tfsdk:"pod_labels"`
	Priority  types.Int64  `tfsdk:"priority"`
	Hosts     types.Set    `tfsdk:"hosts"`
	Methods   types.Set    `tfsdk:"methods"`
	Paths     types.Set    `tfsdk:"path_patterns"`
	SourceIPs types.Set    `tfsdk:"source_ips"`
	Headers   types.Map    `tfsdk:"headers"`
	Query     types.Map    `tfsdk:"querystrings"`
}

// refuseAttachments says of each block what does its work. cfg is nil while spec is not
// known.
func (m *clusterModel) refuseAttachments(ctx context.Context, cfg *eksctl.Config, diags *diag.Diagnostics) {
	for i, a := range elements[attachment](ctx, m.Attachments, diags) {
		diags.AddAttributeError(path.Root(attachmentName).AtListIndex(i), "A cluster attaches itself to no load balancer", a.instead(cfg))
	}
}

// instead is the way without the block.
func (a attachment) instead(cfg *eksctl.Config) string {
	group := or(a.NodeGroup.ValueString(), "NAME")
	attach := fmt.Sprintf("the node group in spec: under nodeGroups, in that of name %q: targetGroupARNs: [its ARN]. A managed node group cannot have that: "+
		"for one, an aws_autoscaling_attachment, or a TargetGroupBinding of the AWS Load Balancer Controller", group)
	if cfg != nil {
		for _, n := range cfg.NodeGroups {
			switch {
			case n.Name != group:
			case n.Managed:
				attach = fmt.Sprintf("an aws_autoscaling_attachment for the Auto Scaling group of %q, which is a managed node group and can have no targetGroupARNs in spec; "+
					"or a TargetGroupBinding of the AWS Load Balancer Controller", group)
			default:
				attach = fmt.Sprintf("the node group in spec: nodeGroups: [{name: %s, targetGroupARNs: [its ARN], …}]", group)
			}
		}
	}
	port := "NODE_PORT"
	if !a.NodePort.IsNull() && !a.NodePort.IsUnknown() {
		port = fmt.Sprint(a.NodePort.ValueInt64())
	}
	weight := "WEIGHT"
	if !a.Weight.IsNull() && !a.Weight.IsUnknown() {
		weight = fmt.Sprint(a.Weight.ValueInt64())
	}
	return fmt.Sprintf("This resource makes no target group and no listener rule, so that no traffic moves unjudged because a cluster is made. In place of this block:\n\n"+
		"1. an aws_lb_target_group: port = %s, protocol = %q, vpc_id = that of the cluster;\n"+
		"2. %s;\n"+
		"3. an eksctl_courier_alb: listener_arn = %q, its priority and conditions, and destination { target_group_arn = the group's ARN, weight = %s }.",
		port, strings.ToUpper(or(a.Protocol.ValueString(), "HTTP")), attach, or(a.Listener.ValueString(), "LISTENER_ARN"), weight)
}
