package eksctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/provider/connection"
)

type nodegroupResource struct{ base }

func newNodegroup() resource.Resource { return &nodegroupResource{} }

var (
	_ resource.ResourceWithConfigure      = (*nodegroupResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*nodegroupResource)(nil)
	_ resource.ResourceWithValidateConfig = (*nodegroupResource)(nil)
	_ resource.ResourceWithImportState    = (*nodegroupResource)(nil)
)

// Metadata implements resource.Resource.
func (r *nodegroupResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_nodegroup"
}

// Configure implements resource.ResourceWithConfigure.
func (r *nodegroupResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.configure(req.ProviderData, &resp.Diagnostics)
}

// Schema implements resource.Resource.
func (r *nodegroupResource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	replace := stringplanmodifier.RequiresReplace()
	attrs := map[string]schema.Attribute{
		"id": schema.StringAttribute{Computed: true, MarkdownDescription: "The cluster's name and the node group's, with a / between.", PlanModifiers: keepString()},
		"cluster": schema.StringAttribute{
			Required: true, MarkdownDescription: "Name of the cluster. Another one makes another node group.",
			PlanModifiers: []planmodifier.String{replace}, Validators: matches(clusterName, nameText),
		},
		"name": schema.StringAttribute{
			Required: true, MarkdownDescription: "Name of the node group: " + nameText + ". Another one makes another node group.",
			PlanModifiers: []planmodifier.String{replace}, Validators: matches(clusterName, nameText),
		},
		"region": schema.StringAttribute{
			Optional: true, Computed: true, PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown(), replace},
			MarkdownDescription: "AWS region of the cluster. Default: the provider's, then `AWS_DEFAULT_REGION`, then `AWS_REGION`. Another one makes another node group.",
		},
		"eksctl_version": versionAttribute(eksctlVersionText),
		"drain": schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(true),
			MarkdownDescription: "Drains the nodes before the node group is deleted. Default: `true`.",
		},
		"output": output(),
	}
	for _, f := range flags() {
		attrs[f.attribute] = f.schema()
	}
	resp.Schema = schema.Schema{
		Version:             stateVersion,
		MarkdownDescription: "A node group that `eksctl create nodegroup` makes. Each attribute is the flag of the same name.",
		Attributes:          attrs,
		Blocks: map[string]schema.Block{
			connection.Block: connection.ResourceBlock(),
			"timeouts": timeouts.Block(ctx, timeouts.Opts{
				Create: true, Delete: true,
				CreateDescription: "How long creating may take, such as `90m`. Default: `60m`.",
				DeleteDescription: "How long deleting may take, such as `90m`. Default: `60m`.",
			}),
		},
	}
}

// ValidateConfig implements resource.ResourceWithValidateConfig.
func (r *nodegroupResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	for _, f := range flags() {
		f.validate(ctx, req.Config, &resp.Diagnostics)
	}
	n := map[string]types.Int64{}
	for _, name := range []string{"nodes", "nodes_min", "nodes_max"} {
		var v types.Int64
		resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root(name), &v)...)
		if !v.IsNull() && !v.IsUnknown() {
			n[name] = v
		}
	}
	for _, pair := range [][2]string{{"nodes_min", "nodes"}, {"nodes", "nodes_max"}, {"nodes_min", "nodes_max"}} {
		low, ok := n[pair[0]]
		high, both := n[pair[1]]
		if ok && both && low.ValueInt64() > high.ValueInt64() {
			resp.Diagnostics.AddAttributeError(path.Root(pair[0]), "Numbers of nodes that do not fit", fmt.Sprintf(
				"%s = %d is more than %s = %d; nodes_min ≤ nodes ≤ nodes_max is needed.", pair[0], low.ValueInt64(), pair[1], high.ValueInt64()))
		}
	}
}

// ModifyPlan implements resource.ResourceWithModifyPlan.
func (r *nodegroupResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	r.planRegion(ctx, req, resp)
	planImported(ctx, req, resp)
}

