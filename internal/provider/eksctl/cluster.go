package eksctl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/internal/eksctl"
	"github.com/norikae/norikae/internal/fault"
)

// defaultTimeout of every operation on a cluster: eksctl makes one in 15–20 min, and
// CloudFormation has bad days.
const defaultTimeout = 60 * time.Minute

type clusterResource struct{ base }

func newCluster() resource.Resource { return &clusterResource{} }

var (
	_ resource.ResourceWithConfigure      = (*clusterResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*clusterResource)(nil)
	_ resource.ResourceWithValidateConfig = (*clusterResource)(nil)
	_ resource.ResourceWithImportState    = (*clusterResource)(nil)
)

// Metadata implements resource.Resource.
func (r *clusterResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_cluster"
}

// Configure implements resource.ResourceWithConfigure.
func (r *clusterResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.configure(req.ProviderData, &resp.Diagnostics)
}

// Create implements resource.Resource. A cluster that exists when creation fails stays in
// the state, so that it is not lost: tainted when eksctl failed, unfinished when what comes
// after it did.
func (r *clusterResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var m clusterModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	timeout, d := m.Timeouts.Create(ctx, defaultTimeout)
	resp.Diagnostics.Append(d...)
	conn := m.connection(ctx, &resp.Diagnostics)
	conn.Region = m.Region.ValueString()
	version := m.Version.ValueString()
	if resp.Diagnostics.HasError() {
		return
	}
	cfg, err := m.generate(ctx, version, &resp.Diagnostics)
	if err != nil {
		specErrors(&resp.Diagnostics, err)
		return
	}
	ctx, cancel := bounded(ctx, timeout)
	defer cancel()
	s := r.session(conn, m.program())
	name := m.Name.ValueString()
	switch c, err := s.config.Clusters.Describe(ctx, s.conn, name); {
	case err == nil:
		resp.Diagnostics.AddAttributeError(path.Root("name"), "The cluster exists already", taken(c, conn.Region, name))
		return
	case !errors.Is(err, fault.ErrNotFound):
		resp.Diagnostics.AddError("The cluster cannot be looked for", why(err, "create"))
		return
	}
	err = s.run(ctx, cfg.YAML, "create", "cluster", "-f", "-", "--write-kubeconfig=false", "--timeout", timeout.String(), "--color=false")
	if err != nil {
		r.halfMade(ctx, s, &m, cfg, err, resp)
		return
	}
	planned := m
	var later diag.Diagnostics
	if err = r.finish(ctx, s, &m, nil, &later); err != nil || later.HasError() {
		r.unfinished(ctx, s, &m, &planned, cfg, late(ctx, err), later, resp)
		return
	}
	resp.Diagnostics.Append(later...)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// taken says how to go on when there is a cluster of that name that is not in the state.
func taken(c Cluster, region, name string) string {
	wait := ""
	if c.Status == "CREATING" {
		wait = "once it is ACTIVE, "
	}
	return fmt.Sprintf("There is a cluster %q in %s (%s, %s), which is not in this state. Nothing was done to it. "+
		"If it is another one, give this one another name. If it is this one, whose apply was killed, or is to become this one: %stake it over, with this resource's address for NAME, "+
		"such as 'module.M.eksctl_cluster.NAME[\"KEY\"]' in a module and with for_each:\n\n    terraform import eksctl_cluster.NAME %s/%s\n\n"+
		"The apply after that does what is missing, and makes nothing anew.", name, region, c.ARN, c.Status, wait, region, name)
}

// halfMade tells what is there after an eksctl that failed, and keeps it in the state.
func (r *clusterResource) halfMade(ctx context.Context, s *session, m *clusterModel, cfg *eksctl.Config, cause error, resp *resource.CreateResponse) {
	look, cancel := afterwards(ctx)
	defer cancel()
	name, region := m.Name.ValueString(), m.Region.ValueString()
	c, err := s.config.Clusters.Describe(look, s.conn, name)
	if errors.Is(err, fault.ErrNotFound) {
		resp.Diagnostics.AddError("The cluster could not be created", fmt.Sprintf(
			"%s\n\nThere is no cluster %q in %s now, but CloudFormation stacks of it may be left, which block another try. Take them away:\n\n    eksctl delete cluster --name %s --region %s",
			why(cause, "create"), name, region, name, region))
		return
	}
	what := "the cluster exists and is " + c.Status
	if err != nil { // it may be there: it must not be lost
		what = "whether the cluster exists could not be seen (" + err.Error() + ")"
		c = Cluster{Name: name, Region: region}
	}
	r.observe(look, s, m, cfg, c, &resp.Diagnostics)
	m.Unfinished = stringList(look, reasonsOf(cause, nil), &resp.Diagnostics)
	m.settle()
	resp.Diagnostics.Append(resp.State.Set(look, m)...)
	resp.Diagnostics.AddError("The cluster is not complete", fmt.Sprintf(
		"%s\n\nOf %q in %s: %s. It is in the state, marked as tainted: the next apply deletes it and makes it again. "+
			"To keep it and have the next apply show an update, which does what is missing:\n\n    terraform untaint eksctl_cluster.NAME",
		why(cause, "create"), name, region, what))
}

// settle makes null what stayed unknown: a state has no unknown values.
func (m *clusterModel) settle() {
	for _, s := range []*types.String{
		&m.ID, &m.Region, &m.Profile, &m.VPCID, &m.APIVersion, &m.Version, &m.EksctlBin, &m.EksctlVersion, &m.KubectlBin,
		&m.KubeconfigPath, &m.Output, &m.IssuerURL, &m.ProviderARN, &m.ClusterConfig,
	} {
		if s.IsUnknown() {
			*s = types.StringNull()
		}
	}
	if m.Auth.IsUnknown() {
		m.Auth = types.SetNull(mappingType())
	}
	if m.SecurityGroups.IsUnknown() {
		m.SecurityGroups = types.ListNull(types.StringType)
	}
	if m.NodeGroups.IsUnknown() {
		m.NodeGroups = types.SetNull(types.StringType)
	}
	if m.Unfinished.IsUnknown() {
		m.Unfinished = types.ListValueMust(types.StringType, []attr.Value{})
	}
}

// Read implements resource.Resource.
func (r *clusterResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var m clusterModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	conn := m.connection(ctx, &resp.Diagnostics)
	conn.Region = m.Region.ValueString()
	if resp.Diagnostics.HasError() || r.unread(&resp.Diagnostics) {
		return
	}
	s := r.session(conn, m.program())
	m.Region = types.StringValue(s.conn.Region)
	c, err := s.config.Clusters.Describe(ctx, s.conn, m.Name.ValueString())
	if errors.Is(err, fault.ErrNotFound) {
		r.vanished(ctx, req, &m, resp)
		return
	}
	if err != nil {
		resp.Diagnostics.AddError("The cluster cannot be read", why(err, "create"))
		return
	}
	if c.Status == "DELETING" { // whoever deletes it may be killed, and leave stacks
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, deletingKey, []byte("true"))...)
	}
	if kept(ctx, req.Private, goneKey) { // somebody made it again
		m.Unfinished = stringList(ctx, nil, &resp.Diagnostics)
		forget(ctx, resp.Private, &resp.Diagnostics)
	}
	// An older provider's state has its default version where the configuration had none.
	cfg, err := m.generate(ctx, or(c.Version, m.Version.ValueString()), &resp.Diagnostics)
	if err != nil { // of an older provider, which took what is refused now: the plan says so
		cfg = &eksctl.Config{}
	} else if m.ClusterConfig.ValueString() == "" {
		m.ClusterConfig = types.StringValue(cfg.YAML)
	}
	r.observe(ctx, s, &m, cfg, c, &resp.Diagnostics)
	r.readMappings(ctx, s, &m, c, &resp.Diagnostics)
	r.keepKubeconfig(&m, Target{c, s.conn}, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	m.settle()
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// observe puts into m what is live.
func (r *clusterResource) observe(ctx context.Context, s *session, m *clusterModel, cfg *eksctl.Config, c Cluster, diags *diag.Diagnostics) {
	if m.ID.ValueString() == "" {
		m.ID = types.StringValue(c.Name)
	}
	if c.Version != "" {
		m.Version = types.StringValue(c.Version)
	}
	m.IssuerURL, m.ProviderARN = types.StringValue(c.Issuer), types.StringValue("")
	if cfg.OIDC {
		m.ProviderARN = types.StringValue(c.providerARN())
	}
	m.SecurityGroups = stringList(ctx, c.SecurityGroups, diags)
	if out := s.said(); out != "" || m.Output.IsUnknown() {
		m.Output = types.StringValue(out)
	}
	if c.ARN == "" {
		return
	}
	live, err := s.config.Clusters.NodeGroups(ctx, s.conn, c.Name)
	if err != nil {
		diags.AddError("The node groups cannot be listed", why(err, "create"))
		return
	}
	m.NodeGroups = stringSet(ctx, present(cfg, m.Spec.IsNull(), live), diags)
}

// present are the node groups of a ClusterConfig that exist, or all that are live when
// there is none, after an import. Of those that EKS does not manage nothing is known
// without CloudFormation: they count as there.
func present(cfg *eksctl.Config, imported bool, live []string) []string {
	if imported {
		return live
	}
	at := map[string]bool{}
	for _, n := range live {
		at[n] = true
	}
	var out []string
	for _, n := range cfg.NodeGroups {
		if !n.Managed || at[n.Name] {
			out = append(out, n.Name)
		}
	}
	return out
}

// ImportState implements resource.ResourceWithImportState: NAME, or REGION/NAME.
func (r *clusterResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	if r.unasked(&resp.Diagnostics) {
		return
	}
	region, name, ok := strings.Cut(req.ID, "/")
	if !ok {
		region, name = "", req.ID
	}
	if !clusterName.MatchString(name) {
		resp.Diagnostics.AddError("No cluster's name", fmt.Sprintf("%q: want NAME, or REGION/NAME, such as us-east-1/blue; a name has %s.", req.ID, nameText))
		return
	}
	if ok && !regionName.MatchString(region) {
		resp.Diagnostics.AddError("No region", fmt.Sprintf("%q: %q is no AWS region; want NAME or REGION/NAME, such as us-east-1/blue.", req.ID, region))
		return
	}
	if region == "" {
		region = r.region()
	}
	if region == "" {
		resp.Diagnostics.AddError("No region", fmt.Sprintf("%q says no region, and neither does the provider nor AWS_DEFAULT_REGION; import REGION/%s.", req.ID, name))
		return
	}
	for at, v := range map[string]string{
		"id": name, "name": name, "region": region, "api_version": eksctl.DefaultAPIVersion, "eksctl_bin": "eksctl", "kubectl_bin": "kubectl",
	} {
		setString(ctx, &resp.State, at, v, &resp.Diagnostics)
	}
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, importedKey, []byte("true"))...)
}

func setString(ctx context.Context, s *tfsdk.State, at, v string, diags *diag.Diagnostics) {
	diags.Append(s.SetAttribute(ctx, path.Root(at), v)...)
}

// region that clusters are in which do not say so.
func (b *base) region() string {
	if b.data == nil {
		return ""
	}
	if r := b.data.connection.Region; r != "" {
		return r
	}
	for _, name := range []string{"AWS_DEFAULT_REGION", "AWS_REGION"} {
		for _, kv := range b.data.config.Environ {
			if v, ok := strings.CutPrefix(kv, name+"="); ok && v != "" {
				return v
			}
		}
	}
	return ""
}
