package cloudwatch_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/awsconf"
	simcw "github.com/norikae/norikae/internal/awssim/cloudwatch"
	"github.com/norikae/norikae/internal/awssim/memnet"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/synth"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/metric"
	"github.com/norikae/norikae/internal/metric/cloudwatch"
	"github.com/norikae/norikae/internal/traffic"
)

const (
	arns   = "arn:aws:elasticloadbalancing:us-east-1:000000000000:"
	lbARN  = arns + "loadbalancer/app/web/0123456789abcdef"
	nlbARN = arns + "loadbalancer/net/edge/0123456789abcdef"
	period = time.Minute
	delay  = 2 * time.Minute
)

func group(name string) string { return arns + "targetgroup/" + name + "/0123456789abcdef" }

// world is a simulated CloudWatch with synthetic traffic over two target groups, in
// virtual time, and the real SDK on top of it.
type world struct {
	t      *testing.T
	sim    *simcw.Service
	plane  *synth.DataPlane
	client *cw.Client
	// protocol of a Network Load Balancer's listener, or "DNS": each group behind an
	// Application Load Balancer of its own; "" is one Application Load Balancer.
	protocol string

	mu    sync.Mutex
	split traffic.Split
	calls []wire.Call
	delay time.Duration          // of the metrics
	lost  func(name string) bool // metrics that nobody gets; nil: none
	fault error                  // answered instead of any result
}

// inWorld runs f in a bubble, after the world has had ten minutes of traffic on blue.
func inWorld(t *testing.T, pageSize int, f func(t *testing.T, w *world)) {
	t.Helper()
	inWorldOf(t, "", pageSize, f)
}

// inWorldOf a protocol: see world.
func inWorldOf(t *testing.T, protocol string, pageSize int, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, delay: delay, protocol: protocol}
		w.sim = simcw.New(simcw.Config{
			Period: period, PageSize: pageSize,
			Delay: func() time.Duration {
				w.mu.Lock()
				defer w.mu.Unlock()
				return w.delay
			},
			Missing: func(m string) bool {
				w.mu.Lock()
				defer w.mu.Unlock()
				return w.lost != nil && w.lost(m)
			},
		})
		w.plane = synth.New(synth.Config{Sink: w.sim, Period: period, RequestsPerSecond: func(time.Time) float64 { return 20 }, Share: w.share})
		w.serve()
		t.Cleanup(func() {
			if err := w.plane.Close(); err != nil {
				t.Error(err)
			}
		})
		w.weights(100, 0)
		time.Sleep(10*time.Minute + 7*time.Second)
		f(t, w)
	})
}

func (w *world) serve() {
	mux := wire.NewMux(wire.Config{
		Observe: func(c wire.Call) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.calls = append(w.calls, c)
		},
		Hooks: []wire.Hook{func(context.Context, *wire.Request, wire.Phase) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.fault
		}},
	})
	mux.Register(w.sim.Registration())
	var network memnet.Network
	l, err := network.Listen("tcp", "127.0.0.1:80")
	if err != nil {
		w.t.Fatal(err)
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	transport := network.Transport()
	w.t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := srv.Close(); err != nil {
			w.t.Error(err)
		}
		<-done
	})
	w.client = cw.New(cw.Options{
		BaseEndpoint: aws.String("http://127.0.0.1:80"), Region: "us-east-1", RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDFAKE", "fake", ""),
		HTTPClient:  awsconf.PlainBodies(&http.Client{Transport: transport}),
	})
}

// share of the traffic that a load balancer gets.
func (w *world) share(lb string) float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.split {
		if w.protocol == "DNS" && ownLB(name(d.ID)) == lb {
			return w.split.Share(d.ID)
		}
	}
	return 1
}

func ownLB(name string) string { return arns + "loadbalancer/app/" + name + "/0123456789abcdef" }

func name(group string) string { return strings.Split(group, "/")[1] }

func (w *world) setSplit(s traffic.Split) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.split = s
}

