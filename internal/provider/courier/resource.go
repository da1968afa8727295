package courier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/arn"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/provider/connection"
	"github.com/norikae/norikae/internal/traffic"
)

// courier is the resource of one kind of route; M is its model.
type courier[M any, P interface {
	*M
	model
}] struct {
	kind     kind
	importer func(id string) (map[string]attr.Value, error)
	data     *Data // nil: the provider is not configured
}

// defaultDelete bounds a destroy, which is a few calls.
const defaultDelete = 5 * time.Minute

func (c *courier[M, P]) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_" + c.kind.name
}

func (c *courier[M, P]) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = c.kind.schema(ctx)
}

func (c *courier[M, P]) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	c.data = configured(req.ProviderData, &resp.Diagnostics)
}

func configured(data any, diags *diag.Diagnostics) *Data {
	if data == nil {
		return nil // validation needs no provider
	}
	s, ok := data.(Source)
	if !ok {
		diags.AddError("Provider not usable", fmt.Sprintf("The provider passes a %T, which knows nothing of couriers. This is a bug in the provider.", data))
		return nil
	}
	d := s.Courier()
	return &d
}

// ready tells whether the provider is configured.
func (c *courier[M, P]) ready(diags *diag.Diagnostics) bool {
	if c.data == nil || c.data.Shifts == nil {
		diags.AddError("Provider not configured", "The provider was not configured before this resource was used. This is a bug in the provider.")
		return false
	}
	return true
}

// connect says where AWS is: what m says, then the route's own region, then the provider.
func (c *courier[M, P]) connect(ctx context.Context, m P, diags *diag.Diagnostics) connection.Connection {
	own, _, more := m.base().Connection(ctx)
	diags.Append(more...)
	return own.Or(connection.Connection{Region: regionOf(m.found())}).Or(c.data.Connection)
}

// regionOf a route that is named by an ARN; "" of others.
func regionOf(r v1alpha1.Route) string {
	switch {
	case r.ALB != nil:
		return arn.Region(cmp.Or(r.ALB.RuleARN, r.ALB.ListenerARN))
	case r.NLB != nil:
		return arn.Region(r.NLB.ListenerARN)
	}
	return ""
}

