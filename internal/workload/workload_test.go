package workload

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/kubetest"
)

var kube kubetest.Server

func TestMain(m *testing.M) { os.Exit(kube.Main(m)) }

const soon = 10 * time.Second

func connect(t *testing.T, k *kubetest.Cluster) *Client {
	t.Helper()
	c, err := New(k.Config)
	if err != nil {
		t.Fatal(err)
	}
	c.poll = 20 * time.Millisecond
	return c
}

// pod with the label app=web, in a phase.
func pod(t *testing.T, k *kubetest.Cluster, name string, phase corev1.PodPhase, conditions ...corev1.PodCondition) *corev1.Pod {
	t.Helper()
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: k.Namespace, Name: name, Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
	}
	if err := k.Client.Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	set(t, k, p, phase, conditions...)
	return p
}

func set(t *testing.T, k *kubetest.Cluster, p *corev1.Pod, phase corev1.PodPhase, conditions ...corev1.PodCondition) {
	t.Helper()
	p.Status.Phase, p.Status.Conditions = phase, conditions
	if err := k.Client.Status().Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func ready(status corev1.ConditionStatus) corev1.PodCondition {
	return corev1.PodCondition{Type: corev1.PodReady, Status: status}
}

func TestPodsAreWaitedFor(t *testing.T) {
	k := kube.Cluster(t)
	c := connect(t, k)
	web := map[string]string{"app": "web"}
	var said []string
	var last *corev1.Pod
	err := c.WaitReady(t.Context(), k.Namespace, web, time.Minute, func(s string) {
		said = append(said, s)
		switch len(said) { // each word is answered by what it waits for
		case 1:
			pod(t, k, "b", corev1.PodPending, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "no nodes are available"})
		case 2:
			pod(t, k, "job", corev1.PodSucceeded, ready(corev1.ConditionFalse))
			last = pod(t, k, "a", corev1.PodRunning, ready(corev1.ConditionTrue))
		case 3:
			b := &corev1.Pod{}
			if err := k.Client.Get(t.Context(), client.ObjectKey{Namespace: k.Namespace, Name: "b"}, b); err != nil {
				t.Fatal(err)
			}
			set(t, k, b, corev1.PodRunning, ready(corev1.ConditionTrue))
		}
	})
	if err != nil || last == nil {
		t.Fatalf("%v, after %q", err, said)
	}
	want := []string{
		"there are none",
		"0 of 1 are ready; b is Pending (no nodes are available)",
		"1 of 2 are ready; b is Pending (no nodes are available)",
	}
	if len(said) < 3 || said[0] != want[0] || said[len(said)-1] != want[2] {
		t.Errorf("progress: %s", cmp.Diff(want, said))
	}

	set(t, k, last, corev1.PodRunning, ready(corev1.ConditionFalse))
	began := time.Now()
	err = c.WaitReady(t.Context(), k.Namespace, web, 200*time.Millisecond, nil)
	if err == nil || !strings.Contains(err.Error(), `labels "app=web" are not ready after 200ms: 1 of 2 are ready; a is Running`) {
		t.Errorf("the error is %v", err)
	}
	if took := time.Since(began); took > soon {
		t.Errorf("it took %s", took)
	}
	if err := c.WaitReady(t.Context(), k.Namespace, map[string]string{"app": "other"}, 100*time.Millisecond, nil); err == nil || !strings.Contains(err.Error(), "there are none") {
		t.Errorf("no pods are ready: %v", err)
	}
}

func TestWhoMayNotLookIsToldSo(t *testing.T) {
	k := kube.Cluster(t)
	nobody := k.As(t, "nobody", rbacv1.PolicyRule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"configmaps"}})
	err := connect(t, nobody).WaitReady(t.Context(), k.Namespace, nil, 200*time.Millisecond, nil)
	if !apierrors.IsForbidden(errors.Unwrap(err)) && !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("the error is %v", err)
	}
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	k := kube.Cluster(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := connect(t, k).WaitReady(ctx, k.Namespace, nil, time.Minute, func(string) { cancel() })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "there are none") {
		t.Errorf("the error is %v", err)
	}
}

const two = `# comments alone are nothing
---
apiVersion: v1
kind: ConfigMap
metadata: {name: one, namespace: NS}
data: {a: "1"}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: two, namespace: NS}
`

