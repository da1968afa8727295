package connection

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// The old providers' SDK wrote "", 0, [] and {} into the state for what is not set. With
// these modifiers on an optional and computed attribute such a state shows no
// difference: what is not configured stays as the state spells it, or is null. Whoever
// needs to know what is set must therefore look at the configuration, not at the plan.

const unsetText = "What is not configured is null; an empty value of an older state counts as not configured."

// UnsetString treats null and "" of the state alike.
func UnsetString() planmodifier.String { return unset{} }

// UnsetInt64 treats null and 0 of the state alike.
func UnsetInt64() planmodifier.Int64 { return unset{} }

// UnsetFloat64 treats null and 0 of the state alike.
func UnsetFloat64() planmodifier.Float64 { return unset{} }

// UnsetBool treats null and false of the state alike.
func UnsetBool() planmodifier.Bool { return unset{} }

// UnsetSet treats null and [] of the state alike.
func UnsetSet() planmodifier.Set { return unset{} }

// UnsetList treats null and [] of the state alike.
func UnsetList() planmodifier.List { return unset{} }

// UnsetMap treats null and {} of the state alike.
func UnsetMap() planmodifier.Map { return unset{} }

type unset struct{}

func (unset) Description(context.Context) string         { return unsetText }
func (unset) MarkdownDescription(context.Context) string { return unsetText }

func (unset) PlanModifyString(_ context.Context, req planmodifier.StringRequest, resp *planmodifier.StringResponse) {
	if !req.ConfigValue.IsNull() {
		return
	}
	resp.PlanValue = types.StringNull()
	if !req.StateValue.IsNull() && req.StateValue.ValueString() == "" {
		resp.PlanValue = req.StateValue
	}
}

func (unset) PlanModifyInt64(_ context.Context, req planmodifier.Int64Request, resp *planmodifier.Int64Response) {
	if !req.ConfigValue.IsNull() {
		return
	}
	resp.PlanValue = types.Int64Null()
	if !req.StateValue.IsNull() && req.StateValue.ValueInt64() == 0 {
		resp.PlanValue = req.StateValue
	}
}

func (unset) PlanModifyFloat64(_ context.Context, req planmodifier.Float64Request, resp *planmodifier.Float64Response) {
	if !req.ConfigValue.IsNull() {
		return
	}
	resp.PlanValue = types.Float64Null()
	if !req.StateValue.IsNull() && req.StateValue.ValueFloat64() == 0 {
		resp.PlanValue = req.StateValue
	}
}

func (unset) PlanModifyBool(_ context.Context, req planmodifier.BoolRequest, resp *planmodifier.BoolResponse) {
	if !req.ConfigValue.IsNull() {
		return
	}
	resp.PlanValue = types.BoolNull()
	if !req.StateValue.IsNull() && !req.StateValue.ValueBool() {
		resp.PlanValue = req.StateValue
	}
}

func (unset) PlanModifySet(ctx context.Context, req planmodifier.SetRequest, resp *planmodifier.SetResponse) {
	if !req.ConfigValue.IsNull() {
		return
	}
	resp.PlanValue = types.SetNull(req.StateValue.ElementType(ctx))
	if !req.StateValue.IsNull() && len(req.StateValue.Elements()) == 0 {
		resp.PlanValue = req.StateValue
	}
}

func (unset) PlanModifyList(ctx context.Context, req planmodifier.ListRequest, resp *planmodifier.ListResponse) {
	if !req.ConfigValue.IsNull() {
		return
	}
	resp.PlanValue = types.ListNull(req.StateValue.ElementType(ctx))
	if !req.StateValue.IsNull() && len(req.StateValue.Elements()) == 0 {
		resp.PlanValue = req.StateValue
	}
}

func (unset) PlanModifyMap(ctx context.Context, req planmodifier.MapRequest, resp *planmodifier.MapResponse) {
	if !req.ConfigValue.IsNull() {
		return
	}
	resp.PlanValue = types.MapNull(req.StateValue.ElementType(ctx))
	if !req.StateValue.IsNull() && len(req.StateValue.Elements()) == 0 {
		resp.PlanValue = req.StateValue
	}
}

// EmptyRole makes the null collections of assume_role blocks, as an old state has them in
// JSON, empty ones. A configuration may spell out [] or {}, which Terraform does not let a
// provider plan as null; for one that does not, the modifiers keep what is empty.
func EmptyRole(blocks any) {
	list, _ := blocks.([]any)
	for _, b := range list {
		role, ok := b.(map[string]any)
		if !ok {
			continue
		}
		for _, f := range roleFields() {
			switch {
			case role[f.name] != nil:
			case f.kind == aSet:
				role[f.name] = []any{}
			case f.kind == aMap:
				role[f.name] = map[string]any{}
			}
		}
	}
}
