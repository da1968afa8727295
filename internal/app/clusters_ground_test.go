package app

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/internal/fleettest"
	"github.com/norikae/norikae/internal/kubetest"
	"github.com/norikae/norikae/internal/registry"
)

// ground is a lab with clusters and an API server with a namespace for Argo CD's Secrets:
// all that the commands need, nothing of it faked.
type ground struct {
	*kubetest.Cluster

	world      *fleettest.World
	kubeconfig string
	file       string
}

const bearerToken = "s3cr3t-bearer-token"

// newGround has the clusters blue and green, and a ClusterSet that selects them.
func newGround(t *testing.T) *ground {
	t.Helper()
	w, err := fleettest.NewWorld(fleettest.Config{Accounts: 1, Regions: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	p := &ground{Cluster: kubernetes.Cluster(t), world: w, file: filepath.Join(t.TempDir(), "clusterset.yaml")}
	p.kubeconfig = p.Kubeconfig(t)
	for _, name := range []string{"blue", "green"} {
		if err := w.Add(t.Context(), p.id(name), map[string]string{fleettest.CellTag: "one"}); err != nil {
			t.Fatal(err)
		}
	}
	p.declare(t, `cell: "{{ .Tags.cell }}"`)
	return p
}

func (p *ground) id(name string) registry.ID {
	return p.world.ID(p.world.Accounts[0], p.world.Regions[0], name)
}

// declare the ClusterSet of the file, with these labels.
func (p *ground) declare(t *testing.T, labels string) {
	t.Helper()
	text := fmt.Sprintf(`apiVersion: norikae.dev/v1alpha1
kind: ClusterSet
metadata: {name: fleet, namespace: %[1]s}
spec:
  sources:
  - eks:
      regions: [%[2]s]
      selector: {matchTags: {%[3]s: %[4]s}}
  template:
    name: "{{ .Name }}"
    labels: {%[5]s}
    targetGroups: {name: "{{ .Name }}-*"}
  argocdNamespace: %[1]s
  probe: {enabled: false}
  deletion: {policy: Delete, grace: 1m}
`, p.Namespace, p.world.Regions[0], fleettest.TagKey, fleettest.TagValue, labels)
	if err := os.WriteFile(p.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// norikae runs the program, and checks that no secret comes out of it.
func (p *ground) norikae(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	return p.answering(t, "", args...)
}

func (p *ground) answering(t *testing.T, in string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e strings.Builder
	env := Environment{
		Getenv:     func(k string) string { return map[string]string{"KUBECONFIG": p.kubeconfig}[k] },
		HTTPClient: p.world.HTTP(), Endpoint: p.world.Endpoint, Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "x", ""),
	}
	code = Main(t.Context(), args, strings.NewReader(in), &o, &e, env)
	for _, text := range []string{o.String(), e.String()} {
		if strings.Contains(text, bearerToken) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(bearerToken))) {
			t.Errorf("%q prints a bearer token:\n%s", args, text)
		}
	}
	return code, o.String(), e.String()
}

// clusters runs norikae clusters on the file, and wants an exit code.
func (p *ground) clusters(t *testing.T, want int, args ...string) string {
	t.Helper()
	code, out, errOut := p.norikae(t, append([]string{"clusters", "-f", p.file}, args...)...)
	if code != want {
		t.Fatalf("norikae clusters %q: exit code %d, want %d\n%s%s", args, code, want, out, errOut)
	}
	return out
}

// secrets of the namespace, by name.
func (p *ground) secrets(t *testing.T) map[string]corev1.Secret {
	t.Helper()
	var list corev1.SecretList
	if err := p.Client.List(t.Context(), &list, client.InNamespace(p.Namespace)); err != nil {
		t.Fatal(err)
	}
	out := map[string]corev1.Secret{}
	for _, s := range list.Items {
		out[s.Name] = s
	}
	return out
}

// patch a cluster's Secret as somebody might.
func (p *ground) patch(ctx context.Context, name, patch string) error {
	s := corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: registry.SecretName(p.id(name))}}
	return p.Client.Patch(ctx, &s, client.RawPatch(types.MergePatchType, []byte(patch)))
}

// versions of the Secrets: what a dry run must leave as it is.
func (p *ground) versions(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, s := range p.secrets(t) {
		out[name] = string(s.UID) + " " + s.ResourceVersion
	}
	return out
}

// byHand makes a cluster Secret as somebody would make one.
func (p *ground) byHand(t *testing.T, name, server string, labels map[string]string) {
	t.Helper()
	all := map[string]string{"argocd.argoproj.io/secret-type": "cluster"}
	maps.Copy(all, labels)
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: p.Namespace, Name: name, Labels: all,
			Annotations: map[string]string{"kubectl.kubernetes.io/last-applied-configuration": `{"stringData":{"config":"` + bearerToken + `"}}`, "note": "mine"},
		},
		StringData: map[string]string{"name": name, "server": server, "config": `{"bearerToken":"` + bearerToken + `"}`},
	}
	if err := p.Client.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

// applicationSet selects clusters by the label cell.
func (p *ground) applicationSet(t *testing.T, name, cell string, preserve bool) {
	t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet",
		"metadata": map[string]any{"name": name, "namespace": p.Namespace},
		"spec": map[string]any{
			"generators": []any{map[string]any{"clusters": map[string]any{"selector": map[string]any{"matchLabels": map[string]any{"cell": cell}}}}},
			"syncPolicy": map[string]any{"preserveResourcesOnDeletion": preserve},
			"template": map[string]any{
				"metadata": map[string]any{"name": "{{name}}"},
				"spec":     map[string]any{"project": "default", "destination": map[string]any{}},
			},
		},
	}}
	if err := p.Client.Create(t.Context(), u); err != nil {
		t.Fatal(err)
	}
}

// view of -o json.
type view struct {
	ClusterSets []struct {
		Clusters []struct {
			ARN, State, Reason, Action, Secret, Error string
			Written                                   bool
		}
		Changes []struct{ ARN, Action, Secret string }
	}
}

func decode(t *testing.T, out string) view {
	t.Helper()
	var v view
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return v
}

// done is what a pass says that it did, or would do: "create NAME".
func done(t *testing.T, out string) []string {
	t.Helper()
	var list []string
	for _, c := range decode(t, out).ClusterSets[0].Clusters {
		if c.Written {
			list = append(list, c.Action+" "+c.Secret)
		}
	}
	return list
}

// endpointOfBlue as EKS says.
func (p *ground) endpointOfBlue(t *testing.T) (string, error) {
	t.Helper()
	e, err := newEyes(Environment{
		HTTPClient: p.world.HTTP(), Endpoint: p.world.Endpoint, Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "x", ""),
	}, nil)
	if err != nil {
		return "", err
	}
	set := &registry.Set{Sources: []registry.Source{{Regions: p.world.Regions, Accounts: []registry.Account{{}}}}}
	x, err := e.discoverer.Describe(t.Context(), set, p.id("blue"))
	return x.Sighting.Cluster.Endpoint, err
}

// only is the ClusterSet of a file, for clusters of one name.
func only(t *testing.T, file, name string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("name: fleet", "name: only-"+name, "selector: {", "selector: {names: ["+name+"], ").Replace(string(data))
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
