package elbv2

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/traffic"
)

// texts are all texts over a small alphabet, up to a length.
func texts(alphabet string, most int) []string {
	out := []string{""}
	for from := 0; most > 0; most-- {
		end := len(out)
		for _, s := range out[from:end] {
			for _, r := range alphabet {
				out = append(out, s+string(r))
			}
		}
		from = end
	}
	return out
}

// matcher is a pattern in another way: a regular expression.
func matcher(pattern string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.NewReplacer("*", ".*", "?", ".").Replace(pattern) + "$")
}

func TestPatternsCoverAndMeetAsTheirTextsDo(t *testing.T) {
	all := texts("ab", 6)
	pattern := rapid.StringMatching(`[ab*?]{0,4}`)
	rapid.Check(t, func(t *rapid.T) {
		x, y := pattern.Draw(t, "x"), pattern.Draw(t, "y")
		mx, my := matcher(x), matcher(y)
		subset, meet := true, false
		for _, s := range all {
			inX, inY := mx.MatchString(s), my.MatchString(s)
			subset = subset && (inX || !inY)
			meet = meet || inX && inY
		}
		if globCovers(tokens(x, false), tokens(y, false)) && !subset {
			t.Fatalf("%q is said to cover %q, and does not", x, y)
		}
		// Patterns of 4 tokens that meet do so in a text of at most 8; 6 suffices for
		// all but contrived ones, so only the dangerous direction is exact.
		if meet && !globsMeet(tokens(x, false), tokens(y, false)) {
			t.Fatalf("%q and %q are said never to meet, and do", x, y)
		}
		if !strings.ContainsAny(x+y, "*?") && globCovers(tokens(x, false), tokens(y, false)) != (x == y) {
			t.Fatalf("literals %q and %q", x, y)
		}
	})
}

func TestPatternsOfEveryDayAreUnderstood(t *testing.T) {
	for _, tc := range []struct {
		outer, inner string
		covers, meet bool
	}{
		{"*", "/api/*", true, true},
		{"/api/*", "/api/v1/*", true, true},
		{"/api/*", "/api/*", true, true},
		{"/api/v1/*", "/api/*", false, true},
		{"*.example.com", "www.example.com", true, true},
		{"*.example.com", "example.com", false, false},
		{"/img/*", "/api/*", false, false},
		{"/*.png", "/img/*", false, true},
		{"/v?/*", "/v1/users", true, true},
		{"/v?/*", "/v10/users", false, false},
	} {
		if got := globCovers(tokens(tc.outer, false), tokens(tc.inner, false)); got != tc.covers {
			t.Errorf("%s covers %s: %v", tc.outer, tc.inner, got)
		}
		if got := globsMeet(tokens(tc.outer, false), tokens(tc.inner, false)); got != tc.meet {
			t.Errorf("%s meets %s: %v", tc.outer, tc.inner, got)
		}
	}
}

func TestS08_ConditionsAreComparedAsSets(t *testing.T) {
	declared := Numbered{
		Hosts: []string{"a.example.com", "B.example.com"}, PathPatterns: []string{"/x"}, Methods: []string{"GET", "HEAD"},
		Headers: []Header{{"X-Team", []string{"Blue"}}, {"X-Beta", []string{"1"}}}, QueryStrings: []Query{{"v", "2"}, {"", "all"}},
	}.conditions()
	query := &types.QueryStringConditionConfig{Values: []types.QueryStringKeyValuePair{{Value: aws.String("ALL")}, {Key: aws.String("V"), Value: aws.String("2")}}}
	read := func(paths ...string) []types.RuleCondition {
		return []types.RuleCondition{
			{Field: aws.String(fieldQuery), QueryStringConfig: query},
			{Field: aws.String(fieldHeader), HttpHeaderConfig: &types.HttpHeaderConditionConfig{HttpHeaderName: aws.String("x-beta"), Values: []string{"1"}}},
			{Field: aws.String(fieldHeader), HttpHeaderConfig: &types.HttpHeaderConditionConfig{HttpHeaderName: aws.String("x-team"), Values: []string{"blue"}}},
			{Field: aws.String(fieldMethod), HttpRequestMethodConfig: &types.HttpRequestMethodConditionConfig{Values: []string{"HEAD", "GET"}}},
			{Field: aws.String(fieldPath), Values: paths}, // the short form alone
			{
				Field: aws.String(fieldHost), Values: []string{"b.example.com", "a.example.com"}, // and both forms
				HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{"b.example.com", "a.example.com"}},
			},
		}
	}
	if !sameConditions(conditionsOf(read("/x")), declared) {
		t.Errorf("false difference: %s | %s", describe(conditionsOf(read("/x"))), describe(declared))
	}
	for name, other := range map[string][]types.RuleCondition{
		"another path":          read("/y"),
		"a path in other case":  read("/X"),
		"one path more":         read("/x", "/y"),
		"one condition less":    read("/x")[1:],
		"one condition more":    append(read("/x"), types.RuleCondition{Field: aws.String(fieldSource), SourceIpConfig: &types.SourceIpConditionConfig{Values: []string{"10.0.0.0/8"}}}),
		"a regex in the values": append(read("/x")[:5:5], types.RuleCondition{Field: aws.String(fieldHost), RegexValues: []string{"a.example.com", "b.example.com"}}),
	} {
		if sameConditions(conditionsOf(other), declared) {
			t.Errorf("%s is not seen", name)
		}
	}
}

