package eksctl_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// upgrade a state that the old provider wrote.
func (tf *terraform) upgrade(resource, state string) tftypes.Value {
	tf.t.Helper()
	resp, err := tf.UpgradeResourceState(tf.t.Context(), &tfprotov6.UpgradeResourceStateRequest{
		TypeName: resource, RawState: &tfprotov6.RawState{JSON: []byte(state)},
	})
	if err != nil {
		tf.t.Fatal(err)
	}
	tf.clean(resp.Diagnostics)
	return tf.value(tf.kind(resource), resp.UpgradedState)
}

// The old provider wrote null where the configuration had an empty collection, and where it
// had none. A difference would replace the node group, whatever runs on it.
func TestAnOldNodeGroupIsNotReplaced(t *testing.T) {
	empties := object{
		"cluster": "blue", "name": "ng1", "tags": object{}, "node_labels": object{},
		"node_zones": []any{}, "node_security_groups": []any{}, "instance_types": []any{},
	}
	for name, c := range map[string]struct {
		state  string
		config object
	}{
		"nothing is configured":           {`{"id": "7", "cluster": "blue", "name": "ng1", "drain": true, "region": "us-east-1", "assume_role": []}`, object{"cluster": "blue", "name": "ng1"}},
		"collections that are empty":      {`{"id": "7", "cluster": "blue", "name": "ng1", "drain": true, "region": "us-east-1", "assume_role": null, "tags": null, "node_labels": null, "node_zones": [], "node_security_groups": null}`, empties},
		"empty texts, zeros and falses":   {`{"id": "7", "cluster": "blue", "name": "ng1", "drain": true, "region": "us-east-1", "node_ami": "", "nodes": 0, "spot": false, "tags": {}}`, object{"cluster": "blue", "name": "ng1"}},
		"names of early releases":         {`{"id": "7", "cluster": "blue", "name": "ng1", "drain": true, "region": "us-east-1", "instanec_types": ["m5.large"], "exernal_dns_access": true}`, object{"cluster": "blue", "name": "ng1", "instance_types": []any{"m5.large"}, "external_dns_access": true}},
		"both names, and the right is it": {`{"id": "7", "cluster": "blue", "name": "ng1", "drain": true, "region": "us-east-1", "instanec_types": null, "instance_types": ["m5.large"]}`, object{"cluster": "blue", "name": "ng1", "instance_types": []any{"m5.large"}}},
		"a number that is a text now":     {`{"id": "7", "cluster": "blue", "name": "ng1", "drain": true, "region": "us-east-1", "node_volume_type": 3}`, object{"cluster": "blue", "name": "ng1", "node_volume_type": "3"}},
		"what nobody knows any more":      {`{"id": "7", "cluster": "blue", "name": "ng1", "drain": true, "region": "us-east-1", "of_a_fork": {"a": 1}}`, object{"cluster": "blue", "name": "ng1"}},
	} {
		t.Run(name, func(t *testing.T) {
			tf := start(t, newWorld(), object{"region": "us-east-1"})
			state := tf.upgrade("eksctl_nodegroup", c.state)
			p := tf.plan("eksctl_nodegroup", &state, c.config)
			tf.clean(p.diags)
			if p.replace || p.changes() {
				t.Errorf("replaced: %t\nstate %s\nplan  %s", p.replace, show(state), show(p.value))
			}
		})
	}
}

func TestAnOldClustersBlocksAreUpgraded(t *testing.T) {
	tf := start(t, newWorld(), object{"region": "us-east-1"})
	state := tf.upgrade("eksctl_cluster", `{"id": "7", "name": "blue", "region": "us-east-1", "spec": "", "version": "1.16", "metrics": [{"provider": "datadog"}],
		"assume_role": [{"role_arn": "arn:aws:iam::123456789012:role/x", "policy_arns": null, "tags": null, "of_a_fork": 1}],
		"pods_readiness_check": [{"namespace": "web", "labels": null, "timeout_sec": 300}],
		"iam_identity_mapping": [{"iamarn": "arn:aws:iam::123456789012:role/x", "username": "x", "groups": null}],
		"alb_attachment": [{"node_group_name": "ng1", "metrics": []}]}`)
	for _, want := range []string{
		`"policy_arns":tftypes.Set[tftypes.String]<>`, `"tags":tftypes.Map[tftypes.String]<>`,
		`"labels":tftypes.Map[tftypes.String]<>`, `"groups":tftypes.List[tftypes.String]<>`, `"duration_seconds":tftypes.Number<null>`,
	} {
		if got := state.String(); !strings.Contains(got, want) {
			t.Errorf("there is no %s in %s", want, got)
		}
	}
}

func TestAStateThatIsNoStateIsRefused(t *testing.T) {
	tf := start(t, newWorld(), object{"region": "us-east-1"})
	for name, raw := range map[string]tfprotov6.RawState{
		"of Terraform 0.11": {Flatmap: map[string]string{"id": "7", "name": "blue"}},
		"a list":            {JSON: []byte(`[]`)},
		"cut off":           {JSON: []byte(`{"id": "7"`)},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := tf.UpgradeResourceState(t.Context(), &tfprotov6.UpgradeResourceStateRequest{TypeName: "eksctl_cluster", RawState: &raw})
			if err != nil {
				t.Fatal(err)
			}
			if !failed(resp.Diagnostics) || resp.Diagnostics[0].Summary != "The state cannot be upgraded" {
				t.Errorf("it was taken: %v", resp.Diagnostics)
			}
		})
	}
}
