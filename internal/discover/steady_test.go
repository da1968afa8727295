package discover_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/discover"
	"github.com/norikae/norikae/internal/registry"
)

// spread makes n clusters over five accounts and four regions, unevenly, and a set of
// them. pages are what one listing of all takes.
func (w *world) spread(n int) (set *registry.Set, ids []registry.ID, pages int) {
	w.t.Helper()
	accounts := []string{own, other, third, "333333333333", "444444444444"}
	regions := []string{region, europe, "ap-northeast-1", "eu-central-1"}
	for _, account := range accounts {
		for j, r := range regions {
			k := n/20 + []int{-37, 37, -12, 12}[j]
			pages += max(1, (k+99)/100)
			ids = append(ids, w.fill(account, r, k)...)
		}
	}
	return setOf(accounts, regions...), ids, pages
}

func TestTheFirstPassesOverAFleet(t *testing.T) {
	for n, first := range map[int]time.Duration{ // the largest account and region at 5/s
		1000:  20 * time.Second,
		10000: 110 * time.Second,
	} {
		t.Run(fmt.Sprintf("%d clusters", n), func(t *testing.T) {
			virtually(t, nil, func(t *testing.T, w *world) {
				set, ids, pages := w.spread(n)
				began := time.Now()
				snap := w.pass(set, ids...)
				if len(snap.Sightings) != n || len(errorsOf(snap)) > 0 {
					t.Fatalf("%d clusters, %v", len(snap.Sightings), errorsOf(snap))
				}
				if took := time.Since(began); took > first {
					t.Errorf("the first pass took %s, want at most %s", took, first)
				}
				equal(t, "calls of the first pass", w.calls(), map[string]int{
					"sts:AssumeRole": 4, "sts:GetCallerIdentity": 5, "tagging:GetResources": pages, "eks:DescribeCluster": n,
				})
				sum := 0
				for i := 1; i <= 6; i++ { // each ten minutes for an hour
					time.Sleep(time.Until(began.Add(time.Duration(i) * 10 * time.Minute)))
					w.pass(set, ids...)
					c := w.calls()
					described := c["eks:DescribeCluster"]
					delete(c, "eks:DescribeCluster")
					delete(c, "sts:AssumeRole") // once an hour
					equal(t, "calls but for refreshes", c, map[string]int{"tagging:GetResources": pages})
					switch share := float64(n) / 3; {
					case i < 3 && described != 0:
						t.Errorf("pass %d described %d clusters; none is due within half of the refresh interval", i, described)
					case i > 3 && math.Abs(float64(described)-share) > share/5:
						t.Errorf("pass %d described %d clusters, want about %.0f", i, described, share)
					}
					sum += described
				}
				// Those of the last half minutes of the first pass are due a little later, and are not
				// kept for the pass after it, which describes them anyway.
				if sum < n*95/100 || sum > n*105/100 {
					t.Errorf("%d descriptions in the first refresh interval, want each of %d clusters once", sum, n)
				}
				if c := w.Stats().Cached; c > n || c < n*99/100 {
					t.Errorf("%d clusters are cached", c)
				}
			})
		})
	}
}

func TestASteadyStateCostsItsPagesAndItsShareOfRefreshes(t *testing.T) {
	const n = 1000
	virtually(t, nil, func(t *testing.T, w *world) {
		set, ids, pages := w.spread(n)
		w.pass(set, ids...)
		for range 30 { // until refreshes have mixed
			time.Sleep(10 * time.Minute)
			w.pass(set, ids...)
		}
		w.calls()
		// A cluster is described each 0.75 refresh intervals, and half a pass's interval later on
		// average, because it waits for a pass.
		const passes, perPass = 120, n / 45.5
		worst, sum := 0, 0
		for range passes {
			time.Sleep(time.Minute)
			w.pass(set, ids...)
			c := w.calls()
			described := c["eks:DescribeCluster"]
			delete(c, "eks:DescribeCluster")
			delete(c, "sts:AssumeRole") // once an hour
			equal(t, "calls but for refreshes", c, map[string]int{"tagging:GetResources": pages})
			worst, sum = max(worst, described), sum+described
		}
		if got := float64(sum) / passes; math.Abs(got-perPass) > perPass/10 {
			t.Errorf("%.1f clusters were described in a pass, want %.1f", got, perPass)
		}
		if float64(worst) > 3*perPass {
			t.Errorf("a pass described %d clusters, the average is %.1f", worst, perPass)
		}
	})
}

func TestStatsCountWhatWasSent(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		w.fill(own, region, 120)
		w.fill(other, region, 1)
		end := w.deny(other, "DescribeCluster")
		w.pass(setOf([]string{own, other}, region))
		equal(t, "stats", w.Stats(), discover.Stats{
			Calls:  map[string]uint64{"sts:GetCallerIdentity": 2, "tag:GetResources": 3, "eks:DescribeCluster": 121},
			Failed: map[string]uint64{"eks:DescribeCluster": 1}, Cached: 120,
		})
		end()
		w.pass(setOf([]string{own, other}, region))
		equal(t, "described", w.Stats().Calls["eks:DescribeCluster"], uint64(122))
	})
}

func TestWhatNobodyWantsIsForgotten(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		w.fill(own, region, 30)
		w.pass(setOf([]string{own}, region))
		equal(t, "cached", w.Stats().Cached, 30)
		none := setOf([]string{own}, region)
		none.Sources[0].Selector.Tags = map[string]string{"env": "none"}
		w.pass(none)
		equal(t, "cached within the refresh interval, for other sets", w.Stats().Cached, 30)
		time.Sleep(time.Hour + time.Second)
		w.pass(none)
		equal(t, "cached afterwards", w.Stats().Cached, 0)
	})
}

func TestTwoSetsWithOtherRefreshIntervalsShareWhatIsKnown(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		w.fill(own, region, 10)
		slow, quick := setOf([]string{own}, region), setOf([]string{own}, region)
		slow.RefreshInterval, quick.RefreshInterval = 24*time.Hour, time.Minute
		quick.Sources[0].Selector.Tags = map[string]string{"env": "none"}
		w.pass(slow)
		w.calls()
		for range 30 {
			time.Sleep(2 * time.Minute)
			w.pass(quick)
			w.pass(slow)
		}
		equal(t, "calls", w.calls(), map[string]int{"tagging:GetResources": 60})
	})
}
