package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// targetGroup is aws_lb_target_group.
type targetGroup struct{ configured }

type targetGroupModel struct {
	ID         types.String `tfsdk:"id"`
	ARN        types.String `tfsdk:"arn"`
	ARNSuffix  types.String `tfsdk:"arn_suffix"`
	Name       types.String `tfsdk:"name"`
	Port       types.Int64  `tfsdk:"port"`
	Protocol   types.String `tfsdk:"protocol"`
	TargetType types.String `tfsdk:"target_type"`
	VPCID      types.String `tfsdk:"vpc_id"`
}

func (*targetGroup) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "aws_lb_target_group"
}

func (*targetGroup) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"id": computed(), "arn": computed(), "arn_suffix": computed(),
		"name": required(), "protocol": required(), "vpc_id": required(),
		"port":        schema.Int64Attribute{Required: true, PlanModifiers: []planmodifier.Int64{int64planmodifier.RequiresReplace()}},
		"target_type": schema.StringAttribute{Optional: true, Computed: true, Default: stringdefault.StaticString("instance"), PlanModifiers: replace},
	}}
}

func (r *targetGroup) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var m targetGroupModel
	if resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	out, err := r.elb.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{
		Name: m.Name.ValueStringPointer(), Port: aws.Int32(int32(m.Port.ValueInt64())), //nolint:gosec // a port; AWS checks it
		Protocol: elbtypes.ProtocolEnum(m.Protocol.ValueString()), VpcId: m.VPCID.ValueStringPointer(),
		TargetType: elbtypes.TargetTypeEnum(m.TargetType.ValueString()),
	})
	if err != nil {
		resp.Diagnostics.AddError("Creating the target group "+m.Name.ValueString(), err.Error())
		return
	}
	m.of(out.TargetGroups[0])
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

func (m *targetGroupModel) of(g elbtypes.TargetGroup) {
	arn := aws.ToString(g.TargetGroupArn)
	_, suffix, _ := strings.Cut(arn, ":targetgroup/")
	m.ID, m.ARN, m.ARNSuffix = types.StringValue(arn), types.StringValue(arn), types.StringValue("targetgroup/"+suffix)
	m.Name, m.VPCID = types.StringPointerValue(g.TargetGroupName), types.StringPointerValue(g.VpcId)
	m.Port = types.Int64Value(int64(aws.ToInt32(g.Port)))
	m.Protocol, m.TargetType = types.StringValue(string(g.Protocol)), types.StringValue(string(g.TargetType))
}

func (r *targetGroup) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var m targetGroupModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	out, err := r.elb.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{m.ARN.ValueString()}})
	if _, gone := errors.AsType[*elbtypes.TargetGroupNotFoundException](err); gone {
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		resp.Diagnostics.AddError("Reading the target group "+m.ARN.ValueString(), err.Error())
		return
	}
	m.of(out.TargetGroups[0])
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

func (*targetGroup) Update(_ context.Context, _ resource.UpdateRequest, resp *resource.UpdateResponse) {
	resp.Diagnostics.AddError("A target group is never changed in place", "Every attribute asks for a replacement.")
}

func (r *targetGroup) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m targetGroupModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	if _, err := r.elb.DeleteTargetGroup(ctx, &elb.DeleteTargetGroupInput{TargetGroupArn: m.ARN.ValueStringPointer()}); err != nil {
		resp.Diagnostics.AddError("Deleting the target group "+m.Name.ValueString(), err.Error())
	}
}

// attachment is aws_lb_target_group_attachment.
type attachment struct{ configured }

type attachmentModel struct {
	ID             types.String `tfsdk:"id"`
	TargetGroupARN types.String `tfsdk:"target_group_arn"`
	TargetID       types.String `tfsdk:"target_id"`
	Port           types.Int64  `tfsdk:"port"`
}

func (*attachment) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "aws_lb_target_group_attachment"
}

func (*attachment) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"id": computed(), "target_group_arn": required(), "target_id": required(),
		"port": schema.Int64Attribute{Required: true, PlanModifiers: []planmodifier.Int64{int64planmodifier.RequiresReplace()}},
	}}
}

func (m attachmentModel) target() elbtypes.TargetDescription {
	return elbtypes.TargetDescription{Id: m.TargetID.ValueStringPointer(), Port: aws.Int32(int32(m.Port.ValueInt64()))} //nolint:gosec // a port; AWS checks it
}

func (r *attachment) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var m attachmentModel
	if resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	_, err := r.elb.RegisterTargets(ctx, &elb.RegisterTargetsInput{
		TargetGroupArn: m.TargetGroupARN.ValueStringPointer(), Targets: []elbtypes.TargetDescription{m.target()},
	})
	if err != nil {
		resp.Diagnostics.AddError("Registering a target", err.Error())
		return
	}
	m.ID = types.StringValue(fmt.Sprintf("%s-%s-%d", m.TargetGroupARN.ValueString(), m.TargetID.ValueString(), m.Port.ValueInt64()))
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

func (r *attachment) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var m attachmentModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	out, err := r.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: m.TargetGroupARN.ValueStringPointer()})
	if _, gone := errors.AsType[*elbtypes.TargetGroupNotFoundException](err); gone {
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		resp.Diagnostics.AddError("Reading the targets of "+m.TargetGroupARN.ValueString(), err.Error())
		return
	}
	for _, h := range out.TargetHealthDescriptions {
		if aws.ToString(h.Target.Id) == m.TargetID.ValueString() && int64(aws.ToInt32(h.Target.Port)) == m.Port.ValueInt64() {
			return
		}
	}
	resp.State.RemoveResource(ctx)
}

func (*attachment) Update(_ context.Context, _ resource.UpdateRequest, resp *resource.UpdateResponse) {
	resp.Diagnostics.AddError("An attachment is never changed in place", "Every attribute asks for a replacement.")
}

func (r *attachment) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m attachmentModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	_, err := r.elb.DeregisterTargets(ctx, &elb.DeregisterTargetsInput{
		TargetGroupArn: m.TargetGroupARN.ValueStringPointer(), Targets: []elbtypes.TargetDescription{m.target()},
	})
	if err != nil {
		resp.Diagnostics.AddError("Deregistering a target", err.Error())
	}
}
