//go:build unix

package helmfile

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup gives a program a process group, so that a Ctrl-C of the terminal does not
// reach it twice, and what it starts is ended with it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func interrupt(cmd *exec.Cmd) error {
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		return os.ErrProcessDone
	}
	return nil
}

func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
