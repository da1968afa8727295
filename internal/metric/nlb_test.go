package metric

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/norikae/norikae/internal/analysis"
)

const (
	nlbARN      = arns + "loadbalancer/net/edge/0123456789abcdef"
	nlbListener = arns + "listener/net/edge/0123456789abcdef/0123456789abcdef"
)

// AWS has no series of a metric with other dimensions than these.
func TestAnNLBIsAskedOnlyForMetricsThatAWSHas(t *testing.T) {
	src := &fakeSource{answer: nothing}
	a := mustNew(t, Config{Builtin: true, NLB: &NLB{ARN: nlbListener, Source: src, Timing: errorsBelow(src).Timing}})
	a.Analyze(t.Context(), request(4))
	const lb, green = "LoadBalancer=net/edge/0123456789abcdef", " TargetGroup=targetgroup/green/0123456789abcdef"
	want := []string{
		"HealthyHostCount Minimum " + lb + green,
		"NewFlowCount Sum " + lb, "TCP_Target_Reset_Count Sum " + lb, "TCP_ELB_Reset_Count Sum " + lb, "TCP_Client_Reset_Count Sum " + lb,
		"UnhealthyRoutingFlowCount Sum " + lb, "ActiveFlowCount Maximum " + lb,
	}
	var got []string
	for _, q := range src.calls[0][:len(src.calls[0])/2] { // the other half is the level before
		got = append(got, metricOf(t, q))
	}
	if !slices.Equal(got, want) {
		t.Errorf("asked for\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func metricOf(t *testing.T, q Query) string {
	t.Helper()
	var qs []struct {
		MetricStat struct {
			Metric struct {
				Namespace, MetricName string
				Dimensions            []struct{ Name, Value string }
			}
			Stat string
		}
	}
	if err := json.Unmarshal([]byte(q.Text), &qs); err != nil {
		t.Fatal(err)
	}
	m := qs[0].MetricStat
	if m.Metric.Namespace != "AWS/NetworkELB" {
		t.Errorf("namespace %s", m.Metric.Namespace)
	}
	out := m.Metric.MetricName + " " + m.Stat
	for _, d := range m.Metric.Dimensions {
		out += " " + d.Name + "=" + d.Value
	}
	return out
}

func TestWhichLoadBalancerARouteIsOn(t *testing.T) {
	src := &fakeSource{answer: nothing}
	timing := errorsBelow(src).Timing
	alb, nlb := &ALB{ARN: lbARN, Source: src, Timing: timing}, &NLB{ARN: nlbARN, Source: src, Timing: timing}
	counted := errorsBelow(src)
	counted.MinRequests = 10
	for name, tc := range map[string]struct {
		cfg   Config
		parts []string
	}{
		"both":                           {Config{ALB: alb, NLB: nlb}, []string{"set one of them"}},
		"none":                           {Config{Builtin: true}, []string{"needs a load balancer", "analysis.builtin to false"}},
		"an ALB's ARN for an NLB":        {Config{Builtin: true, NLB: &NLB{ARN: lbARN, Source: src, Timing: timing}}, []string{lbARN, `another type than "net"`}},
		"an NLB's ARN for an ALB":        {Config{Builtin: true, ALB: &ALB{ARN: nlbARN, Source: src, Timing: timing}}, []string{nlbARN, `another type than "app"`}},
		"no ARN of a load balancer":      {Config{Builtin: true, NLB: &NLB{ARN: blue, Source: src, Timing: timing}}, []string{blue, "no ARN of a load balancer"}},
		"no source":                      {Config{Builtin: true, NLB: &NLB{ARN: nlbARN, Timing: timing}}, []string{"no source"}},
		"a period that is none":          {Config{Builtin: true, NLB: &NLB{ARN: nlbARN, Source: src}}, []string{"timing.period"}},
		"minRequests, which no NLB sees": {Config{NLB: nlb, Metrics: []Metric{counted}}, []string{`metric "errors"`, "minRequests: 10", "which this route is none of"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(tc.cfg)
			wantTerminal(t, err, tc.parts...)
		})
	}
}

func TestATemplateCanNameAnNLB(t *testing.T) {
	src := &fakeSource{answer: value(0)}
	m := errorsBelow(src)
	m.Query = "{{.LoadBalancer.Suffix}} {{.LoadBalancer.ARN}} {{.Region}} {{.Account}} {{.New.Suffix}}"
	a := mustNew(t, Config{NLB: &NLB{ARN: nlbListener}, Metrics: []Metric{m}})
	a.Analyze(t.Context(), request(4))
	if got, want := src.calls[0][0].Text, "net/edge/0123456789abcdef "+nlbARN+" us-east-1 000000000000 targetgroup/green/0123456789abcdef"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAnErrorOfAnNLBsMetricIsOneOfAllItsJudgements(t *testing.T) {
	src := &fakeSource{answer: func(q Query) Result {
		if strings.Contains(q.Text, "TCP_ELB_Reset_Count") {
			return Result{Err: fmt.Errorf("throttled")}
		}
		return value(1000)(q)
	}}
	a := mustNew(t, Config{Builtin: true, NLB: &NLB{ARN: nlbARN, Source: src, Timing: errorsBelow(src).Timing}})
	r := a.Analyze(t.Context(), request(4))
	if r.Verdict != analysis.Error || len(r.Metrics) != 3 {
		t.Fatalf("%s %q", r.Verdict, r.Message)
	}
	for _, m := range r.Metrics {
		if m.Last.Verdict != analysis.Error || !strings.Contains(m.Last.Message, "throttled") {
			t.Errorf("%+v", m)
		}
	}
}
