package gitserver

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=test", "-c", "user.email=test@example.com"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "HOME="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v: %s", args, err, out)
	}
}

// A push of more than a megabyte comes in chunks.
func TestWhatIsPushedCanBeCloned(t *testing.T) {
	s, err := New(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	defer h.Close()
	dir := t.TempDir()
	git(t, dir, "clone", "--quiet", h.URL+"/apps.git", "first")
	first := filepath.Join(dir, "first")
	big := make([]byte, 3<<20)
	_, _ = rand.Read(big)
	if err := os.WriteFile(filepath.Join(first, "big"), big, 0o600); err != nil {
		t.Fatal(err)
	}
	git(t, first, "add", ".")
	git(t, first, "commit", "--quiet", "--message=big")
	git(t, first, "push", "--quiet", "origin", "HEAD:main")
	git(t, dir, "clone", "--quiet", h.URL+"/apps.git", "second")
	if got, err := os.ReadFile(filepath.Join(dir, "second", "big")); err != nil || string(got) != string(big) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
}

func TestNamesThatAreNoRepositories(t *testing.T) {
	s, err := New(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/apps/info/refs", "/../x.git/info/refs", "/a/b.git/info/refs", "/.git/config"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://lab/", http.NoBody)
		r.URL.Path = path
		s.ServeHTTP(w, r)
		if w.Code != http.StatusNotFound {
			t.Errorf("%s is answered %d", path, w.Code)
		}
	}
}