// planRegion fills in the region of a new resource that has none.
func (b *base) planRegion(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var config, plan types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("region"), &config)...)
	resp.Diagnostics.Append(req.Plan.GetAttribute(ctx, path.Root("region"), &plan)...)
	if resp.Diagnostics.HasError() || !config.IsNull() || !plan.IsUnknown() || !b.data.known {
		return
	}
	region := b.region()
	if region == "" {
		resp.Diagnostics.AddAttributeError(path.Root("region"), "No region", "Set region here or on the provider, or AWS_DEFAULT_REGION in the environment.")
		return
	}
	resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("region"), region)...)
}

// subject is what the resources beside clusters have in common.
type subject struct {
	name, region, cluster string
	session               *session
}

func (b *base) subject(ctx context.Context, g getter, diags *diag.Diagnostics) subject {
	var name, region, cluster, version types.String
	var role types.List
	for at, v := range map[string]any{"name": &name, "region": &region, "cluster": &cluster, connection.Block: &role} {
		diags.Append(g.GetAttribute(ctx, path.Root(at), v)...)
	}
	_ = g.GetAttribute(ctx, path.Root("eksctl_version"), &version) // not all have it
	var profile types.String
	_ = g.GetAttribute(ctx, path.Root("profile"), &profile) // not all have it
	conn, _, d := connection.Model{Region: region, Profile: profile, AssumeRole: role}.Connection(ctx)
	diags.Append(d...)
	s := b.session(conn, program{bin: "eksctl", version: version.ValueString()})
	return subject{name: name.ValueString(), region: s.conn.Region, cluster: cluster.ValueString(), session: s}
}

// Create implements resource.Resource.
func (r *nodegroupResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	sub := r.subject(ctx, req.Plan, &resp.Diagnostics)
	args := r.createArgs(ctx, req.Plan, req.Config, sub, &resp.Diagnostics)
	timeout := timeoutOf(ctx, req.Plan, "create", &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	run, cancel := bounded(ctx, timeout)
	defer cancel()
	s := sub.session
	if there, err := sub.there(run); err != nil {
		resp.Diagnostics.AddError("The node groups cannot be looked at", why(err, "create")+"\n\nNothing was made: there may be one of that name.")
		return
	} else if there {
		resp.Diagnostics.AddAttributeError(path.Root("name"), "The node group exists already", fmt.Sprintf(
			"The cluster %q has a node group %q. Nothing was done to it. Give this one another name, or take that one over:\n\n    terraform import eksctl_nodegroup.NAME %s/%s/%s",
			sub.cluster, sub.name, sub.region, sub.cluster, sub.name))
		return
	}
	err := s.run(run, "", append(args, "--timeout="+timeout.String(), "--color=false")...)
	if err != nil {
		look, done := afterwards(ctx)
		defer done()
		if there, e := sub.there(look); e == nil && !there {
			resp.Diagnostics.AddError("The node group could not be created", fmt.Sprintf(
				"%s\n\nIt is not there now, but a CloudFormation stack of it may be left, which blocks another try. Take it away:\n\n    eksctl delete nodegroup --cluster %s --region %s --name %s",
				why(err, "create"), sub.cluster, sub.region, sub.name))
			return
		}
		resp.Diagnostics.AddError("The node group is not complete", why(err, "create")+
			"\n\nIt is in the state, marked as tainted: the next apply deletes it and makes it again.")
	}
	resp.State.Raw = req.Plan.Raw
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), sub.cluster+"/"+sub.name)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("output"), s.said())...)
}

// there tells whether the node group is there, whoever manages it: eksctl leaves one that
// is as it is, and says that all went well.
func (sub subject) there(ctx context.Context) (bool, error) {
	_, err := sub.session.config.Clusters.NodeGroup(ctx, sub.session.conn, sub.cluster, sub.name)
	if err == nil || !errors.Is(err, fault.ErrNotFound) {
		return err == nil, err
	}
	return sub.session.ownGroup(ctx, sub.cluster, sub.name, sub.region)
}

