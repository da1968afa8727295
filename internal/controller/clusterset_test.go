package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// Hazard D8: the status was never written, and an Event came every 30 s.
func TestD8_SteadyStateIsQuiet(t *testing.T) {
	c := kube.Cluster(t)
	d := newDesk(t, c)
	cs := newSet(t, c, "fleet")
	const failed = " (RequestID: %08d-3d51-4cf5-b2a8-3f8bbb6b4e3e)" // as AWS words it: another every time
	first := answered(created("a"), outcome("b", registry.Held))
	first.Outcomes[1].Message += fmt.Sprintf(failed, 1000)
	d.script.say(first, nil)
	status, wait := d.reconcile(cs)
	if readyReason(status) != ReasonClustersNotInOrder || status.Counts.Registered != 2 || len(status.NotInOrder) != 1 || d.patches != 2 {
		t.Fatalf("after the first pass, and %d writes, the status is %+v", d.patches, status)
	}
	if wait < 9*time.Second || wait > 11*time.Second {
		t.Errorf("the next pass is in %s, want about 10 s", wait)
	}
	if said := d.events.take(); len(said) != 3 {
		t.Errorf("events: %q", said)
	}
	for i := range 100 {
		d.now = d.now.Add(11 * time.Second)
		res := answered(outcome("a", registry.Registered), outcome("b", registry.Held))
		res.Outcomes[1].Message += fmt.Sprintf(failed, i)
		d.script.say(res, nil)
		d.reconcile(cs)
	}
	if d.script.count() != 101 {
		t.Fatalf("%d passes, want 101", d.script.count())
	}
	if said := d.events.take(); d.patches != 2 || len(said) > 0 {
		t.Errorf("100 passes in steady state wrote the status %d times, and said %q", d.patches-2, said)
	}
}

func TestTwoLooksWithinAnIntervalAreOnePass(t *testing.T) {
	c := kube.Cluster(t)
	d := newDesk(t, c)
	cs := newSet(t, c, "fleet")
	d.script.say(answered(), nil)
	d.reconcile(cs)
	for _, after := range []time.Duration{0, time.Second, 7 * time.Second} {
		d.now = d.now.Add(after)
		if _, wait := d.reconcile(cs); d.script.count() != 1 || wait <= 0 || wait > 11*time.Second {
			t.Errorf("%s later: %d passes, and waits %s", after, d.script.count(), wait)
		}
	}
	edit(t, c, cs, func(cs *v1alpha1.ClusterSet) { cs.Spec.Interval.Duration = time.Minute })
	if _, wait := d.reconcile(cs); d.script.count() != 2 || wait < 57*time.Second {
		t.Errorf("a changed spec: %d passes, and waits %s", d.script.count(), wait)
	}
}

func TestASuspendedSetIsNotLookedAt(t *testing.T) {
	c := kube.Cluster(t)
	d := newDesk(t, c)
	cs := newSet(t, c, "fleet", func(cs *v1alpha1.ClusterSet) { cs.Spec.Suspend = true })
	for range 3 {
		status, wait := d.reconcile(cs)
		if got := conditionsOf(status); got != "Ready=False Suspended, Stalled=True Suspended" || wait != 0 || status.ObservedGeneration != 1 {
			t.Fatalf("%s, waits %s", got, wait)
		}
	}
	if d.script.count() != 0 || d.patches != 1 {
		t.Errorf("%d passes and %d writes", d.script.count(), d.patches)
	}
	d.script.say(answered(created("a")), nil)
	edit(t, c, cs, func(cs *v1alpha1.ClusterSet) { cs.Spec.Suspend = false })
	if status, _ := d.reconcile(cs); conditionsOf(status) != "Ready=True Succeeded, Discovered=True Succeeded, Registered=True Succeeded" {
		t.Errorf("%s", conditionsOf(status))
	}
	edit(t, c, cs, func(cs *v1alpha1.ClusterSet) { cs.Spec.Suspend = true })
	status, _ := d.reconcile(cs)
	if got := conditionsOf(status); got != "Ready=False Suspended, Discovered=True Succeeded, Registered=True Succeeded, Stalled=True Suspended" || status.Counts.Registered != 1 {
		t.Errorf("%s, %+v", got, status.Counts)
	}
}

