package eksctl_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	runner "github.com/norikae/norikae/internal/eksctl"
	"github.com/norikae/norikae/internal/provider/eksctl"
)

const (
	cluster = "eksctl_cluster"
	argocd  = "arn:aws:iam::111122223333:role/argocd"
	tail    = " --timeout 1h0m0s --color=false"
)

func spec(groups ...string) string {
	s := "iam:\n  withOIDC: true\nmanagedNodeGroups:\n"
	for _, g := range groups {
		s += "- name: " + g + "\n  desiredCapacity: 1\n"
	}
	return s
}

func blue(change ...func(object)) object {
	o := object{"name": "blue", "region": "cn-north-1", "version": "1.33", "spec": spec("web")}
	for _, f := range change {
		f(o)
	}
	return o
}

func with(name string, v any) func(object) { return func(o object) { o[name] = v } }

func mapped(groups ...any) func(object) {
	return with("iam_identity_mapping", []any{object{"iamarn": argocd, "username": "cd", "groups": groups}})
}

func TestAClusterIsMadeReadAndDestroyed(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	config := blue(mapped("deployers", "system:masters"), with("manifests", []any{"kind: X"}),
		with("pods_readiness_check", []any{object{"namespace": "web", "labels": object{"app": "x"}, "timeout_sec": nil}}),
		with("kubernetes_resource_deletion_before_destroy", []any{object{"namespace": "web", "kind": "svc", "name": "lb"}}))
	state := tf.must(cluster, nil, config)
	want := []string{"create cluster -f - --write-kubeconfig=false" + tail}
	if d := cmp.Diff(want, w.lines()); d != "" {
		t.Errorf("commands (-want +got):\n%s", d)
	}
	if got := string(w.ran[0].Stdin); got != tf.get(state, "cluster_config") || !strings.Contains(got, "name: web") {
		t.Errorf("eksctl got another ClusterConfig than the plan showed:\n%s", got)
	}
	if env := strings.Join(w.ran[0].Env, " "); env != "AWS_REGION=cn-north-1 PATH=/bin" {
		t.Errorf("eksctl saw %s", env)
	}
	for name, want := range map[string]string{
		"id": "blue", "oidc_provider_url": "https://oidc.example/id/1", "oidc_provider_arn": "arn:aws-cn:iam::111122223333:oidc-provider/oidc.example/id/1",
		"output": "ran create cluster\n", "version": "1.33",
	} {
		if got := tf.get(state, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if e := w.entries[argocd]; !e.Admin || e.Username != "cd" || len(e.Groups) != 1 {
		t.Errorf("the access entry is %+v", e)
	}
	if _, ok := w.files[tf.get(state, "kubeconfig_path")]; !ok {
		t.Errorf("no kubeconfig at %s", tf.get(state, "kubeconfig_path"))
	}

	state, diags := tf.refresh(cluster, state)
	tf.clean(diags)
	if p := tf.plan(cluster, &state, config); p.changes() || failed(p.diags) {
		diff, _ := p.value.Diff(p.prior)
		t.Errorf("the plan after apply and refresh is not empty: %v %s", diff, text(p.diags, tfprotov6.DiagnosticSeverityError))
	}

	w.did = nil
	if _, diags = tf.destroy(cluster, state); failed(diags) {
		t.Error(text(diags, tfprotov6.DiagnosticSeverityError))
	}
	if last := w.lines()[1]; last != "delete cluster --name blue --region cn-north-1 --wait"+tail || len(w.did) != 1 || w.did[0] != "delete svc web/lb" || len(w.files) != 0 {
		t.Errorf("destroyed by %q, before it %q; files %v", last, w.did, w.files)
	}
}

func TestNewNodeGroupsComeBeforeOldOnesGo(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	state := tf.must(cluster, nil, blue())
	w.ran = nil
	config := blue(with("spec", spec("web2")), with("version", "1.34"), with("drain_node_groups", object{"web2": true}))
	p := tf.plan(cluster, &state, config)
	tf.clean(p.diags)
	warned := text(p.diags, tfprotov6.DiagnosticSeverityWarning)
	for _, want := range []string{"From Kubernetes 1.33 to 1.34", "web: their nodes are drained"} {
		if !strings.Contains(warned, want) {
			t.Errorf("%q is not in the warnings:\n%s", want, warned)
		}
	}
	state, diags := tf.apply(p)
	tf.clean(diags)
	want := []string{
		"upgrade cluster -f - --approve" + tail,
		"create nodegroup -f -" + tail,
		"drain nodegroup --cluster blue --region cn-north-1 --name web2 --color=false",
		"delete nodegroup -f - --include web --drain --approve --wait" + tail,
	}
	if d := cmp.Diff(want, w.lines()); d != "" {
		t.Errorf("commands (-want +got):\n%s", d)
	}
	if !strings.Contains(string(w.ran[3].Stdin), "name: web\n") {
		t.Errorf("the group to delete is not in the ClusterConfig of the deletion:\n%s", w.ran[3].Stdin)
	}
	if !w.groups["web2"] || w.groups["web"] || tf.get(state, "version") != "1.34" {
		t.Errorf("there are %v with %s", w.groups, tf.get(state, "version"))
	}
}

func TestWhatSomebodyChangedIsPutRight(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	config := blue(mapped("deployers"))
	state := tf.must(cluster, nil, config)
	delete(w.groups, "web")
	e := w.entries[argocd]
	e.Groups = []string{"others"}
	w.entries[argocd] = e
	w.ran = nil
	state, diags := tf.refresh(cluster, state)
	tf.clean(diags)
	if !strings.Contains(tf.get(state, "iam_identity_mapping"), "others") || strings.Contains(tf.get(state, "node_groups"), "web") {
		t.Errorf("the state hides what is live: %s %s", tf.get(state, "iam_identity_mapping"), tf.get(state, "node_groups"))
	}
	tf.must(cluster, &state, config)
	if d := cmp.Diff([]string{"create nodegroup -f -" + tail}, w.lines()); d != "" || w.entries[argocd].Groups[0] != "deployers" || !w.groups["web"] {
		t.Errorf("commands (-want +got):\n%s entries %v", d, w.entries)
	}
}

func TestAClusterThatIsGoneLeavesTheState(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	state := tf.must(cluster, nil, blue())
	w.cluster = nil
	state, diags := tf.refresh(cluster, state)
	if tf.clean(diags); !state.IsNull() {
		t.Error("it is still in the state")
	}
}

func TestC14_AMissingKubeconfigIsWrittenAgain(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	state := tf.must(cluster, nil, blue())
	p := tf.get(state, "kubeconfig_path")
	if err := os.Remove(p); err != nil {
		t.Fatal(err)
	}
	state, diags := tf.refresh(cluster, state)
	tf.clean(diags)
	if _, err := os.Stat(p); err != nil {
		t.Error(err)
	}
	t.Chdir(t.TempDir()) // another machine
	if err := os.Remove(p); err != nil {
		t.Fatal(err)
	}
	state, diags = tf.refresh(cluster, state)
	tf.clean(diags)
	if got := tf.get(state, "kubeconfig_path"); got == p {
		t.Errorf("the path is still that of the other machine: %s", got)
	} else if _, err := os.Stat(got); err != nil {
		t.Error(err)
	}
	if tf.plan(cluster, &state, blue()).changes() {
		t.Error("another machine has something to change")
	}
}

func TestAKubeconfigOfOursIsKeptRightAndAnotherIsLeftAlone(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	state := tf.must(cluster, nil, blue())
	p := tf.get(state, "kubeconfig_path")
	for name, tc := range map[string]struct{ foreign, want string }{
		"ours":            {"", "https://anew.example"},
		"somebody else's": {p, "https://blue.example"},
	} {
		w.foreign = tc.foreign
		w.files[p] = eksctl.Target{Cluster: eksctl.Cluster{Endpoint: "https://blue.example"}}
		w.cluster.Endpoint = "https://anew.example"
		refreshed, diags := tf.refresh(cluster, state)
		if got := w.files[p].Cluster.Endpoint; got != tc.want || len(diags) > 0 || tf.get(refreshed, "kubeconfig_path") != p {
			t.Errorf("%s: it leads to %s, said %v", name, got, diags)
		}
	}
}

func TestC13_ACreationThatFails(t *testing.T) {
	for name, tc := range map[string]struct {
		world func(*world)
		kept  bool
		says  []string
	}{
		"before there is a cluster leaves no state, and says how to clean up": {
			func(w *world) { w.fail, w.before = "create cluster", true }, false, []string{"exit code 1", "eksctl delete cluster --name blue --region cn-north-1"},
		},
		"when the cluster exists keeps it": {func(w *world) { w.fail = "create cluster" }, true, []string{"the cluster exists and is ACTIVE", "terraform untaint"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			tc.world(w)
			tf := start(t, w, object{})
			config := blue(with("pods_readiness_check", []any{object{"namespace": "web", "labels": object{"app": "x"}, "timeout_sec": 5}}))
			state, diags := tf.apply(tf.plan(cluster, nil, config))
			said := text(diags, tfprotov6.DiagnosticSeverityError)
			for _, want := range tc.says {
				if !strings.Contains(said, want) {
					t.Errorf("%q is not in:\n%s", want, said)
				}
			}
			if state.IsNull() == tc.kept {
				t.Fatalf("the state is null: %v", state.IsNull())
			}
			if !tc.kept {
				return
			}
			w.fail = ""
			state, diags = tf.refresh(cluster, state) // untainted
			tf.clean(diags)
			tf.must(cluster, &state, config)
		})
	}
}

func TestAClusterThatExistsAlreadyIsLeftAlone(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	tf.must(cluster, nil, blue())
	w.ran = nil
	state, diags := tf.apply(tf.plan(cluster, nil, blue()))
	if said := text(diags, tfprotov6.DiagnosticSeverityError); !state.IsNull() || len(w.ran) != 0 || !strings.Contains(said, "terraform import eksctl_cluster.NAME cn-north-1/blue") {
		t.Errorf("%d commands, state %s, said %s", len(w.ran), state, said)
	}
}

func TestAClusterWhoseCreationWasKilledIsTakenOverAsTheErrorSays(t *testing.T) {
	w := newWorld()
	w.missing = "web"
	tf := start(t, w, object{"region": "cn-north-1"})
	w.act(runner.Command{Args: []string{"create", "cluster"}}) // and no state
	w.missing, w.cluster.Status = "", "CREATING"
	_, diags := tf.apply(tf.plan(cluster, nil, blue()))
	said := text(diags, tfprotov6.DiagnosticSeverityError)
	for _, want := range []string{"(arn:aws-cn:eks:cn-north-1:111122223333:cluster/blue, CREATING)", "whose apply was killed", "once it is ACTIVE", "\n    terraform import eksctl_cluster.NAME cn-north-1/blue\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in:\n%s", want, said)
		}
	}
	w.cluster.Status, w.ran = "ACTIVE", nil
	state, diags := tf.imports(cluster, "cn-north-1/blue")
	tf.clean(diags)
	p := tf.plan(cluster, &state, blue())
	if tf.clean(p.diags); p.replace {
		t.Fatal("it is replaced")
	}
	state, diags = tf.apply(p)
	tf.clean(diags)
	want := []string{"create nodegroup -f -" + tail, "utils associate-iam-oidc-provider -f - --approve" + tail}
	if d := cmp.Diff(want, w.lines()); d != "" || !w.groups["web"] {
		t.Errorf("there are %v; commands (-want +got):\n%s", w.groups, d)
	}
	if tf.plan(cluster, &state, blue()).changes() {
		t.Error("the plan after that is not empty")
	}
}

