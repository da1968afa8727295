package eksctl_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/norikae/norikae/internal/provider/eksctl"
)

const deployer = "arn:aws:iam::111122223333:role/deployer"

// access is who has which groups in the world's cluster, in aws-auth and in access entries.
func (w *world) access() map[string]string {
	out := map[string]string{}
	for who, m := range w.auth {
		out["aws-auth "+who] = m[strings.Index(m, `"groups":`)+9 : len(m)-1]
	}
	for who, e := range w.entries {
		groups := e.Groups
		if e.Admin {
			groups = append([]string{"(admin)"}, groups...)
		}
		out["entry "+who] = strings.Join(groups, ",")
	}
	return out
}

func TestMappingsFollowTheConfigurationAndWhatSomebodyDidIsPutRight(t *testing.T) {
	both := func(groups ...any) func(object) {
		return with("iam_identity_mapping", []any{
			object{"iamarn": argocd, "username": "cd", "groups": groups}, object{"iamarn": deployer, "username": "ci", "groups": []any{"ci"}},
		})
	}
	for mode, tc := range map[string]struct {
		made, changed, taken map[string]string
		meddle               func(*world)
	}{
		"CONFIG_MAP": {
			map[string]string{"aws-auth " + argocd: `["a","system:masters"]`, "aws-auth " + deployer: `["ci"]`},
			map[string]string{"aws-auth " + argocd: `["b"]`, "aws-auth " + deployer: `["ci"]`},
			map[string]string{"aws-auth " + argocd: `["b"]`},
			func(w *world) {
				w.auth[argocd] = `{"rolearn":"` + argocd + `","username":"cd","groups":["somebody's"]}`
				delete(w.auth, deployer)
			},
		},
		"API": {
			map[string]string{"entry " + argocd: "(admin),a", "entry " + deployer: "ci"},
			map[string]string{"entry " + argocd: "b", "entry " + deployer: "ci"},
			map[string]string{"entry " + argocd: "b"},
			func(w *world) {
				w.entries[argocd] = eksctl.AccessEntry{Principal: argocd, Username: "cd", Groups: []string{"somebody's"}}
				delete(w.entries, deployer)
			},
		},
	} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld()
			w.authMode = mode
			tf := start(t, w, object{})
			settled := func(state tftypes.Value, config object, want map[string]string) tftypes.Value {
				t.Helper()
				state, diags := tf.refresh(cluster, state)
				tf.clean(diags)
				if tf.plan(cluster, &state, config).changes() {
					t.Error("the plan after apply is not empty")
				}
				if d := cmp.Diff(want, w.access()); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
				return state
			}
			config := blue(both("a", "system:masters"))
			state := settled(tf.must(cluster, nil, config), config, tc.made)
			config = blue(both("b"))
			state = settled(tf.must(cluster, &state, config), config, tc.changed)

			tc.meddle(w)
			state, diags := tf.refresh(cluster, state)
			tf.clean(diags)
			if got := tf.get(state, "iam_identity_mapping"); !strings.Contains(got, "somebody's") || strings.Contains(got, deployer) {
				t.Errorf("the state hides what somebody did: %s", got)
			}
			if got := tf.get(state, "aws_auth_configmap"); !strings.Contains(got, "somebody's") {
				t.Errorf("aws_auth_configmap hides it: %s", got)
			}
			state = settled(tf.must(cluster, &state, config), config, tc.changed)

			config = blue(mapped("b"))
			settled(tf.must(cluster, &state, config), config, tc.taken)
		})
	}
}

func TestNodeGroupsAreDrainedAndTakePodsAgain(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	const command = "drain nodegroup --cluster blue --region cn-north-1 --name "
	two := with("spec", spec("a", "b"))
	var state *tftypes.Value
	for _, tc := range []struct {
		name    string
		drained object
		want    []string // commands that drain
	}{
		{"at creation", object{"a": true, "b": false}, []string{command + "a --color=false"}},
		{"nothing changed", object{"a": true, "b": false}, nil},
		{"the other way round", object{"a": false, "b": true}, []string{command + "a --color=false --undo", command + "b --color=false"}},
		{"not said any more", object{}, nil},
	} {
		w.ran = nil
		config := blue(two, with("drain_node_groups", tc.drained))
		next := tf.must(cluster, state, config)
		next, diags := tf.refresh(cluster, next)
		tf.clean(diags)
		if tf.plan(cluster, &next, config).changes() {
			t.Errorf("%s: the plan after apply is not empty", tc.name)
		}
		var got []string
		for _, line := range w.lines() {
			if strings.HasPrefix(line, "drain") {
				got = append(got, line)
			}
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, d)
		}
		state = &next
	}
}

