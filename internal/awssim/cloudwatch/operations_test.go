package cloudwatch

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

func TestOperationsSayWhatIsAnswered(t *testing.T) {
	s := New(Config{})
	var names []string
	for _, op := range Operations() {
		names = append(names, op.Name)
		_, err := send(t, s, op.Name, wire.Params{})
		notThere := err != nil && strings.HasPrefix(err.Error(), "NotSimulated: monitoring")
		if notThere != (op.Fidelity == wire.Absent) {
			t.Errorf("%s is said to be %s, answers %v", op.Name, op.Fidelity, err)
		}
		if op.Fidelity == wire.Simplified && op.How == "" {
			t.Errorf("%s is simplified, but How is not said", op.Name)
		}
	}
	if !slices.IsSorted(names) {
		t.Errorf("not sorted: %v", names)
	}
}

// samplesOf is a datum of single response times.
func samplesOf(values ...float64) model.Datum {
	d := model.Datum{Namespace: elbSpace, Name: "TargetResponseTime", Dimensions: lbDims("blue"), Unit: "Seconds", Count: float64(len(values)), Values: values}
	d.Min, d.Max = slices.Min(values), slices.Max(values)
	for _, v := range values {
		d.Sum += v
	}
	return d
}

func TestStatistics(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(i + 1)
	}
	set := func(sum, lo, hi, n float64) model.Datum {
		return model.Datum{Namespace: elbSpace, Name: "TargetResponseTime", Dimensions: lbDims("blue"), Sum: sum, Min: lo, Max: hi, Count: n}
	}
	for name, tc := range map[string]struct {
		data []model.Datum
		want map[string]string // by statistic; "" for no point
	}{
		"a hundred samples": {
			[]model.Datum{samplesOf(hundred...)},
			map[string]string{
				"Sum": "5050", "Average": "50.5", "Minimum": "1", "Maximum": "100", "SampleCount": "100",
				"p0": "1", "p7": "7", "p50": "50", "p99": "99", "p99.5": "100", "p99.99": "100", "p100": "100", "tm90": "45.5", "tm100": "50.5",
			},
		},
		"data of one period add up": {
			[]model.Datum{samplesOf(1, 2), samplesOf(3, 10)},
			map[string]string{"Sum": "16", "Average": "4", "Minimum": "1", "Maximum": "10", "SampleCount": "4", "p50": "2", "p75": "3"},
		},
		"fewer samples than the count stand for all": {
			[]model.Datum{{Namespace: elbSpace, Name: "TargetResponseTime", Dimensions: lbDims("blue"), Sum: 100, Min: 1, Max: 9, Count: 30, Values: []float64{1, 2, 9}}, samplesOf(4)},
			map[string]string{"SampleCount": "31", "p33": "2", "p67": "4", "p68": "9"},
		},
		"a bare statistic set has no percentiles": {
			[]model.Datum{set(10, 1, 5, 4)},
			map[string]string{"Average": "2.5", "p50": "", "tm90": ""},
		},
		"unless all of its values must be the same": {
			[]model.Datum{set(8, 2, 2, 4)},
			map[string]string{"Average": "2", "p50": "2", "tm90": "2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, start := New(Config{}), time.Now().Truncate(time.Minute)
				for i := range tc.data {
					tc.data[i].Timestamp = start
				}
				s.Put(testScope, tc.data)
				time.Sleep(time.Minute)
				for stat, want := range tc.want {
					out := mustCall(t, s, "GetMetricData", dataParams(start, time.Now(), statQuery("m", "TargetResponseTime", "blue", stat, 60)))
					wantPoints := []string{"0=" + want}
					if want == "" {
						wantPoints = nil
					}
					if d := cmp.Diff(wantPoints, results(t, out, start)[0].Points); d != "" {
						t.Errorf("%s (-want +got):\n%s", stat, d)
					}
				}
			})
		})
	}
}

