//go:build !linux

package kubeapi

import (
	"context"
	"fmt"
	"net"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return nil }

// reservePort finds a port of 127.0.0.1 that is free now. Somebody else may take it before
// kube-apiserver does; then Run tries another.
func reservePort() (port int, release func(), err error) {
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, nil, fmt.Errorf("finding a free port: %w", err)
	}
	addr, ok := ln.Addr().(*net.TCPAddr)
	if err := ln.Close(); err != nil || !ok {
		return 0, nil, fmt.Errorf("finding a free port: %s: %w", ln.Addr(), err)
	}
	return addr.Port, func() {}, nil
}
