package prometheus

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/metric"
)

func origin() time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) }

func query(text string) metric.Query {
	return metric.Query{Metric: "errors", Text: text, Start: origin(), End: origin().Add(time.Minute)}
}

// answering makes a Source whose server always says the same.
func answering(t *testing.T, status int, body string) *Source {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/prefix/api/v1/query" || r.URL.Query().Get("time") != fmt.Sprint(origin().Unix()+60) {
			t.Errorf("asked %s", r.URL)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // a client that has gone is its own test's business
	}))
	t.Cleanup(s.Close)
	src, err := New(s.URL+"/prefix/", s.Client())
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func data(kind, result string) string {
	return fmt.Sprintf(`{"status":"success","data":{"resultType":%q,"result":%s}}`, kind, result)
}

func values(r metric.Result) string {
	out := [][]float64{}
	for _, s := range r.Series {
		vs := []float64{}
		for _, p := range s.Points {
			vs = append(vs, p.Value)
		}
		out = append(out, vs)
	}
	return fmt.Sprint(out)
}

func TestAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		status            int
		body              string
		want, notes, err  string
		terminal, deniedE bool
	}{
		"a vector of one":                 {200, data("vector", `[{"metric":{"a":"b"},"value":[1782907260,"0.25"]}]`), "[[0.25]]", "", "", false, false},
		"a vector of two":                 {200, data("vector", `[{"metric":{},"value":[1,"1"]},{"metric":{},"value":[1,"2"]}]`), "[[1] [2]]", "", "", false, false},
		"an empty vector is no data":      {200, data("vector", `[]`), "[]", "", "", false, false},
		"a scalar":                        {200, data("scalar", `[1,"3"]`), "[[3]]", "", "", false, false},
		"NaN is no data, and it is said":  {200, data("vector", `[{"metric":{},"value":[1,"NaN"]}]`), "[[]]", "the value is NaN", "", false, false},
		"infinity is no data":             {200, data("scalar", `[1,"+Inf"]`), "[[]]", "the value is +Inf", "", false, false},
		"too large is no data":            {200, data("scalar", `[1,"1e999"]`), "[[]]", "the value is +Inf", "", false, false},
		"warnings are passed on":          {200, `{"status":"success","warnings":["one store is down"],"data":{"resultType":"scalar","result":[1,"3"]}}`, "[[3]]", "one store is down", "", false, false},
		"a matrix":                        {200, data("matrix", `[]`), "", "", "gives a matrix", true, false},
		"a string":                        {200, data("string", `[1,"x"]`), "", "", "gives a string", true, false},
		"a native histogram":              {200, data("vector", `[{"metric":{},"histogram":[1,{}]}]`), "", "", "native histogram", true, false},
		"an unknown type":                 {200, data("tensor", `[]`), "", "", `unknown result type "tensor"`, false, false},
		"a wrong query":                   {400, `{"status":"error","errorType":"bad_data","error":"1:3: parse error"}`, "", "", "HTTP 400: bad_data: 1:3: parse error", true, false},
		"a query that cannot be executed": {422, `{"status":"error","errorType":"execution","error":"many-to-many"}`, "", "", "HTTP 422: execution: many-to-many", false, false},
		"a timeout":                       {503, `{"status":"error","errorType":"timeout","error":"query timed out"}`, "", "", "HTTP 503: timeout", false, false},
		"an error with HTTP 200":          {200, `{"status":"error","errorType":"internal","error":"oops"}`, "", "", "internal: oops", false, false},
		"a proxy that refuses":            {403, "forbidden", "", "", `access denied: HTTP 403: no answer of Prometheus: "forbidden"`, false, true},
		"a page of something else":        {200, "<html>", "", "", "no answer of Prometheus", false, false},
		"an answer without bound":         {200, `{"status":"` + strings.Repeat("x", 2<<20), "", "", "more than 1048576 bytes", false, false},
		"a redirect":                      {302, "", "", "", "HTTP 302", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := answering(t, tc.status, tc.body).Query(t.Context(), []metric.Query{query("up")})[0]
			if tc.err != "" {
				if got.Err == nil || !strings.Contains(got.Err.Error(), tc.err) || fault.IsTerminal(got.Err) != tc.terminal || errors.Is(got.Err, fault.ErrDenied) != tc.deniedE {
					t.Errorf("got %+v, want %q", got, tc.err)
				}
				return
			}
			if got.Err != nil || !got.Complete || values(got) != tc.want || strings.Join(got.Notes, ";") != tc.notes {
				t.Errorf("got %s %q, %v, want %s %q", values(got), got.Notes, got.Err, tc.want, tc.notes)
			}
		})
	}
}

func TestM12_StringSamplesThatAreNoNumbersDoNotPass(t *testing.T) {
	for _, sample := range []string{`"NaN"`, `"+Inf"`, `"-Inf"`, `"ok"`, `""`, `"0,5"`, `0.5`, `null`, `["0.5"]`} {
		src := answering(t, 200, data("vector", `[{"metric":{},"value":[1,`+sample+`]}]`))
		a, err := metric.New(metric.Config{Metrics: []metric.Metric{{
			Name: "errors", Source: src, Query: "x", Threshold: analysis.Threshold{Min: new(-math.MaxFloat64), Max: new(math.MaxFloat64)},
			Timing: analysis.Timing{Period: time.Minute},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		r := a.Analyze(t.Context(), analysis.Request{Since: origin(), Now: origin().Add(time.Minute)})
		if r.Verdict != analysis.Inconclusive && r.Verdict != analysis.Error {
			t.Errorf("%s: %s %q", sample, r.Verdict, r.Message)
		}
	}
}

func TestWrongSettings(t *testing.T) {
	for _, address := range []string{"", "prometheus:9090", "ftp://x", "http://", "http://x/?a=b", "http://[::1"} {
		if _, err := New(address, nil); err == nil || !fault.IsTerminal(err) || !strings.Contains(err.Error(), "prometheus.address") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestThePasswordOfAnAddressIsNotTold(t *testing.T) {
	src, err := New("http://me:secret-word@127.0.0.1:1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := src.Query(t.Context(), []metric.Query{query("up")})[0]; r.Err == nil || strings.Contains(r.Err.Error(), "secret-word") {
		t.Errorf("%v", r.Err)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(200, []byte(data("vector", `[{"metric":{"a":"b"},"value":[1,"NaN"]}]`)))
	f.Add(200, []byte(data("scalar", `[1,"3"]`)))
	f.Add(400, []byte(`{"status":"error","errorType":"bad_data"}`))
	f.Fuzz(func(t *testing.T, status int, b []byte) {
		got, _, err := decode(metric.Answer{Status: status, Body: b}, origin())
		if err != nil {
			return
		}
		if status != http.StatusOK || !json.Valid(b) {
			t.Errorf("read %d %q", status, b)
		}
		for _, s := range got {
			for _, p := range s.Points {
				if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
					t.Errorf("a point of %v", p.Value)
				}
			}
		}
	})
}
