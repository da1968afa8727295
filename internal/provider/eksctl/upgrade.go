package eksctl

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/norikae/norikae/internal/provider/connection"
)

// stateVersion of the resources that eksctl makes; 0 are the old provider's.
const stateVersion = 1

var (
	_ resource.ResourceWithUpgradeState = (*clusterResource)(nil)
	_ resource.ResourceWithUpgradeState = (*nodegroupResource)(nil)
	_ resource.ResourceWithUpgradeState = (*serviceAccountResource)(nil)
)

// UpgradeState implements resource.ResourceWithUpgradeState.
func (r *clusterResource) UpgradeState(ctx context.Context) map[int64]resource.StateUpgrader {
	return upgraders(ctx, r, nil)
}

// UpgradeState implements resource.ResourceWithUpgradeState. Early releases of the old
// provider misspelt two names.
func (r *nodegroupResource) UpgradeState(ctx context.Context) map[int64]resource.StateUpgrader {
	return upgraders(ctx, r, map[string]string{"instanec_types": "instance_types", "exernal_dns_access": "external_dns_access"})
}

// UpgradeState implements resource.ResourceWithUpgradeState.
func (r *serviceAccountResource) UpgradeState(ctx context.Context) map[int64]resource.StateUpgrader {
	return upgraders(ctx, r, nil)
}

func upgraders(ctx context.Context, r resource.Resource, renamed map[string]string) map[int64]resource.StateUpgrader {
	var s resource.SchemaResponse
	r.Schema(ctx, resource.SchemaRequest{}, &s)
	return connection.Upgraders(s.Schema, renamed)
}
