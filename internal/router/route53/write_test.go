package route53

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	simfault "github.com/norikae/norikae/internal/awssim/fault"
	sim "github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

// comparing record sets; the SDK's types have an unexported field.
var bySDK = cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".noSmithyDocumentSerde" }, cmp.Ignore())

func TestAWriteChangesWeightsAndNothingElse(t *testing.T) {
	w := newWorld(t)
	check := w.healthCheck("192.0.2.1")
	w.put(
		record(types.RRTypeA, "blue", 100, alias, checked(check)), record(types.RRTypeA, "green", 0, alias),
		record(types.RRTypeAaaa, "blue", 100, ttl(60), value("2001:db8::2", "2001:db8::1")), record(types.RRTypeAaaa, "green", 0, ttl(60), checked(check)),
		record(types.RRTypeMx, "blue", 100, ttl(300), value("10 mx1.example.com.", "20 mx2.example.com.")), record(types.RRTypeMx, "green", 0, ttl(300), value("10 mx.example.net.")),
		record(types.RRTypeTxt, "", 0, plain, value(`"v=spf1 -all"`)),
		record(types.RRTypeA, "blue", 3, at("x.api.example.com")),
	)
	want := w.records()
	n := w.open()
	w.look(n)
	w.forget()
	w.ok(n.Write(t.Context(), split("blue", 90, "green", 10)))
	if w.made() != "Change" {
		t.Errorf("made %s", w.made())
	}
	for i, s := range want {
		if *s.Name == name+"." && s.Weight != nil {
			want[i].Weight = aws.Int64(map[string]int64{"blue": 90, "green": 10}[*s.SetIdentifier])
		}
	}
	if d := cmp.Diff(want, w.records(), bySDK); d != "" {
		t.Error(d)
	}
}

func TestOnlyRecordsWhoseWeightChangesAreInTheBatch(t *testing.T) {
	w := newWorld(t)
	w.put(record(types.RRTypeA, "blue", 50), record(types.RRTypeA, "green", 30), record(types.RRTypeA, "red", 20), record(types.RRTypeA, "old", 7))
	n := w.open()
	w.look(n)
	w.forget()
	w.ok(n.Write(t.Context(), split("blue", 50, "green", 30, "red", 19)))
	batch := fmt.Sprint(w.calls.All()[0].Request.Params)
	if strings.Contains(batch, "blue") || strings.Contains(batch, "green") || strings.Count(batch, "red") != 2 || strings.Count(batch, "old") != 2 {
		t.Errorf("batch %s", batch)
	}
	if got := w.weights(); got != "A blue=50 A green=30 A old=0 A red=19" {
		t.Errorf("weights %s: what is not in the split stays, with weight 0", got)
	}
	w.look(n)
	w.forget()
	w.ok(n.Write(t.Context(), split("blue", 50, "green", 30, "red", 19)))
	if w.made() != "" {
		t.Errorf("a settled name was written: %s", w.made())
	}
}

