package fleettest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// story is a fleet's life in which every kind of write happens.
func story(ctx context.Context, h *History) error {
	w := h.World
	id := func(i int) string { return w.ARNs()[i] }
	pass := func(n int) error {
		for range n {
			if err := h.Pass(ctx); err != nil {
				return err
			}
			time.Sleep(h.Set.Interval)
		}
		return nil
	}
	for _, step := range []func() error{
		func() error { return h.Begin(ctx, 8) },
		func() error { return w.Tag(ctx, id(0), CellTag, "7") },
		func() error { return w.Tag(ctx, id(1), TagKey, "") },
		func() error { return pass(4) },
		func() error { return w.Tag(ctx, id(1), TagKey, TagValue) },
		func() error { return w.SetWeight(ctx, id(2), 0) },
		func() error { return w.Delete(ctx, id(2)) },
		func() error { return pass(16) }, // a mark, and, the grace later, a deletion
		func() error { return w.Add(ctx, w.Truths()[id(2)].ID, map[string]string{CellTag: "5"}) },
		func() error { return pass(3) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return h.Settle(ctx)
}

// tell the story, with the process killed at a write; 0: never. It returns what was
// written, and how often.
func tell(t *testing.T, at int, landed bool) map[registry.Do]int {
	t.Helper()
	w := newWorld(t, Config{Accounts: 2, Regions: 2, Seed: 3, Delay: time.Minute, IndexLag: time.Minute})
	defer closed(t, w)
	memory := NewMemory()
	s := NewRecorder(memory)
	h := &History{
		World: w, Secrets: s, People: memory, Set: set(t, w, time.Minute), Rand: rand.New(rand.NewPCG(1, 1)), Calm: true,
		Process: func() (*registrar.Registrar, error) { return process(w, s) },
	}
	if at > 0 {
		s.KillAt(landed, func(n int) bool { return n == at })
	}
	if err := story(t.Context(), h); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(h.Log(), "\n"))
	}
	h.verdict(t)
	if at > 0 && !strings.Contains(strings.Join(h.Log(), "\n"), "killed") {
		t.Errorf("nothing was killed at write %d", at)
	}
	kinds := map[registry.Do]int{}
	for _, x := range s.Writes() {
		kinds[x.Do]++
	}
	return kinds
}

func TestKilledAtEachWriteAndTakenOver(t *testing.T) {
	environment(t)
	var kinds map[registry.Do]int
	synctest.Test(t, func(t *testing.T) { kinds = tell(t, 0, false) })
	writes := 0
	for _, do := range []registry.Do{registry.Create, registry.Update, registry.Mark, registry.Delete} {
		if kinds[do] == 0 {
			t.Fatalf("the story has no %s: %v", do, kinds)
		}
		writes += kinds[do]
	}
	for at := 1; at <= writes; at++ {
		for _, landed := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, landed %v", at, landed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { tell(t, at, landed) })
			})
		}
	}
}
