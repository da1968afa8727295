// Package lab runs a lab with everything: the simulated AWS, in a network of its own, and
// nodes for the node groups of its EKS clusters.
package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/norikae/norikae/test/stack/container"
	"github.com/norikae/norikae/test/stack/gitserver"
	"github.com/norikae/norikae/test/stack/vpc"
)

// interval of the looks at what clusters and node groups there are.
const interval = time.Second

// grace is how long a program may take to end.
const grace = 15 * time.Second

// nameServer answers for the load balancers and the hosted zones, as the VPC's does.
const nameServer = "127.0.0.1"

// endpoint of the simulated AWS.
const endpoint = "http://" + vpc.Lab + ":4599"

// Config of a lab.
type Config struct {
	Norikae string   // the program
	Kube    string   // folder with Kubernetes' programs
	Assets  string   // folder with the programs of the images
	Dir     string   // of its own; it is made
	Args    []string // more of norikae lab up
	Out     io.Writer
	Logger  *slog.Logger
}

// world is what the lab says of itself; see norikae lab world.
type world struct {
	Region     string   `json:"region"`
	Env        []string `json:"env"`
	EnvUnset   []string `json:"envUnset"`
	APIServers []struct {
		ClusterARN string `json:"clusterARN"`
		Endpoint   string `json:"endpoint"`
		Kubeconfig string `json:"kubeconfig"`
	} `json:"apiServers"`
}

// Environment that programs in the lab have besides the simulated AWS's: the stack's own
// programs and charts.
func (cfg Config) environment() []string {
	return []string{
		"NORIKAE_CHARTS=" + filepath.Join(cfg.Assets, "charts"), "HELM_PLUGINS=" + filepath.Join(cfg.Assets, "helm-plugins"),
		"TF_CLI_CONFIG_FILE=" + filepath.Join(cfg.Assets, "terraform.rc"), "CHECKPOINT_DISABLE=1",
	}
}

// Session is what others need to enter a running lab.
type Session struct {
	PID int      `json:"pid"` // of a process in its network
	Env []string `json:"env"`
	// Path are folders that come before those of PATH.
	Path []string `json:"path"`
	// Unset are variables that must not be set there.
	Unset []string `json:"unset"`
}

// sessionFile in a lab's folder.
const sessionFile = "session.json"

// Run a lab until ctx ends, in the current network namespace, which is new.
func Run(ctx context.Context, cfg Config) error {
	if err := os.MkdirAll(filepath.Join(cfg.Dir, "nodes"), 0o700); err != nil {
		return fmt.Errorf("the lab's folder: %w", err)
	}
	// What is mounted for pods is not seen elsewhere.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("parting with this machine's mounts: %w", err)
	}
	if err := vpc.SetUp(); err != nil {
		return err
	}
	aws, w, err := cfg.aws()
	if err != nil {
		return err
	}
	defer aws.Stop(grace)
	git, err := cfg.git(ctx)
	if err != nil {
		return err
	}
	defer git.Close()
	s := Session{PID: os.Getpid(), Env: slices.Concat(w.Env, cfg.environment()), Path: []string{filepath.Join(cfg.Assets, "bin"), filepath.Dir(cfg.Norikae)}, Unset: w.EnvUnset}
	if err := cfg.write(s); err != nil {
		return err
	}
	defer os.Remove(filepath.Join(cfg.Dir, sessionFile))
	f := newFleet(cfg, w)
	defer f.close()
	if _, err := fmt.Fprint(cfg.Out, "# A simulated AWS is running, in a network of its own, and nodes for its clusters.\n# In another shell, to work there: norikae lab exec\n# There, "+gitURL+"/NAME.git is a Git repository of any name.\n# Ctrl-C here ends it.\n"); err != nil {
		return fmt.Errorf("telling what runs: %w", err)
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-aws.Done():
			return errors.New("the simulated AWS ended; its log is in " + cfg.log())
		case <-tick.C:
		}
		f.look(ctx)
	}
}

func (cfg Config) log() string { return filepath.Join(cfg.Dir, "lab.log") }

// gitURL is where the lab's Git repositories are.
const gitURL = "http://" + vpc.Lab + ":3000"

