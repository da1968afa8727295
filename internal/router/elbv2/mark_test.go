package elbv2

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	simfault "github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/wiretest"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// Keys as they stand on rules of AWS: those of a shift under way have to stay readable.
const (
	tagShift   = "norikae.dev/shift"
	tagPlan    = "norikae.dev/plan"
	tagName    = "norikae.dev/name"
	tagStarted = "norikae.dev/started"
	tagFrom    = "norikae.dev/from"
)

func fromKey(i int) string { return fmt.Sprintf("norikae.dev/from-%d", i+1) }

func groupARN(n int) string {
	return fmt.Sprintf("arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:targetgroup/%s/%016x", strings.Repeat("g", 32), n)
}

// marks that a shift could leave.
func marks() *rapid.Generator[shift.Mark] {
	return rapid.Custom(func(t *rapid.T) shift.Mark {
		word := rapid.StringMatching(`[A-Za-z0-9_.:/=+@-]{1,60}`)
		moment := func(name string) time.Time {
			return time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, name), rapid.Int64Range(0, 999_999_999).Draw(t, name+" ns")).UTC()
		}
		m := shift.Mark{
			ID: word.Draw(t, "id"), Name: rapid.StringMatching(`[a-z0-9.-]{0,253}`).Draw(t, "name"), Plan: word.Draw(t, "plan"),
			Started: moment("started"), Lease: shift.Lease{
				Owner: word.Draw(t, "owner"), Expires: moment("expires"),
				Course: rapid.SampledFrom([]shift.Course{shift.CourseForward, shift.CourseFailed, shift.CourseBack}).Draw(t, "course"),
			},
		}
		for i := range rapid.IntRange(0, 5).Draw(t, "destinations") {
			m.From = append(m.From, traffic.Weighted{ID: groupARN(i), Weight: rapid.IntRange(0, 999).Draw(t, "weight")})
		}
		return m
	})
}

func TestAMarkComesBackAsItWent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := marks().Draw(t, "mark")
		tags, err := encodeMark(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := tags[tagSignal]; ok || len(tags) > 12 {
			t.Fatalf("tags %v", tags)
		}
		for k, v := range tags {
			if len(k) > 128 || checkTagValue(v) != "" {
				t.Fatalf("AWS refuses %s=%q", k, v)
			}
		}
		// Left-overs of a mark with more destinations, and others' tags, mean nothing.
		tags["team"], tags[tagOwner] = "shop", "web"
		for i := len(m.From); i < Limits().MaxDestinations; i++ {
			tags[fromKey(i)] = "7 " + groupARN(90+i)
		}
		if s := rapid.SampledFrom([]shift.SignalKind{"", shift.SignalAbort, shift.SignalApprove, shift.SignalPromote}).Draw(t, "signal"); s != "" {
			m.Signal = shift.Signal{Kind: s, Step: rapid.IntRange(-1, 100).Draw(t, "step")}
			if tags[tagSignal], err = markText().EncodeSignal(m.Signal, m.ID); err != nil {
				t.Fatal(err)
			}
		}
		got, ok, err := decodeMark(tags)
		if err != nil || !ok {
			t.Fatalf("%v, %v", ok, err)
		}
		if d := cmp.Diff(m, got); d != "" {
			t.Fatal(d)
		}
	})
}

