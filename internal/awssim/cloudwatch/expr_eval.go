package cloudwatch

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// kind is the type of a value, in the words of AWS's documentation: S, TS, TS[].
type kind int

const (
	scalar kind = iota
	timeSeries
	seriesArray
)

func (k kind) String() string { return [...]string{"Scalar", "TimeSeries", "TimeSeries[]"}[k] }

// series is a time series: points ascending in time, none of them NaN or infinite.
type series struct {
	label  string
	period int64 // seconds
	points []point
}

// value of an expression. A scalar that has no value (the average of no points) is
// NaN, and every point computed from it is dropped.
type value struct {
	kind   kind
	num    float64
	series []series // one for timeSeries
}

func scalarOf(v float64) value    { return value{kind: scalar, num: v} }
func seriesOf(s series) value     { return value{kind: timeSeries, series: []series{s}} }
func arrayOf(list []series) value { return value{kind: seriesArray, series: list} }

// maxWork bounds the points that the expressions of one request may compute.
const maxWork = 20_000_000

var errTooMuchWork = errors.New("the expressions of this request compute too many data points; ask for a shorter time or longer periods")

// env is what an expression can see: the other queries and the time window.
type env struct {
	// lookup evaluates another query of the request.
	lookup func(id string) (value, error)
	// metrics are the results of the MetricStat queries with their ids, in order.
	metrics func() ([]string, []series, error)
	// isMetric tells whether an id is a MetricStat query.
	isMetric func(id string) bool
	// grid gives the timestamps of a full series: from start, every period, before end.
	grid func(period int64) (start, end int64)
	// period of a series that is made of a scalar.
	period int64
	work   *int
}

func (v *env) spend(points int) error {
	if *v.work += points; *v.work > maxWork {
		return errTooMuchWork
	}
	return nil
}

func (v *env) eval(e expr) (value, error) {
	switch e := e.(type) {
	case number:
		return scalarOf(float64(e)), nil
	case ref:
		return v.lookup(string(e))
	case negation:
		x, err := v.eval(e.of)
		if err != nil {
			return value{}, err
		}
		return v.mapPoints(x, func(f float64) float64 { return -f })
	case binary:
		left, err := v.eval(e.left)
		if err != nil {
			return value{}, err
		}
		right, err := v.eval(e.right)
		if err != nil {
			return value{}, err
		}
		return v.operate(e.op, left, right)
	case call:
		return e.run(v, e.args)
	case list:
		return v.array(e)
	case text:
		return value{}, fmt.Errorf("unexpected string %q: only METRICS takes one", string(e))
	case keyword:
		return value{}, fmt.Errorf("unexpected %s: only FILL takes it", string(e))
	default:
		return value{}, fmt.Errorf("unexpected %T", e)
	}
}

// array evaluates "[a, b]"; arrays in it are spread out.
func (v *env) array(items list) (value, error) {
	var out []series
	for _, it := range items {
		x, err := v.eval(it)
		if err != nil {
			return value{}, err
		}
		if x.kind == scalar {
			return value{}, errors.New("an array holds time series, not scalars: use TIME_SERIES")
		}
		out = append(out, x.series...)
	}
	return arrayOf(out), nil
}

