package file_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/store/file"
)

// anyState draws a state; its texts have line ends, quotes and braces more often than
// real ones.
func anyState(t *rapid.T) shift.State {
	text := rapid.OneOf(rapid.StringN(0, 4, 8), rapid.StringMatching(`[{}\[\]",:\\\n\r\x00 ]{0,4}`))
	at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanoseconds")).UTC()
	s := shift.State{
		ID: "S" + text.Draw(t, "id"), Phase: shift.Phase(text.Draw(t, "phase")), Step: rapid.IntRange(-1, 99).Draw(t, "step"),
		Failed: rapid.Bool().Draw(t, "failed"), Failures: rapid.MapOfN(text, rapid.Int(), 0, 2).Draw(t, "failures"),
		Reason: text.Draw(t, "reason"), Message: text.Draw(t, "message"), At: at,
	}
	if rapid.Bool().Draw(t, "written") {
		s.WrittenAt = at
	}
	if rapid.Bool().Draw(t, "measured") {
		s.Report = &analysis.Report{Verdict: analysis.Successful, Message: text.Draw(t, "report"), Next: at}
	}
	return s
}

// A reader takes a state whose line lacks only its end for whole; a run that opens the
// journal cuts it off, and so reads the state before. Either is one that was saved.
func TestEveryPrefixOfAJournalReadsAsItsLastWholeState(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		s, err := file.Open(dir, route)
		if err != nil {
			rt.Fatal(err)
		}
		saved := []string{""} // as text; none at first
		var lines [][]byte
		for _, st := range rapid.SliceOfN(rapid.Custom(anyState), 0, 3).Draw(rt, "states") {
			b, err := json.Marshal(st)
			if err != nil {
				rt.Fatal(err)
			}
			if err := s.Save(t.Context(), st); err != nil {
				rt.Fatal(err)
			}
			saved, lines = append(saved, string(b)), append(lines, append(b, '\n'))
		}
		journal, err := os.ReadFile(s.Path())
		if err != nil || !bytes.Equal(journal, bytes.Join(lines, nil)) {
			rt.Fatalf("the journal is %q (%v), want one line for each of %q", journal, err, saved[1:])
		}
		if err := s.Close(); err != nil {
			rt.Fatal(err)
		}
		for k := len(journal); k >= 0; k-- {
			if err := os.WriteFile(s.Path(), journal[:k], 0o600); err != nil { // anew: a run cuts off more
				rt.Fatal(err)
			}
			ended := bytes.Count(journal[:k], []byte("\n"))
			whole := bytes.Count(journal[:min(k+1, len(journal))], []byte("\n"))
			checkText(rt, k, "a reader", saved[whole], func() (shift.State, bool, error) { return file.Last(s.Path()) })
			again, err := file.Open(dir, route)
			if err != nil {
				rt.Fatal(err)
			}
			checkText(rt, k, "a run", saved[ended], func() (shift.State, bool, error) { return again.Load(t.Context()) })
			if err := again.Close(); err != nil {
				rt.Fatal(err)
			}
		}
		if err := os.Remove(s.Path()); err != nil {
			rt.Fatal(err)
		}
	})
}

// checkText compares a state as text: JSON has one form of what is no text in UTF-8.
func checkText(t *rapid.T, k int, who, want string, read func() (shift.State, bool, error)) {
	t.Helper()
	st, ok, err := read()
	got := ""
	if ok {
		b, err := json.Marshal(st)
		if err != nil {
			t.Fatal(err)
		}
		got = string(b)
	}
	if err != nil || got != want {
		t.Fatalf("of %d bytes, %s reads %q (%v), want %q", k, who, got, err, want)
	}
}
