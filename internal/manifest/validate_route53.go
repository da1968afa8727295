package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/arn"
)

// maxSetIdentifier is the length of a set identifier, in characters:
// https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html
const maxSetIdentifier = 128

// recordTypes that can have weights and that a shift of traffic makes sense for.
func recordTypes() []string {
	return []string{"A", "AAAA", "CNAME", "HTTPS", "SVCB", "SRV", "TXT", "MX", "CAA", "NAPTR", "PTR", "SPF"}
}

func (v *validator) route53(path string, r *v1alpha1.Route53Route) {
	if !regexp.MustCompile(`^(/hostedzone/)?Z[A-Z0-9]{1,31}$`).MatchString(r.HostedZoneID) {
		v.missingOr(path+".hostedZoneID", r.HostedZoneID, "want a hosted zone's ID, such as Z0123456789ABCDEFGHIJ; list those that exist with `aws route53 list-hosted-zones`")
	}
	v.dnsName(path+".name", r.Name)
	for i, t := range r.Types {
		p := at(path+".types", i)
		switch {
		case !slices.Contains(recordTypes(), t):
			v.missingOr(p, t, "want a record type in capitals, one of "+orList(recordTypes()))
		case slices.Contains(r.Types[:i], t):
			v.bad(p, quote(t), "is named twice: want each type once")
		}
	}
}

// dnsName checks a name's form (RFC 1035 §2.3.4; underscores are common in practice).
func (v *validator) dnsName(path, name string) {
	const want = "want a DNS name such as api.example.com or *.example.com"
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	switch {
	case name == "" || strings.ContainsAny(name, "/: "):
		v.missingOr(path, name, want+", without scheme, port and path")
		return
	case len(name) > 255:
		v.bad(path, quote(name), "has %d characters, want at most 255", len(name))
		return
	case len(labels) < 2:
		v.bad(path, quote(name), "has no dot: %s", want)
		return
	}
	for i, l := range labels {
		if n := len(l); n < 1 || n > 63 {
			v.bad(path, quote(name), "has a label of %d characters between its dots, want 1–63", n)
			return
		}
		if strings.Contains(l, "*") && (i > 0 || l != "*") {
			v.bad(path, quote(name), "has a * that is not its whole first label: %s", want)
			return
		}
	}
}

// setIdentifiers checks what names the destinations of a Route 53 name.
func (v *validator) setIdentifiers(ds []v1alpha1.Destination) {
	const path = "spec.destinations"
	seen, balancers := map[string]int{}, 0
	for i, d := range ds {
		p := at(path, i)
		if n := len([]rune(d.SetIdentifier)); n == 0 || n > maxSetIdentifier {
			v.missingOr(p+".setIdentifier", d.SetIdentifier, fmt.Sprintf("want the set identifier of its records, 1–%d characters; list those that exist with `aws route53 list-resource-record-sets --hosted-zone-id …`", maxSetIdentifier))
		}
		v.unique(seen, p+".setIdentifier", d.SetIdentifier, path, i)
		if d.TargetGroupARN != "" {
			v.bad(p+".targetGroupARN", quote(d.TargetGroupARN), "has no meaning for route53, whose destinations are records: remove the line")
		}
		if d.LoadBalancerARN == "" {
			continue
		}
		balancers++
		lb, err := arn.ParseLoadBalancer(d.LoadBalancerARN)
		switch {
		case err != nil:
			v.badARN(p+".loadBalancerARN", d.LoadBalancerARN, err, "aws elbv2 describe-load-balancers")
		case lb.Type != arn.Application:
			v.bad(p+".loadBalancerARN", quote(d.LoadBalancerARN), "is %s: only an Application Load Balancer counts the requests of its own targets; remove the lines of all destinations, and add analysis.metrics", typeInWords(lb.Type))
		}
	}
	if balancers > 0 && balancers < len(ds) {
		v.bad(path, "", "%d of %d have a loadBalancerARN: want it for all of them, so that the sides can be compared, or for none", balancers, len(ds))
	}
}

// targetGroups checks what names the destinations of a load balancer's rule.
func (v *validator) targetGroups(ds []v1alpha1.Destination) {
	const path = "spec.destinations"
	seen := map[string]int{}
	for i, d := range ds {
		p := at(path, i)
		if _, err := arn.ParseTargetGroup(d.TargetGroupARN); err != nil {
			v.badARN(p+".targetGroupARN", d.TargetGroupARN, err, "aws elbv2 describe-target-groups")
		}
		v.unique(seen, p+".targetGroupARN", d.TargetGroupARN, path, i)
		for _, f := range []struct{ name, value string }{{"setIdentifier", d.SetIdentifier}, {"loadBalancerARN", d.LoadBalancerARN}} {
			if f.value != "" {
				v.bad(p+"."+f.name, quote(f.value), "belongs to destinations of route53 only: remove the line")
			}
		}
	}
}
