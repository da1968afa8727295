// Package cri is a container runtime for the kubelet, by its own interface: pods are
// network namespaces, containers processes of this machine.
package cri

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	api "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/cri-streaming/pkg/streaming"

	"github.com/norikae/norikae/test/stack/container"
	"github.com/norikae/norikae/test/stack/image"
	"github.com/norikae/norikae/test/stack/vpc"
)

// Config of a Runtime.
type Config struct {
	Dir    string       // an empty folder of its own
	Node   netip.Addr   // the node's address, which pods of its network have
	Pods   netip.Prefix // where the others have theirs
	Images *image.Catalogue
	Env    []string // of every container, before its own
	Logger *slog.Logger
}

// Runtime implements the CRI's RuntimeService and ImageManagerService.
type Runtime struct {
	unsupported

	cfg    Config
	stream streaming.Server

	mu         sync.Mutex
	sandboxes  map[string]*sandbox
	containers map[string]*instance
	lastAddr   netip.Addr
}

// sandbox is what the containers of a pod share. Its fields but state do not change.
type sandbox struct {
	id      string
	config  *api.PodSandboxConfig
	pod     *vpc.Pod // nil: the node's own network
	addr    netip.Addr
	created time.Time
	ready   bool
}

// instance is a container.
type instance struct {
	id       string
	sandbox  *sandbox
	config   *api.ContainerConfig
	image    image.Image
	log      *log
	created  time.Time
	started  time.Time
	finished time.Time
	process  *container.Process // nil: it was not started
	stopped  bool               // by the kubelet
	failure  string             // why it was not started
}

// New returns a Runtime without any pod.
func New(cfg Config) (*Runtime, error) {
	r := &Runtime{cfg: cfg, sandboxes: map[string]*sandbox{}, containers: map[string]*instance{}, lastAddr: cfg.Pods.Addr().Next()}
	streams := streaming.DefaultConfig
	streams.Addr = net127
	var err error
	if r.stream, err = newStreams(streams, r); err != nil {
		return nil, fmt.Errorf("the server of streams: %w", err)
	}
	return r, nil
}

// Close kills all containers.
func (r *Runtime) Close(context.Context) error {
	r.mu.Lock()
	var all []*container.Process
	for _, c := range r.containers {
		if c.process != nil {
			all = append(all, c.process)
		}
	}
	r.mu.Unlock()
	for _, p := range all {
		p.Kill()
	}
	return r.stream.Stop()
}

// Version implements the CRI.
func (r *Runtime) Version(context.Context, string) (*api.VersionResponse, error) {
	return &api.VersionResponse{Version: "0.1.0", RuntimeName: "processes", RuntimeVersion: "0.1.0", RuntimeApiVersion: "v1"}, nil
}

// Status implements the CRI.
func (r *Runtime) Status(context.Context, bool) (*api.StatusResponse, error) {
	return &api.StatusResponse{Status: &api.RuntimeStatus{Conditions: []*api.RuntimeCondition{
		{Type: api.RuntimeReady, Status: true}, {Type: api.NetworkReady, Status: true},
	}}}, nil
}

// RuntimeConfig implements the CRI.
func (r *Runtime) RuntimeConfig(context.Context) (*api.RuntimeConfigResponse, error) {
	return &api.RuntimeConfigResponse{Linux: &api.LinuxRuntimeConfiguration{CgroupDriver: api.CgroupDriver_CGROUPFS}}, nil
}

// UpdateRuntimeConfig implements the CRI.
func (r *Runtime) UpdateRuntimeConfig(context.Context, *api.RuntimeConfig) error { return nil }

// RunPodSandbox implements the CRI.
func (r *Runtime) RunPodSandbox(_ context.Context, config *api.PodSandboxConfig, _ string) (string, error) {
	s := &sandbox{id: newID(), config: config, created: time.Now(), ready: true, addr: r.cfg.Node}
	r.mu.Lock()
	defer r.mu.Unlock()
	if config.GetLinux().GetSecurityContext().GetNamespaceOptions().GetNetwork() != api.NamespaceMode_NODE {
		addr, err := r.freeAddr()
		if err != nil {
			return "", err
		}
		if s.pod, err = vpc.NewPod(s.id, addr); err != nil {
			return "", err
		}
		s.addr = addr
	}
	if err := os.MkdirAll(config.GetLogDirectory(), 0o755); err != nil { //nolint:gosec // G301: as every runtime does
		return "", fmt.Errorf("the folder of logs: %w", err)
	}
	r.sandboxes[s.id] = s
	return s.id, nil
}

