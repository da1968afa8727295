package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/fault"
)

// entry of an archive.
type entry struct {
	name string
	text string
	kind byte // 0: a regular file
	link string
}

func archive(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Size: int64(len(e.text)), Mode: 0o777, Linkname: e.link}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// place is an official place of a tool.
type place struct {
	*httptest.Server

	mu    sync.Mutex
	files map[string][]byte // by path
	asked []string
	serve func(w http.ResponseWriter, r *http.Request) bool // before files; true: served
}

func newPlace(t *testing.T, files map[string][]byte) *place {
	t.Helper()
	p := &place{files: files}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked = append(p.asked, r.URL.Path)
		serve, body, ok := p.serve, p.files[r.URL.Path], false
		if _, ok = p.files[r.URL.Path]; !ok {
			body = nil
		}
		p.mu.Unlock()
		if serve != nil && serve(w, r) {
			return
		}
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(body)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *place) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

// eksctl in a version, as its project publishes it.
func eksctl(t *testing.T, program string) *place {
	t.Helper()
	return published(t, archive(t, entry{name: "eksctl", text: program}))
}

func published(t *testing.T, packed []byte) *place {
	t.Helper()
	return newPlace(t, map[string][]byte{
		"/v0.216.0/eksctl_Linux_amd64.tar.gz": packed,
		"/v0.216.0/eksctl_checksums.txt": []byte(sumOf([]byte("other")) + "  eksctl_Linux_arm64.tar.gz\n" +
			sumOf(packed) + "  eksctl_Linux_amd64.tar.gz\n"),
	})
}

