// Package file keeps a shift's states in a local journal: fsynced JSON lines that can be
// read while a run writes them, under an exclusive lock that tells whether that run is
// alive. The journal is detail, never truth: losing it, or any tail of it, loses no law.
package file

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

// maxJournal bounds a journal in bytes. A longer one is moved aside when it is opened,
// so that at most two of this size stay per route.
const maxJournal = 4 << 20

// maxLine bounds one state in bytes.
const maxLine = 1 << 20

// Store is an engine.Store over one route's journal. It is safe for concurrent use.
type Store struct {
	mu   sync.Mutex
	path string
	lock *flock.Flock
	file *os.File
}

// Dir is where journals live: $XDG_STATE_HOME/norikae, or ~/.local/state/norikae.
func Dir(getenv func(string) string) (string, error) {
	if d := getenv("XDG_STATE_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "norikae"), nil
	}
	home := getenv("HOME")
	if home == "" {
		return "", errors.New("neither XDG_STATE_HOME nor HOME is set: there is no place for the journal; set XDG_STATE_HOME to a directory")
	}
	return filepath.Join(home, ".local", "state", "norikae"), nil
}

// Path of a route's journal within dir. The name is readable up to the hash.
func Path(dir, route string) string {
	sum := sha256.Sum256([]byte(route))
	name := plain(route)
	if len(name) > 60 {
		name = name[len(name)-60:]
	}
	return filepath.Join(dir, name+"-"+hex.EncodeToString(sum[:6])+".jsonl")
}

// Open locks a route's journal for one run. It returns fault.ErrConflict when another
// process on this machine holds it. Close gives it back.
func Open(dir, route string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, noDirectory(err)
	}
	path := Path(dir, route)
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	if !ok {
		return nil, fmt.Errorf("another run on this machine drives this route (it holds %s.lock): wait for it, or see norikae status and norikae abort: %w", path, fault.ErrConflict)
	}
	s := &Store{path: path, lock: lock}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return s, nil
}

func noDirectory(err error) error {
	return fmt.Errorf("making the journal's directory: %w; set XDG_STATE_HOME to a directory that you may write to", err)
}

// open readies the file for appending: a torn last line, left by a crash, is cut off.
func (s *Store) open() error {
	if st, err := os.Stat(s.path); err == nil && st.Size() > maxJournal {
		if err := os.Rename(s.path, s.path+".old"); err != nil {
			return fmt.Errorf("moving the long journal aside: %w", err)
		}
	}
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	whole, err := wholeLines(f)
	if err == nil {
		err = f.Truncate(whole)
	}
	if err == nil {
		_, err = f.Seek(whole, io.SeekStart)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("readying the journal %s: %w", s.path, err), f.Close())
	}
	s.file = f
	return nil
}

// wholeLines is the length of the file up to its last line end.
func wholeLines(f *os.File) (int64, error) {
	b, err := io.ReadAll(io.LimitReader(f, maxJournal+maxLine))
	if err != nil {
		return 0, err
	}
	return int64(bytes.LastIndexByte(b, '\n') + 1), nil
}

// Save appends a state and syncs it to disk.
func (s *Store) Save(_ context.Context, st shift.State) error {
	b, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("encoding the state: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.file.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("syncing the journal: %w", err)
	}
	return nil
}

// Load gives the newest state.
func (s *Store) Load(context.Context) (shift.State, bool, error) { return Last(s.path) }

// Last reads the newest whole state of a journal, also while a run writes it. Lines that
// cannot be read are passed over; a journal that is not there has none.
func Last(path string) (last shift.State, ok bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return last, false, nil
	}
	if err != nil {
		return last, false, fmt.Errorf("opening the journal: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, maxLine)
	for sc.Scan() {
		var st shift.State
		if json.Unmarshal(sc.Bytes(), &st) == nil && st.ID != "" {
			last, ok = st, true
		}
	}
	if err := sc.Err(); err != nil {
		return last, ok, fmt.Errorf("reading the journal: %w", err)
	}
	return last, ok, nil
}

// Path of the journal.
func (s *Store) Path() string { return s.path }

// Close gives the journal back to others.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.file.Close(), s.lock.Unlock())
}
