package route53

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// The items of a mark, each a quoted string of the TXT record set beside the name.
const (
	keyVersion = "norikae" // what makes the record set ours; its value is markVersion
	keyRecord  = "record"  // the name that is shifted
	keyOwner   = "owner"   // metadata.name of the manifest
	keyShift   = "shift"   // Mark.ID
	keyPlan    = "plan"    // Mark.Plan
	keyName    = "name"    // Mark.Name
	keyStarted = "started" // RFC 3339
	keyLease   = "lease"   // "OWNER EXPIRES", RFC 3339, and "failed" or "back" after a failure
	keyFrom    = "from"    // how many from-N there are
	keyFromN   = "from-"   // from-1 …: "WEIGHT SET-IDENTIFIER"
	keySignal  = "signal"  // "KIND [STEP [ID]]"; written by hand, KIND is enough
)

const (
	markVersion = "1"
	// markTTL in seconds: people look at the mark with dig; norikae reads it by the API.
	markTTL = 10
)

// mark is a mark as it stands in the zone.
type mark struct {
	shift.Mark
	owner  string // metadata.name of the manifest that it was written for
	signal string // the item's text, a slip of the pen included; "": none
	// set is the record set as read or written: what a change of it has to name.
	set types.ResourceRecordSet
}

// sameButSignal tells whether both are one mark; that a person's word came or went between them
// does not matter.
func (m *mark) sameButSignal(o *mark) bool {
	a, b := *m, *o
	a.signal, b.signal = "", ""
	return slices.Equal(valuesOf(a.encode("")), valuesOf(b.encode("")))
}

// encode makes the record set of a mark at a name.
func (m *mark) encode(record fqdn) types.ResourceRecordSet {
	items := []item{
		{keyVersion, markVersion},
		{keyRecord, string(record)},
		{keyOwner, m.owner},
		{keyShift, m.ID},
		{keyPlan, m.Plan},
		{keyName, m.Name},
		{keyStarted, encodeTime(m.Started)},
		{keyLease, strings.TrimSpace(m.Lease.Owner + " " + encodeTime(m.Lease.Expires) + " " + string(m.Lease.Course))},
		{keyFrom, strconv.Itoa(len(m.From))},
	}
	for i, w := range m.From {
		items = append(items, item{fromKey(i), fmt.Sprintf("%d %s", w.Weight, w.ID)})
	}
	if m.signal != "" {
		items = append(items, item{keySignal, m.signal})
	}
	set := types.ResourceRecordSet{Type: types.RRTypeTxt, TTL: aws.Int64(markTTL)}
	for _, v := range encodeItems(items) {
		set.ResourceRecords = append(set.ResourceRecords, types.ResourceRecord{Value: aws.String(v)})
	}
	return set
}

// compose makes the record set at the mark's name, and checks that it can be read again:
// if it could not, From would be lost.
func (n *Name) compose(m *mark) error {
	m.set = m.encode(n.name)
	m.set.Name = aws.String(string(n.markAt))
	back, err := n.decode(m.set)
	if err == nil && !back.sameButSignal(m) {
		err = fmt.Errorf("it would not be read as it is written")
	}
	if err == nil {
		err = checkBatch([]types.Change{{Action: types.ChangeActionDelete, ResourceRecordSet: &m.set}, {Action: types.ChangeActionCreate, ResourceRecordSet: &m.set}})
	}
	if err != nil {
		return fault.Terminal("UnwritableMark", fmt.Errorf("the shift's mark does not fit into the TXT record %s: %w", n.markAt, err))
	}
	return nil
}

func fromKey(i int) string { return keyFromN + strconv.Itoa(i+1) }

func encodeTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func encodeSignal(s shift.Signal, id string) string {
	return fmt.Sprintf("%s %d %s", s.Kind, s.Step, id)
}

func valuesOf(set types.ResourceRecordSet) []string {
	out := make([]string, len(set.ResourceRecords))
	for i, r := range set.ResourceRecords {
		out[i] = aws.ToString(r.Value)
	}
	return out
}

// decode reads the mark of a record set at the mark's name.
func (n *Name) decode(set types.ResourceRecordSet) (*mark, error) {
	if set.Type != types.RRTypeTxt || !claimsMark(valuesOf(set)) || policyOf(set) != simple {
		return nil, fault.Terminal("ForeignRecord", fmt.Errorf(
			"at %s, where norikae leaves the mark of a shift of %s, there is a %s record of somebody else (%s): it is left alone; rename or remove it, then run this again",
			n.markAt, n.name, set.Type, strings.Join(valuesOf(set), ", ")))
	}
	items, err := decodeItems(valuesOf(set))
	if err != nil {
		return nil, n.unreadable(err)
	}
	if v := items[keyVersion]; v != markVersion {
		return nil, fault.Terminal("UnreadableMark", fmt.Errorf(
			"the mark in the TXT record %s has version %q, this norikae knows %s: another version of norikae shifts this name; use that one", n.markAt, v, markVersion))
	}
	if r := items[keyRecord]; r != string(n.name) {
		return nil, fault.Terminal("ForeignMark", fmt.Errorf("the mark in the TXT record %s is that of a shift of %q, not of %s: two names share it; shift them one after the other", n.markAt, r, n.name))
	}
	d := decoder{items: items}
	m := d.mark()
	m.set = set
	if d.err != nil {
		return nil, n.unreadable(d.err)
	}
	return m, nil
}

