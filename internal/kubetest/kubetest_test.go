package kubetest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/api/v1alpha1"
)

var kube Server

func TestMain(m *testing.M) { os.Exit(kube.Main(m)) }

func TestTheServerKnowsOurKinds(t *testing.T) {
	c := kube.Cluster(t)
	if err := c.Client.List(t.Context(), &v1alpha1.ClusterSetList{}, client.InNamespace(c.Namespace)); err != nil {
		t.Error(err)
	}
	if out, ok := c.Kubectl(t, "", "get", "cset,appset"); !ok || !strings.Contains(out, "No resources found in "+c.Namespace) {
		t.Errorf("kubectl said %q", out)
	}
	out, ok := c.Kubectl(t, "apiVersion: norikae.dev/v1alpha1\nkind: ClusterSet\nmetadata: {name: x}\nspec: {sources: []}\n", "apply", "-f", "-")
	if ok || !strings.Contains(out, "spec.sources in body should have at least 1 items") {
		t.Errorf("kubectl said %q", out)
	}
}

func TestEveryTestHasANamespaceOfItsOwn(t *testing.T) {
	a, b := kube.Cluster(t), kube.Cluster(t)
	if a.Namespace == b.Namespace || a.Namespace == "" {
		t.Errorf("the namespaces are %q and %q", a.Namespace, b.Namespace)
	}
}

func TestAUserMayDoOnlyWhatTheRulesSay(t *testing.T) {
	c := kube.Cluster(t)
	jane := c.As(t, "jane", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"create"}})
	if err := jane.Client.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: jane.Namespace}}); err != nil {
		t.Error(err)
	}
	if err := jane.Client.List(t.Context(), &corev1.SecretList{}, client.InNamespace(jane.Namespace)); !apierrors.IsForbidden(err) {
		t.Errorf("listing gave %v, want forbidden", err)
	}
	if out, ok := jane.Kubectl(t, "", "get", "secrets"); ok || !strings.Contains(out, jane.Namespace+":jane") {
		t.Errorf("kubectl said %q", out)
	}
}

// The certificate authority of envtest is not safe for concurrent use; run with -race.
func TestUsersAreMadeByManyTestsAtOnce(t *testing.T) {
	c := kube.Cluster(t)
	for _, user := range []string{"ann", "ben", "cleo", "dan", "eve", "fay", "gus", "hana"} {
		t.Run(user, func(t *testing.T) {
			t.Parallel()
			c.As(t, user)
		})
	}
}

func TestWithoutTheProgramsTheErrorSaysHowToGetThem(t *testing.T) {
	for name, tc := range map[string]struct{ dir, want string }{
		"nothing is set":     {"", "KUBEBUILDER_ASSETS is not set: run `make test`, or `export KUBEBUILDER_ASSETS=$(make -s kube-assets)`"},
		"the folder is bare": {t.TempDir(), "has no etcd: build it with `make kube-assets`"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBEBUILDER_ASSETS", tc.dir)
			var s Server
			if err := s.start(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

// TestAKilledTestLeavesNothingBehind runs this test binary again, kills it while its
// API server runs, and looks for what is left.
func TestAKilledTestLeavesNothingBehind(t *testing.T) {
	const role = "KUBETEST_TO_BE_KILLED"
	if os.Getenv(role) != "" {
		c := kube.Cluster(t)
		fmt.Println("dir:", c.server.guard.dir)
		select {} // until it is killed
	}
	self := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	self.Env = append(os.Environ(), role+"=1")
	stdout, err := self.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Start(); err != nil {
		t.Fatal(err)
	}
	var dir string
	for lines := bufio.NewScanner(stdout); dir == "" && lines.Scan(); {
		_, dir, _ = strings.Cut(lines.Text(), "dir: ")
	}
	if dir == "" {
		t.Fatal("it ended before its API server ran")
	}
	pids, err := os.ReadFile(filepath.Join(dir, "pids"))
	if err != nil {
		t.Fatal(err)
	}
	started := strings.Fields(string(pids))
	if len(started) < 2 {
		t.Errorf("the guard knows of the processes %q, want etcd and kube-apiserver", started)
	}
	for _, pid := range started {
		if !alive(t, pid) {
			t.Errorf("the process %s does not run", pid)
		}
	}
	if err := self.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = self.Wait()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var left []string
		for _, pid := range started {
			if alive(t, pid) {
				left = append(left, pid)
			}
		}
		if _, err := os.Stat(dir); os.IsNotExist(err) && len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("10 s after it was killed there are the processes %v, and maybe the folder %s", left, dir)
		}
	}
}

func alive(t *testing.T, pid string) bool {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	return syscall.Kill(n, 0) == nil
}
