package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// cluster is the data source aws_eks_cluster.
type cluster struct{ dataSource }

type clusterModel struct {
	ID   types.String `tfsdk:"id"`
	Name types.String `tfsdk:"name"`
	ARN  types.String `tfsdk:"arn"`
	VPC  []vpcConfig  `tfsdk:"vpc_config"`
}

type vpcConfig struct {
	ID      string   `tfsdk:"vpc_id" json:"vpcId"`
	Subnets []string `tfsdk:"subnet_ids" json:"subnetIds"`
	Group   string   `tfsdk:"cluster_security_group_id" json:"clusterSecurityGroupId"`
	Groups  []string `tfsdk:"security_group_ids" json:"securityGroupIds"` // additional ones
}

func (*cluster) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "aws_eks_cluster"
}

func (*cluster) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"id":   schema.StringAttribute{Computed: true},
		"name": schema.StringAttribute{Required: true},
		"arn":  schema.StringAttribute{Computed: true},
		"vpc_config": schema.ListAttribute{Computed: true, ElementType: types.ObjectType{AttrTypes: map[string]attr.Type{
			"vpc_id": types.StringType, "subnet_ids": types.SetType{ElemType: types.StringType},
			"cluster_security_group_id": types.StringType, "security_group_ids": types.SetType{ElemType: types.StringType},
		}}},
	}}
}

func (d *cluster) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m clusterModel
	if resp.Diagnostics.Append(req.Config.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	raw, status, err := d.query.send(ctx, "eks", http.MethodGet, "/clusters/"+url.PathEscape(m.Name.ValueString()), "")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s: %s", http.StatusText(status), raw)
	}
	var out struct {
		Cluster struct {
			ARN string    `json:"arn"`
			VPC vpcConfig `json:"resourcesVpcConfig"`
		} `json:"cluster"`
	}
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		resp.Diagnostics.AddError("Reading the cluster "+m.Name.ValueString(), err.Error())
		return
	}
	m.ID, m.ARN, m.VPC = m.Name, types.StringValue(out.Cluster.ARN), []vpcConfig{out.Cluster.VPC}
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}
