package controller

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMessage bounds a message in the status, in bytes; the API allows 512 characters.
const maxMessage = 512

// changing is what differs between two errors of one cause: AWS's request IDs, times of
// signatures, ports that the kernel chose.
var changing = regexp.MustCompile(`(?i),? ?\brequest ?id:? ?[0-9a-z-]*` +
	`|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b` +
	`|\b\d{8}T\d{6}Z\b` +
	`|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|UTC|[+-]\d\d:?\d\d))?` +
	`|:\d+->`)

// message makes text fit for the status: one line, bounded, and the same when the cause is
// the same.
func message(text string) string { return fit(changing.ReplaceAllString(text, ""), maxMessage) }

// fit makes text one line of printable characters, of at most n bytes.
func fit(text string, n int) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if len(text) <= n {
		return text
	}
	const more = "…"
	text = text[:n-len(more)]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text + more
}
