package eksctl_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

const (
	nodegroup = "eksctl_nodegroup"
	created   = "create nodegroup --cluster=blue --name=web --region=cn-north-1"
	ending    = " --timeout=1h0m0s --color=false"
)

func group(change ...func(object)) object {
	o := object{"name": "web", "cluster": "blue", "region": "cn-north-1"}
	for _, f := range change {
		f(o)
	}
	return o
}

func TestEachAttributeOfANodeGroupIsAFlag(t *testing.T) {
	type flag struct {
		value any
		want  string // "": no flag
	}
	cases := map[string][]flag{
		"tags":                    {{object{"b": "2", "a": "1"}, "--tags=a=1,b=2"}, {object{}, ""}},
		"version":                 {{"1.33", "--version=1.33"}, {"", ""}},
		"node_type":               {{"m6i.large", "--node-type=m6i.large"}, {"--help", "--node-type=--help"}},
		"nodes":                   {{3, "--nodes=3"}, {0, ""}},
		"nodes_min":               {{1, "--nodes-min=1"}, {0, "--nodes-min=0"}},
		"nodes_max":               {{5, "--nodes-max=5"}},
		"node_volume_size":        {{80, "--node-volume-size=80"}},
		"node_volume_type":        {{"gp3", "--node-volume-type=gp3"}},
		"ssh_access":              {{true, "--ssh-access"}, {false, ""}},
		"ssh_public_key":          {{"~/.ssh/id.pub", "--ssh-public-key=~/.ssh/id.pub"}},
		"enable_ssm":              {{true, "--enable-ssm"}},
		"node_ami":                {{"auto", "--node-ami=auto"}},
		"node_ami_family":         {{"Bottlerocket", "--node-ami-family=Bottlerocket"}},
		"node_private_networking": {{true, "--node-private-networking"}},
		"node_security_groups":    {{[]any{"sg-1", "sg-2"}, "--node-security-groups=sg-1,sg-2"}, {[]any{}, ""}},
		"node_labels":             {{object{"a": "b"}, "--node-labels=a=b"}},
		"node_zones":              {{[]any{"cn-north-1a"}, "--node-zones=cn-north-1a"}},
		"instance_prefix":         {{"p", "--instance-prefix=p"}},
		"instance_name":           {{"n", "--instance-name=n"}},
		"disable_pod_imds":        {{true, "--disable-pod-imds"}},
		"managed":                 {{true, "--managed"}, {false, "--managed=false"}, {nil, ""}},
		"spot":                    {{true, "--spot"}},
		"instance_types":          {{[]any{"a", "b"}, "--instance-types=a,b"}},
		"asg_access":              {{true, "--asg-access"}},
		"external_dns_access":     {{true, "--external-dns-access"}},
		"full_ecr_access":         {{true, "--full-ecr-access"}},
		"appmesh_access":          {{true, "--appmesh-access"}},
		"appmesh_preview_access":  {{true, "--appmesh-preview-access"}},
		"alb_ingress_access":      {{true, "--alb-ingress-access"}},
		"install_neuron_plugin":   {{true, "--install-neuron-plugin"}, {false, "--install-neuron-plugin=false"}},
		"install_nvidia_plugin":   {{true, "--install-nvidia-plugin"}, {false, "--install-nvidia-plugin=false"}},
		"cfn_role_arn":            {{"arn:x", "--cfn-role-arn=arn:x"}},
		"cfn_disable_rollback":    {{true, "--cfn-disable-rollback"}},
	}
	w := newWorld()
	tf := start(t, w, object{})
	own := map[string]bool{"id": true, "cluster": true, "name": true, "region": true, "eksctl_version": true, "drain": true, "output": true}
	for _, a := range tf.schemas.ResourceSchemas[nodegroup].Block.Attributes {
		if !own[a.Name] && cases[a.Name] == nil {
			t.Errorf("%s has no test", a.Name)
		}
	}
	for attribute, flags := range cases {
		t.Run(attribute, func(t *testing.T) {
			for _, f := range flags {
				w.ran, w.groups, w.ownGroups = nil, map[string]bool{}, ""
				state := tf.must(nodegroup, nil, group(with(attribute, f.value)))
				want := strings.TrimSuffix(created+" "+f.want, " ") + ending
				if got := w.lines()[1]; got != want {
					t.Errorf("ran\n%s, want\n%s", got, want)
				}
				if tf.plan(nodegroup, &state, group(with(attribute, f.value))).changes() {
					t.Error("the plan after apply is not empty")
				}
			}
		})
	}
}

