package kubetest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// guard ends processes that outlive the test binary: one that panics, times out or is
// killed cannot do it. It is a shell that waits for its standard input to end, which the
// operating system closes when the binary is gone, however it went.
type guard struct {
	dir   string // everything that the processes write
	stdin io.Closer
	shell *exec.Cmd
}

// A process is ours when its arguments name the folder: its id may be another's by now.
const watch = `
dir=$1
read line # nobody ever writes: returns when the test binary is gone, or dismisses us
[ -f "$dir/pids" ] || exit 0
while read pid; do
  if grep -qF "$dir" "/proc/$pid/cmdline" 2>/dev/null || ps -p "$pid" -o args= 2>/dev/null | grep -qF "$dir"; then
    kill -KILL "$pid"
  fi
done <"$dir/pids"
rm -rf "$dir"
`

func newGuard(ctx context.Context) (*guard, error) {
	dir, err := os.MkdirTemp("", "kubetest-")
	if err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	// It must outlive the test that starts it, and an interrupt of the test's group.
	shell := exec.CommandContext(context.WithoutCancel(ctx), "/bin/sh", "-c", watch, "sh", dir) //nolint:gosec // a constant script, and a folder of ours
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := shell.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	if err := shell.Start(); err != nil {
		return nil, fmt.Errorf("starting a shell: %w", err)
	}
	return &guard{dir: dir, stdin: stdin, shell: shell}, nil
}

// wrap makes a script that runs the program under the guard, and a folder for what the
// program writes; the folder must be among its arguments.
func (g *guard) wrap(program string) (script, dataDir string, err error) {
	name := filepath.Base(program)
	script, dataDir = filepath.Join(g.dir, name), filepath.Join(g.dir, name+".data")
	if err := os.Mkdir(dataDir, 0o700); err != nil {
		return "", "", fmt.Errorf("making a folder: %w", err)
	}
	// envtest runs each program for its --help first.
	text := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = --help ] || echo $$ >>%s\nexec %s \"$@\"\n", shellQuote(filepath.Join(g.dir, "pids")), shellQuote(program))
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil { //nolint:gosec // it is run
		return "", "", fmt.Errorf("writing a script: %w", err)
	}
	return script, dataDir, nil
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// dismiss ends the guard after the processes have ended.
func (g *guard) dismiss() error {
	if err := os.RemoveAll(g.dir); err != nil {
		return fmt.Errorf("removing the API server's files: %w", err)
	}
	if err := g.stdin.Close(); err != nil {
		return fmt.Errorf("ending the guard: %w", err)
	}
	if err := g.shell.Wait(); err != nil {
		return fmt.Errorf("ending the guard: %w", err)
	}
	return nil
}
