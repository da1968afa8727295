package eksctl_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/provider/connection"
	"github.com/norikae/norikae/internal/provider/courier"
)

// shifts counts those that are run; none succeeds.
type shifts struct {
	courier.Shifts

	w *world
}

func (s shifts) Open(context.Context, connection.Connection, *v1alpha1.TrafficShift) (courier.Shift, error) {
	return s, nil
}

func (shifts) Preview(context.Context) (engine.Preview, error) { return engine.Preview{}, nil }

func (s shifts) Run(context.Context, courier.RunOptions) (engine.Result, error) {
	s.w.shifted++
	return engine.Result{}, errors.New("the shift was run")
}

func (shifts) Read(context.Context, connection.Connection, v1alpha1.Route) (courier.Reading, error) {
	return courier.Reading{}, fault.ErrNotFound
}

func checked(o object) {
	o["pods_readiness_check"] = []any{object{"namespace": "web", "labels": object{"app": "x"}, "timeout_sec": 5}}
}

func TestAClusterThatIsNotReadyIsContinuedAndNotReplaced(t *testing.T) {
	for name, tc := range map[string]struct {
		breaks, mends func(*world)
		says          string
		mode          string
	}{
		"pods that are not ready":      {func(w *world) { w.unready = true }, func(w *world) { w.unready = false }, "no pod is ready", "API"},
		"manifests that are refused":   {func(w *world) { w.refused = true }, func(w *world) { w.refused = false }, "Applying manifests", "API"},
		"a mapping that fails":         {func(w *world) { w.fail, w.before = "create iamidentitymapping", true }, func(w *world) { w.fail = "" }, "Giving " + argocd + " access", "CONFIG_MAP"},
		"node groups that do not come": {func(w *world) { w.missing = "web" }, func(w *world) { w.missing = "" }, "of the node groups", "API"},
		"nodes that do not drain":      {func(w *world) { w.fail, w.before = "drain nodegroup", true }, func(w *world) { w.fail = "" }, "drain nodegroup", "API"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.authMode, w.authMap = tc.mode, "[]"
			tc.breaks(w)
			tf := start(t, w, object{})
			config := blue(mapped("deployers"), checked, with("manifests", []any{"kind: X"}), with("drain_node_groups", object{"web": true}))
			state, diags := tf.apply(tf.plan(cluster, nil, config))
			tf.clean(diags) // an error would taint it
			if said := text(diags, tfprotov6.DiagnosticSeverityWarning); !strings.Contains(said, tc.says) || !strings.Contains(said, "The next apply shows an update") || !strings.Contains(said, "another alias of the provider do not see this") {
				t.Errorf("the warning is %q", said)
			}
			if got := tf.get(state, "unfinished"); !strings.Contains(got, "tftypes.String<") {
				t.Errorf("unfinished is %s", got)
			}

			state, diags = tf.refresh(cluster, state)
			tf.clean(diags)
			p := tf.plan(cluster, &state, config)
			tf.clean(p.diags)
			if !p.changes() || p.replace {
				t.Fatalf("the next plan changes something: %v, replaces: %v", p.changes(), p.replace)
			}
			if said := text(p.diags, tfprotov6.DiagnosticSeverityWarning); !strings.Contains(said, "The update continues there") {
				t.Errorf("the plan says %q", said)
			}
			still, diags := tf.apply(p) // it is still broken: an error now, and nothing is lost
			if !failed(diags) && name != "node groups that do not come" {
				t.Error("the update reports success")
			}
			if failed(diags) {
				state = still
			}

			tc.mends(w)
			w.ran, w.did = nil, nil
			if name == "a mapping that fails" {
				w.authMap = `[{"rolearn":"` + argocd + `","username":"cd","groups":["deployers"]}]`
			}
			p = tf.plan(cluster, &state, config)
			tf.clean(p.diags)
			state, diags = tf.apply(p)
			tf.clean(diags)
			ran := strings.Join(w.lines(), "\n")
			if strings.Contains(ran, "create cluster") || strings.Contains(ran, "delete cluster") {
				t.Errorf("the cluster was made again:\n%s", ran)
			}
			if !strings.Contains(ran, "drain nodegroup") || len(w.did) != 2 {
				t.Errorf("the rest was not done: ran\n%s\nand %q", ran, w.did)
			}
			if got := tf.get(state, "unfinished"); strings.Contains(got, "tftypes.String<") {
				t.Errorf("unfinished is %s", got)
			}
			state, diags = tf.refresh(cluster, state)
			tf.clean(diags)
			if tf.plan(cluster, &state, config).changes() {
				t.Error("the plan after that is not empty")
			}
		})
	}
}

