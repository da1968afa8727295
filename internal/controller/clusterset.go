package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// When passes run, besides a set's own interval.
const (
	passTimeout = 15 * time.Minute // a pass that takes longer hangs
	spacing     = 5 * time.Second  // between the end of a pass and one that somebody asked for
	debounce    = time.Second      // changes of Secrets that come together
	jitter      = 0.05             // of the interval, so that sets do not all ask AWS at once
)

// ClusterSets is what the controller of ClusterSets needs. All of it is required but for
// Changes, Elsewhere, Log and Now.
type ClusterSets struct {
	// Compile fills defaults in. Its error names the field.
	Compile func(*v1alpha1.ClusterSet) (*registry.Set, error)
	// Pass does everything that is to be done about a set now. It writes to the Argo CD of
	// the namespace.
	Pass func(ctx context.Context, set *registry.Set, argocdNamespace string) (registrar.Result, error)
	// Owner of a cluster Secret by its mark; ok is false when it has none.
	Owner func(*corev1.Secret) (owner registry.Owner, ok bool)
	// Namespaces of the Argo CDs that are served: cluster Secrets are watched there.
	Namespaces []string

	Client  client.Client // reads from the cache
	Live    client.Reader // reads from the API server
	Events  recorder
	Metrics *Metrics
	Writes  *Writes // of Secrets, by Pass
	// Changes are clusters that AWS says have changed: the sets whose accounts and regions
	// they are in are looked at.
	Changes <-chan event.TypedGenericEvent[registry.ID]
	// Concurrency is how many sets have a pass at the same time, 1 at least.
	Concurrency int
	Log         *slog.Logger
	Now         func() time.Time // default time.Now

	spacing, debounce time.Duration // for tests, which are in a hurry
}

// clusterSets reconciles them.
type clusterSets struct {
	ClusterSets

	memories memories
}

// NewClusterSets makes a reconciler of ClusterSets.
func NewClusterSets(c ClusterSets) reconcile.Reconciler { return newClusterSets(c) }

func newClusterSets(c ClusterSets) *clusterSets {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.spacing == 0 {
		c.spacing, c.debounce = spacing, debounce
	}
	return &clusterSets{ClusterSets: c, memories: memories{sets: map[types.NamespacedName]*memory{}}}
}

// Reconcile runs a pass if one is due, tells what came out, and says when the next is.
func (r *clusterSets) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	cs := &v1alpha1.ClusterSet{}
	if err := r.Client.Get(ctx, req.NamespacedName, cs); err != nil {
		if apierrors.IsNotFound(err) {
			return reconcile.Result{}, r.gone(ctx, req.NamespacedName)
		}
		return reconcile.Result{}, fmt.Errorf("reading the ClusterSet: %w", err)
	}
	mem := r.memories.of(req.NamespacedName, cs)
	f := finding{generation: cs.Generation, suspended: cs.Spec.Suspend}
	set, err := r.compile(cs)
	if err != nil {
		f.invalid = err
	}
	if f.invalid != nil || f.suspended {
		mem.ended = time.Time{} // once it is neither, a pass is due
		return reconcile.Result{}, r.tell(ctx, cs, mem, f, nil)
	}
	if wait := r.memories.due(mem, cs, r.Writes.ours, r.Now(), r.spacing); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	r.discovering(ctx, cs)
	return r.pass(ctx, cs, set, mem, f)
}

// discovering says in the status that the first pass of a generation is under way, which
// takes minutes when the fleet is large. Later passes do not say so, and there is no Event.
func (r *clusterSets) discovering(ctx context.Context, cs *v1alpha1.ClusterSet) {
	if ready := meta.FindStatusCondition(cs.Status.Conditions, v1alpha1.ConditionReady); ready != nil && ready.ObservedGeneration == cs.Generation {
		return
	}
	next := nextStatus(cs.Status, finding{generation: cs.Generation, discovering: true}, metav1.Time{Time: r.Now()})
	if err := r.write(ctx, cs, next); err != nil {
		r.Log.ErrorContext(ctx, "telling that a pass begins failed", "namespace", cs.Namespace, "name", cs.Name, "error", err)
	}
}

// compile the set, for an Argo CD that this controller serves.
func (r *clusterSets) compile(cs *v1alpha1.ClusterSet) (*registry.Set, error) {
	if ns := argocdNamespace(cs); !slices.Contains(r.Namespaces, ns) {
		return nil, fmt.Errorf("spec.argocdNamespace: %q is not a namespace whose cluster Secrets this controller may write, which are %s: start it with --argocd-namespace %s, and give it the Role there",
			ns, strings.Join(r.Namespaces, ", "), ns)
	}
	return r.Compile(cs)
}

