package helmfile

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// DefaultGrace is how long a program that was interrupted may take to end.
const DefaultGrace = 30 * time.Second

const (
	maxOutput = 256 << 10 // bytes of each output that are kept
	maxLine   = maxOutput // bytes of a line; a longer one is left out
	lastLines = 15        // are quoted in errors
)

// output of a program, without secrets.
type output struct {
	stdout string
	both   string // stdout and stderr, by lines, as they came
}

func (r Runner) run(ctx context.Context, f *files, line func(string), args []string) (output, error) {
	var mu sync.Mutex
	both := &tail{}
	stdout := &lines{mu: &mu, scrub: f.scrub, each: line, tails: []*tail{{}, both}}
	stderr := &lines{mu: &mu, scrub: f.scrub, each: line, tails: []*tail{both}}
	cmd := exec.CommandContext(ctx, f.spec.Binary, args...) //nolint:gosec // G204: the program that the user named, and no shell is between
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = f.spec.WorkingDirectory, f.env, stdout, stderr
	ownGroup(cmd)
	grace := cmp.Or(r.Grace, DefaultGrace)
	var told time.Time
	cmd.Cancel = func() error {
		told = time.Now()
		return interrupt(cmd)
	}
	cmd.WaitDelay = grace
	runtime.LockOSThread() // see whenOrphaned
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return output{}, f.startError(err)
	}
	err := cmd.Wait()
	if ctx.Err() != nil || errors.Is(err, exec.ErrWaitDelay) {
		// helm may have to put a release's record right after helmfile has gone.
		await(cmd, grace-time.Since(told))
		kill(cmd)
	}
	stdout.flush()
	stderr.flush()
	out := output{stdout: stdout.tails[0].String(), both: both.String()}
	if err == nil {
		return out, nil
	}
	return out, &ExitError{Code: cmd.ProcessState.ExitCode(), cause: cmp.Or(context.Cause(ctx), err), last: lastOf(out.both), hint: f.hint(out.both)}
}

func (f *files) startError(err error) error {
	dir := f.spec.WorkingDirectory
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("helmfile is not there: binary = %q is not on PATH: install helmfile, set binary to its path, or set version and it is fetched", f.spec.Binary)
	case dir != "" && errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(dir); err != nil {
			return fmt.Errorf("working_directory = %q: there is no such folder: create it, or correct the path", dir)
		}
	}
	return fmt.Errorf("starting helmfile: %w", err)
}

// ExitError is a run of helmfile that did not succeed.
type ExitError struct {
	Code  int // exit status; -1: a signal ended it
	cause error
	last  string
	hint  string
}

func (e *ExitError) Error() string {
	cause := e.cause.Error()
	if errors.Is(e.cause, context.Canceled) {
		cause = "it was interrupted"
	}
	text := fmt.Sprintf("helmfile did not succeed (%s)", cause)
	if e.hint != "" {
		text += ": " + e.hint
	}
	if e.last != "" {
		text += "; its last words:\n" + e.last
	}
	return text
}

func (e *ExitError) Unwrap() error { return e.cause }

// hint says what to do about errors that helmfile does not explain.
func (f *files) hint(out string) string {
	path := f.near(f.spec.Path)
	if f.spec.Path != "" && f.spec.Content == "" && !strings.HasSuffix(path, ".gotmpl") {
		if text, err := os.ReadFile(path); err == nil && bytes.Contains(text, []byte("{{")) {
			return fmt.Sprintf("path = %q has template expressions ({{ … }}), but helmfile v1 renders only files whose name ends in .gotmpl: rename it to %s.gotmpl", f.spec.Path, f.spec.Path)
		}
	}
	for _, h := range []struct{ sign, hint string }{
		{"cannot be defined within the same YAML part", "helmfile v1 wants environments and releases in different parts: put a line with --- between them"},
		{`unknown command "diff"`, "helm's plugin diff is not installed: run `helm plugin install https://github.com/databus23/helm-diff`"},
		{"plugin diff not installed", "helm's plugin diff is not installed: run `helm plugin install https://github.com/databus23/helm-diff`"},
		{"no releases found that matches", "no release is selected: correct selector, selectors or environment"},
		{"no state file found", "there is no helmfile: set content, path or working_directory"},
		{"another operation (install/upgrade/rollback) is in progress", "another helm works on the release, or one was killed at work: when none does, run `helm rollback RELEASE`, or `helm uninstall RELEASE` where it was never deployed, and apply again"},
		{"helm\": executable file not found", "helm is not on PATH: set helm_binary to its path, or set helm_version and it is fetched"},
	} {
		if strings.Contains(out, h.sign) {
			return h.hint
		}
	}
	return ""
}

// lastOf are the last lines of a text.
func lastOf(text string) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lastLines):], "\n")
}

// lines takes one output of a program, line by line.
type lines struct {
	mu    *sync.Mutex // of both outputs
	scrub *scrubber
	each  func(string)
	part  []byte // of a line that has no end yet
	left  int    // bytes of that line that were left out
	tails []*tail
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, p...)
	for {
		i := bytes.IndexByte(l.part, '\n')
		if i < 0 {
			break
		}
		l.line(l.part[:i])
		l.part = l.part[i+1:]
	}
	if l.left > 0 || len(l.part) > maxLine {
		l.left += len(l.part)
		l.part = nil
	}
	return len(p), nil
}

func (l *lines) flush() {
	if len(l.part)+l.left > 0 {
		l.line(l.part)
		l.part = nil
	}
}

func (l *lines) line(b []byte) {
	s := l.scrub.clean(strings.ToValidUTF8(strings.TrimRight(string(b), "\r"), "\uFFFD"))
	if n := l.left + len(b); n > maxLine {
		s = fmt.Sprintf("(a line of %d bytes is left out)", n)
	}
	l.left = 0
	for _, t := range l.tails {
		t.add(s)
	}
	if l.each != nil {
		l.each(s)
	}
}

// tail keeps the last whole lines, at most maxOutput bytes of them.
type tail struct {
	lines []string
	size  int // bytes of lines, with their ends
	left  int // bytes that were left out
}

func (t *tail) add(s string) {
	t.lines = append(t.lines, s)
	t.size += len(s) + 1
	for t.size > maxOutput {
		n := len(t.lines[0]) + 1
		t.size, t.left, t.lines = t.size-n, t.left+n, t.lines[1:]
	}
}

func (t *tail) String() string {
	if len(t.lines) == 0 {
		return ""
	}
	s := strings.Join(t.lines, "\n") + "\n"
	if t.left > 0 {
		return fmt.Sprintf("(%d bytes before this are left out)\n", t.left) + s
	}
	return s
}
