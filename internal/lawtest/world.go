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

// Ground is the kind of route that a world has.
type Ground string

// The grounds: everything that is known of a shift must be so on each of them.
const (
	OnALB Ground = "an ALB's rule"
	OnNLB Ground = "an NLB's listener"
	// OnDNS has records with health checks and a TTL of 2 s, judged by health alone.
	OnDNS Ground = "a Route 53 name"
	// OnAliases has aliases of two ALBs, whose metrics judge; their TTL is 60 s.
	OnAliases Ground = "a Route 53 name with aliases"
)

// Grounds lists them all.
func Grounds() []Ground { return []Ground{OnALB, OnNLB, OnDNS, OnAliases} }

// DNS tells whether the route is a name in Route 53.
func (g Ground) DNS() bool { return g == OnDNS || g == OnAliases }

// World is a lab with made-up traffic in memory, and the recorder in front of it. It
// lives in a testing/synctest bubble.
type World struct {
	*awssim.Lab
	*Recorder

	Ground Ground
	Pace   Pace
	// ARNs of the load balancer's parts, where the route is on one.
	LoadBalancer, Listener, Rule string
	Zone, Name                   string // of a name's records
	// Groups are what the route calls its destinations, by name (blue, green and those of
	// AddGroup): target group ARNs, or set identifiers.
	Groups map[string]string

	checks    map[string]string // health check IDs by name
	balancers map[string]string // load balancers' ARNs by name
	server    *http.Server
	served    chan error
	endpoint  string
	network   memnet.Network

	mu      sync.Mutex
	clients []*http.Transport
}

// NewWorld makes a world whose route sends everything to blue. Its metrics have had ten
// periods of traffic when it returns. change may be nil.
func NewWorld(ground Ground, pace Pace, change func(*awssim.Config)) (*World, error) {
	w := &World{Ground: ground, Pace: pace, Groups: map[string]string{}, checks: map[string]string{}, balancers: map[string]string{}, served: make(chan error, 1)}
	cfg := awssim.Config{
		DataPlane: awssim.PlaneSynth, World: map[Ground]string{
			OnALB: awssim.WorldBlueGreen, OnNLB: awssim.WorldNLB, OnDNS: awssim.WorldRoute53, OnAliases: awssim.WorldRoute53,
		}[ground],
		Propagation:  propagation,
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
	w.Zone, w.Name = about.HostedZoneID, about.Name
	for _, d := range about.Destinations {
		w.Groups[d.SetIdentifier], w.balancers[d.SetIdentifier] = d.SetIdentifier, d.LoadBalancerARN
	}
	if ground == OnDNS {
		if err := w.buildName(); err != nil {
			return nil, errors.Join(err, w.Close())
		}
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

// AddGroup makes one more destination, named name: a target group with two targets, or
// records of weight 0.
func (w *World) AddGroup(ctx context.Context, name string) error {
	if w.Ground.DNS() {
		return w.addRecords(ctx, Weight{name, 0})
	}
	c := w.ELBClient()
	protocol := types.ProtocolEnumHttp
	if w.Ground == OnNLB {
		protocol = types.ProtocolEnumTcp
	}
	out, err := c.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{
		Name: &name, Protocol: protocol, Port: aws.Int32(80), VpcId: aws.String("vpc-01ab"), TargetType: types.TargetTypeEnumIp,
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

// Meddle writes the route's weights as the Operator.
func (w *World) Meddle(ctx context.Context, weights ...Weight) (err error) {
	switch w.Ground {
	case OnALB:
		_, err = w.ELBClient().ModifyRule(ctx, &elb.ModifyRuleInput{RuleArn: &w.Rule, Actions: []types.Action{w.Forward(weights...)}})
	case OnNLB:
		_, err = w.ELBClient().ModifyListener(ctx, &elb.ModifyListenerInput{ListenerArn: &w.Listener, DefaultActions: []types.Action{w.Forward(weights...)}})
	case OnDNS, OnAliases:
		err = w.reweigh(ctx, recordTypes(), weights...)
	}
	return err
}

// Manifest declares a shift of the world's route to these weights in steps of 10 %.
func (w *World) Manifest(weights ...Weight) *v1alpha1.TrafficShift {
	ts := &v1alpha1.TrafficShift{
		APIVersion: v1alpha1.GroupVersion, Kind: v1alpha1.KindTrafficShift, Metadata: v1alpha1.Metadata{Name: "web"},
	}
	switch w.Ground {
	case OnALB:
		ts.Spec.Route.ALB = &v1alpha1.ALBRoute{ListenerARN: w.Listener, Rule: &v1alpha1.ALBRule{Priority: 10, Hosts: []string{awssim.Host}}}
	case OnNLB:
		ts.Spec.Route.NLB = &v1alpha1.NLBRoute{ListenerARN: w.Listener}
		ts.Spec.Strategy.Drain = &v1alpha1.Drain{Duration: v1alpha1.Duration{Duration: w.Pace.Period}}
	case OnDNS, OnAliases:
		ts.Spec.Route.Route53 = &v1alpha1.Route53Route{HostedZoneID: w.Zone, Name: w.Name}
		ts.Spec.Analysis.Builtin = new(w.Ground == OnAliases)
	}
	for _, g := range weights {
		d := v1alpha1.Destination{Name: g.Name, Weight: &g.Weight}
		switch {
		case w.Ground == OnAliases:
			d.SetIdentifier, d.LoadBalancerARN = g.Name, w.balancers[g.Name]
		case w.Ground == OnDNS:
			d.SetIdentifier = g.Name
		default:
			d.TargetGroupARN = w.Groups[g.Name]
		}
		ts.Spec.Destinations = append(ts.Spec.Destinations, d)
	}
	return ts
}

// nameOf a destination for people: of a target group's ARN the name.
func nameOf(id string) string {
	_, tail, ok := strings.Cut(id, ":targetgroup/")
	if !ok {
		return id
	}
	name, _, _ := strings.Cut(tail, "/")
	return name
}
