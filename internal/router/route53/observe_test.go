package route53

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/google/go-cmp/cmp"

	simfault "github.com/norikae/norikae/internal/awssim/fault"
	sim "github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

func (w *world) look(n *Name) shift.Live {
	w.t.Helper()
	live, err := n.Observe(w.t.Context())
	w.ok(err)
	return live
}

// neighbours are names around the tested one, all with records of the same identifiers.
func neighbours() []string {
	names := []string{"example.com", "*.example.com", "api-x.example.com", "api0.example.com", "ap.example.com", "aapi.example.com", "api.api.example.com", "_norikae.x.api.example.com", "*.api.example.com"}
	for i := range 40 {
		names = append(names, fmt.Sprintf("a%d.api.example.com", i), fmt.Sprintf("api-%d.example.com", i))
	}
	return names
}

func TestR1_OnlyTheRecordsOfExactlyThisNameAreRead(t *testing.T) {
	for _, page := range []int{1, 2, 3, 7, 300} {
		t.Run(fmt.Sprintf("in pages of %d", page), func(t *testing.T) {
			w := newWorld(t, func(c *sim.Config) { c.MaxPageSize = page })
			for _, other := range neighbours() {
				w.put(record(types.RRTypeA, "blue", 7, at(other)), record(types.RRTypeA, "green", 8, at(other)))
			}
			w.put(record(types.RRTypeTxt, "blue", 1, plain, at("api.example.com")))
			w.twins("blue", 90, "green", 10)
			for _, spelt := range []string{"api.example.com", "API.example.com.", `\141pi.Example.COM`} {
				live := w.look(w.open(func(c *Config) { c.Name = spelt }))
				if want := split("blue", 90, "green", 10); !live.Split.Equal(want) || !live.Exists || !live.Conforms || live.Others != nil || live.Pending {
					t.Errorf("%s: live %+v, want %v", spelt, live, want)
				}
				if live.Ref != w.zone+" api.example.com" {
					t.Errorf("ref %q", live.Ref)
				}
			}
		})
	}
}

func TestAListingEndsWithTheName(t *testing.T) {
	w := newWorld(t)
	for _, other := range neighbours() {
		w.put(record(types.RRTypeA, "blue", 7, at(other)))
	}
	var sets []types.ResourceRecordSet
	for i := range pageSize { // a page full
		sets = append(sets, record(types.RRTypeA, fmt.Sprint(i), 1))
	}
	w.put(sets...)
	w.forget()
	if live := w.look(w.open()); len(live.Split) != pageSize || w.made() != "List" {
		t.Errorf("%d destinations after %s", len(live.Split), w.made())
	}
	w.put(record(types.RRTypeAaaa, "0", 1))
	w.forget()
	if live := w.look(w.open()); len(live.Others) != 1 || w.made() != "List List" {
		t.Errorf("%+v after %s", live.Others, w.made())
	}
}

