package route53

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

const owner = "laptop/42/r4nd"

// markOf a shift by this machine.
func markOf() shift.Mark {
	return shift.Mark{
		ID: "s1", Name: "web", Plan: "abc", From: split("blue", 100, "green", 0), Started: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		Lease: shift.Lease{Owner: owner, Expires: time.Date(2126, 1, 2, 3, 4, 5, 0, time.UTC)},
	}
}

// marked is the mark as a fresh process reads it; nil: there is none.
func (w *world) marked() *shift.Mark {
	w.t.Helper()
	m, ok, err := w.open().Mark(w.t.Context())
	w.ok(err)
	if !ok {
		return nil
	}
	return &m
}

// txt are the values of the TXT record beside the name, nil: there is none.
func (w *world) txt() []string {
	w.t.Helper()
	for _, s := range w.records() {
		if *s.Name == "_norikae."+name+"." && s.Type == types.RRTypeTxt {
			return valuesOf(s)
		}
	}
	return nil
}

func TestTheMarkIsATextThatPeopleCanRead(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	n := w.open()
	m := markOf()
	m.From = split("blue", 90, "ü \"quoted\"", 10)
	m.Lease.Course = shift.CourseBack
	w.ok(n.SetMark(t.Context(), m))
	want := []string{`"norikae=1" "record=api.example.com." "owner=web" "shift=s1" "plan=abc" "name=web" "started=2026-01-02T03:04:05.000000006Z"` +
		` "lease=laptop/42/r4nd 2126-01-02T03:04:05Z back" "from=2" "from-1=90 blue" "from-2=10 %C3%BC %22quoted%22"`}
	if d := cmp.Diff(want, w.txt()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(&m, w.marked()); d != "" {
		t.Error(d)
	}
}

func TestTheLifeOfAMark(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	one, two := w.open(), w.open() // two machines
	ctx := t.Context()
	wants := func(want *shift.Mark) {
		t.Helper()
		for _, n := range []*Name{one, two} {
			m, ok, err := n.Mark(ctx)
			if err != nil || ok != (want != nil) {
				t.Fatalf("mark %v, %v", ok, err)
			}
			if want != nil && !cmp.Equal(m, *want) {
				t.Fatal(cmp.Diff(*want, m))
			}
		}
	}
	wants(nil)
	if err := two.SetSignal(ctx, shift.Signal{Kind: shift.SignalAbort}); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a signal to no shift: %v", err)
	}
	w.ok(two.SetSignal(ctx, shift.Signal{}))
	w.ok(two.ClearMark(ctx))
	if err := one.Renew(ctx, shift.Lease{Owner: owner}); !errors.Is(err, fault.ErrNotFound) || fault.IsTerminal(err) {
		t.Errorf("renewing no lease: %v", err)
	}
	m := markOf()
	w.forget()
	w.ok(one.SetMark(ctx, m))
	if w.made() != "Change" {
		t.Errorf("a mark after a look took %s", w.made())
	}
	wants(&m)
	m.Signal = shift.Signal{Kind: shift.SignalApprove, Step: 2}
	w.ok(two.SetSignal(ctx, m.Signal))
	wants(&m)

	w.forget()
	m.Lease.Expires = m.Lease.Expires.Add(time.Minute)
	w.ok(one.Renew(ctx, m.Lease))
	if w.made() != "Change" {
		t.Errorf("a renewal after a look took %s", w.made())
	}
	wants(&m)

	m.From, m.Plan = split("red", 1), "def"
	w.ok(one.SetMark(ctx, m)) // the signal stays
	wants(&m)

	other := m
	other.ID, other.Signal = "s2", shift.Signal{}
	w.ok(two.SetMark(ctx, other)) // the signal was for s1
	wants(&other)

	if err := two.SetSignal(ctx, shift.Signal{Kind: "stop"}); !isTerminal(err, "InvalidSignal") {
		t.Errorf("an unknown signal: %v", err)
	}
	w.ok(two.SetSignal(ctx, shift.Signal{}))
	if txt := fmt.Sprint(w.txt()); strings.Contains(txt, "signal") {
		t.Errorf("the signal was not taken back: %s", txt)
	}
	w.forget()
	w.ok(two.ClearMark(ctx))
	if w.made() != "Change" {
		t.Errorf("clearing made %s", w.made())
	}
	w.ok(two.ClearMark(ctx))
	wants(nil)
	if w.weights() != "A blue=100 A green=0 AAAA blue=100 AAAA green=0" || w.txt() != nil {
		t.Errorf("left: %s, %v", w.weights(), w.txt())
	}
}

