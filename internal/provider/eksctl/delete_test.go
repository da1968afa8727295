package eksctl_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

const deletes = "delete cluster --name blue --region cn-north-1 --wait" + tail

// halfDeleted is a cluster of which only stacks are left, after a refresh.
func halfDeleted(t *testing.T, config object) (*world, *terraform, tftypes.Value) {
	t.Helper()
	w := newWorld()
	tf := start(t, w, object{})
	state := tf.must(cluster, nil, config)
	w.fail = "delete cluster" // the control plane goes, the stack of the VPC is DELETE_FAILED
	state, diags := tf.destroy(cluster, state)
	if !failed(diags) || state.IsNull() {
		t.Fatalf("a deletion that failed leaves %s", state)
	}
	w.fail, w.ran = "", nil
	state, diags = tf.refresh(cluster, state)
	if said := text(diags, tfprotov6.DiagnosticSeverityWarning); state.IsNull() || failed(diags) || !strings.Contains(said, "stacks of it may be left") {
		t.Fatalf("the refresh leaves %s and says %q", state, said)
	}
	return w, tf, state
}

func TestADeletionThatFailedHalfWayIsDoneAgain(t *testing.T) {
	for name, change := range map[string]func(*world){
		"while stacks are left":                func(*world) {},
		"when somebody took the stacks away":   func(w *world) { w.stacks = false },
		"when it fails once more between them": func(w *world) { w.fail = "delete cluster" },
	} {
		t.Run(name, func(t *testing.T) {
			w, tf, state := halfDeleted(t, blue())
			change(w)
			if !strings.Contains(tf.get(state, "unfinished"), "Deleting the cluster") {
				t.Errorf("unfinished is %s", tf.get(state, "unfinished"))
			}
			want := []string{deletes}
			state, diags := tf.destroy(cluster, state)
			if w.fail != "" {
				if state.IsNull() || !failed(diags) {
					t.Fatal("the second failure is forgotten")
				}
				w.fail = ""
				state, _ = tf.refresh(cluster, state)
				state, diags = tf.destroy(cluster, state)
				want = append(want, deletes)
			}
			tf.clean(diags)
			if d := cmp.Diff(want, w.lines()); d != "" || !state.IsNull() || w.stacks {
				t.Errorf("stacks %v, state %s, commands (-want +got):\n%s", w.stacks, state, d)
			}
		})
	}
}

func TestAnApplyAfterHalfADeletionTakesTheRestAwayAndMakesTheClusterAnew(t *testing.T) {
	w, tf, state := halfDeleted(t, blue())
	config := blue(with("version", "1.35")) // another cluster may have any version
	p := tf.plan(cluster, &state, config)
	if tf.clean(p.diags); !p.replace || tf.get(p.value, "unfinished") != "(unknown)" {
		t.Fatalf("the plan replaces: %v, unfinished %s", p.replace, tf.get(p.value, "unfinished"))
	}
	_, diags := tf.destroy(cluster, state)
	tf.clean(diags)
	tf.must(cluster, nil, config)
	if w.cluster == nil || len(w.lines()) != 2 {
		t.Errorf("ran %q", w.lines())
	}
}

func TestAClusterThatSomebodyMadeAgainIsNoHalfDeletedOne(t *testing.T) {
	w, tf, state := halfDeleted(t, blue())
	again := newWorld()
	start(t, again, object{}).must(cluster, nil, blue())
	w.cluster, w.groups = again.cluster, again.groups
	state, diags := tf.refresh(cluster, state)
	tf.clean(diags)
	if p := tf.plan(cluster, &state, blue()); p.replace || strings.Contains(tf.get(state, "unfinished"), "Deleting") {
		t.Errorf("replaces: %v, unfinished %s", p.replace, tf.get(state, "unfinished"))
	}
	w.cluster = nil
	if state, _ = tf.refresh(cluster, state); !state.IsNull() {
		t.Error("the deletion that failed is not forgotten")
	}
}

func TestADeletionThatWasKilledIsDoneAgainWhereItWasSeen(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	state := tf.must(cluster, nil, blue())
	w.cluster.Status = "DELETING" // Terraform was killed
	state, diags := tf.refresh(cluster, state)
	tf.clean(diags)
	w.cluster, w.ran = nil, nil
	state, diags = tf.refresh(cluster, state)
	if tf.clean(diags); state.IsNull() {
		t.Fatal("the refresh forgets it")
	}
	state, diags = tf.destroy(cluster, state)
	tf.clean(diags)
	if d := cmp.Diff([]string{deletes}, w.lines()); d != "" || !state.IsNull() {
		t.Errorf("state %s, commands (-want +got):\n%s", state, d)
	}
}

func TestTheKubeconfigOfTheNextClusterStays(t *testing.T) {
	w := newWorld()
	tf := start(t, w, object{})
	path := t.TempDir() + "/kubeconfig"
	state := tf.must(cluster, nil, blue(with("kubeconfig_path", path)))
	green := w.files[path]
	green.Cluster.Name = "green"
	if err := w.Write(path, green); err != nil { // create_before_destroy, and the same kubeconfig_path
		t.Fatal(err)
	}
	_, diags := tf.destroy(cluster, state)
	tf.clean(diags)
	if w.files[path].Cluster.Name != "green" {
		t.Error("it was removed with the cluster before")
	}
}
