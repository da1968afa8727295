package alb

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/model"
)

func TestConditions(t *testing.T) {
	host := func(v ...string) model.Condition { return model.Condition{Field: "host-header", Values: v} }
	path := func(v ...string) model.Condition { return model.Condition{Field: "path-pattern", Values: v} }
	header := func(name string, v ...string) model.Condition {
		return model.Condition{Field: "http-header", HeaderName: name, Values: v}
	}
	query := func(pairs ...model.QueryPair) model.Condition {
		return model.Condition{Field: "query-string", Query: pairs}
	}
	regex := func(c model.Condition, exprs ...string) model.Condition { c.Regexes = exprs; return c }
	source := func(v ...string) model.Condition { return model.Condition{Field: "source-ip", Values: v} }
	method := func(v ...string) model.Condition {
		return model.Condition{Field: "http-request-method", Values: v}
	}
	// Each request is GET http://Shop.Example.com:8080/Img/a%20b.png?Color=Red&size=a*b&flag from
	// 192.0.2.7 with two X-Team headers and a forged X-Forwarded-For.
	for name, tc := range map[string]struct {
		condition model.Condition
		want      bool
	}{
		"a host is compared without its case":               {host("sHOP.example.COM"), true},
		"a host is compared without the port":               {host("shop.example.com:8080"), false},
		"a star in a host spans dots":                       {host("*.com"), true},
		"a star may stand for nothing":                      {host("shop*.example.com"), true},
		"a question mark is exactly one character":          {host("sho?.example.com"), true},
		"a question mark is not none":                       {host("shop?.example.com"), false},
		"a host that is another":                            {host("example.com"), false},
		"any of several hosts":                              {host("a.example.com", "shop.example.com"), true},
		"a host regex ignores case":                         {regex(host(), "^SHOP\\.[a-z.]+$"), true},
		"a host regex that does not match":                  {regex(host(), "^api\\."), false},
		"a value or a regex":                                {regex(host("no.example.com"), "^shop"), true},
		"a path is compared with its case":                  {path("/img/*"), false},
		"a path pattern matches the whole path":             {path("/Img"), false},
		"a path with a star":                                {path("/Img/*"), true},
		"a path keeps its escapes":                          {path("/Img/a%20b.png"), true},
		"a path has no query":                               {path("*Color*"), false},
		"several stars":                                     {path("*/I?g/*.p*g"), true},
		"a path regex sees the case":                        {regex(path(), "^/img/"), false},
		"a path regex that matches":                         {regex(path(), `^/Img/.+\.(png|jpg)$`), true},
		"a header's name has no case":                       {header("x-team", "blue"), true},
		"a header's value has no case":                      {header("X-Team", "BLUE"), true},
		"the second value of a header":                      {header("X-Team", "gr??n"), true},
		"a header's value that is another":                  {header("X-Team", "red"), false},
		"a header that is not there":                        {header("X-Other", "*"), false},
		"a header regex":                                    {regex(header("X-Team"), "^Gr(e+)n$"), true},
		"a method":                                          {method("POST", "GET"), true},
		"a method has case":                                 {method("get"), false},
		"a query key and value without case":                {query(model.QueryPair{Key: "color", Value: "red"}), true},
		"a query value under another key":                   {query(model.QueryPair{Key: "size", Value: "red"}), false},
		"a query value under any key":                       {query(model.QueryPair{Value: "re?"}), true},
		"a query key without a value":                       {query(model.QueryPair{Key: "flag", Value: ""}), true},
		"an escaped star in a query":                        {query(model.QueryPair{Key: "size", Value: `a\*b`}), true},
		"an escaped star is no wildcard":                    {query(model.QueryPair{Key: "color", Value: `r\*d`}), false},
		"any of several pairs":                              {query(model.QueryPair{Key: "x", Value: "y"}, model.QueryPair{Key: "color", Value: "*"}), true},
		"a source address":                                  {source("192.0.2.0/24"), true},
		"a source address that is not normalised":           {source("192.0.2.99/24"), true},
		"a source address outside":                          {source("198.51.100.0/24", "2001:db8::/32"), false},
		"X-Forwarded-For is not the source address":         {source("203.0.113.0/24"), false},
		"a single source address, any of several":           {source("198.51.100.1/32", "192.0.2.7/32"), true},
		"a backslash before something else stays a letter":  {query(model.QueryPair{Key: "color", Value: `r\ed`}), false},
		"a pattern with nothing but stars matches anything": {path("***"), true},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := compileCondition(tc.condition)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/Img/a%20b.png?Color=Red&size=a*b&flag", http.NoBody)
			r.Host, r.RemoteAddr = "Shop.Example.com:8080", "192.0.2.7:5555"
			r.Header = http.Header{"X-Team": {"Blue", "Green"}, "X-Forwarded-For": {"203.0.113.1"}}
			s := newSubject(r)
			if got := c.match(&s); got != tc.want {
				t.Errorf("match = %t, want %t", got, tc.want)
			}
		})
	}
}

func TestConditionsThatCannotBeCompiledAreErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		condition model.Condition
		want      string
	}{
		"an unknown field": {model.Condition{Field: "cookie"}, `"cookie"`},
		"a bad network":    {model.Condition{Field: "source-ip", Values: []string{"10.0.0.0/33"}}, "10.0.0.0/33"},
		"a bad regex":      {model.Condition{Field: "path-pattern", Regexes: []string{"(?=x)"}}, "(?="},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := compileCondition(tc.condition); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %s", err, tc.want)
			}
		})
	}
}

func TestAllConditionsOfARuleMustMatch(t *testing.T) {
	p := start(t, Config{})
	r, err := p.compileRule(nil, model.Rule{Actions: []model.Action{fixed("200", "")}, Conditions: []model.Condition{
		{Field: "host-header", Values: []string{"a.example.com"}}, {Field: "path-pattern", Values: []string{"/x"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]bool{"http://a.example.com/x": true, "http://a.example.com/y": false, "http://b.example.com/x": false} {
		s := newSubject(httptest.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody))
		if got := r.match(&s); got != want {
			t.Errorf("%s: match = %t, want %t", url, got, want)
		}
	}
}

// The matcher agrees with the regular expression that says the same.
func TestPatternsAgreeWithRegularExpressions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("ab*?\\")), 0, 8, -1).Draw(t, "pattern")
		subject := rapid.StringOfN(rapid.SampledFrom([]rune("ab*?\\")), 0, 12, -1).Draw(t, "subject")
		var expr strings.Builder
		for i := 0; i < len(text); i++ {
			switch c := text[i]; {
			case c == '\\' && i+1 < len(text) && strings.ContainsRune(`*?\`, rune(text[i+1])):
				i++
				expr.WriteString(regexp.QuoteMeta(text[i : i+1]))
			case c == '*':
				expr.WriteString("(?s:.*)")
			case c == '?':
				expr.WriteString("(?s:.)")
			default:
				expr.WriteString(regexp.QuoteMeta(string(c)))
			}
		}
		want := regexp.MustCompile("^(?:" + expr.String() + ")$").MatchString(subject)
		if got := newPattern(text).match(subject); got != want {
			t.Fatalf("%q matches %q: %t, want %t", text, subject, got, want)
		}
	})
}
