//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Variables that say where programs are. Make sets the first two; the third is of this
// program when it runs in the lab.
const (
	stackVar  = "NORIKAE_STACK"
	binaryVar = "NORIKAE_BIN"
	insideVar = "NORIKAE_INSIDE"
)

// stateHome is where the lab of these tests is.
const stateHome = "XDG_STATE_HOME"

// started is how long a lab may take to begin.
const started = 30 * time.Second

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(insideVar) != "" {
		os.Exit(m.Run())
	}
	code, err := outside()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// outside starts a lab, and runs the tests in its network.
func outside() (code int, err error) {
	for _, v := range []string{stackVar, binaryVar} {
		if os.Getenv(v) == "" {
			return 0, fmt.Errorf("%s is not set: run this by make e2e", v)
		}
	}
	dir, err := os.MkdirTemp("", "norikae-stack-")
	if err != nil {
		return 0, fmt.Errorf("a folder for the lab: %w", err)
	}
	defer os.RemoveAll(dir)
	env := append(os.Environ(), stateHome+"="+dir)
	norikae := filepath.Join(os.Getenv(binaryVar), "norikae")
	lab := exec.CommandContext(context.Background(), norikae, "lab", "up", "--stack", "full")
	lab.Env, lab.SysProcAttr = env, &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	var out bytes.Buffer
	lab.Stderr = &out
	said, err := lab.StdoutPipe()
	if err != nil {
		return 0, fmt.Errorf("starting the lab: %w", err)
	}
	if err := lab.Start(); err != nil {
		return 0, fmt.Errorf("starting the lab: %w", err)
	}
	defer func() {
		_ = lab.Process.Signal(syscall.SIGTERM)
		_ = lab.Wait()
		if code != 0 {
			fmt.Fprintln(os.Stderr, "the lab said:\n"+out.String())
		}
	}()
	begun := make(chan error, 1)
	go func() {
		first := make([]byte, 4096)
		_, err := said.Read(first)
		begun <- err
	}()
	select {
	case err = <-begun:
	case <-time.After(started):
		err = context.DeadlineExceeded
	}
	if err != nil {
		return 0, fmt.Errorf("the lab did not begin: %w: %s", err, out.String())
	}
	tests := exec.CommandContext(context.Background(), norikae, append([]string{"lab", "exec", "--", os.Args[0]}, os.Args[1:]...)...)
	tests.Env = append(env, insideVar+"="+dir)
	tests.Stdout, tests.Stderr = os.Stdout, os.Stderr
	if err := tests.Run(); err != nil && tests.ProcessState.ExitCode() != 1 {
		return 0, fmt.Errorf("the tests in the lab: %w", err)
	}
	return tests.ProcessState.ExitCode(), nil
}

// eventually wants something to become true.
func eventually(t *testing.T, what string, look func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = look(); err == nil {
			return
		}
	}
	t.Fatalf("%s: not after %s: %v", what, patience, err)
}

// timed tells how long a step took.
func timed(t *testing.T, what string, step func()) {
	t.Helper()
	begun := time.Now()
	step()
	t.Logf("%6.2fs  %s", time.Since(begun).Seconds(), what)
}

// tried runs a program.
func tried(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSpace(string(out)), err
}

// ran runs a program, which must end well.
func ran(t *testing.T, args ...string) string {
	t.Helper()
	out, err := tried(t, "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
