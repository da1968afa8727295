//go:build !unix

package helmfile

import (
	"os/exec"
	"time"
)

func ownGroup(*exec.Cmd) {}

// interrupt ends the program at once: there is no SIGINT to send.
func interrupt(cmd *exec.Cmd) error { return cmd.Process.Kill() }

func await(*exec.Cmd, time.Duration) {}

func kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