// operators on two numbers.
var operators = map[string]func(a, b float64) float64{
	"+":   func(a, b float64) float64 { return a + b },
	"-":   func(a, b float64) float64 { return a - b },
	"*":   func(a, b float64) float64 { return a * b },
	"/":   func(a, b float64) float64 { return a / b }, // ±Inf and NaN are dropped
	"^":   math.Pow,
	"<":   func(a, b float64) float64 { return truth(a < b) },
	"<=":  func(a, b float64) float64 { return truth(a <= b) },
	">":   func(a, b float64) float64 { return truth(a > b) },
	">=":  func(a, b float64) float64 { return truth(a >= b) },
	"==":  func(a, b float64) float64 { return truth(a == b) },
	"!=":  func(a, b float64) float64 { return truth(a != b) },
	"AND": func(a, b float64) float64 { return truth(a != 0 && b != 0) },
	"OR":  func(a, b float64) float64 { return truth(a != 0 || b != 0) },
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// compute applies an operator; NaN stands for "no value" and spreads.
func compute(op string, a, b float64) float64 {
	if math.IsNaN(a) || math.IsNaN(b) {
		return math.NaN()
	}
	f := operators[op](a, b)
	if math.IsInf(f, 0) {
		return math.NaN()
	}
	return f
}

// operate applies a binary operator. Between two series, a point that only one of
// them has is computed with 0 for the other. Arrays take part in arithmetic with a
// scalar or a series, element by element, but not with each other.
func (v *env) operate(op string, a, b value) (value, error) {
	arithmetic := strings.Contains("+-*/^", op)
	switch {
	case a.kind == scalar && b.kind == scalar:
		return scalarOf(compute(op, a.num, b.num)), nil
	case a.kind == seriesArray && b.kind == seriesArray,
		!arithmetic && (a.kind == seriesArray || b.kind == seriesArray):
		return value{}, fmt.Errorf("unsupported operand type(s) for %s: '[%s, %s]'", op, a.kind, b.kind)
	}
	many, other, swapped := a, b, false
	if b.kind > a.kind {
		many, other, swapped = b, a, true
	}
	out := make([]series, len(many.series))
	for i, s := range many.series {
		f := func(x, y float64) float64 {
			if swapped {
				x, y = y, x
			}
			return compute(op, x, y)
		}
		var err error
		if out[i], err = v.zip(s, other, f); err != nil {
			return value{}, err
		}
	}
	return value{kind: many.kind, series: out}, nil
}

// zip computes a series with a scalar or with another series.
func (v *env) zip(s series, other value, f func(x, y float64) float64) (series, error) {
	out := series{label: s.label, period: s.period}
	if other.kind == scalar {
		err := v.spend(len(s.points))
		for _, p := range s.points {
			out.add(p.t, f(p.v, other.num))
		}
		return out, err
	}
	o := other.series[0]
	out.period = min(s.period, o.period)
	all := union([]series{s, o})
	if err := v.spend(len(all)); err != nil {
		return out, err
	}
	x, y := cursor{s.points}, cursor{o.points}
	for _, t := range all {
		xv, _ := x.at(t) // 0 when missing
		yv, _ := y.at(t)
		out.add(t, f(xv, yv))
	}
	return out, nil
}

// add appends a point, unless it has no value.
func (s *series) add(t int64, v float64) {
	if !math.IsNaN(v) && !math.IsInf(v, 0) {
		s.points = append(s.points, point{t, v})
	}
}

// mapPoints applies f to every number in x.
func (v *env) mapPoints(x value, f func(float64) float64) (value, error) {
	if x.kind == scalar {
		return scalarOf(f(x.num)), nil
	}
	return v.mapSeries(x, func(s series) series {
		out := series{label: s.label, period: s.period}
		for _, p := range s.points {
			out.add(p.t, f(p.v))
		}
		return out
	})
}

// mapSeries applies f to every series in x, which is not a scalar.
func (v *env) mapSeries(x value, f func(series) series) (value, error) {
	out := make([]series, len(x.series))
	for i, s := range x.series {
		if err := v.spend(len(s.points)); err != nil {
			return value{}, err
		}
		out[i] = f(s)
	}
	return value{kind: x.kind, series: out}, nil
}

// union is all timestamps that any of the series has, ascending.
func union(all []series) []int64 {
	var out []int64
	for _, s := range all {
		for _, p := range s.points {
			out = append(out, p.t)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// cursor reads a series at ascending timestamps.
type cursor struct{ rest []point }

func (c *cursor) at(t int64) (v float64, ok bool) {
	for len(c.rest) > 0 && c.rest[0].t < t {
		c.rest = c.rest[1:]
	}
	if len(c.rest) > 0 && c.rest[0].t == t {
		return c.rest[0].v, true
	}
	return 0, false
}
