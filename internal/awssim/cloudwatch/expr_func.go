package cloudwatch

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// function of the metric math language.
type function struct {
	minArgs, maxArgs int
	run              func(*env, []expr) (value, error)
}

// functions by name. Only the parser looks here; a call node carries its function.
var functions = makeFunctions()

func makeFunctions() map[string]function {
	fs := map[string]function{
		"FILL":         {2, 2, (*env).fill},
		"IF":           {2, 3, (*env).ifElse},
		"METRICS":      {0, 1, (*env).metricsFunc},
		"METRIC_COUNT": {1, 1, (*env).metricCount},
		"PERIOD":       {1, 1, (*env).periodFunc},
		"TIME_SERIES":  {1, 1, (*env).timeSeries},
	}
	for name, f := range map[string]func([]float64) float64{
		"SUM": sum, "AVG": mean, "MIN": slices.Min[[]float64], "MAX": slices.Max[[]float64],
		"STDDEV":          stddev,
		"DATAPOINT_COUNT": func(v []float64) float64 { return float64(len(v)) },
	} {
		fs[name] = function{1, 1, reducer(name, f)}
	}
	for name, f := range map[string]func(float64) float64{
		"ABS": math.Abs, "CEIL": math.Ceil, "FLOOR": math.Floor, "LOG": math.Log, "LOG10": math.Log10,
	} {
		fs[name] = function{1, 1, mapper(name, func(s series) series {
			out := series{label: s.label, period: s.period}
			for _, p := range s.points {
				out.add(p.t, f(p.v))
			}
			return out
		})}
	}
	for name, f := range map[string]func(series) series{
		"DIFF":      func(s series) series { return steps(s, func(p, q point) float64 { return q.v - p.v }) },
		"DIFF_TIME": func(s series) series { return steps(s, func(p, q point) float64 { return float64(q.t - p.t) }) },
		"RATE": func(s series) series {
			return steps(s, func(p, q point) float64 { return (q.v - p.v) / float64(q.t-p.t) })
		},
		"RUNNING_SUM": runningSum,
	} {
		fs[name] = function{1, 1, mapper(name, f)}
	}
	return fs
}

// awsOnly are functions that CloudWatch has and the simulator has not.
var awsOnly = strings.Fields(`ANOMALY_DETECTION_BAND DATE DAY DB_PERF_INSIGHTS EPOCH FIRST HOUR INSIGHT_RULE_METRIC
	LAMBDA LAST MINUTE MONTH REMOVE_EMPTY SEARCH SERVICE_QUOTA SLICE SORT YEAR`)

// findFunction by its name; the error says which there are.
func findFunction(name string) (function, error) {
	if f, ok := functions[name]; ok {
		return f, nil
	}
	problem := "unknown function " + name
	if slices.Contains(awsOnly, name) {
		problem = "the function " + name + " is not simulated"
	}
	return function{}, fmt.Errorf("%s; simulated are %s", problem, strings.Join(slices.Sorted(maps.Keys(functions)), ", "))
}

// arity words the number of arguments that a function takes.
func (f function) arity() string {
	switch {
	case f.maxArgs == 1 && f.minArgs == 1:
		return "1 argument"
	case f.minArgs == f.maxArgs:
		return fmt.Sprintf("%d arguments", f.minArgs)
	default:
		return fmt.Sprintf("%d to %d arguments", f.minArgs, f.maxArgs)
	}
}

func unsupported(name string, args ...value) error {
	kinds := make([]string, len(args))
	for i, a := range args {
		kinds[i] = a.kind.String()
	}
	return fmt.Errorf("unsupported operand type(s) for %s: '[%s]'", name, strings.Join(kinds, ", "))
}

// reducer makes a function that turns a series into a scalar and an array into one
// series. The reduction is never given an empty list.
func reducer(name string, f func([]float64) float64) func(*env, []expr) (value, error) {
	return func(v *env, args []expr) (value, error) {
		x, err := v.eval(args[0])
		switch {
		case err != nil:
			return value{}, err
		case x.kind == scalar:
			return value{}, unsupported(name, x)
		case x.kind == timeSeries:
			return scalarOf(reducePoints(name, x.series[0].points, f)), v.spend(len(x.series[0].points))
		}
		return v.reduceArray(name, x.series, f)
	}
}

