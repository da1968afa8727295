package datadog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/metric"
)

const (
	apiKey = "api-key-0123456789"
	appKey = "app-key-9876543210"
)

func origin() time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) }

func window() analysis.Window {
	return analysis.Window{Start: origin(), End: origin().Add(time.Minute)}
}

func query() metric.Query {
	return metric.Query{Metric: "errors", Text: "sum:trace.http.request.errors{cluster:green}.as_rate()", Start: origin(), End: origin().Add(time.Minute)}
}

// server is shaped like Datadog: it checks the keys and the parameters, then answers.
func server(t *testing.T, answer http.HandlerFunc) *Source {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		switch {
		case r.Method != http.MethodGet || r.URL.Path != "/api/v1/query":
			http.NotFound(w, r)
		case r.Header.Get("DD-API-KEY") != apiKey || r.Header.Get("DD-APPLICATION-KEY") != appKey:
			reply(w, http.StatusForbidden, `{"errors":["Forbidden"]}`)
		case q.Get("from") != fmt.Sprint(origin().Unix()) || q.Get("to") != fmt.Sprint(origin().Unix()+60) || q.Get("query") != query().Text:
			reply(w, http.StatusBadRequest, fmt.Sprintf(`{"errors":[%q]}`, r.URL.RawQuery))
		default:
			answer(w, r)
		}
	}))
	t.Cleanup(s.Close)
	src, err := New(Config{Address: s.URL, APIKey: apiKey, AppKey: appKey, HTTP: s.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a client that has gone is its own test's business
}

// body of an answer with series of [seconds after the origin, value] points.
func body(series ...string) string {
	return `{"status":"ok","res_type":"time_series","resp_version":1,"query":"q","from_date":1,"to_date":2,"group_by":[],"error":"","series":[` + strings.Join(series, ",") + `]}`
}

func series(interval int, points ...string) string {
	return fmt.Sprintf(`{"metric":"errors","display_name":"errors","unit":null,"aggr":"sum","tag_set":[],"scope":"cluster:green","expression":"sum:errors","interval":%d,"length":%d,"pointlist":[%s]}`, interval, len(points), strings.Join(points, ","))
}

func point(second int, value string) string {
	return fmt.Sprintf("[%d.0,%s]", origin().Add(time.Duration(second)*time.Second).UnixMilli(), value)
}

func TestAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   [][]float64
		err    string
	}{
		"points of one series":                            {200, body(series(20, point(0, "1"), point(20, "2"), point(40, "3.5"))), [][]float64{{1, 2, 3.5}}, ""},
		"no series is no data":                            {200, body(), nil, ""},
		"several series are all told":                     {200, body(series(20, point(0, "1")), series(20, point(0, "2"))), [][]float64{{1}, {2}}, ""},
		"points before and after the window are left out": {200, body(series(20, point(-20, "9"), point(0, "1"), point(20, "2"), point(40, "3"), point(60, "9"))), [][]float64{{1, 2, 3}}, ""},
		"HTTP 200 with an error":                          {200, `{"status":"error","error":"Rule 'scope_expr' didn't match at ':'"}`, nil, `status "error": Rule 'scope_expr' didn't match`},
		"no JSON":                                         {200, "<html>", nil, "the answer cannot be read"},
		"a point that is none":                            {200, body(series(20, "[1]")), nil, "is not [milliseconds, value]"},
		"a point without a time":                          {200, body(series(20, "[null,1]")), nil, "is not [milliseconds, value]"},
		"a rollup coarser than the window":                {200, body(series(300, point(0, "1"))), nil, "points are 5m0s apart, the metric's interval is 1m0s"},
		"an answer without bound":                         {200, `{"status":"ok","query":"` + strings.Repeat("x", 2<<20) + `"}`, nil, "more than 1048576 bytes"},
		"a bad request":                                   {400, `{"errors":["Invalid query"]}`, nil, "HTTP 400: Invalid query"},
		"an error of the server":                          {502, "bad gateway", nil, `HTTP 502: "bad gateway"`},
	} {
		t.Run(name, func(t *testing.T) {
			got := server(t, func(w http.ResponseWriter, _ *http.Request) { reply(w, tc.status, tc.body) }).Query(t.Context(), []metric.Query{query()})[0]
			if tc.err != "" {
				if got.Err == nil || !strings.Contains(got.Err.Error(), tc.err) || len(got.Series) != 0 {
					t.Errorf("got %+v, want error %q", got, tc.err)
				}
				return
			}
			if got.Err != nil || !got.Complete || fmt.Sprint(values(got)) != fmt.Sprint(tc.want) {
				t.Errorf("got %v, %v, want %v", values(got), got.Err, tc.want)
			}
		})
	}
}

func values(r metric.Result) (out [][]float64) {
	for _, s := range r.Series {
		var vs []float64
		for _, p := range s.Points {
			vs = append(vs, p.Value)
		}
		out = append(out, vs)
	}
	return out
}

