package helmfile

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"go.yaml.in/yaml/v3"

	"github.com/norikae/norikae/internal/provider/connection"
)

func optionalString(text string, validators ...validator.String) schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true, Computed: true, MarkdownDescription: text, Validators: validators,
		PlanModifiers: []planmodifier.String{connection.UnsetString()},
	}
}

func defaultString(value, text string) schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true, Computed: true, MarkdownDescription: text + " Default: `" + value + "`.", Default: stringdefault.StaticString(value),
	}
}

func defaultBool(value bool, text string) schema.BoolAttribute {
	return schema.BoolAttribute{
		Optional: true, Computed: true, MarkdownDescription: fmt.Sprintf("%s Default: `%t`.", text, value), Default: booldefault.StaticBool(value),
	}
}

func optionalInt(text string, validators ...validator.Int64) schema.Int64Attribute {
	return schema.Int64Attribute{
		Optional: true, Computed: true, MarkdownDescription: text, Validators: validators,
		PlanModifiers: []planmodifier.Int64{connection.UnsetInt64()},
	}
}

func optionalList(text string, validators ...validator.List) schema.ListAttribute {
	return schema.ListAttribute{
		ElementType: types.StringType, Optional: true, Computed: true, MarkdownDescription: text, Validators: validators,
		PlanModifiers: []planmodifier.List{connection.UnsetList()},
	}
}

func optionalMap(text string, validators ...validator.Map) schema.MapAttribute {
	return schema.MapAttribute{
		ElementType: types.StringType, Optional: true, Computed: true, MarkdownDescription: text, Validators: validators,
		PlanModifiers: []planmodifier.Map{connection.UnsetMap()},
	}
}

func computedString(text string) schema.StringAttribute {
	return schema.StringAttribute{Computed: true, MarkdownDescription: text}
}

// sharedAttributes of both resources.
func sharedAttributes() map[string]schema.Attribute {
	sensitive := optionalList("Like `values`, and after them, but none of their scalars is shown in a plan, an output, an error or a log. They are in the state, as all that Terraform is given.", documents{})
	sensitive.Sensitive = true
	id := computedString("A random name; in an imported resource, the name that it was imported by.")
	id.PlanModifiers = []planmodifier.String{stringplanmodifier.UseStateForUnknown()}
	return map[string]schema.Attribute{
		"id":                id,
		"aws_region":        connection.ResourceAttributes("aws_")["aws_region"],
		"aws_profile":       connection.ResourceAttributes("aws_")["aws_profile"],
		"values":            optionalList("Values, each a document in YAML or JSON; later ones win. Use `sensitive_values` for secrets.", documents{}),
		"sensitive_values":  sensitive,
		"working_directory": optionalString("Folder in which helmfile runs; it must exist. A generated helmfile is in it while helmfile runs, under a unique name, so that several resources may share a folder; values are elsewhere. Default: Terraform's."),
		"kubeconfig":        schema.StringAttribute{Required: true, MarkdownDescription: "Path of the kubeconfig of the cluster; `\"\"`: that of the environment. When there is no such file yet, a plan does not know what would change."},
		"binary":            defaultString("helmfile", "Path of helmfile, or its name on PATH."),
		"helm_binary":       defaultString("helm", "Path of helm, or its name on PATH. Its plugin [diff](https://github.com/databus23/helm-diff) must be installed."),
		"helm_version":      optionalString("Release of helm to fetch and use instead of `helm_binary`, such as `3.22.0`."),
		"dirty": schema.BoolAttribute{
			Optional: true, Computed: true, PlanModifiers: []planmodifier.Bool{connection.UnsetBool()},
			MarkdownDescription: "Whether the last refresh found a difference between what was applied and what is installed or live. Do not set it.",
		},
		"diff_output":  computedString("What `helmfile diff` said that the last apply changed; `\"\"`: nothing, or nothing since. The data of Secrets is not in it. A plan shows it as a warning: charts may make up values, and the cluster may change, so that only the apply can say."),
		"apply_output": computedString("The end of what `helmfile apply` printed, at most 256 KiB, without secrets."),
		"error":        computedString("Why the last apply failed; `\"\"` when it did not. Until an apply succeeds, a plan shows work."),
	}
}

func blocks(ctx context.Context) map[string]schema.Block {
	return map[string]schema.Block{"aws_assume_role": connection.ResourceBlock(), "timeouts": timeoutsBlock(ctx)}
}

// documents checks that each element of a list is YAML, which JSON is too.
type documents struct{}

func (documents) Description(context.Context) string { return "each a document in YAML or JSON" }

func (d documents) MarkdownDescription(ctx context.Context) string { return d.Description(ctx) }

func (documents) ValidateList(_ context.Context, req validator.ListRequest, resp *validator.ListResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	for i, element := range req.ConfigValue.Elements() {
		text, ok := element.(types.String)
		if !ok || text.IsUnknown() {
			continue
		}
		var values map[string]any
		// The parser's own words may quote a secret.
		if err := yaml.Unmarshal([]byte(text.ValueString()), &values); err != nil {
			resp.Diagnostics.AddAttributeError(req.Path.AtListIndex(i), "Values that cannot be read",
				fmt.Sprintf("Element %d of %d bytes: want a map in YAML or JSON, such as yamlencode({ replicas = 2 }).", i, len(text.ValueString())))
		}
	}
}

// conflict of two attributes that say the same thing.
func conflict(p path.Path, a, b string) (path.Path, string, string) {
	return p, "Both " + a + " and " + b, fmt.Sprintf("%s and %s are both set: set one of them.", a, b)
}
