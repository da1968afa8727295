package connection_test

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/internal/provider/connection"
)

// role is a block assume_role with some attributes set.
func role(set map[string]attr.Value) types.List {
	texts := types.SetType{ElemType: types.StringType}
	attrs := map[string]attr.Type{
		"role_arn": types.StringType, "session_name": types.StringType, "external_id": types.StringType, "duration_seconds": types.Int64Type,
		"policy": types.StringType, "policy_arns": texts, "tags": types.MapType{ElemType: types.StringType}, "transitive_tag_keys": texts,
	}
	all := map[string]attr.Value{
		"role_arn": types.StringNull(), "session_name": types.StringNull(), "external_id": types.StringNull(), "duration_seconds": types.Int64Null(),
		"policy": types.StringNull(), "policy_arns": types.SetNull(types.StringType), "tags": types.MapNull(types.StringType), "transitive_tag_keys": types.SetNull(types.StringType),
	}
	maps.Copy(all, set)
	return types.ListValueMust(types.ObjectType{AttrTypes: attrs}, []attr.Value{types.ObjectValueMust(attrs, all)})
}

func texts(list ...string) []attr.Value {
	var out []attr.Value
	for _, s := range list {
		out = append(out, types.StringValue(s))
	}
	return out
}

func TestAConnectionIsWhatTheBlockSays(t *testing.T) {
	const arn = "arn:aws:iam::123456789012:role/x"
	for name, c := range map[string]struct {
		model connection.Model
		want  connection.Connection
		ok    bool
		fails bool
	}{
		"nothing":          {connection.Model{}, connection.Connection{}, true, false},
		"region and so on": {connection.Model{Region: types.StringValue("r"), Profile: types.StringValue("p"), Address: types.StringValue("a")}, connection.Connection{Region: "r", Profile: "p", Address: "a"}, true, false},
		"a whole role": {
			connection.Model{AssumeRole: role(map[string]attr.Value{
				"role_arn": types.StringValue(arn), "session_name": types.StringValue("s1"), "external_id": types.StringValue("ext"),
				"duration_seconds": types.Int64Value(900), "policy": types.StringValue("{}"), "policy_arns": types.SetValueMust(types.StringType, texts("b", "a")),
				"tags": types.MapValueMust(types.StringType, map[string]attr.Value{"k": types.StringValue("v")}), "transitive_tag_keys": types.SetValueMust(types.StringType, texts("k")),
			})},
			connection.Connection{AssumeRole: &connection.AssumeRole{
				RoleARN: arn, SessionName: "s1", ExternalID: "ext", Duration: 15 * time.Minute, Policy: "{}",
				PolicyARNs: []string{"a", "b"}, Tags: map[string]string{"k": "v"}, TransitiveTagKeys: []string{"k"},
			}},
			true, false,
		},
		"an empty role assumes none":  {connection.Model{AssumeRole: role(map[string]attr.Value{"role_arn": types.StringValue("")})}, connection.Connection{}, true, false},
		"a role without its ARN":      {connection.Model{AssumeRole: role(map[string]attr.Value{"external_id": types.StringValue("x1")})}, connection.Connection{}, true, true},
		"a region that is not known":  {connection.Model{Region: types.StringUnknown()}, connection.Connection{}, false, false},
		"a role that is not known":    {connection.Model{AssumeRole: role(map[string]attr.Value{"role_arn": types.StringUnknown()})}, connection.Connection{}, false, false},
		"a transitive tag without it": {connection.Model{AssumeRole: role(map[string]attr.Value{"role_arn": types.StringValue(arn), "transitive_tag_keys": types.SetValueMust(types.StringType, texts("k"))})}, connection.Connection{}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok, diags := c.model.Connection(t.Context())
			if ok != c.ok || diags.HasError() != c.fails {
				t.Fatalf("ok %v, %v", ok, diags)
			}
			if d := cmp.Diff(c.want, got); d != "" && !c.fails {
				t.Error(d)
			}
		})
	}
}

func TestAConnectionIsFilledUpFromAnother(t *testing.T) {
	provider := connection.Connection{Region: "r", Profile: "p", AssumeRole: &connection.AssumeRole{RoleARN: "provider's"}}
	own := connection.Connection{Region: "mine", AssumeRole: &connection.AssumeRole{RoleARN: "mine"}}
	if d := cmp.Diff(connection.Connection{Region: "mine", Profile: "p", AssumeRole: own.AssumeRole}, own.Or(provider)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(provider, connection.Connection{}.Or(provider)); d != "" {
		t.Error(d)
	}
}

func TestWhatIsNotConfiguredStaysAsAnOldStateSpellsIt(t *testing.T) {
	for name, c := range map[string]struct{ config, state, want types.String }{
		"null stays null":                 {types.StringNull(), types.StringNull(), types.StringNull()},
		"an empty text stays":             {types.StringNull(), types.StringValue(""), types.StringValue("")},
		"a text that was removed is null": {types.StringNull(), types.StringValue("x"), types.StringNull()},
		"what is configured is planned":   {types.StringValue("y"), types.StringValue("x"), types.StringValue("y")},
	} {
		resp := planmodifier.StringResponse{PlanValue: c.config}
		if c.config.IsNull() {
			resp.PlanValue = types.StringUnknown()
		}
		connection.UnsetString().PlanModifyString(t.Context(), planmodifier.StringRequest{ConfigValue: c.config, StateValue: c.state}, &resp)
		if !resp.PlanValue.Equal(c.want) {
			t.Errorf("%s: %s", name, resp.PlanValue)
		}
	}
	for name, c := range map[string]struct{ state, want types.Float64 }{
		"0 stays":                           {types.Float64Value(0), types.Float64Value(0)},
		"a bound that was removed is unset": {types.Float64Value(5), types.Float64Null()},
	} {
		resp := planmodifier.Float64Response{PlanValue: types.Float64Unknown()}
		connection.UnsetFloat64().PlanModifyFloat64(t.Context(), planmodifier.Float64Request{ConfigValue: types.Float64Null(), StateValue: c.state}, &resp)
		if !resp.PlanValue.Equal(c.want) {
			t.Errorf("%s: %s", name, resp.PlanValue)
		}
	}
	empty := types.SetValueMust(types.StringType, nil)
	for name, c := range map[string]struct{ state, want types.Set }{
		"an empty set stays":               {empty, empty},
		"values that are removed are gone": {types.SetValueMust(types.StringType, texts("a")), types.SetNull(types.StringType)},
	} {
		resp := planmodifier.SetResponse{PlanValue: types.SetUnknown(types.StringType)}
		connection.UnsetSet().PlanModifySet(t.Context(), planmodifier.SetRequest{ConfigValue: types.SetNull(types.StringType), StateValue: c.state}, &resp)
		if !resp.PlanValue.Equal(c.want) {
			t.Errorf("%s: %s", name, resp.PlanValue)
		}
	}
}
