package controller

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/kubetest"
	"github.com/norikae/norikae/internal/registry"
)

var readSets = rbacv1.PolicyRule{APIGroups: []string{"norikae.dev"}, Resources: []string{"clustersets"}, Verbs: []string{"get", "list", "watch"}}

func clusterSecret(c *kubetest.Cluster, name string, labels map[string]string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: name, Labels: labels}, StringData: map[string]string{"server": "https://" + name}}
}

// long is a spec whose interval no test waits for.
func long(cs *v1alpha1.ClusterSet) { cs.Spec.Interval.Duration = time.Hour }

func TestSomebodyElsesWriteWakesASetAndOurOwnDoesNot(t *testing.T) {
	t.Parallel()
	c := kube.Cluster(t)
	s := &script{}
	s.say(answered(outcome("a", registry.Registered)), nil)
	r := start(t, c, s)
	mine := clusterSecret(c, "mine", map[string]string{mark: "fleet"})
	// The first pass makes a Secret, as the registrar does.
	made := make(chan error)
	s.doing(func(ctx context.Context) error {
		if s.count() == 1 {
			made <- r.client.Create(ctx, mine)
		}
		return nil
	})
	newSet(t, c, "fleet", long)
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	other := clusterSecret(c, "mine2", map[string]string{mark: "fleet"})
	for _, write := range []struct {
		what  string
		do    func() error
		wakes bool
	}{
		{"our update", func() error { return r.client.Update(t.Context(), mine) }, false},
		{"our patch", func() error {
			was := mine.DeepCopy()
			mine.Annotations = map[string]string{"by": "us"}
			return r.client.Patch(t.Context(), mine, client.MergeFrom(was))
		}, false},
		{"an edit by hand", func() error {
			mine.Annotations = map[string]string{"by": "hand"}
			return c.Client.Update(t.Context(), mine)
		}, true},
		{"our deletion", func() error { return r.client.Delete(t.Context(), mine) }, false},
		{"a Secret made by hand with our mark", func() error { return c.Client.Create(t.Context(), other) }, true},
		{"one that loses the mark", func() error {
			other.Labels = nil
			return c.Client.Update(t.Context(), other)
		}, true},
		{"a foreign Secret that appears", func() error { return c.Client.Create(t.Context(), clusterSecret(c, "foreign", nil)) }, true},
		{"a deletion by hand", func() error { return c.Client.Delete(t.Context(), other) }, true},
	} {
		before := s.count()
		if err := write.do(); err != nil {
			t.Fatalf("%s: %v", write.what, err)
		}
		if write.wakes {
			eventually(t, "pass after "+write.what, func() bool { return s.count() > before })
		}
		if !write.wakes {
			// Long enough for a pass that a write of ours would cause: the last one was just now.
			time.Sleep(2 * quick)
			if s.count() != before {
				t.Errorf("%s caused a pass", write.what)
			}
		}
	}
	r.stop()
}

func TestAWSWakesTheSetsThatCoverACluster(t *testing.T) {
	t.Parallel()
	c := kube.Cluster(t)
	s := &script{}
	s.say(answered(), nil)
	r := start(t, c, s)
	in := func(account string, regions ...string) func(*v1alpha1.ClusterSet) {
		return func(cs *v1alpha1.ClusterSet) {
			long(cs)
			cs.Spec.Sources[0].EKS.Regions = regions
			if account != "" {
				cs.Spec.Sources[0].EKS.Accounts = []v1alpha1.Account{{RoleARN: "arn:aws:iam::" + account + ":role/norikae"}}
			}
		}
	}
	newSet(t, c, "own-account", in("", "us-east-1"))
	newSet(t, c, "that-account", in("111122223333", "eu-west-1", "us-east-1"))
	newSet(t, c, "other-region", in("111122223333", "eu-west-1"))
	newSet(t, c, "other-account", in("444455556666", "us-east-1"))
	eventually(t, "first passes", func() bool { return s.count() == 4 })
	r.changes <- event.TypedGenericEvent[registry.ID]{Object: id("new")}
	eventually(t, "passes of those that cover it", func() bool { return s.count() == 6 })
	r.changes <- event.TypedGenericEvent[registry.ID]{Object: registry.ID{Account: "111122223333", Region: "eu-west-1"}}
	eventually(t, "passes of those that cover another", func() bool { return s.count() == 8 })
	s.mu.Lock()
	defer s.mu.Unlock()
	woken := map[string]int{}
	for _, owner := range s.passes[4:] {
		woken[owner.Name]++
	}
	if d := cmp.Diff(map[string]int{"own-account": 1, "that-account": 2, "other-region": 1}, woken); d != "" {
		t.Error(d)
	}
}

func TestOneSetHasOnePassAtATimeAndSetsDoNotWaitForOneAnother(t *testing.T) {
	t.Parallel()
	c := kube.Cluster(t)
	s := &script{}
	s.say(answered(), nil)
	release := make(chan struct{})
	s.doing(func(ctx context.Context) error {
		select {
		case <-release:
		case <-ctx.Done():
		}
		return ctx.Err()
	})
	start(t, c, s)
	one := newSet(t, c, "one")
	newSet(t, c, "two")
	eventually(t, "passes of both at the same time", func() bool { return s.count() == 2 })
	edit(t, c, one, func(cs *v1alpha1.ClusterSet) { cs.Spec.Interval.Duration = time.Minute })
	if err := c.Client.Create(t.Context(), clusterSecret(c, "foreign", nil)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * quick) // for a second pass that must not come
	if s.count() != 2 {
		t.Errorf("%d passes while the first two run", s.count())
	}
	close(release)
	eventually(t, "passes after them", func() bool { return s.count() >= 4 })
}

