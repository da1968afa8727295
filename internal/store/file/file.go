// Package file keeps a shift's states in a local journal: fsynced JSON lines that can be
// read while a run writes them, under an exclusive lock that tells whether that run is
// alive. The journal is detail, never truth: losing it, or any tail of it, loses no law.
package file

import (
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
// and begun anew with its newest state. While a run is alive its journal may grow beyond.
const maxJournal = 4 << 20

// Store is an engine.Store over one route's journal. It is safe for concurrent use.
type Store struct {
	mu   sync.Mutex
	path string
	lock *flock.Flock
	file *os.File
	end  int64 // of the last whole line
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
	name := plain(route)
	if len(name) > 60 {
		name = name[len(name)-60:]
	}
	return filepath.Join(dir, name+"-"+short(route)+".jsonl")
}

func short(route string) string {
	sum := sha256.Sum256([]byte(route))
	return hex.EncodeToString(sum[:6])
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
	newest, long, err := s.moveAside()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	s.file = f
	b, err := io.ReadAll(f)
	if err == nil {
		s.end = int64(bytes.LastIndexByte(b, '\n') + 1)
		err = f.Truncate(s.end)
	}
	if err == nil && long {
		err = s.write(newest)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("readying the journal %s: %w", s.path, err), f.Close())
	}
	return nil
}

// moveAside moves a journal that has become long to another name, and gives its newest
// state; ok is false when it is not long, or has none.
func (s *Store) moveAside() (newest shift.State, ok bool, err error) {
	if st, err := os.Stat(s.path); err != nil || st.Size() <= maxJournal {
		return newest, false, nil //nolint:nilerr // opening it will say what is wrong
	}
	if newest, ok, err = Last(s.path); err != nil {
		return newest, false, err
	}
	if err := os.Rename(s.path, s.path+".old"); err != nil {
		return newest, false, fmt.Errorf("moving the long journal aside: %w", err)
	}
	return newest, ok, nil
}

// Save appends a state and syncs it to disk. What a failed write left is written over.
func (s *Store) Save(_ context.Context, st shift.State) error { return s.write(st) }

func (s *Store) write(st shift.State) error {
	b, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("encoding the state: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.file.WriteAt(append(b, '\n'), s.end)
	if err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("syncing the journal: %w", err)
	}
	s.end += int64(n)
	return nil
}

// Load gives the newest state.
func (s *Store) Load(context.Context) (shift.State, bool, error) { return Last(s.path) }

// Last reads the newest whole state of a journal, also while a run writes it. Lines that
// cannot be read are passed over; a journal that is not there has none.
func Last(path string) (last shift.State, ok bool, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return last, false, nil
	}
	if err != nil {
		return last, false, fmt.Errorf("reading the journal: %w", err)
	}
	for rest := b; len(rest) > 0; { // from its end: what comes before the newest is not read
		line := rest[bytes.LastIndexByte(rest[:len(rest)-1], '\n')+1:]
		var st shift.State
		if json.Unmarshal(line, &st) == nil && st.ID != "" {
			return st, true, nil
		}
		rest = rest[:len(rest)-len(line)]
	}
	return last, false, nil
}

// Path of the journal.
func (s *Store) Path() string { return s.path }

// Close gives the journal back to others.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.file.Close(), s.lock.Unlock())
}
