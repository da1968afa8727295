package manifest

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/kubetest"
	"github.com/norikae/norikae/internal/registry"
)

// refusals are what kubectl prints of badSets; … is that the API server did not check
// the rest. What is not here is only wrong in a file: kubectl does not send it as it is.
func refusals() map[string]string {
	return map[string]string{
		"Exists with values":                   `spec.sources[0].eks.selector.matchExpressions[0]: Invalid value: In and NotIn need values, Exists and DoesNotExist have none`,
		"In without values":                    `spec.sources[0].eks.selector.matchExpressions[0]: Invalid value: In and NotIn need values, Exists and DoesNotExist have none`,
		"a field in the wrong case":            `strict decoding error: unknown field "spec.sources[0].eks.accounts[1].roleArn"`,
		"a field that does not exist":          `strict decoding error: unknown field "spec.argoCDNamespace"`,
		"a grace of 1s":                        `spec.deletion.grace: Invalid value: "1s": grace is 1m–720h`,
		"a name of 64 characters":              `<nil>: Invalid value: the name is at most 63 characters long: it becomes a label's value`,
		"a name pattern twice":                 `spec.sources[0].eks.selector.names[1]: Duplicate value: "prod-*"`,
		"a namespace of Argo CD in upper case": `spec.argocdNamespace: Invalid value: "Argo": spec.argocdNamespace in body should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'`,
		"a namespace twice":                    `spec.template.namespaces[1]: Duplicate value: "web"`,
		"a number beyond 32 bits":              `<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.deletion.keepLast`,
		"a number where text belongs":          `spec.sources[0].eks.selector.matchTags.env: Invalid value: "integer": spec.sources[0].eks.selector.matchTags.env in body must be of type string: "integer"…`,
		"a policy that there is not":           `spec.deletion.policy: Unsupported value: "delete": supported values: "Retain", "Delete"…`,
		"a probe of two minutes":               `spec.probe.timeout: Invalid value: "2m": timeout is 1s–60s`,
		"a refresh interval of two days":       `spec.refreshInterval: Invalid value: "48h": refreshInterval is 1m–24h`,
		"a region that is none":                `spec.sources[0].eks.regions[1]: Invalid value: "Ireland": spec.sources[0].eks.regions[1] in body should match '^[a-z]{2,4}(-[a-z]+)+-[0-9]+$'`,
		"a region twice":                       `spec.sources[0].eks.regions[1]: Duplicate value: "us-east-1"`,
		"a shard below 0":                      `spec.template.shard: Invalid value: -1: spec.template.shard in body should be greater than or equal to 0`,
		"a source that is not EKS":             `strict decoding error: unknown field "spec.sources[0].gke"`,
		"a truth value where none is":          `spec.probe.enabled: Invalid value: "string": spec.probe.enabled in body must be of type boolean: "string"…`,
		"a user where a role belongs":          `spec.sources[0].eks.accounts[1].roleARN: Invalid value: "arn:aws:iam::444455556666:user/jane": spec.sources[0].eks.accounts[1].roleARN in body should match '^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$'`,
		"an account without a role":            `spec.sources[0].eks.accounts[1].roleARN: Required value…`,
		"an empty name of clusters":            `spec.template.name: Invalid value: "": spec.template.name in body should be at least 1 chars long`,
		"an empty name of target groups":       `[spec.template.targetGroups.name: Invalid value: "": spec.template.targetGroups.name in body should be at least 1 chars long, spec.template.targetGroups: Invalid value: exactly one of name, tags, registeredInstances and none]`,
		"an expression without a key":          `spec.sources[0].eks.selector.matchExpressions[0].key: Required value…`,
		"an external ID of one character":      `spec.sources[0].eks.accounts[0].externalID: Invalid value: "x": spec.sources[0].eks.accounts[0].externalID in body should be at least 2 chars long`,
		"an external ID that is empty":         `spec.sources[0].eks.accounts[0].externalID: Invalid value: "": spec.sources[0].eks.accounts[0].externalID in body should be at least 2 chars long`,
		"an interval beyond all bounds":        `spec.interval: Invalid value: "string": type conversion error from 'string' to 'google.protobuf.Duration' evaluating rule: interval is 10s–24h`,
		"an interval in words":                 `[spec.interval: Invalid value: "half a minute": spec.interval in body should match '^([0-9]+([.][0-9]+)?(ns|us|µs|ms|s|m|h))+$', spec.interval: Invalid value: "string": type conversion error from 'string' to 'google.protobuf.Duration' evaluating rule: interval is 10s–24h]`,
		"an interval of 0s":                    `spec.interval: Invalid value: "0s": interval is 10s–24h`,
		"an interval of 5s":                    `spec.interval: Invalid value: "5s": interval is 10s–24h`,
		"an interval without a unit":           `spec.interval: Invalid value: "integer": spec.interval in body must be of type string: "integer"…`,
		"an operator that there is not":        `spec.sources[0].eks.selector.matchExpressions[0].operator: Unsupported value: "in": supported values: "In", "NotIn", "Exists", "DoesNotExist"…`,
		"fewer clusters than none":             `spec.deletion.keepLast: Invalid value: -1: spec.deletion.keepLast in body should be greater than or equal to 0`,
		"more than 20 variables":               `spec.auth.exec.env: Too many: 21: must have at most 20 items…`,
		"more than 40 regions":                 `spec.sources[0].eks.regions: Too many: 41: must have at most 40 items…`,
		"more than 50 labels":                  `spec.template.labels: Too many: 51: must have at most 50 items…`,
		"more than 500 excluded clusters":      `spec.sources[0].eks.selector.exclude.arns: Too many: 501: must have at most 500 items…`,
		"more than all clusters":               `spec.deletion.maxPercent: Invalid value: 101: spec.deletion.maxPercent in body should be less than or equal to 100`,
		"no sources":                           `spec.sources[0].eks.regions: Invalid value: 0: spec.sources[0].eks.regions in body should have at least 1 items`,
		"no way to find target groups":         `spec.template.targetGroups: Invalid value: exactly one of name, tags, registeredInstances and none`,
		"text where a number belongs":          `spec.deletion.keepLast: Invalid value: "string": spec.deletion.keepLast in body must be of type integer: "string"…`,
		"two ways to enter":                    `spec.auth: Invalid value: at most one of awsAuthConfig, exec and eksARN`,
		"two ways to find target groups":       `spec.template.targetGroups: Invalid value: exactly one of name, tags, registeredInstances and none`,
	}
}

