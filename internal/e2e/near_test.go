package e2e

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/awssim"
)

// propagation of the labs' Route 53: long enough to be seen, short enough to be waited for.
const propagation = 300 * time.Millisecond

// near is a lab in the tests' own process, whose clock is that of its load. The program
// runs in processes of its own, as ever.
type near struct {
	*lab

	sim *awssim.Lab
	dns *r53.Client
}

// startNear runs a lab with a world until the test ends.
func startNear(t *testing.T, world string) *near {
	t.Helper()
	cfg := awssim.Fast()
	cfg.World, cfg.Propagation, cfg.Seed = world, propagation, 11
	sim, err := awssim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Errorf("closing the lab: %v", err)
		}
	})
	if err := sim.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	key := credentials.NewStaticCredentialsProvider("FAKEKEYOFTHETEST", "fake", "")
	n := &near{lab: &lab{World: sim.World()}, sim: sim}
	n.api = elb.New(elb.Options{BaseEndpoint: &n.Endpoint, Region: n.Region, Credentials: key})
	n.dns = r53.New(r53.Options{BaseEndpoint: &n.Endpoint, Region: n.Region, Credentials: key})
	return n
}

// site is a route in a near lab that goes from blue to green.
type site interface {
	// declare a shift to these weights; strategy and what follows come as YAML.
	declare(blue, green int, rest string) string
	set(t *testing.T, blue, green int)      // as somebody else would
	live(t *testing.T) map[string]int       // weights by name
	asked(c awssim.CallEntry) (string, int) // weights that a call asked for, as blue:green, and green's percent; "": none
	marked(t *testing.T) string             // what a shift has left; "": nothing
	spoil(t *testing.T)                     // green, so that the built-in analysis sees it
}

// written are the weights that calls asked for, where they had an effect, as blue:green.
func written(s site, calls []awssim.CallEntry) []string {
	var out []string
	for _, c := range calls {
		if w, _ := s.asked(c); w != "" && c.Effect {
			out = append(out, w)
		}
	}
	return out
}

func weightsOf(blue, green int) (string, int) {
	return fmt.Sprintf("%d:%d", blue, green), 100 * green / (blue + green)
}

// network is the listener of the world nlb.
type network struct{ *near }

func (n network) declare(blue, green int, rest string) string {
	return fmt.Sprintf(`apiVersion: norikae.dev/v1alpha1
kind: TrafficShift
metadata: {name: tcp}
spec:
  route:
    nlb: {listenerARN: "%s"}
  destinations:
  - {name: blue, targetGroupARN: "%s", weight: %d}
  - {name: green, targetGroupARN: "%s", weight: %d}
%s`, n.ListenerARN, n.arn("blue"), blue, n.arn("green"), green, rest)
}

func (n network) set(t *testing.T, blue, green int) {
	t.Helper()
	n.forward(t, n.ListenerARN, tuple(n.arn("blue"), blue), tuple(n.arn("green"), green))
}

func tuple(arn string, weight int) types.TargetGroupTuple {
	return types.TargetGroupTuple{TargetGroupArn: aws.String(arn), Weight: aws.Int32(int32(weight))}
}

// forward sets a listener's default action.
func (n *near) forward(t *testing.T, listener string, groups ...types.TargetGroupTuple) {
	t.Helper()
	_, err := n.api.ModifyListener(t.Context(), &elb.ModifyListenerInput{ListenerArn: aws.String(listener), DefaultActions: forwardTo(groups...)})
	if err != nil {
		t.Fatal(err)
	}
}

func forwardTo(groups ...types.TargetGroupTuple) []types.Action {
	return []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{TargetGroups: groups}}}
}

func (n network) live(t *testing.T) map[string]int {
	t.Helper()
	out, err := n.api.DescribeListeners(t.Context(), &elb.DescribeListenersInput{ListenerArns: []string{n.ListenerARN}})
	if err != nil {
		t.Fatal(err)
	}
	w := map[string]int{}
	for _, g := range out.Listeners[0].DefaultActions[0].ForwardConfig.TargetGroups {
		w[n.name(aws.ToString(g.TargetGroupArn))] = int(aws.ToInt32(g.Weight))
	}
	return w
}

