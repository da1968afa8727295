package terraform

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
)

// story runs an example from nothing to nothing: it is applied, the plan is empty then, and
// destroying leaves no cluster of its own.
type story struct {
	*lab
	*folder
	*standin
	name string
}

func (l *lab) story(t *testing.T, name string, variables map[string]any) story {
	t.Helper()
	f, s := l.clusters(t, "")
	f.become(t, name, variables)
	f.ok(t, "get")
	return story{l, f, s, name}
}

// told applies, and compares what eksctl was told.
func (s story) told(t *testing.T) {
	t.Helper()
	s.apply(t)
	s.golden(t, s.name)
	s.empty(t)
	if runs := s.runs(t); len(runs) != 0 {
		t.Errorf("an empty plan ran eksctl: %v", runs)
	}
}

// ends destroys all, after which none of these clusters is left.
func (s story) ends(t *testing.T, clusters ...string) {
	t.Helper()
	s.ok(t, "destroy", "-auto-approve", "-no-color")
	left := s.names(t)
	for _, name := range clusters {
		if slices.Contains(left, name) {
			t.Errorf("the cluster %s is left", name)
		}
	}
	if state := s.state(t); len(state) != 0 {
		t.Errorf("the state has still %q", state)
	}
}

func (l *lab) cluster(t *testing.T, name string) (vpc string, subnets []string) {
	t.Helper()
	out, err := l.eks().DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.Cluster.ResourcesVpcConfig.VpcId), out.Cluster.ResourcesVpcConfig.SubnetIds
}

const argocdRole = "arn:aws:iam::000000000000:role/argocd"

func TestTheExamplesOfClusters(t *testing.T) {
	t.Parallel()
	l := startLab(t, "--seed", "")
	for name, tell := range map[string]func(*testing.T, *lab){
		"vpcreuse": vpcReuse, "existingvpc": existingVPC, "import": imports, "shared-roles": sharedRoles, "private-endpoints": privateEndpoints, "resources/eksctl_cluster": resourceExample,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tell(t, l)
		})
	}
}

// What changes about the first cluster must not make the second a new one.
func vpcReuse(t *testing.T, l *lab) {
	variables := map[string]any{"region": l.Region, "argocd_role_arn": argocdRole}
	s := l.story(t, "vpcreuse", variables)
	s.told(t)
	vpc, all := l.cluster(t, "first")
	second, some := l.cluster(t, "second")
	if vpc != second || vpc == "" {
		t.Errorf("the first cluster is in %s, the second in %s", vpc, second)
	}
	if len(some) != 2 || len(all) != 4 || slices.ContainsFunc(some, func(id string) bool { return !slices.Contains(all, id) }) {
		t.Errorf("subnets of the first: %q, of the second: %q", all, some)
	}
	for _, name := range []string{"first", "second"} {
		e, err := l.eks().DescribeAccessEntry(t.Context(), &eks.DescribeAccessEntryInput{ClusterName: &name, PrincipalArn: aws.String(argocdRole)})
		if err != nil || aws.ToString(e.AccessEntry.Username) != "argocd" {
			t.Errorf("Argo CD's role is not let into %s: %v", name, err)
		}
	}
	s.become(t, "vpcreuse", with(variables, "node_groups", []string{"ng2"}))
	r := s.apply(t)
	contains(t, r.stdout, "0 added, 1 changed, 0 destroyed")
	s.empty(t)
	if got := l.managed(t, "first"); !slices.Equal(got, []string{"ng2"}) {
		t.Errorf("node groups of the first: %q", got)
	}
	s.ends(t, "first", "second")
}

func with(m map[string]any, k string, v any) map[string]any {
	m = maps.Clone(m)
	m[k] = v
	return m
}