func TestASpecThatCannotBeUsedIsNamed(t *testing.T) {
	c := kube.Cluster(t)
	for name, tc := range map[string]struct {
		change func(*v1alpha1.ClusterSet)
		says   string
	}{
		"a template": {func(cs *v1alpha1.ClusterSet) { cs.Spec.Template.Name = "{{ bad }}" }, "spec.template.name: template: function"},
		"an Argo CD that is not served": {
			func(cs *v1alpha1.ClusterSet) { cs.Spec.ArgoCDNamespace = "elsewhere" },
			`spec.argocdNamespace: "elsewhere" is not a namespace whose cluster Secrets this controller may write, which are ` + c.Namespace,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, c)
			cs := newSet(t, c, strings.ToLower(strings.ReplaceAll(name, " ", "-")), tc.change)
			status, _ := d.reconcile(cs)
			d.reconcile(cs)
			ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
			if ready.Reason != ReasonInvalidSpec || !strings.Contains(ready.Message, tc.says) || d.script.count() != 0 {
				t.Errorf("%d passes; %+v", d.script.count(), ready)
			}
			if said := d.events.take(); len(said) != 1 || !strings.HasPrefix(said[0], "Warning InvalidSpec: spec.") || d.patches != 1 {
				t.Errorf("%d writes, %q", d.patches, said)
			}
		})
	}
}

func TestAFailedPassIsToldOnceAndTriedSooner(t *testing.T) {
	c := kube.Cluster(t)
	d := newDesk(t, c)
	cs := newSet(t, c, "fleet", func(cs *v1alpha1.ClusterSet) { cs.Spec.Interval.Duration = time.Minute })
	d.script.say(registrar.Result{}, notPermitted("list"))
	var waits []time.Duration
	for range 4 {
		status, wait := d.reconcile(cs)
		if readyReason(status) != ReasonForbidden {
			t.Fatalf("%+v", status)
		}
		waits = append(waits, wait)
		d.now = d.now.Add(wait)
	}
	if want := []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second}; !slices.Equal(waits, want) {
		t.Errorf("tried again after %v, want %v", waits, want)
	}
	if said := d.events.take(); len(said) != 1 || d.patches != 2 {
		t.Errorf("%d writes, %q", d.patches, said)
	}
}

func TestTheFirstPassOfAGenerationIsSaidToBeUnderWay(t *testing.T) {
	c := kube.Cluster(t)
	d := newDesk(t, c)
	cs := newSet(t, c, "fleet")
	const discovering = "Ready=Unknown Discovering"
	var during []string
	d.script.doing(func(context.Context) error {
		s := statusOf(t, c, cs) //nolint:contextcheck // the test's is as good as the pass's
		during = append(during, fmt.Sprintf("%s; generation %d, %d writes", conditionsOf(s), s.ObservedGeneration, d.patches))
		return nil
	})
	const inOrder = "Ready=True Succeeded, Discovered=True Succeeded, Registered=True Succeeded"
	for _, generation := range []int{1, 1, 2, 2} {
		if generation == 2 {
			edit(t, c, cs, func(cs *v1alpha1.ClusterSet) { cs.Spec.Interval.Duration = 20 * time.Second })
		}
		d.script.say(answered(outcome("a", registry.Registered)), nil)
		if status, _ := d.reconcile(cs); conditionsOf(status) != inOrder || status.ObservedGeneration != int64(generation) {
			t.Fatalf("after a pass: %s, generation %d", conditionsOf(status), status.ObservedGeneration)
		}
		d.now = d.now.Add(time.Minute)
	}
	want := []string{
		discovering + "; generation 1, 1 writes", inOrder + "; generation 1, 2 writes",
		discovering + ", Discovered=True Succeeded, Registered=True Succeeded; generation 2, 3 writes", inOrder + "; generation 2, 4 writes",
	}
	if !slices.Equal(during, want) {
		t.Errorf("during the passes:\n%s\nwant\n%s", strings.Join(during, "\n"), strings.Join(want, "\n"))
	}
	if said := d.events.take(); len(said) != 1 || !strings.HasPrefix(said[0], "Normal Succeeded: ") {
		t.Errorf("%q", said)
	}
}

func TestAStopOfTheProcessIsNotAFailure(t *testing.T) {
	c := kube.Cluster(t)
	d := newDesk(t, c)
	cs := newSet(t, c, "fleet")
	ctx, cancel := context.WithCancel(t.Context())
	d.script.doing(func(ctx context.Context) error {
		cancel()
		return ctx.Err()
	})
	r, ok := d.r.(*clusterSets)
	if !ok {
		t.Fatal("the reconciler is another")
	}
	if _, err := r.pass(ctx, cs, &registry.Set{Interval: time.Minute}, &memory{}, finding{}); err != nil {
		t.Error(err)
	}
	if said := d.events.take(); len(said) > 0 || d.patches > 0 {
		t.Errorf("%d writes, %q", d.patches, said)
	}
}

