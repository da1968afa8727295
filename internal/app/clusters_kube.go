package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/cli"
)

// kube is the cluster that Argo CD runs in.
type kube struct {
	client    client.Client // reads from the API server, no cache
	namespace string        // of the kubeconfig's context
}

// Requests to the API server: 8 Secrets are written at once.
const (
	kubeTimeout = 30 * time.Second
	kubeQPS     = 50
	kubeBurst   = 100
)

// connectKube to the cluster that kubectl would talk to. It calls nobody.
func connectKube(env Environment, kubeconfig, name string) (*kube, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if list := env.Getenv("KUBECONFIG"); list != "" {
		rules.Precedence = filepath.SplitList(list)
	}
	rules.ExplicitPath = kubeconfig
	rules.WarnIfAllMissing = false
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: name})
	cfg, err := loader.ClientConfig()
	if err != nil {
		return nil, kubeconfigError(env, kubeconfig, name, err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, kubeconfigError(env, kubeconfig, name, err)
	}
	cfg.Timeout, cfg.QPS, cfg.Burst = kubeTimeout, kubeQPS, kubeBurst
	cfg.UserAgent = "norikae/" + cmp.Or(env.Version, "dev")
	cfg.WarningHandler = rest.NoWarnings{} // they are about API versions, not about what is done
	scheme, err := kubeScheme()
	if err != nil {
		return nil, err
	}
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("making a Kubernetes client: %w", err)
	}
	return &kube{client: c, namespace: namespace}, nil
}

// kubeconfigError says what was looked for.
func kubeconfigError(env Environment, kubeconfig, name string, err error) error {
	if !clientcmd.IsEmptyConfig(err) {
		if name != "" {
			return fmt.Errorf("reading the kubeconfig for context %q: %w", name, err)
		}
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	where := "KUBECONFIG is not set, and " + clientcmd.RecommendedHomeFile + " says nothing"
	if v := cmp.Or(kubeconfig, env.Getenv("KUBECONFIG")); v != "" {
		where = v + " says nothing"
	}
	return fmt.Errorf("no Kubernetes cluster with an Argo CD is known: %s, and this is no pod; name a kubeconfig with --kubeconfig or KUBECONFIG", where)
}

// sets are the declared ones with their namespaces, or else the one of the cluster.
func (k *kube) sets(ctx context.Context, declared []*v1alpha1.ClusterSet, o cli.FleetOptions) ([]*v1alpha1.ClusterSet, error) {
	if o.Name != "" {
		cs, err := k.get(ctx, client.ObjectKey{Namespace: cmp.Or(o.Namespace, k.namespace), Name: o.Name})
		return []*v1alpha1.ClusterSet{cs}, err
	}
	seen := map[client.ObjectKey]bool{}
	for _, cs := range declared {
		if cs.Namespace != "" && o.Namespace != "" && cs.Namespace != o.Namespace {
			return nil, fmt.Errorf("ClusterSet %s says that its namespace is %s, and -n says %s: leave one of them out", cs.Name, cs.Namespace, o.Namespace)
		}
		cs.Namespace = cmp.Or(cs.Namespace, o.Namespace, k.namespace)
		key := client.ObjectKeyFromObject(cs)
		if seen[key] {
			return nil, fmt.Errorf("ClusterSet %s is declared twice: keep one", key)
		}
		seen[key] = true
	}
	return declared, nil
}

// get a ClusterSet from the cluster; an error says which there are.
func (k *kube) get(ctx context.Context, key client.ObjectKey) (*v1alpha1.ClusterSet, error) {
	cs := &v1alpha1.ClusterSet{}
	err := k.client.Get(ctx, key, cs)
	switch {
	case err == nil:
		return cs, nil
	case meta.IsNoMatchError(err):
		return nil, errors.New("this cluster has no kind ClusterSet of norikae.dev: give the ClusterSet as a file with -f, or install the custom resource (config/crd)")
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("there is no ClusterSet %s; %s", key, k.names(ctx, key.Namespace))
	}
	return nil, fmt.Errorf("reading ClusterSet %s: %w", key, err)
}

// names of the ClusterSets in a namespace, or elsewhere when it has none.
func (k *kube) names(ctx context.Context, namespace string) string {
	var list v1alpha1.ClusterSetList
	if err := k.client.List(ctx, &list, client.InNamespace(namespace)); err == nil && len(list.Items) > 0 {
		var names []string
		for _, cs := range list.Items {
			names = append(names, cs.Name)
		}
		slices.Sort(names)
		return "in that namespace there are " + strings.Join(names, ", ")
	}
	return "in that namespace there is none: -n names another"
}

// controlled says whether a controller keeps the ClusterSet of that name, as far as can be
// seen: it has written the status of this generation.
func (k *kube) controlled(ctx context.Context, cs *v1alpha1.ClusterSet) string {
	live := &v1alpha1.ClusterSet{}
	if err := k.client.Get(ctx, client.ObjectKeyFromObject(cs), live); err != nil {
		return "" // no such object, no such kind, or not for us to see
	}
	s := live.Status
	if live.Spec.Suspend || s.ObservedGeneration == 0 || s.ObservedGeneration != live.Generation || len(s.Conditions) == 0 {
		return ""
	}
	text := fmt.Sprintf("a controller keeps ClusterSet %s/%s, too", cs.Namespace, cs.Name)
	if cs.ResourceVersion == "" { // it comes from a file
		text += "; it goes by what is in the cluster, not by this file"
	}
	return text
}