func TestM03_NullIsNoData(t *testing.T) {
	src := server(t, func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 200, body(series(20, point(0, "null"), point(20, "null"), point(40, "null"))))
	})
	a, err := metric.New(metric.Config{Metrics: []metric.Metric{{
		Name: "errors", Source: src, Query: query().Text, Threshold: analysis.Threshold{Max: new(1.0)},
		Timing: analysis.Timing{Period: time.Minute},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	r := a.Analyze(t.Context(), analysis.Request{Since: origin(), Now: origin().Add(time.Minute)})
	if r.Verdict != analysis.Inconclusive || !strings.Contains(r.Message, "no data in 12:00:00–12:01:00Z") {
		t.Errorf("%s %q: null passed a max check", r.Verdict, r.Message)
	}
	got := server(t, func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 200, body(series(20, point(0, "null"), point(20, "4"), point(40, "null"))))
	}).Query(t.Context(), []metric.Query{query()})[0]
	if fmt.Sprint(values(got)) != "[[4]]" {
		t.Errorf("null between points: %v", values(got))
	}
}

func TestM04_TheOpenBucketIsLeftOut(t *testing.T) {
	for name, tc := range map[string]struct{ series, want string }{
		"by the distance of the points":    {series(20000, point(0, "1"), point(25, "2"), point(50, "9")), "[[1 2]]"},
		"by the interval, in seconds":      {series(30, point(40, "9")), "[[]]"},
		"by the interval, in milliseconds": {series(30000, point(40, "9")), "[[]]"},
		"a bucket that ends in time stays": {series(20000, point(40, "3")), "[[3]]"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decode([]byte(body(tc.series)), window())
			if err != nil || fmt.Sprint(values(metric.Result{Series: got})) != tc.want {
				t.Errorf("%v, %v, want %s", got, err, tc.want)
			}
		})
	}
}

func TestM12_StringSamplesAreRefused(t *testing.T) {
	for _, v := range []string{`"0.1"`, `"NaN"`, "{}", "true"} {
		if got, err := decode([]byte(body(series(20, point(0, v)))), window()); err == nil {
			t.Errorf("%s was read as %v", v, got)
		}
	}
}

func TestRateLimitSaysWhenToComeBack(t *testing.T) {
	for header, want := range map[string]time.Duration{"37": 37 * time.Second, "": time.Second, "x": time.Second, "-4": time.Second, "1e9": maxRetryAfter, "NaN": time.Second} {
		calls := 0
		src := server(t, func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.Header().Set("X-RateLimit-Reset", header)
			reply(w, http.StatusTooManyRequests, `{"errors":["Rate limit of 100 requests in 3600 seconds reached"]}`)
		})
		for i, r := range src.Query(t.Context(), []metric.Query{query(), query()}) {
			if r.Err == nil || r.RetryAfter != want || fault.IsTerminal(r.Err) || !strings.Contains(r.Err.Error(), "Rate limit of 100 requests") {
				t.Errorf("X-RateLimit-Reset %q, query %d: %+v, want %s", header, i, r, want)
			}
		}
		if calls != 1 {
			t.Errorf("asked %d times", calls)
		}
	}
}

// M2: the headers and parameters of a request are its own, whatever their values.
func TestM02_HeadersAndParametersGoOutWhole(t *testing.T) {
	q := query()
	q.Text = `sum:a{b:c,!d:"é & = %"}.rollup(sum, 20)`
	var got *http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		reply(w, 200, body())
	}))
	defer s.Close()
	src, err := New(Config{Address: s.URL + "/proxy", APIKey: apiKey, AppKey: appKey})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r := src.Query(t.Context(), []metric.Query{q})[0]; r.Err != nil {
			t.Fatal(r.Err)
		}
		if got.URL.Path != "/proxy/api/v1/query" || got.URL.Query().Get("query") != q.Text || got.Header.Get("DD-API-KEY") != apiKey || got.Header.Get("DD-APPLICATION-KEY") != appKey {
			t.Errorf("sent %s with %v", got.URL, got.Header)
		}
	}
}

