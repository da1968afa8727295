package terraform

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

const nlbAddress = "eksctl_courier_nlb.this"

// nlb is a courier of the listener's default action that moves all in two steps.
func (l *lab) nlb(blue, green int) string {
	return fmt.Sprintf(`
resource "eksctl_courier_nlb" "this" {
  listener_arn  = %q
  step_weight   = 50
  step_interval = "1s"
  bake          = "2s"
  drain         = "0s"
  destination {
    target_group_arn = %q
    weight           = %d
  }
  destination {
    target_group_arn = %q
    weight           = %d
  }
}
`, l.ListenerARN, l.arn("blue"), blue, l.arn("green"), green)
}

// forward is a listener's default action.
func (l *lab) forward(blue, green int32) []elbtypes.Action {
	return []elbtypes.Action{{
		Type: elbtypes.ActionTypeEnumForward,
		ForwardConfig: &elbtypes.ForwardActionConfig{TargetGroups: []elbtypes.TargetGroupTuple{
			{TargetGroupArn: aws.String(l.arn("blue")), Weight: aws.Int32(blue)},
			{TargetGroupArn: aws.String(l.arn("green")), Weight: aws.Int32(green)},
		}},
	}}
}

// listenerWeights that the default action forwards by, as blue:green.
func (l *lab) listenerWeights(t *testing.T) string {
	t.Helper()
	out, err := l.api.DescribeListeners(t.Context(), &elb.DescribeListenersInput{ListenerArns: []string{l.ListenerARN}})
	if err != nil {
		t.Fatal(err)
	}
	w := map[string]int32{}
	for _, g := range out.Listeners[0].DefaultActions[0].ForwardConfig.TargetGroups {
		w[l.name(aws.ToString(g.TargetGroupArn))] = aws.ToInt32(g.Weight)
	}
	return fmt.Sprintf("%d:%d", w["blue"], w["green"])
}

// connections are requests, each on a connection of its own: those that are open stay where
// they are.
func (l *lab) connections(t *testing.T) (stop func() counts) {
	t.Helper()
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return l.send(t, client, l.URL, l.Host, 100)
}

func TestTheLifeOfACourierOfANetworkLoadBalancer(t *testing.T) {
	t.Parallel()
	l := startLab(t, "--seed", "nlb")
	f := l.folder(t, l.nlb(100, 0))
	f.apply(t)
	if w := l.written(l.calls(t)); len(w) != 0 {
		t.Errorf("the listener was taken as it was, and weights were written: %v", w)
	}

	before := len(l.calls(t))
	stop := l.connections(t) // until the end: silence where there was traffic is no verdict
	f.write(t, l.nlb(0, 100))
	contains(t, f.pending(t), "50%: blue 50 (50%), green 50 (50%)", "100%: blue 0 (0%), green 100 (100%)")
	f.apply(t)
	if got, want := l.written(l.calls(t)[before:]), []string{"50:50", "0:100"}; !slices.Equal(got, want) {
		t.Errorf("written %v, want %v", got, want)
	}
	l.noMark(t, l.ListenerARN)
	before = len(l.calls(t))
	f.empty(t)
	if m := mutations(l.calls(t)[before:]); len(m) != 0 {
		t.Errorf("a plan wrote: %v", m)
	}

	if _, err := l.api.ModifyListener(t.Context(), &elb.ModifyListenerInput{ListenerArn: aws.String(l.ListenerARN), DefaultActions: l.forward(30, 70)}); err != nil {
		t.Fatal(err)
	}
	contains(t, f.pending(t), "30", "70")
	f.ok(t, "apply", "-refresh-only", "-auto-approve", "-no-color")
	if got := declared(f.attributes(t, nlbAddress)); got != "30:70" {
		t.Errorf("live is 30:70, and the state has %s", got)
	}
	f.apply(t)
	if w := l.listenerWeights(t); w != "0:100" {
		t.Errorf("live %s, declared 0:100", w)
	}
	f.empty(t)
	// A Network Load Balancer sees connections, and counts no requests.
	if c := stop(); c.Sent == 0 || c.OK != c.Sent || c.Targets != c.Sent {
		t.Errorf("requests were lost, or counts differ: %+v", c)
	}

	before = len(l.calls(t))
	g := l.folder(t, l.nlb(0, 100))
	g.ok(t, "import", "-no-color", nlbAddress, l.ListenerARN)
	g.apply(t) // what only the configuration knows
	g.empty(t)
	g.ok(t, "destroy", "-auto-approve", "-no-color")
	if s := g.state(t); len(s) != 0 {
		t.Errorf("destroyed, and the state has %v", s)
	}
	if w := l.written(l.calls(t)[before:]); len(w) != 0 {
		t.Errorf("an import and a destroy wrote weights: %v", w)
	}
	if w := l.listenerWeights(t); w != "0:100" {
		t.Errorf("the courier is gone, and the listener, which is not its own, has %s", w)
	}
	l.noMark(t, l.ListenerARN)
}

// What is wrong is seen by resets of connections, and the way back is one write.
func TestACourierOfANetworkLoadBalancerRollsBack(t *testing.T) {
	t.Parallel()
	l := startLab(t, "--seed", "nlb")
	f := l.folder(t, l.nlb(100, 0))
	f.apply(t)
	defer l.connections(t)()
	l.fault(t, `{"kind":"target","targetGroup":"green","failRate":1}`)
	f.write(t, l.nlb(0, 100))
	before := len(l.calls(t))
	said := f.fails(t, "apply", "-auto-approve").errors()
	contains(t, said, "rolled back", "Traffic now: blue 100 (100%), green 0 (0%)")
	t.Logf("the error:\n%s", said)
	if got, want := l.written(l.calls(t)[before:]), []string{"50:50", "100:0"}; !slices.Equal(got, want) {
		t.Errorf("written %v, want %v", got, want)
	}
	if got := declared(f.attributes(t, nlbAddress)); got != "100:0" {
		t.Errorf("live is 100:0, and the state has %s", got)
	}
	l.noMark(t, l.ListenerARN)
}
