package awssim_test

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"
)

// Many commands of the AWS CLI in one process: most of the time of `aws` goes into
// starting Python. A line in is the arguments, a line out what the command printed.
const cliLoop = `
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

// cli is a running AWS CLI: Debian's, which Debian's Python knows.
type cli struct {
	in  io.WriteCloser
	out *json.Decoder
}

// startCLI in an environment (NAME=VALUE), until the test is over.
func startCLI(t *testing.T, env []string) *cli {
	t.Helper()
	if _, err := os.Stat(awsCLI); err != nil {
		t.Fatalf("%v: install it with apt-get install awscli", err)
	}
	c := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", cliLoop)
	c.Env = append([]string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir()}, env...)
	c.Stderr = os.Stderr
	in := got[io.WriteCloser](t)(c.StdinPipe())
	out := got[io.ReadCloser](t)(c.StdoutPipe())
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := c.Wait(); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return &cli{in, json.NewDecoder(out)}
}

// call runs one command.
func (c *cli) call(t *testing.T, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	line := got[[]byte](t)(json.Marshal(args))
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Out, Errs string
		OK        bool
	}
	if err := c.out.Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Out, answer.Errs, answer.OK
}
