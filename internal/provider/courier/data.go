package courier

import (
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/norikae/norikae/internal/provider/connection"
)

// Data is what the couriers need of the provider that lists them.
type Data struct {
	Shifts Shifts
	// Connection is the provider's: what a courier does not say itself. Known is false
	// while its configuration has values that are known only after apply.
	Connection connection.Connection
	Known      bool
}

// Source is what the provider's Configure passes to resources and data sources
// (ConfigureResponse.ResourceData and DataSourceData): its own type, with this method.
type Source interface{ Courier() Data }

// Courier makes Data a Source itself.
func (d Data) Courier() Data { return d }

// Resources are the couriers, for a provider to list.
func Resources() []func() resource.Resource { return nil }

// DataSources are the couriers' data sources, for a provider to list.
func DataSources() []func() datasource.DataSource { return nil }
