package metric

import (
	"time"

	"github.com/norikae/norikae/internal/analysis"
)

// lifetime of weights: windows that begin in it are about them.
type lifetime struct {
	since time.Time // zero: there are no such weights
	until time.Time // no window begins then or later; zero: there is no end
}

// complete counts the windows that are complete at the source by now.
func (l lifetime) complete(s analysis.Schedule, now time.Time) int {
	if l.since.IsZero() {
		return 0
	}
	n := s.Complete(l.since, now)
	for n > 0 && l.ended(s.Window(l.since, n-1)) {
		n--
	}
	return n
}

func (l lifetime) ended(w analysis.Window) bool {
	return !l.until.IsZero() && !w.Start.Before(l.until)
}

// next is when the window after the n complete ones is due; false: there is none.
func (l lifetime) next(s analysis.Schedule, n int) (time.Time, bool) {
	if l.since.IsZero() {
		return time.Time{}, false
	}
	w := s.Window(l.since, n)
	return s.Due(w), !l.ended(w)
}
