package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/cli"
	"github.com/norikae/norikae/internal/controller"
	"github.com/norikae/norikae/internal/register/argocd"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// passes is what a controller does about ClusterSets, and what that costs.
type passes struct {
	compile  func(*v1alpha1.ClusterSet) (*registry.Set, error)
	pass     func(ctx context.Context, set *registry.Set, argocdNamespace string) (registrar.Result, error)
	awsCalls func() map[string]uint64
	// changes of clusters that AWS tells of; nil: it is not asked to.
	changes <-chan event.TypedGenericEvent[registry.ID]
	// background work, besides the passes; it ends with its context.
	background []manager.RunnableFunc
}

// newPasses makes them for a manager whose client reads and writes Secrets.
type newPasses func(ctx context.Context, o cli.ControllerOptions, reader client.Reader, writer client.Writer) (passes, error)

// gcPercent of a controller, unless GOGC says otherwise. Between passes it holds little; in
// one it holds all clusters twice. Time is not short, memory is: 15 takes a few percent of
// a core at ten thousand clusters and saves a third of the memory that Go's 100 takes.
const gcPercent = 15

func controllerCommand(env Environment) *cobra.Command {
	return cli.ControllerCommand(func(ctx context.Context, o cli.ControllerOptions) error {
		log := logr.FromSlogHandler(o.Log.Handler())
		ctrllog.SetLogger(log)
		klog.SetLogger(log)
		if env.Getenv("GOGC") == "" {
			debug.SetGCPercent(gcPercent)
		}
		return runController(ctx, env, o, awsPasses(env), metrics.Registry)
	})
}

// runController until ctx ends.
func runController(ctx context.Context, env Environment, o cli.ControllerOptions, passesOf newPasses, registered prometheus.Registerer) error {
	kube, err := connect(ctx, env, o)
	if err != nil {
		return err
	}
	opts, err := managerOptions(o, kube)
	if err != nil {
		return err
	}
	if o.LeaderElect {
		var lost context.CancelCauseFunc
		ctx, lost = context.WithCancelCause(ctx)
		defer lost(nil)
		lock, stop, err := newLease(kube, leaseName(o), lost)
		if err != nil {
			return err
		}
		defer stop()
		opts.LeaderElectionResourceLockInterface = lock
	}
	m, err := manager.New(kube.config, opts)
	if err != nil {
		return fmt.Errorf("setting the controller up: %w", err)
	}
	if err := addChecks(m, o); err != nil {
		return err
	}
	writes := &controller.Writes{}
	p, err := passesOf(ctx, o, m.GetClient(), writes.Client(m.GetClient()))
	if err != nil {
		return err
	}
	for _, f := range p.background {
		if err := m.Add(f); err != nil {
			return fmt.Errorf("setting the controller up: %w", err)
		}
	}
	counted, err := controller.NewMetrics(registered, p.awsCalls)
	if err != nil {
		return err
	}
	if err := controller.SetUp(m, controller.ClusterSets{
		Compile: p.compile, Pass: p.pass, Owner: ownerOf, Namespaces: o.ArgoCDNamespaces, Changes: p.changes,
		Client: m.GetClient(), Live: m.GetAPIReader(), Events: m.GetEventRecorder("norikae"), Metrics: counted, Writes: writes,
		Concurrency: o.Concurrency, Log: o.Log,
	}); err != nil {
		return err
	}
	o.Log.InfoContext(ctx, "controller starts", "version", env.Version, "namespaces", o.Namespaces, "all_namespaces", o.AllNamespaces,
		"argocd_namespaces", o.ArgoCDNamespaces, "selector", o.Selector, "lease", leaseText(o, kube.leaseNamespace))
	if err := m.Start(ctx); err != nil {
		return fmt.Errorf("running the controller: %w", err)
	}
	if cause := context.Cause(ctx); errors.Is(cause, errTaken) {
		return fmt.Errorf("running the controller: %w", cause)
	}
	o.Log.InfoContext(ctx, "controller stopped")
	return nil
}