func reducePoints(name string, points []point, f func([]float64) float64) float64 {
	if len(points) == 0 {
		if name == "SUM" || name == "DATAPOINT_COUNT" {
			return 0
		}
		return math.NaN()
	}
	values := make([]float64, len(points))
	for i, p := range points {
		values[i] = p.v
	}
	return f(values)
}

// reduceArray reduces the values that the series have at each timestamp. To AVG a
// missing value is 0, as AWS documents; the others pass over it.
func (v *env) reduceArray(name string, all []series, f func([]float64) float64) (value, error) {
	out := series{label: name, period: v.period}
	times := union(all)
	if err := v.spend(len(times) * len(all)); err != nil {
		return value{}, err
	}
	cursors := make([]cursor, len(all))
	for i, s := range all {
		cursors[i] = cursor{s.points}
		out.period = min(out.period, s.period)
	}
	values := make([]float64, 0, len(all))
	for _, t := range times {
		values = values[:0]
		for i := range cursors {
			if x, ok := cursors[i].at(t); ok || name == "AVG" {
				values = append(values, x)
			}
		}
		out.add(t, f(values))
	}
	return seriesOf(out), nil
}

func sum(values []float64) float64 {
	total := 0.0
	for _, x := range values {
		total += x
	}
	return total
}

func mean(values []float64) float64 { return sum(values) / float64(len(values)) }

func stddev(values []float64) float64 {
	m, total := mean(values), 0.0
	for _, x := range values {
		total += (x - m) * (x - m)
	}
	return math.Sqrt(total / float64(len(values)))
}

// mapper makes a function that turns each series into another one.
func mapper(name string, f func(series) series) func(*env, []expr) (value, error) {
	return func(v *env, args []expr) (value, error) {
		x, err := v.eval(args[0])
		if err != nil {
			return value{}, err
		}
		if x.kind == scalar {
			return value{}, unsupported(name, x)
		}
		return v.mapSeries(x, f)
	}
}

// steps computes a point from each point and the one before it.
func steps(s series, f func(before, p point) float64) series {
	out := series{label: s.label, period: s.period}
	for i := 1; i < len(s.points); i++ {
		out.add(s.points[i].t, f(s.points[i-1], s.points[i]))
	}
	return out
}

func runningSum(s series) series {
	out, total := series{label: s.label, period: s.period}, 0.0
	for _, p := range s.points {
		total += p.v
		out.add(p.t, total)
	}
	return out
}

// metricsFunc is METRICS(): the MetricStat queries, or those whose id contains a text.
func (v *env) metricsFunc(args []expr) (value, error) {
	part := ""
	if len(args) == 1 {
		s, ok := args[0].(text)
		if !ok {
			return value{}, errors.New(`METRICS takes a string, such as METRICS("errors")`)
		}
		part = string(s)
	}
	ids, all, err := v.metrics()
	if err != nil {
		return value{}, err
	}
	var out []series
	for i, id := range ids {
		if strings.Contains(id, part) {
			out = append(out, all[i])
		}
	}
	return arrayOf(out), nil
}

func (v *env) metricCount(args []expr) (value, error) {
	x, err := v.eval(args[0])
	if err != nil {
		return value{}, err
	}
	if x.kind != seriesArray {
		return value{}, unsupported("METRIC_COUNT", x)
	}
	return scalarOf(float64(len(x.series))), nil
}

func (v *env) periodFunc(args []expr) (value, error) {
	id, ok := args[0].(ref)
	if !ok || !v.isMetric(string(id)) {
		return value{}, errors.New("PERIOD takes the id of a metric, not an expression")
	}
	x, err := v.lookup(string(id))
	if err != nil {
		return value{}, err
	}
	return scalarOf(float64(x.series[0].period)), nil
}

func (v *env) timeSeries(args []expr) (value, error) {
	x, err := v.eval(args[0])
	if err != nil {
		return value{}, err
	}
	if x.kind != scalar {
		return value{}, unsupported("TIME_SERIES", x)
	}
	out, err := v.full(series{label: "TIME_SERIES", period: v.period}, func(int64) float64 { return x.num })
	return seriesOf(out), err
}

