package eksctl_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/norikae/norikae/internal/provider/eksctl"
)

func TestTheFirstPlanAfterAnImportReplacesNoCluster(t *testing.T) {
	other := object{"vpc_id": "vpc-2", "tags": object{"team": "b"}}
	for name, ch := range map[string]func(object){"vpc_id": with("vpc_id", "vpc-1"), "tags": with("tags", object{"team": "a"})} {
		w := newWorld()
		tf := start(t, w, object{"region": "cn-north-1"})
		config := blue(ch)
		tf.must(cluster, nil, config)
		state, d := tf.imports(cluster, "blue")
		tf.clean(d)
		p := tf.plan(cluster, &state, config)
		if p.replace {
			t.Errorf("%s: the first plan after an import replaces the cluster", name)
			continue
		}
		state, d = tf.apply(p)
		tf.clean(d)
		if tf.plan(cluster, &state, config).changes() {
			t.Errorf("%s: the second plan after an import has changes", name)
		}
		if !tf.plan(cluster, &state, blue(with(name, other[name]))).replace {
			t.Errorf("%s: another one after an import replaces nothing", name)
		}
	}
}

func TestTheFirstPlanAfterAnImportRefusesAVersionThatCannotBe(t *testing.T) {
	for name, ch := range map[string]func(object){"vpc_id": with("vpc_id", "vpc-1"), "tags": with("tags", object{"team": "a"}), "neither": func(object) {}} {
		w := newWorld()
		tf := start(t, w, object{"region": "cn-north-1"})
		tf.must(cluster, nil, blue())
		state, d := tf.imports(cluster, "blue")
		tf.clean(d)
		p := tf.plan(cluster, &state, blue(ch, with("version", "1.32")))
		if said := text(p.diags, tfprotov6.DiagnosticSeverityError); !strings.Contains(said, "No way back") {
			t.Errorf("%s: said %q", name, said)
		}
	}
}

func TestAMappingOfNodesTakesNoEntryOfThemAway(t *testing.T) {
	const node = "arn:aws:iam::111122223333:role/nodes"
	w := newWorld()
	tf := start(t, w, object{})
	config := blue(with("iam_identity_mapping", []any{object{"iamarn": node, "username": "system:node:{{EC2PrivateDNSName}}", "groups": []any{"system:bootstrappers", "system:nodes"}}}))
	state := tf.must(cluster, nil, config)
	w.entries[node] = eksctl.AccessEntry{Principal: node} // EC2_LINUX, made by EKS
	tf.must(cluster, &state, blue())
	if _, ok := w.entries[node]; !ok {
		t.Error("the node role's own access entry was deleted")
	}
}

func TestAnAccessEntryOfSomebodyElseIsNotChanged(t *testing.T) {
	entry := func(username string, admin bool, groups ...string) eksctl.AccessEntry {
		return eksctl.AccessEntry{Principal: argocd, Username: username, Groups: groups, Admin: admin}
	}
	admins, deployers := []any{"deployers", "system:masters"}, []any{"deployers"}
	for name, tc := range map[string]struct {
		live  eksctl.AccessEntry
		want  []any
		taken bool
	}{
		"that says the same":                   {entry("cd", true, "deployers"), admins, true},
		"that lacks the policy of admins":      {entry("cd", false, "deployers"), admins, true}, // a put that was killed
		"that EKS made for the creator":        {entry("arn:aws:sts::1:assumed-role/ci/{{SessionName}}", true), admins, true},
		"of a group that would be taken away":  {entry("cd", true, "deployers", "people"), admins, false},
		"of another name":                      {entry("boss", false, "deployers"), deployers, false},
		"of an admin, who would be none again": {entry("cd", true, "deployers"), deployers, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			tf := start(t, w, object{})
			state := tf.must(cluster, nil, blue())
			w.entries[argocd] = tc.live
			config := blue(mapped(tc.want...))
			p := tf.plan(cluster, &state, config)
			tf.clean(p.diags)
			_, diags := tf.apply(p)
			said := text(diags, tfprotov6.DiagnosticSeverityError)
			if tc.taken {
				if e := w.entries[argocd]; said != "" || !e.Admin || e.Username != "cd" {
					t.Errorf("the entry is %+v; said %s", w.entries[argocd], said)
				}
				return
			}
			if d := cmp.Diff(tc.live, w.entries[argocd]); d != "" || !strings.Contains(said, "which this resource did not make: nothing was done to it") {
				t.Errorf("the entry changed: %s; said %s", d, said)
			}
		})
	}
}

func TestAMappingInTheConfigMapGoesAlsoWhenThereAreEntries(t *testing.T) {
	w := newWorld()
	w.authMode = "CONFIG_MAP"
	tf := start(t, w, object{})
	state := tf.must(cluster, nil, blue(mapped("system:masters")))
	w.cluster.AuthMode = "API_AND_CONFIG_MAP"
	state, d := tf.refresh(cluster, state)
	tf.clean(d)
	tf.must(cluster, &state, blue())
	if a := w.access(); len(a) > 0 {
		t.Errorf("the state says the access was taken away, but: %v", a)
	}
}

// A creation that failed early leaves a cluster without an API server.
func TestAClusterWithoutAnEndpointCanBeDestroyed(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	state := tf.must(cluster, nil, blue(with("kubernetes_resource_deletion_before_destroy", []any{object{"namespace": "web", "kind": "svc", "name": "lb"}})))
	w.cluster.Endpoint, w.cluster.Status = "", "FAILED"
	w.did = nil
	if _, d := tf.destroy(cluster, state); w.cluster != nil || len(w.did) > 0 {
		t.Errorf("the cluster is %+v; it was asked to %q; it said %v", w.cluster, w.did, d)
	}
}