func TestADigestIsBoundedAndClose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0.001, 60), 1, 2000).Draw(t, "values")
		var d digest
		for _, v := range values {
			d.add(v, 1)
		}
		if len(d) > maxSamples {
			t.Fatalf("%d samples, want at most %d", len(d), maxSamples)
		}
		slices.Sort(values)
		slices.SortFunc(d, func(a, b sample) int { return int(math.Copysign(1, a.value-b.value)) })
		level := rapid.Float64Range(0, 100).Draw(t, "level")
		exact := values[max(0, int(math.Ceil(level/100*float64(len(values))*(1-1e-12)))-1)]
		// 0.001 to 60 in 64 steps is a grid of about 17%; each compression rounds anew.
		if got := percentile(d, level); got < exact/1.5 || got > exact*1.5 {
			t.Fatalf("p%g of %d values is %g, exactly %g", level, len(values), got, exact)
		}
	})
}

func TestTheStoreIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{Period: time.Second, Retention: time.Minute})
		for range 3 * 7400 { // retention and the two hours of possible future, three times
			s.Put(testScope, []model.Datum{sumOf("RequestCount", "blue", time.Now(), 1)})
			time.Sleep(time.Second)
		}
		m := s.scopes[testScope][newMetricKey(elbSpace, "RequestCount", lbDims("blue"))]
		if n := len(m.buckets); n > 8200 {
			t.Errorf("%d periods are kept", n)
		}
		old := time.Now().Add(-time.Hour)
		out := mustCall(t, s, "GetMetricData", dataParams(old, time.Now(), statQuery("m", "RequestCount", "blue", "SampleCount", 3600)))
		if d := cmp.Diff([]string{"0=60"}, results(t, out, old.Truncate(time.Minute))[0].Points); d != "" {
			t.Errorf("points within the retention (-want +got):\n%s", d)
		}
	})
}

func TestAFullStoreForgetsIdleMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		for i := range maxMetrics {
			s.Put(testScope, []model.Datum{sumOf(fmt.Sprint("m", i), "blue", time.Now(), 1)})
		}
		put := wire.Params{"Namespace": "mine", "MetricData": []any{map[string]any{"MetricName": "late", "Value": 1.0}}}
		_, err := send(t, s, "PutMetricData", put)
		wantCode(t, err, "LimitExceeded")
		time.Sleep(16 * day)
		mustCall(t, s, "PutMetricData", put)
		if s.count != 1 {
			t.Errorf("%d metrics are kept, want the new one", s.count)
		}
	})
}

func TestDataThatAreNotNumbersAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, start := New(Config{}), time.Now().Truncate(time.Minute)
		bad := sumOf("RequestCount", "blue", start, 1)
		bad.Sum = math.NaN()
		none := sumOf("RequestCount", "blue", start, 0)
		none.Max = 9
		s.Put(testScope, []model.Datum{bad, none, sumOf("RequestCount", "blue", start, 5)})
		time.Sleep(time.Minute)
		for stat, want := range map[string]string{"Sum": "0=5", "Maximum": "0=1"} {
			out := mustCall(t, s, "GetMetricData", dataParams(start, time.Now(), statQuery("m", "RequestCount", "blue", stat, 60)))
			if d := cmp.Diff([]string{want}, results(t, out, start)[0].Points); d != "" {
				t.Errorf("%s (-want +got):\n%s", stat, d)
			}
		}
	})
}

// statisticsParams asks GetMetricStatistics for the requests of blue.
func statisticsParams(start, end time.Time, period int) wire.Params {
	var dims []any
	for _, d := range lbDims("blue") {
		dims = append(dims, map[string]any{"Name": d.Name, "Value": d.Value})
	}
	return wire.Params{
		"Namespace": elbSpace, "MetricName": "RequestCount", "Dimensions": dims,
		"StartTime": start, "EndTime": end, "Period": int64(period), "Statistics": []any{"Sum", "SampleCount"},
	}
}

