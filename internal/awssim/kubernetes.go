package awssim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/kubeapi"
)

// nodesRange is where the network of nodes may have its address: nothing of AWS, and
// nothing in the Internet, is there (RFC 6598).
const nodesRange = "100.64.0.0/10"

// dialTargets connects load balancers to targets, of which instances are named by their
// identifiers.
func (l *Lab) dialTargets(ctx context.Context, network, addr string) (net.Conn, error) {
	if host, port, err := net.SplitHostPort(addr); err == nil && strings.HasPrefix(host, "i-") {
		ip, ok := l.ec2.PrivateIP(host)
		if !ok {
			return nil, &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("there is no instance %s", host)}
		}
		addr = net.JoinHostPort(ip, port)
	}
	return l.cfg.Dial(ctx, network, addr)
}

// validateKubernetes refuses what a lab with real API servers cannot do.
func (c Config) validateKubernetes() error {
	switch {
	case c.Nodes.IsValid() && !netip.MustParsePrefix(nodesRange).Contains(c.Nodes):
		return &ConfigError{"nodes", fmt.Errorf("%s is not in %s", c.Nodes, nodesRange)}
	case c.Kubernetes == "" && c.Nodes.IsValid():
		return &ConfigError{"nodes", errors.New("there are none without API servers; name Kubernetes' programs, too")}
	case c.Kubernetes == "":
		return nil
	case c.Fleet > kubeapi.MaxServers:
		return &ConfigError{"fleet", fmt.Errorf(
			"%d clusters with real API servers are not in 0–%d: each takes about 500 MB of memory; take fewer clusters, or leave out Kubernetes", c.Fleet, kubeapi.MaxServers)}
	case c.StateDir != "":
		return &ConfigError{"kubernetes", fmt.Errorf(
			"a state directory (%s) cannot bring API servers back: they would be empty, and elsewhere; leave out one of the two", c.StateDir)}
	}
	if err := kubeapi.CheckAssets(c.Kubernetes, "kube-controller-manager"); err != nil {
		return &ConfigError{"kubernetes", err}
	}
	return nil
}

// newControlPlane makes what runs the clusters' API servers; nil where they are made up.
func (l *Lab) newControlPlane() (eks.ControlPlane, error) {
	if l.cfg.Kubernetes == "" {
		return nil, nil //nolint:nilnil // nil is how EKS is told to make endpoints up
	}
	plane, err := kubeapi.NewControlPlane(kubeapi.PlaneConfig{
		Assets: l.cfg.Kubernetes, Nodes: l.cfg.Nodes, STS: l.sts, Now: l.state.Now, Endpoint: l.Endpoint, Logger: l.cfg.Logger,
		Access: func(arn string) (eks.Access, bool) { return l.eks.Access(arn) },
	})
	if err != nil {
		return nil, fmt.Errorf("the lab's Kubernetes: %w", err)
	}
	l.kube = plane
	return plane, nil
}

// jwks finds the key set of a web identity's issuer: that of a cluster of the lab is its
// API server's.
func (l *Lab) jwks() func(ctx context.Context, issuer string) ([]byte, error) {
	if l.cfg.Kubernetes == "" {
		return l.cfg.JWKS
	}
	return func(ctx context.Context, issuer string) ([]byte, error) {
		set, ok, err := l.kube.JWKS(ctx, issuer)
		switch {
		case ok:
			return set, err
		case l.cfg.JWKS != nil:
			return l.cfg.JWKS(ctx, issuer)
		default:
			return nil, fmt.Errorf("no running cluster of the lab has the issuer %s", issuer)
		}
	}
}

// apiServers that run.
func (l *Lab) apiServers() []WorldAPIServer {
	if l.kube == nil {
		return nil
	}
	var out []WorldAPIServer
	for _, arn := range l.kube.Running() {
		if s := l.kube.Server(arn); s != nil {
			out = append(out, WorldAPIServer{ClusterARN: arn, Endpoint: s.Endpoint(), Kubeconfig: s.Kubeconfig()})
		}
	}
	return out
}

// RotateCA changes the certificate authority of an EKS cluster, and what EKS says of it, as
// AWS does near its expiry.
func (l *Lab) RotateCA(ctx context.Context, clusterARN string) error {
	return l.eks.RotateCA(ctx, clusterARN)
}
