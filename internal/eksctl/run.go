package eksctl

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// DefaultGrace is how long a program that was interrupted may take to end.
const DefaultGrace = 30 * time.Second

// MaxStdout is how much a Command's Stdout takes, in bytes. Objects of Kubernetes, of which
// lists are made, have at most 1.5 MiB.
const MaxStdout = 8 << 20

// lastLines are quoted in errors.
const lastLines = 15

// Command is one run of eksctl.
type Command struct {
	Binary string   // a path, or a name that is looked up on PATH
	Args   []string // without the program's name
	Stdin  []byte   // for "-f -"
	Env    []string // the whole environment, as Environment makes it
	// Timeout after which the program is interrupted; 0: when the context says so.
	Timeout time.Duration
	// Grace between SIGINT and SIGKILL; 0: DefaultGrace.
	Grace time.Duration
	// Line is told each line of the output, without its end and without secrets; nil: nobody is.
	Line func(string)
	// Stdout takes all that the program writes there, as it is; more than MaxStdout bytes are
	// an error. nil: nobody does.
	Stdout *bytes.Buffer
}

// Runner runs eksctl.
type Runner struct{}

// Run runs a command to its end and gives the tail of its output. The error of a program
// that did not succeed is an *ExitError.
func (Runner) Run(ctx context.Context, c Command) (string, error) {
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	out := &lines{scrub: newScrubber(c.Env), each: c.Line}
	//nolint:gosec // G204: the program is the one that the user named, and no shell is between
	cmd := exec.CommandContext(ctx, c.Binary, c.Args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = c.Env, out, out
	whole := &bounded{into: c.Stdout}
	if c.Stdout != nil {
		cmd.Stdout = io.MultiWriter(out, whole)
	}
	if c.Stdin != nil {
		cmd.Stdin = bytes.NewReader(c.Stdin)
	}
	ownGroup(cmd)
	cmd.Cancel = func() error { return interrupt(cmd) }
	cmd.WaitDelay = cmp.Or(c.Grace, DefaultGrace)
	if err := cmd.Start(); err != nil {
		return "", startError(c.Binary, err)
	}
	err := cmd.Wait()
	if ctx.Err() != nil || errors.Is(err, exec.ErrWaitDelay) {
		kill(cmd) // what the program started and left behind
	}
	tail := out.end()
	switch {
	case err == nil && whole.over:
		return tail, fmt.Errorf("eksctl %s: it printed more than %d MiB", strings.Join(c.Args, " "), MaxStdout>>20)
	case err == nil:
		return tail, nil
	}
	return tail, &ExitError{
		Args: c.Args, Code: cmd.ProcessState.ExitCode(), Timeout: c.Timeout, Cause: cmp.Or(context.Cause(ctx), err), last: lastOf(tail),
	}
}

func startError(binary string, err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("eksctl is not there: %q is not on PATH: install it (https://eksctl.io/installation/), "+
			"set eksctl_bin to its path, or set eksctl_version and it is fetched", binary)
	}
	return fmt.Errorf("starting eksctl: %w", err)
}

// ExitError is a run of eksctl that did not succeed.
type ExitError struct {
	Args []string
	Code int // exit code; -1: ended by a signal
	// Timeout of the command; 0: it had none.
	Timeout time.Duration
	// Cause is the context's error when it ended the program.
	Cause error
	last  string
}

func (e *ExitError) Error() string {
	what := "eksctl " + strings.Join(e.Args, " ")
	switch {
	case errors.Is(e.Cause, context.DeadlineExceeded) && e.Timeout > 0:
		what += fmt.Sprintf(": interrupted after its timeout of %s", e.Timeout)
	case e.Cause == context.DeadlineExceeded: //nolint:errorlint // of others, that say why, the text is told
		what += ": interrupted at its deadline"
	case errors.Is(e.Cause, context.DeadlineExceeded):
		what += fmt.Sprintf(": interrupted: %v", e.Cause)
	case errors.Is(e.Cause, context.Canceled):
		what += ": interrupted"
	case e.Code < 0:
		what += fmt.Sprintf(": ended by a signal (%v)", e.Cause)
	default:
		what += fmt.Sprintf(": exit code %d", e.Code)
	}
	if e.last == "" {
		return what + "; it said nothing"
	}
	return what + "; its last lines:\n" + e.last
}

// Unwrap gives the cause.
func (e *ExitError) Unwrap() error { return e.Cause }

func lastOf(tail string) string {
	all := strings.Split(strings.TrimRight(tail, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lastLines):], "\n")
}
