package helmfile

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// upgrade a state that the old provider wrote.
func (c *core) upgrade(state string) tftypes.Value {
	c.t.Helper()
	resp, err := c.server.UpgradeResourceState(c.t.Context(), &tfprotov6.UpgradeResourceStateRequest{
		TypeName: c.typeName, RawState: &tfprotov6.RawState{JSON: []byte(state)},
	})
	c.must(err, resp.Diagnostics)
	return c.back(resp.UpgradedState)
}

// The old provider wrote null where the configuration had an empty collection.
func TestAnOldStateIsUpgradedWhateverIsEmpty(t *testing.T) {
	none, empty := values{"kubeconfig": ""}, values{"kubeconfig": "", "values": []string{}}
	for name, test := range map[string]struct {
		typeName, state string
		configs         []values
	}{
		"a release set": {
			"helmfile_release_set",
			`{"id": "1", "kubeconfig": "", "binary": "helmfile", "helm_binary": "helm", "dirty": false, "diff_output": "", "apply_output": "", "error": "", "concurrency": 0,
			  "values": null, "selector": null, "aws_assume_role": []}`,
			[]values{none, with(empty, values{
				"values_files": []string{}, "selector": map[string]string{}, "selectors": []string{}, "skip_diff_on_missing_files": []string{},
				"environment_variables": map[string]string{}, "releases_values": map[string]string{},
			})},
		},
		"a release": {
			"helmfile_release",
			`{"id": "1", "kubeconfig": "", "binary": "helmfile", "helm_binary": "helm", "dirty": false, "diff_output": "", "apply_output": "", "error": "", "name": "web", "chart": "./web",
			  "namespace": "default", "verify": false, "wait": true, "force": false, "atomic": true, "cleanup_on_fail": true, "timeout": 0, "values": null, "of_a_fork": true}`,
			[]values{with(none, values{"name": "web", "chart": "./web"}), with(empty, values{"name": "web", "chart": "./web"})},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCore(t, test.typeName, (&stub{}).ports())
			for _, v := range test.configs {
				state := c.refresh(c.upgrade(test.state))
				if plan := c.mustPlan(state, v); !plan.empty() {
					t.Errorf("%s\nis planned as\n%s", state, plan.value)
				}
			}
		})
	}
}
