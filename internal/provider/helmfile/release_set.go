package helmfile

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"go.yaml.in/yaml/v3"

	"github.com/norikae/norikae/internal/helmfile"
)

type releaseSetModel struct {
	shared
	ValuesFiles            types.List   `tfsdk:"values_files"`
	SkipDiffOnMissingFiles types.List   `tfsdk:"skip_diff_on_missing_files"`
	Selector               types.Map    `tfsdk:"selector"`
	Selectors              types.List   `tfsdk:"selectors"`
	EnvironmentVariables   types.Map    `tfsdk:"environment_variables"`
	Path                   types.String `tfsdk:"path"`
	Content                types.String `tfsdk:"content"`
	Version                types.String `tfsdk:"version"`
	HelmDiffVersion        types.String `tfsdk:"helm_diff_version"`
	Environment            types.String `tfsdk:"environment"`
	Concurrency            types.Int64  `tfsdk:"concurrency"`
	ReleasesValues         types.Map    `tfsdk:"releases_values"`
}

func (m *releaseSetModel) versions() versions {
	return versions{helmfile: m.Version.ValueString(), helm: m.HelmVersion.ValueString(), diff: m.HelmDiffVersion.ValueString()}
}

func (m *releaseSetModel) needed(ctx context.Context, diags *diag.Diagnostics) []string {
	return append(m.shared.needed(ctx, diags), list(ctx, m.SkipDiffOnMissingFiles, diags)...)
}

func (m *releaseSetModel) spec(ctx context.Context, diags *diag.Diagnostics) helmfile.Spec {
	s := m.shared.spec(ctx, diags)
	s.Path, s.Content, s.Environment = m.Path.ValueString(), m.Content.ValueString(), m.Environment.ValueString()
	s.ValuesFiles = list(ctx, m.ValuesFiles, diags)
	s.EnvironmentVariables = mapping(ctx, m.EnvironmentVariables, diags)
	s.Set = mapping(ctx, m.ReleasesValues, diags)
	s.Concurrency = int(m.Concurrency.ValueInt64())
	selector := mapping(ctx, m.Selector, diags)
	for _, key := range slices.Sorted(maps.Keys(selector)) {
		s.Selectors = append(s.Selectors, key+"="+selector[key])
	}
	s.Selectors = append(s.Selectors, list(ctx, m.Selectors, diags)...)
	return s
}

type releaseSet struct{ object[*releaseSetModel] }

func newReleaseSet(ports Ports, diffs *differences) resource.Resource {
	return &releaseSet{object[*releaseSetModel]{ports: ports, diffs: diffs, model: func() *releaseSetModel { return &releaseSetModel{} }}}
}

func (r *releaseSet) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "helmfile_release_set"
}

var (
	selectorForm = regexp.MustCompile(`^[^=!,\s]+!?=[^=!,\s]*(,[^=!,\s]+!?=[^=!,\s]*)*$`)
	variableForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func (r *releaseSet) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	attrs := sharedAttributes()
	maps.Copy(attrs, map[string]schema.Attribute{
		"values_files":               optionalList("Paths of files with values (`--state-values-file`), before `values`; from `working_directory`, else from Terraform's folder."),
		"skip_diff_on_missing_files": optionalList("Paths of files that other resources write: while one is missing, a plan does not run `helmfile diff` and what would change is not known."),
		"selector":                   optionalMap("Labels and values: a release is selected when it has any of them."),
		"selectors":                  optionalList("Selectors as helmfile's `--selector` takes them, such as `tier=frontend,name!=web`: a release is selected by any of them.", listvalidator.ValueStringsAre(stringvalidator.RegexMatches(selectorForm, "want LABEL=VALUE or LABEL!=VALUE, with commas between them"))),
		"environment_variables":      optionalMap("Variables added to helmfile's environment. The values of those whose names tell of secrets (PASSWORD, TOKEN, SECRET, …) are masked in outputs.", mapvalidator.KeysAre(stringvalidator.RegexMatches(variableForm, "want the name of an environment variable: letters, digits and _"))),
		"path":                       optionalString("Path of a helmfile, or of a folder of them; from `working_directory`, else from Terraform's folder. helmfile v1 renders templates only in files whose names end in `.gotmpl`."),
		"content":                    optionalString("The helmfile itself. It is rendered as a template when it has `{{`. Either this or `path`."),
		"version":                    optionalString("Release of helmfile to fetch and use instead of `binary`, such as `1.8.0`."),
		"helm_diff_version":          optionalString("Release of the helm plugin diff to fetch and use instead of the one that is installed, such as `3.15.13`; other plugins stay. Of a release without published checksums, as the oldest are, a plan warns, and the installed one is used."),
		"environment":                optionalString("Environment of the helmfile. Default: helmfile's own, `default`."),
		"concurrency":                optionalInt("How many helm processes run at once, 0 or more; 0: no limit. Default: 0.", int64validator.AtLeast(0)),
		"releases_values":            optionalMap("Values for every release, as helm's `--set` takes them: `image.tag` → `v2`."),
	})
	resp.Schema = schema.Schema{
		Version: stateVersion,
		MarkdownDescription: "The releases of a helmfile. A plan shows what `helmfile diff` says as a warning, a change made by hand included, and never fails an apply when that says something else by then; an apply runs `helmfile apply` (`helmfile sync` when helm had not finished a release); a destroy runs `helmfile destroy`. " +
			"A release that is taken out of the helmfile stays installed: set `installed: false` first.\n\n" +
			"Import takes any name: `terraform import helmfile_release_set.x NAME`. All that it is stands in the configuration, so the next plan shows an update, and says that `helmfile diff` shows no change when the releases are as declared.",
		Attributes: attrs, Blocks: blocks(ctx),
	}
}

// ValidateConfig refuses what helmfile would refuse later.
func (r *releaseSet) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	m := r.read(ctx, &req.Config, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	content := m.Content.ValueString()
	if p := m.Path.ValueString(); content != "" && p != "" && p != "helmfile.yaml" {
		resp.Diagnostics.AddAttributeError(conflict(path.Root("path"), "path", "content"))
	}
	if content == "" || strings.Contains(content, "{{") {
		return
	}
	for part := range strings.SplitSeq(content, "\n---") {
		var document map[string]any
		if err := yaml.Unmarshal([]byte(part), &document); err != nil {
			resp.Diagnostics.AddAttributeError(path.Root("content"), "A helmfile that cannot be read", fmt.Sprintf("content is not a map in YAML: %v", err))
			return
		}
	}
}

func (r *releaseSet) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughID(ctx, path.Root("id"), req, resp)
}

// What a resource of ours can do, besides.
var (
	_ resource.ResourceWithModifyPlan     = (*releaseSet)(nil)
	_ resource.ResourceWithImportState    = (*releaseSet)(nil)
	_ resource.ResourceWithValidateConfig = (*releaseSet)(nil)
	_ validator.List                      = documents{}
)