func TestAForeignTextAtTheMarksNameIsNeverTouched(t *testing.T) {
	for name, tc := range map[string]struct {
		set    types.ResourceRecordSet
		reason string
		parts  []string
	}{
		"another's TXT":      {record("TXT", "", 0, plain, value(`"hello"`, `"world"`)), "ForeignRecord", []string{`"hello", "world"`, "left alone", "rename or remove"}},
		"a weighted TXT":     {record("TXT", "x", 1, value(`"norikae=1"`)), "ForeignRecord", []string{`norikae=1`}},
		"a CNAME":            {record("CNAME", "", 0, plain), "ForeignRecord", []string{"CNAME record of somebody else", "lb.example.net"}},
		"a later version's":  {record("TXT", "", 0, plain, value(`"norikae=2" "x=y"`)), "UnreadableMark", []string{`version "2"`, "knows 1"}},
		"half a mark":        {record("TXT", "", 0, plain, value(`"norikae=1" "record=api.example.com."`)), "UnreadableMark", []string{"owner", "missing", "restore it", "set them right"}},
		"another name's":     {record("TXT", "", 0, plain, value(`"norikae=1" "record=b.example.com."`)), "ForeignMark", []string{`"b.example.com."`, "one after the other"}},
		"a value more":       {record("TXT", "", 0, plain, value(`"norikae=1" "record=api.example.com."`, `"hello"`)), "UnreadableMark", []string{`"hello"`, "KEY=VALUE"}},
		"a mark and an item": {record("TXT", "", 0, plain, value(`"norikae=1" "record=api.example.com."`, `"a=b"`)), "UnreadableMark", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.twins("blue", 100, "green", 0)
			at("_norikae.api.example.com")(&tc.set)
			w.put(tc.set)
			before := w.records()
			n := w.open()
			w.forget()
			_, _, err := n.Mark(t.Context())
			if !isTerminal(err, tc.reason) {
				t.Errorf("class of %v", err)
			}
			mentions(t, err, append(tc.parts, "_norikae.api.example.com")...)
			for what, f := range map[string]func() error{
				"SetMark":   func() error { return n.SetMark(t.Context(), markOf()) },
				"Renew":     func() error { return n.Renew(t.Context(), markOf().Lease) },
				"SetSignal": func() error { return n.SetSignal(t.Context(), shift.Signal{Kind: shift.SignalAbort}) },
				"no signal": func() error { return n.SetSignal(t.Context(), shift.Signal{}) },
				"ClearMark": func() error { return n.ClearMark(t.Context()) },
				"Preflight": func() error { _, err := n.Preflight(t.Context()); return err },
			} {
				if err := f(); !isTerminal(err, tc.reason) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if d := cmp.Diff(before, w.records(), bySDK); d != "" || w.changed() {
				t.Errorf("made %s: %s", w.made(), d)
			}
		})
	}
}

func TestOtherTypesBesideTheMarkDoNotMatter(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	for _, typ := range []types.RRType{types.RRTypeA, types.RRTypeAaaa} {
		w.put(record(typ, "", 0, plain, at("_norikae.api.example.com")), record(typ, "", 0, plain, at("x._norikae.api.example.com")))
	}
	if w.marked() != nil {
		t.Error("a mark where none is")
	}
	w.ok(w.open().SetMark(t.Context(), markOf()))
	want := markOf()
	if d := cmp.Diff(&want, w.marked()); d != "" {
		t.Error(d)
	}
}