func TestAnUnknownSectionOfTheSpecIsWarnedOfAtValidation(t *testing.T) {
	tf := start(t, newWorld(), object{})
	diags := tf.validate(cluster, blue(with("spec", "managedNodegroups: []\n")))
	tf.clean(diags)
	if said := text(diags, tfprotov6.DiagnosticSeverityWarning); !strings.Contains(said, `AttributeName("spec")`) || !strings.Contains(said, "did you mean managedNodeGroups?") {
		t.Errorf("said %q", said)
	}
}

func TestAnUpdateThatFailsKeepsWhatIsLive(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	state := tf.must(cluster, nil, blue())
	w.fail = "delete nodegroup"
	w.before = true
	config := blue(with("spec", spec("web2")))
	state, diags := tf.apply(tf.plan(cluster, &state, config))
	if !failed(diags) || tf.get(state, "spec") != spec("web") {
		t.Fatalf("failed: %v, spec %s", failed(diags), tf.get(state, "spec"))
	}
	w.fail = ""
	tf.must(cluster, &state, config)
	if w.groups["web"] || !w.groups["web2"] {
		t.Errorf("there are %v", w.groups)
	}
}

func TestAnImportedClusterIsTakenAsItIs(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{"region": "cn-north-1"})
	tf.must(cluster, nil, blue())
	w.ran = nil
	state, diags := tf.imports(cluster, "blue")
	tf.clean(diags)
	tf.must(cluster, &state, blue())
	for _, line := range w.lines() {
		if strings.Contains(line, "nodegroup") || strings.Contains(line, "cluster -f") {
			t.Errorf("an import changed something: %s", line)
		}
	}
}