func (n network) asked(c awssim.CallEntry) (string, int) {
	if c.Weights == nil {
		return "", 0
	}
	return weightsOf(c.Weights[n.arn("blue")], c.Weights[n.arn("green")])
}

func (n network) marked(t *testing.T) string {
	t.Helper()
	out, err := n.api.DescribeTags(t.Context(), &elb.DescribeTagsInput{ResourceArns: []string{n.ListenerARN}})
	if err != nil {
		t.Fatal(err)
	}
	var left strings.Builder
	for _, tag := range out.TagDescriptions[0].Tags {
		if k := aws.ToString(tag.Key); strings.HasPrefix(k, "norikae.dev/") && k != "norikae.dev/owner" {
			fmt.Fprintf(&left, "%s=%s\n", k, aws.ToString(tag.Value))
		}
	}
	return left.String()
}

func (n network) spoil(t *testing.T) {
	t.Helper()
	n.sim.Cluster("green").SetHealthy(false)
	until(t, "it is noticed", func() bool {
		out, err := n.api.DescribeTargetHealth(t.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(n.arn("green"))})
		return err == nil && out.TargetHealthDescriptions[0].TargetHealth.State == types.TargetHealthStateEnumUnhealthy
	})
}

// address of a name, of its own in the zone of the world route53: plain A and AAAA
// records with a TTL of 1 s, which is the shortest.
type address struct {
	*near

	host string
}

// addresses that lead to each side. Those of A are the world's load balancers'.
func addresses(typ r53types.RRType) map[string]string {
	if typ == r53types.RRTypeAaaa {
		return map[string]string{"blue": "fd00::1", "green": "fd00::2"}
	}
	return map[string]string{"blue": "127.0.1.1", "green": "127.0.1.2"}
}

// newAddress makes the records, and waits until they are answered.
func newAddress(t *testing.T, blue, green int) address {
	t.Helper()
	a := address{startNear(t, awssim.WorldRoute53), "www.example.com"}
	a.set(t, blue, green)
	time.Sleep(2 * propagation)
	return a
}

func weightedRecord(name string, typ r53types.RRType, id string, weight int, ttl int64, value string) r53types.ResourceRecordSet {
	return r53types.ResourceRecordSet{
		Name: aws.String(name), Type: typ, SetIdentifier: aws.String(id), Weight: aws.Int64(int64(weight)),
		TTL: aws.Int64(ttl), ResourceRecords: []r53types.ResourceRecord{{Value: aws.String(value)}},
	}
}

// change records of the world's zone in one batch.
func (n *near) change(t *testing.T, action r53types.ChangeAction, sets ...r53types.ResourceRecordSet) {
	t.Helper()
	batch := &r53types.ChangeBatch{}
	for _, s := range sets {
		batch.Changes = append(batch.Changes, r53types.Change{Action: action, ResourceRecordSet: &s})
	}
	if _, err := n.dns.ChangeResourceRecordSets(t.Context(), &r53.ChangeResourceRecordSetsInput{HostedZoneId: &n.HostedZoneID, ChangeBatch: batch}); err != nil {
		t.Fatal(err)
	}
}

func (a address) declare(blue, green int, rest string) string {
	return fmt.Sprintf(`apiVersion: norikae.dev/v1alpha1
kind: TrafficShift
metadata: {name: www}
spec:
  route:
    route53: {hostedZoneID: %s, name: %s}
  destinations:
  - {name: blue, setIdentifier: blue, weight: %d, loadBalancerARN: "%s"}
  - {name: green, setIdentifier: green, weight: %d, loadBalancerARN: "%s"}
%s`, a.HostedZoneID, a.host, blue, a.Destinations[0].LoadBalancerARN, green, a.Destinations[1].LoadBalancerARN, rest)
}

