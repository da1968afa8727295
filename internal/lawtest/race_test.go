package lawtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

// slow delays every call by up to most, before its effect and again after it.
func (l *lab) slow(seed uint64, most time.Duration) {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, 1))
	l.Faults().Intercept(func(ctx context.Context, _ *wire.Request, _ wire.Phase) error {
		mu.Lock()
		d := time.Duration(r.Int64N(int64(most)))
		mu.Unlock()
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return wire.ErrDrop
		}
		return nil
	})
}

// Two processes start the same declaration at nearly the same time, on a slow network:
// one of them writes, or one follows the other; the loser stops before its second write.
func TestTwoProcessesRaceForOneRoute(t *testing.T) {
	for _, g := range only(OnALB, OnNLB, OnDNS) {
		t.Run(string(g), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				seed := rapid.Uint64().Draw(rt, "seed")
				apart := time.Duration(rapid.IntRange(0, 3000).Draw(rt, "ms apart")) * time.Millisecond
				most := time.Duration(rapid.IntRange(1, 700).Draw(rt, "ms latency")) * time.Millisecond
				var broken string
				inWorldOf(t, g, LabPace(), nil, func(l *lab) { broken = l.race(seed, apart, most) })
				if broken != "" {
					rt.Fatal(broken)
				}
			})
		})
	}
}

// A process is told of another's write before that write's own answer came.
func TestAReadThatOverlapsWithAWriteIsNotHeldAgainstTheWriter(t *testing.T) {
	inWorldOf(t, OnNLB, LabPace(), nil, func(l *lab) {
		if broken := l.race(0xfa65a5, 1181*time.Millisecond, 133*time.Millisecond); broken != "" {
			t.Error(broken)
		}
	})
}

// race tells what went wrong.
func (l *lab) race(seed uint64, apart, most time.Duration) string {
	l.slow(seed, most)
	m := l.quick()
	outs := make([]Outcome, 2)
	var wg sync.WaitGroup
	for i := range outs {
		wg.Go(func() {
			time.Sleep(time.Duration(i) * apart)
			outs[i] = l.Run(context.Background(), Setup{Manifest: m, Machine: fmt.Sprintf("m%d", i+1)})
		})
	}
	wg.Wait()
	won := 0
	for i, o := range outs {
		switch {
		case o.Err == nil && o.Phase == shift.Succeeded:
			won++
		case o.Err == nil && o.Reason == "LeaseLost", errors.Is(o.Err, fault.ErrConflict):
			most := 1
			if l.Ground.DNS() { // its mark is a lock by itself
				most = 0
			}
			if o.Writes > most {
				return fmt.Sprintf("process %d lost after %d weight writes", i+1, o.Writes)
			}
		default:
			return fmt.Sprintf("process %d: %s %s (%s), %v", i+1, o.Phase, o.Reason, o.Message, o.Err)
		}
	}
	if won == 0 {
		return fmt.Sprintf("nobody won: %v, %v", outs[0].Err, outs[1].Err)
	}
	trace, err := l.Trace()
	if err != nil {
		return err.Error()
	}
	if got := l.live(); !got.equal(l.split(blueGreen(0, 100)...)) {
		return fmt.Sprintf("ended at %s", got)
	}
	return list(Judge(trace, l.declared(m)))
}