// full gives a series a point for every period of the window: its own where it has
// one, else what missing says (NaN: none).
func (v *env) full(s series, missing func(t int64) float64) (series, error) {
	out := series{label: s.label, period: s.period}
	start, end := v.grid(s.period)
	if err := v.spend(max(0, int((end-start)/s.period))); err != nil {
		return out, err
	}
	own := cursor{s.points}
	for t := start; t < end; t += s.period {
		x, ok := own.at(t)
		if !ok {
			x = missing(t)
		}
		out.add(t, x)
	}
	return out, nil
}

// fill is FILL(x, S | TS | REPEAT | LINEAR). A time series as filler is for arrays.
func (v *env) fill(args []expr) (value, error) {
	x, err := v.eval(args[0])
	if err != nil {
		return value{}, err
	}
	var filler value
	word, isWord := args[1].(keyword)
	if !isWord {
		if filler, err = v.eval(args[1]); err != nil {
			return value{}, err
		}
	}
	if x.kind == scalar || filler.kind == seriesArray || filler.kind == timeSeries && x.kind != seriesArray {
		return value{}, unsupported("FILL", x, filler)
	}
	out := make([]series, len(x.series))
	for i, s := range x.series {
		var missing func(int64) float64
		switch {
		case word == "REPEAT":
			missing = repeat(s.points)
		case word == "LINEAR":
			missing = interpolate(s.points)
		case filler.kind == scalar:
			missing = func(int64) float64 { return filler.num }
		default:
			missing = lookupPoints(filler.series[0].points)
		}
		if out[i], err = v.full(s, missing); err != nil {
			return value{}, err
		}
	}
	return value{kind: x.kind, series: out}, nil
}

// before is the index of the last point that is earlier than t, -1 if there is none.
func before(points []point, t int64) int {
	i, _ := slices.BinarySearchFunc(points, t, func(p point, t int64) int { return int(p.t - t) })
	return i - 1
}

func repeat(points []point) func(int64) float64 {
	return func(t int64) float64 {
		if i := before(points, t); i >= 0 {
			return points[i].v
		}
		return math.NaN()
	}
}

func interpolate(points []point) func(int64) float64 {
	return func(t int64) float64 {
		i := before(points, t)
		if i < 0 || i+1 >= len(points) {
			return math.NaN()
		}
		p, q := points[i], points[i+1]
		return p.v + (q.v-p.v)*float64(t-p.t)/float64(q.t-p.t)
	}
}

func lookupPoints(points []point) func(int64) float64 {
	return func(t int64) float64 {
		if i := before(points, t) + 1; i < len(points) && points[i].t == t {
			return points[i].v
		}
		return math.NaN()
	}
}

// ifElse is IF(condition, a[, b]). Where the condition is a series, the result has
// only its timestamps: true without a point in a gives 0, false without a point in b
// (or without b) gives none, as AWS documents.
func (v *env) ifElse(args []expr) (value, error) {
	vals := make([]value, len(args))
	for i, a := range args {
		var err error
		if vals[i], err = v.eval(a); err != nil {
			return value{}, err
		}
		if vals[i].kind == seriesArray {
			return value{}, unsupported("IF", vals[:i+1]...)
		}
	}
	cond := vals[0]
	if cond.kind == scalar {
		return v.ifScalar(cond.num, vals[1:])
	}
	out := series{label: cond.series[0].label, period: cond.series[0].period}
	if err := v.spend(len(cond.series[0].points)); err != nil {
		return value{}, err
	}
	yes, no := reader(vals[1]), func(int64) (float64, bool) { return 0, false }
	if len(vals) == 3 {
		no = reader(vals[2])
	}
	for _, p := range cond.series[0].points {
		if p.v != 0 {
			x, _ := yes(p.t)
			out.add(p.t, x)
		} else if x, ok := no(p.t); ok {
			out.add(p.t, x)
		}
	}
	return seriesOf(out), nil
}

func (v *env) ifScalar(cond float64, branches []value) (value, error) {
	switch {
	case math.IsNaN(cond):
		return seriesOf(series{label: "IF", period: v.period}), nil
	case cond != 0:
		return branches[0], nil
	case len(branches) == 2:
		return branches[1], nil
	default:
		return seriesOf(series{label: "IF", period: v.period}), nil
	}
}

// reader reads a scalar or a series at ascending timestamps.
func reader(x value) func(t int64) (float64, bool) {
	if x.kind == scalar {
		return func(int64) (float64, bool) { return x.num, true }
	}
	c := cursor{x.series[0].points}
	return c.at
}
