package cloudwatch_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/awssim/synth"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/metric"
	"github.com/norikae/norikae/internal/metric/cloudwatch"
)

// errorRate is a user's query for the new side's share of 5XX in percent.
const errorRate = `[
  {"Id": "req", "ReturnData": false, "MetricStat": {"Period": {{.Period}}, "Stat": "Sum", "Metric": {
    "Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount", "Dimensions": [
      {"Name": "LoadBalancer", "Value": "{{.LoadBalancer.Suffix}}"}, {"Name": "TargetGroup", "Value": "{{.New.Suffix}}"}]}}},
  {"Id": "e5xx", "ReturnData": false, "MetricStat": {"Period": {{.Period}}, "Stat": "Sum", "Metric": {
    "Namespace": "AWS/ApplicationELB", "MetricName": "HTTPCode_Target_5XX_Count", "Dimensions": [
      {"Name": "LoadBalancer", "Value": "{{.LoadBalancer.Suffix}}"}, {"Name": "TargetGroup", "Value": "{{.New.Suffix}}"}]}}},
  {"Id": "rate", "Expression": "IF(req > 0, 100 * FILL(e5xx, 0) / req)"}
]`

func (w *world) userMetric(name string, limit float64) metric.Metric {
	return metric.Metric{Name: name, Source: w.source(), Query: errorRate, Timing: cloudwatch.DefaultTiming(), Threshold: analysis.Threshold{Max: &limit}}
}

func TestUserMetricAgainstTheSimulator(t *testing.T) {
	for name, tc := range map[string]struct {
		green   synth.Behaviour
		change  func(*metric.Metric)
		verdict analysis.Verdict
		message string
	}{
		"below its max it passes":        {synth.Behaviour{}, nil, analysis.Successful, ""},
		"above its max it fails":         {synth.Behaviour{ErrorRate: 0.05}, nil, analysis.Failed, "errors: 5 in 00:11:00–00:12:00Z is above max 1"},
		"several minutes are averaged":   {synth.Behaviour{ErrorRate: 0.05}, func(m *metric.Metric) { m.Interval = 3 * time.Minute }, analysis.Failed, "errors: 5 in 00:11:00–00:14:00Z"},
		"too few requests never pass":    {synth.Behaviour{}, func(m *metric.Metric) { m.MinRequests = 601 }, analysis.Inconclusive, "the gaining side had 600 requests in"},
		"enough requests pass":           {synth.Behaviour{}, func(m *metric.Metric) { m.MinRequests = 600 }, analysis.Successful, ""},
		"min 0 and max unset is a bound": {synth.Behaviour{}, func(m *metric.Metric) { m.Min, m.Max = new(0.0), nil }, analysis.Successful, ""},
		"a min that is missed fails":     {synth.Behaviour{}, func(m *metric.Metric) { m.Min, m.Max = new(1.0), nil }, analysis.Failed, "errors: 0 in 00:11:00–00:12:00Z is below min 1"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 0, func(t *testing.T, w *world) {
				m := w.userMetric("errors", 1)
				if tc.change != nil {
					tc.change(&m)
				}
				a := w.analyzer(metric.Config{Metrics: []metric.Metric{m}, ALB: w.alb()})
				if err := a.Preflight(t.Context(), w.shiftTo(100, 0)); err != nil {
					t.Fatal(err)
				}
				req := w.shiftTo(50, 50)
				w.behave("green", tc.green)
				r, _ := w.follow(a, req, 10*time.Minute, analysis.Successful, analysis.Failed)
				if r.Verdict != tc.verdict || !strings.Contains(r.Message, tc.message) {
					t.Errorf("%s %q, want %s %q", r.Verdict, r.Message, tc.verdict, tc.message)
				}
			})
		})
	}
}

func TestAllMetricsOfAMomentAreOneCall(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		alb := w.alb()
		cfg := metric.Config{ALB: alb, Builtin: true}
		for i := range 20 {
			m := w.userMetric(fmt.Sprintf("errors-%d", i), 1)
			m.Source, m.MinRequests = alb.Source, 10
			cfg.Metrics = append(cfg.Metrics, m)
		}
		a, req := w.analyzer(cfg), w.shiftTo(50, 50)
		w.callCount()
		if r, _ := w.follow(a, req, 10*time.Minute, analysis.Successful, analysis.Failed); r.Verdict != analysis.Successful || len(r.Metrics) != 23 {
			t.Fatalf("%s %q", r.Verdict, r.Message)
		}
		if n := w.callCount(); n != 2 {
			t.Errorf("%d calls for the first window, want 1 for the level before and 1 for the window", n)
		}
		for range 5 {
			time.Sleep(period)
			req.Now = time.Now()
			a.Analyze(t.Context(), req)
			a.Analyze(t.Context(), req)
			if n := w.callCount(); n != 1 {
				t.Errorf("%d calls for one window more, want 1", n)
			}
		}
	})
}

