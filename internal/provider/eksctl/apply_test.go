package eksctl_test

import (
	"fmt"
	"maps"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// planned is what a plan says.
type planned struct {
	resource string
	prior    tftypes.Value
	config   tftypes.Value
	value    tftypes.Value
	private  []byte
	replace  bool
	diags    []*tfprotov6.Diagnostic
}

// text of the diagnostics of one severity, one per line, with their paths.
func text(diags []*tfprotov6.Diagnostic, severity tfprotov6.DiagnosticSeverity) string {
	var out strings.Builder
	for _, d := range diags {
		if d.Severity == severity {
			fmt.Fprintf(&out, "%s: %s: %s\n", d.Attribute, d.Summary, d.Detail)
		}
	}
	return out.String()
}

func failed(diags []*tfprotov6.Diagnostic) bool {
	return text(diags, tfprotov6.DiagnosticSeverityError) != ""
}

// validate a configuration, as terraform validate does.
func (tf *terraform) validate(resource string, config object) []*tfprotov6.Diagnostic {
	tf.t.Helper()
	kind := tf.kind(resource)
	resp, err := tf.ValidateResourceConfig(tf.t.Context(), &tfprotov6.ValidateResourceConfigRequest{TypeName: resource, Config: tf.dynamic(kind, fill(tf.t, kind, config))})
	if err != nil {
		tf.t.Fatal(err)
	}
	return resp.Diagnostics
}

// plan a configuration against a state; nil: there is none.
func (tf *terraform) plan(resource string, prior *tftypes.Value, config object) planned {
	tf.t.Helper()
	kind := tf.kind(resource)
	p := planned{resource: resource, prior: tftypes.NewValue(kind, nil), config: fill(tf.t, kind, config)}
	if prior != nil {
		p.prior = *prior
	}
	proposed := tf.proposed(resource, p.prior, p.config)
	var private []byte
	if prior != nil {
		private = tf.private[resource]
	}
	resp, err := tf.PlanResourceChange(tf.t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: resource, PriorState: tf.dynamic(kind, p.prior), ProposedNewState: tf.dynamic(kind, proposed), Config: tf.dynamic(kind, p.config), PriorPrivate: private,
	})
	if err != nil {
		tf.t.Fatal(err)
	}
	p.diags, p.private, p.replace = resp.Diagnostics, resp.PlannedPrivate, len(resp.RequiresReplace) > 0
	if resp.PlannedState != nil {
		p.value = tf.value(kind, resp.PlannedState)
	}
	return p
}

// proposed is the configuration, with what the state has where it says nothing of an
// attribute that may be computed.
func (tf *terraform) proposed(resource string, prior, config tftypes.Value) tftypes.Value {
	tf.t.Helper()
	kind := tf.kind(resource)
	var old, declared map[string]tftypes.Value
	if prior.IsNull() {
		old = map[string]tftypes.Value{}
	} else if err := prior.As(&old); err != nil {
		tf.t.Fatal(err)
	}
	if err := config.As(&declared); err != nil {
		tf.t.Fatal(err)
	}
	out := map[string]tftypes.Value{}
	maps.Copy(out, declared)
	for _, a := range tf.schemas.ResourceSchemas[resource].Block.Attributes {
		if v, ok := old[a.Name]; ok && a.Computed && declared[a.Name].IsNull() {
			out[a.Name] = v
		}
	}
	return tftypes.NewValue(kind, out)
}

// changes tells whether a plan does anything.
func (p planned) changes() bool { return !p.value.Equal(p.prior) }

// apply a plan. The new state is checked against the plan, as Terraform does.
func (tf *terraform) apply(p planned) (tftypes.Value, []*tfprotov6.Diagnostic) {
	tf.t.Helper()
	kind := tf.kind(p.resource)
	resp, err := tf.ApplyResourceChange(tf.t.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: p.resource, PriorState: tf.dynamic(kind, p.prior), PlannedState: tf.dynamic(kind, p.value), Config: tf.dynamic(kind, p.config), PlannedPrivate: p.private,
	})
	if err != nil {
		tf.t.Fatal(err)
	}
	tf.private[p.resource] = resp.Private
	state := tf.value(kind, resp.NewState)
	if !failed(resp.Diagnostics) && !p.value.IsNull() {
		tf.consistent(p.value, state)
	}
	return state, resp.Diagnostics
}

// consistent holds Terraform's rule: what was planned and known is what comes out.
func (tf *terraform) consistent(planned, state tftypes.Value) {
	tf.t.Helper()
	var want, got map[string]tftypes.Value
	if err := planned.As(&want); err != nil {
		tf.t.Fatal(err)
	}
	if err := state.As(&got); err != nil {
		tf.t.Fatal(err)
	}
	for name, v := range want {
		if v.IsFullyKnown() && !v.Equal(got[name]) {
			tf.t.Errorf("inconsistent result after apply: %s was planned as %s and is %s", name, v, got[name])
		}
		if !got[name].IsFullyKnown() {
			tf.t.Errorf("%s is unknown after apply", name)
		}
	}
}

// must apply a configuration without an error.
func (tf *terraform) must(resource string, prior *tftypes.Value, config object) tftypes.Value {
	tf.t.Helper()
	tf.clean(tf.validate(resource, config))
	p := tf.plan(resource, prior, config)
	tf.clean(p.diags)
	state, diags := tf.apply(p)
	tf.clean(diags)
	return state
}

// refresh a state.
func (tf *terraform) refresh(resource string, state tftypes.Value) (tftypes.Value, []*tfprotov6.Diagnostic) {
	tf.t.Helper()
	kind := tf.kind(resource)
	resp, err := tf.ReadResource(tf.t.Context(), &tfprotov6.ReadResourceRequest{TypeName: resource, CurrentState: tf.dynamic(kind, state), Private: tf.private[resource]})
	if err != nil {
		tf.t.Fatal(err)
	}
	tf.private[resource] = resp.Private
	return tf.value(kind, resp.NewState), resp.Diagnostics
}

// imports a thing by its ID, and refreshes it, as Terraform does.
func (tf *terraform) imports(resource, id string) (tftypes.Value, []*tfprotov6.Diagnostic) {
	tf.t.Helper()
	resp, err := tf.ImportResourceState(tf.t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: resource, ID: id})
	if err != nil {
		tf.t.Fatal(err)
	}
	if failed(resp.Diagnostics) {
		return tftypes.Value{}, resp.Diagnostics
	}
	got := resp.ImportedResources[0]
	tf.private[resource] = got.Private
	return tf.refresh(resource, tf.value(tf.kind(resource), got.State))
}

// destroy what a state says.
func (tf *terraform) destroy(resource string, state tftypes.Value) (tftypes.Value, []*tfprotov6.Diagnostic) {
	tf.t.Helper()
	null := tftypes.NewValue(tf.kind(resource), nil)
	return tf.apply(planned{resource: resource, prior: state, value: null, config: null, private: tf.private[resource]})
}

// get an attribute as text; "(null)" and "(unknown)" for these.
func (tf *terraform) get(state tftypes.Value, name string) string {
	tf.t.Helper()
	var all map[string]tftypes.Value
	if err := state.As(&all); err != nil {
		tf.t.Fatal(err)
	}
	return show(all[name])
}

func show(v tftypes.Value) string {
	switch {
	case v.IsNull():
		return "(null)"
	case !v.IsKnown():
		return "(unknown)"
	}
	var s string
	if v.As(&s) == nil {
		return s
	}
	return v.String()
}
