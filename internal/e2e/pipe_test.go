package e2e

import (
	"bufio"
	"context"
	"io"
	"maps"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A reader that does not read (a pager, a stalled connection) holds nothing up.
func TestARollbackDoesNotWaitForWhoeverReadsAboutIt(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	l.setWeights(t, 9, 1)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	full := 0
	for {
		if err := write.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, err := write.Write(make([]byte, 1024))
		full += n
		if err != nil {
			break // nothing more goes in
		}
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Getenv(binaryVar), "shift", "-f", "-")
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = l.env(t.TempDir()), strings.NewReader(l.manifest("web", 0, 100, pausing)), write, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close() // the process has its own
	until(t, "the first step is written", func() bool { return l.weights(t)["green"] == 37 })
	l.fault(t, `{"kind":"access-denied","operation":"ModifyRule","times":5}`) // each a warning in the log
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	until(t, "it is rolled back", func() bool { return l.weights(t)["green"] == 1 })
	until(t, "the mark is gone", func() bool { return l.tags(t)["norikae.dev/shift"] == "" })
	out, err := io.ReadAll(read)
	_ = cmd.Wait() // ProcessState tells the exit code
	if cmd.ProcessState.ExitCode() != 2 || err != nil || !strings.Contains(string(out[full:]), "error: rolled back: interrupted") {
		t.Errorf("%s %v, after it could be read: %s", cmd.ProcessState, err, out[full:])
	}
}

// Ctrl-C in `norikae shift | tee log` ends tee, too, and often first: what the shift
// says about its rollback then goes nowhere. The same when a terminal is closed.
func TestARollbackOutlivesWhoeverReadsAboutIt(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]os.Signal{"after Ctrl-C": os.Interrupt, "after the terminal was closed": syscall.SIGHUP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLab(t)
			l.setWeights(t, 9, 1)
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Getenv(binaryVar), "shift", "-f", "-")
			cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = l.env(t.TempDir()), strings.NewReader(l.manifest("web", 0, 100, pausing)), write, write
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_ = write.Close() // the process has its own
			for sc := bufio.NewScanner(read); sc.Scan() && !strings.Contains(sc.Text(), "waits for approval"); {
			}
			_ = read.Close()
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // ProcessState tells the exit code
			if got, want := l.weights(t), map[string]int{"blue": 9, "green": 1}; cmd.ProcessState.ExitCode() != 2 || !maps.Equal(got, want) {
				t.Errorf("%s at %v, want exit status 2 at %v", cmd.ProcessState, got, want)
			}
			l.noMark(t)
		})
	}
}
