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

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

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

// grant what config/rbac grants to the user, in the namespaces of a test.
func grant(t *testing.T, c *kubetest.Cluster, user string, own string, without ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", "role.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	namespaces := map[string]string{"": c.Namespace, "argocd": c.Namespace, "norikae": own}
	for doc := range strings.SplitSeq(string(text), "---\n") {
		var role rbacv1.Role
		if err := yaml.Unmarshal([]byte(doc), &role); err != nil {
			t.Fatal(err)
		}
		if len(role.Rules) == 0 {
			continue
		}
		for i, r := range role.Rules {
			role.Rules[i].Verbs = slices.DeleteFunc(r.Verbs, func(verb string) bool { return slices.Contains(without, verb+" "+r.Resources[0]) })
		}
		role.Rules = slices.DeleteFunc(role.Rules, func(r rbacv1.PolicyRule) bool { return len(r.Verbs) == 0 })
		role.ObjectMeta = metav1.ObjectMeta{GenerateName: "controller-", Namespace: namespaces[role.Namespace]}
		if err := c.Client.Create(t.Context(), &role); err != nil {
			t.Fatal(err)
		}
		if err := c.Client.Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "controller-", Namespace: role.Namespace},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: c.Namespace + ":" + user}},
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// installed is a cluster with the controller's user, who has its roles but for some verbs,
// and the namespace that the controller is in.
func installed(t *testing.T, without ...string) (admin, user *kubetest.Cluster, own string) {
	t.Helper()
	admin = kubernetes.Cluster(t)
	own = admin.NewNamespace(t)
	user = admin.As(t, "controller")
	grant(t, admin, "controller", own, without...)
	// The API server learns of roles in its own time; the lease's was bound last.
	until(t, "role", func() bool { return may(t, user, "create", own) || may(t, user, "update", own) })
	return admin, user, own
}

// may the user do something to leases?
func may(t *testing.T, user *kubetest.Cluster, verb, namespace string) bool {
	t.Helper()
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
		Verb: verb, Group: "coordination.k8s.io", Resource: "leases", Namespace: namespace,
	}}}
	if err := user.Client.Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
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

// readyOf waits until a controller has said something about a set.
func readyOf(t *testing.T, c *kubetest.Cluster, cs *v1alpha1.ClusterSet) metav1.Condition {
	t.Helper()
	var ready *metav1.Condition
	until(t, "status", func() bool {
		if err := c.Client.Get(t.Context(), client.ObjectKeyFromObject(cs), cs); err != nil {
			t.Fatal(err)
		}
		ready = meta.FindStatusCondition(cs.Status.Conditions, v1alpha1.ConditionReady)
		return ready != nil
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

func TestTheRolesAreEnoughAndNoMoreThanThat(t *testing.T) {
	t.Parallel()
	admin, user, own := installed(t)
	r := control(t, user, everyWrite, leaseIn(own))
	cs := declareSet(t, admin, "fleet", nil)
	if ready := readyOf(t, admin, cs); ready.Reason != "Succeeded" {
		t.Errorf("%+v\n%s", ready, r.log.String())
	}
	until(t, "event", func() bool {
		out, ok := admin.Kubectl(t, "", "get", "events.events.k8s.io", "-o", "wide")
		return ok && strings.Contains(out, "created the cluster Secret")
	})
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	for _, lacks := range []string{"lacks a permission", "level=ERROR", "orbidden", "annot "} {
		if strings.Contains(r.log.String(), lacks) {
			t.Errorf("the log has %q:\n%s", lacks, r.log.String())
		}
	}
	elsewhere := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "other"}}
	if err := admin.Client.Create(t.Context(), elsewhere); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"read a Secret of another namespace": user.Client.Get(t.Context(), client.ObjectKeyFromObject(elsewhere), &corev1.Secret{}),
		"list all Secrets":                   user.Client.List(t.Context(), &corev1.SecretList{}),
		"list Secrets of its own namespace":  user.Client.List(t.Context(), &corev1.SecretList{}, client.InNamespace(own)),
		"change a ClusterSet":                user.Client.Update(t.Context(), cs),
		"delete a ClusterSet":                user.Client.Delete(t.Context(), cs),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("it may %s: %v", what, err)
		}
	}
}

func TestAPermissionThatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	for without, says := range map[string]string{
		"create secrets":       `cannot create resource "secrets"`,
		"patch secrets":        `cannot patch resource "secrets"`,
		"delete secrets":       `cannot delete resource "secrets"`,
		"list applicationsets": `cannot list resource "applicationsets"`,
	} {
		t.Run("for a pass: "+without, func(t *testing.T) {
			t.Parallel()
			admin, user, own := installed(t, without)
			r := control(t, user, everyWrite, leaseIn(own))
			ready := readyOf(t, admin, declareSet(t, admin, "fleet", nil))
			if !strings.Contains(ready.Message, says) || ready.Status != metav1.ConditionFalse {
				t.Errorf("%+v", ready)
			}
			verb, resource, _ := strings.Cut(without, " ")
			if log := r.log.String(); !strings.Contains(log, "the controller lacks a permission") || !strings.Contains(log, verb+" "+resource) {
				t.Errorf("the log does not name it:\n%s", log)
			}
		})
	}
	for _, without := range []string{"patch clustersets/status", "create events", "patch events"} {
		t.Run("for what it tells: "+without, func(t *testing.T) {
			t.Parallel()
			_, user, own := installed(t, without)
			r := control(t, user, everyWrite, leaseIn(own))
			verb, resource, _ := strings.Cut(without, " ")
			until(t, "warning", func() bool {
				return strings.Contains(r.log.String(), "level=WARN") && strings.Contains(r.log.String(), `permission="`+verb+" "+resource)
			})
		})
	}
	for _, without := range []string{
		"get clustersets", "list clustersets", "watch clustersets", "get secrets", "list secrets", "watch secrets", "get leases", "create leases", "update leases",
	} {
		t.Run("at all: "+without, func(t *testing.T) {
			t.Parallel()
			_, user, own := installed(t, without)
			r := control(t, user, everyWrite, leaseIn(own))
			err := r.end()
			verb, resource, _ := strings.Cut(without, " ")
			if err == nil || !strings.Contains(err.Error(), "the controller may not "+verb+" "+resource) || !strings.Contains(err.Error(), "config/rbac") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestWhatIsAskedForIsWhatTheRolesGrant(t *testing.T) {
	asked := map[string]bool{}
	for _, p := range permissions(cli.ControllerOptions{Namespaces: []string{"sets"}, ArgoCDNamespaces: []string{"argocd"}, LeaderElect: true}, "norikae") {
		asked[p.String()] = true
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", "role.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	granted := map[string]bool{}
	for doc := range strings.SplitSeq(string(text), "---\n") {
		var role rbacv1.Role
		if err := yaml.Unmarshal([]byte(doc), &role); err != nil {
			t.Fatal(err)
		}
		if role.Namespace == "" {
			role.Namespace = "sets"
		}
		for _, r := range role.Rules {
			resource, sub, _ := strings.Cut(r.Resources[0], "/")
			for _, v := range r.Verbs {
				granted[permission{verb: v, group: r.APIGroups[0], resource: resource, sub: sub, namespace: role.Namespace}.String()] = true
			}
		}
	}
	if d := cmp.Diff(granted, asked); d != "" {
		t.Errorf("the roles (-) and what is asked for (+) differ:\n%s", d)
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
