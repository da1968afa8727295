package route53

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// marks that a shift could leave.
func marks() *rapid.Generator[shift.Mark] {
	return rapid.Custom(func(t *rapid.T) shift.Mark {
		word := rapid.StringMatching(`[A-Za-z0-9_.:/=+@"\\%-]{1,60}`)
		moment := func(name string) time.Time {
			return time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, name), rapid.Int64Range(0, 999_999_999).Draw(t, name+" ns")).UTC()
		}
		m := shift.Mark{
			ID: word.Draw(t, "id"), Name: rapid.String().Draw(t, "name"), Plan: word.Draw(t, "plan"),
			Started: moment("started"), Lease: shift.Lease{
				Owner: word.Draw(t, "owner"), Expires: moment("expires"),
				Course: rapid.SampledFrom([]shift.Course{shift.CourseForward, shift.CourseFailed, shift.CourseBack}).Draw(t, "course"),
			},
		}
		id := rapid.OneOf(rapid.StringN(1, maxSetIdentifier, -1), rapid.StringMatching(`[a-z" \\=+%]{1,128}`))
		for _, id := range rapid.SliceOfNDistinct(id, 0, 20, rapid.ID).Draw(t, "destinations") {
			m.From = append(m.From, traffic.Weighted{ID: id, Weight: rapid.IntRange(0, 255).Draw(t, "weight")})
		}
		return m
	})
}

func TestAMarkComesBackAsItWentInAnyOrder(t *testing.T) {
	n := newWorld(t).open()
	rapid.Check(t, func(t *rapid.T) {
		want := mark{Mark: marks().Draw(t, "mark"), owner: rapid.String().Draw(t, "owner")}
		if s := rapid.SampledFrom([]shift.SignalKind{"", shift.SignalAbort, shift.SignalApprove, shift.SignalPromote}).Draw(t, "signal"); s != "" {
			want.Signal = shift.Signal{Kind: s, Step: rapid.IntRange(-1, 100).Draw(t, "step")}
			var err error
			if want.signal, err = markText().EncodeSignal(want.Signal, want.ID); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.compose(&want); err != nil {
			t.Fatal(err)
		}
		set := want.set
		value(shuffled(t, valuesOf(set))...)(&set)
		got, err := n.decode(set)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want.Mark, got.Mark); d != "" || got.owner != want.owner || got.signal != want.signal {
			t.Fatal(d, got.owner, got.signal)
		}
		if !got.sameButSignal(&want) {
			t.Fatal("it is not the same")
		}
		other := *got
		other.Lease.Expires = other.Lease.Expires.Add(1)
		if other.sameButSignal(&want) {
			t.Fatal("one with another lease is the same")
		}
	})
}

// goodMark are the strings of a mark.
func goodMark() []string {
	return []string{
		"norikae=1", "record=api.example.com.", "owner=web", "shift=s1", "plan=abc", "name=web", "started=2026-01-02T03:04:05Z",
		"lease=laptop/42/r4nd 2026-01-02T03:05:05Z", "from=2", "from-1=90 blue", "from-2=10 green",
	}
}

func setOf(texts []string) types.ResourceRecordSet {
	return types.ResourceRecordSet{
		Name: aws.String("_norikae." + name + "."), Type: types.RRTypeTxt, TTL: aws.Int64(10),
		ResourceRecords: []types.ResourceRecord{{Value: aws.String(`"` + strings.Join(texts, `" "`) + `"`)}},
	}
}

func TestMarksThatWereTamperedWithAreNotGuessedAt(t *testing.T) {
	n := newWorld(t).open()
	if _, err := n.decode(setOf(goodMark())); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		key, text string // text "" removes the item
	}{
		"no shift":                  {"shift", ""},
		"an empty shift":            {"shift", "shift="},
		"no plan":                   {"plan", ""},
		"no name":                   {"name", ""},
		"no owner":                  {"owner", ""},
		"no lease":                  {"lease", ""},
		"a lease without a time":    {"lease", "lease=laptop/42/r4nd"},
		"a lease without an owner":  {"lease", "lease= 2026-01-02T15:04:05Z"},
		"a lease with two spaces":   {"lease", "lease=laptop  2026-01-02T15:04:05Z"},
		"a lease with a new course": {"lease", "lease=laptop 2026-01-02T15:04:05Z sideways"},
		"a start that is no time":   {"started", "started=yesterday"},
		"no number of destinations": {"from", ""},
		"101 destinations":          {"from", "from=101"},
		"three where two are":       {"from", "from=3"},
		"one where two are":         {"from", "from=1"},
		"a number in other dress":   {"from", "from=+2"},
		"a destination is missing":  {"from-1", ""},
		"a destination twice":       {"from-2", "from-2=5 blue"},
		"a weight of 256":           {"from-1", "from-1=256 blue"},
		"a negative weight":         {"from-1", "from-1=-1 blue"},
		"a weight of 007":           {"from-1", "from-1=007 blue"},
		"no weight":                 {"from-1", "from-1=blue"},
		"no set identifier":         {"from-1", "from-1=5 "},
	} {
		t.Run(name, func(t *testing.T) {
			texts := slices.DeleteFunc(goodMark(), func(s string) bool { return strings.HasPrefix(s, tc.key+"=") })
			if tc.text != "" {
				texts = append(texts, tc.text)
			}
			m, err := n.decode(setOf(texts))
			if !isTerminal(err, "UnreadableMark") {
				t.Fatalf("read as %+v, %v", m, err)
			}
			mentions(t, err, tc.key, "_norikae.api.example.com", "restore it")
		})
	}
}

func TestAWordMayBeLeftByHand(t *testing.T) {
	n := newWorld(t).open()
	for word, want := range map[string]shift.Signal{
		"abort":         {Kind: shift.SignalAbort, Step: -1},
		"approve 3":     {Kind: shift.SignalApprove, Step: 3},
		"promote -1 s1": {Kind: shift.SignalPromote, Step: -1},
		"abort 0 s0":    {}, // for a shift of the past
		"Abort":         {Kind: shift.SignalAbort, Step: -1},
		// Slips, which are no word, and do not make the mark unreadable either.
		"aprove": {}, "abort 1 s1 now": {}, "": {}, "approve -2 s1": {},
	} {
		m, err := n.decode(setOf(append(goodMark(), "signal="+word)))
		if err != nil || m.Signal != want {
			t.Errorf("signal %q read as %+v, %v", word, m, err)
			continue
		}
		again := *m
		if err := n.compose(&again); err != nil || word != "" && !strings.Contains(valuesOf(again.set)[0], `"signal=`+word+`"`) {
			t.Errorf("a renewal makes %q of %q, %v", valuesOf(again.set), word, err)
		}
	}
}

func FuzzDecodeMark(f *testing.F) {
	f.Add(strings.Join(goodMark(), "\n"))
	f.Add("norikae=1\nfrom=1\nfrom-1=0 %20\nfrom-1+2=x")
	f.Add("norikae=2")
	n, err := New(Config{HostedZoneID: "Z1", Name: name, Destinations: []string{"blue"}, Owner: "web"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := n.decode(setOf(strings.Split(text, "\n")))
		if (m == nil) == (err == nil) {
			t.Fatalf("%v, %v", m, err)
		}
		if err != nil {
			return
		}
		again := *m
		if err := n.compose(&again); err != nil {
			return // what Route 53 would not hold
		}
		back, err := n.decode(again.set)
		if err != nil || !cmp.Equal(back.Mark, m.Mark) || back.signal != m.signal {
			t.Fatalf("%+v became %+v, %v", m, back, err)
		}
	})
}
