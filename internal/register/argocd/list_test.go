package argocd

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/norikae/norikae/internal/kubetest"
	"github.com/norikae/norikae/internal/registry"
)

// fill the namespace with n Secrets, every tenth somebody else's.
func fill(t *testing.T, c *kubetest.Cluster, n int) {
	t.Helper()
	s := newSecrets(t, c)
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := worker; i < n; i += 8 {
				a := creation(declared())
				a.Cluster.Name = fmt.Sprintf("c%04d", i)
				a.Want.ClusterName = a.Cluster.Name
				err := error(nil)
				if i%10 == 0 {
					err = c.Client.Create(t.Context(), handMade(c.Namespace, a.Cluster.Name))
				} else {
					err = s.Create(t.Context(), owner, a)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestTwoThousandFiveHundredSecretsAreListed(t *testing.T) {
	const n = 2500
	c := kube.Cluster(t)
	fill(t, c, n)
	notOne := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: "a-password"}, StringData: map[string]string{"password": "s3cret"}}
	if err := c.Client.Create(t.Context(), notOne); err != nil {
		t.Fatal(err)
	}
	asked, expired := 0, 0
	watching, err := client.NewWithWatch(c.Config, client.Options{Scheme: c.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	reader := interceptor.NewClient(watching, interceptor.Funcs{List: func(ctx context.Context, w client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
		if asked++; asked == 3 && expired < 1 { // the API server compacts its history in between
			expired++
			return apierrors.NewResourceExpired("too old")
		}
		return w.List(ctx, l, opts...)
	}})
	s, err := New(Config{Reader: reader, Writer: c.Client, Namespace: c.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	direct, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(direct) != n || asked != 3+5 {
		t.Errorf("%d Secrets in %d answers, want %d in 8", len(direct), asked, n)
	}
	t.Run("from a cache they are the same", func(t *testing.T) {
		cached := fromCache(t, c)
		byName := func(a, b registry.Entry) bool { return a.Name < b.Name }
		if d := cmp.Diff(direct, cached, cmpopts.SortSlices(byName), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("(-direct +cached):\n%s", d)
		}
	})
}

// fromCache lists with a cache that is made as a controller would make it.
func fromCache(t *testing.T, c *kubetest.Cluster) []registry.Entry {
	t.Helper()
	informers, err := cache.New(c.Config, cache.Options{
		Scheme: c.Scheme, DefaultNamespaces: map[string]cache.Config{c.Namespace: {}}, DefaultTransform: CacheTransform,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- informers.Start(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	s, err := New(Config{Reader: informers, Writer: c.Client, Namespace: c.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var held corev1.SecretList
	if err := informers.List(t.Context(), &held); err != nil {
		t.Fatal(err)
	}
	for _, s := range held.Items {
		if strings.Contains(fmt.Sprintf("%s", s.Data)+fmt.Sprint(s.Annotations), "s3cret") {
			t.Fatalf("the cache holds credentials of %s", s.Name)
		}
	}
	return out
}

func TestAListThatExpiresAgainAndAgainIsAnError(t *testing.T) {
	c := kube.Cluster(t)
	watching, err := client.NewWithWatch(c.Config, client.Options{Scheme: c.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	reader := interceptor.NewClient(watching, interceptor.Funcs{List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
		asked++
		return apierrors.NewResourceExpired("too old")
	}})
	s, err := New(Config{Reader: reader, Writer: c.Client, Namespace: c.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.List(t.Context()); !apierrors.IsResourceExpired(err) || asked != 3 {
		t.Errorf("after %d answers: %v", asked, err)
	}
}