// weights writes a split of blue and green.
func (w *world) weights(blue, green int) {
	w.setSplit(traffic.Split{{ID: group("blue"), Weight: blue}, {ID: group("green"), Weight: green}})
	c := model.Config{
		LoadBalancers: []model.LoadBalancer{{ARN: lbARN, Type: "application"}},
		TargetGroups:  map[string]model.TargetGroup{},
	}
	forward := &model.Forward{}
	for _, d := range w.split {
		forward.TargetGroups = append(forward.TargetGroups, model.WeightedTargetGroup{ARN: d.ID, Weight: d.Weight})
		c.TargetGroups[d.ID] = model.TargetGroup{
			ARN: d.ID, Name: name(d.ID), InUse: true, HealthCheck: model.HealthCheck{Enabled: true},
			Targets: []model.Target{{ID: "127.0.0.1", Port: 1}, {ID: "127.0.0.1", Port: 2}},
		}
	}
	c.Listeners = []model.Listener{{ARN: "listener", LoadBalancerARN: lbARN, Rules: []model.Rule{
		{ARN: "rule", Actions: []model.Action{{Type: "forward", Forward: forward}}},
		{ARN: "default", IsDefault: true, Actions: []model.Action{{Type: "fixed-response", FixedResponse: &model.FixedResponse{StatusCode: "404"}}}},
	}}}
	switch w.protocol {
	case "":
	case "DNS":
		c.LoadBalancers, c.Listeners = nil, nil
		for _, d := range w.split {
			lb := ownLB(name(d.ID))
			c.LoadBalancers = append(c.LoadBalancers, model.LoadBalancer{ARN: lb, Type: "application"})
			all := &model.Forward{TargetGroups: []model.WeightedTargetGroup{{ARN: d.ID, Weight: 1}}}
			c.Listeners = append(c.Listeners, model.Listener{ARN: "listener of " + lb, LoadBalancerARN: lb, Rules: []model.Rule{
				{ARN: "default of " + lb, IsDefault: true, Actions: []model.Action{{Type: "forward", Forward: all}}},
			}})
		}
	default:
		c.LoadBalancers = []model.LoadBalancer{{ARN: nlbARN, Type: "network", Zones: []string{"us-east-1a", "us-east-1b"}}}
		l := &c.Listeners[0]
		l.LoadBalancerARN, l.Protocol = nlbARN, w.protocol
		l.Rules = []model.Rule{{ARN: "default", IsDefault: true, Actions: l.Rules[0].Actions}}
		for id, g := range c.TargetGroups {
			g.Protocol = w.protocol
			c.TargetGroups[id] = g
		}
	}
	w.plane.Apply(c)
}

func (w *world) behave(name string, b synth.Behaviour) {
	w.t.Helper()
	if err := w.plane.Set(name, b); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) source() *cloudwatch.Source { return cloudwatch.New(w.client) }

func (w *world) alb() *metric.ALB {
	return &metric.ALB{ARN: lbARN, Source: w.source(), Timing: cloudwatch.DefaultTiming()}
}

func (w *world) nlb() *metric.NLB {
	return &metric.NLB{ARN: nlbARN, Source: w.source(), Timing: cloudwatch.DefaultTiming(), UDP: func() bool { return w.protocol == "UDP" }}
}

// dns is the analysis of the groups' own load balancers. The destinations are known by
// the groups' ARNs here, as everywhere in these tests.
func (w *world) dns() *metric.DNS {
	src := w.source()
	return &metric.DNS{Timing: cloudwatch.DefaultTiming(), LoadBalancers: map[string]metric.LoadBalancer{
		group("blue"): {ARN: ownLB("blue"), Source: src}, group("green"): {ARN: ownLB("green"), Source: src},
	}}
}

func (w *world) analyzer(cfg metric.Config) *metric.Analyzer {
	w.t.Helper()
	a, err := metric.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// shiftTo begins a shift with these weights.
func (w *world) shiftTo(blue, green int) analysis.Request {
	req := analysis.Request{Started: time.Now(), Gaining: []string{group("green")}, Losing: []string{group("blue")}}
	return w.step(req, blue, green)
}

// step writes the next weights of a shift.
func (w *world) step(req analysis.Request, blue, green int) analysis.Request {
	w.weights(blue, green)
	req.Since, req.Now, req.Live = time.Now(), time.Now(), w.split
	return req
}

func (w *world) sleep(d time.Duration) { time.Sleep(d); synctest.Wait() }

// follow asks at each Report.Next, as the engine does, until the verdict is one of
// those wanted, and gives the last report and how long it took.
func (w *world) follow(a *metric.Analyzer, req analysis.Request, limit time.Duration, until ...analysis.Verdict) (analysis.Report, time.Duration) {
	w.t.Helper()
	for {
		req.Now = time.Now()
		r := a.Analyze(w.ctx(), req)
		took := time.Since(req.Since)
		if slices.Contains(until, r.Verdict) || took > limit {
			return r, took
		}
		if !r.Next.After(time.Now()) {
			w.t.Fatalf("Next %s is not after now, %s", r.Next, time.Now())
		}
		time.Sleep(time.Until(r.Next))
	}
}

func (w *world) ctx() context.Context { return w.t.Context() }

// publish metrics so late, and not those that are lost.
func (w *world) publish(delay time.Duration, lost func(name string) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delay, w.lost = delay, lost
}

// failWith makes every call fail; nil heals.
func (w *world) failWith(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = err
}

// callCount since the last time.
func (w *world) callCount() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.calls)
	w.calls = nil
	return n
}

// measurement of a metric in a report.
func last(t *testing.T, r analysis.Report, name string) analysis.Measurement {
	t.Helper()
	for _, m := range r.Metrics {
		if m.Name == name {
			return m.Last
		}
	}
	t.Fatalf("no metric %s in %+v", name, r)
	return analysis.Measurement{}
}
