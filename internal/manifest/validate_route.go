package manifest

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/arn"
)

func (v *validator) route(r v1alpha1.Route) {
	var given []string
	if r.ALB != nil {
		given = append(given, "alb")
		v.alb("spec.route.alb", r.ALB)
	}
	if r.NLB != nil {
		given = append(given, "nlb")
		v.nlb("spec.route.nlb", r.NLB)
	}
	if r.Route53 != nil {
		given = append(given, "route53")
		v.route53("spec.route.route53", r.Route53)
	}
	switch len(given) {
	case 0:
		v.bad("spec.route", "", "is missing: want alb with listenerARN and one of rule, default: true, or ruleARN; nlb with listenerARN; or route53 with hostedZoneID and name")
	case 1:
	default:
		v.badAmong("spec.route", given, "has %s, want exactly one of alb, nlb and route53: a shift moves one route; give each a manifest of its own", strings.Join(given, " and "))
	}
}

func (v *validator) nlb(path string, n *v1alpha1.NLBRoute) {
	v.listenerARN(path+".listenerARN", n.ListenerARN, arn.Network)
}

func (v *validator) alb(path string, a *v1alpha1.ALBRoute) {
	var given []string
	if a.Rule != nil {
		given = append(given, "rule")
	}
	if a.RuleARN != "" {
		given = append(given, "ruleARN")
	}
	if a.Default {
		given = append(given, "default")
	}
	members := []string{"rule", "ruleARN", "default"}
	switch len(given) {
	case 0:
		v.badAmong(path, members, "names no rule: want exactly one of rule (a numbered rule), default: true (the listener's default action) and ruleARN")
	case 1:
	default:
		v.badAmong(path, members, "has %s, want exactly one of rule, default: true and ruleARN: keep the one that you mean", strings.Join(given, " and "))
	}
	if a.RuleARN != "" {
		v.ruleARN(path, a)
	}
	if a.ListenerARN != "" || a.RuleARN == "" {
		v.listenerARN(path+".listenerARN", a.ListenerARN, arn.Application)
	}
	if a.Rule != nil {
		v.rule(path+".rule", a.Rule)
	}
}

func (v *validator) listenerARN(path, s string, want arn.LoadBalancerType) {
	const list = "aws elbv2 describe-listeners --load-balancer-arn …"
	l, err := arn.ParseListener(s)
	switch {
	case err != nil:
		v.badARN(path, s, err, list)
	case l.LoadBalancer.Type == want:
	case want == arn.Application && l.LoadBalancer.Type == arn.Network:
		v.bad(path, quote(s), "is a listener of a Network Load Balancer: want one of an Application Load Balancer, …:listener/app/NAME/LOAD-BALANCER-ID/ID, or declare it as route.nlb; list those that exist with `%s`", list)
	default:
		v.bad(path, quote(s), "is a listener of %s: want one of %s, …:listener/%s/NAME/LOAD-BALANCER-ID/ID; list those that exist with `%s`", typeInWords(l.LoadBalancer.Type), typeInWords(want), want, list)
	}
}

func (v *validator) ruleARN(path string, a *v1alpha1.ALBRoute) {
	const list = "aws elbv2 describe-rules --listener-arn …"
	r, err := arn.ParseRule(a.RuleARN)
	switch {
	case err != nil:
		v.badARN(path+".ruleARN", a.RuleARN, err, list)
	case r.Listener.LoadBalancer.Type != arn.Application:
		v.bad(path+".ruleARN", quote(a.RuleARN), "is a rule of %s: want one of an Application Load Balancer, …:listener-rule/app/…; list those that exist with `%s`", typeInWords(r.Listener.LoadBalancer.Type), list)
	case a.ListenerARN != "" && a.ListenerARN != r.Listener.ARN:
		v.bad(path+".listenerARN", quote(a.ListenerARN), "is not the listener of ruleARN, which is %s: remove the line", r.Listener.ARN)
	}
}

func typeInWords(t arn.LoadBalancerType) string {
	switch t {
	case arn.Application:
		return "an Application Load Balancer"
	case arn.Network:
		return "a Network Load Balancer"
	case arn.Gateway:
		return "a Gateway Load Balancer"
	}
	return "a load balancer of type " + string(t)
}

