package labcli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// stackVar names the folder that make stack has built.
const stackVar = "NORIKAE_STACK"

// stackProgram in that folder makes the lab's network, and runs its nodes.
const stackProgram = "norikae-stack"

// notWithStack are flags of lab up that the full stack decides by itself.
func notWithStack() []string { return []string{"listen", "kubernetes", "nodes", "state-dir"} }

// stackFolder finds the full stack.
func (c *labCommand) stackFolder() (string, error) {
	if dir := c.getenv(stackVar); dir != "" {
		if _, err := exec.LookPath(filepath.Join(dir, stackProgram)); err != nil {
			return "", fmt.Errorf("%s %q: %w; build it by `make stack` and take the folder that it prints", stackVar, dir, err)
		}
		return dir, nil
	}
	path, err := exec.LookPath(stackProgram)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return "", fmt.Errorf("the program %s of the full stack is not on PATH: build it by `make stack`, and export %s=\"$(make -s stack)\"", stackProgram, stackVar)
	}
	return filepath.Dir(path), nil
}

// upStack hands over to the full stack, which runs this command again in its own network.
func (c *labCommand) upStack(cmd *cobra.Command, name string) error {
	if name != "full" {
		return fmt.Errorf(`--stack %q is not full, the only one there is`, name)
	}
	for _, flag := range notWithStack() {
		if cmd.Flags().Changed(flag) {
			return fmt.Errorf("--%s cannot be said with --stack full, which decides it", flag)
		}
	}
	dir, err := c.stackFolder()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	args := []string{"up", "--norikae=" + self, "--kubernetes=" + filepath.Join(dir, "kube"), "--assets=" + dir, "--"}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Changed && f.Name != "stack" && f.Name != "output" {
			args = append(args, given(f)...)
		}
	})
	return c.run(dir, args)
}

// given is a flag as it was given.
func given(f *pflag.Flag) []string {
	values := []string{f.Value.String()}
	if list, ok := f.Value.(pflag.SliceValue); ok {
		values = list.GetSlice()
	}
	for i, v := range values {
		values[i] = "--" + f.Name + "=" + v
	}
	return values
}

// run the full stack's program in place of this one.
func (c *labCommand) run(dir string, args []string) error {
	path := filepath.Join(dir, stackProgram)
	// What leads to the real AWS does not go along.
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "AWS_") })
	if err := c.become(path, append([]string{stackProgram}, args...), env); err != nil {
		return fmt.Errorf("starting %s: %w", path, err)
	}
	return nil
}

func (c *labCommand) execute() *cobra.Command {
	return &cobra.Command{
		Use:   "exec [-- PROGRAM ARGUMENTS]",
		Short: "Run a program, or a shell, in the network of a lab with the full stack",
		Long: `Runs a program, or without one the shell, in the network of a running lab that was
started with --stack full, with the lab's AWS in its environment. Nothing there reaches
the outside, and nothing outside reaches it.`,
		Example: `  norikae lab exec
  norikae lab exec -- aws eks list-clusters
  norikae lab exec -- terraform apply`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() > 0 {
				return errors.New("the program and its arguments come after --")
			}
			dir, err := c.stackFolder()
			if err != nil {
				return err
			}
			return c.run(dir, append([]string{"exec", "--"}, args...))
		},
	}
}
