// Package old holds skeletons of the providers mumoshu/eksctl and mumoshu/helmfile, whose
// successors ours are. They have the old schemas and keep what is configured; they call
// nobody. What they are good for is the state they write, with all habits of Terraform's
// SDK: "" and 0 for defaults, null for what is unset, [] for blocks that are not there.
//
// The old providers were built on version 1 of the SDK. Version 2, which can still be
// built, writes the same state for these schemas.
package old

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
)

// fields of a resource, a block or a provider.
type fields = map[string]*schema.Schema

// option changes an attribute.
type option = func(*schema.Schema)

func attribute(t schema.ValueType, options ...option) *schema.Schema {
	s := &schema.Schema{Type: t, Optional: true}
	for _, o := range options {
		o(s)
	}
	return s
}

func text(options ...option) *schema.Schema    { return attribute(schema.TypeString, options...) }
func integer(options ...option) *schema.Schema { return attribute(schema.TypeInt, options...) }
func number(options ...option) *schema.Schema  { return attribute(schema.TypeFloat, options...) }
func boolean(options ...option) *schema.Schema { return attribute(schema.TypeBool, options...) }

func required(s *schema.Schema) { s.Required, s.Optional = true, false }
func computed(s *schema.Schema) { s.Computed, s.Optional = true, false }
func maybe(s *schema.Schema)    { s.Computed = true }
func replaces(s *schema.Schema) { s.ForceNew = true }

func defaults(v any) option { return func(s *schema.Schema) { s.Default = v } }

func of(t, elem schema.ValueType, options ...option) *schema.Schema {
	s := attribute(t, options...)
	s.Elem = &schema.Schema{Type: elem}
	return s
}

func texts(options ...option) *schema.Schema {
	return of(schema.TypeList, schema.TypeString, options...)
}

func textSet(options ...option) *schema.Schema {
	return of(schema.TypeSet, schema.TypeString, options...)
}

func textMap(options ...option) *schema.Schema {
	return of(schema.TypeMap, schema.TypeString, options...)
}

func blocks(t schema.ValueType, f fields, options ...option) *schema.Schema {
	s := attribute(t, options...)
	s.Elem = &schema.Resource{Schema: f}
	return s
}

// assumeRole was the same in both providers, on provider and resources.
func assumeRole() *schema.Schema {
	return blocks(schema.TypeList, fields{
		"role_arn":            text(),
		"session_name":        text(),
		"external_id":         text(),
		"duration_seconds":    integer(),
		"policy":              text(),
		"policy_arns":         textSet(),
		"tags":                textMap(),
		"transitive_tag_keys": textSet(),
	}, func(s *schema.Schema) { s.MaxItems = 1 })
}

// resource keeps what is configured. On create it gets an ID and what is computed.
func resource(f fields, id func(*schema.ResourceData) string, computed func(*schema.ResourceData) map[string]any) *schema.Resource {
	keep := func(context.Context, *schema.ResourceData, any) diag.Diagnostics { return nil }
	r := &schema.Resource{
		Schema: f,
		CreateContext: func(_ context.Context, d *schema.ResourceData, _ any) diag.Diagnostics {
			d.SetId(id(d))
			for k, v := range computed(d) {
				if err := d.Set(k, v); err != nil {
					return diag.FromErr(fmt.Errorf("setting %s: %w", k, err))
				}
			}
			return nil
		},
		ReadContext: keep, DeleteContext: keep,
	}
	// The SDK refuses an update where every attribute replaces the resource.
	for name := range f {
		if s := f[name]; !s.ForceNew && (s.Optional || s.Required) {
			r.UpdateContext = keep
		}
	}
	return r
}

// The old providers' IDs say nothing of what they identify. Ours look the same, and are
// made of the configuration, so that generated files do not change by chance.

// xid has the form of github.com/rs/xid: 20 characters of base32hex, in lower case.
func xid(of ...string) func(*schema.ResourceData) string {
	return func(d *schema.ResourceData) string {
		sum := digest(d, of)
		return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:12]))[:20]
	}
}

// decimal has the form of a random 63-bit integer.
func decimal(of ...string) func(*schema.ResourceData) string {
	return func(d *schema.ResourceData) string {
		sum := digest(d, of)
		n := new(big.Int).SetBytes(sum[:8])
		return n.Rsh(n, 1).String()
	}
}

func digest(d *schema.ResourceData, of []string) [sha256.Size]byte {
	of = slices.Sorted(slices.Values(of))
	var b strings.Builder
	for _, k := range of {
		fmt.Fprintf(&b, "%s=%v\n", k, d.Get(k))
	}
	return sha256.Sum256([]byte(b.String()))
}
