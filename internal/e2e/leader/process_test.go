//go:build e2e

package leader

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a running program.
type process struct {
	name string
	log  string // file of what it prints
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// startProcess runs the real binary until the test ends, at the latest.
func startProcess(t *testing.T, name, dir string, env []string, args ...string) *process {
	t.Helper()
	p := &process{name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the child has its own
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), os.Getenv(binaryVar), args...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, env, log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// Pdeathsig is of the thread that starts it: that must not end before.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // ProcessState tells how
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of %s ends with:\n%s", name, p.tail())
		}
		p.kill()
	})
	return p
}

func (p *process) dead() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill the process as a machine does that loses power, and return when it was dead.
func (p *process) kill() time.Time {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.done
	return time.Now()
}

// stop asks the process to end, which it must do well.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if p.dead() {
		t.Fatalf("%s has ended by itself: %s", p.name, p.cmd.ProcessState)
	}
	if err := p.signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.ends(t, 0)
}

// ends waits for the process to end, with an exit code.
func (p *process) ends(t *testing.T, code int) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		t.Fatalf("%s does not end", p.name)
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("%s ends with %s, want exit code %d", p.name, p.cmd.ProcessState, code)
	}
}

func (p *process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("sending %s to %s: %w", s, p.name, err)
	}
	return nil
}

// tail is the end of the log.
func (p *process) tail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// patience bounds every wait: a lease, a grace, and passes of a machine that is busy.
const patience = 3 * time.Minute

// eventually waits until ok returns nil; what it says last is shown when it never does.
func eventually(t *testing.T, what string, ok func() error) {
	t.Helper()
	for begun := time.Now(); ; {
		err := ok()
		if err == nil {
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("waited in vain until %s: %v", what, err)
		}
		time.Sleep(300 * time.Millisecond)
	}
}