func TestDeclaredConditionsSurviveTheTripThroughAWS(t *testing.T) {
	w := newWorld(t)
	for i, n := range []Numbered{
		{Hosts: []string{"A.example.com", "*.example.org"}, PathPatterns: []string{"/x/*", "/Y"}},
		{Methods: []string{"GET", "POST"}, SourceIPs: []string{"10.0.0.0/8", "2001:db8::/32"}},
		{Headers: []Header{{"X-Team", []string{"blue*"}}, {"X-Beta", []string{"1", "2"}}}, QueryStrings: []Query{{"v", "2"}, {"", "all"}}},
	} {
		n.Priority = 10 + i
		if err := n.Validate(); err != nil {
			t.Fatal(err)
		}
		id := w.rule(w.listener, int32(n.Priority), sdkConditions(n.conditions()), notFound())
		if got := conditionsOf(w.see(id).Conditions); !sameConditions(got, n.conditions()) {
			t.Errorf("came back as %s, went as %s", describe(got), describe(n.conditions()))
		}
	}
}

// table of a listener's rules: a priority (0: the default) and its conditions.
type place struct {
	priority   int
	conditions Numbered
	regex      string // a host regular expression, beside the conditions
}

func (p place) rule(id string) types.Rule {
	r := types.Rule{RuleArn: aws.String(id), Conditions: sdkConditions(p.conditions.conditions()), Actions: []types.Action{forward(traffic.Split{{ID: id, Weight: 1}})}}
	if p.regex != "" {
		r.Conditions = append(r.Conditions, types.RuleCondition{Field: aws.String(fieldHost), HostHeaderConfig: &types.HostHeaderConditionConfig{RegexValues: []string{p.regex}}})
	}
	r.Priority, r.IsDefault = aws.String(strconv.Itoa(p.priority)), aws.Bool(p.priority == 0)
	if p.priority == 0 {
		r.Priority = aws.String("default")
	}
	return r
}