func (a address) set(t *testing.T, blue, green int) {
	t.Helper()
	var sets []r53types.ResourceRecordSet
	for _, typ := range []r53types.RRType{r53types.RRTypeA, r53types.RRTypeAaaa} {
		for side, weight := range map[string]int{"blue": blue, "green": green} {
			sets = append(sets, weightedRecord(a.host, typ, side, weight, 1, addresses(typ)[side]))
		}
	}
	a.change(t, r53types.ChangeActionUpsert, sets...)
}

// records at a name.
func (n *near) records(t *testing.T, name string) []r53types.ResourceRecordSet {
	t.Helper()
	out, err := n.dns.ListResourceRecordSets(t.Context(), &r53.ListResourceRecordSetsInput{HostedZoneId: &n.HostedZoneID, StartRecordName: &name})
	if err != nil {
		t.Fatal(err)
	}
	var sets []r53types.ResourceRecordSet
	for _, s := range out.ResourceRecordSets {
		if aws.ToString(s.Name) == name+"." {
			sets = append(sets, s)
		}
	}
	return sets
}

func (a address) live(t *testing.T) map[string]int {
	t.Helper()
	w := map[string]int{}
	for _, s := range a.records(t, a.host) {
		id, weight := aws.ToString(s.SetIdentifier), int(aws.ToInt64(s.Weight))
		if other, ok := w[id]; ok && other != weight {
			t.Errorf("%s has the weight %d in one type and %d in another", id, other, weight)
		}
		w[id] = weight
	}
	return w
}

func (a address) asked(c awssim.CallEntry) (string, int) {
	if len(c.Weights) == 0 {
		return "", 0
	}
	blue, green := c.Weights[a.host+" A blue"], c.Weights[a.host+" A green"]
	whole := map[string]int{a.host + " A blue": blue, a.host + " A green": green, a.host + " AAAA blue": blue, a.host + " AAAA green": green}
	if !maps.Equal(c.Weights, whole) {
		return fmt.Sprintf("half a write: %v", c.Weights), 0
	}
	return weightsOf(blue, green)
}

func (a address) marked(t *testing.T) string {
	t.Helper()
	var left strings.Builder
	for _, s := range a.records(t, "_norikae."+a.host) {
		for _, r := range s.ResourceRecords {
			left.WriteString(aws.ToString(r.Value) + "\n")
		}
	}
	return left.String()
}

func (a address) spoil(t *testing.T) {
	t.Helper()
	a.fault(t, `{"kind":"target","targetGroup":"green","failRate":1}`)
}

// settled fails when the route is not at these weights, or something of a shift is left.
func settled(t *testing.T, s site, blue, green int) {
	t.Helper()
	if got, want := s.live(t), map[string]int{"blue": blue, "green": green}; !maps.Equal(got, want) {
		t.Errorf("live %v, want %v", got, want)
	}
	if left := s.marked(t); left != "" {
		t.Errorf("left on the route:\n%s", left)
	}
}

// again runs a shift that is over, which must find it settled and write nothing.
func (n *near) again(t *testing.T, text string) {
	t.Helper()
	before := len(n.calls(t))
	if res := n.exec(t, t.TempDir(), text, "shift", "-f", "-", "-o", "json"); res.code != 0 || !strings.Contains(res.stdout, `"reason":"Settled"`) {
		t.Errorf("again: code %d\n%s%s", res.code, res.stdout, res.stderr)
	}
	if w := writing(n.calls(t)[before:]); len(w) > 0 {
		t.Errorf("a settled route was written: %v", w)
	}
}

// says tells whether a process has said something, and fails when it ended without it.
func (p *process) says(t *testing.T, text string) func() bool {
	return func() bool {
		t.Helper()
		ended := false
		select {
		case <-p.done:
			ended = true
		default:
		}
		said := strings.Contains(p.out.String(), text)
		if ended && !said {
			t.Fatalf("it ended without saying %q:\n%s%s", text, p.out.String(), p.err.String())
		}
		return said
	}
}