func TestMappingsGoWhereTheClusterReadsThem(t *testing.T) {
	for name, tc := range map[string]struct {
		mode   string
		groups []any
		want   string // the command; "": an access entry
		says   string // of the error
	}{
		"an access entry": {"API", []any{"system:masters"}, "", ""},
		"an access entry although there is aws-auth":    {"API_AND_CONFIG_MAP", []any{"a"}, "", ""},
		"aws-auth when there are no access entries":     {"CONFIG_MAP", []any{"a", "system:masters"}, "--group a --group system:masters", ""},
		"aws-auth for groups that entries cannot have":  {"API_AND_CONFIG_MAP", []any{"system:nodes"}, "--group system:nodes", ""},
		"nowhere when entries are all and cannot do it": {"API", []any{"system:nodes"}, "", "only system:masters may begin with system:"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.authMode = tc.mode
			w.authMap = `[{"rolearn":"` + argocd + `","username":"cd","groups":[]}]`
			tf := start(t, w, object{})
			_, diags := tf.apply(tf.plan(cluster, nil, blue(mapped(tc.groups...))))
			tf.clean(diags)
			said := text(diags, tfprotov6.DiagnosticSeverityWarning)
			if (tc.says == "") != (said == "") || !strings.Contains(said, tc.says) {
				t.Fatalf("said %q", said)
			}
			ran := strings.Join(w.lines(), "\n")
			if tc.want != "" && !strings.Contains(ran, "create iamidentitymapping --cluster blue --region cn-north-1 --arn "+argocd+" --username cd "+tc.want) {
				t.Errorf("ran:\n%s", ran)
			}
			if _, entry := w.entries[argocd]; entry != (tc.want == "" && tc.says == "") {
				t.Errorf("entries %v", w.entries)
			}
		})
	}
}

