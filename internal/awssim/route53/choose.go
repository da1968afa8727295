package route53

import (
	"slices"
	"sync/atomic"
)

// maxMultivalue is how many record sets a multivalue answer is made of at most.
const maxMultivalue = 8

// choose takes the record sets to answer with from those of one name and type.
func (q *question) choose(v *view, sets []*RecordSet, hops int) []*RecordSet {
	if len(sets) < 2 {
		return sets
	}
	healthy := make([]*RecordSet, 0, len(sets))
	for _, r := range sets {
		if q.healthy(v, r, hops) {
			healthy = append(healthy, r)
		}
	}
	usable := healthy
	if len(usable) == 0 {
		usable = sets // where none is healthy, all are treated as healthy
	}
	switch sets[0].Policy {
	case Weighted:
		return []*RecordSet{q.s.pick.weighted(usable)}
	case Multivalue:
		return q.s.pick.some(usable, maxMultivalue)
	case Failover:
		i := slices.IndexFunc(usable, func(r *RecordSet) bool { return r.Failover == "PRIMARY" })
		return usable[max(i, 0):][:1]
	case Simple, Latency, Geolocation:
	}
	return usable[:1] // the lab is nowhere: the first by set identifier is as near as any
}

// picker makes random choices. It is the SplitMix64 generator (Steele, Lea and Flood, 2014)
// on an atomic counter: repeatable from a seed, and without a lock.
type picker struct{ state atomic.Uint64 }

func (p *picker) next() uint64 {
	z := p.state.Add(0x9e3779b97f4a7c15)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is a number from 0 to n-1; n is so small that the modulo's bias does not count.
func (p *picker) below(n int) int { return int(p.next() % uint64(n)) } //nolint:gosec // G115: n is positive and small

// weighted chooses by weight / sum of weights. Weight 0 is chosen only where all have it,
// and then each is as likely as the others.
func (p *picker) weighted(sets []*RecordSet) *RecordSet {
	sum := 0
	for _, r := range sets {
		sum += r.Weight
	}
	if sum == 0 {
		return sets[p.below(len(sets))]
	}
	n := p.below(sum)
	for _, r := range sets {
		if n -= r.Weight; n < 0 {
			return r
		}
	}
	return sets[len(sets)-1] // not reached: n is below the sum
}

// some chooses up to n of them, in random order.
func (p *picker) some(sets []*RecordSet, n int) []*RecordSet {
	out := slices.Clone(sets)
	shuffle(p, out)
	return out[:min(n, len(out))]
}

// shuffled are the values of a record set as an answer has them: addresses come in random
// order, because many clients take the first.
func (p *picker) shuffled(typ string, values []string) []string {
	if len(values) < 2 || typ != "A" && typ != "AAAA" {
		return values
	}
	out := slices.Clone(values)
	shuffle(p, out)
	return out
}

func shuffle[T any](p *picker, list []T) {
	for i := len(list) - 1; i > 0; i-- {
		j := p.below(i + 1)
		list[i], list[j] = list[j], list[i]
	}
}
