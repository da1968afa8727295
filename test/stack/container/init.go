package container

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// readable is the mode of folders in an image.
const readable os.FileMode = 0o755

// host is what of this machine's file system every container sees; what is not there is
// left out.
func host() []string {
	return []string{
		"/usr", "/bin", "/sbin", "/lib", "/lib64", "/sys", "/etc/alternatives", "/etc/group", "/etc/ld.so.cache", "/etc/mime.types",
		"/etc/nsswitch.conf", "/etc/passwd", "/etc/ssl", "/etc/ca-certificates", "/etc/protocols", "/etc/services",
	}
}

// Init makes this process, the first of its namespaces, the container's program. It
// returns only if that fails.
func Init() error {
	runtime.LockOSThread() // the network namespace is the thread's
	var s Spec
	if err := json.NewDecoder(os.NewFile(specFD, "spec")).Decode(&s); err != nil {
		return fmt.Errorf("reading the container's specification: %w", err)
	}
	if err := unix.Setns(netFD, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("entering the pod's network: %w", err)
	}
	if err := unix.Sethostname([]byte(s.Hostname)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	if err := s.fileSystem(); err != nil {
		return err
	}
	if err := os.Chdir(s.Dir); err != nil {
		return fmt.Errorf("the working directory: %w", err)
	}
	os.Clearenv()
	for _, kv := range s.Env {
		name, value, _ := strings.Cut(kv, "=")
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("the environment variable %q: %w", name, err)
		}
	}
	program, err := exec.LookPath(s.Args[0])
	if err != nil {
		return fmt.Errorf("the program: %w", err)
	}
	unix.CloseOnExec(specFD)
	unix.CloseOnExec(netFD)
	if err := unix.Exec(program, s.Args, s.Env); err != nil {
		return fmt.Errorf("starting %s: %w", program, err)
	}
	return nil
}

// fileSystem puts the root together, in memory, and moves there.
func (s *Spec) fileSystem() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("parting with this machine's mounts: %w", err)
	}
	if err := mount("tmpfs", s.Root, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	for dir, mode := range map[string]os.FileMode{"tmp": os.ModeSticky | 0o777, "run": 0o755, "var/run": 0o755, "var/tmp": os.ModeSticky | 0o777, "root": 0o700, "etc": 0o755, "proc": 0o755, "dev": 0o755} {
		dir = filepath.Join(s.Root, dir)
		if err := os.MkdirAll(dir, readable); err != nil {
			return fmt.Errorf("the container's file system: %w", err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			return fmt.Errorf("the container's file system: %w", err)
		}
	}
	for _, path := range host() {
		if err := s.show(path); err != nil {
			return err
		}
	}
	if err := mount("tmpfs", filepath.Join(s.Root, "usr/local"), "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	if err := s.devices(); err != nil {
		return err
	}
	for name, text := range s.Files {
		name = filepath.Join(s.Root, name)
		if err := os.MkdirAll(filepath.Dir(name), readable); err != nil {
			return fmt.Errorf("the container's files: %w", err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil { //nolint:gosec // G306: as in an image
			return fmt.Errorf("the container's files: %w", err)
		}
	}
	for _, m := range s.Mounts {
		if err := bind(m.Source, filepath.Join(s.Root, m.Target), m.ReadOnly); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(s.Root, s.Dir), readable); err != nil {
		return fmt.Errorf("the working directory: %w", err)
	}
	return s.moveIn()
}

// show something of this machine in the container, to be read only.
func (s *Spec) show(path string) error {
	info, err := os.Lstat(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the container's file system: %w", err)
	}
	target := filepath.Join(s.Root, path)
	if info.Mode()&os.ModeSymlink == 0 {
		return bind(path, target, true)
	}
	to, err := os.Readlink(path)
	if err == nil {
		err = os.Symlink(to, target)
	}
	if err != nil {
		return fmt.Errorf("the container's file system: %w", err)
	}
	return nil
}

func (s *Spec) devices() error {
	if err := mount("proc", filepath.Join(s.Root, "proc"), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	dev := filepath.Join(s.Root, "dev")
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := bind(filepath.Join("/dev", name), filepath.Join(dev, name), false); err != nil {
			return err
		}
	}
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(to, filepath.Join(dev, name)); err != nil {
			return fmt.Errorf("the container's devices: %w", err)
		}
	}
	shm := filepath.Join(dev, "shm")
	if err := os.Mkdir(shm, readable); err != nil {
		return fmt.Errorf("the container's devices: %w", err)
	}
	return mount("tmpfs", shm, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777")
}

// moveIn makes the root the root, and forgets the old one.
func (s *Spec) moveIn() error {
	const old = ".before"
	if err := os.Mkdir(filepath.Join(s.Root, old), 0o700); err != nil {
		return fmt.Errorf("changing the root: %w", err)
	}
	if err := unix.PivotRoot(s.Root, filepath.Join(s.Root, old)); err != nil {
		return fmt.Errorf("changing the root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("changing the root: %w", err)
	}
	if err := unix.Unmount("/"+old, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leaving the old root: %w", err)
	}
	if err := os.Remove("/" + old); err != nil {
		return fmt.Errorf("leaving the old root: %w", err)
	}
	if s.ReadOnly {
		return mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
	}
	return nil
}

// bind shows source, a file or a folder, at target, which is made.
func bind(source, target string, readOnly bool) error {
	info, err := os.Stat(source)
	if err != nil {
		return fmt.Errorf("a mount: %w", err)
	}
	if info.IsDir() {
		err = os.MkdirAll(target, readable)
	} else if err = os.MkdirAll(filepath.Dir(target), readable); err == nil {
		err = touch(target)
	}
	if err != nil {
		return fmt.Errorf("the mount at %s: %w", target, err)
	}
	if err := mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil || !readOnly {
		return err
	}
	return mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_REC, "")
}

func touch(name string) error {
	f, err := os.OpenFile(name, os.O_CREATE, 0o644) //nolint:gosec // G302: as in an image
	if err != nil {
		return err
	}
	return f.Close()
}

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mounting %s at %s: %w", source, target, err)
	}
	return nil
}