func TestWildcardsAndTheApexAreNamesLikeOthers(t *testing.T) {
	for _, of := range []string{"*.example.com", `\052.example.com`, "example.com", "*.api.example.com"} {
		t.Run(of, func(t *testing.T) {
			w := newWorld(t, func(c *sim.Config) { c.MaxPageSize = 2 })
			for _, other := range neighbours() {
				w.put(record(types.RRTypeA, "blue", 7, at(other)), record(types.RRTypeA, "green", 8, at(other)))
			}
			w.put(record(types.RRTypeA, "blue", 60, at(of)), record(types.RRTypeA, "green", 40, at(of)))
			before := w.weights()
			n := w.open(func(c *Config) { c.Name = of })
			live := w.look(n)
			if !live.Split.Equal(split("blue", 60, "green", 40)) {
				t.Errorf("live %v", live.Split)
			}
			w.ok(n.SetMark(t.Context(), markOf()))
			w.ok(n.Write(t.Context(), split("blue", 1, "green", 2)))
			w.ok(n.ClearMark(t.Context()))
			want := strings.Replace(before, "A blue=60 A green=40", "A blue=1 A green=2", 1)
			if d := cmp.Diff(want, w.weights()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestEveryWeightedTypeIsPartOfTheRoute(t *testing.T) {
	w := newWorld(t)
	w.put(
		record(types.RRTypeA, "blue", 90), record(types.RRTypeA, "green", 10), record(types.RRTypeA, "old", 0),
		record(types.RRTypeAaaa, "blue", 90), record(types.RRTypeAaaa, "green", 10),
		record(types.RRTypeTxt, "blue", 5, value(`"heritage=external-dns,external-dns/owner=me"`)),
	)
	live := w.look(w.open())
	if !live.Split.Equal(split("blue", 90, "green", 10, "old", 0)) || live.Others != nil {
		t.Errorf("live %+v: a record of weight 0 on one side, and the registry's, are no difference", live)
	}
	w.put(record(types.RRTypeAaaa, "green", 11))
	if live = w.look(w.open()); !slices.EqualFunc(live.Others, []traffic.Split{split("blue", 90, "green", 11)}, traffic.Split.Equal) {
		t.Errorf("others %v", live.Others)
	}
	if all := strings.Join(live.Notes, "\n"); !strings.Contains(all, "the A records have the weights blue=90 green=10 old=0, the AAAA records blue=90 green=11") {
		t.Errorf("notes %s", all)
	}
	live = w.look(w.open(func(c *Config) { c.Types = []string{"AAAA"} }))
	if !live.Split.Equal(split("blue", 90, "green", 11)) || live.Others != nil {
		t.Errorf("AAAA alone: %+v", live)
	}
	live = w.look(w.open(func(c *Config) { c.Types = []string{"AAAA", "A"} }))
	if !live.Split.Equal(split("blue", 90, "green", 11)) || len(live.Others) != 1 {
		t.Errorf("AAAA first: %+v", live)
	}
}

func TestANameWithoutWeightedRecordsDoesNotExist(t *testing.T) {
	w := newWorld(t)
	w.put(record(types.RRTypeA, "", 0, plain))
	live := w.look(w.open())
	if live.Exists || len(live.Split) != 0 || !strings.Contains(strings.Join(live.Notes, ""), "norikae creates none") {
		t.Errorf("live %+v", live)
	}
}

func TestTheLagIsTheLargestTTL(t *testing.T) {
	w := newWorld(t)
	w.put(record(types.RRTypeA, "blue", 1, ttl(30)), record(types.RRTypeA, "green", 1, ttl(30)))
	lag := func() time.Duration {
		t.Helper()
		d, err := w.open().Lag(t.Context())
		w.ok(err)
		return d
	}
	if d := lag(); d != 30*time.Second {
		t.Errorf("lag %s", d)
	}
	w.put(record(types.RRTypeAaaa, "blue", 1, alias), record(types.RRTypeAaaa, "green", 1, alias))
	if d := lag(); d != time.Minute {
		t.Errorf("lag with aliases %s", d)
	}
	w.put(record(types.RRTypeTxt, "x", 1, ttl(300)), record(types.RRTypeTxt, "y", 1, ttl(300)))
	if d := lag(); d != 5*time.Minute {
		t.Errorf("lag of three types %s", d)
	}
	n := w.open()
	w.look(n)
	w.forget()
	if _, err := n.Lag(t.Context()); err != nil || w.made() != "" {
		t.Errorf("right after an observation it made %q, %v", w.made(), err)
	}
}

func TestTheLagOfAnAliasOfARecordIsThatRecordsTTL(t *testing.T) {
	w := newWorld(t)
	to := func(name string) setting {
		return func(s *types.ResourceRecordSet) {
			alias(s)
			s.AliasTarget.HostedZoneId, s.AliasTarget.DNSName = aws.String(w.zone), aws.String(name)
		}
	}
	w.put(
		record(types.RRTypeA, "", 0, plain, at("deep.example.com"), ttl(600)), record(types.RRTypeAaaa, "", 0, plain, at("deep.example.com"), ttl(900)),
		record(types.RRTypeA, "", 0, plain, at("green.example.com"), to("deep.example.com")),
		record(types.RRTypeA, "", 0, plain, at("blue.example.com"), ttl(300)),
	)
	w.put(record(types.RRTypeA, "blue", 1, to("blue.example.com")), record(types.RRTypeA, "green", 1, to("green.example.com")))
	d, err := w.open().Lag(t.Context())
	w.ok(err)
	if d != 10*time.Minute {
		t.Errorf("lag %s", d)
	}
}

func TestAWriteIsPendingUntilItIsInSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slow(40*time.Second))
		w.twins("blue", 100, "green", 0)
		time.Sleep(time.Minute)
		n := w.open()
		if w.look(n).Pending {
			t.Error("pending before anything was written by us")
		}
		w.ok(n.Write(t.Context(), split("blue", 90, "green", 10)))
		w.forget()
		live := w.look(n)
		if !live.Pending || !live.Split.Equal(split("blue", 90, "green", 10)) || w.made() != "GetChange List" {
			t.Errorf("live %+v after %s", live, w.made())
		}
		if !strings.Contains(strings.Join(live.Notes, "\n"), "has not reached all servers") {
			t.Errorf("notes %q", live.Notes)
		}
		time.Sleep(39 * time.Second)
		if !w.look(n).Pending {
			t.Error("in force a second too early")
		}
		time.Sleep(2 * time.Second)
		w.forget()
		first, second := w.look(n), w.look(n)
		if first.Pending || second.Pending || w.made() != "GetChange List List" {
			t.Errorf("it stays pending, or is asked for again: %s", w.made())
		}
	})
}

func TestPendingEndsWhenTheNameServersAnswerByTheNewWeights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slow(40*time.Second))
		w.twins("blue", 100, "green", 0)
		time.Sleep(time.Minute)
		n := w.open()
		w.ok(n.Write(t.Context(), split("blue", 0, "green", 255)))
		for range 60 {
			pending := w.look(n).Pending
			for _, typ := range []string{"A", "AAAA"} {
				if got := w.svc.Answer(name+".", typ).Choices; len(got) != 1 || (got[0].SetIdentifier == "blue") != pending {
					t.Fatalf("pending is %v, and %s is answered by %+v", pending, typ, got)
				}
			}
			time.Sleep(time.Second)
		}
		if w.look(n).Pending {
			t.Error("never in force")
		}
	})
}

