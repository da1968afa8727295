package elbv2

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

const defaultSSLPolicy = "ELBSecurityPolicy-2016-08"

// listener of a load balancer. Its rules are in order of evaluation, the last one is
// the default rule.
type listener struct {
	arn, id      string
	lb           *loadBalancer
	port         int
	protocol     string // HTTP | HTTPS, or TCP | TLS | UDP | TCP_UDP
	sslPolicy    string
	certificate  string   // the default one's ARN
	certificates []string // further ones, for SNI
	mutualTLS    string   // off | passthrough; HTTPS only
	alpn         string   // TLS only; "": not given
	rules        []*rule
	attributes   attributes
	tags         tags
}

func listenerARN(l *listener) string { return l.arn }

func (l *listener) defaultRule() *rule { return l.rules[len(l.rules)-1] }

// secure says that the listener has certificates.
func (l *listener) secure() bool { return l.protocol == "HTTPS" || l.protocol == "TLS" }

func (l *listener) model() model.Listener {
	m := model.Listener{ARN: l.arn, LoadBalancerARN: l.lb.arn, Port: l.port, Protocol: l.protocol, Attributes: l.attributes.all()}
	for _, r := range l.rules {
		m.Rules = append(m.Rules, r.model())
	}
	return m
}

func describeListener(l *listener) wire.Struct {
	out := wire.Struct{
		kv("ListenerArn", l.arn),
		kv("LoadBalancerArn", l.lb.arn),
		kv("Port", l.port),
		kv("Protocol", l.protocol),
		kv("DefaultActions", wire.ListOf(l.defaultRule().actions.list, describeAction)),
	}
	if l.secure() {
		out = append(out,
			kv("Certificates", wire.List{wire.Struct{kv("CertificateArn", l.certificate)}}),
			kv("SslPolicy", l.sslPolicy),
		)
	}
	if l.protocol == "HTTPS" {
		out = append(out, kv("MutualAuthentication", wire.Struct{kv("Mode", l.mutualTLS)}))
	}
	if l.alpn != "" {
		out = append(out, kv("AlpnPolicy", wire.Texts([]string{l.alpn})))
	}
	return out
}

func (w *world) listener(arn string) (*listener, error) {
	if err := checkARN(arn, kindListener); err != nil {
		return nil, err
	}
	l, ok := find(w.listeners, arn, listenerARN)
	if !ok {
		return nil, wire.Errorf("ListenerNotFound", "One or more listeners not found")
	}
	return l, nil
}

// listenerMember is the listener that ListenerArn names.
func (c *call) listenerMember() (*listener, error) {
	arn, err := c.arnOf("ListenerArn", kindListener)
	if err != nil {
		return nil, err
	}
	return c.listener(arn)
}

func (c *call) createListener() (wire.Struct, error) {
	arn, err := c.arnOf("LoadBalancerArn", kindLoadBalancer)
	if err != nil {
		return nil, err
	}
	lb, err := c.loadBalancer(arn)
	if err != nil {
		return nil, err
	}
	l := &listener{lb: lb, mutualTLS: "off"}
	for _, name := range []string{"Port", "Protocol"} {
		if c.p.Str(name) == "" {
			return nil, invalid("A listener %s must be specified", wire.Camel(name))
		}
	}
	if err := c.parseEndpoint(l); err != nil {
		return nil, err
	}
	l.attributes = newAttributes(listenerAttributes(l))
	def := &rule{}
	if def.actions, err = c.parseActions("DefaultActions", l, actions{}); err != nil {
		return nil, err
	}
	if l.tags, err = c.parseTags(); err != nil {
		return nil, err
	}
	l.rules = []*rule{def}
	if same, err := c.sameListener(l); same != nil || err != nil {
		return same, err
	}
	n := 0
	for _, x := range c.listeners {
		if x.lb == lb {
			n++
		}
	}
	if limit := c.s.cfg.Quotas.ListenersPerLoadBalancer; n >= limit {
		return nil, wire.Errorf("TooManyListeners", "The maximum number of listeners on load balancer '%s' has been reached: %d", lb.arn, limit)
	}
	if err := c.checkUniqueGroups(l, def, def.actions.forward()); err != nil {
		return nil, err
	}
	l.id = c.s.newID()
	l.arn = c.newARN(fmt.Sprintf("%s/%s/%s/%s/%s", kindListener, lb.code(), lb.name, lb.id, l.id))
	def.arn = c.newRuleARN(l)
	c.listeners = append(c.listeners, l)
	c.changed = true
	return wire.Struct{kv("Listeners", wire.List{describeListener(l)})}, nil
}