func TestS23_SplitsThatMayNotBeAreRefused(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	n := w.open()
	for name, s := range map[string]struct {
		pairs []any
		why   string
	}{
		"all weights 0":    {[]any{"blue", 0, "green", 0}, "sum to 0"},
		"nothing":          {nil, "at least 1 destination"},
		"a weight of 256":  {[]any{"blue", 256, "green", 1}, "0–255"},
		"a negative one":   {[]any{"blue", -1, "green", 1}, "0–255"},
		"a name twice":     {[]any{"blue", 1, "blue", 1}, "named twice"},
		"an unknown one":   {[]any{"blue", 1, "red", 1}, `no weighted A record with the set identifier "red"`},
		"wrong upper case": {[]any{"Blue", 1, "green", 1}, `"Blue"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := n.Write(t.Context(), split(s.pairs...))
			mentions(t, err, s.why)
			if !fault.IsTerminal(err) {
				t.Errorf("class of %v", err)
			}
		})
	}
	if w.changed() {
		t.Errorf("made %s", w.made())
	}
}

func TestARecordThatVanishedIsNotWrittenAround(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	n := w.open()
	w.remove(record(types.RRTypeAaaa, "green", 0))
	w.forget()
	err := n.Write(t.Context(), split("blue", 90, "green", 10))
	mentions(t, err, "AAAA", `"green"`, "weight 10", "blue (A, AAAA), green (A)", "create it again")
	w.ok(n.Write(t.Context(), split("blue", 255, "green", 0))) // back is still possible
	if w.weights() != "A blue=255 A green=0 AAAA blue=255" {
		t.Errorf("weights %s", w.weights())
	}
	w.remove(record(types.RRTypeA, "blue", 255))
	w.remove(record(types.RRTypeA, "green", 0))
	w.remove(record(types.RRTypeAaaa, "blue", 255))
	n.forget()
	if err := n.Write(t.Context(), split("blue", 1)); !errors.Is(err, fault.ErrNotFound) || fault.IsTerminal(err) {
		t.Errorf("writing to nothing: %v", err)
	}
}

func TestAWriteOverSomebodyElsesChangeFailsAndChangesNothing(t *testing.T) {
	for name, change := range map[string]func(*world){
		"a weight":        func(w *world) { w.put(record(types.RRTypeA, "blue", 77)) },
		"the other type":  func(w *world) { w.put(record(types.RRTypeAaaa, "green", 1)) },
		"an address":      func(w *world) { w.put(record(types.RRTypeA, "blue", 100, value("192.0.2.99"))) },
		"a record's loss": func(w *world) { w.remove(record(types.RRTypeAaaa, "green", 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.twins("blue", 100, "green", 0)
			n := w.open()
			w.look(n)
			var theirs []types.ResourceRecordSet
			w.between = func() { change(w); theirs = w.records() }
			err := n.Write(t.Context(), split("blue", 90, "green", 10))
			if !errors.Is(err, fault.ErrConflict) || fault.IsTerminal(err) {
				t.Errorf("class of %v", err)
			}
			mentions(t, err, "somebody changed the records", "Tried to delete resource record set")
			if d := cmp.Diff(theirs, w.records(), bySDK); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAWriteWhoseAnswerWasLostIsTriedAgainSafely(t *testing.T) {
	for _, kind := range []simfault.Kind{simfault.ErrorAfter, simfault.DropAfter, simfault.ErrorBefore, simfault.DropBefore, simfault.Throttle} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.twins("blue", 100, "green", 0)
				n := w.open(func(c *Config) { c.API = w.retrying() })
				w.fail(simfault.Rule{Kind: kind, Operation: "ChangeResourceRecordSets", Times: 1})
				w.ok(n.Write(t.Context(), split("blue", 90, "green", 10)))
				if live := w.look(n); !live.Split.Equal(split("blue", 90, "green", 10)) || len(live.Others) > 0 {
					t.Errorf("live %+v", live)
				}
			})
		})
	}
}

func TestAZoneThatIsBusyIsWaitedForOrToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := 2
		w := newWorld(t, func(c *sim.Config) { c.Busy = func(string) bool { busy--; return busy >= 0 } })
		busy = 0
		w.twins("blue", 100, "green", 0)
		n := w.open(func(c *Config) { c.API = w.retrying() })
		busy = 2
		w.ok(n.Write(t.Context(), split("blue", 90, "green", 10)))
		busy = 1000
		err := n.Write(t.Context(), split("blue", 80, "green", 20))
		if err == nil || fault.IsTerminal(err) || !unclassed(err) {
			t.Errorf("class of %v", err)
		}
		mentions(t, err, "PriorRequestNotComplete")
		busy = 0
		if live := w.look(n); !live.Split.Equal(split("blue", 90, "green", 10)) {
			t.Errorf("live %+v", live)
		}
	})
}

func unclassed(err error) bool {
	return !errors.Is(err, fault.ErrConflict) && !errors.Is(err, fault.ErrDenied) && !errors.Is(err, fault.ErrNotFound)
}

func TestR2_FailuresAreErrorsAndKeepTheirClass(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	n := w.open()
	for op, f := range map[string]func() error{
		"ChangeResourceRecordSets": func() error { return n.Write(t.Context(), split("blue", 90, "green", 10)) },
		"ListResourceRecordSets":   func() error { _, err := n.Observe(t.Context()); return err },
		"GetHostedZone":            func() error { _, err := n.Preflight(t.Context()); return err },
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

func TestChangesSayWhoseTheyAre(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	for owner, want := range map[string]string{"web": "norikae web", strings.Repeat("ü", 300): "norikae " + strings.Repeat("ü", 248)} {
		n := w.open(func(c *Config) { c.Owner = owner })
		w.look(n)
		w.forget()
		w.ok(n.Write(t.Context(), split("blue", len(owner)%100, "green", 10)))
		if got := w.calls.All()[0].Request.Params.Struct("ChangeBatch").Str("Comment"); got != want {
			t.Errorf("comment %q", got)
		}
	}
}

func TestABatchThatRoute53DislikesIsTerminal(t *testing.T) {
	w := newWorld(t)
	inner := func(s *types.ResourceRecordSet) {
		alias(s)
		s.AliasTarget.HostedZoneId, s.AliasTarget.DNSName = &w.zone, aws.String("target.example.com.")
	}
	w.put(record(types.RRTypeA, "", 0, plain, at("target.example.com")))
	w.put(record(types.RRTypeA, "blue", 100, inner), record(types.RRTypeA, "green", 0, inner))
	w.remove(record(types.RRTypeA, "", 0, plain, at("target.example.com"))) // the aliases point nowhere now
	n := w.open()
	w.look(n)
	err := n.Write(t.Context(), split("blue", 90, "green", 10))
	if !isTerminal(err, "ChangeRefused") {
		t.Errorf("class of %v", err)
	}
	mentions(t, err, "target.example.com", "not found", "the records are as they were")
}

func TestNorikaeCreatesNoRecords(t *testing.T) {
	w := newWorld(t)
	err := w.open().Create(t.Context(), split("blue", 1), shift.Mark{})
	mentions(t, err, "norikae shifts weighted records that exist", "create them first")
	if !isTerminal(err, "RouteNotFound") || w.made() != "" {
		t.Errorf("class of %v after %q", err, w.made())
	}
}

func TestAnyWriteEndsAtItsSplitInEveryType(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, func(c *sim.Config) { c.MaxPageSize = rapid.IntRange(1, 20).Draw(rt, "page") })
		kinds := rapid.SampledFrom([][]types.RRType{{"A"}, {"A", "AAAA"}, {"CNAME"}, {"A", "AAAA", "TXT"}}).Draw(rt, "types")
		weight := rapid.IntRange(0, 255)
		ids := []string{"blue", "green", "a b", "ünï", `q"\`}[:rapid.IntRange(2, 5).Draw(rt, "destinations")]
		var sets []types.ResourceRecordSet
		for _, k := range kinds {
			for _, id := range ids {
				sets = append(sets, record(k, id, int64(weight.Draw(rt, "live"))))
			}
		}
		w.put(sets...)
		n := w.open(func(c *Config) { c.Destinations = ids })
		for range rapid.IntRange(1, 4).Draw(rt, "writes") {
			want := split()
			for _, id := range ids {
				want = append(want, split(id, weight.Draw(rt, "weight"))...)
			}
			if want.Sum() == 0 {
				want[0].Weight = 1
			}
			if err := n.Write(t.Context(), want); err != nil {
				rt.Fatal(err)
			}
			if live := w.look(n); !live.Split.Equal(want) || live.Others != nil {
				rt.Fatalf("live %v and %v, want %v", live.Split, live.Others, want)
			}
		}
	})
}

// Route 53 words a refused batch in two ways, and a list may be older than the refusal.
func TestAStaleListDoesNotMakeAMismatchTerminal(t *testing.T) {
	for _, asList := range []bool{false, true} {
		w := newWorld(t, func(c *sim.Config) { c.BatchErrorList = asList })
		w.twins("blue", 100, "green", 0)
		n := w.open()
		w.look(n)
		w.fail(simfault.Rule{Kind: simfault.StaleRead, Operation: "ListResourceRecordSets", Duration: time.Minute})
		w.between = func() {
			w.between = nil
			w.twins("blue", 70, "green", 30)
		}
		err := n.Write(t.Context(), split("blue", 90, "green", 10))
		if !errors.Is(err, fault.ErrConflict) || fault.IsTerminal(err) {
			t.Errorf("as a list %v: %v", asList, err)
		}
		mentions(t, err, "do not match the current values")
		if got := w.weights(); got == "" || strings.Contains(got, "90") {
			t.Errorf("weights %s", got)
		}
	}
}
