package terraform

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait; nothing here takes as long on a machine that works.
const patience = 8 * time.Minute

// process is a running program, and what it started: they are one process group.
type process struct {
	cmd      *exec.Cmd
	out, err lockedBuffer
	done     chan struct{} // closed when it has ended
}

// result of a program.
type result struct {
	code           int // -1: killed by a signal
	stdout, stderr string
}

func (r result) String() string { return r.stdout + r.stderr }

func start(t *testing.T, dir string, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.CommandContext(context.WithoutCancel(t.Context()), name, args...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	// Who was started by a process that was killed may keep its output open.
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // ProcessState tells the exit code
	}()
	t.Cleanup(func() {
		p.kill()
		<-p.done
	})
	return p
}

// signal the program alone, which may have ended.
func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// kill the program and all that it started, as a machine that goes away does.
func (p *process) kill() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

func (p *process) wait(t *testing.T) result {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatalf("%s has not ended after %s\n%s%s", p.cmd, patience, p.out.String(), p.err.String())
	}
	return result{p.cmd.ProcessState.ExitCode(), p.out.String(), p.err.String()}
}

// lockedBuffer may be read while a process writes it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// until waits for something that another process does.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// contains fails when a text lacks one of these.
func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said in:\n%s", want, text)
		}
	}
}
