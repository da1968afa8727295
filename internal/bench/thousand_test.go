//go:build unix

package bench

import (
	"context"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/norikae/norikae/api/v1alpha1"
)

// cpu is the processor time that this process has used.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// held is the memory that the process needs.
func held() uint64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// BenchmarkThousandShifts runs 1000 shifts in one process, each with an engine, a router,
// an analyzer and an AWS configuration of its own, on ten simulated AWS of 100 routes,
// for two minutes of virtual time: preflight, the first write, and the looks and
// renewals after it. The time on the processor is this machine's. Most of it is the
// price of API calls, of both sides: the simulated AWS is in the process, too. The
// memory is the most that it can be: what the simulated AWS remembers of the calls (its
// log, metrics and tags) is in it.
func BenchmarkThousandShifts(b *testing.B) {
	const shifts, labs, watched = 1000, 10, 2 * time.Minute
	for b.Loop() {
		virtual(b, shifts/labs, func(t *testing.T, first *fleet) {
			fleets := []*fleet{first}
			for range labs - 1 {
				f := newFleet(t, shifts/labs)
				defer func() {
					if err := f.close(); err != nil {
						t.Error(err)
					}
				}()
				fleets = append(fleets, f)
			}
			used := cpu(t)
			time.Sleep(watched)
			idle := cpu(t) - used // the simulated AWS makes up its traffic all the same
			calls, before := callsOf(fleets), held()
			used = cpu(t)
			end := start(t, fleets)
			time.Sleep(watched)
			used, calls = cpu(t)-used-idle, callsOf(fleets)-calls
			during := held()
			end()
			b.ReportMetric(float64(during-before)/shifts/1024, "KiB/shift")
			b.ReportMetric(used.Seconds()*float64(time.Hour/watched), "cpu-s/1000-shifts/h")
			b.ReportMetric(float64(used.Microseconds())/float64(calls), "cpu-us/API-call")
			b.ReportMetric(float64(calls)/watched.Seconds(), "API-calls/s")
		})
	}
	b.ReportMetric(0, "ns/op")
}

// start begins a shift on every route, within ten seconds. The returned function
// interrupts them and waits.
func start(t *testing.T, fleets []*fleet) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, f := range fleets {
		for i, r := range f.routes {
			running.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Second / time.Duration(len(f.routes)))
				e, err := f.engine(ctx, r, func(s *v1alpha1.TrafficShiftSpec) { s.Strategy.OnInterrupt = "hold" })
				if err == nil {
					_, err = e.Run(ctx)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	return func() {
		cancel()
		running.Wait()
	}
}

func callsOf(fleets []*fleet) (n int) {
	for _, f := range fleets {
		_, to := f.Calls().Since(0)
		n += to
	}
	return n
}