func TestBuiltinReadsAllPages(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		a, req := w.analyzer(metric.Config{ALB: w.alb(), Builtin: true}), w.shiftTo(50, 50)
		w.behave("green", synth.Behaviour{ErrorRate: 0.05})
		r, _ := w.follow(a, req, 10*time.Minute, analysis.Successful, analysis.Failed)
		if m := last(t, r, metric.TargetErrors); r.Verdict != analysis.Failed || m.Value == nil || *m.Value != 0.05 || *m.Old != 0 {
			t.Errorf("%s %q, %+v", r.Verdict, r.Message, m)
		}
	})
}

func TestM08_MissingAndLateDataHold(t *testing.T) {
	t.Run("traffic without request counts", func(t *testing.T) {
		inWorld(t, 0, func(t *testing.T, w *world) {
			a, req := w.analyzer(metric.Config{ALB: w.alb(), Builtin: true}), w.shiftTo(50, 50)
			w.publish(delay, func(m string) bool { return m == "RequestCount" })
			r, _ := w.follow(a, req, 10*time.Minute, analysis.Successful, analysis.Failed)
			if r.Verdict != analysis.Inconclusive || !strings.Contains(r.Message, "no requests of green") {
				t.Errorf("%s %q %+v", r.Verdict, r.Message, r.Metrics)
			}
		})
	})
	t.Run("everything is lost", func(t *testing.T) {
		inWorld(t, 0, func(t *testing.T, w *world) {
			a, req := w.analyzer(metric.Config{ALB: w.alb(), Builtin: true}), w.shiftTo(0, 100)
			w.publish(delay, func(string) bool { return true })
			r, _ := w.follow(a, req, 10*time.Minute, analysis.Successful, analysis.Failed)
			if r.Verdict != analysis.Inconclusive || !strings.Contains(r.Message, "no HealthyHostCount of green") {
				t.Errorf("%s %q", r.Verdict, r.Message)
			}
		})
	})
	t.Run("data that come ten minutes late are judged when they come", func(t *testing.T) {
		inWorld(t, 0, func(t *testing.T, w *world) {
			a, req := w.analyzer(metric.Config{ALB: w.alb(), Builtin: true}), w.shiftTo(50, 50)
			w.behave("green", synth.Behaviour{ErrorRate: 0.05})
			w.publish(10*time.Minute, nil)
			if r, _ := w.follow(a, req, 8*time.Minute, analysis.Successful, analysis.Failed); r.Verdict != analysis.Inconclusive {
				t.Errorf("while nothing is there: %s %q", r.Verdict, r.Message)
			}
			w.publish(delay, nil)
			if r, _ := w.follow(a, req, 20*time.Minute, analysis.Successful, analysis.Failed); r.Verdict != analysis.Failed {
				t.Errorf("once it is there: %s %q", r.Verdict, r.Message)
			}
		})
	})
}

func TestIdleIsJudgedByHealthAloneAndSaid(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		w.plane.SetTraffic(false)
		w.sleep(10 * time.Minute)
		a, req := w.analyzer(metric.Config{ALB: w.alb(), Builtin: true}), w.shiftTo(50, 50)
		r, _ := w.follow(a, req, 10*time.Minute, analysis.Successful, analysis.Failed)
		if m := last(t, r, metric.TargetErrors); r.Verdict != analysis.Successful || !strings.Contains(m.Message, "judged by the healthy targets alone") {
			t.Errorf("%s %q %q", r.Verdict, r.Message, m.Message)
		}
	})
	inWorld(t, 0, func(t *testing.T, w *world) {
		a, req := w.analyzer(metric.Config{ALB: w.alb(), Builtin: true}), w.shiftTo(50, 50)
		w.plane.SetTraffic(false)
		r, _ := w.follow(a, req, 10*time.Minute, analysis.Successful, analysis.Failed)
		if r.Verdict != analysis.Inconclusive || !strings.Contains(r.Message, "there was traffic before the shift") {
			t.Errorf("traffic that ended with the shift: %s %q", r.Verdict, r.Message)
		}
	})
}

