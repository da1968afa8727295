// Package helmfile drives the helmfile binary: what it would change, changing it, and
// taking it away again. No shell is between, nothing that is given to it stays on disk,
// and no secret of its input is in what comes back.
package helmfile

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Spec is a set of releases, and how to reach their cluster.
type Spec struct {
	Binary     string // helmfile's path, or its name on PATH
	HelmBinary string // helm's
	Plugins    string // folders of helm plugins; "": those of the environment

	WorkingDirectory string // "": the process's
	Path             string // of a helmfile; "" with no Content: what helmfile finds by itself
	Content          string // the helmfile itself
	Release          *Release

	ValuesFiles     []string
	Values          []string // YAML or JSON
	SensitiveValues []string // the same, and none of their scalars is in any output
	Set             map[string]string
	Selectors       []string // KEY=VALUE, with commas between what must hold together
	Environment     string
	Concurrency     int // helm processes at once; 0: no limit

	Kubeconfig, KubeContext string
	EnvironmentVariables    map[string]string
	Credentials             map[string]string // of AWS, as environment variables; masked
	// Masked are words that are masked besides: what is removed shows in a diff, too.
	Masked []string
	Line   func(string) // is told each line of output; nil: nobody
}

// Release is the only one of a set, which is made of it: Spec.Values are its values.
type Release struct {
	Name, Namespace, Chart, Version            string
	Verify, Wait, Force, Atomic, CleanupOnFail bool
	Timeout                                    int // seconds that helm waits; 0: its own default
}

// Difference between what is declared and what is installed.
type Difference struct {
	Output  string // as helmfile prints it, without secrets
	Changed bool
}

// Runner runs helmfile. When the context of a run ends, so does all that it started: told by
// SIGINT, killed after the grace. The error's words are the context's cause.
type Runner struct {
	Environ []string      // as os.Environ gives it; nil: this process's
	Grace   time.Duration // between SIGINT and SIGKILL; 0: DefaultGrace
}

// exitChanged is how `helmfile diff --detailed-exitcode` says that there are changes.
const exitChanged = 2

// Diff tells what Apply would change. A release that helm did not finish is a change,
// although its manifests are those that were declared: helm's last words are "failed".
func (r Runner) Diff(ctx context.Context, s Spec) (Difference, error) {
	f, err := r.open(s)
	if err != nil {
		return Difference{}, err
	}
	defer f.close()
	unfinished, err := r.unfinished(ctx, f)
	if err != nil {
		return Difference{}, err
	}
	return r.diff(ctx, f, unfinished)
}

func (r Runner) diff(ctx context.Context, f *files, unfinished []string) (Difference, error) {
	out, err := r.run(ctx, f, f.spec.Line, f.command("diff", "--detailed-exitcode", "--suppress-secrets", "--context", "3"))
	exit, exited := errors.AsType[*ExitError](err)
	if err != nil && (!exited || exit.Code != exitChanged) {
		return Difference{}, err
	}
	d := Difference{Output: deterministic(out.stdout), Changed: err != nil || len(unfinished) > 0}
	for _, u := range unfinished {
		d.Output += u + ": it will be upgraded again\n"
	}
	if !d.Changed {
		d.Output = ""
	}
	return d, nil
}

// Apply makes the releases what is declared, and gives the end of what helmfile printed.
func (r Runner) Apply(ctx context.Context, s Spec) (string, error) {
	f, err := r.open(s)
	if err != nil {
		return "", err
	}
	defer f.close()
	unfinished, err := r.unfinished(ctx, f)
	if err != nil {
		return "", err
	}
	args := f.command("apply", "--suppress-secrets")
	if len(unfinished) > 0 {
		// Apply upgrades what differs; a failed release may not.
		args = f.command("sync")
	}
	out, err := r.run(ctx, f, s.Line, args)
	return out.both, err
}

// Destroy uninstalls the releases.
func (r Runner) Destroy(ctx context.Context, s Spec) (string, error) {
	f, err := r.open(s)
	if err != nil {
		return "", err
	}
	defer f.close()
	out, err := r.run(ctx, f, s.Line, f.command("destroy"))
	return out.both, err
}

var statusLine = regexp.MustCompile(`^(NAME|NAMESPACE|STATUS): (\S+)$`)

// unfinished releases, each as a sentence. That one is not there is no error: diff says so.
func (r Runner) unfinished(ctx context.Context, f *files) ([]string, error) {
	out, err := r.run(ctx, f, nil, f.command("status"))
	if _, exited := errors.AsType[*ExitError](err); err != nil && (!exited || ctx.Err() != nil) {
		return nil, err
	}
	var found []string
	var name, namespace string
	for line := range strings.Lines(out.both) {
		m := statusLine.FindStringSubmatch(strings.TrimSpace(line))
		switch {
		case m == nil:
		case m[1] == "NAME":
			name, namespace = m[2], ""
		case m[1] == "NAMESPACE":
			namespace = m[2]
		case name != "":
			if m[2] != "deployed" {
				found = append(found, fmt.Sprintf("release %s in namespace %s is %q", name, namespace, m[2]))
			}
			name = "" // what follows are the chart's notes
		}
	}
	slices.Sort(found)
	return found, nil
}

// deterministic leaves out what differs from one run to the next though nothing changed.
func deterministic(diff string) string {
	var b strings.Builder
	for line := range strings.Lines(diff) {
		if !strings.HasPrefix(line, "...Successfully got an update from") {
			b.WriteString(line)
		}
	}
	return strings.TrimSpace(b.String()) + "\n"
}
