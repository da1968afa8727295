package alb

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/model"
)

// subject is what conditions look at in a request; the costly parts are made when
// the first condition asks for them.
type subject struct {
	req   *http.Request
	host  string // lower case, without the port
	path  string // as sent, escapes kept, without the query
	query url.Values
	peer  netip.Addr
}

func newSubject(r *http.Request) subject {
	return subject{req: r, host: strings.ToLower(hostOnly(r.Host)), path: r.URL.EscapedPath()}
}

// hostOnly strips the port and the brackets of an IPv6 literal.
func hostOnly(hostport string) string {
	if h, _, found := strings.Cut(hostport, "]"); found {
		return strings.TrimPrefix(h, "[")
	}
	h, _, _ := strings.Cut(hostport, ":")
	return h
}

func (s *subject) queryValues() url.Values {
	if s.query == nil {
		s.query = s.req.URL.Query()
	}
	return s.query
}

// peerAddr is the address of the client's connection, never X-Forwarded-For.
func (s *subject) peerAddr() netip.Addr {
	if !s.peer.IsValid() {
		if ap, err := netip.ParseAddrPort(s.req.RemoteAddr); err == nil {
			s.peer = ap.Addr().Unmap()
		}
	}
	return s.peer
}

// condition is a compiled model.Condition.
type condition struct {
	field    string
	patterns []pattern
	regexes  []*regexp.Regexp
	header   string // canonical
	pairs    []pair
	methods  []string
	prefixes []netip.Prefix
}

type pair struct {
	anyKey     bool
	key, value pattern
}

func compileCondition(c model.Condition) (condition, error) {
	out := condition{field: c.Field}
	regexFlags := ""
	switch c.Field {
	case "host-header":
		out.patterns = patterns(c.Values, strings.ToLower)
		regexFlags = "(?i)"
	case "path-pattern":
		out.patterns = patterns(c.Values, func(s string) string { return s })
	case "http-header":
		out.header = textproto.CanonicalMIMEHeaderKey(c.HeaderName)
		out.patterns = patterns(c.Values, strings.ToLower)
	case "http-request-method":
		out.methods = c.Values
	case "query-string":
		for _, q := range c.Query {
			out.pairs = append(out.pairs, pair{
				anyKey: q.Key == "", key: newPattern(strings.ToLower(q.Key)), value: newPattern(strings.ToLower(q.Value)),
			})
		}
	case "source-ip":
		for _, v := range c.Values {
			p, err := netip.ParsePrefix(v)
			if err != nil {
				return out, fmt.Errorf("source-ip condition: %w", err)
			}
			out.prefixes = append(out.prefixes, p.Masked())
		}
	default:
		return out, fmt.Errorf("condition field %q is not known", c.Field)
	}
	for _, expr := range c.Regexes {
		re, err := regexp.Compile(regexFlags + expr)
		if err != nil {
			return out, fmt.Errorf("%s condition: %w", c.Field, err)
		}
		out.regexes = append(out.regexes, re)
	}
	return out, nil
}

func patterns(values []string, fold func(string) string) []pattern {
	out := make([]pattern, 0, len(values))
	for _, v := range values {
		out = append(out, newPattern(fold(v)))
	}
	return out
}

// match says whether any of the condition's values matches.
func (c *condition) match(s *subject) bool {
	switch c.field {
	case "host-header":
		return c.matchString(s.host, s.host)
	case "path-pattern":
		return c.matchString(s.path, s.path)
	case "http-header":
		return slices.ContainsFunc(s.req.Header[c.header], func(v string) bool {
			return c.matchString(strings.ToLower(v), v)
		})
	case "http-request-method":
		return slices.Contains(c.methods, s.req.Method)
	case "query-string":
		return slices.ContainsFunc(c.pairs, func(p pair) bool { return p.match(s.queryValues()) })
	case "source-ip":
		addr := s.peerAddr()
		return slices.ContainsFunc(c.prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
	}
	return false
}

// matchString compares folded with the wildcard patterns and raw with the regexes.
func (c *condition) matchString(folded, raw string) bool {
	for i := range c.patterns {
		if c.patterns[i].match(folded) {
			return true
		}
	}
	return slices.ContainsFunc(c.regexes, func(re *regexp.Regexp) bool { return re.MatchString(raw) })
}

func (p pair) match(query url.Values) bool {
	for key, values := range query {
		if !p.anyKey && !p.key.match(strings.ToLower(key)) {
			continue
		}
		if slices.ContainsFunc(values, func(v string) bool { return p.value.match(strings.ToLower(v)) }) {
			return true
		}
	}
	return false
}
