package route53

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/norikae/norikae/internal/router/marktext"
)

// Limits of a TXT record's value, in characters, from the developer guide.
const (
	maxText  = 255  // of one quoted string
	maxValue = 4000 // of one value, which may have several strings
)

// parseText splits a TXT value into its strings: "a" "b". A value without quotes is one
// string; Route 53 itself has none such.
func parseText(value string) ([]string, error) {
	var out []string
	rest := strings.TrimSpace(value)
	if !strings.HasPrefix(rest, `"`) {
		return []string{rest}, nil
	}
	for rest != "" {
		if rest[0] != '"' {
			return nil, fmt.Errorf("%q: want a quote", rest)
		}
		s, n, err := quoted(rest)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
		rest = strings.TrimLeft(rest[n:], " \t")
	}
	return out, nil
}

// quoted reads the string at the start of s, and how long it is with its quotes.
func quoted(s string) (text string, n int, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] == '"' {
			return b.String(), i + 1, nil
		}
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		c, ok := octal(s[i+1:])
		if ok {
			i += 3
		} else {
			i++
			c = s[i]
		}
		b.WriteByte(c)
	}
	return "", 0, errors.New("a quote is not closed")
}

// encodeItems makes TXT values of items: one quoted string per item, or more where it is
// long (KEY+2=… goes on where KEY=… ends). Neither the order of the strings nor that of
// the values means anything.
func encodeItems(items []marktext.Item) []string {
	var values []string
	room := 0
	for _, it := range items {
		rest := escape(it.Value)
		for part := 1; part == 1 || rest != ""; part++ {
			head := it.Key + "="
			if part > 1 {
				head = it.Key + "+" + strconv.Itoa(part) + "="
			}
			n := cutAt(rest, maxText-len(head))
			s := `"` + head + rest[:n] + `"`
			rest = rest[n:]
			if room < len(s)+1 {
				values, room = append(values, s), maxValue-len(s)
				continue
			}
			values[len(values)-1] += " " + s
			room -= len(s) + 1
		}
	}
	return values
}

// cutAt is where an escaped text may be cut to have at most n characters.
func cutAt(s string, n int) int {
	if len(s) <= n {
		return len(s)
	}
	if at := strings.LastIndexByte(s[:n], '%'); at > n-3 {
		return at
	}
	return n
}

// escape makes text printable ASCII without what has a meaning in a TXT value, by %XX.
// Route 53 has octal escapes of its own; whether they come back as they went does not
// matter so.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '%' || c == '"' || c == '\\' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+3 > len(s) {
			return "", fmt.Errorf("%q: want two hexadecimal digits after %%", s)
		}
		c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("%q: want two hexadecimal digits after %%", s)
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), nil
}

// decodeItems is the reverse of encodeItems.
func decodeItems(values []string) (map[string]string, error) {
	parts := map[string]map[int]string{}
	for _, v := range values {
		texts, err := parseText(v)
		if err != nil {
			return nil, err
		}
		for _, t := range texts {
			if err := addPart(parts, t); err != nil {
				return nil, err
			}
		}
	}
	items := make(map[string]string, len(parts))
	for key, of := range parts {
		var whole strings.Builder
		for i := 1; i <= len(of); i++ {
			p, ok := of[i]
			if !ok {
				return nil, fmt.Errorf("%s: part %d of %d is missing", key, i, len(of))
			}
			whole.WriteString(p)
		}
		value, err := unescape(whole.String())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		items[key] = value
	}
	return items, nil
}

func addPart(parts map[string]map[int]string, text string) error {
	head, value, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("%q: want KEY=VALUE", text)
	}
	key, number, more := strings.Cut(head, "+")
	part := 1
	if more {
		n, err := strconv.Atoi(number)
		if err != nil || n < 2 || strconv.Itoa(n) != number {
			return fmt.Errorf("%q: want KEY+N=VALUE with N of 2 or more", text)
		}
		part = n
	}
	if parts[key] == nil {
		parts[key] = map[int]string{}
	}
	if _, twice := parts[key][part]; twice {
		return fmt.Errorf("%s: is there twice", head)
	}
	parts[key][part] = value
	return nil
}

// claimsMark tells whether TXT values say that they are a mark, in whatever state.
func claimsMark(values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool {
		texts, err := parseText(v)
		if err != nil {
			return strings.Contains(v, `"`+keyVersion+`=`)
		}
		return slices.ContainsFunc(texts, func(t string) bool { return strings.HasPrefix(t, keyVersion+"=") })
	})
}
