package traffic

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var elb = Limits{MaxWeight: 999, MaxDestinations: 5}

// split makes a Split whose IDs are a, b, c and so on.
func split(weights ...int) Split {
	s := make(Split, len(weights))
	for i, w := range weights {
		s[i] = Weighted{ID: string(rune('a' + i)), Weight: w}
	}
	return s
}

func TestPath(t *testing.T) {
	for name, tc := range map[string]struct {
		from, to Split
		percents []int
		limits   Limits
		want     []Split
	}{
		"a whole swap reads as percent": {
			split(100, 0), split(0, 100),
			[]int{10, 50, 100},
			elb,
			[]Split{split(90, 10), split(50, 50), split(0, 100)},
		},
		"percent is of the move, not of the traffic": {
			split(50, 50), split(90, 10),
			[]int{0, 50, 100},
			elb,
			[]Split{split(50, 50), split(70, 30), split(90, 10)},
		},
		"the last split keeps the declared integers": {
			split(1, 0), split(0, 7),
			[]int{50, 100},
			elb,
			[]Split{split(50, 50), split(0, 7)},
		},
		"the first split keeps the original integers": {
			split(3, 3), split(0, 1),
			[]int{0, 100},
			elb,
			[]Split{split(3, 3), split(0, 1)},
		},
		"a finer total where 100 is not exact": {
			split(90, 10), split(10, 90),
			[]int{1, 100},
			elb,
			[]Split{split(223, 27), split(10, 90)},
		},
		"thirds stay thirds": {
			split(1, 1, 1), split(0, 1, 2),
			[]int{50, 100},
			elb,
			[]Split{split(17, 34, 51), split(0, 1, 2)},
		},
		"a destination only in to is attached at 0": {
			split(100), split(0, 100),
			[]int{0, 25, 100},
			elb,
			[]Split{split(100, 0), split(75, 25), split(0, 100)},
		},
		"within Route 53's resolution": {
			split(200, 0), split(0, 255),
			[]int{1, 100},
			Limits{MaxWeight: 255, MaxDestinations: 100},
			[]Split{split(99, 1), split(0, 255)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, Path(tc.from, tc.to, tc.percents, tc.limits)); d != "" {
				t.Errorf("path (-want +got):\n%s", d)
			}
		})
	}
}

// drawSplit draws a valid split over the given IDs.
func drawSplit(t *rapid.T, label string, n, maxWeight int) Split {
	weights := rapid.SliceOfN(rapid.IntRange(0, maxWeight), n, n).Draw(t, label)
	s := split(weights...)
	if s.Sum() == 0 {
		s[0].Weight = 1
	}
	return s
}

// TestPathLaws checks laws 2, 3 and 4 of a shift on the arithmetic alone: it ends at
// the declared integers, never moves a destination away from its goal or past it by as
// much as one unit, keeps within one unit and a half of the exact share, and never
// breaks a limit.
func TestPathLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := rapid.SampledFrom([]Limits{elb, {MaxWeight: 255, MaxDestinations: 5}}).Draw(t, "limits")
		n := rapid.IntRange(1, 5).Draw(t, "n")
		from, to := drawSplit(t, "from", n, limits.MaxWeight), drawSplit(t, "to", n, limits.MaxWeight)
		step := rapid.IntRange(1, 100).Draw(t, "step")
		var percents []int
		for p := step; p < 100; p += step {
			percents = append(percents, p)
		}
		percents = append(percents, 100)
		path := Path(from, to, percents, limits)
		if !path[len(path)-1].Equal(to) {
			t.Fatalf("ends at %s, declared %s", path[len(path)-1], to)
		}
		prev := from
		for k, s := range path {
			if err := s.Validate(limits); err != nil {
				t.Fatalf("at %d%%: %v", percents[k], err)
			}
			unit := 1/float64(s.Sum()) + 1e-9
			if prev.Equal(from) || k == len(path)-1 {
				unit += 1 / float64(prev.Sum())
			}
			for _, id := range s.IDs() {
				a, b, was, is := from.Share(id), to.Share(id), prev.Share(id), s.Share(id)
				tiny := 0.0
				if abs(b-a) < 1/100.0 || k == len(path)-1 {
					tiny = unit // its whole move may be below the resolution
				}
				if (b-a)*(is-was) < 0 && abs(is-was) > tiny {
					t.Fatalf("%s at %d%%: %v → %v, away from its goal %v", id, percents[k], was, is, b)
				}
				exact := a + float64(percents[k])/100*(b-a)
				if !s.Equal(prev) && abs(is-exact) > 2*unit {
					t.Fatalf("%s at %d%%: share %v, exact %v (total %d)", id, percents[k], is, exact, s.Sum())
				}
			}
			prev = s
		}
	})
}

func TestValidateNamesFieldValueAndRange(t *testing.T) {
	for want, s := range map[string]Split{
		"a split needs at least 1 destination":                                       {},
		"6 destinations: the route holds 1–5":                                        split(1, 1, 1, 1, 1, 1),
		"destination a: weight 1000 is not in 0–999":                                 split(1000),
		"destination b: weight -1 is not in 0–999":                                   split(1, -1),
		"destination a is named twice":                                               {{ID: "a", Weight: 1}, {ID: "a", Weight: 2}},
		"the weights sum to 0: at least one destination needs a weight of 1 or more": split(0, 0),
	} {
		if err := s.Validate(elb); fmt.Sprint(err) != want {
			t.Errorf("%v: %v, want %s", s, err, want)
		}
	}
}

func TestSameSharesIsExactAndIgnoresUnattached(t *testing.T) {
	for _, tc := range []struct {
		a, b Split
		want bool
	}{
		{split(1, 1), split(50, 50), true},
		{split(1), split(100, 0), true},
		{split(333, 666), split(1, 2), true},
		{split(333, 667), split(1, 2), false},
		{split(0, 0), split(0), true},
		{split(0, 0), split(1), false},
	} {
		if got := tc.a.SameShares(tc.b); got != tc.want || tc.b.SameShares(tc.a) != got {
			t.Errorf("%s ~ %s: %v, want %v", tc.a, tc.b, got, tc.want)
		}
	}
}

func abs(f float64) float64 {
	if f < 0 {
		return -f
	}
	return f
}
