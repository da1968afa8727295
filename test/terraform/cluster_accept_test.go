package terraform

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
)

// accepted is a resource under test with terraform-plugin-testing.
type accepted struct {
	*lab
	*standin
	cluster string // its name
}

// TestClustersAreAccepted is not parallel: terraform-plugin-testing gives Terraform the
// environment of this process. Its cases are.
func TestClustersAreAccepted(t *testing.T) {
	l := startLab(t, "--seed", "")
	f, s := l.clusters(t, "")
	for _, kv := range append(f.env, "TF_CLI_CONFIG_FILE="+mirrored(t), "TF_ACC=1") {
		k, v, _ := strings.Cut(kv, "=")
		t.Setenv(k, v)
	}
	for name, accept := range map[string]func(*testing.T, accepted){"cluster": acceptCluster, "nodegroup": acceptNodegroup, "serviceaccount": acceptServiceAccount} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			accept(t, accepted{l, &standin{record: s.record, only: "of-" + name}, "of-" + name})
		})
	}
}

// mirrored is a filesystem mirror with the provider's binary, and the configuration of
// Terraform's command line that names it: terraform init has to find it.
func mirrored(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	at := filepath.Join(dir, "registry.terraform.io", "norikae", "eksctl", "0.0.1", runtime.GOOS+"_"+runtime.GOARCH)
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program("terraform-provider-eksctl"), filepath.Join(at, "terraform-provider-eksctl_v0.0.1")); err != nil {
		t.Fatal(err)
	}
	rc := filepath.Join(dir, "terraform.rc")
	if err := os.WriteFile(rc, fmt.Appendf(nil, "provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", dir), 0o600); err != nil {
		t.Fatal(err)
	}
	return rc
}

// steps of a case, after which nothing of it is left.
func (a accepted) steps(t *testing.T, steps ...resource.TestStep) {
	t.Helper()
	resource.Test(t, resource.TestCase{
		ExternalProviders: map[string]resource.ExternalProvider{"eksctl": {Source: "norikae/eksctl", VersionConstraint: "0.0.1"}},
		Steps:             steps,
		CheckDestroy: func(*terraform.State) error {
			if slices.Contains(a.names(t), a.cluster) {
				return fmt.Errorf("the cluster %s is left", a.cluster)
			}
			return nil
		},
	})
}

// does plans this for a resource.
func does(address string, action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}}
}

// ranNow fails unless these commands of eksctl that change something, and no others, ran
// since the last check.
func (a accepted) ranNow(t *testing.T, want ...string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		var got []string
		for _, r := range a.runs(t) {
			verb := r.verb()
			if strings.HasPrefix(verb, "get ") {
				continue
			}
			for _, flag := range r.Args {
				if strings.HasPrefix(flag, "--drain") {
					verb += " " + flag
				}
			}
			got = append(got, verb)
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("eksctl ran %q, want %q", got, want)
		}
		return nil
	}
}

// has fails unless the cluster has these managed node groups.
func (a accepted) has(t *testing.T, groups ...string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		if got := a.managed(t, a.cluster); !slices.Equal(got, groups) {
			return fmt.Errorf("%s has the node groups %q, want %q", a.cluster, got, groups)
		}
		return nil
	}
}

// mapped fails unless Argo CD's role is let in.
func (a accepted) mapped(t *testing.T) resource.TestCheckFunc {
	return func(*terraform.State) error {
		out, err := a.eks().ListAssociatedAccessPolicies(t.Context(), &eks.ListAssociatedAccessPoliciesInput{ClusterName: &a.cluster, PrincipalArn: aws.String(argocdRole)})
		if err != nil {
			return err
		}
		if len(out.AssociatedAccessPolicies) != 1 || !strings.HasSuffix(aws.ToString(out.AssociatedAccessPolicies[0].PolicyArn), "/AmazonEKSClusterAdminPolicy") {
			return fmt.Errorf("access policies: %v", out.AssociatedAccessPolicies)
		}
		return nil
	}
}

func (a accepted) config(version string, groups ...string) string {
	var list strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&list, "      - name: %s\n", g)
	}
	return fmt.Sprintf(`
resource "eksctl_cluster" "this" {
  name    = %q
  region  = %q
  version = %q
  spec    = <<-EOS
    managedNodeGroups:
%s
    iam:
      withOIDC: true
  EOS

  iam_identity_mapping {
    iamarn   = %q
    username = "argocd"
    groups   = ["system:masters"]
  }
  timeouts {
    create = "5m"
    update = "5m"
    delete = "5m"
  }
}
`, a.cluster, a.Region, version, list.String(), argocdRole)
}