func TestTheWriteUnderWayEndsWhenTheControllerStops(t *testing.T) {
	t.Parallel()
	c := kube.Cluster(t)
	s := &script{}
	s.say(answered(), nil)
	r := start(t, c, s)
	slow := slowClient{Client: c.Client, began: make(chan struct{}), stopped: make(chan struct{})}
	var first, second error
	s.doing(func(ctx context.Context) error {
		w := r.writes.Client(slow)
		go func() {
			<-ctx.Done()
			close(slow.stopped)
		}()
		first = w.Create(ctx, clusterSecret(c, "under-way", nil))
		second = w.Create(ctx, clusterSecret(c, "next", nil))
		return ctx.Err()
	})
	cs := newSet(t, c, "fleet", long)
	<-slow.began
	r.stop()
	if first != nil || !errors.Is(second, context.Canceled) {
		t.Errorf("the write under way gave %v, the next one %v", first, second)
	}
	var list corev1.SecretList
	if err := c.Client.List(t.Context(), &list, client.InNamespace(c.Namespace)); err != nil || len(list.Items) != 1 || list.Items[0].Name != "under-way" {
		t.Errorf("%v, %v", list.Items, err)
	}
	if status := statusOf(t, c, cs); conditionsOf(status) != "Ready=Unknown Discovering" {
		t.Errorf("the pass that was stopped left %s", conditionsOf(status))
	}
}

// slowClient creates when the controller has been stopped.
type slowClient struct {
	client.Client

	began, stopped chan struct{}
}

func (s slowClient) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	close(s.began)
	<-s.stopped
	return s.Client.Create(ctx, obj, opts...)
}

func TestAnotherReplicaTakesOver(t *testing.T) {
	t.Parallel()
	c := kube.Cluster(t)
	s := &script{}
	var atOnce, most atomic.Int32
	s.say(answered(created("a")), nil)
	s.doing(func(context.Context) error {
		most.Store(max(most.Load(), atOnce.Add(1)))
		time.Sleep(50 * time.Millisecond)
		atOnce.Add(-1)
		return nil
	})
	elected := func(o *manager.Options) {
		o.LeaderElection, o.LeaderElectionID, o.LeaderElectionNamespace, o.LeaderElectionReleaseOnCancel = true, "norikae", c.Namespace, true
		retry := 200 * time.Millisecond
		o.RetryPeriod = &retry
	}
	first := start(t, c, s, elected)
	cs := newSet(t, c, "fleet", long)
	eventually(t, "pass", func() bool { return readyReason(statusOf(t, c, cs)) == ReasonSucceeded })
	second := start(t, c, s, elected)
	eventually(t, "events", func() bool { return len(eventsAbout(t, c, "fleet")) == 2 })
	first.stop()
	s.say(answered(outcome("a", registry.Registered)), nil)
	before := time.Now()
	eventually(t, "pass of the second", func() bool { return s.count() == 2 })
	if took := time.Since(before); took > 10*time.Second {
		t.Errorf("it took over after %s", took)
	}
	second.stop()
	if said := eventsAbout(t, c, "fleet"); len(said) != 2 || most.Load() != 1 {
		t.Errorf("%d passes at once; events: %q", most.Load(), said)
	}
}

func TestEventsReachTheAPIServer(t *testing.T) {
	t.Parallel()
	c := kube.Cluster(t)
	s := &script{}
	s.say(answered(created("a"), created("b"), created("c"), outcome("d", registry.Conflict)), nil)
	start(t, c, s)
	newSet(t, c, "fleet", long)
	var said []string
	eventually(t, "5 events", func() bool {
		said = eventsAbout(t, c, "fleet")
		return len(said) == 5
	})
	for _, want := range []string{
		`Created: created the cluster Secret of "a", ` + id("a").ARN(), `Created: created the cluster Secret of "c", `,
		"Because: cluster " + id("d").ARN() + " is Conflict: d is Conflict", "ClustersNotInOrder: 1 not in order (1 Conflict)",
	} {
		if !strings.Contains(strings.Join(said, "\n"), want) {
			t.Errorf("no %q among %q", want, said)
		}
	}
	if out, ok := c.Kubectl(t, "", "describe", "clusterset", "fleet"); !ok || !strings.Contains(out, "created the cluster Secret of") {
		t.Errorf("kubectl describe says %s", out)
	}
	if out, ok := c.Kubectl(t, "", "get", "clustersets"); !ok || !strings.Contains(out, "False") {
		t.Errorf("kubectl get says %s", out)
	}
}

func TestWhatTheControllerNeedsIsNamed(t *testing.T) {
	if err := (ClusterSets{}).validate(); err == nil || !strings.Contains(err.Error(), "Compile, Pass and Owner") {
		t.Errorf("%v", err)
	}
	if err := SetUp(nil, ClusterSets{Compile: compile, Pass: (&script{}).pass, Owner: ownerOf}); err == nil || !strings.Contains(err.Error(), "Client, Live") {
		t.Errorf("%v", err)
	}
}

func TestOldWritesAreForgotten(t *testing.T) {
	w := &Writes{}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() { w.add(version{"u", string(rune('a' + i))}) })
	}
	group.Wait()
	w.made[version{"old", "1"}] = time.Now().Add(-2 * forgetAfter)
	w.pruned = time.Time{}
	w.add(version{"u", "new"})
	if w.ours(version{"old", "1"}) || !w.ours(version{"u", "a"}) || w.ours(version{"u", ""}) || len(w.made) != 9 {
		t.Errorf("%v", w.made)
	}
}
