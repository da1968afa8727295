package analysis

import (
	"math"
	"math/big"
	"math/rand/v2"
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
			if got := DefaultComparison().Compare(tc.now, tc.old, Counts{}, 1e-9); got != tc.want {
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
		"one of forty is chance":                                    {Counts{40, 1}, Counts{360, 4}, Counts{}, NotWorse},
		"two of forty may be chance":                                {Counts{40, 2}, Counts{360, 1}, Counts{}, Doubtful},
		"an outage of both sides":                                   {Counts{500, 250}, Counts{500, 240}, Counts{5000, 0}, NotWorse},
		"the old side too small to tell, the level before helps":    {Counts{380, 19}, Counts{20, 0}, Counts{2000, 0}, Worse},
		"the old side failing as much although the level was clean": {Counts{380, 19}, Counts{20, 1}, Counts{2000, 0}, NotWorse},
		"no old side: the level before":                             {Counts{400, 20}, Counts{}, Counts{2000, 0}, Worse},
		"no old side: as bad as before":                             {Counts{400, 20}, Counts{}, Counts{2000, 100}, NotWorse},
		"nothing to compare with and hardly any errors":             {Counts{400, 4}, Counts{}, Counts{}, NotWorse},
		"nothing to compare with and 5% errors":                     {Counts{400, 20}, Counts{}, Counts{}, Worse},
		"one request, failed, against few":                          {Counts{1, 1}, Counts{20, 0}, Counts{}, Doubtful},
		"one request, failed, against nothing":                      {Counts{1, 1}, Counts{}, Counts{}, Doubtful},
		"three requests, all failed":                                {Counts{3, 3}, Counts{300, 0}, Counts{}, Worse},
		"more connection errors than requests":                      {Counts{0, 50}, Counts{100, 0}, Counts{}, Worse},
	} {
		t.Run(name, func(t *testing.T) {
			if got := DefaultComparison().Compare(tc.now, tc.old, tc.before, 0.001); got != tc.want {
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
		c := Comparison{Margin: rapid.Float64Range(0, 0.2).Draw(t, "margin"), Doubt: 0.05}
		level := rapid.Float64Range(1e-6, 0.2).Draw(t, "level")
		was := c.Compare(now, old, before, level)
		more := Counts{now.Requests, now.Errors + float64(rapid.IntRange(1, 500).Draw(t, "more"))}
		if got := c.Compare(more, old, before, level); was == Worse && got != Worse {
			t.Fatalf("%s is worse than %s (before %s), but %s is %d", now, old, before, more, got)
		}
	})
}

// honest counts of n requests at a rate of errors.
func honest(r *rand.Rand, n int, rate float64) (requests, errors float64) {
	for range n {
		if r.Float64() < rate {
			errors++
		}
	}
	return float64(n), errors
}

// rolledBack tells whether a shift of ten steps to a side with this rate of errors
// fails. Each step has some windows of n requests, and up to ten more while it waits.
func rolledBack(r *rand.Rand, n, windows int, blue, green float64) bool {
	const held = 10
	requests, errors := honest(r, baselineWindows*n, blue)
	before := ALBWindow{Window: minutes(-baselineWindows, 0), Complete: true, Losing: []ALBDestination{{Requests: new(requests), Errors: new(errors)}}}
	for percent := 10; percent <= 100; percent += 10 {
		s := ALBStep{Before: before}
		for k := 0; ; k++ {
			w := blueGreen(k, 0, 0)
			*w.Gaining[0].Requests, errors = honest(r, n*percent/100, green)
			w.Gaining[0].Errors = new(errors)
			if old := n - n*percent/100; old > 0 {
				*w.Losing[0].Requests, errors = honest(r, old, blue)
				w.Losing[0].Errors = new(errors)
			} else {
				w.Losing[0].Requests = nil
			}
			s.Windows = append(s.Windows, w)
			m := judge(1).TargetErrors(s)
			if m.Verdict == Failed || k >= windows+held {
				return true
			}
			if k >= windows-1 && m.Verdict == Successful {
				break
			}
		}
	}
	return false
}

// baselineWindows is how many windows before the shift are known.
const baselineWindows = 5

func TestAnEqualSideIsRarelyRolledBackAndABrokenOneAlways(t *testing.T) {
	const shifts = 200
	r := rand.New(rand.NewPCG(20260701, 1)) // the same numbers in every run
	for _, tc := range []struct {
		n           int
		blue, green float64
		least, most int // of all shifts, rolled back
	}{
		{100, 0, 0, 0, 0},
		{400, 0.001, 0.001, 0, 4},
		{100, 0.01, 0.01, 0, 4},
		{400, 0.01, 0.01, 0, 4},
		{2000, 0.01, 0.01, 0, 4},
		{400, 0.05, 0.05, 0, 6},
		{2000, 0.05, 0.05, 0, 6},
		{100, 0, 0.05, shifts, shifts},
		{400, 0, 0.05, shifts, shifts},
		{400, 0.01, 0.05, shifts, shifts},
		{2000, 0.001, 0.03, shifts, shifts},
	} {
		for _, windows := range []int{1, 5} {
			failed := 0
			for range shifts {
				if rolledBack(r, tc.n, windows, tc.blue, tc.green) {
					failed++
				}
			}
			if failed < tc.least || failed > tc.most {
				t.Errorf("%d requests and %d windows, %g%% errors against %g%%: %d of %d rolled back, want %d–%d",
					tc.n, windows, 100*tc.green, 100*tc.blue, failed, shifts, tc.least, tc.most)
			}
		}
	}
}

// One good request before the shift says nothing: it must not keep a new side that fails
// every request from going back.
func TestAReferenceThatCannotSpeakIsNotWaitedFor(t *testing.T) {
	c := DefaultComparison()
	for what, tc := range map[string]struct {
		now, old, before Counts
		want             Outcome
	}{
		"all of 100 fail, one went well before": {Counts{100, 100}, Counts{}, Counts{1, 0}, Worse},
		"all of 100 fail, one goes well beside": {Counts{100, 100}, Counts{1, 0}, Counts{}, Worse},
		"all of 1 fails, one went well before":  {Counts{1, 1}, Counts{}, Counts{1, 0}, Doubtful},
		"one of 5 fails, three went well":       {Counts{5, 1}, Counts{}, Counts{3, 0}, Doubtful},
		"all of 100 fail, and so did the one":   {Counts{100, 100}, Counts{}, Counts{1, 1}, NotWorse},
		"none of 100 fails":                     {Counts{100, 0}, Counts{}, Counts{1, 0}, NotWorse},
	} {
		if got := c.Compare(tc.now, tc.old, tc.before, c.level(1)); got != tc.want {
			t.Errorf("%s: %v, want %v", what, got, tc.want)
		}
	}
}
