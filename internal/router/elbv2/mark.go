package elbv2

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/norikae/norikae/internal/arn"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// The tags of a mark. A rule has room for 50 tags; these are 6 + the destinations of
// From + the signal. tagOwner is no part of the mark: it stays when the shift is done.
const (
	tagPrefix  = "norikae.dev/"
	tagOwner   = tagPrefix + "owner"   // metadata.name of what created or adopted the rule
	tagShift   = tagPrefix + "shift"   // Mark.ID
	tagPlan    = tagPrefix + "plan"    // Mark.Plan
	tagName    = tagPrefix + "name"    // Mark.Name
	tagStarted = tagPrefix + "started" // RFC 3339
	tagFrom    = tagPrefix + "from"    // how many from-N there are; others are left-overs
	tagFromN   = tagPrefix + "from-"   // from-1 …: "WEIGHT ARN"
	tagLease   = tagPrefix + "lease"   // "OWNER EXPIRES", RFC 3339, and "failed" or "back" after a failure
	tagSignal  = tagPrefix + "signal"  // "KIND [STEP [ID]]"; written by hand, KIND is enough
)

// maxTagValue is the most characters of a tag's value that is written; AWS allows 256.
const maxTagValue = 255

// maxFrom is the most destinations a live split can have.
func maxFrom() int { return Limits().MaxDestinations }

// markKeys are all tags of a mark and its signal.
func markKeys() []string {
	keys := []string{tagShift, tagPlan, tagName, tagStarted, tagLease, tagSignal, tagFrom}
	for i := range maxFrom() {
		keys = append(keys, fromKey(i))
	}
	return keys
}

func fromKey(i int) string { return tagFromN + strconv.Itoa(i+1) }

// encodeMark makes a mark's tags, but for its signal.
func encodeMark(m shift.Mark) (map[string]string, error) {
	tags := map[string]string{
		tagShift:   m.ID,
		tagPlan:    m.Plan,
		tagName:    m.Name,
		tagStarted: encodeTime(m.Started),
		tagFrom:    strconv.Itoa(len(m.From)),
		tagLease:   encodeLease(m.Lease),
	}
	for i, w := range m.From {
		tags[fromKey(i)] = fmt.Sprintf("%d %s", w.Weight, w.ID)
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if why := checkTagValue(tags[key]); why != "" {
			return nil, unwritable(fmt.Errorf("tag %s: %q: %s", key, tags[key], why))
		}
	}
	// What cannot be read again must not be written: From would be lost.
	if _, _, err := decodeMark(tags); err != nil {
		return nil, unwritable(err)
	}
	return tags, nil
}

func unwritable(err error) error {
	return fault.Terminal("UnwritableMark", fmt.Errorf("the shift's mark does not fit into tags: %w", err))
}

func encodeTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func encodeLease(l shift.Lease) string {
	return strings.TrimSpace(l.Owner + " " + encodeTime(l.Expires) + " " + string(l.Course))
}

func encodeSignal(s shift.Signal, id string) string {
	return fmt.Sprintf("%s %d %s", s.Kind, s.Step, id)
}

