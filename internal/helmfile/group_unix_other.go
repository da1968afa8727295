//go:build unix && !linux

package helmfile

import "syscall"

// whenOrphaned tells a program nothing: only Linux can.
func whenOrphaned(*syscall.SysProcAttr) {}
