package route53

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNamesInAnySpellingAreOne(t *testing.T) {
	for name, tc := range map[string]struct{ in, want, shown string }{
		"plain":                         {"api.example.com", "api.example.com.", "api.example.com"},
		"with the last dot":             {"api.example.com.", "api.example.com.", "api.example.com"},
		"in capitals":                   {"API.Example.COM", "api.example.com.", "api.example.com"},
		"a wildcard":                    {"*.example.com", `\052.example.com.`, "*.example.com"},
		"a wildcard as Route 53 has it": {`\052.example.com.`, `\052.example.com.`, "*.example.com"},
		"a star that is no wildcard":    {"a.*.example.com", `a.\052.example.com.`, `a.\052.example.com`},
		"an underscore":                 {"_sip._tcp.example.com", "_sip._tcp.example.com.", "_sip._tcp.example.com"},
		"an escaped letter":             {`\101pi.example.com`, "api.example.com.", "api.example.com"},
		"an escaped dot":                {`a\056b.example.com`, `a\056b.example.com.`, `a\056b.example.com`},
		"an escaped dot at the end":     {`a.b\.`, `a.b\056.`, `a.b\056`},
		"an escaped backslash":          {`a\\.example.com.`, `a\134.example.com.`, `a\134.example.com`},
		"what needs an escape":          {"a/b!c.example.com", `a\057b\041c.example.com.`, `a\057b\041c.example.com`},
		"a single label":                {"localhost", "localhost.", "localhost"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseName(tc.in)
			if err != nil || string(got) != tc.want || got.String() != tc.shown {
				t.Errorf("%q is %q (%q), %v; want %q (%q)", tc.in, got, got.String(), err, tc.want, tc.shown)
			}
		})
	}
}

func TestNamesThatCannotBeAreRefused(t *testing.T) {
	for name, tc := range map[string]struct{ in, why string }{
		"nothing":              {"", "0 characters"},
		"a dot alone":          {".", "0 characters"},
		"an empty label":       {"a..com", "0 characters"},
		"a dot first":          {".a.com", "0 characters"},
		"a long label":         {strings.Repeat("a", 64) + ".com", "64 characters"},
		"a long name":          {strings.Repeat("abcdefg.", 32), "257 octets"},
		"a space":              {"a b.com", "' '"},
		"no ASCII":             {"bücher.example", "punycode"},
		"an open escape":       {`a\`, "three octal digits"},
		"an escape of two":     {`a\05.com`, "three octal digits"},
		"an escape above 377":  {`a\400.com`, "three octal digits"},
		"a decimal escape":     {`a\192.com`, "three octal digits"},
		"a control character":  {"a\x00.com", `\000`},
		"an escaped new line":  {"a\\\n.com", "three octal digits"},
		"a delete character":   {"a\x7f.com", `\177`},
		"a line's end at last": {"a.com\n", `\012`},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := parseName(tc.in); err == nil || !strings.Contains(err.Error(), tc.why) {
				t.Errorf("%q is %q, %v; want an error with %q", tc.in, got, err, tc.why)
			}
		})
	}
}

func TestANameComesBackAsItWent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.StringMatching(`([A-Za-z0-9_*!-]|\\[0-3][0-7][0-7]){1,15}(\.([a-z0-9-]|\\[0-3][0-7][0-7]){1,15}){0,4}\.?`).Draw(t, "name")
		name, err := parseName(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, spelt := range []string{string(name), name.String(), strings.ToUpper(name.String()) + "."} {
			if again, err := parseName(spelt); err != nil || again != name {
				t.Fatalf("%q is %q, and %q is %q, %v", in, name, spelt, again, err)
			}
		}
		at, err := name.markName()
		if err != nil || at.labels()[1] == wildcard || !strings.HasSuffix(string(at), strings.TrimPrefix(string(name), wildcard+".")) {
			t.Fatalf("the mark of %q is at %q, %v", name, at, err)
		}
	})
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"api.example.com", `\052.a.`, `a\.b`, `\\`, "..", `a\056.`, "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := parseName(s)
		if err != nil {
			return
		}
		if again, err := parseName(string(name)); err != nil || again != name {
			t.Errorf("%q is %q, which is %q, %v", s, name, again, err)
		}
	})
}

func TestTheMarkIsBesideTheName(t *testing.T) {
	for in, want := range map[string]string{
		"api.example.com":    "_norikae.api.example.com.",
		"example.com":        "_norikae.example.com.",
		"*.example.com":      "_norikae._wildcard.example.com.",
		`\052.b.example.com`: "_norikae._wildcard.b.example.com.",
		"a.*.example.com":    `_norikae.a.\052.example.com.`,
	} {
		name, err := parseName(in)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := name.markName(); err != nil || string(got) != want {
			t.Errorf("the mark of %s is at %s, %v; want %s", in, got, err, want)
		}
	}
}

func TestBeforeIsSureOnlyWhereBothOrdersAgree(t *testing.T) {
	for name, tc := range map[string]struct {
		a, b string
		want bool
	}{
		"siblings":                   {"a.example.com", "b.example.com", true},
		"siblings the other way":     {"b.example.com", "a.example.com", false},
		"a parent and its child":     {"api.example.com", "a.api.example.com", true},
		"one label begins the other": {"api.example.com", "api-x.example.com", false},
		"and the other way":          {"api-x.example.com", "api.example.com", false},
		"itself":                     {"a.example.com", "a.example.com", false},
	} {
		t.Run(name, func(t *testing.T) {
			a, errA := parseName(tc.a)
			b, errB := parseName(tc.b)
			if errA != nil || errB != nil || before(a, b) != tc.want {
				t.Errorf("before(%s, %s) is %v", tc.a, tc.b, !tc.want)
			}
		})
	}
}
