package charttest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/kubetest"
)

const oldSet = `
apiVersion: norikae.dev/v1alpha1
kind: ClusterSet
metadata: {name: old, namespace: argocd}
spec:
  sources: [{eks: {regions: [us-east-1]}}]
`

// TestAnUpgradeOfTheChartUpgradesTheKind from a release whose ClusterSet has fewer fields,
// with one stored, and uninstalls it, after which both are still there.
func TestAnUpgradeOfTheChartUpgradesTheKind(t *testing.T) {
	c := bare(t)
	namespace(t, c, "norikae")
	namespace(t, c, "argocd")
	before := copyOf(t, chart)
	withoutFields(t, filepath.Join(before, "files", "crds", "norikae.dev_clustersets.yaml"))
	mustHelm(t, c, "install", "norikae", before, "--namespace", "norikae")
	mustKubectl(t, c, "", "wait", "--for=condition=Established", "--timeout=10s", "crd/clustersets.norikae.dev")
	mustKubectl(t, c, oldSet, "apply", "-f", "-")
	if out, ok := c.Kubectl(t, strings.ReplaceAll(oldSet, "spec:", "spec:\n  probe: {enabled: false}"), "apply", "--validate=strict", "-f", "-"); ok {
		t.Fatalf("the old kind knows spec.probe: %s", out)
	}

	mustHelm(t, c, "upgrade", "norikae", chart, "--namespace", "norikae", "--set", "replicas=3")
	var cs *v1alpha1.ClusterSet
	eventually(t, "new field in an old object", func() bool {
		cs = get(t, c)
		return cs.Spec.Probe.Enabled != nil && *cs.Spec.Probe.Enabled && cs.Spec.Deletion.KeepLast != nil
	})
	was := cs.DeepCopy()
	cs.Status.ObservedGeneration = cs.Generation
	if err := c.Client.Status().Patch(t.Context(), cs, client.MergeFrom(was)); err != nil {
		t.Errorf("the status of an old object: %v", err)
	}
	mustKubectl(t, c, strings.ReplaceAll(oldSet, "spec:", "spec:\n  probe: {enabled: false}"), "apply", "--validate=strict", "-f", "-")
	checkPermissions(t, c, "norikae:norikae", "argocd", "argocd")

	mustHelm(t, c, "uninstall", "norikae", "--namespace", "norikae")
	if got := get(t, c); got.UID != cs.UID || *got.Spec.Probe.Enabled {
		t.Errorf("after uninstalling: %+v", got)
	}
	if out, ok := c.Kubectl(t, "", "get", "deployment", "--namespace", "norikae", "-o", "name"); !ok || strings.Contains(out, "deployment") {
		t.Errorf("after uninstalling: %s", out)
	}
	mustHelm(t, c, "install", "norikae", chart, "--namespace", "norikae")
	mustHelm(t, c, "upgrade", "norikae", before, "--namespace", "norikae") // back again: nothing stands in the way
	if got := get(t, c); got.UID != cs.UID {
		t.Errorf("after going back: %+v", got)
	}
}

func get(t *testing.T, c *kubetest.Cluster) *v1alpha1.ClusterSet {
	t.Helper()
	cs := &v1alpha1.ClusterSet{}
	if err := c.Client.Get(t.Context(), client.ObjectKey{Namespace: "argocd", Name: "old"}, cs); err != nil {
		t.Fatal(err)
	}
	return cs
}

// withoutFields makes a definition an older one.
func withoutFields(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	crd := map[string]any{}
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatal(err)
	}
	versions, _, err := unstructured.NestedSlice(crd, "spec", "versions")
	if err != nil || len(versions) != 1 {
		t.Fatalf("%v, %d versions", err, len(versions))
	}
	version, ok := versions[0].(map[string]any)
	if !ok {
		t.Fatalf("%T", versions[0])
	}
	spec := []string{"schema", "openAPIV3Schema", "properties", "spec", "properties"}
	for _, field := range [][]string{{"probe"}, {"deletion", "properties", "keepLast"}, {"suspend"}} {
		unstructured.RemoveNestedField(version, append(spec, field...)...)
	}
	if err := unstructured.SetNestedSlice(crd, versions, "spec", "versions"); err != nil {
		t.Fatal(err)
	}
	if text, err = yaml.Marshal(crd); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestKustomizeInstallsTheController(t *testing.T) {
	c := bare(t)
	namespace(t, c, "argocd")
	for _, step := range []struct{ said, args string }{
		{" created", "apply -k"},
		{" unchanged", "apply -k"}, // again, as one does
		{" serverside-applied", "apply --server-side -k"},
	} {
		out := mustKubectl(t, c, "", append(strings.Fields(step.args), "../../config/default")...)
		// kubectl replaces a budget's selector whole, and calls that a change.
		out = strings.ReplaceAll(out, "poddisruptionbudget.policy/norikae configured", "poddisruptionbudget.policy/norikae unchanged")
		if n := strings.Count(out, step.said); n != 12 || strings.Contains(out, "Warning") {
			t.Errorf("kubectl %s: %d of 12 objects are%s: %s", step.args, n, step.said, out)
		}
	}
	mustKubectl(t, c, "", "wait", "--for=condition=Established", "--timeout=10s", "crd/clustersets.norikae.dev")
	mustKubectl(t, c, oldSet, "apply", "-f", "-")
	checkPermissions(t, c, "norikae:norikae", "argocd", "argocd")
	d := &appsv1.Deployment{}
	if err := c.Client.Get(t.Context(), client.ObjectKey{Namespace: "norikae", Name: "norikae"}, d); err != nil {
		t.Fatal(err)
	}
	checkArguments(t, d.Spec.Template.Spec.Containers[0].Args)
	pod := podOf(*d)
	pod.Spec.ServiceAccountName, pod.Spec.AutomountServiceAccountToken = "", new(false)
	if err := c.Client.Create(t.Context(), pod, client.DryRunAll); err != nil {
		t.Errorf("a pod of it: %v", err)
	}
}

func TestAllNamespacesAreGrantedOnlyWhenTheyAreWatched(t *testing.T) {
	c := kube.Cluster(t)
	namespace(t, c, "argo")
	mustHelm(t, c, "install", "everywhere", chart, "--namespace", "argo", "--values", "testdata/all-namespaces.yaml", "--set", "crds.install=false")
	checkPermissions(t, c, "argo:everywhere-norikae", "argo", "argo", "default", "kube-system")
	mustHelm(t, c, "uninstall", "everywhere", "--namespace", "argo")
}
