// Package node runs the real kubelet, and the real kube-proxy, on this machine as a node
// whose containers are processes.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	cadvisorapi "github.com/google/cadvisor/lib/model"
	"go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	kubeletapp "k8s.io/kubernetes/cmd/kubelet/app"
	"k8s.io/kubernetes/cmd/kubelet/app/options"
	"k8s.io/kubernetes/pkg/kubelet"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	cadvisortest "k8s.io/kubernetes/pkg/kubelet/cadvisor/testing"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	"k8s.io/kubernetes/pkg/kubelet/util"
	"k8s.io/kubernetes/pkg/util/oom"
	"k8s.io/kubernetes/pkg/volume/util/hostutil"
	"k8s.io/kubernetes/pkg/volume/util/subpath"
	"k8s.io/mount-utils"

	"github.com/norikae/norikae/test/stack/container"
	"github.com/norikae/norikae/test/stack/cri"
	"github.com/norikae/norikae/test/stack/image"
	"github.com/norikae/norikae/test/stack/vpc"
)

// Config of a node.
type Config struct {
	Name       string
	Addr       netip.Addr   // its own
	Pods       netip.Prefix // its pods'; see vpc.Pods
	Kubeconfig string
	Dir        string // of its own; it is made
	DNS        string // address of the cluster's name server
	Labels     map[string]string
	ProviderID string
	Images     *image.Catalogue
	Env        []string // of every container
	Logger     *slog.Logger
}

// Run a node until ctx ends, in the current network namespace, which vpc.Connect has
// given an eth0. Then its containers end.
func Run(ctx context.Context, cfg Config) error {
	for _, dir := range []string{"kubelet", "containers", "logs", "manifests", "certs"} {
		if err := os.MkdirAll(filepath.Join(cfg.Dir, dir), 0o700); err != nil {
			return fmt.Errorf("the node's folder: %w", err)
		}
	}
	if err := vpc.SetUpNode(ctx, cfg.Addr); err != nil {
		return err
	}
	r, err := cri.New(cri.Config{Dir: filepath.Join(cfg.Dir, "containers"), Node: cfg.Addr, Pods: cfg.Pods, Images: cfg.Images, Env: cfg.Env, Logger: cfg.Logger})
	if err != nil {
		return err
	}
	proxy, err := cfg.proxy()
	if err != nil {
		return errors.Join(err, r.Close(ctx))
	}
	defer proxy.Stop(time.Second)
	if err := cfg.kubelet(ctx, r); err != nil {
		return errors.Join(err, r.Close(ctx))
	}
	select {
	case <-ctx.Done():
	case <-proxy.Done():
		err = errors.New("kube-proxy ended by itself")
	}
	return errors.Join(err, r.Close(ctx))
}

// proxy starts kube-proxy, in this network.
func (cfg Config) proxy() (*container.Child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(cfg.Dir, "kube-proxy.log"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("kube-proxy's log: %w", err)
	}
	defer log.Close()
	args := []string{
		"kube-proxy", "--kubeconfig=" + cfg.Kubeconfig, "--hostname-override=" + cfg.Name, "--proxy-mode=nftables",
		"--bind-address=" + cfg.Addr.String(), "--healthz-bind-address=127.0.0.1:10256", "--metrics-bind-address=127.0.0.1:10249",
		"--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0",
	}
	cmd := exec.Command(self, args...) //nolint:gosec,noctx // this program, which ends by signals
	cmd.Env, cmd.Stdout, cmd.Stderr = os.Environ(), log, log
	return container.StartChild(cmd)
}

