package metric

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/traffic"
)

// balancer answers the built-in queries from a table "NAME METRIC" → value per minute;
// the load balancer's own name is "".
type balancer map[string]float64

func (b balancer) answer(q Query) Result {
	var qs []struct {
		MetricStat struct {
			Metric struct {
				MetricName string
				Dimensions []struct{ Name, Value string }
			}
			Stat string
		}
	}
	if err := json.Unmarshal([]byte(q.Text), &qs); err != nil {
		return Result{Err: err}
	}
	m, name := qs[0].MetricStat.Metric, ""
	if m.Dimensions[0].Name != "LoadBalancer" || m.Dimensions[0].Value != "app/web/0123456789abcdef" {
		return Result{Err: fmt.Errorf("dimensions %+v", m.Dimensions)}
	}
	if len(m.Dimensions) > 1 {
		name = strings.Split(m.Dimensions[1].Value, "/")[1]
	}
	if want := map[bool]string{true: "Minimum", false: "Sum"}[m.MetricName == healthyHosts]; qs[0].MetricStat.Stat != want {
		return Result{Err: fmt.Errorf("%s of %s", qs[0].MetricStat.Stat, m.MetricName)}
	}
	r := Result{Complete: true, Series: []Series{{}}}
	v, ok := b[name+" "+m.MetricName]
	for t := q.Start; ok && t.Before(q.End); t = t.Add(time.Minute) {
		r.Series[0].Points = append(r.Series[0].Points, Point{t, v})
	}
	return r
}

func groupARN(name string) string { return arns + "targetgroup/" + name + "/0123456789abcdef" }

func TestBuiltinAddsUpTheDestinationsOfEachSide(t *testing.T) {
	healthy := balancer{
		"a RequestCount": 300, "b RequestCount": 100, "c RequestCount": 200, "d RequestCount": 100, "e RequestCount": 100,
		"c HealthyHostCount": 3, "d HealthyHostCount": 2, "e HealthyHostCount": 1, " RequestCount": 800,
	}
	for name, tc := range map[string]struct {
		change  balancer
		verdict analysis.Verdict
		message string
	}{
		"all well":                           {nil, analysis.Successful, ""},
		"one of three gaining ones fails":    {balancer{"d HTTPCode_Target_5XX_Count": 20, "e TargetConnectionErrorCount": 20}, analysis.Failed, "10.00% (40 of 400) against the losing side's 0.00% (0 of 400)"},
		"the losing ones fail as much":       {balancer{"d HTTPCode_Target_5XX_Count": 20, "b HTTPCode_Target_5XX_Count": 20}, analysis.Successful, ""},
		"one has no healthy target":          {balancer{"e HealthyHostCount": 0}, analysis.Failed, "HealthyHostCount of e fell to 0"},
		"counts that are negative hold":      {balancer{"d RequestCount": -1}, analysis.Inconclusive, "RequestCount of d is -1"},
		"the load balancer's errors are one": {balancer{" HTTPCode_ELB_502_Count": 0, " HTTPCode_ELB_503_Count": 0, " HTTPCode_ELB_504_Count": 0}, analysis.Successful, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := maps.Clone(healthy)
			maps.Copy(b, tc.change)
			src := &fakeSource{answer: b.answer}
			a := mustNew(t, Config{Builtin: true, ALB: &ALB{ARN: lbARN, Source: src, Timing: errorsBelow(src).Timing}})
			req := request(4)
			req.Losing, req.Gaining, req.Live = []string{groupARN("a"), groupARN("b")}, []string{groupARN("c"), groupARN("d"), groupARN("e")}, nil
			for i, n := range []string{"a", "b", "c", "d", "e"} {
				req.Live = append(req.Live, traffic.Weighted{ID: groupARN(n), Weight: 10 + i})
			}
			r := a.Analyze(t.Context(), req)
			if r.Verdict != tc.verdict || !strings.Contains(r.Message, tc.message) {
				t.Errorf("%s %q, want %s %q", r.Verdict, r.Message, tc.verdict, tc.message)
			}
			if n := len(src.calls); n != 1 || len(src.calls[0]) != 2*(5*4+3+4) {
				t.Errorf("%d calls, of %d queries", n, len(src.calls[0]))
			}
		})
	}
}

func TestAnErrorAboutTheTimeBeforeIsAskedAgain(t *testing.T) {
	b := balancer{"blue RequestCount": 500, "green RequestCount": 500, "green HealthyHostCount": 2, " RequestCount": 1000}
	src := &fakeSource{}
	src.answer = func(q Query) Result {
		if q.Start.Before(at(0)) {
			return Result{Err: fmt.Errorf("throttled")}
		}
		return b.answer(q)
	}
	a := mustNew(t, Config{Builtin: true, ALB: &ALB{ARN: lbARN, Source: src, Timing: errorsBelow(src).Timing}})
	r := a.Analyze(t.Context(), request(4))
	if r.Verdict != analysis.Error || !strings.Contains(r.Message, "throttled") || !r.Next.Equal(at(4).Add(5*time.Second)) {
		t.Errorf("%s %q, next %s", r.Verdict, r.Message, r.Next)
	}
	src.answer = b.answer
	if r = a.Analyze(t.Context(), request(4.1)); r.Verdict != analysis.Successful {
		t.Errorf("healed: %s %q", r.Verdict, r.Message)
	}
}
