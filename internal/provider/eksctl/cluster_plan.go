package eksctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/internal/eksctl"
)

// specErrors puts what Generate found at the attribute spec.
func specErrors(diags *diag.Diagnostics, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			specErrors(diags, e)
		}
		return
	}
	diags.AddAttributeError(path.Root("spec"), "The spec cannot be used", err.Error()+".")
}

// ValidateConfig implements resource.ResourceWithValidateConfig. It calls nobody.
func (r *clusterResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m clusterModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	m.connection(ctx, &resp.Diagnostics)
	r.validateMappings(ctx, &m, &resp.Diagnostics)
	if m.Spec.IsUnknown() || m.Spec.IsNull() {
		m.refuseAttachments(ctx, nil, &resp.Diagnostics)
		return
	}
	// What is not known yet is taken from the spec, so that only the spec is judged.
	cfg, err := eksctl.Generate(eksctl.Cluster{
		Name: or(m.Name.ValueString(), "x"), Region: or(m.Region.ValueString(), "x"), APIVersion: m.APIVersion.ValueString(), Version: m.Version.ValueString(), Spec: m.Spec.ValueString(),
	})
	m.refuseAttachments(ctx, cfg, &resp.Diagnostics)
	if err != nil {
		if m.known(ctx) && !m.Region.IsNull() || !onlyMetadata(err) {
			specErrors(&resp.Diagnostics, err)
		}
		return
	}
	for _, w := range cfg.Warnings {
		resp.Diagnostics.AddAttributeWarning(path.Root("spec"), "Of the spec", w+".")
	}
	validateDrain(&m, cfg, &resp.Diagnostics)
	r.validateEntries(ctx, &m, cfg, &resp.Diagnostics)
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// onlyMetadata tells whether nothing but the metadata is wrong, which depends on values
// that may not be known yet.
func onlyMetadata(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(joined.Unwrap(), func(e error) bool { return !onlyMetadata(e) })
	}
	e, ok := errors.AsType[*eksctl.SpecError](err)
	return ok && strings.HasPrefix(e.Path, "metadata.")
}

func validateDrain(m *clusterModel, cfg *eksctl.Config, diags *diag.Diagnostics) {
	if m.Drain.IsUnknown() {
		return
	}
	for name := range m.Drain.Elements() {
		if !slices.Contains(cfg.Names(), name) {
			diags.AddAttributeError(path.Root("drain_node_groups").AtMapKey(name), "No such node group",
				fmt.Sprintf("%q is no node group of spec, which has %q.", name, cfg.Names()))
		}
	}
}

func (r *clusterResource) validateMappings(ctx context.Context, m *clusterModel, diags *diag.Diagnostics) {
	if raw, err := m.Mappings.ToTerraformValue(ctx); err != nil || !raw.IsFullyKnown() {
		return
	}
	seen := map[string]bool{}
	for _, x := range m.mappings(ctx, diags) {
		if seen[x.ARN] {
			diags.AddAttributeError(path.Root("iam_identity_mapping"), "A principal is mapped twice",
				fmt.Sprintf("%s has more than one mapping; an access entry holds one: put the groups together.", x.ARN))
		}
		seen[x.ARN] = true
	}
}

// validateEntries refuses mappings that a cluster without aws-auth cannot have.
func (r *clusterResource) validateEntries(ctx context.Context, m *clusterModel, cfg *eksctl.Config, diags *diag.Diagnostics) {
	if raw, err := m.Mappings.ToTerraformValue(ctx); err != nil || !raw.IsFullyKnown() || cfg.AuthMode != onlyEntries {
		return
	}
	for _, x := range m.mappings(ctx, diags) {
		if _, ok := x.entry(); !ok {
			diags.AddAttributeError(path.Root("iam_identity_mapping"), "No access entry can be that", upper(x.noEntry(cfg.AuthMode).Error())+".")
		}
	}
}

