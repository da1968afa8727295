package eksctl_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

func TestBadInputIsRefusedBeforeAnythingIsTouched(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	state := tf.must(cluster, nil, blue())
	w.ran = nil
	const account, nodes = "eksctl_iamserviceaccount", "eksctl_nodegroup"
	sa := func(change func(object)) object {
		o := object{"name": "dns", "cluster": "blue", "region": "cn-north-1", "attach_policy_arn": "arn:aws:iam::aws:policy/X"}
		change(o)
		return o
	}
	ng := func(change ...func(object)) object {
		o := object{"name": "web", "cluster": "blue", "region": "cn-north-1"}
		for _, f := range change {
			f(o)
		}
		return o
	}
	var out strings.Builder
	for _, tc := range []struct {
		name, resource string
		config         object
		update         bool
	}{
		{"a VPC's ID in the spec", cluster, blue(with("spec", "vpc: {id: vpc-1}")), false},
		{"a spec that is no YAML", cluster, blue(with("spec", "a: [")), false},
		{"a spec with a key twice", cluster, blue(with("spec", "iam: {}\niam: {}")), false},
		{"two node groups of one name", cluster, blue(with("spec", spec("a", "a"))), false},
		{"an empty name", cluster, blue(with("name", "")), false},
		{"a name with an underscore", cluster, blue(with("name", "blue_1")), false},
		{"a version with a patch", cluster, blue(with("version", "1.33.1")), false},
		{"a version that is a word", cluster, blue(with("version", "latest")), false},
		{"a release that is a range", cluster, blue(with("eksctl_version", ">= 0.200")), false},
		{"a drained node group that is not there", cluster, blue(with("drain_node_groups", object{"none": true})), false},
		{"a mapping of no principal", cluster, blue(with("iam_identity_mapping", []any{object{"iamarn": "argocd", "username": "x", "groups": []any{}}})), false},
		{"a mapping without a user name", cluster, blue(with("iam_identity_mapping", []any{object{"iamarn": argocd, "username": "", "groups": []any{}}})), false},
		{"a principal that is mapped twice", cluster, blue(with("iam_identity_mapping", []any{
			object{"iamarn": argocd, "username": "x", "groups": []any{"a"}}, object{"iamarn": argocd, "username": "x", "groups": []any{"b"}},
		})), false},
		{"groups that access entries cannot have", cluster, blue(mapped("system:nodes"), with("spec", "accessConfig: {authenticationMode: API}")), false},
		{"an attachment of a managed node group", cluster, blue(attached("web"), with("spec", spec("web"))), false},
		{"an attachment of another node group", cluster, blue(attached("own"), with("spec", "nodeGroups: [{name: own}]")), false},
		{"an attachment with nothing known", cluster, blue(with("alb_attachment", []any{object{"node_group_name": tftypes.UnknownValue}}), with("spec", tftypes.UnknownValue)), false},
		{"an object of a kind that is not deleted", cluster, blue(with("kubernetes_resource_deletion_before_destroy", []any{object{"namespace": "a", "kind": "node", "name": "x"}})), false},
		{"a check that waits for nothing", cluster, blue(with("pods_readiness_check", []any{object{"namespace": "a", "labels": object{}, "timeout_sec": 0}})), false},
		{"a role that is no role", cluster, blue(with("assume_role", []any{object{"role_arn": "admin"}})), false},
		{"no region anywhere", cluster, blue(with("region", nil)), false},
		{"a timeout that is no duration", cluster, blue(with("timeouts", object{"create": "an hour"})), false},
		{"two minors up", cluster, blue(with("version", "1.35")), true},
		{"a minor down", cluster, blue(with("version", "1.32")), true},
		{"fewer nodes than the least", nodes, ng(with("nodes", 1), with("nodes_min", 2)), false},
		{"a least above the greatest", nodes, ng(with("nodes_min", 3), with("nodes_max", 2)), false},
		{"a negative number of nodes", nodes, ng(with("nodes", -1)), false},
		{"a comma in a list", nodes, ng(with("node_zones", []any{"a,b"})), false},
		{"a comma in a label", nodes, ng(with("node_labels", object{"a": "b,c=d"})), false},
		{"a node group's name with a space", nodes, ng(with("name", "a b")), false},
		{"a policy that is no ARN", account, sa(with("attach_policy_arn", "AmazonS3FullAccess")), false},
		{"a service account in capitals", account, sa(with("name", "DNS")), false},
		{"a namespace with a slash", account, sa(with("namespace", "a/b")), false},
	} {
		diags := tf.validate(tc.resource, tc.config)
		if !failed(diags) {
			prior := &state
			if !tc.update {
				prior = nil
			}
			diags = tf.plan(tc.resource, prior, tc.config).diags
		}
		said := text(diags, tfprotov6.DiagnosticSeverityError)
		if said == "" {
			t.Errorf("%s is taken", tc.name)
		}
		fmt.Fprintf(&out, "%s:\n    %s\n", tc.name, strings.ReplaceAll(strings.TrimSpace(said), "\n", "\n    "))
	}
	if len(w.ran) != 0 {
		t.Errorf("eksctl ran: %q", w.lines())
	}
	golden(t, "refused.txt", out.String())
}

func attached(group string) func(object) {
	return with("alb_attachment", []any{object{
		"node_group_name": group, "listener_arn": "arn:aws:elasticloadbalancing:us-east-1:111122223333:listener/app/a/1/2", "protocol": "http", "node_port": 30080, "weight": 100,
		"hosts": []any{"a.example"}, "headers": object{"X": []any{"y"}},
	}})
}

// golden compares with a file of testdata, or writes it when NORIKAE_REWRITE is set.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join(here, "testdata", name)
	if os.Getenv("NORIKAE_REWRITE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (NORIKAE_REWRITE=1 writes it); got:\n%s", path, got)
	}
}

// here is the folder of this package: tests of the provider work in others.
var here, _ = os.Getwd()
