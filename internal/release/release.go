// Package release fetches exactly one release of a tool from its official place: over
// HTTPS, checked against the checksums that were published with it, and kept. A release
// that is kept is used without the network, after its own checksum was looked at again.
package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/norikae/norikae/internal/fault"
)

// Bounds of what is fetched. eksctl, the largest, has about 40 MB packed and 200 MB unpacked.
const (
	maxSums     = 1 << 20   // bytes
	maxArchive  = 256 << 20 // bytes
	maxUnpacked = 512 << 20 // bytes, of the whole archive
	timeout     = 10 * time.Minute
	silence     = 30 * time.Second // until a server begins to answer
	lockRetry   = 100 * time.Millisecond
)

// Config of a Fetcher. The zero value fetches for this machine from the official places.
type Config struct {
	// Dir keeps the tools, as TOOL/VERSION/OS-ARCH/TOOL; default norikae/tools in the
	// user's cache, such as $XDG_CACHE_HOME.
	Dir string
	// Bases replace the official places, by tool: https URLs.
	Bases map[string]string
	// Client makes the requests; nil: one that heeds the proxies of the environment.
	Client *http.Client
	// OS and Arch as Go names them; default: this machine's.
	OS, Arch string
}

// Fetcher of releases. It may be used by many at once, in many processes.
type Fetcher struct {
	dir      string
	bases    map[string]string
	client   *http.Client
	os, arch string

	maxArchive, maxUnpacked int64 // bytes
}

// Progress of a download: how many bytes are there and, if it is known, will be (else -1).
type Progress func(done, total int64)

// New Fetcher. It fetches nothing yet.
func New(cfg Config) (*Fetcher, error) {
	f := &Fetcher{
		dir: cfg.Dir, bases: cfg.Bases, os: cfg.OS, arch: cfg.Arch, maxArchive: maxArchive, maxUnpacked: maxUnpacked,
	}
	if f.dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fault.Terminal("NoCache", fmt.Errorf("there is no folder to keep tools in: set XDG_CACHE_HOME: %w", err))
		}
		f.dir = filepath.Join(cache, "norikae", "tools")
	}
	if f.os == "" {
		f.os = runtime.GOOS
	}
	if f.arch == "" {
		f.arch = runtime.GOARCH
	}
	for name, base := range f.bases {
		if u, err := url.Parse(base); err != nil || u.Scheme != "https" || u.Host == "" {
			return nil, fault.Terminal("InvalidBase", fmt.Errorf("the place %q of %s is not an https URL", base, name))
		}
	}
	f.client = secure(cfg.Client)
	return f, nil
}

// secure is a client that follows redirects to HTTPS alone.
func secure(c *http.Client) *http.Client {
	if c == nil {
		c = &http.Client{}
		if t, ok := http.DefaultTransport.(*http.Transport); ok {
			t = t.Clone()
			t.ResponseHeaderTimeout = silence
			c.Transport = t
		}
	}
	own := *c
	own.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if r.URL.Scheme != "https" {
			return fmt.Errorf("it leads to %s, which is not https", r.URL.Redacted())
		}
		if len(via) >= 5 {
			return errors.New("it leads on more than 5 times")
		}
		return nil
	}
	return &own
}

// Fetch gives the path of a tool's program in a version, such as 0.216.0 or v0.216.0; of a
// plugin, that of a folder with it and no other (for HELM_PLUGINS). One process downloads, the others wait for it. progress may be nil. fault.ErrNotFound: there
// is no such release for this machine.
func (f *Fetcher) Fetch(ctx context.Context, name, version string, progress Progress) (path string, err error) {
	t, err := toolOf(name)
	if err != nil {
		return "", err
	}
	r, err := t.release(version, f.bases[name], f.os, f.arch)
	if err != nil {
		return "", err
	}
	if path, err = f.fetch(ctx, r, progress); err != nil {
		return "", fmt.Errorf("fetching %s %s: %w (or %s)", name, r.version, err, t.instead)
	}
	return path, nil
}

func (f *Fetcher) fetch(ctx context.Context, r release, progress Progress) (string, error) {
	parent := filepath.Join(f.dir, r.tool, r.version)
	home := filepath.Join(parent, f.os+"-"+f.arch)
	if r.kept(home) {
		return r.result(home), nil
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", fmt.Errorf("making a folder: %w", err)
	}
	lock := flock.New(home+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return "", fmt.Errorf("waiting for another process that fetches it (%s): %w", lock.Path(), err)
	}
	defer func() { _ = lock.Close() }() // the end of the process would do it, too
	if r.kept(home) {
		return r.result(home), nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return r.result(home), f.install(ctx, r, home, progress)
}

// install downloads into a new folder, which becomes home at once when all is well. The
// caller holds the lock.
func (f *Fetcher) install(ctx context.Context, r release, home string, progress Progress) (err error) {
	fresh := home + ".new"
	for _, old := range []string{fresh, home} { // of a process that was killed; of a file that was changed
		if err := os.RemoveAll(old); err != nil {
			return fmt.Errorf("clearing a folder: %w", err)
		}
	}
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(fresh)) }()

	sum, err := f.published(ctx, r)
	if err != nil {
		return err
	}
	archive := filepath.Join(fresh, "archive")
	if err := f.download(ctx, r, archive, sum, progress); err != nil {
		return err
	}
	if err := f.unpack(archive, r.members, fresh); err != nil {
		return fmt.Errorf("unpacking %s: %w", r.archive, err)
	}
	for _, m := range r.members {
		if err := record(filepath.Join(fresh, m.to)); err != nil {
			return err
		}
	}
	if err := os.Remove(archive); err != nil {
		return fmt.Errorf("removing the archive: %w", err)
	}
	if err := os.Rename(fresh, home); err != nil {
		return fmt.Errorf("keeping it: %w", err)
	}
	return nil
}

// The record of a program's checksum lies beside it, as sha256sum writes it.
const recordSuffix = ".sha256"

func record(program string) error {
	sum, err := fileSum(program)
	if err != nil {
		return err
	}
	text := sum + "  " + filepath.Base(program) + "\n"
	if err := os.WriteFile(program+recordSuffix, []byte(text), 0o600); err != nil {
		return fmt.Errorf("recording its checksum: %w", err)
	}
	return nil
}

// kept tells whether all of a release is in its folder as it was recorded.
func (r release) kept(home string) bool {
	for _, m := range r.members {
		if !kept(filepath.Join(home, m.to)) {
			return false
		}
	}
	return true
}

// kept tells whether a program is there as it was recorded; one that is not is fetched anew.
func kept(program string) bool {
	text, err := os.ReadFile(program + recordSuffix)
	if err != nil {
		return false
	}
	info, err := os.Lstat(program)
	if err != nil || info.Mode()&(fs.ModeType|0o100) != 0o100 {
		return false
	}
	want, _, _ := strings.Cut(string(text), " ")
	sum, err := fileSum(program)
	return err == nil && sum == want
}
