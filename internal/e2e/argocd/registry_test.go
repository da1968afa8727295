//go:build e2e

package argocd

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// clusterSet registers the clusters with the tag fleet=shop. Nothing but the blast radius
// is between its deletion policy and all Secrets.
const clusterSet = `
apiVersion: norikae.dev/v1alpha1
kind: ClusterSet
metadata: {name: shop, namespace: argocd}
spec:
  sources:
  - eks:
      regions: [us-east-1, eu-west-1]
      accounts: [{roleARN: "ROLE"}]
      selector: {matchTags: {fleet: shop}}
  template:
    name: "{{ .Name }}"
    labels: {environment: "{{ .Tags.environment }}", ring: "{{ .Tags.ring }}"}
    targetGroups: {none: true}
  interval: 10s
  deletion: {policy: Delete, grace: 1m, keepLast: 0}
`

// deletionGrace of the ClusterSet is the least that there can be.
const deletionGrace = time.Minute

// The names of the roles of norikae, and of the policy by which all is taken from one, as
// the console of AWS does when it revokes sessions.
const (
	controllerRole = "norikae"
	discoveryRole  = "norikae-clusters"
	revocation     = "revoked"
	nothing        = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`
)

// fleet is a scene where norikae registers the clusters.
type fleet struct {
	*scene

	env     []string // of the real binary
	metrics string   // host:port
	woken   time.Time
}

// openFleet runs the controller, as the service account that its RBAC is for and with the
// least rights in AWS.
func openFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{scene: openScene(t), metrics: loopback(freePorts(t, 1)[0])}
	root := filepath.Join("..", "..", "..")
	policy, err := os.ReadFile(filepath.Join(root, "config", "iam", "clusterset.json"))
	if err != nil {
		t.Fatal(err)
	}
	self := f.lab.createRole(t, controllerRole, f.lab.root(), "")
	discovery := f.lab.createRole(t, discoveryRole, self, string(policy))
	// As docs/controller.md says. Its Deployment waits for a node, for ever.
	f.management.kubectl(t, "apply", "--server-side", "-k", filepath.Join(root, "config", "default"))
	f.management.create(t, []byte(strings.ReplaceAll(clusterSet, "ROLE", discovery)))
	dir := t.TempDir()
	f.env = append(f.lab.session(t, self), "AWS_ENDPOINT_URL="+f.lab.Endpoint, "HOME="+dir, "KUBECONFIG="+f.management.as(t, dir, "system:serviceaccount:norikae:norikae"))
	controller := startProgram(t, dir, f.env, os.Getenv(binaryVar), "controller", "--lease-namespace=norikae", "--metrics-address="+f.metrics, "--probe-address=0")
	controller.listens(t, f.metrics)
	return f
}

// as writes a kubeconfig of somebody else.
func (c *cluster) as(t *testing.T, dir, user string) string {
	t.Helper()
	cfg, err := clientcmd.LoadFromFile(c.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range cfg.AuthInfos {
		info.Impersonate = user
	}
	path := filepath.Join(dir, "kubeconfig")
	if err := clientcmd.WriteToFile(*cfg, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// norikae runs the real binary to its end.
func (f *fleet) norikae(t *testing.T, args ...string) (output string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Getenv(binaryVar), args...)
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = f.env, &out, &out
	_ = cmd.Run() // ProcessState tells how it ended
	return out.String(), cmd.ProcessState.ExitCode()
}

// set is the ClusterSet as it is.
func (f *fleet) set(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	return f.management.get(t, "norikae.dev/v1alpha1", "ClusterSet", argoNamespace, "shop")
}

// wake has the controller look again, 5 s after it last did at the earliest: an interval
// is long for a test.
func (f *fleet) wake(t *testing.T) {
	t.Helper()
	if time.Since(f.woken) < time.Second {
		return
	}
	f.woken = time.Now()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"e2e/woken":%q}}}`, f.woken.Format(time.RFC3339Nano))
	if err := f.management.Patch(t.Context(), f.set(t), client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		t.Fatal(err)
	}
}

// says waits until a condition of the ClusterSet has a status and a reason; "": any.
func (f *fleet) says(t *testing.T, kind, status, reason string) {
	t.Helper()
	eventually(t, fmt.Sprintf("the ClusterSet says %s=%s %s", kind, status, reason), func() error {
		f.wake(t)
		c := conditionOf(f.set(t), kind)
		if c.status != status || reason != "" && c.reason != reason {
			return fmt.Errorf("its conditions are %+v", conditionsOf(f.set(t)))
		}
		return nil
	})
}

// states waits until exactly these clusters are not in order, as NAME=STATE.
func (f *fleet) states(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("not in order are %v", want), func() error {
		f.wake(t)
		var got []string
		list, _, _ := unstructured.NestedSlice(f.set(t).Object, "status", "notInOrder")
		for _, item := range list {
			u := unstructured.Unstructured{Object: item.(map[string]any)} //nolint:forcetypeassert // the schema says so
			_, name, _ := strings.Cut(text(&u, "arn"), "/")
			got = append(got, name+"="+text(&u, "state"))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			return fmt.Errorf("they are %v: %v", got, list)
		}
		return nil
	})
}

// passes of the ClusterSet that have ended, however they ended.
func (f *fleet) passes(t *testing.T) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+f.metrics+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for line := range strings.Lines(string(body)) {
		if words := strings.Fields(line); len(words) == 2 && strings.HasPrefix(words[0], "norikae_clusterset_pass_total{") {
			n, err := strconv.Atoi(words[1])
			if err != nil {
				t.Fatalf("the metric %s: %v", line, err)
			}
			sum += n
		}
	}
	return sum
}

// stays wants that nothing is lost for a time, nor by the two passes that end next.
func (f *fleet) stays(t *testing.T, d time.Duration, before map[string]string, clusters ...*eksCluster) {
	t.Helper()
	passes := -1 // when the time was over
	for begun := time.Now(); ; time.Sleep(time.Second / 2) {
		f.wake(t)
		same(t, "what is there", before, f.everything(t, clusters...))
		n, since := f.passes(t), time.Since(begun)
		switch {
		case since < d:
		case passes < 0:
			passes = n
		case n >= passes+2:
			return
		case since > d+patience:
			t.Fatalf("after %d passes there were no two more", passes)
		}
	}
}
