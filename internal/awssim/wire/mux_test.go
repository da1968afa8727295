package wire_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// echo answers every operation with what it got, and the operations Fail and Unknown
// with errors.
type echo struct{ got []*wire.Request }

func (e *echo) Serve(_ context.Context, r *wire.Request) (wire.Struct, error) {
	e.got = append(e.got, r)
	switch r.Operation {
	case "Fail":
		return nil, wire.Errorf("InvalidParameterValue", "no <good>")
	case "Break":
		return nil, errors.New("a bug")
	case "Echo":
	default:
		return nil, wire.NotSimulated(r.Service, r.Operation)
	}
	return wire.Struct{
		{"Name", r.Params.Str("Name")},
		{"Absent", nil},
		{"When", time.Date(2026, 11, 23, 10, 0, 0, 5e8, time.UTC)},
		{"Items", wire.List{wire.Struct{{"N", 1}, {"F", 0.5}}, wire.Struct{{"N", int64(2)}, {"B", true}}}},
		{"Empty", wire.List{}},
	}, nil
}

func newMux(cfg wire.Config) (*wire.Mux, *echo) {
	m, e := wire.NewMux(cfg), &echo{}
	m.Register(wire.Registration{
		Name: "monitoring", Version: "2010-08-01", Namespace: "http://example.com/ns",
		TargetPrefix: "Granite", Service: e,
		Shapes: map[string]string{"InvalidParameterValue": "InvalidParameterValueException"},
	})
	return m, e
}

const auth = "AWS4-HMAC-SHA256 Credential=AKIDLAB/20261123/eu-west-1/monitoring/aws4_request, SignedHeaders=host, Signature=0"

type request struct {
	method, path, body string
	header             map[string]string
}

func (r request) send(t *testing.T, h http.Handler) *http.Response {
	t.Helper()
	if r.method == "" {
		r.method = http.MethodPost
	}
	hr := httptest.NewRequestWithContext(t.Context(), r.method, known(r.path, "/"), strings.NewReader(r.body))
	for k, v := range r.header {
		hr.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, hr)
	return w.Result()
}

