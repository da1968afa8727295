package main

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	resourceschema "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// clients of the services that the resources need. Where they are, and with which keys,
// is in the environment, as the lab prints it.
type clients struct {
	elb     *elb.Client
	route53 *route53.Client
	query   *query
}

type awsProvider struct{}

func newProvider() provider.Provider { return awsProvider{} }

func (awsProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "aws"
}

func (awsProvider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{"region": schema.StringAttribute{Optional: true}}}
}

func (awsProvider) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var model struct {
		Region types.String `tfsdk:"region"`
	}
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	var options []func(*config.LoadOptions) error
	if r := model.Region.ValueString(); r != "" {
		options = append(options, config.WithRegion(r))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		resp.Diagnostics.AddError("The AWS configuration", err.Error())
		return
	}
	if cfg.BaseEndpoint == nil {
		resp.Diagnostics.AddError("Not on a lab", "This provider is for tests: set AWS_ENDPOINT_URL to the address of a lab (norikae lab env).")
		return
	}
	c := &clients{elb: elb.NewFromConfig(cfg), route53: route53.NewFromConfig(cfg), query: newQuery(cfg)}
	resp.ResourceData, resp.DataSourceData = c, c
}

func (awsProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{
		func() resource.Resource { return &targetGroup{} },
		func() resource.Resource { return &attachment{} },
		func() resource.Resource { return &record{} },
		func() resource.Resource { return &role{} },
		func() resource.Resource { return &ingressRule{} },
	}
}

func (awsProvider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		func() datasource.DataSource { return &loadBalancer{} },
		func() datasource.DataSource { return &zone{} },
		func() datasource.DataSource { return &cluster{} },
		func() datasource.DataSource { return &subnets{} },
		func() datasource.DataSource { return &subnet{} },
	}
}

// configured is what every resource and data source gets of the provider.
type configured struct{ *clients }

func (c *configured) configure(data any, diags *diag.Diagnostics) {
	if data == nil {
		return // validating: nobody is called
	}
	got, ok := data.(*clients)
	if !ok {
		diags.AddError("Not this provider's data", fmt.Sprintf("%T", data))
		return
	}
	c.clients = got
}

func (c *configured) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	c.configure(req.ProviderData, &resp.Diagnostics)
}

// dataSource is configured, for data sources.
type dataSource struct{ configured }

func (d *dataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.configure(req.ProviderData, &resp.Diagnostics)
}

// Attributes that change only by replacement, and those that AWS gives.
var (
	replace = []planmodifier.String{stringplanmodifier.RequiresReplace()}
	keep    = []planmodifier.String{stringplanmodifier.UseStateForUnknown()}
)

func required() resourceschema.StringAttribute {
	return resourceschema.StringAttribute{Required: true, PlanModifiers: replace}
}

func computed() resourceschema.StringAttribute {
	return resourceschema.StringAttribute{Computed: true, PlanModifiers: keep}
}

// insync bounds the wait for a change of DNS: the lab's take well under a second, AWS's a
// minute.
const insync = 5 * time.Minute