func acceptCluster(t *testing.T, a accepted) {
	const at = "eksctl_cluster.this"
	groups := func(n ...string) resource.TestCheckFunc {
		checks := []resource.TestCheckFunc{resource.TestCheckResourceAttr(at, "node_groups.#", fmt.Sprint(len(n))), a.has(t, n...)}
		for _, g := range n {
			checks = append(checks, resource.TestCheckTypeSetElemAttr(at, "node_groups.*", g))
		}
		return resource.ComposeAggregateTestCheckFunc(checks...)
	}
	a.steps(t,
		resource.TestStep{
			Config: a.config("1.33", "one"), ConfigPlanChecks: does(at, plancheck.ResourceActionCreate),
			Check: resource.ComposeAggregateTestCheckFunc(
				a.ranNow(t, "create cluster"), groups("one"), a.mapped(t),
				resource.TestCheckResourceAttr(at, "id", a.cluster), resource.TestCheckResourceAttr(at, "version", "1.33"),
				resource.TestCheckResourceAttrSet(at, "oidc_provider_url"), resource.TestCheckResourceAttrSet(at, "oidc_provider_arn"),
				resource.TestCheckResourceAttr(at, "security_group_ids.#", "1"),
			),
		},
		// The new node group is there before the old one is drained and goes.
		resource.TestStep{
			Config: a.config("1.33", "two"), ConfigPlanChecks: does(at, plancheck.ResourceActionUpdate),
			Check: resource.ComposeAggregateTestCheckFunc(a.ranNow(t, "create nodegroup", "delete nodegroup --drain"), groups("two")),
		},
		resource.TestStep{
			Config: a.config("1.34", "two"), ConfigPlanChecks: does(at, plancheck.ResourceActionUpdate),
			Check: resource.ComposeAggregateTestCheckFunc(a.ranNow(t, "upgrade cluster"), groups("two"), resource.TestCheckResourceAttr(at, "version", "1.34")),
		},
		// What somebody deletes shows, and comes back.
		resource.TestStep{
			PreConfig: func() {
				a.eksctl(t, "", "delete", "nodegroup", "--cluster="+a.cluster, "--name=two", "--region="+a.Region, "--wait")
				_, err := a.eks().DeleteAccessEntry(context.WithoutCancel(t.Context()), &eks.DeleteAccessEntryInput{ClusterName: &a.cluster, PrincipalArn: aws.String(argocdRole)})
				if err != nil {
					t.Error(err)
				}
			},
			RefreshState: true, ExpectNonEmptyPlan: true,
			Check: resource.ComposeAggregateTestCheckFunc(
				resource.TestCheckResourceAttr(at, "node_groups.#", "0"), resource.TestCheckResourceAttr(at, "iam_identity_mapping.#", "0"),
			),
		},
		resource.TestStep{
			Config: a.config("1.34", "two"), ConfigPlanChecks: does(at, plancheck.ResourceActionUpdate),
			Check: resource.ComposeAggregateTestCheckFunc(a.ranNow(t, "create nodegroup"), groups("two"), a.mapped(t)),
		},
		// An import knows all but what eksctl was told once.
		resource.TestStep{
			ResourceName: at, ImportState: true, ImportStateId: a.Region + "/" + a.cluster, ImportStateVerify: true,
			ImportStateVerifyIgnore: []string{"spec", "cluster_config", "output", "timeouts", "iam_identity_mapping", "oidc_provider_arn", "kubeconfig_path"},
		},
	)
	if err := a.ranNow(t, "delete cluster")(nil); err != nil {
		t.Error(err)
	}
}

// beside makes a cluster by hand for the resources that are in one.
func (a accepted) beside(t *testing.T) {
	t.Helper()
	a.eksctl(t, fmt.Sprintf("apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: %s, region: %s}\n", a.cluster, a.Region), "create", "cluster", "-f", "-")
}

// leave deletes it again.
func (a accepted) leave(t *testing.T) {
	t.Helper()
	a.eksctl(t, "", "delete", "cluster", "--name", a.cluster, "--region", a.Region)
}

