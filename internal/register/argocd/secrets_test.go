package argocd

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/kubetest"
	"github.com/norikae/norikae/internal/registry"
)

var kube kubetest.Server

func TestMain(m *testing.M) { os.Exit(kube.Main(m)) }

var (
	owner = registry.Owner{Namespace: "fleet", Name: "all"}
	blue  = registry.ID{Partition: "aws", Account: "111122223333", Region: "us-east-1", Name: "blue"}
	t0    = time.Date(2026, 11, 23, 10, 0, 0, 123000000, time.UTC)
)

// declared is a registration of the cluster blue.
func declared() registry.Registration {
	return registry.Registration{
		ClusterName: "blue-us-east-1", Server: "https://blue.eks.example",
		Config:  `{"awsAuthConfig":{"clusterName":"blue"},"tlsClientConfig":{"insecure":false,"caData":"QUFB"}}`,
		Project: "web", Shard: "3", Namespaces: "a,b",
		Labels:      map[string]string{"env": "prod", "tier": "web"},
		Annotations: map[string]string{"example.com/owner": "team-a"},
	}
}

// at a namespace of the test's own.
func newSecrets(t testing.TB, c *kubetest.Cluster) *Secrets {
	t.Helper()
	s, err := New(Config{Reader: c.Client, Writer: c.Client, Namespace: c.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func creation(want registry.Registration) registry.Action {
	return registry.Action{Cluster: blue, Do: registry.Create, Want: want, Created: t0}
}

// created is the cluster blue, registered.
func created(t testing.TB, s *Secrets) registry.Entry {
	t.Helper()
	if err := s.Create(t.Context(), owner, creation(declared())); err != nil {
		t.Fatal(err)
	}
	return only(t, s)
}

// only Secret that is listed.
func only(t testing.TB, s *Secrets) registry.Entry {
	t.Helper()
	all, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 {
		t.Fatalf("%d Secrets are listed, want 1", len(all))
	}
	return all[0]
}

func update(e registry.Entry, want registry.Registration) registry.Action {
	return registry.Action{Cluster: blue, Do: registry.Update, Entry: &e, Want: want, Created: t0}
}

// secret as it is on the API server, without what changes with every write.
func secret(t testing.TB, c *kubetest.Cluster, name string) *corev1.Secret {
	t.Helper()
	var out corev1.Secret
	if err := c.Client.Get(t.Context(), client.ObjectKey{Namespace: c.Namespace, Name: name}, &out); err != nil {
		t.Fatal(err)
	}
	out.ManagedFields = nil
	return &out
}

func TestASecretIsWhatArgoCDReads(t *testing.T) {
	c := kube.Cluster(t)
	created(t, newSecrets(t, c))
	got := secret(t, c, registry.SecretName(blue))
	labels := map[string]string{
		"argocd.argoproj.io/secret-type": "cluster", "app.kubernetes.io/managed-by": "norikae",
		"norikae.dev/clusterset": "all", "norikae.dev/clusterset-namespace": "fleet", "env": "prod", "tier": "web",
	}
	annotations := map[string]string{
		"norikae.dev/clusterset": "fleet/all", "norikae.dev/cluster-arn": "arn:aws:eks:us-east-1:111122223333:cluster/blue",
		"norikae.dev/cluster-created": "2026-11-23T10:00:00.123Z",
		"norikae.dev/applied":         `{"labels":["env","tier"],"annotations":["example.com/owner"]}`,
		"example.com/owner":           "team-a",
	}
	data := map[string]string{}
	for k, v := range got.Data {
		data[k] = string(v)
	}
	want := map[string]string{
		"name": "blue-us-east-1", "server": "https://blue.eks.example", "config": declared().Config,
		"project": "web", "shard": "3", "namespaces": "a,b",
	}
	if d := cmp.Diff([]map[string]string{labels, annotations, want}, []map[string]string{got.Labels, got.Annotations, data}); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestTheManagedArgoCDGetsNoConfig(t *testing.T) {
	c := kube.Cluster(t)
	s := newSecrets(t, c)
	e := created(t, s)
	if err := s.Update(t.Context(), owner, update(e, registry.Registration{ClusterName: "blue", Server: blue.ARN()})); err != nil {
		t.Fatal(err)
	}
	got := secret(t, c, e.Name)
	if d := cmp.Diff([]string{"name", "server"}, slices.Sorted(maps.Keys(got.Data))); d != "" {
		t.Errorf("keys (-want +got):\n%s", d)
	}
}

func TestWhatOthersPutOnASecretStays(t *testing.T) {
	c := kube.Cluster(t)
	s := newSecrets(t, c)
	e := created(t, s)
	if out, ok := c.Kubectl(t, "", "label", "secret", e.Name, "argocd.argoproj.io/auto-label-cluster-info=true"); !ok {
		t.Fatal(out)
	}
	if out, ok := c.Kubectl(t, "", "patch", "secret", e.Name, "--type=merge", "-p", `{"metadata":{"annotations":{"theirs":"a"}},"stringData":{"clusterResources":"true"}}`); !ok {
		t.Fatal(out)
	}
	want := declared()
	want.Labels = map[string]string{"env": "staging", "new": "yes"} // tier is no longer declared
	want.Annotations = nil
	if err := s.Update(t.Context(), owner, update(only(t, s), want)); err != nil {
		t.Fatal(err)
	}
	got := secret(t, c, e.Name)
	for key, want := range map[string]string{"argocd.argoproj.io/auto-label-cluster-info": "true", "env": "staging", "new": "yes", LabelSecretType: SecretTypeCluster} {
		if got.Labels[key] != want {
			t.Errorf("the label %s is %q, want %q", key, got.Labels[key], want)
		}
	}
	if _, ok := got.Labels["tier"]; ok {
		t.Error("the label tier is there, but no longer declared")
	}
	if _, ok := got.Annotations["example.com/owner"]; ok {
		t.Error("the annotation example.com/owner is there, but no longer declared")
	}
	if got.Annotations["theirs"] != "a" || string(got.Data["clusterResources"]) != "true" {
		t.Errorf("lost of the others': %v, %v", got.Annotations, slices.Sorted(maps.Keys(got.Data)))
	}
	if d := cmp.Diff(registry.Keys{Labels: []string{"env", "new"}}, only(t, s).Applied); d != "" {
		t.Errorf("applied (-want +got):\n%s", d)
	}
}

func TestANewCertificateAuthorityChangesTheConfigOnly(t *testing.T) {
	c := kube.Cluster(t)
	s := newSecrets(t, c)
	e := created(t, s)
	before := secret(t, c, e.Name)
	want := declared()
	want.Config = strings.Replace(want.Config, "QUFB", "QkJC", 1)
	if err := s.Update(t.Context(), owner, update(e, want)); err != nil {
		t.Fatal(err)
	}
	after := secret(t, c, e.Name)
	if string(after.Data["config"]) != want.Config {
		t.Errorf("config is %s", after.Data["config"])
	}
	after.Data["config"], after.ResourceVersion = before.Data["config"], before.ResourceVersion
	if d := cmp.Diff(before, after); d != "" {
		t.Errorf("changed besides (-before +after):\n%s", d)
	}
}

func TestAWriteIsRefusedWhenTheSecretIsNotTheOneThatWasRead(t *testing.T) {
	for name, happens := range map[string]func(t *testing.T, c *kubetest.Cluster, e registry.Entry){
		"somebody edited it": func(t *testing.T, c *kubetest.Cluster, e registry.Entry) {
			if out, ok := c.Kubectl(t, "", "label", "secret", e.Name, "env=edited", "--overwrite"); !ok {
				t.Fatal(out)
			}
		},
		"somebody deleted it": func(t *testing.T, c *kubetest.Cluster, e registry.Entry) {
			if err := c.Client.Delete(t.Context(), secret(t, c, e.Name)); err != nil {
				t.Fatal(err)
			}
		},
		"somebody deleted it and made it anew": func(t *testing.T, c *kubetest.Cluster, e registry.Entry) {
			s := secret(t, c, e.Name)
			if err := c.Client.Delete(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			s.UID, s.ResourceVersion = "", ""
			if err := c.Client.Create(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := kube.Cluster(t)
			s := newSecrets(t, c)
			e := created(t, s)
			happens(t, c, e)
			var before corev1.SecretList
			if err := c.Client.List(t.Context(), &before, client.InNamespace(c.Namespace)); err != nil {
				t.Fatal(err)
			}
			a := update(e, declared())
			a.MissingSince = t0
			for what, err := range map[string]error{
				"update": s.Update(t.Context(), owner, a), "mark": s.Mark(t.Context(), a), "delete": s.Delete(t.Context(), e),
			} {
				if !errors.Is(err, fault.ErrConflict) {
					t.Errorf("%s: %v, want a conflict", what, err)
				}
			}
			var after corev1.SecretList
			if err := c.Client.List(t.Context(), &after, client.InNamespace(c.Namespace)); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(before.Items, after.Items); d != "" {
				t.Errorf("(-before +after):\n%s", d)
			}
		})
	}
}

func TestADeletionNamesTheUIDToo(t *testing.T) {
	c := kube.Cluster(t)
	s := newSecrets(t, c)
	e := created(t, s)
	other := e
	other.UID = "0cbb53e3-7f2c-4d5b-8b0f-2f4d9c1f0b11"
	if err := s.Delete(t.Context(), other); !errors.Is(err, fault.ErrConflict) {
		t.Errorf("another's UID: %v, want a conflict", err)
	}
	if err := s.Delete(t.Context(), e); err != nil {
		t.Error(err)
	}
	if all, err := s.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%d Secrets are left, %v", len(all), err)
	}
}

// handMade is somebody's own cluster Secret, with credentials.
func handMade(namespace, name string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, Labels: map[string]string{LabelSecretType: SecretTypeCluster, "theirs": "yes"},
			Annotations: map[string]string{annotationLastApplied: `{"stringData":{"config":"{\"bearerToken\":\"s3cret\"}"}}`, "note": "by hand"},
		},
		StringData: map[string]string{"name": "gke", "server": "https://gke.example/", "config": `{"bearerToken":"s3cret"}`, "project": "ops"},
	}
}

func TestAHandMadeSecretOfTheSameNameIsAConflict(t *testing.T) {
	c := kube.Cluster(t)
	s := newSecrets(t, c)
	name := registry.SecretName(blue)
	if err := c.Client.Create(t.Context(), handMade(c.Namespace, name)); err != nil {
		t.Fatal(err)
	}
	before := secret(t, c, name)
	if err := s.Create(t.Context(), owner, creation(declared())); !errors.Is(err, fault.ErrConflict) {
		t.Errorf("creating: %v, want a conflict", err)
	}
	e := only(t, s)
	if e.Ours() || e.Config != "" || e.ClusterName != "gke" || e.Server != "https://gke.example" || strings.Contains(fmt.Sprint(e), "s3cret") {
		t.Errorf("it is listed as %+v", e)
	}
	for what, err := range map[string]error{
		"update": s.Update(t.Context(), owner, update(e, declared())), "mark": s.Mark(t.Context(), update(e, declared())), "delete": s.Delete(t.Context(), e),
	} {
		if !fault.IsTerminal(err) || !strings.Contains(err.Error(), "does not carry the mark") {
			t.Errorf("%s: %v, want it refused", what, err)
		}
	}
	if d := cmp.Diff(before, secret(t, c, name)); d != "" {
		t.Errorf("(-before +after):\n%s", d)
	}
}

func TestAdoptionPutsTheMarkOnAndKeepsWhatIsTheirs(t *testing.T) {
	c := kube.Cluster(t)
	s := newSecrets(t, c)
	their := handMade(c.Namespace, "their-own-name")
	their.Annotations[AnnotationAdopt] = "fleet/all"
	if err := c.Client.Create(t.Context(), their); err != nil {
		t.Fatal(err)
	}
	e := only(t, s)
	if e.Adopt != owner {
		t.Fatalf("adoption is asked for %q, want %q", e.Adopt, owner)
	}
	a := update(e, declared())
	a.Do = registry.Adopt
	if err := s.Update(t.Context(), owner, a); err != nil {
		t.Fatal(err)
	}
	got := only(t, s)
	if got.Name != "their-own-name" || got.Owner != owner || got.Cluster != blue || got.Config != declared().Config || got.Adopt != (registry.Owner{}) {
		t.Errorf("adopted: %+v", got)
	}
	if got.Labels["theirs"] != "yes" || got.Annotations["note"] != "by hand" {
		t.Errorf("theirs was lost: %v, %v", got.Labels, got.Annotations)
	}
}

func TestNotesComeAndGo(t *testing.T) {
	c := kube.Cluster(t)
	s := newSecrets(t, c)
	e := created(t, s)
	before := secret(t, c, e.Name)
	if err := s.Mark(t.Context(), registry.Action{Cluster: blue, Do: registry.Mark, Entry: &e, Notes: registry.Notes{MissingSince: t0}}); err != nil {
		t.Fatal(err)
	}
	e = only(t, s)
	if !e.MissingSince.Equal(t0) || !e.UnselectedSince.IsZero() || !e.Created.Equal(t0) {
		t.Errorf("missing since %s, unselected since %s, created %s", e.MissingSince, e.UnselectedSince, e.Created)
	}
	if err := s.Mark(t.Context(), registry.Action{Cluster: blue, Do: registry.Mark, Entry: &e}); err != nil {
		t.Fatal(err)
	}
	after := secret(t, c, e.Name)
	after.ResourceVersion = before.ResourceVersion
	if d := cmp.Diff(before, after); d != "" {
		t.Errorf("(-before +after):\n%s", d)
	}
}

func TestAPermissionIsUsedUp(t *testing.T) {
	c := kube.Cluster(t)
	s := newSecrets(t, c)
	e := created(t, s)
	for _, tc := range []struct{ allow, uses, want string }{
		{"relabel, replace", registry.AllowRelabel, "replace"},
		{"relabel", registry.AllowRelabel, ""},
		{"relabel", "", "relabel"},
	} {
		if out, ok := c.Kubectl(t, "", "annotate", "secret", e.Name, AnnotationAllow+"="+tc.allow, "--overwrite"); !ok {
			t.Fatal(out)
		}
		a := update(only(t, s), declared())
		a.Uses = tc.uses
		a.Entry.Allow = append(a.Entry.Allow, registry.AllowReplace) // for this pass alone
		if err := s.Update(t.Context(), owner, a); err != nil {
			t.Fatal(err)
		}
		if got := secret(t, c, e.Name).Annotations[AnnotationAllow]; got != tc.want {
			t.Errorf("of %q, with %q used, is left %q, want %q", tc.allow, tc.uses, got, tc.want)
		}
	}
}

func TestAReplacementKeepsWhatOthersPutOnTheFirst(t *testing.T) {
	c := kube.Cluster(t)
	s := newSecrets(t, c)
	e := created(t, s)
	if out, ok := c.Kubectl(t, "", "label", "secret", e.Name, "theirs=yes"); !ok {
		t.Fatal(out)
	}
	e = only(t, s)
	a := update(e, declared())
	a.Do, a.Want.Server, a.Want.Labels = registry.Replace, "https://blue-2.eks.example", map[string]string{"env": "prod"}
	dry := s.WithDryRun()
	for _, s := range []*Secrets{dry, s} {
		if err := s.Delete(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if err := s.Create(t.Context(), owner, a); err != nil {
			t.Fatal(err)
		}
	}
	got := only(t, s)
	if got.UID == e.UID || got.Name != e.Name || got.Server != a.Want.Server {
		t.Errorf("replaced by %+v", got)
	}
	if _, tier := got.Labels["tier"]; tier || got.Labels["theirs"] != "yes" || got.Labels["env"] != "prod" {
		t.Errorf("labels are %v", got.Labels)
	}
}

func TestADryRunIsValidatedAndWritesNothing(t *testing.T) {
	c := kube.Cluster(t)
	s := newSecrets(t, c)
	e := created(t, s)
	before := secret(t, c, e.Name)
	dry := s.WithDryRun()
	a := update(e, registry.Registration{ClusterName: "x", Server: "https://x"})
	a.MissingSince = t0
	green := creation(declared())
	green.Cluster.Name = "green"
	for what, err := range map[string]error{
		"create": dry.Create(t.Context(), owner, green), "update": dry.Update(t.Context(), owner, a),
		"mark": dry.Mark(t.Context(), a), "delete": dry.Delete(t.Context(), e),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := dry.Create(t.Context(), owner, creation(declared())); !errors.Is(err, fault.ErrConflict) {
		t.Errorf("creating what is there: %v, want a conflict", err)
	}
	a.Want.Labels = map[string]string{"env": "not a label!"}
	if err := dry.Update(t.Context(), owner, a); !fault.IsTerminal(err) || !strings.Contains(err.Error(), "not a label!") {
		t.Errorf("a wrong label: %v, want it refused", err)
	}
	e.ResourceVersion = "1"
	if err := dry.Delete(t.Context(), e); !errors.Is(err, fault.ErrConflict) {
		t.Errorf("deleting what has changed: %v, want a conflict", err)
	}
	only(t, s)
	if d := cmp.Diff(before, secret(t, c, e.Name)); d != "" {
		t.Errorf("(-before +after):\n%s", d)
	}
}

func TestWhatIsNotPermittedIsDenied(t *testing.T) {
	c := kube.Cluster(t)
	e := created(t, newSecrets(t, c))
	jane := c.As(t, "jane", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}})
	s := newSecrets(t, jane)
	_, listing := s.List(t.Context())
	_, applicationSets := s.ApplicationSets(t.Context())
	for what, err := range map[string]error{
		"list": listing, "ApplicationSets": applicationSets, "create": s.Create(t.Context(), owner, creation(declared())),
		"update": s.Update(t.Context(), owner, update(e, declared())), "delete": s.Delete(t.Context(), e),
	} {
		if !errors.Is(err, fault.ErrDenied) || !strings.Contains(err.Error(), c.Namespace) {
			t.Errorf("%s: %v, want it denied", what, err)
		}
	}
}

func TestANamespaceThatIsNotThereIsNamed(t *testing.T) {
	c := kube.Cluster(t)
	s, err := New(Config{Reader: c.Client, Writer: c.Client, Namespace: "nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), owner, creation(declared())); !errors.Is(err, fault.ErrNotFound) || !strings.Contains(err.Error(), `namespaces "nowhere" not found`) {
		t.Errorf("got %v", err)
	}
	if _, err := New(Config{Reader: c.Client, Writer: c.Client}); err == nil {
		t.Error("no namespace was taken")
	}
}
