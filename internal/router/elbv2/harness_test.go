package elbv2

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	sim "github.com/norikae/norikae/internal/awssim/elbv2"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
	"github.com/norikae/norikae/internal/traffic"
)

// world is the simulated AWS with the real SDK in front: a load balancer, an HTTP and an
// HTTPS listener that answer 404, and the target groups a to f.
type world struct {
	t        *testing.T
	sdk      *elb.Client
	faults   *fault.Set
	listener string
	https    string
	lb       string
	groups   map[string]string

	calls wiretest.Calls

	mu     sync.Mutex
	health map[string]model.TargetHealth // by target ID
}

func newWorld(t *testing.T, change ...func(*sim.Config)) *world {
	t.Helper()
	w := &world{t: t, groups: map[string]string{}, health: map[string]model.TargetHealth{}, faults: fault.NewSet(fault.Config{})}
	cfg := sim.Config{DataPlane: (*plane)(w), Seed: 7}
	for _, f := range change {
		f(&cfg)
	}
	svc := sim.New(cfg)
	t.Cleanup(svc.Close)
	mux := wire.NewMux(wire.Config{Hooks: []wire.Hook{w.faults.Hook}, Observe: w.calls.Observe})
	mux.Register(wire.Registration{
		Name: "elasticloadbalancing", Version: "2015-12-01",
		Namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/", Service: svc,
	})
	w.sdk = elb.New(elb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://127.0.0.1:1"), HTTPClient: wiretest.Direct{Handler: mux}, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
	w.lb = w.balancer("web")
	w.listener = w.listen(w.lb, 80, types.ProtocolEnumHttp)
	w.https = w.listen(w.lb, 443, types.ProtocolEnumHttps)
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		w.groups[name] = w.group(name)
	}
	w.forget()
	return w
}

// plane is a data plane whose targets have the health that a test gives them.
type plane world

func (p *plane) Apply(model.Config) {}
func (p *plane) Health(_ string, t model.Target) model.TargetHealth {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h, ok := p.health[t.ID]; ok {
		return h
	}
	return model.TargetHealth{State: "healthy"}
}
func (p *plane) Addr(string) string { return "" }
func (p *plane) Close() error       { return nil }

// forget the calls so far.
func (w *world) forget() { w.calls.Forget() }

// made are the operations since forget, in order.
func (w *world) made() string { return w.calls.Operations() }

func (w *world) last(op string) wire.Params {
	w.t.Helper()
	for _, c := range slices.Backward(w.calls.All()) {
		if c.Request.Operation == op {
			return c.Request.Params
		}
	}
	w.t.Fatalf("no %s was called", op)
	return nil
}

func (w *world) balancer(name string) string {
	w.t.Helper()
	return *wiretest.Must(w.sdk.CreateLoadBalancer(w.t.Context(), &elb.CreateLoadBalancerInput{
		Name: &name, Subnets: []string{"subnet-1", "subnet-2"},
	}))(w.t).LoadBalancers[0].LoadBalancerArn
}

func (w *world) listen(lb string, port int32, protocol types.ProtocolEnum) string {
	w.t.Helper()
	in := &elb.CreateListenerInput{LoadBalancerArn: &lb, Port: &port, Protocol: protocol, DefaultActions: []types.Action{notFound()}}
	if protocol == types.ProtocolEnumHttps {
		in.Certificates = []types.Certificate{{CertificateArn: aws.String("arn:aws:acm:us-east-1:000000000000:certificate/1")}}
	}
	return *wiretest.Must(w.sdk.CreateListener(w.t.Context(), in))(w.t).Listeners[0].ListenerArn
}

func (w *world) group(name string, change ...func(*elb.CreateTargetGroupInput)) string {
	w.t.Helper()
	in := &elb.CreateTargetGroupInput{
		Name: &name, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String("vpc-1"), TargetType: types.TargetTypeEnumIp,
	}
	for _, f := range change {
		f(in)
	}
	return *wiretest.Must(w.sdk.CreateTargetGroup(w.t.Context(), in))(w.t).TargetGroups[0].TargetGroupArn
}

