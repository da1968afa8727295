package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxMessage bounds messages, in bytes: the status has many.
const maxMessage = 512

// clip a message to maxMessage, at a character's end, without control characters.
func clip(s string) string {
	if s == "" {
		return ""
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) <= maxMessage {
		return s
	}
	const more = "…"
	n := maxMessage - len(more)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + more
}

// is says what was found about a cluster.
func (a *Action) is(s State, reason, format string, args ...any) {
	a.State, a.Reason, a.Message = s, reason, fmt.Sprintf(format, args...)
}

// hold adds a change that is not made. The first reason stands.
func (a *Action) hold(reason, format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	if a.State == Held {
		a.Message += "; " + msg
		return
	}
	a.State, a.Reason, a.Message = Held, reason, msg
}

// moment for a person to read. What is noted on a Secret does not change: it is not written
// like the times in AWS's errors, which the status leaves out.
func moment(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04:05 MST") }

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

// some names a few of many.
func some(names []string) string {
	const few = 3
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// distinct are the names of clusters, sorted; with account and region when some have the
// same name.
func distinct(ids []ID) []string {
	names, places := make([]string, len(ids)), make([]string, len(ids))
	for i, id := range ids {
		names[i], places[i] = id.Name, id.Account+"/"+id.Region+"/"+id.Name
	}
	slices.Sort(names)
	slices.Sort(places)
	if len(slices.Compact(slices.Clone(names))) < len(names) {
		return places
	}
	return names
}

func secrets(entries []*Entry) string {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	return "Secrets " + some(names)
}
