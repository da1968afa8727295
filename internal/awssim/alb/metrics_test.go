package alb

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/model"
)

const (
	lbDims    = "{LoadBalancer=app/web/0123456789abcdef}"
	blueDims  = "{LoadBalancer=app/web/0123456789abcdef,TargetGroup=targetgroup/blue/0123456789abcdef}"
	greenDims = "{LoadBalancer=app/web/0123456789abcdef,TargetGroup=targetgroup/green/0123456789abcdef}"
)

// nextPeriod sleeps to the end of the metric period and returns its sums, but those of
// bytes and of connections.
func (l *lab) nextPeriod(t *testing.T) map[string]float64 {
	t.Helper()
	l.sink.take(t)
	start := time.Now().Truncate(time.Minute)
	sleep(time.Until(start.Add(time.Minute)))
	out := map[string]float64{}
	for key, d := range l.sink.take(t) {
		if d.Timestamp != start || d.Namespace != "AWS/ApplicationELB" {
			t.Errorf("%s/%s has time %s, want the period's start %s", d.Namespace, key, d.Timestamp, start)
		}
		switch d.Name {
		case "ProcessedBytes", "ActiveConnectionCount", "NewConnectionCount", "HealthyHostCount", "UnHealthyHostCount":
		default:
			out[key] = d.Sum
		}
	}
	return out
}

