// Package vpc makes the lab's networks: a namespace for the lab as a whole, in which a
// bridge is the VPC, one for each node, and one for each pod. Nodes have the addresses of
// their EC2 instances, pods those of a secondary range, as the VPC CNI plugin of EKS can be
// told to; all of them reach each other without translation, and nothing leaves.
package vpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Lab is the address where the simulated AWS and the API servers listen. It and the pods'
// are in a range that no VPC and nothing in the Internet has (RFC 6598).
const Lab = "100.64.0.1"

const (
	prefix = 10 // of the range
	bridge = "vpc"
)

// gateway of every pod, as on EKS: an address that no interface has.
var gateway = net.IPv4(169, 254, 1, 1)

// SetUp makes the current namespace, which has nothing yet, the lab's.
func SetUp() error {
	if err := up("lo"); err != nil {
		return err
	}
	b := &netlink.Bridge{LinkAttrs: netlink.NewLinkAttrs()}
	b.Name = bridge
	if err := netlink.LinkAdd(b); err != nil {
		return fmt.Errorf("making the VPC's bridge: %w", err)
	}
	if err := address(bridge, Lab, prefix); err != nil {
		return err
	}
	if err := up(bridge); err != nil {
		return err
	}
	// The load balancers' addresses are beside the lab's, and are the lab's as well.
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("the lab's lo: %w", err)
	}
	const local = 255 // the kernel's table of its own addresses
	balancers := &net.IPNet{IP: net.IPv4(100, 64, 0, 0), Mask: net.CIDRMask(24, 32)}
	if err := netlink.RouteReplace(&netlink.Route{LinkIndex: lo.Attrs().Index, Type: unix.RTN_LOCAL, Table: local, Scope: netlink.SCOPE_HOST, Dst: balancers}); err != nil {
		return fmt.Errorf("the load balancers' addresses: %w", err)
	}
	return nil
}

// Pods is the subnet for the pods of the node of a number, in 1–254.
func Pods(number int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, byte(number), 0}), 24) //nolint:gosec // G115: 1–254
}

// Connect the namespace of a process, which is to be the node of a number and an address,
// to the VPC; there the interface is called eth0. SetUpNode does the rest.
func Connect(number int, addr netip.Addr, pid int) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = fmt.Sprintf("node%d", number)
	v := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsPid(pid)}
	if err := netlink.LinkAdd(v); err != nil {
		return fmt.Errorf("connecting the node %d: %w", number, err)
	}
	b, err := netlink.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("connecting the node %d: %w", number, err)
	}
	if err := netlink.LinkSetMaster(v, b); err != nil {
		return fmt.Errorf("connecting the node %d: %w", number, err)
	}
	if err := up(attrs.Name); err != nil {
		return err
	}
	route := &netlink.Route{LinkIndex: b.Attrs().Index, Scope: netlink.SCOPE_LINK, Dst: host(addr.AsSlice())}
	if err := netlink.RouteReplace(route); err != nil {
		return fmt.Errorf("the way to the node %d, %s: %w", number, addr, err)
	}
	return nil
}

// SetUpNode makes the current namespace that of a node, once Connect has given it an eth0.
func SetUpNode(ctx context.Context, node netip.Addr) error {
	if err := up("lo"); err != nil {
		return err
	}
	for { // Connect comes after the namespace
		if _, err := netlink.LinkByName("eth0"); err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the node's eth0: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	if err := address("eth0", node.String(), 32); err != nil {
		return err
	}
	if err := up("eth0"); err != nil {
		return err
	}
	eth0, err := netlink.LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("the node's eth0: %w", err)
	}
	everything := &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}
	if err := netlink.RouteReplace(&netlink.Route{LinkIndex: eth0.Attrs().Index, Scope: netlink.SCOPE_LINK, Dst: everything}); err != nil {
		return fmt.Errorf("the node's way into the VPC: %w", err)
	}
	// It answers for its pods in the VPC, and passes on what is for them.
	for _, name := range []string{"ip_forward", "conf/all/forwarding", "conf/eth0/proxy_arp"} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte("1"), 0o600); err != nil {
			return fmt.Errorf("setting up a node's network: %w", err)
		}
	}
	return nil
}