// git serves repositories.
func (cfg Config) git(ctx context.Context) (*http.Server, error) {
	h, err := gitserver.New(ctx, filepath.Join(cfg.Dir, "git"))
	if err != nil {
		return nil, err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", strings.TrimPrefix(gitURL, "http://"))
	if err != nil {
		return nil, fmt.Errorf("serving Git: %w", err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			cfg.Logger.ErrorContext(ctx, "the Git server ended", "error", err)
		}
	}()
	return s, nil
}

// aws starts the simulated AWS, and returns what it says of itself.
func (cfg Config) aws() (*process, world, error) {
	log, err := os.OpenFile(cfg.log(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, world{}, fmt.Errorf("the lab's log: %w", err)
	}
	defer log.Close()
	out, in, err := os.Pipe()
	if err != nil {
		return nil, world{}, fmt.Errorf("starting the simulated AWS: %w", err)
	}
	defer out.Close()
	args := append([]string{"lab", "up", "--nodes=" + vpc.Lab, "--listen=" + strings.TrimPrefix(endpoint, "http://"), "--kubernetes=" + cfg.Kube, "--seed=", "--dns=" + nameServer + ":53", "-o", "json"}, cfg.Args...)
	cmd := exec.Command(cfg.Norikae, args...) //nolint:gosec,noctx // the user's program, which ends by signals
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "AWS_") }), "TMPDIR="+cfg.Dir)
	cmd.Stdout, cmd.Stderr = in, log
	p, err := start(cmd)
	in.Close()
	if err != nil {
		return nil, world{}, err
	}
	var w world
	if err := json.NewDecoder(out).Decode(&w); err != nil {
		p.Stop(grace)
		text, _ := os.ReadFile(cfg.log()) // what there is of the reason
		return nil, world{}, fmt.Errorf("starting the simulated AWS: %w: %s", err, text)
	}
	return p, w, nil
}

// write the session for those who enter.
func (cfg Config) write(s Session) error {
	b, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(filepath.Join(cfg.Dir, sessionFile), b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("the lab's session: %w", err)
	}
	return nil
}

// ReadSession of the lab that runs in a folder.
func ReadSession(dir string) (Session, error) {
	var s Session
	b, err := os.ReadFile(filepath.Join(dir, sessionFile))
	if errors.Is(err, os.ErrNotExist) {
		return s, fmt.Errorf("no lab with the full stack runs in %s; start one by norikae lab up --stack full", dir)
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err == nil {
		err = syscall.Kill(s.PID, 0)
	}
	if err != nil {
		return s, fmt.Errorf("the lab in %s: %w", dir, err)
	}
	return s, nil
}

// Resolve makes the calling thread, which has a mount namespace of its own, look up names
// in the lab.
func (s Session) Resolve(dir string) error {
	file := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(file, []byte("nameserver "+nameServer+"\n"), 0o600); err != nil {
		return fmt.Errorf("the lab's resolv.conf: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("parting with this machine's mounts: %w", err)
	}
	if err := unix.Mount(file, "/etc/resolv.conf", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("the lab's resolv.conf: %w", err)
	}
	return nil
}

// Environ is the environment of a program in the lab, made of another. PATH is the last.
func (s Session) Environ(env []string) []string {
	set := append(slices.Clone(s.Env), "PATH="+strings.Join(append(s.Path, os.Getenv("PATH")), ":"))
	name := func(kv string) string { n, _, _ := strings.Cut(kv, "="); return n }
	env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		return slices.Contains(s.Unset, name(kv)) || slices.ContainsFunc(set, func(other string) bool { return name(other) == name(kv) })
	})
	return append(env, set...)
}

// ask the simulated AWS what there is.
func ask(ctx context.Context) (world, error) {
	var w world
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/_lab/world", http.NoBody)
	if err != nil {
		return w, fmt.Errorf("asking the lab: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return w, fmt.Errorf("asking the lab: %w", err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, 8<<20)).Decode(&w); err != nil {
		return w, fmt.Errorf("the lab's answer: %w", err)
	}
	return w, nil
}

// process is a program that dies with this one.
type process = container.Child

func start(cmd *exec.Cmd) (*process, error) { return container.StartChild(cmd) }
