package wire_test

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// touch calls every accessor on every member, and follows structures and lists.
func touch(t *testing.T, p wire.Params, depth int) {
	t.Helper()
	if depth > 64 {
		t.Fatal("deeper than any bound allows")
	}
	for name := range p {
		p.Str(name)
		_, _, _ = p.Int(name)
		_, _, _ = p.Float(name)
		_, _, _ = p.Bool(name)
		_, _, _ = p.Time(name)
		p.Strings(name)
		touch(t, p.Struct(name), depth+1)
		for _, e := range p.List(name) {
			touch(t, e, depth+1)
		}
	}
}

// checkDecoded: a decoder gives a structure or an *Error, which names a code.
func checkDecoded(t *testing.T, p wire.Params, err error) {
	t.Helper()
	if err != nil {
		e, ok := err.(*wire.Error) //nolint:errorlint // the decoders promise exactly this type
		if !ok || e.Code == "" || e.Message == "" {
			t.Fatalf("error %#v is not a described *wire.Error", err)
		}
		return
	}
	touch(t, p, 0)
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"Action=A&Version=1&L.member.1.X=1&L.member.3.X=2", "A=1&A.member.1=2", "A.member.0=1", "member.1=x",
		"A.member.1=x&A.member.x=y", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q=1", "A.member.01=x", ".=1&..=2",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		form, err := url.ParseQuery(s)
		if err != nil {
			return
		}
		p, err := wire.ParseForm(form)
		checkDecoded(t, p, err)
	})
}

// FuzzMux: whatever comes in, something goes out that a client can read.
func FuzzMux(f *testing.F) {
	f.Add("/", "", "", "Action=Echo&Version=2010-08-01&Name=%ff")
	f.Add("/", "Granite.Echo", "", `{"Name":"x"}`)
	f.Add("/service/Granite/operation/Echo", "", auth, "\xbf\xff")
	f.Add("/service/\xff/operation/\xff", "", "", "")
	f.Add("/clusters", "", auth, "")
	f.Add("/clusters", "", strings.Replace(auth, "monitoring", "eks", 1), `{"name":"blue"}`)
	f.Add("/2013-04-01/hostedzone/Z1/rrset", "", "", "<x><ChangeBatch><Comment>refuse</Comment></ChangeBatch></x>")
	f.Add("/", "", strings.Replace(auth, "monitoring", "ec2", 1), "Action=DescribeVpcs&Version=2016-11-15&VpcId.1=vpc-gone")
	f.Fuzz(func(t *testing.T, path, target, authorization, body string) {
		m, _ := newMux(wire.Config{})
		for _, r := range registrations() {
			if r.Name != "monitoring" {
				m.Register(r)
			}
		}
		hr := &http.Request{
			Method: http.MethodPost, URL: &url.URL{Path: path}, Body: io.NopCloser(strings.NewReader(body)),
			Header: http.Header{"X-Amz-Target": {target}, "Authorization": {authorization}},
		}
		w := httptest.NewRecorder()
		m.ServeHTTP(w, hr.WithContext(t.Context()))
		var v any
		var err error
		switch kind := w.Header().Get("Content-Type"); kind {
		case "application/cbor":
			err = cbor.Unmarshal(w.Body.Bytes(), &v)
		case "application/x-amz-json-1.0", "application/x-amz-json-1.1", "application/json":
			err = json.Unmarshal(w.Body.Bytes(), &v)
		case "text/xml":
			err = xml.Unmarshal(w.Body.Bytes(), &struct{ XMLName xml.Name }{})
		default:
			t.Errorf("content type %q", kind)
		}
		if err != nil {
			t.Errorf("status %d, %q: %v", w.Code, w.Body, err)
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,2.5,null,{"b":true}]}`, `[`, `{"n":1e999}`, `{"n":123456789012345678901}`, ``, `null`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := wire.DecodeJSON(b)
		checkDecoded(t, p, err)
	})
}

func FuzzCBOR(f *testing.F) {
	for _, s := range []string{
		"\xa0", "\xbf\xff", "\xbf\x61a\x9f\x01\xff\xff", "\xa1\x61t\xc1\xfb\x41\xda\xc0\xf4\x38\x60\x00\x00",
		"\xa1\x61t\xc1\x1b\xff\xff\xff\xff\xff\xff\xff\xff", "\xa1\x01\x02", "\xa1\x61a\xf7", "\xa1\x61a\xc2\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00",
		"\xa1\x61t\xc1\xf9\x7e\x00", "\xa1\x61f\xfa\x3f\x00\x00\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := wire.DecodeCBOR(b)
		checkDecoded(t, p, err)
	})
}

func FuzzEC2Form(f *testing.F) {
	for _, s := range []string{
		"VpcId.1=a&Filter.1.Value.2=b&Filter.1.Value.1=c", "1=a&1.1=b", "A.0=1", "A.1=x&A=y", "A.1=x&A.b=y", "A.01=x&A.1=y", "A.+1=x", ".1.=",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		form, err := url.ParseQuery(s)
		if err != nil {
			return
		}
		p, err := wire.ParseEC2Form(form)
		checkDecoded(t, p, err)
	})
}

func FuzzXML(f *testing.F) {
	for _, s := range []string{
		"", "<r/>", "<r><Changes><Change><a>1</a></Change></Changes></r>", "<Changes><Change/></Changes>", `<!DOCTYPE r><r/>`, "<r>&x;</r>",
		"<r><a>1</a><a><b/></a></r>", "<r><Changes>x<Change/>y</Changes><Changes/></r>", "<?xml version='1.0'?><r/>x", "<r><a>", "\xff<r/>",
	} {
		f.Add([]byte(s))
	}
	lists := map[string]string{"Changes": "Change", "Change": "Changes"}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := wire.DecodeXML(b, lists)
		checkDecoded(t, p, err)
	})
}

// FuzzSignature: whatever a caller claims, nobody passes who does not know the secret.
func FuzzSignature(f *testing.F) {
	f.Add(auth, "20261123T100000Z", "", "")
	f.Add("AWS4-HMAC-SHA256 Credential=AKIDLAB/20261123/eu-west-1/eks/aws4_request,SignedHeaders=host;x-amz-date,Signature=00", "20261123T100000Z", "/clusters", "")
	f.Add("", "", "/clusters/../x//./y/", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDLAB/20261123/eu-west-1/eks/aws4_request&X-Amz-Date=20261123T100000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=&X-Amz-Expires=-1")
	f.Add("AWS4-HMAC-SHA256 Credential=AKIDLAB/2/e/eks/aws4_request,SignedHeaders=;;host,Signature=", "T", "/clusters", "a=%zz&+;")
	f.Fuzz(func(t *testing.T, authorization, date, path, query string) {
		cfg := verifying()
		cfg.Now = func() time.Time { return instant }
		cfg.Observe = func(c wire.Call) {
			if c.Served {
				t.Errorf("served %+v", c.Request)
			}
		}
		hr := &http.Request{
			Method: http.MethodGet, URL: &url.URL{Path: path, RawQuery: query}, Host: "lab",
			Header: http.Header{"Authorization": {authorization}, "X-Amz-Date": {date}},
		}
		all(t, cfg).ServeHTTP(httptest.NewRecorder(), hr.WithContext(t.Context()))
	})
}
