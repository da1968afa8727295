package container

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exec runs a command in a running container until it ends. Its program is looked for in
// the container, in the PATH of cmd.Env.
func (p *Process) Exec(cmd *exec.Cmd) error {
	ended := make(chan error, 1)
	go func() {
		// The thread is never given back: it is elsewhere now, and ends with the goroutine.
		runtime.LockOSThread()
		ended <- p.execHere(cmd)
	}()
	return <-ended
}

func (p *Process) execHere(cmd *exec.Cmd) error {
	select {
	case <-p.done:
		return os.ErrProcessDone
	default:
	}
	// The root is the thread's own only if it shares none.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("entering a container: %w", err)
	}
	// The files first: there they have other names.
	var files []*os.File
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	for _, ns := range []string{"ipc", "uts", "net", "pid", "mnt"} {
		f, err := os.Open("/proc/" + strconv.Itoa(p.PID()) + "/ns/" + ns)
		if err != nil {
			return fmt.Errorf("entering a container: %w", err)
		}
		files = append(files, f)
	}
	for _, f := range files {
		if err := unix.Setns(int(f.Fd()), 0); err != nil {
			return fmt.Errorf("entering a container, %s: %w", f.Name(), err)
		}
	}
	path, err := lookPath(cmd.Path, cmd.Env)
	if err != nil {
		return err
	}
	cmd.Path = path
	// It dies with the container's first process. (Pdeathsig would end it at once: it does
	// not see its parent, which is in other namespaces.)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("in a container: %w", err)
	}
	return nil
}
