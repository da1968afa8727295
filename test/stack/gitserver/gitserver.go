// Package gitserver serves Git repositories over smart HTTP, by Git's own http-backend. A
// repository that is asked for and is not there is made, empty.
package gitserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi" //nolint:gosec // G504: httpoxy was mended in Go 1.6.3
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// maxBody bounds a push, in bytes.
const maxBody = 64 << 20

// repository is the first part of a path.
var repository = regexp.MustCompile(`^/([a-z0-9][a-z0-9-]{0,62}\.git)/`)

// Server of the repositories in a folder.
type Server struct {
	dir     string
	backend cgi.Handler
	mu      sync.Mutex
}

// New returns a Server. It finds git on PATH.
func New(ctx context.Context, dir string) (*Server, error) {
	out, err := exec.CommandContext(ctx, "git", "--exec-path").Output()
	if err != nil {
		return nil, fmt.Errorf("git: %w", err)
	}
	program := filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("git's http-backend: %w; it comes with Debian's git", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the folder of repositories: %w", err)
	}
	return &Server{dir: dir, backend: cgi.Handler{
		Path: program, Dir: dir,
		Env: []string{
			"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=lab", // who is named may push
			"HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		},
		InheritEnv: []string{"PATH"},
	}}, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := repository.FindStringSubmatch(r.URL.Path)
	if name == nil {
		http.Error(w, "want /NAME.git, of letters, digits and hyphens", http.StatusNotFound)
		return
	}
	if err := s.make(r.Context(), name[1]); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	// CGI wants to know how long a body is, which git does not say of a long one.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	r = r.Clone(r.Context())
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	s.backend.ServeHTTP(w, r)
}

// make a repository that is not there.
func (s *Server) make(ctx context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir := filepath.Join(s.dir, name)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) { //nolint:gosec // G703: the name matches repository
		return err
	}
	cmd := exec.CommandContext(ctx, "git", "init", "--quiet", "--bare", "--initial-branch=main", dir) //nolint:gosec // G204: likewise
	cmd.Env = s.backend.Env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("making the repository %s: %w: %s", name, err, out)
	}
	return nil
}