// checkTagValue says why AWS would refuse a value, "" when it would not.
func checkTagValue(s string) string {
	switch {
	case !utf8.ValidString(s) || !regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`).MatchString(s):
		return "only letters, digits, spaces and _ . : / = + - @ are allowed in a tag"
	case utf8.RuneCountInString(s) > maxTagValue:
		return fmt.Sprintf("%d characters, want at most %d", utf8.RuneCountInString(s), maxTagValue)
	}
	return ""
}

// decodeMark reads a mark. ok is false when no tag of one is there (a signal alone, or
// an ownership tag, is none).
func decodeMark(tags map[string]string) (m shift.Mark, ok bool, err error) {
	if !slices.ContainsFunc(markKeys(), func(k string) bool { _, has := tags[k]; return has && k != tagSignal }) {
		return shift.Mark{}, false, nil
	}
	d := decoder{tags: tags}
	m = shift.Mark{
		ID:      d.word(tagShift),
		Plan:    d.word(tagPlan),
		Name:    d.text(tagName),
		From:    d.split(),
		Started: d.time(tagStarted, d.word(tagStarted)),
		Lease:   d.lease(),
	}
	if d.err != nil {
		return shift.Mark{}, false, d.err
	}
	// A slip of the pen is no word, and no reason to lose From over.
	word := decoder{tags: tags}
	if s := word.signal(m.ID); word.err == nil {
		m.Signal = s
	}
	return m, true, nil
}

// decoder keeps the first error.
type decoder struct {
	tags map[string]string
	err  error
}

func (d *decoder) fail(key, value, why string) {
	if d.err == nil {
		d.err = fmt.Errorf("tag %s: %q: %s", key, value, why)
	}
}

// text of a tag that must be there.
func (d *decoder) text(key string) string {
	v, ok := d.tags[key]
	if !ok {
		d.fail(key, "", "the tag is missing")
	}
	return v
}

// word is a text without spaces, and not empty.
func (d *decoder) word(key string) string {
	v := d.text(key)
	if !isWord(v) {
		d.fail(key, v, "want a word")
	}
	return v
}

func isWord(s string) bool { return len(strings.Fields(s)) == 1 && strings.TrimSpace(s) == s }

// number in its only spelling.
func (d *decoder) number(key, s string, low, high int) int {
	n, err := strconv.Atoi(s)
	if err != nil || strconv.Itoa(n) != s || n < low || n > high {
		d.fail(key, s, fmt.Sprintf("want a number in %d–%d", low, high))
	}
	return n
}

// time that is the last word of a tag's value.
func (d *decoder) time(key, value string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, value[strings.LastIndex(value, " ")+1:])
	if err != nil {
		d.fail(key, value, "want a time such as 2026-01-02T15:04:05Z at its end")
	}
	return t.UTC()
}

func (d *decoder) split() traffic.Split {
	n := d.number(tagFrom, d.text(tagFrom), 0, maxFrom())
	if d.err != nil {
		return nil
	}
	var split traffic.Split
	for i := range n {
		key := fromKey(i)
		v := d.text(key)
		weight, id, _ := strings.Cut(v, " ")
		if _, err := arn.ParseTargetGroup(id); err != nil {
			d.fail(key, v, "want WEIGHT ARN of a target group")
		}
		if split.Has(id) {
			d.fail(key, v, "the target group is named twice")
		}
		split = append(split, traffic.Weighted{ID: id, Weight: d.number(key, weight, 0, Limits().MaxWeight)})
	}
	return split
}

func (d *decoder) lease() shift.Lease {
	v := d.text(tagLease)
	owner, rest, _ := strings.Cut(v, " ")
	expires, word, _ := strings.Cut(rest, " ")
	course := shift.Course(word)
	known := course == shift.CourseForward || course == shift.CourseFailed || course == shift.CourseBack
	if !isWord(owner) || !isWord(expires) || !known {
		d.fail(tagLease, v, "want OWNER EXPIRES, and then nothing, failed or back")
	}
	return shift.Lease{Owner: owner, Expires: d.time(tagLease, expires), Course: course}
}

// signal for the shift with an ID. One that was meant for another shift is none.
func (d *decoder) signal(id string) shift.Signal {
	v, ok := d.tags[tagSignal]
	if !ok {
		return shift.Signal{}
	}
	parts := strings.Fields(v)
	if len(parts) == 0 || len(parts) > 3 {
		d.fail(tagSignal, v, "want KIND, KIND STEP or KIND STEP SHIFT-ID")
		return shift.Signal{}
	}
	s := shift.Signal{Kind: shift.SignalKind(strings.ToLower(parts[0])), Step: -1}
	if !slices.Contains([]shift.SignalKind{shift.SignalApprove, shift.SignalPromote, shift.SignalAbort}, s.Kind) {
		d.fail(tagSignal, v, fmt.Sprintf("want %s, %s or %s", shift.SignalApprove, shift.SignalPromote, shift.SignalAbort))
	}
	if len(parts) > 1 {
		s.Step = d.number(tagSignal, parts[1], -1, 1_000_000)
	}
	if len(parts) == 3 && parts[2] != id {
		return shift.Signal{}
	}
	return s
}
