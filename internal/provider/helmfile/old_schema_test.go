package helmfile

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// A file for the provider that ours succeeds is taken as it is: every attribute that it
// had is there, of the same type and kind, and takes a value.
func TestEveryAttributeOfTheOldProviderIsTaken(t *testing.T) {
	const (
		required = "required"
		optional = "optional"
		computed = "computed"
	)
	text, number, truth, texts, words := tftypes.String, tftypes.Number, tftypes.Bool, tftypes.List{ElementType: tftypes.String}, tftypes.Map{ElementType: tftypes.String}
	type attribute struct {
		kind  string
		ty    tftypes.Type
		value any
	}
	both := map[string]attribute{
		"aws_region": {optional, text, "us-east-2"}, "aws_profile": {optional, text, "prod"},
		"kubeconfig": {required, text, ""}, "values": {optional, texts, []string{"a: 1", `{"b": 2}`}},
		"working_directory": {optional, text, "."}, "binary": {optional, text, "helmfile-0.144"}, "helm_binary": {optional, text, "helm3"},
		"helm_version": {optional, text, "3.5.4"}, "dirty": {optional, truth, true},
		"diff_output": {computed, text, nil}, "apply_output": {computed, text, nil}, "error": {computed, text, nil},
	}
	for typeName, own := range map[string]map[string]attribute{
		"helmfile_release_set": {
			"values_files": {optional, texts, []string{"a.yaml"}}, "skip_diff_on_missing_files": {optional, texts, []string{"later.yaml"}},
			"selector": {optional, words, map[string]string{"tier": "web"}}, "selectors": {optional, texts, []string{"tier=web"}},
			"environment_variables": {optional, words, map[string]string{"A": "b"}}, "path": {optional, text, "helmfile.yaml"},
			"content": {optional, text, "releases: []"}, "version": {optional, text, "v0.144.0"}, "helm_diff_version": {optional, text, "v3.1.3"},
			"environment": {optional, text, "default"}, "concurrency": {optional, number, 0}, "releases_values": {optional, words, map[string]string{"x.y": "z"}},
		},
		"helmfile_release": {
			"namespace": {optional, text, "prod"}, "name": {optional, text, "web"}, "chart": {required, text, "stable/web"}, "version": {optional, text, "~1.2"},
			"verify": {optional, truth, true}, "wait": {optional, truth, false}, "force": {optional, truth, true}, "atomic": {optional, truth, false},
			"cleanup_on_fail": {optional, truth, false}, "timeout": {optional, number, 120}, "kubecontext": {optional, text, "blue"},
		},
	} {
		for _, table := range []map[string]attribute{both, own} {
			for name, want := range table {
				t.Run(typeName+"/"+name, func(t *testing.T) {
					c := newCore(t, typeName, (&stub{}).ports())
					got := c.attribute(name)
					if got == nil {
						t.Fatal("there is no such attribute")
					}
					kind := optional
					if got.Required {
						kind = required
					} else if !got.Optional {
						kind = computed
					}
					if kind != want.kind || !got.Type.Equal(want.ty) {
						t.Errorf("it is %s, of the type %s; want %s, %s", kind, got.Type, want.kind, want.ty)
					}
					if want.value == nil {
						return
					}
					v := values{"kubeconfig": "", name: want.value}
					if typeName == "helmfile_release" && name != "chart" {
						v["chart"] = "./web"
					}
					c.mustPlan(c.none(), v) // checks that it is planned as it was given
				})
			}
		}
		t.Run(typeName+"/aws_assume_role", func(t *testing.T) {
			c := newCore(t, typeName, (&stub{}).ports())
			for _, b := range c.schema.Block.BlockTypes {
				if b.TypeName == "aws_assume_role" && b.Nesting == tfprotov6.SchemaNestedBlockNestingModeList {
					return
				}
			}
			t.Error("it is no block that may be left out or given once")
		})
	}
}

// attribute of the schema; nil: none.
func (c *core) attribute(name string) *tfprotov6.SchemaAttribute {
	for _, a := range c.schema.Block.Attributes {
		if a.Name == name {
			return a
		}
	}
	return nil
}