func known(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

func bodyOf(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	return string(b)
}

func TestQueryAnswer(t *testing.T) {
	m, e := newMux(wire.Config{})
	res := request{
		body:   "Action=Echo&Version=2010-08-01&Name=a%26b&L.member.1.X=1&L.member.2.X=2",
		header: map[string]string{"Authorization": auth},
	}.send(t, m)
	want := `<?xml version="1.0" encoding="UTF-8"?>
<EchoResponse xmlns="http://example.com/ns"><EchoResult><Name>a&amp;b</Name><When>2026-11-23T10:00:00.500Z</When>` +
		`<Items><member><N>1</N><F>0.5</F></member><member><N>2</N><B>true</B></member></Items><Empty></Empty></EchoResult>` +
		`<ResponseMetadata><RequestId>00000000-0000-4000-8000-000000000001</RequestId></ResponseMetadata></EchoResponse>`
	if diff := cmp.Diff(want, bodyOf(t, res)); diff != "" {
		t.Error(diff)
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/xml" {
		t.Errorf("status %d, headers %v", res.StatusCode, res.Header)
	}
	if _, err := http.ParseTime(res.Header.Get("Date")); err != nil {
		t.Error("Date:", err)
	}
	got := e.got[0]
	if got.Region != "eu-west-1" || got.AccessKeyID != "AKIDLAB" || got.AccountID != "000000000000" || got.Service != "monitoring" {
		t.Errorf("request %+v", got)
	}
	if l := got.Params.List("L"); len(l) != 2 || l[1].Str("X") != "2" {
		t.Errorf("params %v", got.Params)
	}
}

func TestJSONAnswer(t *testing.T) {
	m, e := newMux(wire.Config{})
	res := request{
		body: `{"Name":"n","Count":3,"F":1.5,"L":[{"X":1}],"At":1795428000.5}`,
		header: map[string]string{
			"X-Amz-Target": "Granite.Echo", "Content-Type": "application/x-amz-json-1.0",
			"Authorization": auth,
		},
	}.send(t, m)
	want := `{"Empty":[],"Items":[{"F":0.5,"N":1},{"B":true,"N":2}],"Name":"n","When":1795428000.5}`
	if diff := cmp.Diff(want, bodyOf(t, res)); diff != "" {
		t.Error(diff)
	}
	if ct := res.Header.Get("Content-Type"); ct != "application/x-amz-json-1.0" {
		t.Error("Content-Type", ct)
	}
	if diff := cmp.Diff(wire.Params{
		"Name": "n", "Count": int64(3), "F": 1.5,
		"L": []any{wire.Params{"X": int64(1)}}, "At": 1795428000.5,
	}, e.got[0].Params); diff != "" {
		t.Error(diff)
	}
}

func TestCBORAnswer(t *testing.T) {
	m, e := newMux(wire.Config{})
	// {_ "Name": "n", "At": 1(1.7954280005e9), "L": [_ {_ "X": 1}]} as the Go SDK sends it.
	body := "\xbf\x64Name\x61n\x62At\xc1\xfb\x41\xda\xc0\xf4\x38\x60\x00\x00\x61L\x9f\xbf\x61X\x01\xff\xff\xff"
	res := request{
		path: "/service/Granite/operation/Echo", body: body,
		header: map[string]string{"Smithy-Protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"},
	}.send(t, m)
	if res.StatusCode != http.StatusOK || res.Header.Get("Smithy-Protocol") != "rpc-v2-cbor" || res.Header.Get("Content-Type") != "application/cbor" {
		t.Fatalf("status %d, headers %v", res.StatusCode, res.Header)
	}
	var out map[string]any
	if err := cbor.Unmarshal([]byte(bodyOf(t, res)), &out); err != nil {
		t.Fatal(err)
	}
	if at, ok := out["When"].(time.Time); !ok || at.Unix() != 1795428000 {
		t.Errorf("When = %v", out["When"])
	}
	at, ok, err := e.got[0].Params.Time("At")
	if err != nil || !ok || at.Location() != time.UTC || at.Year() != 2026 {
		t.Errorf("At = %v %v %v", at, ok, err)
	}
	if l := e.got[0].Params.List("L"); len(l) != 1 || l[0]["X"] != int64(1) {
		t.Errorf("L = %v", l)
	}
	if e.got[0].Region != "us-east-1" {
		t.Errorf("unsigned request in region %q", e.got[0].Region)
	}
}

func TestErrorsKeepTheirCodeInEveryProtocol(t *testing.T) {
	query := func(op string) request { return request{body: "Version=2010-08-01&Action=" + op} }
	for name, tc := range map[string]struct {
		request
		status int
		header [2]string
		body   string
	}{
		"query": {
			request: query("Fail"), status: 400,
			body: `<Error><Type>Sender</Type><Code>InvalidParameterValue</Code><Message>no &lt;good&gt;</Message></Error>`,
		},
		"query asked for JSON": {
			request: request{body: query("Fail").body, header: map[string]string{"Accept": "application/json"}}, status: 400,
			body: `{"Error":{"Code":"InvalidParameterValue",`,
		},
		"json": {
			request: request{header: map[string]string{"X-Amz-Target": "Granite.Fail"}}, status: 400,
			header: [2]string{"X-Amzn-Query-Error", "InvalidParameterValue;Sender"}, body: `"__type":"InvalidParameterValueException"`,
		},
		"cbor": {
			request: request{path: "/service/Granite/operation/Fail"}, status: 400,
			header: [2]string{"X-Amzn-Query-Error", "InvalidParameterValue;Sender"}, body: "InvalidParameterValueException",
		},
		"an internal error":      {request: query("Break"), status: 500, body: "<Type>Receiver</Type><Code>InternalFailure</Code>"},
		"an unknown operation":   {request: query("Unknown"), status: 400, body: "monitoring Unknown is not simulated"},
		"an unknown version":     {request: request{body: "Action=RunInstances&Version=2016-11-15"}, status: 400, body: "(API version 2016-11-15) RunInstances is not simulated"},
		"an unknown JSON target": {request: request{header: map[string]string{"X-Amz-Target": "AWSEvents.PutRule"}}, status: 400, body: "AWSEvents PutRule is not simulated"},
		"an unknown CBOR path":   {request: request{path: "/service/Other/operation/Op"}, status: 400, body: "Other Op is not simulated"},
		"an unknown REST path": {
			request: request{method: "GET", path: "/clusters", header: map[string]string{"Authorization": strings.Replace(auth, "monitoring", "eks", 1)}},
			status:  400, header: [2]string{"X-Amzn-Errortype", "NotSimulated"}, body: "eks GET /clusters is not simulated",
		},
		"route 53": {
			request: request{method: "GET", path: "/2013-04-01/hostedzone", header: map[string]string{"Authorization": strings.Replace(auth, "monitoring", "route53", 1)}},
			status:  400, body: "<Code>NotSimulated</Code>",
		},
		"no action":                {request: request{body: "Version=2010-08-01"}, status: 400, body: "MissingAction"},
		"a broken form":            {request: request{body: "Action=%zz"}, status: 400, body: "MalformedQueryString"},
		"a broken signature":       {request: request{header: map[string]string{"Authorization": "AWS4-HMAC-SHA256 Credential=a/b"}}, status: 400, body: "IncompleteSignature"},
		"a foreign scheme":         {request: request{header: map[string]string{"Authorization": "Bearer x"}}, status: 400, body: "IncompleteSignature"},
		"a body that is no JSON":   {request: request{body: "{", header: map[string]string{"X-Amz-Target": "Granite.Echo"}}, status: 400, body: "SerializationException"},
		"a JSON body that goes on": {request: request{body: "{} {}", header: map[string]string{"X-Amz-Target": "Granite.Echo"}}, status: 400, body: "SerializationException"},
		"a JSON list":              {request: request{body: "[]", header: map[string]string{"X-Amz-Target": "Granite.Echo"}}, status: 400, body: "SerializationException"},
		"a body that is no gzip":   {request: request{body: "x", header: map[string]string{"Content-Encoding": "gzip"}}, status: 400, body: "SerializationException"},
		"a body beyond the bound":  {request: request{body: strings.Repeat("x", wire.MaxBody+1)}, status: 413, body: "RequestEntityTooLarge"},
		"a JSON body nested too deep": {
			request: request{body: strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), header: map[string]string{"X-Amz-Target": "Granite.Echo"}},
			status:  400, body: "nested deeper than 32",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := newMux(wire.Config{})
			res := tc.send(t, m)
			body := bodyOf(t, res)
			if res.StatusCode != tc.status || !strings.Contains(body, tc.body) {
				t.Errorf("status %d, body %q; want %d and %q", res.StatusCode, body, tc.status, tc.body)
			}
			if k := tc.header[0]; k != "" && res.Header.Get(k) != tc.header[1] {
				t.Errorf("%s = %q, want %q", k, res.Header.Get(k), tc.header[1])
			}
		})
	}
}

