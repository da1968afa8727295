package route53

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/norikae/norikae/internal/fault"
)

// checkBalancers holds the declared load balancers against the records. A shift that is
// judged by the metrics of another one than it sends traffic to is not judged at all.
func (n *Name) checkBalancers(ctx context.Context, rd *reading) (warnings []string, err error) {
	for i, id := range n.cfg.Destinations {
		arn := n.cfg.LoadBalancers[id]
		if arn == "" || n.cfg.DNSNameOf == nil {
			continue
		}
		at := fmt.Sprintf("destinations[%d].loadBalancerARN", i)
		name, err := n.cfg.DNSNameOf(ctx, arn)
		switch {
		case errors.Is(err, fault.ErrNotFound):
			return nil, fault.Terminal("LoadBalancerNotFound", fmt.Errorf("%s: %q does not exist in the account of the credentials (aws.profile, aws.assumeRole); want the load balancer that the records of %q lead to (aws elbv2 describe-load-balancers), or, where that is in another account, none: judge by analysis.metrics then: %w", at, arn, id, err))
		case err != nil:
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		plain, err := n.leads(rd, id, name)
		if err != nil {
			return nil, fault.Terminal("OtherLoadBalancer", fmt.Errorf("%s: %q is %s, but %w; the shift would be judged by another load balancer than it sends traffic to: give the one that the records lead to", at, arn, name, err))
		}
		if plain {
			warnings = append(warnings, fmt.Sprintf("not verified: that the records of %q lead to %s, by whose metrics they are judged; they are no aliases of a load balancer", id, arn))
		}
	}
	return warnings, nil
}

// leads tells whether all aliases of a destination lead to a load balancer's DNS name;
// plain when some of its records are no aliases, or lead to others of the zone: of those
// nothing can be told.
func (n *Name) leads(rd *reading, id, balancer string) (plain bool, err error) {
	for _, p := range rd.parts {
		for _, s := range p.sets {
			switch {
			case aws.ToString(s.SetIdentifier) != id:
			case s.AliasTarget == nil, aws.ToString(s.AliasTarget.HostedZoneId) == n.zone:
				plain = true
			case bare(aws.ToString(s.AliasTarget.DNSName)) != bare(balancer):
				return false, fmt.Errorf("the %s record %q at %s leads to %s", p.typ, id, n.name, aws.ToString(s.AliasTarget.DNSName))
			}
		}
	}
	return plain, nil
}

// bare is a load balancer's DNS name in one spelling.
func bare(name string) string {
	return strings.TrimPrefix(strings.ToLower(strings.TrimSuffix(name, ".")), "dualstack.")
}
