package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"github.com/norikae/norikae/internal/registry"
)

// explain says what a person should look at. The cause stays wrapped.
func explain(c registry.Cluster, endpoint *url.URL, way *trace, err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // its text repeats the URL
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("reaching for its API server was given up: %w", err)
	}
	at, tried := way.seen()
	where := endpoint.Host
	if len(tried) > 0 && !strings.HasPrefix(tried[0], endpoint.Hostname()) {
		where += " (" + strings.Join(tried, ", ") + ")"
	}
	return fmt.Errorf("its API server %s cannot be reached: %s: %w", where, strings.Join(reasons(c, endpoint, at, tried, err), "; "), err)
}

// reasons why, likely ones first, and what to do.
func reasons(c registry.Cluster, endpoint *url.URL, at stage, tried []string, err error) []string {
	if why := certificate(endpoint, err); why != "" {
		return []string{why}
	}
	dns, isDNS := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(err, errForbidden):
		return []string{"its name leads to a forbidden address"}
	case isDNS && dns.IsNotFound:
		return append([]string{"its name is not known here"}, network(c, nil)...)
	case isDNS:
		return []string{"its name cannot be looked up: check the name server, and that UDP and TCP 53 are let out"}
	case timedOut(err) && (at == lookingUp || at == connecting):
		return append([]string{"time ran out while " + string(at)}, network(c, tried)...)
	case timedOut(err):
		return []string{"it was connected to, and time ran out while " + string(at) + ": it is overloaded, or what is between looks into TLS"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return []string{"nothing listens there: the API server is starting anew, or the address is another machine's by now"}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return append([]string{"there is no route to it"}, network(c, tried)...)
	case at == handshake && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		return []string{"the connection was closed during the TLS handshake, as firewalls and proxies do that look into it"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return []string{"the connection was closed without an answer"}
	default:
		return []string{"it failed while " + string(at)}
	}
}

func timedOut(err error) bool {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return true
	}
	return errors.Is(err, context.DeadlineExceeded)
}

// certificate says what is wrong with the one that the server showed; "": nothing is.
func certificate(endpoint *url.URL, err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "its certificate is not of the CA that EKS gives: the CA was rotated a moment ago (the next refresh reads the new one), or something else answers at this address, such as a proxy that looks into TLS"
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		names := "no names"
		if e.Certificate != nil {
			var all []string
			for _, ip := range e.Certificate.IPAddresses {
				all = append(all, ip.String())
			}
			if all = append(slices.Clone(e.Certificate.DNSNames), all...); len(all) > 0 {
				names = strings.Join(all[:min(len(all), 5)], ", ")
			}
		}
		return fmt.Sprintf("its certificate is for %s, not for %s: another server answers at this address", names, endpoint.Hostname())
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if e.Reason == x509.Expired {
			return "its certificate is not valid now: check this machine's clock, or it has expired"
		}
		return "its certificate is not good for a server"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return "what answers there does not speak TLS"
	}
	return ""
}

// network says what must be open between here and the cluster, for the addresses that
// were tried; none: for whichever there are.
func network(c registry.Cluster, tried []string) []string {
	private, public := kinds(tried)
	var out []string
	switch {
	case c.PublicAccess && public && restricted(c.PublicCIDRs):
		out = append(out, fmt.Sprintf("its public endpoint lets in %s alone (publicAccessCidrs): the addresses that the controller and Argo CD go out by, such as their NAT gateway's, must be among them", strings.Join(c.PublicCIDRs, ", ")))
	case !c.PublicAccess && c.PrivateAccess:
		out = append(out, fmt.Sprintf("endpointPublicAccess is false: it can only be reached from its VPC %s, and from networks that peering or a transit gateway connects with it", c.VPC))
	}
	if c.PrivateAccess && private {
		groups := []string{}
		if g := c.ClusterSecurityGroup; g != "" {
			groups = append(groups, g+" (cluster security group, also the nodes')")
		}
		if len(c.SecurityGroups) > 0 {
			groups = append(groups, strings.Join(c.SecurityGroups, ", ")+" (additional, the control plane's alone)")
		}
		if len(groups) > 0 {
			out = append(out, "to its private endpoint, one of its security groups must let in TCP 443 from where the controller and Argo CD run: "+strings.Join(groups, ", "))
		}
	}
	return out
}

// kinds of addresses among those that were tried; both when none was.
func kinds(tried []string) (private, public bool) {
	for _, addr := range tried {
		ap, err := netip.ParseAddrPort(addr)
		if err != nil {
			return true, true
		}
		// Carriers' addresses too (100.64.0.0/10): VPCs may have them.
		if ip := ap.Addr().Unmap(); ip.IsPrivate() || netip.MustParsePrefix("100.64.0.0/10").Contains(ip) {
			private = true
		} else {
			public = true
		}
	}
	if len(tried) == 0 {
		return true, true
	}
	return private, public
}

// restricted tells whether a public endpoint does not let everybody in.
func restricted(cidrs []string) bool {
	return len(cidrs) > 0 && !slices.Contains(cidrs, "0.0.0.0/0")
}
