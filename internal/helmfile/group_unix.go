//go:build unix

package helmfile

import (
	"os"
	"os/exec"
	"syscall"
	"time"
)

// ownGroup gives a program a process group, so that a Ctrl-C of the terminal does not
// reach it twice, and what it starts is ended with it.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	whenOrphaned(cmd.SysProcAttr)
}

func interrupt(cmd *exec.Cmd) error {
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		return os.ErrProcessDone
	}
	return nil
}

// await the end of those whom a program left behind, for a while.
func await(cmd *exec.Cmd, atMost time.Duration) {
	for end := time.Now().Add(atMost); syscall.Kill(-cmd.Process.Pid, 0) == nil && time.Now().Before(end); {
		time.Sleep(poll)
	}
}

// poll is how often it is looked whether they have ended.
const poll = 20 * time.Millisecond

func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
