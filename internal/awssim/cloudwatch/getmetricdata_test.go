package cloudwatch

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// world is a service with ten minutes of history of two target groups, as of ten
// minutes after origin. blue: 60 requests a minute, three 5XX in minutes 3 and 7 only.
// green: 10 requests in minutes 5 to 9, no 5XX.
func world(t *testing.T, cfg Config) (s *Service, origin time.Time) {
	t.Helper()
	s = New(cfg)
	origin = time.Now().Truncate(time.Hour).Add(time.Hour)
	time.Sleep(time.Until(origin.Add(10 * time.Minute)))
	for m := range 10 {
		at := origin.Add(time.Duration(m) * time.Minute)
		data := []model.Datum{sumOf("RequestCount", "blue", at, 60)}
		if m == 3 || m == 7 {
			data = append(data, sumOf("HTTPCode_Target_5XX_Count", "blue", at, 3))
		}
		if m >= 5 {
			data = append(data, sumOf("RequestCount", "green", at, 10))
		}
		s.Put(testScope, data)
	}
	return s, origin
}

func TestGetMetricData(t *testing.T) {
	req := statQuery("req", "RequestCount", "blue", "Sum", 60)
	e5xx := statQuery("e5xx", "HTTPCode_Target_5XX_Count", "blue", "Sum", 60)
	greenReq := statQuery("req", "RequestCount", "green", "Sum", 60)
	green5xx := statQuery("e5xx", "HTTPCode_Target_5XX_Count", "green", "Sum", 60)
	for name, tc := range map[string]struct {
		from, to float64 // minutes after origin
		queries  []map[string]any
		want     []got
	}{
		"a counter has a point for every minute with traffic": {
			0, 10,
			[]map[string]any{greenReq},
			[]got{{"req", "RequestCount", "Complete", []string{"5=10", "6=10", "7=10", "8=10", "9=10"}}},
		},
		"the start is inclusive and rounded down to the minute, the end exclusive": {
			2.5, 4,
			[]map[string]any{req},
			[]got{{"req", "RequestCount", "Complete", []string{"2=60", "3=60"}}},
		},
		"a 5XX counter is sparse": {
			0, 10,
			[]map[string]any{e5xx},
			[]got{{"e5xx", "HTTPCode_Target_5XX_Count", "Complete", []string{"3=3", "7=3"}}},
		},
		"the Average of a 5XX counter is 1, whatever its Sum": {
			0, 10,
			[]map[string]any{statQuery("e5xx", "HTTPCode_Target_5XX_Count", "blue", "Average", 60)},
			[]got{{"e5xx", "HTTPCode_Target_5XX_Count", "Complete", []string{"3=1", "7=1"}}},
		},
		"a metric without data is Complete and empty": {
			0, 10,
			[]map[string]any{green5xx},
			[]got{{"e5xx", "HTTPCode_Target_5XX_Count", "Complete", nil}},
		},
		"longer periods add up": {
			0, 10,
			[]map[string]any{statQuery("req", "RequestCount", "green", "Sum", 300), statQuery("avg", "RequestCount", "green", "SampleCount", 600)},
			[]got{{"req", "RequestCount", "Complete", []string{"5=50"}}, {"avg", "RequestCount", "Complete", []string{"0=50"}}},
		},
		"100*FILL(e5xx,0)/req is an error rate for every minute with requests": {
			2, 5,
			[]map[string]any{hide(maps.Clone(req)), hide(maps.Clone(e5xx)), exprQuery("rate", "100*FILL(e5xx,0)/req")},
			[]got{{"rate", "rate", "Complete", []string{"2=0", "3=5", "4=0"}}},
		},
		"100*FILL(e5xx,0)/req has no point where there are no requests": {
			3, 7,
			[]map[string]any{hide(maps.Clone(greenReq)), hide(maps.Clone(green5xx)), exprQuery("rate", "100*FILL(e5xx,0)/req")},
			[]got{{"rate", "rate", "Complete", []string{"5=0", "6=0"}}},
		},
		"IF(req>0, 100*FILL(e5xx,0)/req) has no point where there are no requests": {
			3, 7,
			[]map[string]any{hide(maps.Clone(greenReq)), hide(maps.Clone(green5xx)), exprQuery("rate", "IF(req>0, 100*FILL(e5xx,0)/req)")},
			[]got{{"rate", "rate", "Complete", []string{"5=0", "6=0"}}},
		},
		"without FILL a quiet minute counts as 0 errors because missing is 0": {
			2, 5,
			[]map[string]any{hide(maps.Clone(req)), hide(maps.Clone(e5xx)), exprQuery("rate", "100*e5xx/req")},
			[]got{{"rate", "rate", "Complete", []string{"2=0", "3=5", "4=0"}}},
		},
		"METRICS selects by a part of the id": {
			6, 8,
			[]map[string]any{hide(statQuery("aReq", "RequestCount", "blue", "Sum", 60)), hide(statQuery("bReq", "RequestCount", "green", "Sum", 60)), hide(maps.Clone(e5xx)), exprQuery("all", `SUM(METRICS("Req"))`)},
			[]got{{"all", "all", "Complete", []string{"6=70", "7=70"}}},
		},
		"an array gives one result for each series, under one id": {
			6, 7,
			[]map[string]any{hide(statQuery("a", "RequestCount", "blue", "Sum", 60)), hide(statQuery("b", "RequestCount", "green", "Sum", 60)), {"Id": "half", "Expression": "METRICS()/2", "Label": "half"}},
			[]got{{"half", "half RequestCount", "Complete", []string{"6=30"}}, {"half", "half RequestCount", "Complete", []string{"6=5"}}},
		},
		"expressions may come before what they name": {
			6, 7,
			[]map[string]any{exprQuery("b", "a+req"), exprQuery("a", "req*2"), req},
			[]got{{"b", "b", "Complete", []string{"6=180"}}, {"a", "a", "Complete", []string{"6=120"}}, {"req", "RequestCount", "Complete", []string{"6=60"}}},
		},
		"an end within a second includes the point of that second": {
			5, 8 + 1e-4,
			[]map[string]any{greenReq},
			[]got{{"req", "RequestCount", "Complete", []string{"5=10", "6=10", "7=10", "8=10"}}},
		},
		"FILL goes back only as far as data are kept": {
			-100 * 24 * 60, 2,
			[]map[string]any{hide(statQuery("h", "RequestCount", "blue", "Sum", 3600)), exprQuery("n", "IF(h, DATAPOINT_COUNT(FILL(h,0)))")},
			[]got{{"n", "n", "Complete", []string{"0=361"}}}, // 15 days of hours and the open one
		},
		"the period of an expression is for series made of scalars": {
			5, 10,
			[]map[string]any{hide(maps.Clone(greenReq)), {"Id": "e", "Expression": "TIME_SERIES(SUM(req))", "Period": int64(300)}, {"Id": "f", "Expression": "FILL(SUM([e5xx]),0)", "Period": int64(300)}, hide(maps.Clone(e5xx))},
			[]got{{"e", "e", "Complete", []string{"5=50"}}, {"f", "f", "Complete", []string{"5=0", "6=0", "7=3", "8=0", "9=0"}}},
		},
		"series of different periods are computed at all of their timestamps": {
			5, 10,
			[]map[string]any{hide(maps.Clone(greenReq)), hide(statQuery("five", "RequestCount", "green", "Sum", 300)), exprQuery("e", "five-req")},
			[]got{{"e", "e", "Complete", []string{"5=40", "6=-10", "7=-10", "8=-10", "9=-10"}}},
		},
		"FILL makes up the newest minute, which has no data yet": {
			9, 12,
			[]map[string]any{hide(maps.Clone(e5xx)), exprQuery("filled", "FILL(e5xx,0)")},
			[]got{{"filled", "filled", "Complete", []string{"9=0", "10=0"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, origin := world(t, Config{})
				at := func(m float64) time.Time { return origin.Add(time.Duration(m * float64(time.Minute))) }
				out := mustCall(t, s, "GetMetricData", dataParams(at(tc.from), at(tc.to), tc.queries...))
				if d := cmp.Diff(tc.want, results(t, out, origin)); d != "" {
					t.Errorf("results (-want +got):\n%s", d)
				}
			})
		})
	}
}

func TestNewestDataComeFirstByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, origin := world(t, Config{})
		p := dataParams(origin, origin.Add(10*time.Minute), statQuery("req", "RequestCount", "green", "Sum", 60))
		delete(p, "ScanBy")
		got := results(t, mustCall(t, s, "GetMetricData", p), origin)[0].Points
		if d := cmp.Diff([]string{"9=10", "8=10", "7=10", "6=10", "5=10"}, got); d != "" {
			t.Errorf("points (-want +got):\n%s", d)
		}
	})
}

func TestDimensionsMatchExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, origin := world(t, Config{})
		q := statQuery("req", "RequestCount", "blue", "Sum", 60)
		dims, _ := metricOf(t, q)["Dimensions"].([]any)
		for name, tc := range map[string]struct {
			dims   []any
			points int
		}{
			"the same set in another order is the same metric": {[]any{dims[1], dims[0]}, 10},
			"a part of the set is another metric":              {dims[:1], 0},
			"no dimensions are another metric":                 {nil, 0},
		} {
			metricOf(t, q)["Dimensions"] = tc.dims
			got := results(t, mustCall(t, s, "GetMetricData", dataParams(origin, origin.Add(10*time.Minute), q)), origin)
			if n := len(got[0].Points); n != tc.points {
				t.Errorf("%s: %d points, want %d", name, n, tc.points)
			}
		}
	})
}

func TestUnitsAndScopesKeepDataApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, origin := world(t, Config{})
		q := statQuery("req", "RequestCount", "blue", "Sum", 60)
		stat, _ := q["MetricStat"].(map[string]any)
		for u, want := range map[string]int{"Count": 10, "Seconds": 0} {
			stat["Unit"] = u
			got := results(t, mustCall(t, s, "GetMetricData", dataParams(origin, origin.Add(10*time.Minute), q)), origin)
			if n := len(got[0].Points); n != want {
				t.Errorf("unit %s: %d points, want %d", u, n, want)
			}
		}
		out, err := s.Serve(t.Context(), &wire.Request{
			Operation: "GetMetricData", AccountID: testAccount, Region: "eu-west-1",
			Params: dataParams(origin, origin.Add(10*time.Minute), statQuery("req", "RequestCount", "blue", "Sum", 60)),
		})
		if err != nil || results(t, out, origin)[0].Points != nil {
			t.Errorf("another region sees %v, %v; want no data", out, err)
		}
	})
}

func TestTheDelayHidesTheNewestData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		delay := 2 * time.Minute
		s, origin := world(t, Config{Delay: func() time.Duration { return delay }})
		newest := func() string {
			p := dataParams(origin, origin.Add(time.Hour), statQuery("req", "RequestCount", "blue", "Sum", 60))
			delete(p, "ScanBy")
			return results(t, mustCall(t, s, "GetMetricData", p), origin)[0].Points[0]
		}
		if got := newest(); got != "7=60" { // it ended 8 minutes after origin, 2 minutes ago
			t.Errorf("newest point %s, want 7=60", got)
		}
		time.Sleep(time.Minute - time.Nanosecond)
		if got := newest(); got != "7=60" {
			t.Errorf("just before the delay is over: newest point %s, want 7=60", got)
		}
		time.Sleep(time.Nanosecond)
		if got := newest(); got != "8=60" {
			t.Errorf("when the delay is over: newest point %s, want 8=60", got)
		}
		delay = time.Hour
		if got := newest(); got != "8=60" {
			t.Errorf("a longer delay hid what could be read: newest point %s", got)
		}
		s.Put(testScope, []model.Datum{sumOf("RequestCount", "blue", origin.Add(10*time.Minute), 60)})
		time.Sleep(30 * time.Minute)
		if got := newest(); got != "9=60" {
			t.Errorf("the longer delay does not hold for new data: newest point %s", got)
		}
		delay = 0
		if got := newest(); got != "10=60" {
			t.Errorf("without delay: newest point %s, want 10=60", got)
		}
	})
}

func TestAMissingMetricLosesItsData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		missing := ""
		s, origin := world(t, Config{Missing: func(name string) bool { return name == missing }})
		read := func() (reqs, errs int) {
			got := results(t, mustCall(t, s, "GetMetricData", dataParams(origin, origin.Add(time.Hour),
				statQuery("req", "RequestCount", "blue", "Sum", 60), statQuery("e5xx", "HTTPCode_Target_5XX_Count", "blue", "Sum", 60))), origin)
			return len(got[0].Points), len(got[1].Points)
		}
		missing = "RequestCount"
		if reqs, errs := read(); reqs != 0 || errs != 2 {
			t.Errorf("while missing: %d request and %d error points, want 0 and 2", reqs, errs)
		}
		s.Put(testScope, []model.Datum{sumOf("RequestCount", "blue", origin.Add(10*time.Minute), 60)})
		time.Sleep(time.Minute)
		missing = ""
		if reqs, _ := read(); reqs != 10 {
			t.Errorf("after the fault: %d request points, want the 10 from before it", reqs)
		}
	})
}

func TestSharedExpressionsAreComputedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, origin := world(t, Config{})
		queries := []map[string]any{statQuery("e0", "RequestCount", "blue", "Sum", 60)}
		for i := 1; i < 60; i++ { // naively 2^60 evaluations
			queries = append(queries, hide(exprQuery(fmt.Sprintf("e%d", i), fmt.Sprintf("(e%d+e%d)/2", i-1, i-1))))
		}
		queries = append(queries, exprQuery("last", "e59"))
		got := results(t, mustCall(t, s, "GetMetricData", dataParams(origin, origin.Add(2*time.Minute), queries...)), origin)
		if d := cmp.Diff([]string{"0=60", "1=60"}, got[1].Points); d != "" {
			t.Errorf("points (-want +got):\n%s", d)
		}
	})
}

func TestOldStartsAreRoundedMore(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		age    time.Duration
		period int64
		want   string
	}{
		"to the minute":                    {time.Hour, 60, "12:32:00"},
		"to the minute for longer periods": {time.Hour, 300, "12:32:00"},
		"to a short period":                {time.Hour, 10, "12:32:30"},
		"to 5 minutes after 15 days":       {16 * day, 300, "12:30:00"},
		"to the hour after 63 days":        {64 * day, 3600, "12:00:00"},
	} {
		start := now.Add(-tc.age).Truncate(day).Add(12*time.Hour + 32*time.Minute + 34*time.Second)
		if got := time.Unix(newWindow(start, now, tc.period, now.Add(day)).start, 0).UTC().Format(time.TimeOnly); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestReadersAndWritersDoNotDisturbEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, origin := world(t, Config{})
		var writers sync.WaitGroup
		for w := range 4 {
			writers.Go(func() {
				for m := range 50 {
					s.Put(testScope, []model.Datum{sumOf("RequestCount", fmt.Sprint("tg", w%2), origin.Add(time.Duration(m%10)*time.Minute), 1)})
				}
			})
		}
		for range 20 {
			mustCall(t, s, "GetMetricData", dataParams(origin, time.Now(), statQuery("a", "RequestCount", "tg0", "p99", 60)))
			mustCall(t, s, "ListMetrics", wire.Params{})
		}
		writers.Wait()
		out := mustCall(t, s, "GetMetricData", dataParams(origin, time.Now(), statQuery("a", "RequestCount", "tg0", "Sum", 600)))
		if d := cmp.Diff([]string{"0=100"}, results(t, out, origin)[0].Points); d != "" {
			t.Errorf("sum of what two writers put (-want +got):\n%s", d)
		}
	})
}

