package kubeapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestAServerStandsAloneWithItsControllers(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "server")
	s, err := Run(t.Context(), Config{Assets: assets(t), Dir: dir, ControllerManager: true})
	if err != nil {
		t.Fatal(err)
	}
	pids := s.pids()
	kubectl := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), filepath.Join(assets(t), "kubectl"), append([]string{"--kubeconfig", s.Kubeconfig()}, args...)...)
		cmd.Env = []string{"HOME=" + t.TempDir()}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("kubectl %s: %v: %s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	kubectl("create", "namespace", "here")
	kubectl("delete", "namespace", "here", "--timeout=20s") // what the controller manager is for
	if got := kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"); got != "lab-admin" {
		t.Errorf("the administrator is %q", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "etcd")); err != nil {
		t.Error(err)
	}
	private(t, dir)
	if err := errors.Join(s.Close(), s.Close()); err != nil { // twice does no harm
		t.Error(err)
	}
	if left := alive(pids); len(pids) != 3 || len(left) > 0 {
		t.Errorf("of the programs %v there run %v", pids, left)
	}
	if _, err := os.Stat(filepath.Join(dir, "etcd")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the data stay: %v", err)
	}
	for _, log := range []string{"etcd.log", "kube-apiserver.log", "kube-controller-manager.log"} {
		if _, err := os.Stat(filepath.Join(dir, log)); err != nil {
			t.Errorf("the log is not kept: %v", err)
		}
	}
}

// private wants a folder and the files in it to be its owner's alone.
func private(t *testing.T, dir string) {
	t.Helper()
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has the mode %v: %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < 8 {
		t.Errorf("the folder has %v: %v", entries, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().IsRegular() && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v: %v", e.Name(), info.Mode(), err)
		}
	}
}

func TestRunEndsWithItsContextAndLeavesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := filepath.Join(t.TempDir(), "server")
	programs := broken(t, "echo waiting; echo $$ > pid.new; mv pid.new pid; exec sleep 60")
	ended := make(chan error, 1)
	go func() {
		_, err := Run(ctx, Config{Assets: programs, Dir: dir})
		ended <- err
	}()
	var text []byte
	for end := time.Now().Add(20 * time.Second); len(text) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the program does not start")
		}
		text, _ = os.ReadFile(filepath.Join(dir, "pid")) // it may not be there yet
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "waiting") {
		t.Errorf("it ends by %v", err)
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil || len(alive([]int{pid})) > 0 {
		t.Errorf("the program %q runs: %v", text, err)
	}
}

func TestAProgramThatDoesNotEndIsKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, err := startProcess(dir, broken(t, "trap '' TERM; echo ready; while :; do sleep 1; done"), "kube-apiserver", nil)
	if err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(p.tail(), "ready") {
		time.Sleep(10 * time.Millisecond)
	}
	begun := time.Now()
	p.stop()
	if took := time.Since(begun); took < grace || took > 2*grace || len(alive([]int{p.cmd.Process.Pid})) > 0 {
		t.Errorf("it was gone after %s", took)
	}
}

func TestTheErrorOfAProgramCarriesTheEndOfItsLogOnly(t *testing.T) {
	t.Parallel()
	_, err := Run(t.Context(), Config{Assets: broken(t, "seq 1 10000; exit 1"), Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "9999\n10000") || strings.Contains(err.Error(), "\n5000\n") || len(err.Error()) > 2*tailSize {
		t.Errorf("the error is %v", err)
	}
}

func TestAPortThatSomebodyElseTookIsGivenUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := Run(t.Context(), Config{Dir: dir, Assets: broken(t, `echo "$@" >> tries; echo "listen: address already in use"; exit 1`)})
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("the error is %v", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "tries"))
	ports := map[string]bool{}
	for _, port := range regexp.MustCompile(`--secure-port=\d+`).FindAllString(string(text), -1) {
		ports[port] = true
	}
	if err != nil || len(ports) != portTries {
		t.Errorf("the ports that were tried are %v: %v", ports, err)
	}
}

func TestAServerNeedsItsPrograms(t *testing.T) {
	empty := t.TempDir()
	plain := t.TempDir()
	if err := os.WriteFile(filepath.Join(plain, "etcd"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	half := broken(t, "exit 1")
	if err := os.Remove(filepath.Join(half, "kube-controller-manager")); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"no folder":                  {Config{}, "is not named"},
		"an empty folder":            {Config{Assets: empty}, "the program etcd of Kubernetes is not in " + empty},
		"files that are not run":     {Config{Assets: plain}, "it is not a program"},
		"without the controllers'":   {Config{Assets: half, ControllerManager: true}, "the program kube-controller-manager of Kubernetes is not in " + half},
		"a folder that is not there": {Config{Assets: filepath.Join(empty, "x")}, "the program etcd of Kubernetes is not in"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Run(t.Context(), tc.cfg); err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "make kube-assets") {
				t.Errorf("the error is %v, want %q and make kube-assets", err, tc.want)
			}
		})
	}
}

// holder is the environment of the test below, in the process that is killed.
const holder = "NORIKAE_TEST_HOLDS_A_SERVER"

func TestProgramsDieWithTheProcessThatHasStartedThem(t *testing.T) {
	if dir := os.Getenv(holder); dir != "" {
		holdServer(t, dir)
		return
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), holder+"="+broken(t, "exec sleep 60"))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	var pids []int
	if err == nil {
		err = json.Unmarshal([]byte(line), &pids)
	}
	if err != nil || len(alive(pids)) != 2 {
		t.Fatalf("there run %v of %q: %v", alive(pids), line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	for end := time.Now().Add(10 * time.Second); len(alive(pids)) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("there still run %v", alive(pids))
		}
	}
}

// holdServer starts programs, says which, and waits until it is killed.
func holdServer(t *testing.T, programs string) {
	t.Helper()
	var pids []int
	for _, name := range []string{"etcd", "kube-apiserver"} {
		p, err := startProcess(t.TempDir(), programs, name, nil)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, p.cmd.Process.Pid)
	}
	b, err := json.Marshal(pids)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(string(b))
	time.Sleep(time.Minute)
}

func TestReservedPortsAreNobodyElses(t *testing.T) {
	ports := map[uint16]bool{}
	for range 50 {
		port, free, err := reservePort(Config{}.address())
		if err != nil {
			t.Fatal(err)
		}
		defer free()
		if ports[port] {
			t.Fatalf("the port %d is given twice", port)
		}
		ports[port] = true
		if ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			t.Errorf("somebody else listens on %s: %v", ln.Addr(), ln.Close())
		}
	}
}
