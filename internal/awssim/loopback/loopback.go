// Package loopback opens the sockets of load balancers' listeners.
package loopback

import (
	"context"
	"net"
	"strconv"
)

// Default is the address of load balancers that have none of their own.
const Default = "127.0.0.1"

// TCP is net.Listen.
func TCP(network, addr string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(context.Background(), network, addr)
}

// UDP is net.ListenPacket.
func UDP(network, addr string) (net.PacketConn, error) {
	return (&net.ListenConfig{}).ListenPacket(context.Background(), network, addr)
}

// Listen opens a listener for a load balancer. On an address of its own, which host
// names, it takes the port that clients expect if that can be had, so that a DNS record
// that leads to the address is enough to reach it; otherwise any port.
func Listen[L any](open func(network, addr string) (L, error), network, host string, port int) (L, error) {
	if host != "" && host != Default && port > 0 {
		if l, err := open(network, net.JoinHostPort(host, strconv.Itoa(port))); err == nil {
			return l, nil
		}
	}
	if host == "" {
		host = Default
	}
	return open(network, net.JoinHostPort(host, "0"))
}
