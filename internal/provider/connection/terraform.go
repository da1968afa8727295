package connection

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	datasource "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	provider "github.com/hashicorp/terraform-plugin-framework/provider/schema"
	resource "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// Model is what a resource or a provider declares: embed it in its model, beside the
// attributes and the block of this package.
type Model struct {
	Region     types.String `tfsdk:"region"`
	Profile    types.String `tfsdk:"profile"`
	Address    types.String `tfsdk:"address"`
	AssumeRole types.List   `tfsdk:"assume_role"` // of RoleModel; at most one
}

// RoleModel is the block assume_role.
type RoleModel struct {
	RoleARN           types.String `tfsdk:"role_arn"`
	SessionName       types.String `tfsdk:"session_name"`
	ExternalID        types.String `tfsdk:"external_id"`
	DurationSeconds   types.Int64  `tfsdk:"duration_seconds"`
	Policy            types.String `tfsdk:"policy"`
	PolicyARNs        types.Set    `tfsdk:"policy_arns"`
	Tags              types.Map    `tfsdk:"tags"`
	TransitiveTagKeys types.Set    `tfsdk:"transitive_tag_keys"`
}

// Block is the name of the block on eksctl's provider and resources.
const Block = "assume_role"

// Connection converts the model. ok is false while something is unknown.
func (m Model) Connection(ctx context.Context) (c Connection, ok bool, diags diag.Diagnostics) {
	return Of(ctx, Block, m.Region, m.Profile, m.Address, m.AssumeRole)
}

// Of converts the attributes and the block, which has this name. ok is false while
// something is unknown.
func Of(ctx context.Context, block string, region, profile, address types.String, role types.List) (c Connection, ok bool, diags diag.Diagnostics) {
	if region.IsUnknown() || profile.IsUnknown() || address.IsUnknown() || role.IsUnknown() {
		return Connection{}, false, nil
	}
	c = Connection{Region: region.ValueString(), Profile: profile.ValueString(), Address: address.ValueString()}
	if role.IsNull() || len(role.Elements()) == 0 {
		return c, true, nil
	}
	if v, err := role.ToTerraformValue(ctx); err != nil || !v.IsFullyKnown() {
		return Connection{}, false, nil
	}
	var models []RoleModel
	diags.Append(role.ElementsAs(ctx, &models, false)...)
	if diags.HasError() {
		return Connection{}, true, diags
	}
	c.AssumeRole = models[0].role(ctx, path.Root(block).AtListIndex(0), &diags)
	return c, true, diags
}

// role is nil when the block is empty: modules write it with role_arn = "" for no role.
func (m RoleModel) role(ctx context.Context, at path.Path, diags *diag.Diagnostics) *AssumeRole {
	r := &AssumeRole{
		RoleARN:     m.RoleARN.ValueString(),
		SessionName: m.SessionName.ValueString(),
		ExternalID:  m.ExternalID.ValueString(),
		Duration:    time.Duration(m.DurationSeconds.ValueInt64()) * time.Second,
		Policy:      m.Policy.ValueString(),
	}
	diags.Append(m.PolicyARNs.ElementsAs(ctx, &r.PolicyARNs, false)...)
	diags.Append(m.TransitiveTagKeys.ElementsAs(ctx, &r.TransitiveTagKeys, false)...)
	diags.Append(m.Tags.ElementsAs(ctx, &r.Tags, false)...)
	slices.Sort(r.PolicyARNs)
	slices.Sort(r.TransitiveTagKeys)
	for _, key := range r.TransitiveTagKeys {
		if _, ok := r.Tags[key]; !ok {
			diags.AddAttributeError(at.AtName("transitive_tag_keys"), "A transitive tag that is not set",
				fmt.Sprintf("transitive_tag_keys = %q: want keys of tags, which has %q; add the tag, or remove the key.", key, slices.Sorted(maps.Keys(r.Tags))))
		}
	}
	if r.RoleARN != "" {
		return r
	}
	if r.SessionName+r.ExternalID+r.Policy != "" || r.Duration != 0 || len(r.PolicyARNs)+len(r.Tags)+len(r.TransitiveTagKeys) > 0 {
		diags.AddAttributeError(at.AtName("role_arn"), "No role to assume",
			"assume_role says how a role is assumed, but not which: set role_arn = \"arn:PARTITION:iam::ACCOUNT:role/NAME\", or remove the block.")
	}
	return nil
}