func slow(d time.Duration) func(*sim.Config) {
	return func(c *sim.Config) { c.PropagationDelay = func() time.Duration { return d } }
}

func TestTheFirstMarkTellsWhenAnEarlierRunsWritesAreInSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		delay := 90 * time.Second
		w := newWorld(t, func(c *sim.Config) { c.PropagationDelay = func() time.Duration { return delay } })
		w.twins("blue", 100, "green", 0)
		time.Sleep(2 * time.Minute)
		killed := w.open()
		w.ok(killed.SetMark(t.Context(), markOf()))
		w.ok(killed.Write(t.Context(), split("blue", 50, "green", 50)))
		delay = time.Second // the next change would be fast, and waits for the one before
		n := w.open()
		w.look(n)
		_, _, err := n.Mark(t.Context())
		w.ok(err)
		w.ok(n.SetMark(t.Context(), markOf()))
		time.Sleep(80 * time.Second)
		if !w.look(n).Pending {
			t.Error("the killed run's write counts as in force")
		}
		time.Sleep(11 * time.Second)
		if w.look(n).Pending {
			t.Error("still pending")
		}
		w.ok(n.Renew(t.Context(), shift.Lease{Owner: owner, Expires: time.Now().Add(time.Hour)}))
		w.forget()
		if w.look(n).Pending || w.made() != "List" {
			t.Errorf("a renewal is followed: %s", w.made())
		}
	})
}