func TestADeletedSetLeavesItsSecrets(t *testing.T) {
	c := kube.Cluster(t)
	d := newDesk(t, c)
	cs := newSet(t, c, "fleet")
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name, secret.Labels = c.Namespace, "cluster-a", map[string]string{mark: "fleet"}
	if err := c.Client.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	d.script.say(answered(outcome("a", registry.Registered)), nil)
	d.reconcile(cs)
	d.events.take()
	if err := c.Client.Delete(t.Context(), cs); err != nil {
		t.Fatal(err)
	}
	d.reconcile(cs)
	d.reconcile(cs)
	if said := d.events.take(); len(said) != 1 || !strings.HasPrefix(said[0], "Normal Deleted: the ClusterSet was deleted; its 1 cluster Secrets stay in namespace "+c.Namespace) {
		t.Errorf("%q", said)
	}
	edit(t, c, secret, func(s *corev1.Secret) {
		if len(s.OwnerReferences)+len(s.Finalizers) > 0 || s.DeletionTimestamp != nil {
			t.Errorf("%+v", s.ObjectMeta)
		}
	})
	for series := range gathered(t, d.metrics) {
		if strings.Contains(series, "name=fleet") {
			t.Errorf("%s outlives its set", series)
		}
	}
	// Made again under the same name, it is looked at at once.
	again := newSet(t, c, "fleet")
	if status, _ := d.reconcile(again); status.Counts.Registered != 1 || d.script.count() != 2 {
		t.Errorf("%d passes, %+v", d.script.count(), status.Counts)
	}
}

func TestASetThatIsAnothersNowIsNotDeleted(t *testing.T) {
	c := kube.Cluster(t)
	d := newDesk(t, c)
	cs := newSet(t, c, "fleet")
	d.script.say(answered(created("a")), nil)
	d.reconcile(cs)
	d.events.take()
	r, ok := d.r.(*clusterSets)
	if !ok {
		t.Fatal("the reconciler is another")
	}
	r.Client = counting{unseen{c.Client}, d} // its labels do not match our selector any more
	d.reconcile(cs)
	if said := d.events.take(); len(said) > 0 {
		t.Errorf("%q", said)
	}
	r.Client = counting{c.Client, d}
	if d.reconcile(cs); d.script.count() != 2 {
		t.Errorf("once it is ours again there are %d passes, want 2", d.script.count())
	}
}

// unseen is a cache that does not hold what is asked for.
type unseen struct{ client.Client }

func (unseen) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func TestTheAPIServerTakesTheLargestStatus(t *testing.T) {
	c := kube.Cluster(t)
	d := newDesk(t, c)
	cs := newSet(t, c, "fleet")
	var all []registrar.Outcome
	for i := range 10_000 {
		o := outcome(fmt.Sprintf("%s%05d", strings.Repeat("n", 90), i), registry.Held)
		o.Message = strings.Repeat(`a "quoted" <text> `, 100)
		all = append(all, o)
	}
	d.script.say(answered(all...), nil)
	status, _ := d.reconcile(cs)
	b, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 100_000 || len(status.NotInOrder) < 50 || status.Counts.NotInOrder != 10_000 {
		t.Errorf("%d bytes, %d of %d problems", len(b), len(status.NotInOrder), status.Counts.NotInOrder)
	}
	if said := d.events.take(); len(said) != maxEvents+2 {
		t.Errorf("%d events: %q", len(said), said)
	}
}

func TestAStatusThatCannotBeWrittenDoesNotDrivePasses(t *testing.T) {
	c := kube.Cluster(t)
	cs := newSet(t, c, "fleet")
	d := newDesk(t, c)
	r, ok := d.r.(*clusterSets)
	if !ok {
		t.Fatal("the reconciler is another")
	}
	r.Client = c.As(t, "reader", readSets).Client
	d.script.say(answered(created("a")), nil)
	if _, wait := d.reconcile(cs); wait != spacing || d.script.count() != 1 {
		t.Errorf("%d passes, and waits %s, want %s", d.script.count(), wait, spacing)
	}
	if _, wait := d.reconcile(cs); wait != spacing || d.script.count() != 1 {
		t.Errorf("%d passes, and waits %s", d.script.count(), wait)
	}
	if err := r.tell(t.Context(), cs, &memory{}, finding{suspended: true}, nil); err == nil || !strings.Contains(err.Error(), `cannot patch resource "clustersets/status"`) {
		t.Errorf("%v", err)
	}
}

func TestPassesAreCounted(t *testing.T) {
	c := kube.Cluster(t)
	d := newDesk(t, c)
	cs := newSet(t, c, "fleet")
	d.script.say(answered(created("a")), nil)
	d.reconcile(cs)
	d.script.say(registrar.Result{}, errors.New("no"))
	d.now = d.now.Add(time.Minute)
	d.reconcile(cs)
	got := gathered(t, d.metrics)
	for _, result := range []string{"ok", "error"} {
		if n := got[fmt.Sprintf("norikae_clusterset_pass_total{name=fleet,namespace=%s,result=%s}", c.Namespace, result)]; n != 1 {
			t.Errorf("%v passes were %s: %v", n, result, got)
		}
	}
}
