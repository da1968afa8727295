package fleettest

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/internal/kubetest"
	"github.com/norikae/norikae/internal/register/argocd"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

var server kubetest.Server

func TestMain(m *testing.M) {
	// Histories on a real API server wait most of the time.
	if err := flag.Set("test.parallel", "10"); err != nil {
		panic(err)
	}
	os.Exit(server.Main(m))
}

// people edit Secrets with a client of their own, as kubectl does.
type people struct{ *kubetest.Cluster }

func (p people) Put(ctx context.Context, e registry.Entry) error {
	return p.Client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: e.Name, Labels: map[string]string{argocd.LabelSecretType: argocd.SecretTypeCluster}},
		StringData: map[string]string{"name": e.ClusterName, "server": e.Server, "config": `{"bearerToken":"theirs"}`},
	})
}

// Edit a Secret in the fields that a person's edit of an entry has.
func (p people) Edit(ctx context.Context, name string, edit func(*registry.Entry)) error {
	var s corev1.Secret
	if err := p.Client.Get(ctx, client.ObjectKey{Namespace: p.Namespace, Name: name}, &s); err != nil {
		return client.IgnoreNotFound(err)
	}
	e := registry.Entry{Registration: registry.Registration{Labels: maps.Clone(s.Labels), Config: string(s.Data["config"]), Project: string(s.Data["project"])}}
	edit(&e)
	s.Labels = e.Labels
	for k, v := range e.Annotations {
		metav1.SetMetaDataAnnotation(&s.ObjectMeta, k, v)
	}
	s.Data["config"] = []byte(e.Config)
	if e.Project != "" {
		s.Data["project"] = []byte(e.Project)
	}
	return p.Client.Update(ctx, &s)
}

// The same histories as in virtual time, with Argo CD's Secrets on a real API server, and
// real sockets to AWS. An interval is a fifth of a second.
func TestHistoriesOnARealAPIServer(t *testing.T) {
	environment(t)
	seeds := 4 // they wait most of the time
	if os.Getenv("NORIKAE_HISTORIES") != "" {
		seeds = 20 // make sweep
	}
	var deleted atomic.Int64
	t.Run("all", func(t *testing.T) {
		for seed := range seeds {
			t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
				t.Parallel()
				deleted.Add(int64(liveForReal(t, uint64(seed))))
			})
		}
	})
	if deleted.Load() == 0 && seeds == 20 {
		t.Error("no history deleted a Secret: they prove nothing about deletion")
	}
	t.Logf("%d Secrets deleted rightly", deleted.Load())
}

func liveForReal(t *testing.T, seed uint64) (deleted int) {
	t.Helper()
	const interval = 200 * time.Millisecond
	cluster := server.Cluster(t)
	w := newWorld(t, Config{Accounts: 2, Regions: 2, Seed: seed, Delay: interval, IndexLag: interval, Sockets: true})
	defer closed(t, w)
	secrets, err := argocd.New(argocd.Config{Reader: cluster.Client, Writer: cluster.Client, Namespace: cluster.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	s := NewRecorder(secrets)
	return judged(t, &History{
		World: w, Secrets: s, People: people{cluster}, Set: set(t, w, interval), Rand: rand.New(rand.NewPCG(seed, 2)),
		Process: func() (*registrar.Registrar, error) { return process(w, s) },
	}, 8, 12)
}
