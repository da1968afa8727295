package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/app"
	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/memnet"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/store/memory"
)

// CloudWatch's own timing, which is the product's default.
const (
	settle = 10 * time.Second
	period = time.Minute
	delay  = 2 * time.Minute
)

// rulesPerBalancer keeps a load balancer below AWS's quota of 100 target groups.
const rulesPerBalancer = 50

// TestMain keeps the machine's own AWS configuration out.
func TestMain(m *testing.M) {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			set(name, "")
		}
	}
	set("AWS_CONFIG_FILE", os.DevNull)
	set("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	os.Exit(m.Run())
}

func set(name, value string) {
	if err := os.Setenv(name, value); err != nil {
		panic(err)
	}
}

// fleet is a simulated AWS in memory with made-up traffic at CloudWatch's pace, and the
// routes on it. It lives in a testing/synctest bubble.
type fleet struct {
	*awssim.Lab

	net       memnet.Network
	transport *http.Transport
	routes    []route
}

// route is a listener rule that sends everything to the first of two target groups.
type route struct {
	listener, host string
	priority       int
	groups         [2]string // ARNs
}

// newFleet makes a lab with n routes: the world's own, and n-1 on more load balancers.
// Their metrics have had some minutes of traffic when it returns. The caller closes it.
func newFleet(t *testing.T, n int) *fleet {
	t.Helper()
	f := &fleet{}
	if err := f.open(f.config()); err != nil {
		t.Fatal(err)
	}
	w := f.World()
	f.routes = []route{{w.ListenerARN, w.Host, w.RulePriority, [2]string{w.TargetGroups[0].ARN, w.TargetGroups[1].ARN}}}
	if err := f.grow(t.Context(), n-1); err != nil {
		t.Fatal(errors.Join(err, f.close()))
	}
	f.warm()
	return f
}

// config of a lab in the fleet's memory.
func (f *fleet) config() awssim.Config {
	return awssim.Config{
		Listen: f.net.Listen, Dial: f.net.DialContext, DataPlane: awssim.PlaneSynth, World: awssim.WorldBlueGreen,
		MetricPeriod: period, MetricDelay: delay, Seed: 7,
	}
}

// open the lab.
func (f *fleet) open(cfg awssim.Config) error {
	f.transport = f.net.Transport()
	f.transport.MaxIdleConnsPerHost = 64
	lab, err := awssim.New(cfg)
	if err != nil {
		return err
	}
	f.Lab = lab
	if err := lab.Start("127.0.0.1:0"); err != nil {
		return errors.Join(err, f.close())
	}
	return nil
}

// warm waits until there are some minutes of traffic, off the minute, as in life.
func (f *fleet) warm() { time.Sleep(10*period + delay + period/7) }

func (f *fleet) close() error {
	f.transport.CloseIdleConnections()
	return f.Lab.Close()
}

// grow adds n routes.
func (f *fleet) grow(ctx context.Context, n int) error {
	c := elb.New(elb.Options{
		Region: awssim.Region, BaseEndpoint: aws.String(f.Endpoint()), HTTPClient: f.client(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAOPERATOR", "fake", ""),
	})
	var listener string
	for i := range n {
		if i%rulesPerBalancer == 0 {
			var err error
			if listener, err = newListener(ctx, c, fmt.Sprintf("lb-%d", i/rulesPerBalancer)); err != nil {
				return err
			}
		}
		r := route{listener: listener, host: fmt.Sprintf("app-%d.example.com", i), priority: i%rulesPerBalancer + 1}
		for side, name := range []string{"blue", "green"} {
			arn, err := newGroup(ctx, c, fmt.Sprintf("%s-%d", name, i))
			if err != nil {
				return err
			}
			r.groups[side] = arn
		}
		_, err := c.CreateRule(ctx, &elb.CreateRuleInput{
			ListenerArn: &listener, Priority: aws.Int32(int32(r.priority)),
			Conditions: []types.RuleCondition{{Field: aws.String("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{r.host}}}},
			Actions: []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{
				{TargetGroupArn: &r.groups[0], Weight: aws.Int32(100)}, {TargetGroupArn: &r.groups[1], Weight: aws.Int32(0)},
			}}}},
		})
		if err != nil {
			return fmt.Errorf("making the rule for %s: %w", r.host, err)
		}
		f.routes = append(f.routes, r)
	}
	return nil
}

func newListener(ctx context.Context, c *elb.Client, name string) (string, error) {
	lb, err := c.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: &name, Subnets: []string{"subnet-0a", "subnet-0b"}})
	if err != nil {
		return "", fmt.Errorf("making load balancer %s: %w", name, err)
	}
	l, err := c.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80),
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("404")}}},
	})
	if err != nil {
		return "", fmt.Errorf("making the listener of %s: %w", name, err)
	}
	return *l.Listeners[0].ListenerArn, nil
}

