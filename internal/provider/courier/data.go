package courier

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/internal/arn"
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
func Resources() []func() resource.Resource {
	return []func() resource.Resource{
		func() resource.Resource {
			return &courier[albModel, *albModel]{kind: albKind(), importer: importALB}
		},
		func() resource.Resource {
			return &courier[nlbModel, *nlbModel]{kind: nlbKind(), importer: importNLB}
		},
		func() resource.Resource {
			return &courier[recordModel, *recordModel]{kind: recordKind(), importer: importRecord}
		},
	}
}

// DataSources are the couriers' data sources, for a provider to list.
func DataSources() []func() datasource.DataSource {
	return []func() datasource.DataSource{func() datasource.DataSource { return &planSource{} }}
}

// importALB takes a rule's ARN, or LISTENER_ARN/PRIORITY.
func importALB(id string) (map[string]attr.Value, error) {
	rule, err := arn.ParseRule(id)
	if err == nil && rule.Listener.LoadBalancer.Type == arn.Application {
		return map[string]attr.Value{"arn": types.StringValue(id), "listener_arn": types.StringValue(rule.Listener.ARN)}, nil
	}
	if i := strings.LastIndex(id, "/"); i > 0 {
		l, err := arn.ParseListener(id[:i])
		priority, nerr := strconv.Atoi(id[i+1:])
		if err == nil && nerr == nil && l.LoadBalancer.Type == arn.Application {
			return map[string]attr.Value{"listener_arn": types.StringValue(id[:i]), "priority": types.Int64Value(int64(priority))}, nil
		}
	}
	return nil, fmt.Errorf("%q: want the ARN of an Application Load Balancer's rule, arn:…:listener-rule/app/…, or LISTENER_ARN/PRIORITY; list those that exist with `aws elbv2 describe-rules --listener-arn …`", id)
}

func importNLB(id string) (map[string]attr.Value, error) {
	l, err := arn.ParseListener(id)
	if err != nil || l.LoadBalancer.Type != arn.Network {
		return nil, fmt.Errorf("%q: want the ARN of a Network Load Balancer's listener, arn:…:listener/net/…; list those that exist with `aws elbv2 describe-listeners --load-balancer-arn …`", id)
	}
	return map[string]attr.Value{"listener_arn": types.StringValue(id)}, nil
}

// importRecord takes ZONE/NAME, or ZONE/NAME/TYPE.
func importRecord(id string) (map[string]attr.Value, error) {
	parts := strings.Split(strings.TrimPrefix(id, "/hostedzone/"), "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return nil, fmt.Errorf("%q: want ZONE_ID/NAME or ZONE_ID/NAME/TYPE, such as Z0123456789ABCDEFGHIJ/api.example.com/A", id)
	}
	out := map[string]attr.Value{"zone_id": types.StringValue(parts[0]), "name": types.StringValue(parts[1])}
	if len(parts) == 3 {
		out["record_types"] = types.SetValueMust(types.StringType, []attr.Value{types.StringValue(parts[2])})
	}
	return out, nil
}