func TestOfTwoRunsThatSawNoMarkOneGetsIt(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	one, two := w.open(), w.open()
	for _, n := range []*Name{one, two} {
		_, _, err := n.Mark(t.Context())
		w.ok(err)
	}
	theirs := markOf()
	theirs.ID, theirs.Lease.Owner = "s2", "ci/7/other"
	w.ok(two.SetMark(t.Context(), theirs))
	err := one.SetMark(t.Context(), markOf())
	if !errors.Is(err, fault.ErrConflict) || fault.IsTerminal(err) {
		t.Errorf("class of %v", err)
	}
	mentions(t, err, "ci/7/other", "2126-01-02")
	for what, err := range map[string]error{
		"renewing": one.Renew(t.Context(), markOf().Lease), "clearing": one.ClearMark(t.Context()),
		"a process without a look": w.open().SetMark(t.Context(), markOf()),
	} {
		if !errors.Is(err, fault.ErrConflict) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if d := cmp.Diff(&theirs, w.marked()); d != "" {
		t.Error(d)
	}
}

func TestOfTwoRunsThatTakeOverADeadLeaseOneGetsIt(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	dead := markOf()
	dead.Lease = shift.Lease{Owner: "gone/1/x", Expires: time.Now().Add(-time.Hour)}
	w.ok(w.open().SetMark(t.Context(), dead))
	runs := []*Name{w.open(), w.open(), w.open()}
	for _, n := range runs {
		_, _, err := n.Mark(t.Context())
		w.ok(err)
	}
	won := 0
	for i, n := range runs {
		m := markOf()
		m.Lease.Owner = fmt.Sprintf("run/%d/x", i)
		switch err := n.SetMark(t.Context(), m); {
		case err == nil:
			won++
		case !errors.Is(err, fault.ErrConflict):
			t.Error(err)
		}
	}
	if m := w.marked(); won != 1 || m.Lease.Owner != "run/0/x" {
		t.Errorf("%d won, %+v", won, m)
	}
	if err := runs[1].ClearMark(t.Context()); !errors.Is(err, fault.ErrConflict) {
		t.Errorf("one that lost clears the mark: %v", err)
	}
}

func TestADeadMarkThatIsGoneIsNotTakenOver(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	dead := markOf()
	dead.Lease = shift.Lease{Owner: "gone/1/x"}
	old := w.open()
	w.ok(old.SetMark(t.Context(), dead))
	n := w.open()
	_, _, err := n.Mark(t.Context())
	w.ok(err)
	w.ok(old.ClearMark(t.Context())) // it was alive after all, and has ended its shift
	if err := n.SetMark(t.Context(), markOf()); !errors.Is(err, fault.ErrConflict) {
		t.Errorf("a mark of a shift that has ended came back: %v", err)
	}
	if err := n.ClearMark(t.Context()); err != nil {
		t.Errorf("removing what is gone: %v", err)
	}
	if w.txt() != nil {
		t.Errorf("left: %v", w.txt())
	}
}

func TestAMarkThatSomebodyRemovedIsWrittenAgain(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	n := w.open()
	w.ok(n.SetMark(t.Context(), markOf()))
	var set types.ResourceRecordSet
	for _, s := range w.records() {
		if s.Type == types.RRTypeTxt {
			set = s
		}
	}
	w.remove(set)
	if err := n.Renew(t.Context(), markOf().Lease); err != nil && !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("renewing: %v", err)
	}
	m := markOf()
	m.Lease.Expires = m.Lease.Expires.Add(time.Minute)
	if err := n.Renew(t.Context(), m.Lease); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("renewing: %v", err)
	}
	w.ok(n.SetMark(t.Context(), m))
	if d := cmp.Diff(&m, w.marked()); d != "" {
		t.Error(d)
	}
}

func TestARenewalKeepsASignalThatCameBetween(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	n := w.open()
	want := markOf()
	w.ok(n.SetMark(t.Context(), want))
	want.Signal = shift.Signal{Kind: shift.SignalAbort, Step: -1}
	w.between = func() { w.ok(w.open().SetSignal(t.Context(), want.Signal)) }
	want.Lease.Expires = want.Lease.Expires.Add(time.Minute)
	w.ok(n.Renew(t.Context(), want.Lease))
	if d := cmp.Diff(&want, w.marked()); d != "" {
		t.Error(d)
	}
	want.Signal = shift.Signal{Kind: shift.SignalPromote, Step: 1}
	w.between = func() { w.ok(w.open().SetSignal(t.Context(), want.Signal)) }
	want.From = split("red", 3)
	w.ok(n.SetMark(t.Context(), want))
	if d := cmp.Diff(&want, w.marked()); d != "" {
		t.Error(d)
	}
}

