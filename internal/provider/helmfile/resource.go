package helmfile

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/helmfile"
	"github.com/norikae/norikae/internal/provider/connection"
)

// declared is what the models of both resources can tell.
type declared interface {
	common() *shared
	// spec is what is to be run, but for programs and credentials, which ask for versions.
	spec(ctx context.Context, diags *diag.Diagnostics) helmfile.Spec
	versions() versions
	// needed are files without which there is nothing to compare with.
	needed(ctx context.Context, diags *diag.Diagnostics) []string
}

// versions of programs to fetch; "": what is installed.
type versions struct{ helmfile, helm, diff string }

// shared are the attributes of both resources.
type shared struct {
	ID               types.String `tfsdk:"id"`
	Region           types.String `tfsdk:"aws_region"`
	Profile          types.String `tfsdk:"aws_profile"`
	AssumeRole       types.List   `tfsdk:"aws_assume_role"`
	Values           types.List   `tfsdk:"values"`
	SensitiveValues  types.List   `tfsdk:"sensitive_values"`
	WorkingDirectory types.String `tfsdk:"working_directory"`
	Kubeconfig       types.String `tfsdk:"kubeconfig"`
	Binary           types.String `tfsdk:"binary"`
	HelmBinary       types.String `tfsdk:"helm_binary"`
	HelmVersion      types.String `tfsdk:"helm_version"`
	Dirty            types.Bool   `tfsdk:"dirty"`
	DiffOutput       types.String `tfsdk:"diff_output"`
	ApplyOutput      types.String `tfsdk:"apply_output"`
	Error            types.String `tfsdk:"error"`

	Timeouts timeouts.Value `tfsdk:"timeouts"`
}

func (s *shared) common() *shared { return s }

func (s *shared) spec(ctx context.Context, diags *diag.Diagnostics) helmfile.Spec {
	return helmfile.Spec{
		Binary: s.Binary.ValueString(), HelmBinary: s.HelmBinary.ValueString(), WorkingDirectory: s.WorkingDirectory.ValueString(),
		Values: list(ctx, s.Values, diags), SensitiveValues: list(ctx, s.SensitiveValues, diags), Kubeconfig: s.Kubeconfig.ValueString(),
	}
}

func (s *shared) needed(context.Context, *diag.Diagnostics) []string {
	if path := s.Kubeconfig.ValueString(); path != "" {
		return []string{path}
	}
	return nil
}

// object is a resource whose model is M.
type object[M declared] struct {
	ports Ports
	diffs *differences
	model func() M
}

// session is one model, ready to be run.
type session[M declared] struct {
	model M
	spec  helmfile.Spec
	close func() // ends its credentials
}

func (o *object[M]) read(ctx context.Context, from interface {
	Get(ctx context.Context, target any) diag.Diagnostics
}, diags *diag.Diagnostics,
) M {
	m := o.model()
	diags.Append(from.Get(ctx, m)...)
	return m
}

// open fetches programs and credentials. It calls nobody when no version and no AWS
// attribute is set.
func (o *object[M]) open(ctx context.Context, m M, diags *diag.Diagnostics) session[M] {
	s := session[M]{model: m, spec: m.spec(ctx, diags), close: func() {}}
	if diags.HasError() {
		return s
	}
	v := m.versions()
	for _, program := range []struct {
		name, version, attribute string
		into                     *string
	}{{Helmfile, v.helmfile, "version", &s.spec.Binary}, {Helm, v.helm, "helm_version", &s.spec.HelmBinary}, {HelmDiff, v.diff, "helm_diff_version", &s.spec.Plugins}} {
		if program.version == "" {
			continue
		}
		path_, err := o.ports.Releases.Path(ctx, program.name, program.version)
		if program.name == HelmDiff && errors.Is(err, fault.ErrNotFound) {
			// Files with versions of old, which were published without checksums, go on.
			diags.AddAttributeWarning(path.Root(program.attribute), "The plugin diff is the one that is installed", fmt.Sprintf(
				"%s = %q is not used, because its release cannot be checked: %v.", program.attribute, program.version, err))
			continue
		}
		if err != nil {
			diags.AddAttributeError(path.Root(program.attribute), "Fetching "+program.name, fmt.Sprintf("%s = %q: %v", program.attribute, program.version, err))
			return s
		}
		*program.into = path_
	}
	c := m.common()
	conn, _, more := connection.Of(ctx, "aws_assume_role", c.Region, c.Profile, types.StringNull(), c.AssumeRole)
	diags.Append(more...)
	if diags.HasError() || conn.Region+conn.Profile == "" && conn.AssumeRole == nil {
		return s
	}
	env, stop, err := o.ports.Credentials.Serve(ctx, conn)
	if err != nil {
		diags.AddError("Credentials of AWS", err.Error())
	}
	s.spec.Credentials, s.close = env, stop
	return s
}

