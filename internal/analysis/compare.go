package analysis

import (
	"fmt"
	"math"
)

// Comparison decides whether one side's share of errors is worse than another's.
//
// It is worse when both hold: the difference of the shares exceeds Margin (so a
// difference too small to matter never stops a shift, however much traffic proves it),
// and chance hardly explains it (so a few unlucky requests do not). The chance is that
// of Fisher's exact test, one-sided: with the errors of both sides put together and
// dealt at random over all requests, the probability p that the new side gets at least
// as many as it did. It is exact for any counts, small ones included.
//
// A step is looked at again with every window, and who looks often enough finds an
// unlucky moment. So Alpha is what all looks of a step may spend together: look number
// k gets Alpha · 6/(π²k²), the terms of a series whose sum is Alpha, but never less
// than a hundredth of Alpha, so that a side that breaks late is still seen at once.
// While p is below Doubt without being that small, the step waits for more requests
// instead of passing.
//
// Sources: R. A. Fisher, "On the Interpretation of χ² from Contingency Tables", J. R.
// Stat. Soc. 85 (1922); A. Agresti, "Categorical Data Analysis", 3rd ed. (2013), §3.5;
// K. K. G. Lan and D. L. DeMets, "Discrete Sequential Boundaries for Clinical Trials",
// Biometrika 70 (1983), for the spending of Alpha.
type Comparison struct {
	Margin float64 // 0–1; 0.01 is one percentage point
	Alpha  float64 // 0–1: chance that a step of an equal new side fails
	Doubt  float64 // 0–1: p below which a step waits
}

// DefaultComparison tolerates one percentage point. An equal new side fails one step
// in a thousand at most, one shift of ten steps in a hundred.
func DefaultComparison() Comparison { return Comparison{Margin: 0.01, Alpha: 0.001, Doubt: 0.05} }

// level of significance of a step's look number k (1, 2, …).
func (c Comparison) level(k int) float64 {
	return c.Alpha * max(6/(math.Pi*math.Pi*float64(k)*float64(k)), 0.01)
}

// Counts of one side: how many requests, and how many of them were errors.
type Counts struct{ Requests, Errors float64 }

// Add gives the counts of both together.
func (c Counts) Add(o Counts) Counts {
	return Counts{c.Requests + o.Requests, c.Errors + o.Errors}
}

// Share of errors, 0–1; 0 without requests.
func (c Counts) Share() float64 {
	n := c.trials()
	if n == 0 {
		return 0
	}
	return c.Errors / n
}

// trials is never below Errors: a connection error counts an attempt, of which one
// request can make several, and some errors happen to requests that no target was
// chosen for, which RequestCount leaves out.
func (c Counts) trials() float64 { return max(c.Requests, c.Errors) }

// String is "1.25% (5 of 400)".
func (c Counts) String() string {
	return fmt.Sprintf("%.2f%% (%s of %s)", 100*c.Share(), num(c.Errors), num(c.trials()))
}

// Outcome of a comparison.
type Outcome int

// The outcomes, from good to bad.
const (
	NotWorse Outcome = iota
	Doubtful         // beyond the margin, but it could be chance
	Worse
)

// Compare the new side with the old one, in the same window, and with the level before.
// level is the p below which it is Worse.
//
// The margin is taken against the old side when it has requests, so that trouble which
// both sides share (a database) stops nothing. The chance is computed against the old
// side alone while that has at least a quarter of the new side's requests; with fewer
// the test could hardly ever speak, and the level before is added to it. Without any
// requests of either, the new side is held against the margin itself (exact binomial).
func (c Comparison) Compare(now, old, before Counts, level float64) Outcome {
	n := math.Round(now.trials())
	if n == 0 {
		return NotWorse
	}
	ref := old
	if old.trials() == 0 {
		ref = before
	}
	if now.Share()-ref.Share() <= c.Margin {
		return NotWorse
	}
	test := ref
	// Requests, not trials: more errors must not change what they are compared with.
	if old.trials() > 0 && old.trials() < now.Requests/4 {
		test = old.Add(before)
	}
	if c.chance(n, n, test) >= level && c.chance(n, n, Counts{}) < level {
		test = Counts{} // so few that they could not tell even if everything failed
	}
	switch p := c.chance(math.Round(now.Errors), n, test); {
	case p < level:
		return Worse
	// With so few requests that all of them could fail by chance, a failed one is
	// reason enough to wait.
	case p < c.Doubt || c.chance(n, n, test) >= c.Doubt:
		return Doubtful
	}
	return NotWorse
}

func (c Comparison) chance(errors, requests float64, ref Counts) float64 {
	if ref.trials() == 0 {
		return binomialTail(errors, requests, c.Margin)
	}
	return fisherTail(errors, requests, math.Round(ref.Errors), math.Round(ref.trials()))
}

// fisherTail is P(X ≥ a) for X hypergeometric: a errors of n on one side, b of m on the
// other. Terms are summed relative to the first one, whose logarithm comes from lgamma,
// so counts in the millions neither overflow nor underflow.
func fisherTail(a, n, b, m float64) float64 {
	k := a + b
	if a <= max(0, k-m) {
		return 1
	}
	first := lchoose(n, a) + lchoose(m, b) - lchoose(n+m, k)
	return tail(first, a, min(n, k), func(x float64) float64 {
		// P(x+1)/P(x)
		return (n - x) / (x + 1) * (k - x) / (m - k + x + 1)
	})
}

// binomialTail is P(X ≥ a) for n tries of probability p.
func binomialTail(a, n, p float64) float64 {
	switch {
	case a <= 0 || p >= 1:
		return 1
	case p <= 0:
		return 0
	}
	first := lchoose(n, a) + a*math.Log(p) + (n-a)*math.Log1p(-p)
	return tail(first, a, n, func(x float64) float64 {
		return (n - x) / (x + 1) * p / (1 - p)
	})
}

// tail sums exp(first) · (1 + r(from) + r(from)·r(from+1) + …) up to to. Both
// distributions are unimodal, so once the terms fall they only fall further.
func tail(first, from, to float64, ratio func(float64) float64) float64 {
	sum, term := 1.0, 1.0
	for x := from; x < to; x++ {
		r := ratio(x)
		term *= r
		sum += term
		if r < 1 && term < sum*1e-17 {
			break
		}
		if sum > 1e280 { // the mode is far above: the tail is nearly everything
			return 1
		}
	}
	return math.Min(1, math.Exp(first+math.Log(sum)))
}

func lchoose(n, k float64) float64 {
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(n - k + 1)
	return a - b - c
}
