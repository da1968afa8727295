package toy

import (
	"math"
	"sync/atomic"
)

// spread picks a share of events, evenly spread over them and without chance.
type spread struct {
	phase float64       // 0–1: where between two picked events it begins
	rate  atomic.Uint64 // float64 bits
	seen  atomic.Uint64
}

// set the share (0–1); false, and nothing is changed, when it is out of range.
func (s *spread) set(rate float64) bool {
	if !(rate >= 0 && rate <= 1) { // also refuses NaN
		return false
	}
	s.rate.Store(math.Float64bits(rate))
	return true
}

// next says whether the next event is picked: it is when the running total of n·rate
// passes a whole number.
func (s *spread) next() bool {
	rate := math.Float64frombits(s.rate.Load())
	n := float64(s.seen.Add(1))
	return math.Floor(n*rate+s.phase) > math.Floor((n-1)*rate+s.phase)
}
