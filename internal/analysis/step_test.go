package analysis

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func series(vs ...Verdict) []Measurement {
	out := make([]Measurement, len(vs))
	for i, v := range vs {
		out[i] = Measurement{Start: at(i), End: at(i + 1), Verdict: v, Message: string(v) + " of minute " + at(i).Format("4")}
	}
	return out
}

func TestJudgingAStep(t *testing.T) {
	const s, f, i, e = Successful, Failed, Inconclusive, Error
	for name, tc := range map[string]struct {
		metrics []Judged
		want    Verdict
		message string
	}{
		"nothing to ask passes":                        {nil, s, ""},
		"no complete window yet waits":                 {[]Judged{{Name: "a", First: at(4)}, {Name: "b", First: at(5)}}, i, "the first measurement is complete at " + at(5).UTC().Format("15:04:05Z")},
		"one pass is enough":                           {[]Judged{{Name: "a", Measurements: series(s)}}, s, ""},
		"one of two without a pass waits":              {[]Judged{{Name: "a", Measurements: series(s)}, {Name: "b"}}, i, "the first measurement of b is complete at"},
		"a failure fails at once":                      {[]Judged{{Name: "a", Measurements: series(f)}, {Name: "b"}}, f, "a: Failed of minute 0"},
		"a failure is not healed by passes":            {[]Judged{{Name: "a", Measurements: series(s, f, s, s)}}, f, "a: Failed of minute 1"},
		"a tolerated failure alone waits for a pass":   {[]Judged{{Name: "a", FailureLimit: 1, Measurements: series(f)}}, i, "no pass yet"},
		"a tolerated failure and a pass":               {[]Judged{{Name: "a", FailureLimit: 1, Measurements: series(f, s)}}, s, ""},
		"one more than tolerated":                      {[]Judged{{Name: "a", FailureLimit: 1, Measurements: series(f, s, f)}}, f, "a: Failed of minute 2 (failure 2, failureLimit 1)"},
		"the newest window inconclusive waits":         {[]Judged{{Name: "a", Measurements: series(s, i)}}, i, "a: Inconclusive of minute 1"},
		"an older inconclusive window does not matter": {[]Judged{{Name: "a", Measurements: series(i, s)}}, s, ""},
		"an error is neither a pass nor a failure":     {[]Judged{{Name: "a", Measurements: series(s, e)}}, e, "a: Error of minute 1"},
		"a failure outweighs an error":                 {[]Judged{{Name: "a", Measurements: series(e)}, {Name: "b", Measurements: series(f)}}, f, "b: Failed"},
		"an error outweighs waiting":                   {[]Judged{{Name: "a", Measurements: series(i)}, {Name: "b", Measurements: series(e)}}, e, "b: Error"},
		"all failing metrics are named":                {[]Judged{{Name: "a", Measurements: series(f)}, {Name: "b", Measurements: series(f)}}, f, "; b: Failed"},
	} {
		t.Run(name, func(t *testing.T) {
			got := JudgeStep(tc.metrics)
			if got.Verdict != tc.want || !strings.Contains(got.Message, tc.message) {
				t.Errorf("got %s %q, want %s %q", got.Verdict, got.Message, tc.want, tc.message)
			}
		})
	}
}

func TestM07_NoStepPassesWithoutAPassOfEveryMetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		verdicts := rapid.SliceOfN(rapid.SampledFrom([]Verdict{Successful, Failed, Inconclusive, Error}), 0, 5)
		var metrics []Judged
		for range rapid.IntRange(1, 4).Draw(t, "metrics") {
			metrics = append(metrics, Judged{Name: "m", FailureLimit: rapid.IntRange(0, 2).Draw(t, "limit"), Measurements: series(verdicts.Draw(t, "verdicts")...)})
		}
		r := JudgeStep(metrics)
		for i, m := range metrics {
			got, n := r.Metrics[i], len(m.Measurements)
			if got.Failed > m.FailureLimit && r.Verdict != Failed {
				t.Fatalf("%d failures, %d tolerated: %s", got.Failed, m.FailureLimit, r.Verdict)
			}
			if r.Verdict != Successful {
				continue
			}
			if got.Passed == 0 || n == 0 {
				t.Fatal("passes without a pass")
			}
			if last := m.Measurements[n-1].Verdict; last == Inconclusive || last == Error {
				t.Fatalf("passes on a newest window that is %s", last)
			}
		}
	})
}

func TestNoDataNeverPassesWithPolicyHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		th := Threshold{Max: new(rapid.Float64().Draw(t, "max")), NoData: rapid.SampledFrom([]NoData{"", NoDataHold}).Draw(t, "policy")}
		m := Judged{Name: "m"}
		for k := range rapid.IntRange(1, 10).Draw(t, "windows") {
			m.Measurements = append(m.Measurements, th.Judge(minutes(k, k+1), Sample{}))
		}
		if r := JudgeStep([]Judged{m}); r.Verdict != Inconclusive {
			t.Fatalf("%s", r.Verdict)
		}
	})
}