func TestGetMetricDataRefuses(t *testing.T) {
	ok := statQuery("m", "RequestCount", "blue", "Sum", 60)
	with := func(path string, v any) map[string]any { // a copy of ok with one member changed
		q := statQuery("m", "RequestCount", "blue", "Sum", 60)
		at := q
		keys := strings.Split(path, ".")
		for _, k := range keys[:len(keys)-1] {
			at, _ = at[k].(map[string]any)
		}
		at[keys[len(keys)-1]] = v
		return q
	}
	many := make([]map[string]any, 501)
	for i := range many {
		many[i] = statQuery(fmt.Sprintf("m%d", i), "RequestCount", "blue", "Sum", 60)
	}
	dims := make([]any, 31)
	for i := range dims {
		dims[i] = map[string]any{"Name": fmt.Sprintf("d%d", i), "Value": "v"}
	}
	for name, tc := range map[string]struct {
		code, says string
		queries    []map[string]any
		change     func(wire.Params)
	}{
		"no queries":                    {"MissingParameter", "MetricDataQueries", nil, nil},
		"501 queries":                   {"ValidationError", "500", many, nil},
		"31 dimensions":                 {"InvalidParameterValue", "30", []map[string]any{with("MetricStat.Metric.Dimensions", dims)}, nil},
		"an id with a capital":          {"ValidationError", "Req", []map[string]any{with("Id", "Req")}, nil},
		"an id with a dash":             {"ValidationError", "a-b", []map[string]any{with("Id", "a-b")}, nil},
		"no id":                         {"MissingParameter", "Id", []map[string]any{with("Id", "")}, nil},
		"one id twice":                  {"ValidationError", "not unique", []map[string]any{ok, ok}, nil},
		"a metric and an expression":    {"ValidationError", "Exactly one", []map[string]any{with("Expression", "1")}, nil},
		"neither":                       {"ValidationError", "Exactly one", []map[string]any{{"Id": "m"}}, nil},
		"no namespace":                  {"MissingParameter", "Namespace", []map[string]any{with("MetricStat.Metric.Namespace", "")}, nil},
		"no metric name":                {"MissingParameter", "MetricName", []map[string]any{with("MetricStat.Metric.MetricName", "")}, nil},
		"no period":                     {"MissingParameter", "Period", []map[string]any{with("MetricStat.Period", nil)}, nil},
		"a period of 0":                 {"ValidationError", "Period", []map[string]any{with("MetricStat.Period", int64(0))}, nil},
		"a period of 90":                {"ValidationError", "multiple of 60", []map[string]any{with("MetricStat.Period", int64(90))}, nil},
		"a period of 2":                 {"ValidationError", "Period", []map[string]any{with("MetricStat.Period", int64(2))}, nil},
		"a statistic that is not one":   {"ValidationError", "Median", []map[string]any{with("MetricStat.Stat", "Median")}, nil},
		"a percentile above 100":        {"ValidationError", "p101", []map[string]any{with("MetricStat.Stat", "p101")}, nil},
		"a statistic of AWS only":       {"NotSimulated", "wm90", []map[string]any{with("MetricStat.Stat", "wm90")}, nil},
		"a unit that is not one":        {"InvalidParameterValue", "Requests", []map[string]any{with("MetricStat.Unit", "Requests")}, nil},
		"another account":               {"NotSimulated", "111111111111", []map[string]any{with("AccountId", "111111111111")}, nil},
		"an unknown id":                 {"ValidationError", "unknown id x", []map[string]any{exprQuery("e", "x*2")}, nil},
		"an expression of itself":       {"ValidationError", "itself", []map[string]any{exprQuery("e", "e+1")}, nil},
		"an unknown id deep inside":     {"ValidationError", "unknown id x", []map[string]any{ok, exprQuery("e", "-FILL([m, 1-ABS(x)], 0)")}, nil},
		"a circle of expressions":       {"ValidationError", "itself", []map[string]any{exprQuery("a", "b+1"), exprQuery("b", "c"), exprQuery("c", "a")}, nil},
		"a scalar result":               {"ValidationError", "Scalar", []map[string]any{ok, exprQuery("e", "SUM(m)")}, nil},
		"an expression of 2049 bytes":   {"ValidationError", "2048", []map[string]any{ok, exprQuery("e", "m"+strings.Repeat(" ", 2048))}, nil},
		"an unknown function":           {"ValidationError", "MEDIAN", []map[string]any{ok, exprQuery("e", "MEDIAN(m)")}, nil},
		"a function in lower case":      {"ValidationError", "sum", []map[string]any{ok, exprQuery("e", "sum([m])")}, nil},
		"a function of AWS only":        {"ValidationError", "SEARCH is not simulated", []map[string]any{exprQuery("e", `SEARCH("x", "Sum")`)}, nil},
		"a Metrics Insights query":      {"ValidationError", "Metrics Insights", []map[string]any{exprQuery("e", `SELECT AVG(x) FROM y`)}, nil},
		"an error within an expression": {"ValidationError", "Error in expression 'a'", []map[string]any{ok, exprQuery("a", "FILL(1,0)"), exprQuery("b", "a")}, nil},
		"an end before the start":       {"ValidationError", "StartTime", []map[string]any{ok}, func(p wire.Params) { p["EndTime"] = p["StartTime"] }},
		"no end":                        {"MissingParameter", "EndTime", []map[string]any{ok}, func(p wire.Params) { delete(p, "EndTime") }},
		"a time that is not one":        {"ValidationError", "StartTime", []map[string]any{ok}, func(p wire.Params) { p["StartTime"] = "yesterday" }},
		"an order that is not one":      {"ValidationError", "ScanBy", []map[string]any{ok}, func(p wire.Params) { p["ScanBy"] = "Random" }},
		"no data points":                {"ValidationError", "MaxDatapoints", []map[string]any{ok}, func(p wire.Params) { p["MaxDatapoints"] = int64(0) }},
		"a token from nowhere":          {"InvalidNextToken", "NextToken", []map[string]any{ok}, func(p wire.Params) { p["NextToken"] = "bm8" }},
		"a short period of old data":    {"ValidationError", "300", []map[string]any{ok}, func(p wire.Params) { p["StartTime"] = time.Now().Add(-16 * day) }},
	} {
		t.Run(name, func(t *testing.T) {
			p := dataParams(time.Now().Add(-time.Hour), time.Now(), tc.queries...)
			if tc.change != nil {
				tc.change(p)
			}
			out, err := send(t, New(Config{}), "GetMetricData", p)
			wantCode(t, err, tc.code)
			if err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("message %q does not say %q", err, tc.says)
			}
			if out != nil {
				t.Errorf("answered %v beside the error", out)
			}
		})
	}
}
