// Package container runs a program as a container: a process with a file system, process
// numbers, a host name and a network of its own, on this machine's kernel. What an image
// would bring of an operating system is this machine's, to be read only.
package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Mount shows a file or a folder of this machine in a container.
type Mount struct {
	Source, Target string // absolute
	ReadOnly       bool
}

// Spec of a container.
type Spec struct {
	Root     string   // an empty folder of this machine, where its file system is put together
	Args     []string // the program, looked for in the PATH of Env, and its arguments
	Env      []string // NAME=value
	Dir      string   // where it starts
	Hostname string
	Mounts   []Mount           // in this order
	Files    map[string]string // small files, by their absolute names
	ReadOnly bool              // its file system, but for Mounts
}

// InitArg is the first argument of the process that becomes a container: main calls Init
// when it has it.
const InitArg = "container-init"

// The descriptors that Init reads from.
const (
	specFD = 3
	netFD  = 4
)

// Process is a running container.
type Process struct{ *Child }

// Start a container in a network namespace, writing to two files. It dies with this
// process.
func Start(spec Spec, network *os.File, stdout, stderr *os.File) (*Process, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("a container's specification: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("a container's specification: %w", err)
	}
	defer out.Close()
	cmd := exec.Command(self, InitArg) //nolint:gosec,noctx // this program, which ends by signals
	cmd.Env, cmd.Dir = []string{}, "/"
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.ExtraFiles = []*os.File{out, network}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC}
	child, err := StartChild(cmd)
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("starting a container: %w", err)
	}
	p := &Process{child}
	_, err = in.Write(text)
	if err := errors.Join(err, in.Close()); err != nil {
		p.Kill()
		return nil, fmt.Errorf("a container's specification: %w", err)
	}
	return p, nil
}

// startOnThread starts a command on a thread that stays until it ends: the kernel ends a
// child with the thread that has started it.
func startOnThread(cmd *exec.Cmd, ended func(error)) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended(cmd.Wait())
		}
	}()
	return <-started
}

// Kill the container, with all that it has started, and wait until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// ExitCode of a container that has ended; 128 and the signal of one that was killed.
func (p *Process) ExitCode() int {
	s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && s.Signaled() {
		return 128 + int(s.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}