func (p *place) fetcher(t *testing.T, dir, name string) *Fetcher {
	t.Helper()
	f, err := New(Config{Dir: dir, Bases: map[string]string{name: p.URL}, Client: p.Client(), OS: "linux", Arch: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAReleaseIsFetchedOnceAndKept(t *testing.T) {
	helm := archive(t, entry{name: "linux-amd64/", kind: tar.TypeDir}, entry{name: "linux-amd64/LICENSE", text: "x"}, entry{name: "linux-amd64/helm", text: "helm!"})
	helmfile := archive(t, entry{name: "README.md", text: "x"}, entry{name: "helmfile", text: "helmfile!"})
	for name, tc := range map[string]struct {
		place         *place
		tool, version string
		dir, want     string
		asked         []string
	}{
		"eksctl": {
			eksctl(t, "eksctl!"), Eksctl, "v0.216.0", "0.216.0", "eksctl!",
			[]string{"/v0.216.0/eksctl_checksums.txt", "/v0.216.0/eksctl_Linux_amd64.tar.gz"},
		},
		"helm": {
			newPlace(t, map[string][]byte{
				"/helm-v3.19.0-linux-amd64.tar.gz":        helm,
				"/helm-v3.19.0-linux-amd64.tar.gz.sha256": []byte(sumOf(helm)),
			}), Helm, "3.19.0", "3.19.0", "helm!",
			[]string{"/helm-v3.19.0-linux-amd64.tar.gz.sha256", "/helm-v3.19.0-linux-amd64.tar.gz"},
		},
		"helmfile": {
			newPlace(t, map[string][]byte{
				"/v1.1.7/helmfile_1.1.7_linux_amd64.tar.gz": helmfile,
				"/v1.1.7/helmfile_1.1.7_checksums.txt":      []byte(strings.ToUpper(sumOf(helmfile)) + " *helmfile_1.1.7_linux_amd64.tar.gz\r\n"),
			}), Helmfile, "1.1.7", "1.1.7", "helmfile!",
			[]string{"/v1.1.7/helmfile_1.1.7_checksums.txt", "/v1.1.7/helmfile_1.1.7_linux_amd64.tar.gz"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var seen [][2]int64
			path, err := tc.place.fetcher(t, dir, tc.tool).Fetch(t.Context(), tc.tool, tc.version, func(done, total int64) { seen = append(seen, [2]int64{done, total}) })
			if err != nil {
				t.Fatal(err)
			}
			if want := filepath.Join(dir, tc.tool, tc.dir, "linux-amd64", tc.tool); path != want {
				t.Errorf("it lies at %s, want %s", path, want)
			}
			text, err := os.ReadFile(path)
			info, statErr := os.Stat(path)
			if err != nil || statErr != nil || string(text) != tc.want || info.Mode() != 0o700 {
				t.Errorf("it is %q, %v: %v, %v", text, info, err, statErr)
			}
			if d := cmp.Diff(tc.asked, tc.place.requests()); d != "" {
				t.Error(d)
			}
			if n := len(seen); n != 1 || seen[0][0] != seen[0][1] || seen[0][0] == 0 {
				t.Errorf("progress is %v", seen)
			}
			left, err := os.ReadDir(filepath.Dir(path))
			if err != nil || len(left) != 2 {
				t.Errorf("beside it there is %v, %v", left, err)
			}
			if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("its folder is %v, %v", info, err)
			}

			tc.place.Close() // without the network, and in another process
			again, err := tc.place.fetcher(t, dir, tc.tool).Fetch(t.Context(), tc.tool, strings.TrimPrefix(tc.version, "v"), nil)
			if err != nil || again != path || len(tc.place.requests()) != 2 {
				t.Errorf("a second time: %s, %v, after %v", again, err, tc.place.requests())
			}
		})
	}
}

func TestAKeptProgramThatWasChangedIsFetchedAnew(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"its bytes":    func(p string) error { return os.WriteFile(p, []byte("evil"), 0o700) },
		"its mode":     func(p string) error { return os.Chmod(p, 0o600) },
		"its checksum": func(p string) error { return os.Remove(p + ".sha256") },
		"to a link": func(p string) error {
			return errors.Join(os.Rename(p, p+"2"), os.Symlink(p+"2", p))
		},
		"a killed process's rest": func(p string) error {
			home := filepath.Dir(p)
			return errors.Join(os.RemoveAll(home), os.Mkdir(home+".new", 0o700), os.WriteFile(filepath.Join(home+".new", "archive"), []byte("half"), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := eksctl(t, "eksctl!")
			f := p.fetcher(t, t.TempDir(), Eksctl)
			path, err := f.Fetch(t.Context(), Eksctl, "0.216.0", nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := change(path); err != nil {
				t.Fatal(err)
			}
			again, err := f.Fetch(t.Context(), Eksctl, "0.216.0", nil)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(again)
			if err != nil || string(text) != "eksctl!" || len(p.requests()) != 4 {
				t.Errorf("it is %q, %v, after %v", text, err, p.requests())
			}
			if !kept(again) {
				t.Error("it is not kept")
			}
		})
	}
}

func TestManyWhoWantTheSameReleaseDownloadItOnce(t *testing.T) {
	p, dir := eksctl(t, strings.Repeat("eksctl!", 1<<16)), t.TempDir()
	var wg sync.WaitGroup
	for range 16 {
		f := p.fetcher(t, dir, Eksctl) // a Fetcher of its own, as in processes: a lock per open file
		wg.Go(func() {
			if _, err := f.Fetch(t.Context(), Eksctl, "0.216.0", nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := p.requests(); len(got) != 2 {
		t.Errorf("asked for %v", got)
	}
}

func TestWhatIsNotTheReleaseIsNotUsed(t *testing.T) {
	good := archive(t, entry{name: "eksctl", text: "eksctl!"})
	const (
		packed = "/v0.216.0/eksctl_Linux_amd64.tar.gz"
		sums   = "/v0.216.0/eksctl_checksums.txt"
	)
	of := func(b []byte) *place { return published(t, b) }
	with := func(p *place, change func(*place)) *place { change(p); return p }
	redirect := func(to string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == packed {
				http.Redirect(w, r, to, http.StatusFound)
			}
			return r.URL.Path == packed
		}
	}
	var plain atomic.Int32
	insecure := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		plain.Add(1)
		_, _ = w.Write(good)
	}))
	t.Cleanup(insecure.Close)
	for name, tc := range map[string]struct {
		place    *place
		want     []string
		terminal bool
		notFound bool
	}{
		"another checksum": {
			with(of(good), func(p *place) { p.files[packed] = archive(t, entry{name: "eksctl", text: "evil"}) }),
			[]string{packed, "has the SHA-256 checksum", sumOf(good), "is not used"},
			true, false,
		},
		"a truncated archive": {
			with(of(good), func(p *place) {
				p.serve = func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path != packed {
						return false
					}
					w.Header().Set("Content-Length", fmt.Sprint(len(good)))
					_, _ = w.Write(good[:len(good)/2])
					return true
				}
			}), []string{packed, "unexpected EOF"}, false, false,
		},
		"a redirect to http":           {with(of(good), func(p *place) { p.serve = redirect(insecure.URL) }), []string{"it leads to " + insecure.URL, "not https"}, false, false},
		"redirects for ever":           {with(of(good), func(p *place) { p.serve = redirect(packed) }), []string{"more than 5 times"}, false, false},
		"an unknown version":           {newPlace(t, nil), []string{sums, "no such release", "https://github.com/eksctl-io/eksctl/releases", "eksctl_bin"}, false, true},
		"checksums, but no archive":    {with(of(good), func(p *place) { delete(p.files, packed) }), []string{packed, "no such release"}, false, true},
		"a server that is not well":    {with(of(good), func(p *place) { p.serve = unwell }), []string{sums, "503 Service Unavailable"}, false, false},
		"checksums of others":          {with(of(good), func(p *place) { p.files[sums] = []byte(sumOf(good) + "  eksctl_Darwin_amd64.tar.gz\n") }), []string{"no checksum of eksctl_Linux_amd64.tar.gz"}, false, false},
		"a web page for checksums":     {with(of(good), func(p *place) { p.files[sums] = []byte("<html>\n<p>Sign in</p>\n") }), []string{sums, "no checksum of"}, false, false},
		"a checksum of another kind":   {with(of(good), func(p *place) { p.files[sums] = []byte("d41d8cd98f00b204e9800998ecf8427e  eksctl_Linux_amd64.tar.gz") }), []string{"is no SHA-256 checksum"}, false, false},
		"two checksums":                {with(of(good), func(p *place) { p.files[sums] = append(p.files[sums], sumOf(nil)+"  eksctl_Linux_amd64.tar.gz\n"...) }), []string{"two checksums"}, false, false},
		"a checksum file without end":  {with(of(good), func(p *place) { p.files[sums] = make([]byte, maxSums+1) }), []string{"these are no checksums"}, false, false},
		"a name that leads up":         {of(archive(t, entry{name: "../../eksctl", text: "evil"}, entry{name: "eksctl", text: "x"})), []string{`"../../eksctl"`, "leads elsewhere"}, false, false},
		"a name that leads to a root":  {of(archive(t, entry{name: "/usr/bin/eksctl", text: "evil"})), []string{"leads elsewhere"}, false, false},
		"a link for the program":       {of(archive(t, entry{name: "eksctl", kind: tar.TypeSymlink, link: "/bin/sh"})), []string{"not one regular file"}, false, false},
		"the program twice":            {of(archive(t, entry{name: "eksctl", text: "a"}, entry{name: "./eksctl", text: "b"})), []string{"not one regular file"}, false, false},
		"no program":                   {of(archive(t, entry{name: "README.md", text: "a"})), []string{"has no file eksctl"}, false, false},
		"a program that is a bomb":     {of(archive(t, entry{name: "eksctl", text: strings.Repeat("\x00", 2<<20)})), []string{"holds more than 1048576 bytes"}, false, false},
		"a bomb beside the program":    {of(archive(t, entry{name: "a", text: strings.Repeat("\x00", 2<<20)}, entry{name: "eksctl", text: "x"})), []string{"holds more than 1048576 bytes"}, false, false},
		"no archive":                   {of([]byte("hello")), []string{"it is no gzip"}, false, false},
		"half an archive, so declared": {of(good[:len(good)-12]), []string{"unpacking", packed}, false, false},
		"a large archive": {
			with(of(good), func(p *place) { p.files[packed] = make([]byte, 2<<20) }),
			[]string{"2097152 bytes, more than 1048576"},
			false, false,
		},
		"a large archive of unknown size": {
			with(of(good), func(p *place) {
				p.serve = func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path != packed {
						return false
					}
					_ = http.NewResponseController(w).Flush()
					_, _ = w.Write(make([]byte, 2<<20))
					return true
				}
			}),
			[]string{"more than 1048576 bytes"},
			false, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f := tc.place.fetcher(t, dir, Eksctl)
			f.maxArchive, f.maxUnpacked = 1<<20, 1<<20
			path, err := f.Fetch(t.Context(), Eksctl, "0.216.0", nil)
			if err == nil {
				t.Fatalf("it is used: %s", path)
			}
			for _, want := range append(tc.want, "fetching eksctl 0.216.0", "set eksctl_bin") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			if fault.IsTerminal(err) != tc.terminal || errors.Is(err, fault.ErrNotFound) != tc.notFound {
				t.Errorf("the class of %v", err)
			}
			left, globErr := filepath.Glob(filepath.Join(dir, "eksctl", "0.216.0", "*"))
			if want := []string{filepath.Join(dir, "eksctl", "0.216.0", "linux-amd64.lock")}; globErr != nil || cmp.Diff(want, left) != "" {
				t.Errorf("it leaves %v, %v", left, globErr)
			}
		})
	}
	if n := plain.Load(); n != 0 {
		t.Errorf("%d requests went over plain HTTP", n)
	}
}

