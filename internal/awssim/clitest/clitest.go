// Package clitest drives simulated services with Debian's awscli, a client that nobody
// here wrote, in tests. It runs all commands of a test in one process, since most of the
// time of `aws` goes into starting Python, and lets none of them reach the real AWS.
package clitest

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// loop is the process: a line in is a command's arguments, a line out what it printed.
const loop = `
import contextlib, io, json, sys
from awscli.clidriver import create_clidriver
answers = sys.stdout
for line in sys.stdin:
    out, errs = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errs):
        try:
            code = create_clidriver().main(json.loads(line))
        except SystemExit as e:
            code = e.code
    answers.write(json.dumps({"out": out.getvalue(), "errs": errs.getvalue(), "ok": not code}) + "\n")
    answers.flush()
`

// Config of a CLI.
type Config struct {
	Endpoint string // of the simulated services; this awscli ignores AWS_ENDPOINT_URL
	Region   string
	Key      string // access key ID
	Secret   string
}

// CLI is a running awscli. It ends with its test.
type CLI struct {
	t        testing.TB
	endpoint string
	in       io.Writer
	out      *json.Decoder
}

// Start an awscli.
func Start(t testing.TB, cfg Config) *CLI {
	t.Helper()
	if _, err := os.Stat("/usr/bin/aws"); err != nil {
		t.Fatalf("%v: install it with apt-get install awscli", err)
	}
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", loop) // Debian's, which knows Debian's awscli
	cmd.Env = []string{
		"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "AWS_ACCESS_KEY_ID=" + cfg.Key, "AWS_SECRET_ACCESS_KEY=" + cfg.Secret,
		"AWS_DEFAULT_REGION=" + cfg.Region, "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true",
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // the program ends by it; Wait says how
		if err := cmd.Wait(); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return &CLI{t, cfg.Endpoint, in, json.NewDecoder(out)}
}

// Try runs a command and returns what it printed, and whether it succeeded.
func (c *CLI) Try(args ...string) (stdout, stderr string, ok bool) {
	c.t.Helper()
	line, err := json.Marshal(append([]string{"--endpoint-url", c.endpoint, "--no-cli-pager", "--output", "json"}, args...))
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		c.t.Fatal(err)
	}
	var answer struct {
		Out, Errs string
		OK        bool
	}
	if err := c.out.Decode(&answer); err != nil {
		c.t.Fatal(err)
	}
	return answer.Out, answer.Errs, answer.OK
}

// Run a command that must succeed. path leads to the value that it returns, as text, such
// as Vpcs.0.VpcId; with "" it is all that was printed.
func (c *CLI) Run(path string, args ...string) string {
	c.t.Helper()
	out, errs, ok := c.Try(args...)
	if !ok {
		c.t.Fatalf("aws %s: %s", strings.Join(args, " "), errs)
	}
	if path == "" {
		return out
	}
	var v any
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		c.t.Fatalf("aws %s: %v: %s", strings.Join(args, " "), err, out)
	}
	for name := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(x) {
				c.t.Fatalf("aws %s: no %s: %s", strings.Join(args, " "), path, out)
			}
			v = x[i]
		}
	}
	if v == nil {
		c.t.Fatalf("aws %s: no %s: %s", strings.Join(args, " "), path, out)
	}
	return fmt.Sprint(v)
}

// Want runs a command and wants a value at a path of its answer.
func (c *CLI) Want(value, path string, args ...string) {
	c.t.Helper()
	if got := c.Run(path, args...); got != value {
		c.t.Errorf("aws %s: %s is %q, want %q", strings.Join(args, " "), path, got, value)
	}
}
