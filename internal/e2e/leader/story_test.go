//go:build e2e

package leader

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/fleettest"
	"github.com/norikae/norikae/internal/kubetest"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/register/argocd"
	"github.com/norikae/norikae/internal/registry"
)

// clusterSet of a story. The interval and the grace are the least that there can be.
const clusterSet = `
apiVersion: norikae.dev/v1alpha1
kind: ClusterSet
metadata: {name: fleet, namespace: NAMESPACE}
spec:
  sources:
  - eks: {regions: [REGION], selector: {matchTags: {TAG: VALUE}}}
  template:
    name: "{{ .Tags.name }}"
    labels: {cell: "{{ .Tags.cell }}"}
    targetGroups: {none: true}
  argocdNamespace: NAMESPACE
  probe: {enabled: false}
  interval: 10s
  deletion: {policy: Delete, grace: 1m}
`

// byHand is the name of the Secret that is adopted.
const byHand = "by-hand"

// story is a fleet's life in which every kind of write happens, with two replicas. It has
// an AWS and namespaces of its own.
type story struct {
	*kubetest.Cluster

	world         *fleettest.World
	own           string // namespace of the lease
	secrets       *argocd.Secrets
	set           *registry.Set
	ledger        *ledger
	first, second *gate
	woken         time.Time
}

// openStory with the clusters of the plan. The first replica leads and dies at the point,
// the second is ready to take over.
func openStory(t *testing.T, at point) *story {
	t.Helper()
	s := &story{Cluster: kubernetes.Cluster(t), ledger: &ledger{}}
	s.own = s.NewNamespace(t)
	var err error
	if s.world, err = fleettest.NewWorld(fleettest.Config{Accounts: 1, Regions: 1, Sockets: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.world.Close(); err != nil {
			t.Error(err)
		}
	})
	if s.secrets, err = argocd.New(argocd.Config{Reader: s.Client, Writer: s.Client, Namespace: s.Namespace}); err != nil {
		t.Fatal(err)
	}
	for c := range plan() {
		if err := s.world.Add(t.Context(), s.id(c), map[string]string{"name": c, "cell": "one"}); err != nil {
			t.Fatal(err)
		}
	}
	s.makeByHand(t)
	s.grant(t)
	s.first, s.second = s.gate(t, first), s.gate(t, second)
	s.first.at = at
	s.second.onDone = func(name string) {
		if name == cmp.Or(s.first.at.after, s.first.at.name) {
			s.first.release()
		}
	}
	s.start(t, s.first)
	eventually(t, "the first replica leads", func() error {
		if w, _ := s.ledger.all(); len(w) > 0 || s.first.dead() {
			return nil
		}
		return errors.New("it has written no lease")
	})
	s.start(t, s.second)
	eventually(t, "the second replica waits", func() error {
		s.second.state.Lock()
		defer s.second.state.Unlock()
		for _, read := range []string{"get leases", "watch secrets", "watch clustersets"} {
			if !s.second.seen[read] && !(read == "get leases" && s.first.at.nth > 0 && s.first.at.name == "create lease") {
				return fmt.Errorf("nobody has answered %q to it, only %v", read, s.second.seen)
			}
		}
		return nil
	})
	return s
}

func (s *story) id(cluster string) registry.ID {
	return s.world.ID(s.world.Accounts[0], s.world.Regions[0], cluster)
}

// makeByHand the Secret that the set shall adopt.
func (s *story) makeByHand(t *testing.T) {
	t.Helper()
	api := eks.New(eks.Options{
		Region: s.world.Regions[0], BaseEndpoint: &s.world.Endpoint, HTTPClient: s.world.HTTP(),
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "x", ""),
	})
	out, err := api.DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String("adopted")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Client.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.Namespace, Name: byHand,
			Labels:      map[string]string{argocd.LabelSecretType: argocd.SecretTypeCluster},
			Annotations: map[string]string{argocd.AnnotationAdopt: s.Namespace + "/fleet"},
		},
		StringData: map[string]string{"name": "adopted", "server": *out.Cluster.Endpoint, "config": "{}"},
	}); err != nil {
		t.Fatal(err)
	}
}