// argocdNamespace is where a set's Secrets are; the API server fills the default in.
func argocdNamespace(cs *v1alpha1.ClusterSet) string {
	if cs.Spec.ArgoCDNamespace == "" {
		return "argocd"
	}
	return cs.Spec.ArgoCDNamespace
}

func (r *clusterSets) pass(ctx context.Context, cs *v1alpha1.ClusterSet, set *registry.Set, mem *memory, f finding) (reconcile.Result, error) {
	began := r.Now()
	limited, cancel := context.WithTimeoutCause(ctx, passTimeout, fmt.Errorf("the pass did not end within %s", passTimeout))
	f.result, f.failed = r.Pass(limited, set, argocdNamespace(cs))
	if f.failed != nil && limited.Err() != nil {
		f.failed = fmt.Errorf("%w (%w)", context.Cause(limited), f.failed)
	}
	cancel()
	r.Metrics.pass(client.ObjectKeyFromObject(cs), r.Now().Sub(began), f.result, f.failed)
	if ctx.Err() != nil {
		return reconcile.Result{}, nil //nolint:nilerr // the process stops; who comes next has a pass of its own, and tells
	}
	notes, told := clusterNotes(mem.told, f.result)
	if f.failed != nil {
		maps.Copy(mem.told.problems, told.problems) // what it did not get to is as it was
	} else {
		mem.told = told
	}
	err := r.tell(ctx, cs, mem, f, notes)
	if err != nil {
		// Not returned: that would run passes at the pace at which API calls are retried.
		r.Log.ErrorContext(ctx, "telling of a pass failed", "namespace", cs.Namespace, "name", cs.Name, "error", err)
	}
	mem.ended = r.Now()
	mem.next = mem.plan(set.Interval, began, err == nil && f.failed == nil && failedWrites(f.result) == nil)
	return reconcile.Result{RequeueAfter: max(mem.next.Sub(mem.ended), time.Second)}, nil
}

// tell writes the status if it differs, and sends Events and a log line about what
// changed.
func (r *clusterSets) tell(ctx context.Context, cs *v1alpha1.ClusterSet, mem *memory, f finding, notes []note) error {
	next := nextStatus(cs.Status, f, metav1.Time{Time: r.Now()})
	notes = append(setNotes(mem.said, next), notes...)
	send(r.Events, cs, notes)
	for _, n := range notes {
		level := slog.LevelInfo
		if n.warning {
			level = slog.LevelWarn
		}
		r.Log.Log(ctx, level, "cluster set changed", "namespace", cs.Namespace, "name", cs.Name, "reason", n.reason, "note", n.text)
	}
	mem.said = next
	return r.write(ctx, cs, next)
}

// write the status if it differs from what the set has, and remember that it has it now.
func (r *clusterSets) write(ctx context.Context, cs *v1alpha1.ClusterSet, next v1alpha1.ClusterSetStatus) error {
	if apiequality.Semantic.DeepEqual(cs.Status, next) {
		return nil
	}
	changed := cs.DeepCopy()
	changed.Status = next
	if err := r.Client.Status().Patch(ctx, changed, client.MergeFrom(cs)); err != nil {
		return fmt.Errorf("writing the status of the ClusterSet: %w", client.IgnoreNotFound(err))
	}
	cs.Status = next
	return nil
}

// gone forgets a set that was deleted. Its Secrets stay: that is said once.
func (r *clusterSets) gone(ctx context.Context, set types.NamespacedName) error {
	mem := r.memories.drop(set)
	if mem == nil {
		return nil
	}
	r.Metrics.forget(set)
	err := r.Live.Get(ctx, set, &v1alpha1.ClusterSet{})
	if err == nil {
		return nil // it is another controller's now: its labels do not match our selector any more
	}
	if !apierrors.IsNotFound(err) {
		return fmt.Errorf("reading the ClusterSet: %w", err)
	}
	n := deletedNote(argocdNamespace(mem.about), mem.said.Counts.Registered)
	send(r.Events, mem.about, []note{n})
	r.Log.InfoContext(ctx, "cluster set deleted", "namespace", set.Namespace, "name", set.Name, "note", n.text)
	return nil
}

// validate names what is missing.
func (c ClusterSets) validate() error {
	switch {
	case c.Compile == nil || c.Pass == nil || c.Owner == nil:
		return errors.New("controller: Compile, Pass and Owner are required")
	case c.Client == nil || c.Live == nil || c.Events == nil || c.Metrics == nil || c.Writes == nil:
		return errors.New("controller: Client, Live, Events, Metrics and Writes are required")
	case len(c.Namespaces) == 0:
		return errors.New("controller: Namespaces of Argo CD are required")
	}
	return nil
}