func acceptNodegroup(t *testing.T, a accepted) {
	const at = "eksctl_nodegroup.this"
	a.beside(t)
	config := func(nodes int, drain bool) string {
		return fmt.Sprintf(`
resource "eksctl_nodegroup" "this" {
  cluster   = %q
  region    = %q
  name      = "batch"
  managed   = true
  nodes     = %d
  nodes_max = 10
  drain     = %t
  timeouts {
    create = "5m"
    delete = "5m"
  }
}
`, a.cluster, a.Region, nodes, drain)
	}
	// All of the cluster's is gone before the cluster.
	t.Cleanup(func() {
		a.leave(t)
		if err := a.ranNow(t, "delete nodegroup --drain=true")(nil); err != nil {
			t.Error(err)
		}
	})
	a.only = "batch"
	accepted{a.lab, a.standin, "none"}.steps(t,
		resource.TestStep{
			Config: config(2, false), ConfigPlanChecks: does(at, plancheck.ResourceActionCreate),
			Check: resource.ComposeAggregateTestCheckFunc(a.ranNow(t, "create nodegroup"), a.has(t, "batch"), resource.TestCheckResourceAttr(at, "id", a.cluster+"/batch")),
		},
		// How it will be deleted is no business of eksctl's yet.
		resource.TestStep{
			Config: config(2, true), ConfigPlanChecks: does(at, plancheck.ResourceActionUpdate), Check: a.ranNow(t),
		},
		resource.TestStep{
			Config: config(3, true), ConfigPlanChecks: does(at, plancheck.ResourceActionDestroyBeforeCreate),
			Check: resource.ComposeAggregateTestCheckFunc(a.ranNow(t, "delete nodegroup --drain=true", "create nodegroup"), a.has(t, "batch")),
		},
		resource.TestStep{
			PreConfig: func() {
				a.eksctl(t, "", "delete", "nodegroup", "--cluster="+a.cluster, "--name=batch", "--region="+a.Region, "--wait")
			},
			RefreshState: true, ExpectNonEmptyPlan: true,
		},
		resource.TestStep{
			Config: config(3, true), ConfigPlanChecks: does(at, plancheck.ResourceActionCreate),
			Check: resource.ComposeAggregateTestCheckFunc(a.ranNow(t, "create nodegroup"), a.has(t, "batch")),
		},
		resource.TestStep{
			ResourceName: at, ImportState: true, ImportStateId: a.Region + "/" + a.cluster + "/batch", ImportStateVerify: true,
			ImportStateVerifyIgnore: []string{"nodes", "nodes_max", "managed", "output", "timeouts"},
		},
	)
}

func acceptServiceAccount(t *testing.T, a accepted) {
	const at = "eksctl_iamserviceaccount.this"
	a.beside(t)
	config := func(policy string) string {
		return fmt.Sprintf(`
resource "eksctl_iamserviceaccount" "this" {
  cluster           = %q
  region            = %q
  namespace         = "web"
  name              = "reader"
  attach_policy_arn = "arn:aws:iam::aws:policy/%s"
  timeouts {
    create = "5m"
    delete = "5m"
  }
}
`, a.cluster, a.Region, policy)
	}
	tagged := func(want bool) resource.TestCheckFunc {
		return func(*terraform.State) error {
			out, err := a.eks().DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: &a.cluster})
			if err != nil {
				return err
			}
			if _, ok := out.Cluster.Tags["standin/serviceaccount/web/reader"]; ok != want {
				return fmt.Errorf("the service account is there: %t, want %t", ok, want)
			}
			return nil
		}
	}
	t.Cleanup(func() {
		if err := a.ranNow(t, "delete iamserviceaccount")(nil); err != nil {
			t.Error(err)
		}
		a.leave(t)
	})
	a.only = "reader"
	accepted{a.lab, a.standin, "none"}.steps(t,
		resource.TestStep{
			Config: config("AmazonS3ReadOnlyAccess"), ConfigPlanChecks: does(at, plancheck.ResourceActionCreate),
			Check: resource.ComposeAggregateTestCheckFunc(
				a.ranNow(t, "create iamserviceaccount"), tagged(true), resource.TestCheckResourceAttr(at, "id", a.cluster+"/web/reader"),
			),
		},
		resource.TestStep{
			Config: config("AmazonS3FullAccess"), ConfigPlanChecks: does(at, plancheck.ResourceActionDestroyBeforeCreate),
			Check: resource.ComposeAggregateTestCheckFunc(a.ranNow(t, "delete iamserviceaccount", "create iamserviceaccount"), tagged(true)),
		},
		// It went with its cluster, of which there is another now.
		resource.TestStep{
			PreConfig:    func() { a.leave(t) },
			RefreshState: true, ExpectNonEmptyPlan: true,
		},
		resource.TestStep{
			PreConfig: func() { a.beside(t) },
			Config:    config("AmazonS3FullAccess"), ConfigPlanChecks: does(at, plancheck.ResourceActionCreate),
			Check: resource.ComposeAggregateTestCheckFunc(a.ranNow(t, "create iamserviceaccount"), tagged(true)),
		},
		resource.TestStep{
			ResourceName: at, ImportState: true, ImportStateId: a.Region + "/" + a.cluster + "/web/reader", ImportStateVerify: true,
			ImportStateVerifyIgnore: []string{"attach_policy_arn", "output", "timeouts"},
		},
	)
}
