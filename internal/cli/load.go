package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/shift"
)

func (s *session) fileFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&s.file, "file", "f", "", "the manifest; - reads it from stdin")
	cmd.Args = noArgs
}

// declared is what a manifest says.
type declared struct {
	ts    *v1alpha1.TrafficShift
	spec  shift.Spec
	names map[string]string
}

// load reads and checks the manifest. Nothing is asked of anybody else.
func (s *session) load(cmd *cobra.Command) (declared, error) {
	name, data, err := s.read(cmd)
	if err != nil {
		return declared{}, err
	}
	ts, err := manifest.Load(name, data)
	if err != nil {
		return declared{}, err
	}
	timing, err := manifest.EnvTiming(s.deps.Getenv)
	if err != nil {
		return declared{}, hinted(err, "A lab prints these variables for its own shell; the real CloudWatch needs none of them.")
	}
	spec, err := manifest.Compile(ts, timing)
	if err != nil {
		return declared{}, err
	}
	return declared{ts: ts, spec: spec, names: manifest.Names(ts)}, nil
}

func (s *session) read(cmd *cobra.Command) (name string, data []byte, err error) {
	var from io.Reader = s.in
	switch s.file {
	case "":
		return "", nil, hinted(errors.New("-f is missing: name the manifest"), fmt.Sprintf("For example `%s -f shift.yaml`, or -f - to read it from stdin.", cmd.CommandPath()))
	case "-":
		name = "stdin"
	default:
		name = s.file
		f, err := os.Open(s.file)
		if err != nil {
			return "", nil, hinted(fmt.Errorf("reading the manifest: %w", err), "Name the file with -f, or use -f - to read it from stdin.")
		}
		defer f.Close()
		from = f
	}
	// One byte more than is allowed, so that Load sees that it is too much.
	data, err = io.ReadAll(io.LimitReader(from, manifest.MaxSize+1))
	if err != nil {
		return "", nil, fmt.Errorf("reading the manifest %s: %w", name, err)
	}
	return name, data, nil
}

// open loads the manifest and connects it; see OpenOptions.RouteOnly.
func (s *session) open(cmd *cobra.Command, log io.Writer, routeOnly bool) (declared, Run, error) {
	d, err := s.load(cmd)
	if err != nil {
		return d, nil, err
	}
	run, err := s.deps.Open(cmd.Context(), d.ts, OpenOptions{Log: s.logger(log), RouteOnly: routeOnly})
	if err != nil {
		return d, nil, fmt.Errorf("preparing the shift %q: %w", d.spec.Name, err)
	}
	return d, run, nil
}

// closeRun frees what the run holds.
func closeRun(run Run, err *error) {
	if c, ok := run.(io.Closer); ok {
		*err = errors.Join(*err, c.Close())
	}
}

// patience is how long a command may be silent, and nudge how often it says that it
// still works.
const (
	patience = 2 * time.Second
	nudge    = 15 * time.Second
)

// asking runs fn and says on stderr when it takes long.
func asking[T any](ctx context.Context, s *session, what string, fn func(context.Context) (T, error)) (T, error) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		start, wait := time.Now(), patience
		for {
			select {
			case <-done:
				return
			case <-time.After(wait):
				fmt.Fprintf(s.err, "%s (%s)\n", what, time.Since(start).Round(time.Second))
				wait = nudge
			}
		}
	}()
	v, err := fn(ctx)
	close(done)
	<-ended
	return v, err
}

// printJSON prints v indented.
func (s *session) printJSON(v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("printing JSON: %w", err)
	}
	return s.print(append(data, '\n'))
}

// print writes an answer; that it cannot be written is an error, because scripts wait
// for it.
func (s *session) print(data []byte) error {
	if _, err := io.Copy(s.out, bytes.NewReader(data)); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}