func TestMetricsAreAsSparseAsAWSs(t *testing.T) {
	for name, tc := range map[string]struct {
		traffic func(t *testing.T, l *lab)
		want    map[string]float64
	}{
		"without traffic there is nothing": {func(*testing.T, *lab) {}, map[string]float64{}},
		"answered requests have no error metrics, not even zeros": {
			func(t *testing.T, l *lab) {
				l.toys["blue"].SetLatency(time.Second)
				for range 3 {
					l.client.get(t, "/")
				}
			},
			map[string]float64{
				"RequestCount" + lbDims: 3, "HTTPCode_Target_2XX_Count" + lbDims: 3, "TargetResponseTime" + lbDims: 3,
				"RequestCount" + blueDims: 3, "HTTPCode_Target_2XX_Count" + blueDims: 3, "TargetResponseTime" + blueDims: 3,
			},
		},
		"errors of targets": {
			func(t *testing.T, l *lab) {
				if err := l.toys["blue"].SetFailRate(1); err != nil {
					t.Fatal(err)
				}
				l.client.get(t, "/")
				if err := l.toys["blue"].SetFailRate(0); err != nil {
					t.Fatal(err)
				}
				l.client.get(t, "/ws") // 426 without an upgrade
			},
			map[string]float64{
				"RequestCount" + lbDims: 2, "HTTPCode_Target_4XX_Count" + lbDims: 1, "HTTPCode_Target_5XX_Count" + lbDims: 1, "TargetResponseTime" + lbDims: 0,
				"RequestCount" + blueDims: 2, "HTTPCode_Target_4XX_Count" + blueDims: 1, "HTTPCode_Target_5XX_Count" + blueDims: 1, "TargetResponseTime" + blueDims: 0,
			},
		},
		"connections that do not come about": {
			func(t *testing.T, l *lab) {
				if err := l.toys["blue"].SetDown(true); err != nil {
					t.Fatal(err)
				}
				l.client.get(t, "/")
			},
			map[string]float64{
				"RequestCount" + lbDims: 1, "TargetConnectionErrorCount" + lbDims: 1, "HTTPCode_ELB_5XX_Count" + lbDims: 1, "HTTPCode_ELB_502_Count" + lbDims: 1,
				"RequestCount" + blueDims: 1, "TargetConnectionErrorCount" + blueDims: 1,
			},
		},
		"timeouts are no connection errors": {
			func(t *testing.T, l *lab) {
				l.world.lbAttributes = map[string]string{"idle_timeout.timeout_seconds": "5"}
				l.apply(split("blue", 1))
				l.toys["blue"].SetLatency(6 * time.Second)
				l.client.get(t, "/")
			},
			map[string]float64{
				"RequestCount" + lbDims: 1, "HTTPCode_ELB_5XX_Count" + lbDims: 1, "HTTPCode_ELB_504_Count" + lbDims: 1, "RequestCount" + blueDims: 1,
			},
		},
		"requests without a target are only in the load balancer's own metrics": {
			func(t *testing.T, l *lab) {
				l.apply(split("nowhere", 1))
				l.client.get(t, "/")
			},
			map[string]float64{"HTTPCode_ELB_5XX_Count" + lbDims: 1, "HTTPCode_ELB_503_Count" + lbDims: 1},
		},
		"requests to a group without a healthy target": {
			func(t *testing.T, l *lab) {
				l.toys["blue"].SetHealthy(false)
				sleep(20 * time.Second)
				l.client.get(t, "/")
			},
			map[string]float64{
				"RequestCount" + lbDims: 1, "HTTPCode_Target_2XX_Count" + lbDims: 1, "TargetResponseTime" + lbDims: 0, "UnhealthyRoutingRequestCount" + lbDims: 1,
				"RequestCount" + blueDims: 1, "HTTPCode_Target_2XX_Count" + blueDims: 1, "TargetResponseTime" + blueDims: 0, "UnhealthyRoutingRequestCount" + blueDims: 1,
			},
		},
		"requests that no rule gets to see": {
			func(t *testing.T, l *lab) {
				if a := l.client.get(t, "/", "X-Forwarded-For", strings.Repeat("192.0.2.1, ", 30)+"192.0.2.1"); a.status != statusTooManyAddresses {
					t.Errorf("status %d, want 463", a.status)
				}
				l.client.get(t, "/", "X-Forwarded-For", strings.Repeat("192.0.2.1, ", 29)+"192.0.2.1")
			},
			map[string]float64{
				"HTTPCode_ELB_4XX_Count" + lbDims: 1, "RequestCount" + lbDims: 1, "HTTPCode_Target_2XX_Count" + lbDims: 1, "TargetResponseTime" + lbDims: 0,
				"RequestCount" + blueDims: 1, "HTTPCode_Target_2XX_Count" + blueDims: 1, "TargetResponseTime" + blueDims: 0,
			},
		},
		"answers of rules": {
			func(t *testing.T, l *lab) {
				l.apply(fixed("404", "no"))
				l.client.get(t, "/")
				l.client.get(t, "/")
				l.apply(model.Action{Type: "redirect", Redirect: &model.Redirect{Host: "b", StatusCode: "HTTP_301"}})
				l.client.get(t, "/")
			},
			map[string]float64{"HTTP_Fixed_Response_Count" + lbDims: 2, "HTTP_Redirect_Count" + lbDims: 1, "HTTPCode_ELB_3XX_Count" + lbDims: 1},
		},
		"lost requests show as requests without an outcome": {
			func(t *testing.T, l *lab) {
				l.plane.SetLose(1)
				if a, err := l.client.do(t.Context(), http.MethodGet, "/"); err == nil {
					t.Errorf("the lost request was answered with %d", a.status)
				}
			},
			map[string]float64{"RequestCount" + lbDims: 1, "RequestCount" + blueDims: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, split("blue", 1), func(t *testing.T, l *lab) {
				l.nextPeriod(t)
				tc.traffic(t, l)
				if d := cmp.Diff(tc.want, l.nextPeriod(t)); d != "" {
					t.Errorf("sums of the period (-want +got):\n%s", d)
				}
				if got := l.nextPeriod(t); len(got) != 0 {
					t.Errorf("the period after it has %v, want nothing", got)
				}
			})
		})
	}
}

func TestStatisticsOfCountsAndTimes(t *testing.T) {
	virtual(t, split("blue", 1, "green", 0), func(t *testing.T, l *lab) {
		l.nextPeriod(t)
		l.sink.take(t)
		for _, d := range []time.Duration{time.Second, 3 * time.Second, 2 * time.Second} {
			l.toys["blue"].SetLatency(d)
			l.client.get(t, "/")
		}
		l.apply(split("green", 1))
		l.toys["green"].SetLatency(5 * time.Second)
		l.client.get(t, "/")
		sleep(time.Minute)
		got := l.sink.take(t)
		for key, want := range map[string]model.Datum{
			"RequestCount" + lbDims:         {Sum: 4, Min: 1, Max: 1, Count: 4, Unit: "Count"},
			"TargetResponseTime" + lbDims:   {Sum: 11, Min: 1, Max: 5, Count: 4, Unit: "Seconds", Values: []float64{1, 3, 2, 5}},
			"TargetResponseTime" + blueDims: {Sum: 6, Min: 1, Max: 3, Count: 3, Unit: "Seconds", Values: []float64{1, 3, 2}},
		} {
			g := got[key]
			if d := cmp.Diff(want, model.Datum{Sum: g.Sum, Min: g.Min, Max: g.Max, Count: g.Count, Unit: g.Unit, Values: g.Values}); d != "" {
				t.Errorf("%s (-want +got):\n%s", key, d)
			}
		}
		if b := got["ProcessedBytes"+lbDims]; b.Sum < 4*200 || b.Unit != "Bytes" {
			t.Errorf("ProcessedBytes = %+v, want some 100 a request", b)
		}
		if n, a := got["NewConnectionCount"+lbDims].Sum, got["ActiveConnectionCount"+lbDims].Sum; n != 4 || a != 1 {
			t.Errorf("%v new connections and %v active, want 4 (the client's, three targets') and the client's", n, a)
		}
	})
}

