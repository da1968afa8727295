package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/kubetest"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

var kube kubetest.Server

func TestMain(m *testing.M) { os.Exit(kube.Main(m)) }

// script is a Pass that answers as told.
type script struct {
	mu     sync.Mutex
	result registrar.Result
	err    error
	do     func(context.Context) error // besides; nil: nothing
	passes []registry.Owner
}

func (s *script) say(res registrar.Result, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.result, s.err = res, err
}

// doing f in each pass from now on.
func (s *script) doing(f func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.do = f
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.passes)
}

func (s *script) pass(ctx context.Context, set *registry.Set, _ string) (registrar.Result, error) {
	s.mu.Lock()
	s.passes = append(s.passes, set.Owner)
	res, err, do := s.result, s.err, s.do
	s.mu.Unlock()
	if do != nil {
		err = errors.Join(err, do(ctx))
	}
	return res, err
}

// spoken is a recorder that remembers, as REASON: TEXT.
type spoken struct {
	mu   sync.Mutex
	said []string
}

func (s *spoken) Eventf(_, _ runtime.Object, kind, reason, _, note string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, kind+" "+reason+": "+fmt.Sprintf(note, args...))
}

// take what was said since the last time.
func (s *spoken) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	said := s.said
	s.said = nil
	return said
}

// compile as much as the controller looks at; a set without a name template is not valid.
func compile(cs *v1alpha1.ClusterSet) (*registry.Set, error) {
	if strings.Contains(cs.Spec.Template.Name, "bad") {
		return nil, errors.New("spec.template.name: template: function \"bad\" not defined")
	}
	return &registry.Set{Owner: registry.Owner{Namespace: cs.Namespace, Name: cs.Name}, Interval: cs.Spec.Interval.Duration}, nil
}

const mark = "norikae.dev/clusterset"

func ownerOf(s *corev1.Secret) (registry.Owner, bool) {
	name, ok := s.Labels[mark]
	return registry.Owner{Namespace: s.Namespace, Name: name}, ok
}

// newSet makes a ClusterSet in the cluster's namespace, which is Argo CD's, too.
func newSet(t *testing.T, c *kubetest.Cluster, name string, change ...func(*v1alpha1.ClusterSet)) *v1alpha1.ClusterSet {
	t.Helper()
	cs := &v1alpha1.ClusterSet{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: name}}
	cs.Spec.Sources = []v1alpha1.Source{{EKS: v1alpha1.EKSSource{Regions: []string{"us-east-1"}}}}
	cs.Spec.ArgoCDNamespace = c.Namespace
	cs.Spec.Interval.Duration = 10 * time.Second
	for _, f := range change {
		f(cs)
	}
	if err := c.Client.Create(t.Context(), cs); err != nil {
		t.Fatal(err)
	}
	return cs
}

// edit an object as it is now.
func edit[T client.Object](t *testing.T, c *kubetest.Cluster, obj T, f func(T)) {
	t.Helper()
	if err := c.Client.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
		t.Fatal(err)
	}
	f(obj)
	if err := c.Client.Update(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
}

// desk reconciles by hand, with a clock that a test moves.
type desk struct {
	t       *testing.T
	c       *kubetest.Cluster
	r       reconcile.Reconciler
	script  *script
	events  *spoken
	metrics *prometheus.Registry
	now     time.Time
	patches int
}

func newDesk(t *testing.T, c *kubetest.Cluster) *desk {
	t.Helper()
	d := &desk{t: t, c: c, script: &script{}, events: &spoken{}, metrics: prometheus.NewRegistry(), now: t0.Time}
	m, err := NewMetrics(d.metrics, calls)
	if err != nil {
		t.Fatal(err)
	}
	d.r = NewClusterSets(ClusterSets{
		Compile: compile, Pass: d.script.pass, Owner: ownerOf, Namespaces: []string{c.Namespace},
		Client: counting{c.Client, d}, Live: c.Client, Events: d.events, Metrics: m, Writes: &Writes{}, Now: func() time.Time { return d.now },
	})
	return d
}

// counting counts writes of a status.
type counting struct {
	client.Client

	desk *desk
}

func (c counting) Status() client.SubResourceWriter {
	return countingStatus{c.Client.Status(), c.desk}
}

type countingStatus struct {
	client.SubResourceWriter

	desk *desk
}

func (c countingStatus) Patch(ctx context.Context, obj client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
	c.desk.patches++
	return c.SubResourceWriter.Patch(ctx, obj, p, opts...)
}

// reconcile a set and return what its status is then, and after how long it is looked at
// again.
func (d *desk) reconcile(cs *v1alpha1.ClusterSet) (v1alpha1.ClusterSetStatus, time.Duration) {
	d.t.Helper()
	res, err := d.r.Reconcile(d.t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(cs)})
	if err != nil {
		d.t.Fatal(err)
	}
	var now v1alpha1.ClusterSet
	if err := d.c.Client.Get(d.t.Context(), client.ObjectKeyFromObject(cs), &now); client.IgnoreNotFound(err) != nil {
		d.t.Fatal(err)
	}
	return now.Status, res.RequeueAfter
}

// quick is the spacing of passes in tests with a manager.
const quick = 500 * time.Millisecond

// replica is a controller with its own manager.
type replica struct {
	script  *script
	changes chan event.TypedGenericEvent[registry.ID]
	writes  *Writes
	client  client.Client // remembers writes

	stop func() // and wait until it has
}

// start a replica as a user of the cluster.
func start(t *testing.T, c *kubetest.Cluster, s *script, change ...func(*manager.Options)) *replica {
	t.Helper()
	o := manager.Options{
		Scheme: c.Scheme, Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{c.Namespace: {}}},
	}
	for _, f := range change {
		f(&o)
	}
	m, err := manager.New(c.Config, o)
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := NewMetrics(prometheus.NewRegistry(), calls)
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{script: s, changes: make(chan event.TypedGenericEvent[registry.ID]), writes: &Writes{}}
	r.client = r.writes.Client(m.GetClient())
	if err := SetUp(m, ClusterSets{
		Compile: compile, Pass: s.pass, Owner: ownerOf, Namespaces: []string{c.Namespace},
		Client: m.GetClient(), Live: m.GetAPIReader(), Events: m.GetEventRecorder("norikae"), Metrics: metrics, Writes: r.writes,
		Changes: r.changes, Concurrency: 4, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), spacing: quick, debounce: quick / 5,
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Start(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the manager ended with %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

// eventually waits until ok, which is asked again and again.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute: no %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// statusOf a set in the API server.
func statusOf(t *testing.T, c *kubetest.Cluster, cs *v1alpha1.ClusterSet) v1alpha1.ClusterSetStatus {
	t.Helper()
	var now v1alpha1.ClusterSet
	if err := c.Client.Get(t.Context(), client.ObjectKeyFromObject(cs), &now); err != nil {
		t.Fatal(err)
	}
	return now.Status
}

func readyReason(s v1alpha1.ClusterSetStatus) string {
	if c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady); c != nil {
		return c.Reason
	}
	return ""
}

// eventsAbout a set in the API server, as REASON: TEXT.
func eventsAbout(t *testing.T, c *kubetest.Cluster, name string) []string {
	t.Helper()
	var list eventsv1.EventList
	if err := c.Client.List(t.Context(), &list, client.InNamespace(c.Namespace)); err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, e := range list.Items {
		if e.Regarding.Kind == v1alpha1.KindClusterSet && e.Regarding.Name == name {
			said = append(said, e.Reason+": "+e.Note)
		}
	}
	return said
}
