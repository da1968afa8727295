package alb

import "sync/atomic"

// random is the SplitMix64 generator (Steele, Lea and Flood, 2014) on an atomic
// counter: repeatable from a seed, without a lock, and the n-th number is the same
// whoever draws it.
type random struct{ state atomic.Uint64 }

func (r *random) next() uint64 {
	z := r.state.Add(0x9e3779b97f4a7c15)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
