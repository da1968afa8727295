package migrate

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/registry"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got); after a look at it, run with -update:\n%s", path, d)
	}
}

// Objects as the tools' own documents show them.
const (
	argoCDFull = `apiVersion: clusterset.mumo.co/v1alpha1
kind: ClusterSet
metadata:
  name: myclusterset1
  namespace: argo
  uid: 0123
spec:
  selector:
    roleARN: "arn:aws:iam::123456789012:role/read-eks-cluster-role"
    eksTags: {foo: "bar"}
  template:
    metadata:
      labels: {env: "prod", odd: "a{{b", argocd.argoproj.io/secret-type: cluster}
      config:
        awsAuthConfig:
          roleARN: "arn:aws:iam::123456789012:role/argocd-auth-role"
status: {phase: x}
`
	argoCDBare = `apiVersion: clusterset.mumo.co/v1alpha1
kind: ClusterSet
metadata: {name: bare}
spec:
  template: {metadata: {labels: {}}}
`
	okraTwo = `apiVersion: okra.mumo.co/v1alpha1
kind: ClusterSet
metadata: {name: web, namespace: default}
spec:
  generators:
  - awseks: {selector: {matchTags: {role: web, env: prod}}}
  - awseks: {selector: {matchTags: {role: api}}}
  template: {metadata: {labels: {role: web}}}
`
)

