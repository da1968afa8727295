package app

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/cli"
)

// connection to the cluster that a controller works in.
type connection struct {
	config         *rest.Config
	scheme         *runtime.Scheme
	leaseNamespace string
}

// connect finds the cluster, and says what is missing there.
func connect(ctx context.Context, env Environment, o cli.ControllerOptions) (connection, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath, rules.WarnIfAllMissing = o.Kubeconfig, false
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.Context})
	cfg, err := loader.ClientConfig()
	if err != nil {
		return connection{}, kubeconfigError(env, o.Kubeconfig, o.Context, err)
	}
	cfg.UserAgent = "norikae/" + env.Version
	cfg.QPS = -1 // the API server limits who asks too much, fairly
	c := connection{config: cfg, leaseNamespace: o.LeaseNamespace}
	if c.leaseNamespace == "" {
		if c.leaseNamespace, _, err = loader.Namespace(); err != nil {
			return connection{}, fmt.Errorf("finding the namespace of the lease: %w", err)
		}
	}
	if c.scheme, err = kubeScheme(); err != nil {
		return connection{}, err
	}
	if err := knowsClusterSets(cfg); err != nil {
		return connection{}, err
	}
	return c, c.permitted(ctx, o)
}

// knowsClusterSets asks the API server for the kind.
func knowsClusterSets(cfg *rest.Config) error {
	d, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	list, err := d.ServerResourcesForGroupVersion(v1alpha1.GroupVersion)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("asking the API server %s: %w", cfg.Host, err)
	}
	if err == nil {
		for _, r := range list.APIResources {
			if r.Kind == v1alpha1.KindClusterSet {
				return nil
			}
		}
	}
	return fmt.Errorf("the API server %s does not know ClusterSet of %s: install the CustomResourceDefinitions with `kubectl apply --server-side -k config/crd`, or with the chart (crds.install)",
		cfg.Host, v1alpha1.GroupVersion)
}

// permission is one verb on one resource.
type permission struct {
	verb, group, resource, sub string
	namespace                  string // "": all
	// needed: without it nothing works. Else what needs it fails, and says so.
	needed bool
}

func (p permission) String() string {
	name := p.resource
	if p.sub != "" {
		name += "/" + p.sub
	}
	if p.group != "" {
		name += "." + p.group
	}
	if p.namespace == "" {
		return p.verb + " " + name + " in all namespaces"
	}
	return p.verb + " " + name + " in namespace " + p.namespace
}

// permissions of a controller: those of config/rbac.
func permissions(o cli.ControllerOptions, leaseNamespace string) []permission {
	var list []permission
	add := func(namespace, group, resource, sub string, needed bool, verbs ...string) {
		for _, v := range verbs {
			list = append(list, permission{v, group, resource, sub, namespace, needed})
		}
	}
	sets := o.Namespaces
	if o.AllNamespaces {
		sets = []string{""}
	}
	for _, ns := range sets {
		add(ns, "norikae.dev", "clustersets", "", true, "get", "list", "watch")
		add(ns, "norikae.dev", "clustersets", "status", false, "patch")
		add(ns, "events.k8s.io", "events", "", false, "create", "patch")
	}
	for _, ns := range o.ArgoCDNamespaces {
		add(ns, "", "secrets", "", true, "get", "list", "watch")
		add(ns, "", "secrets", "", false, "create", "patch", "delete")
		add(ns, "argoproj.io", "applicationsets", "", false, "list")
	}
	if o.LeaderElect {
		add(leaseNamespace, "coordination.k8s.io", "leases", "", true, "get", "create", "update")
		add(leaseNamespace, "", "events", "", false, "create", "patch")
	}
	return list
}

// permitted asks the API server for each permission. Those that are missing and needed are
// an error, the others a warning: who leaves delete out on purpose gets a controller that
// never removes a cluster.
func (c connection) permitted(ctx context.Context, o cli.ControllerOptions) error {
	api, err := client.New(c.config, client.Options{Scheme: c.scheme})
	if err != nil {
		return fmt.Errorf("connecting to the API server %s: %w", c.config.Host, err)
	}
	var needed []string
	for _, p := range permissions(o, c.leaseNamespace) {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: p.verb, Group: p.group, Resource: p.resource, Subresource: p.sub, Namespace: p.namespace,
		}}}
		switch err := api.Create(ctx, review); {
		case err != nil:
			return fmt.Errorf("asking the API server %s whether the controller may %s: %w", c.config.Host, p, err)
		case review.Status.Allowed:
		case p.needed:
			needed = append(needed, p.String())
		default:
			o.Log.Log(ctx, slog.LevelWarn, "the controller lacks a permission; what needs it will fail", "permission", p.String())
		}
	}
	if len(needed) > 0 {
		return fmt.Errorf("the controller may not %s: bind the roles of config/rbac to it (the chart does), or give other namespaces with --namespace, --argocd-namespace and --lease-namespace",
			strings.Join(needed, ", "))
	}
	return nil
}
