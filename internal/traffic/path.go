package traffic

import "slices"

// preferredTotal is the sum of the weights of intermediate splits wherever it can
// express them exactly: people read such weights as percent.
const preferredTotal = 100

// Path gives the split at each of the percents of the way from one split to another,
// 0 ≤ percent ≤ 100, ascending. At 0 it is from and at 100 it is to, in their own
// integers; in between the weights are those of the exact shares
//
//	share_i(p) = from_i + p/100 · (to_i − from_i)
//
// over one total for the whole path: 100 if that is exact, else the smallest total
// above it that is, else the largest that the limits allow, rounded. Rounding never
// moves a destination away from its goal from one split to the next, and never past
// its goal. A destination whose whole move is below one unit of the total stays at its
// nearest weight until the last split. When even the sum of all moves is below the
// resolution, a split repeats the one before.
//
// from and to must be valid. Every split attaches the destinations of both.
func Path(from, to Split, percents []int, l Limits) []Split {
	from, to = from.With(to.IDs()...), to.With(from.IDs()...)
	moves := movesBetween(from, to)
	total := moves.total(percents, l.MaxWeight)
	out := make([]Split, len(percents))
	prev, prevRounded := from, []int(nil)
	for k, p := range percents {
		switch {
		case p <= 0:
			out[k] = from
			continue
		case p >= 100:
			out[k] = to
			continue
		}
		rounded, ok := moves.at(p, total, prevRounded)
		if !ok {
			out[k] = prev
			continue
		}
		split := make(Split, len(moves.ids))
		for i, id := range moves.ids {
			split[i] = Weighted{ID: id, Weight: rounded[i]}
		}
		out[k], prev, prevRounded = split, split, rounded
	}
	return out
}

// moves is a shift in exact integer arithmetic: destination i has the share
// num(i,p)/den at p percent.
type moves struct {
	ids            []string
	from, to       []int // weights
	fromSum, toSum int
	den            int
}

func movesBetween(from, to Split) moves {
	m := moves{ids: from.IDs(), fromSum: from.Sum(), toSum: to.Sum()}
	for _, id := range m.ids {
		m.from = append(m.from, from.Weight(id))
		m.to = append(m.to, to.Weight(id))
	}
	m.den = m.fromSum * m.toSum * 100
	return m
}

func (m moves) num(i, p int) int {
	return m.from[i]*m.toSum*(100-p) + m.to[i]*m.fromSum*p
}

// total chooses the sum of the weights of the intermediate splits.
func (m moves) total(percents []int, maxWeight int) int {
	largest := 1 << 30
	for i := range m.ids {
		if m.from[i] > 0 {
			largest = min(largest, maxWeight*m.fromSum/m.from[i])
		}
		if m.to[i] > 0 {
			largest = min(largest, maxWeight*m.toSum/m.to[i])
		}
	}
	common := m.den
	for _, p := range percents {
		if p > 0 && p < 100 {
			for i := range m.ids {
				common = gcd(common, m.num(i, p))
			}
		}
	}
	exact := m.den / common // every exact total is a multiple of this
	if up := (preferredTotal + exact - 1) / exact * exact; up <= largest {
		return up
	}
	if exact <= largest {
		return largest / exact * exact
	}
	return largest
}

// at gives the weights at p percent over total. prev are those of the percent before
// on the same path, nil for the first.
func (m moves) at(p, total int, prev []int) (weights []int, ok bool) {
	n := len(m.ids)
	lo, hi, w := make([]int, n), make([]int, n), make([]int, n)
	sum, loSum, hiSum := 0, 0, 0
	for i := range n {
		lo[i], hi[i] = m.bounds(i, total, prev)
		w[i] = min(max(roundDiv(m.num(i, p)*total, m.den), lo[i]), hi[i])
		sum, loSum, hiSum = sum+w[i], loSum+lo[i], hiSum+hi[i]
	}
	if loSum > total || hiSum < total {
		return nil, false
	}
	for sum != total {
		step := 1
		if sum > total {
			step = -1
		}
		i := m.leastWrong(w, lo, hi, step, p, total)
		w[i] += step
		sum += step
	}
	return w, true
}

// bounds of destination i's weight: between where it was last and its goal.
func (m moves) bounds(i, total int, prev []int) (lo, hi int) {
	a, b := m.from[i]*m.toSum, m.to[i]*m.fromSum // over fromSum·toSum
	d := m.fromSum * m.toSum
	lo, hi = ceilDiv(min(a, b)*total, d), max(a, b)*total/d
	if lo > hi { // the whole move is within one unit
		near := roundDiv((a+b)*total, 2*d)
		return near, near
	}
	if prev != nil && a < b {
		lo = prev[i]
	}
	if prev != nil && a > b {
		hi = prev[i]
	}
	return lo, hi
}

// leastWrong is the destination whose weight can take step (+1 or -1) within its
// bounds and ends nearest to its exact share.
func (m moves) leastWrong(w, lo, hi []int, step, p, total int) int {
	best, bestErr := -1, 0
	for i := range w {
		v := w[i] + step
		if v < lo[i] || v > hi[i] {
			continue
		}
		e := v*m.den - m.num(i, p)*total
		if e < 0 {
			e = -e
		}
		if best < 0 || e < bestErr {
			best, bestErr = i, e
		}
	}
	return best
}

// Gaining and Losing are the destinations whose share the way from one split to
// another raises and lowers, sorted.
func Gaining(from, to Split) []string { return changing(from, to, 1) }

// Losing is the counterpart of Gaining.
func Losing(from, to Split) []string { return changing(from, to, -1) }

func changing(from, to Split, sign int) []string {
	var ids []string
	a, b := from.Sum(), to.Sum()
	for _, id := range union(from, to) {
		if d := to.Weight(id)*a - from.Weight(id)*b; d*sign > 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func ceilDiv(a, b int) int  { return (a + b - 1) / b }
func roundDiv(a, b int) int { return (2*a + b) / (2 * b) }