func TestGetMetricStatistics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, origin := world(t, Config{})
		p := statisticsParams(origin, origin.Add(10*time.Minute), 120)
		p["ExtendedStatistics"] = []any{"p99"}
		out := mustCall(t, s, "GetMetricStatistics", p)
		var order, lines []string
		for _, it := range list1(t, out, "Datapoints") {
			d := struct1(t, it)
			at, _ := member(d, "Timestamp").(time.Time)
			order = append(order, fmt.Sprint(at.Sub(origin).Minutes()))
			lines = append(lines, strings.TrimSpace(fmt.Sprintln(at.Sub(origin).Minutes(), member(d, "Sum"), member(d, "SampleCount"), member(d, "Average"), member(d, "ExtendedStatistics"), member(d, "Unit"))))
		}
		if slices.IsSorted(order) {
			t.Errorf("the data points are sorted (%v): no client should get used to that", order)
		}
		slices.Sort(lines)
		want := []string{"0 120 120 <nil> [{p99 1}] Count", "2 120 120 <nil> [{p99 1}] Count", "4 120 120 <nil> [{p99 1}] Count", "6 120 120 <nil> [{p99 1}] Count", "8 120 120 <nil> [{p99 1}] Count"}
		if d := cmp.Diff(want, lines); d != "" {
			t.Errorf("data points (-want +got):\n%s", d)
		}
		if again := mustCall(t, s, "GetMetricStatistics", p); !cmp.Equal(out, again) {
			t.Errorf("asked twice, answered differently:\n%v\n%v", out, again)
		}
		p["MetricName"] = "Nothing"
		if out := mustCall(t, s, "GetMetricStatistics", p); len(list1(t, out, "Datapoints")) != 0 || member(out, "Label") != "Nothing" {
			t.Errorf("a metric without data: %v", out)
		}
	})
}

func TestGetMetricStatisticsRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		code, says string
		change     func(wire.Params)
	}{
		"1,441 data points":          {"InvalidParameterCombination", "1441", func(p wire.Params) { p["StartTime"] = time.Now().Add(-1440 * time.Minute) }},
		"no statistics":              {"InvalidParameterCombination", "Statistics", func(p wire.Params) { delete(p, "Statistics") }},
		"a percentile as Statistics": {"InvalidParameterValue", "p99", func(p wire.Params) { p["Statistics"] = []any{"p99"} }},
		"Sum as ExtendedStatistics":  {"InvalidParameterValue", "Sum", func(p wire.Params) { p["ExtendedStatistics"] = []any{"Sum"} }},
		"six Statistics":             {"InvalidParameterValue", "At most 5", func(p wire.Params) { p["Statistics"] = []any{"Sum", "Sum", "Sum", "Sum", "Sum", "Sum"} }},
		"no period":                  {"MissingParameter", "Period", func(p wire.Params) { delete(p, "Period") }},
		"a period of 61":             {"InvalidParameterValue", "61", func(p wire.Params) { p["Period"] = int64(61) }},
		"no namespace":               {"MissingParameter", "Namespace", func(p wire.Params) { delete(p, "Namespace") }},
		"no name":                    {"MissingParameter", "MetricName", func(p wire.Params) { delete(p, "MetricName") }},
		"an end before the start":    {"InvalidParameterCombination", "StartTime", func(p wire.Params) { p["EndTime"] = time.Time{} }},
		"a dimension without value":  {"MissingParameter", "Value", func(p wire.Params) { p["Dimensions"] = []any{map[string]any{"Name": "a"}} }},
		"a dimension given twice": {"InvalidParameterValue", "twice", func(p wire.Params) {
			p["Dimensions"] = slices.Repeat([]any{map[string]any{"Name": "a", "Value": "b"}}, 2)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now().Truncate(time.Minute).Add(time.Second)
			p := statisticsParams(now.Add(-time.Hour), now, 60)
			tc.change(p)
			_, err := send(t, New(Config{}), "GetMetricStatistics", p)
			wantCode(t, err, tc.code)
			if err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("message %q does not say %q", err, tc.says)
			}
		})
	}
}

