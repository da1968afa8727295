package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/norikae/norikae/test/stack/addon"
	"github.com/norikae/norikae/test/stack/vpc"
)

// maxNodes of a lab: so many subnets there are for pods.
const maxNodes = 250

// fleet is the nodes that run: one for each EC2 instance of a cluster. It is used by one
// goroutine.
type fleet struct {
	cfg      Config
	aws      cloud
	env      []string            // of all containers
	nodes    map[string]*machine // by instance
	clusters map[string]bool     // ARNs that have their add-ons
	said     map[string]string   // what was logged last, of each subject
}

// machine is a running node.
type machine struct {
	number  int
	cluster string // ARN
	process *process
}

func newFleet(cfg Config, w world) *fleet {
	env := map[string]string{}
	for _, kv := range w.Env {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	f := &fleet{cfg: cfg, aws: newCloud(env), nodes: map[string]*machine{}, clusters: map[string]bool{}, said: map[string]string{}}
	// Pods know where AWS is and have no credentials, but those that their roles give them.
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED"} {
		if v := env[name]; v != "" {
			f.env = append(f.env, name+"="+v)
		}
	}
	return f
}

func (f *fleet) close() {
	for _, m := range f.nodes {
		m.process.Signal(syscall.SIGTERM)
	}
	for _, m := range f.nodes {
		m.process.Stop(grace)
	}
}

// say something of a subject, once.
func (f *fleet) say(ctx context.Context, subject string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if f.said[subject] == text {
		return
	}
	f.said[subject] = text
	if err != nil {
		f.cfg.Logger.WarnContext(ctx, "the fleet", "subject", subject, "error", err)
	}
}

// look at what clusters and node groups there are, and have what they want.
func (f *fleet) look(ctx context.Context) {
	w, err := ask(ctx)
	f.say(ctx, "the lab", err)
	if err != nil {
		return
	}
	there := map[string]bool{} // clusters
	for _, s := range w.APIServers {
		there[s.ClusterARN] = true
		f.say(ctx, s.ClusterARN, f.cluster(ctx, s.ClusterARN, s.Kubeconfig))
	}
	for id, m := range f.nodes {
		if there[m.cluster] {
			continue
		}
		f.say(ctx, "the instance "+id, f.aws.terminate(ctx, m.cluster, id))
		m.process.Stop(grace)
		delete(f.nodes, id)
		delete(f.clusters, m.cluster)
	}
}

// cluster has its add-ons, its node groups' instances, and a node for each.
func (f *fleet) cluster(ctx context.Context, arn, kubeconfig string) error {
	if !f.clusters[arn] {
		if err := addon.Apply(ctx, kubeconfig); err != nil {
			return err
		}
		f.clusters[arn] = true
	}
	groups, err := f.aws.groups(ctx, arn)
	if err != nil {
		return err
	}
	instances, err := f.aws.scale(ctx, arn, groups)
	if err != nil {
		return err
	}
	var errs []error
	wanted := map[string]bool{}
	for _, i := range instances {
		wanted[i.id] = true
		errs = append(errs, f.node(ctx, arn, kubeconfig, i))
	}
	for id, m := range f.nodes {
		if m.cluster == arn && !wanted[id] {
			m.process.Stop(grace)
			delete(f.nodes, id)
			errs = append(errs, addon.DeleteNode(ctx, kubeconfig, id))
		}
	}
	return errors.Join(errs...)
}

// node of an instance runs; one that has ended is started again, as EC2 would.
func (f *fleet) node(ctx context.Context, arn, kubeconfig string, i instance) error {
	if m, ok := f.nodes[i.id]; ok {
		select {
		case <-m.process.Done():
			f.cfg.Logger.WarnContext(ctx, "a node ended by itself, and is started again", "node", i.host(), "log", f.dir(m.number))
		default:
			return nil
		}
	}
	number := 1
	for {
		if !slices.ContainsFunc(f.numbers(i.id), func(n int) bool { return n == number }) {
			break
		}
		number++
	}
	if number > maxNodes {
		return fmt.Errorf("the lab runs %d nodes already, which is the most", maxNodes)
	}
	p, err := f.start(number, kubeconfig, i)
	if err != nil {
		return fmt.Errorf("starting the node %s: %w", i.host(), err)
	}
	f.nodes[i.id] = &machine{number: number, cluster: arn, process: p}
	f.cfg.Logger.InfoContext(ctx, "a node", "cluster", arn, "group", i.group.name, "name", i.host())
	return f.aws.register(ctx, arn, i)
}

// numbers of all nodes but that of an instance.
func (f *fleet) numbers(id string) []int {
	var out []int
	for other, m := range f.nodes {
		if other != id {
			out = append(out, m.number)
		}
	}
	return out
}

func (f *fleet) dir(number int) string {
	return filepath.Join(f.cfg.Dir, "nodes", fmt.Sprintf("%03d", number))
}

// start a node.
func (f *fleet) start(number int, kubeconfig string, i instance) (*process, error) {
	dir := f.dir(number)
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(dir, "node.log"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{
		"node", "--name=" + i.host(), "--address=" + i.addr.String(), "--pods=" + vpc.Pods(number).String(), "--kubeconfig=" + kubeconfig, "--dir=" + dir,
		"--dns=" + addon.DNS, "--assets=" + f.cfg.Assets, "--norikae=" + f.cfg.Norikae, "--provider-id=aws:///" + i.zone + "/" + i.id,
	}
	for k, v := range i.labels() {
		args = append(args, "--labels="+k+"="+v)
	}
	for _, kv := range f.env {
		args = append(args, "--env="+kv)
	}
	cmd := exec.Command(self, args...) //nolint:gosec,noctx // this program, which ends by signals
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS}
	p, err := start(cmd)
	if err != nil {
		return nil, err
	}
	if err := vpc.Connect(number, i.addr, p.PID()); err != nil {
		p.Stop(0)
		return nil, err
	}
	return p, nil
}

// host is the node's name, as EC2's private DNS has it.
func (i instance) host() string {
	return fmt.Sprintf("ip-%s.ec2.internal", strings.ReplaceAll(i.addr.String(), ".", "-"))
}
