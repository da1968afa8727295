package lawtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/memnet"
)

// Operator is the access key of the person who sets worlds up and meddles with them.
const Operator = "AKIAOPERATOR"

// requestsPerPeriod of the load balancer: enough that a period alone tells 5 % of
// errors from chance when a tenth of them goes to a group.
const requestsPerPeriod = 6000

// Pace is the timing of a world's metrics.
type Pace struct{ Settle, Period, Delay time.Duration }

// RealPace is CloudWatch's; LabPace lets a sweep make hundreds of shifts.
func RealPace() Pace { return Pace{10 * time.Second, time.Minute, 2 * time.Minute} }

// LabPace is that of the lab for people in a hurry.
func LabPace() Pace { return Pace{time.Second, time.Second, time.Second} }

// Window is the shortest time from a write to its first complete measurement.
func (p Pace) Window() time.Duration { return p.Settle + p.Period + p.Delay }

// World is a lab with made-up traffic in memory, and the recorder in front of it. It
// lives in a testing/synctest bubble.
type World struct {
	*awssim.Lab
	*Recorder

	Pace Pace
	// ARNs of the load balancer's parts.
	LoadBalancer, Listener, Rule string
	Groups                       map[string]string // target group ARN by name: blue, green and those of AddGroup

	server   *http.Server
	served   chan error
	endpoint string
	network  memnet.Network

	mu      sync.Mutex
	clients []*http.Transport
}

// NewWorld makes the world blue-green: the rule at priority 10 sends everything to blue.
// Its metrics have had ten periods of traffic when it returns. change may be nil.
func NewWorld(pace Pace, change func(*awssim.Config)) (*World, error) {
	w := &World{Pace: pace, Groups: map[string]string{}, served: make(chan error, 1)}
	cfg := awssim.Config{
		DataPlane: awssim.PlaneSynth, World: awssim.WorldBlueGreen,
		MetricPeriod: pace.Period, MetricDelay: pace.Delay, Seed: 7,
		RequestsPerSecond: func(time.Time) float64 { return requestsPerPeriod / pace.Period.Seconds() },
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if w.Lab, err = awssim.New(cfg); err != nil {
		return nil, err
	}
	w.Recorder = NewRecorder(w.Handler())
	ln, err := w.network.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, w.Lab.Close())
	}
	w.endpoint = "http://" + ln.Addr().String()
	w.server = &http.Server{Handler: w.Recorder, ReadHeaderTimeout: time.Minute}
	go func() { w.served <- w.server.Serve(ln) }()
	about := w.World()
	w.LoadBalancer, w.Listener, w.Rule = about.LoadBalancerARN, about.ListenerARN, about.RuleARN
	for _, g := range about.TargetGroups {
		w.Groups[g.Name] = g.ARN
	}
	time.Sleep(10*pace.Period + pace.Delay + pace.Period/7) // off the minute, as in life
	return w, nil
}

// Close ends the world and waits for it.
func (w *World) Close() error {
	for _, t := range w.clients {
		t.CloseIdleConnections()
	}
	err := w.server.Close()
	if served := <-w.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return errors.Join(err, w.Lab.Close())
}

// HTTP is a client on the world's network with connections of its own. Each attempt is
// bounded, as the product's own client bounds it.
func (w *World) HTTP() *http.Client {
	t := w.network.Transport()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clients = append(w.clients, t)
	return &http.Client{Transport: t, Timeout: 8 * time.Second}
}

// ELBClient is an ELBv2 client of the Operator.
func (w *World) ELBClient() *elb.Client {
	return elb.New(elb.Options{
		Region: awssim.Region, BaseEndpoint: aws.String(w.endpoint), HTTPClient: w.HTTP(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(Operator, "fake", ""),
	})
}

// AddGroup makes a target group with two targets, named name.
func (w *World) AddGroup(ctx context.Context, name string) error {
	c := w.ELBClient()
	out, err := c.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{
		Name: &name, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String("vpc-01ab"), TargetType: types.TargetTypeEnumIp,
	})
	if err != nil {
		return fmt.Errorf("making target group %s: %w", name, err)
	}
	w.Groups[name] = *out.TargetGroups[0].TargetGroupArn
	n := len(w.Groups)
	_, err = c.RegisterTargets(ctx, &elb.RegisterTargetsInput{TargetGroupArn: aws.String(w.Groups[name]), Targets: []types.TargetDescription{
		{Id: aws.String(fmt.Sprintf("10.0.%d.1", n)), Port: aws.Int32(8080)}, {Id: aws.String(fmt.Sprintf("10.0.%d.2", n)), Port: aws.Int32(8080)},
	}})
	return err
}

// Weight of a named target group.
type Weight struct {
	Name   string
	Weight int
}

// Forward is a forward action with these weights.
func (w *World) Forward(weights ...Weight) types.Action {
	config := &types.ForwardActionConfig{}
	for _, g := range weights {
		config.TargetGroups = append(config.TargetGroups, types.TargetGroupTuple{
			TargetGroupArn: aws.String(w.Groups[g.Name]), Weight: aws.Int32(int32(g.Weight)), //nolint:gosec // G115: small literals of tests
		})
	}
	return types.Action{Type: types.ActionTypeEnumForward, ForwardConfig: config}
}

// Meddle writes the rule's weights as the Operator.
func (w *World) Meddle(ctx context.Context, weights ...Weight) error {
	_, err := w.ELBClient().ModifyRule(ctx, &elb.ModifyRuleInput{RuleArn: &w.Rule, Actions: []types.Action{w.Forward(weights...)}})
	return err
}

// Manifest declares a shift of the world's rule to these weights in steps of 10 %.
func (w *World) Manifest(weights ...Weight) *v1alpha1.TrafficShift {
	ts := &v1alpha1.TrafficShift{
		APIVersion: v1alpha1.GroupVersion, Kind: v1alpha1.KindTrafficShift, Metadata: v1alpha1.Metadata{Name: "web"},
		Spec: v1alpha1.TrafficShiftSpec{Route: v1alpha1.Route{ALB: &v1alpha1.ALBRoute{
			ListenerARN: w.Listener, Rule: &v1alpha1.ALBRule{Priority: 10, Hosts: []string{awssim.Host}},
		}}},
	}
	for _, g := range weights {
		ts.Spec.Destinations = append(ts.Spec.Destinations, v1alpha1.Destination{Name: g.Name, TargetGroupARN: w.Groups[g.Name], Weight: &g.Weight})
	}
	return ts
}

// name of a target group's ARN, for people.
func nameOf(arn string) string {
	_, tail, _ := strings.Cut(arn, ":targetgroup/")
	name, _, _ := strings.Cut(tail, "/")
	return name
}
