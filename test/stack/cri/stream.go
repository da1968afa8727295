package cri

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	api "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/cri-streaming/pkg/streaming"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// net127 is where the kubelet finds the streams, in the node's network.
const net127 = "127.0.0.1:10251"

// maxOutput of a command of a probe or a hook, in bytes.
const maxOutput = 64 << 10

// newStreams serves kubectl's exec and port-forward.
func newStreams(cfg streaming.Config, r *Runtime) (streaming.Server, error) {
	s, err := streaming.NewServer(cfg, streams{r})
	if err != nil {
		return nil, err
	}
	go func() {
		if err := s.Start(true); err != nil {
			r.cfg.Logger.Warn("exec and port-forward do not work any more", "error", err)
		}
	}()
	return s, nil
}

// streams implements streaming.Runtime.
type streams struct{ *Runtime }

// Exec runs a command; it has no terminal.
func (s streams) Exec(_ context.Context, id string, args []string, in io.Reader, out, errs io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize) error {
	p, c, err := s.process(id)
	if err != nil {
		return err
	}
	cmd := s.command(c, args)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, errs
	if errs == nil {
		cmd.Stderr = out
	}
	err = p.Exec(cmd)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return &utilexec.CodeExitError{Err: err, Code: exit.ExitCode()}
	}
	return err
}

// command for a container, with its environment.
func (r *Runtime) command(c *instance, args []string) *exec.Cmd {
	return &exec.Cmd{Path: args[0], Args: args, Env: r.spec(c, "").Env, Dir: "/"}
}

// Attach is for programs that read a terminal, of which there are none here.
func (s streams) Attach(context.Context, string, io.Reader, io.WriteCloser, io.WriteCloser, bool, <-chan remotecommand.TerminalSize) error {
	return errors.New("the lab's nodes cannot attach; use kubectl logs --follow, or kubectl exec")
}

// PortForward connects a stream with a port of a pod.
func (s streams) PortForward(ctx context.Context, id string, port int32, stream io.ReadWriteCloser) error {
	s.mu.Lock()
	sb := s.sandboxes[id]
	s.mu.Unlock()
	if sb == nil {
		return fmt.Errorf("there is no pod %s", id)
	}
	var conn net.Conn
	dial := func() (err error) {
		conn, err = (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
		return err
	}
	var err error
	if sb.pod == nil {
		err = dial()
	} else {
		err = sb.pod.Do(dial)
	}
	if err != nil {
		return fmt.Errorf("forwarding a port: %w", err)
	}
	defer conn.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(stream, conn) // either end may be gone
		stream.Close()
	}()
	_, _ = io.Copy(conn, stream)
	if half, ok := conn.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
	<-done
	return nil
}

// ExecSync implements the CRI: probes and hooks.
func (r *Runtime) ExecSync(_ context.Context, id string, args []string, timeout time.Duration) (stdout, stderr []byte, err error) {
	p, c, err := r.process(id)
	if err != nil {
		return nil, nil, err
	}
	cmd := r.command(c, args)
	var out, errs limited
	cmd.Stdout, cmd.Stderr = &out, &errs
	ended := make(chan error, 1)
	go func() { ended <- p.Exec(cmd) }()
	var late <-chan time.Time
	if timeout > 0 {
		late = time.After(timeout)
	}
	select {
	case err = <-ended:
	case <-late:
		if cmd.Process != nil {
			_ = cmd.Process.Kill()
		}
		return nil, nil, status.Errorf(codes.DeadlineExceeded, "command %q timed out after %s", args, timeout)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = &utilexec.CodeExitError{Err: err, Code: exit.ExitCode()}
	}
	return out.Bytes(), errs.Bytes(), err
}

// limited keeps the beginning of what is written.
type limited struct{ bytes.Buffer }

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), maxOutput-min(l.Len(), maxOutput))])
	return len(p), nil
}

// Exec implements the CRI.
func (r *Runtime) Exec(_ context.Context, req *api.ExecRequest) (*api.ExecResponse, error) {
	return r.stream.GetExec(req)
}

// Attach implements the CRI.
func (r *Runtime) Attach(_ context.Context, req *api.AttachRequest) (*api.AttachResponse, error) {
	return r.stream.GetAttach(req)
}
