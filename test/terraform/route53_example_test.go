package terraform

import (
	"slices"
	"testing"
)

// The seed's other way: a load balancer per cluster, and a name whose records are weighted.
// Every request looks the name up, the whole time.
func TestTheExampleWithWeightedRecordsLeadsTheNameElsewhereUnderLoad(t *testing.T) {
	t.Parallel()
	const name = "shop.example.com"
	l := startLab(t, "--seed", "route53", "--propagation", "1s", "--alias-ttl", "1s")
	arns := map[string]any{}
	for _, d := range l.Destinations {
		arns[d.SetIdentifier] = d.LoadBalancerARN
	}
	variables := map[string]any{"region": l.Region, "zone_id": l.HostedZoneID, "name": name, "load_balancer_arns": arns, "pace": pace}
	f := l.example(t, "productionsetup-r53/01-bootstrap", variables)
	f.apply(t)
	f.empty(t)
	if w := l.recordWeights(t, name); w != "100:0" {
		t.Fatalf("the name begins at %s, want 100:0", w)
	}
	before := len(l.calls(t))
	stop := l.requestsTo(t, name, 50)
	f.become(t, "productionsetup-r53/02-replace", variables)
	f.apply(t)
	stop().nothingLost(t)
	if got, want := writtenTo(name, l.calls(t)[before:]), []string{"75:25", "50:50", "25:75", "0:100"}; !slices.Equal(got, want) {
		t.Errorf("written %v, want %v", got, want)
	}
	if w := l.recordWeights(t, name); w != "0:100" {
		t.Errorf("live %s, declared 0:100", w)
	}
	l.noRecordMark(t, name)
	before = len(l.calls(t))
	f.empty(t)
	if m := mutations(l.calls(t)[before:]); len(m) != 0 {
		t.Errorf("a plan with no change wrote: %v", m)
	}
	f.ok(t, "destroy", "-auto-approve", "-no-color")
	if left := l.records(t, name); len(left) != 0 {
		t.Errorf("destroyed, and there are still %v", left)
	}
}
