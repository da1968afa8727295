//go:build e2e

package leader

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/internal/registry"
)

// points at which the leader is killed: each write of a Secret in each way, and some of
// what else it writes.
func points() []point {
	var all []point
	for _, c := range slices.Sorted(maps.Keys(plan())) {
		nth := map[string]int{}
		for _, do := range plan()[c] {
			nth[do]++
			for _, how := range []how{notLanded, landed, late, hung} {
				p := point{name: do + " " + c, nth: nth[do], how: how}
				if p.name == "delete replaced" {
					p.after = "create replaced" // there is a Secret of the same name again
				}
				all = append(all, p)
			}
		}
	}
	for _, how := range []how{notLanded, landed} {
		all = append(all,
			point{name: "create lease", nth: 1, how: how}, point{name: "update lease", nth: 15, how: how},
			point{name: "patch status", nth: 1, how: how}, point{name: "patch status", nth: 2, how: how},
			point{name: "create event", nth: 1, how: how},
		)
	}
	return append(all, point{name: "update lease", nth: 20, how: late}, point{name: "update lease", nth: 20, how: hung})
}

// The leader is killed at each write; the other replica takes over, and does what is left
// to be done: nothing twice, and nothing is lost.
func TestTheLeaderIsKilledAtEachWrite(t *testing.T) {
	var mu sync.Mutex
	var took []time.Duration
	begun := time.Now()
	t.Run("all", func(t *testing.T) {
		t.Run("nobody is killed", func(t *testing.T) {
			t.Parallel()
			undisturbed(t)
		})
		for _, p := range points() {
			t.Run(p.String(), func(t *testing.T) {
				t.Parallel()
				d := killed(t, p)
				mu.Lock()
				defer mu.Unlock()
				took = append(took, d)
			})
		}
	})
	if len(took) > 0 {
		t.Logf("%d leaders were killed in %.0f s; the other replica had the lease after %.1f to %.1f s", len(took), time.Since(begun).Seconds(), slices.Min(took).Seconds(), slices.Max(took).Seconds())
	}
}

// killed tells a story whose leader dies, and how long it took until the other replica led.
func killed(t *testing.T, at point) time.Duration {
	t.Helper()
	s := openStory(t, at)
	s.tell(t)
	if !s.first.reachedPoint() {
		t.Fatalf("there was no %s: the leader lives", at)
	}
	s.first.release() // if it was held: the other replica had no need to do it
	if at.how == hung {
		s.first.process.ends(t, 1) // it has lost the lease; Kubernetes starts it again
	}
	s.settled(t)
	s.second.process.stop(t)
	if holder := s.holder(t); holder != "" {
		t.Errorf("the lease is still held by %q, who has ended well", holder)
	}
	ev := s.evidence(t)
	s.judged(t, ev)
	for _, w := range ev.writes {
		if w.by == second && w.kind == leaseKind {
			return w.at.Sub(ev.killed)
		}
	}
	return 0
}

// judged wants that nothing went wrong.
func (s *story) judged(t *testing.T, ev evidence) {
	t.Helper()
	wrong := judge(ev)
	for _, w := range wrong {
		t.Error(w)
	}
	if len(wrong) > 0 {
		for _, w := range ev.writes {
			if w.kind != leaseKind || w.by == second {
				t.Log(w)
			}
		}
	}
}

// undisturbed is a story in which both replicas are asked to end, one after the other. It
// has all the writes at which others are killed. In the end the judge is put to the test.
func undisturbed(t *testing.T) {
	t.Helper()
	s := openStory(t, point{how: asked})
	s.tell(t)
	s.first.process.stop(t)
	s.first.died = time.Now()
	eventually(t, "the other replica leads", func() error {
		for _, w := range s.evidence(t).writes {
			if w.by == second && w.kind == leaseKind {
				return nil
			}
		}
		return fmt.Errorf("the lease is held by %q", s.holder(t))
	})
	s.settled(t)
	s.second.process.stop(t)
	if holder := s.holder(t); holder != "" {
		t.Errorf("the lease is still held by %q, who has ended well", holder)
	}
	ev := s.evidence(t)
	s.judged(t, ev)
	counts := map[string]int{}
	for _, w := range ev.writes {
		counts[w.name]++
	}
	t.Logf("what is written when nobody is killed: %v", counts)
	for _, p := range points() {
		if s.first.counts[p.name] < p.nth {
			t.Errorf("there is no %s", p)
		}
	}
	s.planted(t)
}

// planted faults on the API server: the judge must see each.
func (s *story) planted(t *testing.T) {
	t.Helper()
	sees := func(what string) {
		t.Helper()
		ev := s.evidence(t)
		accuses(t, ev, what)
	}
	name := registry.SecretName(s.id("tagged"))
	var secret corev1.Secret
	must(t, s.Client.Get(t.Context(), client.ObjectKey{Namespace: s.Namespace, Name: name}, &secret))
	twin := secret.DeepCopy()
	twin.Name, twin.UID, twin.ResourceVersion = "twin", "", ""
	must(t, s.Client.Create(t.Context(), twin))
	sees("duplicate: in the end")
	must(t, s.Client.Delete(t.Context(), twin))

	// The dead leader's token and way are still there.
	s.first.leaky = true
	cfg, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig(t, s.first, t.TempDir()))
	must(t, err)
	ghost, err := client.New(cfg, client.Options{Scheme: s.Scheme})
	must(t, err)
	must(t, ghost.Delete(t.Context(), &secret))
	sees("a dead leader's write")
	sees("lost: there is no Secret of tagged")
}
