package wire_test

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/wire"
)

func TestAccessorsTakeEveryProtocolsTypes(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	p := wire.Params{
		"text": "7", "signed": int64(7), "unsigned": uint64(7), "real": 7.0, "single": float32(7),
		"half": 7.5, "nan": math.NaN(), "word": "seven", "yes": true, "yesText": "true",
		"time": at, "iso": "2026-11-23T10:00:00Z", "isoMilli": "2026-11-23T11:00:00.000+01:00", "epoch": float64(at.Unix()),
		"epochText": strconv.FormatInt(at.Unix(), 10), "date": "2026-11-23", "null": nil, "list": []any{"a", int64(1), nil, wire.Params{}},
		"structs": []any{wire.Params{"A": "1"}, "x", map[string]any{"A": "2"}}, "struct": map[string]any{"B": "3"}, "empty": "",
	}
	for _, name := range []string{"text", "signed", "unsigned", "real"} {
		if n, ok, err := p.Int(name); n != 7 || !ok || err != nil {
			t.Errorf("Int(%s) = %v %v %v", name, n, ok, err)
		}
	}
	for _, name := range []string{"text", "signed", "unsigned", "real", "single"} {
		if f, ok, err := p.Float(name); f != 7 || !ok || err != nil {
			t.Errorf("Float(%s) = %v %v %v", name, f, ok, err)
		}
	}
	for _, name := range []string{"yes", "yesText"} {
		if b, ok, err := p.Bool(name); !b || !ok || err != nil {
			t.Errorf("Bool(%s) = %v %v %v", name, b, ok, err)
		}
	}
	for _, name := range []string{"time", "iso", "isoMilli", "epoch", "epochText"} {
		if v, ok, err := p.Time(name); !v.Equal(at) || !ok || err != nil {
			t.Errorf("Time(%s) = %v %v %v", name, v, ok, err)
		}
	}
	for what, err := range map[string]error{
		"Int of a fraction":    third(p.Int("half")),
		"Int of a word":        third(p.Int("word")),
		"Int of a list":        third(p.Int("list")),
		"Float of NaN":         third(p.Float("nan")),
		"Float of a boolean":   third(p.Float("yes")),
		"Bool of a word":       third(p.Bool("word")),
		"Time of a word":       third(p.Time("word")),
		"Time of a structure":  third(p.Time("struct")),
		"Time beyond the year": third(wire.Params{"t": 1e12}.Time("t")),
	} {
		if e, ok := err.(*wire.Error); !ok || e.Code != "ValidationError" { //nolint:errorlint // the accessors promise exactly this type
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, name := range []string{"null", "absent"} {
		if _, ok, err := p.Int(name); ok || err != nil {
			t.Errorf("Int(%s) is there: %v", name, err)
		}
	}
	if _, ok := p.String("struct"); ok || !p.Has("empty") || p.Has("absent") || p.Str("half") != "7.5" {
		t.Error("String or Has is wrong")
	}
	if diff := cmp.Diff([]string{"a", "1"}, p.Strings("list")); diff != "" {
		t.Error(diff)
	}
	if l := p.List("structs"); len(l) != 2 || l[1].Str("A") != "2" || p.Struct("struct").Str("B") != "3" || p.Struct("list") != nil {
		t.Error("List or Struct is wrong")
	}
}

func third[A, B any](_ A, _ B, err error) error { return err }

// trees draws structures as a query client could send them: no empty ones, leaves
// are text.
func trees(depth int) *rapid.Generator[wire.Params] {
	return rapid.Custom(func(t *rapid.T) wire.Params {
		p := wire.Params{}
		for _, name := range rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Z][a-z]{0,3}`), 1, 4, rapid.ID[string]).Draw(t, "names") {
			if name == "Action" || name == "Version" {
				continue
			}
			p[name] = value(t, depth)
		}
		if len(p) == 0 {
			p["X"] = ""
		}
		return p
	})
}

func value(t *rapid.T, depth int) any {
	kind := 0
	if depth > 0 {
		kind = rapid.IntRange(0, 2).Draw(t, "kind")
	}
	switch kind {
	case 1:
		return trees(depth-1).Draw(t, "struct")
	case 2:
		list := make([]any, rapid.IntRange(1, 12).Draw(t, "length"))
		for i := range list {
			list[i] = value(t, depth-1)
		}
		return list
	default:
		return rapid.String().Draw(t, "text")
	}
}

func flatten(form url.Values, prefix string, v any) {
	switch v := v.(type) {
	case wire.Params:
		for name, e := range v {
			if prefix != "" {
				name = prefix + "." + name
			}
			flatten(form, name, e)
		}
	case []any:
		for i, e := range v {
			flatten(form, prefix+".member."+strconv.Itoa(i+1), e)
		}
	case string:
		form.Set(prefix, v)
	}
}

func TestParseFormUndoesFlattening(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := trees(3).Draw(t, "params")
		form := url.Values{"Action": {"A"}, "Version": {"1"}}
		flatten(form, "", want)
		sent, err := url.ParseQuery(form.Encode())
		if err != nil {
			t.Fatal(err)
		}
		got, err := wire.ParseForm(sent)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestParseFormRefuses(t *testing.T) {
	for _, key := range []string{"A.member.0", "A.member.10001", "A.member.x", "A.member.-1", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q"} {
		_, err := wire.ParseForm(url.Values{key: {"v"}})
		if e, ok := err.(*wire.Error); !ok || e.Code != "MalformedQueryString" { //nolint:errorlint // it promises exactly this type
			t.Errorf("%s: %v", key, err)
		}
	}
	p, err := wire.ParseForm(url.Values{"A.member.2": {"x"}, "A.member.9": {"y"}})
	if diff := cmp.Diff(wire.Params{"A": []any{"x", "y"}}, p); diff != "" || err != nil {
		t.Errorf("a list with gaps: %s %v", diff, err)
	}
}

// fixed answers always the same.
type fixed struct{ res wire.Struct }

func (f fixed) Serve(context.Context, *wire.Request) (wire.Struct, error) { return f.res, nil }

// answers draws a result, and the Params that a client of the protocol should read.
func answers(t *rapid.T, depth int, when func(time.Time) any) (wire.Struct, wire.Params) {
	var s wire.Struct
	p := wire.Params{}
	for _, name := range rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Z][a-z]{0,3}`), 0, 4, rapid.ID[string]).Draw(t, "names") {
		v, want := answer(t, depth, when)
		s = append(s, wire.Member{Name: name, Value: v})
		if v != nil {
			p[name] = want
		}
	}
	return s, p
}

func answer(t *rapid.T, depth int, when func(time.Time) any) (v, want any) {
	kinds := 6
	if depth > 0 {
		kinds = 8
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return nil, nil
	case 1:
		n := rapid.Int().Draw(t, "int")
		return n, int64(n)
	case 2:
		b := rapid.Bool().Draw(t, "bool")
		return b, b
	case 3:
		// A whole number reads as an integer in JSON, which has no other way.
		f := rapid.Float64Range(-1e6, 1e6).Filter(func(f float64) bool { return f != math.Trunc(f) }).Draw(t, "float")
		return f, f
	case 4:
		at := time.UnixMilli(rapid.Int64Range(1, 4e12).Filter(func(n int64) bool { return n%1000 != 0 }).Draw(t, "time")).UTC()
		return at, when(at)
	case 6:
		return answers(t, depth-1, when)
	case 7:
		l, w := wire.List{}, []any{}
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			s, p := answers(t, depth-1, when)
			l, w = append(l, s), append(w, p)
		}
		return l, w
	default:
		s := rapid.String().Draw(t, "text")
		return s, s
	}
}

func TestClientsReadWhatServicesAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		path, target string
		when         func(time.Time) any
		decode       func([]byte) (wire.Params, error)
	}{
		"json": {"/", "P.Op", func(t time.Time) any { return float64(t.UnixMilli()) / 1e3 }, wire.DecodeJSON},
		"cbor": {"/service/P/operation/Op", "", func(t time.Time) any { return t }, wire.DecodeCBOR},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				res, want := answers(rt, 3, tc.when)
				m := wire.NewMux(wire.Config{})
				m.Register(wire.Registration{Name: "p", TargetPrefix: "P", Service: fixed{res}})
				hr := httptest.NewRequestWithContext(t.Context(), http.MethodPost, tc.path, http.NoBody)
				hr.Header.Set("X-Amz-Target", tc.target)
				w := httptest.NewRecorder()
				m.ServeHTTP(w, hr)
				got, err := tc.decode(w.Body.Bytes())
				if err != nil {
					rt.Fatalf("%q: %v", w.Body, err)
				}
				// A time is kept to the millisecond, but a float64 of seconds is not exact.
				near := cmp.Comparer(func(a, b time.Time) bool { return a.Sub(b).Abs() < time.Millisecond/2 })
				if diff := cmp.Diff(want, got, near); diff != "" {
					rt.Fatalf("%q: %s", w.Body, diff)
				}
			})
		})
	}
}