func TestASignalIsLeftAlthoughARenewalCameBetween(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	run, person := w.open(), w.open()
	want := markOf()
	w.ok(run.SetMark(t.Context(), want))
	want.Lease.Expires = want.Lease.Expires.Add(time.Minute)
	w.between = func() { w.ok(run.Renew(t.Context(), want.Lease)) }
	want.Signal = shift.Signal{Kind: shift.SignalApprove, Step: 4}
	w.ok(person.SetSignal(t.Context(), want.Signal))
	if d := cmp.Diff(&want, w.marked()); d != "" {
		t.Error(d)
	}

	other := want
	other.ID = "s2"
	w.between = func() {
		w.ok(run.ClearMark(t.Context()))
		w.ok(run.SetMark(t.Context(), other))
	}
	if err := person.SetSignal(t.Context(), shift.Signal{Kind: shift.SignalAbort}); !errors.Is(err, fault.ErrConflict) {
		t.Errorf("an abort of one shift reached the next: %v", err)
	}
	if w.marked().Signal != (shift.Signal{}) {
		t.Errorf("mark %+v", w.marked())
	}
}

func TestTakingBackAnAnsweredSignalLeavesANewOne(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	run, person := w.open(), w.open()
	w.ok(run.SetMark(t.Context(), markOf()))
	w.ok(person.SetSignal(t.Context(), shift.Signal{Kind: shift.SignalApprove, Step: 4}))
	_, _, err := run.Mark(t.Context())
	w.ok(err)
	abort := shift.Signal{Kind: shift.SignalAbort, Step: -1}
	w.between = func() { w.ok(person.SetSignal(t.Context(), abort)) }
	w.ok(run.SetSignal(t.Context(), shift.Signal{}))
	if got := w.marked().Signal; got != abort {
		t.Errorf("the signal is %+v: a person's abort was lost", got)
	}
}

func TestALeaseThatAnotherRunTookIsNotRenewed(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	slow, other := w.open(), w.open()
	mine := markOf()
	w.ok(slow.SetMark(t.Context(), mine))
	theirs := mine
	theirs.Lease.Owner = "ci/7/other"
	w.between = func() {
		_, _, err := other.Mark(t.Context())
		w.ok(err)
		w.ok(other.SetMark(t.Context(), theirs))
	}
	mine.Lease.Expires = mine.Lease.Expires.Add(time.Minute)
	if err := slow.Renew(t.Context(), mine.Lease); !errors.Is(err, fault.ErrConflict) {
		t.Errorf("renewed over another's: %v", err)
	}
	if d := cmp.Diff(&theirs, w.marked()); d != "" {
		t.Error(d)
	}
}

func TestAMarkThatDoesNotFitIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	n := w.open()
	_, _, err := n.Mark(t.Context())
	w.ok(err)
	w.forget()
	for name, change := range map[string]func(*shift.Mark){
		"an ID with spaces":     func(m *shift.Mark) { m.ID = "a b" },
		"no plan":               func(m *shift.Mark) { m.Plan = "" },
		"an owner with a space": func(m *shift.Mark) { m.Lease.Owner = "my laptop" },
		"an unknown course":     func(m *shift.Mark) { m.Lease.Course = "sideways" },
		"101 destinations": func(m *shift.Mark) {
			m.From = nil
			for i := range 101 {
				m.From = append(m.From, split(fmt.Sprint(i), 1)...)
			}
		},
		"a weight of 256":     func(m *shift.Mark) { m.From[0].Weight = 256 },
		"identifiers too big": func(m *shift.Mark) { m.From = long(100, "ü") },
	} {
		m := markOf()
		change(&m)
		if err := n.SetMark(t.Context(), m); !isTerminal(err, "UnwritableMark") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w.made() != "" {
		t.Errorf("calls were made: %s", w.made())
	}
}

// long is a split of identifiers of 128 characters.
func long(n int, of string) (s traffic.Split) {
	for i := range n {
		id := fmt.Sprintf("%03d", i)
		s = append(s, split(id+strings.Repeat(of, 125), 255)...)
	}
	return s
}

func TestAHundredLongIdentifiersFit(t *testing.T) {
	w := newWorld(t)
	m := markOf()
	m.From = long(100, "x")
	n := w.open()
	w.ok(n.SetMark(t.Context(), m))
	m.Lease.Expires = m.Lease.Expires.Add(time.Second)
	w.ok(n.Renew(t.Context(), m.Lease))
	if d := cmp.Diff(&m, w.marked()); d != "" {
		t.Error(d)
	}
	if len(w.txt()) < 2 {
		t.Errorf("%d values", len(w.txt()))
	}
}