func newGroup(ctx context.Context, c *elb.Client, name string) (string, error) {
	out, err := c.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{
		Name: &name, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String("vpc-01ab"), TargetType: types.TargetTypeEnumIp,
	})
	if err != nil {
		return "", fmt.Errorf("making target group %s: %w", name, err)
	}
	arn := out.TargetGroups[0].TargetGroupArn
	_, err = c.RegisterTargets(ctx, &elb.RegisterTargetsInput{TargetGroupArn: arn, Targets: []types.TargetDescription{
		{Id: aws.String("10.0.0.1"), Port: aws.Int32(8080)}, {Id: aws.String("10.0.0.2"), Port: aws.Int32(8080)},
	}})
	if err != nil {
		return "", fmt.Errorf("registering targets of %s: %w", name, err)
	}
	return *arn, nil
}

// client bounds each attempt, as the product's own does.
func (f *fleet) client() *http.Client {
	return &http.Client{Transport: f.transport, Timeout: 8 * time.Second}
}

// engine of a shift of all traffic of a route to its second target group, in ten steps.
func (f *fleet) engine(ctx context.Context, r route, change func(*v1alpha1.TrafficShiftSpec)) (*engine.Engine, error) {
	spec := v1alpha1.TrafficShiftSpec{
		Route: v1alpha1.Route{ALB: &v1alpha1.ALBRoute{ListenerARN: r.listener, Rule: &v1alpha1.ALBRule{Priority: r.priority, Hosts: []string{r.host}}}},
		Destinations: []v1alpha1.Destination{
			{Name: "blue", TargetGroupARN: r.groups[0], Weight: new(0)}, {Name: "green", TargetGroupARN: r.groups[1], Weight: new(100)},
		},
	}
	spec.Strategy.StepWeight = 10
	spec.Strategy.StepInterval = v1alpha1.Duration{Duration: 5 * time.Minute}
	if change != nil {
		change(&spec)
	}
	parts, err := app.Build(ctx, app.Environment{
		Getenv: pace, Version: "bench", HTTPClient: f.client(), Endpoint: f.Endpoint(),
		Credentials: credentials.NewStaticCredentialsProvider("AKIASHIFT", "fake", ""),
	}, &v1alpha1.TrafficShift{
		APIVersion: v1alpha1.GroupVersion, Kind: v1alpha1.KindTrafficShift, Metadata: v1alpha1.Metadata{Name: "web"}, Spec: spec,
	})
	if err != nil {
		return nil, err
	}
	return engine.New(engine.Config{
		Spec: parts.Spec, Router: parts.Router, Analyzer: parts.Analyzer, Store: &memory.Store{}, Owner: "machine/1/" + r.host,
	})
}

func pace(name string) string {
	return map[string]string{
		"NORIKAE_CLOUDWATCH_SETTLE": settle.String(), "NORIKAE_CLOUDWATCH_PERIOD": period.String(), "NORIKAE_CLOUDWATCH_DELAY": delay.String(),
	}[name]
}

// inFleet runs f in virtual time, on n routes.
func inFleet(t *testing.T, n int, f func(t *testing.T, fl *fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fl := newFleet(t, n)
		defer func() {
			if err := fl.close(); err != nil {
				t.Error(err)
			}
		}()
		f(t, fl)
	})
}

// virtual runs f as inFleet does, in a benchmark: package synctest wants a test.
func virtual(b *testing.B, n int, f func(t *testing.T, fl *fleet)) {
	b.Helper()
	inTest(b, func(t *testing.T) { inFleet(t, n, f) })
}

// inTest runs f as a test, in a benchmark.
func inTest(b *testing.B, f func(t *testing.T)) {
	b.Helper()
	ran := false
	ok := testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: b.Name(), F: func(t *testing.T) {
		if !ran { // RunTests heeds -count, which has made this benchmark run as often already
			ran = true
			f(t)
		}
	}}})
	if !ok {
		b.Fatal("failed in virtual time; see above")
	}
}
