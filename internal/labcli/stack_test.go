package labcli

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// stackOf is a folder with a program of the full stack's name.
func stackOf(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, stackProgram), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// becomes what the command hands over to.
func becomes(t *testing.T, getenv func(string) string, args ...string) (path string, argv []string, err error) {
	t.Helper()
	cmd := newLab(getenv, func(p string, a, env []string) error {
		path, argv = p, a
		if slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "AWS_") }) {
			t.Error("the real AWS's variables go along")
		}
		return nil
	})
	cmd.SetArgs(args)
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	return path, argv, cmd.ExecuteContext(t.Context())
}

func TestTheFullStackRunsTheLabInItsNetwork(t *testing.T) {
	t.Setenv("AWS_PROFILE", "production")
	dir := stackOf(t)
	env := func(name string) string { return map[string]string{stackVar: dir}[name] }
	path, argv, err := becomes(t, env, "up", "--stack", "full", "--authz", "--metric-period=2s", "--fault", `{"kind":"throttle"}`, "--fault", `{"kind":"target"}`)
	if err != nil || path != filepath.Join(dir, stackProgram) {
		t.Fatal(path, err)
	}
	self, _ := os.Executable()
	want := []string{
		stackProgram, "up", "--norikae=" + self, "--kubernetes=" + dir + "/kube", "--assets=" + dir, "--",
		"--authz=true", `--fault={"kind":"throttle"}`, `--fault={"kind":"target"}`, "--metric-period=2s",
	}
	if !slices.Equal(argv, want) {
		t.Errorf("%q\nwant %q", argv, want)
	}
	if _, argv, err = becomes(t, env, "exec", "--", "aws", "--version"); err != nil || !slices.Equal(argv, []string{stackProgram, "exec", "--", "aws", "--version"}) {
		t.Error(argv, err)
	}
	t.Setenv("PATH", dir)
	if path, _, err := becomes(t, func(string) string { return "" }, "exec"); err != nil || filepath.Base(path) != stackProgram {
		t.Error(path, err)
	}
}

func TestFullStacksThatCannotBe(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	dir, none := stackOf(t), t.TempDir()
	for name, tc := range map[string]struct {
		folder string
		args   []string
		want   string
	}{
		"another stack":         {dir, []string{"up", "--stack", "half"}, `--stack "half" is not full`},
		"what it decides":       {dir, []string{"up", "--stack", "full", "--listen", "127.0.0.1:0"}, "--listen cannot be said with --stack full"},
		"it is not built":       {"", []string{"up", "--stack", "full"}, "make stack"},
		"it is not there":       {none, []string{"up", "--stack", "full"}, none},
		"a program without --":  {dir, []string{"exec", "aws", "--", "x"}, "come after --"},
		"wrong flags of lab up": {dir, []string{"up", "--stack", "full", "--clusters", "0"}, "--clusters 0 is not in"},
	} {
		t.Run(name, func(t *testing.T) {
			path, _, err := becomes(t, func(name string) string { return map[string]string{stackVar: tc.folder}[name] }, tc.args...)
			if err == nil || path != "" || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q; it became %q", err, tc.want, path)
			}
		})
	}
}