func TestMarksThatWereTamperedWithAreNotGuessedAt(t *testing.T) {
	good := func() map[string]string {
		tags, err := encodeMark(shift.Mark{
			ID: "s1", Name: "web", Plan: "abc", From: traffic.Split{{ID: groupARN(1), Weight: 90}, {ID: groupARN(2), Weight: 10}},
			Lease: shift.Lease{Owner: "laptop/42/r4nd"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return tags
	}
	for name, tc := range map[string]struct {
		key, value string // "-" removes the tag
	}{
		"no shift":                  {tagShift, "-"},
		"an empty shift":            {tagShift, ""},
		"no plan":                   {tagPlan, "-"},
		"no name":                   {tagName, "-"},
		"no lease":                  {tagLease, "-"},
		"a lease without a time":    {tagLease, "laptop/42/r4nd"},
		"a lease without an owner":  {tagLease, " 2026-01-02T15:04:05Z"},
		"a lease with two spaces":   {tagLease, "laptop  2026-01-02T15:04:05Z"},
		"a start that is no time":   {tagStarted, "yesterday"},
		"no number of destinations": {tagFrom, "-"},
		"six destinations":          {tagFrom, "6"},
		"three where two are":       {tagFrom, "3"},
		"a number in other dress":   {tagFrom, "+2"},
		"a destination is missing":  {fromKey(0), "-"},
		"a destination twice":       {fromKey(1), "5 " + groupARN(1)},
		"a weight of 1000":          {fromKey(0), "1000 " + groupARN(1)},
		"a negative weight":         {fromKey(0), "-1 " + groupARN(1)},
		"a weight of 007":           {fromKey(0), "007 " + groupARN(1)},
		"no weight":                 {fromKey(0), groupARN(1)},
		"no target group":           {fromKey(0), "5 blue"},
	} {
		t.Run(name, func(t *testing.T) {
			tags := good()
			if tags[tc.key] = tc.value; tc.value == "-" {
				delete(tags, tc.key)
			}
			m, ok, err := decodeMark(tags)
			if err == nil || ok {
				t.Fatalf("read as %+v", m)
			}
			mentions(t, err, "tag "+tc.key)
		})
	}
	for value, want := range map[string]shift.Signal{
		"abort":         {Kind: shift.SignalAbort, Step: -1}, // by hand, in the console
		"approve 3":     {Kind: shift.SignalApprove, Step: 3},
		"promote -1 s1": {Kind: shift.SignalPromote, Step: -1},
		"abort 0 s0":    {}, // for a shift of the past
		"Abort":         {Kind: shift.SignalAbort, Step: -1},
		// Slips, which are no word, and do not make the mark unreadable either.
		"aprove": {}, "abort 1 s1 now": {}, "": {}, "approve -2 s1": {},
	} {
		tags := good()
		tags[tagSignal] = value
		if m, ok, err := decodeMark(tags); err != nil || !ok || m.Signal != want {
			t.Errorf("signal %q read as %+v, %v", value, m.Signal, err)
		}
	}
	for name, tags := range map[string]map[string]string{
		"no tags": {}, "an owner": {tagOwner: "web"}, "a signal": {tagSignal: "abort -1 s0"}, "others": {"team": "shop", "norikae.dev/other": "1"},
	} {
		if _, ok, err := decodeMark(tags); ok || err != nil {
			t.Errorf("%s: %v, %v; want no mark", name, ok, err)
		}
	}
}

func FuzzDecodeMark(f *testing.F) {
	f.Add("s1", "abc", "2", "90 "+groupARN(1), "10 "+groupARN(2), "me 2026-01-02T15:04:05Z", "2026-01-02T15:04:05.5+09:00", "abort 1 s1")
	f.Add("", "", "0", "", "", "", "", "")
	f.Fuzz(func(t *testing.T, id, plan, n, one, two, lease, started, signal string) {
		tags := map[string]string{
			tagShift: id, tagPlan: plan, tagName: "web", tagFrom: n, fromKey(0): one, fromKey(1): two,
			tagLease: lease, tagStarted: started, tagSignal: signal,
		}
		m, ok, err := decodeMark(tags)
		if ok != (err == nil) {
			t.Fatalf("%v, %v", ok, err)
		}
		if err != nil {
			return
		}
		again, err := encodeMark(m)
		if err != nil {
			return // tags that AWS would not hold
		}
		m.Signal = shift.Signal{}
		if back, _, err := decodeMark(again); err != nil || !cmp.Equal(back, m) {
			t.Fatalf("%+v became %+v, %v", m, back, err)
		}
	})
}

func TestAMarkThatDoesNotFitIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	w := newWorld(t)
	w.rule(w.listener, 10, hosts("example.com"), notFound())
	r := w.open()
	w.forget()
	for name, change := range map[string]func(*shift.Mark){
		"an ID with spaces":        func(m *shift.Mark) { m.ID = "a b" },
		"no plan":                  func(m *shift.Mark) { m.Plan = "" },
		"an owner with a bracket":  func(m *shift.Mark) { m.Lease.Owner = "laptop(1)" },
		"an owner with a space":    func(m *shift.Mark) { m.Lease.Owner = "my laptop" },
		"a name that is too long":  func(m *shift.Mark) { m.Name = strings.Repeat("x", 256) },
		"no target group in From":  func(m *shift.Mark) { m.From = traffic.Split{{ID: "blue", Weight: 1}} },
		"six destinations in From": func(m *shift.Mark) { m.From = w.split("a", 1, "b", 1, "c", 1, "d", 1, "e", 1, "f", 1) },
	} {
		m := markOf(w)
		change(&m)
		if err := r.SetMark(t.Context(), m); !isTerminal(err, "UnwritableMark") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.Renew(t.Context(), shift.Lease{Owner: "my laptop"}); !isTerminal(err, "UnwritableMark") {
		t.Errorf("lease of an owner with a space: %v", err)
	}
	if w.made() != "" {
		t.Errorf("calls were made: %s", w.made())
	}
}

func TestTheLifeOfAMark(t *testing.T) {
	w := newWorld(t)
	arn := w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", 100, "b", 0)))
	w.tag(arn, "team", "shop")
	one, two := w.open(), w.open() // two machines
	ctx := t.Context()
	wants := func(want *shift.Mark) {
		t.Helper()
		for _, r := range []*Rule{one, two} {
			m, ok, err := r.Mark(ctx)
			if err != nil || ok != (want != nil) {
				t.Fatalf("mark %v, %v", ok, err)
			}
			if want != nil && !cmp.Equal(m, *want) {
				t.Fatal(cmp.Diff(*want, m))
			}
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	wants(nil)
	if err := two.SetSignal(ctx, shift.Signal{Kind: shift.SignalAbort}); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a signal to no shift: %v", err)
	}
	m := markOf(w)
	do(one.SetMark(ctx, m))
	wants(&m)
	m.Signal = shift.Signal{Kind: shift.SignalApprove, Step: 2}
	do(two.SetSignal(ctx, m.Signal))
	wants(&m)

	w.forget()
	m.Lease.Expires = m.Lease.Expires.Add(time.Minute)
	do(one.Renew(ctx, m.Lease))
	if w.made() != "AddTags" || len(w.last("AddTags").List("Tags")) != 1 {
		t.Errorf("a renewal made %s", w.made())
	}
	wants(&m)

	m.From, m.Plan = w.split("c", 1), "def"
	do(one.SetMark(ctx, m)) // fewer destinations, and the signal stays
	wants(&m)

	other := m
	other.ID, other.Signal = "s2", shift.Signal{}
	do(two.SetMark(ctx, other)) // the signal was for s1
	wants(&other)

	if err := two.SetSignal(ctx, shift.Signal{Kind: "stop"}); !isTerminal(err, "InvalidSignal") {
		t.Errorf("an unknown signal: %v", err)
	}
	do(two.SetSignal(ctx, shift.Signal{}))
	if _, ok := w.tagsOf(arn)[tagSignal]; ok {
		t.Error("the signal was not taken back")
	}
	w.forget()
	do(one.ClearMark(ctx))
	if w.made() != "RemoveTags" {
		t.Errorf("clearing made %s", w.made())
	}
	do(one.ClearMark(ctx))
	wants(nil)
	if tags := w.tagsOf(arn); !maps.Equal(tags, map[string]string{"team": "shop"}) {
		t.Errorf("tags that stay: %v", tags)
	}
}

func TestAnUnreadableMarkSaysWhatToDo(t *testing.T) {
	w := newWorld(t)
	arn := w.rule(w.listener, 10, hosts("example.com"), notFound())
	r := w.open()
	if err := r.SetMark(t.Context(), markOf(w)); err != nil {
		t.Fatal(err)
	}
	w.tag(arn, tagLease, "me")
	_, _, err := r.Mark(t.Context())
	mentions(t, err, tagLease, `"me"`, "rule 10", "remove all tags norikae.dev/", tagOwner)
	if !isTerminal(err, "UnreadableMark") {
		t.Errorf("class of %v", err)
	}
}

func TestTagsFollowARuleThatWasMadeAnew(t *testing.T) {
	w := newWorld(t)
	arn := w.rule(w.listener, 10, hosts("example.com"), notFound())
	r := w.open()
	ctx := t.Context()
	if err := r.SetMark(ctx, markOf(w)); err != nil {
		t.Fatal(err)
	}
	wiretest.Must(w.sdk.DeleteRule(ctx, &elb.DeleteRuleInput{RuleArn: &arn}))(t)
	if _, ok, err := r.Mark(ctx); ok || err != nil {
		t.Errorf("mark of no rule: %v, %v", ok, err)
	}
	if err := r.ClearMark(ctx); err != nil {
		t.Errorf("clearing the mark of no rule: %v", err)
	}
	if err := r.Renew(ctx, shift.Lease{Owner: "me"}); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("renewing the lease of no rule: %v", err)
	}
	if err := r.Write(ctx, w.split("a", 1)); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("writing to no rule: %v", err)
	}
	arn = w.rule(w.listener, 10, hosts("example.com"), notFound())
	wiretest.Must(r.Observe(ctx))(t)
	if err := r.SetMark(ctx, markOf(w)); err != nil {
		t.Fatal(err)
	}
	if w.tagsOf(arn)[tagShift] != "s1" {
		t.Error("the mark is not on the new rule")
	}
}

func TestFailuresOfTagCallsKeepTheirClass(t *testing.T) {
	w := newWorld(t)
	w.rule(w.listener, 10, hosts("example.com"), notFound())
	r := w.open()
	ctx := t.Context()
	wiretest.Must(r.Observe(ctx))(t)
	for op, f := range map[string]func() error{
		"DescribeTags": func() error { _, _, err := r.Mark(ctx); return err },
		"AddTags":      func() error { return r.SetMark(ctx, markOf(w)) },
		"RemoveTags":   func() error { return r.ClearMark(ctx) },
	} {
		w.fail(simfault.Rule{Kind: simfault.AccessDenied, Operation: op, Times: 1})
		if err := f(); !errors.Is(err, fault.ErrDenied) {
			t.Errorf("%s denied: %v", op, err)
		}
		w.fail(simfault.Rule{Kind: simfault.Throttle, Operation: op, Times: 1})
		if err := f(); err == nil || !unclassed(err) || fault.IsTerminal(err) {
			t.Errorf("%s throttled: %v", op, err)
		}
		if err := f(); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
}
