// Package chance chooses among weighted things, repeatably: both data planes pick target
// groups with it.
package chance

import (
	"math/bits"
	"sync/atomic"
)

// Source is the SplitMix64 generator (Steele, Lea and Flood, 2014) on an atomic
// counter: repeatable from a seed, without a lock, and the n-th number is the same
// whoever draws it. The zero value has the seed 0.
type Source struct{ state atomic.Uint64 }

// Seed begins anew.
func (s *Source) Seed(seed uint64) { s.state.Store(seed) }

// Next is a uniform 64-bit number.
func (s *Source) Next() uint64 { return mix(s.state.Add(0x9e3779b97f4a7c15)) }

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Hash spreads text over all 64-bit numbers: the same text always gets the same.
func Hash(text string) uint64 {
	h := uint64(0xcbf29ce484222325) // FNV-1a, and then mixed: it is weak in its high bits
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 0x100000001b3
	}
	return mix(h)
}

// Weights of things, by index.
type Weights struct {
	list  []uint64
	total uint64
}

// Add appends a weight; one below 0 counts as 0.
func (w *Weights) Add(weight int) {
	n := uint64(max(weight, 0))
	w.list = append(w.list, n)
	w.total += n
}

// Of is the weight with that index.
func (w *Weights) Of(i int) uint64 { return w.list[i] }

// Pick maps a uniform 64-bit number to an index, each with the probability weight / sum
// of weights; -1 when the weights sum to 0.
func (w *Weights) Pick(random uint64) int {
	n, _ := bits.Mul64(random, w.total)
	for i, weight := range w.list {
		if n < weight {
			return i
		}
		n -= weight
	}
	return -1
}
