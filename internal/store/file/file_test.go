package file_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/store/file"
)

const route = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/web/0123456789abcdef/1123456789abcdef rule 10"

func open(t *testing.T, dir string) *file.Store {
	t.Helper()
	s, err := file.Open(dir, route)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // most tests have closed it before
	return s
}

func save(t *testing.T, s *file.Store, states ...shift.State) {
	t.Helper()
	for _, st := range states {
		if err := s.Save(t.Context(), st); err != nil {
			t.Fatal(err)
		}
	}
}

func closed(t *testing.T, s *file.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// state that fills every kind of field.
func state(step int) shift.State {
	at := time.Date(2026, 1, 2, 3, 4, step, 5, time.UTC)
	return shift.State{
		ID: "SHIFT", Phase: shift.Shifting, Step: step, WrittenAt: at, Failures: map[string]int{"errors": step},
		Approved: step, Reason: "Written", Message: "live: blue=90 green=10, it says \"ok\"\n", At: at,
		Report: &analysis.Report{Verdict: analysis.Inconclusive, Message: "no data", Next: at},
	}
}

func TestTheNewestStateIsLoaded(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, ok, err := s.Load(t.Context()); ok || err != nil {
		t.Fatalf("a new journal has a state (%t) or cannot be read: %v", ok, err)
	}
	save(t, s, state(0), state(1), state(2))
	for range 2 { // while it is open, and by the next run
		got, ok, err := s.Load(t.Context())
		if d := cmp.Diff(state(2), got); !ok || err != nil || d != "" {
			t.Errorf("%t %v (-want +got):\n%s", ok, err, d)
		}
		closed(t, s)
		s = open(t, dir)
	}
	save(t, s, state(3)) // goes on after what is there
	if got, _, _ := s.Load(t.Context()); got.Step != 3 {
		t.Errorf("step %d, want 3", got.Step)
	}
	b, err := os.ReadFile(s.Path())
	if n := bytes.Count(b, []byte("\n")); err != nil || n != 4 {
		t.Errorf("%d lines, want 4: %v", n, err)
	}
}

func TestAJournalThatIsNotThereHasNoState(t *testing.T) {
	if _, ok, err := file.Last(file.Path(filepath.Join(t.TempDir(), "none"), route)); ok || err != nil {
		t.Errorf("%t %v", ok, err)
	}
}

// A crash, or a full disk, leaves any prefix of the last line.
func TestATornTailLosesOnlyItself(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	small := func(step int) shift.State { return shift.State{ID: "SHIFT", Phase: shift.Shifting, Step: step} } // each byte costs some syncs
	save(t, s, small(0), small(1))
	closed(t, s)
	whole, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.IndexByte(whole, '\n') + 1
	for n := range len(whole) + 1 {
		if err := os.WriteFile(s.Path(), whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		// A line of which only the end is missing is whole to who only reads.
		want := -1
		switch {
		case n >= len(whole)-1:
			want = 1
		case n >= first-1:
			want = 0
		}
		checkStep(t, fmt.Sprintf("read at %d bytes", n), want, s.Path())
		torn, err := file.Open(dir, route)
		if err != nil {
			t.Fatalf("opened at %d bytes: %v", n, err)
		}
		save(t, torn, small(2), small(3))
		closed(t, torn)
		checkStep(t, fmt.Sprintf("gone on from %d bytes", n), 3, s.Path())
		b, err := os.ReadFile(s.Path())
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			if !json.Valid(line) {
				t.Fatalf("gone on from %d bytes, the journal has the line %q", n, line)
			}
		}
	}
}

func checkStep(t *testing.T, what string, want int, path string) {
	t.Helper()
	st, ok, err := file.Last(path)
	got := -1
	if ok {
		got = st.Step
	}
	if got != want || err != nil {
		t.Fatalf("%s: step %d (%v), want %d", what, got, err, want)
	}
}

func TestLinesThatAreNoStateArePassedOver(t *testing.T) {
	s := open(t, t.TempDir())
	save(t, s, state(0))
	closed(t, s)
	f, err := os.OpenFile(s.Path(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("\x00\x00\x00\x00\n{\"phase\":\"Shifting\",\"step\":7}\n[1]\n\n"); err != nil {
		t.Fatal(err)
	}
	checkStep(t, "zeros, as some file systems leave after a crash, and others", 0, s.Path())
}

func TestALongJournalIsMovedAside(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	big := state(1)
	big.Message = strings.Repeat("x", 256<<10)
	for range 17 { // just above 4 MiB
		save(t, s, big)
	}
	closed(t, s)
	again := open(t, dir)
	checkStep(t, "the old journal", 1, s.Path()+".old")
	if got, ok, err := again.Load(t.Context()); !ok || err != nil || got.Message != big.Message {
		t.Errorf("the journal begins anew with its newest state: %t %v %d", ok, err, len(got.Message))
	}
	if st, err := os.Stat(s.Path()); err != nil || st.Size() > 300<<10 {
		t.Errorf("the new journal: %v %v", st, err)
	}
	save(t, again, state(2))
	checkStep(t, "the new journal", 2, s.Path())
}

func TestALongStateCanBeReadAgain(t *testing.T) {
	s := open(t, t.TempDir())
	big := state(1)
	big.Message = strings.Repeat("x", 3<<20)
	save(t, s, state(0), big)
	checkStep(t, "after a state of 3 MiB", 1, s.Path())
}

// A disk that is full takes a part of a line. What is saved when it has room again must
// not become the rest of that line.
func TestAfterAFullDiskStatesAreWholeAgain(t *testing.T) {
	s := open(t, t.TempDir())
	save(t, s, state(0))
	st, err := os.Stat(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	full := before
	full.Cur = uint64(st.Size()) + 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	err = s.Save(t.Context(), state(1))
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, syscall.EFBIG) || !strings.HasPrefix(err.Error(), "writing the journal: ") {
		t.Errorf("a state was saved on a full disk: %v", err)
	}
	checkStep(t, "with the part of a line", 0, s.Path())
	save(t, s, state(2))
	checkStep(t, "with room again", 2, s.Path())
}

func TestTheJournalIsForItsOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "norikae")
	s := open(t, dir)
	save(t, s, state(0))
	if _, err := file.MachineID(dir); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{
		filepath.Dir(dir): os.ModeDir | 0o700, dir: os.ModeDir | 0o700,
		s.Path(): 0o600, s.Path() + ".lock": 0o600, filepath.Join(dir, "machine-id"): 0o600,
	} {
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode() != want {
			t.Errorf("%s has mode %s, want %s", path, st.Mode(), want)
		}
	}
}

func TestRoutesHaveJournalsOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	seen := map[string]string{}
	for _, r := range []string{route, route + "0", strings.ToUpper(route), "a/b", "a b", "a_b", "../../etc/passwd", "", strings.Repeat("long/", 100)} {
		p := file.Path(dir, r)
		if other, ok := seen[p]; ok {
			t.Errorf("%q and %q share %s", r, other, p)
		}
		seen[p] = r
		if filepath.Dir(p) != dir || len(filepath.Base(p)) > 100 {
			t.Errorf("%q has the journal %s", r, p)
		}
	}
}

