package cloudwatch

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/metric"
)

// fakeAPI answers calls one after the other.
type fakeAPI struct {
	answers []func(in *cw.GetMetricDataInput) (*cw.GetMetricDataOutput, error)
	calls   []cw.GetMetricDataInput
}

func (f *fakeAPI) GetMetricData(_ context.Context, in *cw.GetMetricDataInput, _ ...func(*cw.Options)) (*cw.GetMetricDataOutput, error) {
	f.calls = append(f.calls, *in)
	return f.answers[min(len(f.calls), len(f.answers))-1](in)
}

func origin() time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) }

// query over the first ten minutes.
func query(text string) metric.Query {
	return metric.Query{Metric: "m", Text: text, Start: origin(), End: origin().Add(10 * time.Minute)}
}

func one() metric.Query { return query("[" + stat("m1", "RequestCount", "Sum") + "]") }

func result(id, label string, status types.StatusCode, values ...float64) types.MetricDataResult {
	r := types.MetricDataResult{Id: aws.String(id), Label: aws.String(label), StatusCode: status, Values: values}
	for i := range values {
		r.Timestamps = append(r.Timestamps, origin().Add(time.Duration(i)*time.Minute))
	}
	return r
}

func answers(outs ...*cw.GetMetricDataOutput) *fakeAPI {
	f := &fakeAPI{}
	for _, out := range outs {
		f.answers = append(f.answers, func(*cw.GetMetricDataInput) (*cw.GetMetricDataOutput, error) { return out, nil })
	}
	return f
}

func results(rs ...types.MetricDataResult) *cw.GetMetricDataOutput {
	return &cw.GetMetricDataOutput{MetricDataResults: rs}
}

func page(token string, rs ...types.MetricDataResult) *cw.GetMetricDataOutput {
	out := results(rs...)
	if token != "" {
		out.NextToken = aws.String(token)
	}
	return out
}

func TestAnswersOfGetMetricData(t *testing.T) {
	late := result("q0_m1", "a", types.StatusCodeComplete, 7)
	late.Timestamps[0] = origin().Add(9*time.Minute + 30*time.Second)
	second := result("q0_m1", "a", types.StatusCodeComplete, 9)
	second.Timestamps[0] = origin().Add(time.Minute)
	for name, tc := range map[string]struct {
		api      *fakeAPI
		series   [][]float64
		complete bool
		err      string
		calls    int
	}{
		"no data is an empty series":                        {answers(results(result("q0_m1", "a", types.StatusCodeComplete))), [][]float64{nil}, true, "", 1},
		"pages of PartialData are merged by Id":             {answers(page("t", result("q0_m1", "a", types.StatusCodePartialData, 5)), page("", second)), [][]float64{{5, 9}}, true, "", 2},
		"PartialData at the end is not complete":            {answers(results(result("q0_m1", "a", types.StatusCodePartialData, 5))), [][]float64{{5}}, false, "", 1},
		"several series under one Id":                       {answers(results(result("q0_m1", "a", types.StatusCodeComplete, 5), result("q0_m1", "b", types.StatusCodeComplete, 6))), [][]float64{{5}, {6}}, true, "", 1},
		"even with one label":                               {answers(results(result("q0_m1", "a", types.StatusCodeComplete, 5), result("q0_m1", "a", types.StatusCodeComplete, 6))), [][]float64{{5}, {6}}, true, "", 1},
		"a point that sticks out of the window is left out": {answers(results(late)), [][]float64{nil}, true, "", 1},
		"InternalError is an error":                         {answers(results(result("q0_m1", "a", types.StatusCodeInternalError, 5))), nil, false, "InternalError for a", 1},
		"an error names the Id as it was written":           {answers(results(result("q0_m1", "q0_m1", types.StatusCodeInternalError, 5))), nil, false, "InternalError for m1", 1},
		"Forbidden is an error":                             {answers(results(result("q0_m1", "a", types.StatusCodeForbidden))), nil, false, "access denied: GetMetricData answered Forbidden", 1},
		"an unknown status is an error":                     {answers(results(result("q0_m1", "a", "Tired", 5))), nil, false, `status "Tired"`, 1},
		"a query left out is an error":                      {answers(results()), nil, false, "left the query out", 1},
		"the same token twice is an error":                  {answers(page("t"), page("t")), nil, false, "the same NextToken twice", 2},
	} {
		t.Run(name, func(t *testing.T) {
			got := New(tc.api).Query(t.Context(), []metric.Query{one()})[0]
			if len(tc.api.calls) != tc.calls {
				t.Errorf("%d calls, want %d", len(tc.api.calls), tc.calls)
			}
			if tc.err != "" {
				if got.Err == nil || !strings.Contains(got.Err.Error(), tc.err) {
					t.Errorf("error %v, want %q", got.Err, tc.err)
				}
				return
			}
			if got.Err != nil || got.Complete != tc.complete || len(got.Series) != len(tc.series) {
				t.Fatalf("got %+v, want %v, complete %t", got, tc.series, tc.complete)
			}
			for i, s := range got.Series {
				if len(s.Points) != len(tc.series[i]) {
					t.Fatalf("series %d: %v, want %v", i, s.Points, tc.series[i])
				}
				for j, p := range s.Points {
					if p.Value != tc.series[i][j] {
						t.Errorf("series %d: %v, want %v", i, s.Points, tc.series[i])
					}
				}
			}
		})
	}
}

