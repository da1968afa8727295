package eksctl_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

const account = "eksctl_iamserviceaccount"

func dns(change ...func(object)) object {
	o := object{"name": "dns", "namespace": "kube-system", "cluster": "blue", "region": "cn-north-1", "attach_policy_arn": "arn:aws:iam::aws:policy/X"}
	for _, f := range change {
		f(o)
	}
	return o
}

func TestWhatWasImportedIsTakenAsDeclaredOnceAndThenReplaced(t *testing.T) {
	for name, tc := range map[string]struct {
		world    func(*world)
		resource string
		ids      []string // lead to the same
		id       string
		config   object
		other    object // makes another one
	}{
		"a managed node group": {
			func(*world) {}, nodegroup,
			[]string{"blue/web", "cn-north-1/blue/web"},
			"blue/web",
			group(with("nodes", 3), with("managed", true), with("node_labels", object{"a": "b"}), with("instance_types", []any{"m6i.large"}), with("node_type", "m6i.large")),
			group(with("nodes", 4), with("managed", true), with("node_labels", object{"a": "b"}), with("instance_types", []any{"m6i.large"}), with("node_type", "m6i.large")),
		},
		"a node group with its name only": {func(*world) {}, nodegroup, []string{"blue/web"}, "blue/web", group(), group(with("spot", true))},
		"a node group that eksctl keeps by itself": {
			func(w *world) { w.groups = map[string]bool{}; w.ownGroups = `[{"StackName":"x","Name":"web"}]` }, nodegroup, []string{"blue/web"}, "blue/web", group(), group(with("spot", true)),
		},
		"a service account": {
			func(w *world) {
				w.accounts = "[\n {\"metadata\":{\"name\":\"dns\",\"namespace\":\"kube-system\"},\"status\":{\"roleARN\":\"x\"}}\n]\n"
			},
			account,
			[]string{"blue/kube-system/dns", "cn-north-1/blue/kube-system/dns"},
			"blue/kube-system/dns", dns(), dns(with("attach_policy_arn", "arn:aws:iam::aws:policy/Y")),
		},
		"a service account, by an older eksctl": {
			func(w *world) {
				w.accounts = "{\n \"kind\": \"ClusterConfig\",\n \"iam\": {\"serviceAccounts\": [{\"metadata\":{\"name\":\"dns\",\"namespace\":\"kube-system\"}}]}\n}\n"
			},
			account,
			[]string{"blue/kube-system/dns"},
			"blue/kube-system/dns", dns(), dns(with("attach_policy_arn", "arn:aws:iam::aws:policy/Y")),
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			tf := start(t, w, object{"region": "cn-north-1"})
			tf.must(cluster, nil, blue())
			tc.world(w)
			for _, id := range tc.ids {
				state, diags := tf.imports(tc.resource, id)
				tf.clean(diags)
				if got := tf.get(state, "id"); got != tc.id {
					t.Fatalf("the id is %s", got)
				}
				w.ran = nil
				p := tf.plan(tc.resource, &state, tc.config)
				tf.clean(p.diags)
				if said := text(p.diags, tfprotov6.DiagnosticSeverityWarning); p.replace || !strings.Contains(said, "taken as declared") {
					t.Fatalf("replaced: %v; said %q", p.replace, said)
				}
				state, diags = tf.apply(p)
				tf.clean(diags)
				state, diags = tf.refresh(tc.resource, state)
				tf.clean(diags)
				if p = tf.plan(tc.resource, &state, tc.config); p.changes() || len(p.diags) > 0 {
					diff, _ := p.value.Diff(p.prior)
					t.Errorf("the plan after the import is not empty: %v %v", diff, p.diags)
				}
				if len(w.ran) != 0 {
					t.Errorf("an import ran %q", w.lines())
				}
				if p = tf.plan(tc.resource, &state, tc.other); !p.replace {
					t.Error("a change after the import does not make another one")
				}
			}
		})
	}
}

func TestIDsThatCannotBeImported(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{"region": "cn-north-1"})
	tf.must(cluster, nil, blue())
	w.ownGroups, w.accounts = "[]", "No iamserviceaccounts found\n"
	lost := start(t, w, object{})
	var out strings.Builder
	for _, tc := range []struct {
		name, resource, id string
		tf                 *terraform
	}{
		{"a cluster by three parts", cluster, "us-east-1/blue/web", tf},
		{"a cluster with an underscore", cluster, "blue_1", tf},
		{"a cluster in no region", cluster, "US/blue", tf},
		{"a cluster without a region", cluster, "blue", lost},
		{"nothing", nodegroup, "", tf},
		{"a node group without its cluster", nodegroup, "web", tf},
		{"a node group by four parts", nodegroup, "us-east-1/blue/web/x", tf},
		{"a node group in no region", nodegroup, "blue/web/x", tf},
		{"a node group with a space", nodegroup, "blue/a b", tf},
		{"a node group with an empty name", nodegroup, "blue/", tf},
		{"a node group without a region", nodegroup, "blue/web", lost},
		{"a node group of a cluster that is not there", nodegroup, "green/web", tf},
		{"a node group that is not there", nodegroup, "blue/none", tf},
		{"a service account without a namespace", account, "blue/dns", tf},
		{"a service account by five parts", account, "us-east-1/blue/kube-system/dns/x", tf},
		{"a service account in no region", account, "US/blue/kube-system/dns", tf},
		{"a service account in capitals", account, "blue/kube-system/DNS", tf},
		{"a service account of a cluster that is not there", account, "green/kube-system/dns", tf},
		{"a service account that is not there", account, "blue/kube-system/none", tf},
	} {
		_, diags := tc.tf.imports(tc.resource, tc.id)
		said := text(diags, tfprotov6.DiagnosticSeverityError)
		if said == "" {
			t.Errorf("%s is taken", tc.name)
		}
		fmt.Fprintf(&out, "%s, %q:\n    %s\n", tc.name, tc.id, strings.ReplaceAll(strings.TrimSpace(said), "\n", "\n    "))
	}
	golden(t, "not-imported.txt", out.String())
}

func TestANodeGroupThatEKSForgotIsGone(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	tf.must(cluster, nil, blue())
	delete(w.groups, "web")
	state := tf.must(nodegroup, nil, group())
	state, diags := tf.refresh(nodegroup, state) // EKS has it: it is a managed one
	tf.clean(diags)
	delete(w.groups, "web")
	if state, diags = tf.refresh(nodegroup, state); !state.IsNull() || failed(diags) {
		t.Errorf("somebody deleted it, and it is still in the state: %s", text(diags, tfprotov6.DiagnosticSeverityError))
	}
	state = tf.must(nodegroup, nil, group())
	delete(w.groups, "web") // one that eksctl keeps by itself: EKS never knew it
	if state, diags = tf.refresh(nodegroup, state); state.IsNull() || failed(diags) {
		t.Errorf("it is gone from the state: %s", text(diags, tfprotov6.DiagnosticSeverityError))
	}
}
