package cloudwatch

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// nan marks a missing point in the tables of this file.
var nan = math.NaN()

// evalWith evaluates an expression over series with a period of 60 s, one value for
// each minute from 0, NaN for none.
func evalWith(expression string, metrics map[string][]float64) (value, error) {
	return evalAfter(0, expression, metrics)
}

// evalAfter is evalWith when other expressions have computed so many points before.
func evalAfter(points int, expression string, metrics map[string][]float64) (value, error) {
	parsed, err := parseExpr(expression)
	if err != nil {
		return value{}, err
	}
	minutes, ids := 0, []string{}
	all := map[string]series{}
	for id, values := range metrics {
		s := series{label: id, period: 60}
		for i, v := range values {
			s.add(int64(i)*60, v)
		}
		all[id] = s
		ids = append(ids, id)
		minutes = max(minutes, len(values))
	}
	slices.Sort(ids)
	e := &env{
		lookup: func(id string) (value, error) {
			s, ok := all[id]
			if !ok {
				return value{}, fmt.Errorf("unknown id %s", id)
			}
			return seriesOf(s), nil
		},
		metrics: func() (out []string, list []series, err error) {
			for _, id := range ids {
				list = append(list, all[id])
			}
			return ids, list, nil
		},
		isMetric: func(id string) bool { return all[id].period > 0 },
		grid:     func(int64) (start, end int64) { return 0, int64(minutes) * 60 },
		period:   60,
		work:     new(points),
	}
	return e.eval(parsed)
}

// row writes a value as the tables do: "S 3", "TS 1 - 3", "TS[] 1 2 | 3 4".
func row(v value, minutes int) string {
	if v.kind == scalar {
		return fmt.Sprintf("S %g", v.num)
	}
	rows := make([]string, len(v.series))
	for i, s := range v.series {
		cells := slices.Repeat([]string{"-"}, minutes)
		for _, p := range s.points {
			cells[p.t/60] = fmt.Sprintf("%g", p.v)
		}
		rows[i] = strings.Join(cells, " ")
	}
	name := map[kind]string{timeSeries: "TS ", seriesArray: "TS[] "}[v.kind]
	return name + strings.Join(rows, " | ")
}