// ownerOf a cluster Secret by the labels of its mark. It only decides who looks at it; what
// may be done to it is decided by the whole mark.
func ownerOf(s *corev1.Secret) (registry.Owner, bool) {
	l := s.Labels
	owner := registry.Owner{Namespace: l[argocd.LabelSetNamespace], Name: l[argocd.LabelSet]}
	return owner, l[argocd.LabelManagedBy] == argocd.ManagedBy && owner.Namespace != "" && owner.Name != ""
}

func managerOptions(o cli.ControllerOptions, kube connection) (manager.Options, error) {
	selector, err := labels.Parse(o.Selector)
	if err != nil {
		return manager.Options{}, fmt.Errorf("--selector %q: %w: want one as of kubectl -l, such as shard=1 or shard in (1,2)", o.Selector, err)
	}
	warm := true
	return manager.Options{
		Scheme: kube.scheme,
		Logger: logr.FromSlogHandler(o.Log.Handler()),
		Cache: cache.Options{
			// A kind that is read by mistake must not be watched in the whole cluster.
			ReaderFailOnMissingInformer: true,
			DefaultTransform:            cache.TransformStripManagedFields(),
			ByObject: map[client.Object]cache.ByObject{
				&v1alpha1.ClusterSet{}: {Namespaces: cachedNamespaces(o.Namespaces), Label: selector},
				&corev1.Secret{}: {
					Namespaces: cachedNamespaces(o.ArgoCDNamespaces),
					Label:      labels.SelectorFromSet(labels.Set{argocd.LabelSecretType: argocd.SecretTypeCluster}),
					Transform:  argocd.CacheTransform,
				},
			},
		},
		LeaderElection: o.LeaderElect, LeaderElectionReleaseOnCancel: true, // the process ends when the manager has
		GracefulShutdownTimeout: &o.GracePeriod,
		Metrics:                 metricsserver.Options{BindAddress: o.MetricsAddress, SecureServing: o.MetricsSecure, CertDir: o.MetricsCertDir},
		HealthProbeBindAddress:  o.ProbeAddress,
		// Replicas that wait fill their caches, so that they take over in no time.
		Controller: config.Controller{EnableWarmup: &warm},
	}, nil
}

// cachedNamespaces for the cache; nil is all of them.
func cachedNamespaces(names []string) map[string]cache.Config {
	if len(names) == 0 {
		return nil
	}
	m := map[string]cache.Config{}
	for _, n := range names {
		m[n] = cache.Config{}
	}
	return m
}

// leaseText names the lease for the log.
func leaseText(o cli.ControllerOptions, namespace string) string {
	if !o.LeaderElect {
		return "none"
	}
	return namespace + "/" + leaseName(o)
}

// leaseName is another for controllers that look at other ClusterSets, so that they do not
// wait for one another.
func leaseName(o cli.ControllerOptions) string {
	const name = "norikae-controller"
	namespaces, argo := slices.Sorted(slices.Values(o.Namespaces)), slices.Sorted(slices.Values(o.ArgoCDNamespaces))
	if o.Selector == "" && slices.Equal(namespaces, argo) {
		return name
	}
	sum := sha256.Sum256([]byte(o.Selector + "\n" + strings.Join(namespaces, ",")))
	return name + "-" + hex.EncodeToString(sum[:4])
}

// addChecks for the probes: alive is who answers, ready who knows what there is.
func addChecks(m manager.Manager, o cli.ControllerOptions) error {
	ready := func(r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		if !m.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the caches of ClusterSets and cluster Secrets are not filled yet")
		}
		return nil
	}
	if err := errors.Join(m.AddHealthzCheck("ping", healthz.Ping), m.AddReadyzCheck("caches", ready)); err != nil {
		return fmt.Errorf("adding the probes at %s: %w", o.ProbeAddress, err)
	}
	return nil
}