func (r *nodegroupResource) createArgs(ctx context.Context, plan, config getter, sub subject, diags *diag.Diagnostics) []string {
	args := []string{"create", "nodegroup", "--cluster=" + sub.cluster, "--name=" + sub.name, "--region=" + sub.region}
	for _, f := range flags() {
		args = append(args, f.args(ctx, plan, config, diags)...)
	}
	return args
}

// timeoutOf an operation, of the block timeouts.
func timeoutOf(ctx context.Context, g getter, operation string, diags *diag.Diagnostics) time.Duration {
	var v timeouts.Value
	diags.Append(g.GetAttribute(ctx, path.Root("timeouts"), &v)...)
	if diags.HasError() {
		return defaultTimeout
	}
	of := v.Create
	if operation == "delete" {
		of = v.Delete
	}
	d, more := of(ctx, defaultTimeout)
	diags.Append(more...)
	return d
}

// Read implements resource.Resource. Of a node group that EKS does not manage nothing can
// be seen without CloudFormation: it counts as there as long as its cluster is. One that
// EKS was seen to manage is gone when EKS does not know it any more.
func (r *nodegroupResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	sub := r.subject(ctx, req.State, &resp.Diagnostics)
	if resp.Diagnostics.HasError() || r.unread(&resp.Diagnostics) {
		return
	}
	s := sub.session
	if _, err := s.config.Clusters.Describe(ctx, s.conn, sub.cluster); err != nil {
		gone(ctx, err, resp)
		return
	}
	_, err := s.config.Clusters.NodeGroup(ctx, s.conn, sub.cluster, sub.name)
	switch {
	case err == nil:
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, managedKey, []byte("true"))...)
	case errors.Is(err, fault.ErrNotFound) && !kept(ctx, req.Private, managedKey) && !r.managed(ctx, req.State, &resp.Diagnostics):
	default:
		gone(ctx, err, resp)
	}
}

// managed tells whether the state says that EKS manages the node group.
func (r *nodegroupResource) managed(ctx context.Context, g getter, diags *diag.Diagnostics) bool {
	var v types.Bool
	diags.Append(g.GetAttribute(ctx, path.Root("managed"), &v)...)
	return v.ValueBool()
}

func gone(ctx context.Context, err error, resp *resource.ReadResponse) {
	if errors.Is(err, fault.ErrNotFound) {
		resp.State.RemoveResource(ctx)
		return
	}
	resp.Diagnostics.AddError("It cannot be read", why(err, "create"))
}

// Update implements resource.Resource: what can change without another node group is only
// how it will be deleted, and with what.
func (r *nodegroupResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	takeDeclared(ctx, req, resp)
}

// Delete implements resource.Resource.
func (r *nodegroupResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	sub := r.subject(ctx, req.State, &resp.Diagnostics)
	var drains types.Bool
	resp.Diagnostics.Append(req.State.GetAttribute(ctx, path.Root("drain"), &drains)...)
	timeout := timeoutOf(ctx, req.State, "delete", &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := bounded(ctx, timeout)
	defer cancel()
	s := sub.session
	if _, err := s.config.Clusters.Describe(ctx, s.conn, sub.cluster); errors.Is(err, fault.ErrNotFound) {
		return
	}
	drain := fmt.Sprintf("--drain=%t", drains.IsNull() || drains.ValueBool())
	err := s.run(ctx, "", "delete", "nodegroup", "--cluster="+sub.cluster, "--name="+sub.name, "--region="+sub.region, drain, "--wait", "--timeout="+timeout.String(), "--color=false")
	if err != nil {
		resp.Diagnostics.AddError("The node group could not be deleted", why(err, "delete"))
	}
}
