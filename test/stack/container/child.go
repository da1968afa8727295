package container

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Child is a program that dies with this one.
type Child struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// StartChild starts a command, whose SysProcAttr may name new namespaces. Signals of the
// terminal do not reach it.
func StartChild(cmd *exec.Cmd) (*Child, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	c := &Child{cmd, make(chan struct{})}
	if err := startOnThread(cmd, func(error) { close(c.done) }); err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	return c, nil
}

// PID of the program.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Done is closed when the program has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Signal the program; of one that has ended it does nothing.
func (c *Child) Signal(s os.Signal) { _ = c.cmd.Process.Signal(s) }

// ExitCode of a program that has ended.
func (c *Child) ExitCode() int { return c.cmd.ProcessState.ExitCode() }

// Stop asks the program to end, and ends it after a while. It returns when it is gone.
func (c *Child) Stop(grace time.Duration) {
	c.Signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}