// earlier secrets, of what is installed: a diff shows what is removed, too.
func earlier(ctx context.Context, m declared, diags *diag.Diagnostics) []string {
	secrets, err := m.spec(ctx, diags).Secrets()
	if err != nil {
		diags.AddError("The state cannot be read", err.Error())
	}
	return secrets
}

// logged tells Terraform's log each line of output.
func logged(ctx context.Context, s helmfile.Spec) helmfile.Spec {
	s.Line = func(line string) { tflog.Info(ctx, line) }
	return s
}

// missing is the first file that is needed and not there.
func missing(ctx context.Context, m declared, diags *diag.Diagnostics) string {
	for _, file := range m.needed(ctx, diags) {
		_, err := os.Stat(file)
		if dir := m.common().WorkingDirectory.ValueString(); err != nil && dir != "" && !filepath.IsAbs(file) {
			_, err = os.Stat(filepath.Join(dir, file))
		}
		if errors.Is(err, os.ErrNotExist) {
			return file
		}
	}
	return ""
}

// Read asks what would change. A cluster that cannot be asked changes nothing in the
// state: it may be gone, and the release with it, which is for the user to decide.
func (o *object[M]) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	m := o.read(ctx, &req.State, &resp.Diagnostics)
	if resp.Diagnostics.HasError() || m.common().Kubeconfig.IsNull() || missing(ctx, m, &resp.Diagnostics) != "" {
		return
	}
	ctx, cancel := bounded(ctx, m, read, &resp.Diagnostics)
	defer cancel()
	s := o.open(ctx, m, &resp.Diagnostics)
	defer s.close()
	if resp.Diagnostics.HasError() {
		return
	}
	o.diffs.forget(s.spec)
	d, err := o.ask(ctx, s.spec)
	if err != nil {
		resp.Diagnostics.AddWarning("Drift is not known", "`helmfile diff` of what was last applied failed: "+why(err))
		return
	}
	c := m.common()
	// What was changed last time is no news: a plan shows the whole diff, not a diff of diffs.
	c.DiffOutput = types.StringValue("")
	if d.Changed || c.Dirty.ValueBool() {
		c.Dirty = types.BoolValue(d.Changed)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// ModifyPlan shows what `helmfile diff` says.
func (o *object[M]) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return // it is to be destroyed
	}
	plan := o.read(ctx, &req.Plan, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	if checkTimeouts(ctx, plan, &resp.Diagnostics); resp.Diagnostics.HasError() {
		return
	}
	c := plan.common()
	failed := false
	var secrets []string // of what is installed
	if !req.State.Raw.IsNull() {
		state := o.read(ctx, &req.State, &resp.Diagnostics)
		failed, secrets = state.common().Error.ValueString() != "", earlier(ctx, state, &resp.Diagnostics)
	}
	// The framework makes computed attributes unknown when an input differs.
	work := req.State.Raw.IsNull() || c.DiffOutput.IsUnknown() || failed
	d := o.difference(ctx, req.Config, plan, secrets, work, &resp.Diagnostics)
	if resp.Diagnostics.HasError() || !work && !d.Changed {
		return
	}
	c.ApplyOutput, c.Error, c.DiffOutput = types.StringUnknown(), types.StringValue(""), types.StringUnknown()
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
}

