package cri

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	api "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/norikae/norikae/test/stack/container"
)

// searchPath is where containers find programs, as most images have it.
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// CreateContainer implements the CRI.
func (r *Runtime) CreateContainer(_ context.Context, sandboxID string, config *api.ContainerConfig, sandboxConfig *api.PodSandboxConfig) (string, error) {
	img, err := r.cfg.Images.Find(config.GetImage().GetUserSpecifiedImage())
	if err != nil {
		return "", status.Error(codes.NotFound, err.Error())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sandboxes[sandboxID]
	if s == nil {
		return "", status.Errorf(codes.NotFound, "there is no pod %s", sandboxID)
	}
	c := &instance{id: newID(), sandbox: s, config: config, image: img, created: time.Now()}
	c.log = newLog(filepath.Join(sandboxConfig.GetLogDirectory(), config.GetLogPath()))
	r.containers[c.id] = c
	return c.id, nil
}

// StartContainer implements the CRI.
func (r *Runtime) StartContainer(_ context.Context, id string) error {
	c, err := r.find(id)
	if err != nil {
		return err
	}
	p, err := r.start(c)
	r.mu.Lock()
	defer r.mu.Unlock()
	c.started = time.Now()
	if err != nil {
		c.failure, c.finished = err.Error(), c.started
		return status.Error(codes.Unknown, err.Error())
	}
	c.process = p
	go func() {
		<-p.Done()
		c.log.close()
		r.mu.Lock()
		defer r.mu.Unlock()
		c.finished = time.Now()
	}()
	return nil
}

func (r *Runtime) start(c *instance) (*container.Process, error) {
	root := r.folder(c.id)
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("the container's root: %w", err)
	}
	stdout, stderr, err := c.log.open()
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	defer stderr.Close()
	if c.sandbox.pod != nil {
		return container.Start(r.spec(c, root), c.sandbox.pod.File, stdout, stderr)
	}
	network, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("the node's network: %w", err)
	}
	defer network.Close()
	return container.Start(r.spec(c, root), network, stdout, stderr)
}

// spec of a container: what its image says, unless its pod says otherwise.
func (r *Runtime) spec(c *instance, root string) container.Spec {
	s := container.Spec{
		Root: root, Hostname: c.sandbox.hostname(), Dir: cmp.Or(c.config.GetWorkingDir(), c.image.Dir),
		Files:    map[string]string{"/etc/resolv.conf": c.sandbox.resolvConf()},
		ReadOnly: c.config.GetLinux().GetSecurityContext().GetReadonlyRootfs(),
	}
	command, args := c.config.GetCommand(), c.config.GetArgs()
	if len(command) == 0 {
		command = c.image.Entrypoint
		if len(args) == 0 {
			args = c.image.Cmd
		}
	}
	s.Args = slices.Concat(command, args)
	s.Env = slices.Concat([]string{searchPath, "HOME=/root"}, r.cfg.Env, c.image.Env)
	for _, kv := range c.config.GetEnvs() {
		s.Env = append(s.Env, kv.GetKey()+"="+string(kv.GetValue()))
	}
	for _, target := range slices.Sorted(maps.Keys(c.image.Files)) {
		s.Mounts = append(s.Mounts, container.Mount{Source: c.image.Files[target], Target: target, ReadOnly: true})
	}
	for _, m := range c.config.GetMounts() {
		s.Mounts = append(s.Mounts, container.Mount{Source: m.GetHostPath(), Target: m.GetContainerPath(), ReadOnly: m.GetReadonly()})
	}
	return s
}

func (r *Runtime) find(id string) (*instance, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.containers[id]; c != nil {
		return c, nil
	}
	return nil, status.Errorf(codes.NotFound, "there is no container %s", id)
}