func TestExpressions(t *testing.T) {
	metrics := map[string][]float64{
		"m1":  {1, 2, 3, 4},
		"m2":  {10, nan, 0, nan},
		"no":  {nan, nan, nan, nan},
		"gap": {nan, 2, nan, 8},
		// The examples of AWS's documentation of comparisons and of IF.
		"metric1": {30, 20, 0, 0},
		"metric2": {20, nan, 20, nan},
		"c":       {1, 1, 0, 0, nan},
		"yes":     {30, nan, 0, 0, 30},
		"other":   {0, 0, 20, nan, 20},
	}
	for expression, want := range map[string]string{
		"1 + 2 * 3":            "S 7",
		"(1 + 2) * 3":          "S 9",
		"10 - 4 - 3":           "S 3",
		"-2 ^ 2":               "S -4",
		"2 ^ 3 ^ 2":            "S 512",
		"2 ^ -1":               "S 0.5",
		"--1.5e1":              "S 15",
		"1 / 0":                "S NaN",
		"1 < 2 && 3 >= 3":      "S 1",
		"1 > 2 OR 0 AND 1":     "S 0",
		"1 == 1 || 1 != 1":     "S 1",
		"1 + 1 < 3":            "S 1",
		"m1":                   "TS 1 2 3 4 -",
		"-m1":                  "TS -1 -2 -3 -4 -",
		"m1 + m2":              "TS 11 2 3 4 -",
		"m2 - m1":              "TS 9 -2 -3 -4 -",
		"m1 / m2":              "TS 0.1 - - - -",
		"m2 / m1":              "TS 10 0 0 0 -",
		"100 / m1":             "TS 100 50 33.333333333333336 25 -",
		"no + 1":               "TS - - - - -",
		"no + m1":              "TS 1 2 3 4 -",
		"m1 / (m1 - m1)":       "TS - - - - -",
		"m1 - AVG(m1)":         "TS -1.5 -0.5 0.5 1.5 -",
		"m1 - AVG(no)":         "TS - - - - -",
		"m1 + SUM(no)":         "TS 1 2 3 4 -",
		"(metric1 < metric2)":  "TS 0 0 1 0 -",
		"(metric1 >= 30)":      "TS 1 0 0 0 -",
		"30 <= metric1":        "TS 1 0 0 0 -",
		"IF(c, yes, other)":    "TS 30 0 20 - -",
		"IF(c, 5, other)":      "TS 5 5 20 - -",
		"IF(c, yes, 5)":        "TS 30 0 5 5 -",
		"IF(c, yes)":           "TS 30 0 - - -",
		"IF(m1 < 3, m1)":       "TS 1 2 - - -",
		"IF(m1 < 3, 10, 2)":    "TS 10 10 2 2 -",
		"IF(1, m1, m2)":        "TS 1 2 3 4 -",
		"IF(0, m1, m2)":        "TS 10 - 0 - -",
		"IF(0, m1)":            "TS - - - - -",
		"IF(AVG(no) > 1, m1)":  "TS - - - - -",
		"FILL(m2, 0)":          "TS 10 0 0 0 0",
		"FILL(m2, REPEAT)":     "TS 10 10 0 0 0",
		"FILL(gap, REPEAT)":    "TS - 2 2 8 8",
		"FILL(gap, LINEAR)":    "TS - 2 5 8 -",
		"FILL(no, 1)":          "TS 1 1 1 1 1",
		"FILL(m2, MAX(m1))":    "TS 10 4 0 4 4",
		"FILL([m2,gap], m1)":   "TS[] 10 2 0 4 - | 1 2 3 8 -",
		"SUM(m1)":              "S 10",
		"AVG(gap)":             "S 5",
		"MIN(m1)":              "S 1",
		"MAX(m2)":              "S 10",
		"DATAPOINT_COUNT(gap)": "S 2",
		"PERIOD(m1)":           "S 60",
		"STDDEV([m1])":         "TS 0 0 0 0 -",
		"SUM([m1, m2])":        "TS 11 2 3 4 -",
		"AVG([m1, gap])":       "TS 0.5 2 1.5 6 -",
		"MIN([m1, m2])":        "TS 1 2 0 4 -",
		"MAX([m1, m2])":        "TS 10 2 3 4 -",
		"SUM([no])":            "TS - - - - -",
		"SUM([])":              "TS - - - - -",
		"[m1, [m2, gap]] * 2":  "TS[] 2 4 6 8 - | 20 - 0 - - | - 4 - 16 -",
		"SUM(100/[m1, m2])":    "TS 110 50 33.333333333333336 25 -",
		"[m1] / m2":            "TS[] 0.1 - - - -",
		"m1 - [m2]":            "TS[] -9 2 3 4 -",
		`METRICS("m")`:         "TS[] 1 2 3 4 - | 10 - 0 - - | 30 20 0 0 - | 20 - 20 - -",
		`METRICS('gap')`:       "TS[] - 2 - 8 -",
		`SUM(METRICS("zzz"))`:  "TS - - - - -",

		"SUM([METRICS(\"m1\"), METRICS(\"gap\")])":  "TS 1 4 3 12 -",
		"m1/METRIC_COUNT(METRICS(\"metric\"))":      "TS 0.5 1 1.5 2 -",
		"DATAPOINT_COUNT([m1, gap])":                "TS 1 2 1 2 -",
		"(metric1 > 15 AND metric2 > 15)":           "TS 1 0 0 0 -",
		"ABS(-m1)":                                  "TS 1 2 3 4 -",
		"CEIL(m1/2)":                                "TS 1 1 2 2 -",
		"FLOOR(m1/2)":                               "TS 0 1 1 2 -",
		"LOG10(m2)":                                 "TS 1 - - - -",
		"RATE(gap)":                                 "TS - - - 0.05 -",
		"DIFF(m1)":                                  "TS - 1 1 1 -",
		"DIFF_TIME(gap)":                            "TS - - - 120 -",
		"RUNNING_SUM([m1])":                         "TS[] 1 3 6 10 -",
		"TIME_SERIES(MAX(m1))":                      "TS 4 4 4 4 4",
		"TIME_SERIES(AVG(no))":                      "TS - - - - -",
		" 100\n*\tFILL( m2 , 0 ) / m1 ":             "TS 1000 0 0 0 -",
		"IF(m1>2, 100*FILL(m2,0)/m1)":               "TS - - 0 0 -",
		"IF(m1 > 1 AND FILL(gap, 0) > 1, 1, 0)":     "TS 0 1 0 1 0",
		"m1+m1+m1-m1*m1/m1":                         "TS 2 4 6 8 -",
		"((((((((((m1))))))))))":                    "TS 1 2 3 4 -",
		".5 * m1 + 1.":                              "TS 1.5 2 2.5 3 -",
		"m1*1E2":                                    "TS 100 200 300 400 -",
		"1" + strings.Repeat("+1", 1000):            "S 1001",
		"FILL(m1, REPEAT) + FILL(TIME_SERIES(1),0)": "TS 2 3 4 5 5",
	} {
		t.Run(expression, func(t *testing.T) {
			v, err := evalWith(expression, metrics)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, row(v, 5)); d != "" {
				t.Errorf("result (-want +got):\n%s", d)
			}
		})
	}
}

