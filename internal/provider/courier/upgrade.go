package courier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/norikae/norikae/internal/provider/connection"
)

// UpgradeState reads what the old provider wrote, which is version 0: the same names,
// with "", 0, [] and {} for what is not set.
func (c *courier[M, P]) UpgradeState(ctx context.Context) map[int64]resource.StateUpgrader {
	s := c.kind.schema(ctx)
	known := map[string]bool{}
	var lists []string
	for name := range s.Attributes {
		known[name] = true
	}
	for name := range s.Blocks {
		known[name] = true
		if name != "timeouts" {
			lists = append(lists, name)
		}
	}
	return map[int64]resource.StateUpgrader{0: {StateUpgrader: func(_ context.Context, req resource.UpgradeStateRequest, resp *resource.UpgradeStateResponse) {
		if req.RawState == nil {
			resp.Diagnostics.AddError("The state cannot be upgraded", "Terraform gave no state.")
			return
		}
		data, err := upgraded(req.RawState.JSON, known, lists)
		if err != nil {
			resp.Diagnostics.AddError("The state cannot be upgraded", err.Error())
			return
		}
		resp.DynamicValue = &tfprotov6.DynamicValue{JSON: data}
	}}}
}

// upgraded is an old state in the form of this version.
func upgraded(old []byte, known map[string]bool, lists []string) ([]byte, error) {
	if len(old) == 0 {
		return nil, errors.New("it is not written as JSON: apply once with Terraform 0.12 or later and the old provider first")
	}
	state := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(old))
	d.UseNumber()
	if err := d.Decode(&state); err != nil {
		return nil, fmt.Errorf("reading it: %w", err)
	}
	for name := range state {
		if !known[name] {
			delete(state, name)
		}
	}
	for _, name := range []string{"headers", "querystrings"} {
		if known[name] {
			state[name] = dynamicMap(state[name])
		}
	}
	connection.EmptyRole(state[connection.Block])
	for _, name := range lists {
		if state[name] == nil {
			state[name] = []any{}
		}
	}
	out, err := json.Marshal(state)
	if err != nil {
		return nil, fmt.Errorf("writing it: %w", err)
	}
	return out, nil
}

// dynamicMap is a map of texts as a value that carries its own type. What is not set is
// the empty map, which a configuration may have spelled out: {} cannot be planned as null.
func dynamicMap(old any) map[string]any {
	was, _ := old.(map[string]any) // the SDK knew texts alone
	entries, of := map[string]any{}, map[string]any{}
	for name, v := range was {
		if text, ok := v.(string); ok {
			entries[name], of[name] = text, "string"
		}
	}
	return map[string]any{"value": entries, "type": []any{"object", of}}
}
