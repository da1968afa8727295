//go:build e2e

package argocd

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// argoCD is a running Argo CD without its server: what makes and syncs Applications.
type argoCD struct {
	dir      string
	env      []string
	programs []*program
}

// startArgoCD installs Argo CD on the management cluster and runs it until the test ends.
// aws is how its argocd-k8s-auth gets AWS credentials.
func startArgoCD(t *testing.T, management *cluster, aws []string) *argoCD {
	t.Helper()
	assets := os.Getenv(argocdVar)
	management.installCRDs(t, filepath.Join(assets, "crds"))
	management.create(t, []byte(settings))
	a := &argoCD{dir: t.TempDir()}
	t.Cleanup(func() { // a folder that is not to be listed cannot be removed
		_ = os.Chmod(filepath.Join(a.dir, "tmp", "_argocd-repo"), 0o700)
	})
	kubeconfig := filepath.Join(a.dir, "kubeconfig")
	management.inNamespace(t, kubeconfig, argoNamespace)
	a.env = append(a.environment(t, assets, kubeconfig), aws...)

	ports := freePorts(t, 2)
	redis, repo := loopback(ports[0]), loopback(ports[1])
	start := func(name string, args ...string) *program {
		p := startProgram(t, a.dir, a.env, filepath.Join(assets, name), args...)
		a.programs = append(a.programs, p)
		return p
	}
	redisServer := start("redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(ports[0]), "--save", "", "--appendonly", "no")
	repoServer := start("argocd-repo-server", "--address=127.0.0.1", "--port="+strconv.Itoa(ports[1]), "--metrics-address=127.0.0.1", "--metrics-port=0",
		"--disable-tls", "--client-ca-path=", "--redis="+redis, "--revision-cache-expiration=5s", "--loglevel=warn")
	redisServer.listens(t, redis)
	repoServer.listens(t, repo)
	// Its metrics listen on all addresses, whatever one tells it.
	start("argocd-application-controller", "--kubeconfig="+kubeconfig, "--namespace="+argoNamespace, "--metrics-port=0",
		"--redis="+redis, "--repo-server="+repo, "--repo-server-plaintext", "--app-resync=10", "--app-resync-jitter=0",
		"--status-processors=4", "--operation-processors=4")
	start("argocd-applicationset-controller", "--kubeconfig="+kubeconfig, "--namespace="+argoNamespace,
		"--metrics-addr=127.0.0.1:0", "--probe-addr=127.0.0.1:0", "--webhook-addr=127.0.0.1:0",
		"--argocd-repo-server="+repo, "--repo-server-plaintext")
	return a
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// environment of all programs: every place that is outside of the folder by default is
// inside of it, and nothing of this process's environment is there but the assets' PATH.
func (a *argoCD) environment(t *testing.T, assets, kubeconfig string) []string {
	t.Helper()
	env := []string{
		"PATH=" + assets + ":/usr/local/bin:/usr/bin:/bin",
		"KUBECONFIG=" + kubeconfig, "NAMESPACE=" + argoNamespace, "ARGOCD_FAKE_IN_CLUSTER=true", "ARGOCD_CONTROLLER_REPLICAS=1",
		"ARGOCD_GPG_ENABLED=false", "ARGOCD_ASK_PASS_SOCK=" + filepath.Join(a.dir, "ask.sock"),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
	}
	for variable, folder := range map[string]string{
		"HOME": "home", "TMPDIR": "tmp", "ARGOCD_TLS_DATA_PATH": "tls", "ARGOCD_SSH_DATA_PATH": "ssh", "ARGOCD_GNUPGHOME": "gnupg",
		"ARGOCD_GPG_DATA_PATH": "gpg", "ARGOCD_PLUGINSOCKFILEPATH": "plugins", "ARGOCD_APP_CONF_PATH": "conf",
	} {
		dir := filepath.Join(a.dir, folder)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		env = append(env, variable+"="+dir)
	}
	if err := os.WriteFile(filepath.Join(a.dir, "ssh", "ssh_known_hosts"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return env
}

// memory of each program, in MB.
func (a *argoCD) memory() string {
	var parts []string
	for _, p := range a.programs {
		parts = append(parts, fmt.Sprintf("%s %d", strings.TrimPrefix(p.name, "argocd-"), p.rss()))
	}
	return strings.Join(parts, ", ")
}

// repository is a Git repository with the workload in its folder shop, as a URL.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "shop"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "shop", "shop.yaml"), []byte(workload), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"add", "."},
		{"-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message=shop"},
	} {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "git", args...)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null"}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
	return "file://" + dir
}