// text is the description of an attribute, the same wherever it stands.
type text struct{ name, description string }

func attributes(prefix string) []text {
	return []text{
		{prefix + "region", "AWS region, such as `us-east-1`. Default: that of the provider, then of the environment (`AWS_REGION`, `AWS_DEFAULT_REGION`) or the profile."},
		{prefix + "profile", "Profile of the shared AWS configuration files. Default: that of the provider, then of the environment (`AWS_PROFILE`)."},
	}
}

func addressText() text {
	return text{"address", "URL at which every AWS service is called instead of AWS's own, for a local stack: `http://` or `https://` and a host."}
}

// ResourceAttributes are region, profile and address of a resource; prefix is put before
// the first two ("aws_"), and with a prefix there is no address.
func ResourceAttributes(prefix string) map[string]resource.Attribute {
	out := map[string]resource.Attribute{}
	for _, a := range named(prefix) {
		out[a.name] = resource.StringAttribute{
			Optional: true, Computed: true, MarkdownDescription: a.description,
			PlanModifiers: []planmodifier.String{UnsetString()}, Validators: a.validators(),
		}
	}
	return out
}

// ProviderAttributes are region, profile and address of a provider.
func ProviderAttributes() map[string]provider.Attribute {
	out := map[string]provider.Attribute{}
	for _, a := range named("") {
		out[a.name] = provider.StringAttribute{Optional: true, MarkdownDescription: a.description, Validators: a.validators()}
	}
	return out
}

// DataSourceAttributes are region, profile and address of a data source.
func DataSourceAttributes() map[string]datasource.Attribute {
	out := map[string]datasource.Attribute{}
	for _, a := range named("") {
		out[a.name] = datasource.StringAttribute{Optional: true, MarkdownDescription: a.description, Validators: a.validators()}
	}
	return out
}

func named(prefix string) []text {
	if prefix != "" {
		return attributes(prefix)
	}
	return append(attributes(""), addressText())
}

func (t text) validators() []validator.String {
	if t.name != addressText().name {
		return nil
	}
	return []validator.String{stringvalidator.RegexMatches(regexp.MustCompile(`^(https?://[^/\s]+(/\S*)?)?$`), "want an address with http:// or https:// and a host, such as http://127.0.0.1:4566")}
}

const roleText = "A role to assume for the calls to AWS; its credentials are refreshed as long as needed. At most one block. An empty `role_arn` assumes none."

// ResourceBlock is the block assume_role of a resource.
func ResourceBlock() resource.ListNestedBlock {
	attrs := map[string]resource.Attribute{}
	for _, f := range roleFields() {
		attrs[f.name] = f.resource()
	}
	return resource.ListNestedBlock{
		MarkdownDescription: roleText, NestedObject: resource.NestedBlockObject{Attributes: attrs}, Validators: one(),
	}
}

// ProviderBlock is the block assume_role of a provider.
func ProviderBlock() provider.ListNestedBlock {
	attrs := map[string]provider.Attribute{}
	for _, f := range roleFields() {
		attrs[f.name] = f.provider()
	}
	return provider.ListNestedBlock{MarkdownDescription: roleText, NestedObject: provider.NestedBlockObject{Attributes: attrs}, Validators: one()}
}

// DataSourceBlock is the block assume_role of a data source.
func DataSourceBlock() datasource.ListNestedBlock {
	attrs := map[string]datasource.Attribute{}
	for _, f := range roleFields() {
		attrs[f.name] = f.dataSource()
	}
	return datasource.ListNestedBlock{MarkdownDescription: roleText, NestedObject: datasource.NestedBlockObject{Attributes: attrs}, Validators: one()}
}

func one() []validator.List { return []validator.List{listvalidator.SizeAtMost(1)} }

// field of the block assume_role.
type field struct {
	name, description string
	kind              kind
	strings           []validator.String
	ints              []validator.Int64
	sets              []validator.Set
}

type kind int

const (
	aString kind = iota
	anInt
	aSet // of strings
	aMap // of strings
)

