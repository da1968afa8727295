package cloudwatch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// stat is a MetricDataQuery of an ELB metric.
func stat(id, name, stat string, more ...string) string {
	return fmt.Sprintf(`{"Id":%q,"MetricStat":{"Metric":{"Namespace":"AWS/ApplicationELB","MetricName":%q,"Dimensions":[{"Name":"LoadBalancer","Value":"app/web/0123456789abcdef"}]},"Period":60,"Stat":%q}%s}`,
		id, name, stat, strings.Join(more, ""))
}

func TestM10_WrongQueriesAreNamed(t *testing.T) {
	sum := stat("m1", "RequestCount", "Sum")
	hidden := stat("m1", "RequestCount", "Sum", `,"ReturnData":false`)
	for name, tc := range map[string]struct{ text, want string }{
		"no JSON":                     {"requests", "is no JSON list of MetricDataQuery"},
		"an object":                   {sum, "is no JSON list"},
		"an unknown field":            {`[{"Id":"m1","Expresion":"1"}]`, `unknown field "Expresion"`},
		"an unknown field inside":     {`[{"Id":"m1","MetricStat":{"Metrics":{}}}]`, `unknown field "Metrics"`},
		"something after it":          {"[" + sum + "] []", "after its JSON list"},
		"an empty list":               {"[]", "has 0 MetricDataQuery"},
		"too many":                    {"[" + strings.Repeat(hidden+",", 500) + sum + "]", "has 501 MetricDataQuery; 1–500"},
		"two that return data":        {"[" + sum + "," + stat("m2", "RequestCount", "Sum") + "]", "returns the data of m1, m2: set ReturnData to false"},
		"none that returns data":      {"[" + hidden + "]", "returns no data"},
		"an Id used twice":            {"[" + sum + "," + hidden + "]", `Id "m1" is used twice`},
		"an Id that begins upper":     {"[" + stat("M1", "RequestCount", "Sum") + "]", "Id: must begin with a lower-case letter"},
		"neither stat nor expression": {`[{"Id":"m1"}]`, "exactly one of MetricStat and Expression"},
		"an odd period":               {strings.Replace("["+sum+"]", `"Period":60`, `"Period":45`, 1), "MetricStat.Period: 45"},
		"a period of 0":               {strings.Replace("["+sum+"]", `"Period":60`, `"Period":0`, 1), "MetricStat.Period: 0"},
		"no statistic":                {"[" + stat("m1", "RequestCount", "") + "]", "MetricStat.Stat: is empty"},
		"a dimension without value":   {strings.Replace("["+sum+"]", "app/web/0123456789abcdef", "", 1), "neither may be empty"},
		"a long expression":           {`[{"Id":"e","Expression":"` + strings.Repeat("1", 2049) + `"}]`, "has 2049 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(nil).Validate(tc.text)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestM11_AnAverageOfACountIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		metric, stat string
		ok           bool
	}{
		"the average of errors":            {"HTTPCode_Target_5XX_Count", "Average", false},
		"a percentile of errors":           {"HTTPCode_ELB_502_Count", "p99", false},
		"the maximum of requests":          {"RequestCount", "Maximum", false},
		"the sum of errors":                {"HTTPCode_Target_5XX_Count", "Sum", true},
		"the average of response times":    {"TargetResponseTime", "Average", true},
		"a percentile of response times":   {"TargetResponseTime", "p99", true},
		"the minimum of healthy hosts":     {"HealthyHostCount", "Minimum", true},
		"the sum of requests per target":   {"RequestCountPerTarget", "Sum", true},
		"the average of connection errors": {"TargetConnectionErrorCount", "Average", false},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := New(nil).Validate("[" + stat("m1", tc.metric, tc.stat) + "]")
			switch {
			case tc.ok && (err != nil || p != time.Minute):
				t.Errorf("refused: %v, period %s", err, p)
			case !tc.ok && (err == nil || !strings.Contains(err.Error(), "use Sum") || !strings.Contains(err.Error(), tc.metric)):
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestM06_IdsAreRenamedInExpressionsAndNowhereElse(t *testing.T) {
	ids := map[string]bool{"m1": true, "e": true, "sum": true}
	for expr, want := range map[string]string{
		"m1":                            "q0_m1",
		"100*e/m1":                      "100*q0_e/q0_m1",
		"m10+m1_+m1":                    "m10+m1_+q0_m1",
		"IF(m1>0,100*FILL(e,0)/m1)":     "IF(q0_m1>0,100*FILL(q0_e,0)/q0_m1)",
		"SUM([m1,e])":                   "SUM([q0_m1,q0_e])",
		"SUM(sum)":                      "SUM(q0_sum)",
		`SEARCH('{A,B} m1 "e"', "Sum")`: `SEARCH('{A,B} m1 "e"', "Sum")`,
		`FILL(m1,'e`:                    `FILL(q0_m1,'e`,
		"1e3*m1":                        "1e3*q0_m1",
		"M1+E":                          "M1+E",
		"":                              "",
	} {
		if got := rename(expr, ids, "q0_"); got != want {
			t.Errorf("%s: got %s, want %s", expr, got, want)
		}
	}
	qs, err := decode(`[{"Id":"host","Expression":"SELECT AVG(x) FROM y GROUP BY host"}]`)
	if err != nil {
		t.Fatal(err)
	}
	if got := *prefixed(qs, "q0_")[0].Expression; !strings.HasSuffix(got, "BY host") {
		t.Errorf("a Metrics Insights query became %s", got)
	}
}

func FuzzMetricDataQuery(f *testing.F) {
	f.Add("[" + stat("m1", "RequestCount", "Sum", `,"ReturnData":false`) + `,{"Id":"e","Expression":"100*FILL(m1,0)/m1"}]`)
	f.Add(`[{"Id":"e","Expression":"SUM(METRICS())","Period":60}]`)
	f.Add(`[{"Id":"a","Expression":"'\""}]`)
	f.Fuzz(func(t *testing.T, text string) {
		qs, err := decode(text)
		if err != nil {
			return
		}
		if period(qs) < 0 {
			t.Errorf("period %s", period(qs))
		}
		ids := map[string]bool{}
		for i, q := range prefixed(qs, "q7_") {
			ids[q.ID] = true
			if q.ID != "q7_"+qs[i].ID {
				t.Errorf("Id %q became %q", qs[i].ID, q.ID)
			}
			if q.Expression != nil && strings.ReplaceAll(*q.Expression, "q7_", "") != strings.ReplaceAll(*qs[i].Expression, "q7_", "") {
				t.Errorf("%q became %q", *qs[i].Expression, *q.Expression)
			}
			q.sdk()
		}
		if d := cmp.Diff(len(qs), len(ids)); d != "" {
			t.Error(d)
		}
	})
}
