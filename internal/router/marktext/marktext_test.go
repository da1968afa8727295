package marktext

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// format whose destinations are words that begin with g.
func format() Format {
	return Format{
		Prefix: "x/", Limits: traffic.Limits{MaxWeight: 9, MaxDestinations: 3}, Shown: "<%s: %q>",
		Destination: "group", DestinationID: "GROUP", IsID: func(id string) bool { return strings.HasPrefix(id, "g") },
	}
}

func itemsOf(items []Item) map[string]string {
	out := map[string]string{}
	for _, it := range items {
		out[it.Key] = it.Value
	}
	return out
}

func TestAMarkComesBackAsItWent(t *testing.T) {
	f := format()
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[!-~]{1,20}`)
		moment := rapid.Map(rapid.Int64Range(0, 4e18), func(ns int64) time.Time { return time.Unix(0, ns).UTC() })
		want := shift.Mark{
			ID: word.Draw(t, "id"), Plan: word.Draw(t, "plan"), Name: rapid.String().Draw(t, "name"), Started: moment.Draw(t, "started"),
			Lease: shift.Lease{
				Owner: word.Draw(t, "owner"), Expires: moment.Draw(t, "expires"),
				Course: rapid.SampledFrom([]shift.Course{shift.CourseForward, shift.CourseFailed, shift.CourseBack}).Draw(t, "course"),
			},
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "destinations") {
			want.From = append(want.From, traffic.Weighted{ID: fmt.Sprintf("g %d", i), Weight: rapid.IntRange(0, 9).Draw(t, "weight")})
		}
		items := itemsOf(f.Encode(want))
		if want.Signal.Kind = rapid.SampledFrom([]shift.SignalKind{shift.NoSignal, shift.SignalAbort, shift.SignalApprove, shift.SignalPromote}).Draw(t, "signal"); want.Signal.Kind != shift.NoSignal {
			want.Signal.Step = rapid.IntRange(-1, maxStep).Draw(t, "step")
			value, err := f.EncodeSignal(want.Signal, want.ID)
			if err != nil {
				t.Fatal(err)
			}
			items["x/signal"] = value
		}
		known := f.Keys(len(want.From))
		for key := range items {
			if !slices.Contains(known, key) {
				t.Fatalf("%s is none of %v", key, known)
			}
		}
		items["x/other"], items["other"], items[f.FromKey(len(want.From))] = "1", "2", "left over"
		got, err := f.Decode(items)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Fatal(err, d)
		}
	})
}

func TestErrorsShowTheItemAndWhatIsWanted(t *testing.T) {
	f := format()
	good := itemsOf(f.Encode(shift.Mark{ID: "s1", Plan: "p", Name: "web", Lease: shift.Lease{Owner: "me"}, From: traffic.Split{{ID: "g1", Weight: 5}, {ID: "g2", Weight: 0}}}))
	if _, err := f.Decode(good); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		key, value, want string // value "-" removes the item
	}{
		"no plan":                       {"x/plan", "-", `<x/plan: "">: it is missing`},
		"an ID of two words":            {"x/shift", "a b", `<x/shift: "a b">: want a word`},
		"a start that is no time":       {"x/started", "today", `<x/started: "today">: want a time such as 2026-01-02T15:04:05Z`},
		"a lease without a time":        {"x/lease", "me", `<x/lease: "me">: want OWNER EXPIRES, and then nothing, failed or back`},
		"a lease that ends at no time":  {"x/lease", "me then", `<x/lease: "then">: want a time such as 2026-01-02T15:04:05Z`},
		"a lease with an unknown word":  {"x/lease", "me 2026-01-02T15:04:05Z up", `<x/lease: "me 2026-01-02T15:04:05Z up">: want OWNER EXPIRES, and then nothing, failed or back`},
		"more than a split may have":    {"x/from", "4", `<x/from: "4">: want a number in 0–3`},
		"a number in other dress":       {"x/from", "02", `<x/from: "02">: want a number in 0–3`},
		"a destination that is missing": {"x/from-2", "-", `<x/from-2: "">: it is missing`},
		"a destination of another kind": {"x/from-2", "0 h2", `<x/from-2: "0 h2">: want WEIGHT GROUP`},
		"a destination twice":           {"x/from-2", "0 g1", `<x/from-2: "0 g1">: the group is named twice`},
		"a weight that is too large":    {"x/from-1", "10 g1", `<x/from-1: "10">: want a number in 0–9`},
	} {
		t.Run(name, func(t *testing.T) {
			items := maps.Clone(good)
			if items[tc.key] = tc.value; tc.value == "-" {
				delete(items, tc.key)
			}
			if m, err := f.Decode(items); err == nil || err.Error() != tc.want {
				t.Errorf("read as %+v, %v; want %s", m, err, tc.want)
			}
		})
	}
}

func TestWhatCannotBeReadIsNotWritten(t *testing.T) {
	f := format()
	for _, owner := range []string{"", "my laptop", " me"} {
		if value, err := f.EncodeLease(shift.Lease{Owner: owner}); err == nil {
			t.Errorf("the lease of %q is %q", owner, value)
		}
	}
	for want, s := range map[string]shift.Signal{
		`<x/signal: "stop 1 s1">: want approve, promote or abort`: {Kind: "stop", Step: 1},
		`<x/signal: "-2">: want a number in -1–1000000`:           {Kind: shift.SignalAbort, Step: -2},
	} {
		if value, err := f.EncodeSignal(s, "s1"); err == nil || err.Error() != want {
			t.Errorf("the signal %+v is %q, %v; want %s", s, value, err, want)
		}
	}
}
