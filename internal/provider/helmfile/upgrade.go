package helmfile

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/norikae/norikae/internal/provider/connection"
)

// stateVersion of both resources; 0 are the old provider's.
const stateVersion = 1

var (
	_ resource.ResourceWithUpgradeState = (*release)(nil)
	_ resource.ResourceWithUpgradeState = (*releaseSet)(nil)
)

// UpgradeState implements resource.ResourceWithUpgradeState.
func (r *release) UpgradeState(ctx context.Context) map[int64]resource.StateUpgrader {
	return upgraders(ctx, r)
}

// UpgradeState implements resource.ResourceWithUpgradeState.
func (r *releaseSet) UpgradeState(ctx context.Context) map[int64]resource.StateUpgrader {
	return upgraders(ctx, r)
}

func upgraders(ctx context.Context, r resource.Resource) map[int64]resource.StateUpgrader {
	var s resource.SchemaResponse
	r.Schema(ctx, resource.SchemaRequest{}, &s)
	return connection.Upgraders(s.Schema, nil)
}
