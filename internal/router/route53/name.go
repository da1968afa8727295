package route53

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Limits of DNS names, in octets (RFC 1035).
const (
	maxLabel = 63
	maxName  = 255 // on the wire: each label has one octet more, and the root is one
)

// wildcard is how Route 53 spells a label that is a single *.
const wildcard = `\052`

// fqdn is a DNS name as Route 53 spells it: lower case, with its last dot, and with
// \ooo (octal) for everything but a-z, 0-9, - and _. Equal names are equal strings.
type fqdn string

// parseName reads a name in any spelling: any case, with or without the last dot, with
// \ooo or \c for single characters.
func parseName(s string) (fqdn, error) {
	var out, label strings.Builder
	octets, size := 0, 1 // of the label; of the name on the wire
	end := func() error {
		if octets < 1 || octets > maxLabel {
			return fmt.Errorf("a label of %d characters between its dots, want 1–%d", octets, maxLabel)
		}
		size += octets + 1
		out.WriteString(label.String() + ".")
		label.Reset()
		octets = 0
		return nil
	}
	for rest := s; rest != ""; {
		c, escaped, n, err := nextOctet(rest)
		if err != nil {
			return "", err
		}
		rest = rest[n:]
		if c == '.' && !escaped {
			if err := end(); err != nil {
				return "", err
			}
			continue
		}
		label.WriteString(spellOctet(c))
		octets++
	}
	if octets > 0 || out.Len() == 0 { // else the name has its last dot
		if err := end(); err != nil {
			return "", err
		}
	}
	if size > maxName {
		return "", fmt.Errorf("%d octets, want at most %d", size, maxName)
	}
	return fqdn(out.String()), nil
}

// nextOctet of a name, and the number of bytes that spell it.
func nextOctet(s string) (c byte, escaped bool, n int, err error) {
	switch c = s[0]; {
	case c >= 0x80:
		return 0, false, 0, errors.New("a character outside of ASCII; write it in punycode (xn--…)")
	case c <= ' ' || c == 0x7f:
		return 0, false, 0, fmt.Errorf(`the character %q; if it is meant, write \%03o`, c, c)
	case c != '\\':
		return c, false, 1, nil
	}
	if c, ok := octal(s[1:]); ok {
		return c, true, 4, nil
	}
	if len(s) >= 2 && (s[1] < '0' || s[1] > '9') && s[1] > ' ' && s[1] < 0x7f {
		return s[1], true, 2, nil
	}
	return 0, false, 0, fmt.Errorf(`%q: after a backslash want three octal digits of at most 377, as in \052`, s[:min(len(s), 4)])
}

// octal reads the three digits after a backslash.
func octal(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	c, err := strconv.ParseUint(s[:3], 8, 8)
	return byte(c), err == nil
}

func spellOctet(c byte) string {
	switch {
	case c >= 'A' && c <= 'Z':
		return string(rune(c - 'A' + 'a'))
	case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		return string(rune(c))
	}
	return fmt.Sprintf(`\%03o`, c)
}

// labels from the left. No label holds a dot: one that is part of a label is \056.
func (n fqdn) labels() []string { return strings.Split(strings.TrimSuffix(string(n), "."), ".") }

// String is the name as people write it.
func (n fqdn) String() string {
	s := strings.TrimSuffix(string(n), ".")
	if rest, ok := strings.CutPrefix(s, wildcard+"."); ok {
		return "*." + rest
	}
	return s
}

// within tells whether the name is zone or below it.
func (n fqdn) within(zone fqdn) bool {
	return n == zone || strings.HasSuffix(string(n), "."+string(zone))
}

// markName is where the mark of a shift of this name is. That of a wildcard is not
// below the * itself: such a name would be one more that the wildcard does not answer.
func (n fqdn) markName() (fqdn, error) {
	if rest, ok := strings.CutPrefix(string(n), wildcard+"."); ok {
		return parseName("_norikae._wildcard." + rest)
	}
	return parseName("_norikae." + string(n))
}

// before tells whether a listing has a before b for certain: names are listed by their
// labels from the right, as text or label by label, which differ where one label is the
// beginning of another.
func before(a, b fqdn) bool {
	x, y := a.labels(), b.labels()
	slices.Reverse(x)
	slices.Reverse(y)
	return slices.Compare(x, y) < 0 && strings.Join(x, ".")+"." < strings.Join(y, ".")+"."
}
