package connection

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// Upgraders read what the old provider wrote, which is version 0 of the schema s: the same
// names, with null for collections that are empty. renamed are attributes that had other
// names then, by those.
func Upgraders(s schema.Schema, renamed map[string]string) map[int64]resource.StateUpgrader {
	return map[int64]resource.StateUpgrader{0: {StateUpgrader: func(_ context.Context, req resource.UpgradeStateRequest, resp *resource.UpgradeStateResponse) {
		if req.RawState == nil {
			resp.Diagnostics.AddError("The state cannot be upgraded", "Terraform gave no state.")
			return
		}
		data, err := upgraded(req.RawState.JSON, s, renamed)
		if err != nil {
			resp.Diagnostics.AddError("The state cannot be upgraded", err.Error())
			return
		}
		resp.DynamicValue = &tfprotov6.DynamicValue{JSON: data}
	}}}
}

// upgraded is an old state in the form of the schema.
func upgraded(old []byte, s schema.Schema, renamed map[string]string) ([]byte, error) {
	if len(old) == 0 {
		return nil, errors.New("it is not written as JSON: apply once with Terraform 0.12 or later and the old provider first")
	}
	state := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(old))
	d.UseNumber()
	if err := d.Decode(&state); err != nil {
		return nil, fmt.Errorf("reading it: %w", err)
	}
	for before, now := range renamed {
		if state[now] == nil {
			state[now] = state[before]
		}
	}
	for name := range state {
		if s.Attributes[name] == nil && s.Blocks[name] == nil {
			delete(state, name)
		}
	}
	configurable(state, s.Attributes)
	for name, b := range s.Blocks {
		var inner map[string]schema.Attribute
		switch b := b.(type) {
		case schema.ListNestedBlock:
			inner = b.NestedObject.Attributes
		case schema.SetNestedBlock:
			inner = b.NestedObject.Attributes
		default:
			continue
		}
		blocks, _ := state[name].([]any)
		if blocks == nil {
			state[name] = []any{}
		}
		for _, block := range blocks {
			fields, ok := block.(map[string]any)
			if !ok {
				continue
			}
			for name := range fields {
				if inner[name] == nil {
					delete(fields, name)
				}
			}
			configurable(fields, inner)
		}
	}
	out, err := json.Marshal(state)
	if err != nil {
		return nil, fmt.Errorf("writing it: %w", err)
	}
	return out, nil
}

// configurable makes null collections empty ones where a configuration may say either: it
// may spell out [] or {}, which Terraform does not let a provider plan as null, and for
// one that does not, the modifiers of this package keep what is empty. Numbers become
// texts where the schema has texts now.
func configurable(state map[string]any, attributes map[string]schema.Attribute) {
	for name, a := range attributes {
		if !a.IsOptional() && !a.IsRequired() {
			continue
		}
		n, number := state[name].(json.Number)
		switch t := a.GetType(); {
		case number && t.Equal(types.StringType):
			state[name] = n.String()
		case state[name] != nil:
		case isMap(t):
			state[name] = map[string]any{}
		case isList(t):
			state[name] = []any{}
		}
	}
}

func isMap(t attr.Type) bool {
	_, ok := t.(types.MapType)
	return ok
}

func isList(t attr.Type) bool {
	switch t.(type) {
	case types.ListType, types.SetType:
		return true
	}
	return false
}