func TestBadExpressionsSayWhatIsWrong(t *testing.T) {
	metrics := map[string][]float64{"m1": {1}, "m2": {2}}
	for expression, says := range map[string]string{
		"":                           "unexpected the end",
		"m1 +":                       "unexpected the end",
		"m1 m2":                      `unexpected "m2" at position 4`,
		"(m1":                        `expected ")", found the end`,
		"m1)":                        `unexpected ")" at position 3`,
		"[m1":                        `expected "," or "]"`,
		"SUM(m1":                     `expected "," or ")"`,
		"m1 ? m2":                    `unexpected character '?' at position 4`,
		"m1 = m2":                    `unexpected character '='`,
		"m1 & m2":                    `unexpected character '&'`,
		"é":                          `unexpected character 'é'`,
		`METRICS("a)`:                "has no end",
		"1.2.3":                      `unexpected ".3"`,
		".":                          "is not a number",
		"M1":                         "lowercase",
		"AND m1":                     "lowercase",
		"m1 AND":                     "unexpected the end",
		"MEDIAN(m1)":                 "unknown function MEDIAN; simulated are ABS, AVG",
		"SORT(METRICS(), SUM, DESC)": "the function SORT is not simulated",
		"FILL(m1)":                   "FILL takes 2 arguments, got 1",
		"IF(m1)":                     "IF takes 2 to 3 arguments, got 1",
		"SUM(m1, m2)":                "SUM takes 1 argument, got 2",
		"SUM(1)":                     "unsupported operand type(s) for SUM: '[Scalar]'",
		"ABS(1)":                     "for ABS",
		"[1, m1]":                    "TIME_SERIES",
		"[m1] + [m2]":                "for +: '[TimeSeries[], TimeSeries[]]'",
		"[m1] > 1":                   "for >: '[TimeSeries[], Scalar]'",
		"FILL(1, 0)":                 "for FILL",
		"FILL(m1, m2)":               "for FILL",
		"FILL(m1, ZERO)":             "lowercase",
		"FILL(m1, [m2])":             "for FILL",
		"IF([m1], 1, 0)":             "for IF",
		"REPEAT + m1":                "only FILL takes it",
		`"text" + m1`:                "only METRICS takes one",
		"METRICS(m1)":                "METRICS takes a string",
		"METRIC_COUNT(m1)":           "for METRIC_COUNT",
		"PERIOD(m1+m2)":              "PERIOD takes the id",
		"TIME_SERIES(m1)":            "for TIME_SERIES",
		"SELECT AVG(x) FROM y":       "Metrics Insights",
		strings.Repeat("(", 2000):    "nested deeper than 100",
		strings.Repeat("-", 2000):    "nested deeper than 100",
		strings.Repeat("[", 2000):    "nested deeper than 100",
		strings.Repeat("1^", 1000):   "nested deeper than 100",
		strings.Repeat("ABS(", 500):  "nested deeper than 100",
	} {
		t.Run(expression[:min(len(expression), 30)], func(t *testing.T) {
			v, err := evalWith(expression, metrics)
			if err == nil {
				t.Fatalf("result %v, want an error that says %q", v, says)
			}
			if !strings.Contains(err.Error(), says) {
				t.Errorf("error %q does not say %q", err, says)
			}
		})
	}
}

func TestWorkIsBounded(t *testing.T) {
	metrics := map[string][]float64{}
	for i := range 60 {
		metrics[fmt.Sprintf("m%d", i)] = make([]float64, 500)
	}
	e := "SUM(METRICS())" + strings.Repeat("+SUM(METRICS())", 10)
	if _, err := evalAfter(maxWork-1_000_000, e, metrics); err != nil {
		t.Errorf("fewer points than are left: %v", err)
	}
	if _, err := evalAfter(maxWork-100_000, e, metrics); err == nil || err.Error() != errTooMuchWork.Error() {
		t.Errorf("more points than are left: error %v, want %v", err, errTooMuchWork)
	}
}

