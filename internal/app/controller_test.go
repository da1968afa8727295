package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/cli"
	"github.com/norikae/norikae/internal/kubetest"
	"github.com/norikae/norikae/internal/register/argocd"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// locked is a buffer for a log that others write.
type locked struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// running is a controller in this process.
type running struct {
	log     locked
	metrics *prometheus.Registry
	stop    func() error // and wait for its end
	end     func() error // wait for it to end by itself
}

// control the ClusterSets of the cluster's namespace, in which Argo CD is, too.
func control(t *testing.T, c *kubetest.Cluster, p newPasses, change ...func(*cli.ControllerOptions)) *running {
	t.Helper()
	r := &running{metrics: prometheus.NewRegistry()}
	// A copy: kubectl's is written anew each time that it runs.
	text, err := os.ReadFile(c.Kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, text, 0o600); err != nil {
		t.Fatal(err)
	}
	o := cli.ControllerOptions{
		Kubeconfig: kubeconfig, Namespaces: []string{c.Namespace}, ArgoCDNamespaces: []string{c.Namespace}, Concurrency: 2, LeaderElect: true,
		MetricsAddress: "0", ProbeAddress: "0", GracePeriod: 5 * time.Second, Log: slog.New(slog.NewTextHandler(&r.log, nil)),
	}
	for _, f := range change {
		f(&o)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- runController(ctx, Environment{Getenv: func(string) string { return "" }, Version: "test"}, o, p, r.metrics)
	}()
	r.end = sync.OnceValue(func() error { return <-done })
	r.stop = func() error {
		cancel()
		return r.end()
	}
	t.Cleanup(func() { _ = r.stop() }) // a test that cares has asked
	return r
}

// passes that ended so far.
func (r *running) passes(t *testing.T) (n float64) {
	t.Helper()
	families, err := r.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "norikae_clusterset_pass_total" {
			for _, m := range f.GetMetric() {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

// everyWrite is a pass without AWS, that does to the Secret of one cluster whatever a
// registrar may do.
func everyWrite(_ context.Context, _ cli.ControllerOptions, reader client.Reader, writer client.Writer) (passes, error) {
	return passes{
		compile: func(cs *v1alpha1.ClusterSet) (*registry.Set, error) {
			return &registry.Set{Owner: registry.Owner{Namespace: cs.Namespace, Name: cs.Name}, Interval: time.Hour}, nil
		},
		awsCalls: func() map[string]uint64 { return nil },
		pass: func(ctx context.Context, set *registry.Set, namespace string) (registrar.Result, error) {
			s, err := argocd.New(argocd.Config{Reader: reader, Writer: writer, Namespace: namespace})
			if err != nil {
				return registrar.Result{}, err
			}
			if _, err := s.ApplicationSets(ctx); err != nil {
				return registrar.Result{}, err
			}
			o := registrar.Outcome{Action: registry.Action{Cluster: blue, State: registry.Registered, Do: registry.Create, Want: registry.Registration{
				ClusterName: "blue", Server: "https://blue.example.com", Config: "{}",
			}}}
			if o.Err = writeAll(ctx, s, set.Owner, &o); o.Err != nil {
				o.State, o.Reason = registry.Unwritten, "Forbidden"
			}
			return registrar.Result{Outcomes: []registrar.Outcome{o}}, nil
		},
	}, nil
}

var blue = registry.ID{Partition: "aws", Account: "111122223333", Region: "us-east-1", Name: "blue"}

// writeAll leaves a Secret, of those that it makes, and deletes the other.
func writeAll(ctx context.Context, s *argocd.Secrets, owner registry.Owner, o *registrar.Outcome) error {
	if err := s.Create(ctx, owner, o.Action); err != nil {
		return err
	}
	o.Written = true
	update := o.Action
	for update.Entry == nil { // until the cache has it
		entries, err := s.List(ctx)
		if err != nil || len(entries) > 1 || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if len(entries) == 1 {
			update.Entry = &entries[0]
		}
	}
	update.Want.Project = "p"
	if err := s.Update(ctx, owner, update); err != nil {
		return err
	}
	for {
		entries, err := s.List(ctx)
		if err != nil || len(entries) != 1 || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if entries[0].Project == "p" {
			return s.Delete(ctx, entries[0])
		}
	}
}

func leaseIn(namespace string) func(*cli.ControllerOptions) {
	return func(o *cli.ControllerOptions) { o.LeaseNamespace = namespace }
}

func declareSet(t *testing.T, c *kubetest.Cluster, name string, labels map[string]string) *v1alpha1.ClusterSet {
	t.Helper()
	cs := &v1alpha1.ClusterSet{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: name, Labels: labels}}
	cs.Spec.Sources = []v1alpha1.Source{{EKS: v1alpha1.EKSSource{Regions: []string{"us-east-1"}}}}
	cs.Spec.ArgoCDNamespace = c.Namespace
	if err := c.Client.Create(t.Context(), cs); err != nil {
		t.Fatal(err)
	}
	return cs
}

// readyOf waits until a controller has said how a set's first pass ended.
func readyOf(t *testing.T, c *kubetest.Cluster, cs *v1alpha1.ClusterSet) metav1.Condition {
	t.Helper()
	var ready *metav1.Condition
	until(t, "status", func() bool {
		if err := c.Client.Get(t.Context(), client.ObjectKeyFromObject(cs), cs); err != nil {
			t.Fatal(err)
		}
		ready = meta.FindStatusCondition(cs.Status.Conditions, v1alpha1.ConditionReady)
		return ready != nil && ready.Status != metav1.ConditionUnknown
	})
	return *ready
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s: no %s", what)
		}
	}
}