func existingVPC(t *testing.T, l *lab) {
	vpc := l.vpc(t)
	s := l.story(t, "existingvpc", map[string]any{"region": l.Region, "vpc_id": vpc})
	s.told(t)
	if got, subnets := l.cluster(t, "web"); got != vpc || len(subnets) != 4 {
		t.Errorf("the cluster is in %s, subnets %q; wanted %s and all of its subnets", got, subnets, vpc)
	}
	s.ends(t, "web")
}

const byHand = `
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: blue, region: REGION, version: "1.33"}
managedNodeGroups: [{name: ng1}]
`

// Taking a cluster over makes nothing and deletes nothing.
func imports(t *testing.T, l *lab) {
	l.eksctl(t, strings.ReplaceAll(byHand, "REGION", l.Region), "create", "cluster", "-f", "-")
	s := l.story(t, "import", map[string]any{"region": l.Region})
	r := s.apply(t)
	contains(t, r.stdout, "1 imported", "0 added", "0 destroyed")
	config, _ := s.attributes(t, "eksctl_cluster.blue")["cluster_config"].(string)
	golden(t, "import", map[string]string{"blue.cluster_config": config})
	s.empty(t)
	if verbs := s.verbs(t); len(verbs) != 0 {
		t.Errorf("eksctl was run for a cluster that is as declared: %q", verbs)
	}
	if got := l.managed(t, "blue"); !slices.Equal(got, []string{"ng1"}) {
		t.Errorf("node groups: %q", got)
	}
	s.ends(t, "blue")
}

// Both clusters' OIDC providers are trusted by one role, and none more when one has gone.
func sharedRoles(t *testing.T, l *lab) {
	variables := map[string]any{"region": l.Region}
	s := l.story(t, "shared-roles", variables)
	s.told(t)
	if got, want := s.trusted(t, "module.argocd.aws_iam_role.this"), s.issuers(t, "argocd-blue", "argocd-green"); !slices.Equal(got, want) {
		t.Errorf("Argo CD's role trusts %q, want %q", got, want)
	}
	for _, name := range []string{"argocd-blue", "argocd-green"} {
		out, err := l.eks().ListPodIdentityAssociations(t.Context(), &eks.ListPodIdentityAssociationsInput{ClusterName: &name})
		if err != nil || len(out.Associations) != 1 || aws.ToString(out.Associations[0].ServiceAccount) != "norikae" {
			t.Errorf("pod identity associations of %s: %v, %v", name, out, err)
		}
	}
	s.become(t, "shared-roles", with(variables, "clusters", []string{"argocd-green"}))
	s.apply(t)
	s.empty(t)
	if got, want := s.trusted(t, "module.argocd.aws_iam_role.this"), s.issuers(t, "argocd-green"); !slices.Equal(got, want) {
		t.Errorf("Argo CD's role trusts %q, want %q", got, want)
	}
	s.ends(t, "argocd-blue", "argocd-green")
}

// trusted are the OIDC providers that a role's policy names.
func (s story) trusted(t *testing.T, address string) (arns []string) {
	t.Helper()
	text, _ := s.attributes(t, address)["assume_role_policy"].(string)
	var policy struct {
		Statement []struct{ Principal struct{ Federated string } }
	}
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, x := range policy.Statement {
		arns = append(arns, x.Principal.Federated)
	}
	slices.Sort(arns)
	return arns
}

// issuers are the ARNs that the OIDC providers of these clusters have.
func (s story) issuers(t *testing.T, clusters ...string) (arns []string) {
	t.Helper()
	for _, name := range clusters {
		out, err := s.eks().DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: &name})
		if err != nil {
			t.Fatal(err)
		}
		arns = append(arns, "arn:aws:iam::000000000000:oidc-provider/"+strings.TrimPrefix(aws.ToString(out.Cluster.Identity.Oidc.Issuer), "https://"))
	}
	slices.Sort(arns)
	return arns
}

// The example of the resource's page.
func resourceExample(t *testing.T, l *lab) {
	s := l.story(t, "resources/eksctl_cluster", map[string]any{})
	s.told(t)
	s.ends(t, "green")
}
