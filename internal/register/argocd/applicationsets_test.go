package argocd

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/norikae/norikae/internal/kubetest"
	"github.com/norikae/norikae/internal/registry"
)

// apply an ApplicationSet with this spec.
func apply(t *testing.T, c *kubetest.Cluster, name, spec string) {
	t.Helper()
	text := "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: " + name + "}\nspec:\n  " + strings.ReplaceAll(strings.TrimSpace(spec), "\n", "\n  ") + "\n"
	if out, ok := c.Kubectl(t, text, "apply", "-f", "-"); !ok {
		t.Fatal(out)
	}
}

func in(key string, values ...string) registry.Requirement {
	return registry.Requirement{Key: key, Operator: registry.In, Values: values}
}

func TestWhomAnApplicationSetSelects(t *testing.T) {
	everything := registry.LabelSelector{}
	for name, tc := range map[string]struct {
		spec string
		want registry.ApplicationSet
	}{
		"no generator": {"generators: []", registry.ApplicationSet{}},
		"no cluster generator selects nothing": {
			"generators: [{list: {elements: [{env: '{{metadata.labels.env}}'}]}}, {git: {}}, {scmProvider: {}}, {pullRequest: {}}, {plugin: {}}]",
			registry.ApplicationSet{},
		},
		"no selector selects everything":       {"generators: [{clusters: {}}]", registry.ApplicationSet{Selectors: []registry.LabelSelector{everything}}},
		"an empty selector selects everything": {"generators: [{clusters: {flatList: true, selector: {}}}]", registry.ApplicationSet{Selectors: []registry.LabelSelector{everything}}},
		"labels and expressions count together": {
			`
generators:
- clusters:
    values: {revision: '{{metadata.labels.revision}}'}
    selector:
      matchLabels: {tier: web, argocd.argoproj.io/secret-type: cluster}
      matchExpressions:
      - {key: env, operator: NotIn, values: [dev, test]}
      - {key: a, operator: Exists}
      - {key: b, operator: DoesNotExist, values: []}
`, registry.ApplicationSet{Selectors: []registry.LabelSelector{{
				in("argocd.argoproj.io/secret-type", "cluster"), in("tier", "web"),
				{Key: "env", Operator: registry.NotIn, Values: []string{"dev", "test"}},
				{Key: "a", Operator: registry.Exists},
				{Key: "b", Operator: registry.DoesNotExist},
			}}},
		},
		"cluster generators at every depth": {
			`
generators:
- clusters: {selector: {matchLabels: {a: "1"}}}
- matrix:
    generators:
    - git: {repoURL: x, files: [{path: 'clusters/{{name}}/values.yaml'}]}
    - merge:
        mergeKeys: [server]
        generators:
        - clusters: {selector: {matchLabels: {b: "2"}}}
        - clusters: {selector: {matchLabels: {c: "3"}}}
`, registry.ApplicationSet{Selectors: []registry.LabelSelector{{in("a", "1")}, {in("b", "2")}, {in("c", "3")}}},
		},
		"a selector over what was generated narrows by labels": {
			`
generators:
- clusters: {selector: {matchLabels: {a: "1"}}}
  selector:
    matchLabels: {metadata.labels.env: prod, name: blue}
    matchExpressions: [{key: metadata.labels.example.com/x, operator: Exists}]
- matrix:
    generators:
    - clusters: {}
    - list: {elements: [{x: "1"}]}
      selector: {matchLabels: {x: "1"}}
  selector: {matchLabels: {metadata.labels.tier: web}}
`, registry.ApplicationSet{Selectors: []registry.LabelSelector{
				{in("a", "1")}, {in("env", "prod")}, {{Key: "example.com/x", Operator: registry.Exists}}, everything, {in("tier", "web")},
			}},
		},
		"clusters that a resource names may be any": {
			"generators: [{clusterDecisionResource: {configMapRef: x, labelSelector: {matchLabels: {a: b}}}}]",
			registry.ApplicationSet{Selectors: []registry.LabelSelector{everything}},
		},
		"a policy that only creates keeps Applications":        {"{syncPolicy: {applicationsSync: create-only}, generators: []}", registry.ApplicationSet{Keeps: true}},
		"a policy that creates and updates keeps Applications": {"{syncPolicy: {applicationsSync: create-update}, generators: []}", registry.ApplicationSet{Keeps: true}},
		"a policy that deletes does not":                       {"{syncPolicy: {applicationsSync: create-delete}, generators: []}", registry.ApplicationSet{}},
		"the policy by default does not":                       {"{syncPolicy: {applicationsSync: sync, preserveResourcesOnDeletion: false}, generators: []}", registry.ApplicationSet{}},
		"workloads may be preserved":                           {"{syncPolicy: {preserveResourcesOnDeletion: true}, generators: []}", registry.ApplicationSet{Preserves: true}},
		"a name that no label is part of": {
			"{generators: [{clusters: {values: {a: b}}}], template: {metadata: {name: '{{.name}}-{{.values.a}}', labels: {env: '{{.metadata.labels.env}}'}}}}",
			registry.ApplicationSet{Selectors: []registry.LabelSelector{everything}},
		},
		"no cluster generator, and any name": {
			"{generators: [{list: {}}], template: {metadata: {name: '{{.metadata.x}}'}}}", registry.ApplicationSet{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := kube.Cluster(t)
			apply(t, c, "guestbook", tc.spec)
			got, err := newSecrets(t, c).ApplicationSets(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tc.want.Namespace, tc.want.Name = c.Namespace, "guestbook"
			if d := cmp.Diff([]registry.ApplicationSet{tc.want}, got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestAnApplicationSetThatCannotBeReadIsNamed(t *testing.T) {
	for name, tc := range map[string]struct{ spec, want string }{
		"a selector of another generator's values": {
			"generators: [{matrix: {generators: [{git: {}}, {clusters: {selector: {matchLabels: {env: '{{path.basename}}'}}}}]}}]",
			`spec.generators[0].matrix.generators[1].clusters: selector: "{{path.basename}} env" is a template: whom it selects cannot be known`,
		},
		"files that a label names": {
			"generators: [{matrix: {generators: [{clusters: {}}, {git: {files: [{path: 'envs/{{ index .metadata.labels \"env\" }}/*.yaml'}]}}]}}]",
			`spec.generators[0]: matrix.generators[1].git.files[0].path = "envs/{{ index .metadata.labels \"env\" }}/*.yaml": what is generated depends on labels or annotations of the Secrets in a way that cannot be followed`,
		},
		"a selector over an annotation": {
			"generators: [{clusters: {}, selector: {matchLabels: {metadata.annotations.a: b}}}]",
			`spec.generators[0]: selector: key "metadata.annotations.a": whom it selects depends on more than labels`,
		},
		"a selector over values": {
			"generators: [{clusters: {values: {a: b}}, selector: {matchLabels: {values.a: b}}}]",
			`spec.generators[0]: selector: key "values.a": whom it selects depends on more than labels`,
		},
		"a name that a label is part of": {
			"{generators: [{clusters: {}}], template: {metadata: {name: '{{.metadata.labels.env}}-x'}}}",
			`spec.template.metadata: name = "{{.metadata.labels.env}}-x": it is made of labels or annotations of the Secrets, so that changing one renames Applications`,
		},
		"a name that a value of a label is part of": {
			"{generators: [{clusters: {values: {env: '{{metadata.labels.env}}'}}}], template: {metadata: {name: '{{values.env}}-x'}}}",
			`spec.template.metadata: name = "{{values.env}}-x": it is made of labels or annotations of the Secrets, so that changing one renames Applications`,
		},
		"a name in a generator's own template": {
			"{generators: [{matrix: {generators: [{clusters: {}}, {list: {}}], template: {metadata: {name: '{{.metadata.labels.env}}-x'}}}}], template: {metadata: {name: '{{.name}}'}}}",
			`spec.generators[0].matrix.template.metadata: name = "{{.metadata.labels.env}}-x": it is made of labels or annotations of the Secrets, so that changing one renames Applications`,
		},
		"a name of a value in a generator's own template": {
			"generators: [{list: {}}, {clusters: {values: {env: '{{metadata.labels.env}}'}, template: {metadata: {name: '{{values.env}}'}}}}]",
			`spec.generators[1].clusters.template.metadata: name = "{{values.env}}": it is made of labels or annotations of the Secrets, so that changing one renames Applications`,
		},
		"a generator of the future":   {"generators: [{fleets: {}}]", `spec.generators[0]: there is a generator "fleets", of which is not known whom it selects`},
		"a policy of the future":      {"syncPolicy: {applicationsSync: prune}", `spec.syncPolicy.applicationsSync is "prune", which is not known`},
		"an operator of the future":   {"generators: [{clusters: {selector: {matchExpressions: [{key: a, operator: Gt, values: ['1']}]}}}]", `spec.generators[0].clusters.selector.matchExpressions[0]: "a" "Gt" with 1 values is no requirement: want a key and In or NotIn with values, or Exists or DoesNotExist without`},
		"In without values":           {"generators: [{clusters: {selector: {matchExpressions: [{key: a, operator: In}]}}}]", `spec.generators[0].clusters.selector.matchExpressions[0]: "a" "In" with 0 values is no requirement: want a key and In or NotIn with values, or Exists or DoesNotExist without`},
		"a field of the future":       {"generators: [{clusters: {selector: {matchNames: [a]}}}]", `spec.generators[0].clusters: selector has a field "matchNames", want matchLabels and matchExpressions`},
		"a label that is a number":    {"generators: [{clusters: {selector: {matchLabels: {a: 1}}}}]", `spec.generators[0].clusters: selector.matchLabels[a] is int64, want text`},
		"generators that are no list": {"generators: {clusters: {}}", `spec: generators is map[string]interface {}, want a list`},
		"a generator that is a word":  {"generators: [clusters]", `spec.generators[0]: is string, want fields`},
		"preserving that is a word":   {"syncPolicy: {preserveResourcesOnDeletion: 'yes'}", `spec.syncPolicy.preserveResourcesOnDeletion is "yes", want true or false`},
	} {
		t.Run(name, func(t *testing.T) {
			c := kube.Cluster(t)
			apply(t, c, "good", "generators: [{clusters: {}}]")
			apply(t, c, "odd", tc.spec)
			got, err := newSecrets(t, c).ApplicationSets(t.Context())
			if want := "ApplicationSet " + c.Namespace + "/odd: " + tc.want; err == nil || err.Error() != want || got != nil {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestApplicationSetsOfOtherNamespacesAreAsked(t *testing.T) {
	c := kube.Cluster(t)
	apply(t, c, "theirs", "generators: [{clusters: {}}]")
	s, err := New(Config{Reader: c.Client, Writer: c.Client, Namespace: c.NewNamespace(t), ApplicationSetNamespaces: []string{c.Namespace}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.ApplicationSets(t.Context())
	if err != nil || len(got) != 1 || got[0].Name != "theirs" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestWithoutTheKindThereAreNoApplicationSets(t *testing.T) {
	bare := kubetest.Server{Bare: true}
	t.Cleanup(func() {
		if err := bare.Stop(); err != nil {
			t.Error(err)
		}
	})
	got, err := newSecrets(t, bare.Cluster(t)).ApplicationSets(t.Context())
	if err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}
