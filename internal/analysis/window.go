package analysis

import (
	"fmt"
	"time"
)

// Window is a span of time that one measurement covers; End is exclusive.
type Window struct {
	Start, End time.Time
}

// String gives both ends in UTC, to the second.
func (w Window) String() string {
	return fmt.Sprintf("%s–%s", w.Start.UTC().Format("15:04:05"), w.End.UTC().Format("15:04:05Z"))
}

// span lets what embeds a Window give it.
func (w Window) span() Window { return w }

// Contains tells whether a data point that starts at t and lasts period lies within w.
func (w Window) Contains(t time.Time, period time.Duration) bool {
	return !t.Before(w.Start) && !t.Add(period).After(w.End)
}

// Schedule says which windows a metric is measured in. Windows lie end to end on the
// grid of the source's data points, so no point is ever half inside one.
type Schedule struct {
	Settle   time.Duration
	Grid     time.Duration // windows start on multiples of it since the Unix epoch
	Interval time.Duration // length of a window, a multiple of Grid
	Delay    time.Duration
}

// NewSchedule measures once per interval, which is rounded up to the grid. The grid is
// the source's period or that of a coarser query, whichever is longer.
func NewSchedule(t Timing, interval, coarser time.Duration) Schedule {
	grid := max(t.Period, coarser, time.Second)
	window := max(interval, grid)
	if part := window % grid; part > 0 {
		window += grid - part
	}
	return Schedule{Settle: t.Settle, Grid: grid, Interval: window, Delay: t.Delay}
}

// Window number k (0, 1, …) of the weights that are live since a moment. None begins
// before they had settled.
func (s Schedule) Window(since time.Time, k int) Window {
	start := ceil(since.Add(s.Settle), s.Grid).Add(time.Duration(k) * s.Interval)
	return Window{start, start.Add(s.Interval)}
}

// Due is when a window is complete at the source. It is not asked for before.
func (s Schedule) Due(w Window) time.Time { return w.End.Add(s.Delay) }

// Complete counts the windows that are complete at the source by now.
func (s Schedule) Complete(since, now time.Time) int {
	first := s.Due(s.Window(since, 0))
	if now.Before(first) {
		return 0
	}
	return int(now.Sub(first)/s.Interval) + 1
}

// Before is the newest n intervals that end by t, as one window.
func (s Schedule) Before(t time.Time, n int) Window {
	end := floor(t, s.Grid)
	return Window{end.Add(-time.Duration(n) * s.Interval), end}
}

// floor rounds down to a multiple of d since the Unix epoch, on which all sources align
// their buckets (time.Truncate counts from year 1, which differs when d does not divide
// a day).
func floor(t time.Time, d time.Duration) time.Time {
	ns := t.UnixNano()
	r := ns % int64(d)
	if r < 0 {
		r += int64(d)
	}
	return time.Unix(0, ns-r).UTC()
}

func ceil(t time.Time, d time.Duration) time.Time {
	f := floor(t, d)
	if f.Equal(t) {
		return f
	}
	return f.Add(d)
}