func TestNodeGroupsThatEksctlKeepsByItselfComeAndGo(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	state := tf.must(cluster, nil, blue(with("spec", "nodeGroups: [{name: a}, {name: b}]")))
	w.ran = nil
	config := blue(with("spec", "nodeGroups: [{name: b}, {name: c}]"))
	state = tf.must(cluster, &state, config)
	want := []string{"create nodegroup -f -" + tail, "delete nodegroup -f - --include a --drain --approve --wait" + tail}
	if d := cmp.Diff(want, w.lines()); d != "" {
		t.Errorf("commands (-want +got):\n%s", d)
	}
	state, diags := tf.refresh(cluster, state)
	tf.clean(diags)
	if tf.plan(cluster, &state, config).changes() {
		t.Error("the plan after apply is not empty")
	}
}

func TestWhatSomebodyDidByHandShows(t *testing.T) {
	for name, tc := range map[string]struct {
		did      func(*world)
		says     string // at plan: a warning, or an error
		severity tfprotov6.DiagnosticSeverity
		runs     []string // commands of the next apply
	}{
		"an upgrade of the cluster": {
			func(w *world) { w.cluster.Version = "1.34" }, `The cluster has Kubernetes 1.34, which eksctl cannot take back to 1.33. Set version = "1.34"`, tfprotov6.DiagnosticSeverityError, nil,
		},
		"the deletion of a node group": {func(w *world) { delete(w.groups, "a") }, "", 0, []string{"create nodegroup -f -" + tail}},
		"a node group of their own":    {func(w *world) { w.groups["theirs"] = true }, "", 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			tf := start(t, w, object{})
			config := blue(with("spec", spec("a", "b")))
			state := tf.must(cluster, nil, config)
			tc.did(w)
			w.ran = nil
			state, diags := tf.refresh(cluster, state)
			tf.clean(diags)
			p := tf.plan(cluster, &state, config)
			if tc.severity != 0 {
				if said := text(p.diags, tc.severity); !strings.Contains(said, tc.says) {
					t.Errorf("the plan says %q", said)
				}
				return
			}
			tf.clean(p.diags)
			if p.changes() != (tc.runs != nil) {
				t.Errorf("the plan changes something: %v", p.changes())
			}
			if p.changes() {
				_, diags = tf.apply(p)
				tf.clean(diags)
			}
			if d := cmp.Diff(tc.runs, w.lines()); d != "" {
				t.Errorf("commands (-want +got):\n%s", d)
			}
			if name == "a node group of their own" && !w.groups["theirs"] {
				t.Error("it was deleted")
			}
		})
	}
}

func TestServiceAccountsAndFargateProfilesFollowTheSpec(t *testing.T) {
	profile := func(name, namespace string) string {
		return spec("web") + "fargateProfiles:\n- name: " + name + "\n  selectors: [{namespace: " + namespace + "}]\n"
	}
	account := func(name, policy string) string {
		return strings.Replace(spec("web"), "withOIDC: true", "withOIDC: true\n  serviceAccounts:\n  - metadata: {name: "+name+"}\n    attachPolicyARNs: ["+policy+"]", 1)
	}
	const at = " --cluster blue --region cn-north-1"
	for name, tc := range map[string]struct {
		before, after string
		says          string // in the plan; "": nothing
		runs          []string
	}{
		"a new profile":       {spec("web"), profile("a", "x"), "", []string{"create fargateprofile -f -" + tail}},
		"a profile that goes": {profile("a", "x"), spec("web"), "Fargate profiles will be deleted: a:", []string{"delete fargateprofile" + at + " --name a --wait" + tail}},
		"another profile":     {profile("a", "x"), profile("b", "x"), "Fargate profiles will be deleted: a:", []string{"create fargateprofile -f -" + tail, "delete fargateprofile" + at + " --name a --wait" + tail}},
		"a changed profile":   {profile("a", "x"), profile("a", "y"), "Fargate profiles stay as they are: a: the definition changed", nil},
		"a new account":       {spec("web"), account("a", "x"), "", []string{"create iamserviceaccount -f - --approve" + tail}},
		"an account that goes": {account("a", "x"), spec("web"), "Service accounts will be deleted: default/a:", []string{
			"delete iamserviceaccount" + at + " --namespace default --name a --wait" + tail,
		}},
		"a changed account": {account("a", "x"), account("a", "y"), "Service accounts stay as they are: default/a: the definition changed", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			tf := start(t, w, object{})
			state := tf.must(cluster, nil, blue(with("spec", tc.before)))
			w.ran = nil
			p := tf.plan(cluster, &state, blue(with("spec", tc.after)))
			tf.clean(p.diags)
			if said := text(p.diags, tfprotov6.DiagnosticSeverityWarning); !strings.Contains(said, tc.says) || (said == "") != (tc.says == "") {
				t.Errorf("the plan says %q", said)
			}
			_, diags := tf.apply(p)
			tf.clean(diags)
			if d := cmp.Diff(tc.runs, w.lines()); d != "" {
				t.Errorf("commands (-want +got):\n%s", d)
			}
		})
	}
}

