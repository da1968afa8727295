package eksctl_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/eksctl"
)

func TestClusterConfigs(t *testing.T) {
	for file, c := range map[string]eksctl.Cluster{
		"minimal.yaml": {Name: "blue", Region: "us-east-1"},
		"existing-vpc.yaml": {Name: "blue", Region: "us-east-1", Version: "1.30", VPCID: "vpc-1", Tags: map[string]string{"b": "2", "a": "yes"}, Spec: `
# comments go
vpc:
  subnets:
    private: {us-east-1a: {id: subnet-1}, us-east-1b: {id: subnet-2}}
nodeGroups: # of eksctl
- name: ng1
  labels: &l {role: web}
managedNodeGroups:
- {name: ng2, labels: *l, spot: yes}
iam: {withOIDC: yes}
`},
		"git.yaml":      {Name: "blue", Region: "us-east-1", Spec: "git:\n  repo: {url: x}\nfargateProfiles: [{name: fp, selectors: [{namespace: web}]}]\n"},
		"metadata.yaml": {Name: "blue", Region: "us-east-1", Tags: map[string]string{"a": "1"}, Spec: "kind: ClusterConfig\nmetadata:\n  name: blue\n  annotations: {x: y}\n  tags: {a: '1', b: '2'}\n"},
		"unknown.yaml":  {Name: "blue", Region: "us-east-1", Spec: "nodegroups: []\nbrandNew: {a: 1}\n"},
	} {
		t.Run(file, func(t *testing.T) {
			got, err := eksctl.Generate(c)
			if err != nil {
				t.Fatal(err)
			}
			doc := got.YAML
			for _, w := range got.Warnings {
				doc += "# warning: " + w + "\n"
			}
			golden(t, file, doc+fmt.Sprintf("# groups %q, OIDC %t, Fargate %t\n", got.Names(), got.OIDC, got.FargateProfiles))
		})
	}
}

func TestSpecsThatCannotBeUsed(t *testing.T) {
	var out strings.Builder
	for _, tc := range []struct{ name, spec string }{
		{"a VPC's ID", "vpc: {id: vpc-1}"},
		{"no YAML", "a: [1"},
		{"a tab", "a:\n\tb: 1"},
		{"a list", "- a"},
		{"a word", "hello"},
		{"two documents", "a: 1\n---\nb: 2"},
		{"a key twice", "iam: {}\nvpc: {}\niam: {}"},
		{"a key twice, deeper", "iam:\n  withOIDC: true\n  withOIDC: false"},
		{"a key that is a list", "? [a]\n: 1"},
		{"node groups that are a mapping", "nodeGroups: {a: 1}"},
		{"a node group without a name", "managedNodeGroups: [{spot: true}]"},
		{"a node group that is a word", "nodeGroups: [a]"},
		{"two node groups of one name", "nodeGroups: [{name: a}]\nmanagedNodeGroups: [{name: b}, {name: a}]"},
		{"another name", "metadata: {name: green}"},
		{"another version", "metadata: {version: '1.32'}"},
		{"another tag", "metadata: {tags: {a: '2'}}"},
		{"tags that are a list", "metadata: {tags: [a]}"},
		{"metadata that are a word", "metadata: x"},
		{"another API version", "apiVersion: eksctl.io/v1alpha4"},
		{"another kind", "kind: Cluster"},
		{"an unknown authentication mode", "accessConfig: {authenticationMode: AWS_AUTH}"},
		{"a VPC that is a word", "vpc: vpc-1"},
		{"IAM that is a list", "iam: []"},
		{"more than one mistake", "vpc: {id: x}\nnodeGroups: [{}]"},
	} {
		_, err := eksctl.Generate(eksctl.Cluster{Name: "blue", Region: "us-east-1", Version: "1.33", Tags: map[string]string{"a": "1"}, Spec: tc.spec})
		if err == nil {
			t.Errorf("%s is taken", tc.name)
			continue
		}
		fmt.Fprintf(&out, "%s:\n    %s\n", tc.name, strings.ReplaceAll(err.Error(), "\n", "\n    "))
	}
	golden(t, "refused.txt", out.String())
}

func TestEqualClustersGiveEqualText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tags := rapid.MapOf(rapid.StringMatching(`[a-z]{1,5}`), rapid.String()).Draw(t, "tags")
		c := eksctl.Cluster{Name: "blue", Region: "us-east-1", Version: rapid.SampledFrom([]string{"", "1.30", "1.33"}).Draw(t, "version"), Tags: tags, Spec: "managedNodeGroups: [{name: a}]"}
		a, err := eksctl.Generate(c)
		if err != nil {
			t.Fatal(err)
		}
		b, err := eksctl.Generate(c)
		if err != nil || a.YAML != b.YAML {
			t.Fatalf("%v\n%s", err, cmp.Diff(a.YAML, b.YAML))
		}
		if d := eksctl.Compare(a, b); len(d.Added)+len(d.Removed)+len(d.Changed)+len(d.Ignored) > 0 {
			t.Fatalf("a ClusterConfig differs from itself: %+v", d)
		}
	})
}

func TestWhatAnUpdateHasToDo(t *testing.T) {
	make := func(spec string) *eksctl.Config {
		c, err := eksctl.Generate(eksctl.Cluster{Name: "blue", Region: "us-east-1", Spec: spec})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	before := make("managedNodeGroups: [{name: a}, {name: b}, {name: c}]\nsecretsEncryption: {keyARN: x}")
	after := make("managedNodeGroups: [{name: a}, {name: b, spot: true}, {name: d}]\nvpc: {nat: {gateway: Single}}")
	want := eksctl.Difference{Added: []string{"d"}, Removed: []string{"c"}, Changed: []string{"b"}, Ignored: []string{"secretsEncryption", "vpc"}}
	if d := cmp.Diff(want, eksctl.Compare(before, after)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
