package eksctl_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/eksctl"
)

// The test program is the program that is run, too: what it plays is in this variable.
const play = "EKSCTL_PLAY"

func TestMain(m *testing.M) {
	switch os.Getenv(play) {
	case "":
		os.Exit(m.Run())
	case "echo":
		in := make([]byte, 1<<10)
		n, _ := os.Stdin.Read(in)
		fmt.Printf("args %q\nstdin %s\n", os.Args[1:], in[:n])
		fmt.Fprintln(os.Stderr, "AKIAABCDEFGHIJKLMNOP and", os.Getenv("AWS_SECRET_ACCESS_KEY"), "secret_access_key=hunter2")
	case "fail":
		for i := range 40 {
			fmt.Println("line", i)
		}
		os.Exit(3)
	case "long":
		for i := range 4000 {
			fmt.Println(strings.Repeat("x", 50), i)
		}
	case "json":
		fmt.Fprintln(os.Stderr, "a line of the log")
		size, _ := strconv.Atoi(os.Args[1])
		fmt.Println("[" + strings.Repeat("x", size) + "]")
	case "polite":
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGINT)
		fmt.Println("ready")
		<-c
		fmt.Println("cleaned up")
		os.Exit(1)
	case "stubborn": // so is the child that it starts
		signal.Ignore(syscall.SIGINT)
		child := exec.Command(os.Args[0]) //nolint:noctx // itself
		child.Env = []string{play + "=sleep"}
		child.Stdout = os.Stdout
		if err := child.Start(); err != nil {
			os.Exit(9)
		}
		fmt.Println("child", child.Process.Pid)
		time.Sleep(time.Minute)
	case "sleep":
		signal.Ignore(syscall.SIGINT)
		time.Sleep(time.Minute)
	}
}

func playing(t *testing.T, what string, args ...string) eksctl.Command {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return eksctl.Command{Binary: self, Args: args, Env: []string{play + "=" + what, "AWS_SECRET_ACCESS_KEY=abcdefghijkl"}, Grace: 10 * time.Second}
}

func TestArgumentsAndInputArriveAsTheyAreAndSecretsDoNotComeBack(t *testing.T) {
	c := playing(t, "echo", "create", "cluster", "-f", "-", "$(rm -rf x); `y`")
	c.Stdin = []byte("kind: ClusterConfig")
	var lines []string
	c.Line = func(s string) { lines = append(lines, s) }
	out, err := eksctl.Runner{}.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	want := `args ["create" "cluster" "-f" "-" "$(rm -rf x); ` + "`y`" + `"]` + "\nstdin kind: ClusterConfig\n(hidden) and (hidden) secret_access_key=(hidden)\n"
	if out != want || strings.Join(lines, "\n")+"\n" != want {
		t.Errorf("got %q, line by line %q, want %q", out, lines, want)
	}
}

func TestAFailureSaysTheExitCodeAndTheLastLines(t *testing.T) {
	_, err := eksctl.Runner{}.Run(t.Context(), playing(t, "fail", "upgrade", "cluster"))
	exit, ok := errors.AsType[*eksctl.ExitError](err)
	if !ok || exit.Code != 3 {
		t.Fatalf("%v", err)
	}
	if s := err.Error(); !strings.HasPrefix(s, "eksctl upgrade cluster: exit code 3; its last lines:\nline 25\n") || !strings.HasSuffix(s, "line 39") {
		t.Errorf("the error is %q", s)
	}
}

func TestOnlyTheTailOfALongOutputIsKept(t *testing.T) {
	out, err := eksctl.Runner{}.Run(t.Context(), playing(t, "long"))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(out); n > 64<<10+100 || n < 60<<10 || !strings.HasSuffix(out, "x 3999\n") || !strings.Contains(out[:60], "bytes before this are left out") {
		t.Errorf("%d bytes, from %q", n, out[:60])
	}
}

func TestAListIsGivenWholeOrNotAtAll(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	list := func(size int) (string, error) {
		var out bytes.Buffer
		c := eksctl.Command{Binary: self, Args: []string{strconv.Itoa(size)}, Env: []string{play + "=json"}, Stdout: &out}
		_, err := eksctl.Runner{}.Run(t.Context(), c)
		return out.String(), err
	}
	if got, err := list(1 << 20); err != nil || len(got) != 1<<20+3 || got[0] != '[' {
		t.Errorf("of a list of 1 MiB there are %d bytes: %v", len(got), err)
	}
	if _, err := list(eksctl.MaxStdout); err == nil || !strings.Contains(err.Error(), "it printed more than 8 MiB") {
		t.Errorf("of a list that is too long: %v", err)
	}
}

func TestAProgramIsInterruptedFirst(t *testing.T) {
	for name, tc := range map[string]struct {
		timeout time.Duration
		says    string
		cause   error
	}{
		"by a cancel":  {0, "interrupted; its last lines:\nready\ncleaned up", context.Canceled},
		"by a timeout": {300 * time.Millisecond, "interrupted after its timeout of 300ms; its last lines:\nready\ncleaned up", context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := playing(t, "polite", "create", "cluster")
			c.Timeout = tc.timeout
			if tc.timeout == 0 {
				c.Line = func(string) { cancel() }
			}
			_, err := eksctl.Runner{}.Run(ctx, c)
			if !errors.Is(err, tc.cause) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestAProgramThatDoesNotEndIsKilledWithWhatItStarted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := playing(t, "stubborn")
	c.Grace = 200 * time.Millisecond
	child := 0
	c.Line = func(s string) {
		child, _ = strconv.Atoi(strings.TrimPrefix(s, "child "))
		cancel()
	}
	began := time.Now()
	_, err := eksctl.Runner{}.Run(ctx, c)
	if took := time.Since(began); !errors.Is(err, context.Canceled) || took > 10*time.Second || child == 0 {
		t.Fatalf("after %s, child %d: %v", took, child, err)
	}
	for range 100 {
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child)); err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("the child %d still runs", child)
}

func TestAProgramThatIsNotThereSaysHowToGetIt(t *testing.T) {
	_, err := eksctl.Runner{}.Run(t.Context(), eksctl.Command{Binary: "no-such-eksctl"})
	if err == nil || !strings.Contains(err.Error(), `"no-such-eksctl" is not on PATH`) || !strings.Contains(err.Error(), "eksctl_version") {
		t.Errorf("%v", err)
	}
}

func TestEksctlSeesOnlyWhatItNeeds(t *testing.T) {
	environ := []string{"PATH=/bin", "DATADOG_API_KEY=x", "TF_VAR_password=x", "AWS_PROFILE=mine", "AWS_CA_BUNDLE=/ca", "EKSCTL_RECORD=/r", "LC_ALL=C"}
	for name, tc := range map[string]struct {
		set  map[string]string
		want string
	}{
		"the environment's credentials":      {map[string]string{"AWS_REGION": "x"}, "AWS_CA_BUNDLE=/ca AWS_PROFILE=mine AWS_REGION=x EKSCTL_RECORD=/r LC_ALL=C PATH=/bin"},
		"a role's credentials and no others": {map[string]string{"AWS_ACCESS_KEY_ID": "a"}, "AWS_ACCESS_KEY_ID=a AWS_CA_BUNDLE=/ca EKSCTL_RECORD=/r LC_ALL=C PATH=/bin"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(eksctl.Environment(environ, tc.set), " "); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// golden compares with a file of testdata, or writes it when NORIKAE_REWRITE is set.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("NORIKAE_REWRITE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (NORIKAE_REWRITE=1 writes it); got:\n%s", path, got)
	}
}
