package chance

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestPicksFollowTheNumberExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w Weights
		weights := rapid.SliceOfN(rapid.IntRange(-5, 999), 1, 8).Draw(t, "weights")
		sum := 0
		for _, n := range weights {
			w.Add(n)
			sum += max(n, 0)
		}
		i := w.Pick(rapid.Uint64().Draw(t, "random"))
		switch {
		case sum == 0 && i != -1:
			t.Fatalf("weights %v gave %d, want none", weights, i)
		case sum > 0 && (i < 0 || weights[i] <= 0):
			t.Fatalf("weights %v gave %d", weights, i)
		}
		if sum == 0 {
			return
		}
		first, last := w.Pick(0), w.Pick(math.MaxUint64)
		for k, n := range weights {
			if n > 0 && (first > k || last < k) {
				t.Fatalf("weights %v: the lowest number gives %d and the highest %d", weights, first, last)
			}
		}
	})
}

func TestTheSameSeedGivesTheSameNumbers(t *testing.T) {
	var a, b, other Source
	a.Seed(7)
	b.Seed(7)
	other.Seed(8)
	same := 0
	for range 1000 {
		x := a.Next()
		if x != b.Next() {
			t.Fatal("the same seed gave other numbers")
		}
		if x == other.Next() {
			same++
		}
	}
	if same > 0 {
		t.Errorf("another seed gave %d of 1000 same numbers", same)
	}
}

// Hash spreads even texts that differ in one letter evenly over a few buckets
// (chi-square, 7 degrees of freedom: below 42.7 but for one time in a million).
func TestHashesSpread(t *testing.T) {
	var buckets [8]float64
	const n = 8000
	for i := range n {
		buckets[Hash(string([]byte{'1', byte('0' + i%10), byte('0' + i/10%10), byte('0' + i/100%10), byte('0' + i/1000)}))%8]++
	}
	chi := 0.0
	for _, got := range buckets {
		chi += math.Pow(got-n/8, 2) / (n / 8)
	}
	if chi > 42.7 {
		t.Errorf("chi-square is %.1f, want at most 42.7: %v", chi, buckets)
	}
}
