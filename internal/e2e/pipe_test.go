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
	cmd, read, full := l.startStalled(t)
	l.fault(t, `{"kind":"access-denied","operation":"ModifyRule","times":5}`) // each a warning in the log
	interrupt(t, cmd)
	until(t, "it is rolled back", func() bool { return l.weights(t)["green"] == 1 })
	until(t, "the mark is gone", func() bool { return l.tags(t)["norikae.dev/shift"] == "" })
	out, err := io.ReadAll(read)
	_ = cmd.Wait() // ProcessState tells the exit code
	if cmd.ProcessState.ExitCode() != 2 || err != nil || !strings.Contains(string(out[full:]), "error: rolled back: interrupted") {
		t.Errorf("%s %v, after it could be read: %s", cmd.ProcessState, err, out[full:])
	}
}

func TestASecondInterruptDoesNotWaitEither(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	cmd, _, _ := l.startStalled(t)
	l.fault(t, `{"kind":"access-denied","operation":"ModifyRule"}`)
	interrupt(t, cmd)
	time.Sleep(500 * time.Millisecond)
	interrupt(t, cmd)
	began := time.Now()
	_ = cmd.Wait() // ProcessState tells the exit code
	if took := time.Since(began); cmd.ProcessState.ExitCode() != 130 || took > 5*time.Second {
		t.Errorf("%s after %s, want exit status 130 at once", cmd.ProcessState, took)
	}
}

func interrupt(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
}

// startStalled starts a shift from 9:1 and returns when its first step is written. All
// that it says goes into a pipe that is full already, with so many bytes.
func (l *lab) startStalled(t *testing.T) (cmd *exec.Cmd, read *os.File, full int) {
	t.Helper()
	l.setWeights(t, 9, 1)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = read.Close() })
	for err == nil {
		if err := write.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		var n int
		n, err = write.Write(make([]byte, 1024))
		full += n
	}
	cmd = exec.CommandContext(context.WithoutCancel(t.Context()), os.Getenv(binaryVar), "shift", "-f", "-")
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = l.env(t.TempDir()), strings.NewReader(l.manifest("web", 0, 100, pausing)), write, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended, or the test has failed
	_ = write.Close()                            // the process has its own
	until(t, "the first step is written", func() bool { return l.weights(t)["green"] == 37 })
	return cmd, read, full
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
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Getenv(binaryVar), "shift", "-f", "-")
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