func TestKeysAreNeverTold(t *testing.T) {
	leaky := fmt.Sprintf("the key %s and %s are bad", apiKey, appKey)
	said := map[string]string{}
	for name, answer := range map[string]http.HandlerFunc{
		"400": func(w http.ResponseWriter, _ *http.Request) { reply(w, 400, fmt.Sprintf(`{"errors":[%q]}`, leaky)) },
		"403": func(w http.ResponseWriter, _ *http.Request) { reply(w, 403, fmt.Sprintf(`{"errors":[%q]}`, leaky)) },
		"500": func(w http.ResponseWriter, _ *http.Request) { reply(w, 500, leaky) },
		"429": func(w http.ResponseWriter, _ *http.Request) { reply(w, 429, leaky) },
		"200 error": func(w http.ResponseWriter, _ *http.Request) {
			reply(w, 200, fmt.Sprintf(`{"status":"error","error":%q}`, leaky))
		},
		"no answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		src := server(t, answer)
		r := src.Query(t.Context(), []metric.Query{query()})[0]
		if r.Err == nil {
			t.Fatalf("%s: no error", name)
		}
		said[name] = r.Err.Error()
		for err := r.Err; err != nil; err = errors.Unwrap(err) {
			said[name+" wrapped"] += err.Error()
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "source", src, "err", r.Err)
		said[name+" logged"] = log.String() + fmt.Sprintf("%v %+v %#v", src, src, src)
	}
	for name, text := range said {
		if strings.Contains(text, apiKey) || strings.Contains(text, appKey) {
			t.Errorf("%s: %s", name, text)
		}
	}
	if !strings.Contains(said["403"], "access denied") || !strings.Contains(said["403"], "check DD_API_KEY, DD_APP_KEY") {
		t.Errorf("403: %s", said["403"])
	}
}

func TestRedirectsAreNotFollowedWithTheKeys(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was asked, with %v", r.Header)
	}))
	defer other.Close()
	src := server(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) })
	if r := src.Query(t.Context(), []metric.Query{query()})[0]; r.Err == nil || !strings.Contains(r.Err.Error(), "redirects") {
		t.Errorf("%+v", r)
	}
}

func TestTLSIsVerified(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	src, err := New(Config{Address: s.URL, APIKey: apiKey, AppKey: appKey})
	if err != nil {
		t.Fatal(err)
	}
	if r := src.Query(t.Context(), []metric.Query{query()})[0]; r.Err == nil || !strings.Contains(r.Err.Error(), "certificate") {
		t.Errorf("a certificate of nobody was taken: %+v", r)
	}
}

func TestM10_WrongSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"an unknown site":         {Config{Site: "datadoghq.org", APIKey: "a", AppKey: "b"}, `datadog.site: "datadoghq.org" is not one of datadoghq.com, us3`},
		"no keys":                 {Config{}, "set the environment variables DD_API_KEY and DD_APP_KEY"},
		"half of the keys":        {Config{APIKey: "a"}, "DD_APP_KEY"},
		"an address without TLS":  {Config{Address: "http://dd.example.com", APIKey: "a", AppKey: "b"}, "would send the keys in clear"},
		"an address that is none": {Config{Address: "dd.example.com", APIKey: "a", AppKey: "b"}, "is not http(s)://HOST"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(tc.cfg)
			if err == nil || !fault.IsTerminal(err) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	for _, site := range append(Sites(), "") {
		src, err := New(Config{Site: site, APIKey: "a", AppKey: "b"})
		if err != nil || src.base.Scheme != "https" || !strings.HasPrefix(src.base.Host, "api.") {
			t.Errorf("%q: %v, %v", site, src, err)
		}
	}
}

func TestKeysComeFromTheEnvironment(t *testing.T) {
	for name, tc := range map[string]struct {
		env      map[string]string
		api, app string
	}{
		"Datadog's agents'":             {map[string]string{"DD_API_KEY": "a", "DD_APP_KEY": "b"}, "a", "b"},
		"Datadog's clients'":            {map[string]string{"DATADOG_API_KEY": "a", "DATADOG_APP_KEY": "b"}, "a", "b"},
		"the old Terraform provider's":  {map[string]string{"DATADOG_API_KEY": "a", "DATADOG_APPLICATION_KEY": "b"}, "a", "b"},
		"the short names are first":     {map[string]string{"DD_API_KEY": "a", "DD_APP_KEY": "b", "DATADOG_API_KEY": "x", "DATADOG_APP_KEY": "x", "DATADOG_APPLICATION_KEY": "x"}, "a", "b"},
		"an empty one is not set":       {map[string]string{"DD_API_KEY": "", "DATADOG_API_KEY": "a", "DATADOG_APP_KEY": "", "DATADOG_APPLICATION_KEY": "b"}, "a", "b"},
		"each key is found for itself":  {map[string]string{"DATADOG_API_KEY": "a", "DD_APP_KEY": "b"}, "a", "b"},
		"neither of them is set at all": {nil, "", ""},
	} {
		if api, app := Keys(func(k string) string { return tc.env[k] }); api != tc.api || app != tc.app {
			t.Errorf("%s: got %q, %q", name, api, app)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(body(series(20, point(0, "1"), point(20, "null")))))
	f.Add([]byte(`{"status":"ok","series":[{"interval":-1,"pointlist":[[1e300,1]]}]}`))
	f.Add([]byte(`{"status":"error"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decode(b, window())
		if err != nil {
			return
		}
		if !json.Valid(b) {
			t.Errorf("read %q", b)
		}
		for _, s := range got {
			for _, p := range s.Points {
				if !window().Contains(p.Time, 0) {
					t.Errorf("a point at %s", p.Time)
				}
			}
		}
	})
}