// grant what config/rbac grants, as it is shipped but for the namespaces.
func (s *story) grant(t *testing.T) {
	t.Helper()
	for _, file := range []string{"service_account.yaml", "role.yaml", "role_binding.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "rbac", file))
		if err != nil {
			t.Fatal(err)
		}
		shipped := strings.NewReplacer("namespace: argocd", "namespace: "+s.Namespace, "namespace: norikae", "namespace: "+s.own).Replace(string(text))
		for d := yaml.NewYAMLOrJSONDecoder(strings.NewReader(shipped), 4096); ; {
			u := &unstructured.Unstructured{}
			err := d.Decode(u)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(u.Object) == 0 {
				continue
			}
			if err := s.Client.Create(t.Context(), u); err != nil && (u.GetKind() != "ClusterRole" || !apierrors.IsAlreadyExists(err)) {
				t.Fatalf("creating the %s %s: %v", u.GetKind(), u.GetName(), err)
			}
		}
	}
}

// gate of a replica, which comes with a token of the ServiceAccount.
func (s *story) gate(t *testing.T, by string) *gate {
	t.Helper()
	g := newGate(t, by, s.Cluster, s.secrets, s.ledger)
	for c := range plan() {
		g.clusters[registry.SecretName(s.id(c))] = c
	}
	g.clusters[byHand] = "adopted"
	return g
}

// kubeconfig of a replica, through its gate.
func (s *story) kubeconfig(t *testing.T, g *gate, dir string) string {
	t.Helper()
	token := &authenticationv1.TokenRequest{}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: s.own, Name: "norikae"}}
	if err := s.Client.SubResource("token").Create(t.Context(), account, token); err != nil {
		t.Fatal(err)
	}
	cfg := clientcmdapi.NewConfig()
	cfg.Clusters["gate"] = &clientcmdapi.Cluster{Server: g.url, CertificateAuthorityData: g.ca}
	cfg.AuthInfos["gate"] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	cfg.Contexts["gate"] = &clientcmdapi.Context{Cluster: "gate", AuthInfo: "gate", Namespace: s.own}
	cfg.CurrentContext = "gate"
	path := filepath.Join(dir, "kubeconfig")
	if err := clientcmd.WriteToFile(*cfg, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *story) start(t *testing.T, g *gate) {
	t.Helper()
	dir := t.TempDir()
	env := []string{
		"HOME=" + dir, "AWS_ENDPOINT_URL=" + s.world.Endpoint, "AWS_REGION=" + s.world.Regions[0], "AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=x",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true",
	}
	args := []string{"controller", "--kubeconfig=" + s.kubeconfig(t, g, dir), "--argocd-namespace=" + s.Namespace, "--metrics-address=0", "--probe-address=0"}
	g.mu.Lock()
	defer g.mu.Unlock()
	p := startProcess(t, g.by, dir, env, args...)
	g.state.Lock()
	defer g.state.Unlock()
	g.process = p
}

// declare the ClusterSet.
func (s *story) declare(t *testing.T) {
	t.Helper()
	text := strings.NewReplacer("NAMESPACE", s.Namespace, "REGION", s.world.Regions[0], "TAG", fleettest.TagKey, "VALUE", fleettest.TagValue).Replace(clusterSet)
	u := &unstructured.Unstructured{}
	if err := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(text)), 4096).Decode(u); err != nil {
		t.Fatal(err)
	}
	if err := s.Client.Create(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.set, err = manifest.CompileClusterSet(s.clusterSet(t)); err != nil {
		t.Fatal(err)
	}
}

func (s *story) clusterSet(t *testing.T) *v1alpha1.ClusterSet {
	t.Helper()
	cs := &v1alpha1.ClusterSet{}
	if err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: s.Namespace, Name: "fleet"}, cs); err != nil {
		t.Fatal(err)
	}
	return cs
}

// tell the story, whoever leads.
func (s *story) tell(t *testing.T) {
	t.Helper()
	s.declare(t)
	all := map[string]shape{}
	for c := range plan() {
		all[c] = shape{c, "one", ""}
	}
	s.until(t, "all are registered", func(now map[string]corev1.Secret) bool { return maps.Equal(told(now), all) })
	for _, c := range []string{"tagged", "replaced"} {
		must(t, s.patch(t.Context(), c, `{"metadata":{"labels":{"team":"checkout"}}}`))
	}

	must(t, s.world.Delete(t.Context(), s.id("vanishes").ARN()))
	s.until(t, "it is noted that one is gone", func(now map[string]corev1.Secret) bool {
		return now["vanishes"].Annotations[argocd.AnnotationMissingSince] != ""
	})
	must(t, s.world.Tag(t.Context(), s.id("tagged").ARN(), "cell", "two"))
	s.until(t, "a tag has arrived", func(now map[string]corev1.Secret) bool { return now["tagged"].Labels["cell"] == "two" })

	must(t, s.world.Tag(t.Context(), s.id("replaced").ARN(), "name", "renamed"))
	must(t, s.patch(t.Context(), "replaced", `{"metadata":{"annotations":{"norikae.dev/allow":"replace"}}}`))
	s.until(t, "one is replaced", func(now map[string]corev1.Secret) bool { return string(now["replaced"].Data["name"]) == "renamed" })

	s.until(t, "what is gone is deleted", func(now map[string]corev1.Secret) bool { return now["vanishes"].Name == "" })
	s.settled(t)
}

