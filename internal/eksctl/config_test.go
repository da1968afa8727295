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
			golden(t, file, doc+fmt.Sprintf("# groups %q, OIDC %t, Fargate %t\n", got.Names(), got.OIDC, len(got.FargateProfiles) > 0))
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
		if d := cmp.Diff(eksctl.Difference{}, eksctl.Compare(a, b)); d != "" {
			t.Fatalf("a ClusterConfig differs from itself: %s", d)
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
	group := func(c eksctl.Change) eksctl.Difference { return eksctl.Difference{NodeGroups: c} }
	profile := func(c eksctl.Change) eksctl.Difference { return eksctl.Difference{FargateProfiles: c} }
	account := func(c eksctl.Change) eksctl.Difference { return eksctl.Difference{ServiceAccounts: c} }
	ignored := func(keys ...string) eksctl.Difference { return eksctl.Difference{Ignored: keys} }
	add, remove, alter := eksctl.Change{Added: []string{"d"}}, eksctl.Change{Removed: []string{"c"}}, eksctl.Change{Changed: []string{"b"}}
	for name, tc := range map[string]struct {
		before, after string
		want          eksctl.Difference
	}{
		"node groups come, go and change": {
			"managedNodeGroups: [{name: a}, {name: b}, {name: c}]", "managedNodeGroups: [{name: a}, {name: b, spot: true}, {name: d}]",
			group(eksctl.Change{Added: []string{"d"}, Removed: []string{"c"}, Changed: []string{"b"}}),
		},
		"EKS manages a node group":      {"nodeGroups: [{name: b}]", "managedNodeGroups: [{name: b}]", group(alter)},
		"a Fargate profile comes":       {"", "fargateProfiles: [{name: d}]", profile(add)},
		"a Fargate profile goes":        {"fargateProfiles: [{name: c}]", "fargateProfiles: []", profile(remove)},
		"a Fargate profile changes":     {"fargateProfiles: [{name: b}]", "fargateProfiles: [{name: b, selectors: [{namespace: x}]}]", profile(alter)},
		"a service account comes":       {"iam: {withOIDC: true}", "iam: {withOIDC: true, serviceAccounts: [{metadata: {name: x}}]}", account(eksctl.Change{Added: []string{"default/x"}})},
		"the last service account goes": {"iam: {serviceAccounts: [{metadata: {name: x, namespace: y}}]}", "", account(eksctl.Change{Removed: []string{"y/x"}})},
		"a service account gets another policy": {
			"iam: {withOIDC: true, serviceAccounts: [{metadata: {name: x}, attachPolicyARNs: [a]}]}", "iam: {withOIDC: true, serviceAccounts: [{metadata: {name: x}, attachPolicyARNs: [b]}]}",
			account(eksctl.Change{Changed: []string{"default/x"}}),
		},
		"the OIDC provider comes":                     {"", "iam: {withOIDC: true}", eksctl.Difference{}},
		"the OIDC provider goes":                      {"iam: {withOIDC: true}", "", ignored("iam.withOIDC")},
		"another role beside the OIDC provider":       {"iam: {withOIDC: true}", "iam: {withOIDC: true, serviceRoleARN: x}", ignored("iam.serviceRoleARN")},
		"sections that nothing applies":               {"secretsEncryption: {keyARN: x}", "vpc: {nat: {gateway: Single}}", ignored("secretsEncryption", "vpc")},
		"a section that only a newer eksctl may know": {"newThing: 1", "newThing: 2", ignored("newThing")},
	} {
		if d := cmp.Diff(tc.want, eksctl.Compare(make(tc.before), make(tc.after))); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
