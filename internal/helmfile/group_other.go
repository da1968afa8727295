//go:build !unix

package helmfile

import "os/exec"

func ownGroup(*exec.Cmd) {}

// interrupt ends the program at once: there is no SIGINT to send.
func interrupt(cmd *exec.Cmd) error { return cmd.Process.Kill() }

func kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
