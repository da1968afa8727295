package analysis

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Threshold judges a user's metric against fixed bounds.
type Threshold struct {
	Min, Max *float64 // inclusive; nil: unbounded
	NoData   NoData   // "" is NoDataHold
	// MinRequests of the gaining side that a window needs; 0: not looked at.
	MinRequests int
}

// Sample is what a source gave for one window.
type Sample struct {
	Value    *float64 // nil: no data
	Requests *float64 // of the gaining side; nil: unknown
	// Partial: the source said that there is more to come.
	Partial bool
	Note    string // a word of the source, added to the message
}

// Judge one window. What is not a finite number is no data, never a pass.
func (t Threshold) Judge(w Window, s Sample) Measurement {
	m := Measurement{Start: w.Start, End: w.End}
	verdict, msg := t.judge(w, s, &m)
	if s.Note != "" && verdict != Successful {
		msg += " (" + s.Note + ")"
	}
	m.Verdict, m.Message = verdict, msg
	return m
}

func (t Threshold) judge(w Window, s Sample, m *Measurement) (Verdict, string) {
	if s.Partial {
		return Inconclusive, fmt.Sprintf("the source's answer for %s is incomplete", w)
	}
	if t.MinRequests > 0 {
		switch {
		case s.Requests == nil || !count(*s.Requests):
			return Inconclusive, fmt.Sprintf("the gaining side's requests in %s are not known; %d are needed", w, t.MinRequests)
		case *s.Requests < float64(t.MinRequests):
			return Inconclusive, fmt.Sprintf("the gaining side had %s requests in %s; %d are needed", num(*s.Requests), w, t.MinRequests)
		}
	}
	if s.Value == nil || !finite(*s.Value) {
		return t.noData(w)
	}
	m.Value = s.Value
	v := *s.Value
	switch {
	case t.Min != nil && v < *t.Min:
		return Failed, fmt.Sprintf("%s in %s is below min %s", num(v), w, num(*t.Min))
	case t.Max != nil && v > *t.Max:
		return Failed, fmt.Sprintf("%s in %s is above max %s", num(v), w, num(*t.Max))
	case t.Min == nil && t.Max == nil:
		return Inconclusive, "neither min nor max is set"
	}
	return Successful, ""
}

func (t Threshold) noData(w Window) (Verdict, string) {
	switch t.NoData {
	case NoDataPass:
		return Successful, fmt.Sprintf("no data in %s, which passes by noData: pass", w)
	case NoDataFail:
		return Failed, fmt.Sprintf("no data in %s, which fails by noData: fail", w)
	case NoDataHold:
	}
	return Inconclusive, fmt.Sprintf("no data in %s", w)
}

// Validate names the field that is wrong.
func (t Threshold) Validate() error {
	switch {
	case t.Min == nil && t.Max == nil:
		return fmt.Errorf("min and max are both unset: set at least one of them")
	case t.Min != nil && !finite(*t.Min):
		return fmt.Errorf("min: %v is not a finite number", *t.Min)
	case t.Max != nil && !finite(*t.Max):
		return fmt.Errorf("max: %v is not a finite number", *t.Max)
	case t.Min != nil && t.Max != nil && *t.Min > *t.Max:
		return fmt.Errorf("min: %s is above max %s: no value could pass", num(*t.Min), num(*t.Max))
	case t.MinRequests < 0:
		return fmt.Errorf("minRequests: %d is below 0", t.MinRequests)
	}
	switch t.NoData {
	case "", NoDataHold, NoDataPass, NoDataFail:
		return nil
	}
	return fmt.Errorf("noData: %q is not one of hold, pass, fail", t.NoData)
}

// Reducer makes one value of the points of a window.
type Reducer string

// The reducers, over all points of all series. The empty one is the average of the
// points of a single series and refuses several.
const (
	ReduceAvg  Reducer = "avg"
	ReduceSum  Reducer = "sum"
	ReduceMin  Reducer = "min"
	ReduceMax  Reducer = "max"
	ReduceLast Reducer = "last" // the newest point of a single series
)

// Validate names the values that are possible.
func (r Reducer) Validate() error {
	switch r {
	case "", ReduceAvg, ReduceSum, ReduceMin, ReduceMax, ReduceLast:
		return nil
	}
	return fmt.Errorf("reducer: %q is not one of avg, sum, min, max, last", r)
}

// Reduce the values of each series, oldest first. Values that are not finite numbers
// are left out; nil when nothing is left. Several series without a reducer that can
// join them are an error, whether or not they hold points: reading one of them and
// calling it the metric would be a guess.
func (r Reducer) Reduce(series [][]float64) (*float64, error) {
	if len(series) > 1 && (r == "" || r == ReduceLast) {
		return nil, fmt.Errorf("the query gives %d series: make it give one, or set reducer to avg, sum, min or max", len(series))
	}
	var vs []float64
	for _, s := range series {
		for _, v := range s {
			if finite(v) {
				vs = append(vs, v)
			}
		}
	}
	if len(vs) == 0 {
		return nil, nil //nolint:nilnil // nil is "no data", which is no error
	}
	out := vs[0]
	for _, v := range vs[1:] {
		switch r {
		case ReduceMin:
			out = math.Min(out, v)
		case ReduceMax:
			out = math.Max(out, v)
		case ReduceLast:
			out = v
		case "", ReduceAvg, ReduceSum:
			out += v
		}
	}
	if r == "" || r == ReduceAvg {
		out /= float64(len(vs))
	}
	return &out, nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// count tells whether v can be a number of things.
func count(v float64) bool { return finite(v) && v >= 0 }

// num prints at most 6 significant digits for people, but whole numbers in full.
func num(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	s := strconv.FormatFloat(v, 'g', 6, 64)
	return strings.Replace(s, "e+", "e", 1)
}
