package elbv2

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/fault"
)

// Limits of a numbered rule, from the API reference and the quotas page.
const (
	maxPriority   = 50000
	maxValues     = 5   // of all conditions of a rule together
	maxWildcards  = 5   // * and ? in all conditions of a rule together
	maxText       = 128 // characters of a value
	maxHeaderName = 40  // characters
	maxMethod     = 40  // characters
)

// fieldPrefix is where a rule's members stand in the manifest, for messages.
const fieldPrefix = "route.alb.rule."

// Validate checks what AWS would refuse, so that it is found before anything is called.
func (n Numbered) Validate() error {
	if n.Priority < 1 || n.Priority > maxPriority {
		return invalidRule("priority", fmt.Sprint(n.Priority), fmt.Sprintf("not in 1–%d", maxPriority))
	}
	conds := n.conditions()
	if len(conds) == 0 {
		return invalidRule("", "no conditions", "give at least one of hosts, pathPatterns, methods, sourceIPs, headers and queryStrings, or use default: true for the listener's default action")
	}
	values, wildcards := 0, 0
	for _, c := range conds {
		values += len(c.values) + len(c.query)
		wildcards += c.wildcards()
	}
	if values > maxValues {
		return invalidRule("", fmt.Sprintf("%d condition values", values), fmt.Sprintf("a rule holds at most %d in all its conditions together; split it over several rules", maxValues))
	}
	if wildcards > maxWildcards {
		return invalidRule("", fmt.Sprintf("%d wildcards", wildcards), fmt.Sprintf("a rule holds at most %d in all its conditions together", maxWildcards))
	}
	return n.validateValues()
}

func (n Numbered) validateValues() error {
	for _, list := range []struct {
		name   string
		values []string
		check  func(string) string
	}{
		{"hosts", n.Hosts, checkHost},
		{"pathPatterns", n.PathPatterns, checkPath},
		{"methods", n.Methods, checkMethod},
		{"sourceIPs", n.SourceIPs, checkCIDR},
	} {
		if err := checkEach(list.name, list.values, list.check); err != nil {
			return err
		}
	}
	for i, h := range n.Headers {
		name := fmt.Sprintf("headers[%d]", i)
		if why := checkHeaderName(h.Name); why != "" {
			return invalidRule(name+".name", h.Name, why)
		}
		if len(h.Values) == 0 {
			return invalidRule(name+".values", "no values", "give at least one; * matches any value")
		}
		if err := checkEach(name+".values", h.Values, checkPrintable); err != nil {
			return err
		}
	}
	for i, q := range n.QueryStrings {
		name := fmt.Sprintf("queryStrings[%d]", i)
		if why := checkQueryText(q.Key); q.Key != "" && why != "" {
			return invalidRule(name+".key", q.Key, why)
		}
		if why := checkQueryText(q.Value); why != "" {
			return invalidRule(name+".value", q.Value, why)
		}
	}
	return nil
}

func checkEach(name string, values []string, check func(string) string) error {
	for i, v := range values {
		at := fmt.Sprintf("%s[%d]", name, i)
		if why := check(v); why != "" {
			return invalidRule(at, v, why)
		}
		if slices.Contains(values[:i], v) {
			return invalidRule(at, v, "named twice")
		}
	}
	return nil
}

func invalidRule(field, value, why string) error {
	at := strings.TrimSuffix(fieldPrefix+field, ".")
	return fault.Terminal("InvalidRule", fmt.Errorf("%s: %q: %s", at, value, why))
}

func (c condition) wildcards() int {
	texts := slices.Clone(c.values)
	for _, q := range c.query {
		texts = append(texts, q.Key, q.Value)
	}
	n := 0
	for _, t := range texts {
		for _, tok := range tokens(t, c.field == fieldQuery) {
			if tok == anyOne || tok == anyMany {
				n++
			}
		}
	}
	return n
}

// The checks say why a value is wrong, "" when it is not.

func checkLength(s string, most int) string {
	if n := len([]rune(s)); n < 1 || n > most {
		return fmt.Sprintf("%d characters, want 1–%d", n, most)
	}
	return ""
}

func checkAll(s string, most int, pattern, allowed string) string {
	if why := checkLength(s, most); why != "" {
		return why
	}
	if !regexp.MustCompile(pattern).MatchString(s) {
		return "only " + allowed + " are allowed"
	}
	return ""
}

func checkHost(s string) string {
	if why := checkAll(s, maxText, `^[A-Za-z0-9._*?-]+$`, "letters, digits, - . _ and the wildcards * ?"); why != "" {
		return why
	}
	at := strings.LastIndex(s, ".")
	switch {
	case at < 0:
		return "a host needs a dot, as in www.example.com or *.example.com"
	case !regexp.MustCompile(`^[A-Za-z*?]+$`).MatchString(s[at+1:]):
		return "after the last dot only letters are allowed"
	}
	return ""
}

func checkPath(s string) string {
	return checkAll(s, maxText, `^[A-Za-z0-9_.$/~"'@:+&()!,;=%#\[\]*?-]+$`, "letters, digits, punctuation of paths and the wildcards * ? (a path, without the query string)")
}

func checkMethod(s string) string {
	return checkAll(s, maxMethod, `^[A-Z_-]+$`, "capital letters, - and _ (GET; no wildcards)")
}

func checkCIDR(s string) string {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return "not a CIDR such as 192.0.2.0/24 or 2001:db8::/32"
	}
	if p.Masked() != p {
		return fmt.Sprintf("bits are set after the first %d; write %s", p.Bits(), p.Masked())
	}
	return ""
}

func checkHeaderName(s string) string {
	if strings.EqualFold(s, "host") {
		return "use hosts for the Host header"
	}
	return checkAll(s, maxHeaderName, "^[A-Za-z0-9!#$%&'+.^_`|~-]+$", "letters, digits and !#$%&'+-.^_`|~ (no wildcards)")
}

func checkPrintable(s string) string {
	return checkAll(s, maxText, `^[\x20-\x7e]+$`, "printable ASCII characters")
}

func checkQueryText(s string) string {
	return checkAll(s, maxText, `^[\x21-\x7e]+$`, "printable ASCII characters without spaces")
}
