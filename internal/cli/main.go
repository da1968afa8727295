package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/shift"
)

// The exit codes; see the help of the root command.
const (
	ExitDone        = 0
	ExitRefused     = 1
	ExitRolledBack  = 2
	ExitHeld        = 3
	ExitUnconfirmed = 4
	ExitInterrupted = 130
)

// Main runs one call of the program and returns its exit code. The caller must exit
// with it at once: after a second interrupt a run may still be under way.
func Main(ctx context.Context, args []string, in io.Reader, out, errw io.Writer, deps Deps) int {
	s := newSession(deps, in, out, errw)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := deps.Signals
	if signals == nil {
		own := make(chan os.Signal, 2)
		signal.Notify(own, stopping()...)
		defer signal.Stop(own)
		signals = own
	}
	go s.interrupts.watch(ctx, signals, cancel)

	root := s.root() //nolint:contextcheck // each command gets its context from cobra when it runs
	root.SetArgs(args)
	root.InitDefaultHelpCmd()
	if _, _, err := root.Find(args); err != nil && !strings.HasPrefix(args[0], "__") {
		return s.fail(unknownCommand(root, args))
	}
	return s.fail(root.ExecuteContext(ctx))
}

// stopping are the signals that ask the program to end. A closed terminal (SIGHUP) is
// one, unless the program was started so as to outlive it (nohup).
func stopping() []os.Signal {
	s := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		s = append(s, syscall.SIGHUP)
	}
	return s
}

// exitError ends the program with a code. What is to be said has been said, unless err
// is set.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// hintError is an error with what to do about it.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }

func hinted(err error, hint string) error { return &hintError{err, hint} }

// usage is an error in how the program was called.
func usage(format string, args ...any) error {
	return hinted(fmt.Errorf(format, args...), "See `norikae --help`.")
}

// fail prints err and what to do, and gives the exit code; 0 when err is nil.
func (s *session) fail(err error) int {
	if err == nil {
		return ExitDone
	}
	code := ExitRefused
	if e, ok := errors.AsType[*exitError](err); ok {
		code = e.code
		if e.err == nil {
			return code
		}
	}
	if errors.Is(err, context.Canceled) && s.interrupts.came() {
		code = ExitInterrupted
	}
	var text []string
	for line := range strings.SplitSeq(strings.TrimSpace(err.Error()), "\n") {
		text = append(text, clean(line))
	}
	say := func() string {
		fmt.Fprintf(s.err, "error: %s\n", strings.Join(text, "\n"))
		if hint := hintFor(err); hint != "" {
			fmt.Fprintf(s.err, "%s\n", hint)
		}
		return ""
	}
	if code == ExitInterrupted {
		within(leaving, say, "")
	} else {
		say()
	}
	return code
}

// leaving bounds how long a program that leaves at once waits for whoever reads what it
// says.
const leaving = time.Second

// within gives what f returns, or otherwise when that takes longer than d.
func within(d time.Duration, f func() string, otherwise string) string {
	done := make(chan string, 1)
	go func() { done <- f() }()
	select {
	case s := <-done:
		return s
	case <-time.After(d):
		return otherwise
	}
}

// hintFor says what to do about an error whose text does not say it.
func hintFor(err error) string {
	if e, ok := errors.AsType[*hintError](err); ok {
		return e.hint
	}
	if _, ok := errors.AsType[*manifest.Error](err); ok {
		return "Nothing was sent to AWS. The fields are explained in docs/trafficshift.md."
	}
	switch {
	case errors.Is(err, fault.ErrDenied):
		return "Check who you are with `aws sts get-caller-identity`, and spec.aws of the manifest (profile, assumeRole)."
	case errors.Is(err, fault.ErrNotFound):
		return "Check the ARNs and IDs in the manifest, the region and the account."
	case errors.Is(err, fault.ErrConflict):
		return "Somebody else was faster, or drives a shift on this route: `norikae status` shows who."
	case unreachable(err):
		return "Nobody answers there: check the address, the network, and AWS_ENDPOINT_URL if it is set; a lab must be running (`norikae lab up`)."
	case errors.Is(err, context.Canceled):
		return "It was interrupted; `norikae status` shows where the traffic is."
	}
	return ""
}

// unreachable tells whether no connection came about.
func unreachable(err error) bool {
	dial, ok := errors.AsType[*net.OpError](err)
	return ok && dial.Op == "dial"
}

// exitCode of a run that ended.
func exitCode(p shift.Phase) int {
	switch p {
	case shift.Succeeded:
		return ExitDone
	case shift.RolledBack:
		return ExitRolledBack
	case shift.Held:
		return ExitHeld
	case shift.Unconfirmed:
		return ExitUnconfirmed
	default:
		return ExitRefused
	}
}

// unknownCommand names the command that was probably meant.
func unknownCommand(root *cobra.Command, args []string) error {
	name := ""
	for _, a := range args {
		if !strings.HasPrefix(a, "-") {
			name = a
			break
		}
	}
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	if near := manifest.Nearest(name, names); near != "" {
		return hinted(fmt.Errorf("there is no command %q", name), fmt.Sprintf("Did you mean `norikae %s`?", near))
	}
	return hinted(fmt.Errorf("there is no command %q", name), "The commands are "+strings.Join(names, ", ")+"; see `norikae --help`.")
}

// flagError names the flag that was probably meant.
func flagError(cmd *cobra.Command, err error) error {
	help := fmt.Sprintf("See `%s --help`.", cmd.CommandPath())
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return hinted(err, help)
	}
	name := unknown.GetSpecifiedName()
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := manifest.Nearest(name, names); near != "" && len(name) > 1 {
		help = fmt.Sprintf("Did you mean --%s? %s", near, help)
	}
	return hinted(fmt.Errorf("%s has no flag %s", cmd.CommandPath(), dashed(name)), help)
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// noArgs refuses words that no flag takes, such as a file without -f.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := fmt.Sprintf("See `%s --help`.", cmd.CommandPath())
	if cmd.Flags().Lookup("file") != nil {
		hint = fmt.Sprintf("Did you mean `%s -f %s`?", cmd.CommandPath(), args[0])
	}
	return hinted(fmt.Errorf("%s takes no argument %q", cmd.CommandPath(), args[0]), hint)
}