// freeAddr is an address of the pods' subnet that none has; the longest unused.
func (r *Runtime) freeAddr() (netip.Addr, error) {
	for range 250 {
		next := r.lastAddr.Next()
		if b := next.As4(); b[3] > 250 {
			next = r.cfg.Pods.Addr().Next().Next()
		}
		r.lastAddr = next
		taken := false
		for _, s := range r.sandboxes {
			taken = taken || s.pod != nil && s.addr == next
		}
		if !taken {
			return next, nil
		}
	}
	return netip.Addr{}, status.Error(codes.ResourceExhausted, "the node has no more addresses for pods")
}

// StopPodSandbox implements the CRI.
func (r *Runtime) StopPodSandbox(ctx context.Context, id string) error {
	r.mu.Lock()
	s := r.sandboxes[id]
	if s == nil {
		r.mu.Unlock()
		return nil
	}
	wasReady := s.ready
	s.ready = false
	var running []*instance
	for _, c := range r.containers {
		if c.sandbox == s {
			running = append(running, c)
		}
	}
	r.mu.Unlock()
	for _, c := range running {
		if err := r.StopContainer(ctx, c.id, 0); err != nil {
			return err
		}
	}
	if wasReady && s.pod != nil {
		return s.pod.Close()
	}
	return nil
}

// RemovePodSandbox implements the CRI.
func (r *Runtime) RemovePodSandbox(ctx context.Context, id string) error {
	if err := r.StopPodSandbox(ctx, id); err != nil {
		return err
	}
	r.mu.Lock()
	var all []string
	for _, c := range r.containers {
		if c.sandbox.id == id {
			all = append(all, c.id)
		}
	}
	delete(r.sandboxes, id)
	r.mu.Unlock()
	for _, c := range all {
		if err := r.RemoveContainer(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// PodSandboxStatus implements the CRI.
func (r *Runtime) PodSandboxStatus(_ context.Context, id string, _ bool) (*api.PodSandboxStatusResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sandboxes[id]
	if s == nil {
		return nil, status.Errorf(codes.NotFound, "there is no pod %s", id)
	}
	return &api.PodSandboxStatusResponse{Status: &api.PodSandboxStatus{
		Id: s.id, Metadata: s.config.GetMetadata(), State: s.state(), CreatedAt: s.created.UnixNano(),
		Network: &api.PodSandboxNetworkStatus{Ip: s.addr.String()},
		Linux:   &api.LinuxPodSandboxStatus{Namespaces: &api.Namespace{Options: s.config.GetLinux().GetSecurityContext().GetNamespaceOptions()}},
		Labels:  s.config.GetLabels(), Annotations: s.config.GetAnnotations(),
	}}, nil
}

func (s *sandbox) state() api.PodSandboxState {
	if s.ready {
		return api.PodSandboxState_SANDBOX_READY
	}
	return api.PodSandboxState_SANDBOX_NOTREADY
}

// ListPodSandbox implements the CRI.
func (r *Runtime) ListPodSandbox(_ context.Context, f *api.PodSandboxFilter) ([]*api.PodSandbox, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*api.PodSandbox
	for _, s := range r.sandboxes {
		if f.GetId() != "" && f.GetId() != s.id || f.GetState() != nil && f.GetState().GetState() != s.state() || !matches(f.GetLabelSelector(), s.config.GetLabels()) {
			continue
		}
		out = append(out, &api.PodSandbox{
			Id: s.id, Metadata: s.config.GetMetadata(), State: s.state(), CreatedAt: s.created.UnixNano(),
			Labels: s.config.GetLabels(), Annotations: s.config.GetAnnotations(),
		})
	}
	slices.SortFunc(out, func(a, b *api.PodSandbox) int { return cmp.Compare(a.GetId(), b.GetId()) })
	return out, nil
}

// PortForward implements the CRI.
func (r *Runtime) PortForward(_ context.Context, req *api.PortForwardRequest) (*api.PortForwardResponse, error) {
	return r.stream.GetPortForward(req)
}

// matches tells whether labels are those of a selector.
func matches(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}

func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// hostname of a pod.
func (s *sandbox) hostname() string {
	if s.pod == nil {
		if name, err := os.Hostname(); err == nil {
			return name
		}
	}
	return s.config.GetHostname()
}

// resolvConf is what a pod's resolver reads.
func (s *sandbox) resolvConf() string {
	var b strings.Builder
	dns := s.config.GetDnsConfig()
	for _, server := range dns.GetServers() {
		b.WriteString("nameserver " + server + "\n")
	}
	if len(dns.GetSearches()) > 0 {
		b.WriteString("search " + strings.Join(dns.GetSearches(), " ") + "\n")
	}
	if len(dns.GetOptions()) > 0 {
		b.WriteString("options " + strings.Join(dns.GetOptions(), " ") + "\n")
	}
	return b.String()
}

// folder of a container, for its root.
func (r *Runtime) folder(id string) string { return filepath.Join(r.cfg.Dir, id) }
