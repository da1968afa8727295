package kubeapi

import (
	"fmt"
	"net/netip"
	"os"
	"syscall"
)

// attributes of a child: it dies with its parent, and signals of the terminal reach the
// parent only, which ends its children in order.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// reusePort is SO_REUSEPORT, which package syscall does not name.
const reusePort = 0xf

// reservePort takes a free port of an address until release: whoever sets SO_REUSEPORT, as
// kube-apiserver can be told to, and is the same user may listen there, and nobody else.
// The socket that holds it does not listen, so that no connection comes to it.
func reservePort(addr netip.Addr) (port uint16, release func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, fmt.Errorf("reserving a port: %w", os.NewSyscallError("socket", err))
	}
	port, err = bindShared(fd, addr)
	if err != nil {
		_ = syscall.Close(fd) // it is of no use, and holds nothing
		return 0, nil, fmt.Errorf("reserving a port: %w", err)
	}
	return port, func() { _ = syscall.Close(fd) }, nil
}

func bindShared(fd int, addr netip.Addr) (port uint16, err error) {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, reusePort, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: addr.As4()}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	in4, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		return 0, fmt.Errorf("the socket has an address of the kind %T", name)
	}
	return uint16(in4.Port), nil //nolint:gosec // G115: a port
}
