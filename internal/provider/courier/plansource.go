package courier

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/provider/connection"
)

// planSource is eksctl_courier_plan: what a shift would write.
type planSource struct{ data *Data }

type planModel struct {
	connection.Model

	Manifest types.String `tfsdk:"manifest"`
	Settled  types.Bool   `tfsdk:"settled"`
	Steps    types.List   `tfsdk:"steps"`
	Blockers types.List   `tfsdk:"blockers"`
	Warnings types.List   `tfsdk:"warnings"`
	JSON     types.String `tfsdk:"json"`
}

func (*planSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_courier_plan"
}

func (*planSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	list := func(text string) schema.Attribute {
		return schema.ListAttribute{ElementType: types.StringType, Computed: true, MarkdownDescription: text}
	}
	attrs := map[string]schema.Attribute{
		"manifest": schema.StringAttribute{Required: true, MarkdownDescription: "A TrafficShift in YAML or JSON, such as a courier's `manifest`. Its `spec.aws` counts where this data source says nothing."},
		"settled":  schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether the declared weights are live, and nothing would be written."},
		"steps":    list("What would be written now, one line per write."),
		"blockers": list("Why the shift would refuse to start; empty when it would not."),
		"warnings": list("What people should know besides."),
		"json":     schema.StringAttribute{Computed: true, MarkdownDescription: "The whole plan, as `norikae plan -o json` prints it."},
	}
	maps.Copy(attrs, connection.DataSourceAttributes())
	resp.Schema = schema.Schema{
		MarkdownDescription: "What a shift would write now, without writing anything.", Attributes: attrs,
		Blocks: map[string]schema.Block{connection.Block: connection.DataSourceBlock()},
	}
}

func (p *planSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	p.data = configured(req.ProviderData, &resp.Diagnostics)
}

func (p *planSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m planModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if p.data == nil || p.data.Shifts == nil {
		resp.Diagnostics.AddError("Provider not configured", "The provider was not configured before this data source was used. This is a bug in the provider.")
	}
	if resp.Diagnostics.HasError() || connection.Unasked(p.data.Known, &resp.Diagnostics) {
		return
	}
	ts, err := manifest.Load("manifest", []byte(m.Manifest.ValueString()))
	if err != nil {
		resp.Diagnostics.AddAttributeError(path.Root("manifest"), "Invalid manifest", err.Error())
		return
	}
	own, _, diags := m.Connection(ctx)
	resp.Diagnostics.Append(diags...)
	sh, err := p.data.Shifts.Open(ctx, own.Or(declaredAWS(ts.Spec.AWS)).Or(p.data.Connection), ts)
	if err != nil {
		resp.Diagnostics.AddError("The shift cannot be planned", fmt.Sprintf("shift %q: %s.", ts.Metadata.Name, err))
		return
	}
	pv, err := sh.Preview(ctx)
	if err != nil {
		resp.Diagnostics.AddError("The shift cannot be planned", fmt.Sprintf("shift %q: %s.", ts.Metadata.Name, err))
		return
	}
	data, err := json.Marshal(pv)
	if err != nil {
		resp.Diagnostics.AddError("The plan cannot be written", err.Error())
		return
	}
	m.Settled, m.Steps = types.BoolValue(pv.Settled), stringList(namer(manifest.Names(ts)).writes(pv))
	m.Blockers, m.Warnings = stringList(pv.Blockers), stringList(distinctInOrder(pv.Warnings))
	m.JSON = types.StringValue(string(data))
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// declaredAWS is what a manifest says of AWS.
func declaredAWS(a v1alpha1.AWS) connection.Connection {
	c := connection.Connection{Region: a.Region, Profile: a.Profile}
	if r := a.AssumeRole; r != nil {
		c.AssumeRole = &connection.AssumeRole{RoleARN: r.RoleARN, ExternalID: r.ExternalID, SessionName: r.SessionName}
	}
	return c
}