// aws-iam-authenticator takes the last of several mappings with one ARN.
func TestAMappingThatSomebodyShadowsShows(t *testing.T) {
	w := newWorld()
	w.authMode = "CONFIG_MAP"
	tf := start(t, w, object{})
	config := blue(mapped("deployers"))
	state := tf.must(cluster, nil, config)
	w.authMap = "[" + w.auth[argocd] + `,{"rolearn":"` + argocd + `","username":"cd","groups":["system:masters"]}]`
	state, diags := tf.refresh(cluster, state)
	tf.clean(diags)
	if got := tf.get(state, "iam_identity_mapping"); !strings.Contains(got, "system:masters") || !tf.plan(cluster, &state, config).changes() {
		t.Errorf("the state hides it: %s", got)
	}
}

func TestAccessThatAFailedUpdateGaveIsNotForgotten(t *testing.T) {
	for mode, refresh := range map[string]bool{"CONFIG_MAP": true, "API": false, "API_AND_CONFIG_MAP": true} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld()
			w.authMode = mode
			tf := start(t, w, object{})
			state := tf.must(cluster, nil, blue())
			w.refused = true
			state, diags := tf.apply(tf.plan(cluster, &state, blue(mapped("deployers"), with("manifests", []any{"kind: X"}))))
			if !failed(diags) || len(w.access()) != 1 {
				t.Fatalf("failed: %v, access %v", failed(diags), w.access())
			}
			w.refused = false
			if refresh {
				state, diags = tf.refresh(cluster, state)
				tf.clean(diags)
			}
			tf.must(cluster, &state, blue()) // as before
			if len(w.access()) != 0 {
				t.Errorf("nobody takes away %v", w.access())
			}
		})
	}
}

func TestWhoHasAccessIsNotForgottenWhenItCannotBeRead(t *testing.T) {
	w := newWorld()
	w.authMode = "CONFIG_MAP"
	tf := start(t, w, object{})
	state := tf.must(cluster, nil, blue(mapped("deployers")))
	w.fail = "get iamidentitymapping"
	for name, change := range map[string]func(object){"an update of nothing": with("timeouts", object{"update": "5m"}), "an update": with("revision", 2)} {
		p := tf.plan(cluster, &state, blue(mapped("deployers"), change))
		tf.clean(p.diags)
		after, diags := tf.apply(p)
		tf.clean(diags)
		if got := tf.get(after, "aws_auth_configmap"); !strings.Contains(got, "deployers") {
			t.Errorf("%s: aws_auth_configmap is %s", name, got)
		}
	}
}

func TestAnUpdateOfNothingKeepsWhatWasPlannedOfTheAccessOfOthers(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	state := tf.must(cluster, nil, blue())
	p := tf.plan(cluster, &state, blue(with("timeouts", object{"update": "5m"})))
	w.entries[deployer] = eksctl.AccessEntry{Principal: deployer, Username: "ci"} // since then
	_, diags := tf.apply(p)
	tf.clean(diags)
}

func TestAnAccessEntryThatWasMadeByHalfIsNotForgotten(t *testing.T) {
	for name, world := range map[string]func(*world){
		"an entry without its policy": func(w *world) { w.half = true },
		"an entry of nodes, which is none of ours": func(w *world) {
			w.nodes, w.auth[argocd] = argocd, `{"rolearn":"`+argocd+`","username":"system:node:x","groups":["system:nodes"]}`
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			tf := start(t, w, object{})
			state := tf.must(cluster, nil, blue())
			world(w)
			state, diags := tf.apply(tf.plan(cluster, &state, blue(mapped("system:masters"))))
			if !failed(diags) {
				t.Fatal("the update reports success")
			}
			tf.must(cluster, &state, blue())
			if w.nodes == "" && len(w.access()) != 0 || w.nodes != "" && w.auth[argocd] == "" {
				t.Errorf("what is left is %v", w.access())
			}
		})
	}
}
