package eksctl

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/norikae/norikae/internal/eksctl"
	"github.com/norikae/norikae/internal/provider/connection"
)

// clusterModel is eksctl_cluster.
type clusterModel struct {
	ID             types.String   `tfsdk:"id"`
	Region         types.String   `tfsdk:"region"`
	Profile        types.String   `tfsdk:"profile"`
	AssumeRole     types.List     `tfsdk:"assume_role"`
	Name           types.String   `tfsdk:"name"`
	VPCID          types.String   `tfsdk:"vpc_id"`
	APIVersion     types.String   `tfsdk:"api_version"`
	Version        types.String   `tfsdk:"version"`
	Tags           types.Map      `tfsdk:"tags"`
	Revision       types.Int64    `tfsdk:"revision"`
	EksctlBin      types.String   `tfsdk:"eksctl_bin"`
	EksctlVersion  types.String   `tfsdk:"eksctl_version"`
	KubectlBin     types.String   `tfsdk:"kubectl_bin"`
	KubeconfigPath types.String   `tfsdk:"kubeconfig_path"`
	Spec           types.String   `tfsdk:"spec"`
	Drain          types.Map      `tfsdk:"drain_node_groups"`
	Manifests      types.List     `tfsdk:"manifests"`
	Mappings       types.Set      `tfsdk:"iam_identity_mapping"`
	Readiness      types.List     `tfsdk:"pods_readiness_check"`
	Deletions      types.List     `tfsdk:"kubernetes_resource_deletion_before_destroy"`
	Attachments    types.List     `tfsdk:"alb_attachment"`
	Auth           types.Set      `tfsdk:"aws_auth_configmap"`
	Output         types.String   `tfsdk:"output"`
	IssuerURL      types.String   `tfsdk:"oidc_provider_url"`
	ProviderARN    types.String   `tfsdk:"oidc_provider_arn"`
	SecurityGroups types.List     `tfsdk:"security_group_ids"`
	NodeGroups     types.Set      `tfsdk:"node_groups"`
	ClusterConfig  types.String   `tfsdk:"cluster_config"`
	Unfinished     types.List     `tfsdk:"unfinished"`
	Timeouts       timeouts.Value `tfsdk:"timeouts"`
}

// mapping is the block iam_identity_mapping.
type mapping struct {
	ARN      string   `tfsdk:"iamarn"`
	Username string   `tfsdk:"username"`
	Groups   []string `tfsdk:"groups"`
}

func mappingType() types.ObjectType {
	return types.ObjectType{AttrTypes: map[string]attr.Type{
		"iamarn": types.StringType, "username": types.StringType, "groups": types.ListType{ElemType: types.StringType},
	}}
}

// same tells whether two mappings give the same access.
func (m mapping) same(o mapping) bool {
	a, b := slices.Sorted(slices.Values(m.Groups)), slices.Sorted(slices.Values(o.Groups))
	return m.ARN == o.ARN && m.Username == o.Username && slices.Equal(a, b)
}

type readiness struct {
	Namespace  string            `tfsdk:"namespace"`
	Labels     map[string]string `tfsdk:"labels"`
	TimeoutSec types.Int64       `tfsdk:"timeout_sec"`
}

type deletion struct {
	Namespace string `tfsdk:"namespace"`
	Kind      string `tfsdk:"kind"`
	Name      string `tfsdk:"name"`
}

func (m *clusterModel) connection(ctx context.Context, diags *diag.Diagnostics) connection.Connection {
	c, _, d := connection.Model{Region: m.Region, Profile: m.Profile, AssumeRole: m.AssumeRole}.Connection(ctx)
	diags.Append(d...)
	return c
}

func (m *clusterModel) program() program {
	return program{bin: orDefault(m.EksctlBin, "eksctl"), version: m.EksctlVersion.ValueString()}
}

// known tells whether what the ClusterConfig is made of is known, but for the version.
func (m *clusterModel) known(ctx context.Context) bool {
	for _, v := range []attr.Value{m.Name, m.Region, m.APIVersion, m.VPCID, m.Tags, m.Spec} {
		if raw, err := v.ToTerraformValue(ctx); err != nil || !raw.IsFullyKnown() {
			return false
		}
	}
	return true
}

// generate the ClusterConfig with this version of Kubernetes; "": none.
func (m *clusterModel) generate(ctx context.Context, version string, diags *diag.Diagnostics) (*eksctl.Config, error) {
	tags := map[string]string{}
	if !m.Tags.IsNull() {
		diags.Append(m.Tags.ElementsAs(ctx, &tags, false)...)
	}
	return eksctl.Generate(eksctl.Cluster{
		Name: m.Name.ValueString(), Region: m.Region.ValueString(), APIVersion: m.APIVersion.ValueString(), Version: version,
		VPCID: m.VPCID.ValueString(), Tags: tags, Spec: m.Spec.ValueString(),
	})
}

// declared is the ClusterConfig that cluster_config shows: it has the version only where
// the user gave one.
func (m *clusterModel) declared(ctx context.Context, diags *diag.Diagnostics) (*eksctl.Config, error) {
	with, err := m.generate(ctx, m.Version.ValueString(), diags)
	if err == nil && with.YAML == m.ClusterConfig.ValueString() {
		return with, nil
	}
	if without, err := m.generate(ctx, "", diags); err == nil && without.YAML == m.ClusterConfig.ValueString() {
		return without, nil
	}
	return with, err
}

func (m *clusterModel) mappings(ctx context.Context, diags *diag.Diagnostics) []mapping {
	return elements[mapping](ctx, m.Mappings, diags)
}

// list is what lists and sets have in common.
type list interface {
	attr.Value
	ElementsAs(ctx context.Context, target any, allowUnhandled bool) diag.Diagnostics
}

// elements of a list or set; none when it is null or unknown.
func elements[T any](ctx context.Context, l list, diags *diag.Diagnostics) []T {
	if l.IsNull() || l.IsUnknown() {
		return nil
	}
	var out []T
	diags.Append(l.ElementsAs(ctx, &out, false)...)
	return out
}

func stringSet(ctx context.Context, s []string, diags *diag.Diagnostics) types.Set {
	if s == nil {
		s = []string{}
	}
	v, d := types.SetValueFrom(ctx, types.StringType, s)
	diags.Append(d...)
	return v
}

func stringList(ctx context.Context, s []string, diags *diag.Diagnostics) types.List {
	if s == nil {
		s = []string{}
	}
	v, d := types.ListValueFrom(ctx, types.StringType, s)
	diags.Append(d...)
	return v
}

func mappingSet(ctx context.Context, m []mapping, diags *diag.Diagnostics) types.Set {
	if m == nil {
		m = []mapping{}
	}
	v, d := types.SetValueFrom(ctx, mappingType(), m)
	diags.Append(d...)
	return v
}

func orDefault(s basetypes.StringValue, d string) string {
	if v := s.ValueString(); v != "" {
		return v
	}
	return d
}