// applyAll sends each with one kubectl, as case-0, case-1, …, and returns what kubectl
// says of each.
func applyAll(t *testing.T, sets map[string]badSet, names []string, args ...string) (c *kubetest.Cluster, said []string) {
	t.Helper()
	c = kube.Cluster(t)
	docs := make([]string, len(names))
	for i, name := range names {
		edited := editSet(t, sets[name].edits...)
		docs[i] = strings.Replace(strings.Replace(edited, ", namespace: fleet", "", 1), "name: production", fmt.Sprintf("name: case-%d", i), 1)
	}
	out, _ := c.Kubectl(t, strings.Join(docs, "---\n"), append([]string{"apply", "-f", "-"}, args...)...)
	return c, strings.Split(strings.TrimSpace(out), "\n")
}

var kubectlError = regexp.MustCompile(`^Error from server \((?:Invalid|BadRequest)\): error when creating "STDIN": (?:ClusterSet\.norikae\.dev "[^"]*" is invalid|ClusterSet in version "v1alpha1" cannot be handled as a ClusterSet): (.*)$`)

func TestTheAPIServerRefusesBadClusterSets(t *testing.T) {
	refusals, sets := refusals(), badSets()
	names := slices.Sorted(maps.Keys(refusals))
	_, said := applyAll(t, sets, names, "--dry-run=server")
	if len(said) != len(names) {
		t.Fatalf("kubectl said %d lines of %d ClusterSets:\n%s", len(said), len(names), strings.Join(said, "\n"))
	}
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			m := kubectlError.FindStringSubmatch(said[i])
			if m == nil {
				t.Fatalf("kubectl said %s", said[i])
			}
			const rest = ", <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]"
			got := m[1]
			if before, ok := strings.CutSuffix(got, rest); ok {
				got = strings.TrimPrefix(before, "[") + "…"
			}
			if got != refusals[name] {
				t.Errorf("got:\n%s\nwant:\n%s", got, refusals[name])
			}
		})
	}
	for name := range sets {
		_, refused := refusals[name]
		if onlyInAFile := strings.Contains(name, "set twice") || strings.Contains(name, "of another API"); refused == onlyInAFile {
			t.Errorf("%s: the API server's answer is not known", name)
		}
	}
}

