package main

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	dataschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// record is aws_route53_record: weighted, an alias or values with a TTL.
type record struct{ configured }

type recordModel struct {
	ID            types.String    `tfsdk:"id"`
	ZoneID        types.String    `tfsdk:"zone_id"`
	Name          types.String    `tfsdk:"name"`
	Type          types.String    `tfsdk:"type"`
	SetIdentifier types.String    `tfsdk:"set_identifier"`
	TTL           types.Int64     `tfsdk:"ttl"`
	Records       []string        `tfsdk:"records"`
	Alias         []aliasModel    `tfsdk:"alias"`
	Weighted      []weightedModel `tfsdk:"weighted_routing_policy"`
}

type aliasModel struct {
	Name     types.String `tfsdk:"name"`
	ZoneID   types.String `tfsdk:"zone_id"`
	Evaluate types.Bool   `tfsdk:"evaluate_target_health"`
}

type weightedModel struct {
	Weight types.Int64 `tfsdk:"weight"`
}

func (*record) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "aws_route53_record"
}

func (*record) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		Attributes: map[string]schema.Attribute{
			"id": computed(), "zone_id": required(), "name": required(), "type": required(), "set_identifier": required(),
			"ttl":     schema.Int64Attribute{Optional: true},
			"records": schema.SetAttribute{ElementType: types.StringType, Optional: true},
		},
		Blocks: map[string]schema.Block{
			"alias": schema.ListNestedBlock{NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
				"name": schema.StringAttribute{Required: true}, "zone_id": schema.StringAttribute{Required: true},
				"evaluate_target_health": schema.BoolAttribute{Required: true},
			}}},
			"weighted_routing_policy": schema.ListNestedBlock{NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
				"weight": schema.Int64Attribute{Required: true},
			}}},
		},
	}
}

func (m recordModel) set() *r53types.ResourceRecordSet {
	s := &r53types.ResourceRecordSet{
		Name: m.Name.ValueStringPointer(), Type: r53types.RRType(m.Type.ValueString()), SetIdentifier: m.SetIdentifier.ValueStringPointer(), TTL: m.TTL.ValueInt64Pointer(),
	}
	for _, v := range m.Records {
		s.ResourceRecords = append(s.ResourceRecords, r53types.ResourceRecord{Value: aws.String(v)})
	}
	for _, a := range m.Alias {
		s.AliasTarget = &r53types.AliasTarget{
			DNSName: a.Name.ValueStringPointer(), HostedZoneId: a.ZoneID.ValueStringPointer(), EvaluateTargetHealth: a.Evaluate.ValueBool(),
		}
	}
	for _, w := range m.Weighted {
		s.Weight = w.Weight.ValueInt64Pointer()
	}
	return s
}

func (r *record) change(ctx context.Context, action r53types.ChangeAction, zone string, set *r53types.ResourceRecordSet) error {
	out, err := r.route53.ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{
		HostedZoneId: aws.String(zone),
		ChangeBatch:  &r53types.ChangeBatch{Changes: []r53types.Change{{Action: action, ResourceRecordSet: set}}},
	})
	if err != nil {
		return err
	}
	often := func(o *route53.ResourceRecordSetsChangedWaiterOptions) { o.MinDelay = 200 * time.Millisecond }
	return route53.NewResourceRecordSetsChangedWaiter(r.route53, often).Wait(ctx, &route53.GetChangeInput{Id: out.ChangeInfo.Id}, insync)
}

// live is the record set as it is; nil: there is none.
func (r *record) live(ctx context.Context, m recordModel) (*r53types.ResourceRecordSet, error) {
	out, err := r.route53.ListResourceRecordSets(ctx, &route53.ListResourceRecordSetsInput{
		HostedZoneId: m.ZoneID.ValueStringPointer(), StartRecordName: m.Name.ValueStringPointer(),
		StartRecordType: r53types.RRType(m.Type.ValueString()), StartRecordIdentifier: m.SetIdentifier.ValueStringPointer(),
		MaxItems: aws.Int32(1),
	})
	if err != nil || len(out.ResourceRecordSets) == 0 {
		return nil, err
	}
	s := out.ResourceRecordSets[0]
	same := strings.TrimSuffix(aws.ToString(s.Name), ".") == strings.TrimSuffix(m.Name.ValueString(), ".") &&
		string(s.Type) == m.Type.ValueString() && aws.ToString(s.SetIdentifier) == m.SetIdentifier.ValueString()
	if !same {
		return nil, nil
	}
	return &s, nil
}

