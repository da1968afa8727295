// Command helmdiff stands in for helm's plugin diff (databus23/helm-diff) in tests, where
// that cannot be had: what `helm template` renders against what `helm get manifest`
// remembers, and with --three-way-merge against what is live, as kubectl tells it. It takes
// helm-diff's flags, exits like it, and hides the data of Secrets like it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// changed is the exit status of --detailed-exitcode when there are differences.
const changed = 2

// The flags of `helm diff upgrade` that `helm template` understands, with and without a value.
var (
	renderWith    = []string{"--version", "--values", "-f", "--set", "--set-string", "--set-file", "--set-json", "--kube-version", "--api-versions", "-a", "--post-renderer", "--post-renderer-args", "--namespace", "-n", "--kube-context"}
	renderWithout = []string{"--devel", "--no-hooks", "--enable-dns", "--skip-schema-validation", "--insecure-skip-tls-verify"}
	ignoredWith   = []string{"--context", "-C", "--output", "--suppress", "--suppress-output-line-regex", "--find-renames", "-D"}
	ignored       = []string{"--allow-unreleased", "--install", "--color", "--no-color", "--disable-validation", "--disable-openapi-validation", "--reuse-values", "--reset-values", "--include-tests", "--normalize-manifests", "--strip-trailing-cr", "--take-ownership", "--suppress-secrets"}
)

type options struct {
	release, chart  string
	namespace       string
	template        []string // flags for helm template
	detailed, merge bool
	showSecrets     bool
}

func main() {
	code, err := run(context.Background(), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error: stand-in for helm-diff:", err)
		code = 1
	}
	os.Exit(code)
}

func run(ctx context.Context, args []string) (int, error) {
	o, err := parse(args)
	if err != nil {
		return 1, err
	}
	rendered, err := helm(ctx, append([]string{"template", o.release, o.chart, "--is-upgrade"}, o.template...)...)
	if err != nil {
		return 1, err
	}
	installed, err := helm(ctx, "get", "manifest", o.release, "--namespace", o.namespace)
	if err != nil && !strings.Contains(err.Error(), "not found") {
		return 1, err
	}
	want, err := objects(rendered, o.namespace)
	if err != nil {
		return 1, err
	}
	have, err := objects(installed, o.namespace)
	if err != nil {
		return 1, err
	}
	if o.merge {
		if err := overlay(ctx, have, want); err != nil {
			return 1, err
		}
	}
	if !report(os.Stdout, have, want, o.showSecrets) || !o.detailed {
		return 0, nil
	}
	return changed, nil
}

func parse(args []string) (options, error) {
	o := options{namespace: os.Getenv("HELM_NAMESPACE"), merge: os.Getenv("HELM_DIFF_THREE_WAY_MERGE") == "true"}
	if len(args) == 0 || args[0] != "upgrade" {
		return o, fmt.Errorf("it knows `helm diff upgrade` only, not %q", args)
	}
	var positional []string
	for args = args[1:]; len(args) > 0; args = args[1:] {
		name, value, inline := strings.Cut(args[0], "=")
		takesValue := slices.Contains(renderWith, name) || slices.Contains(ignoredWith, name)
		if takesValue && !inline {
			if len(args) < 2 {
				return o, fmt.Errorf("%s wants a value", name)
			}
			args = args[1:]
			value = args[0]
		}
		switch {
		case !strings.HasPrefix(name, "-"):
			positional = append(positional, args[0])
		case name == "--namespace" || name == "-n":
			o.namespace = value
		case slices.Contains(renderWith, name):
			o.template = append(o.template, name, value)
		case slices.Contains(renderWithout, name):
			o.template = append(o.template, name)
		case name == "--detailed-exitcode":
			o.detailed = true
		case name == "--three-way-merge":
			o.merge = true
		case name == "--show-secrets":
			o.showSecrets = true
		case !slices.Contains(ignored, name) && !slices.Contains(ignoredWith, name) && name != "--dry-run":
			return o, fmt.Errorf("unknown flag %s: add it to test/helmdiff/main.go", name)
		}
	}
	if len(positional) != 2 {
		return o, fmt.Errorf("want a release and a chart, not %q", positional)
	}
	o.release, o.chart = positional[0], positional[1]
	o.template = append(o.template, "--namespace", o.namespace)
	return o, nil
}

func helm(ctx context.Context, args ...string) (string, error) {
	return output(exec.CommandContext(ctx, os.Getenv("HELM_BIN"), args...)) //nolint:gosec // G204: the helm that runs this plugin
}

func output(cmd *exec.Cmd) (string, error) {
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("%s: %s", strings.Join(cmd.Args, " "), strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return "", fmt.Errorf("running %s: %w", cmd.Path, err)
	}
	return string(out), nil
}