func unwell(w http.ResponseWriter, _ *http.Request) bool {
	http.Error(w, "later", http.StatusServiceUnavailable)
	return true
}

func TestAFetchEndsWithItsContext(t *testing.T) {
	p := eksctl(t, "eksctl!")
	reached := make(chan struct{})
	p.serve = func(_ http.ResponseWriter, r *http.Request) bool {
		close(reached)
		<-r.Context().Done()
		return true
	}
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := p.fetcher(t, dir, Eksctl).Fetch(ctx, Eksctl, "0.216.0", nil)
		failed <- err
	}()
	<-reached

	waiting, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if _, err := p.fetcher(t, dir, Eksctl).Fetch(waiting, Eksctl, "0.216.0", nil); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "waiting for another process") {
		t.Errorf("who waits is told %v", err)
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("who downloads is told %v", err)
	}
}

func TestWhatCannotBeFetchedIsRefusedBeforeAnybodyIsAsked(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg           Config
		tool, version string
		want          string
	}{
		"no version":          {Config{}, Eksctl, "", `the version "" is not an exact one`},
		"the latest":          {Config{}, Helm, "latest", `the version "latest" is not an exact one`},
		"a range":             {Config{}, Helm, ">=3.0.0", "is not an exact one"},
		"two numbers":         {Config{}, Helmfile, "1.1", "is not an exact one"},
		"a path":              {Config{}, Eksctl, "1.0.0-../../x", "is not an exact one"},
		"a query":             {Config{}, Eksctl, "1.0.0?x", "is not an exact one"},
		"two lines":           {Config{}, Eksctl, "1.0.0\n", "is not an exact one"},
		"build metadata":      {Config{}, Eksctl, "1.0.0+x", "is not an exact one"},
		"another tool":        {Config{}, "kubectl", "1.0.0", `the tool "kubectl" is not one of eksctl, helm, helmfile, helm-diff`},
		"another system":      {Config{OS: "windows", Arch: "amd64"}, Helm, "3.19.0", "for windows/amd64, only for linux and darwin"},
		"another processor":   {Config{OS: "linux", Arch: "386"}, Helmfile, "1.1.7", "set binary to a program that is there"},
		"a place without TLS": {Config{Bases: map[string]string{Helm: "http://127.0.0.1"}}, Helm, "3.19.0", `the place "http://127.0.0.1" of helm is not an https URL`},
	} {
		t.Run(name, func(t *testing.T) {
			tc.cfg.Dir = filepath.Join(t.TempDir(), "tools")
			f, err := New(tc.cfg)
			if err == nil {
				_, err = f.Fetch(t.Context(), tc.tool, tc.version, nil)
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || !fault.IsTerminal(err) {
				t.Errorf("the error is %v", err)
			}
			if _, err := os.Stat(tc.cfg.Dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("there is a folder: %v", err)
			}
		})
	}
}