func TestARestartedAnalyzerComesToTheSameReport(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		cfg := metric.Config{ALB: w.alb(), Builtin: true, Metrics: []metric.Metric{w.userMetric("errors", 3)}}
		first, req := w.analyzer(cfg), w.shiftTo(50, 50)
		w.behave("green", synth.Behaviour{ErrorRate: 0.015})
		for range 9 {
			w.sleep(period)
			req.Now = time.Now()
			a := first.Analyze(t.Context(), req)
			b := w.analyzer(cfg).Analyze(t.Context(), req)
			if a.Verdict != b.Verdict || a.Message != b.Message || !a.Next.Equal(b.Next) || fmt.Sprintf("%+v", counts(a)) != fmt.Sprintf("%+v", counts(b)) {
				t.Errorf("after %s:\n%+v\n%+v", time.Since(req.Since), a, b)
			}
		}
	})
}

func counts(r analysis.Report) (out [][4]int) {
	for _, m := range r.Metrics {
		out = append(out, [4]int{m.Passed, m.Failed, m.Inconclusive, m.FailureLimit})
	}
	return out
}

func TestM10_WhatCloudWatchRefusesIsFoundByPreflight(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		m := w.userMetric("bad", 1)
		m.Query = strings.Replace(errorRate, "IF(req > 0", "WHEN(req > 0", 1)
		good := w.userMetric("good", 1)
		err := w.analyzer(metric.Config{ALB: w.alb(), Metrics: []metric.Metric{good, m}}).Preflight(t.Context(), w.shiftTo(100, 0))
		if err == nil || !strings.Contains(err.Error(), `metric "bad": query: GetMetricData`) || strings.Contains(err.Error(), `"good"`) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFaultsOfTheAPIAreErrorsThatHeal(t *testing.T) {
	for name, tc := range map[string]struct {
		fault   error
		message string
	}{
		"throttling":           {&wire.Error{Code: "ThrottlingException", Message: "Rate exceeded"}, "ThrottlingException"},
		"an error of AWS":      {&wire.Error{Code: "InternalServiceFault", Message: "oops", Status: 500, Fault: "Receiver"}, "InternalServiceFault"},
		"expired credentials":  {&wire.Error{Code: "ExpiredToken", Message: "expired", Status: 403}, "access denied"},
		"no permission":        {&wire.Error{Code: "AccessDenied", Message: "not authorized to perform: cloudwatch:GetMetricData", Status: 403}, "access denied"},
		"a dropped connection": {wire.ErrDrop, "GetMetricData"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 0, func(t *testing.T, w *world) {
				a := w.analyzer(metric.Config{ALB: w.alb(), Builtin: true, Metrics: []metric.Metric{w.userMetric("errors", 1)}})
				w.failWith(tc.fault)
				if err := a.Preflight(t.Context(), w.shiftTo(100, 0)); err == nil || !strings.Contains(err.Error(), "built-in analysis: ") || !strings.Contains(err.Error(), `metric "errors": query: `) {
					t.Errorf("preflight: %v", err)
				}
				req := w.shiftTo(50, 50)
				r, took := w.follow(a, req, 6*time.Minute, analysis.Successful, analysis.Failed)
				if r.Verdict != analysis.Error || !strings.Contains(r.Message, tc.message) {
					t.Errorf("%s %q, want %q", r.Verdict, r.Message, tc.message)
				}
				if wait := time.Until(r.Next); wait > 5*time.Second {
					t.Errorf("after %s asks again in %s", took, wait)
				}
				w.failWith(nil)
				req.Now = r.Next
				time.Sleep(time.Until(r.Next))
				if r = a.Analyze(t.Context(), req); r.Verdict != analysis.Successful {
					t.Errorf("healed: %s %q", r.Verdict, r.Message)
				}
			})
		})
	}
}

func TestStepsOfAWholeShift(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		a := w.analyzer(metric.Config{ALB: w.alb(), Builtin: true})
		req := w.shiftTo(90, 10)
		for p := 10; p <= 100; p += 10 {
			if p > 10 {
				req = w.step(req, 100-p, p)
			}
			r, took := w.follow(a, req, 10*time.Minute, analysis.Successful, analysis.Failed)
			if r.Verdict != analysis.Successful || took > cloudwatch.DefaultTiming().Window()+period {
				t.Fatalf("at %d%%: %s %q after %s", p, r.Verdict, r.Message, took)
			}
		}
		w.behave("green", synth.Behaviour{ErrorRate: 0.03})
		began := time.Now()
		r, _ := w.follow(a, req, 2*time.Hour, analysis.Failed)
		if r.Verdict != analysis.Failed || time.Since(began) > 2*period+delay {
			t.Errorf("a green that breaks during the bake: %s %q after %s", r.Verdict, r.Message, time.Since(began))
		}
	})
}
