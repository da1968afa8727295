package elbv2

import (
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// certificateARN accepts any well-formed ACM or IAM certificate: the simulator has no
// certificate store to ask.
func certificateARN(p wire.Params) (string, error) {
	arn := p.Str("CertificateArn")
	if arn == "" {
		return "", invalid("A certificate ARN must be specified")
	}
	acm := strings.Contains(arn, ":acm:") && strings.Contains(arn, ":certificate/")
	iam := strings.Contains(arn, ":iam::") && strings.Contains(arn, ":server-certificate/")
	if !strings.HasPrefix(arn, "arn:") || !acm && !iam {
		return "", wire.Errorf("CertificateNotFound", "Certificate ARN '%s' is not valid", arn)
	}
	return arn, nil
}

// tlsListener is the listener of a certificate operation, and the certificates named.
func (c *call) tlsListener() (*listener, []string, error) {
	l, err := c.listenerMember()
	if err != nil {
		return nil, nil, err
	}
	if !l.secure() {
		return nil, nil, invalid("Certificates cannot be specified for %s listener", withArticle(l.protocol))
	}
	var arns []string
	for _, p := range c.p.List("Certificates") {
		arn, err := certificateARN(p)
		if err != nil {
			return nil, nil, err
		}
		arns = append(arns, arn)
	}
	if len(arns) == 0 {
		return nil, nil, constraint.Violation(nil, "certificates", "not be null")
	}
	return l, arns, nil
}

func (c *call) addListenerCertificates() (wire.Struct, error) {
	l, arns, err := c.tlsListener()
	if err != nil {
		return nil, err
	}
	next := slices.Clone(l.certificates)
	for _, arn := range arns {
		if !slices.Contains(next, arn) {
			next = append(next, arn)
		}
	}
	n := len(next) - len(l.certificates)
	for _, x := range c.listeners {
		if x.lb == l.lb {
			n += len(x.certificates)
		}
	}
	if limit := c.s.cfg.Quotas.CertificatesPerLoadBalancer; n > limit {
		return nil, wire.Errorf("TooManyCertificates", "The maximum number of certificates per load balancer is %d and it would be %d for '%s'", limit, n, l.lb.arn)
	}
	l.certificates = next
	return wire.Struct{kv("Certificates", wire.ListOf(arns, describeExtraCertificate))}, nil
}

func (c *call) removeListenerCertificates() (wire.Struct, error) {
	l, arns, err := c.tlsListener()
	if err != nil {
		return nil, err
	}
	if slices.Contains(arns, l.certificate) && !slices.Contains(l.certificates, l.certificate) {
		return nil, wire.Errorf("OperationNotPermitted", "The default certificate '%s' of listener '%s' cannot be removed", l.certificate, l.arn)
	}
	l.certificates = slices.DeleteFunc(slices.Clone(l.certificates), func(arn string) bool { return slices.Contains(arns, arn) })
	return wire.Struct{}, nil
}

func (c *call) describeListenerCertificates() (wire.Struct, error) {
	l, err := c.listenerMember()
	if err != nil {
		return nil, err
	}
	type certificate struct {
		arn       string
		isDefault bool
	}
	var list []certificate
	if l.certificate != "" {
		list = append(list, certificate{l.certificate, true})
	}
	for _, arn := range l.certificates {
		list = append(list, certificate{arn, false})
	}
	key := func(x certificate) string {
		if x.isDefault {
			return "default " + x.arn
		}
		return x.arn
	}
	part, next, err := page(c, list, key)
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("Certificates", wire.ListOf(part, func(x certificate) wire.Struct {
		return wire.Struct{kv("CertificateArn", x.arn), kv("IsDefault", x.isDefault)}
	})), next}, nil
}

func describeExtraCertificate(arn string) wire.Struct {
	return wire.Struct{kv("CertificateArn", arn), kv("IsDefault", false)}
}

// sslPolicy is a predefined security policy for HTTPS and TLS listeners.
type sslPolicy struct {
	name      string
	protocols []string
	ciphers   []string
}

// sslPolicies is a selection of AWS's, enough for clients that ask whether theirs is
// there. Cipher lists are shortened to one typical cipher for each protocol version.
func sslPolicies() []sslPolicy {
	const tls13, tls12, tls1 = "TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA"
	return []sslPolicy{
		{defaultSSLPolicy, []string{"TLSv1", "TLSv1.1", "TLSv1.2"}, []string{tls12, tls1}},
		{"ELBSecurityPolicy-TLS13-1-2-2021-06", []string{"TLSv1.2", "TLSv1.3"}, []string{tls13, tls12}},
		{"ELBSecurityPolicy-TLS13-1-2-Res-2021-06", []string{"TLSv1.2", "TLSv1.3"}, []string{tls13, tls12}},
		{"ELBSecurityPolicy-TLS13-1-3-2021-06", []string{"TLSv1.3"}, []string{tls13}},
		{"ELBSecurityPolicy-TLS-1-2-2017-01", []string{"TLSv1.2"}, []string{tls12}},
		{"ELBSecurityPolicy-FS-1-2-Res-2020-10", []string{"TLSv1.2"}, []string{tls12}},
	}
}

func (c *call) describeSSLPolicies() (wire.Struct, error) {
	list := sslPolicies()
	if kind := c.p.Str("LoadBalancerType"); kind != "" {
		if err := constraint.OneOf(kind, "loadBalancerType", "application", "network", "gateway"); err != nil {
			return nil, err
		}
	}
	if names := c.p.Strings("Names"); len(names) > 0 {
		var chosen []sslPolicy
		for _, name := range names {
			i := slices.IndexFunc(list, func(p sslPolicy) bool { return p.name == name })
			if i < 0 {
				return nil, wire.Errorf("SSLPolicyNotFound", "SSL policy '%s' not found", name)
			}
			chosen = append(chosen, list[i])
		}
		list = chosen
	}
	part, next, err := page(c, list, func(p sslPolicy) string { return p.name })
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("SslPolicies", wire.ListOf(part, func(p sslPolicy) wire.Struct {
		ciphers := make(wire.List, len(p.ciphers))
		for i, name := range p.ciphers {
			ciphers[i] = wire.Struct{kv("Name", name), kv("Priority", i+1)}
		}
		return wire.Struct{
			kv("Name", p.name), kv("SslProtocols", wire.Texts(p.protocols)), kv("Ciphers", ciphers),
			kv("SupportedLoadBalancerTypes", wire.Texts([]string{"application", "network"})),
		}
	})), next}, nil
}