func TestManifestsAreApplied(t *testing.T) {
	k := kube.Cluster(t)
	c := connect(t, k)
	text := strings.ReplaceAll(two, "NS", k.Namespace)
	var said []string
	for range 2 { // the second time nothing changes
		if err := c.Apply(t.Context(), []string{text, ""}, func(s string) { said = append(said, s) }); err != nil {
			t.Fatal(err)
		}
	}
	one, two := "applied ConfigMap "+k.Namespace+"/one", "applied ConfigMap "+k.Namespace+"/two"
	if d := cmp.Diff([]string{one, two, one, two}, said); d != "" {
		t.Error(d)
	}
	m := configMap(t, k, "one")
	if m.Data["a"] != "1" || len(m.ManagedFields) != 1 || m.ManagedFields[0].Manager != "norikae" || m.ManagedFields[0].Operation != metav1.ManagedFieldsOperationApply {
		t.Errorf("it is %+v", m)
	}

	m.Data["a"], m.Data["b"] = "2", "of another"
	if err := k.Client.Update(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(t.Context(), []string{text}, nil); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"a": "1", "b": "of another"}, configMap(t, k, "one").Data); d != "" {
		t.Error(d)
	}
}

func configMap(t *testing.T, k *kubetest.Cluster, name string) *corev1.ConfigMap {
	t.Helper()
	m := &corev1.ConfigMap{}
	if err := k.Client.Get(t.Context(), client.ObjectKey{Namespace: k.Namespace, Name: name}, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAKindIsThereOnceItsDefinitionIsApplied(t *testing.T) {
	k := kube.Cluster(t)
	group := k.Namespace + ".norikae.test"
	manifest := strings.NewReplacer("GROUP", group, "NS", k.Namespace).Replace(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: trains.GROUP}
spec:
  group: GROUP
  scope: Namespaced
  names: {plural: trains, singular: train, kind: Train, shortNames: [tr]}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
---
apiVersion: GROUP/v1
kind: Train
metadata: {name: local, namespace: NS}
`)
	c := connect(t, k)
	if err := c.Apply(t.Context(), []string{manifest}, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), k.Namespace, "trains."+group, "local", soon, nil); err != nil {
		t.Error(err)
	}
	if err := c.Delete(t.Context(), "", "CustomResourceDefinition", "trains."+group, soon, nil); err != nil {
		t.Error(err)
	}
}

func TestAManifestIsRefused(t *testing.T) {
	k := kube.Cluster(t)
	good := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good, namespace: " + k.Namespace + "}\n---\n"
	for name, tc := range map[string]struct {
		text    string
		want    string
		touched bool // what stands before it was applied
	}{
		"no YAML":           {"a: [", "manifests[0], document 2 is not an object in YAML", false},
		"a list":            {"- a", "document 2 is not an object in YAML", false},
		"a key twice":       {"kind: A\nkind: B", "document 2 is not an object in YAML", false},
		"no kind":           {"apiVersion: v1\nmetadata: {name: x}", "document 2 has no apiVersion or no kind", false},
		"no name":           {"apiVersion: v1\nkind: Pod\nmetadata: {generateName: x-}", "document 2 (Pod) has no metadata.name", false},
		"an item's name":    {"apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod}]", "document 2, items[0] (Pod) has no metadata.name", false},
		"an unknown kind":   {"apiVersion: example.com/v1\nkind: Train\nmetadata: {name: x}", `document 2 (Train x): no matches for kind "Train"`, true},
		"an unknown field":  {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: " + k.Namespace + "}\ndatas: {}", "document 2 (ConfigMap " + k.Namespace + "/x): ", true},
		"an invalid object": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: X_, namespace: " + k.Namespace + "}", "document 2 (ConfigMap " + k.Namespace + "/X_): ", true},
		"no such namespace": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: nowhere}", `namespaces "nowhere" not found`, true},
	} {
		t.Run(name, func(t *testing.T) {
			err := connect(t, k).Apply(t.Context(), []string{good + tc.text}, nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("the error is %v", err)
			}
			m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: k.Namespace, Name: "good"}}
			err = k.Client.Delete(t.Context(), m)
			if client.IgnoreNotFound(err) != nil || (err == nil) != tc.touched {
				t.Errorf("touched is %v: %v", !tc.touched, err)
			}
			if checked := CheckManifests([]string{good + tc.text}); (checked == nil) != tc.touched {
				t.Errorf("without a cluster: %v", checked)
			}
		})
	}
}

func TestAnObjectIsDeletedAndGone(t *testing.T) {
	k := kube.Cluster(t)
	c := connect(t, k)
	for name, kind := range map[string]string{
		"by its kind": "ConfigMap", "by its resource": "configmaps", "by its short name": "cm", "in capitals": "CONFIGMAP",
	} {
		t.Run(name, func(t *testing.T) {
			m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: k.Namespace, Name: "lb"}}
			if err := k.Client.Create(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			var said []string
			if err := c.Delete(t.Context(), k.Namespace, kind, "lb", soon, func(s string) { said = append(said, s) }); err != nil {
				t.Fatal(err)
			}
			what := "ConfigMap " + k.Namespace + "/lb"
			if d := cmp.Diff([]string{what + " is being deleted", what + " is gone"}, said); d != "" {
				t.Error(d)
			}
			said = nil
			err := c.Delete(t.Context(), k.Namespace, kind, "lb", soon, func(s string) { said = append(said, s) })
			if d := cmp.Diff([]string{what + ": there is none"}, said); err != nil || d != "" {
				t.Errorf("a second time: %v %s", err, d)
			}
		})
	}
	if err := c.Delete(t.Context(), k.Namespace, "Train", "x", soon, nil); !errors.Is(err, fault.ErrNotFound) || !strings.Contains(err.Error(), `no kind "Train"`) {
		t.Errorf("of no kind: %v", err)
	}
	if err := c.Delete(t.Context(), k.Namespace, "", "x", soon, nil); !fault.IsTerminal(err) {
		t.Errorf("without a kind: %v", err)
	}
}

func TestAnObjectIsNotGoneBeforeItsFinalizersAreDone(t *testing.T) {
	k := kube.Cluster(t)
	c := connect(t, k)
	held := func(name string) *corev1.ConfigMap {
		m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: k.Namespace, Name: name, Finalizers: []string{"norikae.test/cloud"}}}
		if err := k.Client.Create(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	release := func(name string) {
		m := configMap(t, k, name)
		m.Finalizers = nil
		if err := k.Client.Update(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	held("stuck")
	err := c.Delete(t.Context(), k.Namespace, "cm", "stuck", 200*time.Millisecond, nil)
	if err == nil || !strings.Contains(err.Error(), "is not gone after 200ms: its finalizers are not done: norikae.test/cloud") {
		t.Errorf("the error is %v", err)
	}
	err = c.Delete(t.Context(), k.Namespace, "cm", "stuck", soon, func(s string) {
		if strings.Contains(s, "is being deleted") {
			release("stuck")
		}
	})
	if err != nil {
		t.Errorf("when they are: %v", err)
	}

	held("kept")
	err = c.Delete(t.Context(), k.Namespace, "cm", "kept", soon, func(s string) {
		if strings.Contains(s, "is being deleted") {
			release("kept")
			held("kept") // somebody makes it again
		}
	})
	if !errors.Is(err, fault.ErrConflict) || !strings.Contains(err.Error(), "made it again") {
		t.Errorf("of one that comes back: %v", err)
	}
}

func TestEachRequestHasATokenThatIsGoodNow(t *testing.T) {
	k := kube.Cluster(t)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: k.Namespace, Name: "deployer"}}
	if err := k.Client.Create(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	request := &authenticationv1.TokenRequest{}
	if err := k.Client.SubResource("token").Create(t.Context(), account, request); err != nil {
		t.Fatal(err)
	}
	calls := 0
	c, err := Connect(Cluster{Endpoint: k.Config.Host, CA: k.Config.CAData, Token: func(context.Context) (string, error) {
		if calls++; calls == 1 {
			return "expired", nil
		}
		return request.Status.Token, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.poll = 20 * time.Millisecond
	var said []string
	err = c.WaitReady(t.Context(), k.Namespace, nil, 300*time.Millisecond, func(s string) { said = append(said, s) })
	if text, _ := json.Marshal(said); err == nil || len(said) != 2 || !strings.Contains(said[0], "Unauthorized") || !strings.Contains(said[1], k.Namespace+":deployer") {
		t.Errorf("it says %s, %v", text, err)
	}
	if calls < 2 {
		t.Errorf("%d tokens were asked for", calls)
	}
}

func TestWhatIsNoClusterIsRefused(t *testing.T) {
	token := func(context.Context) (string, error) { return "x", nil }
	const pem = "-----BEGIN CERTIFICATE-----\n"
	for name, tc := range map[string]struct {
		cluster Cluster
		want    string
	}{
		"no endpoint": {Cluster{CA: []byte(pem), Token: token}, `the endpoint "" is not an https URL`},
		"plain HTTP":  {Cluster{Endpoint: "http://127.0.0.1", CA: []byte(pem), Token: token}, "is not an https URL"},
		"no CA":       {Cluster{Endpoint: "https://127.0.0.1", Token: token}, "is not PEM"},
		"no tokens":   {Cluster{Endpoint: "https://127.0.0.1", CA: []byte(pem)}, "nobody makes tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Connect(tc.cluster); err == nil || !strings.Contains(err.Error(), tc.want) || !fault.IsTerminal(err) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
