package analysis

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestWindowsOfCloudWatchWithItsDefaults(t *testing.T) {
	s := NewSchedule(Timing{Settle: 10 * time.Second, Period: time.Minute, Delay: 2 * time.Minute}, time.Minute, 0)
	since := at(0).Add(7 * time.Second)
	if w := s.Window(since, 0); w != minutes(1, 2) {
		t.Errorf("first window %s, want %s", w, minutes(1, 2))
	}
	if w := s.Window(since, 3); w != minutes(4, 5) {
		t.Errorf("fourth window %s, want %s", w, minutes(4, 5))
	}
	if w := s.Window(at(0).Add(50*time.Second), 0); w != minutes(1, 2) {
		t.Errorf("settled exactly on the minute: %s, want %s", w, minutes(1, 2))
	}
	for now, want := range map[time.Time]int{
		since:                         0,
		at(4).Add(-time.Nanosecond):   0,
		at(4):                         1,
		at(4).Add(59 * time.Second):   1,
		at(5):                         2,
		at(0).Add(-100 * time.Minute): 0,
	} {
		if got := s.Complete(since, now); got != want {
			t.Errorf("at %s %d windows are complete, want %d", now.Format(time.TimeOnly), got, want)
		}
	}
	if w := s.Before(at(10).Add(30*time.Second), 5); w != minutes(5, 10) {
		t.Errorf("baseline %s, want %s", w, minutes(5, 10))
	}
}

func TestM05_TheIntervalIsKept(t *testing.T) {
	for name, tc := range map[string]struct{ interval, period, coarser, want time.Duration }{
		"a multiple of the period is as declared": {5 * time.Minute, time.Minute, 0, 5 * time.Minute},
		"90 s on minutes is rounded up":           {90 * time.Second, time.Minute, 0, 2 * time.Minute},
		"less than a period is a period":          {time.Second, time.Minute, 0, time.Minute},
		"a lab's seconds":                         {3 * time.Second, time.Second, 0, 3 * time.Second},
		"a query that is coarser than the source": {6 * time.Minute, time.Minute, 5 * time.Minute, 10 * time.Minute},
		"a period under a second is one at least": {time.Second, time.Millisecond, 0, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewSchedule(Timing{Period: tc.period}, tc.interval, tc.coarser)
			if s.Interval != tc.want {
				t.Errorf("interval %s, want %s", s.Interval, tc.want)
			}
		})
	}
}

// M4: the open bucket is never used, nor one that began before the weights had settled.
func TestM04_WindowsHoldOnlyWholeSettledCompleteBuckets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := func(name string, least, most int) time.Duration {
			return time.Duration(rapid.IntRange(least, most).Draw(t, name)) * time.Second
		}
		timing := Timing{Settle: seconds("settle", 0, 100), Period: seconds("period", 1, 400), Delay: seconds("delay", 0, 300)}
		s := NewSchedule(timing, seconds("interval", 1, 1000), 0)
		since := at(0).Add(time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "since")))
		now := since.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Hour)).Draw(t, "now")))
		n := s.Complete(since, now)
		for k := range n {
			w := s.Window(since, k)
			switch {
			case w.Start.Before(since.Add(timing.Settle)):
				t.Fatalf("window %d %s begins before the weights had settled", k, w)
			case now.Before(w.End.Add(timing.Delay)):
				t.Fatalf("window %d %s is not complete at %s", k, w, now)
			case w.Start.UnixNano()%int64(timing.Period) != 0 || w.End.UnixNano()%int64(timing.Period) != 0:
				t.Fatalf("window %d %s is not on the grid of %s", k, w, timing.Period)
			case k > 0 && !w.Start.Equal(s.Window(since, k-1).End):
				t.Fatalf("window %d does not follow the one before", k)
			}
		}
		if next := s.Due(s.Window(since, n)); !next.After(now) {
			t.Fatalf("window %d was due at %s, before %s, and is not counted", n, next, now)
		}
		if first := s.Window(since, 0); first.Start.Sub(since) >= timing.Settle+s.Grid {
			t.Fatalf("the first window %s wastes more than a period", first)
		}
	})
}

func TestPointsBelongToAWindowAsAWhole(t *testing.T) {
	w := minutes(1, 3)
	for name, tc := range map[string]struct {
		start  time.Time
		period time.Duration
		want   bool
	}{
		"its first":              {at(1), time.Minute, true},
		"its last":               {at(2), time.Minute, true},
		"the one before":         {at(0), time.Minute, false},
		"the one after":          {at(3), time.Minute, false},
		"one that ends too late": {at(2), 2 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := w.Contains(tc.start, tc.period); got != tc.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
