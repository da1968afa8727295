package charttest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/norikae/norikae/internal/kubetest"
)

var kube kubetest.Server

func TestMain(m *testing.M) { os.Exit(kube.Main(m)) }

const chart = "../../charts/norikae"

// bare is an API server without any kind of ours, for one test.
func bare(t *testing.T) *kubetest.Cluster {
	t.Helper()
	s := &kubetest.Server{Bare: true}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s.Cluster(t)
}

// namespace makes one, in which only pods of the Pod Security Standard "restricted" may run.
func namespace(t *testing.T, c *kubetest.Cluster, name string) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted",
	}}}
	if err := c.Client.Create(t.Context(), ns); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

// helm runs it, as the administrator of a cluster if there is one.
func helm(t *testing.T, c *kubetest.Cluster, args ...string) (output string, ok bool) {
	t.Helper()
	program := os.Getenv("NORIKAE_HELM")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("NORIKAE_HELM = %q is not helm: run `make test`, or `export NORIKAE_HELM=$(make -s helm)`", program)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	if c != nil {
		cmd.Env = append(cmd.Env, "KUBECONFIG="+c.Kubeconfig(t))
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatalf("running helm: %v", err)
	}
	return out.String(), err == nil
}

func mustHelm(t *testing.T, c *kubetest.Cluster, args ...string) string {
	t.Helper()
	out, ok := helm(t, c, args...)
	if !ok {
		t.Fatalf("helm %s: %s", strings.Join(args, " "), out)
	}
	return out
}

func mustKubectl(t *testing.T, c *kubetest.Cluster, stdin string, args ...string) string {
	t.Helper()
	out, ok := c.Kubectl(t, stdin, args...)
	if !ok {
		t.Fatalf("kubectl %s: %s", strings.Join(args, " "), out)
	}
	return out
}

// objects of a manifest by KIND NAMESPACE/NAME.
func objects(t *testing.T, manifest string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for doc := range strings.SplitSeq("\n"+manifest, "\n---") {
		var head struct {
			Kind     string
			Metadata struct{ Namespace, Name string }
		}
		if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		if head.Kind != "" {
			found[head.Kind+" "+head.Metadata.Namespace+"/"+head.Metadata.Name] = doc
		}
	}
	return found
}

// object reads one of a kind from a manifest.
func object[T any](t *testing.T, manifest, kind string) T {
	t.Helper()
	var v T
	for name, doc := range maps.All(objects(t, manifest)) {
		if k, _, _ := strings.Cut(name, " "); k == kind {
			if err := yaml.UnmarshalStrict([]byte(doc), &v); err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("there is no %s", kind)
	return v
}

// podOf a Deployment, as its controller would make it.
func podOf(d appsv1.Deployment) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: *d.Spec.Template.ObjectMeta.DeepCopy(), Spec: *d.Spec.Template.Spec.DeepCopy()}
	p.Namespace, p.GenerateName = d.Namespace, d.Name+"-"
	return p
}

// may the service account do VERB RESOURCE in a namespace?
func may(t *testing.T, c *kubetest.Cluster, account, verb, resource, namespace string) bool {
	t.Helper()
	cfg := rest.CopyConfig(c.Config)
	cfg.Impersonate.UserName = "system:serviceaccount:" + account
	cfg.Impersonate.Groups = []string{"system:serviceaccounts", "system:authenticated"}
	api, err := client.New(cfg, client.Options{Scheme: c.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	resource, group, _ := strings.Cut(resource, ".")
	resource, sub, _ := strings.Cut(resource, "/") // of RESOURCE/SUB.GROUP
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
		Verb: verb, Group: group, Resource: resource, Subresource: sub, Namespace: namespace,
	}}}
	if err := api.Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

// checkPermissions of a service account whose Argo CD is in the namespace argo.
func checkPermissions(t *testing.T, c *kubetest.Cluster, account, argo string, sets ...string) {
	t.Helper()
	own, _, _ := strings.Cut(account, ":")
	allowed := map[string][]string{
		argo: {"list secrets", "watch secrets", "get secrets", "create secrets", "patch secrets", "delete secrets", "list applicationsets.argoproj.io"},
		own:  {"create leases.coordination.k8s.io", "get leases.coordination.k8s.io", "update leases.coordination.k8s.io", "create events"},
	}
	for _, ns := range sets {
		allowed[ns] = append(allowed[ns], "list clustersets.norikae.dev", "watch clustersets.norikae.dev", "patch clustersets/status.norikae.dev", "create events.events.k8s.io")
	}
	// The API server learns of roles in its own time.
	deadline := time.Now().Add(10 * time.Second)
	for ns, list := range allowed {
		for _, what := range list {
			verb, resource, _ := strings.Cut(what, " ")
			for !may(t, c, account, verb, resource, ns) {
				if time.Now().After(deadline) {
					t.Fatalf("%s may not %s in %s", account, what, ns)
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	for _, what := range []string{
		"list secrets ", "get secrets default", "get secrets kube-system", "update clustersets.norikae.dev " + argo, "delete clustersets.norikae.dev " + argo,
		"create pods " + argo, "delete applicationsets.argoproj.io " + argo, "escalate roles.rbac.authorization.k8s.io " + argo, "impersonate users ",
	} {
		verb, rest, _ := strings.Cut(what, " ")
		resource, ns, _ := strings.Cut(rest, " ")
		if may(t, c, account, verb, resource, ns) {
			t.Errorf("%s may %s %s in %q", account, verb, resource, ns)
		}
	}
	if own != argo && may(t, c, account, "get", "secrets", own) {
		t.Errorf("%s may read Secrets of its own namespace", account)
	}
}

// copyOf a folder, for a test that changes it.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(dir))
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// eventually waits until ok, which is asked again and again.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 20 s: no %s", what)
		}
	}
}
