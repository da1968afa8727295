package e2e

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/awssim"
)

// unlikely is the chance below which a deviation is no chance.
const unlikely = 1e-6

// least answers of a step, so that its share says something: of a hundred, those of the
// step before or after (25 points off) are further away than unlikely. How fast they come
// is up to the machine; how many there are over the whole shift is held by enoughDraws.
const least = 100

// outcome of one new connection, or of one question: who answered.
type outcome struct {
	began, ended time.Time
	green        bool
}

// span of time in which one split, and no other, was in force.
type span struct {
	from, to time.Time // to is zero when nothing was written after
	weights  string    // blue:green
	percent  int       // green's
}

// spansOf calls: what was live before, and then what each write asked for, from lag after
// its end until the beginning of the next.
func spansOf(s site, blue, green int, calls []awssim.CallEntry, lag time.Duration) []span {
	var first span
	first.weights, first.percent = weightsOf(blue, green)
	out := []span{first}
	for _, c := range calls {
		w, percent := s.asked(c)
		if w == "" || !c.Effect {
			continue
		}
		out[len(out)-1].to = c.Time
		took := time.Duration(c.DurationMS * float64(time.Millisecond))
		// A millisecond, because the log rounds.
		out = append(out, span{from: c.Time.Add(took + lag + time.Millisecond), weights: w, percent: percent})
	}
	return out
}

func (s span) has(o outcome) bool {
	return o.began.After(s.from) && (s.to.IsZero() || o.ended.Before(s.to))
}

// unlike lists the spans whose answers do not follow their weights. What began in one and
// ended in another may be of either and is in none.
func unlike(spans []span, outcomes []outcome) (problems, told []string) {
	for _, s := range spans {
		n, green := 0, 0
		for _, o := range outcomes {
			if s.has(o) {
				n++
				if o.green {
					green++
				}
			}
		}
		p := chance(n, green, float64(s.percent)/100)
		line := fmt.Sprintf("%s: %d of %d by green, chance %.2g", s.weights, green, n, p)
		told = append(told, line)
		if n < least || p < unlikely {
			problems = append(problems, line)
		}
	}
	return problems, told
}

// chance that n draws of probability p give a count as far from the mean as k, on both
// sides: the exact binomial tail, twice.
func chance(n, k int, p float64) float64 {
	switch {
	case p <= 0 || p >= 1:
		if k == int(math.Round(float64(n)*p)) {
			return 1
		}
		return 0
	case float64(k) > float64(n)*p:
		return chance(n, n-k, 1-p)
	}
	tail := 0.0
	for i := range k + 1 {
		tail += math.Exp(choose(n, i) + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return min(1, 2*tail)
}

// choose is the logarithm of n over k.
func choose(n, k int) float64 {
	lgamma := func(i int) float64 { v, _ := math.Lgamma(float64(i + 1)); return v }
	return lgamma(n) - lgamma(k) - lgamma(n-k)
}

func TestChanceIsThatOfTheBinomialDistribution(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		n, k int
		p    float64
		want float64
	}{
		{10, 0, 0.5, 2.0 / 1024},
		{10, 10, 0.5, 2.0 / 1024},
		{10, 5, 0.5, 1},
		{3, 0, 0.25, 2 * 27.0 / 64},
		{100, 0, 0, 1},
		{100, 1, 0, 0},
		{100, 100, 1, 1},
		{100, 99, 1, 0},
		{10_000, 2_500, 0.25, 1},
		{10_000, 2_716, 0.25, 8.1e-7}, // 4.99 standard deviations
	} {
		if got := chance(tc.n, tc.k, tc.p); math.Abs(got-tc.want) > 0.1*tc.want {
			t.Errorf("%d of %d at %v: %.3g, want %.3g", tc.k, tc.n, tc.p, got, tc.want)
		}
	}
}

// drawn are n outcomes in a second, of which every so many-th is green.
func drawn(second, n, every int) []outcome {
	var out []outcome
	for i := range n {
		at := time.Unix(int64(second), int64(i)*1000)
		out = append(out, outcome{at, at.Add(time.Microsecond), every > 0 && i%every == 0})
	}
	return out
}

func TestAnswersThatDoNotFollowTheWeightsAreSeen(t *testing.T) {
	t.Parallel()
	spans := []span{
		{to: time.Unix(10, 0), weights: "100:0"},
		{from: time.Unix(11, 0), to: time.Unix(20, 0), weights: "75:25", percent: 25},
		{from: time.Unix(21, 0), weights: "0:100", percent: 100},
	}
	good := append(append(drawn(5, 1000, 0), drawn(15, 4000, 4)...), drawn(25, 1000, 1)...)
	for name, tc := range map[string]struct {
		outcomes []outcome
		want     int
	}{
		"as the weights say":                    {good, 0},
		"another while it changes":              {append(drawn(20, 1, 1), good...), 0},
		"one of weights that were not written":  {append(drawn(6, 1, 1), good...), 1},
		"one of weights that are over":          {append(drawn(22, 1, 0), good...), 1},
		"equal shares where a quarter was said": {append(drawn(16, 4000, 2), good...), 1},
		"nobody asked":                          {nil, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, _ := unlike(spans, tc.outcomes); len(got) != tc.want {
				t.Errorf("%d problems, want %d: %q", len(got), tc.want, got)
			}
		})
	}
}