// rule makes a rule on a listener, outside of what is tested.
func (w *world) rule(listener string, priority int32, conditions []types.RuleCondition, actions ...types.Action) string {
	w.t.Helper()
	return *wiretest.Must(w.sdk.CreateRule(w.t.Context(), &elb.CreateRuleInput{
		ListenerArn: &listener, Priority: &priority, Conditions: conditions, Actions: actions,
	}))(w.t).Rules[0].RuleArn
}

// see a rule as it is now.
func (w *world) see(ruleARN string) types.Rule {
	w.t.Helper()
	return wiretest.Must(w.sdk.DescribeRules(w.t.Context(), &elb.DescribeRulesInput{RuleArns: []string{ruleARN}}))(w.t).Rules[0]
}

func (w *world) tagsOf(id string) map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for _, t := range wiretest.Must(w.sdk.DescribeTags(w.t.Context(), &elb.DescribeTagsInput{ResourceArns: []string{id}}))(w.t).TagDescriptions[0].Tags {
		out[*t.Key] = *t.Value
	}
	return out
}

func (w *world) tag(id, key, value string) {
	w.t.Helper()
	wiretest.Must(w.sdk.AddTags(w.t.Context(), &elb.AddTagsInput{ResourceArns: []string{id}, Tags: []types.Tag{sdkTag(key, value)}}))(w.t)
}

// split by the groups' names: "a", 90, "b", 10.
func (w *world) split(pairs ...any) traffic.Split {
	var s traffic.Split
	for i := 0; i < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		weight, _ := pairs[i+1].(int)
		s = append(s, traffic.Weighted{ID: w.groups[name], Weight: weight})
	}
	return s
}

// forward is a forward action of a split.
func forward(s traffic.Split, change ...func(*types.ForwardActionConfig)) types.Action {
	config := &types.ForwardActionConfig{TargetGroups: tuples(nil, s)}
	for _, f := range change {
		f(config)
	}
	return types.Action{Type: types.ActionTypeEnumForward, ForwardConfig: config}
}

// second after an authentication: AWS wants an order where there are several actions.
func second(a types.Action) types.Action {
	a.Order = aws.Int32(2)
	return a
}

func sticky(c *types.ForwardActionConfig) {
	c.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: aws.Bool(true), DurationSeconds: aws.Int32(3600)}
}

func notFound() types.Action {
	return types.Action{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("404")}}
}

func oidc() types.Action {
	return types.Action{Type: types.ActionTypeEnumAuthenticateOidc, Order: aws.Int32(1), AuthenticateOidcConfig: &types.AuthenticateOidcActionConfig{
		AuthorizationEndpoint: aws.String("https://id.example.com/auth"), TokenEndpoint: aws.String("https://id.example.com/token"),
		UserInfoEndpoint: aws.String("https://id.example.com/user"), Issuer: aws.String("https://id.example.com"),
		ClientId: aws.String("me"), ClientSecret: aws.String("hidden"), SessionTimeout: aws.Int64(600),
	}}
}

func hosts(names ...string) []types.RuleCondition {
	return sdkConditions(Numbered{Hosts: names}.conditions())
}

// open makes the router under test, for a numbered rule at priority 10 unless changed.
func (w *world) open(change ...func(*Config)) *Rule {
	w.t.Helper()
	return wiretest.Must(New(w.config(change...)))(w.t)
}

func (w *world) config(change ...func(*Config)) Config {
	cfg := Config{
		API: w.sdk, ListenerARN: w.listener, Numbered: &Numbered{Priority: 10, Hosts: []string{"example.com"}},
		Destinations: []string{w.groups["a"], w.groups["b"]}, Owner: "web",
	}
	for _, f := range change {
		f(&cfg)
	}
	return cfg
}

func (w *world) fail(r fault.Rule) {
	w.t.Helper()
	wiretest.Must(w.faults.Add(r))(w.t)
}

// mentions checks that a message has all the parts that a reader needs.
func mentions(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%q is not in: %v", p, err)
		}
	}
}
