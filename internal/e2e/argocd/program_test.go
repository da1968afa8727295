//go:build e2e

package argocd

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// grace is how long a program may take to end once it is asked to.
const grace = 10 * time.Second

// program is a running program.
type program struct {
	name string
	log  string // file of what it prints
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// startProgram runs a program until the test ends. Its log goes to dir, where it works;
// of a test that failed, the end of the log is shown.
func startProgram(t *testing.T, dir string, env []string, path string, args ...string) *program {
	t.Helper()
	return startPrinting(t, nil, dir, env, path, args...)
}

// startPrinting starts a program whose standard output goes elsewhere than to its log.
func startPrinting(t *testing.T, out *os.File, dir string, env []string, path string, args ...string) *program {
	t.Helper()
	name := filepath.Base(path)
	p := &program{name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), path, args...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, env, cmp.Or(out, log), log
	// A group of its own, with whatever it starts, that ends with this process.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// Its parent is the thread that starts it: that must not end before.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // ProcessState tells how
			close(p.done)
		}
	}()
	err = <-started
	_ = log.Close() // the child has its own
	if err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of %s ends with:\n%s", name, p.tail())
		}
		if p.ended() {
			t.Errorf("%s has ended by itself: %s", name, p.cmd.ProcessState)
		}
		p.stop()
	})
	return p
}

func (p *program) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop asks the program to end, ends it after a while, and then whatever it has left.
func (p *program) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// tail is the end of the log.
func (p *program) tail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}

// rss is the memory that the program holds, in MB.
func (p *program) rss() int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			kb, _ := strconv.Atoi(f[1]) // 0 if the kernel says otherwise
			return kb / 1024
		}
	}
	return 0
}

// freePorts are ports of 127.0.0.1 that nobody listens on.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // all at the end: each port once
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if ports[i], err = strconv.Atoi(port); err != nil {
			t.Fatal(err)
		}
	}
	return ports
}

// listens waits until a program accepts connections.
func (p *program) listens(t *testing.T, addr string) {
	t.Helper()
	eventually(t, p.name+" accepts connections", func() error {
		if p.ended() {
			t.Fatalf("%s has ended: %s\n%s", p.name, p.cmd.ProcessState, p.tail())
		}
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return fmt.Errorf("connecting: %w", err)
		}
		return c.Close()
	})
}

// patience bounds every wait; nothing here takes as long on a machine that works.
const patience = 90 * time.Second

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
		time.Sleep(50 * time.Millisecond)
	}
}
