package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// ingressRule is aws_vpc_security_group_ingress_rule of a security group for another.
type ingressRule struct{ configured }

type ingressRuleModel struct {
	ID          types.String `tfsdk:"id"`
	Group       types.String `tfsdk:"security_group_id"`
	From        types.String `tfsdk:"referenced_security_group_id"`
	Protocol    types.String `tfsdk:"ip_protocol"`
	FromPort    types.Int64  `tfsdk:"from_port"`
	ToPort      types.Int64  `tfsdk:"to_port"`
	Description types.String `tfsdk:"description"`
}

func (*ingressRule) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "aws_vpc_security_group_ingress_rule"
}

func (*ingressRule) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	port := schema.Int64Attribute{Required: true, PlanModifiers: []planmodifier.Int64{int64planmodifier.RequiresReplace()}}
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"id": computed(), "security_group_id": required(), "referenced_security_group_id": required(), "ip_protocol": required(),
		"from_port": port, "to_port": port, "description": schema.StringAttribute{Optional: true, PlanModifiers: replace},
	}}
}

// ruleItem is what EC2 says about one.
type ruleItem struct {
	ID       string `xml:"securityGroupRuleId"`
	Group    string `xml:"groupId"`
	Protocol string `xml:"ipProtocol"`
	FromPort int64  `xml:"fromPort"`
	ToPort   int64  `xml:"toPort"`
	From     string `xml:"referencedGroupInfo>groupId"`
}

func (r *ingressRule) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var m ingressRuleModel
	if resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	var out struct {
		Rules []ruleItem `xml:"securityGroupRuleSet>item"`
	}
	err := r.query.call(ctx, "ec2", "AuthorizeSecurityGroupIngress", map[string]string{
		"GroupId":                              m.Group.ValueString(),
		"IpPermissions.1.IpProtocol":           m.Protocol.ValueString(),
		"IpPermissions.1.FromPort":             strconv.FormatInt(m.FromPort.ValueInt64(), 10),
		"IpPermissions.1.ToPort":               strconv.FormatInt(m.ToPort.ValueInt64(), 10),
		"IpPermissions.1.Groups.1.GroupId":     m.From.ValueString(),
		"IpPermissions.1.Groups.1.Description": m.Description.ValueString(),
	}, &out)
	if err == nil && len(out.Rules) != 1 {
		err = errors.New("EC2 answered with no rule")
	}
	if err != nil {
		resp.Diagnostics.AddError("Opening the security group "+m.Group.ValueString(), err.Error())
		return
	}
	m.ID = types.StringValue(out.Rules[0].ID)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

func (r *ingressRule) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var m ingressRuleModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	var out struct {
		Rules []ruleItem `xml:"securityGroupRuleSet>item"`
	}
	err := r.query.call(ctx, "ec2", "DescribeSecurityGroupRules", map[string]string{"SecurityGroupRuleId.1": m.ID.ValueString()}, &out)
	if noSuchRule(err) || err == nil && len(out.Rules) == 0 {
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		resp.Diagnostics.AddError("Reading the rule "+m.ID.ValueString(), err.Error())
		return
	}
	is := out.Rules[0]
	m.Group, m.From, m.Protocol = types.StringValue(is.Group), types.StringValue(is.From), types.StringValue(is.Protocol)
	m.FromPort, m.ToPort = types.Int64Value(is.FromPort), types.Int64Value(is.ToPort)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

func noSuchRule(err error) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && f.Code == "InvalidSecurityGroupRuleId.NotFound"
}

// Update implements resource.Resource; every attribute makes another rule.
func (*ingressRule) Update(context.Context, resource.UpdateRequest, *resource.UpdateResponse) {}

func (r *ingressRule) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m ingressRuleModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	err := r.query.call(ctx, "ec2", "RevokeSecurityGroupIngress", map[string]string{
		"GroupId": m.Group.ValueString(), "SecurityGroupRuleId.1": m.ID.ValueString(),
	}, nil)
	if err != nil && !noSuchRule(err) {
		resp.Diagnostics.AddError("Closing the security group "+m.Group.ValueString(), err.Error())
	}
}
