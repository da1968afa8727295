package route53

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	simfault "github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

func TestWritesOfTheMarkWhoseAnswerIsLostAreSafeToRepeat(t *testing.T) {
	for _, kind := range []simfault.Kind{simfault.ErrorAfter, simfault.DropAfter, simfault.ErrorBefore, simfault.DropBefore, simfault.Throttle} {
		for name, sdk := range map[string]bool{"by the caller": false, "by the SDK": true} {
			t.Run(string(kind)+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.twins("blue", 100, "green", 0)
					n := w.open(func(c *Config) {
						if sdk {
							c.API = w.retrying()
						}
					})
					repeat := func(f func() error) {
						t.Helper()
						w.fail(simfault.Rule{Kind: kind, Operation: "ChangeResourceRecordSets", Times: 1})
						err := f()
						if sdk != (err == nil) {
							t.Fatalf("the first time: %v", err)
						}
						if err != nil {
							err = f()
						}
						w.ok(err)
					}
					m := markOf()
					repeat(func() error {
						m.Lease.Expires = m.Lease.Expires.Add(time.Second) // as the engine does
						return n.SetMark(t.Context(), m)
					})
					if d := cmp.Diff(&m, w.marked()); d != "" {
						t.Fatal(d)
					}
					repeat(func() error { return n.SetMark(t.Context(), m) }) // exactly the same
					repeat(func() error {
						m.Lease.Expires = m.Lease.Expires.Add(time.Second)
						return n.Renew(t.Context(), m.Lease)
					})
					m.Signal = shift.Signal{Kind: shift.SignalAbort, Step: 3}
					repeat(func() error { return n.SetSignal(t.Context(), m.Signal) })
					if d := cmp.Diff(&m, w.marked()); d != "" {
						t.Fatal(d)
					}
					repeat(func() error { return n.SetSignal(t.Context(), shift.Signal{}) })
					if w.marked().Signal != (shift.Signal{}) {
						t.Fatal("the signal is still there")
					}
					repeat(func() error { return n.ClearMark(t.Context()) })
					if w.txt() != nil {
						t.Fatal("the mark is still there")
					}
				})
			})
		}
	}
}

func TestAWordThatNeverGetsThroughIsAConflict(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	run := w.open()
	m := markOf()
	w.ok(run.SetMark(t.Context(), m))
	var renew func()
	renew = func() { // before each attempt
		m.Lease.Expires = m.Lease.Expires.Add(time.Second)
		w.ok(run.Renew(t.Context(), m.Lease))
		w.between = renew
	}
	w.between = renew
	err := w.open().SetSignal(t.Context(), shift.Signal{Kind: shift.SignalAbort})
	w.between = nil
	if !errors.Is(err, fault.ErrConflict) {
		t.Errorf("got %v", err)
	}
}

// racer is one run's way to a weight write, cut into its calls.
type racer struct {
	n     *Name
	m     shift.Mark
	own   bool // won the mark
	lost  bool
	steps []func() error
}

func TestTwoOwnersNeverHoldTheMarkAtOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		w.twins("blue", 100, "green", 0)
		kind := rapid.SampledFrom([]string{"no mark", "a dead mark"}).Draw(rt, "start")
		if kind == "a dead mark" {
			dead := markOf()
			dead.Lease = shift.Lease{Owner: "gone/1/x"}
			w.ok(w.open().SetMark(t.Context(), dead))
		}
		ctx := t.Context()
		racers := make([]*racer, rapid.IntRange(2, 3).Draw(rt, "runs"))
		for i := range racers {
			r := &racer{n: w.open(), m: markOf()}
			r.m.Lease.Owner = fmt.Sprintf("run/%d/x", i)
			set := func() error { r.own = false; err := r.n.SetMark(ctx, r.m); r.own = err == nil; return err }
			r.steps = []func() error{
				func() error { // as the engine: whoever finds a lease that is not free waits
					m, ok, err := r.n.Mark(ctx)
					r.lost = ok && m.Lease.Owner != r.m.Lease.Owner && time.Now().Before(m.Lease.Expires)
					return err
				},
				set, set, // the second is the repetition of a lost answer
				func() error { r.m.Lease.Expires = r.m.Lease.Expires.Add(1); return r.n.Renew(ctx, r.m.Lease) },
				func() error { return r.n.SetSignal(ctx, shift.Signal{}) },
			}
			racers[i] = r
		}
		for {
			left := slices.DeleteFunc(slices.Clone(racers), func(r *racer) bool { return r.lost || len(r.steps) == 0 })
			if len(left) == 0 {
				break
			}
			r := left[rapid.IntRange(0, len(left)-1).Draw(rt, "next")]
			if rapid.IntRange(0, 4).Draw(rt, "fault") == 0 {
				kind := rapid.SampledFrom([]simfault.Kind{simfault.ErrorAfter, simfault.DropAfter, simfault.ErrorBefore}).Draw(rt, "kind")
				w.fail(simfault.Rule{Kind: kind, Operation: "ChangeResourceRecordSets", Times: 1})
			}
			step := r.steps[0]
			r.steps = r.steps[1:]
			if err := step(); errors.Is(err, fault.ErrConflict) {
				r.lost, r.own = true, false
			}
			var owners []string
			for _, r := range racers {
				if r.own {
					owners = append(owners, r.m.Lease.Owner)
				}
			}
			if len(owners) > 1 {
				rt.Fatalf("both %v hold the mark", owners)
			}
			if len(owners) == 1 {
				if m := w.marked(); m == nil || m.Lease.Owner != owners[0] {
					rt.Fatalf("%v believes to hold %+v", owners, m)
				}
			}
		}
	})
}

func TestSignalsAndRenewalsAtTheSameTimeAreAllKept(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	run := w.open()
	m := markOf()
	w.ok(run.SetMark(t.Context(), m))
	var both sync.WaitGroup
	both.Go(func() {
		for i := range 20 {
			l := m.Lease
			l.Expires = l.Expires.Add(time.Duration(i+1) * time.Second)
			err := run.Renew(t.Context(), l)
			for errors.Is(err, fault.ErrConflict) { // so many signals are nobody's: again, as a run does
				err = run.Renew(t.Context(), l)
			}
			if err != nil {
				t.Errorf("renewal %d: %v", i, err)
			}
		}
	})
	heard := 0
	both.Go(func() {
		for i := range 20 {
			if err := w.open().SetSignal(t.Context(), shift.Signal{Kind: shift.SignalApprove, Step: i}); err == nil {
				heard = i
			} else if !errors.Is(err, fault.ErrConflict) {
				t.Errorf("signal %d: %v", i, err)
			}
		}
	})
	both.Wait()
	got := w.marked()
	if want := m.Lease.Expires.Add(20 * time.Second); !got.Lease.Expires.Equal(want) || got.Signal.Step != heard {
		t.Errorf("left %+v, want a lease until %s and the signal of step %d", got, want, heard)
	}
}
