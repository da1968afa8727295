package route53

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	mdns "github.com/miekg/dns"
)

// maxString is how long one character string of a value may be, in bytes.
const maxString = 255

// valueProblem is what is wrong with a value of a record type, worded like AWS; "" for
// nothing.
func valueProblem(typ, v string) string {
	fields := strings.Fields(v)
	switch typ {
	case "A":
		if a, err := netip.ParseAddr(v); err != nil || !a.Is4() {
			return "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"
		}
	case "AAAA":
		if a, err := netip.ParseAddr(v); err != nil || !a.Is6() || a.Zone() != "" {
			return "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"
		}
	case "CNAME", "NS", "PTR":
		return nameProblem(v)
	case "TXT", "SPF":
		return textProblem(v)
	case "MX":
		if len(fields) != 2 {
			return "MXRRDATANotTwoFields (MX record doesn't have 2 fields)"
		}
		return firstProblem(numberProblem("MXRRDATAIllegalPriority", fields[0], 1<<16-1), nameProblem(fields[1]))
	case "SRV":
		if len(fields) != 4 {
			return "SRVRRDATANotFourFields (SRV record doesn't have 4 fields)"
		}
		return firstProblem(
			numberProblem("SRVRRDATAIllegalPriority", fields[0], 1<<16-1), numberProblem("SRVRRDATAIllegalWeight", fields[1], 1<<16-1),
			numberProblem("SRVRRDATAIllegalPort", fields[2], 1<<16-1), nameProblem(fields[3]),
		)
	case "SOA":
		if len(fields) != 7 {
			return "SOARRDATANotSevenFields (SOA record doesn't have 7 fields)"
		}
		problems := []string{nameProblem(fields[0]), nameProblem(fields[1])}
		for _, f := range fields[2:] {
			problems = append(problems, numberProblem("SOARRDATAIllegalNumber", f, 1<<32-1))
		}
		return firstProblem(problems...)
	case "CAA":
		return caaProblem(v)
	default:
		return otherProblem(typ, v)
	}
	return ""
}

func firstProblem(problems ...string) string {
	for _, p := range problems {
		if p != "" {
			return p
		}
	}
	return ""
}

func numberProblem(code, v string, most uint64) string {
	if n, err := strconv.ParseUint(v, 10, 64); err != nil || n > most {
		return fmt.Sprintf("%s (Value is not a number from 0 to %d)", code, most)
	}
	return ""
}

func nameProblem(v string) string {
	_, err := Canonical(v)
	if err == nil {
		return ""
	}
	what, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "FATAL problem: "), " encountered with")
	return what
}

// textProblem checks one or more strings in quotation marks.
func textProblem(v string) string {
	strs, ok := Strings(v)
	if !ok {
		return "InvalidCharacterString (Value should be enclosed in quotation marks)"
	}
	for _, s := range strs {
		if len(s) > maxString {
			return "CharacterStringTooLong (Value is too long)"
		}
	}
	return ""
}

// Strings are the raw bytes of a value's character strings, each in quotation marks.
// Escapes are a backslash with three octal digits, or before a quotation mark or a
// backslash.
func Strings(v string) ([]string, bool) {
	var out []string
	for rest := strings.TrimLeft(v, " \t"); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		s, after, ok := quoted(rest)
		if !ok {
			return nil, false
		}
		out, rest = append(out, s), after
	}
	return out, len(out) > 0
}

func quoted(v string) (s, rest string, ok bool) {
	if v[0] != '"' {
		return "", "", false
	}
	var b []byte
	for i := 1; i < len(v); i++ {
		switch c := v[i]; {
		case c == '"':
			return string(b), v[i+1:], true
		case c == '\\':
			if o, ok := octal(v[i+1:]); ok {
				b = append(b, o)
				i += 3
				continue
			}
			if i++; i == len(v) {
				return "", "", false
			}
			b = append(b, v[i])
		case c < ' ' && c != '\t' || c >= 0x7f:
			return "", "", false
		default:
			b = append(b, c)
		}
	}
	return "", "", false
}

var caa = regexp.MustCompile(`^(\d+) +([a-zA-Z0-9]+) +(".*")$`)

func caaProblem(v string) string {
	m := caa.FindStringSubmatch(v)
	if m == nil {
		return "CAARRDATANotThreeFields (CAA record doesn't have 3 fields: flags, tag and a value in quotation marks)"
	}
	return firstProblem(numberProblem("CAARRDATAIllegalFlags", m[1], 1<<8-1), textProblem(m[3]))
}

// otherProblem leaves the rarer types to a parser of zone files.
func otherProblem(typ, v string) string {
	if strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c >= 0x7f }) {
		return "UnsupportedCharacter (Value contains unsupported characters)"
	}
	if rr, err := mdns.NewRR(". 0 IN " + typ + " " + v); err != nil || rr == nil {
		return typ + "RRDATAIllegal (Value is not a valid " + typ + " record)"
	}
	return ""
}