// metricNames lists what ListMetrics finds over all pages, as "name/target group".
func metricNames(t *testing.T, s *Service, p wire.Params) (names []string, pages int) {
	t.Helper()
	for {
		out := mustCall(t, s, "ListMetrics", p)
		pages++
		for _, it := range list1(t, out, "Metrics") {
			m := struct1(t, it)
			dims := list1(t, m, "Dimensions")
			tg, _ := member(struct1(t, dims[len(dims)-1]), "Value").(string)
			names = append(names, fmt.Sprintf("%v/%s", member(m, "MetricName"), strings.Split(tg, "/")[1]))
		}
		token, more := member(out, "NextToken").(string)
		if !more {
			return names, pages
		}
		p["NextToken"] = token
	}
}

func TestListMetrics(t *testing.T) {
	dim := func(name, value string) []any {
		d := map[string]any{"Name": name}
		if value != "" {
			d["Value"] = value
		}
		return []any{d}
	}
	all := []string{"HTTPCode_Target_5XX_Count/blue", "RequestCount/blue", "RequestCount/green"}
	for name, tc := range map[string]struct {
		cfg    Config
		after  time.Duration
		params wire.Params
		want   []string
		pages  int
	}{
		"all in order":               {Config{}, 0, wire.Params{}, all, 1},
		"of a namespace":             {Config{}, 0, wire.Params{"Namespace": elbSpace}, all, 1},
		"of another namespace":       {Config{}, 0, wire.Params{"Namespace": "AWS/NetworkELB"}, nil, 1},
		"of a name":                  {Config{}, 0, wire.Params{"MetricName": "RequestCount"}, all[1:], 1},
		"of a dimension's value":     {Config{}, 0, wire.Params{"Dimensions": dim("TargetGroup", "targetgroup/green/1")}, all[2:], 1},
		"with a dimension":           {Config{}, 0, wire.Params{"Dimensions": dim("TargetGroup", "")}, all, 1},
		"with another dimension":     {Config{}, 0, wire.Params{"Dimensions": dim("AvailabilityZone", "")}, nil, 1},
		"page by page":               {Config{PageSize: 1}, 0, wire.Params{}, all, 3},
		"with data of the last 3 h":  {Config{}, 3*time.Hour - 2*time.Minute, wire.Params{"RecentlyActive": "PT3H"}, all[1:], 1},
		"idle for two weeks":         {Config{}, 14 * day, wire.Params{}, nil, 1},
		"a missing metric":           {Config{Missing: func(n string) bool { return n == "RequestCount" }}, 0, wire.Params{}, all[:1], 1},
		"not before it can be read":  {Config{Delay: func() time.Duration { return 4 * time.Minute }}, 0, wire.Params{}, all, 1},
		"not at all with long delay": {Config{Delay: func() time.Duration { return time.Hour }}, 0, wire.Params{}, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := world(t, tc.cfg)
				time.Sleep(tc.after)
				got, pages := metricNames(t, s, tc.params)
				if d := cmp.Diff(tc.want, got); d != "" || pages != tc.pages {
					t.Errorf("%d pages, want %d; metrics (-want +got):\n%s", pages, tc.pages, d)
				}
			})
		})
	}
	for name, p := range map[string]wire.Params{
		"InvalidNextToken":      {"NextToken": "x"},
		"InvalidParameterValue": {"RecentlyActive": "PT1H"},
		"NotSimulated":          {"IncludeLinkedAccounts": true},
		"MissingParameter":      {"Dimensions": []any{map[string]any{"Value": "x"}}},
	} {
		_, err := send(t, New(Config{}), "ListMetrics", p)
		wantCode(t, err, name)
	}
}

