package helmfile

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// call is what a stand-in for helmfile saw.
type call struct {
	Args   []string
	Env    map[string]string
	Values map[string]string // contents of the files that it was given, by base name
	Modes  []string          // permissions of those files
	File   string
	Dir    string
}

// TestMain is helmfile, too: the test binary stands in for it when it is told so.
func TestMain(m *testing.M) {
	if play := os.Getenv("PLAY_HELMFILE"); play != "" {
		os.Exit(playHelmfile(play))
	}
	os.Exit(m.Run())
}

func playHelmfile(play string) int {
	if play == "a provider" {
		_, err := Runner{Environ: append(os.Environ(), "PLAY_HELMFILE=is helm")}.Destroy(context.Background(), Spec{Binary: os.Args[0], HelmBinary: "helm"})
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if strings.HasPrefix(play, "is ") {
		return playHelm(play)
	}
	c := call{Args: os.Args[1:], Env: map[string]string{}, Values: map[string]string{}}
	for i, arg := range c.Args[:len(c.Args)-1] {
		path := c.Args[i+1]
		if arg != "--state-values-file" && arg != "--file" {
			continue
		}
		text, err := os.ReadFile(path)
		info, err2 := os.Stat(path)
		if err != nil || err2 != nil {
			fmt.Fprintln(os.Stderr, err, err2)
			return 1
		}
		c.Modes = append(c.Modes, info.Mode().String())
		if arg == "--file" {
			c.File = string(text)
			continue
		}
		c.Values[filepath.Base(path)] = string(text)
	}
	for _, name := range []string{"KUBECONFIG", "HELM_PLUGINS", "AWS_PROFILE", "AWS_SESSION_TOKEN", "EXTRA", "HELM_DIFF_THREE_WAY_MERGE"} {
		if value, ok := os.LookupEnv(name); ok {
			c.Env[name] = value
		}
	}
	c.Dir, _ = os.Getwd()
	text, err := json.Marshal(c)
	if err != nil {
		return 1
	}
	log, err := os.OpenFile(os.Getenv("PLAY_LOG"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 1
	}
	if _, err := log.Write(append(text, '\n')); err != nil || log.Close() != nil {
		return 1
	}
	if slices.Contains(c.Args, "status") {
		fmt.Fprint(os.Stderr, os.Getenv("PLAY_STATUS"))
		return 0
	}
	switch play {
	case "changes":
		fmt.Println("...Successfully got an update from the \"x\" chart repository")
		fmt.Println("- old\n+ new hunter2 " + base64.StdEncoding.EncodeToString([]byte("hunter2")))
		return 2
	case "fails":
		fmt.Fprintln(os.Stderr, "it is broken: hunter2")
		return 1
	case "sleeps":
		interrupted := make(chan os.Signal, 1)
		signal.Notify(interrupted, syscall.SIGINT)
		fmt.Println("sleeping")
		<-interrupted
		fmt.Println("interrupted")
		return 130
	case "leaves helm", "leaves hanging helm":
		helm := exec.CommandContext(context.Background(), os.Args[0], "status")
		helm.Env = append(os.Environ(), "PLAY_HELMFILE="+strings.Replace(play, "leaves", "is", 1))
		interrupted := make(chan os.Signal, 1)
		signal.Notify(interrupted, syscall.SIGINT)
		if err := helm.Start(); err != nil {
			return 1
		}
		for {
			if _, err := os.Stat(os.Getenv("PLAY_HELM")); err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		fmt.Println("helm works")
		<-interrupted
		return 130
	case "hangs":
		signal.Ignore(syscall.SIGINT)
		fmt.Println("sleeping")
		time.Sleep(time.Minute)
	}
	return 0
}

// playHelm in helmfile's process group: its file has its process id, and how it ended.
func playHelm(play string) int {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT)
	file, text := os.Getenv("PLAY_HELM"), strconv.Itoa(os.Getpid())
	if os.WriteFile(file+".new", []byte(text), 0o600) != nil || os.Rename(file+".new", file) != nil {
		return 1
	}
	<-interrupted
	if play == "is hanging helm" {
		time.Sleep(time.Minute)
	}
	time.Sleep(100 * time.Millisecond)
	if os.WriteFile(file, []byte(text+" ended"), 0o600) != nil {
		return 1
	}
	return 0
}

// stage has a runner whose helmfile plays, and what it saw.
func stage(t *testing.T, play string, more ...string) (Runner, Spec, func() []call) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	env := append([]string{"PLAY_HELMFILE=" + play, "PLAY_LOG=" + log, "TMPDIR=" + t.TempDir(), "AWS_PROFILE=mine"}, more...)
	spec := Spec{Binary: os.Args[0], HelmBinary: "helm", WorkingDirectory: t.TempDir(), Content: "releases: []"}
	return Runner{Environ: env, Grace: 200 * time.Millisecond}, spec, func() []call {
		t.Helper()
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		var out []call
		for line := range strings.Lines(string(text)) {
			var c call
			if err := json.Unmarshal([]byte(line), &c); err != nil {
				t.Fatal(err)
			}
			out = append(out, c)
		}
		return out
	}
}

func TestADiffTellsChangesWithoutSecrets(t *testing.T) {
	r, s, _ := stage(t, "changes")
	s.SensitiveValues = []string{"password: hunter2\nenabled: true"}
	var logged []string
	s.Line = func(line string) { logged = append(logged, line) }
	d, err := r.Diff(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	want := Difference{Output: "- old\n+ new (sensitive value) (sensitive value)\n", Changed: true}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("difference (-want +got):\n%s", diff)
	}
	if strings.Contains(strings.Join(logged, "\n"), "hunter2") || len(logged) == 0 {
		t.Errorf("it logged %q", logged)
	}
}

func TestNoChangeSaysNothing(t *testing.T) {
	r, s, _ := stage(t, "quiet")
	d, err := r.Diff(t.Context(), s)
	if err != nil || d != (Difference{}) {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestAReleaseThatHelmDidNotFinishIsAChangeAndIsSynced(t *testing.T) {
	r, s, calls := stage(t, "quiet", "PLAY_STATUS=NAME: web\nNAMESPACE: prod\nSTATUS: failed\nNOTES:\nSTATUS: odd\nNAME: api\nNAMESPACE: prod\nSTATUS: deployed\n")
	d, err := r.Diff(t.Context(), s)
	if err != nil || !d.Changed || !strings.Contains(d.Output, `release web in namespace prod is "failed"`) || strings.Contains(d.Output, "odd") || strings.Contains(d.Output, "api") {
		t.Errorf("got %+v, %v", d, err)
	}
	if _, err := r.Apply(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	all := calls()
	if last := all[len(all)-1].Args; !slices.Contains(last, "sync") || slices.Contains(last, "apply") {
		t.Errorf("it was applied by %q", last)
	}
}

func TestHelmfileIsToldAllAndNothingStays(t *testing.T) {
	r, s, calls := stage(t, "quiet", "HELM_PLUGINS=/mine")
	t.Setenv("TMPDIR", t.TempDir())
	s.Content = "releases: [] # {{ .Values.a }}"
	s.Values, s.SensitiveValues = []string{"a: 1"}, []string{"b: 2"}
	s.Selectors, s.Environment, s.Concurrency, s.KubeContext = []string{"x=y"}, "prod", 2, "blue"
	s.Set = map[string]string{"c": "3"}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("kube.yaml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Kubeconfig, s.Plugins = "kube.yaml", "/plugins"
	s.EnvironmentVariables = map[string]string{"EXTRA": "1"}
	s.Credentials = map[string]string{"AWS_SESSION_TOKEN": "abc"}
	if _, err := r.Apply(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	all := calls()
	c := all[len(all)-1]
	line := strings.Join(c.Args, " ")
	for _, want := range []string{".yaml.gotmpl ", "--environment prod", "--kube-context blue", "--selector x=y", "apply --suppress-secrets --concurrency 2 --set c=3"} {
		if !strings.Contains(line, want) {
			t.Errorf("the arguments are %q, without %q", line, want)
		}
	}
	absolute, err := filepath.Abs("kube.yaml")
	if err != nil {
		t.Fatal(err)
	}
	wantEnv := map[string]string{"KUBECONFIG": absolute, "HELM_PLUGINS": "/plugins:/mine", "EXTRA": "1", "AWS_SESSION_TOKEN": "abc", "HELM_DIFF_THREE_WAY_MERGE": "true"}
	if diff := cmp.Diff(wantEnv, c.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"values-0.yaml": "a: 1", "values-1.yaml": "b: 2"}, c.Values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"-rw-------", "-rw-------", "-rw-------"}, c.Modes); diff != "" || c.File != s.Content || c.Dir != s.WorkingDirectory {
		t.Errorf("modes (-want +got):\n%s\nfile %q, in %s", diff, c.File, c.Dir)
	}
	for _, dir := range []string{s.WorkingDirectory, os.Getenv("TMPDIR")} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left in %s: %v, %v", dir, left, err)
		}
	}
}

func TestAReleaseBecomesAHelmfile(t *testing.T) {
	text, err := Release{Name: "web", Namespace: "prod", Chart: "./web", Version: "1", Wait: true, Timeout: 5}.helmfile([]string{"/tmp/{{x}}"})
	if err != nil {
		t.Fatal(err)
	}
	want := `releases:
    - atomic: false
      chart: ./web
      cleanupOnFail: false
      force: false
      name: web
      namespace: prod
      timeout: 5
      values:
        - /tmp/{{x}}
      verify: false
      version: "1"
      wait: true
`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("helmfile (-want +got):\n%s", diff)
	}
}

func TestAFailureQuotesItsLastWordsWithoutSecrets(t *testing.T) {
	r, s, _ := stage(t, "fails")
	s.EnvironmentVariables = map[string]string{"DB_PASSWORD": "hunter2"}
	for name, run := range map[string]func() error{
		"diff":    func() error { _, err := r.Diff(t.Context(), s); return err },
		"apply":   func() error { _, err := r.Apply(t.Context(), s); return err },
		"destroy": func() error { _, err := r.Destroy(t.Context(), s); return err },
	} {
		err := run()
		exit, ok := errors.AsType[*ExitError](err)
		if !ok || exit.Code != 1 || !strings.Contains(err.Error(), "it is broken: (sensitive value)") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACancelledRunIsInterruptedAndThenKilled(t *testing.T) {
	for play, want := range map[string]string{"sleeps": "interrupted", "hangs": "sleeping"} {
		t.Run(play, func(t *testing.T) {
			r, s, _ := stage(t, play)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.Line = func(line string) {
				if line == "sleeping" {
					cancel()
				}
			}
			out, err := r.Destroy(ctx, s)
			if !errors.Is(err, context.Canceled) || !strings.Contains(out, want) {
				t.Errorf("got %q, %v", out, err)
			}
			if left, err := os.ReadDir(s.WorkingDirectory); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

func TestATimeoutNamesItself(t *testing.T) {
	r, s, _ := stage(t, "sleeps")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("it took longer than I wanted"))
	defer cancel()
	if _, err := r.Destroy(ctx, s); err == nil || !strings.Contains(err.Error(), "(it took longer than I wanted)") {
		t.Errorf("got %v", err)
	}
}

// helm may still work when helmfile has gone: it has the rest of the grace.
func TestWhomHelmfileLeavesBehindIsAwaitedAndThenKilled(t *testing.T) {
	for name, test := range map[string]struct {
		play  string
		ended bool // by itself
	}{
		"one who puts things right": {"leaves helm", true},
		"one who hangs":             {"leaves hanging helm", false},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "helm")
			r, s, _ := stage(t, test.play, "PLAY_HELM="+file)
			r.Grace = time.Second
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.Line = func(line string) {
				if line == "helm works" {
					cancel()
				}
			}
			if _, err := r.Destroy(ctx, s); err == nil || !strings.Contains(err.Error(), "(it was interrupted)") {
				t.Errorf("got %v", err)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			pid, ended := strings.CutSuffix(string(text), " ended")
			if ended != test.ended {
				t.Errorf("helm ended by itself: %t", ended)
			}
			n, err := strconv.Atoi(pid)
			if err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(30 * time.Second); runs(n); time.Sleep(5 * time.Millisecond) { // a signal takes its time
				if time.Now().After(end) {
					t.Fatal("helm still runs")
				}
			}
		})
	}
}

// runs tells whether there is such a process, which is no mere entry that nobody took.
func runs(pid int) bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return syscall.Kill(pid, 0) == nil && !strings.Contains(string(stat), ") Z ")
}

// As by SIGKILL, which a provider gets when Terraform is interrupted twice.
func TestHelmfileIsInterruptedWhenItsParentDies(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // nobody tells
	}
	file := filepath.Join(t.TempDir(), "helm")
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), "PLAY_HELMFILE=a provider", "PLAY_HELM="+file, "PLAY_LOG="+filepath.Join(t.TempDir(), "log"))
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	until := func(what string) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			text, err := os.ReadFile(file)
			if err == nil && strings.HasSuffix(string(text), what) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%q, %v: waited in vain for %q", text, err, what)
			}
		}
	}
	until("")
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	until(" ended")
}

