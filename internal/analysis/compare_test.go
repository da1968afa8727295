package analysis

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// choose is the binomial coefficient, exactly.
func choose(n, k int64) *big.Int { return new(big.Int).Binomial(n, k) }

// exactFisher is P(X ≥ a) in whole numbers: the definition, with nothing clever.
func exactFisher(a, n, b, m int64) float64 {
	k, sum := a+b, new(big.Int)
	for x := a; x <= min(n, k); x++ {
		if k-x <= m {
			sum.Add(sum, new(big.Int).Mul(choose(n, x), choose(m, k-x)))
		}
	}
	p, _ := new(big.Rat).SetFrac(sum, choose(n+m, k)).Float64()
	return p
}

func TestFisherAgreesWithWholeNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, m := rapid.Int64Range(1, 400).Draw(t, "n"), rapid.Int64Range(1, 400).Draw(t, "m")
		a, b := rapid.Int64Range(0, n).Draw(t, "a"), rapid.Int64Range(0, m).Draw(t, "b")
		want := exactFisher(a, n, b, m)
		got := fisherTail(float64(a), float64(n), float64(b), float64(m))
		if math.Abs(got-want) > 1e-9*max(want, 1e-12) && math.Abs(math.Log(got)-math.Log(want)) > 1e-9 {
			t.Fatalf("P(%d of %d | %d of %d) = %g, want %g", a, n, b, m, got, want)
		}
	})
}

func TestFisherOfKnownTables(t *testing.T) {
	for name, tc := range map[string]struct{ a, n, b, m, want float64 }{
		// Fisher's lady tasting tea (The Design of Experiments, 1935): 1 in 70, 17 in 70.
		"four of four cups":              {4, 4, 0, 4, 1.0 / 70},
		"three of four cups":             {3, 4, 1, 4, 17.0 / 70},
		"nothing failed":                 {0, 100, 0, 100, 1},
		"one of two failed, on our side": {1, 1, 0, 1, 0.5},
		"everything failed everywhere":   {5, 5, 5, 5, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fisherTail(tc.a, tc.n, tc.b, tc.m); math.Abs(got-tc.want) > 1e-12 {
				t.Errorf("got %g, want %g", got, tc.want)
			}
		})
	}
}

func TestBinomialAgreesWithItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 150).Draw(t, "n")
		a := rapid.Int64Range(0, n).Draw(t, "a")
		p := rapid.Float64Range(0.001, 0.5).Draw(t, "p")
		var want float64
		for x := a; x <= n; x++ {
			c, _ := new(big.Float).SetInt(choose(n, x)).Float64()
			want += c * math.Pow(p, float64(x)) * math.Pow(1-p, float64(n-x))
		}
		if got := binomialTail(float64(a), float64(n), p); math.Abs(got-want) > 1e-9 {
			t.Fatalf("P(X ≥ %d), n %d, p %g = %g, want %g", a, n, p, got, want)
		}
	})
}

func TestMillionsOfRequestsAreCountedInTime(t *testing.T) {
	for name, tc := range map[string]struct {
		now, old Counts
		want     Outcome
	}{
		"2% more of a hundred million":    {Counts{1e8, 3e6}, Counts{1e8, 1e6}, Worse},
		"the same of a hundred million":   {Counts{1e8, 5e7}, Counts{1e8, 5e7}, NotWorse},
		"all failed of a hundred million": {Counts{1e8, 1e8}, Counts{1e8, 0}, Worse},
	} {
		t.Run(name, func(t *testing.T) {
			if got := DefaultComparison().Compare(tc.now, tc.old, Counts{}); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

func TestComparing(t *testing.T) {
	for name, tc := range map[string]struct {
		now, old, before Counts
		want             Outcome
	}{
		"no requests are not worse":                                 {Counts{}, Counts{100, 50}, Counts{}, NotWorse},
		"both without errors":                                       {Counts{100, 0}, Counts{100, 0}, Counts{}, NotWorse},
		"5% against none":                                           {Counts{400, 20}, Counts{400, 0}, Counts{}, Worse},
		"exactly the margin more":                                   {Counts{10000, 100}, Counts{10000, 0}, Counts{}, NotWorse},
		"two of forty can be chance":                                {Counts{40, 2}, Counts{360, 1}, Counts{}, NotWorse},
		"an outage of both sides":                                   {Counts{500, 250}, Counts{500, 240}, Counts{5000, 0}, NotWorse},
		"the old side too small to tell, the level before helps":    {Counts{380, 19}, Counts{20, 0}, Counts{2000, 0}, Worse},
		"the old side failing as much although the level was clean": {Counts{380, 19}, Counts{20, 1}, Counts{2000, 0}, NotWorse},
		"no old side: the level before":                             {Counts{400, 20}, Counts{}, Counts{2000, 0}, Worse},
		"no old side: as bad as before":                             {Counts{400, 20}, Counts{}, Counts{2000, 100}, NotWorse},
		"nothing to compare with and hardly any errors":             {Counts{400, 4}, Counts{}, Counts{}, NotWorse},
		"nothing to compare with and 5% errors":                     {Counts{400, 20}, Counts{}, Counts{}, Worse},
		"one request, failed, against few":                          {Counts{1, 1}, Counts{20, 0}, Counts{}, TooFew},
		"one request, failed, against nothing":                      {Counts{1, 1}, Counts{}, Counts{}, TooFew},
		"three requests, all failed":                                {Counts{3, 3}, Counts{300, 0}, Counts{}, Worse},
		"more connection errors than requests":                      {Counts{0, 50}, Counts{100, 0}, Counts{}, Worse},
	} {
		t.Run(name, func(t *testing.T) {
			if got := DefaultComparison().Compare(tc.now, tc.old, tc.before); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

// drawCounts of one side, errors among requests or not.
func drawCounts(t *rapid.T, name string) Counts {
	return Counts{float64(rapid.IntRange(0, 2000).Draw(t, name+" requests")), float64(rapid.IntRange(0, 300).Draw(t, name+" errors"))}
}

func TestMoreErrorsNeverTurnAFailureIntoAPass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, old, before := drawCounts(t, "now"), drawCounts(t, "old"), drawCounts(t, "before")
		c := Comparison{rapid.Float64Range(0, 0.2).Draw(t, "margin"), rapid.Float64Range(0.001, 0.2).Draw(t, "alpha")}
		if c.Compare(now, old, before) != Worse {
			return
		}
		more := Counts{now.Requests, now.Errors + float64(rapid.IntRange(1, 500).Draw(t, "more"))}
		if got := c.Compare(more, old, before); got != Worse {
			t.Fatalf("%s is worse than %s (before %s), but %s is %d", now, old, before, more, got)
		}
	})
}