func TestMessagesMakeAnAnswerIncomplete(t *testing.T) {
	out := results(result("q0_m1", "a", types.StatusCodeComplete, 5))
	out.Messages = []types.MessageData{{Code: aws.String("MaxMetricsExceeded"), Value: aws.String("Maximum number of allowed metrics exceeded")}}
	got := New(answers(out)).Query(t.Context(), []metric.Query{one()})[0]
	if got.Complete || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "Maximum number") {
		t.Errorf("%+v", got)
	}
}

func TestErrorsOfTheCallAreClassified(t *testing.T) {
	for name, tc := range map[string]struct {
		err              error
		denied, terminal bool
	}{
		"access denied": {&smithy.GenericAPIError{Code: "AccessDenied", Message: "no"}, true, false},
		"expired":       {&smithy.GenericAPIError{Code: "ExpiredToken", Message: "no"}, true, false},
		"wrong request": {&smithy.GenericAPIError{Code: "ValidationError", Message: "no"}, false, true},
		"wrong value":   {&smithy.GenericAPIError{Code: "InvalidParameterValueException", Message: "no"}, false, true},
		"throttled":     {&smithy.GenericAPIError{Code: "ThrottlingException", Message: "no"}, false, false},
		"no connection": {errors.New("connection refused"), false, false},
		"wrong Id":      {&smithy.GenericAPIError{Code: "ValidationError", Message: "Error in expression 'q0_f': …"}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			api := &fakeAPI{answers: []func(*cw.GetMetricDataInput) (*cw.GetMetricDataOutput, error){
				func(*cw.GetMetricDataInput) (*cw.GetMetricDataOutput, error) { return nil, tc.err },
			}}
			got := New(api).Query(t.Context(), []metric.Query{one()})[0]
			if got.Err == nil || errors.Is(got.Err, fault.ErrDenied) != tc.denied || fault.IsTerminal(got.Err) != tc.terminal || !strings.Contains(got.Err.Error(), "GetMetricData") || strings.Contains(got.Err.Error(), "q0_") {
				t.Errorf("got %v", got.Err)
			}
		})
	}
}

// echo answers every query that returns data with the number of its place.
func echo() *fakeAPI {
	return &fakeAPI{answers: []func(*cw.GetMetricDataInput) (*cw.GetMetricDataOutput, error){func(in *cw.GetMetricDataInput) (*cw.GetMetricDataOutput, error) {
		out := &cw.GetMetricDataOutput{}
		for i, q := range in.MetricDataQueries {
			if aws.ToBool(q.ReturnData) {
				out.MetricDataResults = append(out.MetricDataResults, result(*q.Id, "x", types.StatusCodeComplete, float64(i)))
			}
		}
		return out, nil
	}}}
}

func TestQueriesArePackedIntoFewCalls(t *testing.T) {
	later := one()
	later.Start, later.End = later.End, later.End.Add(time.Minute)
	all := query(`[{"Id":"e","Expression":"SUM(METRICS())"}]`)
	many := make([]metric.Query, 501)
	for i := range many {
		many[i] = one()
	}
	for name, tc := range map[string]struct {
		queries []metric.Query
		sizes   []int
	}{
		"one window is one call":                 {[]metric.Query{one(), one(), one()}, []int{3}},
		"each window is a call":                  {[]metric.Query{one(), later, one()}, []int{2, 1}},
		"METRICS() stands for a call alone":      {[]metric.Query{one(), all, one(), all}, []int{2, 1, 1}},
		"at most 500 queries in a call":          {many, []int{500, 1}},
		"a query that cannot be read is no call": {[]metric.Query{query("x")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			api := echo()
			for i, r := range New(api).Query(t.Context(), tc.queries) {
				if tc.queries[i].Text != "x" && (r.Err != nil || len(r.Series) != 1) {
					t.Errorf("query %d: %+v", i, r)
				}
			}
			var sizes []int
			for _, c := range api.calls {
				sizes = append(sizes, len(c.MetricDataQueries))
				if c.ScanBy != types.ScanByTimestampAscending {
					t.Errorf("ScanBy %s", c.ScanBy)
				}
			}
			if len(sizes) != len(tc.sizes) {
				t.Fatalf("calls of %v, want %v", sizes, tc.sizes)
			}
			for i := range sizes {
				if sizes[i] != tc.sizes[i] {
					t.Errorf("calls of %v, want %v", sizes, tc.sizes)
				}
			}
		})
	}
}

func TestM06_MetricsOfOneCallDoNotLeakIntoEachOther(t *testing.T) {
	rate := "[" + stat("m1", "HTTPCode_Target_5XX_Count", "Sum", `,"ReturnData":false`) + `,{"Id":"rate","Expression":"m1*2"}]`
	api := echo()
	got := New(api).Query(t.Context(), []metric.Query{query(rate), one(), query(rate)})
	for i, want := range []float64{1, 2, 4} {
		if len(got[i].Series) != 1 || got[i].Series[0].Points[0].Value != want {
			t.Errorf("query %d got %+v, want the answer number %v", i, got[i].Series, want)
		}
	}
	for i, want := range map[int]string{1: "q0_m1*2", 4: "q2_m1*2"} {
		if e := aws.ToString(api.calls[0].MetricDataQueries[i].Expression); e != want {
			t.Errorf("expression %q, want %q", e, want)
		}
	}
}
