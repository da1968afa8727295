package wire_test

import (
	"net/url"
	"testing"

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