func TestAWriteWithoutAnswerCountsAsPendingUntilALaterOneIsInSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slow(40*time.Second))
		w.twins("blue", 100, "green", 0)
		time.Sleep(time.Minute)
		n := w.open()
		w.ok(n.SetMark(t.Context(), markOf()))
		time.Sleep(time.Minute)
		w.look(n)
		w.fail(simfault.Rule{Kind: simfault.DropAfter, Operation: "ChangeResourceRecordSets", Times: 1})
		if err := n.Write(t.Context(), split("blue", 90, "green", 10)); err == nil {
			t.Fatal("the answer was not lost")
		}
		if live := w.look(n); !live.Pending || !live.Split.Equal(split("blue", 90, "green", 10)) {
			t.Errorf("live %+v", live)
		}
		w.ok(n.Renew(t.Context(), shift.Lease{Owner: owner, Expires: time.Now().Add(time.Hour)}))
		time.Sleep(39 * time.Second)
		if !w.look(n).Pending {
			t.Error("in force before the renewal after it")
		}
		time.Sleep(2 * time.Second)
		if live := w.look(n); live.Pending {
			t.Errorf("still pending: %q", live.Notes)
		}
	})
}

func TestALostAnswerIsForgottenInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.twins("blue", 100, "green", 0)
		n := w.open()
		w.look(n)
		w.fail(simfault.Rule{Kind: simfault.ErrorBefore, Operation: "ChangeResourceRecordSets", Times: 1})
		if err := n.Write(t.Context(), split("blue", 90, "green", 10)); err == nil {
			t.Fatal("no error")
		}
		if !w.look(n).Pending {
			t.Error("an unknown outcome counts as in force")
		}
		time.Sleep(doubtFor)
		if w.look(n).Pending {
			t.Error("pending for ever")
		}
	})
}

func TestAChangeThatCannotBeAskedForIsPendingAndTheWeightsAreStillRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slow(time.Second))
		w.twins("blue", 100, "green", 0)
		time.Sleep(time.Minute)
		n := w.open()
		w.ok(n.Write(t.Context(), split("blue", 90, "green", 10)))
		time.Sleep(time.Minute)
		w.fail(simfault.Rule{Kind: simfault.AccessDenied, Operation: "GetChange", Times: 1})
		live := w.look(n)
		if !live.Pending || !live.Split.Equal(split("blue", 90, "green", 10)) || !strings.Contains(strings.Join(live.Notes, "\n"), "AccessDenied") {
			t.Errorf("live %+v", live)
		}
		if w.look(n).Pending {
			t.Error("still pending")
		}
		n.changes.newest = "C0000000000000000000" // one that Route 53 has forgotten
		if w.look(n).Pending {
			t.Error("a change that nobody knows any more is pending")
		}
	})
}

func TestAReadingServesTheCallsThatFollowItForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.twins("blue", 100, "green", 0)
		n := w.open()
		w.look(n)
		w.forget()
		w.ok(n.Write(t.Context(), split("blue", 90, "green", 10)))
		if w.made() != "Change" {
			t.Errorf("a write after an observation made %s", w.made())
		}
		time.Sleep(reuseFor)
		w.forget()
		w.ok(n.Write(t.Context(), split("blue", 80, "green", 20)))
		w.ok(n.Write(t.Context(), split("blue", 70, "green", 30)))
		if w.made() != "List Change List Change" {
			t.Errorf("writes without a recent observation made %s", w.made())
		}
	})
}

func TestNotesSayWhatWeightsCannot(t *testing.T) {
	w := newWorld(t)
	w.put(record(types.RRTypeA, "blue", 1, alias), record(types.RRTypeA, "green", 1, alias, func(s *types.ResourceRecordSet) { s.AliasTarget.EvaluateTargetHealth = false }))
	notes := strings.Join(w.look(w.open()).Notes, "\n")
	for _, part := range []string{"1m0s", "resolver", "without a health check"} {
		if !strings.Contains(notes, part) {
			t.Errorf("%q is not in %s", part, notes)
		}
	}
}
