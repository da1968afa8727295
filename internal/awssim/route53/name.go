package route53

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Limits of domain names in bytes, from RFC 1035.
const (
	maxLabel = 63
	maxName  = 255 // of the encoded name: one more than its labels with their dots
)

// Canonical is a domain name as Route 53 stores it: lower case, a dot at its end, and every
// character besides a–z, 0–9, - and _ as a backslash and three octal digits. The dot at
// the end may be missing in the input, and its escapes are of the same form.
func Canonical(name string) (string, error) {
	labels, err := parseLabels(name)
	if err != nil {
		return "", err
	}
	return FormatName(labels), nil
}

// FormatName joins labels of raw bytes to a canonical name.
func FormatName(labels []string) string {
	if len(labels) == 0 {
		return "."
	}
	var b strings.Builder
	for _, label := range labels {
		for _, c := range []byte(label) {
			switch {
			case c >= 'A' && c <= 'Z':
				b.WriteByte(c + 'a' - 'A')
			case plain(c):
				b.WriteByte(c)
			default:
				fmt.Fprintf(&b, `\%03o`, c)
			}
		}
		b.WriteByte('.')
	}
	return b.String()
}

// Labels are the raw bytes of a canonical name's labels.
func Labels(canonical string) []string {
	labels, err := parseLabels(canonical)
	if err != nil {
		return nil // not canonical
	}
	return labels
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// parseLabels splits a name into labels of raw bytes. Its errors are worded like AWS's.
func parseLabels(name string) ([]string, error) {
	if name == "." {
		return nil, nil
	}
	if name == "" {
		return nil, errors.New("FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with ''")
	}
	var labels []string
	var label []byte
	total := 1 // the root's own byte
	end := func() error {
		switch {
		case len(label) == 0:
			return fmt.Errorf("FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with '%s'", name)
		case len(label) > maxLabel:
			return fmt.Errorf("FATAL problem: DomainLabelTooLong (Domain label is too long) encountered with '%s'", label)
		}
		total += len(label) + 1
		labels = append(labels, string(label))
		label = label[:0]
		return nil
	}
	rest := strings.TrimSuffix(name, ".")
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '.':
			if err := end(); err != nil {
				return nil, err
			}
		case c == '\\':
			b, ok := octal(rest[i+1:])
			if !ok {
				return nil, unsupported(name)
			}
			label = append(label, b)
			i += 3
		case c <= ' ' || c >= 0x7f:
			return nil, unsupported(name)
		default:
			label = append(label, c)
		}
	}
	if err := end(); err != nil {
		return nil, err
	}
	if total > maxName {
		return nil, fmt.Errorf("FATAL problem: DomainNameTooLong (Domain name is too long) encountered with '%s'", name)
	}
	return labels, nil
}

func unsupported(v string) error {
	return fmt.Errorf("FATAL problem: UnsupportedCharacter (Value contains unsupported characters) encountered with '%s'", v)
}

// octal reads the three digits of an escape.
func octal(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	n := 0
	for _, c := range []byte(s[:3]) {
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n*8 + int(c-'0')
	}
	return byte(n), n <= 0xff
}

// within tells whether a canonical name is the zone's or below it.
func within(name, zone string) bool {
	return name == zone || strings.HasSuffix(name, "."+zone)
}

// parent is the name without its first label; "." has none.
func parent(name string) string {
	if _, rest, ok := strings.Cut(name, "."); ok && rest != "" {
		return rest
	}
	return "."
}

// wildcard is the canonical form of a label "*".
const wildcard = `\052`

// sortKey orders names as Route 53 lists them: by their labels in reverse, as text, with
// the dot at the end.
func sortKey(name string) string {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".") + "."
}