func TestNoTrafficMovesWhileAClusterOfTheRunIsUnfinished(t *testing.T) {
	const route = "eksctl_courier_alb"
	w := newWorld()
	tf := start(t, w, object{"region": "cn-north-1"})
	config := object{
		"listener_arn": "arn:aws-cn:elasticloadbalancing:cn-north-1:111122223333:listener/app/a/0123456789abcdef/0123456789abcdef", "step_weight": 50, "step_interval": "1s", "hosts": []any{"a.example"},
		"destination": []any{
			object{"target_group_arn": "arn:aws-cn:elasticloadbalancing:cn-north-1:111122223333:targetgroup/blue/0123456789abcdef", "weight": 0},
			object{"target_group_arn": "arn:aws-cn:elasticloadbalancing:cn-north-1:111122223333:targetgroup/green/0123456789abcdef", "weight": 100},
		},
	}
	p := tf.plan(route, nil, config)
	tf.clean(p.diags)
	if _, diags := tf.apply(p); w.shifted != 1 || !failed(diags) {
		t.Fatalf("without a cluster the shift ran %d times: %s", w.shifted, text(diags, tfprotov6.DiagnosticSeverityError))
	}
	w.unready = true
	_, diags := tf.apply(tf.plan(cluster, nil, blue(checked)))
	tf.clean(diags)
	state, diags := tf.apply(p)
	if said := text(diags, tfprotov6.DiagnosticSeverityError); w.shifted != 1 || !state.IsNull() || !strings.Contains(said, "cn-north-1/blue, which this run made, is not complete") || !strings.Contains(said, "no pod is ready") {
		t.Errorf("the shift ran %d times, the state is %s, said %s", w.shifted, state, said)
	}
}

func TestAnotherClusterMayHaveAnyVersion(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	state := tf.must(cluster, nil, blue())
	p := tf.plan(cluster, &state, blue(with("name", "green"), with("version", "1.30")))
	if tf.clean(p.diags); !p.replace {
		t.Error("another name does not make another cluster")
	}
}

// Terraform keeps what is beside the state of what it taints, and untaint changes no more
// than the mark.
func TestAClusterThatWasUntaintedIsContinued(t *testing.T) {
	w := newWorld()
	w.fail = "create cluster"
	tf := start(t, w, object{})
	config := blue(with("spec", "iam:\n  withOIDC: true\n  serviceAccounts: [{metadata: {name: x}}]\nnodeGroups:\n- name: own\nfargateProfiles:\n- name: fp\n"))
	state, diags := tf.apply(tf.plan(cluster, nil, config))
	if said := text(diags, tfprotov6.DiagnosticSeverityError); !strings.Contains(said, "terraform untaint") || !strings.Contains(tf.get(state, "unfinished"), "exit code 1") {
		t.Fatalf("unfinished is %s; said %s", tf.get(state, "unfinished"), said)
	}
	w.fail, w.ran = "", nil
	state, diags = tf.refresh(cluster, state)
	tf.clean(diags)
	p := tf.plan(cluster, &state, config)
	tf.clean(p.diags)
	if !p.changes() || p.replace {
		t.Fatalf("the plan changes something: %v, replaces: %v", p.changes(), p.replace)
	}
	state, diags = tf.apply(p)
	tf.clean(diags)
	want := []string{
		"create nodegroup -f -" + tail,
		"utils associate-iam-oidc-provider -f - --approve" + tail,
		"create iamserviceaccount -f - --approve" + tail,
		"create fargateprofile -f -" + tail,
	}
	if d := cmp.Diff(want, w.lines()); d != "" {
		t.Errorf("commands (-want +got):\n%s", d)
	}
	w.ran = nil
	state, diags = tf.refresh(cluster, state)
	tf.clean(diags)
	if tf.plan(cluster, &state, config).changes() {
		t.Error("the plan after that is not empty")
	}
}

func TestWhatAnUnfinishedClusterNoLongerDeclaresGoes(t *testing.T) {
	w := newWorld()
	w.unready = true
	tf := start(t, w, object{})
	state, diags := tf.apply(tf.plan(cluster, nil, blue(checked, with("spec", spec("web", "old")))))
	tf.clean(diags)
	w.unready, w.ran = false, nil
	tf.must(cluster, &state, blue(checked))
	if ran := strings.Join(w.lines(), "\n"); !strings.Contains(ran, "delete nodegroup -f - --include old ") {
		t.Errorf("the node group old was not deleted:\n%s", ran)
	}
}

// As by terraform apply -refresh=false, or where a refresh can write no kubeconfig.
func TestAnUpdateFindsOutWhatACreationDidNotSee(t *testing.T) {
	w := newWorld()
	w.unready = true
	tf := start(t, w, object{})
	config := blue(checked, with("version", nil))
	state, diags := tf.apply(tf.plan(cluster, nil, config))
	tf.clean(diags)
	var values map[string]tftypes.Value
	if err := state.As(&values); err != nil {
		t.Fatal(err)
	}
	values["kubeconfig_path"], values["version"] = tftypes.NewValue(tftypes.String, nil), tftypes.NewValue(tftypes.String, nil)
	values["oidc_provider_url"] = tftypes.NewValue(tftypes.String, "")
	values["security_group_ids"] = fill(t, values["security_group_ids"].Type(), []any{})
	state = tftypes.NewValue(tf.kind(cluster), values)
	w.unready = false
	state = tf.must(cluster, &state, config)
	for _, name := range []string{"kubeconfig_path", "version", "oidc_provider_url"} {
		if tf.get(state, name) == "" {
			t.Errorf("%s is empty", name)
		}
	}
}
