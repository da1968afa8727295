package lawtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/store/file"
)

// life is a shift that nobody kills.
type life struct {
	doomed

	journal []byte // anonymous
	sizes   []int  // of the journal in bytes, at each instant
}

func wholeLife(t *testing.T, d doomed) *life {
	t.Helper()
	a, j := &life{doomed: d}, &journal{dir: t.TempDir()}
	inWorldOf(t, d.ground, LabPace(), nil, func(l *lab) {
		m, _ := d.prepare(l)
		out := l.run(Setup{Manifest: m, Store: j, Die: func(Instant) bool {
			a.sizes = append(a.sizes, len(j.bytes))
			return false
		}})
		if out.Err != nil || out.Phase != d.phase {
			l.t.Fatalf("%s %s (%s), %v", out.Phase, out.Reason, out.Message, out.Err)
		}
	})
	a.journal = anonymous(t, j.bytes)
	return a
}

// at is the journal as it is at an instant, counted from 1.
func (a *life) at(n int) []byte { return a.journal[:a.sizes[n-1]] }

// anonymous is a journal with another ID of the same length in all its states. The ID is
// random; nothing else differs from one run in virtual time to the next.
func anonymous(t *testing.T, journal []byte) []byte {
	t.Helper()
	line, _, whole := bytes.Cut(journal, []byte("\n"))
	if !whole {
		return journal // nothing was saved yet
	}
	var s shift.State
	if err := json.Unmarshal(line, &s); err != nil || s.ID == "" {
		t.Fatalf("the journal begins with %q, %v", line, err)
	}
	return bytes.ReplaceAll(journal, []byte(s.ID), bytes.Repeat([]byte("I"), len(s.ID)))
}

// states of a journal, as lines.
func states(journal []byte) int { return bytes.Count(journal, []byte("\n")) }

// firstLines of a journal.
func firstLines(journal []byte, n int) []byte {
	size := 0
	for range n {
		size += bytes.IndexByte(journal[size:], '\n') + 1
	}
	return journal[:size]
}

// TestEveryPrefixOfTheJournalReadsAsItsLastWholeState reads the journal of a whole shift
// cut at every byte: it reads as the last state that is there whole, or as none when
// there is none. A state is whole when only the end of its line is missing.
func TestEveryPrefixOfTheJournalReadsAsItsLastWholeState(t *testing.T) {
	for name, d := range map[string]doomed{
		"to the end": healthyShift(OnALB), "and back": sickShift(OnALB), "of an NLB": healthyShift(OnNLB), "of a name": healthyShift(OnDNS), "of a name, and back": sickShift(OnDNS),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := wholeLife(t, d).journal
			path := filepath.Join(t.TempDir(), "journal")
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			begin, end := bytes.LastIndexByte(whole[:len(whole)-1], '\n')+1, len(whole)-1 // of the last whole state
			for k := len(whole); k >= 0; k-- {
				if err := os.Truncate(path, int64(k)); err != nil {
					t.Fatal(err)
				}
				if k < end {
					begin, end = bytes.LastIndexByte(whole[:max(begin-1, 0)], '\n')+1, begin-1
				}
				want := ""
				if end > 0 {
					want = string(whole[begin:end])
				}
				got := ""
				if s, ok, err := file.Last(path); err != nil {
					t.Fatalf("prefix of %d bytes: %v", k, err)
				} else if ok {
					got = encode(t, s)
				}
				if got != want {
					t.Fatalf("the prefix of %d bytes reads as %q, want %q", k, got, want)
				}
			}
			t.Logf("%d prefixes read as one of %d states, or none", len(whole)+1, states(whole))
		})
	}
}

// TestCrashSweepWithEveryPrefixOfTheJournal kills a shift at every instant and starts it
// again with every byte-prefix of what its journal was at that instant.
//
// Of the prefixes that read as the same state one is taken, the one that ends with its
// line: a process meets its journal only through engine.Store, and so a prefix only as
// the state that it reads as. Which that is, for each prefix, the test above and those of
// the file store show; they also show that what is saved after a torn line is whole. The
// test above speaks of the journals here too: each is compared with the same bytes of the
// uninterrupted shift's. No instant is taken for another.
func TestCrashSweepWithEveryPrefixOfTheJournal(t *testing.T) {
	type again struct {
		life            *life
		instant, states int
	}
	const lanes = 8
	for _, g := range only(OnALB, OnNLB, OnDNS) {
		var all []again
		for _, d := range []doomed{healthyShift(g), sickShift(g)} {
			a := wholeLife(t, d)
			for n := 1; n <= len(a.sizes); n++ {
				for s := range states(a.at(n)) + 1 {
					all = append(all, again{a, n, s})
				}
			}
			t.Logf("%s: %d restarts, with those of a shift with %d instants and %d states", g, len(all), len(a.sizes), states(a.journal))
		}
		stride := stride(383, 2801) // primes: any instant, any prefix, both shifts
		if g != OnALB {
			stride = othersStride()
		}
		for lane := range lanes {
			t.Run(fmt.Sprintf("%s, lane %d", g, lane), func(t *testing.T) {
				t.Parallel()
				tried := 0
				for i := lane * stride; i < len(all); i += lanes * stride {
					all[i].life.restart(t, all[i].instant, all[i].states)
					tried++
				}
				t.Logf("%d of %d restarts", tried, len(all))
			})
		}
	}
}

// othersStride of the sweep with every prefix on grounds other than an ALB's, which is
// strided even where nothing is left out of the others: how a journal reads does not
// depend on the ground.
func othersStride() int {
	switch {
	case everything():
		return 1
	case full():
		return 41
	case raceEnabled:
		return 5003
	}
	return 1009
}

// restart the shift, killed at an instant, with the first states of its journal.
func (a *life) restart(t *testing.T, instant, first int) {
	t.Helper()
	want := a.at(instant)
	var got []byte
	over := crash(t, instant, restart{fmt.Sprintf("with %d of %d states", first, states(want)), "m1", func(j *journal, _ int) *journal {
		got = j.bytes
		return j.cut(len(firstLines(j.bytes, first)))
	}}, a.doomed)
	if got = anonymous(t, got); over || !bytes.Equal(got, want) {
		t.Errorf("killed at instant %d (over before: %t), the journal is not what it was at that instant of the whole shift:\n%s\nwant:\n%s", instant, over, got, want)
	}
}

func encode(t *testing.T, s shift.State) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
