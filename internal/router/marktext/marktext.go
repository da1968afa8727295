// Package marktext writes a shift's mark as text, for routes that have room for little
// else: as items, each a key with a short value, such as the tags of a rule or the strings
// of a TXT record. People read them, and may leave a signal by hand.
package marktext

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// The keys of a mark's items, behind Format.Prefix.
const (
	KeyShift   = "shift"   // Mark.ID
	KeyPlan    = "plan"    // Mark.Plan
	KeyName    = "name"    // Mark.Name
	KeyStarted = "started" // RFC 3339
	KeyLease   = "lease"   // "OWNER EXPIRES", RFC 3339, and "failed" or "back" after a failure
	KeyFrom    = "from"    // how many from-N there are; others are left-overs
	KeySignal  = "signal"  // "KIND [STEP [ID]]"; written by hand, KIND is enough
)

// maxStep is the highest step that a signal can name.
const maxStep = 1_000_000

// Item is a key with its value.
type Item struct{ Key, Value string }

// Format is how one kind of route has its marks.
type Format struct {
	Prefix string         // of every key
	Limits traffic.Limits // of From
	// Destination is what one is, and DestinationID what stands for it in an item, for
	// people: "target group", "ARN of a target group". IsID tells whether a text is one.
	Destination, DestinationID string
	IsID                       func(string) bool
	// Shown is how an error shows an item: a format of the key and the value.
	Shown string
}

// FromKey is the key of From's i-th destination, from 0: its value is "WEIGHT ID".
func (f Format) FromKey(i int) string { return f.Prefix + KeyFrom + "-" + strconv.Itoa(i+1) }

// Keys of a mark with n destinations in From, and of its signal.
func (f Format) Keys(n int) []string {
	keys := []string{f.Prefix + KeyFrom}
	for _, key := range []string{KeyShift, KeyPlan, KeyName, KeyStarted, KeyLease, KeySignal} {
		keys = append(keys, f.Prefix+key)
	}
	for i := range n {
		keys = append(keys, f.FromKey(i))
	}
	return keys
}

// Encode makes the items of a mark, but for its signal. Whether they can be read again is
// for Decode to say.
func (f Format) Encode(m shift.Mark) []Item {
	items := []Item{
		{f.Prefix + KeyShift, m.ID},
		{f.Prefix + KeyPlan, m.Plan},
		{f.Prefix + KeyName, m.Name},
		{f.Prefix + KeyStarted, encodeTime(m.Started)},
		{f.Prefix + KeyLease, encodeLease(m.Lease)},
		{f.Prefix + KeyFrom, strconv.Itoa(len(m.From))},
	}
	for i, w := range m.From {
		items = append(items, Item{f.FromKey(i), fmt.Sprintf("%d %s", w.Weight, w.ID)})
	}
	return items
}

// EncodeLease makes the value of a lease.
func (f Format) EncodeLease(l shift.Lease) (string, error) {
	value := encodeLease(l)
	d := decoder{Format: f, items: map[string]string{f.Prefix + KeyLease: value}}
	d.lease()
	return value, d.err
}

// EncodeSignal makes the value of a signal for the shift with an ID.
func (f Format) EncodeSignal(s shift.Signal, id string) (string, error) {
	value := fmt.Sprintf("%s %d %s", s.Kind, s.Step, id)
	_, err := f.decodeSignal(value, id)
	return value, err
}

func encodeTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func encodeLease(l shift.Lease) string {
	return strings.TrimSuffix(l.Owner+" "+encodeTime(l.Expires)+" "+string(l.Course), " ")
}

// Decode reads a mark and the signal for it. Items with other keys mean nothing.
func (f Format) Decode(items map[string]string) (shift.Mark, error) {
	d := decoder{Format: f, items: items}
	m := shift.Mark{
		ID: d.word(KeyShift), Plan: d.word(KeyPlan), Name: d.text(KeyName),
		Started: d.time(KeyStarted, d.text(KeyStarted)), Lease: d.lease(), From: d.split(),
	}
	if d.err != nil {
		return shift.Mark{}, d.err
	}
	if value, ok := items[f.Prefix+KeySignal]; ok {
		// A slip of the pen is no word, and no reason to lose From over.
		if s, err := f.decodeSignal(value, m.ID); err == nil {
			m.Signal = s
		}
	}
	return m, nil
}

// decodeSignal reads the signal for the shift with an ID. One that was meant for another
// shift is none.
func (f Format) decodeSignal(value, id string) (shift.Signal, error) {
	d := decoder{Format: f}
	parts := strings.Fields(value)
	if len(parts) == 0 || len(parts) > 3 {
		d.fail(KeySignal, value, "want KIND, KIND STEP or KIND STEP SHIFT-ID")
		return shift.Signal{}, d.err
	}
	s := shift.Signal{Kind: shift.SignalKind(strings.ToLower(parts[0])), Step: -1}
	if !slices.Contains([]shift.SignalKind{shift.SignalApprove, shift.SignalPromote, shift.SignalAbort}, s.Kind) {
		d.fail(KeySignal, value, fmt.Sprintf("want %s, %s or %s", shift.SignalApprove, shift.SignalPromote, shift.SignalAbort))
	}
	if len(parts) > 1 {
		s.Step = d.number(KeySignal, parts[1], -1, maxStep)
	}
	if len(parts) == 3 && parts[2] != id {
		return shift.Signal{}, d.err
	}
	return s, d.err
}

// decoder keeps the first error. Its keys are those without the prefix.
type decoder struct {
	Format

	items map[string]string
	err   error
}

func (d *decoder) fail(key, value, why string) {
	if d.err == nil {
		d.err = errors.New(fmt.Sprintf(d.Shown, d.Prefix+key, value) + ": " + why)
	}
}

// text of an item that must be there.
func (d *decoder) text(key string) string {
	v, ok := d.items[d.Prefix+key]
	if !ok {
		d.fail(key, "", "it is missing")
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

func (d *decoder) time(key, s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		d.fail(key, s, "want a time such as 2026-01-02T15:04:05Z")
	}
	return t.UTC()
}

func (d *decoder) lease() shift.Lease {
	v := d.text(KeyLease)
	owner, rest, _ := strings.Cut(v, " ")
	expires, word, _ := strings.Cut(rest, " ")
	course := shift.Course(word)
	known := course == shift.CourseForward || course == shift.CourseFailed || course == shift.CourseBack
	if !isWord(owner) || !isWord(expires) || !known {
		d.fail(KeyLease, v, "want OWNER EXPIRES, and then nothing, failed or back")
	}
	return shift.Lease{Owner: owner, Expires: d.time(KeyLease, expires), Course: course}
}

func (d *decoder) split() traffic.Split {
	n := d.number(KeyFrom, d.text(KeyFrom), 0, d.Limits.MaxDestinations)
	if d.err != nil {
		return nil
	}
	var split traffic.Split
	for i := range n {
		key := strings.TrimPrefix(d.FromKey(i), d.Prefix)
		v := d.text(key)
		weight, id, _ := strings.Cut(v, " ")
		if !d.IsID(id) {
			d.fail(key, v, "want WEIGHT "+d.DestinationID)
		}
		if split.Has(id) {
			d.fail(key, v, "the "+d.Destination+" is named twice")
		}
		split = append(split, traffic.Weighted{ID: id, Weight: d.number(key, weight, 0, d.Limits.MaxWeight)})
	}
	return split
}
