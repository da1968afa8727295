package eksctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/norikae/norikae/internal/eksctl"
	"github.com/norikae/norikae/internal/provider/connection"
)

// maxOutput of all runs of one operation, in bytes, that the state keeps.
const maxOutput = 64 << 10

// cleanup is how long a look at what is live may take after an operation was interrupted.
const cleanup = 30 * time.Second

// session is one operation on one cluster.
type session struct {
	config Config
	conn   connection.Connection
	// program says which eksctl is run: a version to fetch, or a path or name.
	program program
	binary  string // "": not looked for yet
	output  strings.Builder
	given   []mapping // access, by this operation
}

type program struct{ bin, version string }

// base of a resource: the provider's data, once it is configured.
type base struct{ data *Data }

func (b *base) configure(raw any, diags *diag.Diagnostics) {
	if raw == nil { // the provider is not configured yet, at validation
		return
	}
	d, ok := raw.(*Data)
	if !ok {
		diags.AddError("Another provider's data", fmt.Sprintf("The provider gave %T. This is a bug of the provider; please report it.", raw))
		return
	}
	b.data = d
}

// unread tells Read whether it must leave the state as it is.
func (b *base) unread(diags *diag.Diagnostics) bool { return connection.Unread(b.data.known, diags) }

// unasked refuses an import that cannot ask AWS.
func (b *base) unasked(diags *diag.Diagnostics) bool { return connection.Unasked(b.data.known, diags) }

func (b *base) session(c connection.Connection, p program) *session {
	return &session{config: b.data.config, conn: c.Or(b.data.connection), program: p}
}

// prepare finds the program; it does so once.
func (s *session) prepare(ctx context.Context) error {
	if s.binary != "" {
		return nil
	}
	binary := s.program.bin
	if s.program.version != "" {
		var err error
		if binary, err = s.config.Releases.Eksctl(ctx, s.program.version); err != nil {
			return fmt.Errorf("fetching eksctl %s (eksctl_version): %w", s.program.version, err)
		}
	}
	s.binary = binary
	return nil
}

// run eksctl; its output goes to the log, line by line, and is kept.
func (s *session) run(ctx context.Context, stdin string, args ...string) error {
	_, err := s.ask(ctx, stdin, args...)
	return err
}

func (s *session) ask(ctx context.Context, stdin string, args ...string) (string, error) {
	return s.call(ctx, stdin, nil, args...)
}

// get has eksctl print a list as JSON and reads it into a pointer to a slice.
func (s *session) get(ctx context.Context, into any, args ...string) error {
	var list bytes.Buffer
	tail, err := s.call(ctx, "", &list, append(append([]string{"get"}, args...), "--output=json", "--color=false")...)
	switch {
	case err == nil:
		return listed(list.String(), into)
	case noneFound.MatchString(tail): // for some kinds eksctl calls that an error
		return nil
	}
	return err
}

func (s *session) call(ctx context.Context, stdin string, stdout *bytes.Buffer, args ...string) (string, error) {
	if err := s.prepare(ctx); err != nil {
		return "", err
	}
	vars, stop, err := s.config.Credentials.Serve(ctx, s.conn)
	defer stop()
	if err != nil {
		return "", fmt.Errorf("getting AWS credentials for eksctl: %w", err)
	}
	env := eksctl.Environment(s.config.Environ, vars)
	c := eksctl.Command{Binary: s.binary, Args: args, Env: env, Stdout: stdout, Line: func(line string) { tflog.Info(ctx, "eksctl", map[string]any{"line": line}) }}
	if stdin != "" {
		c.Stdin = []byte(stdin)
	}
	tflog.Info(ctx, "running eksctl", map[string]any{"args": strings.Join(args, " ")})
	out, err := s.config.Eksctl.Run(ctx, c)
	s.output.WriteString(out)
	return out, err
}

// said is the end of what eksctl said.
func (s *session) said() string {
	out := s.output.String()
	if len(out) <= maxOutput {
		return out
	}
	out = out[len(out)-maxOutput:]
	if i := strings.IndexByte(out, '\n'); i >= 0 {
		out = out[i+1:]
	}
	return out
}

// afterwards is a context for looking at what is live, though ctx may have ended.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), cleanup)
}

// timeoutError is why a context ended that bounded made.
type timeoutError struct{ limit time.Duration }

func (e timeoutError) Error() string { return fmt.Sprintf("it took longer than %s", e.limit) }

// Is makes it a context.DeadlineExceeded.
func (timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// bounded ends after limit, which the block timeouts gives an operation.
func bounded(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, timeoutError{limit})
}

// late adds to an error that the limit of ctx is what ended it.
func late(ctx context.Context, err error) error {
	limit, over := errors.AsType[timeoutError](context.Cause(ctx))
	if _, already := errors.AsType[timeoutError](err); err == nil || !over || already {
		return err
	}
	return fmt.Errorf("%w: %w", err, limit)
}

// why an operation ended early, and what to do about it.
func why(err error, operation string) string {
	text := upper(err.Error()) + "."
	if over, ok := errors.AsType[timeoutError](err); ok {
		text += fmt.Sprintf("\n\nIt was interrupted after the %s that timeouts.%s allows, and everything that it had started was ended. If it only needs longer: timeouts { %s = %q }.",
			over.limit, operation, operation, (2 * over.limit).String())
	}
	return text
}

func upper(s string) string {
	if s == "" || strings.HasPrefix(s, "eksctl ") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