// sameListener makes CreateListener idempotent: asking again for what is there answers
// with it; anything else on its port is a duplicate, UDP beside TCP too: that is what
// TCP_UDP is for.
func (c *call) sameListener(l *listener) (wire.Struct, error) {
	for _, x := range c.listeners {
		if x.lb != l.lb || x.port != l.port {
			continue
		}
		if x.protocol == l.protocol && x.sslPolicy == l.sslPolicy && x.certificate == l.certificate && x.alpn == l.alpn && x.tags.same(l.tags) &&
			reflect.DeepEqual(x.defaultRule().actions, l.defaultRule().actions) {
			return wire.Struct{kv("Listeners", wire.List{describeListener(x)})}, nil
		}
		return nil, duplicateListener(l)
	}
	return nil, nil //nolint:nilnil // nil: no listener on that port yet
}

func duplicateListener(l *listener) error {
	return wire.Errorf("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", l.lb.arn)
}

// parseEndpoint reads what says how clients reach a listener. Members that are absent
// leave l as it is.
func (c *call) parseEndpoint(l *listener) error {
	if port, ok, err := constraint.Int(c.p, "Port", "port", 1, 65535); err != nil {
		return err
	} else if ok {
		l.port = port
	}
	if protocol := c.p.Str("Protocol"); protocol != "" {
		err := constraint.OneOf(protocol, "protocol", "HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC")
		if err != nil {
			return err
		}
		l.protocol = protocol
	}
	if err := checkListenerProtocol(l); err != nil {
		return err
	}
	if err := c.parseALPN(l); err != nil {
		return err
	}
	if l.secure() {
		return c.parseTLS(l)
	}
	l.certificate, l.certificates, l.sslPolicy = "", nil, ""
	for _, name := range []string{"Certificates", "SslPolicy", "MutualAuthentication"} {
		if c.p.Has(name) && (c.p.Str(name) != "" || len(c.p.List(name)) > 0 || c.p.Struct(name) != nil) {
			return invalid("%s cannot be specified for %s listener", name, withArticle(l.protocol))
		}
	}
	return nil
}

func checkListenerProtocol(l *listener) error {
	allowed := []string{"HTTP", "HTTPS"}
	if l.lb.kind == network {
		allowed = []string{"TCP", "TLS", "UDP", "TCP_UDP"}
		if l.protocol == "QUIC" || l.protocol == "TCP_QUIC" {
			return wire.Errorf("NotSimulated", "listener protocol '%s' is not simulated; use one of %v", l.protocol, allowed)
		}
	}
	if !slices.Contains(allowed, l.protocol) {
		return invalid("Listener protocol '%s' must be one of '%s'", l.protocol, strings.Join(allowed, ", "))
	}
	return nil
}

// withArticle is "an HTTP" and "a TCP".
func withArticle(protocol string) string {
	if strings.HasPrefix(protocol, "H") {
		return "an " + protocol
	}
	return "a " + protocol
}

// parseALPN reads the policy of a TLS listener: a list with one name.
func (c *call) parseALPN(l *listener) error {
	given := c.p.Strings("AlpnPolicy")
	switch {
	case len(given) > 0 && l.lb.kind != network:
		return invalid("An ALPN policy cannot be specified for a listener of an Application Load Balancer")
	case len(given) > 0 && l.protocol != "TLS":
		return invalid("An ALPN policy cannot be specified for %s listener", withArticle(l.protocol))
	case len(given) > 1:
		return invalid("Exactly one ALPN policy must be specified, not %d", len(given))
	case len(given) == 1:
		if !slices.Contains([]string{"HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None"}, given[0]) {
			return wire.Errorf("ALPNPolicyNotSupported", "The ALPN policy '%s' is not supported", given[0])
		}
		l.alpn = given[0]
	}
	if l.protocol != "TLS" {
		l.alpn = ""
	}
	return nil
}

func (c *call) parseTLS(l *listener) error {
	if certs := c.p.List("Certificates"); len(certs) > 1 {
		return invalid("Exactly one certificate must be specified, not %d; add others with AddListenerCertificates", len(certs))
	} else if len(certs) == 1 {
		arn, err := certificateARN(certs[0])
		if err != nil {
			return err
		}
		l.certificate = arn
	}
	if l.certificate == "" {
		return invalid("A certificate must be specified for %s listeners", l.protocol)
	}
	if policy := c.p.Str("SslPolicy"); policy != "" {
		if !slices.ContainsFunc(sslPolicies(), func(p sslPolicy) bool { return p.name == policy }) {
			return wire.Errorf("SSLPolicyNotFound", "SSL policy '%s' not found", policy)
		}
		l.sslPolicy = policy
	}
	if l.sslPolicy == "" {
		l.sslPolicy = defaultSSLPolicy
	}
	if l.protocol == "TLS" && c.p.Struct("MutualAuthentication") != nil {
		return invalid("MutualAuthentication cannot be specified for a TLS listener")
	}
	if mode := c.p.Struct("MutualAuthentication").Str("Mode"); mode != "" {
		if err := constraint.OneOf(mode, "mutualAuthentication.mode", "off", "passthrough", "verify"); err != nil {
			return err
		}
		if mode == "verify" {
			return wire.Errorf("NotSimulated", "mutual authentication with a trust store is not simulated; use off or passthrough")
		}
		l.mutualTLS = mode
	}
	return nil
}

