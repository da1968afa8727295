package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"reflect"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// role is aws_iam_role.
type role struct{ configured }

type roleModel struct {
	ID     types.String `tfsdk:"id"`
	ARN    types.String `tfsdk:"arn"`
	Name   types.String `tfsdk:"name"`
	Policy types.String `tfsdk:"assume_role_policy"`
}

func (*role) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "aws_iam_role"
}

func (*role) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"id": computed(), "arn": computed(), "name": required(), "assume_role_policy": schema.StringAttribute{Required: true},
	}}
}

// roleItem is what IAM says about one.
type roleItem struct {
	ARN    string `xml:"Arn"`
	Policy string `xml:"AssumeRolePolicyDocument"` // percent-encoded
}

func (r *role) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var m roleModel
	if resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	var out struct {
		Role roleItem `xml:"CreateRoleResult>Role"`
	}
	err := r.query.call(ctx, "iam", "CreateRole", map[string]string{
		"RoleName": m.Name.ValueString(), "AssumeRolePolicyDocument": m.Policy.ValueString(),
	}, &out)
	if err != nil {
		resp.Diagnostics.AddError("Creating the role "+m.Name.ValueString(), err.Error())
		return
	}
	m.ID, m.ARN = m.Name, types.StringValue(out.Role.ARN)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

func noSuchEntity(err error) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && f.Code == "NoSuchEntity"
}

func (r *role) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var m roleModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	var out struct {
		Role roleItem `xml:"GetRoleResult>Role"`
	}
	err := r.query.call(ctx, "iam", "GetRole", map[string]string{"RoleName": m.ID.ValueString()}, &out)
	if noSuchEntity(err) {
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		resp.Diagnostics.AddError("Reading the role "+m.ID.ValueString(), err.Error())
		return
	}
	m.ARN = types.StringValue(out.Role.ARN)
	m.keep(out.Role.Policy, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// keep the policy as it is written here when it says the same.
func (m *roleModel) keep(encoded string, diags *diag.Diagnostics) {
	live, err := url.QueryUnescape(encoded)
	if err != nil {
		diags.AddError("Reading the policy of "+m.ID.ValueString(), err.Error())
		return
	}
	var a, b any
	if json.Unmarshal([]byte(live), &a) == nil && json.Unmarshal([]byte(m.Policy.ValueString()), &b) == nil && reflect.DeepEqual(a, b) {
		return
	}
	m.Policy = types.StringValue(live)
}

func (r *role) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var m roleModel
	if resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	err := r.query.call(ctx, "iam", "UpdateAssumeRolePolicy", map[string]string{
		"RoleName": m.ID.ValueString(), "PolicyDocument": m.Policy.ValueString(),
	}, nil)
	if err != nil {
		resp.Diagnostics.AddError("Changing who may assume "+m.ID.ValueString(), err.Error())
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

func (r *role) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m roleModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	err := r.query.call(ctx, "iam", "DeleteRole", map[string]string{"RoleName": m.ID.ValueString()}, nil)
	if err != nil && !noSuchEntity(err) {
		resp.Diagnostics.AddError("Deleting the role "+m.ID.ValueString(), err.Error())
	}
}
