package controller

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/norikae/norikae/api/v1alpha1"
)

func TestAPassIsDue(t *testing.T) {
	name := types.NamespacedName{Namespace: "argocd", Name: "fleet"}
	mine, foreign := version{"u1", "10"}, version{"u1", "11"}
	ours := func(v version) bool { return v == mine }
	const interval = time.Minute
	for title, tc := range map[string]struct {
		happens func(*memories, *memory, *v1alpha1.ClusterSet)
		after   time.Duration // since the last pass ended
		wait    time.Duration
	}{
		"nothing happened":                  {nil, 20 * time.Second, 40 * time.Second},
		"the interval is over":              {nil, interval, 0},
		"a Secret that we wrote":            {func(m *memories, _ *memory, _ *v1alpha1.ClusterSet) { m.touch(name, mine) }, 20 * time.Second, 40 * time.Second},
		"a Secret that somebody else wrote": {func(m *memories, _ *memory, _ *v1alpha1.ClusterSet) { m.touch(name, foreign) }, 20 * time.Second, 0},
		"both, just after a pass": {func(m *memories, _ *memory, _ *v1alpha1.ClusterSet) {
			m.touch(name, mine)
			m.touch(name, foreign)
		}, time.Second, 4 * time.Second},
		"AWS says that something changed": {func(m *memories, _ *memory, _ *v1alpha1.ClusterSet) { m.wake(name) }, 20 * time.Second, 0},
		"the spec changed":                {func(_ *memories, _ *memory, cs *v1alpha1.ClusterSet) { cs.Generation++ }, 20 * time.Second, 0},
		"an annotation changed":           {func(_ *memories, _ *memory, cs *v1alpha1.ClusterSet) { cs.Annotations["a"] = "2" }, 20 * time.Second, 0},
		"another set was woken":           {func(m *memories, _ *memory, _ *v1alpha1.ClusterSet) { m.wake(types.NamespacedName{Name: "x"}) }, 20 * time.Second, 40 * time.Second},
	} {
		t.Run(title, func(t *testing.T) {
			m := &memories{sets: map[types.NamespacedName]*memory{}}
			cs := &v1alpha1.ClusterSet{ObjectMeta: metav1.ObjectMeta{Generation: 1, UID: "s", Annotations: map[string]string{"a": "1"}}}
			mem := m.of(name, cs.DeepCopy())
			if wait := m.due(mem, cs.DeepCopy(), ours, t0.Time, spacing); wait != 0 {
				t.Fatalf("the first pass waits %s", wait)
			}
			mem.ended, mem.next = t0.Time, t0.Add(interval)
			if tc.happens != nil {
				tc.happens(m, mem, cs)
			}
			now := t0.Add(tc.after)
			if wait := m.due(mem, cs, ours, now, spacing); wait != tc.wait {
				t.Fatalf("waits %s, want %s", wait, tc.wait)
			}
			if tc.wait > 0 {
				return
			}
			mem.ended, mem.next = now, now.Add(interval)
			if wait := m.due(mem, cs, ours, now.Add(spacing), spacing); wait != interval-spacing {
				t.Errorf("after that pass it waits %s, want %s", wait, interval-spacing)
			}
		})
	}
}

func TestASetMadeAnewIsAnother(t *testing.T) {
	m := &memories{sets: map[types.NamespacedName]*memory{}}
	name := types.NamespacedName{Name: "fleet"}
	one := m.of(name, &v1alpha1.ClusterSet{ObjectMeta: metav1.ObjectMeta{UID: "1"}})
	if m.of(name, &v1alpha1.ClusterSet{ObjectMeta: metav1.ObjectMeta{UID: "1"}}) != one || m.of(name, &v1alpha1.ClusterSet{ObjectMeta: metav1.ObjectMeta{UID: "2"}}) == one {
		t.Error("the UID does not tell sets apart")
	}
	if m.drop(name) == nil || m.drop(name) != nil {
		t.Error("a set is dropped once")
	}
}

func TestAFailedPassIsTriedAgainSooner(t *testing.T) {
	mem := &memory{}
	began := t0.Time
	mem.ended = began.Add(2 * time.Second)
	var waits []time.Duration
	for range 6 {
		waits = append(waits, mem.plan(2*time.Minute, began, false).Sub(mem.ended))
	}
	for i, want := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second} {
		if waits[i] != want {
			t.Errorf("try %d after %s, want %s", i+1, waits[i], want)
		}
	}
	if waits[5] < 110*time.Second || waits[5] > 126*time.Second {
		t.Errorf("the last try after %s, want the interval", waits[5])
	}
	least, most := time.Hour, time.Duration(0)
	for range 1000 {
		d := mem.plan(time.Minute, began, true).Sub(began)
		least, most = min(least, d), max(most, d)
	}
	if least < 57*time.Second || most > 63*time.Second || most-least < 5*time.Second {
		t.Errorf("intervals of a minute were from %s to %s", least, most)
	}
	if again := mem.plan(2*time.Minute, began, false).Sub(mem.ended); again != spacing {
		t.Errorf("after a good pass the first retry comes after %s", again)
	}
}