// TestWhatTheAPIServerTakesIsExplainedAllTheSame reads wrong ClusterSets from the API
// server, as a controller does: the error is what its condition says.
func TestWhatTheAPIServerTakesIsExplainedAllTheSame(t *testing.T) {
	sets := wrongSets()
	names := slices.Sorted(maps.Keys(sets))
	c, said := applyAll(t, sets, names)
	line := regexp.MustCompile(`(?m)^\d+: `)
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			var cs v1alpha1.ClusterSet
			if err := c.Client.Get(t.Context(), client.ObjectKey{Namespace: c.Namespace, Name: fmt.Sprintf("case-%d", i)}, &cs); err != nil {
				t.Fatalf("%v; kubectl said:\n%s", err, strings.Join(said, "\n"))
			}
			_, err := CompileClusterSet(&cs)
			if want := line.ReplaceAllString(sets[name].want, cs.Name+": "); err == nil || err.Error() != want {
				t.Errorf("got:\n%v\nwant:\n%s", err, want)
			}
		})
	}
}

var texts = cmp.Comparer(func(a, b *registry.Text) bool { return a.Equal(b) })

// stored is a manifest as the API server gives it back.
func stored(t *testing.T, c *kubetest.Cluster, manifest string) *v1alpha1.ClusterSet {
	t.Helper()
	manifest = strings.Replace(manifest, "namespace: fleet", "namespace: "+c.Namespace, 1)
	if out, ok := c.Kubectl(t, manifest, "apply", "-f", "-"); !ok {
		t.Fatal(out)
	}
	sets, err := LoadClusterSets("x", []byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	var cs v1alpha1.ClusterSet
	if err := c.Client.Get(t.Context(), client.ObjectKeyFromObject(sets[0]), &cs); err != nil {
		t.Fatal(err)
	}
	return &cs
}

const minimalSet = `apiVersion: norikae.dev/v1alpha1
kind: ClusterSet
metadata: {name: production, namespace: fleet}
spec: {sources: [{eks: {regions: [us-east-1]}}]}
`

func TestTheDefaultsAreThoseOfTheSchema(t *testing.T) {
	for name, manifest := range map[string]string{
		"only what must be there": minimalSet,
		"empty objects":           strings.Replace(minimalSet, "sources:", "template: {}, auth: {}, deletion: {}, probe: {}, sources:", 1),
		"empty objects of auth":   strings.Replace(minimalSet, "sources:", "auth: {awsAuthConfig: {}}, sources:", 1),
		"everything":              goodSet,
	} {
		t.Run(name, func(t *testing.T) {
			c := kube.Cluster(t)
			manifest := strings.Replace(manifest, "namespace: fleet", "namespace: "+c.Namespace, 1)
			sets, err := LoadClusterSets("x", []byte(manifest))
			if err != nil {
				t.Fatal(err)
			}
			bare, err := CompileClusterSet(sets[0])
			if err != nil {
				t.Fatal(err)
			}
			cs := stored(t, c, manifest)
			full, err := CompileClusterSet(cs)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(bare, full, texts, cmpopts.IgnoreFields(registry.Set{}, "Generation"), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("(-bare +from the API server):\n%s", d)
			}
			if full.Generation != 1 || ArgoCDNamespace(sets[0]) != cs.Spec.ArgoCDNamespace {
				t.Errorf("generation %d, Argo CD in %q and %q", full.Generation, ArgoCDNamespace(sets[0]), cs.Spec.ArgoCDNamespace)
			}
		})
	}
}

func TestTheNamespaceOfArgoCDCannotBeChanged(t *testing.T) {
	c := kube.Cluster(t)
	first := strings.Replace(minimalSet, "fleet", c.Namespace, 1)
	if out, ok := c.Kubectl(t, first, "apply", "-f", "-"); !ok {
		t.Fatal(out)
	}
	out, ok := c.Kubectl(t, strings.Replace(first, "sources:", "argocdNamespace: elsewhere, sources:", 1), "apply", "-f", "-")
	if ok || !strings.Contains(out, "spec.argocdNamespace: Invalid value: \"elsewhere\": argocdNamespace cannot be changed: the Secrets there would be left behind") {
		t.Errorf("ok %v: %s", ok, out)
	}
	if out, ok := c.Kubectl(t, strings.Replace(first, "sources:", "interval: 5m, sources:", 1), "apply", "-f", "-"); !ok {
		t.Errorf("another change is refused: %s", out)
	}
}

// TestObjectsOfAnOlderSchemaAreRead stores ClusterSets under a schema that has fewer
// fields, and one that there is no more, and then replaces the schema.
func TestObjectsOfAnOlderSchemaAreRead(t *testing.T) {
	own := kubetest.Server{Bare: true}
	t.Cleanup(func() {
		if err := own.Stop(); err != nil {
			t.Error(err)
		}
	})
	c := own.Cluster(t)
	text, err := os.ReadFile("../../config/crd/norikae.dev_clustersets.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var now apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &now); err != nil {
		t.Fatal(err)
	}
	older := now.DeepCopy()
	spec := older.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	for _, field := range []string{"refreshInterval", "deletion", "probe", "suspend"} {
		delete(spec.Properties, field)
	}
	spec.Properties["prune"] = apiextensionsv1.JSONSchemaProps{Type: "boolean"}
	auth := spec.Properties["auth"]
	auth.XValidations = nil // two ways to enter were allowed
	spec.Properties["auth"] = auth
	older.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"] = spec
	install(t, c, older)
	old := strings.Replace(minimalSet, "fleet", c.Namespace, 1)
	both := strings.Replace(strings.Replace(old, "production", "both", 1), "sources:", "auth: {eksARN: true, awsAuthConfig: {}}, sources:", 1)
	for _, manifest := range []string{strings.Replace(old, "sources:", "prune: true, interval: 2m, sources:", 1), both} {
		if out, ok := c.Kubectl(t, manifest, "apply", "-f", "-"); !ok {
			t.Fatal(out)
		}
	}
	var before apiextensionsv1.CustomResourceDefinition
	if err := c.Client.Get(t.Context(), client.ObjectKeyFromObject(&now), &before); err != nil {
		t.Fatal(err)
	}
	now.ResourceVersion = before.ResourceVersion
	if err := c.Client.Update(t.Context(), &now); err != nil {
		t.Fatal(err)
	}
	want, err := CompileClusterSet(stored(t, kube.Cluster(t), minimalSet))
	if err != nil {
		t.Fatal(err)
	}
	want.Owner.Namespace, want.Interval = c.Namespace, 2*time.Minute
	// The API server serves the new schema a moment after it has taken it.
	var list v1alpha1.ClusterSetList
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if err := c.Client.List(t.Context(), &list, client.InNamespace(c.Namespace)); err != nil {
			t.Fatal(err)
		}
		if len(list.Items) == 2 && list.Items[1].Spec.Deletion.Policy != "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s the objects still have no new defaults: %+v", list.Items)
		}
	}
	got, err := CompileClusterSet(&list.Items[1])
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, texts, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	const wrong = "both: spec.auth: has awsAuthConfig and eksARN, want exactly one of awsAuthConfig, exec and eksARN; Argo CD enters a cluster in one way"
	if _, err := CompileClusterSet(&list.Items[0]); err == nil || err.Error() != wrong {
		t.Errorf("what the new schema refuses: %v, want %s", err, wrong)
	}
	// What is stored may go on being written where nobody looks at the spec.
	list.Items[0].Status.ObservedGeneration = 1
	meta.SetStatusCondition(&list.Items[0].Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "Invalid", Message: wrong})
	if err := c.Client.Status().Update(t.Context(), &list.Items[0]); err != nil {
		t.Errorf("writing the status of an object that the new schema refuses: %v", err)
	}
}

// install a CustomResourceDefinition and wait until it is served.
func install(t *testing.T, c *kubetest.Cluster, crd *apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	if _, err := envtest.InstallCRDs(c.Config, envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{crd}, Scheme: c.Scheme}); err != nil {
		t.Fatal(err)
	}
}