// holder is the variable that turns this test binary into a process that holds a
// journal's lock.
const holder = "NORIKAE_TEST_HOLDER"

func TestHoldTheLock(t *testing.T) {
	dir := os.Getenv(holder)
	if dir == "" {
		dir = t.TempDir() // as any other test
	}
	s := open(t, dir)
	save(t, s, state(4))
	fmt.Println("\nheld")
	if os.Getenv(holder) != "" {
		select {} // until it is killed
	}
}

func TestOneProcessHoldsAJournalUntilItDies(t *testing.T) {
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	other := exec.CommandContext(ctx, exe, "-test.run=^TestHoldTheLock$")
	other.Env = append(os.Environ(), holder+"="+dir)
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	for sc := bufio.NewScanner(out); sc.Scan() && sc.Text() != "held"; {
	}
	_, err = file.Open(dir, route)
	want := "another run on this machine drives this route (it holds " + file.Path(dir, route) + ".lock): wait for it, or see norikae status and norikae abort"
	if !errors.Is(err, fault.ErrConflict) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v\nwant %s", err, want)
	}
	checkStep(t, "what others may read meanwhile", 4, file.Path(dir, route))
	if other, err := file.Open(dir, route+"0"); err != nil {
		t.Errorf("another route: %v", err)
	} else {
		closed(t, other)
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // it was killed
	s := open(t, dir)
	if st, ok, err := s.Load(t.Context()); !ok || err != nil || st.Step != 4 {
		t.Errorf("what the dead process had saved: %+v %t %v", st, ok, err)
	}
}

func TestClosingGivesTheLockBack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := file.Open(dir, route); !errors.Is(err, fault.ErrConflict) {
		t.Errorf("opened twice in one process: %v", err)
	}
	closed(t, s)
	closed(t, open(t, dir))
}

func TestAPlaceThatCannotBeUsedIsNamed(t *testing.T) {
	base := t.TempDir()
	taken := filepath.Join(base, "taken")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const hint = "; set XDG_STATE_HOME to a directory that you may write to"
	want := "making the journal's directory: mkdir " + taken + ": not a directory" + hint
	if _, err := file.Open(filepath.Join(taken, "norikae"), route); err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	if _, err := file.MachineID(filepath.Join(taken, "norikae")); err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	// A directory where the journal belongs.
	if err := os.Mkdir(file.Path(base, route), 0o700); err != nil {
		t.Fatal(err)
	}
	want = "opening the journal: open " + file.Path(base, route) + ": is a directory"
	if _, err := file.Open(base, route); err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	if err := os.Remove(file.Path(base, route)); err != nil {
		t.Fatal(err)
	}
	closed(t, open(t, base)) // and the lock was given back
}

func TestTheDirectoryIsWhereTheEnvironmentSays(t *testing.T) {
	for name, tc := range map[string]struct {
		env       map[string]string
		dir, fail string
	}{
		"the state directory":                  {map[string]string{"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/norikae", ""},
		"the home without one":                 {map[string]string{"HOME": "/h"}, "/h/.local/state/norikae", ""},
		"a relative one does not count (XDG)":  {map[string]string{"XDG_STATE_HOME": "s", "HOME": "/h"}, "/h/.local/state/norikae", ""},
		"neither of them is an error":          {nil, "", "neither XDG_STATE_HOME nor HOME is set: there is no place for the journal; set XDG_STATE_HOME to a directory"},
		"nor does a relative one help no home": {map[string]string{"XDG_STATE_HOME": "s"}, "", "neither XDG_STATE_HOME nor HOME is set: there is no place for the journal; set XDG_STATE_HOME to a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := file.Dir(func(k string) string { return tc.env[k] })
			text := ""
			if err != nil {
				text = err.Error()
			}
			if dir != tc.dir || text != tc.fail {
				t.Errorf("%q %q, want %q %q", dir, text, tc.dir, tc.fail)
			}
		})
	}
}
