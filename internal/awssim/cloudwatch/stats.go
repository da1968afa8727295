package cloudwatch

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// point is a data point. t is in Unix seconds.
type point struct {
	t int64
	v float64
}

// aggregate is the statistic set of one period of a query.
type aggregate struct {
	sum, min, max, size float64
	samples             []sample
	opaque              bool
}

func newAggregate() aggregate { return aggregate{min: math.Inf(1), max: math.Inf(-1)} }

func (a *aggregate) add(b *bucket) {
	a.sum += b.sum
	a.min = min(a.min, b.min)
	a.max = max(a.max, b.max)
	a.size += b.size
	a.samples = append(a.samples, b.samples...)
	a.opaque = a.opaque || b.opaque
}

// statistic computes one number of a period. ok is false when there is none.
type statistic struct {
	name  string
	kind  byte    // 's'imple, 'p'ercentile, 't'rimmed mean
	level float64 // of p and tm: 0–100
}

var (
	// AWS's spellings: p99, p99.9, p99.99, tm90.
	levelStat = regexp.MustCompile(`^(p|tm)(\d{1,2}(?:\.\d{1,10})?|100)$`)
	// Statistics that AWS knows and the simulator does not have.
	otherStat = regexp.MustCompile(`^(IQM|(tc|ts|wm)\d{1,3}(\.\d+)?|(TM|TC|TS|WM|PR)\(.*\))$`)
)

// simpleStats are the statistics that GetMetricStatistics takes as Statistics.
var simpleStats = []string{"Average", "Maximum", "Minimum", "SampleCount", "Sum"}

// parseStatistic reports a name that AWS has but the simulator has not as NotSimulated,
// and any other with ok = false.
func parseStatistic(name string) (st statistic, ok bool, err error) {
	if slices.Contains(simpleStats, name) {
		return statistic{name: name, kind: 's'}, true, nil
	}
	if m := levelStat.FindStringSubmatch(name); m != nil {
		level, err := strconv.ParseFloat(m[2], 64)
		return statistic{name: name, kind: m[1][0], level: level}, err == nil, nil
	}
	if otherStat.MatchString(name) {
		return statistic{}, false, notSimulated("the statistic %s", name)
	}
	return statistic{}, false, nil
}

func (st statistic) of(a *aggregate) (v float64, ok bool) {
	if a.size <= 0 {
		return 0, false
	}
	if st.kind != 's' {
		if a.opaque || len(a.samples) == 0 {
			return 0, false
		}
		slices.SortFunc(a.samples, func(x, y sample) int { return cmp.Compare(x.value, y.value) })
		if st.kind == 'p' {
			return percentile(a.samples, st.level), true
		}
		return trimmedMean(a.samples, st.level)
	}
	switch st.name {
	case "Average":
		return a.sum / a.size, true
	case "Maximum":
		return a.max, true
	case "Minimum":
		return a.min, true
	case "SampleCount":
		return a.size, true
	default:
		return a.sum, true
	}
}

// sample is a value that was seen weight times.
type sample struct{ value, weight float64 }

// digest is a bounded multiset of values: exact up to maxSamples, then values that
// are close to each other are counted as one.
type digest []sample

const maxSamples = 128

func (d *digest) add(value, weight float64) {
	*d = append(*d, sample{value, weight})
	if len(*d) > maxSamples {
		*d = d.compress()
	}
}

// compress rounds values to a geometric grid, of 0.5% at first, and doubles its width
// until half of the room is free.
func (d *digest) compress() digest {
	for width := 0.005; ; width *= 2 {
		weights := make(map[float64]float64, len(*d))
		for _, s := range *d {
			weights[snap(s.value, width)] += s.weight
		}
		if len(weights) > maxSamples/2 {
			continue
		}
		out := make(digest, 0, len(weights))
		for v, w := range weights {
			out = append(out, sample{v, w})
		}
		slices.SortFunc(out, func(a, b sample) int { return cmp.Compare(a.value, b.value) })
		return out
	}
}

func snap(v, width float64) float64 {
	if v == 0 {
		return 0
	}
	return math.Copysign(math.Exp(math.Round(math.Log(math.Abs(v))/width)*width), v)
}

// percentile is the smallest value that is not below level percent of the samples,
// which are sorted.
func percentile(sorted []sample, level float64) float64 {
	rank := level / 100 * totalWeight(sorted)
	seen := 0.0
	for _, s := range sorted {
		// The tolerance keeps p99 of 100 samples at the 99th despite rounding.
		if seen += s.weight; seen >= rank*(1-1e-12) {
			return s.value
		}
	}
	return sorted[len(sorted)-1].value
}

// trimmedMean is the mean of the lowest level percent of the sorted samples.
func trimmedMean(sorted []sample, level float64) (float64, bool) {
	left := level / 100 * totalWeight(sorted)
	sum, size := 0.0, 0.0
	for _, s := range sorted {
		w := min(s.weight, left)
		sum, size, left = sum+w*s.value, size+w, left-w
	}
	return sum / size, size > 0
}

func totalWeight(samples []sample) float64 {
	total := 0.0
	for _, s := range samples {
		total += s.weight
	}
	return total
}

// units that AWS accepts (StandardUnit).
var units = strings.Fields(`Seconds Microseconds Milliseconds Bytes Kilobytes Megabytes Gigabytes Terabytes
	Bits Kilobits Megabits Gigabits Terabits Percent Count Bytes/Second Kilobytes/Second Megabytes/Second
	Gigabytes/Second Terabytes/Second Bits/Second Kilobits/Second Megabits/Second Gigabits/Second
	Terabits/Second Count/Second None`)
