package controller

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/registry"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// SetUp adds the controller of ClusterSets to a manager.
func SetUp(m manager.Manager, c ClusterSets) error {
	if err := c.validate(); err != nil {
		return err
	}
	r := newClusterSets(c)
	skip := true // several managers in one process are what tests have
	b := builder.ControllerManagedBy(m).
		Named("clusterset").
		For(&v1alpha1.ClusterSet{}, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Watches(&corev1.Secret{}, r.secrets()).
		WithOptions(controller.Options{MaxConcurrentReconciles: c.Concurrency, SkipNameValidation: &skip})
	if c.Changes != nil {
		b = b.WatchesRawSource(source.Channel(c.Changes, r.changes()))
	}
	if err := b.Complete(r); err != nil {
		return fmt.Errorf("setting the controller of ClusterSets up: %w", err)
	}
	return nil
}

// secrets maps cluster Secrets to the sets that want to know: one with a mark to its set,
// one without to every set of that Argo CD, for which it may be in the way.
func (r *clusterSets) secrets() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) {
			if s, ok := e.Object.(*corev1.Secret); ok && !e.IsInInitialList {
				r.touch(ctx, q, version{s.UID, s.ResourceVersion}, s)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			was, ok := e.ObjectOld.(*corev1.Secret)
			is, both := e.ObjectNew.(*corev1.Secret)
			if ok && both && differs(was, is) {
				r.touch(ctx, q, version{is.UID, is.ResourceVersion}, was, is)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) {
			if s, ok := e.Object.(*corev1.Secret); ok {
				r.touch(ctx, q, version{uid: s.UID}, s)
			}
		},
	}
}

// differs tells whether two versions of a Secret differ in what Argo CD or we read.
func differs(a, b *corev1.Secret) bool {
	return !maps.Equal(a.Labels, b.Labels) || !maps.Equal(a.Annotations, b.Annotations) || !maps.EqualFunc(a.Data, b.Data, bytes.Equal)
}

// touch the sets of a Secret, of which there may be two versions: a mark may have been
// taken off, or put on.
func (r *clusterSets) touch(ctx context.Context, q queue, v version, versions ...*corev1.Secret) {
	sets := map[types.NamespacedName]bool{}
	for _, s := range versions {
		owner, ok := r.Owner(s)
		if ok {
			sets[types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name}] = true
			continue
		}
		for _, set := range r.setsOf(ctx, s.Namespace) {
			sets[set] = true
		}
	}
	for set := range sets {
		r.memories.touch(set, v)
		q.AddAfter(reconcile.Request{NamespacedName: set}, r.debounce)
	}
}

// setsOf lists the sets of the Argo CD in a namespace.
func (r *clusterSets) setsOf(ctx context.Context, argocd string) []types.NamespacedName {
	return r.sets(ctx, func(cs *v1alpha1.ClusterSet) bool { return argocdNamespace(cs) == argocd })
}

func (r *clusterSets) sets(ctx context.Context, of func(*v1alpha1.ClusterSet) bool) []types.NamespacedName {
	var list v1alpha1.ClusterSetList
	if err := r.Client.List(ctx, &list); err != nil {
		r.Log.ErrorContext(ctx, "listing cluster sets failed", "error", err) // the next interval finds it all the same
		return nil
	}
	var names []types.NamespacedName
	for _, cs := range list.Items {
		if of(&cs) {
			names = append(names, client.ObjectKeyFromObject(&cs))
		}
	}
	return names
}

// changes wakes the sets that look for clusters where one has changed.
func (r *clusterSets) changes() handler.TypedEventHandler[registry.ID, reconcile.Request] {
	return handler.TypedFuncs[registry.ID, reconcile.Request]{
		GenericFunc: func(ctx context.Context, e event.TypedGenericEvent[registry.ID], q queue) {
			for _, set := range r.sets(ctx, func(cs *v1alpha1.ClusterSet) bool { return covers(cs.Spec, e.Object) }) {
				r.memories.wake(set)
				q.AddAfter(reconcile.Request{NamespacedName: set}, r.debounce)
			}
		},
	}
}

// covers tells whether a set looks for clusters in the account and region of one. Which
// account the controller's own credentials are of is not asked: they may be of any.
func covers(spec v1alpha1.ClusterSetSpec, id registry.ID) bool {
	for _, s := range spec.Sources {
		of := func(a v1alpha1.Account) bool { return strings.Contains(a.RoleARN, "::"+id.Account+":") }
		if slices.Contains(s.EKS.Regions, id.Region) && (len(s.EKS.Accounts) == 0 || slices.ContainsFunc(s.EKS.Accounts, of)) {
			return true
		}
	}
	return false
}