// ModifyPlan implements resource.ResourceWithModifyPlan.
func (r *clusterResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var config, plan clusterModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	var state *clusterModel
	if !req.State.Raw.IsNull() {
		state = &clusterModel{}
		resp.Diagnostics.Append(req.State.Get(ctx, state)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if state != nil && kept(ctx, req.Private, goneKey) { // what is left of it goes, and another is made
		state = nil
		resp.RequiresReplace = append(resp.RequiresReplace, path.Root("unfinished"))
	}
	if plan.Region.IsUnknown() && config.Region.IsNull() && r.data.known {
		region := r.region()
		if region == "" {
			resp.Diagnostics.AddAttributeError(path.Root("region"), "No region", "Set region here or on the provider, or AWS_DEFAULT_REGION in the environment.")
			return
		}
		plan.Region = types.StringValue(region)
	}
	if state != nil && !replaces(&plan, state, kept(ctx, req.Private, importedKey)) {
		planVersion(&config, state, &resp.Diagnostics)
	}
	r.planConfig(ctx, &config, &plan, state, &resp.Diagnostics)
	planUnfinished(ctx, &plan, state, &resp.Diagnostics)
	if state != nil {
		planUpdate(&plan, state)
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, &plan)...)
}

// replaces tells whether a plan makes another cluster: what attributes require is not
// known here yet. Right after an import some require none.
func replaces(plan, state *clusterModel, imported bool) bool {
	return !plan.Name.Equal(state.Name) || !plan.Region.Equal(state.Region) || !imported && (!plan.VPCID.Equal(state.VPCID) || !plan.Tags.Equal(state.Tags))
}

// planVersion allows what eksctl can do in place: one minor up.
func planVersion(config, state *clusterModel, diags *diag.Diagnostics) {
	want, live := config.Version.ValueString(), state.Version.ValueString()
	if want == "" || live == "" || want == live {
		return
	}
	w, l := minorOf(want), minorOf(live)
	switch {
	case w == l+1:
		diags.AddAttributeWarning(path.Root("version"), "The control plane will be upgraded", fmt.Sprintf(
			"From Kubernetes %s to %s, and only it: the nodes keep their version until their node groups are replaced under other names.", live, want))
	case w < l:
		diags.AddAttributeError(path.Root("version"), "No way back", fmt.Sprintf(
			"The cluster has Kubernetes %s, which eksctl cannot take back to %s. Set version = %q, or make another cluster and move the traffic to it.", live, want, live))
	default:
		diags.AddAttributeError(path.Root("version"), "More than one minor version at once", fmt.Sprintf(
			"The cluster has Kubernetes %s, and a control plane goes up one minor at a time. Set version = \"1.%d\" first, or make another cluster with %s and move the traffic to it.", live, l+1, want))
	}
}

// minorOf 1.33 is 33; -1 of what is no version.
func minorOf(v string) int {
	_, m, _ := strings.Cut(v, ".")
	n, err := strconv.Atoi(m)
	if err != nil {
		return -1
	}
	return n
}

// planConfig computes the ClusterConfig, and says what an update will and will not do.
func (r *clusterResource) planConfig(ctx context.Context, config, plan, state *clusterModel, diags *diag.Diagnostics) {
	if !plan.known(ctx) || config.Version.IsUnknown() {
		plan.ClusterConfig, plan.NodeGroups = types.StringUnknown(), types.SetUnknown(types.StringType)
		return
	}
	cfg, err := plan.generate(ctx, config.Version.ValueString(), diags)
	if err != nil {
		specErrors(diags, err)
		return
	}
	validateDrain(plan, cfg, diags)
	text := cfg.YAML
	if state != nil && config.Version.IsNull() { // the live version is no change of the config
		if with, err := plan.generate(ctx, state.Version.ValueString(), diags); err == nil && with.YAML == state.ClusterConfig.ValueString() {
			text = with.YAML
		}
	}
	plan.ClusterConfig = types.StringValue(text)
	plan.NodeGroups = stringSet(ctx, cfg.Names(), diags)
	if state == nil || state.Spec.IsNull() {
		return
	}
	before, err := state.generate(ctx, state.Version.ValueString(), &diag.Diagnostics{})
	if err != nil {
		return
	}
	planItems(eksctl.Compare(before, cfg), diags)
}

// planItems says what an update does with what is in the spec, and what it does not.
func planItems(d eksctl.Difference, diags *diag.Diagnostics) {
	warn := func(names []string, summary, format string) {
		if len(names) > 0 {
			diags.AddAttributeWarning(path.Root("spec"), summary, fmt.Sprintf(format, strings.Join(names, ", ")))
		}
	}
	warn(d.NodeGroups.Removed, "Node groups will be deleted", "%s: their nodes are drained and go. Groups that are new are made before.")
	warn(d.FargateProfiles.Removed, "Fargate profiles will be deleted", "%s: their pods go. Profiles and node groups that are new are made before.")
	warn(d.ServiceAccounts.Removed, "Service accounts will be deleted", "%s: with their IAM roles. Pods that run as them lose AWS.")
	warn(d.NodeGroups.Changed, "Node groups stay as they are",
		"%s: the definition changed, but eksctl changes no existing node group. Give it another name, and it is replaced.")
	warn(d.FargateProfiles.Changed, "Fargate profiles stay as they are",
		"%s: the definition changed, but EKS changes no existing Fargate profile. Give it another name, and it is replaced.")
	warn(d.ServiceAccounts.Changed, "Service accounts stay as they are",
		"%s: the definition changed, but an update changes no existing service account. Put cluster_config into a file and run "+
			"eksctl update iamserviceaccount -f FILE --approve, which changes the policies of their roles; or give it another name, and it is replaced.")
	warn(d.Ignored, "Some changes are not applied",
		"%s: this part of an existing cluster is not changed by an update. Change it with eksctl, or make another cluster and move the traffic to it.")
}

// planUpdate makes unknown what an update will find out.
func planUpdate(plan, state *clusterModel) {
	same := plan.Spec.Equal(state.Spec) && plan.NodeGroups.Equal(state.NodeGroups) && plan.Version.Equal(state.Version) &&
		plan.ClusterConfig.Equal(state.ClusterConfig) && plan.Mappings.Equal(state.Mappings) && plan.Drain.Equal(state.Drain) && plan.Manifests.Equal(state.Manifests) &&
		plan.Revision.Equal(state.Revision) && plan.Readiness.Equal(state.Readiness) && !state.isUnfinished()
	if same {
		return
	}
	plan.Output = types.StringUnknown()
	plan.Auth = types.SetUnknown(mappingType())
	plan.ProviderARN = types.StringUnknown()
	if plan.KubeconfigPath.IsNull() { // there was none yet
		plan.KubeconfigPath = types.StringUnknown()
	}
	if state.isUnfinished() { // AWS may have said nothing of these when it was made
		plan.IssuerURL, plan.SecurityGroups = types.StringUnknown(), types.ListUnknown(types.StringType)
		if plan.Version.IsNull() {
			plan.Version = types.StringUnknown()
		}
	}
}
