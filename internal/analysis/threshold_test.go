package analysis

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(minute int) time.Time { return time.Date(2026, 7, 1, 12, minute, 0, 0, time.UTC) }

func minutes(from, to int) Window { return Window{at(from), at(to)} }

func TestM01_UnsetBoundsAreNotZero(t *testing.T) {
	for name, tc := range map[string]struct {
		threshold Threshold
		value     float64
		want      Verdict
	}{
		"min alone does not bound above": {Threshold{Min: new(99.0)}, 99.9, Successful},
		"min alone bounds below":         {Threshold{Min: new(99.0)}, 98.9, Failed},
		"max alone does not bound below": {Threshold{Max: new(1.0)}, -5, Successful},
		"max alone bounds above":         {Threshold{Max: new(1.0)}, 1.1, Failed},
		"max 0 is a bound":               {Threshold{Max: new(0.0)}, 0.1, Failed},
		"bounds are inclusive":           {Threshold{Min: new(1.0), Max: new(1.0)}, 1, Successful},
		"no bound at all never passes":   {Threshold{}, 1, Inconclusive},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.threshold.Judge(minutes(0, 1), Sample{Value: &tc.value}); got.Verdict != tc.want {
				t.Errorf("got %s (%s), want %s", got.Verdict, got.Message, tc.want)
			}
		})
	}
}

func TestM08_NoDataFollowsThePolicy(t *testing.T) {
	for name, tc := range map[string]struct {
		policy      NoData
		minRequests int
		sample      Sample
		want        Verdict
		message     string
	}{
		"hold is the default":                      {"", 0, Sample{}, Inconclusive, "no data in 12:00:00–12:01:00Z"},
		"hold":                                     {NoDataHold, 0, Sample{}, Inconclusive, "no data"},
		"pass, and it is said":                     {NoDataPass, 0, Sample{}, Successful, "passes by noData: pass"},
		"fail":                                     {NoDataFail, 0, Sample{}, Failed, "fails by noData: fail"},
		"too few requests hold, with the counts":   {NoDataPass, 50, Sample{Value: new(0.0), Requests: new(3.0)}, Inconclusive, "3 requests in 12:00:00–12:01:00Z; 50 are needed"},
		"unknown requests hold":                    {NoDataPass, 50, Sample{Value: new(0.0)}, Inconclusive, "are not known"},
		"requests that are no count hold":          {NoDataPass, 50, Sample{Value: new(0.0), Requests: new(math.NaN())}, Inconclusive, "are not known"},
		"enough requests are judged":               {NoDataHold, 50, Sample{Value: new(0.0), Requests: new(50.0)}, Successful, ""},
		"an incomplete answer holds, data or none": {NoDataPass, 0, Sample{Value: new(0.0), Partial: true}, Inconclusive, "incomplete"},
		"the source's words are in the message":    {NoDataHold, 0, Sample{Note: "late today"}, Inconclusive, "(late today)"},
	} {
		t.Run(name, func(t *testing.T) {
			th := Threshold{Max: new(1.0), NoData: tc.policy, MinRequests: tc.minRequests}
			got := th.Judge(minutes(0, 1), tc.sample)
			if got.Verdict != tc.want || !strings.Contains(got.Message, tc.message) {
				t.Errorf("got %s %q, want %s %q", got.Verdict, got.Message, tc.want, tc.message)
			}
		})
	}
}

// strange are the values that a comparison lets through or trips over.
func strange() []float64 { return []float64{math.NaN(), math.Inf(1), math.Inf(-1)} }

func TestM12_WhatIsNoNumberNeverPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SampledFrom(strange()).Draw(t, "value")
		th := Threshold{NoData: rapid.SampledFrom([]NoData{"", NoDataHold, NoDataFail}).Draw(t, "policy")}
		if rapid.Bool().Draw(t, "min set") {
			th.Min = new(rapid.Float64().Draw(t, "min"))
		}
		if rapid.Bool().Draw(t, "max set") {
			th.Max = new(rapid.Float64().Draw(t, "max"))
		}
		got := th.Judge(minutes(0, 1), Sample{Value: &v})
		if got.Verdict == Successful || got.Value != nil {
			t.Fatalf("%v is %s with value %v", v, got.Verdict, got.Value)
		}
	})
}

func TestM12_WhatIsNoNumberIsLeftOutOfAReduction(t *testing.T) {
	for _, r := range []Reducer{"", ReduceAvg, ReduceSum, ReduceMin, ReduceMax, ReduceLast} {
		v, err := r.Reduce([][]float64{append([]float64{2}, strange()...)})
		if err != nil || v == nil || *v != 2 {
			t.Errorf("%q: %v, %v, want 2", r, v, err)
		}
		if v, err := r.Reduce([][]float64{strange()}); err != nil || v != nil {
			t.Errorf("%q of nothing else: %v, %v, want no data", r, v, err)
		}
	}
}

func TestM04_ReducingIsExplicit(t *testing.T) {
	for name, tc := range map[string]struct {
		reducer Reducer
		series  [][]float64
		want    *float64
		err     string
	}{
		"no series is no data":                         {"", nil, nil, ""},
		"a series without points is no data":           {"", [][]float64{nil}, nil, ""},
		"one series is averaged":                       {"", [][]float64{{1, 2, 6}}, new(3.0), ""},
		"several series need a reducer":                {"", [][]float64{{1}, {2}}, nil, "gives 2 series"},
		"even when one of them is empty":               {"", [][]float64{{1}, nil}, nil, "gives 2 series"},
		"last cannot join series":                      {ReduceLast, [][]float64{{1}, {2}}, nil, "avg, sum, min or max"},
		"last":                                         {ReduceLast, [][]float64{{1, 2, 6}}, new(6.0), ""},
		"sum is over points and series":                {ReduceSum, [][]float64{{1, 2}, {4}}, new(7.0), ""},
		"max is over points and series, not the first": {ReduceMax, [][]float64{{1, 2}, {4}}, new(4.0), ""},
		"min":                     {ReduceMin, [][]float64{{3, 2}, {4}}, new(2.0), ""},
		"avg weighs points alike": {ReduceAvg, [][]float64{{1, 2}, {6}}, new(3.0), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.reducer.Reduce(tc.series)
			switch {
			case tc.err != "":
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("error %v, want %q", err, tc.err)
				}
			case err != nil:
				t.Error(err)
			case (got == nil) != (tc.want == nil) || got != nil && *got != *tc.want:
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestWrongThresholdsNameTheField(t *testing.T) {
	for name, tc := range map[string]struct {
		threshold Threshold
		want      string
	}{
		"both unset":           {Threshold{}, "min and max are both unset"},
		"min above max":        {Threshold{Min: new(2.0), Max: new(1.0)}, "min: 2 is above max 1"},
		"NaN as a bound":       {Threshold{Max: new(math.NaN())}, "max: NaN"},
		"infinity as a bound":  {Threshold{Min: new(math.Inf(-1))}, "min: -Inf"},
		"negative minRequests": {Threshold{Max: new(1.0), MinRequests: -1}, "minRequests: -1"},
		"unknown policy":       {Threshold{Max: new(1.0), NoData: "maybe"}, `noData: "maybe" is not one of hold, pass, fail`},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tc.threshold.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	if err := Reducer("median").Validate(); err == nil || !strings.Contains(err.Error(), `reducer: "median"`) {
		t.Errorf("reducer: %v", err)
	}
}