// roleFields and their ranges.
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func roleFields() []field {
	arn := stringvalidator.RegexMatches(regexp.MustCompile(`^(arn:aws[a-z-]*:iam::\d{12}:role/.+)?$`), "want the ARN of a role, arn:PARTITION:iam::ACCOUNT:role/NAME; list those that exist with `aws iam list-roles`")
	session := stringvalidator.RegexMatches(regexp.MustCompile(`^([\w+=,.@-]{2,64})?$`), "want 2–64 letters, digits and _+=,.@-")
	external := []validator.String{stringvalidator.RegexMatches(regexp.MustCompile(`^([\w+=,.@:/-]{2,})?$`), "want 2–1224 letters, digits and _+=,.@:/-"), stringvalidator.LengthAtMost(1224)}
	policyARN := stringvalidator.RegexMatches(regexp.MustCompile(`^arn:aws[a-z-]*:iam::(aws|\d{12}):policy/.+$`), "want the ARN of a managed policy, arn:PARTITION:iam::ACCOUNT:policy/NAME")
	return []field{
		{name: "role_arn", description: "ARN of the role, `arn:PARTITION:iam::ACCOUNT:role/NAME`.", strings: []validator.String{arn}},
		{name: "session_name", description: "Name of the session, seen in CloudTrail: 2–64 characters. Default: one that names norikae.", strings: []validator.String{session}},
		{name: "external_id", description: "External ID that the role's trust policy asks for: 2–1224 characters.", strings: external},
		{name: "duration_seconds", description: "How long each session lasts, in seconds: 900–43200, at most what the role allows. Default: 3600. Sessions are renewed, so it does not bound a shift.", kind: anInt, ints: []validator.Int64{int64validator.Between(900, 43200)}},
		{name: "policy", description: "IAM policy in JSON: what the session may do at most."},
		{name: "policy_arns", description: "ARNs of managed policies: what the session may do at most; 10 at most.", kind: aSet, sets: []validator.Set{setvalidator.SizeAtMost(10), setvalidator.ValueStringsAre(policyARN)}},
		{name: "tags", description: "Tags of the session.", kind: aMap},
		{name: "transitive_tag_keys", description: "Keys of `tags` that go on to sessions that are assumed from this one.", kind: aSet},
	}
}

func (f field) resource() resource.Attribute {
	switch f.kind {
	case anInt:
		return resource.Int64Attribute{Optional: true, Computed: true, MarkdownDescription: f.description, Validators: f.ints, PlanModifiers: []planmodifier.Int64{UnsetInt64()}}
	case aSet:
		return resource.SetAttribute{ElementType: types.StringType, Optional: true, Computed: true, MarkdownDescription: f.description, Validators: f.sets, PlanModifiers: []planmodifier.Set{UnsetSet()}}
	case aMap:
		return resource.MapAttribute{ElementType: types.StringType, Optional: true, Computed: true, MarkdownDescription: f.description, PlanModifiers: []planmodifier.Map{UnsetMap()}}
	case aString:
	}
	return resource.StringAttribute{Optional: true, Computed: true, MarkdownDescription: f.description, Validators: f.strings, PlanModifiers: []planmodifier.String{UnsetString()}}
}

func (f field) provider() provider.Attribute {
	switch f.kind {
	case anInt:
		return provider.Int64Attribute{Optional: true, MarkdownDescription: f.description, Validators: f.ints}
	case aSet:
		return provider.SetAttribute{ElementType: types.StringType, Optional: true, MarkdownDescription: f.description, Validators: f.sets}
	case aMap:
		return provider.MapAttribute{ElementType: types.StringType, Optional: true, MarkdownDescription: f.description}
	case aString:
	}
	return provider.StringAttribute{Optional: true, MarkdownDescription: f.description, Validators: f.strings}
}

func (f field) dataSource() datasource.Attribute {
	switch f.kind {
	case anInt:
		return datasource.Int64Attribute{Optional: true, MarkdownDescription: f.description, Validators: f.ints}
	case aSet:
		return datasource.SetAttribute{ElementType: types.StringType, Optional: true, MarkdownDescription: f.description, Validators: f.sets}
	case aMap:
		return datasource.MapAttribute{ElementType: types.StringType, Optional: true, MarkdownDescription: f.description}
	case aString:
	}
	return datasource.StringAttribute{Optional: true, MarkdownDescription: f.description, Validators: f.strings}
}
