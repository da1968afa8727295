package helmfile

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// core does with the provider, over its protocol, what Terraform does with one resource,
// and holds it to what Terraform would.
type core struct {
	t        *testing.T
	ports    Ports
	server   tfprotov6.ProviderServer
	typeName string
	schema   *tfprotov6.Schema
	object   tftypes.Object
	warnings []string
}

type values = map[string]any

// newCore runs in a folder of its own, where Terraform keeps what it keeps.
func newCore(t *testing.T, typeName string, ports Ports) *core {
	t.Helper()
	c := &core{t: t, ports: ports, typeName: typeName}
	c.restart()
	resp, err := c.server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	c.must(err, resp.Diagnostics)
	c.schema = resp.ResourceSchemas[typeName]
	object, ok := c.schema.ValueType().(tftypes.Object)
	if !ok {
		t.Fatal("the schema is no object")
	}
	c.object = object
	return c
}

// restart the provider, as Terraform does between a plan and its apply.
func (c *core) restart() {
	c.t.Helper()
	server, err := providerserver.NewProtocol6WithError(New("test", c.ports)())()
	if err != nil {
		c.t.Fatal(err)
	}
	c.server = server
}

// must have no error.
func (c *core) must(err error, diags []*tfprotov6.Diagnostic) {
	c.t.Helper()
	if text := c.problem(err, diags); text != "" {
		c.t.Fatal(text)
	}
}

// problem is the errors as one text, each with its path; "" when there is none.
func (c *core) problem(err error, diags []*tfprotov6.Diagnostic) string {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	var out []string
	for _, d := range diags {
		text := fmt.Sprintf("%s: %s: %s", d.Attribute, d.Summary, d.Detail)
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			out = append(out, text)
		} else {
			c.warnings = append(c.warnings, text)
		}
	}
	return strings.Join(out, "\n")
}

// unknown stands for a value that another resource has yet to tell.
type unknown struct{}

func (c *core) value(ty tftypes.Type, v any) tftypes.Value {
	c.t.Helper()
	switch v := v.(type) {
	case nil:
		return tftypes.NewValue(ty, nil)
	case unknown:
		return tftypes.NewValue(ty, tftypes.UnknownValue)
	case tftypes.Value:
		return v
	case []string:
		var out []tftypes.Value
		for _, e := range v {
			out = append(out, tftypes.NewValue(tftypes.String, e))
		}
		return tftypes.NewValue(ty, out)
	case map[string]string:
		out := map[string]tftypes.Value{}
		for k, e := range v {
			out[k] = tftypes.NewValue(tftypes.String, e)
		}
		return tftypes.NewValue(ty, out)
	default:
		return tftypes.NewValue(ty, v)
	}
}

// config has null, or no block, for what is not given.
func (c *core) config(v values) tftypes.Value {
	c.t.Helper()
	out := map[string]tftypes.Value{}
	for name, ty := range c.object.AttributeTypes {
		out[name] = c.value(ty, v[name])
		if name == "aws_assume_role" && v[name] == nil {
			out[name] = tftypes.NewValue(ty, []tftypes.Value{})
		}
	}
	return tftypes.NewValue(c.object, out)
}

func (c *core) dynamic(v tftypes.Value) *tfprotov6.DynamicValue {
	c.t.Helper()
	d, err := tfprotov6.NewDynamicValue(c.object, v)
	if err != nil {
		c.t.Fatal(err)
	}
	return &d
}

func (c *core) fields(v tftypes.Value) map[string]tftypes.Value {
	c.t.Helper()
	out := map[string]tftypes.Value{}
	if v.IsNull() {
		return out
	}
	if err := v.As(&out); err != nil {
		c.t.Fatal(err)
	}
	return maps.Clone(out) // v's own
}

func (c *core) back(d *tfprotov6.DynamicValue) tftypes.Value {
	c.t.Helper()
	v, err := d.Unmarshal(c.object)
	if err != nil {
		c.t.Fatal(err)
	}
	return v
}

// state with nothing in it.
func (c *core) none() tftypes.Value { return tftypes.NewValue(c.object, nil) }

// text of an attribute; it must be known.
func (c *core) text(v tftypes.Value, name string) string {
	c.t.Helper()
	var s *string
	if err := c.fields(v)[name].As(&s); err != nil {
		c.t.Fatalf("%s: %v", name, err)
	}
	if s == nil {
		return ""
	}
	return *s
}

func (c *core) validate(v values) string {
	c.t.Helper()
	resp, err := c.server.ValidateResourceConfig(c.t.Context(), &tfprotov6.ValidateResourceConfigRequest{TypeName: c.typeName, Config: c.dynamic(c.config(v))})
	return c.problem(err, resp.Diagnostics)
}