// kubelet starts the kubelet.
func (cfg Config) kubelet(ctx context.Context, r *cri.Runtime) error {
	rest, err := clientcmd.BuildConfigFromFlags("", cfg.Kubeconfig)
	if err != nil {
		return fmt.Errorf("the node's kubeconfig: %w", err)
	}
	rest.QPS, rest.Burst = 50, 100
	client, err := kubernetes.NewForConfig(rest)
	if err != nil {
		return fmt.Errorf("the node's client: %w", err)
	}
	flags, config, err := cfg.options()
	if err != nil {
		return err
	}
	tls, err := kubeletapp.InitializeTLS(ctx, flags, config)
	if err != nil {
		return fmt.Errorf("the kubelet's certificate: %w", err)
	}
	plugins, err := kubeletapp.ProbeVolumePlugins(ctx, utilfeature.DefaultFeatureGate)
	if err != nil {
		return fmt.Errorf("the kubelet's volumes: %w", err)
	}
	mounter := mount.New("")
	deps := &kubelet.Dependencies{
		KubeClient: client, HeartbeatClient: client, EventClient: client.CoreV1(),
		RemoteRuntimeService: r, RemoteImageService: cri.Images{Runtime: r},
		CAdvisorInterface: machine{&cadvisortest.Fake{NodeName: cfg.Name}}, ContainerManager: cm.NewStubContainerManager(),
		VolumePlugins: plugins, Mounter: mounter, Subpather: subpath.New(mounter), HostUtil: hostutil.NewHostUtil(),
		TLSOptions: tls, OOMAdjuster: oom.NewFakeOOMAdjuster(), TracerProvider: noop.NewTracerProvider(),
		PodStartupLatencyTracker: util.NewPodStartupLatencyTracker(), NodeStartupLatencyTracker: util.NewNodeStartupLatencyTracker(klog.FromContext(ctx)),
	}
	if err := kubeletapp.RunKubelet(ctx, &options.KubeletServer{KubeletFlags: *flags, KubeletConfiguration: *config}, deps); err != nil {
		return fmt.Errorf("the kubelet: %w", err)
	}
	return nil
}

// options of the kubelet: the defaults, without cgroups and what else a machine of its own
// would have.
func (cfg Config) options() (*options.KubeletFlags, *kubeletconfig.KubeletConfiguration, error) {
	f := options.NewKubeletFlags()
	f.RootDirectory, f.CertDirectory = filepath.Join(cfg.Dir, "kubelet"), filepath.Join(cfg.Dir, "certs")
	f.HostnameOverride, f.NodeIP, f.NodeLabels = cfg.Name, cfg.Addr.String(), cfg.Labels
	f.MaxPerPodContainerCount, f.MaxContainerCount = 2, 100
	c, err := options.NewKubeletConfiguration()
	if err != nil {
		return nil, nil, fmt.Errorf("the kubelet's configuration: %w", err)
	}
	c.Address, c.ReadOnlyPort, c.HealthzPort = cfg.Addr.String(), 0, 0
	c.EnableServer, c.EnableDebuggingHandlers, c.RegisterNode = true, true, true
	c.ProviderID, c.ClusterDomain = cfg.ProviderID, "cluster.local"
	if cfg.DNS != "" {
		c.ClusterDNS = []string{cfg.DNS}
	}
	c.StaticPodPath, c.PodLogsDir = "", filepath.Join(cfg.Dir, "logs")
	c.CgroupRoot, c.CgroupsPerQOS, c.EnforceNodeAllocatable, c.CPUCFSQuota = "", false, nil, false
	c.EvictionHard, c.LocalStorageCapacityIsolation = nil, false
	c.EnableControllerAttachDetach, c.ProtectKernelDefaults = false, false
	c.ImageServiceEndpoint, c.ContainerRuntimeEndpoint = "unix:///in-process", "unix:///in-process"
	c.MaxOpenFiles, c.MaxPods, c.SerializeImagePulls = 1<<16, 110, false
	c.ResolverConfig = ""
	c.NodeStatusUpdateFrequency, c.SyncFrequency = metav1.Duration{Duration: 5 * time.Second}, metav1.Duration{Duration: 10 * time.Second}
	return f, c, nil
}

// machine is what the kubelet is told of this machine.
type machine struct{ *cadvisortest.Fake }

// VersionInfo implements cadvisor.Interface.
func (machine) VersionInfo() (*cadvisorapi.VersionInfo, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, fmt.Errorf("the kernel's version: %w", err)
	}
	return &cadvisorapi.VersionInfo{KernelVersion: unix.ByteSliceToString(u.Release[:]), ContainerOsVersion: "processes of the lab's machine"}, nil
}

// MachineInfo implements cadvisor.Interface.
func (m machine) MachineInfo(klog.Logger) (*cadvisorapi.MachineInfo, error) {
	return &cadvisorapi.MachineInfo{NumCores: max(runtime.NumCPU(), 4), MemoryCapacity: 16 << 30, InstanceID: cadvisorapi.InstanceID(m.NodeName)}, nil
}
