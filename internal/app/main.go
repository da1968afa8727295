package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/cli"
	"github.com/norikae/norikae/internal/demo"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/labcli"
)

// Main is the program norikae: it returns the exit code.
func Main(ctx context.Context, args []string, in io.Reader, out, errw io.Writer, env Environment) int {
	return cli.Main(ctx, args, in, out, errw, deps(env)) //nolint:contextcheck // a lab lives until it is closed
}

// Command is the program's tree of commands, for those who describe it.
func Command(env Environment) *cobra.Command { return cli.New(deps(env)) }

func deps(env Environment) cli.Deps {
	return cli.Deps{
		Open:     opener(env),
		Look:     looker(env),
		Fleets:   fleets(env),
		Commands: []*cobra.Command{labcli.New(env.Getenv), demoCommand(env.Version), controllerCommand(env), eksCommand(env)},
		Getenv:   env.Getenv,
		Version:  env.Version,
	}
}

func opener(env Environment) func(context.Context, *v1alpha1.TrafficShift, cli.OpenOptions) (cli.Run, error) {
	return func(ctx context.Context, ts *v1alpha1.TrafficShift, o cli.OpenOptions) (cli.Run, error) {
		r, err := open(ctx, env, ts, o)
		if err != nil {
			return nil, err
		}
		return r, nil
	}
}

func demoCommand(version string) *cobra.Command {
	var fast bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See a shift and a rollback under load, on a simulated AWS on this machine",
		Long: `Starts a lab (a simulated AWS with a load balancer that carries real requests), drives
a steady load through it, shifts it from the cluster blue to the cluster green, then
tries a green that fails 5% of its requests, which is rolled back by itself. Every
request is counted by the client, the load balancer and the targets. Nothing leaves
this machine, and no account is needed.`,
		Example: "  norikae demo\n  norikae demo --fast",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			state, err := os.MkdirTemp("", "norikae-demo-")
			if err != nil {
				return fmt.Errorf("making a directory for the demo's journal: %w", err)
			}
			defer func() { _ = os.RemoveAll(state) }() // a left-over journal harms nobody
			d := demonstration{version: version, state: state, out: cmd.OutOrStdout()}
			return demo.Run(cmd.Context(), demo.Config{Out: d.out, Fast: fast, Shift: d.shift})
		},
	}
	cmd.Flags().BoolVar(&fast, "fast", false, "shorter steps, for a quick check")
	return cmd
}

// demonstration runs the command line's own shift in the demo's lab.
type demonstration struct {
	version, state string
	out            io.Writer
}

// shift runs `norikae shift` on a manifest, in the lab's environment. The process loses
// all that it knew of AWS before, so that no profile of its user can lead elsewhere.
func (d demonstration) shift(ctx context.Context, manifest string, environ []string) (engine.Result, error) {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			if err := os.Unsetenv(name); err != nil {
				return engine.Result{}, fmt.Errorf("leaving the environment: %w", err)
			}
		}
	}
	for _, kv := range append(environ, "XDG_STATE_HOME="+d.state) {
		name, value, _ := strings.Cut(kv, "=")
		if err := os.Setenv(name, value); err != nil {
			return engine.Result{}, fmt.Errorf("entering the lab's environment: %w", err)
		}
	}
	env := OSEnvironment(d.version)
	var seen watched
	code := cli.Main(ctx, []string{"shift", "-f", "-"}, strings.NewReader(manifest), d.out, d.out, cli.Deps{
		Getenv: env.Getenv, Version: d.version,
		Open: func(ctx context.Context, ts *v1alpha1.TrafficShift, o cli.OpenOptions) (cli.Run, error) {
			r, err := open(ctx, env, ts, o)
			if err != nil {
				return nil, err
			}
			seen.run = *r
			return &seen, nil
		},
	})
	if !seen.result.Phase.Done() {
		return seen.result, errors.Join(seen.err, fmt.Errorf("the demo's shift ended with exit code %d", code))
	}
	return seen.result, nil
}

// watched is a cli.Run that remembers how it ended.
type watched struct {
	run

	result engine.Result
	err    error
}

// Run drives the shift and remembers its end.
func (w *watched) Run(ctx context.Context, o cli.RunOptions) (engine.Result, error) {
	w.result, w.err = w.run.Run(ctx, o)
	return w.result, w.err
}
