package lawtest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Split is the weight of each target group by its ARN, or of each record by its set
// identifier, as the judge reads it. The
// arithmetic here is the judge's own, so that it cannot share the engine's mistakes.
type Split map[string]int

func (s Split) sum() int {
	n := 0
	for _, w := range s {
		n += w
	}
	return n
}

func (s Split) share(id string) float64 {
	if n := s.sum(); n > 0 {
		return float64(s[id]) / float64(n)
	}
	return 0
}

// equal compares integers and what is attached.
func (s Split) equal(o Split) bool { return maps.Equal(s, o) }

// carries is the split without the groups of weight 0.
func (s Split) carries() Split {
	out := Split{}
	for id, w := range s {
		if w != 0 {
			out[id] = w
		}
	}
	return out
}

// sameShares tells whether no traffic moves between the two.
func (s Split) sameShares(o Split) bool {
	a, b := s.sum(), o.sum()
	if a == 0 || b == 0 {
		return a == b
	}
	for _, id := range ids(s, o) {
		if s[id]*b != o[id]*a {
			return false
		}
	}
	return true
}

// attaches tells whether every group of o is attached in s.
func (s Split) attaches(o Split) bool {
	for id := range o {
		if _, ok := s[id]; !ok {
			return false
		}
	}
	return true
}

func ids(splits ...Split) []string {
	all := map[string]bool{}
	for _, s := range splits {
		for id := range s {
			all[id] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func (s Split) String() string {
	if len(s) == 0 {
		return "nothing"
	}
	var out []string
	for _, id := range ids(s) {
		out = append(out, fmt.Sprintf("%s=%d", nameOf(id), s[id]))
	}
	return strings.Join(out, " ")
}

// towards is the share of a group after percent of the move.
func towards(from, to Split, percent int, id string) float64 {
	return from.share(id) + float64(percent)/100*(to.share(id)-from.share(id))
}

// distance is how far a split is from that percent of the move: the largest difference
// of any share, and whether rounding to its integers explains it.
func distance(s, from, to Split, percent int) (d float64, rounded bool) {
	for _, id := range ids(s, from, to) {
		d = max(d, math.Abs(s.share(id)-towards(from, to, percent, id)))
	}
	return d, s.sum() > 0 && d <= 1/float64(s.sum())+1e-9
}

// gaining are the groups whose share the move raises.
func gaining(from, to Split) []string {
	return slices.DeleteFunc(ids(from, to), func(id string) bool { return to.share(id) <= from.share(id) })
}

func losing(from, to Split) []string {
	return slices.DeleteFunc(ids(from, to), func(id string) bool { return to.share(id) >= from.share(id) })
}