func TestTheOfficialPlaces(t *testing.T) {
	for name, tc := range map[string]struct {
		tool, version, goos string
		archive, sums       string
	}{
		"eksctl on Linux": {
			Eksctl, "0.216.0", "linux", "https://github.com/eksctl-io/eksctl/releases/download/v0.216.0/eksctl_Linux_amd64.tar.gz",
			"https://github.com/eksctl-io/eksctl/releases/download/v0.216.0/eksctl_checksums.txt",
		},
		"eksctl on a Mac": {
			Eksctl, "v0.216.0-rc.1", "darwin", "https://github.com/eksctl-io/eksctl/releases/download/v0.216.0-rc.1/eksctl_Darwin_amd64.tar.gz",
			"https://github.com/eksctl-io/eksctl/releases/download/v0.216.0-rc.1/eksctl_checksums.txt",
		},
		"helm": {Helm, "3.19.0", "linux", "https://get.helm.sh/helm-v3.19.0-linux-amd64.tar.gz", "https://get.helm.sh/helm-v3.19.0-linux-amd64.tar.gz.sha256"},
		"helmfile": {
			Helmfile, "1.1.7", "darwin", "https://github.com/helmfile/helmfile/releases/download/v1.1.7/helmfile_1.1.7_darwin_amd64.tar.gz",
			"https://github.com/helmfile/helmfile/releases/download/v1.1.7/helmfile_1.1.7_checksums.txt",
		},
		"the plugin diff on a Mac": {
			HelmDiff, "v3.15.13", "darwin", "https://github.com/databus23/helm-diff/releases/download/v3.15.13/helm-diff-macos-amd64.tgz",
			"https://github.com/databus23/helm-diff/releases/download/v3.15.13/helm-diff_3.15.13_checksums.txt",
		},
		"the plugin diff on Linux": {
			HelmDiff, "3.15.13", "linux", "https://github.com/databus23/helm-diff/releases/download/v3.15.13/helm-diff-linux-amd64.tgz",
			"https://github.com/databus23/helm-diff/releases/download/v3.15.13/helm-diff_3.15.13_checksums.txt",
		},
	} {
		t.Run(name, func(t *testing.T) {
			known, err := toolOf(tc.tool)
			if err != nil {
				t.Fatal(err)
			}
			r, err := known.release(tc.version, "", tc.goos, "amd64")
			if err != nil || r.archive != tc.archive || r.sums != tc.sums || !strings.HasSuffix(r.archive, "/"+r.file) {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

func TestToolsAreKeptInTheUsersCache(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/home/fake/cache")
	t.Setenv("HOME", "/home/fake")
	f, err := New(Config{})
	if err != nil || !strings.HasPrefix(f.dir, "/home/fake") || !strings.HasSuffix(f.dir, filepath.Join("norikae", "tools")) {
		t.Errorf("%+v, %v", f, err)
	}
}
