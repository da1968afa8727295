package prometheus

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/metric"
)

// exporter counts requests of two target groups, green's with errors.
type exporter struct{ requests, errors atomic.Int64 }

func (e *exporter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	n, failed := e.requests.Add(100), e.errors.Add(5)
	fmt.Fprintf(w, "requests_total{group=\"blue\",code=\"200\"} %d\nrequests_total{group=\"green\",code=\"200\"} %d\nrequests_total{group=\"green\",code=\"500\"} %d\n", n, n-failed, failed)
}

// realServer runs Debian's Prometheus, which scrapes an exporter each second.
func realServer(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatalf("%v: this test drives the real Prometheus: apt-get install -y prometheus", err)
	}
	target := httptest.NewServer(&exporter{})
	t.Cleanup(target.Close)
	dir, addr := t.TempDir(), freeAddr(t)
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: alb\n  static_configs: [{targets: [%q]}]\n", target.Listener.Addr())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--log.level=error")
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Wait() // the test's context ended, so it was interrupted; what it said shows when the test failed
		if t.Failed() {
			t.Logf("prometheus said: %s", log.String())
		}
	})
	return "http://" + addr
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await asks until the query has data.
func await(t *testing.T, src *Source, text string) metric.Result {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		r := src.Query(t.Context(), []metric.Query{{Text: text, End: time.Now()}})[0]
		if r.Err == nil && len(r.Series) > 0 && len(r.Series[0].Points) > 0 {
			return r
		}
		if time.Now().After(deadline) {
			t.Fatalf("no data of %s: %+v", text, r)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestAgainstTheRealPrometheus(t *testing.T) {
	src, err := New(realServer(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	const share = `100 * sum(rate(requests_total{group="{{.New.Name}}",code="500"}[{{.Interval}}s])) / sum(rate(requests_total{group="{{.New.Name}}"}[{{.Interval}}s]))`
	await(t, src, `sum(rate(requests_total{group="green",code="500"}[3s] offset 2s))`)
	now := time.Now()
	for name, tc := range map[string]struct {
		query   string
		reducer analysis.Reducer
		verdict analysis.Verdict
		message string
	}{
		"the share of errors":                  {share, "", analysis.Failed, "errors: 5 in "},
		"a scalar":                             {"scalar(vector(0.5))", "", analysis.Successful, ""},
		"nothing of that name is no data":      {"no_such_metric", "", analysis.Inconclusive, "no data"},
		"0/0 is no data":                       {"vector(0)/0", "", analysis.Inconclusive, "the value is NaN"},
		"1/0 is no data":                       {"vector(1)/0", "", analysis.Inconclusive, "the value is +Inf"},
		"several series":                       {"requests_total", "", analysis.Error, "the query gives 3 series"},
		"several series and a reducer":         {"requests_total * 0", analysis.ReduceMax, analysis.Successful, ""},
		"a parse error":                        {"sum(", "", analysis.Error, "HTTP 400: bad_data: "},
		"a range without a function":           {"requests_total[1m]", "", analysis.Error, "gives a matrix"},
		"a text":                               {`"x"`, "", analysis.Error, "gives a string"},
		"labels that do not match many to one": {`requests_total{group="green"} / on(group) requests_total{group="green"}`, "", analysis.Error, "execution: "},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := metric.New(metric.Config{
				Metrics: []metric.Metric{{
					Name: "errors", Source: src, Query: tc.query, Reducer: tc.reducer, Interval: 3 * time.Second,
					Threshold: analysis.Threshold{Max: new(1.0)}, Timing: analysis.Timing{Period: time.Second},
				}},
				Names: map[string]string{"g": "green"},
			})
			if err != nil {
				t.Fatal(err)
			}
			req := analysis.Request{Since: now.Add(-4 * time.Second), Now: now, Gaining: []string{"g"}}
			r := a.Analyze(t.Context(), req)
			if r.Verdict != tc.verdict || !strings.Contains(r.Message, tc.message) {
				t.Errorf("%s %q, want %s %q", r.Verdict, r.Message, tc.verdict, tc.message)
			}
			if err := a.Preflight(t.Context(), req); (err != nil) != (tc.verdict == analysis.Error) {
				t.Errorf("preflight: %v", err)
			}
		})
	}
}