func TestTheStateOfTheOlderProviderShowsNoDifference(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{}, "AWS_DEFAULT_REGION=cn-north-1")
	state := tf.must(cluster, nil, blue())
	p := tf.get(state, "kubeconfig_path")
	old := fill(t, tf.kind(cluster), object{
		"id": "bt2v4", "name": "blue", "region": "cn-north-1", "version": "1.33", "spec": spec("web"), "api_version": "eksctl.io/v1alpha5",
		"profile": "", "vpc_id": "", "tags": object{}, "revision": 0, "eksctl_bin": "eksctl", "eksctl_version": "", "kubectl_bin": "kubectl",
		"kubeconfig_path": p, "drain_node_groups": object{}, "output": "old",
	})
	refreshed, diags := tf.refresh(cluster, old)
	tf.clean(diags)
	plan := tf.plan(cluster, &refreshed, object{"name": "blue", "version": "1.33", "spec": spec("web")})
	tf.clean(plan.diags)
	if diff, _ := plan.value.Diff(plan.prior); plan.changes() || plan.replace {
		t.Errorf("the plan is not empty: %v", diff)
	}
	if got := tf.get(refreshed, "id"); got != "bt2v4" {
		t.Errorf("id is %s", got)
	}
}

func TestAReleaseAndARoleReachEksctl(t *testing.T) {
	w := newWorld()
	const who = "arn:aws:iam::111122223333:role/ci"
	tf := start(t, w, object{"assume_role": []any{object{"role_arn": who}}}, "AWS_PROFILE=mine", "AWS_SESSION_TOKEN=mine")
	tf.must(cluster, nil, blue(with("eksctl_version", "0.215.0")))
	if c := w.ran[0]; c.Binary != "/tools/eksctl-0.215.0" || strings.Join(c.Env, " ") != "AWS_ACCESS_KEY_ID=of "+who+" AWS_REGION=cn-north-1 PATH=/bin" {
		t.Errorf("ran %s with %q", c.Binary, c.Env)
	}
}

func TestWhatIsNotKnownYetIsNotGuessed(t *testing.T) {
	tf := start(t, newWorld(), object{})
	config := blue(with("spec", tftypes.UnknownValue))
	tf.clean(tf.validate(cluster, config))
	p := tf.plan(cluster, nil, config)
	tf.clean(p.diags)
	if got := tf.get(p.value, "cluster_config"); got != "(unknown)" {
		t.Errorf("cluster_config is %s", got)
	}
}