// Pod is a pod's network namespace. It lives as long as the file is open or a process is
// in it.
type Pod struct {
	*os.File

	Addr netip.Addr
	link string
}

// NewPod makes a namespace with an address, in the current one, which is a node's.
func NewPod(id string, addr netip.Addr) (_ *Pod, err error) {
	p := &Pod{Addr: addr, link: "p" + id[:min(len(id), 12)]}
	p.File, err = newNamespace()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("a pod's network: %w", err), p.Close())
		}
	}()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = p.link
	v := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(p.Fd()))}
	if err := netlink.LinkAdd(v); err != nil {
		return nil, err
	}
	if err := up(p.link); err != nil {
		return nil, err
	}
	outside, err := netlink.LinkByName(p.link)
	if err != nil {
		return nil, err
	}
	route := &netlink.Route{LinkIndex: outside.Attrs().Index, Scope: netlink.SCOPE_LINK, Dst: host(net.IP(addr.AsSlice()))}
	if err := netlink.RouteReplace(route); err != nil {
		return nil, err
	}
	return p, p.inside(outside.Attrs().HardwareAddr)
}

// inside sets up what the pod sees: its address, and one way, to the node.
func (p *Pod) inside(node net.HardwareAddr) error {
	h, err := netlink.NewHandleAt(netns.NsHandle(p.Fd()))
	if err != nil {
		return err
	}
	defer h.Close()
	for _, name := range []string{"lo", "eth0"} {
		l, err := h.LinkByName(name)
		if err != nil {
			return err
		}
		if err := h.LinkSetUp(l); err != nil {
			return err
		}
	}
	eth0, err := h.LinkByName("eth0")
	if err != nil {
		return err
	}
	if err := h.AddrAdd(eth0, &netlink.Addr{IPNet: host(net.IP(p.Addr.AsSlice()))}); err != nil {
		return err
	}
	index := eth0.Attrs().Index
	if err := h.NeighSet(&netlink.Neigh{LinkIndex: index, IP: gateway, HardwareAddr: node, State: netlink.NUD_PERMANENT}); err != nil {
		return err
	}
	if err := h.RouteAdd(&netlink.Route{LinkIndex: index, Scope: netlink.SCOPE_LINK, Dst: host(gateway)}); err != nil {
		return err
	}
	return h.RouteAdd(&netlink.Route{LinkIndex: index, Dst: &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}, Gw: gateway})
}

// Close takes the pod's interface away at once, and forgets the namespace.
func (p *Pod) Close() error {
	var errs []error
	if l, err := netlink.LinkByName(p.link); err == nil {
		errs = append(errs, netlink.LinkDel(l))
	}
	return errors.Join(append(errs, p.File.Close())...)
}

// Do runs a function where the pod's network is.
func (p *Pod) Do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends in that namespace
		if err := unix.Setns(int(p.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("entering a pod's network: %w", err)
			return
		}
		done <- f()
	}()
	return <-done
}

// newNamespace makes a network namespace without a process.
func newNamespace() (*os.File, error) {
	type result struct {
		file *os.File
		err  error
	}
	made := make(chan result, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends in that namespace
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			made <- result{nil, fmt.Errorf("making a network namespace: %w", err)}
			return
		}
		f, err := os.Open("/proc/thread-self/ns/net")
		made <- result{f, err}
	}()
	r := <-made
	return r.file, r.err
}

func up(name string) error {
	l, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkSetUp(l)
	}
	if err != nil {
		return fmt.Errorf("the interface %s: %w", name, err)
	}
	return nil
}

func address(name, ip string, bits int) error {
	l, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(ip), Mask: net.CIDRMask(bits, 32)}})
	}
	if err != nil {
		return fmt.Errorf("the address of %s: %w", name, err)
	}
	return nil
}

// host is the network that is one address.
func host(ip net.IP) *net.IPNet { return &net.IPNet{IP: ip, Mask: net.CIDRMask(32, 32)} }