func TestNotSimulatedIsLoggedAsAnError(t *testing.T) {
	var log bytes.Buffer
	m, _ := newMux(wire.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	_ = bodyOf(t, request{body: "Version=2010-08-01&Action=Unknown"}.send(t, m))
	if s := log.String(); !strings.Contains(s, "level=ERROR") || !strings.Contains(s, "operation=Unknown") {
		t.Errorf("log: %s", s)
	}
}

func TestPresignedURLCarriesScopeAndToken(t *testing.T) {
	token := ""
	m, e := newMux(wire.Config{
		Check:   func(_, tok string) error { token = tok; return nil },
		Resolve: func(string) string { return "111122223333" },
	})
	res := request{
		method: "GET",
		path: "/?Action=Echo&Version=2010-08-01&X-Amz-Credential=AKID%2F20261123%2Fus-west-2%2Fmonitoring%2Faws4_request" +
			"&X-Amz-Security-Token=tok&X-Amz-Signature=0",
		header: map[string]string{"Accept": "application/json"},
	}.send(t, m)
	if body := bodyOf(t, res); !strings.HasPrefix(body, `{"EchoResponse":{"EchoResult":{`) {
		t.Error(body)
	}
	r := e.got[0]
	if r.Region != "us-west-2" || r.AccountID != "111122223333" || token != "tok" || len(r.Params) != 0 {
		t.Errorf("%+v, token %q", r, token)
	}
}

func TestCompressedBodyIsRead(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write([]byte("Action=Echo&Version=2010-08-01&Name=zip"))
	_ = w.Close()
	m, e := newMux(wire.Config{})
	_ = bodyOf(t, request{body: z.String(), header: map[string]string{"Content-Encoding": "gzip"}}.send(t, m))
	if e.got[0].Params.Str("Name") != "zip" {
		t.Errorf("%v", e.got[0].Params)
	}
}

func TestHooksSurroundTheEffect(t *testing.T) {
	refuse := wire.Errorf("Throttling", "Rate exceeded")
	for name, tc := range map[string]struct {
		phase  wire.Phase
		err    error
		want   wire.Call // Status, Error and Effect
		served int
	}{
		"an error before the effect": {wire.Before, refuse, wire.Call{Status: 400, Error: "Throttling"}, 0},
		"an error after the effect":  {wire.After, refuse, wire.Call{Status: 400, Error: "Throttling", Effect: true}, 1},
		"dropped before the effect":  {wire.Before, wire.ErrDrop, wire.Call{Error: "Dropped"}, 0},
		"dropped after the effect":   {wire.After, wire.ErrDrop, wire.Call{Error: "Dropped", Effect: true}, 1},
		"let pass":                   {wire.After, nil, wire.Call{Status: 200, Effect: true}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var calls []wire.Call
			m, e := newMux(wire.Config{
				Observe: func(c wire.Call) { calls = append(calls, c) },
				Hooks: []wire.Hook{func(_ context.Context, _ *wire.Request, p wire.Phase) error {
					if p == tc.phase {
						return tc.err
					}
					return nil
				}},
			})
			srv := httptest.NewServer(m)
			defer srv.Close()
			hr, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader("Action=Echo&Version=2010-08-01"))
			if err != nil {
				t.Fatal(err)
			}
			res, err := srv.Client().Do(hr)
			if dropped := tc.want.Status == 0; (err != nil) != dropped {
				t.Fatalf("error %v, want dropped %v", err, dropped)
			}
			if err == nil {
				_ = res.Body.Close()
			}
			srv.Close() // waits for the handler
			if len(calls) != 1 || calls[0].Status != tc.want.Status || calls[0].Error != tc.want.Error || calls[0].Effect != tc.want.Effect {
				t.Errorf("calls %+v, want %+v", calls, tc.want)
			}
			if len(e.got) != tc.served {
				t.Errorf("served %d times, want %d", len(e.got), tc.served)
			}
		})
	}
}

func TestRefusedCredentialsNeverReachTheService(t *testing.T) {
	m, e := newMux(wire.Config{Check: func(key, _ string) error {
		if key == "AKIDLAB" {
			return &wire.Error{Code: "ExpiredToken", Status: http.StatusForbidden}
		}
		return nil
	}})
	res := request{body: "Action=Echo&Version=2010-08-01", header: map[string]string{"Authorization": auth}}.send(t, m)
	if body := bodyOf(t, res); res.StatusCode != http.StatusForbidden || !strings.Contains(body, "ExpiredToken") || len(e.got) != 0 {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}
