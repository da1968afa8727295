package courier_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/norikae/norikae/internal/provider/connection"
	"github.com/norikae/norikae/internal/provider/courier"
)

// tiny is a provider that lists the couriers and nothing else.
type tiny struct{ data courier.Data }

func (*tiny) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "eksctl"
}
func (*tiny) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}
func (p *tiny) Configure(_ context.Context, _ provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	resp.ResourceData, resp.DataSourceData = p.data, p.data
}
func (*tiny) Resources(context.Context) []func() resource.Resource { return courier.Resources() }
func (*tiny) DataSources(context.Context) []func() datasource.DataSource {
	return courier.DataSources()
}

// terraform does over the protocol what Terraform's core does for one resource.
type terraform struct {
	t      *testing.T
	server tfprotov6.ProviderServer
	schema map[string]*tfprotov6.Schema
	name   string // of the resource's type
	ty     tftypes.Type
	state  tftypes.Value
	shifts *fakeShifts
	// diags of the last call.
	diags []*tfprotov6.Diagnostic
}

func start(t *testing.T, name string, f *fakeShifts) *terraform {
	t.Helper()
	return startWith(t, name, f, connection.Connection{Region: "us-east-1"})
}

func startWith(t *testing.T, name string, f *fakeShifts, c connection.Connection) *terraform {
	t.Helper()
	data := courier.Data{Shifts: f, Connection: c, Known: true}
	server, err := providerserver.NewProtocol6WithError(&tiny{data})()
	if err != nil {
		t.Fatal(err)
	}
	tf := &terraform{t: t, server: server, name: name, shifts: f}
	s, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	tf.mustNot(s.Diagnostics)
	tf.schema = maps.Clone(s.ResourceSchemas)
	maps.Copy(tf.schema, s.DataSourceSchemas)
	empty := tf.pack(tftypes.NewValue(tftypes.Object{}, map[string]tftypes.Value{}))
	if _, err := server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{Config: empty}); err != nil {
		t.Fatal(err)
	}
	tf.ty = tf.schema[name].ValueType()
	tf.state = tftypes.NewValue(tf.ty, nil)
	return tf
}

func (tf *terraform) mustNot(diags []*tfprotov6.Diagnostic) {
	tf.t.Helper()
	for _, d := range diags {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			tf.t.Fatalf("%s\n%s", d.Summary, d.Detail)
		}
	}
}

func (tf *terraform) pack(v tftypes.Value) *tfprotov6.DynamicValue {
	tf.t.Helper()
	d, err := tfprotov6.NewDynamicValue(v.Type(), v)
	if err != nil {
		tf.t.Fatal(err)
	}
	return &d
}

func (tf *terraform) unpack(d *tfprotov6.DynamicValue) tftypes.Value {
	tf.t.Helper()
	if d == nil {
		return tftypes.NewValue(tf.ty, nil)
	}
	v, err := d.Unmarshal(tf.ty)
	if err != nil {
		tf.t.Fatal(err)
	}
	return v
}

// values of a configuration or a state; unknown stands for a value that is not known.
type values map[string]any

const unknown = "?unknown?"

// value makes a configuration as Terraform's core hands it over: blocks that are not
// there are empty lists.
func (tf *terraform) value(v values) tftypes.Value {
	tf.t.Helper()
	all := values{}
	for _, b := range tf.schema[tf.name].Block.BlockTypes {
		if b.Nesting == tfprotov6.SchemaNestedBlockNestingModeList {
			all[b.TypeName] = []values{}
		}
	}
	maps.Copy(all, v)
	data, err := json.Marshal(all)
	if err != nil {
		tf.t.Fatal(err)
	}
	out, err := (tfprotov6.DynamicValue{JSON: []byte(strings.ReplaceAll(string(data), `"`+unknown+`"`, "null"))}).Unmarshal(tf.ty)
	if err != nil {
		tf.t.Fatal(err)
	}
	return tf.withUnknown(out, v, tftypes.NewAttributePath())
}