func (n *Name) unreadable(err error) error {
	return fault.Terminal("UnreadableMark", fmt.Errorf(
		"the mark of an unfinished shift in the TXT record %s cannot be read: %w; something has changed it: restore it, or look at the weights of %s, set them right, and remove that TXT record", n.markAt, err, n.name))
}

// decoder keeps the first error.
type decoder struct {
	items map[string]string
	err   error
}

func (d *decoder) fail(key, value, why string) {
	if d.err == nil {
		d.err = fmt.Errorf("%s=%q: %s", key, value, why)
	}
}

func (d *decoder) mark() *mark {
	m := &mark{owner: d.text(keyOwner), signal: d.items[keySignal]}
	m.ID, m.Plan, m.Name = d.word(keyShift), d.word(keyPlan), d.text(keyName)
	m.Started, m.Lease, m.From = d.time(keyStarted, d.text(keyStarted)), d.lease(), d.split()
	d.text(keyVersion)
	d.text(keyRecord)
	known := regexp.MustCompile(`^(norikae|record|owner|shift|plan|name|started|lease|from|signal|from-\d+)$`)
	for key, value := range d.items {
		if !known.MatchString(key) {
			d.fail(key, value, "no item of a mark")
		}
	}
	// A slip of the pen is no word, and no reason to lose From over.
	word := decoder{items: d.items}
	if s := word.signal(m.ID); word.err == nil {
		m.Signal = s
	}
	return m
}

// text of an item that must be there.
func (d *decoder) text(key string) string {
	v, ok := d.items[key]
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

func (d *decoder) split() traffic.Split {
	n := d.number(keyFrom, d.text(keyFrom), 0, Limits().MaxDestinations)
	if d.err != nil {
		return nil
	}
	var split traffic.Split
	for i := range n {
		key := fromKey(i)
		v := d.text(key)
		weight, id, _ := strings.Cut(v, " ")
		if id == "" {
			d.fail(key, v, "want WEIGHT SET-IDENTIFIER")
		}
		if split.Has(id) {
			d.fail(key, v, "the set identifier is named twice")
		}
		split = append(split, traffic.Weighted{ID: id, Weight: d.number(key, weight, 0, Limits().MaxWeight)})
	}
	for key, value := range d.items {
		if strings.HasPrefix(key, keyFromN) && d.number(key, strings.TrimPrefix(key, keyFromN), 1, n) > n {
			d.fail(key, value, fmt.Sprintf("there are only %d", n))
		}
	}
	return split
}

func (d *decoder) lease() shift.Lease {
	v := d.text(keyLease)
	owner, rest, _ := strings.Cut(v, " ")
	expires, word, _ := strings.Cut(rest, " ")
	course := shift.Course(word)
	known := course == shift.CourseForward || course == shift.CourseFailed || course == shift.CourseBack
	if !isWord(owner) || !isWord(expires) || !known {
		d.fail(keyLease, v, "want OWNER EXPIRES, and then nothing, failed or back")
	}
	return shift.Lease{Owner: owner, Expires: d.time(keyLease, expires), Course: course}
}

// signal for the shift with an ID. One that was meant for another shift is none.
func (d *decoder) signal(id string) shift.Signal {
	v, ok := d.items[keySignal]
	if !ok {
		return shift.Signal{}
	}
	parts := strings.Fields(v)
	if len(parts) == 0 || len(parts) > 3 {
		d.fail(keySignal, v, "want KIND, KIND STEP or KIND STEP SHIFT-ID")
		return shift.Signal{}
	}
	s := shift.Signal{Kind: shift.SignalKind(strings.ToLower(parts[0])), Step: -1}
	if !slices.Contains([]shift.SignalKind{shift.SignalApprove, shift.SignalPromote, shift.SignalAbort}, s.Kind) {
		d.fail(keySignal, v, fmt.Sprintf("want %s, %s or %s", shift.SignalApprove, shift.SignalPromote, shift.SignalAbort))
	}
	if len(parts) > 1 {
		s.Step = d.number(keySignal, parts[1], -1, 1_000_000)
	}
	if len(parts) == 3 && parts[2] != id {
		return shift.Signal{}
	}
	return s
}