func (r *record) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var m recordModel
	if resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	if err := r.change(ctx, r53types.ChangeActionCreate, m.ZoneID.ValueString(), m.set()); err != nil {
		resp.Diagnostics.AddError("Creating the record "+m.Name.ValueString(), err.Error())
		return
	}
	m.ID = types.StringValue(strings.Join([]string{m.ZoneID.ValueString(), m.Name.ValueString(), m.Type.ValueString(), m.SetIdentifier.ValueString()}, "_"))
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// Read takes over the weight that is live, as the real provider does.
func (r *record) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var m recordModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	s, err := r.live(ctx, m)
	switch {
	case err != nil:
		resp.Diagnostics.AddError("Reading the record "+m.Name.ValueString(), err.Error())
		return
	case s == nil:
		resp.State.RemoveResource(ctx)
		return
	}
	for i := range m.Weighted {
		m.Weighted[i].Weight = types.Int64PointerValue(s.Weight)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

func (r *record) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var m recordModel
	if resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	if err := r.change(ctx, r53types.ChangeActionUpsert, m.ZoneID.ValueString(), m.set()); err != nil {
		resp.Diagnostics.AddError("Changing the record "+m.Name.ValueString(), err.Error())
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

func (r *record) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m recordModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	s, err := r.live(ctx, m)
	if err == nil && s != nil {
		err = r.change(ctx, r53types.ChangeActionDelete, m.ZoneID.ValueString(), s)
	}
	if err != nil {
		resp.Diagnostics.AddError("Deleting the record "+m.Name.ValueString(), err.Error())
	}
}

// loadBalancer is the data source aws_lb, by ARN.
type loadBalancer struct{ dataSource }

func (*loadBalancer) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "aws_lb"
}

func (*loadBalancer) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = dataschema.Schema{Attributes: map[string]dataschema.Attribute{
		"arn":      dataschema.StringAttribute{Required: true},
		"dns_name": dataschema.StringAttribute{Computed: true}, "zone_id": dataschema.StringAttribute{Computed: true},
	}}
}

func (d *loadBalancer) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m struct {
		ARN     types.String `tfsdk:"arn"`
		DNSName types.String `tfsdk:"dns_name"`
		ZoneID  types.String `tfsdk:"zone_id"`
	}
	if resp.Diagnostics.Append(req.Config.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	out, err := d.elb.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{m.ARN.ValueString()}})
	if err != nil {
		resp.Diagnostics.AddError("Reading the load balancer "+m.ARN.ValueString(), err.Error())
		return
	}
	m.DNSName = types.StringPointerValue(out.LoadBalancers[0].DNSName)
	m.ZoneID = types.StringPointerValue(out.LoadBalancers[0].CanonicalHostedZoneId)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// zone is the data source aws_route53_zone, by ID.
type zone struct{ dataSource }

func (*zone) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "aws_route53_zone"
}

func (*zone) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = dataschema.Schema{Attributes: map[string]dataschema.Attribute{
		"zone_id": dataschema.StringAttribute{Required: true}, "name": dataschema.StringAttribute{Computed: true},
	}}
}

func (d *zone) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m struct {
		ZoneID types.String `tfsdk:"zone_id"`
		Name   types.String `tfsdk:"name"`
	}
	if resp.Diagnostics.Append(req.Config.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	out, err := d.route53.GetHostedZone(ctx, &route53.GetHostedZoneInput{Id: m.ZoneID.ValueStringPointer()})
	if err != nil {
		resp.Diagnostics.AddError("Reading the hosted zone "+m.ZoneID.ValueString(), err.Error())
		return
	}
	m.Name = types.StringValue(strings.TrimSuffix(aws.ToString(out.HostedZone.Name), "."))
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}
