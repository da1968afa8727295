package courier

import (
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// keepSpelling plans the state's spelling of headers or query strings where the
// configuration says the same: "2" and ["2"], nothing and {}. Terraform accepts the value
// of the state in place of one that is configured, unless it is null.
type keepSpelling struct{}

func (keepSpelling) Description(context.Context) string {
	return "A value and a list of that value alone are the same."
}

func (k keepSpelling) MarkdownDescription(ctx context.Context) string { return k.Description(ctx) }

func (keepSpelling) PlanModifyDynamic(ctx context.Context, req planmodifier.DynamicRequest, resp *planmodifier.DynamicResponse) {
	configured := !req.ConfigValue.IsNull()
	if !configured {
		resp.PlanValue = types.DynamicNull()
	}
	raw, err := req.ConfigValue.ToTerraformValue(ctx)
	if err != nil || !raw.IsFullyKnown() || configured && req.StateValue.IsNull() {
		return
	}
	now, ok := matchesOf(req.ConfigValue)
	before, was := matchesOf(req.StateValue)
	if ok && was && sameEntries(now, before) {
		resp.PlanValue = req.StateValue
	}
}

func sameEntries(a, b map[string][]string) bool {
	return maps.EqualFunc(a, b, func(a, b []string) bool { return slices.Equal(distinct(a), distinct(b)) })
}