// withUnknown puts unknown values where v has them, at the top or in blocks.
func (tf *terraform) withUnknown(out tftypes.Value, v values, at *tftypes.AttributePath) tftypes.Value {
	tf.t.Helper()
	paths := map[string]bool{}
	for name, e := range v {
		p := at.WithAttributeName(name)
		if e == unknown {
			paths[p.String()] = true
		}
		if list, ok := e.([]values); ok {
			for i, inner := range list {
				out = tf.withUnknown(out, inner, p.WithElementKeyInt(i))
			}
		}
	}
	out, err := tftypes.Transform(out, func(p *tftypes.AttributePath, v tftypes.Value) (tftypes.Value, error) {
		if paths[p.String()] {
			return tftypes.NewValue(v.Type(), tftypes.UnknownValue), nil
		}
		return v, nil
	})
	if err != nil {
		tf.t.Fatal(err)
	}
	return out
}

func (tf *terraform) validate(v values) []*tfprotov6.Diagnostic {
	tf.t.Helper()
	resp, err := tf.server.ValidateResourceConfig(tf.t.Context(), &tfprotov6.ValidateResourceConfigRequest{TypeName: tf.name, Config: tf.pack(tf.value(v))})
	if err != nil {
		tf.t.Fatal(err)
	}
	return resp.Diagnostics
}

// plan returns the planned state and whether the resource would be replaced; a null
// config plans to destroy.
func (tf *terraform) plan(config tftypes.Value) (planned tftypes.Value, replace bool) {
	tf.t.Helper()
	proposed := config
	if !config.IsNull() {
		proposed = tf.proposed(tf.schema[tf.name].Block, tf.state, config)
	}
	resp, err := tf.server.PlanResourceChange(tf.t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: tf.name, PriorState: tf.pack(tf.state), ProposedNewState: tf.pack(proposed), Config: tf.pack(config),
	})
	if err != nil {
		tf.t.Fatal(err)
	}
	tf.diags = resp.Diagnostics
	if tf.failed() {
		return tftypes.NewValue(tf.ty, nil), false
	}
	return tf.unpack(resp.PlannedState), len(resp.RequiresReplace) > 0
}

// proposed merges as Terraform's core does: what is configured, else the prior value of
// what is computed.
func (tf *terraform) proposed(b *tfprotov6.SchemaBlock, prior, config tftypes.Value) tftypes.Value {
	tf.t.Helper()
	old, now := tf.object(prior), tf.object(config)
	for _, a := range b.Attributes {
		if !now[a.Name].IsNull() || !a.Computed {
			continue
		}
		if old == nil {
			if !a.Optional {
				now[a.Name] = tftypes.NewValue(a.Type, tftypes.UnknownValue)
			}
			continue
		}
		now[a.Name] = old[a.Name]
	}
	for _, inner := range b.BlockTypes {
		if inner.Nesting != tfprotov6.SchemaNestedBlockNestingModeList || !now[inner.TypeName].IsKnown() {
			continue
		}
		var was, is []tftypes.Value
		if old != nil && !old[inner.TypeName].IsNull() {
			tf.as(old[inner.TypeName], &was)
		}
		tf.as(now[inner.TypeName], &is)
		is = slices.Clone(is)
		for i := range is {
			before := tftypes.NewValue(is[i].Type(), nil)
			if i < len(was) {
				before = was[i]
			}
			is[i] = tf.proposed(inner.Block, before, is[i])
		}
		now[inner.TypeName] = tftypes.NewValue(now[inner.TypeName].Type(), is)
	}
	return tftypes.NewValue(config.Type(), now)
}

func (tf *terraform) object(v tftypes.Value) map[string]tftypes.Value {
	if v.IsNull() {
		return nil
	}
	var out map[string]tftypes.Value
	tf.as(v, &out)
	return maps.Clone(out) // As gives the value's own
}

func (tf *terraform) as(v tftypes.Value, into any) {
	tf.t.Helper()
	if err := v.As(into); err != nil {
		tf.t.Fatal(err)
	}
}

// apply plans and applies, and tells whether there was something to do. What a provider
// may not do is an error: change what was planned, or leave something unknown.
func (tf *terraform) apply(v values) (changed bool) {
	tf.t.Helper()
	return tf.applyValue(tf.value(v))
}

