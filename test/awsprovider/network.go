package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// subnets is the data source aws_subnets.
type subnets struct{ dataSource }

type filter struct {
	Name   string   `tfsdk:"name"`
	Values []string `tfsdk:"values"`
}

type subnetsModel struct {
	ID     types.String `tfsdk:"id"`
	IDs    []string     `tfsdk:"ids"`
	Filter []filter     `tfsdk:"filter"`
}

func (*subnets) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "aws_subnets"
}

func (*subnets) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		Attributes: map[string]schema.Attribute{
			"id":  schema.StringAttribute{Computed: true},
			"ids": schema.ListAttribute{Computed: true, ElementType: types.StringType},
		},
		Blocks: map[string]schema.Block{"filter": schema.SetNestedBlock{NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"name":   schema.StringAttribute{Required: true},
			"values": schema.SetAttribute{Required: true, ElementType: types.StringType},
		}}}},
	}
}

// subnetItem is what EC2 says about one.
type subnetItem struct {
	ID     string `xml:"subnetId"`
	VPC    string `xml:"vpcId"`
	Zone   string `xml:"availabilityZone"`
	Block  string `xml:"cidrBlock"`
	Public bool   `xml:"mapPublicIpOnLaunch"`
}

// find subnets by filters.
func (q *query) subnets(ctx context.Context, filters []filter) ([]subnetItem, error) {
	parameters := map[string]string{}
	for i, f := range filters {
		parameters[fmt.Sprintf("Filter.%d.Name", i+1)] = f.Name
		for j, v := range f.Values {
			parameters[fmt.Sprintf("Filter.%d.Value.%d", i+1, j+1)] = v
		}
	}
	var out struct {
		Items []subnetItem `xml:"subnetSet>item"`
	}
	err := q.call(ctx, "ec2", "DescribeSubnets", parameters, &out)
	return out.Items, err
}

func (d *subnets) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m subnetsModel
	if resp.Diagnostics.Append(req.Config.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	found, err := d.query.subnets(ctx, m.Filter)
	if err != nil {
		resp.Diagnostics.AddError("Looking for subnets", err.Error())
		return
	}
	m.ID, m.IDs = types.StringValue("subnets"), []string{}
	for _, s := range found {
		m.IDs = append(m.IDs, s.ID)
	}
	slices.Sort(m.IDs)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// subnet is the data source aws_subnet.
type subnet struct{ dataSource }

type subnetModel struct {
	ID     types.String `tfsdk:"id"`
	VPCID  types.String `tfsdk:"vpc_id"`
	Zone   types.String `tfsdk:"availability_zone"`
	Block  types.String `tfsdk:"cidr_block"`
	Public types.Bool   `tfsdk:"map_public_ip_on_launch"`
}

func (*subnet) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "aws_subnet"
}

func (*subnet) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"id":                      schema.StringAttribute{Required: true},
		"vpc_id":                  schema.StringAttribute{Computed: true},
		"availability_zone":       schema.StringAttribute{Computed: true},
		"cidr_block":              schema.StringAttribute{Computed: true},
		"map_public_ip_on_launch": schema.BoolAttribute{Computed: true},
	}}
}

func (d *subnet) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m subnetModel
	if resp.Diagnostics.Append(req.Config.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	found, err := d.query.subnets(ctx, []filter{{Name: "subnet-id", Values: []string{m.ID.ValueString()}}})
	if err != nil || len(found) != 1 {
		resp.Diagnostics.AddError("Looking for the subnet "+m.ID.ValueString(), fmt.Sprintf("%d found, error: %v", len(found), err))
		return
	}
	s := found[0]
	m.VPCID, m.Zone, m.Block, m.Public = types.StringValue(s.VPC), types.StringValue(s.Zone), types.StringValue(s.Block), types.BoolValue(s.Public)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}