// proposed is what Terraform proposes: the configuration, else the earlier value of what
// is computed, which is unknown in the beginning.
func (c *core) proposed(prior, config tftypes.Value) tftypes.Value {
	out, before := c.fields(config), c.fields(prior)
	for _, a := range c.schema.Block.Attributes {
		switch {
		case !out[a.Name].IsNull() || !a.Computed:
		case prior.IsNull():
			out[a.Name] = tftypes.NewValue(a.Type, tftypes.UnknownValue)
		default:
			out[a.Name] = before[a.Name]
		}
	}
	return tftypes.NewValue(c.object, out)
}

type planned struct {
	prior, config, value tftypes.Value
	replace              bool
	private              []byte
	told                 string // warnings
}

func (p planned) empty() bool { return p.prior.Equal(p.value) }

func (c *core) plan(prior tftypes.Value, v values) (planned, string) {
	c.t.Helper()
	config := c.config(v)
	if text := c.validate(v); text != "" {
		return planned{}, text
	}
	before := len(c.warnings)
	resp, err := c.server.PlanResourceChange(c.t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: c.typeName, PriorState: c.dynamic(prior), Config: c.dynamic(config), ProposedNewState: c.dynamic(c.proposed(prior, config)),
	})
	if text := c.problem(err, resp.Diagnostics); text != "" {
		return planned{}, text
	}
	p := planned{prior: prior, config: config, value: c.back(resp.PlannedState), replace: len(resp.RequiresReplace) > 0, private: resp.PlannedPrivate, told: strings.Join(c.warnings[before:], "\n")}
	given, got := c.fields(config), c.fields(p.value)
	for name, want := range given {
		if !want.IsNull() && name != "aws_assume_role" && !want.Equal(got[name]) {
			c.t.Errorf("Terraform would say: provider produced invalid plan: %s is %s, and was configured as %s", name, got[name], want)
		}
	}
	return p, ""
}

func (c *core) mustPlan(prior tftypes.Value, v values) planned {
	c.t.Helper()
	p, problem := c.plan(prior, v)
	if problem != "" {
		c.t.Fatal(problem)
	}
	return p
}

// apply in a new process, which plans again first; later is the configuration by then.
func (c *core) apply(p planned, later values) (tftypes.Value, string) {
	c.t.Helper()
	c.restart()
	if later != nil {
		again, problem := c.plan(p.prior, later)
		if problem != "" {
			return p.prior, problem
		}
		c.agree("inconsistent final plan", p.value, again.value)
		p = again
	}
	return c.send(c.t.Context(), p)
}

func (c *core) send(ctx context.Context, p planned) (tftypes.Value, string) {
	c.t.Helper()
	resp, err := c.server.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
		TypeName: c.typeName, PriorState: c.dynamic(p.prior), PlannedState: c.dynamic(p.value), Config: c.dynamic(p.config), PlannedPrivate: p.private,
	})
	problem := c.problem(err, resp.Diagnostics)
	state := c.back(resp.NewState)
	if problem == "" {
		c.agree("inconsistent result after apply", p.value, state)
		if !state.IsFullyKnown() {
			c.t.Errorf("the state is not known: %s", state)
		}
	}
	return state, problem
}

// agree reports what was planned and known and is something else later.
func (c *core) agree(rule string, plan, later tftypes.Value) {
	c.t.Helper()
	after := c.fields(later)
	for name, want := range c.fields(plan) {
		if want.IsFullyKnown() && !want.Equal(after[name]) {
			c.t.Errorf("Terraform would say: %s: %s was %s, is %s", rule, name, want, after[name])
		}
	}
}

// mustApply plans and applies.
func (c *core) mustApply(prior tftypes.Value, v values) tftypes.Value {
	c.t.Helper()
	state, problem := c.apply(c.mustPlan(prior, v), v)
	if problem != "" {
		c.t.Fatal(problem)
	}
	return state
}

func (c *core) refresh(state tftypes.Value) tftypes.Value {
	c.t.Helper()
	c.restart()
	resp, err := c.server.ReadResource(c.t.Context(), &tfprotov6.ReadResourceRequest{TypeName: c.typeName, CurrentState: c.dynamic(state)})
	c.must(err, resp.Diagnostics)
	return c.back(resp.NewState)
}

func (c *core) destroy(state tftypes.Value) (tftypes.Value, string) {
	c.t.Helper()
	c.restart()
	return c.send(c.t.Context(), planned{prior: state, config: c.none(), value: c.none()})
}

func (c *core) importState(id string) (tftypes.Value, string) {
	c.t.Helper()
	resp, err := c.server.ImportResourceState(c.t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: c.typeName, ID: id})
	if problem := c.problem(err, resp.Diagnostics); problem != "" {
		return c.none(), problem
	}
	return c.back(resp.ImportedResources[0].State), ""
}

// with is a copy of the values, with others.
func with(v values, more values) values {
	out := maps.Clone(v)
	maps.Copy(out, more)
	return out
}