// settled waits until the status says that all is well, and a pass has nothing to do.
func (s *story) settled(t *testing.T) {
	t.Helper()
	eventually(t, "the status says that all is well", func() error {
		s.wake(t)
		status := s.clusterSet(t).Status
		if !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) || int(status.Counts.Registered) != len(declared()) || len(status.NotInOrder) > 0 {
			return fmt.Errorf("it says %+v", status)
		}
		return nil
	})
	_, from := s.world.Calls().Since(0)
	eventually(t, "a pass has ended", func() error {
		s.wake(t)
		calls, _ := s.world.Calls().Since(from)
		passes := 0
		for _, c := range calls {
			if c.Operation == "GetResources" {
				passes++
			}
		}
		if passes < 2 { // when one begins, another has ended
			return fmt.Errorf("%d have begun", passes)
		}
		return nil
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// told is what Argo CD is told of each cluster.
func told(now map[string]corev1.Secret) map[string]shape {
	out := map[string]shape{}
	for c, s := range now {
		out[c] = shape{string(s.Data["name"]), s.Labels["cell"], s.Labels["team"]}
	}
	return out
}

// until the Secrets with the set's mark, by cluster, are as they should.
func (s *story) until(t *testing.T, what string, ok func(map[string]corev1.Secret) bool) {
	t.Helper()
	eventually(t, what, func() error {
		s.wake(t)
		var list corev1.SecretList
		if err := s.Client.List(t.Context(), &list, client.InNamespace(s.Namespace), client.MatchingLabels{argocd.LabelManagedBy: argocd.ManagedBy}); err != nil {
			return err
		}
		now := map[string]corev1.Secret{}
		for _, secret := range list.Items {
			_, cluster, _ := strings.Cut(secret.Annotations[argocd.AnnotationARN], "/")
			now[cluster] = secret
		}
		if !ok(now) {
			return fmt.Errorf("they are %v", told(now))
		}
		return nil
	})
}

// wake whoever leads: 5 s after the last pass it has another.
func (s *story) wake(t *testing.T) {
	t.Helper()
	if time.Since(s.woken) < 2*time.Second {
		return
	}
	s.woken = time.Now()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"woken":%q}}}`, s.woken.Format(time.RFC3339Nano))
	if err := s.Client.Patch(t.Context(), s.clusterSet(t), client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		t.Fatal(err)
	}
}

// patch the Secret of a cluster, as a person does.
func (s *story) patch(ctx context.Context, cluster, patch string) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: registry.SecretName(s.id(cluster))}}
	return s.Client.Patch(ctx, secret, client.RawPatch(types.MergePatchType, []byte(patch)))
}

// evidence for the judge, so far.
func (s *story) evidence(t *testing.T) evidence {
	t.Helper()
	writes, err := s.ledger.all()
	if err != nil {
		t.Errorf("at the gates: %v", err)
	}
	slices.SortStableFunc(writes, func(a, b write) int { return a.at.Compare(b.at) })
	secrets, err := s.secrets.List(t.Context())
	must(t, err)
	s.first.state.Lock()
	defer s.first.state.Unlock()
	return evidence{
		set: s.set, writes: writes, answers: s.world.Answers(), events: s.world.Events(),
		killed: s.first.died, how: s.first.at.how, torn: s.first.at.torn(), secrets: secrets,
	}
}

// holder of the lease.
func (s *story) holder(t *testing.T) string {
	t.Helper()
	lease := &coordinationv1.Lease{}
	must(t, s.Client.Get(t.Context(), client.ObjectKey{Namespace: s.own, Name: "norikae-controller"}, lease))
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}
