package eksctl

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/provider/connection"
)

type serviceAccountResource struct{ base }

func newServiceAccount() resource.Resource { return &serviceAccountResource{} }

var (
	_ resource.ResourceWithConfigure   = (*serviceAccountResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*serviceAccountResource)(nil)
	_ resource.ResourceWithImportState = (*serviceAccountResource)(nil)
)

var (
	objectName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	policyARN  = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(aws|[0-9]{12}):policy/.+$`)
)

// Metadata implements resource.Resource.
func (r *serviceAccountResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_iamserviceaccount"
}

// Configure implements resource.ResourceWithConfigure.
func (r *serviceAccountResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.configure(req.ProviderData, &resp.Diagnostics)
}

// Schema implements resource.Resource.
func (r *serviceAccountResource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	replace := []planmodifier.String{stringplanmodifier.RequiresReplace()}
	resp.Schema = schema.Schema{
		Version:             stateVersion,
		MarkdownDescription: "A Kubernetes service account and the IAM role that its pods act as, made by `eksctl create iamserviceaccount`.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{Computed: true, MarkdownDescription: "Cluster, namespace and name, with / between.", PlanModifiers: keepString()},
			"namespace": schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString("default"), PlanModifiers: replace,
				MarkdownDescription: "Namespace of the service account. Default: `default`. Another one makes another service account.",
				Validators:          matches(objectName, "a namespace: lower-case letters, digits and -"),
			},
			"name": schema.StringAttribute{
				Required: true, PlanModifiers: replace, MarkdownDescription: "Name of the service account. Another one makes another service account.",
				Validators: matches(objectName, "1–253 lower-case letters, digits, - and ."),
			},
			"region": schema.StringAttribute{
				Optional: true, Computed: true, PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown(), stringplanmodifier.RequiresReplace()},
				MarkdownDescription: "AWS region of the cluster. Default: the provider's, then `AWS_DEFAULT_REGION`, then `AWS_REGION`. Another one makes another service account.",
			},
			"profile": unsetString("Profile of the shared AWS configuration files. Default: the provider's, then `AWS_PROFILE`."),
			"cluster": schema.StringAttribute{
				Required: true, PlanModifiers: replace, Validators: matches(clusterName, nameText),
				MarkdownDescription: "Name of the cluster. Another one makes another service account.",
			},
			"override_existing_serviceaccounts": schema.BoolAttribute{
				Optional: true, Computed: true, PlanModifiers: []planmodifier.Bool{connection.UnsetBool(), replaceBool()},
				MarkdownDescription: "Takes over a service account that exists without a role. Default: `false`. A change makes another service account.",
			},
			"attach_policy_arn": schema.StringAttribute{
				Required: true, PlanModifiers: []planmodifier.String{replaceString()}, Validators: matches(policyARN, "the ARN of a managed policy, arn:PARTITION:iam::ACCOUNT:policy/NAME"),
				MarkdownDescription: "ARN of the managed policy that the role gets. Another one makes another service account.",
			},
			"output": output(),
		},
		Blocks: map[string]schema.Block{
			connection.Block: connection.ResourceBlock(),
			"timeouts": timeouts.Block(ctx, timeouts.Opts{
				Create: true, Delete: true,
				CreateDescription: "How long creating may take, such as `30m`. Default: `60m`.",
				DeleteDescription: "How long deleting may take, such as `30m`. Default: `60m`.",
			}),
		},
	}
}

// ModifyPlan implements resource.ResourceWithModifyPlan.
func (r *serviceAccountResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	r.planRegion(ctx, req, resp)
	planImported(ctx, req, resp)
}

// names of the service account, as flags.
func (sub subject) flags(namespace string) []string {
	return []string{"--cluster=" + sub.cluster, "--namespace=" + namespace, "--name=" + sub.name, "--region=" + sub.region}
}

// Create implements resource.Resource.
func (r *serviceAccountResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	sub := r.subject(ctx, req.Plan, &resp.Diagnostics)
	var namespace, policy types.String
	var override types.Bool
	for at, v := range map[string]any{"namespace": &namespace, "attach_policy_arn": &policy, "override_existing_serviceaccounts": &override} {
		resp.Diagnostics.Append(req.Plan.GetAttribute(ctx, path.Root(at), v)...)
	}
	timeout := timeoutOf(ctx, req.Plan, "create", &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	run, cancel := bounded(ctx, timeout)
	defer cancel()
	args := append([]string{"create", "iamserviceaccount"}, sub.flags(namespace.ValueString())...)
	args = append(args, "--attach-policy-arn="+policy.ValueString(), "--approve")
	if override.ValueBool() {
		args = append(args, "--override-existing-serviceaccounts")
	}
	s := sub.session
	if there, err := sub.account(run, namespace.ValueString()); err != nil {
		resp.Diagnostics.AddError("The service accounts cannot be looked at", why(err, "create")+"\n\nNothing was made: there may be one of that name.")
		return
	} else if there {
		resp.Diagnostics.AddAttributeError(path.Root("name"), "The service account exists already", fmt.Sprintf(
			"eksctl made a service account %s/%s in the cluster %q. Nothing was done to it. Give this one another name, or take that one over:\n\n    terraform import eksctl_iamserviceaccount.NAME %s/%s/%s/%s",
			namespace.ValueString(), sub.name, sub.cluster, sub.region, sub.cluster, namespace.ValueString(), sub.name))
		return
	}
	err := s.run(run, "", append(args, "--timeout="+timeout.String(), "--color=false")...)
	said := s.said()
	look, done := afterwards(ctx)
	defer done()
	there, e := sub.account(look, namespace.ValueString())
	switch missing := e == nil && !there; {
	case err != nil && missing:
		resp.Diagnostics.AddError("The service account could not be created", fmt.Sprintf(
			"%s\n\nA CloudFormation stack of it may be left, which blocks another try. Take it away:\n\n    eksctl delete iamserviceaccount --cluster %s --region %s --namespace %s --name %s",
			why(err, "create"), sub.cluster, sub.region, namespace.ValueString(), sub.name))
		return
	case missing:
		resp.Diagnostics.AddError("The service account was not made", fmt.Sprintf(
			"eksctl reported success and made no role: it leaves out a service account that exists in Kubernetes already. Nothing was done to %s/%s. Give this one another name, or set override_existing_serviceaccounts = true, and it gets the role.",
			namespace.ValueString(), sub.name))
		return
	case err != nil:
		resp.Diagnostics.AddError("The service account is not complete", why(err, "create")+
			"\n\nIt is in the state, marked as tainted: the next apply deletes it and makes it again.")
	}
	resp.State.Raw = req.Plan.Raw
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), sub.cluster+"/"+namespace.ValueString()+"/"+sub.name)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("output"), said)...)
}

// Read implements resource.Resource. The service account goes with its cluster; whether
// it is there itself cannot be seen without CloudFormation.
func (r *serviceAccountResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	sub := r.subject(ctx, req.State, &resp.Diagnostics)
	if resp.Diagnostics.HasError() || r.unread(&resp.Diagnostics) {
		return
	}
	if _, err := sub.session.config.Clusters.Describe(ctx, sub.session.conn, sub.cluster); err != nil {
		gone(ctx, err, resp)
	}
}

// Update implements resource.Resource: only the connection can change.
func (r *serviceAccountResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	takeDeclared(ctx, req, resp)
}

// Delete implements resource.Resource.
func (r *serviceAccountResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	sub := r.subject(ctx, req.State, &resp.Diagnostics)
	var namespace types.String
	resp.Diagnostics.Append(req.State.GetAttribute(ctx, path.Root("namespace"), &namespace)...)
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
	args := append([]string{"delete", "iamserviceaccount"}, sub.flags(namespace.ValueString())...)
	if err := s.run(ctx, "", append(args, "--wait", "--timeout="+timeout.String(), "--color=false")...); err != nil {
		resp.Diagnostics.AddError("The service account could not be deleted", why(err, "delete"))
	}
}