func TestHostCountsAreAlwaysReported(t *testing.T) {
	virtual(t, split("blue", 100, "green", 0), func(t *testing.T, l *lab) {
		hosts := func() map[string]model.Datum {
			l.sink.take(t)
			sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)))
			return l.sink.take(t)
		}
		check := func(when, metric string, low, high float64) {
			t.Helper()
			if d, ok := hosts()[metric]; !ok || d.Min != low || d.Max != high {
				t.Errorf("%s: %s is %v–%v (there: %t), want %v–%v", when, metric, d.Min, d.Max, ok, low, high)
			}
		}
		check("in the period of the start", "HealthyHostCount"+blueDims, 0, 2)
		check("with no request at all", "HealthyHostCount"+greenDims, 2, 2)
		check("with no request at all", "UnHealthyHostCount"+greenDims, 0, 0)
		l.toys["green"].SetHealthy(false)
		check("in the period of the failure", "HealthyHostCount"+greenDims, 0, 2)
		check("after the failure", "UnHealthyHostCount"+greenDims, 2, 2)
		l.apply(split("blue", 100))
		if _, ok := hosts()["HealthyHostCount"+greenDims]; ok {
			t.Error("a group that no rule names is still reported")
		}
		l.world.groups[0].HealthCheck.Enabled = false
		l.apply(split("blue", 100))
		if _, ok := hosts()["HealthyHostCount"+blueDims]; ok {
			t.Error("a group without health checks is reported")
		}
	})
}

func TestPeriodsAreAlignedToTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sleep(42 * time.Second)
		m, s := newMemory(), &sink{}
		p := start(t, Config{Listen: m.Listen, Dial: m.Dial, Sink: s, MetricPeriod: 10 * time.Second})
		p.Apply(world{groups: []model.TargetGroup{checked(t, "blue", "127.0.0.1:1")}, rules: []model.Rule{defaultRule(split("blue", 1))}}.config())
		sleep(time.Minute)
		var at []string
		for _, d := range s.data {
			if d.Name == "HealthyHostCount" {
				at = append(at, d.Timestamp.UTC().Format("04:05"))
			}
		}
		if got := strings.Join(at, " "); got != "00:40 00:50 01:00 01:10 01:20 01:30" {
			t.Errorf("periods began at %s", got)
		}
	})
}

// However many values there are: samples are bounded, are spread evenly over the
// period, and groups weigh in the load balancer's as they did in the traffic.
func TestSamplesStandForAllValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := make([]samples, rapid.IntRange(1, 4).Draw(t, "groups"))
		counts := make([]int, len(parts))
		total := 0
		for i := range parts {
			counts[i] = rapid.IntRange(0, 20000).Draw(t, "values")
			total += counts[i]
			for range counts[i] {
				parts[i].add(float64(i))
			}
			if n := len(parts[i].values); n > maxSamples || n < min(counts[i], maxSamples/2) {
				t.Fatalf("%d samples of %d values, want %d–%d", n, counts[i], min(counts[i], maxSamples/2), maxSamples)
			}
		}
		merged := merge(parts)
		if n := len(merged); n > maxSamples || n < min(total, maxSamples/2) {
			t.Fatalf("%d merged samples of %d values", n, total)
		}
		for i, n := range counts {
			share := float64(len(slices.DeleteFunc(slices.Clone(merged), func(v float64) bool { return v != float64(i) })))
			if want := float64(n) * float64(len(merged)) / math.Max(float64(total), 1); math.Abs(share-want) > 4 {
				t.Fatalf("group %d has %v samples of %d, want about %.1f", i, share, len(merged), want)
			}
		}
	})
}