func TestOutputIsBounded(t *testing.T) {
	var kept tail
	for range 3 * maxOutput / 100 {
		kept.add(strings.Repeat("x", 99))
	}
	if s := kept.String(); len(s) > maxOutput+100 || !strings.HasPrefix(s, "(") {
		t.Errorf("%d bytes are kept, beginning with %q", len(s), s[:40])
	}
}

// A line is not cut: a part of a secret would not be masked.
func TestALineWithoutAnEndIsBounded(t *testing.T) {
	var mu sync.Mutex
	l := &lines{mu: &mu, scrub: newScrubber([]string{"hunter2"}), tails: []*tail{{}}}
	write := func(s string) {
		t.Helper()
		if n, err := l.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatalf("%d bytes, %v", n, err)
		}
		if len(l.part) > 2*maxLine {
			t.Fatalf("%d bytes are kept", len(l.part))
		}
	}
	write("before\n")
	for range 4 * maxLine / 1024 {
		write(strings.Repeat("hunter2 ", 128))
	}
	write("end hunter2\nafter hunter2\n" + strings.Repeat("x", 2*maxLine) + "\nlast")
	l.flush()
	want := fmt.Sprintf("before\n(a line of %d bytes is left out)\nafter (sensitive value)\n(a line of %d bytes is left out)\nlast\n", 4*maxLine+len("end hunter2"), 2*maxLine)
	if got := l.tails[0].String(); got != want {
		t.Errorf("got %.500s", got)
	}
}

func TestAFetchedPluginStandsBeforeThoseOfTheUser(t *testing.T) {
	for name, test := range map[string]struct {
		env  []string
		want string
	}{
		"that the environment names":  {[]string{"HELM_PLUGINS=/a:/b", "HELM_DATA_HOME=/d"}, "/p:/a:/b"},
		"below helm's data":           {[]string{"HELM_DATA_HOME=/d", "XDG_DATA_HOME=/x"}, "/p:/d/plugins"},
		"below the data of all":       {[]string{"XDG_DATA_HOME=/x", "HOME=/h"}, "/p:/x/helm/plugins"},
		"below the home, as defaults": {[]string{"HOME=/h"}, "/p:" + map[bool]string{true: "/h/Library/helm/plugins", false: "/h/.local/share/helm/plugins"}[runtime.GOOS == "darwin"]},
	} {
		t.Run(name, func(t *testing.T) {
			env, err := environment(test.env, Spec{Plugins: "/p"})
			if err != nil || !slices.Contains(env, "HELM_PLUGINS="+test.want) {
				t.Errorf("%q, %v: want %s", env, err, test.want)
			}
		})
	}
}
