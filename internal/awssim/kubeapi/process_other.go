//go:build !linux

package kubeapi

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return nil }

// reservePort finds a port of an address that is free now. Somebody else may take it before
// kube-apiserver does; then Run tries another.
func reservePort(at netip.Addr) (port uint16, release func(), err error) {
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp4", netip.AddrPortFrom(at, 0).String())
	if err != nil {
		return 0, nil, fmt.Errorf("finding a free port: %w", err)
	}
	addr, ok := ln.Addr().(*net.TCPAddr)
	if err := ln.Close(); err != nil || !ok {
		return 0, nil, fmt.Errorf("finding a free port: %s: %w", ln.Addr(), err)
	}
	return uint16(addr.Port), func() {}, nil //nolint:gosec // G115: a port
}