func TestANodeGroupIsMadeReadAndDestroyed(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{}, "AWS_REGION=cn-north-1")
	tf.must(cluster, nil, blue())
	w.groups = map[string]bool{}
	config := group(with("region", nil), with("managed", true), with("drain", false))
	state := tf.must(nodegroup, nil, config)
	if got := tf.get(state, "id"); got != "blue/web" {
		t.Errorf("id is %s", got)
	}
	state, diags := tf.refresh(nodegroup, state)
	if tf.clean(diags); state.IsNull() || tf.plan(nodegroup, &state, config).changes() {
		t.Fatal("a refresh changed something")
	}
	if p := tf.plan(nodegroup, &state, group(with("nodes", 4))); !p.replace {
		t.Error("another number of nodes does not make another node group")
	}
	w.ran = nil
	if _, diags := tf.destroy(nodegroup, state); failed(diags) || w.lines()[0] != "delete nodegroup --cluster=blue --name=web --region=cn-north-1 --drain=false --wait"+ending {
		t.Errorf("%q %s", w.lines(), text(diags, tfprotov6.DiagnosticSeverityError))
	}
	if state, diags = tf.refresh(nodegroup, state); !state.IsNull() {
		t.Errorf("it is still in the state: %v", diags)
	}
}

func TestANodeGroupOfSomebodyElseIsNotTakenOver(t *testing.T) {
	for name, tc := range map[string]struct {
		world func(*world)
		says  string
	}{
		"one that EKS manages":       {func(w *world) { w.groups["web"] = true }, "terraform import eksctl_nodegroup.NAME cn-north-1/blue/web"},
		"one that eksctl manages":    {func(w *world) { w.ownGroups = `[{"Name":"web"}]` }, "terraform import eksctl_nodegroup.NAME cn-north-1/blue/web"},
		"what eksctl cannot list":    {func(w *world) { w.fail = "get nodegroup" }, "there may be one of that name"},
		"what eksctl does not print": {func(w *world) { w.ownGroups = "a word" }, "eksctl printed no list"},
		"what EKS does not say":      {func(w *world) { w.denied = true }, "there may be one of that name"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			tc.world(w)
			tf := start(t, w, object{})
			state, diags := tf.apply(tf.plan(nodegroup, nil, group()))
			if said := text(diags, tfprotov6.DiagnosticSeverityError); !state.IsNull() || !strings.Contains(said, tc.says) {
				t.Errorf("state %s, said %s", state, said)
			}
			if ran := strings.Join(w.lines(), "\n"); strings.Contains(ran, "create") {
				t.Errorf("ran %s", ran)
			}
		})
	}
}

func TestANodeGroupThatFails(t *testing.T) {
	for name, tc := range map[string]struct {
		before bool
		config object
		says   string
	}{
		"before it is there leaves no state":         {true, group(), "eksctl delete nodegroup --cluster blue --region cn-north-1 --name web"},
		"when it is there keeps it":                  {false, group(), "marked as tainted"},
		"one that EKS does not know leaves none":     {true, group(with("managed", false)), "eksctl delete nodegroup --cluster blue --region cn-north-1 --name web"},
		"one that EKS does not know is kept as well": {false, group(with("managed", false)), "marked as tainted"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.fail, w.before = "create nodegroup", tc.before
			tf := start(t, w, object{})
			state, diags := tf.apply(tf.plan(nodegroup, nil, tc.config))
			if said := text(diags, tfprotov6.DiagnosticSeverityError); state.IsNull() != tc.before || !strings.Contains(said, tc.says) {
				t.Errorf("state %s, said %s", state, said)
			}
		})
	}
}

func TestAServiceAccountIsMadeReadAndDestroyed(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	tf.must(cluster, nil, blue())
	w.ran = nil
	config := object{"name": "dns", "cluster": "blue", "region": "cn-north-1", "attach_policy_arn": "arn:aws:iam::aws:policy/X", "override_existing_serviceaccounts": true}
	state := tf.must(account, nil, config)
	state, diags := tf.refresh(account, state)
	if tf.clean(diags); tf.plan(account, &state, config).changes() {
		t.Error("the plan after apply is not empty")
	}
	const names = " iamserviceaccount --cluster=blue --namespace=default --name=dns --region=cn-north-1"
	_, diags = tf.destroy(account, state)
	tf.clean(diags)
	want := []string{
		"create" + names + " --attach-policy-arn=arn:aws:iam::aws:policy/X --approve --override-existing-serviceaccounts" + ending,
		"delete" + names + " --wait" + ending,
	}
	got := slices.DeleteFunc(w.lines(), func(line string) bool { return strings.HasPrefix(line, "get ") })
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("ran %q, want %q", got, want)
	}
	w.cluster = nil
	if state, _ = tf.refresh(account, state); !state.IsNull() {
		t.Error("it outlives its cluster")
	}
}