func TestS10_TheMirrorIsWhatServesTheRequestsToday(t *testing.T) {
	host := func(names ...string) Numbered { return Numbered{Hosts: names} }
	path := func(p ...string) Numbered { return Numbered{PathPatterns: p} }
	both := func(h, p string) Numbered { return Numbered{Hosts: []string{h}, PathPatterns: []string{p}} }
	def := place{}
	for name, tc := range map[string]struct {
		declared Numbered
		rules    []place
		want     string // the mirror's name, or a part of the error
		reason   string // of a terminal error
	}{
		"nothing but the default rule":                     {host("www.example.com"), []place{def}, "the default rule", ""},
		"a later rule with the same conditions":            {host("www.example.com"), []place{{20, host("www.example.com"), ""}, def}, "rule 20", ""},
		"a later rule that is wider":                       {both("www.example.com", "/api/*"), []place{{20, host("*.example.com"), ""}, def}, "rule 20", ""},
		"the first of two later ones, by number":           {host("www.example.com"), []place{{200, host("*.example.com"), ""}, {30, host("*.example.com"), ""}, def}, "rule 30", ""},
		"a catch-all path":                                 {host("www.example.com"), []place{{20, path("/*"), ""}, def}, "rule 20", ""},
		"later rules for other hosts do not count":         {host("www.example.com"), []place{{20, host("api.example.com"), ""}, def}, "the default rule", ""},
		"a host that differs by case is the same":          {host("WWW.example.com"), []place{{20, host("www.EXAMPLE.com"), ""}, def}, "rule 20", ""},
		"earlier rules that take a part go on doing so":    {host("www.example.com"), []place{{5, both("www.example.com", "/api/*"), ""}, def}, "the default rule", ""},
		"a later rule takes a part":                        {host("www.example.com"), []place{{20, both("www.example.com", "/api/*"), ""}, def}, "priority above 20", "OverlappingRule"},
		"a later rule takes one host of two":               {host("a.example.com", "b.example.com"), []place{{20, host("a.example.com"), ""}, def}, "rule 20 takes a part", "OverlappingRule"},
		"a later rule depends on a header":                 {host("www.example.com"), []place{{20, Numbered{Headers: []Header{{"X-Beta", []string{"*"}}}}, ""}, def}, "rule 20 takes a part", "OverlappingRule"},
		"a regular expression may take a part":             {host("www.example.com"), []place{{20, Numbered{}, "^www.*"}, def}, "rule 20 takes a part", "OverlappingRule"},
		"a regular expression for another path does not":   {both("www.example.com", "/a"), []place{{20, path("/b"), "^www.*"}, def}, "the default rule", ""},
		"an earlier rule takes everything":                 {host("www.example.com"), []place{{5, host("*.example.com"), ""}, def}, "priority below 5", "UnreachableRule"},
		"an earlier rule with the same conditions":         {host("www.example.com"), []place{{9, host("www.example.com"), ""}, def}, "it would get none", "UnreachableRule"},
		"source addresses within others":                   {Numbered{SourceIPs: []string{"10.1.0.0/16"}}, []place{{20, Numbered{SourceIPs: []string{"10.0.0.0/8"}}, ""}, def}, "rule 20", ""},
		"source addresses apart":                           {Numbered{SourceIPs: []string{"10.1.0.0/16"}}, []place{{20, Numbered{SourceIPs: []string{"192.168.0.0/16"}}, ""}, def}, "the default rule", ""},
		"methods within others":                            {Numbered{Methods: []string{"GET"}}, []place{{20, Numbered{Methods: []string{"HEAD", "GET"}}, ""}, def}, "rule 20", ""},
		"query parameters within others":                   {Numbered{QueryStrings: []Query{{"v", "2"}}}, []place{{20, Numbered{QueryStrings: []Query{{"", "2"}, {"x", "1"}}}, ""}, def}, "rule 20", ""},
		"one header value of two, under one name":          {Numbered{Headers: []Header{{"x-team", []string{"BLUE"}}}}, []place{{20, Numbered{Headers: []Header{{"X-Team", []string{"blue", "red"}}}}, ""}, def}, "rule 20", ""},
		"other header values may come in the same request": {Numbered{Headers: []Header{{"x-team", []string{"blue"}}}}, []place{{20, Numbered{Headers: []Header{{"X-Team", []string{"red"}}}}, ""}, def}, "takes a part", "OverlappingRule"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.declared.Priority = 10
			var rules []types.Rule
			for _, p := range tc.rules {
				rules = append(rules, p.rule(strconv.Itoa(p.priority)))
			}
			rd, err := mirror(rules, tc.declared)
			if tc.reason == "" {
				if err != nil || rd.mirrorName != tc.want || rd.exists {
					t.Fatalf("got %+v, %v, want %s", rd, err, tc.want)
				}
				return
			}
			mentions(t, err, tc.want, "route.alb.rule.priority: 10")
			if !isTerminal(err, tc.reason) {
				t.Errorf("got %v, want a terminal %s", err, tc.reason)
			}
		})
	}
}

// isTerminal with this reason.
func isTerminal(err error, reason string) bool {
	te, ok := errors.AsType[*fault.TerminalError](err)
	return ok && te.Reason == reason
}
