package tfapp

import (
	"errors"
	"slices"
	"testing"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/lawtest"
	"github.com/norikae/norikae/internal/provider/connection"
)

// By its reason a courier tells records that the same apply makes from what no apply heals.
func TestABlockerOfAPreviewHasAReason(t *testing.T) {
	for reason, change := range map[string]func(*v1alpha1.TrafficShiftSpec){
		"RecordsNotFound":      func(s *v1alpha1.TrafficShiftSpec) { s.Route.Route53.Name = "new." + s.Route.Route53.Name },
		"DestinationNotFound":  func(s *v1alpha1.TrafficShiftSpec) { s.Destinations[1].SetIdentifier = "new" },
		"NotInZone":            func(s *v1alpha1.TrafficShiftSpec) { s.Route.Route53.Name = "example.org" },
		"HostedZoneNotFound":   func(s *v1alpha1.TrafficShiftSpec) { s.Route.Route53.HostedZoneID = "Z0123456789ABCDEFGHIJ" },
		"LoadBalancerNotFound": func(s *v1alpha1.TrafficShiftSpec) { noBalancer(&s.Destinations[1]) },
		"OtherLoadBalancer": func(s *v1alpha1.TrafficShiftSpec) {
			d := s.Destinations
			d[0].LoadBalancerARN, d[1].LoadBalancerARN = d[1].LoadBalancerARN, d[0].LoadBalancerARN
		},
	} {
		t.Run(reason, func(t *testing.T) {
			onGround(t, lawtest.OnAliases, func(g *ground) {
				ts, _ := g.declare()
				change(&ts.Spec)
				sh, err := g.shifts(&runner{}, "AKIAFIRST").Open(g.t.Context(), connection.Connection{}, ts)
				if err != nil {
					t.Fatal(err)
				}
				pv, err := sh.Preview(g.t.Context())
				causes := pv.Causes
				if err != nil { // the route cannot be read at all
					causes = []error{err}
				}
				if err == nil && len(pv.Blockers) != len(causes) {
					t.Errorf("%d blockers and %d causes", len(pv.Blockers), len(causes))
				}
				has := func(err error) bool {
					refusal, ok := errors.AsType[*fault.TerminalError](err)
					return ok && refusal.Reason == reason
				}
				if !slices.ContainsFunc(causes, has) {
					t.Errorf("the causes are %v, want one with the reason %s", causes, reason)
				}
			})
		})
	}
}

// noBalancer gives a destination the ARN of a load balancer that does not exist.
func noBalancer(d *v1alpha1.Destination) {
	const id = "0123456789abcdef"
	d.LoadBalancerARN = d.LoadBalancerARN[:len(d.LoadBalancerARN)-len(id)] + id
}