func TestAClusterThatIsNotPreparedIsNamed(t *testing.T) {
	t.Parallel()
	bare := &kubetest.Server{Bare: true}
	t.Cleanup(func() {
		if err := bare.Stop(); err != nil {
			t.Error(err)
		}
	})
	err := control(t, bare.Cluster(t), everyWrite).end()
	if err == nil || !strings.Contains(err.Error(), "does not know ClusterSet of norikae.dev/v1alpha1: install the CustomResourceDefinitions with `kubectl apply") {
		t.Errorf("%v", err)
	}
}

func TestAControllerWithoutACluster(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("KUBECONFIG", "")
	t.Setenv("HOME", dir)
	gone := filepath.Join(dir, "gone")
	wrong := filepath.Join(dir, "wrong")
	if err := os.WriteFile(wrong, []byte("apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: \"https://127.0.0.1:1\"}}]\ncontexts: [{name: a, context: {cluster: a, user: a}}]\ncurrent-context: a\nusers: [{name: a, user: {token: x}}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*cli.ControllerOptions)
		want   string
	}{
		"no kubeconfig":    {func(o *cli.ControllerOptions) { o.Kubeconfig = "" }, "no Kubernetes cluster"},
		"one that is gone": {func(o *cli.ControllerOptions) { o.Kubeconfig = gone }, gone},
		"no such context":  {func(o *cli.ControllerOptions) { o.Kubeconfig, o.Context = wrong, "b" }, `"b"`},
		"nobody is there":  {func(o *cli.ControllerOptions) { o.Kubeconfig = wrong }, "asking the API server https://127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			o := cli.ControllerOptions{ArgoCDNamespaces: []string{"argocd"}, Log: slog.New(slog.DiscardHandler)}
			tc.change(&o)
			err := runController(t.Context(), Environment{Getenv: os.Getenv}, o, everyWrite, prometheus.NewRegistry())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

func TestASelectorThatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	c := kubernetes.Cluster(t)
	if err := control(t, c, everyWrite, func(o *cli.ControllerOptions) { o.Selector = "a in (" }).end(); err == nil || !strings.Contains(err.Error(), `--selector "a in (": `) {
		t.Errorf("%v", err)
	}
}

func TestShardsDoNotWaitForOneAnother(t *testing.T) {
	t.Parallel()
	c := kubernetes.Cluster(t)
	shard := func(n string) func(*cli.ControllerOptions) {
		return func(o *cli.ControllerOptions) { o.Selector = "shard=" + n }
	}
	two := map[string]string{"shard": "2"}
	one := control(t, c, everyWrite, shard("1"))
	readyOf(t, c, declareSet(t, c, "one", map[string]string{"shard": "1"}))
	other := declareSet(t, c, "two", two)
	control(t, c, everyWrite, shard("2"))
	readyOf(t, c, other)
	// A set that changes shards is not told of as deleted.
	if err := c.Client.Get(t.Context(), client.ObjectKeyFromObject(other), other); err != nil {
		t.Fatal(err)
	}
	other.Labels = nil
	if err := c.Client.Update(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if err := one.stop(); err != nil {
		t.Error(err)
	}
	if log := one.log.String(); strings.Contains(log, "name=two") {
		t.Errorf("the first shard looked at the second's set:\n%s", log)
	}
}

func TestLeasesOfControllersThatLookAtOtherThings(t *testing.T) {
	name := func(selector string, namespaces ...string) string {
		return leaseName(cli.ControllerOptions{Selector: selector, Namespaces: namespaces, ArgoCDNamespaces: []string{"argocd"}})
	}
	if name("", "argocd") != "norikae-controller" {
		t.Errorf("%q", name("", "argocd"))
	}
	if name("", "a", "b") != name("", "b", "a") {
		t.Error("the order of namespaces matters")
	}
	names := []string{name("", "argocd"), name("a", "argocd"), name("b", "argocd"), name("", "a"), name("")}
	if slices.Sort(names); len(slices.Compact(names)) != 5 {
		t.Errorf("%q", names)
	}
}

func TestProbesAndMetrics(t *testing.T) {
	t.Parallel()
	c := kubernetes.Cluster(t)
	probes, scrape := freeAddress(t), freeAddress(t)
	r := control(t, c, everyWrite, func(o *cli.ControllerOptions) { o.ProbeAddress, o.MetricsAddress = probes, scrape })
	for _, url := range []string{"http://" + probes + "/readyz", "http://" + probes + "/healthz", "http://" + scrape + "/metrics"} {
		until(t, "answer of "+url, func() bool { return status(t, url) == http.StatusOK })
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

func status(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestTheOwnerOfASecret(t *testing.T) {
	whole := map[string]string{argocd.LabelManagedBy: argocd.ManagedBy, argocd.LabelSet: "fleet", argocd.LabelSetNamespace: "argocd"}
	if owner, ok := ownerOf(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Labels: whole}}); !ok || owner != (registry.Owner{Namespace: "argocd", Name: "fleet"}) {
		t.Errorf("%v, %v", owner, ok)
	}
	for key := range whole {
		part := maps.Clone(whole)
		delete(part, key)
		if _, ok := ownerOf(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Labels: part}}); ok {
			t.Errorf("without %s it has an owner", key)
		}
	}
}
