// Package state keeps a lab's resources in a directory, as the calls that made them:
// every call that changes something is written down with its time. A lab that starts
// there again builds its world anew, listening where it did before, and serves the calls
// once more. Identifiers come from the seed and the order of the calls alone, so that
// they come out the same; that they do is checked call by call. Temporary credentials
// and metric data are not kept.
package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// version of the files. Another one is refused.
const version = 1

// Config of a Dir: what the lab would begin with.
type Config struct {
	Path  string
	World string
	Seed  uint64
}

// head is the file lab.json.
type head struct {
	Version   int               `json:"version"`
	World     string            `json:"world"`
	Seed      uint64            `json:"seed"`
	Started   time.Time         `json:"started"`   // the clock while the world is built
	Addresses map[string]string `json:"addresses"` // host:port by what listens there
}

// Dir is an open state directory. Its methods may be called on nil, which keeps nothing.
type Dir struct {
	path string
	lock *flock.Flock

	mu     sync.Mutex
	head   head
	past   bool      // the world is being built, or calls are served again
	stands time.Time // what the clock stands at; zero: it goes
	calls  *os.File
}

// Open locks the directory, and makes it when it is not there. The clock stands at the
// time when it was made, until Restore. An empty path gives nil.
func Open(cfg Config) (_ *Dir, err error) {
	if cfg.Path == "" {
		return nil, nil //nolint:nilnil // nil keeps nothing
	}
	if err := os.MkdirAll(cfg.Path, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	d := &Dir{path: cfg.Path, lock: flock.New(filepath.Join(cfg.Path, "lock"), flock.SetPermissions(0o600))}
	if ok, err := d.lock.TryLock(); err != nil || !ok {
		return nil, errors.Join(fmt.Errorf("state directory %s: another lab runs there; end it, or name another directory", cfg.Path), err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("state directory: %w", err), d.Close())
		}
	}()
	b, err := os.ReadFile(d.file("lab.json"))
	switch {
	case errors.Is(err, os.ErrNotExist):
		d.head = head{Version: version, World: cfg.World, Seed: cfg.Seed, Started: time.Now().UTC(), Addresses: map[string]string{}}
		err = d.saveHead()
	case err == nil:
		err = d.readHead(b, cfg)
	}
	if err != nil {
		return nil, err
	}
	d.past, d.stands = true, d.head.Started
	d.calls, err = os.OpenFile(d.file("calls.jsonl"), os.O_RDWR|os.O_CREATE, 0o600)
	return d, err
}

func (d *Dir) file(name string) string { return filepath.Join(d.path, name) }

func (d *Dir) readHead(b []byte, cfg Config) error {
	if err := json.Unmarshal(b, &d.head); err != nil {
		return fmt.Errorf("%s: %w", d.file("lab.json"), err)
	}
	const anew = "or begin with an empty directory"
	switch h := d.head; {
	case h.Version != version:
		return fmt.Errorf("%s has version %d, want %d: begin with an empty directory", d.file("lab.json"), h.Version, version)
	case h.World != cfg.World:
		return fmt.Errorf("%s holds the world %q, not %q: say --seed %q, %s", d.path, h.World, cfg.World, h.World, anew)
	case h.Seed != cfg.Seed:
		return fmt.Errorf("%s was begun with the random seed %d, not %d: take that, %s", d.path, h.Seed, cfg.Seed, anew)
	}
	if d.head.Addresses == nil {
		d.head.Addresses = map[string]string{}
	}
	return nil
}

// saveHead replaces lab.json. The caller holds d.mu, or is alone.
func (d *Dir) saveHead() error {
	b, err := json.MarshalIndent(d.head, "", "  ")
	if err != nil {
		return fmt.Errorf("writing lab.json: %w", err)
	}
	next := d.file("lab.json.new")
	if err := os.WriteFile(next, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(next, d.file("lab.json"))
}

// Now is the clock of the lab's services.
func (d *Dir) Now() time.Time {
	if d != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.stands.IsZero() {
			return d.stands
		}
	}
	return time.Now()
}

// stand the clock at a time; the zero time lets it go.
func (d *Dir) stand(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stands = at
}

// ListenFunc opens a listener, as net.Listen does.
type ListenFunc func(network, addr string) (net.Listener, error)

// Listen makes what listens under a name do so where it did the last time: the first
// listener that it opens, the second, and so on.
func (d *Dir) Listen(name string, open ListenFunc) ListenFunc {
	if d == nil {
		return open
	}
	n := 0
	return func(network, addr string) (net.Listener, error) {
		d.mu.Lock()
		n++
		key := fmt.Sprintf("%s/%d", name, n)
		known := d.head.Addresses[key]
		d.mu.Unlock()
		if known != "" && strings.HasSuffix(addr, ":0") {
			addr = known
		}
		ln, err := open(network, addr)
		if err != nil {
			return nil, fmt.Errorf("listening for %s where it did before: %w", key, err)
		}
		if err := d.remember(key, ln.Addr().String()); err != nil {
			return nil, errors.Join(err, ln.Close())
		}
		return ln, nil
	}
}

// Address of what was remembered under a key; "" when there is none.
func (d *Dir) Address(key string) string {
	if d == nil {
		return ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.head.Addresses[key]
}

// Remember where something listens that Listen does not open.
func (d *Dir) Remember(key, addr string) error {
	if d == nil {
		return nil
	}
	return d.remember(key, addr)
}

func (d *Dir) remember(key, addr string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.head.Addresses[key] == addr {
		return nil
	}
	d.head.Addresses[key] = addr
	if err := d.saveHead(); err != nil {
		return fmt.Errorf("remembering the address of %s: %w", key, err)
	}
	return nil
}

// Close gives the directory back.
func (d *Dir) Close() error {
	if d == nil {
		return nil
	}
	var err error
	if d.calls != nil {
		err = d.calls.Close()
	}
	return errors.Join(err, d.lock.Unlock())
}