func (c *call) modifyListener() (wire.Struct, error) {
	l, err := c.listenerMember()
	if err != nil {
		return nil, err
	}
	next := *l
	if err := c.parseEndpoint(&next); err != nil {
		return nil, err
	}
	for _, x := range c.listeners {
		if x != l && x.lb == l.lb && x.port == next.port {
			return nil, duplicateListener(&next)
		}
	}
	if next.protocol == "HTTP" {
		if err := noAuthentication(l, c.p.Has("DefaultActions")); err != nil {
			return nil, err
		}
	}
	if next.protocol != l.protocol {
		next.attributes.known = listenerAttributes(&next)
		if err := c.checkKeptActions(&next, c.p.Has("DefaultActions")); err != nil {
			return nil, err
		}
	}
	def := *l.defaultRule()
	if c.p.Has("DefaultActions") {
		if def.actions, err = c.parseActions("DefaultActions", &next, def.actions); err != nil {
			return nil, err
		}
		if err := c.checkUniqueGroups(l, l.defaultRule(), def.actions.forward()); err != nil {
			return nil, err
		}
	}
	*l = next
	*l.defaultRule() = def
	c.changed = true
	return wire.Struct{kv("Listeners", wire.List{describeListener(l)})}, nil
}

// noAuthentication makes sure that no rule which stays needs HTTPS.
func noAuthentication(l *listener, newDefault bool) error {
	for _, r := range l.rules {
		if r.isDefault() && newDefault {
			continue
		}
		if i := slices.IndexFunc(r.actions.list, func(a model.Action) bool { return a.Auth != nil }); i >= 0 {
			return wire.Errorf("InvalidLoadBalancerAction", "Actions of type '%s' are supported only on HTTPS listeners; rule '%s' has one", r.actions.list[i].Type, r.arn)
		}
	}
	return nil
}

// checkKeptActions makes sure that the actions which stay suit a listener's new protocol.
func (c *call) checkKeptActions(l *listener, newDefault bool) error {
	for _, r := range l.rules {
		if r.isDefault() && newDefault {
			continue
		}
		if err := c.checkForward(r.actions.forward(), l); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) deleteListener() (wire.Struct, error) {
	l, err := c.listenerMember()
	if err != nil {
		return nil, err
	}
	c.listeners = slices.DeleteFunc(c.listeners, func(x *listener) bool { return x == l })
	c.changed = true
	return wire.Struct{}, nil
}

func (c *call) describeListeners() (wire.Struct, error) {
	arns, lbARN := c.p.Strings("ListenerArns"), c.p.Str("LoadBalancerArn")
	var list []*listener
	switch {
	case lbARN != "" && len(arns) > 0:
		return nil, invalid("Listener ARNs and a load balancer ARN cannot be specified at the same time")
	case lbARN != "":
		lb, err := c.loadBalancer(lbARN)
		if err != nil {
			return nil, err
		}
		for _, l := range c.listeners {
			if l.lb == lb {
				list = append(list, l)
			}
		}
	case len(arns) > 0:
		for _, arn := range arns {
			l, err := c.listener(arn)
			if err != nil {
				return nil, err
			}
			list = append(list, l)
		}
	default:
		return nil, invalid("You must specify either listener ARNs or a load balancer ARN")
	}
	part, next, err := page(c, list, listenerARN)
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("Listeners", wire.ListOf(part, describeListener)), next}, nil
}

func (c *call) describeListenerAttributes() (wire.Struct, error) {
	l, err := c.listenerMember()
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("Attributes", l.attributes.describe())}, nil
}

func (c *call) modifyListenerAttributes() (wire.Struct, error) {
	l, err := c.listenerMember()
	if err != nil {
		return nil, err
	}
	next, err := c.parseAttributes(l.attributes, "listener")
	if err != nil {
		return nil, err
	}
	l.attributes = next
	c.changed = true
	return wire.Struct{kv("Attributes", next.describe())}, nil
}
