package analysis

import (
	"fmt"
	"math"
)

// Comparison decides whether one side's share of errors is worse than another's.
//
// It is worse when both hold: the difference of the shares exceeds Margin (so a
// difference too small to matter never stops a shift, however much traffic proves it),
// and chance alone would give such a table with a probability below Alpha (so a few
// unlucky requests do not). The probability is that of Fisher's exact test, one-sided:
// with the errors of both sides put together and dealt at random over all requests, the
// chance that the new side gets at least as many as it did. It is exact for any counts,
// small ones included.
//
// Source: R. A. Fisher, "On the Interpretation of χ² from Contingency Tables", J. R.
// Stat. Soc. 85 (1922); A. Agresti, "Categorical Data Analysis", 3rd ed. (2013), §3.5.
type Comparison struct {
	Margin float64 // 0–1; 0.01 is one percentage point
	Alpha  float64 // 0–1
}

// DefaultComparison tolerates one percentage point and asks for 99% confidence.
func DefaultComparison() Comparison { return Comparison{Margin: 0.01, Alpha: 0.01} }

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

// The outcomes.
const (
	NotWorse Outcome = iota
	// TooFew: beyond the margin, but so few requests that even if all had failed
	// it could be chance.
	TooFew
	Worse
)

// Compare the new side with the old one, in the same window, and with the level before.
//
// The margin is taken against the old side when it has requests, so that trouble which
// both sides share (a database) stops nothing. The chance is computed against the old
// side alone while that has at least a quarter of the new side's requests; with fewer
// the test could hardly ever speak, and the level before is added to it. Without any
// requests of either, the new side is held against the margin itself (exact binomial).
func (c Comparison) Compare(now, old, before Counts) Outcome {
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
	a := math.Round(now.Errors)
	alpha := c.Alpha * (1 - 1e-9) // so that rounding never makes "equal" into "below"
	if c.chance(a, n, test) < alpha {
		return Worse
	}
	if c.chance(n, n, test) >= alpha {
		return TooFew
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