// rule checks the limits of https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
func (v *validator) rule(path string, r *v1alpha1.ALBRule) {
	if r.Priority < 1 || r.Priority > maxPriority {
		v.bad(path+".priority", fmt.Sprint(r.Priority), "want 1–%d, lower is matched first", maxPriority)
	}
	values, patterns := 0, []string(nil)
	each := func(field string, list []string, check func(path, s string), wild bool) {
		for i, s := range list {
			values++
			check(at(path+"."+field, i), s)
			if wild {
				patterns = append(patterns, s)
			}
		}
	}
	each("hosts", r.Hosts, v.host, true)
	each("pathPatterns", r.PathPatterns, v.pattern, true)
	each("methods", r.Methods, v.method, false)
	each("sourceIPs", r.SourceIPs, v.cidr, false)
	for i, h := range r.Headers {
		field := at("headers", i)
		v.headerName(path+"."+field+".name", h.Name)
		if len(h.Values) == 0 {
			v.bad(path+"."+field+".values", "", "is missing: want 1–%d values", maxCondition)
		}
		each(field+".values", h.Values, v.pattern, true)
	}
	for i, q := range r.QueryStrings {
		field := path + "." + at("queryStrings", i)
		values++
		v.pattern(field+".value", q.Value)
		if len([]rune(q.Key)) > maxPattern {
			v.pattern(field+".key", q.Key)
		}
		patterns = append(patterns, q.Key, q.Value)
	}
	switch {
	case values == 0 && len(r.Headers) == 0:
		conditions := []string{"hosts", "pathPatterns", "methods", "sourceIPs", "headers", "queryStrings"}
		v.badAmong(path, conditions, "has no condition: want at least one of hosts, pathPatterns, methods, sourceIPs, headers and queryStrings; for all requests use default: true, or pathPatterns: [\"*\"]")
	case values > maxCondition:
		v.bad(path, "", "has %d condition values, want at most %d, all conditions together: shorten it, or split it into two rules", values, maxCondition)
	}
	if n := wildcards(patterns); n > maxWildcards {
		v.bad(path, "", "has %d wildcards (* and ?), want at most %d, all conditions together: use fewer, or split it into two rules", n, maxWildcards)
	}
}

func (v *validator) pattern(path, s string) {
	if n := len([]rune(s)); n == 0 || n > maxPattern {
		v.missingOr(path, s, fmt.Sprintf("want 1–%d characters", maxPattern))
	}
}

func (v *validator) host(path, s string) {
	switch n := len(s); {
	case n == 0 || n > maxPattern:
		v.pattern(path, s)
	case strings.ContainsAny(s, "/: "):
		v.bad(path, quote(s), "want a host alone, without scheme, port and path, such as example.com or *.example.com")
	case !strings.Contains(s, "."):
		v.bad(path, quote(s), "want a host with at least one dot, such as example.com or *.example.com; for all hosts remove hosts and use pathPatterns: [\"*\"]")
	}
}

func (v *validator) method(path, s string) {
	if !regexp.MustCompile(fmt.Sprintf(`^[A-Z_-]{1,%d}$`, maxName)).MatchString(s) {
		v.missingOr(path, s, fmt.Sprintf("want 1–%d characters of A–Z, - and _, such as GET", maxName))
	}
}

func (v *validator) headerName(path, s string) {
	switch {
	case strings.EqualFold(s, "host"):
		v.bad(path, quote(s), "the Host header has a condition of its own: use hosts")
	case !regexp.MustCompile(fmt.Sprintf(`^[0-9A-Za-z!#$%%&'+.^_|~`+"`"+`-]{1,%d}$`, maxName)).MatchString(s):
		v.missingOr(path, s, fmt.Sprintf("want a header's name of 1–%d characters, without wildcards, such as X-Canary", maxName))
	}
}

func (v *validator) cidr(path, s string) {
	if _, err := netip.ParsePrefix(s); err == nil {
		return
	}
	if a, err := netip.ParseAddr(s); err == nil {
		v.bad(path, quote(s), "want an address range: for this address alone write %s/%d", a, a.BitLen())
		return
	}
	v.missingOr(path, s, "want an address range in CIDR form, such as 10.0.0.0/8 or 2001:db8::/32")
}

// wildcards counts the * and ? that are not escaped.
func wildcards(patterns []string) int {
	n := 0
	for _, p := range patterns {
		escaped := false
		for _, r := range p {
			if !escaped && (r == '*' || r == '?') {
				n++
			}
			escaped = !escaped && r == '\\'
		}
	}
	return n
}