func FuzzExpression(f *testing.F) {
	for _, seed := range []string{
		"100*FILL(e5xx,0)/req", "IF(req>0, 100*FILL(m1,0)/m2)", `SUM(METRICS("m"))`, "[m1,[m2]]^-2", "m1>1&&m2!=.5e-3 OR 1",
		"FILL(METRICS(),LINEAR)", "TIME_SERIES(PERIOD(m1))", "((((", "\"", "1e999", "-m1^2",
	} {
		f.Add(seed)
	}
	metrics := map[string][]float64{"m1": {1, nan, 3}, "m2": {0, -2}}
	f.Fuzz(func(t *testing.T, expression string) {
		v, err := evalWith(expression, metrics)
		if err != nil {
			return
		}
		for _, s := range v.series {
			for i, p := range s.points {
				if !finite(p.v) {
					t.Errorf("%q has the point %v", expression, p)
				}
				if i > 0 && p.t <= s.points[i-1].t {
					t.Errorf("%q has %v after %v", expression, p, s.points[i-1])
				}
			}
		}
	})
}

// node is the naive twin of a parsed expression: it writes itself as text and
// computes itself minute by minute, with maps and without types.
type node struct {
	text   string
	scalar bool
	// at is the value at a minute; ok is false where there is none.
	at func(minute int) (v float64, ok bool)
}

// twin draws an arithmetic expression and its naive evaluation.
func twin(t *rapid.T, metrics map[string][]float64, depth int) node {
	if depth == 0 || rapid.IntRange(0, 4).Draw(t, "leaf") == 0 {
		if rapid.Bool().Draw(t, "scalar") {
			n := float64(rapid.IntRange(0, 5).Draw(t, "number"))
			return node{fmt.Sprint(n), true, func(int) (float64, bool) { return n, true }}
		}
		id := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "id")
		return node{id, false, func(m int) (float64, bool) { v := metrics[id][m]; return v, !math.IsNaN(v) }}
	}
	x := twin(t, metrics, depth-1)
	if rapid.IntRange(0, 5).Draw(t, "unary") == 0 {
		return node{"-(" + x.text + ")", x.scalar, func(m int) (float64, bool) { v, ok := x.at(m); return -v, ok }}
	}
	y := twin(t, metrics, depth-1)
	op := rapid.SampledFrom([]string{"+", "-", "*", "/", "<", ">=", "==", "!=", "AND", "||"}).Draw(t, "op")
	return node{"(" + x.text + ") " + op + " (" + y.text + ")", x.scalar && y.scalar, func(m int) (float64, bool) {
		xv, xok := x.at(m)
		yv, yok := y.at(m)
		switch {
		case !xok && !yok, !xok && (y.scalar || x.scalar), !yok && (x.scalar || y.scalar):
			return 0, false // nothing there, or the only series has no point
		case !xok:
			xv = 0
		case !yok:
			yv = 0
		}
		return naive(op, xv, yv)
	}}
}

func naive(op string, x, y float64) (float64, bool) {
	yes := map[string]bool{"<": x < y, ">=": x >= y, "==": x == y, "!=": x != y, "AND": x != 0 && y != 0, "||": x != 0 || y != 0}
	switch op {
	case "+":
		return x + y, true
	case "-":
		return x - y, true
	case "*":
		return x * y, true
	case "/":
		return x / y, y != 0
	}
	if yes[op] {
		return 1, true
	}
	return 0, true
}

func TestEvaluatorAgreesWithANaiveTwin(t *testing.T) {
	const minutes = 4
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.Custom(func(t *rapid.T) float64 {
			if rapid.IntRange(0, 2).Draw(t, "missing") == 0 {
				return nan
			}
			return float64(rapid.IntRange(-3, 9).Draw(t, "value"))
		})
		metrics := map[string][]float64{}
		for _, id := range []string{"a", "b", "c"} {
			metrics[id] = rapid.SliceOfN(cell, minutes, minutes).Draw(t, id)
		}
		want := twin(t, metrics, 4)
		got, err := evalWith(want.text, metrics)
		if err != nil {
			t.Fatalf("%s: %v", want.text, err)
		}
		if (got.kind == scalar) != want.scalar {
			t.Fatalf("%s is a %s", want.text, got.kind)
		}
		for m := range minutes {
			v, ok := got.num, !math.IsNaN(got.num)
			if got.kind != scalar {
				c := cursor{got.series[0].points}
				v, ok = c.at(int64(m) * 60)
			}
			wantV, wantOK := want.at(m)
			if ok != wantOK || ok && math.Abs(v-wantV) > 1e-9*max(1, math.Abs(wantV)) {
				t.Fatalf("%s at minute %d of %v: %v, %v; want %v, %v", want.text, m, metrics, v, ok, wantV, wantOK)
			}
		}
	})
}