func (c *courier[M, P]) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	m := P(new(M))
	resp.Diagnostics.Append(req.Config.Get(ctx, m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	own, _, diags := m.base().Connection(ctx)
	resp.Diagnostics.Append(diags...)
	ts, metrics, diags := convert(m, own)
	resp.Diagnostics.Append(diags...)
	for _, d := range explain(ctx, req.Config, manifest.Validate(ts), metrics) {
		at, ok := d.(diag.DiagnosticWithPath)
		if ok && hasErrorAt(resp.Diagnostics, at.Path()) {
			continue // said already
		}
		resp.Diagnostics.Append(d)
	}
	if b := ts.Spec.Analysis.Builtin; m.base().Builtin.IsNull() && b != nil && !resp.Diagnostics.HasError() {
		resp.Diagnostics.AddWarning("Nothing measures this shift", unmeasured)
	}
}

// unmeasured is said of a courier of a name that nothing measures, as in the old
// provider's files.
const unmeasured = "Route 53 has no metrics of what it sends where, and no metric is declared. So each step is held for its time and looks at the records themselves, at their health checks, where they have some, and at whether Route 53 has the change in force everywhere; errors and latency stop nothing.\n" +
	"Where the records are aliases of Application Load Balancers, give every destination its load_balancer_arn: their metrics then judge each step. Or add a cloudwatch_metric, datadog_metric or prometheus_metric block. If this is what you want, say builtin_analysis = false."

func hasErrorAt(diags diag.Diagnostics, at path.Path) bool {
	for _, d := range diags.Errors() {
		if p, ok := d.(diag.DiagnosticWithPath); ok && p.Path().Equal(at) {
			return true
		}
	}
	return false
}

func (c *courier[M, P]) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	m := P(new(M))
	resp.Diagnostics.Append(req.State.Get(ctx, m)...)
	if resp.Diagnostics.HasError() || !c.ready(&resp.Diagnostics) || connection.Unread(c.data.Known, &resp.Diagnostics) {
		return
	}
	r, err := c.read(ctx, m, &resp.Diagnostics)
	switch {
	case errors.Is(err, fault.ErrNotFound):
		resp.State.RemoveResource(ctx)
		return
	case err != nil:
		resp.Diagnostics.AddError("Reading the weights failed", fmt.Sprintf("%s: %s.", m.address(), err))
		return
	}
	c.refresh(m, r)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

func (c *courier[M, P]) read(ctx context.Context, m P, diags *diag.Diagnostics) (Reading, error) {
	conn := c.connect(ctx, m, diags)
	if diags.HasError() {
		return Reading{}, errors.New("where AWS is cannot be said")
	}
	r, err := c.data.Shifts.Read(ctx, conn, m.found())
	if err == nil && !r.Live.Exists {
		err = fmt.Errorf("nothing is there: %w", fault.ErrNotFound)
	}
	return r, err
}

// refresh makes a state what is live.
func (c *courier[M, P]) refresh(m P, r Reading) {
	m.take(r)
	s := m.base()
	s.Destinations = c.kind.destinationsAt(s.Destinations, r.Live.Split)
	s.LiveWeights = weightsOf(r.Live.Split)
	s.Unfinished = types.StringNull()
	if u := r.Unfinished; u != nil {
		s.Unfinished = types.StringValue(fmt.Sprintf("shift %q, started %s", u.Name, u.Started.UTC().Format(time.RFC3339)))
	}
}

func weightsOf(s traffic.Split) types.Map {
	weights := map[string]attr.Value{}
	for _, w := range s {
		weights[w.ID] = types.Int64Value(int64(w.Weight))
	}
	return types.MapValueMust(types.Int64Type, weights)
}

// destinationsAt gives the destinations of a state the weights that are live. One that
// the state does not know is added, so that it shows.
func (k kind) destinationsAt(before types.List, live traffic.Split) types.List {
	attrs := k.destinationTypes()
	seen := map[string]bool{}
	var out []attr.Value
	for _, b := range blocks(before) {
		id := b.text(k.id)
		seen[id] = true
		values := map[string]attr.Value{}
		for name, t := range attrs {
			if values[name] = b[name]; b[name] == nil {
				values[name] = nullOf(t)
			}
		}
		values["weight"] = types.Int64Value(int64(live.Weight(id)))
		out = append(out, types.ObjectValueMust(attrs, values))
	}
	for _, w := range live {
		if seen[w.ID] || k.keepsUndeclared && w.Weight == 0 && len(seen) > 0 {
			continue
		}
		values := map[string]attr.Value{k.id: types.StringValue(w.ID), "weight": types.Int64Value(int64(w.Weight))}
		if k.balancers {
			values["load_balancer_arn"] = types.StringNull()
		}
		out = append(out, types.ObjectValueMust(attrs, values))
	}
	return types.ListValueMust(types.ObjectType{AttrTypes: attrs}, out)
}

func (k kind) destinationTypes() map[string]attr.Type {
	attrs := map[string]attr.Type{k.id: types.StringType, "weight": types.Int64Type}
	if k.balancers {
		attrs["load_balancer_arn"] = types.StringType
	}
	return attrs
}

func nullOf(t attr.Type) attr.Value {
	if t.Equal(types.Int64Type) {
		return types.Int64Null()
	}
	return types.StringNull()
}

func (c *courier[M, P]) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	m := P(new(M))
	resp.Diagnostics.Append(req.State.Get(ctx, m)...)
	if resp.Diagnostics.HasError() || !c.ready(&resp.Diagnostics) {
		return
	}
	conn := c.connect(ctx, m, &resp.Diagnostics)
	limit, diags := m.base().Timeouts.Delete(ctx, defaultDelete)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := c.data.Shifts.Destroy(ctx, conn, m.found(), DestroyOptions{Force: m.forced(), Owned: true})
	if err != nil && !errors.Is(err, fault.ErrNotFound) {
		resp.Diagnostics.AddError("Not destroyed", fmt.Sprintf("%s: %s.\nA rule that carries traffic is deleted only when force_destroy = true was applied before. To keep the rule and forget this resource, use terraform state rm.", m.address(), err))
	}
}

func (c *courier[M, P]) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	if !c.ready(&resp.Diagnostics) || connection.Unasked(c.data.Known, &resp.Diagnostics) {
		return
	}
	values, err := c.importer(req.ID)
	if err != nil {
		resp.Diagnostics.AddError("Nothing to import by this ID", err.Error())
		return
	}
	values["id"] = types.StringValue(req.ID)
	for name, v := range values {
		resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root(name), v)...)
	}
}