func TestWhatOlderToolsDeclaredIsSaidAsAClusterSet(t *testing.T) {
	for name, tc := range map[string]struct {
		tool Tool
		data string
		o    Options
	}{
		"argocd-clusterset":           {ArgoCDClusterSet, argoCDFull, Options{Regions: []string{"us-east-1"}}},
		"argocd-clusterset-bare":      {ArgoCDClusterSet, argoCDBare, Options{Regions: []string{"us-east-1", "eu-west-1"}}},
		"argocd-clusterset-namespace": {ArgoCDClusterSet, argoCDBare, Options{Regions: []string{"cn-north-1"}, Namespace: "team"}},
		"okra":                        {Okra, okraTwo, Options{Regions: []string{"us-west-2"}}},
		"okra-list":                   {Okra, "apiVersion: v1\nkind: List\nitems:\n" + item(okraTwo) + item(strings.Replace(okraTwo, "name: web", "name: api", 1)), Options{Regions: []string{"us-west-2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			declared, err := Read(tc.tool, "old.yaml", []byte(tc.data))
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, d := range declared {
				c, err := Convert(d, tc.o)
				if err != nil {
					t.Fatal(err)
				}
				text, err := yaml.Marshal(c.Set)
				if err != nil {
					t.Fatal(err)
				}
				b.WriteString("---\n" + string(text))
				for _, n := range c.Notes {
					b.WriteString("# " + n + "\n")
				}
				if _, err := manifest.LoadClusterSets("new.yaml", text); err != nil {
					t.Errorf("what is printed is refused: %v", err)
				}
				set, err := manifest.CompileClusterSet(c.Set)
				if err != nil {
					t.Fatal(err)
				}
				wantLabels(t, set, d.Labels)
			}
			golden(t, name+".yaml", b.String())
		})
	}
}

// wantLabels: they come out as they were declared, whatever they look like.
func wantLabels(t *testing.T, set *registry.Set, want map[string]string) {
	t.Helper()
	c := registry.Cluster{ID: registry.ID{Partition: "aws", Account: "123456789012", Region: "us-east-1", Name: "blue"}, Status: registry.Active}
	for k, v := range want {
		text, ok := set.Template.Labels[k]
		if !ok {
			if k != typeLabel {
				t.Errorf("label %s is gone", k)
			}
			continue
		}
		if got, err := text.Render(c); err != nil || got != v {
			t.Errorf("label %s is %q, %v, want %q", k, got, err, v)
		}
	}
	if got, err := set.Template.Name.Render(c); err != nil || got != "blue" {
		t.Errorf("the name is %q, %v", got, err)
	}
}

func item(doc string) string {
	return "- " + strings.ReplaceAll(strings.TrimSuffix(doc, "\n"), "\n", "\n  ") + "\n"
}

func TestWhatIsNoneOfTheToolsIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		tool Tool
		data string
		want string
	}{
		"an empty file":                 {Okra, "", "old.yaml: there is no ClusterSet of okra.mumo.co/v1alpha1 in it"},
		"no YAML":                       {Okra, "a: b: c", "old.yaml: not valid YAML: mapping values are not allowed in this context"},
		"a list of nothing":             {Okra, "- 1", "old.yaml: line 1: not an object: yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into migrate.head"},
		"the other tool's":              {Okra, argoCDBare, "old.yaml: line 1: this is a ClusterSet of clusterset.mumo.co/v1alpha1: norikae migrate argocd-clusterset reads it"},
		"and the other way round":       {ArgoCDClusterSet, okraTwo, "old.yaml: line 1: this is a ClusterSet of okra.mumo.co/v1alpha1: norikae migrate okra reads it"},
		"norikae's own":                 {Okra, "\napiVersion: norikae.dev/v1alpha1\nkind: ClusterSet", "old.yaml: line 2: this is a ClusterSet of norikae.dev/v1alpha1, norikae's own: there is nothing to migrate"},
		"a Cell":                        {Okra, "apiVersion: okra.mumo.co/v1alpha1\nkind: Cell", "old.yaml: line 1: this is a Cell of okra.mumo.co/v1alpha1; want a ClusterSet of okra.mumo.co/v1alpha1"},
		"something without a kind":      {Okra, "a: b", "old.yaml: line 1: this is a nothing of no group; want a ClusterSet of okra.mumo.co/v1alpha1"},
		"the group of okra's documents": {Okra, strings.Replace(okraTwo, "okra.mumo.co", "okra.mumoshu.github.io", 1), "old.yaml: line 1: this is a ClusterSet of okra.mumoshu.github.io/v1alpha1, which okra never served: it stood in its documents only; write apiVersion: okra.mumo.co/v1alpha1"},
		"a generator of okra's documents": {
			Okra, strings.Replace(okraTwo, "- awseks: {selector: {matchTags: {role: web, env: prod}}}", "- eks: {tags: {role: web}}", 1),
			`old.yaml: line 1: ClusterSet "web": spec.generators[0] has no field eks (line 6), and the tool ignored it: remove it, or write what you meant`,
		},
		"a mistyped selector": {
			ArgoCDClusterSet, strings.Replace(argoCDFull, "eksTags", "eksTag", 1),
			`old.yaml: line 1: ClusterSet "myclusterset1": spec.selector has no field eksTag (line 10), and the tool ignored it: remove it, or write what you meant`,
		},
		"no generator": {Okra, "apiVersion: okra.mumo.co/v1alpha1\nkind: ClusterSet\nmetadata: {name: a}\nspec: {template: {metadata: {labels: {}}}}", `old.yaml: line 1: ClusterSet "a": spec.generators: there is none: okra's controller did nothing with it`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(tc.tool, "old.yaml", []byte(tc.data))
			if err == nil || err.Error() != tc.want {
				t.Errorf("%v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestWhatCannotBeConvertedIsRefused(t *testing.T) {
	ok := Declared{Tool: Okra, Name: "web", Sources: []Source{{}}}
	for name, tc := range map[string]struct {
		edit func(*Declared)
		o    Options
		want string
	}{
		"no region":                    {func(*Declared) {}, Options{}, `okra "web": no region: the tool looked in the region of its environment, which its declaration does not name; name it`},
		"a region that is none":        {func(*Declared) {}, Options{Regions: []string{"virginia"}}, `okra "web": region "virginia": want a region such as us-east-1`},
		"a role that is none":          {func(d *Declared) { d.Sources[0].RoleARN = "admin" }, Options{Regions: []string{"us-east-1"}}, `okra "web": the role "admin": want arn:PARTITION:iam::ACCOUNT:role/NAME`},
		"a name that is none of a set": {func(d *Declared) { d.Name = "a.b" }, Options{Regions: []string{"us-east-1"}}, `okra "a.b": metadata.name "a.b": a ClusterSet's name is 1–63 lower-case letters, digits and hyphens; give it another`},
	} {
		d := ok
		d.Sources = []Source{{}}
		tc.edit(&d)
		if _, err := Convert(d, tc.o); err == nil || err.Error() != tc.want {
			t.Errorf("%s: %v\nwant %s", name, err, tc.want)
		}
	}
}

func TestFlagsSayWhatObjectsSay(t *testing.T) {
	flags := Flags{
		Name: "myclusterset1", Namespace: "argo", EKSTags: []string{"foo=bar", "a=b=c"}, Labels: []string{"env=prod"},
		RoleARN: "arn:aws:iam::123456789012:role/read", AuthRoleARN: "arn:aws:iam::123456789012:role/auth",
	}
	d, err := FromFlags(ArgoCDClusterSet, flags)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Labels) != 0 || len(d.Notes) != 1 || !strings.Contains(d.Notes[0], "never used it") {
		t.Errorf("labels that argocd-clusterset never set: %v, notes %q", d.Labels, d.Notes)
	}
	want := []Source{{RoleARN: "arn:aws:iam::123456789012:role/read", Tags: map[string]string{"foo": "bar", "a": "b=c"}}}
	if diff := cmp.Diff(want, d.Sources); diff != "" {
		t.Error(diff)
	}
	if d, err = FromFlags(Okra, flags); err != nil || d.Labels["env"] != "prod" {
		t.Errorf("okra's labels: %v, %v", d.Labels, err)
	}
	flags.EKSTags = []string{"foo"}
	if _, err := FromFlags(Okra, flags); err == nil || err.Error() != `--eks-tags "foo": want KEY=VALUE` {
		t.Error(err)
	}
}

func TestSecretsOfTheToolAreKnownByWhatItWrote(t *testing.T) {
	made := made(map[string]string{"env": "prod"})
	blue := registry.Entry{Name: "blue", Registration: registry.Registration{ClusterName: "blue", Labels: map[string]string{"env": "prod", "mine": "yes"}}}
	for name, tc := range map[string]struct {
		edit func(*registry.Entry)
		want bool
	}{
		"as it wrote it":             {func(*registry.Entry) {}, true},
		"with its config, if read":   {func(e *registry.Entry) { e.Config = `{"awsAuthConfig":{"clusterName":"blue"}}` }, true},
		"with another config":        {func(e *registry.Entry) { e.Config = `{"bearerToken":"x"}` }, false},
		"with a config that is none": {func(e *registry.Entry) { e.Config = `x` }, false},
		"with another label":         {func(e *registry.Entry) { e.Labels = map[string]string{"env": "test"} }, false},
		"with another name":          {func(e *registry.Entry) { e.ClusterName = "production" }, false},
		"of a ClusterSet already":    {func(e *registry.Entry) { e.Owner = registry.Owner{Namespace: "a", Name: "b"} }, false},
	} {
		e := blue
		tc.edit(&e)
		if got := made(e); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}
}
