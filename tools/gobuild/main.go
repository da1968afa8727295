// Command gobuild builds a Go program as go build does, and shows how far it is: the big
// ones take minutes.
//
//	go run ./tools/gobuild NAME [-C FOLDER] GO-BUILD-ARGUMENTS... PACKAGE
//
// On a terminal it draws one line anew; elsewhere it prints one every half a minute.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// Intervals of the lines that say how far it is.
const (
	onTerminal = 500 * time.Millisecond
	inLog      = 30 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "gobuild:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) < 2 {
		return errors.New("want NAME, then the arguments of go build, the package last")
	}
	b := build{name: args[0], args: args[1:], out: out, began: time.Now()}
	if len(b.args) > 2 && b.args[0] == "-C" {
		b.dir, b.args = b.args[1], b.args[2:]
	}
	return b.run(ctx)
}

// build under way.
type build struct {
	name, dir string
	args      []string // of go build
	out       io.Writer
	began     time.Time
	total     int // packages, those that are built already among them; 0: unknown
}

func (b *build) run(ctx context.Context) error {
	b.total = b.packages(ctx)
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-v"}, b.args...)...) //nolint:gosec // G204: the Makefile's arguments
	cmd.Dir = b.dir
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("building %s: %w", b.name, err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("building %s: %w", b.name, err)
	}
	said := b.follow(stderr)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", b.name, err, strings.Join(said, "\n"))
	}
	return nil
}

// packages that the program is made of.
func (b *build) packages(ctx context.Context) int {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", b.args[len(b.args)-1]) //nolint:gosec // G204: the Makefile's arguments
	cmd.Dir = b.dir
	out, err := cmd.Output()
	if err != nil {
		return 0 // go build will say what is wrong
	}
	return strings.Count(string(out), "\n")
}

// follow what go build says until it ends: packages, one a line, of which the number is
// shown, and errors, which are returned.
func (b *build) follow(r io.Reader) (said []string) {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			lines <- s.Text()
		}
	}()
	interval, terminal := inLog, isTerminal(b.out)
	if terminal {
		interval = onTerminal
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	done, shown := 0, false
	for {
		select {
		case line, ok := <-lines:
			switch {
			case !ok:
				if terminal && shown {
					fmt.Fprintln(b.out)
				}
				return said
			case strings.ContainsAny(line, " \t:") || line == "":
				said = append(said, line)
			default:
				done++
			}
		case <-tick.C:
			shown = true
			b.show(done, terminal)
		}
	}
}

// show how far it is. What was built before is not counted by go build, so that it may be
// done sooner than the numbers say.
func (b *build) show(done int, terminal bool) {
	begin, end := "", "\n"
	if terminal {
		begin, end = "\r\x1b[K", ""
	}
	of := ""
	if b.total > 0 {
		of = fmt.Sprintf(" of at most %d", b.total)
	}
	fmt.Fprintf(b.out, "%sbuilding %s: %d%s packages compiled, %s%s", begin, b.name, done, of, time.Since(b.began).Round(time.Second), end)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || slices.Contains(os.Environ(), "CI=1") {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