// process of a container that runs, or ran.
func (r *Runtime) process(id string) (*container.Process, *instance, error) {
	c, err := r.find(id)
	if err != nil {
		return nil, nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.process == nil {
		return nil, nil, status.Errorf(codes.FailedPrecondition, "the container %s was not started", id)
	}
	return c.process, c, nil
}

// StopContainer implements the CRI: it asks with SIGTERM, and after timeout, in seconds,
// no longer.
func (r *Runtime) StopContainer(ctx context.Context, id string, timeout int64) error {
	r.mu.Lock()
	c := r.containers[id]
	if c == nil || c.process == nil {
		r.mu.Unlock()
		return nil
	}
	c.stopped = true
	p := c.process
	r.mu.Unlock()
	if timeout > 0 {
		p.Signal(syscall.SIGTERM)
		timer := time.NewTimer(time.Duration(timeout) * time.Second)
		defer timer.Stop()
		select {
		case <-p.Done():
			return nil
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	p.Kill()
	return nil
}

// RemoveContainer implements the CRI.
func (r *Runtime) RemoveContainer(ctx context.Context, id string) error {
	if err := r.StopContainer(ctx, id, 0); err != nil {
		return err
	}
	r.mu.Lock()
	c := r.containers[id]
	delete(r.containers, id)
	r.mu.Unlock()
	if c == nil {
		return nil
	}
	return errors.Join(c.log.remove(), os.RemoveAll(r.folder(id)))
}

// state of a container; the Runtime is locked.
func (c *instance) state() api.ContainerState {
	switch {
	case c.started.IsZero():
		return api.ContainerState_CONTAINER_CREATED
	case c.finished.IsZero():
		return api.ContainerState_CONTAINER_RUNNING
	default:
		return api.ContainerState_CONTAINER_EXITED
	}
}

// ListContainers implements the CRI.
func (r *Runtime) ListContainers(_ context.Context, f *api.ContainerFilter) ([]*api.Container, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*api.Container
	for _, c := range r.containers {
		if f.GetId() != "" && f.GetId() != c.id || f.GetPodSandboxId() != "" && f.GetPodSandboxId() != c.sandbox.id ||
			f.GetState() != nil && f.GetState().GetState() != c.state() || !matches(f.GetLabelSelector(), c.config.GetLabels()) {
			continue
		}
		out = append(out, &api.Container{
			Id: c.id, PodSandboxId: c.sandbox.id, Metadata: c.config.GetMetadata(), Image: c.config.GetImage(), ImageRef: imageID(c.config.GetImage().GetUserSpecifiedImage()),
			State: c.state(), CreatedAt: c.created.UnixNano(), Labels: c.config.GetLabels(), Annotations: c.config.GetAnnotations(),
		})
	}
	slices.SortFunc(out, func(a, b *api.Container) int { return cmp.Compare(a.GetId(), b.GetId()) })
	return out, nil
}

// ContainerStatus implements the CRI.
func (r *Runtime) ContainerStatus(_ context.Context, id string, _ bool) (*api.ContainerStatusResponse, error) {
	c, err := r.find(id)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	st := &api.ContainerStatus{
		Id: c.id, Metadata: c.config.GetMetadata(), State: c.state(), CreatedAt: c.created.UnixNano(),
		Image: &api.ImageSpec{Image: c.config.GetImage().GetUserSpecifiedImage()}, ImageRef: imageID(c.config.GetImage().GetUserSpecifiedImage()),
		Labels: c.config.GetLabels(), Annotations: c.config.GetAnnotations(), Mounts: c.config.GetMounts(), LogPath: c.log.path,
	}
	st.ImageId = st.ImageRef
	if !c.started.IsZero() {
		st.StartedAt = c.started.UnixNano()
	}
	if !c.finished.IsZero() {
		st.FinishedAt = c.finished.UnixNano()
		switch {
		case c.process == nil:
			st.ExitCode, st.Reason, st.Message = 128, "StartError", c.failure
		case c.process.ExitCode() == 0:
			st.Reason = "Completed"
		default:
			st.ExitCode, st.Reason = int32(c.process.ExitCode()), "Error" //nolint:gosec // G115: 0–255
		}
	}
	return &api.ContainerStatusResponse{Status: st}, nil
}

// ReopenContainerLog implements the CRI.
func (r *Runtime) ReopenContainerLog(_ context.Context, id string) error {
	c, err := r.find(id)
	if err != nil {
		return err
	}
	return c.log.reopen()
}
