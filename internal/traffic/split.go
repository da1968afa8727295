// Package traffic holds the nouns of a traffic split and the arithmetic of moving
// from one split to another: shares, validation, interpolation and rounding. It is
// pure: no I/O, no clock.
package traffic

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Weighted is a destination of a route and its integer weight. ID is what the router
// knows the destination by: a target group ARN, a Route 53 set identifier.
type Weighted struct {
	ID     string `json:"id"`
	Weight int    `json:"weight"`
}

// Split is the weight of every destination that is attached to a route. A weight of 0
// means attached without traffic. IDs are unique; the order has no meaning. Splits are
// values: nothing in this project changes one in place.
type Split []Weighted

// Limits are what a router can hold.
type Limits struct {
	MaxWeight       int // of one destination; ELBv2 999, Route 53 255
	MaxDestinations int // on one route; ALB 5
}

// Sum of all weights.
func (s Split) Sum() int {
	sum := 0
	for _, w := range s {
		sum += w.Weight
	}
	return sum
}

// Weight of a destination; 0 when it is not attached.
func (s Split) Weight(id string) int {
	for _, w := range s {
		if w.ID == id {
			return w.Weight
		}
	}
	return 0
}

// Has tells whether a destination is attached, at whatever weight.
func (s Split) Has(id string) bool {
	return slices.ContainsFunc(s, func(w Weighted) bool { return w.ID == id })
}

// IDs of the attached destinations, in the split's order.
func (s Split) IDs() []string {
	ids := make([]string, len(s))
	for i, w := range s {
		ids[i] = w.ID
	}
	return ids
}

// With attaches the destinations that are not there yet, at weight 0.
func (s Split) With(ids ...string) Split {
	out := slices.Clone(s)
	for _, id := range ids {
		if !out.Has(id) {
			out = append(out, Weighted{ID: id})
		}
	}
	return out
}

// Share of a destination in the traffic, 0–1; 0 when the sum is 0.
func (s Split) Share(id string) float64 {
	sum := s.Sum()
	if sum == 0 {
		return 0
	}
	return float64(s.Weight(id)) / float64(sum)
}

// SameShares tells whether both splits send the same share to every destination,
// exactly. A destination at weight 0 equals one that is not attached. A split whose
// sum is 0 has no shares and is like no other but one whose sum is 0.
func (s Split) SameShares(o Split) bool {
	a, b := s.Sum(), o.Sum()
	if a == 0 || b == 0 {
		return a == b
	}
	for _, id := range union(s, o) {
		if s.Weight(id)*b != o.Weight(id)*a {
			return false
		}
	}
	return true
}

// Equal tells whether both splits attach the same destinations with the same integers.
func (s Split) Equal(o Split) bool {
	if len(s) != len(o) {
		return false
	}
	for _, w := range s {
		if !o.Has(w.ID) || o.Weight(w.ID) != w.Weight {
			return false
		}
	}
	return true
}

// Sorted by ID, for hashing and printing.
func (s Split) Sorted() Split {
	return slices.SortedFunc(slices.Values(s), func(a, b Weighted) int { return cmp.Compare(a.ID, b.ID) })
}

// String is "id=weight id=weight", sorted by ID.
func (s Split) String() string {
	parts := make([]string, len(s))
	for i, w := range s.Sorted() {
		parts[i] = fmt.Sprintf("%s=%d", w.ID, w.Weight)
	}
	return strings.Join(parts, " ")
}

// Validate checks the invariants that every write must keep: at least one destination
// and no more than the router can hold, unique IDs, weights in range, and a sum above
// 0 (ELB answers errors when all weights are 0; Route 53 sends equal shares).
func (s Split) Validate(l Limits) error {
	if len(s) == 0 {
		return fmt.Errorf("a split needs at least 1 destination")
	}
	if len(s) > l.MaxDestinations {
		return fmt.Errorf("%d destinations: the route holds 1–%d", len(s), l.MaxDestinations)
	}
	seen := map[string]bool{}
	for _, w := range s {
		if seen[w.ID] {
			return fmt.Errorf("destination %s is named twice", w.ID)
		}
		seen[w.ID] = true
		if w.Weight < 0 || w.Weight > l.MaxWeight {
			return fmt.Errorf("destination %s: weight %d is not in 0–%d", w.ID, w.Weight, l.MaxWeight)
		}
	}
	if s.Sum() == 0 {
		return fmt.Errorf("the weights sum to 0: at least one destination needs a weight of 1 or more")
	}
	return nil
}

// union of the IDs of both splits, those of a first.
func union(a, b Split) []string { return a.With(b.IDs()...).IDs() }