func TestPutMetricData(t *testing.T) {
	dims := []any{map[string]any{"Name": "TargetGroup", "Value": "targetgroup/blue/1"}, map[string]any{"Name": "LoadBalancer", "Value": "app/web/1"}}
	for name, tc := range map[string]struct {
		data []map[string]any
		want map[string]string
	}{
		"single values": {
			[]map[string]any{{"Value": 2.0}, {"Value": int64(4)}},
			map[string]string{"Sum": "6", "SampleCount": "2", "p50": "2"},
		},
		"values with counts": {
			[]map[string]any{{"Values": []any{1.0, 5.0}, "Counts": []any{3.0, 1.0}}},
			map[string]string{"Sum": "8", "SampleCount": "4", "Maximum": "5", "p75": "1", "p76": "5"},
		},
		"values without counts": {
			[]map[string]any{{"Values": []any{"1", "5"}}},
			map[string]string{"Average": "3", "SampleCount": "2"},
		},
		"values with large counts": {
			[]map[string]any{{"Values": []any{1.0, 2.0}, "Counts": []any{9e6, 1e6}}},
			map[string]string{"SampleCount": "1e+07", "p89": "1", "p91": "2"},
		},
		"a statistic set": {
			[]map[string]any{{"StatisticValues": map[string]any{"SampleCount": 4.0, "Sum": 10.0, "Minimum": 1.0, "Maximum": 5.0}}},
			map[string]string{"Average": "2.5", "Minimum": "1", "Maximum": "5", "p50": ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, start := New(Config{}), time.Now().Truncate(time.Minute)
				var list []any
				for _, d := range tc.data {
					d["MetricName"], d["Dimensions"], d["Timestamp"], d["Unit"], d["StorageResolution"] = "m", dims, start.Add(time.Second), "Count", int64(1)
					list = append(list, d)
				}
				mustCall(t, s, "PutMetricData", wire.Params{"Namespace": "mine", "MetricData": list})
				time.Sleep(time.Minute)
				for stat, want := range tc.want {
					q := statQuery("m", "m", "blue", stat, 60)
					metricOf(t, q)["Namespace"] = "mine"
					got := results(t, mustCall(t, s, "GetMetricData", dataParams(start, time.Now(), q)), start)[0].Points
					if strings.Join(got, "") != strings.TrimSuffix("0="+want, "0=") {
						t.Errorf("%s: %v, want %s", stat, got, want)
					}
				}
			})
		})
	}
}

func TestPutMetricDataRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		code, says string
		datum      map[string]any
	}{
		"no name":                     {"MissingParameter", "MetricData.member.2.MetricName", map[string]any{"MetricName": "", "Value": 1.0}},
		"no value":                    {"MissingParameter", "Value", map[string]any{}},
		"two kinds of value":          {"InvalidParameterCombination", "exclusive", map[string]any{"Value": 1.0, "Values": []any{1.0}}},
		"NaN":                         {"InvalidParameterValue", "NaN", map[string]any{"Value": math.NaN()}},
		"infinity":                    {"InvalidParameterValue", "2^360", map[string]any{"Value": math.Inf(1)}},
		"text":                        {"InvalidParameterValue", "many", map[string]any{"Value": "many"}},
		"text among values":           {"InvalidParameterValue", "Values.member.2", map[string]any{"Values": []any{1.0, "x"}}},
		"no values":                   {"InvalidParameterValue", "1 to 150", map[string]any{"Values": []any{}}},
		"151 values":                  {"InvalidParameterValue", "1 to 150", map[string]any{"Values": slices.Repeat([]any{1.0}, 151)}},
		"fewer counts than values":    {"InvalidParameterValue", "Counts", map[string]any{"Values": []any{1.0, 2.0}, "Counts": []any{1.0}}},
		"a count of 0":                {"InvalidParameterValue", "Counts.member.1", map[string]any{"Values": []any{1.0}, "Counts": []any{0.0}}},
		"a set without Sum":           {"MissingParameter", "StatisticValues.Sum", map[string]any{"StatisticValues": map[string]any{"SampleCount": 1.0, "Minimum": 1.0, "Maximum": 1.0}}},
		"a set with Minimum above":    {"InvalidParameterValue", "statistic set", map[string]any{"StatisticValues": map[string]any{"SampleCount": 1.0, "Sum": 1.0, "Minimum": 2.0, "Maximum": 1.0}}},
		"a unit that is not one":      {"InvalidParameterValue", "Requests", map[string]any{"Value": 1.0, "Unit": "Requests"}},
		"a resolution of 10":          {"InvalidParameterValue", "StorageResolution", map[string]any{"Value": 1.0, "StorageResolution": int64(10)}},
		"three weeks ago":             {"InvalidParameterValue", "two weeks", map[string]any{"Value": 1.0, "Timestamp": time.Now().Add(-21 * day)}},
		"three hours ahead":           {"InvalidParameterValue", "two hours", map[string]any{"Value": 1.0, "Timestamp": time.Now().Add(3 * time.Hour)}},
		"a dimension with a colon":    {"InvalidParameterValue", "colon", map[string]any{"Value": 1.0, "Dimensions": []any{map[string]any{"Name": ":a", "Value": "b"}}}},
		"a dimension of 1025 letters": {"InvalidParameterValue", "1024", map[string]any{"Value": 1.0, "Dimensions": []any{map[string]any{"Name": "a", "Value": strings.Repeat("b", 1025)}}}},
		"a name of 256 letters":       {"InvalidParameterValue", "255", map[string]any{"MetricName": strings.Repeat("a", 256), "Value": 1.0}},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Config{})
			if _, ok := tc.datum["MetricName"]; !ok {
				tc.datum["MetricName"] = "m"
			}
			good := map[string]any{"MetricName": "good", "Value": 1.0}
			_, err := send(t, s, "PutMetricData", wire.Params{"Namespace": "mine", "MetricData": []any{good, tc.datum}})
			wantCode(t, err, tc.code)
			if err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("message %q does not say %q", err, tc.says)
			}
			if s.count != 0 {
				t.Errorf("%d metrics were stored of a call that was refused", s.count)
			}
		})
	}
	datum := []any{map[string]any{"MetricName": "m", "Value": 1.0}}
	for name, tc := range map[string]struct {
		code string
		p    wire.Params
	}{
		"no namespace":         {"MissingParameter", wire.Params{"MetricData": datum}},
		"a namespace of AWS's": {"InvalidParameterValue", wire.Params{"Namespace": "AWS/EC2", "MetricData": datum}},
		"no data":              {"MissingParameter", wire.Params{"Namespace": "mine"}},
		"1,001 data":           {"InvalidParameterValue", wire.Params{"Namespace": "mine", "MetricData": slices.Repeat(datum, 1001)}},
		"entities":             {"NotSimulated", wire.Params{"Namespace": "mine", "EntityMetricData": []any{}}},
	} {
		_, err := send(t, New(Config{}), "PutMetricData", tc.p)
		if wantCode(t, err, tc.code); t.Failed() {
			t.Fatalf("with %s", name)
		}
	}
}

func TestALabsPeriodIsASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{Period: time.Second})
		start := time.Now().Truncate(time.Minute)
		for range 30 {
			s.Put(testScope, []model.Datum{sumOf("RequestCount", "blue", time.Now(), 2)})
			time.Sleep(time.Second)
		}
		for period, want := range map[int][]string{1: {"12=2", "13=2", "14=2"}, 3: {"12=6"}, 60: {"0=30"}} { // the start of 60 s is rounded down to the minute
			q := statQuery("m", "RequestCount", "blue", "Sum", period)
			from := start.Add(12 * time.Second)
			out := mustCall(t, s, "GetMetricData", dataParams(from, from.Add(3*time.Second), q))
			var got []string
			r := struct1(t, list1(t, out, "MetricDataResults")[0])
			for i, ts := range list1(t, r, "Timestamps") {
				at, _ := ts.(time.Time)
				got = append(got, fmt.Sprintf("%g=%g", at.Sub(start).Seconds(), list1(t, r, "Values")[i]))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("period %d (-want +got):\n%s", period, d)
			}
		}
	})
}
