package helmfile

import (
	"context"
	"fmt"
	"maps"
	path_ "path"
	"regexp"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/internal/helmfile"
)

type releaseModel struct {
	shared
	Namespace     types.String `tfsdk:"namespace"`
	Name          types.String `tfsdk:"name"`
	Chart         types.String `tfsdk:"chart"`
	Version       types.String `tfsdk:"version"`
	Verify        types.Bool   `tfsdk:"verify"`
	Wait          types.Bool   `tfsdk:"wait"`
	Force         types.Bool   `tfsdk:"force"`
	Atomic        types.Bool   `tfsdk:"atomic"`
	CleanupOnFail types.Bool   `tfsdk:"cleanup_on_fail"`
	Timeout       types.Int64  `tfsdk:"timeout"`
	KubeContext   types.String `tfsdk:"kubecontext"`
}

func (m *releaseModel) versions() versions { return versions{helm: m.HelmVersion.ValueString()} }

func (m *releaseModel) spec(ctx context.Context, diags *diag.Diagnostics) helmfile.Spec {
	s := m.shared.spec(ctx, diags)
	s.KubeContext = m.KubeContext.ValueString()
	s.Release = &helmfile.Release{
		Name: m.Name.ValueString(), Namespace: m.Namespace.ValueString(), Chart: m.Chart.ValueString(), Version: m.Version.ValueString(),
		Verify: m.Verify.ValueBool(), Wait: m.Wait.ValueBool(), Force: m.Force.ValueBool(), Atomic: m.Atomic.ValueBool(),
		CleanupOnFail: m.CleanupOnFail.ValueBool(), Timeout: int(m.Timeout.ValueInt64()),
	}
	return s
}

type release struct{ object[*releaseModel] }

func newRelease(ports Ports, diffs *differences) resource.Resource {
	return &release{object[*releaseModel]{ports: ports, diffs: diffs, model: func() *releaseModel { return &releaseModel{} }}}
}

func (r *release) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "helmfile_release"
}

// nameForm is that of a DNS label, which helm wants of a release and Kubernetes of a namespace.
var nameForm = regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$`)

func (r *release) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	attrs := sharedAttributes()
	dns := stringvalidator.RegexMatches(nameForm, "want lower-case letters, digits, - and .")
	namespace := defaultString("default", "Namespace of the release; another one is another release.")
	namespace.PlanModifiers = []planmodifier.String{stringplanmodifier.RequiresReplace()}
	namespace.Validators = []validator.String{dns, stringvalidator.LengthAtMost(63)}
	name := optionalString("Name of the release, at most 53 characters; another one is another release. Default: the last part of `chart`.", dns, stringvalidator.LengthAtMost(53))
	name.PlanModifiers = []planmodifier.String{stringplanmodifier.UseStateForUnknown(), stringplanmodifier.RequiresReplaceIfConfigured()}
	maps.Copy(attrs, map[string]schema.Attribute{
		"namespace":       namespace,
		"name":            name,
		"chart":           schema.StringAttribute{Required: true, MarkdownDescription: "The chart: `REPOSITORY/NAME` of a repository that helm knows, `oci://…`, or a path from `working_directory`, such as `./charts/web`.", Validators: []validator.String{stringvalidator.LengthAtLeast(1)}},
		"version":         optionalString("Version of the chart, or a range of versions. Default: the newest."),
		"verify":          defaultBool(false, "Whether the chart's signature is verified."),
		"wait":            defaultBool(true, "Whether an apply waits until what was installed is ready."),
		"force":           defaultBool(false, "Whether resources are replaced where they cannot be updated."),
		"atomic":          defaultBool(true, "Whether a failed upgrade is rolled back, and a failed install taken away."),
		"cleanup_on_fail": defaultBool(true, "Whether a failed upgrade deletes what it made new."),
		"timeout":         optionalInt("Seconds that helm waits for one operation of Kubernetes, 0 or more. Default and 0: helm's own, 300.", int64validator.AtLeast(0)),
		"kubecontext":     optionalString("Context of the kubeconfig. Default: its current one."),
	})
	resp.Schema = schema.Schema{
		Version: stateVersion,
		MarkdownDescription: "One release of a chart. A plan shows what `helmfile diff` says as a warning, a change made by hand included, and never fails an apply when that says something else by then; an apply runs `helmfile apply`; a destroy uninstalls the release.\n\n" +
			"Import by namespace and name: `terraform import helmfile_release.x NAMESPACE/NAME`. The next plan shows an update, because the rest stands in the configuration; it says that `helmfile diff` shows no change when the release is as declared.",
		Attributes: attrs, Blocks: blocks(ctx),
	}
}

// ModifyPlan names a release that has no name after its chart, then shows what would change.
func (r *release) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	plan, config := r.read(ctx, &req.Plan, &resp.Diagnostics), r.read(ctx, &req.Config, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	// A new one without a name: "" of an older state is none either.
	if config.Name.IsNull() && plan.Name.ValueString() == "" && !plan.Chart.IsUnknown() {
		name := types.StringValue(path_.Base(plan.Chart.ValueString()))
		resp.Diagnostics.Append(req.Plan.SetAttribute(ctx, path.Root("name"), name)...)
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("name"), name)...)
	}
	r.object.ModifyPlan(ctx, req, resp)
}

func (r *release) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	namespace, name, ok := strings.Cut(req.ID, "/")
	if !ok || namespace == "" || name == "" || !nameForm.MatchString(namespace) || !nameForm.MatchString(name) {
		resp.Diagnostics.AddError("Not the name of a release", fmt.Sprintf("id = %q: want NAMESPACE/NAME, as `helm list --all-namespaces` shows them.", req.ID))
		return
	}
	for attribute, value := range map[string]string{"id": req.ID, "namespace": namespace, "name": name} {
		resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root(attribute), value)...)
	}
}

var (
	_ resource.ResourceWithModifyPlan  = (*release)(nil)
	_ resource.ResourceWithImportState = (*release)(nil)
)
