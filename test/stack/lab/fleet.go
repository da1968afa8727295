package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"golang.org/x/sys/unix"

	"github.com/norikae/norikae/test/stack/addon"
	"github.com/norikae/norikae/test/stack/vpc"
)

// maxNodes of a lab: the VPC has a subnet for each.
const maxNodes = 64

// fleet is the nodes that run. It is used by one goroutine.
type fleet struct {
	cfg      Config
	env      []string
	key      aws.CredentialsProvider
	nodes    map[string]*machine // by cluster and place in its node group
	clusters map[string]bool     // ARNs that have their add-ons
	said     map[string]string   // what was logged last, of each subject
}

// machine is a running node.
type machine struct {
	number  int
	cluster string // ARN
	process *process
}

func newFleet(_ context.Context, cfg Config, w world) (*fleet, error) {
	env := map[string]string{}
	for _, kv := range w.Env {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	f := &fleet{cfg: cfg, nodes: map[string]*machine{}, clusters: map[string]bool{}, said: map[string]string{}}
	f.key = credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], "")
	// Pods know where AWS is and have no credentials, but those that their roles give them.
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED"} {
		if v := env[name]; v != "" {
			f.env = append(f.env, name+"="+v)
		}
	}
	return f, nil
}

func (f *fleet) close() {
	for _, m := range f.nodes {
		m.process.Signal(syscall.SIGTERM)
	}
	for _, m := range f.nodes {
		_ = stop(m.process)
	}
}

// say something of a subject, once.
func (f *fleet) say(subject string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if f.said[subject] == text {
		return
	}
	f.said[subject] = text
	if err != nil {
		f.cfg.Logger.Warn(subject, "error", err)
	}
}

// look at what clusters and node groups there are, and have a node for each that is wanted.
func (f *fleet) look(ctx context.Context) {
	w, err := ask(ctx)
	f.say("the lab", err)
	if err != nil {
		return
	}
	wanted := map[string]bool{}
	unsure := false
	for _, s := range w.APIServers {
		err := f.addons(ctx, s.ClusterARN, s.Kubeconfig)
		f.say("the add-ons of "+s.ClusterARN, err)
		if err != nil {
			unsure = true
			continue
		}
		names, err := f.groups(ctx, s.ClusterARN)
		f.say("the node groups of "+s.ClusterARN, err)
		unsure = unsure || err != nil
		for _, n := range names {
			key := s.ClusterARN + " " + n.place
			wanted[key] = true
			if _, ok := f.nodes[key]; !ok {
				f.say("the node "+key, f.start(key, s.ClusterARN, s.Kubeconfig, n))
			}
		}
	}
	if unsure {
		return // what is not known is left as it is
	}
	for key, m := range f.nodes {
		select {
		case <-m.process.Done():
			f.say("the node "+key, errors.New("it ended by itself; its log is in "+f.dir(m.number)))
			delete(f.nodes, key)
			continue
		default:
		}
		if !wanted[key] {
			_ = stop(m.process)
			delete(f.nodes, key)
		}
	}
}

// addons that EKS gives every cluster.
func (f *fleet) addons(ctx context.Context, cluster, kubeconfig string) error {
	if f.clusters[cluster] {
		return nil
	}
	if err := addon.Apply(ctx, kubeconfig); err != nil {
		return err
	}
	f.clusters[cluster] = true
	return nil
}

// wantedNode is a place in a node group.
type wantedNode struct {
	place  string // group/number
	labels map[string]string
}

// groups are the nodes that a cluster's node groups want.
func (f *fleet) groups(ctx context.Context, cluster string) ([]wantedNode, error) {
	a, err := arn.Parse(cluster)
	if err != nil {
		return nil, fmt.Errorf("the cluster: %w", err)
	}
	name := strings.TrimPrefix(a.Resource, "cluster/")
	api := eks.NewFromConfig(aws.Config{Region: a.Region, Credentials: f.key, BaseEndpoint: aws.String(endpoint)})
	var out []wantedNode
	pages := eks.NewListNodegroupsPaginator(api, &eks.ListNodegroupsInput{ClusterName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing node groups: %w", err)
		}
		for _, group := range page.Nodegroups {
			d, err := api.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &name, NodegroupName: &group})
			if err != nil {
				return nil, fmt.Errorf("describing a node group: %w", err)
			}
			labels := maps.Clone(d.Nodegroup.Labels)
			if labels == nil {
				labels = map[string]string{}
			}
			labels["eks.amazonaws.com/nodegroup"] = group
			if d.Nodegroup.ScalingConfig == nil {
				continue
			}
			for i := range aws.ToInt32(d.Nodegroup.ScalingConfig.DesiredSize) {
				out = append(out, wantedNode{fmt.Sprintf("%s/%d", group, i), labels})
			}
		}
	}
	return out, nil
}

func (f *fleet) dir(number int) string {
	return filepath.Join(f.cfg.Dir, "nodes", fmt.Sprintf("%03d", number))
}

// start a node.
func (f *fleet) start(key, cluster, kubeconfig string, n wantedNode) error {
	number := 1
	for slices.ContainsFunc(slices.Collect(maps.Values(f.nodes)), func(m *machine) bool { return m.number == number }) {
		number++
	}
	if number > maxNodes {
		return fmt.Errorf("the lab runs %d nodes already, which is the most", maxNodes)
	}
	dir := f.dir(number)
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("the node's folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("the node's folder: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(dir, "node.log"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("the node's log: %w", err)
	}
	defer log.Close()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	addr := vpc.Node(number)
	host := fmt.Sprintf("ip-%s.ec2.internal", strings.ReplaceAll(addr.String(), ".", "-"))
	args := []string{
		"node", "--name=" + host, "--address=" + addr.String(), "--kubeconfig=" + kubeconfig, "--dir=" + dir, "--dns=" + addon.DNS,
		"--assets=" + f.cfg.Assets, fmt.Sprintf("--provider-id=aws:///us-east-1a/i-%017x", number),
	}
	for _, k := range slices.Sorted(maps.Keys(n.labels)) {
		args = append(args, "--labels="+k+"="+n.labels[k])
	}
	for _, kv := range f.env {
		args = append(args, "--env="+kv)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS}
	p, err := start(cmd)
	if err != nil {
		return fmt.Errorf("starting a node: %w", err)
	}
	if err := vpc.Connect(number, p.PID()); err != nil {
		return errors.Join(err, stop(p))
	}
	f.nodes[key] = &machine{number: number, cluster: cluster, process: p}
	f.cfg.Logger.Info("a node", "cluster", cluster, "place", n.place, "name", host)
	return nil
}