func (tf *terraform) applyValue(config tftypes.Value) (changed bool) {
	tf.t.Helper()
	planned, _ := tf.plan(config)
	if tf.failed() || planned.Equal(tf.state) {
		return false
	}
	if again, _ := tf.plan(config); !again.Equal(planned) {
		tf.t.Fatalf("planned twice, with another result:\n%s\n%s", planned, again)
	}
	resp, err := tf.server.ApplyResourceChange(tf.t.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: tf.name, PriorState: tf.pack(tf.state), PlannedState: tf.pack(planned), Config: tf.pack(config),
	})
	if err != nil {
		tf.t.Fatal(err)
	}
	tf.diags = resp.Diagnostics
	tf.state = tf.unpack(resp.NewState)
	if !tf.state.IsFullyKnown() {
		tf.t.Fatalf("unknown after apply: %s", tf.state)
	}
	if !tf.failed() && !config.IsNull() {
		tf.consistent(planned)
	}
	return true
}

// consistent checks that what was planned is what there is.
func (tf *terraform) consistent(planned tftypes.Value) {
	tf.t.Helper()
	want, got := tf.object(planned), tf.object(tf.state)
	for name, v := range want {
		if v.IsFullyKnown() && !v.Equal(got[name]) {
			tf.t.Errorf("%s: planned %s, applied %s", name, v, got[name])
		}
	}
}

func (tf *terraform) refresh() {
	tf.t.Helper()
	resp, err := tf.server.ReadResource(tf.t.Context(), &tfprotov6.ReadResourceRequest{TypeName: tf.name, CurrentState: tf.pack(tf.state)})
	if err != nil {
		tf.t.Fatal(err)
	}
	tf.diags = resp.Diagnostics
	tf.state = tf.unpack(resp.NewState)
}

func (tf *terraform) destroy() {
	tf.t.Helper()
	tf.applyValue(tftypes.NewValue(tf.ty, nil))
}

func (tf *terraform) importID(id string) {
	tf.t.Helper()
	resp, err := tf.server.ImportResourceState(tf.t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: tf.name, ID: id})
	if err != nil {
		tf.t.Fatal(err)
	}
	if tf.diags = resp.Diagnostics; tf.failed() {
		return
	}
	tf.state = tf.unpack(resp.ImportedResources[0].State)
	tf.refresh()
}

// upgrade a state of the old provider, which is version 0.
func (tf *terraform) upgrade(state string) {
	tf.t.Helper()
	resp, err := tf.server.UpgradeResourceState(tf.t.Context(), &tfprotov6.UpgradeResourceStateRequest{TypeName: tf.name, RawState: &tfprotov6.RawState{JSON: []byte(state)}})
	if err != nil {
		tf.t.Fatal(err)
	}
	tf.diags = resp.Diagnostics
	if !tf.failed() {
		tf.state = tf.unpack(resp.UpgradedState)
	}
}

func (tf *terraform) failed() bool {
	for _, d := range tf.diags {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			return true
		}
	}
	return false
}

// said is all diagnostics of the last call, one block each.
func (tf *terraform) said() string { return said(tf.diags) }

func said(diags []*tfprotov6.Diagnostic) string {
	var b strings.Builder
	for _, d := range diags {
		at := ""
		if d.Attribute != nil {
			at = " at " + d.Attribute.String()
		}
		fmt.Fprintf(&b, "%s%s: %s\n%s\n", d.Severity, at, d.Summary, d.Detail)
	}
	return b.String()
}

// get an attribute of the state as Go's JSON would have it.
func (tf *terraform) get(name string) any {
	tf.t.Helper()
	return plain(tf, tf.object(tf.state)[name])
}

func plain(tf *terraform, v tftypes.Value) any {
	switch {
	case v.IsNull():
		return nil
	case !v.IsKnown():
		return unknown
	case v.Type().Is(tftypes.String):
		var s string
		tf.as(v, &s)
		return s
	}
	var list []tftypes.Value
	if v.As(&list) == nil {
		out := []any{}
		for _, e := range list {
			out = append(out, plain(tf, e))
		}
		return out
	}
	var object map[string]tftypes.Value
	if v.As(&object) == nil {
		out := map[string]any{}
		for k, e := range object {
			out[k] = plain(tf, e)
		}
		return out
	}
	return v.String()
}
