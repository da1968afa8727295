package terraform

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The set-up of a cluster by helmfile, on a cluster that the same apply creates.
func TestTheExampleOfAClustersSetUpByHelmfile(t *testing.T) {
	t.Parallel()
	const name, key = "helmfile_release_set", "hunter2-api-key"
	l := startKubernetes(t, "--seed", "")
	f, eksctl := l.clusters(t, "")
	f.helmfile(helmfilePath(t))
	example := filepath.Join("..", "..", "examples", "terraform", name)
	if err := os.CopyFS(filepath.Join(f.dir, "charts"), os.DirFS(filepath.Join(example, "charts"))); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(example, "helmfile.yaml.gotmpl"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "helmfile.yaml.gotmpl"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	variables := map[string]any{
		"region": l.Region, "vpc_id": "vpc-0123456789abcdef0", "subnet_ids": map[string]any{"us-east-1a": "subnet-0123456789abcdef0", "us-east-1b": "subnet-0123456789abcdef1"},
		"agents_api_key": key, "wait": false, // there are no nodes
	}
	f.become(t, name, variables)
	f.apply(t)
	eksctl.golden(t, name)
	kubeconfig := filepath.Join(f.dir, "green.kubeconfig")
	kubectl := func(args ...string) string {
		t.Helper()
		out := start(t, f.dir, f.env, filepath.Join(os.Getenv(kubeVar), "kubectl"), append([]string{"--kubeconfig", kubeconfig}, args...)...).wait(t)
		if out.code != 0 {
			t.Fatalf("kubectl %q: %s", args, out)
		}
		return out.stdout
	}
	workloads := strings.Fields(kubectl("get", "deployments,daemonsets", "--all-namespaces", "-o", "jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {end}"))
	slices.Sort(workloads)
	if want := []string{"agents/agents", "agents/audit", "flagger/flagger", "gateway/gateway"}; !slices.Equal(workloads, want) {
		t.Errorf("on the cluster are %q, want %q", workloads, want)
	}
	f.empty(t)

	variables["gateway_replicas"] = 3
	f.become(t, name, variables)
	contains(t, f.pending(t), "gateway, gateway, Deployment (apps/v1) has changed", "replicas: 3", "1 to change")
	f.apply(t)
	if replicas := kubectl("get", "deployment", "gateway", "--namespace", "gateway", "-o", "jsonpath={.spec.replicas}"); replicas != "3" {
		t.Errorf("the gateway has %s replicas, want 3", replicas)
	}

	// A new runner has no kubeconfig.
	if err := os.Remove(kubeconfig); err != nil {
		t.Fatal(err)
	}
	f.empty(t)
	if info, err := os.Stat(kubeconfig); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the kubeconfig is %v, %v", info, err)
	}
	for attribute, value := range f.attributes(t, "helmfile_release_set.green") {
		if text, ok := value.(string); ok && strings.Contains(text, key) {
			t.Errorf("%s has the agents' key: %s", attribute, text)
		}
	}

	before := len(l.calls(t))
	f.ok(t, "destroy", "-auto-approve")
	if got := mutations(l.calls(t)[before:]); !slices.Contains(got, "DeleteCluster") || len(f.state(t)) > 0 {
		t.Errorf("the destroy asked for %q and left %q", got, f.state(t))
	}
}
