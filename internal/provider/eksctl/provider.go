// Package eksctl is the Terraform provider of that name: clusters, node groups and service
// accounts by the eksctl program, and the couriers that move traffic between clusters. It
// knows ports only.
package eksctl

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/internal/provider/connection"
	"github.com/norikae/norikae/internal/provider/courier"
)

// Config of the provider: its version and its ports.
type Config struct {
	Version     string
	Shifts      courier.Shifts
	Eksctl      Eksctl
	Clusters    Clusters
	Credentials Credentials
	Releases    Releases
	Kubeconfigs Kubeconfigs
	Workloads   Workloads
	// Environ is the environment of the process, of which eksctl sees a part.
	Environ []string
}

// New makes the provider.
func New(c Config) provider.Provider { return &eksctlProvider{c} }

type eksctlProvider struct{ config Config }

// Data is what resources get of the provider.
type Data struct {
	config Config
	// connection of the provider; known is false while it has values that are known only
	// after apply.
	connection connection.Connection
	known      bool
	gate       gate
}

// Courier makes it a courier.Source.
func (d *Data) Courier() courier.Data {
	return courier.Data{Shifts: courier.Guarded(d.config.Shifts, d.gate.check), Connection: d.connection, Known: d.known}
}

type providerModel struct {
	Region     types.String `tfsdk:"region"`
	Profile    types.String `tfsdk:"profile"`
	Address    types.String `tfsdk:"address"`
	AssumeRole types.List   `tfsdk:"assume_role"`
}

// Metadata implements provider.Provider.
func (p *eksctlProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName, resp.Version = "eksctl", p.config.Version
}

// Schema implements provider.Provider.
func (p *eksctlProvider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "EKS clusters by [eksctl](https://eksctl.io), and traffic that moves between them in judged steps.",
		Attributes:          connection.ProviderAttributes(),
		Blocks:              map[string]schema.Block{connection.Block: connection.ProviderBlock()},
	}
}

// Configure implements provider.Provider. It calls nobody.
func (p *eksctlProvider) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var m providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	c, known, diags := connection.Model(m).Connection(ctx)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	d := &Data{config: p.config, connection: c, known: known}
	resp.ResourceData, resp.DataSourceData = d, d
}

// Resources implements provider.Provider.
func (p *eksctlProvider) Resources(context.Context) []func() resource.Resource {
	return append(courier.Resources(), newCluster, newNodegroup, newServiceAccount)
}

// DataSources implements provider.Provider.
func (p *eksctlProvider) DataSources(context.Context) []func() datasource.DataSource {
	return courier.DataSources()
}
