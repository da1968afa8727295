package kubeapi

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// grace is how long a program may take to end once it is asked to.
const grace = 5 * time.Second

// tailSize is how much of a log an error carries, in bytes.
const tailSize = 2000

// process is a running program.
type process struct {
	name string
	log  string // file of what it prints
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended; read it after done
}

// startProcess runs a program of the assets in a folder, where its log goes, too.
func startProcess(dir, assets, name string, args []string) (*process, error) {
	p := &process{name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the log of %s: %w", name, err)
	}
	// Its end is this package's to decide, not a context's: it is asked first.
	p.cmd = exec.Command(filepath.Join(assets, name), args...) //nolint:gosec,noctx // the programs are the caller's
	p.cmd.Dir = dir
	// Nothing of the caller's: no credentials, no proxies.
	p.cmd.Env = []string{"HOME=" + dir, "TMPDIR=" + dir, "PATH=" + assets}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = attributes()
	started := make(chan error)
	go func() {
		// Where the kernel ends children with their parent, the parent is the thread that
		// started them. So this one stays as long as they do.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	err = <-started
	if cerr := log.Close(); err == nil { // the child has its own
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// failure tells how the process ended, with the end of its log.
func (p *process) failure() error {
	err := p.err
	if err == nil {
		err = errors.New("it ended by itself")
	}
	return fmt.Errorf("%s: %w; its log ends with:\n%s", p.name, err, p.tail())
}

// tail is the end of the log.
func (p *process) tail() string {
	f, err := os.Open(p.log)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = f.Close() }() // it was only read
	if info, err := f.Stat(); err == nil && info.Size() > tailSize {
		_, _ = f.Seek(-tailSize, io.SeekEnd) // else there is more to read
	}
	b, _ := io.ReadAll(io.LimitReader(f, tailSize)) // what there is
	return strings.TrimSpace(string(b))
}

// stop asks the process to end, and ends it after a while. It returns when it is gone.
func (p *process) stop() {
	// A process that is gone already needs no signal.
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}