// A creation ends with a state that has every mapping that is declared, also those that were
// refused: Terraform wants it so. It says nothing of whose they are.
func TestAnAccessEntryThatACreationLeftIsNotTakenOverByWhatComesAfterIt(t *testing.T) {
	for name, tc := range map[string]struct {
		refresh bool
		config  func(object) // of the apply after the creation
	}{
		"by an update":                       {true, mapped("deployers")},
		"by an update without a refresh":     {false, mapped("deployers")},
		"when the mapping goes":              {true, func(object) {}},
		"when the mapping goes, unrefreshed": {false, func(object) {}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			boss := eksctl.AccessEntry{Principal: argocd, Username: "boss", Groups: []string{"people"}, Admin: true}
			w.entries[argocd] = boss // by accessConfig of the spec, or by EKS for the creator
			tf := start(t, w, object{})
			state, diags := tf.apply(tf.plan(cluster, nil, blue(mapped("deployers"))))
			tf.clean(diags)
			if said := text(diags, tfprotov6.DiagnosticSeverityWarning); !strings.Contains(said, "which this resource did not make") {
				t.Fatalf("said %q", said)
			}
			if tc.refresh {
				state, diags = tf.refresh(cluster, state)
				tf.clean(diags)
			}
			p := tf.plan(cluster, &state, blue(tc.config))
			tf.clean(p.diags)
			tf.apply(p)
			if d := cmp.Diff(boss, w.entries[argocd]); d != "" {
				t.Errorf("the entry changed: %s", d)
			}
		})
	}
}

func TestAServiceAccountOfSomebodyElseIsNotTakenOver(t *testing.T) {
	const theirs = `[{"metadata":{"name":"dns","namespace":"kube-system"}}]`
	for name, tc := range map[string]struct {
		world func(*world)
		runs  bool // eksctl create
		says  string
	}{
		"one that eksctl made":           {func(w *world) { w.accounts = theirs }, false, "terraform import eksctl_iamserviceaccount.NAME cn-north-1/blue/kube-system/dns"},
		"one that has no role":           {func(w *world) { w.excluded = true }, true, "override_existing_serviceaccounts = true"},
		"what eksctl cannot list":        {func(w *world) { w.fail = "get iamserviceaccount" }, false, "there may be one of that name"},
		"what eksctl does not print":     {func(w *world) { w.accounts = "a word" }, false, "eksctl printed no list"},
		"one that is made, but not well": {func(w *world) { w.fail = "create iamserviceaccount" }, true, "marked as tainted"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			tc.world(w)
			tf := start(t, w, object{})
			state, diags := tf.apply(tf.plan(account, nil, dns()))
			if said := text(diags, tfprotov6.DiagnosticSeverityError); state.IsNull() == strings.Contains(tc.says, "tainted") || !strings.Contains(said, tc.says) {
				t.Errorf("state is null: %v, said %s", state.IsNull(), said)
			}
			if ran := strings.Join(w.lines(), "\n"); strings.Contains(ran, "create") != tc.runs {
				t.Errorf("ran %s", ran)
			}
		})
	}
}

func TestAMappingOfSomebodyElseInTheConfigMapIsNotChanged(t *testing.T) {
	auth := func(username, groups string) string {
		return `{"rolearn":"` + argocd + `","username":"` + username + `","groups":[` + groups + `]}`
	}
	for name, tc := range map[string]struct {
		live, after string
		says        string
		runs        []string // but get
	}{
		"that says the same":                  {auth("cd", `"deployers"`), auth("cd", `"deployers"`), "", nil},
		"that says less":                      {auth("cd", ""), auth("cd", `"deployers"`), "", []string{"delete iamidentitymapping", "create iamidentitymapping"}},
		"of another name, as that of nodes":   {auth("system:node:{{EC2PrivateDNSName}}", `"deployers"`), "", "nothing was done to it", nil},
		"of a group that would be taken away": {auth("cd", `"deployers","people"`), "", "nothing was done to it", nil},
		"that cannot be read":                 {"a word", "", "eksctl printed no list", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.authMode = "CONFIG_MAP"
			tf := start(t, w, object{})
			state := tf.must(cluster, nil, blue())
			w.auth[argocd], w.ran = tc.live, nil
			_, diags := tf.apply(tf.plan(cluster, &state, blue(mapped("deployers"))))
			if said := text(diags, tfprotov6.DiagnosticSeverityError); (said == "") != (tc.says == "") || !strings.Contains(said, tc.says) {
				t.Errorf("said %s", said)
			}
			if tc.after == "" {
				tc.after = tc.live
			}
			if w.auth[argocd] != tc.after {
				t.Errorf("it is %s, want %s", w.auth[argocd], tc.after)
			}
			var ran []string
			for _, c := range w.ran {
				if c.Args[0] != "get" {
					ran = append(ran, strings.Join(c.Args[:2], " "))
				}
			}
			if d := cmp.Diff(tc.runs, ran); d != "" {
				t.Errorf("commands (-want +got):\n%s", d)
			}
		})
	}
}

func TestAMappingThatCanBeNoEntryAnyMoreIsNone(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	state := tf.must(cluster, nil, blue(mapped("system:masters")))
	if !w.entries[argocd].Admin {
		t.Fatalf("the entries are %v", w.entries)
	}
	config := blue(mapped("system:nodes"))
	state = tf.must(cluster, &state, config)
	if d := cmp.Diff(map[string]string{"aws-auth " + argocd: `["system:nodes"]`}, w.access()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	state, diags := tf.refresh(cluster, state)
	if tf.clean(diags); tf.plan(cluster, &state, config).changes() {
		t.Error("the plan after that is not empty")
	}
}