// difference that an apply would make, which people are told when there is work. It is
// empty while an input is not known, or a file is not there yet.
func (o *object[M]) difference(ctx context.Context, config tfsdk.Config, m M, secrets []string, work bool, diags *diag.Diagnostics) (d helmfile.Difference) {
	if !config.Raw.IsFullyKnown() {
		return d
	}
	if file := missing(ctx, m, diags); file != "" {
		diags.AddWarning("What would change is not known", fmt.Sprintf("There is no file %s yet, so `helmfile diff` was not run: what apply changes is seen then.", file))
		return d
	}
	ctx, cancel := bounded(ctx, m, read, diags)
	defer cancel()
	s := o.open(ctx, m, diags)
	defer s.close()
	if diags.HasError() {
		return d
	}
	s.spec.Masked = secrets
	d, err := o.ask(ctx, s.spec)
	switch {
	case err != nil:
		diags.AddError("helmfile diff failed", why(err))
	case work || d.Changed:
		tell(s.spec, d, diags)
	}
	return d
}

// ask helmfile, or remember what it said in this process.
func (o *object[M]) ask(ctx context.Context, s helmfile.Spec) (helmfile.Difference, error) {
	if d, ok := o.diffs.recall(s); ok {
		return d, nil
	}
	d, err := o.ports.Runner.Diff(ctx, logged(ctx, s))
	if err == nil {
		o.diffs.remember(s, d)
	}
	return d, err
}

// apply fills in the outputs. On an error they are as they were.
func (o *object[M]) apply(ctx context.Context, m M, operation string, secrets []string, diags *diag.Diagnostics) {
	ctx, cancel := bounded(ctx, m, operation, diags)
	defer cancel()
	s := o.open(ctx, m, diags)
	defer s.close()
	if diags.HasError() {
		return
	}
	s.spec.Masked = secrets
	defer o.diffs.forget(s.spec)
	c := m.common()
	if c.DiffOutput.IsUnknown() {
		d, err := o.ask(ctx, s.spec)
		if err != nil {
			diags.AddError("helmfile diff failed, nothing was changed", why(err))
			return
		}
		c.DiffOutput = types.StringValue(d.Output)
	}
	out, err := o.ports.Runner.Apply(ctx, logged(ctx, s.spec))
	if err != nil {
		diags.AddError("helmfile apply failed", why(err)+"\nWhat of it was installed stays as it is. The next plan shows what is left to do.")
		return
	}
	c.ApplyOutput, c.Error = types.StringValue(out), types.StringValue("")
}

// Create keeps no state of a failure: Terraform would taint it, and the next apply would
// uninstall what serves. The next create takes over what was installed.
func (o *object[M]) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	m := o.read(ctx, &req.Plan, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	if o.apply(ctx, m, create, nil, &resp.Diagnostics); resp.Diagnostics.HasError() {
		return
	}
	m.common().ID = types.StringValue(rand.Text())
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// Update keeps the earlier state of a failure, and that it failed: there is work left.
func (o *object[M]) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	m := o.read(ctx, &req.Plan, &resp.Diagnostics)
	before := o.read(ctx, &req.State, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	if o.apply(ctx, m, update, earlier(ctx, before, &resp.Diagnostics), &resp.Diagnostics); !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
		return
	}
	before.common().Error = types.StringValue(resp.Diagnostics.Errors()[0].Detail())
	resp.Diagnostics.Append(resp.State.Set(ctx, before)...)
}

// Delete uninstalls the releases.
func (o *object[M]) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	m := o.read(ctx, &req.State, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := bounded(ctx, m, remove, &resp.Diagnostics)
	defer cancel()
	s := o.open(ctx, m, &resp.Diagnostics)
	defer s.close()
	if resp.Diagnostics.HasError() {
		return
	}
	o.diffs.forget(s.spec)
	if _, err := o.ports.Runner.Destroy(ctx, logged(ctx, s.spec)); err != nil {
		resp.Diagnostics.AddError("helmfile destroy failed", why(err)+"\nThe releases that it did not reach are still there, and so is the resource in the state.")
	}
}

func list(ctx context.Context, l types.List, diags *diag.Diagnostics) []string {
	var out []string
	if !l.IsNull() && !l.IsUnknown() {
		diags.Append(l.ElementsAs(ctx, &out, false)...)
	}
	return out
}

func mapping(ctx context.Context, m types.Map, diags *diag.Diagnostics) map[string]string {
	var out map[string]string
	if !m.IsNull() && !m.IsUnknown() {
		diags.Append(m.ElementsAs(ctx, &out, false)...)
	}
	return out
}
